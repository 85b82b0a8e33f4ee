/*
 * protocol.h: what travels through a control socket: one JSON object per line in each direction,
 * each request answered by one reply, in order.
 *
 * A request is never trusted: its size, depth, keys, types and lengths are checked here.
 */
#ifndef RK_CLI_PROTOCOL_H
#define RK_CLI_PROTOCOL_H

#include "base/str.h"
#include "cli/commands.h"

#include <jansson.h>
#include <ringkernel/status.h>

#define RK_PROTOCOL_LINE_BYTES (256u * 1024u) /* of a request or reply, its line end included */
#define RK_PROTOCOL_ARGS_MAX 8u
#define RK_PROTOCOL_WAIT_MAX_MS 86400000u /* a day */

/* X(symbol, name) */
#define RK_REQUEST_LIST(X)                                                                         \
    X(INFO, "info")     /* the job and its kernels */                                              \
    X(STATS, "stats")   /* the same with fresh counters */                                         \
    X(SEND, "send")     /* a command for a kernel */                                               \
    X(PAUSE, "pause")   /* all kernels */                                                          \
    X(RESUME, "resume") /* all kernels */                                                          \
    X(TRACE, "trace")   /* write a timeline for a while */                                         \
    X(STOP, "stop")     /* save what there is and end */

typedef enum rk_request_verb {
#define RK_REQUEST_ENUM(symbol, name) RK_REQUEST_##symbol,
    RK_REQUEST_LIST(RK_REQUEST_ENUM)
#undef RK_REQUEST_ENUM
} rk_request_verb;

/* A request. As parsed, its texts belong to `tree`; the caller ends with rk_request_finish. */
typedef struct rk_request {
    rk_request_verb verb;
    const char *kernel;                     /* send; trace: only this one; NULL otherwise */
    const char *command;                    /* send; NULL otherwise */
    const char *file;                       /* trace: absolute; NULL otherwise */
    const char *args[RK_PROTOCOL_ARGS_MAX]; /* send; trace: what to write down */
    size_t arg_count;
    uint32_t every;   /* trace: of every n-th step; 0: of every one */
    uint32_t wait_ms; /* send: how long to wait until the command is applied; 0: accepted only;
                         trace: how long */
    void *tree;
} rk_request;

/*
 * Parses one line, without its line end. RK_SYNTAX (no JSON object), RK_VERSION (another protocol),
 * RK_INVALID (keys, types, values), RK_LIMIT, RK_NO_MEMORY; *out_request is set only on success.
 */
rk_status rk_request_parse(const char *line, size_t length, rk_request *out_request, rk_err *err);
void rk_request_finish(rk_request *request);

/* Appends a request as a line. */
rk_status rk_request_append(const rk_request *request, rk_str *out);

/* Members of a reply; a member that is missing or of another type is "" or 0. */
const char *rk_reply_text(const json_t *object, const char *key);
double rk_reply_number(const json_t *object, const char *key);
unsigned long long rk_reply_count(const json_t *object, const char *key);

/* Appends the reply of a failed request as a line. */
rk_status rk_reply_append_error(rk_str *out, const rk_err *err);

#endif
