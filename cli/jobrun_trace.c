/*
 * jobrun_trace.c: timelines of a job: of the whole run (rk run --trace), and for a while, when a
 * second terminal asks (rk trace).
 */
#include "cli/jobrun.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#define LOOK_NS (50u * (uint64_t)RK_NS_PER_MS)

static const struct {
    const char *name;
    uint32_t bit;
} sources[] = {{"kernel", RK_TRACE_KERNEL},
               {"step", RK_TRACE_STEP},
               {"phase", RK_TRACE_PHASE},
               {"marker", RK_TRACE_USER}};

/* None given: all. */
static rk_status take_mask(const char *const *words, size_t count, uint32_t *out_mask, rk_err *err)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < count; i++) {
        const char *names[RK_COUNT_OF(sources)];
        uint32_t before = mask;
        for (size_t j = 0; j < RK_COUNT_OF(sources); j++) {
            names[j] = sources[j].name;
            mask |= strcmp(words[i], names[j]) == 0 ? sources[j].bit : 0u;
        }
        if (mask == before) {
            char shown[RK_VALUE_SHOWN_BYTES];
            const char *near = rk_suggest(words[i], names, RK_COUNT_OF(names));
            return rk_err_set(err, RK_INVALID,
                              "a timeline has no '%s'%s%s%s; there are kernel, "
                              "step, phase and marker, each once",
                              rk_value_shown(words[i], shown), near ? "; did you mean '" : "",
                              near ? near : "", near ? "'?" : "");
        }
    }
    *out_mask = mask;
    return RK_OK;
}

static rk_status add_parts(rk_jobrun *run, rk_timeline *timeline, const rk_part *only,
                           const rk_trace_options *options, rk_err *err)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < run->part_count && status == RK_OK; i++) {
        if (only == NULL || only == &run->parts[i]) {
            status = rk_timeline_add(timeline, run->parts[i].kernel, options, err);
        }
    }
    return status;
}

rk_status rk_jobrun_trace_open(rk_jobrun *run, rk_err *err)
{
    rk_timeline *timeline;
    rk_status status = rk_timeline_open(run->options.trace, NULL, &timeline, err);
    if (status == RK_OK) {
        status = add_parts(run, timeline, NULL, NULL, err);
        run->timeline = timeline;
    }
    return status;
}

rk_status rk_jobrun_trace_close(rk_jobrun *run, rk_err *err)
{
    if (run->timeline == NULL) {
        return RK_OK;
    }
    rk_timeline_report report;
    rk_status status = rk_timeline_close(run->timeline, &report, err);
    run->timeline = NULL;
    if (status == RK_OK && report.lost > 0) {
        rk_jobrun_note(run,
                       "the timeline lacks %" PRIu64 " of %" PRIu64 " records: kernels write "
                       "faster than they can be read, or it is longer than a gigabyte",
                       report.lost, report.lost + report.events);
    }
    return status;
}

/* Until the time is over, the client has left, or the job ends. */
static void wait_while_wanted(const rk_jobrun *run, const rk_server_connection *connection,
                              uint32_t wait_ms)
{
    uint64_t deadline_ns = rk_clock_deadline_ns((uint64_t)wait_ms * RK_NS_PER_MS);
    while (rk_clock_monotonic_ns() < deadline_ns && rk_server_is_wanted(connection) &&
           !atomic_load_explicit(&run->stopping, memory_order_acquire)) {
        uint64_t left_ns = deadline_ns - RK_MIN(rk_clock_monotonic_ns(), deadline_ns);
        (void)poll(NULL, 0, (int)(RK_MIN(left_ns, LOOK_NS) / RK_NS_PER_MS) + 1);
    }
}

rk_status rk_jobrun_trace(rk_jobrun *run, const rk_server_connection *connection,
                          const rk_request *request, rk_str *out, rk_err *err)
{
    rk_trace_options options = {.every = request->every};
    rk_part *only = NULL;
    rk_timeline *timeline = NULL;
    rk_timeline_report report = {0};
    rk_status status = take_mask(request->args, request->arg_count, &options.mask, err);
    if (status == RK_OK && request->kernel != NULL) {
        status = rk_jobrun_find_part(run, request->kernel, &only, err);
    }
    if (status == RK_OK) {
        status = rk_timeline_open(request->file, NULL, &timeline, err);
    }
    if (status != RK_OK) {
        return status;
    }
    status = add_parts(run, timeline, only, &options, err);
    if (status == RK_OK) {
        wait_while_wanted(run, connection, request->wait_ms);
    }
    rk_err closing = RK_ERR_INIT;
    rk_status closed = rk_timeline_close(timeline, &report, &closing);
    if (status == RK_OK && closed != RK_OK) {
        status = rk_err_set(err, closed, "%s", closing.text);
    }
    if (status == RK_OK) {
        rk_str_append(out, ",\"file\":");
        rk_str_append_json(out, request->file);
        rk_str_appendf(out,
                       ",\"events\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unmatched\":%" PRIu64
                       ",\"bytes\":%" PRIu64,
                       report.events, report.lost, report.unmatched, report.bytes);
    }
    return status;
}
