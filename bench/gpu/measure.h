/*
 * measure.h: the parts of the GPU bench. Each drives the product's public API on one device and
 * fills the report; where raw is not NULL it measures its reference next to it.
 */
#ifndef RK_BENCH_GPU_MEASURE_H
#define RK_BENCH_GPU_MEASURE_H

#include "bench/bench.h"
#include "bench/gpu/cuda_raw.h"
#include <ringkernel/ringkernel.h>

typedef struct gpu_bench {
    rk_runtime *runtime;
    const char *device;
    cuda_raw *raw; /* NULL: no references */
    const char *phases_path;
    double seconds;   /* of the sustained part */
    uint32_t largest; /* edge of the largest wave */
    rk_bench_options options;
} gpu_bench;

rk_status gpu_bench_roundtrip(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_step(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_k2k(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_actors(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_wave(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_pool(gpu_bench *b, rk_bench_report *report, rk_err *err);
rk_status gpu_bench_sustained(gpu_bench *b, rk_bench_report *report, rk_err *err);

/* A built-in kernel, or, with path, that of a bundle; started with the device's own grid. */
rk_status gpu_bench_start(gpu_bench *b, const char *module, const char *path,
                          const rk_param_value *params, size_t param_count, rk_kernel **out_kernel,
                          rk_err *err);
/* Seconds that a run takes from the command to its answer. */
rk_status gpu_bench_run_steps(rk_kernel *kernel, uint64_t steps, double *out_s, rk_err *err);

#endif
