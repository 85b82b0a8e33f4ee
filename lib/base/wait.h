/*
 * wait.h: the one way to wait: until a 32-bit word differs from what was seen.
 *
 * Words may lie in memory that several processes map; they are plain aligned integers, always
 * accessed atomically. A waiter spins briefly and then parks on a futex, so an idle thread costs no
 * CPU.
 *
 * No wake-up is lost: a writer changes the word first and calls rk_wake afterwards, and the kernel
 * compares the word again before it lets a waiter sleep.
 */
#ifndef RK_BASE_WAIT_H
#define RK_BASE_WAIT_H

#include <ringkernel/status.h>

/* Wakes every waiter of a word. */
#define RK_WAKE_ALL INT32_MAX

/*
 * Returns RK_OK once *word != seen (acquire: pairs with the release that changed it), RK_TIMEOUT
 * when deadline_ns (rk_clock_monotonic_ns; RK_NEVER for none) has passed and the word is still the
 * same. A deadline in the past makes it a look. Blocks. Any thread.
 *
 * spin_ns is how long to poll before parking, about; 0 parks at once, UINT32_MAX polls for 4
 * seconds. Where the process has a single CPU it never polls: the writer needs that CPU. Nor does
 * it while a test has replaced the clock.
 *
 * RK_INVALID for a misaligned word. RK_INTERNAL if the system refuses the futex call.
 */
rk_status rk_wait_while_equal(const uint32_t *word, uint32_t seen, uint64_t deadline_ns,
                              unsigned spin_ns);

/*
 * The same, and *parked (may be NULL) is 1 or more while this waiter may be asleep: it is counted
 * up before the last look at the word and down afterwards. A writer that stores the word, makes a
 * full fence (or uses sequentially consistent order) and then reads 0 from *parked may skip
 * rk_wake. A process that dies while it waits leaves the count up: later wakes are then made in
 * vain, none is missed.
 */
rk_status rk_wait_while_equal_parked(const uint32_t *word, uint32_t seen, uint64_t deadline_ns,
                                     unsigned spin_ns, uint32_t *parked);

/*
 * Sleeps for at most nap_ns of the system's time, whatever clock is installed, while *word equals
 * `seen`; may return early. For waiters that look around by themselves now and then.
 */
void rk_nap_while_equal(const uint32_t *word, uint32_t seen, uint64_t nap_ns);

/* Wakes at most count waiters of word. A system call. Never blocks; any thread; async-signal-safe.
 */
void rk_wake(uint32_t *word, int count);

/* Whether waiters poll before they park: the process has more than one CPU. */
bool rk_wait_may_spin(void);

#endif
