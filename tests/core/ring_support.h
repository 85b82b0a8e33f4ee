/*
 * Rings in aligned memory, and slots that carry a number in every word.
 */
#ifndef RK_TESTS_CORE_RING_SUPPORT_H
#define RK_TESTS_CORE_RING_SUPPORT_H

#include "core/ring.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_ring {
    rk_ring *ring;
    uint64_t bytes;
    rk_ring_end producer;
    rk_ring_end consumer;
} test_ring;

static inline test_ring test_ring_open(uint32_t kind, uint32_t capacity, uint32_t flags)
{
    test_ring t;
    t.bytes = rk_ring_bytes(kind, capacity);
    t.ring = aligned_alloc(RK_RING_LINE_BYTES, (size_t)t.bytes);
    assert_non_null(t.ring);
    assert_int_equal(rk_ring_init(t.ring, t.bytes, kind, capacity, flags, NULL), RK_OK);
    assert_int_equal(rk_ring_attach(&t.producer, RK_RING_PRODUCER, t.ring, t.bytes, 0, NULL),
                     RK_OK);
    assert_int_equal(rk_ring_attach(&t.consumer, RK_RING_CONSUMER, t.ring, t.bytes, 0, NULL),
                     RK_OK);
    return t;
}

static inline void test_ring_close(test_ring *t)
{
    free(t->ring);
}

/* A slot whose every word depends on source and number, so that a torn copy shows. */
static inline rk_slot test_slot(uint16_t source, uint64_t number)
{
    rk_slot slot;
    memset(&slot, 0, sizeof slot);
    slot.header.id = number;
    slot.header.source = source;
    for (uint64_t i = 0; i < RK_SLOT_PAYLOAD_BYTES / 8; i++) {
        uint64_t word = number * 31 + source + i;
        memcpy(slot.payload + 8 * i, &word, sizeof word);
    }
    return slot;
}

static inline bool test_slot_is(const rk_slot *slot, uint16_t source, uint64_t number)
{
    rk_slot expected = test_slot(source, number);
    return memcmp(slot, &expected, sizeof expected) == 0;
}

#endif
