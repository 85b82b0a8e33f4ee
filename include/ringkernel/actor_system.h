/*
 * actor_system.h: creating, driving and observing a system of actors, from outside or from
 * handlers.
 *
 * Delivery is one of two kinds. FREE: workers handle messages as they come; fastest; per pair of
 * sender and receiver in the order sent. ORDERED: the system runs in turns; what is sent in turn n
 * arrives in turn n + 1, sorted by priority, source and order of sending; ids, times and names are
 * fixed for a turn as well, so a run is the same bit for bit on any number of workers. What comes
 * from outside enters between two turns.
 *
 * Any thread may call these functions at any time between create and destroy, unless one says
 * otherwise. Functions that say "blocks" must not be called from handlers (RK_STATE).
 */
#ifndef RINGKERNEL_ACTOR_SYSTEM_H
#define RINGKERNEL_ACTOR_SYSTEM_H

#include <ringkernel/actor.h>
#include <ringkernel/deadletter.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rk_actor_delivery {
    RK_ACTOR_FREE = 0,
    RK_ACTOR_ORDERED = 1,
} rk_actor_delivery;

typedef enum rk_actor_event_kind {
    RK_ACTOR_EVENT_SPAWNED = 0,
    RK_ACTOR_EVENT_STARTED = 1,   /* on_start has returned; only types that have one              */
    RK_ACTOR_EVENT_FAILED = 2,    /* reason, code, text                                           */
    RK_ACTOR_EVENT_RESTARTED = 3, /* reason                                                       */
    RK_ACTOR_EVENT_ENDED = 4,     /* reason, code; its descendants have ended before              */
    RK_ACTOR_EVENT_ESCALATED = 5, /* it gives up restarting (its children; a root: itself)        */
    RK_ACTOR_EVENT_BEAT_MISSED = 6,
} rk_actor_event_kind;

typedef struct rk_actor_event {
    rk_actor_event_kind kind;
    rk_actor_reason reason;
    rk_actor_id id;
    rk_actor_id parent; /* RK_ACTOR_NONE for a root                                              */
    uint64_t time_ns;
    const char *type_name;
    rk_status code;
    uint32_t restarts; /* of this actor so far, modulo 2^16                                       */
    const char *text;  /* never NULL; valid during the call                                       */
} rk_actor_event;

/* Observes; runs on the thread where it happened, so it must be quick and thread-safe. It may send
 * and spawn, but not block. */
typedef void (*rk_actor_observer)(void *context, const rk_actor_event *event);

typedef struct rk_actor_system_options {
    uint32_t workers; /* threads; 0: one for each CPU this process may use; at most 64            */
    rk_actor_delivery delivery;
    bool paused;                      /* start paused: rk_actor_system_resume                     */
    uint64_t max_actors;              /* at once; 0: 2^28 - 1024, the most there can be           */
    uint64_t max_message_bytes;       /* of pooled messages and actors; 0: limited by memory only */
    rk_deadletter_queue *deadletters; /* borrowed; NULL: the system's own, with default limits    */
    rk_actor_observer on_event;
    void *event_context;
} rk_actor_system_options;

/* options may be NULL. Starts the workers. RK_INVALID, RK_NO_MEMORY, RK_LIMIT (threads). */
RK_API rk_status rk_actor_system_create(const rk_actor_system_options *options,
                                        rk_actor_system **out_system, rk_err *err);
/*
 * Waits for handlers that run, then frees everything at once: no on_stop is called, queued messages
 * vanish, futures end with RK_CLOSED. For an orderly end call shutdown first. Takes NULL. Blocks;
 * no other thread may use the system any more.
 */
RK_API void rk_actor_system_destroy(rk_actor_system *system);
/* Stops every root and waits until no actor is left. RK_TIMEOUT: some still are. Blocks. */
RK_API rk_status rk_actor_system_shutdown(rk_actor_system *system, uint64_t deadline_ns);

/* Copies the type (strings too). At most 1024. RK_INVALID with a sentence, RK_EXISTS, RK_LIMIT. */
RK_API rk_status rk_actor_system_register_type(rk_actor_system *system, const rk_actor_type *type,
                                               rk_actor_type_id *out_type, rk_err *err);

/* Spawns a root, or a child of options->parent (RK_NOT_FOUND if that has ended). In an ordered
 * system a child whose parent ends in the turn under way is killed. Otherwise as rk_actor_spawn. */
RK_API rk_status rk_actor_system_spawn(rk_actor_system *system, rk_actor_type_id type,
                                       const rk_actor_spawn_options *options, rk_actor_id *out_id);
/* As rk_actor_send and rk_actor_send_with (options may be NULL). Blocks if the receiver's policy is
 * RK_ACTOR_FULL_BLOCK, and then not when called from a handler. */
RK_API rk_status rk_actor_system_send(rk_actor_system *system, rk_actor_id to, uint32_t type,
                                      const void *payload, uint32_t length,
                                      const rk_actor_send_options *options);
RK_API rk_status rk_actor_system_send_after(rk_actor_system *system, rk_actor_id to,
                                            uint64_t delay_ns, uint32_t type, const void *payload,
                                            uint32_t length, rk_actor_timer *out_timer);
RK_API rk_status rk_actor_system_timer_cancel(rk_actor_system *system, rk_actor_timer timer);

/* Handles what is in the mailbox, refuses what comes later, stops the children, then ends. Returns
 * at once. RK_NOT_FOUND. */
RK_API rk_status rk_actor_system_stop(rk_actor_system *system, rk_actor_id id);
/* Ends the actor and all below it, children first, after the handlers that run. Returns at once. */
RK_API rk_status rk_actor_system_kill(rk_actor_system *system, rk_actor_id id);
/* Restarts it, whether it runs or has failed for good. Returns at once. */
RK_API rk_status rk_actor_system_restart(rk_actor_system *system, rk_actor_id id);

/* The states of an actor. */
typedef enum rk_actor_phase {
    RK_ACTOR_DORMANT = 0,      /* spawned; nothing has been handled yet                           */
    RK_ACTOR_INITIALISING = 1, /* in on_start or on_restart                                       */
    RK_ACTOR_ACTIVE = 2,
    RK_ACTOR_DRAINING = 3,   /* stopping: handles its queue, waits for its children               */
    RK_ACTOR_TERMINATED = 4, /* has ended: the id is never valid again                            */
    RK_ACTOR_FAILED = 5,     /* held until it is restarted or ended                               */
} rk_actor_phase;

/* Already history when it returns. RK_NOT_FOUND: there never was such an actor. */
RK_API rk_status rk_actor_system_phase(rk_actor_system *system, rk_actor_id id,
                                       rk_actor_phase *out_phase);
RK_API const char *rk_actor_phase_name(rk_actor_phase phase);
RK_API const char *rk_actor_reason_name(rk_actor_reason reason);

/* A reply under way. */
typedef struct rk_actor_future rk_actor_future;
typedef struct rk_actor_reply_view {
    uint32_t type;
    uint32_t length;
    const void *payload; /* valid until the future is destroyed                                   */
} rk_actor_reply_view;

/* Sends a request. The caller destroys the future. Errors as of rk_actor_send. */
RK_API rk_status rk_actor_system_ask(rk_actor_system *system, rk_actor_id to, uint32_t type,
                                     const void *payload, uint32_t length, uint64_t timeout_ns,
                                     rk_actor_future **out_future);
/* RK_OK: the reply is in *out_reply. RK_TIMEOUT: the ask's own timeout, or deadline_ns (monotonic;
 * UINT64_MAX: none) has come. RK_NOT_FOUND: the receiver ended. RK_CLOSED: the system. Blocks until
 * then. */
RK_API rk_status rk_actor_future_wait(rk_actor_future *future, uint64_t deadline_ns,
                                      rk_actor_reply_view *out_reply);
/* Takes NULL. */
RK_API void rk_actor_future_destroy(rk_actor_future *future);

/*
 * Names: one to 16 levels separated by '/', at most 255 bytes, without control characters and
 * wildcards (the rules of topics, <ringkernel/pubsub.h>): RK_INVALID. An actor may have
 * several; all end with it and stay when it restarts. In an ordered system a handler's registering
 * takes effect after the turn; who asks second gets RK_ACTOR_MSG_NAME_TAKEN.
 */
RK_API rk_status rk_actor_system_register(rk_actor_system *system, const char *name,
                                          rk_actor_id id);
RK_API rk_status rk_actor_system_unregister(rk_actor_system *system, const char *name);
/* RK_NOT_FOUND. */
RK_API rk_status rk_actor_system_lookup(rk_actor_system *system, const char *name,
                                        rk_actor_id *out_id);
/* Calls visit for each name that matches, in byte order; false ends the walk. A level '*' stands
 * for any one level, a last level '#' for any number of levels, also none. RK_INVALID: no valid
 * pattern. */
typedef bool (*rk_actor_name_visit)(void *context, const char *name, rk_actor_id id);
RK_API rk_status rk_actor_system_names(rk_actor_system *system, const char *pattern,
                                       rk_actor_name_visit visit, void *context);

/* Waits until nothing can be handled without something from outside or a timer. RK_STATE while
 * paused. Blocks. */
RK_API rk_status rk_actor_system_wait_idle(rk_actor_system *system, uint64_t deadline_ns);
/* Pausing lets handlers that run, or the turn, finish, and returns when all is still. Blocks. */
RK_API rk_status rk_actor_system_pause(rk_actor_system *system);
RK_API rk_status rk_actor_system_resume(rk_actor_system *system);
/* Looks at the clock now: fires timers and checks heartbeats that are due. For clocks of tests. */
RK_API void rk_actor_system_tick(rk_actor_system *system);

RK_API uint64_t rk_actor_system_now_ns(rk_actor_system *system);
RK_API rk_deadletter_queue *rk_actor_system_deadletters(rk_actor_system *system);

/*
 * Counters since creation. sent = handled + dead + dropped + what still waits. A refused message is
 * not sent.
 */
typedef struct rk_actor_stats {
    uint64_t sent, handled, dead, dropped, refused;
    uint64_t actors; /* alive now                                                                 */
    uint64_t spawned, ended, failures, restarts, beats_missed;
    uint64_t turns;
    uint64_t steals, parks; /* of the scheduler                                                   */
    uint64_t memory_bytes;  /* of actors and pooled messages                                      */
    uint32_t workers;
} rk_actor_stats;

RK_API void rk_actor_system_stats(rk_actor_system *system, rk_actor_stats *out_stats);

#ifdef __cplusplus
}
#endif
#endif
