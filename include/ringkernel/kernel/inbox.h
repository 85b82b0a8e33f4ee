/*
 * inbox.h: the kernel's side of its inbox: messages that other kernels sent. Part of loop.h.
 */
#ifndef RINGKERNEL_KERNEL_INBOX_H
#define RINGKERNEL_KERNEL_INBOX_H

#include <ringkernel/kernel/messages.h>

RK_FN RK_G rk_ring *rk_inbox(rk_ctx *k)
{
    RK_G rk_u8 *peer = k->arena + k->control->peer;
    return (RK_G rk_ring *)(peer + ((RK_G rk_peer *)peer)->inbox);
}

/* Takes the next inbox message without removing it; returns 0 when there is none. */
RK_FN rk_u32 rk_inbox_peek(RK_G rk_ring *ring, RK_G rk_slot **out_slot, rk_u32 *out_slots)
{
    rk_u32 head = ring->head;
    if (rk_load_acquire(rk_ring_sequence(ring, head)) != head + 1u) {
        return 0u;
    }
    *out_slot = rk_ring_slot(ring, head);
    *out_slots = rk_message_slots((*out_slot)->header.length);
    return 1u;
}

/* Gives the slots of the message that rk_inbox_peek showed back to the producers. */
RK_FN void rk_inbox_release(RK_G rk_ring *ring, rk_u32 slots)
{
    rk_store_release(&ring->head, ring->head + slots);
}

#endif
