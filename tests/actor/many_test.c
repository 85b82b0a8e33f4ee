/*
 * many_test.c: more than 100,000 actors alive at once in one system, every one at work.
 */
#include "actor/support.h"
#include <stdlib.h>
#include <string.h>

#define ACTORS 120000u

static rk_status count(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    uint64_t value;
    memcpy(&value, msg->payload, sizeof value);
    uint64_t *sum = rk_actor_state(ctx);
    *sum += value;
    if ((msg->flags & RK_MSG_REQUEST) != 0) {
        return rk_actor_reply(ctx, msg, PROBE_SAY, sum, sizeof *sum);
    }
    return RK_OK;
}

static void all_of_them_work(rk_actor_delivery delivery)
{
    rk_actor_system *system = system_make(2, delivery, false);
    const rk_actor_type type = {
        .name = "counter", .state_bytes = sizeof(uint64_t), .on_message = count};
    rk_actor_type_id id = type_add(system, &type);
    rk_actor_id *all = calloc(ACTORS, sizeof *all);
    assert_non_null(all);
    for (uint32_t i = 0; i < ACTORS; i++) {
        all[i] = actor_add(system, id);
    }
    rk_actor_stats stats;
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.actors, ACTORS);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ACTORS; i++) {
            tell(system, all[i], PROBE_SAY, i);
        }
    }
    settle_balanced(system);
    rk_actor_system_stats(system, &stats);
    assert_int_equal(stats.handled, 2 * ACTORS);
    for (uint64_t i = 0; i < ACTORS; i += 997) {
        rk_actor_future *future = NULL;
        rk_actor_reply_view reply;
        uint64_t sum = 0;
        assert_int_equal(rk_actor_system_ask(system, all[i], PROBE_SAY, &i, sizeof i,
                                             60 * (uint64_t)RK_NS_PER_S, &future),
                         RK_OK);
        assert_int_equal(rk_actor_future_wait(future, RK_NEVER, &reply), RK_OK);
        memcpy(&sum, reply.payload, sizeof sum);
        assert_int_equal(sum, 3 * i);
        rk_actor_future_destroy(future);
    }
    free(all);
    rk_actor_system_destroy(system);
}

static void free_actors(void **state)
{
    (void)state;
    all_of_them_work(RK_ACTOR_FREE);
}

static void ordered_actors(void **state)
{
    (void)state;
    all_of_them_work(RK_ACTOR_ORDERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_actors),
        cmocka_unit_test(ordered_actors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
