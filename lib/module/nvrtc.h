/*
 * nvrtc.h: NVIDIA's run-time compiler, loaded when there is one. It needs no GPU and no driver.
 *
 * Source of names, options and results: CUDA Toolkit documentation, "NVRTC".
 */
#ifndef RK_MODULE_NVRTC_H
#define RK_MODULE_NVRTC_H

#include <ringkernel/status.h>

typedef struct nvrtc_program_object *nvrtc_program;

/* The loaded library. A result of 0 is success. Any thread; the compiler locks itself. */
typedef struct rk_nvrtc {
    void *library;
    const char *path; /* of the library's file */
    int major;
    int minor;
    int (*create)(nvrtc_program *, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*compile)(nvrtc_program, int, const char *const *);
    int (*log_size)(nvrtc_program, size_t *);
    int (*log)(nvrtc_program, char *);
    int (*ptx_size)(nvrtc_program, size_t *);
    int (*ptx)(nvrtc_program, char *);
    int (*destroy)(nvrtc_program *);
    int (*version)(int *, int *);
} rk_nvrtc;

/* False if there is none. The library stays in the process: it is not made to be unloaded. */
bool rk_nvrtc_load(rk_nvrtc *out);

/*
 * Compiles CUDA C++ to PTX. name stands in messages and line tables. The caller frees *out_ptx (on
 * success) and *out_log (in any case; NULL or what the compiler said). Blocks. RK_COMPILE for a
 * source that it refuses, RK_UNSUPPORTED for an option (an architecture) that it does not know,
 * RK_NO_MEMORY, RK_INTERNAL.
 */
rk_status rk_nvrtc_compile(const rk_nvrtc *rtc, const char *source, const char *name,
                           const char *const *options, uint32_t option_count, char **out_ptx,
                           char **out_log);

/* dlopen of the first of these names, or NULL; and a function of it (false: there is none). */
void *rk_library_open(const char *const *names, size_t count);
bool rk_library_function(void *library, const char *name, void *out_function);
/* The file that a function lies in, or NULL. function: as rk_library_function sets it. */
const char *rk_library_path(const void *out_function);

#endif
