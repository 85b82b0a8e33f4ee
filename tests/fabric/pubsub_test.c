/*
 * Subscriptions, QoS 0, retained publications and their limits.
 */
#include "tests/fabric/fabric_support.h"

static rk_publish_result publish(test_fabric *t, uint32_t source, const char *topic,
                                 const char *text)
{
    rk_publish_result result;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_publish(t->fabric, source, topic, TYPE_PING, text,
                                       (uint32_t)strlen(text), NULL, &result, &err),
                     RK_OK);
    assert_int_equal(result.matched, result.delivered + result.kept + result.lost);
    return result;
}

static void subscribe(test_fabric *t, const test_sink *sink, const char *pattern, uint32_t qos)
{
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_subscribe(t->fabric, sink->id, pattern, qos, &err), RK_OK);
}

static void test_publish(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink publisher;
    test_sink a;
    test_sink b;
    test_sink other;
    test_sink_open(&publisher, t.fabric, "publisher", 1);
    test_sink_open(&a, t.fabric, "a", 1);
    test_sink_open(&b, t.fabric, "b", 1);
    test_sink_open(&other, t.fabric, "other", 2);
    subscribe(&t, &a, "plant/*/temperature", 0);
    subscribe(&t, &b, "plant/#", 0);
    subscribe(&t, &b, "plant/7/temperature", 0); /* b matches twice, and gets it once */
    subscribe(&t, &other, "#", 0);               /* of another tenant */
    assert_int_equal(publish(&t, publisher.id, "plant/7/temperature", "21.5").delivered, 2);
    assert_int_equal(a.count, 1);
    assert_int_equal(b.count, 1);
    assert_int_equal(other.count, 0);
    assert_string_equal(a.topic, "plant/7/temperature");
    assert_memory_equal(a.payload, "21.5", 4);
    assert_int_equal(a.last.source.endpoint, publisher.id);
    assert_int_equal(a.last.header.flags, RK_MSG_PRIORITY_NORMAL);
    assert_int_equal(a.last.header.correlation, 0);
    assert_int_equal(publish(&t, publisher.id, "plant/7/pressure", "1").delivered, 1);
    assert_int_equal(a.count, 1);
    assert_int_equal(publish(&t, publisher.id, "elsewhere", "1").matched, 0);
    assert_int_equal(publish(&t, 0, "plant/7/temperature", "1").matched, 0); /* tenant 0 */
    rk_fabric_stats stats = test_stats(&t);
    assert_int_equal(stats.publications, 4);
    assert_int_equal(stats.publications_delivered, 3);
    assert_int_equal(stats.subscriptions, 4);

    /* Unsubscribing, one by one. */
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_unsubscribe(t.fabric, b.id, "plant/#", &err), RK_OK);
    assert_int_equal(rk_fabric_unsubscribe(t.fabric, b.id, "plant/#", &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "plant/#"));
    assert_int_equal(publish(&t, publisher.id, "plant/7/pressure", "1").matched, 0);
    assert_int_equal(publish(&t, publisher.id, "plant/7/temperature", "1").matched, 2);
    /* An endpoint that goes takes its subscriptions with it. */
    assert_int_equal(rk_endpoint_unregister(t.fabric, b.id), RK_OK);
    assert_int_equal(publish(&t, publisher.id, "plant/7/temperature", "1").matched, 1);
    assert_int_equal(test_stats(&t).subscriptions, 2);
    test_fabric_close(&t);
}

/* A subscriber that cannot take a publication of QoS 0 loses it; that is counted, nothing more. */
static void test_loss(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink b;
    test_sink_open(&a, t.fabric, "a", 0);
    test_sink_open(&b, t.fabric, "b", 0);
    subscribe(&t, &a, "x", 1);
    subscribe(&t, &b, "x", 0);
    a.receipt = RK_RECEIPT_QUEUE_FULL;
    rk_publish_result result = publish(&t, 0, "x", "1");
    assert_int_equal(result.lost, 1);
    assert_int_equal(result.delivered, 1);
    rk_endpoint_stats stats;
    assert_int_equal(rk_endpoint_stats_get(t.fabric, a.id, &stats), RK_OK);
    assert_int_equal(stats.lost, 1);
    assert_int_equal(stats.subscriptions, 1);
    assert_int_equal(stats.unacknowledged, 0);
    assert_int_equal(test_stats(&t).publications_lost, 1);
    assert_int_equal(test_letters(&t), 0);
    assert_int_equal(test_events_of(&t, RK_FABRIC_REFUSED), 1);
    test_fabric_close(&t);
}

static void test_invalid(void **state)
{
    (void)state;
    rk_fabric_options limits = {.subscription_limit = 2, .payload_limit_bytes = 4};
    test_fabric t;
    test_fabric_open(&t, &limits);
    test_sink a;
    test_sink_open(&a, t.fabric, "a", 0);
    rk_err err = RK_ERR_INIT;
    rk_fabric *f = t.fabric;
    assert_int_equal(rk_fabric_subscribe(f, a.id, "a//b", 0, &err), RK_SYNTAX);
    assert_int_equal(rk_fabric_subscribe(f, a.id, NULL, 0, &err), RK_SYNTAX);
    assert_int_equal(rk_fabric_subscribe(f, a.id, "a", 3, &err), RK_INVALID);
    assert_int_equal(rk_fabric_subscribe(f, 0, "a", 0, &err), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_subscribe(f, 0x50005, "a", 0, &err), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_unsubscribe(f, a.id, "#/a", &err), RK_SYNTAX);
    assert_int_equal(rk_fabric_unsubscribe(f, 0x50005, "a", &err), RK_NOT_FOUND);
    subscribe(&t, &a, "1", 0);
    subscribe(&t, &a, "2", 0);
    subscribe(&t, &a, "2", 1); /* changes it */
    assert_int_equal(rk_fabric_subscribe(f, a.id, "3", 0, &err), RK_LIMIT);
    assert_non_null(strstr(err.text, "subscription_limit"));

    rk_publish_options options = {.qos = 3};
    assert_int_equal(rk_fabric_publish(f, 0, "a", TYPE_PING, "x", 1, &options, NULL, &err),
                     RK_INVALID);
    options = (rk_publish_options){.qos = 2, .publish_id = 1};
    assert_int_equal(rk_fabric_publish(f, 0, "a", TYPE_PING, "x", 1, &options, NULL, &err),
                     RK_INVALID); /* no source */
    options.publish_id = 0;
    assert_int_equal(rk_fabric_publish(f, a.id, "a", TYPE_PING, "x", 1, &options, NULL, &err),
                     RK_INVALID);
    assert_int_equal(rk_fabric_publish(f, 0, "a/*", TYPE_PING, "x", 1, NULL, NULL, &err),
                     RK_SYNTAX);
    assert_int_equal(rk_fabric_publish(f, 0, NULL, TYPE_PING, "x", 1, NULL, NULL, &err), RK_SYNTAX);
    assert_int_equal(rk_fabric_publish(f, 0, "a", 7, "x", 1, NULL, NULL, &err), RK_INVALID);
    assert_int_equal(rk_fabric_publish(f, 0, "a", TYPE_PING, "12345", 5, NULL, NULL, &err),
                     RK_LIMIT);
    assert_int_equal(rk_fabric_publish(f, 0x50005, "a", TYPE_PING, "x", 1, NULL, NULL, &err),
                     RK_NOT_FOUND);
    assert_int_equal(rk_fabric_acknowledge(f, a.id, 1), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_acknowledge(f, 0x50005, 1), RK_NOT_FOUND);
    assert_int_equal(a.count, 0);
    test_fabric_close(&t);
}

static rk_status retain(test_fabric *t, const char *topic, const char *text,
                        rk_publish_result *result)
{
    rk_publish_options options = {.retain = true};
    return rk_fabric_publish(t->fabric, 0, topic, TYPE_PING, text, (uint32_t)strlen(text), &options,
                             result, NULL);
}

static void test_retained(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink early;
    test_sink late;
    test_sink_open(&early, t.fabric, "early", 0);
    test_sink_open(&late, t.fabric, "late", 0);
    subscribe(&t, &early, "room/#", 0);
    rk_publish_result result;
    assert_int_equal(retain(&t, "room/1", "old", &result), RK_OK);
    assert_true(result.retained);
    assert_int_equal(retain(&t, "room/1", "new", &result), RK_OK);
    assert_int_equal(retain(&t, "room/2", "two", &result), RK_OK);
    assert_int_equal(retain(&t, "hall", "three", &result), RK_OK);
    assert_int_equal(early.count, 3);
    assert_int_equal(early.last.header.flags & RK_MSG_RETAINED, 0); /* not for those who listen */
    assert_int_equal(test_stats(&t).retained, 3);

    subscribe(&t, &late, "room/1", 0);
    assert_int_equal(late.count, 1);
    assert_memory_equal(late.payload, "new", 3);
    assert_string_equal(late.topic, "room/1");
    assert_int_equal(late.last.header.flags & RK_MSG_RETAINED, RK_MSG_RETAINED);
    subscribe(&t, &late, "*/*", 0);
    assert_int_equal(late.count, 3);
    subscribe(&t, &late, "#", 0);
    assert_int_equal(late.count, 6);

    /* An empty publication clears it. */
    assert_int_equal(retain(&t, "room/1", "", &result), RK_OK);
    assert_true(result.retained);
    assert_int_equal(test_stats(&t).retained, 2);
    late.count = 0;
    subscribe(&t, &late, "room/1", 0);
    assert_int_equal(late.count, 0);
    assert_int_equal(retain(&t, "room/1", "", &result), RK_OK); /* nothing there: nothing to do */

    /* Another tenant sees nothing of it. */
    test_sink stranger;
    test_sink_open(&stranger, t.fabric, "stranger", 1);
    subscribe(&t, &stranger, "#", 0);
    assert_int_equal(stranger.count, 0);
    /* A subscriber that cannot take it now. */
    late.receipt = RK_RECEIPT_QUEUE_FULL;
    subscribe(&t, &late, "hall", 0);
    assert_int_equal(test_stats(&t).publications_lost, 1);
    test_fabric_close(&t);
}

static void test_retained_limits(void **state)
{
    (void)state;
    rk_fabric_options limits = {.retained_limit = 2, .retained_limit_bytes = 1000};
    test_fabric t;
    test_fabric_open(&t, &limits);
    test_sink a;
    test_sink_open(&a, t.fabric, "a", 0);
    subscribe(&t, &a, "#", 0);
    rk_publish_result result;
    assert_int_equal(retain(&t, "1", "x", &result), RK_OK);
    assert_int_equal(retain(&t, "2", "x", &result), RK_OK);
    assert_int_equal(retain(&t, "3", "x", &result), RK_LIMIT); /* delivered, not retained */
    assert_int_equal(a.count, 3);
    assert_false(result.retained);
    assert_int_equal(result.delivered, 1);
    assert_int_equal(retain(&t, "2", "y", &result), RK_OK); /* replacing needs no room */
    char large[900];
    memset(large, 'l', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(retain(&t, "2", large, &result), RK_LIMIT);
    assert_int_equal(retain(&t, "1", "", &result), RK_OK);
    assert_int_equal(retain(&t, "3", "x", &result), RK_OK);
    rk_fabric_stats stats = test_stats(&t);
    assert_int_equal(stats.retained, 2);
    assert_int_equal(stats.retained_refused, 2);
    assert_true(stats.retained_bytes > 0 && stats.retained_bytes <= 1000);
    test_fabric_close(&t);
}

typedef struct nested {
    test_fabric *t;
    test_sink *self;
    unsigned depth;
} nested;

/* Publishes, subscribes and unsubscribes from inside a delivery. */
static void publish_again(void *context, const rk_delivery *delivery)
{
    nested *n = context;
    (void)delivery;
    if (n->depth == 0) {
        return;
    }
    n->depth--;
    (void)rk_fabric_subscribe(n->t->fabric, n->self->id, "other", 0, NULL);
    (void)publish(n->t, n->self->id, "loop", "again");
    (void)rk_fabric_unsubscribe(n->t->fabric, n->self->id, "other", NULL);
}

static void test_nested(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink_open(&a, t.fabric, "a", 0);
    nested n = {&t, &a, 5};
    a.hook = publish_again;
    a.hook_context = &n;
    subscribe(&t, &a, "loop", 0);
    (void)publish(&t, a.id, "loop", "first");
    assert_int_equal(a.count, 6);
    test_fabric_close(&t);
}

/* Many subscribers, and the topic in a mailbox. */
static void test_many_mailboxes(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    enum { COUNT = 200 };
    static rk_mailbox *mailboxes[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        rk_mailbox_options options = {.capacity_bytes = 4096};
        assert_int_equal(rk_mailbox_create(t.fabric, &options, &mailboxes[i], NULL), RK_OK);
        char pattern[32];
        snprintf(pattern, sizeof(pattern), "n/%u/*", i % 10);
        assert_int_equal(
            rk_fabric_subscribe(t.fabric, rk_mailbox_endpoint(mailboxes[i]), pattern, 0, NULL),
            RK_OK);
    }
    assert_int_equal(publish(&t, 0, "n/3/x", "hello").delivered, COUNT / 10);
    for (unsigned i = 0; i < COUNT; i++) {
        rk_mail mail;
        char buffer[8];
        rk_status status = rk_mailbox_receive(mailboxes[i], &mail, buffer, sizeof(buffer), 0);
        assert_int_equal(status, i % 10 == 3 ? RK_OK : RK_EMPTY);
        if (status == RK_OK) {
            assert_string_equal(mail.topic, "n/3/x");
            assert_memory_equal(buffer, "hello", 5);
        }
        rk_mailbox_destroy(mailboxes[i]);
    }
    assert_int_equal(publish(&t, 0, "n/3/x", "hello").matched, 0);
    test_fabric_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish),         cmocka_unit_test(test_loss),
        cmocka_unit_test(test_invalid),         cmocka_unit_test(test_retained),
        cmocka_unit_test(test_retained_limits), cmocka_unit_test(test_nested),
        cmocka_unit_test(test_many_mailboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
