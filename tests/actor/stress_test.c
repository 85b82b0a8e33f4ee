/*
 * stress_test.c: many actors, workers and threads at once; nothing is lost or handled twice.
 * Meant for the thread sanitizer.
 */
#include "actor/support.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define OUTSIDE 3 /* threads that send */

static rk_actor_stats stats_of(rk_actor_system *system)
{
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    return stats;
}

static uint32_t roll(uint32_t *random, uint32_t sides)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % sides;
}

/* --- Ping-pong --- */

static rk_status play(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    /* How often it still flies, and the partner's id for the first player. */
    uint64_t b[2];
    memcpy(b, msg->payload, sizeof b);
    if (b[0]-- == 0) {
        return RK_OK;
    }
    return rk_actor_send(ctx, msg->from == RK_ACTOR_NONE ? b[1] : msg->from, PROBE_SAY, b,
                         sizeof b);
}

static void ping_pong_storm(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 4; workers++) {
        rk_actor_system *system =
            system_make(workers, workers == 3 ? RK_ACTOR_ORDERED : RK_ACTOR_FREE, false);
        const rk_actor_type type = {.name = "player", .on_message = play};
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id pair[40];
        for (size_t i = 0; i < RK_COUNT_OF(pair); i++) {
            pair[i] = actor_add(system, id);
        }
        for (size_t i = 0; i < RK_COUNT_OF(pair); i++) {
            const uint64_t b[2] = {200, pair[i ^ 1]};
            assert_int_equal(rk_actor_system_send(system, pair[i], PROBE_SAY, b, sizeof b, NULL),
                             RK_OK);
        }
        settle_balanced(system);
        rk_actor_stats s = stats_of(system);
        assert_int_equal(s.handled, RK_COUNT_OF(pair) * 201);
        assert_int_equal(s.failures, 0);
        rk_actor_system_destroy(system);
    }
}

/* --- Order and number of messages under senders from everywhere --- */

#define SENDERS 8
#define EACH 2000

typedef struct sink {
    uint64_t next[SENDERS + OUTSIDE];
} sink;

static _Atomic uint64_t sink_got;

static rk_status sink_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    sink *s = rk_actor_state(ctx);
    uint64_t value;
    memcpy(&value, msg->payload, sizeof value);
    uint64_t who = value >> 32;
    if (s->next[who] != (uint32_t)value) {
        return RK_CORRUPT;
    }
    s->next[who]++;
    atomic_fetch_add(&sink_got, 1);
    return RK_OK;
}

static rk_status sender_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    rk_actor_id to;
    uint64_t who;
    memcpy(&to, msg->payload, sizeof to);
    memcpy(&who, (const char *)msg->payload + sizeof to, sizeof who);
    char payload[200] = {0};
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t value = who << 32 | i;
        memcpy(payload, &value, sizeof value);
        if (rk_actor_send(ctx, to, PROBE_SAY, payload, i % 16 == 0 ? 200 : 8) != RK_OK) {
            return RK_CORRUPT;
        }
    }
    return RK_OK;
}

typedef struct outsider {
    rk_actor_system *system;
    rk_actor_id to;
    uint64_t who;
} outsider;

static void send_from_outside(void *arg)
{
    outsider *o = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t value = o->who << 32 | i;
        assert_int_equal(
            rk_actor_system_send(o->system, o->to, PROBE_SAY, &value, sizeof value, NULL), RK_OK);
    }
}

static void fan_in_keeps_every_message_in_order(void **state)
{
    (void)state;
    for (unsigned d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(3, (rk_actor_delivery)d, false);
        rk_actor_type type = {.name = "sink",
                              .state_bytes = sizeof(sink),
                              .on_message = sink_message,
                              .restart = RK_ACTOR_TEMPORARY};
        rk_actor_id to = actor_add(system, type_add(system, &type));
        type = (rk_actor_type){.name = "sender", .on_message = sender_message};
        rk_actor_type_id id = type_add(system, &type);
        atomic_store(&sink_got, 0);
        for (uint64_t i = 0; i < SENDERS; i++) {
            const uint64_t payload[2] = {to, i};
            assert_int_equal(rk_actor_system_send(system, actor_add(system, id), PROBE_SAY, payload,
                                                  sizeof payload, NULL),
                             RK_OK);
        }
        outsider o[OUTSIDE];
        rk_thread threads[OUTSIDE];
        for (unsigned i = 0; i < OUTSIDE; i++) {
            o[i] = (outsider){system, to, SENDERS + i};
            assert_int_equal(rk_thread_start(&threads[i], "outside", send_from_outside, &o[i]),
                             RK_OK);
        }
        for (unsigned i = 0; i < OUTSIDE; i++) {
            rk_thread_join(&threads[i]);
        }
        settle_balanced(system);
        assert_int_equal(atomic_load(&sink_got), (SENDERS + OUTSIDE) * EACH);
        assert_int_equal(stats_of(system).failures, 0);
        rk_actor_system_destroy(system);
    }
}

/* --- Spawning, killing, failing and sending, all at random --- */

#define KNOWN 64

typedef struct chaos {
    rk_actor_system *system;
    uint32_t seed;
} chaos;

static _Atomic rk_actor_id chaos_known[KNOWN];

static rk_status chaos_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    uint64_t value;
    memcpy(&value, msg->payload, sizeof value);
    uint32_t random = (uint32_t)value;
    rk_actor_id id;
    rk_actor_timer timer;
    uint32_t correlation;
    rk_actor_system *system = rk_actor_system_of(ctx);
    rk_actor_id other = atomic_load(&chaos_known[roll(&random, KNOWN)]);
    uint64_t next = random;
    if (value >> 32 == 0) {
        return RK_OK;
    }
    next |= ((value >> 32) - 1) << 32;
    switch (roll(&random, 12)) {
    case 0:
        if (rk_actor_spawn(ctx, roll(&random, 4), NULL, &id) == RK_OK) {
            atomic_store(&chaos_known[roll(&random, KNOWN)], id);
        }
        break;
    case 1: (void)rk_actor_system_kill(system, other); break;
    case 2: (void)rk_actor_system_stop(system, other); break;
    case 3: return RK_ABORTED;
    case 4: rk_actor_panic(ctx, RK_FAULT, "chaos");
    case 5: rk_actor_exit(ctx); break;
    case 6:
        (void)rk_actor_ask(ctx, other, PROBE_SAY, &next, sizeof next, 1000000, &correlation);
        break;
    case 7:
        (void)rk_actor_send_after(ctx, other, roll(&random, 1000), PROBE_SAY, &next, sizeof next,
                                  &timer);
        break;
    case 8:
        if ((msg->flags & RK_MSG_REQUEST) != 0) {
            (void)rk_actor_reply(ctx, msg, PROBE_SAY, &next, sizeof next);
        }
        break;
    default: break;
    }
    for (uint32_t i = roll(&random, 3); i != 0; i--) {
        const rk_actor_send_options options = {
            .priority = roll(&random, 4) == 0 ? RK_ACTOR_PRIORITY(roll(&random, 8)) : 0};
        (void)rk_actor_send_with(ctx, other, PROBE_SAY, &next, sizeof next, &options);
    }
    return RK_OK;
}

static rk_status chaos_start(rk_actor_ctx *ctx)
{
    return (rk_actor_self(ctx) & 63) == 5 ? RK_IO : RK_OK;
}

static void chaos_thread(void *arg)
{
    chaos *c = arg;
    uint32_t random = c->seed;
    char name[16] = "n/a";
    for (unsigned i = 0; i < 600; i++) {
        rk_actor_id id = atomic_load(&chaos_known[roll(&random, KNOWN)]);
        uint64_t value = 12ull << 32 | roll(&random, 1u << 24);
        rk_actor_spawn_options options = {.parent = roll(&random, 2) == 0 ? id : RK_ACTOR_NONE};
        rk_actor_future *future = NULL;
        rk_actor_reply_view reply;
        switch (roll(&random, 8)) {
        case 0:
        case 1:
            if (rk_actor_system_spawn(c->system, roll(&random, 4), &options, &id) == RK_OK) {
                atomic_store(&chaos_known[roll(&random, KNOWN)], id);
            }
            break;
        case 2: (void)rk_actor_system_kill(c->system, id); break;
        case 3: (void)rk_actor_system_restart(c->system, id); break;
        case 4:
            name[2] = (char)('a' + roll(&random, 26));
            (void)rk_actor_system_register(c->system, name, id);
            break;
        case 5:
            if (rk_actor_system_ask(c->system, id, PROBE_SAY, &value, sizeof value, 1000000,
                                    &future) == RK_OK) {
                (void)rk_actor_future_wait(future, RK_NEVER, &reply);
                rk_actor_future_destroy(future);
            }
            break;
        default:
            (void)rk_actor_system_send(c->system, id, PROBE_SAY, &value, sizeof value, NULL);
            break;
        }
    }
}

static void chaos_loses_nothing(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 6; round++) {
        rk_actor_system *system =
            system_make(1 + round % 4, round < 4 ? RK_ACTOR_FREE : RK_ACTOR_ORDERED, false);
        for (unsigned i = 0; i < 4; i++) {
            const char *names[] = {"plain", "limited", "boxed", "starting"};
            const rk_actor_type type = {.name = names[i],
                                        .state_bytes = 8 + 24 * i,
                                        .on_message = chaos_message,
                                        .on_start = i == 3 ? chaos_start : NULL,
                                        .strategy = (rk_actor_strategy)i,
                                        .restart = (rk_actor_restart)(i % 3),
                                        .priority = i == 0 ? RK_ACTOR_PRIORITY(5) : 0,
                                        .mailbox_limit = i == 1 || i == 2 ? 8 : 0,
                                        .full = i == 1   ? RK_ACTOR_FULL_BLOCK
                                                : i == 2 ? RK_ACTOR_FULL_DROP_OLDEST
                                                         : RK_ACTOR_FULL_REFUSE,
                                        .block_ns = 1000};
            type_add(system, &type);
        }
        for (unsigned i = 0; i < KNOWN; i++) {
            atomic_store(&chaos_known[i], actor_add(system, i % 4));
        }
        chaos c[OUTSIDE];
        rk_thread threads[OUTSIDE];
        for (uint32_t i = 0; i < OUTSIDE; i++) {
            c[i] = (chaos){.system = system, .seed = round * 100 + i};
            assert_int_equal(rk_thread_start(&threads[i], "chaos", chaos_thread, &c[i]), RK_OK);
        }
        for (uint32_t i = 0; i < OUTSIDE; i++) {
            rk_thread_join(&threads[i]);
        }
        assert_int_equal(rk_actor_system_shutdown(system, RK_NEVER), RK_OK);
        settle_balanced(system);
        rk_actor_stats s = stats_of(system);
        assert_int_equal(s.actors, 0);
        assert_int_equal(s.spawned, s.ended);
        assert_true(s.handled != 0 && s.failures != 0 && s.restarts != 0);
        rk_deadletter_stats letters;
        rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &letters);
        assert_int_equal(letters.added + letters.lost, s.dead);
        rk_actor_system_destroy(system);
    }
}

/* --- A tree that is killed while everyone sends to it --- */

static rk_status grow(rk_actor_ctx *ctx)
{
    uint32_t depth;
    memcpy(&depth, rk_actor_state(ctx), sizeof depth);
    if (depth == 0) {
        return RK_OK;
    }
    depth--;
    for (unsigned i = 0; i < 4; i++) {
        const rk_actor_spawn_options options = {.arg = &depth, .arg_bytes = sizeof depth};
        rk_actor_id id;
        rk_status status = rk_actor_spawn(ctx, 0, &options, &id);
        if (status != RK_OK) {
            return status;
        }
        atomic_store(&chaos_known[(id ^ id >> 5) % KNOWN], id);
    }
    return RK_OK;
}

static void copy_init(void *state, const void *arg, uint32_t arg_bytes)
{
    memcpy(state, arg, arg_bytes);
}

static rk_status swallow(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)ctx;
    (void)msg;
    return RK_OK;
}

static void send_to_known(void *arg)
{
    chaos *c = arg;
    uint32_t random = c->seed;
    for (uint64_t i = 0; i < 4000; i++) {
        rk_actor_id id = atomic_load(&chaos_known[roll(&random, KNOWN)]);
        (void)rk_actor_system_send(c->system, id, PROBE_SAY, &i, sizeof i, NULL);
    }
}

static void trees_can_be_killed_during_sends(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        rk_actor_system *system = system_make(2 + round % 2, (rk_actor_delivery)(round / 2), false);
        const rk_actor_type type = {.name = "tree",
                                    .state_bytes = sizeof(uint32_t),
                                    .init = copy_init,
                                    .on_start = grow,
                                    .on_message = swallow};
        type_add(system, &type);
        for (unsigned i = 0; i < KNOWN; i++) {
            atomic_store(&chaos_known[i], RK_ACTOR_NONE);
        }
        uint32_t depth = 4;
        const rk_actor_spawn_options options = {.arg = &depth, .arg_bytes = sizeof depth};
        rk_actor_id root;
        assert_int_equal(rk_actor_system_spawn(system, 0, &options, &root), RK_OK);
        chaos c[OUTSIDE];
        rk_thread threads[OUTSIDE];
        for (uint32_t i = 0; i < OUTSIDE; i++) {
            c[i] = (chaos){.system = system, .seed = i + round};
            assert_int_equal(rk_thread_start(&threads[i], "sender", send_to_known, &c[i]), RK_OK);
        }
        if (round % 2 == 1) {
            settle(system);
            assert_int_equal(stats_of(system).spawned, 1 + 4 + 16 + 64 + 256);
        }
        assert_int_equal(rk_actor_system_kill(system, root), RK_OK);
        for (uint32_t i = 0; i < OUTSIDE; i++) {
            rk_thread_join(&threads[i]);
        }
        settle_balanced(system);
        rk_actor_stats s = stats_of(system);
        assert_int_equal(s.actors, 0);
        assert_int_equal(s.sent, OUTSIDE * 4000);
        rk_actor_system_destroy(system);
    }
}

/* --- Work is shared --- */

static rk_status kick_off(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)msg;
    rk_actor_id id;
    uint64_t zero = 0;
    /* A child of this worker hangs until another child of this worker has run. */
    assert_int_equal(rk_actor_spawn(ctx, 0, NULL, &id), RK_OK);
    assert_int_equal(rk_actor_send(ctx, id, PROBE_WAIT, &zero, sizeof zero), RK_OK);
    assert_int_equal(rk_actor_spawn(ctx, 2, NULL, &id), RK_OK);
    assert_int_equal(rk_actor_send(ctx, id, PROBE_SAY, &zero, sizeof zero), RK_OK);
    return RK_OK;
}

static rk_status open_gate(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)ctx;
    (void)msg;
    gate_open();
    return RK_OK;
}

static void a_hanging_handler_does_not_hold_up_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        rk_actor_system *system = system_make(2, RK_ACTOR_FREE, false);
        rk_actor_type type = probe_type("waiter");
        type_add(system, &type);
        type = (rk_actor_type){.name = "starter", .on_message = kick_off};
        rk_actor_type_id id = type_add(system, &type);
        type = (rk_actor_type){.name = "opener", .on_message = open_gate};
        type_add(system, &type);
        tell(system, actor_add(system, id), PROBE_SAY, 0);
        settle_balanced(system);
        rk_actor_system_destroy(system);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_pong_storm),
        cmocka_unit_test(fan_in_keeps_every_message_in_order),
        cmocka_unit_test(chaos_loses_nothing),
        cmocka_unit_test(trees_can_be_killed_during_sends),
        cmocka_unit_test(a_hanging_handler_does_not_hold_up_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
