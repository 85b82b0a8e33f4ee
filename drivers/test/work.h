/*
 * work.h: what the devices of sim.h do: streams, events, copies, modules and kernels.
 */
#ifndef RK_DRIVERS_TEST_WORK_H
#define RK_DRIVERS_TEST_WORK_H

#include "drivers/test/sim.h"

/* ---- queue.c ------------------------------------------------------------------------------ */

rk_sim_result rk_sim_stream_create(rk_sim_device *device, bool blocking, uint32_t units,
                                   rk_sim_stream **out_stream);
rk_sim_result rk_sim_stream_destroy(rk_sim_stream *stream);
/* NULL is the device's default stream. */
rk_sim_result rk_sim_stream_of(rk_sim_device *device, void *handle, rk_sim_stream **out_stream);
rk_sim_result rk_sim_stream_query(rk_sim_stream *stream);
rk_sim_result rk_sim_stream_wait(rk_sim_stream *stream);
rk_sim_result rk_sim_stream_wait_event(rk_sim_stream *stream, rk_sim_event *event);
/* For a call that waits for the stream's work: as rk_sim_may_wait, if a kernel stands before it. */
rk_sim_result rk_sim_stream_behind_kernel(rk_sim_stream *stream, const char *call);
/* Work of the default stream starts after that of all blocking streams. */
rk_sim_result rk_sim_stream_wait_blocking(rk_sim_stream *stream);
/* All streams of the device. */
rk_sim_result rk_sim_device_wait(rk_sim_device *device, const char *call);

rk_sim_result rk_sim_event_create(rk_sim_device *device, rk_sim_event **out_event);
void rk_sim_event_destroy(rk_sim_event *event);
rk_sim_result rk_sim_event_elapsed(rk_sim_event *from, rk_sim_event *to, float *out_ms);
rk_sim_result rk_sim_event_record(rk_sim_event *event, rk_sim_stream *stream);
rk_sim_result rk_sim_event_query(rk_sim_event *event);
rk_sim_result rk_sim_event_wait(rk_sim_event *event);

typedef enum rk_sim_op_kind {
    RK_SIM_OP_COPY,
    RK_SIM_OP_FILL,
    RK_SIM_OP_EVENT,
    RK_SIM_OP_CALL,
    RK_SIM_OP_WAIT, /* for another stream's event */
    RK_SIM_OP_FREE,
    RK_SIM_OP_KERNEL
} rk_sim_op_kind;

/* One operation of a queue. */
struct rk_sim_op {
    rk_sim_op_kind kind;
    uint64_t ticket;
    rk_sim_stream *stream;
    rk_sim_op *next;
    void *to;
    const void *from;
    void *owned; /* freed with the operation */
    uint64_t bytes;
    uint8_t value;
    rk_sim_event *event;
    void (*call)(void *argument);
    void *argument;
    uint64_t address;
    /* Kernels. */
    rk_cpu_code code;
    uint8_t *arena;
    uint8_t *mapped;
    uint8_t *old_arena;
    uint32_t grid;
    uint32_t lanes;
    rk_cpu_exec *exec;
    rk_sim_op *next_running;
};

/* Appends a copy of *op to the stream. */
rk_sim_result rk_sim_enqueue(rk_sim_stream *stream, const rk_sim_op *op);
/* Stops the threads of all queues; what is waiting in them is dropped. */
void rk_sim_queues_stop(rk_sim_device *device);

void rk_sim_queues_free(rk_sim_device *device);

/* ---- copy.c ----------------------------------------------------------------------------- */

/* A copy in stream order; exactly one side may be pageable host memory. `waits` names a call that
 * returns only when the copy is done, else NULL. */
typedef enum rk_sim_side { RK_SIM_ON_DEVICE, RK_SIM_ON_HOST } rk_sim_side;
rk_sim_result rk_sim_copy(rk_sim_stream *stream, uint64_t to, rk_sim_side to_side, uint64_t from,
                          rk_sim_side from_side, uint64_t bytes, const char *waits);
rk_sim_result rk_sim_fill(rk_sim_stream *stream, uint64_t to, uint8_t value, uint64_t bytes,
                          const char *waits);

/* Lets the device reach the peer's memory. NO_PEER, PEER_ENABLED. */
rk_sim_result rk_sim_peer_enable(rk_sim_device *device, const rk_sim_device *peer,
                                 const char *call);

/* ---- launch.c ----------------------------------------------------------------------------- */

rk_sim_result rk_sim_module_load(rk_sim_device *device, const void *image, const char *call,
                                 rk_sim_module **out_module);
rk_sim_result rk_sim_module_unload(rk_sim_module *module, const char *call);
/* A function is its module's only one. */
rk_sim_result rk_sim_function_find(rk_sim_module *module, const char *name, void **out_function);
rk_sim_result rk_sim_function_load(rk_sim_module *module, const char *call);

typedef struct rk_sim_launch {
    rk_sim_module *module;
    rk_sim_stream *stream;
    const uint32_t *grid;  /* 3 */
    const uint32_t *block; /* 3 */
    uint32_t dynamic_shared;
    void **params; /* pointers to arena, mapped and, where the code takes it, old arena */
    bool cooperative;
} rk_sim_launch;

rk_sim_result rk_sim_kernel_launch(const rk_sim_launch *launch);
/* Waits until the blocks of resident kernels leave some room; false if the device is lost. */
bool rk_sim_room_wait(rk_sim_device *device);
/* Runs one in the queue's thread. */
void rk_sim_kernel_run(rk_sim_op *op);
rk_sim_result rk_sim_occupancy(const rk_sim_module *module, int64_t lanes, uint64_t dynamic_shared,
                               int *out_blocks);

#endif
