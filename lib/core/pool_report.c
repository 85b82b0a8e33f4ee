/*
 * pool_report.c: what a memory pool has done and holds: statistics, leaks, and a check of its own
 * records. Rules in pool.h.
 */
#include "core/pool.h"

#include <stdlib.h>

/* ---- Statistics ---------------------------------------------------------------------------- */

/* Adds up the caches of one class. */
static void add_shards(rk_pool *pool, uint32_t class_index, uint64_t *cached, uint64_t *hits,
                       uint64_t *frees, uint64_t *requested)
{
    for (uint32_t i = 0; i < pool->shard_count; i++) {
        rk_pool_shard *shard = &pool->shards[class_index * pool->shard_count + i];
        rk_spin_lock(&shard->lock);
        *cached += shard->cached;
        *hits += shard->hits;
        *frees += shard->frees;
        *requested += shard->requested;
        rk_spin_unlock(&shard->lock);
    }
}

void rk_pool_read_stats(rk_pool *pool, rk_pool_stats *out_stats)
{
    rk_mutex_lock(&pool->lock);
    rk_pool_stats stats = {
        .bytes = pool->buddy.size << pool->granule_log2,
        .requested_bytes = pool->requested,
        .dirty_bytes = rk_pool_get(&pool->dirty_bytes),
        .lost_bytes = rk_pool_get(&pool->lost_bytes),
        .free_bytes = pool->buddy.free << pool->granule_log2,
        .largest_bytes = rk_buddy_largest(&pool->buddy) << pool->granule_log2,
        .high_water_bytes = pool->high_water_bytes,
        .misses = pool->misses,
        .frees = pool->frees,
        .failures = rk_pool_get(&pool->failures),
        .grows = pool->grows,
        .moves = pool->moves,
        .moved_bytes = pool->moved_bytes,
        .scrubs = rk_pool_get(&pool->scrubs),
        .scrub_failures = rk_pool_get(&pool->scrub_failures),
        .reclaims = pool->reclaims,
    };
    for (uint32_t i = 0; i < pool->class_count; i++) {
        uint64_t cached = 0;
        add_shards(pool, i, &cached, &stats.hits, &stats.frees, &stats.requested_bytes);
        stats.cached_bytes += cached * pool->classes[i].block_bytes;
    }
    rk_mutex_unlock(&pool->lock);
    uint64_t not_used =
        stats.free_bytes + stats.cached_bytes + stats.dirty_bytes + stats.lost_bytes;
    stats.used_bytes = stats.bytes - RK_MIN(not_used, stats.bytes);
    if (stats.used_bytes > 0 && stats.requested_bytes <= stats.used_bytes) {
        stats.internal_fragmentation =
            1.0 - (double)stats.requested_bytes / (double)stats.used_bytes;
    }
    if (stats.free_bytes > 0) {
        stats.external_fragmentation = 1.0 - (double)stats.largest_bytes / (double)stats.free_bytes;
    }
    *out_stats = stats;
}

uint64_t rk_pool_used_bytes(rk_pool *pool)
{
    uint64_t not_used = rk_pool_get(&pool->dirty_bytes) + rk_pool_get(&pool->lost_bytes);
    for (uint32_t i = 0; i < pool->class_count; i++) {
        uint64_t cached = 0;
        uint64_t unused = 0;
        add_shards(pool, i, &cached, &unused, &unused, &unused);
        not_used += cached * pool->classes[i].block_bytes;
    }
    uint64_t carved = rk_pool_get(&pool->carved_bytes);
    return carved - RK_MIN(not_used, carved);
}

uint32_t rk_pool_class_count(const rk_pool *pool)
{
    return pool->class_count;
}

void rk_pool_read_class(rk_pool *pool, uint32_t index, rk_pool_class_stats *out_stats)
{
    uint64_t cached = 0;
    uint64_t hits = 0;
    uint64_t unused = 0;
    rk_mutex_lock(&pool->lock);
    add_shards(pool, index, &cached, &hits, &unused, &unused);
    *out_stats = (rk_pool_class_stats){
        .block_bytes = pool->classes[index].block_bytes,
        .blocks = pool->classes[index].blocks,
        .cached = cached,
        .hits = hits,
        .misses = pool->classes[index].misses,
    };
    rk_mutex_unlock(&pool->lock);
}

/* ---- What was not freed -------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    uint64_t x = ((const rk_pool_allocation *)a)->offset;
    uint64_t y = ((const rk_pool_allocation *)b)->offset;
    return x < y ? -1 : x > y;
}

rk_status rk_pool_report(rk_pool *pool,
                         void (*fn)(void *context, const rk_pool_allocation *allocation),
                         void *context, uint64_t *out_count, rk_err *err)
{
    uint64_t count = 0;
    rk_mutex_lock(&pool->lock);
    size_t capacity = rk_map_count(&pool->by_offset);
    rk_pool_allocation *list = malloc(RK_MAX(1u, capacity) * sizeof *list);
    uint32_t records = atomic_load_explicit(&pool->record_count, memory_order_relaxed);
    for (uint32_t i = 0; list != NULL && i < records && count < capacity; i++) {
        uint64_t word =
            atomic_load_explicit(&rk_pool_record_at(pool, i)->word, memory_order_acquire);
        if (rk_pool_state_of(word) == RK_POOL_LIVE &&
            rk_pool_describe(pool, i, word, &list[count])) {
            count++;
        }
    }
    rk_mutex_unlock(&pool->lock);
    if (list == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "%s: no memory for a report of %zu blocks", pool->name,
                          capacity);
    }
    qsort(list, count, sizeof list[0], by_offset);
    for (uint64_t i = 0; fn != NULL && i < count; i++) {
        fn(context, &list[i]);
    }
    free(list);
    if (out_count != NULL) {
        *out_count = count;
    }
    return RK_OK;
}

/* ---- Check --------------------------------------------------------------------------------- */

typedef struct range {
    uint64_t offset;
    uint64_t bytes;
    bool is_free; /* in the buddy */
} range;

static int range_order(const void *a, const void *b)
{
    uint64_t x = ((const range *)a)->offset;
    uint64_t y = ((const range *)b)->offset;
    return x < y ? -1 : x > y;
}

static bool add_range(range **list, size_t *count, size_t *capacity, range one)
{
    if (*count == *capacity) {
        size_t larger = *capacity == 0 ? 256 : 2 * *capacity;
        range *grown = realloc(*list, larger * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        *list = grown;
        *capacity = larger;
    }
    (*list)[(*count)++] = one;
    return true;
}

/* All ranges that there are. The lock is held; the fast path changes none of them. */
static rk_status collect_ranges(rk_pool *pool, range **list, size_t *count, rk_err *err)
{
    size_t capacity = 0;
    uint64_t cursor = 0;
    uint64_t at;
    uint64_t units;
    bool added = true;
    while (added && rk_buddy_next_free(&pool->buddy, &cursor, &at, &units)) {
        added = add_range(list, count, &capacity,
                          (range){at << pool->granule_log2, units << pool->granule_log2, true});
    }
    uint32_t records = atomic_load_explicit(&pool->record_count, memory_order_relaxed);
    for (uint32_t i = 0; added && i < records; i++) {
        rk_pool_record *record = rk_pool_record_at(pool, i);
        uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
        if (rk_pool_state_of(word) == RK_POOL_UNUSED) {
            continue;
        }
        if (rk_pool_state_of(word) != RK_POOL_LOST && record->seal != rk_pool_seal(pool, record)) {
            return rk_err_set(err, RK_CORRUPT,
                              "%s: record %u (offset %llu, %llu B) was overwritten by other code "
                              "of this process",
                              pool->name, i, (unsigned long long)rk_pool_get(&record->offset),
                              (unsigned long long)rk_pool_get(&record->block_bytes));
        }
        added = add_range(
            list, count, &capacity,
            (range){rk_pool_get(&record->offset), rk_pool_get(&record->block_bytes), false});
    }
    return added ? RK_OK
                 : rk_err_set(err, RK_NO_MEMORY, "%s: no memory to check its records", pool->name);
}

static rk_status check_ranges(const rk_pool *pool, const range *list, size_t count, rk_err *err)
{
    uint64_t end = 0;
    uint64_t free_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].offset != end) {
            return rk_err_set(
                err, RK_CORRUPT, "%s: the block at offset %llu should start at %llu: memory is %s",
                pool->name, (unsigned long long)list[i].offset, (unsigned long long)end,
                list[i].offset > end ? "missing before it" : "in two blocks");
        }
        end += list[i].bytes;
        free_bytes += list[i].is_free ? list[i].bytes : 0;
    }
    if (end != pool->buddy.size << pool->granule_log2 || free_bytes != pool->buddy.free
                                                                           << pool->granule_log2) {
        return rk_err_set(err, RK_CORRUPT,
                          "%s: blocks end at %llu, of %llu B; %llu B are free, counted were %llu",
                          pool->name, (unsigned long long)end,
                          (unsigned long long)(pool->buddy.size << pool->granule_log2),
                          (unsigned long long)free_bytes,
                          (unsigned long long)(pool->buddy.free << pool->granule_log2));
    }
    return RK_OK;
}

rk_status rk_pool_check(rk_pool *pool, rk_err *err)
{
    range *list = NULL;
    size_t count = 0;
    rk_mutex_lock(&pool->lock);
    rk_status status = collect_ranges(pool, &list, &count, err);
    if (status == RK_OK) {
        qsort(list, count, sizeof list[0], range_order);
        status = check_ranges(pool, list, count, err);
    }
    rk_mutex_unlock(&pool->lock);
    free(list);
    return status;
}
