/*
 * command.h: the command protocol between host and kernel.
 *
 * A command travels in the H2K ring: its operation is the message type, its id is header.id. The
 * kernel looks at the ring at every safe point (the boundary between two steps) and answers through
 * the K2H ring with the same id, the step at which the command took effect, and how far it got.
 */
#ifndef RINGKERNEL_ABI_COMMAND_H
#define RINGKERNEL_ABI_COMMAND_H

#include <ringkernel/abi/message.h>
#include <ringkernel/abi/types.h>

/*
 * X(symbol, value, text). Arguments are rk_command.arg and .data:
 *   RUN          arg = steps; data[0..3] = u32 progress interval in steps, 0 for none
 *   PAUSE        after the current step; pending runs keep their remaining steps
 *   RESUME       continues pending runs; clears an exhausted step budget
 *   INJECT       arg = element index, data = rk_inject
 *   CUSTOM       arg = the module's own operation, data = 32 bytes or a slab payload
 *   PROGRESS     answers with progress at once
 *   STATS        copies the counters into the control block, then answers
 *   PING         answers at once
 *   STEP_BUDGET  arg = steps the kernel may still take before it pauses itself; ~0 for no limit
 *   QUIESCE      arg = reason; the kernel leaves the device at this safe point, its arena stays
 *   TERMINATE    the kernel ends; pending runs are answered as aborted
 *   CHECK        runs the module's check handler (a canary with a known answer)
 *   MESSAGE      a user message: header.type >= RK_MSG_TYPE_USER instead of this value
 *   FEATURES     arg = bit mask of the optional features to leave on
 *   TRACE        arg = what to write down (RK_TRACE_*), and of every n-th step in the upper half
 */
#define RK_COMMAND_LIST(X)                                                                         \
    X(RUN, 1, "run")                                                                               \
    X(PAUSE, 2, "pause")                                                                           \
    X(RESUME, 3, "resume")                                                                         \
    X(INJECT, 4, "inject")                                                                         \
    X(CUSTOM, 5, "custom")                                                                         \
    X(PROGRESS, 6, "progress")                                                                     \
    X(STATS, 7, "stats")                                                                           \
    X(PING, 8, "ping")                                                                             \
    X(STEP_BUDGET, 9, "step-budget")                                                               \
    X(QUIESCE, 10, "quiesce")                                                                      \
    X(TERMINATE, 11, "terminate")                                                                  \
    X(CHECK, 12, "check")                                                                          \
    X(MESSAGE, 13, "message")                                                                      \
    X(FEATURES, 14, "features")                                                                    \
    X(TRACE, 15, "trace")

#define RK_COMMAND_DEFINE(symbol, value, text) RK_CMD_##symbol = (value),
enum { RK_COMMAND_LIST(RK_COMMAND_DEFINE) RK_CMD_END };
#undef RK_COMMAND_DEFINE

/* Answer types (header.type in the K2H ring). User messages from the kernel are >= 256. */
#define RK_ANSWER_ACK 64u      /* payload rk_answer */
#define RK_ANSWER_PROGRESS 65u /* payload rk_answer: value = {remaining, target, 0} */
#define RK_ANSWER_SKIP 127u    /* padding at the end of a ring; header.length covers it */

/* How far a command got. */
#define RK_LEVEL_NONE 0u
#define RK_LEVEL_ACCEPTED 1u /* taken from the ring and queued */
#define RK_LEVEL_APPLIED 2u  /* has taken effect in the kernel's state */
#define RK_LEVEL_DURABLE 3u  /* and will survive a crash */

/* The payload of a command slot.                                               offset */
typedef struct rk_command {
    rk_u64 arg;     /* see the list above                                           0 */
    rk_u8 data[32]; /*                                                              8 */
} rk_command;

RK_ABI_ASSERT(sizeof(rk_command) == RK_SLOT_PAYLOAD_BYTES);

#define RK_INJECT_SET 0u
#define RK_INJECT_ADD 1u

/* INJECT: writes or adds a value to one element of a field.                    offset */
typedef struct rk_inject {
    rk_f64 value; /* converted to the field's element type                          0 */
    rk_u32 field; /* field index in the schema                                      8 */
    rk_u32 mode;  /* RK_INJECT_SET or RK_INJECT_ADD                                12 */
} rk_inject;

/* The payload of an answer slot.                                               offset */
typedef struct rk_answer {
    rk_i32 status;   /* rk_status                                                   0 */
    rk_u32 level;    /* RK_LEVEL_*                                                  4 */
    rk_u64 step;     /* the step at which the command was applied                   8 */
    rk_u64 value[3]; /* by operation: RUN {target step}, PROGRESS {remaining, target},
                         CHECK {code}, CUSTOM {the module's own}                    16 */
} rk_answer;

RK_ABI_ASSERT(sizeof(rk_answer) == RK_SLOT_PAYLOAD_BYTES);

#endif
