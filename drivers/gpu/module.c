/*
 * module.c: the drivers "cuda" and "hip", and the same on the test library beside this module.
 *
 * The operations are the same for all; each driver has its own probe and open, which are given no
 * device to tell which driver is meant.
 */
#include "drivers/gpu/gpu.h"
#include <string.h>

#define DRIVER(id, title, vendor_table, is_test)                                                   \
    static gpu_driver driver_##id = {                                                              \
        .name = title, .vendor = &(vendor_table), .test = (is_test), .lock = RK_MUTEX_INIT};       \
    static rk_status probe_##id(const rk_device_options *options, uint32_t *out_count,             \
                                rk_err *err)                                                       \
    {                                                                                              \
        (void)options;                                                                             \
        rk_status status = gpu_driver_open(&driver_##id, err);                                     \
        if (status == RK_OK) {                                                                     \
            *out_count = driver_##id.device_count;                                                 \
        }                                                                                          \
        return status;                                                                             \
    }                                                                                              \
    static rk_status open_##id(uint32_t index, const rk_device_options *options,                   \
                               rk_device **out_device, rk_err *err)                                \
    {                                                                                              \
        (void)options;                                                                             \
        return gpu_open(&driver_##id, index, out_device, err);                                     \
    }

#define OPERATIONS(id, title)                                                                      \
    {                                                                                              \
        .abi = RK_DRIVER_ABI, .name = (title), .probe = probe_##id, .open = open_##id,             \
        .close = gpu_close, .caps = caps, .mem_alloc = gpu_mem_alloc,                              \
        .mem_import = gpu_mem_import, .mem_free = gpu_mem_free, .load = gpu_load,                  \
        .unload = gpu_unload, .max_blocks = gpu_max_blocks, .launch = gpu_launch,                  \
        .poll_exit = gpu_poll_exit, .wait_exit = gpu_wait_exit, .release = gpu_release,            \
        .read = gpu_read, .write = gpu_write, .zero = gpu_zero, .connect = gpu_connect,            \
        .telemetry = gpu_telemetry, .link = gpu_link, .is_lost = gpu_is_lost,                      \
        .recover = gpu_recover,                                                                    \
    }

RK_API const rk_driver_ops *rk_driver_module(const char *name);

static void caps(const rk_device *device, rk_device_caps *out_caps)
{
    *out_caps = device->caps;
}

DRIVER(cuda, "cuda", gpu_vendor_cuda, false)
DRIVER(hip, "hip", gpu_vendor_hip, false)
DRIVER(cuda_test, "cuda-test", gpu_vendor_cuda, true)
DRIVER(hip_test, "hip-test", gpu_vendor_hip, true)

const rk_driver_ops *rk_driver_module(const char *name)
{
    static const rk_driver_ops drivers[] = {
        OPERATIONS(cuda, "cuda"),
        OPERATIONS(hip, "hip"),
        OPERATIONS(cuda_test, "cuda-test"),
        OPERATIONS(hip_test, "hip-test"),
    };
    for (size_t i = 0; i < RK_COUNT_OF(drivers); i++) {
        if (strcmp(drivers[i].name, name) == 0) {
            return &drivers[i];
        }
    }
    return NULL;
}
