/*
 * Topics and patterns from outside: each line is tried as both. What is refused has a sentence; the
 * index finds for every valid topic exactly the patterns that the plain comparison matches, and is
 * empty again in the end.
 */
#include "fuzz/fuzz.h"

#include "base/topic.h"
#include "fabric/trie.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES 32u

typedef struct line {
    rk_topic topic, pattern;
    bool is_topic, is_pattern;
    rk_trie_node *node;
    unsigned visits;
} line;

typedef struct lines {
    line list[MAX_LINES];
    unsigned count;
} lines;

/* Ends the process on a broken promise, so that the fuzzer keeps the input. */
static void require(bool promise)
{
    if (!promise) {
        abort();
    }
}

static void visit(void *context, rk_trie_node *node)
{
    lines *all = context;
    for (unsigned i = 0; i < all->count; i++) {
        all->list[i].visits += all->list[i].node == node;
    }
}

static void parse(line *l, const char *text, size_t length)
{
    rk_err err = RK_ERR_INIT;
    memset(l, 0, sizeof(*l));
    l->is_topic = rk_topic_parse(text, length, false, &l->topic, &err) == RK_OK;
    require(l->is_topic || err.text[0] != '\0');
    err = (rk_err)RK_ERR_INIT;
    l->is_pattern = rk_topic_parse(text, length, true, &l->pattern, &err) == RK_OK;
    require(l->is_pattern || err.text[0] != '\0');
    require(l->is_pattern || !l->is_topic); /* a topic is a pattern without wildcards */
    if (l->is_topic) {
        require(rk_topic_match(&l->pattern, &l->topic));
    }
}

static void match_all(rk_trie *trie, lines *all)
{
    for (unsigned t = 0; t < all->count; t++) {
        if (!all->list[t].is_topic) {
            continue;
        }
        rk_trie_match(trie, 1, &all->list[t].topic, visit, all);
        for (unsigned i = 0; i < all->count; i++) {
            line *l = &all->list[i];
            bool expected = l->node && rk_topic_match(&l->pattern, &all->list[t].topic);
            require(l->visits == expected);
            l->visits = 0;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lines *all = calloc(1, sizeof(*all));
    rk_trie trie;
    if (!all || rk_trie_init(&trie) != RK_OK) {
        free(all);
        return 0;
    }
    const char *text = (const char *)data;
    while (size > 0 && all->count < MAX_LINES) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;
        parse(&all->list[all->count++], text, length);
        text += end ? length + 1 : length;
        size -= end ? length + 1 : length;
    }
    for (unsigned i = 0; i < all->count; i++) {
        line *l = &all->list[i];
        if (l->is_pattern) {
            (void)rk_trie_hold(&trie, 1, &l->pattern, &l->node); /* NULL without memory */
        }
    }
    match_all(&trie, all);
    for (unsigned i = 0; i < all->count; i++) {
        if (all->list[i].node) {
            rk_trie_release(&trie, all->list[i].node);
        }
    }
    require(trie.node_count == 0);
    rk_trie_finish(&trie);
    free(all);
    return 0;
}
