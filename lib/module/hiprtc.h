/*
 * hiprtc.h: AMD's run-time compiler, loaded when there is one. It needs no GPU.
 *
 * Source of names, options and results: HIP documentation, "Programming for HIP runtime compiler".
 */
#ifndef RK_MODULE_HIPRTC_H
#define RK_MODULE_HIPRTC_H

#include <ringkernel/status.h>

typedef struct hiprtc_program_object *hiprtc_program;

/* The loaded library. A result of 0 is success. One thread at a time. */
typedef struct rk_hiprtc {
    void *library;
    const char *path; /* of the library's file */
    int major;
    int minor;
    int (*create)(hiprtc_program *, const char *, const char *, int, const char **, const char **);
    int (*compile)(hiprtc_program, int, const char **);
    int (*log_size)(hiprtc_program, size_t *);
    int (*log)(hiprtc_program, char *);
    int (*code_size)(hiprtc_program, size_t *);
    int (*code)(hiprtc_program, char *);
    int (*destroy)(hiprtc_program *);
    int (*version)(int *, int *);
} rk_hiprtc;

/* False if there is none. The library stays in the process. */
bool rk_hiprtc_load(rk_hiprtc *out);

/*
 * Compiles HIP C++ to a code object. The caller frees *out_code (on success) and *out_log (in any
 * case; NULL or what the compiler said). Blocks. RK_COMPILE for a source that it refuses,
 * RK_NO_MEMORY, RK_INTERNAL.
 */
rk_status rk_hiprtc_compile(const rk_hiprtc *rtc, const char *source, const char *name,
                            const char *const *options, uint32_t option_count, void **out_code,
                            size_t *out_bytes, char **out_log);

#endif
