/*
 * ask.c: requests that wait for a reply.
 *
 * An ask is known by its correlation. It ends exactly once, when it leaves the map:
 *   - an actor's ask ends when the actor receives the reply or RK_ACTOR_MSG_ASK_FAILED, whichever
 *     comes first; the other one finds no ask any more. Whoever learns that there will be no reply
 *     only sends that message, so in an ordered system no one else's haste can be seen;
 *   - a future's ask ends when the reply is given, the request dies or its time is up.
 */
#include "actor/timer.h"
#include "base/clock.h"
#include "base/wait.h"
#include <stdlib.h>
#include <string.h>

struct rk_actor_future {
    uint32_t done; /* futex word */
    _Atomic uint32_t refs;
    rk_status status;
    uint32_t type;
    uint32_t length;
    void *payload;
};

static void future_unref(rk_actor_future *future)
{
    if (atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) == 1) {
        free(future->payload);
        free(future);
    }
}

/* Ends a future and drops the caller's reference. */
static void future_complete_consume(rk_actor_future *future, rk_status status, uint32_t type,
                                    const void *payload, uint32_t length)
{
    if (length != 0) {
        future->payload = malloc(length);
        if (future->payload == NULL) {
            status = RK_NO_MEMORY;
            length = 0;
        } else {
            memcpy(future->payload, payload, length);
        }
    }
    future->status = status;
    future->type = type;
    future->length = length;
    /* Release pairs with the acquire in rk_wait_while_equal. */
    rk_atomic_store_u32(&future->done, 1, memory_order_release);
    rk_wake(&future->done, RK_WAKE_ALL);
    future_unref(future);
}

/* Takes an ask out for good; lock held. */
static void ask_remove(rk_actor_system *sys, rk_timer *t)
{
    (void)rk_map_remove(&sys->timers->asks, t->correlation);
    rk_timer_disarm(sys->timers, t);
    (void)rk_timer_due_changed(sys);
}

rk_status rk_asks_begin(rk_origin *o, rk_actor_id asker, uint16_t asker_restarts,
                        rk_actor_future *future, uint64_t due_ns, uint32_t *out_correlation)
{
    struct rk_timers *ts = o->sys->timers;
    rk_timer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return RK_NO_MEMORY;
    }
    t->kind = RK_TIMER_ASK;
    t->due_ns = due_ns;
    t->owner = asker;
    t->owner_restarts = asker_restarts;
    t->future = future;
    t->sending = future != NULL;
    t->id = ++o->ids->next_timer << RK_SOURCE_BITS | o->ids->number;
    rk_mutex_lock(&ts->lock);
    rk_status status;
    do {
        uint32_t number = ++o->ids->next_correlation;
        t->correlation = number << RK_SOURCE_BITS | o->ids->number;
        status = t->correlation == 0 ? RK_EXISTS : rk_map_add(&ts->asks, t->correlation, t);
    } while (status == RK_EXISTS);
    if (status == RK_OK && !rk_timer_arm(ts, t)) {
        (void)rk_map_remove(&ts->asks, t->correlation);
        status = RK_NO_MEMORY;
    }
    bool tell = status == RK_OK && rk_timer_due_changed(o->sys);
    *out_correlation = t->correlation;
    rk_mutex_unlock(&ts->lock);
    if (status != RK_OK) {
        free(t);
        return status;
    }
    if (tell) {
        rk_timer_tell(o->sys);
    }
    return RK_OK;
}

void rk_asks_sent(rk_origin *o, uint32_t correlation, bool sent)
{
    struct rk_timers *ts = o->sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_get(&ts->asks, correlation);
    if (t != NULL) {
        t->sending = false;
        if (!sent || t->failed != RK_OK) {
            ask_remove(o->sys, t);
        } else {
            t = NULL;
        }
    }
    rk_mutex_unlock(&ts->lock);
    if (t == NULL) {
        return;
    }
    if (t->future != NULL && sent) {
        future_complete_consume(t->future, t->failed, 0, NULL, 0);
    } else if (t->future != NULL) {
        future_unref(t->future);
    }
    free(t);
}

bool rk_asks_end(rk_origin *o, uint32_t correlation, rk_actor_id asker, uint16_t restarts)
{
    struct rk_timers *ts = o->sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_get(&ts->asks, correlation);
    if (t != NULL && (t->owner != asker || t->future != NULL)) {
        t = NULL; /* a forged or mistaken reply */
    }
    if (t != NULL) {
        ask_remove(o->sys, t);
    }
    rk_mutex_unlock(&ts->lock);
    if (t == NULL) {
        return false;
    }
    bool same_life = t->owner_restarts == restarts;
    free(t);
    return same_life;
}

rk_status rk_asks_reply(rk_origin *o, uint32_t correlation, uint32_t type, const void *payload,
                        uint32_t length)
{
    struct rk_timers *ts = o->sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_get(&ts->asks, correlation);
    if (t != NULL && t->future == NULL) {
        t = NULL;
    }
    if (t != NULL) {
        ask_remove(o->sys, t);
    }
    rk_mutex_unlock(&ts->lock);
    if (t == NULL) {
        return RK_NOT_FOUND;
    }
    future_complete_consume(t->future, RK_OK, type, payload, length);
    free(t);
    return RK_OK;
}

/* Sends RK_ACTOR_MSG_ASK_FAILED. */
static void tell_asker(rk_origin *o, rk_actor_id asker, uint32_t correlation, rk_status status)
{
    const rk_draft draft = {.head = RK_HEAD_REPLY | rk_origin_sender(o),
                            .type = RK_ACTOR_MSG_ASK_FAILED,
                            .correlation = correlation};
    int32_t code = status;
    rk_message *m;
    /* Without memory the asker waits on; its timeout comes here again. */
    if (rk_message_make(o, &draft, &code, sizeof code, &m) == RK_OK) {
        (void)rk_post_take(o, asker, m, false);
    }
}

void rk_asks_fail(rk_origin *o, uint32_t correlation, rk_actor_id asker, rk_status status)
{
    struct rk_timers *ts = o->sys->timers;
    if (asker != RK_ACTOR_NONE) {
        tell_asker(o, asker, correlation, status);
        return;
    }
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_get(&ts->asks, correlation);
    if (t != NULL && t->future == NULL) {
        t = NULL;
    }
    if (t != NULL && t->sending) {
        t->failed = status;
        t = NULL;
    } else if (t != NULL) {
        ask_remove(o->sys, t);
    }
    rk_mutex_unlock(&ts->lock);
    if (t != NULL) {
        future_complete_consume(t->future, status, 0, NULL, 0);
        free(t);
    }
}

void rk_asks_expire(rk_origin *o, uint32_t correlation)
{
    struct rk_timers *ts = o->sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_get(&ts->asks, correlation);
    rk_actor_id asker = t == NULL ? RK_ACTOR_NONE : t->owner;
    rk_mutex_unlock(&ts->lock);
    if (t != NULL) {
        rk_asks_fail(o, correlation, asker, RK_TIMEOUT);
    }
}

void rk_asks_close_take(rk_timer *t)
{
    if (t->future != NULL) {
        future_complete_consume(t->future, RK_CLOSED, 0, NULL, 0);
    }
    free(t);
}

rk_status rk_actor_system_ask(rk_actor_system *sys, rk_actor_id to, uint32_t type,
                              const void *payload, uint32_t length, uint64_t timeout_ns,
                              rk_actor_future **out_future)
{
    if (type < RK_MSG_TYPE_USER || timeout_ns == 0) {
        return RK_INVALID;
    }
    rk_actor_future *future = calloc(1, sizeof *future);
    if (future == NULL) {
        return RK_NO_MEMORY;
    }
    atomic_store_explicit(&future->refs, 2, memory_order_relaxed);
    rk_visit v;
    rk_visit_enter(&v, sys);
    rk_draft draft = {.head = RK_HEAD_REQUEST, .type = type};
    uint64_t now_ns = rk_origin_now_ns(&v.origin);
    draft.deadline_ns = timeout_ns > RK_NEVER - now_ns ? RK_NEVER : now_ns + timeout_ns;
    rk_status status =
        rk_asks_begin(&v.origin, RK_ACTOR_NONE, 0, future, draft.deadline_ns, &draft.correlation);
    if (status != RK_OK) {
        rk_visit_leave(&v);
        free(future);
        return status;
    }
    rk_message *m;
    status = rk_message_make(&v.origin, &draft, payload, length, &m);
    if (status == RK_OK) {
        status = rk_post_take(&v.origin, to, m, false);
    }
    rk_asks_sent(&v.origin, draft.correlation, status == RK_OK);
    rk_visit_leave(&v);
    if (status != RK_OK) {
        future_unref(future);
        return status;
    }
    *out_future = future;
    return RK_OK;
}

rk_status rk_actor_future_wait(rk_actor_future *future, uint64_t deadline_ns,
                               rk_actor_reply_view *out_reply)
{
    if (rk_this_worker != NULL && rk_atomic_load_u32(&future->done, memory_order_acquire) == 0) {
        return RK_STATE;
    }
    rk_status status = rk_wait_while_equal(&future->done, 0, deadline_ns, 5 * RK_NS_PER_US);
    if (status != RK_OK) {
        return status;
    }
    if (future->status == RK_OK) {
        *out_reply = (rk_actor_reply_view){future->type, future->length, future->payload};
    }
    return future->status;
}

void rk_actor_future_destroy(rk_actor_future *future)
{
    if (future != NULL) {
        future_unref(future);
    }
}
