/*
 * ring.h: the layout of a ring in memory that two processes, or a host and a device, share.
 *
 * Invariants
 *   1. head and tail run freely (mod 2^32); tail - head is the number of filled slots.
 *   2. Every word has one writer: the producer writes tail, the consumer writes head. A ring with
 *      many producers adds `reserve`, claimed by compare-and-swap, and a sequence word per slot.
 *   3. The payload is stored first, then tail with release; the consumer loads tail with acquire.
 *   4. Slots are addressed by an offset from the ring header, so a ring works at any address.
 *   5. A reader in another trust domain never believes a word that the other side writes: it checks
 *      tail - head <= capacity and header.length against its limit before use.
 *
 * Waiting: a side that finds nothing spins briefly, then sets its parked word, looks again, and
 * waits for its bell to change. The other side, after publishing, looks at the parked word behind a
 * full fence and, when set, adds one to the bell and wakes it.
 */
#ifndef RINGKERNEL_ABI_RING_H
#define RINGKERNEL_ABI_RING_H

#include <ringkernel/abi/message.h>
#include <ringkernel/abi/types.h>

#define RK_RING_MAGIC 0x47524b52u /* "RKRG" */
#define RK_RING_LINE_BYTES 128
#define RK_RING_MIN_SLOTS 2u
#define RK_RING_MAX_SLOTS (1u << 24)

#define RK_RING_SPSC 1u
#define RK_RING_MPSC 2u

typedef struct rk_ring {
    /* Constant after initialisation.                                            offset */
    rk_u32 magic;     /*                                                               0 */
    rk_u32 kind;      /* RK_RING_SPSC or RK_RING_MPSC                                  4 */
    rk_u32 capacity;  /* slots, a power of two                                         8 */
    rk_u32 reserved0; /*                                                              12 */
    rk_u64 slots;     /* offset of the first slot from this header                    16 */
    rk_u64 sequences; /* MPSC: offset of capacity u32 sequence words; else 0          24 */
    rk_u8 pad0[RK_RING_LINE_BYTES - 32];

    /* Producer's line.                                                              128 */
    rk_u32 tail;          /* filled up to here (SPSC), claimed up to here (MPSC)       128 */
    rk_u32 cached_head;   /* SPSC producer's private copy of head                      132 */
    rk_u32 refused;       /* pushes refused because the ring was full                  136 */
    rk_u32 dropped;       /* messages given up by a full policy (dead letter or drop)  140 */
    rk_u32 high_water;    /* most slots ever in use, seen at a push                    144 */
    rk_u32 producer_bell; /* the producer waits on this for room                   148 */
    rk_u8 pad1[RK_RING_LINE_BYTES - 24];

    /* Consumer's line.                                                              256 */
    rk_u32 head;          /*                                                       256 */
    rk_u32 cached_tail;   /* consumer's private copy of tail                       260 */
    rk_u32 consumer_bell; /* the consumer waits on this for messages               264 */
    rk_u8 pad2[RK_RING_LINE_BYTES - 12];

    /* Parked words: rarely written.                                                 384 */
    rk_u32 consumer_parked; /* 1 while the consumer may be asleep                    384 */
    rk_u32 producer_parked; /* count of producers that may be asleep                 388 */
    rk_u8 pad3[RK_RING_LINE_BYTES - 8];
} rk_ring;

RK_ABI_ASSERT(sizeof(rk_ring) == 512);

/* Bytes that a ring of `capacity` slots takes, header included; sequence words fill whole lines. */
#define RK_RING_SEQ_BYTES(capacity) (((rk_u64)(capacity)*4u + 127u) & ~(rk_u64)127u)
#define RK_RING_SPSC_BYTES(capacity) (sizeof(rk_ring) + (rk_u64)(capacity)*RK_SLOT_BYTES)
#define RK_RING_MPSC_BYTES(capacity) (RK_RING_SPSC_BYTES(capacity) + RK_RING_SEQ_BYTES(capacity))

#endif
