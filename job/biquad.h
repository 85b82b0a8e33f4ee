/*
 * biquad.h: second-order filter sections in double precision.
 *
 * y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]. Designs by the bilinear transform
 * with prewarped corner (R. Bristow-Johnson, Audio EQ Cookbook). Pure; any thread.
 */
#ifndef RK_JOB_BIQUAD_H
#define RK_JOB_BIQUAD_H

typedef struct rk_biquad {
    double b0, b1, b2, a1, a2;
    double z1, z2; /* state, transposed form II */
} rk_biquad;

/* Corner in Hz below rate_hz / 2; q = 1/sqrt(2) makes a Butterworth section of order 2. */
rk_biquad rk_biquad_lowpass(double corner_hz, double q, double rate_hz);
rk_biquad rk_biquad_highpass(double corner_hz, double q, double rate_hz);

/* Sections of order 1, for odd orders. */
rk_biquad rk_biquad_lowpass1(double corner_hz, double rate_hz);
rk_biquad rk_biquad_highpass1(double corner_hz, double rate_hz);

/* One sample. */
static inline double rk_biquad_next(rk_biquad *filter, double x)
{
    double y = filter->b0 * x + filter->z1;
    filter->z1 = filter->b1 * x - filter->a1 * y + filter->z2;
    filter->z2 = filter->b2 * x - filter->a2 * y;
    return y;
}

#endif
