/*
 * session.c: delivery until acknowledged. The states are in session.h.
 *
 * Whoever has work for a session sets `pumping` under the lock and hands over entries one by one,
 * with the lock released during each delivery, so that a delivery may acknowledge or publish.
 * Others find `pumping` set and leave their entry in the queue: the pumping thread looks again
 * after each delivery, so nothing is left behind, and the order is kept.
 */
#include "fabric/session.h"

#include "base/clock.h"
#include "fabric/broker.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_WINDOW 16u
#define FIRST_TOKEN 0xffffff00u /* tokens wrap around soon, so that it is nothing special */

typedef enum entry_state {
    ENTRY_FREE = 0,
    ENTRY_QUEUED,
    ENTRY_SENDING,
    ENTRY_SENT,
} entry_state;

typedef struct entry {
    rk_publication *publication;
    uint64_t due_ns;
    uint32_t attempts;
    entry_state state;
    uint8_t qos;
    bool retained;
} entry;

struct rk_session {
    rk_mutex lock;
    rk_deadline deadline; /* armed while anything is outstanding */
    entry *window;
    uint32_t capacity; /* a power of two; the entry of a token is at token & (capacity - 1) */
    uint32_t base;
    uint32_t unsent;
    uint32_t next;
    uint32_t outstanding;
    uint32_t given_up; /* the last token that became a dead letter */
    bool pumping;
    bool unarmed; /* memory was short when the deadline should have been set */
};

rk_publication *rk_publication_create(rk_fabric *fabric, const rk_delivery *delivery, uint32_t qos,
                                      uint64_t publish_id)
{
    size_t topic_bytes = strlen(delivery->topic) + 1;
    size_t bytes = sizeof(rk_publication) + delivery->header.length + topic_bytes;
    bytes = (bytes + 15u) & ~(size_t)15u;
    rk_publication *publication = aligned_alloc(16, bytes);
    if (!publication) {
        return NULL;
    }
    rk_count(&fabric->counters.inflight_bytes, bytes);
    atomic_init(&publication->refs, 1);
    atomic_init(&publication->waiting, 1);
    publication->source = delivery->source;
    publication->tenant = delivery->tenant;
    publication->qos = qos;
    publication->header = delivery->header;
    publication->publish_id = publish_id;
    publication->deadline_us = delivery->deadline_us;
    publication->bytes = bytes;
    if (delivery->header.length > 0) {
        memcpy(publication->payload, delivery->payload, delivery->header.length);
    }
    char *topic = (char *)publication->payload + delivery->header.length;
    memcpy(topic, delivery->topic, topic_bytes);
    publication->topic = topic;
    return publication;
}

void rk_publication_ref(rk_publication *publication)
{
    atomic_fetch_add_explicit(&publication->refs, 1, memory_order_relaxed);
}

void rk_publication_unref(rk_publication *publication)
{
    /* Release and acquire: all uses come before the free. */
    if (publication &&
        atomic_fetch_sub_explicit(&publication->refs, 1, memory_order_acq_rel) == 1) {
        free(publication);
    }
}

void rk_publication_done(rk_fabric *fabric, rk_publication *publication)
{
    if (atomic_fetch_sub_explicit(&publication->waiting, 1, memory_order_acq_rel) != 1) {
        return;
    }
    atomic_fetch_sub_explicit(&fabric->counters.inflight_bytes, publication->bytes,
                              memory_order_relaxed);
    if (publication->qos == 0) {
        return;
    }
    rk_delivery delivery = rk_publication_delivery(publication, 0);
    delivery.header.id = publication->publish_id;
    rk_address dest = {fabric->options.node, 0};
    rk_broker_event(fabric, RK_FABRIC_COMPLETED, &delivery, dest, 0, RK_RECEIPT_DELIVERED);
}

rk_delivery rk_publication_delivery(const rk_publication *publication, uint32_t dest)
{
    rk_delivery delivery = {.header = publication->header,
                            .payload = publication->header.length ? publication->payload : NULL,
                            .source = publication->source,
                            .dest = dest,
                            .tenant = publication->tenant,
                            .topic = publication->topic,
                            .deadline_us = publication->deadline_us};
    return delivery;
}

rk_session *rk_session_create(uint32_t endpoint)
{
    rk_session *session = calloc(1, sizeof(*session));
    if (!session) {
        return NULL;
    }
    session->window = calloc(FIRST_WINDOW, sizeof(*session->window));
    if (!session->window) {
        free(session);
        return NULL;
    }
    session->capacity = FIRST_WINDOW;
    session->base = session->unsent = session->next = FIRST_TOKEN;
    rk_mutex_init(&session->lock);
    session->deadline = (rk_deadline){.kind = RK_BROKER_DUE_SESSION, .id = endpoint};
    return session;
}

static entry *entry_at(rk_session *session, uint32_t token)
{
    return &session->window[token & (session->capacity - 1)];
}

static bool in_window(const rk_session *session, uint32_t token)
{
    return token - session->base < session->next - session->base;
}

/* Frees the entry and moves the window on. The caller gets the publication. */
static rk_publication *release(rk_fabric *fabric, rk_session *session, uint32_t token)
{
    entry *e = entry_at(session, token);
    rk_publication *publication = e->publication;
    *e = (entry){0};
    session->outstanding--;
    atomic_fetch_sub_explicit(&fabric->counters.inflight, 1, memory_order_relaxed);
    while (session->base != session->next &&
           entry_at(session, session->base)->state == ENTRY_FREE) {
        if (session->base == session->unsent) {
            session->unsent++;
        }
        session->base++;
    }
    if (session->outstanding == 0) {
        rk_deadlines_cancel(&fabric->deadlines, &session->deadline);
    }
    return publication;
}

/* Doubles the window; tokens keep their order. */
static rk_status grow(rk_session *session, uint32_t limit)
{
    if (session->capacity >= limit) {
        return RK_LIMIT;
    }
    uint32_t capacity = session->capacity * 2;
    entry *window = calloc(capacity, sizeof(*window));
    if (!window) {
        return RK_NO_MEMORY;
    }
    for (uint32_t token = session->base; token != session->next; token++) {
        window[token & (capacity - 1)] = *entry_at(session, token);
    }
    free(session->window);
    session->window = window;
    session->capacity = capacity;
    return RK_OK;
}

/* Makes room for one more token. */
static rk_status reserve(rk_session *session, uint32_t limit)
{
    uint32_t used = session->next - session->base;
    if (used >= limit) {
        return RK_LIMIT;
    }
    return used >= session->capacity ? grow(session, limit) : RK_OK;
}

static rk_status append(rk_fabric *fabric, rk_session *session, rk_publication *publication,
                        uint32_t qos, bool retained, uint32_t *out_token)
{
    rk_status status = reserve(session, fabric->options.inflight_limit);
    if (status == RK_OK && session->next == 0) {
        session->next = 1; /* 0 means "no token"; its entry stays free */
        status = reserve(session, fabric->options.inflight_limit);
    }
    if (status != RK_OK) {
        return status;
    }
    uint64_t due_ns = rk_clock_monotonic_ns() + fabric->options.retry_after_ns;
    if (session->outstanding == 0 || session->unarmed) {
        status = rk_deadlines_set(&fabric->deadlines, &session->deadline, due_ns);
        if (status != RK_OK) {
            return status;
        }
        session->unarmed = false;
    }
    rk_publication_ref(publication);
    atomic_fetch_add_explicit(&publication->waiting, 1, memory_order_relaxed);
    *entry_at(session, session->next) = (entry){.publication = publication,
                                                .due_ns = due_ns,
                                                .state = ENTRY_QUEUED,
                                                .qos = (uint8_t)qos,
                                                .retained = retained};
    *out_token = session->next++;
    session->outstanding++;
    atomic_fetch_add_explicit(&fabric->counters.inflight, 1, memory_order_relaxed);
    return RK_OK;
}

/* Takes an entry out as a dead letter. The lock is held, released for the callbacks, and held
 * again. */
static void give_up(rk_fabric *fabric, rk_session *session, uint32_t dest, uint32_t token,
                    rk_deadletter_reason reason)
{
    rk_publication *publication = release(fabric, session, token);
    session->given_up = token;
    rk_mutex_unlock(&session->lock);
    rk_delivery delivery = rk_publication_delivery(publication, dest);
    rk_address to = {fabric->options.node, dest};
    rk_receipt receipt = reason == RK_DEADLETTER_DESTROYED ? RK_RECEIPT_CLOSED : RK_RECEIPT_TIMEOUT;
    rk_broker_dead_letter(fabric, &delivery, to, reason);
    rk_broker_event(fabric, RK_FABRIC_REFUSED, &delivery, to, delivery.tenant, receipt);
    rk_publication_done(fabric, publication);
    rk_publication_unref(publication);
    rk_mutex_lock(&session->lock);
}

static bool is_late(uint64_t deadline_us)
{
    return deadline_us != 0 && rk_clock_realtime_ns() / RK_NS_PER_US > deadline_us;
}

/*
 * Hands one entry over. The lock is held, released for the delivery, and held again. True if the
 * endpoint took it; the entry may be gone afterwards, or given up.
 */
static bool hand_over(rk_fabric *fabric, rk_endpoint *endpoint, rk_session *session, uint32_t token)
{
    entry *e = entry_at(session, token);
    if (is_late(e->publication->deadline_us)) {
        give_up(fabric, session, endpoint->id, token, RK_DEADLETTER_EXPIRED);
        return true;
    }
    bool again = e->attempts > 0;
    e->state = ENTRY_SENDING;
    e->attempts++;
    rk_publication *publication = e->publication;
    rk_delivery delivery = rk_publication_delivery(publication, endpoint->id);
    delivery.header.correlation = token;
    delivery.header.flags =
        (rk_u16)((delivery.header.flags & ~RK_MSG_QOS_MASK) | (unsigned)e->qos << RK_MSG_QOS_SHIFT |
                 (e->retained ? RK_MSG_RETAINED : 0u) | (again ? RK_MSG_DUPLICATE : 0u));
    rk_publication_ref(publication);
    rk_mutex_unlock(&session->lock);

    rk_receipt receipt = rk_broker_hand(endpoint, &delivery);
    if (again) {
        rk_count(&fabric->counters.redeliveries, 1);
        rk_address to = {fabric->options.node, endpoint->id};
        rk_broker_event(fabric, RK_FABRIC_REDELIVERED, &delivery, to, delivery.tenant, receipt);
    }
    rk_publication_unref(publication);

    rk_mutex_lock(&session->lock);
    bool taken = receipt == RK_RECEIPT_DELIVERED;
    e = entry_at(session, token); /* the window may have grown */
    if (!in_window(session, token) || e->state != ENTRY_SENDING) {
        return true; /* acknowledged during the delivery */
    }
    e->due_ns = rk_clock_monotonic_ns() + fabric->options.retry_after_ns;
    e->state = taken || token - session->base < session->unsent - session->base ? ENTRY_SENT
                                                                                : ENTRY_QUEUED;
    if (!taken && e->attempts >= fabric->options.retry_limit) {
        give_up(fabric, session, endpoint->id, token, RK_DEADLETTER_RETRIES);
    }
    return taken;
}

/* Hands over the queue in order, as far as the endpoint takes it. pumping is set, the lock held. */
static void pump(rk_fabric *fabric, rk_endpoint *endpoint, rk_session *session)
{
    while (session->unsent != session->next) {
        uint32_t token = session->unsent;
        if (entry_at(session, token)->state == ENTRY_QUEUED &&
            !hand_over(fabric, endpoint, session, token)) {
            return;
        }
        if (session->unsent == token) {
            session->unsent++;
        }
    }
}

rk_status rk_session_publish(rk_fabric *fabric, rk_endpoint *endpoint, rk_publication *publication,
                             uint32_t qos, bool retained, bool *out_delivered)
{
    /* Acquire: pairs with the release that published the session. */
    rk_session *session = atomic_load_explicit(&endpoint->session, memory_order_acquire);
    if (!session) {
        return RK_STATE; /* the subscription went before its session came */
    }
    uint32_t token = 0;
    rk_mutex_lock(&session->lock);
    rk_status status = append(fabric, session, publication, qos, retained, &token);
    if (status == RK_OK) {
        /* A queue that waits for room is tried again when due or acknowledged, not for each
         * message. */
        bool blocked = session->unsent != token && !session->pumping &&
                       entry_at(session, session->unsent)->attempts > 0;
        if (!session->pumping && !blocked) {
            session->pumping = true;
            pump(fabric, endpoint, session);
            session->pumping = false;
        }
        *out_delivered = (int32_t)(session->unsent - token) > 0 && session->given_up != token;
    }
    rk_mutex_unlock(&session->lock);
    return status;
}

/* The earliest time at which anything is due, at least one retry away when nothing is known. */
static void arm(rk_fabric *fabric, rk_session *session, uint64_t now_ns)
{
    uint64_t due_ns = now_ns + fabric->options.retry_after_ns;
    for (uint32_t token = session->base; token != session->next; token++) {
        const entry *e = entry_at(session, token);
        if (e->state != ENTRY_FREE && e->due_ns > now_ns) {
            due_ns = RK_MIN(due_ns, e->due_ns);
        }
    }
    if (session->outstanding > 0) {
        /* Without memory the next publication tries again. */
        session->unarmed =
            rk_deadlines_set(&fabric->deadlines, &session->deadline, due_ns) != RK_OK;
    }
}

void rk_session_retry(rk_fabric *fabric, rk_endpoint *endpoint)
{
    rk_session *session = atomic_load_explicit(&endpoint->session, memory_order_acquire);
    if (!session) {
        return;
    }
    uint64_t now_ns = rk_clock_monotonic_ns();
    rk_mutex_lock(&session->lock);
    if (!session->pumping) {
        session->pumping = true;
        bool room = true;
        for (uint32_t token = session->base; room && (int32_t)(token - session->unsent) < 0;
             token++) {
            if (!in_window(session, token)) {
                continue;
            }
            entry *e = entry_at(session, token);
            if (e->state != ENTRY_SENT || e->due_ns > now_ns) {
                continue;
            }
            if (e->attempts >= fabric->options.retry_limit) {
                give_up(fabric, session, endpoint->id, token, RK_DEADLETTER_RETRIES);
            } else {
                room = hand_over(fabric, endpoint, session, token);
            }
        }
        if (room) {
            pump(fabric, endpoint, session);
        }
        session->pumping = false;
    }
    arm(fabric, session, now_ns);
    rk_mutex_unlock(&session->lock);
}

rk_status rk_session_acknowledge(rk_fabric *fabric, rk_endpoint *endpoint, uint32_t token)
{
    rk_session *session = atomic_load_explicit(&endpoint->session, memory_order_acquire);
    if (!session || token == 0) {
        return RK_NOT_FOUND;
    }
    rk_publication *publication = NULL;
    rk_mutex_lock(&session->lock);
    if (in_window(session, token) && entry_at(session, token)->attempts > 0) {
        publication = release(fabric, session, token);
        rk_count(&fabric->counters.acknowledged, 1);
        bool queued = session->unsent != session->next;
        if (queued && !session->pumping) {
            session->pumping = true;
            pump(fabric, endpoint, session);
            session->pumping = false;
        }
    }
    rk_mutex_unlock(&session->lock);
    if (!publication) {
        return RK_NOT_FOUND;
    }
    rk_publication_done(fabric, publication);
    rk_publication_unref(publication);
    return RK_OK;
}

uint32_t rk_session_outstanding(rk_session *session)
{
    rk_mutex_lock(&session->lock);
    uint32_t outstanding = session->outstanding;
    rk_mutex_unlock(&session->lock);
    return outstanding;
}

void rk_session_destroy(rk_fabric *fabric, rk_endpoint *endpoint, rk_session *session)
{
    if (!session) {
        return;
    }
    rk_mutex_lock(&session->lock);
    for (uint32_t token = session->base; session->outstanding > 0; token++) {
        if (entry_at(session, token)->state != ENTRY_FREE) {
            give_up(fabric, session, endpoint->id, token, RK_DEADLETTER_DESTROYED);
        }
    }
    rk_deadlines_cancel(&fabric->deadlines, &session->deadline);
    rk_mutex_unlock(&session->lock);
    rk_mutex_finish(&session->lock);
    free(session->window);
    free(session);
}
