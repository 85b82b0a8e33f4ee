/*
 * unit.h: where a kernel is cut in two for compilation: the resident loop, which is the same
 * for all sources with the same handlers, and the source. `rk build` compiles the loop once,
 * keeps it, and links it with the source at every build (CUDA machine code only; elsewhere a
 * kernel is one unit).
 *
 * The loop knows of the source: which handlers there are (RK_HAS_*), and the functions below.
 * Whatever else it comes to depend on must pass through here.
 */
#ifndef RINGKERNEL_KERNEL_UNIT_H
#define RINGKERNEL_KERNEL_UNIT_H

#if defined(RK_UNIT_LOOP) || defined(RK_UNIT_USER)
#if !defined(RK_TARGET_CUDA)
#error "only CUDA kernels are compiled in two units"
#endif

#undef RK_HANDLER
#define RK_HANDLER extern "C" __device__
#define RK_UNIT_FN extern "C" __device__ __noinline__

RK_UNIT_FN rk_u32 rk_grid_barrier(rk_ctx *k, rk_u32 decide); /* the loop's; see loop.h */
RK_UNIT_FN void rk_unit_step(rk_ctx *k);                     /* the source's phases */
RK_UNIT_FN rk_u8 *rk_unit_shared(void); /* the source's RK_SHARED_BYTES of this block */
#else
#define RK_UNIT_FN RK_FN
#endif

#endif
