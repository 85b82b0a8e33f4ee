/*
 * cpu.c: the embedded CPU driver: the device table over exec.h. Kernels run in this process.
 */
#include "device/cpu/cpu.h"
#include "device/cpu/exec.h"
#include <stdlib.h>
#include <string.h>

struct rk_device {
    uint32_t index;
    uint32_t count;
    _Atomic uint64_t memory_used;
    _Atomic uint32_t resident_kernels; /* launched and not released */
    _Atomic uint32_t resident_blocks;
};

struct rk_code {
    rk_cpu_code code;
};

struct rk_exec {
    rk_device *device;
    uint32_t block_count;
    rk_cpu_exec *cpu;
};

rk_status rk_cpu_probe(const rk_device_options *options, uint32_t *out_count, rk_err *err)
{
    (void)err;
    *out_count = options->logical_devices;
    return RK_OK;
}

static rk_status cpu_open(uint32_t index, const rk_device_options *options, rk_device **out_device,
                          rk_err *err)
{
    uint32_t count = options->logical_devices;
    if (index >= count) {
        return rk_err_set(err, RK_NOT_FOUND, "there is no device cpu:%u; this runtime has %u",
                          index, count);
    }
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open cpu:%u", index);
    }
    device->index = index;
    device->count = count;
    *out_device = device;
    return RK_OK;
}

static void cpu_close(rk_device *device)
{
    free(device);
}

static void cpu_caps(const rk_device *device, rk_device_caps *out_caps)
{
    rk_cpu_caps(device->index, device->count, out_caps);
}

static rk_status cpu_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                               rk_err *err)
{
    (void)kind; /* on the CPU both kinds are plain memory */
    rk_status status = rk_cpu_mem_alloc(bytes, false, out_mem, err);
    if (status == RK_OK) {
        (void)atomic_fetch_add_explicit(&device->memory_used, out_mem->bytes, memory_order_relaxed);
    }
    return status;
}

static void cpu_mem_free(rk_device *device, rk_mem *mem)
{
    (void)atomic_fetch_sub_explicit(&device->memory_used, mem->bytes, memory_order_relaxed);
    rk_cpu_mem_free(mem);
}

static rk_status cpu_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                          rk_code **out_code, rk_err *err)
{
    (void)device;
    (void)kind; /* both kinds are loaded alike */
    rk_code *code = calloc(1, sizeof *code);
    if (code == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to load a kernel");
    }
    rk_status status = rk_cpu_code_load(&code->code, image, bytes, err);
    if (status != RK_OK) {
        free(code);
        return status;
    }
    *out_code = code;
    return RK_OK;
}

static void cpu_unload(rk_device *device, rk_code *code)
{
    (void)device;
    if (code != NULL) {
        rk_cpu_code_finish(&code->code);
        free(code);
    }
}

uint32_t rk_cpu_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes)
{
    (void)device;
    (void)code;
    (void)lanes;
    return RK_CPU_BLOCKS_MAX;
}

static rk_status cpu_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                            rk_err *err)
{
    rk_exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to launch kernel '%s'", args->name);
    }
    rk_cpu_launch launch = {
        .name = args->name,
        .code = &args->code->code,
        .arena = args->arena->host,
        .mapped = args->mapped->host,
        .old = args->migrate_from != NULL ? args->migrate_from->host : NULL,
        .grid = ((const rk_control *)args->mapped->host)->block_count,
        .lanes = args->lanes,
        .on_exit = args->on_exit,
        .context = args->context,
    };
    rk_status status = rk_cpu_exec_start(&launch, &exec->cpu, err);
    if (status != RK_OK) {
        free(exec);
        return status;
    }
    exec->device = device;
    exec->block_count = exec->cpu->block_count;
    (void)atomic_fetch_add_explicit(&device->resident_kernels, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&device->resident_blocks, exec->block_count,
                                    memory_order_relaxed);
    *out_exec = exec;
    return RK_OK;
}

static bool cpu_poll_exit(rk_exec *exec)
{
    return rk_cpu_exec_wait(exec->cpu, 0) == RK_OK;
}

static rk_status cpu_wait_exit(rk_exec *exec, uint64_t deadline_ns)
{
    return rk_cpu_exec_wait(exec->cpu, deadline_ns);
}

static void cpu_release(rk_exec *exec)
{
    if (exec != NULL) {
        rk_device *device = exec->device;
        (void)atomic_fetch_sub_explicit(&device->resident_kernels, 1, memory_order_relaxed);
        (void)atomic_fetch_sub_explicit(&device->resident_blocks, exec->block_count,
                                        memory_order_relaxed);
        rk_cpu_exec_destroy(exec->cpu);
        free(exec);
    }
}

static rk_status cpu_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                          uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memcpy(to, mem->host + offset, bytes);
    return RK_OK;
}

static rk_status cpu_write(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                           uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memcpy(mem->host + offset, from, bytes);
    return RK_OK;
}

static rk_status cpu_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes)
{
    (void)device;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    memset(mem->host + offset, 0, bytes);
    return RK_OK;
}

static rk_status cpu_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err)
{
    return rk_cpu_exec_connect(from->cpu, route, to->cpu, err);
}

static void cpu_telemetry(rk_device *device, rk_device_telemetry *out_telemetry)
{
    memset(out_telemetry, 0, sizeof *out_telemetry);
    out_telemetry->memory_used_bytes =
        atomic_load_explicit(&device->memory_used, memory_order_relaxed);
    out_telemetry->resident_kernels =
        atomic_load_explicit(&device->resident_kernels, memory_order_relaxed);
    out_telemetry->resident_blocks =
        atomic_load_explicit(&device->resident_blocks, memory_order_relaxed);
    rk_cpu_health(out_telemetry);
}

void rk_cpu_link(rk_device *device, rk_device *other, rk_device_link *out_link)
{
    *out_link = (rk_device_link){.kind = device == other ? RK_LINK_SAME : RK_LINK_MEMORY,
                                 .peer_access = device == other};
}

const rk_driver_ops *rk_driver_cpu(void)
{
    static const rk_driver_ops ops = {
        .abi = RK_DRIVER_ABI,
        .name = "cpu",
        .probe = rk_cpu_probe,
        .open = cpu_open,
        .close = cpu_close,
        .caps = cpu_caps,
        .mem_alloc = cpu_mem_alloc,
        .mem_free = cpu_mem_free,
        .load = cpu_load,
        .unload = cpu_unload,
        .max_blocks = rk_cpu_max_blocks,
        .launch = cpu_launch,
        .poll_exit = cpu_poll_exit,
        .wait_exit = cpu_wait_exit,
        .release = cpu_release,
        .read = cpu_read,
        .write = cpu_write,
        .zero = cpu_zero,
        .connect = cpu_connect,
        .telemetry = cpu_telemetry,
        .link = rk_cpu_link,
    };
    return &ops;
}
