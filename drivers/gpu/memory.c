/*
 * memory.c: arenas in device memory, and mapped areas in host memory that kernels see.
 *
 * A mapped area is our own mapping, registered with the library, so that it stays at its address
 * when the context of a lost device is made anew. Where the library cannot register memory (ZLUDA)
 * the library allocates it; such an area does not survive the loss of its device.
 */
#include "abi/word.h"
#include "base/value.h"
#include "drivers/gpu/gpu.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

typedef struct alloc_request {
    rk_mem_kind kind;
    uint64_t bytes;
    int fd; /* of imported memory, else -1 */
    gpu_block *block;
    rk_err *err;
} alloc_request;

gpu_block *gpu_block_of(const rk_mem *mem)
{
    return (gpu_block *)(uintptr_t)mem->device;
}

/* ---- The device's side --------------------------------------------------------------------- */

static rk_status register_mapping(rk_device *device, gpu_block *block, rk_err *err)
{
    const gpu_api *api = device->api;
    gpu_result result =
        api->host_register(block->host, block->bytes, device->driver->vendor->register_flags);
    if (result == GPU_ALREADY_REGISTERED) {
        result = 0; /* it survived a reset of the context */
    }
    if (result == 0) {
        result = api->host_pointer(&block->ptr, block->host, 0);
        if (result != 0) {
            (void)api->host_unregister(block->host);
        }
    }
    return result == 0 ? RK_OK : gpu_fail(device, result, err, "registering host memory");
}

/* Memory of the library, where it cannot register ours. */
static rk_status alloc_mapped(rk_device *device, gpu_block *block, rk_err *err)
{
    const gpu_api *api = device->api;
    void *host = NULL;
    gpu_result result = api->host_alloc(&host, block->bytes, device->driver->vendor->host_flags);
    if (result == 0) {
        result = api->host_pointer(&block->ptr, host, 0);
        if (result != 0) {
            (void)api->host_free(host);
        }
    }
    if (result != 0) {
        return gpu_fail(device, result, err, "allocating host memory for a kernel");
    }
    memset(host, 0, block->bytes);
    block->host = host;
    return RK_OK;
}

static rk_status alloc_arena(rk_device *device, gpu_block *block, rk_err *err)
{
    const gpu_api *api = device->api;
    gpu_result result = api->memory_alloc(&block->ptr, block->bytes);
    if (result == GPU_OUT_OF_MEMORY) {
        size_t left = 0;
        size_t total = 0;
        char text[3][RK_VALUE_TEXT_BYTES];
        (void)api->memory_info(&left, &total); /* zeros say enough */
        return rk_err_set(err, RK_NO_MEMORY,
                          "%s: the driver refused %s of device memory for a kernel; it says that "
                          "%s of %s are left; use a smaller problem, or another device",
                          device->caps.name, rk_value_format_size(block->bytes, text[0]),
                          rk_value_format_size(left, text[1]),
                          rk_value_format_size(total, text[2]));
    }
    if (result != 0) {
        return gpu_fail(device, result, err, "allocating device memory");
    }
    rk_status status = gpu_copy_now(device, block, 0, NULL, NULL, block->bytes);
    if (status != RK_OK) {
        (void)api->memory_free(block->ptr);
        return rk_err_set(err, status, "%s: zeroing %llu MiB of device memory: %s",
                          device->caps.name, (unsigned long long)(block->bytes >> 20),
                          rk_status_text(status));
    }
    return RK_OK;
}

rk_status gpu_block_make(rk_device *device, gpu_block *block, rk_err *err)
{
    if (block->kind == RK_MEM_ARENA) {
        return alloc_arena(device, block, err);
    }
    return block->own_map ? register_mapping(device, block, err) : alloc_mapped(device, block, err);
}

static void block_unmake(rk_device *device, gpu_block *block)
{
    const gpu_api *api = device->api;
    /* Nothing can be done about a refusal; on a lost device every call refuses, and its memory went
     * with the context. */
    if (block->kind == RK_MEM_ARENA) {
        if (!block->reserved) {
            (void)api->memory_free(block->ptr);
        }
    } else if (block->own_map) {
        gpu_result result = api->host_unregister(block->host);
        if (result == 0 || result == GPU_NOT_REGISTERED) {
            (void)munmap(block->host, block->bytes);
        } /* else the library may still let the device write there: then it stays mapped */
    } else {
        (void)api->host_free(block->host);
    }
    free(block);
}

void gpu_blocks_reclaim(rk_device *device, bool all)
{
    for (gpu_block **at = &device->blocks; *at != NULL;) {
        gpu_block *block = *at;
        if (block->freed || all) {
            *at = block->next;
            block_unmake(device, block);
        } else {
            at = &block->next;
        }
    }
}

/* ---- Recovery ------------------------------------------------------------------------------ */

rk_status gpu_blocks_can_restore(rk_device *device, rk_err *err)
{
    for (const gpu_block *block = device->blocks; block != NULL; block = block->next) {
        if (block->kind == RK_MEM_MAPPED && !block->own_map && !block->freed) {
            return rk_err_set(err, RK_UNSUPPORTED,
                              "%s cannot be recovered while kernels exist: this driver has no host "
                              "registration, and what the host shares with them goes with the "
                              "context; destroy the kernels first, or restart the process",
                              device->caps.name);
        }
    }
    return RK_OK;
}

void gpu_blocks_forget(rk_device *device)
{
    for (gpu_block **at = &device->blocks; *at != NULL;) {
        gpu_block *block = *at;
        if (block->freed) {
            *at = block->next;
            if (block->own_map) {
                (void)munmap(block->host, block->bytes);
            }
            free(block);
        } else {
            at = &block->next;
        }
    }
}

/* Word by word: somebody may be looking at the kernel's state there. */
static void zero_mapped(const gpu_block *block)
{
    rk_u64 *words = (rk_u64 *)(void *)block->host;
    for (uint64_t i = 0; i < block->bytes / sizeof *words; i++) {
        rk_word64_store(&words[i], 0);
    }
}

rk_status gpu_blocks_restore(rk_device *device, gpu_ptr old_reserve, rk_err *err)
{
    rk_status status = RK_OK;
    for (gpu_block *block = device->blocks; block != NULL && status == RK_OK; block = block->next) {
        if (block->reserved) {
            block->ptr = device->reserve + (block->ptr - old_reserve);
            status = gpu_copy_now(device, block, 0, NULL, NULL, block->bytes);
        } else {
            status = gpu_block_make(device, block, err);
        }
        if (status == RK_OK && block->host != NULL && !block->imported) {
            zero_mapped(block);
        }
    }
    return status;
}

/* ---- The reserve --------------------------------------------------------------------------- */

/* First fit: the lowest place in the reserve that overlaps no block. */
static bool reserve_place(const rk_device *device, uint64_t bytes, gpu_ptr *out_ptr)
{
    gpu_ptr at = device->reserve;
    if (at == 0) {
        return false;
    }
    for (const gpu_block *block = device->blocks; block != NULL;) {
        bool overlaps =
            block->reserved && block->ptr < at + bytes && at < block->ptr + block->bytes;
        if (overlaps) {
            at = block->ptr + block->bytes;
            block = device->blocks; /* the new place may overlap one that was passed */
        } else {
            block = block->next;
        }
    }
    if (bytes > device->reserve_bytes || at - device->reserve > device->reserve_bytes - bytes) {
        return false;
    }
    *out_ptr = at;
    return true;
}

/* What can be had while a kernel is resident. */
static rk_status alloc_while_resident(rk_device *device, gpu_block *block, rk_err *err)
{
    if (block->kind == RK_MEM_ARENA && reserve_place(device, block->bytes, &block->ptr)) {
        block->reserved = true;
        return gpu_copy_now(device, block, 0, NULL, NULL, block->bytes);
    }
    return rk_err_set(err, RK_BUSY,
                      "%s: memory cannot be allocated while kernel '%s' is resident: the driver "
                      "might wait for it; create all kernels before starting the first, park it, "
                      "or set RK_GPU_RESERVE to bytes of device memory to hold back for this",
                      device->caps.name, device->residents->name);
}

/* ---- Operations ---------------------------------------------------------------------------- */

static rk_status map_host(gpu_block *block, int fd, rk_err *err)
{
    int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *host = mmap(NULL, block->bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (host == MAP_FAILED) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot map %llu bytes for a kernel: %s",
                          (unsigned long long)block->bytes, strerror(errno));
    }
    if (fd < 0) {
        /* A fork would make these pages copy-on-write: the host's next write would then go to a new
         * page, which the device does not see. Where the system cannot do it, nothing is lost. */
        (void)madvise(host, block->bytes, MADV_DONTFORK);
    }
    block->host = host;
    block->own_map = true;
    return RK_OK;
}

static rk_status alloc_work(rk_device *device, void *context)
{
    alloc_request *request = context;
    gpu_block *block = request->block;
    rk_err *err = request->err;
    if (gpu_is_lost(device)) {
        return gpu_refuse_lost(device, err);
    }
    rk_status status = RK_OK;
    bool can_register = device->api->host_register != NULL && device->api->host_unregister != NULL;
    if (device->residents != NULL) {
        status = alloc_while_resident(device, block, err);
    } else {
        if (block->imported && !can_register) {
            return rk_err_set(err, RK_UNSUPPORTED,
                              "%s: this driver cannot make memory of other processes visible to "
                              "kernels (it has no host registration)",
                              device->caps.name);
        }
        if (block->kind == RK_MEM_MAPPED && can_register) {
            status = map_host(block, request->fd, err);
        }
        if (status == RK_OK) {
            status = gpu_block_make(device, block, err);
        }
        if (status != RK_OK && block->own_map) {
            (void)munmap(block->host, block->bytes);
        }
    }
    if (status == RK_OK) {
        block->next = device->blocks;
        device->blocks = block;
    }
    return status;
}

static rk_status alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes, int fd, rk_mem *out_mem,
                       rk_err *err)
{
    uint64_t size = 0;
    if (bytes == 0 || !rk_size_add(bytes, PAGE_BYTES - 1, &size) || size > (uint64_t)INT64_MAX) {
        return rk_err_set(err, RK_INVALID, "%s: cannot allocate %llu bytes", device->caps.name,
                          (unsigned long long)bytes);
    }
    size &= ~(uint64_t)(PAGE_BYTES - 1);
    gpu_block *block = calloc(1, sizeof *block);
    if (block == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a kernel of %s", device->caps.name);
    }
    block->kind = kind;
    block->bytes = size;
    block->imported = fd >= 0;
    alloc_request request = {.kind = kind, .bytes = size, .fd = fd, .block = block, .err = err};
    rk_status status = gpu_call(device, alloc_work, &request);
    if (status != RK_OK) {
        free(block);
        return status;
    }
    (void)atomic_fetch_add_explicit(&device->memory_used, size, memory_order_relaxed);
    *out_mem = (rk_mem){
        .host = block->host, .device = (uint64_t)(uintptr_t)block, .bytes = size, .fd = -1};
    return RK_OK;
}

rk_status gpu_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                        rk_err *err)
{
    return alloc(device, kind, bytes, -1, out_mem, err);
}

rk_status gpu_mem_import(rk_device *device, int fd, uint64_t bytes, rk_mem *out_mem, rk_err *err)
{
    if (fd < 0) {
        return rk_err_set(err, RK_INVALID, "%s: no memory file to import", device->caps.name);
    }
    return alloc(device, RK_MEM_MAPPED, bytes, fd, out_mem, err);
}

static rk_status free_work(rk_device *device, void *context)
{
    gpu_block *block = context;
    block->freed = true;
    if (device->residents == NULL) {
        gpu_blocks_reclaim(device, false);
    }
    return RK_OK;
}

void gpu_mem_free(rk_device *device, rk_mem *mem)
{
    if (mem->device != 0) {
        (void)atomic_fetch_sub_explicit(&device->memory_used, mem->bytes, memory_order_relaxed);
        (void)gpu_call(device, free_work, gpu_block_of(mem));
        *mem = (rk_mem){.fd = -1};
    }
}
