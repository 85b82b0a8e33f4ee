/*
 * Source signals on the grid: level, shape, WAV files and their refusals.
 */
#include "near.h"
#include "room_fixture.h"

#include "base/test_folder.h"
#include "job/wav.h"

#include <stdio.h>
#include <stdlib.h>

static const char head[] = "  duration: 200 ms\n"
                           "  grid: {dx: 5 cm}\n"
                           "  air: {sound_speed: 343 m/s, density: 1.2 kg/m3}\n"
                           "  geometry:\n"
                           "    size: [1, 1, 1]\n"
                           "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid}\n";

typedef struct made {
    rk_job job;
    rk_room_grid grid;
    float *samples;
    double end_s;
} made;

static rk_status make(const char *source, const char *folder, made *out, rk_err *err)
{
    char text[2048];
    snprintf(text, sizeof(text), "%s  sources: [{name: s, position: [0.5, 0.5, 0.5], %s}]\n", head,
             source);
    room_grid(text, &out->job, &out->grid);
    if (folder) {
        out->job.room->folder = folder;
    }
    out->samples = malloc(out->grid.step_count * sizeof(*out->samples));
    assert_non_null(out->samples);
    return rk_room_source_samples(out->job.room, &out->grid, 0, out->samples, &out->end_s, err);
}

static void finish(made *m)
{
    free(m->samples);
    rk_room_grid_finish(&m->grid);
    rk_job_finish(&m->job);
}

static double scale_of(const made *m, double level)
{
    double courant = 343.0 * m->grid.dt_s / m->grid.dx_m;
    return 4.0 * M_PI * courant * courant / m->grid.dx_m * level;
}

static void signals_have_their_level_and_no_mean(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ricker", "pulse", "sweep", "clap", "speech"};
    for (size_t k = 0; k < 5; k++) {
        char source[96];
        snprintf(source, sizeof(source), "signal: %s, level: 3 Pa, length: 100 ms", kinds[k]);
        made m;
        assert_int_equal(make(source, NULL, &m, NULL), RK_OK);
        double peak = 0.0;
        double sum = 0.0;
        double power = 0.0;
        for (uint64_t i = 0; i < m.grid.step_count; i++) {
            peak = fmax(peak, fabs((double)m.samples[i]));
            sum += (double)m.samples[i];
            power += fabs((double)m.samples[i]);
        }
        assert_near(peak, scale_of(&m, 3.0), 1e-4 * peak);
        assert_true(fabs(sum) < 0.01 * power);
        assert_true(m.end_s > 0.0 && m.end_s <= 0.2);
        finish(&m);
    }
}

static void start_delays_the_signal(void **state)
{
    (void)state;
    made now, later;
    assert_int_equal(make("signal: clap", NULL, &now, NULL), RK_OK);
    assert_int_equal(make("signal: clap, start: 50 ms", NULL, &later, NULL), RK_OK);
    size_t shift = (size_t)ceil(0.05 / now.grid.dt_s - 1e-9);
    for (size_t i = 0; i < 600; i++) {
        assert_near(later.samples[i], i < shift ? 0.0 : now.samples[i - shift], 1e-6);
    }
    assert_near(later.end_s - now.end_s, 0.05, now.grid.dt_s);
    finish(&now);
    finish(&later);
    made never;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(make("signal: clap, start: 1 s", NULL, &never, &err), RK_INVALID);
    assert_contains(err.text, "starts at 1 s");
    finish(&never);
}

static void write_tone(const char *folder, const char *name, uint32_t rate, uint32_t channels)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    size_t frames = rate / 10;
    float *samples = calloc(frames * channels, sizeof(*samples));
    assert_non_null(samples);
    for (size_t i = 0; i < frames; i++) {
        /* A tone burst in the last channel. */
        double t = (double)i / rate;
        double window = sin(M_PI * (double)i / (double)frames);
        samples[i * channels + channels - 1] =
            (float)(0.25 * window * window * sin(2.0 * M_PI * 400.0 * t));
    }
    assert_int_equal(rk_wav_write(path, samples, frames, channels, rate, RK_WAV_FLOAT32, NULL),
                     RK_OK);
    free(samples);
}

static void wav_sources_are_resampled(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    write_tone(folder, "a.wav", 48000, 2);
    made m;
    rk_err err = RK_ERR_INIT;
    rk_status status =
        make("signal: wav, file: a.wav, rate: 48 kHz, channel: 2, highpass: 0", folder, &m, &err);
    if (status != RK_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(status, RK_OK);
    assert_near(m.end_s, 0.1, 0.01);
    /* 400 Hz in the middle: count the zero crossings. */
    size_t crossings = 0;
    size_t from = (size_t)(0.03 / m.grid.dt_s);
    size_t to = (size_t)(0.07 / m.grid.dt_s);
    for (size_t i = from; i < to; i++) {
        crossings += (m.samples[i] > 0.0f) != (m.samples[i - 1] > 0.0f);
    }
    assert_near((double)crossings, 2.0 * 400.0 * 0.04, 1.5);
    finish(&m);
    rk_test_folder_remove(folder);
}

static void refused(const char *source, const char *folder, rk_status code, const char *part)
{
    made m;
    rk_err err = RK_ERR_INIT;
    rk_status status = make(source, folder, &m, &err);
    if (status != code) {
        print_error("%d: %s\n", status, err.text);
    }
    assert_int_equal(status, code);
    assert_contains(err.text, "t.yaml:9:");
    assert_contains(err.text, "source 's'");
    assert_contains(err.text, part);
    finish(&m);
}

static void bad_sources_are_refused(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    write_tone(folder, "a.wav", 48000, 1);
    refused("signal: wav", folder, RK_INVALID, "needs a 'file'");
    refused("signal: wav, file: none.wav", folder, RK_NOT_FOUND, "none.wav");
    refused("signal: wav, file: a.wav, rate: 44.1 kHz", folder, RK_INVALID,
            "48000 Hz, but 'rate' says 44100 Hz");
    refused("signal: wav, file: a.wav, channel: 2", folder, RK_INVALID, "1 channels");
    refused("signal: ricker, frequency: 5 kHz", folder, RK_INVALID, "857.5 Hz");
    rk_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_have_their_level_and_no_mean),
        cmocka_unit_test(start_delays_the_signal),
        cmocka_unit_test(wav_sources_are_resampled),
        cmocka_unit_test(bad_sources_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
