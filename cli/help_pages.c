/*
 * help_pages.c: the table of commands as man pages and as Markdown.
 */
#include "cli/help.h"

#include <ringkernel/version.h>
#include <string.h>

/* ---- Man pages: man(7) ---------------------------------------------------------------------- */

/* Text in roff: backslashes and hyphens are escaped, lines do not begin with a request. */
static void append_roff(rk_str *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool line_start = at == text || at[-1] == '\n';
        if (*at == '\\') {
            rk_str_append(out, "\\e");
        } else if (*at == '-') {
            rk_str_append(out, "\\-");
        } else if (line_start && (*at == '.' || *at == '\'')) {
            rk_str_appendf(out, "\\&%c", *at);
        } else if (at[0] == '\n' && at[1] == '\n') {
            rk_str_append(out, "\n.PP\n");
            at++;
        } else {
            rk_str_append_char(out, *at);
        }
    }
}

static void append_tagged(rk_str *out, const char *tag, const char *text)
{
    rk_str_append(out, ".TP\n.B ");
    append_roff(out, tag);
    rk_str_append(out, "\n");
    append_roff(out, text);
    rk_str_append(out, "\n");
}

/* "-o, --output DIR", for a tag or a cell. */
static void append_option_head(rk_str *out, const rk_option *option)
{
    if (option->letter != 0) {
        rk_str_appendf(out, "-%c, ", option->letter);
    }
    rk_str_appendf(out, "--%s", option->name);
    if (option->kind != RK_OPTION_FLAG) {
        rk_str_appendf(out, " %s", rk_option_value_name(option));
    }
}

/* The help of an option with its default and whether it repeats. */
static void append_option_text(rk_str *out, const rk_option *option)
{
    rk_str_append(out, option->help);
    if (option->default_text && option->default_text[0] && option->kind != RK_OPTION_FLAG) {
        rk_str_appendf(out, " Default: %s.", option->default_text);
    }
    if (option->kind == RK_OPTION_LIST) {
        rk_str_append(out, " May be repeated.");
    }
}

static void append_man_options(rk_str *out, const rk_cli_command *command)
{
    rk_str head, text;
    rk_str_init(&head, 1024);
    rk_str_init(&text, 4096);
    rk_str_append(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < command->option_count; i++) {
        rk_str_reset(&head);
        rk_str_reset(&text);
        append_option_head(&head, &command->options[i]);
        append_option_text(&text, &command->options[i]);
        append_tagged(out, rk_str_cstr(&head), rk_str_cstr(&text));
    }
    rk_str_finish(&head);
    rk_str_finish(&text);
}

static void append_man_exit(rk_str *out)
{
    rk_str_append(out, ".SH EXIT STATUS\n");
#define MAN_EXIT(symbol, value, text) append_tagged(out, #value, text);
    RK_CLI_EXIT_LIST(MAN_EXIT)
#undef MAN_EXIT
}

static void append_man_variables(rk_str *out)
{
    rk_str_append(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < rk_cli_variable_count; i++) {
        append_tagged(out, rk_cli_variables[i].name, rk_cli_variables[i].help);
    }
}

static void append_man_overview(rk_str *out)
{
    rk_str_append(out, ".TH RK 1 \"\" \"RingKernel " RK_VERSION_TEXT "\" \"RingKernel\"\n"
                       ".SH NAME\nrk \\- run kernels that stay resident and take commands\n"
                       ".SH SYNOPSIS\n.B rk\n.I COMMAND\n[\\fIOPTION\\fR...] "
                       "[\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n");
    for (rk_cli_group group = RK_CLI_JOBS; group < RK_CLI_HIDDEN; group++) {
        rk_str_append(out, ".SS ");
        append_roff(out, rk_cli_group_name(group));
        rk_str_append(out, "\n");
        for (size_t i = 0; i < rk_cli_command_count; i++) {
            const rk_cli_command *command = rk_cli_commands[i];
            if (command->group == group) {
                rk_str_appendf(out, ".TP\n.BR rk\\-%s (1)\n", command->name);
                append_roff(out, command->summary);
                rk_str_append(out, "\n");
            }
        }
    }
    append_man_exit(out);
    append_man_variables(out);
}

void rk_cli_append_man(rk_str *out, const rk_cli_command *command)
{
    if (command == NULL) {
        append_man_overview(out);
        return;
    }
    rk_str_append(out, ".TH RK\\-");
    for (const char *at = command->name; *at != '\0'; at++) {
        rk_str_append_char(out, (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at));
    }
    rk_str_appendf(out, " 1 \"\" \"RingKernel %s\" \"RingKernel\"\n", RK_VERSION_TEXT);
    rk_str_appendf(out, ".SH NAME\nrk\\-%s \\- ", command->name);
    append_roff(out, command->summary);
    rk_str_append(out, "\n.SH SYNOPSIS\n.B ");
    rk_str usage;
    rk_str_init(&usage, 1024);
    rk_cli_append_usage(&usage, command);
    append_roff(out, rk_str_cstr(&usage));
    rk_str_finish(&usage);
    rk_str_append(out, "\n.SH DESCRIPTION\n");
    append_roff(out, command->description);
    rk_str_append(out, "\n");
    for (size_t i = 0; i < command->argument_count; i++) {
        append_tagged(out, command->arguments[i].name, command->arguments[i].help);
    }
    append_man_options(out, command);
    if (command->example_count > 0) {
        rk_str_append(out, ".SH EXAMPLES\n");
    }
    for (size_t i = 0; i < command->example_count; i++) {
        append_tagged(out, command->examples[i].line, command->examples[i].about);
    }
    append_man_exit(out);
    rk_str_append(out, ".SH SEE ALSO\n.BR rk (1)\n");
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* A cell: no line ends, and bars escaped. */
static void append_cell(rk_str *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '|') {
            rk_str_append(out, "\\|");
        } else {
            rk_str_append_char(out, *at == '\n' ? ' ' : *at);
        }
    }
}

static void append_command_markdown(rk_str *out, const rk_cli_command *command)
{
    rk_str_appendf(out, "\n### rk %s\n\n```\n", command->name);
    rk_cli_append_usage(out, command);
    rk_str_appendf(out, "\n```\n\n%s\n", command->description);
    if (command->argument_count > 0) {
        rk_str_append(out, "\n| argument | |\n|---|---|\n");
    }
    for (size_t i = 0; i < command->argument_count; i++) {
        rk_str_appendf(out, "| `%s` | ", command->arguments[i].name);
        append_cell(out, command->arguments[i].help);
        rk_str_append(out, " |\n");
    }
    rk_str_append(out, "\n| option | |\n|---|---|\n");
    rk_str cell;
    rk_str_init(&cell, 4096);
    for (size_t i = 0; i < command->option_count; i++) {
        rk_str_append(out, "| `");
        rk_str_reset(&cell);
        append_option_head(&cell, &command->options[i]);
        append_cell(out, rk_str_cstr(&cell));
        rk_str_append(out, "` | ");
        rk_str_reset(&cell);
        append_option_text(&cell, &command->options[i]);
        append_cell(out, rk_str_cstr(&cell));
        rk_str_append(out, " |\n");
    }
    rk_str_finish(&cell);
    if (command->example_count > 0) {
        rk_str_append(out, "\n```sh\n");
        for (size_t i = 0; i < command->example_count; i++) {
            rk_str_appendf(out, "%s  # %s\n", command->examples[i].line,
                           command->examples[i].about);
        }
        rk_str_append(out, "```\n");
    }
}

void rk_cli_append_markdown(rk_str *out)
{
    rk_str_append(
        out,
        "# The command line\n\nThis page is generated from the table of commands by `rk help "
        "--markdown`; so are the man pages, the help and the shell completions.\n\nEvery command "
        "takes `--help`. Where a command prints a result, `--json` makes it one JSON object on "
        "one line; a failure is then `{\"error\":{\"code\":…,\"text\":…}}`, besides the sentence "
        "on stderr.\n\n| command | |\n|---|---|\n");
    for (size_t i = 0; i < rk_cli_command_count; i++) {
        const rk_cli_command *command = rk_cli_commands[i];
        if (command->group != RK_CLI_HIDDEN) {
            rk_str_appendf(out, "| [`rk %s`](#rk-%s) | %s |\n", command->name, command->name,
                           command->summary);
        }
    }
    rk_str_append(out, "\n## Exit codes\n\n| code | |\n|---|---|\n");
#define MARKDOWN_EXIT(symbol, value, text) rk_str_append(out, "| " #value " | " text " |\n");
    RK_CLI_EXIT_LIST(MARKDOWN_EXIT)
#undef MARKDOWN_EXIT
    rk_str_append(out, "\n## Environment\n\n| variable | |\n|---|---|\n");
    for (size_t i = 0; i < rk_cli_variable_count; i++) {
        rk_str_appendf(out, "| `%s` | %s |\n", rk_cli_variables[i].name, rk_cli_variables[i].help);
    }
    for (rk_cli_group group = RK_CLI_JOBS; group < RK_CLI_HIDDEN; group++) {
        rk_str_appendf(out, "\n## %s\n", rk_cli_group_name(group));
        for (size_t i = 0; i < rk_cli_command_count; i++) {
            if (rk_cli_commands[i]->group == group) {
                append_command_markdown(out, rk_cli_commands[i]);
            }
        }
    }
}
