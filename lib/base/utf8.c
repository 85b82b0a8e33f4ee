/*
 * utf8.c: which bytes form a UTF-8 character (RFC 3629, section 4, the table of byte ranges).
 */
#include "base/utf8.h"

static bool between(const char *at, unsigned low, unsigned high)
{
    unsigned char byte = (unsigned char)*at;
    return byte >= low && byte <= high;
}

size_t rk_utf8_length(const char *text, size_t length)
{
    if (length == 0) {
        return 0;
    }
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size > length) {
        return 0;
    }
    /* The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (!between(text + 1, low, high)) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (!between(text + i, 0x80, 0xbf)) {
            return 0;
        }
    }
    return size;
}

bool rk_utf8_valid(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t size = rk_utf8_length(text + at, length - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}
