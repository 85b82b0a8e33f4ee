/*
 * MPSC rings: claims, order per producer, nothing lost or doubled, waiting.
 */
#include "core/ring_mp.h"
#include "tests/core/ring_support.h"

#include "base/clock.h"
#include "base/thread.h"

static void test_single_thread(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 4, 0);
    t.ring->head = t.ring->tail = t.ring->cached_head = UINT32_MAX - 2;
    assert_int_equal(rk_ring_attach(&t.consumer, RK_RING_CONSUMER, t.ring, t.bytes, 0, NULL),
                     RK_OK);
    rk_slot slot;
    uint64_t pushed = 0;
    uint64_t popped = 0;
    assert_int_equal(rk_ring_mp_pop(&t.consumer, &slot), RK_EMPTY);
    for (unsigned turn = 0; turn < 8; turn++) {
        rk_slot in = test_slot(1, pushed);
        while (rk_ring_mp_push(&t.producer, &in) == RK_OK) {
            in = test_slot(1, ++pushed);
        }
        assert_int_equal(pushed - popped, 4);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(rk_ring_mp_pop(&t.consumer, &slot), RK_OK);
            assert_true(test_slot_is(&slot, 1, popped++));
        }
    }
    test_ring_close(&t);
}

/* A later claim that is committed first stays hidden until the earlier one is committed. */
static void test_commit_order(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 8, 0);
    rk_ring_span first;
    rk_ring_span second;
    assert_int_equal(rk_ring_mp_claim(&t.producer, 2, &first), RK_OK);
    assert_int_equal(rk_ring_mp_claim(&t.producer, 3, &second), RK_OK);
    for (uint32_t i = 0; i < 3; i++) {
        *rk_ring_mp_slot(&t.producer, &second, i) = test_slot(2, i);
    }
    rk_ring_mp_commit(&t.producer, &second);
    rk_slot out[8];
    assert_false(rk_ring_has_message(&t.consumer));
    assert_int_equal(rk_ring_mp_pop_batch(&t.consumer, out, 8), 0);
    for (uint32_t i = 0; i < 2; i++) {
        *rk_ring_mp_slot(&t.producer, &first, i) = test_slot(1, i);
    }
    rk_ring_mp_commit(&t.producer, &first);
    assert_int_equal(rk_ring_mp_pop_batch(&t.consumer, out, 8), 5);
    assert_true(test_slot_is(&out[1], 1, 1) && test_slot_is(&out[4], 2, 2));
    /* The rest of a claim that does not fit. */
    rk_slot many[16];
    memset(many, 0, sizeof many);
    assert_int_equal(rk_ring_mp_push_batch(&t.producer, many, 16), 8);
    assert_int_equal(rk_ring_mp_claim(&t.producer, 1, &first), RK_FULL);
    const rk_slot *run;
    assert_int_equal(rk_ring_mp_peek(&t.consumer, 16, &run), 3); /* up to the ring's end */
    rk_ring_mp_release(&t.consumer, 3);
    assert_int_equal(rk_ring_mp_peek(&t.consumer, 16, &run), 5);
    test_ring_close(&t);
}

static void test_mp_credits(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 8, RK_RING_CREDITS);
    rk_slot slots[8];
    memset(slots, 0, sizeof slots);
    assert_int_equal(rk_ring_mp_push(&t.producer, slots), RK_FULL);
    assert_int_equal(rk_ring_grant(&t.consumer, 3), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 3, 0, 0), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 4, 0, 0), RK_TIMEOUT);
    assert_int_equal(rk_ring_mp_push_batch(&t.producer, slots, 8), 3);
    assert_int_equal(rk_ring_mp_push(&t.producer, slots), RK_FULL);
    test_ring_close(&t);
}

#define PRODUCERS 4u
#define PER_PRODUCER 60000u

typedef struct sender {
    const rk_ring_end *end;
    rk_ring_end *waiting_end;
    uint16_t source;
    uint32_t batch;
    rk_thread thread;
} sender;

static void send_all(void *context)
{
    sender *s = context;
    for (uint64_t number = 0; number < PER_PRODUCER;) {
        rk_slot slots[8];
        uint32_t count = (uint32_t)RK_MIN(s->batch, PER_PRODUCER - number);
        for (uint32_t i = 0; i < count; i++) {
            slots[i] = test_slot(s->source, number + i);
        }
        uint32_t sent = count == 1 ? rk_ring_mp_push(s->end, slots) == RK_OK
                                   : rk_ring_mp_push_batch(s->end, slots, count);
        if (sent == 0) {
            (void)rk_ring_wait_room(s->waiting_end, 1, RK_NEVER, 1000); /* the loop looks again */
        }
        number += sent;
    }
}

/* Four producers, single and in batches, over one shared end; a ring small enough to be full often.
  */
static void test_many_producers(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_MPSC, 32, 0);
    sender senders[PRODUCERS];
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        senders[i] = (sender){.end = &t.producer,
                              .waiting_end = &t.producer,
                              .source = (uint16_t)(i + 1),
                              .batch = 1 + (i % 2) * 6};
        assert_int_equal(rk_thread_start(&senders[i].thread, "send", send_all, &senders[i]), RK_OK);
    }
    uint64_t next[PRODUCERS] = {0};
    for (uint64_t taken = 0; taken < PRODUCERS * PER_PRODUCER;) {
        rk_slot slots[8];
        uint32_t count = rk_ring_mp_pop_batch(&t.consumer, slots, 8);
        for (uint32_t i = 0; i < count; i++) {
            uint16_t source = slots[i].header.source;
            assert_in_range(source, 1, PRODUCERS);
            assert_true(test_slot_is(&slots[i], source, next[source - 1]++));
        }
        taken += count;
        if (count == 0) {
            assert_int_equal(rk_ring_wait_message(&t.consumer, RK_NEVER, 1000), RK_OK);
        }
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        rk_thread_join(&senders[i].thread);
        assert_int_equal(next[i], PER_PRODUCER);
    }
    assert_int_equal(rk_ring_depth(&t.consumer), 0);
    test_ring_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_thread),
        cmocka_unit_test(test_commit_order),
        cmocka_unit_test(test_mp_credits),
        cmocka_unit_test(test_many_producers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
