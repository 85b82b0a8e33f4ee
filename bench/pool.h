/*
 * pool.h: what the pool bench measures: an allocator behind four functions.
 */
#ifndef RK_BENCH_POOL_H
#define RK_BENCH_POOL_H

#include "bench/bench.h"

typedef struct rk_bench_allocator {
    bool (*allocate)(void *context, uint64_t bytes, uint64_t *out_block);
    bool (*free)(void *context, uint64_t block);
    void (*empty)(void *context); /* what is cached goes back to where it came from */
    void *context;
} rk_bench_allocator;

/*
 * CUDA's stream-ordered allocator on the first device, through libcuda. NULL when there is none;
 * *out_reason says why. One at a time.
 */
const rk_bench_allocator *rk_bench_cuda_open(const char **out_reason);
void rk_bench_cuda_close(void);

#endif
