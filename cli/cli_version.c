/*
 * cli_version.c: rk version.
 */
#include "cli/commands.h"

#include <ringkernel/abi/control.h>
#include <ringkernel/version.h>
#include <sys/utsname.h>

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static int run(rk_cli_call *call)
{
    struct utsname machine;
    (void)uname(&machine); /* cannot fail with a valid address */
    rk_str out;
    rk_str_init(&out, 4096);
    if (call->json) {
        rk_str_appendf(&out,
                       "{\"version\":\"%s\",\"kernel_interface\":%u,\"control_protocol\":%u,"
                       "\"compiler\":",
                       RK_VERSION_TEXT, RK_ABI_VERSION, RK_CLI_PROTOCOL);
        rk_str_append_json(&out, __VERSION__);
        rk_str_append(&out, ",\"system\":");
        rk_str_append_json(&out, machine.sysname);
        rk_str_append(&out, ",\"machine\":");
        rk_str_append_json(&out, machine.machine);
        rk_str_append(&out, "}");
    } else {
        rk_str_appendf(&out,
                       "rk %s\nkernel interface %u, control protocol %u\nmade with %s for %s %s\n",
                       RK_VERSION_TEXT, RK_ABI_VERSION, RK_CLI_PROTOCOL, __VERSION__,
                       machine.sysname, machine.machine);
    }
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_version = {
    .name = "version",
    .group = RK_CLI_MACHINE,
    .summary = "print the version",
    .description =
        "Prints the version of the program and of its interfaces: modules made for another kernel "
        "interface are refused, and so are jobs that speak another control protocol.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
