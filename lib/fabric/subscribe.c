/*
 * subscribe.c: subscriptions and what is delivered on subscribing.
 */
#include "fabric/broker.h"
#include "fabric/retained.h"
#include "fabric/session.h"
#include <stdlib.h>
#include <string.h>

rk_status rk_pubsub_init(rk_pubsub *pubsub)
{
    *pubsub = (rk_pubsub){0};
    rk_mutex_init(&pubsub->lock);
    return rk_trie_init(&pubsub->trie);
}

void rk_pubsub_finish(rk_fabric *fabric)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    rk_retained_clear(fabric);
    rk_trie_finish(&pubsub->trie);
    while (pubsub->idle) {
        rk_targets *targets = pubsub->idle;
        pubsub->idle = targets->next;
        free(targets->list);
        free(targets);
    }
    rk_mutex_finish(&pubsub->lock);
}

static void link_in(rk_subscription *subscription)
{
    rk_trie_node *node = subscription->node;
    rk_subscriber *subscriber = subscription->subscriber;
    subscription->next_at_node = node->subscriptions;
    if (node->subscriptions) {
        node->subscriptions->previous_at_node = subscription;
    }
    node->subscriptions = subscription;
    subscription->next_own = subscriber->first;
    if (subscriber->first) {
        subscriber->first->previous_own = subscription;
    }
    subscriber->first = subscription;
    subscriber->count++;
}

static void link_out(rk_subscription *subscription)
{
    rk_subscription *next = subscription->next_at_node;
    rk_subscription *previous = subscription->previous_at_node;
    *(previous ? &previous->next_at_node : &subscription->node->subscriptions) = next;
    if (next) {
        next->previous_at_node = previous;
    }
    next = subscription->next_own;
    previous = subscription->previous_own;
    *(previous ? &previous->next_own : &subscription->subscriber->first) = next;
    if (next) {
        next->previous_own = previous;
    }
    subscription->subscriber->count--;
}

/* Takes a subscription out and frees it and its node. */
static void end_subscription(rk_pubsub *pubsub, rk_subscription *subscription)
{
    link_out(subscription);
    rk_trie_release(&pubsub->trie, subscription->node);
    pubsub->subscription_count--;
    free(subscription);
}

/* Looks along the shorter of the two lists that the subscription must be in. */
static rk_subscription *find(const rk_subscriber *subscriber, const rk_trie_node *node)
{
    if (!subscriber || !node) {
        return NULL;
    }
    rk_subscription *own = subscriber->first;
    rk_subscription *there = node->subscriptions;
    while (own && there) {
        if (own->node == node) {
            return own;
        }
        if (there->subscriber == subscriber) {
            return there;
        }
        own = own->next_own;
        there = there->next_at_node;
    }
    return NULL;
}

static rk_status add_subscription(rk_fabric *fabric, rk_endpoint *endpoint, const rk_topic *pattern,
                                  uint32_t tenant, uint8_t max_qos)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    rk_trie_node *node = rk_trie_find(&pubsub->trie, tenant, pattern);
    rk_subscription *subscription = find(endpoint->subscriber, node);
    if (subscription) {
        subscription->max_qos = max_qos;
        return RK_OK;
    }
    if (pubsub->subscription_count >= fabric->options.subscription_limit) {
        return RK_LIMIT;
    }
    if (!endpoint->subscriber) {
        endpoint->subscriber = calloc(1, sizeof(*endpoint->subscriber));
        if (!endpoint->subscriber) {
            return RK_NO_MEMORY;
        }
        endpoint->subscriber->endpoint = endpoint;
    }
    subscription = calloc(1, sizeof(*subscription));
    if (!subscription) {
        return RK_NO_MEMORY;
    }
    rk_status status = rk_trie_hold(&pubsub->trie, tenant, pattern, &node);
    if (status != RK_OK) {
        free(subscription);
        return status;
    }
    subscription->node = node;
    subscription->subscriber = endpoint->subscriber;
    subscription->max_qos = max_qos;
    link_in(subscription);
    pubsub->subscription_count++;
    return RK_OK;
}

/* The session of an endpoint exists before its first subscription above QoS 0. */
static rk_status need_session(rk_endpoint *endpoint)
{
    if (atomic_load_explicit(&endpoint->session, memory_order_relaxed)) {
        return RK_OK;
    }
    rk_session *session = rk_session_create(endpoint->id);
    if (!session) {
        return RK_NO_MEMORY;
    }
    /* Release: pairs with the acquires in session.c. The pubsub lock is held: nobody else does
     * this. */
    atomic_store_explicit(&endpoint->session, session, memory_order_release);
    return RK_OK;
}

static rk_status subscribe_entered(rk_fabric *fabric, rk_endpoint *endpoint, const char *text,
                                   const rk_topic *pattern, uint32_t max_qos, rk_err *err)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    uint32_t tenant = atomic_load_explicit(&endpoint->tenant, memory_order_relaxed);
    rk_retained_list retained = {0};
    rk_mutex_lock(&pubsub->lock);
    rk_status status = max_qos > 0 ? need_session(endpoint) : RK_OK;
    if (status == RK_OK) {
        status = rk_retained_find(fabric, tenant, pattern, &retained);
    }
    if (status == RK_OK) {
        status = add_subscription(fabric, endpoint, pattern, tenant, (uint8_t)max_qos);
    }
    rk_mutex_unlock(&pubsub->lock);
    if (status == RK_OK) {
        rk_retained_deliver(fabric, endpoint, &retained, max_qos);
    }
    rk_retained_list_finish(&retained);
    if (status == RK_LIMIT) {
        return rk_err_set(err, status,
                          "cannot subscribe endpoint %u to '%s': the fabric has %u subscriptions, "
                          "which is its limit; raise subscription_limit",
                          endpoint->id, text, fabric->options.subscription_limit);
    }
    return status == RK_OK ? RK_OK
                           : rk_err_set(err, status, "cannot subscribe endpoint %u to '%s': %s",
                                        endpoint->id, text, rk_status_text(status));
}

rk_status rk_fabric_subscribe(rk_fabric *fabric, uint32_t endpoint_id, const char *pattern,
                              uint32_t max_qos, rk_err *err)
{
    rk_topic parsed;
    rk_status status = rk_topic_parse(pattern, pattern ? strlen(pattern) : 0, true, &parsed, err);
    if (status != RK_OK) {
        return status;
    }
    if (max_qos > 2) {
        return rk_err_set(err, RK_INVALID, "cannot subscribe to '%s' with QoS %u: use 0, 1 or 2",
                          pattern, max_qos);
    }
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint =
        endpoint_id & 0xffffu ? rk_broker_enter(fabric, endpoint_id, &why) : NULL;
    if (!endpoint) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "cannot subscribe endpoint %u to '%s': %s; register it first",
                          endpoint_id, pattern, rk_receipt_text(why));
    }
    if (endpoint->link) {
        status = rk_err_set(err, RK_INVALID,
                            "cannot subscribe endpoint %u to '%s': it is a link to another fabric",
                            endpoint_id, pattern);
    } else {
        status = subscribe_entered(fabric, endpoint, pattern, &parsed, max_qos, err);
    }
    rk_broker_leave(endpoint);
    return status;
}

rk_status rk_fabric_unsubscribe(rk_fabric *fabric, uint32_t endpoint_id, const char *pattern,
                                rk_err *err)
{
    rk_topic parsed;
    rk_status status = rk_topic_parse(pattern, pattern ? strlen(pattern) : 0, true, &parsed, err);
    if (status != RK_OK) {
        return status;
    }
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = rk_broker_enter(fabric, endpoint_id, &why);
    if (!endpoint) {
        return rk_err_set(err, RK_NOT_FOUND, "cannot unsubscribe endpoint %u from '%s': %s",
                          endpoint_id, pattern, rk_receipt_text(why));
    }
    rk_pubsub *pubsub = &fabric->pubsub;
    uint32_t tenant = atomic_load_explicit(&endpoint->tenant, memory_order_relaxed);
    rk_mutex_lock(&pubsub->lock);
    rk_subscription *subscription =
        find(endpoint->subscriber, rk_trie_find(&pubsub->trie, tenant, &parsed));
    if (subscription) {
        end_subscription(pubsub, subscription);
    }
    rk_mutex_unlock(&pubsub->lock);
    rk_broker_leave(endpoint);
    return subscription ? RK_OK
                        : rk_err_set(err, RK_NOT_FOUND,
                                     "endpoint %u is not subscribed to '%s': use the pattern that "
                                     "it subscribed with",
                                     endpoint_id, pattern);
}

void rk_pubsub_drop(rk_fabric *fabric, rk_endpoint *endpoint)
{
    rk_pubsub *pubsub = &fabric->pubsub;
    rk_mutex_lock(&pubsub->lock);
    while (endpoint->subscriber && endpoint->subscriber->first) {
        end_subscription(pubsub, endpoint->subscriber->first);
    }
    free(endpoint->subscriber);
    endpoint->subscriber = NULL;
    free(endpoint->publisher);
    endpoint->publisher = NULL;
    rk_mutex_unlock(&pubsub->lock);
}

rk_status rk_fabric_acknowledge(rk_fabric *fabric, uint32_t endpoint_id, uint32_t token)
{
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = rk_broker_enter(fabric, endpoint_id, &why);
    if (!endpoint) {
        return RK_NOT_FOUND;
    }
    rk_status status = rk_session_acknowledge(fabric, endpoint, token);
    rk_broker_leave(endpoint);
    return status;
}
