/*
 * jobrun_control.c: what a second terminal may ask of a running job.
 */
#include "cli/jobrun.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"
#include "cli/cli.h"
#include "cli/orders.h"

#include <ringkernel/abi/control.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_TIMEOUT_NS (10u * (uint64_t)RK_NS_PER_S)
#define NAMES_SHOWN 8u /* of a job's kernels, in a sentence */
#define STATS_TIMEOUT_NS (2u * (uint64_t)RK_NS_PER_S)

static void append_text(rk_str *out, const char *key, const char *text)
{
    rk_str_appendf(out, ",\"%s\":", key);
    rk_str_append_json(out, text);
}

/* Larger numbers have no place in JSON: null. */
static void append_count(rk_str *out, const char *key, uint64_t value)
{
    if (value > (UINT64_C(1) << 53)) {
        rk_str_appendf(out, ",\"%s\":null", key);
    } else {
        rk_str_appendf(out, ",\"%s\":%" PRIu64, key, value);
    }
}

static void append_counters(rk_str *out, const rk_kernel_snapshot *now)
{
    append_count(out, "heartbeat", now->heartbeat);
    append_count(out, "commands", now->commands);
    append_count(out, "messages_received", now->messages_received);
    append_count(out, "k2k_sent", now->k2k_sent);
    append_count(out, "k2k_received", now->k2k_received);
    append_count(out, "k2k_refused", now->k2k_refused);
    append_count(out, "emitted", now->emitted);
    append_count(out, "emit_refused", now->emit_refused);
    append_count(out, "emitted_waiting", now->emitted_waiting);
    append_count(out, "emitted_dropped", now->emitted_dropped);
    append_count(out, "in_flight", now->in_flight);
    append_count(out, "restarts", now->restarts);
}

static void append_part(rk_jobrun *run, rk_part *part, bool first, rk_str *out)
{
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    rk_str_append(out, first ? "{\"name\":" : ",{\"name\":");
    rk_str_append_json(out, part->name);
    append_text(out, "module", rk_module_schema(part->module)->name);
    append_text(out, "state", rk_kernel_state_text(now.state));
    append_count(out, "step", now.step);
    append_count(out, "steps", part->steps);
    append_count(out, "cells", part->cells);
    append_count(out, "remaining", now.remaining);
    append_counters(out, &now);
    rk_str_append(out, ",\"busy_s\":");
    (void)rk_value_append_json_f64(out, (double)now.busy_ns * 1e-9); /* sticky */
    rk_str_append(out, ",\"idle_s\":");
    (void)rk_value_append_json_f64(out, (double)now.idle_ns * 1e-9);
    rk_mutex_lock(&run->lock);
    if (part->failure[0] != '\0') {
        append_text(out, "failure", part->failure);
    } else {
        rk_str_append(out, ",\"failure\":null");
    }
    rk_mutex_unlock(&run->lock);
    rk_str_append(out, "}");
}

/* Absolute: the client may stand in another folder. */
static void append_folder(const rk_jobrun *run, rk_str *out)
{
    char folder[PATH_MAX];
    append_text(out, "folder",
                realpath(run->options.folder, folder) ? folder : run->options.folder);
}

static void append_info(rk_jobrun *run, rk_str *out)
{
    rk_jobrun_progress progress;
    rk_jobrun_look(run, &progress);
    append_text(out, "job", run->job->name);
    append_count(out, "pid", (uint64_t)getpid());
    append_text(out, "state", progress.state);
    append_text(out, "file", run->job->file);
    append_folder(run, out);
    append_text(out, "device", run->report.device);
    append_count(out, "steps", progress.steps);
    append_count(out, "steps_total", progress.steps_total);
    rk_str_append(out, ",\"seconds\":");
    (void)rk_value_append_json_f64(out, progress.seconds); /* sticky */
    rk_str_append(out, ",\"mcells_per_s\":");
    (void)rk_value_append_json_f64(
        out, progress.seconds > 0.0 ? (double)progress.cell_steps / progress.seconds * 1e-6 : 0.0);
    rk_str_append(out, ",\"kernels\":[");
    for (size_t i = 0; i < run->part_count; i++) {
        append_part(run, &run->parts[i], i == 0, out);
    }
    rk_str_append(out, "]");
}

/* Asks all kernels for fresh counters and waits; those that do not answer keep old ones. */
static void refresh(rk_jobrun *run)
{
    uint64_t *ids = calloc(run->part_count + 1, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < run->part_count; i++) {
        (void)rk_kernel_stats(run->parts[i].kernel, &ids[i], NULL); /* 0: it is not resident */
    }
    uint64_t deadline_ns = rk_clock_deadline_ns(STATS_TIMEOUT_NS);
    for (size_t i = 0; ids != NULL && i < run->part_count; i++) {
        uint64_t now_ns = rk_clock_monotonic_ns();
        rk_reply reply;
        if (ids[i] != 0) {
            (void)rk_kernel_wait(run->parts[i].kernel, ids[i],
                                 deadline_ns > now_ns ? deadline_ns - now_ns : 0, &reply, NULL);
        }
    }
    free(ids);
}

rk_status rk_jobrun_find_part(rk_jobrun *run, const char *name, rk_part **out_part, rk_err *err)
{
    const char **names = calloc(run->part_count + 1, sizeof *names);
    if (names == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the request");
    }
    rk_status status = RK_NOT_FOUND;
    for (size_t i = 0; i < run->part_count; i++) {
        names[i] = run->parts[i].name;
        if (strcmp(names[i], name) == 0) {
            *out_part = &run->parts[i];
            status = RK_OK;
        }
    }
    if (status != RK_OK) {
        char shown[RK_VALUE_SHOWN_BYTES];
        rk_str list;
        rk_str_init(&list, RK_ERR_TEXT_BYTES);
        size_t listed = RK_MIN(run->part_count, NAMES_SHOWN);
        for (size_t i = 0; i < listed; i++) {
            rk_str_appendf(&list, "%s'%s'", i > 0 ? ", " : "", names[i]);
        }
        rk_str_append(&list, listed < run->part_count ? " and others" : "");
        const char *near = rk_suggest(name, names, run->part_count);
        (void)rk_err_set(err, status, "the job '%s' has no kernel '%s'; %s%s%sit has %s",
                         run->job->name, rk_value_shown(name, shown), near ? "did you mean '" : "",
                         near ? near : "", near ? "'? " : "", rk_str_cstr(&list));
        rk_str_finish(&list);
    }
    free(names);
    return status;
}

static bool keep_waiting(void *context)
{
    return rk_server_is_wanted(context);
}

static rk_status do_send(rk_jobrun *run, const rk_server_connection *connection,
                         const rk_request *request, rk_str *out, rk_err *err)
{
    rk_part *part = NULL;
    const rk_order *order;
    rk_status status = rk_jobrun_find_part(run, request->kernel, &part, err);
    if (status == RK_OK) {
        status = rk_order_find(request->command, request->arg_count, &order, err);
    }
    if (status != RK_OK) {
        return status;
    }
    json_t *reply;
    status = rk_order_carry_out(order, part->kernel, request->args, request->arg_count,
                                (uint64_t)request->wait_ms * RK_NS_PER_MS, keep_waiting,
                                (void *)(uintptr_t)connection, &reply, err);
    if (status != RK_OK) {
        return status;
    }
    char *text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    if (text == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the reply");
    }
    append_text(out, "kernel", part->name);
    rk_str_appendf(out, ",%.*s", (int)strlen(text) - 2, text + 1); /* the object's members */
    free(text);
    if (strcmp(order->name, "stats") == 0) {
        rk_kernel_snapshot now;
        rk_kernel_read_snapshot(part->kernel, &now);
        rk_str_appendf(out, ",\"counters\":{\"steps\":%" PRIu64, now.step);
        append_counters(out, &now);
        rk_str_append(out, "}");
    }
    return RK_OK;
}

/* Pauses or resumes every kernel that can be; brings back those that were made to leave. */
static rk_status do_all(rk_jobrun *run, bool pause, rk_str *out, rk_err *err)
{
    if (atomic_load_explicit(&run->stopping, memory_order_acquire)) {
        return rk_err_set(err, RK_STATE, "the job is ending");
    }
    rk_str_append(out, ",\"kernels\":[");
    bool first = true;
    for (size_t i = 0; i < run->part_count; i++) {
        rk_kernel *kernel = run->parts[i].kernel;
        uint32_t state = rk_kernel_state(kernel);
        if (state > RK_KERNEL_PARKED || (pause && state == RK_KERNEL_PARKED)) {
            continue;
        }
        uint64_t id;
        rk_reply reply = {0};
        rk_status status = RK_OK;
        if (state == RK_KERNEL_PARKED) {
            status = rk_kernel_start(kernel, err);
        }
        if (status == RK_OK) {
            status = pause ? rk_kernel_pause(kernel, &id, err) : rk_kernel_resume(kernel, &id, err);
        }
        if (status == RK_OK) {
            status = rk_kernel_wait(kernel, id, COMMAND_TIMEOUT_NS, &reply, err);
        }
        if (status != RK_OK) {
            return status;
        }
        rk_str_append(out, first ? "{\"name\":" : ",{\"name\":");
        rk_str_append_json(out, run->parts[i].name);
        rk_str_appendf(out, ",\"step\":%" PRIu64 "}", reply.step);
        first = false;
    }
    rk_str_append(out, "]");
    return RK_OK;
}

rk_status rk_jobrun_handle(void *context, const rk_server_connection *connection,
                           const rk_request *request, rk_str *out, rk_err *err)
{
    rk_jobrun *run = context;
    switch (request->verb) {
    case RK_REQUEST_STATS:
        refresh(run);
        append_info(run, out);
        return RK_OK;
    case RK_REQUEST_INFO: append_info(run, out); return RK_OK;
    case RK_REQUEST_SEND: return do_send(run, connection, request, out, err);
    case RK_REQUEST_PAUSE: return do_all(run, true, out, err);
    case RK_REQUEST_RESUME: return do_all(run, false, out, err);
    case RK_REQUEST_TRACE: return rk_jobrun_trace(run, connection, request, out, err);
    case RK_REQUEST_STOP:
        rk_jobrun_request_stop(run);
        append_text(out, "job", run->job->name);
        append_folder(run, out);
        return RK_OK;
    }
    return rk_err_set(err, RK_UNSUPPORTED, "this job does not know the request");
}
