/*
 * nvjitlink.h: NVIDIA's linker of device code, loaded when there is one. It needs no GPU and no
 * driver; it makes machine code of PTX as well.
 *
 * Source of names, options and results: CUDA Toolkit documentation, "nvJitLink".
 */
#ifndef RK_MODULE_NVJITLINK_H
#define RK_MODULE_NVJITLINK_H

#include <ringkernel/status.h>

typedef struct nvjitlink_object *nvjitlink_handle;

/* The loaded library. A result of 0 is success. Any thread. */
typedef struct rk_nvjitlink {
    void *library;
    const char *path; /* of the library's file */
    int (*create)(nvjitlink_handle *, uint32_t, const char **);
    int (*destroy)(nvjitlink_handle *);
    int (*add)(nvjitlink_handle, int, const void *, size_t, const char *);
    int (*complete)(nvjitlink_handle);
    int (*cubin_size)(nvjitlink_handle, size_t *);
    int (*cubin)(nvjitlink_handle, void *);
    int (*log_size)(nvjitlink_handle, size_t *);
    int (*log)(nvjitlink_handle, char *);
} rk_nvjitlink;

/* One input; the values are those of nvJitLinkInputType. */
enum { RK_NVJITLINK_CUBIN = 1, RK_NVJITLINK_PTX = 2 };

typedef struct rk_nvjitlink_input {
    int type;
    const void *data;
    size_t bytes; /* of PTX with its NUL */
} rk_nvjitlink_input;

/* False if there is none. The library stays in the process. */
bool rk_nvjitlink_load(rk_nvjitlink *out);

/*
 * Links for compute capability `level` (times ten): to code that can be loaded, or with
 * is_relocatable to an object for a later link. The caller frees *out_data. Blocks. RK_COMPILE
 * with the linker's first sentence, RK_NO_MEMORY.
 */
rk_status rk_nvjitlink_link(const rk_nvjitlink *linker, uint32_t level, bool is_relocatable,
                            const rk_nvjitlink_input *inputs, uint32_t count, void **out_data,
                            size_t *out_bytes, rk_err *err);

#endif
