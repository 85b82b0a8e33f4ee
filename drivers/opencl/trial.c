/*
 * trial.c: where OpenCL does not promise that a running kernel and the host see each other's stores
 * at once, a small kernel tries it when the device is opened: both sides count up in turns. It ends
 * by itself, so a device that fails does not hang.
 */
#include "drivers/opencl/opencl.h"

#include "abi/word.h"
#include "base/clock.h"

#include <string.h>
#include <time.h>

#define TURNS 4u
#define PATIENCE_NS (2 * (uint64_t)RK_NS_PER_S)
#define LOOK_NS 20000L
/* How often the kernel looks: about a second on a processor; a look of a GPU may cross the bus. */
#define LOOKS_OF_PROCESSOR 1000000000u
#define LOOKS_OF_GPU 10000000u

/* words: 0 the kernel's turn, 1 the host's turn, 2 and 3 the address that the kernel sees. */
static const char source[] =
    "__kernel void trial(__global uint *words, uint patience)\n"
    "{\n"
    "    volatile __global atomic_uint *mine = (volatile __global atomic_uint *)words;\n"
    "    volatile __global atomic_uint *other = (volatile __global atomic_uint *)(words + 1);\n"
    "    *(__global ulong *)(words + 2) = (ulong)words;\n"
    "    for (uint turn = 1; turn <= 4; turn++) {\n"
    "        atomic_store_explicit(mine, turn, memory_order_release, memory_scope_device);\n"
    "        uint looks = 0;\n"
    "        while (atomic_load_explicit(other, memory_order_acquire, memory_scope_device) != "
    "turn) {\n"
    "            if (++looks == patience) {\n"
    "                return;\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "}\n";

/* Plays the host's part; false when the kernel's turn is not seen in time. */
static bool play(rk_u32 *words)
{
    uint64_t deadline_ns = rk_clock_monotonic_ns() + PATIENCE_NS;
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        while (rk_word_load_acquire(&words[0]) != turn) {
            if (rk_clock_monotonic_ns() > deadline_ns) {
                return false;
            }
            (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        }
        rk_word_store_release(&words[1], turn);
    }
    return true;
}

static int32_t start(rk_device *device, cl_kernel kernel)
{
    const rk_cl *cl = device->cl;
    const rk_cl_memory *memory = device->scratch_mapped;
    size_t one = 1;
    uint32_t patience = device->processor ? LOOKS_OF_PROCESSOR : LOOKS_OF_GPU;
    int32_t code = memory->buffer != NULL
                       ? cl->clSetKernelArg(kernel, 0, sizeof memory->buffer, &memory->buffer)
                       : cl->clSetKernelArgSVMPointer(kernel, 0, memory->host);
    if (code == CL_SUCCESS) {
        code = cl->clSetKernelArg(kernel, 1, sizeof patience, &patience);
    }
    if (code == CL_SUCCESS) {
        code = cl->clEnqueueNDRangeKernel(device->queues[0], kernel, 1, NULL, &one, &one, 0, NULL,
                                          NULL);
    }
    return code == CL_SUCCESS ? cl->clFlush(device->queues[0]) : code;
}

rk_status rk_cl_trial(rk_device *device, rk_err *err)
{
    const rk_cl *cl = device->cl;
    cl_program program;
    cl_kernel kernel;
    rk_status status = rk_cl_program_build(device, source, "", "trial", &program, &kernel, err);
    if (status != RK_OK) {
        return status;
    }
    rk_u32 *words = (rk_u32 *)device->scratch_mapped->host;
    memset(words, 0, 4 * sizeof *words);
    int32_t code = start(device, kernel);
    bool live = code == CL_SUCCESS && play(words);
    if (code == CL_SUCCESS) {
        code = cl->clFinish(device->queues[0]);
    }
    rk_u64 address;
    memcpy(&address, &words[2], sizeof address);
    (void)cl->clReleaseKernel(kernel);
    (void)cl->clReleaseProgram(program);
    if (code != CL_SUCCESS) {
        return rk_err_set(err, rk_cl_status(code), "%s cannot run a trial kernel: %s",
                          device->caps.name, rk_cl_error_name(code));
    }
    if (!live || address != (rk_u64)(uintptr_t)words) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s (%s) cannot hold resident kernels: a running kernel and the host do "
                          "not see each other's stores %s; use the vendor's own driver (cuda, hip)",
                          device->caps.name, device->caps.text,
                          live ? "under one address" : "before it ends");
    }
    return RK_OK;
}
