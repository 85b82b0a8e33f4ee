/*
 * pool.h: the inside of a memory pool (ringkernel/pool.h). Private to pool*.c.
 *
 * Every block that is not in the buddy allocator has a record. A record's word says its state, and
 * with it who may touch the rest:
 *
 *   UNUSED --carve--> BUSY --hand out--> LIVE --free--> BUSY --push--> CACHED --pop--> BUSY
 *                      |                 |  ^            |               |
 *                      |                 v  |            +--> back to the buddy: UNUSED
 *                      |               MOVING            |               |
 *                      +------- set aside: DIRTY <-------+---------------+        LOST
 *
 * Invariants
 *   1. LIVE becomes BUSY or MOVING by compare and swap only; whoever made it BUSY owns the record.
 *   2. CACHED records belong to the lock of their shard; UNUSED, DIRTY, MOVING and LOST ones to the
 *      pool's lock. Offset, size and class change under the pool's lock only.
 *   3. The generation rises when a block is freed, so old handles fail.
 *   4. Ranges of records and the buddy's free blocks cover the region exactly once.
 *   5. Free memory of the buddy is zero, unless the policy is NEVER.
 *   6. Order of locks: pool, shard. Of the owner's functions zero may be called under none or the
 *      pool's lock, move and grow under the pool's lock.
 */
#ifndef RK_CORE_POOL_H
#define RK_CORE_POOL_H

#include "base/map.h"
#include "base/spin.h"
#include "base/thread.h"
#include "core/buddy.h"
#include <ringkernel/pool.h>

#define RK_POOL_SHARD_MAX 16u
#define RK_POOL_CHUNKS 22u /* of records: 1024, 2048, 4096, ... */
#define RK_POOL_CHUNK_LOG2 10u
#define RK_POOL_NO_CLASS 255u
#define RK_POOL_NONE 0u /* links are index + 1 */

typedef enum rk_pool_state {
    RK_POOL_UNUSED,
    RK_POOL_BUSY,
    RK_POOL_LIVE,
    RK_POOL_MOVING,
    RK_POOL_CACHED,
    RK_POOL_DIRTY,
    RK_POOL_LOST,
} rk_pool_state;

/* What others than the owner read is atomic; it is valid if the word was the same before and after.
 */
typedef struct rk_pool_record {
    alignas(RK_CACHE_LINE) _Atomic uint64_t word; /* generation << 32 | state */
    _Atomic uint64_t offset;
    _Atomic uint64_t block_bytes;
    _Atomic uint64_t bytes; /* requested */
    _Atomic uint64_t serial;
    _Atomic(const char *) tag;
    _Atomic uint32_t tenant; /* of the allocation, or the last one */
    uint32_t next;           /* in the list that the state says */
    uint32_t seal;           /* of offset, size and class */
    uint8_t class_index;     /* RK_POOL_NO_CLASS: none */
    uint8_t align_log2;      /* that it keeps when it moves */
    bool dirty;              /* not zero; always false if the policy is NEVER */
    _Atomic bool movable;
} rk_pool_record;

/* One of several caches of a class, so that threads and tenants meet less often. */
typedef struct rk_pool_shard {
    alignas(RK_CACHE_LINE) rk_spin lock;
    _Atomic uint32_t head; /* written under the lock */
    uint64_t cached;
    uint64_t hits;
    uint64_t frees;
    uint64_t requested; /* of what was given out here, less what came back here; wraps */
} rk_pool_shard;

typedef struct rk_pool_class {
    uint64_t block_bytes;
    uint64_t blocks; /* that exist; pool's lock, as the rest */
    uint64_t misses;
    uint32_t align_bytes; /* at least, of every block */
} rk_pool_class;

struct rk_pool {
    /* Constant. */
    char name[RK_POOL_NAME_BYTES];
    rk_pool_options options; /* defaults filled in; name and block_bytes are not to be used */
    const rk_pool_ops *ops;
    void *context;
    uint32_t granule_log2;
    uint32_t class_count;
    uint32_t shard_count;      /* a power of two */
    uint32_t first_generation; /* differs from pool to pool */
    uint8_t class_from[64];    /* the first class that may hold 2^i .. 2^(i+1) - 1 bytes */
    rk_pool_shard *shards;     /* shard_count of class 0, of class 1, ... */
    _Atomic(rk_pool_record *) chunks[RK_POOL_CHUNKS];

    /* Any thread. */
    alignas(2 * RK_CACHE_LINE) _Atomic uint64_t serial; /* allocations so far */
    alignas(2 * RK_CACHE_LINE) _Atomic uint32_t record_count;
    _Atomic uint64_t failures;
    _Atomic uint64_t scrubs;
    _Atomic uint64_t scrub_failures;
    _Atomic uint64_t lost_bytes;
    _Atomic uint64_t carved_bytes; /* of all records; written under the lock */
    _Atomic uint64_t dirty_bytes;  /* the same of those set aside */

    /* Under the lock. */
    alignas(2 * RK_CACHE_LINE) rk_mutex lock;
    rk_buddy buddy;
    rk_map by_offset; /* offset -> index + 1, of all records in use */
    rk_pool_class classes[RK_POOL_CLASS_MAX];
    uint32_t unused_records;
    uint32_t dirty_records;
    uint64_t high_water_bytes; /* of carved_bytes */
    uint64_t misses;
    uint64_t frees;     /* of blocks without a class */
    uint64_t requested; /* the same as in a shard, of what was not counted there; wraps */
    uint64_t grows;
    uint64_t moves;
    uint64_t moved_bytes;
    uint64_t reclaims;
};

RK_INLINE rk_pool_record *rk_pool_record_at(rk_pool *pool, uint32_t index)
{
    uint64_t place = (uint64_t)index + (1u << RK_POOL_CHUNK_LOG2);
    unsigned log2 = rk_log2_u64(place);
    /* Acquire pairs with the release in records_grow. */
    return atomic_load_explicit(&pool->chunks[log2 - RK_POOL_CHUNK_LOG2], memory_order_acquire) +
           (place - (1ull << log2));
}

RK_INLINE uint64_t rk_pool_word(uint32_t generation, rk_pool_state state)
{
    return (uint64_t)generation << 32 | (uint32_t)state;
}

RK_INLINE rk_pool_state rk_pool_state_of(uint64_t word)
{
    return (rk_pool_state)(uint32_t)word;
}

RK_INLINE uint64_t rk_pool_get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

RK_INLINE bool rk_pool_is_power(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Changes a figure that only the holder of the lock changes; wraps. */
RK_INLINE void rk_pool_add(_Atomic uint64_t *value, uint64_t more)
{
    atomic_store_explicit(value, rk_pool_get(value) + more, memory_order_relaxed);
}

/* Detects stray writes into records: a mix of what must not change behind the pool's back. */
RK_INLINE uint32_t rk_pool_seal(const rk_pool *pool, const rk_pool_record *record)
{
    uint64_t z = rk_pool_get(&record->offset) + pool->first_generation;
    z = (z ^ (uint64_t)record->class_index << 56) * 0x9e3779b97f4a7c15u;
    z = (z ^ rk_pool_get(&record->block_bytes)) * 0xd1342543de82ef95u;
    return (uint32_t)(z >> 32);
}

/* Changes the state of a record that the caller owns. */
RK_INLINE void rk_pool_become(rk_pool_record *record, rk_pool_state state)
{
    uint64_t word = atomic_load_explicit(&record->word, memory_order_relaxed);
    atomic_store_explicit(&record->word, (word & ~(uint64_t)UINT32_MAX) | (uint32_t)state,
                          memory_order_release);
}

/* pool_blocks.c */
/*
 * A block from the buddy allocator: class_index, or of its own size. The record is BUSY and the
 * caller's. RK_FULL, RK_LIMIT, RK_NO_MEMORY.
 */
rk_status rk_pool_carve(rk_pool *pool, uint32_t class_index, const rk_pool_request *request,
                        uint32_t alignment, uint32_t *out_index, rk_err *err);
/* Zeroes the block of a record that is the caller's, and notes it. */
rk_status rk_pool_scrub_block(rk_pool *pool, rk_pool_record *record);
/* Keeps a block whose record is the caller's until it can be zeroed. The pool's lock is held. */
void rk_pool_set_aside(rk_pool *pool, uint32_t index);
/* The block of a record that is the caller's goes back to the buddy. The pool's lock is held. */
void rk_pool_release(rk_pool *pool, uint32_t index);
/* Empties the caches, and zeroes what is set aside as long as that works. The lock is held. */
rk_status rk_pool_reclaim(rk_pool *pool);
/* A record for a block; RK_POOL_NONE: no memory. The pool's lock is held. */
uint32_t rk_pool_record_take(rk_pool *pool);
/* The record has no block any more. The pool's lock is held. */
void rk_pool_record_drop(rk_pool *pool, uint32_t index);
/* Notes that a record was overwritten; its block is not used again. The caller owns it. */
void rk_pool_lose(rk_pool *pool, rk_pool_record *record);

/* pool.c */
/* Describes the allocation of a record whose word was `word`, LIVE; false: it changed meanwhile. */
bool rk_pool_describe(rk_pool *pool, uint32_t index, uint64_t word,
                      rk_pool_allocation *out_allocation);

#endif
