/*
 * slab.h: the layout of a slab, the shared memory for payloads that do not fit a ring slot.
 *
 * A slab holds blocks of eleven sizes, 64 B to 64 KiB, and units of 64 KiB that are given out in
 * runs for longer payloads. Each block has a generation: even while it is free, odd while it is in
 * use, plus one on each change. A reference names offset and generation, so a reference to a block
 * that was freed, or freed and used again, is recognised.
 *
 * Free blocks of a size form a stack, linked through `next` (index + 1, 0 ends it); its head
 * carries a counter against the ABA problem. Units have no stack: they are claimed one by one
 * through their generation words. Everything is an offset from rk_slab_header.
 */
#ifndef RINGKERNEL_ABI_SLAB_H
#define RINGKERNEL_ABI_SLAB_H

#include <ringkernel/abi/types.h>

#define RK_SLAB_MAGIC 0x4c534b52u /* "RKSL" */
#define RK_SLAB_CLASS_COUNT 12
#define RK_SLAB_MIN_BLOCK_BYTES 64u
#define RK_SLAB_UNIT_BYTES 65536u
#define RK_SLAB_UNITS (RK_SLAB_CLASS_COUNT - 1) /* the class of the units */

/* State of one block.                                                          offset */
typedef struct rk_slab_block {
    rk_u32 generation; /* odd while in use                                           0 */
    rk_u32 next;       /* free: next in the stack; first unit of a run: its length   4 */
} rk_slab_block;

RK_ABI_ASSERT(sizeof(rk_slab_block) == 8);

typedef struct rk_slab_class {
    /* Constant after initialisation.                                           offset */
    rk_u64 blocks;      /* offset of the first block                                 0 */
    rk_u64 states;      /* offset of rk_slab_block[count]                            8 */
    rk_u32 count;       /*                                                          16 */
    rk_u32 block_bytes; /*                                                          20 */
    rk_u8 pad0[104];

    /* Written by every allocation. */
    rk_u64 free_head; /* counter << 32 | index + 1 of the first free block; units: a   128
                         hint where to look                                            */
    rk_u32 in_use;    /* blocks                                                    136 */
    rk_u32 refused;   /* allocations that found no block of this size              140 */
    rk_u8 pad1[112];
} rk_slab_class;

RK_ABI_ASSERT(sizeof(rk_slab_class) == 256);

typedef struct rk_slab_header {
    rk_u32 magic;       /* RK_SLAB_MAGIC                                             0 */
    rk_u32 class_count; /* RK_SLAB_CLASS_COUNT                                       4 */
    rk_u64 bytes;       /* of the whole slab                                         8 */
    rk_u8 pad0[112];
    rk_slab_class classes[RK_SLAB_CLASS_COUNT]; /*                                 128 */
} rk_slab_header;

RK_ABI_ASSERT(sizeof(rk_slab_header) == 3200);

#endif
