/*
 * arena.c: memory that is allocated piece by piece and freed all at once.
 */
#include "base/arena.h"

#include "base/compiler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CHUNK_BYTES (64u * 1024u)
#define MOST_ALIGN 4096u

typedef struct rk_arena_chunk {
    struct rk_arena_chunk *older;
    size_t size_bytes; /* of data */
    size_t used_bytes;
    alignas(max_align_t) unsigned char data[];
} chunk;

void rk_arena_init(rk_arena *arena, size_t chunk_bytes, size_t limit_bytes)
{
    *arena = (rk_arena){.chunk_bytes = chunk_bytes == 0 ? DEFAULT_CHUNK_BYTES : chunk_bytes,
                        .limit_bytes = limit_bytes};
}

static void free_newest(rk_arena *arena)
{
    chunk *newest = arena->chunks;
    arena->chunks = newest->older;
    arena->reserved_bytes -= sizeof *newest + newest->size_bytes;
    free(newest);
}

void rk_arena_finish(rk_arena *arena)
{
    while (arena->chunks != NULL) {
        free_newest(arena);
    }
}

/* Bytes to skip from data + used_bytes to a multiple of align. */
static size_t padding_of(const chunk *in, size_t align)
{
    return -((uintptr_t)in->data + in->used_bytes) & (align - 1);
}

static bool fits(const chunk *in, size_t size, size_t align)
{
    size_t padding = padding_of(in, align);
    size_t room = in->size_bytes - in->used_bytes;
    return padding <= room && size <= room - padding;
}

/* Puts a chunk that can hold size bytes at align in front. */
static bool add_chunk(rk_arena *arena, size_t size, size_t align)
{
    uint64_t data_bytes;
    uint64_t total_bytes;
    if (!rk_size_add(size, align, &data_bytes)) {
        return false;
    }
    data_bytes = RK_MAX(data_bytes, arena->chunk_bytes);
    uint64_t room = arena->limit_bytes - arena->reserved_bytes;
    if (!rk_size_add(data_bytes, sizeof(chunk), &total_bytes)) {
        return false;
    }
    if (total_bytes > room) {
        /* Near the limit a smaller chunk may still do. */
        total_bytes = size + align + sizeof(chunk);
        if (total_bytes < size || total_bytes > room) {
            return false;
        }
    }
    chunk *fresh = malloc((size_t)total_bytes);
    if (fresh == NULL) {
        return false;
    }
    fresh->older = arena->chunks;
    fresh->size_bytes = (size_t)total_bytes - sizeof *fresh;
    fresh->used_bytes = 0;
    arena->chunks = fresh;
    arena->reserved_bytes += (size_t)total_bytes;
    return true;
}

void *rk_arena_alloc(rk_arena *arena, size_t size, size_t align)
{
    align = align == 0 ? alignof(max_align_t) : align;
    assert(align <= MOST_ALIGN && (align & (align - 1)) == 0);
    if (arena->chunks == NULL || !fits(arena->chunks, size, align)) {
        if (!add_chunk(arena, size, align)) {
            return NULL;
        }
    }
    chunk *in = arena->chunks;
    in->used_bytes += padding_of(in, align);
    void *piece = in->data + in->used_bytes;
    in->used_bytes += size;
    return piece;
}

void *rk_arena_calloc(rk_arena *arena, size_t count, size_t size)
{
    uint64_t total;
    if (!rk_size_mul(count, size, &total)) {
        return NULL;
    }
    void *piece = rk_arena_alloc(arena, (size_t)total, 0);
    if (piece != NULL) {
        memset(piece, 0, (size_t)total);
    }
    return piece;
}

char *rk_arena_strndup(rk_arena *arena, const char *text, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : rk_arena_alloc(arena, length + 1, 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *rk_arena_strdup(rk_arena *arena, const char *text)
{
    return rk_arena_strndup(arena, text, strlen(text));
}

void rk_arena_reset(rk_arena *arena)
{
    while (arena->chunks != NULL && arena->chunks->older != NULL) {
        free_newest(arena);
    }
    if (arena->chunks != NULL) {
        arena->chunks->used_bytes = 0;
    }
}

rk_arena_mark rk_arena_here(const rk_arena *arena)
{
    return (rk_arena_mark){arena->chunks, arena->chunks == NULL ? 0 : arena->chunks->used_bytes};
}

void rk_arena_rewind(rk_arena *arena, rk_arena_mark mark)
{
    while (arena->chunks != mark.chunk) {
        assert(arena->chunks != NULL); /* else the mark is not of this arena, or was rewound past */
        free_newest(arena);
    }
    if (mark.chunk != NULL) {
        mark.chunk->used_bytes = mark.used_bytes;
    }
}
