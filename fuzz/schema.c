/* The schema text: what parses is also evaluated, hashed and laid out. */
#include "fuzz/fuzz.h"

#include "runtime/layout.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_schema *schema = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_schema_parse((const char *)data, size, &schema, &err) != RK_OK) {
        return 0;
    }
    uint64_t params[RK_PARAM_MAX];
    rk_layout *layout = malloc(sizeof(*layout));
    for (uint32_t variant = 0; layout && variant < schema->variant_count; variant++) {
        rk_schema_defaults(schema, variant, params);
        for (uint32_t blocks = 1; blocks < 4; blocks++) {
            rk_layout_options options = {.block_count = blocks};
            (void)rk_layout_compute(schema, variant, params, &options, layout,
                                    &err); /* a refusal is as good */
        }
        (void)rk_schema_hash(schema, variant); /* only that it ends */
        for (uint32_t i = 0; i < schema->param_count; i++) {
            char text[RK_PARAM_TEXT_BYTES];
            rk_param_format(rk_schema_type(schema, variant, schema->params[i].type), params[i],
                            text);
        }
    }
    free(layout);
    rk_schema_free(schema);
    return 0;
}
