/*
 * resample.c: Kaiser-windowed sinc interpolation with a table.
 */
#include "job/resample.h"

#include <math.h>
#include <stdlib.h>

#define ZERO_CROSSINGS 64
#define PER_CROSSING 512
#define TABLE_SIZE (ZERO_CROSSINGS * PER_CROSSING)
#define KAISER_BETA 10.0

/* The modified Bessel function of order 0, by its power series. */
static double bessel_i0(double x)
{
    double sum = 1.0;
    double term = 1.0;
    for (int k = 1; term > 1e-18 * sum; k++) {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

/* The right half of the windowed sinc: entry i is at i / PER_CROSSING zero crossings. */
static double *make_table(void)
{
    double *table = malloc((TABLE_SIZE + 2) * sizeof(*table));
    if (!table) {
        return NULL;
    }
    double scale = 1.0 / bessel_i0(KAISER_BETA);
    for (int i = 0; i < TABLE_SIZE; i++) {
        double x = (double)i / PER_CROSSING;
        double r = x / ZERO_CROSSINGS;
        double window = bessel_i0(KAISER_BETA * sqrt(1.0 - r * r)) * scale;
        table[i] = (i ? sin(M_PI * x) / (M_PI * x) : 1.0) * window;
    }
    table[TABLE_SIZE] = 0.0;
    table[TABLE_SIZE + 1] = 0.0;
    return table;
}

size_t rk_resample_count(size_t count, double rate_in_hz, double rate_out_hz)
{
    if (!(rate_in_hz > 0.0) || !(rate_out_hz > 0.0)) {
        return 0;
    }
    double out = ceil((double)count * (rate_out_hz / rate_in_hz) - 1e-6);
    return out < 1099511627776.0 ? (size_t)fmax(out, 0.0) : 0;
}

/* The signal at position t, in input samples; width is the spacing of zero crossings. */
static double value_at(const float *samples, size_t count, const double *table, double t,
                       double width)
{
    double reach = width * ZERO_CROSSINGS;
    double first = ceil(t - reach);
    double last = floor(t + reach);
    if (last < 0.0 || first > (double)count - 1.0) {
        return 0.0;
    }
    size_t begin = first > 0.0 ? (size_t)first : 0;
    size_t end = last < (double)count - 1.0 ? (size_t)last : count - 1;
    double scale = PER_CROSSING / width;
    double sum = 0.0;
    for (size_t i = begin; i <= end; i++) {
        double x = fabs((double)i - t) * scale;
        size_t at = (size_t)x;
        if (at < TABLE_SIZE) {
            double part = x - (double)at;
            sum += (double)samples[i] * (table[at] + part * (table[at + 1] - table[at]));
        }
    }
    return sum / width;
}

rk_status rk_resample(const float *samples, size_t count, double rate_in_hz, double rate_out_hz,
                      double cutoff_hz, float *out_samples, size_t out_count, rk_err *err)
{
    if (!(rate_in_hz > 0.0) || !(rate_out_hz > 0.0) || !(rate_out_hz / rate_in_hz <= 1000.0) ||
        !(rate_in_hz / rate_out_hz <= 1000.0)) {
        return rk_err_set(err, RK_INVALID,
                          "cannot convert a signal from %g Hz to %g Hz: both rates must be more "
                          "than 0, and at most 1000 times apart",
                          rate_in_hz, rate_out_hz);
    }
    double highest = 0.475 * fmin(rate_in_hz, rate_out_hz);
    double cutoff = cutoff_hz > 0.0 ? fmin(cutoff_hz, highest) : highest;
    double *table = make_table();
    if (!table) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to change the sample rate");
    }
    double width = rate_in_hz / (2.0 * fmax(cutoff, 1e-6 * rate_in_hz));
    for (size_t i = 0; i < out_count; i++) {
        double t = (double)i * (rate_in_hz / rate_out_hz);
        out_samples[i] = (float)value_at(samples, count, table, t, width);
    }
    free(table);
    return RK_OK;
}
