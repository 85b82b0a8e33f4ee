/*
 * room_source.c: the samples of a source at the rate of the grid.
 *
 * The grid adds them to the pressure, so the scheme solves p'' = c^2 lap p + q with the added term
 * dt^2 q / dx^3. A free-field pressure of x(t) at 1 m needs q = 4 pi c^2 x (1 m): the factor below.
 *
 * A source with a mean would lift the pressure of a closed room for ever, so signals that may have
 * one pass a high-pass of order 2. What the grid cannot carry (above its frequency limit) is
 * removed by a causal low-pass.
 */
#include "job/biquad.h"
#include "job/resample.h"
#include "job/room.h"
#include "job/room_internal.h"
#include "job/signal.h"
#include "job/wav.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct source_work {
    const rk_room_spec *spec;
    const rk_room_grid *grid;
    const rk_room_source *source;
    float *samples; /* [count]: from the start of the source to the end of the run */
    size_t count;
    rk_err *err;
} source_work;

static rk_status fail_file(const source_work *work, const char *path, rk_status status,
                           const char *why)
{
    return room_fail(work->spec, work->source->mark, status, work->err, "source '%s': %s%s%s",
                     work->source->name, path ? path : "", path ? ": " : "", why);
}

static rk_status check_wav(const source_work *work, const char *path, const rk_wav *wav)
{
    const rk_room_source *source = work->source;
    char why[256];
    if (!isnan(source->rate_hz) && source->rate_hz != (double)wav->rate_hz) {
        snprintf(why, sizeof(why),
                 "the file has a sample rate of %u Hz, but 'rate' says %g Hz; correct 'rate', or "
                 "leave it out to accept any",
                 wav->rate_hz, source->rate_hz);
        return fail_file(work, path, RK_INVALID, why);
    }
    if (source->channel < 1 || source->channel > wav->channels) {
        snprintf(why, sizeof(why), "the file has %u channels, but 'channel' asks for number %llu",
                 wav->channels, (unsigned long long)source->channel);
        return fail_file(work, path, RK_INVALID, why);
    }
    if (wav->frames == 0) {
        return fail_file(work, path, RK_INVALID, "the file has no samples");
    }
    return RK_OK;
}

static rk_status fill_wav(source_work *work)
{
    const rk_room_source *source = work->source;
    if (!source->path) {
        return fail_file(work, NULL, RK_INVALID, "the signal 'wav' needs a 'file'");
    }
    char path[4400];
    bool relative = source->path[0] != '/' && work->spec->folder;
    snprintf(path, sizeof(path), "%s%s%s", relative ? work->spec->folder : "", relative ? "/" : "",
             source->path);
    rk_wav wav = {0};
    rk_err why = RK_ERR_INIT;
    rk_status status = rk_wav_read(path, &wav, &why);
    if (status != RK_OK) {
        return fail_file(work, NULL, status, why.text);
    }
    status = check_wav(work, path, &wav);
    float *mono = NULL;
    if (status == RK_OK) {
        mono = malloc(wav.frames * sizeof(*mono));
        if (!mono) {
            status = fail_file(work, path, RK_NO_MEMORY, "no memory for its samples");
        }
    }
    if (status == RK_OK) {
        for (uint64_t i = 0; i < wav.frames; i++) {
            mono[i] = wav.samples[i * wav.channels + source->channel - 1];
        }
        size_t count = rk_resample_count(wav.frames, wav.rate_hz, work->grid->sample_rate_hz);
        count = count < work->count ? count : work->count;
        status = rk_resample(mono, wav.frames, wav.rate_hz, work->grid->sample_rate_hz, 0.0,
                             work->samples, count, &why);
        if (status != RK_OK) {
            status = fail_file(work, path, status, why.text);
        }
    }
    free(mono);
    rk_wav_finish(&wav);
    return status;
}

static rk_status check_frequency(const source_work *work, double frequency_hz)
{
    if (frequency_hz <= work->grid->frequency_limit_hz * 1.0001) {
        return RK_OK;
    }
    return room_fail(work->spec, work->source->mark, RK_INVALID, work->err,
                     "source '%s': %g Hz is more than the %.4g Hz that the grid resolves; lower "
                     "'frequency', or use smaller cells",
                     work->source->name, frequency_hz, work->grid->frequency_limit_hz);
}

/* Signals that are functions of time. */
static rk_status fill_formula(source_work *work)
{
    const rk_room_source *source = work->source;
    double limit = work->grid->frequency_limit_hz;
    double fallback = source->signal == RK_ROOM_RICKER ? 0.4 * limit : limit;
    double f = isnan(source->frequency_hz) ? fallback : source->frequency_hz;
    double length_s = isnan(source->length_s) ? 0.5 : source->length_s;
    double low = fmin(20.0, 0.1 * f);
    rk_status status = check_frequency(work, f);
    if (status != RK_OK) {
        return status;
    }
    for (size_t i = 0; i < work->count; i++) {
        double t = (double)i * work->grid->dt_s;
        double x = 0.0;
        if (source->signal == RK_ROOM_RICKER) {
            x = rk_signal_ricker(t, f);
        } else if (source->signal == RK_ROOM_PULSE) {
            x = rk_signal_pulse(t, f);
        } else {
            x = rk_signal_sweep(t, low, f, length_s);
        }
        work->samples[i] = (float)x;
    }
    return RK_OK;
}

static rk_status fill(source_work *work)
{
    const rk_room_source *source = work->source;
    double rate = work->grid->sample_rate_hz;
    switch (source->signal) {
    case RK_ROOM_RICKER:
    case RK_ROOM_PULSE:
    case RK_ROOM_SWEEP: return fill_formula(work);
    case RK_ROOM_CLAP: rk_signal_clap(work->samples, work->count, rate, source->seed); return RK_OK;
    case RK_ROOM_SPEECH:
        rk_signal_speech(work->samples, work->count, rate,
                         isnan(source->length_s) ? 0.5 : source->length_s, source->seed);
        return RK_OK;
    case RK_ROOM_WAV: return fill_wav(work);
    }
    return fail_file(work, NULL, RK_INVALID, "an unknown kind of signal");
}

/* High-pass, low-pass at the limit of the grid, peak of 1. */
static void shape(source_work *work)
{
    const rk_room_source *source = work->source;
    double rate = work->grid->sample_rate_hz;
    double usual = source->signal == RK_ROOM_RICKER ? 0.0 : 20.0;
    double high = isnan(source->highpass_hz) ? usual : source->highpass_hz;
    bool wide = source->signal == RK_ROOM_CLAP || source->signal == RK_ROOM_SPEECH ||
                source->signal == RK_ROOM_WAV;
    double limit = work->grid->frequency_limit_hz;
    rk_biquad filters[5];
    size_t count = 0;
    if (high > 0.0 && high < 0.45 * rate) {
        filters[count++] = rk_biquad_highpass(high, sqrt(0.5), rate);
    }
    if (wide && limit < 0.45 * rate) {
        for (int k = 0; k < 4; k++) {
            /* The four sections of a Butterworth low-pass of order 8. */
            double q = 0.5 / cos(M_PI * (2.0 * k + 1.0) / 16.0);
            filters[count++] = rk_biquad_lowpass(limit, q, rate);
        }
    }
    for (size_t i = 0; i < work->count && count > 0; i++) {
        double x = (double)work->samples[i];
        for (size_t k = 0; k < count; k++) {
            x = rk_biquad_next(&filters[k], x);
        }
        work->samples[i] = (float)x;
    }
    rk_signal_normalise(work->samples, work->count);
}

rk_status rk_room_source_samples(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                                 float *out_samples, double *out_end_s, rk_err *err)
{
    rk_err local = RK_ERR_INIT;
    const rk_room_source *source = &spec->sources[index];
    size_t steps = grid->step_count;
    double first = ceil(source->start_s / grid->dt_s - 1e-9);
    if (!(first >= 0.0 && first < (double)steps)) {
        return room_fail(spec, source->mark, RK_INVALID, err ? err : &local,
                         "source '%s' starts at %g s, but the run ends at %g s", source->name,
                         source->start_s, spec->duration_s);
    }
    size_t start = (size_t)first;
    memset(out_samples, 0, steps * sizeof(*out_samples));
    source_work work = {.spec = spec, .grid = grid, .source = source, .err = err ? err : &local};
    work.samples = out_samples + start;
    work.count = steps - start;
    rk_status status = fill(&work);
    if (status != RK_OK) {
        return status;
    }
    shape(&work);
    size_t last = 0;
    for (size_t i = 0; i < work.count; i++) {
        last = fabsf(work.samples[i]) > 0.01f ? i : last;
    }
    double courant = grid->air_speed_m_s * grid->dt_s / grid->dx_m;
    double scale = 4.0 * M_PI * courant * courant / grid->dx_m * source->level_pa;
    for (size_t i = 0; i < work.count; i++) {
        work.samples[i] = (float)((double)work.samples[i] * scale);
    }
    *out_end_s = (double)(start + last + 1) * grid->dt_s;
    return RK_OK;
}
