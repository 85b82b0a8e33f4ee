/*
 * resident.h: kernels that stay resident: launch, fields, routes, state. The commands are in
 * command.h; the general rules (threads, times, pointers) in runtime.h.
 */
#ifndef RINGKERNEL_RESIDENT_H
#define RINGKERNEL_RESIDENT_H

#include <ringkernel/pool.h>
#include <ringkernel/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

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
    const char *device;  /* "cpu:0", "cuda:1"; opened if it is not; default: the first device */
    const char *variant; /* precision variant; default: the module's first */
    uint32_t blocks;     /* default: the device's units */
    uint32_t lanes;      /* per block; default: the device's. On the CPU more than 0 means fibers:
                            for tests */
    uint32_t units;      /* a planned share of the device: so many multiprocessors; default: all */
    uint32_t tenant;
    const rk_param_value *params;
    size_t param_count;
    uint64_t seed;          /* of the kernel's random numbers */
    uint32_t command_slots; /* H2K ring; power of two, default 256 */
    uint32_t answer_slots;  /* K2H ring; power of two, default 4096, at least 4 x in_flight_limit */
    uint32_t inbox_slots;   /* K2K ring; power of two, default 1024 */
    uint64_t slab_bytes;    /* payloads from the host longer than a slot; default, least: 1 MiB */
    uint32_t in_flight_limit;    /* unanswered commands; power of two, default 256 */
    uint32_t trace_slots;        /* records of the timeline (trace.h); power of two, default 4096 */
    const rk_pool_options *pool; /* a memory pool behind the fields; default: none */
    rk_restart restart;
    uint32_t restart_limit;     /* restarts within the window; default 3, at most 16 */
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
/*
 * Starts a created kernel on the state of a parked one, whose module may be another: its migrate
 * handler runs instead of init and reads the old arena; the step goes on. The old kernel is not
 * changed, so it can be started again when this fails. RK_PANIC if the handler refused the old
 * state; RK_UNSUPPORTED without a migrate handler, or on different devices.
 */
RK_API rk_status rk_kernel_start_from(rk_kernel *kernel, rk_kernel *old, rk_err *err);
/* Makes it leave the device at the next safe point and waits for that; the arena stays. */
RK_API rk_status rk_kernel_park(rk_kernel *kernel, uint64_t timeout_ns, rk_err *err);
/*
 * Terminates it if it is resident, and frees it. Blocks until it passes a safe point. In a host
 * process one that passes none for options.patience_ns is killed with that process; a kernel of
 * this process whose handler never returns is waited for without end. Other threads must have let
 * go of it.
 */
RK_API void rk_kernel_destroy(rk_kernel *kernel);

RK_API const char *rk_kernel_name(const rk_kernel *kernel);
RK_API uint32_t rk_kernel_id(const rk_kernel *kernel);
RK_API uint32_t rk_kernel_tenant(const rk_kernel *kernel);
RK_API rk_module *rk_kernel_module(const rk_kernel *kernel);
RK_API rk_kernel *rk_runtime_find_kernel(rk_runtime *runtime, const char *name);
/* Calls fn for every kernel, in the order of creation. fn must not create or destroy kernels. */
RK_API void rk_runtime_each_kernel(rk_runtime *runtime,
                                   void (*fn)(void *context, rk_kernel *kernel), void *context);

/*
 * Opens a route: `from` may rk_send to `to`. The kernel's code names routes by index, in the order
 * of the connections, starting at 0. Both kernels live on the same device and in the same tenant
 * (RK_TENANT). Works before and after they start.
 */
RK_API rk_status rk_kernel_connect(rk_kernel *from, rk_kernel *to, uint32_t *out_route,
                                   rk_err *err);

/*
 * Reads or writes a field's elements, `first` and `count` in elements of the field's type. Not
 * while the kernel takes steps: RK_STATE (pause it first).
 */
RK_API rk_status rk_kernel_read_field(rk_kernel *kernel, const char *field, uint64_t first,
                                      uint64_t count, void *out_data, rk_err *err);
RK_API rk_status rk_kernel_write_field(rk_kernel *kernel, const char *field, uint64_t first,
                                       uint64_t count, const void *data, rk_err *err);
/* Elements of a field as laid out, and bytes of one. */
RK_API rk_status rk_kernel_field_size(const rk_kernel *kernel, const char *field,
                                      uint64_t *out_elements, uint32_t *out_element_bytes,
                                      rk_err *err);
/* Its dimensions, slowest first, and the type of its elements (RK_TYPE_*, never RK_TYPE_REAL). */
RK_API rk_status rk_kernel_field_shape(const rk_kernel *kernel, const char *field,
                                       uint64_t out_dimensions[RK_SCHEMA_DIMENSION_MAX],
                                       uint32_t *out_count, uint32_t *out_type, rk_err *err);
/* A parameter's value as laid out, as a number. */
RK_API rk_status rk_kernel_param(const rk_kernel *kernel, const char *name, double *out_value,
                                 rk_err *err);

/*
 * The pool of rk_launch.pool, or NULL; it lives as long as the kernel. The kernel finds its region
 * at RK_POOL(k), and learns offsets from messages. For the three things that a pool needs of its
 * owner the rules of kernels hold: memory is zeroed while the kernel takes no steps, moved and
 * grown (rk_pool_defragment, rk_pool_grow) while it is parked or not started yet. Growing allocates
 * a new arena and copies the old one, so both are there for a moment; kernels that have a route to
 * this one must be parked, too: RK_BUSY. A restart after a failure leaves the pool as it is. Not
 * from event callbacks.
 */
RK_API rk_pool *rk_kernel_pool(rk_kernel *kernel);
/*
 * Copies from or to an allocation, `first` and `bytes` in bytes within it. Not while the kernel
 * takes steps: RK_STATE. RK_INVALID outside of it; errors of rk_pool_query.
 */
RK_API rk_status rk_kernel_read_pool(rk_kernel *kernel, rk_pool_handle handle, uint64_t first,
                                     uint64_t bytes, void *out_data, rk_err *err);
RK_API rk_status rk_kernel_write_pool(rk_kernel *kernel, rk_pool_handle handle, uint64_t first,
                                      uint64_t bytes, const void *data, rk_err *err);

/* Values as in abi/control.h: RK_KERNEL_IDLE and so on. */
RK_API uint32_t rk_kernel_state(const rk_kernel *kernel);
RK_API const char *rk_kernel_state_text(uint32_t state);
/* Whether it is on its device. After a quiesce or terminate command it still leaves for a moment.
 */
RK_API bool rk_kernel_is_resident(const rk_kernel *kernel);

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

/* Asks the kernel nothing: works in every state. */
RK_API void rk_kernel_read_snapshot(rk_kernel *kernel, rk_kernel_snapshot *out_snapshot);
/* One sentence about why a kernel ended (panic text, signal, address), or NULL. Caller's buffer. */
RK_API const char *rk_kernel_failure(rk_kernel *kernel, char *buffer, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
