/*
 * str.c: a growable string buffer with a limit.
 *
 * Invariant: data is NULL and capacity 0, or length < capacity and data[length] is NUL.
 */
#include "base/str.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY_BYTES 64

void rk_str_init(rk_str *str, size_t limit_bytes)
{
    *str = (rk_str){.limit_bytes = limit_bytes < SIZE_MAX ? limit_bytes : SIZE_MAX - 1};
}

void rk_str_finish(rk_str *str)
{
    free(str->data);
    rk_str_init(str, str->limit_bytes);
}

void rk_str_reset(rk_str *str)
{
    str->status = RK_OK;
    rk_str_truncate(str, 0);
}

static rk_status fail(rk_str *str, rk_status status)
{
    str->status = status;
    return status;
}

rk_status rk_str_reserve(rk_str *str, size_t extra_bytes)
{
    if (str->status != RK_OK) {
        return str->status;
    }
    if (extra_bytes > str->limit_bytes - str->length) {
        return fail(str, RK_LIMIT);
    }
    size_t needed = str->length + extra_bytes + 1;
    if (needed <= str->capacity) {
        return RK_OK;
    }
    /* Doubling keeps the cost of appending linear; the limit caps it. */
    size_t capacity = str->capacity > SIZE_MAX / 2 ? SIZE_MAX : str->capacity * 2;
    capacity = capacity < FIRST_CAPACITY_BYTES ? FIRST_CAPACITY_BYTES : capacity;
    capacity = capacity > str->limit_bytes + 1 ? str->limit_bytes + 1 : capacity;
    capacity = capacity < needed ? needed : capacity;
    char *data = realloc(str->data, capacity);
    if (data == NULL) {
        return fail(str, RK_NO_MEMORY);
    }
    str->data = data;
    str->capacity = capacity;
    str->data[str->length] = '\0';
    return RK_OK;
}

rk_status rk_str_append_bytes(rk_str *str, const void *data, size_t length)
{
    rk_status status = rk_str_reserve(str, length);
    if (status != RK_OK) {
        return status;
    }
    if (length > 0) {
        memcpy(str->data + str->length, data, length);
    }
    str->length += length;
    str->data[str->length] = '\0';
    return RK_OK;
}

rk_status rk_str_append(rk_str *str, const char *text)
{
    return rk_str_append_bytes(str, text, strlen(text));
}

rk_status rk_str_append_char(rk_str *str, char character)
{
    return rk_str_append_bytes(str, &character, 1);
}

rk_status rk_str_appendfv(rk_str *str, const char *format, va_list args)
{
    if (str->status != RK_OK) {
        return str->status;
    }
    va_list again;
    va_copy(again, args);
    size_t room = str->capacity - str->length;
    int length = vsnprintf(str->data == NULL ? NULL : str->data + str->length, room, format, args);
    if (length < 0) {
        va_end(again);
        rk_str_truncate(str, str->length);
        return fail(str, RK_INVALID);
    }
    rk_status status = RK_OK;
    if ((size_t)length >= room) {
        rk_str_truncate(str, str->length); /* takes back what was written up to the cut */
        status = rk_str_reserve(str, (size_t)length);
        if (status == RK_OK) {
            (void)vsnprintf(str->data + str->length, (size_t)length + 1, format, again);
        }
    }
    va_end(again);
    if (status == RK_OK) {
        str->length += (size_t)length;
    }
    return status;
}

rk_status rk_str_appendf(rk_str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rk_status status = rk_str_appendfv(str, format, args);
    va_end(args);
    return status;
}

/* The escape of one ASCII character, or NULL if JSON takes it as it is; scratch holds \u forms. */
static const char *json_escape(unsigned char character, char scratch[8])
{
    switch (character) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
    }
    if (character >= 0x20 && character != 0x7f) {
        return NULL;
    }
    (void)snprintf(scratch, 8, "\\u%04x", character);
    return scratch;
}

rk_status rk_str_append_json_bytes(rk_str *str, const char *text, size_t length)
{
    size_t start = str->length;
    (void)rk_str_append_char(str, '"'); /* the status is sticky: one look at the end is enough */
    size_t plain = 0;                   /* the first byte that is not yet appended */
    size_t at = 0;
    while (at < length) {
        char scratch[8];
        const char *escape = "\\ufffd";
        size_t step = rk_utf8_length(text + at, length - at);
        if (step == 1) {
            escape = json_escape((unsigned char)text[at], scratch);
        } else if (step > 1) {
            escape = NULL;
        }
        step = step == 0 ? 1 : step;
        if (escape != NULL) {
            (void)rk_str_append_bytes(str, text + plain, at - plain);
            (void)rk_str_append(str, escape);
            plain = at + step;
        }
        at += step;
    }
    (void)rk_str_append_bytes(str, text + plain, length - plain);
    (void)rk_str_append_char(str, '"');
    if (str->status != RK_OK) {
        rk_str_truncate(str, start); /* all or nothing */
    }
    return str->status;
}

rk_status rk_str_append_json(rk_str *str, const char *text)
{
    return rk_str_append_json_bytes(str, text, strlen(text));
}

void rk_str_truncate(rk_str *str, size_t length)
{
    if (str->data != NULL && length <= str->length) {
        str->length = length;
        str->data[length] = '\0';
    }
}

const char *rk_str_cstr(const rk_str *str)
{
    return str->data == NULL ? "" : str->data;
}

char *rk_str_take(rk_str *str, size_t *out_length)
{
    if (rk_str_reserve(str, 0) != RK_OK) {
        rk_str_finish(str);
        return NULL;
    }
    char *data = str->data;
    if (out_length != NULL) {
        *out_length = str->length;
    }
    rk_str_init(str, str->limit_bytes);
    return data;
}
