/*
 * memory.c: memory that host and device address alike.
 *
 * Shared virtual memory is asked for without an alignment (PoCL 3.1 refuses more than 128 bytes)
 * and with a page to spare, and aligned inside.
 */
#include "drivers/opencl/opencl.h"

#include "base/memory.h"
#include "base/value.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN_BYTES 4096u

static void release(rk_device *device, rk_cl_memory *memory)
{
    const rk_cl *cl = device->cl;
    if (memory->buffer != NULL) {
        (void)cl->clReleaseMemObject(memory->buffer); /* nobody uses it any more */
        free(memory->base);
    } else {
        cl->clSVMFree(device->context, memory->base);
    }
    free(memory);
}

/* The sentence of an allocation that failed. */
static rk_status no_memory(rk_device *device, uint64_t bytes, const char *why, rk_err *err)
{
    char size[RK_VALUE_TEXT_BYTES];
    char limit[RK_VALUE_TEXT_BYTES];
    return rk_err_set(
        err, RK_NO_MEMORY,
        "%s cannot give %s to a kernel: %s (one allocation may have %s); use a smaller "
        "problem, or free memory",
        device->caps.name, rk_value_format_size(bytes, size), why,
        rk_value_format_size(device->allocation_max, limit));
}

static rk_status allocate(rk_device *device, uint64_t bytes, rk_cl_memory *memory, rk_err *err)
{
    const rk_cl *cl = device->cl;
    if (device->svm_flags != 0) {
        memory->base =
            cl->clSVMAlloc(device->context, device->svm_flags, bytes + ALIGN_BYTES - 1, 0);
        if (memory->base == NULL) {
            return no_memory(device, bytes, "clSVMAlloc refuses", err);
        }
        uintptr_t at = (uintptr_t)memory->base;
        memory->host = (uint8_t *)memory->base + (ALIGN_BYTES - at % ALIGN_BYTES) % ALIGN_BYTES;
        return RK_OK;
    }
    if (posix_memalign(&memory->base, ALIGN_BYTES, bytes) != 0) {
        return no_memory(device, bytes, "the machine has no memory left", err);
    }
    int32_t code = 0;
    memory->host = memory->base;
    memory->buffer = cl->clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                        bytes, memory->base, &code);
    if (memory->buffer == NULL) {
        free(memory->base);
        return no_memory(device, bytes, rk_cl_error_name(code), err);
    }
    return RK_OK;
}

rk_status rk_cl_memory_create(rk_device *device, uint64_t bytes, rk_cl_memory **out_memory,
                              rk_err *err)
{
    uint64_t size = 0;
    if (bytes == 0 || !rk_size_add(bytes, ALIGN_BYTES - 1, &size) || size > (uint64_t)INT64_MAX) {
        return rk_err_set(err, RK_INVALID, "cannot allocate %llu bytes", (unsigned long long)bytes);
    }
    size -= size % ALIGN_BYTES;
    if (size > device->allocation_max) {
        return no_memory(device, size, "that is more than it gives at once", err);
    }
    rk_cl_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to allocate on %s", device->caps.name);
    }
    rk_status status = allocate(device, size, memory, err);
    if (status != RK_OK) {
        free(memory);
        return status;
    }
    memory->bytes = size;
    memset(memory->host, 0, size);
    rk_mutex_lock(&device->lock);
    memory->next = device->memories;
    device->memories = memory;
    device->memory_used += size;
    rk_mutex_unlock(&device->lock);
    *out_memory = memory;
    return RK_OK;
}

void rk_cl_memory_destroy(rk_device *device, rk_cl_memory *memory)
{
    if (memory == NULL) {
        return;
    }
    rk_mutex_lock(&device->lock);
    for (rk_cl_memory **at = &device->memories; *at != NULL; at = &(*at)->next) {
        if (*at == memory) {
            *at = memory->next;
            break;
        }
    }
    device->memory_used -= memory->bytes;
    /* A free on a processor is a free of host memory; elsewhere it may wait for what runs. */
    bool later = !device->processor && device->resident_kernels > 0;
    if (later) {
        memory->next = device->dead;
        device->dead = memory;
    }
    rk_mutex_unlock(&device->lock);
    if (!later) {
        release(device, memory);
    }
}

void rk_cl_memory_sweep(rk_device *device)
{
    rk_mutex_lock(&device->lock);
    rk_cl_memory *dead = NULL;
    if (device->resident_kernels == 0) {
        dead = device->dead;
        device->dead = NULL;
    }
    rk_mutex_unlock(&device->lock);
    while (dead != NULL) {
        rk_cl_memory *next = dead->next;
        release(device, dead);
        dead = next;
    }
}
