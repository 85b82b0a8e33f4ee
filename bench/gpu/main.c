/*
 * rk-gpu-bench: measures RingKernel on one device, beside what the vendor's driver does without it.
 *
 *   rk-gpu-bench --device NAME [--json FILE] [--seconds N] [--largest N] [--scale X]
 *
 * Needs nothing but libc, the device's driver and, for the references on CUDA, NVRTC. Exit status:
 * 0 measured, 1 a part failed, 77 there is no such device, 2 wrong arguments.
 */
#include "bench/gpu/measure.h"

#include "base/compiler.h"
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef GPU_BENCH_PHASES
#define GPU_BENCH_PHASES "phases.rkm"
#endif
#define REPORT_BYTES (1u << 20)

static gpu_bench bench = {.seconds = 60, .largest = 768, .phases_path = GPU_BENCH_PHASES};

static rk_status run_all(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    static const struct {
        const char *name;
        rk_status (*run)(gpu_bench *, rk_bench_report *, rk_err *);
    } parts[] = {
        {"round trip", gpu_bench_roundtrip}, {"step", gpu_bench_step},   {"k2k", gpu_bench_k2k},
        {"actors", gpu_bench_actors},        {"wave3d", gpu_bench_wave}, {"pool", gpu_bench_pool},
        {"sustained", gpu_bench_sustained},
    };
    rk_err why = RK_ERR_INIT;
    bench.options = *options;
    rk_status status =
        strncmp(bench.device, "cuda:", 5) != 0
            ? rk_err_set(&why, RK_NOT_FOUND, "not a CUDA device")
            : cuda_raw_open((uint32_t)strtoul(bench.device + 5, NULL, 10), &bench.raw, &why);
    if (status != RK_OK) {
        rk_bench_note(report, "no references: %s", why.text);
    }
    rk_bench_note(report, "device %s", bench.device);
    rk_device_info info;
    for (uint32_t i = 0; rk_runtime_device_info(bench.runtime, i, &info) == RK_OK; i++) {
        if (strcmp(info.name, bench.device) == 0) {
            rk_bench_note(report, "%s, %u units, %.1f GiB", info.text, info.units,
                          (double)info.memory_bytes / 1073741824.0);
        }
    }
    status = RK_OK;
    for (size_t i = 0; i < RK_COUNT_OF(parts) && status == RK_OK; i++) {
        status = parts[i].run(&bench, report, err);
        if (status != RK_OK) {
            (void)rk_err_prefix(err, "%s: ", parts[i].name);
        }
    }
    cuda_raw_close(bench.raw);
    bench.raw = NULL;
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: rk-gpu-bench --device NAME [--json FILE] [--seconds N] [--largest N] "
                    "[--scale X]\n");
    return 2;
}

static int measure(const char *path, const rk_bench *table, const rk_bench_options *options)
{
    rk_str text;
    rk_str json;
    rk_err err = RK_ERR_INIT;
    rk_str_init(&text, REPORT_BYTES);
    rk_str_init(&json, REPORT_BYTES);
    rk_status status = rk_bench_run_both(table, options, &text, &json, &err);
    bool written = true;
    if (status != RK_OK) {
        fprintf(stderr, "rk-gpu-bench: %s\n", err.text[0] ? err.text : rk_status_text(status));
    } else {
        (void)fputs(rk_str_cstr(&text), stdout);
        FILE *file = path != NULL ? fopen(path, "we") : NULL;
        written = path == NULL || (file != NULL && fputs(rk_str_cstr(&json), file) >= 0);
        written = (file == NULL || fclose(file) == 0) && written;
    }
    if (!written) {
        fprintf(stderr, "rk-gpu-bench: cannot write '%s'\n", path);
    }
    rk_str_finish(&json);
    rk_str_finish(&text);
    return status == RK_OK && written ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *json = NULL;
    rk_bench_options options = {.rounds = 11, .scale = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--device") == 0) {
            bench.device = argv[i + 1];
        } else if (strcmp(argv[i], "--json") == 0) {
            json = argv[i + 1];
        } else if (strcmp(argv[i], "--seconds") == 0) {
            bench.seconds = strtod(argv[i + 1], NULL);
        } else if (strcmp(argv[i], "--largest") == 0) {
            bench.largest = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--scale") == 0) {
            options.scale = strtod(argv[i + 1], NULL);
        } else {
            return usage();
        }
    }
    if (bench.device == NULL || argc % 2 == 0) {
        return usage();
    }
    rk_err err = RK_ERR_INIT;
    char driver[32];
    (void)snprintf(driver, sizeof driver, "%.*s", (int)strcspn(bench.device, ":"), bench.device);
    rk_runtime_options runtime_options = {.drivers = driver};
    rk_status status = rk_runtime_create(&runtime_options, &bench.runtime, &err);
    if (status != RK_OK) {
        printf("skip %s: %s\n", bench.device, err.text);
        return status == RK_NOT_FOUND ? 77 : 1;
    }
    const rk_bench table = {"gpu", "RingKernel on one device", run_all};
    int code = measure(json, &table, &options);
    rk_runtime_destroy(bench.runtime);
    return code;
}
