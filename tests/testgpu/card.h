/*
 * card.h: the test driver in tests: the functions of one vendor by common names, and a kernel that
 * is laid out by hand and launched through them.
 *
 * What is not an int fails the running test when it does not succeed.
 */
#ifndef RK_TESTS_TESTGPU_CARD_H
#define RK_TESTS_TESTGPU_CARD_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/compiler.h"
#include "core/ring.h"
#include "drivers/test/test_gpu.h"
#include "runtime/layout.h"
#include <ringkernel/abi/command.h>
#include <ringkernel/module.h>

/* X(member, arguments, CUDA's name, HIP's name); NULL: the vendor has none. */
#define CARD_CALLS(X)                                                                              \
    X(init, (unsigned), "cuInit", "hipInit")                                                       \
    X(version, (int *), "cuDriverGetVersion", "hipDriverGetVersion")                               \
    X(count, (int *), "cuDeviceGetCount", "hipGetDeviceCount")                                     \
    X(get, (int *, int), "cuDeviceGet", "hipDeviceGet")                                            \
    X(name, (char *, int, int), "cuDeviceGetName", "hipDeviceGetName")                             \
    X(attribute, (int *, int, int), "cuDeviceGetAttribute", "hipDeviceGetAttribute")               \
    X(memory, (size_t *, int), "cuDeviceTotalMem_v2", "hipDeviceTotalMem")                         \
    X(bus_id, (char *, int, int), "cuDeviceGetPCIBusId", "hipDeviceGetPCIBusId")                   \
    X(retain, (void **, int), "cuDevicePrimaryCtxRetain", NULL)                                    \
    X(release, (int), "cuDevicePrimaryCtxRelease_v2", NULL)                                        \
    X(reset_context, (int), "cuDevicePrimaryCtxReset_v2", NULL)                                    \
    X(set_context_flags, (int, unsigned), "cuDevicePrimaryCtxSetFlags_v2", NULL)                   \
    X(set_context, (void *), "cuCtxSetCurrent", NULL)                                              \
    X(push_context, (void *), "cuCtxPushCurrent_v2", NULL)                                         \
    X(pop_context, (void **), "cuCtxPopCurrent_v2", NULL)                                          \
    X(get_context, (void **), "cuCtxGetCurrent", NULL)                                             \
    X(set_device, (int), NULL, "hipSetDevice")                                                     \
    X(reset_device, (void), NULL, "hipDeviceReset")                                                \
    X(synchronize, (void), "cuCtxSynchronize", "hipDeviceSynchronize")                             \
    X(set_flags, (unsigned), "cuCtxSetFlags", "hipSetDeviceFlags")                                 \
    X(memory_info, (size_t *, size_t *), "cuMemGetInfo_v2", "hipMemGetInfo")                       \
    X(alloc, (uint64_t *, size_t), "cuMemAlloc_v2", "hipMalloc")                                   \
    X(free, (uint64_t), "cuMemFree_v2", "hipFree")                                                 \
    X(host_alloc, (void **, size_t, unsigned), "cuMemHostAlloc", "hipHostMalloc")                  \
    X(host_free, (void *), "cuMemFreeHost", "hipHostFree")                                         \
    X(host_register, (void *, size_t, unsigned), "cuMemHostRegister_v2", "hipHostRegister")        \
    X(host_unregister, (void *), "cuMemHostUnregister", "hipHostUnregister")                       \
    X(host_pointer, (uint64_t *, void *, unsigned), "cuMemHostGetDevicePointer_v2",                \
      "hipHostGetDevicePointer")                                                                   \
    X(alloc_async, (uint64_t *, size_t, void *), "cuMemAllocAsync", NULL)                          \
    X(free_async, (uint64_t, void *), "cuMemFreeAsync", NULL)                                      \
    X(copy_in, (uint64_t, const void *, size_t), "cuMemcpyHtoD_v2", "hipMemcpyHtoD")               \
    X(copy_out, (void *, uint64_t, size_t), "cuMemcpyDtoH_v2", "hipMemcpyDtoH")                    \
    X(copy_in_async, (uint64_t, const void *, size_t, void *), "cuMemcpyHtoDAsync_v2",             \
      "hipMemcpyHtoDAsync")                                                                        \
    X(copy_out_async, (void *, uint64_t, size_t, void *), "cuMemcpyDtoHAsync_v2",                  \
      "hipMemcpyDtoHAsync")                                                                        \
    X(copy_async, (uint64_t, uint64_t, size_t, void *), "cuMemcpyDtoDAsync_v2",                    \
      "hipMemcpyDtoDAsync")                                                                        \
    X(set, (uint64_t, unsigned char, size_t), "cuMemsetD8_v2", "hipMemsetD8")                      \
    X(set_async, (uint64_t, unsigned char, size_t, void *), "cuMemsetD8Async", "hipMemsetD8Async") \
    X(stream_create, (void **, unsigned), "cuStreamCreate", "hipStreamCreateWithFlags")            \
    X(stream_destroy, (void *), "cuStreamDestroy_v2", "hipStreamDestroy")                          \
    X(stream_query, (void *), "cuStreamQuery", "hipStreamQuery")                                   \
    X(stream_wait, (void *), "cuStreamSynchronize", "hipStreamSynchronize")                        \
    X(stream_wait_event, (void *, void *, unsigned), "cuStreamWaitEvent", "hipStreamWaitEvent")    \
    X(event_create, (void **, unsigned), "cuEventCreate", "hipEventCreateWithFlags")               \
    X(event_destroy, (void *), "cuEventDestroy_v2", "hipEventDestroy")                             \
    X(event_record, (void *, void *), "cuEventRecord", "hipEventRecord")                           \
    X(event_query, (void *), "cuEventQuery", "hipEventQuery")                                      \
    X(event_wait, (void *), "cuEventSynchronize", "hipEventSynchronize")                           \
    X(event_elapsed, (float *, void *, void *), "cuEventElapsedTime", "hipEventElapsedTime")       \
    X(module_load, (void **, const void *), "cuModuleLoadData", "hipModuleLoadData")               \
    X(module_unload, (void *), "cuModuleUnload", "hipModuleUnload")                                \
    X(module_function, (void **, void *, const char *), "cuModuleGetFunction",                     \
      "hipModuleGetFunction")                                                                      \
    X(function_load, (void *), "cuFuncLoad", NULL)                                                 \
    X(function_attribute, (int *, int, void *), "cuFuncGetAttribute", "hipFuncGetAttribute")       \
    X(occupancy, (int *, void *, int, size_t, unsigned),                                           \
      "cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags",                                      \
      "hipModuleOccupancyMaxActiveBlocksPerMultiprocessorWithFlags")                               \
    X(launch,                                                                                      \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,       \
       void **, void **),                                                                          \
      "cuLaunchKernel", "hipModuleLaunchKernel")                                                   \
    X(launch_cooperative,                                                                          \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,       \
       void **),                                                                                   \
      "cuLaunchCooperativeKernel", "hipModuleLaunchCooperativeKernel")                             \
    X(can_access, (int *, int, int), "cuDeviceCanAccessPeer", "hipDeviceCanAccessPeer")            \
    X(peer_attribute, (int *, int, int, int), "cuDeviceGetP2PAttribute",                           \
      "hipDeviceGetP2PAttribute")                                                                  \
    X(enable_context_peer, (void *, unsigned), "cuCtxEnablePeerAccess", NULL)                      \
    X(enable_peer, (int, unsigned), NULL, "hipDeviceEnablePeerAccess")                             \
    X(error_name, (int, const char **), "cuGetErrorName", NULL)                                    \
    X(error_text, (int, const char **), "cuGetErrorString", "hipDrvGetErrorString")                \
    X(resource_get, (int, void *, int), "cuDeviceGetDevResource", NULL)                            \
    X(resource_split, (void *, unsigned *, const void *, void *, unsigned, unsigned),              \
      "cuDevSmResourceSplitByCount", NULL)                                                         \
    X(resource_describe, (void **, void *, unsigned), "cuDevResourceGenerateDesc", NULL)           \
    X(green_create, (void **, void *, int, unsigned), "cuGreenCtxCreate", NULL)                    \
    X(green_destroy, (void *), "cuGreenCtxDestroy", NULL)                                          \
    X(green_stream, (void **, void *, unsigned, int), "cuGreenCtxStreamCreate", NULL)              \
    X(test_configure, (const char *), "rkTestDriverConfigure", "rkTestDriverConfigure")            \
    X(test_inject, (uint32_t, const char *), "rkTestDriverInject", "rkTestDriverInject")           \
    X(test_missing, (const char *), "rkTestDriverMissing", "rkTestDriverMissing")

typedef struct card {
    bool hip;
#define CARD_MEMBER(member, arguments, cuda, hip) int(*member) arguments;
    CARD_CALLS(CARD_MEMBER)
#undef CARD_MEMBER
    uint64_t (*violations)(void);
    uint64_t (*address)(uint64_t);
    uint32_t (*resident)(uint32_t);
    uint32_t (*code_kinds)(void);
} card;

/* Finds the functions; initialises nothing. NULL where the vendor has no such function. */
card card_library(bool hip);
/* Configures, initialises and makes device 0 current. */
card card_begin(bool hip, const char *options);
/* Makes device `index` current for the calling thread. */
void card_use(const card *c, int index);
/* A symbol of the library, which there must be. */
void *card_symbol(const char *name);
void *card_stream(const card *c);                    /* non-blocking */
uint32_t card_number(const card *c, uint32_t index); /* for rkTestDriver* */

/* The built-in kernel "echo" in memory of the current device. */
typedef struct card_kernel {
    const card *card;
    rk_module *code;
    rk_layout layout;
    uint64_t arena;
    uint8_t *mapped;
    void *module;
    void *function;
    uint32_t blocks;
    uint32_t lanes; /* 0: plain code */
    uint64_t next_id;
    rk_ring_end h2k;
    rk_ring_end k2h;
} card_kernel;

void card_kernel_make(const card *c, card_kernel *kernel, uint32_t blocks, uint32_t lanes);
/* Writes the head of the arena; a launch needs it. */
void card_kernel_lay_out(card_kernel *kernel);
int card_kernel_launch(card_kernel *kernel, void *stream);
int card_kernel_launch_cooperative(card_kernel *kernel, void *stream);
/* Sends a command and waits for its last answer; returns the step in it. */
uint64_t card_kernel_command(card_kernel *kernel, uint32_t type, uint64_t arg);
/* Frees what make took, where the device still lives. */
void card_kernel_drop(card_kernel *kernel);
/* The image of its code, as modules are loaded from. */
const void *card_kernel_image(const card_kernel *kernel);

#endif
