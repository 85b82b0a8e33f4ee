/*
 * Devices of a GPU driver, each in a host process of its own: what happens in one leaves the others
 * running. The GPUs are those of the test driver.
 */
#include "support/skip.h"
#include <ringkernel/abi/control.h>
#include <ringkernel/ringkernel.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANARY_FAULT 3u

static uint32_t events[32];

static void on_event(void *context, const rk_event *event)
{
    (void)context;
    __atomic_add_fetch(&events[event->kind], 1, __ATOMIC_RELEASE);
}

static bool wait_event(rk_event_kind kind)
{
    for (int i = 0; i < 30000; i++) {
        if (__atomic_load_n(&events[kind], __ATOMIC_ACQUIRE) != 0) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static rk_runtime *open_runtime(void)
{
    static const char *const host[] = {"/proc/self/exe", "__host", NULL};
    rk_runtime_options options = {.drivers = "cuda-test",
                                  .isolation = RK_ISOLATION_PROCESS,
                                  .host_argv = host,
                                  .on_event = on_event};
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    memset(events, 0, sizeof events);
    assert_int_equal(setenv("RK_TEST_GPU", "devices=2", 1), 0);
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

static rk_kernel *create(rk_runtime *runtime, const char *module, const char *name,
                         const char *device, rk_restart restart)
{
    rk_err err = RK_ERR_INIT;
    rk_module *code = NULL;
    rk_kernel *kernel = NULL;
    if (rk_module_open_builtin(module, &code, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_launch launch = {
        .name = name, .module = code, .device = device, .blocks = 1, .restart = restart};
    if (rk_kernel_create(runtime, &launch, &kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(code);
    return kernel;
}

static uint64_t run(rk_kernel *kernel, uint64_t steps)
{
    rk_err err = RK_ERR_INIT;
    rk_reply reply = {0};
    uint64_t id = 0;
    if (rk_kernel_run(kernel, steps, &id, &err) != RK_OK ||
        rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(reply.status, RK_OK);
    return reply.step;
}

static bool until_idle(const rk_kernel *kernel)
{
    for (int i = 0; i < 30000; i++) {
        if (rk_kernel_is_resident(kernel) && rk_kernel_state(kernel) == RK_KERNEL_IDLE) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

/* A fault ends its process and takes its device's memory; the other device's kernel goes on. */
static void a_fault_takes_its_own_device_only(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime();
    assert_int_equal(rk_runtime_device_count(runtime), 2);
    rk_kernel *bad = create(runtime, "canary", "bad", "cuda-test:0", RK_RESTART_ON_FAILURE);
    rk_kernel *parked = create(runtime, "canary", "parked", "cuda-test:0", RK_RESTART_NEVER);
    rk_kernel *good = create(runtime, "canary", "good", "cuda-test:1", RK_RESTART_NEVER);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_start(parked, NULL), RK_OK);
    assert_int_equal(rk_kernel_park(parked, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_kernel_start(bad, NULL), RK_OK);
    assert_int_equal(rk_kernel_start(good, NULL), RK_OK);
    assert_int_equal(run(bad, 5), 5);
    assert_int_equal(run(good, 7), 7);

    uint64_t address = 16;
    assert_int_equal(rk_kernel_custom(bad, CANARY_FAULT, &address, sizeof address, NULL, NULL),
                     RK_OK);
    (void)rk_kernel_run(bad, 1, NULL, NULL); /* the trouble comes in the next step */
    assert_true(wait_event(RK_EVENT_RESTARTED));
    assert_true(until_idle(bad));
    assert_int_equal(run(bad, 3), 3); /* from the beginning, in memory made anew */
    assert_int_equal(run(good, 1), 8);

    assert_true(wait_event(RK_EVENT_DEVICE_LOST));
    char text[200];
    assert_int_equal(rk_kernel_start(parked, &err), RK_STATE);
    assert_non_null(rk_kernel_failure(parked, text, sizeof text));
    assert_non_null(strstr(text, "lost"));
    rk_runtime_destroy(runtime);
}

/* More than fits at once, there and back. */
static void fields_pass_through_the_staging_area(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime();
    enum { N = 128, CELLS = N * N * N }; /* 8 MiB: more than the staging area holds */
    static const rk_param_value params[] = {{"nx", "128"}, {"ny", "128"}, {"nz", "128"}};
    rk_err err = RK_ERR_INIT;
    rk_module *code = NULL;
    rk_kernel *kernel = NULL;
    assert_int_equal(rk_module_open_builtin("heat3d", &code, &err), RK_OK);
    rk_launch launch = {.name = "big",
                        .module = code,
                        .device = "cuda-test:0",
                        .blocks = 1,
                        .params = params,
                        .param_count = 3};
    if (rk_kernel_create(runtime, &launch, &kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    float *there = malloc(CELLS * sizeof *there);
    float *back = malloc(CELLS * sizeof *back);
    for (uint32_t i = 0; i < CELLS; i++) {
        there[i] = (float)i;
    }
    assert_int_equal(rk_kernel_write_field(kernel, "temperature_even", 0, CELLS, there, &err),
                     RK_OK);
    assert_int_equal(rk_kernel_read_field(kernel, "temperature_even", 0, CELLS, back, &err), RK_OK);
    assert_memory_equal(there, back, CELLS * sizeof *there);
    free(there);
    free(back);
    rk_module_unref(code);
    rk_runtime_destroy(runtime);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_takes_its_own_device_only),
        cmocka_unit_test(fields_pass_through_the_staging_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
