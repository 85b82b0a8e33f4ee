/*
 * roundtrip.c: from a command on the host to its answer on the host, through a resident kernel of
 * one block: rk_kernel_ping, then rk_kernel_wait.
 *
 *   hot       one after the other, nothing else to do
 *   idle      after 1 ms without commands: the kernel sleeps and has to be woken
 *   busy      the same, while every CPU has a thread that computes without pause
 *   busy_hot  one after the other, while every CPU has such a thread
 *
 * References: two threads that hand one word to and fro by polling (the least that two CPUs can
 * do), by sleeping on it, and after 1 ms by waking one that sleeps while the other polls (the least
 * that an idle kernel can do).
 */
#include "bench/benches.h"
#include "bench/pair.h"
#include "bench/resident.h"

#include "abi/word.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/wait.h"

#include <stdlib.h>
#include <time.h>

#define HOT_PINGS 20000u
#define IDLE_PINGS 100u
#define BUSY_PINGS 200u
#define BUSY_HOT_PINGS 2000u
#define FUTEX_TRIPS 1000u
#define PAUSE_NS 1000000

/* ---- Threads that keep every CPU busy -------------------------------------------------------- */

typedef struct load {
    rk_thread *threads;
    unsigned count;
    _Atomic bool stop;
} load;

static void compute(void *context)
{
    load *l = context;
    volatile double x = 1;
    while (!atomic_load_explicit(&l->stop, memory_order_relaxed)) {
        for (unsigned i = 0; i < 1000; i++) {
            x = x * 1.0000001 + 0.5;
        }
    }
}

static void load_stop(load *l)
{
    atomic_store(&l->stop, true);
    for (unsigned i = 0; i < l->count; i++) {
        rk_thread_join(&l->threads[i]);
    }
    free(l->threads);
}

static rk_status load_start(load *l, rk_err *err)
{
    unsigned cpus = rk_thread_cpu_count();
    atomic_init(&l->stop, false);
    l->count = 0;
    l->threads = calloc(cpus, sizeof *l->threads);
    rk_status status = l->threads == NULL ? RK_NO_MEMORY : RK_OK;
    while (status == RK_OK && l->count < cpus) {
        status = rk_thread_start(&l->threads[l->count], "bench-load", compute, l);
        l->count += status == RK_OK ? 1 : 0;
    }
    if (status != RK_OK) {
        load_stop(l);
        return rk_err_set(err, status, "cannot start %u busy threads: %s", cpus,
                          rk_status_text(status));
    }
    return RK_OK;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile_us(const uint64_t *sorted_ns, uint64_t count, double quantile)
{
    uint64_t at = (uint64_t)((double)count * quantile);
    return (double)sorted_ns[RK_MIN(at, count - 1)] / 1e3;
}

/* ---- The references -------------------------------------------------------------------------- */

typedef struct futex_trips {
    alignas(2 * RK_CACHE_LINE) rk_u32 there;
    alignas(2 * RK_CACHE_LINE) rk_u32 back;
    rk_u32 count;
    uint64_t *times_ns; /* of each trip; unused by make_trips */
} futex_trips;

static void answer_trips(void *context)
{
    futex_trips *t = context;
    for (rk_u32 i = 0; i < t->count; i++) {
        (void)rk_wait_while_equal(&t->there, i, RK_NEVER, 0); /* fails only when misused */
        rk_word_store_release(&t->back, i + 1);
        rk_wake(&t->back, 1);
    }
}

static void make_trips(void *context)
{
    futex_trips *t = context;
    for (rk_u32 i = 0; i < t->count; i++) {
        rk_word_store_release(&t->there, i + 1);
        rk_wake(&t->there, 1);
        (void)rk_wait_while_equal(&t->back, i, RK_NEVER, 0);
    }
}

static rk_status futex_trip(const rk_bench_place *place, rk_u32 count, double *out_us, rk_err *err)
{
    futex_trips t = {.count = count};
    double seconds;
    rk_status status = rk_bench_pair(place, answer_trips, make_trips, &t, &seconds, err);
    *out_us = status == RK_OK ? seconds / count * 1e6 : 0;
    return status;
}

/* The same with a pause before each, and a side that polls for the answer: one
 * wake. Sorted. */
static void make_idle_trips(void *context)
{
    static const struct timespec pause_time = {.tv_nsec = PAUSE_NS};
    futex_trips *t = context;
    for (rk_u32 i = 0; i < t->count; i++) {
        (void)nanosleep(&pause_time, NULL);
        uint64_t start = rk_clock_monotonic_ns();
        rk_word_store_release(&t->there, i + 1);
        rk_wake(&t->there, 1);
        while (rk_word_load_acquire(&t->back) == i) {
            rk_cpu_relax();
        }
        t->times_ns[i] = rk_clock_monotonic_ns() - start;
    }
    qsort(t->times_ns, t->count, sizeof *t->times_ns, compare);
}

static rk_status idle_trip(const rk_bench_place *place, rk_u32 count, uint64_t *buffer,
                           double *out_us, rk_err *err)
{
    futex_trips t = {.count = count, .times_ns = buffer};
    double seconds;
    rk_status status = rk_bench_pair(place, answer_trips, make_idle_trips, &t, &seconds, err);
    *out_us = status == RK_OK ? quantile_us(buffer, count, 0.5) : 0;
    return status;
}

/* ---- One way of pinging ---------------------------------------------------------------------- */

typedef struct way {
    const char *p50, *p99, *p999;
    uint32_t pings;
    bool pause;
    bool busy;
    double reach_p50, reach_p99; /* 0: none */
    rk_bench_samples samples[3];
} way;

static rk_status ping_often(rk_kernel *kernel, uint64_t count, bool pause, uint64_t *out_ns,
                            rk_err *err)
{
    static const struct timespec pause_time = {.tv_nsec = PAUSE_NS};
    uint64_t start = rk_clock_monotonic_ns();
    for (uint64_t i = 0; i < count; i++) {
        if (pause) {
            (void)nanosleep(&pause_time, NULL); /* a signal makes it shorter, that is all */
            start = rk_clock_monotonic_ns();
        }
        rk_status status = rk_bench_resident_ping(kernel, err);
        if (status != RK_OK) {
            return status;
        }
        uint64_t end = rk_clock_monotonic_ns();
        out_ns[i] = end - start;
        start = end;
    }
    return RK_OK;
}

static rk_status measure(rk_kernel *kernel, way *w, uint64_t count, uint64_t *buffer, rk_err *err)
{
    load l;
    rk_status status = w->busy ? load_start(&l, err) : RK_OK;
    if (status != RK_OK) {
        return status;
    }
    status = ping_often(kernel, count, w->pause, buffer, err);
    if (w->busy) {
        load_stop(&l);
    }
    if (status == RK_OK) {
        qsort(buffer, (size_t)count, sizeof *buffer, compare);
        rk_bench_sample(&w->samples[0], quantile_us(buffer, count, 0.5));
        rk_bench_sample(&w->samples[1], quantile_us(buffer, count, 0.99));
        rk_bench_sample(&w->samples[2], quantile_us(buffer, count, 0.999));
    }
    return status;
}

static void put_way(rk_bench_report *report, const way *w)
{
    rk_bench_put_samples(report, RK_BENCH_METRIC, w->p50, &w->samples[0], "us");
    if (w->reach_p50 > 0) {
        rk_bench_reach(report, RK_BENCH_AT_MOST, w->reach_p50);
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, w->p99, &w->samples[1], "us");
    if (w->reach_p99 > 0) {
        rk_bench_reach(report, RK_BENCH_AT_MOST, w->reach_p99);
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, w->p999, &w->samples[2], "us");
}

rk_status rk_bench_run_roundtrip(rk_bench_report *report, const rk_bench_options *options,
                                 rk_err *err)
{
    way ways[] = {
        {.p50 = "hot_p50_us",
         .p99 = "hot_p99_us",
         .p999 = "hot_p999_us",
         .pings = HOT_PINGS,
         .reach_p50 = 0.7},
        {.p50 = "idle_p50_us",
         .p99 = "idle_p99_us",
         .p999 = "idle_p999_us",
         .pings = IDLE_PINGS,
         .pause = true,
         .reach_p50 = 30},
        {.p50 = "busy_p50_us",
         .p99 = "busy_p99_us",
         .p999 = "busy_p999_us",
         .pings = BUSY_PINGS,
         .pause = true,
         .busy = true,
         .reach_p99 = 1000},
        {.p50 = "busy_hot_p50_us",
         .p99 = "busy_hot_p99_us",
         .p999 = "busy_hot_p999_us",
         .pings = BUSY_HOT_PINGS,
         .busy = true},
    };
    rk_bench_place place = rk_bench_place_find();
    rk_bench_samples lines = {.count = 0};
    rk_bench_samples wakes = {.count = 0};
    rk_bench_samples futexes = {.count = 0};
    rk_bench_samples ratios[2] = {{.count = 0}};
    uint64_t *buffer = calloc(HOT_PINGS, sizeof *buffer);
    if (buffer == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the times");
    }
    rk_bench_resident resident;
    rk_status status = rk_bench_resident_open(&resident, 1, err);
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        double line_ns = 0;
        double futex_us = 0;
        double idle_us = 0;
        status = rk_bench_line_trip(&place, &line_ns, err);
        for (unsigned i = 0; i < RK_COUNT_OF(ways) && status == RK_OK; i++) {
            uint64_t count = RK_MIN(rk_bench_scaled(options, ways[i].pings), HOT_PINGS);
            status = measure(resident.kernel, &ways[i], count, buffer, err);
        }
        if (status == RK_OK) {
            status =
                futex_trip(&place, (rk_u32)rk_bench_scaled(options, FUTEX_TRIPS), &futex_us, err);
        }
        if (status == RK_OK) {
            status = idle_trip(&place, (rk_u32)rk_bench_scaled(options, IDLE_PINGS), buffer,
                               &idle_us, err);
        }
        if (status == RK_OK) {
            rk_bench_sample(&wakes, idle_us);
            rk_bench_sample(&lines, line_ns / 1e3);
            rk_bench_sample(&futexes, futex_us);
            rk_bench_sample(&ratios[0], ways[0].samples[0].values[round] / (line_ns / 1e3));
            rk_bench_sample(&ratios[1], ways[1].samples[0].values[round] / idle_us);
        }
    }
    rk_bench_resident_close(&resident);
    free(buffer);
    if (status != RK_OK) {
        return status;
    }
    for (unsigned i = 0; i < RK_COUNT_OF(ways); i++) {
        put_way(report, &ways[i]);
    }
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "line_trip_us", &lines, "us");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "futex_trip_us", &futexes, "us");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "idle_wake_us", &wakes, "us");
    rk_bench_put_samples(report, RK_BENCH_RATIO, "hot_vs_line_trip", &ratios[0], "");
    rk_bench_put_samples(report, RK_BENCH_RATIO, "idle_vs_wake", &ratios[1], "");
    rk_bench_note(report, "ping, one block; quantiles of each round, medians over rounds; busy: "
                          "one computing thread per CPU, a ping every millisecond");
    return RK_OK;
}
