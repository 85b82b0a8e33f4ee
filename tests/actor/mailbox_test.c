/*
 * mailbox_test.c: limits and what a full mailbox does, priorities, deadlines.
 */
#include "actor/support.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

static const rk_actor_delivery deliveries[] = {RK_ACTOR_FREE, RK_ACTOR_ORDERED};

static rk_actor_id limited(rk_actor_system *system, rk_actor_full full, uint32_t limit)
{
    rk_actor_type type = probe_type("limited");
    type.mailbox_limit = limit;
    type.full = full;
    return actor_add(system, type_add(system, &type));
}

static rk_status try_tell(rk_actor_system *system, rk_actor_id to, uint64_t value,
                          uint32_t priority)
{
    const rk_actor_send_options options = {.priority = priority};
    return rk_actor_system_send(system, to, PROBE_SAY, &value, sizeof value, &options);
}

/* Sends 0..5 to a mailbox of 3; then lets it run. */
static void fill(rk_actor_system *system, rk_actor_id to, rk_status when_full)
{
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(try_tell(system, to, i, 0), i < 3 ? RK_OK : when_full);
    }
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    settle_balanced(system);
}

static rk_actor_stats stats_of(rk_actor_system *system)
{
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    return stats;
}

static void full_refuse(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, true);
    rk_actor_id to = limited(system, RK_ACTOR_FULL_REFUSE, 3);
    fill(system, to, RK_FULL);
    log_expect("p:0 p:1 p:2");
    assert_int_equal(stats_of(system).refused, 3);
    /* There is room again. */
    tell(system, to, PROBE_SAY, 9);
    settle_balanced(system);
    log_expect("p:9");
    rk_actor_system_destroy(system);
}

static void full_deadletter(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        fill(system, limited(system, RK_ACTOR_FULL_DEADLETTER, 3), RK_OK);
        log_expect("p:0 p:1 p:2");
        assert_int_equal(stats_of(system).dead, 3);
        rk_deadletter_stats letters;
        rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &letters);
        assert_int_equal(letters.added_by_reason[RK_DEADLETTER_QUEUE_FULL], 3);
        rk_actor_system_destroy(system);
    }
}

static void full_drop_newest(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        fill(system, limited(system, RK_ACTOR_FULL_DROP_NEWEST, 3), RK_OK);
        log_expect("p:0 p:1 p:2");
        assert_int_equal(stats_of(system).dropped, 3);
        rk_actor_system_destroy(system);
    }
}

static void full_drop_oldest(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        fill(system, limited(system, RK_ACTOR_FULL_DROP_OLDEST, 3), RK_OK);
        log_expect("p:3 p:4 p:5");
        assert_int_equal(stats_of(system).dropped, 3);
        rk_actor_system_destroy(system);
    }
}

static void drop_oldest_spares_higher_priorities(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, true);
    rk_actor_id to = limited(system, RK_ACTOR_FULL_DROP_OLDEST, 3);
    const uint32_t priorities[] = {7, 3, 1, 3, 7, 3};
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(try_tell(system, to, i, RK_ACTOR_PRIORITY(priorities[i])), RK_OK);
    }
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    settle_balanced(system);
    log_expect("p:0 p:4 p:5");
    assert_int_equal(rk_actor_system_kill(system, to), RK_OK);
    settle_balanced(system);
    rk_actor_system_destroy(system);
}

typedef struct blocked {
    rk_actor_system *system;
    rk_actor_id to;
    rk_status status;
} blocked;

static void send_blocking(void *arg)
{
    blocked *b = arg;
    b->status = try_tell(b->system, b->to, 99, 0);
}

static rk_actor_id blocking(rk_actor_system *system, uint64_t block_ns)
{
    rk_actor_type type = probe_type("blocking");
    type.mailbox_limit = 2;
    type.full = RK_ACTOR_FULL_BLOCK;
    type.block_ns = block_ns;
    return actor_add(system, type_add(system, &type));
}

static void full_block_waits_for_room(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, true);
    rk_actor_id to = blocking(system, RK_NEVER);
    tell(system, to, PROBE_SAY, 0);
    tell(system, to, PROBE_SAY, 1);
    blocked b = {system, to, RK_INTERNAL};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "blocked", send_blocking, &b), RK_OK);
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    rk_thread_join(&thread);
    assert_int_equal(b.status, RK_OK);
    settle_balanced(system);
    log_expect("p:0 p:1 p:99");
    assert_int_equal(stats_of(system).refused, 0);
    rk_actor_system_destroy(system);
}

static void full_block_ends_with_deadline_or_actor(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 1000);
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, true);
    rk_actor_id to = blocking(system, 50);
    tell(system, to, PROBE_SAY, 0);
    tell(system, to, PROBE_SAY, 1);
    blocked b = {system, to, RK_INTERNAL};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "blocked", send_blocking, &b), RK_OK);
    /* Whether it waits by now or not: time passes until it gives up. */
    while (stats_of(system).refused == 0) {
        rk_test_clock_step(&clock, 60);
        sched_yield();
    }
    rk_thread_join(&thread);
    assert_int_equal(b.status, RK_TIMEOUT);
    rk_actor_system_destroy(system);

    /* The actor ends: who waits for it is told so. */
    system = system_make(1, RK_ACTOR_FREE, true);
    to = blocking(system, RK_NEVER);
    tell(system, to, PROBE_SAY, 0);
    tell(system, to, PROBE_SAY, 1);
    b = (blocked){system, to, RK_INTERNAL};
    assert_int_equal(rk_actor_system_kill(system, to), RK_OK);
    assert_int_equal(rk_thread_start(&thread, "blocked", send_blocking, &b), RK_OK);
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    rk_thread_join(&thread);
    /* It may still get in as the others are taken out; either way its message is dead. */
    assert_true(b.status == RK_NOT_FOUND || b.status == RK_OK);
    settle_balanced(system);
    assert_int_equal(stats_of(system).dead, 3);
    log_expect("");
    rk_actor_system_destroy(system);

    /* No time at all to wait. */
    system = system_make(1, RK_ACTOR_FREE, true);
    to = blocking(system, 0);
    tell(system, to, PROBE_SAY, 0);
    tell(system, to, PROBE_SAY, 1);
    rk_test_clock_step(&clock, 1);
    assert_int_equal(try_tell(system, to, 2, 0), RK_TIMEOUT);
    rk_test_clock_remove(&clock);
    rk_actor_system_destroy(system);
}

typedef struct forwarder {
    rk_actor_id to;
} forwarder;

static rk_status forward(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    forwarder *f = rk_actor_state(ctx);
    if (msg->length == sizeof f->to && msg->type == PROBE_COUNT) {
        memcpy(&f->to, msg->payload, sizeof f->to);
        return RK_OK;
    }
    for (uint64_t i = 0; i < 3; i++) {
        log_add("%s", rk_status_name(rk_actor_send(ctx, f->to, PROBE_SAY, &i, sizeof i)));
    }
    return RK_OK;
}

static void handlers_are_refused_instead_of_blocked(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_id to = blocking(system, RK_NEVER);
    const rk_actor_type type = {
        .name = "forward", .state_bytes = sizeof(forwarder), .on_message = forward};
    rk_actor_id from = actor_add(system, type_add(system, &type));
    tell(system, from, PROBE_COUNT, to);
    tell(system, from, PROBE_SAY, 0);
    settle_balanced(system);
    log_expect("RK_OK RK_OK RK_FULL p:0 p:1");
    rk_actor_system_destroy(system);
}

static void messages_of_higher_priority_come_first(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        rk_actor_type type = probe_type("probe");
        rk_actor_id to = actor_add(system, type_add(system, &type));
        const uint32_t priorities[] = {3, 0, 7, 3, 5, 7, 0, 1};
        for (uint64_t i = 0; i < RK_COUNT_OF(priorities); i++) {
            assert_int_equal(try_tell(system, to, i, RK_ACTOR_PRIORITY(priorities[i])), RK_OK);
        }
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect("p:2 p:5 p:4 p:0 p:3 p:7 p:1 p:6");
        rk_actor_system_destroy(system);
    }
}

static void urgent_messages_overtake_a_batch_under_way(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(2, RK_ACTOR_FREE, true);
    rk_actor_type type = probe_type("probe");
    rk_actor_id to = actor_add(system, type_add(system, &type));
    tell(system, to, PROBE_WAIT, 0);
    for (uint64_t i = 0; i < 3; i++) {
        tell(system, to, PROBE_SAY, i);
    }
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    /* Whether the batch was taken before or after this: it waits for the gate. */
    while (phase_of(system, to) != RK_ACTOR_ACTIVE) {
        sched_yield();
    }
    assert_int_equal(try_tell(system, to, 7, RK_ACTOR_PRIORITY(7)), RK_OK);
    assert_int_equal(try_tell(system, to, 1, RK_ACTOR_PRIORITY(1)), RK_OK);
    gate_open();
    settle_balanced(system);
    log_expect("p:7 p:0 p:1 p:2 p:1");
    rk_actor_system_destroy(system);
}

static void actors_of_higher_priority_run_first_and_none_starves(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, true);
    for (uint32_t level = 0; level < 8; level++) {
        char name[8];
        snprintf(name, sizeof name, "l%u", level);
        rk_actor_type type = probe_type(name);
        type.priority = RK_ACTOR_PRIORITY(level);
        rk_actor_type_id id = type_add(system, &type);
        for (unsigned i = 0; i < 100; i++) {
            rk_actor_id actor = probe_add(system, id, name, RK_ACTOR_NONE);
            tell(system, actor, PROBE_SAY, 0);
        }
    }
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    settle_balanced(system);
    /* Where in the order the actors of each level were, on average. */
    double mean[8] = {0};
    size_t seen_low = 0;
    assert_int_equal(test_log.count, 800);
    for (size_t i = 0; i < test_log.count; i++) {
        unsigned level = (unsigned)(test_log.line[i][1] - '0');
        mean[level] += (double)i / 100;
        seen_low += i < 400 && level < 3;
    }
    for (uint32_t level = 1; level < 8; level++) {
        assert_true(mean[level] < mean[level - 1]);
    }
    assert_true(seen_low > 0);
    rk_actor_system_destroy(system);
}

static void expired_messages_are_not_delivered(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], true);
        rk_actor_type type = probe_type("probe");
        rk_actor_id to = actor_add(system, type_add(system, &type));
        for (uint64_t i = 0; i < 4; i++) {
            const rk_actor_send_options options = {.deadline_ns = 1000 + 100 * i};
            assert_int_equal(rk_actor_system_send(system, to, PROBE_SAY, &i, sizeof i, &options),
                             RK_OK);
        }
        rk_test_clock_step(&clock, 150);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect("p:2 p:3");
        rk_deadletter_stats letters;
        rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &letters);
        assert_int_equal(letters.added_by_reason[RK_DEADLETTER_EXPIRED], 2);
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

static void drain_one(void)
{
    rk_actor_system *system = system_make(2, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    rk_actor_type_id id = type_add(system, &type);
    rk_actor_id parent = probe_add(system, id, "a", RK_ACTOR_NONE);
    rk_actor_id child = probe_add(system, id, "b", parent);
    /* The child keeps its parent draining. */
    tell(system, child, PROBE_WAIT, 0);
    assert_int_equal(rk_actor_system_stop(system, parent), RK_OK);
    while (phase_of(system, parent) != RK_ACTOR_DRAINING) {
        sched_yield();
    }
    assert_int_equal(try_tell(system, parent, 1, 0), RK_STATE);
    gate_open();
    settle_balanced(system);
    log_expect("");
    rk_deadletter_stats letters;
    rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &letters);
    assert_int_equal(letters.added_by_reason[RK_DEADLETTER_REJECTED], 1);
    rk_actor_system_destroy(system);
}

static void draining_actors_refuse(void **state)
{
    (void)state;
    drain_one();
}

/* What a worker holds behind a blocked handler is fetched by another, even if time stands still. */
static void a_stopped_clock_stops_no_worker(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 1000);
    for (int i = 0; i < 50; i++) {
        drain_one();
    }
    rk_test_clock_remove(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_refuse),
        cmocka_unit_test(full_deadletter),
        cmocka_unit_test(full_drop_newest),
        cmocka_unit_test(full_drop_oldest),
        cmocka_unit_test(drop_oldest_spares_higher_priorities),
        cmocka_unit_test(full_block_waits_for_room),
        cmocka_unit_test(full_block_ends_with_deadline_or_actor),
        cmocka_unit_test(handlers_are_refused_instead_of_blocked),
        cmocka_unit_test(messages_of_higher_priority_come_first),
        cmocka_unit_test(urgent_messages_overtake_a_batch_under_way),
        cmocka_unit_test(actors_of_higher_priority_run_first_and_none_starves),
        cmocka_unit_test(expired_messages_are_not_delivered),
        cmocka_unit_test(draining_actors_refuse),
        cmocka_unit_test(a_stopped_clock_stops_no_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
