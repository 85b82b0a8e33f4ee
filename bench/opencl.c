/*
 * opencl.c: the first OpenCL device beside the embedded CPU: loading, launching, a ping and its
 * answer, an empty step; resident, and with leases.
 *
 * The kernel is echo with one block, as in roundtrip and step. The first create finds the device's
 * compiler and what it has cached; later ones what the first has left.
 */
#include "bench/benches.h"
#include "bench/resident.h"

#include "base/clock.h"
#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEVICE "opencl:0"
#define LEASE_ENV "RK_OPENCL_LEASE"
#define PINGS 1000u
#define IDLE_PINGS 20u
#define STEPS 50000u
#define LAUNCHES 5u
#define PAUSE_NS 1000000

/* One place where the kernel runs, and what is measured there. */
typedef struct place {
    const char *device;
    const char *lease; /* value of LEASE_ENV; NULL: none */
    const char *hot_key, *hot_p99_key, *idle_key, *step_key;
    rk_bench_resident resident;
    rk_bench_samples hot, hot_p99, idle, step;
} place;

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static rk_status ping_often(rk_kernel *kernel, uint64_t count, bool pause, uint64_t *out_ns,
                            rk_err *err)
{
    static const struct timespec pause_time = {.tv_nsec = PAUSE_NS};
    rk_status status = RK_OK;
    for (uint64_t i = 0; i < count && status == RK_OK; i++) {
        if (pause) {
            (void)nanosleep(&pause_time, NULL); /* a signal makes it shorter, that is all */
        }
        uint64_t start = rk_clock_monotonic_ns();
        status = rk_bench_resident_ping(kernel, err);
        out_ns[i] = rk_clock_monotonic_ns() - start;
    }
    qsort(out_ns, (size_t)count, sizeof *out_ns, compare);
    return status;
}

static rk_status run_steps(rk_kernel *kernel, uint64_t steps, double *out_us, rk_err *err)
{
    uint64_t id;
    rk_reply reply;
    double start = rk_bench_now_s();
    rk_status status = rk_kernel_run(kernel, steps, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    *out_us = (rk_bench_now_s() - start) / (double)steps * 1e6;
    if (status == RK_OK && reply.status != RK_OK) {
        status = rk_err_set(err, reply.status, "a run of steps was answered with status %d",
                            (int)reply.status);
    }
    return status;
}

/* One round on one place. The kernel leaves behind it: it would keep a CPU for itself. */
static rk_status measure(place *p, const rk_bench_options *options, uint64_t *buffer, rk_err *err)
{
    uint64_t pings = RK_MIN(rk_bench_scaled(options, PINGS), PINGS);
    uint64_t idle = RK_MIN(rk_bench_scaled(options, IDLE_PINGS), IDLE_PINGS);
    double us = 0;
    rk_kernel *kernel = p->resident.kernel;
    rk_status status = rk_kernel_start(kernel, err);
    if (status == RK_OK) {
        status = ping_often(kernel, pings, false, buffer, err);
        rk_bench_sample(&p->hot, (double)buffer[pings / 2] / 1e3);
        rk_bench_sample(&p->hot_p99, (double)buffer[pings * 99 / 100] / 1e3);
    }
    if (status == RK_OK) {
        status = ping_often(kernel, idle, true, buffer, err);
        rk_bench_sample(&p->idle, (double)buffer[idle / 2] / 1e3);
    }
    if (status == RK_OK) {
        status = run_steps(kernel, rk_bench_scaled(options, STEPS), &us, err);
        rk_bench_sample(&p->step, us);
    }
    return status == RK_OK ? rk_kernel_park(kernel, RK_FOREVER, err) : status;
}

/* Creates the kernel and parks it after its first launch. */
static rk_status open_place(place *p, double *out_create_ms, rk_err *err)
{
    if (p->lease != NULL) {
        (void)setenv(LEASE_ENV, p->lease, 1); /* no memory: the default is measured */
    }
    double start = rk_bench_now_s();
    rk_status status = rk_bench_resident_open_on(&p->resident, p->device, 1, err);
    *out_create_ms = (rk_bench_now_s() - start) * 1e3;
    return status == RK_OK ? rk_kernel_park(p->resident.kernel, RK_FOREVER, err) : status;
}

/* How long a kernel takes to be created and to be launched, when its code is known. */
static rk_status measure_launches(rk_bench_resident *resident, rk_bench_samples *creates,
                                  rk_bench_samples *launches, rk_err *err)
{
    rk_status status = RK_OK;
    for (unsigned i = 0; i < LAUNCHES && status == RK_OK; i++) {
        rk_kernel *kernel = NULL;
        rk_launch launch = {
            .name = "again", .module = resident->module, .device = DEVICE, .blocks = 1};
        double start = rk_bench_now_s();
        status = rk_kernel_create(resident->runtime, &launch, &kernel, err);
        double created = rk_bench_now_s();
        if (status == RK_OK) {
            status = rk_kernel_start(kernel, err);
            rk_bench_sample(creates, (created - start) * 1e3);
            rk_bench_sample(launches, (rk_bench_now_s() - created) * 1e3);
            rk_kernel_destroy(kernel);
        }
    }
    return status;
}

static void put_place(rk_bench_report *report, rk_bench_section section, const place *p)
{
    rk_bench_put_samples(report, section, p->hot_key, &p->hot, "us");
    rk_bench_put_samples(report, section, p->hot_p99_key, &p->hot_p99, "us");
    rk_bench_put_samples(report, section, p->idle_key, &p->idle, "us");
    rk_bench_put_samples(report, section, p->step_key, &p->step, "us");
}

static void put_all(rk_bench_report *report, const place *places, double first_ms,
                    const rk_bench_samples *creates, const rk_bench_samples *launches)
{
    rk_device_info info;
    rk_bench_put(report, RK_BENCH_METRIC, "first_create_ms", first_ms, "ms");
    rk_bench_put_samples(report, RK_BENCH_METRIC, "create_ms", creates, "ms");
    rk_bench_put_samples(report, RK_BENCH_METRIC, "launch_ms", launches, "ms");
    put_place(report, RK_BENCH_METRIC, &places[0]);
    put_place(report, RK_BENCH_METRIC, &places[1]);
    put_place(report, RK_BENCH_REFERENCE, &places[2]);
    if (rk_runtime_device_info(places[0].resident.runtime, 1, &info) == RK_OK) {
        rk_bench_note(report, "%s: %s, %u compute units", info.name, info.text, info.units);
    }
    rk_bench_note(report, "echo, one block; hot: one ping after the other; idle: after 1 ms "
                          "without; quantiles of each round, medians over rounds");
}

rk_status rk_bench_run_opencl(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    place places[] = {
        {.device = DEVICE,
         .lease = "0",
         .hot_key = "hot_p50_us",
         .hot_p99_key = "hot_p99_us",
         .idle_key = "idle_p50_us",
         .step_key = "step_us"},
        {.device = DEVICE,
         .lease = "1",
         .hot_key = "lease_hot_p50_us",
         .hot_p99_key = "lease_hot_p99_us",
         .idle_key = "lease_idle_p50_us",
         .step_key = "lease_step_us"},
        {.device = "cpu:0",
         .hot_key = "cpu_hot_p50_us",
         .hot_p99_key = "cpu_hot_p99_us",
         .idle_key = "cpu_idle_p50_us",
         .step_key = "cpu_step_us"},
    };
    const char *before = getenv(LEASE_ENV);
    char *kept = before != NULL ? strdup(before) : NULL;
    uint64_t *buffer = calloc(PINGS, sizeof *buffer);
    rk_bench_samples creates = {.count = 0};
    rk_bench_samples launches = {.count = 0};
    double create_ms[RK_COUNT_OF(places)] = {0};
    rk_status status =
        buffer != NULL ? RK_OK : rk_err_set(err, RK_NO_MEMORY, "no memory for the times");
    for (unsigned i = 0; i < RK_COUNT_OF(places) && status == RK_OK; i++) {
        status = open_place(&places[i], &create_ms[i], err);
    }
    bool absent = status == RK_NOT_FOUND || status == RK_UNSUPPORTED;
    if (status == RK_OK) {
        status = measure_launches(&places[0].resident, &creates, &launches, err);
    }
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        for (unsigned i = 0; i < RK_COUNT_OF(places) && status == RK_OK; i++) {
            status = measure(&places[i], options, buffer, err);
        }
    }
    if (status == RK_OK) {
        put_all(report, places, create_ms[0], &creates, &launches);
    } else if (absent) {
        rk_bench_skip(report, "hot_p50_us", "OpenCL has no device here");
        rk_bench_note(report, "%s", err->text);
        status = RK_OK;
    }
    for (unsigned i = 0; i < RK_COUNT_OF(places); i++) {
        rk_bench_resident_close(&places[i].resident);
    }
    (void)(kept != NULL ? setenv(LEASE_ENV, kept, 1) : unsetenv(LEASE_ENV));
    free(kept);
    free(buffer);
    return status;
}
