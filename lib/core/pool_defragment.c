/*
 * pool_defragment.c: moves allocations together, so that free memory is in one piece. Rules in
 * pool.h.
 *
 * The highest movable allocation goes to the lowest free place that holds it, if that is lower than
 * where it is; then the next one. Each move makes the sum of all offsets smaller, so it ends.
 */
#include "core/pool.h"

#include <stdlib.h>

typedef struct mover {
    uint64_t offset;
    uint32_t index;
} mover;

static int highest_first(const void *a, const void *b)
{
    uint64_t x = ((const mover *)a)->offset;
    uint64_t y = ((const mover *)b)->offset;
    return x > y ? -1 : x < y;
}

/* What may move, highest first. The lock is held. */
static rk_status collect(rk_pool *pool, mover **out_movers, size_t *out_count)
{
    uint32_t records = atomic_load_explicit(&pool->record_count, memory_order_relaxed);
    mover *movers = malloc(RK_MAX(1u, rk_map_count(&pool->by_offset)) * sizeof *movers);
    if (movers == NULL) {
        return RK_NO_MEMORY;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < records; i++) {
        rk_pool_record *record = rk_pool_record_at(pool, i);
        uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
        if (rk_pool_state_of(word) == RK_POOL_LIVE &&
            atomic_load_explicit(&record->movable, memory_order_relaxed)) {
            movers[count++] = (mover){rk_pool_get(&record->offset), i};
        }
    }
    qsort(movers, count, sizeof movers[0], highest_first);
    *out_movers = movers;
    *out_count = count;
    return RK_OK;
}

/*
 * What a moved block leaves behind. `link` is a record for it in case that it cannot be zeroed now;
 * then it is set aside under this record.
 */
static void leave_behind(rk_pool *pool, uint32_t link, uint64_t offset, uint64_t block_bytes)
{
    rk_pool_record *record = rk_pool_record_at(pool, link - 1);
    atomic_store_explicit(&record->offset, offset, memory_order_relaxed);
    atomic_store_explicit(&record->block_bytes, block_bytes, memory_order_relaxed);
    record->class_index = RK_POOL_NO_CLASS;
    record->align_log2 = 0;
    record->dirty = pool->options.scrub != RK_POOL_SCRUB_NEVER;
    record->seal = rk_pool_seal(pool, record);
    rk_pool_become(record, RK_POOL_BUSY);
    if (record->dirty && rk_pool_scrub_block(pool, record) != RK_OK) {
        rk_pool_set_aside(pool, link - 1);
    } else {
        rk_pool_release(pool, link - 1);
    }
}

/*
 * Moves one allocation down if there is room; the record is MOVING. The old place keeps its entry
 * in by_offset until leave_behind gives it up.
 */
static rk_status move_record(rk_pool *pool, rk_pool_record *record, uint32_t index,
                             rk_pool_moves *moves, rk_err *err)
{
    uint64_t from = rk_pool_get(&record->offset);
    uint64_t block_bytes = rk_pool_get(&record->block_bytes);
    uint64_t units = block_bytes >> pool->granule_log2;
    uint64_t at;
    if (!rk_buddy_take_below(&pool->buddy, units, 1ull << record->align_log2,
                             from >> pool->granule_log2, &at)) {
        return RK_OK;
    }
    uint64_t to = at << pool->granule_log2;
    uint32_t rest = rk_pool_record_take(pool);
    rk_status status = rest == RK_POOL_NONE ? RK_NO_MEMORY : RK_OK;
    if (status == RK_OK) {
        status = rk_map_add(&pool->by_offset, to, (void *)(uintptr_t)(index + 1));
    }
    if (status != RK_OK) {
        rk_buddy_give(&pool->buddy, at, units);
        if (rest != RK_POOL_NONE) {
            rk_pool_record_drop(pool, rest - 1);
        }
        return rk_err_set(err, status, "%s: no memory for the records of a move", pool->name);
    }
    rk_pool_add(&pool->carved_bytes, block_bytes);
    status = pool->ops->move(pool->context, to, from, block_bytes);
    if (status != RK_OK) {
        /* The new place may hold a part of the contents. Replaces: cannot fail. */
        (void)rk_map_put(&pool->by_offset, to, (void *)(uintptr_t)rest);
        leave_behind(pool, rest, to, block_bytes);
        return rk_err_set(err, status, "%s: %llu B could not be moved from offset %llu: %s",
                          pool->name, (unsigned long long)block_bytes, (unsigned long long)from,
                          rk_status_text(status));
    }
    atomic_store_explicit(&record->offset, to, memory_order_relaxed);
    record->seal = rk_pool_seal(pool, record);
    (void)rk_map_put(&pool->by_offset, from, (void *)(uintptr_t)rest); /* replaces: cannot fail */
    leave_behind(pool, rest, from, block_bytes);
    pool->moves++;
    pool->moved_bytes += block_bytes;
    moves->count++;
    moves->bytes += block_bytes;
    return RK_OK;
}

/* One round over all that may move. */
static rk_status move_round(rk_pool *pool, rk_pool_moves *moves, rk_err *err)
{
    mover *movers;
    size_t count;
    rk_status status = collect(pool, &movers, &count);
    if (status != RK_OK) {
        return rk_err_set(err, status, "%s: no memory for the list of what can move", pool->name);
    }
    uint64_t limit = pool->options.defragment_moves;
    for (size_t i = 0; i < count && status == RK_OK && (limit == 0 || moves->count < limit); i++) {
        rk_pool_record *record = rk_pool_record_at(pool, movers[i].index);
        uint64_t word = atomic_load_explicit(&record->word, memory_order_relaxed);
        uint64_t moving = (word & ~(uint64_t)UINT32_MAX) | RK_POOL_MOVING;
        /* Freed meanwhile, or about to be: leave it. Acquire as in rk_pool_free. */
        if (rk_pool_state_of(word) != RK_POOL_LIVE ||
            !atomic_compare_exchange_strong_explicit(&record->word, &word, moving,
                                                     memory_order_acq_rel, memory_order_relaxed)) {
            continue;
        }
        if (record->seal == rk_pool_seal(pool, record)) {
            status = move_record(pool, record, movers[i].index, moves, err);
        }
        rk_pool_become(record, RK_POOL_LIVE);
    }
    free(movers);
    return status;
}

static bool is_worth_it(const rk_pool *pool)
{
    uint64_t largest = rk_buddy_largest(&pool->buddy);
    uint64_t percent = pool->options.defragment_percent;
    return pool->buddy.free != 0 &&
           (pool->buddy.free - largest) * 100 >= percent * pool->buddy.free;
}

rk_status rk_pool_defragment(rk_pool *pool, rk_pool_moves *out_moves, rk_err *err)
{
    rk_pool_moves moves = {.finished = false};
    rk_status status = RK_OK;
    uint64_t limit = pool->options.defragment_moves;
    rk_mutex_lock(&pool->lock);
    if (pool->ops->move == NULL) {
        status =
            rk_err_set(err, RK_UNSUPPORTED, "%s: nothing can move without ops.move", pool->name);
    } else {
        (void)rk_pool_reclaim(pool); /* what cannot be zeroed stays where it is */
    }
    if (status == RK_OK && !is_worth_it(pool)) {
        moves.finished = true;
    }
    while (status == RK_OK && !moves.finished && (limit == 0 || moves.count < limit)) {
        uint64_t before = moves.count;
        status = move_round(pool, &moves, err);
        moves.finished = status == RK_OK && moves.count == before;
    }
    rk_mutex_unlock(&pool->lock);
    if (out_moves != NULL) {
        *out_moves = moves;
    }
    return status;
}
