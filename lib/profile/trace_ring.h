/*
 * trace_ring.h: reading the ring of abi/trace.h while a kernel writes it.
 *
 * The ring lies in memory that the kernel's process can write: nothing in it is believed. The
 * number of slots is the host's own; a `written` that goes back or leaps is damage, and what a
 * record says is checked by whoever gives it a meaning.
 */
#ifndef RK_PROFILE_TRACE_RING_H
#define RK_PROFILE_TRACE_RING_H

#include "base/compiler.h"
#include <ringkernel/abi/trace.h>

/* A reader's place. One thread at a time. */
typedef struct rk_trace_reader {
    const rk_trace_ring *ring; /* borrowed */
    uint32_t slots;            /* a power of two, as laid out by the host */
    uint64_t next;             /* number of the record to read next */
} rk_trace_reader;

/* Lays out a ring in zeroed memory of RK_TRACE_RING_BYTES(slots). */
void rk_trace_ring_init(rk_trace_ring *ring, uint32_t slots);

/* Begins behind what has been written so far. */
void rk_trace_reader_init(rk_trace_reader *reader, const rk_trace_ring *ring, uint32_t slots);

/*
 * Copies at most max records, oldest first; returns how many. *out_lost: records before the first
 * of them that were overwritten. A ring that went back is read from where it stands, one record
 * counted as lost.
 */
size_t rk_trace_reader_take(rk_trace_reader *reader, rk_trace_record *out_records, size_t max,
                            uint64_t *out_lost);

#endif
