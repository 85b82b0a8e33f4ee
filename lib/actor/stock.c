/*
 * stock.c: regions and stocks of an actor system.
 *
 * Regions double in size from 256 KiB, so a small system stays small, and from 2 MiB on they ask
 * for large pages: a million actors are then some dozens of pages instead of sixteen thousand.
 */
#include "actor/stock.h"
#include <sys/mman.h>

#define FIRST_BYTES ((size_t)256 << 10)
#define LAST_BYTES ((size_t)32 << 20)
#define LARGE_PAGE ((size_t)2 << 20)

typedef struct region {
    struct region *next;
    size_t bytes;
} region;

void rk_regions_init(rk_regions *regions, uint64_t max_bytes)
{
    *regions = (rk_regions){.next_bytes = FIRST_BYTES, .max_bytes = max_bytes};
}

void rk_regions_finish(rk_regions *regions)
{
    region *r = regions->list;
    while (r != NULL) {
        region *next = r->next;
        munmap(r, r->bytes);
        r = next;
    }
    *regions = (rk_regions){.next_bytes = FIRST_BYTES};
}

/* Maps bytes, aligned to large pages where they are as large. */
static void *map(size_t bytes)
{
    size_t slack = bytes >= LARGE_PAGE ? LARGE_PAGE : 0;
    char *at = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    if (slack != 0) {
        char *aligned = (char *)(((uintptr_t)at + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1));
        if (aligned != at) {
            munmap(at, (size_t)(aligned - at));
        }
        if (aligned + bytes != at + bytes + slack) {
            munmap(aligned + bytes, (size_t)(at + bytes + slack - (aligned + bytes)));
        }
        at = aligned;
        /* Only a hint: without large pages it works the same, slower. */
        (void)madvise(at, bytes, MADV_HUGEPAGE);
    }
    return at;
}

/* Replaces the newest region by one that holds at least bytes; lock held. */
static bool grow(rk_regions *regions, size_t bytes, bool beyond_limit)
{
    size_t want = bytes + 64;
    size_t size = regions->next_bytes;
    while (size < want) {
        size *= 2;
    }
    uint64_t total = atomic_load_explicit(&regions->total_bytes, memory_order_relaxed);
    if (regions->max_bytes != 0 && !beyond_limit && total + size > regions->max_bytes) {
        size = (want + 4095) & ~(size_t)4095;
        if (total + size > regions->max_bytes) {
            return false;
        }
    }
    region *r = map(size);
    if (r == NULL) {
        return false;
    }
    r->next = regions->list;
    r->bytes = size;
    regions->list = r;
    regions->at = (char *)r + 64;
    regions->left_bytes = size - 64;
    atomic_store_explicit(&regions->total_bytes, total + size, memory_order_relaxed);
    if (regions->next_bytes < LAST_BYTES) {
        regions->next_bytes *= 2;
    }
    return true;
}

void *rk_regions_alloc(rk_regions *regions, size_t bytes, bool beyond_limit)
{
    bytes = (bytes + 63) & ~(size_t)63;
    char *result = NULL;
    rk_spin_lock(&regions->lock);
    if (bytes <= regions->left_bytes || grow(regions, bytes, beyond_limit)) {
        result = regions->at;
        regions->at += bytes;
        regions->left_bytes -= bytes;
    }
    rk_spin_unlock(&regions->lock);
    return result;
}

void rk_stock_init(rk_stock *stock, rk_regions *regions, size_t block_bytes, uint32_t batch_count)
{
    *stock = (rk_stock){.batch_count = batch_count, .block_bytes = block_bytes, .regions = regions};
}

bool rk_stock_refill(rk_stock *stock, rk_stock_cache *cache, bool beyond_limit)
{
    void *batch = cache->spare;
    cache->spare = NULL;
    if (batch == NULL) {
        rk_spin_lock(&stock->lock);
        batch = stock->batches;
        if (batch != NULL) {
            stock->batches = ((void **)batch)[1];
        }
        rk_spin_unlock(&stock->lock);
    }
    if (batch == NULL) {
        char *memory =
            rk_regions_alloc(stock->regions, stock->block_bytes * stock->batch_count, beyond_limit);
        if (memory == NULL) {
            return false;
        }
        for (uint32_t i = stock->batch_count; i-- > 0;) {
            void **block = (void **)(memory + i * stock->block_bytes);
            *block = batch;
            batch = block;
        }
    }
    cache->head = batch;
    cache->count = stock->batch_count;
    return true;
}

void rk_stock_spill(rk_stock *stock, rk_stock_cache *cache)
{
    if (cache->spare != NULL) {
        rk_spin_lock(&stock->lock);
        ((void **)cache->spare)[1] = stock->batches;
        stock->batches = cache->spare;
        rk_spin_unlock(&stock->lock);
    }
    cache->spare = cache->head;
    cache->head = NULL;
    cache->count = 0;
}
