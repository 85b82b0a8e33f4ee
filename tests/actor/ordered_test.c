/*
 * ordered_test.c: an ordered system does the same on any number of workers.
 */
#include "actor/support.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define FRIENDS 6

/* Everything that any actor saw, added up: the sum does not depend on who was first. */
static _Atomic uint64_t seen_sum;

typedef struct wanderer {
    uint64_t hash;
    uint64_t random;
    uint64_t parent;
    rk_actor_id friend[FRIENDS];
} wanderer;

/* What wanderers tell each other. */
typedef struct news {
    uint64_t fuel;
    rk_actor_id about;
    uint64_t noise;
} news;

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * 0x9e3779b97f4a7c15u;
    return a ^ a >> 29;
}

static uint32_t roll(wanderer *w, uint32_t sides)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 40) % sides;
}

static rk_actor_id some_friend(wanderer *w)
{
    return w->friend[roll(w, FRIENDS)];
}

static void spread(rk_actor_ctx *ctx, wanderer *w, uint64_t fuel)
{
    const news n = {fuel, some_friend(w), w->random};
    rk_actor_send_options options = {.priority =
                                         roll(w, 4) == 0 ? RK_ACTOR_PRIORITY(roll(w, 8)) : 0};
    uint32_t length = sizeof n;
    char large[100] = {0};
    memcpy(large, &n, sizeof n);
    if (roll(w, 5) == 0) {
        length = sizeof large;
    }
    rk_status status = rk_actor_send_with(ctx, some_friend(w), PROBE_SAY, large, length, &options);
    w->hash = mix(w->hash, (uint64_t)(unsigned)-status);
}

/* One thing out of all that a handler can do. */
static rk_status act(rk_actor_ctx *ctx, wanderer *w, const rk_actor_msg *msg, uint64_t fuel)
{
    rk_actor_system *system = rk_actor_system_of(ctx);
    const news n = {fuel, rk_actor_self(ctx), 0};
    rk_actor_id id = RK_ACTOR_NONE;
    rk_actor_timer timer = 0;
    uint32_t correlation = 0;
    char name[16];
    switch (roll(w, 24)) {
    case 0:
    case 1:
        if (rk_actor_spawn(ctx, roll(w, 3), NULL, &id) == RK_OK) {
            w->friend[roll(w, FRIENDS)] = id;
        }
        break;
    case 2: (void)rk_actor_system_kill(system, some_friend(w)); break;
    case 3: (void)rk_actor_system_stop(system, some_friend(w)); break;
    case 4: return RK_ABORTED;
    case 5: rk_actor_panic(ctx, RK_FAULT, "by chance");
    case 6: rk_actor_exit(ctx); break;
    case 7:
    case 8:
        (void)rk_actor_send_after(ctx, some_friend(w), roll(w, 2), PROBE_SAY, &n, sizeof n, &timer);
        w->hash = mix(w->hash, timer);
        break;
    case 9:
    case 10:
        (void)rk_actor_ask(ctx, some_friend(w), PROBE_SAY, &n, sizeof n, 5, &correlation);
        w->hash = mix(w->hash, correlation);
        break;
    case 11:
        snprintf(name, sizeof name, "name/%u", roll(w, 4));
        (void)rk_actor_system_register(system, name, rk_actor_self(ctx));
        break;
    case 12:
        snprintf(name, sizeof name, "name/%u", roll(w, 4));
        (void)rk_actor_system_lookup(system, name, &id);
        w->hash = mix(w->hash, id);
        break;
    case 13: (void)rk_actor_system_restart(system, some_friend(w)); break;
    case 14:
        if ((msg->flags & RK_MSG_REQUEST) != 0) {
            (void)rk_actor_reply(ctx, msg, PROBE_COUNT, &n, sizeof n);
        }
        break;
    default: break;
    }
    return RK_OK;
}

static rk_status wander(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    wanderer *w = rk_actor_state(ctx);
    news n = {0};
    if (msg->type >= RK_MSG_TYPE_USER) {
        memcpy(&n, msg->payload, sizeof n);
    }
    if (w->random == 0) {
        w->random = mix(rk_actor_self(ctx), 1);
        w->parent = rk_actor_parent(ctx);
        for (unsigned i = 0; i < FRIENDS; i++) {
            w->friend[i] = i == 0 && w->parent != 0 ? w->parent : rk_actor_self(ctx);
        }
    }
    uint64_t parts[] = {msg->from,           msg->type, msg->length, msg->flags, msg->correlation,
                        rk_actor_turn(ctx),  n.fuel,    n.about,     n.noise,    w->parent,
                        rk_actor_now_ns(ctx)};
    for (size_t i = 0; i < RK_COUNT_OF(parts); i++) {
        w->hash = mix(w->hash, parts[i]);
    }
    if (n.about != RK_ACTOR_NONE) {
        w->friend[roll(w, FRIENDS)] = n.about;
    }
    rk_status status = RK_OK;
    atomic_fetch_add(&seen_sum, mix(w->hash, rk_actor_self(ctx)));
    if (n.fuel != 0) {
        spread(ctx, w, n.fuel - 1);
        if (roll(w, 3) == 0) {
            spread(ctx, w, n.fuel - 1);
        }
        status = act(ctx, w, msg, n.fuel - 1);
    }
    return status;
}

static rk_status wander_start(rk_actor_ctx *ctx)
{
    /* Only at first: two that restart each other would go on for ever. */
    const news n = {rk_actor_turn(ctx) < 30, RK_ACTOR_NONE, rk_actor_turn(ctx)};
    (void)rk_actor_send(ctx, rk_actor_self(ctx), PROBE_SAY, &n, sizeof n);
    return rk_actor_turn(ctx) % 7 == 6 ? RK_IO : RK_OK;
}

typedef struct outcome {
    uint64_t sum;
    rk_actor_stats stats;
    rk_deadletter_stats letters;
} outcome;

static outcome run_program(uint32_t workers, uint64_t seed)
{
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 1000);
    rk_actor_system *system = system_make(workers, RK_ACTOR_ORDERED, true);
    for (unsigned i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "wanderer%u", i);
        const rk_actor_type type = {.name = name,
                                    .state_bytes = sizeof(wanderer),
                                    .on_message = wander,
                                    .on_start = i == 1 ? wander_start : NULL,
                                    .strategy = (rk_actor_strategy)i,
                                    .restart = (rk_actor_restart)(2 - i),
                                    .mailbox_limit = i == 2 ? 6 : 0,
                                    .full = RK_ACTOR_FULL_DEADLETTER};
        type_add(system, &type);
    }
    atomic_store(&seen_sum, 0);
    rk_actor_id roots[64];
    for (unsigned i = 0; i < RK_COUNT_OF(roots); i++) {
        roots[i] = actor_add(system, i % 3);
    }
    for (unsigned i = 0; i < RK_COUNT_OF(roots); i++) {
        for (unsigned k = 0; k < 4; k++) {
            const news n = {14, roots[(i * 7 + k * 13 + seed) % RK_COUNT_OF(roots)], seed};
            assert_int_equal(rk_actor_system_send(system, roots[i], PROBE_SAY, &n, sizeof n, NULL),
                             RK_OK);
        }
    }
    assert_int_equal(rk_actor_system_resume(system), RK_OK);
    settle(system);
    outcome o;
    memset(&o, 0, sizeof o);
    o.sum = atomic_load(&seen_sum);
    rk_actor_system_stats(system, &o.stats);
    rk_deadletter_queue_stats(rk_actor_system_deadletters(system), &o.letters);
    o.stats.workers = 0;
    o.stats.parks = 0;
    o.stats.memory_bytes = 0;
    assert_true(o.stats.sent >= o.stats.handled + o.stats.dead + o.stats.dropped);
    rk_actor_system_destroy(system);
    rk_test_clock_remove(&clock);
    return o;
}

static void random_programs_do_the_same_on_any_number_of_workers(void **state)
{
    (void)state;
    const uint32_t workers[] = {2, 4, 3, 1};
    uint64_t handled = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        outcome one = run_program(1, seed);
        handled += one.stats.handled;
        for (size_t i = 0; i < RK_COUNT_OF(workers); i++) {
            outcome other = run_program(workers[i], seed);
            assert_int_equal(other.sum, one.sum);
            assert_memory_equal(&other.stats, &one.stats, sizeof one.stats);
            assert_memory_equal(&other.letters.added_by_reason, &one.letters.added_by_reason,
                                sizeof one.letters.added_by_reason);
        }
    }
    /* The programs did something. */
    assert_true(handled > 5000);
}

typedef struct relay {
    rk_actor_id next;
    uint64_t turn;
} relay;

static rk_status relay_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    relay *r = rk_actor_state(ctx);
    if (msg->type == PROBE_COUNT) {
        memcpy(&r->next, msg->payload, sizeof r->next);
        return RK_OK;
    }
    uint64_t sent_in;
    memcpy(&sent_in, msg->payload, sizeof sent_in);
    uint64_t turn = rk_actor_turn(ctx);
    if (sent_in != 0) {
        assert_int_equal(turn, sent_in + 1);
    }
    assert_true(turn > r->turn);
    r->turn = turn;
    log_add("x");
    if (r->next != RK_ACTOR_NONE) {
        assert_int_equal(rk_actor_send(ctx, r->next, PROBE_SAY, &turn, sizeof turn), RK_OK);
    }
    return RK_OK;
}

static void a_message_arrives_in_the_next_turn(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(2, RK_ACTOR_ORDERED, false);
    const rk_actor_type type = {
        .name = "relay", .state_bytes = sizeof(relay), .on_message = relay_message};
    rk_actor_type_id id = type_add(system, &type);
    rk_actor_id first = RK_ACTOR_NONE;
    for (unsigned i = 0; i < 50; i++) {
        rk_actor_id actor = actor_add(system, id);
        tell(system, actor, PROBE_COUNT, first);
        first = actor;
    }
    settle(system);
    rk_actor_stats before;
    rk_actor_system_stats(system, &before);
    tell(system, first, PROBE_SAY, 0);
    settle_balanced(system);
    rk_actor_stats after;
    rk_actor_system_stats(system, &after);
    assert_int_equal(after.turns, before.turns + 50);
    assert_int_equal(test_log.count, 50);
    rk_actor_system_destroy(system);
}

static rk_status note_source(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)ctx;
    uint64_t value;
    memcpy(&value, msg->payload, sizeof value);
    log_add("%u.%u", (unsigned)(value >> 8), (unsigned)(value & 255));
    return RK_OK;
}

static rk_status send_three(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    uint64_t number;
    rk_actor_id to = RK_ACTOR_NONE;
    memcpy(&number, msg->payload, sizeof number);
    assert_int_equal(rk_actor_system_lookup(rk_actor_system_of(ctx), "sink", &to), RK_OK);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t value = number << 8 | i;
        assert_int_equal(rk_actor_send(ctx, to, PROBE_SAY, &value, sizeof value), RK_OK);
    }
    return RK_OK;
}

static void messages_are_sorted_by_source_and_sequence(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 4; workers++) {
        rk_actor_system *system = system_make(workers, RK_ACTOR_ORDERED, true);
        rk_actor_type type = {.name = "sink", .on_message = note_source};
        const rk_actor_spawn_options named = {.name = "sink"};
        rk_actor_id sink;
        assert_int_equal(rk_actor_system_spawn(system, type_add(system, &type), &named, &sink),
                         RK_OK);
        type = (rk_actor_type){.name = "source", .on_message = send_three};
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id sources[60];
        char expected[60 * 3 * 8] = "";
        for (unsigned i = 0; i < 60; i++) {
            sources[i] = actor_add(system, id);
            for (unsigned k = 0; k < 3; k++) {
                snprintf(expected + strlen(expected), 16, "%s%u.%u", i + k == 0 ? "" : " ", i, k);
            }
        }
        for (unsigned i = 60; i-- > 0;) {
            tell(system, sources[i], PROBE_SAY, i);
        }
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        log_expect(expected);
        rk_actor_system_destroy(system);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_do_the_same_on_any_number_of_workers),
        cmocka_unit_test(a_message_arrives_in_the_next_turn),
        cmocka_unit_test(messages_are_sorted_by_source_and_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
