/*
 * cli_help.c: rk help: what the commands do, as text, man page or Markdown.
 */
#include "cli/commands.h"
#include "cli/help.h"

#include "base/suggest.h"
#include "base/value.h"

static const rk_option options[] = {
    {.name = "man", .kind = RK_OPTION_FLAG, .help = "Print the man page (roff) instead."},
    {.name = "markdown",
     .kind = RK_OPTION_FLAG,
     .help = "Print the reference of all commands as Markdown instead."},
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "COMMAND",
     .complete = RK_CLI_COMPLETE_COMMAND,
     .optional = true,
     .help = "The command to explain; without one, all are listed."},
};

static const rk_cli_example examples[] = {
    {"rk help run", "explains one command"},
    {"rk help --man run | man -l -", "shows its man page"},
};

static int run(rk_cli_call *call)
{
    const char *name = rk_cli_argument_at(call, 0);
    const rk_cli_command *command = name ? rk_cli_find(name) : NULL;
    if (name && !command) {
        const char *names[64];
        size_t count = 0;
        for (size_t i = 0; i < rk_cli_command_count && count < RK_CLI_COUNT(names); i++) {
            names[count++] = rk_cli_commands[i]->name;
        }
        const char *near = rk_suggest(name, names, count);
        char shown[RK_VALUE_SHOWN_BYTES];
        return rk_cli_failf(call, RK_CLI_USAGE, RK_NOT_FOUND, "there is no command '%s'%s%s%s",
                            rk_value_shown(name, shown), near ? "; did you mean '" : "",
                            near ? near : "", near ? "'?" : "; 'rk help' lists them");
    }
    rk_str out;
    rk_str_init(&out, RK_CLI_HELP_BYTES);
    if (rk_options_flag(&call->options, "markdown")) {
        rk_cli_append_markdown(&out);
    } else if (rk_options_flag(&call->options, "man")) {
        rk_cli_append_man(&out, command);
    } else if (command) {
        rk_cli_append_help(&out, command);
    } else {
        rk_cli_append_overview(&out);
    }
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_help = {
    .name = "help",
    .group = RK_CLI_MACHINE,
    .summary = "explain the commands",
    .description = "Explains one command, or lists them all.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
