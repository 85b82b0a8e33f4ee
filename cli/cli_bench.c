/*
 * cli_bench.c: rk bench: runs the benches of bench/.
 */
#include "cli/commands.h"

#include "base/suggest.h"
#include "base/value.h"
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#define REPORT_BYTES (4u << 20)
#define BENCHES_MAX 64

static const rk_option options[] = {
    {.name = "list", .letter = 'l', .kind = RK_OPTION_FLAG, .help = "List the benches instead."},
    {.name = "rounds",
     .kind = RK_OPTION_U64,
     .default_text = "0",
     .max_text = "64",
     .help = "Repetitions, each next to its reference; 0: the usual number."},
    {.name = "scale",
     .kind = RK_OPTION_F64,
     .default_text = "1",
     .min_text = "0.0001",
     .max_text = "1000",
     .help = "Share of the usual work in each repetition."},
    {.name = "json",
     .kind = RK_OPTION_FLAG,
     .help = "Print one JSON object for each bench, each on a line of its own."},
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "NAME",
     .complete = RK_CLI_COMPLETE_BENCH,
     .optional = true,
     .repeated = true,
     .help = "The benches to run; 'all', or none named: all of them."},
};

static const rk_cli_example examples[] = {
    {"rk bench ring --json", "one bench, as JSON"},
    {"rk bench --list", "what there is to measure"},
};

static int list(const rk_cli_call *call)
{
    rk_str out;
    rk_str_init(&out, REPORT_BYTES);
    for (size_t i = 0; i < rk_bench_count && call->json; i++) {
        rk_str_append(&out, i == 0 ? "{\"benches\":[{\"name\":" : ",{\"name\":");
        rk_str_append_json(&out, rk_bench_table[i].name);
        rk_str_append(&out, ",\"summary\":");
        rk_str_append_json(&out, rk_bench_table[i].summary);
        rk_str_append(&out, i + 1 == rk_bench_count ? "}]}" : "}");
    }
    for (size_t i = 0; i < rk_bench_count && !call->json; i++) {
        rk_str_appendf(&out, "%-12s %s\n", rk_bench_table[i].name, rk_bench_table[i].summary);
    }
    return rk_cli_print(call, &out);
}

static int unknown(const rk_cli_call *call, const char *name)
{
    const char *names[BENCHES_MAX];
    size_t count = rk_bench_count < BENCHES_MAX ? rk_bench_count : BENCHES_MAX;
    for (size_t i = 0; i < count; i++) {
        names[i] = rk_bench_table[i].name;
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *near = rk_suggest(name, names, count);
    return rk_cli_failf(call, RK_CLI_USAGE, RK_NOT_FOUND, "there is no bench '%s'%s%s%s",
                        rk_value_shown(name, shown), near ? "; did you mean '" : "",
                        near ? near : "", near ? "'?" : "; 'rk bench --list' lists them");
}

static int run_one(const rk_cli_call *call, const rk_bench *bench)
{
    const rk_bench_options settings = {
        .rounds = (unsigned)rk_options_u64(&call->options, "rounds"),
        .scale = rk_options_f64(&call->options, "scale"),
    };
    rk_err err = RK_ERR_INIT;
    rk_str out;
    rk_str_init(&out, REPORT_BYTES);
    rk_status status = rk_bench_run(bench, &settings, call->json, &out, &err);
    if (status != RK_OK) {
        rk_str_finish(&out);
        (void)rk_err_prefix(&err, "%s: ", bench->name); /* the code is in err */
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    int code = rk_cli_print(call, &out);
    fflush(stdout); /* each as soon as it is there; the end looks for errors */
    return code;
}

static int run(rk_cli_call *call)
{
    if (rk_options_flag(&call->options, "list")) {
        return list(call);
    }
    bool all = call->options.argument_count == 0;
    for (size_t i = 0; i < call->options.argument_count; i++) {
        const char *name = call->options.arguments[i];
        if (strcmp(name, "all") == 0) {
            all = true;
        } else if (rk_bench_find(name) == NULL) {
            return unknown(call, name);
        }
    }
    int code = RK_CLI_OK;
    size_t count = all ? rk_bench_count : call->options.argument_count;
    for (size_t i = 0; i < count; i++) {
        const rk_bench *bench =
            all ? &rk_bench_table[i] : rk_bench_find(call->options.arguments[i]);
        int one = run_one(call, bench);
        code = one != RK_CLI_OK ? one : code;
    }
    return code;
}

const rk_cli_command rk_cli_bench = {
    .name = "bench",
    .group = RK_CLI_MACHINE,
    .summary = "measure how fast things are here",
    .description =
        "Runs benches: each measures a part of the runtime next to a reference in the same run, "
        "and prints medians with their extremes. A reference whose package is not installed is "
        "skipped with a reason; 'tools/setup --bench' installs them. Leave the machine alone "
        "meanwhile. docs/performance.md explains the figures.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
