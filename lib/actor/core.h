/*
 * core.h: the actor system from inside: its parts, and which file does what.
 *
 *   system.c      create, destroy, types, pause, idle, counters
 *   outside.c     spawning, sending and orders from outside
 *   table.c       slots and ids
 *   send.c        messages, delivery, full mailboxes, dead letters
 *   mailbox.c     the receiver's side: taking, sorting, dropping
 *   run.c         one actor's turn on a worker; handlers, panics
 *   spawn.c       making an actor
 *   life.c        start, fail, end, restart of one actor
 *   supervisor.c  what a parent does about its children
 *   sched.c       free delivery: who runs what when, stealing, parking
 *   queue.c       the run queues for that
 *   turns.c       ordered delivery: turns
 *   boundary.c    what happens between two turns
 *   timer.c       what is due later: timers
 *   ask.c         asks and futures
 *   beat.c        heartbeats
 *   registry.c    names
 *
 * Everything about one actor is done by the worker that holds it; actors and their parents talk by
 * control messages, so no lock covers a tree.
 */
#ifndef RK_ACTOR_CORE_H
#define RK_ACTOR_CORE_H

#include "actor/record.h"
#include "actor/stock.h"
#include "base/thread.h"
#include <ringkernel/actor_system.h>

#define RK_WORKERS_MAX 64u
#define RK_TYPES_MAX 1024u
#define RK_PAGE_SLOTS 1024u
#define RK_PAGES_MAX ((1u << RK_ID_INDEX_BITS) / RK_PAGE_SLOTS)
#define RK_HOST_SHARDS 8u
#define RK_BUFFER_CLASSES 10u /* 128 bytes to 64 KiB */
#define RK_RING_SLOTS 1024u   /* of a worker's run queue; a power of two */
#define RK_LANES 64u

/* Slots of one type, equally spaced. */
typedef struct rk_page {
    _Atomic(char *) base;
    uint32_t stride;
} rk_page;

/* Free slots of one type. */
typedef struct rk_slot_cache {
    rk_actor *head;  /* linked by pending */
    rk_actor *spare; /* a full batch, or NULL */
    uint32_t count;
    uint32_t fresh, fresh_end; /* indices never used, of the page in hand */
} rk_slot_cache;

/* Where new ids come from: of a worker, of outside, or in an ordered system of a lane. */
typedef struct rk_id_source {
    rk_slot_cache *slots; /* RK_TYPES_MAX */
    uint32_t number;      /* tells sources apart */
    uint32_t next_page;   /* ordered: pages are number + k * sources */
    uint32_t next_correlation;
    uint64_t next_timer;
} rk_id_source;

typedef struct rk_type_entry {
    rk_actor_type type;
    char *name;
    uint32_t number;
    uint32_t stride;
    uint32_t state_offset;
    uint32_t level; /* priority, 0..7 */
    uint32_t ctl;   /* of a new actor */
    rk_spin lock;
    rk_actor *batches; /* of free slots; linked by older and younger */
} rk_type_entry;

/* Counters with one writer at a time. */
typedef struct rk_counters {
    _Atomic uint64_t sent, handled, dead, dropped, refused;
    _Atomic uint64_t spawned, ended, failures, restarts, beats_missed;
    _Atomic uint64_t steals, parks;
} rk_counters;

RK_INLINE void rk_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What a thread needs to send: memory and counters. */
typedef struct rk_producer {
    rk_stock_cache messages;
    rk_stock_cache buffers[RK_BUFFER_CLASSES];
    rk_counters counters;
} rk_producer;

typedef struct rk_worker rk_worker;

/* On whose behalf something is sent or spawned. */
typedef struct rk_origin {
    rk_actor_system *sys;
    rk_producer *producer;
    rk_id_source *ids;
    rk_worker *worker; /* NULL: outside */
    uint64_t turn_bit; /* RK_HEAD_TURN or 0 */
} rk_origin;

/* Senders outside share a few of these. */
typedef struct rk_host_shard {
    alignas(RK_CACHE_LINE) rk_spin lock;
    rk_producer producer;
    rk_id_source ids;
} rk_host_shard;

enum { RK_HALT_NONE, RK_HALT_PAUSE, RK_HALT_STOP };

struct rk_actor_system {
    rk_page *pages; /* RK_PAGES_MAX, mapped */
    rk_worker *workers;
    uint32_t worker_count;
    bool ordered;
    uint64_t max_actors;
    _Atomic(rk_type_entry *) types[RK_TYPES_MAX];
    rk_stock messages;
    rk_stock buffers[RK_BUFFER_CLASSES];
    rk_host_shard *shards;
    rk_deadletter_queue *deadletters;
    rk_deadletter_queue *own_deadletters;
    rk_actor_observer on_event;
    void *event_context;
    struct rk_turns *turns; /* ordered */
    struct rk_timers *timers;
    struct rk_registry *registry;

    alignas(RK_CACHE_LINE) _Atomic uint64_t idle_mask; /* of workers */
    _Atomic uint32_t searching;                        /* workers that look for work */
    _Atomic uint32_t rescuers;    /* parked workers that look around every RESCUE_NS */
    uint32_t halt;                /* RK_HALT_*; futex word */
    _Atomic uint64_t next_due_ns; /* of the timers; RK_NEVER */

    alignas(RK_CACHE_LINE) _Atomic uint32_t unparks; /* counts ends of idleness */
    uint32_t idle_word;                              /* changes when all became idle */
    _Atomic uint32_t idle_waiters;
    uint32_t halted;             /* workers that wait for the end of a pause; futex word */
    _Atomic uint32_t timekeeper; /* 1: a worker sleeps until next_due_ns */
    _Atomic uint64_t actors;     /* alive or being made; checked against max_actors */
    _Atomic uint32_t type_count;
    _Atomic uint32_t next_page; /* free delivery */
    rk_mutex types_lock;
    rk_regions regions;
};

/* NULL outside workers. */
extern RK_THREAD_LOCAL rk_worker *rk_this_worker;

/* How a thread outside, or a handler, gets at an origin. leave gives back what enter locked. */
typedef struct rk_visit {
    rk_origin origin;
    rk_host_shard *shard;
    struct rk_visit *outer;
} rk_visit;

void rk_visit_enter(rk_visit *visit, rk_actor_system *sys);
void rk_visit_leave(rk_visit *visit);
/* Whether the caller is a handler of this system. */
bool rk_inside(const rk_actor_system *sys);
uint64_t rk_origin_now_ns(const rk_origin *o);
/* The actor whose handler runs, or RK_ACTOR_NONE. */
rk_actor_id rk_origin_sender(const rk_origin *o);

RK_INLINE rk_actor *rk_table_at(const rk_actor_system *sys, uint32_t index)
{
    const rk_page *page = &sys->pages[index / RK_PAGE_SLOTS];
    /* Acquire pairs with the release that published the page. */
    char *base = atomic_load_explicit(&page->base, memory_order_acquire);
    return (rk_actor *)(void *)(base + (size_t)(index % RK_PAGE_SLOTS) * page->stride);
}

/* The slot that an id names, whoever is in it; NULL if there is no such slot. */
RK_INLINE rk_actor *rk_table_find(const rk_actor_system *sys, rk_actor_id id)
{
    uint32_t index = (uint32_t)id & RK_ID_INDEX_MASK;
    const rk_page *page = &sys->pages[index / RK_PAGE_SLOTS];
    char *base = atomic_load_explicit(&page->base, memory_order_acquire);
    /* No id has generation 0: that is a slot that was never used. */
    if (RK_UNLIKELY(base == NULL || id - RK_ID_FIRST > RK_ID_MASK - RK_ID_FIRST)) {
        return NULL;
    }
    return (rk_actor *)(void *)(base + (size_t)(index % RK_PAGE_SLOTS) * page->stride);
}

RK_INLINE const rk_type_entry *rk_type_at(const rk_actor_system *sys, uint32_t number)
{
    return atomic_load_explicit(&sys->types[number], memory_order_acquire);
}

RK_INLINE void *rk_actor_state_at(const rk_type_entry *type, const rk_actor *a)
{
    return (char *)(uintptr_t)a + type->state_offset;
}

#endif
