/*
 * help.c: help as plain text of at most 80 columns.
 */
#include "cli/help.h"

#include <ringkernel/version.h>
#include <string.h>

#define COLUMNS 80

const rk_cli_variable rk_cli_variables[] = {
    {"RK_KERNEL_PATH", "Folders with bundles, separated by colons, that are searched first for "
                       "modules named without a path."},
    {"RK_CC", "The C compiler of 'rk build'; gcc, else clang, if not set."},
    {"RK_CACHE", "off: 'rk build' keeps nothing of what it compiles, and uses nothing."},
    {"RK_CACHE_DIR", "Where 'rk build' keeps what it compiles: $XDG_CACHE_HOME/ringkernel or "
                     "~/.cache/ringkernel if not set."},
    {"RK_BUILD_LEVELS", "The instruction-set levels of 'rk build', such as v2,v4; all if not set."},
    {"XDG_RUNTIME_DIR", "Where running jobs have their control sockets: "
                        "$XDG_RUNTIME_DIR/ringkernel, or /tmp/ringkernel-UID if not set."},
    {"NO_COLOR", "If set and not empty, no colours are used."},
};
const size_t rk_cli_variable_count = RK_CLI_COUNT(rk_cli_variables);

const char *rk_cli_group_name(rk_cli_group group)
{
    switch (group) {
    case RK_CLI_JOBS: return "Jobs";
    case RK_CLI_MODULES: return "Kernels and modules";
    case RK_CLI_MACHINE: return "This machine and program";
    default: return "";
    }
}

/* Appends text with lines that start at column indent; the first one stands at column at. */
static void append_wrapped(rk_str *out, const char *text, size_t at, size_t indent)
{
    size_t column = at;
    rk_str_appendf(out, "%*s", (int)(indent > at ? indent - at : 0), "");
    column = indent > at ? indent : at;
    bool fresh = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (!fresh && column + 1 + length > COLUMNS) {
            rk_str_appendf(out, "\n%*s", (int)indent, "");
            column = indent;
            fresh = true;
        }
        if (!fresh) {
            rk_str_append_char(out, ' ');
            column++;
        }
        rk_str_append_bytes(out, text, length);
        column += length;
        fresh = false;
        text += length;
        if (text[0] == '\n' && text[1] == '\n') {
            rk_str_appendf(out, "\n\n%*s", (int)indent, "");
            column = indent;
            fresh = true;
        }
        text += strspn(text, " \n");
    }
    rk_str_append_char(out, '\n');
}

void rk_cli_append_usage(rk_str *out, const rk_cli_command *command)
{
    rk_str_appendf(out, "rk %s", command->name);
    if (command->option_count > 0) {
        rk_str_append(out, " [OPTION...]");
    }
    for (size_t i = 0; i < command->argument_count; i++) {
        const rk_cli_argument *argument = &command->arguments[i];
        const char *dots = argument->repeated ? "..." : "";
        rk_str_appendf(out, argument->optional ? " [%s%s]" : " %s%s", argument->name, dots);
    }
}

static void append_row(rk_str *out, const char *left, const char *right, size_t column)
{
    rk_str_appendf(out, "  %s", left);
    size_t at = strlen(left) + 2;
    if (at + 2 > column) {
        rk_str_append_char(out, '\n');
        at = 0;
    }
    append_wrapped(out, right, at, column);
}

void rk_cli_append_help(rk_str *out, const rk_cli_command *command)
{
    rk_str_append(out, "usage: ");
    rk_cli_append_usage(out, command);
    rk_str_append(out, "\n\n");
    append_wrapped(out, command->description, 0, 0);
    if (command->argument_count > 0) {
        rk_str_append(out, "\narguments:\n");
    }
    for (size_t i = 0; i < command->argument_count; i++) {
        append_row(out, command->arguments[i].name, command->arguments[i].help, 28);
    }
    if (command->option_count > 0) {
        rk_str_append(out, "\noptions:\n");
        (void)rk_options_help(command->options, command->option_count, out); /* sticky */
    }
    if (command->example_count > 0) {
        rk_str_append(out, "\nexamples:\n");
    }
    for (size_t i = 0; i < command->example_count; i++) {
        rk_str_appendf(out, "  %s\n", command->examples[i].line);
        append_wrapped(out, command->examples[i].about, 0, 6);
    }
}

void rk_cli_append_overview(rk_str *out)
{
    rk_str_append(out, "rk " RK_VERSION_TEXT ": kernels that stay resident and take commands\n\n"
                       "usage: rk COMMAND [OPTION...] [ARGUMENT...]\n");
    for (rk_cli_group group = RK_CLI_JOBS; group < RK_CLI_HIDDEN; group++) {
        rk_str_appendf(out, "\n%s\n", rk_cli_group_name(group));
        for (size_t i = 0; i < rk_cli_command_count; i++) {
            if (rk_cli_commands[i]->group == group) {
                append_row(out, rk_cli_commands[i]->name, rk_cli_commands[i]->summary, 16);
            }
        }
    }
    rk_str_append(out, "\n'rk help COMMAND' says more. Begin with 'rk doctor', then\n"
                       "'rk run examples/room.yaml'.\n");
}
