/*
 * options.c: values of options, and command lines.
 */
#include "base/options.h"

#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPTIONS 256
#define MOST_NUMBER_BYTES 64

typedef struct rk_option_state {
    rk_option_value value;
    rk_option_source source;
    const char **items; /* LIST */
    size_t item_count;
} option_state;

const rk_option *rk_option_find(const rk_option *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

const char *rk_option_suggest(const rk_option *table, size_t count, const char *name)
{
    const char *names[MOST_OPTIONS];
    count = RK_MIN(count, (size_t)MOST_OPTIONS);
    for (size_t i = 0; i < count; i++) {
        names[i] = table[i].name;
    }
    return rk_suggest(name, names, count);
}

static bool takes_unit(rk_option_kind kind)
{
    return kind == RK_OPTION_I64 || kind == RK_OPTION_U64 || kind == RK_OPTION_F64;
}

/* Reads text by kind alone, without bounds. */
static rk_status parse_kind(const rk_option *option, const char *text, rk_option_value *out_value,
                            rk_err *err)
{
    char number[MOST_NUMBER_BYTES];
    if (option->unit != NULL && takes_unit(option->kind)) {
        /* "44100 Hz" is read as "44100 ". */
        size_t length = strlen(text);
        size_t unit_length = strlen(option->unit);
        if (length > unit_length && length - unit_length < sizeof number &&
            strcmp(text + length - unit_length, option->unit) == 0) {
            memcpy(number, text, length - unit_length);
            number[length - unit_length] = '\0';
            text = number;
        }
    }
    switch (option->kind) {
    case RK_OPTION_FLAG: return rk_value_parse_bool(text, &out_value->flag, err);
    case RK_OPTION_I64: return rk_value_parse_i64(text, &out_value->i64, err);
    case RK_OPTION_U64: return rk_value_parse_u64(text, &out_value->u64, err);
    case RK_OPTION_F64: return rk_value_parse_f64(text, &out_value->f64, err);
    case RK_OPTION_SIZE: return rk_value_parse_size(text, &out_value->u64, err);
    case RK_OPTION_DURATION: return rk_value_parse_duration(text, &out_value->u64, err);
    case RK_OPTION_CHOICE:
        return rk_value_parse_choice(text, option->choices, &out_value->choice, err);
    case RK_OPTION_STRING:
    case RK_OPTION_LIST: out_value->text = text; return RK_OK;
    }
    return RK_INTERNAL;
}

/* Whether a < b, for kinds that have an order. */
static bool is_below(rk_option_kind kind, rk_option_value a, rk_option_value b)
{
    switch (kind) {
    case RK_OPTION_I64: return a.i64 < b.i64;
    case RK_OPTION_F64: return a.f64 < b.f64;
    case RK_OPTION_U64:
    case RK_OPTION_SIZE:
    case RK_OPTION_DURATION: return a.u64 < b.u64;
    default: return false;
    }
}

/* A bound or default of the table: readable, or the table is wrong. */
static rk_option_value table_value(const rk_option *option, const char *text)
{
    rk_option_value value = {0};
    rk_err err = RK_ERR_INIT;
    rk_status status = parse_kind(option, text, &value, &err);
    assert(status == RK_OK);
    (void)status;
    return value;
}

rk_status rk_option_parse(const rk_option *option, const char *text, rk_option_value *out_value,
                          rk_err *err)
{
    rk_option_value value = {0};
    rk_status status = parse_kind(option, text, &value, err);
    if (status != RK_OK) {
        return status;
    }
    const char *unit = option->unit == NULL ? "" : option->unit;
    const char *blank = option->unit == NULL ? "" : " ";
    char shown[RK_VALUE_SHOWN_BYTES];
    if (option->min_text != NULL &&
        is_below(option->kind, value, table_value(option, option->min_text))) {
        return rk_err_set(err, RK_LIMIT, "'%s' is too small: the least is %s%s%s",
                          rk_value_shown(text, shown), option->min_text, blank, unit);
    }
    if (option->max_text != NULL &&
        is_below(option->kind, table_value(option, option->max_text), value)) {
        return rk_err_set(err, RK_LIMIT, "'%s' is too large: the most is %s%s%s",
                          rk_value_shown(text, shown), option->max_text, blank, unit);
    }
    *out_value = value;
    return RK_OK;
}

rk_status rk_options_init(rk_options *options, const char *program, const rk_option *table,
                          size_t count)
{
    assert(count <= MOST_OPTIONS);
    *options = (rk_options){.program = program, .table = table, .count = count};
    options->states = calloc(count > 0 ? count : 1, sizeof *options->states);
    if (options->states == NULL) {
        return RK_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        if (table[i].default_text != NULL) {
            assert(table[i].kind != RK_OPTION_LIST);
            options->states[i].value = table_value(&table[i], table[i].default_text);
        }
    }
    return RK_OK;
}

void rk_options_finish(rk_options *options)
{
    if (options->states != NULL) {
        for (size_t i = 0; i < options->count; i++) {
            free(options->states[i].items);
        }
    }
    free(options->states);
    free(options->arguments);
    *options = (rk_options){0};
}

static option_state *state_of(const rk_options *options, const rk_option *option)
{
    return &options->states[option - options->table];
}

/* items with room for one more: grows by powers of two. NULL: no memory, items as before. */
static const char **push_text(const char **items, size_t count, const char *text)
{
    if ((count & (count - 1)) == 0) {
        const char **grown = realloc(items, (count == 0 ? 1 : count * 2) * sizeof *items);
        if (grown == NULL) {
            return NULL;
        }
        items = grown;
    }
    items[count] = text;
    return items;
}

/* Checks and stores a value; the sentence does not name the option. */
static rk_status store(rk_options *options, const rk_option *option, const char *text,
                       rk_option_source source, rk_err *err)
{
    option_state *state = state_of(options, option);
    rk_option_value value;
    rk_status status = rk_option_parse(option, text, &value, err);
    if (status != RK_OK || source < state->source) {
        return status;
    }
    if (option->kind == RK_OPTION_LIST) {
        if (source > state->source) {
            state->item_count = 0; /* a command line replaces the file's list */
            free(state->items);
            state->items = NULL;
        }
        const char **items = push_text(state->items, state->item_count, text);
        if (items == NULL) {
            return rk_err_set(err, RK_NO_MEMORY, "out of memory");
        }
        state->items = items;
        state->item_count++;
    }
    state->value = value;
    state->source = source;
    return RK_OK;
}

rk_status rk_options_set(rk_options *options, const char *name, const char *text,
                         rk_option_source source, rk_err *err)
{
    const rk_option *option = rk_option_find(options->table, options->count, name);
    if (option == NULL) {
        const char *near = rk_option_suggest(options->table, options->count, name);
        char shown[RK_VALUE_SHOWN_BYTES];
        rk_value_shown(name, shown);
        return near == NULL ? rk_err_set(err, RK_NOT_FOUND, "unknown option '%s'", shown)
                            : rk_err_set(err, RK_NOT_FOUND,
                                         "unknown option '%s'; did you mean '%s'?", shown, near);
    }
    rk_status status = store(options, option, text, source, err);
    if (status != RK_OK) {
        rk_err_prefix(err, "%s: ", name);
    }
    return status;
}

/* A command line on its way through the parser. */
typedef struct reader {
    rk_options *options;
    int argc;
    char *const *argv;
    int at; /* the next word */
    rk_err *err;
} reader;

static rk_status unknown_option(const reader *in, const char *word, const char *near)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    rk_value_shown(word, shown);
    const char *program = in->options->program;
    if (near != NULL) {
        return rk_err_set(in->err, RK_NOT_FOUND,
                          "unknown option %s; did you mean --%s? See '%s --help'", shown, near,
                          program);
    }
    return rk_err_set(in->err, RK_NOT_FOUND, "unknown option %s; see '%s --help'", shown, program);
}

/* Stores the value of an option, which was written as `word` (for the sentence). */
static rk_status store_argument(const reader *in, const rk_option *option, const char *word,
                                const char *text)
{
    rk_status status = store(in->options, option, text, RK_OPTION_COMMAND_LINE, in->err);
    if (status != RK_OK) {
        rk_err_prefix(in->err, "%s: ", word);
    }
    return status;
}

/* Whether a word is one of this table's options, and not a value that begins with a dash. */
static bool is_option_word(const reader *in, const char *word)
{
    if (strncmp(word, "--", 2) != 0) {
        return false;
    }
    char name[RK_SUGGEST_MOST_BYTES];
    size_t length = strcspn(word + 2, "=");
    if (length == 0 || length >= sizeof name) {
        return false;
    }
    memcpy(name, word + 2, length);
    name[length] = '\0';
    return rk_option_find(in->options->table, in->options->count, name) != NULL;
}

/* Stores the next word as the option's value. */
static rk_status store_next(reader *in, const rk_option *option, const char *word)
{
    const char *next = in->at < in->argc ? in->argv[in->at] : NULL;
    if (next == NULL || is_option_word(in, next)) {
        return rk_err_set(in->err, RK_SYNTAX, "option %s needs a value: %s %s; see '%s --help'",
                          word, word, rk_option_value_name(option), in->options->program);
    }
    in->at++;
    return store_argument(in, option, word, next);
}

/* "--name", "--name=value" or "--no-name". */
static rk_status parse_long(reader *in, const char *word)
{
    char name[RK_SUGGEST_MOST_BYTES];
    size_t length = strcspn(word + 2, "=");
    const char *value = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
    if (length >= sizeof name) {
        return unknown_option(in, word, NULL);
    }
    memcpy(name, word + 2, length);
    name[length] = '\0';
    const rk_options *options = in->options;
    const rk_option *option = rk_option_find(options->table, options->count, name);
    if (option == NULL && strncmp(name, "no-", 3) == 0 && value == NULL) {
        option = rk_option_find(options->table, options->count, name + 3);
        if (option != NULL && option->kind == RK_OPTION_FLAG) {
            return store_argument(in, option, word, "no");
        }
        option = NULL;
    }
    if (option == NULL) {
        char shown[RK_SUGGEST_MOST_BYTES + 2] = "--";
        memcpy(shown + 2, name, length + 1);
        return unknown_option(in, shown, rk_option_suggest(options->table, options->count, name));
    }
    char shown[RK_SUGGEST_MOST_BYTES + 2] = "--";
    memcpy(shown + 2, name, length + 1);
    if (value != NULL) {
        return store_argument(in, option, shown, value);
    }
    if (option->kind == RK_OPTION_FLAG) {
        return store_argument(in, option, shown, "yes");
    }
    return store_next(in, option, shown);
}

static const rk_option *find_letter(const rk_options *options, char letter)
{
    for (size_t i = 0; i < options->count; i++) {
        if (options->table[i].letter == letter) {
            return &options->table[i];
        }
    }
    return NULL;
}

/* "-a", "-abc" (flags), "-ovalue". */
static rk_status parse_short(reader *in, const char *word)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const char shown[3] = {'-', *at, '\0'};
        const rk_option *option = find_letter(in->options, *at);
        if (option == NULL) {
            return unknown_option(in, at == word + 1 && at[1] != '\0' ? word : shown, NULL);
        }
        if (option->kind != RK_OPTION_FLAG) {
            return at[1] != '\0' ? store_argument(in, option, shown, at + 1)
                                 : store_next(in, option, shown);
        }
        rk_status status = store_argument(in, option, shown, "yes");
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

static rk_status add_argument(rk_options *options, const char *word, rk_err *err)
{
    const char **arguments = push_text(options->arguments, options->argument_count, word);
    if (arguments == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "out of memory");
    }
    options->arguments = arguments;
    options->argument_count++;
    return RK_OK;
}

/* "-1.5" is a number and no option; letters of options are letters. */
static bool is_number(const char *word)
{
    const char *digit = word[1] == '.' ? word + 2 : word + 1;
    return *digit >= '0' && *digit <= '9';
}

rk_status rk_options_parse(rk_options *options, int argc, char *const *argv, rk_options_mode mode,
                           rk_err *err)
{
    reader in = {.options = options, .argc = argc, .argv = argv, .err = err};
    bool only_arguments = false;
    while (in.at < argc) {
        const char *word = argv[in.at++];
        rk_status status = RK_OK;
        if (only_arguments || word[0] != '-' || word[1] == '\0' || is_number(word)) {
            only_arguments = only_arguments || mode == RK_OPTIONS_STOP_AT_ARGUMENT;
            status = add_argument(options, word, err);
        } else if (strcmp(word, "--") == 0) {
            only_arguments = true;
        } else {
            status = word[1] == '-' ? parse_long(&in, word) : parse_short(&in, word);
        }
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

/* The state of an option that the program asks for by name. */
static const option_state *asked(const rk_options *options, const char *name, rk_option_kind kind)
{
    const rk_option *option = rk_option_find(options->table, options->count, name);
    assert(option != NULL);
    bool is_u64 = option->kind == RK_OPTION_U64 || option->kind == RK_OPTION_SIZE ||
                  option->kind == RK_OPTION_DURATION;
    assert(option->kind == kind || (kind == RK_OPTION_U64 && is_u64));
    (void)is_u64;
    (void)kind;
    return state_of(options, option);
}

bool rk_options_flag(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_FLAG)->value.flag;
}

int64_t rk_options_i64(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_I64)->value.i64;
}

uint64_t rk_options_u64(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_U64)->value.u64;
}

double rk_options_f64(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_F64)->value.f64;
}

const char *rk_options_text(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_STRING)->value.text;
}

unsigned rk_options_choice(const rk_options *options, const char *name)
{
    return asked(options, name, RK_OPTION_CHOICE)->value.choice;
}

size_t rk_options_list(const rk_options *options, const char *name, const char *const **out_items)
{
    const option_state *state = asked(options, name, RK_OPTION_LIST);
    *out_items = state->items;
    return state->item_count;
}

bool rk_options_given(const rk_options *options, const char *name)
{
    const rk_option *option = rk_option_find(options->table, options->count, name);
    assert(option != NULL);
    return state_of(options, option)->source != RK_OPTION_DEFAULT;
}
