/*
 * The health of devices as a runtime tells it, while kernels are resident: the CUDA and HIP drivers
 * on the test driver, which heats up, reports errors and refuses calls that could wait.
 */
#include "base/test_folder.h"
#include "support/skip.h"
#include <ringkernel/ringkernel.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN(t, member) (((t).known & RK_TELEMETRY_KNOWN(member)) != 0)

static char folder[RK_TEST_FOLDER_BYTES];
static char control[RK_TEST_FOLDER_BYTES + 16];

/* The test driver reads its settings once in a process. */
static int setup(void **state)
{
    (void)state;
    char text[2 * RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    (void)snprintf(control, sizeof control, "%s/control", folder);
    (void)snprintf(text, sizeof text, "drain,heat=50,control=%s", control);
    return setenv("RK_TEST_GPU", text, 1);
}

static int teardown(void **state)
{
    (void)state;
    rk_test_folder_remove(folder);
    return 0;
}

static void inject(const char *line)
{
    FILE *file = fopen(control, "ae");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", line) > 0);
    assert_int_equal(fclose(file), 0);
}

static rk_runtime *open_runtime(const char *drivers)
{
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    rk_runtime_options options = {.drivers = drivers};
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

static rk_kernel *start_copying(rk_runtime *runtime, uint64_t *out_run)
{
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_module_open_builtin("copy", &module, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_param_value cells = {.name = "cells", .text = "1000"};
    rk_launch launch = {
        .name = "busy", .module = module, .blocks = 1, .params = &cells, .param_count = 1};
    if (rk_kernel_create(runtime, &launch, &kernel, &err) != RK_OK ||
        rk_kernel_start(kernel, &err) != RK_OK ||
        rk_kernel_run(kernel, 1ull << 40, out_run, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(module);
    return kernel;
}

static rk_device_telemetry look(rk_runtime *runtime)
{
    rk_device_telemetry t;
    assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &t), RK_OK);
    return t;
}

/* Looks until the device tells of that many uncorrected errors. */
static rk_device_telemetry await_errors(rk_runtime *runtime, uint64_t errors)
{
    rk_device_telemetry t = look(runtime);
    while (t.ecc_uncorrected != errors) {
        (void)sched_yield();
        t = look(runtime);
    }
    return t;
}

static void stop(rk_kernel *kernel, uint64_t run)
{
    rk_reply reply;
    rk_kernel_abort(kernel);
    assert_int_equal(rk_kernel_wait(kernel, run, RK_FOREVER, &reply, NULL), RK_OK);
    rk_kernel_destroy(kernel);
}

static void nvidia_tells_while_a_kernel_is_resident(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime("cuda-test");
    rk_device_telemetry before = look(runtime);
    assert_int_equal(before.temperature_c, 50);
    assert_int_equal(before.throttle_reasons & RK_THROTTLE_THERMAL, 0);
    assert_int_equal(before.xid_count, 0);
    uint64_t run = 0;
    rk_kernel *kernel = start_copying(runtime, &run);
    inject("cuda:0 heat=95");
    inject("cuda:0 xid=63");
    inject("cuda:0 ecc=2");
    rk_device_telemetry now = await_errors(runtime, 2);
    assert_int_equal(now.temperature_c, 95);
    assert_int_equal(now.throttle_reasons & RK_THROTTLE_THERMAL, RK_THROTTLE_THERMAL);
    assert_int_equal(now.last_xid, 63);
    assert_int_equal(now.xid_count, 1);
    assert_int_equal(now.resident_kernels, 1);
    assert_true(now.memory_used_bytes > 0);
    assert_true(KNOWN(now, power_mw) && KNOWN(now, clock_mhz) && KNOWN(now, pcie_replays));
    assert_int_equal(now.vendor_busy_percent, 100); /* which tells nothing: hence our own count */
    assert_int_equal(look(runtime).xid_count, 1);
    stop(kernel, run);
    assert_int_equal(look(runtime).resident_kernels, 0);
    rk_runtime_destroy(runtime);
}

static void amd_tells_while_a_kernel_is_resident(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime("hip-test");
    assert_int_equal(look(runtime).temperature_c, 50);
    assert_int_equal(look(runtime).xid_count, 0);
    uint64_t run = 0;
    rk_kernel *kernel = start_copying(runtime, &run);
    inject("hip:0 heat=88");
    inject("hip:0 ecc=3");
    rk_device_telemetry now = await_errors(runtime, 3);
    assert_int_equal(now.temperature_c, 88);
    assert_int_equal(now.xid_count, 1); /* a RAS event */
    assert_false(KNOWN(now, last_xid));
    stop(kernel, run);
    rk_runtime_destroy(runtime);
}

static void kernels_count_their_own_time(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime("cuda-test");
    uint64_t run = 0;
    rk_kernel *kernel = start_copying(runtime, &run);
    stop(kernel, run);
    kernel = start_copying(runtime, &run);
    rk_kernel_abort(kernel);
    rk_reply reply;
    assert_int_equal(rk_kernel_wait(kernel, run, RK_FOREVER, &reply, NULL), RK_OK);
    rk_device_telemetry before = look(runtime);
    rk_device_telemetry now = before;
    while (rk_telemetry_busy_percent(&before, &now) <= 0.0) {
        (void)sched_yield(); /* each look makes the kernel publish its times for the next */
        now = look(runtime);
    }
    assert_true(now.kernel_busy_ns > 0 && now.kernel_idle_ns > 0);
    assert_true(rk_telemetry_busy_percent(&before, &now) <= 100.0);
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nvidia_tells_while_a_kernel_is_resident),
        cmocka_unit_test(amd_tells_while_a_kernel_is_resident),
        cmocka_unit_test(kernels_count_their_own_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
