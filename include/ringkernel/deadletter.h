/*
 * deadletter.h: the queue of messages that could not be delivered.
 *
 * Whoever gives up on a message (an actor system, a router) adds it here with the reason. People
 * and programs browse the queue, filter it, send letters again and expire old ones. The queue is
 * bounded by count and by bytes: the oldest letter makes room and is counted as evicted.
 *
 * Letters are kept in the order in which they came, under increasing sequence numbers from 1. All
 * functions may be called from any thread. None of them holds a lock while it calls back, so a
 * callback may use the queue.
 */
#ifndef RINGKERNEL_DEADLETTER_H
#define RINGKERNEL_DEADLETTER_H

#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(symbol, value, name). Values and names are stable. */
#define RK_DEADLETTER_REASON_LIST(X)                                                               \
    X(RETRIES, 0, "retries")       /* sent too often without success */                            \
    X(NO_TARGET, 1, "no-target")   /* no such actor or kernel */                                   \
    X(QUEUE_FULL, 2, "queue-full") /* by the policy of the full queue */                           \
    X(EXPIRED, 3, "expired")       /* its deadline passed before it was handled */                 \
    X(DESTROYED, 4, "destroyed")   /* the receiver ended with the message in its queue */          \
    X(REJECTED, 5, "rejected")     /* the receiver, or a rule in between, refused it */            \
    X(TENANT, 6, "tenant")         /* it would have crossed a tenant's border */                   \
    X(HOPS, 7, "hops")             /* it passed too many brokers */

typedef enum rk_deadletter_reason {
#define RK_DEADLETTER_ENUM(symbol, value, name) RK_DEADLETTER_##symbol = (value),
    RK_DEADLETTER_REASON_LIST(RK_DEADLETTER_ENUM)
#undef RK_DEADLETTER_ENUM
} rk_deadletter_reason;

#define RK_DEADLETTER_REASON_COUNT 8

/* "queue-full" and so on; "unknown" for other values. */
RK_API const char *rk_deadletter_reason_name(rk_deadletter_reason reason);

/*
 * A letter. Source and destination are whatever the caller addresses by (an actor id, node and
 * kernel). header is an optional copy of the message's own header (an envelope), kept unread.
 */
typedef struct rk_deadletter {
    uint64_t seq;     /* given by the queue; ignored by add                                  */
    uint64_t time_ns; /* realtime clock, nanoseconds since 1970; add fills in a 0            */
    uint64_t source;
    uint64_t destination;
    rk_deadletter_reason reason;
    uint32_t type;
    uint32_t tenant; /* 0 is unspecified                                                    */
    uint32_t correlation;
    uint32_t flags;    /* RK_MSG_*                                                          */
    uint32_t attempts; /* replays that failed                                               */
    uint32_t header_bytes;
    uint32_t payload_bytes;
    const void *header;
    const void *payload;
} rk_deadletter;

typedef struct rk_deadletter_queue rk_deadletter_queue;

typedef struct rk_deadletter_limits {
    uint64_t max_count; /* letters; 0: 10,000, at most 2^24                                   */
    uint64_t max_bytes; /* letters with headers, payloads and bookkeeping; 0: 64 MiB          */
} rk_deadletter_limits;

/* limits may be NULL. RK_INVALID, RK_NO_MEMORY. */
RK_API rk_status rk_deadletter_queue_create(const rk_deadletter_limits *limits,
                                            rk_deadletter_queue **out_queue);
/* Takes NULL. No other thread may use the queue any more. */
RK_API void rk_deadletter_queue_destroy(rk_deadletter_queue *queue);

/*
 * Copies the letter with its header and payload to the end, evicting the oldest as needed.
 * RK_LIMIT if it alone exceeds max_bytes, RK_NO_MEMORY: it is counted as lost. RK_INVALID for a
 * reason outside the list, or lengths without data.
 */
RK_API rk_status rk_deadletter_queue_add(rk_deadletter_queue *queue, const rk_deadletter *letter);

/* Which letters are meant; all fields that are not "any" must match. NULL means all letters. */
typedef struct rk_deadletter_filter {
    uint32_t reasons; /* bit (1 << reason) for each reason wanted; 0: any                     */
    bool by_type;     /* else any type                                                        */
    uint32_t type;
    bool by_destination; /* else any destination                                              */
    uint64_t destination;
    uint64_t from_ns; /* time_ns at or after                                                  */
    uint64_t to_ns;   /* and before; 0: no end                                                */
} rk_deadletter_filter;

/* Sees one letter, which is valid during the call. False ends the walk. */
typedef bool (*rk_deadletter_visit)(void *context, const rk_deadletter *letter);

/*
 * Visits at most max_count matching letters with a seq above *cursor, oldest first, and moves
 * *cursor to the last letter looked at. Start with 0; the end is reached when fewer than max_count
 * are returned and no visit said false. Letters that come or go meanwhile do not disturb the walk.
 */
RK_API uint64_t rk_deadletter_queue_browse(rk_deadletter_queue *queue,
                                           const rk_deadletter_filter *filter, uint64_t *cursor,
                                           uint64_t max_count, rk_deadletter_visit visit,
                                           void *context);

/* Sends a letter again; RK_OK takes it out of the queue. */
typedef rk_status (*rk_deadletter_send)(void *context, const rk_deadletter *letter);

/*
 * Replays one letter. A failed send leaves it where it was, with attempts one higher, and is
 * returned. RK_NOT_FOUND if there is no such letter, RK_BUSY while another thread replays it.
 */
RK_API rk_status rk_deadletter_queue_replay(rk_deadletter_queue *queue, uint64_t seq,
                                            rk_deadletter_send send, void *context);

/* Replays each matching letter that is in the queue now, once, oldest first. The outputs may be
 * NULL. */
RK_API void rk_deadletter_queue_replay_matching(rk_deadletter_queue *queue,
                                                const rk_deadletter_filter *filter,
                                                rk_deadletter_send send, void *context,
                                                uint64_t *out_sent, uint64_t *out_failed);

/* Takes out a letter for good. RK_NOT_FOUND. */
RK_API rk_status rk_deadletter_queue_discard(rk_deadletter_queue *queue, uint64_t seq);

/* Takes out all letters with time_ns before before_ns; returns how many. */
RK_API uint64_t rk_deadletter_queue_expire(rk_deadletter_queue *queue, uint64_t before_ns);

/*
 * added = count + evicted + expired + replayed + discarded, at any moment without a call under way.
 */
typedef struct rk_deadletter_stats {
    uint64_t count; /* letters now in the queue                                               */
    uint64_t bytes; /* that they take                                                         */
    uint64_t added;
    uint64_t evicted;
    uint64_t expired;
    uint64_t replayed; /* successfully                                                        */
    uint64_t discarded;
    uint64_t replays_failed;
    uint64_t lost; /* refused by add: too large, or out of memory                             */
    uint64_t added_by_reason[RK_DEADLETTER_REASON_COUNT];
} rk_deadletter_stats;

RK_API void rk_deadletter_queue_stats(rk_deadletter_queue *queue, rk_deadletter_stats *out_stats);

#ifdef __cplusplus
}
#endif
#endif
