/*
 * cli_kernels.c: rk kernels: the built-in modules.
 */
#include "cli/commands.h"
#include "cli/modules.h"

#include <stdio.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static void append_json(rk_str *out, const rk_schema *schema, const char *path)
{
    rk_str_appendf(out, "%s{\"name\":\"%s\",\"version\":", out->length > 12 ? "," : "",
                   schema->name);
    rk_str_append_json(out, schema->version);
    rk_str_append(out, ",\"summary\":");
    rk_str_append_json(out, schema->summary);
    rk_str_append(out, ",\"path\":");
    rk_str_append_json(out, path);
    rk_str_append(out, "}");
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    char **paths;
    size_t count;
    rk_status status = rk_cli_builtin_paths(&paths, &count, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    rk_str out;
    rk_str_init(&out, 4u << 20);
    int code = RK_CLI_OK;
    if (call->json) {
        rk_str_append(&out, "{\"kernels\":[");
    }
    for (size_t i = 0; i < count; i++) {
        rk_module *module;
        status = rk_module_open_file(paths[i], &module, &err);
        if (status != RK_OK) {
            /* The others are listed all the same. */
            fprintf(stderr, "rk kernels: %s\n", err.text);
            code = RK_CLI_FAILED;
            continue;
        }
        const rk_schema *schema = rk_module_schema(module);
        if (call->json) {
            append_json(&out, schema, paths[i]);
        } else {
            rk_str_appendf(&out, "%-12s %s\n", schema->name, schema->summary);
        }
        rk_module_unref(module);
    }
    if (call->json) {
        rk_str_append(&out, "]}");
    }
    rk_cli_free_paths(paths, count);
    if (count == 0 && !call->json) {
        rk_str_finish(&out);
        return rk_cli_failf(call, RK_CLI_FAILED, RK_NOT_FOUND,
                            "no built-in module was found; 'rk doctor' says where they should be");
    }
    int printed = rk_cli_print(call, &out);
    return printed != RK_CLI_OK ? printed : code;
}

const rk_cli_command rk_cli_kernels = {
    .name = "kernels",
    .group = RK_CLI_MODULES,
    .summary = "list the built-in modules",
    .description = "Lists the modules that jobs can name without a path: those in the folders of "
                   "RK_KERNEL_PATH and those that were installed with the program.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
