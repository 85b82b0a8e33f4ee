/*
 * basic_test.c: types, spawning, sending, stopping, ids, and what callers may get wrong; in
 * both kinds of delivery.
 */
#include "actor/support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rk_actor_delivery deliveries[] = {RK_ACTOR_FREE, RK_ACTOR_ORDERED};

static void options_are_checked(void **state)
{
    (void)state;
    rk_actor_system *system = NULL;
    rk_err err = RK_ERR_INIT;
    rk_actor_system_options options = {.workers = 65};
    assert_int_equal(rk_actor_system_create(&options, &system, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "65"));
    options = (rk_actor_system_options){.delivery = (rk_actor_delivery)7};
    assert_int_equal(rk_actor_system_create(&options, &system, &err), RK_INVALID);
    assert_null(system);
    assert_int_equal(rk_actor_system_create(NULL, &system, NULL), RK_OK);
    rk_actor_system_destroy(system);
    rk_actor_system_destroy(NULL);
}

static void expect_type(rk_actor_system *system, rk_actor_type type, rk_status status)
{
    rk_err err = RK_ERR_INIT;
    rk_actor_type_id id = 99;
    assert_int_equal(rk_actor_system_register_type(system, &type, &id, &err), status);
    assert_int_equal(err.code, status);
    assert_int_not_equal(err.text[0], '\0');
    assert_int_equal(id, 99);
}

static void types_are_checked(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_type good = probe_type("probe");
    type_add(system, &good);
    expect_type(system, good, RK_EXISTS);
    rk_actor_type bad = probe_type("");
    expect_type(system, bad, RK_INVALID);
    bad = probe_type(NULL);
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.on_message = NULL;
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.state_bytes = RK_ACTOR_STATE_MAX_BYTES + 1;
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.priority = 3;
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.priority = RK_ACTOR_PRIORITY(7) + 1;
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.max_restarts = 1001;
    expect_type(system, bad, RK_INVALID);
    bad = probe_type("other");
    bad.strategy = (rk_actor_strategy)4;
    expect_type(system, bad, RK_INVALID);
    rk_actor_system_destroy(system);
}

static void spawning_is_checked(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    rk_actor_type_id id = type_add(system, &type);
    rk_actor_id actor = 77;
    assert_int_equal(rk_actor_system_spawn(system, id + 1, NULL, &actor), RK_INVALID);
    rk_actor_spawn_options options = {.arg_bytes = 5};
    assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_INVALID);
    options = (rk_actor_spawn_options){.arg = "x", .arg_bytes = UINT32_MAX};
    assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_LIMIT);
    options = (rk_actor_spawn_options){.parent = 12345};
    assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_NOT_FOUND);
    options = (rk_actor_spawn_options){.name = "a//b"};
    assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_INVALID);
    assert_int_equal(actor, 77);
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.actors, 0);
    rk_actor_system_destroy(system);

    const rk_actor_system_options few = {.workers = 1, .max_actors = 2};
    assert_int_equal(rk_actor_system_create(&few, &system, NULL), RK_OK);
    id = type_add(system, &type);
    rk_actor_id first = actor_add(system, id);
    actor_add(system, id);
    assert_int_equal(rk_actor_system_spawn(system, id, NULL, &actor), RK_LIMIT);
    assert_int_equal(rk_actor_system_kill(system, first), RK_OK);
    settle(system);
    actor_add(system, id);
    rk_actor_system_destroy(system);
}

static void messages_arrive_in_order(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        rk_actor_id actor = actor_add(system, type_add(system, &type));
        assert_int_equal(phase_of(system, actor), RK_ACTOR_DORMANT);
        for (uint64_t i = 0; i < 5; i++) {
            tell(system, actor, PROBE_SAY, i);
        }
        settle_balanced(system);
        log_expect("p:0 p:1 p:2 p:3 p:4");
        assert_int_equal(phase_of(system, actor), RK_ACTOR_ACTIVE);
        rk_actor_system_destroy(system);
    }
}

static void a_child_knows_its_parent(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        type.on_start = probe_start;
        type.on_stop = probe_stop;
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id top = probe_add(system, id, "top", RK_ACTOR_NONE);
        rk_actor_id mid = probe_add(system, id, "mid", top);
        probe_add(system, id, "low", mid);
        settle(system);
        log_expect("+top +mid +low");
        for (size_t i = 0; i < test_log.event_count; i++) {
            const rk_actor_event *e = &test_log.event[i];
            assert_int_equal(e->parent, e->id == top ? RK_ACTOR_NONE : e->id == mid ? top : mid);
        }
        assert_int_equal(rk_actor_system_kill(system, top), RK_OK);
        settle(system);
        log_expect("-low -mid -top");
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(phase_of(system, mid), RK_ACTOR_TERMINATED);
        rk_actor_system_destroy(system);
    }
}

static void stopping_handles_the_queue_first(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        rk_actor_type type = probe_type("probe");
        type.on_stop = probe_stop;
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id parent = probe_add(system, id, "a", RK_ACTOR_NONE);
        rk_actor_id child = probe_add(system, id, "b", parent);
        tell(system, parent, PROBE_SAY, 1);
        tell(system, child, PROBE_SAY, 2);
        assert_int_equal(rk_actor_system_stop(system, parent), RK_OK);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect("a:1 b:2 -b -a");
        uint64_t value = 3;
        if (deliveries[d] == RK_ACTOR_FREE) {
            assert_int_equal(
                rk_actor_system_send(system, parent, PROBE_SAY, &value, sizeof value, NULL),
                RK_NOT_FOUND);
        } else {
            tell(system, parent, PROBE_SAY, value);
        }
        settle_balanced(system);
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.dead, 1);
        assert_int_equal(rk_actor_system_stop(system, parent), RK_NOT_FOUND);
        rk_actor_system_destroy(system);
    }
}

static bool check_letter(void *context, const rk_deadletter *letter)
{
    const rk_actor_id *to = context;
    assert_int_equal(letter->reason, RK_DEADLETTER_DESTROYED);
    assert_int_equal(letter->destination, *to);
    assert_int_equal(letter->type, PROBE_SAY);
    assert_int_equal(letter->payload_bytes, 8);
    return true;
}

static void killing_buries_the_queue(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], true);
        rk_actor_type type = probe_type("probe");
        rk_actor_id actor = actor_add(system, type_add(system, &type));
        for (uint64_t i = 0; i < 3; i++) {
            tell(system, actor, PROBE_SAY, i);
        }
        assert_int_equal(rk_actor_system_kill(system, actor), RK_OK);
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect("");
        uint64_t cursor = 0;
        assert_int_equal(rk_deadletter_queue_browse(rk_actor_system_deadletters(system), NULL,
                                                    &cursor, 99, check_letter, &actor),
                         3);
        rk_actor_system_destroy(system);
    }
}

static void slots_are_used_again_under_new_ids(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id old = actor_add(system, id);
        assert_int_equal(rk_actor_system_kill(system, old), RK_OK);
        settle(system);
        rk_actor_id seen = RK_ACTOR_NONE;
        for (unsigned i = 0; i < 3000 && (seen & 0xfffffff) != (old & 0xfffffff); i++) {
            seen = actor_add(system, id);
            assert_int_not_equal(seen, old);
        }
        assert_int_equal(seen & 0xfffffff, old & 0xfffffff);
        assert_int_equal(phase_of(system, old), RK_ACTOR_TERMINATED);
        uint64_t value = 0;
        rk_status status = rk_actor_system_send(system, old, PROBE_SAY, &value, sizeof value, NULL);
        assert_int_equal(status, deliveries[d] == RK_ACTOR_FREE ? RK_NOT_FOUND : RK_OK);
        settle_balanced(system);
        log_expect("");
        rk_actor_system_destroy(system);
    }
}

static void any_number_may_be_tried_as_an_id(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        rk_actor_id actor = actor_add(system, type_add(system, &type));
        uint64_t random = 1;
        uint64_t value = 0;
        for (unsigned i = 0; i < 20000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            rk_actor_id id = i % 2 == 0 ? random >> (random >> 58) : actor ^ 1ull << (random >> 58);
            rk_actor_phase phase;
            if (id == actor) {
                continue;
            }
            (void)rk_actor_system_send(system, id, PROBE_SAY, &value, sizeof value, NULL);
            assert_int_not_equal(rk_actor_system_kill(system, id), RK_OK);
            (void)rk_actor_system_phase(system, id, &phase);
            assert_int_not_equal(rk_actor_system_register(system, "name", id), RK_OK);
        }
        settle_balanced(system);
        log_expect("");
        assert_int_equal(phase_of(system, actor), RK_ACTOR_DORMANT);
        rk_actor_system_destroy(system);
    }
}

typedef struct sized {
    uint64_t bytes;
    uint64_t sum;
} sized;

static rk_status sized_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    sized *s = rk_actor_state(ctx);
    const unsigned char *bytes = msg->payload;
    s->bytes += msg->length;
    for (uint32_t i = 0; i < msg->length; i++) {
        s->sum += bytes[i];
    }
    log_add("%llu/%llu", (unsigned long long)s->bytes, (unsigned long long)s->sum);
    return RK_OK;
}

static void payloads_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 32, 33, 40, 41, 128, 129, 4096, 65536, 65537, 1 << 20};
    unsigned char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    memset(bytes, 1, 1 << 20);
    for (size_t d = 0; d < 4; d++) {
        rk_actor_system *system = system_make(1, deliveries[d % 2], false);
        const rk_actor_type type = {
            .name = "sized", .state_bytes = sizeof(sized), .on_message = sized_message};
        rk_actor_id actor = actor_add(system, type_add(system, &type));
        const rk_actor_send_options options = {.deadline_ns = d < 2 ? 0 : RK_NEVER};
        char expected[64];
        uint64_t sum = 0;
        for (size_t i = 0; i < RK_COUNT_OF(sizes); i++) {
            assert_int_equal(
                rk_actor_system_send(system, actor, PROBE_SAY, bytes, sizes[i], &options), RK_OK);
            settle_balanced(system);
            sum += sizes[i];
            snprintf(expected, sizeof expected, "%llu/%llu", (unsigned long long)sum,
                     (unsigned long long)sum);
            log_expect(expected);
        }
        /* One stays in the mailbox of a system that is destroyed. */
        assert_int_equal(rk_actor_system_pause(system), RK_OK);
        assert_int_equal(rk_actor_system_send(system, actor, PROBE_SAY, bytes, 1 << 20, NULL),
                         RK_OK);
        rk_actor_system_destroy(system);
    }
    free(bytes);
}

static void sends_are_checked(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    rk_actor_id actor = actor_add(system, type_add(system, &type));
    assert_int_equal(rk_actor_system_send(system, actor, 255, "x", 1, NULL), RK_INVALID);
    assert_int_equal(rk_actor_system_send(system, actor, PROBE_SAY, NULL, 1, NULL), RK_INVALID);
    assert_int_equal(
        rk_actor_system_send(system, actor, PROBE_SAY, "x", RK_ACTOR_MESSAGE_MAX_BYTES + 1, NULL),
        RK_LIMIT);
    rk_actor_send_options options = {.priority = 16};
    assert_int_equal(rk_actor_system_send(system, actor, PROBE_SAY, "x", 1, &options), RK_INVALID);
    rk_actor_timer timer;
    rk_actor_future *future;
    assert_int_equal(rk_actor_system_send_after(system, actor, 1, 3, "x", 1, &timer), RK_INVALID);
    assert_int_equal(rk_actor_system_ask(system, actor, PROBE_SAY, "x", 1, 0, &future), RK_INVALID);
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.sent, 0);
    rk_actor_system_destroy(system);
}

static void memory_for_messages_can_be_limited(void **state)
{
    (void)state;
    const rk_actor_system_options options = {
        .workers = 1, .paused = true, .max_message_bytes = 1 << 20};
    rk_actor_system *system = NULL;
    assert_int_equal(rk_actor_system_create(&options, &system, NULL), RK_OK);
    log_clear();
    rk_actor_type type = probe_type("probe");
    rk_actor_id actor = actor_add(system, type_add(system, &type));
    uint64_t value = 0;
    unsigned sent = 0;
    while (sent < 100000 &&
           rk_actor_system_send(system, actor, PROBE_COUNT, &value, 8, NULL) == RK_OK) {
        sent++;
    }
    assert_true(sent > 1000 && sent < 20000);
    /* Orders still get through, and the memory comes back. */
    assert_int_equal(rk_actor_system_kill(system, actor), RK_OK);
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    settle_balanced(system);
    actor = actor_add(system, 0);
    tell(system, actor, PROBE_SAY, 1);
    settle(system);
    log_expect("p:1");
    rk_actor_system_destroy(system);
}

static void pausing_keeps_messages_and_resuming_goes_on(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        rk_actor_id actor = actor_add(system, type_add(system, &type));
        for (uint64_t i = 0; i < 20; i++) {
            assert_int_equal(rk_actor_system_pause(system), RK_OK);
            tell(system, actor, PROBE_SAY, i);
            log_expect("");
            assert_int_equal(rk_actor_system_wait_idle(system, RK_NEVER), RK_STATE);
            assert_int_equal(rk_actor_system_resume(system), RK_OK);
            settle(system);
            char expected[16];
            snprintf(expected, sizeof expected, "p:%llu", (unsigned long long)i);
            log_expect(expected);
        }
        rk_actor_system_destroy(system);
    }
}

static void shutdown_ends_every_tree(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(2, deliveries[d], false);
        rk_actor_type type = probe_type("probe");
        rk_actor_type_id id = type_add(system, &type);
        for (unsigned i = 0; i < 50; i++) {
            rk_actor_id root = probe_add(system, id, "r", RK_ACTOR_NONE);
            for (unsigned k = 0; k < 5; k++) {
                tell(system, probe_add(system, id, "c", root), PROBE_COUNT, 0);
            }
        }
        assert_int_equal(rk_actor_system_shutdown(system, RK_NEVER), RK_OK);
        rk_actor_stats stats;
        rk_actor_system_stats(system, &stats);
        assert_int_equal(stats.actors, 0);
        assert_int_equal(stats.ended, 300);
        assert_int_equal(stats.handled, 250);
        assert_int_equal(events_of(RK_ACTOR_EVENT_ENDED, RK_ACTOR_NONE), 300);
        rk_actor_system_destroy(system);
    }
}

static rk_status blocking_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)msg;
    rk_actor_system *system = rk_actor_system_of(ctx);
    assert_int_equal(rk_actor_system_wait_idle(system, RK_NEVER), RK_STATE);
    assert_int_equal(rk_actor_system_pause(system), RK_STATE);
    assert_int_equal(rk_actor_system_shutdown(system, RK_NEVER), RK_STATE);
    rk_actor_id self = rk_actor_self(ctx);
    assert_int_equal(rk_actor_parent(ctx), RK_ACTOR_NONE);
    rk_actor_future *future = NULL;
    assert_int_equal(rk_actor_system_ask(system, self, PROBE_SAY + 100, "", 0, 1000000000, &future),
                     RK_OK);
    rk_actor_reply_view reply;
    assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_STATE);
    rk_actor_future_destroy(future);
    log_add("done");
    rk_actor_exit(ctx);
    return RK_OK;
}

static void handlers_are_told_not_to_block(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    const rk_actor_type type = {.name = "blocker", .on_message = blocking_message};
    tell(system, actor_add(system, type_add(system, &type)), PROBE_SAY, 0);
    settle_balanced(system);
    log_expect("done");
    rk_actor_system_destroy(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(spawning_is_checked),
        cmocka_unit_test(messages_arrive_in_order),
        cmocka_unit_test(a_child_knows_its_parent),
        cmocka_unit_test(stopping_handles_the_queue_first),
        cmocka_unit_test(killing_buries_the_queue),
        cmocka_unit_test(slots_are_used_again_under_new_ids),
        cmocka_unit_test(any_number_may_be_tried_as_an_id),
        cmocka_unit_test(payloads_of_all_sizes_arrive_whole),
        cmocka_unit_test(sends_are_checked),
        cmocka_unit_test(memory_for_messages_can_be_limited),
        cmocka_unit_test(pausing_keeps_messages_and_resuming_goes_on),
        cmocka_unit_test(shutdown_ends_every_tree),
        cmocka_unit_test(handlers_are_told_not_to_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
