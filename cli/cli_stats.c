/*
 * cli_stats.c: rk stats: counters of a running job.
 */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/terminal.h"

#include "base/clock.h"
#include "base/value.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static const rk_option options[] = {
    {.name = "watch", .letter = 'w', .kind = RK_OPTION_FLAG, .help = "Repeat until the job ends."},
    {.name = "interval",
     .letter = 'i',
     .kind = RK_OPTION_DURATION,
     .default_text = "1s",
     .min_text = "50ms",
     .max_text = "1h",
     .help = "Time between two looks with --watch."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "JOB",
     .complete = RK_CLI_COMPLETE_JOB,
     .help = "The job's name, its process number, or both: NAME.PID."},
};

static const rk_cli_example examples[] = {
    {"rk stats room --watch", "looks once a second"},
    {"rk stats room --json", "all counters, for a program"},
};

static void append_text(rk_str *out, const json_t *job)
{
    char took[RK_VALUE_TEXT_BYTES];
    double seconds = rk_reply_number(job, "seconds");
    (void)rk_value_format_duration(seconds > 0.0 ? (uint64_t)(seconds * 1e9) : 0, took);
    rk_str_appendf(out, "job %s, process %llu: %s for %s, %llu", rk_reply_text(job, "job"),
                   rk_reply_count(job, "pid"), rk_reply_text(job, "state"), took,
                   rk_reply_count(job, "steps"));
    unsigned long long total = rk_reply_count(job, "steps_total");
    rk_str_appendf(out, total > 0 ? " of %llu steps" : " steps", total);
    if (strcmp(rk_reply_text(job, "state"), "paused") != 0) {
        rk_str_appendf(out, ", %.0f Mcells/s", rk_reply_number(job, "mcells_per_s"));
    }
    rk_str_append(out, "\n");
    rk_str_appendf(out, "%-16s %-10s %-10s %12s %10s %10s %10s %10s %7s\n", "KERNEL", "MODULE",
                   "STATE", "STEP", "COMMANDS", "RECEIVED", "SENT", "EMITTED", "BUSY");
    size_t index;
    json_t *kernel;
    json_array_foreach(json_object_get(job, "kernels"), index, kernel)
    {
        double busy_s = rk_reply_number(kernel, "busy_s");
        double all_s = busy_s + rk_reply_number(kernel, "idle_s");
        rk_str_appendf(out, "%-16s %-10s %-10s %12llu %10llu %10llu %10llu %10llu %5.0f %%\n",
                       rk_reply_text(kernel, "name"), rk_reply_text(kernel, "module"),
                       rk_reply_text(kernel, "state"), rk_reply_count(kernel, "step"),
                       rk_reply_count(kernel, "commands"),
                       rk_reply_count(kernel, "messages_received"),
                       rk_reply_count(kernel, "k2k_sent"), rk_reply_count(kernel, "emitted"),
                       all_s > 0.0 ? 100.0 * busy_s / all_s : 0.0);
        const char *failure = rk_reply_text(kernel, "failure");
        if (*failure != '\0') {
            rk_str_appendf(out, "  %s\n", failure);
        }
    }
}

static int print_once(const rk_cli_call *call, json_t *reply, bool in_place)
{
    if (call->json) {
        return rk_client_print_json(call, reply);
    }
    rk_str out;
    rk_str_init(&out, 1u << 20);
    rk_str_append(&out, in_place ? "\033[H\033[J" : "");
    append_text(&out, reply);
    return rk_cli_print(call, &out);
}

static int run(rk_cli_call *call)
{
    const rk_request request = {.verb = RK_REQUEST_STATS};
    bool watch = rk_options_flag(&call->options, "watch");
    int interval_ms = (int)(rk_options_u64(&call->options, "interval") / RK_NS_PER_MS);
    bool in_place = watch && !call->json && rk_terminal_is(stdout);
    rk_err err = RK_ERR_INIT;
    rk_endpoint endpoint;
    rk_status status = rk_client_find(rk_cli_argument_at(call, 0), &endpoint, &err);
    int code = RK_CLI_OK;
    for (bool again = false; status == RK_OK && code == RK_CLI_OK; again = true) {
        json_t *reply;
        status = rk_client_ask(&endpoint, &request, &reply, &err);
        if (again && status == RK_CLOSED) {
            return RK_CLI_OK; /* watched to its end */
        }
        if (status == RK_OK) {
            code = print_once(call, reply, in_place);
            json_decref(reply);
            code = fflush(stdout) != 0 ? RK_CLI_FAILED : code; /* the reader has left */
        }
        if (!watch) {
            break;
        }
        (void)poll(NULL, 0, interval_ms);
    }
    return status == RK_OK ? code : rk_cli_fail(call, RK_CLI_FAILED, &err);
}

const rk_cli_command rk_cli_stats = {
    .name = "stats",
    .group = RK_CLI_JOBS,
    .summary = "show the counters of a running job",
    .description =
        "Asks each kernel of a job for its counters: steps, commands, messages, time busy and "
        "idle. With --watch and --json, one object per line.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
