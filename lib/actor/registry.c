/*
 * registry.c: names of actors.
 *
 * One map from name to entry and one from id to that actor's entries, under one lock. An actor that
 * has names carries RK_CTL_NAMED, so the others pay nothing when they end.
 *
 * A name and the end of its actor may race. Registering first sets the mark and then looks whether
 * the actor lives; ending first closes the inbox and then looks for the mark (all seq_cst): at
 * least one of the two removes the name.
 */
#include "actor/parts.h"
#include "base/map.h"
#include "base/topic.h"
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    struct entry *next; /* of the same actor */
    rk_actor_id id;
    char name[];
} entry;

struct rk_registry {
    rk_mutex lock;
    rk_smap names;
    rk_map actors;
};

rk_status rk_registry_init(rk_actor_system *sys)
{
    struct rk_registry *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return RK_NO_MEMORY;
    }
    rk_mutex_init(&r->lock);
    rk_smap_init(&r->names, SIZE_MAX);
    rk_map_init(&r->actors, SIZE_MAX);
    sys->registry = r;
    return RK_OK;
}

void rk_registry_finish(rk_actor_system *sys)
{
    struct rk_registry *r = sys->registry;
    if (r == NULL) {
        return;
    }
    size_t cursor = 0;
    void *value;
    while (rk_smap_next(&r->names, &cursor, NULL, &value)) {
        free(value);
    }
    rk_smap_finish(&r->names);
    rk_map_finish(&r->actors);
    rk_mutex_finish(&r->lock);
    free(r);
    sys->registry = NULL;
}

static bool name_is_valid(const char *name)
{
    rk_topic parsed;
    return name != NULL && rk_topic_parse(name, strlen(name), false, &parsed, NULL) == RK_OK;
}

static bool is_alive(rk_actor_system *sys, rk_actor_id id, rk_actor **out_actor)
{
    rk_actor *a = rk_table_find(sys, id);
    if (a == NULL) {
        return false;
    }
    *out_actor = a;
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_seq_cst);
    return rk_inbox_generation(inbox) == (uint32_t)(id >> RK_ID_INDEX_BITS) &&
           (inbox & RK_INBOX_POINTER_MASK) != RK_INBOX_CLOSED;
}

/* Adds the entry to both maps; lock held. */
static rk_status add_locked(struct rk_registry *r, const char *name, rk_actor_id id)
{
    size_t bytes = strlen(name) + 1;
    entry *e = malloc(sizeof *e + bytes);
    if (e == NULL) {
        return RK_NO_MEMORY;
    }
    e->id = id;
    memcpy(e->name, name, bytes);
    e->next = rk_map_get(&r->actors, id);
    rk_status status = rk_smap_add(&r->names, name, e);
    if (status == RK_OK) {
        status = rk_map_put(&r->actors, id, e);
        if (status != RK_OK) {
            (void)rk_smap_remove(&r->names, name);
        }
    }
    if (status != RK_OK) {
        free(e);
    }
    return status;
}

static void forget_locked(struct rk_registry *r, rk_actor_id id)
{
    entry *e = rk_map_remove(&r->actors, id);
    while (e != NULL) {
        entry *next = e->next;
        (void)rk_smap_remove(&r->names, e->name);
        free(e);
        e = next;
    }
}

rk_status rk_registry_add(rk_actor_system *sys, const char *name, rk_actor_id id)
{
    struct rk_registry *r = sys->registry;
    rk_actor *a = NULL;
    rk_mutex_lock(&r->lock);
    rk_status status = is_alive(sys, id, &a) ? RK_OK : RK_NOT_FOUND;
    if (status == RK_OK) {
        status = add_locked(r, name, id);
    }
    if (status == RK_OK) {
        atomic_fetch_or_explicit(&a->ctl, RK_CTL_NAMED, memory_order_seq_cst);
        if (!is_alive(sys, id, &a)) {
            forget_locked(r, id);
            status = RK_NOT_FOUND;
        }
    }
    rk_mutex_unlock(&r->lock);
    return status;
}

void rk_registry_forget(rk_actor_system *sys, rk_actor_id id)
{
    struct rk_registry *r = sys->registry;
    rk_mutex_lock(&r->lock);
    forget_locked(r, id);
    rk_mutex_unlock(&r->lock);
}

rk_status rk_actor_system_register(rk_actor_system *sys, const char *name, rk_actor_id id)
{
    if (!name_is_valid(name)) {
        return RK_INVALID;
    }
    if (sys->ordered && rk_inside(sys)) {
        return rk_turns_defer_name(rk_this_worker, name, id);
    }
    return rk_registry_add(sys, name, id);
}

rk_status rk_registry_remove(rk_actor_system *sys, const char *name)
{
    struct rk_registry *r = sys->registry;
    rk_mutex_lock(&r->lock);
    entry *e = rk_smap_remove(&r->names, name);
    if (e != NULL) {
        entry *first = rk_map_get(&r->actors, e->id);
        if (first == e && e->next == NULL) {
            (void)rk_map_remove(&r->actors, e->id);
        } else if (first == e) {
            (void)rk_map_put(&r->actors, e->id, e->next); /* replaces: cannot fail */
        } else {
            while (first->next != e) {
                first = first->next;
            }
            first->next = e->next;
        }
        free(e);
    }
    rk_mutex_unlock(&r->lock);
    return e != NULL ? RK_OK : RK_NOT_FOUND;
}

rk_status rk_actor_system_unregister(rk_actor_system *sys, const char *name)
{
    if (!name_is_valid(name)) {
        return RK_INVALID;
    }
    if (sys->ordered && rk_inside(sys)) {
        return rk_turns_defer_name(rk_this_worker, name, RK_ACTOR_NONE);
    }
    return rk_registry_remove(sys, name);
}

rk_status rk_actor_system_lookup(rk_actor_system *sys, const char *name, rk_actor_id *out_id)
{
    struct rk_registry *r = sys->registry;
    if (!name_is_valid(name)) {
        return RK_INVALID;
    }
    rk_mutex_lock(&r->lock);
    const entry *e = rk_smap_get(&r->names, name);
    if (e != NULL) {
        *out_id = e->id;
    }
    rk_mutex_unlock(&r->lock);
    return e != NULL ? RK_OK : RK_NOT_FOUND;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const entry *const *)a)->name, (*(const entry *const *)b)->name);
}

/* Copies of the entries that match; NULL with *out_count 0: none; RK_NO_MEMORY. Lock held. */
static rk_status matching(struct rk_registry *r, const rk_topic *pattern, entry ***out_list,
                          size_t *out_count)
{
    entry **list = malloc((rk_smap_count(&r->names) + 1) * sizeof *list);
    size_t count = 0;
    size_t cursor = 0;
    const char *name;
    void *value;
    while (list != NULL && rk_smap_next(&r->names, &cursor, &name, &value)) {
        size_t bytes = strlen(name) + 1;
        rk_topic topic;
        if (rk_topic_parse(name, bytes - 1, false, &topic, NULL) != RK_OK ||
            !rk_topic_match(pattern, &topic)) {
            continue;
        }
        entry *copy = malloc(sizeof *copy + bytes);
        if (copy == NULL) {
            while (count != 0) {
                free(list[--count]);
            }
            free(list);
            list = NULL;
            break;
        }
        copy->id = ((entry *)value)->id;
        memcpy(copy->name, name, bytes);
        list[count++] = copy;
    }
    *out_list = list;
    *out_count = count;
    return list == NULL ? RK_NO_MEMORY : RK_OK;
}

rk_status rk_actor_system_names(rk_actor_system *sys, const char *pattern,
                                rk_actor_name_visit visit, void *context)
{
    struct rk_registry *r = sys->registry;
    rk_topic parsed;
    if (pattern == NULL || rk_topic_parse(pattern, strlen(pattern), true, &parsed, NULL) != RK_OK) {
        return RK_INVALID;
    }
    entry **list;
    size_t count;
    rk_mutex_lock(&r->lock);
    rk_status status = matching(r, &parsed, &list, &count);
    rk_mutex_unlock(&r->lock);
    if (status != RK_OK) {
        return status;
    }
    qsort(list, count, sizeof(entry *), by_name);
    bool more = true;
    for (size_t i = 0; i < count; i++) {
        more = more && visit(context, list[i]->name, list[i]->id);
        free(list[i]);
    }
    free(list);
    return RK_OK;
}
