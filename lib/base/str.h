/*
 * str.h: a growable string buffer with a limit.
 *
 * Appending never crashes and never half-succeeds: what does not fit in the limit, or in memory, is
 * left out as a whole, the status stays set, and every later append fails with it. So a long text
 * can be built without a check per line and one look at `status` at the end.
 *
 * The bytes may hold NULs when appended with rk_str_append_bytes. One thread at a time.
 */
#ifndef RK_BASE_STR_H
#define RK_BASE_STR_H

#include <ringkernel/status.h>

typedef struct rk_str {
    char *data;         /* NULL until the first append; then NUL-terminated, owned */
    size_t length;      /* bytes, without the NUL */
    size_t capacity;    /* bytes allocated */
    size_t limit_bytes; /* the longest length allowed */
    rk_status status;   /* RK_OK, or the first failure: RK_LIMIT, RK_NO_MEMORY, RK_INVALID */
} rk_str;

/* Allocates nothing. limit_bytes is the longest string, its NUL not counted. */
void rk_str_init(rk_str *str, size_t limit_bytes);

/* Frees the memory; the string is empty and usable afterwards. */
void rk_str_finish(rk_str *str);

/* Empties the string and clears the status; keeps the memory. */
void rk_str_reset(rk_str *str);

rk_status rk_str_append(rk_str *str, const char *text);
rk_status rk_str_append_bytes(rk_str *str, const void *data, size_t length);
rk_status rk_str_append_char(rk_str *str, char character);
rk_status rk_str_appendf(rk_str *str, const char *format, ...) RK_PRINTF(2, 3);
rk_status rk_str_appendfv(rk_str *str, const char *format, va_list args) RK_PRINTF(2, 0);

/*
 * Appends text as a JSON string, quotes included (RFC 8259). Control characters are escaped; bytes
 * that are not UTF-8 become U+FFFD, so the result is always valid JSON.
 */
rk_status rk_str_append_json(rk_str *str, const char *text);
rk_status rk_str_append_json_bytes(rk_str *str, const char *text, size_t length);

/* Makes room for extra_bytes more, so that the next appends of that size cannot run out of memory.
 */
rk_status rk_str_reserve(rk_str *str, size_t extra_bytes);

/* Cuts the string to length bytes; does nothing if it is shorter. */
void rk_str_truncate(rk_str *str, size_t length);

/* The text; never NULL. Borrowed until the next change. */
const char *rk_str_cstr(const rk_str *str);

/*
 * Hands the text over: the caller frees it with free(). NULL if an append failed or there is no
 * memory for the empty text; the string is empty afterwards. out_length may be NULL.
 */
char *rk_str_take(rk_str *str, size_t *out_length);

#endif
