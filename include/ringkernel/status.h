/*
 * status.h: result codes and error sentences.
 *
 * Every fallible function returns an rk_status: RK_OK (0) or a negative code. Where a person will
 * read the outcome, the function also takes an rk_err and writes one sentence into it: what failed,
 * on which object, the cause, and what to do next.
 */
#ifndef RINGKERNEL_STATUS_H
#define RINGKERNEL_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RK_API __attribute__((visibility("default")))
#define RK_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#else
#define RK_API
#define RK_PRINTF(fmt_index, args_index)
#endif

/* X(symbol, value, text). Values are stable: they cross processes and files. */
#define RK_STATUS_LIST(X)                                                                          \
    X(OK, 0, "success")                                                                            \
    X(INVALID, -1, "invalid argument")                                                             \
    X(NO_MEMORY, -2, "out of memory")                                                              \
    X(NOT_FOUND, -3, "not found")                                                                  \
    X(EXISTS, -4, "already exists")                                                                \
    X(FULL, -5, "queue full")                                                                      \
    X(EMPTY, -6, "queue empty")                                                                    \
    X(TIMEOUT, -7, "deadline passed")                                                              \
    X(CLOSED, -8, "closed")                                                                        \
    X(STATE, -9, "not possible in this state")                                                     \
    X(UNSUPPORTED, -10, "not supported")                                                           \
    X(LIMIT, -11, "limit reached")                                                                 \
    X(CORRUPT, -12, "damaged data")                                                                \
    X(VERSION, -13, "version not supported")                                                       \
    X(IO, -14, "input or output failed")                                                           \
    X(NO_SPACE, -15, "no space left")                                                              \
    X(PERMISSION, -16, "permission denied")                                                        \
    X(TENANT, -17, "tenant mismatch")                                                              \
    X(HOPS, -18, "too many hops")                                                                  \
    X(STALE, -19, "stale epoch or generation")                                                     \
    X(SKEW, -20, "clock skew beyond the bound")                                                    \
    X(SYNTAX, -21, "syntax error")                                                                 \
    X(COMPILE, -22, "compilation failed")                                                          \
    X(PANIC, -23, "handler panicked")                                                              \
    X(FAULT, -24, "invalid memory access")                                                         \
    X(ABORTED, -25, "aborted")                                                                     \
    X(BUSY, -26, "busy")                                                                           \
    X(DEVICE, -27, "device error")                                                                 \
    X(INTERNAL, -28, "internal error")

typedef enum rk_status {
#define RK_STATUS_ENUM(symbol, value, text) RK_##symbol = (value),
    RK_STATUS_LIST(RK_STATUS_ENUM)
#undef RK_STATUS_ENUM
} rk_status;

#define RK_ERR_TEXT_BYTES 512

/* An error sentence. The caller owns it (usually on the stack); text is always NUL-terminated. */
typedef struct rk_err {
    rk_status code;
    char text[RK_ERR_TEXT_BYTES];
} rk_err;

/* clang-format off */
#define RK_ERR_INIT {RK_OK, {0}}
/* clang-format on */

/* The symbolic name ("RK_TIMEOUT") and the short text ("deadline passed") of a code; never NULL. */
RK_API const char *rk_status_name(rk_status status);
RK_API const char *rk_status_text(rk_status status);

/* Sets err (which may be NULL) and returns code. A text longer than the buffer is cut. */
RK_API rk_status rk_err_set(rk_err *err, rk_status code, const char *format, ...) RK_PRINTF(3, 4);
RK_API rk_status rk_err_setv(rk_err *err, rk_status code, const char *format, va_list args)
    RK_PRINTF(3, 0);

/* Puts context in front of the existing sentence ("while loading x: ..."); returns err's code. */
RK_API rk_status rk_err_prefix(rk_err *err, const char *format, ...) RK_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
