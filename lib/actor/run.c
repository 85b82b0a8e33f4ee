/*
 * run.c: one actor's turn on a worker, and the calls of its handlers.
 *
 * A panic jumps out of a handler. For on_message the target is the worker's own loop, set once per
 * thread, so that a message costs nothing extra: the loop then finishes what the handler left
 * (rk_run_panicked) and goes on with the actor. The rarer handlers are called through
 * rk_run_guarded, which sets a target of its own.
 */
#include "actor/parts.h"
#include "base/clock.h"
#include <string.h>

/* An actor's turn: what was in its mailbox when the turn began, at most for about this long; the
 * clock is read once in so many messages. */
#define TURN_NS (100u * RK_NS_PER_US)
#define TURN_MESSAGES 64u

void rk_run_enter(rk_worker *w, rk_actor *a)
{
    rk_actor_ctx *ctx = &w->ctx;
    ctx->self = a;
    ctx->id = rk_actor_id_of(a);
    ctx->type = rk_type_at(ctx->origin.sys, a->type);
    if (atomic_load_explicit(&a->phase, memory_order_relaxed) == RK_ACTOR_DORMANT &&
        (rk_actor_ctl(a) & (RK_CTL_START | RK_CTL_HOLD)) == 0) {
        atomic_store_explicit(&a->phase, RK_ACTOR_ACTIVE, memory_order_relaxed);
    }
}

/* --- One message --- */

/* The message has a deadline that has passed, or answers an ask that is over: buries it. */
static bool is_late(rk_actor_ctx *ctx, rk_message *m)
{
    rk_origin *o = &ctx->origin;
    if ((m->head & RK_HEAD_DEADLINE) != 0 && rk_origin_now_ns(o) > m->body.timed.deadline_ns) {
        rk_message_bury(o, ctx->id, m, RK_DEADLETTER_EXPIRED);
        return true;
    }
    if ((m->head & RK_HEAD_REPLY) != 0) {
        uint16_t restarts = atomic_load_explicit(&ctx->self->restarts, memory_order_relaxed);
        if (!rk_asks_end(o, m->correlation, ctx->id, restarts)) {
            if (m->type == RK_ACTOR_MSG_ASK_FAILED) {
                rk_message_drop(o, m); /* the reply, or another failure, was here before */
            } else {
                rk_message_bury(o, ctx->id, m, RK_DEADLETTER_EXPIRED);
            }
            return true;
        }
    }
    return false;
}

static void message_done(rk_actor_ctx *ctx)
{
    rk_message *m = ctx->message;
    ctx->message = NULL;
    ctx->in_handler = false;
    rk_count(&ctx->origin.producer->counters.handled);
    rk_message_free(&ctx->origin, m);
}

void rk_run_message(rk_actor_ctx *ctx, rk_message *m)
{
    uint64_t head = m->head;
    rk_actor_msg view = {.from = head & RK_ID_MASK,
                         .type = m->type,
                         .correlation = m->correlation,
                         .flags = RK_MSG_PRIORITY_NORMAL};
    if (RK_UNLIKELY(head >> RK_HEAD_SPECIAL_SHIFT != 0)) {
        if ((head & RK_HEAD_CONTROL) != 0) {
            rk_life_control(ctx, m);
            return;
        }
        if (is_late(ctx, m)) {
            return;
        }
        view.flags = rk_message_level(m) | ((head & RK_HEAD_REQUEST) != 0 ? RK_MSG_REQUEST : 0u) |
                     ((head & RK_HEAD_REPLY) != 0 ? RK_MSG_REPLY : 0u);
        view.deadline_ns = (head & RK_HEAD_DEADLINE) != 0 ? m->body.timed.deadline_ns : 0;
    }
    view.payload = rk_message_payload(m, &view.length);
    ctx->message = m;
    ctx->in_handler = true;
    rk_status status = ctx->type->type.on_message(ctx, &view);
    message_done(ctx);
    if (RK_UNLIKELY(status != RK_OK)) {
        rk_life_fail(ctx, RK_ACTOR_ERROR, status, rk_status_text(status));
    }
}

/* --- Panics --- */

void rk_run_panicked(rk_actor_ctx *ctx)
{
    message_done(ctx);
    rk_life_fail(ctx, RK_ACTOR_PANIC, ctx->panic_code, ctx->panic_text);
}

rk_status rk_run_guarded(rk_actor_ctx *ctx, rk_status (*f)(rk_actor_ctx *ctx))
{
    jmp_buf here;
    jmp_buf *outer = ctx->panic;
    volatile rk_status status = RK_PANIC;
    ctx->panicked = true;
    if (setjmp(here) == 0) {
        ctx->panic = &here;
        ctx->in_handler = true;
        status = f(ctx);
        ctx->panicked = false;
    }
    ctx->in_handler = false;
    ctx->panic = outer;
    return status;
}

void rk_actor_panic(rk_actor_ctx *ctx, rk_status code, const char *text)
{
    ctx->panic_code = code;
    size_t length = text == NULL ? 0 : strnlen(text, sizeof ctx->panic_text - 1);
    if (length != 0) {
        memcpy(ctx->panic_text, text, length);
    }
    ctx->panic_text[length] = '\0';
    longjmp(*ctx->panic, 1);
}

/* --- A turn in a free system --- */

typedef enum step {
    STEP_NONE,     /* nothing special: go on with pending messages */
    STEP_TAKEN,    /* did something; look again */
    STEP_RELEASED, /* the actor is given up */
} step;

/* Something was done, after which the actor may have ended. */
static step taken(const rk_actor_ctx *ctx)
{
    return ctx->self == NULL ? STEP_RELEASED : STEP_TAKEN;
}

/* A held actor waits: only control messages reach it. */
static step hold(rk_actor *a)
{
    return rk_inbox_release(a) ? STEP_RELEASED : STEP_TAKEN;
}

/* Everything that ctl can ask for. */
static RK_NOINLINE step run_special(rk_actor_ctx *ctx, rk_actor *a, uint32_t ctl)
{
    if ((ctl & (RK_CTL_URGENT | RK_CTL_QUEUED | RK_CTL_HOLD)) != 0) {
        rk_actor_ctl_clear(a, RK_CTL_URGENT);
        rk_inbox_sort(a);
        rk_message *order = rk_inbox_control(a);
        if (order != NULL) {
            rk_life_control(ctx, order);
            return taken(ctx);
        }
    }
    if ((ctl & RK_CTL_HOLD) != 0) {
        return hold(a);
    }
    if ((ctl & RK_CTL_START) != 0) {
        rk_life_start(ctx);
        return taken(ctx);
    }
    if ((ctl & RK_CTL_EXIT) != 0) {
        rk_actor_ctl_clear(a, RK_CTL_EXIT);
        rk_life_go(ctx, RK_GOAL_EXIT, RK_ACTOR_EXITED, RK_OK);
        return taken(ctx);
    }
    rk_message *m = NULL;
    if ((rk_actor_ctl(a) & RK_CTL_QUEUED) != 0) {
        m = rk_inbox_queued(a);
    } else if ((ctl & RK_CTL_BOX) != 0) {
        m = rk_box_pop(a);
    } else if ((ctl & RK_CTL_LIMITED) != 0) {
        if (a->pending == NULL) {
            rk_inbox_take(a);
        }
        m = a->pending;
        if (m != NULL) {
            a->pending = m->next;
        }
    }
    if (m != NULL) {
        if ((ctl & RK_CTL_LIMITED) != 0 && (m->head & RK_HEAD_CONTROL) == 0) {
            rk_inbox_left(a);
        }
        rk_run_message(ctx, m);
        return taken(ctx);
    }
    if ((ctl & RK_CTL_DRAINING) != 0 && a->pending == NULL) {
        rk_inbox_take(a);
        if (a->pending == NULL && (rk_actor_ctl(a) & (RK_CTL_QUEUED | RK_CTL_URGENT)) == 0) {
            rk_life_go(ctx, RK_GOAL_END, RK_ACTOR_STOPPED, RK_OK);
            return taken(ctx);
        }
        return STEP_TAKEN;
    }
    if ((ctl & RK_CTL_LIMITED) != 0) {
        /* Only this function takes messages of a limited actor, so that each is counted. Those
         * that it took just now may have gone to the queue: the sender says so (RK_CTL_URGENT) only
         * after it has pushed. */
        bool queued = (rk_actor_ctl(a) & RK_CTL_QUEUED) != 0;
        return !queued && rk_inbox_release(a) ? STEP_RELEASED : STEP_TAKEN;
    }
    return STEP_NONE;
}

/* Whether a turn that has handled so many messages is over. */
static bool turn_over(const rk_actor_ctx *ctx, uint64_t *until_ns)
{
    uint64_t now_ns = rk_clock_monotonic_ns();
    if (*until_ns == 0) {
        *until_ns = now_ns + TURN_NS;
        return false;
    }
    return now_ns >= *until_ns ||
           rk_atomic_load_u32(&ctx->origin.sys->halt, memory_order_relaxed) != RK_HALT_NONE;
}

bool rk_run_free(rk_worker *w, rk_actor *a)
{
    rk_actor_ctx *ctx = &w->ctx;
    uint64_t until_ns = 0;
    bool taken_once = false;
    for (unsigned count = 1;; count++) {
        if (RK_UNLIKELY(count % TURN_MESSAGES == 0) && turn_over(ctx, &until_ns)) {
            return true;
        }
        uint32_t ctl = rk_actor_ctl(a);
        if (RK_UNLIKELY((ctl & RK_CTL_RUN_MASK) != 0)) {
            step s = run_special(ctx, a, ctl);
            if (s == STEP_RELEASED) {
                return false;
            }
            if (s == STEP_TAKEN) {
                continue;
            }
        }
        rk_message *m = a->pending;
        if (m == NULL) {
            if (RK_UNLIKELY((ctl & RK_CTL_CONGESTED) != 0)) {
                rk_actor_ctl_clear(a, RK_CTL_CONGESTED);
            }
            if (rk_inbox_release(a)) {
                return false;
            }
            if (taken_once) {
                return true;
            }
            taken_once = true;
            rk_inbox_take(a);
            continue;
        }
        a->pending = m->next;
        rk_prefetch(m->next);
        rk_run_message(ctx, m);
        if (RK_UNLIKELY(ctx->self == NULL)) {
            return false;
        }
        if (RK_UNLIKELY(ctx->behind != NULL)) {
            return true;
        }
    }
}

/* --- What a handler asks about itself --- */

rk_actor_id rk_actor_self(const rk_actor_ctx *ctx)
{
    return ctx->id;
}

rk_actor_id rk_actor_parent(const rk_actor_ctx *ctx)
{
    uint32_t parent = atomic_load_explicit(&ctx->self->parent, memory_order_relaxed);
    if (parent == RK_NO_INDEX) {
        return RK_ACTOR_NONE;
    }
    return rk_actor_id_of(rk_table_at(ctx->origin.sys, parent));
}

void *rk_actor_state(const rk_actor_ctx *ctx)
{
    return rk_actor_state_at(ctx->type, ctx->self);
}

rk_actor_system *rk_actor_system_of(const rk_actor_ctx *ctx)
{
    return ctx->origin.sys;
}

uint64_t rk_actor_now_ns(const rk_actor_ctx *ctx)
{
    return rk_origin_now_ns(&ctx->origin);
}

uint64_t rk_actor_turn(const rk_actor_ctx *ctx)
{
    return ctx->origin.sys->ordered ? rk_turns_count(ctx->origin.sys) : 0;
}

void rk_actor_exit(rk_actor_ctx *ctx)
{
    rk_actor_ctl_set(ctx->self, RK_CTL_EXIT);
}

void rk_actor_beat(rk_actor_ctx *ctx)
{
    if (ctx->self->ext != NULL) {
        atomic_store_explicit(&ctx->self->ext->last_beat_ns, rk_origin_now_ns(&ctx->origin),
                              memory_order_relaxed);
    }
}

rk_status rk_actor_spawn(rk_actor_ctx *ctx, rk_actor_type_id type,
                         const rk_actor_spawn_options *options, rk_actor_id *out_id)
{
    if (ctx->no_spawn) {
        return RK_STATE;
    }
    return rk_life_spawn(&ctx->origin, ctx->self, type, options, out_id);
}
