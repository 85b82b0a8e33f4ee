/*
 * table.c: slots and ids of actors.
 *
 * A page holds RK_PAGE_SLOTS slots of one type. Free slots are kept per source and type; in a free
 * system full batches move through the type, as blocks do through a stock, so slots that one worker
 * fills and another empties come back. In an ordered system every source keeps its own slots and
 * its own page numbers: which id comes next then depends only on what that source did before.
 */
#include "actor/parts.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH 256u
/* Ordered: one source for each lane and one for outside. */
#define SOURCES (RK_LANES + 1)

rk_status rk_table_init(rk_actor_system *sys)
{
    void *pages = mmap(NULL, sizeof(rk_page) * RK_PAGES_MAX, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
        return RK_NO_MEMORY;
    }
    sys->pages = pages;
    return RK_OK;
}

void rk_table_walk(rk_actor_system *sys, void (*visit)(rk_actor_system *sys, rk_actor *a))
{
    for (uint32_t number = 0; number < RK_PAGES_MAX; number++) {
        char *base = atomic_load_explicit(&sys->pages[number].base, memory_order_acquire);
        for (uint32_t i = 0; base != NULL && i < RK_PAGE_SLOTS; i++) {
            rk_actor *a = rk_table_at(sys, number * RK_PAGE_SLOTS + i);
            if (atomic_load_explicit(&a->inbox, memory_order_acquire) == 0) {
                break; /* slots are used in order */
            }
            visit(sys, a);
        }
    }
}

static void ext_free(rk_actor_system *sys, rk_actor *a)
{
    (void)sys;
    rk_actor_ext *ext = a->ext;
    if (ext == NULL) {
        return;
    }
    if (ext->family != NULL) {
        free(ext->family->intensity.times_ns);
    }
    free(ext->family);
    free(ext->queue);
    free(ext->box);
    free(ext->own.times_ns);
    free(ext->arg);
    free(ext);
    a->ext = NULL;
}

void rk_table_finish(rk_actor_system *sys)
{
    if (sys->pages != NULL) {
        rk_table_walk(sys, ext_free);
        munmap(sys->pages, sizeof(rk_page) * RK_PAGES_MAX);
        sys->pages = NULL;
    }
}

bool rk_id_source_init(rk_id_source *ids, uint32_t number)
{
    *ids = (rk_id_source){.number = number, .next_page = number};
    ids->slots = calloc(RK_TYPES_MAX, sizeof *ids->slots);
    return ids->slots != NULL;
}

void rk_id_source_finish(rk_id_source *ids)
{
    free(ids->slots);
    ids->slots = NULL;
}

/* Publishes an empty page; false: out of memory or page numbers. */
static bool page_add(rk_actor_system *sys, rk_id_source *ids, const rk_type_entry *type,
                     rk_slot_cache *cache)
{
    uint32_t number;
    if (sys->ordered) {
        number = ids->next_page;
    } else {
        number = atomic_fetch_add_explicit(&sys->next_page, 1, memory_order_relaxed);
    }
    /* The last page is never used: ~0 stays free as "no index". */
    if (number >= RK_PAGES_MAX - 1) {
        if (!sys->ordered) {
            atomic_fetch_sub_explicit(&sys->next_page, 1, memory_order_relaxed);
        }
        return false;
    }
    char *base = rk_regions_alloc(&sys->regions, (size_t)type->stride * RK_PAGE_SLOTS, false);
    if (base == NULL) {
        /* A free system loses the page number; there are a quarter of a million. */
        return false;
    }
    if (sys->ordered) {
        ids->next_page += SOURCES;
    }
    sys->pages[number].stride = type->stride;
    atomic_store_explicit(&sys->pages[number].base, base, memory_order_release);
    cache->fresh = number * RK_PAGE_SLOTS;
    cache->fresh_end = cache->fresh + RK_PAGE_SLOTS;
    return true;
}

static void batch_link(rk_actor *first, rk_actor *next_batch)
{
    memcpy(&first->older, &next_batch, sizeof next_batch);
}

static rk_actor *batch_next(const rk_actor *first)
{
    rk_actor *next;
    memcpy(&next, &first->older, sizeof next);
    return next;
}

rk_actor *rk_table_take(rk_actor_system *sys, rk_id_source *ids, rk_type_entry *type)
{
    rk_slot_cache *cache = &ids->slots[type->number];
    if (cache->head == NULL) {
        cache->head = cache->spare;
        cache->spare = NULL;
        cache->count = cache->head == NULL ? 0 : BATCH;
    }
    if (cache->head == NULL && !sys->ordered) {
        rk_spin_lock(&type->lock);
        cache->head = type->batches;
        if (cache->head != NULL) {
            type->batches = batch_next(cache->head);
            cache->count = BATCH;
        }
        rk_spin_unlock(&type->lock);
    }
    rk_actor *a = cache->head;
    if (a != NULL) {
        cache->head = (rk_actor *)(void *)a->pending;
        a->pending = NULL;
        cache->count--;
        return a;
    }
    if (cache->fresh == cache->fresh_end && !page_add(sys, ids, type, cache)) {
        return NULL;
    }
    a = rk_table_at(sys, cache->fresh);
    a->index = cache->fresh++;
    a->type = (uint16_t)type->number;
    atomic_store_explicit(&a->inbox, 1ull << RK_INBOX_GENERATION_SHIFT | RK_INBOX_CLOSED,
                          memory_order_release);
    return a;
}

void rk_table_give(rk_actor_system *sys, rk_id_source *ids, rk_actor *a)
{
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    if (rk_inbox_generation(inbox) == 0) {
        return; /* its generations are used up */
    }
    rk_type_entry *type = atomic_load_explicit(&sys->types[a->type], memory_order_acquire);
    rk_slot_cache *cache = &ids->slots[a->type];
    if (cache->count == BATCH && !sys->ordered) {
        if (cache->spare != NULL) {
            rk_spin_lock(&type->lock);
            batch_link(cache->spare, type->batches);
            type->batches = cache->spare;
            rk_spin_unlock(&type->lock);
        }
        cache->spare = cache->head;
        cache->head = NULL;
        cache->count = 0;
    }
    a->pending = (rk_message *)(void *)cache->head;
    cache->head = a;
    cache->count++;
}

void rk_slot_give(rk_origin *o, rk_actor *a)
{
    if (o->sys->ordered) {
        rk_turns_defer_give(o->worker, a);
    } else {
        rk_table_give(o->sys, o->ids, a);
    }
}

rk_actor_ext *rk_actor_ext_get(rk_actor *a)
{
    if (a->ext == NULL) {
        a->ext = calloc(1, sizeof *a->ext);
    }
    return a->ext;
}
