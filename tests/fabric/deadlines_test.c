/*
 * The heap of deadlines against a plain list, over random operations.
 */
#include "fabric/deadlines.h"
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

#define COUNT 200

static void test_random_operations(void **state)
{
    (void)state;
    rk_deadlines set;
    rk_deadlines_init(&set);
    static rk_deadline deadlines[COUNT];
    uint64_t armed[COUNT] = {0}; /* 0: not armed */
    memset(deadlines, 0, sizeof(deadlines));
    uint64_t seed = 7;
    for (uint32_t i = 0; i < COUNT; i++) {
        deadlines[i].kind = 5;
        deadlines[i].id = i;
    }
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)(rk_test_random(&seed) % COUNT);
        uint64_t due = 1 + rk_test_random(&seed) % 1000;
        switch (rk_test_random(&seed) % 4) {
        case 0:
        case 1:
            assert_int_equal(rk_deadlines_set(&set, &deadlines[i], due), RK_OK);
            armed[i] = due;
            break;
        case 2:
            rk_deadlines_cancel(&set, &deadlines[i]);
            armed[i] = 0;
            break;
        default: {
            uint64_t earliest = UINT64_MAX;
            for (unsigned k = 0; k < COUNT; k++) {
                earliest = armed[k] != 0 ? RK_MIN(earliest, armed[k]) : earliest;
            }
            assert_true(rk_deadlines_next(&set) == earliest);
            uint32_t kind = 0;
            uint32_t id = 0;
            bool popped = rk_deadlines_pop(&set, due, &kind, &id);
            assert_int_equal(popped, earliest <= due);
            if (popped) {
                assert_int_equal(kind, 5);
                assert_true(armed[id] == earliest);
                armed[id] = 0;
            }
        }
        }
    }
    rk_deadlines_finish(&set);
}

/* An earlier deadline changes the bell, a later one does not. */
static void test_bell(void **state)
{
    (void)state;
    rk_deadlines set;
    rk_deadlines_init(&set);
    rk_deadline a = {.id = 1};
    rk_deadline b = {.id = 2};
    uint32_t bell = set.bell;
    assert_int_equal(rk_deadlines_set(&set, &a, 100), RK_OK);
    assert_int_not_equal(set.bell, bell);
    bell = set.bell;
    assert_int_equal(rk_deadlines_set(&set, &b, 200), RK_OK);
    assert_int_equal(set.bell, bell);
    assert_int_equal(rk_deadlines_set(&set, &b, 50), RK_OK);
    assert_int_not_equal(set.bell, bell);
    rk_deadlines_finish(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_bell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
