/*
 * decay.c: Schroeder curve, noise floor, reverberation times, clarity.
 *
 * Positions in the response are sample indices from its first sample. level_db below is always
 * relative to the curve's start.
 */
#include "job/decay.h"

#include "job/biquad.h"

#include <math.h>
#include <stdlib.h>

#define DECAY_MIN_SAMPLES 32

/* Distance that the curve must keep from the knee below a fitted part, against its bend there. */
#define DECAY_MARGIN_DB 5.0

typedef struct line {
    double offset, slope, correlation;
} line;

/* Least squares of y over x = 0, 1, 2 ... (count >= 2). */
static line fit_line(const double *y, size_t count)
{
    double mean_x = 0.5 * ((double)count - 1.0);
    double mean_y = 0.0;
    for (size_t i = 0; i < count; i++) {
        mean_y += y[i];
    }
    mean_y /= (double)count;
    double sxx = 0.0;
    double sxy = 0.0;
    double syy = 0.0;
    for (size_t i = 0; i < count; i++) {
        double dx = (double)i - mean_x;
        double dy = y[i] - mean_y;
        sxx += dx * dx;
        sxy += dx * dy;
        syy += dy * dy;
    }
    line out = {0};
    out.slope = sxy / sxx;
    out.offset = mean_y - out.slope * mean_x;
    out.correlation = syy > 0.0 ? sxy / sqrt(sxx * syy) : 0.0;
    return out;
}

/* Mean squares of blocks of block samples from start on, in dB; returns the number of blocks. */
static size_t block_levels(const float *samples, size_t start, size_t count, size_t block,
                           double *out_db)
{
    size_t blocks = (count - start) / block;
    for (size_t b = 0; b < blocks; b++) {
        double sum = 0.0;
        for (size_t i = 0; i < block; i++) {
            double p = (double)samples[start + b * block + i];
            sum += p * p;
        }
        out_db[b] = sum > 0.0 ? 10.0 * log10(sum / (double)block) : -400.0;
    }
    return blocks;
}

static double mean_square(const float *samples, size_t first, size_t end)
{
    double sum = 0.0;
    for (size_t i = first; i < end; i++) {
        sum += (double)samples[i] * (double)samples[i];
    }
    return end > first ? sum / (double)(end - first) : 0.0;
}

typedef struct floor_estimate {
    size_t knee;
    double slope_db; /* of the decay before the knee, per sample; negative */
    double floor_db; /* mean square */
} floor_estimate;

/*
 * Where a straight decay meets the noise floor. Starts with the last tenth as the floor, fits the
 * decay above it, finds their crossing, takes a new floor from well behind the crossing, and so on.
 * A response that has not reached a floor crosses at its end.
 */
static floor_estimate find_knee(const float *samples, size_t start, size_t count, double *levels)
{
    size_t length = count - start;
    size_t block = length / 200 + 1;
    size_t blocks = block_levels(samples, start, count, block, levels);
    size_t peak = 0;
    for (size_t i = 1; i < blocks; i++) {
        peak = levels[i] > levels[peak] ? i : peak;
    }
    double floor_power = mean_square(samples, count - length / 10 - 1, count);
    floor_estimate out = {.knee = count};
    for (int round = 0; round < 8; round++) {
        double floor_db = floor_power > 0.0 ? 10.0 * log10(floor_power) : -400.0;
        size_t last = peak;
        while (last + 1 < blocks && levels[last + 1] > floor_db + 8.0) {
            last++;
        }
        if (last < peak + 3) {
            out.floor_db = floor_db;
            break;
        }
        line decay = fit_line(levels + peak, last - peak + 1);
        out.slope_db = decay.slope / (double)block;
        out.floor_db = floor_db;
        if (!(decay.slope < 0.0)) {
            out.knee = count;
            break;
        }
        double crossing = (double)peak + 0.5 + (floor_db - decay.offset) / decay.slope;
        double at = fmin(crossing * (double)block, (double)length);
        size_t knee = start + (size_t)fmax(at, (double)(last + 1) * (double)block);
        knee = knee < count ? knee : count;
        bool settled = knee == out.knee && round > 0;
        out.knee = knee;
        /* The next floor begins 10 dB of decay behind the knee, and spans at least a tenth. */
        size_t behind = knee + (size_t)fmin(-10.0 / out.slope_db, (double)length);
        size_t latest = count - length / 10 - 1;
        floor_power = mean_square(samples, behind < latest ? behind : latest, count);
        if (settled) {
            break;
        }
    }
    return out;
}

/* Straight line over the part of the curve between two levels; curve counts from the start. */
static rk_decay_fit fit_part(const double *curve_db, size_t length, double rate_hz, double from_db,
                             double to_db)
{
    rk_decay_fit fit = {.rt_s = NAN};
    size_t first = 0;
    while (first < length && curve_db[first] > from_db) {
        first++;
    }
    size_t end = first;
    while (end < length && curve_db[end] >= to_db) {
        end++;
    }
    if (end == length || end < first + 3 || curve_db[length - 1] > to_db - DECAY_MARGIN_DB) {
        return fit;
    }
    line found = fit_line(curve_db + first, end - first);
    if (found.slope < 0.0) {
        fit.valid = true;
        fit.rt_s = -60.0 / found.slope / rate_hz;
        fit.correlation = found.correlation;
        fit.level_db = found.offset - found.slope * (double)first;
    }
    return fit;
}

static rk_status check_samples(const float *samples, size_t count, double rate_hz,
                               double *out_largest, rk_err *err)
{
    if (!(rate_hz > 0.0) || count < DECAY_MIN_SAMPLES) {
        return rk_err_set(err, RK_INVALID,
                          "a decay needs at least %d samples, not %zu, and a sample rate",
                          DECAY_MIN_SAMPLES, count);
    }
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(samples[i])) {
            return rk_err_set(err, RK_INVALID, "sample %zu of the response is not a finite number",
                              i);
        }
        largest = fmax(largest, fabs((double)samples[i]));
    }
    if (!(largest > 0.0)) {
        return rk_err_set(err, RK_INVALID, "the response is silent");
    }
    *out_largest = largest;
    return RK_OK;
}

static size_t find_start(const float *samples, size_t count, double largest, double earliest)
{
    size_t start = 0;
    while (start < count && fabs((double)samples[start]) < 0.1 * largest) {
        start++;
    }
    double first = fmin(fmax(ceil(earliest), 0.0), (double)count);
    return start > (size_t)first ? start : (size_t)first;
}

/* Energies up to 50 and 80 ms, and the centre time. */
static void clarity(const float *samples, double rate_hz, rk_decay *decay)
{
    double early50 = 0.0;
    double early80 = 0.0;
    double total = 0.0;
    double moment = 0.0;
    for (size_t i = decay->start; i < decay->knee; i++) {
        double t = (double)(i - decay->start) / rate_hz;
        double e = (double)samples[i] * (double)samples[i];
        total += e;
        moment += e * t;
        early50 += t < 0.05 ? e : 0.0;
        early80 += t < 0.08 ? e : 0.0;
    }
    decay->d50 = total > 0.0 ? early50 / total : NAN;
    decay->centre_s = total > 0.0 ? moment / total : NAN;
    decay->c50_db = total > early50 ? 10.0 * log10(early50 / (total - early50)) : INFINITY;
    decay->c80_db = total > early80 ? 10.0 * log10(early80 / (total - early80)) : INFINITY;
}

static void choose_rt60(rk_decay *decay)
{
    const rk_decay_fit *fits[] = {&decay->t30, &decay->t20, &decay->edt};
    static const char *const names[] = {"T30", "T20", "EDT"};
    decay->rt60_s = NAN;
    decay->rt60_from = "none";
    for (size_t i = 0; i < 3; i++) {
        if (fits[i]->valid) {
            decay->rt60_s = fits[i]->rt_s;
            decay->rt60_from = names[i];
            return;
        }
    }
}

/* The curve from start to knee in dB, with the energy of an exponential tail beyond the knee. */
static void integrate(const float *samples, const floor_estimate *floor_found, rk_decay *decay,
                      double *curve)
{
    size_t length = decay->knee - decay->start;
    double energy = 0.0;
    if (floor_found->slope_db < 0.0) {
        /* Tail: the mean square at the knee, decaying on, is power / (ln 10 / 10 * -slope). */
        double per_sample = -floor_found->slope_db * log(10.0) / 10.0;
        /* The power there comes from the last 3 dB before the knee, brought down to the knee. */
        size_t span = (size_t)fmin(3.0 / -floor_found->slope_db + 1.0, (double)length);
        double before = mean_square(samples, decay->knee - span, decay->knee);
        double drop = per_sample * (double)span;
        energy = before * drop / expm1(drop) / per_sample;
    }
    for (size_t i = length; i-- > 0;) {
        double p = (double)samples[decay->start + i];
        energy += p * p;
        curve[i] = energy;
    }
    double total = curve[0];
    for (size_t i = 0; i < length; i++) {
        curve[i] = curve[i] > 0.0 ? 10.0 * log10(curve[i] / total) : -400.0;
    }
}

rk_status rk_decay_analyse(const float *samples, size_t count, double rate_hz,
                           const rk_decay_options *options, rk_decay *out_decay, rk_err *err)
{
    double largest = 0.0;
    rk_status status = check_samples(samples, count, rate_hz, &largest, err);
    if (status != RK_OK) {
        return status;
    }
    rk_decay decay = {.rate_hz = rate_hz};
    decay.start = find_start(samples, count, largest, options ? options->start_s * rate_hz : 0.0);
    if (count - decay.start < DECAY_MIN_SAMPLES) {
        return rk_err_set(err, RK_INVALID,
                          "the response ends %zu samples after its decay begins, at least %d are "
                          "needed; let the job run longer",
                          count - decay.start, DECAY_MIN_SAMPLES);
    }
    double *curve = malloc((count + 256) * sizeof(*curve));
    if (!curve) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a decay curve of %zu samples", count);
    }
    floor_estimate found = find_knee(samples, decay.start, count, curve);
    decay.knee = found.knee;
    decay.noise_db = found.knee < count ? found.floor_db - 20.0 * log10(largest) : -INFINITY;
    size_t length = decay.knee - decay.start;
    integrate(samples, &found, &decay, curve);
    decay.range_db = -curve[length - 1];
    decay.edt = fit_part(curve, length, rate_hz, 0.0, -10.0);
    decay.t20 = fit_part(curve, length, rate_hz, -5.0, -25.0);
    decay.t30 = fit_part(curve, length, rate_hz, -5.0, -35.0);
    choose_rt60(&decay);
    clarity(samples, rate_hz, &decay);
    if (options && options->out_curve_db) {
        for (size_t i = 0; i < count; i++) {
            bool inside = i >= decay.start && i < decay.knee;
            options->out_curve_db[i] = inside ? curve[i - decay.start] : NAN;
        }
    }
    free(curve);
    *out_decay = decay;
    return RK_OK;
}

rk_status rk_decay_octave(const float *samples, size_t count, double rate_hz, double center_hz,
                          float *out_samples, rk_err *err)
{
    double low = center_hz / sqrt(2.0);
    double high = center_hz * sqrt(2.0);
    if (!(center_hz > 0.0) || !(high < 0.5 * rate_hz)) {
        return rk_err_set(err, RK_INVALID,
                          "the octave band at %g Hz does not fit below half the sample rate of "
                          "%g Hz",
                          center_hz, rate_hz);
    }
    /* Order 3: a first-order section and one of order 2 with q = 1. */
    rk_biquad filters[4] = {
        rk_biquad_highpass1(low, rate_hz), rk_biquad_highpass(low, 1.0, rate_hz),
        rk_biquad_lowpass1(high, rate_hz), rk_biquad_lowpass(high, 1.0, rate_hz)};
    for (size_t i = count; i-- > 0;) {
        double x = (double)samples[i];
        for (size_t k = 0; k < 4; k++) {
            x = rk_biquad_next(&filters[k], x);
        }
        out_samples[i] = (float)x;
    }
    return RK_OK;
}

void rk_decay_highpass(float *samples, size_t count, double rate_hz, double cutoff_hz)
{
    if (!(cutoff_hz > 0.0) || !(cutoff_hz < 0.5 * rate_hz)) {
        return;
    }
    rk_biquad filter = rk_biquad_highpass(cutoff_hz, sqrt(0.5), rate_hz);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (float)rk_biquad_next(&filter, (double)samples[i]);
    }
}
