/*
 * cli_resume.c: rk resume: let a paused job go on.
 */
#include "cli/client.h"
#include "cli/commands.h"

static const rk_option options[] = {
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "JOB",
     .complete = RK_CLI_COMPLETE_JOB,
     .help = "The job's name, its process number, or both: NAME.PID."},
};

static int run(rk_cli_call *call)
{
    const rk_request request = {.verb = RK_REQUEST_RESUME};
    json_t *reply;
    int code = rk_client_call(call, &request, &reply);
    if (code != RK_CLI_OK) {
        return code;
    }
    code = call->json ? rk_client_print_json(call, reply)
                      : rk_client_print_kernels(call, reply, "resumed");
    json_decref(reply);
    return code;
}

const rk_cli_command rk_cli_resume = {
    .name = "resume",
    .group = RK_CLI_JOBS,
    .summary = "let a paused job go on",
    .description = "Resumes all kernels of a job after a pause or a spent step budget, and brings "
                   "back those that a quiesce command has made leave the device.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    .run = run,
};
