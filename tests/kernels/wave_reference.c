/*
 * wave_reference.c: see wave_reference.h.
 */
#include "kernels/wave_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void wave_reference_init(wave_reference *w, int nx, int ny, int nz, double dx, double dt)
{
    size_t n = (size_t)nx * (size_t)ny * (size_t)nz;
    *w = (wave_reference){.nx = nx, .ny = ny, .nz = nz, .dx = dx, .dt = dt};
    w->now = calloc(n, sizeof(double));
    w->before = calloc(n, sizeof(double));
    w->speed = calloc(n, sizeof(double));
    w->density = calloc(n, sizeof(double));
    w->admittance = calloc(n, sizeof(double));
    w->solid = calloc(n, 1);
    for (size_t i = 0; i < n; i++) {
        w->speed[i] = 343.0;
        w->density[i] = 1.2;
    }
}

void wave_reference_finish(wave_reference *w)
{
    free(w->now);
    free(w->before);
    free(w->speed);
    free(w->density);
    free(w->admittance);
    free(w->solid);
}

size_t wave_reference_cell(const wave_reference *w, int x, int y, int z)
{
    return ((size_t)z * (size_t)w->ny + (size_t)y) * (size_t)w->nx + (size_t)x;
}

static double s_of(const wave_reference *w, size_t i)
{
    return w->solid[i] ? 0.0 : sqrt(1.0 / w->density[i]);
}

/* sum over the faces of s_j (p_j - p_i) */
static double flow(const wave_reference *w, int x, int y, int z)
{
    static const int step[6][3] = {{-1, 0, 0}, {1, 0, 0},  {0, -1, 0},
                                   {0, 1, 0},  {0, 0, -1}, {0, 0, 1}};
    size_t i = wave_reference_cell(w, x, y, z);
    double sum = 0.0;
    for (int f = 0; f < 6; f++) {
        int a = x + step[f][0];
        int b = y + step[f][1];
        int c = z + step[f][2];
        if (a >= 0 && a < w->nx && b >= 0 && b < w->ny && c >= 0 && c < w->nz) {
            size_t j = wave_reference_cell(w, a, b, c);
            sum += s_of(w, j) * (w->now[j] - w->now[i]);
        }
    }
    return sum;
}

void wave_reference_step(wave_reference *w)
{
    for (int z = 0; z < w->nz; z++) {
        for (int y = 0; y < w->ny; y++) {
            for (int x = 0; x < w->nx; x++) {
                size_t i = wave_reference_cell(w, x, y, z);
                double s = s_of(w, i);
                double stiffness = w->density[i] * w->speed[i] * w->speed[i];
                double m = s * stiffness * w->dt * w->dt / (w->dx * w->dx);
                double a = 0.5 * w->speed[i] * w->dt / w->dx * w->admittance[i];
                double before = w->before[i];
                double rigid = 2.0 * w->now[i] - before + m * flow(w, x, y, z);
                w->before[i] = s == 0.0 ? 0.0 : (rigid + a * before) / (1.0 + a);
            }
        }
    }
    double *swap = w->now;
    w->now = w->before;
    w->before = swap;
}

double wave_reference_energy(const wave_reference *w)
{
    /* flow() works on `now`: here that is the step before, so swap the roles. */
    wave_reference back = *w;
    back.now = w->before;
    double energy = 0.0;
    for (int z = 0; z < w->nz; z++) {
        for (int y = 0; y < w->ny; y++) {
            for (int x = 0; x < w->nx; x++) {
                size_t i = wave_reference_cell(w, x, y, z);
                double s = s_of(w, i);
                if (s > 0.0) {
                    double stiffness = w->density[i] * w->speed[i] * w->speed[i];
                    double rate = (w->now[i] - w->before[i]) / w->dt;
                    energy += 0.5 * pow(w->dx, 3) / stiffness * rate * rate -
                              0.5 * w->dx * s * w->now[i] * flow(&back, x, y, z);
                }
            }
        }
    }
    return energy;
}
