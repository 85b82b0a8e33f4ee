/*
 * wave_scheme_test.c: wave3d computes its scheme: against a plain implementation, in rooms of
 * random shape and media, with any number of blocks and lanes; and it refuses what it cannot
 * compute.
 */
#include "kernels/cm.h"
#include "kernels/wave.h"
#include "kernels/wave_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state;

static double random_unit(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 40) / 16777216.0;
}

static int random_below(int n)
{
    return (int)(random_unit() * n);
}

/* A box somewhere inside. */
static void random_box(const wave_reference *w, int *lo, int *hi)
{
    const int size[3] = {w->nx, w->ny, w->nz};
    for (int d = 0; d < 3; d++) {
        lo[d] = random_below(size[d]);
        hi[d] = lo[d] + 1 + random_below(size[d] - lo[d]);
    }
}

enum { PLAIN = 0, MEDIA = 1, SOLIDS = 2, WALLS = 4, ABSORBING = 8 };

static void make_room(wave_reference *w, unsigned what)
{
    int lo[3];
    int hi[3];
    for (int box = 0; box < 6; box++) {
        random_box(w, lo, hi);
        bool medium = box < 3;
        if ((what & (medium ? MEDIA : SOLIDS)) == 0) {
            continue;
        }
        double speed = 250.0 + 93.0 * random_unit();
        double density = 1.0 + random_unit();
        for (int z = lo[2]; z < (medium ? hi[2] : (lo[2] + hi[2] + 1) / 2); z++) {
            for (int y = lo[1]; y < (medium ? hi[1] : (lo[1] + hi[1] + 1) / 2); y++) {
                for (int x = lo[0]; x < hi[0]; x++) {
                    size_t i = wave_reference_cell(w, x, y, z);
                    w->speed[i] = medium ? speed : w->speed[i];
                    w->density[i] = medium ? density : w->density[i];
                    w->solid[i] = medium ? w->solid[i] : 1;
                }
            }
        }
    }
    for (int z = 0; z < w->nz; z++) {
        for (int y = 0; y < w->ny; y++) {
            for (int x = 0; x < w->nx; x++) {
                size_t i = wave_reference_cell(w, x, y, z);
                bool edge = x == 0 || y == 0 || z == 0 || x == w->nx - 1 || y == w->ny - 1 ||
                            z == w->nz - 1;
                if (edge && (what & WALLS) != 0) {
                    w->solid[i] = 1;
                }
                if ((what & ABSORBING) != 0 && !w->solid[i] && (edge || random_below(20) == 0)) {
                    w->admittance[i] = random_unit();
                }
                if (!w->solid[i]) {
                    w->now[i] = random_unit() - 0.5;
                    w->before[i] = w->now[i] + 0.1 * (random_unit() - 0.5);
                }
            }
        }
    }
}

/* The kernel in the same room. */
static wave_kernel kernel_of(const wave_reference *r, const char *variant, unsigned blocks,
                             unsigned lanes)
{
    wave_kernel w = wave_new(variant, blocks, lanes, (uint64_t)r->nx, (uint64_t)r->ny,
                             (uint64_t)r->nz, r->dx, r->dt);
    uint32_t *cell = malloc(w.cells * sizeof(*cell));
    double *admittance = malloc(w.cells * sizeof(*admittance));
    uint64_t count = 0;
    for (uint64_t i = 0; i < w.cells; i++) {
        if (r->admittance[i] > 0.0) {
            cell[count] = (uint32_t)i;
            admittance[count++] = r->admittance[i];
        }
    }
    kt_u(w.k, "n_boundary", count);
    wave_create(&w);
    wave_write(&w, "sound_speed", r->speed, w.cells);
    wave_write(&w, "density", r->density, w.cells);
    kt_write(w.k, "solid", r->solid, w.cells);
    kt_write(w.k, "boundary_cell", cell, count);
    wave_write(&w, "boundary_admittance", admittance, count);
    wave_initial(&w, r->now, r->before);
    free(cell);
    free(admittance);
    assert_int_equal(kt_start(w.k), RK_OK);
    return w;
}

static double largest_difference(const double *a, const double *b, uint64_t n)
{
    double largest = 0.0;
    for (uint64_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        largest = isnan(d) ? INFINITY : fmax(largest, d);
    }
    return largest;
}

static void compare(int nx, int ny, int nz, unsigned what, const char *variant, unsigned blocks,
                    unsigned lanes)
{
    wave_reference r;
    wave_reference_init(&r, nx, ny, nz, 0.1, 0.1 / 343.0 / sqrt(3.0) * 0.9);
    make_room(&r, what);
    wave_kernel w = kernel_of(&r, variant, blocks, lanes);
    double *p = malloc(w.cells * sizeof(*p));
    double tolerance = w.f64 ? 1e-13 : 2e-5;
    for (int round = 0; round < 2; round++) {
        wave_run(&w, 7); /* odd: the fields swap roles between the rounds */
        for (int i = 0; i < 7; i++) {
            wave_reference_step(&r);
        }
        wave_pressure(&w, p);
        double difference = largest_difference(p, r.now, w.cells);
        if (difference > tolerance) {
            fail_msg("%dx%dx%d, features %u, %s, %u blocks, %u lanes: differs by %g", nx, ny, nz,
                     what, variant, blocks, lanes, difference);
        }
        double energy;
        double peak;
        double rms;
        wave_energy(&w, &energy, &peak, &rms);
        double expected = wave_reference_energy(&r);
        if (!(fabs(energy - expected) <= (w.f64 ? 1e-11 : 2e-4) * fabs(expected))) {
            fail_msg("%dx%dx%d, features %u, %s: energy %g, expected %g", nx, ny, nz, what, variant,
                     energy, expected);
        }
    }
    free(p);
    wave_end(&w);
    wave_reference_finish(&r);
}

static void scheme_in_random_rooms(void **state)
{
    (void)state;
    random_state = 1;
    static const int sizes[][3] = {{1, 1, 1},    {1, 7, 5},   {9, 1, 1},   {2, 2, 9},
                                   {5, 6, 12},   {17, 9, 8},  {64, 5, 13}, {70, 40, 9},
                                   {129, 3, 11}, {33, 20, 21}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unsigned what = 0; what < 16; what += i < 4 ? 9 : 3) {
            const int *n = sizes[i];
            if ((what & WALLS) != 0 && (n[0] < 3 || n[1] < 3 || n[2] < 3)) {
                continue;
            }
            compare(n[0], n[1], n[2], what, "f64", 1 + (unsigned)i % 3, 0);
            compare(n[0], n[1], n[2], what, "f32", 1 + (unsigned)(i + what) % 5, 0);
        }
    }
}

static void scheme_with_fibers(void **state)
{
    (void)state;
    random_state = 2;
    compare(17, 9, 8, MEDIA | SOLIDS | ABSORBING, "f64", 2, 7);
    compare(33, 6, 9, WALLS | ABSORBING, "f32", 1, 32);
    compare(5, 4, 6, PLAIN, "f64", 3, 64);
}

/* Sources add their samples; receivers see the pressure behind that; both interpolate. */
static void sources_and_receivers(void **state)
{
    (void)state;
    random_state = 3;
    enum { N = 12, SOURCES = 2, RECEIVERS = 3, SAMPLES = 9, STEPS = 12 };
    wave_reference r;
    wave_reference_init(&r, N, N, N, 0.1, 1e-4);
    wave_kernel w = wave_new("f64", 2, 0, N, N, N, r.dx, r.dt);
    kt_u(w.k, "n_sources", SOURCES);
    kt_u(w.k, "n_receivers", RECEIVERS);
    kt_u(w.k, "n_samples", SAMPLES);
    kt_u(w.k, "energy", 1);
    wave_create(&w);
    uint32_t cell[SOURCES + RECEIVERS][8];
    double weight[SOURCES + RECEIVERS][8];
    double signal[SOURCES][SAMPLES];
    for (int i = 0; i < SOURCES + RECEIVERS; i++) {
        for (int j = 0; j < 8; j++) {
            cell[i][j] = (uint32_t)random_below(N * N * N);
            weight[i][j] = random_unit();
        }
    }
    for (int i = 0; i < SOURCES * SAMPLES; i++) {
        signal[i / SAMPLES][i % SAMPLES] = random_unit();
    }
    kt_write(w.k, "source_cell", cell[0], SOURCES * 8);
    kt_write(w.k, "source_weight", weight[0], SOURCES * 8);
    kt_write(w.k, "source_signal", signal, SOURCES * SAMPLES);
    kt_write(w.k, "receiver_cell", cell[SOURCES], RECEIVERS * 8);
    kt_write(w.k, "receiver_weight", weight[SOURCES], RECEIVERS * 8);
    assert_int_equal(kt_start(w.k), RK_OK);
    wave_run(&w, STEPS); /* longer than the signals */
    double log[RECEIVERS][SAMPLES];
    double energy_log[SAMPLES];
    kt_read(w.k, "receiver_log", log, RECEIVERS * SAMPLES);
    kt_read(w.k, "energy_log", energy_log, SAMPLES);
    for (int n = 0; n < STEPS; n++) {
        wave_reference_step(&r);
        if (n < SAMPLES) {
            double energy = wave_reference_energy(&r);
            assert_true(fabs(energy_log[n] - energy) <= 1e-12 * fabs(energy));
        }
        for (int i = 0; i < SOURCES * 8 && n < SAMPLES; i++) {
            r.now[cell[i / 8][i % 8]] += weight[i / 8][i % 8] * signal[i / 8][n];
        }
        for (int i = 0; i < RECEIVERS && n < SAMPLES; i++) {
            double expected = 0.0;
            for (int j = 0; j < 8; j++) {
                expected += weight[SOURCES + i][j] * r.now[cell[SOURCES + i][j]];
            }
            assert_true(fabs(log[i][n] - expected) < 1e-12);
        }
    }
    double *p = malloc(w.cells * sizeof(*p));
    wave_pressure(&w, p);
    assert_true(largest_difference(p, r.now, w.cells) < 1e-12);
    free(p);
    wave_end(&w);
    wave_reference_finish(&r);
}

static void refused(wave_kernel *w, const char *why)
{
    assert_int_equal(kt_start(w->k), RK_PANIC);
    assert_int_equal(kt_state(w->k), RK_KERNEL_PANICKED);
    if (strstr(kt_failure(w->k), why) == NULL) {
        fail_msg("'%s' does not say '%s'", kt_failure(w->k), why);
    }
    wave_end(w);
}

static void refuses_what_it_cannot_compute(void **state)
{
    (void)state;
    double limit = 0.1 / 343.0 / sqrt(3.0);
    wave_kernel w = wave_new("f32", 2, 0, 8, 8, 8, 0.1, limit * 1.01);
    wave_create(&w);
    refused(&w, "dt too large");

    w = wave_new("f32", 1, 0, 8, 8, 8, 0.1, limit);
    wave_create(&w);
    assert_int_equal(kt_start(w.k), RK_OK); /* the limit itself is stable */
    wave_end(&w);

    w = wave_new("f32", 2, 0, 8, 8, 8, 0.1, limit);
    wave_create(&w);
    double *speed = calloc(w.cells, sizeof(*speed));
    speed[77] = 500.0;
    wave_write(&w, "sound_speed", speed, w.cells);
    free(speed);
    refused(&w, "dt too large");

    w = wave_new("f64", 1, 0, 8, 8, 8, 0.1, limit);
    wave_create(&w);
    double density[3] = {1.0, 1.0, -1.0};
    wave_write(&w, "density", density, 3);
    refused(&w, "not positive");

    w = wave_new("f32", 1, 0, 8, 0, 8, 0.1, limit);
    wave_create(&w);
    refused(&w, "must be positive");

    static const uint32_t cells[][2] = {{5, 5}, {6, 5}, {5, 512}};
    for (int i = 0; i < 3; i++) {
        w = wave_new("f32", 2, 0, 8, 8, 8, 0.1, limit);
        kt_u(w.k, "n_boundary", 2);
        wave_create(&w);
        kt_write(w.k, "boundary_cell", cells[i], 2);
        refused(&w, "boundary_cell");
    }
    w = wave_new("f32", 2, 0, 8, 8, 8, 0.1, limit);
    kt_u(w.k, "n_receivers", 1);
    kt_u(w.k, "n_samples", 1);
    wave_create(&w);
    uint32_t outside[8] = {0, 0, 0, 0, 0, 0, 0, 512};
    kt_write(w.k, "receiver_cell", outside, 8);
    refused(&w, "outside");
}

static void unknown_command_is_refused(void **state)
{
    (void)state;
    wave_kernel w = wave_new("f32", 1, 0, 8, 8, 8, 0.1, 1e-4);
    uint64_t value[3];
    wave_create(&w);
    assert_int_equal(kt_start(w.k), RK_OK);
    assert_int_not_equal(kt_custom(w.k, 99, NULL, 0, value), RK_OK);
    wave_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scheme_in_random_rooms),
        cmocka_unit_test(scheme_with_fibers),
        cmocka_unit_test(sources_and_receivers),
        cmocka_unit_test(refuses_what_it_cannot_compute),
        cmocka_unit_test(unknown_command_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
