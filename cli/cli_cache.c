/*
 * cli_cache.c: rk cache: what builds keep.
 */
#include "cli/commands.h"

#include "base/value.h"

#include <ringkernel/module.h>

#include <stdio.h>

static const rk_option options[] = {
    {.name = "clear", .kind = RK_OPTION_FLAG, .help = "Remove everything that is kept."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_example examples[] = {
    {"rk cache", "where it is and how much is in it"},
    {"rk cache --clear", "empty it; the next builds compile everything"},
};

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_module_cache_info info;
    bool clear = rk_options_flag(&call->options, "clear");
    rk_status status = rk_module_cache(clear, &info, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    rk_str out;
    rk_str_init(&out, 16u * 1024u);
    if (call->json) {
        rk_str_append(&out, "{\"folder\":");
        rk_str_append_json(&out, info.folder);
        rk_str_appendf(&out,
                       ",\"entries\":%llu,\"bytes\":%llu,\"limit_bytes\":%llu,\"cleared\":%s}",
                       (unsigned long long)info.entries, (unsigned long long)info.bytes,
                       (unsigned long long)info.limit_bytes, clear ? "true" : "false");
    } else if (info.folder[0] == '\0') {
        rk_str_append(&out, "builds keep nothing: there is no cache\n");
    } else {
        char bytes[RK_VALUE_TEXT_BYTES];
        char limit[RK_VALUE_TEXT_BYTES];
        rk_str_appendf(&out, "%s: %s%llu entries, %s of at most %s\n", info.folder,
                       clear ? "removed " : "", (unsigned long long)info.entries,
                       rk_value_format_size(info.bytes, bytes),
                       rk_value_format_size(info.limit_bytes, limit));
    }
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_cache = {
    .name = "cache",
    .group = RK_CLI_MODULES,
    .summary = "show or clear what builds keep",
    .description =
        "'rk build' keeps what compilers made, so that a source that has not changed is not "
        "compiled again. Prints where, how much there is, and how much there may be. RK_CACHE=off "
        "keeps nothing, RK_CACHE_DIR names another folder, RK_CACHE_SIZE another limit.",
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
