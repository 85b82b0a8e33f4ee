/*
 * safepoint.h: what happens between two steps: commands and messages are taken, and it is decided
 * what all blocks do next. Part of loop.h, whose invariants hold here.
 */
#ifndef RINGKERNEL_KERNEL_SAFEPOINT_H
#define RINGKERNEL_KERNEL_SAFEPOINT_H

#include <ringkernel/kernel/commands.h>

RK_FN rk_u32 rk_commands_take(rk_ctx *k, rk_u32 *leave)
{
    RK_G rk_loop *loop = k->loop;
    RK_G rk_slot *first = (RK_G rk_slot *)(k->mapped + loop->h2k_first);
    rk_u32 tail = rk_host_tail(k);
    rk_u32 taken = 0u;
    while (loop->h2k_head != tail && taken < k->control->message_batch && *leave == 0u) {
        RK_G rk_slot *slot = &first[loop->h2k_head & (loop->h2k_slots - 1u)];
        rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_MARK, RK_TRACE_NAME_COMMAND,
                      slot->header.type);
        *leave = rk_command_apply(k, slot);
        loop->h2k_head++;
        taken++;
        rk_store_release(&((RK_G rk_ring *)(k->mapped + k->control->h2k))->head, loop->h2k_head);
    }
    return taken;
}

RK_FN rk_u32 rk_inbox_take(rk_ctx *k)
{
    RK_G rk_ring *ring = rk_inbox(k);
    RK_G rk_slot *slot;
    rk_u32 slots;
    rk_u32 taken = 0u;
    while (taken < k->control->message_batch && rk_inbox_peek(ring, &slot, &slots) != 0u) {
        if (slot->header.type != RK_ANSWER_SKIP) {
            k->loop->counters.k2k_received++;
            k->loop->delivering = slots;
            rk_message_deliver(k, slot, slot->payload);
            k->loop->delivering = 0u;
            taken++;
        }
        rk_inbox_release(ring, slots);
    }
    return taken;
}

RK_FN rk_u32 rk_work_waits(rk_ctx *k)
{
    RK_G rk_ring *inbox = rk_inbox(k);
    return rk_host_tail(k) != k->loop->h2k_head ||
           (k->loop->paused == 0u &&
            rk_load_acquire(rk_ring_sequence(inbox, inbox->head)) == inbox->head + 1u) ||
           rk_host_abort(k) != k->loop->abort_seen || rk_probe_waits(k) != 0u;
}

/*
 * Waits until there may be work: polls, then sleeps on the bell where the target can sleep. Returns
 * 1 when the lease is over instead.
 */
RK_FN rk_u32 rk_idle_wait(rk_ctx *k)
{
    rk_u32 over = 0u;
    rk_u64 start = rk_now_ns(k);
    k->loop->counters.busy_ns += start - k->loop->busy_since;
    rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_BEGIN, RK_TRACE_NAME_IDLE, 0u);
    if (k->control->lease_polls != 0u) {
        rk_u32 left = k->control->lease_polls;
        while (rk_work_waits(k) == 0u && over == 0u) {
            rk_relax();
            over = --left == 0u ? 1u : 0u;
        }
    } else {
#if defined(RK_TARGET_CPU)
        k->env->idle(k, rk_work_waits);
#else
        while (rk_work_waits(k) == 0u) {
            rk_relax();
        }
#endif
    }
    rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_END, RK_TRACE_NAME_IDLE, 0u);
    rk_u64 now = rk_now_ns(k);
    k->loop->counters.idle_ns += now - start;
    k->loop->busy_since = now;
    return over;
}

/* All blocks leave. */
RK_FN void rk_loop_leave(rk_ctx *k)
{
    rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_END, RK_TRACE_NAME_RESIDENT, 0u);
    k->loop->op = RK_OP_EXIT;
}

/* The same when the lease is over: the next launch goes on where this one stopped. */
RK_COLD void rk_lease_end(rk_ctx *k)
{
    k->loop->lease_left = k->control->lease_steps;
    k->control->entry = RK_ENTRY_RESUME;
    rk_store_release(&k->words->leased, 1u);
    k->loop->trace = k->loop->trace_mask; /* as at a launch */
    rk_loop_leave(k);
}

/* The safe point: ends the step, takes commands and messages, decides what all blocks do next. */
RK_FN void rk_decide(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    rk_trace_decide(k);
    if (loop->op == RK_OP_STEP) {
        rk_trace_note(k, RK_TRACE_STEP, RK_TRACE_KIND_END, RK_TRACE_NAME_STEP, 0u);
        rk_step_done(k);
    }
    rk_trace_between(k);
    rk_u32 leave = 0u;
    while (rk_load_relaxed(&loop->failed) == 0u) { /* on a GPU a handler that panics returns here */
        rk_store64(&k->words->heartbeat, ++loop->heartbeat);
        rk_probe_answer(k);
        rk_u64 abort_before = rk_host_abort(k);
        if (abort_before != loop->abort_seen) {
            loop->abort_seen = abort_before;
            rk_runs_abort(k, abort_before);
        }
        rk_u32 taken = rk_commands_take(k, &leave);
        if (leave != 0u) {
            rk_loop_leave(k);
            return;
        }
        if (loop->paused == 0u) {
            taken += rk_inbox_take(k);
        }
        rk_state_publish(k);
        if (loop->paused == 0u && loop->run_count != 0u && rk_run_at(k, 0u)->target <= loop->step) {
            rk_run_finish(k, RK_KERNEL_OK); /* a run of no steps */
            continue;
        }
        if (loop->paused == 0u && (loop->run_count != 0u || loop->asked > loop->step)) {
            if (k->control->lease_steps != 0u && loop->lease_left-- == 0u) {
                rk_lease_end(k);
            } else {
                loop->op = RK_OP_STEP;
                rk_trace_step_begin(k);
            }
            return;
        }
        if (taken == 0u && rk_idle_wait(k) != 0u) {
            rk_lease_end(k);
            return;
        }
    }
}

#endif
