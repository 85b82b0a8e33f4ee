/*
 * driver.c: the table of the OpenCL driver (device/device.h).
 */
#include "drivers/opencl/driver.h"

#include "drivers/opencl/opencl.h"

#include <string.h>

static rk_status cl_probe(const rk_device_options *options, uint32_t *out_count, rk_err *err)
{
    (void)options;
    return rk_cl_devices_count(out_count, err);
}

static rk_status cl_open(uint32_t index, const rk_device_options *options, rk_device **out_device,
                         rk_err *err)
{
    (void)options;
    return rk_cl_device_open(index, out_device, err);
}

static void cl_caps(const rk_device *device, rk_device_caps *out_caps)
{
    *out_caps = device->caps;
}

static rk_status cl_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                              rk_err *err)
{
    (void)kind; /* host and device address both kinds */
    rk_cl_memory *memory;
    rk_status status = rk_cl_memory_create(device, bytes, &memory, err);
    if (status == RK_OK) {
        *out_mem = (rk_mem){.host = memory->host,
                            .device = (uint64_t)(uintptr_t)memory,
                            .bytes = memory->bytes,
                            .fd = -1};
    }
    return status;
}

static void cl_mem_free(rk_device *device, rk_mem *mem)
{
    rk_cl_memory_destroy(device, (rk_cl_memory *)(uintptr_t)mem->device);
    *mem = (rk_mem){.fd = -1};
}

static uint32_t cl_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes)
{
    (void)code;
    (void)lanes;
    return device->caps.max_blocks;
}

static rk_status cl_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                         uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memcpy(to, mem->host + offset, bytes);
    return RK_OK;
}

static rk_status cl_write(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                          uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memcpy(mem->host + offset, from, bytes);
    return RK_OK;
}

static rk_status cl_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memset(mem->host + offset, 0, bytes);
    return RK_OK;
}

static void cl_telemetry(rk_device *device, rk_device_telemetry *out_telemetry)
{
    memset(out_telemetry, 0, sizeof *out_telemetry);
    rk_mutex_lock(&device->lock);
    out_telemetry->memory_used_bytes = device->memory_used;
    out_telemetry->resident_kernels = device->resident_kernels;
    out_telemetry->resident_blocks = device->resident_blocks;
    rk_mutex_unlock(&device->lock);
}

static void cl_link(rk_device *device, rk_device *other, rk_device_link *out_link)
{
    bool memory = device->processor && other->processor;
    *out_link = (rk_device_link){.kind = device == other ? RK_LINK_SAME
                                         : memory        ? RK_LINK_MEMORY
                                                         : RK_LINK_NONE,
                                 .peer_access = device == other};
}

const rk_driver_ops *rk_driver_opencl(void)
{
    static const rk_driver_ops ops = {
        .abi = RK_DRIVER_ABI,
        .name = "opencl",
        .probe = cl_probe,
        .open = cl_open,
        .close = rk_cl_device_close,
        .caps = cl_caps,
        .mem_alloc = cl_mem_alloc,
        .mem_free = cl_mem_free,
        .load = rk_cl_code_load,
        .unload = rk_cl_code_unload,
        .max_blocks = cl_max_blocks,
        .launch = rk_cl_launch,
        .poll_exit = rk_cl_poll_exit,
        .wait_exit = rk_cl_wait_exit,
        .release = rk_cl_release,
        .read = cl_read,
        .write = cl_write,
        .zero = cl_zero,
        .connect = rk_cl_connect,
        .telemetry = cl_telemetry,
        .link = cl_link,
    };
    return &ops;
}
