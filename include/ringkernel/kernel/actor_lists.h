/*
 * actor_lists.h: what the actors of a kernel share: the view of its fields, rings of free things,
 * and the pool of messages. Part of actors.h.
 *
 * Invariants
 *   1. No operation waits for another lane: one that finds a ring busy gives up, and its caller
 *      keeps what it has. So lanes of one warp may do anything at the same time.
 *   2. A ring has a sequence number per place (D. Vyukov's bounded queue): a place is claimed only
 *      in its turn, so nothing is taken twice however long a lane sleeps in between.
 *   3. A free message is in one list: that of a lane, or one in the ring. Lists in the ring know
 *      their length (RK_ACTOR_LENGTH of the first message).
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_LISTS_H
#define RINGKERNEL_KERNEL_ACTOR_LISTS_H

#include <ringkernel/kernel/scope.h>

#define RK_ACTOR_RING_TRIES 16u

/* All fields, and the calling lane's own copy of its worker record. */
typedef struct rk_actors {
    RK_G rk_u32 *common;
    RK_G rk_u32 *block;
    RK_G rk_u32 *queue;
    RK_G rk_u32 *record;
    RK_G rk_u32 *slots;
    RK_G rk_u32 *lists;
    RK_G rk_u32 *message;
    RK_G rk_u32 *state;
    RK_G rk_u32 *worker; /* the lane's own */
    RK_G rk_u32 *home;   /* its block's words */
    rk_u32 actors;
    rk_u32 messages;
    rk_u32 blocks;
    rk_u32 own_block;
    rk_u32 queue_stride;
    rk_u32 queue_mask;
    rk_u32 slots_mask;
    rk_u32 lists_mask;
    rk_u32 list_length;
    rk_u32 holds;
    rk_u32 ticket;
    rk_u32 list;
    rk_u32 count;
    rk_u32 spare;
    rk_u32 done; /* messages handled in this step */
    rk_u32 counted[RK_ACTOR_COUNTS];
} rk_actors;

RK_FN rk_u32 rk_power_of_two(rk_u32 at_least)
{
    rk_u32 power = 1u;
    while (power < at_least) {
        power *= 2u;
    }
    return power;
}

RK_FN rk_u32 rk_actor_list_length(rk_u32 messages, rk_u32 lanes)
{
    rk_u32 length = messages / 4u / lanes;
    return length == 0u ? 1u : length > 32u ? 32u : length;
}

/* Actors go to blocks in groups of 32, so that neighbours stay together. */
RK_FN rk_u32 rk_actor_home(const rk_actors *v, rk_u32 slot)
{
    return (slot >> 5) % v->blocks;
}

RK_FN rk_u32 rk_actor_home_slots(rk_u32 actors, rk_u32 blocks)
{
    rk_u32 groups = actors / 32u + (actors % 32u != 0u ? 1u : 0u);
    return (groups / blocks + (groups % blocks != 0u ? 1u : 0u)) * 32u;
}

RK_FN RK_G rk_u32 *rk_actor_words(const rk_actors *v, rk_u32 message)
{
    return v->message + 16u * (rk_u64)(message - RK_ACTOR_FIRST);
}

RK_FN void rk_actors_view(rk_ctx *k, rk_u32 lane, rk_actors *v)
{
    v->common = RK_FIELD(k, actor_common);
    v->block = RK_FIELD(k, actor_block);
    v->queue = RK_FIELD(k, actor_queue);
    v->record = RK_FIELD(k, actor_record);
    v->slots = RK_FIELD(k, actor_slots);
    v->lists = RK_FIELD(k, actor_lists);
    v->message = RK_FIELD(k, actor_message);
    v->state = RK_FIELD(k, actor_state);
    v->home = v->block + (rk_u64)k->block * RK_ACTOR_BLOCK_WORDS;
    v->worker = RK_FIELD(k, actor_worker) +
                ((rk_u64)k->block * RK_ACTOR_LANES + lane) * RK_ACTOR_WORKER_WORDS;
    v->actors = RK_PARAM(k, actors);
    v->messages = RK_PARAM(k, actor_messages);
    v->blocks = k->block_count;
    v->own_block = k->block;
    v->queue_stride = (rk_u32)(RK_FIELD_ELEMENTS(k, actor_queue) / v->blocks);
    v->queue_mask = rk_power_of_two(rk_actor_home_slots(v->actors, v->blocks) + 1u) - 1u;
    v->slots_mask = rk_power_of_two(v->actors) - 1u;
    v->list_length = rk_device_load(v->common + RK_ACTOR_LIST_LENGTH);
    v->lists_mask =
        v->list_length == 0u ? 0u : rk_power_of_two(v->messages / v->list_length + 2u) - 1u;
    v->holds = v->worker[RK_ACTOR_W_HOLDS];
    v->ticket = v->worker[RK_ACTOR_W_TICKET];
    v->list = v->worker[RK_ACTOR_W_LIST];
    v->count = v->worker[RK_ACTOR_W_COUNT];
    v->spare = v->worker[RK_ACTOR_W_SPARE];
    v->done = 0u;
    for (rk_u32 i = 0u; i < RK_ACTOR_COUNTS; i++) {
        v->counted[i] = 0u;
    }
}

/* Writes the lane's copy back. */
RK_FN void rk_actors_flush(rk_actors *v)
{
    v->worker[RK_ACTOR_W_HOLDS] = v->holds;
    v->worker[RK_ACTOR_W_TICKET] = v->ticket;
    v->worker[RK_ACTOR_W_LIST] = v->list;
    v->worker[RK_ACTOR_W_COUNT] = v->count;
    v->worker[RK_ACTOR_W_SPARE] = v->spare;
    for (rk_u32 i = 0u; i < RK_ACTOR_COUNTS; i++) {
        RK_G rk_u32 *low = v->home + RK_ACTOR_COUNTED + 2u * i;
        if (v->counted[i] != 0u && rk_device_add(low, v->counted[i]) > ~v->counted[i]) {
            (void)rk_device_add(low + 1, 1u);
        }
        v->counted[i] = 0u;
    }
}

/* Takes a value from a ring; 0: there is none, or others are at it. */
RK_COLD rk_u32 rk_actor_ring_pop(RK_G rk_u32 *cells, rk_u32 mask, RK_G rk_u32 *head)
{
    rk_u32 at = rk_device_load(head);
    for (rk_u32 i = 0u; i < RK_ACTOR_RING_TRIES; i++) {
        RK_G rk_u32 *cell = cells + 2u * (rk_u64)(at & mask);
        rk_u32 ahead = rk_device_load_acquire(cell) - (at + 1u); /* pairs with push's release */
        if (ahead == 0u) {
            rk_u32 found = rk_device_cas(head, at, at + 1u);
            if (found == at) {
                rk_u32 value = cell[1];
                rk_device_store_release(cell, at + mask + 1u);
                return value;
            }
            at = found;
        } else if ((rk_i32)ahead < 0) {
            return 0u;
        } else {
            at = rk_device_load(head);
        }
    }
    return 0u;
}

/* Puts a value that is not 0 into a ring; 0: others are at it, nothing was done. */
RK_COLD rk_u32 rk_actor_ring_push(RK_G rk_u32 *cells, rk_u32 mask, RK_G rk_u32 *tail, rk_u32 value)
{
    rk_u32 at = rk_device_load(tail);
    for (rk_u32 i = 0u; i < RK_ACTOR_RING_TRIES; i++) {
        RK_G rk_u32 *cell = cells + 2u * (rk_u64)(at & mask);
        rk_u32 ahead = rk_device_load_acquire(cell) - at; /* pairs with pop's release */
        if (ahead == 0u) {
            rk_u32 found = rk_device_cas(tail, at, at + 1u);
            if (found == at) {
                cell[1] = value;
                rk_device_store_release(cell, at + 1u);
                return 1u;
            }
            at = found;
        } else if ((rk_i32)ahead < 0) {
            return 0u;
        } else {
            at = rk_device_load(tail);
        }
    }
    return 0u;
}

/* A free message, or RK_ACTOR_NONE. */
RK_FN rk_u32 rk_actor_message_take(rk_actors *v)
{
    if (v->list == RK_ACTOR_NONE) {
        v->list = v->spare;
        v->spare = RK_ACTOR_NONE;
        if (v->list == RK_ACTOR_NONE) {
            v->list = rk_actor_ring_pop(v->lists, v->lists_mask, v->common + RK_ACTOR_LISTS_HEAD);
        }
        if (v->list == RK_ACTOR_NONE) {
            return RK_ACTOR_NONE;
        }
        v->count = rk_actor_words(v, v->list)[RK_ACTOR_LENGTH];
    }
    rk_u32 message = v->list;
    v->list = rk_actor_words(v, message)[RK_ACTOR_NEXT];
    v->count--;
    return message;
}

/* Makes sure of `wanted` free messages, if they are to be had; how many the lane has now. */
RK_FN rk_u32 rk_actor_messages_reserve(rk_actors *v, rk_u32 wanted)
{
    rk_u32 have = v->list == RK_ACTOR_NONE ? 0u : v->count;
    if (v->spare == RK_ACTOR_NONE && have < wanted) {
        v->spare = rk_actor_ring_pop(v->lists, v->lists_mask, v->common + RK_ACTOR_LISTS_HEAD);
    }
    return have + (v->spare == RK_ACTOR_NONE ? 0u : rk_actor_words(v, v->spare)[RK_ACTOR_LENGTH]);
}

RK_FN void rk_actor_message_give(rk_actors *v, rk_u32 message)
{
    if (v->count >= v->list_length &&
        (v->spare == RK_ACTOR_NONE ||
         rk_actor_ring_push(v->lists, v->lists_mask, v->common + RK_ACTOR_LISTS_TAIL, v->spare) !=
             0u)) {
        rk_actor_words(v, v->list)[RK_ACTOR_LENGTH] = v->count;
        v->spare = v->list;
        v->list = RK_ACTOR_NONE;
        v->count = 0u;
    }
    rk_actor_words(v, message)[RK_ACTOR_NEXT] = v->list;
    v->list = message;
    v->count++;
}

#endif
