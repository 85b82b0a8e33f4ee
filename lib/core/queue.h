/*
 * queue.h: what happens when a ring is full, counted; watermarks; credits.
 *
 * A sender puts a policy in front of a ring's producer side. Every message that is handed to it has
 * exactly one outcome, and each outcome is counted, so that sent + refused + ... is the number of
 * calls. The ring's own words `refused` and `dropped` carry the sums of all senders, for whoever
 * looks at the ring from outside.
 *
 * A sender and a receiver each belong to one thread at a time. On an MPSC ring every producing
 * thread has a sender of its own, over one shared end or its own.
 */
#ifndef RK_CORE_QUEUE_H
#define RK_CORE_QUEUE_H

#include "core/ring.h"

typedef enum rk_full_policy {
    RK_FULL_BLOCK,       /* wait for room, at most until the deadline           */
    RK_FULL_REFUSE,      /* give the message back                               */
    RK_FULL_DEAD_LETTER, /* hand the message to the dead_letter callback        */
    RK_FULL_DROP_NEWEST, /* give this message up                                */
    RK_FULL_DROP_OLDEST, /* give the oldest message in the ring up (LOSSY only) */
} rk_full_policy;

/* X(symbol, text): what became of a message. */
#define RK_QUEUE_OUTCOME_LIST(X)                                                                   \
    X(SENT, "sent")                                                                                \
    X(SENT_DROPPED_OLDEST, "sent, the oldest message dropped")                                     \
    X(REFUSED, "refused: queue full")                                                              \
    X(TIMED_OUT, "refused: no room before the deadline")                                           \
    X(DEAD_LETTER, "queue full: dead letter")                                                      \
    X(DROPPED_NEWEST, "queue full: dropped")                                                       \
    X(FAILED, "failed: the ring is damaged")

typedef enum rk_queue_outcome {
#define RK_QUEUE_OUTCOME_ENUM(symbol, text) RK_QUEUE_##symbol,
    RK_QUEUE_OUTCOME_LIST(RK_QUEUE_OUTCOME_ENUM)
#undef RK_QUEUE_OUTCOME_ENUM
        RK_QUEUE_OUTCOME_COUNT
} rk_queue_outcome;

const char *rk_queue_outcome_text(rk_queue_outcome outcome);

/* RK_OK for both kinds of sent, RK_TIMEOUT, RK_CORRUPT, else RK_FULL. */
rk_status rk_queue_outcome_status(rk_queue_outcome outcome);

/*
 * High and low watermarks with hysteresis: `crossed` is called with above = true once when the
 * depth reaches `high`, then with false once when it has sunk to `low`, and so on. low < high. No
 * callback: not watched.
 */
typedef struct rk_watermark {
    uint32_t high;
    uint32_t low;
    void (*crossed)(void *context, bool above, uint32_t depth);
    void *context;
    bool above; /* state; false at the start */
} rk_watermark;

/* Tells the watermark the present depth. */
void rk_watermark_update(rk_watermark *mark, uint32_t depth);

/* Takes over the message (and the slab block that it may name). Called in the sending thread. */
typedef void (*rk_queue_give_up)(void *context, const rk_slot *message);

typedef struct rk_queue_config {
    rk_full_policy policy;
    unsigned spin_ns;             /* BLOCK: polling before the sender sleeps         */
    rk_queue_give_up dead_letter; /* required for DEAD_LETTER                        */
    rk_queue_give_up dropped;     /* for both DROP policies; NULL if nothing is owned */
    void *context;                /* of both                                         */
    rk_watermark watermark;       /* looked at after every message; costs a look at head */
} rk_queue_config;

typedef struct rk_queue_sender {
    rk_ring_end *end;
    rk_queue_config config;
    uint64_t counts[RK_QUEUE_OUTCOME_COUNT];
} rk_queue_sender;

/*
 * Puts a policy in front of a producer end, which stays borrowed. RK_INVALID: wrong side, no
 * dead_letter callback, watermarks not in order, or a policy that does not go with the kind of ring
 * (LOSSY rings take DROP_OLDEST and nothing else).
 */
rk_status rk_queue_sender_init(rk_queue_sender *sender, rk_ring_end *producer,
                               const rk_queue_config *config, rk_err *err);

/*
 * Sends one message by the policy. deadline_ns (rk_clock_monotonic_ns) counts for BLOCK only, and
 * only that policy blocks. The callbacks run before this returns.
 */
rk_queue_outcome rk_queue_send(rk_queue_sender *sender, const rk_slot *message,
                               uint64_t deadline_ns);

/* Looks at the depth again: for low watermarks when nothing is being sent. */
void rk_queue_sender_poll(rk_queue_sender *sender);

typedef struct rk_queue_receiver {
    rk_ring_end *end;
    uint32_t window; /* credits kept open, renewed when half are used; 0: granted by hand */
    uint32_t open;   /* credits granted and not yet received */
    rk_watermark watermark;
    uint64_t received;
} rk_queue_receiver;

/*
 * Takes the consumer side of a ring. window is for rings with RK_RING_CREDITS: the first credits
 * are granted here. watermark may be NULL. RK_INVALID, RK_STATE (window without credits).
 */
rk_status rk_queue_receiver_init(rk_queue_receiver *receiver, rk_ring_end *consumer,
                                 uint32_t window, const rk_watermark *watermark, rk_err *err);

/* Takes the next message. RK_OK, RK_EMPTY, RK_CORRUPT. Never blocks. */
rk_status rk_queue_receive(rk_queue_receiver *receiver, rk_slot *out_message);

/* Takes the next message, waiting for it. RK_OK, RK_TIMEOUT, RK_CORRUPT. Blocks. */
rk_status rk_queue_receive_wait(rk_queue_receiver *receiver, rk_slot *out_message,
                                uint64_t deadline_ns, unsigned spin_ns);

#endif
