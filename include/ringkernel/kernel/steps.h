/*
 * steps.h: one step: the phases of the source, with barriers between them.
 */
#ifndef RINGKERNEL_KERNEL_STEPS_H
#define RINGKERNEL_KERNEL_STEPS_H

#include <ringkernel/kernel/trace.h>

/*
 * All blocks meet, for init and migrate handlers whose second part reads what other blocks wrote in
 * the first. Every lane must call it. Not 0: the kernel is leaving, return at once.
 */
#define RK_SYNC_GRID(k) rk_grid_barrier((k), 0u)

#define RK_GEN_PHASE_CALL(name)                                                                    \
    if (RK_PHASE_INDEX_##name != 0 && rk_grid_barrier(k, 0u) != 0u) {                              \
        return;                                                                                    \
    }                                                                                              \
    rk_trace_note(k, RK_TRACE_PHASE, RK_TRACE_KIND_BEGIN,                                          \
                  RK_TRACE_NAME_PHASE + (rk_u32)RK_PHASE_INDEX_##name, 0u);                        \
    rk_phase_##name(k);                                                                            \
    rk_trace_note(k, RK_TRACE_PHASE, RK_TRACE_KIND_END,                                            \
                  RK_TRACE_NAME_PHASE + (rk_u32)RK_PHASE_INDEX_##name, 0u);

/* One step: the phases, with a barrier in front of each but the first. */
RK_FN void rk_step_take(rk_ctx *k)
{
    (void)k;
    RK_PHASES(RK_GEN_PHASE_CALL)
}

#endif
