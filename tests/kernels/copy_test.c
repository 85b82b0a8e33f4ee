/*
 * copy_test.c: the values that the kernel "copy" leaves, and its check.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#define CELLS 1000u

static void every_cell_tells_the_steps(void **state)
{
    (void)state;
    static const unsigned ways[][2] = {{1, 0}, {3, 0}, {2, 16}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        kt *k = kt_new("copy", NULL, ways[i][0], ways[i][1]);
        kt_u(k, "cells", CELLS);
        kt_create(k);
        assert_int_equal(kt_start(k), RK_OK);
        uint64_t steps = 0;
        for (uint64_t more = 1; more < 9; more += 3) {
            uint64_t values[CELLS];
            uint64_t sum = 0;
            uint64_t code = 99;
            assert_int_equal(kt_run(k, more), RK_OK);
            steps += more;
            for (uint64_t n = 1; n <= steps; n++) {
                sum += n;
            }
            kt_read(k, steps % 2 != 0 ? "odd" : "even", values, CELLS);
            for (uint64_t cell = 0; cell < CELLS; cell++) {
                assert_true(values[cell] == cell + sum);
            }
            assert_int_equal(kt_check(k, &code), RK_OK);
            assert_int_equal(code, 0);
            values[CELLS / 2]++;
            kt_write(k, steps % 2 != 0 ? "odd" : "even", values, CELLS);
            assert_int_not_equal(kt_check(k, &code), RK_OK);
            assert_int_equal(code, 1);
            values[CELLS / 2]--;
            kt_write(k, steps % 2 != 0 ? "odd" : "even", values, CELLS);
        }
        kt_end(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_tells_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
