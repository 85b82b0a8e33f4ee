/*
 * timer.c: messages that are sent later, and the heap of all that is due.
 */
#include "actor/timer.h"
#include "base/clock.h"
#include <stdlib.h>

/* --- The heap; lock held --- */

static bool earlier(const rk_timer *a, const rk_timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->id < b->id;
}

static void place(struct rk_timers *ts, rk_timer *t, size_t slot)
{
    ts->heap[slot] = t;
    t->slot = slot;
}

static void sift(struct rk_timers *ts, rk_timer *t, size_t slot)
{
    while (slot > 0 && earlier(t, ts->heap[(slot - 1) / 2])) {
        place(ts, ts->heap[(slot - 1) / 2], slot);
        slot = (slot - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= ts->count) {
            break;
        }
        if (child + 1 < ts->count && earlier(ts->heap[child + 1], ts->heap[child])) {
            child++;
        }
        if (!earlier(ts->heap[child], t)) {
            break;
        }
        place(ts, ts->heap[child], slot);
        slot = child;
    }
    place(ts, t, slot);
}

bool rk_timer_arm(struct rk_timers *ts, rk_timer *t)
{
    if (ts->count == ts->capacity) {
        size_t capacity = ts->capacity == 0 ? 64 : ts->capacity * 2;
        rk_timer **heap = realloc(ts->heap, capacity * sizeof(rk_timer *));
        if (heap == NULL) {
            return false;
        }
        ts->heap = heap;
        ts->capacity = capacity;
    }
    ts->count++;
    t->armed = true;
    sift(ts, t, ts->count - 1);
    return true;
}

void rk_timer_disarm(struct rk_timers *ts, rk_timer *t)
{
    if (t->armed) {
        t->armed = false;
        rk_timer *last = ts->heap[--ts->count];
        if (last != t) {
            sift(ts, last, t->slot);
        }
    }
}

bool rk_timer_due_changed(rk_actor_system *sys)
{
    struct rk_timers *ts = sys->timers;
    uint64_t due_ns = ts->count == 0 ? RK_NEVER : ts->heap[0]->due_ns;
    return due_ns < atomic_exchange_explicit(&sys->next_due_ns, due_ns, memory_order_seq_cst);
}

void rk_timer_tell(rk_actor_system *sys)
{
    if (sys->ordered) {
        rk_turns_kick(sys);
    } else {
        rk_sched_wake_keeper(sys);
    }
}

bool rk_timer_owner_lives(rk_actor_system *sys, const rk_timer *t)
{
    if (t->owner == RK_ACTOR_NONE) {
        return true;
    }
    rk_actor *a = rk_table_find(sys, t->owner);
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_acquire);
    return rk_inbox_generation(inbox) == (uint32_t)(t->owner >> RK_ID_INDEX_BITS) &&
           atomic_load_explicit(&a->restarts, memory_order_relaxed) == t->owner_restarts;
}

/* --- Set-up --- */

rk_status rk_timers_init(rk_actor_system *sys)
{
    struct rk_timers *ts = calloc(1, sizeof *ts);
    if (ts == NULL) {
        return RK_NO_MEMORY;
    }
    rk_mutex_init(&ts->lock);
    rk_map_init(&ts->by_id, SIZE_MAX);
    rk_map_init(&ts->asks, SIZE_MAX);
    sys->timers = ts;
    return RK_OK;
}

void rk_timers_finish(rk_actor_system *sys)
{
    struct rk_timers *ts = sys->timers;
    if (ts == NULL) {
        return;
    }
    size_t cursor = 0;
    void *value;
    rk_visit v;
    rk_visit_enter(&v, sys);
    while (rk_map_next(&ts->by_id, &cursor, NULL, &value)) {
        rk_message_free(&v.origin, ((rk_timer *)value)->message);
        free(value);
    }
    rk_visit_leave(&v);
    cursor = 0;
    while (rk_map_next(&ts->asks, &cursor, NULL, &value)) {
        rk_asks_close_take(value);
    }
    free(ts->heap);
    free(ts->beats);
    rk_map_finish(&ts->by_id);
    rk_map_finish(&ts->asks);
    rk_mutex_finish(&ts->lock);
    free(ts);
    sys->timers = NULL;
}

/* --- Timers --- */

rk_status rk_timers_send_after(rk_origin *o, rk_actor_id owner, uint16_t owner_restarts,
                               rk_actor_id to, uint64_t delay_ns, rk_message *m,
                               rk_actor_timer *out_timer)
{
    struct rk_timers *ts = o->sys->timers;
    rk_timer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return RK_NO_MEMORY;
    }
    uint64_t now_ns = rk_origin_now_ns(o);
    t->kind = RK_TIMER_SEND;
    t->due_ns = delay_ns > RK_NEVER - now_ns ? RK_NEVER : now_ns + delay_ns;
    t->id = ++o->ids->next_timer << RK_SOURCE_BITS | o->ids->number;
    t->owner = owner;
    t->owner_restarts = owner_restarts;
    t->to = to;
    t->message = m;
    uint64_t id = t->id;
    rk_mutex_lock(&ts->lock);
    rk_status status = rk_map_add(&ts->by_id, id, t);
    if (status == RK_OK && !rk_timer_arm(ts, t)) {
        (void)rk_map_remove(&ts->by_id, id);
        status = RK_NO_MEMORY;
    }
    bool tell = status == RK_OK && rk_timer_due_changed(o->sys);
    rk_mutex_unlock(&ts->lock);
    if (status != RK_OK) {
        free(t);
        return status;
    }
    if (tell) {
        rk_timer_tell(o->sys);
    }
    *out_timer = id;
    return RK_OK;
}

rk_status rk_timers_cancel(rk_origin *o, rk_actor_timer id)
{
    struct rk_timers *ts = o->sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = rk_map_remove(&ts->by_id, id);
    if (t != NULL) {
        rk_timer_disarm(ts, t);
        (void)rk_timer_due_changed(o->sys);
    }
    rk_mutex_unlock(&ts->lock);
    if (t == NULL) {
        return RK_NOT_FOUND;
    }
    rk_message_free(o, t->message);
    free(t);
    return RK_OK;
}

/* --- Firing --- */

/* What take_due found. */
typedef struct due {
    rk_timer_kind kind;
    rk_timer *timer;      /* RK_TIMER_SEND: now the caller's */
    uint32_t correlation; /* RK_TIMER_ASK: it stays in its map */
} due;

/* Takes the next one that is due out of the heap; false: none. */
static bool take_due(rk_actor_system *sys, uint64_t now_ns, due *out)
{
    struct rk_timers *ts = sys->timers;
    rk_mutex_lock(&ts->lock);
    rk_timer *t = ts->count == 0 ? NULL : ts->heap[0];
    if (t != NULL && (t->due_ns > now_ns || t->due_ns == RK_NEVER)) {
        t = NULL;
    }
    if (t != NULL) {
        *out = (due){t->kind, t, t->correlation};
        rk_timer_disarm(ts, t);
        if (t->kind == RK_TIMER_SEND) {
            (void)rk_map_remove(&ts->by_id, t->id);
        }
        (void)rk_timer_due_changed(sys);
    }
    rk_mutex_unlock(&ts->lock);
    return t != NULL;
}

void rk_timers_fire(rk_origin *o, uint64_t now_ns)
{
    due d;
    while (atomic_load_explicit(&o->sys->next_due_ns, memory_order_relaxed) <= now_ns &&
           take_due(o->sys, now_ns, &d)) {
        if (d.kind == RK_TIMER_BEATS) {
            rk_beats_check(o, now_ns);
        } else if (d.kind == RK_TIMER_ASK) {
            rk_asks_expire(o, d.correlation);
        } else {
            if (rk_timer_owner_lives(o->sys, d.timer)) {
                (void)rk_post_take(o, d.timer->to, d.timer->message, false);
            } else {
                rk_message_free(o, d.timer->message);
            }
            free(d.timer);
        }
    }
}
