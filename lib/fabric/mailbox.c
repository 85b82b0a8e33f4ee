/*
 * mailbox.c: the mailbox of host threads.
 *
 * A ring of bytes with records of any length, a lock for those who send and one for those who
 * receive, so that the two sides meet only in head and tail.
 *
 * Invariants
 *   1. head and tail count bytes and run freely; a record starts at a multiple of 8 and does not
 *      wrap: where it would, a record without a message fills the rest.
 *   2. tail is written under the send lock, head under the receive lock, each with release after
 *      the record was written or read, and read by the other side with acquire.
 *   3. receive_word changes with every push, send_word with every pop, both on closing. A waiting
 *      side sleeps on the other side's word and counts itself as parked (base/wait.h).
 */
#include "base/clock.h"
#include "base/wait.h"
#include "fabric/broker.h"
#include <ringkernel/mailbox.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MESSAGES 1024u
#define DEFAULT_BYTES (256u << 10)
#define LEAST_BYTES 4096u
#define MOST_BYTES (1u << 30)
#define SPIN_NS 20000u

typedef struct record {
    uint32_t bytes;  /* of the record, a multiple of 8 */
    uint8_t message; /* 0: fills the end of the ring */
    uint8_t envelope;
    uint16_t topic_bytes; /* with NUL; 0: no topic */
    rk_msg_header header;
    rk_address source;
    uint32_t tenant;
    uint32_t reserved;
    uint64_t deadline_us;
    /* Then the envelope, the topic and the payload, without gaps. */
} record;

_Static_assert(sizeof(record) % 8 == 0, "records start at multiples of 8");

struct rk_mailbox {
    rk_fabric *fabric;
    uint32_t endpoint;
    uint32_t flags;
    uint32_t message_limit;
    uint64_t capacity; /* a power of two */
    unsigned char *bytes;

    /* Each side has a line of its own and one that the other side reads, rarely while there is
     * work. */
    alignas(RK_CACHE_LINE) rk_mutex send_lock;
    uint64_t seen_head; /* the senders' copies */
    uint32_t seen_popped;
    alignas(RK_CACHE_LINE) _Atomic uint64_t tail;
    _Atomic uint32_t pushed; /* messages ever */
    uint32_t receive_word;
    uint32_t closed;

    alignas(RK_CACHE_LINE) rk_mutex receive_lock;
    uint64_t seen_tail; /* the receivers' copy */
    alignas(RK_CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint32_t popped; /* messages ever */
    uint32_t send_word;

    alignas(RK_CACHE_LINE) uint32_t receivers_parked;
    uint32_t senders_parked;
};

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + 7u) & ~UINT64_C(7);
}

/* Changes a word that others may sleep on. Its lock is held. */
static void touch(uint32_t *word)
{
    uint32_t now = rk_atomic_load_u32(word, memory_order_relaxed);
    rk_atomic_store_u32(word, now + 1, memory_order_seq_cst);
}

/* Wakes those who sleep on a word that was touched. */
static void wake(uint32_t *word, const uint32_t *parked, int count)
{
    if (RK_UNLIKELY(rk_atomic_load_u32(parked, memory_order_seq_cst) != 0)) {
        rk_wake(word, count);
    }
}

static void write_record(unsigned char *at, const rk_delivery *delivery, uint32_t bytes,
                         uint32_t topic_bytes)
{
    record r = {.bytes = bytes,
                .message = 1,
                .envelope = delivery->envelope != NULL,
                .topic_bytes = (uint16_t)topic_bytes,
                .header = delivery->header,
                .source = delivery->source,
                .tenant = delivery->tenant,
                .deadline_us = delivery->deadline_us};
    memcpy(at, &r, sizeof(r));
    at += sizeof(r);
    if (delivery->envelope) {
        memcpy(at, delivery->envelope, sizeof(rk_envelope));
        at += sizeof(rk_envelope);
    }
    if (topic_bytes > 0) {
        memcpy(at, delivery->topic, topic_bytes);
        at += topic_bytes;
    }
    if (delivery->header.length > 0) {
        memcpy(at, delivery->payload, delivery->header.length);
    }
}

/* The send lock is held. */
static rk_receipt push(rk_mailbox *mailbox, const rk_delivery *delivery, uint64_t bytes,
                       uint32_t topic_bytes)
{
    if (rk_atomic_load_u32(&mailbox->closed, memory_order_relaxed)) {
        return RK_RECEIPT_CLOSED;
    }
    uint32_t pushed = atomic_load_explicit(&mailbox->pushed, memory_order_relaxed);
    if (pushed - mailbox->seen_popped >= mailbox->message_limit) {
        mailbox->seen_popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
        if (pushed - mailbox->seen_popped >= mailbox->message_limit) {
            return RK_RECEIPT_QUEUE_FULL;
        }
    }
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    uint64_t place = tail & (mailbox->capacity - 1);
    uint64_t skip = bytes > mailbox->capacity - place ? mailbox->capacity - place : 0;
    if (tail + skip + bytes - mailbox->seen_head > mailbox->capacity) {
        /* Acquire: pairs with the release in pop; the receiver is done with those bytes. */
        mailbox->seen_head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
        if (tail + skip + bytes - mailbox->seen_head > mailbox->capacity) {
            return RK_RECEIPT_QUEUE_FULL;
        }
    }
    if (skip > 0) {
        /* Only its first eight bytes: there may not be room for more. */
        record filler = {.bytes = (uint32_t)skip};
        memcpy(mailbox->bytes + place, &filler, 8);
    }
    write_record(mailbox->bytes + ((tail + skip) & (mailbox->capacity - 1)), delivery,
                 (uint32_t)bytes, topic_bytes);
    atomic_store_explicit(&mailbox->tail, tail + skip + bytes, memory_order_release);
    atomic_store_explicit(&mailbox->pushed, pushed + 1, memory_order_relaxed);
    touch(&mailbox->receive_word);
    return RK_RECEIPT_DELIVERED;
}

static rk_receipt deliver(void *context, const rk_delivery *delivery)
{
    rk_mailbox *mailbox = context;
    uint32_t topic_bytes = delivery->topic ? (uint32_t)strlen(delivery->topic) + 1 : 0;
    uint64_t bytes = round_up(sizeof(record) + (delivery->envelope ? sizeof(rk_envelope) : 0) +
                              topic_bytes + (uint64_t)delivery->header.length);
    if (bytes > mailbox->capacity / 2) {
        return RK_RECEIPT_TOO_LONG;
    }
    for (;;) {
        uint32_t seen = rk_atomic_load_u32(&mailbox->send_word, memory_order_acquire);
        rk_mutex_lock(&mailbox->send_lock);
        rk_receipt receipt = push(mailbox, delivery, bytes, topic_bytes);
        rk_mutex_unlock(&mailbox->send_lock);
        if (RK_LIKELY(receipt == RK_RECEIPT_DELIVERED)) {
            wake(&mailbox->receive_word, &mailbox->receivers_parked, 1);
            return receipt;
        }
        if (receipt != RK_RECEIPT_QUEUE_FULL || delivery->wait_until_ns == 0) {
            return receipt;
        }
        if (rk_wait_while_equal_parked(&mailbox->send_word, seen, delivery->wait_until_ns, SPIN_NS,
                                       &mailbox->senders_parked) != RK_OK) {
            return RK_RECEIPT_TIMEOUT;
        }
    }
}

static uint32_t depth(void *context)
{
    return rk_mailbox_depth(context);
}

static const rk_endpoint_ops mailbox_ops = {deliver, depth};

/* Looks at the oldest record with a message; NULL when there is none. The receive lock is held. */
static const unsigned char *peek(rk_mailbox *mailbox, record *out)
{
    uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    for (;;) {
        if (head == mailbox->seen_tail) {
            /* Acquire: pairs with the release in push. */
            mailbox->seen_tail = atomic_load_explicit(&mailbox->tail, memory_order_acquire);
            if (head == mailbox->seen_tail) {
                return NULL;
            }
        }
        const unsigned char *at = mailbox->bytes + (head & (mailbox->capacity - 1));
        memcpy(out, at, 8);
        if (out->message) {
            memcpy(out, at, sizeof(*out));
            return at + sizeof(*out);
        }
        head += out->bytes;
        atomic_store_explicit(&mailbox->head, head, memory_order_release);
    }
}

/* Takes the record that peek showed out. The receive lock is held. */
static void pop(rk_mailbox *mailbox, const record *r)
{
    uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    uint32_t popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
    atomic_store_explicit(&mailbox->head, head + r->bytes, memory_order_release);
    atomic_store_explicit(&mailbox->popped, popped + 1, memory_order_relaxed);
    touch(&mailbox->send_word);
}

/* The record as a delivery that points into it. */
static rk_delivery view(const rk_mailbox *mailbox, const record *r, const unsigned char *body,
                        rk_envelope *envelope)
{
    rk_delivery delivery = {.header = r->header,
                            .source = r->source,
                            .dest = mailbox->endpoint,
                            .tenant = r->tenant,
                            .deadline_us = r->deadline_us};
    if (r->envelope) {
        memcpy(envelope, body, sizeof(*envelope));
        delivery.envelope = envelope;
        body += sizeof(*envelope);
    }
    delivery.topic = r->topic_bytes ? (const char *)body : NULL;
    delivery.payload = r->header.length ? body + r->topic_bytes : NULL;
    return delivery;
}

static bool is_late(const record *r)
{
    return r->deadline_us != 0 && rk_clock_realtime_ns() / RK_NS_PER_US > r->deadline_us;
}

static uint32_t qos_of(const rk_msg_header *header)
{
    return (header->flags & RK_MSG_QOS_MASK) >> RK_MSG_QOS_SHIFT;
}

/* A message that was not received in time, or at all. A publication of QoS 1 or 2 is still kept
 * by its session, which decides about it. The receive lock is held. */
static void bury(rk_mailbox *mailbox, const record *r, const unsigned char *body,
                 rk_deadletter_reason reason)
{
    if (r->topic_bytes != 0 && qos_of(&r->header) > 0) {
        return;
    }
    rk_envelope envelope;
    rk_delivery delivery = view(mailbox, r, body, &envelope);
    rk_address self = {rk_fabric_node(mailbox->fabric), mailbox->endpoint};
    rk_broker_dead_letter(mailbox->fabric, &delivery, self, reason);
}

typedef enum taking {
    TAKEN,
    NOTHING,
    TOO_SMALL, /* the message stays */
    LATE,      /* taken out as a dead letter */
} taking;

/* The receive lock is held. */
static taking take(rk_mailbox *mailbox, rk_mail *out, void *buffer, size_t capacity)
{
    record r;
    const unsigned char *body = peek(mailbox, &r);
    if (!body) {
        return NOTHING;
    }
    out->header = r.header;
    out->source = r.source;
    out->tenant = r.tenant;
    out->deadline_us = r.deadline_us;
    out->has_envelope = r.envelope;
    if (RK_UNLIKELY(is_late(&r))) {
        bury(mailbox, &r, body, RK_DEADLETTER_EXPIRED);
        pop(mailbox, &r);
        return LATE;
    }
    if (r.envelope) {
        memcpy(&out->envelope, body, sizeof(out->envelope));
        body += sizeof(out->envelope);
    }
    out->topic[0] = '\0';
    if (r.topic_bytes > 0) {
        memcpy(out->topic, body, r.topic_bytes);
        body += r.topic_bytes;
    }
    if (RK_UNLIKELY(r.header.length > capacity)) {
        return TOO_SMALL;
    }
    if (r.header.length > 0) {
        memcpy(buffer, body, r.header.length);
    }
    pop(mailbox, &r);
    return TAKEN;
}

/* False: a publication of QoS 2 that was received before, or is a dead letter by now. */
static bool acknowledge(rk_mailbox *mailbox, const rk_mail *mail)
{
    uint32_t qos = qos_of(&mail->header);
    if (RK_LIKELY(qos == 0) || mail->topic[0] == '\0' ||
        (mailbox->flags & RK_MAILBOX_MANUAL_ACK) != 0) {
        return true;
    }
    rk_status status =
        rk_fabric_acknowledge(mailbox->fabric, mailbox->endpoint, mail->header.correlation);
    if (status == RK_OK || qos == 1) {
        return true;
    }
    rk_count(&mailbox->fabric->counters.duplicates_dropped, 1);
    return false;
}

static void report_late(rk_mailbox *mailbox, const rk_mail *mail)
{
    rk_delivery delivery = {.header = mail->header, .source = mail->source, .tenant = mail->tenant};
    rk_address self = {rk_fabric_node(mailbox->fabric), mailbox->endpoint};
    rk_broker_event(mailbox->fabric, RK_FABRIC_REFUSED, &delivery, self, mail->tenant,
                    RK_RECEIPT_TIMEOUT);
}

rk_status rk_mailbox_receive(rk_mailbox *mailbox, rk_mail *out, void *buffer, size_t capacity,
                             uint64_t deadline_ns)
{
    for (;;) {
        uint32_t seen = 0;
        bool closed = false;
        rk_mutex_lock(&mailbox->receive_lock);
        taking what = take(mailbox, out, buffer, buffer ? capacity : 0);
        if (what == NOTHING) {
            /* The words first, then another look: what comes after it changes them. */
            seen = rk_atomic_load_u32(&mailbox->receive_word, memory_order_acquire);
            closed = rk_atomic_load_u32(&mailbox->closed, memory_order_acquire) != 0;
            what = take(mailbox, out, buffer, buffer ? capacity : 0);
        }
        rk_mutex_unlock(&mailbox->receive_lock);
        switch (what) {
        case TAKEN:
            wake(&mailbox->send_word, &mailbox->senders_parked, RK_WAKE_ALL);
            if (RK_LIKELY(acknowledge(mailbox, out))) {
                return RK_OK;
            }
            continue;
        case LATE:
            wake(&mailbox->send_word, &mailbox->senders_parked, RK_WAKE_ALL);
            report_late(mailbox, out);
            continue;
        case TOO_SMALL: return RK_LIMIT;
        case NOTHING: break;
        }
        if (closed) {
            return RK_CLOSED;
        }
        if (deadline_ns == 0) {
            return RK_EMPTY;
        }
        if (rk_wait_while_equal_parked(&mailbox->receive_word, seen, deadline_ns, SPIN_NS,
                                       &mailbox->receivers_parked) != RK_OK) {
            return RK_TIMEOUT;
        }
    }
}

uint32_t rk_mailbox_depth(const rk_mailbox *mailbox)
{
    uint32_t popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
    uint32_t pushed = atomic_load_explicit(&mailbox->pushed, memory_order_relaxed);
    return (int32_t)(pushed - popped) > 0 ? pushed - popped : 0;
}

uint32_t rk_mailbox_endpoint(const rk_mailbox *mailbox)
{
    return mailbox->endpoint;
}

static rk_status check_options(const rk_mailbox_options *options, rk_err *err)
{
    if (options->capacity_bytes > MOST_BYTES) {
        return rk_err_set(err, RK_INVALID, "a mailbox of %u bytes is too large: the limit is %u",
                          options->capacity_bytes, MOST_BYTES);
    }
    return RK_OK;
}

static rk_mailbox *allocate(rk_fabric *fabric, const rk_mailbox_options *options)
{
    rk_mailbox *mailbox = aligned_alloc(RK_CACHE_LINE, sizeof(*mailbox));
    if (!mailbox) {
        return NULL;
    }
    memset(mailbox, 0, sizeof(*mailbox));
    uint64_t wanted = options->capacity_bytes ? options->capacity_bytes : DEFAULT_BYTES;
    mailbox->capacity = LEAST_BYTES;
    while (mailbox->capacity < wanted) {
        mailbox->capacity *= 2;
    }
    mailbox->bytes = malloc(mailbox->capacity);
    if (!mailbox->bytes) {
        free(mailbox);
        return NULL;
    }
    mailbox->fabric = fabric;
    mailbox->flags = options->flags;
    mailbox->message_limit = options->message_limit ? options->message_limit : DEFAULT_MESSAGES;
    rk_mutex_init(&mailbox->send_lock);
    rk_mutex_init(&mailbox->receive_lock);
    return mailbox;
}

static void release(rk_mailbox *mailbox)
{
    rk_mutex_finish(&mailbox->send_lock);
    rk_mutex_finish(&mailbox->receive_lock);
    free(mailbox->bytes);
    free(mailbox);
}

rk_status rk_mailbox_create(rk_fabric *fabric, const rk_mailbox_options *options, rk_mailbox **out,
                            rk_err *err)
{
    static const rk_mailbox_options defaults;
    options = options ? options : &defaults;
    rk_status status = check_options(options, err);
    if (status != RK_OK) {
        return status;
    }
    rk_mailbox *mailbox = allocate(fabric, options);
    if (!mailbox) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot make a mailbox: out of memory");
    }
    rk_endpoint_options endpoint = {options->name, options->tenant, options->epoch};
    status =
        rk_endpoint_register(fabric, &endpoint, &mailbox_ops, mailbox, &mailbox->endpoint, err);
    if (status != RK_OK) {
        release(mailbox);
        return status;
    }
    *out = mailbox;
    return RK_OK;
}

void rk_mailbox_close(rk_mailbox *mailbox)
{
    rk_mutex_lock(&mailbox->send_lock);
    rk_atomic_store_u32(&mailbox->closed, 1, memory_order_release);
    touch(&mailbox->receive_word);
    rk_mutex_unlock(&mailbox->send_lock);
    rk_mutex_lock(&mailbox->receive_lock);
    touch(&mailbox->send_word);
    rk_mutex_unlock(&mailbox->receive_lock);
    wake(&mailbox->receive_word, &mailbox->receivers_parked, RK_WAKE_ALL);
    wake(&mailbox->send_word, &mailbox->senders_parked, RK_WAKE_ALL);
}

void rk_mailbox_destroy(rk_mailbox *mailbox)
{
    if (!mailbox) {
        return;
    }
    rk_mailbox_close(mailbox); /* wakes senders that wait inside */
    (void)rk_endpoint_unregister(mailbox->fabric, mailbox->endpoint); /* registered since create */
    record r;
    const unsigned char *body = NULL;
    rk_mutex_lock(&mailbox->receive_lock);
    while ((body = peek(mailbox, &r)) != NULL) {
        bury(mailbox, &r, body, RK_DEADLETTER_DESTROYED);
        pop(mailbox, &r);
    }
    rk_mutex_unlock(&mailbox->receive_lock);
    release(mailbox);
}
