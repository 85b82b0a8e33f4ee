/*
 * timer.h: the heap of what is due later, shared by timers, asks and heartbeats.
 *
 * One lock covers all of it. Nothing is called or sent while it is held.
 */
#ifndef RK_ACTOR_TIMER_H
#define RK_ACTOR_TIMER_H

#include "actor/parts.h"
#include "base/map.h"

#define RK_SOURCE_BITS 7 /* of timer ids and correlations: rk_id_source.number */

typedef enum rk_timer_kind { RK_TIMER_SEND, RK_TIMER_ASK, RK_TIMER_BEATS } rk_timer_kind;

typedef struct rk_timer {
    uint64_t due_ns;
    uint64_t id; /* of equal times the lower fires first */
    size_t slot; /* in the heap */
    rk_timer_kind kind;
    bool armed; /* is in the heap */
    uint16_t owner_restarts;
    bool sending;     /* ask of a future: its request is on the way out */
    rk_status failed; /* ask of a future: failed while sending */
    uint32_t correlation;
    rk_actor_id owner; /* who set it, or asked; RK_ACTOR_NONE: outside */
    rk_actor_id to;
    rk_message *message;
    rk_actor_future *future;
} rk_timer;

/* One actor that is watched. */
typedef struct rk_beat {
    rk_actor *actor;
    rk_actor_id id;
    uint64_t timeout_ns;
    bool automatic;
    bool missed; /* told already */
} rk_beat;

struct rk_timers {
    rk_mutex lock;
    rk_timer **heap;
    size_t count, capacity;
    rk_map by_id;
    rk_map asks; /* by correlation */
    rk_beat *beats;
    uint32_t beat_count, beat_capacity;
    uint64_t beat_interval_ns; /* the shortest */
    rk_timer beat_timer;
};

/* Lock held. False: out of memory. */
bool rk_timer_arm(struct rk_timers *ts, rk_timer *t);
/* Does nothing if it is not armed. Lock held. */
void rk_timer_disarm(struct rk_timers *ts, rk_timer *t);
/* Makes the next time known; true: it is earlier than before, so call rk_timer_tell. Lock held. */
bool rk_timer_due_changed(rk_actor_system *sys);
/* Tells the sleepers. Lock not held. */
void rk_timer_tell(rk_actor_system *sys);
/* Whether who set the timer still lives the same life. */
bool rk_timer_owner_lives(rk_actor_system *sys, const rk_timer *t);

/* ask.c: an ask's time is up. */
void rk_asks_expire(rk_origin *o, uint32_t correlation);
/* ask.c: the system ends; takes the timer. */
void rk_asks_close_take(rk_timer *t);
/* beat.c */
void rk_beats_check(rk_origin *o, uint64_t now_ns);

#endif
