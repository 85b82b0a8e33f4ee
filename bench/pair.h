/*
 * pair.h: two functions on two CPUs, started together and timed.
 */
#ifndef RK_BENCH_PAIR_H
#define RK_BENCH_PAIR_H

#include "base/compiler.h"
#include "base/thread.h"
#include "bench/bench.h"

typedef void (*rk_bench_half)(void *context);

/* Whether the halves run on CPUs of their own, and on which. */
typedef struct rk_bench_place {
    unsigned cpus[2];
    bool pinned;
} rk_bench_place;

rk_bench_place rk_bench_place_find(void);

/*
 * Runs there(context) in a new thread on the second CPU and here(context) on the first, in a new
 * thread as well, so that the caller's own placement stays. *out_seconds is the time from the
 * common start until `here` is done.
 */
rk_status rk_bench_pair(const rk_bench_place *place, rk_bench_half there, rk_bench_half here,
                        void *context, double *out_seconds, rk_err *err);

/* Nanoseconds for one cache line to go to the other CPU and back. */
rk_status rk_bench_line_trip(const rk_bench_place *place, double *out_ns, rk_err *err);

/*
 * What a side does that finds nothing to do: stays away for under a microsecond, so that some work
 * piles up. A consumer that looks all the time takes the line with the other side's index away from
 * it at each look.
 */
RK_INLINE void rk_bench_pair_idle(void)
{
    for (unsigned i = 0; i < 64; i++) {
        rk_cpu_relax();
    }
}

#endif
