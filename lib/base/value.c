/*
 * value.c: numbers, sizes, durations and choices from text.
 */
#include "base/value.h"

#include "base/compiler.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_NUMBER_BYTES 400 /* the longest exact decimal of a double has some 340 */
#define MOST_FRACTION_DIGITS 9
#define MOST_CHOICES 32

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text)) {
        text++;
    }
    return text;
}

const char *rk_value_shown(const char *text, char out[RK_VALUE_SHOWN_BYTES])
{
    size_t length = strnlen(text, RK_VALUE_SHOWN_BYTES + 4);
    size_t most = RK_VALUE_SHOWN_BYTES - sizeof "...";
    size_t used = 0;
    size_t at = 0;
    while (at < length) {
        size_t step = rk_utf8_length(text + at, length - at);
        unsigned char byte = (unsigned char)text[at];
        bool bad = step == 0 || byte < 0x20 || byte == 0x7f;
        step = bad ? 1 : step;
        if (used + step > most) {
            memcpy(out + used, "...", sizeof "...");
            return out;
        }
        if (bad) {
            out[used] = '?';
        } else {
            memcpy(out + used, text + at, step);
        }
        used += step;
        at += step;
    }
    out[used] = '\0';
    return out;
}

static rk_status syntax(rk_err *err, const char *text, const char *expected)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    return rk_err_set(err, RK_SYNTAX, "'%s' is not %s", rk_value_shown(text, shown), expected);
}

static rk_status too_large(rk_err *err, const char *text, const char *limit)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    return rk_err_set(err, RK_LIMIT, "'%s' is out of range: %s", rk_value_shown(text, shown),
                      limit);
}

static int digit_of(char character, unsigned base)
{
    int value = is_digit(character)                    ? character - '0'
                : character >= 'a' && character <= 'f' ? character - 'a' + 10
                : character >= 'A' && character <= 'F' ? character - 'A' + 10
                                                       : 99;
    return value < (int)base ? value : -1;
}

/* Reads digits at *at, which moves behind them. RK_SYNTAX if there are none, RK_LIMIT on overflow.
 */
static rk_status read_digits(const char **at, unsigned base, uint64_t *out_value)
{
    uint64_t value = 0;
    bool fits = true;
    const char *start = *at;
    for (int digit; (digit = digit_of(**at, base)) >= 0; (*at)++) {
        fits =
            fits && rk_size_mul(value, base, &value) && rk_size_add(value, (uint64_t)digit, &value);
    }
    *out_value = value;
    return *at == start ? RK_SYNTAX : fits ? RK_OK : RK_LIMIT;
}

/* The digits of a whole number, with or without 0x, up to the end of the text but for blanks. */
static rk_status read_whole(const char *at, uint64_t *out_value)
{
    unsigned base = 10;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    rk_status status = read_digits(&at, base, out_value);
    return *skip_blanks(at) != '\0' ? RK_SYNTAX : status;
}

rk_status rk_value_parse_u64(const char *text, uint64_t *out_value, rk_err *err)
{
    uint64_t value;
    rk_status status = read_whole(skip_blanks(text), &value);
    if (status == RK_SYNTAX) {
        return syntax(err, text, "a whole number of 0 or more");
    }
    if (status != RK_OK) {
        return too_large(err, text, "the largest number is 18446744073709551615");
    }
    *out_value = value;
    return RK_OK;
}

rk_status rk_value_parse_i64(const char *text, int64_t *out_value, rk_err *err)
{
    const char *at = skip_blanks(text);
    bool negative = *at == '-';
    at += *at == '-' || *at == '+';
    uint64_t value;
    rk_status status = read_whole(at, &value);
    if (status == RK_SYNTAX) {
        return syntax(err, text, "a whole number");
    }
    uint64_t most = (uint64_t)INT64_MAX + negative;
    if (status != RK_OK || value > most) {
        return too_large(err, text, "numbers go from -9223372036854775808 to 9223372036854775807");
    }
    /* -2^63 has no positive twin: negate as unsigned. */
    *out_value = (int64_t)(negative ? 0 - value : value);
    return RK_OK;
}

static locale_t plain_locale;
static pthread_once_t plain_locale_once = PTHREAD_ONCE_INIT;

static void make_plain_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The one spelling that strtod takes and we do: digits, point, exponent. */
static bool is_decimal(const char *at, const char *end)
{
    bool any = false;
    for (; at < end; at++) {
        any = any || is_digit(*at);
        if (!is_digit(*at) && strchr("+-.eE", *at) == NULL) {
            return false;
        }
    }
    return any;
}

rk_status rk_value_parse_f64(const char *text, double *out_value, rk_err *err)
{
    (void)pthread_once(&plain_locale_once, make_plain_locale); /* cannot fail */
    const char *at = skip_blanks(text);
    if (plain_locale == (locale_t)0) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot read a number: out of memory");
    }
    char *end = NULL;
    double value = strtod_l(at, &end, plain_locale);
    if (end == at || end - at > MOST_NUMBER_BYTES || !is_decimal(at, end) ||
        *skip_blanks(end) != '\0') {
        return syntax(err, text, "a number");
    }
    if (!isfinite(value)) {
        return too_large(err, text, "the largest number is about 1.8e308");
    }
    *out_value = value;
    return RK_OK;
}

rk_status rk_value_parse_bool(const char *text, bool *out_value, rk_err *err)
{
    static const char *const words[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};
    for (size_t i = 0; i < RK_COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out_value = i < RK_COUNT_OF(words) / 2;
            return RK_OK;
        }
    }
    return syntax(err, text, "true or false");
}

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

static const unit size_units[] = {
    {"B", 1},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"PiB", 1ull << 50},
    {"EiB", 1ull << 60},
    {"Ki", 1ull << 10},
    {"Mi", 1ull << 20},
    {"Gi", 1ull << 30},
    {"Ti", 1ull << 40},
    {"Pi", 1ull << 50},
    {"Ei", 1ull << 60},
    {"kB", 1000ull},
    {"KB", 1000ull},
    {"MB", 1000000ull},
    {"GB", 1000000000ull},
    {"TB", 1000000000000ull},
    {"PB", 1000000000000000ull},
    {"EB", 1000000000000000000ull},
};

/* Both micro signs of Unicode: U+00B5 and the Greek letter U+03BC. */
static const unit duration_units[] = {
    {"ns", 1},
    {"us", 1000ull},
    {"\xc2\xb5s", 1000ull},
    {"\xce\xbcs", 1000ull},
    {"ms", 1000000ull},
    {"s", 1000000000ull},
    {"m", 60000000000ull},
    {"min", 60000000000ull},
    {"h", 3600000000000ull},
    {"d", 86400000000000ull},
};

/* The unit's name at *at, which moves behind it; NULL for a word that is none. */
static const unit *read_unit(const char **at, const unit *units, size_t count)
{
    const char *end = *at;
    while (*end != '\0' && !is_blank(*end) && !is_digit(*end)) {
        end++;
    }
    size_t length = (size_t)(end - *at);
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && memcmp(units[i].name, *at, length) == 0) {
            *at = end;
            return &units[i];
        }
    }
    return NULL;
}

/*
 * One number with a unit at *at, which moves behind it: whole * factor, and the fraction of at most
 * nine digits rounded to the nearest.
 */
static rk_status read_quantity(const char **at, const unit *units, size_t count,
                               uint64_t *out_value)
{
    uint64_t whole;
    uint64_t fraction = 0;
    uint64_t power = 1;
    rk_status status = read_digits(at, 10, &whole);
    if (status == RK_OK && **at == '.') {
        const char *digits = ++*at;
        status = read_digits(at, 10, &fraction);
        if (status != RK_OK || *at - digits > MOST_FRACTION_DIGITS) {
            return RK_SYNTAX;
        }
        for (; digits < *at; digits++) {
            power *= 10;
        }
    }
    if (status == RK_SYNTAX) {
        return RK_SYNTAX;
    }
    *at = skip_blanks(*at);
    if (**at == '\0' && status == RK_OK && whole == 0 && fraction == 0) {
        *out_value = 0; /* zero needs no unit */
        return RK_OK;
    }
    const unit *found = read_unit(at, units, count);
    if (found == NULL) {
        return RK_SYNTAX;
    }
    uint64_t value;
    if (status != RK_OK || !rk_size_mul(whole, found->factor, &value)) {
        return RK_LIMIT;
    }
    /* factor * fraction / power, split so that no product exceeds 64 bits: power <= 10^9. */
    uint64_t rest = found->factor % power * fraction;
    uint64_t part = found->factor / power * fraction + (rest + power / 2) / power;
    return rk_size_add(value, part, out_value) ? RK_OK : RK_LIMIT;
}

rk_status rk_value_parse_size(const char *text, uint64_t *out_bytes, rk_err *err)
{
    const char *at = skip_blanks(text);
    uint64_t value;
    rk_status status = read_quantity(&at, size_units, RK_COUNT_OF(size_units), &value);
    if (status == RK_SYNTAX || *skip_blanks(at) != '\0') {
        return syntax(err, text,
                      "a size: write a number and a unit, for example 64KiB (1024), 10MB (1000) "
                      "or 512B");
    }
    if (status != RK_OK) {
        return too_large(err, text, "the largest size is just below 16EiB");
    }
    *out_bytes = value;
    return RK_OK;
}

rk_status rk_value_parse_duration(const char *text, uint64_t *out_ns, rk_err *err)
{
    const char *at = skip_blanks(text);
    uint64_t total = 0;
    rk_status status = RK_OK;
    do {
        uint64_t value = 0;
        rk_status read = read_quantity(&at, duration_units, RK_COUNT_OF(duration_units), &value);
        if (read == RK_SYNTAX) {
            return syntax(err, text,
                          "a duration: write a number and a unit, for example 250ms, 1.5s, 10us "
                          "or 1h30m");
        }
        if (read != RK_OK || !rk_size_add(total, value, &total)) {
            status = RK_LIMIT;
        }
        at = skip_blanks(at);
    } while (*at != '\0');
    if (status != RK_OK) {
        return too_large(err, text, "the longest duration is about 584 years");
    }
    *out_ns = total;
    return RK_OK;
}

/* The next word of a choices text, which moves behind its bar; false at the end. */
static bool next_choice(const char **choices, const char **out_word, size_t *out_length)
{
    if (*choices == NULL) {
        return false;
    }
    const char *bar = strchr(*choices, '|');
    *out_word = *choices;
    *out_length = bar == NULL ? strlen(*choices) : (size_t)(bar - *choices);
    *choices = bar == NULL ? NULL : bar + 1;
    return true;
}

rk_status rk_value_parse_choice(const char *text, const char *choices, unsigned *out_index,
                                rk_err *err)
{
    char copies[MOST_CHOICES][RK_SUGGEST_MOST_BYTES];
    const char *words[MOST_CHOICES];
    const char *rest = choices;
    const char *word;
    size_t length;
    unsigned index = 0;
    unsigned count = 0;
    for (; next_choice(&rest, &word, &length); index++) {
        if (strlen(text) == length && memcmp(text, word, length) == 0) {
            *out_index = index;
            return RK_OK;
        }
        if (count < MOST_CHOICES && length < sizeof copies[0]) {
            (void)snprintf(copies[count], sizeof copies[0], "%.*s", (int)length, word); /* fits */
            words[count] = copies[count];
            count++;
        }
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    rk_value_shown(text, shown);
    const char *near = rk_suggest(text, words, count);
    if (near != NULL) {
        return rk_err_set(err, RK_SYNTAX, "'%s' is not one of %s; did you mean '%s'?", shown,
                          choices, near);
    }
    return rk_err_set(err, RK_SYNTAX, "'%s' is not one of %s", shown, choices);
}

rk_status rk_value_append_choice(rk_str *out, const char *choices, unsigned index)
{
    const char *word;
    size_t length;
    for (unsigned i = 0; next_choice(&choices, &word, &length); i++) {
        if (i == index) {
            return rk_str_append_bytes(out, word, length);
        }
    }
    return out->status;
}
