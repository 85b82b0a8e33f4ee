/*
 * turns.c: ordered delivery, in turns.
 *
 * Actors are dealt to RK_LANES lanes by the low bits of their slot index. In a turn each lane is
 * run by one worker, whichever takes it, in order of index; an actor handles what was sent to it in
 * earlier turns, sorted by priority and source, in the order of sending. A lane has its own source
 * of ids, timers and correlations. So nothing that a handler can see depends on which worker ran it
 * or how fast.
 *
 * Messages carry the lowest bit of the turn they were sent in: that is enough to leave those of the
 * turn under way for the next one. Everything else that would show who was faster waits for the
 * boundary between two turns, which the last worker to finish runs alone (it leads): ends of
 * actors, slots that become free, names, what came from outside, timers.
 *
 *   worker: follow() --word changes--> take lanes --last one--> lead() --> boundary --+
 *              ^                            ^                                          |
 *              +-- not the last ------------+-------------- next turn <----------------+
 *
 * Invariants:
 *   - working counts the workers in the turn; who takes it to 0 leads;
 *   - turn, now_ns and the scratch of all workers change only at the boundary, except that a worker
 *     fills its own scratch in its turn;
 *   - idle is only true while nothing lines up outside and the leader waits. Under the lock.
 */
#include "actor/turns.h"
#include "base/clock.h"
#include "base/wait.h"
#include <stdlib.h>
#include <string.h>

bool rk_vector_grow(rk_vector *v)
{
    size_t capacity = v->capacity == 0 ? 64 : v->capacity * 2;
    void *items = realloc(v->items, capacity * sizeof(void *));
    if (items == NULL) {
        return false;
    }
    v->items = items;
    v->capacity = capacity;
    return true;
}

void rk_vector_add(rk_vector *v, void *item)
{
    if (v->count == v->capacity && !rk_vector_grow(v)) {
        abort();
    }
    v->items[v->count++] = item;
}

/* --- Set-up --- */

rk_status rk_turns_init(rk_actor_system *sys)
{
    struct rk_turns *ts = aligned_alloc(alignof(struct rk_turns), sizeof *ts);
    if (ts == NULL) {
        return RK_NO_MEMORY;
    }
    memset(ts, 0, sizeof *ts);
    sys->turns = ts;
    rk_mutex_init(&ts->lock);
    ts->now_ns = rk_clock_monotonic_ns();
    for (uint32_t i = 0; i < RK_LANES; i++) {
        if (!rk_id_source_init(&ts->lanes[i].ids, i)) {
            return RK_NO_MEMORY;
        }
    }
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        sys->workers[i].scratch = calloc(1, sizeof *sys->workers[i].scratch);
        if (sys->workers[i].scratch == NULL) {
            return RK_NO_MEMORY;
        }
        /* Worker 0 leads first. */
        sys->workers[i].scratch->outside = i != 0;
    }
    atomic_store_explicit(&ts->next_lane, RK_LANES, memory_order_relaxed);
    atomic_store_explicit(&ts->working, 1, memory_order_relaxed);
    return RK_OK;
}

static void names_free(rk_lane *lane)
{
    for (size_t i = 0; i < lane->names.count; i++) {
        free(lane->names.items[i]);
    }
    free(lane->names.items);
}

void rk_turns_finish(rk_actor_system *sys)
{
    struct rk_turns *ts = sys->turns;
    if (ts == NULL) {
        return;
    }
    rk_visit v;
    rk_visit_enter(&v, sys);
    for (size_t i = 0; i < ts->outside_count; i++) {
        rk_message_free(&v.origin, ts->outside[i].message);
    }
    rk_visit_leave(&v);
    free(ts->outside);
    for (uint32_t i = 0; i < RK_LANES; i++) {
        rk_id_source_finish(&ts->lanes[i].ids);
        names_free(&ts->lanes[i]);
    }
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        rk_turn_scratch *s = sys->workers[i].scratch;
        if (s != NULL) {
            free(s->actors.items);
            free(s->messages.items);
            free(s->spare.items);
            free(s->closing.items);
            free(s->given.items);
            free(s);
        }
    }
    rk_mutex_finish(&ts->lock);
    free(ts);
    sys->turns = NULL;
}

uint64_t rk_turns_now_ns(const rk_actor_system *sys)
{
    return sys->turns->now_ns;
}

uint64_t rk_turns_count(const rk_actor_system *sys)
{
    return atomic_load_explicit(&sys->turns->turn, memory_order_relaxed);
}

/* --- What is left for the boundary --- */

void rk_turns_defer_close(rk_worker *w, rk_actor *a)
{
    rk_vector_add(&w->scratch->closing, a);
}

void rk_turns_defer_give(rk_worker *w, rk_actor *a)
{
    rk_vector_add(&w->scratch->given, a);
}

rk_status rk_turns_defer_name(rk_worker *w, const char *name, rk_actor_id id)
{
    size_t bytes = strlen(name) + 1;
    rk_name_order *order = malloc(sizeof *order + bytes);
    if (order == NULL) {
        return RK_NO_MEMORY;
    }
    order->id = id;
    memcpy(order->name, name, bytes);
    rk_vector *names = &w->ctx.origin.sys->turns->lanes[w->scratch->lane].names;
    if (names->count == names->capacity && !rk_vector_grow(names)) {
        free(order);
        return RK_NO_MEMORY;
    }
    names->items[names->count++] = order;
    return RK_OK;
}

void rk_turns_activate(rk_origin *o, rk_actor *a)
{
    struct rk_turns *ts = o->sys->turns;
    rk_lane *lane = &ts->lanes[a->index % RK_LANES];
    /* For the next turn, whose lowest bit is the other one. */
    _Atomic uint32_t *list = &lane->active[o->turn_bit == 0];
    uint32_t old = atomic_load_explicit(list, memory_order_relaxed);
    do {
        a->run_next = old;
    } while (!atomic_compare_exchange_weak_explicit(list, &old, a->index + 1, memory_order_release,
                                                    memory_order_relaxed));
    o->worker->scratch->activated++;
}

/* --- One actor's turn --- */

uint64_t rk_turns_bit(const struct rk_turns *ts)
{
    return (atomic_load_explicit(&ts->turn, memory_order_relaxed) & 1) != 0 ? RK_HEAD_TURN : 0;
}

/* Smaller goes first. */
static uint64_t order_of(const rk_message *m)
{
    return (uint64_t)(RK_LEVELS - 1 - rk_message_level(m)) << 48 | rk_message_from(m);
}

/* Sorts the messages of the turn by order_of; equal ones keep their order (merge sort). */
static void sort_messages(rk_turn_scratch *s)
{
    size_t count = s->messages.count;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++) {
        sorted = order_of(s->messages.items[i - 1]) <= order_of(s->messages.items[i]);
    }
    if (sorted) {
        return;
    }
    while (s->spare.capacity < count) {
        if (!rk_vector_grow(&s->spare)) {
            abort();
        }
    }
    for (size_t width = 1; width < count; width *= 2) {
        void **from = s->messages.items;
        void **to = s->spare.items;
        for (size_t left = 0; left < count; left += 2 * width) {
            size_t middle = RK_MIN(left + width, count);
            size_t end = RK_MIN(left + 2 * width, count);
            size_t a = left;
            size_t b = middle;
            for (size_t i = left; i < end; i++) {
                bool take_a = a < middle && (b == end || order_of(from[a]) <= order_of(from[b]));
                to[i] = take_a ? from[a++] : from[b++];
            }
        }
        rk_vector swap = s->messages;
        s->messages.items = s->spare.items;
        s->messages.capacity = s->spare.capacity;
        s->spare.items = swap.items;
        s->spare.capacity = swap.capacity;
    }
}

/* Takes the mailbox apart: what this turn handles goes to messages, sorted; the rest to later. */
static void gather(rk_worker *w, rk_actor *a)
{
    rk_turn_scratch *s = w->scratch;
    uint64_t now = w->ctx.origin.turn_bit;
    s->messages.count = 0;
    s->at = 0;
    s->later = NULL;
    rk_message **later_end = &s->later;
    for (rk_message *m = a->pending; m != NULL; m = m->next) {
        rk_vector_add(&s->messages, m);
    }
    a->pending = NULL;
    rk_message *m = rk_inbox_grab(a);
    while (m != NULL) {
        rk_message *next = m->next;
        if ((m->head & RK_HEAD_TURN) == now) {
            m->next = NULL;
            *later_end = m;
            later_end = &m->next;
        } else {
            rk_vector_add(&s->messages, m);
        }
        m = next;
    }
    sort_messages(s);
}

/* Applies the mailbox limit to the messages of one turn. */
static void apply_limit(rk_worker *w)
{
    rk_turn_scratch *s = w->scratch;
    const rk_actor_type *type = &w->ctx.type->type;
    size_t orders = 0;
    while (orders < s->messages.count &&
           (((rk_message *)s->messages.items[orders])->head & RK_HEAD_CONTROL) != 0) {
        orders++;
    }
    size_t limit = orders + type->mailbox_limit;
    if (type->mailbox_limit == 0 || s->messages.count <= limit) {
        return;
    }
    size_t excess = s->messages.count - limit;
    void **items = s->messages.items;
    bool oldest = type->full == RK_ACTOR_FULL_DROP_OLDEST;
    void **out = oldest ? items + orders : items + limit;
    for (size_t i = 0; i < excess; i++) {
        if (oldest || type->full == RK_ACTOR_FULL_DROP_NEWEST) {
            rk_message_drop(&w->ctx.origin, out[i]);
        } else {
            rk_message_bury(&w->ctx.origin, w->ctx.id, out[i], RK_DEADLETTER_QUEUE_FULL);
        }
    }
    if (oldest) {
        memmove(out, out + excess, (limit - orders) * sizeof *items);
    }
    s->messages.count = limit;
}

/* Handles the next message of the actor in hand, or does what it has to do first; false: no more.
 * */
static bool step(rk_worker *w)
{
    rk_turn_scratch *s = w->scratch;
    rk_actor_ctx *ctx = &w->ctx;
    rk_actor *a = ctx->self;
    if (a == NULL) {
        return false;
    }
    uint32_t ctl = rk_actor_ctl(a);
    rk_message *m = s->at < s->messages.count ? s->messages.items[s->at] : NULL;
    if (m != NULL && (m->head & RK_HEAD_CONTROL) != 0) {
        s->at++;
        rk_life_control(ctx, m);
        return true;
    }
    if ((ctl & RK_CTL_HOLD) != 0) {
        return false;
    }
    if ((ctl & RK_CTL_START) != 0) {
        rk_life_start(ctx);
        return true;
    }
    if ((ctl & RK_CTL_EXIT) != 0) {
        rk_life_go(ctx, RK_GOAL_EXIT, RK_ACTOR_EXITED, RK_OK);
        return true;
    }
    if (m != NULL) {
        s->at++;
        rk_run_message(ctx, m);
        return true;
    }
    if ((ctl & RK_CTL_DRAINING) != 0) {
        rk_life_go(ctx, RK_GOAL_END, RK_ACTOR_STOPPED, RK_OK);
        return true;
    }
    return false;
}

/* Puts back what was not handled, and gives the actor up or asks for its next turn. */
static void actor_leave(rk_worker *w, rk_actor *a)
{
    rk_turn_scratch *s = w->scratch;
    rk_message **end = &a->pending;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    for (; s->at < s->messages.count; s->at++) {
        *end = s->messages.items[s->at];
        end = &(*end)->next;
    }
    *end = s->later;
    bool more = s->later != NULL;
    w->ctx.self = NULL;
    if ((rk_actor_ctl(a) & RK_CTL_CLOSING) != 0) {
        return;
    }
    if (more || !rk_inbox_release(a)) {
        rk_turns_activate(&w->ctx.origin, a);
    }
}

/* --- Lanes --- */

static int by_index(const void *a, const void *b)
{
    uint32_t x = (*(rk_actor *const *)a)->index;
    uint32_t y = (*(rk_actor *const *)b)->index;
    return (x > y) - (x < y);
}

void rk_vector_sort_actors(rk_vector *v)
{
    if (v->count > 1) {
        qsort(v->items, v->count, sizeof(void *), by_index);
    }
}

/* Takes the next lane of the turn into the scratch; false: none is left. */
static bool lane_take(rk_worker *w)
{
    rk_actor_system *sys = w->ctx.origin.sys;
    struct rk_turns *ts = sys->turns;
    rk_turn_scratch *s = w->scratch;
    uint32_t number = atomic_fetch_add_explicit(&ts->next_lane, 1, memory_order_relaxed);
    if (number >= RK_LANES) {
        return false;
    }
    rk_lane *lane = &ts->lanes[number];
    s->lane = number;
    s->actors.count = 0;
    s->next_actor = 0;
    w->ctx.origin.ids = &lane->ids;
    w->ctx.origin.turn_bit = rk_turns_bit(ts);
    /* Acquire pairs with the pushes. */
    uint32_t next = atomic_exchange_explicit(&lane->active[w->ctx.origin.turn_bit != 0], 0,
                                             memory_order_acquire);
    while (next != 0) {
        rk_actor *a = rk_table_at(sys, next - 1);
        next = a->run_next;
        rk_vector_add(&s->actors, a);
    }
    rk_vector_sort_actors(&s->actors);
    return true;
}

/* Runs lanes until none is left. All it knows is in the scratch, so it goes on after a panic. */
static void lanes_run(rk_worker *w)
{
    rk_turn_scratch *s = w->scratch;
    for (;;) {
        if (s->in_hand != NULL) {
            while (step(w)) {
            }
            rk_actor *a = s->in_hand;
            s->in_hand = NULL;
            actor_leave(w, a);
        } else if (s->next_actor < s->actors.count) {
            rk_actor *a = s->actors.items[s->next_actor++];
            rk_run_enter(w, a);
            gather(w, a);
            apply_limit(w);
            s->in_hand = a;
        } else if (!lane_take(w)) {
            return;
        }
    }
}

/* --- Workers --- */

/* Waits for the next turn of all; false: the system ends. */
static bool follow(rk_worker *w)
{
    struct rk_turns *ts = w->ctx.origin.sys->turns;
    while (rk_wait_while_equal(&ts->word, w->scratch->seen, RK_NEVER, RK_TURN_SPIN_NS) != RK_OK) {
    }
    w->scratch->seen = rk_atomic_load_u32(&ts->word, memory_order_acquire);
    w->scratch->outside = false;
    return !ts->ended;
}

static void turns_loop(rk_worker *w)
{
    struct rk_turns *ts = w->ctx.origin.sys->turns;
    while (!w->scratch->outside || follow(w)) {
        lanes_run(w);
        /* Acquire and release: the leader sees what all did in the turn. */
        if (atomic_fetch_sub_explicit(&ts->working, 1, memory_order_acq_rel) != 1) {
            w->scratch->outside = true;
            continue;
        }
        rk_turns_lead(w);
        if (ts->ended) {
            break;
        }
    }
}

void rk_turns_main(void *worker)
{
    jmp_buf panic;
    rk_this_worker = worker;
    rk_this_worker->ctx.panic = &panic;
    if (setjmp(panic) != 0) {
        /* A handler panicked; the scratch knows where to go on. */
        rk_run_panicked(&rk_this_worker->ctx);
    }
    turns_loop(rk_this_worker);
    rk_this_worker = NULL;
}
