/*
 * build.h: what the parts of the module builder share: build.c (the order of things), build_cpu.c,
 * build_cuda.c, build_hip.c, build_opencl.c (one target each), build_flatten.c, build_cache.c.
 *
 * A target adds jobs: command lines, each with the file it makes. build.c runs them, bounded, and
 * turns the files into sections. One build belongs to one thread.
 */
#ifndef RK_MODULE_BUILD_H
#define RK_MODULE_BUILD_H

#include "base/arena.h"
#include "core/schema.h"
#include "module/bundle.h"
#include "module/cache.h"
#include "module/nvjitlink.h"
#include "module/nvrtc.h"
#include "module/scratch.h"
#include <ringkernel/module.h>

#define RK_BUILD_JOB_MAX 64u
#define RK_BUILD_SOURCE_MAX ((size_t)16 << 20)
#define RK_BUILD_ARCH_MAX 16u

typedef struct rk_build_job {
    uint32_t kind;           /* RK_SECTION_* */
    uint32_t level;          /* of the section */
    uint32_t variant;        /* of the section */
    const char *const *argv; /* in the arena; NULL: nothing to run, data is set already */
    const char *output;      /* the file that argv makes; NULL: it only checks the source */
    void *data;              /* owned: the section */
    size_t bytes;
    int exit_status;
    bool has_key;
    rk_cache_key key; /* what the result is kept under */
} rk_build_job;

typedef struct rk_build {
    const rk_module_build_options *options;
    rk_err *err;
    rk_arena arena; /* all strings and command lines */
    rk_scratch scratch;
    bool has_scratch;
    const char *source;          /* as the compilers get it */
    const char *include_dir;     /* that holds ringkernel/kernel.h */
    const char *const *compiler; /* the C compiler's words, the first a path */
    uint32_t compiler_words;
    char **environment; /* of the compilers */
    rk_isa levels[RK_BUILD_JOB_MAX];
    uint32_t level_count;
    uint32_t ptx_levels[RK_BUILD_ARCH_MAX];   /* 75 for compute_75 */
    uint32_t cubin_levels[RK_BUILD_ARCH_MAX]; /* 90 for sm_90 */
    uint32_t hip_levels[RK_BUILD_ARCH_MAX];   /* 0x90a for gfx90a */
    uint32_t ptx_count;
    uint32_t cubin_count;
    uint32_t hip_count;
    rk_schema *schema;
    const char *schema_text;
    size_t schema_bytes;
    rk_build_job jobs[RK_BUILD_JOB_MAX];
    uint32_t job_count;
    rk_str info; /* the build section */
    rk_cache cache;
    int digest_state; /* of source_digest: 0 not tried, 1 known, -1 the cache cannot be used */
    unsigned char source_digest[RK_SHA256_BYTES]; /* of the source with all that it includes */
    const char *compiler_version;                 /* or NULL */
    bool has_cuda_log;                            /* NVRTC's warnings have been printed */
    bool has_link_note;
} rk_build;

/* A command line under construction; it stays valid as long as the build. */
typedef struct rk_build_args {
    const char **items; /* NULL-terminated */
    uint32_t count;
    uint32_t capacity;
    bool failed;
} rk_build_args;

/* Strings and command lines in the arena; NULL, or args->failed, if memory is short. */
const char *rk_build_text(rk_build *build, const char *format, ...) RK_PRINTF(2, 3);
void rk_build_args_init(rk_build *build, rk_build_args *args);
void rk_build_args_add(rk_build_args *args, const char *text);
void rk_build_args_add_all(rk_build_args *args, const char *const *texts, uint32_t count);

/*
 * Adds a job that makes a section. argv NULL: no command, *data (taken) is the section. RK_LIMIT,
 * RK_NO_MEMORY.
 */
rk_status rk_build_add(rk_build *build, uint32_t kind, uint32_t level, uint32_t variant,
                       const rk_build_args *args, const char *output);
rk_status rk_build_add_data_take(rk_build *build, uint32_t kind, uint32_t level, uint32_t variant,
                                 void *data, size_t bytes);

/* A new path for a temporary file. */
const char *rk_build_temporary(rk_build *build, const char *suffix);

/*
 * Runs the jobs from `first` on that have not been run, and reads what they made. A failed one sets
 * the error.
 */
rk_status rk_build_run(rk_build *build, uint32_t first);

/* Whether a variant is to be built, and the -D flag that selects it (or NULL). */
bool rk_build_wants_variant(const rk_build *build, uint32_t variant);
const char *rk_build_variant_flag(const rk_build *build, uint32_t variant);

/*
 * Appends a source with the kernel's headers in the place of their #include lines. *out_whole (may
 * be NULL) tells whether that is all that a compiler reads of it: no other headers, no date.
 */
rk_status rk_build_flatten(rk_build *build, const char *path, rk_str *out, bool *out_whole);

/*
 * The cache. A key begins with all that every compilation depends on: the source with its headers,
 * this library's version, the variables that compilers read. False: nothing is to be kept. What
 * else matters is added: texts, and programs or libraries by path, size and time.
 */
void rk_build_cache_open(rk_build *build);
bool rk_build_key_start(rk_build *build, rk_sha256 *sha, const char *purpose,
                        const unsigned char *digest); /* of what is compiled; NULL: the source */
void rk_build_key_text(rk_sha256 *sha, const char *text);
void rk_build_key_bytes(rk_sha256 *sha, const void *data, size_t bytes);
bool rk_build_key_tool(rk_sha256 *sha, const char *path); /* false: there is no such file */

/* The key of a job with a command line: of everything in it. Sets job->key if it can be kept. */
void rk_build_key_job(rk_build *build, rk_build_job *job);

/* The digest of such a text; false if it cannot be read, or is not all that a compiler reads. */
bool rk_build_digest(rk_build *build, const char *path, unsigned char out_digest[RK_SHA256_BYTES]);

/* Whether the source is still as the keys say; ask before storing what was compiled meanwhile. */
bool rk_build_cache_confirm(rk_build *build);

/*
 * A copy of what is kept under the key, and the messages that belong to it (both the caller's to
 * free), or false. Storing never fails a build: the first failure is printed as a warning, and
 * the build goes on without a cache.
 */
bool rk_build_cache_get(rk_build *build, const rk_cache_key *key, void **out_data,
                        size_t *out_bytes, char **out_messages);
void rk_build_cache_put(rk_build *build, const rk_cache_key *key, const void *data, size_t bytes,
                        const char *messages);

/* "key value" in the build section. */
void rk_build_note(rk_build *build, const char *key, const char *value);

/* The first line that a tool prints when asked for its version, or NULL. In the arena. */
const char *rk_build_tool_version(rk_build *build, const char *tool);

/*
 * Sets the error to what a compiler's output says first of an error, with the place in the author's
 * file and a hint; returns status.
 */
rk_status rk_build_report(rk_build *build, rk_status status, const char *output);

/* The levels of the GPU targets, from the options, else the environment, else the usual ones. */
rk_status rk_build_take_archs(rk_build *build, uint32_t targets);

/* Targets. Each adds its jobs, or refuses with what is missing. */
rk_status rk_build_find_compiler(rk_build *build);
rk_status rk_build_probe(rk_build *build); /* one CPU job, run at once; sets the schema */
rk_status rk_build_add_cpu(rk_build *build);
rk_status rk_build_add_cuda(rk_build *build);
rk_status rk_build_add_hip(rk_build *build);
rk_status rk_build_add_opencl(rk_build *build);

/* What all CUDA compilations have in common. */
#define RK_BUILD_CUDA_FLAG_COUNT 2u
extern const char *const rk_build_cuda_flags[RK_BUILD_CUDA_FLAG_COUNT];
void rk_build_cuda_args(rk_build *build, rk_build_args *args, uint32_t level, uint32_t variant);

/*
 * PTX of a file, from the cache or NVRTC. The caller frees *out_ptx (on success) and *out_log (in
 * any case; NULL, or what the compiler said). Sets no error but for a file that cannot be read.
 */
rk_status rk_build_nvrtc(rk_build *build, const rk_nvrtc *rtc, const char *path,
                         const rk_build_args *args, char **out_ptx, char **out_log);

/* PTX of the source in one piece; not checked yet. Sets the error. The caller frees *out_ptx. */
rk_status rk_build_whole_ptx(rk_build *build, const rk_nvrtc *rtc, uint32_t level, uint32_t variant,
                             char **out_ptx);

/* Adds a cubin that nvJitLink links. */
rk_status rk_build_add_linked(rk_build *build, const rk_nvrtc *rtc, const rk_nvjitlink *linker,
                              uint32_t level, uint32_t variant);

/*
 * Refuses PTX with non-coherent loads (ld.global.nc): such a load may return a stale value for ever
 * in a kernel that does not end. The sentence names the source line where the PTX has line
 * information. RK_COMPILE.
 */
rk_status rk_build_check_ptx(const char *ptx, const char *source, rk_err *err);

/* Whether the machine has what the target needs. */
bool rk_build_has_compiler(void);
bool rk_build_has_cuda(void);
bool rk_build_has_hip(void);

#endif
