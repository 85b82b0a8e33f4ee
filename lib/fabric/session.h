/*
 * session.h: publications of QoS 1 and 2 on their way to one subscriber.
 *
 * A publication is one copy of the message that all its subscribers share. A session is a window of
 * tokens [base, next): each is queued (not taken yet), sending (being handed over by one thread),
 * sent (unacknowledged) or free. Tokens below `unsent` have been handed over at least once;
 * handing over happens in order, by one thread at a time (`pumping`).
 *
 *   queued --> sending --> sent --acknowledge--> free
 *      ^----------'  ^------'  too late
 *   any of them --retries or time over, subscriber gone--> free, dead letter
 */
#ifndef RK_FABRIC_SESSION_H
#define RK_FABRIC_SESSION_H

#include "base/compiler.h"
#include "base/thread.h"
#include "fabric/deadlines.h"
#include <ringkernel/pubsub.h>

struct rk_endpoint;

typedef struct rk_publication {
    _Atomic uint32_t refs;
    _Atomic uint32_t waiting; /* sessions that have not finished with it, plus the publisher */
    rk_address source;
    uint32_t tenant;
    uint32_t qos;
    rk_msg_header header;
    uint64_t publish_id;
    uint64_t deadline_us;
    uint64_t bytes;
    const char *topic; /* behind the payload */
    alignas(16) unsigned char payload[];
} rk_publication;

/* A copy of a delivery with one reference and one wait, both the caller's; NULL: out of memory. It
 * counts as bytes in flight until nobody waits. */
rk_publication *rk_publication_create(rk_fabric *fabric, const rk_delivery *delivery, uint32_t qos,
                                      uint64_t publish_id);
void rk_publication_ref(rk_publication *publication);
void rk_publication_unref(rk_publication *publication);

/* One of those that wait is done with it; the last one reports RK_FABRIC_COMPLETED,
 * unless it was made with QoS 0. */
void rk_publication_done(rk_fabric *fabric, rk_publication *publication);

/* What a delivery of the publication looks like. */
rk_delivery rk_publication_delivery(const rk_publication *publication, uint32_t dest);

typedef struct rk_session rk_session;

/* NULL: out of memory. */
rk_session *rk_session_create(uint32_t endpoint);

/* What is left becomes dead letters. Nobody is inside the endpoint. NULL is allowed. */
void rk_session_destroy(rk_fabric *fabric, struct rk_endpoint *endpoint, rk_session *session);

/*
 * Queues a publication (the session takes its own reference and wait) and hands over what can be.
 * The endpoint is entered. RK_OK: *out_delivered tells if it was handed over in this call.
 * RK_LIMIT: the window is full.
 */
rk_status rk_session_publish(rk_fabric *fabric, struct rk_endpoint *endpoint,
                             rk_publication *publication, uint32_t qos, bool retained,
                             bool *out_delivered);

/* Delivers again what was not acknowledged in time. The endpoint is entered. */
void rk_session_retry(rk_fabric *fabric, struct rk_endpoint *endpoint);

/* As rk_fabric_acknowledge. The endpoint is entered. */
rk_status rk_session_acknowledge(rk_fabric *fabric, struct rk_endpoint *endpoint, uint32_t token);

/* Publications not acknowledged. */
uint32_t rk_session_outstanding(rk_session *session);

#endif
