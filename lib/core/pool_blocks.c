/*
 * pool_blocks.c: the slow side of a memory pool: records, blocks from the buddy allocator and back,
 * scrubbing, trimming, growth. Rules in pool.h.
 */
#include "core/pool.h"

#include "base/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- Records ------------------------------------------------------------------------------- */

static bool records_grow(rk_pool *pool, uint32_t index)
{
    uint64_t place = (uint64_t)index + (1u << RK_POOL_CHUNK_LOG2);
    unsigned chunk = rk_log2_u64(place) - RK_POOL_CHUNK_LOG2;
    if (chunk >= RK_POOL_CHUNKS) {
        return false;
    }
    if (atomic_load_explicit(&pool->chunks[chunk], memory_order_relaxed) != NULL) {
        return true;
    }
    size_t count = (size_t)1 << (chunk + RK_POOL_CHUNK_LOG2);
    rk_pool_record *records = aligned_alloc(RK_CACHE_LINE, count * sizeof *records);
    if (records == NULL) {
        return false;
    }
    memset(records, 0, count * sizeof *records);
    for (size_t i = 0; i < count; i++) {
        atomic_store_explicit(&records[i].word,
                              rk_pool_word(pool->first_generation, RK_POOL_UNUSED),
                              memory_order_relaxed);
    }
    /* Release pairs with the acquire in rk_pool_record_at. */
    atomic_store_explicit(&pool->chunks[chunk], records, memory_order_release);
    return true;
}

uint32_t rk_pool_record_take(rk_pool *pool)
{
    if (pool->unused_records != RK_POOL_NONE) {
        uint32_t link = pool->unused_records;
        pool->unused_records = rk_pool_record_at(pool, link - 1)->next;
        return link;
    }
    uint32_t index = atomic_load_explicit(&pool->record_count, memory_order_relaxed);
    if (!records_grow(pool, index)) {
        return RK_POOL_NONE;
    }
    atomic_store_explicit(&pool->record_count, index + 1, memory_order_release);
    return index + 1;
}

void rk_pool_record_drop(rk_pool *pool, uint32_t index)
{
    rk_pool_record *record = rk_pool_record_at(pool, index);
    record->next = pool->unused_records;
    pool->unused_records = index + 1;
    rk_pool_become(record, RK_POOL_UNUSED);
}

void rk_pool_lose(rk_pool *pool, rk_pool_record *record)
{
    atomic_fetch_add_explicit(&pool->lost_bytes, rk_pool_get(&record->block_bytes),
                              memory_order_relaxed);
    rk_pool_become(record, RK_POOL_LOST);
}

/* ---- Scrubbing ----------------------------------------------------------------------------- */

rk_status rk_pool_scrub_block(rk_pool *pool, rk_pool_record *record)
{
    rk_status status = pool->ops->zero(pool->context, rk_pool_get(&record->offset),
                                       rk_pool_get(&record->block_bytes));
    if (status == RK_OK) {
        record->dirty = false;
        atomic_fetch_add_explicit(&pool->scrubs, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&pool->scrub_failures, 1, memory_order_relaxed);
    }
    return status;
}

void rk_pool_set_aside(rk_pool *pool, uint32_t index)
{
    rk_pool_record *record = rk_pool_record_at(pool, index);
    record->next = pool->dirty_records;
    pool->dirty_records = index + 1;
    rk_pool_add(&pool->dirty_bytes, rk_pool_get(&record->block_bytes));
    rk_pool_become(record, RK_POOL_DIRTY);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

void rk_pool_release(rk_pool *pool, uint32_t index)
{
    rk_pool_record *record = rk_pool_record_at(pool, index);
    uint64_t offset = rk_pool_get(&record->offset);
    uint64_t block_bytes = rk_pool_get(&record->block_bytes);
    (void)rk_map_remove(&pool->by_offset, offset);
    rk_buddy_give(&pool->buddy, offset >> pool->granule_log2, block_bytes >> pool->granule_log2);
    rk_pool_add(&pool->carved_bytes, 0 - block_bytes);
    if (record->class_index != RK_POOL_NO_CLASS) {
        pool->classes[record->class_index].blocks--;
    }
    rk_pool_record_drop(pool, index);
}

/*
 * Takes a list of records whose blocks are free. Those that are zero, or can be made so while
 * *status is RK_OK, go back to the buddy; the others are set aside.
 */
static void give_list(rk_pool *pool, uint32_t link, rk_status *status)
{
    while (link != RK_POOL_NONE) {
        uint32_t index = link - 1;
        rk_pool_record *record = rk_pool_record_at(pool, index);
        link = record->next;
        rk_pool_become(record, RK_POOL_BUSY);
        if (record->seal != rk_pool_seal(pool, record)) {
            rk_pool_lose(pool, record);
            continue;
        }
        if (record->dirty && *status == RK_OK) {
            *status = rk_pool_scrub_block(pool, record);
        }
        if (record->dirty) {
            rk_pool_set_aside(pool, index);
        } else {
            rk_pool_release(pool, index);
        }
    }
}

rk_status rk_pool_reclaim(rk_pool *pool)
{
    rk_status status = RK_OK;
    uint32_t dirty = pool->dirty_records;
    pool->dirty_records = RK_POOL_NONE;
    atomic_store_explicit(&pool->dirty_bytes, 0, memory_order_relaxed);
    give_list(pool, dirty, &status);
    for (uint32_t i = 0; i < pool->class_count * pool->shard_count; i++) {
        rk_pool_shard *shard = &pool->shards[i];
        rk_spin_lock(&shard->lock);
        uint32_t list = atomic_load_explicit(&shard->head, memory_order_relaxed);
        atomic_store_explicit(&shard->head, RK_POOL_NONE, memory_order_relaxed);
        shard->cached = 0;
        rk_spin_unlock(&shard->lock);
        give_list(pool, list, &status);
    }
    return status;
}

/* Why a request of so many bytes cannot be served, for people. The lock is held. */
static rk_status no_room(const rk_pool *pool, const rk_pool_request *request, rk_err *err)
{
    char asked[RK_VALUE_TEXT_BYTES];
    char free_text[RK_VALUE_TEXT_BYTES];
    char largest[RK_VALUE_TEXT_BYTES];
    char dirty[RK_VALUE_TEXT_BYTES];
    uint64_t free_bytes = pool->buddy.free << pool->granule_log2;
    uint64_t dirty_bytes = rk_pool_get(&pool->dirty_bytes);
    bool can_grow = pool->options.max_bytes > pool->buddy.size << pool->granule_log2;
    bool in_pieces = free_bytes >= request->bytes;
    const char *advice = dirty_bytes >= request->bytes ? "trim it while the kernel is parked"
                         : can_grow                    ? "park the kernel and grow it"
                         : in_pieces ? "free something, or park the kernel and defragment it"
                                     : "free something, or make it larger";
    return rk_err_set(
        err, RK_FULL,
        "%s has no room for %s: %s are free, the largest block has %s, %s wait to be "
        "zeroed; %s",
        pool->name, rk_value_format_size(request->bytes, asked),
        rk_value_format_size(free_bytes, free_text),
        rk_value_format_size(rk_buddy_largest(&pool->buddy) << pool->granule_log2, largest),
        rk_value_format_size(dirty_bytes, dirty), advice);
}

/* Finds the place of a new block. The lock is held. */
static rk_status carve_place(rk_pool *pool, uint64_t units, uint64_t align_units,
                             const rk_pool_request *request, uint64_t *out_at, rk_err *err)
{
    if (rk_buddy_take(&pool->buddy, units, align_units, out_at)) {
        return RK_OK;
    }
    pool->reclaims++;
    (void)rk_pool_reclaim(pool); /* what could not be zeroed is said in no_room */
    if (rk_buddy_take(&pool->buddy, units, align_units, out_at)) {
        return RK_OK;
    }
    return no_room(pool, request, err);
}

static rk_status no_records(const rk_pool *pool, rk_err *err)
{
    return rk_err_set(err, RK_NO_MEMORY, "%s: no memory for the record of another allocation",
                      pool->name);
}

static rk_status carve_locked(rk_pool *pool, uint32_t class_index, const rk_pool_request *request,
                              uint32_t alignment, uint32_t *out_index, rk_err *err)
{
    uint64_t granule = pool->options.granule_bytes;
    bool has_class = class_index != RK_POOL_NO_CLASS;
    uint64_t block_bytes = has_class ? pool->classes[class_index].block_bytes
                                     : (request->bytes + granule - 1) & ~(granule - 1);
    uint64_t align_units = has_class ? 1 : RK_MAX((uint64_t)alignment, granule) / granule;
    uint32_t link = rk_pool_record_take(pool);
    if (link == RK_POOL_NONE) {
        return no_records(pool, err);
    }
    uint64_t at;
    rk_status status =
        carve_place(pool, block_bytes >> pool->granule_log2, align_units, request, &at, err);
    if (status != RK_OK) {
        rk_pool_record_drop(pool, link - 1);
        return status;
    }
    uint64_t offset = at << pool->granule_log2;
    if (rk_map_add(&pool->by_offset, offset, (void *)(uintptr_t)link) != RK_OK) {
        rk_buddy_give(&pool->buddy, at, block_bytes >> pool->granule_log2);
        rk_pool_record_drop(pool, link - 1);
        return no_records(pool, err);
    }
    rk_pool_record *record = rk_pool_record_at(pool, link - 1);
    atomic_store_explicit(&record->offset, offset, memory_order_relaxed);
    atomic_store_explicit(&record->block_bytes, block_bytes, memory_order_relaxed);
    record->class_index = (uint8_t)class_index;
    record->align_log2 = (uint8_t)rk_log2_u64(align_units);
    record->dirty = false;
    record->seal = rk_pool_seal(pool, record);
    rk_pool_become(record, RK_POOL_BUSY);
    rk_pool_add(&pool->carved_bytes, block_bytes);
    pool->high_water_bytes = RK_MAX(pool->high_water_bytes, rk_pool_get(&pool->carved_bytes));
    pool->misses++;
    pool->requested += request->bytes;
    if (has_class) {
        pool->classes[class_index].blocks++;
        pool->classes[class_index].misses++;
    }
    *out_index = link - 1;
    return RK_OK;
}

rk_status rk_pool_carve(rk_pool *pool, uint32_t class_index, const rk_pool_request *request,
                        uint32_t alignment, uint32_t *out_index, rk_err *err)
{
    rk_mutex_lock(&pool->lock);
    rk_status status = carve_locked(pool, class_index, request, alignment, out_index, err);
    rk_mutex_unlock(&pool->lock);
    return status;
}

rk_status rk_pool_find(rk_pool *pool, uint64_t offset, rk_pool_handle *out_handle, rk_err *err)
{
    rk_mutex_lock(&pool->lock);
    uint32_t link = (uint32_t)(uintptr_t)rk_map_get(&pool->by_offset, offset);
    uint64_t word = 0;
    if (link != RK_POOL_NONE) {
        word = atomic_load_explicit(&rk_pool_record_at(pool, link - 1)->word, memory_order_acquire);
    }
    uint64_t size = pool->buddy.size << pool->granule_log2;
    rk_mutex_unlock(&pool->lock);
    if (link == RK_POOL_NONE) {
        return rk_err_set(err, RK_NOT_FOUND, "%s: no allocation starts at offset %llu%s",
                          pool->name, (unsigned long long)offset,
                          offset >= size ? ", which is outside of it" : "");
    }
    if (rk_pool_state_of(word) != RK_POOL_LIVE) {
        return rk_err_set(err, RK_STALE, "%s: the allocation at offset %llu was freed already",
                          pool->name, (unsigned long long)offset);
    }
    *out_handle = (word & ~(uint64_t)UINT32_MAX) | link;
    return RK_OK;
}

/* ---- At safe points ------------------------------------------------------------------------ */

rk_status rk_pool_trim(rk_pool *pool, uint64_t *out_bytes, rk_err *err)
{
    rk_mutex_lock(&pool->lock);
    uint64_t before = pool->buddy.free;
    rk_status status = rk_pool_reclaim(pool);
    uint64_t bytes = (pool->buddy.free - before) << pool->granule_log2;
    uint64_t dirty = rk_pool_get(&pool->dirty_bytes);
    rk_mutex_unlock(&pool->lock);
    if (out_bytes != NULL) {
        *out_bytes = bytes;
    }
    if (status != RK_OK) {
        return rk_err_set(err, status,
                          "%s: %llu B could not be zeroed (%s) and stay set aside; trim it while "
                          "the kernel is parked",
                          pool->name, (unsigned long long)dirty, rk_status_text(status));
    }
    return RK_OK;
}

/* The size after growing to at_least, by the policy; 0 if it cannot become that large. */
static uint64_t grown(const rk_pool_options *o, uint64_t bytes, uint64_t at_least)
{
    do {
        uint64_t more = o->growth == RK_POOL_DOUBLE ? bytes : o->step_bytes;
        bytes = more >= o->max_bytes - bytes ? o->max_bytes : bytes + more;
    } while (bytes < at_least && bytes < o->max_bytes);
    return bytes < at_least ? 0 : bytes & ~((uint64_t)o->granule_bytes - 1);
}

static rk_status grow_locked(rk_pool *pool, uint64_t at_least, rk_err *err)
{
    const rk_pool_options *o = &pool->options;
    uint64_t bytes = pool->buddy.size << pool->granule_log2;
    if (o->growth == RK_POOL_FIXED || pool->ops->grow == NULL) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s does not grow; create it with a growth policy, or larger",
                          pool->name);
    }
    if (at_least != 0 && at_least <= bytes) {
        return RK_OK;
    }
    uint64_t target = bytes < o->max_bytes ? grown(o, bytes, at_least) : 0;
    if (target == 0) {
        return rk_err_set(
            err, RK_LIMIT, "%s has %llu B and cannot grow to %llu B; its limit is %llu B",
            pool->name, (unsigned long long)bytes, (unsigned long long)RK_MAX(at_least, bytes + 1),
            (unsigned long long)o->max_bytes);
    }
    rk_status status = pool->ops->grow(pool->context, bytes, target, err);
    if (status == RK_OK) {
        rk_buddy_extend(&pool->buddy, target >> pool->granule_log2);
        pool->grows++;
    }
    return status;
}

rk_status rk_pool_grow(rk_pool *pool, uint64_t at_least_bytes, rk_err *err)
{
    rk_mutex_lock(&pool->lock);
    rk_status status = grow_locked(pool, at_least_bytes, err);
    rk_mutex_unlock(&pool->lock);
    return status;
}
