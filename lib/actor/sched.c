/*
 * sched.c: free delivery: which worker runs which actor when.
 *
 * A worker keeps runnable actors in a ring that it fills at the tail; it and thieves take from the
 * head. What comes from outside is pushed on the worker's inject stack, which is always taken
 * whole. Actors of a priority of their own, and normal ones that find the ring full, wait in lists.
 *
 * An actor runs on the worker that sent to it, so actors that talk to one another come together,
 * and a worker that the system interrupts keeps only what it had. A worker without work looks at
 * the others for a moment, takes half of what one has, or parks. What is sent from outside goes to
 * the worker that ran the actor last, or to an idle one.
 *
 * A sender whose receiver is far behind (RK_CTL_CONGESTED) is set aside for a while: the receiver
 * then works on messages that are still in the caches, and memory stays bounded in practice.
 *
 * No wake-up is lost: who hands work to another worker first pushes it and then looks whether that
 * worker is parked; who parks first says so and then looks for work; all four in one total order
 * (seq_cst). Work that a worker puts into its own ring needs no such care: it is awake. If it is
 * kept busy by one long handler, others come and take the rest: a worker that parks while another
 * is busy looks around every RESCUE_NS, and a worker with work to spare wakes one that parked when
 * none was. Both waits take the system's time: a test may have stopped the other clock.
 */
#include "actor/parts.h"
#include "actor/queue.h"
#include "base/clock.h"
#include "base/wait.h"

#define NORMAL RK_MSG_PRIORITY_NORMAL
#define RESCUE_NS (1u * RK_NS_PER_MS)
/* How often a worker without work looks at the others before it parks: some 20 microseconds. */
#define SEARCH_ROUNDS 200u
#define INJECT_PERIOD 32u
#define TIMER_PERIOD 64u
/* A sender whose receiver is far behind waits so long, and then so often again. */
#define DELAY_NS (50u * RK_NS_PER_US)
#define DELAYS_MAX 20u
#define MOVE_MAX 256u /* actors that move between lists at once */

RK_THREAD_LOCAL rk_worker *rk_this_worker;

/* --- Putting actors on lists --- */

static void wake(rk_actor_system *sys, uint32_t number)
{
    uint64_t bit = 1ull << number;
    if ((atomic_fetch_and_explicit(&sys->idle_mask, ~bit, memory_order_seq_cst) & bit) != 0) {
        rk_worker *w = &sys->workers[number];
        rk_atomic_add_u32(&w->park, 1, memory_order_release);
        rk_wake(&w->park, 1);
    }
}

static void wake_one(rk_actor_system *sys)
{
    uint64_t mask = atomic_load_explicit(&sys->idle_mask, memory_order_seq_cst);
    if (mask != 0) {
        wake(sys, rk_ctz_u64(mask));
    }
}

void rk_sched_wake_all(rk_actor_system *sys)
{
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        wake(sys, i);
    }
}

void rk_sched_wake_keeper(rk_actor_system *sys)
{
    uint32_t keeper = atomic_load_explicit(&sys->timekeeper, memory_order_seq_cst);
    if (keeper != 0) {
        wake(sys, keeper - 1);
    } else {
        wake_one(sys);
    }
}

/* Pushes it on a worker's inject stack and wakes that worker if it is parked. */
static void put_other(rk_worker *w, rk_actor *a)
{
    uint32_t old = atomic_load_explicit(&w->inject, memory_order_relaxed);
    do {
        a->run_next = old;
    } while (!atomic_compare_exchange_weak_explicit(&w->inject, &old, a->index + 1,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (atomic_load_explicit(&w->parked, memory_order_seq_cst) != 0) {
        wake(w->ctx.origin.sys, w->number);
    }
}

/* Puts it on the calling worker's own lists. */
static void put_own(rk_worker *w, rk_actor *a)
{
    unsigned level = NORMAL;
    if (RK_UNLIKELY((rk_actor_ctl(a) & RK_CTL_PRIORITY) != 0)) {
        level = rk_type_at(w->ctx.origin.sys, a->type)->level;
    }
    uint32_t lists = atomic_load_explicit(&w->levels_mask, memory_order_relaxed);
    if (RK_LIKELY(level == NORMAL && (lists & 1u << NORMAL) == 0) &&
        RK_LIKELY(rk_run_ring_push(w, a))) {
        return;
    }
    if (!rk_run_list_push(w, level, a)) {
        put_other(w, a); /* the stack needs no memory */
    }
}

/* Takes work from outside to the actor's last worker, or to an idle one if that is busy. */
static void put_outside(rk_actor_system *sys, rk_actor *a)
{
    rk_worker *w = &sys->workers[atomic_load_explicit(&a->home, memory_order_relaxed)];
    uint64_t idle = atomic_load_explicit(&sys->idle_mask, memory_order_relaxed);
    if (idle != 0 && atomic_load_explicit(&w->parked, memory_order_relaxed) == 0) {
        w = &sys->workers[rk_ctz_u64(idle)];
    }
    put_other(w, a);
}

/*
 * Wakes a parked worker when there is more than the next thing to do and nobody is on the way yet;
 * for a single thing to spare only if nobody would come by himself.
 */
static void share(rk_actor_system *sys, const rk_worker *w)
{
    if (RK_LIKELY(atomic_load_explicit(&sys->idle_mask, memory_order_relaxed) == 0) ||
        atomic_load_explicit(&sys->searching, memory_order_relaxed) != 0) {
        return;
    }
    uint32_t spare = rk_run_ring_count(w);
    if (spare >= 2 || atomic_load_explicit(&w->levels_mask, memory_order_relaxed) != 0 ||
        (spare == 1 && atomic_load_explicit(&sys->rescuers, memory_order_relaxed) == 0)) {
        wake_one(sys);
    }
}

void rk_schedule(rk_origin *o, rk_actor *a)
{
    rk_actor_system *sys = o->sys;
    rk_worker *w = o->worker;
    if (RK_UNLIKELY(w == NULL || sys->ordered)) {
        if (!sys->ordered) {
            put_outside(sys, a);
        } else if (w == NULL) {
            rk_control_wake(o, a);
        } else {
            rk_turns_activate(o, a);
        }
        return;
    }
    put_own(w, a);
    share(sys, w);
}

/* --- Finding the next actor --- */

/* Takes the inject stack of a worker to the caller's own lists, oldest first; false: empty. */
static bool inject_take(rk_worker *w, rk_worker *from)
{
    if (atomic_load_explicit(&from->inject, memory_order_seq_cst) == 0) {
        return false;
    }
    /* Acquire pairs with the pushes. */
    uint32_t next = atomic_exchange_explicit(&from->inject, 0, memory_order_acquire);
    rk_actor *oldest = NULL;
    while (next != 0) {
        rk_actor *a = rk_table_at(w->ctx.origin.sys, next - 1);
        next = a->run_next;
        a->run_next = oldest == NULL ? 0 : oldest->index + 1;
        oldest = a;
    }
    bool any = oldest != NULL;
    while (oldest != NULL) {
        uint32_t after = oldest->run_next;
        put_own(w, oldest);
        oldest = after == 0 ? NULL : rk_table_at(w->ctx.origin.sys, after - 1);
    }
    return any;
}

/* Fills the empty ring from the list that took what it could not hold; the first is returned. */
static rk_actor *ring_refill(rk_worker *w)
{
    rk_actor *taken[MOVE_MAX];
    uint32_t count = rk_run_list_take(w, NORMAL, taken, MOVE_MAX);
    for (uint32_t i = 1; i < count; i++) {
        (void)rk_run_ring_push(w, taken[i]); /* it has room: only this worker adds to it */
    }
    return count == 0 ? NULL : taken[0];
}

/*
 * Picks among priorities. The highest one that waits gets three of four picks, the next three of
 * four of the rest, and so on: each gets its turn.
 */
static rk_actor *pick_level(rk_worker *w, uint32_t lists)
{
    uint32_t waiting = lists | (rk_run_ring_count(w) != 0 ? 1u << NORMAL : 0);
    unsigned skip = rk_ctz_u64(w->picks | 1u << 31) / 2;
    unsigned level = rk_log2_u64(waiting);
    while (skip-- != 0 && (waiting & ((1u << level) - 1)) != 0) {
        level = rk_log2_u64(waiting & ((1u << level) - 1));
    }
    if (level == NORMAL) {
        rk_actor *a = rk_run_ring_pop(w);
        return a != NULL ? a : ring_refill(w);
    }
    rk_actor *a = NULL;
    (void)rk_run_list_take(w, level, &a, 1);
    return a;
}

/* Sets a sender aside. */
static void delay(rk_worker *w, rk_actor *a, rk_actor *behind)
{
    if (w->delayed_count == RK_COUNT_OF(w->delayed)) {
        put_own(w, a);
        return;
    }
    if (w->delayed_count == 0) {
        w->delayed_until_ns = rk_clock_system_ns() + DELAY_NS;
    }
    w->delayed[w->delayed_count++] = (rk_delayed){a, behind, DELAYS_MAX};
}

/* Takes those back whose receivers have caught up, or that have waited long enough. */
static void delay_end(rk_worker *w)
{
    if (w->delayed_count == 0) {
        return;
    }
    uint64_t now_ns = rk_clock_system_ns();
    if (now_ns < w->delayed_until_ns) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->delayed_count; i++) {
        rk_delayed d = w->delayed[i];
        if ((rk_actor_ctl(d.behind) & RK_CTL_CONGESTED) != 0 && --d.patience != 0) {
            w->delayed[kept++] = d;
        } else {
            put_own(w, d.actor);
        }
    }
    w->delayed_count = kept;
    w->delayed_until_ns = now_ns + DELAY_NS;
}

static rk_actor *pick(rk_worker *w)
{
    w->picks++;
    if (RK_UNLIKELY(w->picks % INJECT_PERIOD == 0)) {
        inject_take(w, w);
        delay_end(w);
        if (w->picks % TIMER_PERIOD == 0) {
            rk_actor_system_tick(w->ctx.origin.sys);
        }
    }
    uint32_t lists = atomic_load_explicit(&w->levels_mask, memory_order_relaxed);
    if (RK_UNLIKELY(lists != 0)) {
        rk_actor *a = pick_level(w, lists);
        if (a != NULL) {
            return a;
        }
    }
    rk_actor *a = rk_run_ring_pop(w);
    if (a == NULL && inject_take(w, w)) {
        lists = atomic_load_explicit(&w->levels_mask, memory_order_relaxed);
        a = lists != 0 ? pick_level(w, lists) : rk_run_ring_pop(w);
    }
    return a;
}

/* Looks at one other worker. keep: leave it that many. */
static rk_actor *steal(rk_worker *w, rk_worker *victim, uint32_t keep)
{
    rk_actor *taken[MOVE_MAX];
    uint32_t count = 0;
    uint32_t lists = atomic_load_explicit(&victim->levels_mask, memory_order_seq_cst);
    if (lists != 0) {
        count = rk_run_list_take(victim, rk_log2_u64(lists), taken, MOVE_MAX / 4);
    }
    if (count == 0) {
        count = rk_run_ring_steal(victim, keep, taken, MOVE_MAX);
    }
    for (uint32_t i = 1; i < count; i++) {
        put_own(w, taken[i]);
    }
    if (count != 0) {
        return taken[0];
    }
    return keep == 0 && inject_take(w, victim) ? pick(w) : NULL;
}

static rk_actor *steal_any(rk_worker *w, uint32_t keep)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    for (uint32_t i = 1; i < sys->worker_count; i++) {
        rk_worker *victim = &sys->workers[(w->number + i) % sys->worker_count];
        rk_actor *a = steal(w, victim, keep);
        if (a != NULL) {
            rk_count(&w->producer.counters.steals);
            return a;
        }
    }
    return NULL;
}

/* --- Parking --- */

static bool has_work(const rk_worker *w)
{
    return atomic_load_explicit(&w->inject, memory_order_seq_cst) != 0 ||
           rk_run_ring_count(w) != 0 ||
           atomic_load_explicit(&w->levels_mask, memory_order_seq_cst) != 0;
}

static uint64_t all_workers(const rk_actor_system *sys)
{
    return sys->worker_count == 64 ? UINT64_MAX : (1ull << sys->worker_count) - 1;
}

bool rk_sched_is_idle(rk_actor_system *sys)
{
    uint32_t unparks = atomic_load_explicit(&sys->unparks, memory_order_seq_cst);
    if (atomic_load_explicit(&sys->idle_mask, memory_order_seq_cst) != all_workers(sys)) {
        return false;
    }
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        if (has_work(&sys->workers[i])) {
            return false;
        }
    }
    /* Nobody woke up in between, so what was seen was true at once. */
    return atomic_load_explicit(&sys->idle_mask, memory_order_seq_cst) == all_workers(sys) &&
           atomic_load_explicit(&sys->unparks, memory_order_seq_cst) == unparks;
}

/* Sleeps; makes this worker the keeper of the timers if there are any and it can. */
static void sleep_parked(rk_worker *w, uint32_t seen)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    uint64_t until_ns = RK_NEVER;
    uint32_t nobody = 0;
    if (atomic_compare_exchange_strong_explicit(&sys->timekeeper, &nobody, w->number + 1,
                                                memory_order_seq_cst, memory_order_relaxed)) {
        until_ns = atomic_load_explicit(&sys->next_due_ns, memory_order_seq_cst);
    }
    if (atomic_load_explicit(&sys->idle_mask, memory_order_seq_cst) != all_workers(sys)) {
        atomic_fetch_add_explicit(&sys->rescuers, 1, memory_order_relaxed);
        rk_nap_while_equal(&w->park, seen, RESCUE_NS);
        atomic_fetch_sub_explicit(&sys->rescuers, 1, memory_order_relaxed);
    } else {
        (void)rk_wait_while_equal(&w->park, seen, until_ns, 0);
    }
}

/* Sleeps until there may be work. */
static void park(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    uint64_t bit = 1ull << w->number;
    uint32_t seen = rk_atomic_load_u32(&w->park, memory_order_acquire);
    atomic_store_explicit(&w->parked, 1, memory_order_seq_cst);
    uint64_t others = atomic_fetch_or_explicit(&sys->idle_mask, bit, memory_order_seq_cst);
    if (!has_work(w) && rk_atomic_load_u32(&sys->halt, memory_order_seq_cst) == RK_HALT_NONE) {
        if ((others | bit) == all_workers(sys)) {
            rk_idle_tell(sys);
        }
        rk_count(&w->producer.counters.parks);
        sleep_parked(w, seen);
        uint32_t me = w->number + 1;
        atomic_compare_exchange_strong_explicit(&sys->timekeeper, &me, 0, memory_order_seq_cst,
                                                memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&sys->unparks, 1, memory_order_seq_cst);
    atomic_fetch_and_explicit(&sys->idle_mask, ~bit, memory_order_seq_cst);
    atomic_store_explicit(&w->parked, 0, memory_order_seq_cst);
}

/* Looks for work for a while, then parks; NULL: look at halt and try again. */
static rk_actor *search(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    rk_actor *a = NULL;
    atomic_fetch_add_explicit(&sys->searching, 1, memory_order_relaxed);
    for (unsigned i = 0; a == NULL && i < (rk_wait_may_spin() ? SEARCH_ROUNDS : 1); i++) {
        a = has_work(w) ? pick(w) : steal_any(w, 1);
        if (rk_atomic_load_u32(&sys->halt, memory_order_relaxed) != RK_HALT_NONE) {
            break;
        }
        for (unsigned pause = 0; a == NULL && pause < 4; pause++) {
            rk_cpu_relax();
        }
    }
    atomic_fetch_sub_explicit(&sys->searching, 1, memory_order_relaxed);
    if (a == NULL && w->delayed_count != 0) {
        /* Not idle, only waiting: nobody is told. */
        uint32_t seen = rk_atomic_load_u32(&w->park, memory_order_acquire);
        uint64_t now_ns = rk_clock_system_ns();
        if (now_ns < w->delayed_until_ns) {
            rk_nap_while_equal(&w->park, seen, w->delayed_until_ns - now_ns);
        }
        delay_end(w);
        a = pick(w);
    } else if (a == NULL) {
        park(w);
        rk_actor_system_tick(sys);
        a = has_work(w) ? pick(w) : steal_any(w, 0);
    }
    return a;
}

static void run(rk_worker *w, rk_actor *a)
{
    bool again = rk_run_free(w, a);
    w->ctx.self = NULL;
    rk_actor *behind = w->ctx.behind;
    w->ctx.behind = NULL;
    if (again && behind != NULL) {
        delay(w, a, behind);
    } else if (again) {
        put_own(w, a);
    }
}

static void sched_loop(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    for (;;) {
        if (RK_UNLIKELY(rk_atomic_load_u32(&sys->halt, memory_order_relaxed) != RK_HALT_NONE) &&
            !rk_halt_wait(sys)) {
            break;
        }
        rk_actor *a = pick(w);
        if (RK_UNLIKELY(a == NULL)) {
            a = search(w);
            if (a == NULL) {
                continue;
            }
        }
        if (atomic_load_explicit(&a->home, memory_order_relaxed) != w->number) {
            atomic_store_explicit(&a->home, (uint8_t)w->number, memory_order_relaxed);
        }
        share(sys, w); /* its handler may take long */
        rk_run_enter(w, a);
        run(w, a);
    }
}

void rk_sched_main(void *worker)
{
    jmp_buf panic;
    rk_this_worker = worker;
    rk_this_worker->ctx.panic = &panic;
    if (setjmp(panic) != 0) {
        /* A handler panicked: the actor goes on from here. */
        rk_actor *a = rk_this_worker->ctx.self;
        rk_run_panicked(&rk_this_worker->ctx);
        if (rk_this_worker->ctx.self != NULL) {
            run(rk_this_worker, a);
        }
    }
    sched_loop(rk_this_worker);
    rk_this_worker = NULL;
}
