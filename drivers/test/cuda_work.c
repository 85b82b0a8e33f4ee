/*
 * cuda_work.c: the CUDA driver API: memory, copies, streams, events, modules, launches.
 *
 * Source: CUDA Driver API reference and cuda.h (13.0). Names are the versioned ones of the library.
 */
#include "drivers/test/cuda.h"
#include "drivers/test/facts.h"
#include <string.h>

#define CODE(result) rk_sim_cuda_code(result)
#define STREAM_NON_BLOCKING 1u
#define PRIORITY_GREATEST (-5)

typedef unsigned long long cu_pointer;

/* ---- Memory ------------------------------------------------------------------------------ */

static rk_sim_result allocate(const char *call, rk_sim_memory_kind kind, size_t bytes,
                              uint64_t *out_address)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_idle(call, &device);
    return result == RK_SIM_OK
               ? rk_sim_memory_alloc(device, kind, bytes, RK_SIM_COHERENT, out_address)
               : result;
}

static rk_sim_result release(const char *call, rk_sim_memory_kind kind, uint64_t address)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_idle(call, &device);
    return result == RK_SIM_OK ? rk_sim_memory_free(device, kind, address) : result;
}

RK_SIM_EXPORT(cuMemAlloc_v2, cu_pointer *out_pointer, size_t bytes)
{
    uint64_t address = 0;
    rk_sim_result result = allocate("cuMemAlloc", RK_SIM_DEVICE_MEMORY, bytes, &address);
    *out_pointer = result == RK_SIM_OK ? address : 0;
    return CODE(result);
}

RK_SIM_EXPORT(cuMemFree_v2, cu_pointer pointer)
{
    return CODE(pointer == 0 ? RK_SIM_OK : release("cuMemFree", RK_SIM_DEVICE_MEMORY, pointer));
}

RK_SIM_EXPORT(cuMemHostAlloc, void **out_pointer, size_t bytes, unsigned flags)
{
    uint64_t address = 0;
    rk_sim_result result = flags > 7
                               ? RK_SIM_INVALID
                               : allocate("cuMemHostAlloc", RK_SIM_HOST_MEMORY, bytes, &address);
    *out_pointer = (void *)(uintptr_t)address;
    return CODE(result);
}

RK_SIM_EXPORT(cuMemFreeHost, void *pointer)
{
    return CODE(release("cuMemFreeHost", RK_SIM_HOST_MEMORY, (uint64_t)(uintptr_t)pointer));
}

RK_SIM_EXPORT(cuMemHostRegister_v2, void *pointer, size_t bytes, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    rk_sim_result result = rk_sim_cuda_idle("cuMemHostRegister", &device);
    if (result == RK_SIM_OK && rk_sim_config()->zluda != 0) {
        result = RK_SIM_UNSUPPORTED;
    }
    return CODE(result == RK_SIM_OK ? rk_sim_memory_register(device, pointer, bytes) : result);
}

RK_SIM_EXPORT(cuMemHostUnregister, void *pointer)
{
    return CODE(release("cuMemHostUnregister", RK_SIM_REGISTERED, (uint64_t)(uintptr_t)pointer));
}

RK_SIM_EXPORT(cuMemHostGetDevicePointer_v2, cu_pointer *out_pointer, void *host, unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    if (result == RK_SIM_OK && (flags != 0 || !rk_sim_memory_pinned(host, 1, NULL))) {
        result = RK_SIM_INVALID;
    }
    *out_pointer = result == RK_SIM_OK ? (cu_pointer)(uintptr_t)host : 0;
    return CODE(result);
}

RK_SIM_EXPORT(cuMemGetInfo_v2, size_t *out_free, size_t *out_total)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        *out_total = rk_sim_config()->memory_bytes;
        *out_free = *out_total - device->memory_used;
        rk_mutex_unlock(&device->lock);
    }
    return CODE(result);
}

/* The default stream with NULL. */
static rk_sim_result stream_of(void *handle, rk_sim_stream **out_stream)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return result == RK_SIM_OK ? rk_sim_stream_of(device, handle, out_stream) : result;
}

RK_SIM_EXPORT(cuMemAllocAsync, cu_pointer *out_pointer, size_t bytes, void *handle)
{
    rk_sim_stream *stream = NULL;
    uint64_t address = 0;
    rk_sim_result result = stream_of(handle, &stream);
    result = result == RK_SIM_OK ? allocate("cuMemAllocAsync (its pool may have to grow)",
                                            RK_SIM_DEVICE_MEMORY, bytes, &address)
                                 : result;
    *out_pointer = address;
    return CODE(result);
}

RK_SIM_EXPORT(cuMemFreeAsync, cu_pointer pointer, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    rk_sim_op op = {.kind = RK_SIM_OP_FREE, .address = pointer};
    return CODE(result == RK_SIM_OK ? rk_sim_enqueue(stream, &op) : result);
}

/* ---- Copies ------------------------------------------------------------------------------ */

static int copy(void *handle, uint64_t to, rk_sim_side to_side, uint64_t from,
                rk_sim_side from_side, size_t bytes, const char *waits)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK
                    ? rk_sim_copy(stream, to, to_side, from, from_side, bytes, waits)
                    : result);
}

RK_SIM_EXPORT(cuMemcpyHtoD_v2, cu_pointer to, const void *from, size_t bytes)
{
    return copy(NULL, to, RK_SIM_ON_DEVICE, (uint64_t)(uintptr_t)from, RK_SIM_ON_HOST, bytes,
                "cuMemcpyHtoD");
}

RK_SIM_EXPORT(cuMemcpyDtoH_v2, void *to, cu_pointer from, size_t bytes)
{
    return copy(NULL, (uint64_t)(uintptr_t)to, RK_SIM_ON_HOST, from, RK_SIM_ON_DEVICE, bytes,
                "cuMemcpyDtoH");
}

RK_SIM_EXPORT(cuMemcpyDtoD_v2, cu_pointer to, cu_pointer from, size_t bytes)
{
    return copy(NULL, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_DEVICE, bytes, "cuMemcpyDtoD");
}

RK_SIM_EXPORT(cuMemcpyHtoDAsync_v2, cu_pointer to, const void *from, size_t bytes, void *stream)
{
    return copy(stream, to, RK_SIM_ON_DEVICE, (uint64_t)(uintptr_t)from, RK_SIM_ON_HOST, bytes,
                NULL);
}

RK_SIM_EXPORT(cuMemcpyDtoHAsync_v2, void *to, cu_pointer from, size_t bytes, void *stream)
{
    return copy(stream, (uint64_t)(uintptr_t)to, RK_SIM_ON_HOST, from, RK_SIM_ON_DEVICE, bytes,
                NULL);
}

RK_SIM_EXPORT(cuMemcpyDtoDAsync_v2, cu_pointer to, cu_pointer from, size_t bytes, void *stream)
{
    return copy(stream, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_DEVICE, bytes, NULL);
}

RK_SIM_EXPORT(cuMemsetD8Async, cu_pointer to, unsigned char value, size_t bytes, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_fill(stream, to, value, bytes, NULL) : result);
}

RK_SIM_EXPORT(cuMemsetD8_v2, cu_pointer to, unsigned char value, size_t bytes)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(NULL, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_fill(stream, to, value, bytes, "cuMemsetD8") : result);
}

/* ---- Streams and events -------------------------------------------------------------------- */

RK_SIM_EXPORT(cuStreamCreateWithPriority, rk_sim_stream **out_stream, unsigned flags, int priority)
{
    rk_sim_device *device = NULL;
    (void)priority; /* any number is brought into the range */
    rk_sim_result result = rk_sim_cuda_idle("cuStreamCreate", &device);
    if (result == RK_SIM_OK && flags > 1) {
        result = RK_SIM_INVALID;
    }
    return CODE(result == RK_SIM_OK
                    ? rk_sim_stream_create(device, (flags & STREAM_NON_BLOCKING) == 0,
                                           rk_sim_cuda_units(), out_stream)
                    : result);
}

RK_SIM_EXPORT(cuStreamCreate, rk_sim_stream **out_stream, unsigned flags)
{
    return cuStreamCreateWithPriority(out_stream, flags, 0);
}

RK_SIM_EXPORT(cuCtxGetStreamPriorityRange, int *out_least, int *out_greatest)
{
    rk_sim_device *device = NULL;
    *out_least = 0;
    *out_greatest = PRIORITY_GREATEST;
    return CODE(rk_sim_cuda_current(&device));
}

RK_SIM_EXPORT(cuStreamDestroy_v2, void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_object_check(handle, RK_SIM_STREAM);
    result = result == RK_SIM_OK ? rk_sim_cuda_idle("cuStreamDestroy", &device) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_stream_destroy(handle) : result);
}

RK_SIM_EXPORT(cuStreamQuery, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_stream_query(stream) : result);
}

RK_SIM_EXPORT(cuStreamSynchronize, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_stream_wait(stream) : result);
}

RK_SIM_EXPORT(cuLaunchHostFunc, void *handle, void (*call)(void *), void *argument)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    rk_sim_op op = {.kind = RK_SIM_OP_CALL, .call = call, .argument = argument};
    return CODE(result == RK_SIM_OK ? rk_sim_enqueue(stream, &op) : result);
}

RK_SIM_EXPORT(cuEventCreate, rk_sim_event **out_event, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return CODE(result == RK_SIM_OK ? rk_sim_event_create(device, out_event) : result);
}

/* The context's state comes first, as in the library: a lost device has lost its events. */
static rk_sim_result event_of(void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return result == RK_SIM_OK ? rk_sim_object_check(handle, RK_SIM_EVENT) : result;
}

RK_SIM_EXPORT(cuEventDestroy_v2, void *handle)
{
    rk_sim_result result = event_of(handle);
    if (result == RK_SIM_OK) {
        rk_sim_event_destroy(handle);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuEventRecord, void *handle, void *stream_handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = event_of(handle);
    result = result == RK_SIM_OK ? stream_of(stream_handle, &stream) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_event_record(handle, stream) : result);
}

RK_SIM_EXPORT(cuEventQuery, void *handle)
{
    rk_sim_result result = event_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_event_query(handle) : result);
}

RK_SIM_EXPORT(cuEventSynchronize, void *handle)
{
    rk_sim_result result = event_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_event_wait(handle) : result);
}

RK_SIM_EXPORT(cuEventElapsedTime_v2, float *out_ms, void *from, void *to)
{
    rk_sim_result result = event_of(from);
    result = result == RK_SIM_OK ? event_of(to) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_event_elapsed(from, to, out_ms) : result);
}

RK_SIM_EXPORT(cuEventElapsedTime, float *out_ms, void *from, void *to)
{
    return cuEventElapsedTime_v2(out_ms, from, to);
}

RK_SIM_EXPORT(cuStreamWaitEvent, void *handle, void *event, unsigned flags)
{
    rk_sim_stream *stream = NULL;
    (void)flags;
    rk_sim_result result = event_of(event);
    result = result == RK_SIM_OK ? stream_of(handle, &stream) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_stream_wait_event(stream, event) : result);
}

/* ---- Modules and launches ------------------------------------------------------------------ */

RK_SIM_EXPORT(cuModuleLoadDataEx, rk_sim_module **out_module, const void *image, unsigned count,
              int *options, void **values)
{
    rk_sim_device *device = NULL;
    (void)count;
    (void)options;
    (void)values;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return CODE(result == RK_SIM_OK
                    ? rk_sim_module_load(device, image, "cuModuleLoadData", out_module)
                    : result);
}

RK_SIM_EXPORT(cuModuleLoadData, rk_sim_module **out_module, const void *image)
{
    return cuModuleLoadDataEx(out_module, image, 0, NULL, NULL);
}

static rk_sim_result module_of(void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return result == RK_SIM_OK ? rk_sim_object_check(handle, RK_SIM_MODULE) : result;
}

RK_SIM_EXPORT(cuModuleUnload, void *handle)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_module_unload(handle, "cuModuleUnload") : result);
}

RK_SIM_EXPORT(cuModuleGetFunction, void **out_function, void *handle, const char *name)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_function_find(handle, name, out_function) : result);
}

RK_SIM_EXPORT(cuFuncLoad, void *handle)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_function_load(handle, "cuFuncLoad") : result);
}

RK_SIM_EXPORT(cuFuncGetAttribute, int *out_value, int attribute, void *handle)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_function_fact(handle, attribute, out_value) : result);
}

RK_SIM_EXPORT(cuFuncSetAttribute, void *handle, int attribute, int value)
{
    rk_sim_result result = module_of(handle);
    if (result == RK_SIM_OK && (attribute < 8 || attribute > 16 || value < -1)) {
        result = RK_SIM_INVALID;
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, int *out_blocks, void *handle,
              int lanes, size_t dynamic_shared, unsigned flags)
{
    (void)flags;
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_occupancy(handle, lanes, dynamic_shared, out_blocks)
                                    : result);
}

RK_SIM_EXPORT(cuOccupancyMaxActiveBlocksPerMultiprocessor, int *out_blocks, void *handle, int lanes,
              size_t dynamic_shared)
{
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(out_blocks, handle, lanes,
                                                                dynamic_shared, 0);
}

static int launch(void *handle, const uint32_t *grid, const uint32_t *block, uint32_t shared,
                  void *stream_handle, void **params, bool cooperative)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = module_of(handle);
    result = result == RK_SIM_OK ? stream_of(stream_handle, &stream) : result;
    rk_sim_launch what = {handle, stream, grid, block, shared, params, cooperative};
    return CODE(result == RK_SIM_OK ? rk_sim_kernel_launch(&what) : result);
}

RK_SIM_EXPORT(cuLaunchKernel, void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
              unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared, void *stream,
              void **params, void **extra)
{
    const uint32_t grid[] = {grid_x, grid_y, grid_z};
    const uint32_t block[] = {block_x, block_y, block_z};
    return extra != NULL ? CODE(RK_SIM_INVALID)
                         : launch(function, grid, block, shared, stream, params, false);
}

RK_SIM_EXPORT(cuLaunchCooperativeKernel, void *function, unsigned grid_x, unsigned grid_y,
              unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
              unsigned shared, void *stream, void **params)
{
    const uint32_t grid[] = {grid_x, grid_y, grid_z};
    const uint32_t block[] = {block_x, block_y, block_z};
    return launch(function, grid, block, shared, stream, params, true);
}

/* CUlaunchConfig; an attribute is 8 bytes of id and padding and 64 of value. */
typedef struct launch_config {
    unsigned grid[3];
    unsigned block[3];
    unsigned shared;
    void *stream;
    const unsigned char *attributes;
    unsigned attribute_count;
} launch_config;

#define LAUNCH_ATTRIBUTE_BYTES 72u
#define LAUNCH_ATTRIBUTE_COOPERATIVE 2

RK_SIM_EXPORT(cuLaunchKernelEx, const launch_config *config, void *function, void **params,
              void **extra)
{
    bool cooperative = false;
    for (unsigned i = 0; i < config->attribute_count; i++) {
        int pair[3]; /* id, padding, first word of the value */
        memcpy(pair, config->attributes + (size_t)i * LAUNCH_ATTRIBUTE_BYTES, sizeof pair);
        cooperative = cooperative || (pair[0] == LAUNCH_ATTRIBUTE_COOPERATIVE && pair[2] != 0);
    }
    return extra != NULL ? CODE(RK_SIM_INVALID)
                         : launch(function, config->grid, config->block, config->shared,
                                  config->stream, params, cooperative);
}
