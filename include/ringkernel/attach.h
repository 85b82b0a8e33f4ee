/*
 * attach.h: kernels as endpoints of a fabric.
 *
 * An attached kernel receives what is sent to its endpoint, and what it emits is forwarded by
 * rules. The endpoint has the kernel's tenant. Attachments of actors are in attach_actors.h.
 *
 * In. A message goes into the kernel's ring without waiting: RK_RECEIPT_QUEUE_FULL when there is no
 * room, RK_RECEIPT_TOO_LONG when there never will be, RK_RECEIPT_CLOSED once it has ended. A kernel
 * that is parked, or not started yet, takes messages as far as its ring goes and handles them when
 * it runs. Publications of QoS 1 and 2 are acknowledged when the handler has returned; one that the
 * kernel still has is not handed over a second time, one that it lost with its state is.
 *
 * Out. rk_emit_reply answers the request that the handler was given. What rk_emit emits goes where
 * the rules send its type: each rule of that type, else each rule of type 0, else it is a dead
 * letter (no-target).
 *
 * Ends. When the kernel has ended for good, what it had emitted is forwarded, the endpoint is
 * unregistered, requests that it has not answered end with RK_RECEIPT_CLOSED, and messages that it
 * had not handled become dead letters (destroyed). A restart by the kernel's own policy keeps the
 * endpoint; requests and messages that the old state had taken end in the same way.
 *
 * Threads: any. Each attachment has a thread that acknowledges and forwards, and sleeps otherwise;
 * callbacks of the fabric run in it and must neither detach nor destroy a kernel.
 */
#ifndef RINGKERNEL_ATTACH_H
#define RINGKERNEL_ATTACH_H

#include <ringkernel/fabric.h>
#include <ringkernel/resident.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rk_attachment rk_attachment;

/* Where emitted messages of a type go: to an endpoint of the same tenant, or under a topic. */
typedef struct rk_attach_rule {
    uint32_t type;        /* 0: every type without a rule of its own */
    const char *endpoint; /* name; looked up for each message */
    const char *topic;    /* exactly one of the two is set */
    uint32_t qos;         /* of the publication, 0 to 2 */
    bool retain;          /* keep it as the topic's retained publication */
} rk_attach_rule;

typedef struct rk_attach_subscription {
    const char *pattern;
    uint32_t max_qos;
} rk_attach_subscription;

/* A zero in a number means its default. Everything is copied. */
typedef struct rk_attach_options {
    const char *name; /* of the endpoint; NULL: the kernel's */
    uint64_t epoch;   /* of the owner; 0: the fabric's */
    const rk_attach_rule *rules;
    size_t rule_count;
    const rk_attach_subscription *subscriptions;
    size_t subscription_count;
    uint32_t
        request_limit; /* requests that the kernel may owe an answer; default 1024, most 65535 */
} rk_attach_options;

/*
 * Attaches a kernel, in any state but ended. The caller detaches before the fabric is destroyed;
 * the kernel may go first. While attached, rk_kernel_receive finds nothing.
 * RK_EXISTS (attached already, or the name is taken), RK_INVALID (a rule), RK_CLOSED (ended),
 * RK_SYNTAX (topic or pattern), RK_LIMIT, RK_NO_MEMORY.
 */
RK_API rk_status rk_fabric_attach_kernel(rk_fabric *fabric, rk_kernel *kernel,
                                         const rk_attach_options *options,
                                         rk_attachment **out_attachment, rk_err *err);

/*
 * Forwards what the kernel has emitted so far, unregisters the endpoint, ends open requests with
 * RK_RECEIPT_CLOSED, and frees. The kernel stays; messages in its ring are still handled. NULL is
 * allowed. Blocks.
 */
RK_API void rk_fabric_detach(rk_attachment *attachment);

/* The id of the endpoint; for rk_fabric_subscribe and rk_endpoint_stats_get. */
RK_API uint32_t rk_attachment_endpoint(const rk_attachment *attachment);

typedef struct rk_attachment_stats {
    uint64_t taken;         /* messages put into the kernel's ring */
    uint64_t applied;       /* handled by it */
    uint64_t lost;          /* not handled when it ended or restarted */
    uint64_t repeated;      /* redeliveries of what the kernel still had, left out */
    uint64_t emitted;       /* messages taken from it */
    uint64_t forwarded;     /* sent, published or replied, per rule */
    uint64_t refused;       /* that nobody took: dead letters */
    uint32_t waiting;       /* in the ring */
    uint32_t requests_open; /* not answered yet */
    bool ended;             /* the kernel has ended and the endpoint is gone */
} rk_attachment_stats;

RK_API void rk_attachment_stats_get(rk_attachment *attachment, rk_attachment_stats *out);

/*
 * Sends a dead letter again, to whoever has the name now: for letters of an endpoint that is gone.
 * An rk_deadletter_send; the context is an rk_replay_target. Errors as of rk_fabric_replay.
 */
typedef struct rk_replay_target {
    rk_fabric *fabric;
    const char *name; /* in the letter's tenant */
} rk_replay_target;

RK_API rk_status rk_fabric_replay_to(void *target, const struct rk_deadletter *letter);

#ifdef __cplusplus
}
#endif
#endif
