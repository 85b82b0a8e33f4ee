/*
 * QoS 1 and 2: kept until acknowledged, redelivered on a clock that the test steps, given up in
 * the end, never twice with QoS 2.
 */
#include "tests/fabric/fabric_support.h"

#define START_NS 1000000000u
#define RETRY_NS 1000000000u

typedef struct fixture {
    rk_test_clock clock;
    test_fabric t;
    test_sink publisher;
    test_sink a;
    uint64_t next_id;
} fixture;

static void set_up(fixture *f, const rk_fabric_options *options)
{
    memset(f, 0, sizeof(*f));
    rk_test_clock_install(&f->clock, START_NS, 1700000000000000000u);
    rk_fabric_options own = {.retry_limit = 4};
    test_fabric_open(&f->t, options ? options : &own);
    test_sink_open(&f->publisher, f->t.fabric, "publisher", 2);
    test_sink_open(&f->a, f->t.fabric, "a", 2);
}

static void tear_down(fixture *f)
{
    test_fabric_close(&f->t);
    rk_test_clock_remove(&f->clock);
}

static void subscribe(fixture *f, const test_sink *sink, const char *pattern, uint32_t qos)
{
    assert_int_equal(rk_fabric_subscribe(f->t.fabric, sink->id, pattern, qos, NULL), RK_OK);
}

static rk_publish_result publish(fixture *f, uint32_t qos, const char *text)
{
    rk_publish_options options = {.qos = qos, .publish_id = ++f->next_id};
    rk_publish_result result;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_publish(f->t.fabric, f->publisher.id, "topic", TYPE_PING, text,
                                       (uint32_t)strlen(text), &options, &result, &err),
                     RK_OK);
    return result;
}

static void step(fixture *f, uint64_t ns)
{
    rk_test_clock_step(&f->clock, ns);
    (void)rk_fabric_poll(f->t.fabric);
}

static rk_status acknowledge(fixture *f, uint32_t token)
{
    return rk_fabric_acknowledge(f->t.fabric, f->a.id, token);
}

/* The smaller of the two. */
static void test_effective_qos(void **state)
{
    (void)state;
    for (uint32_t published = 0; published <= 2; published++) {
        for (uint32_t subscribed = 0; subscribed <= 2; subscribed++) {
            fixture f;
            set_up(&f, NULL);
            subscribe(&f, &f.a, "topic", subscribed);
            subscribe(&f, &f.a, "#", 0); /* the largest of several counts */
            assert_int_equal(publish(&f, published, "x").delivered, 1);
            uint32_t qos = RK_MIN(published, subscribed);
            assert_int_equal(f.a.count, 1);
            assert_int_equal((f.a.last.header.flags & RK_MSG_QOS_MASK) >> RK_MSG_QOS_SHIFT, qos);
            assert_int_equal(f.a.last.header.correlation != 0, qos > 0);
            assert_int_equal(test_stats(&f.t).inflight, qos > 0);
            tear_down(&f);
        }
    }
}

static void test_acknowledged(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 1);
    assert_int_equal(publish(&f, 1, "one").delivered, 1);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_COMPLETED), 0);
    assert_true(test_stats(&f.t).inflight_bytes > 0);
    rk_endpoint_stats stats;
    assert_int_equal(rk_endpoint_stats_get(f.t.fabric, f.a.id, &stats), RK_OK);
    assert_int_equal(stats.unacknowledged, 1);
    assert_int_equal(acknowledge(&f, f.a.tokens[0]), RK_OK);
    assert_int_equal(acknowledge(&f, f.a.tokens[0]), RK_NOT_FOUND);
    assert_int_equal(acknowledge(&f, 0), RK_NOT_FOUND);
    assert_int_equal(acknowledge(&f, 12345), RK_NOT_FOUND);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_COMPLETED), 1);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    assert_int_equal(test_stats(&f.t).inflight_bytes, 0);
    assert_int_equal(test_stats(&f.t).acknowledged, 1);
    assert_true(rk_fabric_poll(f.t.fabric) == UINT64_MAX);
    step(&f, 10 * (uint64_t)RETRY_NS);
    assert_int_equal(f.a.count, 1);
    tear_down(&f);
}

static void test_redelivered(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 1);
    (void)publish(&f, 1, "one");
    assert_int_equal(f.a.flags[0] & RK_MSG_DUPLICATE, 0);
    step(&f, RETRY_NS - 1);
    assert_int_equal(f.a.count, 1);
    step(&f, 1);
    assert_int_equal(f.a.count, 2);
    assert_int_equal(f.a.flags[1] & RK_MSG_DUPLICATE, RK_MSG_DUPLICATE);
    assert_int_equal(f.a.tokens[1], f.a.tokens[0]);
    assert_memory_equal(f.a.payload, "one", 3);
    assert_string_equal(f.a.topic, "topic");
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_REDELIVERED), 1);
    assert_int_equal(test_stats(&f.t).redeliveries, 1);
    /* Four deliveries in all, then a dead letter. */
    step(&f, RETRY_NS);
    step(&f, RETRY_NS);
    assert_int_equal(f.a.count, 4);
    assert_int_equal(test_letters(&f.t), 0);
    step(&f, RETRY_NS);
    assert_int_equal(f.a.count, 4);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_RETRIES), 1);
    assert_int_equal(acknowledge(&f, f.a.tokens[0]), RK_NOT_FOUND);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_COMPLETED), 1);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    assert_true(rk_fabric_poll(f.t.fabric) == UINT64_MAX);
    tear_down(&f);
}

/* A full subscriber: kept in order, delivered when there is room, without the duplicate flag when
 * it never got it. */
static void test_full_subscriber(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    rk_mailbox_options options = {.tenant = 2, .message_limit = 2};
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(f.t.fabric, &options, &mailbox, NULL), RK_OK);
    assert_int_equal(
        rk_fabric_subscribe(f.t.fabric, rk_mailbox_endpoint(mailbox), "topic", 1, NULL), RK_OK);
    for (unsigned i = 0; i < 20; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        rk_publish_result result = publish(&f, 1, text);
        assert_int_equal(result.delivered, i < 2);
        assert_int_equal(result.kept, i >= 2);
    }
    /* Receiving acknowledges, and an acknowledgement lets the next ones in: no time passes. */
    for (unsigned i = 0; i < 20; i++) {
        rk_mail mail;
        char text = 0;
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, &text, 1, 0), RK_OK);
        assert_int_equal(text, 'a' + i);
        assert_int_equal(mail.header.flags & RK_MSG_QOS_MASK, 1 << RK_MSG_QOS_SHIFT);
    }
    assert_int_equal(test_stats(&f.t).inflight, 0);
    assert_int_equal(test_letters(&f.t), 0);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_COMPLETED), 20);
    rk_mailbox_destroy(mailbox);
    tear_down(&f);
}

/* A subscriber that never takes anything gives up each message after its attempts, in order. */
static void test_never_taken(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 2);
    f.a.receipt = RK_RECEIPT_QUEUE_FULL;
    assert_int_equal(publish(&f, 2, "one").kept, 1);
    assert_int_equal(publish(&f, 2, "two").kept, 1);
    assert_int_equal(f.a.count, 1); /* "two" waits behind "one" */
    for (unsigned i = 0; i < 3; i++) {
        step(&f, RETRY_NS);
    }
    assert_int_equal(f.a.count, 4);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_RETRIES), 1);
    for (unsigned i = 0; i < 4; i++) {
        step(&f, RETRY_NS);
    }
    assert_int_equal(f.a.count, 8);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_RETRIES), 2);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    /* It comes to life again. */
    f.a.receipt = RK_RECEIPT_DELIVERED;
    assert_int_equal(publish(&f, 2, "three").delivered, 1);
    assert_memory_equal(f.a.payload, "three", 5);
    assert_int_equal(acknowledge(&f, f.a.last.header.correlation), RK_OK);
    tear_down(&f);
}

static void test_expired(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 1);
    rk_publish_options options = {.qos = 1, .deadline_us = 1700000000000000u + 500000u};
    assert_int_equal(rk_fabric_publish(f.t.fabric, f.publisher.id, "topic", TYPE_PING, "x", 1,
                                       &options, NULL, NULL),
                     RK_OK);
    step(&f, RETRY_NS);
    assert_int_equal(f.a.count, 1);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_EXPIRED), 1);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    tear_down(&f);
}

static void test_window_limit(void **state)
{
    (void)state;
    rk_fabric_options options = {.inflight_limit = 20, .inflight_limit_bytes = 1000000};
    fixture f;
    set_up(&f, &options);
    subscribe(&f, &f.a, "topic", 1);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(publish(&f, 1, "x").delivered, 1);
    }
    assert_int_equal(publish(&f, 1, "x").lost, 1);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_QUEUE_FULL), 1);
    assert_int_equal(test_stats(&f.t).publications_lost, 1);
    /* Out of order: only the oldest one moves the window on. */
    assert_int_equal(acknowledge(&f, f.a.tokens[7]), RK_OK);
    assert_int_equal(publish(&f, 1, "x").lost, 1);
    assert_int_equal(acknowledge(&f, f.a.tokens[0]), RK_OK);
    assert_int_equal(publish(&f, 1, "x").delivered, 1);
    /* The bytes of all sessions together. */
    static char large[600000];
    memset(large, 'x', sizeof(large) - 1);
    test_sink b;
    test_sink_open(&b, f.t.fabric, "b", 2);
    assert_int_equal(rk_endpoint_unregister(f.t.fabric, f.a.id), RK_OK);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_DESTROYED), 19);
    subscribe(&f, &b, "topic", 1);
    assert_int_equal(publish(&f, 1, large).delivered, 1);
    assert_int_equal(publish(&f, 1, large).lost, 1);
    assert_int_equal(publish(&f, 1, "x").delivered, 1);
    tear_down(&f);
}

static void acknowledge_at_once(void *context, const rk_delivery *delivery)
{
    fixture *f = context;
    assert_int_equal(acknowledge(f, delivery->header.correlation), RK_OK);
}

/* From inside the delivery, and whatever receipt follows. */
static void test_acknowledged_inside(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 2);
    f.a.hook = acknowledge_at_once;
    f.a.hook_context = &f;
    for (unsigned i = 0; i < 40; i++) {
        f.a.receipt = i % 3 == 0 ? RK_RECEIPT_TIMEOUT : RK_RECEIPT_DELIVERED;
        (void)publish(&f, 2, "x");
    }
    assert_int_equal(f.a.count, 40);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    step(&f, RETRY_NS);
    assert_int_equal(f.a.count, 40);
    assert_int_equal(test_letters(&f.t), 0);
    tear_down(&f);
}

/* The publisher's side of QoS 2: a publish id counts once, within the stated window. */
static void test_publish_id(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    subscribe(&f, &f.a, "topic", 2);
    static const struct {
        uint64_t id;
        rk_status status;
        bool duplicate;
    } cases[] = {
        {1, RK_OK, false},
        {1, RK_OK, true},
        {5, RK_OK, false},
        {3, RK_OK, false}, /* within the window, not seen */
        {3, RK_OK, true},
        {5, RK_OK, true},
        {5 + RK_PUBLISH_WINDOW - 1, RK_OK, false},
        {5, RK_OK, true},
        {4, RK_STALE, false},
        {5 + RK_PUBLISH_WINDOW, RK_OK, false},
        {5, RK_STALE, false},
        {6, RK_OK, false},
        {10 * RK_PUBLISH_WINDOW, RK_OK, false}, /* far ahead: all of the window is new */
        {9 * RK_PUBLISH_WINDOW + 1, RK_OK, false},
        {9 * RK_PUBLISH_WINDOW + 1, RK_OK, true},
        {UINT64_MAX, RK_OK, false},
        {UINT64_MAX, RK_OK, true},
    };
    unsigned expected = 0;
    unsigned duplicates = 0;
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        rk_publish_options options = {.qos = 2, .publish_id = cases[i].id};
        rk_publish_result result = {0};
        assert_int_equal(rk_fabric_publish(f.t.fabric, f.publisher.id, "topic", TYPE_PING, "x", 1,
                                           &options, &result, NULL),
                         cases[i].status);
        if (cases[i].status == RK_OK) {
            assert_int_equal(result.duplicate, cases[i].duplicate);
            expected += !cases[i].duplicate;
            duplicates += cases[i].duplicate;
        }
        assert_int_equal(f.a.count, expected);
    }
    assert_int_equal(test_stats(&f.t).duplicates_dropped, duplicates);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_DUPLICATE_DROPPED), duplicates);
    /* Another publisher has its own ids. */
    rk_publish_options options = {.qos = 2, .publish_id = 1};
    rk_publish_result result;
    assert_int_equal(
        rk_fabric_publish(f.t.fabric, f.a.id, "topic", TYPE_PING, "x", 1, &options, &result, NULL),
        RK_OK);
    assert_false(result.duplicate);
    tear_down(&f);
}

/* Redelivered into a mailbox before it was received: received once. */
static void test_mailbox_exactly_once(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    rk_mailbox_options options = {.tenant = 2};
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(f.t.fabric, &options, &mailbox, NULL), RK_OK);
    uint32_t id = rk_mailbox_endpoint(mailbox);
    assert_int_equal(rk_fabric_subscribe(f.t.fabric, id, "topic", 2, NULL), RK_OK);
    (void)publish(&f, 2, "2");
    (void)publish(&f, 1, "1");
    step(&f, RETRY_NS);
    assert_int_equal(rk_mailbox_depth(mailbox), 4);
    char text[4];
    rk_mail mail;
    static const char expected[] = "211"; /* QoS 1 may come twice, QoS 2 does not */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_OK);
        assert_int_equal(text[0], expected[i]);
    }
    assert_int_equal(mail.header.flags & RK_MSG_DUPLICATE, RK_MSG_DUPLICATE);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_EMPTY);
    assert_int_equal(test_stats(&f.t).duplicates_dropped, 1);
    assert_int_equal(test_stats(&f.t).inflight, 0);

    /* Given up as a dead letter while a copy lay in the mailbox: not received as well. */
    (void)publish(&f, 2, "3");
    for (unsigned i = 0; i < 4; i++) {
        step(&f, RETRY_NS);
    }
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_RETRIES), 1);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_EMPTY);

    /* Destroyed with one inside: one dead letter, not two. */
    (void)publish(&f, 2, "4");
    (void)publish(&f, 0, "5");
    rk_mailbox_destroy(mailbox);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_DESTROYED), 2);
    tear_down(&f);
}

static void test_manual_acknowledgement(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    rk_mailbox_options options = {.tenant = 2, .flags = RK_MAILBOX_MANUAL_ACK};
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(f.t.fabric, &options, &mailbox, NULL), RK_OK);
    uint32_t id = rk_mailbox_endpoint(mailbox);
    assert_int_equal(rk_fabric_subscribe(f.t.fabric, id, "topic", 2, NULL), RK_OK);
    (void)publish(&f, 2, "x");
    rk_mail mail;
    char text[4];
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_OK);
    step(&f, RETRY_NS);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_OK);
    assert_int_equal(rk_fabric_acknowledge(f.t.fabric, id, mail.header.correlation), RK_OK);
    assert_int_equal(rk_fabric_acknowledge(f.t.fabric, id, mail.header.correlation), RK_NOT_FOUND);
    step(&f, RETRY_NS);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, text, sizeof(text), 0), RK_EMPTY);
    rk_mailbox_destroy(mailbox);
    tear_down(&f);
}

/* Retained publications are kept and redelivered like others. */
static void test_retained_qos(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    rk_publish_options options = {.qos = 1, .retain = true};
    assert_int_equal(rk_fabric_publish(f.t.fabric, f.publisher.id, "topic", TYPE_PING, "kept", 4,
                                       &options, NULL, NULL),
                     RK_OK);
    subscribe(&f, &f.a, "topic", 2);
    assert_int_equal(f.a.count, 1);
    assert_int_equal(f.a.flags[0],
                     RK_MSG_PRIORITY_NORMAL | RK_MSG_RETAINED | (1 << RK_MSG_QOS_SHIFT));
    step(&f, RETRY_NS);
    assert_int_equal(f.a.count, 2);
    assert_int_equal(f.a.flags[1] & RK_MSG_RETAINED, RK_MSG_RETAINED);
    assert_int_equal(acknowledge(&f, f.a.tokens[0]), RK_OK);
    assert_int_equal(test_stats(&f.t).inflight, 0);
    assert_int_equal(test_stats(&f.t).retained, 1);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_effective_qos),
        cmocka_unit_test(test_acknowledged),
        cmocka_unit_test(test_redelivered),
        cmocka_unit_test(test_full_subscriber),
        cmocka_unit_test(test_never_taken),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_window_limit),
        cmocka_unit_test(test_acknowledged_inside),
        cmocka_unit_test(test_publish_id),
        cmocka_unit_test(test_mailbox_exactly_once),
        cmocka_unit_test(test_manual_acknowledgement),
        cmocka_unit_test(test_retained_qos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
