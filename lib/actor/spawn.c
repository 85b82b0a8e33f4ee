/*
 * spawn.c: making an actor.
 *
 * A new actor is filled in while its inbox is closed, then opened held (scheduled), so that nothing
 * runs before it has its name, its parent and its watch; then it is given up or put on a run list.
 * A plain one, without any of these, is opened at once: that is the whole cost of most actors.
 */
#include "actor/parts.h"
#include <stdlib.h>
#include <string.h>

#define ARG_MAX_BYTES (1u << 20)
/* Actors made outside are dealt to the workers in runs of this many. */
#define HOME_RUN 64u

void rk_life_state_init(const rk_type_entry *type, rk_actor *a)
{
    void *state = rk_actor_state_at(type, a);
    memset(state, 0, type->type.state_bytes);
    if (type->type.init != NULL) {
        rk_actor_ext *ext = a->ext;
        type->type.init(state, ext == NULL ? NULL : ext->arg, ext == NULL ? 0 : ext->arg_bytes);
    }
}

/* What the ext of a new actor needs. False: out of memory. */
static bool ext_prepare(rk_actor *a, const rk_type_entry *type,
                        const rk_actor_spawn_options *options)
{
    bool with_arg = options != NULL && options->arg_bytes != 0;
    if (!with_arg && a->ext == NULL && (type->ctl & (RK_CTL_LIMITED | RK_CTL_BOX)) == 0 &&
        type->type.heartbeat == RK_ACTOR_HEARTBEAT_NONE) {
        return true;
    }
    rk_actor_ext *ext = rk_actor_ext_get(a);
    if (ext == NULL) {
        return false;
    }
    if ((type->ctl & RK_CTL_BOX) != 0 && ext->box == NULL) {
        ext->box = calloc(1, sizeof *ext->box);
        if (ext->box == NULL) {
            return false;
        }
    }
    ext->goal = RK_GOAL_NONE;
    ext->own.count = ext->own.next = 0;
    if (ext->family != NULL) {
        ext->family->intensity.count = ext->family->intensity.next = 0;
        ext->family->repair = RK_REPAIR_NONE;
    }
    if (with_arg) {
        ext->arg = malloc(options->arg_bytes);
        if (ext->arg == NULL) {
            return false;
        }
        memcpy(ext->arg, options->arg, options->arg_bytes);
        ext->arg_bytes = options->arg_bytes;
    }
    return true;
}

void rk_life_arg_free(rk_actor *a)
{
    if (a->ext != NULL && a->ext->arg != NULL) {
        free(a->ext->arg);
        a->ext->arg = NULL;
        a->ext->arg_bytes = 0;
    }
}

/* Opens the inbox of a new actor; held keeps it for the caller, who gives it up or schedules it. */
static void inbox_open(rk_actor *a, bool held)
{
    uint64_t word = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    /* Release: whoever learns the id sees the whole record. */
    atomic_store_explicit(&a->inbox, rk_inbox_with(word, NULL) | (held ? RK_INBOX_SCHEDULED : 0),
                          memory_order_release);
}

/* Takes back an actor that nobody has run. */
static void spawn_undo(rk_origin *o, rk_actor *a, rk_actor_id id)
{
    if ((rk_actor_ctl(a) & RK_CTL_NAMED) != 0) {
        rk_registry_forget(o->sys, id);
    }
    /* Nobody can have asked it to adopt: its id was never given out. */
    (void)rk_inbox_close(o, a, id, RK_DEADLETTER_NO_TARGET);
    atomic_store_explicit(&a->ctl, 0, memory_order_relaxed);
    rk_actor_phase_set(a, RK_ACTOR_TERMINATED);
    rk_life_arg_free(a);
    rk_table_give(o->sys, o->ids, a);
}

/* Ties the new actor to its parent, or to none. */
static rk_status spawn_link(rk_origin *o, rk_actor *parent, rk_actor *a, rk_actor_id parent_id)
{
    if (parent != NULL) {
        atomic_store_explicit(&a->parent, parent->index, memory_order_relaxed);
        return rk_family_add(o->sys, parent, a);
    }
    if (parent_id == RK_ACTOR_NONE) {
        return RK_OK;
    }
    rk_actor *p = rk_table_find(o->sys, parent_id);
    if (p == NULL) {
        return RK_NOT_FOUND;
    }
    atomic_store_explicit(&a->parent, p->index, memory_order_relaxed);
    const rk_control_body body = {.child = a->index};
    return rk_control_post(o, parent_id, RK_CONTROL_ADOPT, &body) ? RK_OK : RK_NOT_FOUND;
}

static rk_status spawn_check(const rk_actor_system *sys, rk_actor_type_id type,
                             const rk_actor_spawn_options *options)
{
    if (type >= atomic_load_explicit(&sys->type_count, memory_order_acquire) ||
        (options != NULL && options->arg_bytes != 0 && options->arg == NULL)) {
        return RK_INVALID;
    }
    return options != NULL && options->arg_bytes > ARG_MAX_BYTES ? RK_LIMIT : RK_OK;
}

/* Counts the actor against the limit; false: there are too many. */
static bool admit(rk_actor_system *sys)
{
    if (sys->max_actors == 0) {
        return true;
    }
    if (atomic_fetch_add_explicit(&sys->actors, 1, memory_order_relaxed) < sys->max_actors) {
        return true;
    }
    atomic_fetch_sub_explicit(&sys->actors, 1, memory_order_relaxed);
    return false;
}

void rk_life_dismiss(rk_actor_system *sys)
{
    if (sys->max_actors != 0) {
        atomic_fetch_sub_explicit(&sys->actors, 1, memory_order_relaxed);
    }
}

/* Fills the record of a new actor; its inbox is still closed. */
static void record_init(rk_origin *o, rk_actor *a, const rk_type_entry *type)
{
    atomic_store_explicit(&a->parent, RK_NO_INDEX, memory_order_relaxed);
    a->older = a->younger = RK_NO_INDEX;
    a->child_state = RK_CHILD_UP;
    a->restart = (uint8_t)type->type.restart;
    atomic_store_explicit(&a->restarts, 0, memory_order_relaxed);
    rk_actor_phase_set(a, RK_ACTOR_DORMANT);
    uint32_t home =
        o->worker != NULL ? o->worker->number : a->index / HOME_RUN % o->sys->worker_count;
    atomic_store_explicit(&a->home, (uint8_t)home, memory_order_relaxed);
    atomic_store_explicit(&a->ctl, type->ctl, memory_order_relaxed);
    rk_life_state_init(type, a);
}

/* Links and names an actor that is open and held, then lets it run. */
static rk_status spawn_settle(rk_origin *o, rk_actor *parent, rk_actor *a, rk_actor_id id,
                              const rk_actor_spawn_options *options)
{
    if (options != NULL && options->name != NULL) {
        rk_status status = rk_actor_system_register(o->sys, options->name, id);
        if (status != RK_OK) {
            return status;
        }
    }
    return spawn_link(o, parent, a, options == NULL ? RK_ACTOR_NONE : options->parent);
}

rk_status rk_life_spawn(rk_origin *o, rk_actor *parent, rk_actor_type_id number,
                        const rk_actor_spawn_options *options, rk_actor_id *out_id)
{
    rk_actor_system *sys = o->sys;
    rk_status status = spawn_check(sys, number, options);
    if (RK_UNLIKELY(status != RK_OK)) {
        return status;
    }
    if (!admit(sys)) {
        return RK_LIMIT;
    }
    rk_type_entry *type = atomic_load_explicit(&sys->types[number], memory_order_acquire);
    rk_actor *a = rk_table_take(sys, o->ids, type);
    if (a == NULL) {
        rk_life_dismiss(sys);
        return RK_NO_MEMORY;
    }
    if (!ext_prepare(a, type, options)) {
        rk_table_give(sys, o->ids, a);
        rk_life_dismiss(sys);
        return RK_NO_MEMORY;
    }
    record_init(o, a, type);
    rk_actor_id id = rk_actor_id_of(a);
    bool plain = type->ctl == 0 && options == NULL && type->type.heartbeat == 0;
    inbox_open(a, !plain);
    status = plain && parent == NULL ? RK_OK : spawn_settle(o, parent, a, id, options);
    if (status != RK_OK) {
        spawn_undo(o, a, id);
        rk_life_dismiss(sys);
        return status;
    }
    rk_count(&o->producer->counters.spawned);
    rk_event_emit(sys, a, id, RK_ACTOR_EVENT_SPAWNED, RK_ACTOR_REQUESTED, RK_OK, "");
    if (!plain) {
        if (type->type.heartbeat != RK_ACTOR_HEARTBEAT_NONE) {
            rk_beats_watch(o, a, id, type);
        }
        if ((type->ctl & RK_CTL_START) != 0 || !rk_inbox_release(a)) {
            rk_schedule(o, a);
        }
    }
    *out_id = id;
    return RK_OK;
}
