/*
 * cl.h: the part of OpenCL that the driver uses: types, numbers and functions, declared here so
 * that no vendor header is needed, and loaded at run time.
 *
 * Source of all numbers and prototypes: the OpenCL 3.0 specification (Khronos), whose binary
 * interface they are.
 */
#ifndef RK_DRIVERS_OPENCL_CL_H
#define RK_DRIVERS_OPENCL_CL_H

#include <ringkernel/status.h>

typedef struct cl_platform *cl_platform_id;
typedef struct cl_device *cl_device_id;
typedef struct cl_context_ *cl_context;
typedef struct cl_queue *cl_command_queue;
typedef struct cl_memory *cl_mem;
typedef struct cl_program_ *cl_program;
typedef struct cl_kernel_ *cl_kernel;
typedef struct cl_event_ *cl_event;

#define RK_CL_LIBRARY "libOpenCL.so.1"
#define RK_CL_LIBRARY_ENV "RK_OPENCL_LIBRARY" /* another library instead */

/* Error numbers that the driver tells apart. */
#define CL_SUCCESS 0
#define CL_DEVICE_NOT_FOUND (-1)
#define CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)
#define CL_OUT_OF_RESOURCES (-5)
#define CL_OUT_OF_HOST_MEMORY (-6)
#define CL_PLATFORM_NOT_FOUND_KHR (-1001) /* of the loader: no platform is installed */

/* Device types. */
#define CL_DEVICE_TYPE_CPU ((uint64_t)1 << 1)
#define CL_DEVICE_TYPE_ALL 0xffffffffu

/* What can be asked of a platform. */
#define CL_PLATFORM_NAME 0x0902

/* What can be asked of a device. */
#define CL_DEVICE_TYPE 0x1000
#define CL_DEVICE_VENDOR_ID 0x1001
#define CL_DEVICE_MAX_COMPUTE_UNITS 0x1002
#define CL_DEVICE_MAX_WORK_GROUP_SIZE 0x1004
#define CL_DEVICE_MAX_MEM_ALLOC_SIZE 0x1010
#define CL_DEVICE_SINGLE_FP_CONFIG 0x101B
#define CL_DEVICE_GLOBAL_MEM_SIZE 0x101F
#define CL_DEVICE_LOCAL_MEM_SIZE 0x1023
#define CL_DEVICE_NAME 0x102B
#define CL_DRIVER_VERSION 0x102D
#define CL_DEVICE_VERSION 0x102F
#define CL_DEVICE_DOUBLE_FP_CONFIG 0x1032
#define CL_DEVICE_SVM_CAPABILITIES 0x1053
#define CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES 0x1063
#define CL_DEVICE_PCI_BUS_INFO_KHR 0x410F /* cl_khr_pci_bus_info: four u32 */
#define CL_DEVICE_PCI_BUS_ID_NV 0x4008    /* cl_nv_device_attribute_query */
#define CL_DEVICE_PCI_SLOT_ID_NV 0x4009
#define CL_DEVICE_PCI_DOMAIN_ID_NV 0x400A

#define CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT ((uint64_t)1 << 7)
#define CL_DEVICE_SVM_FINE_GRAIN_BUFFER ((uint64_t)1 << 1)
#define CL_DEVICE_SVM_ATOMICS ((uint64_t)1 << 3)
#define CL_DEVICE_ATOMIC_ORDER_ACQ_REL ((uint64_t)1 << 1)
#define CL_DEVICE_ATOMIC_SCOPE_DEVICE ((uint64_t)1 << 5)

#define CL_MEM_READ_WRITE ((uint64_t)1 << 0)
#define CL_MEM_USE_HOST_PTR ((uint64_t)1 << 3)
#define CL_MEM_SVM_FINE_GRAIN_BUFFER ((uint64_t)1 << 10)
#define CL_MEM_SVM_ATOMICS ((uint64_t)1 << 11)

#define CL_PROGRAM_BUILD_LOG 0x1183
#define CL_KERNEL_NUM_ARGS 0x1191
#define CL_KERNEL_WORK_GROUP_SIZE 0x11B0
#define CL_KERNEL_LOCAL_MEM_SIZE 0x11B2
#define CL_KERNEL_EXEC_INFO_SVM_PTRS 0x11B6

/* X(name, result, parameters): every function that the driver calls. All are of OpenCL 2.0. */
#define RK_CL_LIST(X)                                                                              \
    X(clGetPlatformIDs, int32_t, (uint32_t, cl_platform_id *, uint32_t *))                         \
    X(clGetPlatformInfo, int32_t, (cl_platform_id, uint32_t, size_t, void *, size_t *))            \
    X(clGetDeviceIDs, int32_t, (cl_platform_id, uint64_t, uint32_t, cl_device_id *, uint32_t *))   \
    X(clGetDeviceInfo, int32_t, (cl_device_id, uint32_t, size_t, void *, size_t *))                \
    X(clCreateContext, cl_context,                                                                 \
      (const intptr_t *, uint32_t, const cl_device_id *,                                           \
       void (*)(const char *, const void *, size_t, void *), void *, int32_t *))                   \
    X(clReleaseContext, int32_t, (cl_context))                                                     \
    X(clCreateCommandQueueWithProperties, cl_command_queue,                                        \
      (cl_context, cl_device_id, const uint64_t *, int32_t *))                                     \
    X(clReleaseCommandQueue, int32_t, (cl_command_queue))                                          \
    X(clSVMAlloc, void *, (cl_context, uint64_t, size_t, uint32_t))                                \
    X(clSVMFree, void, (cl_context, void *))                                                       \
    X(clCreateBuffer, cl_mem, (cl_context, uint64_t, size_t, void *, int32_t *))                   \
    X(clReleaseMemObject, int32_t, (cl_mem))                                                       \
    X(clCreateProgramWithSource, cl_program,                                                       \
      (cl_context, uint32_t, const char **, const size_t *, int32_t *))                            \
    X(clBuildProgram, int32_t,                                                                     \
      (cl_program, uint32_t, const cl_device_id *, const char *, void (*)(cl_program, void *),     \
       void *))                                                                                    \
    X(clGetProgramBuildInfo, int32_t,                                                              \
      (cl_program, cl_device_id, uint32_t, size_t, void *, size_t *))                              \
    X(clReleaseProgram, int32_t, (cl_program))                                                     \
    X(clCreateKernel, cl_kernel, (cl_program, const char *, int32_t *))                            \
    X(clReleaseKernel, int32_t, (cl_kernel))                                                       \
    X(clGetKernelInfo, int32_t, (cl_kernel, uint32_t, size_t, void *, size_t *))                   \
    X(clGetKernelWorkGroupInfo, int32_t,                                                           \
      (cl_kernel, cl_device_id, uint32_t, size_t, void *, size_t *))                               \
    X(clSetKernelArg, int32_t, (cl_kernel, uint32_t, size_t, const void *))                        \
    X(clSetKernelArgSVMPointer, int32_t, (cl_kernel, uint32_t, const void *))                      \
    X(clSetKernelExecInfo, int32_t, (cl_kernel, uint32_t, size_t, const void *))                   \
    X(clEnqueueNDRangeKernel, int32_t,                                                             \
      (cl_command_queue, cl_kernel, uint32_t, const size_t *, const size_t *, const size_t *,      \
       uint32_t, const cl_event *, cl_event *))                                                    \
    X(clFlush, int32_t, (cl_command_queue))                                                        \
    X(clFinish, int32_t, (cl_command_queue))                                                       \
    X(clWaitForEvents, int32_t, (uint32_t, const cl_event *))                                      \
    X(clReleaseEvent, int32_t, (cl_event))

/* A loaded OpenCL library. Lives as long as the process: vendors' libraries do not like to go. */
typedef struct rk_cl {
#define RK_CL_MEMBER(name, result, parameters) result(*name) parameters;
    RK_CL_LIST(RK_CL_MEMBER)
#undef RK_CL_MEMBER
} rk_cl;

/*
 * The library that RK_OPENCL_LIBRARY or the system names; loaded by the first call. Any thread.
 * RK_NOT_FOUND when it cannot be loaded, RK_UNSUPPORTED when it lacks a function.
 */
rk_status rk_cl_load(const rk_cl **out_cl, rk_err *err);

/* The name of an error number: "CL_OUT_OF_RESOURCES"; never NULL. */
const char *rk_cl_error_name(int32_t code);

/* Maps an error number to a status. */
rk_status rk_cl_status(int32_t code);

#endif
