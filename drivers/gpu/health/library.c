/*
 * library.c: opening libraries at run time.
 */
#include "drivers/gpu/health/library.h"
#include <dlfcn.h>
#include <string.h>

rk_status rk_library_open(const char *const *names, const char *only, void **out_handle,
                          rk_err *err)
{
    const char *const own[] = {only, NULL};
    const char *const *name = only != NULL ? own : names;
    for (; *name != NULL; name++) {
        void *handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (handle != NULL) {
            *out_handle = handle;
            return RK_OK;
        }
        const char *why = dlerror();
        if (err != NULL && err->text[0] == '\0') {
            (void)rk_err_set(err, RK_NOT_FOUND, "%s", why != NULL ? why : *name);
        }
    }
    return RK_NOT_FOUND;
}

void rk_library_close(void *handle)
{
    if (handle != NULL) {
        (void)dlclose(handle);
    }
}

rk_status rk_library_resolve(void *handle, const rk_library_row *rows, size_t count, void *calls,
                             const char *what, rk_err *err)
{
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(handle, rows[i].name);
        if (symbol == NULL && rows[i].required) {
            return rk_err_set(err, RK_UNSUPPORTED, "%s lacks %s: it is too old", what,
                              rows[i].name);
        }
        /* POSIX keeps data and function pointers alike. */
        memcpy((char *)calls + rows[i].offset, &symbol, sizeof symbol);
    }
    return RK_OK;
}
