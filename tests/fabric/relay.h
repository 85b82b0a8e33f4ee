/*
 * relay.h: the relay kernel as a module, and what tests of attachments share.
 */
#ifndef TESTS_FABRIC_RELAY_H
#define TESTS_FABRIC_RELAY_H

#include "base/thread.h"
#include "tests/fabric/fabric_support.h"
#include <ringkernel/attach.h>
#include <ringkernel/command.h>

/* What relay_kernel.c knows. */
#define RELAY_COUNT 300u
#define RELAY_FORWARD 310u
#define RELAY_FORWARDED 311u
#define RELAY_TELL 312u
#define RELAY_TOLD 313u
#define RELAY_ASK 320u
#define RELAY_ANSWER 321u
#define RELAY_KEEP_SILENT 330u
#define RELAY_PANIC 340u

#define RELAY_SEEN_COUNT 0
#define RELAY_SEEN_SUM 1
#define RELAY_SEEN_TYPE 2
#define RELAY_SEEN_DUPLICATES 3

/* A fabric whose events can be waited for from any thread. */
typedef struct relay_fabric {
    rk_fabric *fabric;
    rk_deadletter_queue *letters;
    rk_mutex lock;
    rk_cond changed;
    uint32_t counts[RK_FABRIC_FENCED + 1]; /* by kind of event */
    uint32_t restarts;                     /* of kernels, see relay_on_event */
} relay_fabric;

/* options may be NULL; callbacks and dead letters are filled in. */
void relay_open(relay_fabric *t, const rk_fabric_options *options);
void relay_close(relay_fabric *t);
/* Waits until so many events of this kind have come. */
void relay_wait(relay_fabric *t, rk_fabric_event_kind kind, uint32_t count);
/* Waits until kernels have been restarted so often. */
void relay_wait_restarts(relay_fabric *t, uint32_t count);
/* Dead letters added for this reason. */
uint64_t relay_letters(relay_fabric *t, rk_deadletter_reason reason);

/* A runtime whose restarts the fabric counts; RK_ISOLATION_PROCESS needs a main that serves
 * "__host". */
rk_runtime *relay_runtime(relay_fabric *t, rk_isolation isolation);
/* A created relay; launch->module is filled in. */
rk_kernel *relay_create(rk_runtime *runtime, const rk_launch *launch);
rk_kernel *relay_start(rk_runtime *runtime, const char *name);
/* One word of the field "seen", after all that is in the ring. */
uint64_t relay_seen(rk_kernel *kernel, uint64_t index);
rk_attachment *relay_attach(relay_fabric *t, rk_kernel *kernel, const rk_attach_options *options);
/* Sends a number to a name; from: 0 for the host. */
rk_receipt relay_send(relay_fabric *t, uint32_t from, const char *name, uint32_t type,
                      uint64_t value);
/* Publishes a number; returns what became of it. */
rk_publish_result relay_publish(relay_fabric *t, const char *topic, uint64_t value, uint32_t qos,
                                bool retain);
/* Receives a number of this type; waits for it. */
uint64_t relay_receive(rk_mailbox *mailbox, uint32_t type);
rk_mailbox *relay_mailbox(relay_fabric *t, const char *name);

#endif
