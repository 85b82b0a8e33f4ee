/*
 * wave_physics_test.c: wave3d against what is known about sound: modes of a rigid room, conserved
 * energy, the speed of a plane wave, second order, reflection at another medium and at absorbing
 * walls.
 */
#include "kernels/cm.h"
#include "kernels/wave.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define SPEED 343.0

static double mode_shape(const uint64_t n[3], const int mode[3], uint64_t x, uint64_t y, uint64_t z)
{
    return cos(PI * mode[0] * ((double)x + 0.5) / (double)n[0]) *
           cos(PI * mode[1] * ((double)y + 0.5) / (double)n[1]) *
           cos(PI * mode[2] * ((double)z + 0.5) / (double)n[2]);
}

/*
 * Angular frequency of a mode of the rigid box in the scheme: sin^2(w dt/2) = l^2 sum sin^2(k
 * dx/2).
 */
static double mode_frequency(const uint64_t n[3], const int mode[3], double dx, double dt)
{
    double sum = 0.0;
    for (int d = 0; d < 3; d++) {
        sum += pow(sin(PI * mode[d] / (2.0 * (double)n[d])), 2);
    }
    return 2.0 / dt * asin(SPEED * dt / dx * sqrt(sum));
}

/* The same in theory: w = c sqrt(sum (pi m / L)^2). */
static double mode_frequency_exact(const uint64_t n[3], const int mode[3], double dx)
{
    double sum = 0.0;
    for (int d = 0; d < 3; d++) {
        sum += pow(PI * mode[d] / ((double)n[d] * dx), 2);
    }
    return SPEED * sqrt(sum);
}

static void fill_mode(const uint64_t n[3], const int mode[3], double factor, double *out)
{
    for (uint64_t z = 0; z < n[2]; z++) {
        for (uint64_t y = 0; y < n[1]; y++) {
            for (uint64_t x = 0; x < n[0]; x++) {
                out[(z * n[1] + y) * n[0] + x] = factor * mode_shape(n, mode, x, y, z);
            }
        }
    }
}

/* A mode swings at its frequency and keeps its shape. */
static void modes_swing(void **state)
{
    (void)state;
    static const uint64_t n[3] = {24, 18, 14};
    static const int modes[][3] = {{1, 0, 0}, {0, 2, 0}, {0, 0, 1},
                                   {1, 1, 0}, {2, 1, 3}, {5, 4, 3}};
    double dx = 0.1;
    double dt = 0.99 * dx / SPEED / sqrt(3.0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        wave_kernel w = wave_new(i % 2 ? "f32" : "f64", 2, 0, n[0], n[1], n[2], dx, dt);
        wave_create(&w);
        double *now = malloc(w.cells * sizeof(*now));
        double *before = malloc(w.cells * sizeof(*before));
        double omega = mode_frequency(n, modes[i], dx, dt);
        fill_mode(n, modes[i], 1.0, now);
        fill_mode(n, modes[i], cos(omega * dt), before);
        wave_initial(&w, now, before);
        assert_int_equal(kt_start(w.k), RK_OK);
        for (int round = 1; round <= 3; round++) {
            wave_run(&w, 101);
            wave_pressure(&w, now);
            fill_mode(n, modes[i], cos(omega * dt * 101.0 * round), before);
            double worst = 0.0;
            for (uint64_t j = 0; j < w.cells; j++) {
                worst = fmax(worst, fabs(now[j] - before[j]));
            }
            assert_true(worst < (w.f64 ? 1e-10 : 2e-3));
        }
        free(now);
        free(before);
        wave_end(&w);
    }
}

/* The amplitude of one angular frequency in a windowed signal. */
static double amplitude(const double *signal, int samples, double omega_dt)
{
    double complex sum = 0.0;
    for (int i = 0; i < samples; i++) {
        double window = 0.5 - 0.5 * cos(2.0 * PI * (i + 0.5) / samples);
        sum += window * signal[i] * cexp(-I * omega_dt * i);
    }
    return cabs(sum);
}

/*
 * A clap in a corner: the spectrum at a receiver in another corner peaks at the room's frequencies.
 */
static void spectrum_shows_the_modes(void **state)
{
    (void)state;
    enum { SAMPLES = 6000 };
    static const uint64_t n[3] = {31, 24, 17};
    static const int modes[][3] = {{1, 0, 0}, {0, 1, 0}, {1, 1, 0},
                                   {0, 0, 1}, {2, 0, 0}, {1, 0, 1}};
    double dx = 0.1;
    double dt = dx / SPEED / sqrt(3.0);
    wave_kernel w = wave_new("f32", 2, 0, n[0], n[1], n[2], dx, dt);
    kt_u(w.k, "n_sources", 1);
    kt_u(w.k, "n_receivers", 1);
    kt_u(w.k, "n_samples", SAMPLES);
    wave_create(&w);
    uint32_t cell[8] = {0};
    double weight[8] = {1.0};
    double *signal = calloc(SAMPLES, sizeof(*signal));
    for (int i = 0; i < 400; i++) { /* without a mean: the mode of frequency 0 stays quiet */
        double t = (i - 100) / 12.0;
        signal[i] = -t * exp(-0.5 * t * t);
    }
    kt_write(w.k, "source_cell", cell, 8);
    wave_write(&w, "source_weight", weight, 8);
    wave_write(&w, "source_signal", signal, SAMPLES);
    cell[0] = (uint32_t)w.cells - 1;
    kt_write(w.k, "receiver_cell", cell, 8);
    wave_write(&w, "receiver_weight", weight, 8);
    assert_int_equal(kt_start(w.k), RK_OK);
    wave_run(&w, SAMPLES);
    wave_read(&w, "receiver_log", signal, SAMPLES);
    double bin = 2.0 * PI / (SAMPLES - 400);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        double expected = mode_frequency(n, modes[i], dx, dt) * dt;
        double best = 0.0;
        double best_amplitude = 0.0;
        for (double o = expected - 3.0 * bin; o <= expected + 3.0 * bin; o += bin / 32.0) {
            double a = amplitude(signal + 400, SAMPLES - 400, o);
            best = a > best_amplitude ? o : best;
            best_amplitude = fmax(a, best_amplitude);
        }
        if (fabs(best - expected) > 0.1 * bin) {
            fail_msg("mode %zu: %.6f Hz instead of %.6f Hz", i, best / dt / (2 * PI),
                     expected / dt / (2 * PI));
        }
        double theory = mode_frequency_exact(n, modes[i], dx) * dt;
        double k_dx = theory * dx / (SPEED * dt);
        assert_true(fabs(best / theory - 1.0) < k_dx * k_dx / 24.0 + 0.1 * bin / theory);
    }
    free(signal);
    wave_end(&w);
}

/* A noisy start in a rigid room with furniture and two media. */
static double energy_drift(const char *variant, uint64_t steps, bool constant)
{
    static const uint64_t n[3] = {40, 31, 22};
    wave_kernel w = wave_new(variant, 2, 0, n[0], n[1], n[2], 0.05, 7e-5);
    wave_create(&w);
    double *now = malloc(w.cells * sizeof(*now));
    double *other = calloc(w.cells, sizeof(*other));
    uint8_t *solid = calloc(w.cells, 1);
    uint32_t random = 12345;
    for (uint64_t i = 0; i < w.cells; i++) {
        uint64_t x = i % n[0];
        uint64_t z = i / n[0] / n[1];
        random = random * 1664525u + 1013904223u;
        solid[i] = x > 25 && x < 30 && z < 12;
        now[i] = solid[i] ? 0.0 : constant ? 1.0 : (double)(random >> 8) / 16777216.0 - 0.5;
        other[i] = x < 10 ? 1.5 : 0.0;
    }
    kt_write(w.k, "solid", solid, w.cells);
    wave_write(&w, "density", other, w.cells);
    wave_initial(&w, now, now);
    assert_int_equal(kt_start(w.k), RK_OK);
    double before;
    double after;
    double peak;
    double rms;
    wave_run(&w, 1);
    wave_energy(&w, &before, &peak, &rms);
    wave_run(&w, steps);
    wave_energy(&w, &after, &peak, &rms);
    wave_pressure(&w, other);
    double largest = 0.0;
    double squares = 0.0;
    uint64_t fluid = 0;
    for (uint64_t i = 0; i < w.cells; i++) {
        largest = fmax(largest, fabs(other[i]));
        squares += other[i] * other[i];
        fluid += !solid[i];
        if (constant) {
            assert_true(other[i] == now[i]);
        }
    }
    assert_true(fabs(peak - largest) <= 1e-12 * largest);
    assert_true(fabs(rms - sqrt(squares / (double)fluid)) <= 1e-9 * rms);
    free(now);
    free(other);
    free(solid);
    wave_end(&w);
    return constant ? after : fabs(after / before - 1.0);
}

static void energy_is_conserved(void **state)
{
    (void)state;
    assert_true(energy_drift("f64", 3000, false) < 1e-12);
    assert_true(energy_drift("f32", 3000, false) < 1e-4);
}

/* Nothing holds a constant pressure but exact arithmetic. */
static void constant_pressure_stays(void **state)
{
    (void)state;
    assert_true(energy_drift("f32", 500, true) == 0.0);
}

/* ---- Plane waves along x: a pulse that moves to the right ---- */

typedef struct tube {
    wave_kernel w;
    double *p;
} tube;

static double pulse(double x, double centre, double width)
{
    double u = (x - centre) / width;
    return exp(-0.5 * u * u);
}

static tube tube_new(const char *variant, uint64_t nx, double dx, double dt)
{
    tube t = {.w = wave_new(variant, 1, 0, nx, 3, 3, dx, dt)};
    t.p = malloc(t.w.cells * sizeof(*t.p));
    return t;
}

static void tube_start(tube *t, double centre, double width)
{
    double *before = malloc(t->w.cells * sizeof(*before));
    for (uint64_t i = 0; i < t->w.cells; i++) {
        double x = ((double)(i % t->w.nx) + 0.5) * t->w.dx;
        t->p[i] = pulse(x, centre, width);
        before[i] = pulse(x + SPEED * t->w.dt, centre, width);
    }
    wave_initial(&t->w, t->p, before);
    free(before);
    assert_int_equal(kt_start(t->w.k), RK_OK);
}

/* The extreme value in [from, to) of the middle row, and its place by a parabola. */
static double tube_extreme(tube *t, uint64_t from, uint64_t to, double *out_x)
{
    const double *row = t->p + (4 * t->w.nx);
    uint64_t best = from;
    for (uint64_t i = from; i < to; i++) {
        best = fabs(row[i]) > fabs(row[best]) ? i : best;
    }
    if (out_x != NULL) {
        double a = row[best - 1];
        double b = row[best];
        double c = row[best + 1];
        *out_x = ((double)best + 0.5 + 0.5 * (a - c) / (a - 2.0 * b + c)) * t->w.dx;
    }
    return row[best];
}

static void tube_end(tube *t)
{
    free(t->p);
    wave_end(&t->w);
}

static void plane_wave_has_the_speed_of_sound(void **state)
{
    (void)state;
    double dx = 0.01;
    double dt = 0.5 * dx / SPEED;
    tube t = tube_new("f32", 600, dx, dt);
    wave_create(&t.w);
    tube_start(&t, 1.0, 0.15);
    wave_run(&t.w, 700);
    wave_pressure(&t.w, t.p);
    double x;
    double height = tube_extreme(&t, 1, 599, &x);
    double speed = (x - 1.0) / (700.0 * dt);
    assert_true(fabs(speed / SPEED - 1.0) < 1e-3);
    assert_true(fabs(height - 1.0) < 5e-3);
    tube_end(&t);
}

/* At a border of media: reflected (Z2 - Z1) / (Z2 + Z1), transmitted 2 Z2 / (Z2 + Z1). */
static void border_reflects_and_transmits(void **state)
{
    (void)state;
    static const double media[][2] = {{343.0, 4.8}, {343.0, 0.4}, {171.5, 1.2}, {600.0, 2.0}};
    double dx = 0.01;
    double dt = 0.4 * dx / 600.0;
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++) {
        tube t = tube_new("f64", 800, dx, dt);
        wave_create(&t.w);
        double *speed = calloc(t.w.cells, sizeof(*speed));
        double *density = calloc(t.w.cells, sizeof(*density));
        for (uint64_t j = 0; j < t.w.cells; j++) {
            bool behind = j % t.w.nx >= 400;
            speed[j] = behind ? media[i][0] : 0.0;
            density[j] = behind ? media[i][1] : 0.0;
        }
        wave_write(&t.w, "sound_speed", speed, t.w.cells);
        wave_write(&t.w, "density", density, t.w.cells);
        tube_start(&t, 2.0, 0.15);
        wave_run(&t.w, (uint64_t)(3.2 / (SPEED * dt))); /* 2 m to the border, 1.2 m from it */
        wave_pressure(&t.w, t.p);
        double z1 = SPEED * 1.2;
        double z2 = media[i][0] * media[i][1];
        double reflected = tube_extreme(&t, 1, 380, NULL);
        double transmitted = tube_extreme(&t, 420, 799, NULL);
        if (fabs(reflected - (z2 - z1) / (z2 + z1)) > 0.02 ||
            fabs(transmitted - 2.0 * z2 / (z2 + z1)) > 0.02) {
            fail_msg("medium %zu: reflected %.4f, should be %.4f; transmitted %.4f, should be %.4f",
                     i, reflected, (z2 - z1) / (z2 + z1), transmitted, 2.0 * z2 / (z2 + z1));
        }
        free(speed);
        free(density);
        tube_end(&t);
    }
}

/* At a wall of specific admittance xi: (1 - xi) / (1 + xi). */
static void wall_absorbs(void **state)
{
    (void)state;
    static const double admittances[] = {0.0, 0.05, 0.3, 1.0, 3.0};
    double dx = 0.01;
    double dt = 0.55 * dx / SPEED;
    for (size_t i = 0; i < sizeof(admittances) / sizeof(admittances[0]); i++) {
        double xi = admittances[i];
        tube t = tube_new(i % 2 ? "f32" : "f64", 400, dx, dt);
        kt_u(t.w.k, "n_boundary", 9);
        wave_create(&t.w);
        uint32_t cell[9];
        double admittance[9];
        for (int j = 0; j < 9; j++) {
            cell[j] = (uint32_t)(400 * j + 399);
            admittance[j] = xi;
        }
        kt_write(t.w.k, "boundary_cell", cell, 9);
        wave_write(&t.w, "boundary_admittance", admittance, 9);
        tube_start(&t, 2.0, 0.3);
        wave_run(&t.w, (uint64_t)(3.5 / (SPEED * dt)));
        wave_pressure(&t.w, t.p);
        double reflected = tube_extreme(&t, 1, 399, NULL);
        double expected = (1.0 - xi) / (1.0 + xi);
        if (fabs(reflected - expected) > 0.01) {
            fail_msg("admittance %g: reflected %.4f, should be %.4f", xi, reflected, expected);
        }
        tube_end(&t);
    }
}

/* ---- Order ---- */

/* The error against the exact solution, a mode of the box, at a fixed time. */
static double mode_error(uint64_t scale)
{
    const uint64_t n[3] = {6 * scale, 5 * scale, 4 * scale};
    static const int mode[3] = {2, 1, 0};
    double dx = 0.4 / (double)scale;
    double dt = 0.45 * dx / SPEED;
    double omega = mode_frequency_exact(n, mode, dx);
    uint64_t steps = 20 * scale;
    wave_kernel w = wave_new("f64", 2, 0, n[0], n[1], n[2], dx, dt);
    wave_create(&w);
    double *now = malloc(w.cells * sizeof(*now));
    double *exact = malloc(w.cells * sizeof(*exact));
    fill_mode(n, mode, 1.0, now);
    fill_mode(n, mode, cos(omega * dt), exact);
    wave_initial(&w, now, exact);
    assert_int_equal(kt_start(w.k), RK_OK);
    wave_run(&w, steps);
    wave_pressure(&w, now);
    fill_mode(n, mode, cos(omega * dt * (double)steps), exact);
    double sum = 0.0;
    for (uint64_t i = 0; i < w.cells; i++) {
        sum += pow(now[i] - exact[i], 2);
    }
    sum = sqrt(sum / (double)w.cells);
    free(now);
    free(exact);
    wave_end(&w);
    return sum;
}

static void scheme_is_of_second_order(void **state)
{
    (void)state;
    double coarse = mode_error(2);
    double middle = mode_error(4);
    double fine = mode_error(8);
    double first = log2(coarse / middle);
    double second = log2(middle / fine);
    if (fabs(first - 2.0) > 0.1 || fabs(second - 2.0) > 0.1) {
        fail_msg("orders %.3f and %.3f; errors %g, %g, %g", first, second, coarse, middle, fine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_swing),
        cmocka_unit_test(spectrum_shows_the_modes),
        cmocka_unit_test(energy_is_conserved),
        cmocka_unit_test(constant_pressure_stays),
        cmocka_unit_test(plane_wave_has_the_speed_of_sound),
        cmocka_unit_test(border_reflects_and_transmits),
        cmocka_unit_test(wall_absorbs),
        cmocka_unit_test(scheme_is_of_second_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
