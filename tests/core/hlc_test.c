/*
 * Hybrid logical clocks: unique and increasing under threads, frozen and backward wall clocks,
 * remote times, text.
 */
#include "core/hlc.h"

#include "base/clock.h"
#include "base/thread.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define START_US 1700000000000000ull /* 2023-11-14T22:13:20Z */

static void freeze(rk_test_clock *clock, uint64_t realtime_us)
{
    rk_test_clock_install(clock, 0, realtime_us * 1000);
}

static void test_frozen_clock(void **state)
{
    (void)state;
    rk_test_clock wall;
    freeze(&wall, START_US);
    rk_hlc_clock clock;
    rk_hlc_clock_init(&clock, 5, 0);
    rk_hlc last = rk_hlc_tick(&clock);
    assert_int_equal(last.physical_us, START_US);
    assert_int_equal(last.logical, 0);
    assert_int_equal(last.node, 5);
    for (unsigned i = 1; i < 3 * RK_HLC_LOGICAL_LIMIT; i++) {
        rk_hlc next = rk_hlc_tick(&clock);
        assert_int_equal(rk_hlc_compare(&last, &next), -1);
        assert_true(rk_hlc_is_valid(&next));
        last = next;
    }
    /* The counter has carried into the physical part twice. */
    assert_int_equal(last.physical_us, START_US + 2);
    assert_int_equal(last.logical, RK_HLC_LOGICAL_LIMIT - 1);
    rk_test_clock_step(&wall, 1000000);
    last = rk_hlc_tick(&clock);
    assert_int_equal(last.physical_us, START_US + 1000);
    assert_int_equal(last.logical, 0);
    rk_test_clock_remove(&wall);
}

static void test_backward_clock(void **state)
{
    (void)state;
    rk_test_clock wall;
    freeze(&wall, START_US);
    rk_hlc_clock clock;
    rk_hlc_clock_init(&clock, 1, 0);
    rk_hlc before = rk_hlc_tick(&clock);
    rk_test_clock_set_realtime(&wall, (START_US - 3600000000ull) * 1000);
    rk_hlc after = rk_hlc_tick(&clock);
    assert_int_equal(rk_hlc_compare(&before, &after), -1);
    assert_int_equal(after.physical_us, START_US);
    assert_int_equal(after.logical, 1);
    rk_test_clock_remove(&wall);
}

static void test_restart(void **state)
{
    (void)state;
    rk_test_clock wall;
    freeze(&wall, START_US);
    rk_hlc_clock clock;
    rk_hlc_clock_init(&clock, 1, 0);
    uint64_t saved = (START_US + 50) << RK_HLC_LOGICAL_BITS | 9;
    rk_hlc_raise(&clock, saved);
    assert_true(rk_hlc_tick_packed(&clock) > saved);
    rk_hlc_raise(&clock, 1); /* does not go back */
    assert_true(rk_hlc_tick_packed(&clock) > saved);
    rk_test_clock_remove(&wall);
}

static void test_remote(void **state)
{
    (void)state;
    rk_test_clock wall;
    freeze(&wall, START_US);
    rk_hlc_clock clock;
    rk_hlc_clock_init(&clock, 1, 0);
    rk_err err = RK_ERR_INIT;
    rk_hlc out;

    rk_hlc ahead = {.physical_us = START_US + RK_HLC_DEFAULT_SKEW_US, .logical = 7, .node = 2};
    assert_int_equal(rk_hlc_update(&clock, &ahead, &out, &err), RK_OK);
    assert_int_equal(out.physical_us, ahead.physical_us);
    assert_int_equal(out.logical, 8);
    assert_int_equal(out.node, 1);

    rk_hlc behind = {.physical_us = 1, .logical = 1, .node = 2};
    rk_hlc next;
    assert_int_equal(rk_hlc_update(&clock, &behind, &next, &err), RK_OK);
    assert_int_equal(rk_hlc_compare(&out, &next), -1);

    rk_hlc too_far = {.physical_us = START_US + RK_HLC_DEFAULT_SKEW_US + 1, .node = 2};
    uint64_t before = atomic_load(&clock.last);
    assert_int_equal(rk_hlc_update(&clock, &too_far, &out, &err), RK_SKEW);
    assert_int_equal(err.code, RK_SKEW);
    assert_int_equal(atomic_load(&clock.last), before);

    rk_hlc nonsense[] = {{.physical_us = RK_HLC_PHYSICAL_LIMIT}, {.logical = RK_HLC_LOGICAL_LIMIT}};
    for (size_t i = 0; i < RK_COUNT_OF(nonsense); i++) {
        assert_int_equal(rk_hlc_update(&clock, &nonsense[i], NULL, NULL), RK_INVALID);
    }

    rk_hlc_clock_init(&clock, 1, 500);
    rk_hlc near = {.physical_us = START_US + 500, .logical = RK_HLC_LOGICAL_LIMIT - 1};
    assert_int_equal(rk_hlc_update(&clock, &near, &out, &err), RK_OK);
    assert_int_equal(out.physical_us, START_US + 501); /* the counter carries */
    assert_int_equal(out.logical, 0);
    near.physical_us++;
    assert_int_equal(rk_hlc_update(&clock, &near, &out, &err), RK_SKEW);
    rk_test_clock_remove(&wall);
}

#define THREADS 4u
#define TICKS 1000000u

typedef struct ticker {
    rk_hlc_clock *clock;
    uint64_t *times;
    bool back;
    bool updates;
    rk_thread thread;
} ticker;

static void tick_all(void *context)
{
    ticker *t = context;
    uint64_t last = 0;
    for (uint32_t i = 0; i < TICKS; i++) {
        uint64_t time;
        if (t->updates && i % 16 == 0) {
            rk_hlc remote = rk_hlc_unpack(last + i % 64, 9);
            rk_hlc out;
            if (rk_hlc_update(t->clock, &remote, &out, NULL) != RK_OK) {
                t->back = true;
            }
            time = rk_hlc_pack(&out);
        } else {
            time = rk_hlc_tick_packed(t->clock);
        }
        t->back = t->back || time <= last;
        last = t->times[i] = time;
    }
}

/* Merges the threads' times, each increasing, and looks for equal neighbours. */
static uint64_t count_duplicates(ticker *tickers)
{
    uint32_t at[THREADS] = {0};
    uint64_t last = 0;
    uint64_t duplicates = 0;
    for (uint64_t i = 0; i < (uint64_t)THREADS * TICKS; i++) {
        unsigned least = THREADS;
        for (unsigned k = 0; k < THREADS; k++) {
            if (at[k] < TICKS &&
                (least == THREADS || tickers[k].times[at[k]] < tickers[least].times[at[least]])) {
                least = k;
            }
        }
        uint64_t time = tickers[least].times[at[least]++];
        duplicates += time == last;
        last = time;
    }
    return duplicates;
}

static void tick_in_threads(bool updates)
{
    static rk_hlc_clock clock;
    rk_hlc_clock_init(&clock, 1, 0);
    ticker tickers[THREADS];
    memset(tickers, 0, sizeof tickers);
    for (unsigned i = 0; i < THREADS; i++) {
        tickers[i].clock = &clock;
        tickers[i].updates = updates;
        tickers[i].times = malloc(TICKS * sizeof(uint64_t));
        assert_non_null(tickers[i].times);
        assert_int_equal(rk_thread_start(&tickers[i].thread, "tick", tick_all, &tickers[i]), RK_OK);
    }
    bool back = false;
    for (unsigned i = 0; i < THREADS; i++) {
        rk_thread_join(&tickers[i].thread);
        back = back || tickers[i].back;
    }
    uint64_t duplicates = back ? 0 : count_duplicates(tickers);
    for (unsigned i = 0; i < THREADS; i++) {
        free(tickers[i].times);
    }
    assert_false(back);
    assert_int_equal(duplicates, 0);
}

static void test_threads(void **state)
{
    (void)state;
    tick_in_threads(false);
    tick_in_threads(true);
}

/* All ticks fall into one microsecond: only the counter keeps them apart. */
static void test_threads_frozen(void **state)
{
    (void)state;
    rk_test_clock wall;
    freeze(&wall, START_US);
    tick_in_threads(false);
    rk_test_clock_remove(&wall);
}

static void test_pack_and_compare(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t packed = rk_test_random(&random);
        rk_hlc time = rk_hlc_unpack(packed, 3);
        assert_true(rk_hlc_is_valid(&time));
        assert_int_equal(rk_hlc_pack(&time), packed);
        rk_hlc other = rk_hlc_unpack(rk_test_random(&random), 3);
        int order = rk_hlc_compare(&time, &other);
        assert_int_equal(order, (packed > rk_hlc_pack(&other)) - (packed < rk_hlc_pack(&other)));
        assert_int_equal(rk_hlc_compare(&other, &time), -order);
    }
    rk_hlc a = {1, 2, 3};
    rk_hlc b = {1, 2, 4};
    assert_int_equal(rk_hlc_compare(&a, &b), -1);
    assert_int_equal(rk_hlc_compare(&a, &a), 0);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        rk_hlc time;
        const char *text;
    } known[] = {
        {{0, 0, 0}, "1970-01-01T00:00:00.000000Z+0@0"},
        {{951782400000001ull, 4095, 42}, "2000-02-29T00:00:00.000001Z+4095@42"},
        {{START_US, 17, UINT64_MAX}, "2023-11-14T22:13:20.000000Z+17@18446744073709551615"},
        {{RK_HLC_PHYSICAL_LIMIT - 1, 1, 1}, "2112-09-17T23:53:47.370495Z+1@1"},
    };
    char text[RK_HLC_TEXT_BYTES];
    for (size_t i = 0; i < RK_COUNT_OF(known); i++) {
        rk_hlc parsed;
        assert_int_equal(rk_hlc_format(&known[i].time, text, sizeof text), RK_OK);
        assert_string_equal(text, known[i].text);
        assert_int_equal(rk_hlc_parse(text, &parsed, NULL), RK_OK);
        assert_int_equal(rk_hlc_compare(&parsed, &known[i].time), 0);
        assert_int_equal(rk_hlc_format(&known[i].time, text, strlen(text)), RK_NO_SPACE);
    }
    uint64_t random = 4;
    for (unsigned i = 0; i < 100000; i++) {
        rk_hlc time = rk_hlc_unpack(rk_test_random(&random), rk_test_random(&random));
        rk_hlc parsed;
        assert_int_equal(rk_hlc_format(&time, text, sizeof text), RK_OK);
        assert_int_equal(rk_hlc_parse(text, &parsed, NULL), RK_OK);
        assert_int_equal(rk_hlc_compare(&parsed, &time), 0);
    }
    rk_hlc bad = {RK_HLC_PHYSICAL_LIMIT, 0, 0};
    assert_int_equal(rk_hlc_format(&bad, text, sizeof text), RK_INVALID);
}

static void test_bad_text(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "now",
        "1970-01-01T00:00:00.000000Z+0@0 ",
        " 1970-01-01T00:00:00.000000Z+0@0",
        "1970-01-01T00:00:00.000000Z+0@",
        "1970-01-01T00:00:00.000000Z+@0",
        "1970-01-01T00:00:00.000000Z0@0",
        "1970-01-01T00:00:00.000000+0@0",
        "1970-01-01T00:00:00.00000Z+0@0",
        "1970-01-01T00:00:00Z+0@0",
        "1970-1-01T00:00:00.000000Z+0@0",
        "1970-13-01T00:00:00.000000Z+0@0",
        "1970-00-01T00:00:00.000000Z+0@0",
        "1970-02-29T00:00:00.000000Z+0@0",
        "1970-04-31T00:00:00.000000Z+0@0",
        "1970-01-00T00:00:00.000000Z+0@0",
        "1969-12-31T23:59:59.999999Z+0@0",
        "2113-01-01T00:00:00.000000Z+0@0",
        "2112-12-31T00:00:00.000000Z+0@0",
        "1970-01-01T24:00:00.000000Z+0@0",
        "1970-01-01T00:60:00.000000Z+0@0",
        "1970-01-01T00:00:60.000000Z+0@0",
        "1970-01-01T00:00:00.000000Z+4096@0",
        "1970-01-01T00:00:00.000000Z+01@0",
        "1970-01-01T00:00:00.000000Z+0@18446744073709551616",
        "1970-01-01T00:00:00.000000Z+99999999999999999999999@0",
    };
    for (size_t i = 0; i < RK_COUNT_OF(bad); i++) {
        rk_hlc time = {1, 2, 3};
        rk_err err = RK_ERR_INIT;
        if (rk_hlc_parse(bad[i], &time, &err) != RK_SYNTAX) {
            fail_msg("accepted \"%s\"", bad[i]);
        }
        assert_int_equal(err.code, RK_SYNTAX);
        assert_int_equal(time.logical, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frozen_clock),     cmocka_unit_test(test_backward_clock),
        cmocka_unit_test(test_restart),          cmocka_unit_test(test_remote),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_threads_frozen),
        cmocka_unit_test(test_pack_and_compare), cmocka_unit_test(test_text),
        cmocka_unit_test(test_bad_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
