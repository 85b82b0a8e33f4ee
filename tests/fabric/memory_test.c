/*
 * Memory: the fast paths allocate nothing, and when memory runs out anywhere, every call says so
 * or does without, and nothing leaks or stays half done.
 */
#include "base/test_memory.h"
#include "tests/fabric/fabric_support.h"

static void test_fast_paths_do_not_allocate(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink sink;
    test_sink_open(&sink, t.fabric, "sink", 0);
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(t.fabric, NULL, &mailbox, NULL), RK_OK);
    assert_int_equal(rk_fabric_subscribe(t.fabric, sink.id, "a/*/#", 0, NULL), RK_OK);
    rk_address to = test_here(rk_mailbox_endpoint(mailbox));
    rk_send_options full = {.send_flags = RK_SEND_FULL};
    unsigned char payload[1000] = {0};
    rk_test_memory_fail(1);
    for (unsigned i = 0; i < 1000; i++) {
        rk_mail mail;
        assert_int_equal(rk_fabric_send(t.fabric, sink.id, to, TYPE_PING, payload, i, NULL),
                         RK_RECEIPT_DELIVERED);
        assert_int_equal(rk_fabric_send(t.fabric, sink.id, to, TYPE_PING, payload, i, &full),
                         RK_RECEIPT_DELIVERED);
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, payload, sizeof(payload), 0), RK_OK);
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, payload, sizeof(payload), 0), RK_OK);
        assert_int_equal(
            rk_fabric_publish(t.fabric, sink.id, "a/b/c", TYPE_PING, payload, i, NULL, NULL, NULL),
            RK_OK);
    }
    assert_false(rk_test_memory_struck());
    rk_test_memory_fail(0);
    assert_int_equal(sink.count, 1000);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
}

typedef struct scene {
    rk_deadletter_queue *letters;
    rk_fabric *fabrics[2];
    rk_mailbox *mailbox;
    uint32_t links[2];
    test_sink sinks[40];
    unsigned sink_count;
    unsigned ends;
} scene;

static void on_end(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    scene *s = context;
    assert_int_equal(receipt == RK_RECEIPT_DELIVERED, reply != NULL);
    s->ends++;
}

/* A bit of everything; returns when something could not be had. */
static void play(scene *s)
{
    rk_err err = RK_ERR_INIT;
    if (rk_deadletter_queue_create(NULL, &s->letters) != RK_OK) {
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        rk_fabric_options options = {.node = i + 1, .dead_letters = s->letters};
        if (rk_fabric_create(&options, &s->fabrics[i], &err) != RK_OK) {
            return;
        }
    }
    rk_fabric *f = s->fabrics[0];
    rk_mailbox_options box = {.name = "box", .message_limit = 4};
    if (rk_mailbox_create(f, &box, &s->mailbox, &err) != RK_OK) {
        return;
    }
    for (unsigned i = 0; i < RK_COUNT_OF(s->sinks); i++) {
        test_sink *sink = &s->sinks[i];
        char name[16];
        snprintf(name, sizeof(name), "sink-%u", i);
        rk_endpoint_options options = {.name = name};
        if (rk_endpoint_register(f, &options, &test_sink_ops, sink, &sink->id, &err) != RK_OK) {
            return;
        }
        s->sink_count++;
        if (rk_fabric_subscribe(f, sink->id, i % 2 ? "a/#" : "a/*", i % 3, &err) != RK_OK) {
            return;
        }
    }
    uint32_t box_id = rk_mailbox_endpoint(s->mailbox);
    (void)rk_fabric_subscribe(f, box_id, "a/b", 2, &err);
    for (uint64_t i = 1; i <= 20; i++) {
        rk_publish_options options = {.qos = 2, .retain = true, .publish_id = i};
        rk_publish_result result = {0};
        rk_status status =
            rk_fabric_publish(f, s->sinks[0].id, "a/b", TYPE_PING, "x", 1, &options, &result, &err);
        if (status == RK_NO_MEMORY && result.matched == 0) {
            /* Nothing has happened: the same number may go again, and counts once. */
            assert_int_equal(rk_fabric_publish(f, s->sinks[0].id, "a/b", TYPE_PING, "x", 1,
                                               &options, &result, &err),
                             RK_OK);
            assert_false(result.duplicate);
        }
    }
    (void)rk_fabric_subscribe(f, s->sinks[1].id, "#", 1, &err);
    (void)rk_fabric_unsubscribe(f, s->sinks[1].id, "a/#", &err);
    if (rk_fabric_join(f, s->fabrics[1], &s->links[0], &s->links[1], &err) != RK_OK) {
        assert_int_equal(s->links[0], 0);
        return;
    }
    for (unsigned i = 0; i < 70; i++) {
        rk_request_options options = {.done = on_end, .context = s};
        rk_receipt receipt =
            rk_fabric_request(f, 0, test_here(box_id), TYPE_PING, "?", 1, &options, NULL);
        s->ends += receipt != RK_RECEIPT_DELIVERED;
    }
    assert_int_equal(
        rk_fabric_send(s->fabrics[1], 0, (rk_address){1, s->sinks[0].id}, TYPE_PING, "y", 1, NULL),
        RK_RECEIPT_DELIVERED);
    (void)rk_endpoint_unregister(f, s->sinks[2].id);
}

static void strike(scene *s)
{
    for (unsigned i = 0; i < 2; i++) {
        if (s->links[i] != 0) {
            assert_int_equal(rk_link_remove(s->fabrics[i], s->links[i]), RK_OK);
        }
    }
    rk_mailbox_destroy(s->mailbox);
    if (s->fabrics[0]) {
        for (unsigned i = 0; i < s->sink_count; i++) {
            (void)rk_endpoint_unregister(s->fabrics[0], s->sinks[i].id); /* one is gone already */
        }
        rk_fabric_stats stats;
        rk_fabric_stats_get(s->fabrics[0], &stats);
        assert_int_equal(stats.endpoints, 0);
        assert_int_equal(stats.subscriptions, 0);
        assert_int_equal(stats.inflight, 0);
        assert_int_equal(stats.inflight_bytes, 0);
    }
    rk_fabric_destroy(s->fabrics[0]);
    rk_fabric_destroy(s->fabrics[1]);
    rk_deadletter_queue_destroy(s->letters);
    assert_int_equal(s->ends, s->links[0] ? 70 : 0);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    static scene s;
    bool struck = true;
    uint64_t nth = 0;
    while (struck) {
        nth++;
        memset(&s, 0, sizeof(s));
        rk_test_memory_fail(nth);
        play(&s);
        struck = rk_test_memory_struck();
        rk_test_memory_fail(0);
        strike(&s);
    }
    assert_true(nth > 150); /* there was something to fail */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_paths_do_not_allocate),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
