/*
 * Sample rate conversion and source signals against analytic tones.
 */
#include "near.h"

#include "job/resample.h"
#include "job/signal.h"

#include <stdlib.h>

static float *tone(size_t count, double rate, double hz)
{
    float *samples = malloc((count + 1) * sizeof(*samples));
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        samples[i] = (float)sin(2.0 * M_PI * hz * (double)i / rate + 0.3);
    }
    return samples;
}

static double rms(const float *samples, size_t from, size_t to)
{
    double sum = 0.0;
    for (size_t i = from; i < to; i++) {
        sum += (double)samples[i] * (double)samples[i];
    }
    return sqrt(sum / (double)(to - from));
}

static void tones_survive_any_ratio(void **state)
{
    (void)state;
    const double rates[][2] = {{44100.0, 12009.43},
                               {12009.43, 44100.0},
                               {48000.0, 44100.0},
                               {8000.0, 8000.0},
                               {15002.4, 96000.0}};
    for (size_t k = 0; k < 5; k++) {
        double in_rate = rates[k][0];
        double out_rate = rates[k][1];
        double hz = 0.17 * fmin(in_rate, out_rate);
        size_t count = (size_t)(0.3 * in_rate);
        size_t out_count = rk_resample_count(count, in_rate, out_rate);
        float *in = tone(count, in_rate, hz);
        float *out = malloc(out_count * sizeof(*out));
        assert_non_null(out);
        assert_int_equal(rk_resample(in, count, in_rate, out_rate, 0.0, out, out_count, NULL),
                         RK_OK);
        for (size_t i = out_count / 4; i < out_count * 3 / 4; i++) {
            assert_near(out[i], sin(2.0 * M_PI * hz * (double)i / out_rate + 0.3), 1e-4);
        }
        free(in);
        free(out);
    }
}

static void what_is_too_high_is_removed(void **state)
{
    (void)state;
    size_t count = 20000;
    float *in = tone(count, 44100.0, 9000.0);
    size_t out_count = rk_resample_count(count, 44100.0, 12000.0);
    float *out = malloc(out_count * sizeof(*out));
    assert_non_null(out);
    assert_int_equal(rk_resample(in, count, 44100.0, 12000.0, 0.0, out, out_count, NULL), RK_OK);
    assert_true(rms(out, out_count / 4, out_count * 3 / 4) < 1e-4);
    assert_int_equal(rk_resample(in, count, 44100.0, 44100.0, 4000.0, in, 0, NULL), RK_OK);
    free(in);
    free(out);
    in = tone(count, 44100.0, 1000.0);
    out = malloc(count * sizeof(*out));
    assert_non_null(out);
    assert_int_equal(rk_resample(in, count, 44100.0, 44100.0, 800.0, out, count, NULL), RK_OK);
    assert_true(rms(out, count / 4, count * 3 / 4) < 1e-3);
    assert_int_equal(rk_resample(in, count, 44100.0, 44100.0, 1300.0, out, count, NULL), RK_OK);
    assert_near(rms(out, count / 4, count * 3 / 4), sqrt(0.5), 1e-3);
    free(in);
    free(out);
}

static void there_and_back_again(void **state)
{
    (void)state;
    size_t count = 6000;
    float *in = tone(count, 12009.0, 900.0);
    size_t middle_count = rk_resample_count(count, 12009.0, 44100.0);
    float *middle = malloc(middle_count * sizeof(*middle));
    float *back = malloc(count * sizeof(*back));
    assert_true(middle && back);
    assert_int_equal(rk_resample(in, count, 12009.0, 44100.0, 0.0, middle, middle_count, NULL),
                     RK_OK);
    assert_int_equal(rk_resample(middle, middle_count, 44100.0, 12009.0, 0.0, back, count, NULL),
                     RK_OK);
    for (size_t i = 500; i < count - 500; i++) {
        assert_near(back[i], in[i], 2e-4);
    }
    free(in);
    free(middle);
    free(back);
}

static void absurd_rates_are_refused(void **state)
{
    (void)state;
    float x[4] = {1, 2, 3, 4};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_resample(x, 4, 0.0, 1.0, 0.0, x, 1, &err), RK_INVALID);
    assert_int_equal(rk_resample(x, 4, 1.0, NAN, 0.0, x, 1, &err), RK_INVALID);
    assert_int_equal(rk_resample(x, 4, 1.0, 5000.0, 0.0, x, 1, &err), RK_INVALID);
    assert_int_equal(rk_resample_count(10, 0.0, 1.0), 0);
    assert_int_equal(rk_resample_count(10, 1e-300, 1e300), 0);
    assert_int_equal(rk_resample_count(10, 10.0, 20.0), 20);
    assert_int_equal(rk_resample_count(0, 10.0, 20.0), 0);
}

static void wavelet_has_its_shape(void **state)
{
    (void)state;
    double length = rk_signal_ricker_length_s(500.0);
    assert_near(rk_signal_ricker(0.5 * length, 500.0), 1.0, 1e-12);
    double sum = 0.0;
    double dt = 1e-5;
    for (double t = -length; t < 2.0 * length; t += dt) {
        sum += rk_signal_ricker(t, 500.0) * dt;
    }
    assert_near(sum, 0.0, 1e-8);
    assert_true(fabs(rk_signal_ricker(0.0, 500.0)) < 2e-4);
    assert_near(rk_signal_pulse(0.5 * rk_signal_pulse_length_s(800.0), 800.0), 1.0, 1e-12);
    assert_true(rk_signal_pulse(0.0, 800.0) < 1e-4);
}

static void pulse_is_20_db_down_at_its_upper_end(void **state)
{
    (void)state;
    double dt = 1e-5;
    double low = 0.0;
    double re = 0.0;
    double im = 0.0;
    for (double t = 0.0; t < rk_signal_pulse_length_s(700.0); t += dt) {
        double x = rk_signal_pulse(t, 700.0);
        low += x;
        re += x * cos(2.0 * M_PI * 700.0 * t);
        im += x * sin(2.0 * M_PI * 700.0 * t);
    }
    assert_near(20.0 * log10(hypot(re, im) / low), -20.0, 0.1);
}

static void noise_signals_are_reproducible_and_bounded(void **state)
{
    (void)state;
    enum { COUNT = 8000 };
    float *a = malloc(COUNT * sizeof(*a));
    float *b = malloc(COUNT * sizeof(*b));
    assert_true(a && b);
    for (int kind = 0; kind < 2; kind++) {
        for (int round = 0; round < 3; round++) {
            float *out = round == 0 ? a : b;
            uint64_t seed = round == 2 ? 8 : 7;
            if (kind == 0) {
                rk_signal_clap(out, COUNT, 16000.0, seed);
            } else {
                rk_signal_speech(out, COUNT, 16000.0, 0.5, seed);
            }
            float peak = 0.0f;
            for (size_t i = 0; i < COUNT; i++) {
                peak = fmaxf(peak, fabsf(out[i]));
            }
            assert_near(peak, 1.0, 1e-6);
            assert_int_equal(memcmp(a, out, COUNT * sizeof(*a)) == 0, round < 2);
        }
    }
    rk_signal_clap(a, COUNT, 16000.0, 1);
    assert_true(rms(a, 1200, COUNT) < 1e-3 * rms(a, 0, 640));
    free(a);
    free(b);
}

static void sweep_runs_from_low_to_high(void **state)
{
    (void)state;
    int early = 0;
    int late = 0;
    double before = 0.0;
    for (double t = 0.0; t < 1.0; t += 1e-5) {
        double x = rk_signal_sweep(t, 20.0, 2000.0, 1.0);
        assert_true(fabs(x) <= 1.0);
        if (x * before < 0.0) {
            early += t < 0.5;
            late += t >= 0.5;
        }
        before = x != 0.0 ? x : before;
    }
    assert_true(early > 20 && late > 5 * early);
    assert_near(rk_signal_sweep(1.5, 20.0, 2000.0, 1.0), 0.0, 0.0);
    assert_near(rk_signal_sweep(-0.1, 20.0, 2000.0, 1.0), 0.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tones_survive_any_ratio),
        cmocka_unit_test(what_is_too_high_is_removed),
        cmocka_unit_test(there_and_back_again),
        cmocka_unit_test(absurd_rates_are_refused),
        cmocka_unit_test(wavelet_has_its_shape),
        cmocka_unit_test(pulse_is_20_db_down_at_its_upper_end),
        cmocka_unit_test(noise_signals_are_reproducible_and_bounded),
        cmocka_unit_test(sweep_runs_from_low_to_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
