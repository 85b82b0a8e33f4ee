/*
 * ask_test.c: requests and replies, from outside and between actors, and timers.
 */
#include "actor/support.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

static const rk_actor_delivery deliveries[] = {RK_ACTOR_FREE, RK_ACTOR_ORDERED};

#define LONG_NS (1000ull * RK_NS_PER_S)

static rk_actor_id probe(rk_actor_system *system)
{
    rk_actor_type type = probe_type("probe");
    return actor_add(system, type_add(system, &type));
}

static rk_actor_future *ask(rk_actor_system *system, rk_actor_id to, uint32_t type,
                            uint64_t timeout_ns)
{
    rk_actor_future *future = NULL;
    assert_int_equal(rk_actor_system_ask(system, to, type, "question", 9, timeout_ns, &future),
                     RK_OK);
    return future;
}

static void futures_bring_replies(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_id to = probe(system);
        for (unsigned i = 0; i < 100; i++) {
            rk_actor_future *future = ask(system, to, PROBE_ECHO, LONG_NS);
            rk_actor_reply_view reply;
            assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_OK);
            assert_int_equal(reply.type, PROBE_SAY);
            assert_int_equal(reply.length, 9);
            assert_string_equal(reply.payload, "question");
            rk_actor_future_destroy(future);
        }
        settle_balanced(system);
        rk_actor_system_destroy(system);
    }
    rk_actor_future_destroy(NULL);
}

static void futures_end_without_a_reply(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_id to = probe(system);
        rk_actor_reply_view reply;
        /* Its time is up. */
        rk_actor_future *future = ask(system, to, PROBE_COUNT, 500);
        settle(system);
        assert_int_equal(rk_actor_future_wait(future, 1000, &reply), RK_TIMEOUT);
        rk_test_clock_step(&clock, 600);
        rk_actor_system_tick(system);
        assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_TIMEOUT);
        rk_actor_future_destroy(future);
        /* The receiver ends with the question in its queue. */
        assert_int_equal(rk_actor_system_pause(system), RK_OK);
        future = ask(system, to, PROBE_ECHO, LONG_NS);
        assert_int_equal(rk_actor_system_kill(system, to), RK_OK);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_NOT_FOUND);
        rk_actor_future_destroy(future);
        /* There is no such receiver. */
        settle(system);
        future = NULL;
        rk_status status = rk_actor_system_ask(system, to, PROBE_ECHO, "q", 1, LONG_NS, &future);
        if (deliveries[d] == RK_ACTOR_FREE) {
            assert_int_equal(status, RK_NOT_FOUND);
        } else {
            assert_int_equal(status, RK_OK);
            assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_NOT_FOUND);
            rk_actor_future_destroy(future);
        }
        /* The system ends; the future outlives it. */
        to = actor_add(system, 0);
        future = ask(system, to, PROBE_COUNT, LONG_NS);
        settle_balanced(system);
        rk_actor_system_destroy(system);
        assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_CLOSED);
        rk_actor_future_destroy(future);
        rk_test_clock_remove(&clock);
    }
}

/* Asks the actor whose id it is told, and logs what comes back. */
static rk_status asker(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    uint32_t correlation = 0;
    if (msg->type == RK_ACTOR_MSG_ASK_FAILED) {
        int32_t code;
        memcpy(&code, msg->payload, sizeof code);
        log_add("failed:%s", rk_status_name((rk_status)code));
    } else if ((msg->flags & RK_MSG_REPLY) != 0) {
        log_add("reply:%u", msg->length);
    } else if (msg->type == PROBE_PANIC) {
        rk_actor_panic(ctx, RK_IO, "x");
    } else {
        rk_actor_id to;
        memcpy(&to, msg->payload, sizeof to);
        char payload[64] = {0};
        rk_status status = rk_actor_ask(ctx, to, msg->type, payload,
                                        msg->type == PROBE_ECHO ? 64 : 8, 500, &correlation);
        log_add("%s", rk_status_name(status));
        assert_true(status != RK_OK || correlation != 0);
    }
    return RK_OK;
}

static void actors_ask_actors(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_id to = probe(system);
        const rk_actor_type type = {.name = "asker", .on_message = asker};
        rk_actor_id from = actor_add(system, type_add(system, &type));
        tell(system, from, PROBE_ECHO, to);
        settle_balanced(system);
        log_expect("RK_OK reply:64");
        tell(system, from, PROBE_BEAT, to);
        settle(system);
        rk_test_clock_step(&clock, 1000);
        rk_actor_system_tick(system);
        settle_balanced(system);
        log_expect("RK_OK failed:RK_TIMEOUT");
        /* An asker that was restarted in between does not see the reply. */
        assert_int_equal(rk_actor_system_pause(system), RK_OK);
        tell(system, from, PROBE_ECHO, to);
        tell(system, from, PROBE_PANIC, 0);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect("RK_OK");
        assert_int_equal(rk_actor_system_kill(system, to), RK_OK);
        settle(system);
        tell(system, from, PROBE_ECHO, to);
        settle_balanced(system);
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

/* Replies twice, and to what is no request. */
static rk_status reply_badly(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    rk_actor_msg forged = *msg;
    forged.flags &= ~RK_MSG_REQUEST;
    assert_int_equal(rk_actor_reply(ctx, &forged, PROBE_SAY, "a", 1), RK_INVALID);
    forged = *msg;
    forged.correlation += 4096;
    assert_int_equal(rk_actor_reply(ctx, &forged, PROBE_SAY, "b", 1), RK_OK);
    assert_int_equal(rk_actor_reply(ctx, msg, 3, "c", 1), RK_INVALID);
    assert_int_equal(rk_actor_reply(ctx, msg, PROBE_SAY, "d", 1), RK_OK);
    assert_int_equal(rk_actor_reply(ctx, msg, PROBE_SAY, "e", 1), RK_OK);
    return RK_OK;
}

static void a_question_has_one_answer(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = {.name = "bad", .on_message = reply_badly};
        rk_actor_id to = actor_add(system, type_add(system, &type));
        rk_actor_future *future = ask(system, to, PROBE_SAY, LONG_NS);
        rk_actor_reply_view reply;
        assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_OK);
        assert_memory_equal(reply.payload, "d", 1);
        rk_actor_future_destroy(future);
        settle_balanced(system);
        type = (rk_actor_type){.name = "asker", .on_message = asker};
        rk_actor_id from = actor_add(system, type_add(system, &type));
        tell(system, from, PROBE_ECHO, to);
        settle_balanced(system);
        log_expect("RK_OK reply:1");
        rk_deadletter_stats letters;
        rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &letters);
        assert_int_equal(letters.added_by_reason[RK_DEADLETTER_EXPIRED], 4);
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

/* --- Timers --- */

static void advance(rk_actor_system *system, rk_test_clock *clock, uint64_t ns)
{
    rk_test_clock_step(clock, ns);
    rk_actor_system_tick(system);
}

static void timers_fire_in_order_of_time(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], true);
        rk_actor_id to = probe(system);
        const uint64_t delays[] = {300, 100, 200, 100, 1000, 0};
        rk_actor_timer timer[6];
        for (uint64_t i = 0; i < 6; i++) {
            assert_int_equal(rk_actor_system_send_after(system, to, delays[i], PROBE_SAY, &i,
                                                        sizeof i, &timer[i]),
                             RK_OK);
        }
        assert_int_equal(rk_actor_system_timer_cancel(system, timer[4]), RK_OK);
        assert_int_equal(rk_actor_system_timer_cancel(system, timer[4]), RK_NOT_FOUND);
        rk_test_clock_step(&clock, 5000);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        rk_actor_system_tick(system);
        settle_balanced(system);
        log_expect("p:5 p:1 p:3 p:2 p:0");
        assert_int_equal(rk_actor_system_timer_cancel(system, timer[0]), RK_NOT_FOUND);
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

/* Sets a timer for itself and counts the hits. */
static rk_status ticker(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    rk_actor_timer timer;
    if (msg->type == PROBE_PANIC) {
        rk_actor_panic(ctx, RK_IO, NULL);
    }
    log_add("%llu", (unsigned long long)rk_actor_now_ns(ctx));
    uint64_t value = 0;
    assert_int_equal(
        rk_actor_send_after(ctx, rk_actor_self(ctx), 100, PROBE_SAY, &value, sizeof value, &timer),
        RK_OK);
    if (msg->type == PROBE_COUNT) {
        assert_int_equal(rk_actor_timer_cancel(ctx, timer), RK_OK);
    }
    return RK_OK;
}

static void handlers_set_timers(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 1000);
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = {.name = "ticker", .on_message = ticker};
        rk_actor_id id = actor_add(system, type_add(system, &type));
        tell(system, id, PROBE_SAY, 0);
        settle(system);
        for (size_t i = 1; i <= 3; i++) {
            advance(system, &clock, 100);
            settle(system);
        }
        log_expect("1000 1100 1200 1300");
        /* A restart ends the timers of the life before. */
        tell(system, id, PROBE_PANIC, 0);
        settle(system);
        advance(system, &clock, 1000);
        settle(system);
        tell(system, id, PROBE_COUNT, 0);
        settle(system);
        advance(system, &clock, 1000);
        settle_balanced(system);
        log_expect("2300");
        rk_actor_system_destroy(system);
        rk_test_clock_remove(&clock);
    }
}

static void parked_workers_wake_for_timers(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_id to = probe(system);
        rk_actor_stats stats;
        rk_actor_timer timer;
        settle(system);
        uint64_t value = 1;
        /* The second one is due before the first, which a worker may already sleep for. */
        assert_int_equal(rk_actor_system_send_after(system, to, 3600ull * RK_NS_PER_S, PROBE_SAY,
                                                    &value, sizeof value, &timer),
                         RK_OK);
        assert_int_equal(rk_actor_system_send_after(system, to, RK_NS_PER_MS, PROBE_SAY, &value,
                                                    sizeof value, &timer),
                         RK_OK);
        do {
            sched_yield();
            rk_actor_system_stats(system, &stats);
        } while (stats.handled == 0);
        log_expect("p:1");
        rk_actor_system_destroy(system);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(futures_bring_replies),
        cmocka_unit_test(futures_end_without_a_reply),
        cmocka_unit_test(actors_ask_actors),
        cmocka_unit_test(a_question_has_one_answer),
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(handlers_set_timers),
        cmocka_unit_test(parked_workers_wake_for_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
