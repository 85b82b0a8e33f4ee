/*
 * messages.h: the kernel's side of the rings: emit to the host, send to other kernels, take from
 * the inbox. Layout and invariants are in abi/ring.h.
 *
 * A message longer than 40 bytes continues in the slots behind its first one: a header at byte 0,
 * then the payload without a gap, as many slots as it takes, never across the ring's end (a SKIP
 * message fills the rest). Its length is at most half the ring. The host's larger payloads come
 * through the slab instead.
 */
#ifndef RINGKERNEL_KERNEL_MESSAGES_H
#define RINGKERNEL_KERNEL_MESSAGES_H

#include <ringkernel/kernel/clock.h>
#include <ringkernel/kernel/panic.h>

/* Receipts of rk_send and rk_emit. */
#define RK_SENT 0u
#define RK_SEND_FULL 1u       /* the ring had no room: nothing was sent, and it was counted */
#define RK_SEND_NO_ROUTE 2u   /* no such route, or not connected                            */
#define RK_SEND_TENANT 3u     /* the route leads to another tenant                          */
#define RK_SEND_TOO_LONG 4u   /* longer than half the ring                                  */
#define RK_SEND_NOT_SERIAL 5u /* rk_emit outside a serial handler                          */
#define RK_SEND_CLOSED 6u     /* the destination has ended                                  */

/* Slots that a message of `length` payload bytes takes. */
RK_FN rk_u32 rk_message_slots(rk_u32 length)
{
    return length <= RK_SLOT_PAYLOAD_BYTES ? 1u : 2u + (length - RK_SLOT_PAYLOAD_BYTES - 1u) / 64u;
}

RK_FN RK_G rk_slot *rk_ring_slot(RK_G rk_ring *ring, rk_u32 index)
{
    return (RK_G rk_slot *)((RK_G rk_u8 *)ring + ring->slots) + (index & (ring->capacity - 1u));
}

RK_FN RK_G rk_u32 *rk_ring_sequence(RK_G rk_ring *ring, rk_u32 index)
{
    return (RK_G rk_u32 *)((RK_G rk_u8 *)ring + ring->sequences) + (index & (ring->capacity - 1u));
}

RK_FN void rk_slot_fill(RK_G rk_slot *slot, const rk_msg_header *header, rk_bytes payload)
{
    slot->header = *header;
    rk_copy_bytes(slot->payload, payload, header->length);
}

/* Wakes whoever may be asleep on a bell (abi/ring.h). On a GPU everybody polls. */
RK_FN void rk_bell_wake(rk_ctx *k, RK_G rk_bell *bell)
{
#if defined(RK_TARGET_CPU)
    rk_fence(); /* what was published before the parked word; pairs with the waiter's fence */
    if (rk_load_relaxed(&bell->parked) != 0u) {
        rk_store_relaxed(&bell->parked, 0u);
        rk_fetch_add(&bell->rung, 1u);
        k->env->wake(&bell->rung);
    }
#else
    (void)k;
    (void)bell;
#endif
}

RK_FN void rk_ring_wake_consumer(rk_ctx *k, RK_G rk_ring *ring)
{
#if defined(RK_TARGET_CPU)
    rk_bell_wake(k, (RK_G rk_bell *)((RK_G rk_u8 *)ring + ring->consumer_bell));
#else
    (void)k;
    (void)ring;
#endif
}

/* Pushes into the SPSC ring to the host, leaving `reserve` slots free. */
RK_FN rk_u32 rk_host_push(rk_ctx *k, const rk_msg_header *header, rk_bytes payload, rk_u32 reserve)
{
    RK_G rk_loop *loop = k->loop;
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->k2h);
    RK_G rk_slot *first = (RK_G rk_slot *)(k->mapped + loop->k2h_first);
    rk_u32 slots = rk_message_slots(header->length);
    rk_u32 capacity = loop->k2h_slots;
    if (slots > capacity / 2u) {
        return RK_SEND_TOO_LONG;
    }
    rk_u32 tail = loop->k2h_tail;
    rk_u32 to_end = capacity - (tail & (capacity - 1u));
    rk_u32 skip = slots > to_end ? to_end : 0u;
    rk_u32 needed = skip + slots + reserve;
    if (tail - loop->k2h_head + needed > capacity) {
        loop->k2h_head = rk_load_acquire(&ring->head); /* pairs with the host's release of head */
    }
    if (tail - loop->k2h_head + needed > capacity) {
        ring->refused++;
        return RK_SEND_FULL;
    }
    if (skip != 0u) {
        rk_msg_header pad = {0, RK_ANSWER_SKIP, 0, 0, 0, 0};
        pad.length = skip * 64u - 24u;
        first[tail & (capacity - 1u)].header = pad;
        tail += skip;
    }
    rk_slot_fill(&first[tail & (capacity - 1u)], header, payload);
    loop->k2h_tail = tail + slots;
    rk_store_release(&ring->tail, tail + slots);
    rk_ring_wake_consumer(k, ring);
    return RK_SENT;
}

RK_FN rk_u32 rk_emit_with(rk_ctx *k, rk_u32 type, rk_u16 flags, rk_u32 correlation,
                          rk_bytes payload, rk_u32 length)
{
    if (k->serial == 0u) {
        return RK_SEND_NOT_SERIAL;
    }
    rk_msg_header header = {0, 0, 0, 0, 0, 0};
    header.flags = (rk_u16)(flags | RK_MSG_PRIORITY_NORMAL);
    header.correlation = correlation;
    header.id = ++k->loop->emit_id;
    header.type = type < RK_MSG_TYPE_USER ? RK_MSG_TYPE_USER : type;
    header.length = length;
    rk_u32 receipt = rk_host_push(k, &header, payload, k->control->answer_reserve);
    if (receipt == RK_SENT) {
        k->loop->counters.emitted++;
    } else {
        k->loop->counters.emit_refused++;
    }
    return receipt;
}

/*
 * Sends a message to the host. Serial handlers only. The payload is copied.
 * Returns RK_SENT, or why not.
 */
RK_FN rk_u32 rk_emit(rk_ctx *k, rk_u32 type, rk_bytes payload, rk_u32 length)
{
    return rk_emit_with(k, type, 0u, 0u, payload, length);
}

/*
 * Answers a request (a message with RK_MSG_REQUEST), now or, from a copy of its flags and
 * correlation, later. RK_SEND_NO_ROUTE: it is not one. Otherwise as rk_emit.
 */
RK_FN rk_u32 rk_emit_reply(rk_ctx *k, const rk_msg *message, rk_u32 type, rk_bytes payload,
                           rk_u32 length)
{
    if ((message->flags & RK_MSG_REQUEST) == 0u) {
        return RK_SEND_NO_ROUTE;
    }
    return rk_emit_with(k, type, RK_MSG_REPLY, message->correlation, payload, length);
}

/*
 * Marks the slots behind the first of a message, so that an old sequence word of theirs can never
 * be taken for a message when the indices have wrapped: their word is i, that of a message i + 1.
 */
RK_FN void rk_ring_mark_rest(RK_G rk_ring *ring, rk_u32 position, rk_u32 slots)
{
    for (rk_u32 i = 1u; i < slots; i++) {
        rk_store_relaxed(rk_ring_sequence(ring, position + i), position + i);
    }
}

/* Claims `slots` consecutive slots of a multi-producer ring; the position is set on success. */
RK_FN rk_u32 rk_ring_claim(RK_G rk_ring *ring, rk_u32 slots, rk_u32 *position, rk_u32 *skip)
{
    rk_u32 capacity = ring->capacity;
    rk_u32 tail = rk_load_relaxed(&ring->tail);
    for (;;) {
        rk_u32 to_end = capacity - (tail & (capacity - 1u));
        *skip = slots > to_end ? to_end : 0u;
        rk_u32 used = tail - rk_load_acquire(&ring->head); /* pairs with the consumer's release */
        if ((rk_i32)used < 0) {
            tail = rk_load_relaxed(&ring->tail); /* head passed a stale tail */
            continue;
        }
        if (used + *skip + slots > capacity) {
            return RK_SEND_FULL;
        }
        rk_u32 found = rk_cas(&ring->tail, tail, tail + *skip + slots);
        if (found == tail) {
            *position = tail;
            return RK_SENT;
        }
        tail = found;
    }
}

/*
 * Sends a message to the kernel behind a route (an index into the routes of this kernel, in the
 * order in which the host connected them). Any block may call it, one lane at a time. The payload
 * is copied. Messages of one block arrive in order. Returns RK_SENT when it lies in the
 * destination's inbox.
 */
RK_FN rk_u32 rk_send(rk_ctx *k, rk_u32 route, rk_u32 type, rk_bytes payload, rk_u32 length)
{
    RK_G rk_route *entry = (RK_G rk_route *)(k->arena + k->control->routes) + route;
    if (route >= k->control->route_count || rk_load_acquire(&entry->state) != 1u) {
        return RK_SEND_NO_ROUTE;
    }
    if (entry->tenant != k->control->tenant) {
        return RK_SEND_TENANT;
    }
    RK_G rk_peer *there = (RK_G rk_peer *)entry->peer;
    RK_G rk_ring *ring = (RK_G rk_ring *)((RK_G rk_u8 *)there + there->inbox);
    rk_u32 slots = rk_message_slots(length);
    if (slots > ring->capacity / 2u) {
        return RK_SEND_TOO_LONG;
    }
    if (rk_load_relaxed(&there->closed) != 0u) {
        return RK_SEND_CLOSED;
    }
    rk_u32 position;
    rk_u32 skip;
    if (rk_ring_claim(ring, slots, &position, &skip) != RK_SENT) {
        rk_fetch_add(&entry->refused, 1u);
        return RK_SEND_FULL;
    }
    rk_fetch_add(&entry->sent, 1u);
    if (skip != 0u) {
        RK_G rk_slot *pad = rk_ring_slot(ring, position);
        pad->header.type = RK_ANSWER_SKIP;
        pad->header.length = skip * 64u - 24u;
        rk_ring_mark_rest(ring, position, skip);
        rk_store_release(rk_ring_sequence(ring, position), position + 1u);
        position += skip;
    }
    RK_G rk_slot *slot = rk_ring_slot(ring, position);
    slot->header.id = k->step;
    slot->header.type = type < RK_MSG_TYPE_USER ? RK_MSG_TYPE_USER : type;
    slot->header.source = (rk_u16)k->control->kernel_id;
    slot->header.flags = RK_MSG_PRIORITY_NORMAL;
    slot->header.correlation = 0u;
    slot->header.length = length;
    rk_copy_bytes(slot->payload, payload, length);
    rk_ring_mark_rest(ring, position, slots);
    rk_store_release(rk_ring_sequence(ring, position), position + 1u);
    rk_ring_wake_consumer(k, ring);
    return RK_SENT;
}

#if defined(RK_TARGET_OPENCL)
/* So that authors pass pointers on every target. */
#define rk_emit(k, t, p, n) rk_emit(k, t, rk_bytes_of(p), n)
#define rk_emit_reply(k, m, t, p, n) rk_emit_reply(k, m, t, rk_bytes_of(p), n)
#define rk_send(k, r, t, p, n) rk_send(k, r, t, rk_bytes_of(p), n)
#endif

#endif
