/*
 * process.h: runs programs (compilers) as child processes and takes what they print.
 *
 * No shell is involved. A child gets no signal mask and no ignored signals from the caller, an
 * empty standard input, and its output and errors in one pipe. One thread at a time per set.
 */
#ifndef RK_MODULE_PROCESS_H
#define RK_MODULE_PROCESS_H

#include "base/str.h"
#include <sys/types.h>

#define RK_PROCESS_OUTPUT_MAX ((size_t)1 << 20) /* of one child; what comes after is dropped */

typedef struct rk_process {
    const char *const *argv; /* argv[0] is a path; borrowed until the set has run */
    rk_str output;           /* what it printed */
    pid_t pid;
    int pipe;        /* -1: not running */
    int exit_status; /* after the run: 0 success, 1 to 255, or 128 + signal */
} rk_process;

/* argv ends with NULL. Finish it after the run. */
void rk_process_init(rk_process *process, const char *const *argv);
void rk_process_finish(rk_process *process);

/*
 * Runs all of them, at most `jobs` at a time, in order, and waits for their end. environment is a
 * NULL-terminated list or NULL for the caller's own. After the first that fails no further one is
 * started; what has not run keeps exit_status -1. A child that runs longer than timeout_ns is
 * terminated. RK_OK when all have ended (also with failures), RK_TIMEOUT, RK_IO, RK_NO_MEMORY.
 * Blocks.
 */
rk_status rk_process_run(rk_process *processes, uint32_t count, uint32_t jobs, uint64_t timeout_ns,
                         char *const *environment, rk_err *err);

/*
 * The path of a program: name itself if it holds a '/', else the first executable in PATH. The
 * caller frees *out_path. RK_NOT_FOUND, RK_NO_MEMORY.
 */
rk_status rk_process_find(const char *name, char **out_path);

#endif
