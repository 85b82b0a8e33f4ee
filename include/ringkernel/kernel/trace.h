/*
 * trace.h: the kernel's own timeline: what it does and when, written into the ring of abi/trace.h
 * for the host to read. Off, it costs one branch on a word that the lane holds anyway.
 *
 * Markers of your own are declared and used like this:
 *
 *     #define RK_MARKERS(X) X(collide, 0xcc3300) X(pairs, 0x3366cc)
 *
 *     rk_range_push(k, collide);       a span; spans nest
 *     rk_mark(k, collide);             an instant
 *     rk_counter(k, pairs, count);     a number that holds from now on
 *     rk_range_pop(k);
 *     rk_range_begin(k, collide);      a range may overlap spans and end in a later step
 *     rk_range_end(k, collide);
 *
 * Who is heard: in one-lane handlers that lane; in phases, init and migrate the first lane of block
 * 0, as one block stands for all (the others pass by at the cost of the branch). A span that is not
 * popped ends with the one around it; a pop without a push is counted and left out. Nothing here
 * changes what a kernel computes, so a replay with tracing gives the same state.
 */
#ifndef RINGKERNEL_KERNEL_TRACE_H
#define RINGKERNEL_KERNEL_TRACE_H

#include <ringkernel/abi/trace.h>
#include <ringkernel/kernel/clock.h>

/*
 * Adds a record. One lane at a time: the barrier orders block 0 in its phases and the block that
 * decides at the safe point. Order of the stores: abi/trace.h.
 */
RK_COLD void rk_trace_put(rk_ctx *k, rk_u32 kind, rk_u32 name, rk_u64 value)
{
    RK_G rk_loop *loop = k->loop;
    rk_u64 number = loop->trace_written;
    RK_G rk_u8 *first = k->mapped + loop->trace_first;
    RK_G rk_u64 *words =
        (RK_G rk_u64 *)(first + (number & (loop->trace_slots - 1u)) * sizeof(rk_trace_record));
    rk_store64(&words[0], rk_ticks(k));
    rk_store64(&words[1], (rk_u64)kind | (rk_u64)name << 32); /* all targets are little-endian */
    rk_store64(&words[2], k->step);
    rk_store64(&words[3], value);
    loop->trace_written = number + 1u;
    rk_fence_release();
    rk_store64(&((RK_G rk_trace_ring *)(first - sizeof(rk_trace_ring)))->written, number + 1u);
}

/* The same if `source` (RK_TRACE_*) is written down now, by this lane. */
RK_FN void rk_trace_note(rk_ctx *k, rk_u32 source, rk_u32 kind, rk_u32 name, rk_u64 value)
{
    if (RK_RARE((k->trace & source) != 0u)) {
        rk_trace_put(k, kind, name, value);
    }
}

/* What this lane writes down between two barriers: only one lane does. */
RK_FN void rk_trace_turn(rk_ctx *k)
{
    k->trace = k->block == 0u && RK_LANE(k) == 0u ? k->loop->trace : 0u;
}

/* The lane that decides at a safe point writes for the step that has ended, */
RK_FN void rk_trace_decide(rk_ctx *k)
{
    k->trace = k->loop->trace;
}

/* and then for what happens between two steps. */
RK_FN void rk_trace_between(rk_ctx *k)
{
    k->trace = k->loop->trace_mask;
}

RK_COLD void rk_trace_step_choose(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    rk_u32 chosen = loop->trace_every <= 1u || loop->step % loop->trace_every == 0u;
    loop->trace = chosen != 0u ? loop->trace_mask : loop->trace_mask & RK_TRACE_KERNEL;
    k->trace = loop->trace;
    rk_trace_note(k, RK_TRACE_STEP, RK_TRACE_KIND_BEGIN, RK_TRACE_NAME_STEP, 0u);
}

/* A step begins: decides whether it is written down. */
RK_FN void rk_trace_step_begin(rk_ctx *k)
{
    if (RK_RARE(k->loop->trace_mask != 0u)) {
        rk_trace_step_choose(k);
    }
}

/* The TRACE command: arg is a mask, and every n-th step in the upper half. */
RK_COLD void rk_trace_switch(rk_ctx *k, rk_u64 arg)
{
    RK_G rk_loop *loop = k->loop;
    rk_u32 before = loop->trace_mask & RK_TRACE_KERNEL;
    rk_u32 mask = loop->trace_slots != 0u ? (rk_u32)arg & RK_TRACE_ALL : 0u;
    rk_u32 after = mask & RK_TRACE_KERNEL;
    if (before != after) { /* it has been on the device before, and will be behind */
        rk_trace_put(k, after != 0u ? RK_TRACE_KIND_BEGIN : RK_TRACE_KIND_END,
                     RK_TRACE_NAME_RESIDENT, k->control->launch);
    }
    loop->trace_mask = mask;
    loop->trace_every = (rk_u32)(arg >> 32);
    loop->trace = 0u; /* the next step chooses */
    k->trace = mask;
}

#define RK_TRACE_USER_NOTE(k, kind, name, value)                                                   \
    rk_trace_note((k), RK_TRACE_USER, RK_TRACE_KIND_##kind,                                        \
                  RK_TRACE_NAME_MARKER + (rk_u32)RK_MARKER_INDEX_##name, (value))
#define rk_mark(k, name) RK_TRACE_USER_NOTE(k, MARK, name, 0u)
#define rk_counter(k, name, value) RK_TRACE_USER_NOTE(k, COUNTER, name, (rk_u64)(value))
#define rk_range_push(k, name) RK_TRACE_USER_NOTE(k, BEGIN, name, 0u)
#define rk_range_pop(k) rk_trace_note((k), RK_TRACE_USER, RK_TRACE_KIND_END, RK_TRACE_NAME_POP, 0u)
#define rk_range_begin(k, name) RK_TRACE_USER_NOTE(k, RANGE_BEGIN, name, 0u)
#define rk_range_end(k, name) RK_TRACE_USER_NOTE(k, RANGE_END, name, 0u)

#endif
