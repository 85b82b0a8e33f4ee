/*
 * The text of RK_TEST_GPU.
 */
#include "fuzz/fuzz.h"

#include "drivers/test/options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    rk_err err = RK_ERR_INIT;
    rk_sim_options options;
    rk_status status = rk_sim_options_parse(text, &options, &err);
    if (status == RK_OK ? options.devices == 0 || options.devices > RK_SIM_DEVICE_MAX ||
                              options.missing_count > RK_SIM_MISSING_MAX
                        : err.text[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
