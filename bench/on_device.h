/*
 * on_device.h: the built-in kernels actors and pingpong as benches drive them, on any device.
 */
#ifndef RK_BENCH_ON_DEVICE_H
#define RK_BENCH_ON_DEVICE_H

#include <ringkernel/ringkernel.h>

#define RK_BENCH_FAN 63u /* senders to one sink */

/* Modes of kernels/actors.c. */
typedef enum rk_bench_traffic {
    RK_BENCH_RING,
    RK_BENCH_RANDOM,
    RK_BENCH_FANIN,
    RK_BENCH_TRAFFICS
} rk_bench_traffic;

/*
 * Starts kernel actors with this many actors, blocks (0: the device's own number) and messages that
 * a lane handles in a step. The caller destroys it.
 */
rk_status rk_bench_actors_start(rk_runtime *runtime, const char *device, uint32_t blocks,
                                uint32_t actors, uint32_t slice, rk_kernel **out_kernel,
                                rk_err *err);

/*
 * Million messages per second of `flight` messages with this many hops each; of a fan-in: of `hops`
 * messages from each sender. From the command to the message that it is over, as the host sees it.
 * An error if another number of messages was handled.
 */
rk_status rk_bench_actors_play(rk_kernel *kernel, rk_bench_traffic traffic, uint32_t actors,
                               uint32_t flight, uint32_t hops, double *out_mmsg_s, rk_err *err);

/* Modes of kernels/pingpong.c. */
typedef enum rk_bench_path {
    RK_BENCH_LANES,
    RK_BENCH_BLOCKS,
    RK_BENCH_DEVICE_MEMORY,
    RK_BENCH_KERNELS,
    RK_BENCH_MANY_TO_ONE,
    RK_BENCH_ONE_TO_MANY,
    RK_BENCH_PATHS
} rk_bench_path;

typedef struct rk_bench_k2k {
    const char *way;   /* "shared memory", "cluster", "device memory", "kernel" */
    double one_way_us; /* half the mean round trip; 0 without a device clock    */
    double fastest_us; /* half the fastest                                      */
    double mmsg_s;     /* of fan-in and broadcast: messages received            */
    uint64_t steps;    /* that the kernel took meanwhile                        */
} rk_bench_k2k;

/* Starts kernel pingpong; with other not NULL two of them that send to each other. */
rk_status rk_bench_k2k_start(rk_runtime *runtime, const char *device, uint32_t blocks,
                             rk_kernel **out_kernel, rk_kernel **out_other, rk_err *err);
/* RK_UNSUPPORTED: too few lanes or blocks for this path. A wrong word is an error. */
rk_status rk_bench_k2k_play(rk_kernel *kernel, rk_bench_path path, uint32_t rounds, uint32_t bytes,
                            rk_bench_k2k *out, rk_err *err);

#endif
