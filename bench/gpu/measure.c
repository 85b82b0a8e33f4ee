/*
 * measure.c: round trips, steps, waves, and whether a minute of mixed commands drifts or grows.
 */
#include "bench/gpu/measure.h"

#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIPS 5000u
#define RAW_TRIPS 1000u
#define RAW_LANES 256u
#define STEPS 20000u
#define BARRIERS_MORE 8.0 /* of phases_kernel.c beyond the first phase */

rk_status gpu_bench_start(gpu_bench *b, const char *module, const char *path,
                          const rk_param_value *params, size_t param_count, rk_kernel **out_kernel,
                          rk_err *err)
{
    rk_module *code = NULL;
    rk_kernel *kernel = NULL;
    rk_status status = path != NULL ? rk_module_open_file(path, &code, err)
                                    : rk_module_open_builtin(module, &code, err);
    rk_launch launch = {.name = module, .module = code, .device = b->device, .params = params};
    launch.param_count = param_count;
    if (status == RK_OK) {
        status = rk_kernel_create(b->runtime, &launch, &kernel, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_start(kernel, err);
    }
    rk_module_unref(code);
    if (status != RK_OK) {
        rk_kernel_destroy(kernel);
        return status;
    }
    *out_kernel = kernel;
    return RK_OK;
}

rk_status gpu_bench_run_steps(rk_kernel *kernel, uint64_t steps, double *out_s, rk_err *err)
{
    uint64_t id = 0;
    rk_reply reply;
    double start = rk_bench_now_s();
    rk_status status = rk_kernel_run(kernel, steps, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    *out_s = rk_bench_now_s() - start;
    if (status == RK_OK && reply.status != RK_OK) {
        status = rk_err_set(err, reply.status, "a run failed: %s", rk_status_text(reply.status));
    }
    return status;
}

/* ---- Round trips --------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile_us(double *times_s, uint32_t count, double quantile)
{
    qsort(times_s, count, sizeof times_s[0], by_size);
    uint32_t at = (uint32_t)((double)count * quantile);
    return times_s[RK_MIN(at, count - 1)] * 1e6;
}

static rk_status time_probes(rk_kernel *kernel, double *times_s, uint32_t count, rk_err *err)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        rk_probe probe;
        double start = rk_bench_now_s();
        status = rk_kernel_probe(kernel, RK_FOREVER, &probe, err);
        times_s[i] = rk_bench_now_s() - start;
    }
    return status;
}

static rk_status time_pings(rk_kernel *kernel, double *times_s, uint32_t count, rk_err *err)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        uint64_t id = 0;
        rk_reply reply;
        double start = rk_bench_now_s();
        status = rk_kernel_ping(kernel, &id, err);
        if (status == RK_OK) {
            status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
        }
        times_s[i] = rk_bench_now_s() - start;
    }
    return status;
}

/* Before our kernel is resident: nothing may be launched and waited for beside it. */
static rk_status time_launches(gpu_bench *b, uint32_t blocks, double *out_launch_us,
                               double *out_graph_us)
{
    double launch[RAW_TRIPS];
    double graph[RAW_TRIPS];
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < RAW_TRIPS && status == RK_OK; i++) {
        status = cuda_raw_launch_sync(b->raw, blocks, RAW_LANES, &launch[i]);
        if (status == RK_OK) {
            status = cuda_raw_graph_sync(b->raw, blocks, RAW_LANES, &graph[i]);
        }
    }
    if (status == RK_OK) {
        *out_launch_us = quantile_us(launch, RAW_TRIPS, 0.5);
        *out_graph_us = quantile_us(graph, RAW_TRIPS, 0.5);
    }
    return status;
}

static uint32_t units_of(const gpu_bench *b)
{
    rk_device_info info = {.units = 1};
    uint32_t count = rk_runtime_device_count(b->runtime);
    for (uint32_t i = 0; i < count; i++) {
        if (rk_runtime_device_info(b->runtime, i, &info) == RK_OK &&
            strcmp(info.name, b->device) == 0) {
            return info.units;
        }
    }
    return 1;
}

rk_status gpu_bench_roundtrip(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    double launch_us = 0;
    double graph_us = 0;
    uint32_t trips = (uint32_t)rk_bench_scaled(&b->options, TRIPS);
    double *times = calloc(trips, sizeof *times);
    rk_kernel *kernel = NULL;
    rk_status status = times != NULL ? RK_OK : RK_NO_MEMORY;
    if (status == RK_OK && b->raw != NULL) {
        status = time_launches(b, units_of(b), &launch_us, &graph_us);
    }
    if (status == RK_OK) {
        status = gpu_bench_start(b, "echo", NULL, NULL, 0, &kernel, err);
    }
    if (status == RK_OK) {
        status = time_probes(kernel, times, trips, err);
    }
    if (status == RK_OK) {
        double p50 = quantile_us(times, trips, 0.5);
        rk_bench_put(report, RK_BENCH_METRIC, "probe_p50_us", p50, "us");
        rk_bench_reach(report, RK_BENCH_AT_MOST, 2.5);
        rk_bench_put(report, RK_BENCH_METRIC, "probe_p99_us", quantile_us(times, trips, 0.99),
                     "us");
        if (b->raw != NULL) {
            rk_bench_put(report, RK_BENCH_REFERENCE, "launch_sync_p50_us", launch_us, "us");
            rk_bench_put(report, RK_BENCH_REFERENCE, "graph_sync_p50_us", graph_us, "us");
            rk_bench_put(report, RK_BENCH_RATIO, "launch_per_probe", launch_us / p50, "x");
            rk_bench_reach(report, RK_BENCH_AT_LEAST, 3);
            rk_bench_put(report, RK_BENCH_RATIO, "graph_per_probe", graph_us / p50, "x");
            rk_bench_reach(report, RK_BENCH_AT_LEAST, 3);
        }
        status = time_pings(kernel, times, trips, err);
    }
    if (status == RK_OK) {
        double p50 = quantile_us(times, trips, 0.5);
        rk_bench_put(report, RK_BENCH_METRIC, "ping_p50_us", p50, "us");
        rk_bench_put(report, RK_BENCH_METRIC, "ping_p99_us", quantile_us(times, trips, 0.99), "us");
        if (b->raw != NULL) {
            rk_bench_put(report, RK_BENCH_RATIO, "launch_per_ping", launch_us / p50, "x");
            rk_bench_put(report, RK_BENCH_RATIO, "graph_per_ping", graph_us / p50, "x");
        }
    }
    rk_kernel_destroy(kernel);
    free(times);
    return status;
}

/* ---- Steps --------------------------------------------------------------------------------- */

static rk_status time_steps(gpu_bench *b, const char *module, const char *path,
                            rk_bench_samples *samples, rk_err *err)
{
    uint64_t steps = rk_bench_scaled(&b->options, STEPS);
    rk_kernel *kernel = NULL;
    rk_status status = gpu_bench_start(b, module, path, NULL, 0, &kernel, err);
    for (unsigned i = 0; i < rk_bench_rounds(&b->options) && status == RK_OK; i++) {
        double seconds = 0;
        status = gpu_bench_run_steps(kernel, steps, &seconds, err);
        rk_bench_sample(samples, seconds / (double)steps * 1e6);
    }
    rk_kernel_destroy(kernel);
    return status;
}

rk_status gpu_bench_step(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    rk_bench_samples one = {.count = 0};
    rk_bench_samples nine = {.count = 0};
    rk_status status = time_steps(b, "echo", NULL, &one, err);
    if (status == RK_OK) {
        status = time_steps(b, "phases", b->phases_path, &nine, err);
    }
    if (status == RK_OK) {
        double step = rk_bench_quantile(&one, 0.5);
        rk_bench_put_samples(report, RK_BENCH_METRIC, "empty_step_us", &one, "us");
        rk_bench_reach(report, RK_BENCH_AT_MOST, 2);
        rk_bench_put_samples(report, RK_BENCH_METRIC, "nine_phases_us", &nine, "us");
        double barriers = rk_bench_quantile(&nine, 0.5) - step;
        if (barriers > 0) {
            rk_bench_put(report, RK_BENCH_METRIC, "barrier_us", barriers / BARRIERS_MORE, "us");
        } else {
            rk_bench_skip(report, "barrier_us",
                          "lost in the noise: nine phases took no longer "
                          "than one");
        }
    }
    return status;
}

/* ---- Waves --------------------------------------------------------------------------------- */

/* Bytes that a step must move per cell: two levels read, one written. */
#define WAVE_BYTES 12.0

static rk_status wave_of(gpu_bench *b, uint32_t n, double *out_cells_s, rk_err *err)
{
    char edge[16];
    rk_kernel *kernel = NULL;
    (void)snprintf(edge, sizeof edge, "%u", n);
    const rk_param_value params[] = {{"nx", edge}, {"ny", edge}, {"nz", edge}};
    rk_status status = gpu_bench_start(b, "wave3d", NULL, params, 3, &kernel, err);
    uint64_t steps = 20 + 200000000ull / ((uint64_t)n * n * n);
    double seconds = 0;
    if (status == RK_OK) {
        status = gpu_bench_run_steps(kernel, 4, &seconds, err); /* warms up */
    }
    if (status == RK_OK) {
        status = gpu_bench_run_steps(kernel, steps, &seconds, err);
    }
    *out_cells_s = (double)n * n * n * (double)steps / seconds;
    rk_kernel_destroy(kernel);
    return status;
}

rk_status gpu_bench_wave(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    static const uint32_t edges[] = {64, 256, 512, 768};
    static const char *const cells_keys[] = {"wave64_gcells_s", "wave256_gcells_s",
                                             "wave512_gcells_s", "wave768_gcells_s"};
    static const char *const share_keys[] = {"wave64_of_copy", "wave256_of_copy", "wave512_of_copy",
                                             "wave768_of_copy"};
    static const char *const plain_keys[] = {"plain64_gcells_s", "plain256_gcells_s",
                                             "plain512_gcells_s", "plain768_gcells_s"};
    double copy = 0;
    double plain[RK_COUNT_OF(edges)] = {0};
    rk_status status = RK_OK;
    if (b->raw != NULL) {
        status = cuda_raw_copy_rate(b->raw, (uint64_t)1 << 30, &copy);
        for (size_t i = 0; i < RK_COUNT_OF(edges) && status == RK_OK; i++) {
            if (edges[i] <= b->largest) {
                status = cuda_raw_stencil_rate(b->raw, edges[i], 100, &plain[i]);
            }
        }
        rk_bench_put(report, RK_BENCH_REFERENCE, "copy_gb_s", copy / 1e9, "GB/s");
    }
    for (size_t i = 0; i < RK_COUNT_OF(edges) && status == RK_OK; i++) {
        double rate = 0;
        if (edges[i] > b->largest) {
            continue;
        }
        status = wave_of(b, edges[i], &rate, err);
        if (status != RK_OK) {
            break;
        }
        rk_bench_put(report, RK_BENCH_METRIC, cells_keys[i], rate / 1e9, "Gcells/s");
        if (b->raw != NULL) {
            rk_bench_put(report, RK_BENCH_RATIO, share_keys[i], rate * WAVE_BYTES / copy, "");
            if (edges[i] >= 256) {
                rk_bench_reach(report, RK_BENCH_AT_LEAST, 0.8);
            }
            rk_bench_put(report, RK_BENCH_REFERENCE, plain_keys[i], plain[i] / 1e9, "Gcells/s");
        }
    }
    return status;
}

/* ---- Sustained ----------------------------------------------------------------------------- */

static double resident_mib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*s %lu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(file);
    }
    return (double)pages * 4096.0 / 1048576.0;
}

/* One of each kind of command; the time of the ping among them. */
static rk_status mixed_round(rk_kernel *kernel, double *out_ping_s, rk_err *err)
{
    uint8_t payload[200] = {0};
    uint8_t back[200];
    rk_received received;
    rk_reply reply;
    uint64_t id = 0;
    double seconds;
    rk_status status = gpu_bench_run_steps(kernel, 50, &seconds, err);
    if (status == RK_OK) {
        status = rk_kernel_send(kernel, 300, 0, payload, sizeof payload, NULL, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_receive(kernel, RK_FOREVER, &received, back, sizeof back, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_stats(kernel, NULL, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_custom(kernel, 1, payload, sizeof payload, &id, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    return status == RK_OK ? time_pings(kernel, out_ping_s, 1, err) : status;
}

rk_status gpu_bench_sustained(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    enum { WINDOW = 2000 };
    static double first[WINDOW];
    static double last[WINDOW];
    uint64_t rounds = 0;
    rk_kernel *kernel = NULL;
    rk_status status = gpu_bench_start(b, "echo", NULL, NULL, 0, &kernel, err);
    double start = rk_bench_now_s();
    double before_mib = 0;
    while (status == RK_OK && (rk_bench_now_s() - start < b->seconds || rounds < WINDOW)) {
        double ping = 0;
        status = mixed_round(kernel, &ping, err);
        if (rounds < WINDOW) {
            first[rounds] = ping;
        }
        last[rounds % WINDOW] = ping;
        rounds++;
        if (rounds == WINDOW) {
            before_mib = resident_mib();
        }
    }
    double seconds = rk_bench_now_s() - start;
    if (status == RK_OK) {
        double p50_first = quantile_us(first, WINDOW, 0.5);
        double p50_last = quantile_us(last, WINDOW, 0.5);
        rk_bench_put(report, RK_BENCH_METRIC, "sustained_s", seconds, "s");
        rk_bench_put(report, RK_BENCH_METRIC, "sustained_commands_s", (double)rounds * 5 / seconds,
                     "1/s");
        rk_bench_put(report, RK_BENCH_METRIC, "first_ping_p50_us", p50_first, "us");
        rk_bench_put(report, RK_BENCH_METRIC, "last_ping_p50_us", p50_last, "us");
        rk_bench_put(report, RK_BENCH_RATIO, "drift", p50_last / p50_first, "x");
        rk_bench_put(report, RK_BENCH_METRIC, "growth_mib", resident_mib() - before_mib, "MiB");
    }
    rk_kernel_destroy(kernel);
    return status;
}
