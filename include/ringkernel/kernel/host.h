/*
 * host.h: what the host tells a kernel while it runs (tail of the H2K ring, abort word, probe), and
 * the poller block. Part of loop.h.
 *
 * A kernel reads these words in the mapped page, which on a GPU lies behind the bus. With
 * control->poller one more block does nothing but look there and copy what it sees into the arena:
 * the other blocks cross the bus only to read a command and to answer it. It answers the host's
 * probes as well: a proof that the device is alive, and a pair of clock readings. Without a poller
 * the block that decides looks for itself.
 */
#ifndef RINGKERNEL_KERNEL_HOST_H
#define RINGKERNEL_KERNEL_HOST_H

#include <ringkernel/kernel/inbox.h>

/* Up to where the host has filled the H2K ring. */
RK_FN rk_u32 rk_host_tail(rk_ctx *k)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    /* Pairs with the host's release of tail, by way of the poller's release where there is one. */
    return rk_load_acquire(k->control->poller != 0u ? &k->loop->seen_tail : &ring->tail);
}

/* Runs with a lower command id are aborted. */
RK_FN rk_u64 rk_host_abort(rk_ctx *k)
{
    return rk_load64(k->control->poller != 0u ? &k->loop->seen_abort : &k->words->abort_before);
}

/* Whether a probe waits for an answer, where no poller gives it. */
RK_FN rk_u32 rk_probe_waits(rk_ctx *k)
{
    return k->control->poller == 0u && rk_load64(&k->words->probe) != k->loop->probe_seen ? 1u : 0u;
}

RK_FN void rk_probe_answer_as(rk_ctx *k, rk_u64 probe)
{
    k->loop->probe_seen = probe;
    rk_store64(&k->words->probe_ticks, rk_ticks(k));
    rk_fence(); /* the ticks before the answer */
    rk_store64(&k->words->probe_seen, probe);
}

RK_FN void rk_probe_answer(rk_ctx *k)
{
    if (rk_probe_waits(k) != 0u) {
        rk_probe_answer_as(k, rk_load64(&k->words->probe));
    }
}

/* ---- The poller ---------------------------------------------------------------------------- */

RK_FN rk_u32 rk_poller_ready(rk_ctx *k)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    return rk_load_acquire(&k->loop->poller_leave) != 0u ||
           rk_load_acquire(&ring->tail) != rk_load_relaxed(&k->loop->seen_tail) ||
           rk_load64(&k->words->abort_before) != rk_load64(&k->loop->seen_abort) ||
           rk_load64(&k->words->probe) != k->loop->probe_seen;
}

/* One lane of one block: copies the host's words until the other blocks leave. */
RK_FN void rk_poller_run(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    if (RK_LANE(k) != 0u) {
        return;
    }
    while (rk_load_acquire(&loop->poller_leave) == 0u) {
        rk_u64 probe = rk_load64(&k->words->probe);
        if (probe != loop->probe_seen) {
            rk_probe_answer_as(k, probe);
        }
        rk_u64 abort_before = rk_load64(&k->words->abort_before);
        rk_u32 tail = rk_load_acquire(&ring->tail);
        if (abort_before != rk_load64(&loop->seen_abort) ||
            tail != rk_load_relaxed(&loop->seen_tail)) {
            rk_store64(&loop->seen_abort, abort_before);
            rk_store_release(&loop->seen_tail, tail);
            rk_bell_wake(k, &k->words->bell);
        }
#if defined(RK_TARGET_CPU)
        k->env->idle(k, rk_poller_ready);
#endif
    }
}

/* A block that has left the loop lets the poller leave too. */
RK_FN void rk_poller_dismiss(rk_ctx *k)
{
    if (k->control->poller != 0u && RK_LANE(k) == 0u) {
        rk_store_release(&k->loop->poller_leave, 1u);
        rk_bell_wake(k, &k->words->bell);
    }
}

#endif
