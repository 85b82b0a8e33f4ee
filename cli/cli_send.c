/*
 * cli_send.c: rk send: a command for a kernel of a running job.
 */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/orders.h"

#include "base/clock.h"
#include "base/value.h"

#include <string.h>

static const rk_option options[] = {
    {.name = "timeout",
     .letter = 't',
     .kind = RK_OPTION_DURATION,
     .default_text = "10s",
     .max_text = "24h",
     .help = "How long to wait until the command is applied; 0: until it is accepted."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "JOB",
     .complete = RK_CLI_COMPLETE_JOB,
     .help = "The job's name, its process number, or both: NAME.PID."},
    {.name = "KERNEL",
     .complete = RK_CLI_COMPLETE_KERNEL,
     .help = "The kernel's name in the job; the kernel of a room is called 'room'."},
    {.name = "COMMAND", .complete = RK_CLI_COMPLETE_ORDER, .help = "One of the commands above."},
    {.name = "ARGUMENT",
     .optional = true,
     .repeated = true,
     .help = "Its arguments; a negative number needs no '--' in front."},
};

static const rk_cli_example examples[] = {
    {"rk send room room inject pressure_even 41213 2.5", "sets the pressure of a cell"},
    {"rk send pingpong a message 256 hello", "hands a message to a kernel"},
    {"rk send pingpong a receive", "takes what the kernel emitted"},
    {"rk send room room run 100 --timeout 1min", "takes 100 steps more and waits for them"},
};

static int print_text(const rk_cli_call *call, const json_t *reply)
{
    rk_str out;
    rk_str_init(&out, 1u << 20);
    rk_order_append_text(&out, rk_reply_text(reply, "kernel"), reply);
    return rk_cli_print(call, &out);
}

/* A command that was to be applied, and was not in the given time. */
static int fail_late(const rk_cli_call *call, const json_t *reply)
{
    char waited[RK_VALUE_TEXT_BYTES];
    (void)rk_value_format_duration(rk_options_u64(&call->options, "timeout"), waited);
    bool accepted = strcmp(rk_reply_text(reply, "level"), "accepted") == 0;
    return rk_cli_failf(call, RK_CLI_FAILED, RK_TIMEOUT,
                        "%s: %s %llu was %s, but not %s within %s: the kernel %s",
                        rk_reply_text(reply, "kernel"), rk_reply_text(reply, "command"),
                        rk_reply_count(reply, "id"), accepted ? "accepted" : "sent",
                        accepted ? "applied" : "accepted", waited,
                        accepted ? "has it in its queue and carries it out after what it does now"
                                 : "has not looked at its commands yet");
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_request request = {
        .verb = RK_REQUEST_SEND,
        .kernel = rk_cli_argument_at(call, 1),
        .command = rk_cli_argument_at(call, 2),
        .wait_ms = (uint32_t)(rk_options_u64(&call->options, "timeout") / RK_NS_PER_MS),
    };
    const rk_order *order;
    size_t count = call->options.argument_count - 3;
    if (rk_order_find(request.command, count, &order, &err) != RK_OK) {
        return rk_cli_fail(call, RK_CLI_USAGE, &err);
    }
    for (size_t i = 0; i < count; i++) {
        request.args[i] = call->options.arguments[3 + i]; /* an order has few */
    }
    request.arg_count = count;
    json_t *reply = NULL;
    int code = rk_client_call(call, &request, &reply);
    if (code == RK_CLI_OK) {
        bool refused = strcmp(rk_reply_text(reply, "status"), "RK_OK") != 0;
        const char *level = rk_reply_text(reply, "level");
        bool late = request.wait_ms > 0 && !refused && strcmp(level, "applied") != 0 &&
                    strcmp(level, "durable") != 0;
        refused = refused || late;
        code = call->json ? rk_client_print_json(call, reply)
               : late     ? fail_late(call, reply)
                          : print_text(call, reply);
        code = code == RK_CLI_OK && refused ? RK_CLI_FAILED : code;
    }
    json_decref(reply);
    return code;
}

const rk_cli_command rk_cli_send = {
    .name = "send",
    .group = RK_CLI_JOBS,
    .summary = "send a command to a kernel of a running job",
    .description =
        "Sends a command to a kernel and waits until it is applied, which happens at the "
        "boundary between two steps; the answer says at which step. The commands are:\n\n"
        "run STEPS, pause, resume, inject FIELD INDEX VALUE [add], custom OPERATION [DATA], "
        "message TYPE [DATA], receive, progress, stats, ping, step-budget STEPS|none, check, "
        "features NAMES|MASK|none, quiesce, terminate.\n\n"
        "DATA is text, or bytes as hex:00ff; text:hex:00ff is that text itself. The answer "
        "'plate: custom 7 applied at step 1200, value 3 0 0' gives the kernel, the command "
        "with its id, how far it got, the step, and, unless all are 0, three words: what an "
        "operation of the module returns, the code of a check that failed, the step at which "
        "a run ends, or for 'progress' the steps that remain and the step of the last. "
        "'receive' waits up to --timeout for the next message that the kernel emits, and "
        "prints its type, its length, its bytes in hex, and then the text if it is one. The "
        "exit code is 1 when the kernel refuses.\n\n"
        "The steps of a run come on top of those of the job file.\n\n"
        "A kernel whose step budget is spent is paused; 'resume' lets it go on without a "
        "budget. 'step-budget none' lifts a budget, but leaves a kernel paused that is paused "
        "already.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
