/*
 * reference_wave.c: second-order scalar leapfrog on the arrays of rk_room_grid.
 */
#include "reference_wave.h"

#include <math.h>
#include <stdlib.h>

typedef struct reference {
    float *p, *p_prev, *s, *m, *a;
} reference;

static void prepare(const rk_room_grid *grid, reference *r)
{
    size_t n = grid->cell_count;
    r->p = calloc(n, sizeof(float));
    r->p_prev = calloc(n, sizeof(float));
    r->s = calloc(n, sizeof(float));
    r->m = calloc(n, sizeof(float));
    r->a = calloc(grid->boundary_count + 1, sizeof(float));
    if (!r->p || !r->p_prev || !r->s || !r->m || !r->a) {
        abort();
    }
    double ratio = grid->dt_s / grid->dx_m;
    for (size_t i = 0; i < n; i++) {
        if (!grid->solid[i]) {
            double c = (double)grid->sound_speed[i];
            double rho = (double)grid->density[i];
            r->s[i] = (float)sqrt(1.0 / rho);
            r->m[i] = (float)(sqrt(1.0 / rho) * rho * c * c * ratio * ratio);
        }
    }
    for (size_t b = 0; b < grid->boundary_count; b++) {
        double c = (double)grid->sound_speed[grid->boundary_cell[b]];
        r->a[b] = (float)(0.5 * c * ratio * (double)grid->boundary_admittance[b]);
    }
}

static void advance(const rk_room_grid *grid, const reference *r, float *restrict next)
{
    size_t sy = grid->nx;
    size_t sz = (size_t)grid->nx * grid->ny;
    const float *restrict p = r->p;
    const float *restrict s = r->s;
    const float *restrict m = r->m;
    for (size_t i = sz + sy; i < grid->cell_count - sz - sy; i++) {
        float c = p[i];
        float sum = s[i - 1] * (p[i - 1] - c) + s[i + 1] * (p[i + 1] - c) +
                    s[i - sy] * (p[i - sy] - c) + s[i + sy] * (p[i + sy] - c) +
                    s[i - sz] * (p[i - sz] - c) + s[i + sz] * (p[i + sz] - c);
        next[i] = 2.0f * c - next[i] + m[i] * sum;
    }
}

void reference_wave_run(const rk_room_grid *grid, float *const *source_samples,
                        float *const *receiver_samples,
                        void (*on_step)(void *context, uint64_t step, const float *p),
                        void *context)
{
    reference r;
    prepare(grid, &r);
    float *prev_boundary = calloc(grid->boundary_count + 1, sizeof(float));
    if (!prev_boundary) {
        abort();
    }
    for (uint64_t step = 0; step < grid->step_count; step++) {
        for (size_t b = 0; b < grid->boundary_count; b++) {
            prev_boundary[b] = r.p_prev[grid->boundary_cell[b]];
        }
        advance(grid, &r, r.p_prev);
        for (size_t b = 0; b < grid->boundary_count; b++) {
            float *next = &r.p_prev[grid->boundary_cell[b]];
            *next = (*next + r.a[b] * prev_boundary[b]) / (1.0f + r.a[b]);
        }
        for (size_t k = 0; k < grid->source_count; k++) {
            for (uint32_t i = 0; i < grid->sources[k].count; i++) {
                r.p_prev[grid->sources[k].cell[i]] +=
                    grid->sources[k].weight[i] * source_samples[k][step];
            }
        }
        float *swap = r.p;
        r.p = r.p_prev;
        r.p_prev = swap;
        for (size_t k = 0; k < grid->receiver_count; k++) {
            float sum = 0.0f;
            for (uint32_t i = 0; i < grid->receivers[k].count; i++) {
                sum += grid->receivers[k].weight[i] * r.p[grid->receivers[k].cell[i]];
            }
            receiver_samples[k][step] = sum;
        }
        if (on_step) {
            on_step(context, step + 1, r.p);
        }
    }
    free(r.p);
    free(r.p_prev);
    free(r.s);
    free(r.m);
    free(r.a);
    free(prev_boundary);
}
