/*
 * pool_create.c: checks the options of a memory pool, creates and destroys it. Rules in pool.h.
 */
#include "core/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_GRANULE_BYTES 64u
#define DEFAULT_ALIGN_BYTES 64u
#define MIN_GRANULE_BYTES 16u
#define MAX_GRANULE_BYTES 65536u

static const uint64_t default_blocks[] = {64,   128,  256,   512,   1024, 2048,
                                          4096, 8192, 16384, 32768, 65536};

static rk_status check_growth(const rk_pool *pool, rk_pool_options *o, rk_err *err)
{
    if (o->growth != RK_POOL_FIXED && o->growth != RK_POOL_STEP && o->growth != RK_POOL_DOUBLE) {
        return rk_err_set(err, RK_INVALID, "%s: there is no growth policy %d", pool->name,
                          (int)o->growth);
    }
    if (o->growth == RK_POOL_FIXED) {
        o->max_bytes = o->bytes;
    }
    if (o->growth == RK_POOL_STEP && o->step_bytes < o->granule_bytes) {
        return rk_err_set(err, RK_INVALID,
                          "%s: growth by steps needs a step_bytes of at least one granule of %u B",
                          pool->name, o->granule_bytes);
    }
    if (o->max_bytes < o->bytes) {
        return rk_err_set(err, RK_INVALID,
                          "%s: a pool that grows needs a max_bytes that is not below its size of "
                          "%llu B",
                          pool->name, (unsigned long long)o->bytes);
    }
    if (o->max_bytes / o->granule_bytes > RK_BUDDY_UNITS_MAX) {
        return rk_err_set(err, RK_LIMIT,
                          "%s: %llu B are more than 2^30 granules of %u B; choose larger granules",
                          pool->name, (unsigned long long)o->max_bytes, o->granule_bytes);
    }
    return RK_OK;
}

static rk_status take_options(rk_pool *pool, const rk_pool_options *given, const rk_pool_ops *ops,
                              rk_err *err)
{
    rk_pool_options *o = &pool->options;
    *o = *given;
    (void)snprintf(pool->name, sizeof pool->name, "%s", given->name != NULL ? given->name : "pool");
    o->name = NULL;
    o->granule_bytes = o->granule_bytes != 0 ? o->granule_bytes : DEFAULT_GRANULE_BYTES;
    o->alignment = o->alignment != 0 ? o->alignment : DEFAULT_ALIGN_BYTES;
    if (!rk_pool_is_power(o->granule_bytes) || o->granule_bytes < MIN_GRANULE_BYTES ||
        o->granule_bytes > MAX_GRANULE_BYTES) {
        return rk_err_set(err, RK_INVALID,
                          "%s: granules cannot have %u B; choose a power of two from %u to %u",
                          pool->name, o->granule_bytes, MIN_GRANULE_BYTES, MAX_GRANULE_BYTES);
    }
    if (!rk_pool_is_power(o->alignment) || o->alignment > RK_POOL_ALIGN_MAX) {
        return rk_err_set(err, RK_INVALID,
                          "%s: the alignment cannot be %u B; choose a power of two up to %u",
                          pool->name, o->alignment, RK_POOL_ALIGN_MAX);
    }
    if (o->scrub != RK_POOL_SCRUB_NEVER && o->scrub != RK_POOL_SCRUB_TENANT &&
        o->scrub != RK_POOL_SCRUB_ALWAYS) {
        return rk_err_set(err, RK_INVALID, "%s: there is no scrub policy %d", pool->name,
                          (int)o->scrub);
    }
    if (o->scrub != RK_POOL_SCRUB_NEVER && ops->zero == NULL) {
        return rk_err_set(err, RK_INVALID,
                          "%s: memory cannot be scrubbed without ops.zero; give one, or "
                          "RK_POOL_SCRUB_NEVER",
                          pool->name);
    }
    pool->granule_log2 = rk_ctz_u64(o->granule_bytes);
    o->bytes &= ~((uint64_t)o->granule_bytes - 1);
    o->max_bytes &= ~((uint64_t)o->granule_bytes - 1);
    if (o->bytes == 0) {
        return rk_err_set(err, RK_INVALID, "%s: %llu B are less than a granule of %u B", pool->name,
                          (unsigned long long)given->bytes, o->granule_bytes);
    }
    return check_growth(pool, o, err);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static rk_status take_classes(rk_pool *pool, const rk_pool_options *given, rk_err *err)
{
    bool standard = given->block_bytes == NULL || given->block_count == 0;
    const uint64_t *sizes = standard ? default_blocks : given->block_bytes;
    uint32_t count = standard ? (uint32_t)RK_COUNT_OF(default_blocks) : given->block_count;
    uint64_t granule = pool->options.granule_bytes;
    if (count > RK_POOL_CLASS_MAX) {
        return rk_err_set(err, RK_LIMIT, "%s: %u block sizes are too many, the limit is %u",
                          pool->name, count, RK_POOL_CLASS_MAX);
    }
    uint64_t sorted[RK_POOL_CLASS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i] == 0 || sizes[i] > pool->options.max_bytes) {
            if (standard) {
                sorted[i] = 0; /* of the default those that fit */
                continue;
            }
            return rk_err_set(err, RK_INVALID,
                              "%s: blocks of %llu B are not possible in a pool of %llu B",
                              pool->name, (unsigned long long)sizes[i],
                              (unsigned long long)pool->options.max_bytes);
        }
        sorted[i] = (sizes[i] + granule - 1) & ~(granule - 1);
    }
    qsort(sorted, count, sizeof sorted[0], by_size);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = sorted[i];
        if (bytes == 0 ||
            (pool->class_count > 0 && bytes == pool->classes[pool->class_count - 1].block_bytes)) {
            continue; /* two sizes that are the same in granules are one class */
        }
        uint64_t align = granule << rk_buddy_order_of(bytes >> pool->granule_log2);
        pool->classes[pool->class_count++] = (rk_pool_class){
            .block_bytes = bytes,
            .align_bytes = (uint32_t)RK_MIN(align, (uint64_t)RK_POOL_ALIGN_MAX),
        };
    }
    uint32_t class_index = 0;
    for (uint32_t log2 = 0; log2 < 64; log2++) {
        while (class_index < pool->class_count &&
               pool->classes[class_index].block_bytes < 1ull << log2) {
            class_index++;
        }
        pool->class_from[log2] = (uint8_t)class_index;
    }
    return RK_OK;
}

static rk_status make_parts(rk_pool *pool)
{
    uint32_t shards = 2;
    while (shards < 2 * rk_thread_cpu_count() && shards < RK_POOL_SHARD_MAX) {
        shards *= 2;
    }
    pool->shard_count = shards;
    size_t count = (size_t)shards * RK_MAX(1u, pool->class_count);
    pool->shards = aligned_alloc(RK_CACHE_LINE, count * sizeof pool->shards[0]);
    if (pool->shards == NULL) {
        return RK_NO_MEMORY;
    }
    memset(pool->shards, 0, count * sizeof pool->shards[0]);
    return rk_buddy_init(&pool->buddy, pool->options.max_bytes >> pool->granule_log2);
}

rk_status rk_pool_create(const rk_pool_options *options, const rk_pool_ops *ops, void *context,
                         rk_pool **out_pool, rk_err *err)
{
    rk_pool *pool = aligned_alloc(2 * RK_CACHE_LINE, sizeof *pool);
    if (pool == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a pool");
    }
    memset(pool, 0, sizeof *pool);
    rk_mutex_init(&pool->lock);
    rk_map_init(&pool->by_offset, SIZE_MAX);
    pool->ops = ops;
    pool->context = context;
    /* Handles of one pool are then not handles of another. */
    pool->first_generation = (uint32_t)(((uint64_t)(uintptr_t)pool * 0x9e3779b97f4a7c15u) >> 32);
    rk_status status = take_options(pool, options, ops, err);
    if (status == RK_OK) {
        status = take_classes(pool, options, err);
    }
    if (status == RK_OK) {
        status = make_parts(pool);
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "%s: no memory for the records of %llu B", pool->name,
                             (unsigned long long)pool->options.max_bytes);
        }
    }
    if (status != RK_OK) {
        rk_pool_destroy(pool);
        return status;
    }
    pool->options.block_bytes = NULL;
    rk_buddy_extend(&pool->buddy, pool->options.bytes >> pool->granule_log2);
    *out_pool = pool;
    return RK_OK;
}

void rk_pool_destroy(rk_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (uint32_t i = 0; i < RK_POOL_CHUNKS; i++) {
        free(atomic_load_explicit(&pool->chunks[i], memory_order_relaxed));
    }
    rk_map_finish(&pool->by_offset);
    rk_buddy_finish(&pool->buddy);
    free(pool->shards);
    rk_mutex_finish(&pool->lock);
    free(pool);
}
