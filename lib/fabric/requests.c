/*
 * requests.c: request and reply. The states are in requests.h.
 */
#include "fabric/requests.h"

#include "base/clock.h"
#include "base/wait.h"
#include "fabric/broker.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_NS (30 * (uint64_t)RK_NS_PER_S)

void rk_requests_init(rk_requests *requests, uint32_t limit)
{
    *requests = (rk_requests){0};
    rk_mutex_init(&requests->lock);
    requests->limit = limit;
    requests->fresh = 1;
}

void rk_requests_finish(rk_requests *requests)
{
    free(requests->table);
    rk_mutex_finish(&requests->lock);
}

static uint32_t number_of(const rk_requests *requests, const rk_request *request)
{
    return request->generation << 16 | (uint32_t)(request - requests->table);
}

/* The entry of a number while it is not free, or NULL. The caller holds the lock. */
static rk_request *find(rk_requests *requests, uint32_t number)
{
    uint32_t place = number & 0xffffu;
    if (place == 0 || place >= requests->fresh) {
        return NULL;
    }
    rk_request *request = &requests->table[place];
    bool same = request->state != RK_REQUEST_FREE && request->generation == number >> 16;
    return same ? request : NULL;
}

static rk_request *take(rk_requests *requests)
{
    if (requests->open_count >= requests->limit) {
        return NULL;
    }
    if (!requests->table) {
        requests->table = calloc((size_t)requests->limit + 1, sizeof(*requests->table));
        if (!requests->table) {
            return NULL;
        }
    }
    uint32_t place = requests->free_first;
    if (place != 0) {
        requests->free_first = requests->table[place].next_free;
        if (requests->free_first == 0) {
            requests->free_last = 0;
        }
    } else {
        place = requests->fresh++;
    }
    rk_request *request = &requests->table[place];
    request->generation = request->generation % 0xffffu + 1;
    requests->open_count++;
    return request;
}

static void give(rk_requests *requests, rk_request *request)
{
    uint32_t place = (uint32_t)(request - requests->table);
    request->state = RK_REQUEST_FREE;
    request->next_free = 0;
    if (requests->free_last != 0) {
        requests->table[requests->free_last].next_free = place;
    } else {
        requests->free_first = place;
    }
    requests->free_last = place;
    requests->open_count--;
}

static rk_status begin(rk_fabric *fabric, const rk_request *wanted, uint64_t due_ns,
                       uint32_t *out_number)
{
    rk_requests *requests = &fabric->requests;
    rk_status status = RK_LIMIT;
    rk_mutex_lock(&requests->lock);
    rk_request *request = take(requests);
    if (request) {
        uint32_t generation = request->generation;
        uint32_t number = number_of(requests, request);
        *request = *wanted;
        request->generation = generation;
        request->state = RK_REQUEST_OPEN;
        request->deadline = (rk_deadline){.kind = RK_BROKER_DUE_REQUEST, .id = number};
        status = rk_deadlines_set(&fabric->deadlines, &request->deadline, due_ns);
        if (status == RK_OK) {
            *out_number = number;
        } else {
            give(requests, request);
        }
    }
    rk_mutex_unlock(&requests->lock);
    return status;
}

/* Takes an open request out; false when it has ended or is ending. */
static bool end(rk_fabric *fabric, uint32_t number, rk_request *out)
{
    rk_requests *requests = &fabric->requests;
    bool found = false;
    rk_mutex_lock(&requests->lock);
    rk_request *request = find(requests, number);
    if (request && request->state == RK_REQUEST_OPEN) {
        rk_deadlines_cancel(&fabric->deadlines, &request->deadline);
        *out = *request;
        give(requests, request);
        found = true;
    }
    rk_mutex_unlock(&requests->lock);
    return found;
}

rk_receipt rk_fabric_request(rk_fabric *fabric, uint32_t source, rk_address dest, uint32_t type,
                             const void *payload, uint32_t length,
                             const rk_request_options *options, uint32_t *out_request)
{
    static const rk_request_options defaults;
    options = options ? options : &defaults;
    rk_delivery delivery;
    rk_carriage carriage;
    rk_receipt receipt = rk_broker_prepare(fabric, source, type, payload, length, &options->send,
                                           &delivery, &carriage);
    if (receipt != RK_RECEIPT_DELIVERED) {
        return receipt;
    }
    if ((source == 0 && !options->done) || (options->send.flags & RK_MSG_REPLY) != 0) {
        return RK_RECEIPT_INVALID;
    }
    uint64_t timeout_ns = options->timeout_ns ? options->timeout_ns : DEFAULT_TIMEOUT_NS;
    rk_request wanted = {.source = source,
                         .correlation = options->send.correlation,
                         .dest = dest,
                         .tenant = delivery.tenant,
                         .type = type,
                         .done = options->done,
                         .context = options->context};
    uint32_t number = 0;
    rk_status status = begin(fabric, &wanted, rk_clock_deadline_ns(timeout_ns), &number);
    carriage.dest = dest;
    if (status != RK_OK) {
        rk_count(&fabric->counters.unrouted[RK_RECEIPT_LIMIT], 1);
        rk_broker_give_up(fabric, &delivery, dest, 0, RK_RECEIPT_LIMIT, carriage.send_flags);
        return RK_RECEIPT_LIMIT;
    }
    rk_count(&fabric->counters.requests, 1);
    if (out_request) {
        *out_request = number;
    }
    delivery.header.correlation = number;
    delivery.header.flags |= RK_MSG_REQUEST;
    if (delivery.deadline_us == 0 && timeout_ns != UINT64_MAX) {
        delivery.deadline_us = (rk_clock_realtime_ns() + timeout_ns) / RK_NS_PER_US;
    }
    receipt = rk_broker_route(fabric, &delivery, &carriage);
    bool sent = receipt == RK_RECEIPT_DELIVERED || receipt == RK_RECEIPT_PENDING;
    if (!sent && !end(fabric, number, &wanted)) {
        return RK_RECEIPT_PENDING; /* its end has been reported already */
    }
    return receipt;
}

rk_status rk_fabric_request_cancel(rk_fabric *fabric, uint32_t request)
{
    rk_request ended;
    return end(fabric, request, &ended) ? RK_OK : RK_NOT_FOUND;
}

rk_receipt rk_fabric_reply(rk_fabric *fabric, uint32_t source, rk_address to, uint32_t correlation,
                           uint32_t type, const void *payload, uint32_t length)
{
    rk_send_options options = {.correlation = correlation, .flags = RK_MSG_REPLY};
    return correlation == 0 ? RK_RECEIPT_INVALID
                            : rk_fabric_send(fabric, source, to, type, payload, length, &options);
}

/* Marks the request of a reply busy and copies it. */
static bool claim(rk_fabric *fabric, const rk_delivery *reply, rk_request *out)
{
    rk_requests *requests = &fabric->requests;
    bool found = false;
    rk_mutex_lock(&requests->lock);
    rk_request *request = find(requests, reply->header.correlation);
    if (request && request->state == RK_REQUEST_OPEN && request->source == reply->dest) {
        rk_deadlines_cancel(&fabric->deadlines, &request->deadline);
        request->state = RK_REQUEST_BUSY;
        *out = *request;
        found = true;
    }
    rk_mutex_unlock(&requests->lock);
    return found;
}

/* The reply of a busy request was taken, or it must wait on; false when it cannot. */
static bool settle(rk_fabric *fabric, uint32_t number, bool taken, uint64_t due_ns)
{
    rk_requests *requests = &fabric->requests;
    rk_mutex_lock(&requests->lock);
    rk_request *request = find(requests, number); /* busy, so it is there */
    bool waits =
        !taken && rk_deadlines_set(&fabric->deadlines, &request->deadline, due_ns) == RK_OK;
    if (waits) {
        request->state = RK_REQUEST_OPEN;
    } else {
        give(requests, request);
    }
    rk_mutex_unlock(&requests->lock);
    return taken || waits;
}

/* Tells the source that its request failed. The request is out of the table. */
static void report_failure(rk_fabric *fabric, const rk_request *request, rk_receipt receipt)
{
    if (request->done) {
        request->done(request->context, receipt, NULL);
        return;
    }
    rk_u32 code = (rk_u32)receipt;
    rk_delivery notice = {.payload = &code,
                          .source = request->dest,
                          .dest = request->source,
                          .tenant = request->tenant};
    notice.header.type = RK_MSG_TYPE_REQUEST_FAILED;
    notice.header.flags = RK_MSG_REPLY | RK_MSG_PRIORITY_NORMAL;
    notice.header.correlation = request->correlation;
    notice.header.length = sizeof(code);
    rk_receipt why = RK_RECEIPT_CLOSED;
    rk_endpoint *endpoint = rk_broker_enter(fabric, request->source, &why);
    if (!endpoint) {
        return; /* the source is being unregistered: nobody is left to be told */
    }
    why = rk_broker_hand(endpoint, &notice);
    rk_broker_leave(endpoint);
    if (why != RK_RECEIPT_DELIVERED) {
        rk_address self = {fabric->options.node, request->source};
        rk_broker_give_up(fabric, &notice, self, request->tenant, why, 0);
    }
}

rk_receipt rk_requests_reply(rk_fabric *fabric, rk_endpoint *endpoint, const rk_delivery *reply)
{
    rk_request request;
    if (!claim(fabric, reply, &request)) {
        rk_count(&fabric->counters.late_replies, 1);
        return RK_RECEIPT_TIMEOUT;
    }
    uint32_t number = reply->header.correlation;
    rk_delivery own = *reply;
    own.header.correlation = request.correlation;
    rk_receipt receipt = RK_RECEIPT_DELIVERED;
    if (request.done) {
        request.done(request.context, RK_RECEIPT_DELIVERED, &own);
        rk_count(&endpoint->received[RK_RECEIPT_DELIVERED], 1);
        rk_count(&endpoint->received_bytes, own.header.length);
    } else {
        receipt = rk_broker_hand(endpoint, &own);
    }
    bool taken = receipt == RK_RECEIPT_DELIVERED;
    if (taken) {
        rk_count(&fabric->counters.replies, 1);
    }
    if (!settle(fabric, number, taken, request.deadline.due_ns)) {
        report_failure(fabric, &request, RK_RECEIPT_TIMEOUT);
    }
    return receipt;
}

void rk_requests_expire(rk_fabric *fabric, uint32_t number)
{
    rk_request request;
    if (end(fabric, number, &request)) {
        rk_count(&fabric->counters.request_timeouts, 1);
        report_failure(fabric, &request, RK_RECEIPT_TIMEOUT);
    }
}

void rk_requests_fail(rk_fabric *fabric, uint32_t source, uint32_t number, rk_receipt receipt)
{
    rk_requests *requests = &fabric->requests;
    rk_mutex_lock(&requests->lock);
    const rk_request *open = find(requests, number);
    bool same = open && open->source == source;
    rk_mutex_unlock(&requests->lock);
    rk_request request;
    if (same && end(fabric, number, &request)) {
        report_failure(fabric, &request, receipt);
    }
}

void rk_requests_end(rk_fabric *fabric, uint32_t source)
{
    rk_requests *requests = &fabric->requests;
    for (uint32_t place = 1;; place++) {
        uint32_t number = 0;
        rk_mutex_lock(&requests->lock);
        /* Finds the next one; others may come and go for other sources meanwhile. */
        while (place < requests->fresh && number == 0) {
            const rk_request *request = &requests->table[place];
            if (request->state == RK_REQUEST_OPEN && request->source == source) {
                number = number_of(requests, request);
            } else {
                place++;
            }
        }
        rk_mutex_unlock(&requests->lock);
        if (number == 0) {
            return;
        }
        rk_request request;
        if (end(fabric, number, &request)) {
            report_failure(fabric, &request, RK_RECEIPT_CLOSED);
        }
    }
}

/* A thread that waits in rk_fabric_call. */
typedef struct call {
    uint32_t word; /* 0 until the end is known */
    rk_receipt receipt;
    rk_mail *out;
    void *buffer;
    size_t capacity;
} call;

static void call_done(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    call *c = context;
    c->receipt = receipt;
    if (reply && c->out) {
        c->out->header = reply->header;
        c->out->source = reply->source;
        c->out->tenant = reply->tenant;
        c->out->deadline_us = reply->deadline_us;
        c->out->has_envelope = reply->envelope != NULL;
        if (reply->envelope) {
            c->out->envelope = *reply->envelope;
        }
        c->out->topic[0] = '\0';
    }
    if (reply && reply->header.length > c->capacity) {
        c->receipt = RK_RECEIPT_TOO_LONG;
    } else if (reply && reply->header.length > 0) {
        memcpy(c->buffer, reply->payload, reply->header.length);
    }
    /* Release: pairs with the acquire of the waiting thread. After the wake-up, which only uses the
     * address, c may be gone. */
    rk_atomic_store_u32(&c->word, 1, memory_order_release);
    rk_wake(&c->word, 1);
}

rk_receipt rk_fabric_call(rk_fabric *fabric, uint32_t source, rk_address dest, uint32_t type,
                          const void *payload, uint32_t length, uint64_t timeout_ns, rk_mail *out,
                          void *buffer, size_t capacity)
{
    call c = {.out = out, .buffer = buffer, .capacity = buffer ? capacity : 0};
    rk_request_options options = {.timeout_ns = timeout_ns, .done = call_done, .context = &c};
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns ? timeout_ns : DEFAULT_TIMEOUT_NS);
    uint32_t number = 0;
    rk_receipt receipt =
        rk_fabric_request(fabric, source, dest, type, payload, length, &options, &number);
    if (receipt != RK_RECEIPT_DELIVERED && receipt != RK_RECEIPT_PENDING) {
        return receipt;
    }
    if (rk_wait_while_equal(&c.word, 0, deadline_ns, 20000) != RK_OK) {
        rk_request ended;
        if (end(fabric, number, &ended)) {
            rk_count(&fabric->counters.request_timeouts, 1);
            return RK_RECEIPT_TIMEOUT;
        }
        /* The end is being reported in this moment: c must stay until it is. */
        while (rk_wait_while_equal(&c.word, 0, UINT64_MAX, 20000) != RK_OK) {
        }
    }
    return c.receipt;
}
