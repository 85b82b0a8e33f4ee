/*
 * gpu.h: what the files of the CUDA and HIP driver share.
 *
 * Invariants
 *   1. One thread per device, the driver thread, makes every call into the vendor's library for
 *      that device. Others queue requests to it and wait (gpu_call). So a call that the library
 *      holds up never holds up a thread that talks to a resident kernel.
 *   2. While a kernel is resident nothing is called that may wait for it: no module is loaded, no
 *      memory allocated or freed, no stream made. Streams and staging memory are made when the
 *      device is opened; what is freed meanwhile is freed when the last kernel has left.
 *   3. Blocks of memory and code keep their handles when a lost device is recovered: rk_mem.device
 *      is the address of a gpu_block, never a device pointer.
 *   4. rk_exec.left is set once, after on_exit; from then on only the owner touches the exec.
 */
#ifndef RK_DRIVERS_GPU_GPU_H
#define RK_DRIVERS_GPU_GPU_H

#include "base/thread.h"
#include "device/device.h"
#include "drivers/gpu/health/health.h"
#include "drivers/gpu/vendor.h"
#include <stdatomic.h>

#define GPU_STREAMS_MAX 8u /* resident kernels of one device */
#define GPU_STAGING_BYTES ((uint64_t)4 << 20)

/* A piece of memory; rk_mem.device is its address. Driver thread only, but for constants. */
typedef struct gpu_block {
    struct gpu_block *next;
    rk_mem_kind kind;
    uint64_t bytes;
    uint8_t *host; /* mapped kind: where the host sees it; constant */
    gpu_ptr ptr;   /* where kernels see it */
    bool own_map;  /* host is our mapping, registered with the library */
    bool imported; /* its content belongs to another process */
    bool reserved; /* lies in the device's reserve */
    bool freed;    /* to be given back as soon as nothing is resident */
} gpu_block;

struct rk_code {
    rk_code *next;
    rk_code_kind kind;
    void *image; /* kept for recovery */
    uint64_t bytes;
    gpu_module module;
    gpu_function entry;
    int lanes_max;
    bool unloaded; /* as gpu_block.freed */
};

/* A stream for one resident kernel, of the whole device or of a share of it. */
typedef struct gpu_slot {
    gpu_stream stream;
    gpu_green green; /* NULL: the whole device */
    uint32_t units;  /* multiprocessors of the share; 0: the whole device */
    rk_exec *exec;   /* NULL: free */
} gpu_slot;

struct rk_exec {
    rk_exec *next; /* resident kernels of the device */
    rk_device *device;
    char name[64];
    rk_code *code;
    gpu_block *arena;
    gpu_block *mapped;
    gpu_ptr migrate_from; /* 0: none */
    rk_control *control;
    gpu_slot *slot;
    uint32_t grid;
    uint32_t lanes;
    uint32_t per_unit; /* blocks of it that fit on one multiprocessor */
    bool cooperative;
    uint32_t looks;          /* since the stream was asked */
    uint64_t relaunch_ns;    /* lease: when at the latest to launch again; 0: it is running */
    uint64_t lease_pause_ns; /* how long the last pause was */
    uint64_t abort_seen;     /* control->abort_before when it paused */
    void (*on_exit)(void *context);
    void *context;
    uint32_t left; /* futex word */
};

typedef struct gpu_request gpu_request;

struct rk_device {
    gpu_driver *driver;
    const gpu_api *api;
    int number; /* the library's */
    rk_device_caps caps;
    uint32_t blocks_per_unit;
    rk_health *health; /* NULL: not to be had */

    /* The queue of requests. */
    rk_thread thread;
    rk_mutex lock;
    rk_cond work;
    rk_cond done;
    gpu_request *first;
    gpu_request **last;
    bool stop;
    uint32_t waiters; /* threads in wait_exit: look more often */
    uint64_t look_ns; /* when to look at the residents again */

    /* Driver thread only. */
    gpu_context context;
    gpu_stream copy_stream;
    gpu_slot slots[2 * GPU_STREAMS_MAX]; /* of the whole device, then of shares */
    uint32_t slot_count;
    uint32_t planned_count; /* slots behind this are a share that was made for one launch */
    gpu_resource rest;      /* multiprocessors that are in no planned share; type 0: not asked */
    uint8_t *staging;       /* GPU_STAGING_BYTES, pinned */
    gpu_ptr reserve;
    uint64_t reserve_bytes;
    gpu_block *blocks;
    rk_code *codes;
    rk_exec *residents;
    bool coop_refused; /* the call exists, but the library does not do it */
    uint64_t look_step_ns;

    /* Any thread. */
    _Atomic bool lost;
    _Atomic int lost_code;
    _Atomic uint64_t memory_used;
    _Atomic uint32_t resident_kernels;
    _Atomic uint32_t resident_blocks;
};

/* thread.c */
typedef rk_status (*gpu_work)(rk_device *device, void *context);
rk_status gpu_thread_start(rk_device *device);
void gpu_thread_stop(rk_device *device);
/* Runs work on the driver thread and waits for it. Any other thread. */
rk_status gpu_call(rk_device *device, gpu_work work, void *context);
/* The driver thread looks at the residents soon. Any thread. */
void gpu_nudge(rk_device *device);
/* Looks at the residents if it is time; sets when it will be. Driver thread. */
void gpu_look_if_due(rk_device *device);
void gpu_look_at(rk_device *device, uint64_t when_ns);

/* device.c */
rk_status gpu_open(gpu_driver *driver, uint32_t index, rk_device **out_device, rk_err *err);
void gpu_close(rk_device *device);
void gpu_telemetry(rk_device *device, rk_device_telemetry *out_telemetry);
void gpu_link(rk_device *device, rk_device *other, rk_device_link *out_link);
/* Context, streams and staging memory, made at open and made again by recover. Driver thread. */
rk_status gpu_context_make(rk_device *device, rk_err *err);

/* memory.c */
gpu_block *gpu_block_of(const rk_mem *mem);
rk_status gpu_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes, rk_mem *out_mem,
                        rk_err *err);
rk_status gpu_mem_import(rk_device *device, int fd, uint64_t bytes, rk_mem *out_mem, rk_err *err);
void gpu_mem_free(rk_device *device, rk_mem *mem);
/* The device's side of a block: memory or registration. Driver thread, nothing resident. */
rk_status gpu_block_make(rk_device *device, gpu_block *block, rk_err *err);
/* Gives back what was freed. Driver thread, nothing resident. */
void gpu_blocks_reclaim(rk_device *device, bool all);
/* For recovery: whether it is possible; dropping what was freed, whose memory went with the
 * context; making the others again, zeroed. old_reserve: where the reserve was. Driver thread. */
rk_status gpu_blocks_can_restore(rk_device *device, rk_err *err);
void gpu_blocks_forget(rk_device *device);
rk_status gpu_blocks_restore(rk_device *device, gpu_ptr old_reserve, rk_err *err);

/* copy.c */
rk_status gpu_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to, uint64_t bytes);
rk_status gpu_write(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                    uint64_t bytes);
rk_status gpu_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes);
rk_status gpu_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err);
/* Driver thread; the range has been checked. zero: NULL `to` and `from`. */
rk_status gpu_copy_now(rk_device *device, const gpu_block *block, uint64_t offset, void *to,
                       const void *from, uint64_t bytes);

/* code.c */
rk_status gpu_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                   rk_code **out_code, rk_err *err);
void gpu_unload(rk_device *device, rk_code *code);
uint32_t gpu_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes);
rk_status gpu_code_make(rk_device *device, rk_code *code, rk_err *err);
void gpu_codes_reclaim(rk_device *device, bool all);
/* The modules went with the context; drops what was unloaded. Driver thread. */
void gpu_codes_forget(rk_device *device);

/* launch.c */
rk_status gpu_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec, rk_err *err);
bool gpu_poll_exit(rk_exec *exec);
rk_status gpu_wait_exit(rk_exec *exec, uint64_t deadline_ns);
void gpu_release(rk_exec *exec);
/* Puts the kernel on its stream. Driver thread. */
gpu_result gpu_exec_submit(rk_exec *exec);

/* share.c */
/* Makes a share of at least so many multiprocessors, or finds a free one. Driver thread. */
rk_status gpu_share_get(rk_device *device, uint32_t units, gpu_slot **out_slot, rk_err *err);
/* The shares that RK_GPU_SHARES asks for, in advance. Driver thread. */
rk_status gpu_shares_plan(rk_device *device, rk_err *err);

/* lease.c */
/* Whether the kernel, whose stream is idle, is to be launched again; notes when. Driver thread. */
bool gpu_lease_over(rk_exec *exec);
/* Launches it again if it is time. Driver thread. */
rk_status gpu_lease_renew(rk_device *device, rk_exec *exec);

/* exit.c */
/* Looks at the residents; returns when to look again (RK_NEVER: never). Driver thread. */
uint64_t gpu_watch(rk_device *device);
/* Everything resident has gone down with the context. Driver thread. */
void gpu_lose(rk_device *device, gpu_result result);
/*
 * The status of a result that is not success, with the sentence "<device>: <doing>: <text>". Loses
 * the device where the result says so. Driver thread.
 */
rk_status gpu_fail(rk_device *device, gpu_result result, rk_err *err, const char *doing);
rk_status gpu_refuse_lost(rk_device *device, rk_err *err);
bool gpu_is_lost(rk_device *device);
rk_status gpu_recover(rk_device *device, rk_err *err);

#endif
