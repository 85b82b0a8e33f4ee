/*
 * cl.c: loads an OpenCL library and names its errors.
 */
#include "drivers/opencl/cl.h"

#include "base/compiler.h"
#include "base/thread.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* One per path: a program uses one, a test several. */
typedef struct library {
    struct library *next;
    char *path;
    rk_cl cl;
} library;

static rk_mutex libraries_lock = RK_MUTEX_INIT;
static library *libraries;

static rk_status resolve(void *handle, const char *path, rk_cl *cl, rk_err *err)
{
    const struct {
        const char *name;
        size_t offset;
    } rows[] = {
#define ROW(name, result, parameters) {#name, offsetof(rk_cl, name)},
        RK_CL_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < RK_COUNT_OF(rows); i++) {
        void *symbol = dlsym(handle, rows[i].name);
        if (symbol == NULL) {
            return rk_err_set(err, RK_UNSUPPORTED,
                              "the OpenCL library '%s' has no function %s: it is older than OpenCL "
                              "2.0; install a newer one (Debian: ocl-icd-libopencl1)",
                              path, rows[i].name);
        }
        memcpy((char *)cl + rows[i].offset, &symbol, sizeof symbol);
    }
    return RK_OK;
}

static rk_status load(const char *path, library **out_library, rk_err *err)
{
    /* NODELETE: implementations keep threads that would outlive their code. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        const char *why = dlerror();
        return rk_err_set(
            err, RK_NOT_FOUND,
            "there is no OpenCL here: %s; install an OpenCL loader and a platform "
            "(Debian: ocl-icd-libopencl1 and, for the processor, pocl-opencl-icd), or "
            "name the library in " RK_CL_LIBRARY_ENV,
            why != NULL ? why : "the library cannot be loaded");
    }
    library *made = calloc(1, sizeof *made);
    rk_status status = RK_NO_MEMORY;
    if (made != NULL && (made->path = strdup(path)) != NULL) {
        status = resolve(handle, path, &made->cl, err);
    } else {
        (void)rk_err_set(err, RK_NO_MEMORY, "no memory to load OpenCL");
    }
    if (status != RK_OK) {
        if (made != NULL) {
            free(made->path);
        }
        free(made);
        (void)dlclose(handle);
        return status;
    }
    *out_library = made;
    return RK_OK;
}

rk_status rk_cl_load(const rk_cl **out_cl, rk_err *err)
{
    const char *given = getenv(RK_CL_LIBRARY_ENV);
    const char *path = given != NULL && given[0] != '\0' ? given : RK_CL_LIBRARY;
    rk_mutex_lock(&libraries_lock);
    library *at = libraries;
    while (at != NULL && strcmp(at->path, path) != 0) {
        at = at->next;
    }
    rk_status status = RK_OK;
    if (at == NULL) {
        status = load(path, &at, err);
        if (status == RK_OK) {
            at->next = libraries;
            libraries = at;
        }
    }
    rk_mutex_unlock(&libraries_lock);
    if (status == RK_OK) {
        *out_cl = &at->cl;
    }
    return status;
}

const char *rk_cl_error_name(int32_t code)
{
    static const struct {
        int32_t code;
        const char *name;
    } names[] = {
        {0, "CL_SUCCESS"},
        {-1, "CL_DEVICE_NOT_FOUND"},
        {-2, "CL_DEVICE_NOT_AVAILABLE"},
        {-3, "CL_COMPILER_NOT_AVAILABLE"},
        {-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
        {-5, "CL_OUT_OF_RESOURCES"},
        {-6, "CL_OUT_OF_HOST_MEMORY"},
        {-11, "CL_BUILD_PROGRAM_FAILURE"},
        {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
        {-30, "CL_INVALID_VALUE"},
        {-32, "CL_INVALID_PLATFORM"},
        {-33, "CL_INVALID_DEVICE"},
        {-34, "CL_INVALID_CONTEXT"},
        {-36, "CL_INVALID_COMMAND_QUEUE"},
        {-38, "CL_INVALID_MEM_OBJECT"},
        {-43, "CL_INVALID_BUILD_OPTIONS"},
        {-44, "CL_INVALID_PROGRAM"},
        {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
        {-46, "CL_INVALID_KERNEL_NAME"},
        {-48, "CL_INVALID_KERNEL"},
        {-49, "CL_INVALID_ARG_INDEX"},
        {-50, "CL_INVALID_ARG_VALUE"},
        {-51, "CL_INVALID_ARG_SIZE"},
        {-52, "CL_INVALID_KERNEL_ARGS"},
        {-54, "CL_INVALID_WORK_GROUP_SIZE"},
        {-55, "CL_INVALID_WORK_ITEM_SIZE"},
        {-58, "CL_INVALID_EVENT"},
        {-59, "CL_INVALID_OPERATION"},
        {-61, "CL_INVALID_BUFFER_SIZE"},
        {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
    };
    for (size_t i = 0; i < RK_COUNT_OF(names); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return "an OpenCL error without a name";
}

rk_status rk_cl_status(int32_t code)
{
    switch (code) {
    case CL_SUCCESS: return RK_OK;
    case CL_DEVICE_NOT_FOUND:
    case CL_PLATFORM_NOT_FOUND_KHR: return RK_NOT_FOUND;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY: return RK_NO_MEMORY;
    default: return RK_DEVICE;
    }
}
