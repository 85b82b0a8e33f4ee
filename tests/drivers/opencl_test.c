/*
 * opencl_test.c: resident kernels on an OpenCL device, through the public interface: every command,
 * park and start, migration, messages between kernels, leases, both kinds of memory, and what does
 * not fit. Skipped where OpenCL has no device.
 */
#include "device/loader.h"
#include "drivers/opencl_place.h"
#include "runtime/probe.h"
#include "support/skip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The sentence of the call before. */
static rk_err err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != RK_OK) {                                                                     \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

#define CELLS 64

/* How the device is opened: with leases or not, with which memory. */
static rk_runtime *runtime_with(const char *lease, const char *memory)
{
    rk_runtime *runtime = NULL;
    (void)setenv("RK_OPENCL_LEASE", lease, 1);
    (void)setenv("RK_OPENCL_MEMORY", memory, 1);
    OK(rk_runtime_create(&(rk_runtime_options){.drivers = "opencl"}, &runtime, &err));
    return runtime;
}

static rk_kernel *probe_on(rk_runtime *runtime, const char *name, const char *chatter)
{
    const rk_param_value params[] = {{"chatter", chatter}};
    return probe_start(
        runtime,
        &(rk_launch){
            .name = name, .device = PLACE_DEVICE, .blocks = 1, .params = params, .param_count = 1});
}

static void expect_cells(rk_kernel *kernel, const char *field, uint32_t value)
{
    uint32_t cells[CELLS];
    OK(rk_kernel_read_field(kernel, field, 0, CELLS, cells, &err));
    for (int i = 0; i < CELLS; i++) {
        assert_int_equal(cells[i], value);
    }
}

/* The command that was submitted last. */
static uint64_t id;

/* Waits for it: DONE(rk_kernel_ping(kernel, &id, NULL)). */
static rk_reply done(rk_kernel *kernel, rk_status submitted)
{
    assert_int_equal(submitted, RK_OK);
    return probe_done(kernel, id);
}

#define DONE(call) done(kernel, (call))

static void device_is_described(void **state)
{
    (void)state;
    rk_device_info info;
    rk_runtime *runtime = runtime_with("0", "svm");
    assert_int_equal(rk_runtime_device_count(runtime), 1);
    assert_int_equal(rk_runtime_device_info(runtime, 0, &info), RK_OK);
    assert_string_equal(info.name, PLACE_DEVICE);
    assert_string_equal(info.driver, "opencl");
    assert_true(info.text[0] != '\0');
    assert_true(info.units >= 1 && info.max_blocks == info.units);
    assert_true(info.memory_bytes > 0);
    assert_int_equal(info.memory_used_bytes, 0);
    assert_int_equal(info.resident_kernels, 0);
    rk_runtime_destroy(runtime);
}

/* The commands that change how a kernel goes on. */
static void run_pause_resume_and_abort(rk_runtime *runtime, rk_kernel *kernel)
{
    (void)runtime;
    rk_reply reply;
    assert_int_equal(probe_run(kernel, 5), 5);
    expect_cells(kernel, "value", 5);
    expect_cells(kernel, "mirror", 5);
    (void)DONE(rk_kernel_pause(kernel, &id, NULL));
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PAUSED);
    uint64_t run = 0;
    OK(rk_kernel_run(kernel, 4, &run, &err));
    OK(rk_kernel_wait_accepted(kernel, run, RK_FOREVER, &reply, &err));
    assert_int_equal(DONE(rk_kernel_progress(kernel, &id, NULL)).step, 5);
    (void)DONE(rk_kernel_resume(kernel, &id, NULL));
    assert_int_equal(probe_done(kernel, run).step, 9);
    OK(rk_kernel_step_budget(kernel, 2, &id, &err));
    OK(rk_kernel_run(kernel, 10, &run, &err));
    while (rk_kernel_state(kernel) != RK_KERNEL_PAUSED) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    assert_int_equal(DONE(rk_kernel_progress(kernel, &id, NULL)).step, 11);
    rk_kernel_abort(kernel);
    OK(rk_kernel_wait(kernel, run, RK_FOREVER, &reply, &err));
    assert_int_equal(reply.status, RK_ABORTED);
    OK(rk_kernel_step_budget(kernel, RK_FOREVER, NULL, &err));
    (void)DONE(rk_kernel_resume(kernel, &id, NULL));
}

/* A run that would take for ever. */
static void abort_a_long_run(rk_runtime *runtime, rk_kernel *kernel)
{
    (void)runtime;
    uint64_t run = 0;
    rk_reply reply;
    OK(rk_kernel_run(kernel, 1ull << 60, &run, &err));
    OK(rk_kernel_wait_accepted(kernel, run, RK_FOREVER, &reply, &err));
    assert_true(DONE(rk_kernel_progress(kernel, &id, NULL)).value[0] > 0);
    rk_kernel_abort(kernel);
    OK(rk_kernel_wait(kernel, run, RK_FOREVER, &reply, &err));
    assert_int_equal(reply.status, RK_ABORTED);
}

static void inject_custom_check_and_stats(rk_runtime *runtime, rk_kernel *kernel)
{
    (void)runtime;
    uint8_t data[200];
    rk_kernel_snapshot snapshot;
    float scale = 0.0f;
    memset(data, 3, sizeof data);
    (void)DONE(rk_kernel_inject(kernel, "scale", 0, 1.5, false, &id, NULL));
    (void)DONE(rk_kernel_inject(kernel, "scale", 0, 2.0, true, &id, NULL));
    OK(rk_kernel_read_field(kernel, "scale", 0, 1, &scale, &err));
    assert_true(scale == 3.5f);
    /* in the slot, and from the slab */
    assert_int_equal(DONE(rk_kernel_custom(kernel, 1, data, 20, &id, NULL)).value[0], 60);
    assert_int_equal(DONE(rk_kernel_custom(kernel, 1, data, 200, &id, NULL)).value[0], 600);
    (void)DONE(rk_kernel_check(kernel, &id, NULL));
    (void)DONE(rk_kernel_ping(kernel, &id, NULL));
    (void)DONE(rk_kernel_features(kernel, 0, &id, NULL)); /* the mirror is off */
    uint32_t before;
    uint32_t after;
    OK(rk_kernel_read_field(kernel, "mirror", 0, 1, &before, &err));
    (void)probe_run(kernel, 3);
    OK(rk_kernel_read_field(kernel, "mirror", 0, 1, &after, &err));
    assert_int_equal(before, after);
    (void)DONE(rk_kernel_features(kernel, 1, &id, NULL));
    (void)DONE(rk_kernel_stats(kernel, &id, NULL));
    rk_kernel_read_snapshot(kernel, &snapshot);
    assert_true(snapshot.commands >= 8);
    assert_true(snapshot.heartbeat > 0);
}

static void messages_come_and_go(rk_runtime *runtime, rk_kernel *kernel)
{
    (void)runtime;
    uint8_t payload[100];
    uint64_t sum = 0;
    rk_received message;
    memset(payload, 2, sizeof payload);
    for (size_t bytes = 10; bytes <= sizeof payload; bytes += 90) {
        (void)DONE(rk_kernel_send(kernel, 400, 0, payload, bytes, &id, NULL));
        OK(rk_kernel_receive(kernel, RK_FOREVER, &message, &sum, sizeof sum, &err));
        assert_int_equal(message.type, 401);
        assert_int_equal(sum, 2 * bytes);
    }
}

/* Leaves the device and comes back on the same arena. */
static void park_and_start_again(rk_runtime *runtime, rk_kernel *kernel)
{
    rk_device_info info;
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &snapshot);
    uint64_t before = snapshot.step;
    OK(rk_kernel_park(kernel, RK_FOREVER, &err));
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PARKED);
    while (rk_kernel_is_resident(kernel)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    assert_int_equal(rk_runtime_device_info(runtime, 0, &info), RK_OK);
    assert_int_equal(info.resident_kernels, 0);
    assert_int_equal(info.resident_blocks, 0);
    OK(rk_kernel_start(kernel, &err));
    assert_int_equal(probe_run(kernel, 3), before + 3);
}

static void all_of_a_life(const char *lease, const char *memory)
{
    rk_runtime *runtime = runtime_with(lease, memory);
    rk_kernel *kernel = probe_on(runtime, "probe", "0");
    run_pause_resume_and_abort(runtime, kernel);
    abort_a_long_run(runtime, kernel);
    inject_custom_check_and_stats(runtime, kernel);
    messages_come_and_go(runtime, kernel);
    park_and_start_again(runtime, kernel);
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void lives_resident(void **state)
{
    (void)state;
    all_of_a_life("0", "svm");
}

static void lives_in_leases(void **state)
{
    (void)state;
    all_of_a_life("1", "svm");
}

static void lives_in_buffers(void **state)
{
    (void)state;
    all_of_a_life("0", "buffer");
}

static void panics_are_told(void **state)
{
    (void)state;
    rk_reply reply;
    rk_runtime *runtime = runtime_with("0", "svm");
    rk_kernel *kernel = probe_on(runtime, "probe", "0");
    OK(rk_kernel_custom(kernel, 2, NULL, 0, &id, &err));
    rk_status status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err);
    while (status == RK_OK) { /* it was answered before it left */
        status = rk_kernel_ping(kernel, &id, &err);
        if (status == RK_OK) {
            status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err);
        }
    }
    char text[256];
    while (rk_kernel_is_resident(kernel)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PANICKED);
    assert_non_null(rk_kernel_failure(kernel, text, sizeof text));
    assert_non_null(strstr(text, "code 77: told to"));
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

/* The migrate handler reads the old arena, which is the third argument of the launch. */
static void state_is_taken_over(void **state)
{
    (void)state;
    rk_runtime *runtime = runtime_with("0", "svm");
    rk_kernel *old = probe_on(runtime, "old", "0");
    (void)probe_run(old, 4);
    OK(rk_kernel_park(old, RK_FOREVER, &err));
    rk_module *module = probe_module();
    rk_kernel *kernel = NULL;
    OK(rk_kernel_create(
        runtime, &(rk_launch){.name = "new", .module = module, .device = PLACE_DEVICE, .blocks = 1},
        &kernel, &err));
    rk_module_unref(module);
    OK(rk_kernel_start_from(kernel, old, &err));
    expect_cells(kernel, "value", 40);
    assert_int_equal(probe_run(kernel, 1), 5);
    rk_kernel_destroy(kernel);
    rk_kernel_destroy(old);
    rk_runtime_destroy(runtime);
}

/* Two kernels at a time: one sends in every step, the other waits for messages. */
static void kernels_send(const char *lease, const char *memory)
{
    rk_device_info info;
    rk_runtime *runtime = runtime_with(lease, memory);
    assert_int_equal(rk_runtime_device_info(runtime, 0, &info), RK_OK);
    if (info.units < 2) {
        rk_runtime_destroy(runtime);
        RK_SKIP("the device has one compute unit");
    }
    rk_kernel *from = probe_on(runtime, "from", "2");
    rk_kernel *to = probe_on(runtime, "to", "0");
    OK(rk_kernel_connect(from, to, NULL, &err));
    (void)probe_run(from, 10);
    uint64_t seen[4] = {0};
    while (seen[0] < 20) {
        OK(rk_kernel_read_field(to, "seen", 0, 4, seen, &err));
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(seen[0], 20);
    assert_int_equal(seen[1], 160);
    assert_int_equal(seen[2], 300);
    rk_kernel_destroy(from);
    rk_kernel_destroy(to);
    rk_runtime_destroy(runtime);
}

static void kernels_send_to_each_other(void **state)
{
    (void)state;
    kernels_send("0", "svm");
}

/* A kernel that rests between leases must see what another kernel sends. */
static void kernels_send_in_leases(void **state)
{
    (void)state;
    kernels_send("1", "svm");
}

static void kernels_send_through_buffers(void **state)
{
    (void)state;
    kernels_send("0", "buffer");
}

/* What a barrier across work-groups that never start would wait for is refused, with the numbers.
 */
static void too_many_blocks_are_refused(void **state)
{
    (void)state;
    rk_device_info info;
    char numbers[96];
    rk_runtime *runtime = runtime_with("0", "svm");
    assert_int_equal(rk_runtime_device_info(runtime, 0, &info), RK_OK);
    rk_module *module = probe_module();
    rk_kernel *kernel = NULL;
    rk_launch launch = {
        .name = "wide", .module = module, .device = PLACE_DEVICE, .blocks = info.units + 1};
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, &err), RK_LIMIT);
    (void)snprintf(numbers, sizeof numbers, "%u", info.units);
    assert_non_null(strstr(err.text, numbers));

    rk_kernel *first = probe_on(runtime, "first", "0");
    launch.blocks = info.units;
    OK(rk_kernel_create(runtime, &launch, &kernel, &err));
    assert_int_equal(rk_kernel_start(kernel, &err), RK_LIMIT);
    (void)snprintf(numbers, sizeof numbers,
                   "needs %u blocks, but " PLACE_DEVICE " has %u compute units and 1 are taken",
                   info.units, info.units);
    assert_non_null(strstr(err.text, numbers));
    rk_kernel_destroy(first);
    OK(rk_kernel_start(kernel, &err)); /* now there is room */
    assert_int_equal(probe_run(kernel, 2), 2);
    expect_cells(kernel, "mirror", 2);
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
    rk_runtime_destroy(runtime);
}

/* ---- What load refuses --------------------------------------------------------------------- */

static const rk_driver_ops *ops;
static rk_device *device;

static void load_fails(const char *text, rk_status expected, const char *says)
{
    rk_code *code = NULL;
    rk_status status = ops->load(device, RK_CODE_OPENCL, text, strlen(text) + 1, &code, &err);
    if (status != expected || strstr(err.text, says) == NULL) {
        fail_msg("%s: %s", rk_status_name(status), err.text);
    }
}

static void bad_code_is_refused(void **state)
{
    (void)state;
    rk_code *code = NULL;
    const rk_device_options options = {.logical_devices = 1};
    OK(rk_driver_find("opencl", &ops, &err));
    OK(ops->open(0, &options, &device, &err));
    load_fails(
        "#line 7 \"mine.c\"\n__kernel void rk_module_entry(__global uint *a)\n{\n    a = b;\n}\n",
        RK_COMPILE, "mine.c:9");
    load_fails("__kernel void other(void) {}\n", RK_CORRUPT, "rk_module_entry");
    load_fails("__kernel void rk_module_entry(__global uchar *a, __global uchar *b) { *a = *b; }\n",
               RK_VERSION, "rk build");
    load_fails("", RK_CORRUPT, "empty");
    assert_int_equal(ops->load(device, RK_CODE_OPENCL, "no end", 6, &code, &err), RK_CORRUPT);
    assert_int_equal(ops->load(device, RK_CODE_PTX, "x", 2, &code, &err), RK_UNSUPPORTED);
    rk_device *none = NULL;
    assert_int_equal(ops->open(63, &options, &none, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "opencl:63"));
    ops->close(device);
}

static void settings_are_checked(void **state)
{
    (void)state;
    rk_runtime *runtime = NULL;
    (void)setenv("RK_OPENCL_MEMORY", "paper", 1);
    rk_status status =
        rk_runtime_create(&(rk_runtime_options){.drivers = "opencl"}, &runtime, &err);
    (void)unsetenv("RK_OPENCL_MEMORY");
    assert_int_equal(status, RK_INVALID);
    assert_non_null(strstr(err.text, "paper"));
}

int main(void)
{
    if (!place_is_there()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_is_described),
        cmocka_unit_test(lives_resident),
        cmocka_unit_test(lives_in_leases),
        cmocka_unit_test(lives_in_buffers),
        cmocka_unit_test(panics_are_told),
        cmocka_unit_test(state_is_taken_over),
        cmocka_unit_test(kernels_send_to_each_other),
        cmocka_unit_test(kernels_send_in_leases),
        cmocka_unit_test(kernels_send_through_buffers),
        cmocka_unit_test(too_many_blocks_are_refused),
        cmocka_unit_test(bad_code_is_refused),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
