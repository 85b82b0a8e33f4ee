/*
 * actors_erlang.h: Erlang/OTP as a child process that runs workloads on demand.
 */
#ifndef RK_BENCH_ACTORS_ERLANG_H
#define RK_BENCH_ACTORS_ERLANG_H

#include <ringkernel/status.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct rk_erlang {
    pid_t pid;
    FILE *to;
    int from;
    char folder[64]; /* temporary; holds the compiled module */
} rk_erlang;

/* Compiles the workloads and starts erl. Not RK_OK: err says why there is none. */
rk_status rk_erlang_start(rk_erlang *erlang, rk_err *err);
void rk_erlang_stop(rk_erlang *erlang);

/* Sends a command (bench/erlang/actors.erl) and waits up to a minute for the number it answers. */
rk_status rk_erlang_run(rk_erlang *erlang, double *out_result, const char *format, ...)
    RK_PRINTF(3, 4);

#endif
