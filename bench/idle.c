/*
 * idle.c: what 100 resident kernels cost that have nothing to do.
 *
 * CPU time is that of the whole process (getrusage), supervisor and all. Memory is what the process
 * has in RAM more than before they were launched. Every kernel has answered a command before the
 * first measurement and must answer one after the last.
 */
#include "bench/benches.h"
#include "bench/resident.h"

#include "base/compiler.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define KERNELS 100u
#define WINDOW_MS 1000u
#define ROUNDS 5u
#define SETTLE_MS 50u

static double cpu_seconds(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used); /* cannot fail with these arguments */
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* Bytes of the process in RAM; 0 if the system does not say. */
static double resident_bytes(void)
{
    unsigned long long total;
    unsigned long long resident;
    FILE *file = fopen("/proc/self/statm", "r");
    int found = file != NULL ? fscanf(file, "%llu %llu", &total, &resident) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return found == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static rk_status ping_all(rk_kernel *const *kernels, rk_err *err)
{
    rk_status status = RK_OK;
    for (unsigned i = 0; i < KERNELS && status == RK_OK; i++) {
        status = rk_bench_resident_ping(kernels[i], err);
    }
    return status;
}

static rk_status launch_all(rk_runtime *runtime, rk_module *module, rk_kernel **out_kernels,
                            rk_err *err)
{
    rk_status status = RK_OK;
    for (unsigned i = 0; i < KERNELS && status == RK_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "idle-%u", i);
        rk_launch launch = {.name = name, .module = module, .blocks = 1};
        status = rk_kernel_create(runtime, &launch, &out_kernels[i], err);
        if (status == RK_OK) {
            status = rk_kernel_start(out_kernels[i], err);
        }
    }
    return status;
}

rk_status rk_bench_run_idle(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    rk_kernel *kernels[KERNELS] = {NULL};
    rk_bench_resident first; /* its runtime holds the others, too */
    rk_bench_samples shares = {.count = 0};
    uint64_t window_ms = rk_bench_scaled(options, WINDOW_MS);
    unsigned rounds = RK_MIN(rk_bench_rounds(options), ROUNDS);
    rk_status status = rk_bench_resident_open(&first, 1, err);
    double before_bytes = resident_bytes();
    if (status == RK_OK) {
        status = launch_all(first.runtime, first.module, kernels, err);
    }
    if (status == RK_OK) {
        status = ping_all(kernels, err);
    }
    double bytes = (resident_bytes() - before_bytes) / KERNELS;
    for (unsigned round = 0; round < rounds && status == RK_OK; round++) {
        sleep_ms(SETTLE_MS); /* until the last of them has stopped polling */
        double cpu = cpu_seconds();
        double start = rk_bench_now_s();
        sleep_ms(window_ms);
        rk_bench_sample(&shares, (cpu_seconds() - cpu) / (rk_bench_now_s() - start) * 100.0);
    }
    if (status == RK_OK) {
        status = ping_all(kernels, err);
    }
    rk_bench_resident_close(&first);
    if (status != RK_OK) {
        return status;
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, "cpu_percent_of_core", &shares, "%");
    rk_bench_reach(report, RK_BENCH_AT_MOST, 1);
    rk_bench_put(report, RK_BENCH_METRIC, "kernels", KERNELS, "");
    rk_bench_put(report, RK_BENCH_METRIC, "kernel_kib", bytes / 1024, "KiB");
    rk_bench_note(report, "%u windows of %llu ms; CPU time of the whole process", rounds,
                  (unsigned long long)window_ms);
    return RK_OK;
}
