/*
 * send.c: making messages, delivering them, and what happens to those that cannot be
 * delivered.
 *
 * The fast path, a short message at normal priority to an actor without a mailbox limit, is: a
 * block from the thread's own stock, one look-up, one compare and swap on the receiver's inbox,
 * and, if the receiver was not scheduled yet, one store into the worker's own run queue.
 *
 * Accounting: a message counts as sent when it is delivered, buried or dropped; a refused one does
 * not. Control messages count nowhere.
 */
#include "actor/parts.h"
#include "base/clock.h"
#include "base/wait.h"
#include <stdlib.h>
#include <string.h>

/* --- Messages --- */

/* The stock of a payload; RK_BUFFER_CLASSES: none. Class 0 has 128 bytes. */
static uint32_t class_of(uint32_t length)
{
    uint32_t size_class = 0;
    while (size_class < RK_BUFFER_CLASSES && (128u << size_class) < length) {
        size_class++;
    }
    return size_class;
}

static bool large_make(rk_origin *o, rk_message *m, const void *payload, uint32_t length)
{
    uint32_t size_class = class_of(length);
    void *data;
    if (size_class < RK_BUFFER_CLASSES) {
        data =
            rk_stock_take(&o->sys->buffers[size_class], &o->producer->buffers[size_class], false);
    } else {
        data = malloc(length);
    }
    if (data == NULL) {
        return false;
    }
    memcpy(data, payload, length);
    m->body.large = (rk_large_body){data, length, size_class};
    m->head |= (uint64_t)RK_HEAD_LARGE << RK_HEAD_LENGTH_SHIFT;
    return true;
}

rk_status rk_message_make(rk_origin *o, const rk_draft *draft, const void *payload, uint32_t length,
                          rk_message **out_message)
{
    if (RK_UNLIKELY(length > RK_ACTOR_MESSAGE_MAX_BYTES)) {
        return RK_LIMIT;
    }
    if (RK_UNLIKELY(length != 0 && payload == NULL)) {
        return RK_INVALID;
    }
    rk_message *m = rk_stock_take(&o->sys->messages, &o->producer->messages, false);
    if (RK_UNLIKELY(m == NULL)) {
        return RK_NO_MEMORY;
    }
    m->head = draft->head;
    m->type = draft->type;
    m->correlation = draft->correlation;
    uint32_t inline_bytes = RK_ACTOR_INLINE_BYTES;
    if (RK_UNLIKELY(draft->deadline_ns != 0)) {
        m->head |= RK_HEAD_DEADLINE;
        inline_bytes = sizeof m->body.timed.bytes;
    }
    if (RK_LIKELY(length <= inline_bytes)) {
        m->head |= (uint64_t)length << RK_HEAD_LENGTH_SHIFT;
        if (length != 0) {
            memcpy(m->body.bytes, payload, length);
        }
    } else if (!large_make(o, m, payload, length)) {
        rk_stock_give(&o->sys->messages, &o->producer->messages, m);
        return RK_NO_MEMORY;
    }
    if (RK_UNLIKELY(draft->deadline_ns != 0)) {
        m->body.timed.deadline_ns = draft->deadline_ns;
    }
    *out_message = m;
    return RK_OK;
}

void rk_message_free(rk_origin *o, rk_message *m)
{
    if (RK_UNLIKELY((m->head >> RK_HEAD_LENGTH_SHIFT & 63) == RK_HEAD_LARGE)) {
        uint32_t size_class = m->body.large.size_class;
        if (size_class < RK_BUFFER_CLASSES) {
            rk_stock_give(&o->sys->buffers[size_class], &o->producer->buffers[size_class],
                          m->body.large.data);
        } else {
            free(m->body.large.data);
        }
    }
    rk_stock_give(&o->sys->messages, &o->producer->messages, m);
}

const void *rk_message_payload(const rk_message *m, uint32_t *out_length)
{
    uint32_t length = (uint32_t)(m->head >> RK_HEAD_LENGTH_SHIFT) & 63;
    if (RK_UNLIKELY(length == RK_HEAD_LARGE)) {
        *out_length = m->body.large.length;
        return m->body.large.data;
    }
    *out_length = length;
    return m->body.bytes;
}

rk_status rk_draft_options(rk_draft *draft, const rk_actor_send_options *options)
{
    if (options == NULL) {
        return RK_OK;
    }
    if (options->priority != 0) {
        if (options->priority < RK_ACTOR_PRIORITY(0) || options->priority > RK_ACTOR_PRIORITY(7)) {
            return RK_INVALID;
        }
        draft->head |= (uint64_t)((options->priority & 7) ^ 3u) << RK_HEAD_PRIORITY_SHIFT;
    }
    draft->deadline_ns = options->deadline_ns;
    return RK_OK;
}

/* --- Messages that are not delivered --- */

void rk_message_bury(rk_origin *o, rk_actor_id to, rk_message *m, rk_deadletter_reason reason)
{
    uint32_t length;
    const void *payload = rk_message_payload(m, &length);
    rk_deadletter letter = {.source = rk_message_from(m),
                            .destination = to,
                            .reason = reason,
                            .type = m->type,
                            .correlation = m->correlation,
                            .flags = rk_message_level(m) |
                                     ((m->head & RK_HEAD_REQUEST) != 0 ? RK_MSG_REQUEST : 0u) |
                                     ((m->head & RK_HEAD_REPLY) != 0 ? RK_MSG_REPLY : 0u),
                            .payload = payload,
                            .payload_bytes = length};
    /* A letter that the queue cannot keep is counted there as lost. */
    (void)rk_deadletter_queue_add(o->sys->deadletters, &letter);
    rk_count(&o->producer->counters.dead);
    if (m->type == RK_ACTOR_MSG_ASK_FAILED) {
        /* Who asked has ended, and with it the ask. */
        (void)rk_asks_end(o, m->correlation, to, 0);
    }
    if ((m->head & RK_HEAD_REQUEST) != 0) {
        rk_asks_fail(o, m->correlation, rk_message_from(m),
                     reason == RK_DEADLETTER_EXPIRED      ? RK_TIMEOUT
                     : reason == RK_DEADLETTER_QUEUE_FULL ? RK_FULL
                                                          : RK_NOT_FOUND);
    }
    rk_message_free(o, m);
}

void rk_message_drop(rk_origin *o, rk_message *m)
{
    rk_count(&o->producer->counters.dropped);
    if ((m->head & RK_HEAD_REQUEST) != 0) {
        rk_asks_fail(o, m->correlation, rk_message_from(m), RK_FULL);
    }
    rk_message_free(o, m);
}

static rk_status bury_stale(rk_origin *o, rk_actor_id to, rk_message *m)
{
    rk_count(&o->producer->counters.sent);
    rk_message_bury(o, to, m, RK_DEADLETTER_NO_TARGET);
    return RK_NOT_FOUND;
}

/* --- Delivery --- */

/* Pushes on the inbox; false if another actor, or none, is in the slot now. */
RK_INLINE bool push(rk_actor *a, uint32_t generation, rk_message *m, bool *out_schedule)
{
    uint64_t old = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    do {
        if (RK_UNLIKELY(rk_inbox_generation(old) != generation ||
                        (old & RK_INBOX_POINTER_MASK) == RK_INBOX_CLOSED)) {
            return false;
        }
        m->next = rk_inbox_messages(old);
        /* Release: the receiver that takes the inbox sees the message. Acquire: the one who
         * schedules sees what the last holder left. */
    } while (!atomic_compare_exchange_weak_explicit(&a->inbox, &old,
                                                    rk_inbox_with(old, m) | RK_INBOX_SCHEDULED,
                                                    memory_order_acq_rel, memory_order_relaxed));
    *out_schedule = (old & RK_INBOX_SCHEDULED) == 0;
    return true;
}

RK_INLINE uint32_t generation_of(rk_actor_id id)
{
    return (uint32_t)(id >> RK_ID_INDEX_BITS);
}

/* What the policy says about a message that finds the mailbox full. */
static rk_status full(rk_origin *o, rk_actor_id to, rk_message *m, rk_actor_full policy,
                      bool may_block)
{
    if (policy == RK_ACTOR_FULL_BLOCK && may_block) {
        return RK_BUSY;
    }
    if (policy == RK_ACTOR_FULL_DEADLETTER) {
        rk_count(&o->producer->counters.sent);
        rk_message_bury(o, to, m, RK_DEADLETTER_QUEUE_FULL);
        return RK_OK;
    }
    if (policy == RK_ACTOR_FULL_DROP_NEWEST) {
        rk_count(&o->producer->counters.sent);
        rk_message_drop(o, m);
        return RK_OK;
    }
    rk_count(&o->producer->counters.refused);
    rk_message_free(o, m);
    return RK_FULL;
}

static rk_status post_to_box(rk_origin *o, rk_actor *a, rk_actor_id to, const rk_type_entry *type,
                             rk_message *m)
{
    rk_message *dropped = NULL;
    bool schedule = false;
    if (!rk_box_push(a, to, type->type.mailbox_limit, m, &dropped, &schedule)) {
        return bury_stale(o, to, m);
    }
    rk_count(&o->producer->counters.sent);
    if (dropped != NULL) {
        rk_message_drop(o, dropped);
    }
    if (schedule) {
        rk_schedule(o, a);
    }
    return RK_OK;
}

/* Receivers with a limit, and those that drain. */
static RK_NOINLINE rk_status post_limited(rk_origin *o, rk_actor *a, rk_actor_id to, rk_message *m,
                                          uint32_t ctl, bool may_block)
{
    /* Acquire pairs with the release that opened the inbox: the type and ext are the actor's. */
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_acquire);
    if (rk_inbox_generation(inbox) != generation_of(to)) {
        return bury_stale(o, to, m);
    }
    if ((ctl & RK_CTL_DRAINING) != 0) {
        rk_count(&o->producer->counters.sent);
        rk_message_bury(o, to, m, RK_DEADLETTER_REJECTED);
        return RK_STATE;
    }
    const rk_type_entry *type = rk_type_at(o->sys, a->type);
    if ((ctl & RK_CTL_BOX) != 0) {
        return post_to_box(o, a, to, type, m);
    }
    rk_actor_ext *ext = a->ext;
    uint32_t depth = atomic_fetch_add_explicit(&ext->depth, 1, memory_order_seq_cst);
    /* The runtime's own messages always get in: an ask must end. */
    if (depth >= type->type.mailbox_limit && m->type >= RK_MSG_TYPE_USER) {
        atomic_fetch_sub_explicit(&ext->depth, 1, memory_order_seq_cst);
        return full(o, to, m, type->type.full, may_block);
    }
    bool sort = (m->head & RK_HEAD_SORT) != 0;
    bool schedule;
    if (!push(a, generation_of(to), m, &schedule)) {
        atomic_fetch_sub_explicit(&ext->depth, 1, memory_order_seq_cst);
        return bury_stale(o, to, m);
    }
    rk_count(&o->producer->counters.sent);
    if (sort) {
        rk_actor_ctl_set(a, RK_CTL_URGENT);
    }
    if (schedule) {
        rk_schedule(o, a);
    }
    return RK_OK;
}

rk_status rk_post_take(rk_origin *o, rk_actor_id to, rk_message *m, bool may_block)
{
    rk_actor_system *sys = o->sys;
    if (RK_UNLIKELY(sys->ordered && o->worker == NULL)) {
        return rk_turns_post_take(sys, to, m);
    }
    m->head = (m->head & ~RK_HEAD_TURN) | o->turn_bit;
    rk_actor *a = rk_table_find(sys, to);
    if (RK_UNLIKELY(a == NULL)) {
        return bury_stale(o, to, m);
    }
    uint32_t ctl = rk_actor_ctl(a);
    if (RK_UNLIKELY((ctl & RK_CTL_SEND_MASK) != 0) && !sys->ordered) {
        return post_limited(o, a, to, m, ctl, may_block);
    }
    bool sort = (m->head & RK_HEAD_SORT) != 0;
    bool schedule;
    if (RK_UNLIKELY(!push(a, generation_of(to), m, &schedule))) {
        return bury_stale(o, to, m);
    }
    rk_count(&o->producer->counters.sent);
    if (RK_UNLIKELY(sort)) {
        rk_actor_ctl_set(a, RK_CTL_URGENT);
    }
    if (RK_UNLIKELY((ctl & RK_CTL_CONGESTED) != 0) && o->worker != NULL) {
        o->worker->ctx.behind = a;
    }
    if (schedule) {
        rk_schedule(o, a);
    }
    return RK_OK;
}

rk_status rk_post_wait(rk_actor_system *sys, rk_actor_id to, uint64_t *deadline_ns)
{
    rk_actor *a = rk_table_find(sys, to);
    const rk_type_entry *type = rk_type_at(sys, a->type);
    rk_actor_ext *ext = a->ext;
    if (*deadline_ns == 0) {
        *deadline_ns = rk_clock_deadline_ns(type->type.block_ns);
    }
    /* Pairs with rk_inbox_left: one of the two sees what the other did. */
    atomic_fetch_add_explicit(&ext->waiters, 1, memory_order_seq_cst);
    uint32_t seen = rk_atomic_load_u32(&ext->space, memory_order_seq_cst);
    rk_status status = RK_OK;
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_seq_cst);
    if (rk_inbox_generation(inbox) == generation_of(to) &&
        atomic_load_explicit(&ext->depth, memory_order_seq_cst) >= type->type.mailbox_limit) {
        status = rk_wait_while_equal(&ext->space, seen, *deadline_ns, 0);
    }
    atomic_fetch_sub_explicit(&ext->waiters, 1, memory_order_seq_cst);
    return status;
}

/* --- Control messages --- */

static rk_message *control_make(rk_origin *o, rk_control control, const rk_control_body *body)
{
    rk_message *m = rk_stock_take(&o->sys->messages, &o->producer->messages, true);
    if (m != NULL) {
        m->head = RK_HEAD_CONTROL | o->turn_bit | (uint64_t)sizeof *body << RK_HEAD_LENGTH_SHIFT;
        if (o->worker != NULL && o->worker->ctx.self != NULL) {
            m->head |= o->worker->ctx.id;
        }
        m->type = control;
        m->correlation = 0;
        m->body.control = body == NULL ? (rk_control_body){0} : *body;
    }
    return m;
}

bool rk_control_post(rk_origin *o, rk_actor_id to, rk_control control, const rk_control_body *body)
{
    rk_actor *a = rk_table_find(o->sys, to);
    if (a == NULL) {
        return false;
    }
    uint64_t inbox = atomic_load_explicit(&a->inbox, memory_order_acquire);
    if (rk_inbox_generation(inbox) != generation_of(to) ||
        (inbox & RK_INBOX_POINTER_MASK) == RK_INBOX_CLOSED) {
        return false;
    }
    rk_message *m = control_make(o, control, body);
    if (m == NULL) {
        return false;
    }
    if (o->sys->ordered && o->worker == NULL) {
        return rk_turns_post_take(o->sys, to, m) == RK_OK;
    }
    bool schedule;
    if (!push(a, generation_of(to), m, &schedule)) {
        rk_message_free(o, m);
        return false;
    }
    rk_actor_ctl_set(a, RK_CTL_URGENT);
    if (schedule) {
        rk_schedule(o, a);
    }
    return true;
}

void rk_control_wake(rk_origin *o, rk_actor *a)
{
    const rk_control_body body = {.child = a->index};
    rk_message *m = control_make(o, RK_CONTROL_WAKE, &body);
    if (m != NULL) {
        (void)rk_turns_post_take(o->sys, rk_actor_id_of(a), m);
    }
}

bool rk_control_relative(rk_origin *o, rk_actor *to, rk_control control,
                         const rk_control_body *body)
{
    return rk_control_post(o, rk_actor_id_of(to), control, body);
}

/* --- Sending from handlers --- */

RK_INLINE rk_status send_from(rk_actor_ctx *ctx, rk_actor_id to, const rk_draft *draft,
                              const void *payload, uint32_t length)
{
    rk_message *m;
    rk_status status = rk_message_make(&ctx->origin, draft, payload, length, &m);
    if (RK_UNLIKELY(status != RK_OK)) {
        return status;
    }
    return rk_post_take(&ctx->origin, to, m, false);
}

rk_status rk_actor_send(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type, const void *payload,
                        uint32_t length)
{
    if (RK_UNLIKELY(type < RK_MSG_TYPE_USER)) {
        return RK_INVALID;
    }
    const rk_draft draft = {.head = ctx->id, .type = type};
    return send_from(ctx, to, &draft, payload, length);
}

rk_status rk_actor_send_with(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type, const void *payload,
                             uint32_t length, const rk_actor_send_options *options)
{
    rk_draft draft = {.head = ctx->id, .type = type};
    if (type < RK_MSG_TYPE_USER || rk_draft_options(&draft, options) != RK_OK) {
        return RK_INVALID;
    }
    return send_from(ctx, to, &draft, payload, length);
}

rk_status rk_actor_ask(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type, const void *payload,
                       uint32_t length, uint64_t timeout_ns, uint32_t *out_correlation)
{
    if (type < RK_MSG_TYPE_USER || timeout_ns == 0) {
        return RK_INVALID;
    }
    rk_draft draft = {.head = ctx->id | RK_HEAD_REQUEST, .type = type};
    uint64_t now_ns = rk_origin_now_ns(&ctx->origin);
    draft.deadline_ns = timeout_ns > RK_NEVER - now_ns ? RK_NEVER : now_ns + timeout_ns;
    uint16_t restarts = atomic_load_explicit(&ctx->self->restarts, memory_order_relaxed);
    rk_status status =
        rk_asks_begin(&ctx->origin, ctx->id, restarts, NULL, draft.deadline_ns, &draft.correlation);
    if (status != RK_OK) {
        return status;
    }
    status = send_from(ctx, to, &draft, payload, length);
    rk_asks_sent(&ctx->origin, draft.correlation, status == RK_OK);
    if (status == RK_OK) {
        *out_correlation = draft.correlation;
    }
    return status;
}

rk_status rk_actor_reply(rk_actor_ctx *ctx, const rk_actor_msg *request, uint32_t type,
                         const void *payload, uint32_t length)
{
    if (type < RK_MSG_TYPE_USER || (request->flags & RK_MSG_REQUEST) == 0 ||
        (length != 0 && payload == NULL)) {
        return RK_INVALID;
    }
    rk_origin *o = &ctx->origin;
    const rk_draft draft = {
        .head = ctx->id | RK_HEAD_REPLY, .type = type, .correlation = request->correlation};
    if (request->from != RK_ACTOR_NONE) {
        return send_from(ctx, request->from, &draft, payload, length);
    }
    rk_message *m;
    rk_status status = rk_message_make(o, &draft, payload, length, &m);
    if (status != RK_OK) {
        return status;
    }
    rk_count(&o->producer->counters.sent);
    if (rk_asks_reply(o, request->correlation, type, payload, length) == RK_NOT_FOUND) {
        rk_message_bury(o, RK_ACTOR_NONE, m, RK_DEADLETTER_EXPIRED);
        return RK_OK;
    }
    rk_count(&o->producer->counters.handled);
    rk_message_free(o, m);
    return RK_OK;
}
