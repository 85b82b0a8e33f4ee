/*
 * life.c: the life of one actor.
 *
 *            rk_life_spawn        rk_life_start          rk_life_go(END), from any phase
 *   (slot) ----------------> DORMANT ---> INITIALISING ---> ACTIVE ---> DRAINING ---> TERMINATED
 *                                              ^    |          |
 *                              rk_life_restart |    v          v  rk_life_fail, suspended
 *                                              +-- FAILED <----+
 *
 * Going down takes two steps. rk_life_go holds the actor (RK_CTL_HOLD: only control messages are
 * handled) and takes its children down; when the last has ended, rk_life_arrive does what the goal
 * says. An actor that is held without a goal waits for its supervisor.
 */
#include "actor/parts.h"
#include "base/clock.h"

void rk_event_emit(rk_actor_system *sys, const rk_actor *a, rk_actor_id id,
                   rk_actor_event_kind kind, rk_actor_reason reason, rk_status code,
                   const char *text)
{
    if (RK_LIKELY(sys->on_event == NULL)) {
        return;
    }
    uint32_t parent = atomic_load_explicit(&a->parent, memory_order_relaxed);
    const rk_actor_event event = {
        .kind = kind,
        .reason = reason,
        .id = id,
        .parent = parent == RK_NO_INDEX ? RK_ACTOR_NONE : rk_actor_id_of(rk_table_at(sys, parent)),
        .time_ns = rk_actor_system_now_ns(sys),
        .type_name = rk_type_at(sys, a->type)->name,
        .code = code,
        .restarts = atomic_load_explicit(&a->restarts, memory_order_relaxed),
        .text = text};
    sys->on_event(sys->event_context, &event);
}

static rk_actor_phase phase_of(const rk_actor *a)
{
    return (rk_actor_phase)atomic_load_explicit(&a->phase, memory_order_relaxed);
}

/* --- Start and restart --- */

/* Runs on_start or on_restart; true: the actor is up. */
static bool bring_up(rk_actor_ctx *ctx, rk_status (*handler)(rk_actor_ctx *ctx))
{
    rk_actor *a = ctx->self;
    rk_actor_phase_set(a, RK_ACTOR_INITIALISING);
    rk_status status = handler == NULL ? RK_OK : rk_run_guarded(ctx, handler);
    if (status == RK_OK) {
        rk_actor_phase_set(a, RK_ACTOR_ACTIVE);
        return true;
    }
    if (handler != NULL && ctx->panicked) {
        rk_life_fail(ctx, RK_ACTOR_PANIC, ctx->panic_code, ctx->panic_text);
    } else {
        rk_life_fail(ctx, RK_ACTOR_ERROR, status, rk_status_text(status));
    }
    return false;
}

void rk_life_start(rk_actor_ctx *ctx)
{
    rk_actor_ctl_clear(ctx->self, RK_CTL_START);
    if (bring_up(ctx, ctx->type->type.on_start)) {
        rk_event_emit(ctx->origin.sys, ctx->self, ctx->id, RK_ACTOR_EVENT_STARTED,
                      RK_ACTOR_REQUESTED, RK_OK, "");
    }
}

static void tell_parent(rk_actor_ctx *ctx, rk_control control, rk_actor_reason reason,
                        rk_status code)
{
    rk_actor *a = ctx->self;
    uint32_t parent = atomic_load_explicit(&a->parent, memory_order_relaxed);
    if (parent != RK_NO_INDEX) {
        const rk_control_body body = {.child = a->index, .reason = reason, .code = code};
        (void)rk_control_relative(&ctx->origin, rk_table_at(ctx->origin.sys, parent), control,
                                  &body);
    }
}

void rk_life_restart(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    rk_actor *a = ctx->self;
    rk_origin *o = &ctx->origin;
    uint16_t restarts = atomic_load_explicit(&a->restarts, memory_order_relaxed);
    atomic_store_explicit(&a->restarts, (uint16_t)(restarts + 1), memory_order_relaxed);
    rk_count(&o->producer->counters.restarts);
    rk_life_state_init(ctx->type, a);
    if (a->ext != NULL) {
        a->ext->goal = RK_GOAL_NONE;
        if (a->ext->family != NULL) {
            a->ext->family->intensity.count = a->ext->family->intensity.next = 0;
        }
    }
    rk_actor_ctl_clear(a, RK_CTL_HOLD | RK_CTL_START | RK_CTL_EXIT);
    const rk_actor_type *type = &ctx->type->type;
    if (type->heartbeat != RK_ACTOR_HEARTBEAT_NONE) {
        rk_beats_watch(o, a, ctx->id, ctx->type);
    }
    if (bring_up(ctx, type->on_restart != NULL ? type->on_restart : type->on_start)) {
        rk_event_emit(o->sys, a, ctx->id, RK_ACTOR_EVENT_RESTARTED, reason, RK_OK, "");
        tell_parent(ctx, RK_CONTROL_STARTED, reason, RK_OK);
    }
}

/* --- Going down --- */

static rk_goal goal_of(const rk_actor *a)
{
    return a->ext == NULL ? RK_GOAL_NONE : (rk_goal)a->ext->goal;
}

void rk_life_fail(rk_actor_ctx *ctx, rk_actor_reason reason, rk_status code, const char *text)
{
    rk_actor *a = ctx->self;
    rk_count(&ctx->origin.producer->counters.failures);
    rk_event_emit(ctx->origin.sys, a, ctx->id, RK_ACTOR_EVENT_FAILED, reason, code, text);
    rk_actor_phase_set(a, RK_ACTOR_FAILED);
    rk_life_go(ctx, goal_of(a) == RK_GOAL_END ? RK_GOAL_END : RK_GOAL_FAIL, reason, code);
}

void rk_life_go(rk_actor_ctx *ctx, rk_goal goal, rk_actor_reason reason, rk_status code)
{
    rk_actor *a = ctx->self;
    if ((rk_actor_ctl(a) & RK_CTL_DRAINING) != 0) {
        /* Who was asked to stop ends, whatever else happens: a parent that goes down has given
         * that order once and starts nobody again. */
        goal = RK_GOAL_END;
    }
    rk_actor_ctl_set(a, RK_CTL_HOLD);
    rk_actor_ctl_clear(a, RK_CTL_EXIT);
    if (rk_family_empty(a)) {
        rk_life_arrive(ctx, goal, reason, code);
        return;
    }
    a->ext->goal = (uint8_t)goal;
    a->ext->goal_reason = (uint8_t)reason;
    a->ext->goal_code = code;
    rk_family_down(ctx, reason == RK_ACTOR_STOPPED);
}

static rk_status call_on_stop(rk_actor_ctx *ctx)
{
    ctx->type->type.on_stop(ctx, ctx->stop_reason);
    return RK_OK;
}

/* Calls on_stop if the actor is up. */
static void take_down(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    rk_actor *a = ctx->self;
    rk_actor_phase phase = phase_of(a);
    bool up = phase != RK_ACTOR_FAILED && (rk_actor_ctl(a) & RK_CTL_START) == 0;
    rk_actor_phase_set(a, RK_ACTOR_FAILED);
    if (!up || ctx->type->type.on_stop == NULL) {
        return;
    }
    ctx->stop_reason = reason;
    ctx->no_spawn = true;
    if (rk_run_guarded(ctx, call_on_stop) != RK_OK) {
        rk_count(&ctx->origin.producer->counters.failures);
        rk_event_emit(ctx->origin.sys, a, ctx->id, RK_ACTOR_EVENT_FAILED, RK_ACTOR_PANIC,
                      ctx->panic_code, ctx->panic_text);
    }
    ctx->no_spawn = false;
}

/* Whatever ends with the actor in both kinds of delivery; false: it has a child again. */
static bool close_now(rk_origin *o, rk_actor *a, rk_actor_id id)
{
    if ((rk_actor_ctl(a) & RK_CTL_NAMED) != 0) {
        rk_registry_forget(o->sys, id);
    }
    if (!rk_inbox_close(o, a, id, RK_DEADLETTER_DESTROYED)) {
        return false;
    }
    /* A name that was given while the inbox closed; see registry.c. */
    if ((atomic_load_explicit(&a->ctl, memory_order_seq_cst) & RK_CTL_NAMED) != 0) {
        rk_registry_forget(o->sys, id);
    }
    return true;
}

/* The slot is empty: hands it to the parent, or frees it. */
static void slot_leave(rk_origin *o, rk_actor *a)
{
    rk_life_arg_free(a);
    if (a->ext != NULL) {
        a->ext->goal = RK_GOAL_NONE;
    }
    atomic_store_explicit(&a->ctl, 0, memory_order_relaxed);
    rk_count(&o->producer->counters.ended);
    rk_life_dismiss(o->sys);
    uint32_t parent = atomic_load_explicit(&a->parent, memory_order_relaxed);
    if (parent == RK_NO_INDEX) {
        rk_slot_give(o, a);
        return;
    }
    const rk_control_body body = {.child = a->index};
    (void)rk_control_relative(o, rk_table_at(o->sys, parent), RK_CONTROL_ENDED, &body);
}

/* Terminates the actor in hand, which has no children. */
static void finish(rk_actor_ctx *ctx, rk_actor_reason reason, rk_status code)
{
    rk_actor *a = ctx->self;
    rk_origin *o = &ctx->origin;
    take_down(ctx, reason);
    rk_beats_forget(o->sys, a);
    if (o->sys->ordered) {
        rk_actor_ctl_set(a, RK_CTL_CLOSING);
        rk_actor_phase_set(a, RK_ACTOR_TERMINATED);
        rk_event_emit(o->sys, a, ctx->id, RK_ACTOR_EVENT_ENDED, reason, code, "");
        rk_turns_defer_close(o->worker, a);
        ctx->self = NULL;
        return;
    }
    if (!close_now(o, a, ctx->id)) {
        /* The adoption is in pending: run it, then come here again. */
        rk_actor_ext *ext = a->ext;
        if (ext != NULL || (ext = rk_actor_ext_get(a)) != NULL) {
            ext->goal = RK_GOAL_END;
            ext->goal_reason = (uint8_t)reason;
            ext->goal_code = code;
        }
        return;
    }
    rk_actor_phase_set(a, RK_ACTOR_TERMINATED);
    rk_event_emit(o->sys, a, ctx->id, RK_ACTOR_EVENT_ENDED, reason, code, "");
    ctx->self = NULL;
    slot_leave(o, a);
}

void rk_life_close(rk_origin *o, rk_actor *a)
{
    rk_actor_id id = rk_actor_id_of(a);
    while (!close_now(o, a, id)) {
        /* Between turns an adoption is a child that comes too late: it becomes a root and dies. */
        rk_message *m = a->pending;
        a->pending = m->next;
        rk_life_orphan(o, m->body.control.child);
        rk_message_free(o, m);
    }
    slot_leave(o, a);
}

void rk_life_orphan(rk_origin *o, uint32_t child)
{
    rk_actor *a = rk_table_at(o->sys, child);
    atomic_store_explicit(&a->parent, RK_NO_INDEX, memory_order_relaxed);
    (void)rk_control_relative(o, a, RK_CONTROL_KILL, NULL);
}

/* The actor in hand has failed or left and is down: what now? */
static void await_restart(rk_actor_ctx *ctx, rk_actor_reason reason, rk_status code)
{
    rk_actor *a = ctx->self;
    bool wanted = a->restart == RK_ACTOR_PERMANENT ||
                  (a->restart == RK_ACTOR_TRANSIENT && reason != RK_ACTOR_EXITED);
    if (!wanted) {
        finish(ctx, reason, code);
        return;
    }
    take_down(ctx, reason);
    rk_beats_forget(ctx->origin.sys, a);
    if (atomic_load_explicit(&a->parent, memory_order_relaxed) != RK_NO_INDEX) {
        tell_parent(ctx, RK_CONTROL_HELD, reason, code);
        return;
    }
    rk_actor_ext *ext = rk_actor_ext_get(a);
    const rk_control_body body = {.reason = reason};
    /* By message, so that one that fails while it starts comes back to the run queue in between. */
    if (ext != NULL &&
        rk_intensity_note(&ext->own, &ctx->type->type, rk_origin_now_ns(&ctx->origin)) &&
        rk_control_post(&ctx->origin, ctx->id, RK_CONTROL_RESTART, &body)) {
        return;
    }
    rk_event_emit(ctx->origin.sys, a, ctx->id, RK_ACTOR_EVENT_ESCALATED, reason, code,
                  "failed too often to be restarted");
    finish(ctx, reason, code);
}

void rk_life_arrive(rk_actor_ctx *ctx, rk_goal goal, rk_actor_reason reason, rk_status code)
{
    rk_actor *a = ctx->self;
    if (a->ext != NULL) {
        a->ext->goal = RK_GOAL_NONE;
    }
    switch (goal) {
    case RK_GOAL_NONE: break;
    case RK_GOAL_FAIL:
    case RK_GOAL_EXIT: await_restart(ctx, reason, code); break;
    case RK_GOAL_SUSPEND:
        take_down(ctx, reason);
        rk_beats_forget(ctx->origin.sys, a);
        tell_parent(ctx, RK_CONTROL_SUSPENDED, reason, code);
        break;
    case RK_GOAL_RESTART:
        take_down(ctx, reason);
        rk_life_restart(ctx, reason);
        break;
    case RK_GOAL_END: finish(ctx, reason, code); break;
    }
}

/* --- Control messages --- */

/* Whether the actor is held and waits for its supervisor. */
static bool is_waiting(const rk_actor *a)
{
    return (rk_actor_ctl(a) & RK_CTL_HOLD) != 0 && goal_of(a) == RK_GOAL_NONE;
}

/* Changes the goal of an actor that is already going down; false: it is not. */
static bool redirect(rk_actor *a, rk_goal goal, rk_actor_reason reason)
{
    if (goal_of(a) == RK_GOAL_NONE) {
        return false;
    }
    if (goal_of(a) != RK_GOAL_END) {
        a->ext->goal = (uint8_t)goal;
        a->ext->goal_reason = (uint8_t)reason;
    }
    return true;
}

static void on_stop_order(rk_actor_ctx *ctx)
{
    rk_actor *a = ctx->self;
    if (redirect(a, RK_GOAL_END, RK_ACTOR_STOPPED)) {
        return;
    }
    if (is_waiting(a)) {
        rk_life_go(ctx, RK_GOAL_END, RK_ACTOR_STOPPED, RK_OK);
        return;
    }
    /* Everything sent before is in the mailbox by now; later sends are refused. */
    rk_actor_ctl_set(a, RK_CTL_DRAINING);
    rk_actor_phase_set(a, RK_ACTOR_DRAINING);
}

static void on_kill_order(rk_actor_ctx *ctx)
{
    if (redirect(ctx->self, RK_GOAL_END, RK_ACTOR_KILLED)) {
        /* Children that were only asked to stop. */
        rk_family_down(ctx, false);
        return;
    }
    rk_life_go(ctx, RK_GOAL_END, RK_ACTOR_KILLED, RK_OK);
}

static void on_restart_order(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    rk_actor *a = ctx->self;
    if (is_waiting(a)) {
        rk_life_restart(ctx, reason);
    } else if (!redirect(a, RK_GOAL_RESTART, reason) && (rk_actor_ctl(a) & RK_CTL_DRAINING) == 0) {
        rk_life_go(ctx, RK_GOAL_RESTART, reason, RK_OK);
    }
}

static void on_suspend_order(rk_actor_ctx *ctx)
{
    rk_actor *a = ctx->self;
    /* One that is going down or waits has told the parent, or will. */
    if (goal_of(a) == RK_GOAL_NONE && !is_waiting(a)) {
        rk_life_go(ctx, RK_GOAL_SUSPEND, RK_ACTOR_SIBLING, RK_OK);
    }
}

void rk_life_control(rk_actor_ctx *ctx, rk_message *m)
{
    rk_control control = (rk_control)m->type;
    rk_control_body body = m->body.control;
    rk_message_free(&ctx->origin, m);
    rk_actor *a = ctx->self;
    switch (control) {
    case RK_CONTROL_ADOPT:
    case RK_CONTROL_ENDED:
    case RK_CONTROL_HELD:
    case RK_CONTROL_SUSPENDED:
    case RK_CONTROL_STARTED: rk_family_control(ctx, control, &body); break;
    case RK_CONTROL_STOP: on_stop_order(ctx); break;
    case RK_CONTROL_KILL: on_kill_order(ctx); break;
    case RK_CONTROL_SUSPEND: on_suspend_order(ctx); break;
    case RK_CONTROL_RESTART: on_restart_order(ctx, (rk_actor_reason)body.reason); break;
    case RK_CONTROL_FAIL:
        if ((rk_actor_ctl(a) & RK_CTL_HOLD) == 0) {
            rk_life_fail(ctx, (rk_actor_reason)body.reason, body.code,
                         "no heartbeat within the timeout");
        }
        break;
    case RK_CONTROL_BEAT:
        rk_actor_beat(ctx);
        atomic_store_explicit(&a->ext->beat_asked, 0, memory_order_relaxed);
        break;
    case RK_CONTROL_WAKE: break;
    }
}
