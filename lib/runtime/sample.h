/*
 * sample.h: having a kernel publish its counters, for telemetry. Private to devices.c, supervise.c
 * and commands.c.
 */
#ifndef RK_RUNTIME_SAMPLE_H
#define RK_RUNTIME_SAMPLE_H

#include "abi/word.h"
#include <ringkernel/runtime.h>

typedef struct rk_sample {
    rk_u32 wanted; /* 1: the supervisor shall ask the kernel for its counters */
    uint64_t id;   /* of the last command that did so; the supervisor's */
} rk_sample;

/*
 * Asks the kernel to publish its counters, unless the last such request is still on its way or the
 * program has half of the commands in flight that it may have. Nobody waits for the answer. Of the
 * supervisor.
 */
void rk_commands_sample(rk_kernel *kernel);
#endif
