/*
 * fabric.h: the broker through which kernels, actors and host threads reach each other.
 *
 * A fabric belongs to one node. Whoever wants to receive registers an endpoint with a table of
 * operations; whoever sends names the destination by address or by name and gets a receipt. Linked
 * fabrics forward to each other. Publish/subscribe is in pubsub.h, mailboxes of host threads in
 * mailbox.h, requests with replies in request.h.
 *
 * Tenants. Every endpoint has a tenant; the sender's tenant travels with the message. A message is
 * delivered only to an endpoint of the same tenant; anything else is refused with
 * RK_RECEIPT_TENANT and reported to the audit callback. Tenant 0 means "unspecified" and talks to
 * tenant 0 only, unless RK_FABRIC_OPEN_TENANT_ZERO is set: then endpoints of tenant 0 may send to
 * and receive from every tenant. Names are unique per tenant; topics of one tenant are invisible to
 * every other one, tenant 0 included, whatever the option says.
 *
 * Headers. Within one tenant and one fabric a message has the compact header. When it crosses a
 * tenant or a link, or when the sender asks for it, it has the full envelope, whose checksums are
 * computed by the sender's fabric and checked before delivery. An envelope with an older epoch than
 * the newest known of its owner (source node and source endpoint) gets RK_RECEIPT_STALE.
 *
 * Failures. A message that cannot be delivered gets a receipt that says why, is counted, and is
 * kept in the dead-letter queue of the fabric that gave up, unless RK_SEND_KEEP says that the
 * sender looks after it. Without a dead-letter queue it is counted as discarded. Source and
 * destination of a letter are node << 32 | endpoint; its header is the envelope, or the topic of a
 * publication with its NUL, or nothing. What is refused before it is accepted at all (invalid
 * arguments, too long, no such source) is counted and stays with the caller.
 *
 * Threads: every function may be called from any thread, unless it says otherwise. Callbacks run in
 * the calling thread without any lock of the fabric held. Sending within one fabric and tenant
 * does not allocate and does not lock; the destination's delivery may.
 */
#ifndef RINGKERNEL_FABRIC_H
#define RINGKERNEL_FABRIC_H

#include <ringkernel/abi/message.h>
#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_FABRIC_NAME_MAX_BYTES 127
#define RK_FABRIC_MAX_ENDPOINTS 65535u /* the compact header names a source in 16 bits */
#define RK_FABRIC_MAX_HOPS 8u

typedef struct rk_fabric rk_fabric;
struct rk_deadletter;
struct rk_deadletter_queue;

/* X(symbol, text, status). Counted per endpoint and in total. */
#define RK_RECEIPT_LIST(X)                                                                         \
    X(DELIVERED, "delivered", OK)                                                                  \
    X(PENDING, "handed to a link that answers later", OK)                                          \
    X(QUEUE_FULL, "queue full", FULL)                                                              \
    X(NOT_FOUND, "no such endpoint", NOT_FOUND)                                                    \
    X(TIMEOUT, "deadline passed", TIMEOUT)                                                         \
    X(TENANT, "tenant mismatch", TENANT)                                                           \
    X(HOPS, "too many hops", HOPS)                                                                 \
    X(CLOSED, "endpoint closed", CLOSED)                                                           \
    X(STALE, "older than the newest known epoch of its owner", STALE)                              \
    X(DAMAGED, "envelope or payload damaged", CORRUPT)                                             \
    X(SKEW, "clock of the sender too far ahead", SKEW)                                             \
    X(TOO_LONG, "payload too long", LIMIT)                                                         \
    X(REFUSED, "refused by the endpoint", STATE)                                                   \
    X(LIMIT, "a limit of the fabric is reached", LIMIT)                                            \
    X(INVALID, "invalid argument", INVALID)

typedef enum rk_receipt {
#define RK_RECEIPT_ENUM(symbol, text, status) RK_RECEIPT_##symbol,
    RK_RECEIPT_LIST(RK_RECEIPT_ENUM)
#undef RK_RECEIPT_ENUM
        RK_RECEIPT_COUNT
} rk_receipt;

RK_API const char *rk_receipt_text(rk_receipt receipt);
RK_API rk_status rk_receipt_status(rk_receipt receipt);

/*
 * Where a message goes. node 0 means "this node" wherever an address is passed in. An endpoint id
 * is its index (low 16 bits, never 0) and a generation that differs from earlier users of the
 * index.
 */
typedef struct rk_address {
    uint32_t node;
    uint32_t endpoint;
} rk_address;

/* A message on its way into an endpoint. Everything is borrowed for the time of the call. */
typedef struct rk_delivery {
    rk_msg_header header;        /* source: index of the sending endpoint */
    const void *payload;         /* header.length bytes; NULL only when there are none */
    rk_address source;           /* the full address of the sender; endpoint 0: no endpoint */
    uint32_t dest;               /* the receiving endpoint */
    uint32_t tenant;             /* of the sender */
    const rk_envelope *envelope; /* NULL: compact header only */
    const char *topic;           /* NULL: not a publication */
    uint64_t deadline_us;        /* UTC, microseconds since 1970; 0: none */
    uint64_t wait_until_ns; /* monotonic: how long delivery may wait for room; 0: must not wait */
} rk_delivery;

/*
 * What an endpoint can do. deliver takes the message (copies what it keeps) and returns
 * RK_RECEIPT_DELIVERED, or says why not. It runs in the sender's thread, several at a time when
 * several threads send, and may call the fabric, except that it must not unregister its own
 * endpoint.
 */
typedef struct rk_endpoint_ops {
    rk_receipt (*deliver)(void *context, const rk_delivery *delivery);
    uint32_t (*depth)(void *context); /* messages waiting, for statistics; may be NULL */
} rk_endpoint_ops;

typedef enum rk_fabric_event_kind {
    RK_FABRIC_REFUSED,           /* a message got a receipt other than delivered or pending */
    RK_FABRIC_REGISTERED,        /* an endpoint came */
    RK_FABRIC_UNREGISTERED,      /* and went */
    RK_FABRIC_REDELIVERED,       /* QoS 1 or 2: delivered again, unacknowledged in time */
    RK_FABRIC_DUPLICATE_DROPPED, /* QoS 2: seen before, not delivered again */
    RK_FABRIC_COMPLETED,         /* QoS 1 or 2: every subscriber has acknowledged; id: publish id */
    RK_FABRIC_EXPIRED_REPLY,     /* a reply without an outstanding request */
    RK_FABRIC_FENCED,            /* the newest known epoch of an owner rose */
} rk_fabric_event_kind;

typedef struct rk_fabric_event {
    rk_fabric_event_kind kind;
    rk_receipt receipt;
    rk_address source;
    rk_address dest;
    uint32_t source_tenant;
    uint32_t dest_tenant; /* 0 when the destination is not known here */
    uint32_t type;
    uint64_t id; /* of the message; of the epoch for RK_FABRIC_FENCED */
} rk_fabric_event;

typedef void rk_fabric_observer(void *context, const rk_fabric_event *event);

#define RK_FABRIC_OPEN_TENANT_ZERO 0x1u /* see above */
#define RK_FABRIC_TIMER_THREAD 0x2u /* a thread of the fabric's own calls rk_fabric_poll in time */

/* A zero in a number means its default. */
typedef struct rk_fabric_options {
    uint32_t node;                 /* of this fabric; default 1 */
    uint32_t flags;                /* RK_FABRIC_* */
    uint64_t epoch;                /* of this node as an owner; default 1 */
    uint32_t endpoint_limit;       /* default and most: RK_FABRIC_MAX_ENDPOINTS */
    uint32_t payload_limit_bytes;  /* default 16 MiB */
    uint32_t owner_limit;          /* owners whose epochs are remembered; default 65536 */
    uint32_t request_limit;        /* requests outstanding; default 16384, most 65535 */
    uint32_t subscription_limit;   /* default 1048576 */
    uint32_t retained_limit;       /* retained topics; default 65536 */
    uint64_t retained_limit_bytes; /* topics and payloads; default 64 MiB */
    uint32_t inflight_limit;       /* unacknowledged publications per subscriber; default 1024,
                                most 1048576 */
    uint64_t inflight_limit_bytes; /* of all of them; default 256 MiB */
    uint64_t retry_after_ns;       /* until an unacknowledged publication goes again; default 1 s */
    uint32_t retry_limit; /* deliveries tried before it becomes a dead letter; default 16 */
    struct rk_deadletter_queue *dead_letters; /* borrowed; outlives the fabric; may be NULL */
    rk_fabric_observer *observer;             /* may be NULL */
    rk_fabric_observer *audit;                /* tenant violations only; may be NULL */
    void *callback_context;                   /* for both */
} rk_fabric_options;

/* options may be NULL. Caller destroys. */
RK_API rk_status rk_fabric_create(const rk_fabric_options *options, rk_fabric **out, rk_err *err);

/*
 * Unregisters what is left; open requests end with RK_RECEIPT_CLOSED. No other thread may be inside
 * the fabric; links to it have been removed and its mailboxes destroyed. NULL is allowed.
 */
RK_API void rk_fabric_destroy(rk_fabric *fabric);

RK_API uint32_t rk_fabric_node(const rk_fabric *fabric);

/*
 * Does what time demands: ends requests whose deadline has passed, delivers unacknowledged
 * publications again. Returns when it wants to be called next (monotonic ns, UINT64_MAX: nothing
 * is waiting).
 */
RK_API uint64_t rk_fabric_poll(rk_fabric *fabric);

typedef struct rk_endpoint_options {
    const char *name; /* unique per tenant; NULL: reachable by id only */
    uint32_t tenant;
    uint64_t epoch; /* of the owner of this endpoint; 0: the fabric's */
} rk_endpoint_options;

/*
 * Registers an endpoint; ops and context stay the caller's and must outlive it.
 * RK_EXISTS (name taken), RK_LIMIT (too many), RK_INVALID.
 */
RK_API rk_status rk_endpoint_register(rk_fabric *fabric, const rk_endpoint_options *options,
                                      const rk_endpoint_ops *ops, void *context, uint32_t *out_id,
                                      rk_err *err);

/*
 * Takes the endpoint out: later messages get RK_RECEIPT_CLOSED; subscriptions end, unacknowledged
 * publications become dead letters. Waits until running deliveries have returned; after that ops is
 * not called again. RK_NOT_FOUND.
 */
RK_API rk_status rk_endpoint_unregister(rk_fabric *fabric, uint32_t id);

/* The id of a name. RK_NOT_FOUND. */
RK_API rk_status rk_endpoint_find(rk_fabric *fabric, uint32_t tenant, const char *name,
                                  uint32_t *out_id);

#define RK_SEND_KEEP 0x1u /* a refused message stays with the sender: no dead letter */
#define RK_SEND_FULL 0x2u /* full envelope even inside a tenant */

typedef struct rk_send_options {
    uint64_t id; /* 0: the next number of the source */
    uint32_t correlation;
    uint16_t flags;         /* RK_MSG_REPLY, RK_MSG_ENCRYPTED or 0 */
    int8_t priority;        /* against normal: -3 lowest, 0 normal, 4 highest */
    uint32_t send_flags;    /* RK_SEND_* */
    uint64_t deadline_us;   /* UTC; a message that is late becomes a dead letter; 0: none */
    uint64_t wait_until_ns; /* monotonic: how long to wait for room; 0: not at all */
    /* Trace context, tracestate handle, audit tag, nonce and tag are taken from here into the full
     * envelope, which is then always used. May be NULL. */
    const rk_envelope *context;
} rk_send_options;

/*
 * Sends. source: the id of the sending endpoint, or 0 for a sender without one, of tenant 0.
 * type: RK_MSG_TYPE_USER and above. options may be NULL. The payload is borrowed for the call.
 */
RK_API rk_receipt rk_fabric_send(rk_fabric *fabric, uint32_t source, rk_address dest, uint32_t type,
                                 const void *payload, uint32_t length,
                                 const rk_send_options *options);

/* Sends to the endpoint of this name in the source's tenant, on this node. */
RK_API rk_receipt rk_fabric_send_name(rk_fabric *fabric, uint32_t source, const char *name,
                                      uint32_t type, const void *payload, uint32_t length,
                                      const rk_send_options *options);

/*
 * Sends a dead letter again, to the endpoint that did not get it, under the tenant it had; as an
 * rk_deadletter_send with the fabric as context. A refusal makes no second letter.
 */
RK_API rk_status rk_fabric_replay(void *fabric, const struct rk_deadletter *letter);

#ifdef __cplusplus
}
#endif
#endif
