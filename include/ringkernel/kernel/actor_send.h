/*
 * actor_send.h: what an actor's handler sees and may do. Part of actors.h.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_SEND_H
#define RINGKERNEL_KERNEL_ACTOR_SEND_H

#include <ringkernel/kernel/actor_queue.h>

/* An actor as its handler sees it. */
typedef struct rk_actor {
    rk_u64 id;
    rk_u32 behaviour;    /* as given when it was spawned; 0 for the initial ones */
    RK_G rk_u32 *state;  /* RK_ACTOR_STATE_WORDS words; zero when it starts      */
    RK_G rk_u32 *record; /* the rest is not for authors                          */
    rk_actors *all;
    rk_u32 verdict;
    rk_u32 code;
} rk_actor;

/* A message: a copy of the handler's own. */
typedef struct rk_actor_message {
    rk_u32 type;
    rk_u32 length; /* bytes                                                       */
    rk_u64 source; /* id of the sender; rk_actor_send to it answers, also the host */
    rk_u32 word[RK_ACTOR_PAYLOAD_WORDS];
} rk_actor_message;

/* Why RK_ACTOR_START is called. */
#define RK_ACTOR_NEW 0u
#define RK_ACTOR_RESTARTED 1u

/* Message types below RK_MSG_TYPE_USER, which only this header sends. */
#define RK_ACTOR_TYPE_START 1u
#define RK_ACTOR_TYPE_STOP 2u

/* rk_actor.verdict */
#define RK_ACTOR_GOES_ON 0u
#define RK_ACTOR_FAILS 1u
#define RK_ACTOR_ENDS 2u

/* What the author defines behind the include. */
#define RK_ON_ACTOR                                                                                \
    RK_HANDLER void rk_on_actor(rk_ctx *k, rk_actor *self, const rk_actor_message *message)
#define RK_ACTOR_START RK_HANDLER void rk_on_actor_start(rk_ctx *k, rk_actor *self, rk_u32 reason)
RK_ON_ACTOR;
#if RK_HAS_ACTOR_START
RK_ACTOR_START;
#endif

RK_FN rk_u64 rk_actor_id_of(rk_u32 slot, rk_u32 generation)
{
    return ((rk_u64)generation << 32) | slot;
}

/* Two words of a message as one number. */
RK_FN rk_u64 rk_actor_word64(const rk_actor_message *message, rk_u32 word)
{
    return message->word[word] | ((rk_u64)message->word[word + 1u] << 32);
}

/* A message with everything but its way filled in; RK_ACTOR_NONE: none is free. */
RK_FN rk_u32 rk_actor_compose(rk_actors *v, rk_u64 source, rk_u32 generation, rk_u32 type,
                              const rk_u32 *words, rk_u32 length)
{
    rk_u32 message = rk_actor_message_take(v);
    if (message == RK_ACTOR_NONE) {
        v->counted[RK_ACTOR_COUNT_REFUSED]++;
        return RK_ACTOR_NONE;
    }
    RK_G rk_u32 *to = rk_actor_words(v, message);
    to[RK_ACTOR_TYPE] = type;
    to[RK_ACTOR_SOURCE] = (rk_u32)source;
    to[RK_ACTOR_SOURCE_GENERATION] = (rk_u32)(source >> 32);
    to[RK_ACTOR_DEST_GENERATION] = generation;
    to[RK_ACTOR_LENGTH] = length;
    for (rk_u32 i = 0u; 4u * i < length; i++) {
        to[RK_ACTOR_PAYLOAD + i] = words[i];
    }
    return message;
}

/*
 * Sends to another actor, to oneself, or (message->source of a message of the host) answers the
 * host. type is at least RK_MSG_TYPE_USER; length is in bytes, at most 40; words are copied, the
 * last one whole. Messages of one actor to another arrive in order. Never waits.
 *
 * RK_SENT; RK_SEND_FULL: no message is free, counted; RK_SEND_NO_ROUTE: no such place;
 * RK_SEND_TOO_LONG. A handler may always send one message: the one it handles is free by then.
 */
RK_FN rk_u32 rk_actor_send(rk_ctx *k, rk_actor *self, rk_u64 to, rk_u32 type, const rk_u32 *words,
                           rk_u32 length)
{
    rk_actors *v = self->all;
    rk_u32 slot = (rk_u32)to;
    (void)k;
    if (length > 4u * RK_ACTOR_PAYLOAD_WORDS) {
        return RK_SEND_TOO_LONG;
    }
    if (slot >= v->actors && slot != RK_ACTOR_HOST) {
        return RK_SEND_NO_ROUTE;
    }
    rk_u32 message =
        rk_actor_compose(v, self->id, (rk_u32)(to >> 32),
                         type < RK_MSG_TYPE_USER ? RK_MSG_TYPE_USER : type, words, length);
    if (message == RK_ACTOR_NONE) {
        return RK_SEND_FULL;
    }
    if (slot == RK_ACTOR_HOST) {
        (void)rk_actor_push(v, v->common + RK_ACTOR_OUTBOX, message);
    } else {
        rk_actor_post(v, slot, message);
    }
    return RK_SENT;
}

/*
 * How many messages this handler can surely still send, at least 1 at its start; tries to make that
 * `wanted`. For what must be sent as a whole or not at all.
 */
RK_FN rk_u32 rk_actor_reserve(rk_ctx *k, rk_actor *self, rk_u32 wanted)
{
    (void)k;
    return rk_actor_messages_reserve(self->all, wanted);
}

/*
 * Sends to the host, which receives type, the actor's id (8 bytes) and the payload. It leaves the
 * kernel at the end of the step; what the ring to the host has no room for waits. As rk_actor_send.
 */
RK_FN rk_u32 rk_actor_emit(rk_ctx *k, rk_actor *self, rk_u32 type, const rk_u32 *words,
                           rk_u32 length)
{
    return rk_actor_send(k, self, rk_actor_id_of(RK_ACTOR_HOST, 0u), type, words, length);
}

/* Starts an actor; returns RK_SENT and its id, or RK_SEND_FULL: no place or no message is free. */
RK_FN rk_u32 rk_actors_spawn(rk_actors *v, rk_u64 source, rk_u32 behaviour, rk_u64 *out_id)
{
    rk_u32 words[1] = {0u};
    words[0] = behaviour;
    rk_u32 message = rk_actor_compose(v, source, 0u, RK_ACTOR_TYPE_START, words, 4u);
    if (message == RK_ACTOR_NONE) {
        return RK_SEND_FULL;
    }
    rk_u32 place = rk_actor_ring_pop(v->slots, v->slots_mask, v->common + RK_ACTOR_SLOTS_HEAD);
    if (place == 0u) {
        rk_actor_message_give(v, message);
        return RK_SEND_FULL;
    }
    /* Nobody changes the generation of a free place: its START does. */
    rk_u32 generation = v->record[16u * (rk_u64)(place - 1u) + RK_ACTOR_GENERATION] + 1u;
    generation = generation == 0u ? 1u : generation;
    rk_actor_words(v, message)[RK_ACTOR_DEST_GENERATION] = generation;
    rk_actor_post(v, place - 1u, message);
    *out_id = rk_actor_id_of(place - 1u, generation);
    return RK_SENT;
}

/* The same from a handler. The new actor may be sent to at once. */
RK_FN rk_u32 rk_actor_spawn(rk_ctx *k, rk_actor *self, rk_u32 behaviour, rk_u64 *out_id)
{
    (void)k;
    return rk_actors_spawn(self->all, self->id, behaviour, out_id);
}

/* Ends this actor when its handler returns. What is in its mailbox becomes dead letters. */
RK_FN void rk_actor_stop(rk_ctx *k, rk_actor *self)
{
    (void)k;
    self->verdict = RK_ACTOR_ENDS;
}

/* Ends another one when it comes to the message; as rk_actor_send. */
RK_FN rk_u32 rk_actor_stop_other(rk_ctx *k, rk_actor *self, rk_u64 id)
{
    (void)k;
    if ((rk_u32)id >= self->all->actors) {
        return RK_SEND_NO_ROUTE;
    }
    rk_u32 message =
        rk_actor_compose(self->all, self->id, (rk_u32)(id >> 32), RK_ACTOR_TYPE_STOP, 0, 0u);
    if (message == RK_ACTOR_NONE) {
        return RK_SEND_FULL;
    }
    rk_actor_post(self->all, (rk_u32)id, message);
    return RK_SENT;
}

/*
 * Fails this actor when its handler returns: the host is told, and it starts again with fresh state
 * and the rest of its mailbox, or, after actor_restarts of those, waits for the host.
 */
RK_FN void rk_actor_fail(rk_ctx *k, rk_actor *self, rk_u32 code)
{
    (void)k;
    self->verdict = RK_ACTOR_FAILS;
    self->code = code;
}

#endif
