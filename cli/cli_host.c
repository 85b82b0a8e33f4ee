/*
 * cli_host.c: rk __host: the process that holds the kernels of a job. Started by the runtime.
 */
#include "cli/commands.h"

#include <ringkernel/runtime.h>
#include <signal.h>

#define HOST_FD 3 /* where the runtime leaves the socket */

static int run(rk_cli_call *call)
{
    (void)call;
    /* What stops a job is for the program that runs it; this process ends with it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    return rk_host_main(HOST_FD);
}

const rk_cli_command rk_cli_host = {
    .name = "__host",
    .group = RK_CLI_HIDDEN,
    .summary = "hold kernels for another process",
    .description = "Started by the runtime; of no use otherwise.",
    .run = run,
};
