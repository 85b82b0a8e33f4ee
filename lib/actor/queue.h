/*
 * queue.h: the two kinds of queues of runnable actors that a worker has.
 *
 * The ring is for one worker to fill, at the tail, and for anyone to take from, at the head,
 * without a lock. A list is behind a lock and grows; it holds actors with a priority of their own,
 * and what the ring cannot.
 */
#ifndef RK_ACTOR_QUEUE_H
#define RK_ACTOR_QUEUE_H

#include "actor/worker.h"

/* False: out of memory. Owner. */
bool rk_run_list_push(rk_worker *w, unsigned level, rk_actor *a);
/* Takes up to max actors off a list, oldest first; returns how many. Any worker. */
uint32_t rk_run_list_take(rk_worker *owner, unsigned level, rk_actor **out, uint32_t max);
/* Takes up to half of the ring, at most max and nothing if it has no more than keep; returns how
 * many. Any worker. */
uint32_t rk_run_ring_steal(rk_worker *owner, uint32_t keep, rk_actor **out, uint32_t max);
void rk_run_lists_finish(rk_worker *w);

/* False: full. Owner. */
RK_INLINE bool rk_run_ring_push(rk_worker *w, rk_actor *a)
{
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    /* Acquire pairs with the take: the slot has been read before it is written again. */
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);
    if (tail - head == RK_RING_SLOTS) {
        return false;
    }
    atomic_store_explicit(&w->ring[tail % RK_RING_SLOTS], a, memory_order_relaxed);
    atomic_store_explicit(&w->tail, tail + 1, memory_order_release);
    return true;
}

/* NULL: empty. Owner. */
RK_INLINE rk_actor *rk_run_ring_pop(rk_worker *w)
{
    uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    while (head != tail) {
        rk_actor *a = atomic_load_explicit(&w->ring[head % RK_RING_SLOTS], memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&w->head, &head, head + 1, memory_order_release,
                                                  memory_order_relaxed)) {
            if (tail - head > 2) {
                rk_prefetch(atomic_load_explicit(&w->ring[(head + 2) % RK_RING_SLOTS],
                                                 memory_order_relaxed));
            }
            return a;
        }
    }
    return NULL;
}

RK_INLINE uint32_t rk_run_ring_count(const rk_worker *w)
{
    uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_seq_cst);
    return tail - head > RK_RING_SLOTS ? 0 : tail - head;
}

#endif
