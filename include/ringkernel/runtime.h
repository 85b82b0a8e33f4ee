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

#ifdef __cplusplus
extern "C" {
#endif

#define RK_FOREVER UINT64_MAX
#define RK_NAME_BYTES 32

typedef struct rk_runtime rk_runtime;
typedef struct rk_kernel rk_kernel;

/* ---- Runtime ---------------------------------------------------------------------------------- */

/* Where kernels run. */
typedef enum rk_isolation {
    RK_ISOLATION_NONE,    /* in this process: fastest; an invalid access ends the process */
    RK_ISOLATION_PROCESS, /* in a host process of their own: an invalid access is an event */
} rk_isolation;

typedef enum rk_event_kind {
    RK_EVENT_STARTED,    /* resident, init done */
    RK_EVENT_PARKED,     /* left the device, can be started again */
    RK_EVENT_TERMINATED, /* ended by command */
    RK_EVENT_PANICKED,   /* a handler gave up */
    RK_EVENT_FAULTED,    /* an invalid access ended its host process */
    RK_EVENT_HOST_LOST,  /* its host process ended for another reason */
    RK_EVENT_RESTARTED,  /* the restart policy started it again */
    RK_EVENT_GAVE_UP,    /* the restart policy's limit is reached */
    RK_EVENT_STALLED,    /* no safe point passed for stall_timeout_ns while it runs */
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

/* Called from a runtime's own thread, one event at a time. It may submit commands, but must not
 * destroy a kernel or the runtime. */
typedef void (*rk_event_fn)(void *context, const rk_event *event);

typedef struct rk_runtime_options {
    uint32_t node;            /* node number in ids and times */
    uint32_t logical_devices; /* CPU devices cpu:0, cpu:1, ...; 0 means 1 */
    rk_isolation isolation;
    /* RK_ISOLATION_PROCESS: program and arguments that end up in rk_host_main, NULL-terminated. */
    const char *const *host_argv;
    rk_event_fn on_event; /* may be NULL */
    void *event_context;
    uint64_t stall_timeout_ns; /* 0: no stall events */
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
/* The main of a host process: serves the parent on file descriptor `fd` and returns an exit
 * code. */
RK_API int rk_host_main(int fd);

/* ---- Kernels ---------------------------------------------------------------------------------- */

/* A parameter by name; the value as text ("0.5"), read by the parameter's declared type. */
typedef struct rk_param_value {
    const char *name;
    const char *text;
} rk_param_value;

typedef enum rk_restart {
    RK_RESTART_NEVER,
    RK_RESTART_ON_FAILURE, /* after a panic, a fault or a lost host: init runs again */
} rk_restart;

/* How to launch a kernel. Zero means the default. */
typedef struct rk_launch {
    const char *name;    /* unique in the runtime, at most 31 bytes; required */
    rk_module *module;   /* required; the kernel takes a reference */
    const char *device;  /* "cpu:0"; default: the first device */
    const char *variant; /* precision variant; default: the module's first */
    uint32_t blocks;     /* default: the device's units */
    uint32_t lanes;      /* fiber mode with this many lanes per block: for tests */
    uint32_t tenant;
    const rk_param_value *params;
    size_t param_count;
    uint64_t seed;          /* of the kernel's random numbers */
    uint32_t command_slots; /* H2K ring; power of two, default 256 */
    uint32_t answer_slots;  /* K2H ring; power of two, default 4096, at least 4 x in_flight_limit */
    uint32_t inbox_slots;   /* K2K ring; power of two, default 1024 */
    uint64_t slab_bytes;    /* payloads from the host longer than a slot; default 1 MiB */
    uint32_t in_flight_limit; /* unanswered commands; power of two, default 256 */
    rk_restart restart;
    uint32_t restart_limit;     /* restarts within the window; default 3 */
    uint64_t restart_window_ns; /* default 60 s */
} rk_launch;

/* Lays out the kernel's memory. Fields may be written; nothing runs yet. */
RK_API rk_status rk_kernel_create(rk_runtime *runtime, const rk_launch *launch,
                                  rk_kernel **out_kernel, rk_err *err);
/*
 * Makes a created or parked kernel resident and waits until its init handler has finished. A parked
 * kernel goes on where it stopped. RK_PANIC if init gave up.
 */
RK_API rk_status rk_kernel_start(rk_kernel *kernel, rk_err *err);
/* Makes it leave the device at the next safe point and waits for that; the arena stays. */
RK_API rk_status rk_kernel_park(rk_kernel *kernel, uint64_t timeout_ns, rk_err *err);
/* Terminates it if it is resident, and frees it. Blocks. Other threads must have let go of it. */
RK_API void rk_kernel_destroy(rk_kernel *kernel);

RK_API const char *rk_kernel_name(const rk_kernel *kernel);
RK_API uint32_t rk_kernel_id(const rk_kernel *kernel);
RK_API rk_module *rk_kernel_module(const rk_kernel *kernel);
RK_API rk_kernel *rk_runtime_find_kernel(rk_runtime *runtime, const char *name);
/* Calls fn for every kernel, in the order of creation. fn must not create or destroy kernels. */
RK_API void rk_runtime_each_kernel(rk_runtime *runtime,
                                   void (*fn)(void *context, rk_kernel *kernel), void *context);

/*
 * Opens a route: `from` may rk_send to `to`. The kernel's code names routes by index, in the order
 * of
 * the connections, starting at 0. Both kernels live on the same device and in the same tenant
 * (RK_TENANT). Works before and after they start.
 */
RK_API rk_status rk_kernel_connect(rk_kernel *from, rk_kernel *to, uint32_t *out_route,
                                   rk_err *err);

/*
 * Reads or writes a field's elements, `first` and `count` in elements of the field's type. Not
 * while
 * the kernel takes steps: RK_STATE (pause it first).
 */
RK_API rk_status rk_kernel_read_field(rk_kernel *kernel, const char *field, uint64_t first,
                                      uint64_t count, void *out_data, rk_err *err);
RK_API rk_status rk_kernel_write_field(rk_kernel *kernel, const char *field, uint64_t first,
                                       uint64_t count, const void *data, rk_err *err);
/* Elements of a field as laid out, and bytes of one. */
RK_API rk_status rk_kernel_field_size(const rk_kernel *kernel, const char *field,
                                      uint64_t *out_elements, uint32_t *out_element_bytes,
                                      rk_err *err);
/* A parameter's value as laid out, as a number. */
RK_API rk_status rk_kernel_param(const rk_kernel *kernel, const char *name, double *out_value,
                                 rk_err *err);

/* ---- Commands --------------------------------------------------------------------------------- */

/*
 * Submits and returns at once: the id names the command in its reply. Errors at once: RK_LIMIT (too
 * many in flight, or no room in the ring), RK_STATE (not resident), RK_INVALID. Pass NULL for
 * out_id
 * to forget the reply.
 *
 * A run is answered when its last step is done; runs queue, at most 16. inject sets (or adds to)
 * one
 * element of a field. custom hands `data` to the module's RK_ON_COMMAND. send hands a message of a
 * type
 * >= 256 to RK_ON_MESSAGE. The step budget is the number of steps that the kernel may still take
 * before
 * it pauses itself; RK_FOREVER lifts it.
 */
RK_API rk_status rk_kernel_run(rk_kernel *kernel, uint64_t steps, uint64_t *out_id, rk_err *err);
/* The same, with a progress answer every `interval` steps (rk_kernel_progress_step reads the
 * last). */
RK_API rk_status rk_kernel_run_reporting(rk_kernel *kernel, uint64_t steps, uint32_t interval,
                                         uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_pause(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_resume(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_inject(rk_kernel *kernel, const char *field, uint64_t index,
                                  double value, bool add, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_custom(rk_kernel *kernel, uint64_t operation, const void *data,
                                  size_t bytes, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_progress(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_stats(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_ping(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_step_budget(rk_kernel *kernel, uint64_t steps, uint64_t *out_id,
                                       rk_err *err);
RK_API rk_status rk_kernel_check(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_features(rk_kernel *kernel, uint64_t mask, uint64_t *out_id,
                                    rk_err *err);
RK_API rk_status rk_kernel_quiesce(rk_kernel *kernel, uint64_t reason, uint64_t *out_id,
                                   rk_err *err);
RK_API rk_status rk_kernel_terminate(rk_kernel *kernel, uint64_t *out_id, rk_err *err);
RK_API rk_status rk_kernel_send(rk_kernel *kernel, uint32_t type, uint32_t correlation,
                                const void *data, size_t bytes, uint64_t *out_id, rk_err *err);
/* Aborts all pending runs at the next step boundary; each is answered with RK_ABORTED. Any
 * state. */
RK_API void rk_kernel_abort(rk_kernel *kernel);

/* How far a command got. */
typedef enum rk_level {
    RK_REPLY_NONE,
    RK_REPLY_ACCEPTED, /* taken from the ring and queued */
    RK_REPLY_APPLIED,  /* has taken effect */
    RK_REPLY_DURABLE,  /* and will survive a crash */
} rk_level;

typedef struct rk_reply {
    uint64_t id;
    rk_status status; /* of the command itself: RK_ABORTED, RK_INVALID, ... */
    rk_level level;
    uint64_t step; /* at which it was applied */
    uint64_t
        value[3]; /* run: {target}; progress: {remaining, target}; check: {code}; custom: own */
} rk_reply;

/*
 * Waits until the command is applied (or refused). RK_OK: *out_reply is set, look at its status.
 * RK_TIMEOUT: still in flight, wait again. RK_PANIC, RK_FAULT, RK_CLOSED: the kernel ended first;
 * err
 * says why. RK_NOT_FOUND: no such command, or its reply was taken already. Blocks.
 */
RK_API rk_status rk_kernel_wait(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns,
                                rk_reply *out_reply, rk_err *err);
/* Submits nothing: waits until the command is at least accepted. Does not take the reply. */
RK_API rk_status rk_kernel_wait_accepted(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns,
                                         rk_reply *out_reply, rk_err *err);

/* A message that the kernel emitted. */
typedef struct rk_received {
    uint64_t id;
    uint32_t type;
    uint32_t correlation;
    uint32_t length; /* bytes of the payload, also when it was cut to the caller's room */
    uint64_t step;
} rk_received;

/*
 * Takes the next emitted message; at most `capacity` bytes of its payload are copied. RK_TIMEOUT,
 * RK_CLOSED (ended and nothing left). Messages that nobody takes are kept up to 4096, then the
 * oldest is
 * dropped and counted. Blocks.
 */
RK_API rk_status rk_kernel_receive(rk_kernel *kernel, uint64_t timeout_ns, rk_received *out_message,
                                   void *out_payload, size_t capacity, rk_err *err);

/* ---- What a kernel is doing ------------------------------------------------------------------- */

/* Values as in abi/control.h: RK_KERNEL_IDLE and so on. */
RK_API uint32_t rk_kernel_state(const rk_kernel *kernel);
RK_API const char *rk_kernel_state_text(uint32_t state);

typedef struct rk_kernel_snapshot {
    uint32_t state;
    uint64_t step;
    uint64_t heartbeat;
    uint64_t remaining; /* from the last stats command; the same for those below */
    uint64_t commands;
    uint64_t messages_received;
    uint64_t k2k_sent;
    uint64_t k2k_received;
    uint64_t k2k_refused;
    uint64_t emitted;
    uint64_t emit_refused;
    uint64_t busy_ns;
    uint64_t idle_ns;
    uint32_t in_flight;
    uint32_t restarts;
    uint32_t emitted_waiting;
    uint64_t emitted_dropped;
} rk_kernel_snapshot;

/* Reads shared memory only: never blocks, works in every state. */
RK_API void rk_kernel_read_snapshot(rk_kernel *kernel, rk_kernel_snapshot *out_snapshot);
/* One sentence about why a kernel ended (panic text, signal, address), or NULL. Caller's buffer. */
RK_API const char *rk_kernel_failure(rk_kernel *kernel, char *buffer, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
