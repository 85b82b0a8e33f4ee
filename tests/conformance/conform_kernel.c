/*
 * conform_kernel.c: the kernel of the conformance suite: every handler, every kind of message, and
 * results that the host can predict.
 *
 * A step adds one to every cell, and, with the feature, copies the cells in reverse, so that a
 * missing barrier between the phases shows.
 */
#define RK_NAME conform
#define RK_SUMMARY "does what the conformance suite can predict"
#define RK_PARAMS(P)                                                                               \
    P(u32, cells, "64", "", "number of cells")                                                     \
    P(u32, chatter, "0", "", "messages to route 0 in each step")                                   \
    P(u32, fail_in_init, "0", "", "1: init panics")
#define RK_FIELDS(F)                                                                               \
    F(u32, value, "cells", "", "state,output", "the cells")                                        \
    F(u32, mirror, "cells", "", "state,output", "the cells in reverse, as the second phase saw")   \
    F(u32, base, "cells", "", "state,input", "what init starts from")                              \
    F(u64, seen, "4", "", "state,output", "messages: count, bytes, sum of bytes, of other kernels")
#define RK_PHASES(X) X(add) X(reverse)
#define RK_FEATURES(X) X(mirroring, "keep the mirror up to date")
#define RK_SHARED_BYTES 256
#define RK_HAS_INIT 1
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#define RK_HAS_CHECK 1
#define RK_HAS_MIGRATE 1
#include <ringkernel/kernel.h>

/* Message types. */
#define CONFORM_COUNT 300u /* counted, nothing else */
#define CONFORM_ECHO 301u  /* comes back */
#define CONFORM_PASS 302u  /* goes on over route 0 */

/* Custom operations. */
#define CONFORM_SUM 1u   /* sum of the cells, sum and length of the data */
#define CONFORM_EMIT 2u  /* data: u32 count, u32 bytes; answers how many were sent */
#define CONFORM_PANIC 3u /* data: u32 code */
#define CONFORM_FAIL 4u  /* returns the code in data */
#define CONFORM_SEND 5u  /* data: u32 count, u32 bytes; over route 0; answers sent, first refusal */

#define CONFORM_POOL                                                                               \
    6u /* data: u32 offset, u32 bytes: their sum, and the pool's size; adds one to each */

#define CONFORM_BYTES_MAX 1200u

RK_INIT
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G rk_u32 *base = RK_FIELD(k, base);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = base[i];
    }
    if (RK_PARAM(k, fail_in_init) != 0u && k->block == 0u && RK_LANE(k) == 0u) {
        rk_panic(k, 41u, "told to fail in init");
    }
}

RK_PHASE(add)
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] += 1u;
    }
}

RK_PHASE(reverse)
{
    rk_u64 lo;
    rk_u64 hi;
    rk_u32 cells = RK_PARAM(k, cells);
    rk_block_range(k, cells, &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G rk_u32 *mirror = RK_FIELD(k, mirror);
    if (RK_FEATURE(k, mirroring) == 0u) {
        return;
    }
    RK_FOR_LANES(k, i, lo, hi)
    {
        mirror[i] = value[cells - 1u - i];
    }
}

RK_AFTER_STEP
{
    rk_u64 step = k->step;
    for (rk_u32 i = 0u; i < RK_PARAM(k, chatter); i++) {
        (void)rk_send(k, 0u, CONFORM_COUNT, &step, sizeof(step));
    }
}

RK_ON_MESSAGE
{
    RK_G rk_u64 *seen = RK_FIELD(k, seen);
    rk_u64 sum = 0u;
    for (rk_u32 i = 0u; i < message->length; i++) {
        sum += message->payload[i];
    }
    seen[0] += 1u;
    seen[1] += message->length;
    seen[2] += sum;
    seen[3] += message->source != 0u ? 1u : 0u;
    if (message->type == CONFORM_ECHO) {
        (void)rk_emit(k, CONFORM_ECHO, message->payload, message->length);
    }
    if (message->type == CONFORM_PASS) {
        (void)rk_send(k, 0u, CONFORM_ECHO, message->payload, message->length);
    }
}

RK_FN rk_u32 conform_u32(RK_G const rk_u8 *data, rk_u32 at)
{
    return (rk_u32)data[at] | (rk_u32)data[at + 1u] << 8 | (rk_u32)data[at + 2u] << 16 |
           (rk_u32)data[at + 3u] << 24;
}

/* Messages of `bytes` bytes, each byte the number of its message. */
RK_COLD void conform_produce(rk_ctx *k, rk_u64 op, rk_u32 count, rk_u32 bytes, rk_u64 *value)
{
    rk_u8 buffer[CONFORM_BYTES_MAX];
    for (rk_u32 i = 0u; i < count; i++) {
        for (rk_u32 j = 0u; j < bytes; j++) {
            buffer[j] = (rk_u8)i;
        }
        rk_u32 receipt = op == CONFORM_EMIT ? rk_emit(k, 400u, buffer, bytes)
                                            : rk_send(k, 0u, CONFORM_COUNT, buffer, bytes);
        if (receipt != RK_SENT) {
            value[1] = receipt;
            return;
        }
        value[0] += 1u;
    }
}

RK_ON_COMMAND
{
    if (op == CONFORM_SUM) {
        RK_G rk_u32 *cells = RK_FIELD(k, value);
        for (rk_u32 i = 0u; i < RK_PARAM(k, cells); i++) {
            value[0] += cells[i];
        }
        for (rk_u32 i = 0u; i < length; i++) {
            value[1] += data[i];
        }
        value[2] = length;
        return 0u;
    }
    if ((op == CONFORM_EMIT || op == CONFORM_SEND) && length >= 8u &&
        conform_u32(data, 4u) <= CONFORM_BYTES_MAX) {
        conform_produce(k, op, conform_u32(data, 0u), conform_u32(data, 4u), value);
        return 0u;
    }
    if (op == CONFORM_POOL && length >= 8u) {
        rk_u64 at = conform_u32(data, 0u);
        rk_u64 bytes = conform_u32(data, 4u);
        value[1] = RK_POOL_BYTES(k);
        if (at > RK_POOL_BYTES(k) || bytes > RK_POOL_BYTES(k) - at) {
            return 98u;
        }
        for (rk_u64 i = at; i < at + bytes; i++) {
            value[0] += RK_POOL(k)[i];
            RK_POOL(k)[i] += 1u;
        }
        return 0u;
    }
    if (op == CONFORM_PANIC && length >= 4u) {
        rk_panic(k, conform_u32(data, 0u), "told to panic");
        return 0u;
    }
    return op == CONFORM_FAIL && length >= 4u ? conform_u32(data, 0u) : 99u;
}

/* The two fields agree wherever the mirror has been kept. */
RK_CHECK
{
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G rk_u32 *mirror = RK_FIELD(k, mirror);
    rk_u32 cells = RK_PARAM(k, cells);
    for (rk_u32 i = 0u; i < cells; i++) {
        if (mirror[i] != value[cells - 1u - i]) {
            return 5u;
        }
    }
    return 0u;
}

/* Takes the cells over and adds a thousand, so that it can be told apart. */
RK_MIGRATE
{
    rk_u64 lo;
    rk_u64 hi;
    (void)old_hash;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G const rk_u32 *old = (RK_G const rk_u32 *)(old_arena + old_offsets[RK_FIELD_INDEX_value]);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = old[i] + 1000u;
    }
    return 0u;
}
