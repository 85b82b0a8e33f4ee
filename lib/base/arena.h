/*
 * arena.h: memory that is allocated piece by piece and freed all at once.
 *
 * Pieces come from chunks; a piece never moves and is never freed alone. One thread at a time.
 */
#ifndef RK_BASE_ARENA_H
#define RK_BASE_ARENA_H

#include <ringkernel/status.h>

struct rk_arena_chunk;

typedef struct rk_arena {
    struct rk_arena_chunk *chunks; /* newest first */
    size_t chunk_bytes;            /* the size of a usual chunk */
    size_t limit_bytes;            /* all chunks together stay below this */
    size_t reserved_bytes;         /* all chunks together, headers included */
} rk_arena;

/* A place to come back to with rk_arena_rewind. */
typedef struct rk_arena_mark {
    struct rk_arena_chunk *chunk;
    size_t used_bytes;
} rk_arena_mark;

/* Allocates nothing. chunk_bytes 0 means 64 KiB; limit_bytes SIZE_MAX means no limit but memory. */
void rk_arena_init(rk_arena *arena, size_t chunk_bytes, size_t limit_bytes);

/* Frees everything; the arena is empty and usable afterwards. */
void rk_arena_finish(rk_arena *arena);

/*
 * size bytes, uninitialised, at a multiple of align (a power of two, at most 4096; 0 means that of
 * max_align_t). NULL if the limit or memory is exhausted. A size of 0 gives a valid pointer.
 */
void *rk_arena_alloc(rk_arena *arena, size_t size, size_t align);

/* count * size bytes, zeroed, aligned for any type; NULL also if the product overflows. */
void *rk_arena_calloc(rk_arena *arena, size_t count, size_t size);

/* A copy of text, or of its first length bytes with a NUL behind them; NULL as above. */
char *rk_arena_strdup(rk_arena *arena, const char *text);
char *rk_arena_strndup(rk_arena *arena, const char *text, size_t length);

/* Gives up all pieces, and all chunks but one. */
void rk_arena_reset(rk_arena *arena);

/* rewind gives up every piece allocated since the mark was taken. Marks nest. */
rk_arena_mark rk_arena_here(const rk_arena *arena);
void rk_arena_rewind(rk_arena *arena, rk_arena_mark mark);

#endif
