/*
 * handlers.h: declares the handlers, which the author defines below the include of kernel.h.
 */
#ifndef RINGKERNEL_KERNEL_HANDLERS_H
#define RINGKERNEL_KERNEL_HANDLERS_H

#define RK_GEN_PHASE_DECLARE(name) RK_HANDLER void rk_phase_##name(rk_ctx *k);
RK_PHASES(RK_GEN_PHASE_DECLARE)
#if RK_HAS_INIT
RK_INIT;
#endif
#if RK_HAS_MESSAGE
RK_ON_MESSAGE;
#endif
#if RK_HAS_COMMAND
RK_ON_COMMAND;
#endif
#if RK_HAS_AFTER_STEP
RK_AFTER_STEP;
#endif
#if RK_HAS_CHECK
RK_CHECK;
#endif
#if RK_HAS_MIGRATE
RK_MIGRATE;
#endif

#endif
