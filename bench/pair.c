/*
 * pair.c: two functions on two CPUs, started together and timed.
 */
#include "bench/pair.h"

#include "abi/word.h"

#define LINE_TRIPS 50000u

typedef struct pair_run {
    const rk_bench_place *place;
    rk_bench_half halves[2];
    void *context;
    _Atomic unsigned arrived;
    _Atomic bool cancelled;
    double seconds;
} pair_run;

typedef struct pair_half {
    pair_run *run;
    unsigned which; /* 0 here, 1 there */
} pair_half;

static void run_half(void *context)
{
    pair_half *half = context;
    pair_run *run = half->run;
    if (run->place->pinned) {
        (void)rk_thread_pin(run->place->cpus[half->which]); /* unpinned figures are figures too */
    }
    /* Both have to be running before the clock starts. */
    atomic_fetch_add(&run->arrived, 1);
    while (atomic_load(&run->arrived) < 2) {
        if (atomic_load(&run->cancelled)) {
            return;
        }
        rk_cpu_relax();
    }
    double start = rk_bench_now_s();
    run->halves[half->which](run->context);
    if (half->which == 0) {
        run->seconds = rk_bench_now_s() - start;
    }
}

rk_bench_place rk_bench_place_find(void)
{
    rk_bench_place place = {{0, 0}, false};
    place.pinned = rk_bench_two_cpus(place.cpus);
    return place;
}

rk_status rk_bench_pair(const rk_bench_place *place, rk_bench_half there, rk_bench_half here,
                        void *context, double *out_seconds, rk_err *err)
{
    pair_run run = {.place = place, .halves = {here, there}, .context = context};
    pair_half halves[2] = {{&run, 0}, {&run, 1}};
    rk_thread threads[2];
    rk_status status = rk_thread_start(&threads[0], "bench-here", run_half, &halves[0]);
    if (status == RK_OK) {
        status = rk_thread_start(&threads[1], "bench-there", run_half, &halves[1]);
        if (status == RK_OK) {
            rk_thread_join(&threads[1]);
        } else {
            atomic_store(&run.cancelled, true);
        }
        rk_thread_join(&threads[0]);
    }
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot start a thread: %s", rk_status_text(status));
    }
    *out_seconds = run.seconds;
    return RK_OK;
}

typedef struct trips {
    alignas(2 * RK_CACHE_LINE) rk_u32 there;
    alignas(2 * RK_CACHE_LINE) rk_u32 back;
} trips;

static void answer_trips(void *context)
{
    trips *t = context;
    for (rk_u32 i = 1; i <= LINE_TRIPS; i++) {
        while (rk_word_load_acquire(&t->there) != i) {
        }
        rk_word_store_release(&t->back, i);
    }
}

static void make_trips(void *context)
{
    trips *t = context;
    for (rk_u32 i = 1; i <= LINE_TRIPS; i++) {
        rk_word_store_release(&t->there, i);
        while (rk_word_load_acquire(&t->back) != i) {
        }
    }
}

rk_status rk_bench_line_trip(const rk_bench_place *place, double *out_ns, rk_err *err)
{
    trips t = {0, 0};
    double seconds;
    rk_status status = rk_bench_pair(place, answer_trips, make_trips, &t, &seconds, err);
    if (status == RK_OK) {
        *out_ns = seconds / LINE_TRIPS * 1e9;
    }
    return status;
}
