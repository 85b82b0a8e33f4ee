/*
 * supervisor.c: what a parent does about its children.
 *
 * The list of children, oldest first, belongs to the parent's holder; children tell their parent
 * what happens to them by control messages. A child's slot stays until the parent has seen that it
 * ended.
 *
 * Restarting several children is a repair: a cursor walks from the youngest to the oldest and
 * suspends each child that is due, then from the oldest to the youngest and starts each again. It
 * waits at a child until that has answered. A failure during a repair begins it anew.
 */
#include "actor/parts.h"
#include <stdlib.h>

static rk_family *family_of(const rk_actor *a)
{
    return a->ext == NULL ? NULL : a->ext->family;
}

bool rk_family_empty(const rk_actor *a)
{
    rk_family *family = family_of(a);
    return family == NULL || family->count == 0;
}

static rk_actor *at(const rk_actor_ctx *ctx, uint32_t index)
{
    return rk_table_at(ctx->origin.sys, index);
}

/* The parent's family, made if needed; NULL: out of memory. */
static rk_family *family_get(rk_actor *parent)
{
    rk_actor_ext *ext = rk_actor_ext_get(parent);
    if (ext == NULL) {
        return NULL;
    }
    if (ext->family == NULL) {
        ext->family = calloc(1, sizeof *ext->family);
        if (ext->family != NULL) {
            ext->family->oldest = ext->family->youngest = RK_NO_INDEX;
        }
    }
    return ext->family;
}

rk_status rk_family_add(const rk_actor_system *sys, rk_actor *parent, rk_actor *child)
{
    rk_family *family = family_get(parent);
    if (family == NULL) {
        return RK_NO_MEMORY;
    }
    child->older = family->youngest;
    child->younger = RK_NO_INDEX;
    if (family->youngest == RK_NO_INDEX) {
        family->oldest = child->index;
    } else {
        rk_table_at(sys, family->youngest)->younger = child->index;
    }
    family->youngest = child->index;
    family->count++;
    return RK_OK;
}

/* Takes an ended child off the list. */
static void unlink_child(rk_actor_ctx *ctx, rk_family *family, rk_actor *child)
{
    if (family->cursor == child->index && family->repair != RK_REPAIR_NONE) {
        family->cursor = family->repair == RK_REPAIR_DOWN ? child->older : child->younger;
    }
    if (child->older == RK_NO_INDEX) {
        family->oldest = child->younger;
    } else {
        at(ctx, child->older)->younger = child->younger;
    }
    if (child->younger == RK_NO_INDEX) {
        family->youngest = child->older;
    } else {
        at(ctx, child->younger)->older = child->older;
    }
    family->count--;
}

void rk_family_down(rk_actor_ctx *ctx, bool stop)
{
    rk_family *family = family_of(ctx->self);
    if (family == NULL) {
        return; /* its first child is still on the way */
    }
    family->repair = RK_REPAIR_NONE;
    for (uint32_t i = family->youngest; i != RK_NO_INDEX; i = at(ctx, i)->older) {
        (void)rk_control_relative(&ctx->origin, at(ctx, i),
                                  stop ? RK_CONTROL_STOP : RK_CONTROL_KILL, NULL);
    }
}

bool rk_intensity_note(rk_intensity *intensity, const rk_actor_type *type, uint64_t now_ns)
{
    if (intensity->times_ns == NULL) {
        intensity->times_ns = calloc(type->max_restarts, sizeof *intensity->times_ns);
        if (intensity->times_ns == NULL) {
            return false;
        }
    }
    uint64_t *oldest = &intensity->times_ns[intensity->next];
    if (intensity->count == type->max_restarts && now_ns - *oldest < type->window_ns) {
        return false;
    }
    *oldest = now_ns;
    intensity->next = (intensity->next + 1) % type->max_restarts;
    if (intensity->count < type->max_restarts) {
        intensity->count++;
    }
    return true;
}

static unsigned state_of(const rk_actor *child)
{
    return child->child_state & RK_CHILD_STATE_MASK;
}

static void state_set(rk_actor *child, unsigned state)
{
    child->child_state = (uint8_t)((child->child_state & ~RK_CHILD_STATE_MASK) | state);
}

static void start_child(rk_actor_ctx *ctx, rk_actor *child, rk_actor_reason reason)
{
    const rk_control_body body = {.reason = reason};
    state_set(child, RK_CHILD_STARTING);
    (void)rk_control_relative(&ctx->origin, child, RK_CONTROL_RESTART, &body);
}

/* Walks on until the repair has to wait for a child, or is done. */
static void repair(rk_actor_ctx *ctx, rk_family *family)
{
    while (family->repair == RK_REPAIR_DOWN) {
        if (family->cursor == RK_NO_INDEX) {
            family->repair = RK_REPAIR_UP;
            family->cursor = family->oldest;
            break;
        }
        rk_actor *child = at(ctx, family->cursor);
        if ((child->child_state & RK_CHILD_DUE) != 0 && state_of(child) != RK_CHILD_DOWN) {
            if (state_of(child) == RK_CHILD_UP) {
                state_set(child, RK_CHILD_SUSPENDING);
                (void)rk_control_relative(&ctx->origin, child, RK_CONTROL_SUSPEND, NULL);
            }
            return;
        }
        family->cursor = child->older;
    }
    while (family->repair == RK_REPAIR_UP) {
        if (family->cursor == RK_NO_INDEX) {
            family->repair = RK_REPAIR_NONE;
            break;
        }
        rk_actor *child = at(ctx, family->cursor);
        if ((child->child_state & RK_CHILD_DUE) != 0) {
            if (state_of(child) == RK_CHILD_DOWN) {
                start_child(ctx, child, RK_ACTOR_SIBLING);
            }
            return;
        }
        family->cursor = child->younger;
    }
}

/* Marks a sibling for the repair; those that are never restarted end. */
static void mark_due(rk_actor_ctx *ctx, rk_actor *child)
{
    if (child->restart == RK_ACTOR_TEMPORARY) {
        (void)rk_control_relative(&ctx->origin, child, RK_CONTROL_KILL, NULL);
        return;
    }
    child->child_state |= RK_CHILD_DUE;
    if (state_of(child) == RK_CHILD_STARTING) {
        child->child_state |= RK_CHILD_AGAIN;
    }
}

/* A child has failed, or left although it is permanent. */
static void on_held(rk_actor_ctx *ctx, rk_family *family, rk_actor *child,
                    const rk_control_body *body)
{
    const rk_actor_type *type = &ctx->type->type;
    rk_actor_reason reason = (rk_actor_reason)body->reason;
    child->child_state = RK_CHILD_DOWN | (child->child_state & RK_CHILD_DUE);
    if (type->strategy == RK_ACTOR_STAY_FAILED && reason != RK_ACTOR_EXITED) {
        return;
    }
    if (!rk_intensity_note(&family->intensity, type, rk_origin_now_ns(&ctx->origin))) {
        rk_event_emit(ctx->origin.sys, ctx->self, ctx->id, RK_ACTOR_EVENT_ESCALATED, reason,
                      (rk_status)body->code, "its children failed too often");
        rk_life_fail(ctx, RK_ACTOR_ESCALATED, (rk_status)body->code,
                     "its children failed too often");
        return;
    }
    if (type->strategy != RK_ACTOR_ONE_FOR_ALL && type->strategy != RK_ACTOR_REST_FOR_ONE) {
        start_child(ctx, child, reason);
        return;
    }
    uint32_t first = type->strategy == RK_ACTOR_ONE_FOR_ALL ? family->oldest : child->index;
    for (uint32_t i = first; i != RK_NO_INDEX; i = at(ctx, i)->younger) {
        mark_due(ctx, at(ctx, i));
    }
    family->repair = RK_REPAIR_DOWN;
    family->cursor = family->youngest;
    repair(ctx, family);
}

static void on_started(rk_actor_ctx *ctx, rk_family *family, rk_actor *child)
{
    unsigned due = (child->child_state & RK_CHILD_AGAIN) != 0 ? RK_CHILD_DUE : 0;
    child->child_state = (uint8_t)(RK_CHILD_UP | due);
    repair(ctx, family);
}

static void on_ended(rk_actor_ctx *ctx, rk_family *family, rk_actor *child)
{
    rk_actor *parent = ctx->self;
    unlink_child(ctx, family, child);
    rk_slot_give(&ctx->origin, child);
    if (family->count == 0 && parent->ext->goal != RK_GOAL_NONE) {
        rk_life_arrive(ctx, (rk_goal)parent->ext->goal, (rk_actor_reason)parent->ext->goal_reason,
                       (rk_status)parent->ext->goal_code);
        return;
    }
    repair(ctx, family);
}

/* A child that was spawned from outside. */
static void on_adopt(rk_actor_ctx *ctx, rk_actor *child)
{
    rk_actor *parent = ctx->self;
    if (rk_family_add(ctx->origin.sys, parent, child) != RK_OK) {
        rk_life_orphan(&ctx->origin, child->index);
    } else if ((rk_actor_ctl(parent) & RK_CTL_HOLD) != 0) {
        (void)rk_control_relative(&ctx->origin, child, RK_CONTROL_KILL, NULL);
    }
}

void rk_family_control(rk_actor_ctx *ctx, rk_control control, const rk_control_body *body)
{
    rk_actor *parent = ctx->self;
    rk_actor *child = at(ctx, body->child);
    rk_family *family = family_of(parent);
    /* While this actor is down its children are ending: only that matters. */
    bool down = (rk_actor_ctl(parent) & RK_CTL_HOLD) != 0;
    if (control == RK_CONTROL_ADOPT) {
        on_adopt(ctx, child);
    } else if (control == RK_CONTROL_ENDED) {
        on_ended(ctx, family, child);
    } else if (down) {
        return;
    } else if (control == RK_CONTROL_HELD) {
        on_held(ctx, family, child, body);
    } else if (control == RK_CONTROL_STARTED) {
        on_started(ctx, family, child);
    } else if (state_of(child) == RK_CHILD_SUSPENDING) {
        state_set(child, RK_CHILD_DOWN);
        repair(ctx, family);
    }
}
