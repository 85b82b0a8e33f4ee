/*
 * support.h: a system with a log, and an actor that does what it is told.
 *
 * Every line of the log is a short text; tests compare the log with what they expect. A probe is an
 * actor whose messages are commands: see the PROBE_ types.
 */
#ifndef RK_TESTS_RUNTIME_ACTOR_SUPPORT_H
#define RK_TESTS_RUNTIME_ACTOR_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include <ringkernel/actor_system.h>

#define LOG_LINES 4096
#define LOG_LINE_BYTES 64

typedef struct actor_log {
    rk_mutex lock;
    size_t count;
    char line[LOG_LINES][LOG_LINE_BYTES];
    size_t event_count;
    rk_actor_event event[LOG_LINES]; /* text is not kept */
} actor_log;

/* The one log of the test program. */
extern actor_log test_log;

void log_clear(void);
void log_add(const char *format, ...) RK_PRINTF(1, 2);
/* Whether the log is exactly these lines, separated by spaces, and clears it. Fails the test if
 * not.
 */
void log_expect(const char *expected);
/* How many events of a kind there were for an id (RK_ACTOR_NONE: any). */
size_t events_of(rk_actor_event_kind kind, rk_actor_id id);
void log_event(void *context, const rk_actor_event *event);

/* A system whose events go to the log's array. */
rk_actor_system *system_make(uint32_t workers, rk_actor_delivery delivery, bool paused);
rk_actor_type_id type_add(rk_actor_system *system, const rk_actor_type *type);
rk_actor_id actor_add(rk_actor_system *system, rk_actor_type_id type);
void settle(rk_actor_system *system);
/* Idle, and sent = handled + dead + dropped. */
void settle_balanced(rk_actor_system *system);
rk_actor_phase phase_of(rk_actor_system *system, rk_actor_id id);
void tell(rk_actor_system *system, rk_actor_id to, uint32_t type, uint64_t value);

enum {
    PROBE_SAY = RK_MSG_TYPE_USER, /* logs "<name>:<value>" */
    PROBE_COUNT,                  /* adds one to the state and logs "<name>#<count>" */
    PROBE_FAIL,                   /* returns RK_IO */
    PROBE_PANIC,
    PROBE_EXIT,
    PROBE_ECHO, /* replies with the payload */
    PROBE_WAIT, /* waits until test_gate differs from value */
    PROBE_BEAT,
};

/* State of a probe: its name is a letter and a number from its argument. */
typedef struct probe_state {
    char name[8];
    uint64_t count;
} probe_state;

/* A futex word on which PROBE_WAIT waits. */
extern uint32_t test_gate;
void gate_open(void);

void probe_init(void *state, const void *arg, uint32_t arg_bytes);
rk_status probe_message(rk_actor_ctx *ctx, const rk_actor_msg *msg);
rk_status probe_start(rk_actor_ctx *ctx);                   /* logs "+<name>" */
void probe_stop(rk_actor_ctx *ctx, rk_actor_reason reason); /* logs "-<name>" */
/* A probe type; name is its name and that of actors without an argument. */
rk_actor_type probe_type(const char *name);
rk_actor_id probe_add(rk_actor_system *system, rk_actor_type_id type, const char *name,
                      rk_actor_id parent);

#endif
