#include "module/nvrtc.h"

#include "base/compiler.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define INVALID_OPTION 5 /* NVRTC_ERROR_INVALID_OPTION */

void *rk_library_open(const char *const *names, size_t count)
{
    void *library = NULL;
    for (size_t i = 0; i < count && !library; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    return library;
}

/* dlsym gives an object pointer; POSIX allows to store it in a function pointer. */
bool rk_library_function(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);
    memcpy(out_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

const char *rk_library_path(const void *out_function)
{
    Dl_info info;
    void *symbol = NULL;
    memcpy(&symbol, out_function, sizeof(symbol));
    return dladdr(symbol, &info) != 0 ? info.dli_fname : NULL;
}

bool rk_nvrtc_load(rk_nvrtc *out)
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
    out->library = rk_library_open(names, RK_COUNT_OF(names));
    void *l = out->library;
    bool is_whole = l && rk_library_function(l, "nvrtcCreateProgram", &out->create) &&
                    rk_library_function(l, "nvrtcCompileProgram", &out->compile) &&
                    rk_library_function(l, "nvrtcGetProgramLogSize", &out->log_size) &&
                    rk_library_function(l, "nvrtcGetProgramLog", &out->log) &&
                    rk_library_function(l, "nvrtcGetPTXSize", &out->ptx_size) &&
                    rk_library_function(l, "nvrtcGetPTX", &out->ptx) &&
                    rk_library_function(l, "nvrtcDestroyProgram", &out->destroy) &&
                    rk_library_function(l, "nvrtcVersion", &out->version) &&
                    out->version(&out->major, &out->minor) == 0;
    out->path = is_whole ? rk_library_path(&out->compile) : NULL;
    if (l && !out->path) {
        (void)dlclose(l); /* another library of that name */
        out->library = NULL;
    }
    return out->library != NULL;
}

/* What it said, or NULL. */
static char *take_log(const rk_nvrtc *rtc, nvrtc_program program)
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

rk_status rk_nvrtc_compile(const rk_nvrtc *rtc, const char *source, const char *name,
                           const char *const *options, uint32_t option_count, char **out_ptx,
                           char **out_log)
{
    nvrtc_program program = NULL;
    *out_log = NULL;
    if (rtc->create(&program, source, name, 0, NULL, NULL) != 0) {
        return RK_NO_MEMORY;
    }
    rk_status status = RK_OK;
    size_t bytes = 0;
    char *ptx = NULL;
    int result = rtc->compile(program, (int)option_count, options);
    if (result != 0) {
        status = result == INVALID_OPTION ? RK_UNSUPPORTED : RK_COMPILE;
    } else if (rtc->ptx_size(program, &bytes) != 0 || bytes == 0) {
        status = RK_INTERNAL;
    } else if (!(ptx = calloc(1, bytes + 1))) {
        status = RK_NO_MEMORY;
    } else if (rtc->ptx(program, ptx) != 0) {
        status = RK_INTERNAL;
    }
    *out_log = take_log(rtc, program);
    (void)rtc->destroy(&program); /* nothing to do about a failure */
    if (status == RK_OK) {
        *out_ptx = ptx;
    } else {
        free(ptx);
    }
    return status;
}
