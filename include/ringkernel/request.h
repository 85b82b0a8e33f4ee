/*
 * request.h: requests that wait for a reply, and statistics of a fabric.
 *
 * The fabric numbers each request and ties the reply to it. A request ends exactly once: with its
 * reply, with RK_RECEIPT_TIMEOUT when its time is over, or with RK_RECEIPT_CLOSED when its source
 * goes. A reply that comes after the end becomes a dead letter, and its sender gets
 * RK_RECEIPT_TIMEOUT. Timeouts need rk_fabric_poll or RK_FABRIC_TIMER_THREAD; rk_fabric_call
 * watches its own.
 */
#ifndef RINGKERNEL_REQUEST_H
#define RINGKERNEL_REQUEST_H

#include <ringkernel/mailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The message that tells an endpoint that its request failed: RK_MSG_REPLY is set, correlation is
 * the request's, the payload is the rk_receipt as rk_u32. */
#define RK_MSG_TYPE_REQUEST_FAILED 240u

/*
 * The end of a request, called once. reply is NULL unless receipt is RK_RECEIPT_DELIVERED. Runs in
 * the thread that replied, polled or unregistered.
 */
typedef void rk_reply_fn(void *context, rk_receipt receipt, const rk_delivery *reply);

typedef struct rk_request_options {
    uint64_t timeout_ns; /* from now; default 30 s */
    /* NULL: the reply, or RK_MSG_TYPE_REQUEST_FAILED, is delivered to the source endpoint with
     * send.correlation as its correlation. */
    rk_reply_fn *done;
    void *context;
    rk_send_options send; /* send.correlation: the source's own number of the request */
} rk_request_options;

/*
 * Sends a request. Returns the receipt of sending; unless it is RK_RECEIPT_DELIVERED or
 * RK_RECEIPT_PENDING nothing is outstanding and done is not called. *out_request (may be NULL)
 * names the request for rk_fabric_request_cancel; it is set before the message goes out.
 */
RK_API rk_receipt rk_fabric_request(rk_fabric *fabric, uint32_t source, rk_address dest,
                                    uint32_t type, const void *payload, uint32_t length,
                                    const rk_request_options *options, uint32_t *out_request);

/* Forgets a request: done is not called. RK_NOT_FOUND: it has ended, or its end is being
 * reported. */
RK_API rk_status rk_fabric_request_cancel(rk_fabric *fabric, uint32_t request);

/*
 * Sends a request and waits for the reply, which is copied to buffer; *out describes it (topic and
 * envelope included). timeout_ns is from now. RK_RECEIPT_TOO_LONG: the reply is longer than
 * capacity and lost; out->header.length says how long.
 */
RK_API rk_receipt rk_fabric_call(rk_fabric *fabric, uint32_t source, rk_address dest, uint32_t type,
                                 const void *payload, uint32_t length, uint64_t timeout_ns,
                                 rk_mail *out, void *buffer, size_t capacity);

/* Replies to the sender of a request: its address and header.correlation, as delivered. */
RK_API rk_receipt rk_fabric_reply(rk_fabric *fabric, uint32_t source, rk_address to,
                                  uint32_t correlation, uint32_t type, const void *payload,
                                  uint32_t length);

/* Counters of one endpoint, since it was registered. */
typedef struct rk_endpoint_stats {
    uint64_t received[RK_RECEIPT_COUNT]; /* messages to it, by receipt */
    uint64_t received_bytes;             /* payloads delivered */
    uint64_t sent;                       /* messages and publications from it */
    uint64_t lost;                       /* publications of QoS 0 that it could not take */
    uint32_t depth;                      /* messages waiting, when the endpoint can tell */
    uint32_t unacknowledged;             /* publications of QoS 1 and 2 */
    uint32_t subscriptions;
} rk_endpoint_stats;

/* Counters of a fabric, since it was created, and its present sizes. Each is exact; together they
 * are not one instant. */
typedef struct rk_fabric_stats {
    uint64_t receipts[RK_RECEIPT_COUNT]; /* messages, by receipt, forwarded ones included */
    uint64_t delivered_bytes;
    uint64_t envelopes_received; /* over links and across tenants */
    uint64_t forwarded;          /* to a further node */
    uint64_t dead_letters;
    uint64_t discarded; /* undeliverable, and no dead-letter queue */
    uint64_t requests;
    uint64_t replies;
    uint64_t request_timeouts;
    uint64_t late_replies;
    uint64_t publications;
    uint64_t publications_delivered; /* to endpoints, first deliveries */
    uint64_t publications_lost;
    uint64_t redeliveries;
    uint64_t acknowledged;
    uint64_t duplicates_dropped; /* QoS 2 */
    uint64_t retained_refused;   /* over the limits */
    uint64_t retained_bytes;
    uint64_t inflight_bytes;
    uint32_t endpoints;
    uint32_t owners; /* whose epochs are remembered */
    uint32_t requests_outstanding;
    uint32_t subscriptions;
    uint32_t retained;
    uint32_t inflight; /* unacknowledged, all subscribers */
} rk_fabric_stats;

RK_API void rk_fabric_stats_get(rk_fabric *fabric, rk_fabric_stats *out);

/* RK_NOT_FOUND */
RK_API rk_status rk_endpoint_stats_get(rk_fabric *fabric, uint32_t id, rk_endpoint_stats *out);

#ifdef __cplusplus
}
#endif
#endif
