/*
 * cli.h: the table of commands, from which everything about the command line follows: the parser,
 * help, "did you mean", shell completions, man pages and docs/cli.md.
 *
 * A command is one row here and one file cli_NAME.c. It prints results on stdout and sentences that
 * begin with "rk NAME: " on stderr, and returns one of the exit codes below.
 */
#ifndef RK_CLI_CLI_H
#define RK_CLI_CLI_H

#include "base/options.h"
#include "base/str.h"

#include <ringkernel/status.h>

/* X(symbol, value, text): exit codes; scripts rely on them. */
#define RK_CLI_EXIT_LIST(X)                                                                        \
    X(OK, 0, "It worked.")                                                                         \
    X(FAILED, 1, "Something failed: a file, a device, a job that is not there.")                   \
    X(USAGE, 2, "The command line is wrong.")                                                      \
    X(INPUT, 3, "The input is wrong: a job file, a sound file, a module or a kernel source.")      \
    X(KERNEL, 4, "A kernel panicked or faulted; results up to then are saved.")                    \
    X(STOPPED, 130, "Stopped before its end, by Ctrl-C, SIGTERM or 'rk stop'; results are saved.")

typedef enum rk_cli_exit {
#define RK_CLI_EXIT_ENUM(symbol, value, text) RK_CLI_##symbol = (value),
    RK_CLI_EXIT_LIST(RK_CLI_EXIT_ENUM)
#undef RK_CLI_EXIT_ENUM
} rk_cli_exit;

/* What the shell offers in the place of an argument or an option's value. */
typedef enum rk_cli_complete {
    RK_CLI_COMPLETE_NOTHING,
    RK_CLI_COMPLETE_FILE, /* that ends in the pattern's suffix, or any */
    RK_CLI_COMPLETE_FOLDER,
    RK_CLI_COMPLETE_COMMAND, /* of this program */
    RK_CLI_COMPLETE_JOB,     /* that runs now */
    RK_CLI_COMPLETE_KERNEL,  /* of the job in the argument before */
    RK_CLI_COMPLETE_ORDER,   /* a command for a kernel: cli/orders.h */
    RK_CLI_COMPLETE_MODULE,  /* a built-in module, or a bundle file */
    RK_CLI_COMPLETE_BENCH,
    RK_CLI_COMPLETE_SHELL,
} rk_cli_complete;

typedef struct rk_cli_argument {
    const char *name; /* "FILE.yaml" */
    rk_cli_complete complete;
    const char *suffix; /* of files: ".yaml"; NULL: any */
    bool optional;      /* it and those behind it */
    bool repeated;      /* the last one: any number of them */
    const char *help;
} rk_cli_argument;

typedef struct rk_cli_example {
    const char *line;
    const char *about;
} rk_cli_example;

typedef enum rk_cli_group {
    RK_CLI_JOBS,
    RK_CLI_MODULES,
    RK_CLI_MACHINE,
    RK_CLI_HIDDEN
} rk_cli_group;

struct rk_cli_call;

typedef struct rk_cli_command {
    const char *name;
    rk_cli_group group;
    const char *summary;     /* "run a job and write its results" */
    const char *description; /* paragraphs, separated by empty lines */
    const rk_cli_argument *arguments;
    size_t argument_count;
    const rk_option *options;
    size_t option_count;
    const rk_cli_example *examples;
    size_t example_count;
    int (*run)(struct rk_cli_call *call);
} rk_cli_command;

/* One call of a command, with what was given on its command line. */
typedef struct rk_cli_call {
    const rk_cli_command *command;
    rk_options options;
    bool json; /* --json was given */
} rk_cli_call;

/* The last options of every table. */
#define RK_CLI_OPTION_JSON                                                                         \
    {                                                                                              \
        .name = "json", .kind = RK_OPTION_FLAG, .help = "Print one JSON object instead of text."   \
    }
#define RK_CLI_OPTION_HELP                                                                         \
    {                                                                                              \
        .name = "help", .letter = 'h', .kind = RK_OPTION_FLAG, .help = "Print this help."          \
    }

/* The arrays of a row, with their lengths. */
#define RK_CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RK_CLI_ARGUMENTS(array) .arguments = (array), .argument_count = RK_CLI_COUNT(array)
#define RK_CLI_OPTIONS(array) .options = (array), .option_count = RK_CLI_COUNT(array)
#define RK_CLI_EXAMPLES(array) .examples = (array), .example_count = RK_CLI_COUNT(array)

extern const rk_cli_command *const rk_cli_commands[]; /* in the order of the help */
extern const size_t rk_cli_command_count;

/* NULL if there is none of that name. */
const rk_cli_command *rk_cli_find(const char *name);

/* The program: runs argv[1] and returns the exit code. */
int rk_cli_main(int argc, char **argv);

/* The argument at an index, or NULL. */
const char *rk_cli_argument_at(const rk_cli_call *call, size_t index);

/*
 * Prints the sentence in err on stderr ("rk run: ..."), and as {"error":{"code","text"}} on stdout
 * if the call wants JSON. Returns exit_code.
 */
int rk_cli_fail(const rk_cli_call *call, rk_cli_exit exit_code, const rk_err *err);

/* The same with a sentence of its own. */
int rk_cli_failf(const rk_cli_call *call, rk_cli_exit exit_code, rk_status status,
                 const char *format, ...) RK_PRINTF(4, 5);

/*
 * Prints a text that was built with an rk_str, and a line end if it has none. Frees the text.
 * Returns RK_CLI_OK; or fails if the text is incomplete or stdout cannot be written.
 */
int rk_cli_print(const rk_cli_call *call, rk_str *text);

/* The exit code for input that was refused with this status: RK_CLI_INPUT, or RK_CLI_FAILED. */
rk_cli_exit rk_cli_input_exit(rk_status status);

/* The path of the running program, for host processes: owned by the caller, who frees it. */
char *rk_cli_program_path(void);

#endif
