/*
 * cli_stop.c: rk stop: end a running job and save what there is.
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
    const rk_request request = {.verb = RK_REQUEST_STOP};
    json_t *reply;
    int code = rk_client_call(call, &request, &reply);
    if (code != RK_CLI_OK) {
        return code;
    }
    if (call->json) {
        code = rk_client_print_json(call, reply);
    } else {
        rk_str out;
        rk_str_init(&out, 16u * 1024u);
        rk_str_appendf(&out, "%s is ending; what there is will be in %s\n",
                       rk_reply_text(reply, "job"), rk_reply_text(reply, "folder"));
        code = rk_cli_print(call, &out);
    }
    json_decref(reply);
    return code;
}

const rk_cli_command rk_cli_stop = {
    .name = "stop",
    .group = RK_CLI_JOBS,
    .summary = "end a running job and save what there is",
    .description =
        "Makes a job end as Ctrl-C does: its kernels stop at their next step boundary, and what "
        "there is by then is saved. Returns at once; the job exits with code 130, or with 0 if it "
        "is one that has no end.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    .run = run,
};
