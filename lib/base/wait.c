/*
 * wait.c: spin, then park on a futex.
 *
 * The spin phase reads only the word: the clock every 32 looks, the scheduler every 64. The park
 * phase loops, because a futex may wake without cause and the word may change back.
 *
 * Futexes are shared (not private), since the words may be mapped by several processes.
 */
#include "base/wait.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_PER_CLOCK_READ 32u
#define LOOKS_PER_YIELD 64u
/* With a replaced clock the system cannot time the wait: look at that clock again this often. */
#define TEST_CLOCK_SLICE_NS RK_NS_PER_MS

/* 0: not known yet, 1: no, 2: yes. */
static _Atomic int may_spin;

bool rk_wait_may_spin(void)
{
    int known = atomic_load_explicit(&may_spin, memory_order_relaxed);
    if (RK_UNLIKELY(known == 0)) {
        known = rk_thread_cpu_count() > 1 ? 2 : 1;
        atomic_store_explicit(&may_spin, known, memory_order_relaxed);
    }
    return known == 2;
}

/* Acquire pairs with the release (or stronger) store of whoever changes the word. */
static bool differs(const uint32_t *word, uint32_t seen)
{
    return rk_atomic_load_u32(word, memory_order_acquire) != seen;
}

/* True if the word differs; false after spin_ns, or when the deadline has passed. */
static bool spin(const uint32_t *word, uint32_t seen, uint64_t deadline_ns, unsigned spin_ns)
{
    uint64_t end_ns = 0;
    for (unsigned look = 1;; look++) {
        rk_cpu_relax();
        if (differs(word, seen)) {
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
        if (look % LOOKS_PER_YIELD == 0) {
            (void)sched_yield(); /* always succeeds on Linux */
        }
    }
}

/* Sleeps until woken, or until deadline_ns. 0 or the errno; EAGAIN: the word differs already. */
static int futex_wait(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
    struct timespec until;
    struct timespec *timeout = NULL;
    if (deadline_ns != RK_NEVER) {
        until.tv_sec = (time_t)(deadline_ns / RK_NS_PER_S);
        until.tv_nsec = (long)(deadline_ns % RK_NS_PER_S);
        timeout = &until;
    }
    /* FUTEX_WAIT_BITSET takes an absolute time, in CLOCK_MONOTONIC. */
    long result =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 ? 0 : errno;
}

static rk_status park(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
    while (!differs(word, seen)) {
        if (deadline_ns != RK_NEVER && rk_clock_monotonic_ns() >= deadline_ns) {
            return RK_TIMEOUT;
        }
        uint64_t until_ns = deadline_ns;
        if (deadline_ns != RK_NEVER && !rk_clock_is_system()) {
            until_ns = rk_clock_system_ns() + TEST_CLOCK_SLICE_NS;
        }
        switch (futex_wait(word, seen, until_ns)) {
        case 0:
        case EAGAIN:
        case EINTR:
        case ETIMEDOUT: break; /* the loop looks at the word, then at the clock */
        case EINVAL: return RK_INVALID;
        default: return RK_INTERNAL;
        }
    }
    return RK_OK;
}

rk_status rk_wait_while_equal_parked(const uint32_t *word, uint32_t seen, uint64_t deadline_ns,
                                     unsigned spin_ns, uint32_t *parked)
{
    if ((uintptr_t)word % sizeof *word != 0) {
        return RK_INVALID;
    }
    if (differs(word, seen)) {
        return RK_OK;
    }
    /* A clock that a test has stopped would never end the spinning. */
    if (spin_ns > 0 && deadline_ns > 0 && rk_wait_may_spin() && rk_clock_is_system() &&
        spin(word, seen, deadline_ns, spin_ns)) {
        return RK_OK;
    }
    if (parked == NULL) {
        return park(word, seen, deadline_ns);
    }
    /*
     * Sequentially consistent, then a full fence: either the writer's look at *parked comes after
     * this and sees the count, or our look at the word in park() sees the writer's store.
     */
    (void)rk_atomic_add_u32(parked, 1, memory_order_seq_cst);
    rk_fence_full();
    rk_status status = park(word, seen, deadline_ns);
    (void)rk_atomic_add_u32(parked, UINT32_MAX, memory_order_release);
    return status;
}

rk_status rk_wait_while_equal(const uint32_t *word, uint32_t seen, uint64_t deadline_ns,
                              unsigned spin_ns)
{
    return rk_wait_while_equal_parked(word, seen, deadline_ns, spin_ns, NULL);
}

void rk_nap_while_equal(const uint32_t *word, uint32_t seen, uint64_t nap_ns)
{
    if (!differs(word, seen)) {
        /* Woken, or not: the caller looks around in any case. */
        (void)futex_wait(word, seen, rk_clock_system_ns() + nap_ns);
    }
}

void rk_wake(uint32_t *word, int count)
{
    int saved = errno;
    /* Fails only for an address that is not mapped, where nobody can wait. */
    (void)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    errno = saved;
}
