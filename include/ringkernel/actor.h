/*
 * actor.h: what the author of an actor uses: ids, messages, types, and the calls of a handler.
 *
 * An actor is a mailbox with a handler and some bytes of state. Handlers run on the workers of an
 * actor system (actor_system.h), one message at a time per actor. An actor is named by an id that
 * is never used for another actor: a send to one that has ended becomes a dead letter.
 *
 * Functions that take an rk_actor_ctx are for the handler that was given it, during that call, on
 * that thread. They never block. Handlers may use the functions of actor_system.h as well, except
 * those that say they block. A handler must not throw a C++ exception.
 *
 * Times are nanoseconds of rk_actor_now_ns. In an ordered system time stands still during a turn.
 */
#ifndef RINGKERNEL_ACTOR_H
#define RINGKERNEL_ACTOR_H

#include <ringkernel/abi/message.h>
#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names one actor for ever. */
typedef uint64_t rk_actor_id;
#define RK_ACTOR_NONE 0u

typedef uint32_t rk_actor_type_id;
typedef uint64_t rk_actor_timer;

typedef struct rk_actor_ctx rk_actor_ctx;
typedef struct rk_actor_system rk_actor_system;

/* Payload that travels without a second buffer (32 with a deadline), and the longest payload. */
#define RK_ACTOR_INLINE_BYTES 40u
#define RK_ACTOR_MESSAGE_MAX_BYTES (256u << 20)
#define RK_ACTOR_STATE_MAX_BYTES (1u << 20)

/* A priority for the option structs, whose 0 means normal: 0 lowest, 3 normal, 7 highest. */
#define RK_ACTOR_PRIORITY(level) (8u | (level))

/* A message as a handler sees it; payload (8-byte aligned) is valid until the handler returns. */
typedef struct rk_actor_msg {
    rk_actor_id from; /* RK_ACTOR_NONE: from outside                                          */
    uint32_t type;    /* RK_MSG_TYPE_USER or above, or RK_ACTOR_MSG_*                         */
    uint32_t length;
    uint32_t correlation;
    uint32_t flags; /* priority, RK_MSG_REQUEST, RK_MSG_REPLY                                 */
    uint64_t deadline_ns; /* 0: none                                                          */
    const void *payload;
} rk_actor_msg;

/*
 * The runtime's own messages. ASK_FAILED: an ask got no answer; correlation is the ask's, the
 * payload an int32_t rk_status: RK_TIMEOUT, or RK_NOT_FOUND when the receiver ended. NAME_TAKEN
 * (ordered systems): the payload is the name that this actor did not get.
 */
#define RK_ACTOR_MSG_ASK_FAILED 240u
#define RK_ACTOR_MSG_NAME_TAKEN 241u

/* Why an actor ended, failed or is about to be restarted. */
typedef enum rk_actor_reason {
    RK_ACTOR_EXITED = 0,    /* rk_actor_exit                                                 */
    RK_ACTOR_STOPPED = 1,   /* asked to stop; its queue was handled first                    */
    RK_ACTOR_KILLED = 2,    /* with its tree                                                 */
    RK_ACTOR_ERROR = 3,     /* a handler returned a status other than RK_OK                  */
    RK_ACTOR_PANIC = 4,     /* rk_actor_panic                                                */
    RK_ACTOR_HEARTBEAT = 5, /* no heartbeat in time                                          */
    RK_ACTOR_ESCALATED = 6, /* its children failed too often                                 */
    RK_ACTOR_SIBLING = 7,   /* restarted because a sibling failed                            */
    RK_ACTOR_REQUESTED = 8, /* rk_actor_system_restart                                       */
} rk_actor_reason;

/* When a child is started again. A root is restarted by the same rules, by the system. */
typedef enum rk_actor_restart {
    RK_ACTOR_TRANSIENT = 0, /* after a failure                                                */
    RK_ACTOR_PERMANENT = 1, /* after a failure or rk_actor_exit                               */
    RK_ACTOR_TEMPORARY = 2, /* never                                                          */
} rk_actor_restart;

/*
 * What happens when a child fails. Siblings that are restarted are taken down youngest first and
 * started oldest first, each when the one before it has started.
 */
typedef enum rk_actor_strategy {
    RK_ACTOR_ONE_FOR_ONE = 0,  /* restart it                                                  */
    RK_ACTOR_ONE_FOR_ALL = 1,  /* restart all children                                        */
    RK_ACTOR_REST_FOR_ONE = 2, /* restart it and those started after it                       */
    RK_ACTOR_STAY_FAILED = 3,  /* the failure is permanent: it stays failed, holding its queue,
                                  until rk_actor_system_restart or rk_actor_system_kill       */
} rk_actor_strategy;

/* What a full mailbox does to a message. Everything that is not delivered is counted. */
typedef enum rk_actor_full {
    RK_ACTOR_FULL_REFUSE = 0,      /* the send returns RK_FULL                                */
    RK_ACTOR_FULL_BLOCK = 1,       /* a thread outside waits up to block_ns, then RK_TIMEOUT; a
                                      handler never waits: RK_FULL                            */
    RK_ACTOR_FULL_DEADLETTER = 2,  /* into the dead letters; RK_OK                            */
    RK_ACTOR_FULL_DROP_NEWEST = 3, /* this message is dropped; RK_OK                          */
    RK_ACTOR_FULL_DROP_OLDEST = 4, /* the oldest of the lowest priority is dropped; RK_OK     */
} rk_actor_full;

typedef enum rk_actor_heartbeat {
    RK_ACTOR_HEARTBEAT_NONE = 0,
    RK_ACTOR_HEARTBEAT_AUTO = 1,   /* coming to its turn is a beat: fails if a handler hangs     */
    RK_ACTOR_HEARTBEAT_MANUAL = 2, /* only rk_actor_beat is                                    */
} rk_actor_heartbeat;

/*
 * A kind of actor. Only name and on_message are required. on_message, on_start and on_restart fail
 * the actor by returning anything but RK_OK. After a failure or a restart order the actor's
 * children are killed, then its state is made afresh and on_restart (on_start if NULL) is called;
 * its id, its names and the messages in its mailbox stay.
 */
typedef struct rk_actor_type {
    const char *name;
    uint32_t state_bytes; /* at most RK_ACTOR_STATE_MAX_BYTES; aligned to 16 (to 8 if 8 or less) */
    rk_actor_restart restart;
    /* Fills the zeroed state. Runs where the actor is spawned or restarted; calls no rk_ function.
       arg was given to spawn. */
    void (*init)(void *state, const void *arg, uint32_t arg_bytes);
    rk_status (*on_start)(rk_actor_ctx *ctx);
    rk_status (*on_message)(rk_actor_ctx *ctx, const rk_actor_msg *msg);
    rk_status (*on_restart)(rk_actor_ctx *ctx);
    /* Not called after a failure of the actor itself. It cannot spawn. */
    void (*on_stop)(rk_actor_ctx *ctx, rk_actor_reason reason);
    uint32_t priority;      /* RK_ACTOR_PRIORITY: of its turn among runnable actors; 0: normal */
    uint32_t mailbox_limit; /* messages; 0: limited by memory only                             */
    rk_actor_full full;
    uint64_t block_ns; /* for RK_ACTOR_FULL_BLOCK                                              */
    /* As a supervisor of its children: more than max_restarts within window_ns fail it. */
    rk_actor_strategy strategy;
    uint32_t max_restarts; /* 0: 3; at most 1000                                               */
    uint64_t window_ns;    /* 0: 60 s                                                          */
    rk_actor_heartbeat heartbeat;
    uint64_t heartbeat_ns;         /* 0: 100 ms                                                */
    uint64_t heartbeat_timeout_ns; /* 0: 500 ms                                                */
} rk_actor_type;

typedef struct rk_actor_spawn_options {
    const void *arg; /* copied and kept for restarts, which costs memory beside the actor's own */
    uint32_t arg_bytes;
    const char *name;   /* registered before the actor starts; NULL: none                      */
    rk_actor_id parent; /* for rk_actor_system_spawn; 0: a root                                */
} rk_actor_spawn_options;

typedef struct rk_actor_send_options {
    uint32_t priority;    /* RK_ACTOR_PRIORITY; 0: normal                                      */
    uint64_t deadline_ns; /* not delivered later than this, but to the dead letters; 0: none   */
} rk_actor_send_options;

RK_API rk_actor_id rk_actor_self(const rk_actor_ctx *ctx);
RK_API rk_actor_id rk_actor_parent(const rk_actor_ctx *ctx);
RK_API void *rk_actor_state(const rk_actor_ctx *ctx);
RK_API rk_actor_system *rk_actor_system_of(const rk_actor_ctx *ctx);
RK_API uint64_t rk_actor_now_ns(const rk_actor_ctx *ctx);
/* The number of the turn; 0 in a free system. */
RK_API uint64_t rk_actor_turn(const rk_actor_ctx *ctx);

/*
 * Sends a copy of the payload. Messages from one sender to one receiver with the same priority are
 * handled in the order sent. RK_NOT_FOUND: the receiver has ended (now a dead letter). RK_FULL by
 * the receiver's policy. RK_STATE: it is draining (a dead letter). RK_INVALID: a type below
 * RK_MSG_TYPE_USER, or a length without payload. RK_LIMIT: too long. RK_NO_MEMORY. In an
 * ordered system a receiver that ends in the turn under way, or is full, is found out after the
 * turn: RK_OK.
 */
RK_API rk_status rk_actor_send(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type,
                               const void *payload, uint32_t length);
RK_API rk_status rk_actor_send_with(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type,
                                    const void *payload, uint32_t length,
                                    const rk_actor_send_options *options);

/*
 * Sends a request. The reply arrives as a message with RK_MSG_REPLY and this correlation, or
 * RK_ACTOR_MSG_ASK_FAILED does; one of the two, once. timeout_ns must not be 0.
 */
RK_API rk_status rk_actor_ask(rk_actor_ctx *ctx, rk_actor_id to, uint32_t type, const void *payload,
                              uint32_t length, uint64_t timeout_ns, uint32_t *out_correlation);
/* Answers a request, now or later: from, correlation and flags of request are enough. RK_INVALID if
 * it is no request. A reply that nobody waits for any more becomes a dead letter. */
RK_API rk_status rk_actor_reply(rk_actor_ctx *ctx, const rk_actor_msg *request, uint32_t type,
                                const void *payload, uint32_t length);

/* Sends after delay_ns. A timer that an actor set ends with it, also when it restarts. */
RK_API rk_status rk_actor_send_after(rk_actor_ctx *ctx, rk_actor_id to, uint64_t delay_ns,
                                     uint32_t type, const void *payload, uint32_t length,
                                     rk_actor_timer *out_timer);
/* RK_NOT_FOUND: it has fired already. */
RK_API rk_status rk_actor_timer_cancel(rk_actor_ctx *ctx, rk_actor_timer timer);

/* Spawns a child of this actor (options may be NULL). RK_INVALID, RK_LIMIT, RK_NO_MEMORY, RK_EXISTS
 * (the name), RK_STATE while this actor ends. */
RK_API rk_status rk_actor_spawn(rk_actor_ctx *ctx, rk_actor_type_id type,
                                const rk_actor_spawn_options *options, rk_actor_id *out_id);

/* Ends this actor when its handler returns; messages behind it become dead letters, unless it is
 * RK_ACTOR_PERMANENT and starts again. */
RK_API void rk_actor_exit(rk_actor_ctx *ctx);
/* A sign of life; see rk_actor_heartbeat. */
RK_API void rk_actor_beat(rk_actor_ctx *ctx);
/* Fails this actor at once and leaves its handler without return: whatever the handler held by
 * local variables is lost. text (may be NULL) is cut at 127 bytes. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
RK_API void
rk_actor_panic(rk_actor_ctx *ctx, rk_status code, const char *text);

#ifdef __cplusplus
}
#endif
#endif
