/*
 * resident.h: a runtime with one built-in echo kernel, for benches that drive the product as a
 * program would: launch, commands, replies, with the default checks on.
 */
#ifndef RK_BENCH_RESIDENT_H
#define RK_BENCH_RESIDENT_H

#include <ringkernel/command.h>

typedef struct rk_bench_resident {
    rk_runtime *runtime;
    rk_module *module;
    rk_kernel *kernel;
} rk_bench_resident;

/* Launches echo with this many blocks and waits until it is resident. Close it in any case. */
rk_status rk_bench_resident_open(rk_bench_resident *out_resident, uint32_t blocks, rk_err *err);
/* The same on a device such as "opencl:0"; NULL: the first. */
rk_status rk_bench_resident_open_on(rk_bench_resident *out_resident, const char *device,
                                    uint32_t blocks, rk_err *err);
void rk_bench_resident_close(rk_bench_resident *resident);

/* One ping and its answer; an answer that is not OK is an error. */
rk_status rk_bench_resident_ping(rk_kernel *kernel, rk_err *err);

#endif
