/*
 * fabric.c: messages per second through the broker.
 *
 * route: one thread sends 64-byte payloads to the mailbox that another thread receives from, every
 * message numbered and checked. The reference carries the same bytes between the same two CPUs
 * through a queue with one lock, which is what a program without a broker would write.
 *
 * publish: one thread publishes 64-byte payloads to endpoints that copy them, as a ring would;
 * the rate is that of copies delivered. With "1 of 1000" a thousand endpoints subscribe, each to
 * a topic of its own, and one is met: the index should make this as fast as a single
 * subscription.
 */
#include "bench/benches.h"

#include "bench/pair.h"

#include <ringkernel/fabric.h>
#include <ringkernel/mailbox.h>
#include <ringkernel/pubsub.h>
#include <stdio.h>
#include <string.h>

#define ROUTE_MESSAGES 200000u
#define PUBLISH_COPIES 400000u
#define PAYLOAD_BYTES 64u
#define QUEUE_MESSAGES 1024u
#define SUBSCRIBERS 1000u
#define TYPE 256u
#define FOREVER UINT64_MAX

typedef struct payload {
    uint64_t number;
    uint8_t rest[PAYLOAD_BYTES - sizeof(uint64_t)];
} payload;

/* One sender, one receiver, and what they found. */
typedef struct route_run {
    rk_fabric *fabric;
    rk_mailbox *mailbox;
    uint64_t messages;
    bool wrong;
} route_run;

static void route_send(void *context)
{
    route_run *run = context;
    rk_address to = {0, rk_mailbox_endpoint(run->mailbox)};
    rk_send_options keep = {.send_flags = RK_SEND_KEEP};
    payload data = {0};
    for (uint64_t i = 0; i < run->messages; i++) {
        data.number = i;
        rk_receipt receipt;
        while ((receipt = rk_fabric_send(run->fabric, 0, to, TYPE, &data, sizeof(data), &keep)) ==
               RK_RECEIPT_QUEUE_FULL) {
            rk_bench_pair_idle();
        }
        if (receipt != RK_RECEIPT_DELIVERED) {
            return; /* the receiver misses it */
        }
    }
}

static void route_receive(void *context)
{
    route_run *run = context;
    rk_mail mail;
    payload data;
    for (uint64_t i = 0; i < run->messages; i++) {
        rk_status status = rk_mailbox_receive(run->mailbox, &mail, &data, sizeof(data), FOREVER);
        if (status != RK_OK || data.number != i) {
            run->wrong = true;
            return;
        }
    }
}

/* The reference: a ring of payloads, one lock, the same pauses. */
typedef struct locked_run {
    rk_mutex lock;
    uint64_t head, tail;
    uint64_t messages;
    bool wrong;
    payload slots[QUEUE_MESSAGES];
} locked_run;

static void locked_send(void *context)
{
    locked_run *run = context;
    payload data = {0};
    for (uint64_t i = 0; i < run->messages;) {
        data.number = i;
        rk_mutex_lock(&run->lock);
        bool room = run->tail - run->head < QUEUE_MESSAGES;
        if (room) {
            run->slots[run->tail++ % QUEUE_MESSAGES] = data;
        }
        rk_mutex_unlock(&run->lock);
        if (room) {
            i++;
        } else {
            rk_bench_pair_idle();
        }
    }
}

static void locked_receive(void *context)
{
    locked_run *run = context;
    for (uint64_t i = 0; i < run->messages;) {
        payload data;
        rk_mutex_lock(&run->lock);
        bool any = run->head != run->tail;
        if (any) {
            data = run->slots[run->head++ % QUEUE_MESSAGES];
        }
        rk_mutex_unlock(&run->lock);
        if (!any) {
            rk_bench_pair_idle();
        } else if (data.number != i++) {
            run->wrong = true;
            return;
        }
    }
}

static rk_status measure_route(const rk_bench_place *place, uint64_t messages, double *out_mmsg_s,
                               rk_err *err)
{
    route_run run = {.messages = messages};
    rk_mailbox_options options = {.message_limit = QUEUE_MESSAGES};
    double seconds = 0;
    rk_status status = rk_fabric_create(NULL, &run.fabric, err);
    if (status == RK_OK) {
        status = rk_mailbox_create(run.fabric, &options, &run.mailbox, err);
    }
    if (status == RK_OK) {
        status = rk_bench_pair(place, route_send, route_receive, &run, &seconds, err);
    }
    rk_mailbox_destroy(run.mailbox);
    rk_fabric_destroy(run.fabric);
    if (status == RK_OK && run.wrong) {
        status = rk_err_set(err, RK_INTERNAL, "the mailbox lost or reordered a message");
    }
    *out_mmsg_s = (double)messages / seconds / 1e6;
    return status;
}

static rk_status measure_locked(const rk_bench_place *place, uint64_t messages, double *out_mmsg_s,
                                rk_err *err)
{
    static locked_run run; /* one at a time: the table runs benches one after the other */
    memset(&run, 0, sizeof(run));
    rk_mutex_init(&run.lock);
    run.messages = messages;
    double seconds = 0;
    rk_status status = rk_bench_pair(place, locked_send, locked_receive, &run, &seconds, err);
    rk_mutex_finish(&run.lock);
    if (status == RK_OK && run.wrong) {
        status = rk_err_set(err, RK_INTERNAL, "the queue with a lock reordered a message");
    }
    *out_mmsg_s = (double)messages / seconds / 1e6;
    return status;
}

/* A subscriber that takes a copy. */
typedef struct copier {
    uint64_t count;
    payload last;
} copier;

static rk_receipt copy(void *context, const rk_delivery *delivery)
{
    copier *c = context;
    memcpy(&c->last, delivery->payload, sizeof(c->last));
    c->count++;
    return RK_RECEIPT_DELIVERED;
}

static const rk_endpoint_ops copy_ops = {copy, NULL};

/* `subscribers` endpoints; all of one topic, or each of its own. */
static rk_status subscribe_all(rk_fabric *fabric, copier *copiers, unsigned subscribers, bool apart,
                               rk_err *err)
{
    for (unsigned i = 0; i < subscribers; i++) {
        uint32_t id = 0;
        char topic[32] = "bench/all/x";
        if (apart) {
            snprintf(topic, sizeof(topic), "bench/%u/x", i);
        }
        rk_status status = rk_endpoint_register(fabric, NULL, &copy_ops, &copiers[i], &id, err);
        if (status == RK_OK) {
            status = rk_fabric_subscribe(fabric, id, topic, 0, err);
        }
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

/* Millions of copies per second. */
static rk_status measure_publish(unsigned subscribers, bool apart, uint64_t copies,
                                 double *out_mmsg_s, rk_err *err)
{
    static copier copiers[SUBSCRIBERS];
    memset(copiers, 0, sizeof(copiers));
    unsigned met = apart ? 1 : subscribers;
    uint64_t publications = copies / met + 1;
    const char *topic = apart ? "bench/500/x" : "bench/all/x";
    rk_fabric *fabric = NULL;
    rk_status status = rk_fabric_create(NULL, &fabric, err);
    if (status == RK_OK) {
        status = subscribe_all(fabric, copiers, subscribers, apart, err);
    }
    payload data = {0};
    double start = rk_bench_now_s();
    for (uint64_t i = 0; i < publications && status == RK_OK; i++) {
        data.number = i;
        status = rk_fabric_publish(fabric, 0, topic, TYPE, &data, sizeof(data), NULL, NULL, err);
    }
    double seconds = rk_bench_now_s() - start;
    rk_fabric_destroy(fabric);
    uint64_t count = 0;
    for (unsigned i = 0; i < subscribers; i++) {
        count += copiers[i].count;
    }
    if (status == RK_OK && count != publications * met) {
        status = rk_err_set(err, RK_INTERNAL, "%llu copies arrived of %llu",
                            (unsigned long long)count, (unsigned long long)(publications * met));
    }
    *out_mmsg_s = (double)count / seconds / 1e6;
    return status;
}

rk_status rk_bench_run_fabric(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    static const struct {
        const char *key;
        unsigned subscribers;
        bool apart;
    } shapes[] = {{"publish_1_mmsg_s", 1, false},
                  {"publish_10_mmsg_s", 10, false},
                  {"publish_1000_mmsg_s", SUBSCRIBERS, false},
                  {"publish_1_of_1000_mmsg_s", SUBSCRIBERS, true}};
    rk_bench_place place = rk_bench_place_find();
    rk_bench_samples routed = {.count = 0};
    rk_bench_samples locked = {.count = 0};
    rk_bench_samples ratio = {.count = 0};
    rk_bench_samples index_ratio = {.count = 0};
    rk_bench_samples published[RK_COUNT_OF(shapes)] = {{.count = 0}};
    rk_status status = RK_OK;
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        double ours = 0;
        double theirs = 1;
        double rates[RK_COUNT_OF(shapes)] = {0};
        uint64_t messages = rk_bench_scaled(options, ROUTE_MESSAGES);
        status = measure_route(&place, messages, &ours, err);
        if (status == RK_OK) {
            status = measure_locked(&place, messages, &theirs, err);
        }
        for (size_t i = 0; i < RK_COUNT_OF(shapes) && status == RK_OK; i++) {
            status = measure_publish(shapes[i].subscribers, shapes[i].apart,
                                     rk_bench_scaled(options, PUBLISH_COPIES), &rates[i], err);
            rk_bench_sample(&published[i], rates[i]);
        }
        rk_bench_sample(&routed, ours);
        rk_bench_sample(&locked, theirs);
        rk_bench_sample(&ratio, ours / theirs);
        rk_bench_sample(&index_ratio, rates[3] / rates[0]);
    }
    if (status != RK_OK) {
        return status;
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, "route_mmsg_s", &routed, "Mmsg/s");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "locked_queue_mmsg_s", &locked, "Mmsg/s");
    rk_bench_put_samples(report, RK_BENCH_RATIO, "route_vs_locked_queue", &ratio, "");
    for (size_t i = 0; i < RK_COUNT_OF(shapes); i++) {
        rk_bench_put_samples(report, RK_BENCH_METRIC, shapes[i].key, &published[i], "Mmsg/s");
    }
    rk_bench_put_samples(report, RK_BENCH_RATIO, "publish_1_of_1000_vs_1", &index_ratio, "");
    rk_bench_note(report,
                  "64-byte payloads; route: two threads, %s; publish: one thread, rates are "
                  "copies delivered",
                  place.pinned ? "each on a CPU of its own" : "sharing one CPU");
    return RK_OK;
}
