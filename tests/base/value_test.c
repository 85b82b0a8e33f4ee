/*
 * Values from text and back; suggestions.
 */
#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef rk_status (*parse_u64_fn)(const char *text, uint64_t *out_value, rk_err *err);

typedef struct number_case {
    const char *text;
    rk_status status;
    uint64_t value;
} number_case;

static void check(parse_u64_fn parse, const number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        rk_err err = RK_ERR_INIT;
        rk_status status = parse(cases[i].text, &value, &err);
        if (status != cases[i].status || (status == RK_OK && value != cases[i].value)) {
            fail_msg("'%s': %s, %llu", cases[i].text, rk_status_name(status),
                     (unsigned long long)value);
        }
        if (status != RK_OK) {
            assert_int_equal(value, 4711); /* untouched */
            assert_int_equal(err.code, status);
            assert_true(err.text[0] == '\'');
        }
    }
}

static void test_u64(void **state)
{
    (void)state;
    static const number_case cases[] = {
        {"0", RK_OK, 0},
        {" 42 ", RK_OK, 42},
        {"007", RK_OK, 7},
        {"0x1fF", RK_OK, 511},
        {"18446744073709551615", RK_OK, UINT64_MAX},
        {"0xffffffffffffffff", RK_OK, UINT64_MAX},
        {"18446744073709551616", RK_LIMIT, 0},
        {"0x10000000000000000", RK_LIMIT, 0},
        {"99999999999999999999999999999999", RK_LIMIT, 0},
        {"99999999999999999999999999999999x", RK_SYNTAX, 0},
        {"", RK_SYNTAX, 0},
        {" ", RK_SYNTAX, 0},
        {"-1", RK_SYNTAX, 0},
        {"+1", RK_SYNTAX, 0},
        {"1 2", RK_SYNTAX, 0},
        {"0x", RK_SYNTAX, 0},
        {"1e3", RK_SYNTAX, 0},
        {"1.0", RK_SYNTAX, 0},
        {"ten", RK_SYNTAX, 0},
    };
    check(rk_value_parse_u64, cases, RK_COUNT_OF(cases));
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        rk_status status;
        int64_t value;
    } cases[] = {
        {"0", RK_OK, 0},
        {"-0", RK_OK, 0},
        {"+5", RK_OK, 5},
        {"-5", RK_OK, -5},
        {"-0x10", RK_OK, -16},
        {"9223372036854775807", RK_OK, INT64_MAX},
        {"-9223372036854775808", RK_OK, INT64_MIN},
        {"9223372036854775808", RK_LIMIT, 0},
        {"-9223372036854775809", RK_LIMIT, 0},
        {"--5", RK_SYNTAX, 0},
        {"-", RK_SYNTAX, 0},
        {"- 5", RK_SYNTAX, 0},
        {"", RK_SYNTAX, 0},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        int64_t value = 4711;
        assert_int_equal(rk_value_parse_i64(cases[i].text, &value, NULL), cases[i].status);
        assert_true(value == (cases[i].status == RK_OK ? cases[i].value : 4711));
    }
}

static void test_size(void **state)
{
    (void)state;
    static const number_case cases[] = {
        {"0", RK_OK, 0},
        {"0B", RK_OK, 0},
        {"512B", RK_OK, 512},
        {"64KiB", RK_OK, 65536},
        {"64Ki", RK_OK, 65536},
        {" 64 KiB ", RK_OK, 65536},
        {"1.5GiB", RK_OK, 1610612736},
        {"0.5KiB", RK_OK, 512},
        {"10kB", RK_OK, 10000},
        {"10KB", RK_OK, 10000},
        {"10MB", RK_OK, 10000000},
        {"0.1TiB", RK_OK, 109951162778}, /* ...777.6, rounded */
        {"0.999999999EiB", RK_OK, 1152921503453925471},
        {"15.999999999EiB", RK_OK, 18446744072556630111u},
        {"16EiB", RK_LIMIT, 0},
        {"15.9999999999EiB", RK_SYNTAX, 0}, /* more than nine digits */
        {"18446744073709551615B", RK_OK, UINT64_MAX},
        {"18446744073709551616B", RK_LIMIT, 0},
        {"18446744073709551615.5B", RK_LIMIT, 0},
        {"99999999999999999999 GiB", RK_LIMIT, 0},
        {"5", RK_SYNTAX, 0},
        {"5K", RK_SYNTAX, 0},
        {"5M", RK_SYNTAX, 0},
        {"5kib", RK_SYNTAX, 0},
        {"-5B", RK_SYNTAX, 0},
        {".5B", RK_SYNTAX, 0},
        {"5.B", RK_SYNTAX, 0},
        {"5B5", RK_SYNTAX, 0},
        {"5 B B", RK_SYNTAX, 0},
        {"KiB", RK_SYNTAX, 0},
        {"", RK_SYNTAX, 0},
    };
    check(rk_value_parse_size, cases, RK_COUNT_OF(cases));
    rk_err err = RK_ERR_INIT;
    uint64_t value;
    assert_int_equal(rk_value_parse_size("5K", &value, &err), RK_SYNTAX);
    assert_string_equal(err.text,
                        "'5K' is not a size: write a number and a unit, for example 64KiB "
                        "(1024), 10MB (1000) or 512B");
}

static void test_duration(void **state)
{
    (void)state;
    static const number_case cases[] = {
        {"0", RK_OK, 0},
        {"250ms", RK_OK, 250000000},
        {"1.5s", RK_OK, 1500000000},
        {"10us", RK_OK, 10000},
        {"10\xc2\xb5s", RK_OK, 10000},
        {"10\xce\xbcs", RK_OK, 10000},
        {"7 ns", RK_OK, 7},
        {"0.4ns", RK_OK, 0},
        {"0.5ns", RK_OK, 1},
        {"2m", RK_OK, 120000000000},
        {"2min", RK_OK, 120000000000},
        {"1h30m", RK_OK, 5400000000000},
        {"1h 30m 5s", RK_OK, 5405000000000},
        {"1d", RK_OK, 86400000000000},
        {"213503d", RK_OK, 18446659200000000000u},
        {"213504d", RK_LIMIT, 0},
        {"213503d 24h", RK_LIMIT, 0},
        {"99999999999999999999s", RK_LIMIT, 0},
        {"10", RK_SYNTAX, 0},
        {"10S", RK_SYNTAX, 0},
        {"1h30", RK_SYNTAX, 0},
        {"s", RK_SYNTAX, 0},
        {"-1s", RK_SYNTAX, 0},
        {"1h,30m", RK_SYNTAX, 0},
        {"", RK_SYNTAX, 0},
    };
    check(rk_value_parse_duration, cases, RK_COUNT_OF(cases));
}

static void test_f64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        rk_status status;
        double value;
    } cases[] = {
        {"0", RK_OK, 0},        {"-1.5", RK_OK, -1.5},
        {" 1e3 ", RK_OK, 1000}, {".5", RK_OK, 0.5},
        {"5.", RK_OK, 5},       {"1e-400", RK_OK, 0},
        {"1e400", RK_LIMIT, 0}, {"inf", RK_SYNTAX, 0},
        {"nan", RK_SYNTAX, 0},  {"0x10", RK_SYNTAX, 0},
        {"1,5", RK_SYNTAX, 0},  {"", RK_SYNTAX, 0},
        {"1 2", RK_SYNTAX, 0},  {"1.5m", RK_SYNTAX, 0},
        {"e5", RK_SYNTAX, 0},   {"infinity", RK_SYNTAX, 0},
        {"+2", RK_OK, 2},       {"--2", RK_SYNTAX, 0},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        double value = 4711;
        rk_status status = rk_value_parse_f64(cases[i].text, &value, NULL);
        if (status != cases[i].status ||
            value != (cases[i].status == RK_OK ? cases[i].value : 4711)) {
            fail_msg("'%s': %s, %g", cases[i].text, rk_status_name(status), value);
        }
    }
    char zeros[1000];
    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = '\0';
    double value;
    assert_int_equal(rk_value_parse_f64(zeros, &value, NULL), RK_SYNTAX);
}

static void test_bool_and_choice(void **state)
{
    (void)state;
    bool flag = false;
    assert_int_equal(rk_value_parse_bool("YES", &flag, NULL), RK_OK);
    assert_true(flag);
    assert_int_equal(rk_value_parse_bool("off", &flag, NULL), RK_OK);
    assert_false(flag);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_value_parse_bool("maybe", &flag, &err), RK_SYNTAX);
    assert_string_equal(err.text, "'maybe' is not true or false");
    unsigned index = 9;
    assert_int_equal(rk_value_parse_choice("cuda", "cpu|cuda|hip", &index, &err), RK_OK);
    assert_int_equal(index, 1);
    assert_int_equal(rk_value_parse_choice("hip", "cpu|cuda|hip", &index, &err), RK_OK);
    assert_int_equal(index, 2);
    assert_int_equal(rk_value_parse_choice("cdua", "cpu|cuda|hip", &index, &err), RK_SYNTAX);
    assert_string_equal(err.text, "'cdua' is not one of cpu|cuda|hip; did you mean 'cuda'?");
    assert_int_equal(rk_value_parse_choice("", "cpu|cuda|hip", &index, &err), RK_SYNTAX);
    assert_string_equal(err.text, "'' is not one of cpu|cuda|hip");
    assert_int_equal(rk_value_parse_choice("cpu|cuda", "cpu|cuda|hip", &index, &err), RK_SYNTAX);
    assert_int_equal(index, 2);
    rk_str word;
    rk_str_init(&word, 100);
    assert_int_equal(rk_value_append_choice(&word, "cpu|cuda|hip", 1), RK_OK);
    assert_int_equal(rk_value_append_choice(&word, "cpu|cuda|hip", 3), RK_OK);
    assert_string_equal(rk_str_cstr(&word), "cuda");
    rk_str_finish(&word);
}

static void test_shown(void **state)
{
    (void)state;
    char out[RK_VALUE_SHOWN_BYTES];
    assert_string_equal(rk_value_shown("plain \xc3\xa4", out), "plain \xc3\xa4");
    assert_string_equal(rk_value_shown("\x1b[2J\n\xff", out), "?[2J??");
    char text[300];
    for (size_t length = 0; length < sizeof text; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        rk_value_shown(text, out);
        assert_true(strlen(out) < RK_VALUE_SHOWN_BYTES);
        assert_int_equal(strstr(out, "...") != NULL, strcmp(out, text) != 0);
    }
    /* A character is never cut in two. */
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xf0\x9f\x8e\xb5", 5);
        }
        assert_null(strchr(rk_value_shown(text, out), '?'));
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static void test_f64_round_trip(void **state)
{
    (void)state;
    char out[RK_VALUE_TEXT_BYTES];
    assert_string_equal(rk_value_format_f64(0.1, out), "0.1");
    assert_string_equal(rk_value_format_f64(-2, out), "-2");
    assert_string_equal(rk_value_format_f64(1e300, out), "1e+300");
    assert_string_equal(rk_value_format_f64((double)INFINITY, out), "inf");
    assert_string_equal(rk_value_format_f64(-(double)INFINITY, out), "-inf");
    assert_string_equal(rk_value_format_f64((double)NAN, out), "nan");
    uint64_t random = 3;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        double again = 0;
        assert_int_equal(rk_value_parse_f64(rk_value_format_f64(value, out), &again, NULL), RK_OK);
        assert_memory_equal(&again, &value, sizeof value);
    }
    rk_str json;
    rk_str_init(&json, 100);
    assert_int_equal(rk_value_append_json_f64(&json, 0.25), RK_OK);
    assert_int_equal(rk_value_append_json_f64(&json, (double)NAN), RK_OK);
    assert_string_equal(rk_str_cstr(&json), "0.25null");
    rk_str_finish(&json);
}

/* Whatever locale is installed and writes a comma: the texts stay the same. */
static void test_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < RK_COUNT_OF(names); i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            char out[RK_VALUE_TEXT_BYTES];
            double value = 0;
            assert_string_equal(rk_value_format_f64(1.5, out), "1.5");
            assert_string_equal(rk_value_format_duration(1500000, out), "1.50 ms");
            assert_int_equal(rk_value_parse_f64("1.5", &value, NULL), RK_OK);
            assert_true(value == 1.5);
        }
    }
    assert_non_null(setlocale(LC_ALL, "C"));
}

static void test_for_people(void **state)
{
    (void)state;
    char out[RK_VALUE_TEXT_BYTES];
    static const struct {
        uint64_t value;
        const char *size;
        const char *duration;
    } cases[] = {
        {0, "0 B", "0 ns"},
        {999, "999 B", "999 ns"},
        {1024, "1 KiB", "1.02 us"},
        {1536, "1.50 KiB", "1.54 us"},
        {65536, "64 KiB", "65.5 us"},
        {1048575, "1024 KiB", "1.05 ms"},
        {150000000, "143 MiB", "150 ms"},
        {1610612736, "1.50 GiB", "1.61 s"},
        {125000000000, "116 GiB", "2 min 5 s"},
        {12000000000000, "10.9 TiB", "3 h 20 min"},
        {UINT64_MAX, "16.0 EiB", "5124095 h 34 min"},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        assert_string_equal(rk_value_format_size(cases[i].value, out), cases[i].size);
        assert_string_equal(rk_value_format_duration(cases[i].value, out), cases[i].duration);
    }
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(rk_edit_distance("", ""), 0);
    assert_int_equal(rk_edit_distance("abc", ""), 3);
    assert_int_equal(rk_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(rk_edit_distance("ouput", "output"), 1);
    assert_int_equal(rk_edit_distance("otuput", "output"), 1);
    assert_int_equal(rk_edit_distance("OUTPUT", "output"), 0);
    assert_int_equal(rk_edit_distance("ca", "abc"), 3);
    char text[RK_SUGGEST_MOST_BYTES + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(rk_edit_distance(text, "x"), SIZE_MAX);
    text[RK_SUGGEST_MOST_BYTES] = '\0';
    assert_int_equal(rk_edit_distance(text, ""), RK_SUGGEST_MOST_BYTES);
    assert_int_equal(rk_edit_distance(text, text), 0);
}

static void test_suggest(void **state)
{
    (void)state;
    static const char *const words[] = {"run", "build", NULL, "inspect", "kernels", "version"};
    size_t count = RK_COUNT_OF(words);
    assert_string_equal(rk_suggest("biuld", words, count), "build");
    assert_string_equal(rk_suggest("RUN", words, count), "run");
    assert_string_equal(rk_suggest("rn", words, count), "run");
    assert_string_equal(rk_suggest("kernel", words, count), "kernels");
    assert_string_equal(rk_suggest("ins", words, count), "inspect");
    assert_null(rk_suggest("xyz", words, count));
    assert_null(rk_suggest("", words, count));
    assert_null(rk_suggest("z", words, count));
    assert_null(rk_suggest("run", words, 0));
    char text[1000];
    memset(text, 'r', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_null(rk_suggest(text, words, count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),      cmocka_unit_test(test_i64),
        cmocka_unit_test(test_size),     cmocka_unit_test(test_duration),
        cmocka_unit_test(test_f64),      cmocka_unit_test(test_bool_and_choice),
        cmocka_unit_test(test_shown),    cmocka_unit_test(test_f64_round_trip),
        cmocka_unit_test(test_locale),   cmocka_unit_test(test_for_people),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_suggest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
