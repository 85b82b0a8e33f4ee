/*
 * cli_doctor.c: rk doctor: what is missing on this machine, and how to get it.
 */
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/terminal.h"

#include <stdio.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

void rk_finding_set(rk_finding *finding, rk_finding_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    finding->level = level;
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

void rk_finding_remedy(rk_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->remedy, sizeof finding->remedy, format, args);
    va_end(args);
}

static const char *level_name(rk_finding_level level)
{
    return level == RK_FINDING_OK ? "ok" : level == RK_FINDING_NOTE ? "note" : "missing";
}

static void append_text(rk_str *out, const char *name, const rk_finding *finding)
{
    bool colors = rk_terminal_has_colors(stdout);
    const char *color = finding->level == RK_FINDING_OK     ? "\033[32m"
                        : finding->level == RK_FINDING_NOTE ? "\033[33m"
                                                            : "\033[31m";
    rk_str_appendf(out, "%s%-8s%s %-14s %s\n", colors ? color : "", level_name(finding->level),
                   colors ? "\033[0m" : "", name, finding->text);
    if (finding->remedy[0] != '\0') {
        rk_str_appendf(out, "%-24s-> %s\n", "", finding->remedy);
    }
}

static void append_json(rk_str *out, const char *name, const rk_finding *finding, bool first)
{
    rk_str_appendf(out, "%s{\"name\":\"%s\",\"level\":\"%s\",\"text\":", first ? "" : ",", name,
                   level_name(finding->level));
    rk_str_append_json(out, finding->text);
    rk_str_append(out, ",\"remedy\":");
    if (finding->remedy[0] != '\0') {
        rk_str_append_json(out, finding->remedy);
    } else {
        rk_str_append(out, "null");
    }
    rk_str_append(out, "}");
}

/* Runs the checks of a table; returns how many of them found something missing. */
static size_t examine(const rk_cli_call *call, const rk_check *checks, size_t count, bool first,
                      rk_str *out)
{
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        rk_finding finding = {.level = RK_FINDING_OK};
        checks[i].look(&finding);
        missing += finding.level == RK_FINDING_MISSING ? 1 : 0;
        if (call->json) {
            append_json(out, checks[i].name, &finding, first && i == 0);
        } else {
            append_text(out, checks[i].name, &finding);
        }
    }
    return missing;
}

static int run(rk_cli_call *call)
{
    rk_str out;
    rk_str_init(&out, 1u << 20);
    rk_str_append(&out, call->json ? "{\"checks\":[" : "");
    size_t missing = examine(call, rk_doctor_tools, rk_doctor_tools_count, true, &out);
    missing += examine(call, rk_doctor_machine, rk_doctor_machine_count, false, &out);
    if (call->json) {
        rk_str_appendf(&out, "],\"missing\":%zu}", missing);
    } else if (missing == 0) {
        rk_str_append(&out, "\nNothing is missing.\n");
    } else {
        rk_str_appendf(&out, "\n%zu missing; the lines with -> say how to get it.\n", missing);
    }
    int code = rk_cli_print(call, &out);
    return code != RK_CLI_OK ? code : missing > 0 ? RK_CLI_FAILED : RK_CLI_OK;
}

const rk_cli_command rk_cli_doctor = {
    .name = "doctor",
    .group = RK_CLI_MACHINE,
    .summary = "say what is missing on this machine and how to get it",
    .description =
        "Looks at what the program needs (a compiler, headers, built-in modules), launches a "
        "kernel in a host process, compiles a small one, and looks at the machine: CPU, memory, "
        "limits, GPU libraries. Exit code 1 when something that is needed is missing.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
