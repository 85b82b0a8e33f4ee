/*
 * canary_test.c: the canary's values, its check, and the misbehaviour that it does on request.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <sched.h>
#include <stdbool.h>
#include <string.h>

enum { CORRUPT = 1, PANIC = 2, FAULT = 3, LOOP = 4, ANSWER = 5 };

static const char *program;

static kt *canary(unsigned blocks, unsigned lanes)
{
    kt *k = kt_new("canary", NULL, blocks, lanes);
    kt_u(k, "cells", 100);
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    return k;
}

static void values_are_as_known(void **state)
{
    (void)state;
    static const unsigned ways[][2] = {{1, 0}, {3, 0}, {2, 16}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        kt *k = canary(ways[i][0], ways[i][1]);
        uint64_t steps = 0;
        for (uint64_t more = 0; more < 40; more += 13) {
            uint64_t values[100];
            uint64_t code = 99;
            uint64_t answer[3];
            assert_int_equal(kt_run(k, more), RK_OK);
            steps += more;
            kt_read(k, "value", values, 100);
            for (uint64_t cell = 0; cell < 100; cell++) {
                uint64_t x = cell + 1;
                for (uint64_t n = 0; n < steps; n++) {
                    x = x * 6364136223846793005u + 1442695040888963407u;
                }
                assert_true(values[cell] == x);
            }
            uint64_t cell = 42;
            assert_int_equal(kt_custom(k, ANSWER, &cell, 8, answer), RK_OK);
            assert_true(answer[0] == values[42] && answer[1] == values[42]);
            assert_int_equal(kt_check(k, &code), RK_OK);
            assert_int_equal(code, 0);
        }
        kt_end(k);
    }
}

static void check_finds_corruption(void **state)
{
    (void)state;
    kt *k = canary(2, 0);
    uint64_t value[3];
    uint64_t code;
    uint64_t cell = 77;
    assert_int_equal(kt_run(k, 5), RK_OK);
    assert_int_equal(kt_custom(k, CORRUPT, &cell, 8, value), RK_OK);
    assert_true((value[0] ^ value[1]) == 1);
    assert_int_not_equal(kt_check(k, &code), RK_OK);
    assert_int_equal(code, 1 | 77 << 16);
    assert_int_equal(kt_run(k, 5), RK_OK); /* it does not heal */
    assert_int_not_equal(kt_check(k, &code), RK_OK);
    cell = 100;
    assert_int_not_equal(kt_custom(k, CORRUPT, &cell, 8, value), RK_OK);
    assert_int_not_equal(kt_custom(k, 99, NULL, 0, value), RK_OK);
    kt_end(k);
}

static void panic_ends_it(void **state)
{
    (void)state;
    kt *k = canary(2, 0);
    uint64_t value[3];
    uint64_t code = 17;
    assert_int_equal(kt_run(k, 3), RK_OK);
    assert_int_equal(kt_custom(k, PANIC, &code, 8, value), RK_OK);
    assert_int_not_equal(kt_run(k, 3), RK_OK);
    assert_int_equal(kt_state(k), RK_KERNEL_PANICKED);
    assert_non_null(strstr(kt_failure(k), "told to panic"));
    kt_end(k);
}

static void loop_ends_when_the_run_is_aborted(void **state)
{
    (void)state;
    kt *k = canary(2, 0);
    uint64_t value[3];
    assert_int_equal(kt_custom(k, LOOP, NULL, 0, value), RK_OK);
    assert_int_equal(kt_run_begin(k, 10), RK_OK);
    while (kt_state(k) != RK_KERNEL_RUNNING) {
        sched_yield(); /* an abort before the first step would end the run without it */
    }
    rk_kernel_abort(kt_kernel(k));
    assert_int_equal(kt_run_wait(k), RK_ABORTED);
    assert_int_equal(kt_run(k, 10), RK_OK);
    kt_end(k);
}

/* An invalid access ends the host process; here it is an event with the address. */
static void fault_ends_its_host_process(void **state)
{
    (void)state;
    kt_isolate(program, "__host");
    kt *k = canary(2, 0);
    uint64_t value[3];
    uint64_t address = 0x1230;
    assert_int_equal(kt_run(k, 3), RK_OK);
    assert_int_equal(kt_custom(k, FAULT, &address, 8, value), RK_OK);
    assert_int_not_equal(kt_run(k, 3), RK_OK);
    assert_int_equal(kt_state(k), RK_KERNEL_FAULTED);
    assert_non_null(strstr(kt_failure(k), "1230"));
    kt_end(k);
    kt_isolate(NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_as_known),
        cmocka_unit_test(check_finds_corruption),
        cmocka_unit_test(panic_ends_it),
        cmocka_unit_test(loop_ends_when_the_run_is_aborted),
        cmocka_unit_test(fault_ends_its_host_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
