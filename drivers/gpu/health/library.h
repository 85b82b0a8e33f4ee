/*
 * library.h: a library that is opened at run time, and its functions by name.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_LIBRARY_H
#define RK_DRIVERS_GPU_HEALTH_LIBRARY_H

#include <ringkernel/status.h>

/* A member of a structure of function pointers. */
typedef struct rk_library_row {
    const char *name;
    size_t offset;
    bool required;
} rk_library_row;

/*
 * Opens the first of the names (NULL ends the list) that can be opened; or `only`, if it is not
 * NULL. RK_NOT_FOUND with the loader's words for the first name. It stays loaded when it is closed:
 * unloading these libraries is not safe in every version.
 */
rk_status rk_library_open(const char *const *names, const char *only, void **out_handle,
                          rk_err *err);
void rk_library_close(void *handle);

/*
 * Fills the function pointers in `calls`; those that are missing become NULL. RK_UNSUPPORTED names
 * the first required one that is missing.
 */
rk_status rk_library_resolve(void *handle, const rk_library_row *rows, size_t count, void *calls,
                             const char *what, rk_err *err);

#endif
