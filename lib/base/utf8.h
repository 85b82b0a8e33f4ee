/*
 * utf8.h: which bytes form a UTF-8 character (RFC 3629).
 */
#ifndef RK_BASE_UTF8_H
#define RK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The bytes of the character at the start of text, 1 to 4; 0 if text is empty or does not start
 * with a whole, shortest-form character that is no surrogate and lies below U+110000.
 */
size_t rk_utf8_length(const char *text, size_t length);

/* Whether all length bytes are UTF-8. */
bool rk_utf8_valid(const char *text, size_t length);

#endif
