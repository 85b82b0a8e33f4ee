/*
 * mailbox.c: the receiver's side of a mailbox.
 *
 * Messages wait in up to four places: the inbox (newest first, where senders push), pending (a
 * batch taken from it, oldest first), the queue (sorted by level, only for actors that were sent
 * something with a priority or a control message, or that are held), and the box (instead of all
 * these, for actors that drop their oldest). Everything but the inbox and the box belongs to the
 * holder.
 */
#include "actor/parts.h"
#include "base/wait.h"
#include <stdlib.h>

/* A receiver that finds so many messages at once is far behind. */
#define CONGESTED 2048u

void rk_levels_push(rk_levels *levels, rk_message *m)
{
    unsigned level = rk_message_level(m);
    m->next = NULL;
    if ((levels->mask & 1u << level) == 0) {
        levels->head[level] = m;
        levels->mask |= 1u << level;
    } else {
        levels->tail[level]->next = m;
    }
    levels->tail[level] = m;
}

static rk_message *pop_level(rk_levels *levels, unsigned level)
{
    rk_message *m = levels->head[level];
    levels->head[level] = m->next;
    if (m->next == NULL) {
        levels->mask &= ~(1u << level);
    }
    return m;
}

rk_message *rk_levels_pop(rk_levels *levels)
{
    if (levels->mask == 0) {
        return NULL;
    }
    return pop_level(levels, rk_log2_u64(levels->mask));
}

/* Empties the inbox: oldest first; *out_heads is the bitwise or of all heads. */
static rk_message *inbox_take(rk_actor *a, uint64_t *out_heads, size_t *out_count)
{
    uint64_t word = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    uint64_t heads = 0;
    size_t count = 0;
    rk_message *oldest = NULL;
    if (rk_inbox_messages(word) != NULL) {
        /* Acquire pairs with the release of each push. */
        word = atomic_exchange_explicit(&a->inbox, rk_inbox_with(word, NULL), memory_order_acquire);
        rk_message *m = rk_inbox_messages(word);
        while (m != NULL) {
            rk_message *next = m->next;
            heads |= m->head;
            m->next = oldest;
            oldest = m;
            m = next;
            count++;
        }
    }
    *out_heads = heads;
    *out_count = count;
    return oldest;
}

rk_message *rk_inbox_grab(rk_actor *a)
{
    uint64_t heads;
    size_t count;
    return inbox_take(a, &heads, &count);
}

static void append(rk_actor *a, rk_message *list)
{
    rk_message **end = &a->pending;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = list;
}

/* The actor's queue, or NULL: out of memory; then messages keep their order of arrival. */
static rk_levels *queue_get(rk_actor *a)
{
    rk_actor_ext *ext = rk_actor_ext_get(a);
    if (ext == NULL) {
        return NULL;
    }
    if (ext->queue == NULL) {
        ext->queue = calloc(1, sizeof *ext->queue);
    }
    return ext->queue;
}

static void queue_fill(rk_actor *a, rk_levels *queue, rk_message *list)
{
    while (list != NULL) {
        rk_message *next = list->next;
        rk_levels_push(queue, list);
        list = next;
    }
    if (queue->mask != 0) {
        rk_actor_ctl_set(a, RK_CTL_QUEUED);
    }
}

/* Brings control messages to the front; both kinds keep their order. */
static rk_message *control_first(rk_message *list)
{
    rk_message *orders = NULL;
    rk_message **orders_end = &orders;
    rk_message *others = NULL;
    rk_message **others_end = &others;
    for (rk_message *m = list; m != NULL; m = m->next) {
        if ((m->head & RK_HEAD_CONTROL) != 0) {
            *orders_end = m;
            orders_end = &m->next;
        } else {
            *others_end = m;
            others_end = &m->next;
        }
    }
    *others_end = NULL;
    *orders_end = others;
    return orders;
}

/* Adds a list that holds more than normal messages, or goes behind some that do. */
static void sort_in(rk_actor *a, rk_message *list, uint64_t heads)
{
    bool has_queue = a->ext != NULL && a->ext->queue != NULL;
    if (!has_queue && a->pending == NULL && (heads & (7ull << RK_HEAD_PRIORITY_SHIFT)) == 0) {
        /* An order to a mailbox without priorities, the usual case, needs no queue. */
        a->pending = control_first(list);
        return;
    }
    rk_levels *queue = queue_get(a);
    if (queue == NULL) {
        append(a, list);
        return;
    }
    rk_message *pending = a->pending;
    a->pending = NULL;
    queue_fill(a, queue, pending);
    queue_fill(a, queue, list);
}

void rk_inbox_take(rk_actor *a)
{
    uint64_t heads;
    size_t count;
    rk_message *list = inbox_take(a, &heads, &count);
    if (RK_UNLIKELY(count >= CONGESTED)) {
        rk_actor_ctl_set(a, RK_CTL_CONGESTED);
    }
    if (RK_UNLIKELY((heads & RK_HEAD_SORT) != 0)) {
        sort_in(a, list, heads);
    } else if (RK_LIKELY(a->pending == NULL)) {
        a->pending = list;
    } else {
        append(a, list);
    }
}

void rk_inbox_sort(rk_actor *a)
{
    uint64_t heads;
    size_t count;
    rk_message *list = inbox_take(a, &heads, &count);
    if (list != NULL || (rk_actor_ctl(a) & RK_CTL_QUEUED) != 0) {
        sort_in(a, list, heads);
    }
}

rk_message *rk_inbox_queued(rk_actor *a)
{
    rk_levels *queue = a->ext->queue;
    rk_message *m = rk_levels_pop(queue);
    if (queue->mask == 0) {
        rk_actor_ctl_clear(a, RK_CTL_QUEUED);
    }
    return m;
}

rk_message *rk_inbox_control(rk_actor *a)
{
    if ((rk_actor_ctl(a) & RK_CTL_QUEUED) != 0 && (a->ext->queue->mask & 1u << 8) != 0) {
        return rk_inbox_queued(a);
    }
    rk_message *m = a->pending;
    if (m == NULL || (m->head & RK_HEAD_CONTROL) == 0) {
        return NULL;
    }
    a->pending = m->next;
    return m;
}

/* Clears the scheduled bit if the inbox is empty. */
static bool unschedule(rk_actor *a)
{
    uint64_t word = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    /* Release: the next holder sees all that this one did. */
    return rk_inbox_messages(word) == NULL &&
           atomic_compare_exchange_strong_explicit(&a->inbox, &word, word & ~RK_INBOX_SCHEDULED,
                                                   memory_order_release, memory_order_relaxed);
}

bool rk_inbox_release(rk_actor *a)
{
    uint32_t ctl = rk_actor_ctl(a);
    if (RK_LIKELY((ctl & RK_CTL_BOX) == 0)) {
        return unschedule(a);
    }
    rk_actor_ext *ext = a->ext;
    rk_spin_lock(&ext->box_lock);
    bool released = ((ctl & RK_CTL_HOLD) != 0 || ext->box->mask == 0) && unschedule(a);
    rk_spin_unlock(&ext->box_lock);
    return released;
}

void rk_inbox_left(rk_actor *a)
{
    rk_actor_ext *ext = a->ext;
    /* Pairs with rk_post_wait. */
    atomic_fetch_sub_explicit(&ext->depth, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&ext->waiters, memory_order_seq_cst) != 0) {
        rk_atomic_add_u32(&ext->space, 1, memory_order_seq_cst);
        rk_wake(&ext->space, RK_WAKE_ALL);
    }
}

/* --- The box --- */

/* Marks the actor scheduled; true if it was not. Box lock held. */
static bool box_schedule(rk_actor *a)
{
    uint64_t old = atomic_fetch_or_explicit(&a->inbox, RK_INBOX_SCHEDULED, memory_order_acq_rel);
    return (old & RK_INBOX_SCHEDULED) == 0;
}

bool rk_box_push(rk_actor *a, rk_actor_id id, uint32_t limit, rk_message *m,
                 rk_message **out_dropped, bool *out_schedule)
{
    rk_actor_ext *ext = a->ext;
    rk_spin_lock(&ext->box_lock);
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    bool alive = rk_inbox_generation(inbox) == (uint32_t)(id >> RK_ID_INDEX_BITS) &&
                 (inbox & RK_INBOX_POINTER_MASK) != RK_INBOX_CLOSED;
    if (alive) {
        uint32_t depth = atomic_load_explicit(&ext->depth, memory_order_relaxed);
        if (depth >= limit) {
            *out_dropped = pop_level(ext->box, rk_ctz_u64(ext->box->mask));
        } else {
            atomic_store_explicit(&ext->depth, depth + 1, memory_order_relaxed);
        }
        rk_levels_push(ext->box, m);
        *out_schedule = box_schedule(a);
    }
    rk_spin_unlock(&ext->box_lock);
    return alive;
}

rk_message *rk_box_pop(rk_actor *a)
{
    rk_actor_ext *ext = a->ext;
    rk_spin_lock(&ext->box_lock);
    rk_message *m = rk_levels_pop(ext->box);
    if (m != NULL) {
        atomic_fetch_sub_explicit(&ext->depth, 1, memory_order_relaxed);
    }
    rk_spin_unlock(&ext->box_lock);
    return m;
}

/* --- Closing --- */

/* Brings all that has been taken, and the inbox, into pending, control messages first. */
static void collect(rk_actor *a)
{
    rk_message *all = NULL;
    rk_message **end = &all;
    rk_message *m;
    while (a->ext != NULL && a->ext->queue != NULL && (m = rk_levels_pop(a->ext->queue)) != NULL) {
        *end = m;
        end = &m->next;
    }
    *end = a->pending;
    a->pending = all;
    rk_actor_ctl_clear(a, RK_CTL_QUEUED);
    append(a, rk_inbox_grab(a));
    /* What follows an adoption may be the end of the same child: it must not hide behind others. */
    a->pending = control_first(a->pending);
}

/* Ends all that is in pending; false: an adoption is in the way, at its front. */
static bool end_pending(rk_origin *o, rk_actor *a, rk_actor_id id, rk_deadletter_reason reason)
{
    rk_message *m;
    while ((m = a->pending) != NULL) {
        if ((m->head & RK_HEAD_CONTROL) != 0 && m->type == RK_CONTROL_ADOPT) {
            return false;
        }
        a->pending = m->next;
        if ((m->head & RK_HEAD_CONTROL) != 0) {
            rk_message_free(o, m);
            continue;
        }
        if ((rk_actor_ctl(a) & RK_CTL_LIMITED) != 0) {
            rk_inbox_left(a);
        }
        rk_message_bury(o, id, m, reason);
    }
    return true;
}

/* Closes the inbox if it is empty. */
static bool close_empty(rk_actor *a)
{
    uint64_t word = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    uint32_t generation = rk_inbox_generation(word);
    uint64_t next = generation == RK_GENERATION_MAX ? 0 : generation + 1;
    return rk_inbox_messages(word) == NULL &&
           atomic_compare_exchange_strong_explicit(
               &a->inbox, &word, next << RK_INBOX_GENERATION_SHIFT | RK_INBOX_CLOSED,
               memory_order_seq_cst, memory_order_relaxed);
}

bool rk_inbox_close(rk_origin *o, rk_actor *a, rk_actor_id id, rk_deadletter_reason reason)
{
    bool boxed = (rk_actor_ctl(a) & RK_CTL_BOX) != 0;
    bool closed = false;
    while (!closed) {
        rk_message *m;
        collect(a);
        if (!end_pending(o, a, id, reason)) {
            return false;
        }
        while (boxed && (m = rk_box_pop(a)) != NULL) {
            rk_message_bury(o, id, m, reason);
        }
        if (!boxed) {
            closed = close_empty(a);
        } else {
            rk_spin_lock(&a->ext->box_lock);
            closed = a->ext->box->mask == 0 && close_empty(a);
            rk_spin_unlock(&a->ext->box_lock);
        }
    }
    if ((rk_actor_ctl(a) & RK_CTL_LIMITED) != 0 &&
        atomic_load_explicit(&a->ext->waiters, memory_order_seq_cst) != 0) {
        rk_atomic_add_u32(&a->ext->space, 1, memory_order_seq_cst);
        rk_wake(&a->ext->space, RK_WAKE_ALL);
    }
    return true;
}

static void free_one(rk_actor_system *sys, rk_actor *a)
{
    rk_visit v;
    rk_message *m;
    if (rk_inbox_messages(atomic_load_explicit(&a->inbox, memory_order_acquire)) == NULL &&
        a->pending == NULL && a->ext == NULL) {
        return;
    }
    if ((atomic_load_explicit(&a->inbox, memory_order_acquire) & RK_INBOX_POINTER_MASK) ==
        RK_INBOX_CLOSED) {
        return; /* a free slot: pending links it */
    }
    rk_visit_enter(&v, sys);
    append(a, rk_inbox_grab(a));
    while ((m = a->pending) != NULL) {
        a->pending = m->next;
        rk_message_free(&v.origin, m);
    }
    while (a->ext != NULL && a->ext->queue != NULL && (m = rk_levels_pop(a->ext->queue)) != NULL) {
        rk_message_free(&v.origin, m);
    }
    while (a->ext != NULL && a->ext->box != NULL && (m = rk_levels_pop(a->ext->box)) != NULL) {
        rk_message_free(&v.origin, m);
    }
    rk_visit_leave(&v);
}

void rk_inbox_free_all(rk_actor_system *sys)
{
    /* Payloads beyond the stocks come from malloc; all else goes with the regions. */
    rk_table_walk(sys, free_one);
}
