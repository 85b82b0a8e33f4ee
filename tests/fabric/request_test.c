/*
 * Requests: replies, timeouts, late replies, many outstanding, sources that go.
 */
#include "base/thread.h"
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

#define START_NS 1000000000u
#define SECOND_NS 1000000000u

typedef struct outcome {
    unsigned calls;
    rk_receipt receipt;
    uint32_t correlation;
    char text[16];
} outcome;

static void on_done(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    outcome *o = context;
    o->calls++;
    o->receipt = receipt;
    if (reply) {
        o->correlation = reply->header.correlation;
        memcpy(o->text, reply->payload, RK_MIN(reply->header.length, sizeof(o->text)));
    }
}

/* A fabric on a clock that stands still, and somebody to ask. */
typedef struct fixture {
    rk_test_clock clock;
    test_fabric t;
    test_sink server;
    test_sink client;
} fixture;

static void set_up(fixture *f, const rk_fabric_options *options)
{
    rk_test_clock_install(&f->clock, START_NS, 1700000000000000000u);
    test_fabric_open(&f->t, options);
    test_sink_open(&f->server, f->t.fabric, "server", 4);
    test_sink_open(&f->client, f->t.fabric, "client", 4);
}

static void tear_down(fixture *f)
{
    test_fabric_close(&f->t);
    rk_test_clock_remove(&f->clock);
}

static rk_receipt ask(fixture *f, const rk_request_options *options, uint32_t *out_request)
{
    return rk_fabric_request(f->t.fabric, f->client.id, test_here(f->server.id), TYPE_PING, "?", 1,
                             options, out_request);
}

/* Replies to the server's last message. */
static rk_receipt answer(fixture *f, const char *text)
{
    return rk_fabric_reply(f->t.fabric, f->server.id, f->server.last.source,
                           f->server.last.header.correlation, TYPE_PONG, text,
                           (uint32_t)strlen(text));
}

static void test_reply_to_callback(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    outcome o = {0};
    rk_request_options options = {.done = on_done, .context = &o, .send = {.correlation = 17}};
    assert_int_equal(ask(&f, &options, NULL), RK_RECEIPT_DELIVERED);
    assert_int_equal(f.server.last.header.flags, RK_MSG_REQUEST | RK_MSG_PRIORITY_NORMAL);
    assert_true(f.server.last.deadline_us == 1700000000000000u + 30000000u);
    assert_int_equal(test_stats(&f.t).requests_outstanding, 1);
    assert_int_equal(o.calls, 0);
    assert_int_equal(answer(&f, "yes"), RK_RECEIPT_DELIVERED);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.receipt, RK_RECEIPT_DELIVERED);
    assert_int_equal(o.correlation, 17);
    assert_memory_equal(o.text, "yes", 3);
    assert_int_equal(f.client.count, 0);
    /* A second reply to the same request is late. */
    assert_int_equal(answer(&f, "again"), RK_RECEIPT_TIMEOUT);
    assert_int_equal(o.calls, 1);
    rk_fabric_stats stats = test_stats(&f.t);
    assert_int_equal(stats.requests, 1);
    assert_int_equal(stats.replies, 1);
    assert_int_equal(stats.late_replies, 1);
    assert_int_equal(stats.requests_outstanding, 0);
    assert_true(rk_fabric_poll(f.t.fabric) == UINT64_MAX);
    tear_down(&f);
}

static void test_reply_to_endpoint(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    rk_request_options options = {.send = {.correlation = 23}};
    assert_int_equal(ask(&f, &options, NULL), RK_RECEIPT_DELIVERED);
    assert_int_not_equal(f.server.last.header.correlation, 0);
    assert_int_equal(answer(&f, "yes"), RK_RECEIPT_DELIVERED);
    assert_int_equal(f.client.count, 1);
    assert_int_equal(f.client.last.header.correlation, 23);
    assert_int_equal(f.client.last.header.type, TYPE_PONG);
    assert_int_equal(f.client.last.header.flags, RK_MSG_REPLY | RK_MSG_PRIORITY_NORMAL);
    assert_int_equal(f.client.last.source.endpoint, f.server.id);

    /* An endpoint that cannot take its reply now: the server is told and may reply again. */
    assert_int_equal(ask(&f, &options, NULL), RK_RECEIPT_DELIVERED);
    f.client.receipt = RK_RECEIPT_QUEUE_FULL;
    assert_int_equal(answer(&f, "full"), RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_QUEUE_FULL), 1);
    assert_int_equal(test_stats(&f.t).requests_outstanding, 1);
    f.client.receipt = RK_RECEIPT_DELIVERED;
    assert_int_equal(answer(&f, "now"), RK_RECEIPT_DELIVERED);
    assert_int_equal(test_stats(&f.t).requests_outstanding, 0);
    tear_down(&f);
}

static void test_timeout(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    outcome o = {0};
    rk_request_options callback = {.timeout_ns = SECOND_NS, .done = on_done, .context = &o};
    rk_request_options endpoint = {.timeout_ns = 2 * SECOND_NS, .send = {.correlation = 5}};
    assert_int_equal(ask(&f, &callback, NULL), RK_RECEIPT_DELIVERED);
    assert_int_equal(ask(&f, &endpoint, NULL), RK_RECEIPT_DELIVERED);
    assert_true(rk_fabric_poll(f.t.fabric) == START_NS + SECOND_NS);
    rk_test_clock_step(&f.clock, SECOND_NS - 1);
    assert_true(rk_fabric_poll(f.t.fabric) == START_NS + SECOND_NS);
    assert_int_equal(o.calls, 0);
    rk_test_clock_step(&f.clock, 1);
    assert_true(rk_fabric_poll(f.t.fabric) == START_NS + 2 * SECOND_NS);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.receipt, RK_RECEIPT_TIMEOUT);
    assert_int_equal(f.client.count, 0);
    rk_test_clock_step(&f.clock, SECOND_NS);
    assert_true(rk_fabric_poll(f.t.fabric) == UINT64_MAX);
    assert_int_equal(f.client.count, 1);
    assert_int_equal(f.client.last.header.type, RK_MSG_TYPE_REQUEST_FAILED);
    assert_int_equal(f.client.last.header.correlation, 5);
    rk_u32 code = 0;
    memcpy(&code, f.client.payload, sizeof(code));
    assert_int_equal(code, RK_RECEIPT_TIMEOUT);
    assert_int_equal(test_stats(&f.t).request_timeouts, 2);

    /* The reply comes now: too late. */
    assert_int_equal(answer(&f, "late"), RK_RECEIPT_TIMEOUT);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_EXPIRED), 1);
    assert_int_equal(test_events_of(&f.t, RK_FABRIC_EXPIRED_REPLY), 1);
    assert_int_equal(f.client.count, 1);

    /* A notice that the endpoint cannot take is a dead letter. */
    assert_int_equal(ask(&f, &endpoint, NULL), RK_RECEIPT_DELIVERED);
    f.client.receipt = RK_RECEIPT_QUEUE_FULL;
    rk_test_clock_step(&f.clock, 2 * SECOND_NS);
    (void)rk_fabric_poll(f.t.fabric);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_QUEUE_FULL), 1);
    tear_down(&f);
}

static void test_refused_and_invalid(void **state)
{
    (void)state;
    rk_fabric_options options = {.request_limit = 2};
    fixture f;
    set_up(&f, &options);
    outcome o = {0};
    rk_request_options with = {.done = on_done, .context = &o};
    f.server.receipt = RK_RECEIPT_QUEUE_FULL;
    assert_int_equal(ask(&f, &with, NULL), RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(test_stats(&f.t).requests_outstanding, 0);
    f.server.receipt = RK_RECEIPT_DELIVERED;
    rk_address to = test_here(f.server.id);
    /* The host without an endpoint needs a callback. */
    assert_int_equal(rk_fabric_request(f.t.fabric, 0, to, TYPE_PING, "?", 1, NULL, NULL),
                     RK_RECEIPT_INVALID);
    assert_int_equal(
        rk_fabric_reply(f.t.fabric, f.server.id, f.client.last.source, 0, TYPE_PONG, "x", 1),
        RK_RECEIPT_INVALID);
    /* A reply to nothing. */
    assert_int_equal(rk_fabric_reply(f.t.fabric, f.server.id, test_here(f.client.id), 0x10001,
                                     TYPE_PONG, "x", 1),
                     RK_RECEIPT_TIMEOUT);
    uint32_t request = 0;
    assert_int_equal(ask(&f, &with, &request), RK_RECEIPT_DELIVERED);
    assert_int_equal(ask(&f, &with, NULL), RK_RECEIPT_DELIVERED);
    assert_int_equal(ask(&f, &with, NULL), RK_RECEIPT_LIMIT);
    assert_int_equal(test_letters_of(&f.t, RK_DEADLETTER_QUEUE_FULL), 2);
    assert_int_equal(rk_fabric_request_cancel(f.t.fabric, request), RK_OK);
    assert_int_equal(rk_fabric_request_cancel(f.t.fabric, request), RK_NOT_FOUND);
    assert_int_equal(rk_fabric_request_cancel(f.t.fabric, 0), RK_NOT_FOUND);
    assert_int_equal(o.calls, 0);
    /* Another endpoint of the tenant cannot take the reply in its place. */
    test_sink other;
    test_sink_open(&other, f.t.fabric, "other", 4);
    assert_int_equal(rk_fabric_reply(f.t.fabric, f.server.id, test_here(other.id),
                                     f.server.last.header.correlation, TYPE_PONG, "x", 1),
                     RK_RECEIPT_TIMEOUT);
    assert_int_equal(other.count, 0);
    /* Another tenant cannot reply at all. */
    test_sink stranger;
    test_sink_open(&stranger, f.t.fabric, "stranger", 5);
    assert_int_equal(rk_fabric_reply(f.t.fabric, stranger.id, f.server.last.source,
                                     f.server.last.header.correlation, TYPE_PONG, "x", 1),
                     RK_RECEIPT_TENANT);
    tear_down(&f);
    assert_int_equal(o.calls, 1); /* the second request ended with the fabric */
    assert_int_equal(o.receipt, RK_RECEIPT_CLOSED);
}

static void test_source_goes(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    outcome o = {0};
    rk_request_options with = {.done = on_done, .context = &o};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(ask(&f, &with, NULL), RK_RECEIPT_DELIVERED);
    }
    assert_int_equal(ask(&f, NULL, NULL), RK_RECEIPT_DELIVERED);
    assert_int_equal(rk_endpoint_unregister(f.t.fabric, f.client.id), RK_OK);
    assert_int_equal(o.calls, 10);
    assert_int_equal(o.receipt, RK_RECEIPT_CLOSED);
    assert_int_equal(test_stats(&f.t).requests_outstanding, 0);
    assert_int_equal(answer(&f, "late"), RK_RECEIPT_CLOSED);
    tear_down(&f);
}

#define MANY 3000

/* Thousands outstanding, answered in random order or not at all: every one ends once. */
static void test_many_outstanding(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, NULL);
    static outcome outcomes[MANY];
    static uint32_t correlations[MANY];
    memset(outcomes, 0, sizeof(outcomes));
    for (uint32_t i = 0; i < MANY; i++) {
        rk_request_options with = {.timeout_ns = SECOND_NS + i,
                                   .done = on_done,
                                   .context = &outcomes[i],
                                   .send = {.correlation = i}};
        assert_int_equal(ask(&f, &with, NULL), RK_RECEIPT_DELIVERED);
        correlations[i] = f.server.last.header.correlation;
    }
    assert_int_equal(test_stats(&f.t).requests_outstanding, MANY);
    uint64_t seed = 9;
    unsigned answered = 0;
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t pick = (uint32_t)(rk_test_random(&seed) % MANY);
        rk_receipt receipt = rk_fabric_reply(f.t.fabric, f.server.id, f.server.last.source,
                                             correlations[pick], TYPE_PONG, &pick, sizeof(pick));
        bool first = receipt == RK_RECEIPT_DELIVERED;
        answered += first;
        assert_int_equal(outcomes[pick].calls, 1);
        assert_int_equal(outcomes[pick].correlation, pick);
        assert_memory_equal(outcomes[pick].text, &pick, sizeof(pick));
    }
    assert_true(answered > MANY / 2 && answered < MANY);
    rk_test_clock_step(&f.clock, SECOND_NS + MANY);
    (void)rk_fabric_poll(f.t.fabric);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(outcomes[i].calls, 1);
    }
    rk_fabric_stats stats = test_stats(&f.t);
    assert_int_equal(stats.replies, answered);
    assert_int_equal(stats.request_timeouts, MANY - answered);
    assert_int_equal(stats.requests_outstanding, 0);
    tear_down(&f);
}

typedef struct server {
    rk_fabric *fabric;
    rk_mailbox *mailbox;
} server;

/* Doubles numbers until its mailbox closes; leaves 13 without an answer. */
static void serve(void *context)
{
    server *s = context;
    rk_mail mail;
    uint32_t number = 0;
    while (rk_mailbox_receive(s->mailbox, &mail, &number, sizeof(number), RK_NEVER) == RK_OK) {
        if (number == 13) {
            continue;
        }
        number *= 2;
        (void)rk_fabric_reply(s->fabric, rk_mailbox_endpoint(s->mailbox), mail.source,
                              mail.header.correlation, TYPE_PONG, &number, sizeof(number));
    }
}

static void test_call(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    server s = {.fabric = t.fabric};
    assert_int_equal(rk_mailbox_create(t.fabric, NULL, &s.mailbox, NULL), RK_OK);
    rk_address to = test_here(rk_mailbox_endpoint(s.mailbox));
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "server", serve, &s), RK_OK);
    rk_mail mail;
    uint32_t result = 0;
    for (uint32_t i = 20; i < 520; i++) {
        assert_int_equal(rk_fabric_call(t.fabric, 0, to, TYPE_PING, &i, sizeof(i), RK_NEVER, &mail,
                                        &result, sizeof(result)),
                         RK_RECEIPT_DELIVERED);
        assert_int_equal(result, 2 * i);
        assert_int_equal(mail.header.type, TYPE_PONG);
        assert_int_equal(mail.source.endpoint, to.endpoint);
    }
    uint32_t number = 13;
    assert_int_equal(rk_fabric_call(t.fabric, 0, to, TYPE_PING, &number, sizeof(number), 1000,
                                    &mail, &result, sizeof(result)),
                     RK_RECEIPT_TIMEOUT);
    number = 14;
    assert_int_equal(rk_fabric_call(t.fabric, 0, to, TYPE_PING, &number, sizeof(number), RK_NEVER,
                                    &mail, &result, 2),
                     RK_RECEIPT_TOO_LONG);
    assert_int_equal(mail.header.length, 4);
    rk_mailbox_close(s.mailbox);
    rk_thread_join(&thread);
    assert_int_equal(rk_fabric_call(t.fabric, 0, to, TYPE_PING, &number, sizeof(number), RK_NEVER,
                                    NULL, &result, sizeof(result)),
                     RK_RECEIPT_CLOSED);
    assert_int_equal(test_stats(&t).requests_outstanding, 0);
    rk_mailbox_destroy(s.mailbox);
    test_fabric_close(&t);
}

static void on_done_threaded(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    (void)reply;
    rk_atomic_store_u32(context, (uint32_t)receipt + 1, memory_order_release);
}

/* The fabric's own thread ends requests in time. */
static void test_timer_thread(void **state)
{
    (void)state;
    rk_fabric_options options = {.flags = RK_FABRIC_TIMER_THREAD};
    rk_fabric *fabric = NULL;
    assert_int_equal(rk_fabric_create(&options, &fabric, NULL), RK_OK);
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(fabric, NULL, &mailbox, NULL), RK_OK);
    uint32_t ended[8] = {0};
    for (unsigned i = 0; i < 8; i++) {
        rk_request_options with = {
            .timeout_ns = 3000000 - i * 300000, .done = on_done_threaded, .context = &ended[i]};
        assert_int_equal(rk_fabric_request(fabric, 0, test_here(rk_mailbox_endpoint(mailbox)),
                                           TYPE_PING, "?", 1, &with, NULL),
                         RK_RECEIPT_DELIVERED);
    }
    for (unsigned i = 0; i < 8; i++) {
        while (rk_atomic_load_u32(&ended[i], memory_order_acquire) == 0) {
            rk_cpu_relax();
        }
        assert_int_equal(ended[i], RK_RECEIPT_TIMEOUT + 1);
    }
    rk_mailbox_destroy(mailbox);
    rk_fabric_destroy(fabric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_to_callback),
        cmocka_unit_test(test_reply_to_endpoint),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_refused_and_invalid),
        cmocka_unit_test(test_source_goes),
        cmocka_unit_test(test_many_outstanding),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_timer_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
