/*
 * requests.h: the requests that wait for a reply.
 *
 * An entry is open (waiting), busy (its end is being reported, by one thread) or free. The number
 * of a request is its place in the table and a generation, so a late reply never meets a later
 * request.
 *
 *   free --begin--> open --reply--> busy --taken--> free
 *                    |  ^------------'  refused by the requester's endpoint: waits on
 *                    '--timeout, cancel, end of the source--> free
 */
#ifndef RK_FABRIC_REQUESTS_H
#define RK_FABRIC_REQUESTS_H

#include "base/thread.h"
#include "fabric/deadlines.h"
#include <ringkernel/request.h>

typedef enum rk_request_state {
    RK_REQUEST_FREE = 0,
    RK_REQUEST_OPEN = 1,
    RK_REQUEST_BUSY = 2,
} rk_request_state;

typedef struct rk_request {
    rk_deadline deadline;
    rk_request_state state;
    uint32_t generation;
    uint32_t source;      /* endpoint id; 0: the host */
    uint32_t correlation; /* the source's own */
    uint32_t next_free;
    rk_address dest;
    uint32_t tenant;
    uint32_t type;
    rk_reply_fn *done;
    void *context;
} rk_request;

typedef struct rk_requests {
    rk_mutex lock;
    rk_request *table; /* made at the first request; place 0 is not used */
    uint32_t limit;
    uint32_t fresh; /* first place never used */
    uint32_t free_first, free_last;
    uint32_t open_count;
} rk_requests;

void rk_requests_init(rk_requests *requests, uint32_t limit);

/* No request is open any more. */
void rk_requests_finish(rk_requests *requests);

/* A reply has come for an endpoint that is entered (NULL: the host). Ends the request that it
 * belongs to; RK_RECEIPT_TIMEOUT when there is none. */
struct rk_endpoint;
rk_receipt rk_requests_reply(rk_fabric *fabric, struct rk_endpoint *endpoint,
                             const rk_delivery *reply);

/* The deadline of a request has come. */
void rk_requests_expire(rk_fabric *fabric, uint32_t request);

/* Ends a request of this source (endpoint id, 0: the host) if it is open: nobody will answer it. */
void rk_requests_fail(rk_fabric *fabric, uint32_t source, uint32_t request, rk_receipt receipt);

/* Ends all requests of a source with RK_RECEIPT_CLOSED. */
void rk_requests_end(rk_fabric *fabric, uint32_t source);

#endif
