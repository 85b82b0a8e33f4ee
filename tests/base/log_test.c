/*
 * The log: levels, fields, the line's form, sinks, many threads.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct capture {
    rk_log_sink sink;
    rk_mutex lock;
    unsigned count;
    size_t length;
    char line[8192];
} capture;

static void write_capture(void *context, const rk_log_record *record)
{
    capture *into = context;
    rk_mutex_lock(&into->lock);
    into->count++;
    into->length = rk_log_format(record, into->line, sizeof into->line);
    rk_mutex_unlock(&into->lock);
}

static capture captured;
static rk_test_clock stopped;

static int set_up(void **state)
{
    (void)state;
    captured = (capture){.sink = {write_capture, &captured}, .lock = RK_MUTEX_INIT};
    rk_log_install(&captured.sink);
    rk_log_set_level(RK_LOG_INFO);
    /* 2026-01-31 12:00:00 UTC and a few microseconds */
    rk_test_clock_install(&stopped, 0, 1769860800ull * RK_NS_PER_S + 1234567);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rk_test_clock_remove(&stopped);
    rk_log_install(NULL);
    rk_log_set_level(RK_LOG_WARNING);
    rk_log_reset_components();
    return 0;
}

static void test_line(void **state)
{
    (void)state;
    rk_log_fields(RK_LOG_WARNING, "device", "link lost", RK_TEXT("peer", "cuda:1"),
                  RK_U64("retries", 3), RK_I64("offset", -4), RK_F64("load", 0.5),
                  RK_BOOL("fatal", false));
    assert_string_equal(captured.line,
                        "2026-01-31T12:00:00.001234Z warning device: link lost peer=cuda:1 "
                        "retries=3 offset=-4 load=0.5 fatal=false");
    assert_int_equal(captured.length, strlen(captured.line));
    rk_log(RK_LOG_INFO, "runtime", "took %d steps", 7);
    assert_string_equal(captured.line, "2026-01-31T12:00:00.001234Z info runtime: took 7 steps");
    assert_int_equal(captured.count, 2);
}

/* Nothing that a field holds can end the line or fake another field. */
static void test_line_is_one_line(void **state)
{
    (void)state;
    rk_log_fields(RK_LOG_ERROR, "net\n", "bad\r\ninput", RK_TEXT("a", "x y=\"z\"\\"),
                  RK_TEXT("b", ""), RK_TEXT("c", NULL), RK_TEXT("d", "\x1b[2J\xff"),
                  RK_TEXT("e", "\xc3\xa4"));
    assert_string_equal(strchr(captured.line, ' '),
                        " error net\\x0a: bad\\x0d\\x0ainput a=\"x y=\\\"z\\\"\\\\\" b=\"\" c=\"\" "
                        "d=\"\\x1b[2J\\xff\" e=\xc3\xa4");
}

static void test_cut(void **state)
{
    (void)state;
    const rk_log_record record = {.level = RK_LOG_INFO, .component = "c", .message = "message"};
    char whole[128];
    size_t length = rk_log_format(&record, whole, sizeof whole);
    for (size_t size = 0; size <= length + 1; size++) {
        char *line = malloc(size + 1);
        memset(line, '#', size + 1);
        assert_int_equal(rk_log_format(&record, line, size), length);
        if (size > 0) {
            assert_memory_equal(line, whole, size - 1);
            assert_int_equal(line[size - 1], '\0');
        }
        assert_int_equal(line[size], '#');
        free(line);
    }
    char large[3000];
    memset(large, 'm', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    rk_log(RK_LOG_INFO, "c", "%s", large);
    assert_int_equal(strlen(strchr(captured.line, 'm')), 1023);
}

static unsigned evaluated;

static uint64_t evaluate(void)
{
    return ++evaluated;
}

static void test_levels(void **state)
{
    (void)state;
    evaluated = 0;
    rk_log_fields(RK_LOG_DEBUG, "runtime", "unseen", RK_U64("n", evaluate()));
    assert_int_equal(captured.count, 0);
    assert_int_equal(evaluated, 0);
    assert_int_equal(rk_log_set_component_level("runtime", RK_LOG_DEBUG), RK_OK);
    rk_log_fields(RK_LOG_DEBUG, "runtime", "seen", RK_U64("n", evaluate()));
    assert_int_equal(captured.count, 1);
    assert_int_equal(evaluated, 1);
    assert_false(rk_log_enabled(RK_LOG_DEBUG, "device"));
    assert_false(rk_log_enabled(RK_LOG_TRACE, "runtime"));
    assert_int_equal(rk_log_set_component_level("runtime", RK_LOG_ERROR), RK_OK);
    assert_false(rk_log_enabled(RK_LOG_INFO, "runtime"));
    assert_true(rk_log_enabled(RK_LOG_ERROR, "runtime"));
    assert_true(rk_log_enabled(RK_LOG_INFO, "device"));
    rk_log_reset_components();
    assert_true(rk_log_enabled(RK_LOG_INFO, "runtime"));
    rk_log_set_level(RK_LOG_ERROR);
    assert_false(rk_log_enabled(RK_LOG_WARNING, "device"));
    assert_int_equal(rk_log_set_component_level("a name of more than 23 bytes", RK_LOG_INFO),
                     RK_LIMIT);
}

static void test_component_limit(void **state)
{
    (void)state;
    rk_status status = RK_OK;
    int i = 0;
    for (; i < 100 && status == RK_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i);
        status = rk_log_set_component_level(name, RK_LOG_TRACE);
    }
    assert_int_equal(status, RK_LIMIT);
    assert_true(i <= 33);
    assert_true(rk_log_enabled(RK_LOG_TRACE, "c0"));
    assert_false(rk_log_enabled(RK_LOG_TRACE, "other"));
}

static void test_level_names(void **state)
{
    (void)state;
    for (int i = 0; i < RK_LOG_LEVEL_COUNT; i++) {
        rk_log_level level = RK_LOG_ERROR;
        assert_int_equal(rk_log_level_parse(rk_log_level_name((rk_log_level)i), &level, NULL),
                         RK_OK);
        assert_int_equal(level, i);
    }
    rk_err err = RK_ERR_INIT;
    rk_log_level level;
    assert_int_equal(rk_log_level_parse("loud", &level, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "'loud'"));
    assert_string_equal(rk_log_level_name((rk_log_level)99), "unknown");
}

static void log_much(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        rk_log_fields(RK_LOG_INFO, "thread", "counted", RK_I64("i", i));
        if (i % 100 == 0) {
            (void)rk_log_set_component_level("thread", RK_LOG_INFO);
        }
    }
}

static void test_threads(void **state)
{
    (void)state;
    rk_thread threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rk_thread_start(&threads[i], "logger", log_much, NULL), RK_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        rk_thread_join(&threads[i]);
    }
    assert_int_equal(captured.count, 4 * 2000);
}

/* The default sink: one line on stderr. */
static void test_stderr(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    rk_log_install(NULL);
    rk_log(RK_LOG_ERROR, "base", "to stderr");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    char line[256] = {0};
    ssize_t length = read(ends[0], line, sizeof line - 1);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_true(length > 0);
    assert_string_equal(line, "2026-01-31T12:00:00.001234Z error base: to stderr\n");
}

int main(void)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_line),   LOG_TEST(test_line_is_one_line), LOG_TEST(test_cut),
        LOG_TEST(test_levels), LOG_TEST(test_level_names),      LOG_TEST(test_threads),
        LOG_TEST(test_stderr), LOG_TEST(test_component_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
