/*
 * The CUDA and HIP driver on the test driver: lost devices, and libraries that lack something.
 */
#include "base/clock.h"
#include "drivers/gpu_rows.h"
#include "drivers/rig.h"
#include "drivers/test/test_gpu.h"
#include "support/skip.h"
#include <string.h>

/* A fault on the first test device. */
static void inject(const char *fault)
{
    uint32_t device = is_hip() ? RK_TEST_GPU_HIP(0) : RK_TEST_GPU_CUDA(0);
    int (*function)(uint32_t device, const char *fault);
    void *symbol = gpu_module_test_symbol("rkTestDriverInject");
    memcpy(&function, &symbol, sizeof function);
    assert_int_equal(function(device, fault), 0);
}

/* ---- Loss and recovery ----------------------------------------------------------------------- */

static void refuses_when_lost(rig *r, rig_kernel *kernel)
{
    static const char *const words[] = {"is lost", "719", "recover", NULL};
    rk_err err = RK_ERR_INIT;
    rk_mem mem;
    uint32_t word = 0;
    assert_int_equal(r->ops->mem_alloc(r->device, RK_MEM_ARENA, 4096, &mem, &err), RK_DEVICE);
    has_words(&err, words);
    assert_int_equal(r->ops->read(r->device, &kernel->arena, 0, &word, 4), RK_DEVICE);
    assert_int_equal(r->ops->write(r->device, &kernel->arena, 0, &word, 4), RK_DEVICE);
    assert_int_equal(r->ops->zero(r->device, &kernel->arena, 0, 4), RK_DEVICE);
    rk_exec_args args = {
        .name = "again", .code = kernel->code, .arena = &kernel->arena, .mapped = &kernel->mapped};
    rk_exec *exec = NULL;
    assert_int_equal(r->ops->launch(r->device, &args, &exec, &err), RK_DEVICE);
    assert_null(exec);
}

static void test_lost(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernels[2];
    rig_kernel dropped;
    open_rig(&r);
    rig_make(&r, "victim", NULL, &kernels[0]);
    rig_make(&r, "other", NULL, &kernels[1]);
    rig_make(&r, "dropped", NULL, &dropped);
    rig_launch(&kernels[0]);
    rig_launch(&kernels[1]);
    (void)rig_ask(&kernels[0], RK_CMD_RUN, 5);
    rig_drop(&dropped); /* put off, and then gone with the device */
    assert_false(r.ops->is_lost(r.device));
    uint8_t *host = kernels[0].mapped.host;
    inject("lost");
    for (int i = 0; i < 2; i++) {
        rig_await_exit(&kernels[i]);
        assert_int_equal(kernels[i].control->state, RK_KERNEL_FAULTED);
        assert_int_equal(kernels[i].control->fault_kind, RK_FAULT_DEVICE);
        assert_int_equal(kernels[i].control->fault_code, 719);
        assert_non_null(strstr((const char *)kernels[i].control->panic_text, "719"));
    }
    assert_true(r.ops->is_lost(r.device));
    refuses_when_lost(&r, &kernels[0]);
    rk_err err = RK_ERR_INIT;
    if (r.ops->recover(r.device, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    assert_false(r.ops->is_lost(r.device));
    assert_ptr_equal(kernels[0].mapped.host, host);
    for (uint64_t i = 0; i < kernels[0].mapped.bytes; i++) {
        assert_int_equal(host[i], 0);
    }
    rig_check_cells(&kernels[0], 0);
    for (int i = 0; i < 2; i++) {
        rig_lay_out(&kernels[i], NULL);
        rig_launch(&kernels[i]);
        assert_int_equal(rig_ask(&kernels[i], RK_CMD_RUN, 4).step, 4);
    }
    for (int i = 0; i < 2; i++) {
        rig_leave(&kernels[i], RK_CMD_TERMINATE);
        rig_check_cells(&kernels[i], 4);
        rig_drop(&kernels[i]);
    }
    assert_int_equal(r.ops->recover(r.device, &err), RK_OK); /* nothing to do */
    rig_close(&r);
}

/* Without host registration mapped areas go with the context: the kernels must go first. */
static void test_lost_poor(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "victim", NULL, &kernel);
    rig_launch(&kernel);
    (void)rig_ask(&kernel, RK_CMD_PING, 0);
    inject("lost");
    rig_await_exit(&kernel);
    assert_int_equal(kernel.control->state, RK_KERNEL_FAULTED);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->recover(r.device, &err), RK_UNSUPPORTED);
    static const char *const words[] = {"no host registration", "destroy the kernels first", NULL};
    has_words(&err, words);
    rig_drop(&kernel);
    if (r.ops->recover(r.device, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rig_make(&r, "next", NULL, &kernel);
    rig_launch(&kernel);
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 3).step, 3);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    rig_drop(&kernel);
    rig_close(&r);
}

/* Kernels whose device is lost between two leases are not launched again. */
static void test_lost_lease(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    const rig_options options = {.lease_steps = 3, .lease_polls = 3};
    rig_make(&r, "victim", &options, &kernel);
    rig_launch(&kernel);
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 50).step, 50);
    inject("lost");
    rig_await_exit(&kernel);
    assert_int_equal(kernel.control->state, RK_KERNEL_FAULTED);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->recover(r.device, &err), RK_OK);
    rig_lay_out(&kernel, &options);
    rig_launch(&kernel);
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 50).step, 50);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    rig_check_cells(&kernel, 50);
    rig_drop(&kernel);
    rig_close(&r);
}

/* A device that has fallen off the bus does not come back. */
static void test_gone(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "victim", NULL, &kernel);
    rig_launch(&kernel);
    (void)rig_ask(&kernel, RK_CMD_PING, 0);
    inject("gone");
    rig_await_exit(&kernel);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->recover(r.device, &err), RK_DEVICE);
    assert_true(r.ops->is_lost(r.device));
    assert_non_null(strstr(err.text, case_driver()));
    rig_drop(&kernel);
    rig_close(&r);
}

/* A device that is lost in the middle of a copy. */
static void test_lost_copy(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    rk_mem mem;
    uint8_t byte = 1;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 4096, &mem, NULL), RK_OK);
    rk_status status = RK_OK;
    for (int i = 0; i < 100 && status == RK_OK; i++) {
        status = r.ops->write(r.device, &mem, 0, &byte, 1);
    }
    assert_int_equal(status, RK_DEVICE);
    assert_true(r.ops->is_lost(r.device));
    r.ops->mem_free(r.device, &mem);
    rig_close(&r);
}

/* ---- Libraries that lack something ----------------------------------------------------------- */

static void refuses(rk_status expected, const char *const *words)
{
    const rk_driver_ops *ops = gpu_module_driver(case_driver());
    rk_err err = RK_ERR_INIT;
    uint32_t count = 0;
    assert_int_equal(ops->probe(NULL, &count, &err), expected);
    has_words(&err, words);
    rk_device *device = NULL;
    assert_int_equal(ops->open(0, NULL, &device, &err), expected);
}

static void test_missing_symbol(void **state)
{
    (void)state;
    static const char *const words[] = {"rk-test-gpu.so", "ModuleLoadDataEx", "too old", NULL};
    refuses(RK_UNSUPPORTED, words);
}

static void test_old(void **state)
{
    (void)state;
    static const char *const words[] = {"too old", "RingKernel needs", "update", NULL};
    refuses(RK_UNSUPPORTED, words);
}

static void test_no_permission(void **state)
{
    (void)state;
    static const char *const words[] = {"no permission", NULL};
    refuses(RK_PERMISSION, words);
}

static void test_no_device(void **state)
{
    (void)state;
    static const char *const words[] = {"no device", "VISIBLE_DEVICES", NULL};
    refuses(RK_NOT_FOUND, words);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    rk_mem mem;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 64 << 20, &mem, &err), RK_NO_MEMORY);
    static const char *const words[] = {"64 MiB", "of 32 MiB", "smaller problem", NULL};
    has_words(&err, words);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 0, &mem, &err), RK_INVALID);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, UINT64_MAX, &mem, &err), RK_INVALID);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 1 << 20, &mem, &err), RK_OK);
    r.ops->mem_free(r.device, &mem);
    rig_close(&r);
}

static void test_bad_code(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    rk_code *code = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->load(r.device, RK_CODE_CPU, "garbage", 7, &code, &err), RK_CORRUPT);
    static const char *const words[] = {"cannot be loaded", "rk build", NULL};
    has_words(&err, words);
    assert_int_equal(r.ops->load(r.device, RK_CODE_OPENCL, "x", 1, &code, &err), RK_UNSUPPORTED);
    assert_null(code);
    r.ops->unload(r.device, NULL);
    rig_close(&r);
}

int main(int argc, char **argv)
{
    static const gpu_row rows[] = {
        {"lost", "drain", NULL, test_lost, true, true},
        {"lost_lease", "drain,watchdog", NULL, test_lost_lease, true, true},
        {"lost_poor_cuda", "missing=cuMemHostRegister_v2", NULL, test_lost_poor, true, false},
        {"lost_poor_hip", "missing=hipHostRegister", NULL, test_lost_poor, false, true},
        {"gone", "", NULL, test_gone, true, true},
        {"lost_copy", "lose_after=20", NULL, test_lost_copy, true, true},
        {"missing_cuda", "missing=cuModuleLoadDataEx", NULL, test_missing_symbol, true, false},
        {"missing_hip", "missing=hipModuleLoadDataEx", NULL, test_missing_symbol, false, true},
        {"old_cuda", "version=9020", NULL, test_old, true, false},
        {"old_hip", "hip_version=40321131", NULL, test_old, false, true},
        {"no_permission", "permission", NULL, test_no_permission, true, true},
        {"no_device", "nodevice", NULL, test_no_device, true, true},
        {"out_of_memory", "memory=32MiB", NULL, test_out_of_memory, true, true},
        {"bad_code", "", NULL, test_bad_code, true, true},
    };
    return gpu_rows_main(argc, argv, rows, RK_COUNT_OF(rows));
}
