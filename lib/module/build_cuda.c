/*
 * build_cuda.c: PTX and cubins. PTX by NVRTC, which is loaded into this process and needs no
 * further compiler, or by nvcc; the environment's RK_NVCC names an nvcc and decides for it.
 * Cubins are linked by nvJitLink (build_units.c), or assembled by nvcc; only of PTX that has
 * been checked.
 *
 * Source of names and options: CUDA Toolkit, "NVRTC" and "NVCC" manuals. When no architecture is
 * named, PTX is made for the oldest that current toolkits support; the driver compiles it for the
 * device at hand.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "module/process.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

const char *const rk_build_cuda_flags[RK_BUILD_CUDA_FLAG_COUNT] = {
    "-std=c++17", "--fmad=false", /* no contraction: the same numbers as on the CPU */
};

/* The caller frees it; NULL if there is none. */
static char *find_nvcc(void)
{
    const char *named = getenv("RK_NVCC");
    const char *const candidates[] = {named && *named != '\0' ? named : "nvcc",
                                      "/usr/local/cuda/bin/nvcc", "/opt/cuda/bin/nvcc"};
    char *path = NULL;
    for (size_t i = 0; i < (named ? 1u : RK_COUNT_OF(candidates)); i++) {
        if (rk_process_find(candidates[i], &path) == RK_OK) {
            return path;
        }
    }
    return NULL;
}

static bool wants_nvcc(void)
{
    const char *named = getenv("RK_NVCC");
    return named && *named != '\0';
}

bool rk_build_has_cuda(void)
{
    char *nvcc = find_nvcc();
    if (nvcc) {
        free(nvcc);
        return true;
    }
    rk_nvrtc rtc;
    return !wants_nvcc() && rk_nvrtc_load(&rtc);
}

/* The log to the caller's print function; its first error into err. */
static rk_status report_log(rk_build *build, rk_status status, const char *log)
{
    if (status == RK_NO_MEMORY) {
        return rk_err_set(build->err, status, "no memory for the CUDA compiler");
    }
    if (!log) {
        return rk_err_set(build->err, status, "the CUDA compiler refused it without a word");
    }
    if (build->options->print) {
        build->options->print(build->options->print_context, log);
    }
    return rk_build_report(build, status, log);
}

/* The key of what NVRTC makes of a file. False: nothing is kept. */
static bool key_of(rk_build *build, const rk_nvrtc *rtc, const char *path,
                   const unsigned char *digest, const rk_build_args *args, rk_cache_key *out_key)
{
    rk_sha256 sha;
    if (!rk_build_key_start(build, &sha, "nvrtc", digest) || !rk_build_key_tool(&sha, rtc->path)) {
        return false;
    }
    rk_build_key_text(&sha, path);
    for (uint32_t i = 0; i < args->count; i++) {
        rk_build_key_text(&sha, args->items[i]);
    }
    rk_sha256_finish(&sha, out_key->bytes);
    return true;
}

rk_status rk_build_nvrtc(rk_build *build, const rk_nvrtc *rtc, const char *path,
                         const rk_build_args *args, char **out_ptx, char **out_log)
{
    unsigned char digest[RK_SHA256_BYTES];
    unsigned char after[RK_SHA256_BYTES];
    rk_cache_key key;
    void *kept = NULL;
    size_t bytes = 0;
    char *text = NULL;
    *out_log = NULL;
    if (args->failed) {
        return RK_NO_MEMORY;
    }
    bool has_key = build->cache.folder && rk_build_digest(build, path, digest) &&
                   key_of(build, rtc, path, digest, args, &key);
    if (has_key && rk_build_cache_get(build, &key, &kept, &bytes, out_log)) {
        *out_ptx = kept;
        return RK_OK;
    }
    rk_status status = rk_file_read_all(path, RK_BUILD_SOURCE_MAX, &text, &bytes, build->err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_nvrtc_compile(rtc, text, path, args->items, args->count, out_ptx, out_log);
    free(text);
    if (status == RK_OK && has_key && rk_build_digest(build, path, after) &&
        memcmp(digest, after, sizeof(digest)) == 0) {
        rk_build_cache_put(build, &key, *out_ptx, strlen(*out_ptx), *out_log ? *out_log : "");
    }
    return status;
}

void rk_build_cuda_args(rk_build *build, rk_build_args *args, uint32_t level, uint32_t variant)
{
    rk_build_args_init(build, args);
    rk_build_args_add_all(args, rk_build_cuda_flags, RK_BUILD_CUDA_FLAG_COUNT);
    rk_build_args_add(args, rk_build_text(build, "-arch=compute_%u", level));
    rk_build_args_add(args, rk_build_text(build, "-I%s", build->include_dir));
    if (rk_build_variant_flag(build, variant)) {
        rk_build_args_add(args, rk_build_variant_flag(build, variant));
    }
}

rk_status rk_build_whole_ptx(rk_build *build, const rk_nvrtc *rtc, uint32_t level, uint32_t variant,
                             char **out_ptx)
{
    rk_build_args args;
    char *log = NULL;
    rk_build_cuda_args(build, &args, level, variant);
    rk_build_args_add(&args, "-lineinfo");
    rk_status status = rk_build_nvrtc(build, rtc, build->source, &args, out_ptx, &log);
    if (status == RK_UNSUPPORTED) {
        (void)rk_err_set(build->err, status, "NVRTC %d.%d does not compile for compute_%u",
                         rtc->major, rtc->minor, level);
    } else if (status != RK_OK) {
        (void)report_log(build, status, log);
    } else if (log && build->options->print && !build->has_cuda_log) {
        build->options->print(build->options->print_context, log); /* warnings, once */
        build->has_cuda_log = true;
    }
    free(log);
    return status;
}

static rk_status add_by_nvrtc(rk_build *build, const rk_nvrtc *rtc, uint32_t variant)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < build->ptx_count && status == RK_OK; i++) {
        char *ptx = NULL;
        status = rk_build_whole_ptx(build, rtc, build->ptx_levels[i], variant, &ptx);
        if (status == RK_OK) {
            status = rk_build_add_data_take(build, RK_SECTION_PTX, build->ptx_levels[i], variant,
                                            ptx, strlen(ptx) + 1);
        }
    }
    return status;
}

/* A job of nvcc: `input` to `output`. */
static rk_status add_nvcc_job(rk_build *build, const char *nvcc, uint32_t kind, uint32_t level,
                              uint32_t variant, const char *input, const char *output)
{
    rk_build_args args;
    bool is_ptx = kind == RK_SECTION_PTX;
    rk_build_args_init(build, &args);
    rk_build_args_add(&args, nvcc);
    if (is_ptx) {
        rk_build_args_add_all(&args, rk_build_cuda_flags, RK_BUILD_CUDA_FLAG_COUNT);
        rk_build_args_add(&args, "-lineinfo");
        rk_build_args_add(&args, "-x");
        rk_build_args_add(&args, "cu");
        rk_build_args_add(&args, "-I");
        rk_build_args_add(&args, build->include_dir);
        if (rk_build_variant_flag(build, variant)) {
            rk_build_args_add(&args, rk_build_variant_flag(build, variant));
        }
    }
    rk_build_args_add(&args, is_ptx ? "-ptx" : "-cubin");
    rk_build_args_add(&args,
                      rk_build_text(build, is_ptx ? "-arch=compute_%u" : "-arch=sm_%u", level));
    rk_build_args_add(&args, "-o");
    rk_build_args_add(&args, output);
    rk_build_args_add(&args, input);
    return rk_build_add(build, kind, level, variant, &args, output);
}

/* PTX first, which is checked; then the cubin of it. */
static rk_status add_nvcc_cubin(rk_build *build, const char *nvcc, uint32_t level, uint32_t variant)
{
    uint32_t index = build->job_count;
    const char *ptx = rk_build_temporary(build, ".ptx");
    rk_status status =
        add_nvcc_job(build, nvcc, RK_SECTION_PTX, level, variant, build->source, ptx);
    if (status == RK_OK) {
        status = rk_build_run(build, index);
    }
    rk_build_job *job = &build->jobs[index];
    if (status == RK_OK) {
        status = rk_build_check_ptx(job->data, build->source, build->err);
    }
    if (status == RK_OK) { /* it may come from the cache, and then is in no file yet */
        status = rk_file_replace(ptx, job->data, job->bytes - 1, build->err);
    }
    if (status != RK_OK) {
        return status;
    }
    free(job->data);
    job->data = NULL;
    build->job_count = index;
    const char *cubin = rk_build_text(build, "%s.cubin", ptx);
    status = add_nvcc_job(build, nvcc, RK_SECTION_CUBIN, level, variant, ptx, cubin);
    return status == RK_OK ? rk_build_run(build, index) : status;
}

static rk_status add_by_nvcc(rk_build *build, const char *nvcc, uint32_t variant)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < build->ptx_count && status == RK_OK; i++) {
        const char *output = rk_build_temporary(build, ".ptx");
        status = add_nvcc_job(build, nvcc, RK_SECTION_PTX, build->ptx_levels[i], variant,
                              build->source, output);
    }
    return status;
}

static rk_status no_compiler(rk_build *build)
{
    return rk_err_set(build->err, RK_UNSUPPORTED,
                      "there is no CUDA compiler: neither NVRTC (libnvrtc.so) nor nvcc was "
                      "found; install the CUDA toolkit, name its nvcc in RK_NVCC, or leave the "
                      "cuda target out");
}

/* Cubins of one variant, by whatever makes them here. */
static rk_status add_cubins(rk_build *build, const rk_nvrtc *rtc, const rk_nvjitlink *linker,
                            const char *nvcc, uint32_t variant)
{
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < build->cubin_count && status == RK_OK; i++) {
        uint32_t level = build->cubin_levels[i];
        if (rtc->library && linker->library) {
            status = rk_build_add_linked(build, rtc, linker, level, variant);
        } else if (nvcc) {
            status = add_nvcc_cubin(build, nvcc, level, variant);
        } else {
            status = rk_err_set(build->err, RK_UNSUPPORTED,
                                "code for sm_%u needs nvJitLink (libnvJitLink.so) or nvcc, and "
                                "neither was found; install the CUDA toolkit, or build PTX with "
                                "--arch compute_%u",
                                level, level);
        }
    }
    return status;
}

static void note_cuda(rk_build *build, const rk_nvrtc *rtc)
{
    rk_str text;
    rk_str_init(&text, 512);
    if (rtc->library) {
        (void)rk_str_appendf(&text, "NVRTC %d.%d", rtc->major, rtc->minor); /* a note may be cut */
    } else {
        (void)rk_str_append(&text, "nvcc"); /* the same */
    }
    for (uint32_t i = 0; i < build->ptx_count; i++) {
        (void)rk_str_appendf(&text, " compute_%u", build->ptx_levels[i]); /* the same */
    }
    for (uint32_t i = 0; i < build->cubin_count; i++) {
        (void)rk_str_appendf(&text, " sm_%u", build->cubin_levels[i]); /* the same */
    }
    rk_build_note(build, "cuda", rk_str_cstr(&text));
    rk_str_finish(&text);
}

rk_status rk_build_add_cuda(rk_build *build)
{
    rk_nvrtc rtc = {.library = NULL};
    rk_nvjitlink linker = {.library = NULL};
    char *found = find_nvcc();
    const char *nvcc = found ? rk_build_text(build, "%s", found) : NULL;
    free(found);
    if (!wants_nvcc() && rk_nvrtc_load(&rtc) && build->cubin_count != 0) {
        (void)rk_nvjitlink_load(&linker); /* without it nvcc makes the cubins */
    }
    if (!rtc.library && !nvcc) {
        return no_compiler(build);
    }
    note_cuda(build, &rtc);
    rk_status status = RK_OK;
    for (uint32_t v = 0; v < build->schema->variant_count && status == RK_OK; v++) {
        if (!rk_build_wants_variant(build, v)) {
            continue;
        }
        status = add_cubins(build, &rtc, &linker, nvcc, v);
        if (status == RK_OK) {
            status = rtc.library ? add_by_nvrtc(build, &rtc, v) : add_by_nvcc(build, nvcc, v);
        }
    }
    return status;
}
