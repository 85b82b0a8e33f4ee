/*
 * pubsub.h: subscriptions, retained publications and the publishers' windows.
 */
#ifndef RK_FABRIC_PUBSUB_H
#define RK_FABRIC_PUBSUB_H

#include "base/thread.h"
#include "fabric/trie.h"
#include <ringkernel/pubsub.h>

struct rk_endpoint;

typedef struct rk_subscription {
    rk_trie_node *node;
    struct rk_subscriber *subscriber;
    struct rk_subscription *next_at_node, *previous_at_node;
    struct rk_subscription *next_own, *previous_own;
    uint8_t max_qos;
} rk_subscription;

/* The subscriptions of one endpoint. */
typedef struct rk_subscriber {
    struct rk_endpoint *endpoint;
    rk_subscription *first;
    uint32_t count;
    uint64_t stamp;  /* of the last publication that met this endpoint */
    uint32_t target; /* and its place among the targets */
} rk_subscriber;

/* The publish ids of QoS 2 that a publisher has used: the highest, and a bit for each of the
 * window. */
typedef struct rk_publisher {
    uint64_t highest;
    uint64_t bits[RK_PUBLISH_WINDOW / 64];
} rk_publisher;

/* Whom a publication goes to. */
typedef struct rk_target {
    uint32_t endpoint;
    uint32_t qos;
} rk_target;

/* A list of targets: on the stack of a publisher, or lent to one at a time from a pool. */
typedef struct rk_targets {
    struct rk_targets *next;
    rk_target *list;
    uint32_t count;
    uint32_t capacity;
} rk_targets;

typedef struct rk_pubsub {
    rk_mutex lock; /* guards everything here */
    rk_trie trie;
    rk_targets *idle;
    uint64_t stamp;
    uint32_t subscription_count;
    uint32_t retained_count;
    uint64_t retained_bytes;
    uint64_t retained_refused;
} rk_pubsub;

rk_status rk_pubsub_init(rk_pubsub *pubsub);
/* All endpoints are gone. */
void rk_pubsub_finish(rk_fabric *fabric);

/* Ends the subscriptions of an endpoint that nobody is inside of, and forgets its publish ids. */
void rk_pubsub_drop(rk_fabric *fabric, struct rk_endpoint *endpoint);

#endif
