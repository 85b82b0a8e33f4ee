/*
 * wave.h: what the tests of wave3d share: a kernel, its pressure as doubles, its energy.
 */
#ifndef RK_TESTS_KERNELS_WAVE_H
#define RK_TESTS_KERNELS_WAVE_H

#include "kernels/kt.h"

#include <stdbool.h>

typedef struct wave_kernel {
    kt *k;
    uint64_t nx, ny, nz, cells;
    uint64_t steps; /* taken so far */
    double dx, dt;
    bool f64;
} wave_kernel;

/* A kernel with its parameters set: more may follow before wave_create. */
wave_kernel wave_new(const char *variant, unsigned blocks, unsigned lanes, uint64_t nx, uint64_t ny,
                     uint64_t nz, double dx, double dt);
void wave_create(wave_kernel *w);
void wave_write(wave_kernel *w, const char *field, const double *data, uint64_t count);
void wave_read(wave_kernel *w, const char *field, double *data, uint64_t count);
/* Pressure at step 0 and at step -1. */
void wave_initial(wave_kernel *w, const double *now, const double *before);
void wave_run(wave_kernel *w, uint64_t steps);
void wave_pressure(wave_kernel *w, double *out);
void wave_energy(wave_kernel *w, double *out_energy, double *out_peak, double *out_rms);
void wave_end(wave_kernel *w);

#endif
