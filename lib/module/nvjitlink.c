#include "module/nvjitlink.h"

#include "base/compiler.h"
#include "module/nvrtc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Since CUDA 13 the plain names are exported; before, only those with the version behind them. */
static bool find(rk_nvjitlink *l, const char *name, void *out_function)
{
    static const char *const versions[] = {"13_0", "12_0"};
    if (rk_library_function(l->library, name, out_function)) {
        return true;
    }
    for (size_t i = 0; i < RK_COUNT_OF(versions); i++) {
        char symbol[64];
        (void)snprintf(symbol, sizeof(symbol), "__%s_%s", name, versions[i]); /* always fits */
        if (rk_library_function(l->library, symbol, out_function)) {
            return true;
        }
    }
    return false;
}

bool rk_nvjitlink_load(rk_nvjitlink *out)
{
    static const char *const names[] = {
        "libnvJitLink.so.13",
        "libnvJitLink.so.12",
        "libnvJitLink.so",
        "/usr/local/cuda/lib64/libnvJitLink.so",
        "/opt/cuda/lib64/libnvJitLink.so",
    };
    memset(out, 0, sizeof(*out));
    out->library = rk_library_open(names, RK_COUNT_OF(names));
    bool is_whole = out->library && find(out, "nvJitLinkCreate", &out->create) &&
                    find(out, "nvJitLinkDestroy", &out->destroy) &&
                    find(out, "nvJitLinkAddData", &out->add) &&
                    find(out, "nvJitLinkComplete", &out->complete) &&
                    find(out, "nvJitLinkGetLinkedCubinSize", &out->cubin_size) &&
                    find(out, "nvJitLinkGetLinkedCubin", &out->cubin) &&
                    find(out, "nvJitLinkGetErrorLogSize", &out->log_size) &&
                    find(out, "nvJitLinkGetErrorLog", &out->log);
    out->path = is_whole ? rk_library_path(&out->create) : NULL;
    if (out->library && !out->path) {
        (void)dlclose(out->library); /* another library of that name */
        out->library = NULL;
    }
    return out->library != NULL;
}

static rk_status report(const rk_nvjitlink *linker, nvjitlink_handle handle, int result,
                        rk_err *err)
{
    size_t bytes = 0;
    char *log = NULL;
    if (handle && linker->log_size(handle, &bytes) == 0 && bytes > 1) {
        log = calloc(1, bytes + 1);
    }
    if (!log || linker->log(handle, log) != 0 || *log == '\0') {
        (void)rk_err_set(err, RK_COMPILE, "nvJitLink failed with result %d", result);
    } else {
        (void)rk_err_set(err, RK_COMPILE, "nvJitLink: %.*s",
                         (int)RK_MIN(strcspn(log, "\n"), (size_t)300), log);
    }
    free(log);
    return RK_COMPILE;
}

rk_status rk_nvjitlink_link(const rk_nvjitlink *linker, uint32_t level, bool is_relocatable,
                            const rk_nvjitlink_input *inputs, uint32_t count, void **out_data,
                            size_t *out_bytes, rk_err *err)
{
    char arch[32];
    const char *options[] = {arch, "-lineinfo", "-r"};
    nvjitlink_handle handle = NULL;
    (void)snprintf(arch, sizeof(arch), "-arch=sm_%u", level); /* always fits */
    int result = linker->create(&handle, is_relocatable ? 3 : 2, options);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        result = linker->add(handle, inputs[i].type, inputs[i].data, inputs[i].bytes, NULL);
    }
    size_t bytes = 0;
    if (result == 0) {
        result = linker->complete(handle);
    }
    if (result == 0) {
        result = linker->cubin_size(handle, &bytes);
    }
    void *data = result == 0 && bytes != 0 ? malloc(bytes) : NULL;
    rk_status status = RK_OK;
    if (result == 0 && bytes != 0 && !data) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for a cubin of %zu bytes", bytes);
    } else if (result != 0 || bytes == 0 || (result = linker->cubin(handle, data)) != 0) {
        status = report(linker, handle, result, err);
    }
    if (handle) {
        (void)linker->destroy(&handle); /* nothing to do about a failure */
    }
    if (status != RK_OK) {
        free(data);
        return status;
    }
    *out_data = data;
    *out_bytes = bytes;
    return RK_OK;
}
