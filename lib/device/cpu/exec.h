/*
 * exec.h: kernels as threads of this process: one thread per block. Used by the embedded CPU driver
 * and by host processes.
 */
#ifndef RK_DEVICE_CPU_EXEC_H
#define RK_DEVICE_CPU_EXEC_H

#include "base/thread.h"
#include "device/device.h"
#include <ringkernel/kernel/context.h>
#include <setjmp.h>

typedef void (*rk_cpu_entry)(rk_ctx *k, rk_u8 *arena, rk_u8 *mapped, const rk_u8 *old);

typedef struct rk_cpu_exec rk_cpu_exec;

/* One block of a resident kernel: a thread, or in fiber mode a thread with many lanes. */
typedef struct rk_cpu_block {
    rk_thread thread;
    rk_ctx context;
    rk_cpu_exec *exec;
    jmp_buf leave; /* where a panic goes */
    void *shared;
    struct rk_fibers *fibers; /* NULL with one lane */
    uint32_t index;
} rk_cpu_block;

struct rk_cpu_exec {
    char name[RK_DEVICE_NAME_BYTES];
    rk_cpu_entry entry;
    uint8_t *arena;
    uint8_t *mapped;
    const uint8_t *old;
    rk_env env;
    uint32_t block_count; /* all of them, a poller included */
    uint32_t shared_bytes;
    uint32_t live; /* blocks that have not left; the last one calls on_exit */
    uint32_t left; /* 1 when all have left: a word to wait on */
    bool remote;
    uint32_t stop;     /* 1: blocks leave at their next barrier or idle moment */
    uint32_t recorded; /* 1: a block writes, or has written, the panic and fault record */
    void (*on_exit)(void *context);
    void *on_exit_context;
    rk_cpu_block *blocks;
    /* The last command came after a long silence. Of the block that decides; it goes from block to
     * block through the kernel's barrier, which the thread sanitizer does not see. */
    _Atomic bool woken_late;
};

/* Code loaded into this process. */
typedef struct rk_cpu_code {
    void *handle;
    rk_cpu_entry entry;
    uint32_t shared_bytes;
    int fd;
} rk_cpu_code;

/* Loads an ELF shared object from memory. Every call makes a copy of its own. */
rk_status rk_cpu_code_load(rk_cpu_code *out_code, const void *image, uint64_t bytes, rk_err *err);
/* The same from an open file descriptor, which the code takes over on success. */
rk_status rk_cpu_code_load_fd_take(rk_cpu_code *out_code, int fd, rk_err *err);
void rk_cpu_code_finish(rk_cpu_code *code);

/* Areas are addresses of this process, laid out; borrowed until the exit. */
typedef struct rk_cpu_launch {
    const char *name;
    const rk_cpu_code *code;
    uint8_t *arena;
    uint8_t *mapped;
    const uint8_t *old; /* arena of the kernel whose state is taken over, or NULL */
    uint32_t grid;      /* blocks; with control->poller one more than control->block_count */
    uint32_t lanes;     /* 0: one; more: fibers */
    void (*on_exit)(void *context); /* called once, by the last block */
    void *context;
    /*
     * As on a device that shares nothing with the host but memory: idle blocks poll and need no
     * bell, nobody outside the kernel is woken, and only the kernel writes its control block.
     */
    bool remote;
} rk_cpu_launch;

/* Starts all blocks. Destroy with rk_cpu_exec_destroy, after the exit. */
rk_status rk_cpu_exec_start(const rk_cpu_launch *launch, rk_cpu_exec **out_exec, rk_err *err);
/*
 * Makes a remote kernel leave without a word: each block does so where it next meets the others or
 * idles. Any thread; before rk_cpu_exec_destroy.
 */
void rk_cpu_exec_stop(rk_cpu_exec *exec);
rk_status rk_cpu_exec_wait(rk_cpu_exec *exec, uint64_t deadline_ns);
void rk_cpu_exec_destroy(rk_cpu_exec *exec);

/* Points a route of one kernel at another kernel of this process. */
rk_status rk_cpu_exec_connect(rk_cpu_exec *from, uint32_t route, rk_cpu_exec *to, rk_err *err);

/* The block that the calling thread runs, NULL outside. Async-signal-safe. */
rk_cpu_block *rk_cpu_block_current(void);

/* remote.c: what a remote kernel does instead of waiting for the host's bell and ringing it. */
void rk_cpu_remote_idle(rk_ctx *k, rk_u32 (*ready)(rk_ctx *k));
void rk_cpu_remote_wake(rk_u32 *word);
/* Blocks that do not sleep in idle (negative: fewer). */
void rk_cpu_awake_add(int32_t blocks);
/* Leaves the kernel for good, from inside it. */
RK_NORETURN void rk_cpu_block_abandon(rk_ctx *k);

/* fiber.c: lanes as fibers of one thread. */
typedef struct rk_fibers rk_fibers;
rk_status rk_fibers_create(rk_cpu_block *block, uint32_t lanes, rk_fibers **out_fibers);
void rk_fibers_destroy(rk_fibers *fibers);
/* Runs every lane to its end, switching at lane_sync. Returns when all have left or one
 * panicked. */
void rk_fibers_run(rk_fibers *fibers);
void rk_fibers_sync(rk_ctx *k);
RK_NORETURN void rk_fibers_leave(rk_ctx *k);

/* fault.c: an invalid access in a kernel is recorded and reported before the process ends. */
void rk_cpu_fault_install(void);
/* Gives the calling thread a stack for its fault handler. */
rk_status rk_cpu_fault_thread_enter(void **out_stack);
void rk_cpu_fault_thread_leave(void *stack);

#endif
