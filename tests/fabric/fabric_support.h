/*
 * A fabric with a dead-letter queue and a log of events, and an endpoint that records what it gets.
 */
#ifndef RK_TESTS_FABRIC_SUPPORT_H
#define RK_TESTS_FABRIC_SUPPORT_H

#include "support/skip.h"

#include "base/clock.h"
#include "base/compiler.h"
#include <ringkernel/deadletter.h>
#include <ringkernel/fabric.h>
#include <ringkernel/link.h>
#include <ringkernel/mailbox.h>
#include <ringkernel/pubsub.h>
#include <ringkernel/request.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_PING 300u
#define TYPE_PONG 301u

typedef struct test_fabric {
    rk_fabric *fabric;
    rk_deadletter_queue *letters;
    rk_fabric_event events[256];
    unsigned event_count; /* of the first ones the details are kept */
    rk_fabric_event audits[16];
    unsigned audit_count;
} test_fabric;

static inline void test_on_event(void *context, const rk_fabric_event *event)
{
    test_fabric *t = context;
    if (t->event_count < RK_COUNT_OF(t->events)) {
        t->events[t->event_count] = *event;
    }
    t->event_count++;
}

static inline void test_on_audit(void *context, const rk_fabric_event *event)
{
    test_fabric *t = context;
    if (t->audit_count < RK_COUNT_OF(t->audits)) {
        t->audits[t->audit_count] = *event;
    }
    t->audit_count++;
}

/* options may be NULL; the callbacks and the dead letters are filled in. For one thread. */
static inline void test_fabric_open(test_fabric *t, const rk_fabric_options *options)
{
    memset(t, 0, sizeof(*t));
    rk_fabric_options own = {0};
    if (options) {
        own = *options;
    }
    assert_int_equal(rk_deadletter_queue_create(NULL, &t->letters), RK_OK);
    own.dead_letters = t->letters;
    own.observer = test_on_event;
    own.audit = test_on_audit;
    own.callback_context = t;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_create(&own, &t->fabric, &err), RK_OK);
}

static inline void test_fabric_close(test_fabric *t)
{
    rk_fabric_destroy(t->fabric);
    rk_deadletter_queue_destroy(t->letters);
}

static inline unsigned test_events_of(const test_fabric *t, rk_fabric_event_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < RK_MIN(t->event_count, RK_COUNT_OF(t->events)); i++) {
        count += t->events[i].kind == kind;
    }
    return count;
}

static inline uint64_t test_letters_of(const test_fabric *t, rk_deadletter_reason reason)
{
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(t->letters, &stats);
    return stats.added_by_reason[reason];
}

static inline uint64_t test_letters(const test_fabric *t)
{
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(t->letters, &stats);
    return stats.added;
}

static inline rk_fabric_stats test_stats(const test_fabric *t)
{
    rk_fabric_stats stats;
    rk_fabric_stats_get(t->fabric, &stats);
    return stats;
}

static inline rk_address test_here(uint32_t endpoint)
{
    rk_address address = {0, endpoint};
    return address;
}

/* An endpoint that keeps a copy of the last message and answers with `receipt`. */
typedef struct test_sink {
    uint32_t id;
    rk_receipt receipt;
    unsigned count;
    rk_delivery last;
    bool had_envelope;
    rk_envelope envelope;
    char topic[RK_TOPIC_MAX_BYTES + 1];
    unsigned char payload[256];
    uint32_t tokens[64]; /* header.correlation of the first ones */
    uint16_t flags[64];
    void (*hook)(void *context, const rk_delivery *delivery); /* may be NULL */
    void *hook_context;
} test_sink;

static inline rk_receipt test_sink_deliver(void *context, const rk_delivery *delivery)
{
    test_sink *sink = context;
    if (sink->count < RK_COUNT_OF(sink->tokens)) {
        sink->tokens[sink->count] = delivery->header.correlation;
        sink->flags[sink->count] = delivery->header.flags;
    }
    sink->count++;
    sink->last = *delivery;
    sink->had_envelope = delivery->envelope != NULL;
    if (delivery->envelope) {
        sink->envelope = *delivery->envelope;
    }
    snprintf(sink->topic, sizeof(sink->topic), "%s", delivery->topic ? delivery->topic : "");
    if (delivery->header.length > 0) {
        memcpy(sink->payload, delivery->payload,
               RK_MIN(delivery->header.length, sizeof(sink->payload)));
    }
    if (sink->hook) {
        sink->hook(sink->hook_context, delivery);
    }
    return sink->receipt;
}

static inline uint32_t test_sink_depth(void *context)
{
    const test_sink *sink = context;
    return sink->count;
}

static const rk_endpoint_ops test_sink_ops = {test_sink_deliver, test_sink_depth};

static inline void test_sink_open(test_sink *sink, rk_fabric *fabric, const char *name,
                                  uint32_t tenant)
{
    memset(sink, 0, sizeof(*sink));
    rk_endpoint_options options = {.name = name, .tenant = tenant};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_endpoint_register(fabric, &options, &test_sink_ops, sink, &sink->id, &err),
                     RK_OK);
    assert_int_not_equal(sink->id, 0);
}

static inline rk_receipt test_send(rk_fabric *fabric, uint32_t source, uint32_t dest,
                                   const char *text)
{
    return rk_fabric_send(fabric, source, test_here(dest), TYPE_PING, text, (uint32_t)strlen(text),
                          NULL);
}

#endif
