/*
 * trace.h: the records in which a kernel writes down what it does and when: its timeline.
 *
 * The ring lies in the mapped page. The kernel is its only writer, one lane at a time, ordered by
 * the kernel's own barriers; it overwrites the oldest record and never waits for anybody. The host
 * reads behind it and can tell which records it has missed.
 *
 * Order of a record n: its four words; a release fence; `written` = n + 1. So whoever has read a
 * word of record m finds `written` at m - 1 or later behind an acquire fence, and knows then which
 * of the records that it has copied may have been overwritten meanwhile.
 */
#ifndef RINGKERNEL_ABI_TRACE_H
#define RINGKERNEL_ABI_TRACE_H

#include <ringkernel/abi/types.h>

#define RK_TRACE_MAGIC 0x52544b52u /* "RKTR" */
#define RK_TRACE_SLOTS_MIN 16u     /* slots are a power of two between these */
#define RK_TRACE_SLOTS_MAX (1u << 22)
#define RK_TRACE_MARKER_MAX 64

/* What is written down: bits of a mask. */
#define RK_TRACE_KERNEL 1u /* its time on the device, its waits for work, the commands it takes */
#define RK_TRACE_STEP 2u   /* every step */
#define RK_TRACE_PHASE 4u  /* every phase of a step, as block 0 has it */
#define RK_TRACE_USER 8u   /* the markers of its own code */
#define RK_TRACE_ALL 15u

/* X(symbol, value, text): what a record says; numbers cross processes. */
#define RK_TRACE_KIND_LIST(X)                                                                      \
    X(BEGIN, 1, "begin")             /* a span; spans nest */                                      \
    X(END, 2, "end")                 /* the innermost span of that name */                         \
    X(MARK, 3, "mark")               /* an instant */                                              \
    X(COUNTER, 4, "counter")         /* value holds from now on */                                 \
    X(RANGE_BEGIN, 5, "range-begin") /* a range may overlap spans and other ranges */              \
    X(RANGE_END, 6, "range-end")

#define RK_TRACE_KIND_DEFINE(symbol, value, text) RK_TRACE_KIND_##symbol = (value),
enum { RK_TRACE_KIND_LIST(RK_TRACE_KIND_DEFINE) RK_TRACE_KIND_END_OF_LIST };
#undef RK_TRACE_KIND_DEFINE

/* What a record is about: fixed names, then the phases and the markers of the schema. */
#define RK_TRACE_NAME_RESIDENT 0u /* on the device, from entry to exit; value: the launch */
#define RK_TRACE_NAME_INIT 1u     /* the init or migrate handler, as block 0 has it */
#define RK_TRACE_NAME_STEP 2u     /* from the safe point to the last block's arrival at the next */
#define RK_TRACE_NAME_IDLE 3u     /* no work: polls or sleeps */
#define RK_TRACE_NAME_COMMAND 4u  /* mark; value: RK_CMD_* or a message's type */
#define RK_TRACE_NAME_POP 5u      /* end of the innermost span of the user's */
#define RK_TRACE_NAME_PHASE 64u   /* and up to 63 more */
#define RK_TRACE_NAME_MARKER 128u /* and up to 63 more */

/* One record.                                                                  offset */
typedef struct rk_trace_record {
    rk_u64 ticks; /* of rk_ticks                                                    0 */
    rk_u32 kind;  /* RK_TRACE_KIND_*                                                8 */
    rk_u32 name;  /* RK_TRACE_NAME_*                                               12 */
    rk_u64 step;  /* the step that is being taken, or the next one                 16 */
    rk_u64 value; /*                                                               24 */
} rk_trace_record;

RK_ABI_ASSERT(sizeof(rk_trace_record) == 32);

/* The ring's head; rk_trace_record[slots] lies behind it.                      offset */
typedef struct rk_trace_ring {
    rk_u32 magic; /* RK_TRACE_MAGIC; the host, before the launch                    0 */
    rk_u32 slots; /* the same                                                       4 */
    rk_u8 pad0[120];
    rk_u64 written; /* the kernel: records so far, from the first launch on       128 */
    rk_u8 pad1[120];
} rk_trace_ring;

RK_ABI_ASSERT(sizeof(rk_trace_ring) == 256);

#define RK_TRACE_RING_BYTES(slots)                                                                 \
    (sizeof(rk_trace_ring) + (rk_u64)(slots) * sizeof(rk_trace_record))

#endif
