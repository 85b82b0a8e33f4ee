/*
 * outside.c: spawning, sending and giving orders from outside, or from a handler by way of
 * the system.
 */
#include "actor/parts.h"
#include "base/clock.h"
#include "base/wait.h"

rk_status rk_actor_system_spawn(rk_actor_system *sys, rk_actor_type_id type,
                                const rk_actor_spawn_options *options, rk_actor_id *out_id)
{
    rk_visit v;
    rk_visit_enter(&v, sys);
    rk_status status = rk_life_spawn(&v.origin, NULL, type, options, out_id);
    rk_visit_leave(&v);
    return status;
}

rk_status rk_actor_system_send(rk_actor_system *sys, rk_actor_id to, uint32_t type,
                               const void *payload, uint32_t length,
                               const rk_actor_send_options *options)
{
    rk_draft draft = {.type = type};
    if (type < RK_MSG_TYPE_USER || rk_draft_options(&draft, options) != RK_OK) {
        return RK_INVALID;
    }
    rk_visit v;
    rk_visit_enter(&v, sys);
    draft.head |= rk_origin_sender(&v.origin);
    rk_message *m;
    rk_status status = rk_message_make(&v.origin, &draft, payload, length, &m);
    bool outside = v.shard != NULL;
    uint64_t deadline_ns = 0;
    while (status == RK_OK) {
        status = rk_post_take(&v.origin, to, m, outside);
        if (status != RK_BUSY) {
            break;
        }
        rk_visit_leave(&v);
        status = rk_post_wait(sys, to, &deadline_ns);
        rk_visit_enter(&v, sys);
        if (status != RK_OK) {
            rk_count(&v.origin.producer->counters.refused);
            rk_message_free(&v.origin, m);
        }
    }
    rk_visit_leave(&v);
    return status;
}

static rk_status send_after(rk_origin *o, rk_actor_id to, uint64_t delay_ns, uint32_t type,
                            const void *payload, uint32_t length, rk_actor_timer *out_timer)
{
    if (type < RK_MSG_TYPE_USER) {
        return RK_INVALID;
    }
    rk_actor_id owner = rk_origin_sender(o);
    uint16_t restarts = 0;
    if (owner != RK_ACTOR_NONE) {
        restarts = atomic_load_explicit(&o->worker->ctx.self->restarts, memory_order_relaxed);
    }
    const rk_draft draft = {.head = owner, .type = type};
    rk_message *m;
    rk_status status = rk_message_make(o, &draft, payload, length, &m);
    if (status != RK_OK) {
        return status;
    }
    status = rk_timers_send_after(o, owner, restarts, to, delay_ns, m, out_timer);
    if (status != RK_OK) {
        rk_message_free(o, m);
    }
    return status;
}

rk_status rk_actor_system_send_after(rk_actor_system *sys, rk_actor_id to, uint64_t delay_ns,
                                     uint32_t type, const void *payload, uint32_t length,
                                     rk_actor_timer *out_timer)
{
    rk_visit v;
    rk_visit_enter(&v, sys);
    rk_status status = send_after(&v.origin, to, delay_ns, type, payload, length, out_timer);
    rk_visit_leave(&v);
    return status;
}

rk_status rk_actor_send_after(rk_actor_ctx *ctx, rk_actor_id to, uint64_t delay_ns, uint32_t type,
                              const void *payload, uint32_t length, rk_actor_timer *out_timer)
{
    return send_after(&ctx->origin, to, delay_ns, type, payload, length, out_timer);
}

rk_status rk_actor_system_timer_cancel(rk_actor_system *sys, rk_actor_timer timer)
{
    rk_visit v;
    rk_visit_enter(&v, sys);
    rk_status status = rk_timers_cancel(&v.origin, timer);
    rk_visit_leave(&v);
    return status;
}

rk_status rk_actor_timer_cancel(rk_actor_ctx *ctx, rk_actor_timer timer)
{
    return rk_timers_cancel(&ctx->origin, timer);
}

static rk_status order(rk_actor_system *sys, rk_actor_id id, rk_control control)
{
    rk_visit v;
    rk_visit_enter(&v, sys);
    const rk_control_body body = {.reason = RK_ACTOR_REQUESTED};
    bool posted = rk_control_post(&v.origin, id, control, &body);
    rk_visit_leave(&v);
    return posted ? RK_OK : RK_NOT_FOUND;
}

rk_status rk_actor_system_stop(rk_actor_system *sys, rk_actor_id id)
{
    return order(sys, id, RK_CONTROL_STOP);
}

rk_status rk_actor_system_kill(rk_actor_system *sys, rk_actor_id id)
{
    return order(sys, id, RK_CONTROL_KILL);
}

rk_status rk_actor_system_restart(rk_actor_system *sys, rk_actor_id id)
{
    return order(sys, id, RK_CONTROL_RESTART);
}

rk_status rk_actor_system_phase(rk_actor_system *sys, rk_actor_id id, rk_actor_phase *out_phase)
{
    rk_actor *a = rk_table_find(sys, id);
    uint32_t generation = (uint32_t)(id >> RK_ID_INDEX_BITS);
    if (a == NULL || generation == 0) {
        return RK_NOT_FOUND;
    }
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_acquire);
    uint32_t current = rk_inbox_generation(inbox);
    bool used_up = current == 0 && inbox != 0;
    if (current == generation && (inbox & RK_INBOX_POINTER_MASK) != RK_INBOX_CLOSED) {
        *out_phase = (rk_actor_phase)atomic_load_explicit(&a->phase, memory_order_relaxed);
        return RK_OK;
    }
    if (used_up || generation < current) {
        *out_phase = RK_ACTOR_TERMINATED;
        return RK_OK;
    }
    return RK_NOT_FOUND;
}

const char *rk_actor_phase_name(rk_actor_phase phase)
{
    static const char *const names[] = {"dormant",  "initialising", "active",
                                        "draining", "terminated",   "failed"};
    return (unsigned)phase < RK_COUNT_OF(names) ? names[phase] : "unknown";
}

const char *rk_actor_reason_name(rk_actor_reason reason)
{
    static const char *const names[] = {"exited",    "stopped",   "killed",  "error",    "panic",
                                        "heartbeat", "escalated", "sibling", "requested"};
    return (unsigned)reason < RK_COUNT_OF(names) ? names[reason] : "unknown";
}

/* Asks one root to stop. */
static void stop_root(rk_actor_system *sys, rk_actor *a)
{
    /* Acquire pairs with the release that opened the inbox. */
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_acquire);
    if ((inbox & RK_INBOX_POINTER_MASK) != RK_INBOX_CLOSED &&
        atomic_load_explicit(&a->parent, memory_order_relaxed) == RK_NO_INDEX) {
        (void)rk_actor_system_stop(sys, rk_id_make(a->index, rk_inbox_generation(inbox)));
    }
}

static uint64_t alive(rk_actor_system *sys)
{
    rk_actor_stats stats;
    rk_actor_system_stats(sys, &stats);
    return stats.actors;
}

rk_status rk_actor_system_shutdown(rk_actor_system *sys, uint64_t deadline_ns)
{
    if (rk_inside(sys)) {
        return RK_STATE;
    }
    rk_table_walk(sys, stop_root);
    while (alive(sys) != 0) {
        rk_status status = rk_actor_system_wait_idle(sys, deadline_ns);
        if (status != RK_OK) {
            return status;
        }
        if (alive(sys) != 0) {
            /* Idle with actors left: some were made, or became roots, after the walk. */
            rk_table_walk(sys, stop_root);
            if (rk_clock_monotonic_ns() > deadline_ns) {
                return RK_TIMEOUT;
            }
        }
    }
    return RK_OK;
}
