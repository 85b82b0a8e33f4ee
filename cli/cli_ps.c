/*
 * cli_ps.c: rk ps: the jobs that run now.
 */
#include "cli/client.h"
#include "cli/commands.h"

#include "base/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

/* What a job says about itself; NULL if it has ended. */
static json_t *ask(const rk_endpoint *endpoint)
{
    const rk_request request = {.verb = RK_REQUEST_INFO};
    json_t *reply = NULL;
    if (!rk_client_is_alive(endpoint) || rk_client_ask(endpoint, &request, &reply, NULL) != RK_OK) {
        return NULL;
    }
    return reply;
}

/* "running", or "1 of 2 running" where some kernels are paused, parked, or have ended. */
static void state_text(const json_t *job, char *out, size_t size)
{
    static const char *const still[] = {"paused", "parked", "terminated", "panicked", "faulted"};
    const char *state = rk_reply_text(job, "state");
    const json_t *kernels = json_object_get(job, "kernels");
    size_t count = json_array_size(kernels);
    size_t running = count;
    size_t index;
    json_t *kernel;
    json_array_foreach(kernels, index, kernel)
    {
        for (size_t i = 0; i < RK_CLI_COUNT(still); i++) {
            running -= strcmp(rk_reply_text(kernel, "state"), still[i]) == 0 ? 1 : 0;
        }
    }
    if (strcmp(state, "running") == 0 && running < count) {
        snprintf(out, size, "%zu of %zu running", running, count);
    } else {
        snprintf(out, size, "%s", state);
    }
}

static void append_row(rk_str *out, const json_t *job)
{
    unsigned long long steps = rk_reply_count(job, "steps");
    unsigned long long total = rk_reply_count(job, "steps_total");
    char progress[24] = "-";
    if (total > 0) {
        snprintf(progress, sizeof progress, "%.0f %%",
                 100.0 * (double)(steps < total ? steps : total) / (double)total);
    }
    char state[64];
    state_text(job, state, sizeof state);
    char took[RK_VALUE_TEXT_BYTES];
    double seconds = rk_reply_number(job, "seconds");
    (void)rk_value_format_duration(seconds > 0.0 ? (uint64_t)(seconds * 1e9) : 0, took);
    rk_str_appendf(out, "%-20s %8llu  %-14s %12llu  %5s  %9s  %s\n", rk_reply_text(job, "job"),
                   rk_reply_count(job, "pid"), state, steps, progress, took,
                   rk_reply_text(job, "folder"));
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_endpoint *list;
    size_t count;
    rk_status status = rk_endpoint_list(&list, &count, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    json_t *jobs = json_array();
    rk_str out;
    rk_str_init(&out, 16u << 20);
    for (size_t i = 0; i < count; i++) {
        json_t *job = ask(&list[i]);
        if (job == NULL) {
            continue;
        }
        if (!call->json && json_array_size(jobs) == 0) {
            rk_str_appendf(&out, "%-20s %8s  %-14s %12s  %5s  %9s  %s\n", "JOB", "PID", "STATE",
                           "STEPS", "DONE", "TIME", "RESULTS");
        }
        if (!call->json) {
            append_row(&out, job);
        }
        (void)json_object_del(job, "v");
        (void)json_object_del(job, "ok");
        (void)json_array_append_new(jobs, job); /* out of memory: the list is short by one */
    }
    free(list);
    if (call->json) {
        char *text = json_dumps(jobs, JSON_COMPACT);
        rk_str_appendf(&out, "{\"jobs\":%s}", text ? text : "[]");
        free(text);
    } else if (json_array_size(jobs) == 0) {
        rk_str_append(&out, "No job is running.\n");
    }
    json_decref(jobs);
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_ps = {
    .name = "ps",
    .group = RK_CLI_JOBS,
    .summary = "list the jobs that are running",
    .description = "Lists the jobs of this user that run now on this machine, and forgets those "
                   "that have ended without saying so.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
