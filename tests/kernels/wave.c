/*
 * wave.c: see wave.h.
 */
#include "kernels/wave.h"

#include "kernels/cm.h"

#include <stdlib.h>
#include <string.h>

wave_kernel wave_new(const char *variant, unsigned blocks, unsigned lanes, uint64_t nx, uint64_t ny,
                     uint64_t nz, double dx, double dt)
{
    wave_kernel w = {.nx = nx, .ny = ny, .nz = nz, .cells = nx * ny * nz, .dx = dx, .dt = dt};
    w.f64 = strcmp(variant, "f64") == 0;
    w.k = kt_new("wave3d", variant, blocks, lanes);
    kt_u(w.k, "nx", nx);
    kt_u(w.k, "ny", ny);
    kt_u(w.k, "nz", nz);
    kt_f(w.k, "dx", dx);
    kt_f(w.k, "dt", dt);
    return w;
}

void wave_create(wave_kernel *w)
{
    kt_create(w->k);
}

void wave_write(wave_kernel *w, const char *field, const double *data, uint64_t count)
{
    if (w->f64) {
        kt_write(w->k, field, data, count);
        return;
    }
    float *narrow = malloc(count * sizeof(*narrow));
    for (uint64_t i = 0; i < count; i++) {
        narrow[i] = (float)data[i];
    }
    kt_write(w->k, field, narrow, count);
    free(narrow);
}

void wave_read(wave_kernel *w, const char *field, double *data, uint64_t count)
{
    if (w->f64) {
        kt_read(w->k, field, data, count);
        return;
    }
    float *narrow = malloc(count * sizeof(*narrow));
    kt_read(w->k, field, narrow, count);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = (double)narrow[i];
    }
    free(narrow);
}

void wave_initial(wave_kernel *w, const double *now, const double *before)
{
    wave_write(w, "pressure_even", now, w->cells);
    wave_write(w, "pressure_odd", before, w->cells);
}

void wave_run(wave_kernel *w, uint64_t steps)
{
    assert_int_equal(kt_run(w->k, steps), RK_OK);
    w->steps += steps;
}

void wave_pressure(wave_kernel *w, double *out)
{
    wave_read(w, w->steps % 2 ? "pressure_odd" : "pressure_even", out, w->cells);
}

void wave_energy(wave_kernel *w, double *out_energy, double *out_peak, double *out_rms)
{
    uint64_t value[3];
    assert_int_equal(kt_custom(w->k, 1, NULL, 0, value), RK_OK);
    memcpy(out_energy, &value[0], sizeof(double));
    memcpy(out_peak, &value[1], sizeof(double));
    memcpy(out_rms, &value[2], sizeof(double));
}

void wave_end(wave_kernel *w)
{
    kt_end(w->k);
}
