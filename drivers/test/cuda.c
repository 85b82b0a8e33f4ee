/*
 * cuda.c: the CUDA driver API: initialisation, devices, contexts, green contexts.
 *
 * Source: CUDA Driver API reference and cuda.h (13.0). Names are the versioned ones of the library.
 */
#include "drivers/test/cuda.h"
#include "drivers/test/facts.h"
#include <stdio.h>
#include <string.h>

#define STACK_MAX 16u
#define CODE(result) rk_sim_cuda_code(result)
#define STREAM_NON_BLOCKING 1u
#define RESOURCE_BYTES 144u /* of a CUdevResource in an array */

static RK_THREAD_LOCAL rk_sim_context *stack[STACK_MAX];
static RK_THREAD_LOCAL uint32_t depth;

rk_sim_result rk_sim_cuda_device(int index, rk_sim_device **out_device)
{
    if (!rk_sim_is_ready(RK_SIM_CUDA)) {
        return RK_SIM_UNINITIALIZED;
    }
    *out_device = rk_sim_device_at(RK_SIM_CUDA, index);
    return *out_device != NULL ? RK_SIM_OK : RK_SIM_NO_SUCH_DEVICE;
}

static rk_sim_result context_check(const rk_sim_context *context)
{
    rk_sim_result result = rk_sim_object_check(context, RK_SIM_CONTEXT);
    if (result != RK_SIM_OK) {
        return result == RK_SIM_BAD_HANDLE ? RK_SIM_NO_CONTEXT : result;
    }
    rk_sim_device *device = context->object.device;
    rk_mutex_lock(&device->lock);
    bool alive = device->retained != 0;
    rk_mutex_unlock(&device->lock);
    return alive ? RK_SIM_OK : RK_SIM_DESTROYED;
}

rk_sim_result rk_sim_cuda_current(rk_sim_device **out_device)
{
    if (!rk_sim_is_ready(RK_SIM_CUDA)) {
        return RK_SIM_UNINITIALIZED;
    }
    if (depth == 0 || stack[depth - 1] == NULL) {
        return RK_SIM_NO_CONTEXT;
    }
    rk_sim_result result = context_check(stack[depth - 1]);
    if (result == RK_SIM_OK) {
        *out_device = stack[depth - 1]->object.device;
        result = rk_sim_health(*out_device);
    }
    return result;
}

uint32_t rk_sim_cuda_units(void)
{
    return depth > 0 && stack[depth - 1] != NULL ? stack[depth - 1]->units : 0;
}

rk_sim_result rk_sim_cuda_idle(const char *call, rk_sim_device **out_device)
{
    rk_sim_result result = rk_sim_cuda_current(out_device);
    return result == RK_SIM_OK ? rk_sim_may_wait(*out_device, call) : result;
}

/* ---- Library and devices ------------------------------------------------------------------- */

RK_SIM_EXPORT(cuInit, unsigned flags)
{
    return CODE(flags != 0 ? RK_SIM_INVALID : rk_sim_init(RK_SIM_CUDA));
}

RK_SIM_EXPORT(cuDriverGetVersion, int *out_version)
{
    *out_version = (int)rk_sim_config()->version;
    return 0;
}

RK_SIM_EXPORT(cuGetErrorName, int code, const char **out_name)
{
    *out_name = rk_sim_cuda_name(code);
    return CODE(*out_name != NULL ? RK_SIM_OK : RK_SIM_INVALID);
}

RK_SIM_EXPORT(cuGetErrorString, int code, const char **out_text)
{
    *out_text = rk_sim_cuda_text(code);
    return CODE(*out_text != NULL ? RK_SIM_OK : RK_SIM_INVALID);
}

RK_SIM_EXPORT(cuDeviceGetCount, int *out_count)
{
    *out_count = (int)rk_sim_config()->devices;
    return CODE(rk_sim_is_ready(RK_SIM_CUDA) ? RK_SIM_OK : RK_SIM_UNINITIALIZED);
}

RK_SIM_EXPORT(cuDeviceGet, int *out_device, int index)
{
    rk_sim_device *device = NULL;
    *out_device = index;
    return CODE(rk_sim_cuda_device(index, &device));
}

RK_SIM_EXPORT(cuDeviceGetName, char *out_name, int bytes, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    if (result == RK_SIM_OK) {
        (void)snprintf(out_name, (size_t)bytes, "%s", rk_sim_device_name(device));
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDeviceGetAttribute, int *out_value, int attribute, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    return CODE(result == RK_SIM_OK ? rk_sim_fact(device, attribute, out_value) : result);
}

RK_SIM_EXPORT(cuDeviceTotalMem_v2, size_t *out_bytes, int index)
{
    rk_sim_device *device = NULL;
    *out_bytes = rk_sim_config()->memory_bytes;
    return CODE(rk_sim_cuda_device(index, &device));
}

RK_SIM_EXPORT(cuDeviceGetPCIBusId, char *out_text, int bytes, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    if (result == RK_SIM_OK) {
        (void)snprintf(out_text, (size_t)bytes, "0000:%02X:00.0", rk_sim_bus(device));
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDeviceGetUuid_v2, unsigned char *out_uuid, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    memset(out_uuid, 0, 16);
    out_uuid[15] = (unsigned char)(index + 1);
    return CODE(result);
}

RK_SIM_EXPORT(cuDeviceCanAccessPeer, int *out_can, int index, int peer)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    result = result == RK_SIM_OK ? rk_sim_cuda_device(peer, &other) : result;
    if (result == RK_SIM_OK) {
        *out_can = rk_sim_can_reach(device, other);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDeviceGetP2PAttribute, int *out_value, int attribute, int from, int to)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = rk_sim_cuda_device(from, &device);
    result = result == RK_SIM_OK ? rk_sim_cuda_device(to, &other) : result;
    return CODE(result == RK_SIM_OK ? rk_sim_peer_fact(device, other, attribute, out_value)
                                    : result);
}

/* ---- Contexts ---------------------------------------------------------------------------- */

RK_SIM_EXPORT(cuDevicePrimaryCtxRetain, rk_sim_context **out_context, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    result = result == RK_SIM_OK ? rk_sim_health(device) : result;
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        device->retained++;
        rk_mutex_unlock(&device->lock);
        *out_context = &device->primary;
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDevicePrimaryCtxRelease_v2, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    if (result != RK_SIM_OK) {
        return CODE(result);
    }
    rk_mutex_lock(&device->lock);
    uint32_t retained = device->retained;
    device->retained -= retained > 1 ? 1 : 0;
    rk_mutex_unlock(&device->lock);
    if (retained == 1) { /* the last one destroys the context */
        result = rk_sim_may_wait(device, "cuDevicePrimaryCtxRelease");
        result = result == RK_SIM_OK ? rk_sim_reset(device) : result;
    }
    return CODE(retained == 0 ? RK_SIM_NO_CONTEXT : result);
}

RK_SIM_EXPORT(cuDevicePrimaryCtxReset_v2, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    result = result == RK_SIM_OK ? rk_sim_may_wait(device, "cuDevicePrimaryCtxReset") : result;
    return CODE(result == RK_SIM_OK ? rk_sim_reset(device) : result);
}

RK_SIM_EXPORT(cuDevicePrimaryCtxSetFlags_v2, int index, unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    result = result == RK_SIM_OK ? rk_sim_may_wait(device, "cuDevicePrimaryCtxSetFlags") : result;
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        device->flags = flags;
        rk_mutex_unlock(&device->lock);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDevicePrimaryCtxGetState, int index, unsigned *out_flags, int *out_active)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        *out_flags = device->flags;
        *out_active = device->retained != 0;
        rk_mutex_unlock(&device->lock);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuCtxSetFlags, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    return CODE(rk_sim_cuda_idle("cuCtxSetFlags", &device));
}

RK_SIM_EXPORT(cuCtxSetCurrent, rk_sim_context *context)
{
    if (!rk_sim_is_ready(RK_SIM_CUDA)) {
        return CODE(RK_SIM_UNINITIALIZED);
    }
    rk_sim_result result = context != NULL ? context_check(context) : RK_SIM_OK;
    if (result == RK_SIM_OK) {
        depth = depth == 0 ? 1 : depth;
        stack[depth - 1] = context;
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuCtxGetCurrent, rk_sim_context **out_context)
{
    *out_context = depth > 0 ? stack[depth - 1] : NULL;
    return CODE(rk_sim_is_ready(RK_SIM_CUDA) ? RK_SIM_OK : RK_SIM_UNINITIALIZED);
}

RK_SIM_EXPORT(cuCtxPushCurrent_v2, rk_sim_context *context)
{
    rk_sim_result result = context_check(context);
    if (result == RK_SIM_OK && depth == STACK_MAX) {
        result = RK_SIM_INVALID;
    }
    if (result == RK_SIM_OK) {
        stack[depth++] = context;
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuCtxPopCurrent_v2, rk_sim_context **out_context)
{
    if (depth == 0) {
        return CODE(RK_SIM_NO_CONTEXT);
    }
    rk_sim_context *context = stack[--depth];
    if (out_context != NULL) {
        *out_context = context;
    }
    return 0;
}

RK_SIM_EXPORT(cuCtxGetDevice, int *out_index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    *out_index = result == RK_SIM_OK ? (int)device->index : -1;
    return CODE(result);
}

RK_SIM_EXPORT(cuCtxSynchronize, void)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    return CODE(result == RK_SIM_OK ? rk_sim_device_wait(device, "cuCtxSynchronize") : result);
}

RK_SIM_EXPORT(cuCtxEnablePeerAccess, rk_sim_context *peer, unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_current(&device);
    result = result == RK_SIM_OK ? context_check(peer) : result;
    if (result != RK_SIM_OK || flags != 0) {
        return CODE(result != RK_SIM_OK ? result : RK_SIM_INVALID);
    }
    return CODE(rk_sim_peer_enable(device, peer->object.device, "cuCtxEnablePeerAccess"));
}

/* ---- Green contexts ------------------------------------------------------------------------ */

/* CUdevResource: the type, 92 bytes inside, then the numbers of CUdevSmResource. */
typedef struct resource {
    int type; /* 1: multiprocessors */
    unsigned char internal[92];
    unsigned count;
    unsigned minimum;
    unsigned alignment;
} resource;

static unsigned unit_alignment(void)
{
    return rk_sim_config()->units >= 16 ? 8 : 1; /* 8 as on sm_90 */
}

static void resource_fill(resource *out, unsigned count)
{
    out->type = 1;
    out->count = count;
    out->minimum = unit_alignment();
    out->alignment = unit_alignment();
}

RK_SIM_EXPORT(cuDeviceGetDevResource, int index, resource *out_resource, int type)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    if (result == RK_SIM_OK && (rk_sim_config()->nogreen != 0 || rk_sim_config()->zluda != 0)) {
        result = RK_SIM_UNSUPPORTED;
    }
    if (result == RK_SIM_OK && type != 1) {
        result = RK_SIM_INVALID;
    }
    if (result == RK_SIM_OK) {
        resource_fill(out_resource, (unsigned)rk_sim_config()->units);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuDevSmResourceSplitByCount, resource *out_groups, unsigned *groups,
              const resource *input, resource *out_rest, unsigned flags, unsigned minimum)
{
    (void)flags;
    unsigned alignment = unit_alignment();
    if (input == NULL || groups == NULL || input->type != 1 || minimum > input->count) {
        return CODE(RK_SIM_INVALID);
    }
    unsigned size = (RK_MAX(minimum, 1u) + alignment - 1) / alignment * alignment;
    unsigned possible = input->count / size;
    if (out_groups == NULL) {
        *groups = possible;
        return 0;
    }
    *groups = RK_MIN(*groups, possible);
    for (unsigned i = 0; i < *groups; i++) {
        resource_fill((resource *)(void *)((char *)out_groups + (size_t)i * RESOURCE_BYTES), size);
    }
    if (out_rest != NULL) {
        resource_fill(out_rest, input->count - *groups * size);
    }
    return CODE(*groups > 0 ? RK_SIM_OK : RK_SIM_INVALID);
}

/* The description of a green context is its number of multiprocessors, as an opaque handle. */
RK_SIM_EXPORT(cuDevResourceGenerateDesc, void **out_description, resource *resources,
              unsigned count)
{
    if (count != 1 || resources->type != 1 || resources->count == 0) {
        return CODE(RK_SIM_INVALID);
    }
    *out_description = (void *)(uintptr_t)resources->count;
    return 0;
}

RK_SIM_EXPORT(cuGreenCtxCreate, rk_sim_context **out_context, void *description, int index,
              unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_cuda_device(index, &device);
    result = result == RK_SIM_OK && flags != 1 ? RK_SIM_INVALID : result;
    result = result == RK_SIM_OK ? rk_sim_may_wait(device, "cuGreenCtxCreate") : result;
    if (result != RK_SIM_OK) {
        return CODE(result);
    }
    rk_sim_context *context = rk_sim_object_create(device, RK_SIM_CONTEXT, sizeof *context);
    if (context == NULL) {
        return CODE(RK_SIM_NO_MEMORY);
    }
    context->units = (uint32_t)(uintptr_t)description;
    rk_mutex_lock(&device->lock);
    device->retained++;
    rk_mutex_unlock(&device->lock);
    *out_context = context;
    return 0;
}

RK_SIM_EXPORT(cuGreenCtxDestroy, rk_sim_context *context)
{
    rk_sim_result result = rk_sim_object_check(context, RK_SIM_CONTEXT);
    result =
        result == RK_SIM_OK ? rk_sim_may_wait(context->object.device, "cuGreenCtxDestroy") : result;
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&context->object.device->lock);
        context->object.dead = true;
        context->object.device->retained--;
        rk_mutex_unlock(&context->object.device->lock);
    }
    return CODE(result);
}

RK_SIM_EXPORT(cuCtxFromGreenCtx, rk_sim_context **out_context, rk_sim_context *green)
{
    *out_context = green;
    return CODE(context_check(green));
}

RK_SIM_EXPORT(cuGreenCtxStreamCreate, rk_sim_stream **out_stream, rk_sim_context *context,
              unsigned flags, int priority)
{
    (void)priority;
    rk_sim_result result = context_check(context);
    if (result == RK_SIM_OK && flags != STREAM_NON_BLOCKING) {
        result = RK_SIM_INVALID;
    }
    if (result == RK_SIM_OK) {
        result = rk_sim_may_wait(context->object.device, "cuGreenCtxStreamCreate");
    }
    return CODE(result == RK_SIM_OK ? rk_sim_stream_create(context->object.device, false,
                                                           context->units, out_stream)
                                    : result);
}
