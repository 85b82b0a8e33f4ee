/*
 * copy.c: copies and fills: which memory takes part, and what a call waits for.
 */
#include "drivers/test/work.h"
#include <stdlib.h>
#include <string.h>

static rk_sim_result submit(rk_sim_stream *stream, const rk_sim_op *op, const char *waits)
{
    rk_sim_result result = RK_SIM_OK;
    if (waits != NULL || stream->is_default) {
        result = rk_sim_stream_behind_kernel(stream,
                                             waits != NULL ? waits : "work on the default stream");
    }
    if (result == RK_SIM_OK) {
        result = rk_sim_stream_wait_blocking(stream);
    }
    if (result == RK_SIM_OK) {
        result = rk_sim_enqueue(stream, op);
    }
    if (result == RK_SIM_OK && waits != NULL) {
        result = rk_sim_stream_wait(stream);
    }
    return result;
}

static rk_sim_result host_side(uint64_t address, uint64_t bytes, bool *out_pinned)
{
    uint64_t start;
    uint64_t length;
    uint8_t *real = NULL;
    *out_pinned = rk_sim_memory_pinned((const void *)(uintptr_t)address, bytes, NULL);
    bool on_device = !*out_pinned && rk_sim_memory_range(address, &start, &length) &&
                     rk_sim_memory_real(NULL, address, bytes, &real) == RK_SIM_OK;
    return on_device ? RK_SIM_INVALID : RK_SIM_OK;
}

rk_sim_result rk_sim_copy(rk_sim_stream *stream, uint64_t to, rk_sim_side to_side, uint64_t from,
                          rk_sim_side from_side, uint64_t bytes, const char *waits)
{
    rk_sim_device *device = stream->object.device;
    rk_sim_result result = rk_sim_health(device);
    if (result == RK_SIM_OK && rk_sim_count_copy()) {
        (void)rk_sim_inject(device, "lost");
        result = RK_SIM_LOST;
    }
    if (result != RK_SIM_OK || bytes == 0) {
        return result;
    }
    uint8_t *real_to = (uint8_t *)(uintptr_t)to;
    uint8_t *real_from = (uint8_t *)(uintptr_t)from;
    bool to_pinned = true;
    bool from_pinned = true;
    result = to_side == RK_SIM_ON_DEVICE ? rk_sim_memory_real(device, to, bytes, &real_to)
                                         : host_side(to, bytes, &to_pinned);
    if (result == RK_SIM_OK) {
        result = from_side == RK_SIM_ON_DEVICE ? rk_sim_memory_real(device, from, bytes, &real_from)
                                               : host_side(from, bytes, &from_pinned);
    }
    if (result != RK_SIM_OK) {
        return RK_SIM_INVALID;
    }
    rk_sim_op op = {.kind = RK_SIM_OP_COPY, .to = real_to, .from = real_from, .bytes = bytes};
    if (!from_pinned && waits == NULL) { /* pageable memory is read before the call returns */
        op.owned = malloc(bytes);
        if (op.owned == NULL) {
            return RK_SIM_NO_MEMORY;
        }
        memcpy(op.owned, real_from, bytes);
        op.from = op.owned;
    }
    if (!to_pinned && waits == NULL) {
        waits = "an asynchronous copy to memory that is not page-locked";
    }
    result = submit(stream, &op, waits);
    if (result != RK_SIM_OK && op.owned != NULL) {
        free(op.owned);
    }
    return result;
}

rk_sim_result rk_sim_fill(rk_sim_stream *stream, uint64_t to, uint8_t value, uint64_t bytes,
                          const char *waits)
{
    uint8_t *real = NULL;
    rk_sim_result result = rk_sim_health(stream->object.device);
    if (result != RK_SIM_OK || bytes == 0) {
        return result;
    }
    if (rk_sim_memory_real(stream->object.device, to, bytes, &real) != RK_SIM_OK) {
        return RK_SIM_INVALID;
    }
    rk_sim_op op = {.kind = RK_SIM_OP_FILL, .to = real, .value = value, .bytes = bytes};
    return submit(stream, &op, waits);
}
