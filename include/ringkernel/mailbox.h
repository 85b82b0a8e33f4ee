/*
 * mailbox.h: an endpoint of a fabric from which host threads receive.
 *
 * A mailbox is a bounded queue of copied messages. Any number of threads may send to it and receive
 * from it. Delivery takes one short lock and does not allocate. When it is full, a sender that may
 * wait (rk_send_options.wait_until_ns) waits for room, every other one gets RK_RECEIPT_QUEUE_FULL.
 * Publications of QoS 1 and 2 are acknowledged by receiving them; a QoS 2 publication that
 * arrives a second time is left out.
 */
#ifndef RINGKERNEL_MAILBOX_H
#define RINGKERNEL_MAILBOX_H

#include <ringkernel/fabric.h>
#include <ringkernel/pubsub.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rk_mailbox rk_mailbox;

#define RK_MAILBOX_MANUAL_ACK 0x1u /* the receiver calls rk_fabric_acknowledge itself */

/* A zero in a number means its default. */
typedef struct rk_mailbox_options {
    const char *name;
    uint32_t tenant;
    uint64_t epoch;
    uint32_t flags;          /* RK_MAILBOX_* */
    uint32_t message_limit;  /* default 1024 */
    uint32_t capacity_bytes; /* of payloads, headers and topics; default 256 KiB, rounded up to a
                                power of two. A message may take half of it at most. */
} rk_mailbox_options;

/* A received message. */
typedef struct rk_mail {
    rk_msg_header header; /* length: of the payload */
    rk_address source;
    uint32_t tenant; /* of the sender */
    uint64_t deadline_us;
    bool has_envelope;
    rk_envelope envelope;               /* set only if has_envelope */
    char topic[RK_TOPIC_MAX_BYTES + 1]; /* empty: not a publication */
} rk_mail;

/* options may be NULL. Caller destroys, before the fabric. */
RK_API rk_status rk_mailbox_create(rk_fabric *fabric, const rk_mailbox_options *options,
                                   rk_mailbox **out, rk_err *err);

/* Unregisters; messages not received become dead letters. No thread may be receiving. NULL is
 * allowed. */
RK_API void rk_mailbox_destroy(rk_mailbox *mailbox);

/* The id of the endpoint. */
RK_API uint32_t rk_mailbox_endpoint(const rk_mailbox *mailbox);

/* Refuses further messages and wakes all waiting threads; what is there can be received. */
RK_API void rk_mailbox_close(rk_mailbox *mailbox);

/*
 * Takes the oldest message. Waits for one until deadline_ns (monotonic; 0: does not wait,
 * UINT64_MAX: for ever). The payload is copied to buffer.
 *   RK_OK
 *   RK_EMPTY    nothing there and deadline_ns is 0
 *   RK_TIMEOUT  nothing came in time
 *   RK_CLOSED   closed, and empty
 *   RK_LIMIT    the payload is longer than capacity: *out is set, the message stays
 * A message whose own deadline has passed becomes a dead letter instead of being returned.
 */
RK_API rk_status rk_mailbox_receive(rk_mailbox *mailbox, rk_mail *out, void *buffer,
                                    size_t capacity, uint64_t deadline_ns);

/* Messages waiting. */
RK_API uint32_t rk_mailbox_depth(const rk_mailbox *mailbox);

#ifdef __cplusplus
}
#endif
#endif
