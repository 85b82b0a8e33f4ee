/*
 * yaml.c: from libyaml's events to a tree. The recursion is bounded by RK_YAML_DEPTH_MAX.
 */
#include "job/yaml.h"

#include <string.h>
#include <yaml.h>

typedef struct anchor {
    const char *name;
    const rk_yaml_node *node; /* NULL while the node is being read */
} anchor;

typedef struct loader {
    yaml_parser_t parser;
    rk_arena *arena;
    const char *name;
    rk_err *err;
    size_t total; /* weight of all that has been read */
    anchor anchors[RK_YAML_ANCHOR_MAX];
    size_t anchor_count;
} loader;

static rk_status fail(loader *in, yaml_mark_t at, rk_status code, const char *text)
{
    return rk_err_set(in->err, code, "%s:%zu:%zu: %s", in->name, at.line + 1, at.column + 1, text);
}

static rk_status no_memory(loader *in)
{
    return rk_err_set(in->err, RK_NO_MEMORY, "%s: no memory to read it", in->name);
}

static rk_status next_event(loader *in, yaml_event_t *event)
{
    if (yaml_parser_parse(&in->parser, event)) {
        return RK_OK;
    }
    const yaml_parser_t *p = &in->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return no_memory(in);
    }
    if (p->error == YAML_READER_ERROR) {
        return rk_err_set(in->err, RK_SYNTAX, "%s: byte %zu: %s", in->name, p->problem_offset,
                          p->problem ? p->problem : "not valid text");
    }
    return rk_err_set(in->err, RK_SYNTAX, "%s:%zu:%zu: %s%s%s%s", in->name,
                      p->problem_mark.line + 1, p->problem_mark.column + 1,
                      p->problem ? p->problem : "syntax error", p->context ? " (" : "",
                      p->context ? p->context : "", p->context ? ")" : "");
}

static rk_status add_weight(loader *in, yaml_mark_t at, size_t weight)
{
    in->total += weight;
    if (in->total > RK_YAML_NODES_MAX) {
        return fail(in, at, RK_LIMIT,
                    "the file holds more than 50000 values (aliases count in full)");
    }
    return RK_OK;
}

static rk_yaml_node *new_node(loader *in, rk_yaml_kind kind, yaml_mark_t at)
{
    rk_yaml_node *node = rk_arena_calloc(in->arena, 1, sizeof(*node));
    if (node) {
        node->kind = kind;
        node->line = (uint32_t)(at.line + 1);
        node->column = (uint32_t)(at.column + 1);
        node->weight = 1;
    }
    return node;
}

/* Opens an anchor; *out_slot is SIZE_MAX without one. */
static rk_status open_anchor(loader *in, const yaml_char_t *name, yaml_mark_t at, size_t *out_slot)
{
    *out_slot = SIZE_MAX;
    if (!name) {
        return RK_OK;
    }
    if (in->anchor_count == RK_YAML_ANCHOR_MAX) {
        return fail(in, at, RK_LIMIT, "more than 64 anchors");
    }
    const char *copy = rk_arena_strdup(in->arena, (const char *)name);
    if (!copy) {
        return no_memory(in);
    }
    *out_slot = in->anchor_count++;
    in->anchors[*out_slot] = (anchor){copy, NULL};
    return RK_OK;
}

static rk_status read_alias(loader *in, const yaml_event_t *event, rk_yaml_node **out_node)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = in->anchor_count; i-- > 0;) {
        if (strcmp(in->anchors[i].name, name) != 0) {
            continue;
        }
        if (!in->anchors[i].node) {
            return fail(in, event->start_mark, RK_SYNTAX, "an alias inside of what it stands for");
        }
        /* The tree is read-only once built; sharing the node needs no copy. */
        *out_node = (rk_yaml_node *)in->anchors[i].node;
        return add_weight(in, event->start_mark, (*out_node)->weight);
    }
    return rk_err_set(in->err, RK_SYNTAX, "%s:%zu:%zu: there is no anchor '&%.40s' above", in->name,
                      event->start_mark.line + 1, event->start_mark.column + 1, name);
}

static rk_status read_scalar(loader *in, const yaml_event_t *event, rk_yaml_node **out_node)
{
    size_t length = event->data.scalar.length;
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, 0, length)) {
        return fail(in, event->start_mark, RK_SYNTAX, "a text with a zero byte");
    }
    rk_yaml_node *node = new_node(in, RK_YAML_SCALAR, event->start_mark);
    if (!node) {
        return no_memory(in);
    }
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = rk_arena_strndup(in->arena, value, length);
    if (!node->text) {
        return no_memory(in);
    }
    *out_node = node;
    return add_weight(in, event->start_mark, 1);
}

/* Children while their number is not known: a chain in the arena. */
typedef struct child {
    rk_yaml_node *key, *value;
    struct child *next;
} child;

static rk_status read_node(loader *in, yaml_event_t *event, unsigned depth,
                           rk_yaml_node **out_node);

static rk_status check_key(loader *in, const rk_yaml_node *key, const child *first)
{
    yaml_mark_t at = {.line = key->line - 1, .column = key->column - 1};
    if (key->kind != RK_YAML_SCALAR) {
        return fail(in, at, RK_SYNTAX, "a key must be a word, not a list or section");
    }
    for (; first; first = first->next) {
        if (strcmp(first->key->text, key->text) == 0) {
            return rk_err_set(in->err, RK_EXISTS,
                              "%s:%u:%u: the key '%.60s' is here twice, first in line %u", in->name,
                              key->line, key->column, key->text, first->key->line);
        }
    }
    return RK_OK;
}

static rk_status next_child(loader *in, unsigned depth, yaml_event_type_t end, bool *out_end,
                            rk_yaml_node **out_node)
{
    yaml_event_t event;
    rk_status status = next_event(in, &event);
    if (status != RK_OK) {
        return status;
    }
    *out_end = event.type == end;
    if (!*out_end) {
        status = read_node(in, &event, depth + 1, out_node);
    }
    yaml_event_delete(&event);
    return status;
}

/* The children of a list or map whose start event has been read, up to its end event. */
static rk_status read_children(loader *in, rk_yaml_node *node, unsigned depth)
{
    bool map = node->kind == RK_YAML_MAP;
    yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    child *first = NULL;
    child **last = &first;
    for (;;) {
        bool ends = false;
        child entry = {0};
        rk_status status = next_child(in, depth, end, &ends, map ? &entry.key : &entry.value);
        if (status != RK_OK) {
            return status;
        }
        if (ends) {
            break;
        }
        if (map) {
            status = check_key(in, entry.key, first);
            if (status == RK_OK) {
                status = next_child(in, depth, end, &ends, &entry.value);
            }
            if (status != RK_OK) {
                return status;
            }
            if (node->count == RK_YAML_KEYS_MAX) {
                yaml_mark_t at = {.line = node->line - 1, .column = node->column - 1};
                return fail(in, at, RK_LIMIT, "a section with more than 1024 keys");
            }
        }
        child *kept = rk_arena_alloc(in->arena, sizeof(*kept), 0);
        if (!kept) {
            return no_memory(in);
        }
        *kept = entry;
        *last = kept;
        last = &kept->next;
        node->count++;
        node->weight += entry.value->weight + (map ? 1 : 0);
    }
    node->keys = map ? rk_arena_calloc(in->arena, node->count + 1, sizeof(*node->keys)) : NULL;
    node->values = rk_arena_calloc(in->arena, node->count + 1, sizeof(*node->values));
    if (!node->values || (map && !node->keys)) {
        return no_memory(in);
    }
    for (size_t i = 0; first; first = first->next, i++) {
        node->values[i] = first->value;
        if (map) {
            node->keys[i] = first->key;
        }
    }
    return RK_OK;
}

static rk_status read_node(loader *in, yaml_event_t *event, unsigned depth, rk_yaml_node **out_node)
{
    const yaml_char_t *tag = NULL;
    const yaml_char_t *name = NULL;
    rk_yaml_kind kind = RK_YAML_SCALAR;
    switch (event->type) {
    case YAML_ALIAS_EVENT: return read_alias(in, event, out_node);
    case YAML_SCALAR_EVENT:
        tag = event->data.scalar.tag;
        name = event->data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        tag = event->data.sequence_start.tag;
        name = event->data.sequence_start.anchor;
        kind = RK_YAML_LIST;
        break;
    case YAML_MAPPING_START_EVENT:
        tag = event->data.mapping_start.tag;
        name = event->data.mapping_start.anchor;
        kind = RK_YAML_MAP;
        break;
    default: return fail(in, event->start_mark, RK_SYNTAX, "a value is expected here");
    }
    if (tag) {
        return fail(in, event->start_mark, RK_UNSUPPORTED, "tags (!name) have no meaning here");
    }
    if (depth > RK_YAML_DEPTH_MAX) {
        return fail(in, event->start_mark, RK_LIMIT, "nested more than 24 levels deep");
    }
    size_t slot = SIZE_MAX;
    rk_status status = open_anchor(in, name, event->start_mark, &slot);
    if (status != RK_OK) {
        return status;
    }
    rk_yaml_node *node = NULL;
    if (kind == RK_YAML_SCALAR) {
        status = read_scalar(in, event, &node);
    } else {
        node = new_node(in, kind, event->start_mark);
        status = node ? add_weight(in, event->start_mark, 1) : no_memory(in);
        if (status == RK_OK) {
            status = read_children(in, node, depth);
        }
    }
    if (status != RK_OK) {
        return status;
    }
    if (slot != SIZE_MAX) {
        in->anchors[slot].node = node;
    }
    *out_node = node;
    return RK_OK;
}

static rk_status read_document(loader *in, rk_yaml_node **out_root)
{
    yaml_event_t event;
    for (;;) {
        rk_status status = next_event(in, &event);
        if (status != RK_OK) {
            return status;
        }
        yaml_event_type_t type = event.type;
        yaml_mark_t at = event.start_mark;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (type == YAML_DOCUMENT_START_EVENT && !*out_root) {
            yaml_event_delete(&event);
            status = next_event(in, &event);
            if (status == RK_OK) {
                status = read_node(in, &event, 1, out_root);
                yaml_event_delete(&event);
            }
            if (status != RK_OK) {
                return status;
            }
            continue;
        }
        yaml_event_delete(&event);
        if (type != YAML_STREAM_END_EVENT) {
            return fail(in, at, RK_UNSUPPORTED, "a second document; put one job in a file");
        }
        return *out_root ? RK_OK : fail(in, at, RK_SYNTAX, "the file is empty");
    }
}

rk_status rk_yaml_load(rk_arena *arena, const char *data, size_t length, const char *name,
                       const rk_yaml_node **out_root, rk_err *err)
{
    if (length > RK_YAML_BYTES_MAX) {
        return rk_err_set(err, RK_LIMIT,
                          "%s: %zu bytes are more than the 1 MiB that a job file may "
                          "have",
                          name, length);
    }
    loader in = {.arena = arena, .name = name, .err = err};
    if (!yaml_parser_initialize(&in.parser)) {
        return no_memory(&in);
    }
    /* libyaml takes a byte order mark for text when it is told the encoding. */
    static const char mark[] = "\xef\xbb\xbf";
    size_t skipped = length >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;
    yaml_parser_set_input_string(&in.parser, (const unsigned char *)data + skipped,
                                 length - skipped);
    yaml_parser_set_encoding(&in.parser, YAML_UTF8_ENCODING);
    rk_yaml_node *root = NULL;
    rk_status status = read_document(&in, &root);
    yaml_parser_delete(&in.parser);
    if (status == RK_OK) {
        *out_root = root;
    }
    return status;
}
