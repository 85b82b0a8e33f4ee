/*
 * trie.c: the topic index.
 *
 * Invariants
 *   1. Every node is in exactly one bucket and in its parent's list of children.
 *   2. uses counts the children and the holds; a node with uses == 0 does not exist.
 *   3. The children "*" and "#" are also found through one and rest, without hashing.
 */
#include "fabric/trie.h"

#include "base/compiler.h"
#include "base/map.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_BUCKETS 64u
#define KIND_ROOT ((rk_topic_kind)3)

rk_status rk_trie_init(rk_trie *trie)
{
    *trie = (rk_trie){0};
    trie->buckets = calloc(FIRST_BUCKETS, sizeof(*trie->buckets));
    if (!trie->buckets) {
        return RK_NO_MEMORY;
    }
    trie->bucket_count = FIRST_BUCKETS;
    /* As in base/map.c: outsiders choose topics and must not make them collide. Without randomness
     * (before the kernel has any) the address is better than nothing. */
    if (getrandom(trie->seed, sizeof(trie->seed), GRND_NONBLOCK) != (ssize_t)sizeof(trie->seed)) {
        trie->seed[0] = (uint64_t)(uintptr_t)trie->buckets;
    }
    return RK_OK;
}

void rk_trie_finish(rk_trie *trie)
{
    for (uint64_t i = 0; i < trie->bucket_count; i++) {
        rk_trie_node *node = trie->buckets[i];
        while (node) {
            rk_trie_node *next = node->next_in_bucket;
            free(node);
            node = next;
        }
    }
    free(trie->buckets);
    *trie = (rk_trie){0};
}

/* Of the name alone: outsiders choose it. They do not choose tenants. */
static uint64_t hash_name(const rk_trie *trie, const rk_topic_level *level)
{
    if (level->kind == KIND_ROOT) {
        uint32_t tenant;
        memcpy(&tenant, level->text, sizeof(tenant));
        return (tenant ^ trie->seed[0]) * UINT64_C(0xff51afd7ed558ccd);
    }
    return rk_siphash13(trie->seed, level->text, level->length);
}

/* Name and parent together; the parent goes in as an address, unique among the nodes that exist. */
static uint64_t hash_child(const rk_trie_node *parent, uint64_t name)
{
    uint64_t hash = (name ^ (uint64_t)(uintptr_t)parent) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static rk_trie_node *find_named(const rk_trie *trie, const rk_trie_node *parent,
                                const rk_topic_level *level, uint64_t name)
{
    uint64_t hash = hash_child(parent, name);
    rk_trie_node *node = trie->buckets[hash & (trie->bucket_count - 1)];
    for (; node; node = node->next_in_bucket) {
        if (node->hash == hash && node->parent == parent && node->length == level->length &&
            memcmp(node->text, level->text, level->length) == 0) {
            return node;
        }
    }
    return NULL;
}

static rk_trie_node *find_child(const rk_trie *trie, const rk_trie_node *parent,
                                const rk_topic_level *level)
{
    if (parent && level->kind == RK_TOPIC_ONE) {
        return parent->one;
    }
    if (parent && level->kind == RK_TOPIC_REST) {
        return parent->rest;
    }
    return find_named(trie, parent, level, hash_name(trie, level));
}

/* Doubles the table; staying as it is would only be slower, so a failure is no failure. */
static void grow(rk_trie *trie)
{
    uint64_t count = trie->bucket_count * 2;
    rk_trie_node **buckets = calloc(count, sizeof(*buckets));
    if (!buckets) {
        return;
    }
    for (uint64_t i = 0; i < trie->bucket_count; i++) {
        rk_trie_node *node = trie->buckets[i];
        while (node) {
            rk_trie_node *next = node->next_in_bucket;
            rk_trie_node **bucket = &buckets[node->hash & (count - 1)];
            node->next_in_bucket = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(trie->buckets);
    trie->buckets = buckets;
    trie->bucket_count = count;
}

static rk_trie_node *add_child(rk_trie *trie, rk_trie_node *parent, const rk_topic_level *level)
{
    rk_trie_node *node = calloc(1, sizeof(*node) + level->length);
    if (!node) {
        return NULL;
    }
    memcpy(node->text, level->text, level->length);
    node->length = level->length;
    node->kind = level->kind;
    node->parent = parent;
    node->hash = hash_child(parent, hash_name(trie, level));
    if (trie->node_count >= trie->bucket_count) {
        grow(trie);
    }
    rk_trie_node **bucket = &trie->buckets[node->hash & (trie->bucket_count - 1)];
    node->next_in_bucket = *bucket;
    *bucket = node;
    trie->node_count++;
    if (parent) {
        parent->uses++;
        node->next_sibling = parent->first_child;
        if (node->next_sibling) {
            node->next_sibling->previous_sibling = node;
        }
        parent->first_child = node;
        if (node->kind == RK_TOPIC_ONE) {
            parent->one = node;
        } else if (node->kind == RK_TOPIC_REST) {
            parent->rest = node;
        }
    }
    return node;
}

static void remove_node(rk_trie *trie, rk_trie_node *node)
{
    rk_trie_node **link = &trie->buckets[node->hash & (trie->bucket_count - 1)];
    while (*link != node) {
        link = &(*link)->next_in_bucket;
    }
    *link = node->next_in_bucket;
    trie->node_count--;
    rk_trie_node *parent = node->parent;
    if (parent) {
        if (node->previous_sibling) {
            node->previous_sibling->next_sibling = node->next_sibling;
        } else {
            parent->first_child = node->next_sibling;
        }
        if (node->next_sibling) {
            node->next_sibling->previous_sibling = node->previous_sibling;
        }
        if (parent->one == node) {
            parent->one = NULL;
        } else if (parent->rest == node) {
            parent->rest = NULL;
        }
        parent->uses--;
    }
    free(node);
}

/* Frees the node and its ancestors as far as nothing uses them. */
static void prune(rk_trie *trie, rk_trie_node *node)
{
    while (node && node->uses == 0) {
        rk_trie_node *parent = node->parent;
        remove_node(trie, node);
        node = parent;
    }
}

static rk_topic_level root_level(const uint32_t *tenant)
{
    return (rk_topic_level){(const char *)tenant, (uint32_t)sizeof(*tenant), KIND_ROOT};
}

rk_status rk_trie_hold(rk_trie *trie, uint32_t tenant, const rk_topic *topic, rk_trie_node **out)
{
    rk_topic_level root = root_level(&tenant);
    const rk_topic_level *level = &root;
    rk_trie_node *node = NULL;
    for (uint32_t i = 0; i <= topic->count; i++) {
        rk_trie_node *child = find_child(trie, node, level);
        if (!child) {
            child = add_child(trie, node, level);
        }
        if (!child) {
            prune(trie, node);
            return RK_NO_MEMORY;
        }
        node = child;
        level = &topic->level[i];
    }
    node->uses++;
    *out = node;
    return RK_OK;
}

void rk_trie_release(rk_trie *trie, rk_trie_node *node)
{
    node->uses--;
    prune(trie, node);
}

static rk_trie_node *find_root(const rk_trie *trie, uint32_t tenant)
{
    rk_topic_level root = root_level(&tenant);
    return find_child(trie, NULL, &root);
}

rk_trie_node *rk_trie_find(const rk_trie *trie, uint32_t tenant, const rk_topic *topic)
{
    rk_trie_node *node = find_root(trie, tenant);
    for (uint32_t i = 0; node && i < topic->count; i++) {
        node = find_child(trie, node, &topic->level[i]);
    }
    return node;
}

typedef struct walk {
    const rk_trie *trie;
    const rk_topic *topic;
    rk_trie_visit *visit;
    void *context;
    uint64_t names[RK_TOPIC_MAX_LEVELS]; /* hashes of the topic's levels, for rk_trie_match */
} walk;

/* The recursion is as deep as the topic has levels: at most RK_TOPIC_MAX_LEVELS. */
static void match_from(const walk *w, rk_trie_node *node, uint32_t depth)
{
    if (node->rest) {
        w->visit(w->context, node->rest);
    }
    if (depth == w->topic->count) {
        w->visit(w->context, node);
        return;
    }
    rk_trie_node *child = find_named(w->trie, node, &w->topic->level[depth], w->names[depth]);
    if (child) {
        match_from(w, child, depth + 1);
    }
    if (node->one) {
        match_from(w, node->one, depth + 1);
    }
}

void rk_trie_match(const rk_trie *trie, uint32_t tenant, const rk_topic *topic,
                   rk_trie_visit *visit, void *context)
{
    walk w;
    w.trie = trie;
    w.topic = topic;
    w.visit = visit;
    w.context = context;
    rk_trie_node *root = find_root(trie, tenant);
    if (root) {
        for (uint32_t i = 0; i < topic->count; i++) {
            w.names[i] = hash_name(trie, &topic->level[i]);
        }
        match_from(&w, root, 0);
    }
}

static void list_below(const walk *w, rk_trie_node *node)
{
    w->visit(w->context, node);
    for (rk_trie_node *child = node->first_child; child; child = child->next_sibling) {
        if (child->kind == RK_TOPIC_LITERAL) {
            list_below(w, child);
        }
    }
}

static void list_from(const walk *w, rk_trie_node *node, uint32_t depth)
{
    if (depth == w->topic->count) {
        w->visit(w->context, node);
        return;
    }
    const rk_topic_level *level = &w->topic->level[depth];
    if (level->kind == RK_TOPIC_REST) {
        list_below(w, node);
        return;
    }
    if (level->kind == RK_TOPIC_LITERAL) {
        rk_trie_node *child = find_child(w->trie, node, level);
        if (child) {
            list_from(w, child, depth + 1);
        }
        return;
    }
    for (rk_trie_node *child = node->first_child; child; child = child->next_sibling) {
        if (child->kind == RK_TOPIC_LITERAL) {
            list_from(w, child, depth + 1);
        }
    }
}

void rk_trie_list(const rk_trie *trie, uint32_t tenant, const rk_topic *pattern,
                  rk_trie_visit *visit, void *context)
{
    walk w = {.trie = trie, .topic = pattern, .visit = visit, .context = context};
    rk_trie_node *root = find_root(trie, tenant);
    if (root) {
        list_from(&w, root, 0);
    }
}
