/*
 * turns.h: what turns.c keeps about lanes and turns.
 */
#ifndef RK_ACTOR_TURNS_H
#define RK_ACTOR_TURNS_H

#include "actor/parts.h"
#include "base/clock.h"

/* How long a worker polls for the next turn before it parks. */
#define RK_TURN_SPIN_NS (20 * RK_NS_PER_US)

typedef struct rk_vector {
    void **items;
    size_t count, capacity;
} rk_vector;

/* Makes room for one more; false: out of memory. */
bool rk_vector_grow(rk_vector *v);
/* Aborts when out of memory: in the middle of a turn that cannot be undone. */
void rk_vector_add(rk_vector *v, void *item);
/* By slot index. */
void rk_vector_sort_actors(rk_vector *v);

/* A name to be given, or with RK_ACTOR_NONE to be taken away, after the turn. */
typedef struct rk_name_order {
    rk_actor_id id;
    char name[];
} rk_name_order;

typedef struct rk_lane {
    /* Actors to run in an even and in an odd turn: stacks of slot index + 1. */
    alignas(RK_CACHE_LINE) _Atomic uint32_t active[2];
    rk_id_source ids;
    rk_vector names; /* of rk_name_order */
} rk_lane;

typedef struct rk_outside_post {
    rk_actor_id to;
    rk_message *message;
} rk_outside_post;

/* A worker's place in the turn. */
typedef struct rk_turn_scratch {
    uint32_t lane;
    rk_vector actors; /* of the lane */
    size_t next_actor;
    rk_actor *in_hand;
    rk_vector messages; /* of the actor in hand */
    rk_vector spare;    /* for sorting */
    size_t at;
    rk_message *later; /* sent in this turn */
    uint32_t seen;     /* of rk_turns.word */
    bool outside;      /* has no part in the turn under way */
    uint64_t activated;
    rk_vector closing; /* actors that end with this turn */
    rk_vector given;   /* slots that become free */
} rk_turn_scratch;

struct rk_turns {
    rk_lane lanes[RK_LANES];
    alignas(RK_CACHE_LINE) _Atomic uint32_t next_lane;
    alignas(RK_CACHE_LINE) _Atomic uint32_t working;
    alignas(RK_CACHE_LINE) uint32_t word; /* changes with each turn for all workers; futex word */
    _Atomic uint64_t turn;
    uint64_t now_ns;
    bool ended;
    uint32_t kick; /* wakes the leader; futex word */
    rk_mutex lock; /* of what follows */
    bool idle;
    rk_outside_post *outside;
    size_t outside_count, outside_capacity;
};

/* RK_HEAD_TURN or 0, for what is sent in the turn under way or at the boundary behind it. */
uint64_t rk_turns_bit(const struct rk_turns *ts);
/* Runs the boundary and starts the next turn, for the leader alone or for all. */
void rk_turns_lead(rk_worker *w);

#endif
