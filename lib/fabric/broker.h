/*
 * broker.h: what the files of lib/fabric share.
 *
 * Invariants
 *   1. An endpoint's slot stays at its address until the fabric is destroyed. Its gate holds the
 *      generation, whether it is open, and how many deliveries are inside; who has entered an open
 *      gate (rk_broker_enter) may use ops, context and session until rk_broker_leave.
 *   2. Unregistering closes the gate, waits until nobody is inside, and only then frees.
 *   3. Locks: registry, pubsub, session, requests, owners, in this order, each may be followed by
 *      the lock of the deadlines; none is held during a callback (deliver, done, observer,
 *      transmit).
 *   4. Every message that is refused goes through rk_broker_give_up exactly once, in the fabric
 *      that refused it.
 */
#ifndef RK_FABRIC_BROKER_H
#define RK_FABRIC_BROKER_H

#include "base/compiler.h"
#include "base/map.h"
#include "base/thread.h"
#include "core/hlc.h"
#include "fabric/deadlines.h"
#include "fabric/pubsub.h"
#include "fabric/requests.h"
#include <ringkernel/deadletter.h>
#include <ringkernel/link.h>

#define RK_BROKER_PAGE_ENDPOINTS 256u
#define RK_BROKER_PAGES 256u

/* Kinds of deadlines. */
#define RK_BROKER_DUE_REQUEST 1u
#define RK_BROKER_DUE_SESSION 2u

typedef struct rk_link {
    const rk_link_ops *ops;
    void *context;
} rk_link;

struct rk_session;

/* One slot. Slot 0 is the host without an endpoint: always open, tenant 0, cannot receive. */
typedef struct rk_endpoint {
    alignas(RK_CACHE_LINE) _Atomic uint64_t gate; /* see endpoint.c */
    const rk_endpoint_ops *ops;
    void *context;
    rk_link *link;                        /* owned; NULL: not a link */
    _Atomic(struct rk_session *) session; /* made on the first subscription above QoS 0 */
    _Atomic uint64_t epoch;
    _Atomic uint32_t tenant;
    uint32_t id;
    uint32_t drained; /* rises when the last delivery leaves a closed gate */
    uint32_t next_free;
    char *name;                       /* owned; under the registry lock */
    struct rk_subscriber *subscriber; /* under the pubsub lock */
    struct rk_publisher *publisher;   /* under the pubsub lock */

    alignas(RK_CACHE_LINE) _Atomic uint64_t received[RK_RECEIPT_COUNT];
    _Atomic uint64_t received_bytes;
    _Atomic uint64_t lost;
    alignas(RK_CACHE_LINE) _Atomic uint64_t sent; /* also the number of the last message */
} rk_endpoint;

/* Counters of the whole fabric besides those of the endpoints. */
typedef struct rk_broker_counters {
    _Atomic uint64_t unrouted[RK_RECEIPT_COUNT]; /* refused before an endpoint was found */
    _Atomic uint64_t envelopes_received;
    _Atomic uint64_t forwarded;
    _Atomic uint64_t dead_letters;
    _Atomic uint64_t discarded;
    _Atomic uint64_t requests;
    _Atomic uint64_t replies;
    _Atomic uint64_t request_timeouts;
    _Atomic uint64_t late_replies;
    _Atomic uint64_t publications;
    _Atomic uint64_t publications_delivered;
    _Atomic uint64_t publications_lost;
    _Atomic uint64_t redeliveries;
    _Atomic uint64_t acknowledged;
    _Atomic uint64_t duplicates_dropped;
    _Atomic uint64_t inflight_bytes;
    _Atomic uint32_t inflight;
} rk_broker_counters;

struct rk_fabric {
    rk_fabric_options options; /* defaults filled in */
    _Atomic(rk_endpoint *) pages[RK_BROKER_PAGES];
    rk_hlc_clock clock;

    rk_mutex registry_lock;         /* guards up to the next blank line */
    rk_smap names;                  /* "tenant/name" to id */
    rk_map routes;                  /* node to link id */
    uint32_t fresh;                 /* first index never used */
    uint32_t free_first, free_last; /* indices to use again, oldest first; 0: none */
    uint32_t endpoint_count;
    uint64_t retired[RK_RECEIPT_COUNT]; /* counters of endpoints that are gone */
    uint64_t retired_bytes;

    rk_mutex owners_lock;
    rk_map owners; /* node and endpoint to the newest epoch known */

    rk_deadlines deadlines;
    rk_requests requests;
    rk_pubsub pubsub;
    rk_broker_counters counters;

    rk_thread timer;
    _Atomic bool timer_stop;
};

/* A sender, as it was at the moment of looking. */
typedef struct rk_sender {
    rk_endpoint *endpoint; /* for counting only */
    uint32_t tenant;
    uint64_t epoch;
} rk_sender;

/* How a message travels, besides what the receiver sees. */
typedef struct rk_carriage {
    rk_address dest; /* node is never 0 */
    uint32_t send_flags;
    uint64_t epoch;
    const rk_envelope *context; /* rk_send_options.context */
    uint32_t hops;              /* passed so far */
} rk_carriage;

RK_INLINE void rk_count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

RK_INLINE uint64_t rk_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* endpoint.c */

rk_status rk_broker_endpoints_init(rk_fabric *fabric);
void rk_broker_endpoints_finish(rk_fabric *fabric);

/* Enters an endpoint, or says why not (RK_RECEIPT_NOT_FOUND, RK_RECEIPT_CLOSED). */
rk_endpoint *rk_broker_enter(rk_fabric *fabric, uint32_t id, rk_receipt *out_why);
void rk_broker_leave(rk_endpoint *endpoint);

/* Tenant and epoch of a sender, without entering it. */
rk_receipt rk_broker_sender(rk_fabric *fabric, uint32_t id, rk_sender *out);

/* As rk_endpoint_register; a link is consumed on success. */
rk_status rk_broker_register(rk_fabric *fabric, const rk_endpoint_options *options,
                             const rk_endpoint_ops *ops, void *context, rk_link *link,
                             uint32_t *out_id, rk_err *err);

/* The slot with this index, whoever uses it; NULL if none ever did. */
rk_endpoint *rk_broker_slot(const rk_fabric *fabric, uint32_t index);

/* route.c */

/* Calls deliver and counts. The caller has entered the endpoint. */
rk_receipt rk_broker_hand(rk_endpoint *endpoint, const rk_delivery *delivery);

/* Delivers here or forwards, and gives up what is refused. */
rk_receipt rk_broker_route(rk_fabric *fabric, rk_delivery *delivery, const rk_carriage *carriage);

/* Fills in a delivery from a sender; checks length, flags and type. */
rk_receipt rk_broker_prepare(rk_fabric *fabric, uint32_t source, uint32_t type, const void *payload,
                             uint32_t length, const rk_send_options *options, rk_delivery *out,
                             rk_carriage *out_carriage);

/* Reports and keeps a message that nobody takes. dest_tenant: 0 when not known. */
void rk_broker_give_up(rk_fabric *fabric, const rk_delivery *delivery, rk_address dest,
                       uint32_t dest_tenant, rk_receipt receipt, uint32_t send_flags);

/* Only the dead letter. */
void rk_broker_dead_letter(rk_fabric *fabric, const rk_delivery *delivery, rk_address dest,
                           rk_deadletter_reason reason);

void rk_broker_event(rk_fabric *fabric, rk_fabric_event_kind kind, const rk_delivery *delivery,
                     rk_address dest, uint32_t dest_tenant, rk_receipt receipt);

/* link.c */

/* Makes the sealed envelope of a delivery. */
void rk_broker_seal(rk_fabric *fabric, const rk_delivery *delivery, const rk_carriage *carriage,
                    rk_envelope *out);

/* Checks an envelope and its payload as a receiver: damage, clock, epoch. */
rk_receipt rk_broker_check(rk_fabric *fabric, const void *envelope, size_t envelope_bytes,
                           const void *payload, size_t payload_bytes, rk_envelope *out);

/* Sends over the link to the destination's node. *out_taken: a refusal is the peer's. */
rk_receipt rk_broker_forward(rk_fabric *fabric, const rk_delivery *delivery,
                             const rk_carriage *carriage, bool *out_taken);

/* Forgets the routes over a link. */
void rk_broker_unroute(rk_fabric *fabric, uint32_t link);

#endif
