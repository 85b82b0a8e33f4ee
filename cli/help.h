/*
 * help.h: the table of commands as text: help, man pages, docs/cli.md.
 *
 * All functions append; a failure stays in the string's status.
 */
#ifndef RK_CLI_HELP_H
#define RK_CLI_HELP_H

#include "cli/cli.h"

#define RK_CLI_HELP_BYTES (1u << 20)

/* What "rk help" and "rk help COMMAND" print. */
void rk_cli_append_overview(rk_str *out);
void rk_cli_append_help(rk_str *out, const rk_cli_command *command);

/* "rk run [OPTION...] FILE.yaml" */
void rk_cli_append_usage(rk_str *out, const rk_cli_command *command);

/* The man page rk-COMMAND(1), or rk(1) for NULL, in the man macros. */
void rk_cli_append_man(rk_str *out, const rk_cli_command *command);

/* The reference of all commands as Markdown: docs/cli.md. */
void rk_cli_append_markdown(rk_str *out);

/* The name of a group of commands, for headings. */
const char *rk_cli_group_name(rk_cli_group group);

/* X of X.h, the environment variables that rk reads. */
typedef struct rk_cli_variable {
    const char *name;
    const char *help;
} rk_cli_variable;
extern const rk_cli_variable rk_cli_variables[];
extern const size_t rk_cli_variable_count;

#endif
