/*
 * runtime.h: the runtime, its devices, and kernels that stay resident.
 *
 *     rk_runtime *runtime;  rk_runtime_create(NULL, &runtime, &err);
 *     rk_module *module;    rk_module_open_builtin("heat3d", &module, &err);
 *     rk_launch launch = {.name = "plate", .module = module};
 *     rk_kernel *kernel;    rk_kernel_create(runtime, &launch, &kernel, &err);
 *     rk_kernel_start(kernel, &err);
 *     uint64_t id;          rk_kernel_run(kernel, 1000, &id, &err);
 *     rk_reply reply;       rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err);
 *     rk_runtime_destroy(runtime);
 *
 * Threads: every function may be called from any thread, unless it says otherwise. Commands of one
 * thread are applied in the order in which they were submitted. Times are nanoseconds; RK_FOREVER
 * waits without limit. Pointers in structures are borrowed for the call unless the comment says
 * more.
 */
#ifndef RINGKERNEL_RUNTIME_H
#define RINGKERNEL_RUNTIME_H

#include <ringkernel/module.h>
#include <ringkernel/status.h>
#include <ringkernel/telemetry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_FOREVER UINT64_MAX
#define RK_NAME_BYTES 32

typedef struct rk_runtime rk_runtime;
typedef struct rk_kernel rk_kernel;

/* Where kernels run. */
typedef enum rk_isolation {
    RK_ISOLATION_NONE,    /* in this process: fastest; an invalid access ends the process */
    RK_ISOLATION_PROCESS, /* in a host process of their own: an invalid access is an event */
} rk_isolation;

typedef enum rk_event_kind {
    RK_EVENT_PARKED,      /* left the device, can be started again */
    RK_EVENT_TERMINATED,  /* ended by command */
    RK_EVENT_PANICKED,    /* a handler gave up */
    RK_EVENT_FAULTED,     /* an invalid access ended its host process */
    RK_EVENT_HOST_LOST,   /* its host process ended for another reason */
    RK_EVENT_RESTARTED,   /* the restart policy started it again */
    RK_EVENT_GAVE_UP,     /* the restart policy's limit is reached */
    RK_EVENT_STALLED,     /* no safe point passed for stall_timeout_ns with work */
    RK_EVENT_DEVICE_LOST, /* its device broke: what was in the device's memory is gone */
    RK_EVENT_POOL_IN_USE, /* it left its device with allocations in its pool; the text lists some */
} rk_event_kind;

/* What happened to a kernel. Valid during the callback. */
typedef struct rk_event {
    rk_event_kind kind;
    rk_kernel *kernel;
    const char *kernel_name;
    uint64_t step;
    uint32_t code;    /* panic code or signal number */
    uint64_t address; /* of an invalid access */
    const char *text; /* one sentence */
} rk_event;

/*
 * Called from a runtime's own thread, one event at a time. It may look kernels up, read snapshots
 * and submit or abort commands. It must not wait, receive, start, park, create or destroy: what it
 * would wait for may need this thread.
 */
typedef void (*rk_event_fn)(void *context, const rk_event *event);

typedef struct rk_runtime_options {
    uint32_t node;            /* node number in ids and times */
    uint32_t logical_devices; /* CPU devices cpu:0, cpu:1, ...; 0 means 1 */
    /*
     * Drivers whose devices are opened at once, in this order: "cuda,cpu". NULL: "cpu". "all": the
     * processor, then every driver that finds a device. Devices of others are opened when a launch
     * names them ("hip:0"). A driver is part of the library ("cpu"), or a loadable module:
     * rk-gpu.so for "cuda" and "hip", rk-opencl.so, rk-NAME.so for any other name, from the folders
     * in RK_DRIVER_PATH and PREFIX/lib/ringkernel/drivers.
     */
    const char *drivers;
    rk_isolation isolation;
    /* RK_ISOLATION_PROCESS: program and arguments that end up in rk_host_main, NULL-terminated. */
    const char *const *host_argv;
    rk_event_fn on_event; /* may be NULL */
    void *event_context;
    uint64_t stall_timeout_ns; /* 0: no stall events */
    /* A kernel in a host process that passes no safe point for so long while it is being destroyed
     * is killed, and with it the process: its neighbours there are lost or restarted. 0: 5 s. */
    uint64_t patience_ns;
} rk_runtime_options;

/* options may be NULL for the defaults (all zero). The caller destroys the runtime. */
RK_API rk_status rk_runtime_create(const rk_runtime_options *options, rk_runtime **out_runtime,
                                   rk_err *err);
/* Terminates and destroys all kernels. Blocks until they have left. NULL is allowed. */
RK_API void rk_runtime_destroy(rk_runtime *runtime);

typedef struct rk_device_info {
    char name[RK_NAME_BYTES]; /* "cpu:0" */
    char driver[16];
    char text[96];
    uint32_t units;      /* cores */
    uint32_t max_blocks; /* resident at once */
    uint64_t memory_bytes;
    uint64_t memory_used_bytes;
    uint32_t resident_kernels;
    uint32_t resident_blocks;
} rk_device_info;

RK_API uint32_t rk_runtime_device_count(const rk_runtime *runtime);
/* RK_NOT_FOUND if index is not below the count. */
RK_API rk_status rk_runtime_device_info(const rk_runtime *runtime, uint32_t index,
                                        rk_device_info *out_info);
/*
 * Health of a device and what its kernels do with their time (telemetry.h); values that the device
 * does not tell are not marked as known. RK_NOT_FOUND if index is not below the count. Asks the
 * vendor's management library, which may take a millisecond; never waits for a kernel. The kernels'
 * own times are those that they last published: each call makes them publish anew, so that two
 * calls a second apart tell how busy they were meanwhile.
 */
RK_API rk_status rk_runtime_device_telemetry(rk_runtime *runtime, uint32_t index,
                                             rk_device_telemetry *out_telemetry);
/* The main of a host process: serves the parent on file descriptor `fd` and returns an exit
 * code. */
RK_API int rk_host_main(int fd);

#ifdef __cplusplus
}
#endif
#endif
