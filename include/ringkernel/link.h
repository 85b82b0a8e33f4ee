/*
 * link.h: fabrics that forward to each other.
 *
 * A link is an endpoint whose delivery hands the sealed envelope and the payload to a transport;
 * the other side gives what arrives to rk_fabric_receive. Every link that a message passes counts
 * as one hop; a message that would need more than RK_FABRIC_MAX_HOPS is refused with
 * RK_RECEIPT_HOPS, so a routing loop ends.
 *
 * A fabric believes the source, tenant and epoch of an envelope that a link brings: a transport
 * must know whom it talks to.
 */
#ifndef RINGKERNEL_LINK_H
#define RINGKERNEL_LINK_H

#include <ringkernel/fabric.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rk_link_ops {
    /*
     * Transmits envelope->length payload bytes behind the envelope; both are borrowed. Returns the
     * peer's receipt, or RK_RECEIPT_PENDING when it is not known yet, or why nothing was sent.
     * *out_taken: the peer has the message and answers for it; otherwise it is this fabric's dead
     * letter when the receipt is a refusal.
     */
    rk_receipt (*transmit)(void *context, const rk_envelope *envelope, const void *payload,
                           bool *out_taken);
} rk_link_ops;

/* Registers a link; ops and context outlive it. The statistics of the id count what it transmitted,
 * by receipt, and what it brought and was refused. RK_EXISTS (name), RK_LIMIT. */
RK_API rk_status rk_link_create(rk_fabric *fabric, const char *name, const rk_link_ops *ops,
                                void *context, uint32_t *out_link, rk_err *err);

/* Removes the link and its routes; waits for running transmissions. RK_NOT_FOUND. */
RK_API rk_status rk_link_remove(rk_fabric *fabric, uint32_t link);

/* Messages for `node` go over this link; node 0: for every node without a route of its own. A later
 * call replaces an earlier one. RK_NOT_FOUND (link), RK_INVALID (own node), RK_NO_MEMORY. */
RK_API rk_status rk_fabric_route(rk_fabric *fabric, uint32_t node, uint32_t link, rk_err *err);

/*
 * Takes what a link brought: an envelope and the payload behind it, of any content. link: from
 * where, for the counters; 0: unknown. Delivers or forwards. A damaged message is refused before
 * anything in it is used.
 */
RK_API rk_receipt rk_fabric_receive(rk_fabric *fabric, uint32_t link, const void *envelope,
                                    size_t envelope_bytes, const void *payload,
                                    size_t payload_bytes);

/* Links two fabrics of this process in both directions, and routes each other's nodes over it. The
 * ids may be NULL. Both links are removed before either fabric is destroyed. */
RK_API rk_status rk_fabric_join(rk_fabric *a, rk_fabric *b, uint32_t *out_link_of_a,
                                uint32_t *out_link_of_b, rk_err *err);

/*
 * Refuses, from now on, what an owner sends with an epoch below `epoch`. endpoint 0: whatever the
 * node sends. Epochs also rise by themselves with every envelope received, and never fall. Owners
 * above the epoch of their node are remembered one by one, up to owner_limit; beyond it they are
 * refused. A transport that fences the peer's node with the peer's epoch at the start keeps the
 * table small; rk_fabric_join does. RK_LIMIT.
 */
RK_API rk_status rk_fabric_fence(rk_fabric *fabric, rk_address owner, uint64_t epoch);

/* Forgets the epochs of a node's endpoints (the node's own stays) to make room: for a node that is
 * gone. Returns how many. */
RK_API uint32_t rk_fabric_forget(rk_fabric *fabric, uint32_t node);

#ifdef __cplusplus
}
#endif
#endif
