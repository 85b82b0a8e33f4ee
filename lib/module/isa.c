#include "module/isa.h"

#include "base/compiler.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const struct level {
    rk_isa isa;
    const char *name;
    const char *march;
} levels[] = {
#define ISA_ROW(symbol, value, name, march) {RK_ISA_##symbol, name, march},
    RK_ISA_LIST(ISA_ROW)
#undef ISA_ROW
};

static const struct level *find_level(uint32_t isa)
{
    for (size_t i = 0; i < RK_COUNT_OF(levels); i++) {
        if ((uint32_t)levels[i].isa == isa) {
            return &levels[i];
        }
    }
    return NULL;
}

const char *rk_isa_name(uint32_t isa)
{
    const struct level *level = find_level(isa);
    return level ? level->name : "none";
}

const char *rk_isa_march(uint32_t isa)
{
    const struct level *level = find_level(isa);
    return level ? level->march : NULL;
}

rk_isa rk_isa_parse(const char *name)
{
    static const char family[] = "x86-64-";
    for (size_t i = 0; i < RK_COUNT_OF(levels); i++) {
        if (strcmp(levels[i].name, name) == 0 ||
            (strncmp(levels[i].name, family, sizeof(family) - 1) == 0 &&
             strcmp(levels[i].name + sizeof(family) - 1, name) == 0)) {
            return levels[i].isa;
        }
    }
    return RK_ISA_NONE;
}

#if defined(__x86_64__)
static bool has_bits(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

/*
 * Bits of CPUID leaves 1, 7 and 0x80000001 as the psABI lists them per level (SAHF, LZCNT and so on
 * included). That the operating system saves the wide registers is what RK_CPU_SUPPORTS adds.
 */
static rk_isa best_x86_64(void)
{
    uint32_t a, b, c1, d, b7, c7, c81;
    if (!__get_cpuid(1, &a, &b, &c1, &d) || !__get_cpuid(0x80000001u, &a, &b, &c81, &d)) {
        return RK_ISA_X86_64_V1;
    }
    const uint32_t v2 =
        bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_CMPXCHG16B;
    if (!has_bits(c1, v2) || !has_bits(c81, bit_LAHF_LM)) {
        return RK_ISA_X86_64_V1;
    }
    const uint32_t v3 = bit_AVX | bit_FMA | bit_F16C | bit_MOVBE | bit_OSXSAVE;
    const uint32_t v3_leaf7 = bit_AVX2 | bit_BMI | bit_BMI2;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !has_bits(c1, v3) ||
        !has_bits(b7, v3_leaf7) || !has_bits(c81, bit_LZCNT) || !RK_CPU_SUPPORTS("avx2")) {
        return RK_ISA_X86_64_V2;
    }
    const uint32_t v4 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    return has_bits(b7, v4) && RK_CPU_SUPPORTS("avx512f") ? RK_ISA_X86_64_V4 : RK_ISA_X86_64_V3;
}
#endif

bool rk_isa_supported(uint32_t isa)
{
#if defined(__x86_64__)
    return isa >= RK_ISA_X86_64_V1 && isa <= (uint32_t)best_x86_64();
#elif defined(__aarch64__)
    return isa == RK_ISA_AARCH64;
#else
    return isa == RK_ISA_RISCV64;
#endif
}

uint32_t rk_isa_build_levels(rk_isa out_levels[RK_ISA_BUILD_MAX])
{
#if defined(__x86_64__)
    out_levels[0] = RK_ISA_X86_64_V2;
    out_levels[1] = RK_ISA_X86_64_V3;
    out_levels[2] = RK_ISA_X86_64_V4;
    return 3;
#elif defined(__aarch64__)
    out_levels[0] = RK_ISA_AARCH64;
    return 1;
#else
    out_levels[0] = RK_ISA_RISCV64;
    return 1;
#endif
}
