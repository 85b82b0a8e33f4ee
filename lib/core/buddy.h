/*
 * buddy.h: a buddy allocator of numbers: ranges of units out of [0, size).
 *
 * Free blocks are powers of two at multiples of their size. They are bits of one map per order; a
 * map has summaries, a bit for 64 bits below, so the lowest free block of an order is found with
 * one look per level. Requests need not be powers of two: what lies behind the last unit is given
 * back. The lowest block of the smallest order that fits is taken, so the state depends only on the
 * calls.
 *
 * Source: Knuth, The Art of Computer Programming, volume 1, section 2.5, algorithms R and S.
 *
 * Not thread-safe.
 */
#ifndef RK_CORE_BUDDY_H
#define RK_CORE_BUDDY_H

#include <ringkernel/status.h>

#define RK_BUDDY_UNITS_MAX ((uint64_t)1 << 30)
#define RK_BUDDY_ORDERS 31u
#define RK_BUDDY_LEVELS 6u

typedef struct rk_buddy_map {
    uint64_t *level[RK_BUDDY_LEVELS]; /* level 0: one bit per block */
    uint32_t levels;
} rk_buddy_map;

typedef struct rk_buddy {
    uint64_t *words; /* of all maps */
    rk_buddy_map order[RK_BUDDY_ORDERS];
    uint32_t order_count;
    uint32_t filled; /* bit k: order k has a free block */
    uint64_t size;   /* units that exist */
    uint64_t limit;  /* size can become this */
    uint64_t free;   /* units */
} rk_buddy;

/* Of size 0. limit is at most RK_BUDDY_UNITS_MAX. Two bits per unit of limit. RK_NO_MEMORY. */
rk_status rk_buddy_init(rk_buddy *buddy, uint64_t limit);
void rk_buddy_finish(rk_buddy *buddy);

/* Units [size, new_size) appear and are free; new_size is at most limit. */
void rk_buddy_extend(rk_buddy *buddy, uint64_t new_size);

/*
 * Takes `units` (at least 1) at a multiple of align (a power of two) and of the power of two that
 * holds them. False: no such block is free.
 */
bool rk_buddy_take(rk_buddy *buddy, uint64_t units, uint64_t align, uint64_t *out_at);
/* The same at the lowest place of all, and only below `below`. */
bool rk_buddy_take_below(rk_buddy *buddy, uint64_t units, uint64_t align, uint64_t below,
                         uint64_t *out_at);
/* Gives a range back that was taken; in parts, if one likes. */
void rk_buddy_give(rk_buddy *buddy, uint64_t at, uint64_t units);

/* Units of the largest free block. */
uint64_t rk_buddy_largest(const rk_buddy *buddy);

/* The next free block at or behind *cursor (start with 0), in ascending order. */
bool rk_buddy_next_free(const rk_buddy *buddy, uint64_t *cursor, uint64_t *out_at,
                        uint64_t *out_units);

/* The order of the smallest power of two that holds `units`, at least 1. */
uint32_t rk_buddy_order_of(uint64_t units);

#endif
