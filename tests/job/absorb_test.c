/*
 * Absorption and admittance against numerical integration; Sabine's and Eyring's formulas.
 */
#include "near.h"

#include "job/absorb.h"

/* Paris' integral by Simpson's rule. */
static double integrate(double xi)
{
    int n = 20000;
    double h = 0.5 * M_PI / n;
    double sum = 0.0;
    for (int i = 0; i <= n; i++) {
        double t = i * h;
        double c = cos(t);
        double f = 4.0 * xi * c / ((xi + c) * (xi + c)) * sin(2.0 * t);
        sum += f * (i == 0 || i == n ? 1.0 : i % 2 ? 4.0 : 2.0);
    }
    return sum * h / 3.0;
}

static void closed_form_is_the_integral(void **state)
{
    (void)state;
    const double xis[] = {0.001, 0.01, 0.1, 0.3, 0.638, 1.0, 3.0, 50.0};
    for (size_t i = 0; i < sizeof(xis) / sizeof(xis[0]); i++) {
        assert_near(rk_absorb_alpha(xis[i]), integrate(xis[i]), 1e-6);
    }
    assert_near(rk_absorb_alpha(0.0), 0.0, 0.0);
    assert_near(rk_absorb_alpha(1e4), integrate(1e4), 1e-7);
}

static void admittance_inverts_absorption(void **state)
{
    (void)state;
    for (double alpha = 0.0; alpha <= 0.95; alpha += 0.01) {
        double xi = -1.0;
        assert_int_equal(rk_absorb_admittance(alpha, &xi, NULL), RK_OK);
        assert_true(xi >= 0.0 && xi <= RK_ABSORB_XI_MAX);
        assert_near(rk_absorb_alpha(xi), alpha, 1e-9);
    }
}

static void the_stated_maximum_is_the_maximum(void **state)
{
    (void)state;
    double top = rk_absorb_alpha(RK_ABSORB_XI_MAX);
    assert_true(top >= RK_ABSORB_ALPHA_MAX);
    assert_near(top, RK_ABSORB_ALPHA_MAX, 1e-4);
    assert_true(rk_absorb_alpha(RK_ABSORB_XI_MAX - 1e-3) < top);
    assert_true(rk_absorb_alpha(RK_ABSORB_XI_MAX + 1e-3) < top);
}

static void impossible_absorption_is_explained(void **state)
{
    (void)state;
    double xi = -1.0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_absorb_admittance(0.97, &xi, &err), RK_INVALID);
    assert_contains(err.text, "0.951");
    assert_contains(err.text, "opening");
    assert_int_equal(rk_absorb_admittance(1.5, &xi, &err), RK_INVALID);
    assert_int_equal(rk_absorb_admittance(-0.1, &xi, &err), RK_INVALID);
    assert_int_equal(rk_absorb_admittance(NAN, &xi, &err), RK_INVALID);
    assert_near(xi, -1.0, 0.0);
}

static void formulas_of_reverberation(void **state)
{
    (void)state;
    /* 0.161 V / A is the usual rounding for 343 m/s. */
    assert_near(rk_absorb_sabine_s(100.0, 130.0, 0.2, 343.0), 0.1611 * 100.0 / 26.0, 1e-3);
    assert_near(rk_absorb_eyring_s(100.0, 130.0, 0.2, 343.0), 0.1611 * 100.0 / (-130.0 * log(0.8)),
                1e-3);
    assert_true(isinf(rk_absorb_sabine_s(100.0, 130.0, 0.0, 343.0)));
    assert_near(rk_absorb_eyring_s(100.0, 130.0, 1.0, 343.0), 0.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_form_is_the_integral),
        cmocka_unit_test(admittance_inverts_absorption),
        cmocka_unit_test(the_stated_maximum_is_the_maximum),
        cmocka_unit_test(impossible_absorption_is_explained),
        cmocka_unit_test(formulas_of_reverberation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
