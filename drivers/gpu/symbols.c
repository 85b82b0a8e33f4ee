/*
 * symbols.c: loads a vendor's library and finds what is used of it.
 */
#include "drivers/gpu/symbols.h"
#include "base/compiler.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef struct symbol_row {
    size_t offset; /* of the member in gpu_api */
    const char *cuda;
    const char *hip;
    unsigned need;
} symbol_row;

static const symbol_row rows[] = {
#define SYMBOL_ROW(member, arguments, cuda, hip, need) {offsetof(gpu_api, member), cuda, hip, need},
    GPU_SYMBOLS(SYMBOL_ROW)
#undef SYMBOL_ROW
};

/* dlsym gives an object pointer; POSIX allows to store it in a function pointer. */
static bool take(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);
    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void *open_first(const char *const *libraries, rk_err *err, const char *advice)
{
    char reasons[RK_ERR_TEXT_BYTES / 2] = "";
    for (size_t i = 0; libraries[i] != NULL; i++) {
        /* NODELETE: the libraries start threads of their own and are not made to be unloaded. */
        void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library != NULL) {
            return library;
        }
        const char *reason = dlerror();
        if (reasons[0] == '\0' && reason != NULL) {
            (void)snprintf(reasons, sizeof reasons, "%s", reason);
        }
    }
    (void)rk_err_set(err, RK_NOT_FOUND, "cannot load %s: %s; %s", libraries[0], reasons, advice);
    return NULL;
}

rk_status gpu_api_open(gpu_api *out_api, unsigned vendor, const char *const *libraries,
                       const char *advice, rk_err *err)
{
    gpu_api api = {.library = open_first(libraries, err, advice)};
    if (api.library == NULL) {
        return RK_NOT_FOUND;
    }
    (void)snprintf(api.path, sizeof api.path, "%s", libraries[0]);
    int (*test_missing)(const char *name);
    bool is_test = take(api.library, "rkTestDriverMissing", &test_missing);
    for (size_t i = 0; i < RK_COUNT_OF(rows); i++) {
        const char *name = vendor == GPU_CUDA ? rows[i].cuda : rows[i].hip;
        bool found = name != NULL && !(is_test && test_missing(name) != 0) &&
                     take(api.library, name, (char *)&api + rows[i].offset);
        if (i == 0 && found) { /* now that something of it is known, where it lies is as well */
            Dl_info info;
            void *address;
            memcpy(&address, &api.init, sizeof address);
            if (dladdr(address, &info) != 0 && info.dli_fname != NULL) {
                (void)snprintf(api.path, sizeof api.path, "%s", info.dli_fname);
            }
        }
        if (!found && (rows[i].need & vendor) != 0) {
            rk_status status =
                rk_err_set(err, RK_UNSUPPORTED,
                           "%s has no %s: it is no driver of a GPU, or too old for RingKernel; %s",
                           api.path, name, advice);
            gpu_api_close(&api);
            return status;
        }
    }
    (void)take(api.library, "rkTestDriverCodeKinds", &api.test_code_kinds);
    (void)take(api.library, "rkTestDriverAddress", &api.test_address);
    if (vendor == GPU_HIP) {
        (void)take(api.library, "hipGetErrorString", &api.hip_error_text);
    }
    *out_api = api;
    return RK_OK;
}

void gpu_api_close(gpu_api *api)
{
    if (api->library != NULL) {
        (void)dlclose(api->library);
        api->library = NULL;
    }
}
