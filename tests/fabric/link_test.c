/*
 * Links: forwarding, hops, envelopes that were damaged on the way, fencing of old owners.
 */
#include "core/hlc.h"
#include "core/message.h"
#include "tests/fabric/fabric_support.h"

static void open_node(test_fabric *t, uint32_t node, uint64_t epoch)
{
    rk_fabric_options options = {.node = node, .epoch = epoch};
    test_fabric_open(t, &options);
}

/* A link that keeps what it should transmit, for a test that plays the network. */
typedef struct wire {
    rk_envelope envelope;
    unsigned char payload[64];
    unsigned count;
    rk_receipt receipt;
    bool taken;
} wire;

static rk_receipt transmit(void *context, const rk_envelope *envelope, const void *payload,
                           bool *out_taken)
{
    wire *w = context;
    w->envelope = *envelope;
    if (envelope->length > 0) {
        memcpy(w->payload, payload, RK_MIN(envelope->length, sizeof(w->payload)));
    }
    w->count++;
    *out_taken = w->taken;
    return w->receipt;
}

static const rk_link_ops wire_ops = {transmit};

static rk_receipt receive(test_fabric *t, uint32_t link, const wire *w)
{
    return rk_fabric_receive(t->fabric, link, &w->envelope, sizeof(w->envelope), w->payload,
                             w->envelope.length);
}

static uint32_t open_wire(test_fabric *t, wire *w, uint32_t to_node)
{
    uint32_t link = 0;
    rk_err err = RK_ERR_INIT;
    memset(w, 0, sizeof(*w));
    w->receipt = RK_RECEIPT_PENDING;
    assert_int_equal(rk_link_create(t->fabric, NULL, &wire_ops, w, &link, &err), RK_OK);
    assert_int_equal(rk_fabric_route(t->fabric, to_node, link, &err), RK_OK);
    return link;
}

static void test_join(void **state)
{
    (void)state;
    test_fabric a;
    test_fabric b;
    open_node(&a, 1, 5);
    open_node(&b, 2, 6);
    uint32_t link_a = 0;
    uint32_t link_b = 0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_join(a.fabric, b.fabric, &link_a, &link_b, &err), RK_OK);
    assert_int_equal(rk_fabric_join(a.fabric, a.fabric, NULL, NULL, &err), RK_INVALID);
    assert_int_equal(rk_fabric_join(a.fabric, b.fabric, NULL, NULL, &err), RK_EXISTS);
    test_sink here;
    test_sink there;
    test_sink stranger;
    test_sink_open(&here, a.fabric, "here", 3);
    test_sink_open(&there, b.fabric, "there", 3);
    test_sink_open(&stranger, b.fabric, "stranger", 4);
    rk_address to = {2, there.id};
    rk_send_options options = {.correlation = 9, .priority = 1};
    assert_int_equal(rk_fabric_send(a.fabric, here.id, to, TYPE_PING, "over", 4, &options),
                     RK_RECEIPT_DELIVERED);
    assert_true(there.had_envelope);
    assert_int_equal(there.envelope.hops, 1);
    assert_int_equal(there.envelope.epoch, 5);
    assert_int_equal(there.envelope.tenant, 3);
    assert_int_equal(there.last.source.node, 1);
    assert_int_equal(there.last.source.endpoint, here.id);
    assert_int_equal(there.last.header.correlation, 9);
    assert_int_equal(there.last.header.flags, 4);
    assert_int_equal(there.last.header.source, here.id & 0xffff);
    assert_memory_equal(there.payload, "over", 4);
    assert_memory_equal(&there.envelope.time.node, &(rk_u64){1}, 8);

    /* Back to the address that the message came from. */
    assert_int_equal(
        rk_fabric_send(b.fabric, there.id, there.last.source, TYPE_PONG, "back", 4, NULL),
        RK_RECEIPT_DELIVERED);
    assert_memory_equal(here.payload, "back", 4);

    /* The other side's refusals come back as receipts; the dead letter is the other side's. */
    rk_address nobody = {2, 0x70007};
    assert_int_equal(rk_fabric_send(a.fabric, here.id, nobody, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_NOT_FOUND);
    rk_address other = {2, stranger.id};
    assert_int_equal(rk_fabric_send(a.fabric, here.id, other, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_TENANT);
    assert_int_equal(b.audit_count, 1);
    assert_int_equal(b.audits[0].source_tenant, 3);
    assert_int_equal(b.audits[0].dest_tenant, 4);
    assert_int_equal(test_letters(&a), 0);
    assert_int_equal(test_letters_of(&b, RK_DEADLETTER_NO_TARGET), 1);
    assert_int_equal(test_letters_of(&b, RK_DEADLETTER_TENANT), 1);
    rk_endpoint_stats stats;
    assert_int_equal(rk_endpoint_stats_get(a.fabric, link_a, &stats), RK_OK);
    assert_int_equal(stats.received[RK_RECEIPT_DELIVERED], 1);
    assert_int_equal(stats.received[RK_RECEIPT_NOT_FOUND], 1);
    assert_int_equal(stats.received[RK_RECEIPT_TENANT], 1);

    /* A link is nobody's address, and no subscriber. */
    assert_int_equal(rk_fabric_send(a.fabric, 0, test_here(link_a), TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_REFUSED);
    assert_int_equal(rk_fabric_subscribe(a.fabric, link_a, "a", 0, &err), RK_INVALID);
    assert_int_equal(rk_link_remove(a.fabric, here.id), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_route(a.fabric, 9, here.id, &err), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_route(a.fabric, 1, link_a, &err), RK_INVALID);

    /* Without the link there is no way. */
    assert_int_equal(rk_link_remove(a.fabric, link_a), RK_OK);
    assert_int_equal(rk_link_remove(b.fabric, link_b), RK_OK);
    assert_int_equal(rk_fabric_send(a.fabric, here.id, to, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_NOT_FOUND);
    assert_int_equal(test_letters_of(&a, RK_DEADLETTER_NO_TARGET), 1);
    test_fabric_close(&a);
    test_fabric_close(&b);
}

static void answer_at_once(void *context, const rk_delivery *delivery)
{
    test_fabric *t = context;
    assert_int_equal(rk_fabric_reply(t->fabric, delivery->dest, delivery->source,
                                     delivery->header.correlation, TYPE_PONG, "pong", 4),
                     RK_RECEIPT_DELIVERED);
}

/* Node 1 knows node 3 only through node 2; a request goes there and its reply comes back. */
static void test_forwarding(void **state)
{
    (void)state;
    test_fabric n[3];
    uint32_t links[4];
    for (uint32_t i = 0; i < 3; i++) {
        open_node(&n[i], i + 1, 1);
    }
    assert_int_equal(rk_fabric_join(n[0].fabric, n[1].fabric, &links[0], &links[1], NULL), RK_OK);
    assert_int_equal(rk_fabric_join(n[1].fabric, n[2].fabric, &links[2], &links[3], NULL), RK_OK);
    assert_int_equal(rk_fabric_route(n[0].fabric, 0, links[0], NULL), RK_OK);
    assert_int_equal(rk_fabric_route(n[2].fabric, 0, links[3], NULL), RK_OK);
    test_sink server;
    test_sink_open(&server, n[2].fabric, "server", 0);
    server.hook = answer_at_once;
    server.hook_context = &n[2];
    rk_address to = {3, server.id};
    rk_mail mail;
    char buffer[8];
    assert_int_equal(rk_fabric_call(n[0].fabric, 0, to, TYPE_PING, "ping", 4, 1000000000, &mail,
                                    buffer, sizeof(buffer)),
                     RK_RECEIPT_DELIVERED);
    assert_memory_equal(buffer, "pong", 4);
    assert_int_equal(mail.source.node, 3);
    assert_true(mail.has_envelope);
    assert_int_equal(mail.envelope.hops, 2);
    assert_int_equal(server.envelope.hops, 2);
    assert_int_equal(test_stats(&n[1]).forwarded, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(test_letters(&n[i]), 0);
    }
    assert_int_equal(rk_link_remove(n[0].fabric, links[0]), RK_OK);
    assert_int_equal(rk_link_remove(n[1].fabric, links[1]), RK_OK);
    assert_int_equal(rk_link_remove(n[1].fabric, links[2]), RK_OK);
    assert_int_equal(rk_link_remove(n[2].fabric, links[3]), RK_OK);
    for (unsigned i = 0; i < 3; i++) {
        test_fabric_close(&n[i]);
    }
}

/* Three nodes send what they do not know around in a circle: the hop limit ends it. */
static void test_hop_loop(void **state)
{
    (void)state;
    test_fabric n[3];
    uint32_t forward[3];
    uint32_t back[3];
    for (uint32_t i = 0; i < 3; i++) {
        open_node(&n[i], i + 1, 1);
    }
    for (unsigned i = 0; i < 3; i++) {
        test_fabric *next = &n[(i + 1) % 3];
        assert_int_equal(rk_fabric_join(n[i].fabric, next->fabric, &forward[i], &back[i], NULL),
                         RK_OK);
        assert_int_equal(rk_fabric_route(n[i].fabric, 0, forward[i], NULL), RK_OK);
    }
    rk_address unknown = {99, 0x10001};
    assert_int_equal(rk_fabric_send(n[0].fabric, 0, unknown, TYPE_PING, "round", 5, NULL),
                     RK_RECEIPT_HOPS);
    uint64_t received = 0;
    uint64_t letters = 0;
    for (unsigned i = 0; i < 3; i++) {
        received += test_stats(&n[i]).envelopes_received;
        letters += test_letters_of(&n[i], RK_DEADLETTER_HOPS);
    }
    assert_int_equal(received, RK_FABRIC_MAX_HOPS);
    assert_int_equal(letters, 1); /* in the fabric that gave up, and only there */
    assert_int_equal(test_letters_of(&n[2], RK_DEADLETTER_HOPS), 1);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rk_link_remove(n[i].fabric, forward[i]), RK_OK);
        assert_int_equal(rk_link_remove(n[(i + 1) % 3].fabric, back[i]), RK_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        test_fabric_close(&n[i]);
    }
}

static void test_hop_boundary(void **state)
{
    (void)state;
    test_fabric t;
    open_node(&t, 1, 1);
    wire w;
    uint32_t link = open_wire(&t, &w, 2);
    test_sink sink;
    test_sink_open(&sink, t.fabric, NULL, 0);
    rk_address out = {2, 0x10001};
    assert_int_equal(rk_fabric_send(t.fabric, sink.id, out, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_PENDING);
    assert_int_equal(w.envelope.hops, 1);
    w.envelope.source_node = 2;
    for (rk_u16 hops = 0; hops < 12; hops++) {
        /* To this node: up to eight hops. Onward: one more must be left. */
        w.envelope.hops = hops;
        w.envelope.dest_node = 1;
        w.envelope.dest_kernel = sink.id;
        rk_envelope_seal(&w.envelope, w.payload);
        assert_int_equal(receive(&t, link, &w), hops <= 8 ? RK_RECEIPT_DELIVERED : RK_RECEIPT_HOPS);
        w.envelope.dest_node = 2;
        rk_envelope_seal(&w.envelope, w.payload);
        unsigned before = w.count;
        assert_int_equal(receive(&t, link, &w), hops < 8 ? RK_RECEIPT_PENDING : RK_RECEIPT_HOPS);
        assert_int_equal(w.count, before + (hops < 8));
    }
    assert_int_equal(sink.count, 9);
    assert_int_equal(rk_link_remove(t.fabric, link), RK_OK);
    test_fabric_close(&t);
}

/* What the transport says: refused and not taken is our dead letter, taken is the peer's. */
static void test_transport_failures(void **state)
{
    (void)state;
    test_fabric t;
    open_node(&t, 1, 1);
    wire w;
    uint32_t link = open_wire(&t, &w, 2);
    rk_address out = {2, 0x10001};
    w.receipt = RK_RECEIPT_QUEUE_FULL;
    assert_int_equal(rk_fabric_send(t.fabric, 0, out, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_QUEUE_FULL), 1);
    w.taken = true;
    assert_int_equal(rk_fabric_send(t.fabric, 0, out, TYPE_PING, "x", 1, NULL),
                     RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(test_letters(&t), 1);
    w.receipt = (rk_receipt)77;
    assert_int_equal(rk_fabric_send(t.fabric, 0, out, TYPE_PING, "x", 1, NULL), RK_RECEIPT_REFUSED);
    uint32_t id = 0;
    rk_link_ops none = {0};
    assert_int_equal(rk_link_create(t.fabric, NULL, &none, NULL, &id, NULL), RK_INVALID);
    assert_int_equal(rk_link_remove(t.fabric, link), RK_OK);
    assert_int_equal(rk_link_remove(t.fabric, link), RK_NOT_FOUND);
    test_fabric_close(&t);
}

/* Every single bit of envelope and payload matters. */
static void test_damage(void **state)
{
    (void)state;
    test_fabric from;
    test_fabric to;
    open_node(&from, 1, 1);
    open_node(&to, 2, 1);
    wire w;
    wire unused;
    uint32_t out = open_wire(&from, &w, 2);
    uint32_t in = open_wire(&to, &unused, 1);
    test_sink sink;
    test_sink_open(&sink, to.fabric, NULL, 0);
    rk_address dest = {2, sink.id};
    assert_int_equal(rk_fabric_send(from.fabric, 0, dest, TYPE_PING, "payload!", 8, NULL),
                     RK_RECEIPT_PENDING);
    unsigned refused = 0;
    for (unsigned bit = 0; bit < (sizeof(rk_envelope) + 8) * 8; bit++) {
        wire bad = w;
        unsigned char *byte = bit / 8 < sizeof(rk_envelope)
                                  ? (unsigned char *)&bad.envelope + bit / 8
                                  : bad.payload + bit / 8 - sizeof(rk_envelope);
        *byte ^= (unsigned char)(1u << bit % 8);
        bad.envelope.length = bad.envelope.length > 64 ? 64 : bad.envelope.length;
        assert_int_equal(
            rk_fabric_receive(to.fabric, in, &bad.envelope, sizeof(bad.envelope), bad.payload, 8),
            RK_RECEIPT_DAMAGED);
        refused++;
    }
    /* Cut off, nothing at all, a payload of another length. */
    assert_int_equal(rk_fabric_receive(to.fabric, in, &w.envelope, 100, w.payload, 8),
                     RK_RECEIPT_DAMAGED);
    assert_int_equal(rk_fabric_receive(to.fabric, in, NULL, 0, NULL, 0), RK_RECEIPT_DAMAGED);
    assert_int_equal(
        rk_fabric_receive(to.fabric, in, &w.envelope, sizeof(w.envelope), w.payload, 7),
        RK_RECEIPT_DAMAGED);
    assert_int_equal(rk_fabric_receive(to.fabric, in, &w.envelope, sizeof(w.envelope), NULL, 8),
                     RK_RECEIPT_DAMAGED);
    refused += 4;
    assert_int_equal(sink.count, 0);
    rk_endpoint_stats stats;
    assert_int_equal(rk_endpoint_stats_get(to.fabric, in, &stats), RK_OK);
    assert_int_equal(stats.received[RK_RECEIPT_DAMAGED], refused);
    assert_int_equal(test_stats(&to).receipts[RK_RECEIPT_DAMAGED], refused);
    assert_int_equal(test_letters(&to), 0);        /* nothing in it can be believed */
    assert_int_equal(to.event_count, refused + 2); /* and two registrations */
    /* From no link that is known: counted all the same. */
    assert_int_equal(rk_fabric_receive(to.fabric, 0, NULL, 0, NULL, 0), RK_RECEIPT_DAMAGED);
    assert_int_equal(test_stats(&to).receipts[RK_RECEIPT_DAMAGED], refused + 1);
    /* And undamaged it arrives. */
    assert_int_equal(receive(&to, in, &w), RK_RECEIPT_DELIVERED);
    assert_int_equal(sink.count, 1);
    assert_int_equal(rk_link_remove(from.fabric, out), RK_OK);
    assert_int_equal(rk_link_remove(to.fabric, in), RK_OK);
    test_fabric_close(&from);
    test_fabric_close(&to);
}

/* A message from node 9, endpoint 0x10001, to the sink; the caller changes and seals it. */
static wire forge(const test_sink *sink, uint64_t epoch)
{
    wire w = {.receipt = RK_RECEIPT_PENDING};
    rk_msg_header header = {.id = 1, .type = TYPE_PING, .source = 1, .length = 3};
    rk_msg_context context = {.source_node = 9,
                              .source_kernel = 0x10001,
                              .dest_node = 1,
                              .dest_kernel = sink->id,
                              .hops = 1,
                              .epoch = epoch,
                              .time = {.physical_us = rk_clock_realtime_ns() / 1000, .node = 9}};
    memcpy(w.payload, "abc", 3);
    rk_envelope_join(&w.envelope, &header, &context);
    rk_envelope_seal(&w.envelope, w.payload);
    return w;
}

static void test_what_links_may_not_bring(void **state)
{
    (void)state;
    rk_fabric_options options = {.payload_limit_bytes = 3};
    test_fabric t;
    test_fabric_open(&t, &options);
    test_sink sink;
    test_sink_open(&sink, t.fabric, NULL, 0);
    wire w = forge(&sink, 1);
    w.envelope.type = 2; /* a command */
    rk_envelope_seal(&w.envelope, w.payload);
    assert_int_equal(receive(&t, 0, &w), RK_RECEIPT_INVALID);
    w = forge(&sink, 1);
    w.envelope.length = 4;
    rk_envelope_seal(&w.envelope, w.payload);
    assert_int_equal(receive(&t, 0, &w), RK_RECEIPT_TOO_LONG);
    w = forge(&sink, 1);
    w.envelope.time.physical_us += 120u * 1000000u;
    rk_envelope_seal(&w.envelope, w.payload);
    assert_int_equal(receive(&t, 0, &w), RK_RECEIPT_SKEW);
    w = forge(&sink, 1);
    w.envelope.flags = RK_MSG_RETAINED | RK_MSG_DUPLICATE | 0x0200; /* a publication's */
    rk_envelope_seal(&w.envelope, w.payload);
    assert_int_equal(receive(&t, 0, &w), RK_RECEIPT_DELIVERED);
    assert_int_equal(sink.last.header.flags, 0);
    w = forge(&sink, 1);
    w.envelope.dest_node = 0; /* this node */
    rk_envelope_seal(&w.envelope, w.payload);
    assert_int_equal(receive(&t, 0, &w), RK_RECEIPT_DELIVERED);
    assert_int_equal(sink.count, 2);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_REJECTED), 3);
    test_fabric_close(&t);
}

static void test_fencing(void **state)
{
    (void)state;
    rk_fabric_options options = {.owner_limit = 4};
    test_fabric t;
    test_fabric_open(&t, &options);
    test_sink sink;
    test_sink_open(&sink, t.fabric, NULL, 0);
    wire old = forge(&sink, 5);
    wire new = forge(&sink, 6);
    assert_int_equal(receive(&t, 0, &old), RK_RECEIPT_DELIVERED);
    assert_int_equal(receive(&t, 0, &new), RK_RECEIPT_DELIVERED);
    assert_int_equal(receive(&t, 0, &old), RK_RECEIPT_STALE);
    assert_int_equal(receive(&t, 0, &new), RK_RECEIPT_DELIVERED);
    assert_int_equal(sink.count, 3);
    assert_int_equal(test_stats(&t).receipts[RK_RECEIPT_STALE], 1);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_REJECTED), 1);
    assert_int_equal(test_events_of(&t, RK_FABRIC_FENCED), 1);

    /* By decree, before the new owner has said anything; another endpoint of the node is free. */
    rk_address owner = {9, 0x10001};
    assert_int_equal(rk_fabric_fence(t.fabric, owner, 7), RK_OK);
    assert_int_equal(receive(&t, 0, &new), RK_RECEIPT_STALE);
    assert_int_equal(rk_fabric_fence(t.fabric, owner, 3), RK_OK); /* never falls */
    assert_int_equal(receive(&t, 0, &new), RK_RECEIPT_STALE);
    wire other = forge(&sink, 1);
    other.envelope.source_kernel = 0x10002;
    rk_envelope_seal(&other.envelope, other.payload);
    assert_int_equal(receive(&t, 0, &other), RK_RECEIPT_DELIVERED);

    /* The whole node. */
    rk_address node = {9, 0};
    assert_int_equal(rk_fabric_fence(t.fabric, node, 2), RK_OK);
    assert_int_equal(receive(&t, 0, &other), RK_RECEIPT_STALE);
    other.envelope.epoch = 2;
    rk_envelope_seal(&other.envelope, other.payload);
    assert_int_equal(receive(&t, 0, &other), RK_RECEIPT_DELIVERED);

    /* The table is full (own node, node 9, two endpoints): more owners above their node's epoch are
     * refused, those at it are not remembered and pass. */
    assert_int_equal(test_stats(&t).owners, 4);
    wire third = forge(&sink, 3);
    third.envelope.source_kernel = 0x10003;
    rk_envelope_seal(&third.envelope, third.payload);
    assert_int_equal(receive(&t, 0, &third), RK_RECEIPT_LIMIT);
    third.envelope.epoch = 2;
    rk_envelope_seal(&third.envelope, third.payload);
    assert_int_equal(receive(&t, 0, &third), RK_RECEIPT_DELIVERED);
    rk_address more = {10, 0};
    assert_int_equal(rk_fabric_fence(t.fabric, more, 2), RK_LIMIT);

    /* A node that is gone makes room; its own epoch stays. */
    assert_int_equal(rk_fabric_forget(t.fabric, 9), 2);
    assert_int_equal(test_stats(&t).owners, 2);
    other.envelope.epoch = 1;
    rk_envelope_seal(&other.envelope, other.payload);
    assert_int_equal(receive(&t, 0, &other), RK_RECEIPT_STALE);
    test_fabric_close(&t);
}

/* A node that starts again with a higher epoch fences its earlier self by joining. */
static void test_restarted_node(void **state)
{
    (void)state;
    test_fabric a;
    test_fabric first;
    test_fabric second;
    open_node(&a, 1, 1);
    open_node(&first, 2, 1);
    open_node(&second, 2, 2);
    uint32_t links[4];
    test_sink sink;
    test_sink_open(&sink, a.fabric, NULL, 0);
    rk_address to = {1, sink.id};
    assert_int_equal(rk_fabric_join(a.fabric, first.fabric, &links[0], &links[1], NULL), RK_OK);
    assert_int_equal(rk_fabric_send(first.fabric, 0, to, TYPE_PING, "1", 1, NULL),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(rk_link_remove(a.fabric, links[0]), RK_OK);
    assert_int_equal(rk_fabric_join(a.fabric, second.fabric, &links[2], &links[3], NULL), RK_OK);
    assert_int_equal(rk_fabric_send(first.fabric, 0, to, TYPE_PING, "late", 4, NULL),
                     RK_RECEIPT_STALE);
    assert_int_equal(rk_fabric_send(second.fabric, 0, to, TYPE_PING, "2", 1, NULL),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(sink.count, 2);
    assert_int_equal(rk_link_remove(first.fabric, links[1]), RK_OK);
    assert_int_equal(rk_link_remove(a.fabric, links[2]), RK_OK);
    assert_int_equal(rk_link_remove(second.fabric, links[3]), RK_OK);
    test_fabric_close(&a);
    test_fabric_close(&first);
    test_fabric_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_forwarding),
        cmocka_unit_test(test_hop_loop),
        cmocka_unit_test(test_hop_boundary),
        cmocka_unit_test(test_transport_failures),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_what_links_may_not_bring),
        cmocka_unit_test(test_fencing),
        cmocka_unit_test(test_restarted_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
