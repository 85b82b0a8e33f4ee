/*
 * biquad.c: design of second-order and first-order filter sections.
 */
#include "job/biquad.h"

#include <math.h>

static rk_biquad section(double b0, double b1, double b2, double a0, double a1, double a2)
{
    return (rk_biquad){b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0, 0.0, 0.0};
}

rk_biquad rk_biquad_lowpass(double corner_hz, double q, double rate_hz)
{
    double w = 2.0 * M_PI * corner_hz / rate_hz;
    double alpha = sin(w) / (2.0 * q);
    double c = cos(w);
    return section((1.0 - c) / 2.0, 1.0 - c, (1.0 - c) / 2.0, 1.0 + alpha, -2.0 * c, 1.0 - alpha);
}

rk_biquad rk_biquad_highpass(double corner_hz, double q, double rate_hz)
{
    double w = 2.0 * M_PI * corner_hz / rate_hz;
    double alpha = sin(w) / (2.0 * q);
    double c = cos(w);
    return section((1.0 + c) / 2.0, -1.0 - c, (1.0 + c) / 2.0, 1.0 + alpha, -2.0 * c, 1.0 - alpha);
}

rk_biquad rk_biquad_lowpass1(double corner_hz, double rate_hz)
{
    double k = tan(M_PI * corner_hz / rate_hz);
    return section(k, k, 0.0, 1.0 + k, k - 1.0, 0.0);
}

rk_biquad rk_biquad_highpass1(double corner_hz, double rate_hz)
{
    double k = tan(M_PI * corner_hz / rate_hz);
    return section(1.0, -1.0, 0.0, 1.0 + k, k - 1.0, 0.0);
}
