/*
 * bell.h: sleeping until another thread or process has published something, without a fence per
 * publication.
 *
 * A publisher that stores a word and then looks at `parked` needs a full barrier in between, which
 * costs it a round trip for the word's cache line (measured: two thirds of the throughput of a
 * ring). Here the waiter pays instead: before it sleeps it runs a barrier on every processor on
 * which a registered process runs (membarrier, about a microsecond), and publishers only keep the
 * compiler from reordering. Where the system has no membarrier, publishers use a full fence.
 *
 * The layout and the protocol are in ringkernel/abi/ring.h. All functions: any thread.
 */
#ifndef RK_CORE_BELL_H
#define RK_CORE_BELL_H

#include "abi/word.h"
#include <ringkernel/abi/ring.h>
#include <ringkernel/status.h>

/* Whether publishers of this process may leave the fence out. Set once, by rk_bell_setup. */
extern _Atomic bool rk_bell_fence_free;

/*
 * Registers the process for the waiters' barrier. Attaching to a ring and rk_bell_wait call it; a
 * program that publishes by its own code calls it first. Cheap after the first time.
 */
void rk_bell_setup(void);

/*
 * The waiter's barrier: orders this thread's stores before its later loads, and likewise on every
 * processor that runs a registered process. Sleep only after it and another look. False if only the
 * first part is certain (the system refuses membarrier): then sleep for short times. A system call.
 */
bool rk_bell_fence_all(void);

/* Wakes all sleepers, whether or not `parked` is set. A system call. */
void rk_bell_ring(rk_bell *bell);

/* Call after publishing: wakes the waiters if there may be any. One load when there are none. */
RK_INLINE void rk_bell_notify(rk_bell *bell)
{
    if (RK_LIKELY(atomic_load_explicit(&rk_bell_fence_free, memory_order_relaxed))) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        rk_fence_full();
    }
    if (RK_UNLIKELY(rk_word_load(&bell->parked) != 0)) {
        rk_bell_ring(bell);
    }
}

/* Whether what the waiter waits for is there. Called often; must be quick and must not block. */
typedef bool (*rk_bell_ready)(void *context);

/*
 * Returns RK_OK once ready(context), RK_TIMEOUT when deadline_ns (rk_clock_monotonic_ns; RK_NEVER
 * for none) has passed and it is still false. Polls for about spin_ns, then sleeps. Several threads
 * may wait on one bell. Blocks.
 */
rk_status rk_bell_wait(rk_bell *bell, rk_bell_ready ready, void *context, uint64_t deadline_ns,
                       unsigned spin_ns);

/*
 * The same where the other side cannot ring the bell (a GPU): wakes by itself to look, at first
 * after RK_BELL_POLL_FIRST_NS, then after twice as long, up to RK_BELL_POLL_LAST_NS.
 */
#define RK_BELL_POLL_FIRST_NS 20000u
#define RK_BELL_POLL_LAST_NS 1000000u
rk_status rk_bell_wait_polling(rk_bell *bell, rk_bell_ready ready, void *context,
                               uint64_t deadline_ns, unsigned spin_ns);

#endif
