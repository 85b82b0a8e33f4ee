/*
 * step.c: what a step costs that does nothing: the safe point and, with several blocks, the
 * barrier.
 *
 * The kernel is echo, whose one phase is empty. A run of many steps is timed from the command to
 * its answer, so commands and answers are shared by all of them. Beside it: how long a cache line
 * takes to another CPU and back, which is the least that two blocks need to meet.
 */
#include "bench/benches.h"
#include "bench/pair.h"
#include "bench/resident.h"

#define STEPS 50000u

static rk_status run_steps(rk_kernel *kernel, uint64_t steps, double *out_us, rk_err *err)
{
    uint64_t id;
    rk_reply reply;
    rk_kernel_snapshot before;
    rk_kernel_read_snapshot(kernel, &before);
    double start = rk_bench_now_s();
    rk_status status = rk_kernel_run(kernel, steps, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    double seconds = rk_bench_now_s() - start;
    if (status == RK_OK && (reply.status != RK_OK || reply.step != before.step + steps)) {
        status = rk_err_set(err, RK_INTERNAL, "a run of %llu steps from step %llu ended at %llu",
                            (unsigned long long)steps, (unsigned long long)before.step,
                            (unsigned long long)reply.step);
    }
    *out_us = seconds / (double)steps * 1e6;
    return status;
}

rk_status rk_bench_run_step(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    static const uint32_t blocks[] = {1, 2, 4, 8};
    static const char *const keys[] = {"one_block_us", "two_block_us", "four_block_us",
                                       "eight_block_us"};
    unsigned cpus = rk_thread_cpu_count();
    rk_bench_place place = rk_bench_place_find();
    uint64_t steps = rk_bench_scaled(options, STEPS);
    rk_bench_samples times[4] = {{.count = 0}};
    rk_bench_samples trips = {.count = 0};
    rk_bench_samples ratios = {.count = 0};
    unsigned kinds = 1;
    while (kinds < 4 && blocks[kinds] <= cpus) {
        kinds++;
    }
    rk_bench_resident resident[4] = {{.runtime = NULL}};
    rk_status status = RK_OK;
    for (unsigned i = 0; i < kinds && status == RK_OK; i++) {
        status = rk_bench_resident_open(&resident[i], blocks[i], err);
    }
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        double trip_ns;
        status = rk_bench_line_trip(&place, &trip_ns, err);
        for (unsigned i = 0; i < kinds && status == RK_OK; i++) {
            double us;
            status = run_steps(resident[i].kernel, steps, &us, err);
            rk_bench_sample(&times[i], us);
            if (i == 1) {
                rk_bench_sample(&ratios, us * 1e3 / trip_ns);
            }
        }
        rk_bench_sample(&trips, trip_ns);
    }
    for (unsigned i = 0; i < kinds; i++) {
        rk_bench_resident_close(&resident[i]);
    }
    if (status != RK_OK) {
        return status;
    }
    for (unsigned i = 0; i < kinds; i++) {
        rk_bench_put_samples(report, RK_BENCH_METRIC, keys[i], &times[i], "us");
        if (i == 0) {
            rk_bench_reach(report, RK_BENCH_AT_MOST, 1);
        }
    }
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "line_trip_ns", &trips, "ns");
    if (kinds > 1) {
        rk_bench_put_samples(report, RK_BENCH_RATIO, "two_block_vs_line_trip", &ratios, "");
    }
    rk_bench_note(report,
                  "one run of %llu empty steps per measurement, command and answer included",
                  (unsigned long long)steps);
    return RK_OK;
}
