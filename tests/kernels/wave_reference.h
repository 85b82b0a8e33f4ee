/*
 * wave_reference.h: the scheme of kernels/wave3d.c written as plainly as possible, in double
 * precision.
 */
#ifndef RK_TESTS_KERNELS_WAVE_REFERENCE_H
#define RK_TESTS_KERNELS_WAVE_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

typedef struct wave_reference {
    int nx, ny, nz;
    double dx, dt;
    double *now, *before;    /* pressure at the present step and the one before */
    double *speed, *density; /* per cell */
    uint8_t *solid;          /* per cell */
    double *admittance;      /* per cell: sum over its absorbing faces */
} wave_reference;

void wave_reference_init(wave_reference *w, int nx, int ny, int nz, double dx, double dt);
void wave_reference_finish(wave_reference *w);
size_t wave_reference_cell(const wave_reference *w, int x, int y, int z);
void wave_reference_step(wave_reference *w);
/* The conserved energy between the present step and the one before. */
double wave_reference_energy(const wave_reference *w);

#endif
