/*
 * result.h: what a call of the test driver ends in, and the numbers that each vendor gives it.
 *
 * Sources: cuda.h of CUDA 13.0 (CUresult), hip_runtime_api.h of ROCm 5.2.3 (hipError_t).
 */
#ifndef RK_DRIVERS_TEST_RESULT_H
#define RK_DRIVERS_TEST_RESULT_H

/* X(symbol, CUresult, its name, hipError_t, its name, text) */
#define RK_SIM_RESULT_LIST(X)                                                                      \
    X(OK, 0, "CUDA_SUCCESS", 0, "hipSuccess", "no error")                                          \
    X(INVALID, 1, "CUDA_ERROR_INVALID_VALUE", 1, "hipErrorInvalidValue", "invalid argument")       \
    X(NO_MEMORY, 2, "CUDA_ERROR_OUT_OF_MEMORY", 2, "hipErrorOutOfMemory", "out of memory")         \
    X(UNINITIALIZED, 3, "CUDA_ERROR_NOT_INITIALIZED", 3, "hipErrorNotInitialized",                 \
      "initialization error")                                                                      \
    X(NO_DEVICE, 100, "CUDA_ERROR_NO_DEVICE", 100, "hipErrorNoDevice",                             \
      "no capable device is detected")                                                             \
    X(UNAVAILABLE, 46, "CUDA_ERROR_DEVICE_UNAVAILABLE", 100, "hipErrorNoDevice",                   \
      "the device is busy or unavailable")                                                         \
    X(NO_SUCH_DEVICE, 101, "CUDA_ERROR_INVALID_DEVICE", 101, "hipErrorInvalidDevice",              \
      "invalid device ordinal")                                                                    \
    X(BAD_IMAGE, 200, "CUDA_ERROR_INVALID_IMAGE", 200, "hipErrorInvalidImage",                     \
      "device kernel image is invalid")                                                            \
    X(NO_CONTEXT, 201, "CUDA_ERROR_INVALID_CONTEXT", 201, "hipErrorInvalidContext",                \
      "invalid device context")                                                                    \
    X(NO_BINARY, 209, "CUDA_ERROR_NO_BINARY_FOR_GPU", 209, "hipErrorNoBinaryForGpu",               \
      "no kernel image is available for execution on the device")                                  \
    X(NO_PEER, 217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", 217, "hipErrorPeerAccessUnsupported",    \
      "peer access is not supported between these two devices")                                    \
    X(SYSTEM, 304, "CUDA_ERROR_OPERATING_SYSTEM", 304, "hipErrorOperatingSystem",                  \
      "OS call failed or operation not supported on this OS")                                      \
    X(BAD_HANDLE, 400, "CUDA_ERROR_INVALID_HANDLE", 400, "hipErrorInvalidHandle",                  \
      "invalid resource handle")                                                                   \
    X(NOT_FOUND, 500, "CUDA_ERROR_NOT_FOUND", 500, "hipErrorNotFound", "named symbol not found")   \
    X(NOT_READY, 600, "CUDA_ERROR_NOT_READY", 600, "hipErrorNotReady", "device not ready")         \
    X(BAD_ADDRESS, 700, "CUDA_ERROR_ILLEGAL_ADDRESS", 700, "hipErrorIllegalAddress",               \
      "an illegal memory access was encountered")                                                  \
    X(NO_RESOURCES, 701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", 701,                                \
      "hipErrorLaunchOutOfResources", "too many resources requested for launch")                   \
    X(PEER_ENABLED, 704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", 704,                            \
      "hipErrorPeerAccessAlreadyEnabled", "peer access is already enabled")                        \
    X(PRIMARY_ACTIVE, 708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", 708, "hipErrorSetOnActiveProcess", \
      "cannot set while device is active in this process")                                         \
    X(DESTROYED, 709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", 709, "hipErrorContextIsDestroyed",        \
      "context is destroyed")                                                                      \
    X(REGISTERED_ALREADY, 712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", 712,                   \
      "hipErrorHostMemoryAlreadyRegistered",                                                       \
      "part or all of the requested memory range is already mapped")                               \
    X(NOT_REGISTERED, 713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", 713,                           \
      "hipErrorHostMemoryNotRegistered",                                                           \
      "pointer does not correspond to a registered memory region")                                 \
    X(LOST, 719, "CUDA_ERROR_LAUNCH_FAILED", 719, "hipErrorLaunchFailure",                         \
      "unspecified launch failure")                                                                \
    X(TOO_LARGE, 720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", 720,                              \
      "hipErrorCooperativeLaunchTooLarge", "too many blocks in cooperative launch")                \
    X(PERMISSION, 800, "CUDA_ERROR_NOT_PERMITTED", 304, "hipErrorOperatingSystem",                 \
      "operation not permitted")                                                                   \
    X(UNSUPPORTED, 801, "CUDA_ERROR_NOT_SUPPORTED", 801, "hipErrorNotSupported",                   \
      "operation not supported")                                                                   \
    X(WOULD_WAIT, 999, "CUDA_ERROR_UNKNOWN", 999, "hipErrorUnknown",                               \
      "test driver: this call may wait for the kernel that is resident")

typedef enum rk_sim_result {
#define RK_SIM_RESULT_ENUM(symbol, cuda, cuda_name, hip, hip_name, text) RK_SIM_##symbol,
    RK_SIM_RESULT_LIST(RK_SIM_RESULT_ENUM)
#undef RK_SIM_RESULT_ENUM
        RK_SIM_RESULT_COUNT
} rk_sim_result;

int rk_sim_cuda_code(rk_sim_result result);
int rk_sim_hip_code(rk_sim_result result);

/* Of a vendor's number; NULL if it has none of that number. */
const char *rk_sim_cuda_name(int code);
const char *rk_sim_hip_name(int code);
const char *rk_sim_cuda_text(int code);
const char *rk_sim_hip_text(int code);

#endif
