#include "drivers/gpu_module.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES_MAX 96

static void *open_library(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/lib/ringkernel/drivers/%s",
                   getenv("RK_BUILD_DIR") != NULL ? getenv("RK_BUILD_DIR") : "build", name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fail_msg("%s", dlerror());
    }
    return library;
}

void *gpu_module_test_symbol(const char *name)
{
    void *symbol = dlsym(open_library("rk-test-gpu.so"), name);
    assert_non_null(symbol);
    return symbol;
}

const rk_driver_ops *gpu_module_driver(const char *name)
{
    void *module = open_library("rk-gpu.so");
    void *symbol = dlsym(module, RK_DRIVER_MODULE_SYMBOL);
    assert_non_null(symbol);
    rk_driver_module_fn find;
    memcpy(&find, &symbol, sizeof find);
    const rk_driver_ops *ops = find(name);
    assert_non_null(ops);
    assert_int_equal(ops->abi, RK_DRIVER_ABI);
    assert_string_equal(ops->name, name);
    return ops;
}

static void run_case(void **state)
{
    const gpu_case *one = *state;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = 0; i < 4 && one->environment[i] != NULL; i++) {
            (void)putenv((char *)(uintptr_t)one->environment[i]);
        }
        (void)execl("/proc/self/exe", "case", one->name, (char *)NULL);
        _exit(126);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int gpu_cases_main(int argc, char **argv, const gpu_case *cases, size_t count)
{
    struct CMUnitTest tests[CASES_MAX];
    memset(tests, 0, sizeof tests);
    if (count > CASES_MAX) {
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        bool inside = argc == 2 && strcmp(argv[1], cases[i].name) == 0;
        tests[inside ? 0 : i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = inside ? cases[i].run : run_case,
            .initial_state = (void *)(uintptr_t)&cases[i],
        };
        if (inside) {
            return _cmocka_run_group_tests("case", tests, 1, NULL, NULL);
        }
    }
    return argc > 1 ? 1 : _cmocka_run_group_tests("drivers", tests, count, NULL, NULL);
}
