/*
 * QoS over a lossy way: random loss of deliveries and of receipts, full queues, late and repeated
 * acknowledgements, repeated publications. QoS 1 loses nothing, QoS 2 loses nothing and acts on
 * nothing twice, whatever the seed.
 */
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

#define SUBSCRIBERS 5
#define MESSAGES 400

/* One subscriber behind a bad line. */
typedef struct lossy {
    rk_fabric *fabric;
    uint32_t id;
    uint32_t max_qos;
    uint64_t *seed;
    uint32_t tokens[4096]; /* taken, not acted on yet */
    uint32_t numbers[4096];
    uint8_t qos[4096];
    unsigned pending;
    unsigned deliveries[MESSAGES];
    unsigned actions[MESSAGES];

} lossy;

static unsigned chance(uint64_t *seed, unsigned of)
{
    return rk_test_random(seed) % of == 0;
}

static rk_receipt deliver(void *context, const rk_delivery *delivery)
{
    lossy *s = context;
    if (chance(s->seed, 4)) {
        return RK_RECEIPT_QUEUE_FULL;
    }
    if (chance(s->seed, 4)) {
        return RK_RECEIPT_DELIVERED; /* and lost behind us */
    }
    uint32_t number = 0;
    memcpy(&number, delivery->payload, sizeof(number));
    assert_true(number < MESSAGES);
    assert_true(s->pending < RK_COUNT_OF(s->tokens));
    s->deliveries[number]++;
    s->tokens[s->pending] = delivery->header.correlation;
    s->numbers[s->pending] = number;
    s->qos[s->pending] = (uint8_t)((delivery->header.flags & RK_MSG_QOS_MASK) >> RK_MSG_QOS_SHIFT);
    if (s->deliveries[number] > 1) {
        assert_int_equal(delivery->header.flags & RK_MSG_DUPLICATE, RK_MSG_DUPLICATE);
    }
    s->pending++;
    return chance(s->seed, 5) ? RK_RECEIPT_TIMEOUT : RK_RECEIPT_DELIVERED; /* receipt lost */
}

static const rk_endpoint_ops lossy_ops = {deliver, NULL};

/* Acts on some of what came; acknowledgements may get lost before they have an effect. */
static void act(lossy *s)
{
    for (unsigned i = 0; i < s->pending;) {
        if (chance(s->seed, 3)) {
            i++;
            continue;
        }
        if (s->qos[i] == 0) {
            s->actions[s->numbers[i]]++;
        } else if (chance(s->seed, 5)) {
            /* The acknowledgement is lost: with QoS 1 the subscriber has acted all the same. */
            s->actions[s->numbers[i]] += s->qos[i] == 1;
        } else {
            rk_status status = rk_fabric_acknowledge(s->fabric, s->id, s->tokens[i]);
            s->actions[s->numbers[i]] += s->qos[i] == 1 || status == RK_OK;
        }
        s->pending--;
        s->tokens[i] = s->tokens[s->pending];
        s->numbers[i] = s->numbers[s->pending];
        s->qos[i] = s->qos[s->pending];
    }
}

static void publish_some(test_fabric *t, uint32_t publisher, uint32_t qos, uint32_t *next,
                         uint64_t *seed)
{
    while (*next < MESSAGES && !chance(seed, 3)) {
        rk_publish_options options = {.qos = qos, .publish_id = (uint64_t)*next + 1};
        rk_publish_result result;
        unsigned times = qos == 2 ? 1 + chance(seed, 4) : 1; /* when not sure, again */
        for (unsigned i = 0; i < times; i++) {
            assert_int_equal(rk_fabric_publish(t->fabric, publisher, "p/q", TYPE_PING, next,
                                               sizeof(*next), &options, &result, NULL),
                             RK_OK);
            assert_int_equal(result.duplicate, qos == 2 && i > 0);
            assert_int_equal(result.matched, result.duplicate ? 0 : SUBSCRIBERS);
        }
        ++*next;
    }
}

static void run(uint64_t seed, uint32_t qos)
{
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000000000, 1700000000000000000u);
    /* So many attempts that giving up is out of the question. */
    rk_fabric_options options = {.retry_limit = 10000, .retry_after_ns = 1000};
    test_fabric t;
    test_fabric_open(&t, &options);
    test_sink publisher;
    test_sink_open(&publisher, t.fabric, "publisher", 0);
    static lossy subscribers[SUBSCRIBERS];
    memset(subscribers, 0, sizeof(subscribers));
    for (uint32_t i = 0; i < SUBSCRIBERS; i++) {
        lossy *s = &subscribers[i];
        *s = (lossy){.fabric = t.fabric, .seed = &seed, .max_qos = i % 3};
        assert_int_equal(rk_endpoint_register(t.fabric, NULL, &lossy_ops, s, &s->id, NULL), RK_OK);
        assert_int_equal(
            rk_fabric_subscribe(t.fabric, s->id, i % 2 ? "p/#" : "*/q", s->max_qos, NULL), RK_OK);
    }
    uint32_t next = 0;
    while (next < MESSAGES || test_stats(&t).inflight > 0) {
        publish_some(&t, publisher.id, qos, &next, &seed);
        for (unsigned i = 0; i < SUBSCRIBERS; i++) {
            act(&subscribers[i]);
        }
        rk_test_clock_step(&clock, 1 + rk_test_random(&seed) % 700);
        (void)rk_fabric_poll(t.fabric);
    }
    unsigned duplicates = 0;
    for (unsigned i = 0; i < SUBSCRIBERS; i++) {
        lossy *s = &subscribers[i];
        while (s->pending > 0) {
            act(s);
        }
        for (unsigned m = 0; m < MESSAGES; m++) {
            uint32_t effective = RK_MIN(qos, s->max_qos);
            if (effective == 1) {
                assert_true(s->actions[m] >= 1);
            } else if (effective == 2) {
                assert_int_equal(s->actions[m], 1);
            }
            duplicates += effective > 0 && s->deliveries[m] > 1;
        }
    }
    assert_true(duplicates > 50); /* the line was as bad as intended */
    assert_int_equal(test_letters(&t), 0);
    assert_int_equal(test_stats(&t).inflight_bytes, 0);
    test_fabric_close(&t);
    rk_test_clock_remove(&clock);
}

static void test_qos_1(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed, 1);
    }
}

static void test_qos_2(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qos_1),
        cmocka_unit_test(test_qos_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
