/*
 * cluster.h: shared memory of another block of the same cluster. Part of channels.h.
 *
 * CUDA from compute capability 9.0 on, in code compiled for it (PTX ISA: mapa, shared::cluster).
 * Elsewhere no block has a cluster, and the functions are never called.
 */
#ifndef RINGKERNEL_KERNEL_CLUSTER_H
#define RINGKERNEL_KERNEL_CLUSTER_H

#include <ringkernel/kernel/context.h>

#if defined(RK_TARGET_CUDA) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define RK_HAS_CLUSTER 1
/* Blocks of a cluster; 1 when the kernel was launched without. They have consecutive numbers. */
RK_FN rk_u32 rk_cluster_blocks(void)
{
    rk_u32 blocks;
    asm volatile("mov.u32 %0, %%cluster_nctaid.x;" : "=r"(blocks));
    return blocks;
}
/* Where p of this block's shared memory lies in that of block `rank` of the cluster. */
RK_FN rk_u32 rk_cluster_address(const rk_u32 *p, rk_u32 rank)
{
    rk_u32 address;
    asm volatile("{ .reg .u64 t; .reg .u32 a; cvta.to.shared.u64 t, %1; cvt.u32.u64 a, t; "
                 "mapa.shared::cluster.u32 %0, a, %2; }"
                 : "=r"(address)
                 : "l"(p), "r"(rank));
    return address;
}
RK_FN void rk_cluster_store(rk_u32 address, rk_u32 v)
{
    asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(v) : "memory");
}
RK_FN void rk_cluster_store_release(rk_u32 address, rk_u32 v)
{
    asm volatile("st.release.cluster.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(v)
                 : "memory");
}
RK_FN rk_u32 rk_cluster_load_acquire(rk_u32 address)
{
    rk_u32 v;
    asm volatile("ld.acquire.cluster.shared::cluster.u32 %0, [%1];"
                 : "=r"(v)
                 : "r"(address)
                 : "memory");
    return v;
}
#else
#define RK_HAS_CLUSTER 0
#define rk_cluster_blocks() 1u
#define rk_cluster_address(p, rank) ((void)(p), (void)(rank), 0u)
#define rk_cluster_store(address, v) ((void)(address), (void)(v))
#define rk_cluster_store_release(address, v) ((void)(address), (void)(v))
#define rk_cluster_load_acquire(address) ((void)(address), 0u)
#endif

#endif
