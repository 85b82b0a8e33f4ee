/*
 * What can be seen of a runtime from outside: devices and snapshots. Single steps by step budgets.
 */
#include "runtime/probe.h"
#include "support/skip.h"
#include <ringkernel/abi/control.h>
#include <string.h>

static rk_runtime *runtime_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    rk_runtime *runtime = NULL;
    rk_runtime_options options = {.logical_devices = 2};
    assert_int_equal(rk_runtime_create(&options, &runtime, NULL), RK_OK);
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    rk_runtime_destroy(*state);
    return 0;
}

static rk_device_info device(void **state, uint32_t index)
{
    rk_device_info info;
    assert_int_equal(rk_runtime_device_info(runtime_of(state), index, &info), RK_OK);
    return info;
}

static void devices_are_described(void **state)
{
    assert_int_equal(rk_runtime_device_count(runtime_of(state)), 2);
    rk_device_info info = device(state, 1);
    assert_string_equal(info.name, "cpu:1");
    assert_string_equal(info.driver, "cpu");
    assert_true(strlen(info.text) > 0);
    assert_true(info.units > 0);
    assert_true(info.max_blocks >= info.units);
    assert_true(info.memory_bytes > 0);
    assert_int_equal(info.memory_used_bytes, 0);
    assert_int_equal(info.resident_kernels, 0);
    assert_int_equal(rk_runtime_device_info(runtime_of(state), 2, &info), RK_NOT_FOUND);
}

static void devices_count_what_they_hold(void **state)
{
    rk_launch launch = {.blocks = 3, .device = "cpu:1"};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    rk_device_info info = device(state, 1);
    assert_int_equal(info.resident_kernels, 1);
    assert_int_equal(info.resident_blocks, 3);
    assert_true(info.memory_used_bytes > 0);
    assert_int_equal(device(state, 0).resident_kernels, 0);
    assert_int_equal(device(state, 0).memory_used_bytes, 0);
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(device(state, 1).resident_kernels, 0);
    assert_true(device(state, 1).memory_used_bytes > 0);
    rk_kernel_destroy(kernel);
}

static void snapshots_need_no_answer(void **state)
{
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t id = 0;
    rk_kernel_snapshot before;
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &before);
    assert_int_equal(before.state, RK_KERNEL_IDLE);
    assert_int_equal(before.step, 0);
    assert_int_equal(probe_run(kernel, 5), 5);
    assert_int_equal(rk_kernel_pause(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_run(kernel, 9, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_stats(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    rk_kernel_read_snapshot(kernel, &snapshot);
    assert_int_equal(snapshot.state, RK_KERNEL_PAUSED);
    assert_int_equal(snapshot.step, 5);
    assert_int_equal(snapshot.remaining, 9);
    assert_int_equal(snapshot.in_flight, 1); /* the run */
    assert_true(snapshot.heartbeat > before.heartbeat);
    assert_int_equal(snapshot.restarts, 0);
    while (snapshot.idle_ns == 0) { /* counted once it has waited between two commands */
        assert_int_equal(rk_kernel_stats(kernel, &id, NULL), RK_OK);
        (void)probe_done(kernel, id);
        rk_kernel_read_snapshot(kernel, &snapshot);
    }
    rk_kernel_destroy(kernel);
}

static void reach(rk_kernel *kernel, uint64_t step)
{
    rk_reply reply = {0};
    while (reply.step < step) {
        uint64_t id = 0;
        assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_OK);
        reply = probe_done(kernel, id);
    }
    assert_int_equal(reply.step, step);
}

static void a_run_stops_and_goes_on_step_by_step(void **state)
{
    rk_launch launch = {.blocks = 3};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t run = 0;
    assert_int_equal(rk_kernel_step_budget(kernel, 7, NULL, NULL), RK_OK);
    assert_int_equal(rk_kernel_run(kernel, 100, &run, NULL), RK_OK);
    reach(kernel, 7);
    for (uint64_t step = 8; step < 12; step++) {
        assert_int_equal(rk_kernel_step_budget(kernel, 1, NULL, NULL), RK_OK);
        assert_int_equal(rk_kernel_resume(kernel, NULL, NULL), RK_OK);
        reach(kernel, step);
        uint32_t value = 0;
        uint32_t mirror = 0;
        assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PAUSED);
        assert_int_equal(rk_kernel_read_field(kernel, "value", 0, 1, &value, NULL), RK_OK);
        assert_int_equal(rk_kernel_read_field(kernel, "mirror", 63, 1, &mirror, NULL), RK_OK);
        assert_int_equal(value, step);
        assert_int_equal(mirror, step); /* all phases of the step are done */
    }
    assert_int_equal(rk_kernel_step_budget(kernel, RK_FOREVER, NULL, NULL), RK_OK);
    assert_int_equal(rk_kernel_resume(kernel, NULL, NULL), RK_OK);
    assert_int_equal(probe_done(kernel, run).step, 100);
    rk_kernel_destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(devices_are_described, setup, teardown),
        cmocka_unit_test_setup_teardown(devices_count_what_they_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_need_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_stops_and_goes_on_step_by_step, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
