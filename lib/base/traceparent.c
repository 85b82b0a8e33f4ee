/*
 * traceparent.c: the traceparent header of W3C Trace Context, section 3.2.
 */
#include "base/trace.h"

#include <string.h>

#define VERSION_00_BYTES 55

static void put_hex(char **at, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *(*at)++ = digits[bytes[i] >> 4];
        *(*at)++ = digits[bytes[i] & 15];
    }
}

const char *rk_traceparent_format(const rk_trace_context *context, char out[RK_TRACEPARENT_BYTES])
{
    char *at = out;
    const uint8_t version = 0;
    put_hex(&at, &version, 1);
    *at++ = '-';
    put_hex(&at, context->trace_id, sizeof context->trace_id);
    *at++ = '-';
    put_hex(&at, context->span_id, sizeof context->span_id);
    *at++ = '-';
    put_hex(&at, &context->flags, 1);
    *at = '\0';
    return out;
}

/* Lower case only, as the standard has it; -1 for anything else. */
static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static bool get_hex(const char *text, uint8_t *out_bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

rk_status rk_traceparent_parse(const char *text, size_t length, rk_trace_context *out_context,
                               rk_err *err)
{
    rk_trace_context context;
    uint8_t version;
    bool good = length >= VERSION_00_BYTES && get_hex(text, &version, 1) && text[2] == '-' &&
                get_hex(text + 3, context.trace_id, sizeof context.trace_id) && text[35] == '-' &&
                get_hex(text + 36, context.span_id, sizeof context.span_id) && text[52] == '-' &&
                get_hex(text + 53, &context.flags, 1);
    if (good && length > VERSION_00_BYTES) {
        /* A later version may go on behind another dash; version 00 ends here, 255 is forbidden. */
        good = version > 0 && text[VERSION_00_BYTES] == '-';
    }
    if (!good || version == 0xff) {
        return rk_err_set(err, RK_SYNTAX,
                          "the traceparent is not of the form 00-<32 hex>-<16 hex>-<2 hex>");
    }
    if (!rk_trace_context_is_valid(&context)) {
        return rk_err_set(err, RK_SYNTAX, "the traceparent holds an id of zero");
    }
    *out_context = context;
    return RK_OK;
}
