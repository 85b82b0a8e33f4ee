/*
 * An entry of the compile cache: as it is, and with its checksum put right. What is taken lies
 * inside the input.
 */
#include "fuzz/fuzz.h"

#include "module/bytes.h"
#include "module/cache.h"

#include <stdlib.h>
#include <string.h>

static void decode(const uint8_t *data, size_t size, bool must_pass)
{
    rk_cache_entry entry;
    rk_status status = rk_cache_decode(data, size, NULL, &entry);
    if (status != RK_OK) {
        if (must_pass) {
            abort();
        }
        return;
    }
    const uint8_t *messages = (const uint8_t *)entry.messages;
    if (entry.data < data || entry.bytes > size || messages != entry.data + entry.bytes ||
        messages + entry.message_bytes != data + size) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size, false);
    if (size < RK_CACHE_HEADER_BYTES) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    rk_cache_key key;
    memcpy(key.bytes, data + 24, sizeof(key.bytes));
    size_t room = size - RK_CACHE_HEADER_BYTES;
    size_t bytes = room ? data[0] % room : 0;
    const uint8_t *contents = copy + RK_CACHE_HEADER_BYTES;
    rk_cache_encode_header(&key, contents, bytes, (const char *)contents + bytes, room - bytes,
                           copy);
    decode(copy, size, true);
    free(copy);
    return 0;
}
