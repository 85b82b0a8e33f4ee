/*
 * command.h: commands to a resident kernel, their replies, and the messages that it emits. The
 * general rules (threads, times, pointers) are in runtime.h.
 */
#ifndef RINGKERNEL_COMMAND_H
#define RINGKERNEL_COMMAND_H

#include <ringkernel/resident.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Submits and returns at once: the id names the command in its reply. Errors at once: RK_LIMIT
 * (too many in flight, or no room in the ring), RK_STATE (not resident), RK_INVALID. Pass NULL for
 * out_id to forget the reply.
 *
 * A run is answered when its last step is done; runs queue, at most 16. inject sets (or adds to)
 * one element of a field. custom hands `data` to the module's RK_ON_COMMAND. send hands a message
 * of a type >= 256 to RK_ON_MESSAGE; with a correlation it is a request, which the kernel may
 * answer by rk_emit_reply. The step budget is the number of steps that the kernel may still take
 * before it pauses itself; RK_FOREVER lifts it.
 */
RK_API rk_status rk_kernel_run(rk_kernel *kernel, uint64_t steps, uint64_t *out_id, rk_err *err);
/* The same; the kernel also reports every `interval` steps. rk_kernel_read_snapshot tells the step
 * at any time. */
RK_API rk_status rk_kernel_run_reporting(rk_kernel *kernel, uint64_t steps, uint32_t interval,
                                         uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_pause(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_resume(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_inject(rk_kernel *kernel, const char *field, uint64_t index,
                                  double value, bool add, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_custom(rk_kernel *kernel, uint64_t operation, const void *data,
                                  size_t bytes, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_progress(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_stats(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_ping(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_step_budget(rk_kernel *kernel, uint64_t steps, uint64_t *out_id,
                                       rk_err *err);
RK_API rk_status rk_kernel_check(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_features(rk_kernel *kernel, uint64_t mask, uint64_t *out_id,
                                    rk_err *err);
RK_API rk_status rk_kernel_quiesce(rk_kernel *kernel, uint64_t reason, uint64_t *out_id,
                                   rk_err *err);
RK_API rk_status rk_kernel_terminate(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_send(rk_kernel *kernel, uint32_t type, uint32_t correlation,
                                const void *data, size_t bytes, uint64_t *out_id, rk_err *err);
/* Aborts all pending runs at the next step boundary; each is answered with RK_ABORTED. Any
 * state. */
RK_API void rk_kernel_abort(rk_kernel *kernel);

/*
 * A sign of life that is no command: answered before anything that waits in the ring, on a GPU by
 * a block of its own, so that it measures the way to the device and back and not the kernel's work.
 * Otherwise answered at the next safe point. The device's clock was read between the two readings
 * of the host's.
 */
typedef struct rk_probe {
    uint64_t sent_ns; /* monotonic clock of the host */
    uint64_t seen_ns;
    uint64_t device_ticks; /* 0 where the device has no clock */
    uint64_t ticks_per_s;
} rk_probe;

/* Waits for the answer. RK_TIMEOUT, RK_STATE (not resident). Blocks; any thread. */
RK_API rk_status rk_kernel_probe(rk_kernel *kernel, uint64_t timeout_ns, rk_probe *out_probe,
                                 rk_err *err);

/* How far a command got. */
typedef enum rk_level {
    RK_REPLY_NONE,
    RK_REPLY_ACCEPTED, /* taken from the ring and queued */
    RK_REPLY_APPLIED,  /* has taken effect */
    RK_REPLY_DURABLE,  /* and will survive a crash */
} rk_level;

/*
 * A custom command that its handler refused (by a code other than 0) has status RK_INTERNAL and
 * that code as value[0].
 */
typedef struct rk_reply {
    uint64_t id;
    rk_status status; /* of the command itself: RK_ABORTED, RK_INVALID, ... */
    rk_level level;
    uint64_t step; /* at which it was applied */
    uint64_t
        value[3]; /* run: {target}; progress: {remaining, target}; check: {code}; custom: own */
} rk_reply;

/*
 * Waits until the command is applied (or refused). RK_OK: *out_reply is set, look at its status.
 * RK_TIMEOUT: still in flight, wait again. RK_PANIC, RK_FAULT, RK_CLOSED: the kernel ended first;
 * err says why. RK_NOT_FOUND: no such command, or its reply was taken already. Blocks.
 */
RK_API rk_status rk_kernel_wait(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns,
                                rk_reply *out_reply, rk_err *err);
/* Submits nothing: waits until the command is at least accepted. Does not take the reply. */
RK_API rk_status rk_kernel_wait_accepted(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns,
                                         rk_reply *out_reply, rk_err *err);

/* A message that the kernel emitted. */
typedef struct rk_received {
    uint64_t id;
    uint32_t type;
    uint32_t correlation; /* of a reply (RK_MSG_REPLY): the request's */
    uint32_t flags;       /* RK_MSG_* */
    uint32_t length;      /* bytes of the payload, also when it was cut to the caller's room */
    uint64_t step;
} rk_received;

/*
 * Takes the next emitted message; at most `capacity` bytes of its payload are copied. RK_TIMEOUT,
 * RK_CLOSED (ended and nothing left). Messages that nobody takes are kept up to 4096, then the
 * oldest is dropped and counted. Blocks.
 */
RK_API rk_status rk_kernel_receive(rk_kernel *kernel, uint64_t timeout_ns, rk_received *out_message,
                                   void *out_payload, size_t capacity, rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
