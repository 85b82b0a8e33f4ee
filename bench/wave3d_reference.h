/*
 * wave3d_reference.h: what wave3d is compared with: a loop that reads and writes the same arrays
 * and does nothing else, and the same scheme as a plain OpenMP loop.
 */
#ifndef RK_BENCH_WAVE3D_REFERENCE_H
#define RK_BENCH_WAVE3D_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/* b[i] = 2 a[i] - b[i] for i in [lo, hi): reads two arrays and writes one, as a step does. */
void rk_bench_stream(float *b, const float *a, size_t lo, size_t hi);

/* Whether the OpenMP loop was compiled in, and on how many threads it runs. */
bool rk_bench_openmp(int *out_threads);

/* One step in a rigid box of n^3 cells: next becomes 2 p - next + lambda2 sum of differences. */
void rk_bench_openmp_wave(float *next, const float *p, size_t n, float lambda2);

/* Sets both arrays to 0, by the threads that will work on them. */
void rk_bench_openmp_touch(float *a, float *b, size_t n);

#endif
