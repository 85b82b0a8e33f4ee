/*
 * build_cuda.c: PTX by NVRTC, which is loaded into this process and needs no further compiler, or
 * by nvcc. The environment's RK_NVCC names an nvcc and decides for it.
 *
 * Source of names and options: CUDA Toolkit, "NVRTC" and "NVCC" manuals. PTX is made for the oldest
 * architecture that current toolkits support; the driver compiles it for the device at hand.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/value.h"
#include "module/process.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define ARCHITECTURE "compute_75"
#define ARCHITECTURE_LEVEL 75u

static const char *const cuda_flags[] = {
    "-std=c++17", ("-arch=" ARCHITECTURE),
    "--fmad=false", /* no contraction: the same numbers as on the CPU */
};

typedef struct nvrtc_program_object *nvrtc_program;

/* What is used of NVRTC. A result of 0 is success. */
typedef struct nvrtc {
    void *library;
    int (*create)(nvrtc_program *, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*compile)(nvrtc_program, int, const char *const *);
    int (*log_size)(nvrtc_program, size_t *);
    int (*log)(nvrtc_program, char *);
    int (*ptx_size)(nvrtc_program, size_t *);
    int (*ptx)(nvrtc_program, char *);
    int (*destroy)(nvrtc_program *);
    int (*version)(int *, int *);
} nvrtc;

/* dlsym gives an object pointer; POSIX allows to store it in a function pointer. */
static bool take_symbol(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);
    memcpy(out_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

/* The library stays in the process (NODELETE): it is not made to be unloaded. */
static bool load_nvrtc(nvrtc *out)
{
    static const char *const names[] = {
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so.11.2",
        "libnvrtc.so",
        "/usr/local/cuda/lib64/libnvrtc.so",
        "/opt/cuda/lib64/libnvrtc.so",
    };
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < RK_COUNT_OF(names) && !out->library; i++) {
        out->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    if (!out->library) {
        return false;
    }
    bool whole = take_symbol(out->library, "nvrtcCreateProgram", &out->create) &&
                 take_symbol(out->library, "nvrtcCompileProgram", &out->compile) &&
                 take_symbol(out->library, "nvrtcGetProgramLogSize", &out->log_size) &&
                 take_symbol(out->library, "nvrtcGetProgramLog", &out->log) &&
                 take_symbol(out->library, "nvrtcGetPTXSize", &out->ptx_size) &&
                 take_symbol(out->library, "nvrtcGetPTX", &out->ptx) &&
                 take_symbol(out->library, "nvrtcDestroyProgram", &out->destroy) &&
                 take_symbol(out->library, "nvrtcVersion", &out->version);
    if (!whole) {
        (void)dlclose(out->library); /* another library of that name */
        out->library = NULL;
    }
    return whole;
}

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
    nvrtc rtc;
    if (wants_nvcc() || !load_nvrtc(&rtc)) {
        return false;
    }
    (void)dlclose(rtc.library); /* only asked for */
    return true;
}

/* The log, without its NUL, to the caller's print function; its first error into err. */
static rk_status report_log(rk_build *build, const nvrtc *rtc, nvrtc_program program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (rtc->log_size(program, &bytes) == 0 && bytes > 1) {
        log = calloc(1, bytes + 1);
    }
    if (!log || rtc->log(program, log) != 0) {
        free(log);
        return rk_err_set(build->err, RK_COMPILE, "the CUDA compiler refused it without a word");
    }
    if (build->options->print) {
        build->options->print(build->options->print_context, log);
    }
    const char *error = strstr(log, "error");
    const char *line = error ? error : log;
    while (line > log && line[-1] != '\n') {
        line--;
    }
    (void)rk_err_set(build->err, RK_COMPILE, "%.*s", (int)RK_MIN(strcspn(line, "\n"), (size_t)300),
                     line);
    free(log);
    return RK_COMPILE;
}

static rk_status compile_variant(rk_build *build, const nvrtc *rtc, const char *source,
                                 uint32_t variant)
{
    rk_build_args args;
    rk_build_args_init(build, &args);
    rk_build_args_add_all(&args, cuda_flags, RK_COUNT_OF(cuda_flags));
    rk_build_args_add(&args, "-lineinfo");
    rk_build_args_add(&args, rk_build_text(build, "-I%s", build->include_dir));
    if (rk_build_variant_flag(build, variant)) {
        rk_build_args_add(&args, rk_build_variant_flag(build, variant));
    }
    nvrtc_program program = NULL;
    if (args.failed || rtc->create(&program, source, build->source, 0, NULL, NULL) != 0) {
        return rk_err_set(build->err, RK_NO_MEMORY, "NVRTC could not take the source");
    }
    rk_status status = RK_OK;
    size_t bytes = 0;
    char *ptx = NULL;
    if (rtc->compile(program, (int)args.count, args.items) != 0) {
        status = report_log(build, rtc, program);
    } else if (rtc->ptx_size(program, &bytes) != 0 || bytes == 0 ||
               (ptx = calloc(1, bytes + 1)) == NULL || rtc->ptx(program, ptx) != 0) {
        free(ptx);
        status = rk_err_set(build->err, RK_INTERNAL, "NVRTC made no PTX");
    } else {
        status = rk_build_add_data_take(build, RK_SECTION_PTX, ARCHITECTURE_LEVEL, variant, ptx,
                                        strlen(ptx) + 1);
    }
    (void)rtc->destroy(&program); /* nothing to do about a failure */
    return status;
}

static rk_status add_by_nvrtc(rk_build *build, const nvrtc *rtc)
{
    char *source = NULL;
    size_t bytes = 0;
    int major = 0;
    int minor = 0;
    rk_status status =
        rk_file_read_all(build->source, RK_BUILD_SOURCE_MAX, &source, &bytes, build->err);
    if (status != RK_OK) {
        return status;
    }
    for (uint32_t variant = 0; variant < build->schema->variant_count && status == RK_OK;
         variant++) {
        if (rk_build_wants_variant(build, variant)) {
            status = compile_variant(build, rtc, source, variant);
        }
    }
    free(source);
    if (rtc->version(&major, &minor) == 0) {
        const char *text = rk_build_text(build, "NVRTC %d.%d " ARCHITECTURE, major, minor);
        rk_build_note(build, "cuda", text ? text : "NVRTC");
    }
    return status;
}

static rk_status add_by_nvcc(rk_build *build, const char *nvcc)
{
    rk_status status = RK_OK;
    for (uint32_t variant = 0; variant < build->schema->variant_count && status == RK_OK;
         variant++) {
        if (!rk_build_wants_variant(build, variant)) {
            continue;
        }
        rk_build_args args;
        const char *output = rk_build_temporary(build, ".ptx");
        rk_build_args_init(build, &args);
        rk_build_args_add(&args, nvcc);
        rk_build_args_add_all(&args, cuda_flags, RK_COUNT_OF(cuda_flags));
        rk_build_args_add(&args, "-lineinfo");
        rk_build_args_add(&args, "-x");
        rk_build_args_add(&args, "cu");
        rk_build_args_add(&args, "-ptx");
        rk_build_args_add(&args, "-I");
        rk_build_args_add(&args, build->include_dir);
        if (rk_build_variant_flag(build, variant)) {
            rk_build_args_add(&args, rk_build_variant_flag(build, variant));
        }
        rk_build_args_add(&args, "-o");
        rk_build_args_add(&args, output);
        rk_build_args_add(&args, build->source);
        status = rk_build_add(build, RK_SECTION_PTX, ARCHITECTURE_LEVEL, variant, &args, output);
    }
    return status;
}

rk_status rk_build_add_cuda(rk_build *build)
{
    nvrtc rtc;
    if (!wants_nvcc() && load_nvrtc(&rtc)) {
        rk_status status = add_by_nvrtc(build, &rtc);
        (void)dlclose(rtc.library); /* nothing to do about a failure */
        return status;
    }
    char *found = find_nvcc();
    const char *nvcc = found ? rk_build_text(build, "%s", found) : NULL;
    free(found);
    if (!nvcc) {
        return rk_err_set(build->err, RK_UNSUPPORTED,
                          "there is no CUDA compiler: neither NVRTC (libnvrtc.so) nor nvcc was "
                          "found; install the CUDA toolkit, name its nvcc in RK_NVCC, or leave the "
                          "cuda target out");
    }
    rk_build_note(build, "cuda", "nvcc " ARCHITECTURE);
    return add_by_nvcc(build, nvcc);
}

/* The line number of the last ".loc FILE LINE COLUMN" before `end`; the file's number is set. */
static unsigned long last_location(const char *ptx, const char *end, unsigned long *out_file)
{
    unsigned long line = 0;
    for (const char *at = ptx; (at = strstr(at, ".loc")) != NULL && at < end; at += 4) {
        char *rest = NULL;
        unsigned long file = strtoul(at + 4, &rest, 10);
        line = strtoul(rest, NULL, 10);
        *out_file = file;
    }
    return line;
}

/* Whether `.file NUMBER "..."` names this path. */
static bool names_file(const char *ptx, unsigned long number, const char *path)
{
    for (const char *at = ptx; (at = strstr(at, ".file")) != NULL; at += 5) {
        char *rest = NULL;
        if (strtoul(at + 5, &rest, 10) == number) {
            const char *quote = strchr(rest, '"');
            size_t length = quote ? strcspn(quote + 1, "\"") : 0;
            size_t path_length = strlen(path);
            return quote && length >= path_length &&
                   memcmp(quote + 1 + length - path_length, path, path_length) == 0;
        }
    }
    return false;
}

/* The first load instruction with the qualifier ".nc", for example "ld.global.nc.f32". */
static const char *find_noncoherent(const char *ptx)
{
    for (const char *line = ptx; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *at = line + strspn(line, " \t");
        if (*at == '@') { /* a predicate */
            at += strcspn(at, " \t\n");
            at += strspn(at, " \t");
        }
        size_t word = strcspn(at, " \t\n");
        for (size_t i = 3; strncmp(at, "ld.", 3) == 0 && i + 3 <= word; i++) {
            if (memcmp(at + i, ".nc", 3) == 0 && (i + 3 == word || at[i + 3] == '.')) {
                return at;
            }
        }
        line += length + (line[length] == '\n' ? 1u : 0u);
    }
    return NULL;
}

rk_status rk_build_check_ptx(const char *ptx, const char *source, rk_err *err)
{
    const char *load = find_noncoherent(ptx);
    if (!load) {
        return RK_OK;
    }
    unsigned long file = 0;
    unsigned long line = last_location(ptx, load, &file);
    const char *slash = strrchr(source, '/');
    char where[160] = "";
    if (line != 0 && names_file(ptx, file, slash ? slash + 1 : source)) {
        rk_err text = RK_ERR_INIT;
        (void)rk_err_set(&text, RK_COMPILE, "%.100s:%lu: ", source, line);
        memcpy(where, text.text, strlen(text.text) + 1);
    }
    return rk_err_set(err, RK_COMPILE,
                      "%sthe CUDA compiler made a non-coherent load (%.*s), which may read stale "
                      "data for ever in a kernel that does not end; it does so for pointers that "
                      "are const and restrict, and for __ldg: remove them",
                      where, (int)strcspn(load, " \t\n"), load);
}
