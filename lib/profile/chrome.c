/*
 * chrome.c: see chrome.h. Times are microseconds with three decimals, since the file's origin.
 */
#include "profile/chrome.h"

#include "base/compiler.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HELD_BYTES (8u << 20)   /* between two flushes */
#define ENDS_BYTES (256u << 10) /* of these, for ends only: what has begun can be ended */
#define NO_KEY UINT32_MAX

rk_status rk_chrome_open(rk_chrome *chrome, const char *path, uint64_t origin_ns,
                         uint64_t limit_bytes, rk_err *err)
{
    *chrome = (rk_chrome){.origin_ns = origin_ns, .limit_bytes = limit_bytes};
    rk_status status = rk_file_writer_open(&chrome->file, path, 0644, err);
    if (status != RK_OK) {
        return status;
    }
    rk_str_init(&chrome->text, HELD_BYTES);
    rk_str_append(&chrome->text, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    return RK_OK;
}

rk_status rk_chrome_flush(rk_chrome *chrome, rk_err *err)
{
    if (chrome->text.status != RK_OK) {
        return rk_err_set(err, chrome->text.status, "no memory for the timeline");
    }
    rk_status status =
        rk_file_writer_append(&chrome->file, rk_str_cstr(&chrome->text), chrome->text.length, err);
    rk_str_reset(&chrome->text);
    return status;
}

rk_status rk_chrome_commit(rk_chrome *chrome, rk_err *err)
{
    rk_str_appendf(&chrome->text, "\n],\"otherData\":{\"lost\":%" PRIu64 "}}\n", chrome->lost);
    rk_status status = rk_chrome_flush(chrome, err);
    if (status != RK_OK) {
        rk_chrome_abandon(chrome);
        return status;
    }
    rk_str_finish(&chrome->text);
    return rk_file_writer_commit(&chrome->file, err);
}

void rk_chrome_abandon(rk_chrome *chrome)
{
    rk_str_finish(&chrome->text);
    rk_file_writer_abandon(&chrome->file);
}

/* ---- One event ------------------------------------------------------------------------------ */

/* Whether there is room for an event that nothing depends on; ends always have theirs. */
static bool has_room(rk_chrome *chrome)
{
    uint64_t bytes = rk_file_writer_bytes(&chrome->file) + chrome->text.length;
    if (chrome->text.length + ENDS_BYTES < HELD_BYTES && bytes < chrome->limit_bytes) {
        return true;
    }
    chrome->lost++;
    return false;
}

static void start_event(rk_chrome *chrome, const rk_chrome_track *track, char phase)
{
    rk_str_appendf(&chrome->text, "%s{\"ph\":\"%c\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
                   chrome->has_first ? ",\n" : "", phase, track->pid, track->tid);
    chrome->has_first = true;
    chrome->events++;
}

static void put_name(rk_chrome *chrome, const char *name)
{
    rk_str_append(&chrome->text, ",\"name\":");
    rk_str_append_json_bytes(&chrome->text, name, strnlen(name, 255)); /* so that it always fits */
}

/* Puts the time, which never goes back on a track. */
static void put_time(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns)
{
    time_ns = RK_MAX(time_ns, RK_MAX(track->last_ns, chrome->origin_ns));
    track->last_ns = time_ns;
    uint64_t ns = time_ns - chrome->origin_ns;
    rk_str_appendf(&chrome->text, ",\"ts\":%" PRIu64 ".%03u", ns / 1000u, (unsigned)(ns % 1000u));
}

static void put_args(rk_chrome *chrome, const rk_chrome_args *args)
{
    if (args == NULL) {
        return;
    }
    if (args->category != NULL) {
        rk_str_appendf(&chrome->text, ",\"cat\":\"%s\"", args->category);
    }
    const char *comma = "";
    rk_str_append(&chrome->text, ",\"args\":{");
    if (args->has_step) {
        rk_str_appendf(&chrome->text, "\"step\":%" PRIu64, args->step);
        comma = ",";
    }
    if (args->has_value) {
        rk_str_appendf(&chrome->text, "%s\"value\":%" PRIu64, comma, args->value);
        comma = ",";
    }
    if (args->color <= 0xffffffu) {
        rk_str_appendf(&chrome->text, "%s\"color\":\"#%06x\"", comma, args->color);
    }
    rk_str_append(&chrome->text, "}");
}

static void end_event(rk_chrome *chrome)
{
    rk_str_append(&chrome->text, "}");
}

static void put_metadata(rk_chrome *chrome, const rk_chrome_track *track, const char *what,
                         const char *name)
{
    start_event(chrome, track, 'M');
    rk_str_appendf(&chrome->text, ",\"name\":\"%s\",\"args\":{\"name\":", what);
    rk_str_append_json_bytes(&chrome->text, name, strnlen(name, 255));
    rk_str_append(&chrome->text, "}");
    end_event(chrome);
}

void rk_chrome_name_process(rk_chrome *chrome, uint64_t pid, const char *name, uint64_t place)
{
    const rk_chrome_track track = {.pid = pid};
    if (has_room(chrome)) {
        put_metadata(chrome, &track, "process_name", name);
        start_event(chrome, &track, 'M');
        rk_str_appendf(&chrome->text,
                       ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%" PRIu64 "}",
                       place);
        end_event(chrome);
    }
}

void rk_chrome_name_track(rk_chrome *chrome, const rk_chrome_track *track, const char *name)
{
    if (has_room(chrome)) {
        put_metadata(chrome, track, "thread_name", name);
    }
}

/* ---- Spans ---------------------------------------------------------------------------------- */

void rk_chrome_begin(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint32_t key,
                     const char *name, const rk_chrome_args *args)
{
    bool fits = track->deeper == 0 && track->depth < RK_CHROME_DEPTH_MAX;
    chrome->lost += fits ? 0u : 1u;
    if (!fits || !has_room(chrome)) {
        track->deeper++; /* its end is left out as well */
        return;
    }
    track->keys[track->depth++] = key;
    start_event(chrome, track, 'B');
    put_time(chrome, track, time_ns);
    put_name(chrome, name);
    put_args(chrome, args);
    end_event(chrome);
}

static void end_top(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns)
{
    track->depth--;
    start_event(chrome, track, 'E');
    put_time(chrome, track, time_ns);
    end_event(chrome);
}

void rk_chrome_end(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint32_t key)
{
    if (track->deeper > 0) {
        track->deeper--;
        return;
    }
    uint32_t depth = track->depth;
    while (depth > 0 && track->keys[depth - 1] != key) {
        depth--;
    }
    if (depth == 0) {
        track->unmatched++;
        return;
    }
    while (track->depth >= depth) {
        end_top(chrome, track, time_ns);
    }
}

uint32_t rk_chrome_top(const rk_chrome_track *track)
{
    return track->depth == 0 ? NO_KEY : track->keys[track->depth - 1];
}

void rk_chrome_mark(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, const char *name,
                    const rk_chrome_args *args)
{
    if (!has_room(chrome)) {
        return;
    }
    start_event(chrome, track, 'i');
    put_time(chrome, track, time_ns);
    rk_str_append(&chrome->text, ",\"s\":\"t\"");
    put_name(chrome, name);
    put_args(chrome, args);
    end_event(chrome);
}

void rk_chrome_counter(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns,
                       const char *name, uint64_t value)
{
    if (!has_room(chrome)) {
        return;
    }
    start_event(chrome, track, 'C');
    put_time(chrome, track, time_ns);
    put_name(chrome, name);
    rk_str_appendf(&chrome->text, ",\"args\":{\"value\":%" PRIu64 "}", value);
    end_event(chrome);
}

/* ---- Ranges --------------------------------------------------------------------------------- */

static void put_range(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, char phase,
                      uint64_t id, const char *name, const rk_chrome_args *args)
{
    start_event(chrome, track, phase);
    put_time(chrome, track, time_ns);
    /* Ids are shared by all tracks of a category. */
    rk_str_appendf(&chrome->text, ",\"id\":\"%" PRIu64 ".%" PRIu64 "\"", track->pid, id);
    put_name(chrome, name);
    static const rk_chrome_args plain = {.category = "range", .color = UINT32_MAX};
    put_args(chrome, args != NULL ? args : &plain);
    end_event(chrome);
}

void rk_chrome_range_begin(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint64_t id,
                           const char *name, const rk_chrome_args *args)
{
    if (track->range_count == RK_CHROME_RANGES_MAX || !has_room(chrome)) {
        chrome->lost += track->range_count == RK_CHROME_RANGES_MAX ? 1u : 0u;
        return;
    }
    uint32_t at = track->range_count++;
    track->ranges[at].id = id;
    (void)snprintf(track->ranges[at].name, sizeof track->ranges[at].name, "%s", name); /* cut */
    rk_chrome_args with = *args;
    with.category = "range";
    put_range(chrome, track, time_ns, 'b', id, track->ranges[at].name, &with);
}

static void end_range(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint32_t at)
{
    put_range(chrome, track, time_ns, 'e', track->ranges[at].id, track->ranges[at].name, NULL);
    track->ranges[at] = track->ranges[--track->range_count];
}

void rk_chrome_range_end(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint64_t id)
{
    for (uint32_t i = track->range_count; i > 0; i--) {
        if (track->ranges[i - 1].id == id) {
            end_range(chrome, track, time_ns, i - 1);
            return;
        }
    }
    track->unmatched++;
}

/* ---- Gaps and ends -------------------------------------------------------------------------- */

void rk_chrome_close_track(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns)
{
    track->deeper = 0;
    while (track->depth > 0) {
        end_top(chrome, track, time_ns);
    }
    while (track->range_count > 0) {
        end_range(chrome, track, time_ns, track->range_count - 1);
    }
}

void rk_chrome_gap(rk_chrome *chrome, rk_chrome_track *track, uint64_t lost)
{
    rk_chrome_close_track(chrome, track, track->last_ns);
    const rk_chrome_args args = {
        .category = "lost", .has_value = true, .value = lost, .color = UINT32_MAX};
    rk_chrome_mark(chrome, track, track->last_ns, "records lost", &args);
}
