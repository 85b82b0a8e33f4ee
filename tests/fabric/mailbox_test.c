/*
 * The mailbox of host threads: order, limits, waiting on both sides, what is left behind.
 */
#include "base/thread.h"
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

static rk_mailbox *open_mailbox(test_fabric *t, const rk_mailbox_options *options)
{
    rk_mailbox *mailbox = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_mailbox_create(t->fabric, options, &mailbox, &err), RK_OK);
    return mailbox;
}

/* Messages of every length around the ring many times, with a model of what is in it. */
static void test_order_and_contents(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox_options options = {.name = "box", .message_limit = 32, .capacity_bytes = 4096};
    rk_mailbox *mailbox = open_mailbox(&t, &options);
    uint64_t seed = 3;
    uint64_t sent = 0;
    uint64_t received = 0;
    unsigned full = 0;
    static unsigned char bytes[2048];
    static unsigned char buffer[2048];
    for (unsigned round = 0; round < 20000; round++) {
        if (rk_test_random(&seed) % 2 == 0) {
            uint64_t pattern = sent + 1;
            uint32_t length = (uint32_t)(pattern * 37 % 1500);
            rk_test_random_bytes(&pattern, bytes, length);
            rk_send_options keep = {.send_flags = (sent % 3 == 0 ? RK_SEND_FULL : 0) | RK_SEND_KEEP,
                                    .correlation = (uint32_t)sent};
            rk_receipt receipt =
                rk_fabric_send(t.fabric, 0, test_here(rk_mailbox_endpoint(mailbox)), TYPE_PING,
                               bytes, length, &keep);
            if (receipt == RK_RECEIPT_DELIVERED) {
                sent++;
            } else {
                assert_int_equal(receipt, RK_RECEIPT_QUEUE_FULL);
                full++;
            }
        } else {
            rk_mail mail;
            rk_status status = rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), 0);
            if (received == sent) {
                assert_int_equal(status, RK_EMPTY);
                continue;
            }
            assert_int_equal(status, RK_OK);
            uint64_t pattern = received + 1;
            uint32_t length = (uint32_t)(pattern * 37 % 1500);
            rk_test_random_bytes(&pattern, bytes, length);
            assert_int_equal(mail.header.correlation, (uint32_t)received);
            assert_int_equal(mail.header.length, length);
            assert_memory_equal(buffer, bytes, length);
            assert_int_equal(mail.has_envelope, received % 3 == 0);
            if (mail.has_envelope) {
                assert_int_equal(mail.envelope.magic, RK_ENVELOPE_MAGIC);
                assert_int_equal(mail.envelope.length, length);
            }
            assert_string_equal(mail.topic, "");
            received++;
        }
        assert_int_equal(rk_mailbox_depth(mailbox), sent - received);
    }
    assert_true(full > 100);
    assert_true(received > 5000);
    assert_int_equal(test_letters(&t), 0);
    rk_mailbox_destroy(mailbox);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_DESTROYED), sent - received);
    test_fabric_close(&t);
}

static void test_limits(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox_options options = {.message_limit = 2, .capacity_bytes = 1};
    rk_mailbox *mailbox = open_mailbox(&t, &options);
    uint32_t id = rk_mailbox_endpoint(mailbox);
    char large[3000] = {0};
    assert_int_equal(
        rk_fabric_send(t.fabric, 0, test_here(id), TYPE_PING, large, sizeof(large), NULL),
        RK_RECEIPT_TOO_LONG); /* more than half of the least capacity, 4096 */
    assert_int_equal(test_send(t.fabric, 0, id, "one"), RK_RECEIPT_DELIVERED);
    assert_int_equal(test_send(t.fabric, 0, id, "two"), RK_RECEIPT_DELIVERED);
    assert_int_equal(test_send(t.fabric, 0, id, "three"), RK_RECEIPT_QUEUE_FULL);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_QUEUE_FULL), 1);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_REJECTED), 1);

    /* A buffer that is too small leaves the message where it is. */
    rk_mail mail;
    char buffer[8];
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, buffer, 2, 0), RK_LIMIT);
    assert_int_equal(mail.header.length, 3);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, NULL, 100, 0), RK_LIMIT);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), 0), RK_OK);
    assert_memory_equal(buffer, "one", 3);

    rk_err err = RK_ERR_INIT;
    rk_mailbox *other = NULL;
    options.capacity_bytes = UINT32_MAX;
    assert_int_equal(rk_mailbox_create(t.fabric, &options, &other, &err), RK_INVALID);
    options = (rk_mailbox_options){.name = ""};
    assert_int_equal(rk_mailbox_create(t.fabric, &options, &other, &err), RK_INVALID);
    rk_mailbox_destroy(NULL);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
}

static void test_late(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000000000, 1700000000000000000u);
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox *mailbox = open_mailbox(&t, NULL);
    rk_address to = test_here(rk_mailbox_endpoint(mailbox));
    rk_send_options options = {.deadline_us = 1700000000000500u};
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "late", 4, &options),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, "fine", 4, NULL),
                     RK_RECEIPT_DELIVERED);
    rk_test_clock_step(&clock, 501000);
    rk_mail mail;
    char buffer[8];
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), 0), RK_OK);
    assert_memory_equal(buffer, "fine", 4);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_EXPIRED), 1);
    assert_int_equal(test_events_of(&t, RK_FABRIC_REFUSED), 1);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
    rk_test_clock_remove(&clock);
}

/* Deadlines of waiting, on a clock that stands still. */
static void test_waiting_times_out(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000000000, 1700000000000000000u);
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox_options options = {.message_limit = 1};
    rk_mailbox *mailbox = open_mailbox(&t, &options);
    rk_mail mail;
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, NULL, 0, 1000000000), RK_TIMEOUT);
    rk_address to = test_here(rk_mailbox_endpoint(mailbox));
    rk_send_options wait = {.wait_until_ns = 1000000000};
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, NULL, 0, &wait),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, TYPE_PING, NULL, 0, &wait),
                     RK_RECEIPT_TIMEOUT);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_EXPIRED), 1);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
    rk_test_clock_remove(&clock);
}

typedef struct side {
    rk_fabric *fabric;
    rk_mailbox *mailbox;
    uint32_t count;
    uint32_t failures;
    rk_status last;
    rk_receipt receipt;
} side;

static void send_all(void *context)
{
    side *s = context;
    rk_send_options wait = {.wait_until_ns = RK_NEVER};
    for (uint32_t i = 0; i < s->count; i++) {
        s->receipt = rk_fabric_send(s->fabric, 0, test_here(rk_mailbox_endpoint(s->mailbox)),
                                    TYPE_PING, &i, sizeof(i), &wait);
        s->failures += s->receipt != RK_RECEIPT_DELIVERED;
    }
}

static void receive_one(void *context)
{
    side *s = context;
    rk_mail mail;
    char buffer[16];
    s->last = rk_mailbox_receive(s->mailbox, &mail, buffer, sizeof(buffer), RK_NEVER);
}

/* A sender that waits for room and a receiver that waits for messages carry each other on. */
static void test_both_sides_wait(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox_options options = {.message_limit = 2};
    rk_mailbox *mailbox = open_mailbox(&t, &options);
    side s = {.fabric = t.fabric, .mailbox = mailbox, .count = 5000};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "sender", send_all, &s), RK_OK);
    for (uint32_t i = 0; i < s.count; i++) {
        rk_mail mail;
        uint32_t number = 0;
        assert_int_equal(rk_mailbox_receive(mailbox, &mail, &number, sizeof(number), RK_NEVER),
                         RK_OK);
        assert_int_equal(number, i);
    }
    rk_thread_join(&thread);
    assert_int_equal(s.failures, 0);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
}

static void test_close(void **state)
{
    (void)state;
    test_fabric t;
    test_fabric_open(&t, NULL);
    rk_mailbox_options options = {.message_limit = 1};
    rk_mailbox *mailbox = open_mailbox(&t, &options);
    side receiver = {.mailbox = mailbox};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "receiver", receive_one, &receiver), RK_OK);
    rk_mailbox_close(mailbox);
    rk_thread_join(&thread);
    assert_int_equal(receiver.last, RK_CLOSED);
    uint32_t id = rk_mailbox_endpoint(mailbox);
    assert_int_equal(test_send(t.fabric, 0, id, "x"), RK_RECEIPT_CLOSED);
    assert_int_equal(test_letters_of(&t, RK_DEADLETTER_DESTROYED), 1);
    rk_mailbox_destroy(mailbox);

    /* What was there before closing can be received; a sender that waits is told. */
    mailbox = open_mailbox(&t, &options);
    assert_int_equal(test_send(t.fabric, 0, rk_mailbox_endpoint(mailbox), "x"),
                     RK_RECEIPT_DELIVERED);
    side sender = {.fabric = t.fabric, .mailbox = mailbox, .count = 1};
    assert_int_equal(rk_thread_start(&thread, "sender", send_all, &sender), RK_OK);
    rk_mailbox_close(mailbox);
    rk_thread_join(&thread);
    assert_int_equal(sender.receipt, RK_RECEIPT_CLOSED);
    rk_mail mail;
    char buffer[4];
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), RK_NEVER), RK_OK);
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), RK_NEVER),
                     RK_CLOSED);
    rk_mailbox_destroy(mailbox);
    test_fabric_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_contents),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_waiting_times_out),
        cmocka_unit_test(test_both_sides_wait),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
