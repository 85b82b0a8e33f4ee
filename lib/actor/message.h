/*
 * message.h: what a message between actors looks like in memory.
 */
#ifndef RK_ACTOR_MESSAGE_H
#define RK_ACTOR_MESSAGE_H

#include "base/compiler.h"
#include <ringkernel/actor.h>

/* An id: generation above, slot index below. */
#define RK_ID_INDEX_BITS 28
#define RK_ID_INDEX_MASK ((1u << RK_ID_INDEX_BITS) - 1)
#define RK_ID_MASK ((1ull << 48) - 1)
#define RK_ID_FIRST (1ull << RK_ID_INDEX_BITS) /* generation 1, index 0 */

/* rk_message.head: the sender's id in the low 48 bits, then */
#define RK_HEAD_LENGTH_SHIFT 48 /* 6 bits: 0..40, or RK_HEAD_LARGE */
#define RK_HEAD_LARGE 63u
#define RK_HEAD_TURN (1ull << 54) /* ordered: lowest bit of the turn it was sent in */
#define RK_HEAD_PRIORITY_SHIFT 55 /* 3 bits: priority ^ 3, so normal is 0 */
#define RK_HEAD_DEADLINE (1ull << 58)
#define RK_HEAD_REQUEST (1ull << 59)
#define RK_HEAD_REPLY (1ull << 60)
#define RK_HEAD_CONTROL (1ull << 61) /* for the runtime itself; type is an rk_control */
/* What makes a mailbox sort: a priority, or a control message. */
#define RK_HEAD_SORT ((7ull << RK_HEAD_PRIORITY_SHIFT) | RK_HEAD_CONTROL)
#define RK_HEAD_SPECIAL_SHIFT 55

typedef enum rk_control {
    RK_CONTROL_ADOPT,     /* to a parent: take this child into the list                          */
    RK_CONTROL_ENDED,     /* to a parent: this child has terminated and its slot can go          */
    RK_CONTROL_HELD,      /* to a parent: this child has failed or exited and waits              */
    RK_CONTROL_SUSPENDED, /* to a parent: this child is down, as ordered                         */
    RK_CONTROL_STARTED,   /* to a parent: this child is up again                                 */
    RK_CONTROL_STOP,      /* drain, then end                                                     */
    RK_CONTROL_KILL,      /* end                                                                 */
    RK_CONTROL_SUSPEND,   /* go down and wait                                                    */
    RK_CONTROL_RESTART,   /* go down if up, and start afresh                                     */
    RK_CONTROL_FAIL,      /* fail, for the reason given                                          */
    RK_CONTROL_BEAT,      /* show a sign of life                                                 */
    RK_CONTROL_WAKE,      /* ordered, from outside: put this actor, which is held, on its lane   */
} rk_control;

typedef struct rk_control_body {
    uint32_t child; /* slot index */
    uint32_t reason;
    int32_t code;
    uint32_t unused;
} rk_control_body;

/* A payload that does not fit. */
typedef struct rk_large_body {
    void *data;
    uint32_t length;
    uint32_t size_class; /* of the buffer stocks; RK_BUFFER_CLASSES: from malloc */
} rk_large_body;

/* 64 bytes: one cache line, 24 of header and 40 of payload. */
typedef struct rk_message {
    struct rk_message *next;
    uint64_t head;
    uint32_t type;
    uint32_t correlation;
    union {
        unsigned char bytes[RK_ACTOR_INLINE_BYTES];
        rk_large_body large;
        rk_control_body control;
        struct {
            unsigned char bytes[32];
            uint64_t deadline_ns; /* with RK_HEAD_DEADLINE, in both forms */
        } timed;
    } body;
} rk_message;

_Static_assert(sizeof(rk_message) == 64, "a message is one cache line");
_Static_assert(sizeof(rk_large_body) <= 32, "a deadline fits behind a large body");

/* Level of a message in a mailbox: 8 for control, else its priority. */
#define RK_LEVELS 9
RK_INLINE unsigned rk_message_level(const rk_message *m)
{
    if ((m->head & RK_HEAD_CONTROL) != 0) {
        return 8;
    }
    return (unsigned)(m->head >> RK_HEAD_PRIORITY_SHIFT & 7) ^ 3u;
}

RK_INLINE rk_actor_id rk_message_from(const rk_message *m)
{
    return m->head & RK_ID_MASK;
}

/* Messages by level, each first in, first out. */
typedef struct rk_levels {
    rk_message *head[RK_LEVELS];
    rk_message *tail[RK_LEVELS];
    uint32_t mask; /* of levels that are not empty */
} rk_levels;

#endif
