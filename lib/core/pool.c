/*
 * pool.c: the fast path of a memory pool: allocate, free, query. Rules in pool.h.
 */
#include "core/pool.h"

#include "base/value.h"

/* ---- Caches -------------------------------------------------------------------------------- */

/* Threads and tenants start at different caches; any of them serves everybody. */
static uint32_t home_of(const rk_pool *pool, uint32_t tenant)
{
    static RK_THREAD_LOCAL char mine;
    uint64_t mix = ((uint64_t)(uintptr_t)&mine >> 6) + tenant;
    return (uint32_t)((mix * 0x9e3779b97f4a7c15u) >> 40) & (pool->shard_count - 1);
}

static bool shard_pop(rk_pool *pool, rk_pool_shard *shard, uint64_t bytes, uint32_t *out_index)
{
    rk_spin_lock(&shard->lock);
    uint32_t head = atomic_load_explicit(&shard->head, memory_order_relaxed);
    if (head != RK_POOL_NONE) {
        rk_pool_record *record = rk_pool_record_at(pool, head - 1);
        atomic_store_explicit(&shard->head, record->next, memory_order_relaxed);
        shard->cached--;
        shard->hits++;
        shard->requested += bytes;
    }
    rk_spin_unlock(&shard->lock);
    *out_index = head - 1;
    return head != RK_POOL_NONE;
}

static void shard_push(rk_pool *pool, uint32_t index, rk_pool_record *record)
{
    uint32_t tenant = atomic_load_explicit(&record->tenant, memory_order_relaxed);
    uint64_t bytes = rk_pool_get(&record->bytes);
    rk_pool_shard *shard =
        &pool->shards[record->class_index * pool->shard_count + home_of(pool, tenant)];
    rk_spin_lock(&shard->lock);
    rk_pool_become(record, RK_POOL_CACHED);
    record->next = atomic_load_explicit(&shard->head, memory_order_relaxed);
    atomic_store_explicit(&shard->head, index + 1, memory_order_relaxed);
    shard->cached++;
    shard->frees++;
    shard->requested -= bytes;
    rk_spin_unlock(&shard->lock);
}

/* Whether this tenant may have the block as it is. */
static bool is_clean_for(const rk_pool *pool, const rk_pool_record *record, uint32_t tenant)
{
    return !record->dirty ||
           (pool->options.scrub == RK_POOL_SCRUB_TENANT &&
            atomic_load_explicit(&record->tenant, memory_order_relaxed) == tenant);
}

/* A block that was popped, but cannot be had: it is set aside, and was no hit. */
static void put_away(rk_pool *pool, rk_pool_shard *shard, uint32_t index, uint64_t bytes)
{
    rk_spin_lock(&shard->lock);
    shard->hits--;
    shard->requested -= bytes;
    rk_spin_unlock(&shard->lock);
    rk_pool_record *record = rk_pool_record_at(pool, index);
    if (record->seal != rk_pool_seal(pool, record)) {
        rk_pool_lose(pool, record);
        return;
    }
    rk_mutex_lock(&pool->lock);
    rk_pool_set_aside(pool, index);
    rk_mutex_unlock(&pool->lock);
}

static bool cache_take(rk_pool *pool, uint32_t class_index, const rk_pool_request *request,
                       uint32_t *out_index)
{
    uint32_t home = home_of(pool, request->tenant);
    for (uint32_t i = 0; i < pool->shard_count; i++) {
        rk_pool_shard *shard =
            &pool->shards[class_index * pool->shard_count + ((home + i) & (pool->shard_count - 1))];
        uint32_t index;
        while (atomic_load_explicit(&shard->head, memory_order_relaxed) != RK_POOL_NONE &&
               shard_pop(pool, shard, request->bytes, &index)) {
            rk_pool_record *record = rk_pool_record_at(pool, index);
            rk_pool_become(record, RK_POOL_BUSY);
            if (record->seal == rk_pool_seal(pool, record) &&
                (is_clean_for(pool, record, request->tenant) ||
                 rk_pool_scrub_block(pool, record) == RK_OK)) {
                *out_index = index;
                return true;
            }
            put_away(pool, shard, index, request->bytes);
        }
    }
    return false;
}

/* ---- Allocate ------------------------------------------------------------------------------ */

/* The smallest class that holds so many bytes at this alignment; RK_POOL_NO_CLASS: none. */
static uint32_t class_for(const rk_pool *pool, uint64_t bytes, uint32_t alignment)
{
    uint32_t i = pool->class_from[rk_log2_u64(bytes)];
    while (i < pool->class_count && pool->classes[i].block_bytes < bytes) {
        i++;
    }
    return i < pool->class_count && pool->classes[i].align_bytes >= alignment ? i
                                                                              : RK_POOL_NO_CLASS;
}

static void hand_out(rk_pool *pool, uint32_t index, const rk_pool_request *request,
                     rk_pool_allocation *out)
{
    rk_pool_record *record = rk_pool_record_at(pool, index);
    const char *tag = request->tag != NULL ? request->tag : "";
    uint64_t block_bytes = rk_pool_get(&record->block_bytes);
    uint64_t serial = atomic_fetch_add_explicit(&pool->serial, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&record->bytes, request->bytes, memory_order_relaxed);
    atomic_store_explicit(&record->serial, serial, memory_order_relaxed);
    atomic_store_explicit(&record->tag, tag, memory_order_relaxed);
    atomic_store_explicit(&record->tenant, request->tenant, memory_order_relaxed);
    atomic_store_explicit(&record->movable, request->movable, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&record->word, memory_order_relaxed);
    *out = (rk_pool_allocation){
        .handle = (word & ~(uint64_t)UINT32_MAX) | (index + 1),
        .offset = rk_pool_get(&record->offset),
        .bytes = request->bytes,
        .block_bytes = block_bytes,
        .tenant = request->tenant,
        .tag = tag,
        .movable = request->movable,
    };
    rk_pool_become(record, RK_POOL_LIVE);
}

rk_status rk_pool_allocate(rk_pool *pool, const rk_pool_request *request,
                           rk_pool_allocation *out_allocation, rk_err *err)
{
    uint32_t alignment = request->alignment != 0 ? request->alignment : pool->options.alignment;
    rk_status status = RK_OK;
    if (request->bytes == 0) {
        status = rk_err_set(err, RK_INVALID, "%s: an allocation has at least one byte", pool->name);
    } else if (!rk_pool_is_power(alignment) || alignment > RK_POOL_ALIGN_MAX) {
        status = rk_err_set(err, RK_INVALID,
                            "%s: the alignment cannot be %u B; choose a power of two up to %u",
                            pool->name, alignment, RK_POOL_ALIGN_MAX);
    } else if (request->bytes > pool->options.max_bytes) {
        char text[RK_VALUE_TEXT_BYTES];
        status = rk_err_set(err, RK_LIMIT, "%s: %llu B are more than it can ever have (%s)",
                            pool->name, (unsigned long long)request->bytes,
                            rk_value_format_size(pool->options.max_bytes, text));
    } else {
        uint32_t index;
        uint32_t class_index = class_for(pool, request->bytes, alignment);
        if (class_index == RK_POOL_NO_CLASS || !cache_take(pool, class_index, request, &index)) {
            status = rk_pool_carve(pool, class_index, request, alignment, &index, err);
        }
        if (RK_LIKELY(status == RK_OK)) {
            hand_out(pool, index, request, out_allocation);
            return RK_OK;
        }
    }
    atomic_fetch_add_explicit(&pool->failures, 1, memory_order_relaxed);
    return status;
}

/* ---- Handles ------------------------------------------------------------------------------- */

static rk_status refuse(const rk_pool *pool, rk_pool_handle handle, uint64_t word, rk_err *err)
{
    uint32_t given = (uint32_t)(handle >> 32) - pool->first_generation;
    uint32_t now = (uint32_t)(word >> 32) - pool->first_generation;
    if (given < now) {
        return rk_err_set(err, RK_STALE,
                          "%s: allocation %llx was freed already; whoever used it again has kept "
                          "its handle too long",
                          pool->name, (unsigned long long)handle);
    }
    return rk_err_set(err, RK_NOT_FOUND, "%s: there is no allocation %llx; is it of another pool?",
                      pool->name, (unsigned long long)handle);
}

/*
 * The record of a handle whose word is or becomes LIVE with its generation; waits for a move.
 * RK_STALE, RK_NOT_FOUND.
 */
static rk_status look_up(rk_pool *pool, rk_pool_handle handle, uint32_t *out_index,
                         uint64_t *out_word, rk_err *err)
{
    uint32_t index = (uint32_t)handle - 1;
    if (index >= atomic_load_explicit(&pool->record_count, memory_order_acquire)) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "%s: there is no allocation %llx; is it of another pool?", pool->name,
                          (unsigned long long)handle);
    }
    rk_pool_record *record = rk_pool_record_at(pool, index);
    for (;;) {
        uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
        if (word == ((handle & ~(uint64_t)UINT32_MAX) | RK_POOL_LIVE)) {
            *out_index = index;
            *out_word = word;
            return RK_OK;
        }
        if (word != ((handle & ~(uint64_t)UINT32_MAX) | RK_POOL_MOVING)) {
            return refuse(pool, handle, word, err);
        }
        rk_mutex_lock(&pool->lock); /* held as long as something moves */
        rk_mutex_unlock(&pool->lock);
    }
}

static void give_back(rk_pool *pool, uint32_t index, rk_pool_record *record)
{
    bool clean = !record->dirty;
    if (!clean &&
        (record->class_index == RK_POOL_NO_CLASS || pool->options.scrub == RK_POOL_SCRUB_ALWAYS)) {
        clean = rk_pool_scrub_block(pool, record) == RK_OK;
    }
    if (record->class_index != RK_POOL_NO_CLASS) {
        shard_push(pool, index, record);
        return;
    }
    rk_mutex_lock(&pool->lock);
    pool->frees++;
    pool->requested -= rk_pool_get(&record->bytes);
    if (clean) {
        rk_pool_release(pool, index);
    } else {
        rk_pool_set_aside(pool, index);
    }
    rk_mutex_unlock(&pool->lock);
}

rk_status rk_pool_free(rk_pool *pool, rk_pool_handle handle, rk_err *err)
{
    uint32_t index;
    uint64_t word;
    rk_pool_record *record;
    do {
        rk_status status = look_up(pool, handle, &index, &word, err);
        if (status != RK_OK) {
            return status;
        }
        record = rk_pool_record_at(pool, index);
        /* Acquire pairs with the release in rk_pool_become: the record is ours as it was left. */
    } while (!atomic_compare_exchange_strong_explicit(
        &record->word, &word, rk_pool_word((uint32_t)(word >> 32) + 1, RK_POOL_BUSY),
        memory_order_acq_rel, memory_order_relaxed));
    if (record->seal != rk_pool_seal(pool, record)) {
        rk_pool_lose(pool, record);
        return rk_err_set(err, RK_CORRUPT,
                          "%s: the record of allocation %llx was overwritten by other code of this "
                          "process; its block is not used again",
                          pool->name, (unsigned long long)handle);
    }
    record->dirty = pool->options.scrub != RK_POOL_SCRUB_NEVER;
    give_back(pool, index, record);
    return RK_OK;
}

bool rk_pool_describe(rk_pool *pool, uint32_t index, uint64_t word,
                      rk_pool_allocation *out_allocation)
{
    rk_pool_record *record = rk_pool_record_at(pool, index);
    *out_allocation = (rk_pool_allocation){
        .handle = (word & ~(uint64_t)UINT32_MAX) | (index + 1),
        .offset = atomic_load_explicit(&record->offset, memory_order_acquire),
        .bytes = atomic_load_explicit(&record->bytes, memory_order_acquire),
        .block_bytes = atomic_load_explicit(&record->block_bytes, memory_order_acquire),
        .age = rk_pool_get(&pool->serial) -
               atomic_load_explicit(&record->serial, memory_order_acquire),
        .tenant = atomic_load_explicit(&record->tenant, memory_order_acquire),
        .tag = atomic_load_explicit(&record->tag, memory_order_acquire),
        .movable = atomic_load_explicit(&record->movable, memory_order_acquire),
    };
    return atomic_load_explicit(&record->word, memory_order_relaxed) == word;
}

rk_status rk_pool_query(rk_pool *pool, rk_pool_handle handle, rk_pool_allocation *out_allocation,
                        rk_err *err)
{
    uint32_t index;
    uint64_t word;
    rk_pool_allocation found;
    do {
        rk_status status = look_up(pool, handle, &index, &word, err);
        if (status != RK_OK) {
            return status;
        }
    } while (!rk_pool_describe(pool, index, word, &found));
    *out_allocation = found;
    return RK_OK;
}

rk_status rk_pool_set_movable(rk_pool *pool, rk_pool_handle handle, bool movable, rk_err *err)
{
    uint32_t index;
    uint64_t word;
    rk_status status = look_up(pool, handle, &index, &word, err);
    if (status == RK_OK) {
        rk_pool_record *record = rk_pool_record_at(pool, index);
        rk_mutex_lock(&pool->lock); /* not in the middle of a move */
        atomic_store_explicit(&record->movable, movable, memory_order_relaxed);
        rk_mutex_unlock(&pool->lock);
    }
    return status;
}
