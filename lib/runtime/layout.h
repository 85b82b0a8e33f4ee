/*
 * layout.h: where everything lies in the two memory areas of a kernel (abi/control.h).
 *
 *   mapped page   rk_control | h2k ring | k2h ring | slab | trace ring
 *   arena         rk_loop | copy of rk_control | parameter slots | field table
 *                 | rk_peer | inbox ring | routes | fields | pool
 *
 * Invariants
 *   1. Nothing overlaps; all offsets are multiples of 64, the parts of the mapped page multiples of
 *      128 (two cores never write one line pair), and both sizes multiples of 4 KiB.
 *   2. A field of RK_LAYOUT_BIG_BYTES or more shares no 4 KiB page with anything else, so that it
 *   can
 *      be write-protected alone. The n-th of them starts n * 13 lines (mod 64) into its first page.
 *      Arrays of equal size would otherwise lie a power of two apart and compete for the same sets
 *      of the first- and second-level cache, and a store to one would look to the processor like a
 *      load of the other (4 KiB aliasing); 13 is odd, so 64 fields get 64 different places.
 *   3. The pool's region starts at a page and is last, so that it can grow with all else in place.
 *   4. The same schema, parameters and block count give the same arena on every machine.
 */
#ifndef RK_RUNTIME_LAYOUT_H
#define RK_RUNTIME_LAYOUT_H

#include "core/schema.h"
#include <ringkernel/abi/control.h>

#define RK_LAYOUT_ALIGN_BYTES 4096u             /* both areas must start at such an address */
#define RK_LAYOUT_BIG_BYTES ((uint64_t)2 << 20) /* fields from this size on are staggered */
#define RK_LAYOUT_ARENA_MAX ((uint64_t)1 << 46) /* larger arenas are refused: a slip of the pen */

/* What decides a layout besides schema and parameters. Zero in any member means its default. */
typedef struct rk_layout_options {
    uint32_t block_count; /* default 1 */
    uint32_t h2k_slots;   /* a power of two; default 256 */
    uint32_t k2h_slots;   /* a power of two; default 512 */
    uint32_t inbox_slots; /* a power of two; default 256 */
    uint32_t route_count; /* at most RK_ROUTE_MAX; default 0 */
    uint64_t slab_bytes;  /* of the H2K payload slab; default 0: none */
    uint32_t trace_slots; /* records of the timeline, a power of two; default 4096 */
    uint64_t pool_bytes;  /* of the memory pool's region; default 0: none */
} rk_layout_options;

typedef struct rk_layout_field {
    uint32_t type; /* RK_TYPE_*, never REAL */
    uint32_t element_bytes;
    uint64_t offset; /* in the arena */
    uint64_t bytes;
    rk_shape shape;
} rk_layout_field;

typedef struct rk_layout {
    rk_layout_options options; /* defaults filled in */
    uint64_t hash;             /* rk_schema_hash of the variant */
    uint64_t mapped_bytes;
    uint64_t h2k;   /* mapped offsets */
    uint64_t k2h;   /*  */
    uint64_t slab;  /*  */
    uint64_t trace; /*  */
    uint64_t arena_bytes;
    uint64_t head_bytes; /* of the arena: what rk_layout_write fills; fields lie behind it */
    uint64_t params;     /* arena offset of the parameter slots */
    uint64_t fields;     /* arena offset of the field table */
    uint64_t peer;       /* arena offset of rk_peer; up to here a restart writes the head anew */
    uint64_t inbox;      /* arena offset of the inbox ring */
    uint64_t routes;     /* arena offset of the routes */
    uint64_t pool;       /* arena offset of the pool's region; 0: there is none */
    uint32_t param_count;
    uint32_t field_count;
    rk_layout_field field[RK_FIELD_MAX];
} rk_layout;

/*
 * Computes a layout. params holds param_count slots (ringkernel/schema.h); options may be NULL.
 * RK_INVALID (a bad option or shape), RK_LIMIT (too large); the text names the field and the sizes.
 */
rk_status rk_layout_compute(const rk_schema *schema, uint32_t variant, const uint64_t *params,
                            const rk_layout_options *options, rk_layout *out_layout, rk_err *err);

/* Gives the pool's region another size. RK_LIMIT: nothing has changed. */
rk_status rk_layout_resize_pool(rk_layout *layout, uint64_t pool_bytes, rk_err *err);

/* Who the kernel is: constants of its control block. */
typedef struct rk_layout_identity {
    uint32_t kernel_id; /* not 0 */
    uint32_t node;
    uint32_t tenant;
    uint64_t epoch;
    uint64_t seed;
    uint32_t answer_reserve; /* K2H slots that emits leave free; 0 means a quarter of the ring */
    uint32_t message_batch;  /* messages taken at one safe point; 0 means 64 */
    uint64_t features;       /* optional features that are on at first */
    /* How the device runs it: see abi/control.h. */
    uint64_t ticks_per_s;
    bool poller;
    uint32_t lease_steps;
    uint32_t lease_polls;
} rk_layout_identity;

/*
 * Fills a zeroed mapped page (mapped_bytes) and the head of a zeroed arena (head_bytes; for a
 * device whose memory the host cannot reach, a buffer of that size that is copied there): control
 * block, rings, parameters, field table, and the loop state of a kernel that has taken no step. The
 * caller prepares the slab and connects routes. RK_INVALID if an area is misaligned.
 */
rk_status rk_layout_write(const rk_layout *layout, const uint64_t *params,
                          const rk_layout_identity *identity, void *mapped, void *arena_head,
                          rk_err *err);

#endif
