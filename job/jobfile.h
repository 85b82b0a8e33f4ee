/*
 * jobfile.h: a YAML job file as a checked structure.
 *
 * Every key stands in one table (jobfile_tables.c) with its type, unit, default, range and help:
 * the reader, the checks, "did you mean" and docs/jobfile.md come from it. Sentences begin with
 * file:line:column. What the reader does not look at: whether modules, devices, parameters, fields
 * and commands exist (the runtime knows), and the geometry of a room (rk_room_build).
 */
#ifndef RK_JOB_JOBFILE_H
#define RK_JOB_JOBFILE_H

#include "base/arena.h"
#include "base/str.h"
#include "job/room_spec.h"

#include <ringkernel/status.h>

/* A named value of params or fields: number is NAN when text is not a plain number. */
typedef struct rk_job_value {
    rk_room_mark mark;
    const char *name;
    const char *text;
    double number;
} rk_job_value;

typedef enum rk_job_restart { RK_JOB_RESTART_NEVER, RK_JOB_RESTART_ON_FAULT } rk_job_restart;

typedef enum rk_job_format { RK_JOB_RAW, RK_JOB_CSV, RK_JOB_PNG } rk_job_format;

/* A field that is written to a file. */
typedef struct rk_job_output {
    rk_room_mark mark;
    const char *field;
    rk_job_format format;
    double *steps; /* when; none: at the end */
    size_t step_count;
    rk_room_axis axis; /* pictures of three dimensions: across this axis, */
    double index;      /* at this cell; NAN: in the middle */
} rk_job_output;

typedef struct rk_job_kernel {
    rk_room_mark mark;
    const char *name;
    const char *module;  /* the name of a built-in module, or the path of a bundle (it has a '/') */
    const char *device;  /* NULL: the job's */
    uint64_t blocks;     /* 0: the runtime chooses */
    const char *variant; /* precision variant; NULL: the module's first */
    uint64_t seed;
    uint64_t steps; /* 0: until it is stopped */
    rk_job_restart restart;
    rk_job_value *params;
    size_t param_count;
    rk_job_value *fields; /* a number fills the field, anything else is the path of a raw file */
    size_t field_count;
    const char **routes; /* names of the kernels that it sends to */
    size_t route_count;
    rk_job_output *outputs;
    size_t output_count;
} rk_job_kernel;

typedef struct rk_job_command {
    rk_room_mark mark;
    uint64_t step; /* of the kernel, at which the command is sent */
    const char *kernel;
    const char *command;
    const char **args;
    size_t arg_count;
} rk_job_command;

typedef struct rk_job {
    rk_arena arena;     /* owns everything below */
    const char *file;   /* as given */
    const char *folder; /* of the file; relative paths in it start here; "." at least */
    rk_room_mark mark;
    const char *name;
    const char *device; /* "cpu" unless given */
    const char *output; /* folder, relative to the working directory; NULL: not given */
    rk_job_kernel *kernels;
    size_t kernel_count;
    rk_job_command *commands;
    size_t command_count;
    rk_room_spec *room; /* NULL without one */
} rk_job;

/* The kernel that runs the room; commands and routes may name it, kernels may not be called so. */
#define RK_JOB_ROOM_KERNEL "room"

/*
 * Reads and checks a job file; the caller ends with rk_job_finish. RK_NOT_FOUND, RK_PERMISSION,
 * RK_IO, RK_LIMIT, RK_SYNTAX, RK_INVALID, RK_EXISTS, RK_NO_MEMORY. Blocks; any thread.
 */
rk_status rk_job_read(const char *path, rk_job *out_job, rk_err *err);

/* The same from memory; name stands for the file in sentences, folder for where it lies. */
rk_status rk_job_parse(const char *data, size_t length, const char *name, const char *folder,
                       rk_job *out_job, rk_err *err);

/* Frees everything. A zeroed job is fine. */
void rk_job_finish(rk_job *job);

/* Appends the reference of all sections and keys, generated from the table, as Markdown. */
rk_status rk_job_append_docs(rk_str *out);

#endif
