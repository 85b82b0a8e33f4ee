/*
 * device.h: what the runtime asks of a device driver: one table of operations.
 *
 * This header is for those who implement a driver and for lib/runtime, which is its only caller.
 *
 * Rules every driver keeps
 *   1. Memory is allocated, and code loaded, only before a launch or while nothing of that device
 *      that could be waited for is resident.
 *   2. Commands to a resident kernel touch only mapped memory and need no call of this table. What
 *      may be called while it is resident: read and write of its arena while it takes no steps,
 *      connect, poll_exit, wait_exit, kill, telemetry.
 *   3. launch returns when the kernel is resident; on_exit is called exactly once, from any thread,
 *      after the last block has left (or the device is lost), and must not block or call the
 *      driver.
 *   4. Addresses inside kernels are the driver's business: the runtime speaks in offsets and
 *      handles.
 */
#ifndef RK_DEVICE_DEVICE_H
#define RK_DEVICE_DEVICE_H

#include "base/compiler.h"
#include <ringkernel/abi/control.h>
#include <ringkernel/status.h>

#define RK_DRIVER_ABI 1u
#define RK_DEVICE_NAME_BYTES 32
#define RK_DEVICE_TEXT_BYTES 96

typedef struct rk_device rk_device;
typedef struct rk_code rk_code;
typedef struct rk_exec rk_exec;
typedef struct rk_driver_ops rk_driver_ops;

/* How devices are opened. Borrowed for the call. */
typedef struct rk_device_options {
    uint32_t logical_devices; /* CPU: how many devices the machine is presented as; at least 1 */
    const char *const *host_argv; /* host processes: a program that ends up in rk_host_main */
} rk_device_options;

/* What a device can do. */
typedef struct rk_device_caps {
    char name[RK_DEVICE_NAME_BYTES]; /* as users address it: "cpu:0" */
    char text[RK_DEVICE_TEXT_BYTES]; /* for people: processor model */
    uint32_t units;                  /* cores or multiprocessors */
    uint32_t max_blocks;             /* that can be resident together */
    uint64_t memory_bytes;           /* 0 if not known */
    uint32_t numa_node;              /* UINT32_MAX if not known */
    bool host_addressable;           /* arenas can be read by the host directly */
    bool survives_fault;             /* a fault in a kernel does not end this process */
    bool lease_only;                 /* kernels must return now and then */
} rk_device_caps;

/* Memory of a kernel. The driver owns what it points to until mem_free. */
typedef struct rk_mem {
    uint8_t *host;  /* host address, NULL where the host cannot address it */
    uint64_t bytes; /* */
    int fd;         /* of shared memory, else -1 */
} rk_mem;

typedef enum rk_mem_kind { RK_MEM_ARENA, RK_MEM_MAPPED } rk_mem_kind;

typedef struct rk_exec_args {
    const char *name; /* of the kernel, for threads and reports; borrowed until wait_exit */
    rk_code *code;
    const rk_mem *arena;
    const rk_mem *mapped; /* laid out and filled; its block_count is the grid */
    uint32_t lanes;       /* 0: the driver's own way; more: that many real lanes per block */
    /* With RK_ENTRY_MIGRATE the arena of the kernel whose state is taken over, else NULL; the
     * driver
     * writes its address into the control block. */
    const rk_mem *migrate_from;
    void (*on_exit)(void *context);
    void *context;
} rk_exec_args;

typedef struct rk_device_telemetry {
    uint64_t memory_used_bytes;
    uint32_t resident_kernels;
    uint32_t resident_blocks;
} rk_device_telemetry;

struct rk_driver_ops {
    uint32_t abi; /* RK_DRIVER_ABI */
    const char *name;

    /* Opens device number `index` of this driver. RK_NOT_FOUND when there is none. */
    rk_status (*open)(uint32_t index, const rk_device_options *options, rk_device **out_device,
                      rk_err *err);
    void (*close)(rk_device *device);
    void (*caps)(const rk_device *device, rk_device_caps *out_caps);

    /* Zeroed memory. */
    rk_status (*mem_alloc)(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                           rk_err *err);
    void (*mem_free)(rk_device *device, rk_mem *mem);

    /* Loads one piece of compiled code; the image may be freed afterwards. Each load is a new
     * copy. */
    rk_status (*load)(rk_device *device, const void *image, uint64_t bytes, rk_code **out_code,
                      rk_err *err);
    void (*unload)(rk_device *device, rk_code *code);

    rk_status (*launch)(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                        rk_err *err);
    bool (*poll_exit)(rk_exec *exec);
    /* Waits until the kernel has left; RK_TIMEOUT when deadline_ns (monotonic) passes. */
    rk_status (*wait_exit)(rk_exec *exec, uint64_t deadline_ns);
    /* Ends a kernel that passes no safe point, and whatever else lives in its process; its exit
     * follows. NULL where that cannot be done. Any thread, until release. */
    void (*kill)(rk_exec *exec);
    void (*release)(rk_exec *exec); /* after the exit; frees the handle */

    /* Copies between an arena and the host. Blocks. The kernel must not be writing there. */
    rk_status (*read)(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                      uint64_t bytes);
    rk_status (*write)(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                       uint64_t bytes);

    /* Fills a route of `from` so that its kernel reaches `to`; both are launched on this device. */
    rk_status (*connect)(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err);

    void (*telemetry)(rk_device *device, rk_device_telemetry *out_telemetry);
};

/* The embedded CPU driver: blocks are threads of this process. */
const rk_driver_ops *rk_driver_cpu(void);

/* The same with each device's kernels in a host process: a fault there ends that process only. */
const rk_driver_ops *rk_driver_host(void);

#endif
