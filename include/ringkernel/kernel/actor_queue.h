/*
 * actor_queue.h: mailboxes and run queues of the actors of a kernel. Part of actors.h.
 *
 * Invariants
 *   1. An actor is idle (its inbox word is NONE), or it has one owner: a place of its block's run
 *      queue, the lane that gives it its turn, or, after a failure, nobody until the host decides.
 *      Whoever makes the inbox anything else than NONE queues the actor.
 *   2. The senders of a mailbox push with one exchange each, and never wait. Between a sender's
 *      exchange and its link the message is PENDING: the owner then stops and queues the actor
 *      again.
 *   3. A place of a run queue is filled by an exchange and emptied by an exchange, so no actor is
 *      lost or taken twice even when slow lanes are lapped: who finds a place taken moves that
 *      actor on. There are more places than actors, so there always is a free one.
 *   4. A lane takes a ticket for one place and keeps it, across steps if need be, until the actor
 *      is there. A ticket whose place was filled before the last step ended and is empty was served
 *      by another lane and is void.
 *   5. At a safe point nobody is between two of these operations, and BUSY_BLOCKS is 0 only when
 *      no actor is queued.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_QUEUE_H
#define RINGKERNEL_KERNEL_ACTOR_QUEUE_H

#include <ringkernel/kernel/actor_lists.h>

RK_FN void rk_actor_queue_put(rk_actors *v, rk_u32 slot)
{
    rk_u32 block = rk_actor_home(v, slot);
    RK_G rk_u32 *tail = v->block + (rk_u64)block * RK_ACTOR_BLOCK_WORDS + RK_ACTOR_TAIL;
    RK_G rk_u32 *places = v->queue + (rk_u64)block * v->queue_stride;
    rk_u32 moved = slot + 1u;
    while (moved != 0u) {
        rk_u32 at = rk_device_add(tail, 1u);
        moved = rk_device_exchange(&places[at & v->queue_mask], moved);
    }
}

/* slot + 1 of the next actor of this lane's block; 0: none now. */
RK_FN rk_u32 rk_actor_queue_take(rk_actors *v, rk_u32 settled)
{
    if (v->holds == 0u) {
        rk_u32 waiting =
            rk_device_load(v->home + RK_ACTOR_TAIL) - rk_device_load(v->home + RK_ACTOR_HEAD);
        if ((rk_i32)waiting <= 0) {
            return 0u;
        }
        v->ticket = rk_device_add(v->home + RK_ACTOR_HEAD, 1u);
        v->holds = 1u;
    }
    RK_G rk_u32 *place =
        v->queue + (rk_u64)v->own_block * v->queue_stride + (v->ticket & v->queue_mask);
    if (rk_device_load(place) == 0u) {
        if ((rk_i32)(settled - v->ticket) > 0) {
            v->holds = 0u;
        }
        return 0u;
    }
    rk_u32 found = rk_device_exchange(place, 0u);
    v->holds = found != 0u ? 0u : 1u;
    return found;
}

/* The actor has become someone's: it will get a turn. */
RK_FN void rk_actor_schedule(rk_actors *v, rk_u32 slot)
{
    RK_G rk_u32 *block = v->block + (rk_u64)rk_actor_home(v, slot) * RK_ACTOR_BLOCK_WORDS;
    if (rk_device_add(block + RK_ACTOR_ACTIVE, 1u) == 0u) {
        (void)rk_device_add(v->common + RK_ACTOR_BUSY_BLOCKS, 1u);
    }
    rk_actor_queue_put(v, slot);
}

/* It got its last turn for now. Behind everything that the turn has scheduled. */
RK_FN void rk_actor_unschedule(rk_actors *v, rk_u32 slot)
{
    RK_G rk_u32 *block = v->block + (rk_u64)rk_actor_home(v, slot) * RK_ACTOR_BLOCK_WORDS;
    if (rk_device_add(block + RK_ACTOR_ACTIVE, 0xffffffffu) == 1u) {
        (void)rk_device_add(v->common + RK_ACTOR_BUSY_BLOCKS, 0xffffffffu);
    }
}

/* Pushes a filled message; returns what was there: NONE, BUSY or the message before. */
RK_FN rk_u32 rk_actor_push(rk_actors *v, RK_G rk_u32 *inbox, rk_u32 message)
{
    RK_G rk_u32 *next = rk_actor_words(v, message) + RK_ACTOR_NEXT;
    rk_device_store(next, RK_ACTOR_PENDING);
    rk_u32 before = rk_device_exchange(inbox, message);
    rk_device_store_release(next, before);
    return before;
}

RK_FN void rk_actor_post(rk_actors *v, rk_u32 slot, rk_u32 message)
{
    v->counted[RK_ACTOR_COUNT_SENT]++;
    if (rk_actor_push(v, v->record + 16u * (rk_u64)slot + RK_ACTOR_INBOX, message) ==
        RK_ACTOR_NONE) {
        rk_actor_schedule(v, slot);
    }
}

/* What rk_actor_next found. */
#define RK_ACTOR_GOT 0u
#define RK_ACTOR_EMPTY 1u /* no message: the actor is idle now, and no longer this lane's */
#define RK_ACTOR_AGAIN 2u /* a sender is in the middle of it, or has just come            */

/* The oldest message of an actor that this lane owns. */
RK_FN rk_u32 rk_actor_next(rk_actors *v, RK_G rk_u32 *record, rk_u32 *out_message)
{
    rk_u32 ready = record[RK_ACTOR_READY];
    if (ready == RK_ACTOR_NONE) {
        rk_u32 walk = record[RK_ACTOR_WALK];
        rk_u32 turned = record[RK_ACTOR_TURNED];
        if (walk == RK_ACTOR_NONE) {
            if (rk_device_load(&record[RK_ACTOR_INBOX]) == RK_ACTOR_BUSY) {
                return rk_device_cas(&record[RK_ACTOR_INBOX], RK_ACTOR_BUSY, RK_ACTOR_NONE) ==
                               RK_ACTOR_BUSY
                           ? RK_ACTOR_EMPTY
                           : RK_ACTOR_AGAIN;
            }
            walk = rk_device_exchange(&record[RK_ACTOR_INBOX], RK_ACTOR_BUSY);
            turned = RK_ACTOR_NONE;
        }
        while (walk >= RK_ACTOR_FIRST) {
            RK_G rk_u32 *next = rk_actor_words(v, walk) + RK_ACTOR_NEXT;
            rk_u32 older = rk_device_load_acquire(next); /* pairs with push's release */
            if (older == RK_ACTOR_PENDING) {
                record[RK_ACTOR_WALK] = walk;
                record[RK_ACTOR_TURNED] = turned;
                return RK_ACTOR_AGAIN;
            }
            rk_device_store(next, turned);
            turned = walk;
            walk = older;
        }
        record[RK_ACTOR_WALK] = RK_ACTOR_NONE;
        record[RK_ACTOR_TURNED] = RK_ACTOR_NONE;
        ready = turned;
    }
    record[RK_ACTOR_READY] = rk_actor_words(v, ready)[RK_ACTOR_NEXT];
    *out_message = ready;
    return RK_ACTOR_GOT;
}

#endif
