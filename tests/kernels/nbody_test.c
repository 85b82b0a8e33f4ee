/*
 * nbody_test.c: nbody against what is known about gravity: an orbit of Kepler, conserved momentum
 * and energy, second order; and the same numbers with any number of blocks and lanes.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static kt *bodies(const char *variant, unsigned blocks, unsigned lanes, uint64_t n, double dt,
                  double softening)
{
    kt *k = kt_new("nbody", variant, blocks, lanes);
    kt_u(k, "n", n);
    kt_f(k, "dt", dt);
    kt_f(k, "gravity", 1.0);
    kt_f(k, "softening", softening);
    kt_create(k);
    return k;
}

static void ask(kt *k, uint64_t op, double out[3])
{
    uint64_t value[3];
    assert_int_equal(kt_custom(k, op, NULL, 0, value), RK_OK);
    memcpy(out, value, sizeof(value));
}

/*
 * Two bodies of masses 3 and 1 around each other, semi-major axis 1, eccentricity e, starting at
 * their largest distance. Returns how far the second is from its start after one period.
 */
static double orbit_error(double eccentricity, uint64_t steps, double *out_energy_drift)
{
    double period = 2.0 * PI / sqrt(4.0);
    double distance = 1.0 + eccentricity;
    double speed = sqrt(4.0 * (1.0 - eccentricity) / (1.0 + eccentricity));
    double mass[2] = {3.0, 1.0};
    double x[6] = {-0.25 * distance, 0.75 * distance, 0, 0, 0, 0};
    double v[6] = {0, 0, -0.25 * speed, 0.75 * speed, 0, 0};
    double start = x[1];
    double before[3];
    double after[3];
    kt *k = bodies("f64", 1, 0, 2, period / (double)steps, 0.0);
    kt_write(k, "mass", mass, 2);
    kt_write(k, "position", x, 6);
    kt_write(k, "velocity", v, 6);
    assert_int_equal(kt_start(k), RK_OK);
    ask(k, 1, before);
    assert_true(fabs(before[2] + 1.5) < 1e-12); /* -G m1 m2 / (2 a) */
    assert_int_equal(kt_run(k, steps), RK_OK);
    ask(k, 1, after);
    kt_read(k, "position", x, 6);
    kt_end(k);
    *out_energy_drift = fabs(after[2] / before[2] - 1.0);
    return hypot(x[1] - start, x[3]);
}

static void two_bodies_follow_kepler(void **state)
{
    (void)state;
    double drift;
    double coarse = orbit_error(0.3, 2000, &drift);
    assert_true(coarse < 1e-3);
    assert_true(drift < 1e-6);
    double fine = orbit_error(0.3, 4000, &drift);
    assert_true(fabs(log2(coarse / fine) - 2.0) < 0.1);
    assert_true(orbit_error(0.0, 2000, &drift) < 1e-4);
}

static double random_unit(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (double)(*random >> 40) / 16777216.0;
}

/* A cloud of bodies. */
static void cloud(double *mass, double *x, double *v, uint64_t n)
{
    uint64_t random = 7;
    for (uint64_t i = 0; i < 3 * n; i++) {
        x[i] = random_unit(&random) - 0.5;
        v[i] = 0.2 * (random_unit(&random) - 0.5);
        mass[i / 3] = (0.5 + random_unit(&random)) / (double)n;
    }
}

static void cloud_keeps_momentum_and_energy(void **state)
{
    (void)state;
    enum { N = 200 };
    double mass[N];
    double x[3 * N];
    double v[3 * N];
    float narrow[7 * N];
    cloud(mass, x, v, N);
    for (int i = 0; i < 3 * N; i++) {
        narrow[i] = (float)x[i];
        narrow[3 * N + i] = (float)v[i];
        narrow[6 * N + i / 3] = (float)mass[i / 3];
    }
    for (int f64 = 0; f64 < 2; f64++) {
        kt *k = bodies(f64 ? "f64" : "f32", 2, 0, N, 1e-3, 0.05);
        kt_write(k, "position", f64 ? (void *)x : (void *)narrow, 3 * N);
        kt_write(k, "velocity", f64 ? (void *)v : (void *)(narrow + 3 * N), 3 * N);
        kt_write(k, "mass", f64 ? (void *)mass : (void *)(narrow + 6 * N), N);
        assert_int_equal(kt_start(k), RK_OK);
        double momentum[2][3];
        double energy[2][3];
        ask(k, 2, momentum[0]);
        ask(k, 1, energy[0]);
        assert_int_equal(kt_run(k, 300), RK_OK);
        ask(k, 2, momentum[1]);
        ask(k, 1, energy[1]);
        for (int d = 0; d < 3; d++) {
            assert_true(fabs(momentum[1][d] - momentum[0][d]) < (f64 ? 1e-14 : 2e-6));
        }
        assert_true(fabs(energy[1][0] / energy[0][0] - 1.0) > 1e-2); /* it does fall together */
        assert_true(fabs(energy[1][2] / energy[0][2] - 1.0) < 1e-4);
        kt_end(k);
    }
}

/* The same numbers to the last bit, however the bodies are spread. */
static void spreading_changes_nothing(void **state)
{
    (void)state;
    enum { N = 150 };
    static const unsigned ways[][2] = {{1, 0}, {2, 0}, {5, 0}, {1, 32}, {3, 7}};
    double mass[N];
    double x[3 * N];
    double v[3 * N];
    double first[3 * N];
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        cloud(mass, x, v, N);
        kt *k = bodies("f64", ways[i][0], ways[i][1], N, 1e-2, 0.0);
        kt_write(k, "position", x, 3 * N);
        kt_write(k, "velocity", v, 3 * N);
        kt_write(k, "mass", mass, N);
        assert_int_equal(kt_start(k), RK_OK);
        assert_int_equal(kt_run(k, 20), RK_OK);
        kt_read(k, "position", i == 0 ? first : x, 3 * N);
        assert_true(i == 0 || memcmp(first, x, sizeof(x)) == 0);
        kt_end(k);
    }
}

static void no_bodies_are_refused(void **state)
{
    (void)state;
    kt *k = bodies("f32", 1, 0, 0, 0.1, 0.0);
    assert_int_equal(kt_start(k), RK_PANIC);
    assert_non_null(strstr(kt_failure(k), "n must be"));
    kt_end(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_bodies_follow_kepler),
        cmocka_unit_test(cloud_keeps_momentum_and_energy),
        cmocka_unit_test(spreading_changes_nothing),
        cmocka_unit_test(no_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
