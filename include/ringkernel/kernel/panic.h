/*
 * panic.h: how a handler gives up. Part of kernel.h.
 */
#ifndef RINGKERNEL_KERNEL_PANIC_H
#define RINGKERNEL_KERNEL_PANIC_H

#include <ringkernel/kernel/context.h>

/*
 * Gives up: the kernel leaves the device, the host sees PANICKED with code and text, and its
 * restart policy acts. On the CPU this does not return; on a GPU it does, and the handler must
 * return at once.
 */
#if defined(RK_TARGET_CPU)
#define rk_panic(k, code, text) ((k)->env->panic((k), (code), (text)))
#else
RK_FN rk_u32 rk_panic_begin(rk_ctx *k, rk_u32 code)
{
    if (rk_cas(&k->loop->failed, 0u, 1u) != 0u) {
        return 0u; /* another block was first */
    }
    k->words->fault_code = code;
    k->words->fault_step = k->step;
    k->words->fault_block = k->block;
    return 1u;
}
RK_FN void rk_panic_end(rk_ctx *k, rk_u32 code)
{
    RK_G rk_peer *peer = (RK_G rk_peer *)(k->arena + k->control->peer);
    rk_store_release(&peer->closed, 1u);
    rk_store_relaxed(&k->words->exit_code, code);
    rk_store_release(&k->words->fault_kind, RK_FAULT_PANIC);
    rk_store_release(&k->words->state, RK_KERNEL_PANICKED);
}
/* By hand: the compiler would make a load of the kind that is forbidden for everything else. */
#if defined(RK_TARGET_CUDA)
RK_FN rk_u32 rk_text_at(const char *text, rk_u32 i)
{
    rk_u32 character;
    asm volatile("ld.u8 %0, [%1];" : "=r"(character) : "l"(text + i) : "memory");
    return character;
}
#define RK_TEXT_AT(text, i) rk_text_at((text), (i))
#else
#define RK_TEXT_AT(text, i) ((text)[i])
#endif
/* A macro: string literals lie in another address space on each target. */
#define rk_panic(k, code, text)                                                                    \
    do {                                                                                           \
        if (rk_panic_begin((k), (code)) != 0u) {                                                   \
            rk_u32 rk_panic_i = 0u;                                                                \
            for (; RK_TEXT_AT(text, rk_panic_i) != 0 && rk_panic_i < RK_PANIC_TEXT_BYTES - 1u;     \
                 rk_panic_i++) {                                                                   \
                (k)->words->panic_text[rk_panic_i] = (rk_u8)RK_TEXT_AT(text, rk_panic_i);          \
            }                                                                                      \
            (k)->words->panic_text[rk_panic_i] = 0u;                                               \
            rk_panic_end((k), (code));                                                             \
        }                                                                                          \
    } while (0)
#endif

#endif
