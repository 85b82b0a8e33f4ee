/*
 * value.h: numbers, sizes and durations as people write them, from command lines, job files and
 * HTTP.
 *
 * The whole text must be the value, apart from blanks at both ends and before a unit. Malformed
 * text is RK_SYNTAX, a value that does not fit the type RK_LIMIT; the sentence in err (may be NULL)
 * quotes the text and says what is expected. Nothing depends on the locale. Any thread, never
 * blocks.
 */
#ifndef RK_BASE_VALUE_H
#define RK_BASE_VALUE_H

#include "base/str.h"

/* Decimal, or hexadecimal after 0x; a sign in front only for i64. */
rk_status rk_value_parse_i64(const char *text, int64_t *out_value, rk_err *err);
rk_status rk_value_parse_u64(const char *text, uint64_t *out_value, rk_err *err);

/* Decimal with point and exponent. Infinity and NaN are refused. */
rk_status rk_value_parse_f64(const char *text, double *out_value, rk_err *err);

/* true, yes, on, 1; false, no, off, 0; in any case. */
rk_status rk_value_parse_bool(const char *text, bool *out_value, rk_err *err);

/*
 * Bytes: "64KiB", "1.5 GiB", "10MB", "512B". KiB MiB GiB TiB PiB EiB are powers of 1024 (IEC
 * 80000-13; Ki and so on will do), kB or KB MB GB TB PB EB powers of 1000. A number alone is
 * refused unless it is 0, since it is unclear what it counts. A fraction is rounded to the nearest
 * byte.
 */
rk_status rk_value_parse_size(const char *text, uint64_t *out_bytes, rk_err *err);

/*
 * Nanoseconds: "250ms", "1.5s", "1h30m". Units: ns, us (or the micro sign), ms, s, m or min, h, d
 * of 24 hours. A number alone is refused unless it is 0. A fraction is rounded to the nearest
 * nanosecond.
 */
rk_status rk_value_parse_duration(const char *text, uint64_t *out_ns, rk_err *err);

/* One of the words of "a|b|c": its index. The sentence lists them and suggests the nearest. */
rk_status rk_value_parse_choice(const char *text, const char *choices, unsigned *out_index,
                                rk_err *err);

/* The word with that index of "a|b|c", appended to out; nothing beyond the last. */
rk_status rk_value_append_choice(rk_str *out, const char *choices, unsigned index);

#define RK_VALUE_TEXT_BYTES 40

/* The texts below are written into out, NUL-terminated, and returned. */

/* The shortest decimal that reads back as the same number; "inf", "-inf", "nan". */
const char *rk_value_format_f64(double value, char out[RK_VALUE_TEXT_BYTES]);

/* For people, three digits at least: "1.50 GiB", "64 KiB", "512 B". */
const char *rk_value_format_size(uint64_t bytes, char out[RK_VALUE_TEXT_BYTES]);

/* For people, three digits at least: "1.50 ms", "250 ns", "12.3 s", "2 min 5 s", "3 h 20 min". */
const char *rk_value_format_duration(uint64_t ns, char out[RK_VALUE_TEXT_BYTES]);

/* Appends a JSON number, or null for infinity and NaN, which JSON lacks. */
rk_status rk_value_append_json_f64(rk_str *out, double value);

#define RK_VALUE_SHOWN_BYTES 80

/*
 * text for quoting in a sentence: control characters and broken UTF-8 become '?', and a long text
 * is cut with "...".
 */
const char *rk_value_shown(const char *text, char out[RK_VALUE_SHOWN_BYTES]);

#endif
