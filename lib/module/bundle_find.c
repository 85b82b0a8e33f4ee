/*
 * bundle_find.c: which section of a bundle a device runs, and the sentence when there is none.
 */
#include "module/bundle.h"

#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

static bool is_for(const rk_section *section, uint32_t kind, uint32_t variant)
{
    return section->kind == kind &&
           (section->variant == variant || section->variant == RK_SECTION_ALL_VARIANTS);
}

static const char *variant_name(const rk_bundle *bundle, uint32_t variant)
{
    const rk_schema *schema = rk_bundle_schema(bundle);
    return variant < schema->variant_count ? schema->variants[variant].name : "?";
}

const rk_section *rk_bundle_find(const rk_bundle *bundle, uint32_t kind, uint32_t level,
                                 uint32_t variant)
{
    for (uint32_t i = 0; i < rk_bundle_section_count(bundle); i++) {
        const rk_section *s = rk_bundle_section(bundle, i);
        if (s->level == level && is_for(s, kind, variant)) {
            return s;
        }
    }
    return NULL;
}

/* The levels of one kind and variant, for a message. */
static void list_levels(const rk_bundle *b, uint32_t kind, uint32_t variant, rk_str *out)
{
    for (uint32_t i = 0; i < rk_bundle_section_count(b); i++) {
        const rk_section *s = rk_bundle_section(b, i);
        if (is_for(s, kind, variant)) {
            (void)rk_str_appendf(out, "%s%s", out->length ? ", " : "",
                                 rk_isa_name(s->level)); /* a short list is still a list */
        }
    }
}

static rk_status refuse_level(const rk_bundle *b, uint32_t kind, uint32_t variant, rk_status code,
                              const char *reason, const char *wanted, rk_err *err)
{
    rk_str levels;
    rk_str_init(&levels, 200);
    list_levels(b, kind, variant, &levels);
    (void)rk_err_set(err, code, "module '%s', variant %s: %s%s; it holds %s code for: %s",
                     rk_bundle_name(b), variant_name(b, variant), reason, wanted,
                     rk_section_name(kind), levels.length ? rk_str_cstr(&levels) : "nothing");
    rk_str_finish(&levels);
    return code;
}

/* The level that is asked for, by argument or environment; NONE: the processor decides. */
static rk_status pinned_level(uint32_t kind, rk_isa level, rk_isa *out_level, rk_err *err)
{
    const char *text = kind == RK_SECTION_CPU && level == RK_ISA_NONE ? getenv("RK_ISA") : NULL;
    if (text && *text != '\0') {
        level = rk_isa_parse(text);
        if (level == RK_ISA_NONE) {
            return rk_err_set(err, RK_INVALID,
                              "the environment variable RK_ISA is '%.60s', which names no "
                              "instruction-set level; use v2, v3, v4 or aarch64, or unset it",
                              text);
        }
    }
    *out_level = level;
    return RK_OK;
}

rk_status rk_bundle_find_cpu(const rk_bundle *bundle, uint32_t kind, uint32_t variant, rk_isa level,
                             const rk_section **out_section, rk_err *err)
{
    rk_status status = pinned_level(kind, level, &level, err);
    if (status != RK_OK) {
        return status;
    }
    const rk_section *best = NULL;
    bool any = false;
    for (uint32_t i = 0; i < rk_bundle_section_count(bundle); i++) {
        const rk_section *s = rk_bundle_section(bundle, i);
        if (!is_for(s, kind, variant)) {
            continue;
        }
        any = true;
        bool wanted = level == RK_ISA_NONE ? rk_isa_supported(s->level) : s->level == level;
        if (wanted && (!best || s->level > best->level)) {
            best = s;
        }
    }
    if (best && !rk_isa_supported(best->level)) {
        return refuse_level(bundle, kind, variant, RK_UNSUPPORTED, "this processor cannot run ",
                            rk_isa_name(level), err);
    }
    if (best) {
        *out_section = best;
        return RK_OK;
    }
    if (level != RK_ISA_NONE) {
        return refuse_level(bundle, kind, variant, RK_NOT_FOUND, "there is no code for ",
                            rk_isa_name(level), err);
    }
    return refuse_level(bundle, kind, variant, any ? RK_UNSUPPORTED : RK_NOT_FOUND,
                        any ? "this processor runs none of its code; rebuild it here with 'rk "
                              "build'"
                            : "it has no code for the processor, which test devices run as well; "
                              "rebuild it with 'rk build --target cpu'",
                        "", err);
}

#define KIND_BIT(kind) (1u << (kind))
#define CUDA_KINDS (KIND_BIT(RK_SECTION_PTX) | KIND_BIT(RK_SECTION_CUBIN))
#define GPU_KINDS (CUDA_KINDS | KIND_BIT(RK_SECTION_HIP) | KIND_BIT(RK_SECTION_OPENCL_SOURCE))

/* Whether a device of that level runs the section. */
static bool runs_on(const rk_section *section, uint32_t code_level)
{
    switch (section->kind) {
    case RK_SECTION_CUBIN:
        return section->level / 10 == code_level / 10 && section->level <= code_level;
    case RK_SECTION_PTX: return section->level <= code_level;
    case RK_SECTION_HIP: return section->level == code_level;
    default: return section->kind == RK_SECTION_OPENCL_SOURCE;
    }
}

/* A cubin needs no compilation at load, and the nearest level is the best one. */
static bool is_better(const rk_section *section, const rk_section *best)
{
    if (section->kind != best->kind) {
        return section->kind == RK_SECTION_CUBIN;
    }
    return section->level > best->level;
}

/* "cpu v3", "sm_90", "gfx90a". */
static void append_code_name(rk_str *out, const rk_section *section)
{
    switch (section->kind) {
    case RK_SECTION_CPU:
    case RK_SECTION_FIBER:
        (void)rk_str_appendf(out, "%s %s", rk_section_name(section->kind),
                             rk_isa_name(section->level)); /* a short list is still a list */
        return;
    case RK_SECTION_PTX: (void)rk_str_appendf(out, "compute_%u", section->level); return;
    case RK_SECTION_CUBIN: (void)rk_str_appendf(out, "sm_%u", section->level); return;
    case RK_SECTION_HIP: (void)rk_str_appendf(out, "gfx%x", section->level); return;
    default: (void)rk_str_append(out, rk_section_name(section->kind)); return;
    }
}

/* The code for the variant, of these kinds, for a message. */
static void list_code(const rk_bundle *bundle, uint32_t kinds, uint32_t variant, rk_str *out)
{
    for (uint32_t i = 0; i < rk_bundle_section_count(bundle); i++) {
        const rk_section *s = rk_bundle_section(bundle, i);
        if (s->kind < RK_SECTION_KIND_END && (KIND_BIT(s->kind) & kinds) != 0 &&
            is_for(s, s->kind, variant)) {
            (void)rk_str_append(out, out->length ? ", " : ""); /* a short list is still a list */
            append_code_name(out, s);
        }
    }
}

static rk_status refuse_code(const rk_bundle *bundle, uint32_t kinds, uint32_t code_level,
                             const char *device_name, uint32_t variant, rk_err *err)
{
    static const uint32_t code_kinds =
        GPU_KINDS | KIND_BIT(RK_SECTION_CPU) | KIND_BIT(RK_SECTION_FIBER);
    bool cuda = (kinds & CUDA_KINDS) != 0;
    bool hip = !cuda && (kinds & KIND_BIT(RK_SECTION_HIP)) != 0;
    const char *target = cuda ? "cuda" : hip ? "hip" : "opencl";
    const char *title = cuda ? "CUDA" : hip ? "HIP" : "OpenCL";
    rk_str fitting;
    rk_str all;
    rk_str_init(&fitting, 120);
    rk_str_init(&all, 200);
    list_code(bundle, kinds, variant, &fitting);
    list_code(bundle, code_kinds, variant, &all);
    rk_status status;
    if (fitting.length == 0) {
        status = rk_err_set(err, RK_NOT_FOUND,
                            "module '%s', variant %s: the bundle has no %s code for device '%s' "
                            "(it holds: %s); rebuild it with 'rk build --target %s'",
                            rk_bundle_name(bundle), variant_name(bundle, variant), title,
                            device_name, all.length ? rk_str_cstr(&all) : "nothing", target);
    } else {
        status = rk_err_set(err, RK_UNSUPPORTED,
                            hip ? "module '%s', variant %s: its %s code is made for %s, device "
                                  "'%s' is gfx%x; rebuild it with 'rk build --target %s --arch "
                                  "gfx%x'"
                                : "module '%s', variant %s: its %s code is made for %s, device "
                                  "'%s' is sm_%u; rebuild it with 'rk build --target %s --arch "
                                  "sm_%u'",
                            rk_bundle_name(bundle), variant_name(bundle, variant), title,
                            rk_str_cstr(&fitting), device_name, code_level, target, code_level);
    }
    rk_str_finish(&fitting);
    rk_str_finish(&all);
    return status;
}

rk_status rk_bundle_find_code(const rk_bundle *bundle, uint32_t code_kinds, uint32_t code_level,
                              const char *device_name, uint32_t variant,
                              const rk_section **out_section, rk_err *err)
{
    uint32_t kinds = code_kinds & GPU_KINDS;
    const char *device = device_name ? device_name : "?";
    const rk_section *best = NULL;
    if (kinds == 0) {
        return rk_err_set(err, RK_INVALID, "device '%s' names no kind of GPU code (0x%x)", device,
                          code_kinds);
    }
    for (uint32_t i = 0; i < rk_bundle_section_count(bundle); i++) {
        const rk_section *s = rk_bundle_section(bundle, i);
        bool wanted = s->kind < RK_SECTION_KIND_END && (KIND_BIT(s->kind) & kinds) != 0 &&
                      is_for(s, s->kind, variant) && runs_on(s, code_level);
        if (wanted && (!best || is_better(s, best))) {
            best = s;
        }
    }
    if (!best) {
        return refuse_code(bundle, kinds, code_level, device, variant, err);
    }
    *out_section = best;
    return RK_OK;
}
