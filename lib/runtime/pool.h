/*
 * pool.h: the memory pool of a kernel, for resident.c and supervise.c.
 */
#ifndef RK_RUNTIME_POOL_H
#define RK_RUNTIME_POOL_H

#include <ringkernel/resident.h>

/* Creates the pool of a kernel whose memory is laid out with a region for it. RK_INVALID, RK_LIMIT,
 * RK_NO_MEMORY. */
rk_status rk_kernel_pool_init(rk_kernel *kernel, const rk_pool_options *options, rk_err *err);

/*
 * A sentence about what was not freed; false: nothing, or no pool. Takes the pool's lock, which
 * comes before all of the kernel's.
 */
bool rk_kernel_pool_in_use(rk_kernel *kernel, char *buffer, size_t bytes);

#endif
