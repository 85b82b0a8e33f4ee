/*
 * room_output.c: receivers: sound files, tables, decay curves, reverberation times.
 */
#include "job/room_output.h"

#include "job/csv.h"
#include "job/picture.h"
#include "job/resample.h"
#include "job/wav.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A source that sounds for longer is not taken as an impulse. */
#define IMPULSE_S 0.06

typedef struct output_work {
    const rk_room_spec *spec;
    const rk_room_grid *grid;
    const float *const *traces;
    uint64_t steps;
    double start_s; /* the decay does not begin before, without the way of the sound */
    const char *folder;
    rk_report *report;
    rk_err *err;
    double **curves; /* [receiver_count][steps], dB */
} output_work;

static rk_status make_path(const output_work *work, const char *file, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s", work->folder, file);
    if (length < 0 || (size_t)length >= size) {
        return rk_err_set(work->err, RK_INVALID, "the name of the output folder is too long");
    }
    return RK_OK;
}

static rk_status add_output(const output_work *work, const char *file, const char *kind,
                            const char *about)
{
    if (rk_report_add_output(work->report, file, kind, about) != RK_OK) {
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for the report");
    }
    return RK_OK;
}

static double peak_of(const float *samples, uint64_t count)
{
    double peak = 0.0;
    for (uint64_t i = 0; i < count; i++) {
        peak = fmax(peak, fabs((double)samples[i]));
    }
    return peak;
}

static rk_status write_wav(const output_work *work, size_t index, double gain)
{
    const char *name = work->spec->receivers[index].name;
    double rate = work->spec->report.wav_rate_hz;
    rate = rate > 0.0 ? rint(rate) : 44100.0;
    size_t count = rk_resample_count(work->steps, work->grid->sample_rate_hz, rate);
    float *samples = malloc((count + 1) * sizeof(*samples));
    if (!samples) {
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for the sound of '%s'", name);
    }
    rk_status status = rk_resample(work->traces[index], work->steps, work->grid->sample_rate_hz,
                                   rate, 0.0, samples, count, work->err);
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        samples[i] = (float)((double)samples[i] * gain);
    }
    char file[96];
    char path[4200];
    snprintf(file, sizeof(file), "%.64s.wav", name);
    if (status == RK_OK) {
        status = make_path(work, file, path, sizeof(path));
    }
    if (status == RK_OK) {
        status = rk_wav_write(path, samples, count, 1, (uint32_t)rate, RK_WAV_FLOAT32, work->err);
    }
    free(samples);
    char about[128];
    snprintf(about, sizeof(about), "what receiver '%.64s' hears", name);
    return status == RK_OK ? add_output(work, file, "wav", about) : status;
}

static rk_status write_pressures(const output_work *work)
{
    size_t count = work->spec->receiver_count;
    const char **names = calloc(count + 1, sizeof(*names));
    char(*texts)[80] = calloc(count + 1, sizeof(*texts));
    if (!names || !texts) {
        free(names);
        free(texts);
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for receivers.csv");
    }
    names[0] = "time_s";
    for (size_t r = 0; r < count; r++) {
        snprintf(texts[r], sizeof(texts[r]), "%.64s_pa", work->spec->receivers[r].name);
        names[r + 1] = texts[r];
    }
    char path[4200];
    rk_csv csv;
    rk_status status = make_path(work, "receivers.csv", path, sizeof(path));
    if (status == RK_OK) {
        status = rk_csv_open(&csv, path, names, count + 1, work->err);
    }
    if (status == RK_OK) {
        for (uint64_t i = 0; i < work->steps; i++) {
            rk_csv_number(&csv, (double)(i + 1) * work->grid->dt_s);
            for (size_t r = 0; r < count; r++) {
                rk_csv_float(&csv, work->traces[r][i]);
            }
        }
        status = rk_csv_commit(&csv, work->err);
    }
    free(names);
    free(texts);
    return status == RK_OK
               ? add_output(work, "receivers.csv", "csv", "pressure at the receivers, each step")
               : status;
}

/* Decay curves every millisecond: more is not in them. */
static rk_status write_decays(const output_work *work)
{
    size_t count = work->spec->receiver_count;
    const char **names = calloc(count + 1, sizeof(*names));
    if (!names) {
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for decay.csv");
    }
    names[0] = "time_s";
    for (size_t r = 0; r < count; r++) {
        names[r + 1] = work->spec->receivers[r].name;
    }
    char path[4200];
    rk_csv csv;
    rk_status status = make_path(work, "decay.csv", path, sizeof(path));
    if (status == RK_OK) {
        status = rk_csv_open(&csv, path, names, count + 1, work->err);
    }
    if (status == RK_OK) {
        uint64_t stride = (uint64_t)fmax(1e-3 * work->grid->sample_rate_hz, 1.0);
        for (uint64_t i = 0; i < work->steps; i += stride) {
            rk_csv_number(&csv, (double)i * work->grid->dt_s);
            for (size_t r = 0; r < count; r++) {
                const rk_report_receiver *receiver = &work->report->receivers[r];
                uint64_t at = i + receiver->decay.start;
                bool inside = receiver->analysed && at < work->steps;
                rk_csv_number(&csv, inside ? work->curves[r][at] : NAN);
            }
        }
        status = rk_csv_commit(&csv, work->err);
    }
    free(names);
    return status == RK_OK ? add_output(work, "decay.csv", "csv",
                                        "energy decay curves in dB, since the decay began")
                           : status;
}

/* Octave bands that the source and the grid reach. */
static rk_status analyse_bands(const output_work *work, const float *trace, double start_s,
                               rk_report_receiver *receiver)
{
    static const double centres[] = {63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0};
    float *band = malloc((work->steps + 1) * sizeof(*band));
    if (!band) {
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for octave bands");
    }
    rk_decay_options options = {.start_s = start_s};
    for (size_t b = 0; b < sizeof(centres) / sizeof(centres[0]); b++) {
        if (centres[b] * sqrt(2.0) > work->grid->frequency_limit_hz * 1.05) {
            break;
        }
        rk_decay decay;
        bool known = rk_decay_octave(trace, work->steps, work->grid->sample_rate_hz, centres[b],
                                     band, NULL) == RK_OK &&
                     rk_decay_analyse(band, work->steps, work->grid->sample_rate_hz, &options,
                                      &decay, NULL) == RK_OK;
        receiver->band_hz[receiver->band_count] = centres[b];
        receiver->band_rt60_s[receiver->band_count] = known ? decay.rt60_s : NAN;
        receiver->band_count++;
    }
    free(band);
    return RK_OK;
}

/* When the sound of the nearest source has passed the receiver: no decay before. */
static double decay_start(const output_work *work, size_t index)
{
    if (!(work->start_s > 0.0)) {
        return 0.0;
    }
    double nearest = INFINITY;
    rk_room_vec at = work->spec->receivers[index].position;
    for (size_t s = 0; s < work->spec->source_count; s++) {
        rk_room_vec from = work->spec->sources[s].position;
        nearest = fmin(nearest, hypot(hypot(at.x - from.x, at.y - from.y), at.z - from.z));
    }
    return work->start_s + nearest / work->grid->air_speed_m_s;
}

static rk_status analyse(const output_work *work, size_t index)
{
    const float *trace = work->traces[index];
    rk_report_receiver *receiver =
        rk_report_add_receiver(work->report, work->spec->receivers[index].name);
    if (!receiver) {
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for the report");
    }
    receiver->peak_pa = peak_of(trace, work->steps);
    rk_err why = RK_ERR_INIT;
    rk_decay_options options = {.start_s = decay_start(work, index),
                                .out_curve_db = work->curves[index]};
    rk_status status = rk_decay_analyse(trace, work->steps, work->grid->sample_rate_hz, &options,
                                        &receiver->decay, &why);
    if (status == RK_NO_MEMORY) {
        return rk_err_set(work->err, status, "%s", why.text);
    }
    receiver->analysed = status == RK_OK;
    if (!receiver->analysed) {
        receiver->why = strdup(why.text);
        return RK_OK;
    }
    if (!work->spec->report.bands) {
        return RK_OK;
    }
    return analyse_bands(work, trace, options.start_s, receiver);
}

static void describe_curve(const output_work *work, size_t index, rk_picture_curve *curve,
                           char *label, size_t label_size)
{
    const rk_report_receiver *receiver = &work->report->receivers[index];
    const rk_decay *decay = &receiver->decay;
    *curve = (rk_picture_curve){.name = label, .rate_hz = work->grid->sample_rate_hz};
    if (!receiver->analysed) {
        snprintf(label, label_size, "%.14s: -", receiver->name);
        return;
    }
    curve->level_db = work->curves[index] + decay->start;
    curve->count = work->steps - decay->start;
    const rk_decay_fit *fit = decay->t30.valid ? &decay->t30 : &decay->t20;
    if (fit->valid) {
        curve->fit_slope_db_s = -60.0 / fit->rt_s;
        curve->fit_start_db = fit->level_db;
        snprintf(label, label_size, "%.14s: %s %.2f s", receiver->name,
                 decay->t30.valid ? "T30" : "T20", fit->rt_s);
    } else {
        snprintf(label, label_size, "%.14s", receiver->name);
    }
}

static rk_status draw_decays(const output_work *work)
{
    size_t count = work->report->receiver_count;
    rk_picture_curve *curves = calloc(count + 1, sizeof(*curves));
    char(*labels)[48] = calloc(count + 1, sizeof(*labels));
    if (!curves || !labels) {
        free(curves);
        free(labels);
        return rk_err_set(work->err, RK_NO_MEMORY, "no memory for the decay curves");
    }
    /* The axes reach to where the last curve ends, at most 75 dB down. */
    double end_s = 0.0;
    double lowest = 0.0;
    for (size_t r = 0; r < count; r++) {
        describe_curve(work, r, &curves[r], labels[r], sizeof(labels[r]));
        for (size_t i = 0; i < curves[r].count && curves[r].level_db[i] > -75.0; i++) {
            end_s = fmax(end_s, (double)i / work->grid->sample_rate_hz);
            lowest = fmin(lowest, curves[r].level_db[i]);
        }
    }
    double floor_db = fmin(floor(lowest / 5.0) * 5.0, -20.0);
    char path[4200];
    char title[160];
    snprintf(title, sizeof(title), "Energy decay, RT60 %.2f s (%s)", work->report->rt60_s,
             work->report->rt60_from);
    rk_status status = make_path(work, "decay.png", path, sizeof(path));
    if (status == RK_OK) {
        status = rk_picture_write_decay(
            path, isfinite(work->report->rt60_s) ? title : "Energy decay", curves, count,
            end_s > 0.0 ? end_s : work->spec->duration_s, floor_db, work->err);
    }
    free(curves);
    free(labels);
    return status == RK_OK ? add_output(work, "decay.png", "png", "energy decay curves") : status;
}

static rk_status write_all(const output_work *work)
{
    size_t count = work->spec->receiver_count;
    double loudest = 0.0;
    rk_status status = RK_OK;
    for (size_t r = 0; r < count && status == RK_OK; r++) {
        loudest = fmax(loudest, peak_of(work->traces[r], work->steps));
        status = analyse(work, r);
    }
    rk_report_set_rt60(work->report);
    work->report->wav_gain = loudest > 0.0 ? 0.9 / loudest : 1.0;
    for (size_t r = 0; r < count && status == RK_OK; r++) {
        status = write_wav(work, r, work->report->wav_gain);
    }
    if (status == RK_OK) {
        status = draw_decays(work);
    }
    if (status == RK_OK && work->spec->report.csv) {
        status = write_pressures(work);
    }
    if (status == RK_OK && work->spec->report.csv) {
        status = write_decays(work);
    }
    return status;
}

rk_status rk_room_write_receivers(const rk_room_spec *spec, const rk_room_grid *grid,
                                  const float *const *traces, uint64_t step_count,
                                  double source_start_s, double source_end_s, const char *folder,
                                  rk_report *report, rk_err *err)
{
    size_t count = spec->receiver_count;
    if (count == 0 || step_count == 0) {
        return RK_OK;
    }
    for (size_t r = 0; r < count; r++) {
        for (uint64_t i = 0; i < step_count; i++) {
            if (!isfinite(traces[r][i])) {
                return rk_err_set(err, RK_INVALID,
                                  "receiver '%s' has no finite pressure after step %llu: the "
                                  "computation has diverged",
                                  spec->receivers[r].name, (unsigned long long)(i + 1));
            }
        }
    }
    bool impulse = source_end_s - source_start_s <= IMPULSE_S;
    output_work work = {.spec = spec,
                        .grid = grid,
                        .traces = traces,
                        .steps = step_count,
                        .start_s = impulse ? 0.0 : source_end_s,
                        .folder = folder,
                        .report = report,
                        .err = err};
    work.curves = calloc(count, sizeof(*work.curves));
    rk_status status = work.curves ? RK_OK : RK_NO_MEMORY;
    for (size_t r = 0; r < count && status == RK_OK; r++) {
        work.curves[r] = malloc(step_count * sizeof(*work.curves[r]));
        status = work.curves[r] ? RK_OK : RK_NO_MEMORY;
    }
    if (status == RK_OK) {
        status = write_all(&work);
    } else {
        status = rk_err_set(err, status, "no memory for the decay curves");
    }
    for (size_t r = 0; r < count && work.curves; r++) {
        free(work.curves[r]);
    }
    free(work.curves);
    return status;
}
