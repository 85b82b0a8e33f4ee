/*
 * pool.c: the memory pool of a kernel (core/pool.h): its region is the end of the arena. What the
 * pool cannot do itself is done here, with the rules of kernels: memory is zeroed while the kernel
 * takes no steps, moved and grown while it is off its device.
 */
#include "runtime/pool.h"

#include "base/value.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/resident.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES ((uint64_t)1 << 20)
#define LISTED_MAX 3u

/* ---- What the pool asks for ---------------------------------------------------------------- */

static rk_status pool_zero(void *context, uint64_t offset, uint64_t bytes)
{
    rk_kernel *kernel = context;
    if (rk_commands_may_step(kernel)) {
        return RK_STATE;
    }
    rk_mutex_lock(&kernel->arena_lock);
    rk_status status = kernel->home->driver->zero(kernel->home->device, &kernel->arena,
                                                  kernel->layout.pool + offset, bytes);
    rk_mutex_unlock(&kernel->arena_lock);
    return status;
}

/* Copies between two arenas of a device, or two places of one, which do not overlap. */
static rk_status copy_memory(const rk_home *home, const rk_mem *to, uint64_t to_at,
                             const rk_mem *from, uint64_t from_at, uint64_t bytes)
{
    if (from->host != NULL) {
        return home->driver->write(home->device, to, to_at, from->host + from_at, bytes);
    }
    uint8_t *staging = malloc(RK_MIN(bytes, COPY_BYTES));
    rk_status status = staging != NULL ? RK_OK : RK_NO_MEMORY;
    for (uint64_t done = 0; status == RK_OK && done < bytes; done += COPY_BYTES) {
        uint64_t piece = RK_MIN(bytes - done, COPY_BYTES);
        status = home->driver->read(home->device, from, from_at + done, staging, piece);
        if (status == RK_OK) {
            status = home->driver->write(home->device, to, to_at + done, staging, piece);
        }
    }
    free(staging);
    return status;
}

static rk_status pool_move(void *context, uint64_t to, uint64_t from, uint64_t bytes)
{
    rk_kernel *kernel = context;
    rk_mutex_lock(&kernel->life); /* so that it does not start meanwhile */
    rk_status status = RK_STATE;
    if (!rk_kernel_is_resident(kernel)) {
        rk_mutex_lock(&kernel->arena_lock);
        status = copy_memory(kernel->home, &kernel->arena, kernel->layout.pool + to, &kernel->arena,
                             kernel->layout.pool + from, bytes);
        rk_mutex_unlock(&kernel->arena_lock);
    }
    rk_mutex_unlock(&kernel->life);
    return status;
}

/*
 * Takes down the routes that lead to a kernel whose arena will lie elsewhere; its next launch
 * connects them again. RK_BUSY if a sender is resident: it may be in the middle of a send.
 */
static rk_status detach_senders(rk_kernel *kernel, rk_err *err)
{
    const rk_u32 closed = 0;
    rk_status status = RK_OK;
    rk_mutex_lock(&kernel->runtime->kernels_lock);
    for (rk_kernel *from = kernel->runtime->kernels; from != NULL; from = from->next) {
        for (uint32_t i = 0; i < from->route_count && from != kernel && status == RK_OK; i++) {
            if (from->routes[i] != kernel) {
                continue;
            }
            if (rk_kernel_is_resident(from)) {
                status = rk_err_set(err, RK_BUSY,
                                    "the memory of kernel '%s' cannot become larger while kernel "
                                    "'%s' may send to it; park that one as well",
                                    kernel->name, from->name);
            } else {
                uint64_t at =
                    from->layout.routes + i * sizeof(rk_route) + offsetof(rk_route, state);
                status = from->home->driver->write(from->home->device, &from->arena, at, &closed,
                                                   sizeof closed);
            }
        }
    }
    rk_mutex_unlock(&kernel->runtime->kernels_lock);
    return status;
}

/* life is held, the kernel is off its device. */
static rk_status grow_arena(rk_kernel *kernel, uint64_t new_bytes, rk_err *err)
{
    const rk_home *home = kernel->home;
    rk_layout *layout = &kernel->layout;
    uint64_t old_bytes = layout->options.pool_bytes;
    uint64_t used_bytes = layout->pool + old_bytes;
    rk_status status = rk_layout_resize_pool(layout, new_bytes, err);
    if (status != RK_OK) {
        return status;
    }
    rk_mem larger;
    status = home->driver->mem_alloc(home->device, RK_MEM_ARENA, layout->arena_bytes, &larger, err);
    if (status == RK_OK) {
        status = copy_memory(home, &larger, 0, &kernel->arena, 0, used_bytes);
        if (status != RK_OK) {
            home->driver->mem_free(home->device, &larger);
            (void)rk_err_set(err, status, "cannot copy %llu B to a larger place: %s",
                             (unsigned long long)used_bytes, rk_status_text(status));
        }
    }
    if (status != RK_OK) {
        (void)rk_layout_resize_pool(layout, old_bytes, NULL); /* it had this size */
        return status;
    }
    rk_mutex_lock(&kernel->arena_lock);
    rk_mem old = kernel->arena;
    kernel->arena = larger;
    rk_mutex_unlock(&kernel->arena_lock);
    home->driver->mem_free(home->device, &old);
    kernel->control->arena_bytes = layout->arena_bytes;
    kernel->control->pool_bytes = new_bytes;
    return RK_OK;
}

static rk_status pool_grow(void *context, uint64_t old_bytes, uint64_t new_bytes, rk_err *err)
{
    rk_kernel *kernel = context;
    rk_mutex_lock(&kernel->life);
    rk_status status = RK_OK;
    if (rk_kernel_is_resident(kernel)) {
        status = rk_err_set(err, RK_STATE,
                            "the pool of kernel '%s' cannot grow while it is resident; park it",
                            kernel->name);
    } else {
        status = detach_senders(kernel, err);
    }
    if (status == RK_OK) {
        status = grow_arena(kernel, new_bytes, err);
        if (status != RK_OK) {
            (void)rk_err_prefix(
                err, "the pool of kernel '%s' cannot grow from %llu to %llu B: ", kernel->name,
                (unsigned long long)old_bytes, (unsigned long long)new_bytes);
        }
    }
    rk_mutex_unlock(&kernel->life);
    return status;
}

static const rk_pool_ops pool_ops = {.zero = pool_zero, .move = pool_move, .grow = pool_grow};

rk_status rk_kernel_pool_init(rk_kernel *kernel, const rk_pool_options *options, rk_err *err)
{
    char name[RK_POOL_NAME_BYTES];
    (void)snprintf(name, sizeof name, "the pool of kernel '%s'", kernel->name);
    rk_pool_options own = *options;
    own.name = options->name != NULL ? options->name : name;
    rk_status status = rk_pool_create(&own, &pool_ops, kernel, &kernel->pool, err);
    if (status == RK_OK) { /* in whole granules */
        rk_pool_stats stats;
        rk_pool_read_stats(kernel->pool, &stats);
        kernel->layout.options.pool_bytes = stats.bytes;
        kernel->control->pool_bytes = stats.bytes;
    }
    return status;
}

/* ---- Contents ------------------------------------------------------------------------------ */

rk_pool *rk_kernel_pool(rk_kernel *kernel)
{
    return kernel->pool;
}

/* Where in the arena it is. */
static rk_status find_range(rk_kernel *kernel, rk_pool_handle handle, uint64_t first,
                            uint64_t bytes, uint64_t *out_at, rk_err *err)
{
    if (kernel->pool == NULL) {
        return rk_err_set(err, RK_NOT_FOUND, "kernel '%s' has no memory pool; launch it with one",
                          kernel->name);
    }
    rk_pool_allocation allocation;
    rk_status status = rk_pool_query(kernel->pool, handle, &allocation, err);
    if (status != RK_OK) {
        return status;
    }
    if (first > allocation.bytes || bytes > allocation.bytes - first) {
        return rk_err_set(err, RK_INVALID,
                          "kernel '%s': %llu B from byte %llu on are outside an allocation of %llu "
                          "B",
                          kernel->name, (unsigned long long)bytes, (unsigned long long)first,
                          (unsigned long long)allocation.bytes);
    }
    if (rk_commands_may_step(kernel)) {
        return rk_err_set(err, RK_STATE,
                          "kernel '%s' is taking steps: pause it, or wait for its run, before its "
                          "pool is touched",
                          kernel->name);
    }
    *out_at = kernel->layout.pool + allocation.offset + first;
    return RK_OK;
}

static rk_status copy_done(const rk_kernel *kernel, rk_status status, rk_err *err)
{
    if (status == RK_OK) {
        return RK_OK;
    }
    return rk_err_set(err, status, "kernel '%s', memory pool: cannot copy from or to %s: %s",
                      kernel->name, kernel->home->caps.name, rk_status_text(status));
}

rk_status rk_kernel_read_pool(rk_kernel *kernel, rk_pool_handle handle, uint64_t first,
                              uint64_t bytes, void *out_data, rk_err *err)
{
    uint64_t at;
    rk_status status = find_range(kernel, handle, first, bytes, &at, err);
    if (status != RK_OK) {
        return status;
    }
    rk_mutex_lock(&kernel->arena_lock);
    status = kernel->home->driver->read(kernel->home->device, &kernel->arena, at, out_data, bytes);
    rk_mutex_unlock(&kernel->arena_lock);
    return copy_done(kernel, status, err);
}

rk_status rk_kernel_write_pool(rk_kernel *kernel, rk_pool_handle handle, uint64_t first,
                               uint64_t bytes, const void *data, rk_err *err)
{
    uint64_t at;
    rk_status status = find_range(kernel, handle, first, bytes, &at, err);
    if (status != RK_OK) {
        return status;
    }
    rk_mutex_lock(&kernel->arena_lock);
    status = kernel->home->driver->write(kernel->home->device, &kernel->arena, at, data, bytes);
    rk_mutex_unlock(&kernel->arena_lock);
    return copy_done(kernel, status, err);
}

/* ---- What was not freed -------------------------------------------------------------------- */

typedef struct listing {
    uint64_t count;
    uint64_t bytes;
    rk_pool_allocation largest[LISTED_MAX]; /* largest first */
} listing;

static void list_one(void *context, const rk_pool_allocation *allocation)
{
    listing *list = context;
    rk_pool_allocation one = *allocation;
    for (uint32_t i = 0; i < LISTED_MAX; i++) {
        if (i >= list->count || one.bytes > list->largest[i].bytes) {
            rk_pool_allocation smaller = list->largest[i];
            list->largest[i] = one;
            one = smaller;
        }
    }
    list->count++;
    list->bytes += allocation->bytes;
}

bool rk_kernel_pool_in_use(rk_kernel *kernel, char *buffer, size_t bytes)
{
    listing list = {.count = 0};
    if (kernel->pool == NULL || rk_pool_used_bytes(kernel->pool) == 0 ||
        rk_pool_report(kernel->pool, list_one, &list, NULL, NULL) != RK_OK || list.count == 0) {
        return false;
    }
    char size[RK_VALUE_TEXT_BYTES];
    int used = snprintf(buffer, bytes, "its pool holds %llu allocations of %s",
                        (unsigned long long)list.count, rk_value_format_size(list.bytes, size));
    for (uint32_t i = 0; i < RK_MIN(list.count, LISTED_MAX) && used > 0 && (size_t)used < bytes;
         i++) {
        const rk_pool_allocation *one = &list.largest[i];
        used += snprintf(buffer + used, bytes - (size_t)used,
                         "%s %s%s%.32s%s of tenant %u, %llu allocations ago", i == 0 ? ":" : ";",
                         rk_value_format_size(one->bytes, size), one->tag[0] != '\0' ? " '" : "",
                         one->tag, one->tag[0] != '\0' ? "'" : "", one->tenant,
                         (unsigned long long)one->age);
    }
    if (list.count > LISTED_MAX && used > 0 && (size_t)used < bytes) {
        (void)snprintf(buffer + used, bytes - (size_t)used, "; and %llu more",
                       (unsigned long long)(list.count - LISTED_MAX));
    }
    return true;
}
