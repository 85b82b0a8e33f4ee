/*
 * probe_kernel.c: a kernel that does a little of everything, for tests of the runtime.
 *
 * Each step adds one to every cell in its first phase, and copies cells to mirror in the second.
 * Routes
 * lead to other probes: a step sends its number there when `chatter` is set.
 */
#define RK_NAME probe
#define RK_SUMMARY "does a little of everything"
#define RK_PARAMS(P)                                                                               \
    P(u32, cells, "64", "", "number of cells")                                                     \
    P(u32, chatter, "0", "", "messages sent over each step to route 0")                            \
    P(u32, burst, "0", "", "messages of many lengths that each block sends in a step to route 0")
#define RK_FIELDS(F)                                                                               \
    F(u32, value, "cells", "", "state,output", "the cells")                                        \
    F(u32, mirror, "cells", "", "state,output", "the cells as the second phase saw them")          \
    F(u32, offset, "cells", "", "state,input", "what init starts from")                            \
    F(real, scale, "1", "", "state", "of the precision variant")                                   \
    F(u64, seen, "4", "", "state,output", "messages: count, bytes, last type, last sum")
#define RK_PHASES(X) X(add) X(copy)
#define RK_FEATURES(X) X(mirroring, "keep the mirror up to date")
#define RK_VARIANTS(X) X(f32, "single precision") X(f64, "double precision")
#define RK_MARKERS(X) X(adding, 0x3366cc) X(told, 0xcc3300) X(total, 0) X(between, 0x00aa00)
#define RK_SHARED_BYTES 256
#define RK_HAS_INIT 1
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#define RK_HAS_CHECK 1
#define RK_HAS_MIGRATE 1
#include <ringkernel/kernel.h>

RK_INIT
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G rk_u32 *offset = RK_FIELD(k, offset);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = offset[i];
    }
}

RK_PHASE(add)
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    rk_range_push(k, adding);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] += 1u;
    }
    rk_range_pop(k);
    rk_u8 buffer[700];
    for (rk_u32 i = 0; RK_LANE(k) == 0u && i < RK_PARAM(k, burst); i++) {
        rk_u32 length = (rk_u32)(k->step * 37u + k->block * 101u + i * 13u) % sizeof buffer;
        for (rk_u32 j = 0; j < length; j++) {
            buffer[j] = (rk_u8)length;
        }
        (void)rk_send(k, 0, 600, buffer, length);
    }
}

/* Copies the cells of the block behind this one, so that a missing barrier shows. */
RK_PHASE(copy)
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
    rk_counter(k, total, step);
    if (step % 2u == 1u) {
        rk_range_begin(k, between); /* over the next step */
    } else {
        rk_range_end(k, between);
    }
    for (rk_u32 i = 0; i < RK_PARAM(k, chatter); i++) {
        (void)rk_send(k, 0, 300, &step, sizeof step);
    }
}

RK_ON_MESSAGE
{
    rk_mark(k, told);
    RK_G rk_u64 *seen = RK_FIELD(k, seen);
    rk_u64 sum = 0;
    for (rk_u32 i = 0; i < message->length; i++) {
        sum += message->payload[i];
    }
    for (rk_u32 i = 0; message->type == 600u && i < message->length; i++) {
        if (message->payload[i] != (rk_u8)message->length) {
            rk_panic(k, 78u, "a message was damaged on its way");
        }
    }
    if (message->type == 610u) { /* offset and bytes in the pool: their sum, and the pool's size */
        RK_G const rk_u64 *range = (RK_G const rk_u64 *)message->payload;
        rk_u64 answer[2] = {0u, RK_POOL_BYTES(k)};
        for (rk_u64 i = 0u; i < range[1]; i++) {
            answer[0] += RK_POOL(k)[range[0] + i];
        }
        (void)rk_emit(k, 611, answer, sizeof answer);
    }
    if (message->type == 601u) {
        rk_panic(k, 79u, "poison");
    }
    seen[0] += 1u;
    seen[1] += message->length;
    seen[2] = message->type;
    seen[3] = sum;
    if (message->type == 400u) {
        (void)rk_emit(k, 401, &sum, sizeof sum);
    }
    if (message->type == 403u) {
        rk_u32 receipt = rk_emit_reply(k, message, 404, &sum, sizeof sum);
        if (receipt != RK_SENT) {
            (void)rk_emit(k, 405, &receipt, sizeof receipt);
        }
    }
}

/*
 * Operations: 1 sum of the data; 2 panic; 3 write to address 16; 4 emit arg bytes; 5 send data;
 * 6 publish an answer with an absurd length; 7 publish more answers than there is room; 8 never
 * return; 9 send poison.
 */
RK_ON_COMMAND
{
    rk_u8 buffer[2048];
    if (op == 1u) {
        for (rk_u32 i = 0; i < length; i++) {
            value[0] += data[i];
        }
        value[1] = length;
        return 0u;
    }
    if (op == 2u) {
        rk_panic(k, 77u, "told to");
    }
    if (op == 3u) {
        volatile RK_G rk_u32 *wild = (volatile RK_G rk_u32 *)(rk_u64)(length + 16u);
        *wild = 1u;
    }
    if (op == 4u) {
        rk_u32 bytes = *(RK_G const rk_u32 *)data;
        for (rk_u32 i = 0; i < sizeof buffer; i++) {
            buffer[i] = (rk_u8)i;
        }
        value[0] = rk_emit(k, 402, buffer, bytes);
        return 0u;
    }
    if (op == 5u) {
        rk_u32 bytes = *(RK_G const rk_u32 *)data;
        for (rk_u32 i = 0; i < sizeof buffer; i++) {
            buffer[i] = 1u;
        }
        value[0] = rk_send(k, 0, 500, buffer, bytes);
        return 0u;
    }
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->k2h);
    if (op == 6u) {
        RK_G rk_slot *slot = rk_ring_slot(ring, ring->tail);
        slot->header.type = 777u;
        slot->header.length = 0xfffffff0u;
        k->loop->k2h_tail++;
        rk_store_release(&ring->tail, ring->tail + 1u);
        return 0u;
    }
    if (op == 7u) {
        k->loop->k2h_tail += ring->capacity * 3u;
        rk_store_release(&ring->tail, ring->tail + ring->capacity * 3u);
        return 0u;
    }
    while (op == 8u) {
        rk_relax();
    }
    if (op == 9u) {
        value[0] = rk_send(k, 0, 601, buffer, 8u);
        return 0u;
    }
    return 9u;
}

RK_CHECK
{
    RK_G rk_u32 *value = RK_FIELD(k, value);
    return value[0] == RK_FIELD(k, offset)[0] + (rk_u32)k->step ? 0u : 5u;
}

/* Takes the cells over, ten times as large; refuses cells that start at 13. */
RK_MIGRATE
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *value = RK_FIELD(k, value);
    RK_G const rk_u32 *old = (RK_G const rk_u32 *)(old_arena + old_offsets[0]);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = old[i] * 10u;
    }
    return old[0] == 13u || old_hash == 0u ? 4u : 0u;
}
