/*
 * trace_file.c: sums up a trace event file (Chrome's format, as rk_timeline writes it).
 */
#include "cli/trace_file.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/value.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES ((size_t)256 << 20)
#define DEPTH_MAX 128u
#define TRACKS_MAX 4096u
#define ROWS_MAX 65536u

typedef struct row {
    const char *name;
    size_t track;
    uint64_t count;
    double total_us, most_us;
} row;

typedef struct track {
    double pid, tid;
    const char *name; /* of its process */
    double last_us;
    size_t depth;
    struct {
        const char *name;
        double begin_us;
    } open[DEPTH_MAX];
} track;

typedef struct sums {
    track *tracks;
    size_t track_count;
    row *rows;
    size_t row_count;
} sums;

static rk_status no_memory(rk_err *err)
{
    return rk_err_set(err, RK_NO_MEMORY, "no memory for the spans of the timeline");
}

/* The track of an event, made at the first one; NULL without memory or beyond TRACKS_MAX. */
static track *track_of(sums *all, const json_t *event)
{
    double pid = json_number_value(json_object_get(event, "pid"));
    double tid = json_number_value(json_object_get(event, "tid"));
    for (size_t i = 0; i < all->track_count; i++) {
        if (all->tracks[i].pid == pid && all->tracks[i].tid == tid) {
            return &all->tracks[i];
        }
    }
    if (all->track_count % 16 == 0) {
        track *more = all->track_count < TRACKS_MAX
                          ? realloc(all->tracks, (all->track_count + 16) * sizeof *more)
                          : NULL;
        if (more == NULL) {
            return NULL;
        }
        all->tracks = more;
    }
    track *made = &all->tracks[all->track_count++];
    *made = (track){.pid = pid, .tid = tid, .last_us = -INFINITY, .name = "?"};
    return made;
}

static row *row_of(sums *all, size_t at, const char *name)
{
    for (size_t i = 0; i < all->row_count; i++) {
        if (all->rows[i].track == at && strcmp(all->rows[i].name, name) == 0) {
            return &all->rows[i];
        }
    }
    if (all->row_count % 64 == 0) {
        row *more = all->row_count < ROWS_MAX
                        ? realloc(all->rows, (all->row_count + 64) * sizeof *more)
                        : NULL;
        if (more == NULL) {
            return NULL;
        }
        all->rows = more;
    }
    row *made = &all->rows[all->row_count++];
    *made = (row){.name = name, .track = at};
    return made;
}

static rk_status end_span(sums *all, track *on, double us, rk_err *err)
{
    if (on->depth == 0) {
        return rk_err_set(err, RK_CORRUPT, "a span of '%s' ends at %.3f us without a begin",
                          on->name, us);
    }
    on->depth--;
    row *sum = row_of(all, (size_t)(on - all->tracks), on->open[on->depth].name);
    if (sum == NULL) {
        return no_memory(err);
    }
    double took_us = us - on->open[on->depth].begin_us;
    sum->count++;
    sum->total_us += took_us;
    sum->most_us = RK_MAX(sum->most_us, took_us);
    return RK_OK;
}

static rk_status take_event(sums *all, const json_t *event, rk_err *err)
{
    const char *phase = json_string_value(json_object_get(event, "ph"));
    const char *name = json_string_value(json_object_get(event, "name"));
    if (phase == NULL || strlen(phase) != 1) {
        return rk_err_set(err, RK_SYNTAX, "an event has no 'ph': this is no trace event file");
    }
    track *on = track_of(all, event);
    if (on == NULL) {
        return no_memory(err);
    }
    if (*phase == 'M') {
        return RK_OK;
    }
    double us = json_number_value(json_object_get(event, "ts"));
    if (us < on->last_us) {
        return rk_err_set(err, RK_CORRUPT, "the time goes back on a track, to %.3f us", us);
    }
    on->last_us = us;
    if (*phase == 'E') {
        return end_span(all, on, us, err);
    }
    if (*phase == 'B') {
        if (on->depth == DEPTH_MAX || name == NULL) {
            return rk_err_set(err, RK_CORRUPT, "at %.3f us begins a span that cannot be", us);
        }
        on->open[on->depth].name = name;
        on->open[on->depth++].begin_us = us;
    }
    return RK_OK;
}

/* The names of processes; they may stand behind their events. */
static void name_tracks(sums *all, const json_t *events)
{
    size_t index;
    const json_t *event;
    json_array_foreach(events, index, event)
    {
        const char *name = json_string_value(json_object_get(event, "name"));
        const char *process =
            json_string_value(json_object_get(json_object_get(event, "args"), "name"));
        if (name == NULL || process == NULL || strcmp(name, "process_name") != 0) {
            continue;
        }
        double pid = json_number_value(json_object_get(event, "pid"));
        for (size_t i = 0; i < all->track_count; i++) {
            if (all->tracks[i].pid == pid) {
                all->tracks[i].name = process;
            }
        }
    }
}

static int by_total(const void *a, const void *b)
{
    const row *left = a;
    const row *right = b;
    return (left->total_us < right->total_us) - (left->total_us > right->total_us);
}

static void put_text(const sums *all, double lost, rk_str *out)
{
    rk_str_appendf(out, "%-36s %-20s %10s %12s %12s %12s\n", "TRACK", "SPAN", "COUNT", "TOTAL",
                   "MEAN", "MOST");
    for (size_t i = 0; i < all->row_count; i++) {
        const row *sum = &all->rows[i];
        char total[RK_VALUE_TEXT_BYTES];
        char mean[RK_VALUE_TEXT_BYTES];
        char most[RK_VALUE_TEXT_BYTES];
        rk_str_appendf(
            out, "%-36.36s %-20.20s %10" PRIu64 " %12s %12s %12s\n", all->tracks[sum->track].name,
            sum->name, sum->count, rk_value_format_duration((uint64_t)(sum->total_us * 1e3), total),
            rk_value_format_duration((uint64_t)(sum->total_us * 1e3 / (double)sum->count), mean),
            rk_value_format_duration((uint64_t)(sum->most_us * 1e3), most));
    }
    if (lost > 0) {
        rk_str_appendf(out,
                       "%.0f records are missing: the kernels wrote faster than they were "
                       "read\n",
                       lost);
    }
}

static void put_json(const sums *all, double lost, rk_str *out)
{
    rk_str_appendf(out, "{\"lost\":%.0f,\"spans\":[", lost);
    for (size_t i = 0; i < all->row_count; i++) {
        const row *sum = &all->rows[i];
        rk_str_append(out, i == 0 ? "{\"track\":" : ",{\"track\":");
        rk_str_append_json(out, all->tracks[sum->track].name);
        rk_str_append(out, ",\"span\":");
        rk_str_append_json(out, sum->name);
        rk_str_appendf(out, ",\"count\":%" PRIu64 ",\"total_us\":%.3f,\"most_us\":%.3f}",
                       sum->count, sum->total_us, sum->most_us);
    }
    rk_str_append(out, "]}");
}

static rk_status sum_up(const json_t *root, bool json, rk_str *out, rk_err *err)
{
    const json_t *events = json_object_get(root, "traceEvents");
    if (!json_is_array(events)) {
        return rk_err_set(err, RK_SYNTAX, "it has no 'traceEvents': it is no timeline");
    }
    sums all = {0};
    size_t index;
    const json_t *event;
    rk_status status = RK_OK;
    json_array_foreach(events, index, event)
    {
        status = take_event(&all, event, err);
        if (status != RK_OK) {
            break;
        }
    }
    for (size_t i = 0; i < all.track_count && status == RK_OK; i++) {
        if (all.tracks[i].depth > 0) {
            status =
                rk_err_set(err, RK_CORRUPT, "the span '%s' has no end", all.tracks[i].open[0].name);
        }
    }
    if (status == RK_OK) {
        name_tracks(&all, events);
        if (all.row_count > 0) {
            qsort(all.rows, all.row_count, sizeof all.rows[0], by_total);
        }
        double lost =
            json_number_value(json_object_get(json_object_get(root, "otherData"), "lost"));
        (json ? put_json : put_text)(&all, lost, out);
    }
    free(all.tracks);
    free(all.rows);
    return status;
}

rk_status rk_trace_file_sum_up(const char *path, bool json, rk_str *out, rk_err *err)
{
    char *text;
    size_t length;
    rk_status status = rk_file_read_all(path, FILE_BYTES, &text, &length, err);
    if (status != RK_OK) {
        return status;
    }
    json_error_t problem;
    json_t *root = json_loadb(text, length, 0, &problem);
    free(text);
    if (root == NULL) {
        return rk_err_set(err, RK_SYNTAX, "%s:%d: this is no JSON: %s", path, problem.line,
                          problem.text);
    }
    status = sum_up(root, json, out, err);
    json_decref(root);
    if (status != RK_OK && status != RK_NO_MEMORY) {
        (void)rk_err_prefix(err, "%s: ", path);
    }
    return status;
}
