/*
 * buddy.c: the buddy allocator. Rules in buddy.h.
 *
 * Invariants
 *   1. A unit below size is either taken or in exactly one free block.
 *   2. No two free blocks of one order are buddies: they would be one block of the next order.
 *   3. A bit of a summary is set if and only if the word below it is not 0.
 */
#include "core/buddy.h"

#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

/* ---- Maps ---------------------------------------------------------------------------------- */

static uint64_t words_of(uint64_t bits)
{
    return (bits + 63) / 64;
}

static void bit_set(rk_buddy *buddy, uint32_t order, uint64_t bit)
{
    rk_buddy_map *map = &buddy->order[order];
    for (uint32_t level = 0; level < map->levels; level++) {
        uint64_t *word = &map->level[level][bit / 64];
        uint64_t before = *word;
        *word = before | 1ull << (bit % 64);
        if (before != 0) {
            break;
        }
        bit /= 64;
    }
    buddy->filled |= 1u << order;
}

static void bit_clear(rk_buddy *buddy, uint32_t order, uint64_t bit)
{
    rk_buddy_map *map = &buddy->order[order];
    for (uint32_t level = 0; level < map->levels; level++) {
        uint64_t *word = &map->level[level][bit / 64];
        *word &= ~(1ull << (bit % 64));
        if (*word != 0) {
            return;
        }
        bit /= 64;
    }
    buddy->filled &= ~(1u << order);
}

static bool bit_is_set(const rk_buddy *buddy, uint32_t order, uint64_t bit)
{
    return (buddy->order[order].level[0][bit / 64] >> (bit % 64) & 1) != 0;
}

/* The first bit that is set at or behind `from`; false: there is none. */
static bool bit_next(const rk_buddy_map *map, uint64_t from, uint64_t *out_bit)
{
    uint32_t level = 0;
    uint64_t bit = from;
    for (;; level++) { /* up, until a word has a bit behind this place */
        if (level == map->levels) {
            return false;
        }
        uint64_t word = level + 1 == map->levels && bit >= 64 ? 0 : map->level[level][bit / 64];
        word &= ~0ull << (bit % 64);
        if (word != 0) {
            bit = bit / 64 * 64 + rk_ctz_u64(word);
            break;
        }
        bit = bit / 64 + 1;
    }
    while (level-- > 0) { /* and down to the first one below it */
        bit = bit * 64 + rk_ctz_u64(map->level[level][bit]);
    }
    *out_bit = bit;
    return true;
}

/* The first bit of a map that has one. */
static uint64_t bit_first(const rk_buddy_map *map)
{
    uint64_t bit = 0;
    for (uint32_t level = map->levels; level-- > 0;) {
        bit = bit * 64 + rk_ctz_u64(map->level[level][bit]);
    }
    return bit;
}

/* ---- Life ---------------------------------------------------------------------------------- */

uint32_t rk_buddy_order_of(uint64_t units)
{
    return units <= 1 ? 0 : rk_log2_u64(units - 1) + 1;
}

/* Words of the map of an order; sets its levels if `words` is not NULL. A spare word follows each
 * level, so that a look just behind the last bit stays inside. */
static uint64_t map_words(uint64_t bits, rk_buddy_map *map, uint64_t *words)
{
    uint64_t total = 0;
    uint32_t level = 0;
    do {
        uint64_t count = words_of(bits);
        if (words != NULL) {
            map->level[level] = words + total;
            map->levels = level + 1;
        }
        total += count + 1;
        bits = count;
        level++;
    } while (bits > 1);
    return total;
}

rk_status rk_buddy_init(rk_buddy *buddy, uint64_t limit)
{
    memset(buddy, 0, sizeof *buddy);
    buddy->limit = limit;
    buddy->order_count = limit <= 1 ? 1 : rk_log2_u64(limit) + 1;
    uint64_t total = 0;
    for (uint32_t k = 0; k < buddy->order_count; k++) {
        total += map_words(RK_MAX(1u, limit >> k), NULL, NULL);
    }
    buddy->words = calloc(total, sizeof buddy->words[0]);
    if (buddy->words == NULL) {
        return RK_NO_MEMORY;
    }
    uint64_t at = 0;
    for (uint32_t k = 0; k < buddy->order_count; k++) {
        at += map_words(RK_MAX(1u, limit >> k), &buddy->order[k], buddy->words + at);
    }
    return RK_OK;
}

void rk_buddy_finish(rk_buddy *buddy)
{
    free(buddy->words);
    memset(buddy, 0, sizeof *buddy);
}

/* ---- Free blocks --------------------------------------------------------------------------- */

/* Adds one block, and makes it one with its buddy as long as that is free. */
static void block_free(rk_buddy *buddy, uint32_t order, uint64_t index)
{
    while (order + 1 < buddy->order_count && (index ^ 1) < (buddy->limit >> order) &&
           bit_is_set(buddy, order, index ^ 1)) {
        bit_clear(buddy, order, index ^ 1);
        index /= 2;
        order++;
    }
    bit_set(buddy, order, index);
}

static void range_free(rk_buddy *buddy, uint64_t at, uint64_t units)
{
    while (units > 0) {
        uint32_t order = rk_log2_u64(units);
        if (at != 0) {
            order = RK_MIN(order, rk_ctz_u64(at));
        }
        block_free(buddy, order, at >> order);
        at += 1ull << order;
        units -= 1ull << order;
    }
}

void rk_buddy_extend(rk_buddy *buddy, uint64_t new_size)
{
    uint64_t old_size = buddy->size;
    buddy->size = new_size;
    buddy->free += new_size - old_size;
    range_free(buddy, old_size, new_size - old_size);
}

void rk_buddy_give(rk_buddy *buddy, uint64_t at, uint64_t units)
{
    buddy->free += units;
    range_free(buddy, at, units);
}

/* The order a request needs; beyond all orders if it can never fit. */
static uint32_t order_needed(uint64_t units, uint64_t align)
{
    uint32_t by_size = rk_buddy_order_of(units);
    uint32_t by_align = rk_log2_u64(align);
    return RK_MAX(by_size, by_align);
}

/* Takes the first `units` of the free block `index` of order `from`, cut down to order `order`. */
static uint64_t block_cut(rk_buddy *buddy, uint32_t from, uint64_t index, uint32_t order,
                          uint64_t units)
{
    bit_clear(buddy, from, index);
    for (uint32_t k = from; k > order; k--) {
        index *= 2;
        bit_set(buddy, k - 1, index + 1);
    }
    uint64_t at = index << order;
    range_free(buddy, at + units, (1ull << order) - units);
    buddy->free -= units;
    return at;
}

bool rk_buddy_take(rk_buddy *buddy, uint64_t units, uint64_t align, uint64_t *out_at)
{
    uint32_t order = order_needed(units, align);
    if (order >= buddy->order_count || buddy->filled >> order == 0) {
        return false;
    }
    uint32_t from = order + rk_ctz_u64(buddy->filled >> order);
    *out_at = block_cut(buddy, from, bit_first(&buddy->order[from]), order, units);
    return true;
}

bool rk_buddy_take_below(rk_buddy *buddy, uint64_t units, uint64_t align, uint64_t below,
                         uint64_t *out_at)
{
    uint32_t order = order_needed(units, align);
    uint32_t best = buddy->order_count;
    uint64_t lowest = below;
    uint64_t index = 0;
    for (uint32_t k = order; k < buddy->order_count; k++) {
        if ((buddy->filled >> k & 1) != 0) {
            uint64_t first = bit_first(&buddy->order[k]);
            if (first << k < lowest) {
                lowest = first << k;
                index = first;
                best = k;
            }
        }
    }
    if (best == buddy->order_count) {
        return false;
    }
    *out_at = block_cut(buddy, best, index, order, units);
    return true;
}

uint64_t rk_buddy_largest(const rk_buddy *buddy)
{
    return buddy->filled == 0 ? 0 : 1ull << rk_log2_u64(buddy->filled);
}

bool rk_buddy_next_free(const rk_buddy *buddy, uint64_t *cursor, uint64_t *out_at,
                        uint64_t *out_units)
{
    uint64_t lowest = UINT64_MAX;
    for (uint32_t k = 0; k < buddy->order_count; k++) {
        uint64_t bit;
        uint64_t from = (*cursor + (1ull << k) - 1) >> k;
        if ((buddy->filled >> k & 1) != 0 && from < RK_MAX(1u, buddy->limit >> k) &&
            bit_next(&buddy->order[k], from, &bit) && bit << k < lowest) {
            lowest = bit << k;
            *out_units = 1ull << k;
        }
    }
    if (lowest == UINT64_MAX) {
        return false;
    }
    *out_at = lowest;
    *cursor = lowest + *out_units;
    return true;
}
