/*
 * status.c: names and texts of the result codes, and error sentences.
 */
#include <ringkernel/status.h>
#include <ringkernel/version.h>
#include <stdio.h>
#include <string.h>

const char *rk_status_name(rk_status status)
{
    switch (status) {
#define STATUS_NAME(symbol, value, text)                                                           \
    case RK_##symbol: return "RK_" #symbol;
        RK_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "RK_UNKNOWN";
}

const char *rk_status_text(rk_status status)
{
    switch (status) {
#define STATUS_TEXT(symbol, value, text)                                                           \
    case RK_##symbol: return text;
        RK_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

rk_status rk_err_setv(rk_err *err, rk_status code, const char *format, va_list args)
{
    if (err != NULL) {
        err->code = code;
        /* A cut sentence is still a sentence: the length is ignored on purpose. */
        (void)vsnprintf(err->text, sizeof err->text, format, args);
    }
    return code;
}

rk_status rk_err_set(rk_err *err, rk_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rk_err_setv(err, code, format, args);
    va_end(args);
    return code;
}

rk_status rk_err_prefix(rk_err *err, const char *format, ...)
{
    if (err == NULL) {
        return RK_INTERNAL;
    }
    char old[RK_ERR_TEXT_BYTES];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof err->text) {
        (void)snprintf(err->text + used, sizeof err->text - used, "%s", old);
    }
    return err->code;
}

const char *rk_version_string(void)
{
    return RK_VERSION_TEXT;
}
