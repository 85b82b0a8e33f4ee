/*
 * module.h: modules: compiled kernel code with its schema, in a bundle file (NAME.rkm).
 *
 * A bundle holds the same kernel for several targets, instruction-set levels and precision
 * variants. Opening one checks the whole file; nothing in it is executed before a kernel is
 * launched.
 */
#ifndef RINGKERNEL_MODULE_H
#define RINGKERNEL_MODULE_H

#include <ringkernel/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A loaded module. Immutable; any thread may use it. Counted: ref and unref, the opener holds one.
 */
typedef struct rk_module rk_module;

/*
 * Reads a bundle. RK_NOT_FOUND, RK_IO, RK_LIMIT (too large), RK_CORRUPT (damaged, or no bundle),
 * RK_VERSION (made for another version of the format or the kernel interface). open_memory copies
 * the data; name stands for the file in messages.
 */
RK_API rk_status rk_module_open_file(const char *path, rk_module **out_module, rk_err *err);
RK_API rk_status rk_module_open_memory(const void *data, size_t length, const char *name,
                                       rk_module **out_module, rk_err *err);

/*
 * Opens NAME.rkm from the first of these folders that has it: those in the environment variable
 * RK_KERNEL_PATH (separated by colons), ../lib/ringkernel/kernels beside the running program, the
 * same beside the loaded libringkernel, and the folder of the installation. RK_NOT_FOUND names the
 * folders that were searched; RK_INVALID if the name is not a module name.
 */
RK_API rk_status rk_module_open_builtin(const char *name, rk_module **out_module, rk_err *err);

/* Calls each with the path of every bundle in these folders, the first of equal names only. */
typedef void (*rk_module_path_fn)(void *context, const char *path);
RK_API rk_status rk_module_list_builtin(rk_module_path_fn each, void *context, rk_err *err);

RK_API rk_module *rk_module_ref(rk_module *module);
RK_API void rk_module_unref(rk_module *module); /* NULL is allowed */

/* Borrowed from the module. */
RK_API const char *rk_module_path(const rk_module *module); /* or the name given to open_memory */
RK_API const rk_schema *rk_module_schema(const rk_module *module);

/* CRC-32 of the bundle file: identifies the exact build. */
RK_API uint32_t rk_module_crc(const rk_module *module);

/*
 * Describes the bundle for a person, or as one JSON object. The caller frees *out_text.
 * RK_NO_MEMORY.
 */
RK_API rk_status rk_module_describe(const rk_module *module, bool as_json, char **out_text);

/* Targets of a build. */
#define RK_BUILD_CPU 0x1u     /* one section per instruction-set level */
#define RK_BUILD_FIBER 0x2u   /* CPU code with many real lanes per block, for tests */
#define RK_BUILD_CUDA 0x4u    /* PTX */
#define RK_BUILD_HIP 0x8u     /* code object */
#define RK_BUILD_OPENCL 0x10u /* flattened source */
#define RK_BUILD_ALL 0x1fu

/* The targets that this machine has compilers for. Looks at files and the environment; blocks. */
RK_API uint32_t rk_module_build_targets(void);

typedef struct rk_module_build_options {
    const char *source_path; /* the kernel source, FILE.c */
    const char *output_path; /* the bundle; NULL: FILE.rkm in the current folder */
    uint32_t targets;        /* RK_BUILD_*; 0 means CPU and fiber */
    const char *variant;     /* only this variant; NULL means all that the source declares */
    const char *levels;   /* "v2,v4"; NULL: the environment's RK_BUILD_LEVELS, else all of them */
    const char *compiler; /* NULL: the environment's RK_CC, else gcc, else clang */
    const char *include_dir; /* that holds ringkernel/kernel.h; NULL: found beside the program */
    const char *const *extra_flags; /* for the C compiler, or NULL */
    uint32_t extra_flag_count;
    uint32_t jobs; /* compilers at a time; 0: one per CPU */
    /*
     * GPU architectures, separated by commas: sm_90 (machine code for NVIDIA), compute_75 (PTX for
     * NVIDIA), gfx90a (AMD). NULL, or none for a target: the environment's RK_CUDA_ARCH and
     * RK_HIP_ARCH, else compute_75 and gfx90a.
     */
    const char *archs;
    bool no_cache; /* compile everything, and keep nothing; see docs/modules.md */
    /* Takes what the compilers print, warnings included; may be NULL. Called by this thread. */
    void (*print)(void *context, const char *text);
    void *print_context;
} rk_module_build_options;

/*
 * Compiles a kernel source into a bundle, which appears whole or not at all. Blocks; starts
 * compilers as child processes; may be called by several threads at a time. Besides file errors:
 * RK_NOT_FOUND   no source, no compiler (the text says what to install), no headers
 * RK_COMPILE     the compiler refused the source: the text holds its first message, with file and
 * line RK_SYNTAX      the schema that the source declares is wrong
 * RK_UNSUPPORTED this build or machine cannot compile for a target
 */
RK_API rk_status rk_module_build(const rk_module_build_options *options, rk_err *err);

/* What builds keep in the cache (docs/modules.md). */
typedef struct rk_module_cache_info {
    char folder[1024]; /* "": there is none, by RK_CACHE=off or for want of a home folder */
    uint64_t entries;
    uint64_t bytes;
    uint64_t limit_bytes;
} rk_module_cache_info;

/*
 * Looks at the cache, or with `clear` removes all entries and tells what was there. Blocks. Any
 * thread; builds may run at the same time. RK_INVALID for wrong variables, RK_PERMISSION for a
 * folder in which others may write, file errors.
 */
RK_API rk_status rk_module_cache(bool clear, rk_module_cache_info *out_info, rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
