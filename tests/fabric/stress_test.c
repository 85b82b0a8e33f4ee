/*
 * Many threads at once: what is counted is what happened, nothing is lost, nothing comes twice.
 * Runs under the thread sanitizer like everything else.
 */
#include "base/thread.h"
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

#define SENDERS 3
#define EACH 20000u

typedef struct worker {
    rk_fabric *fabric;
    rk_mailbox *mailbox;
    uint32_t id;
    uint32_t dest;
    uint32_t index;
    uint32_t count;
    uint32_t kept; /* publications that the fabric keeps until they are acknowledged */
    uint64_t delivered;
    uint64_t refused;
    uint32_t failures;
    uint32_t *stop;
} worker;

static bool stopped(const worker *w)
{
    return rk_atomic_load_u32(w->stop, memory_order_acquire) != 0;
}

static rk_fabric *open_fabric(rk_deadletter_queue **letters, const rk_fabric_options *options)
{
    rk_fabric_options own = {0};
    if (options) {
        own = *options;
    }
    assert_int_equal(rk_deadletter_queue_create(NULL, letters), RK_OK);
    own.dead_letters = *letters;
    rk_fabric *fabric = NULL;
    assert_int_equal(rk_fabric_create(&own, &fabric, NULL), RK_OK);
    return fabric;
}

static void send_numbers(void *context)
{
    worker *w = context;
    rk_send_options options = {.wait_until_ns = RK_NEVER};
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t data[2] = {w->index, i};
        rk_receipt receipt = rk_fabric_send(w->fabric, 0, test_here(w->dest), TYPE_PING, data,
                                            sizeof(data), &options);
        w->failures += receipt != RK_RECEIPT_DELIVERED;
    }
}

/* Several senders, one receiver: every message once, those of one sender in order. */
static void test_senders(void **state)
{
    (void)state;
    rk_deadletter_queue *letters = NULL;
    rk_fabric *fabric = open_fabric(&letters, NULL);
    rk_mailbox *mailbox = NULL;
    rk_mailbox_options options = {.message_limit = 64};
    assert_int_equal(rk_mailbox_create(fabric, &options, &mailbox, NULL), RK_OK);
    worker workers[SENDERS];
    rk_thread threads[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        workers[i] = (worker){
            .fabric = fabric, .dest = rk_mailbox_endpoint(mailbox), .index = i, .count = EACH};
        assert_int_equal(rk_thread_start(&threads[i], "sender", send_numbers, &workers[i]), RK_OK);
    }
    uint32_t next[SENDERS] = {0};
    for (uint32_t i = 0; i < SENDERS * EACH; i++) {
        rk_mail mail;
        uint32_t data[2];
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, data, sizeof(data), RK_NEVER), RK_OK);
        assert_true(data[0] < SENDERS);
        assert_int_equal(data[1], next[data[0]]++);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        rk_thread_join(&threads[i]);
        assert_int_equal(workers[i].failures, 0);
    }
    rk_mailbox_destroy(mailbox);
    rk_fabric_destroy(fabric);
    rk_deadletter_queue_destroy(letters);
}

static rk_receipt count_delivery(void *context, const rk_delivery *delivery)
{
    worker *w = context;
    bool first = (delivery->header.flags & RK_MSG_DUPLICATE) == 0;
    bool kept = (delivery->header.flags & RK_MSG_QOS_MASK) != 0;
    (void)rk_atomic_add_u32(&w->count, 1, memory_order_relaxed);
    (void)rk_atomic_add_u32(&w->kept, first && kept, memory_order_relaxed);
    return RK_RECEIPT_DELIVERED;
}

static const rk_endpoint_ops counting_ops = {count_delivery, NULL};

/* Registers, subscribes, unsubscribes and unregisters until told to stop. What an endpoint got is
 * its own from the moment that unregistering has returned. */
static void come_and_go(void *context)
{
    worker *w = context;
    while (!stopped(w)) {
        worker *inner = calloc(1, sizeof(*inner));
        rk_endpoint_options options = {.name = w->index ? "one" : "two"};
        uint32_t id = 0;
        if (!inner ||
            rk_endpoint_register(w->fabric, &options, &counting_ops, inner, &id, NULL) != RK_OK) {
            w->failures++;
            free(inner);
            return;
        }
        rk_atomic_store_u32(&w->id, id, memory_order_release);
        w->failures += rk_fabric_subscribe(w->fabric, id, "a/*", w->index, NULL) != RK_OK;
        w->failures += rk_fabric_subscribe(w->fabric, id, "#", 0, NULL) != RK_OK;
        w->failures += rk_fabric_unsubscribe(w->fabric, id, "a/*", NULL) != RK_OK;
        w->failures += rk_endpoint_unregister(w->fabric, id) != RK_OK;
        w->delivered += inner->count;
        w->refused += inner->kept;
        free(inner);
        (void)rk_atomic_add_u32(&w->count, 1, memory_order_release);
    }
}

/* Two threads come and go, two others send and publish to whoever is there; statistics are read
 * on the side. In the end the sums agree. */
static void test_endpoints_come_and_go(void **state)
{
    (void)state;
    rk_deadletter_queue *letters = NULL;
    /* A visitor may be off the CPU for long while publications come in for it. */
    rk_fabric_options options = {.inflight_limit = 1u << 20};
    rk_fabric *fabric = open_fabric(&letters, &options);
    uint32_t stop = 0;
    worker workers[2];
    rk_thread threads[2];
    for (uint32_t i = 0; i < 2; i++) {
        workers[i] = (worker){.fabric = fabric, .index = i, .stop = &stop};
        assert_int_equal(rk_thread_start(&threads[i], "visitor", come_and_go, &workers[i]), RK_OK);
    }
    uint64_t sent = 0;
    uint64_t direct = 0;
    uint64_t published = 0;
    uint64_t lost = 0;
    uint64_t seed = 1;
    while (rk_atomic_load_u32(&workers[0].count, memory_order_acquire) < 1500 ||
           rk_atomic_load_u32(&workers[1].count, memory_order_acquire) < 1500) {
        uint32_t id =
            rk_atomic_load_u32(&workers[rk_test_random(&seed) % 2].id, memory_order_acquire);
        rk_receipt receipt = test_send(fabric, 0, id, "x");
        assert_true(receipt == RK_RECEIPT_DELIVERED || receipt == RK_RECEIPT_CLOSED ||
                    receipt == RK_RECEIPT_NOT_FOUND);
        direct += receipt == RK_RECEIPT_DELIVERED;
        receipt = rk_fabric_send_name(fabric, 0, "one", TYPE_PING, "x", 1, NULL);
        direct += receipt == RK_RECEIPT_DELIVERED;
        sent += 2;
        rk_publish_options once = {.qos = 1};
        rk_publish_result result;
        assert_int_equal(
            rk_fabric_publish(fabric, 0, "a/b", TYPE_PING, "x", 1, &once, &result, NULL), RK_OK);
        published += result.delivered;
        lost += result.lost;
        rk_fabric_stats stats;
        rk_fabric_stats_get(fabric, &stats);
        assert_true(stats.endpoints <= 2);
        (void)rk_fabric_poll(fabric);
    }
    rk_atomic_store_u32(&stop, 1, memory_order_release);
    uint64_t taken = 0;
    uint64_t kept = 0;
    for (unsigned i = 0; i < 2; i++) {
        rk_thread_join(&threads[i]);
        assert_int_equal(workers[i].failures, 0);
        taken += workers[i].delivered;
        kept += workers[i].refused;
    }
    rk_fabric_stats stats;
    rk_fabric_stats_get(fabric, &stats);
    assert_int_equal(taken, direct + published + stats.redeliveries);
    assert_int_equal(stats.receipts[RK_RECEIPT_DELIVERED], taken);
    /* Whatever was refused, and what subscribers left unacknowledged, is a dead letter. */
    assert_int_equal(stats.dead_letters, sent - direct + kept);
    assert_int_equal(lost, 0);
    assert_int_equal(stats.endpoints, 0);
    assert_int_equal(stats.subscriptions, 0);
    assert_int_equal(stats.inflight, 0);
    assert_int_equal(stats.inflight_bytes, 0);
    rk_fabric_destroy(fabric);
    rk_deadletter_queue_destroy(letters);
}

static void answer(void *context)
{
    worker *w = context;
    rk_mail mail;
    uint32_t number = 0;
    while (rk_mailbox_receive(w->mailbox, &mail, &number, sizeof(number), RK_NEVER) == RK_OK) {
        number++;
        (void)rk_fabric_reply(w->fabric, rk_mailbox_endpoint(w->mailbox), mail.source,
                              mail.header.correlation, TYPE_PONG, &number, sizeof(number));
    }
}

static void call_often(void *context)
{
    worker *w = context;
    for (uint32_t i = 0; i < 1500; i++) {
        rk_mail mail;
        uint32_t result = 0;
        rk_receipt receipt =
            rk_fabric_call(w->fabric, 0, test_here(w->dest), TYPE_PING, &i, sizeof(i),
                           i % 50 == 49 ? 1 : RK_NEVER, &mail, &result, sizeof(result));
        if (receipt == RK_RECEIPT_DELIVERED) {
            w->failures += result != i + 1;
            w->delivered++;
        } else {
            w->failures += receipt != RK_RECEIPT_TIMEOUT || i % 50 != 49;
            w->refused++;
        }
    }
}

/* Calls whose deadline may pass in the moment of the reply, with the timer thread in between. */
static void test_calls(void **state)
{
    (void)state;
    rk_deadletter_queue *letters = NULL;
    rk_fabric_options options = {.flags = RK_FABRIC_TIMER_THREAD};
    rk_fabric *fabric = open_fabric(&letters, &options);
    rk_mailbox *mailbox = NULL;
    assert_int_equal(rk_mailbox_create(fabric, NULL, &mailbox, NULL), RK_OK);
    worker server = {.fabric = fabric, .mailbox = mailbox};
    rk_thread server_thread;
    assert_int_equal(rk_thread_start(&server_thread, "server", answer, &server), RK_OK);
    worker workers[2];
    rk_thread threads[2];
    for (uint32_t i = 0; i < 2; i++) {
        workers[i] = (worker){.fabric = fabric, .dest = rk_mailbox_endpoint(mailbox)};
        assert_int_equal(rk_thread_start(&threads[i], "caller", call_often, &workers[i]), RK_OK);
    }
    uint64_t calls = 0;
    for (unsigned i = 0; i < 2; i++) {
        rk_thread_join(&threads[i]);
        assert_int_equal(workers[i].failures, 0);
        calls += workers[i].delivered + workers[i].refused;
    }
    assert_int_equal(calls, 3000);
    rk_mailbox_close(mailbox);
    rk_thread_join(&server_thread);
    rk_fabric_stats stats;
    rk_fabric_stats_get(fabric, &stats);
    assert_int_equal(stats.requests_outstanding, 0);
    assert_int_equal(stats.replies, workers[0].delivered + workers[1].delivered);
    rk_mailbox_destroy(mailbox);
    rk_fabric_destroy(fabric);
    rk_deadletter_queue_destroy(letters);
}

typedef struct reader {
    rk_mailbox *mailbox;
    uint8_t seen[SENDERS][EACH];
    uint32_t twice;
    uint32_t total;
} reader;

static void read_all(void *context)
{
    reader *r = context;
    rk_mail mail;
    uint32_t data[2];
    while (rk_mailbox_receive(r->mailbox, &mail, data, sizeof(data), RK_NEVER) == RK_OK) {
        r->twice += r->seen[data[0]][data[1]];
        r->seen[data[0]][data[1]] = 1;
        r->total++;
    }
}

static void publish_numbers(void *context)
{
    worker *w = context;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t data[2] = {w->index, i};
        rk_publish_options options = {.qos = 2, .publish_id = i + 1};
        for (unsigned again = 0; again < 1 + (i % 5 == 0); again++) {
            rk_publish_result result;
            w->failures += rk_fabric_publish(w->fabric, w->id, "numbers", TYPE_PING, data,
                                             sizeof(data), &options, &result, NULL) != RK_OK;
            w->failures += result.lost + (result.duplicate != (again == 1));
        }
    }
}

/* Exactly once through small mailboxes that are always full, with redeliveries all the time. */
static void test_exactly_once(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    rk_deadletter_queue *letters = NULL;
    rk_fabric_options options = {.flags = RK_FABRIC_TIMER_THREAD,
                                 .retry_after_ns = 100000,
                                 .retry_limit = UINT32_MAX,
                                 .inflight_limit = 1u << 20};
    rk_fabric *fabric = open_fabric(&letters, &options);
    static reader readers[2];
    memset(readers, 0, sizeof(readers));
    rk_thread reader_threads[2];
    for (unsigned i = 0; i < 2; i++) {
        rk_mailbox_options small = {.message_limit = 8};
        assert_int_equal(rk_mailbox_create(fabric, &small, &readers[i].mailbox, NULL), RK_OK);
        assert_int_equal(rk_fabric_subscribe(fabric, rk_mailbox_endpoint(readers[i].mailbox),
                                             "numbers", 2, NULL),
                         RK_OK);
        assert_int_equal(rk_thread_start(&reader_threads[i], "reader", read_all, &readers[i]),
                         RK_OK);
    }
    worker workers[SENDERS];
    rk_thread threads[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        workers[i] = (worker){.fabric = fabric, .index = i, .count = COUNT};
        assert_int_equal(
            rk_endpoint_register(fabric, NULL, &counting_ops, &workers[i], &workers[i].id, NULL),
            RK_OK);
        assert_int_equal(rk_thread_start(&threads[i], "publisher", publish_numbers, &workers[i]),
                         RK_OK);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        rk_thread_join(&threads[i]);
        assert_int_equal(workers[i].failures, 0);
    }
    rk_fabric_stats stats;
    do {
        rk_fabric_stats_get(fabric, &stats);
    } while (stats.inflight > 0);
    for (unsigned i = 0; i < 2; i++) {
        rk_mailbox_close(readers[i].mailbox);
        rk_thread_join(&reader_threads[i]);
        assert_int_equal(readers[i].twice, 0);
        assert_int_equal(readers[i].total, SENDERS * COUNT);
        rk_mailbox_destroy(readers[i].mailbox);
    }
    rk_fabric_stats_get(fabric, &stats);
    assert_int_equal(stats.dead_letters, 0);
    rk_fabric_destroy(fabric);
    rk_deadletter_queue_destroy(letters);
}

/* Two fabrics, both sides sending over the links at once. */
static void test_links(void **state)
{
    (void)state;
    rk_deadletter_queue *letters[2];
    rk_fabric *fabrics[2];
    for (uint32_t i = 0; i < 2; i++) {
        rk_fabric_options options = {.node = i + 1};
        fabrics[i] = open_fabric(&letters[i], &options);
    }
    uint32_t links[2];
    assert_int_equal(rk_fabric_join(fabrics[0], fabrics[1], &links[0], &links[1], NULL), RK_OK);
    rk_mailbox *mailboxes[2];
    worker servers[2];
    rk_thread server_threads[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rk_mailbox_create(fabrics[i], NULL, &mailboxes[i], NULL), RK_OK);
        servers[i] = (worker){.fabric = fabrics[i], .mailbox = mailboxes[i]};
        assert_int_equal(rk_thread_start(&server_threads[i], "server", answer, &servers[i]), RK_OK);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t from = i % 2;
        rk_address to = {2 - from, rk_mailbox_endpoint(mailboxes[1 - from])};
        rk_mail mail;
        uint32_t result = 0;
        assert_int_equal(rk_fabric_call(fabrics[from], 0, to, TYPE_PING, &i, sizeof(i), RK_NEVER,
                                        &mail, &result, sizeof(result)),
                         RK_RECEIPT_DELIVERED);
        assert_int_equal(result, i + 1);
        assert_true(mail.has_envelope);
    }
    for (unsigned i = 0; i < 2; i++) {
        rk_mailbox_close(mailboxes[i]);
        rk_thread_join(&server_threads[i]);
        rk_mailbox_destroy(mailboxes[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rk_link_remove(fabrics[i], links[i]), RK_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        rk_fabric_destroy(fabrics[i]);
        rk_deadletter_queue_destroy(letters[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders), cmocka_unit_test(test_endpoints_come_and_go),
        cmocka_unit_test(test_calls),   cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
