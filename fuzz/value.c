/*
 * Numbers, sizes, durations, choices from text: the first byte picks the parser, the rest is the
 * text. What is read must read back the same from its own text.
 */
#include "fuzz/fuzz.h"

#include "base/suggest.h"
#include "base/value.h"

#include <stdlib.h>
#include <string.h>

static void expect(int condition)
{
    if (!condition) {
        abort();
    }
}

static void read_f64(const char *text, rk_err *err)
{
    double value;
    double again;
    char out[RK_VALUE_TEXT_BYTES];
    if (rk_value_parse_f64(text, &value, err) == RK_OK) {
        expect(rk_value_parse_f64(rk_value_format_f64(value, out), &again, err) == RK_OK);
        expect(memcmp(&value, &again, sizeof value) == 0);
    }
}

static void read_one(unsigned kind, const char *text, rk_err *err)
{
    char out[RK_VALUE_TEXT_BYTES];
    uint64_t number = 0;
    int64_t whole;
    unsigned index = 0;
    bool flag;
    switch (kind % 8) {
    case 0: (void)rk_value_parse_u64(text, &number, err); break;
    case 1: (void)rk_value_parse_i64(text, &whole, err); break;
    case 2: read_f64(text, err); break;
    case 3:
        (void)rk_value_parse_size(text, &number, err);
        expect(strlen(rk_value_format_size(number, out)) < sizeof out);
        break;
    case 4:
        (void)rk_value_parse_duration(text, &number, err);
        expect(strlen(rk_value_format_duration(number, out)) < sizeof out);
        break;
    case 5: (void)rk_value_parse_bool(text, &flag, err); break;
    case 6:
        (void)rk_value_parse_choice(text, "cpu|cuda|hip", &index, err);
        expect(index < 3);
        break;
    default:
        /* The text as the choices themselves. */
        (void)rk_value_parse_choice("cuda", text, &index, err);
        (void)rk_edit_distance(text, "cuda");
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    rk_err err = RK_ERR_INIT;
    char shown[RK_VALUE_SHOWN_BYTES];
    read_one(data[0], text, &err);
    expect(strlen(rk_value_shown(text, shown)) < sizeof shown);
    expect(strlen(err.text) < sizeof err.text);
    free(text);
    return 0;
}
