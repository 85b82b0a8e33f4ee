/*
 * symbols.h: the one table of what is called in the vendors' libraries, and how it is loaded.
 *
 * The libraries are found at run time: nothing of them is needed to build or to start. Both vendors
 * offer nearly the same calls, and their handles and device pointers have 8 bytes on the systems
 * that this runs on, so one prototype serves both. Names are the versioned ones: in libcuda the
 * bare names are the ABI of old releases (cuMemAlloc takes 32-bit sizes).
 *
 * Source: CUDA Driver API reference (12.8) and cuda.h; HIP API reference (5.2 to 6.3) and
 * hip_runtime_api.h.
 */
#ifndef RK_DRIVERS_GPU_SYMBOLS_H
#define RK_DRIVERS_GPU_SYMBOLS_H

#include <ringkernel/status.h>

typedef int gpu_result; /* CUresult, hipError_t: 0 is success */
typedef uint64_t gpu_ptr;
typedef void *gpu_context;
typedef void *gpu_stream;
typedef void *gpu_module;
typedef void *gpu_function;
typedef void *gpu_green; /* green context: a share of the multiprocessors */

/* CUdevResource: what a green context is made of. */
typedef struct gpu_resource {
    int type; /* 1: multiprocessors */
    unsigned char internal[92];
    unsigned sm_count;
    unsigned sm_min_partition;
    unsigned sm_alignment;
    unsigned char more[36];
    unsigned char spare[64]; /* releases after 13.0 append to it */
} gpu_resource;

/* Who must have a symbol. */
#define GPU_OPTIONAL 0u
#define GPU_CUDA 1u
#define GPU_HIP 2u
#define GPU_BOTH 3u

/* X(member, arguments, CUDA's name, HIP's name, who must have it); all return gpu_result. */
#define GPU_SYMBOLS(X)                                                                             \
    X(init, (unsigned flags), "cuInit", "hipInit", GPU_BOTH)                                       \
    X(driver_version, (int *), "cuDriverGetVersion", "hipDriverGetVersion", GPU_BOTH)              \
    X(error_text, (gpu_result, const char **), "cuGetErrorString", "hipDrvGetErrorString",         \
      GPU_CUDA)                                                                                    \
    X(device_count, (int *), "cuDeviceGetCount", "hipGetDeviceCount", GPU_BOTH)                    \
    X(device_get, (int *out_device, int index), "cuDeviceGet", "hipDeviceGet", GPU_BOTH)           \
    X(device_name, (char *, int bytes, int device), "cuDeviceGetName", "hipDeviceGetName",         \
      GPU_BOTH)                                                                                    \
    X(device_memory, (size_t *, int device), "cuDeviceTotalMem_v2", "hipDeviceTotalMem", GPU_BOTH) \
    X(device_attribute, (int *, int attribute, int device), "cuDeviceGetAttribute",                \
      "hipDeviceGetAttribute", GPU_BOTH)                                                           \
    X(device_bus_id, (char *, int bytes, int device), "cuDeviceGetPCIBusId",                       \
      "hipDeviceGetPCIBusId", GPU_BOTH)                                                            \
    X(device_properties, (void *, int device), NULL, "hipGetDeviceProperties", GPU_OPTIONAL)       \
    X(device_properties_6, (void *, int device), NULL, "hipGetDevicePropertiesR0600",              \
      GPU_OPTIONAL)                                                                                \
    X(context_retain, (gpu_context *, int device), "cuDevicePrimaryCtxRetain", NULL, GPU_CUDA)     \
    X(context_release, (int device), "cuDevicePrimaryCtxRelease_v2", NULL, GPU_CUDA)               \
    X(context_reset, (int device), "cuDevicePrimaryCtxReset_v2", NULL, GPU_CUDA)                   \
    X(context_set, (gpu_context), "cuCtxSetCurrent", NULL, GPU_CUDA)                               \
    X(device_set, (int device), NULL, "hipSetDevice", GPU_HIP)                                     \
    X(device_reset, (void), NULL, "hipDeviceReset", GPU_HIP)                                       \
    X(memory_info, (size_t * free, size_t * total), "cuMemGetInfo_v2", "hipMemGetInfo", GPU_BOTH)  \
    X(memory_alloc, (gpu_ptr *, size_t), "cuMemAlloc_v2", "hipMalloc", GPU_BOTH)                   \
    X(memory_free, (gpu_ptr), "cuMemFree_v2", "hipFree", GPU_BOTH)                                 \
    X(memory_set, (gpu_ptr, unsigned char, size_t, gpu_stream), "cuMemsetD8Async",                 \
      "hipMemsetD8Async", GPU_BOTH)                                                                \
    X(copy_in, (gpu_ptr, const void *, size_t, gpu_stream), "cuMemcpyHtoDAsync_v2",                \
      "hipMemcpyHtoDAsync", GPU_BOTH)                                                              \
    X(copy_out, (void *, gpu_ptr, size_t, gpu_stream), "cuMemcpyDtoHAsync_v2",                     \
      "hipMemcpyDtoHAsync", GPU_BOTH)                                                              \
    X(host_alloc, (void **, size_t, unsigned flags), "cuMemHostAlloc", "hipHostMalloc", GPU_BOTH)  \
    X(host_free, (void *), "cuMemFreeHost", "hipHostFree", GPU_BOTH)                               \
    X(host_pointer, (gpu_ptr *, void *, unsigned flags), "cuMemHostGetDevicePointer_v2",           \
      "hipHostGetDevicePointer", GPU_BOTH)                                                         \
    X(host_register, (void *, size_t, unsigned flags), "cuMemHostRegister_v2", "hipHostRegister",  \
      GPU_OPTIONAL)                                                                                \
    X(host_unregister, (void *), "cuMemHostUnregister", "hipHostUnregister", GPU_OPTIONAL)         \
    X(stream_create, (gpu_stream *, unsigned flags), "cuStreamCreate", "hipStreamCreateWithFlags", \
      GPU_BOTH)                                                                                    \
    X(stream_destroy, (gpu_stream), "cuStreamDestroy_v2", "hipStreamDestroy", GPU_BOTH)            \
    X(stream_query, (gpu_stream), "cuStreamQuery", "hipStreamQuery", GPU_BOTH)                     \
    X(module_load, (gpu_module *, const void *, unsigned, int *, void **), "cuModuleLoadDataEx",   \
      "hipModuleLoadDataEx", GPU_BOTH)                                                             \
    X(module_unload, (gpu_module), "cuModuleUnload", "hipModuleUnload", GPU_BOTH)                  \
    X(module_function, (gpu_function *, gpu_module, const char *), "cuModuleGetFunction",          \
      "hipModuleGetFunction", GPU_BOTH)                                                            \
    X(function_load, (gpu_function), "cuFuncLoad", NULL, GPU_OPTIONAL)                             \
    X(function_attribute, (int *, int attribute, gpu_function), "cuFuncGetAttribute",              \
      "hipFuncGetAttribute", GPU_BOTH)                                                             \
    X(occupancy, (int *, gpu_function, int lanes, size_t shared_bytes, unsigned flags),            \
      "cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags",                                      \
      "hipModuleOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", GPU_BOTH)                     \
    X(launch,                                                                                      \
      (gpu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,                   \
       unsigned shared_bytes, gpu_stream, void **parameters, void **extra),                        \
      "cuLaunchKernel", "hipModuleLaunchKernel", GPU_BOTH)                                         \
    X(launch_cooperative,                                                                          \
      (gpu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,                   \
       unsigned shared_bytes, gpu_stream, void **parameters),                                      \
      "cuLaunchCooperativeKernel", "hipModuleLaunchCooperativeKernel", GPU_OPTIONAL)               \
    X(peer_access, (int *, int device, int peer), "cuDeviceCanAccessPeer",                         \
      "hipDeviceCanAccessPeer", GPU_OPTIONAL)                                                      \
    X(peer_attribute, (int *, int attribute, int device, int peer), "cuDeviceGetP2PAttribute",     \
      "hipDeviceGetP2PAttribute", GPU_OPTIONAL)                                                    \
    X(resource_get, (int device, gpu_resource *, int type), "cuDeviceGetDevResource", NULL,        \
      GPU_OPTIONAL)                                                                                \
    X(resource_split,                                                                              \
      (gpu_resource *, unsigned *count, const gpu_resource *from, gpu_resource *rest,              \
       unsigned flags, unsigned minimum),                                                          \
      "cuDevSmResourceSplitByCount", NULL, GPU_OPTIONAL)                                           \
    X(resource_describe, (void **, gpu_resource *, unsigned count), "cuDevResourceGenerateDesc",   \
      NULL, GPU_OPTIONAL)                                                                          \
    X(green_create, (gpu_green *, void *description, int device, unsigned flags),                  \
      "cuGreenCtxCreate", NULL, GPU_OPTIONAL)                                                      \
    X(green_destroy, (gpu_green), "cuGreenCtxDestroy", NULL, GPU_OPTIONAL)                         \
    X(green_stream, (gpu_stream *, gpu_green, unsigned flags, int priority),                       \
      "cuGreenCtxStreamCreate", NULL, GPU_OPTIONAL)

typedef struct gpu_api {
    void *library;
    char path[512]; /* where the loader found it */
#define GPU_SYMBOL_MEMBER(member, arguments, cuda, hip, need) gpu_result(*member) arguments;
    GPU_SYMBOLS(GPU_SYMBOL_MEMBER)
#undef GPU_SYMBOL_MEMBER
    const char *(*hip_error_text)(gpu_result); /* hipGetErrorString; NULL for CUDA */
    /* Of the test library only, else NULL (drivers/test/README.md). */
    uint32_t (*test_code_kinds)(void);
    uint64_t (*test_address)(uint64_t pointer);
} gpu_api;

/*
 * Opens the first of the libraries (a list that ends with NULL) that exists and fills api.
 * RK_NOT_FOUND when there is none, RK_UNSUPPORTED when symbols that `vendor` (GPU_CUDA or GPU_HIP)
 * must have are missing: then the sentence names the first, and that the driver is too old.
 */
rk_status gpu_api_open(gpu_api *out_api, unsigned vendor, const char *const *libraries,
                       const char *advice, rk_err *err);
void gpu_api_close(gpu_api *api);

#endif
