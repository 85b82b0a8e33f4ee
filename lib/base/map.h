/*
 * map.h: hash maps from a 64-bit number, or from a string, to a pointer.
 *
 * Open addressing with linear probing; removing moves entries back, so there are no tombstones and
 * a map that shrinks stays fast. The hash is seeded per map from the system's randomness: outsiders
 * who choose keys cannot make them collide. The order of iteration is unspecified.
 *
 * Values are borrowed and never NULL: NULL means "not there". Readers may share a map; a writer
 * needs it alone.
 */
#ifndef RK_BASE_MAP_H
#define RK_BASE_MAP_H

#include <ringkernel/status.h>

/* One slot; free if value is NULL. Internal to map.c. */
typedef struct rk_map_entry {
    uint64_t key; /* the number, or the string's hash */
    char *name;   /* the string, owned; NULL in rk_map */
    void *value;
} rk_map_entry;

typedef struct rk_map {
    rk_map_entry *entries; /* NULL until the first put */
    size_t capacity;       /* slots: 0 or a power of two */
    size_t count;
    size_t limit_count;
    uint64_t seed[2];
} rk_map;

/* Allocates nothing. More than limit_count entries are refused; SIZE_MAX for no limit but memory.
 */
void rk_map_init(rk_map *map, size_t limit_count);
/* Frees the table, not the values. The map is empty and usable afterwards. */
void rk_map_finish(rk_map *map);
size_t rk_map_count(const rk_map *map);

/* The value, or NULL if the key is not there. */
void *rk_map_get(const rk_map *map, uint64_t key);
/* Adds the key or replaces its value. RK_LIMIT, RK_NO_MEMORY: nothing has changed. */
rk_status rk_map_put(rk_map *map, uint64_t key, void *value);
/* As put, but RK_EXISTS if the key is there. */
rk_status rk_map_add(rk_map *map, uint64_t key, void *value);
/* The value removed, or NULL if the key was not there. */
void *rk_map_remove(rk_map *map, uint64_t key);

/*
 * Walks over all entries: start with *cursor = 0; false at the end. The map must not change
 * meanwhile. The outputs may be NULL.
 */
bool rk_map_next(const rk_map *map, size_t *cursor, uint64_t *out_key, void **out_value);

/* A map with string keys, which it copies. The functions mean the same as those above. */
typedef struct rk_smap {
    rk_map table;
} rk_smap;

void rk_smap_init(rk_smap *map, size_t limit_count);
void rk_smap_finish(rk_smap *map);
size_t rk_smap_count(const rk_smap *map);
void *rk_smap_get(const rk_smap *map, const char *key);
rk_status rk_smap_put(rk_smap *map, const char *key, void *value);
rk_status rk_smap_add(rk_smap *map, const char *key, void *value);
void *rk_smap_remove(rk_smap *map, const char *key);
/* The key is borrowed until it is removed. */
bool rk_smap_next(const rk_smap *map, size_t *cursor, const char **out_key, void **out_value);

/* SipHash-1-3 of length bytes under a 128-bit key (Aumasson and Bernstein, "SipHash"). */
uint64_t rk_siphash13(const uint64_t key[2], const void *data, size_t length);

#endif
