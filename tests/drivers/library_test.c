/*
 * How the driver finds a vendor's library, and what it says when there is none that works. With the
 * real library of CUDA's toolkit where it is installed: its stub answers like a machine without a
 * driver.
 */
#include "drivers/gpu_module.h"
#include "support/skip.h"
#include <string.h>
#include <unistd.h>

#define STUB "/usr/local/cuda/lib64/stubs/libcuda.so"

static void refuses(const char *driver, rk_status expected, const char *const *words)
{
    const rk_driver_ops *ops = gpu_module_driver(driver);
    for (int times = 0; times < 2; times++) { /* the second time it says the same */
        rk_err err = RK_ERR_INIT;
        uint32_t count = 77;
        rk_device *device = NULL;
        assert_int_equal(ops->probe(NULL, &count, &err), expected);
        assert_int_equal(count, 77);
        for (size_t i = 0; words[i] != NULL; i++) {
            if (strstr(err.text, words[i]) == NULL) {
                fail_msg("'%s' is not in: %s", words[i], err.text);
            }
        }
        assert_int_equal(ops->open(0, NULL, &device, &err), expected);
        assert_null(device);
    }
}

static void test_cuda_missing(void **state)
{
    (void)state;
    static const char *const words[] = {"cuda: ", "/nonexistent/libcuda.so.1", "install",
                                        "RK_CUDA_LIBRARY", NULL};
    refuses("cuda", RK_NOT_FOUND, words);
}

static void test_hip_missing(void **state)
{
    (void)state;
    static const char *const words[] = {"hip: ", "/nonexistent/libamdhip64.so", "install",
                                        "RK_HIP_LIBRARY", NULL};
    refuses("hip", RK_NOT_FOUND, words);
}

static void test_another_library(void **state)
{
    (void)state;
    static const char *const words[] = {"libm.so.6", "cuInit", "too old", NULL};
    refuses("cuda", RK_UNSUPPORTED, words);
}

static void test_cuda_stub(void **state)
{
    (void)state;
    static const char *const words[] = {STUB, "stub", "34", "driver", NULL};
    if (access(STUB, R_OK) != 0) {
        RK_SKIP("the stub library of CUDA's toolkit is not installed");
    }
    refuses("cuda", RK_NOT_FOUND, words);
}

int main(int argc, char **argv)
{
    static const gpu_case cases[] = {
        {"cuda_missing", {"RK_CUDA_LIBRARY=/nonexistent/libcuda.so.1"}, test_cuda_missing},
        {"hip_missing", {"RK_HIP_LIBRARY=/nonexistent/libamdhip64.so"}, test_hip_missing},
        {"another_library", {"RK_CUDA_LIBRARY=libm.so.6"}, test_another_library},
        {"cuda_stub", {"RK_CUDA_LIBRARY=" STUB}, test_cuda_stub},
    };
    return gpu_cases_main(argc, argv, cases, RK_COUNT_OF(cases));
}
