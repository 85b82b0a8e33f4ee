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
#include <ringkernel/telemetry.h>

#define RK_DRIVER_ABI 2u
#define RK_DEVICE_NAME_BYTES 32
#define RK_DEVICE_TEXT_BYTES 96
#define RK_DEVICE_MAX 64u /* of one driver */

/*
 * A loadable driver module exports this function. It returns the table of the driver with that name
 * ("cuda", "hip", "opencl"), or NULL if it has none of that name. A table whose abi differs is
 * refused.
 */
#define RK_DRIVER_MODULE_SYMBOL "rk_driver_module"

typedef struct rk_device rk_device;
typedef struct rk_code rk_code;
typedef struct rk_exec rk_exec;
typedef struct rk_driver_ops rk_driver_ops;

/* How devices are opened. Borrowed for the call. */
typedef struct rk_device_options {
    uint32_t logical_devices; /* CPU: how many devices the machine is presented as; at least 1 */
    const char *const *host_argv; /* host processes: a program that ends up in rk_host_main */
    const char *relayed;          /* the driver that a host process opens; NULL: none */
} rk_device_options;

/* What load takes; the values are those of RK_SECTION_* in bundles (module/bundle.h). */
typedef enum rk_code_kind {
    RK_CODE_CPU = 3,   /* ELF shared object */
    RK_CODE_FIBER = 4, /* the same, with many real lanes per block */
    RK_CODE_PTX = 5,   /* text with its NUL */
    RK_CODE_CUBIN = 6,
    RK_CODE_HIP = 7,    /* code object */
    RK_CODE_OPENCL = 8, /* OpenCL C text with its NUL */
} rk_code_kind;

#define RK_CODE_BIT(kind) (1u << (kind))

/* What a device is and can do. Does not change while it is open. */
typedef struct rk_device_caps {
    char name[RK_DEVICE_NAME_BYTES];        /* as users address it: "cpu:0" */
    char text[RK_DEVICE_TEXT_BYTES];        /* for people: processor model */
    char arch[24];                          /* "sm_90", "gfx90a", "x86_64"; "" if not known */
    char bus_id[RK_DEVICE_BUS_BYTES];       /* PCI domain:bus:device.function; "" if not known */
    char driver_text[RK_DEVICE_TEXT_BYTES]; /* the vendor's driver and its version; may be "" */
    rk_vendor vendor;
    uint32_t code_kinds;       /* RK_CODE_BIT of each kind that load takes */
    uint32_t code_level;       /* CUDA: 10 * compute capability, the newest PTX and cubin it runs;
                            HIP: the gfx number in hexadecimal (0x90a); else 0 */
    uint32_t units;            /* cores or multiprocessors */
    uint32_t max_blocks;       /* that can be resident together, of the smallest kernel */
    uint32_t default_blocks;   /* what a launch takes when the user names no number */
    uint32_t default_lanes;    /* the same for lanes; 0: one lane, the CPU's own way */
    uint32_t max_lanes;        /* per block */
    uint64_t memory_bytes;     /* 0 if not known */
    uint64_t memory_bandwidth; /* as announced, bytes per second; 0 if not known */
    uint64_t ticks_per_s;      /* of the clock that kernels read; 0: they have none */
    uint32_t numa_node;        /* UINT32_MAX if not known */
    bool host_addressable;     /* arenas can be read by the host directly */
    bool survives_fault;       /* a fault in a kernel does not end this process */
    bool rings_host;           /* kernels wake the host's waiters; otherwise the host must poll */
    bool cooperative;          /* launches as a cooperative grid */
    bool clusters;             /* blocks can share memory in clusters */
    bool poller;          /* kernels get one more block that looks at the host's words; max_blocks
                        and default_blocks leave room for it */
    bool lease_only;      /* kernels return now and then and are launched again, by the driver: */
    uint32_t lease_steps; /* after so many steps, */
    uint32_t lease_polls; /* or after so many looks for work that found none */
} rk_device_caps;

/* Memory of a kernel. The driver owns what it points to until mem_free. */
typedef struct rk_mem {
    uint8_t *host;   /* host address, NULL where the host cannot address it */
    uint64_t device; /* address that kernels use, or a handle: the driver's own */
    uint64_t bytes;  /* */
    int fd;          /* of shared memory, else -1 */
} rk_mem;

typedef enum rk_mem_kind { RK_MEM_ARENA, RK_MEM_MAPPED } rk_mem_kind;

typedef struct rk_exec_args {
    const char *name; /* of the kernel, for threads and reports; borrowed until wait_exit */
    rk_code *code;
    const rk_mem *arena;
    const rk_mem *mapped; /* laid out and filled; its block_count is the grid */
    uint32_t lanes;       /* 0: the driver's own way; more: that many real lanes per block */
    uint32_t units;       /* a planned share: that many units only; 0: all */
    /* With RK_ENTRY_MIGRATE the arena of the kernel whose state is taken over, else NULL. */
    const rk_mem *migrate_from;
    void (*on_exit)(void *context);
    void *context;
} rk_exec_args;

struct rk_driver_ops {
    uint32_t abi; /* RK_DRIVER_ABI */
    const char *name;

    /*
     * How many devices there are. RK_NOT_FOUND when the vendor's library or any device is missing,
     * RK_UNSUPPORTED when it is too old, RK_PERMISSION without permission: the sentence names what,
     * and what to do. Cheap the second time.
     */
    rk_status (*probe)(const rk_device_options *options, uint32_t *out_count, rk_err *err);
    /* Opens device number `index` of this driver. RK_NOT_FOUND when there is none. */
    rk_status (*open)(uint32_t index, const rk_device_options *options, rk_device **out_device,
                      rk_err *err);
    void (*close)(rk_device *device);
    void (*caps)(const rk_device *device, rk_device_caps *out_caps);

    /* Zeroed memory. */
    rk_status (*mem_alloc)(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                           rk_err *err);
    /*
     * The same for memory of another process: maps the memory file (which stays the caller's) and
     * makes it a mapped area of this device. NULL where that cannot be done.
     */
    rk_status (*mem_import)(rk_device *device, int fd, uint64_t bytes, rk_mem *out_mem,
                            rk_err *err);
    /* Frees at once, or as soon as nothing that could be waited for is resident. */
    void (*mem_free)(rk_device *device, rk_mem *mem);

    /*
     * Loads one piece of compiled code; the image may be freed afterwards. Each load is a new copy.
     * RK_BUSY when kernels are resident that the load would have to wait for.
     */
    rk_status (*load)(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                      rk_code **out_code, rk_err *err);
    void (*unload)(rk_device *device, rk_code *code);
    /* How many blocks of this code can be resident together on the empty device. */
    uint32_t (*max_blocks)(rk_device *device, const rk_code *code, uint32_t lanes);

    rk_status (*launch)(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                        rk_err *err);
    bool (*poll_exit)(rk_exec *exec);
    /* Waits until the kernel has left; RK_TIMEOUT when deadline_ns (monotonic) passes. */
    rk_status (*wait_exit)(rk_exec *exec, uint64_t deadline_ns);
    /* Ends a kernel that passes no safe point, and whatever else lives in its process; its exit
     * follows. NULL where that cannot be done. Any thread, until release. */
    void (*kill)(rk_exec *exec);
    void (*release)(rk_exec *exec); /* after the exit; frees the handle */

    /*
     * Copies between an arena and the host. Blocks. The kernel must not be writing there. Any
     * thread. RK_DEVICE when the device is lost.
     */
    rk_status (*read)(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                      uint64_t bytes);
    rk_status (*write)(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                       uint64_t bytes);
    rk_status (*zero)(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes);

    /* Fills a route of `from` so that its kernel reaches `to`; both are launched on this device. */
    rk_status (*connect)(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err);

    /* Never waits for a kernel. Any thread. */
    void (*telemetry)(rk_device *device, rk_device_telemetry *out_telemetry);
    /* How kernels of one device reach the memory of another of this driver. */
    void (*link)(rk_device *device, rk_device *other, rk_device_link *out_link);

    /*
     * Whether the device is lost: its context is broken, every kernel on it has exited or will
     * within a moment, and its memory cannot be read. NULL where that cannot happen.
     */
    bool (*is_lost)(rk_device *device);
    /*
     * Makes a lost device usable again, after the exit of its last kernel: memory handed out stays
     * valid and is zeroed, loaded code is loaded again. NULL where is_lost is.
     */
    rk_status (*recover)(rk_device *device, rk_err *err);
};

typedef const rk_driver_ops *(*rk_driver_module_fn)(const char *name);

/* The embedded CPU driver: blocks are threads of this process. */
const rk_driver_ops *rk_driver_cpu(void);

/* The same with each device's kernels in a host process: a fault there ends that process only. */
const rk_driver_ops *rk_driver_host(void);

/*
 * The same for any other driver ("cuda"): a table that relays it to a host process for each device.
 * NULL if there are too many. To be opened with host_argv and `relayed` set to the driver's name.
 */
const rk_driver_ops *rk_driver_relay(const char *name);

#endif
