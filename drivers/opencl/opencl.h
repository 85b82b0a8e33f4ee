/*
 * opencl.h: what the parts of the OpenCL driver share: driver.c (the table), device.c (devices and
 * what they can do), memory.c, program.c (code), exec.c (resident kernels).
 *
 * Invariants
 *   1. Memory of kernels is memory that host and device both address at all times: fine-grained
 *      shared virtual memory, or buffers over host memory where a trial kernel has shown that both
 *      sides see each other's stores at once. A device that has neither is refused.
 *   2. All blocks that are resident on a device together fit its compute units: OpenCL promises no
 *      progress between work-groups, and a group that is not started cannot reach the barrier.
 *   3. Each resident kernel has a command queue of its own, made when the device was opened.
 *   4. device->lock guards its lists and counts, and the arguments of kernel objects until they are
 *      enqueued. Nothing that waits for a kernel is called under it.
 */
#ifndef RK_DRIVERS_OPENCL_OPENCL_H
#define RK_DRIVERS_OPENCL_OPENCL_H

#include "base/compiler.h"
#include "base/thread.h"
#include "device/device.h"
#include "drivers/opencl/cl.h"

#define RK_CL_QUEUES_MAX 32u /* resident kernels of one device, at most */
#define RK_CL_OPTION_BYTES 128
#define RK_CL_SCRATCH_BYTES 8192u /* each of the two areas of the warm-up launch */

/* One allocation. rk_mem.device holds its address. */
typedef struct rk_cl_memory {
    struct rk_cl_memory *next;
    void *base;    /* as allocated: SVM, or host memory under a buffer */
    uint8_t *host; /* base, aligned */
    cl_mem buffer; /* NULL with SVM */
    uint64_t bytes;
} rk_cl_memory;

struct rk_device {
    const rk_cl *cl;
    uint32_t index;
    cl_device_id id;
    cl_context context;
    rk_device_caps caps;
    uint64_t allocation_max;          /* bytes of one allocation */
    uint64_t local_bytes;             /* of a work-group */
    uint64_t svm_flags;               /* of clSVMAlloc; 0: buffers over host memory */
    bool svm_atomics;                 /* live exchange is promised; else a trial decides */
    bool processor;                   /* the device is the host's processor */
    char options[RK_CL_OPTION_BYTES]; /* of the compiler */

    rk_mutex lock;
    cl_command_queue queues[RK_CL_QUEUES_MAX];
    bool queue_taken[RK_CL_QUEUES_MAX];
    uint32_t queue_count;
    uint32_t resident_kernels;
    uint32_t resident_blocks; /* the warm-up launch counts as one while it runs */
    uint64_t memory_used;
    rk_cl_memory *memories;
    rk_cl_memory *dead; /* freed while kernels were resident on a device with its own memory */
    rk_cl_memory *scratch_arena;
    rk_cl_memory *scratch_mapped;
};

/* Code for blocks of one lane, or of many: one lane needs no barriers within a block. */
typedef struct rk_cl_build {
    cl_program program; /* NULL: not compiled yet */
    cl_kernel kernel;
    uint64_t max_lanes;
    uint32_t warm_lanes; /* per block, for which it is compiled to the end */
} rk_cl_build;

struct rk_code {
    char *text;
    rk_mutex lock; /* of the builds while they are made */
    rk_cl_build one_lane;
    rk_cl_build many_lanes;
};

/* device.c */
rk_status rk_cl_devices_count(uint32_t *out_count, rk_err *err);
rk_status rk_cl_device_open(uint32_t index, rk_device **out_device, rk_err *err);
void rk_cl_device_close(rk_device *device);

/* trial.c: whether a running kernel and the host see each other's stores. RK_UNSUPPORTED if not. */
rk_status rk_cl_trial(rk_device *device, rk_err *err);

/* memory.c: any thread. */
rk_status rk_cl_memory_create(rk_device *device, uint64_t bytes, rk_cl_memory **out_memory,
                              rk_err *err);
void rk_cl_memory_destroy(rk_device *device, rk_cl_memory *memory);
/* Frees what waited for the last kernel to leave. */
void rk_cl_memory_sweep(rk_device *device);

/* program.c */
/* options: besides the device's own. */
rk_status rk_cl_program_build(rk_device *device, const char *text, const char *options,
                              const char *entry, cl_program *out_program, cl_kernel *out_kernel,
                              rk_err *err);
rk_status rk_cl_code_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                          rk_code **out_code, rk_err *err);
void rk_cl_code_unload(rk_device *device, rk_code *code);
/*
 * The kernel for so many lanes per block, with all that is left to compile compiled. Borrowed from
 * the code. RK_LIMIT: too many lanes, or too much shared memory.
 */
rk_status rk_cl_code_kernel(rk_device *device, rk_code *code, uint32_t lanes, cl_kernel *out_kernel,
                            rk_err *err);

/*
 * Sets the arguments of rk_module_entry and puts it into a queue; device->lock is held. old NULL:
 * none. event may be NULL.
 */
int32_t rk_cl_enqueue(rk_device *device, cl_command_queue queue, cl_kernel kernel,
                      const rk_cl_memory *arena, const rk_cl_memory *mapped,
                      const rk_cl_memory *old, uint32_t blocks, uint32_t lanes, cl_event *event);

/* exec.c */
rk_status rk_cl_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                       rk_err *err);
bool rk_cl_poll_exit(rk_exec *exec);
rk_status rk_cl_wait_exit(rk_exec *exec, uint64_t deadline_ns);
void rk_cl_release(rk_exec *exec);
rk_status rk_cl_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err);

/* Takes a queue and room for `blocks` groups; RK_LIMIT with the numbers when there is none. */
rk_status rk_cl_units_take(rk_device *device, const char *name, uint32_t blocks,
                           uint32_t *out_queue, rk_err *err);
void rk_cl_units_give(rk_device *device, uint32_t blocks, uint32_t queue);

#endif
