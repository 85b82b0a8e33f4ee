/*
 * hlc.c: ticks per second of one hybrid logical clock on 1, 2 and 4 threads.
 *
 * Every tick reads the wall clock and advances the shared word; every time given out is kept and
 * looked at afterwards: a duplicate, or a step back within a thread, fails the bench. The floor is
 * what any such clock has to do at least: one clock_gettime and one atomic add to a shared word, in
 * the same loop on as many threads.
 */
#include "bench/benches.h"

#include "base/compiler.h"
#include "base/thread.h"
#include "core/hlc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 4u
#define TICKS 250000u /* per thread and measurement */

/* What all threads of one measurement share; each hot word on a line of its own. */
typedef struct tick_run {
    rk_hlc_clock clock;
    alignas(2 * RK_CACHE_LINE) _Atomic uint64_t floor_word;
    alignas(2 * RK_CACHE_LINE) _Atomic unsigned arrived;
    _Atomic bool cancelled;
    unsigned threads;
    uint64_t ticks;
    bool floor;
} tick_run;

typedef struct tick_thread {
    tick_run *run;
    uint64_t *times;
    double start, end; /* seconds */
    rk_thread thread;
} tick_thread;

static uint64_t floor_tick(tick_run *run)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return atomic_fetch_add_explicit(&run->floor_word, (uint64_t)now.tv_nsec | 1,
                                     memory_order_relaxed);
}

static void tick_all(void *context)
{
    tick_thread *t = context;
    tick_run *run = t->run;
    atomic_fetch_add(&run->arrived, 1);
    while (atomic_load(&run->arrived) < run->threads) {
        if (atomic_load(&run->cancelled)) {
            return;
        }
        rk_cpu_relax();
    }
    t->start = rk_bench_now_s();
    if (run->floor) {
        for (uint64_t i = 0; i < run->ticks; i++) {
            t->times[i] = floor_tick(run);
        }
    } else {
        for (uint64_t i = 0; i < run->ticks; i++) {
            t->times[i] = rk_hlc_tick_packed(&run->clock);
        }
    }
    t->end = rk_bench_now_s();
}

/* Merges the threads' times; true if all are different and increase within each thread. */
static bool all_different(const tick_thread *threads, unsigned count, uint64_t ticks)
{
    uint64_t at[MAX_THREADS] = {0};
    uint64_t last = 0;
    for (uint64_t i = 0; i < count * ticks; i++) {
        unsigned least = count;
        for (unsigned k = 0; k < count; k++) {
            if (at[k] < ticks &&
                (least == count || threads[k].times[at[k]] < threads[least].times[at[least]])) {
                least = k;
            }
        }
        uint64_t time = threads[least].times[at[least]++];
        if (time <= last) {
            return false;
        }
        last = time;
    }
    return true;
}

/* Millions of ticks per second of `count` threads together. */
static rk_status measure(uint64_t *const buffers[MAX_THREADS], unsigned count, uint64_t ticks,
                         bool floor, double *out_mticks_s, rk_err *err)
{
    static tick_run run; /* one at a time: the table runs benches one after the other */
    memset(&run, 0, sizeof run);
    rk_hlc_clock_init(&run.clock, 1, 0);
    run.threads = count;
    run.ticks = ticks;
    run.floor = floor;
    tick_thread threads[MAX_THREADS];
    memset(threads, 0, sizeof threads);
    rk_status status = RK_OK;
    for (unsigned i = 0; i < count && status == RK_OK; i++) {
        threads[i].run = &run;
        threads[i].times = buffers[i];
        status = rk_thread_start(&threads[i].thread, "bench-tick", tick_all, &threads[i]);
    }
    if (status != RK_OK) {
        atomic_store(&run.cancelled, true);
    }
    double start = 0;
    double end = 0;
    for (unsigned i = 0; i < count; i++) {
        rk_thread_join(&threads[i].thread);
        start = i == 0 || threads[i].start < start ? threads[i].start : start;
        end = threads[i].end > end ? threads[i].end : end;
    }
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot start %u threads: %s", count,
                          rk_status_text(status));
    }
    if (!floor && !all_different(threads, count, ticks)) {
        return rk_err_set(err, RK_INTERNAL, "the clock gave out a time twice, or went back");
    }
    *out_mticks_s = (double)(count * ticks) / (end - start) / 1e6;
    return RK_OK;
}

rk_status rk_bench_run_hlc(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    static const unsigned counts[] = {1, 2, 4};
    static const struct {
        const char *metric, *floor, *ratio;
    } keys[] = {{"t1_mticks_s", "t1_floor_mticks_s", "t1_of_floor"},
                {"t2_mticks_s", "t2_floor_mticks_s", "t2_of_floor"},
                {"t4_mticks_s", "t4_floor_mticks_s", "t4_of_floor"}};
    uint64_t ticks = rk_bench_scaled(options, TICKS);
    uint64_t *buffers[MAX_THREADS] = {NULL};
    rk_status status = RK_OK;
    for (unsigned i = 0; i < MAX_THREADS && status == RK_OK; i++) {
        buffers[i] = malloc((size_t)ticks * sizeof *buffers[i]);
        if (buffers[i] == NULL) {
            status = rk_err_set(err, RK_NO_MEMORY, "no memory for the times");
        } else {
            memset(buffers[i], 0, (size_t)ticks * sizeof *buffers[i]); /* touch the pages first */
        }
    }
    rk_bench_samples ours[3] = {{.count = 0}};
    rk_bench_samples floors[3] = {{.count = 0}};
    rk_bench_samples ratios[3] = {{.count = 0}};
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        for (unsigned i = 0; i < 3 && status == RK_OK; i++) {
            double rate = 0;
            double floor = 0;
            status = measure(buffers, counts[i], ticks, false, &rate, err);
            if (status == RK_OK) {
                status = measure(buffers, counts[i], ticks, true, &floor, err);
            }
            rk_bench_sample(&ours[i], rate);
            rk_bench_sample(&floors[i], floor);
            rk_bench_sample(&ratios[i], rate / floor);
        }
    }
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        free(buffers[i]);
    }
    if (status != RK_OK) {
        return status;
    }
    for (unsigned i = 0; i < 3; i++) {
        rk_bench_put_samples(report, RK_BENCH_METRIC, keys[i].metric, &ours[i], "Mtick/s");
        rk_bench_put_samples(report, RK_BENCH_REFERENCE, keys[i].floor, &floors[i], "Mtick/s");
        rk_bench_put_samples(report, RK_BENCH_RATIO, keys[i].ratio, &ratios[i], "");
        if (i == 0) {
            rk_bench_reach(report, RK_BENCH_AT_LEAST, 0.8);
        }
    }
    rk_bench_note(report, "floor: one clock_gettime and one atomic add per tick; no duplicates in "
                          "any measurement");
    return RK_OK;
}
