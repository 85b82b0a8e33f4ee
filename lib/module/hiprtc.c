#include "module/hiprtc.h"

#include "base/compiler.h"
#include "module/nvrtc.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

bool rk_hiprtc_load(rk_hiprtc *out)
{
    static const char *const names[] = {
        "libhiprtc.so.7",   "libhiprtc.so.6", "libhiprtc.so.5", "/opt/rocm/lib/libhiprtc.so",
        "libamdhip64.so.5", /* up to ROCm 5 it lies in the runtime */
    };
    memset(out, 0, sizeof(*out));
    out->library = rk_library_open(names, RK_COUNT_OF(names));
    void *l = out->library;
    bool is_whole = l && rk_library_function(l, "hiprtcCreateProgram", &out->create) &&
                    rk_library_function(l, "hiprtcCompileProgram", &out->compile) &&
                    rk_library_function(l, "hiprtcGetProgramLogSize", &out->log_size) &&
                    rk_library_function(l, "hiprtcGetProgramLog", &out->log) &&
                    rk_library_function(l, "hiprtcGetCodeSize", &out->code_size) &&
                    rk_library_function(l, "hiprtcGetCode", &out->code) &&
                    rk_library_function(l, "hiprtcDestroyProgram", &out->destroy) &&
                    rk_library_function(l, "hiprtcVersion", &out->version) &&
                    out->version(&out->major, &out->minor) == 0;
    out->path = is_whole ? rk_library_path(&out->compile) : NULL;
    if (l && !out->path) {
        (void)dlclose(l); /* another library of that name */
        out->library = NULL;
    }
    return out->library != NULL;
}

/* What it said, or NULL. */
static char *take_log(const rk_hiprtc *rtc, hiprtc_program program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (rtc->log_size(program, &bytes) == 0 && bytes > 1) {
        log = calloc(1, bytes + 1);
    }
    if (log && rtc->log(program, log) != 0) {
        free(log);
        log = NULL;
    }
    return log;
}

rk_status rk_hiprtc_compile(const rk_hiprtc *rtc, const char *source, const char *name,
                            const char *const *options, uint32_t option_count, void **out_code,
                            size_t *out_bytes, char **out_log)
{
    hiprtc_program program = NULL;
    *out_log = NULL;
    if (rtc->create(&program, source, name, 0, NULL, NULL) != 0) {
        return RK_NO_MEMORY;
    }
    rk_status status = RK_OK;
    size_t bytes = 0;
    char *code = NULL;
    /* The options are not changed; their type is older than const. */
    if (rtc->compile(program, (int)option_count, (const char **)(uintptr_t)options) != 0) {
        status = RK_COMPILE;
    } else if (rtc->code_size(program, &bytes) != 0 || bytes == 0) {
        status = RK_INTERNAL;
    } else if (!(code = malloc(bytes))) {
        status = RK_NO_MEMORY;
    } else if (rtc->code(program, code) != 0) {
        status = RK_INTERNAL;
    }
    *out_log = take_log(rtc, program);
    (void)rtc->destroy(&program); /* nothing to do about a failure */
    if (status == RK_OK) {
        *out_code = code;
        *out_bytes = bytes;
    } else {
        free(code);
    }
    return status;
}
