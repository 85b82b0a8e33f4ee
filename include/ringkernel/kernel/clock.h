/*
 * clock.h: the clock of the device. Part of kernel.h.
 */
#ifndef RINGKERNEL_KERNEL_CLOCK_H
#define RINGKERNEL_KERNEL_CLOCK_H

#include <ringkernel/kernel/context.h>

/*
 * The device's clock: for measuring, never for deciding what a kernel computes. rk_ticks counts
 * control->ticks_per_s a second; both are 0 where the target has no clock (OpenCL, or
 * RK_NO_DEVICE_CLOCK for CUDA drivers that do not know %globaltimer).
 */
#if defined(RK_TARGET_CPU)
#define rk_ticks(k) ((k)->env->now_ns())
#define rk_now_ns(k) ((k)->env->now_ns())
#elif defined(RK_TARGET_CUDA) && !defined(RK_NO_DEVICE_CLOCK)
RK_FN rk_u64 rk_ticks(const rk_ctx *k)
{
    rk_u64 ns;
    (void)k;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns)::"memory");
    return ns;
}
#define rk_now_ns(k) rk_ticks(k)
#elif defined(RK_TARGET_HIP) && !defined(RK_NO_DEVICE_CLOCK)
#if defined(__gfx1100__) || defined(__gfx1101__) || defined(__gfx1102__) || defined(__gfx1103__)
#define rk_ticks(k) ((void)(k), (rk_u64)__builtin_amdgcn_s_sendmsg_rtnl(0x83)) /* GET_REALTIME */
#else
#define rk_ticks(k) ((void)(k), (rk_u64)__builtin_amdgcn_s_memrealtime())
#endif
RK_FN rk_u64 rk_now_ns(const rk_ctx *k)
{
    rk_u64 rate = k->control->ticks_per_s;
    rk_u64 ticks = rk_ticks(k);
    return rate == 0u ? 0u : ticks / rate * 1000000000u + ticks % rate * 1000000000u / rate;
}
#else
#define rk_ticks(k) ((void)(k), (rk_u64)0)
#define rk_now_ns(k) ((void)(k), (rk_u64)0)
#endif

#endif
