/*
 * orders.h: the commands that a running kernel takes, as people write them: one table for
 * 'rk send', for the scripts in job files, for help and for completion.
 */
#ifndef RK_CLI_ORDERS_H
#define RK_CLI_ORDERS_H

#include "base/str.h"

#include <jansson.h>
#include <ringkernel/command.h>

#define RK_ORDER_DATA_MAX (64u * 1024u) /* bytes of a payload */

typedef struct rk_order {
    const char *name;
    const char *arguments; /* "FIELD INDEX VALUE [add]" */
    size_t min_args, max_args;
    const char *help;
    bool leaves; /* the kernel leaves its device */
    /* Submits it; NULL for 'receive', which submits nothing. */
    rk_status (*submit)(rk_kernel *kernel, const char *const *args, size_t count, uint64_t *out_id,
                        rk_err *err);
} rk_order;

extern const rk_order rk_orders[];
extern const size_t rk_order_count;

/* Finds an order and checks the number of its arguments; RK_NOT_FOUND with a suggestion. */
rk_status rk_order_find(const char *name, size_t arg_count, const rk_order **out_order,
                        rk_err *err);

/*
 * Submits an order and waits at most timeout_ns for its reply, a JSON object that the caller
 * releases: {"command":"ping","id":7,"step":340,"level":"applied","status":"RK_OK","value":[...]}.
 * A timeout is no error: the level then says how far it got. `keep_waiting` (may be NULL) is asked
 * now and then; false ends the wait. Blocks.
 */
rk_status rk_order_carry_out(const rk_order *order, rk_kernel *kernel, const char *const *args,
                             size_t count, uint64_t timeout_ns, bool (*keep_waiting)(void *),
                             void *context, json_t **out_reply, rk_err *err);

/* Appends such a reply for people: "room: ping 5 applied at step 340". */
void rk_order_append_text(rk_str *out, const char *kernel, const json_t *reply);

#endif
