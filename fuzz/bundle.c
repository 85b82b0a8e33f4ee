/*
 * A module bundle: as it is, and with its checksums put right, so that what lies behind them is
 * reached.
 */
#include "fuzz/fuzz.h"

#include "base/crc.h"
#include "module/bundle.h"
#include "module/bytes.h"

#include <stdlib.h>
#include <string.h>

static void open_and_describe(const uint8_t *data, size_t size)
{
    rk_bundle *bundle = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_bundle_open_memory(data, size, "fuzz", &bundle, &err) != RK_OK) {
        return;
    }
    rk_str text;
    const rk_section *section = NULL;
    rk_str_init(&text, 1u << 20);
    (void)rk_bundle_inspect(bundle, false, &text); /* a limit is as good */
    (void)rk_bundle_inspect(bundle, true, &text);  /* the same */
    (void)rk_bundle_find_cpu(bundle, RK_SECTION_CPU, 0, RK_ISA_NONE, &section,
                             &err); /* a refusal is as good */
    rk_str_finish(&text);
    rk_bundle_close(bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_and_describe(data, size);
    if (size < RK_BUNDLE_HEADER_BYTES) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    rk_bytes_put_u64(copy + 8, size);
    uint32_t count = rk_bytes_u32(copy + 16);
    for (uint32_t i = 0; i < count && i < RK_BUNDLE_SECTION_MAX; i++) {
        if (size - 64 < (size_t)(i + 1) * 48) {
            break;
        }
        uint8_t *entry = copy + 64 + (size_t)i * 48;
        uint64_t offset = rk_bytes_u64(entry + 16);
        uint64_t bytes = rk_bytes_u64(entry + 24);
        /* Only what lies behind the table: a checksum must not change what it covers. */
        if (offset >= 64 + (uint64_t)count * 48 && offset <= size && bytes <= size - offset) {
            rk_bytes_put_u32(entry + 32, rk_crc32(0, copy + offset, (size_t)bytes));
        }
    }
    rk_bytes_put_u32(copy + 36, 0);
    rk_bytes_put_u32(copy + 36, rk_crc32(0, copy, size));
    open_and_describe(copy, size);
    free(copy);
    return 0;
}
