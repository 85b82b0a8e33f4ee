/*
 * system.c: creating and ending a system, its types and counters, and the calls from outside.
 */
#include "actor/parts.h"
#include "actor/queue.h"
#include "base/clock.h"
#include "base/wait.h"
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BATCH 128u
#define DEFAULT_RESTARTS 3u
#define MAX_RESTARTS 1000u

/* --- Origins --- */

bool rk_inside(const rk_actor_system *sys)
{
    return rk_this_worker != NULL && rk_this_worker->ctx.origin.sys == sys;
}

/* Threads outside are dealt to the shards in the order in which they come. */
static uint32_t shard_of_thread(void)
{
    static _Atomic uint32_t threads;
    static RK_THREAD_LOCAL uint32_t mine;
    if (mine == 0) {
        mine = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % RK_HOST_SHARDS + 1;
    }
    return mine - 1;
}

/* The visit under way on this thread: an observer may call back into the system. */
static RK_THREAD_LOCAL rk_visit *current;

void rk_visit_enter(rk_visit *visit, rk_actor_system *sys)
{
    visit->shard = NULL;
    visit->outer = current;
    if (rk_inside(sys)) {
        visit->origin = rk_this_worker->ctx.origin;
    } else if (current != NULL && current->origin.sys == sys) {
        visit->origin = current->origin;
    } else {
        /* In an ordered system outside is one source of ids. */
        visit->shard = &sys->shards[sys->ordered ? 0 : shard_of_thread()];
        rk_spin_lock(&visit->shard->lock);
        visit->origin =
            (rk_origin){.sys = sys, .producer = &visit->shard->producer, .ids = &visit->shard->ids};
    }
    current = visit;
}

void rk_visit_leave(rk_visit *visit)
{
    current = visit->outer;
    if (visit->shard != NULL) {
        rk_spin_unlock(&visit->shard->lock);
    }
}

rk_actor_id rk_origin_sender(const rk_origin *o)
{
    return o->worker != NULL && o->worker->ctx.self != NULL ? o->worker->ctx.id : RK_ACTOR_NONE;
}

uint64_t rk_actor_system_now_ns(rk_actor_system *sys)
{
    return sys->ordered && rk_inside(sys) ? rk_turns_now_ns(sys) : rk_clock_monotonic_ns();
}

uint64_t rk_origin_now_ns(const rk_origin *o)
{
    return o->sys->ordered && o->worker != NULL ? rk_turns_now_ns(o->sys) : rk_clock_monotonic_ns();
}

/* --- Create and destroy --- */

static rk_status options_check(const rk_actor_system_options *options, rk_err *err)
{
    if (options->workers > RK_WORKERS_MAX) {
        return rk_err_set(err, RK_INVALID, "an actor system cannot have %u workers: %u is the most",
                          options->workers, RK_WORKERS_MAX);
    }
    if (options->delivery != RK_ACTOR_FREE && options->delivery != RK_ACTOR_ORDERED) {
        return rk_err_set(err, RK_INVALID,
                          "delivery %d of an actor system is neither RK_ACTOR_FREE nor "
                          "RK_ACTOR_ORDERED",
                          (int)options->delivery);
    }
    return RK_OK;
}

static bool workers_init(rk_actor_system *sys)
{
    size_t bytes = sys->worker_count * sizeof *sys->workers;
    sys->workers = aligned_alloc(alignof(rk_worker), bytes);
    size_t shard_bytes = RK_HOST_SHARDS * sizeof *sys->shards;
    sys->shards = aligned_alloc(alignof(rk_host_shard), shard_bytes);
    if (sys->workers != NULL) {
        memset(sys->workers, 0, bytes);
    }
    if (sys->shards != NULL) {
        memset(sys->shards, 0, shard_bytes);
    }
    if (sys->workers == NULL || sys->shards == NULL) {
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        rk_worker *w = &sys->workers[i];
        w->number = i;
        w->ctx.origin =
            (rk_origin){.sys = sys, .producer = &w->producer, .ids = &w->ids, .worker = w};
        ok = rk_id_source_init(&w->ids, i) && ok;
    }
    for (uint32_t i = 0; i < RK_HOST_SHARDS; i++) {
        /* In an ordered system the lanes come first, and the number is that of the page source. */
        uint32_t number = (sys->ordered ? RK_LANES : sys->worker_count) + i;
        ok = rk_id_source_init(&sys->shards[i].ids, number) && ok;
    }
    return ok;
}

static rk_status parts_init(rk_actor_system *sys, const rk_actor_system_options *options)
{
    rk_regions_init(&sys->regions, options->max_message_bytes);
    rk_stock_init(&sys->messages, &sys->regions, sizeof(rk_message), MESSAGE_BATCH);
    for (uint32_t i = 0; i < RK_BUFFER_CLASSES; i++) {
        size_t bytes = (size_t)128 << i;
        rk_stock_init(&sys->buffers[i], &sys->regions, bytes,
                      (uint32_t)RK_MAX(4, RK_MIN(32, 65536 / bytes)));
    }
    if (!workers_init(sys)) {
        return RK_NO_MEMORY;
    }
    rk_status status = rk_table_init(sys);
    if (status == RK_OK) {
        status = rk_timers_init(sys);
    }
    if (status == RK_OK) {
        status = rk_registry_init(sys);
    }
    if (status == RK_OK && sys->ordered) {
        status = rk_turns_init(sys);
    }
    if (status == RK_OK && sys->deadletters == NULL) {
        status = rk_deadletter_queue_create(NULL, &sys->own_deadletters);
        sys->deadletters = sys->own_deadletters;
    }
    return status;
}

static void free_parts(rk_actor_system *sys)
{
    if (sys->shards != NULL && sys->workers != NULL) {
        rk_turns_finish(sys);
        rk_timers_finish(sys);
    }
    rk_registry_finish(sys);
    rk_table_finish(sys);
    for (uint32_t i = 0; sys->workers != NULL && i < sys->worker_count; i++) {
        rk_id_source_finish(&sys->workers[i].ids);
        rk_run_lists_finish(&sys->workers[i]);
    }
    for (uint32_t i = 0; sys->shards != NULL && i < RK_HOST_SHARDS; i++) {
        rk_id_source_finish(&sys->shards[i].ids);
    }
    for (uint32_t i = 0; i < RK_TYPES_MAX; i++) {
        rk_type_entry *type = atomic_load_explicit(&sys->types[i], memory_order_relaxed);
        if (type != NULL) {
            free(type->name);
            free(type);
        }
    }
    free(sys->workers);
    free(sys->shards);
    rk_regions_finish(&sys->regions);
    rk_deadletter_queue_destroy(sys->own_deadletters);
    rk_mutex_finish(&sys->types_lock);
    free(sys);
}

/* Ends the first count workers. */
static void workers_stop(rk_actor_system *sys, uint32_t count)
{
    rk_atomic_store_u32(&sys->halt, RK_HALT_STOP, memory_order_seq_cst);
    rk_wake(&sys->halt, RK_WAKE_ALL);
    if (sys->ordered) {
        rk_turns_kick(sys);
    } else {
        rk_sched_wake_all(sys);
    }
    for (uint32_t i = 0; i < count; i++) {
        rk_thread_join(&sys->workers[i].thread);
    }
}

rk_status rk_actor_system_create(const rk_actor_system_options *given, rk_actor_system **out_system,
                                 rk_err *err)
{
    rk_actor_system_options options = {0};
    if (given != NULL) {
        options = *given;
    }
    rk_status status = options_check(&options, err);
    if (status != RK_OK) {
        return status;
    }
    rk_actor_system *sys = aligned_alloc(RK_CACHE_LINE, sizeof *sys);
    if (sys == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "creating an actor system: out of memory");
    }
    memset(sys, 0, sizeof *sys);
    rk_mutex_init(&sys->types_lock);
    uint32_t cpus = rk_thread_cpu_count();
    sys->worker_count = options.workers != 0 ? options.workers : RK_MIN(cpus, RK_WORKERS_MAX);
    sys->ordered = options.delivery == RK_ACTOR_ORDERED;
    sys->max_actors = options.max_actors;
    sys->deadletters = options.deadletters;
    sys->on_event = options.on_event;
    sys->event_context = options.event_context;
    sys->halt = options.paused ? RK_HALT_PAUSE : RK_HALT_NONE;
    atomic_store_explicit(&sys->next_due_ns, RK_NEVER, memory_order_relaxed);
    status = parts_init(sys, &options);
    if (status != RK_OK) {
        free_parts(sys);
        return rk_err_set(err, status, "creating an actor system: %s", rk_status_text(status));
    }
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        status = rk_thread_start(&sys->workers[i].thread, "rk-actors",
                                 sys->ordered ? rk_turns_main : rk_sched_main, &sys->workers[i]);
        if (status != RK_OK) {
            workers_stop(sys, i);
            free_parts(sys);
            return rk_err_set(err, status,
                              "starting worker %u of %u of an actor system: %s; raise the limit of "
                              "threads or ask for fewer workers",
                              i + 1, sys->worker_count, rk_status_text(status));
        }
    }
    *out_system = sys;
    return RK_OK;
}

void rk_actor_system_destroy(rk_actor_system *sys)
{
    if (sys == NULL) {
        return;
    }
    workers_stop(sys, sys->worker_count);
    rk_inbox_free_all(sys);
    free_parts(sys);
}

/* --- Types --- */

static rk_status type_check(const rk_actor_type *type, rk_err *err)
{
    if (type->name == NULL || type->name[0] == '\0') {
        return rk_err_set(err, RK_INVALID, "an actor type has no name: give it one");
    }
    const char *what = NULL;
    if (type->on_message == NULL) {
        what = "has no on_message";
    } else if (type->state_bytes > RK_ACTOR_STATE_MAX_BYTES) {
        what = "has more than 1 MiB of state: keep large data in memory of its own";
    } else if (type->priority != 0 &&
               (type->priority < RK_ACTOR_PRIORITY(0) || type->priority > RK_ACTOR_PRIORITY(7))) {
        what = "has a priority that is not RK_ACTOR_PRIORITY(0..7)";
    } else if ((unsigned)type->restart > RK_ACTOR_TEMPORARY ||
               (unsigned)type->strategy > RK_ACTOR_STAY_FAILED ||
               (unsigned)type->full > RK_ACTOR_FULL_DROP_OLDEST ||
               (unsigned)type->heartbeat > RK_ACTOR_HEARTBEAT_MANUAL) {
        what = "has a restart, strategy, full or heartbeat that is none of the constants";
    } else if (type->max_restarts > MAX_RESTARTS) {
        what = "allows more than 1000 restarts in its window";
    } else if (type->mailbox_limit > UINT32_MAX / 2) {
        what = "has a mailbox limit of more than 2^31 messages: use 0 for none";
    }
    return what == NULL ? RK_OK
                        : rk_err_set(err, RK_INVALID, "the actor type \"%s\" %s", type->name, what);
}

/* Where state goes and how far apart slots are: see docs/actors.md. */
static void type_layout(rk_type_entry *entry)
{
    uint32_t state = entry->type.state_bytes;
    uint32_t spare = 64 - (uint32_t)sizeof(rk_actor);
    if (state <= spare) {
        entry->state_offset = (uint32_t)sizeof(rk_actor);
        entry->stride = 64;
        return;
    }
    entry->state_offset = 64;
    uint32_t lines = (64 + state + 63) & ~63u;
    uint32_t tight = (64 + state + 15) & ~15u;
    /* Whole cache lines as long as an actor stays below 100 bytes beside its state. */
    entry->stride = lines - state <= 100 ? lines : tight;
}

static uint32_t type_ctl(const rk_actor_system *sys, const rk_actor_type *type)
{
    uint32_t ctl = 0;
    if (type->on_start != NULL) {
        ctl |= RK_CTL_START;
    }
    if (type->priority != 0 && type->priority != RK_ACTOR_PRIORITY(RK_MSG_PRIORITY_NORMAL)) {
        ctl |= RK_CTL_PRIORITY;
    }
    if (type->mailbox_limit != 0 && !sys->ordered) {
        ctl |= type->full == RK_ACTOR_FULL_DROP_OLDEST ? RK_CTL_BOX : RK_CTL_LIMITED;
    }
    return ctl;
}

static rk_type_entry *type_make(const rk_actor_system *sys, const rk_actor_type *type)
{
    rk_type_entry *entry = calloc(1, sizeof *entry);
    char *name = strdup(type->name);
    if (entry == NULL || name == NULL) {
        free(entry);
        free(name);
        return NULL;
    }
    entry->type = *type;
    entry->name = name;
    rk_actor_type *t = &entry->type;
    t->name = name;
    t->max_restarts = t->max_restarts == 0 ? DEFAULT_RESTARTS : t->max_restarts;
    t->window_ns = t->window_ns == 0 ? 60ull * RK_NS_PER_S : t->window_ns;
    t->heartbeat_ns = t->heartbeat_ns == 0 ? 100ull * RK_NS_PER_MS : t->heartbeat_ns;
    t->heartbeat_timeout_ns =
        t->heartbeat_timeout_ns == 0 ? 500ull * RK_NS_PER_MS : t->heartbeat_timeout_ns;
    entry->level = t->priority == 0 ? RK_MSG_PRIORITY_NORMAL : t->priority & 7;
    entry->ctl = type_ctl(sys, t);
    type_layout(entry);
    return entry;
}

rk_status rk_actor_system_register_type(rk_actor_system *sys, const rk_actor_type *type,
                                        rk_actor_type_id *out_type, rk_err *err)
{
    rk_status status = type_check(type, err);
    if (status != RK_OK) {
        return status;
    }
    rk_type_entry *entry = type_make(sys, type);
    if (entry == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "registering the actor type \"%s\": out of memory",
                          type->name);
    }
    rk_mutex_lock(&sys->types_lock);
    uint32_t count = atomic_load_explicit(&sys->type_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        if (strcmp(rk_type_at(sys, i)->name, type->name) == 0) {
            status = rk_err_set(err, RK_EXISTS, "there is an actor type \"%s\" already: use its id",
                                type->name);
        }
    }
    if (status == RK_OK && count == RK_TYPES_MAX) {
        status = rk_err_set(err, RK_LIMIT,
                            "there are %u actor types already, the most there can be", count);
    }
    if (status == RK_OK) {
        entry->number = count;
        atomic_store_explicit(&sys->types[count], entry, memory_order_release);
        atomic_store_explicit(&sys->type_count, count + 1, memory_order_release);
        *out_type = count;
    }
    rk_mutex_unlock(&sys->types_lock);
    if (status != RK_OK) {
        free(entry->name);
        free(entry);
    }
    return status;
}

/* --- Pause and idle --- */

rk_status rk_actor_system_pause(rk_actor_system *sys)
{
    if (rk_inside(sys)) {
        return RK_STATE;
    }
    rk_atomic_store_u32(&sys->halt, RK_HALT_PAUSE, memory_order_seq_cst);
    if (sys->ordered) {
        rk_turns_kick(sys);
    } else {
        rk_sched_wake_all(sys);
    }
    /* In an ordered system the worker that leads stands for all. */
    uint32_t wanted = sys->ordered ? 1 : sys->worker_count;
    uint32_t halted;
    while ((halted = rk_atomic_load_u32(&sys->halted, memory_order_seq_cst)) != wanted) {
        (void)rk_wait_while_equal(&sys->halted, halted, RK_NEVER, 0);
    }
    return RK_OK;
}

rk_status rk_actor_system_resume(rk_actor_system *sys)
{
    rk_atomic_store_u32(&sys->halt, RK_HALT_NONE, memory_order_seq_cst);
    rk_wake(&sys->halt, RK_WAKE_ALL);
    return RK_OK;
}

bool rk_halt_wait(rk_actor_system *sys)
{
    uint32_t halt;
    while ((halt = rk_atomic_load_u32(&sys->halt, memory_order_seq_cst)) == RK_HALT_PAUSE) {
        rk_atomic_add_u32(&sys->halted, 1, memory_order_seq_cst);
        rk_wake(&sys->halted, RK_WAKE_ALL);
        (void)rk_wait_while_equal(&sys->halt, RK_HALT_PAUSE, RK_NEVER, 0);
        rk_atomic_add_u32(&sys->halted, UINT32_MAX, memory_order_seq_cst);
    }
    return halt == RK_HALT_NONE;
}

void rk_idle_tell(rk_actor_system *sys)
{
    if (atomic_load_explicit(&sys->idle_waiters, memory_order_seq_cst) != 0) {
        rk_atomic_add_u32(&sys->idle_word, 1, memory_order_seq_cst);
        rk_wake(&sys->idle_word, RK_WAKE_ALL);
    }
}

rk_status rk_actor_system_wait_idle(rk_actor_system *sys, uint64_t deadline_ns)
{
    if (rk_inside(sys)) {
        return RK_STATE;
    }
    rk_status status = RK_OK;
    atomic_fetch_add_explicit(&sys->idle_waiters, 1, memory_order_seq_cst);
    for (;;) {
        uint32_t seen = rk_atomic_load_u32(&sys->idle_word, memory_order_seq_cst);
        if (rk_atomic_load_u32(&sys->halt, memory_order_seq_cst) != RK_HALT_NONE) {
            status = RK_STATE;
            break;
        }
        if (sys->ordered ? rk_turns_is_idle(sys) : rk_sched_is_idle(sys)) {
            break;
        }
        status = rk_wait_while_equal(&sys->idle_word, seen, deadline_ns, 0);
        if (status != RK_OK) {
            break;
        }
    }
    atomic_fetch_sub_explicit(&sys->idle_waiters, 1, memory_order_seq_cst);
    return status;
}

void rk_actor_system_tick(rk_actor_system *sys)
{
    if (sys->ordered) {
        rk_turns_tick(sys);
        return;
    }
    if (atomic_load_explicit(&sys->next_due_ns, memory_order_relaxed) == RK_NEVER) {
        return;
    }
    uint64_t now_ns = rk_clock_monotonic_ns();
    if (atomic_load_explicit(&sys->next_due_ns, memory_order_relaxed) <= now_ns) {
        rk_visit v;
        rk_visit_enter(&v, sys);
        rk_timers_fire(&v.origin, now_ns);
        rk_visit_leave(&v);
    }
}

rk_deadletter_queue *rk_actor_system_deadletters(rk_actor_system *sys)
{
    return sys->deadletters;
}

/* --- Counters --- */

static void counters_add(rk_actor_stats *stats, const rk_counters *c)
{
    stats->sent += atomic_load_explicit(&c->sent, memory_order_relaxed);
    stats->handled += atomic_load_explicit(&c->handled, memory_order_relaxed);
    stats->dead += atomic_load_explicit(&c->dead, memory_order_relaxed);
    stats->dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
    stats->refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
    stats->spawned += atomic_load_explicit(&c->spawned, memory_order_relaxed);
    stats->ended += atomic_load_explicit(&c->ended, memory_order_relaxed);
    stats->failures += atomic_load_explicit(&c->failures, memory_order_relaxed);
    stats->restarts += atomic_load_explicit(&c->restarts, memory_order_relaxed);
    stats->beats_missed += atomic_load_explicit(&c->beats_missed, memory_order_relaxed);
    stats->steals += atomic_load_explicit(&c->steals, memory_order_relaxed);
    stats->parks += atomic_load_explicit(&c->parks, memory_order_relaxed);
}

void rk_actor_system_stats(rk_actor_system *sys, rk_actor_stats *out_stats)
{
    rk_actor_stats stats = {.workers = sys->worker_count};
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        counters_add(&stats, &sys->workers[i].producer.counters);
    }
    for (uint32_t i = 0; i < RK_HOST_SHARDS; i++) {
        counters_add(&stats, &sys->shards[i].producer.counters);
    }
    stats.actors = stats.spawned > stats.ended ? stats.spawned - stats.ended : 0;
    stats.turns = sys->ordered ? rk_turns_count(sys) : 0;
    stats.memory_bytes = atomic_load_explicit(&sys->regions.total_bytes, memory_order_relaxed);
    *out_stats = stats;
}
