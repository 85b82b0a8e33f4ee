/*
 * launch.c: putting a kernel on its device, for as long as it stays.
 *
 * All blocks of a resident kernel wait for one another, so a grid is launched only if all of it
 * fits beside what is resident already. A cooperative launch makes the library check that once
 * more; where the call is missing or refused, a plain launch of a grid that fits does the same: the
 * barrier is our own and needs nothing of the library.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "drivers/gpu/gpu.h"
#include <stdio.h>
#include <stdlib.h>

#define WHOLE 1000000u  /* a multiprocessor, in parts */
#define UNITS_MAX 1024u /* multiprocessors that are told apart */

typedef struct launch_request {
    const rk_exec_args *args;
    rk_exec *exec;
    rk_err *err;
} launch_request;

/* ---- Does it fit --------------------------------------------------------------------------- */

/* How much of each multiprocessor kernels of the whole device hold. */
typedef struct load {
    uint32_t units;
    uint32_t parts[UNITS_MAX];
} load;

/* A device gives a block to the multiprocessor with the most room. */
static void load_place(load *on, uint32_t blocks, uint32_t per_unit)
{
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t least = 0;
        for (uint32_t unit = 1; unit < on->units; unit++) {
            least = on->parts[unit] < on->parts[least] ? unit : least;
        }
        on->parts[least] += WHOLE / per_unit;
    }
}

static uint32_t load_room(const load *on, uint32_t unit, uint32_t per_unit)
{
    return on->parts[unit] < WHOLE ? (WHOLE - on->parts[unit]) / (WHOLE / per_unit) : 0;
}

/*
 * Blocks that fit beside what is resident, and the least room of a multiprocessor. Where shares are
 * in use it is not known which multiprocessors are theirs: then each counts as the fullest.
 */
static uint64_t room_for(const rk_device *device, const rk_exec *exec, uint32_t *out_units,
                         uint32_t *out_least)
{
    load on = {.units = RK_MIN(device->caps.units, UNITS_MAX)};
    uint32_t open = on.units;
    for (const rk_exec *other = device->residents; other != NULL; other = other->next) {
        if (other->slot->units == 0) {
            load_place(&on, other->grid, other->per_unit);
        } else {
            open -= RK_MIN(open, other->slot->units);
        }
    }
    uint64_t sum = 0;
    uint32_t least = exec->per_unit;
    for (uint32_t unit = 0; unit < on.units; unit++) {
        uint32_t room = load_room(&on, unit, exec->per_unit);
        sum += room;
        least = RK_MIN(least, room);
    }
    bool shared = exec->slot->units > 0 || open < on.units;
    *out_units = exec->slot->units > 0 ? exec->slot->units : open;
    *out_least = least;
    return shared ? (uint64_t)least * *out_units : sum;
}

static rk_status check_fit(rk_device *device, const rk_exec *exec, rk_err *err)
{
    uint32_t units = 0;
    uint32_t each = 0;
    uint64_t room = room_for(device, exec, &units, &each);
    if (exec->grid <= room) {
        return RK_OK;
    }
    if (device->residents != NULL) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s' of %u blocks with %u lanes does not fit on %s beside '%s', "
                          "which is resident with %u blocks: there is room for %llu (on %u "
                          "multiprocessors, of which each holds %u when empty); use fewer blocks "
                          "or lanes, or park the other",
                          exec->name, exec->grid, exec->lanes, device->caps.name,
                          device->residents->name, device->residents->grid,
                          (unsigned long long)room, units, exec->per_unit);
    }
    return rk_err_set(err, RK_LIMIT,
                      "kernel '%s' of %u blocks with %u lanes does not fit on %s: there is room "
                      "for %llu (%u on each of %u multiprocessors); use fewer blocks or lanes",
                      exec->name, exec->grid, exec->lanes, device->caps.name,
                      (unsigned long long)room, each, units);
}

static rk_status find_slot(rk_device *device, rk_exec *exec, uint32_t units, rk_err *err)
{
    if (units > 0) {
        rk_status status = gpu_share_get(device, units, &exec->slot, err);
        return status == RK_OK ? RK_OK : rk_err_prefix(err, "kernel '%s': ", exec->name);
    }
    for (uint32_t i = 0; i < device->slot_count; i++) {
        if (device->slots[i].exec == NULL && device->slots[i].units == 0) {
            exec->slot = &device->slots[i];
            return RK_OK;
        }
    }
    return rk_err_set(err, RK_LIMIT,
                      "kernel '%s' cannot be resident on %s: %u kernels are, and a further one "
                      "would wait in the queue of one of them; park one, or use another device",
                      exec->name, device->caps.name, device->driver->vendor->streams);
}

static rk_status check_lanes(rk_device *device, rk_exec *exec, uint32_t lanes, rk_err *err)
{
    exec->lanes = lanes > 0 ? lanes : RK_MAX(1u, device->caps.default_lanes);
    uint32_t most = RK_MIN(device->caps.max_lanes, (uint32_t)RK_MAX(1, exec->code->lanes_max));
    if (exec->lanes > most) {
        if (lanes == 0) {
            exec->lanes = most;
        } else {
            return rk_err_set(err, RK_LIMIT,
                              "kernel '%s': %u lanes are more than the %u that its code can have "
                              "on %s",
                              exec->name, lanes, most, device->caps.name);
        }
    }
    int per_unit = 0;
    gpu_result result =
        device->api->occupancy(&per_unit, exec->code->entry, (int)exec->lanes, 0, 0);
    if (result != 0) {
        return gpu_fail(device, result, err, "asking how many blocks fit");
    }
    if (per_unit <= 0) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s': not one block of %u lanes fits on a multiprocessor of %s; "
                          "use fewer lanes or less block-local memory",
                          exec->name, exec->lanes, device->caps.name);
    }
    exec->per_unit = (uint32_t)per_unit;
    return RK_OK;
}

/* ---- Launch -------------------------------------------------------------------------------- */

gpu_result gpu_exec_submit(rk_exec *exec)
{
    rk_device *device = exec->device;
    const gpu_api *api = device->api;
    gpu_ptr arena = exec->arena->ptr;
    gpu_ptr mapped = exec->mapped->ptr;
    gpu_ptr old = exec->migrate_from;
    void *parameters[] = {&arena, &mapped, &old};
    if (device->caps.cooperative && !device->coop_refused) {
        gpu_result result =
            api->launch_cooperative(exec->code->entry, exec->grid, 1, 1, exec->lanes, 1, 1, 0,
                                    exec->slot->stream, parameters);
        if (result != GPU_NOT_SUPPORTED) {
            return result;
        }
        device->coop_refused = true; /* the attribute said yes; the call is what counts */
    }
    return api->launch(exec->code->entry, exec->grid, 1, 1, exec->lanes, 1, 1, 0,
                       exec->slot->stream, parameters, NULL);
}

static rk_status submit(rk_device *device, rk_exec *exec, rk_err *err)
{
    gpu_result result = gpu_exec_submit(exec);
    if (result == GPU_TOO_LARGE || result == GPU_OUT_OF_RESOURCES) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s' of %u blocks with %u lanes does not fit on %s: %s (error "
                          "%d); another program may hold part of the device; use fewer blocks or "
                          "lanes",
                          exec->name, exec->grid, exec->lanes, device->caps.name,
                          gpu_error_text(device->driver, result), result);
    }
    if (result == 0) {
        gpu_result now = device->api->stream_query(exec->slot->stream);
        result = now == GPU_NOT_READY ? 0 : now;
    }
    return result == 0 ? RK_OK : gpu_fail(device, result, err, "launching the kernel");
}

static rk_status launch_work(rk_device *device, void *context)
{
    launch_request *request = context;
    const rk_exec_args *args = request->args;
    rk_exec *exec = request->exec;
    rk_err *err = request->err;
    if (gpu_is_lost(device)) {
        return gpu_refuse_lost(device, err);
    }
    rk_status status = check_lanes(device, exec, args->lanes, err);
    if (status == RK_OK) {
        status = find_slot(device, exec, args->units, err);
    }
    if (status == RK_OK) {
        status = check_fit(device, exec, err);
    }
    if (status == RK_OK) {
        status = submit(device, exec, err);
    }
    if (status != RK_OK) {
        return status;
    }
    exec->slot->exec = exec;
    exec->next = device->residents;
    device->residents = exec;
    (void)atomic_fetch_add_explicit(&device->resident_kernels, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&device->resident_blocks, exec->grid, memory_order_relaxed);
    device->look_step_ns = 0;
    gpu_look_at(device, rk_clock_monotonic_ns());
    return RK_OK;
}

rk_status gpu_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec, rk_err *err)
{
    rk_exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to launch kernel '%s'", args->name);
    }
    (void)snprintf(exec->name, sizeof exec->name, "%s", args->name);
    exec->device = device;
    exec->code = args->code;
    exec->arena = gpu_block_of(args->arena);
    exec->mapped = gpu_block_of(args->mapped);
    exec->migrate_from = args->migrate_from != NULL ? gpu_block_of(args->migrate_from)->ptr : 0;
    exec->control = (rk_control *)exec->mapped->host;
    exec->grid = exec->control->block_count + (exec->control->poller != 0 ? 1u : 0u);
    exec->on_exit = args->on_exit;
    exec->context = args->context;
    launch_request request = {args, exec, err};
    rk_status status = gpu_call(device, launch_work, &request);
    if (status != RK_OK) {
        free(exec);
        return status;
    }
    *out_exec = exec;
    return RK_OK;
}

/* ---- Exit, as others see it ---------------------------------------------------------------- */

bool gpu_poll_exit(rk_exec *exec)
{
    return rk_word_load_acquire(&exec->left) != 0;
}

rk_status gpu_wait_exit(rk_exec *exec, uint64_t deadline_ns)
{
    rk_device *device = exec->device;
    if (gpu_poll_exit(exec)) {
        return RK_OK;
    }
    rk_mutex_lock(&device->lock);
    device->waiters++;
    rk_mutex_unlock(&device->lock);
    gpu_nudge(device);
    rk_status status = rk_wait_while_equal(&exec->left, 0, deadline_ns, 0);
    rk_mutex_lock(&device->lock);
    device->waiters--;
    rk_mutex_unlock(&device->lock);
    return status;
}

void gpu_release(rk_exec *exec)
{
    if (exec != NULL) {
        rk_device *device = exec->device;
        rk_mutex_lock(&device->lock); /* the driver thread has let go of it behind this */
        rk_mutex_unlock(&device->lock);
        free(exec);
    }
}
