/*
 * cli.c: from a command line to a command.
 */
#include "cli/cli.h"

#include "base/log.h"
#include "base/suggest.h"
#include "base/value.h"
#include "cli/help.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS_MAX 64

const rk_cli_command *rk_cli_find(const char *name)
{
    for (size_t i = 0; i < rk_cli_command_count; i++) {
        if (strcmp(rk_cli_commands[i]->name, name) == 0) {
            return rk_cli_commands[i];
        }
    }
    return NULL;
}

const char *rk_cli_argument_at(const rk_cli_call *call, size_t index)
{
    return index < call->options.argument_count ? call->options.arguments[index] : NULL;
}

int rk_cli_fail(const rk_cli_call *call, rk_cli_exit exit_code, const rk_err *err)
{
    const char *name = call->command ? call->command->name : "";
    fflush(stdout);
    fprintf(stderr, "rk%s%s: %s\n", *name ? " " : "", name, err->text);
    if (call->json) {
        rk_str out;
        rk_str_init(&out, 16u * 1024u);
        rk_str_appendf(&out, "{\"error\":{\"code\":\"%s\",\"text\":", rk_status_name(err->code));
        rk_str_append_json(&out, err->text);
        rk_str_append(&out, "}}\n");
        fputs(rk_str_cstr(&out), stdout);
        rk_str_finish(&out);
    }
    return (int)exit_code;
}

int rk_cli_failf(const rk_cli_call *call, rk_cli_exit exit_code, rk_status status,
                 const char *format, ...)
{
    rk_err err = RK_ERR_INIT;
    va_list args;
    va_start(args, format);
    (void)rk_err_setv(&err, status, format, args); /* returns what it was given */
    va_end(args);
    return rk_cli_fail(call, exit_code, &err);
}

int rk_cli_print(const rk_cli_call *call, rk_str *text)
{
    if (text->length > 0 && text->data[text->length - 1] != '\n') {
        rk_str_append_char(text, '\n');
    }
    rk_status status = text->status;
    if (status == RK_OK) {
        fwrite(rk_str_cstr(text), 1, text->length, stdout);
    }
    rk_str_finish(text);
    if (status != RK_OK) {
        return rk_cli_failf(call, RK_CLI_FAILED, status, "the output could not be made: %s",
                            rk_status_text(status));
    }
    return RK_CLI_OK;
}

rk_cli_exit rk_cli_input_exit(rk_status status)
{
    switch (status) {
    case RK_INVALID:
    case RK_SYNTAX:
    case RK_CORRUPT:
    case RK_VERSION:
    case RK_EXISTS:
    case RK_LIMIT:
    case RK_UNSUPPORTED:
    case RK_COMPILE:
    case RK_NOT_FOUND: return RK_CLI_INPUT;
    default: return RK_CLI_FAILED;
    }
}

char *rk_cli_program_path(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        return NULL;
    }
    path[length] = '\0';
    return strdup(path);
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < rk_cli_command_count && count < COMMANDS_MAX; i++) {
        if (rk_cli_commands[i]->group != RK_CLI_HIDDEN) {
            names[count++] = rk_cli_commands[i]->name;
        }
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *near = rk_suggest(word, names, count);
    fprintf(stderr, "rk: there is no %s '%s'", word[0] == '-' ? "option" : "command",
            rk_value_shown(word, shown));
    if (near != NULL) {
        fprintf(stderr, "; did you mean '%s'?", near);
    }
    fprintf(stderr, "%s 'rk help' lists the commands\n", near ? "" : ";");
    return RK_CLI_USAGE;
}

/* Whether "--help" or "-h" stands among the words before "--". */
static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static bool has_option(const rk_cli_command *command, const char *name)
{
    return rk_option_find(command->options, command->option_count, name) != NULL;
}

/* Too few or too many arguments. */
static rk_status check_arguments(const rk_cli_call *call, rk_err *err)
{
    const rk_cli_command *command = call->command;
    size_t given = call->options.argument_count;
    size_t needed = 0;
    while (needed < command->argument_count && !command->arguments[needed].optional) {
        needed++;
    }
    bool open =
        command->argument_count > 0 && command->arguments[command->argument_count - 1].repeated;
    if (given < needed) {
        return rk_err_set(err, RK_INVALID, "%s is missing; 'rk %s --help' shows how to use it",
                          command->arguments[given].name, command->name);
    }
    if (given > command->argument_count && !open) {
        char shown[RK_VALUE_SHOWN_BYTES];
        const char *extra = call->options.arguments[command->argument_count];
        return rk_err_set(err, RK_INVALID,
                          "the argument '%s' is one too many; 'rk %s --help' shows how to use it",
                          rk_value_shown(extra, shown), command->name);
    }
    return RK_OK;
}

static int run_command(const rk_cli_command *command, int argc, char **argv)
{
    if (command->group != RK_CLI_HIDDEN && wants_help(argc, argv)) {
        rk_cli_call call = {.command = command};
        rk_str out;
        rk_str_init(&out, RK_CLI_HELP_BYTES);
        rk_cli_append_help(&out, command);
        return rk_cli_print(&call, &out);
    }
    char program[64];
    snprintf(program, sizeof program, "rk %s", command->name);
    rk_cli_call call = {.command = command};
    /* Known before the options are read, so that a wrong option is reported as JSON too. */
    for (int i = 0; i < argc && has_option(command, "json"); i++) {
        call.json = call.json || strcmp(argv[i], "--json") == 0;
    }
    rk_err err = RK_ERR_INIT;
    rk_status status =
        rk_options_init(&call.options, program, command->options, command->option_count);
    if (status != RK_OK) {
        return rk_cli_failf(&call, RK_CLI_FAILED, status, "%s", rk_status_text(status));
    }
    int code;
    status = rk_options_parse(&call.options, argc, argv, RK_OPTIONS_ANYWHERE, &err);
    if (status == RK_OK) {
        call.json = has_option(command, "json") && rk_options_flag(&call.options, "json");
        status = check_arguments(&call, &err);
    }
    if (status != RK_OK) {
        code = rk_cli_fail(&call, RK_CLI_USAGE, &err);
    } else {
        code = command->run(&call);
    }
    rk_options_finish(&call.options);
    return code;
}

/* What could not be written to stdout is an error, unless the reader has simply left. */
static int close_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }
    if (errno != EPIPE) {
        fprintf(stderr, "rk: the output could not be written: %s\n",
                errno ? strerror(errno) : "write error");
    }
    return code == RK_CLI_OK ? RK_CLI_FAILED : code;
}

/*
 * Occupies standard descriptors that the caller has closed, so that no file of the program gets
 * their numbers and what is meant for a terminal lands in it. Using them still fails.
 */
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY); /* the lowest free number: fd */
        }
    }
}

int rk_cli_main(int argc, char **argv)
{
    occupy_standard_descriptors();
    /* A reader that leaves early, or a limit on file sizes, must not kill a job that has results
     * to save: both are errors of the write then. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word == NULL) {
        rk_str out;
        rk_str_init(&out, RK_CLI_HELP_BYTES);
        rk_cli_append_overview(&out);
        fputs(rk_str_cstr(&out), stderr);
        rk_str_finish(&out);
        return RK_CLI_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        word = "help";
    } else if (strcmp(word, "--version") == 0) {
        word = "version";
    }
    const rk_cli_command *command = rk_cli_find(word);
    if (command == NULL) {
        return unknown_command(word);
    }
    return close_output(run_command(command, argc - 2, argv + 2));
}
