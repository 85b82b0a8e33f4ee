/*
 * copy.c: copies between arenas and the host, and the routes between kernels.
 *
 * Copies go through pinned staging memory on a stream of their own, so they run beside resident
 * kernels. While one is resident zeros are copied instead of set: setting memory is a kernel of the
 * library's own, for which a full device has no room.
 */
#include "base/clock.h"
#include "drivers/gpu/gpu.h"
#include <string.h>
#include <time.h>

#define POLL_NS 50000u
#define PAUSE_NS 20000
#define PATIENCE_NS (30 * (uint64_t)RK_NS_PER_S)

/* Waits until what was put on the copy stream is done. */
static gpu_result copies_wait(rk_device *device)
{
    uint64_t start_ns = rk_clock_monotonic_ns();
    for (;;) {
        gpu_result result = device->api->stream_query(device->copy_stream);
        if (result != GPU_NOT_READY) {
            return result;
        }
        uint64_t waited_ns = rk_clock_monotonic_ns() - start_ns;
        if (waited_ns > PATIENCE_NS) {
            return GPU_NOT_READY;
        }
        if (waited_ns > POLL_NS) {
            const struct timespec pause = {.tv_nsec = PAUSE_NS};
            (void)nanosleep(&pause, NULL);
        } else {
            rk_cpu_relax();
        }
    }
}

static rk_status copy_status(rk_device *device, gpu_result result)
{
    if (result == 0) {
        return RK_OK;
    }
    if (result == GPU_NOT_READY) {
        /* Whenever it ends, it writes to the staging memory: nothing can be copied any more. */
        gpu_lose(device, GPU_TIMED_OUT);
        return RK_DEVICE;
    }
    return gpu_fail(device, result, NULL, "copying");
}

static gpu_result copy_piece(rk_device *device, gpu_ptr at, uint8_t *to, const uint8_t *from,
                             uint64_t bytes)
{
    const gpu_api *api = device->api;
    gpu_result result;
    if (to != NULL) {
        result = api->copy_out(device->staging, at, bytes, device->copy_stream);
    } else {
        if (from != NULL) {
            memcpy(device->staging, from, bytes);
        }
        result = api->copy_in(at, device->staging, bytes, device->copy_stream);
    }
    if (result == 0) {
        result = copies_wait(device);
    }
    if (result == 0 && to != NULL) {
        memcpy(to, device->staging, bytes);
    }
    return result;
}

rk_status gpu_copy_now(rk_device *device, const gpu_block *block, uint64_t offset, void *to,
                       const void *from, uint64_t bytes)
{
    if (gpu_is_lost(device)) {
        return RK_DEVICE;
    }
    if (to == NULL && from == NULL) {
        if (device->residents == NULL) {
            gpu_result result =
                device->api->memory_set(block->ptr + offset, 0, bytes, device->copy_stream);
            return copy_status(device, result == 0 ? copies_wait(device) : result);
        }
        memset(device->staging, 0, RK_MIN(bytes, GPU_STAGING_BYTES));
    }
    for (uint64_t done = 0; done < bytes;) {
        uint64_t piece = RK_MIN(bytes - done, GPU_STAGING_BYTES);
        gpu_result result =
            copy_piece(device, block->ptr + offset + done, to != NULL ? (uint8_t *)to + done : NULL,
                       from != NULL ? (const uint8_t *)from + done : NULL, piece);
        if (result != 0) {
            return copy_status(device, result);
        }
        done += piece;
    }
    return RK_OK;
}

/* ---- Operations ---------------------------------------------------------------------------- */

typedef struct copy_request {
    const gpu_block *block;
    uint64_t offset;
    void *to;
    const void *from;
    uint64_t bytes;
} copy_request;

static rk_status copy_work(rk_device *device, void *context)
{
    const copy_request *request = context;
    return gpu_copy_now(device, request->block, request->offset, request->to, request->from,
                        request->bytes);
}

/* Long copies are requests of one staging memory each: between them other requests get a turn. */
static rk_status copy(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                      const void *from, uint64_t bytes)
{
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    const gpu_block *block = gpu_block_of(mem);
    bool zero = to == NULL && from == NULL;
    if (block->host != NULL) {
        if (to != NULL) {
            memcpy(to, block->host + offset, bytes);
        } else if (from != NULL) {
            memcpy(block->host + offset, from, bytes);
        } else {
            memset(block->host + offset, 0, bytes);
        }
        return RK_OK;
    }
    rk_status status = RK_OK;
    for (uint64_t done = 0; done < bytes && status == RK_OK;) {
        uint64_t piece = zero ? bytes : RK_MIN(bytes - done, GPU_STAGING_BYTES);
        copy_request request = {
            .block = block,
            .offset = offset + done,
            .to = to != NULL ? (uint8_t *)to + done : NULL,
            .from = from != NULL ? (const uint8_t *)from + done : NULL,
            .bytes = piece,
        };
        status = gpu_call(device, copy_work, &request);
        done += piece;
    }
    return status;
}

/* A copy of no bytes must not look like a request for zeros. */
rk_status gpu_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to, uint64_t bytes)
{
    return bytes == 0 && offset <= mem->bytes ? RK_OK : copy(device, mem, offset, to, NULL, bytes);
}

rk_status gpu_write(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                    uint64_t bytes)
{
    return bytes == 0 && offset <= mem->bytes ? RK_OK
                                              : copy(device, mem, offset, NULL, from, bytes);
}

rk_status gpu_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes)
{
    return copy(device, mem, offset, NULL, NULL, bytes);
}

/* ---- Routes -------------------------------------------------------------------------------- */

typedef struct connect_request {
    const rk_exec *from;
    const rk_exec *to;
    uint32_t route;
} connect_request;

/*
 * Points a route of one kernel at another. The kernel may be sending on it: it is closed while its
 * words change, and one that is right already is left alone. The counts behind the words are the
 * kernel's.
 */
static rk_status connect_work(rk_device *device, void *context)
{
    const connect_request *request = context;
    const gpu_block *arena = request->from->arena;
    const rk_control *there = request->to->control;
    uint64_t at = request->from->control->routes + request->route * sizeof(rk_route);
    rk_route entry;
    const rk_u32 open = 1;
    const rk_u32 closed = 0;
    rk_status status = gpu_copy_now(device, arena, at, &entry, NULL, sizeof entry);
    gpu_ptr peer = request->to->arena->ptr + there->peer;
    if (device->api->test_address != NULL) {
        peer = device->api->test_address(peer);
    }
    if (status != RK_OK ||
        (entry.state == 1 && entry.peer == peer && entry.kernel_id == there->kernel_id)) {
        return status;
    }
    uint64_t state_at = at + offsetof(rk_route, state);
    status = gpu_copy_now(device, arena, state_at, NULL, &closed, sizeof closed);
    entry.peer = peer;
    entry.kernel_id = there->kernel_id;
    entry.tenant = there->tenant;
    entry.generation++;
    if (status == RK_OK) {
        status = gpu_copy_now(device, arena, at, NULL, &entry, offsetof(rk_route, state));
    }
    if (status == RK_OK) {
        status = gpu_copy_now(device, arena, state_at, NULL, &open, sizeof open);
    }
    return status;
}

rk_status gpu_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err)
{
    rk_device *device = from->device;
    if (route >= from->control->route_count) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s' has %u routes, route %u does not exist",
                          from->name, from->control->route_count, route);
    }
    if (to->device != device) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "kernel '%s' on %s cannot send to '%s' on %s by itself: they are on "
                          "different devices",
                          from->name, device->caps.name, to->name, to->device->caps.name);
    }
    connect_request request = {from, to, route};
    rk_status status = gpu_call(device, connect_work, &request);
    return status == RK_OK ? RK_OK
                           : rk_err_set(err, status, "cannot set route %u of kernel '%s': %s",
                                        route, from->name, rk_status_text(status));
}
