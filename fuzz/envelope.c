/*
 * Message envelopes and slots from outside: damaged input is refused with a sentence; what is
 * accepted survives being taken apart and put together again, byte for byte.
 */
#include "fuzz/fuzz.h"

#include "core/message.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PAYLOAD 65536u

/* Ends the process on a broken promise, so that the fuzzer keeps the input. */
static void require(bool promise)
{
    if (!promise) {
        abort();
    }
}

static void try_envelope(const uint8_t *data, size_t size)
{
    rk_envelope envelope;
    const void *payload;
    rk_err err = RK_ERR_INIT;
    rk_msg_fault fault = rk_envelope_decode(data, size, MAX_PAYLOAD, &envelope, &payload, &err);
    if (fault != RK_MSG_FAULT_NONE) {
        require(err.code == rk_msg_fault_status(fault) && err.text[0] != '\0');
        return;
    }
    require(envelope.length <= MAX_PAYLOAD && envelope.length <= size - RK_ENVELOPE_BYTES);
    rk_msg_header header;
    rk_msg_context context;
    rk_envelope_split(&envelope, &header, &context);
    rk_envelope joined;
    rk_envelope_join(&joined, &header, &context);
    uint64_t length = RK_ENVELOPE_BYTES + (uint64_t)envelope.length;
    uint8_t *again = malloc((size_t)length);
    if (again) {
        require(rk_envelope_encode(&joined, payload, again, length) == length);
        require(memcmp(again, data, (size_t)length) == 0);
    }
    free(again);
}

/* The same input with its CRCs made right, which mutation alone would hardly find. */
static void try_resealed(const uint8_t *data, size_t size)
{
    rk_envelope envelope;
    uint8_t *copy = size < sizeof envelope ? NULL : malloc(size);
    if (copy == NULL) {
        return;
    }
    memcpy(copy, data, size);
    memcpy(&envelope, copy, sizeof envelope);
    if (envelope.length > size - sizeof envelope) {
        envelope.length = (rk_u32)(size - sizeof envelope);
    }
    rk_envelope_seal(&envelope, copy + sizeof envelope);
    memcpy(copy, &envelope, sizeof envelope);
    try_envelope(copy, size);
    free(copy);
}

/* A slot, and behind it the memory of a slab that its reference may point into. */
static void try_slot(const uint8_t *data, size_t size)
{
    rk_slot slot;
    if (size < sizeof slot) {
        return;
    }
    memcpy(&slot, data, sizeof slot);
    size_t slab_bytes = size - sizeof slot;
    void *memory = aligned_alloc(RK_SLAB_ALIGN_BYTES, (slab_bytes + 64) / 64 * 64);
    uint8_t *payload = malloc(MAX_PAYLOAD);
    if (memory && payload && rk_msg_check(&slot, MAX_PAYLOAD) == RK_MSG_FAULT_NONE) {
        memcpy(memory, data + sizeof slot, slab_bytes);
        rk_slab slab;
        bool has_slab = rk_slab_attach(&slab, memory, slab_bytes, NULL) == RK_OK;
        rk_status status = rk_msg_get(&slot, has_slab ? &slab : NULL, payload, MAX_PAYLOAD);
        require(status == RK_OK || (slot.header.flags & RK_MSG_SLAB) != 0);
        if (has_slab && rk_msg_discard(&slot, &slab) == RK_OK) {
            require((slot.header.flags & RK_MSG_SLAB) == 0 ||
                    rk_msg_discard(&slot, &slab) == RK_STALE);
        }
    }
    free(payload);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_envelope(data, size);
    try_resealed(data, size);
    try_slot(data, size);
    return 0;
}
