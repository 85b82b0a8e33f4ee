/*
 * isa.h: instruction-set levels of CPU code, and which of them this processor runs.
 *
 * Levels of x86-64 are those of the x86-64 psABI, section 3.1.1 "Processor Architecture". Other
 * processors have one level, their baseline. Values stand in bundle files.
 */
#ifndef RK_MODULE_ISA_H
#define RK_MODULE_ISA_H

#include <ringkernel/status.h>

/* X(symbol, value, name, -march argument or NULL). Within a family, higher is better. */
#define RK_ISA_LIST(X)                                                                             \
    X(X86_64_V1, 1, "x86-64-v1", "x86-64")                                                         \
    X(X86_64_V2, 2, "x86-64-v2", "x86-64-v2")                                                      \
    X(X86_64_V3, 3, "x86-64-v3", "x86-64-v3")                                                      \
    X(X86_64_V4, 4, "x86-64-v4", "x86-64-v4")                                                      \
    X(AARCH64, 16, "aarch64", NULL)                                                                \
    X(RISCV64, 32, "riscv64", NULL)

#define RK_ISA_DEFINE(symbol, value, name, march) RK_ISA_##symbol = (value),
typedef enum rk_isa { RK_ISA_NONE = 0, RK_ISA_LIST(RK_ISA_DEFINE) } rk_isa;
#undef RK_ISA_DEFINE

/* "x86-64-v3"; "none" for a number that means nothing. */
const char *rk_isa_name(uint32_t isa);

/* The -march argument of gcc and clang; NULL: none is needed. */
const char *rk_isa_march(uint32_t isa);

/* Reads a name; "v3" stands for x86-64-v3. RK_ISA_NONE if it is none. */
rk_isa rk_isa_parse(const char *name);

/* Whether this processor and operating system run such code. */
bool rk_isa_supported(uint32_t isa);

/* The levels that a build for this machine makes, best last; returns how many (at least 1). */
#define RK_ISA_BUILD_MAX 4u
uint32_t rk_isa_build_levels(rk_isa out_levels[RK_ISA_BUILD_MAX]);

#endif
