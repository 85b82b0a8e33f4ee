/*
 * The whole way from a runtime to a kernel on a test device, with one thing going wrong at each
 * place in turn: memory that runs out, a device that is lost. Each time it works, or says why not;
 * nothing leaks, hangs, or does what hardware would not forgive.
 */
#include "testgpu/card.h"
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES 20u /* more than there are: the last ones must succeed */
#define WORKS 0
#define REPORTS 40 /* exit status: an error with a sentence */
#define SILENT 41  /* an error without, or about a signal that there was not */
#define WOULD_HANG 42

static int say(const rk_err *err)
{
    (void)fprintf(stderr, "%s\n", err->text);
    bool told = err->text[0] != '\0' && strstr(err->text, "signal") == NULL;
    return told ? REPORTS : SILENT;
}

static int use_kernel(rk_runtime *runtime, rk_module *module, const char *device)
{
    rk_err err = RK_ERR_INIT;
    rk_kernel *kernel = NULL;
    rk_launch launch = {.name = "echo", .module = module, .device = device, .blocks = 2};
    uint64_t id = 0;
    uint64_t count[4] = {0};
    rk_reply reply;
    if (rk_kernel_create(runtime, &launch, &kernel, &err) != RK_OK ||
        rk_kernel_start(kernel, &err) != RK_OK || rk_kernel_run(kernel, 20, &id, &err) != RK_OK ||
        rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err) != RK_OK ||
        rk_kernel_park(kernel, RK_FOREVER, &err) != RK_OK ||
        rk_kernel_read_field(kernel, "count", 0, 4, count, &err) != RK_OK ||
        rk_kernel_start(kernel, &err) != RK_OK) {
        return say(&err);
    }
    return WORKS;
}

/* In a process of its own: drivers look at the configuration once. */
static int scenario(const char *device)
{
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = NULL;
    rk_module *module = NULL;
    if (rk_runtime_create(NULL, &runtime, &err) != RK_OK ||
        rk_module_open_builtin("echo", &module, &err) != RK_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int result = use_kernel(runtime, module, device);
    rk_runtime_destroy(runtime);
    rk_module_unref(module);
    uint64_t (*violations)(void);
    void *symbol = card_symbol("rkTestDriverDrainViolations");
    memcpy(&violations, &symbol, sizeof violations);
    return violations() != 0 ? WOULD_HANG : result;
}

static int run(const char *device, const char *option, unsigned number)
{
    char text[64];
    (void)snprintf(text, sizeof text, "drain,%s=%u", option, number);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("RK_TEST_GPU", text, 1);
        (void)execl("/proc/self/exe", "torture", device, (char *)NULL);
        _exit(126);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void check_places(const char *device, const char *option)
{
    unsigned failed = 0;
    for (unsigned place = 0; place < PLACES; place++) {
        int result = run(device, option, place);
        if (result != WORKS && result != REPORTS) {
            fail_msg("%s with %s=%u ends with %d", device, option, place, result);
        }
        failed += result == REPORTS ? 1 : 0;
    }
    assert_in_range(failed, 3, PLACES - 1); /* there are such places, and all were seen */
}

static void test_memory_runs_out_anywhere(void **state)
{
    (void)state;
    check_places("cuda-test:0", "oom_after");
    check_places("hip-test:0", "oom_after");
}

static void test_the_device_is_lost_anywhere(void **state)
{
    (void)state;
    check_places("cuda-test:0", "lose_after");
    check_places("hip-test:0", "lose_after");
}

int main(int argc, char **argv)
{
    char path[512];
    const char *build = getenv("RK_BUILD_DIR");
    build = build != NULL ? build : "build";
    (void)snprintf(path, sizeof path, "%s/lib/ringkernel/drivers", build);
    (void)setenv("RK_DRIVER_PATH", path, 1);
    (void)snprintf(path, sizeof path, "%s/lib/ringkernel/kernels", build);
    (void)setenv("RK_KERNEL_PATH", path, 1);
    if (argc == 2) {
        return scenario(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_runs_out_anywhere),
        cmocka_unit_test(test_the_device_is_lost_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
