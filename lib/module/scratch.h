/*
 * scratch.h: a folder for temporary files that goes away with its process.
 *
 * A guardian, `xargs rm -rf`, holds the reading end of a pipe whose writing end only this process
 * has: when the process ends, in whatever way, even by SIGKILL, the pipe ends, and the guardian
 * removes the folder. It runs in a process group of its own, so Ctrl-C does not reach it. Where
 * there is no xargs, only rk_scratch_finish removes the folder.
 */
#ifndef RK_MODULE_SCRATCH_H
#define RK_MODULE_SCRATCH_H

#include <ringkernel/status.h>
#include <sys/types.h>

typedef struct rk_scratch {
    char path[512];
    int pipe;       /* -1: no guardian */
    pid_t guardian; /* -1: none */
} rk_scratch;

/* Makes a folder that only this user can enter, in TMPDIR or /tmp. Errors name the place. */
rk_status rk_scratch_init(rk_scratch *scratch, rk_err *err);

/* Removes the folder and everything in it. */
void rk_scratch_finish(rk_scratch *scratch);

#endif
