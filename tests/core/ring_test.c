/*
 * SPSC rings: laying out, order, wrap-around, batches, zero copy, credits, waiting, two threads.
 */
#include "tests/core/ring_support.h"

#include "base/clock.h"
#include "base/thread.h"
#include "support/random.h"

#include <sched.h>

static void test_init_refuses(void **state)
{
    (void)state;
    static alignas(128) unsigned char memory[RK_RING_SPSC_BYTES(8)];
    rk_err err = RK_ERR_INIT;
    struct {
        uint64_t bytes;
        uint32_t kind, capacity, flags;
        rk_status expected;
    } cases[] = {
        {sizeof memory, 0, 8, 0, RK_INVALID},
        {sizeof memory, 4, 8, 0, RK_INVALID},
        {sizeof memory, RK_RING_SPSC, 0, 0, RK_INVALID},
        {sizeof memory, RK_RING_SPSC, 1, 0, RK_INVALID},
        {sizeof memory, RK_RING_SPSC, 6, 0, RK_INVALID},
        {sizeof memory, RK_RING_SPSC, RK_RING_MAX_SLOTS * 2, 0, RK_INVALID},
        {sizeof memory, RK_RING_SPSC, 8, 2, RK_INVALID},
        {sizeof memory, RK_RING_LOSSY, 8, RK_RING_CREDITS, RK_INVALID},
        {sizeof memory - 1, RK_RING_SPSC, 8, 0, RK_NO_SPACE},
        {sizeof memory, RK_RING_MPSC, 8, 0, RK_NO_SPACE},
        {sizeof memory, RK_RING_SPSC, 8, 0, RK_OK},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        assert_int_equal(rk_ring_init(memory, cases[i].bytes, cases[i].kind, cases[i].capacity,
                                      cases[i].flags, &err),
                         cases[i].expected);
    }
    assert_int_equal(rk_ring_init(memory + 8, sizeof memory - 8, RK_RING_SPSC, 4, 0, &err),
                     RK_INVALID);
    assert_int_equal(rk_ring_init(NULL, sizeof memory, RK_RING_SPSC, 4, 0, &err), RK_INVALID);
    assert_int_equal(rk_ring_bytes(RK_RING_SPSC, 8), sizeof memory);
    assert_int_equal(rk_ring_bytes(RK_RING_SPSC, 7), 0);
}

/* Single messages in order, through many turns of the ring and through the wrap of the index. */
static void test_order_and_full(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 4, 0);
    t.ring->head = t.ring->tail = UINT32_MAX - 5; /* as after 2^32 - 6 messages */
    assert_int_equal(rk_ring_attach(&t.producer, RK_RING_PRODUCER, t.ring, t.bytes, 0, NULL),
                     RK_OK);
    assert_int_equal(rk_ring_attach(&t.consumer, RK_RING_CONSUMER, t.ring, t.bytes, 0, NULL),
                     RK_OK);
    rk_slot slot;
    assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_EMPTY);
    uint64_t pushed = 0;
    uint64_t popped = 0;
    for (unsigned turn = 0; turn < 10; turn++) {
        for (;;) {
            rk_slot in = test_slot(1, pushed);
            rk_status status = rk_ring_push(&t.producer, &in);
            if (status == RK_FULL) {
                break;
            }
            assert_int_equal(status, RK_OK);
            pushed++;
        }
        assert_int_equal(pushed - popped, 4);
        assert_int_equal(rk_ring_depth(&t.consumer), 4);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_OK);
            assert_true(test_slot_is(&slot, 1, popped));
            popped++;
        }
    }
    assert_int_equal(rk_ring_depth(&t.producer), 1);
    test_ring_close(&t);
}

/* Any mix of the four ways to fill and of the four ways to empty keeps the order. */
static void test_random_mix(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 32, 0);
    uint64_t random = 1;
    uint64_t pushed = 0;
    uint64_t popped = 0;
    rk_slot batch[48];
    for (unsigned turn = 0; turn < 20000; turn++) {
        uint32_t count = (uint32_t)(rk_test_random(&random) % 48);
        switch (rk_test_random(&random) % 6) {
        case 0:
            batch[0] = test_slot(1, pushed);
            pushed += rk_ring_push(&t.producer, &batch[0]) == RK_OK;
            break;
        case 1:
            for (uint32_t i = 0; i < count; i++) {
                batch[i] = test_slot(1, pushed + i);
            }
            pushed += rk_ring_push_batch(&t.producer, batch, count);
            break;
        case 2: {
            rk_slot *first;
            uint32_t run = rk_ring_reserve(&t.producer, count, &first);
            assert_true(run <= count);
            run = run ? (uint32_t)(rk_test_random(&random) % (run + 1)) : 0;
            for (uint32_t i = 0; i < run; i++) {
                first[i] = test_slot(1, pushed + i);
            }
            rk_ring_commit(&t.producer, run);
            pushed += run;
            break;
        }
        case 3:
            if (rk_ring_pop(&t.consumer, &batch[0]) == RK_OK) {
                assert_true(test_slot_is(&batch[0], 1, popped++));
            }
            break;
        case 4:
            count = rk_ring_pop_batch(&t.consumer, batch, count);
            for (uint32_t i = 0; i < count; i++) {
                assert_true(test_slot_is(&batch[i], 1, popped++));
            }
            break;
        default: {
            const rk_slot *first;
            count = rk_ring_peek(&t.consumer, count, &first);
            for (uint32_t i = 0; i < count; i++) {
                assert_true(test_slot_is(&first[i], 1, popped++));
            }
            rk_ring_release(&t.consumer, count);
        }
        }
        assert_true(pushed - popped <= 32);
        assert_int_equal(rk_ring_depth(&t.producer), pushed - popped);
    }
    assert_true(popped > 10000);
    test_ring_close(&t);
}

/* A new end goes on where the old one stopped: what was not taken is still there. */
static void test_attach_again(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 8, 0);
    rk_slot slot;
    for (uint64_t i = 0; i < 5; i++) {
        slot = test_slot(1, i);
        assert_int_equal(rk_ring_push(&t.producer, &slot), RK_OK);
    }
    assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_OK);
    rk_ring_end producer;
    rk_ring_end consumer;
    assert_int_equal(rk_ring_attach(&producer, RK_RING_PRODUCER, t.ring, t.bytes, 0, NULL), RK_OK);
    assert_int_equal(rk_ring_attach(&consumer, RK_RING_CONSUMER, t.ring, t.bytes, 0, NULL), RK_OK);
    slot = test_slot(1, 5);
    assert_int_equal(rk_ring_push(&producer, &slot), RK_OK);
    for (uint64_t i = 1; i < 6; i++) {
        assert_int_equal(rk_ring_pop(&consumer, &slot), RK_OK);
        assert_true(test_slot_is(&slot, 1, i));
    }
    assert_int_equal(rk_ring_pop(&consumer, &slot), RK_EMPTY);
    test_ring_close(&t);
}

static void test_credits(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 8, RK_RING_CREDITS);
    rk_slot slot = test_slot(1, 0);
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_FULL);
    assert_int_equal(rk_ring_wait_room(&t.producer, 1, 0, 0), RK_TIMEOUT);
    assert_int_equal(rk_ring_grant(&t.consumer, 3), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 3, 0, 0), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 4, 0, 0), RK_TIMEOUT);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rk_ring_push(&t.producer, &slot), RK_OK);
    }
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_FULL);
    assert_int_equal(rk_ring_pop(&t.consumer, &slot), RK_OK); /* room, but no credit */
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_FULL);
    assert_int_equal(rk_ring_grant(&t.consumer, 100), RK_OK); /* credit for more than fits */
    unsigned more = 0;
    while (rk_ring_push(&t.producer, &slot) == RK_OK) {
        more++;
    }
    assert_int_equal(more, 6);
    assert_int_equal(rk_ring_grant(&t.consumer, RK_RING_MAX_CREDITS), RK_LIMIT);
    assert_int_equal(rk_ring_grant(&t.consumer, UINT32_MAX), RK_LIMIT);
    test_ring_close(&t);

    test_ring plain = test_ring_open(RK_RING_SPSC, 8, 0);
    assert_int_equal(rk_ring_grant(&plain.consumer, 1), RK_STATE);
    test_ring_close(&plain);
}

static void test_wait_deadlines(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 2, 0);
    rk_slot slot = test_slot(1, 0);
    assert_int_equal(rk_ring_wait_message(&t.consumer, 0, 0), RK_TIMEOUT);
    assert_false(rk_ring_has_message(&t.consumer));
    assert_int_equal(rk_ring_wait_room(&t.producer, 2, 0, 0), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 3, 0, 0), RK_INVALID);
    assert_int_equal(rk_ring_push(&t.producer, &slot), RK_OK);
    assert_true(rk_ring_has_message(&t.consumer));
    assert_int_equal(rk_ring_wait_message(&t.consumer, 0, 0), RK_OK);
    assert_int_equal(rk_ring_wait_room(&t.producer, 2, 0, 0), RK_TIMEOUT);
    assert_int_equal(rk_ring_wait_room(&t.producer, 1, 0, 0), RK_OK);
    test_ring_close(&t);
}

/* Two rings whose consumer sleeps on one bell that lies before them in the region. */
static void test_shared_bell(void **state)
{
    (void)state;
    uint64_t one = rk_ring_bytes(RK_RING_SPSC, 4);
    uint64_t bytes = 128 + 2 * one;
    unsigned char *region = aligned_alloc(128, (size_t)((bytes + 127) / 128 * 128));
    assert_non_null(region);
    memset(region, 0, 128);
    rk_bell *bell = (rk_bell *)(void *)region;
    rk_ring_end producers[2];
    rk_ring_end consumers[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = 128 + i * one;
        assert_int_equal(rk_ring_init(region + at, one, RK_RING_SPSC, 4, 0, NULL), RK_OK);
        rk_ring_set_bell((rk_ring *)(void *)(region + at), RK_RING_CONSUMER, bell);
        assert_int_equal(rk_ring_attach(&producers[i], RK_RING_PRODUCER, region, bytes, at, NULL),
                         RK_OK);
        assert_int_equal(rk_ring_attach(&consumers[i], RK_RING_CONSUMER, region, bytes, at, NULL),
                         RK_OK);
        assert_ptr_equal(consumers[i].own_bell, bell);
        assert_ptr_equal(producers[i].peer_bell, bell);
    }
    for (unsigned i = 0; i < 2; i++) {
        bell->parked = 1;
        rk_slot slot = test_slot(1, i);
        assert_int_equal(rk_ring_push(&producers[i], &slot), RK_OK);
        assert_int_equal(bell->parked, 0);
        assert_int_equal(bell->rung, i + 1);
    }
    free(region);
}

typedef struct stream {
    test_ring t;
    unsigned how; /* 0 single, 1 batch, 2 zero copy */
    bool wait;    /* sleep for room and messages instead of polling */
    uint64_t messages;
} stream;

static void produce(void *context)
{
    stream *s = context;
    rk_ring_end *end = &s->t.producer;
    for (uint64_t number = 0; number < s->messages;) {
        rk_slot slots[16];
        uint32_t count = (uint32_t)RK_MIN(16, s->messages - number);
        uint32_t sent = 0;
        rk_slot *first;
        switch (s->how) {
        case 0:
            slots[0] = test_slot(7, number);
            sent = rk_ring_push(end, &slots[0]) == RK_OK;
            break;
        case 1:
            for (uint32_t i = 0; i < count; i++) {
                slots[i] = test_slot(7, number + i);
            }
            sent = rk_ring_push_batch(end, slots, count);
            break;
        default:
            sent = rk_ring_reserve(end, count, &first);
            for (uint32_t i = 0; i < sent; i++) {
                first[i] = test_slot(7, number + i);
            }
            if (sent) {
                rk_ring_commit(end, sent);
            }
        }
        if (sent == 0 && s->wait) {
            (void)rk_ring_wait_room(end, 1, RK_NEVER, 0); /* the loop looks again */
        } else if (sent == 0) {
            (void)sched_yield(); /* always succeeds on Linux */
        }
        number += sent;
    }
}

static uint32_t take(stream *s, uint64_t number)
{
    rk_ring_end *end = &s->t.consumer;
    rk_slot slots[16];
    const rk_slot *first = slots;
    uint32_t count;
    if (s->how == 0) {
        count = rk_ring_pop(end, &slots[0]) == RK_OK;
    } else if (s->how == 1) {
        count = rk_ring_pop_batch(end, slots, 16);
    } else {
        count = rk_ring_peek(end, 16, &first);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_true(test_slot_is(&first[i], 7, number + i));
    }
    if (s->how == 2 && count) {
        rk_ring_release(end, count);
    }
    return count;
}

static void two_threads(unsigned how, bool wait, uint32_t capacity)
{
    stream s = {.t = test_ring_open(RK_RING_SPSC, capacity, 0),
                .how = how,
                .wait = wait,
                .messages = wait ? 30000 : 200000};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "produce", produce, &s), RK_OK);
    for (uint64_t number = 0; number < s.messages;) {
        uint32_t taken = take(&s, number);
        if (taken == 0 && wait) {
            assert_int_equal(rk_ring_wait_message(&s.t.consumer, RK_NEVER, 0), RK_OK);
        } else if (taken == 0) {
            (void)sched_yield(); /* always succeeds on Linux */
        }
        number += taken;
    }
    rk_thread_join(&thread);
    assert_int_equal(rk_ring_depth(&s.t.consumer), 0);
    test_ring_close(&s.t);
}

static void test_threads_polling(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        two_threads(how, false, 64);
    }
}

/* A tiny ring and no polling: both sides sleep and are woken all the time. */
static void test_threads_sleeping(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        two_threads(how, true, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_refuses),     cmocka_unit_test(test_order_and_full),
        cmocka_unit_test(test_random_mix),       cmocka_unit_test(test_attach_again),
        cmocka_unit_test(test_credits),          cmocka_unit_test(test_wait_deadlines),
        cmocka_unit_test(test_shared_bell),      cmocka_unit_test(test_threads_polling),
        cmocka_unit_test(test_threads_sleeping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
