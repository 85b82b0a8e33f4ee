/*
 * publish.c: from a publisher to all subscribers.
 *
 * The targets are collected under the lock, once per endpoint, and served after it is released. The
 * list of targets is on the stack, or, when it is long, lent from a pool, so that publishing with
 * QoS 0 allocates nothing once the pool has warmed up. One copy of the message is made when a
 * session or a retained topic needs to keep it.
 */
#include "fabric/broker.h"
#include "fabric/retained.h"
#include "fabric/session.h"
#include <stdlib.h>
#include <string.h>

#define SHORT_LIST 32u
#define LONG_LIST 256u

typedef struct publishing {
    rk_fabric *fabric;
    rk_endpoint *publisher; /* entered; NULL unless QoS 2 */
    const rk_publish_options *options;
    rk_targets *targets; /* own, or one that is borrowed */
    rk_targets own;
    rk_target few[SHORT_LIST];
    rk_publication *copy; /* one reference and one wait; NULL if nobody keeps it */
    rk_status retained;
    bool failed; /* out of memory */
} publishing;

/* A long list to use; the lock is held. */
static rk_targets *borrow_targets(rk_pubsub *pubsub)
{
    rk_targets *targets = pubsub->idle;
    if (targets) {
        pubsub->idle = targets->next;
        return targets;
    }
    targets = calloc(1, sizeof(*targets));
    rk_target *list = malloc(sizeof(*list) * LONG_LIST);
    if (!targets || !list) {
        free(targets);
        free(list);
        return NULL;
    }
    targets->list = list;
    targets->capacity = LONG_LIST;
    return targets;
}

/* The lock is held. */
static void return_targets(rk_pubsub *pubsub, rk_targets *targets)
{
    targets->next = pubsub->idle;
    pubsub->idle = targets;
}

/* Makes room: the publisher's own short list first, then a long one, which grows. */
static bool more_targets(publishing *p)
{
    rk_targets *targets = p->targets;
    if (targets == &p->own) {
        rk_targets *longer = borrow_targets(&p->fabric->pubsub);
        if (!longer) {
            return false;
        }
        memcpy(longer->list, targets->list, sizeof(rk_target) * targets->count);
        longer->count = targets->count;
        p->targets = longer;
        return true;
    }
    rk_target *list = realloc(targets->list, sizeof(*list) * targets->capacity * 2);
    if (!list) {
        return false;
    }
    targets->list = list;
    targets->capacity *= 2;
    return true;
}

static bool add_target(publishing *p, rk_target target)
{
    if (p->targets->count == p->targets->capacity && !more_targets(p)) {
        p->failed = true;
        return false;
    }
    p->targets->list[p->targets->count++] = target;
    return true;
}

/* Visits a node that matches: each endpoint becomes a target once, with its largest QoS. */
static void collect(void *context, rk_trie_node *node)
{
    publishing *p = context;
    uint64_t stamp = p->fabric->pubsub.stamp;
    for (rk_subscription *s = node->subscriptions; s; s = s->next_at_node) {
        rk_subscriber *subscriber = s->subscriber;
        uint32_t qos = RK_MIN(p->options->qos, s->max_qos);
        if (subscriber->stamp == stamp) {
            rk_target *target = &p->targets->list[subscriber->target];
            target->qos = RK_MAX(target->qos, qos);
            continue;
        }
        uint32_t place = p->targets->count;
        if (!add_target(p, (rk_target){subscriber->endpoint->id, qos})) {
            return;
        }
        subscriber->stamp = stamp;
        subscriber->target = place;
    }
}

static uint64_t *bit_of(rk_publisher *publisher, uint64_t id, uint64_t *out_mask)
{
    uint64_t place = id % RK_PUBLISH_WINDOW;
    *out_mask = UINT64_C(1) << (place % 64);
    return &publisher->bits[place / 64];
}

/* Notes a publish id. RK_EXISTS: accepted before. RK_STALE: below the window. The lock is held. */
static rk_status note_publish_id(rk_endpoint *endpoint, uint64_t id)
{
    if (!endpoint->publisher) {
        endpoint->publisher = calloc(1, sizeof(*endpoint->publisher));
        if (!endpoint->publisher) {
            return RK_NO_MEMORY;
        }
    }
    rk_publisher *publisher = endpoint->publisher;
    uint64_t mask;
    if (id > publisher->highest) {
        uint64_t fresh = id - publisher->highest;
        if (fresh >= RK_PUBLISH_WINDOW) {
            memset(publisher->bits, 0, sizeof(publisher->bits));
        } else {
            for (uint64_t i = publisher->highest + 1; i < id; i++) {
                uint64_t *word = bit_of(publisher, i, &mask);
                *word &= ~mask;
            }
        }
        publisher->highest = id;
    } else if (publisher->highest - id >= RK_PUBLISH_WINDOW) {
        return RK_STALE;
    } else if (*bit_of(publisher, id, &mask) & mask) {
        return RK_EXISTS;
    }
    uint64_t *word = bit_of(publisher, id, &mask);
    *word |= mask;
    return RK_OK;
}

static void unnote_publish_id(rk_endpoint *endpoint, uint64_t id)
{
    uint64_t mask;
    uint64_t *word = bit_of(endpoint->publisher, id, &mask);
    *word &= ~mask;
}

/* Makes the one copy if anybody has to keep the message. */
static rk_status make_copy(publishing *p, const rk_delivery *delivery)
{
    bool keep = p->options->retain && delivery->header.length > 0;
    for (uint32_t i = 0; i < p->targets->count && !keep; i++) {
        keep = p->targets->list[i].qos > 0;
    }
    if (!keep) {
        return RK_OK;
    }
    p->copy = rk_publication_create(p->fabric, delivery, p->options->qos, p->options->publish_id);
    return p->copy ? RK_OK : RK_NO_MEMORY;
}

static void retain(publishing *p, const rk_topic *topic, const rk_delivery *delivery)
{
    if (p->copy && delivery->header.length > 0) {
        p->retained = rk_retained_keep(p->fabric, delivery->tenant, topic, p->copy);
    } else {
        rk_retained_forget(p->fabric, delivery->tenant, topic);
    }
}

/* Everything that needs the lock: the publish id, the targets, the retained publication. */
static rk_status plan(publishing *p, const rk_topic *topic, const rk_delivery *delivery)
{
    rk_pubsub *pubsub = &p->fabric->pubsub;
    const rk_publish_options *options = p->options;
    rk_mutex_lock(&pubsub->lock);
    rk_status status =
        options->qos == 2 ? note_publish_id(p->publisher, options->publish_id) : RK_OK;
    if (status == RK_OK) {
        pubsub->stamp++;
        rk_trie_match(&pubsub->trie, delivery->tenant, topic, collect, p);
        status = p->failed ? RK_NO_MEMORY : make_copy(p, delivery);
        if (status == RK_OK && options->retain) {
            retain(p, topic, delivery);
        }
        if (status != RK_OK && p->targets != &p->own) {
            return_targets(pubsub, p->targets);
        }
        if (status != RK_OK && options->qos == 2) {
            unnote_publish_id(p->publisher, options->publish_id);
        }
    }
    rk_mutex_unlock(&pubsub->lock);
    return status;
}

/* QoS 0: now or never. */
static void offer(rk_fabric *fabric, rk_endpoint *endpoint, rk_delivery *delivery,
                  rk_publish_result *result)
{
    delivery->dest = endpoint->id;
    rk_receipt receipt = rk_broker_hand(endpoint, delivery);
    if (RK_LIKELY(receipt == RK_RECEIPT_DELIVERED)) {
        result->delivered++;
        return;
    }
    result->lost++;
    rk_count(&endpoint->lost, 1);
    rk_address to = {fabric->options.node, endpoint->id};
    rk_broker_event(fabric, RK_FABRIC_REFUSED, delivery, to, delivery->tenant, receipt);
}

/* QoS 1 and 2: the session keeps it until it is acknowledged. */
static void entrust(rk_fabric *fabric, rk_endpoint *endpoint, rk_publication *copy, uint32_t qos,
                    rk_publish_result *result)
{
    bool delivered = false;
    bool room =
        rk_counted(&fabric->counters.inflight_bytes) <= fabric->options.inflight_limit_bytes;
    rk_status status =
        room ? rk_session_publish(fabric, endpoint, copy, qos, false, &delivered) : RK_LIMIT;
    if (status == RK_OK) {
        result->delivered += delivered;
        result->kept += !delivered;
        return;
    }
    result->lost++;
    rk_count(&endpoint->lost, 1);
    rk_delivery delivery = rk_publication_delivery(copy, endpoint->id);
    rk_address to = {fabric->options.node, endpoint->id};
    rk_broker_give_up(fabric, &delivery, to, delivery.tenant, RK_RECEIPT_LIMIT, 0);
}

static void serve(const publishing *p, rk_delivery *delivery, rk_publish_result *result)
{
    rk_fabric *fabric = p->fabric;
    const rk_targets *targets = p->targets;
    for (uint32_t i = 0; i < targets->count; i++) {
        rk_receipt why = RK_RECEIPT_NOT_FOUND;
        rk_endpoint *endpoint = rk_broker_enter(fabric, targets->list[i].endpoint, &why);
        if (RK_UNLIKELY(!endpoint)) {
            continue; /* unregistered since: it is not a subscriber any more */
        }
        result->matched++;
        if (targets->list[i].qos == 0) {
            offer(fabric, endpoint, delivery, result);
        } else {
            entrust(fabric, endpoint, p->copy, targets->list[i].qos, result);
        }
        rk_broker_leave(endpoint);
    }
    rk_count(&fabric->counters.publications, 1);
    if (result->delivered > 0) {
        rk_count(&fabric->counters.publications_delivered, result->delivered);
    }
    if (result->lost > 0) {
        rk_count(&fabric->counters.publications_lost, result->lost);
    }
}

/* A publish id that was seen before, or is too old to tell. */
static rk_status not_again(rk_fabric *fabric, const rk_delivery *delivery, const char *topic,
                           uint64_t id, rk_status status, rk_publish_result *result, rk_err *err)
{
    if (status == RK_STALE) {
        return rk_err_set(err, status,
                          "cannot publish to '%s': publish id %llu lies more than %u below the "
                          "highest of its source; use rising ids",
                          topic, (unsigned long long)id, RK_PUBLISH_WINDOW);
    }
    if (status != RK_EXISTS) {
        return rk_err_set(err, status, "cannot publish to '%s': %s", topic, rk_status_text(status));
    }
    result->duplicate = true;
    rk_count(&fabric->counters.duplicates_dropped, 1);
    rk_address here = {fabric->options.node, 0};
    rk_broker_event(fabric, RK_FABRIC_DUPLICATE_DROPPED, delivery, here, delivery->tenant,
                    RK_RECEIPT_DELIVERED);
    return RK_OK;
}

static rk_status publish_prepared(publishing *p, const rk_topic *parsed, rk_delivery *delivery,
                                  rk_publish_result *result, rk_err *err)
{
    p->own = (rk_targets){.list = p->few, .capacity = SHORT_LIST};
    p->targets = &p->own;
    rk_status status = plan(p, parsed, delivery);
    if (status != RK_OK) {
        return not_again(p->fabric, delivery, delivery->topic, p->options->publish_id, status,
                         result, err);
    }
    serve(p, delivery, result);
    if (p->targets != &p->own) {
        rk_mutex_lock(&p->fabric->pubsub.lock);
        return_targets(&p->fabric->pubsub, p->targets);
        rk_mutex_unlock(&p->fabric->pubsub.lock);
    }
    if (p->copy) {
        rk_publication_done(p->fabric, p->copy);
        rk_publication_unref(p->copy);
    }
    result->retained = p->options->retain && p->retained == RK_OK;
    if (p->retained != RK_OK) {
        return rk_err_set(err, p->retained,
                          "published to '%s' but not retained: %s; clear retained topics or raise "
                          "retained_limit or retained_limit_bytes",
                          delivery->topic, rk_status_text(p->retained));
    }
    return RK_OK;
}

/* What can be wrong with a publication besides its topic. */
static rk_status check(const char *topic, const rk_publish_options *options, uint32_t source,
                       rk_err *err)
{
    if (options->qos > 2) {
        return rk_err_set(err, RK_INVALID, "cannot publish to '%s' with QoS %u: use 0, 1 or 2",
                          topic, options->qos);
    }
    if (options->qos == 2 && (options->publish_id == 0 || source == 0)) {
        return rk_err_set(err, RK_INVALID,
                          "cannot publish to '%s' with QoS 2: it needs a registered source and a "
                          "publish id above 0",
                          topic);
    }
    return RK_OK;
}

rk_status rk_fabric_publish(rk_fabric *fabric, uint32_t source, const char *topic, uint32_t type,
                            const void *payload, uint32_t length, const rk_publish_options *options,
                            rk_publish_result *out, rk_err *err)
{
    static const rk_publish_options defaults;
    options = options ? options : &defaults;
    rk_topic parsed;
    rk_status status = rk_topic_parse(topic, topic ? strlen(topic) : 0, false, &parsed, err);
    if (status == RK_OK) {
        status = check(topic, options, source, err);
    }
    if (status != RK_OK) {
        return status;
    }
    rk_send_options send = {.deadline_us = options->deadline_us, .priority = options->priority};
    rk_delivery delivery;
    rk_carriage carriage;
    rk_receipt receipt =
        rk_broker_prepare(fabric, source, type, payload, length, &send, &delivery, &carriage);
    publishing p; /* not zeroed as a whole: it holds a list */
    p.fabric = fabric;
    p.publisher = NULL;
    p.options = options;
    p.copy = NULL;
    p.retained = RK_OK;
    p.failed = false;
    if (receipt == RK_RECEIPT_DELIVERED && options->qos == 2) {
        p.publisher = rk_broker_enter(fabric, source, &receipt);
    }
    if (receipt != RK_RECEIPT_DELIVERED) {
        status = receipt == RK_RECEIPT_CLOSED ? RK_NOT_FOUND : rk_receipt_status(receipt);
        return rk_err_set(err, status, "cannot publish to '%s' from endpoint %u: %s", topic, source,
                          rk_receipt_text(receipt));
    }
    delivery.topic = topic;
    rk_publish_result result = {0};
    status = publish_prepared(&p, &parsed, &delivery, &result, err);
    if (p.publisher) {
        rk_broker_leave(p.publisher);
    }
    if (out) {
        *out = result;
    }
    return status;
}
