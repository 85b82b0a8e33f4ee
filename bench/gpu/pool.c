/*
 * pool.c: allocate and free in the memory pool of a resident kernel, beside cuMemAllocAsync. Warm:
 * the block freed last serves the next request. Cold: nothing is cached.
 */
#include "bench/gpu/measure.h"

#define BLOCK_BYTES 4096u
#define PAIRS 100000u

static rk_status time_pairs(rk_pool *pool, uint64_t count, double *out_s, rk_err *err)
{
    const rk_pool_request request = {.bytes = BLOCK_BYTES};
    rk_status status = RK_OK;
    double start = rk_bench_now_s();
    for (uint64_t i = 0; i < count && status == RK_OK; i++) {
        rk_pool_allocation allocation;
        status = rk_pool_allocate(pool, &request, &allocation, err);
        if (status == RK_OK) {
            status = rk_pool_free(pool, allocation.handle, err);
        }
    }
    *out_s = (rk_bench_now_s() - start) / (double)count;
    return status;
}

/* What was cached has gone back to the buddy allocator before each. In nanoseconds. */
static rk_status time_cold_pairs(rk_pool *pool, rk_bench_samples *out_pairs, rk_err *err)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < RK_BENCH_MAX_SAMPLES && status == RK_OK; i++) {
        double pair_s = 0;
        status = rk_pool_trim(pool, NULL, err);
        if (status == RK_OK) {
            status = time_pairs(pool, 1, &pair_s, err);
        }
        rk_bench_sample(out_pairs, pair_s * 1e9);
    }
    return status;
}

/* Before our kernel is resident; not for a device without references. */
static rk_status time_raw(gpu_bench *b, rk_bench_samples *out_warm, rk_bench_samples *out_cold,
                          rk_err *err)
{
    rk_status status = b->raw != NULL ? RK_OK : RK_NOT_FOUND;
    unsigned rounds = rk_bench_rounds(&b->options);
    uint32_t pairs = (uint32_t)rk_bench_scaled(&b->options, PAIRS / 10);
    for (unsigned i = 0; i < rounds && status == RK_OK; i++) {
        double pair_s = 0;
        status = cuda_raw_pool_pair(b->raw, BLOCK_BYTES, pairs, &pair_s);
        rk_bench_sample(out_warm, pair_s * 1e9);
    }
    for (unsigned i = 0; i < RK_BENCH_MAX_SAMPLES && status == RK_OK; i++) {
        double pair_s = 0; /* the wait behind each gives what is free back to the system */
        status = cuda_raw_pool_pair(b->raw, BLOCK_BYTES, 1, &pair_s);
        rk_bench_sample(out_cold, pair_s * 1e9);
    }
    if (b->raw != NULL && status != RK_OK) {
        return rk_err_set(err, status, "cuMemAllocAsync fails: %s", rk_status_text(status));
    }
    return RK_OK;
}

static rk_status start_kernel(gpu_bench *b, rk_kernel **out_kernel, rk_err *err)
{
    rk_pool_options pool = {.bytes = (uint64_t)64 << 20};
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_status status = rk_module_open_builtin("echo", &module, err);
    rk_launch launch = {.name = "pooled", .module = module, .device = b->device, .pool = &pool};
    if (status == RK_OK) {
        status = rk_kernel_create(b->runtime, &launch, &kernel, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_start(kernel, err);
    }
    rk_module_unref(module);
    if (status != RK_OK) {
        rk_kernel_destroy(kernel);
        return status;
    }
    *out_kernel = kernel;
    return RK_OK;
}

rk_status gpu_bench_pool(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    rk_bench_samples warm = {.count = 0};
    rk_bench_samples cold = {.count = 0};
    rk_bench_samples raw_warm = {.count = 0};
    rk_bench_samples raw_cold = {.count = 0};
    rk_kernel *kernel = NULL;
    rk_status status = time_raw(b, &raw_warm, &raw_cold, err);
    if (status == RK_OK) {
        status = start_kernel(b, &kernel, err);
    }
    for (unsigned i = 0; i < rk_bench_rounds(&b->options) && status == RK_OK; i++) {
        double pair_s = 0;
        status =
            time_pairs(rk_kernel_pool(kernel), rk_bench_scaled(&b->options, PAIRS), &pair_s, err);
        rk_bench_sample(&warm, pair_s * 1e9);
    }
    if (status == RK_OK) {
        status = time_cold_pairs(rk_kernel_pool(kernel), &cold, err);
    }
    if (status == RK_OK) {
        status = rk_pool_check(rk_kernel_pool(kernel), err);
    }
    rk_kernel_destroy(kernel);
    if (status != RK_OK) {
        return status;
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, "pool_warm_pair_ns", &warm, "ns");
    rk_bench_put_samples(report, RK_BENCH_METRIC, "pool_cold_pair_ns", &cold, "ns");
    if (raw_warm.count == 0) {
        rk_bench_skip(report, "cuda_alloc_async_warm_pair_ns", "no CUDA device");
        return RK_OK;
    }
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "cuda_alloc_async_warm_pair_ns", &raw_warm,
                         "ns");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "cuda_alloc_async_cold_pair_ns", &raw_cold,
                         "ns");
    rk_bench_put(report, RK_BENCH_RATIO, "pool_warm_vs_cuda_alloc_async",
                 rk_bench_quantile(&raw_warm, 0.5) / rk_bench_quantile(&warm, 0.5), "");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 1);
    rk_bench_put(report, RK_BENCH_RATIO, "pool_cold_vs_cuda_alloc_async",
                 rk_bench_quantile(&raw_cold, 0.5) / rk_bench_quantile(&cold, 0.5), "");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 1);
    return RK_OK;
}
