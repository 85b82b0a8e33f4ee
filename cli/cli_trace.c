/*
 * cli_trace.c: rk trace: a timeline of a running job, or what a timeline says.
 */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/trace_file.h"

#include "base/clock.h"
#include "base/value.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const rk_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = RK_OPTION_STRING,
     .value_name = "FILE",
     .default_text = "trace.json",
     .help = "Where the timeline is written; it appears whole, when it is complete."},
    {.name = "time",
     .letter = 't',
     .kind = RK_OPTION_DURATION,
     .default_text = "1s",
     .min_text = "1ms",
     .max_text = "1h",
     .help = "How long to look; it ends with the job at the latest."},
    {.name = "kernel",
     .letter = 'k',
     .kind = RK_OPTION_STRING,
     .value_name = "NAME",
     .help = "Only this kernel of the job."},
    {.name = "what",
     .letter = 'w',
     .kind = RK_OPTION_STRING,
     .value_name = "LIST",
     .default_text = "kernel,step,phase,marker",
     .help = "What kernels write down, separated by commas."},
    {.name = "every",
     .letter = 'e',
     .kind = RK_OPTION_U64,
     .default_text = "1",
     .min_text = "1",
     .max_text = "4294967295",
     .value_name = "N",
     .help = "Steps, phases and markers of every N-th step only: for steps of microseconds, whose "
             "records would come faster than they can be read."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "JOB|FILE",
     .complete = RK_CLI_COMPLETE_JOB,
     .help =
         "A running job: its name, its process number, or both: NAME.PID. Or a timeline: a file "
         "that ends in .json."},
};

static const rk_cli_example examples[] = {
    {"rk trace room -o room.json", "what the job does in the next second"},
    {"rk trace room --time 10s --what step --every 100", "few records of a long time"},
    {"rk trace room.json", "how long its spans take, as a table"},
};

static int sum_up(const rk_cli_call *call, const char *path)
{
    rk_err err = RK_ERR_INIT;
    rk_str out;
    rk_str_init(&out, 64u << 20);
    rk_status status = rk_trace_file_sum_up(path, call->json, &out, &err);
    if (status != RK_OK) {
        rk_str_finish(&out);
        bool is_bad = status == RK_SYNTAX || status == RK_CORRUPT;
        return rk_cli_fail(call, is_bad ? RK_CLI_INPUT : RK_CLI_FAILED, &err);
    }
    return rk_cli_print(call, &out);
}

/* The job stands in another folder. */
static bool absolute(const char *path, char out[PATH_MAX])
{
    char here[PATH_MAX] = "";
    if (path[0] != '/' && getcwd(here, sizeof here) == NULL) {
        return false;
    }
    int length = snprintf(out, PATH_MAX, "%s%s%s", here, path[0] != '/' ? "/" : "", path);
    return length > 0 && length < PATH_MAX;
}

static int print_reply(const rk_cli_call *call, const json_t *reply)
{
    char size[RK_VALUE_TEXT_BYTES];
    rk_str out;
    rk_str_init(&out, 1u << 16);
    rk_str_appendf(&out,
                   "%s: %llu events, %s; open it in https://ui.perfetto.dev, or: rk trace "
                   "%s\n",
                   rk_options_text(&call->options, "output"), rk_reply_count(reply, "events"),
                   rk_value_format_size(rk_reply_count(reply, "bytes"), size),
                   rk_options_text(&call->options, "output"));
    unsigned long long lost = rk_reply_count(reply, "lost");
    if (lost > 0) {
        rk_str_appendf(
            &out,
            "%llu records were overwritten before they were read; look at fewer: --what, "
            "--every\n",
            lost);
    }
    return rk_cli_print(call, &out);
}

static int run(rk_cli_call *call)
{
    const char *what = rk_cli_argument_at(call, 0);
    size_t length = strlen(what);
    if (length > 5 && strcmp(what + length - 5, ".json") == 0) {
        return sum_up(call, what);
    }
    char path[PATH_MAX];
    if (!absolute(rk_options_text(&call->options, "output"), path)) {
        return rk_cli_failf(call, RK_CLI_FAILED, RK_LIMIT, "the path of the timeline is too long");
    }
    rk_request request = {
        .verb = RK_REQUEST_TRACE,
        .kernel = rk_options_text(&call->options, "kernel"),
        .file = path,
        .every = (uint32_t)rk_options_u64(&call->options, "every"),
        .wait_ms = (uint32_t)(rk_options_u64(&call->options, "time") / RK_NS_PER_MS),
    };
    char *words = strdup(rk_options_text(&call->options, "what"));
    if (words == NULL) {
        return rk_cli_failf(call, RK_CLI_FAILED, RK_NO_MEMORY, "no memory for the request");
    }
    char *rest = NULL;
    for (char *word = strtok_r(words, ",", &rest);
         word != NULL && request.arg_count < RK_PROTOCOL_ARGS_MAX;
         word = strtok_r(NULL, ",", &rest)) {
        request.args[request.arg_count++] = word;
    }
    json_t *reply;
    int code = rk_client_call(call, &request, &reply);
    free(words);
    if (code != RK_CLI_OK) {
        return code;
    }
    code = call->json ? rk_client_print_json(call, reply) : print_reply(call, reply);
    json_decref(reply);
    return code;
}

const rk_cli_command rk_cli_trace = {
    .name = "trace",
    .group = RK_CLI_JOBS,
    .summary = "write a timeline of a running job, or sum one up",
    .description =
        "Lets the kernels of a job write down what they do and when: their time on the device, "
        "steps, phases, and the markers of their own code. Together with what the host does this "
        "becomes a file in the trace event format of Chrome, which https://ui.perfetto.dev shows. "
        "'rk run --trace FILE' does it for a whole run.\n\n"
        "Kernels never wait for their reader: what it was too slow to read is overwritten, and "
        "the file says where and how much.\n\n"
        "With a file it prints how often each span occurs and how long it takes; a file whose "
        "spans are not balanced, or whose times go back, is refused.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
