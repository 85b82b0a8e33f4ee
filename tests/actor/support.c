/*
 * support.c: the log and the probe.
 */
#include "actor/support.h"
#include "base/wait.h"
#include <stdio.h>
#include <string.h>

actor_log test_log = {.lock = RK_MUTEX_INIT};
uint32_t test_gate;

void log_clear(void)
{
    rk_mutex_lock(&test_log.lock);
    test_log.count = 0;
    test_log.event_count = 0;
    rk_mutex_unlock(&test_log.lock);
}

void log_add(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rk_mutex_lock(&test_log.lock);
    if (test_log.count < LOG_LINES) {
        vsnprintf(test_log.line[test_log.count++], LOG_LINE_BYTES, format, args);
    }
    rk_mutex_unlock(&test_log.lock);
    va_end(args);
}

void log_expect(const char *expected)
{
    static char got[LOG_LINES * 8];
    size_t used = 0;
    rk_mutex_lock(&test_log.lock);
    got[0] = '\0';
    for (size_t i = 0; i < test_log.count && used < sizeof got; i++) {
        int length =
            snprintf(got + used, sizeof got - used, "%s%s", i == 0 ? "" : " ", test_log.line[i]);
        used += (size_t)length;
    }
    test_log.count = 0;
    rk_mutex_unlock(&test_log.lock);
    assert_string_equal(got, expected);
}

void log_event(void *context, const rk_actor_event *event)
{
    (void)context;
    rk_mutex_lock(&test_log.lock);
    if (test_log.event_count < LOG_LINES) {
        test_log.event[test_log.event_count] = *event;
        test_log.event[test_log.event_count++].text = NULL;
    }
    rk_mutex_unlock(&test_log.lock);
}

size_t events_of(rk_actor_event_kind kind, rk_actor_id id)
{
    size_t count = 0;
    rk_mutex_lock(&test_log.lock);
    for (size_t i = 0; i < test_log.event_count; i++) {
        const rk_actor_event *e = &test_log.event[i];
        count += e->kind == kind && (id == RK_ACTOR_NONE || e->id == id);
    }
    rk_mutex_unlock(&test_log.lock);
    return count;
}

rk_actor_system *system_make(uint32_t workers, rk_actor_delivery delivery, bool paused)
{
    const rk_actor_system_options options = {
        .workers = workers, .delivery = delivery, .paused = paused, .on_event = log_event};
    rk_actor_system *system = NULL;
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_actor_system_create(&options, &system, &err);
    if (status != RK_OK) {
        fail_msg("%s", err.text);
    }
    log_clear();
    rk_atomic_store_u32(&test_gate, 0, memory_order_seq_cst);
    return system;
}

rk_actor_type_id type_add(rk_actor_system *system, const rk_actor_type *type)
{
    rk_actor_type_id id = 0;
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_actor_system_register_type(system, type, &id, &err);
    if (status != RK_OK) {
        fail_msg("%s", err.text);
    }
    return id;
}

rk_actor_id actor_add(rk_actor_system *system, rk_actor_type_id type)
{
    rk_actor_id id = RK_ACTOR_NONE;
    assert_int_equal(rk_actor_system_spawn(system, type, NULL, &id), RK_OK);
    assert_int_not_equal(id, RK_ACTOR_NONE);
    return id;
}

void settle(rk_actor_system *system)
{
    assert_int_equal(rk_actor_system_wait_idle(system, RK_NEVER), RK_OK);
}

void settle_balanced(rk_actor_system *system)
{
    settle(system);
    rk_actor_stats s;
    rk_actor_system_stats(system, &s);
    assert_int_equal(s.sent, s.handled + s.dead + s.dropped);
}

rk_actor_phase phase_of(rk_actor_system *system, rk_actor_id id)
{
    rk_actor_phase phase = RK_ACTOR_DORMANT;
    assert_int_equal(rk_actor_system_phase(system, id, &phase), RK_OK);
    return phase;
}

void tell(rk_actor_system *system, rk_actor_id to, uint32_t type, uint64_t value)
{
    assert_int_equal(rk_actor_system_send(system, to, type, &value, sizeof value, NULL), RK_OK);
}

void gate_open(void)
{
    rk_atomic_store_u32(&test_gate, 1, memory_order_seq_cst);
    rk_wake(&test_gate, RK_WAKE_ALL);
}

void probe_init(void *state, const void *arg, uint32_t arg_bytes)
{
    probe_state *s = state;
    if (arg_bytes != 0 && arg_bytes < sizeof s->name) {
        memcpy(s->name, arg, arg_bytes);
    } else {
        memcpy(s->name, "p", 2);
    }
}

rk_status probe_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    probe_state *s = rk_actor_state(ctx);
    uint64_t value = 0;
    memcpy(&value, msg->payload, msg->length < sizeof value ? msg->length : sizeof value);
    switch (msg->type) {
    case PROBE_SAY: log_add("%s:%llu", s->name, (unsigned long long)value); break;
    case PROBE_COUNT: log_add("%s#%llu", s->name, (unsigned long long)++s->count); break;
    case PROBE_FAIL: return RK_IO;
    case PROBE_PANIC: rk_actor_panic(ctx, RK_CORRUPT, "told to panic");
    case PROBE_EXIT: rk_actor_exit(ctx); break;
    case PROBE_ECHO:
        assert_int_equal(rk_actor_reply(ctx, msg, PROBE_SAY, msg->payload, msg->length), RK_OK);
        break;
    case PROBE_WAIT: (void)rk_wait_while_equal(&test_gate, (uint32_t)value, RK_NEVER, 0); break;
    case PROBE_BEAT: rk_actor_beat(ctx); break;
    default: log_add("%s?%u", s->name, msg->type); break;
    }
    return RK_OK;
}

rk_status probe_start(rk_actor_ctx *ctx)
{
    const probe_state *s = rk_actor_state(ctx);
    log_add("+%s", s->name);
    return RK_OK;
}

void probe_stop(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    (void)reason;
    const probe_state *s = rk_actor_state(ctx);
    log_add("-%s", s->name);
}

rk_actor_type probe_type(const char *name)
{
    return (rk_actor_type){.name = name,
                           .state_bytes = sizeof(probe_state),
                           .init = probe_init,
                           .on_message = probe_message};
}

rk_actor_id probe_add(rk_actor_system *system, rk_actor_type_id type, const char *name,
                      rk_actor_id parent)
{
    const rk_actor_spawn_options options = {
        .arg = name, .arg_bytes = (uint32_t)strlen(name) + 1, .parent = parent};
    rk_actor_id id = RK_ACTOR_NONE;
    assert_int_equal(rk_actor_system_spawn(system, type, &options, &id), RK_OK);
    return id;
}
