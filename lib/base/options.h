/*
 * options.h: a program's or job file's options, each described once in a table.
 *
 * The parser of command lines, the check of values (from a command line or a file), the help text
 * and "did you mean" all come from the table. A table is a constant array that outlives everything
 * here; a mistake in it asserts.
 */
#ifndef RK_BASE_OPTIONS_H
#define RK_BASE_OPTIONS_H

#include "base/str.h"

typedef enum rk_option_kind {
    RK_OPTION_FLAG,     /* bool: --name, --no-name, --name=yes */
    RK_OPTION_I64,      /* int64_t */
    RK_OPTION_U64,      /* uint64_t */
    RK_OPTION_F64,      /* double */
    RK_OPTION_SIZE,     /* uint64_t bytes, written "64KiB" */
    RK_OPTION_DURATION, /* uint64_t nanoseconds, written "250ms" */
    RK_OPTION_STRING,   /* const char * */
    RK_OPTION_CHOICE,   /* unsigned: the index in choices */
    RK_OPTION_LIST,     /* strings: the option may be given several times */
} rk_option_kind;

typedef struct rk_option {
    const char *name; /* without dashes */
    char letter;      /* the short form, or 0 */
    rk_option_kind kind;
    const char *value_name;   /* in the help: "DIR"; NULL: from the kind */
    const char *default_text; /* read like a given value; NULL: none (zero, NULL, empty) */
    const char *min_text;     /* bounds, both included; NULL: none. Numbers, sizes, durations */
    const char *max_text;
    const char *unit;    /* of a plain number: "Hz"; may be written behind it; NULL: none */
    const char *choices; /* RK_OPTION_CHOICE: "cpu|cuda|hip" */
    const char *help;    /* one or more sentences; wrapped */
} rk_option;

/* The member that belongs to the kind is set. */
typedef union rk_option_value {
    bool flag;
    int64_t i64;
    uint64_t u64; /* also bytes and nanoseconds */
    double f64;
    const char *text; /* borrowed from what was parsed */
    unsigned choice;
} rk_option_value;

/*
 * Reads one value and checks its bounds; for job files and other sources. The sentence does not
 * name the option: put it in front with rk_err_prefix. RK_SYNTAX, RK_LIMIT.
 */
rk_status rk_option_parse(const rk_option *option, const char *text, rk_option_value *out_value,
                          rk_err *err);

/* The option with this name, or NULL. */
const rk_option *rk_option_find(const rk_option *table, size_t count, const char *name);

/* The name in the table that is nearest to a wrong one, or NULL. */
const char *rk_option_suggest(const rk_option *table, size_t count, const char *name);

/* What stands for the value in help and sentences: "DIR", "SIZE", "cpu|cuda". */
const char *rk_option_value_name(const rk_option *option);

/* Where a value comes from; a higher one replaces a lower one. */
typedef enum rk_option_source {
    RK_OPTION_DEFAULT,
    RK_OPTION_FILE,
    RK_OPTION_COMMAND_LINE,
} rk_option_source;

struct rk_option_state;

/* The values of a table's options. One thread at a time while it changes. */
typedef struct rk_options {
    const char *program; /* for sentences: "rk run" */
    const rk_option *table;
    size_t count;
    struct rk_option_state *states;
    const char **arguments; /* what is no option, in order; borrowed from argv */
    size_t argument_count;
} rk_options;

/* Sets all defaults. program and table stay borrowed. RK_NO_MEMORY. */
rk_status rk_options_init(rk_options *options, const char *program, const rk_option *table,
                          size_t count);
void rk_options_finish(rk_options *options);

typedef enum rk_options_mode {
    RK_OPTIONS_ANYWHERE,         /* options may follow arguments; "--" ends them */
    RK_OPTIONS_STOP_AT_ARGUMENT, /* the first argument, a subcommand, ends them */
} rk_options_mode;

/*
 * Reads a command line without the program's (and subcommand's) name: --name value, --name=value,
 * -n value, -nvalue, -abc for flags. A negative number is an argument. Values are borrowed from
 * argv. RK_NOT_FOUND for an unknown option, RK_SYNTAX, RK_LIMIT; the sentence names the option and
 * says how to get help.
 */
rk_status rk_options_parse(rk_options *options, int argc, char *const *argv, rk_options_mode mode,
                           rk_err *err);

/*
 * Sets one option from a file or another source; text must outlive the options. Does nothing but
 * check if a higher source has set it. RK_NOT_FOUND with a suggestion for an unknown name.
 */
rk_status rk_options_set(rk_options *options, const char *name, const char *text,
                         rk_option_source source, rk_err *err);

/* The value of an option that is in the table with that kind (anything else asserts). */
bool rk_options_flag(const rk_options *options, const char *name);
int64_t rk_options_i64(const rk_options *options, const char *name);
uint64_t rk_options_u64(const rk_options *options, const char *name); /* U64, SIZE, DURATION */
double rk_options_f64(const rk_options *options, const char *name);
const char *rk_options_text(const rk_options *options, const char *name); /* NULL: not given */
unsigned rk_options_choice(const rk_options *options, const char *name);
/* The items of a LIST, in order: the array is borrowed. */
size_t rk_options_list(const rk_options *options, const char *name, const char *const **out_items);

/* Whether the value comes from somewhere else than the table's default. */
bool rk_options_given(const rk_options *options, const char *name);

/* Appends the options as help text of at most 80 columns, one paragraph each. */
rk_status rk_options_help(const rk_option *table, size_t count, rk_str *out);

#endif
