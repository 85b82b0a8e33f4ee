/*
 * Messages: compact and full headers convert without loss, every kind of damage has its own fault,
 * payloads go through slot or slab.
 */
#include "core/message.h"

#include "base/compiler.h"
#include "base/crc.h"
#include "core/hlc.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAYLOAD 4096u

static rk_u16 random_flags(uint64_t *random, bool encrypted)
{
    rk_u16 flags = (rk_u16)(rk_test_random(random) & RK_MSG_FLAGS_KNOWN);
    flags &= (rk_u16) ~(RK_MSG_SLAB | RK_MSG_ENCRYPTED);
    if ((flags & RK_MSG_QOS_MASK) == RK_MSG_QOS_MASK) {
        flags &= (rk_u16)~RK_MSG_QOS_MASK;
    }
    return (rk_u16)(flags | (encrypted ? RK_MSG_ENCRYPTED : 0));
}

static rk_msg_header random_header(uint64_t *random, bool encrypted)
{
    rk_msg_header header = {
        .id = rk_test_random(random),
        .type = (rk_u32)rk_test_random(random),
        .source = (rk_u16)rk_test_random(random),
        .flags = random_flags(random, encrypted),
        .correlation = (rk_u32)rk_test_random(random),
        .length = (rk_u32)(rk_test_random(random) % MAX_PAYLOAD),
    };
    if (header.length > RK_SLOT_PAYLOAD_BYTES) {
        header.flags |= RK_MSG_SLAB;
    }
    return header;
}

static rk_msg_context random_context(uint64_t *random, bool encrypted)
{
    rk_msg_context context;
    memset(&context, 0, sizeof context);
    context.source_node = (rk_u32)rk_test_random(random);
    context.source_kernel = (rk_u32)rk_test_random(random);
    context.dest_node = (rk_u32)rk_test_random(random);
    context.dest_kernel = (rk_u32)rk_test_random(random);
    context.tenant = (rk_u32)rk_test_random(random);
    context.hops = (rk_u16)rk_test_random(random);
    context.correlation_high = (rk_u32)rk_test_random(random);
    context.epoch = rk_test_random(random);
    context.time.physical_us = rk_test_random(random) % RK_HLC_PHYSICAL_LIMIT;
    context.time.logical = rk_test_random(random) % RK_HLC_LOGICAL_LIMIT;
    context.time.node = rk_test_random(random);
    context.deadline_us = rk_test_random(random);
    rk_test_random_bytes(random, context.trace_id, sizeof context.trace_id);
    rk_test_random_bytes(random, context.span_id, sizeof context.span_id);
    context.trace_flags = (rk_u8)rk_test_random(random);
    context.tracestate_handle = (rk_u32)rk_test_random(random);
    context.audit_tag = rk_test_random(random);
    if (encrypted) {
        rk_test_random_bytes(random, context.nonce, sizeof context.nonce);
        rk_test_random_bytes(random, context.tag, sizeof context.tag);
    }
    return context;
}

static void expect_same_context(const rk_msg_context *a, const rk_msg_context *b)
{
    assert_int_equal(a->source_node, b->source_node);
    assert_int_equal(a->source_kernel, b->source_kernel);
    assert_int_equal(a->dest_node, b->dest_node);
    assert_int_equal(a->dest_kernel, b->dest_kernel);
    assert_int_equal(a->tenant, b->tenant);
    assert_int_equal(a->hops, b->hops);
    assert_int_equal(a->correlation_high, b->correlation_high);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(rk_hlc_compare(&a->time, &b->time), 0);
    assert_int_equal(a->deadline_us, b->deadline_us);
    assert_memory_equal(a->trace_id, b->trace_id, sizeof a->trace_id);
    assert_memory_equal(a->span_id, b->span_id, sizeof a->span_id);
    assert_int_equal(a->trace_flags, b->trace_flags);
    assert_int_equal(a->tracestate_handle, b->tracestate_handle);
    assert_int_equal(a->audit_tag, b->audit_tag);
    assert_memory_equal(a->nonce, b->nonce, sizeof a->nonce);
    assert_memory_equal(a->tag, b->tag, sizeof a->tag);
}

/* header + context -> envelope -> bytes -> envelope -> header + context is the identity. */
static void test_round_trip(void **state)
{
    (void)state;
    uint64_t random = 7;
    static unsigned char payload[MAX_PAYLOAD];
    static unsigned char bytes[RK_ENVELOPE_BYTES + MAX_PAYLOAD + 1];
    for (unsigned i = 0; i < 20000; i++) {
        bool encrypted = i % 3 == 0;
        rk_msg_header header = random_header(&random, encrypted);
        rk_msg_context context = random_context(&random, encrypted);
        rk_test_random_bytes(&random, payload, i % 50 ? 16 : sizeof payload);

        rk_envelope envelope;
        rk_envelope_join(&envelope, &header, &context);
        unsigned char *at = bytes + i % 2; /* any alignment */
        uint64_t length = RK_ENVELOPE_BYTES + (uint64_t)header.length;
        assert_int_equal(rk_envelope_encode(&envelope, payload, at, length - 1), 0);
        assert_int_equal(rk_envelope_encode(&envelope, payload, at, MAX_PAYLOAD + 192), length);

        rk_envelope decoded;
        const void *found;
        assert_int_equal(rk_envelope_decode(at, length, MAX_PAYLOAD, &decoded, &found, NULL),
                         RK_MSG_FAULT_NONE);
        assert_memory_equal(found, payload, header.length);
        rk_msg_header back;
        rk_msg_context back_context;
        rk_envelope_split(&decoded, &back, &back_context);
        assert_memory_equal(&back, &header, sizeof back);
        expect_same_context(&back_context, &context);

        /* And from the envelope's side: joined again it is the same, field by field. */
        rk_envelope joined;
        rk_envelope_join(&joined, &back, &back_context);
        rk_envelope_seal(&joined, payload);
        assert_memory_equal(&joined, &decoded, sizeof joined);
    }
}

static rk_envelope good_envelope(const void *payload, rk_u32 length)
{
    uint64_t random = 11;
    rk_msg_header header = random_header(&random, false);
    rk_msg_context context = random_context(&random, false);
    header.length = length;
    rk_envelope envelope;
    rk_envelope_join(&envelope, &header, &context);
    rk_envelope_seal(&envelope, payload);
    return envelope;
}

/* The header CRC made right again, so that the later checks are reached. */
static void reseal(rk_envelope *envelope)
{
    envelope->header_crc = rk_crc32(0, envelope, RK_ENVELOPE_BYTES - 4);
}

static void test_faults(void **state)
{
    (void)state;
    static const char payload[] = "eleven bytes and more";
    rk_envelope good = good_envelope(payload, sizeof payload);
    assert_int_equal(rk_envelope_check(&good, MAX_PAYLOAD), RK_MSG_FAULT_NONE);
#define WITH(change, seal, expected)                                                               \
    do {                                                                                           \
        rk_envelope e = good;                                                                      \
        change;                                                                                    \
        if (seal) {                                                                                \
            reseal(&e);                                                                            \
        }                                                                                          \
        assert_int_equal(rk_envelope_check(&e, MAX_PAYLOAD), expected);                            \
    } while (0)
    WITH(e.magic ^= 1, false, RK_MSG_FAULT_MAGIC);
    WITH(e.magic ^= 1, true, RK_MSG_FAULT_MAGIC);
    WITH(e.version++, true, RK_MSG_FAULT_VERSION);
    WITH(e.header_bytes = 191, true, RK_MSG_FAULT_SIZE);
    WITH(e.tenant ^= 1, false, RK_MSG_FAULT_HEADER_CRC);
    WITH(e.header_crc ^= 1, false, RK_MSG_FAULT_HEADER_CRC);
    WITH(e.flags |= 0x800, true, RK_MSG_FAULT_FLAGS);
    WITH(e.flags |= RK_MSG_QOS_MASK, true, RK_MSG_FAULT_FLAGS);
    WITH(e.flags |= RK_MSG_SLAB, true, RK_MSG_FAULT_FLAGS);
    WITH(e.reserved0 = 1, true, RK_MSG_FAULT_RESERVED);
    WITH(e.reserved1[2] = 1, true, RK_MSG_FAULT_RESERVED);
    WITH(e.reserved2[15] = 1, true, RK_MSG_FAULT_RESERVED);
    WITH(e.time.logical = 4096, true, RK_MSG_FAULT_TIME);
    WITH(e.time.physical_us = 1ull << 52, true, RK_MSG_FAULT_TIME);
    WITH(e.nonce[0] = 1, true, RK_MSG_FAULT_CIPHER);
    WITH(e.tag[15] = 1, true, RK_MSG_FAULT_CIPHER);
    WITH(e.length = MAX_PAYLOAD + 1, true, RK_MSG_FAULT_LENGTH);
    WITH(e.length = UINT32_MAX, true, RK_MSG_FAULT_LENGTH);
#undef WITH
    for (int fault = RK_MSG_FAULT_NONE; fault <= RK_MSG_FAULT_SLAB; fault++) {
        assert_true((rk_msg_fault_status((rk_msg_fault)fault) == RK_OK) ==
                    (fault == RK_MSG_FAULT_NONE));
        for (int other = RK_MSG_FAULT_NONE; other < fault; other++) {
            assert_string_not_equal(rk_msg_fault_text((rk_msg_fault)fault),
                                    rk_msg_fault_text((rk_msg_fault)other));
        }
    }
    assert_int_equal(rk_msg_fault_status((rk_msg_fault)99), RK_INTERNAL);
}

/* Every single bit of header and payload matters: a flip is always refused. */
static void test_every_bit(void **state)
{
    (void)state;
    static const char payload[] = "payload";
    rk_envelope good = good_envelope(payload, sizeof payload);
    unsigned char bytes[RK_ENVELOPE_BYTES + sizeof payload];
    assert_int_equal(rk_envelope_encode(&good, payload, bytes, sizeof bytes), sizeof bytes);
    rk_envelope out;
    const void *found;
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        rk_err err = RK_ERR_INIT;
        rk_msg_fault fault = rk_envelope_decode(bytes, sizeof bytes, 100, &out, &found, &err);
        assert_int_not_equal(fault, RK_MSG_FAULT_NONE);
        assert_int_equal(err.code, rk_msg_fault_status(fault));
        assert_non_null(strstr(err.text, rk_msg_fault_text(fault)));
        if (bit >= 8 * RK_ENVELOPE_BYTES) {
            assert_int_equal(fault, RK_MSG_FAULT_PAYLOAD_CRC);
        }
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t length = 0; length < sizeof bytes; length++) {
        assert_int_equal(rk_envelope_decode(bytes, length, 100, &out, &found, NULL),
                         RK_MSG_FAULT_TRUNCATED);
    }
    assert_int_equal(rk_envelope_decode(bytes, sizeof bytes, 7, &out, &found, NULL),
                     RK_MSG_FAULT_LENGTH);
    assert_int_equal(rk_envelope_decode(bytes, sizeof bytes, 8, &out, &found, NULL),
                     RK_MSG_FAULT_NONE);
}

static void test_payloads(void **state)
{
    (void)state;
    rk_slab_config config = {.counts = {2, 2, 2}};
    uint64_t bytes = rk_slab_bytes(&config);
    void *memory = aligned_alloc(RK_SLAB_ALIGN_BYTES, (size_t)(bytes + 63) / 64 * 64);
    assert_non_null(memory);
    rk_slab slab;
    assert_int_equal(rk_slab_init(memory, bytes, &config, NULL), RK_OK);
    assert_int_equal(rk_slab_attach(&slab, memory, bytes, NULL), RK_OK);
    unsigned char in[256];
    unsigned char out[256];
    uint64_t random = 5;
    rk_test_random_bytes(&random, in, sizeof in);
    for (uint32_t length = 0; length <= sizeof in; length++) {
        rk_slot slot;
        memset(&slot, 0xff, sizeof slot);
        slot.header.flags = RK_MSG_PRIORITY_NORMAL | RK_MSG_SLAB;
        assert_int_equal(rk_msg_put(&slot, &slab, in, length), RK_OK);
        bool in_slab = length > RK_SLOT_PAYLOAD_BYTES;
        assert_int_equal(slot.header.flags, RK_MSG_PRIORITY_NORMAL | (in_slab ? RK_MSG_SLAB : 0u));
        assert_int_equal(rk_msg_check(&slot, 256), RK_MSG_FAULT_NONE);
        assert_int_equal(rk_msg_get(&slot, &slab, out, sizeof out), RK_OK);
        assert_memory_equal(out, in, length);
        const void *mapped;
        assert_int_equal(rk_msg_map(&slot, &slab, &mapped), RK_OK);
        assert_memory_equal(mapped, in, length);
        if (length) {
            assert_int_equal(rk_msg_get(&slot, &slab, out, length - 1), RK_NO_SPACE);
        }
        assert_int_equal(rk_msg_get(&slot, NULL, out, sizeof out), in_slab ? RK_INVALID : RK_OK);
        assert_int_equal(rk_msg_discard(&slot, &slab), RK_OK);
        assert_int_equal(rk_msg_discard(&slot, &slab), in_slab ? RK_STALE : RK_OK);
    }
    rk_slot slot;
    memset(&slot, 0, sizeof slot);
    assert_int_equal(rk_msg_put(&slot, NULL, in, 41), RK_LIMIT);
    assert_int_equal(rk_msg_put(&slot, &slab, in, 257), RK_LIMIT);
    assert_int_equal(slot.header.length, 0);
    free(memory);
}

static void test_slot_faults(void **state)
{
    (void)state;
    rk_slot slot;
    memset(&slot, 0, sizeof slot);
    assert_int_equal(rk_msg_check(&slot, 0), RK_MSG_FAULT_NONE);
    slot.header.flags = 0x8000;
    assert_int_equal(rk_msg_check(&slot, 100), RK_MSG_FAULT_FLAGS);
    slot.header.flags = 0;
    slot.header.length = 41;
    assert_int_equal(rk_msg_check(&slot, 40), RK_MSG_FAULT_LENGTH);
    assert_int_equal(rk_msg_check(&slot, 41), RK_MSG_FAULT_SLAB);
    slot.header.flags = RK_MSG_SLAB;
    assert_int_equal(rk_msg_check(&slot, 41), RK_MSG_FAULT_SLAB); /* the reference has length 0 */
    rk_slab_ref ref = {.length = 41, .reserved = 1};
    memcpy(slot.payload, &ref, sizeof ref);
    assert_int_equal(rk_msg_check(&slot, 41), RK_MSG_FAULT_RESERVED);
    ref.reserved = 0;
    memcpy(slot.payload, &ref, sizeof ref);
    assert_int_equal(rk_msg_check(&slot, 41), RK_MSG_FAULT_NONE);
    slot.header.length = 40;
    assert_int_equal(rk_msg_check(&slot, 41), RK_MSG_FAULT_SLAB);
    unsigned char out[64];
    const void *mapped;
    slot.header.flags = 0;
    slot.header.length = 41;
    assert_int_equal(rk_msg_get(&slot, NULL, out, sizeof out), RK_INVALID);
    assert_int_equal(rk_msg_map(&slot, NULL, &mapped), RK_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_faults),
        cmocka_unit_test(test_every_bit),   cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_slot_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
