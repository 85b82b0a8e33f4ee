/*
 * value_format.c: numbers, sizes and durations as text.
 */
#include "base/value.h"

#include "base/clock.h"
#include "base/compiler.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf and strtod follow the locale: whatever stands for the decimal point becomes one. */
static void use_point(char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("+-0123456789e", *text) == NULL) {
            size_t length = 1;
            while (text[length] != '\0' && strchr("+-0123456789e", text[length]) == NULL) {
                length++;
            }
            *text = '.';
            memmove(text + 1, text + length, strlen(text + length) + 1);
            return;
        }
    }
}

const char *rk_value_format_f64(double value, char out[RK_VALUE_TEXT_BYTES])
{
    if (!isfinite(value)) {
        const char *text = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
        memcpy(out, text, strlen(text) + 1);
        return out;
    }
    /* 15 digits are always faithful to the text, 17 to the number (IEEE 754-2019, 5.12.2). */
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%.*g", digits, value); /* at most 24 bytes */
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    use_point(out);
    return out;
}

/* value / factor with three digits or more: 1.50, 15.0, 150, 1500. */
static void three_digits(double value, const char *unit, char out[RK_VALUE_TEXT_BYTES])
{
    int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    char number[RK_VALUE_TEXT_BYTES];
    (void)snprintf(number, sizeof number, "%.*f", decimals, value); /* below 10^20: it fits */
    use_point(number);
    (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%.24s %s", number, unit);
}

const char *rk_value_format_size(uint64_t bytes, char out[RK_VALUE_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned power = 0;
    while (power + 1 < RK_COUNT_OF(units) && bytes >> (10 * (power + 1)) != 0) {
        power++;
    }
    if ((bytes & ((1ull << (10 * power)) - 1)) == 0) {
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%" PRIu64 " %s", bytes >> (10 * power),
                       units[power]);
        return out;
    }
    three_digits((double)bytes / (double)(1ull << (10 * power)), units[power], out);
    return out;
}

const char *rk_value_format_duration(uint64_t ns, char out[RK_VALUE_TEXT_BYTES])
{
    if (ns < RK_NS_PER_US) {
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%" PRIu64 " ns", ns);
    } else if (ns < RK_NS_PER_MS) {
        three_digits((double)ns / 1e3, "us", out);
    } else if (ns < RK_NS_PER_S) {
        three_digits((double)ns / 1e6, "ms", out);
    } else if (ns < 60ull * RK_NS_PER_S) {
        three_digits((double)ns / 1e9, "s", out);
    } else {
        uint64_t seconds = ns / RK_NS_PER_S;
        if (seconds < 3600) {
            (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%" PRIu64 " min %" PRIu64 " s", seconds / 60,
                           seconds % 60);
        } else {
            (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%" PRIu64 " h %" PRIu64 " min",
                           seconds / 3600, seconds % 3600 / 60);
        }
    }
    return out;
}

rk_status rk_value_append_json_f64(rk_str *out, double value)
{
    char text[RK_VALUE_TEXT_BYTES];
    return rk_str_append(out, isfinite(value) ? rk_value_format_f64(value, text) : "null");
}
