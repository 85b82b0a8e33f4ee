/*
 * process.h: a host process, seen from its parent. Used by the drivers that keep kernels there.
 */
#ifndef RK_DEVICE_CPU_PROCESS_H
#define RK_DEVICE_CPU_PROCESS_H

#include "base/thread.h"
#include "device/cpu/host.h"
#include <sys/types.h>

#define RK_HOST_ALL_KERNELS UINT32_MAX

typedef struct rk_host_process {
    /*
     * Set by the owner after init. Both are called with `lock` held and must not block.
     * exited: a kernel has exited (lost: and its device is lost); RK_HOST_ALL_KERNELS: the process
     * has ended, with all that were in it. sending (may be NULL): a request is about to be sent to
     * the process with the present number.
     */
    void (*exited)(void *context, uint32_t kernel, bool lost);
    void (*sending)(void *context, const rk_host_message *message);
    void *context;

    char **argv;           /* a copy */
    rk_mutex request_lock; /* one request at a time; also guards socket and reader */
    rk_mutex lock;         /* what follows, and what the owner keeps about its kernels */
    rk_cond replied;
    bool has_reply;
    bool alive;
    rk_host_message reply;
    bool spawned; /* the reader has tried to start the process */
    int spawn_error;
    int socket;
    int child_socket; /* for the reader, until the process has it */
    int pidfd;
    pid_t pid;
    uint64_t number; /* counts processes, from 1; request_lock and lock to change it */
    rk_thread reader;
} rk_host_process;

/* Starts nothing yet. RK_INVALID without argv, RK_NO_MEMORY. */
rk_status rk_host_process_init(rk_host_process *self, const char *const *argv, rk_err *err);
void rk_host_process_finish(rk_host_process *self);

/*
 * Makes one request and waits for its reply, which may carry the error; out_reply may be NULL.
 * Without may_start RK_CLOSED when no process runs. One that does not answer is ended. Blocks.
 */
rk_status rk_host_process_request(rk_host_process *self, const rk_host_message *message,
                                  const int *fds, uint32_t fd_count, bool may_start,
                                  rk_host_message *out_reply, rk_err *err);

/* Ends the process, if one runs, and waits until it has ended. Not under lock. */
void rk_host_process_end(rk_host_process *self);

/* Ends the process, which closes its socket, which ends the reader. lock is held. */
void rk_host_process_kill(rk_host_process *self);

#endif
