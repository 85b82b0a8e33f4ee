/*
 * Endpoints and routing inside one fabric: every receipt, where it is counted, and what becomes
 * of the message.
 */
#include "base/thread.h"
#include "tests/fabric/fabric_support.h"

static void test_delivered(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink b;
    test_sink_open(&a, t.fabric, "a", 7);
    test_sink_open(&b, t.fabric, "b", 7);
    rk_send_options options = {.correlation = 99, .priority = 2, .flags = RK_MSG_ENCRYPTED};
    assert_int_equal(
        rk_fabric_send(t.fabric, a.id, test_here(b.id), TYPE_PING, "hello", 5, &options),
        RK_RECEIPT_DELIVERED);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.last.header.id, 1);
    assert_int_equal(b.last.header.type, TYPE_PING);
    assert_int_equal(b.last.header.source, a.id & 0xffff);
    assert_int_equal(b.last.header.flags, 5 | RK_MSG_ENCRYPTED);
    assert_int_equal(b.last.header.correlation, 99);
    assert_int_equal(b.last.header.length, 5);
    assert_memory_equal(b.payload, "hello", 5);
    assert_int_equal(b.last.source.node, 1);
    assert_int_equal(b.last.source.endpoint, a.id);
    assert_int_equal(b.last.dest, b.id);
    assert_int_equal(b.last.tenant, 7);
    assert_null(b.last.topic);
    assert_false(b.had_envelope);

    /* Ids of one source rise; one of the sender's own is kept. */
    assert_int_equal(test_send(t.fabric, a.id, b.id, ""), RK_RECEIPT_DELIVERED);
    assert_int_equal(b.last.header.id, 2);
    assert_int_equal(b.last.header.flags, RK_MSG_PRIORITY_NORMAL);
    assert_null(b.last.payload);
    rk_send_options own = {.id = 4711};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, test_here(b.id), TYPE_PING, NULL, 0, &own),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(b.last.header.id, 4711);

    /* By name, and by the node's own number. */
    assert_int_equal(rk_fabric_send_name(t.fabric, a.id, "b", TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_DELIVERED);
    rk_address full = {1, b.id};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, full, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(b.count, 5);

    rk_endpoint_stats stats;
    assert_int_equal(rk_endpoint_stats_get(t.fabric, b.id, &stats), RK_OK);
    assert_int_equal(stats.received[RK_RECEIPT_DELIVERED], 5);
    assert_int_equal(stats.received_bytes, 7);
    assert_int_equal(stats.depth, 5);
    assert_int_equal(rk_endpoint_stats_get(t.fabric, a.id, &stats), RK_OK);
    assert_int_equal(stats.sent, 5);
    rk_fabric_stats sums = test_stats(&t);
    assert_int_equal(sums.receipts[RK_RECEIPT_DELIVERED], 5);
    assert_int_equal(sums.delivered_bytes, 7);
    assert_int_equal(sums.endpoints, 2);
    assert_int_equal(sums.dead_letters, 0);
    test_fabric_close(&t);
}

static void test_names(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink other;
    test_sink_open(&a, t.fabric, "same", 1);
    test_sink_open(&other, t.fabric, "same", 2);
    uint32_t id = 0;
    assert_int_equal(rk_endpoint_find(t.fabric, 1, "same", &id), RK_OK);
    assert_int_equal(id, a.id);
    assert_int_equal(rk_endpoint_find(t.fabric, 2, "same", &id), RK_OK);
    assert_int_equal(id, other.id);
    assert_int_equal(rk_endpoint_find(t.fabric, 3, "same", &id), RK_NOT_FOUND);
    assert_int_equal(rk_endpoint_find(t.fabric, 1, NULL, &id), RK_NOT_FOUND);

    rk_err err = RK_ERR_INIT;
    rk_endpoint_options options = {.name = "same", .tenant = 1};
    assert_int_equal(rk_endpoint_register(t.fabric, &options, &test_sink_ops, &a, &id, &err),
                     RK_EXISTS);
    assert_non_null(strstr(err.text, "'same'"));
    options.name = "";
    assert_int_equal(rk_endpoint_register(t.fabric, &options, &test_sink_ops, &a, &id, &err),
                     RK_INVALID);
    char longest[RK_FABRIC_NAME_MAX_BYTES + 2];
    memset(longest, 'n', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    options.name = longest;
    assert_int_equal(rk_endpoint_register(t.fabric, &options, &test_sink_ops, &a, &id, &err),
                     RK_INVALID);
    longest[sizeof(longest) - 2] = '\0';
    assert_int_equal(rk_endpoint_register(t.fabric, &options, &test_sink_ops, &a, &id, &err),
                     RK_OK);
    rk_endpoint_ops empty = {0};
    assert_int_equal(rk_endpoint_register(t.fabric, NULL, &empty, &a, &id, &err), RK_INVALID);

    /* A name is free again when its endpoint is gone. */
    assert_int_equal(rk_endpoint_unregister(t.fabric, a.id), RK_OK);
    assert_int_equal(rk_endpoint_find(t.fabric, 1, "same", &id), RK_NOT_FOUND);
    test_sink_open(&a, t.fabric, "same", 1);
    test_fabric_close(&t);
}

/* An id outlives its endpoint without reaching the next one in its place. */
static void test_generations(void **state)
{
    (void)state;
    rk_fabric_options options = {.endpoint_limit = 2};
    test_fabric t;
    test_fabric_open(&t, &options);
    test_sink a;
    test_sink b;
    test_sink_open(&a, t.fabric, "a", 0);
    test_sink_open(&b, t.fabric, "b", 0);
    rk_err err = RK_ERR_INIT;
    uint32_t id = 0;
    assert_int_equal(rk_endpoint_register(t.fabric, NULL, &test_sink_ops, &a, &id, &err), RK_LIMIT);
    uint32_t before = b.id;
    for (unsigned i = 0; i < 70000; i++) { /* generations wrap around at 65535 */
        assert_int_equal(rk_endpoint_unregister(t.fabric, b.id), RK_OK);
        if (i == 0) {
            assert_int_equal(test_send(t.fabric, a.id, before, "x"), RK_RECEIPT_CLOSED);
            assert_int_equal(rk_endpoint_unregister(t.fabric, before), RK_NOT_FOUND);
        }
        memset(&b, 0, sizeof(b));
        assert_int_equal(rk_endpoint_register(t.fabric, NULL, &test_sink_ops, &b, &b.id, &err),
                         RK_OK);
        assert_int_equal(b.id & 0xffff, before & 0xffff);
        assert_int_not_equal(b.id >> 16, 0);
        if (i == 0) {
            assert_int_not_equal(b.id, before);
            assert_int_equal(test_send(t.fabric, a.id, before, "x"), RK_RECEIPT_CLOSED);
            assert_int_equal(test_send(t.fabric, a.id, b.id, "x"), RK_RECEIPT_DELIVERED);
            assert_int_equal(test_send(t.fabric, before, a.id, "x"), RK_RECEIPT_CLOSED);
        }
    }
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_DESTROYED), 2);
    test_fabric_close(&t);
}

static void test_not_found(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink_open(&a, t.fabric, NULL, 0);
    static const uint32_t bad[] = {0, 1, 0x10002, 0xffff, 0xffffffff, 0x50001};
    for (size_t i = 0; i < RK_COUNT_OF(bad); i++) {
        assert_int_equal(test_send(t.fabric, a.id, bad[i], "x"), RK_RECEIPT_NOT_FOUND);
    }
    assert_int_equal(rk_fabric_send_name(t.fabric, a.id, "nobody", TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_NOT_FOUND);
    rk_address elsewhere = {9, a.id};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, elsewhere, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_NOT_FOUND);
    unsigned failures = RK_COUNT_OF(bad) + 2;
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_NO_TARGET), failures);
    assert_int_equal(test_stats(&t).receipts[RK_RECEIPT_NOT_FOUND], failures);
    assert_int_equal(test_events_of(&t, RK_FABRIC_REFUSED), failures);

    /* Of a source that is nobody. */
    assert_int_equal(test_send(t.fabric, 0x20003, a.id, "x"), RK_RECEIPT_NOT_FOUND);
    assert_int_equal(test_letters(&t), failures);
    assert_int_equal(a.count, 0);
    test_fabric_close(&t);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        rk_receipt receipt;
        rk_deadletter_reason reason;
    } cases[] = {
        {RK_RECEIPT_QUEUE_FULL, RK_DEADLETTER_QUEUE_FULL},
        {RK_RECEIPT_CLOSED, RK_DEADLETTER_DESTROYED},
        {RK_RECEIPT_TIMEOUT, RK_DEADLETTER_EXPIRED},
        {RK_RECEIPT_REFUSED, RK_DEADLETTER_REJECTED},
        {RK_RECEIPT_TOO_LONG, RK_DEADLETTER_REJECTED},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        test_fabric t;
        test_fabric_open(&t, NULL);
        test_sink a;
        test_sink_open(&a, t.fabric, NULL, 0);
        a.receipt = cases[i].receipt;
        assert_int_equal(test_send(t.fabric, 0, a.id, "x"), cases[i].receipt);
        assert_int_equal(test_letters_of(&t, cases[i].reason), 1);
        rk_endpoint_stats stats;
        assert_int_equal(rk_endpoint_stats_get(t.fabric, a.id, &stats), RK_OK);
        assert_int_equal(stats.received[cases[i].receipt], 1);
        assert_int_equal(test_stats(&t).receipts[cases[i].receipt], 1);
        /* The sender may keep it. */
        rk_send_options keep = {.send_flags = RK_SEND_KEEP};
        assert_int_equal(rk_fabric_send(t.fabric, 0, test_here(a.id), TYPE_PING, "x", 1, &keep),
                         cases[i].receipt);
        assert_int_equal(test_letters(&t), 1);
        assert_int_equal(test_events_of(&t, RK_FABRIC_REFUSED), 2);
        test_fabric_close(&t);
    }
}

static bool see_letter(void *context, const rk_deadletter *letter)
{
    *(rk_deadletter *)context = *letter;
    assert_int_equal(letter->payload_bytes, 4);
    assert_memory_equal(letter->payload, "lost", 4);
    return true;
}

static void test_dead_letter_says_everything(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink_open(&a, t.fabric, NULL, 6);
    rk_send_options options = {.correlation = 12};
    rk_address dest = {1, 0x30005};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, dest, TYPE_PING, "lost", 4, &options),
                     RK_RECEIPT_NOT_FOUND);
    rk_deadletter letter;
    uint64_t cursor = 0;
    assert_int_equal(rk_deadletter_queue_browse(t.letters, NULL, &cursor, 10, see_letter, &letter),
                     1);
    assert_true(letter.source == ((uint64_t)1 << 32 | a.id));
    assert_true(letter.destination == ((uint64_t)1 << 32 | 0x30005));
    assert_int_equal(letter.reason, RK_DEADLETTER_NO_TARGET);
    assert_int_equal(letter.type, TYPE_PING);
    assert_int_equal(letter.tenant, 6);
    assert_int_equal(letter.correlation, 12);
    test_fabric_close(&t);

    /* Without a queue it is counted as discarded. */
    rk_fabric *bare = NULL;
    assert_int_equal(rk_fabric_create(NULL, &bare, NULL), RK_OK);
    assert_int_equal(test_send(bare, 0, 77, "x"), RK_RECEIPT_NOT_FOUND);
    rk_fabric_stats stats;
    rk_fabric_stats_get(bare, &stats);
    assert_int_equal(stats.discarded, 1);
    rk_fabric_destroy(bare);
}

/* Letters can be sent again once there is somebody to take them. */
static void test_replay(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink_open(&a, t.fabric, NULL, 6);
    a.receipt = RK_RECEIPT_QUEUE_FULL;
    test_sink source;
    test_sink_open(&source, t.fabric, NULL, 6);
    rk_send_options options = {.priority = 2, .correlation = 5, .send_flags = RK_SEND_FULL};
    rk_address to = test_here(a.id);
    assert_int_equal(rk_fabric_send(t.fabric, source.id, to, TYPE_PING, "again", 5, &options),
                     RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(rk_endpoint_unregister(t.fabric, source.id), RK_OK);
    uint64_t sent = 0;
    uint64_t failed = 0;
    rk_deadletter_queue_replay_matching(t.letters, NULL, rk_fabric_replay, t.fabric, &sent,
                                        &failed);
    assert_int_equal(sent, 0);
    assert_int_equal(failed, 1);
    assert_int_equal(test_letters(&t), 1); /* no second letter */
    a.receipt = RK_RECEIPT_DELIVERED;
    rk_deadletter_queue_replay_matching(t.letters, NULL, rk_fabric_replay, t.fabric, &sent,
                                        &failed);
    assert_int_equal(sent, 1);
    assert_memory_equal(a.payload, "again", 5);
    assert_int_equal(a.last.source.endpoint, source.id);
    assert_int_equal(a.last.header.flags, 5);
    assert_int_equal(a.last.header.correlation, 0);
    assert_int_equal(a.last.tenant, 6);

    /* A publication that was given up comes with its topic. */
    assert_int_equal(rk_fabric_subscribe(t.fabric, a.id, "some/*", 1, NULL), RK_OK);
    rk_publish_options qos = {.qos = 1};
    test_sink publisher;
    test_sink_open(&publisher, t.fabric, NULL, 6);
    assert_int_equal(rk_fabric_publish(t.fabric, publisher.id, "some/topic", TYPE_PING, "news", 4,
                                       &qos, NULL, NULL),
                     RK_OK);
    assert_int_equal(rk_endpoint_unregister(t.fabric, a.id), RK_OK);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_DESTROYED), 1);
    rk_deadletter_queue_replay_matching(t.letters, NULL, rk_fabric_replay, t.fabric, &sent,
                                        &failed);
    assert_int_equal(failed, 1); /* its endpoint is gone for good */
    rk_deadletter letter = {.source = 1,
                            .destination = publisher.id,
                            .type = TYPE_PING,
                            .tenant = 6,
                            .header = "some/topic",
                            .header_bytes = 11,
                            .payload = "news",
                            .payload_bytes = 4};
    assert_int_equal(rk_fabric_replay(t.fabric, &letter), RK_OK);
    assert_string_equal(publisher.topic, "some/topic");
    letter.tenant = 7;
    assert_int_equal(rk_fabric_replay(t.fabric, &letter), RK_TENANT);
    test_fabric_close(&t);
}

static void test_invalid(void **state)
{
    (void)state;
    rk_fabric_options limits = {.payload_limit_bytes = 10};
    test_fabric t;
    test_fabric_open(&t, &limits);
    test_sink a;
    test_sink_open(&a, t.fabric, NULL, 0);
    rk_address to = test_here(a.id);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, 255, "x", 1, NULL), RK_RECEIPT_INVALID);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, NULL, 1, NULL), RK_RECEIPT_INVALID);
    rk_send_options options = {.flags = RK_MSG_SLAB};
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "x", 1, &options),
                     RK_RECEIPT_INVALID);
    options.flags = 0;
    options.priority = 5;
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "x", 1, &options),
                     RK_RECEIPT_INVALID);
    options.priority = -4;
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "x", 1, &options),
                     RK_RECEIPT_INVALID);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "0123456789A", 11, NULL),
                     RK_RECEIPT_TOO_LONG);
    assert_int_equal(a.count, 0);
    assert_int_equal(test_stats(&t).receipts[RK_RECEIPT_INVALID], 5);
    assert_int_equal(test_letters(&t), 0);
    test_fabric_close(&t);

    rk_fabric *fabric = NULL;
    rk_err err = RK_ERR_INIT;
    rk_fabric_options bad = {.endpoint_limit = 65536};
    assert_int_equal(rk_fabric_create(&bad, &fabric, &err), RK_INVALID);
    bad = (rk_fabric_options){.request_limit = 65536};
    assert_int_equal(rk_fabric_create(&bad, &fabric, &err), RK_INVALID);
    bad = (rk_fabric_options){.inflight_limit = 2000000};
    assert_int_equal(rk_fabric_create(&bad, &fabric, &err), RK_INVALID);
    rk_fabric_destroy(NULL);
}

static void test_receipt_texts(void **state)
{
    (void)state;
    assert_string_equal(rk_receipt_text(RK_RECEIPT_HOPS), "too many hops");
    assert_int_equal(rk_receipt_status(RK_RECEIPT_HOPS), RK_HOPS);
    assert_int_equal(rk_receipt_status(RK_RECEIPT_PENDING), RK_OK);
    assert_string_equal(rk_receipt_text((rk_receipt)99), "unknown receipt");
    assert_int_equal(rk_receipt_status((rk_receipt)-1), RK_INTERNAL);
}

static void test_tenants(void **state)
{
    (void)state;
    static const struct {
        uint32_t from, to;
        bool closed, open; /* delivered without and with RK_FABRIC_OPEN_TENANT_ZERO */
    } cases[] = {
        {0, 0, true, true},  {5, 5, true, true},  {5, 6, false, false},
        {0, 5, false, true}, {5, 0, false, true},
    };
    for (unsigned open = 0; open < 2; open++) {
        for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
            rk_fabric_options options = {.flags = open ? RK_FABRIC_OPEN_TENANT_ZERO : 0};
            test_fabric t;
            test_fabric_open(&t, &options);
            test_sink a;
            test_sink b;
            test_sink_open(&a, t.fabric, "a", cases[i].from);
            test_sink_open(&b, t.fabric, "b", cases[i].to);
            bool delivered = open ? cases[i].open : cases[i].closed;
            assert_int_equal(test_send(t.fabric, a.id, b.id, "secret"),
                             delivered ? RK_RECEIPT_DELIVERED : RK_RECEIPT_TENANT);
            assert_int_equal(b.count, delivered);
            assert_int_equal(t.audit_count, !delivered);
            assert_int_equal(test_letters_of(&t, RK_DEADLETTER_TENANT), !delivered);
            if (delivered) {
                /* Across a tenant with the full envelope, inside with the compact header. */
                assert_int_equal(b.had_envelope, cases[i].from != cases[i].to);
                assert_int_equal(b.last.tenant, cases[i].from);
            } else {
                assert_int_equal(t.audits[0].receipt, RK_RECEIPT_TENANT);
                assert_int_equal(t.audits[0].source.endpoint, a.id);
                assert_int_equal(t.audits[0].dest.endpoint, b.id);
                assert_int_equal(t.audits[0].source_tenant, cases[i].from);
                assert_int_equal(t.audits[0].dest_tenant, cases[i].to);
            }
            test_fabric_close(&t);
        }
    }
}

static void test_envelope_on_request(void **state)
{
    (void)state;
    test_fabric t;
    rk_fabric_options options = {.node = 3, .epoch = 8};
    test_fabric_open(&t, &options);
    test_sink a;
    test_sink b;
    test_sink_open(&a, t.fabric, "a", 2);
    test_sink_open(&b, t.fabric, "b", 2);
    rk_envelope context = {.trace_flags = 1, .tracestate_handle = 5, .audit_tag = 77};
    memset(context.trace_id, 0xab, sizeof(context.trace_id));
    memset(context.span_id, 0xcd, sizeof(context.span_id));
    memset(context.nonce, 0x11, sizeof(context.nonce));
    memset(context.tag, 0x22, sizeof(context.tag));
    rk_send_options with = {
        .correlation = 4, .flags = RK_MSG_ENCRYPTED, .priority = -1, .context = &context};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, test_here(b.id), TYPE_PING, "pay", 3, &with),
                     RK_RECEIPT_DELIVERED);
    assert_true(b.had_envelope);
    const rk_envelope *e = &b.envelope;
    assert_int_equal(e->source_node, 3);
    assert_int_equal(e->dest_node, 3);
    assert_int_equal(e->source_kernel, a.id);
    assert_int_equal(e->dest_kernel, b.id);
    assert_int_equal(e->tenant, 2);
    assert_int_equal(e->epoch, 8);
    assert_int_equal(e->hops, 0);
    assert_int_equal(e->correlation, 4);
    assert_int_equal(e->flags, 2 | RK_MSG_ENCRYPTED);
    assert_true(e->time.physical_us > 0);
    assert_memory_equal(e->trace_id, context.trace_id, 16);
    assert_memory_equal(e->span_id, context.span_id, 8);
    assert_int_equal(e->trace_flags, 1);
    assert_int_equal(e->tracestate_handle, 5);
    assert_int_equal(e->audit_tag, 77);
    assert_memory_equal(e->nonce, context.nonce, 12);
    assert_memory_equal(e->tag, context.tag, 16);

    rk_send_options plain = {.send_flags = RK_SEND_FULL};
    assert_int_equal(rk_fabric_send(t.fabric, a.id, test_here(b.id), TYPE_PING, "pay", 3, &plain),
                     RK_RECEIPT_DELIVERED);
    assert_true(b.had_envelope);
    assert_int_equal(test_stats(&t).envelopes_received, 2);
    test_fabric_close(&t);
}

static void test_late(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000000000, 1700000000000000000u);
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink_open(&a, t.fabric, NULL, 0);
    rk_send_options options = {.deadline_us = 1700000000000000u};
    rk_address to = test_here(a.id);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "x", 1, &options),
                     RK_RECEIPT_DELIVERED);
    assert_true(a.last.deadline_us == options.deadline_us);
    rk_test_clock_step(&clock, 1000);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "x", 1, &options),
                     RK_RECEIPT_TIMEOUT);
    assert_int_equal(a.count, 1);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_EXPIRED), 1);
    test_fabric_close(&t);
    rk_test_clock_remove(&clock);
}

typedef struct chain {
    rk_fabric *fabric;
    uint32_t self, next;
} chain;

/* Sends on, and registers and unregisters another endpoint, from inside a delivery. */
static void send_on(void *context, const rk_delivery *delivery)
{
    chain *c = context;
    if (c->next != 0) {
        assert_int_equal(rk_fabric_send(c->fabric, c->self, test_here(c->next), TYPE_PING,
                                        delivery->payload, delivery->header.length, NULL),
                         RK_RECEIPT_DELIVERED);
    }
    uint32_t id = 0;
    test_sink other;
    assert_int_equal(rk_endpoint_register(c->fabric, NULL, &test_sink_ops, &other, &id, NULL),
                     RK_OK);
    assert_int_equal(rk_endpoint_unregister(c->fabric, id), RK_OK);
}

static void test_deliveries_may_use_the_fabric(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    test_sink a;
    test_sink b;
    test_sink_open(&a, t.fabric, NULL, 0);
    test_sink_open(&b, t.fabric, NULL, 0);
    chain first = {t.fabric, a.id, b.id};
    chain second = {t.fabric, b.id, 0};
    a.hook = send_on;
    a.hook_context = &first;
    b.hook = send_on;
    b.hook_context = &second;
    assert_int_equal(test_send(t.fabric, 0, a.id, "pass it on"), RK_RECEIPT_DELIVERED);
    assert_memory_equal(b.payload, "pass it on", 10);
    assert_int_equal(test_stats(&t).endpoints, 2);
    /* Counters of endpoints that are gone stay in the sums. */
    assert_int_equal(rk_endpoint_unregister(t.fabric, b.id), RK_OK);
    assert_int_equal(test_stats(&t).receipts[RK_RECEIPT_DELIVERED], 2);
    assert_int_equal(test_stats(&t).delivered_bytes, 20);
    test_fabric_close(&t);
}

typedef struct held {
    uint32_t entered;
    uint32_t go;
    bool left;
} held;

static rk_receipt hold(void *context, const rk_delivery *delivery)
{
    (void)delivery;
    held *h = context;
    rk_atomic_store_u32(&h->entered, 1, memory_order_release);
    while (rk_atomic_load_u32(&h->go, memory_order_acquire) == 0) {
        rk_cpu_relax();
    }
    h->left = true;
    return RK_RECEIPT_DELIVERED;
}

static const rk_endpoint_ops hold_ops = {hold, NULL};

typedef struct unregistering {
    rk_fabric *fabric;
    uint32_t id;
    held *h;
    bool left_when_done;
} unregistering;

static void unregister_it(void *context)
{
    unregistering *u = context;
    (void)rk_endpoint_unregister(u->fabric, u->id);
    u->left_when_done = u->h->left;
}

static void send_to_it(void *context)
{
    unregistering *u = context;
    (void)test_send(u->fabric, 0, u->id, "x");
}

/* Unregistering waits for the delivery that is inside. */
static void test_unregister_waits(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    held h = {0};
    unregistering u = {.fabric = t.fabric, .h = &h};
    assert_int_equal(rk_endpoint_register(t.fabric, NULL, &hold_ops, &h, &u.id, NULL), RK_OK);
    rk_thread sender;
    rk_thread closer;
    assert_int_equal(rk_thread_start(&sender, "sender", send_to_it, &u), RK_OK);
    while (rk_atomic_load_u32(&h.entered, memory_order_acquire) == 0) {
        rk_cpu_relax();
    }
    assert_int_equal(rk_thread_start(&closer, "closer", unregister_it, &u), RK_OK);
    /* The gate closes while one is inside: statistics cannot enter any more. */
    rk_endpoint_stats stats;
    while (rk_endpoint_stats_get(t.fabric, u.id, &stats) == RK_OK) {
        rk_cpu_relax();
    }
    assert_int_equal(test_send(t.fabric, 0, u.id, "y"), RK_RECEIPT_CLOSED);
    assert_false(h.left);
    rk_atomic_store_u32(&h.go, 1, memory_order_release);
    rk_thread_join(&sender);
    rk_thread_join(&closer);
    assert_true(u.left_when_done);
    test_fabric_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dead_letter_says_everything),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_receipt_texts),
        cmocka_unit_test(test_tenants),
        cmocka_unit_test(test_envelope_on_request),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_deliveries_may_use_the_fabric),
        cmocka_unit_test(test_unregister_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
