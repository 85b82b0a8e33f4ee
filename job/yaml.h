/*
 * yaml.h: loads a YAML document into a tree, strictly.
 *
 * On top of libyaml's events. Refused, with "name:line:column: sentence": syntax errors, a second
 * document, tags, duplicate keys, keys that are not scalars, zero bytes, and whatever goes beyond
 * the limits below. An alias stands for the whole node that its anchor marks, and counts in full
 * against the limit on nodes, so that a few lines cannot grow without bound.
 */
#ifndef RK_JOB_YAML_H
#define RK_JOB_YAML_H

#include "base/arena.h"

#include <ringkernel/status.h>

#define RK_YAML_BYTES_MAX (1u << 20)
#define RK_YAML_DEPTH_MAX 24u
#define RK_YAML_NODES_MAX 50000u
#define RK_YAML_KEYS_MAX 1024u
#define RK_YAML_ANCHOR_MAX 64u

typedef enum rk_yaml_kind { RK_YAML_SCALAR, RK_YAML_LIST, RK_YAML_MAP } rk_yaml_kind;

/* A node lives in the arena. Several parents may share it; it is not changed after loading. */
typedef struct rk_yaml_node {
    rk_yaml_kind kind;
    uint32_t line, column;        /* from 1 */
    bool plain;                   /* a scalar without quotes */
    const char *text;             /* scalar, NUL-terminated, without a NUL inside */
    size_t count;                 /* list items, map entries */
    struct rk_yaml_node **keys;   /* map: [count], scalars */
    struct rk_yaml_node **values; /* list and map: [count] */
    size_t weight;                /* nodes below, aliases expanded, this one included */
} rk_yaml_node;

/*
 * name stands for the file in sentences. RK_SYNTAX, RK_EXISTS (duplicate key), RK_LIMIT,
 * RK_UNSUPPORTED, RK_NO_MEMORY. An empty document is RK_SYNTAX.
 */
rk_status rk_yaml_load(rk_arena *arena, const char *data, size_t length, const char *name,
                       const rk_yaml_node **out_root, rk_err *err);

#endif
