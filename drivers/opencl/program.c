/*
 * program.c: OpenCL C text becomes code. All that a launch could still have to compile is compiled
 * at load: PoCL makes the final code of a kernel when it first runs with a work-group size (about
 * half a second), so a load ends with a launch that leaves at once.
 */
#include "drivers/opencl/opencl.h"

#include "abi/word.h"
#include "base/str.h"
#include <ringkernel/abi/control.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_ARGUMENTS 3u
#define LOG_MAX ((size_t)1 << 20)

/* The line of a build log that says what is wrong; the whole of it if none does. */
static void log_line(const char *log, const char **out_line, int *out_length)
{
    const char *at = strstr(log, "error");
    if (at == NULL) {
        at = log + strspn(log, " \t\r\n");
    }
    while (at > log && at[-1] != '\n') {
        at--;
    }
    size_t length = strcspn(at, "\r\n");
    *out_line = at;
    *out_length = length > 300 ? 300 : (int)length;
}

static rk_status build_failed(rk_device *device, cl_program program, int32_t code, rk_err *err)
{
    const rk_cl *cl = device->cl;
    size_t bytes = 0;
    char *log = NULL;
    int32_t got =
        cl->clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    if (got == CL_SUCCESS && bytes > 1 && bytes <= LOG_MAX) {
        log = calloc(1, bytes + 1);
    }
    if (log == NULL || cl->clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, bytes,
                                                 log, NULL) != CL_SUCCESS) {
        free(log);
        return rk_err_set(err, RK_COMPILE, "the OpenCL compiler of %s fails (%s) and says nothing",
                          device->caps.name, rk_cl_error_name(code));
    }
    const char *line;
    int length;
    log_line(log, &line, &length);
    rk_status status = rk_err_set(err, RK_COMPILE, "the OpenCL compiler of %s says: %.*s",
                                  device->caps.name, length, line);
    free(log);
    return status;
}

rk_status rk_cl_program_build(rk_device *device, const char *text, const char *options,
                              const char *entry, cl_program *out_program, cl_kernel *out_kernel,
                              rk_err *err)
{
    const rk_cl *cl = device->cl;
    int32_t code = 0;
    size_t bytes = strlen(text);
    char all[2 * RK_CL_OPTION_BYTES];
    (void)snprintf(all, sizeof all, "%s%s", device->options, options);
    cl_program program = cl->clCreateProgramWithSource(device->context, 1, &text, &bytes, &code);
    if (program == NULL) {
        return rk_err_set(err, rk_cl_status(code), "%s refuses the source of a kernel: %s",
                          device->caps.name, rk_cl_error_name(code));
    }
    code = cl->clBuildProgram(program, 1, &device->id, all, NULL, NULL);
    rk_status status = code == CL_SUCCESS ? RK_OK : build_failed(device, program, code, err);
    cl_kernel kernel = NULL;
    if (status == RK_OK) {
        kernel = cl->clCreateKernel(program, entry, &code);
        if (kernel == NULL) {
            status = rk_err_set(err, RK_CORRUPT, "the OpenCL code has no kernel '%s' (%s)", entry,
                                rk_cl_error_name(code));
        }
    }
    if (status != RK_OK) {
        (void)cl->clReleaseProgram(program);
        return status;
    }
    *out_program = program;
    *out_kernel = kernel;
    return RK_OK;
}

static int32_t set_argument(rk_device *device, cl_kernel kernel, uint32_t index,
                            const rk_cl_memory *memory)
{
    const rk_cl *cl = device->cl;
    if (memory == NULL) {
        return cl->clSetKernelArg(kernel, index, sizeof(cl_mem), NULL); /* a null pointer */
    }
    if (memory->buffer != NULL) {
        return cl->clSetKernelArg(kernel, index, sizeof memory->buffer, &memory->buffer);
    }
    return cl->clSetKernelArgSVMPointer(kernel, index, memory->host);
}

/* Kernels reach each other's memory through routes: the device must know of all of it. */
static int32_t announce(rk_device *device, cl_kernel kernel)
{
    size_t count = 0;
    for (const rk_cl_memory *m = device->memories; m != NULL; m = m->next) {
        count++;
    }
    void **all = calloc(count + 1, sizeof *all);
    if (all == NULL) {
        return CL_OUT_OF_HOST_MEMORY;
    }
    size_t i = 0;
    for (const rk_cl_memory *m = device->memories; m != NULL; m = m->next) {
        all[i++] = m->base;
    }
    int32_t code = device->cl->clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS,
                                                   count * sizeof *all, all);
    free(all);
    return code;
}

int32_t rk_cl_enqueue(rk_device *device, cl_command_queue queue, cl_kernel kernel,
                      const rk_cl_memory *arena, const rk_cl_memory *mapped,
                      const rk_cl_memory *old, uint32_t blocks, uint32_t lanes, cl_event *event)
{
    const rk_cl *cl = device->cl;
    size_t local = lanes;
    size_t global = (size_t)blocks * lanes;
    int32_t code = set_argument(device, kernel, 0, arena);
    if (code == CL_SUCCESS) {
        code = set_argument(device, kernel, 1, mapped);
    }
    if (code == CL_SUCCESS) {
        code = set_argument(device, kernel, 2, old);
    }
    if (code == CL_SUCCESS && device->svm_flags != 0 && !device->processor) {
        code = announce(device, kernel);
    }
    if (code == CL_SUCCESS) {
        code = cl->clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, event);
    }
    return code == CL_SUCCESS ? cl->clFlush(queue) : code;
}

/* A launch of one block that has failed already: it leaves at its first barrier. */
static rk_status warm_up(rk_device *device, rk_cl_build *build, uint32_t lanes, rk_err *err)
{
    uint32_t queue;
    if (rk_cl_units_take(device, "warm-up", 1, &queue, NULL) != RK_OK) {
        return RK_OK; /* no unit is free: the launch will find none either */
    }
    rk_control *control = (rk_control *)device->scratch_mapped->host;
    rk_loop *loop = (rk_loop *)device->scratch_arena->host;
    rk_mutex_lock(&device->lock);
    memset(control, 0, RK_CL_SCRATCH_BYTES);
    memset(loop, 0, RK_CL_SCRATCH_BYTES);
    control->entry = RK_ENTRY_RESUME;
    control->block_count = 1;
    memcpy((uint8_t *)loop + sizeof *loop, control, sizeof *control);
    rk_word_store_release(&loop->failed, 1);
    int32_t code =
        rk_cl_enqueue(device, device->queues[queue], build->kernel, device->scratch_arena,
                      device->scratch_mapped, NULL, 1, lanes, NULL);
    rk_mutex_unlock(&device->lock);
    if (code == CL_SUCCESS) {
        code = device->cl->clFinish(device->queues[queue]);
    }
    rk_cl_units_give(device, 1, queue);
    if (code != CL_SUCCESS) {
        return rk_err_set(err, rk_cl_status(code), "%s cannot run the kernel: %s",
                          device->caps.name, rk_cl_error_name(code));
    }
    build->warm_lanes = lanes;
    return RK_OK;
}

/* What the kernel needs, against what the device has. */
static rk_status check_kernel(rk_device *device, rk_cl_build *build, rk_err *err)
{
    const rk_cl *cl = device->cl;
    uint32_t arguments = 0;
    size_t lanes = 0;
    uint64_t local = 0;
    int32_t got =
        cl->clGetKernelInfo(build->kernel, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, NULL);
    if (got == CL_SUCCESS) {
        got = cl->clGetKernelWorkGroupInfo(build->kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE,
                                           sizeof lanes, &lanes, NULL);
    }
    if (got == CL_SUCCESS) {
        got = cl->clGetKernelWorkGroupInfo(build->kernel, device->id, CL_KERNEL_LOCAL_MEM_SIZE,
                                           sizeof local, &local, NULL);
    }
    if (got != CL_SUCCESS) {
        return rk_err_set(err, rk_cl_status(got), "%s does not describe the kernel: %s",
                          device->caps.name, rk_cl_error_name(got));
    }
    if (arguments != ENTRY_ARGUMENTS) {
        return rk_err_set(err, RK_VERSION,
                          "the kernel takes %u arguments instead of %u: it was built for another "
                          "version of RingKernel; build it again with 'rk build'",
                          arguments, ENTRY_ARGUMENTS);
    }
    if (local > device->local_bytes) {
        return rk_err_set(
            err, RK_LIMIT, "the kernel needs %llu bytes of shared memory per block, %s has %llu",
            (unsigned long long)local, device->caps.name, (unsigned long long)device->local_bytes);
    }
    build->max_lanes = RK_MIN((uint64_t)lanes, device->caps.max_lanes);
    return RK_OK;
}

static void build_finish(rk_device *device, rk_cl_build *build)
{
    if (build->program != NULL) {
        (void)device->cl->clReleaseKernel(build->kernel); /* its last launch has left */
        (void)device->cl->clReleaseProgram(build->program);
        *build = (rk_cl_build){0};
    }
}

static rk_status make_build(rk_device *device, rk_code *code, rk_cl_build *build, rk_err *err)
{
    rk_status status =
        rk_cl_program_build(device, code->text, build == &code->one_lane ? " -DRK_ONE_LANE=1" : "",
                            "rk_module_entry", &build->program, &build->kernel, err);
    if (status == RK_OK) {
        status = check_kernel(device, build, err);
        if (status != RK_OK) {
            build_finish(device, build);
        }
    }
    return status;
}

rk_status rk_cl_code_kernel(rk_device *device, rk_code *code, uint32_t lanes, cl_kernel *out_kernel,
                            rk_err *err)
{
    rk_cl_build *build = lanes == 1 ? &code->one_lane : &code->many_lanes;
    rk_status status = RK_OK;
    rk_mutex_lock(&code->lock);
    if (build->program == NULL) {
        status = make_build(device, code, build, err);
    }
    if (status == RK_OK && lanes > build->max_lanes) {
        status = rk_err_set(err, RK_LIMIT, "it asks for %u lanes per block; on %s it can have %llu",
                            lanes, device->caps.name, (unsigned long long)build->max_lanes);
    }
    if (status == RK_OK && build->warm_lanes != lanes) {
        status = warm_up(device, build, lanes, err);
    }
    if (status == RK_OK) {
        *out_kernel = build->kernel;
    }
    rk_mutex_unlock(&code->lock);
    return status;
}

rk_status rk_cl_code_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                          rk_code **out_code, rk_err *err)
{
    if (kind != RK_CODE_OPENCL) {
        return rk_err_set(err, RK_UNSUPPORTED, "%s takes OpenCL source only", device->caps.name);
    }
    const char *text = image;
    size_t length = bytes > 0 ? strnlen(text, bytes) : 0;
    if (length == 0 || length + 1 != bytes) {
        return rk_err_set(err, RK_CORRUPT, "the OpenCL source is empty or does not end in a NUL");
    }
    rk_code *code = calloc(1, sizeof *code);
    if (code != NULL) {
        rk_mutex_init(&code->lock);
        code->text = strdup(text);
    }
    rk_status status = RK_OK;
    if (code == NULL || code->text == NULL) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory to load a kernel");
    }
    cl_kernel kernel;
    if (status == RK_OK) {
        status = rk_cl_code_kernel(device, code, device->caps.default_lanes, &kernel, err);
    }
    if (status != RK_OK) {
        rk_cl_code_unload(device, code);
        return status;
    }
    *out_code = code;
    return RK_OK;
}

void rk_cl_code_unload(rk_device *device, rk_code *code)
{
    if (code == NULL) {
        return;
    }
    build_finish(device, &code->one_lane);
    build_finish(device, &code->many_lanes);
    rk_mutex_finish(&code->lock);
    free(code->text);
    free(code);
}
