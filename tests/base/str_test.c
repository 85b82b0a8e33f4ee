/*
 * Strings: growth, limits, exhausted memory, JSON escapes; UTF-8; error sentences from errno.
 */
#include "base/errno.h"
#include "base/str.h"
#include "base/test_memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_appends(void **state)
{
    (void)state;
    rk_str str;
    rk_str_init(&str, 1000);
    assert_string_equal(rk_str_cstr(&str), "");
    assert_int_equal(rk_str_append(&str, "one"), RK_OK);
    assert_int_equal(rk_str_append_char(&str, ' '), RK_OK);
    assert_int_equal(rk_str_appendf(&str, "%d and %s", 2, "three"), RK_OK);
    assert_string_equal(rk_str_cstr(&str), "one 2 and three");
    assert_int_equal(str.length, strlen("one 2 and three"));
    rk_str_truncate(&str, 3);
    assert_string_equal(rk_str_cstr(&str), "one");
    rk_str_truncate(&str, 30);
    assert_string_equal(rk_str_cstr(&str), "one");
    rk_str_reset(&str);
    assert_string_equal(rk_str_cstr(&str), "");
    for (int i = 0; i < 250; i++) {
        assert_int_equal(rk_str_appendf(&str, "%04d", i), RK_OK);
    }
    assert_int_equal(str.length, 1000);
    assert_memory_equal(rk_str_cstr(&str) + 996, "0249", 5);
    rk_str_finish(&str);
    assert_string_equal(rk_str_cstr(&str), "");
}

static void test_bytes_with_nul(void **state)
{
    (void)state;
    rk_str str;
    rk_str_init(&str, SIZE_MAX);
    assert_int_equal(rk_str_append_bytes(&str, "a\0b", 3), RK_OK);
    assert_int_equal(str.length, 3);
    assert_memory_equal(rk_str_cstr(&str), "a\0b", 4);
    assert_int_equal(rk_str_append_bytes(&str, NULL, 0), RK_OK);
    assert_int_equal(rk_str_reserve(&str, SIZE_MAX), RK_LIMIT);
    rk_str_finish(&str);
}

static void test_limit_is_sticky(void **state)
{
    (void)state;
    rk_str str;
    rk_str_init(&str, 8);
    assert_int_equal(rk_str_append(&str, "12345678"), RK_OK);
    assert_int_equal(rk_str_append(&str, ""), RK_OK);
    assert_int_equal(rk_str_append(&str, "9"), RK_LIMIT);
    assert_string_equal(rk_str_cstr(&str), "12345678");
    rk_str_truncate(&str, 2);
    assert_int_equal(rk_str_append(&str, "3"), RK_LIMIT);
    assert_int_equal(rk_str_appendf(&str, "%s", "x"), RK_LIMIT);
    assert_null(rk_str_take(&str, NULL));
    assert_int_equal(str.status, RK_OK);
    assert_int_equal(rk_str_appendf(&str, "%s", "123456789"), RK_LIMIT);
    assert_string_equal(rk_str_cstr(&str), "");
    rk_str_reset(&str);
    assert_int_equal(rk_str_appendf(&str, "%s", "12345678"), RK_OK);
    rk_str_finish(&str);
    rk_str_init(&str, 0);
    assert_int_equal(rk_str_append(&str, ""), RK_OK);
    assert_int_equal(rk_str_append(&str, "x"), RK_LIMIT);
    rk_str_finish(&str);
}

static void test_no_memory(void **state)
{
    (void)state;
    rk_str str;
    rk_str_init(&str, 10000);
    assert_int_equal(rk_str_append(&str, "kept"), RK_OK);
    rk_test_memory_fail(1);
    char large[512];
    memset(large, 'x', sizeof large);
    assert_int_equal(rk_str_append_bytes(&str, large, sizeof large), RK_NO_MEMORY);
    assert_true(rk_test_memory_struck());
    assert_string_equal(rk_str_cstr(&str), "kept");
    assert_int_equal(rk_str_append(&str, "y"), RK_NO_MEMORY);
    rk_str_finish(&str);
    rk_test_memory_fail(1);
    assert_null(rk_str_take(&str, NULL));
    rk_test_memory_fail(0);
}

static void test_take(void **state)
{
    (void)state;
    rk_str str;
    rk_str_init(&str, 100);
    assert_int_equal(rk_str_append(&str, "mine"), RK_OK);
    size_t length = 0;
    char *text = rk_str_take(&str, &length);
    assert_string_equal(text, "mine");
    assert_int_equal(length, 4);
    assert_string_equal(rk_str_cstr(&str), "");
    free(text);
    text = rk_str_take(&str, NULL);
    assert_string_equal(text, "");
    free(text);
}

static void check_json(const char *text, size_t length, const char *expected)
{
    rk_str str;
    rk_str_init(&str, 1000);
    assert_int_equal(rk_str_append_json_bytes(&str, text, length), RK_OK);
    assert_string_equal(rk_str_cstr(&str), expected);
    rk_str_finish(&str);
}

static void test_json(void **state)
{
    (void)state;
    check_json("", 0, "\"\"");
    check_json("plain", 5, "\"plain\"");
    check_json("\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    check_json("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
    check_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb5", 9,
               "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb5\"");
    check_json("a\xff\xfe", 3, "\"a\\ufffd\\ufffd\"");
    check_json("\xc3", 1, "\"\\ufffd\"");
    rk_str str;
    rk_str_init(&str, 6);
    assert_int_equal(rk_str_append(&str, "ab"), RK_OK);
    assert_int_equal(rk_str_append_json(&str, "cde"), RK_LIMIT);
    assert_string_equal(rk_str_cstr(&str), "ab");
    rk_str_finish(&str);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        size_t expected;
    } cases[] = {
        {"", 0, 0},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},             /* a continuation alone */
        {"\xc1\xbf", 2, 0},         /* overlong */
        {"\xc2\x80", 2, 2},         /* U+0080 */
        {"\xc2", 1, 0},             /* cut */
        {"\xe0\x9f\xbf", 3, 0},     /* overlong */
        {"\xe0\xa0\x80", 3, 3},     /* U+0800 */
        {"\xed\x9f\xbf", 3, 3},     /* U+D7FF */
        {"\xed\xa0\x80", 3, 0},     /* a surrogate */
        {"\xef\xbf\xbf", 3, 3},     /* U+FFFF */
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
        {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
        {"\xf4\x90\x80\x80", 4, 0}, /* above */
        {"\xf0\x90\x80\x41", 4, 0},
        {"\xff", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rk_utf8_length(cases[i].text, cases[i].length), cases[i].expected);
    }
    assert_true(rk_utf8_valid("a\xc3\xa4z", 4));
    assert_false(rk_utf8_valid("a\xc3", 2));
    assert_true(rk_utf8_valid("", 0));
}

static void test_errno_sentences(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_err_errno(&err, ENOSPC, "cannot write %s", "/x"), RK_NO_SPACE);
    assert_int_equal(err.code, RK_NO_SPACE);
    assert_string_equal(err.text, "cannot write /x: No space left on device; free some space or "
                                  "choose another place");
    assert_int_equal(rk_err_errno(NULL, EACCES, "x"), RK_PERMISSION);
    static const struct {
        int error;
        rk_status status;
    } cases[] = {{0, RK_OK},
                 {ENOENT, RK_NOT_FOUND},
                 {EEXIST, RK_EXISTS},
                 {ENOMEM, RK_NO_MEMORY},
                 {EDQUOT, RK_NO_SPACE},
                 {EMFILE, RK_LIMIT},
                 {EIO, RK_IO},
                 {12345, RK_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rk_status_of_errno(cases[i].error), cases[i].status);
    }
    /* A long sentence is cut, never overrun. */
    char name[2 * RK_ERR_TEXT_BYTES];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(rk_err_errno(&err, EIO, "cannot read %s", name), RK_IO);
    assert_int_equal(strlen(err.text), RK_ERR_TEXT_BYTES - 1);
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(rk_status_name(RK_TIMEOUT), "RK_TIMEOUT");
    assert_string_equal(rk_status_text(RK_TIMEOUT), "deadline passed");
    assert_string_equal(rk_status_name((rk_status)-9999), "RK_UNKNOWN");
    assert_string_equal(rk_status_text((rk_status)-9999), "unknown status");
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_err_set(&err, RK_BUSY, "kernel %d is busy", 7), RK_BUSY);
    assert_int_equal(rk_err_prefix(&err, "job %s: ", "room"), RK_BUSY);
    assert_string_equal(err.text, "job room: kernel 7 is busy");
    assert_int_equal(rk_err_set(NULL, RK_BUSY, "unseen"), RK_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_bytes_with_nul),
        cmocka_unit_test(test_limit_is_sticky),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_errno_sentences),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
