/*
 * target.h: what differs between the compilers of the kernel dialect, and nothing else.
 *
 * Atomics on words that the host or other kernels see have system scope; the dialect needs only
 * loads, stores, compare-and-swap and add on 32-bit words. RK_FN marks every function. On the CPU
 * a block is one thread with one lane, so lane loops are plain loops that vectorise; with RK_FIBER
 * a block has many real lanes (fibers), which finds barrier and sharing mistakes without a GPU.
 */
#ifndef RINGKERNEL_KERNEL_TARGET_H
#define RINGKERNEL_KERNEL_TARGET_H

#include <ringkernel/abi/types.h>

/* A condition that seldom holds. */
#if defined(RK_TARGET_CPU) || defined(RK_TARGET_HIP)
#define RK_RARE(condition) __builtin_expect((condition), 0)
#else
#define RK_RARE(condition) (condition)
#endif

#if defined(RK_TARGET_CPU)
/* CPU: gcc or clang, C17 */
#define RK_FN static inline __attribute__((unused))
#define RK_HANDLER static __attribute__((unused))
#define RK_COLD static __attribute__((unused, noinline, cold))
#define RK_OUTLINE static __attribute__((unused, noinline))
#define RK_RESTRICT __restrict__
#define RK_PREFETCH(p) __builtin_prefetch(p)
#define rk_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rk_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define rk_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rk_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rk_store64(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rk_load64(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define rk_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define rk_fetch_sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define rk_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rk_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
RK_FN rk_u32 rk_cas(rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    __atomic_compare_exchange_n(p, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}
#if defined(__x86_64__)
#define rk_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define rk_relax() __asm__ __volatile__("yield" ::: "memory")
#else
#define rk_relax() ((void)0)
#endif
#if defined(RK_FIBER)
#define RK_VECTOR_LOOP
#elif defined(__clang__)
#define RK_VECTOR_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define RK_VECTOR_LOOP _Pragma("GCC ivdep")
#endif
#define rk_sqrt(x) __builtin_sqrtf(x)
#define rk_sqrt64(x) __builtin_sqrt(x)
#define rk_fabs(x) __builtin_fabsf(x)
#define rk_fabs64(x) __builtin_fabs(x)

#elif defined(RK_TARGET_CUDA)
/* CUDA: NVRTC or nvcc; inline PTX so that the same code assembles under ZLUDA */
#define RK_FN static __device__ __forceinline__
#define RK_HANDLER static __device__
#define RK_COLD static __device__ __noinline__
#define RK_OUTLINE RK_FN
#define RK_PREFETCH(p) ((void)(p))
#define RK_RESTRICT __restrict__
#define RK_VECTOR_LOOP
RK_FN rk_u32 rk_load_acquire(const rk_u32 *p)
{
    rk_u32 v;
    asm volatile("ld.acquire.sys.b32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
    return v;
}
RK_FN rk_u32 rk_load_relaxed(const rk_u32 *p)
{
    rk_u32 v;
    asm volatile("ld.relaxed.sys.b32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
    return v;
}
RK_FN void rk_store_release(rk_u32 *p, rk_u32 v)
{
    asm volatile("st.release.sys.b32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}
RK_FN void rk_store_relaxed(rk_u32 *p, rk_u32 v)
{
    asm volatile("st.relaxed.sys.b32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}
RK_FN void rk_store64(rk_u64 *p, rk_u64 v)
{
    asm volatile("st.relaxed.sys.b64 [%0], %1;" ::"l"(p), "l"(v) : "memory");
}
RK_FN rk_u64 rk_load64(const rk_u64 *p)
{
    rk_u64 v;
    asm volatile("ld.relaxed.sys.b64 %0, [%1];" : "=l"(v) : "l"(p) : "memory");
    return v;
}
RK_FN rk_u32 rk_fetch_add(rk_u32 *p, rk_u32 v)
{
    rk_u32 old;
    asm volatile("atom.acq_rel.sys.add.u32 %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(v) : "memory");
    return old;
}
RK_FN rk_u32 rk_fetch_sub(rk_u32 *p, rk_u32 v)
{
    return rk_fetch_add(p, (rk_u32)0 - v);
}
RK_FN rk_u32 rk_cas(rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    rk_u32 old;
    asm volatile("atom.acq_rel.sys.cas.b32 %0, [%1], %2, %3;"
                 : "=r"(old)
                 : "l"(p), "r"(expected), "r"(desired)
                 : "memory");
    return old;
}
RK_FN void rk_fence(void)
{
    asm volatile("fence.sc.sys;" ::: "memory");
}
RK_FN void rk_fence_release(void)
{
    asm volatile("fence.acq_rel.sys;" ::: "memory");
}
RK_FN void rk_relax(void)
{
    asm volatile("nanosleep.u32 %0;" ::"r"(40u) : "memory");
}
#define rk_sqrt(x) sqrtf(x)
#define rk_sqrt64(x) sqrt(x)
#define rk_fabs(x) fabsf(x)
#define rk_fabs64(x) fabs(x)

#elif defined(RK_TARGET_HIP)
/* HIP: hiprtc or clang -x hip, without HIP's own headers */
#define RK_FN static __attribute__((device)) inline __attribute__((always_inline))
#define RK_HANDLER static __attribute__((device))
#define RK_COLD static __attribute__((device, noinline))
#define RK_OUTLINE RK_FN
#define RK_PREFETCH(p) ((void)(p))
#define RK_RESTRICT __restrict__
#define RK_VECTOR_LOOP
#define RK_SYS __HIP_MEMORY_SCOPE_SYSTEM
#define rk_load_acquire(p) __hip_atomic_load((p), __ATOMIC_ACQUIRE, RK_SYS)
#define rk_load_relaxed(p) __hip_atomic_load((p), __ATOMIC_RELAXED, RK_SYS)
#define rk_store_release(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELEASE, RK_SYS)
#define rk_store_relaxed(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELAXED, RK_SYS)
#define rk_store64(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELAXED, RK_SYS)
#define rk_load64(p) __hip_atomic_load((p), __ATOMIC_RELAXED, RK_SYS)
#define rk_fetch_add(p, v) __hip_atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL, RK_SYS)
#define rk_fetch_sub(p, v) __hip_atomic_fetch_add((p), (rk_u32)0 - (v), __ATOMIC_ACQ_REL, RK_SYS)
#define rk_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rk_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define rk_relax() __builtin_amdgcn_s_sleep(1)
RK_FN rk_u32 rk_cas(rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    __hip_atomic_compare_exchange_strong(p, &expected, desired, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE,
                                         RK_SYS);
    return expected;
}
#define rk_sqrt(x) __builtin_sqrtf(x)
#define rk_sqrt64(x) __builtin_sqrt(x)
#define rk_fabs(x) __builtin_fabsf(x)
#define rk_fabs64(x) __builtin_fabs(x)

#elif defined(RK_TARGET_OPENCL)
/* OpenCL C 3.0 */
#define RK_FN static inline
#define RK_HANDLER static
#define RK_COLD static
#define RK_OUTLINE RK_FN
#define RK_PREFETCH(p) ((void)(p))
#define RK_RESTRICT restrict
#define RK_VECTOR_LOOP
#if defined(__opencl_c_atomic_scope_all_devices)
#define RK_SYS memory_scope_all_svm_devices
#else
#define RK_SYS memory_scope_device
#endif
#define RK_ATOMIC32(p) ((volatile __global atomic_uint *)(p))
#define rk_load_acquire(p) atomic_load_explicit(RK_ATOMIC32(p), memory_order_acquire, RK_SYS)
#define rk_load_relaxed(p) atomic_load_explicit(RK_ATOMIC32(p), memory_order_relaxed, RK_SYS)
#define rk_store_release(p, v)                                                                     \
    atomic_store_explicit(RK_ATOMIC32(p), (v), memory_order_release, RK_SYS)
#define rk_store_relaxed(p, v)                                                                     \
    atomic_store_explicit(RK_ATOMIC32(p), (v), memory_order_relaxed, RK_SYS)
#define rk_store64(p, v) (*(volatile __global rk_u64 *)(p) = (v))
#define rk_load64(p) (*(volatile __global const rk_u64 *)(p))
#define rk_fetch_add(p, v)                                                                         \
    atomic_fetch_add_explicit(RK_ATOMIC32(p), (v), memory_order_acq_rel, RK_SYS)
#define rk_fetch_sub(p, v)                                                                         \
    atomic_fetch_sub_explicit(RK_ATOMIC32(p), (v), memory_order_acq_rel, RK_SYS)
#define rk_fence() atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_seq_cst, RK_SYS)
#define rk_fence_release()                                                                         \
    atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_release, RK_SYS)
#define rk_relax() ((void)0)
RK_FN rk_u32 rk_cas(__global rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    atomic_compare_exchange_strong_explicit(RK_ATOMIC32(p), &expected, desired,
                                            memory_order_acq_rel, memory_order_acquire, RK_SYS);
    return expected;
}
#define rk_sqrt(x) sqrt(x)
#define rk_sqrt64(x) sqrt(x)
#define rk_fabs(x) fabs(x)
#define rk_fabs64(x) fabs(x)
#endif

#endif
