/*
 * Text from outside: JSON strings, UTF-8, traceparent headers and log lines.
 */
#include "fuzz/fuzz.h"

#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static void expect(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check_json(const char *text, size_t size)
{
    rk_str str;
    rk_str_init(&str, SIZE_MAX);
    if (rk_str_append_json_bytes(&str, text, size) == RK_OK) {
        expect(rk_utf8_valid(str.data, str.length));
        for (size_t i = 0; i < str.length; i++) {
            expect((unsigned char)str.data[i] >= 0x20);
        }
    }
    rk_str_finish(&str);
}

static void check_traceparent(const char *text, size_t size)
{
    rk_trace_context context;
    char out[RK_TRACEPARENT_BYTES];
    if (rk_traceparent_parse(text, size, &context, NULL) == RK_OK) {
        expect(memcmp(rk_traceparent_format(&context, out) + 2, text + 2, 53) == 0);
    }
}

static void check_log(const char *text)
{
    const rk_log_field field = RK_TEXT(text, text);
    const rk_log_record record = {
        .component = text, .message = text, .fields = &field, .field_count = 1};
    char line[512];
    size_t length = rk_log_format(&record, line, sizeof line);
    expect(strlen(line) == (length < sizeof line ? length : sizeof line - 1));
    expect(strpbrk(line, "\n\r\x1b") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    check_json(text, size);
    check_traceparent((const char *)data, size);
    check_log(text);
    free(text);
    return 0;
}
