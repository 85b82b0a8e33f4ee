/*
 * hip_work.c: the HIP API: copies, streams, events, modules, launches.
 *
 * Source: HIP API reference and hip_runtime_api.h (ROCm 5.2.3).
 */
#include "drivers/test/facts.h"
#include "drivers/test/hip.h"

#define CODE(result) rk_sim_hip_code(result)
#define STREAM_NON_BLOCKING 1u

static rk_sim_result stream_of(void *handle, rk_sim_stream **out_stream)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    return result == RK_SIM_OK ? rk_sim_stream_of(device, handle, out_stream) : result;
}

/* ---- Copies ------------------------------------------------------------------------------ */

static int copy(void *handle, const void *to, rk_sim_side to_side, const void *from,
                rk_sim_side from_side, size_t bytes, const char *waits)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK
                    ? rk_sim_copy(stream, (uint64_t)(uintptr_t)to, to_side,
                                  (uint64_t)(uintptr_t)from, from_side, bytes, waits)
                    : result);
}

RK_SIM_EXPORT(hipMemcpyHtoD, void *to, void *from, size_t bytes)
{
    return copy(NULL, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_HOST, bytes, "hipMemcpyHtoD");
}

RK_SIM_EXPORT(hipMemcpyDtoH, void *to, void *from, size_t bytes)
{
    return copy(NULL, to, RK_SIM_ON_HOST, from, RK_SIM_ON_DEVICE, bytes, "hipMemcpyDtoH");
}

RK_SIM_EXPORT(hipMemcpyDtoD, void *to, void *from, size_t bytes)
{
    return copy(NULL, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_DEVICE, bytes, "hipMemcpyDtoD");
}

RK_SIM_EXPORT(hipMemcpyHtoDAsync, void *to, void *from, size_t bytes, void *stream)
{
    return copy(stream, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_HOST, bytes, NULL);
}

RK_SIM_EXPORT(hipMemcpyDtoHAsync, void *to, void *from, size_t bytes, void *stream)
{
    return copy(stream, to, RK_SIM_ON_HOST, from, RK_SIM_ON_DEVICE, bytes, NULL);
}

RK_SIM_EXPORT(hipMemcpyDtoDAsync, void *to, void *from, size_t bytes, void *stream)
{
    return copy(stream, to, RK_SIM_ON_DEVICE, from, RK_SIM_ON_DEVICE, bytes, NULL);
}

/* kind: 1 host to device, 2 device to host, 3 device to device */
RK_SIM_EXPORT(hipMemcpyAsync, void *to, const void *from, size_t bytes, int kind, void *stream)
{
    if (kind < 1 || kind > 3) {
        return 21; /* hipErrorInvalidMemcpyDirection */
    }
    return copy(stream, to, kind == 2 ? RK_SIM_ON_HOST : RK_SIM_ON_DEVICE, from,
                kind == 1 ? RK_SIM_ON_HOST : RK_SIM_ON_DEVICE, bytes, NULL);
}

static int fill(void *handle, void *to, unsigned char value, size_t bytes, const char *waits)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK
                    ? rk_sim_fill(stream, (uint64_t)(uintptr_t)to, value, bytes, waits)
                    : result);
}

RK_SIM_EXPORT(hipMemsetD8Async, void *to, unsigned char value, size_t bytes, void *stream)
{
    return fill(stream, to, value, bytes, NULL);
}

RK_SIM_EXPORT(hipMemsetAsync, void *to, int value, size_t bytes, void *stream)
{
    return fill(stream, to, (unsigned char)value, bytes, NULL);
}

RK_SIM_EXPORT(hipMemsetD8, void *to, unsigned char value, size_t bytes)
{
    return fill(NULL, to, value, bytes, "hipMemsetD8");
}

/* ---- Streams and events -------------------------------------------------------------------- */

RK_SIM_EXPORT(hipStreamCreateWithPriority, rk_sim_stream **out_stream, unsigned flags, int priority)
{
    rk_sim_device *device = NULL;
    (void)priority; /* any number is brought into the range */
    rk_sim_result result = rk_sim_hip_idle("hipStreamCreate", &device);
    if (result == RK_SIM_OK && flags > 1) {
        result = RK_SIM_INVALID;
    }
    return CODE(result == RK_SIM_OK ? rk_sim_stream_create(
                                          device, (flags & STREAM_NON_BLOCKING) == 0, 0, out_stream)
                                    : result);
}

RK_SIM_EXPORT(hipStreamCreateWithFlags, rk_sim_stream **out_stream, unsigned flags)
{
    return hipStreamCreateWithPriority(out_stream, flags, 0);
}

RK_SIM_EXPORT(hipStreamDestroy, void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_object_check(handle, RK_SIM_STREAM);
    result = result == RK_SIM_OK ? rk_sim_hip_idle("hipStreamDestroy", &device) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_stream_destroy(handle) : result);
}

RK_SIM_EXPORT(hipStreamQuery, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_stream_query(stream) : result);
}

RK_SIM_EXPORT(hipStreamSynchronize, void *handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = stream_of(handle, &stream);
    return CODE(result == RK_SIM_OK ? rk_sim_stream_wait(stream) : result);
}

RK_SIM_EXPORT(hipEventCreateWithFlags, rk_sim_event **out_event, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    rk_sim_result result = rk_sim_hip_current(&device);
    return CODE(result == RK_SIM_OK ? rk_sim_event_create(device, out_event) : result);
}

static rk_sim_result event_of(void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    return result == RK_SIM_OK ? rk_sim_object_check(handle, RK_SIM_EVENT) : result;
}

RK_SIM_EXPORT(hipEventDestroy, void *handle)
{
    rk_sim_result result = event_of(handle);
    if (result == RK_SIM_OK) {
        rk_sim_event_destroy(handle);
    }
    return CODE(result);
}

RK_SIM_EXPORT(hipEventRecord, void *handle, void *stream_handle)
{
    rk_sim_stream *stream = NULL;
    rk_sim_result result = event_of(handle);
    result = result == RK_SIM_OK ? stream_of(stream_handle, &stream) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_event_record(handle, stream) : result);
}

RK_SIM_EXPORT(hipEventQuery, void *handle)
{
    rk_sim_result result = event_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_event_query(handle) : result);
}

RK_SIM_EXPORT(hipEventSynchronize, void *handle)
{
    rk_sim_result result = event_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_event_wait(handle) : result);
}

RK_SIM_EXPORT(hipEventElapsedTime, float *out_ms, void *from, void *to)
{
    rk_sim_result result = event_of(from);
    result = result == RK_SIM_OK ? event_of(to) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_event_elapsed(from, to, out_ms) : result);
}

RK_SIM_EXPORT(hipStreamWaitEvent, void *handle, void *event, unsigned flags)
{
    rk_sim_stream *stream = NULL;
    (void)flags;
    rk_sim_result result = event_of(event);
    result = result == RK_SIM_OK ? stream_of(handle, &stream) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_stream_wait_event(stream, event) : result);
}

/* ---- Modules and launches ------------------------------------------------------------------ */

RK_SIM_EXPORT(hipModuleLoadDataEx, rk_sim_module **out_module, const void *image, unsigned count,
              int *options, void **values)
{
    rk_sim_device *device = NULL;
    (void)count;
    (void)options;
    (void)values;
    rk_sim_result result = rk_sim_hip_current(&device);
    return CODE(result == RK_SIM_OK
                    ? rk_sim_module_load(device, image, "hipModuleLoadData", out_module)
                    : result);
}

RK_SIM_EXPORT(hipModuleLoadData, rk_sim_module **out_module, const void *image)
{
    return hipModuleLoadDataEx(out_module, image, 0, NULL, NULL);
}

static rk_sim_result module_of(void *handle)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    return result == RK_SIM_OK ? rk_sim_object_check(handle, RK_SIM_MODULE) : result;
}

RK_SIM_EXPORT(hipModuleUnload, void *handle)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_module_unload(handle, "hipModuleUnload") : result);
}

RK_SIM_EXPORT(hipModuleGetFunction, void **out_function, void *handle, const char *name)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_function_find(handle, name, out_function) : result);
}

RK_SIM_EXPORT(hipFuncGetAttribute, int *out_value, int attribute, void *handle)
{
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_function_fact(handle, attribute, out_value) : result);
}

RK_SIM_EXPORT(hipModuleOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, int *out_blocks,
              void *handle, int lanes, size_t dynamic_shared, unsigned flags)
{
    (void)flags;
    rk_sim_result result = module_of(handle);
    return CODE(result == RK_SIM_OK ? rk_sim_occupancy(handle, lanes, dynamic_shared, out_blocks)
                                    : result);
}

RK_SIM_EXPORT(hipModuleOccupancyMaxActiveBlocksPerMultiprocessor, int *out_blocks, void *handle,
              int lanes, size_t dynamic_shared)
{
    return hipModuleOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(out_blocks, handle, lanes,
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

RK_SIM_EXPORT(hipModuleLaunchKernel, void *function, unsigned grid_x, unsigned grid_y,
              unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
              unsigned shared, void *stream, void **params, void **extra)
{
    const uint32_t grid[] = {grid_x, grid_y, grid_z};
    const uint32_t block[] = {block_x, block_y, block_z};
    return extra != NULL ? CODE(RK_SIM_INVALID)
                         : launch(function, grid, block, shared, stream, params, false);
}

RK_SIM_EXPORT(hipModuleLaunchCooperativeKernel, void *function, unsigned grid_x, unsigned grid_y,
              unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
              unsigned shared, void *stream, void **params)
{
    const uint32_t grid[] = {grid_x, grid_y, grid_z};
    const uint32_t block[] = {block_x, block_y, block_z};
    return launch(function, grid, block, shared, stream, params, true);
}
