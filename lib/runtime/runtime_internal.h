/*
 * runtime_internal.h: the objects behind the public headers. Private to lib/runtime.
 *
 * Who may touch what
 *   - A kernel's life (launch, exit, restart) is changed by one party at a time, under `life`.
 *     Exits are handled by the runtime's supervisor thread only, which releases the exec.
 *   - The H2K producer end, ids and the slab belong to whoever holds `tx`.
 *   - The K2H consumer end and pending replies belong to whoever holds `rx`.
 *   - Emitted messages and the port (port.h) are used under `port_lock`.
 *   - The list of kernels, routes and exec pointers change under the runtime's kernels_lock.
 *   - The arena's address and size change under `arena_lock`.
 *   - Order of locks: the pool's own, life, kernels_lock, tx, rx, port_lock, arena_lock.
 */
#ifndef RK_RUNTIME_INTERNAL_H
#define RK_RUNTIME_INTERNAL_H

#include "base/thread.h"
#include "core/ring.h"
#include "core/slab.h"
#include "device/device.h"
#include "module/module.h"
#include "runtime/layout.h"
#include "runtime/port.h"
#include "runtime/sample.h"
#include "runtime/tracing.h"
#include <ringkernel/command.h>

#define RK_EMITTED_MAX 4096u
#define RK_EMITTED_MAX_BYTES ((uint64_t)64 << 20)
#define RK_RESTART_MAX 16u
#define RK_HOME_MAX 128u

/*
 * A submitted command. state says who may use it: the submitter (FREE), the drain (OPEN,
 * ACCEPTED), the waiter or the next submitter, whoever is first to make it TAKEN (DONE).
 */
typedef enum pending_state {
    PENDING_FREE,
    PENDING_OPEN,
    PENDING_ACCEPTED,
    PENDING_DONE,
    PENDING_TAKEN
} pending_state;

typedef struct rk_pending {
    uint64_t id;
    rk_u32 state;  /* pending_state; every change is a release */
    rk_u32 wanted; /* somebody will ask for the reply */
    rk_u32 has_slab;
    rk_u32 type; /* of the command: RK_CMD_*, or a message's type */
    rk_slab_ref slab;
    void *record;      /* of the port's message; NULL: the host's own command */
    uint32_t port;     /* port_number of the time */
    rk_reply accepted; /* set before ACCEPTED */
    rk_reply reply;    /* set before DONE */
} rk_pending;

#define FAILURE_HOST_LOST 100u /* the host process ended */

/* A copy of the record in the control block. */
typedef struct rk_failure {
    uint32_t kind; /* RK_FAULT_*, or FAILURE_HOST_LOST */
    uint32_t code;
    uint32_t block;
    uint64_t step;
    uint64_t address;
    char text[RK_PANIC_TEXT_BYTES];
} rk_failure;

/* An opened device. Stays until the runtime ends. */
typedef struct rk_home {
    const rk_driver_ops *driver;
    rk_device *device;
    rk_device_caps caps;
} rk_home;

struct rk_kernel {
    rk_runtime *runtime;
    rk_kernel *next; /* in order of creation */
    char name[RK_NAME_BYTES];
    uint32_t id;
    uint32_t tenant;
    const rk_home *home; /* the device that it lives on */
    uint32_t variant;
    uint32_t lanes;
    uint32_t units; /* its planned share of the device; 0: all */
    rk_module *module;
    uint64_t *params;
    rk_layout layout;
    rk_layout_identity identity;
    rk_mem arena;
    rk_mutex arena_lock;
    rk_pool *pool; /* NULL: it has none */
    rk_mem mapped;
    rk_control *control;
    rk_code *code;

    rk_mutex life;
    rk_exec *exec;         /* not NULL on the device, until the exit is handled; kernels_lock */
    rk_u32 resident;       /* 1 from launch until the exit has been handled; a word to wait on */
    rk_u32 exited;         /* set by the driver; cleared by the supervisor */
    rk_u32 ended;          /* 1: it will not run again by itself; waits fail */
    rk_mutex failure_lock; /* innermost */
    rk_failure failure;    /* why the last exit happened; the kernel's own record may change */
    rk_u32 host_filled;    /* 1: the host has written fields that a restart keeps */
    bool started;          /* init has run in this arena */
    bool restart_due;      /* to be restarted when its lost device has been recovered; life */
    bool settle_due;       /* the recovery has not come to it yet; kernels_lock */
    rk_restart restart;
    uint32_t restart_limit;
    uint64_t restart_window_ns;
    uint64_t restart_times_ns[RK_RESTART_MAX];
    rk_u32 restarts;  /* written under life, read anywhere */
    rk_u32 exits;     /* grows with every exit that has been handled; a word to wait on */
    rk_u32 last_exit; /* the state that the last exit left; set before `exits` grows */
    rk_sample sample;
    rk_u32 pinned; /* 1: the supervisor is telling about it; a word to wait on */
    uint64_t stall_heartbeat;
    uint64_t stall_since_ns;
    bool stalled;
    rk_kernel *routes[RK_ROUTE_MAX];
    uint32_t route_count;

    rk_mutex tx;
    rk_ring_end h2k;
    rk_slab slab;
    uint64_t next_id;

    rk_mutex rx;
    rk_ring_end k2h;
    rk_u32 drained;       /* grows whenever replies have been delivered; a word to wait on */
    rk_u32 drain_waiters; /* threads that want rx, or sleep on drained */
    rk_u32 damaged;       /* 1: the kernel's side broke its answer ring */
    rk_pending *pending;
    uint32_t in_flight_limit;
    rk_u32 in_flight;
    rk_u32 open_runs;    /* of those in flight: runs */
    rk_u32 open_resumes; /* and resumes */

    rk_tracing tracing;
    rk_mutex port_lock;
    const rk_port_ops *port; /* NULL: none is open */
    void *port_context;
    uint32_t port_number; /* rises with each port */
    rk_u32 nudged;        /* whoever sleeps on the answers gives up rx while it is set */
    rk_emitted *emitted_first;
    rk_emitted *emitted_last;
    uint32_t emitted_count;
    uint64_t emitted_bytes;
    uint64_t emitted_dropped;
};

struct rk_runtime {
    rk_mutex homes_lock; /* taken to open a device; homes below home_count never change */
    rk_home homes[RK_HOME_MAX];
    rk_u32 home_count;
    rk_runtime_options options;
    rk_mutex kernels_lock;
    rk_kernel *kernels;
    uint32_t next_kernel_id;
    rk_kernel *graveyard; /* destroyed, but other kernels may still send there */
    rk_thread supervisor;
    rk_u32 work;     /* grows when the supervisor has something to look at */
    rk_u32 stopping; /* */
};

/* devices.c */
/* Opens the devices that the options name. */
rk_status rk_devices_open(rk_runtime *runtime, rk_err *err);
void rk_devices_close(rk_runtime *runtime);
/* Finds "cpu:0", or "cpu" for its first; NULL for the runtime's first. Opens it where needed. */
rk_status rk_devices_find(rk_runtime *runtime, const char *name, const rk_home **out_home,
                          rk_err *err);

/* supervise.c */
void rk_supervise_main(void *runtime);
void rk_supervise_kick(rk_runtime *runtime);
void rk_supervise_forget_failure(rk_kernel *kernel);
/* The driver's on_exit: any thread. */
void rk_supervise_on_exit(void *kernel);

/*
 * Ends a lost device's absence: when its last kernel has left, recovers it, restarts the kernels
 * whose policy says so, and ends those whose state is gone. The supervisor's thread.
 */
void rk_recover_look(rk_runtime *runtime, const rk_home *home);
bool rk_home_is_lost(const rk_home *home);
/* Restarts a failed kernel by its policy. life is held. */
void rk_supervise_restart(rk_kernel *kernel);
/* Notes why a kernel has ended for good, fails what is open, and tells. life is held. */
void rk_supervise_end(rk_kernel *kernel, rk_event_kind kind, const char *text);
void rk_supervise_tell(rk_kernel *kernel, rk_event_kind kind, const char *text);
/* resident.c */
/*
 * Writes control block and rings into a zeroed page, and `bytes` of the arena's head: parameters
 * and tables, and, with all of head_bytes, what other kernels see.
 */
rk_status rk_kernel_write_head(rk_kernel *kernel, uint8_t *mapped, uint64_t bytes, rk_err *err);
void rk_kernel_free(rk_kernel *kernel);

/* life.c */
/* Launches with RK_ENTRY_*; life is held. migrate_from is parked, for RK_ENTRY_MIGRATE only. */
rk_status rk_kernel_launch_locked(rk_kernel *kernel, uint32_t entry, rk_kernel *migrate_from,
                                  rk_err *err);
/* Fills the arena anew for a restart, but for fields that only the host writes. life is held. */
rk_status rk_kernel_reset_locked(rk_kernel *kernel, rk_err *err);

/* commands.c */
rk_status rk_commands_init(rk_kernel *kernel, uint32_t in_flight_limit, rk_err *err);
/* Attaches the host's ends to rings that were just laid out. */
rk_status rk_commands_attach(rk_kernel *kernel, rk_err *err);
void rk_commands_finish(rk_kernel *kernel);
/* Puts a command or message into the ring. record: of the port, see rk_port_send; then a full ring
 * is RK_FULL. */
rk_status rk_commands_submit(rk_kernel *kernel, const rk_msg_header *header, const void *payload,
                             size_t bytes, void *record, uint64_t *out_id, rk_err *err);
/* Takes what has arrived, unless another thread is at it. */
void rk_commands_look(rk_kernel *kernel, bool wait_for_rx);
/* Sleeps until something has changed since `seen` was read from `drained`, and takes it. */
rk_status rk_commands_wait_turn(rk_kernel *kernel, rk_u32 seen, uint64_t deadline_ns);
/* The error of a kernel whose answer ring is damaged. */
rk_status rk_commands_refuse_damaged(const rk_kernel *kernel, rk_err *err);
/*
 * Whether the kernel may take a step before the host's next command: it does so now, or a command
 * that makes it do so has not been answered. Takes what has arrived first.
 */
bool rk_commands_may_step(rk_kernel *kernel);
/* Takes what has arrived, then answers every open command with status. */
void rk_commands_fail_all(rk_kernel *kernel, rk_status status);
/* Wakes everybody who waits for answers or messages. */
void rk_commands_wake(rk_kernel *kernel);
/* The status and sentence of a kernel that has ended. */
rk_status rk_kernel_end_status(rk_kernel *kernel, rk_err *err);
/* The TRACE command: what to write down, and of every n-th step. */
rk_status rk_commands_trace(rk_kernel *kernel, uint32_t mask, uint32_t every, uint64_t *out_id,
                            rk_err *err);

/* port.c */
void rk_port_init(rk_kernel *kernel);
void rk_port_finish(rk_kernel *kernel);
/* Keeps an emitted message until it is taken. rx is held. */
void rk_port_emitted(rk_kernel *kernel, const rk_slot *slot, uint32_t bytes);
/* Tells the port that its message was applied, or not. rx is held. */
void rk_port_done(rk_kernel *kernel, const rk_pending *pending, rk_status status);
/* Tells the port that the kernel left its device, unless it was parked. */
void rk_port_exited(rk_kernel *kernel);
/* Tells the port that the kernel is about to be freed. */
void rk_port_destroyed(rk_kernel *kernel);

#endif
