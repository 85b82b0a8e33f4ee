/*
 * report.c: collecting figures, and rendering them as JSON or as a table.
 */
#include "bench/report.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const section_names[] = {"metrics", "references", "ratios"};

void rk_bench_sample(rk_bench_samples *samples, double value)
{
    if (samples->count < RK_BENCH_MAX_SAMPLES) {
        samples->values[samples->count++] = value;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double rk_bench_quantile(const rk_bench_samples *samples, double quantile)
{
    if (samples->count == 0) {
        return 0;
    }
    double sorted[RK_BENCH_MAX_SAMPLES];
    memcpy(sorted, samples->values, samples->count * sizeof sorted[0]);
    qsort(sorted, samples->count, sizeof sorted[0], compare_doubles);
    double at = quantile * (samples->count - 1);
    unsigned below = (unsigned)at;
    unsigned above = below + 1 < samples->count ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

static rk_bench_figure *add_figure(rk_bench_report *report)
{
    if (report->figure_count == RK_BENCH_MAX_FIGURES) {
        report->overflow = true;
        return &report->figures[RK_BENCH_MAX_FIGURES - 1];
    }
    return &report->figures[report->figure_count++];
}

static void put(rk_bench_report *report, rk_bench_section section, const char *key,
                const char *suffix, double value, const char *unit)
{
    rk_bench_figure *figure = add_figure(report);
    *figure = (rk_bench_figure){.section = section, .unit = unit, .value = value};
    snprintf(figure->key, sizeof figure->key, "%s%s", key, suffix);
    figure->extreme = suffix[0] != '\0';
    if (!figure->extreme) {
        report->last = figure;
    }
}

void rk_bench_put(rk_bench_report *report, rk_bench_section section, const char *key, double value,
                  const char *unit)
{
    put(report, section, key, "", value, unit);
}

void rk_bench_put_samples(rk_bench_report *report, rk_bench_section section, const char *key,
                          const rk_bench_samples *samples, const char *unit)
{
    put(report, section, key, "", rk_bench_quantile(samples, 0.5), unit);
    put(report, section, key, "_min", rk_bench_quantile(samples, 0), unit);
    put(report, section, key, "_max", rk_bench_quantile(samples, 1), unit);
}

void rk_bench_reach(rk_bench_report *report, rk_bench_goal goal, double value)
{
    if (report->last) {
        report->last->goal = goal;
        report->last->reach = value;
    }
}

void rk_bench_skip(rk_bench_report *report, const char *key, const char *reason)
{
    if (report->skip_count < RK_BENCH_MAX_SKIPS) {
        report->skips[report->skip_count++] = (rk_bench_skipped){key, reason};
    } else {
        report->overflow = true;
    }
}

void rk_bench_note(rk_bench_report *report, const char *format, ...)
{
    if (report->note_count == RK_BENCH_MAX_NOTES) {
        report->overflow = true;
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(report->notes[report->note_count++], RK_BENCH_NOTE_BYTES, format, args);
    va_end(args);
}

double rk_bench_now_s(void)
{
    return (double)rk_clock_monotonic_ns() / RK_NS_PER_S;
}

bool rk_bench_two_cpus(unsigned out_cpus[2])
{
    return rk_thread_cpu_count() > 1 && rk_thread_cpus(out_cpus, 2) > 1;
}

unsigned rk_bench_rounds(const rk_bench_options *options)
{
    unsigned rounds = options->rounds ? options->rounds : RK_BENCH_DEFAULT_ROUNDS;
    return RK_MIN(rounds, RK_BENCH_MAX_SAMPLES);
}

uint64_t rk_bench_scaled(const rk_bench_options *options, uint64_t work)
{
    double scaled = (double)work * (options->scale > 0 ? options->scale : 1);
    return scaled < 1 ? 1 : (uint64_t)scaled;
}

/* --- rendering -------------------------------------------------------------------------------- */

static void append_json_section(const rk_bench_report *report, rk_bench_section section,
                                rk_str *out)
{
    (void)rk_str_appendf(out, ",\"%s\":{", section_names[section]);
    bool first = true;
    for (unsigned i = 0; i < report->figure_count; i++) {
        const rk_bench_figure *figure = &report->figures[i];
        if (figure->section == section) {
            (void)rk_str_append(out, first ? "" : ",");
            (void)rk_str_append_json(out, figure->key);
            /* JSON knows no NaN and no infinity. */
            double value = figure->value;
            bool finite = value - value == 0;
            (void)(finite ? rk_str_appendf(out, ":%.6g", value) : rk_str_append(out, ":null"));
            first = false;
        }
    }
    (void)rk_str_append_char(out, '}');
}

static void append_json(const rk_bench_report *report, rk_str *out)
{
    (void)rk_str_append(out, "{\"name\":");
    (void)rk_str_append_json(out, report->name);
    for (int section = RK_BENCH_METRIC; section <= RK_BENCH_RATIO; section++) {
        append_json_section(report, (rk_bench_section)section, out);
    }
    (void)rk_str_append(out, ",\"skipped\":{");
    for (unsigned i = 0; i < report->skip_count; i++) {
        (void)rk_str_append(out, i ? "," : "");
        (void)rk_str_append_json(out, report->skips[i].key);
        (void)rk_str_append_char(out, ':');
        (void)rk_str_append_json(out, report->skips[i].reason);
    }
    (void)rk_str_append(out, "},\"notes\":[");
    for (unsigned i = 0; i < report->note_count; i++) {
        (void)rk_str_append(out, i ? "," : "");
        (void)rk_str_append_json(out, report->notes[i]);
    }
    (void)rk_str_append(out, "],\"machine\":");
    rk_bench_machine machine;
    rk_bench_machine_read(&machine);
    rk_bench_machine_json(&machine, out);
    (void)rk_str_append(out, "}\n"); /* the caller looks at out->status once */
}

/* The sample that was stored behind a figure as its extreme, or NULL. */
static const rk_bench_figure *extreme_of(const rk_bench_report *report, unsigned index,
                                         unsigned behind)
{
    unsigned at = index + behind;
    bool has = at < report->figure_count && report->figures[at].extreme &&
               report->figures[index + 1].extreme;
    return has ? &report->figures[at] : NULL;
}

static void append_text_figure(const rk_bench_report *report, unsigned index, rk_str *out)
{
    const rk_bench_figure *figure = &report->figures[index];
    char range[48] = "";
    const rk_bench_figure *low = extreme_of(report, index, 1);
    const rk_bench_figure *high = extreme_of(report, index, 2);
    if (low && high) {
        snprintf(range, sizeof range, "%.4g to %.4g", low->value, high->value);
    }
    (void)rk_str_appendf(out, "  %-26s %10.4g %-8s %-22s", figure->key, figure->value, figure->unit,
                         range);
    if (figure->goal != RK_BENCH_NO_GOAL) {
        bool least = figure->goal == RK_BENCH_AT_LEAST;
        bool reached = least ? figure->value >= figure->reach : figure->value <= figure->reach;
        (void)rk_str_appendf(out, " reach %s %.4g: %s", least ? ">=" : "<=", figure->reach,
                             reached ? "yes" : "no");
    }
    (void)rk_str_append_char(out, '\n');
}

static void append_text(const rk_bench_report *report, rk_str *out)
{
    (void)rk_str_appendf(out, "%s: median, smallest to largest\n", report->name);
    for (int section = RK_BENCH_METRIC; section <= RK_BENCH_RATIO; section++) {
        for (unsigned i = 0; i < report->figure_count; i++) {
            if ((int)report->figures[i].section == section && !report->figures[i].extreme) {
                append_text_figure(report, i, out);
            }
        }
    }
    for (unsigned i = 0; i < report->skip_count; i++) {
        (void)rk_str_appendf(out, "  %-26s skipped: %s\n", report->skips[i].key,
                             report->skips[i].reason);
    }
    for (unsigned i = 0; i < report->note_count; i++) {
        (void)rk_str_appendf(out, "  %s\n", report->notes[i]);
    }
    rk_bench_machine machine;
    rk_bench_machine_read(&machine);
    rk_bench_machine_text(&machine, out); /* the caller looks at out->status once */
}

rk_status rk_bench_run_both(const rk_bench *bench, const rk_bench_options *options, rk_str *text,
                            rk_str *json, rk_err *err)
{
    static const rk_bench_options defaults = {0};
    rk_bench_report *report = calloc(1, sizeof *report);
    if (report == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "bench %s: no memory for the report", bench->name);
    }
    report->name = bench->name;
    rk_status status = bench->run(report, options ? options : &defaults, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "bench %s: ", bench->name); /* the status is in hand */
    } else if (report->overflow) {
        status = rk_err_set(err, RK_LIMIT, "bench %s: more figures or notes than a report holds",
                            bench->name);
    } else {
        if (text != NULL) {
            append_text(report, text);
            status = text->status;
        }
        if (json != NULL) {
            append_json(report, json);
            status = status == RK_OK ? json->status : status;
        }
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "bench %s: the report cannot be written: %s", bench->name,
                             rk_status_text(status));
        }
    }
    free(report);
    return status;
}

rk_status rk_bench_run(const rk_bench *bench, const rk_bench_options *options, bool json,
                       rk_str *out, rk_err *err)
{
    return rk_bench_run_both(bench, options, json ? NULL : out, json ? out : NULL, err);
}
