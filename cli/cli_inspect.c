/*
 * cli_inspect.c: rk inspect: what is in a module.
 */
#include "cli/commands.h"
#include "cli/modules.h"

#include <stdlib.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "MODULE",
     .complete = RK_CLI_COMPLETE_MODULE,
     .suffix = ".rkm",
     .help = "The path of a bundle (FILE.rkm), or the name of a built-in module."},
};

static const rk_cli_example examples[] = {
    {"rk inspect wave3d", "a built-in module"},
    {"rk inspect ./counter.rkm --json", "a bundle of one's own, for a program"},
};

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_module *module;
    rk_status status = rk_cli_open_module(rk_cli_argument_at(call, 0), NULL, &module, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, rk_cli_input_exit(status), &err);
    }
    char *text;
    status = rk_module_describe(module, call->json, &text);
    rk_module_unref(module);
    if (status != RK_OK) {
        return rk_cli_failf(call, RK_CLI_FAILED, status, "the module could not be described: %s",
                            rk_status_text(status));
    }
    rk_str out;
    rk_str_init(&out, SIZE_MAX);
    rk_str_append(&out, text);
    free(text);
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_inspect = {
    .name = "inspect",
    .group = RK_CLI_MODULES,
    .summary = "show what is in a module",
    .description =
        "Shows the schema of a module (parameters, state fields, phases, features, precision "
        "variants) and what its bundle holds for which target. The whole file is checked; nothing "
        "in it is executed.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
