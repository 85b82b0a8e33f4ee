/*
 * build_hip.c: HIP code objects, one for each GPU. By hiprtc, which is loaded into this process, or
 * by clang and ld.lld, without HIP's own headers and libraries: the dialect uses clang's builtins
 * (target.h). RK_HIPRTC=off leaves hiprtc alone.
 *
 * hiprtc runs in a child process: it has been seen to crash on the name of a GPU that it does not
 * know (version 5.2). Where it does, clang gets the work.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/value.h"
#include "module/hiprtc.h"
#include "module/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static bool load_hiprtc(rk_hiprtc *out)
{
    const char *text = getenv("RK_HIPRTC");
    bool wanted = true;
    out->library = NULL;
    if (text && *text != '\0' && rk_value_parse_bool(text, &wanted, NULL) != RK_OK) {
        wanted = true; /* nonsense changes nothing */
    }
    return wanted && rk_hiprtc_load(out);
}

bool rk_build_has_hip(void)
{
    char *clang = find_clang();
    rk_hiprtc rtc;
    bool has_clang = clang != NULL;
    free(clang);
    return has_clang || load_hiprtc(&rtc);
}

static bool key_of(rk_build *build, const rk_hiprtc *rtc, const rk_build_args *args,
                   rk_cache_key *out_key)
{
    rk_sha256 sha;
    if (!rk_build_key_start(build, &sha, "hiprtc", NULL) || !rk_build_key_tool(&sha, rtc->path)) {
        return false;
    }
    rk_build_key_text(&sha, build->source);
    for (uint32_t i = 0; i < args->count; i++) {
        rk_build_key_text(&sha, args->items[i]);
    }
    rk_sha256_finish(&sha, out_key->bytes);
    return true;
}

/* The child's part: leaves the code or the messages in files. Returns the exit status. */
static int compile_in_child(const rk_hiprtc *rtc, const char *text, const char *name,
                            const rk_build_args *args, const char *code_path, const char *log_path)
{
    void *code = NULL;
    size_t bytes = 0;
    char *log = NULL;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >=
        0) { /* the C library's last words in a crash are none of the author's business */
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
    }
    rk_status status =
        rk_hiprtc_compile(rtc, text, name, args->items, args->count, &code, &bytes, &log);
    if (status == RK_OK) {
        status = rk_file_replace(code_path, code, bytes, NULL);
    } else if (log && rk_file_replace(log_path, log, strlen(log), NULL) != RK_OK) {
        status = RK_IO;
    }
    return status == RK_OK ? 0 : status == RK_COMPILE ? 1 : 2;
}

/*
 * hiprtc in a process of its own. RK_CLOSED if it was ended by a signal; otherwise as
 * rk_hiprtc_compile, with the same results.
 */
static rk_status compile_apart(rk_build *build, const rk_hiprtc *rtc, const char *text,
                               const rk_build_args *args, void **out_code, size_t *out_bytes,
                               char **out_log)
{
    const char *code_path = rk_build_temporary(build, ".hsaco");
    const char *log_path = rk_build_temporary(build, ".log");
    size_t bytes = 0;
    int how = 0;
    *out_log = NULL;
    if (!code_path || !log_path) {
        return RK_NO_MEMORY;
    }
    (void)rk_file_unlink(code_path); /* of another GPU's, in the same place */
    (void)rk_file_unlink(log_path);  /* the same */
    pid_t child = fork();
    if (child == 0) {
        _exit(compile_in_child(rtc, text, build->source, args, code_path, log_path));
    }
    pid_t ended = child;
    while (child > 0 && (ended = waitpid(child, &how, 0)) < 0 && errno == EINTR) {
    }
    if (child < 0 || (ended == child && !WIFEXITED(how))) {
        return RK_CLOSED;
    }
    /* What it left tells how it went, also where the program ignores SIGCHLD. */
    if (rk_file_read_all(code_path, RK_BUNDLE_FILE_MAX, (char **)out_code, out_bytes, NULL) ==
        RK_OK) {
        return RK_OK;
    }
    (void)rk_file_read_all(log_path, RK_BUILD_SOURCE_MAX, out_log, &bytes, NULL); /* or NULL */
    return RK_COMPILE;
}

/* One code object, from the cache or hiprtc. RK_CLOSED: it crashed. */
static rk_status compile(rk_build *build, const rk_hiprtc *rtc, const char *text,
                         const rk_build_args *args, void **out_code, size_t *out_bytes)
{
    rk_cache_key key;
    char *log = NULL;
    bool has_key = build->cache.folder && key_of(build, rtc, args, &key);
    if (has_key && rk_build_cache_get(build, &key, out_code, out_bytes, &log)) {
        free(log);
        return RK_OK;
    }
    rk_status status = compile_apart(build, rtc, text, args, out_code, out_bytes, &log);
    if (status == RK_OK) {
        if (has_key && rk_build_cache_confirm(build)) {
            rk_build_cache_put(build, &key, *out_code, *out_bytes, "");
        }
    } else if (log) {
        if (build->options->print) {
            build->options->print(build->options->print_context, log);
        }
        (void)rk_build_report(build, status, log);
    } else if (status != RK_CLOSED) {
        (void)rk_err_set(build->err, status, "hiprtc failed without a word");
    }
    free(log);
    return status;
}

static rk_status add_by_hiprtc(rk_build *build, const rk_hiprtc *rtc, uint32_t level,
                               uint32_t variant)
{
    rk_build_args args;
    rk_build_args_init(build, &args);
    rk_build_args_add(&args, rk_build_text(build, "--offload-arch=gfx%x", level));
    rk_build_args_add(&args, "-O3");
    rk_build_args_add(&args, "-ffp-contract=off");
    rk_build_args_add(&args, "-fdiagnostics-color=never");
    rk_build_args_add(&args, rk_build_text(build, "-I%s", build->include_dir));
    if (rk_build_variant_flag(build, variant)) {
        rk_build_args_add(&args, rk_build_variant_flag(build, variant));
    }
    if (args.failed) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory for the HIP compiler");
    }
    rk_str text;
    char *source = NULL;
    size_t bytes = 0;
    void *code = NULL;
    rk_status status =
        rk_file_read_all(build->source, RK_BUILD_SOURCE_MAX, &source, &bytes, build->err);
    if (status != RK_OK) {
        return status;
    }
    rk_str_init(&text, RK_BUILD_SOURCE_MAX + 8192);
    if (!strpbrk(build->source, "\"\\\n")) { /* hiprtc names its own copy in messages */
        (void)rk_str_appendf(&text, "#line 1 \"%s\"\n", build->source); /* sticky */
    }
    status = rk_str_append(&text, source);
    free(source);
    status = status == RK_OK ? compile(build, rtc, rk_str_cstr(&text), &args, &code, &bytes)
                             : rk_err_set(build->err, status, "no memory for the HIP source");
    rk_str_finish(&text);
    return status == RK_OK
               ? rk_build_add_data_take(build, RK_SECTION_HIP, level, variant, code, bytes)
               : status;
}

static rk_status add_by_clang(rk_build *build, const char *clang, uint32_t level, uint32_t variant)
{
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
    rk_build_args_add(&args, rk_build_text(build, "--offload-arch=gfx%x", level));
    if (rk_build_variant_flag(build, variant)) {
        rk_build_args_add(&args, rk_build_variant_flag(build, variant));
    }
    rk_build_args_add(&args, "-o");
    rk_build_args_add(&args, output);
    rk_build_args_add(&args, build->source);
    return rk_build_add(build, RK_SECTION_HIP, level, variant, &args, output);
}

static void note_hip(rk_build *build, const rk_hiprtc *rtc)
{
    rk_str text;
    rk_str_init(&text, 512);
    if (rtc->library) {
        (void)rk_str_appendf(&text, "hiprtc %d.%d", rtc->major, rtc->minor); /* a note may be cut */
    } else {
        (void)rk_str_append(&text, "clang"); /* the same */
    }
    for (uint32_t i = 0; i < build->hip_count; i++) {
        (void)rk_str_appendf(&text, " gfx%x", build->hip_levels[i]); /* the same */
    }
    rk_build_note(build, "hip", rk_str_cstr(&text));
    rk_str_finish(&text);
}

rk_status rk_build_add_hip(rk_build *build)
{
    rk_hiprtc rtc = {.library = NULL};
    char *found = find_clang();
    const char *clang = found ? rk_build_text(build, "%s", found) : NULL;
    free(found);
    if (!load_hiprtc(&rtc) && !clang) {
        return rk_err_set(build->err, RK_UNSUPPORTED,
                          "the hip target needs hiprtc (ROCm's libhiprtc.so), or clang and its "
                          "linker ld.lld (Debian: apt-get install clang lld); or leave it out");
    }
    note_hip(build, &rtc);
    rk_status status = RK_OK;
    for (uint32_t v = 0; v < build->schema->variant_count; v++) {
        for (uint32_t i = 0;
             i < build->hip_count && status == RK_OK && rk_build_wants_variant(build, v); i++) {
            uint32_t level = build->hip_levels[i];
            status = rtc.library ? add_by_hiprtc(build, &rtc, level, v) : RK_CLOSED;
            if (status == RK_CLOSED && clang) {
                status = add_by_clang(build, clang, level, v);
            } else if (status == RK_CLOSED) {
                status = rk_err_set(build->err, RK_COMPILE,
                                    "hiprtc %d.%d crashed; it may not know gfx%x", rtc.major,
                                    rtc.minor, level);
            }
        }
    }
    return status;
}
