/*
 * Option tables: command lines, errors, sources of values, help.
 */
#include "base/compiler.h"
#include "base/options.h"
#include "base/test_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const rk_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = RK_OPTION_STRING,
     .value_name = "DIR",
     .default_text = "out",
     .help = "The folder for results, which is made when it is missing and otherwise kept."},
    {.name = "json", .letter = 'j', .kind = RK_OPTION_FLAG, .help = "Print one JSON object."},
    {.name = "progress",
     .letter = 'p',
     .kind = RK_OPTION_FLAG,
     .default_text = "yes",
     .help = "Show progress."},
    {.name = "ring-bytes",
     .kind = RK_OPTION_SIZE,
     .default_text = "64KiB",
     .min_text = "4KiB",
     .max_text = "1GiB",
     .help = "Size of a ring."},
    {.name = "timeout",
     .letter = 't',
     .kind = RK_OPTION_DURATION,
     .max_text = "1h",
     .help = "Give up after this time."},
    {.name = "rate",
     .letter = 'r',
     .kind = RK_OPTION_F64,
     .unit = "Hz",
     .default_text = "44100",
     .min_text = "1",
     .help = "Sample rate."},
    {.name = "steps", .letter = 'n', .kind = RK_OPTION_U64, .min_text = "1", .help = "Steps."},
    {.name = "offset",
     .kind = RK_OPTION_I64,
     .min_text = "-10",
     .max_text = "10",
     .help = "An offset."},
    {.name = "device",
     .letter = 'd',
     .kind = RK_OPTION_CHOICE,
     .choices = "cpu|cuda|hip",
     .default_text = "cpu",
     .help = "Where to run."},
    {.name = "set",
     .letter = 's',
     .kind = RK_OPTION_LIST,
     .value_name = "KEY=VALUE",
     .help = "Override a key of the job file."},
};

static rk_options options;
static rk_err err;

static int set_up(void **state)
{
    (void)state;
    err = (rk_err)RK_ERR_INIT;
    return rk_options_init(&options, "rk run", table, RK_COUNT_OF(table)) == RK_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rk_options_finish(&options);
    return 0;
}

static rk_status parse_mode(rk_options_mode mode, char *const *argv)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return rk_options_parse(&options, argc, argv, mode, &err);
}

/* A command line for this test. */
#define PARSE(...) parse_mode(RK_OPTIONS_ANYWHERE, (char *[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    (void)state;
    assert_string_equal(rk_options_text(&options, "output"), "out");
    assert_false(rk_options_flag(&options, "json"));
    assert_true(rk_options_flag(&options, "progress"));
    assert_int_equal(rk_options_u64(&options, "ring-bytes"), 65536);
    assert_int_equal(rk_options_u64(&options, "timeout"), 0);
    assert_true(rk_options_f64(&options, "rate") == 44100);
    assert_int_equal(rk_options_choice(&options, "device"), 0);
    const char *const *items;
    assert_int_equal(rk_options_list(&options, "set", &items), 0);
    assert_false(rk_options_given(&options, "output"));
    assert_int_equal(rk_options_parse(&options, 0, NULL, RK_OPTIONS_ANYWHERE, &err), RK_OK);
    assert_int_equal(options.argument_count, 0);
}

static void test_forms(void **state)
{
    (void)state;
    assert_int_equal(PARSE("room.yaml", "--output", "a", "--ring-bytes=1MiB", "-t250ms", "-r",
                           "48000 Hz", "-jn", "12", "--no-progress", "--offset", "-3", "--device",
                           "hip", "-s", "a=1", "--set=b=2", "-", "--", "--json", "-x"),
                     RK_OK);
    assert_string_equal(rk_options_text(&options, "output"), "a");
    assert_int_equal(rk_options_u64(&options, "ring-bytes"), 1 << 20);
    assert_int_equal(rk_options_u64(&options, "timeout"), 250000000);
    assert_true(rk_options_f64(&options, "rate") == 48000);
    assert_true(rk_options_flag(&options, "json"));
    assert_int_equal(rk_options_u64(&options, "steps"), 12);
    assert_false(rk_options_flag(&options, "progress"));
    assert_int_equal(rk_options_i64(&options, "offset"), -3);
    assert_int_equal(rk_options_choice(&options, "device"), 2);
    const char *const *items;
    assert_int_equal(rk_options_list(&options, "set", &items), 2);
    assert_string_equal(items[0], "a=1");
    assert_string_equal(items[1], "b=2");
    assert_int_equal(options.argument_count, 4);
    assert_string_equal(options.arguments[0], "room.yaml");
    assert_string_equal(options.arguments[1], "-");
    assert_string_equal(options.arguments[2], "--json");
    assert_string_equal(options.arguments[3], "-x");
    assert_true(rk_options_given(&options, "output"));
    /* The last one counts. */
    assert_int_equal(PARSE("-o", "b", "--output=", "--json=off"), RK_OK);
    assert_string_equal(rk_options_text(&options, "output"), "");
    assert_false(rk_options_flag(&options, "json"));
}

static void test_stops_at_argument(void **state)
{
    (void)state;
    char *words[] = {"--json", "run", "--unknown", "-o", NULL};
    assert_int_equal(parse_mode(RK_OPTIONS_STOP_AT_ARGUMENT, words), RK_OK);
    assert_true(rk_options_flag(&options, "json"));
    assert_int_equal(options.argument_count, 3);
    assert_string_equal(options.arguments[1], "--unknown");
}

static void test_negative_numbers_are_arguments(void **state)
{
    (void)state;
    assert_int_equal(PARSE("inject", "-1.5", "-.5e3", "--json", "-7"), RK_OK);
    assert_int_equal(options.argument_count, 4);
    assert_string_equal(options.arguments[1], "-1.5");
    assert_string_equal(options.arguments[2], "-.5e3");
    assert_string_equal(options.arguments[3], "-7");
    assert_true(rk_options_flag(&options, "json"));
}

#define CHECK_ERROR(expected_status, expected_text, ...)                                           \
    do {                                                                                           \
        assert_int_equal(PARSE(__VA_ARGS__), (expected_status));                                   \
        assert_string_equal(err.text, (expected_text));                                            \
        assert_int_equal(err.code, (expected_status));                                             \
    } while (0)

static void test_errors(void **state)
{
    (void)state;
    CHECK_ERROR(RK_NOT_FOUND, "unknown option --ouput; did you mean --output? See 'rk run --help'",
                "--ouput", "x");
    CHECK_ERROR(RK_NOT_FOUND, "unknown option --ouput; did you mean --output? See 'rk run --help'",
                "--ouput=x");
    CHECK_ERROR(RK_NOT_FOUND, "unknown option --xyzzy; see 'rk run --help'", "--xyzzy");
    CHECK_ERROR(RK_NOT_FOUND, "unknown option -q; see 'rk run --help'", "-q");
    CHECK_ERROR(RK_NOT_FOUND, "unknown option -q; see 'rk run --help'", "-jq");
    CHECK_ERROR(RK_NOT_FOUND,
                "unknown option --no-output; did you mean --output? See 'rk run "
                "--help'",
                "--no-output");
    CHECK_ERROR(RK_SYNTAX, "option --output needs a value: --output DIR; see 'rk run --help'",
                "--output");
    CHECK_ERROR(RK_SYNTAX, "option -o needs a value: -o DIR; see 'rk run --help'", "-o", "--json");
    CHECK_ERROR(RK_LIMIT, "--ring-bytes: '1KiB' is too small: the least is 4KiB", "--ring-bytes",
                "1KiB");
    CHECK_ERROR(RK_LIMIT, "--ring-bytes: '2GiB' is too large: the most is 1GiB",
                "--ring-bytes=2GiB");
    CHECK_ERROR(RK_LIMIT, "-r: '0' is too small: the least is 1 Hz", "-r", "0");
    CHECK_ERROR(RK_LIMIT, "--offset: '11' is too large: the most is 10", "--offset", "11");
    CHECK_ERROR(RK_LIMIT, "--timeout: '61m' is too large: the most is 1h", "--timeout", "61m");
    CHECK_ERROR(RK_SYNTAX, "-n: 'many' is not a whole number of 0 or more", "-n", "many");
    CHECK_ERROR(RK_SYNTAX, "--device: 'cud' is not one of cpu|cuda|hip; did you mean 'cuda'?",
                "--device", "cud");
    CHECK_ERROR(RK_SYNTAX, "--json: 'maybe' is not true or false", "--json=maybe");
    /* What failed has changed nothing. */
    assert_int_equal(rk_options_u64(&options, "ring-bytes"), 65536);
    assert_false(rk_options_given(&options, "device"));
    char word[5000] = "--";
    memset(word + 2, 'x', sizeof word - 3);
    assert_int_equal(PARSE(word), RK_NOT_FOUND);
    word[1] = 'x';
    assert_int_equal(PARSE(word), RK_NOT_FOUND);
}

static void test_sources(void **state)
{
    (void)state;
    const char *const *items;
    assert_int_equal(rk_options_set(&options, "output", "file", RK_OPTION_FILE, &err), RK_OK);
    assert_int_equal(rk_options_set(&options, "set", "f=1", RK_OPTION_FILE, &err), RK_OK);
    assert_int_equal(rk_options_set(&options, "set", "f=2", RK_OPTION_FILE, &err), RK_OK);
    assert_int_equal(rk_options_list(&options, "set", &items), 2);
    assert_string_equal(rk_options_text(&options, "output"), "file");
    assert_int_equal(PARSE("-o", "line", "-s", "l=1"), RK_OK);
    assert_int_equal(rk_options_list(&options, "set", &items), 1);
    assert_string_equal(items[0], "l=1");
    /* A file that is read later does not replace the command line, but is checked. */
    assert_int_equal(rk_options_set(&options, "output", "late", RK_OPTION_FILE, &err), RK_OK);
    assert_int_equal(rk_options_set(&options, "set", "late", RK_OPTION_FILE, &err), RK_OK);
    assert_string_equal(rk_options_text(&options, "output"), "line");
    assert_int_equal(rk_options_list(&options, "set", &items), 1);
    assert_int_equal(rk_options_set(&options, "rate", "fast", RK_OPTION_FILE, &err), RK_SYNTAX);
    assert_string_equal(err.text, "rate: 'fast' is not a number");
    assert_int_equal(rk_options_set(&options, "devices", "cpu", RK_OPTION_FILE, &err),
                     RK_NOT_FOUND);
    assert_string_equal(err.text, "unknown option 'devices'; did you mean 'device'?");
    assert_int_equal(rk_options_set(&options, "?", "cpu", RK_OPTION_FILE, &err), RK_NOT_FOUND);
    assert_string_equal(err.text, "unknown option '?'");
}

static void test_single_values(void **state)
{
    (void)state;
    const rk_option *rate = rk_option_find(table, RK_COUNT_OF(table), "rate");
    assert_non_null(rate);
    assert_null(rk_option_find(table, RK_COUNT_OF(table), "Rate"));
    rk_option_value value = {.f64 = -1};
    assert_int_equal(rk_option_parse(rate, "96000Hz", &value, &err), RK_OK);
    assert_true(value.f64 == 96000);
    assert_int_equal(rk_option_parse(rate, "Hz", &value, &err), RK_SYNTAX);
    assert_int_equal(rk_option_parse(rate, "96 kHz", &value, &err), RK_SYNTAX);
    assert_true(value.f64 == 96000);
    assert_string_equal(rk_option_suggest(table, RK_COUNT_OF(table), "tmieout"), "timeout");
}

static void test_help(void **state)
{
    (void)state;
    rk_str help;
    rk_str_init(&help, 10000);
    assert_int_equal(rk_options_help(table, RK_COUNT_OF(table), &help), RK_OK);
    assert_string_equal(
        rk_str_cstr(&help),
        "  -o, --output DIR          The folder for results, which is made when it is\n"
        "                            missing and otherwise kept. (default out)\n"
        "  -j, --json                Print one JSON object.\n"
        "  -p, --progress            Show progress.\n"
        "      --ring-bytes SIZE     Size of a ring. (from 4KiB to 1GiB; default 64KiB)\n"
        "  -t, --timeout TIME        Give up after this time. (at most 1h)\n"
        "  -r, --rate Hz             Sample rate. (at least 1; default 44100)\n"
        "  -n, --steps N             Steps. (at least 1)\n"
        "      --offset N            An offset. (from -10 to 10)\n"
        "  -d, --device cpu|cuda|hip\n"
        "                            Where to run. (default cpu)\n"
        "  -s, --set KEY=VALUE       Override a key of the job file. (may be repeated)\n");
    rk_str_finish(&help);
    rk_str_init(&help, 50);
    assert_int_equal(rk_options_help(table, RK_COUNT_OF(table), &help), RK_LIMIT);
    rk_str_finish(&help);
}

static void test_no_memory(void **state)
{
    (void)state;
    rk_options other;
    rk_test_memory_fail(1);
    assert_int_equal(rk_options_init(&other, "rk", table, RK_COUNT_OF(table)), RK_NO_MEMORY);
    rk_options_finish(&other);
    rk_test_memory_fail(1);
    assert_int_equal(PARSE("argument"), RK_NO_MEMORY);
    rk_test_memory_fail(1);
    assert_int_equal(PARSE("--set", "a=1"), RK_NO_MEMORY);
    assert_string_equal(err.text, "--set: out of memory");
    rk_test_memory_fail(0);
    assert_int_equal(PARSE("--set", "a=1"), RK_OK);
}

int main(void)
{
#define OPTIONS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OPTIONS_TEST(test_defaults), OPTIONS_TEST(test_forms),
        OPTIONS_TEST(test_errors),   OPTIONS_TEST(test_stops_at_argument),
        OPTIONS_TEST(test_errors),   OPTIONS_TEST(test_negative_numbers_are_arguments),
        OPTIONS_TEST(test_sources),  OPTIONS_TEST(test_single_values),
        OPTIONS_TEST(test_help),     OPTIONS_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
