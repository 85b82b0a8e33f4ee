/*
 * build_hip.c: HIP code objects by clang, without HIP's own headers and libraries: the dialect uses
 * clang's builtins (target.h). The environment's RK_HIP_ARCH names the GPU, gfx90a if it does not.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "module/process.h"

#include <stdlib.h>
#include <string.h>

static const char *architecture(void)
{
    const char *named = getenv("RK_HIP_ARCH");
    return named && *named != '\0' ? named : "gfx90a";
}

/* The caller frees it; NULL if something is missing. */
static char *find_clang(void)
{
    char *clang = NULL;
    char *lld = NULL;
    if (rk_process_find("clang", &clang) != RK_OK) {
        return NULL;
    }
    if (rk_process_find("ld.lld", &lld) != RK_OK) {
        free(clang);
        return NULL;
    }
    free(lld);
    return clang;
}

bool rk_build_has_hip(void)
{
    char *clang = find_clang();
    free(clang);
    return clang != NULL;
}

rk_status rk_build_add_hip(rk_build *build)
{
    const char *arch = architecture();
    char *end = NULL;
    unsigned long level = strncmp(arch, "gfx", 3) == 0 ? strtoul(arch + 3, &end, 16) : 0;
    if (level == 0 || level > UINT32_MAX || *end != '\0') {
        return rk_err_set(build->err, RK_INVALID,
                          "RK_HIP_ARCH is '%.40s'; it must be the name of one GPU such as gfx90a",
                          arch);
    }
    char *found = find_clang();
    const char *clang = found ? rk_build_text(build, "%s", found) : NULL;
    free(found);
    if (!clang) {
        return rk_err_set(build->err, RK_UNSUPPORTED,
                          "the hip target needs clang and its linker ld.lld (Debian: apt-get "
                          "install clang lld), or leave it out");
    }
    rk_status status = RK_OK;
    for (uint32_t variant = 0; variant < build->schema->variant_count && status == RK_OK;
         variant++) {
        if (!rk_build_wants_variant(build, variant)) {
            continue;
        }
        const char *flags[] = {"-x",
                               "hip",
                               "--cuda-device-only",
                               "--no-gpu-bundle-output",
                               "-nogpuinc",
                               "-nogpulib",
                               "-O3",
                               "-ffp-contract=off",
                               "-fdiagnostics-color=never",
                               "-I",
                               build->include_dir};
        rk_build_args args;
        const char *output = rk_build_temporary(build, ".hsaco");
        rk_build_args_init(build, &args);
        rk_build_args_add(&args, clang);
        rk_build_args_add_all(&args, flags, RK_COUNT_OF(flags));
        rk_build_args_add(&args, rk_build_text(build, "--offload-arch=%s", arch));
        if (rk_build_variant_flag(build, variant)) {
            rk_build_args_add(&args, rk_build_variant_flag(build, variant));
        }
        rk_build_args_add(&args, "-o");
        rk_build_args_add(&args, output);
        rk_build_args_add(&args, build->source);
        status = rk_build_add(build, RK_SECTION_HIP, (uint32_t)level, variant, &args, output);
    }
    rk_build_note(build, "hip", arch);
    return status;
}
