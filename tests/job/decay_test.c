/*
 * Decay analysis against exponentials and filters of known properties.
 */
#include "near.h"

#include "job/biquad.h"
#include "job/decay.h"
#include "support/random.h"

#include <stdlib.h>

#define RATE 12000.0

static double gauss(uint64_t *seed)
{
    double sum = 0.0;
    for (int i = 0; i < 12; i++) {
        sum += (double)(rk_test_random(seed) >> 11) * 0x1p-53;
    }
    return sum - 6.0;
}

/* Noise that decays by 60 dB in rt_s, after delay samples of silence, on a floor of floor_rms. */
static float *noisy_decay(size_t count, double rt_s, size_t delay, double floor_rms, uint64_t seed)
{
    float *samples = malloc(count * sizeof(*samples));
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        double t = i < delay ? 0.0 : (double)(i - delay) / RATE;
        double x = i < delay ? 0.0 : gauss(&seed) * exp(-3.0 * log(10.0) * t / rt_s);
        samples[i] = (float)(x + floor_rms * gauss(&seed));
    }
    return samples;
}

/* The same without noise: equal magnitudes with alternating signs make the decay exact. */
static float *smooth_decay(size_t count, double rt_s, size_t delay)
{
    float *samples = calloc(count, sizeof(*samples));
    assert_non_null(samples);
    for (size_t i = delay; i < count; i++) {
        double t = (double)(i - delay) / RATE;
        samples[i] = (float)((i % 2 ? -1.0 : 1.0) * exp(-3.0 * log(10.0) * t / rt_s));
    }
    return samples;
}

static void exact_exponentials(void **state)
{
    (void)state;
    const double times[] = {0.15, 0.4, 1.0, 2.5};
    for (size_t i = 0; i < 4; i++) {
        double rt = times[i];
        size_t count = (size_t)(1.2 * rt * RATE);
        float *samples = smooth_decay(count, rt, 500);
        rk_decay decay;
        assert_int_equal(rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL), RK_OK);
        assert_int_equal(decay.start, 500);
        assert_true(decay.edt.valid && decay.t20.valid && decay.t30.valid);
        assert_near(decay.edt.rt_s, rt, 0.01 * rt);
        assert_near(decay.t20.rt_s, rt, 0.01 * rt);
        assert_near(decay.t30.rt_s, rt, 0.01 * rt);
        assert_near(decay.t30.correlation, -1.0, 1e-4);
        assert_near(decay.t30.level_db, 0.0, 0.1);
        assert_near(decay.rt60_s, decay.t30.rt_s, 0.0);
        assert_string_equal(decay.rt60_from, "T30");
        free(samples);
    }
}

static void clarity_of_an_exponential(void **state)
{
    (void)state;
    double rt = 0.8;
    size_t count = (size_t)(3.0 * rt * RATE);
    float *samples = smooth_decay(count, rt, 0);
    rk_decay decay;
    assert_int_equal(rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL), RK_OK);
    double k = 6.0 * log(10.0) / rt; /* of the energy */
    double late50 = exp(-k * 0.05);
    double late80 = exp(-k * 0.08);
    assert_near(decay.c50_db, 10.0 * log10((1.0 - late50) / late50), 0.05);
    assert_near(decay.c80_db, 10.0 * log10((1.0 - late80) / late80), 0.05);
    assert_near(decay.d50, 1.0 - late50, 0.003);
    assert_near(decay.centre_s, 1.0 / k, 0.01 / k);
    free(samples);
}

static void noise_floor_does_not_bend_the_decay(void **state)
{
    (void)state;
    double rt = 0.6;
    size_t count = (size_t)(2.0 * RATE);
    double sum = 0.0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        float *samples = noisy_decay(count, rt, 300, 1e-3, seed);
        rk_decay decay;
        assert_int_equal(rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL), RK_OK);
        assert_true(decay.t30.valid);
        assert_near(decay.t30.rt_s, rt, 0.05 * rt);
        sum += decay.t30.rt_s;
        /* The floor is met after 60 dB, that is after one reverberation time. */
        assert_near((double)(decay.knee - decay.start) / RATE, rt, 0.12 * rt);
        assert_true(isfinite(decay.noise_db));
        free(samples);
    }
    assert_near(sum / 8.0, rt, 0.02 * rt);
}

static void a_recording_that_is_cut_off_early(void **state)
{
    (void)state;
    /* It ends 45 dB down: far enough for T30, thanks to the energy added beyond the end. */
    double rt = 1.0;
    size_t count = (size_t)(0.75 * RATE);
    float *samples = smooth_decay(count, rt, 0);
    rk_decay decay;
    assert_int_equal(rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL), RK_OK);
    assert_true(decay.t30.valid);
    assert_near(decay.t30.rt_s, rt, 0.01 * rt);
    /* 22 dB: neither T30 nor T20, but an early decay time. */
    assert_int_equal(rk_decay_analyse(samples, (size_t)(0.37 * RATE), RATE, NULL, &decay, NULL),
                     RK_OK);
    assert_false(decay.t30.valid);
    assert_false(decay.t20.valid);
    assert_true(decay.edt.valid);
    assert_string_equal(decay.rt60_from, "EDT");
    assert_near(decay.rt60_s, rt, 0.02 * rt);
    free(samples);
}

static void two_slopes(void **state)
{
    (void)state;
    /* A fast decay into a slow one 20 dB below: EDT sees the first, T30 lies between. */
    size_t count = (size_t)(2.0 * RATE);
    float *samples = smooth_decay(count, 0.3, 0);
    float *slow = smooth_decay(count, 1.2, 0);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (i % 2 ? -1.0f : 1.0f) * hypotf(samples[i], 0.05f * slow[i]);
    }
    rk_decay decay;
    assert_int_equal(rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL), RK_OK);
    assert_true(decay.edt.rt_s < 0.36);
    assert_true(decay.t30.rt_s > 1.3 * decay.edt.rt_s && decay.t30.rt_s < 1.2);
    assert_true(decay.t30.correlation > -0.9999);
    free(samples);
    free(slow);
}

static void start_time_is_respected(void **state)
{
    (void)state;
    size_t count = (size_t)RATE;
    float *samples = smooth_decay(count, 0.4, 100);
    double *curve = malloc(count * sizeof(*curve));
    assert_non_null(curve);
    rk_decay_options options = {.start_s = 0.1, .out_curve_db = curve};
    rk_decay decay;
    assert_int_equal(rk_decay_analyse(samples, count, RATE, &options, &decay, NULL), RK_OK);
    assert_int_equal(decay.start, 1200);
    assert_true(isnan(curve[1199]));
    assert_near(curve[1200], 0.0, 1e-12);
    for (size_t i = decay.start + 1; i < decay.knee; i++) {
        assert_true(curve[i] <= curve[i - 1]);
    }
    free(curve);
    free(samples);
}

static void useless_input_is_refused(void **state)
{
    (void)state;
    float samples[256] = {0};
    rk_decay decay;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_decay_analyse(samples, 256, RATE, NULL, &decay, &err), RK_INVALID);
    assert_contains(err.text, "silent");
    assert_int_equal(rk_decay_analyse(samples, 5, RATE, NULL, &decay, &err), RK_INVALID);
    assert_int_equal(rk_decay_analyse(samples, 256, 0.0, NULL, &decay, &err), RK_INVALID);
    samples[17] = NAN;
    assert_int_equal(rk_decay_analyse(samples, 256, RATE, NULL, &decay, &err), RK_INVALID);
    assert_contains(err.text, "sample 17");
    samples[17] = 0.0f;
    samples[250] = 1.0f;
    assert_int_equal(rk_decay_analyse(samples, 256, RATE, NULL, &decay, &err), RK_INVALID);
    assert_contains(err.text, "longer");
}

/* Any shape of input gives finite answers or a refusal. */
static void odd_shapes(void **state)
{
    (void)state;
    uint64_t seed = 5;
    float samples[600];
    for (int shape = 0; shape < 200; shape++) {
        for (size_t i = 0; i < 600; i++) {
            double x = gauss(&seed);
            samples[i] = (float)(shape % 4 == 0   ? x
                                 : shape % 4 == 1 ? x * exp(0.01 * (double)i)
                                 : shape % 4 == 2 ? (i == (size_t)(shape * 2) ? 1.0 : 0.0)
                                                  : x * exp(-0.05 * (double)(i % 150)));
        }
        rk_decay decay;
        size_t count = 32 + (size_t)(rk_test_random(&seed) % 569);
        if (rk_decay_analyse(samples, count, RATE, NULL, &decay, NULL) == RK_OK) {
            assert_true(decay.start < decay.knee && decay.knee <= count);
            assert_true(!decay.edt.valid || decay.edt.rt_s > 0.0);
            assert_true(!isnan(decay.range_db));
        }
    }
}

static double tone_gain(double hz, double center)
{
    size_t count = 24000;
    float *in = malloc(count * sizeof(*in));
    float *out = malloc(count * sizeof(*out));
    assert_true(in && out);
    for (size_t i = 0; i < count; i++) {
        in[i] = (float)sin(2.0 * M_PI * hz * (double)i / RATE);
    }
    assert_int_equal(rk_decay_octave(in, count, RATE, center, out, NULL), RK_OK);
    double a = 0.0;
    double b = 0.0;
    for (size_t i = 6000; i < 18000; i++) {
        a += (double)in[i] * (double)in[i];
        b += (double)out[i] * (double)out[i];
    }
    free(in);
    free(out);
    return 10.0 * log10(b / a);
}

static void octave_filters(void **state)
{
    (void)state;
    /* Two Butterworth sides of order 3: -20 log10(1 + 2^-3) dB in the middle. */
    assert_near(tone_gain(500.0, 500.0), -1.02, 0.1);
    assert_near(tone_gain(500.0 / sqrt(2.0), 500.0), -3.0, 0.4);
    assert_near(tone_gain(500.0 * sqrt(2.0), 500.0), -3.0, 0.4);
    assert_true(tone_gain(250.0, 500.0) < -9.0);
    assert_true(tone_gain(125.0, 500.0) < -25.0);
    assert_true(tone_gain(2000.0, 500.0) < -25.0);
    float x = 0.0f;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_decay_octave(&x, 1, 1000.0, 500.0, &x, &err), RK_INVALID);
    assert_contains(err.text, "500 Hz");
}

static void band_decay_times(void **state)
{
    (void)state;
    double rt = 0.5;
    size_t count = (size_t)(1.5 * RATE);
    double sum = 0.0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        float *samples = noisy_decay(count, rt, 600, 0.0, seed);
        float *band = malloc(count * sizeof(*band));
        assert_non_null(band);
        assert_int_equal(rk_decay_octave(samples, count, RATE, 1000.0, band, NULL), RK_OK);
        rk_decay decay;
        assert_int_equal(rk_decay_analyse(band, count, RATE, NULL, &decay, NULL), RK_OK);
        assert_near(decay.rt60_s, rt, 0.1 * rt);
        sum += decay.rt60_s;
        free(band);
        free(samples);
    }
    assert_near(sum / 6.0, rt, 0.04 * rt);
}

static void highpass_removes_the_mean(void **state)
{
    (void)state;
    size_t count = 12000;
    float *samples = malloc(count * sizeof(*samples));
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (float)(1.0 + sin(2.0 * M_PI * 300.0 * (double)i / RATE));
    }
    rk_decay_highpass(samples, count, RATE, 20.0);
    double mean = 0.0;
    double power = 0.0;
    for (size_t i = 8000; i < 12000; i++) {
        mean += (double)samples[i] / 4000.0;
        power += (double)samples[i] * (double)samples[i] / 4000.0;
    }
    assert_near(mean, 0.0, 1e-3);
    assert_near(power, 0.5, 0.01);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_exponentials),
        cmocka_unit_test(clarity_of_an_exponential),
        cmocka_unit_test(noise_floor_does_not_bend_the_decay),
        cmocka_unit_test(a_recording_that_is_cut_off_early),
        cmocka_unit_test(two_slopes),
        cmocka_unit_test(start_time_is_respected),
        cmocka_unit_test(useless_input_is_refused),
        cmocka_unit_test(odd_shapes),
        cmocka_unit_test(octave_filters),
        cmocka_unit_test(band_decay_times),
        cmocka_unit_test(highpass_removes_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
