/*
 * options_help.c: options as help text.
 */
#include "base/options.h"

#include <string.h>

#define HELP_COLUMNS 80
#define HELP_INDENT 28

const char *rk_option_value_name(const rk_option *option)
{
    if (option->value_name != NULL) {
        return option->value_name;
    }
    switch (option->kind) {
    case RK_OPTION_SIZE: return "SIZE";
    case RK_OPTION_DURATION: return "TIME";
    case RK_OPTION_CHOICE: return option->choices;
    case RK_OPTION_STRING:
    case RK_OPTION_LIST: return "TEXT";
    default: return option->unit != NULL ? option->unit : "N";
    }
}

/* Appends words, wrapped; column is where the line stands. */
static void append_wrapped(rk_str *out, const char *text, size_t *column)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (*column > HELP_INDENT && *column + 1 + length > HELP_COLUMNS) {
            rk_str_appendf(out, "\n%*s", HELP_INDENT, "");
            *column = HELP_INDENT;
        } else if (*column > HELP_INDENT) {
            rk_str_append_char(out, ' ');
            (*column)++;
        }
        rk_str_append_bytes(out, text, length);
        *column += length;
        text += length;
        text += strspn(text, " ");
    }
}

/* Bounds, default and whether it repeats, in parentheses; empty if there is nothing to say. */
static void describe(const rk_option *option, rk_str *out)
{
    const char *min = option->min_text;
    const char *max = option->max_text;
    if (min != NULL && max != NULL) {
        rk_str_appendf(out, "(from %s to %s", min, max);
    } else if (min != NULL) {
        rk_str_appendf(out, "(at least %s", min);
    } else if (max != NULL) {
        rk_str_appendf(out, "(at most %s", max);
    }
    const char *text = option->default_text;
    if (text != NULL && text[0] != '\0' && option->kind != RK_OPTION_FLAG) {
        rk_str_appendf(out, "%sdefault %s", out->length > 0 ? "; " : "(", text);
    }
    if (option->kind == RK_OPTION_LIST) {
        rk_str_append(out, "(may be repeated");
    }
    if (out->length > 0) {
        rk_str_append_char(out, ')');
    }
}

rk_status rk_options_help(const rk_option *table, size_t count, rk_str *out)
{
    rk_str note;
    rk_str_init(&note, 1024);
    for (size_t i = 0; i < count; i++) {
        const rk_option *option = &table[i];
        size_t start = out->length;
        if (option->letter != 0) {
            rk_str_appendf(out, "  -%c, --%s", option->letter, option->name);
        } else {
            rk_str_appendf(out, "      --%s", option->name);
        }
        if (option->kind != RK_OPTION_FLAG) {
            rk_str_appendf(out, " %s", rk_option_value_name(option));
        }
        size_t column = out->length - start;
        if (column + 2 > HELP_INDENT) {
            rk_str_append_char(out, '\n');
            column = 0;
        }
        rk_str_appendf(out, "%*s", (int)(HELP_INDENT - column), "");
        column = HELP_INDENT;
        append_wrapped(out, option->help, &column);
        rk_str_reset(&note);
        describe(option, &note);
        append_wrapped(out, rk_str_cstr(&note), &column);
        rk_str_append_char(out, '\n');
    }
    rk_str_finish(&note);
    return out->status; /* sticky: one look is enough */
}
