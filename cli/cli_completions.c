/*
 * cli_completions.c: rk completions, and the hidden commands behind it.
 */
#include "cli/commands.h"
#include "cli/complete.h"

#include "base/file.h"
#include "base/value.h"
#include "cli/help.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const rk_option options[] = {
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "SHELL", .complete = RK_CLI_COMPLETE_SHELL, .help = "bash, zsh or fish."},
};

static const rk_cli_example examples[] = {
    {"source <(rk completions bash)", "for the present shell; zsh likewise"},
    {"rk completions fish | source", "for fish"},
};

static int run(rk_cli_call *call)
{
    unsigned index;
    rk_err err = RK_ERR_INIT;
    const char *shell = rk_cli_argument_at(call, 0);
    if (rk_value_parse_choice(shell, rk_cli_shells, &index, &err) != RK_OK) {
        return rk_cli_fail(call, RK_CLI_USAGE, &err);
    }
    rk_str out;
    rk_str_init(&out, 64u * 1024u);
    rk_str_append(&out, rk_cli_completion_script(shell));
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_completions = {
    .name = "completions",
    .group = RK_CLI_MACHINE,
    .summary = "print the completion script of a shell",
    .description =
        "Prints a script that makes a shell complete the commands, options, running jobs, kernels "
        "and files of rk. 'make install' puts the scripts where the shells look for them.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};

/* ---- rk __complete -- WORD... --------------------------------------------------------------- */

static int run_words(rk_cli_call *call)
{
    rk_str out;
    rk_str_init(&out, 1u << 20);
    rk_cli_append_candidates(&out, call->options.arguments, call->options.argument_count);
    return out.length > 0 ? rk_cli_print(call, &out) : RK_CLI_OK;
}

static const rk_cli_argument words[] = {
    {.name = "WORD", .optional = true, .repeated = true, .help = "The words behind rk so far."},
};

const rk_cli_command rk_cli_complete_words = {
    .name = "__complete",
    .group = RK_CLI_HIDDEN,
    .summary = "print candidates for the last word",
    .description = "Called by the completion scripts.",
    RK_CLI_ARGUMENTS(words),
    .run = run_words,
};

/* ---- rk __files DIR ------------------------------------------------------------------------- */

static rk_status write_file(const char *folder, const char *name, rk_str *text, rk_err *err)
{
    char path[PATH_MAX];
    char *slash;
    rk_status status = text->status;
    if (status != RK_OK || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return rk_err_set(err, RK_LIMIT, "%s/%s cannot be made", folder, name);
    }
    slash = strrchr(path, '/');
    *slash = '\0';
    status = rk_dir_make_all(path, err);
    *slash = '/';
    if (status == RK_OK) {
        status = rk_file_replace(path, rk_str_cstr(text), text->length, err);
    }
    rk_str_reset(text);
    return status;
}

/* Man pages and completion scripts, below DIR as in an installed share folder. */
static int run_files(rk_cli_call *call)
{
    static const struct {
        const char *shell, *file;
    } scripts[] = {
        {"bash", "bash-completion/completions/rk"},
        {"zsh", "zsh/site-functions/_rk"},
        {"fish", "fish/vendor_completions.d/rk.fish"},
    };
    const char *folder = rk_cli_argument_at(call, 0);
    rk_err err = RK_ERR_INIT;
    rk_str text;
    rk_str_init(&text, RK_CLI_HELP_BYTES);
    rk_cli_append_man(&text, NULL);
    rk_status status = write_file(folder, "man/man1/rk.1", &text, &err);
    for (size_t i = 0; i < rk_cli_command_count && status == RK_OK; i++) {
        const rk_cli_command *command = rk_cli_commands[i];
        if (command->group != RK_CLI_HIDDEN) {
            char name[128];
            snprintf(name, sizeof name, "man/man1/rk-%s.1", command->name);
            rk_cli_append_man(&text, command);
            status = write_file(folder, name, &text, &err);
        }
    }
    for (size_t i = 0; i < RK_CLI_COUNT(scripts) && status == RK_OK; i++) {
        rk_str_append(&text, rk_cli_completion_script(scripts[i].shell));
        status = write_file(folder, scripts[i].file, &text, &err);
    }
    rk_str_finish(&text);
    return status == RK_OK ? RK_CLI_OK : rk_cli_fail(call, RK_CLI_FAILED, &err);
}

static const rk_cli_argument folders[] = {
    {.name = "DIR", .complete = RK_CLI_COMPLETE_FOLDER, .help = "An install prefix's share."},
};

const rk_cli_command rk_cli_install_files = {
    .name = "__files",
    .group = RK_CLI_HIDDEN,
    .summary = "write man pages and completion scripts",
    .description = "Called by the build.",
    RK_CLI_ARGUMENTS(folders),
    .run = run_files,
};
