/*
 * beat.c: heartbeats.
 *
 * All watched actors stand in one array; one timer, at the shortest interval of them all, looks at
 * each. An automatic heartbeat is a control message that the runtime answers: it comes back as soon
 * as the actor gets between two messages. An actor whose last sign of life is too old is failed by
 * a control message as well; if its handler hangs, that takes effect when the handler returns, but
 * the miss is reported at once.
 */
#include "actor/timer.h"
#include "base/clock.h"
#include <stdlib.h>

#define BEAT_BATCH 64u

/* Lock held. */
static void beats_arm(struct rk_timers *ts, uint64_t now_ns)
{
    if (!ts->beat_timer.armed && ts->beat_count != 0) {
        ts->beat_timer.kind = RK_TIMER_BEATS;
        ts->beat_timer.due_ns = now_ns + ts->beat_interval_ns;
        (void)rk_timer_arm(ts, &ts->beat_timer);
    }
}

/* Adds or renews the entry; false: out of memory. Lock held. */
static bool beats_add(struct rk_timers *ts, rk_actor *a, rk_actor_id id, const rk_actor_type *type)
{
    if (ts->beat_count == ts->beat_capacity) {
        uint32_t capacity = ts->beat_capacity == 0 ? 64 : ts->beat_capacity * 2;
        rk_beat *beats = realloc(ts->beats, capacity * sizeof *beats);
        if (beats == NULL) {
            return false;
        }
        ts->beats = beats;
        ts->beat_capacity = capacity;
    }
    a->ext->beat_slot = ts->beat_count;
    ts->beats[ts->beat_count++] =
        (rk_beat){.actor = a,
                  .id = id,
                  .timeout_ns = type->heartbeat_timeout_ns,
                  .automatic = type->heartbeat == RK_ACTOR_HEARTBEAT_AUTO};
    if (ts->beat_count == 1 || type->heartbeat_ns < ts->beat_interval_ns) {
        ts->beat_interval_ns = type->heartbeat_ns;
        rk_timer_disarm(ts, &ts->beat_timer);
    }
    return true;
}

void rk_beats_watch(rk_origin *o, rk_actor *a, rk_actor_id id, const rk_type_entry *type)
{
    struct rk_timers *ts = o->sys->timers;
    uint64_t now_ns = rk_actor_system_now_ns(o->sys);
    atomic_store_explicit(&a->ext->last_beat_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&a->ext->beat_asked, 0, memory_order_relaxed);
    if ((rk_actor_ctl(a) & RK_CTL_WATCHED) != 0) {
        return;
    }
    rk_mutex_lock(&ts->lock);
    bool tell = false;
    /* Without memory the actor lives on unwatched. */
    if (beats_add(ts, a, id, &type->type)) {
        rk_actor_ctl_set(a, RK_CTL_WATCHED);
        beats_arm(ts, now_ns);
        tell = rk_timer_due_changed(o->sys);
    }
    rk_mutex_unlock(&ts->lock);
    if (tell) {
        rk_timer_tell(o->sys);
    }
}

void rk_beats_forget(rk_actor_system *sys, rk_actor *a)
{
    struct rk_timers *ts = sys->timers;
    if ((rk_actor_ctl(a) & RK_CTL_WATCHED) == 0) {
        return;
    }
    rk_actor_ctl_clear(a, RK_CTL_WATCHED);
    rk_mutex_lock(&ts->lock);
    uint32_t slot = a->ext->beat_slot;
    ts->beats[slot] = ts->beats[--ts->beat_count];
    ts->beats[slot].actor->ext->beat_slot = slot;
    if (ts->beat_count == 0) {
        rk_timer_disarm(ts, &ts->beat_timer);
        (void)rk_timer_due_changed(sys);
    }
    rk_mutex_unlock(&ts->lock);
}

/* Looks at entries from *at on; fills in those that are late (late) or have to be asked. Lock held.
 */
static uint32_t beats_collect(struct rk_timers *ts, uint64_t now_ns, uint32_t *at, rk_beat *out)
{
    uint32_t count = 0;
    while (*at < ts->beat_count && count < BEAT_BATCH) {
        rk_beat *b = &ts->beats[(*at)++];
        uint64_t last_ns = atomic_load_explicit(&b->actor->ext->last_beat_ns, memory_order_relaxed);
        if (now_ns > last_ns && now_ns - last_ns > b->timeout_ns) {
            if (!b->missed) {
                b->missed = true;
                out[count++] = *b;
            }
        } else {
            b->missed = false;
            if (b->automatic && atomic_exchange_explicit(&b->actor->ext->beat_asked, 1,
                                                         memory_order_relaxed) == 0) {
                out[count] = *b;
                out[count++].missed = false;
            }
        }
    }
    return count;
}

void rk_beats_check(rk_origin *o, uint64_t now_ns)
{
    struct rk_timers *ts = o->sys->timers;
    rk_beat found[BEAT_BATCH];
    uint32_t at = 0;
    uint32_t count;
    do {
        rk_mutex_lock(&ts->lock);
        count = beats_collect(ts, now_ns, &at, found);
        rk_mutex_unlock(&ts->lock);
        for (uint32_t i = 0; i < count; i++) {
            const rk_beat *b = &found[i];
            if (!b->missed) {
                (void)rk_control_post(o, b->id, RK_CONTROL_BEAT, NULL);
                continue;
            }
            const rk_control_body body = {.reason = RK_ACTOR_HEARTBEAT, .code = RK_TIMEOUT};
            if (rk_control_post(o, b->id, RK_CONTROL_FAIL, &body)) {
                rk_count(&o->producer->counters.beats_missed);
                rk_event_emit(o->sys, b->actor, b->id, RK_ACTOR_EVENT_BEAT_MISSED,
                              RK_ACTOR_HEARTBEAT, RK_TIMEOUT, "no heartbeat within the timeout");
            }
        }
    } while (count == BEAT_BATCH);
    rk_mutex_lock(&ts->lock);
    beats_arm(ts, now_ns);
    (void)rk_timer_due_changed(o->sys);
    rk_mutex_unlock(&ts->lock);
}
