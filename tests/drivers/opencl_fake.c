/*
 * opencl_fake.c: see opencl_fake.h.
 */
#include "drivers/opencl_fake.h"
#include "drivers/opencl/cl.h"

#include <stdlib.h>
#include <string.h>

RK_API extern opencl_fake opencl_fake_settings;
opencl_fake opencl_fake_settings;

#define F opencl_fake_settings

/* Every handle is the address of one of these bytes: nobody looks behind it. */
static char things[80];

/* The prototypes, exported. */
#define EXPORT(name, result, parameters) RK_API result name parameters;
RK_CL_LIST(EXPORT)
#undef EXPORT

static int32_t answer(const void *data, size_t bytes, size_t room, void *to, size_t *out_bytes)
{
    if (out_bytes != NULL) {
        *out_bytes = bytes;
    }
    if (to != NULL) {
        if (room < bytes) {
            return -30;
        }
        memcpy(to, data, bytes);
    }
    return CL_SUCCESS;
}

#define ANSWER(type, value) answer(&(type){value}, sizeof(type), room, to, out_bytes)
#define ANSWER_TEXT(text) answer((text), strlen(text) + 1, room, to, out_bytes)

int32_t clGetPlatformIDs(uint32_t room, cl_platform_id *out_ids, uint32_t *out_count)
{
    if (F.platforms < 0) {
        return F.platforms;
    }
    *out_count = (uint32_t)F.platforms;
    for (uint32_t i = 0; i < *out_count && i < room; i++) {
        out_ids[i] = (cl_platform_id)&things[i];
    }
    return CL_SUCCESS;
}

int32_t clGetPlatformInfo(cl_platform_id id, uint32_t what, size_t room, void *to,
                          size_t *out_bytes)
{
    (void)id;
    return what == CL_PLATFORM_NAME ? ANSWER_TEXT("Fake Platform") : -30;
}

int32_t clGetDeviceIDs(cl_platform_id platform, uint64_t type, uint32_t room, cl_device_id *out_ids,
                       uint32_t *out_count)
{
    (void)type;
    int32_t devices = platform == (cl_platform_id)&things[0] ? F.devices : CL_DEVICE_NOT_FOUND;
    if (devices < 0) {
        return devices;
    }
    *out_count = (uint32_t)devices;
    for (uint32_t i = 0; i < *out_count && i < room; i++) {
        out_ids[i] = (cl_device_id)&things[i];
    }
    return CL_SUCCESS;
}

int32_t clGetDeviceInfo(cl_device_id id, uint32_t what, size_t room, void *to, size_t *out_bytes)
{
    (void)id;
    uint32_t bus[4] = {1, 0x17, 2, 3};
    switch (what) {
    case CL_DEVICE_TYPE: return ANSWER(uint64_t, F.type);
    case CL_DEVICE_VENDOR_ID: return ANSWER(uint32_t, F.vendor);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return ANSWER(uint32_t, F.units);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return ANSWER(size_t, 1024);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: return ANSWER(uint64_t, F.allocation_max);
    case CL_DEVICE_SINGLE_FP_CONFIG: return ANSWER(uint64_t, CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return ANSWER(uint64_t, (uint64_t)8 << 30);
    case CL_DEVICE_LOCAL_MEM_SIZE: return ANSWER(uint64_t, 32768);
    case CL_DEVICE_NAME: return ANSWER_TEXT("  Fake Device");
    case CL_DRIVER_VERSION: return ANSWER_TEXT("7.1");
    case CL_DEVICE_VERSION: return ANSWER_TEXT(F.version);
    case CL_DEVICE_DOUBLE_FP_CONFIG: return ANSWER(uint64_t, F.doubles);
    case CL_DEVICE_SVM_CAPABILITIES: return ANSWER(uint64_t, F.svm);
    case CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES: return ANSWER(uint64_t, F.atomics);
    case CL_DEVICE_PCI_BUS_INFO_KHR:
        return F.pci ? answer(bus, sizeof bus, room, to, out_bytes) : -30;
    default: return -30;
    }
}

static void *made(int32_t error, uint32_t *alive, int32_t *out_code)
{
    *out_code = error;
    if (error != CL_SUCCESS) {
        return NULL;
    }
    ++*alive;
    return &things[0];
}

cl_context clCreateContext(const intptr_t *properties, uint32_t count, const cl_device_id *ids,
                           void (*notify)(const char *, const void *, size_t, void *),
                           void *user_data, int32_t *out_code)
{
    (void)properties;
    (void)count;
    (void)ids;
    (void)notify;
    (void)user_data;
    return made(F.context_error, &F.contexts, out_code);
}

int32_t clReleaseContext(cl_context context)
{
    (void)context;
    F.contexts--;
    return CL_SUCCESS;
}

cl_command_queue clCreateCommandQueueWithProperties(cl_context context, cl_device_id id,
                                                    const uint64_t *properties, int32_t *out_code)
{
    (void)context;
    (void)id;
    (void)properties;
    return made(F.queue_error, &F.queues, out_code);
}

int32_t clReleaseCommandQueue(cl_command_queue queue)
{
    (void)queue;
    F.queues--;
    return CL_SUCCESS;
}

void *clSVMAlloc(cl_context context, uint64_t flags, size_t bytes, uint32_t align)
{
    (void)context;
    (void)flags;
    if (F.no_memory || align > 128) { /* as PoCL 3.1 */
        return NULL;
    }
    F.memories++;
    return malloc(bytes);
}

void clSVMFree(cl_context context, void *memory)
{
    (void)context;
    F.memories--;
    free(memory);
}

cl_mem clCreateBuffer(cl_context context, uint64_t flags, size_t bytes, void *host,
                      int32_t *out_code)
{
    (void)context;
    (void)flags;
    (void)bytes;
    (void)host;
    return made(F.no_memory ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_SUCCESS, &F.memories, out_code);
}

int32_t clReleaseMemObject(cl_mem memory)
{
    (void)memory;
    F.memories--;
    return CL_SUCCESS;
}

cl_program clCreateProgramWithSource(cl_context context, uint32_t count, const char **texts,
                                     const size_t *lengths, int32_t *out_code)
{
    (void)context;
    (void)count;
    (void)texts;
    (void)lengths;
    return made(CL_SUCCESS, &F.programs, out_code);
}

int32_t clBuildProgram(cl_program program, uint32_t count, const cl_device_id *ids,
                       const char *options, void (*notify)(cl_program, void *), void *user_data)
{
    (void)program;
    (void)count;
    (void)ids;
    (void)notify;
    (void)user_data;
    strncpy(F.options, options, sizeof F.options - 1);
    return F.build_error;
}

int32_t clGetProgramBuildInfo(cl_program program, cl_device_id id, uint32_t what, size_t room,
                              void *to, size_t *out_bytes)
{
    (void)program;
    (void)id;
    return what == CL_PROGRAM_BUILD_LOG && F.build_log != NULL ? ANSWER_TEXT(F.build_log) : -30;
}

int32_t clReleaseProgram(cl_program program)
{
    (void)program;
    F.programs--;
    return CL_SUCCESS;
}

cl_kernel clCreateKernel(cl_program program, const char *name, int32_t *out_code)
{
    (void)program;
    (void)name;
    *out_code = CL_SUCCESS;
    return (cl_kernel)&things[0];
}

int32_t clReleaseKernel(cl_kernel kernel)
{
    (void)kernel;
    return CL_SUCCESS;
}

int32_t clGetKernelInfo(cl_kernel kernel, uint32_t what, size_t room, void *to, size_t *out_bytes)
{
    (void)kernel;
    return what == CL_KERNEL_NUM_ARGS ? ANSWER(uint32_t, F.arguments) : -30;
}

int32_t clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id id, uint32_t what, size_t room,
                                 void *to, size_t *out_bytes)
{
    (void)kernel;
    (void)id;
    switch (what) {
    case CL_KERNEL_WORK_GROUP_SIZE: return ANSWER(size_t, 512);
    case CL_KERNEL_LOCAL_MEM_SIZE: return ANSWER(uint64_t, F.local_bytes);
    default: return -30;
    }
}

int32_t clSetKernelArg(cl_kernel kernel, uint32_t index, size_t bytes, const void *value)
{
    (void)kernel;
    (void)index;
    (void)bytes;
    (void)value;
    return CL_SUCCESS;
}

int32_t clSetKernelArgSVMPointer(cl_kernel kernel, uint32_t index, const void *pointer)
{
    (void)kernel;
    (void)index;
    (void)pointer;
    return CL_SUCCESS;
}

int32_t clSetKernelExecInfo(cl_kernel kernel, uint32_t what, size_t bytes, const void *value)
{
    (void)kernel;
    return what == CL_KERNEL_EXEC_INFO_SVM_PTRS && bytes > 0 && value != NULL ? CL_SUCCESS : -30;
}

int32_t clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, uint32_t dimensions,
                               const size_t *offset, const size_t *global, const size_t *local,
                               uint32_t wait_count, const cl_event *wait, cl_event *out_event)
{
    (void)queue;
    (void)kernel;
    (void)dimensions;
    (void)offset;
    (void)global;
    (void)local;
    (void)wait_count;
    (void)wait;
    if (F.skip_launches > 0) {
        F.skip_launches--;
    } else if (F.launch_error != CL_SUCCESS) {
        return F.launch_error;
    }
    if (out_event != NULL) {
        *out_event = (cl_event)&things[0];
    }
    return CL_SUCCESS;
}

int32_t clFlush(cl_command_queue queue)
{
    (void)queue;
    return CL_SUCCESS;
}

int32_t clFinish(cl_command_queue queue)
{
    (void)queue;
    return CL_SUCCESS;
}

int32_t clWaitForEvents(uint32_t count, const cl_event *events)
{
    (void)count;
    (void)events;
    return F.end_error;
}

int32_t clReleaseEvent(cl_event event)
{
    (void)event;
    return CL_SUCCESS;
}
