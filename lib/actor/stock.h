/*
 * stock.h: memory of an actor system: regions that only grow, and stocks of equal blocks.
 *
 * A stock has a cache per thread (rk_stock_cache, one owner at a time) and a shared depot. Blocks
 * move between the two in whole batches, so a thread that only sends and another that only receives
 * meet at the depot's lock once per batch. Memory goes back to the system when the regions are
 * finished.
 */
#ifndef RK_ACTOR_STOCK_H
#define RK_ACTOR_STOCK_H

#include "base/spin.h"

typedef struct rk_regions {
    rk_spin lock;
    void *list; /* of regions, newest first */
    char *at;   /* the unused rest of the newest */
    size_t left_bytes;
    size_t next_bytes;
    _Atomic uint64_t total_bytes;
    uint64_t max_bytes; /* 0: none */
} rk_regions;

void rk_regions_init(rk_regions *regions, uint64_t max_bytes);
void rk_regions_finish(rk_regions *regions);
/* Zeroed memory, aligned to 64, untouched so far; NULL out of memory, or at the limit unless
 * beyond_limit. Any thread. */
void *rk_regions_alloc(rk_regions *regions, size_t bytes, bool beyond_limit);

typedef struct rk_stock {
    rk_spin lock;
    uint32_t batch_count; /* blocks that move at once */
    void *batches;        /* full batches, linked by the second word of their first blocks */
    size_t block_bytes;
    rk_regions *regions;
} rk_stock;

/* Free blocks are linked by their first word. */
typedef struct rk_stock_cache {
    void *head;
    uint32_t count; /* of head */
    void *spare;    /* a full batch, or NULL */
} rk_stock_cache;

/* block_bytes is a multiple of 64. */
void rk_stock_init(rk_stock *stock, rk_regions *regions, size_t block_bytes, uint32_t batch_count);
/* Fills an empty cache. False: out of memory, or at the limit unless beyond_limit. */
bool rk_stock_refill(rk_stock *stock, rk_stock_cache *cache, bool beyond_limit);
/* Makes room in a full cache. */
void rk_stock_spill(rk_stock *stock, rk_stock_cache *cache);

/* NULL when out of memory. Blocks are not cleared. */
RK_INLINE void *rk_stock_take(rk_stock *stock, rk_stock_cache *cache, bool beyond_limit)
{
    if (RK_UNLIKELY(cache->head == NULL) && !rk_stock_refill(stock, cache, beyond_limit)) {
        return NULL;
    }
    void *block = cache->head;
    cache->head = *(void **)block;
    cache->count--;
    rk_prefetch(cache->head);
    return block;
}

RK_INLINE void rk_stock_give(rk_stock *stock, rk_stock_cache *cache, void *block)
{
    if (RK_UNLIKELY(cache->count == stock->batch_count)) {
        rk_stock_spill(stock, cache);
    }
    *(void **)block = cache->head;
    cache->head = block;
    cache->count++;
}

#endif
