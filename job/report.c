/*
 * report.c: the summary of a run as text and JSON.
 */
#include "job/report.h"

#include "base/file.h"
#include "job/absorb.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rk_status rk_report_init(rk_report *report, const char *job, const char *device, const char *kernel)
{
    memset(report, 0, sizeof(*report));
    report->job = strdup(job ? job : "");
    report->device = strdup(device ? device : "");
    report->kernel = strdup(kernel ? kernel : "");
    report->rt60_s = NAN;
    report->rt60_from = "none";
    if (!report->job || !report->device || !report->kernel) {
        rk_report_finish(report);
        return RK_NO_MEMORY;
    }
    return RK_OK;
}

void rk_report_finish(rk_report *report)
{
    free(report->job);
    free(report->device);
    free(report->kernel);
    for (size_t i = 0; i < report->output_count; i++) {
        free(report->outputs[i].file);
        free(report->outputs[i].kind);
        free(report->outputs[i].about);
    }
    for (size_t i = 0; i < report->kernel_count; i++) {
        free(report->kernels[i].name);
        free(report->kernels[i].module);
        free(report->kernels[i].state);
        free(report->kernels[i].failure);
    }
    for (size_t i = 0; i < report->receiver_count; i++) {
        free(report->receivers[i].name);
        free(report->receivers[i].why);
    }
    free(report->folder);
    free(report->kernels);
    free(report->outputs);
    free(report->receivers);
    memset(report, 0, sizeof(*report));
}

void rk_report_set_room(rk_report *report, const rk_room_spec *spec, const rk_room_grid *grid)
{
    report->has_room = true;
    report->grid[0] = grid->nx;
    report->grid[1] = grid->ny;
    report->grid[2] = grid->nz;
    report->cells = grid->cell_count;
    report->dx_m = grid->dx_m;
    report->dt_s = grid->dt_s;
    report->duration_s = spec->duration_s;
    report->frequency_limit_hz = grid->frequency_limit_hz;
    report->volume_m3 = grid->volume_m3;
    report->surface_m2 = grid->surface_m2;
    report->mean_absorption = grid->mean_absorption;
    report->sound_speed_m_s = grid->air_speed_m_s;
    report->eyring_s = rk_absorb_eyring_s(grid->volume_m3, grid->surface_m2, grid->mean_absorption,
                                          grid->air_speed_m_s);
    report->sabine_s = rk_absorb_sabine_s(grid->volume_m3, grid->surface_m2, grid->mean_absorption,
                                          grid->air_speed_m_s);
}

rk_status rk_report_add_output(rk_report *report, const char *file, const char *kind,
                               const char *about)
{
    for (size_t i = 0; i < report->output_count; i++) {
        if (strcmp(report->outputs[i].file, file) == 0) {
            free(report->outputs[i].about);
            report->outputs[i].about = strdup(about);
            return report->outputs[i].about ? RK_OK : RK_NO_MEMORY;
        }
    }
    rk_report_output *outputs =
        realloc(report->outputs, (report->output_count + 1) * sizeof(*outputs));
    if (!outputs) {
        return RK_NO_MEMORY;
    }
    report->outputs = outputs;
    rk_report_output *output = &outputs[report->output_count];
    *output = (rk_report_output){strdup(file), strdup(kind), strdup(about)};
    report->output_count++;
    return output->file && output->kind && output->about ? RK_OK : RK_NO_MEMORY;
}

rk_status rk_report_add_kernel(rk_report *report, const char *name, const char *module,
                               const char *state, uint64_t step, const char *failure)
{
    rk_report_kernel *kernels =
        realloc(report->kernels, (report->kernel_count + 1) * sizeof(*kernels));
    if (!kernels) {
        return RK_NO_MEMORY;
    }
    report->kernels = kernels;
    rk_report_kernel *kernel = &kernels[report->kernel_count];
    *kernel = (rk_report_kernel){strdup(name), strdup(module), strdup(state), step,
                                 failure ? strdup(failure) : NULL};
    report->kernel_count++;
    bool whole = kernel->name && kernel->module && kernel->state && (kernel->failure || !failure);
    return whole ? RK_OK : RK_NO_MEMORY;
}

rk_report_receiver *rk_report_add_receiver(rk_report *report, const char *name)
{
    rk_report_receiver *receivers =
        realloc(report->receivers, (report->receiver_count + 1) * sizeof(*receivers));
    if (!receivers) {
        return NULL;
    }
    report->receivers = receivers;
    rk_report_receiver *receiver = &receivers[report->receiver_count];
    memset(receiver, 0, sizeof(*receiver));
    receiver->name = strdup(name);
    if (!receiver->name) {
        return NULL;
    }
    report->receiver_count++;
    return receiver;
}

void rk_report_set_rt60(rk_report *report)
{
    static const char *const names[] = {"T30", "T20", "EDT"};
    report->rt60_s = NAN;
    report->rt60_from = "none";
    /* The best kind that any receiver has; the mean over those that have it. */
    for (size_t kind = 0; kind < 3; kind++) {
        double sum = 0.0;
        size_t count = 0;
        for (size_t i = 0; i < report->receiver_count; i++) {
            const rk_decay *decay = &report->receivers[i].decay;
            const rk_decay_fit *fit = kind == 0   ? &decay->t30
                                      : kind == 1 ? &decay->t20
                                                  : &decay->edt;
            if (report->receivers[i].analysed && fit->valid) {
                sum += fit->rt_s;
                count++;
            }
        }
        if (count > 0) {
            report->rt60_s = sum / (double)count;
            report->rt60_from = names[kind];
            return;
        }
    }
}

static double rate_mcells(const rk_report *report)
{
    double updates = (double)report->steps * (double)report->cells;
    return report->seconds > 0.0 ? updates / report->seconds * 1e-6 : NAN;
}

static void append_fit(rk_str *out, const rk_decay_fit *fit)
{
    if (fit->valid) {
        rk_str_appendf(out, "  %6.3f", fit->rt_s);
    } else {
        rk_str_append(out, "       -");
    }
}

static void append_receivers(const rk_report *report, rk_str *out)
{
    if (report->receiver_count == 0) {
        return;
    }
    rk_str_append(out, "\nReceivers (times in s, from the decay of 10, 20 and 30 dB)\n\n"
                       "  name                 EDT     T20     T30   C50 dB   C80 dB    D50 %"
                       "   centre ms   peak Pa\n");
    for (size_t i = 0; i < report->receiver_count; i++) {
        const rk_report_receiver *receiver = &report->receivers[i];
        rk_str_appendf(out, "  %-16s", receiver->name);
        if (!receiver->analysed) {
            rk_str_appendf(out, "  no decay: %s\n", receiver->why ? receiver->why : "");
            continue;
        }
        append_fit(out, &receiver->decay.edt);
        append_fit(out, &receiver->decay.t20);
        append_fit(out, &receiver->decay.t30);
        rk_str_appendf(out, "  %7.1f  %7.1f  %7.1f  %10.1f  %8.3g\n", receiver->decay.c50_db,
                       receiver->decay.c80_db, 100.0 * receiver->decay.d50,
                       1e3 * receiver->decay.centre_s, receiver->peak_pa);
    }
}

static void append_bands(const rk_report *report, rk_str *out)
{
    const rk_report_receiver *widest = NULL;
    for (size_t i = 0; i < report->receiver_count; i++) {
        if (!widest || report->receivers[i].band_count > widest->band_count) {
            widest = &report->receivers[i];
        }
    }
    if (!widest || widest->band_count == 0) {
        return;
    }
    rk_str_append(out, "\nReverberation time in octave bands, s\n\n  name            ");
    for (size_t b = 0; b < widest->band_count; b++) {
        rk_str_appendf(out, "  %5.0f Hz", widest->band_hz[b]);
    }
    rk_str_append(out, "\n");
    for (size_t i = 0; i < report->receiver_count; i++) {
        const rk_report_receiver *receiver = &report->receivers[i];
        rk_str_appendf(out, "  %-16s", receiver->name);
        for (size_t b = 0; b < receiver->band_count; b++) {
            if (isfinite(receiver->band_rt60_s[b])) {
                rk_str_appendf(out, "  %8.3f", receiver->band_rt60_s[b]);
            } else {
                rk_str_append(out, "         -");
            }
        }
        rk_str_append(out, "\n");
    }
}

static void append_room(const rk_report *report, rk_str *out)
{
    rk_str_append(out, "\nReverberation time\n\n");
    if (isfinite(report->rt60_s)) {
        rk_str_appendf(out, "  RT60 %.3f s (%s, mean over the receivers)\n", report->rt60_s,
                       report->rt60_from);
    } else {
        rk_str_append(out, "  RT60 could not be measured: no receiver saw enough of the decay; let "
                           "the job run longer\n");
    }
    rk_str_appendf(out, "  by formula: Eyring %.3f s, Sabine %.3f s\n", report->eyring_s,
                   report->sabine_s);
    append_receivers(report, out);
    append_bands(report, out);
    rk_str_append(out, "\nRoom and grid\n\n");
    rk_str_appendf(out, "  volume             %.2f m3\n", report->volume_m3);
    rk_str_appendf(out, "  surface            %.2f m2, mean absorption %.3f\n", report->surface_m2,
                   report->mean_absorption);
    rk_str_appendf(out, "  cells              %u x %u x %u = %llu of %.4g cm\n", report->grid[0],
                   report->grid[1], report->grid[2], (unsigned long long)report->cells,
                   report->dx_m * 100.0);
    rk_str_appendf(out, "  time step          %.4g us (%.0f steps per second)\n",
                   report->dt_s * 1e6, 1.0 / report->dt_s);
    rk_str_appendf(out, "  good up to         %.0f Hz\n", report->frequency_limit_hz);
    if (report->wav_gain > 0.0) {
        rk_str_appendf(out, "  scale of the WAVs  full scale is %.4g Pa\n", 1.0 / report->wav_gain);
    }
}

/* Of a room there is one kernel, which the head names; how it failed is worth a line. */
static void append_kernels(const rk_report *report, rk_str *out)
{
    bool failed = false;
    for (size_t i = 0; i < report->kernel_count; i++) {
        failed = failed || report->kernels[i].failure;
    }
    if (report->kernel_count == 0 || (report->has_room && report->kernel_count == 1 && !failed)) {
        return;
    }
    rk_str_append(out, "\nKernels\n\n  name              module         steps  state\n");
    for (size_t i = 0; i < report->kernel_count; i++) {
        const rk_report_kernel *kernel = &report->kernels[i];
        rk_str_appendf(out, "  %-16s  %-10s  %8llu  %s%s%s\n", kernel->name, kernel->module,
                       (unsigned long long)kernel->step, kernel->state, kernel->failure ? ": " : "",
                       kernel->failure ? kernel->failure : "");
    }
}

rk_status rk_report_append_text(const rk_report *report, rk_str *out)
{
    rk_str_appendf(out, "Job %s\n\n", report->job);
    rk_str_appendf(out, "  device             %s\n", report->device);
    if (report->kernel[0] != '\0') {
        rk_str_appendf(out, "  kernel             %s\n", report->kernel);
    }
    rk_str_appendf(out, "  steps              %llu%s\n", (unsigned long long)report->steps,
                   report->complete ? "" : " (stopped early)");
    double rate = rate_mcells(report);
    rk_str_appendf(out, "  computing took     %.2f s", report->seconds);
    if (isfinite(rate) && rate >= 1.0) {
        rk_str_appendf(out, " (%.0f million cells per second)", rate);
    }
    rk_str_append(out, "\n");
    append_kernels(report, out);
    if (report->has_room) {
        append_room(report, out);
    }
    rk_str_append(out, "\nFiles\n\n");
    for (size_t i = 0; i < report->output_count; i++) {
        rk_str_appendf(out, "  %-28s %s\n", report->outputs[i].file, report->outputs[i].about);
    }
    return out->status;
}

/* A JSON number, or null for what does not exist. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *fit_number(const rk_decay_fit *fit)
{
    return fit->valid ? number(fit->rt_s) : json_null();
}

static json_t *receiver_json(const rk_report_receiver *receiver)
{
    const rk_decay *d = &receiver->decay;
    if (!receiver->analysed) {
        return json_pack("{s:s, s:n, s:s, s:o}", "name", receiver->name, "rt60_s", "why",
                         receiver->why ? receiver->why : "", "peak_pa", number(receiver->peak_pa));
    }
    const rk_decay_fit *best = d->t30.valid ? &d->t30 : d->t20.valid ? &d->t20 : &d->edt;
    json_t *bands = json_array();
    for (size_t b = 0; b < receiver->band_count; b++) {
        json_array_append_new(bands, json_pack("{s:o, s:o}", "hz", number(receiver->band_hz[b]),
                                               "rt60_s", number(receiver->band_rt60_s[b])));
    }
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "name", receiver->name, "rt60_s", number(d->rt60_s), "rt60_from", d->rt60_from,
                     "edt_s", fit_number(&d->edt), "t20_s", fit_number(&d->t20), "t30_s",
                     fit_number(&d->t30), "correlation",
                     best->valid ? number(best->correlation) : json_null(), "c50_db",
                     number(d->c50_db), "c80_db", number(d->c80_db), "d50", number(d->d50),
                     "centre_s", number(d->centre_s), "range_db", number(d->range_db), "noise_db",
                     number(d->noise_db), "peak_pa", number(receiver->peak_pa), "bands", bands);
}

static void set(json_t *object, const char *key, json_t *value)
{
    /* A failure leaves the object without the key; the caller notices by its count. */
    (void)json_object_set_new(object, key, value);
}

static void set_room(const rk_report *report, json_t *root)
{
    json_t *receivers = json_array();
    for (size_t i = 0; i < report->receiver_count; i++) {
        json_array_append_new(receivers, receiver_json(&report->receivers[i]));
    }
    set(root, "rt60_s", number(report->rt60_s));
    set(root, "rt60_from", json_string(report->rt60_from));
    set(root, "eyring_s", number(report->eyring_s));
    set(root, "sabine_s", number(report->sabine_s));
    set(root, "dx_m", number(report->dx_m));
    set(root, "dt_s", number(report->dt_s));
    set(root, "duration_s", number(report->duration_s));
    set(root, "sample_rate_hz", number(1.0 / report->dt_s));
    set(root, "frequency_limit_hz", number(report->frequency_limit_hz));
    set(root, "volume_m3", number(report->volume_m3));
    set(root, "surface_m2", number(report->surface_m2));
    set(root, "mean_absorption", number(report->mean_absorption));
    set(root, "sound_speed_m_s", number(report->sound_speed_m_s));
    set(root, "wav_full_scale_pa", number(1.0 / report->wav_gain));
    set(root, "grid",
        json_pack("[i, i, i]", (int)report->grid[0], (int)report->grid[1], (int)report->grid[2]));
    set(root, "receivers", receivers);
}

static json_t *kernels_json(const rk_report *report)
{
    json_t *kernels = json_array();
    for (size_t i = 0; i < report->kernel_count; i++) {
        const rk_report_kernel *kernel = &report->kernels[i];
        json_array_append_new(kernels,
                              json_pack("{s:s, s:s, s:s, s:I, s:s?}", "name", kernel->name,
                                        "module", kernel->module, "state", kernel->state, "step",
                                        (json_int_t)kernel->step, "failure", kernel->failure));
    }
    return kernels;
}

rk_status rk_report_append_json(const rk_report *report, rk_str *out)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < report->output_count; i++) {
        json_array_append_new(outputs, json_pack("{s:s, s:s, s:s}", "file", report->outputs[i].file,
                                                 "kind", report->outputs[i].kind, "about",
                                                 report->outputs[i].about));
    }
    json_t *root = json_object();
    set(root, "job", json_string(report->job));
    set(root, "device", json_string(report->device));
    set(root, "kernel", json_string(report->kernel));
    set(root, "complete", json_boolean(report->complete));
    set(root, "steps", json_integer((json_int_t)report->steps));
    set(root, "cells", json_integer((json_int_t)report->cells));
    set(root, "seconds", number(report->seconds));
    set(root, "mcells_per_s", number(rate_mcells(report)));
    set(root, "kernels", kernels_json(report));
    set(root, "folder", report->folder ? json_string(report->folder) : json_null());
    set(root, "outputs", outputs);
    if (report->has_room) {
        set_room(report, root);
    }
    bool whole = json_object_size(root) == (report->has_room ? 27u : 11u) &&
                 json_array_size(outputs) == report->output_count;
    char *text = whole ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(root);
    if (!text) {
        return RK_NO_MEMORY;
    }
    rk_status status = rk_str_append(out, text);
    free(text);
    return status;
}

static rk_status write_one(const char *folder, const char *name, const rk_str *text, rk_err *err)
{
    char path[4200];
    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return rk_err_set(err, RK_INVALID, "the output folder's name is too long");
    }
    return rk_file_replace(path, rk_str_cstr(text), text->length, err);
}

rk_status rk_report_write(rk_report *report, const char *folder, rk_err *err)
{
    rk_status status =
        rk_report_add_output(report, "summary.txt", "txt", "this summary, for people");
    if (status == RK_OK) {
        status = rk_report_add_output(report, "summary.json", "json", "the same, for programs");
    }
    free(report->folder);
    report->folder = strdup(folder);
    if (status == RK_OK && !report->folder) {
        status = RK_NO_MEMORY;
    }
    rk_str text, json;
    rk_str_init(&text, 4u << 20);
    rk_str_init(&json, 4u << 20);
    if (status == RK_OK) {
        status = rk_report_append_text(report, &text);
    }
    if (status == RK_OK) {
        status = rk_report_append_json(report, &json);
    }
    if (status == RK_OK) {
        status = rk_str_append(&json, "\n");
    }
    if (status != RK_OK) {
        status = rk_err_set(err, status, "%s: the summary could not be made: %s", folder,
                            rk_status_text(status));
    } else {
        status = write_one(folder, "summary.txt", &text, err);
    }
    if (status == RK_OK) {
        status = write_one(folder, "summary.json", &json, err);
    }
    rk_str_finish(&text);
    rk_str_finish(&json);
    return status;
}
