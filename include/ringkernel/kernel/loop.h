/*
 * loop.h: the resident loop that every kernel runs, on every target.
 *
 * Invariants
 *   1. All blocks leave the barrier with the same loop->op; only the block that arrives last
 *      decides it, alone, while the others wait. That moment is the safe point.
 *   2. Commands and messages are looked at only at safe points, so nothing changes inside a step.
 *   3. Every command is answered at least once with its id, a run twice (accepted, then applied or
 *      aborted), until the kernel fails: then the host fails what is open.
 *   4. Messages of other kernels are held while the kernel is paused; commands, and messages of the
 *      host, which share one ring in order, never are.
 *   5. After `failed` is set no handler runs any more; every block leaves at its next barrier.
 *
 *   launched --init--> idle <--> running --> parked | terminated
 *                       ^  \       |
 *                       |   \--> paused        any --> panicked
 */
#ifndef RINGKERNEL_KERNEL_LOOP_H
#define RINGKERNEL_KERNEL_LOOP_H

#include <ringkernel/kernel/safepoint.h>

/*
 * All lanes of all blocks meet. The block that arrives last decides (when asked to) while the
 * others wait. Returns loop->failed.
 */
RK_UNIT_FN rk_u32 rk_grid_barrier(rk_ctx *k, rk_u32 decide)
{
    RK_G rk_loop *loop = k->loop;
    RK_SYNC_BLOCK(k);
    if (RK_LANE(k) == 0u) {
        if (k->block_count == 1u) {
            if (decide != 0u && loop->failed == 0u) {
                rk_decide(k);
            }
        } else {
            rk_u32 generation = rk_load_acquire(&loop->generation);
            if (rk_fetch_add(&loop->arrived, 1u) == k->block_count - 1u) {
                rk_store_relaxed(&loop->arrived, 0u);
                if (decide != 0u && rk_load_acquire(&loop->failed) == 0u) {
                    rk_decide(k);
                }
                rk_store_release(&loop->generation, generation + 1u);
#if defined(RK_TARGET_CPU)
                rk_fence(); /* the generation before the sleepers; pairs with the waiter's fence */
                if (rk_load_relaxed(&loop->sleepers) != 0u) {
                    k->env->wake(&loop->generation);
                }
#endif
            } else {
#if defined(RK_TARGET_CPU)
                while (rk_load_acquire(&loop->generation) == generation &&
                       rk_load_acquire(&loop->failed) == 0u) {
                    k->env->wait(k, &loop->generation, generation, &loop->sleepers);
                }
#else
                while (rk_load_acquire(&loop->generation) == generation &&
                       rk_load_acquire(&loop->failed) == 0u) {
                    rk_relax();
                }
#endif
            }
        }
    }
    RK_SYNC_BLOCK(k);
    k->step = loop->step;
    rk_trace_turn(k);
    return rk_load_acquire(&loop->failed);
}

#if defined(RK_UNIT_LOOP)
#define rk_step_take rk_unit_step
#else
#include <ringkernel/kernel/steps.h>
#endif

RK_FN void rk_loop_enter(rk_ctx *k, RK_G const rk_u8 *old)
{
    (void)old;
    rk_u32 entry = k->control->entry;
    rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_BEGIN, RK_TRACE_NAME_RESIDENT,
                  k->control->launch);
    if (k->block == 0u && RK_LANE(k) == 0u) {
        k->loop->busy_since = rk_now_ns(k); /* the block that decides reads it behind a barrier */
    }
    if (entry == RK_ENTRY_INIT) {
#if RK_HAS_INIT
        rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_BEGIN, RK_TRACE_NAME_INIT, 0u);
        rk_on_init(k);
        rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_END, RK_TRACE_NAME_INIT, 0u);
#endif
    }
#if RK_HAS_MIGRATE
    if (entry == RK_ENTRY_MIGRATE) {
        rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_BEGIN, RK_TRACE_NAME_INIT, 1u);
        rk_u32 code = rk_on_migrate(k, old, (RK_G const rk_u64 *)(old + k->control->migrate_fields),
                                    k->control->migrate_hash);
        rk_trace_note(k, RK_TRACE_KERNEL, RK_TRACE_KIND_END, RK_TRACE_NAME_INIT, 1u);
        if (code != 0u) {
            rk_panic(k, code, "migrate handler refused the old state");
        }
    }
#endif
}

/*
 * The whole life of one lane of one block. The host has reset the loop before the launch; one that
 * left when its lease was over is launched again as it is.
 */
RK_FN void rk_loop_run(rk_ctx *k, RK_G const rk_u8 *old)
{
#if !defined(RK_TARGET_OPENCL) /* there is no poller */
    if (k->block >= k->block_count) {
        rk_poller_run(k);
        return;
    }
#endif
    rk_loop_enter(k, old);
    RK_SYNC_BLOCK(k); /* PoCL's compiler cannot do with a first barrier inside the loop */
    while (rk_grid_barrier(k, 1u) == 0u && k->loop->op != RK_OP_EXIT) {
        rk_step_take(k);
    }
    rk_poller_dismiss(k);
}

RK_FN void rk_ctx_init(rk_ctx *k, RK_G rk_u8 *arena, RK_G rk_u8 *mapped)
{
    k->arena = arena;
    k->mapped = mapped;
    k->control = (RK_G rk_control *)(arena + sizeof(rk_loop));
    k->words = (RK_G rk_control *)mapped;
    k->loop = (RK_G rk_loop *)arena;
    k->offsets = (RK_G rk_u64 *)(arena + k->control->fields);
    k->params = arena + k->control->params;
    k->step = k->loop->step;
    k->block_count = k->control->block_count;
    k->serial = 0u;
    k->random_counter = 0u;
    rk_trace_turn(k);
}

#if defined(RK_TARGET_CPU)
/* Called by the CPU driver once per block (once per lane in fiber mode); k's driver part is set. */
__attribute__((visibility("default"))) void rk_module_entry(rk_ctx *k, rk_u8 *arena, rk_u8 *mapped,
                                                            const rk_u8 *old);
extern const rk_u32 rk_module_shared_bytes;
__attribute__((visibility("default"))) const rk_u32 rk_module_shared_bytes = RK_SHARED_BYTES;
void rk_module_entry(rk_ctx *k, rk_u8 *arena, rk_u8 *mapped, const rk_u8 *old)
{
    rk_ctx_init(k, arena, mapped);
    rk_loop_run(k, old);
}
#elif defined(RK_TARGET_CUDA)
extern "C" __global__ void rk_module_entry(rk_u8 *arena, rk_u8 *mapped, rk_u8 *old)
{
    rk_ctx k;
#if defined(RK_UNIT_LOOP)
    k.shared = rk_unit_shared();
#else
    __shared__ rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    k.shared = (rk_u8 *)shared;
#endif
    k.block = blockIdx.x;
    k.lane = threadIdx.x;
    k.lane_count = blockDim.x;
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k, old);
}
#elif defined(RK_TARGET_HIP)
extern "C" __attribute__((global)) void rk_module_entry(rk_u8 *arena, rk_u8 *mapped, rk_u8 *old)
{
    static __attribute__((shared)) rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    rk_ctx k;
    k.shared = (rk_u8 *)shared;
    k.block = __builtin_amdgcn_workgroup_id_x();
    k.lane = __builtin_amdgcn_workitem_id_x();
    k.lane_count = __builtin_amdgcn_workgroup_size_x();
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k, old);
}
#else
__kernel void rk_module_entry(__global uchar *arena, __global uchar *mapped, __global uchar *old)
{
    __local rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    rk_ctx k;
    k.shared = (__local rk_u8 *)shared;
    k.block = (rk_u32)get_group_id(0);
    k.lane = (rk_u32)get_local_id(0);
    k.lane_count = (rk_u32)get_local_size(0);
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k, old);
}
#endif

#endif
