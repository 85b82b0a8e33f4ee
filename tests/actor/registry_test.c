/*
 * registry_test.c: names of actors and patterns over them.
 */
#include "actor/support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool list_name(void *context, const char *name, rk_actor_id id)
{
    rk_actor_system *system = context;
    rk_actor_id found = RK_ACTOR_NONE;
    assert_int_equal(rk_actor_system_lookup(system, name, &found), RK_OK);
    assert_int_equal(found, id);
    log_add("%s", name);
    return true;
}

static void expect_names(rk_actor_system *system, const char *pattern, const char *expected)
{
    assert_int_equal(rk_actor_system_names(system, pattern, list_name, system), RK_OK);
    log_expect(expected);
}

static void names_can_be_listed_by_pattern(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    rk_actor_type_id id = type_add(system, &type);
    const char *names[] = {"room", "room/a", "room/a/mic", "room/b", "room/b/mic", "hall/a/mic"};
    for (size_t i = 0; i < RK_COUNT_OF(names); i++) {
        const rk_actor_spawn_options options = {.name = names[i]};
        rk_actor_id actor;
        assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_OK);
        assert_int_equal(rk_actor_system_spawn(system, id, &options, &actor), RK_EXISTS);
    }
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.actors, RK_COUNT_OF(names));
    expect_names(system, "#", "hall/a/mic room room/a room/a/mic room/b room/b/mic");
    expect_names(system, "room/*", "room/a room/b");
    expect_names(system, "room/#", "room room/a room/a/mic room/b room/b/mic");
    expect_names(system, "*/a/mic", "hall/a/mic room/a/mic");
    expect_names(system, "*/*/*", "hall/a/mic room/a/mic room/b/mic");
    expect_names(system, "room/b", "room/b");
    expect_names(system, "cellar/#", "");
    assert_int_equal(rk_actor_system_names(system, "room/#/x", list_name, system), RK_INVALID);
    assert_int_equal(rk_actor_system_names(system, "ro*m", list_name, system), RK_INVALID);
    assert_int_equal(rk_actor_system_names(system, NULL, list_name, system), RK_INVALID);
    rk_actor_system_destroy(system);
}

static void names_are_checked(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(1, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    rk_actor_id actor = actor_add(system, type_add(system, &type));
    char text[300];
    memset(text, 'x', sizeof text);
    text[256] = '\0';
    const char *bad[] = {"", "/", "a/", "/a", "a//b", "a/*", "#", "a\nb", text, NULL};
    rk_actor_id found;
    for (size_t i = 0; i < RK_COUNT_OF(bad); i++) {
        assert_int_equal(rk_actor_system_register(system, bad[i], actor), RK_INVALID);
        assert_int_equal(rk_actor_system_unregister(system, bad[i]), RK_INVALID);
        assert_int_equal(rk_actor_system_lookup(system, bad[i], &found), RK_INVALID);
    }
    text[255] = '\0';
    assert_int_equal(rk_actor_system_register(system, text, actor), RK_OK);
    assert_int_equal(rk_actor_system_register(system, "other", actor + 1), RK_NOT_FOUND);
    rk_actor_system_destroy(system);
}

static void an_actor_may_have_several_names(void **state)
{
    (void)state;
    for (unsigned d = 0; d < 2; d++) {
        rk_actor_system *system = system_make(1, (rk_actor_delivery)d, false);
        rk_actor_type type = probe_type("probe");
        rk_actor_id a = actor_add(system, type_add(system, &type));
        rk_actor_id b = actor_add(system, 0);
        assert_int_equal(rk_actor_system_register(system, "a/1", a), RK_OK);
        assert_int_equal(rk_actor_system_register(system, "a/2", a), RK_OK);
        assert_int_equal(rk_actor_system_register(system, "a/3", a), RK_OK);
        assert_int_equal(rk_actor_system_register(system, "b/1", b), RK_OK);
        assert_int_equal(rk_actor_system_register(system, "a/2", b), RK_EXISTS);
        assert_int_equal(rk_actor_system_unregister(system, "a/2"), RK_OK);
        assert_int_equal(rk_actor_system_unregister(system, "a/2"), RK_NOT_FOUND);
        expect_names(system, "#", "a/1 a/3 b/1");
        /* Names stay when it restarts, and end with it. */
        tell(system, a, PROBE_PANIC, 0);
        settle(system);
        expect_names(system, "#", "a/1 a/3 b/1");
        assert_int_equal(rk_actor_system_kill(system, a), RK_OK);
        settle(system);
        expect_names(system, "#", "b/1");
        rk_actor_id found;
        assert_int_equal(rk_actor_system_lookup(system, "a/1", &found), RK_NOT_FOUND);
        rk_actor_system_destroy(system);
    }
}

/* Registers its own name when told, in an ordered system. */
static rk_status claim(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    rk_actor_system *system = rk_actor_system_of(ctx);
    rk_actor_id found;
    const probe_state *s = rk_actor_state(ctx);
    if (msg->type == RK_ACTOR_MSG_NAME_TAKEN) {
        log_add("%s:lost:%s", s->name, (const char *)msg->payload);
        return RK_OK;
    }
    if (msg->type == PROBE_SAY) {
        assert_int_equal(rk_actor_system_register(system, "prize", rk_actor_self(ctx)), RK_OK);
        assert_int_equal(rk_actor_system_lookup(system, "prize", &found), RK_NOT_FOUND);
    } else {
        assert_int_equal(rk_actor_system_unregister(system, "prize"), RK_OK);
        assert_int_equal(rk_actor_system_lookup(system, "prize", &found), RK_OK);
    }
    return RK_OK;
}

static void in_ordered_systems_names_change_between_turns(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        rk_actor_system *system = system_make(workers, RK_ACTOR_ORDERED, true);
        rk_actor_type type = probe_type("claimer");
        type.on_message = claim;
        rk_actor_type_id id = type_add(system, &type);
        rk_actor_id actor[3];
        const char *names[] = {"x", "y", "z"};
        for (unsigned i = 0; i < 3; i++) {
            actor[i] = probe_add(system, id, names[i], RK_ACTOR_NONE);
        }
        for (unsigned i = 3; i-- > 0;) {
            tell(system, actor[i], PROBE_SAY, 0);
        }
        assert_int_equal(rk_actor_system_resume(system), RK_OK);
        settle_balanced(system);
        rk_actor_id found = RK_ACTOR_NONE;
        assert_int_equal(rk_actor_system_lookup(system, "prize", &found), RK_OK);
        assert_int_equal(found, actor[0]);
        log_expect("y:lost:prize z:lost:prize");
        tell(system, actor[2], PROBE_COUNT, 0);
        settle_balanced(system);
        assert_int_equal(rk_actor_system_lookup(system, "prize", &found), RK_NOT_FOUND);
        rk_actor_system_destroy(system);
    }
}

/* Names actors that are about to end, a fixed number of times. */
static void name_all(void *arg)
{
    rk_actor_system *system = arg;
    for (unsigned i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "n/%u", i % 64);
        rk_actor_id id;
        if (rk_actor_system_spawn(system, 0, NULL, &id) == RK_OK) {
            (void)rk_actor_system_kill(system, id);
            (void)rk_actor_system_register(system, name, id);
        }
    }
}

static bool count_name(void *context, const char *name, rk_actor_id id)
{
    (void)id;
    ++*(unsigned *)context;
    return strncmp(name, "n/", 2) == 0;
}

static void names_and_ends_may_race(void **state)
{
    (void)state;
    rk_actor_system *system = system_make(2, RK_ACTOR_FREE, false);
    rk_actor_type type = probe_type("probe");
    type_add(system, &type);
    rk_thread threads[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rk_thread_start(&threads[i], "namer", name_all, system), RK_OK);
    }
    for (unsigned i = 0; i < 100; i++) {
        unsigned count = 0;
        assert_int_equal(rk_actor_system_names(system, "n/*", count_name, &count), RK_OK);
        assert_true(count <= 64);
    }
    for (unsigned i = 0; i < 2; i++) {
        rk_thread_join(&threads[i]);
    }
    settle_balanced(system);
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.actors, 0);
    expect_names(system, "#", "");
    rk_actor_system_destroy(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_can_be_listed_by_pattern),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(an_actor_may_have_several_names),
        cmocka_unit_test(in_ordered_systems_names_change_between_turns),
        cmocka_unit_test(names_and_ends_may_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
