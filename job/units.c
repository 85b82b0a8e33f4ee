/*
 * units.c: the table of units and the parser.
 */
#include "job/units.h"

#include "base/suggest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct unit {
    rk_dimension dimension;
    const char *text;
    double factor, offset; /* base = value * factor + offset */
    bool other_spelling;   /* not listed */
} unit;

/* The first of each dimension is its base unit. */
static const unit units[] = {
    {RK_UNIT_NONE, "%", 0.01, 0.0, false},
    {RK_UNIT_LENGTH, "m", 1.0, 0.0, false},
    {RK_UNIT_LENGTH, "cm", 1e-2, 0.0, false},
    {RK_UNIT_LENGTH, "mm", 1e-3, 0.0, false},
    {RK_UNIT_LENGTH, "km", 1e3, 0.0, false},
    {RK_UNIT_LENGTH, "in", 0.0254, 0.0, false},
    {RK_UNIT_LENGTH, "ft", 0.3048, 0.0, false},
    {RK_UNIT_TIME, "s", 1.0, 0.0, false},
    {RK_UNIT_TIME, "ms", 1e-3, 0.0, false},
    {RK_UNIT_TIME, "us", 1e-6, 0.0, false},
    {RK_UNIT_TIME, "min", 60.0, 0.0, false},
    {RK_UNIT_FREQUENCY, "Hz", 1.0, 0.0, false},
    {RK_UNIT_FREQUENCY, "kHz", 1e3, 0.0, false},
    {RK_UNIT_FREQUENCY, "MHz", 1e6, 0.0, false},
    {RK_UNIT_SPEED, "m/s", 1.0, 0.0, false},
    {RK_UNIT_SPEED, "km/s", 1e3, 0.0, false},
    {RK_UNIT_SPEED, "km/h", 1.0 / 3.6, 0.0, false},
    {RK_UNIT_DENSITY, "kg/m3", 1.0, 0.0, false},
    {RK_UNIT_DENSITY, "kg/m^3", 1.0, 0.0, true},
    {RK_UNIT_DENSITY, "kg/m\xc2\xb3", 1.0, 0.0, true},
    {RK_UNIT_DENSITY, "g/cm3", 1e3, 0.0, false},
    {RK_UNIT_PRESSURE, "Pa", 1.0, 0.0, false},
    {RK_UNIT_PRESSURE, "mPa", 1e-3, 0.0, false},
    {RK_UNIT_PRESSURE, "kPa", 1e3, 0.0, false},
    {RK_UNIT_TEMPERATURE, "degC", 1.0, 0.0, false},
    {RK_UNIT_TEMPERATURE, "C", 1.0, 0.0, true},
    {RK_UNIT_TEMPERATURE,
     "\xc2\xb0"
     "C",
     1.0, 0.0, true},
    {RK_UNIT_TEMPERATURE, "K", 1.0, -273.15, false},
    {RK_UNIT_BYTES, "bytes", 1.0, 0.0, false},
    {RK_UNIT_BYTES, "B", 1.0, 0.0, true},
    {RK_UNIT_BYTES, "KiB", 1024.0, 0.0, false},
    {RK_UNIT_BYTES, "MiB", 1048576.0, 0.0, false},
    {RK_UNIT_BYTES, "GiB", 1073741824.0, 0.0, false},
    {RK_UNIT_BYTES, "kB", 1e3, 0.0, false},
    {RK_UNIT_BYTES, "MB", 1e6, 0.0, false},
    {RK_UNIT_BYTES, "GB", 1e9, 0.0, false},
    {RK_UNIT_ENERGY_DENSITY, "J/m3", 1.0, 0.0, false},
    {RK_UNIT_LEVEL, "dB", 1.0, 0.0, false},
    {RK_UNIT_MASS, "kg", 1.0, 0.0, false},
    {RK_UNIT_MASS, "g", 1e-3, 0.0, false},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const char *const names[RK_UNIT_DIMENSIONS] = {
    "pure number", "length",          "time",           "frequency", "speed", "density", "pressure",
    "temperature", "number of bytes", "energy density", "level",     "mass"};

const char *rk_dimension_name(rk_dimension dimension)
{
    return dimension < RK_UNIT_DIMENSIONS ? names[dimension] : "quantity";
}

const char *rk_dimension_unit(rk_dimension dimension)
{
    for (size_t i = 0; i < UNIT_COUNT && dimension != RK_UNIT_NONE; i++) {
        if (units[i].dimension == dimension) {
            return units[i].text;
        }
    }
    return "";
}

void rk_dimension_units(rk_dimension dimension, char *out_text, size_t size)
{
    size_t length = 0;
    out_text[0] = 0;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (units[i].dimension == dimension && !units[i].other_spelling && length < size) {
            int added = snprintf(out_text + length, size - length, "%s%s", length ? ", " : "",
                                 units[i].text);
            length += added > 0 ? (size_t)added : 0;
        }
    }
}

/* The length of a decimal number at the start of text, 0 if there is none: no inf, nan, hex. */
static size_t number_length(const char *text)
{
    size_t i = text[0] == '+' || text[0] == '-';
    size_t digits = 0;
    for (; isdigit((unsigned char)text[i]); i++) {
        digits++;
    }
    if (text[i] == '.') {
        for (i++; isdigit((unsigned char)text[i]); i++) {
            digits++;
        }
    }
    if (digits == 0) {
        return 0;
    }
    size_t e = i;
    if (text[e] == 'e' || text[e] == 'E') {
        e++;
        e += text[e] == '+' || text[e] == '-';
        if (isdigit((unsigned char)text[e])) {
            while (isdigit((unsigned char)text[e])) {
                e++;
            }
            i = e;
        }
    }
    return i;
}

static rk_status unknown_unit(const char *text, const char *word, rk_dimension dimension,
                              rk_err *err)
{
    char fitting[96];
    rk_dimension_units(dimension, fitting, sizeof(fitting));
    const char *candidates[UNIT_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(units[i].text, word) == 0) {
            return rk_err_set(err, RK_INVALID, "'%.60s': %s is a unit of %s, but this is a %s (%s)",
                              text, word, names[units[i].dimension], names[dimension], fitting);
        }
        if (units[i].dimension == dimension) {
            candidates[count++] = units[i].text;
        }
    }
    const char *best = rk_suggest(word, candidates, count);
    return rk_err_set(err, RK_INVALID, "'%.60s': there is no unit '%.20s'; this is a %s (%s)%s%s%s",
                      text, word, names[dimension], fitting, best ? "; did you mean '" : "",
                      best ? best : "", best ? "'?" : "");
}

rk_status rk_unit_parse(const char *text, rk_dimension dimension, double *out_value, rk_err *err)
{
    const char *begin = text;
    while (*begin == ' ' || *begin == '\t') {
        begin++;
    }
    size_t length = number_length(begin);
    if (length == 0) {
        return rk_err_set(err, RK_SYNTAX, "'%.60s' is not a number; a %s is expected%s%s", text,
                          names[dimension], dimension == RK_UNIT_NONE ? "" : ", for example 1 ",
                          rk_dimension_unit(dimension));
    }
    char digits[64];
    if (length >= sizeof(digits)) {
        return rk_err_set(err, RK_SYNTAX, "'%.60s': the number has more than %zu digits", text,
                          sizeof(digits) - 1);
    }
    memcpy(digits, begin, length);
    digits[length] = 0;
    double value = strtod(digits, NULL);
    const char *word = begin + length;
    while (*word == ' ' || *word == '\t') {
        word++;
    }
    size_t word_length = strlen(word);
    while (word_length > 0 && (word[word_length - 1] == ' ' || word[word_length - 1] == '\t')) {
        word_length--;
    }
    char unit_text[32];
    snprintf(unit_text, sizeof(unit_text), "%.*s", (int)(word_length < 31 ? word_length : 31),
             word);
    const unit *found = NULL;
    for (size_t i = 0; i < UNIT_COUNT && unit_text[0]; i++) {
        if (units[i].dimension == dimension && strcmp(units[i].text, unit_text) == 0) {
            found = &units[i];
        }
    }
    if (unit_text[0] && !found) {
        return unknown_unit(text, unit_text, dimension, err);
    }
    if (found) {
        value = value * found->factor + found->offset;
    }
    if (!(fabs(value) <= 1e30)) {
        return rk_err_set(err, RK_INVALID, "'%.60s' is too large a number", text);
    }
    *out_value = value;
    return RK_OK;
}
