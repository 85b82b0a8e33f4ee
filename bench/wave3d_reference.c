/*
 * wave3d_reference.c: see wave3d_reference.h. Compiled for the machine that builds it, with -O3,
 * and with OpenMP where the compiler has it.
 */
#include "bench/wave3d_reference.h"

#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif

void rk_bench_stream(float *restrict b, const float *restrict a, size_t lo, size_t hi)
{
    for (size_t i = lo; i < hi; i++) {
        b[i] = 2.0f * a[i] - b[i];
    }
}

bool rk_bench_openmp(int *out_threads)
{
#ifdef _OPENMP
    *out_threads = omp_get_max_threads();
    return true;
#else
    *out_threads = 1;
    return false;
#endif
}

static inline float cell(float x, float y, float z, float p, float before, float lambda2)
{
    return (p + p - before) + lambda2 * ((x + y) + z - 6.0f * p);
}

void rk_bench_openmp_wave(float *restrict next, const float *restrict p, size_t n, float lambda2)
{
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (int64_t row = 0; row < (int64_t)(n * n); row++) {
        size_t z = (size_t)row / n;
        size_t y = (size_t)row % n;
        const float *c = p + (size_t)row * n;
        const float *y0 = y == 0 ? c : c - n;
        const float *y1 = y + 1 == n ? c : c + n;
        const float *z0 = z == 0 ? c : c - n * n;
        const float *z1 = z + 1 == n ? c : c + n * n;
        float *out = next + (size_t)row * n;
        size_t end = n - 1;
        out[0] = cell(c[0] + c[1], y0[0] + y1[0], z0[0] + z1[0], c[0], out[0], lambda2);
#ifdef _OPENMP
#pragma omp simd
#endif
        for (size_t x = 1; x < end; x++) {
            out[x] = cell(c[x - 1] + c[x + 1], y0[x] + y1[x], z0[x] + z1[x], c[x], out[x], lambda2);
        }
        out[end] = cell(c[end - 1] + c[end], y0[end] + y1[end], z0[end] + z1[end], c[end], out[end],
                        lambda2);
    }
}

void rk_bench_openmp_touch(float *restrict a, float *restrict b, size_t n)
{
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (int64_t i = 0; i < (int64_t)n; i++) {
        a[i] = 0.0f;
        b[i] = 0.0f;
    }
}
