/*
 * clock.h: the one way to read time.
 *
 * Both clocks are read through a table that a test replaces with a clock that stands still until it
 * is stepped. Reading costs one indirect call and the kernel's vDSO. All functions: any thread.
 */
#ifndef RK_BASE_CLOCK_H
#define RK_BASE_CLOCK_H

#include "base/compiler.h"

#define RK_NS_PER_US 1000u
#define RK_NS_PER_MS 1000000u
#define RK_NS_PER_S 1000000000u

/* A deadline that never comes. */
#define RK_NEVER UINT64_MAX

typedef struct rk_clock_ops {
    uint64_t (*monotonic_ns)(void *context);
    uint64_t (*realtime_ns)(void *context);
    void *context;
} rk_clock_ops;

/*
 * Nanoseconds since an arbitrary start; never goes back; the same for all processes
 * (CLOCK_MONOTONIC).
 */
uint64_t rk_clock_monotonic_ns(void);

/* Nanoseconds since 1970-01-01 00:00 UTC; may jump when the system's clock is set (CLOCK_REALTIME).
 */
uint64_t rk_clock_realtime_ns(void);
/* The system's monotonic time, also while another clock is installed: for how long to look, never
 * for what a program decides. */
uint64_t rk_clock_system_ns(void);

/* The monotonic time timeout_ns from now; RK_NEVER for RK_NEVER and instead of an overflow. */
uint64_t rk_clock_deadline_ns(uint64_t timeout_ns);

/* Replaces both clocks; NULL brings the system's back. ops stays borrowed until the next install.
 */
void rk_clock_install(const rk_clock_ops *ops);

/* False while a replaced clock is installed: its deadlines mean nothing to the operating system. */
bool rk_clock_is_system(void);

/* A clock for tests: stands still until stepped. Members are read and written from any thread. */
typedef struct rk_test_clock {
    rk_clock_ops ops;
    _Atomic uint64_t monotonic_ns;
    _Atomic uint64_t realtime_ns;
} rk_test_clock;

/* Installs clock, standing at the given times; it must outlive rk_test_clock_remove. */
void rk_test_clock_install(rk_test_clock *clock, uint64_t monotonic_ns, uint64_t realtime_ns);

/* Moves both times on. Waiters with a deadline look again within about a millisecond. */
void rk_test_clock_step(rk_test_clock *clock, uint64_t ns);

/* Sets the wall clock alone, backwards as well. */
void rk_test_clock_set_realtime(rk_test_clock *clock, uint64_t realtime_ns);

/* Brings the system's clock back. */
void rk_test_clock_remove(rk_test_clock *clock);

#endif
