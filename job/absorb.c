/*
 * absorb.c: absorption and admittance of a surface; the formulas of Sabine and Eyring.
 */
#include "job/absorb.h"

#include <math.h>

double rk_absorb_alpha(double xi)
{
    if (!(xi > 0.0)) {
        return 0.0;
    }
    /* The logarithm cancels the rest for a large xi; the series in 1/xi does not: 8/(3 xi) ... */
    if (xi > 1e3) {
        return 8.0 / (3.0 * xi);
    }
    return 8.0 * xi * (1.0 + xi / (1.0 + xi) - 2.0 * xi * log1p(1.0 / xi));
}

rk_status rk_absorb_admittance(double alpha, double *out_xi, rk_err *err)
{
    if (!(alpha >= 0.0 && alpha <= 1.0)) {
        return rk_err_set(err, RK_INVALID,
                          "an absorption coefficient lies between 0 and 1, not at %g", alpha);
    }
    if (alpha > RK_ABSORB_ALPHA_MAX) {
        return rk_err_set(
            err, RK_INVALID,
            "a random-incidence absorption of %g is more than the %.3f that a locally "
            "reacting surface can reach (at the admittance %.2f); use at most %.2f, or "
            "an opening, which lets sound out",
            alpha, RK_ABSORB_ALPHA_MAX, RK_ABSORB_XI_MAX, RK_ABSORB_ALPHA_MAX);
    }
    double low = 0.0;
    double high = RK_ABSORB_XI_MAX;
    for (int i = 0; i < 100 && high - low > 1e-15; i++) {
        double middle = 0.5 * (low + high);
        if (rk_absorb_alpha(middle) < alpha) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *out_xi = alpha > 0.0 ? 0.5 * (low + high) : 0.0;
    return RK_OK;
}

static double reverberation(double volume_m3, double absorbing_m2, double speed_m_s)
{
    if (!(absorbing_m2 > 0.0)) {
        return INFINITY;
    }
    return 24.0 * log(10.0) / speed_m_s * volume_m3 / absorbing_m2;
}

double rk_absorb_sabine_s(double volume_m3, double surface_m2, double alpha, double speed_m_s)
{
    return reverberation(volume_m3, surface_m2 * alpha, speed_m_s);
}

double rk_absorb_eyring_s(double volume_m3, double surface_m2, double alpha, double speed_m_s)
{
    if (alpha >= 1.0) {
        return 0.0;
    }
    return reverberation(volume_m3, -surface_m2 * log1p(-alpha), speed_m_s);
}
