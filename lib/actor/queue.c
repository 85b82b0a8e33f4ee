/*
 * queue.c: run lists, and stealing from rings.
 */
#include "actor/queue.h"
#include <stdlib.h>

/* Doubles a full list; false: out of memory. Lock held. */
static bool list_grow(rk_run_list *list)
{
    uint32_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
    rk_actor **items = malloc(capacity * sizeof(rk_actor *));
    if (items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        items[i] = list->items[(list->head + i) % list->capacity];
    }
    free(list->items);
    list->items = items;
    list->head = 0;
    list->capacity = capacity;
    return true;
}

bool rk_run_list_push(rk_worker *w, unsigned level, rk_actor *a)
{
    rk_run_list *list = &w->lists[level];
    rk_spin_lock(&list->lock);
    bool ok = list->count < list->capacity || list_grow(list);
    if (ok) {
        list->items[(list->head + list->count++) % list->capacity] = a;
        if (list->count == 1) {
            atomic_fetch_or_explicit(&w->levels_mask, 1u << level, memory_order_seq_cst);
        }
    }
    rk_spin_unlock(&list->lock);
    return ok;
}

uint32_t rk_run_list_take(rk_worker *owner, unsigned level, rk_actor **out, uint32_t max)
{
    rk_run_list *list = &owner->lists[level];
    rk_spin_lock(&list->lock);
    uint32_t count = RK_MIN(max, list->count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = list->items[(list->head + i) % list->capacity];
    }
    if (count != 0) {
        list->head = (list->head + count) % list->capacity;
        list->count -= count;
        if (list->count == 0) {
            atomic_fetch_and_explicit(&owner->levels_mask, ~(1u << level), memory_order_relaxed);
        }
    }
    rk_spin_unlock(&list->lock);
    return count;
}

void rk_run_lists_finish(rk_worker *w)
{
    for (unsigned level = 0; level < RK_COUNT_OF(w->lists); level++) {
        free(w->lists[level].items);
    }
}

uint32_t rk_run_ring_steal(rk_worker *owner, uint32_t keep, rk_actor **out, uint32_t max)
{
    /* Acquire on head orders it before tail; acquire on tail pairs with rk_run_ring_push. */
    uint32_t head = atomic_load_explicit(&owner->head, memory_order_acquire);
    uint32_t tail = atomic_load_explicit(&owner->tail, memory_order_acquire);
    uint32_t count = tail - head;
    if (count > RK_RING_SLOTS || count <= keep) {
        return 0;
    }
    count = RK_MIN((count + 1) / 2, max);
    for (uint32_t i = 0; i < count; i++) {
        out[i] =
            atomic_load_explicit(&owner->ring[(head + i) % RK_RING_SLOTS], memory_order_relaxed);
    }
    /* The ring was read before anyone else could take these: head has not moved. */
    return atomic_compare_exchange_strong_explicit(&owner->head, &head, head + count,
                                                   memory_order_acq_rel, memory_order_relaxed)
               ? count
               : 0;
}
