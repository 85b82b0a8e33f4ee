/*
 * ring_test.c: reading a kernel's trace ring: what is whole, what is lost, and a writer that lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/word.h"
#include "base/thread.h"
#include "profile/trace_ring.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 16u

static rk_trace_ring *make_ring(uint32_t slots)
{
    rk_trace_ring *ring = calloc(1, RK_TRACE_RING_BYTES(slots));
    assert_non_null(ring);
    rk_trace_ring_init(ring, slots);
    return ring;
}

/* As the kernel writes: the words, a release fence, `written`. All words hold the number. */
static void write_record(rk_trace_ring *ring, uint32_t slots, uint64_t number)
{
    rk_u64 *words = (rk_u64 *)((rk_trace_record *)(ring + 1) + (number & (slots - 1u)));
    for (int i = 0; i < 4; i++) {
        rk_word64_store_release(&words[i], number); /* no fence: the thread sanitizer knows none */
    }
    rk_word64_store_release(&ring->written, number + 1);
}

static void reads_in_order(void **state)
{
    (void)state;
    rk_trace_ring *ring = make_ring(SLOTS);
    rk_trace_reader reader;
    rk_trace_reader_init(&reader, ring, SLOTS);
    rk_trace_record out[SLOTS];
    uint64_t lost = 9;
    assert_int_equal(rk_trace_reader_take(&reader, out, SLOTS, &lost), 0);
    assert_int_equal(lost, 0);
    for (uint64_t i = 0; i < 5; i++) {
        write_record(ring, SLOTS, i);
    }
    assert_int_equal(rk_trace_reader_take(&reader, out, 3, &lost), 3);
    assert_int_equal(out[2].step, 2);
    assert_int_equal(rk_trace_reader_take(&reader, out, 3, &lost), 2);
    assert_int_equal(out[0].ticks, 3);
    assert_int_equal(lost, 0);
    free(ring);
}

static void counts_what_was_overwritten(void **state)
{
    (void)state;
    rk_trace_ring *ring = make_ring(SLOTS);
    rk_trace_reader reader;
    rk_trace_reader_init(&reader, ring, SLOTS);
    rk_trace_record out[SLOTS];
    uint64_t lost;
    for (uint64_t i = 0; i < 100; i++) {
        write_record(ring, SLOTS, i);
    }
    size_t count = rk_trace_reader_take(&reader, out, SLOTS, &lost);
    assert_int_equal(count + lost, 100);
    assert_int_equal(count, SLOTS - 2);
    assert_int_equal(out[0].ticks, lost);
    assert_int_equal(out[count - 1].ticks, 99);
    free(ring);
}

static void begins_where_the_ring_stands(void **state)
{
    (void)state;
    rk_trace_ring *ring = make_ring(SLOTS);
    for (uint64_t i = 0; i < 40; i++) {
        write_record(ring, SLOTS, i);
    }
    rk_trace_reader reader;
    rk_trace_reader_init(&reader, ring, SLOTS);
    rk_trace_record out[SLOTS];
    uint64_t lost;
    assert_int_equal(rk_trace_reader_take(&reader, out, SLOTS, &lost), 0);
    write_record(ring, SLOTS, 40);
    assert_int_equal(rk_trace_reader_take(&reader, out, SLOTS, &lost), 1);
    assert_int_equal(out[0].ticks, 40);
    assert_int_equal(lost, 0);
    free(ring);
}

static void survives_a_writer_that_lies(void **state)
{
    (void)state;
    rk_trace_ring *ring = make_ring(SLOTS);
    rk_trace_reader reader;
    rk_trace_reader_init(&reader, ring, SLOTS);
    static const uint64_t words[] = {5, 3, UINT64_MAX, 0, 1ull << 63, 17, UINT64_MAX - 1, 2};
    rk_trace_record out[SLOTS];
    for (size_t i = 0; i < RK_COUNT_OF(words); i++) {
        uint64_t lost;
        ring->slots = (rk_u32)words[i]; /* never looked at */
        rk_word64_store_release(&ring->written, words[i]);
        size_t count = rk_trace_reader_take(&reader, out, SLOTS, &lost);
        assert_true(count <= SLOTS - 2);
        assert_int_equal(rk_trace_reader_take(&reader, out, SLOTS, &lost), 0);
    }
    free(ring);
}

#define RECORDS 200000u

static void write_away(void *arg)
{
    rk_trace_ring *ring = arg;
    for (uint64_t i = 0; i < RECORDS; i++) {
        write_record(ring, SLOTS, i);
    }
}

/* A fast writer laps the reader: what comes out is whole, and nothing is miscounted. */
static void never_gives_a_torn_record(void **state)
{
    (void)state;
    rk_trace_ring *ring = make_ring(SLOTS);
    rk_trace_reader reader;
    rk_trace_reader_init(&reader, ring, SLOTS);
    rk_thread writer = {0};
    assert_int_equal(rk_thread_start(&writer, "writer", write_away, ring), RK_OK);
    uint64_t next = 0;
    while (next < RECORDS) {
        rk_trace_record out[SLOTS];
        uint64_t lost;
        size_t count = rk_trace_reader_take(&reader, out, SLOTS, &lost);
        next += lost;
        for (size_t i = 0; i < count; i++, next++) {
            assert_int_equal(out[i].ticks, next);
            assert_int_equal(out[i].kind | (uint64_t)out[i].name << 32, next);
            assert_int_equal(out[i].step, next);
            assert_int_equal(out[i].value, next);
        }
    }
    assert_int_equal(next, RECORDS);
    rk_thread_join(&writer);
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_order),
        cmocka_unit_test(counts_what_was_overwritten),
        cmocka_unit_test(begins_where_the_ring_stands),
        cmocka_unit_test(survives_a_writer_that_lies),
        cmocka_unit_test(never_gives_a_torn_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
