/*
 * build_cpu.c: the C compiler: finding it, its command lines, and the first compilation, from which
 * the schema comes.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "module/elf.h"
#include "module/process.h"

#include <stdlib.h>
#include <string.h>

#define COMPILER_WORD_MAX 16u

/*
 * No contraction, so that every level computes the same numbers; errno and traps of floating point
 * are of no interest and would keep loops from vectorising.
 */
static const char *const cpu_flags[] = {
    "-std=c17",
    "-O3",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    "-fdiagnostics-color=never",
    "-Wl,-z,defs",
};

/* Splits "ccache gcc" into words; the first becomes a path. */
static rk_status split_compiler(rk_build *build, const char *text, const char *origin)
{
    const char **words = rk_arena_calloc(&build->arena, COMPILER_WORD_MAX, sizeof(*words));
    uint32_t count = 0;
    while (words && count < COMPILER_WORD_MAX) {
        text += strspn(text, " ");
        size_t length = strcspn(text, " ");
        if (length == 0) {
            break;
        }
        words[count] = rk_arena_strndup(&build->arena, text, length);
        if (!words[count++]) {
            words = NULL;
        }
        text += length;
    }
    if (!words) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory");
    }
    char *path = NULL;
    if (count == 0 || rk_process_find(words[0], &path) != RK_OK) {
        return rk_err_set(build->err, RK_NOT_FOUND,
                          "the compiler '%.100s' (from %s) is not installed or not in PATH",
                          count ? words[0] : "", origin);
    }
    words[0] = rk_arena_strdup(&build->arena, path);
    free(path);
    build->compiler = words;
    build->compiler_words = count;
    return words[0] ? RK_OK : rk_err_set(build->err, RK_NO_MEMORY, "no memory");
}

/* gcc, else clang; NULL if there is neither. */
static const char *usual_compiler(void)
{
    static const char *const names[] = {"gcc", "clang"};
    for (size_t i = 0; i < RK_COUNT_OF(names); i++) {
        char *path = NULL;
        if (rk_process_find(names[i], &path) == RK_OK) {
            free(path);
            return names[i];
        }
    }
    return NULL;
}

bool rk_build_has_compiler(void)
{
    const char *named = getenv("RK_CC");
    return (named && *named != '\0') || usual_compiler() != NULL;
}

rk_status rk_build_find_compiler(rk_build *build)
{
    const char *named = getenv("RK_CC");
    const char *given = build->options->compiler;
    rk_status status;
    if (given) {
        status = split_compiler(build, given, "the options");
    } else if (named && *named != '\0') {
        status = split_compiler(build, named, "the environment variable RK_CC");
    } else if (usual_compiler()) {
        status = split_compiler(build, usual_compiler(), "PATH");
    } else {
        status = rk_err_set(build->err, RK_NOT_FOUND,
                            "there is no C compiler: neither gcc nor clang is in PATH; install one "
                            "(Debian: apt-get install gcc) or name one in RK_CC");
    }
    if (status == RK_OK) {
        const char *version = rk_build_tool_version(build, build->compiler[0]);
        rk_build_note(build, "compiler", version ? version : build->compiler[0]);
        build->compiler_version = version;
    }
    return status;
}

/* Without wants_code only the schema counts: what takes least time. */
static rk_status add_compilation(rk_build *build, uint32_t kind, rk_isa level, uint32_t variant,
                                 const char *variant_flag, bool wants_code)
{
    rk_build_args args;
    rk_build_args_init(build, &args);
    rk_build_args_add_all(&args, build->compiler, build->compiler_words);
    rk_build_args_add_all(&args, cpu_flags, RK_COUNT_OF(cpu_flags));
    if (!wants_code) {
        rk_build_args_add(&args, "-O0");
    }
    if (rk_isa_march(level)) {
        rk_build_args_add(&args, rk_build_text(build, "-march=%s", rk_isa_march(level)));
    }
    if (variant_flag) {
        rk_build_args_add(&args, variant_flag);
    }
    if (kind == RK_SECTION_FIBER) {
        rk_build_args_add(&args, "-DRK_FIBER");
    }
    rk_build_args_add(&args, "-I");
    rk_build_args_add(&args, build->include_dir);
    rk_build_args_add_all(&args, build->options->extra_flags, build->options->extra_flag_count);
    const char *output = rk_build_temporary(build, ".so");
    rk_build_args_add(&args, "-o");
    rk_build_args_add(&args, output);
    rk_build_args_add(&args, build->source);
    rk_build_args_add(&args, "-lm");
    return rk_build_add(build, kind, level, variant, &args, output);
}

/* The schema lies in the shared object, NUL-terminated, in a section of its own. */
static rk_status take_schema(rk_build *build, const rk_build_job *job)
{
    rk_elf elf;
    const unsigned char *text = NULL;
    uint64_t bytes = 0;
    rk_status status = rk_elf_open(job->data, job->bytes, &elf, build->err);
    if (status != RK_OK) {
        return rk_err_prefix(build->err, "the compiler's output is not usable: ");
    }
    if (rk_elf_section(&elf, ".rkschema", &text, &bytes) != RK_OK || bytes == 0 ||
        text[bytes - 1] != '\0' || !rk_elf_exports_function(&elf, "rk_module_entry")) {
        return rk_err_set(
            build->err, RK_SYNTAX,
            "it declares no kernel; define RK_NAME and include <ringkernel/kernel.h>");
    }
    build->schema_text = rk_arena_strndup(&build->arena, (const char *)text, (size_t)bytes - 1);
    if (!build->schema_text) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory");
    }
    build->schema_bytes = (size_t)bytes - 1;
    return rk_schema_parse(build->schema_text, build->schema_bytes, &build->schema, build->err);
}

rk_status rk_build_probe(rk_build *build)
{
    rk_isa lowest = build->levels[0];
    for (uint32_t i = 1; i < build->level_count; i++) {
        lowest = RK_MIN(lowest, build->levels[i]);
    }
    uint32_t targets = build->options->targets ? build->options->targets : RK_BUILD_CPU;
    bool wants_code = (targets & RK_BUILD_CPU) != 0;
    rk_status status = add_compilation(build, RK_SECTION_CPU, lowest, 0, NULL, wants_code);
    if (status == RK_OK) {
        status = rk_build_run(build, 0);
    }
    if (status != RK_OK) {
        return status;
    }
    status = take_schema(build, &build->jobs[0]);
    if (status != RK_OK) {
        return status;
    }
    int f32 = rk_schema_find_variant(build->schema, "f32");
    if (wants_code && f32 >= 0 && rk_build_wants_variant(build, (uint32_t)f32)) {
        build->jobs[0].variant = (uint32_t)f32;
    } else {
        free(build->jobs[0].data); /* it served to find the schema */
        build->jobs[0].data = NULL;
        build->job_count = 0;
    }
    return RK_OK;
}

static bool is_probed(const rk_build *build, rk_isa level, uint32_t variant)
{
    return build->job_count != 0 && build->jobs[0].kind == RK_SECTION_CPU &&
           build->jobs[0].level == (uint32_t)level && build->jobs[0].variant == variant;
}

rk_status rk_build_add_cpu(rk_build *build)
{
    uint32_t targets = build->options->targets;
    targets = targets ? targets : RK_BUILD_CPU | RK_BUILD_FIBER;
    rk_str flags;
    rk_str_init(&flags, 4096);
    for (size_t i = 0; i < RK_COUNT_OF(cpu_flags); i++) {
        (void)rk_str_appendf(&flags, "%s%s", i ? " " : "", cpu_flags[i]); /* cut in a note only */
    }
    for (uint32_t i = 0; i < build->options->extra_flag_count; i++) {
        (void)rk_str_appendf(&flags, " %s", build->options->extra_flags[i]); /* the same */
    }
    rk_build_note(build, "flags", rk_str_cstr(&flags));
    rk_str_finish(&flags);

    rk_status status = RK_OK;
    for (uint32_t variant = 0; variant < build->schema->variant_count; variant++) {
        if (!rk_build_wants_variant(build, variant)) {
            continue;
        }
        const char *flag = rk_build_variant_flag(build, variant);
        rk_isa lowest = build->levels[0];
        for (uint32_t i = 0; i < build->level_count && status == RK_OK; i++) {
            rk_isa level = build->levels[i];
            lowest = RK_MIN(lowest, level);
            if ((targets & RK_BUILD_CPU) != 0 && !is_probed(build, level, variant)) {
                status = add_compilation(build, RK_SECTION_CPU, level, variant, flag, true);
            }
        }
        if ((targets & RK_BUILD_FIBER) != 0 && status == RK_OK) {
            status = add_compilation(build, RK_SECTION_FIBER, lowest, variant, flag, true);
        }
    }
    return status;
}
