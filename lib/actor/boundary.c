/*
 * boundary.c: what happens between two turns of an ordered system, and what waits for it.
 *
 * The worker that finishes the turn last leads: alone, it ends actors, frees slots, gives names,
 * lets in what has lined up outside and fires timers, each in an order that does not depend on the
 * workers. Then it starts the next turn, or waits until there is something to do.
 */
#include "actor/turns.h"
#include "base/clock.h"
#include "base/wait.h"
#include <stdlib.h>
#include <string.h>

/* A turn with fewer active actors is run by the leader alone: waking the others costs more. */
#define SMALL_TURN 48u

/* --- From outside --- */

rk_status rk_turns_post_take(rk_actor_system *sys, rk_actor_id to, rk_message *m)
{
    struct rk_turns *ts = sys->turns;
    rk_mutex_lock(&ts->lock);
    if (ts->outside_count == ts->outside_capacity) {
        size_t capacity = ts->outside_capacity == 0 ? 64 : ts->outside_capacity * 2;
        rk_outside_post *posts = realloc(ts->outside, capacity * sizeof *posts);
        if (posts == NULL) {
            rk_mutex_unlock(&ts->lock);
            rk_visit v;
            rk_visit_enter(&v, sys);
            rk_message_free(&v.origin, m);
            rk_visit_leave(&v);
            return RK_NO_MEMORY;
        }
        ts->outside = posts;
        ts->outside_capacity = capacity;
    }
    ts->outside[ts->outside_count++] = (rk_outside_post){to, m};
    bool kick = ts->idle;
    ts->idle = false;
    rk_mutex_unlock(&ts->lock);
    if (kick) {
        rk_turns_kick(sys);
    }
    return RK_OK;
}

void rk_turns_kick(rk_actor_system *sys)
{
    struct rk_turns *ts = sys->turns;
    rk_atomic_add_u32(&ts->kick, 1, memory_order_seq_cst);
    rk_wake(&ts->kick, 1);
}

void rk_turns_tick(rk_actor_system *sys)
{
    struct rk_turns *ts = sys->turns;
    uint64_t now_ns = rk_clock_monotonic_ns();
    rk_mutex_lock(&ts->lock);
    bool kick = ts->idle && atomic_load_explicit(&sys->next_due_ns, memory_order_seq_cst) <= now_ns;
    if (kick) {
        ts->idle = false;
    }
    rk_mutex_unlock(&ts->lock);
    if (kick) {
        rk_turns_kick(sys);
    }
}

bool rk_turns_is_idle(rk_actor_system *sys)
{
    struct rk_turns *ts = sys->turns;
    rk_mutex_lock(&ts->lock);
    bool idle = ts->idle && ts->outside_count == 0;
    rk_mutex_unlock(&ts->lock);
    return idle;
}

/* --- The boundary --- */

/* Collects what the workers left in one of their vectors, in order of index. */
static rk_vector *collect(rk_worker *leader, size_t offset)
{
    rk_actor_system *sys = leader->ctx.origin.sys;
    rk_vector *all = (rk_vector *)(void *)((char *)leader->scratch + offset);
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        rk_vector *v = (rk_vector *)(void *)((char *)sys->workers[i].scratch + offset);
        for (size_t k = 0; v != all && k < v->count; k++) {
            rk_vector_add(all, v->items[k]);
        }
        if (v != all) {
            v->count = 0;
        }
    }
    rk_vector_sort_actors(all);
    return all;
}

static void boundary_ends(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    rk_vector *closing = collect(w, offsetof(rk_turn_scratch, closing));
    for (size_t i = 0; i < closing->count; i++) {
        rk_life_close(&w->ctx.origin, closing->items[i]);
    }
    closing->count = 0;
    rk_vector *given = collect(w, offsetof(rk_turn_scratch, given));
    for (size_t i = 0; i < given->count; i++) {
        rk_actor *a = given->items[i];
        uint32_t source = a->index / RK_PAGE_SLOTS % (RK_LANES + 1);
        if (source == RK_LANES) {
            rk_spin_lock(&sys->shards[0].lock);
            rk_table_give(sys, &sys->shards[0].ids, a);
            rk_spin_unlock(&sys->shards[0].lock);
        } else {
            rk_table_give(sys, &sys->turns->lanes[source].ids, a);
        }
    }
    given->count = 0;
}

static void boundary_names(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    for (uint32_t lane = 0; lane < RK_LANES; lane++) {
        rk_vector *names = &sys->turns->lanes[lane].names;
        for (size_t i = 0; i < names->count; i++) {
            rk_name_order *order = names->items[i];
            if (order->id == RK_ACTOR_NONE) {
                (void)rk_registry_remove(sys, order->name);
            } else if (rk_registry_add(sys, order->name, order->id) == RK_EXISTS) {
                const rk_draft draft = {.type = RK_ACTOR_MSG_NAME_TAKEN};
                rk_message *m;
                if (rk_message_make(&w->ctx.origin, &draft, order->name,
                                    (uint32_t)strlen(order->name) + 1, &m) == RK_OK) {
                    (void)rk_post_take(&w->ctx.origin, order->id, m, false);
                }
            }
            free(order);
        }
        names->count = 0;
    }
}

/* Delivers one message from outside. */
static void outside_post(rk_origin *o, const rk_outside_post *post)
{
    rk_message *m = post->message;
    if ((m->head & RK_HEAD_CONTROL) == 0) {
        (void)rk_post_take(o, post->to, m, false);
        return;
    }
    rk_control_body body = m->body.control;
    rk_control control = (rk_control)m->type;
    rk_message_free(o, m);
    if (control == RK_CONTROL_WAKE) {
        rk_turns_activate(o, rk_table_at(o->sys, body.child));
    } else if (!rk_control_post(o, post->to, control, &body) && control == RK_CONTROL_ADOPT) {
        rk_life_orphan(o, body.child);
    }
}

static void boundary_outside(rk_worker *w)
{
    struct rk_turns *ts = w->ctx.origin.sys->turns;
    rk_mutex_lock(&ts->lock);
    rk_outside_post *posts = ts->outside;
    size_t count = ts->outside_count;
    ts->outside = NULL;
    ts->outside_count = ts->outside_capacity = 0;
    rk_mutex_unlock(&ts->lock);
    for (size_t i = 0; i < count; i++) {
        outside_post(&w->ctx.origin, &posts[i]);
    }
    free(posts);
}

/* How many activations there were since the last time. */
static uint64_t activations(rk_actor_system *sys)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        sum += sys->workers[i].scratch->activated;
        sys->workers[i].scratch->activated = 0;
    }
    return sum;
}

static void boundary_timers(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    uint64_t now_ns = rk_clock_monotonic_ns();
    sys->turns->now_ns = RK_MAX(now_ns, sys->turns->now_ns);
    if (atomic_load_explicit(&sys->next_due_ns, memory_order_relaxed) <= sys->turns->now_ns) {
        rk_timers_fire(&w->ctx.origin, sys->turns->now_ns);
    }
}

/* Waits until something lines up or is due. */
static void leader_wait(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    struct rk_turns *ts = sys->turns;
    uint32_t seen = rk_atomic_load_u32(&ts->kick, memory_order_seq_cst);
    rk_mutex_lock(&ts->lock);
    bool idle = ts->outside_count == 0;
    ts->idle = idle;
    rk_mutex_unlock(&ts->lock);
    if (!idle || rk_atomic_load_u32(&sys->halt, memory_order_seq_cst) != RK_HALT_NONE) {
        return;
    }
    rk_idle_tell(sys);
    uint64_t due_ns = atomic_load_explicit(&sys->next_due_ns, memory_order_seq_cst);
    if (due_ns > ts->now_ns) {
        rk_count(&w->producer.counters.parks);
        (void)rk_wait_while_equal(&ts->kick, seen, due_ns, RK_TURN_SPIN_NS);
    }
    rk_mutex_lock(&ts->lock);
    ts->idle = false;
    rk_mutex_unlock(&ts->lock);
}

/* Runs the boundary and starts the next turn, for the leader alone or for all. */
void rk_turns_lead(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    struct rk_turns *ts = sys->turns;
    uint64_t active = 0;
    w->ctx.origin.turn_bit = rk_turns_bit(ts);
    w->ctx.origin.ids = &w->ids;
    for (;;) {
        if (rk_atomic_load_u32(&sys->halt, memory_order_seq_cst) != RK_HALT_NONE &&
            !rk_halt_wait(sys)) {
            ts->ended = true;
            break;
        }
        boundary_ends(w);
        boundary_names(w);
        boundary_outside(w);
        boundary_timers(w);
        active += activations(sys);
        if (active != 0) {
            break;
        }
        leader_wait(w);
    }
    atomic_fetch_add_explicit(&ts->turn, 1, memory_order_relaxed);
    atomic_store_explicit(&ts->next_lane, ts->ended ? RK_LANES : 0, memory_order_relaxed);
    bool alone = !ts->ended && active < SMALL_TURN;
    atomic_store_explicit(&ts->working, alone ? 1 : sys->worker_count, memory_order_release);
    if (!alone && sys->worker_count > 1) {
        /* Release pairs with the acquire in follow: the others see the boundary's work. */
        w->scratch->seen = rk_atomic_add_u32(&ts->word, 1, memory_order_release) + 1;
        rk_wake(&ts->word, RK_WAKE_ALL);
    }
}
