/*
 * cli_devices.c: rk devices: where kernels can run.
 */
#include "cli/commands.h"

#include "base/value.h"

#include <inttypes.h>
#include <ringkernel/runtime.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static void append_json(rk_str *out, const rk_device_info *info, bool first)
{
    rk_str_appendf(out, "%s{\"name\":\"%s\",\"driver\":\"%s\",\"text\":", first ? "" : ",",
                   info->name, info->driver);
    rk_str_append_json(out, info->text);
    rk_str_appendf(out, ",\"units\":%u,\"max_blocks\":%u,\"memory_bytes\":%" PRIu64 "}",
                   info->units, info->max_blocks, info->memory_bytes);
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime;
    rk_status status = rk_runtime_create(NULL, &runtime, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    rk_str out;
    rk_str_init(&out, 1u << 20);
    if (call->json) {
        rk_str_append(&out, "{\"devices\":[");
    } else {
        rk_str_appendf(&out, "%-8s %6s %7s %10s  %s\n", "DEVICE", "CORES", "BLOCKS", "MEMORY",
                       "WHAT IT IS");
    }
    for (uint32_t i = 0; i < rk_runtime_device_count(runtime); i++) {
        rk_device_info info;
        if (rk_runtime_device_info(runtime, i, &info) != RK_OK) {
            continue;
        }
        char memory[RK_VALUE_TEXT_BYTES];
        if (call->json) {
            append_json(&out, &info, i == 0);
        } else {
            rk_str_appendf(&out, "%-8s %6u %7u %10s  %s\n", info.name, info.units, info.max_blocks,
                           rk_value_format_size(info.memory_bytes, memory), info.text);
        }
    }
    rk_str_append(&out, call->json ? "]}" : "");
    rk_runtime_destroy(runtime);
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_devices = {
    .name = "devices",
    .group = RK_CLI_MACHINE,
    .summary = "list the devices that kernels can run on",
    .description =
        "Lists the devices of this machine. A job can name further logical CPU devices, cpu:1, "
        "cpu:2 and so on, each with a host process of its own on the same cores.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
