/*
 * ring.h: the layout of a ring in memory that two processes, or a host and a device, share.
 *
 * Invariants
 *   1. head and tail run freely (mod 2^32); tail - head is the number of filled slots.
 *   2. SPSC: every word has one writer; the producer writes tail, the consumer writes head, both
 *      with plain loads and stores, so that a device can be either side.
 *      MPSC: producers claim slots by compare-and-swap on tail; a claimed slot i (free running) is
 *      filled when its sequence word equals i + 1. The consumer writes head.
 *      LOSSY: one producer, one consumer; both advance head by compare-and-swap, so that a producer
 *      without room may drop the oldest message. Hosts only.
 *   3. The payload is stored first, then tail (MPSC: the sequence word) with release; the consumer
 *      loads that word with acquire, and returns the slot by storing head with release.
 *   4. Slots, sequence words and bells are addressed by offsets from the ring header, so a ring
 *      works at any address.
 *   5. A reader in another trust domain never believes a word that the other side writes: it keeps
 *      its own copy of the constants and of its own index, checks tail - head <= capacity, and
 *      checks a message only after it has copied it.
 *   6. With RK_RING_CREDITS the producer also stops at `granted`, a free-running index that only
 *      the consumer writes: tail never passes it.
 *
 * Waiting: a waiter reads `rung`, sets `parked` to 1, looks again for what it waits for, and sleeps
 * while `rung` is unchanged. Whoever has published something looks at `parked`; when it is 1 it
 * stores 0, adds one to `rung` and wakes all sleepers. The look at `parked` must not overtake the
 * publishing store: either the publisher runs a full fence in between, or the waiter, after setting
 * `parked`, runs a barrier on every processor (membarrier), as core/bell.h does. A full fence is
 * always right; a publisher that leaves it out must have registered for the waiter's barrier.
 */
#ifndef RINGKERNEL_ABI_RING_H
#define RINGKERNEL_ABI_RING_H

#include <ringkernel/abi/message.h>
#include <ringkernel/abi/types.h>

#define RK_RING_MAGIC 0x47524b52u /* "RKRG" */
#define RK_RING_LINE_BYTES 128
#define RK_RING_MIN_SLOTS 2u
#define RK_RING_MAX_SLOTS (1u << 24)

/* rk_ring.kind */
#define RK_RING_SPSC 1u
#define RK_RING_MPSC 2u
#define RK_RING_LOSSY 3u

/* rk_ring.flags */
#define RK_RING_CREDITS 0x1u

/* Where a waiter sleeps. Rarely written, so that publishers read it from their cache.     offset */
typedef struct rk_bell {
    rk_u32 parked; /* 1 while a waiter may be asleep                                  0 */
    rk_u32 rung;   /* the word that waiters sleep on; grows by one with each wake     4 */
} rk_bell;

RK_ABI_ASSERT(sizeof(rk_bell) == 8);

typedef struct rk_ring {
    /* Constant after initialisation.                                            offset */
    rk_u32 magic;         /* RK_RING_MAGIC                                            0 */
    rk_u32 kind;          /* RK_RING_SPSC, RK_RING_MPSC or RK_RING_LOSSY              4 */
    rk_u32 capacity;      /* slots, a power of two                                    8 */
    rk_u32 flags;         /* RK_RING_CREDITS                                         12 */
    rk_u64 slots;         /* offset of the first slot from this header               16 */
    rk_u64 sequences;     /* MPSC: offset of capacity u32 sequence words; else 0     24 */
    rk_u64 consumer_bell; /* offset (mod 2^64) of bells[0], or of a bell that the    32
                             consumer shares between rings                          */
    rk_u64 producer_bell; /* the same for the producer: bells[1], or a shared one    40 */
    rk_u8 pad0[RK_RING_LINE_BYTES - 48];

    /* Producer's line. */
    rk_u32 tail;        /* filled up to here (SPSC, LOSSY), claimed up to here (MPSC) 128 */
    rk_u32 cached_head; /* the producers' copy of head: never newer than head       132 */
    rk_u32 refused;     /* messages refused: full, or not in time                   136 */
    rk_u32 dropped;     /* messages given up by a full policy (dead letter or drop) 140 */
    rk_u32 high_water;  /* most slots seen in use by a sender that watches depth    144 */
    rk_u8 pad1[RK_RING_LINE_BYTES - 20];

    /* Consumer's line. */
    rk_u32 head;        /* emptied up to here                                       256 */
    rk_u32 cached_tail; /* the consumer's copy of tail: never newer than tail       260 */
    rk_u32 granted;     /* RK_RING_CREDITS: the producer may fill up to here        264 */
    rk_u8 pad2[RK_RING_LINE_BYTES - 12];

    /* Bells: the consumer's, then the producer's. */
    rk_bell bells[2]; /*                                                            384 */
    rk_u8 pad3[RK_RING_LINE_BYTES - 16];
} rk_ring;

RK_ABI_ASSERT(sizeof(rk_ring) == 512);

/* Bytes that a ring of `capacity` slots takes, header included (sequence words rounded to a line).
   LOSSY rings take as much as SPSC rings. */
#define RK_RING_SEQ_BYTES(capacity) (((rk_u64)(capacity)*4u + 127u) & ~(rk_u64)127u)
#define RK_RING_SPSC_BYTES(capacity) (sizeof(rk_ring) + (rk_u64)(capacity)*RK_SLOT_BYTES)
#define RK_RING_MPSC_BYTES(capacity) (RK_RING_SPSC_BYTES(capacity) + RK_RING_SEQ_BYTES(capacity))

#endif
