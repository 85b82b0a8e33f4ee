/*
 * attach_actors.h: named actors as endpoints of a fabric.
 *
 * What is sent or published to the endpoint of a name goes to the actor that has the name at that
 * moment, with type, payload, priority and deadline; `from` is RK_ACTOR_NONE. Publications of QoS 1
 * and 2 are acknowledged when they lie in the actor's mailbox. Receipts: RK_RECEIPT_CLOSED when no
 * actor has the name, or it is draining; RK_RECEIPT_QUEUE_FULL and RK_RECEIPT_TIMEOUT by the policy
 * of its mailbox, which may make the sender wait (RK_ACTOR_FULL_BLOCK). Requests are refused with
 * RK_RECEIPT_REFUSED: an actor has no way to answer them.
 *
 * A handler sends with the functions of fabric.h and pubsub.h, with its endpoint as the source;
 * they do not block as long as wait_until_ns is 0.
 */
#ifndef RINGKERNEL_ATTACH_ACTORS_H
#define RINGKERNEL_ATTACH_ACTORS_H

#include <ringkernel/actor_system.h>
#include <ringkernel/fabric.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rk_actor_attachment rk_actor_attachment;

/*
 * Registers one endpoint for each name of the system that matches the pattern now (a name without
 * wildcards matches itself), in this tenant. The caller detaches before the system or the fabric is
 * destroyed. RK_NOT_FOUND (no name matches), RK_INVALID (pattern), RK_EXISTS (an endpoint of that
 * name), RK_LIMIT, RK_NO_MEMORY.
 */
RK_API rk_status rk_fabric_attach_actors(rk_fabric *fabric, rk_actor_system *system,
                                         const char *pattern, uint32_t tenant,
                                         rk_actor_attachment **out_attachment, rk_err *err);

/* Unregisters the endpoints. Not from a handler or a callback of the fabric. NULL is allowed. */
RK_API void rk_fabric_detach_actors(rk_actor_attachment *attachment);

/* The id of a name's endpoint, for subscribing and as a source; 0: not attached. */
RK_API uint32_t rk_actor_attachment_endpoint(const rk_actor_attachment *attachment,
                                             const char *name);

#ifdef __cplusplus
}
#endif
#endif
