/*
 * scope.h: atomics that only the lanes of one device look at, cheaper on a GPU than those of
 * target.h, whose scope is the system.
 *
 * rk_device_*  32-bit words in global memory, seen by all blocks of the kernel's device
 * rk_block_*   32-bit words in shared memory, seen by the lanes of one block
 *
 * Without a suffix: relaxed; add is relaxed; exchange and cas acquire and release.
 */
#ifndef RINGKERNEL_KERNEL_SCOPE_H
#define RINGKERNEL_KERNEL_SCOPE_H

#include <ringkernel/kernel/target.h>

#if defined(RK_TARGET_CPU)
#define rk_device_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define rk_device_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rk_device_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rk_device_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rk_device_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define rk_device_exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define rk_device_cas(p, expected, desired) rk_cas((p), (expected), (desired))
#define rk_block_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rk_block_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

#elif defined(RK_TARGET_CUDA)
#define RK_SCOPE_LOAD(name, instruction)                                                           \
    RK_FN rk_u32 name(const rk_u32 *p)                                                             \
    {                                                                                              \
        rk_u32 v;                                                                                  \
        asm volatile(instruction " %0, [%1];" : "=r"(v) : "l"(p) : "memory");                      \
        return v;                                                                                  \
    }
#define RK_SCOPE_STORE(name, instruction)                                                          \
    RK_FN void name(rk_u32 *p, rk_u32 v)                                                           \
    {                                                                                              \
        asm volatile(instruction " [%0], %1;" ::"l"(p), "r"(v) : "memory");                        \
    }
#define RK_SCOPE_RMW(name, instruction)                                                            \
    RK_FN rk_u32 name(rk_u32 *p, rk_u32 v)                                                         \
    {                                                                                              \
        rk_u32 old;                                                                                \
        asm volatile(instruction " %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(v) : "memory");        \
        return old;                                                                                \
    }
RK_SCOPE_LOAD(rk_device_load, "ld.relaxed.gpu.b32")
RK_SCOPE_LOAD(rk_device_load_acquire, "ld.acquire.gpu.b32")
RK_SCOPE_STORE(rk_device_store, "st.relaxed.gpu.b32")
RK_SCOPE_STORE(rk_device_store_release, "st.release.gpu.b32")
RK_SCOPE_RMW(rk_device_add, "atom.relaxed.gpu.add.u32")
RK_SCOPE_RMW(rk_device_exchange, "atom.acq_rel.gpu.exch.b32")
RK_SCOPE_LOAD(rk_block_load_acquire, "ld.acquire.cta.b32")
RK_SCOPE_STORE(rk_block_store_release, "st.release.cta.b32")
RK_FN rk_u32 rk_device_cas(rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    rk_u32 old;
    asm volatile("atom.acq_rel.gpu.cas.b32 %0, [%1], %2, %3;"
                 : "=r"(old)
                 : "l"(p), "r"(expected), "r"(desired)
                 : "memory");
    return old;
}

#elif defined(RK_TARGET_HIP)
#define RK_AGENT __HIP_MEMORY_SCOPE_AGENT
#define RK_GROUP __HIP_MEMORY_SCOPE_WORKGROUP
#define rk_device_load(p) __hip_atomic_load((p), __ATOMIC_RELAXED, RK_AGENT)
#define rk_device_load_acquire(p) __hip_atomic_load((p), __ATOMIC_ACQUIRE, RK_AGENT)
#define rk_device_store(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELAXED, RK_AGENT)
#define rk_device_store_release(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELEASE, RK_AGENT)
#define rk_device_add(p, v) __hip_atomic_fetch_add((p), (v), __ATOMIC_RELAXED, RK_AGENT)
#define rk_device_exchange(p, v) __hip_atomic_exchange((p), (v), __ATOMIC_ACQ_REL, RK_AGENT)
#define rk_block_load_acquire(p) __hip_atomic_load((p), __ATOMIC_ACQUIRE, RK_GROUP)
#define rk_block_store_release(p, v) __hip_atomic_store((p), (v), __ATOMIC_RELEASE, RK_GROUP)
RK_FN rk_u32 rk_device_cas(rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    __hip_atomic_compare_exchange_strong(p, &expected, desired, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE,
                                         RK_AGENT);
    return expected;
}

#else
#define RK_LOCAL32(p) ((volatile __local atomic_uint *)(p))
#define rk_device_load(p)                                                                          \
    atomic_load_explicit(RK_ATOMIC32(p), memory_order_relaxed, memory_scope_device)
#define rk_device_load_acquire(p)                                                                  \
    atomic_load_explicit(RK_ATOMIC32(p), memory_order_acquire, memory_scope_device)
#define rk_device_store(p, v)                                                                      \
    atomic_store_explicit(RK_ATOMIC32(p), (v), memory_order_relaxed, memory_scope_device)
#define rk_device_store_release(p, v)                                                              \
    atomic_store_explicit(RK_ATOMIC32(p), (v), memory_order_release, memory_scope_device)
#define rk_device_add(p, v)                                                                        \
    atomic_fetch_add_explicit(RK_ATOMIC32(p), (v), memory_order_relaxed, memory_scope_device)
#define rk_device_exchange(p, v)                                                                   \
    atomic_exchange_explicit(RK_ATOMIC32(p), (v), memory_order_acq_rel, memory_scope_device)
#define rk_block_load_acquire(p)                                                                   \
    atomic_load_explicit(RK_LOCAL32(p), memory_order_acquire, memory_scope_work_group)
#define rk_block_store_release(p, v)                                                               \
    atomic_store_explicit(RK_LOCAL32(p), (v), memory_order_release, memory_scope_work_group)
RK_FN rk_u32 rk_device_cas(__global rk_u32 *p, rk_u32 expected, rk_u32 desired)
{
    atomic_compare_exchange_strong_explicit(RK_ATOMIC32(p), &expected, desired,
                                            memory_order_acq_rel, memory_order_acquire,
                                            memory_scope_device);
    return expected;
}
#endif

#endif
