/*
 * hip.c: the HIP API: initialisation, devices, memory.
 *
 * Source: HIP API reference and hip_runtime_api.h (ROCm 5.2.3).
 */
#include "drivers/test/hip.h"
#include "drivers/test/facts.h"
#include <stdio.h>
#include <string.h>

#define CODE(result) rk_sim_hip_code(result)
#define HOST_NON_COHERENT 0x80000000u
#define HOST_COHERENT 0x40000000u

static RK_THREAD_LOCAL int current;

rk_sim_result rk_sim_hip_device(int index, rk_sim_device **out_device)
{
    rk_sim_result result = rk_sim_init(RK_SIM_HIP);
    if (result != RK_SIM_OK) {
        return result;
    }
    *out_device = rk_sim_device_at(RK_SIM_HIP, index);
    return *out_device != NULL ? RK_SIM_OK : RK_SIM_NO_SUCH_DEVICE;
}

rk_sim_result rk_sim_hip_current(rk_sim_device **out_device)
{
    rk_sim_result result = rk_sim_hip_device(current, out_device);
    return result == RK_SIM_OK ? rk_sim_health(*out_device) : result;
}

rk_sim_result rk_sim_hip_idle(const char *call, rk_sim_device **out_device)
{
    rk_sim_result result = rk_sim_hip_current(out_device);
    return result == RK_SIM_OK ? rk_sim_may_wait(*out_device, call) : result;
}

/* ---- Library and devices ------------------------------------------------------------------- */

RK_SIM_EXPORT(hipInit, unsigned flags)
{
    return CODE(flags != 0 ? RK_SIM_INVALID : rk_sim_init(RK_SIM_HIP));
}

RK_SIM_EXPORT(hipDriverGetVersion, int *out_version)
{
    *out_version = (int)rk_sim_config()->hip_version;
    return CODE(rk_sim_init(RK_SIM_HIP));
}

RK_SIM_EXPORT(hipRuntimeGetVersion, int *out_version)
{
    return hipDriverGetVersion(out_version);
}

RK_API const char *hipGetErrorString(int code);
RK_API const char *hipGetErrorString(int code)
{
    const char *text = rk_sim_hip_text(code);
    return text != NULL ? text : "unknown error";
}

RK_API const char *hipGetErrorName(int code);
RK_API const char *hipGetErrorName(int code)
{
    const char *name = rk_sim_hip_name(code);
    return name != NULL ? name : "hipErrorUnknown";
}

RK_SIM_EXPORT(hipDrvGetErrorString, int code, const char **out_text)
{
    *out_text = rk_sim_hip_text(code);
    return CODE(*out_text != NULL ? RK_SIM_OK : RK_SIM_INVALID);
}

RK_SIM_EXPORT(hipGetDeviceCount, int *out_count)
{
    rk_sim_result result = rk_sim_init(RK_SIM_HIP);
    *out_count = result == RK_SIM_OK ? (int)rk_sim_config()->devices : 0;
    return CODE(result);
}

RK_SIM_EXPORT(hipDeviceGet, int *out_device, int index)
{
    rk_sim_device *device = NULL;
    *out_device = index;
    return CODE(rk_sim_hip_device(index, &device));
}

RK_SIM_EXPORT(hipSetDevice, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(index, &device);
    current = result == RK_SIM_OK ? index : current;
    return CODE(result);
}

RK_SIM_EXPORT(hipGetDevice, int *out_index)
{
    *out_index = current;
    return CODE(rk_sim_init(RK_SIM_HIP));
}

RK_SIM_EXPORT(hipDeviceGetName, char *out_name, int bytes, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(index, &device);
    if (result == RK_SIM_OK) {
        (void)snprintf(out_name, (size_t)bytes, "%s", rk_sim_device_name(device));
    }
    return CODE(result);
}

RK_SIM_EXPORT(hipDeviceGetAttribute, int *out_value, int attribute, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(index, &device);
    return CODE(result == RK_SIM_OK ? rk_sim_fact(device, attribute, out_value) : result);
}

/*
 * hipDeviceProp_t differs between releases. What is told here is the name, and the architecture
 * where the release has it; the rest of the structure stays zero.
 */
static int properties(char *out, int index, size_t bytes, size_t arch_at)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(index, &device);
    if (result == RK_SIM_OK) {
        memset(out, 0, bytes);
        (void)snprintf(out, 256, "%s", rk_sim_device_name(device));
        (void)snprintf(out + arch_at, 256, "gfx%llx:sramecc+:xnack-",
                       (unsigned long long)rk_sim_config()->gfx);
    }
    return CODE(result);
}

#define PROPERTIES_BYTES_5 792u
#define PROPERTIES_ARCH_AT_5 396u
#define PROPERTIES_BYTES_6 1472u
#define PROPERTIES_ARCH_AT_6 1160u

RK_SIM_EXPORT(hipGetDeviceProperties, void *out_properties, int index)
{
    return properties(out_properties, index, PROPERTIES_BYTES_5, PROPERTIES_ARCH_AT_5);
}

RK_SIM_EXPORT(hipGetDevicePropertiesR0600, void *out_properties, int index)
{
    return properties(out_properties, index, PROPERTIES_BYTES_6, PROPERTIES_ARCH_AT_6);
}

RK_SIM_EXPORT(hipDeviceTotalMem, size_t *out_bytes, int index)
{
    rk_sim_device *device = NULL;
    *out_bytes = rk_sim_config()->memory_bytes;
    return CODE(rk_sim_hip_device(index, &device));
}

RK_SIM_EXPORT(hipDeviceGetPCIBusId, char *out_text, int bytes, int index)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(index, &device);
    if (result == RK_SIM_OK) {
        (void)snprintf(out_text, (size_t)bytes, "0000:%02x:00.0", rk_sim_bus(device));
    }
    return CODE(result);
}

static rk_sim_result pair(int index, int peer, rk_sim_device **out_device, rk_sim_device **out_peer)
{
    rk_sim_result result = rk_sim_hip_device(index, out_device);
    return result == RK_SIM_OK ? rk_sim_hip_device(peer, out_peer) : result;
}

RK_SIM_EXPORT(hipDeviceCanAccessPeer, int *out_can, int index, int peer)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = pair(index, peer, &device, &other);
    *out_can = result == RK_SIM_OK && rk_sim_can_reach(device, other);
    return CODE(result);
}

RK_SIM_EXPORT(hipDeviceGetP2PAttribute, int *out_value, int attribute, int from, int to)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = pair(from, to, &device, &other);
    return CODE(result == RK_SIM_OK ? rk_sim_peer_fact(device, other, attribute, out_value)
                                    : result);
}

/* HSA_AMD_LINK_INFO_TYPE: 2 PCIe, 4 XGMI. */
RK_SIM_EXPORT(hipExtGetLinkTypeAndHopCount, int from, int to, uint32_t *out_type,
              uint32_t *out_hops)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = pair(from, to, &device, &other);
    bool direct = rk_sim_config()->link > RK_SIM_LINK_PCIE;
    *out_type = direct ? 4 : 2;
    *out_hops = direct ? 1 : 2;
    return CODE(result == RK_SIM_OK && device == other ? RK_SIM_INVALID : result);
}

RK_SIM_EXPORT(hipDeviceEnablePeerAccess, int peer, unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_device *other = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    result = result == RK_SIM_OK ? rk_sim_hip_device(peer, &other) : result;
    if (result == RK_SIM_OK && flags != 0) {
        result = RK_SIM_INVALID;
    }
    return CODE(result == RK_SIM_OK ? rk_sim_peer_enable(device, other, "hipDeviceEnablePeerAccess")
                                    : result);
}

RK_SIM_EXPORT(hipDeviceSynchronize, void)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    return CODE(result == RK_SIM_OK ? rk_sim_device_wait(device, "hipDeviceSynchronize") : result);
}

RK_SIM_EXPORT(hipDeviceReset, void)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_device(current, &device);
    result = result == RK_SIM_OK ? rk_sim_may_wait(device, "hipDeviceReset") : result;
    return CODE(result == RK_SIM_OK ? rk_sim_reset(device) : result);
}

RK_SIM_EXPORT(hipSetDeviceFlags, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    return CODE(rk_sim_hip_idle("hipSetDeviceFlags", &device));
}

/* ---- Memory ------------------------------------------------------------------------------ */

static int allocate(const char *call, rk_sim_memory_kind kind, size_t bytes, uint32_t flags,
                    void **out_pointer)
{
    rk_sim_device *device = NULL;
    uint64_t address = 0;
    rk_sim_result result = rk_sim_hip_idle(call, &device);
    if (result == RK_SIM_OK) {
        result = rk_sim_memory_alloc(device, kind, bytes, flags, &address);
    }
    *out_pointer = (void *)(uintptr_t)address;
    return CODE(result);
}

static int release(const char *call, rk_sim_memory_kind kind, const void *pointer)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_idle(call, &device);
    return CODE(result == RK_SIM_OK ? rk_sim_memory_free(device, kind, (uint64_t)(uintptr_t)pointer)
                                    : result);
}

RK_SIM_EXPORT(hipMalloc, void **out_pointer, size_t bytes)
{
    return allocate("hipMalloc", RK_SIM_DEVICE_MEMORY, bytes, 0, out_pointer);
}

/* flags: 1 fine-grained, 2 signal memory, 3 uncached */
RK_SIM_EXPORT(hipExtMallocWithFlags, void **out_pointer, size_t bytes, unsigned flags)
{
    *out_pointer = NULL;
    return flags > 3 ? CODE(RK_SIM_INVALID)
                     : allocate("hipExtMallocWithFlags", RK_SIM_DEVICE_MEMORY, bytes,
                                (flags & 1) != 0 ? RK_SIM_FINE : 0, out_pointer);
}

RK_SIM_EXPORT(hipFree, void *pointer)
{
    return pointer == NULL ? 0 : release("hipFree", RK_SIM_DEVICE_MEMORY, pointer);
}

RK_SIM_EXPORT(hipHostMalloc, void **out_pointer, size_t bytes, unsigned flags)
{
    *out_pointer = NULL;
    if ((flags & HOST_COHERENT) != 0 && (flags & HOST_NON_COHERENT) != 0) {
        return CODE(RK_SIM_INVALID);
    }
    return allocate("hipHostMalloc", RK_SIM_HOST_MEMORY, bytes,
                    (flags & HOST_COHERENT) != 0 ? RK_SIM_COHERENT : 0, out_pointer);
}

RK_SIM_EXPORT(hipHostFree, void *pointer)
{
    return pointer == NULL ? 0 : release("hipHostFree", RK_SIM_HOST_MEMORY, pointer);
}

RK_SIM_EXPORT(hipHostRegister, void *pointer, size_t bytes, unsigned flags)
{
    rk_sim_device *device = NULL;
    (void)flags;
    rk_sim_result result = rk_sim_hip_idle("hipHostRegister", &device);
    return CODE(result == RK_SIM_OK ? rk_sim_memory_register(device, pointer, bytes) : result);
}

RK_SIM_EXPORT(hipHostUnregister, void *pointer)
{
    return release("hipHostUnregister", RK_SIM_REGISTERED, pointer);
}

RK_SIM_EXPORT(hipHostGetDevicePointer, void **out_pointer, void *host, unsigned flags)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    if (result == RK_SIM_OK && (flags != 0 || !rk_sim_memory_pinned(host, 1, NULL))) {
        result = RK_SIM_INVALID;
    }
    *out_pointer = result == RK_SIM_OK ? host : NULL;
    return CODE(result);
}

RK_SIM_EXPORT(hipMemGetInfo, size_t *out_free, size_t *out_total)
{
    rk_sim_device *device = NULL;
    rk_sim_result result = rk_sim_hip_current(&device);
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        *out_total = rk_sim_config()->memory_bytes;
        *out_free = *out_total - device->memory_used;
        rk_mutex_unlock(&device->lock);
    }
    return CODE(result);
}
