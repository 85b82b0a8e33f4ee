/*
 * LOSSY rings: the newest messages stay, the dropped ones are handed back, nothing is torn.
 */
#include "core/ring_lossy.h"
#include "tests/core/ring_support.h"

#include "base/thread.h"

#include <sched.h>

static void test_drops_oldest(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_LOSSY, 4, 0);
    rk_slot slot;
    rk_slot dropped;
    assert_int_equal(rk_ring_lossy_pop(&t.consumer, &slot), RK_EMPTY);
    for (uint64_t i = 0; i < 10; i++) {
        slot = test_slot(1, i);
        rk_status status = rk_ring_lossy_push(&t.producer, &slot, &dropped);
        assert_int_equal(status, i < 4 ? RK_OK : RK_FULL);
        if (i >= 4) {
            assert_true(test_slot_is(&dropped, 1, i - 4));
        }
    }
    assert_int_equal(rk_ring_wait_message(&t.consumer, 0, 0), RK_OK);
    for (uint64_t i = 6; i < 10; i++) {
        assert_int_equal(rk_ring_lossy_pop(&t.consumer, &slot), RK_OK);
        assert_true(test_slot_is(&slot, 1, i));
    }
    assert_int_equal(rk_ring_lossy_pop(&t.consumer, &slot), RK_EMPTY);
    assert_int_equal(rk_ring_wait_message(&t.consumer, 0, 0), RK_TIMEOUT);
    test_ring_close(&t);
}

#define MESSAGES 300000u

typedef struct flood {
    test_ring t;
    uint64_t dropped;
    bool torn;
} flood;

static void produce(void *context)
{
    flood *f = context;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        rk_slot slot = test_slot(3, i);
        rk_slot dropped;
        if (rk_ring_lossy_push(&f->t.producer, &slot, &dropped) == RK_FULL) {
            f->dropped++;
            f->torn = f->torn || !test_slot_is(&dropped, 3, dropped.header.id);
        }
    }
}

/* Every message is either received or dropped, in order, and none is torn. */
static void test_two_threads(void **state)
{
    (void)state;
    flood f = {.t = test_ring_open(RK_RING_LOSSY, 8, 0)};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "produce", produce, &f), RK_OK);
    uint64_t received = 0;
    uint64_t last = UINT64_MAX;
    while (last != MESSAGES - 1) {
        rk_slot slot;
        if (rk_ring_lossy_pop(&f.t.consumer, &slot) != RK_OK) {
            (void)sched_yield(); /* always succeeds on Linux */
            continue;
        }
        assert_true(test_slot_is(&slot, 3, slot.header.id));
        assert_true(last == UINT64_MAX || slot.header.id > last);
        last = slot.header.id;
        received++;
    }
    rk_thread_join(&thread);
    assert_false(f.torn);
    assert_int_equal(received + f.dropped, MESSAGES);
    test_ring_close(&f.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_oldest),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
