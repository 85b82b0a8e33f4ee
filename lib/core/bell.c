/*
 * bell.c: the waiting side of a bell.
 *
 * Invariants
 *   1. No wake-up is lost. The waiter stores parked, runs the barrier, and looks again. A publisher
 *      on another processor has its store before that barrier, and the look sees it; or its look at
 *      parked comes after the barrier, and sees 1.
 *   2. A publisher clears parked before it adds to rung (release); a waiter loads rung (acquire)
 *      before it sets parked. So a clear that comes too late for the waiter's flag comes with a
 *      change of rung that keeps the waiter from sleeping.
 *   3. Waiters never clear parked: others may be asleep. A flag left behind costs one vain wake.
 */
#include "core/bell.h"

#include "base/clock.h"
#include "base/wait.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOKS_PER_CLOCK_READ 32u
/* Where membarrier is refused to the waiter but not to its peers, it must look by itself. */
#define UNSURE_SLICE_NS (10u * RK_NS_PER_MS)

_Atomic bool rk_bell_fence_free;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

void rk_bell_setup(void)
{
    if (atomic_load_explicit(&rk_bell_fence_free, memory_order_relaxed)) {
        return;
    }
    /* Registration belongs to the address space; a child made by fork inherits it. */
    if (membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0) {
        atomic_store_explicit(&rk_bell_fence_free, true, memory_order_relaxed);
    }
}

bool rk_bell_fence_all(void)
{
    rk_fence_full();
    return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0;
}

RK_NOINLINE void rk_bell_ring(rk_bell *bell)
{
    rk_word_store(&bell->parked, 0);
    (void)rk_word_add(&bell->rung, 1); /* the old value means nothing to the publisher */
    rk_wake(&bell->rung, RK_WAKE_ALL);
}

/*
 * True once ready; false after spin_ns, or when the deadline has passed. It does not yield: where
 * others compute, they would have the CPU until the next tick, while a sleeper is woken at once.
 */
static bool spin(rk_bell_ready ready, void *context, uint64_t deadline_ns, unsigned spin_ns)
{
    uint64_t end_ns = 0;
    for (unsigned look = 1;; look++) {
        rk_cpu_relax();
        if (ready(context)) {
            return true;
        }
        if (look % LOOKS_PER_CLOCK_READ != 0) {
            continue;
        }
        uint64_t now_ns = rk_clock_monotonic_ns();
        if (end_ns == 0) {
            end_ns = RK_MIN(now_ns + spin_ns, deadline_ns);
        }
        if (now_ns >= end_ns) {
            return false;
        }
    }
}

/* slice_ns: the longest time to sleep without a look; RK_NEVER where the bell is always rung. */
static rk_status wait_in_slices(rk_bell *bell, rk_bell_ready ready, void *context,
                                uint64_t deadline_ns, unsigned spin_ns, uint64_t slice_ns)
{
    if (ready(context)) {
        return RK_OK;
    }
    rk_bell_setup();
    if (spin_ns > 0 && deadline_ns > 0 && rk_wait_may_spin() &&
        spin(ready, context, deadline_ns, spin_ns)) {
        return RK_OK;
    }
    for (;;) {
        /* Acquire pairs with the add in rk_bell_ring: see invariant 2. */
        uint32_t seen = rk_word_load_acquire(&bell->rung);
        rk_word_store(&bell->parked, 1);
        bool sure = rk_bell_fence_all();
        if (ready(context)) {
            return RK_OK;
        }
        uint64_t until_ns = deadline_ns;
        if (!sure) {
            until_ns = RK_MIN(deadline_ns, rk_clock_deadline_ns(UNSURE_SLICE_NS));
        }
        if (slice_ns != RK_NEVER) {
            until_ns = RK_MIN(until_ns, rk_clock_deadline_ns(slice_ns));
            slice_ns = RK_MIN(2 * slice_ns, (uint64_t)RK_BELL_POLL_LAST_NS);
        }
        rk_status status = rk_wait_while_equal(&bell->rung, seen, until_ns, 0);
        if (ready(context)) {
            return RK_OK;
        }
        if (status != RK_OK && (status != RK_TIMEOUT || until_ns == deadline_ns)) {
            return status;
        }
    }
}

rk_status rk_bell_wait(rk_bell *bell, rk_bell_ready ready, void *context, uint64_t deadline_ns,
                       unsigned spin_ns)
{
    return wait_in_slices(bell, ready, context, deadline_ns, spin_ns, RK_NEVER);
}

rk_status rk_bell_wait_polling(rk_bell *bell, rk_bell_ready ready, void *context,
                               uint64_t deadline_ns, unsigned spin_ns)
{
    return wait_in_slices(bell, ready, context, deadline_ns, spin_ns, RK_BELL_POLL_FIRST_NS);
}
