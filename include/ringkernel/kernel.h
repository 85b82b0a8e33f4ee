/*
 * kernel.h: the kernel dialect. One source file compiles for the CPU, CUDA, HIP and OpenCL.
 *
 *     #define RK_NAME counter
 *     #define RK_SUMMARY "adds one to every cell in each step"
 *     #define RK_PARAMS(P) P(u32, cells, "1024", "", "number of cells")
 *     #define RK_FIELDS(F) F(u32, value, "cells", "", "state,output", "the counters")
 *     #define RK_PHASES(X) X(add)
 *     #include <ringkernel/kernel.h>
 *
 *     RK_PHASE(add)
 *     {
 *         rk_u64 lo, hi;
 *         rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
 *         RK_G rk_u32 *value = RK_FIELD(k, value);
 *         RK_FOR_LANES(k, i, lo, hi) { value[i] += 1u; }
 *     }
 *
 * Before the include: RK_NAME, and as needed RK_SUMMARY, RK_VERSION, RK_PARAMS, RK_FIELDS,
 * RK_PHASES, RK_FEATURES(X) X(name, "help"), RK_VARIANTS(X) X(f32, "help") X(f64, "help"),
 * RK_MARKERS(X) X(name, 0xRRGGBB), RK_CRITICALITY, RK_SHARED_BYTES, and RK_HAS_INIT,
 * RK_HAS_MESSAGE, RK_HAS_COMMAND, RK_HAS_AFTER_STEP, RK_HAS_CHECK, RK_HAS_MIGRATE as 1 for each
 * handler that the file defines. Forms of the lists: kernel/schema.h; markers: kernel/trace.h.
 *
 * After the include, the handlers:
 *     RK_INIT { }              all blocks, all lanes: fields are zero or as the host filled them
 *     RK_PHASE(name) { }       all blocks, all lanes, once a step, in the order of RK_PHASES
 *     RK_ON_MESSAGE { }        serial; sees `const rk_msg *message`
 *     RK_ON_COMMAND { }        serial; sees `rk_u64 op, RK_G const rk_u8 *data, rk_u32 length,
 *                              rk_u64 *value` (three answer words); returns 0 or a code > 0
 *     RK_AFTER_STEP { }        serial, at the safe point behind each step
 *     RK_CHECK { }             serial; returns 0 when the state passes, else a code
 *     RK_MIGRATE { }           all blocks; sees `RK_G const rk_u8 *old_arena, RK_G const rk_u64
 *                              *old_offsets, rk_u64 old_hash`; returns 0 or a code
 * Every handler sees `rk_ctx *k`. What it may do is in kernel/context.h and kernel/messages.h.
 */
#ifndef RINGKERNEL_KERNEL_H
#define RINGKERNEL_KERNEL_H

#define RK_KERNEL 1

#if defined(RK_ACTORS)
#include <ringkernel/kernel/actor_fields.h>
#endif

#include <ringkernel/kernel/schema.h>

#include <ringkernel/kernel/messages.h>
#include <ringkernel/kernel/scope.h>

/* A handler that the file defines but does not announce would never be called: refused here. */
#if defined(RK_TARGET_CPU)
#define RK_ANNOUNCED(condition, text) _Static_assert(condition, text);
#else
#define RK_ANNOUNCED(condition, text)
#endif

#define RK_INIT                                                                                    \
    RK_ANNOUNCED(RK_HAS_INIT, "for RK_INIT define RK_HAS_INIT 1 before the include")               \
    RK_HANDLER void rk_on_init(rk_ctx *k)
#define RK_PHASE(name)                                                                             \
    RK_ANNOUNCED(RK_PHASE_INDEX_##name >= 0, "list the phase in RK_PHASES")                        \
    RK_HANDLER void rk_phase_##name(rk_ctx *k)
#define RK_ON_MESSAGE                                                                              \
    RK_ANNOUNCED(RK_HAS_MESSAGE, "for RK_ON_MESSAGE define RK_HAS_MESSAGE 1 before the include")   \
    RK_HANDLER void rk_on_message(rk_ctx *k, const rk_msg *message)
#define RK_ON_COMMAND                                                                              \
    RK_ANNOUNCED(RK_HAS_COMMAND, "for RK_ON_COMMAND define RK_HAS_COMMAND 1 before the include")   \
    RK_HANDLER rk_u32 rk_on_command(rk_ctx *k, rk_u64 op, RK_G const rk_u8 *data, rk_u32 length,   \
                                    rk_u64 *value)
#define RK_AFTER_STEP                                                                              \
    RK_ANNOUNCED(RK_HAS_AFTER_STEP,                                                                \
                 "for RK_AFTER_STEP define RK_HAS_AFTER_STEP 1 before the include")                \
    RK_HANDLER void rk_after_step(rk_ctx *k)
#define RK_CHECK                                                                                   \
    RK_ANNOUNCED(RK_HAS_CHECK, "for RK_CHECK define RK_HAS_CHECK 1 before the include")            \
    RK_HANDLER rk_u32 rk_on_check(rk_ctx *k)
#define RK_MIGRATE                                                                                 \
    RK_ANNOUNCED(RK_HAS_MIGRATE, "for RK_MIGRATE define RK_HAS_MIGRATE 1 before the include")      \
    RK_HANDLER rk_u32 rk_on_migrate(rk_ctx *k, RK_G const rk_u8 *old_arena,                        \
                                    RK_G const rk_u64 *old_offsets, rk_u64 old_hash)

#include <ringkernel/kernel/unit.h>

#include <ringkernel/kernel/handlers.h>
#include <ringkernel/kernel/host.h>
#if !defined(RK_UNIT_USER)
#include <ringkernel/kernel/loop.h>
#else
#include <ringkernel/kernel/source_unit.h>
#endif

#if defined(RK_ACTORS)
#include <ringkernel/kernel/actors.h>
#endif

#endif
