/*
 * table.c: the one table of benches.
 */
#include "bench/benches.h"

#include "base/compiler.h"

#include <string.h>

const rk_bench rk_bench_table[] = {
    {"actors", "bytes and time per actor, and messages per second, beside Erlang",
     rk_bench_run_actors},
    {"compile", "time of a build: in one piece, of the changed part, and of nothing",
     rk_bench_run_compile},
    {"device-actors",
     "messages per second of actors inside a kernel, beside the host's actor system",
     rk_bench_run_device_actors},
    {"fabric", "messages per second through the broker, and copies per second when publishing",
     rk_bench_run_fabric},
    {"hlc", "ticks per second of a hybrid logical clock on 1, 2 and 4 threads", rk_bench_run_hlc},
    {"idle", "CPU time and memory of 100 resident kernels that have nothing to do",
     rk_bench_run_idle},
    {"k2k", "time and rate of messages between the blocks of a kernel, and between kernels",
     rk_bench_run_k2k},
    {"opencl", "time to load, launch, answer and step on the first OpenCL device",
     rk_bench_run_opencl},
    {"pool", "time to allocate and free in a memory pool, warm and cold, and fragmentation",
     rk_bench_run_pool},
    {"ring", "messages per second between two threads, one at a time and in batches",
     rk_bench_run_ring},
    {"roundtrip", "time from a command to its answer: hot, after 1 ms idle, on a busy machine",
     rk_bench_run_roundtrip},
    {"step", "time of an empty step with 1, 2 and more blocks", rk_bench_run_step},
    {"wave3d", "cells per second of the acoustic kernel, beside the memory bandwidth",
     rk_bench_run_wave3d},
};

const size_t rk_bench_count = RK_COUNT_OF(rk_bench_table);

const rk_bench *rk_bench_find(const char *name)
{
    for (size_t i = 0; i < rk_bench_count; i++) {
        if (strcmp(rk_bench_table[i].name, name) == 0) {
            return &rk_bench_table[i];
        }
    }
    return NULL;
}
