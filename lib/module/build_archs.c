/*
 * build_archs.c: which GPUs a build is for, from the options or the environment.
 */
#include "module/build.h"

#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

#define CUDA_OLDEST 70u /* the first with the memory model that the dialect uses (PTX ISA) */
#define CUDA_DEFAULT 75u
#define HIP_DEFAULT 0x90au

static rk_status add_level(rk_build *build, uint32_t *levels, uint32_t *count, uint32_t level,
                           const char *name)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (levels[i] == level) {
            return rk_err_set(build->err, RK_INVALID, "the architecture '%s' is named twice", name);
        }
    }
    if (*count == RK_BUILD_ARCH_MAX) {
        return rk_err_set(build->err, RK_LIMIT, "more than %u architectures are named",
                          RK_BUILD_ARCH_MAX);
    }
    levels[(*count)++] = level;
    return RK_OK;
}

/* The number behind a prefix, or 0. */
static uint32_t number_after(const char *name, const char *prefix, int base)
{
    size_t length = strlen(prefix);
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    if (strncmp(name, prefix, length) != 0 || strlen(name + length) > 4 ||
        strlen(name + length) < 2 || name[length + strspn(name + length, digits)] != '\0') {
        return 0;
    }
    return (uint32_t)strtoul(name + length, NULL, base);
}

static rk_status take_name(rk_build *build, const char *name, const char *origin)
{
    uint32_t gfx = number_after(name, "gfx", 16);
    uint32_t sm = number_after(name, "sm_", 10);
    uint32_t compute = number_after(name, "compute_", 10);
    if (gfx != 0) {
        return add_level(build, build->hip_levels, &build->hip_count, gfx, name);
    }
    if (sm == 0 && compute == 0) {
        return rk_err_set(build->err, RK_INVALID,
                          "'%.40s' (in %s) is no GPU architecture; they look like sm_90 (machine "
                          "code for NVIDIA), compute_75 (PTX for NVIDIA) and gfx90a (AMD)",
                          name, origin);
    }
    if (sm + compute < CUDA_OLDEST) {
        return rk_err_set(build->err, RK_UNSUPPORTED,
                          "'%s' (in %s) is too old: kernels need compute capability 7.0 or later",
                          name, origin);
    }
    return sm != 0 ? add_level(build, build->cubin_levels, &build->cubin_count, sm, name)
                   : add_level(build, build->ptx_levels, &build->ptx_count, compute, name);
}

static rk_status take_list(rk_build *build, const char *list, const char *origin)
{
    rk_status status = RK_OK;
    while (list && *list != '\0' && status == RK_OK) {
        size_t length = strcspn(list, ",");
        const char *name = rk_arena_strndup(&build->arena, list, length);
        status = name ? take_name(build, name, origin)
                      : rk_err_set(build->err, RK_NO_MEMORY, "no memory");
        list += length + (list[length] == ',' ? 1u : 0u);
    }
    return status;
}

rk_status rk_build_take_archs(rk_build *build, uint32_t targets)
{
    rk_status status = take_list(build, build->options->archs, "the architectures asked for");
    bool names_cuda = build->ptx_count + build->cubin_count != 0;
    bool names_hip = build->hip_count != 0;
    if (status == RK_OK && ((names_cuda && (targets & RK_BUILD_CUDA) == 0) ||
                            (names_hip && (targets & RK_BUILD_HIP) == 0))) {
        const char *target = names_cuda && (targets & RK_BUILD_CUDA) == 0 ? "cuda" : "hip";
        status = rk_err_set(build->err, RK_INVALID,
                            "'%.80s' names an architecture of the target %s, which is not built; "
                            "add --target %s",
                            build->options->archs, target, target);
    }
    if (status == RK_OK && !names_cuda && (targets & RK_BUILD_CUDA) != 0) {
        status = take_list(build, getenv("RK_CUDA_ARCH"), "RK_CUDA_ARCH");
    }
    if (status == RK_OK && !names_hip && (targets & RK_BUILD_HIP) != 0) {
        status = take_list(build, getenv("RK_HIP_ARCH"), "RK_HIP_ARCH");
    }
    if (build->ptx_count + build->cubin_count == 0) {
        build->ptx_levels[build->ptx_count++] = CUDA_DEFAULT;
    }
    if (build->hip_count == 0) {
        build->hip_levels[build->hip_count++] = HIP_DEFAULT;
    }
    return status;
}
