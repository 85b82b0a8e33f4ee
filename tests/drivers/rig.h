/*
 * rig.h: kernels on a driver's table of operations, without the runtime: for tests of drivers.
 *
 * What fails fails the test, with the sentence.
 */
#ifndef TESTS_DRIVERS_RIG_H
#define TESTS_DRIVERS_RIG_H

#include "core/ring.h"
#include "device/device.h"
#include "module/bundle.h"
#include "runtime/layout.h"
#include <ringkernel/abi/command.h>

typedef struct rig {
    const rk_driver_ops *ops;
    rk_device *device;
    rk_device_caps caps;
    rk_bundle *bundle; /* of ticker_kernel.c */
} rig;

typedef struct rig_kernel {
    rig *rig;
    const char *name;
    rk_layout layout;
    uint32_t lanes; /* as in rk_exec_args; set before the launch, as units */
    uint32_t units;
    rk_code *code;
    rk_mem arena;
    rk_mem mapped;
    rk_control *control;
    rk_ring_end h2k;
    rk_ring_end k2h;
    rk_exec *exec; /* NULL: not launched */
    uint64_t next_id;
    bool started;
    _Atomic uint32_t exits; /* calls of on_exit */
} rig_kernel;

void rig_open(rig *out_rig, const rk_driver_ops *ops);
void rig_close(rig *r);

typedef struct rig_options {
    uint32_t blocks; /* 0: 2 */
    uint32_t cells;  /* 0: the default */
    bool talk;
    bool fiber; /* code with real lanes */
    bool poller;
    uint32_t lease_steps;
    uint32_t lease_polls;
} rig_options;

/* Memory and code; options may be NULL. The other form returns what the driver says. */
void rig_make(rig *r, const char *name, const rig_options *options, rig_kernel *out_kernel);
rk_status rig_try_make(rig *r, const char *name, const rig_options *options, rig_kernel *out_kernel,
                       rk_err *err);
/* Lays the kernel out as if it had never run. */
void rig_lay_out(rig_kernel *kernel, const rig_options *options);
void rig_drop(rig_kernel *kernel);

/* The first launch runs init, later ones go on. */
void rig_launch(rig_kernel *kernel);
rk_status rig_try_launch(rig_kernel *kernel, rk_err *err);

/* Sends a command and waits until it is applied. */
rk_answer rig_ask(rig_kernel *kernel, uint32_t command, uint64_t argument);
/* The same, without waiting; returns its id. */
uint64_t rig_tell(rig_kernel *kernel, uint32_t command, uint64_t argument);
rk_answer rig_await(rig_kernel *kernel, uint64_t id);

/* Waits for the exit and releases the handle; on_exit must have been called once. */
void rig_await_exit(rig_kernel *kernel);
/* Tells it to leave (RK_CMD_QUIESCE or RK_CMD_TERMINATE) and waits for the exit. */
void rig_leave(rig_kernel *kernel, uint32_t command);

/* Checks that every cell holds this count. */
void rig_check_cells(rig_kernel *kernel, uint32_t expected);

#endif
