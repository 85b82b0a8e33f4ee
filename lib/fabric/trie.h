/*
 * trie.h: the index of topic patterns and of retained topics, one tree per tenant.
 *
 * One node per level; a node at the end of a pattern holds its subscriptions, a node at the end
 * of a topic holds its retained publication. A topic is matched by following, from level to
 * level, the child of that name and the "*" child, and by collecting the "#" child on the way, so
 * the cost grows with the levels and the matches, not with the number of patterns. Children are
 * found in one hash table for the whole trie, keyed by parent and level.
 *
 * Not locked: the owner serialises.
 */
#ifndef RK_FABRIC_TRIE_H
#define RK_FABRIC_TRIE_H

#include "base/topic.h"

struct rk_subscription;
struct rk_publication;

typedef struct rk_trie_node {
    struct rk_trie_node *parent;
    struct rk_trie_node *first_child;
    struct rk_trie_node *next_sibling;
    struct rk_trie_node *previous_sibling;
    struct rk_trie_node *next_in_bucket;
    struct rk_trie_node *one;              /* the "*" child */
    struct rk_trie_node *rest;             /* the "#" child */
    struct rk_subscription *subscriptions; /* the owner's list */
    struct rk_publication *retained;       /* the owner's */
    uint64_t hash;
    uint32_t uses; /* children, plus what rk_trie_hold was asked for */
    rk_topic_kind kind;
    uint32_t length;
    char text[]; /* the level; the tenant in a root */
} rk_trie_node;

typedef struct rk_trie {
    rk_trie_node **buckets;
    uint64_t bucket_count; /* a power of two */
    uint64_t node_count;
    uint64_t seed[2];
} rk_trie;

typedef void rk_trie_visit(void *context, rk_trie_node *node);

rk_status rk_trie_init(rk_trie *trie);

/* Frees all nodes; the owner has let go of what hangs on them. */
void rk_trie_finish(rk_trie *trie);

/* Finds or makes the node of a pattern or topic and holds it. RK_NO_MEMORY changes nothing. */
rk_status rk_trie_hold(rk_trie *trie, uint32_t tenant, const rk_topic *topic, rk_trie_node **out);

/* Lets go of a held node; nodes that nothing uses are freed, up to the root. */
void rk_trie_release(rk_trie *trie, rk_trie_node *node);

/* The node of exactly this pattern or topic, or NULL. */
rk_trie_node *rk_trie_find(const rk_trie *trie, uint32_t tenant, const rk_topic *topic);

/* Visits every node whose pattern matches the topic. */
void rk_trie_match(const rk_trie *trie, uint32_t tenant, const rk_topic *topic,
                   rk_trie_visit *visit, void *context);

/* Visits every node without wildcards in its path that the pattern matches. */
void rk_trie_list(const rk_trie *trie, uint32_t tenant, const rk_topic *pattern,
                  rk_trie_visit *visit, void *context);

#endif
