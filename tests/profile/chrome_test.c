/*
 * chrome_test.c: the file that Perfetto reads: every begin has its end, times never go back, and
 * limits hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile/chrome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static rk_chrome start(uint64_t limit_bytes)
{
    rk_chrome chrome;
    rk_err err = RK_ERR_INIT;
    (void)snprintf(path, sizeof path, "/tmp/rk-chrome-%ld.json", (long)getpid());
    if (rk_chrome_open(&chrome, path, 1000, limit_bytes, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return chrome;
}

/* The file's text; the caller frees it. */
static char *finish(rk_chrome *chrome)
{
    rk_err err = RK_ERR_INIT;
    char *text = NULL;
    size_t length;
    if (rk_chrome_commit(chrome, &err) != RK_OK ||
        rk_file_read_all(path, 64u << 20, &text, &length, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    (void)unlink(path);
    return text;
}

static size_t count_of(const char *text, const char *what)
{
    size_t length = strlen(what);
    size_t count = 0;
    for (; *text != '\0'; text++) { /* strstr under a sanitizer looks at the whole rest each time */
        count += *text == *what && strncmp(text, what, length) == 0 ? 1u : 0u;
    }
    return count;
}

static const rk_chrome_args plain = {.category = "test", .color = UINT32_MAX};

static void writes_what_is_said(void **state)
{
    (void)state;
    rk_chrome chrome = start(1u << 20);
    rk_chrome_track track = {.pid = 7, .tid = 1};
    rk_chrome_name_process(&chrome, 7, "kernel \"k\"", 3);
    rk_chrome_name_track(&chrome, &track, "k");
    const rk_chrome_args args = {.category = "step",
                                 .has_step = true,
                                 .step = 5,
                                 .has_value = true,
                                 .value = 6,
                                 .color = 255};
    rk_chrome_begin(&chrome, &track, 2000, 1, "step", &args);
    rk_chrome_mark(&chrome, &track, 2500, "m\n", &plain);
    rk_chrome_end(&chrome, &track, 3001, 1);
    rk_chrome_counter(&chrome, &track, 3002, "n", 42);
    char *text = finish(&chrome);
    assert_string_equal(
        text,
        "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":7,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"kernel "
        "\\\"k\\\"\"}},\n"
        "{\"ph\":\"M\",\"pid\":7,\"tid\":0,\"name\":\"process_sort_index\",\"args\":{\"sort_"
        "index\":3}},\n"
        "{\"ph\":\"M\",\"pid\":7,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"k\"}},\n"
        "{\"ph\":\"B\",\"pid\":7,\"tid\":1,\"ts\":1.000,\"name\":\"step\",\"cat\":\"step\","
        "\"args\":"
        "{\"step\":5,\"value\":6,\"color\":\"#0000ff\"}},\n"
        "{\"ph\":\"i\",\"pid\":7,\"tid\":1,\"ts\":1.500,\"s\":\"t\",\"name\":\"m\\n\",\"cat\":"
        "\"test\",\"args\":{}},\n"
        "{\"ph\":\"E\",\"pid\":7,\"tid\":1,\"ts\":2.001},\n"
        "{\"ph\":\"C\",\"pid\":7,\"tid\":1,\"ts\":2.002,\"name\":\"n\",\"args\":{\"value\":42}}\n"
        "],\"otherData\":{\"lost\":0}}\n");
    free(text);
}

static void balances_spans(void **state)
{
    (void)state;
    rk_chrome chrome = start(1u << 20);
    rk_chrome_track track = {.pid = 1, .tid = 1};
    rk_chrome_end(&chrome, &track, 1000, 9); /* nothing is open */
    rk_chrome_begin(&chrome, &track, 1001, 1, "a", &plain);
    rk_chrome_begin(&chrome, &track, 1002, 2, "b", &plain);
    rk_chrome_begin(&chrome, &track, 1003, 3, "c", &plain);
    rk_chrome_end(&chrome, &track, 1004, 2); /* ends c as well */
    assert_int_equal(track.depth, 1);
    assert_int_equal(rk_chrome_top(&track), 1);
    rk_chrome_end(&chrome, &track, 1005, 3);               /* is over */
    rk_chrome_begin(&chrome, &track, 500, 4, "d", &plain); /* back in time: held at 1004 */
    rk_chrome_close_track(&chrome, &track, 2000);
    assert_int_equal(track.unmatched, 2);
    char *text = finish(&chrome);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), 4);
    assert_int_equal(count_of(text, "\"ph\":\"E\""), 4);
    assert_int_equal(count_of(text, "\"ts\":0.004"), 3);
    free(text);
}

static void leaves_out_what_is_too_deep(void **state)
{
    (void)state;
    rk_chrome chrome = start(1u << 20);
    rk_chrome_track track = {.pid = 1, .tid = 1};
    for (uint32_t i = 0; i < RK_CHROME_DEPTH_MAX + 10; i++) {
        rk_chrome_begin(&chrome, &track, 1000 + i, 1, "a", &plain);
    }
    for (uint32_t i = 0; i < RK_CHROME_DEPTH_MAX + 10; i++) {
        rk_chrome_end(&chrome, &track, 2000 + i, 1);
    }
    assert_int_equal(track.depth, 0);
    assert_int_equal(track.unmatched, 0);
    char *text = finish(&chrome);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), RK_CHROME_DEPTH_MAX);
    assert_int_equal(count_of(text, "\"ph\":\"E\""), RK_CHROME_DEPTH_MAX);
    free(text);
}

static void ranges_may_overlap(void **state)
{
    (void)state;
    rk_chrome chrome = start(1u << 20);
    rk_chrome_track track = {.pid = 3, .tid = 1};
    rk_chrome_range_begin(&chrome, &track, 1000, 1, "r", &plain);
    rk_chrome_range_begin(&chrome, &track, 1001, 2, "s", &plain);
    rk_chrome_range_end(&chrome, &track, 1002, 1);
    rk_chrome_range_end(&chrome, &track, 1003, 1); /* is over */
    rk_chrome_range_begin(&chrome, &track, 1004, 2, "s", &plain);
    rk_chrome_gap(&chrome, &track, 12);
    assert_int_equal(track.unmatched, 1);
    char *text = finish(&chrome);
    assert_int_equal(count_of(text, "\"ph\":\"b\""), 3);
    assert_int_equal(count_of(text, "\"ph\":\"e\""), 3);
    assert_int_equal(count_of(text, "\"id\":\"3.2\""), 4);
    assert_int_equal(
        count_of(text, "\"name\":\"records lost\",\"cat\":\"lost\",\"args\":{\"value\":12}"), 1);
    free(text);
}

/* Beyond the limit nothing begins, but what has begun ends. */
static void the_limit_holds(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_chrome chrome = start(4000);
    rk_chrome_track track = {.pid = 1, .tid = 1};
    for (uint64_t i = 0; i < 1000; i++) {
        rk_chrome_begin(&chrome, &track, 1000 + i, 1, "outer", &plain);
        rk_chrome_begin(&chrome, &track, 1000 + i, 2, "inner", &plain);
        rk_chrome_end(&chrome, &track, 1001 + i, 2);
        rk_chrome_mark(&chrome, &track, 1001 + i, "m", &plain);
        rk_chrome_end(&chrome, &track, 1002 + i, 1);
        assert_int_equal(rk_chrome_flush(&chrome, &err), RK_OK);
    }
    assert_true(chrome.lost > 2000);
    assert_int_equal(track.depth, 0);
    char *text = finish(&chrome);
    assert_true(strlen(text) < 4500);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), count_of(text, "\"ph\":\"E\""));
    free(text);
}

/* Without a flush, memory has its limit too. */
static void memory_has_a_limit(void **state)
{
    (void)state;
    rk_chrome chrome = start(UINT64_MAX);
    rk_chrome_track track = {.pid = 1, .tid = 1};
    for (uint64_t i = 0; i < 200000; i++) {
        rk_chrome_begin(&chrome, &track, 1000 + i, 1, "a", &plain);
        rk_chrome_end(&chrome, &track, 1001 + i, 1);
    }
    assert_true(chrome.lost > 0);
    assert_int_equal(chrome.text.status, RK_OK);
    char *text = finish(&chrome);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), count_of(text, "\"ph\":\"E\""));
    free(text);
}

static void a_folder_that_is_missing(void **state)
{
    (void)state;
    rk_chrome chrome;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_chrome_open(&chrome, "/nonexistent/t.json", 0, 1u << 20, &err),
                     RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_said),
        cmocka_unit_test(balances_spans),
        cmocka_unit_test(leaves_out_what_is_too_deep),
        cmocka_unit_test(ranges_may_overlap),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(a_folder_that_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
