/*
 * pool.h: memory pools: many allocations of any size out of one region of device memory.
 *
 * While a kernel is resident its driver cannot allocate. So a region is reserved at launch, and a
 * pool divides it. A pool deals in offsets and never touches the region: its records lie in host
 * memory, and what has to happen in the region is done by three functions of the owner.
 *
 *   classes   blocks of configured sizes. A freed block waits in a cache of its class and serves
 *             the next request of that size: a hit, tens of nanoseconds, no system call.
 *   buddy     everything else, and what the caches do not have: a miss. A request that no class
 *             fits takes a power of two and gives back what lies behind its last granule.
 *   scrub     memory in the buddy allocator is always zero, unless the policy is NEVER. A tenant
 *             never sees what another one wrote. Zeroing that is not possible at the moment (the
 *             kernel runs) is made up for later: until then the block is set aside.
 *
 * Any thread may call any function at any time, except where it says that the kernel must be
 * parked. Functions called by the pool must not call the pool. An allocation that is movable may
 * lie elsewhere after rk_pool_defragment; its handle stays valid.
 */
#ifndef RINGKERNEL_POOL_H
#define RINGKERNEL_POOL_H

#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_POOL_CLASS_MAX 64u
#define RK_POOL_ALIGN_MAX 4096u /* of offsets; regions start at a multiple of it */
#define RK_POOL_NAME_BYTES 64

typedef struct rk_pool rk_pool;

/* Names an allocation until it is freed; never 0. A handle used afterwards is recognised, unless
 * its record was used exactly 2^32 times in between. */
typedef uint64_t rk_pool_handle;

typedef enum rk_pool_growth {
    RK_POOL_FIXED,
    RK_POOL_STEP,   /* by step_bytes */
    RK_POOL_DOUBLE, /* to twice the size */
} rk_pool_growth;

typedef enum rk_pool_scrub {
    RK_POOL_SCRUB_TENANT, /* zeroed before another tenant gets it, and before it leaves its class */
    RK_POOL_SCRUB_ALWAYS, /* zeroed when freed: every allocation reads as zero at first */
    RK_POOL_SCRUB_NEVER,
} rk_pool_scrub;

/* What happens in the region. Any thread; all may block. A NULL member cannot be done. */
typedef struct rk_pool_ops {
    /* Writes zeros. Any error: not possible now; the pool tries again later. */
    rk_status (*zero)(void *context, uint64_t offset, uint64_t bytes);
    /* Copies; the two ranges do not overlap. An error ends rk_pool_defragment. */
    rk_status (*move)(void *context, uint64_t to, uint64_t from, uint64_t bytes);
    /* Makes the region larger; old contents keep their offsets, the rest is zero. */
    rk_status (*grow)(void *context, uint64_t old_bytes, uint64_t new_bytes, rk_err *err);
} rk_pool_ops;

/* Zero in a member means its default. */
typedef struct rk_pool_options {
    const char *name;            /* in sentences; default "pool" */
    uint64_t bytes;              /* of the region; rounded down to granules; required */
    uint64_t max_bytes;          /* growth ends here; required unless the pool is FIXED */
    rk_pool_growth growth;       /* */
    uint64_t step_bytes;         /* required for STEP */
    const uint64_t *block_bytes; /* sizes of the classes, in any order; each is rounded up to
                                    granules. Default: powers of two from 64 B to 64 KiB */
    uint32_t block_count;        /* at most RK_POOL_CLASS_MAX */
    uint32_t granule_bytes; /* what blocks consist of: a power of two, 16 to 64 KiB; default 64.
                                    The pool keeps two bits per granule of max_bytes. */
    uint32_t alignment;     /* of requests that name none; default 64 */
    rk_pool_scrub scrub;
    uint32_t defragment_percent; /* rk_pool_defragment moves nothing below this external
                                    fragmentation; default 0: it always looks */
    uint32_t defragment_moves;   /* at most so many moves in one call; default: no limit */
} rk_pool_options;

/* What is asked for. */
typedef struct rk_pool_request {
    uint64_t bytes;     /* at least 1 */
    uint32_t alignment; /* a power of two, at most RK_POOL_ALIGN_MAX; 0: the pool's default */
    uint32_t tenant;
    const char *tag; /* who asks, for reports: a string that outlives the pool; may be NULL */
    bool movable;    /* rk_pool_defragment may give it another offset */
} rk_pool_request;

/* An allocation. */
typedef struct rk_pool_allocation {
    rk_pool_handle handle;
    uint64_t offset;      /* in the region */
    uint64_t bytes;       /* as requested */
    uint64_t block_bytes; /* that it occupies */
    uint64_t age;         /* allocations of the pool since this one */
    uint32_t tenant;
    const char *tag; /* never NULL */
    bool movable;
} rk_pool_allocation;

/*
 * A pool over a region that is zero. ops and context stay valid until destruction. The caller
 * destroys it. RK_INVALID, RK_LIMIT (more than 2^30 granules), RK_NO_MEMORY.
 */
RK_API rk_status rk_pool_create(const rk_pool_options *options, const rk_pool_ops *ops,
                                void *context, rk_pool **out_pool, rk_err *err);
/* Forgets all allocations; calls no function of the owner. NULL is allowed. */
RK_API void rk_pool_destroy(rk_pool *pool);

/*
 * Takes a block. Before it gives up it empties the caches. RK_FULL: no room now (the sentence says
 * what is free, and what would help); RK_LIMIT: larger than the pool can become; RK_INVALID;
 * RK_NO_MEMORY (for records).
 */
RK_API rk_status rk_pool_allocate(rk_pool *pool, const rk_pool_request *request,
                                  rk_pool_allocation *out_allocation, rk_err *err);
/*
 * Gives it back. RK_STALE: freed already; RK_NOT_FOUND: never given out by this pool; RK_CORRUPT:
 * its record was overwritten, the block is not used again.
 */
RK_API rk_status rk_pool_free(rk_pool *pool, rk_pool_handle handle, rk_err *err);
/* Where it is and what is known about it. Errors as rk_pool_free. */
RK_API rk_status rk_pool_query(rk_pool *pool, rk_pool_handle handle,
                               rk_pool_allocation *out_allocation, rk_err *err);
/* The allocation that starts at offset. RK_STALE: freed already; RK_NOT_FOUND: none. */
RK_API rk_status rk_pool_find(rk_pool *pool, uint64_t offset, rk_pool_handle *out_handle,
                              rk_err *err);
/* Makes an allocation movable or not from now on. Errors as rk_pool_free. */
RK_API rk_status rk_pool_set_movable(rk_pool *pool, rk_pool_handle handle, bool movable,
                                     rk_err *err);

/* ---- At safe points ------------------------------------------------------------------------ */

/*
 * Zeroes what is set aside, and gives the blocks of all caches back to the buddy allocator.
 * *out_bytes (may be NULL) is what came back. Errors: those of ops.zero; the rest was done.
 */
RK_API rk_status rk_pool_trim(rk_pool *pool, uint64_t *out_bytes, rk_err *err);

typedef struct rk_pool_moves {
    uint64_t count;
    uint64_t bytes;
    bool finished; /* nothing is left that could move down */
} rk_pool_moves;

/*
 * Trims, then moves movable allocations to lower offsets until none can go lower, or to the limits
 * of the options. While it runs and afterwards offsets of movable allocations are to be asked for
 * again. The kernel must be parked: it must use no movable allocation. RK_UNSUPPORTED without
 * ops.move; an error of ops.move leaves everything valid. *out_moves is always set; may be NULL.
 */
RK_API rk_status rk_pool_defragment(rk_pool *pool, rk_pool_moves *out_moves, rk_err *err);

/*
 * Grows by the policy: once, or until it has at least so many bytes. The kernel must be parked.
 * RK_LIMIT at max_bytes, or if at_least_bytes is beyond; RK_UNSUPPORTED for FIXED; errors of
 * ops.grow.
 */
RK_API rk_status rk_pool_grow(rk_pool *pool, uint64_t at_least_bytes, rk_err *err);

/* ---- What it has done ---------------------------------------------------------------------- */

/* bytes = used + cached + dirty + lost + free. Figures of a busy pool are of slightly different
 * moments. */
typedef struct rk_pool_stats {
    uint64_t bytes;            /* of the region now */
    uint64_t used_bytes;       /* blocks given out */
    uint64_t requested_bytes;  /* of these, what was asked for */
    uint64_t cached_bytes;     /* free blocks in the caches */
    uint64_t dirty_bytes;      /* set aside until they can be zeroed */
    uint64_t lost_bytes;       /* of damaged records */
    uint64_t free_bytes;       /* in the buddy allocator */
    uint64_t largest_bytes;    /* the largest block there */
    uint64_t high_water_bytes; /* the most that was ever out of the buddy allocator */
    uint64_t hits;             /* served by a cache */
    uint64_t misses;           /* served by the buddy allocator */
    uint64_t frees;
    uint64_t failures; /* requests refused, whatever the reason */
    uint64_t grows;
    uint64_t moves;
    uint64_t moved_bytes;
    uint64_t scrubs;
    uint64_t scrub_failures;
    uint64_t reclaims;             /* times the caches were emptied for a request */
    double internal_fragmentation; /* 1 - requested / used; 0 when nothing is used */
    double external_fragmentation; /* 1 - largest / free; 0 when nothing is free */
} rk_pool_stats;

RK_API void rk_pool_read_stats(rk_pool *pool, rk_pool_stats *out_stats);

typedef struct rk_pool_class_stats {
    uint64_t block_bytes;
    uint64_t blocks; /* that exist: used, cached or dirty */
    uint64_t cached;
    uint64_t hits;
    uint64_t misses;
} rk_pool_class_stats;

/* Bytes of the blocks given out. Waits for nobody who is at work in the pool. */
RK_API uint64_t rk_pool_used_bytes(rk_pool *pool);
RK_API uint32_t rk_pool_class_count(const rk_pool *pool);
/* index is below the count; classes are in ascending order. */
RK_API void rk_pool_read_class(rk_pool *pool, uint32_t index, rk_pool_class_stats *out_stats);

/*
 * Calls fn for every allocation that is not freed, by offset; afterwards none of these is locked.
 * At park or before destruction: what was forgotten. *out_count may be NULL. RK_NO_MEMORY.
 */
RK_API rk_status rk_pool_report(rk_pool *pool,
                                void (*fn)(void *context, const rk_pool_allocation *allocation),
                                void *context, uint64_t *out_count, rk_err *err);

/*
 * Verifies the pool's own records: blocks and free memory cover the region exactly once, and no
 * record was overwritten. Takes time in proportion to the pool. RK_CORRUPT with what is wrong.
 */
RK_API rk_status rk_pool_check(rk_pool *pool, rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
