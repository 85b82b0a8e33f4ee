/*
 * heat3d_test.c: heat3d against what is known about heat: the spread of a point, the decay of
 * modes, conserved heat; and it refuses an unstable time step.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

typedef struct heat {
    kt *k;
    uint64_t n[3];
    uint64_t cells, steps;
} heat;

static heat heat_new(const char *variant, unsigned blocks, unsigned lanes, uint64_t nx, uint64_t ny,
                     uint64_t nz, double dt)
{
    heat h = {.k = kt_new("heat3d", variant, blocks, lanes), .n = {nx, ny, nz}};
    h.cells = nx * ny * nz;
    kt_u(h.k, "nx", nx);
    kt_u(h.k, "ny", ny);
    kt_u(h.k, "nz", nz);
    kt_f(h.k, "dx", 0.1);
    kt_f(h.k, "dt", dt);
    kt_f(h.k, "diffusivity", 0.01);
    return h;
}

/* r = D dt / dx^2 is dt here. */
static void heat_run(heat *h, uint64_t steps, double *out)
{
    assert_int_equal(kt_run(h->k, steps), RK_OK);
    h->steps += steps;
    kt_read(h->k, h->steps % 2 ? "temperature_odd" : "temperature_even", out, h->cells);
}

static void total(heat *h, double out[3])
{
    uint64_t value[3];
    assert_int_equal(kt_custom(h->k, 1, NULL, 0, value), RK_OK);
    memcpy(out, value, sizeof(value));
}

/*
 * A point spreads as exp(-d^2 / (4 D t)) / (4 pi D t)^(3/2), as long as it does not see the faces.
 */
static void point_spreads_as_a_gaussian(void **state)
{
    (void)state;
    enum { N = 61 };
    heat h = heat_new("f64", 2, 0, N, N, N, 0.125);
    kt_create(h.k);
    double *u = calloc(h.cells, sizeof(*u));
    u[h.cells / 2] = 1000.0; /* 1 K m3 in the middle cell */
    kt_write(h.k, "temperature_even", u, h.cells);
    assert_int_equal(kt_start(h.k), RK_OK);
    heat_run(&h, 108, u);
    double t = 108 * 0.125;
    double height = pow(4.0 * PI * 0.01 * t, -1.5);
    double worst = 0.0;
    double spread = 0.0;
    for (uint64_t i = 0; i < h.cells; i++) {
        double x = 0.1 * ((double)(i % N) - N / 2);
        double y = 0.1 * ((double)(i / N % N) - N / 2);
        double z = 0.1 * ((double)(i / N / N) - N / 2);
        double square = x * x + y * y + z * z;
        worst = fmax(worst, fabs(u[i] - height * exp(-square / (0.04 * t))));
        spread += 1e-3 * u[i] * square;
    }
    assert_true(worst < 0.012 * height);
    assert_true(fabs(spread / (6.0 * 0.01 * t) - 1.0) < 1e-6); /* exactly 6 D t */
    double sums[3];
    total(&h, sums);
    assert_true(fabs(sums[0] - 1.0) < 1e-12);
    assert_true(sums[1] >= 0.0 && sums[2] < 1.012 * height);
    free(u);
    kt_end(h.k);
}

/*
 * Modes of a box: cosines between insulated faces, sines between faces held at 0. Each step
 * multiplies them by 1 - 4 r sum sin^2(pi m / (2 n)).
 */
static void modes_decay(void **state)
{
    (void)state;
    static const int modes[][3] = {{1, 0, 0}, {1, 2, 3}, {4, 1, 2}};
    for (unsigned run = 0; run < 12; run++) {
        const int *m = modes[run % 3];
        bool held = run % 2 != 0;
        bool f64 = run % 4 < 2;
        unsigned lanes = run < 6 ? 0 : 5;
        if (held && m[1] == 0) {
            continue;
        }
        heat h = heat_new(f64 ? "f64" : "f32", 1 + run % 3, lanes, 13, 9, 11, 1.0 / 6.0);
        kt_u(h.k, "held", held);
        kt_f(h.k, "boundary_temperature", 20.0);
        kt_create(h.k);
        double *u = malloc(h.cells * sizeof(*u));
        float *narrow = malloc(h.cells * sizeof(*narrow));
        double *shape = malloc(h.cells * sizeof(*shape));
        double factor = 1.0;
        for (uint64_t i = 0; i < h.cells; i++) {
            const uint64_t at[3] = {i % 13, i / 13 % 9, i / 13 / 9};
            shape[i] = 1.0;
            for (int d = 0; d < 3; d++) {
                double phase = PI * m[d] * ((double)at[d] + 0.5) / (double)h.n[d];
                shape[i] *= held ? sin(phase) : cos(phase);
            }
            u[i] = 20.0 + shape[i];
            narrow[i] = (float)u[i];
        }
        for (int d = 0; d < 3; d++) {
            factor -= 4.0 / 6.0 * pow(sin(PI * m[d] / (2.0 * (double)h.n[d])), 2);
        }
        kt_write(h.k, "temperature_even", f64 ? (void *)u : (void *)narrow, h.cells);
        assert_int_equal(kt_start(h.k), RK_OK);
        if (f64) {
            heat_run(&h, 31, u);
        } else {
            heat_run(&h, 31, (double *)(void *)narrow);
        }
        for (uint64_t i = 0; i < h.cells; i++) {
            double now = f64 ? u[i] : (double)narrow[i];
            assert_true(fabs(now - 20.0 - shape[i] * pow(factor, 31)) < (f64 ? 1e-12 : 3e-5));
        }
        free(u);
        free(narrow);
        free(shape);
        kt_end(h.k);
    }
}

static void small_boxes(void **state)
{
    (void)state;
    static const uint64_t sizes[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 3, 2}};
    for (size_t i = 0; i < 3; i++) {
        heat h = heat_new("f64", 2, 0, sizes[i][0], sizes[i][1], sizes[i][2], 1.0 / 6.0);
        double u[8] = {6.0};
        kt_create(h.k);
        kt_write(h.k, "temperature_even", u, h.cells);
        assert_int_equal(kt_start(h.k), RK_OK);
        heat_run(&h, 500, u);
        for (uint64_t j = 0; j < h.cells; j++) {
            assert_true(fabs(u[j] - 6.0 / (double)h.cells) < 1e-9);
        }
        kt_end(h.k);
    }
}

static void unstable_step_is_refused(void **state)
{
    (void)state;
    heat h = heat_new("f32", 2, 0, 4, 4, 4, 0.17);
    kt_create(h.k);
    assert_int_equal(kt_start(h.k), RK_PANIC);
    assert_non_null(strstr(kt_failure(h.k), "dt too large"));
    kt_end(h.k);
    h = heat_new("f32", 1, 0, 4, 0, 4, 0.1);
    kt_create(h.k);
    assert_int_equal(kt_start(h.k), RK_PANIC);
    kt_end(h.k);
}

static void check_finds_what_is_not_finite(void **state)
{
    (void)state;
    heat h = heat_new("f32", 1, 0, 4, 4, 4, 0.1);
    float u[64] = {0};
    uint64_t code = 99;
    kt_create(h.k);
    u[17] = 1.0f;
    kt_write(h.k, "temperature_even", u, 64);
    assert_int_equal(kt_start(h.k), RK_OK);
    assert_int_equal(kt_check(h.k, &code), RK_OK);
    assert_int_equal(code, 0);
    assert_int_equal(kt_run(h.k, 3), RK_OK);
    assert_int_equal(kt_check(h.k, &code), RK_OK);
    kt_end(h.k);

    h = heat_new("f32", 1, 0, 4, 4, 4, 0.1);
    kt_create(h.k);
    u[17] = NAN;
    kt_write(h.k, "temperature_even", u, 64);
    assert_int_equal(kt_start(h.k), RK_OK);
    assert_int_not_equal(kt_check(h.k, &code), RK_OK);
    assert_int_equal(code, 1);
    kt_end(h.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_spreads_as_a_gaussian),
        cmocka_unit_test(modes_decay),
        cmocka_unit_test(small_boxes),
        cmocka_unit_test(unstable_step_is_refused),
        cmocka_unit_test(check_finds_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
