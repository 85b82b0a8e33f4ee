/*
 * cuda_raw.h: the references: what the CUDA driver does without RingKernel, in the same run and the
 * same context. Everything is loaded at run time; where there is no CUDA, open says so.
 */
#ifndef RK_BENCH_GPU_CUDA_RAW_H
#define RK_BENCH_GPU_CUDA_RAW_H

#include <ringkernel/status.h>
#include <stdint.h>

typedef struct cuda_raw cuda_raw;

/*
 * Loads driver and compiler, compiles the reference kernels. Before any kernel is resident on the
 * device. RK_NOT_FOUND, RK_DEVICE, RK_COMPILE.
 */
rk_status cuda_raw_open(uint32_t device, cuda_raw **out_raw, rk_err *err);
void cuda_raw_close(cuda_raw *raw); /* NULL is allowed; nothing may be resident */

/* Seconds of one launch of an empty kernel of that grid, and the wait for its end. */
rk_status cuda_raw_launch_sync(cuda_raw *raw, uint32_t blocks, uint32_t lanes, double *out_s);
/* The same by an instantiated graph. */
rk_status cuda_raw_graph_sync(cuda_raw *raw, uint32_t blocks, uint32_t lanes, double *out_s);
/* Bytes read and written per second by a copy within the device. */
rk_status cuda_raw_copy_rate(cuda_raw *raw, uint64_t bytes, double *out_bytes_s);
/* Cells per second of the plain seven-point stencil on n^3 cells, one launch per step. */
rk_status cuda_raw_stencil_rate(cuda_raw *raw, uint32_t n, uint32_t steps, double *out_cells_s);
/* Seconds of one cuMemAllocAsync and cuMemFreeAsync of so many bytes, and the wait for them. */
rk_status cuda_raw_pool_pair(cuda_raw *raw, uint64_t bytes, uint32_t pairs, double *out_s);

#endif
