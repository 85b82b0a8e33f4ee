/*
 * worker.h: a worker of an actor system, and the context that it gives to handlers.
 */
#ifndef RK_ACTOR_WORKER_H
#define RK_ACTOR_WORKER_H

#include "actor/core.h"
#include <setjmp.h>

struct rk_actor_ctx {
    rk_origin origin;
    rk_actor *self; /* the actor in hand; NULL between actors */
    const rk_type_entry *type;
    rk_actor_id id;
    rk_message *message; /* in hand, to be freed */
    uint64_t now_ns;     /* ordered: of the turn */
    bool no_spawn;       /* in on_stop */
    rk_actor *behind;    /* a receiver that is far behind, to which it sent */
    rk_actor_reason stop_reason;
    bool in_handler;
    bool panicked; /* of the last rk_run_guarded */
    rk_status panic_code;
    char panic_text[128];
    jmp_buf *panic; /* where a panic goes */
};

/* Runnable actors of one priority. */
typedef struct rk_run_list {
    rk_spin lock;
    rk_actor **items; /* a circle */
    uint32_t head, count, capacity;
} rk_run_list;

/* A sender that was set aside. */
typedef struct rk_delayed {
    rk_actor *actor;
    rk_actor *behind;  /* until this receiver has caught up */
    uint32_t patience; /* times to look again, at most */
} rk_delayed;

struct rk_worker {
    rk_actor_ctx ctx;
    rk_thread thread;
    uint32_t number;
    uint32_t picks;
    rk_producer producer;
    rk_id_source ids;
    struct rk_turn_scratch *scratch; /* ordered */
    rk_delayed delayed[128];
    uint32_t delayed_count;
    uint64_t delayed_until_ns;
    /* Written by others. */
    alignas(RK_CACHE_LINE) _Atomic uint32_t inject; /* slot index + 1 of a stack; popped whole */
    _Atomic uint32_t parked;                        /* or about to be */
    uint32_t park;                                  /* futex word */
    /* The ring: the owner writes tail, whoever takes writes head. */
    alignas(RK_CACHE_LINE) _Atomic uint32_t head;
    alignas(RK_CACHE_LINE) _Atomic uint32_t tail;
    _Atomic uint32_t levels_mask; /* lists that may not be empty */
    rk_run_list lists[8];         /* by priority; the normal one takes what the ring cannot */
    _Atomic(rk_actor *) ring[RK_RING_SLOTS];
};

#endif
