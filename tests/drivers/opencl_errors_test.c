/*
 * opencl_errors_test.c: what the OpenCL driver says where there is no OpenCL, or not enough of it.
 */
#include "drivers/opencl_fake.h"

#include "drivers/opencl/cl.h"
#include "drivers/opencl/driver.h"
#include "support/skip.h"
#include <ringkernel/abi/control.h>
#include <ringkernel/abi/ring.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const rk_driver_ops *ops;
static opencl_fake *fake;
static rk_device *device;
static rk_err err;
static const rk_device_options options = {.logical_devices = 1};

/* A device that has everything. */
static int set_up(void **state)
{
    (void)state;
    (void)setenv(RK_CL_LIBRARY_ENV, FAKE_LIBRARY, 1);
    *fake = (opencl_fake){
        .platforms = 2,
        .devices = 1,
        .version = "OpenCL 3.0 fake",
        .type = CL_DEVICE_TYPE_CPU,
        .svm = CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS,
        .atomics = CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_SCOPE_DEVICE,
        .doubles = 1,
        .allocation_max = 1 << 20,
        .units = 4,
        .vendor = 0x8086,
        .arguments = 3,
    };
    err = (rk_err)RK_ERR_INIT;
    device = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ops->close(device);
    assert_int_equal(fake->queues, 0);
    assert_int_equal(fake->contexts, 0);
    assert_int_equal(fake->memories, 0);
    assert_int_equal(fake->programs, 0);
    return 0;
}

static void says(rk_status status, rk_status expected, const char *text)
{
    if (status != expected || strstr(err.text, text) == NULL) {
        fail_msg("%s instead of %s with '%s': %s", rk_status_name(status), rk_status_name(expected),
                 text, err.text);
    }
}

static rk_status probe(void)
{
    uint32_t count = 0;
    return ops->probe(&options, &count, &err);
}

static rk_status open_device(void)
{
    rk_status status = ops->open(0, &options, &device, &err);
    return status;
}

static void without_a_library(void **state)
{
    (void)state;
    (void)setenv(RK_CL_LIBRARY_ENV, "/nonexistent/libOpenCL.so.1", 1);
    says(probe(), RK_NOT_FOUND, "/nonexistent/libOpenCL.so.1");
    says(probe(), RK_NOT_FOUND, "pocl-opencl-icd");
    (void)setenv(RK_CL_LIBRARY_ENV, "libm.so.6", 1); /* a library, but not that one */
    says(probe(), RK_UNSUPPORTED, "clGetPlatformIDs");
}

static void without_a_platform(void **state)
{
    (void)state;
    fake->platforms = CL_PLATFORM_NOT_FOUND_KHR;
    says(probe(), RK_NOT_FOUND, "no platform");
    fake->platforms = 0;
    says(probe(), RK_NOT_FOUND, "no platform");
    fake->platforms = CL_OUT_OF_HOST_MEMORY;
    says(probe(), RK_NO_MEMORY, "CL_OUT_OF_HOST_MEMORY");
}

static void without_a_device(void **state)
{
    (void)state;
    fake->devices = CL_DEVICE_NOT_FOUND;
    says(probe(), RK_NOT_FOUND, "2 platforms, the first is 'Fake Platform'");
    fake->devices = 0;
    says(open_device(), RK_NOT_FOUND, "no device");
}

static void with_a_device_that_cannot_do_it(void **state)
{
    (void)state;
    fake->version = "OpenCL 1.2 fake";
    says(probe(), RK_UNSUPPORTED, "'Fake Device' speaks OpenCL 1.2");
    fake->version = "what is this";
    says(probe(), RK_UNSUPPORTED, "2.0 or later");
    fake->version = "OpenCL 3.0 fake";
    fake->atomics = CL_DEVICE_ATOMIC_SCOPE_DEVICE;
    says(open_device(), RK_UNSUPPORTED, "atomics");
    fake->version = "OpenCL 2.1 fake"; /* has them without saying so */
    assert_int_equal(probe(), RK_OK);
    fake->doubles = 0;
    says(probe(), RK_UNSUPPORTED, "double precision");
}

static void with_memory_that_is_not_shared(void **state)
{
    (void)state;
    fake->svm = 1; /* coarse-grained only; and buffers do not show stores either */
    fake->type = 4;
    (void)setenv("RK_OPENCL_MEMORY", "svm", 1);
    says(open_device(), RK_UNSUPPORTED, "fine-grained");
    (void)unsetenv("RK_OPENCL_MEMORY");
    says(open_device(), RK_UNSUPPORTED, "before it ends");
}

static void when_opening_fails(void **state)
{
    (void)state;
    says(ops->open(1, &options, &device, &err), RK_NOT_FOUND, "opencl:1; OpenCL has 1");
    fake->context_error = -2;
    says(open_device(), RK_DEVICE, "CL_DEVICE_NOT_AVAILABLE");
    fake->context_error = 0;
    fake->queue_error = CL_OUT_OF_HOST_MEMORY;
    says(open_device(), RK_NO_MEMORY, "no command queue: CL_OUT_OF_HOST_MEMORY");
    fake->queue_error = 0;
    fake->no_memory = true;
    says(open_device(), RK_NO_MEMORY, "clSVMAlloc");
}

static void a_device_tells_what_it_is(void **state)
{
    (void)state;
    rk_device_caps caps;
    fake->pci = true;
    fake->type = 4; /* a GPU */
    assert_int_equal(open_device(), RK_OK);
    ops->caps(device, &caps);
    assert_string_equal(caps.name, "opencl:0");
    assert_string_equal(caps.text, "Fake Device");
    assert_string_equal(caps.arch, "OpenCL 3.0");
    assert_string_equal(caps.bus_id, "0001:17:02.3");
    assert_string_equal(caps.driver_text, "Fake Platform 7.1");
    assert_int_equal(caps.vendor, RK_VENDOR_INTEL);
    assert_int_equal(caps.code_kinds, RK_CODE_BIT(RK_CODE_OPENCL));
    assert_int_equal(caps.units, 4);
    assert_int_equal(caps.max_blocks, 4);
    assert_int_equal(caps.default_blocks, 4);
    assert_int_equal(caps.default_lanes, 256);
    assert_int_equal(caps.max_lanes, 1024);
    assert_int_equal(caps.memory_bytes, (uint64_t)8 << 30);
    assert_true(caps.lease_only && caps.host_addressable && !caps.rings_host);
    ops->close(device);

    fake->pci = false;
    fake->type = CL_DEVICE_TYPE_CPU; /* keeps a core for the host, and its kernels stay */
    assert_int_equal(open_device(), RK_OK);
    ops->caps(device, &caps);
    assert_string_equal(caps.bus_id, "");
    assert_int_equal(caps.vendor, RK_VENDOR_OTHER);
    assert_int_equal(caps.default_blocks, 3);
    assert_int_equal(caps.default_lanes, 1);
    assert_int_equal(caps.max_lanes, 1);
    assert_false(caps.lease_only);
}

static void memory_is_aligned_and_limited(void **state)
{
    (void)state;
    rk_mem mem = {.fd = -1};
    uint8_t byte = 1;
    assert_int_equal(open_device(), RK_OK);
    assert_int_equal(ops->mem_alloc(device, RK_MEM_ARENA, 5000, &mem, &err), RK_OK);
    assert_int_equal((uintptr_t)mem.host % 4096, 0);
    assert_int_equal(mem.bytes, 8192);
    assert_int_equal(mem.host[8191], 0);
    assert_int_equal(ops->write(device, &mem, 8191, &(uint8_t){9}, 1), RK_OK);
    assert_int_equal(ops->read(device, &mem, 8191, &byte, 1), RK_OK);
    assert_int_equal(byte, 9);
    assert_int_equal(ops->zero(device, &mem, 8000, 192), RK_OK);
    assert_int_equal(mem.host[8191], 0);
    assert_int_equal(ops->read(device, &mem, 8192, &byte, 1), RK_INVALID);
    assert_int_equal(ops->write(device, &mem, UINT64_MAX, &byte, 2), RK_INVALID);
    assert_int_equal(ops->zero(device, &mem, 1, UINT64_MAX), RK_INVALID);
    rk_device_telemetry telemetry;
    ops->telemetry(device, &telemetry);
    assert_int_equal(telemetry.memory_used_bytes, 8192);
    rk_mem other;
    says(ops->mem_alloc(device, RK_MEM_ARENA, 2 << 20, &other, &err), RK_NO_MEMORY, "1 MiB");
    assert_int_equal(ops->mem_alloc(device, RK_MEM_ARENA, 0, &other, &err), RK_INVALID);
    assert_int_equal(ops->mem_alloc(device, RK_MEM_ARENA, UINT64_MAX, &other, &err), RK_INVALID);
    ops->mem_free(device, &mem);
    ops->telemetry(device, &telemetry);
    assert_int_equal(telemetry.memory_used_bytes, 0);
}

#define TEXT "__kernel void rk_module_entry(void) {}"

static rk_status load(rk_code **out_code)
{
    return ops->load(device, RK_CODE_OPENCL, TEXT, sizeof TEXT, out_code, &err);
}

static void code_that_does_not_fit(void **state)
{
    (void)state;
    rk_code *code = NULL;
    assert_int_equal(open_device(), RK_OK);
    fake->build_error = -11;
    says(load(&code), RK_COMPILE, "CL_BUILD_PROGRAM_FAILURE");
    fake->build_log =
        "\n  \nkernel.c:3:1: warning: what\nkernel.c:12:5: error: no such thing\nmore\n";
    says(load(&code), RK_COMPILE, "says: kernel.c:12:5: error: no such thing");
    assert_null(strstr(err.text, "more"));
    fake->build_log = "\n the disk is full\n";
    says(load(&code), RK_COMPILE, "the disk is full");
    assert_string_equal(fake->options,
                        "-cl-std=CL3.0 -cl-fp32-correctly-rounded-divide-sqrt -DRK_ONE_LANE=1");
    fake->build_error = 0;
    fake->arguments = 2;
    says(load(&code), RK_VERSION, "2 arguments instead of 3");
    fake->arguments = 3;
    fake->local_bytes = 65536;
    says(load(&code), RK_LIMIT, "65536 bytes of shared memory per block, opencl:0 has 32768");
    fake->local_bytes = 0;
    fake->launch_error = CL_OUT_OF_RESOURCES;
    says(load(&code), RK_DEVICE, "CL_OUT_OF_RESOURCES");
    assert_null(code);
}

/* ---- Launches ------------------------------------------------------------------------------ */

static uint32_t exits;

static void on_exit_count(void *context)
{
    (void)__atomic_add_fetch((uint32_t *)context, 1, __ATOMIC_RELAXED);
}

/* Just enough of a laid-out kernel: one block, a ring to the host. */
static void lay_out(rk_mem *arena, rk_mem *mapped, uint32_t blocks)
{
    assert_int_equal(ops->mem_alloc(device, RK_MEM_ARENA, 16384, arena, &err), RK_OK);
    assert_int_equal(ops->mem_alloc(device, RK_MEM_MAPPED, 16384, mapped, &err), RK_OK);
    rk_control *control = (rk_control *)mapped->host;
    control->block_count = blocks;
    control->k2h = 4096;
    rk_ring *ring = (rk_ring *)(mapped->host + control->k2h);
    ring->consumer_bell = offsetof(rk_ring, bells);
}

static void launches_that_fail(void **state)
{
    (void)state;
    rk_mem arena;
    rk_mem mapped;
    rk_code *code = NULL;
    rk_exec *exec = NULL;
    rk_device_telemetry telemetry;
    exits = 0;
    assert_int_equal(open_device(), RK_OK);
    assert_int_equal(load(&code), RK_OK);
    lay_out(&arena, &mapped, 1);
    rk_control *control = (rk_control *)mapped.host;
    rk_exec_args args = {.name = "probe",
                         .code = code,
                         .arena = &arena,
                         .mapped = &mapped,
                         .lanes = 2,
                         .on_exit = on_exit_count,
                         .context = &exits};
    says(ops->launch(device, &args, &exec, &err), RK_LIMIT, "2 lanes per block");
    assert_non_null(strstr(err.text, "kernel 'probe'"));
    args.lanes = 0;
    control->block_count = 5;
    says(ops->launch(device, &args, &exec, &err), RK_LIMIT,
         "needs 5 blocks, but opencl:0 has 4 compute units and 0 are taken");
    control->block_count = 1;
    fake->launch_error = CL_OUT_OF_RESOURCES;
    says(ops->launch(device, &args, &exec, &err), RK_DEVICE,
         "cannot launch kernel 'probe' on opencl:0: CL_OUT_OF_RESOURCES");
    assert_int_equal(exits, 0);
    ops->telemetry(device, &telemetry);
    assert_int_equal(telemetry.resident_blocks, 0);

    /* What the device ends is told as its failure. */
    fake->launch_error = 0;
    fake->end_error = -14;
    assert_int_equal(ops->launch(device, &args, &exec, &err), RK_OK);
    assert_int_equal(ops->wait_exit(exec, UINT64_MAX), RK_OK);
    assert_true(ops->poll_exit(exec));
    ops->release(exec);
    assert_int_equal(exits, 1);
    assert_int_equal(control->state, RK_KERNEL_FAULTED);
    assert_non_null(strstr((char *)control->panic_text, "CL_EXEC_STATUS_ERROR"));
    ops->telemetry(device, &telemetry);
    assert_int_equal(telemetry.resident_kernels, 0);
    ops->unload(device, code);
    ops->mem_free(device, &arena);
    ops->mem_free(device, &mapped);
}

/* A lease that cannot be renewed ends the kernel. */
static void leases_that_end(void **state)
{
    (void)state;
    rk_mem arena;
    rk_mem mapped;
    rk_code *code = NULL;
    rk_exec *exec = NULL;
    exits = 0;
    fake->type = 4;
    assert_int_equal(open_device(), RK_OK);
    assert_int_equal(load(&code), RK_OK);
    lay_out(&arena, &mapped, 1);
    rk_control *control = (rk_control *)mapped.host;
    ((rk_loop *)arena.host)->run_count = 1; /* it has work: the next lease begins at once */
    control->leased = 1;
    control->peer = 8192;
    rk_peer *peer = (rk_peer *)(arena.host + control->peer);
    peer->inbox = 128;
    rk_ring *inbox = (rk_ring *)((uint8_t *)peer + peer->inbox);
    inbox->capacity = 2;
    inbox->sequences = 1024;
    fake->skip_launches = 1;
    fake->launch_error = CL_OUT_OF_RESOURCES;
    rk_exec_args args = {.name = "probe",
                         .code = code,
                         .arena = &arena,
                         .mapped = &mapped,
                         .on_exit = on_exit_count,
                         .context = &exits};
    assert_int_equal(ops->launch(device, &args, &exec, &err), RK_OK);
    assert_int_equal(ops->wait_exit(exec, UINT64_MAX), RK_OK);
    ops->release(exec);
    assert_int_equal(exits, 1);
    assert_int_equal(control->state, RK_KERNEL_FAULTED);
    assert_true(control->lease_steps > 0 && control->lease_polls > 0);
    assert_memory_equal(&((rk_control *)(arena.host + sizeof(rk_loop)))->lease_steps,
                        &control->lease_steps, 4);
    ops->unload(device, code);
    ops->mem_free(device, &arena);
    ops->mem_free(device, &mapped);
}

int main(void)
{
    void *library = dlopen(FAKE_LIBRARY, RTLD_NOW);
    fake = library != NULL ? dlsym(library, OPENCL_FAKE_SYMBOL) : NULL;
    if (fake == NULL) {
        print_error("cannot load %s: %s\n", FAKE_LIBRARY, dlerror());
        return 1;
    }
    ops = rk_driver_opencl();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_library, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_platform, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_a_device_that_cannot_do_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_memory_that_is_not_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_opening_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_tells_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_aligned_and_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(code_that_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(launches_that_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leases_that_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
