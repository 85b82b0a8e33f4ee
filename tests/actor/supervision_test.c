/*
 * supervision_test.c: what happens when actors fail: restarts by every strategy against a
 * model, limits, escalation, order of ends, heartbeats.
 */
#include "actor/support.h"
#include "base/wait.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rk_actor_delivery deliveries[] = {RK_ACTOR_FREE, RK_ACTOR_ORDERED};

#define CHILDREN 5

/* A supervisor of CHILDREN probes "0".."4". */
typedef struct family {
    rk_actor_system *system;
    rk_actor_type_id parent_type, child_type;
    rk_actor_id parent;
    rk_actor_id child[CHILDREN];
} family;

static rk_actor_type supervisor_type(const char *name, rk_actor_strategy strategy,
                                     uint32_t max_restarts)
{
    rk_actor_type type = probe_type(name);
    type.strategy = strategy;
    type.max_restarts = max_restarts;
    return type;
}

static family family_make(rk_actor_delivery delivery, uint32_t workers, rk_actor_strategy strategy,
                          rk_actor_restart restart, uint32_t max_restarts)
{
    family f = {.system = system_make(workers, delivery, false)};
    rk_actor_type type = supervisor_type("parent", strategy, max_restarts);
    f.parent_type = type_add(f.system, &type);
    type = probe_type("child");
    type.restart = restart;
    type.on_start = probe_start;
    type.on_stop = probe_stop;
    f.child_type = type_add(f.system, &type);
    f.parent = probe_add(f.system, f.parent_type, "p", RK_ACTOR_NONE);
    for (int i = 0; i < CHILDREN; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        f.child[i] = probe_add(f.system, f.child_type, name, f.parent);
        settle(f.system);
    }
    log_expect("+0 +1 +2 +3 +4");
    return f;
}

static void expect_strategy(rk_actor_strategy strategy, unsigned victim, const char *expected)
{
    for (size_t d = 0; d < 4; d++) {
        family f = family_make(deliveries[d % 2], d < 2 ? 1 : 2, strategy, RK_ACTOR_TRANSIENT, 3);
        tell(f.system, f.child[victim], d % 2 == 0 ? PROBE_PANIC : PROBE_FAIL, 0);
        settle_balanced(f.system);
        log_expect(expected);
        for (unsigned i = 0; i < CHILDREN; i++) {
            assert_int_equal(phase_of(f.system, f.child[i]), RK_ACTOR_ACTIVE);
        }
        assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, RK_ACTOR_NONE), 1);
        rk_actor_system_destroy(f.system);
    }
}

static void one_for_one(void **state)
{
    (void)state;
    expect_strategy(RK_ACTOR_ONE_FOR_ONE, 2, "+2");
}

static void one_for_all(void **state)
{
    (void)state;
    expect_strategy(RK_ACTOR_ONE_FOR_ALL, 2, "-4 -3 -1 -0 +0 +1 +2 +3 +4");
}

static void rest_for_one(void **state)
{
    (void)state;
    expect_strategy(RK_ACTOR_REST_FOR_ONE, 2, "-4 -3 +2 +3 +4");
    expect_strategy(RK_ACTOR_REST_FOR_ONE, 4, "+4");
    expect_strategy(RK_ACTOR_REST_FOR_ONE, 0, "-4 -3 -2 -1 +0 +1 +2 +3 +4");
}

static void stay_failed(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        family f = family_make(deliveries[d], 2, RK_ACTOR_STAY_FAILED, RK_ACTOR_TRANSIENT, 3);
        tell(f.system, f.child[1], PROBE_FAIL, 0);
        settle(f.system);
        assert_int_equal(phase_of(f.system, f.child[1]), RK_ACTOR_FAILED);
        tell(f.system, f.child[1], PROBE_SAY, 5);
        settle(f.system);
        log_expect("");
        assert_int_equal(rk_actor_system_restart(f.system, f.child[1]), RK_OK);
        settle_balanced(f.system);
        log_expect("+1 1:5");
        tell(f.system, f.child[1], PROBE_FAIL, 0);
        settle(f.system);
        assert_int_equal(rk_actor_system_kill(f.system, f.child[1]), RK_OK);
        settle(f.system);
        assert_int_equal(phase_of(f.system, f.child[1]), RK_ACTOR_TERMINATED);
        log_expect("");
        assert_int_equal(rk_actor_system_shutdown(f.system, RK_NEVER), RK_OK);
        rk_actor_system_destroy(f.system);
    }
}

static void a_restart_keeps_id_and_queue_and_forgets_state(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        family f = family_make(deliveries[d], 1, RK_ACTOR_ONE_FOR_ONE, RK_ACTOR_TRANSIENT, 3);
        assert_int_equal(rk_actor_system_pause(f.system), RK_OK);
        tell(f.system, f.child[3], PROBE_COUNT, 0);
        tell(f.system, f.child[3], PROBE_COUNT, 0);
        tell(f.system, f.child[3], PROBE_PANIC, 0);
        tell(f.system, f.child[3], PROBE_COUNT, 0);
        tell(f.system, f.child[3], PROBE_COUNT, 0);
        assert_int_equal(rk_actor_system_resume(f.system), RK_OK);
        settle_balanced(f.system);
        log_expect("3#1 3#2 +3 3#1 3#2");
        assert_int_equal(events_of(RK_ACTOR_EVENT_RESTARTED, f.child[3]), 1);
        rk_actor_stats stats;
        rk_actor_system_stats(f.system, &stats);
        assert_int_equal(stats.failures, 1);
        assert_int_equal(stats.restarts, 1);
        rk_actor_system_destroy(f.system);
    }
}

static void kinds_of_children(void **state)
{
    (void)state;
    const struct {
        rk_actor_restart restart;
        uint32_t type;
        const char *expected;
        rk_actor_phase phase;
    } cases[] = {
        {RK_ACTOR_PERMANENT, PROBE_EXIT, "-1 +1", RK_ACTOR_ACTIVE},
        {RK_ACTOR_PERMANENT, PROBE_FAIL, "+1", RK_ACTOR_ACTIVE},
        {RK_ACTOR_TRANSIENT, PROBE_EXIT, "-1", RK_ACTOR_TERMINATED},
        {RK_ACTOR_TRANSIENT, PROBE_FAIL, "+1", RK_ACTOR_ACTIVE},
        {RK_ACTOR_TEMPORARY, PROBE_EXIT, "-1", RK_ACTOR_TERMINATED},
        {RK_ACTOR_TEMPORARY, PROBE_FAIL, "", RK_ACTOR_TERMINATED},
    };
    for (size_t d = 0; d < 2; d++) {
        for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
            /* As a child, and as a root. */
            family f = family_make(deliveries[d], 1, RK_ACTOR_ONE_FOR_ONE, cases[i].restart, 3);
            tell(f.system, f.child[1], cases[i].type, 0);
            settle_balanced(f.system);
            log_expect(cases[i].expected);
            assert_int_equal(phase_of(f.system, f.child[1]), cases[i].phase);
            rk_actor_id root = probe_add(f.system, f.child_type, "1", RK_ACTOR_NONE);
            settle(f.system);
            log_expect("+1");
            tell(f.system, root, cases[i].type, 0);
            settle_balanced(f.system);
            log_expect(cases[i].expected);
            assert_int_equal(phase_of(f.system, root), cases[i].phase);
            rk_actor_system_destroy(f.system);
        }
    }
}

static void temporary_siblings_end_instead_of_restarting(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        family f = family_make(deliveries[d], 1, RK_ACTOR_ONE_FOR_ALL, RK_ACTOR_TRANSIENT, 3);
        rk_actor_type type = probe_type("temporary");
        type.restart = RK_ACTOR_TEMPORARY;
        type.on_stop = probe_stop;
        rk_actor_id guest = probe_add(f.system, type_add(f.system, &type), "t", f.parent);
        tell(f.system, guest, PROBE_SAY, 1);
        settle(f.system);
        log_expect("t:1");
        tell(f.system, f.child[0], PROBE_FAIL, 0);
        settle_balanced(f.system);
        assert_int_equal(phase_of(f.system, guest), RK_ACTOR_TERMINATED);
        assert_int_equal(phase_of(f.system, f.child[4]), RK_ACTOR_ACTIVE);
        rk_actor_system_destroy(f.system);
    }
}

static void too_many_failures_escalate(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        family f = family_make(deliveries[d], 2, RK_ACTOR_ONE_FOR_ONE, RK_ACTOR_TRANSIENT, 0);
        /* The default: three in sixty seconds. */
        for (unsigned i = 0; i < 3; i++) {
            tell(f.system, f.child[i], PROBE_FAIL, 0);
            settle(f.system);
        }
        log_expect("+0 +1 +2");
        rk_test_clock_step(&clock, 60ull * RK_NS_PER_S);
        for (unsigned i = 0; i < 3; i++) {
            tell(f.system, f.child[i], PROBE_FAIL, 0);
            settle(f.system);
        }
        log_expect("+0 +1 +2");
        assert_int_equal(events_of(RK_ACTOR_EVENT_ESCALATED, RK_ACTOR_NONE), 0);
        rk_test_clock_step(&clock, 60ull * RK_NS_PER_S - 1);
        tell(f.system, f.child[4], PROBE_FAIL, 0);
        settle(f.system);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ESCALATED, f.parent), 1);
        assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, f.parent), 1);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ENDED, RK_ACTOR_NONE), CHILDREN);
        /* The parent, a root, is restarted without its children. */
        assert_int_equal(events_of(RK_ACTOR_EVENT_RESTARTED, f.parent), 1);
        assert_int_equal(phase_of(f.system, f.parent), RK_ACTOR_ACTIVE);
        rk_actor_system_destroy(f.system);
        rk_test_clock_remove(&clock);
    }
}

/* A supervisor that spawns one failing child whenever it starts. */
static rk_status start_child(rk_actor_ctx *ctx)
{
    rk_actor_id child;
    rk_actor_type_id type;
    memcpy(&type, (char *)rk_actor_state(ctx), sizeof type);
    return rk_actor_spawn(ctx, type, NULL, &child);
}

static void type_init(void *state, const void *arg, uint32_t arg_bytes)
{
    memcpy(state, arg, arg_bytes);
}

static rk_status always_fail(rk_actor_ctx *ctx)
{
    (void)ctx;
    return RK_UNSUPPORTED;
}

static void escalation_climbs_the_tree(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_type type = probe_type("hopeless");
        type.on_start = always_fail;
        rk_actor_type_id bottom = type_add(system, &type);
        type = (rk_actor_type){.name = "middle",
                               .state_bytes = sizeof(rk_actor_type_id),
                               .init = type_init,
                               .on_start = start_child,
                               .on_message = probe_message};
        rk_actor_type_id middle = type_add(system, &type);
        rk_actor_type top_type = supervisor_type("top", RK_ACTOR_ONE_FOR_ONE, 2);
        top_type.restart = RK_ACTOR_TEMPORARY;
        rk_actor_id top = probe_add(system, type_add(system, &top_type), "top", RK_ACTOR_NONE);
        const rk_actor_spawn_options options = {
            .arg = &bottom, .arg_bytes = sizeof bottom, .parent = top};
        rk_actor_id mid;
        assert_int_equal(rk_actor_system_spawn(system, middle, &options, &mid), RK_OK);
        settle(system);
        /* Each life of the middle one sees 4 failures of its child; it lives 3 times. */
        assert_int_equal(events_of(RK_ACTOR_EVENT_ESCALATED, mid), 3);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ESCALATED, top), 1);
        assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, RK_ACTOR_NONE), 3 * 4 + 3 + 1);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ENDED, top), 1);
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.actors, 0);
        rk_actor_system_destroy(system);
    }
}

static void a_root_gives_up_in_the_end(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = probe_type("hopeless");
        type.on_start = always_fail;
        type.max_restarts = 1000;
        rk_actor_id root = actor_add(system, type_add(system, &type));
        settle(system);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ESCALATED, root), 1);
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.failures, 1001);
        assert_int_equal(stats.restarts, 1000);
        assert_int_equal(stats.actors, 0);
        rk_actor_system_destroy(system);
    }
}

/* Fails random children and compares starts and stops with what the strategy says. */
static void random_failures_agree_with_a_model(void **state)
{
    (void)state;
    const rk_actor_strategy strategies[] = {RK_ACTOR_ONE_FOR_ONE, RK_ACTOR_ONE_FOR_ALL,
                                            RK_ACTOR_REST_FOR_ONE};
    uint32_t random = 7;
    for (size_t s = 0; s < 6; s++) {
        rk_actor_strategy strategy = strategies[s % 3];
        family f = family_make(deliveries[s / 3], 2, strategy, RK_ACTOR_TRANSIENT, 1000);
        for (unsigned round = 0; round < 100; round++) {
            random = random * 1664525u + 1013904223u;
            unsigned victim = random >> 24 & 3;
            bool panic = (random >> 20 & 1) != 0;
            unsigned first = strategy == RK_ACTOR_ONE_FOR_ALL ? 0 : victim;
            unsigned last = strategy == RK_ACTOR_ONE_FOR_ONE ? victim : CHILDREN - 1;
            char expected[128] = "";
            for (unsigned i = last + 1; i-- > first;) {
                if (i != victim) {
                    snprintf(expected + strlen(expected), 8, "-%u ", i);
                }
            }
            for (unsigned i = first; i <= last; i++) {
                snprintf(expected + strlen(expected), 8, "+%u ", i);
            }
            expected[strlen(expected) - 1] = '\0';
            tell(f.system, f.child[victim], panic ? PROBE_PANIC : PROBE_FAIL, 0);
            settle_balanced(f.system);
            log_expect(expected);
        }
        rk_actor_system_destroy(f.system);
    }
}

static void several_failures_at_once_leave_all_children_up(void **state)
{
    (void)state;
    for (size_t s = 0; s < 6; s++) {
        family f =
            family_make(deliveries[s / 3], 2, (rk_actor_strategy)(s % 3), RK_ACTOR_PERMANENT, 1000);
        for (unsigned round = 0; round < 30; round++) {
            assert_int_equal(rk_actor_system_pause(f.system), RK_OK);
            for (unsigned i = 0; i < CHILDREN; i++) {
                tell(f.system, f.child[i], i % 2 == 0 ? PROBE_PANIC : PROBE_EXIT, 0);
                tell(f.system, f.child[i], PROBE_COUNT, 0);
            }
            assert_int_equal(rk_actor_system_resume(f.system), RK_OK);
            settle_balanced(f.system);
            for (unsigned i = 0; i < CHILDREN; i++) {
                assert_int_equal(phase_of(f.system, f.child[i]), RK_ACTOR_ACTIVE);
            }
            log_clear();
        }
        assert_int_equal(events_of(RK_ACTOR_EVENT_ENDED, RK_ACTOR_NONE), 0);
        assert_int_equal(rk_actor_system_shutdown(f.system, RK_NEVER), RK_OK);
        rk_actor_system_destroy(f.system);
    }
}

static void killing_a_family_under_repair_ends_it(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        family f = family_make(deliveries[round % 2], 2, (rk_actor_strategy)(round % 3),
                               RK_ACTOR_TRANSIENT, 1000);
        tell(f.system, f.child[round % CHILDREN], PROBE_PANIC, 0);
        tell(f.system, f.child[(round + 2) % CHILDREN], PROBE_FAIL, 0);
        if (round % 4 < 2) {
            (void)rk_actor_system_kill(f.system, f.child[(round + 1) % CHILDREN]);
        }
        if (round % 3 == 0) {
            assert_int_equal(rk_actor_system_stop(f.system, f.parent), RK_OK);
        } else {
            assert_int_equal(rk_actor_system_kill(f.system, f.parent), RK_OK);
        }
        settle_balanced(f.system);
        rk_actor_stats stats;
        rk_actor_system_stats(f.system, &stats);
        assert_int_equal(stats.actors, 0);
        rk_actor_system_destroy(f.system);
    }
}

static void a_permanent_child_can_exit_while_its_parent_stops(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        family f = family_make(deliveries[d], 1, RK_ACTOR_ONE_FOR_ONE, RK_ACTOR_PERMANENT, 3);
        assert_int_equal(rk_actor_system_pause(f.system), RK_OK);
        assert_int_equal(rk_actor_system_stop(f.system, f.parent), RK_OK);
        assert_int_equal(rk_actor_system_stop(f.system, f.child[2]), RK_OK);
        tell(f.system, f.child[2], PROBE_EXIT, 0);
        assert_int_equal(rk_actor_system_resume(f.system), RK_OK);
        settle_balanced(f.system);
        assert_int_equal(phase_of(f.system, f.child[2]), RK_ACTOR_TERMINATED);
        assert_int_equal(phase_of(f.system, f.parent), RK_ACTOR_TERMINATED);
        assert_int_equal(events_of(RK_ACTOR_EVENT_RESTARTED, RK_ACTOR_NONE), 0);
        rk_actor_system_destroy(f.system);
    }
}

static uint32_t stopping; /* futex word: on_stop runs */

static void stop_at_gate(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    (void)ctx;
    (void)reason;
    rk_atomic_store_u32(&stopping, 1, memory_order_seq_cst);
    rk_wake(&stopping, RK_WAKE_ALL);
    (void)rk_wait_while_equal(&test_gate, 0, RK_NEVER, 0);
}

static void a_child_may_come_and_go_while_its_parent_ends(void **state)
{
    (void)state;
    const rk_actor_send_options urgent = {.priority = RK_ACTOR_PRIORITY(7)};
    const uint64_t zero = 0;
    for (unsigned sorted = 0; sorted < 2; sorted++) {
        rk_actor_system *system = system_make(2, RK_ACTOR_FREE, false);
        rk_actor_type type = probe_type("parent");
        type.on_stop = stop_at_gate;
        rk_actor_id parent = actor_add(system, type_add(system, &type));
        type = probe_type("child");
        rk_actor_type_id child_type = type_add(system, &type);
        rk_atomic_store_u32(&stopping, 0, memory_order_seq_cst);
        assert_int_equal(rk_actor_system_kill(system, parent), RK_OK);
        (void)rk_wait_while_equal(&stopping, 0, RK_NEVER, 0);
        /* One worker hangs in on_stop. The other one runs the child, and then who answers. */
        rk_actor_id child = probe_add(system, child_type, "c", parent);
        assert_int_equal(rk_actor_system_send(system, parent, PROBE_SAY, &zero, sizeof zero,
                                              sorted ? &urgent : NULL),
                         RK_OK);
        assert_int_equal(rk_actor_system_kill(system, child), RK_OK);
        rk_actor_id other = actor_add(system, child_type);
        rk_actor_phase phase = RK_ACTOR_DORMANT;
        do {
            rk_actor_future *future = NULL;
            rk_actor_reply_view reply;
            assert_int_equal(rk_actor_system_phase(system, child, &phase), RK_OK);
            assert_int_equal(rk_actor_system_ask(system, other, PROBE_ECHO, &zero, sizeof zero,
                                                 RK_NEVER, &future),
                             RK_OK);
            assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_OK);
            rk_actor_future_destroy(future);
        } while (phase != RK_ACTOR_TERMINATED);
        gate_open();
        settle_balanced(system);
        assert_int_equal(phase_of(system, parent), RK_ACTOR_TERMINATED);
        assert_int_equal(rk_actor_system_kill(system, other), RK_OK);
        settle_balanced(system);
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.actors, 0);
        rk_actor_system_destroy(system);
    }
}

static void restart_on_request_takes_the_children_along(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        family f = family_make(deliveries[d], 1, RK_ACTOR_ONE_FOR_ONE, RK_ACTOR_TRANSIENT, 3);
        rk_actor_id grandchild = probe_add(f.system, f.child_type, "g", f.child[2]);
        settle(f.system);
        log_expect("+g");
        assert_int_equal(rk_actor_system_restart(f.system, f.child[2]), RK_OK);
        settle_balanced(f.system);
        log_expect("-g -2 +2");
        assert_int_equal(phase_of(f.system, grandchild), RK_ACTOR_TERMINATED);
        rk_actor_system_destroy(f.system);
    }
}

static void panic_stop(rk_actor_ctx *ctx, rk_actor_reason reason)
{
    (void)reason;
    rk_actor_id id;
    assert_int_equal(rk_actor_spawn(ctx, 0, NULL, &id), RK_STATE);
    rk_actor_panic(ctx, RK_IO, NULL);
}

static rk_status panic_start(rk_actor_ctx *ctx)
{
    rk_actor_panic(ctx, RK_IO,
                   "a long text that says at some length what went wrong, and is cut "
                   "because nobody needs more than one hundred and twenty-seven bytes "
                   "of it");
}

static void panics_in_on_start_and_on_stop_are_contained(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = probe_type("stopper");
        type.on_stop = panic_stop;
        rk_actor_id stopper = actor_add(system, type_add(system, &type));
        type = probe_type("starter");
        type.on_start = panic_start;
        type.restart = RK_ACTOR_TEMPORARY;
        rk_actor_id starter = actor_add(system, type_add(system, &type));
        settle(system);
        assert_int_equal(phase_of(system, starter), RK_ACTOR_TERMINATED);
        assert_int_equal(rk_actor_system_stop(system, stopper), RK_OK);
        settle(system);
        assert_int_equal(phase_of(system, stopper), RK_ACTOR_TERMINATED);
        assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, RK_ACTOR_NONE), 2);
        rk_actor_system_destroy(system);
    }
}

/* --- Heartbeats --- */

static rk_actor_id beating(rk_actor_system *system, rk_actor_heartbeat heartbeat)
{
    rk_actor_type type = probe_type("beating");
    type.on_start = probe_start;
    type.heartbeat = heartbeat;
    rk_actor_id id = actor_add(system, type_add(system, &type));
    settle(system);
    log_expect("+p");
    return id;
}

static void pass(rk_actor_system *system, rk_test_clock *clock, unsigned ms)
{
    for (unsigned i = 0; i < ms / 50; i++) {
        rk_test_clock_step(clock, 50 * RK_NS_PER_MS);
        rk_actor_system_tick(system);
        settle(system);
    }
}

static void manual_heartbeats(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, RK_NS_PER_S, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_id id = beating(system, RK_ACTOR_HEARTBEAT_MANUAL);
        pass(system, &clock, 450);
        tell(system, id, PROBE_BEAT, 0);
        settle(system);
        pass(system, &clock, 450);
        assert_int_equal(events_of(RK_ACTOR_EVENT_BEAT_MISSED, id), 0);
        /* Other messages are no beats. */
        tell(system, id, PROBE_SAY, 0);
        settle(system);
        pass(system, &clock, 250);
        assert_int_equal(events_of(RK_ACTOR_EVENT_BEAT_MISSED, id), 1);
        assert_int_equal(events_of(RK_ACTOR_EVENT_RESTARTED, id), 1);
        log_expect("p:0 +p");
        pass(system, &clock, 300);
        assert_int_equal(events_of(RK_ACTOR_EVENT_BEAT_MISSED, id), 1);
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

static void automatic_heartbeats(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, RK_NS_PER_S, 1000);
    rk_actor_system *system = system_make(2, RK_ACTOR_FREE, false);
    rk_actor_id id = beating(system, RK_ACTOR_HEARTBEAT_AUTO);
    /* An idle actor is alive. */
    pass(system, &clock, 3000);
    assert_int_equal(events_of(RK_ACTOR_EVENT_BEAT_MISSED, id), 0);
    /* One that hangs is not; it is restarted when its handler returns. */
    tell(system, id, PROBE_WAIT, 0);
    while (events_of(RK_ACTOR_EVENT_BEAT_MISSED, id) == 0) {
        rk_test_clock_step(&clock, 50 * RK_NS_PER_MS);
        rk_actor_system_tick(system);
    }
    assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, id), 0);
    gate_open();
    settle(system);
    assert_int_equal(events_of(RK_ACTOR_EVENT_FAILED, id), 1);
    assert_int_equal(events_of(RK_ACTOR_EVENT_RESTARTED, id), 1);
    log_expect("+p");
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.beats_missed, 1);
    assert_int_equal(rk_actor_system_shutdown(system, RK_NEVER), RK_OK);
    rk_actor_system_destroy(system);
    rk_test_clock_remove(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_one),
        cmocka_unit_test(one_for_all),
        cmocka_unit_test(rest_for_one),
        cmocka_unit_test(stay_failed),
        cmocka_unit_test(a_restart_keeps_id_and_queue_and_forgets_state),
        cmocka_unit_test(kinds_of_children),
        cmocka_unit_test(temporary_siblings_end_instead_of_restarting),
        cmocka_unit_test(too_many_failures_escalate),
        cmocka_unit_test(escalation_climbs_the_tree),
        cmocka_unit_test(a_root_gives_up_in_the_end),
        cmocka_unit_test(random_failures_agree_with_a_model),
        cmocka_unit_test(several_failures_at_once_leave_all_children_up),
        cmocka_unit_test(killing_a_family_under_repair_ends_it),
        cmocka_unit_test(a_permanent_child_can_exit_while_its_parent_stops),
        cmocka_unit_test(a_child_may_come_and_go_while_its_parent_ends),
        cmocka_unit_test(restart_on_request_takes_the_children_along),
        cmocka_unit_test(panics_in_on_start_and_on_stop_are_contained),
        cmocka_unit_test(manual_heartbeats),
        cmocka_unit_test(automatic_heartbeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
