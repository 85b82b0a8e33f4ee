/*
 * pingpong_test.c: channels between lanes, blocks and kernels carry every word of every message, in
 * order; the way is the one that there is.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <string.h>

enum { OP_START = 1, OP_ROUTE = 2 };
enum { LANES, BLOCKS, DEVICE, KERNELS, FANIN, BROADCAST, MODES };
enum { DONE = 300 };
enum { WAY_SHARED = 1, WAY_CLUSTER, WAY_DEVICE, WAY_KERNEL };
enum { BAD = 1, BUSY, FEW };

static kt *start(unsigned blocks, unsigned lanes, unsigned slice)
{
    kt *k = kt_new("pingpong", NULL, blocks, lanes);
    kt_u(k, "slice", slice);
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    return k;
}

static void receive_done(kt *k, uint64_t done[6])
{
    rk_received message;
    memset(done, 0, 6 * sizeof(done[0]));
    assert_int_equal(rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, done, 48, NULL), RK_OK);
    assert_int_equal(message.type, DONE);
    assert_int_equal(message.length, 48);
}

static void play(kt *k, uint32_t mode, uint32_t rounds, uint32_t bytes, uint64_t done[6])
{
    const uint32_t order[3] = {mode, rounds, bytes};
    uint64_t value[3];
    assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_OK);
    receive_done(k, done);
    assert_int_equal(done[4], 0); /* wrong words */
    assert_true(done[3] <= done[2]);
}

static void two_blocks_play(void **state)
{
    (void)state;
    static const unsigned ways[][2] = {{2, 0}, {4, 0}, {2, 32}};
    for (size_t w = 0; w < 3; w++) {
        kt *k = start(ways[w][0], ways[w][1], 50);
        for (uint32_t bytes = 64; bytes <= 1024; bytes *= 4) {
            uint64_t done[6];
            play(k, BLOCKS, 120, bytes, done);
            assert_int_equal(done[0], WAY_DEVICE);
            assert_int_equal(done[1], 120);
            play(k, DEVICE, 77, bytes, done);
            assert_int_equal(done[0], WAY_DEVICE);
            assert_int_equal(done[1], 77);
        }
        kt_end(k);
    }
}

static void two_lanes_play(void **state)
{
    (void)state;
    for (unsigned lanes = 2; lanes <= 70; lanes += 34) {
        kt *k = start(1, lanes, 50);
        uint64_t done[6];
        play(k, LANES, 30, 64, done);
        assert_int_equal(done[0], WAY_SHARED);
        assert_int_equal(done[1], 30);
        play(k, LANES, 9, 1024, done);
        assert_int_equal(done[1], 9);
        kt_end(k);
    }
}

static void many_blocks_meet(void **state)
{
    (void)state;
    static const unsigned ways[][2] = {{2, 0}, {4, 0}, {3, 8}};
    for (size_t w = 0; w < 3; w++) {
        kt *k = start(ways[w][0], ways[w][1], 300);
        for (uint32_t mode = FANIN; mode <= BROADCAST; mode++) {
            uint64_t done[6];
            play(k, mode, 2000, 64, done);
            assert_int_equal(done[0], WAY_DEVICE);
            assert_int_equal(done[1], 2000 * (ways[w][0] - 1));
        }
        kt_end(k);
    }
}

static void two_kernels_play(void **state)
{
    (void)state;
    kt *one = kt_new("pingpong", NULL, 1, 0);
    kt *other = kt_new("pingpong", NULL, 1, 0);
    kt_create(one);
    kt_create(other);
    kt_connect(one, other);
    kt_connect(other, one);
    assert_int_equal(kt_start(one), RK_OK);
    assert_int_equal(kt_start(other), RK_OK);
    for (uint32_t bytes = 64; bytes <= 1024; bytes *= 4) {
        uint64_t done[6];
        play(one, KERNELS, 100, bytes, done);
        assert_int_equal(done[0], WAY_KERNEL);
        assert_int_equal(done[1], 100);
        play(other, KERNELS, 50, bytes, done);
        assert_int_equal(done[1], 50);
    }
    kt_end(one);
    kt_end(other);
}

/* Shared memory does not outlive a park: the run starts again and ends all the same. */
static void a_run_survives_park(void **state)
{
    (void)state;
    static const uint32_t modes[] = {LANES, BLOCKS, FANIN, BROADCAST};
    for (size_t m = 0; m < 4; m++) {
        kt *k = start(2, 4, 3);
        const uint32_t order[3] = {modes[m], 300, 64};
        uint64_t value[3];
        uint64_t done[6];
        assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_OK);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(rk_kernel_park(kt_kernel(k), RK_FOREVER, NULL), RK_OK);
            assert_int_equal(kt_start(k), RK_OK);
        }
        receive_done(k, done);
        assert_int_equal(done[1], 300);
        assert_int_equal(done[4], 0);
        kt_end(k);
    }
}

static void routes_are_told(void **state)
{
    (void)state;
    kt *k = start(3, 0, 10);
    const uint32_t same[2] = {2, 2};
    const uint32_t apart[2] = {0, 2};
    uint64_t value[3];
    assert_int_equal(kt_custom(k, OP_ROUTE, same, 8, value), RK_OK);
    assert_int_equal(value[0], WAY_SHARED);
    assert_int_equal(kt_custom(k, OP_ROUTE, apart, 8, value), RK_OK);
    assert_int_equal(value[0], WAY_DEVICE);
    kt_end(k);
}

static void bad_orders_are_refused(void **state)
{
    (void)state;
    static const uint32_t orders[][4] = {
        {MODES, 1, 64, BAD},  {BLOCKS, 0, 64, BAD}, {BLOCKS, 1, 63, BAD},    {BLOCKS, 1, 2048, BAD},
        {BLOCKS, 1, 96, BAD}, {LANES, 1, 64, FEW},  {BROADCAST, 1, 64, FEW},
    };
    kt *k = start(1, 0, 10);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        uint64_t value[3];
        assert_int_equal(kt_custom(k, OP_START, orders[i], 12, value), RK_INTERNAL);
        assert_int_equal(value[0], orders[i][3]);
    }
    kt_end(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_blocks_play),        cmocka_unit_test(two_lanes_play),
        cmocka_unit_test(many_blocks_meet),       cmocka_unit_test(two_kernels_play),
        cmocka_unit_test(a_run_survives_park),    cmocka_unit_test(routes_are_told),
        cmocka_unit_test(bad_orders_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
