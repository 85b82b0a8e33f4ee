/*
 * sim.h: the devices behind both fronts (cuda*.c, hip*.c): state, memory, faults. What they do is
 * in work.h.
 *
 * Locks: everything of a device is under its lock, and `changed` is broadcast after each change.
 * The table of memory has a lock of its own (memory.c), which is taken last. Execution of copies
 * and kernels holds no lock.
 *
 * Objects that are handed out as handles stay in memory, dead, until the test driver is configured
 * again, so that a stale handle is an error and not a crash.
 */
#ifndef RK_DRIVERS_TEST_SIM_H
#define RK_DRIVERS_TEST_SIM_H

#include "base/compiler.h"
#include "base/thread.h"
#include "device/cpu/exec.h"
#include "drivers/test/options.h"
#include "drivers/test/result.h"

typedef enum rk_sim_vendor { RK_SIM_CUDA, RK_SIM_HIP, RK_SIM_VENDORS } rk_sim_vendor;

typedef struct rk_sim_device rk_sim_device;
typedef struct rk_sim_queue rk_sim_queue;
typedef struct rk_sim_op rk_sim_op;

typedef enum rk_sim_kind {
    RK_SIM_STREAM = 0x5354,
    RK_SIM_EVENT = 0x4556,
    RK_SIM_MODULE = 0x4d4f,
    RK_SIM_CONTEXT = 0x4358
} rk_sim_kind;

/* The head of everything that is handed out as a handle. */
typedef struct rk_sim_object {
    rk_sim_kind kind;
    bool dead;
    rk_sim_device *device;
    struct rk_sim_object *next; /* all of the device */
} rk_sim_object;

/* A primary context (units 0) or a green one, with a share of the multiprocessors. */
typedef struct rk_sim_context {
    rk_sim_object object;
    uint32_t units;
} rk_sim_context;

typedef struct rk_sim_stream {
    rk_sim_object object;
    rk_sim_queue *queue;
    uint64_t last;     /* ticket of its latest operation */
    uint32_t units;    /* of its context; 0: all */
    uint32_t resident; /* kernels launched in it that have not left */
    bool blocking;     /* ordered with the default stream */
    bool is_default;
} rk_sim_stream;

typedef struct rk_sim_event {
    rk_sim_object object;
    rk_sim_stream *stream; /* that it was recorded in, or NULL */
    uint64_t ticket;
    uint64_t done_ns; /* when the stream reached it */
} rk_sim_event;

typedef struct rk_sim_module {
    rk_sim_object object;
    rk_cpu_code code;
    bool function_loaded; /* lazy loading: by the first launch, or cuFuncLoad */
} rk_sim_module;

#define RK_SIM_XID_MAX 16u

struct rk_sim_device {
    rk_sim_vendor vendor;
    uint32_t index;
    rk_mutex lock;
    rk_cond changed;
    rk_sim_context primary;
    uint32_t retained; /* references on the primary context */
    uint32_t flags;
    uint32_t resident;        /* kernels launched that have not left, waiting ones included */
    uint32_t resident_blocks; /* that run */
    uint64_t memory_used;
    uint32_t peers; /* bit of each device whose memory this one may reach */
    bool eager;     /* functions are loaded with their module */
    bool lost;      /* until the context is reset */
    bool gone;      /* for ever */
    uint32_t temperature;
    uint64_t ecc_errors;
    uint32_t xids[RK_SIM_XID_MAX]; /* ring of those reported */
    uint32_t xid_count;
    rk_sim_object *objects;
    rk_sim_queue *queues;
    rk_sim_queue *ended; /* those whose threads were stopped */
    uint32_t queue_count;
    uint32_t streams_made;
    rk_sim_stream *default_stream;
    rk_sim_op *running; /* kernels that run: for stopping them */
};

/* ---- state.c ------------------------------------------------------------------------------ */

/* The options, parsed from RK_TEST_GPU by the first caller. */
const rk_sim_options *rk_sim_config(void);
/* Makes the vendor's devices usable. PERMISSION, NO_DEVICE. */
rk_sim_result rk_sim_init(rk_sim_vendor vendor);
bool rk_sim_is_ready(rk_sim_vendor vendor);
/* Stops and forgets everything, and parses text instead of RK_TEST_GPU (which NULL reads again). */
rk_status rk_sim_configure(const char *text, rk_err *err);
/* NULL if there is none. */
rk_sim_device *rk_sim_device_at(rk_sim_vendor vendor, int64_t index);
/* The one with that PCI bus, device 0 of domain 0, as in rk_sim_bus. */
uint32_t rk_sim_bus(const rk_sim_device *device);
const char *rk_sim_device_name(const rk_sim_device *device);
uint32_t rk_sim_capacity(uint32_t units, uint32_t lanes); /* blocks; units 0: all */

/* Ends the life of everything that was made in the device's primary context. */
rk_sim_result rk_sim_reset(rk_sim_device *device);
/* Whether calls still work: OK, LOST, UNAVAILABLE. */
rk_sim_result rk_sim_health(rk_sim_device *device);

/*
 * For calls that may wait, on hardware, until no kernel is resident. As configured: OK, a loud
 * WOULD_WAIT that is counted, or OK after having waited.
 */
rk_sim_result rk_sim_may_wait(rk_sim_device *device, const char *call);
/* Reports a call that hardware would not forgive. Returns WOULD_WAIT. */
rk_sim_result rk_sim_violation(const rk_sim_device *device, const char *format, ...)
    RK_PRINTF(2, 3);
uint64_t rk_sim_violations(void);

/* Heap memory that lives until the next configuration; zeroed. NULL without memory. */
void *rk_sim_object_create(rk_sim_device *device, rk_sim_kind kind, size_t bytes);
/* The object behind a handle: OK, BAD_HANDLE, DESTROYED. */
rk_sim_result rk_sim_object_check(const void *handle, rk_sim_kind kind);

/* ---- memory.c ----------------------------------------------------------------------------- */

typedef enum rk_sim_memory_kind {
    RK_SIM_DEVICE_MEMORY, /* the address handed out cannot be accessed by the host */
    RK_SIM_HOST_MEMORY,   /* page-locked, the same address on both sides */
    RK_SIM_REGISTERED     /* the caller's own, page-locked */
} rk_sim_memory_kind;

#define RK_SIM_COHERENT 1u /* HIP: kernels and host see each other's writes while a kernel runs */
#define RK_SIM_FINE 2u     /* HIP: so do other devices */

rk_sim_result rk_sim_memory_alloc(rk_sim_device *device, rk_sim_memory_kind kind, uint64_t bytes,
                                  uint32_t flags, uint64_t *out_address);
rk_sim_result rk_sim_memory_register(rk_sim_device *device, void *host, uint64_t bytes);
/* address is the start of one. */
rk_sim_result rk_sim_memory_free(rk_sim_device *device, rk_sim_memory_kind kind, uint64_t address);
/* Everything of the device. Memory handed out cannot be accessed any more. */
void rk_sim_memory_drop(rk_sim_device *device);
/*
 * Where device memory, or page-locked host memory, really lies. BAD_ADDRESS if the range is not
 * within one allocation, or belongs to a device that this one may not reach. device NULL: any.
 */
rk_sim_result rk_sim_memory_real(const rk_sim_device *device, uint64_t address, uint64_t bytes,
                                 uint8_t **out_real);
/* Whether host memory is page-locked; *out_flags as at its allocation. */
bool rk_sim_memory_pinned(const void *host, uint64_t bytes, uint32_t *out_flags);
/* The allocation that address lies in. */
bool rk_sim_memory_range(uint64_t address, uint64_t *out_start, uint64_t *out_bytes);

/* ---- inject.c ----------------------------------------------------------------------------- */

/* "lost", "gone", "xid=79", "heat=95", "ecc=3". False if the text says nothing of that kind. */
bool rk_sim_inject(rk_sim_device *device, const char *fault);
/* Counts an operation against an option such as oom_after; true when it must fail. */
bool rk_sim_count_allocation(void);
bool rk_sim_count_copy(void);
/* Watches the control file, if there is one. */
void rk_sim_watch_start(const rk_sim_options *options);
void rk_sim_watch_stop(void);

#endif
