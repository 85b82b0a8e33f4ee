/*
 * retained.c: retained publications.
 */
#include "fabric/retained.h"

#include "fabric/broker.h"
#include <stdlib.h>
#include <string.h>

static void drop(rk_pubsub *pubsub, rk_trie_node *node)
{
    rk_publication *publication = node->retained;
    node->retained = NULL;
    pubsub->retained_count--;
    pubsub->retained_bytes -= publication->bytes;
    rk_publication_unref(publication);
}

rk_status rk_retained_keep(rk_fabric *fabric, uint32_t tenant, const rk_topic *topic,
                           rk_publication *publication)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    rk_trie_node *node = rk_trie_find(&pubsub->trie, tenant, topic);
    const rk_publication *before = node ? node->retained : NULL;
    uint64_t bytes = pubsub->retained_bytes - (before ? before->bytes : 0) + publication->bytes;
    if (bytes > fabric->options.retained_limit_bytes ||
        (!before && pubsub->retained_count >= fabric->options.retained_limit)) {
        pubsub->retained_refused++;
        return RK_LIMIT;
    }
    if (before) {
        drop(pubsub, node); /* the node stays: its hold passes to the new publication */
    } else {
        rk_status status = rk_trie_hold(&pubsub->trie, tenant, topic, &node);
        if (status != RK_OK) {
            return status;
        }
    }
    rk_publication_ref(publication);
    node->retained = publication;
    pubsub->retained_count++;
    pubsub->retained_bytes = bytes;
    return RK_OK;
}

void rk_retained_forget(rk_fabric *fabric, uint32_t tenant, const rk_topic *topic)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    rk_trie_node *node = rk_trie_find(&pubsub->trie, tenant, topic);
    if (node && node->retained) {
        drop(pubsub, node);
        rk_trie_release(&pubsub->trie, node);
    }
}

void rk_retained_clear(rk_fabric *fabric)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    for (uint64_t i = 0; i < pubsub->trie.bucket_count; i++) {
        for (rk_trie_node *node = pubsub->trie.buckets[i]; node; node = node->next_in_bucket) {
            if (node->retained) {
                drop(pubsub, node);
            }
        }
    }
}

static void collect(void *context, rk_trie_node *node)
{
    rk_retained_list *list = context;
    if (!node->retained || list->failed) {
        return;
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
        rk_publication **items = realloc(list->items, sizeof(*items) * capacity);
        if (!items) {
            list->failed = true;
            return;
        }
        list->items = items;
        list->capacity = capacity;
    }
    rk_publication_ref(node->retained);
    list->items[list->count++] = node->retained;
}

rk_status rk_retained_find(rk_fabric *fabric, uint32_t tenant, const rk_topic *pattern,
                           rk_retained_list *out)
{
    rk_trie_list(&fabric->pubsub.trie, tenant, pattern, collect, out);
    return out->failed ? RK_NO_MEMORY : RK_OK;
}

void rk_retained_list_finish(rk_retained_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        rk_publication_unref(list->items[i]);
    }
    free(list->items);
}

/* Still what a new subscriber of the topic would get? */
static bool is_current(rk_fabric *fabric, const rk_publication *publication)
{
    rk_topic topic;
    /* It was a valid topic when it was published. */
    (void)rk_topic_parse(publication->topic, strlen(publication->topic), false, &topic, NULL);
    rk_mutex_lock(&fabric->pubsub.lock);
    const rk_trie_node *node = rk_trie_find(&fabric->pubsub.trie, publication->tenant, &topic);
    bool current = node && node->retained == publication;
    rk_mutex_unlock(&fabric->pubsub.lock);
    return current;
}

/* QoS 1 and 2: a copy of its own, because its bytes in flight and its end are its own. */
static void deliver_kept(rk_fabric *fabric, rk_endpoint *endpoint, const rk_delivery *delivery,
                         uint32_t qos)
{
    rk_address to = {fabric->options.node, endpoint->id};
    bool delivered = false;
    rk_publication *copy = rk_publication_create(fabric, delivery, 0, 0);
    rk_status status =
        copy ? rk_session_publish(fabric, endpoint, copy, qos, true, &delivered) : RK_NO_MEMORY;
    if (copy) {
        rk_publication_done(fabric, copy);
        rk_publication_unref(copy);
    }
    if (status != RK_OK) {
        rk_count(&fabric->counters.publications_lost, 1);
        rk_count(&endpoint->lost, 1);
        rk_broker_give_up(fabric, delivery, to, delivery->tenant, RK_RECEIPT_QUEUE_FULL, 0);
    } else if (delivered) {
        rk_count(&fabric->counters.publications_delivered, 1);
    }
}

void rk_retained_deliver(rk_fabric *fabric, rk_endpoint *endpoint, const rk_retained_list *list,
                         uint32_t max_qos)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const rk_publication *publication = list->items[i];
        if (!is_current(fabric, publication)) {
            continue;
        }
        rk_delivery delivery = rk_publication_delivery(publication, endpoint->id);
        uint32_t qos = RK_MIN(publication->qos, max_qos);
        if (qos > 0) {
            deliver_kept(fabric, endpoint, &delivery, qos);
            continue;
        }
        delivery.header.flags |= RK_MSG_RETAINED;
        if (rk_broker_hand(endpoint, &delivery) == RK_RECEIPT_DELIVERED) {
            rk_count(&fabric->counters.publications_delivered, 1);
        } else {
            rk_count(&fabric->counters.publications_lost, 1);
            rk_count(&endpoint->lost, 1);
        }
    }
}
