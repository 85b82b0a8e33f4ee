/*
 * Full policies, each outcome counted; watermarks; credits.
 */
#include "core/queue.h"
#include "tests/core/ring_support.h"

#include "base/clock.h"
#include "base/thread.h"

typedef struct given_up {
    uint64_t ids[64];
    unsigned count;
} given_up;

static void keep(void *context, const rk_slot *message)
{
    given_up *g = context;
    assert_true(g->count < 64);
    g->ids[g->count++] = message->header.id;
}

static rk_queue_sender make_sender(rk_ring_end *end, rk_full_policy policy, given_up *g)
{
    rk_queue_config config = {.policy = policy, .dead_letter = keep, .dropped = keep, .context = g};
    rk_queue_sender sender;
    assert_int_equal(rk_queue_sender_init(&sender, end, &config, NULL), RK_OK);
    return sender;
}

static rk_queue_outcome send_number(rk_queue_sender *sender, uint64_t number)
{
    rk_slot slot = test_slot(1, number);
    return rk_queue_send(sender, &slot, 0);
}

/* Ten messages into four slots, for every policy and kind: the outcomes and the counts. */
static void test_policies(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind;
        rk_full_policy policy;
        rk_queue_outcome full;
        rk_status status;
        unsigned refused, dropped;
        uint64_t first; /* that the receiver gets */
    } cases[] = {
        {RK_RING_SPSC, RK_FULL_REFUSE, RK_QUEUE_REFUSED, RK_FULL, 6, 0, 0},
        {RK_RING_SPSC, RK_FULL_BLOCK, RK_QUEUE_TIMED_OUT, RK_TIMEOUT, 6, 0, 0},
        {RK_RING_SPSC, RK_FULL_DEAD_LETTER, RK_QUEUE_DEAD_LETTER, RK_FULL, 0, 6, 0},
        {RK_RING_SPSC, RK_FULL_DROP_NEWEST, RK_QUEUE_DROPPED_NEWEST, RK_FULL, 0, 6, 0},
        {RK_RING_MPSC, RK_FULL_REFUSE, RK_QUEUE_REFUSED, RK_FULL, 6, 0, 0},
        {RK_RING_MPSC, RK_FULL_BLOCK, RK_QUEUE_TIMED_OUT, RK_TIMEOUT, 6, 0, 0},
        {RK_RING_MPSC, RK_FULL_DEAD_LETTER, RK_QUEUE_DEAD_LETTER, RK_FULL, 0, 6, 0},
        {RK_RING_LOSSY, RK_FULL_DROP_OLDEST, RK_QUEUE_SENT_DROPPED_OLDEST, RK_OK, 0, 6, 6},
    };
    for (size_t c = 0; c < RK_COUNT_OF(cases); c++) {
        test_ring t = test_ring_open(cases[c].kind, 4, 0);
        given_up g = {.count = 0};
        rk_queue_sender sender = make_sender(&t.producer, cases[c].policy, &g);
        rk_queue_receiver receiver;
        assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 0, NULL, NULL), RK_OK);
        for (uint64_t i = 0; i < 10; i++) {
            assert_int_equal(send_number(&sender, i), i < 4 ? RK_QUEUE_SENT : cases[c].full);
        }
        assert_int_equal(rk_queue_outcome_status(cases[c].full), cases[c].status);
        assert_int_equal(sender.counts[RK_QUEUE_SENT], 4);
        assert_int_equal(sender.counts[cases[c].full], 6);
        assert_int_equal(t.ring->refused, cases[c].refused);
        assert_int_equal(t.ring->dropped, cases[c].dropped);
        assert_int_equal(g.count, cases[c].dropped);
        for (unsigned i = 0; i < g.count; i++) {
            assert_int_equal(g.ids[i], cases[c].first == 0 ? i + 4 : i);
        }
        rk_slot slot;
        for (uint64_t i = 0; i < 4; i++) {
            assert_int_equal(rk_queue_receive(&receiver, &slot), RK_OK);
            assert_true(test_slot_is(&slot, 1, cases[c].first + i));
        }
        assert_int_equal(rk_queue_receive(&receiver, &slot), RK_EMPTY);
        assert_int_equal(rk_queue_receive_wait(&receiver, &slot, 0, 0), RK_TIMEOUT);
        assert_int_equal(receiver.received, 4);
        test_ring_close(&t);
    }
}

static void test_init_refuses(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 4, 0);
    test_ring lossy = test_ring_open(RK_RING_LOSSY, 4, 0);
    rk_err err = RK_ERR_INIT;
    rk_queue_sender sender;
    rk_queue_receiver receiver;
    rk_queue_config config = {.policy = RK_FULL_REFUSE};
    assert_int_equal(rk_queue_sender_init(&sender, &t.consumer, &config, &err), RK_INVALID);
    assert_int_equal(rk_queue_sender_init(&sender, &lossy.producer, &config, &err), RK_INVALID);
    config.policy = RK_FULL_DROP_OLDEST;
    assert_int_equal(rk_queue_sender_init(&sender, &t.producer, &config, &err), RK_INVALID);
    config.policy = RK_FULL_DEAD_LETTER;
    assert_int_equal(rk_queue_sender_init(&sender, &t.producer, &config, &err), RK_INVALID);
    config.policy = (rk_full_policy)9;
    assert_int_equal(rk_queue_sender_init(&sender, &t.producer, &config, &err), RK_INVALID);
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.producer, 0, NULL, &err), RK_INVALID);
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 5, NULL, &err), RK_STATE);
    for (int i = 0; i < RK_QUEUE_OUTCOME_COUNT; i++) {
        assert_true(strlen(rk_queue_outcome_text((rk_queue_outcome)i)) > 3);
    }
    test_ring_close(&t);
    test_ring_close(&lossy);
}

static void test_damaged_ring(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 4, 0);
    given_up g = {.count = 0};
    rk_queue_sender sender = make_sender(&t.producer, RK_FULL_BLOCK, &g);
    t.ring->head = 77;
    assert_int_equal(send_number(&sender, 0), RK_QUEUE_FAILED);
    assert_int_equal(rk_queue_outcome_status(RK_QUEUE_FAILED), RK_CORRUPT);
    assert_int_equal(sender.counts[RK_QUEUE_FAILED], 1);
    test_ring_close(&t);
}

typedef struct crossings {
    bool above[16];
    uint32_t depth[16];
    unsigned count;
} crossings;

static void note(void *context, bool above, uint32_t depth)
{
    crossings *c = context;
    assert_true(c->count < 16);
    c->above[c->count] = above;
    c->depth[c->count++] = depth;
}

static void test_watermarks(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 16, 0);
    crossings sent = {.count = 0};
    crossings received = {.count = 0};
    rk_queue_config config = {
        .policy = RK_FULL_REFUSE,
        .watermark = {.high = 8, .low = 3, .crossed = note, .context = &sent},
    };
    rk_watermark mark = {.high = 6, .low = 2, .crossed = note, .context = &received};
    rk_queue_sender sender;
    rk_queue_receiver receiver;
    assert_int_equal(rk_queue_sender_init(&sender, &t.producer, &config, NULL), RK_OK);
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 0, &mark, NULL), RK_OK);
    rk_slot slot;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (uint64_t i = 0; i < 10; i++) {
            assert_int_equal(send_number(&sender, i), RK_QUEUE_SENT);
        }
        for (unsigned i = 0; i < 4; i++) { /* up and down between the marks: no crossing */
            assert_int_equal(rk_queue_receive(&receiver, &slot), RK_OK);
            rk_queue_sender_poll(&sender);
            assert_int_equal(send_number(&sender, i), RK_QUEUE_SENT);
        }
        while (rk_queue_receive(&receiver, &slot) == RK_OK) {
            rk_queue_sender_poll(&sender);
        }
    }
    assert_int_equal(sent.count, 4);
    assert_int_equal(received.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(sent.above[i], i % 2 == 0);
        assert_int_equal(sent.depth[i], i % 2 == 0 ? 8 : 3);
        assert_int_equal(received.above[i], i % 2 == 0);
        assert_int_equal(received.depth[i], i % 2 == 0 ? 9 : 2);
    }
    assert_int_equal(t.ring->high_water, 10);
    config.watermark.low = 8;
    assert_int_equal(rk_queue_sender_init(&sender, &t.producer, &config, NULL), RK_INVALID);
    mark.low = 6;
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 0, &mark, NULL), RK_INVALID);
    test_ring_close(&t);
}

static void test_credit_window(void **state)
{
    (void)state;
    test_ring t = test_ring_open(RK_RING_SPSC, 16, RK_RING_CREDITS);
    given_up g = {.count = 0};
    rk_queue_sender sender = make_sender(&t.producer, RK_FULL_REFUSE, &g);
    rk_queue_receiver receiver;
    assert_int_equal(send_number(&sender, 0), RK_QUEUE_REFUSED);
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 4, NULL, NULL), RK_OK);
    uint64_t sent = 0;
    rk_slot slot;
    for (uint64_t received = 0; received < 40; received++) {
        while (send_number(&sender, sent) == RK_QUEUE_SENT) {
            sent++;
        }
        /* Renewed when half are used: the sender never runs further down than that. */
        assert_in_range(sent - received, 3, 4);
        assert_int_equal(rk_queue_receive(&receiver, &slot), RK_OK);
        assert_true(test_slot_is(&slot, 1, received));
    }
    /* A new receiver takes over the credits that are open. */
    assert_int_equal(rk_queue_receiver_init(&receiver, &t.consumer, 4, NULL, NULL), RK_OK);
    assert_true(receiver.open >= 3 && receiver.open <= 4);
    test_ring_close(&t);
}

#define BLOCKED_MESSAGES 50000u

typedef struct blocked {
    rk_queue_sender sender;
    uint64_t outcomes[RK_QUEUE_OUTCOME_COUNT];
} blocked;

static void send_blocked(void *context)
{
    blocked *b = context;
    for (uint64_t i = 0; i < BLOCKED_MESSAGES; i++) {
        rk_slot slot = test_slot(1, i);
        b->outcomes[rk_queue_send(&b->sender, &slot, RK_NEVER)]++;
    }
}

/* A blocking sender loses nothing, however slow the receiver is: by room and by credits. */
static void test_blocking(void **state)
{
    (void)state;
    for (unsigned credits = 0; credits < 2; credits++) {
        test_ring t = test_ring_open(RK_RING_SPSC, 4, credits ? RK_RING_CREDITS : 0);
        given_up g = {.count = 0};
        blocked b = {.sender = make_sender(&t.producer, RK_FULL_BLOCK, &g)};
        rk_queue_receiver receiver;
        assert_int_equal(
            rk_queue_receiver_init(&receiver, &t.consumer, credits ? 2 : 0, NULL, NULL), RK_OK);
        rk_thread thread;
        assert_int_equal(rk_thread_start(&thread, "send", send_blocked, &b), RK_OK);
        for (uint64_t i = 0; i < BLOCKED_MESSAGES; i++) {
            rk_slot slot;
            assert_int_equal(rk_queue_receive_wait(&receiver, &slot, RK_NEVER, 1000), RK_OK);
            assert_true(test_slot_is(&slot, 1, i));
        }
        rk_thread_join(&thread);
        assert_int_equal(b.outcomes[RK_QUEUE_SENT], BLOCKED_MESSAGES);
        assert_int_equal(b.sender.counts[RK_QUEUE_SENT], BLOCKED_MESSAGES);
        assert_int_equal(t.ring->refused, 0);
        test_ring_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),      cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_damaged_ring),  cmocka_unit_test(test_watermarks),
        cmocka_unit_test(test_credit_window), cmocka_unit_test(test_blocking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
