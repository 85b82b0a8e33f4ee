/*
 * ring.h: rings of 64-byte slots in memory that two processes, or a host and a device, share.
 *
 * Each side works through an rk_ring_end, its private view: a copy of the ring's constants, its own
 * index, and how far it may go without looking at the other side's word again. A peer that writes
 * nonsense into the ring can make an end answer RK_CORRUPT or hand out garbage slots, but never
 * make it touch memory outside the ring.
 *
 * This header holds what all kinds share, and the SPSC operations: one thread per end, no locks, no
 * system call unless a waiter must be woken. core/ring_mp.h has many producers, core/ring_lossy.h a
 * producer that may drop the oldest message. The layout is in ringkernel/abi/ring.h.
 */
#ifndef RK_CORE_RING_H
#define RK_CORE_RING_H

#include "abi/word.h"
#include "core/bell.h"
#include <ringkernel/abi/ring.h>
#include <ringkernel/status.h>

#define RK_RING_ALIGN_BYTES 64u

/* A sensible polling time before a waiter sleeps, nanoseconds. */
#define RK_RING_SPIN_NS 20000u

/* Messages that a consumer may have granted beyond those it has taken. */
#define RK_RING_MAX_CREDITS (1u << 30)

typedef enum rk_ring_side { RK_RING_PRODUCER, RK_RING_CONSUMER } rk_ring_side;

/*
 * One side of a ring. Owned by the caller; needs no finish. SPSC and LOSSY ends and MPSC consumer
 * ends belong to one thread at a time; an MPSC producer end may be shared by many.
 */
typedef struct rk_ring_end {
    rk_ring *ring;
    rk_slot *slots;
    rk_u32 *sequences;  /* MPSC only */
    rk_bell *own_bell;  /* this side sleeps here */
    rk_bell *peer_bell; /* this side wakes its peer here */
    rk_u32 capacity;
    rk_u32 mask;
    rk_u32 kind;
    rk_ring_side side;
    bool credits;
    bool corrupt; /* the peer broke the invariants; the end stays unusable */
    rk_u32 index; /* free running: next slot to fill or to empty */
    rk_u32 limit; /* the index may go up to here without another look at the peer's words */
    /* Both change with every message: what lies behind the end must not share their line. */
    rk_u8 pad[RK_CACHE_LINE];
} rk_ring_end;

/* Bytes of a ring, or 0 if kind or capacity is not allowed. */
uint64_t rk_ring_bytes(uint32_t kind, uint32_t capacity);

/*
 * Lays out an empty ring at memory (aligned to RK_RING_ALIGN_BYTES, at least rk_ring_bytes).
 * capacity is a power of two between RK_RING_MIN_SLOTS and RK_RING_MAX_SLOTS; flags is 0 or
 * RK_RING_CREDITS (not for LOSSY). Each side sleeps on the ring's own bell. RK_INVALID,
 * RK_NO_SPACE.
 */
rk_status rk_ring_init(void *memory, uint64_t bytes, uint32_t kind, uint32_t capacity,
                       uint32_t flags, rk_err *err);

/*
 * Makes a side sleep on a bell elsewhere, which it may share between several rings. The bell must
 * lie in the same region as the ring. Call before anybody attaches.
 */
void rk_ring_set_bell(rk_ring *ring, rk_ring_side side, const rk_bell *bell);

/*
 * Takes one side of the ring at `offset` in a shared region. Trusts nothing in the region:
 * RK_CORRUPT (wrong magic or damaged words), RK_INVALID (offset or kind), RK_NO_SPACE (does not lie
 * inside the region). Continues where an earlier end of this side stopped.
 */
rk_status rk_ring_attach(rk_ring_end *end, rk_ring_side side, void *region, uint64_t region_bytes,
                         uint64_t offset, rk_err *err);

/* Slots in use, at most capacity. Reads both sides' words; a moving target. */
uint32_t rk_ring_depth(const rk_ring_end *end);

/*
 * Consumer of a ring with RK_RING_CREDITS: lets the producers send `count` more messages. RK_LIMIT
 * if more than RK_RING_MAX_CREDITS would be open. RK_STATE for other rings.
 */
rk_status rk_ring_grant(rk_ring_end *consumer, uint32_t count);

/*
 * Waits until a message is there, or until `count` slots can be filled at once (count at most
 * capacity). Any kind of ring. RK_OK, RK_TIMEOUT (deadline_ns as in base/wait.h), RK_CORRUPT,
 * RK_INVALID. Polls for about spin_ns, then sleeps. LOSSY producers never wait.
 */
rk_status rk_ring_wait_message(rk_ring_end *consumer, uint64_t deadline_ns, unsigned spin_ns);
rk_status rk_ring_wait_room(rk_ring_end *producer, uint32_t count, uint64_t deadline_ns,
                            unsigned spin_ns);

/* Whether a message is there now, for a wait that covers several rings (core/bell.h). */
bool rk_ring_has_message(const rk_ring_end *consumer);

/* --- SPSC ------------------------------------------------------------------------------------- */

/* Looks at the peer's words again: RK_OK if limit != index now, else RK_FULL, RK_EMPTY, RK_CORRUPT.
 */
rk_status rk_ring_look_room(rk_ring_end *producer);
rk_status rk_ring_look_message(rk_ring_end *consumer);

/*
 * How far ahead an end asks for slots: it hides the way of the lines between the caches. Only slots
 * that the end already owns are asked for, so that none is taken away from the other side.
 */
#define RK_RING_PREFETCH_FREE 32u
#define RK_RING_PREFETCH_FILLED 8u

/* Copies one message in and publishes it. RK_OK, RK_FULL, RK_CORRUPT. */
RK_INLINE rk_status rk_ring_push(rk_ring_end *producer, const rk_slot *message)
{
    rk_u32 index = producer->index;
    if (RK_UNLIKELY(producer->limit == index)) {
        rk_status status = rk_ring_look_room(producer);
        if (status != RK_OK) {
            return status;
        }
    }
    if (producer->limit - index > RK_RING_PREFETCH_FREE) {
        RK_PREFETCH_WRITE(&producer->slots[(index + RK_RING_PREFETCH_FREE) & producer->mask]);
    }
    producer->slots[index & producer->mask] = *message;
    producer->index = index + 1;
    rk_word_store_release(&producer->ring->tail, index + 1);
    rk_bell_notify(producer->peer_bell);
    return RK_OK;
}

/* Copies one message out and returns its slot. RK_OK, RK_EMPTY, RK_CORRUPT. */
RK_INLINE rk_status rk_ring_pop(rk_ring_end *consumer, rk_slot *out_message)
{
    rk_u32 index = consumer->index;
    if (RK_UNLIKELY(consumer->limit == index)) {
        rk_status status = rk_ring_look_message(consumer);
        if (status != RK_OK) {
            return status;
        }
    }
    if (consumer->limit - index > RK_RING_PREFETCH_FILLED) {
        RK_PREFETCH_READ(&consumer->slots[(index + RK_RING_PREFETCH_FILLED) & consumer->mask]);
    }
    *out_message = consumer->slots[index & consumer->mask];
    consumer->index = index + 1;
    rk_word_store_release(&consumer->ring->head, index + 1);
    rk_bell_notify(consumer->peer_bell);
    return RK_OK;
}

/* Copies up to count messages and publishes them together; returns how many. */
uint32_t rk_ring_push_batch(rk_ring_end *producer, const rk_slot *messages, uint32_t count);
uint32_t rk_ring_pop_batch(rk_ring_end *consumer, rk_slot *out_messages, uint32_t count);

/*
 * Without a copy: up to `want` slots that lie side by side, for filling or reading; returns how
 * many (0: full, or empty). They stay the caller's until commit or release, which must not name
 * more than were handed out. Asking again before that gives the same slots.
 */
uint32_t rk_ring_reserve(rk_ring_end *producer, uint32_t want, rk_slot **out_first);
uint32_t rk_ring_peek(rk_ring_end *consumer, uint32_t want, const rk_slot **out_first);

/* Publishes the first count reserved slots, or returns the first count peeked slots. */
void rk_ring_commit(rk_ring_end *producer, uint32_t count);
void rk_ring_release(rk_ring_end *consumer, uint32_t count);

#endif
