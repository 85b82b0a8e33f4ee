/*
 * Rings whose memory a hostile peer writes: attach refuses nonsense, and no later nonsense leads
 * outside the ring (the address sanitizer watches).
 */
#include "tests/core/ring_support.h"

#include "core/ring_lossy.h"
#include "core/ring_mp.h"
#include "support/random.h"

static void expect_refused(const test_ring *t, rk_status expected)
{
    rk_ring_end end;
    memset(&end, 0x5a, sizeof end);
    rk_ring_end before = end;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, t->ring, t->bytes, 0, &err), expected);
    assert_int_equal(err.code, expected);
    assert_true(strlen(err.text) > 10);
    assert_memory_equal(&end, &before, sizeof end);
}

static void test_attach_refuses(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 8, 0);
    rk_ring good = *t.ring;
#define WITH(change, expected)                                                                     \
    do {                                                                                           \
        change;                                                                                    \
        expect_refused(&t, expected);                                                              \
        *t.ring = good;                                                                            \
    } while (0)
    WITH(t.ring->magic = 0, RK_CORRUPT);
    WITH(t.ring->kind = 0, RK_CORRUPT);
    WITH(t.ring->kind = 9, RK_CORRUPT);
    WITH(t.ring->flags = 0x80, RK_CORRUPT);
    WITH(t.ring->capacity = 0, RK_CORRUPT);
    WITH(t.ring->capacity = 7, RK_CORRUPT);
    WITH(t.ring->capacity = 1u << 31, RK_CORRUPT);
    WITH(t.ring->capacity = 16, RK_NO_SPACE);
    WITH(t.ring->capacity = RK_RING_MAX_SLOTS, RK_NO_SPACE);
    WITH(t.ring->slots = 0, RK_NO_SPACE);
    WITH(t.ring->slots += 8, RK_NO_SPACE);
    WITH(t.ring->slots = UINT64_MAX - 63, RK_NO_SPACE);
    WITH(t.ring->sequences = t.bytes, RK_NO_SPACE);
    WITH(t.ring->sequences = UINT64_MAX, RK_NO_SPACE);
    WITH(t.ring->sequences += 2, RK_NO_SPACE);
    WITH(t.ring->consumer_bell = t.bytes - 4, RK_NO_SPACE);
    WITH(t.ring->producer_bell = UINT64_MAX - 7, RK_NO_SPACE);
    WITH(t.ring->producer_bell += 2, RK_NO_SPACE);
    WITH(t.ring->tail = 100, RK_CORRUPT);
    WITH(t.ring->head = 100, RK_CORRUPT);
#undef WITH
    rk_ring_end end;
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, t.ring, sizeof(rk_ring) - 1, 0, NULL),
                     RK_INVALID);
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, t.ring, t.bytes, 8, NULL), RK_INVALID);
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, t.ring, t.bytes, UINT64_MAX - 63, NULL),
                     RK_INVALID);
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, NULL, t.bytes, 0, NULL), RK_INVALID);
    assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, t.ring, t.bytes, 0, NULL), RK_OK);
    test_ring_close(&t);
}

static void test_impossible_indices(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 8, 0);
    rk_slot slot = test_slot(1, 1);
    t.ring->tail = 9; /* more than the ring holds */
    assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_CORRUPT);
    t.ring->tail = 1; /* stays refused when the words look right again */
    assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_CORRUPT);
    assert_int_equal(rk_ring_wait_message(&t.consumer, 0, 0), RK_CORRUPT);
    const rk_slot *first;
    assert_int_equal(rk_ring_peek(&t.consumer, 8, &first), 0);
    assert_int_equal(rk_ring_pop_batch(&t.consumer, &slot, 1), 0);

    t.ring->head = 5; /* ahead of the producer */
    assert_int_equal(rk_ring_wait_room(&t.producer, 1, 0, 0), RK_CORRUPT);
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_CORRUPT);
    t.ring->head = 0;
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_CORRUPT);
    test_ring_close(&t);
}

static void test_mp_impossible_head(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 8, 0);
    t.ring->cached_head = 1000;
    t.ring->head = 1000;
    rk_slot slot = test_slot(1, 1);
    assert_int_equal(rk_ring_mp_push(&t.producer, &slot), RK_CORRUPT);
    test_ring_close(&t);
}

/* Random words in every line that the peer owns, between operations of each kind of end. */
static void test_random_words(void **state)
{
    (void)state;
    uint64_t random = 42;
    for (uint32_t kind = RK_RING_SPSC; kind <= RK_RING_LOSSY; kind++) {
        for (unsigned round = 0; round < 300; round++) {
            test_ring t = test_ring_open(kind, 16, 0);
            for (unsigned i = 0; i < 8; i++) {
                unsigned char *bytes = (unsigned char *)t.ring;
                uint64_t at = rk_test_random(&random) % (t.bytes / 4) * 4;
                uint32_t word = (uint32_t)rk_test_random(&random);
                word = rk_test_random(&random) % 2 ? word : word % 64;
                memcpy(bytes + at, &word, sizeof word);
                rk_slot slots[4];
                memset(slots, 0, sizeof slots);
                rk_slot dropped;
                if (kind == RK_RING_SPSC) {
                    (void)rk_ring_push_batch(&t.producer, slots, 4);
                    (void)rk_ring_pop_batch(&t.consumer, slots, 3);
                } else if (kind == RK_RING_LOSSY) {
                    (void)rk_ring_lossy_push(&t.producer, slots, &dropped);
                    (void)rk_ring_lossy_pop(&t.consumer, slots);
                } else {
                    const rk_slot *first;
                    uint32_t count = rk_ring_mp_peek(&t.consumer, 8, &first);
                    rk_ring_mp_release(&t.consumer, count);
                    /* A head that makes no sense costs a claim its whole patience: keep it sane. */
                    t.ring->tail = t.ring->head;
                    (void)rk_ring_mp_push_batch(&t.producer, slots, 4);
                }
                assert_true(rk_ring_depth(&t.consumer) <= 16);
            }
            test_ring_close(&t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attach_refuses),
        cmocka_unit_test(test_impossible_indices),
        cmocka_unit_test(test_mp_impossible_head),
        cmocka_unit_test(test_random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
