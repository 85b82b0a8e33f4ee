/*
 * build.h: what the parts of the module builder share: build.c (the order of things), build_cpu.c,
 * build_cuda.c, build_hip.c, build_opencl.c (one target each).
 *
 * A target adds jobs: command lines, each with the file it makes. build.c runs them, bounded, and
 * turns the files into sections. One build belongs to one thread.
 */
#ifndef RK_MODULE_BUILD_H
#define RK_MODULE_BUILD_H

#include "base/arena.h"
#include "core/schema.h"
#include "module/bundle.h"
#include "module/scratch.h"
#include <ringkernel/module.h>

#define RK_BUILD_JOB_MAX 64u
#define RK_BUILD_SOURCE_MAX ((size_t)16 << 20)

typedef struct rk_build_job {
    uint32_t kind;           /* RK_SECTION_* */
    uint32_t level;          /* of the section */
    uint32_t variant;        /* of the section */
    const char *const *argv; /* in the arena; NULL: nothing to run, data is set already */
    const char *output;      /* the file that argv makes; NULL: it only checks the source */
    void *data;              /* owned: the section */
    size_t bytes;
    int exit_status;
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
    rk_schema *schema;
    const char *schema_text;
    size_t schema_bytes;
    rk_build_job jobs[RK_BUILD_JOB_MAX];
    uint32_t job_count;
    rk_str info; /* the build section */
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

/* Runs the jobs from `first` on and reads what they made. A failed one sets the error. */
rk_status rk_build_run(rk_build *build, uint32_t first);

/* Whether a variant is to be built, and the -D flag that selects it (or NULL). */
bool rk_build_wants_variant(const rk_build *build, uint32_t variant);
const char *rk_build_variant_flag(const rk_build *build, uint32_t variant);

/* "key value" in the build section. */
void rk_build_note(rk_build *build, const char *key, const char *value);

/* The first line that a tool prints when asked for its version, or NULL. In the arena. */
const char *rk_build_tool_version(rk_build *build, const char *tool);

/* Targets. Each adds its jobs, or refuses with what is missing. */
rk_status rk_build_find_compiler(rk_build *build);
rk_status rk_build_probe(rk_build *build); /* one CPU job, run at once; sets the schema */
rk_status rk_build_add_cpu(rk_build *build);
rk_status rk_build_add_cuda(rk_build *build);
rk_status rk_build_add_hip(rk_build *build);
rk_status rk_build_add_opencl(rk_build *build);

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
