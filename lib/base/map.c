/*
 * map.c: hash maps from a 64-bit number, or from a string, to a pointer.
 *
 * One table serves both. Invariants:
 *   1. An entry stands at its home slot or behind it, with no free slot between (linear probing).
 *   2. At most 3/4 of the slots are taken, so every probe ends at a free one.
 *   3. In a string map `key` is the string's SipHash and `name` the string.
 */
#include "base/map.h"

#include "base/compiler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAPACITY 16
#define MOST_CAPACITY (SIZE_MAX / 2 / sizeof(rk_map_entry))

RK_INLINE uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

RK_INLINE void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

uint64_t rk_siphash13(const uint64_t key[2], const void *data, size_t length)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    const uint8_t *at = data;
    for (size_t left = length; left >= 8; left -= 8, at += 8) {
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--) {
            word = word << 8 | at[i];
        }
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)length << 56;
    for (size_t i = 0; i < length % 8; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* MurmurHash3's 64-bit finaliser: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
    return value ^ value >> 33;
}

/* Keyed twice, so that differences of keys that would collide without the seed do not with it. */
static size_t home_of(const rk_map *map, uint64_t key)
{
    return (size_t)mix(mix(key ^ map->seed[0]) + map->seed[1]) & (map->capacity - 1);
}

void rk_map_init(rk_map *map, size_t limit_count)
{
    *map = (rk_map){.limit_count = limit_count};
    /* Without randomness (an old kernel, early boot) addresses still differ between runs. */
    if (getrandom(map->seed, sizeof map->seed, GRND_NONBLOCK) != (ssize_t)sizeof map->seed) {
        map->seed[0] = mix((uintptr_t)map);
        map->seed[1] = mix((uintptr_t)&map->seed + 1);
    }
}

void rk_map_finish(rk_map *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        free(map->entries[i].name);
    }
    free(map->entries);
    map->entries = NULL;
    map->capacity = 0;
    map->count = 0;
}

size_t rk_map_count(const rk_map *map)
{
    return map->count;
}

/* The entry of the key, or the free slot where it belongs; NULL if the map has no slots yet. */
static rk_map_entry *find(const rk_map *map, uint64_t key, const char *name)
{
    if (map->capacity == 0) {
        return NULL;
    }
    size_t slot = home_of(map, key);
    for (;;) {
        rk_map_entry *entry = &map->entries[slot];
        if (entry->value == NULL) {
            return entry;
        }
        if (entry->key == key && (name == NULL || strcmp(entry->name, name) == 0)) {
            return entry;
        }
        slot = (slot + 1) & (map->capacity - 1);
    }
}

static rk_status grow(rk_map *map)
{
    size_t capacity = map->capacity == 0 ? FIRST_CAPACITY : map->capacity * 2;
    rk_map_entry *entries = capacity > MOST_CAPACITY ? NULL : calloc(capacity, sizeof *entries);
    if (entries == NULL) {
        return RK_NO_MEMORY;
    }
    rk_map old = *map;
    map->entries = entries;
    map->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].value != NULL) {
            *find(map, old.entries[i].key, old.entries[i].name) = old.entries[i];
        }
    }
    free(old.entries);
    return RK_OK;
}

static rk_status insert(rk_map *map, uint64_t key, const char *name, void *value, bool may_replace)
{
    assert(value != NULL);
    rk_map_entry *entry = find(map, key, name);
    if (entry != NULL && entry->value != NULL) {
        if (!may_replace) {
            return RK_EXISTS;
        }
        entry->value = value;
        return RK_OK;
    }
    if (map->count >= map->limit_count) {
        return RK_LIMIT;
    }
    char *copy = NULL;
    if (name != NULL && (copy = strdup(name)) == NULL) {
        return RK_NO_MEMORY;
    }
    if (map->count + 1 > map->capacity / 4 * 3) {
        rk_status status = grow(map);
        if (status != RK_OK) {
            free(copy);
            return status;
        }
        entry = find(map, key, name);
    }
    *entry = (rk_map_entry){key, copy, value};
    map->count++;
    return RK_OK;
}

static void *erase(rk_map *map, uint64_t key, const char *name)
{
    rk_map_entry *entry = find(map, key, name);
    if (entry == NULL || entry->value == NULL) {
        return NULL;
    }
    void *value = entry->value;
    free(entry->name);
    /* Move back whatever probed past the slot that becomes free (invariant 1). */
    size_t mask = map->capacity - 1;
    size_t hole = (size_t)(entry - map->entries);
    size_t slot = hole;
    for (;;) {
        slot = (slot + 1) & mask;
        rk_map_entry *moved = &map->entries[slot];
        if (moved->value == NULL) {
            break;
        }
        size_t from_home = (slot - home_of(map, moved->key)) & mask;
        size_t from_hole = (slot - hole) & mask;
        if (from_home >= from_hole) {
            map->entries[hole] = *moved;
            hole = slot;
        }
    }
    map->entries[hole] = (rk_map_entry){0};
    map->count--;
    return value;
}

/* The next taken entry at or after *cursor, which moves behind it; NULL at the end. */
static const rk_map_entry *step(const rk_map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        const rk_map_entry *entry = &map->entries[(*cursor)++];
        if (entry->value != NULL) {
            return entry;
        }
    }
    return NULL;
}

void *rk_map_get(const rk_map *map, uint64_t key)
{
    const rk_map_entry *entry = find(map, key, NULL);
    return entry == NULL ? NULL : entry->value;
}

rk_status rk_map_put(rk_map *map, uint64_t key, void *value)
{
    return insert(map, key, NULL, value, true);
}

rk_status rk_map_add(rk_map *map, uint64_t key, void *value)
{
    return insert(map, key, NULL, value, false);
}

void *rk_map_remove(rk_map *map, uint64_t key)
{
    return erase(map, key, NULL);
}

bool rk_map_next(const rk_map *map, size_t *cursor, uint64_t *out_key, void **out_value)
{
    const rk_map_entry *entry = step(map, cursor);
    if (entry == NULL) {
        return false;
    }
    if (out_key != NULL) {
        *out_key = entry->key;
    }
    if (out_value != NULL) {
        *out_value = entry->value;
    }
    return true;
}

static uint64_t hash_of(const rk_smap *map, const char *key)
{
    return rk_siphash13(map->table.seed, key, strlen(key));
}

void rk_smap_init(rk_smap *map, size_t limit_count)
{
    rk_map_init(&map->table, limit_count);
}

void rk_smap_finish(rk_smap *map)
{
    rk_map_finish(&map->table);
}

size_t rk_smap_count(const rk_smap *map)
{
    return map->table.count;
}

void *rk_smap_get(const rk_smap *map, const char *key)
{
    const rk_map_entry *entry = find(&map->table, hash_of(map, key), key);
    return entry == NULL ? NULL : entry->value;
}

rk_status rk_smap_put(rk_smap *map, const char *key, void *value)
{
    return insert(&map->table, hash_of(map, key), key, value, true);
}

rk_status rk_smap_add(rk_smap *map, const char *key, void *value)
{
    return insert(&map->table, hash_of(map, key), key, value, false);
}

void *rk_smap_remove(rk_smap *map, const char *key)
{
    return erase(&map->table, hash_of(map, key), key);
}

bool rk_smap_next(const rk_smap *map, size_t *cursor, const char **out_key, void **out_value)
{
    const rk_map_entry *entry = step(&map->table, cursor);
    if (entry == NULL) {
        return false;
    }
    if (out_key != NULL) {
        *out_key = entry->name;
    }
    if (out_value != NULL) {
        *out_value = entry->value;
    }
    return true;
}
