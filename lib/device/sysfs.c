/*
 * sysfs.c: reading attributes of sysfs.
 */
#include "device/sysfs.h"
#include "base/file.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_text(const char *root, char *out, size_t bytes, const char *format, va_list args)
    RK_PRINTF(4, 0);

static bool read_text(const char *root, char *out, size_t bytes, const char *format, va_list args)
{
    char path[RK_SYSFS_PATH_BYTES];
    out[0] = '\0';
    int root_length = snprintf(path, sizeof path, "%s/", root);
    if (root_length < 0 || (size_t)root_length >= sizeof path) {
        return false;
    }
    size_t room = sizeof path - (size_t)root_length;
    int length = vsnprintf(path + root_length, room, format, args);
    if (length < 0 || (size_t)length >= room) {
        return false;
    }
    char *text = NULL;
    size_t text_length = 0;
    if (rk_file_read_all(path, RK_SYSFS_TEXT_BYTES, &text, &text_length, NULL) != RK_OK) {
        return false;
    }
    while (text_length > 0 && (text[text_length - 1] == '\n' || text[text_length - 1] == ' ')) {
        text_length--;
    }
    bool fits = text_length < bytes && memchr(text, '\0', text_length) == NULL;
    if (fits) {
        memcpy(out, text, text_length);
        out[text_length] = '\0';
    }
    free(text);
    return fits;
}

bool rk_sysfs_read(const char *root, char *out, size_t bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool read = read_text(root, out, bytes, format, args);
    va_end(args);
    return read;
}

bool rk_sysfs_parse_number(const char *text, uint64_t *out_value, const char **out_end)
{
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    uint64_t value = 0;
    const char *at = text;
    for (;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                         : *at >= 'A' && *at <= 'F' ? (unsigned)(*at - 'A') + 10
                                                    : 16u;
        if (digit >= base) {
            break;
        }
        if (value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    if (at == text) {
        return false;
    }
    *out_value = value;
    *out_end = at;
    return true;
}

bool rk_sysfs_number(const char *root, uint64_t *out_value, const char *format, ...)
{
    char text[32];
    va_list args;
    va_start(args, format);
    bool read = read_text(root, text, sizeof text, format, args);
    va_end(args);
    const char *end;
    uint64_t value;
    if (!read || !rk_sysfs_parse_number(text, &value, &end) || *end != '\0') {
        return false;
    }
    *out_value = value;
    return true;
}
