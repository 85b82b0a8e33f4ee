/*
 * attach.h: what the files of an attached kernel share. The contract is in ringkernel/attach.h.
 *
 * Invariants
 *   1. Every message in the kernel's ring has a record. The kernel's port gives it back once
 *      (attachment_done); the pump then acknowledges it, or buries it, and frees it.
 *   2. `lock` is the innermost lock but those of the kernel's port: nothing of the kernel or the
 *      fabric is called while it is held.
 *   3. A publication of QoS 1 or 2 is in `tokens` from before it enters the ring until its
 *      acknowledgement has returned and a later one has been delivered: the session delivers one at
 *      a time, so a second copy always finds the first one's record.
 *   4. `life` counts the states that the kernel has lost; a request of an earlier life will not be
 *      answered any more.
 */
#ifndef RK_FABRIC_ATTACH_H
#define RK_FABRIC_ATTACH_H

#include "base/map.h"
#include "base/thread.h"
#include "fabric/broker.h"
#include "runtime/port.h"
#include <ringkernel/attach.h>

/* A message on its way through the kernel. */
typedef struct rk_attach_record {
    struct rk_attach_record *next;
    struct rk_attach_record *previous; /* in `waiting` only */
    uint32_t token;                    /* of a publication of QoS 1 or 2, else 0 */
    rk_status status;
    /* For the dead letter; only when it is no publication. */
    bool kept;
    bool has_envelope;
    rk_delivery delivery;
    rk_envelope envelope;
    uint8_t payload[];
} rk_attach_record;

/* A request that the kernel has not answered. */
typedef struct rk_attach_asked {
    rk_address source;
    uint32_t number; /* the fabric's */
    uint32_t generation;
    uint64_t life;
    uint64_t deadline_us;
    uint32_t next_free;
    bool open;
} rk_attach_asked;

struct rk_attachment {
    rk_fabric *fabric;
    rk_kernel *kernel; /* NULL once it is destroyed */
    uint32_t endpoint;
    uint32_t tenant;
    rk_attach_rule *rules; /* strings owned */
    size_t rule_count;
    uint64_t publish_id; /* of the pump */
    rk_thread pump;
    _Atomic bool stop;

    rk_mutex lock;
    rk_attach_record *waiting;   /* in the ring */
    rk_attach_record *completed; /* told by the port, oldest first */
    rk_attach_record *completed_last;
    rk_attach_record *acknowledged; /* see invariant 3 */
    rk_map tokens;
    uint64_t life;
    rk_attach_asked *asked; /* place 0 is not used */
    uint32_t asked_limit;
    uint32_t asked_fresh;
    uint32_t asked_free;
    rk_attachment_stats stats;
};

/* attach.c */

rk_receipt rk_attach_deliver(void *context, const rk_delivery *delivery);
uint32_t rk_attach_depth(void *context);
extern const rk_port_ops rk_attach_port_ops;

/* attach_pump.c */

/* The thread. */
void rk_attach_pump(void *attachment);
/* Gives up requests of earlier lives than `life`. */
void rk_attach_fail_requests(rk_attachment *attachment, uint64_t life);

/* attach_rules.c */

rk_status rk_attach_rules_copy(rk_attachment *attachment, const rk_attach_options *options,
                               rk_err *err);
void rk_attach_rules_free(rk_attachment *attachment);
/* Sends an emitted message on its way. */
void rk_attach_forward(rk_attachment *attachment, const rk_emitted *message);

/* attach_asked.c; the lock is held. */

/* Notes a request; returns its correlation for the kernel, or 0 when there are too many. */
uint32_t rk_attach_asked_open(rk_attachment *attachment, const rk_delivery *request);
/* Ends it: false if it is not open. */
bool rk_attach_asked_close(rk_attachment *attachment, uint32_t correlation, rk_attach_asked *out);
/* Ends any one of an earlier life; false when there is none. */
bool rk_attach_asked_take(rk_attachment *attachment, uint64_t life, rk_attach_asked *out);

#endif
