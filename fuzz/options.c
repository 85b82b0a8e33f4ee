/*
 * Command lines: each line of the input is one word.
 */
#include "fuzz/fuzz.h"

#include "base/compiler.h"
#include "base/options.h"

#include <stdlib.h>
#include <string.h>

static const rk_option table[] = {
    {.name = "text", .letter = 't', .kind = RK_OPTION_STRING, .help = ""},
    {.name = "flag", .letter = 'f', .kind = RK_OPTION_FLAG, .help = ""},
    {.name = "size", .kind = RK_OPTION_SIZE, .min_text = "1B", .max_text = "1GiB", .help = ""},
    {.name = "time", .kind = RK_OPTION_DURATION, .max_text = "1h", .help = ""},
    {.name = "rate", .letter = 'r', .kind = RK_OPTION_F64, .unit = "Hz", .help = ""},
    {.name = "count", .kind = RK_OPTION_U64, .min_text = "1", .help = ""},
    {.name = "offset", .letter = 'o', .kind = RK_OPTION_I64, .min_text = "-5", .help = ""},
    {.name = "device", .kind = RK_OPTION_CHOICE, .choices = "cpu|cuda|hip", .help = ""},
    {.name = "set", .letter = 's', .kind = RK_OPTION_LIST, .help = ""},
};

enum { MOST_WORDS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[MOST_WORDS];
    int count = 0;
    char *text = malloc(size + 1);
    rk_options options;
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *at = text; count < MOST_WORDS;) {
        words[count++] = at;
        char *end = strchr(at, '\n');
        if (end == NULL) {
            break;
        }
        *end = '\0';
        at = end + 1;
    }
    for (int mode = RK_OPTIONS_ANYWHERE; mode <= RK_OPTIONS_STOP_AT_ARGUMENT; mode++) {
        rk_err err = RK_ERR_INIT;
        if (rk_options_init(&options, "fuzz", table, RK_COUNT_OF(table)) != RK_OK) {
            break;
        }
        rk_status status = rk_options_parse(&options, count, words, (rk_options_mode)mode, &err);
        if (status != RK_OK && err.text[0] == '\0') {
            abort();
        }
        if (rk_options_choice(&options, "device") > 2 ||
            rk_options_u64(&options, "size") > (1u << 30)) {
            abort();
        }
        rk_options_finish(&options);
    }
    free(text);
    return 0;
}
