/*
 * ring_mp.h: rings with many producers and one consumer.
 *
 * A producer claims slots by compare-and-swap on tail, fills them, and marks each as filled in its
 * sequence word; the consumer takes them in the order of the claims. After Vyukov's bounded queue,
 * with the consumer's head in place of its second sequence value, so that a claim may cover many
 * slots.
 *
 * A producer that dies between claim and commit stops the ring: the slot is never filled. Rings
 * whose producers may die alone (host processes) are therefore SPSC, one per producer.
 *
 * Attach, wait, depth and credits: core/ring.h. Producer operations: any thread, also through one
 * shared end. Consumer operations: one thread. No operation blocks.
 */
#ifndef RK_CORE_RING_MP_H
#define RK_CORE_RING_MP_H

#include "core/ring.h"

/* Slots that a producer has claimed and not yet committed. */
typedef struct rk_ring_span {
    rk_u32 first; /* free-running index */
    rk_u32 count;
} rk_ring_span;

/* Claims up to `want` slots. RK_OK (claim->count is 1 or more), RK_FULL, RK_CORRUPT. */
rk_status rk_ring_mp_claim(const rk_ring_end *producer, uint32_t want, rk_ring_span *out_claim);

/* The i-th claimed slot. Slots of one claim need not lie side by side. */
RK_INLINE rk_slot *rk_ring_mp_slot(const rk_ring_end *producer, const rk_ring_span *claim,
                                   uint32_t i)
{
    return &producer->slots[(claim->first + i) & producer->mask];
}

/* Publishes all slots of the claim, which must be filled. */
void rk_ring_mp_commit(const rk_ring_end *producer, const rk_ring_span *claim);

/* Claim, copy, commit. RK_OK, RK_FULL, RK_CORRUPT; the batch returns how many were taken. */
rk_status rk_ring_mp_push(const rk_ring_end *producer, const rk_slot *message);
uint32_t rk_ring_mp_push_batch(const rk_ring_end *producer, const rk_slot *messages,
                               uint32_t count);

/* RK_OK, RK_EMPTY; the batch returns how many were taken. */
rk_status rk_ring_mp_pop(rk_ring_end *consumer, rk_slot *out_message);
uint32_t rk_ring_mp_pop_batch(rk_ring_end *consumer, rk_slot *out_messages, uint32_t count);

/* As rk_ring_peek and rk_ring_release: filled slots that lie side by side, and giving them back. */
uint32_t rk_ring_mp_peek(rk_ring_end *consumer, uint32_t want, const rk_slot **out_first);
void rk_ring_mp_release(rk_ring_end *consumer, uint32_t count);

#endif
