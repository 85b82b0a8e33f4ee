/*
 * safepoint.h: what happens between two steps: commands and messages are taken, and it is decided
 * what all blocks do next. Part of loop.h, whose invariants hold here.
 */
#ifndef RINGKERNEL_KERNEL_SAFEPOINT_H
#define RINGKERNEL_KERNEL_SAFEPOINT_H

#include <ringkernel/kernel/commands.h>

RK_FN rk_u32 rk_commands_take(rk_ctx *k, rk_u32 *leave)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    rk_u32 head = ring->head;
    rk_u32 tail = rk_load_acquire(&ring->tail); /* pairs with the host's release of tail */
    rk_u32 taken = 0u;
    while (head != tail && taken < k->control->message_batch && *leave == 0u) {
        *leave = rk_command_apply(k, rk_ring_slot(ring, head));
        head++;
        taken++;
        rk_store_release(&ring->head, head);
    }
    return taken;
}

RK_FN rk_u32 rk_inbox_take(rk_ctx *k)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->inbox);
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
    RK_G rk_ring *h2k = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    RK_G rk_ring *inbox = (RK_G rk_ring *)(k->mapped + k->control->inbox);
    return rk_load_acquire(&h2k->tail) != h2k->head ||
           (k->loop->paused == 0u &&
            rk_load_acquire(rk_ring_sequence(inbox, inbox->head)) == inbox->head + 1u) ||
           rk_load64(&k->control->abort_before) != k->loop->abort_seen;
}

/* Waits until there may be work: polls, then sleeps on the bell where the target can sleep. */
RK_FN void rk_idle_wait(rk_ctx *k)
{
#if defined(RK_TARGET_CPU)
    rk_u64 start = k->env->now_ns();
    k->loop->counters.busy_ns += start - k->loop->busy_since;
    k->env->idle(k, rk_work_waits);
    rk_u64 now = k->env->now_ns();
    k->loop->counters.idle_ns += now - start;
    k->loop->busy_since = now;
#else
    while (rk_work_waits(k) == 0u) {
        rk_relax();
    }
#endif
}

/* The safe point: ends the step, takes commands and messages, decides what all blocks do next. */
RK_FN void rk_decide(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    if (loop->op == RK_OP_STEP) {
        rk_step_done(k);
    }
    rk_u32 leave = 0u;
    for (;;) {
        rk_store64(&k->control->heartbeat, rk_load64(&k->control->heartbeat) + 1u);
        rk_u64 abort_before = rk_load64(&k->control->abort_before);
        if (abort_before != loop->abort_seen) {
            loop->abort_seen = abort_before;
            rk_runs_abort(k, abort_before);
        }
        rk_u32 taken = rk_commands_take(k, &leave);
        if (leave != 0u) {
            loop->op = RK_OP_EXIT;
            return;
        }
        if (loop->paused == 0u) {
            taken += rk_inbox_take(k);
        }
        rk_state_publish(k);
        if (loop->paused == 0u && loop->run_count != 0u) {
            if (rk_run_at(k, 0u)->target > loop->step) {
                loop->op = RK_OP_STEP;
                return;
            }
            rk_run_finish(k, RK_KERNEL_OK); /* a run of no steps */
            continue;
        }
        if (taken == 0u) {
            rk_idle_wait(k);
        }
    }
}

#endif
