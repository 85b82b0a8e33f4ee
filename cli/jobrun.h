/*
 * jobrun.h: a job that runs: its kernels, the threads that drive them, and what it leaves behind.
 *
 *   created --start--> running --(all steps done, a request to stop, or a failure)--> finish:
 *   kernels are parked at a safe point, outputs and summary are written --> destroy
 *
 * Invariants
 *   1. Kernels run in host processes, one for each device, so a faulting kernel is an event.
 *   2. Each kernel has one driver thread. It runs the kernel from one action (a command of the job
 *      file, a picture, an output) to the next; the kernel stands still while an action is done.
 *   3. `lock` guards what the members below it say, `files` the report and the output folder.
 *      Neither is held across a call that waits for a kernel.
 *   4. Files appear whole or not at all; a folder without summary holds an unfinished run.
 */
#ifndef RK_CLI_JOBRUN_H
#define RK_CLI_JOBRUN_H

#include "base/thread.h"
#include "cli/server.h"
#include "job/jobfile.h"
#include "job/report.h"
#include "job/room.h"

#include <ringkernel/command.h>
#include <ringkernel/trace.h>

#include <stdatomic.h>

typedef enum rk_action_kind {
    RK_ACTION_COMMAND, /* index: of the job's commands */
    RK_ACTION_SLICE,   /* index: of the room's slices */
    RK_ACTION_OUTPUT,  /* index: of the kernel's outputs */
} rk_action_kind;

/* What is done when a kernel has reached a step. */
typedef struct rk_action {
    uint64_t step;
    rk_action_kind kind;
    size_t index;
} rk_action;

typedef enum rk_part_state {
    RK_PART_WAITING, /* not started */
    RK_PART_RUNNING, /* its driver drives it */
    RK_PART_DONE,    /* all its steps are done */
    RK_PART_STOPPED, /* stopped before that */
    RK_PART_ENDED,   /* ended by a command */
    RK_PART_FAILED,  /* panicked or faulted, or an action failed */
} rk_part_state;

struct rk_jobrun;

/* One kernel of a run. */
typedef struct rk_part {
    struct rk_jobrun *run;
    const rk_job_kernel *spec; /* NULL for the kernel of the room */
    const char *name;
    rk_module *module;
    rk_kernel *kernel;
    uint32_t variant;   /* index in the schema */
    uint64_t steps;     /* wanted; 0: until the run stops */
    bool is_endless;    /* takes steps until it is stopped */
    uint64_t cells;     /* elements of its largest state field */
    rk_action *actions; /* by step */
    size_t action_count;
    rk_thread driver;
    _Atomic int state; /* rk_part_state; the driver writes it */
    /* Under the run's lock. */
    uint32_t restarts;               /* so far */
    bool has_ended;                  /* and will not be restarted */
    char failure[RK_ERR_TEXT_BYTES]; /* why it ended; empty: it has not */
} rk_part;

typedef struct rk_jobrun_options {
    const char *folder; /* for the results; exists */
    const char *device; /* instead of the job's; NULL: the job's */
    uint32_t blocks;    /* for kernels that do not say; 0: the runtime chooses */
    const char *trace;  /* file for the timeline of the whole run; NULL: none */
    /* Told in sentences what happens, by any thread. */
    void (*note)(void *context, const char *text);
    void *note_context;
} rk_jobrun_options;

typedef struct rk_jobrun {
    const rk_job *job;
    rk_jobrun_options options;
    char *program; /* of the host process */
    const char *host_argv[3];
    rk_runtime *runtime;
    rk_part *parts;
    size_t part_count;
    bool has_room;
    rk_room_grid grid;
    double source_start_s, source_end_s;
    uint64_t start_ns;           /* when the drivers started */
    _Atomic uint64_t end_ns;     /* when the last one ended; 0 while they run */
    _Atomic bool stopping;       /* drivers come to an end */
    _Atomic bool stop_requested; /* by a person, before the end */

    rk_mutex lock;
    rk_cond changed;
    bool has_failed;    /* first_error is set */
    bool kernel_failed; /* a kernel panicked or faulted */
    rk_err first_error;

    rk_mutex files;
    rk_report report;

    rk_timeline *timeline; /* of options.trace */
} rk_jobrun;

/* How far a run is. */
typedef struct rk_jobrun_progress {
    /* Of the room, else the most that a kernel with a number of steps took; total 0: endless. */
    uint64_t steps, steps_total;
    uint64_t cell_steps; /* cells times steps */
    double seconds;      /* since the start */
    const char *state;   /* "running", "paused", "stopping", "saving" */
} rk_jobrun_progress;

/*
 * Checks the job against its modules, lays out and fills the kernels. job and options stay
 * borrowed. On failure *out_is_input says whether the job file (or what it names) is to blame.
 */
rk_status rk_jobrun_create(const rk_job *job, const rk_jobrun_options *options, rk_jobrun **out_run,
                           bool *out_is_input, rk_err *err);

/* Launches all kernels and starts their drivers. RK_PANIC if an init handler gave up. */
rk_status rk_jobrun_start(rk_jobrun *run, rk_err *err);

/* Waits at most timeout_ns; true when nothing is left to drive. */
bool rk_jobrun_wait(rk_jobrun *run, uint64_t timeout_ns);

/* Makes the kernels stop at their next step boundary; returns at once. Any thread. */
void rk_jobrun_request_stop(rk_jobrun *run);

/*
 * Stops what still runs, parks the kernels, writes outputs and summary. Afterwards the report is
 * complete. Returns the first error of the whole run; what could be saved is saved all the same.
 */
rk_status rk_jobrun_finish(rk_jobrun *run, rk_err *err);

void rk_jobrun_destroy(rk_jobrun *run);

/* Never blocks for long; any thread. */
void rk_jobrun_look(rk_jobrun *run, rk_jobrun_progress *out_progress);

/* Carries out a request from the control socket; see rk_server. */
rk_status rk_jobrun_handle(void *run, const rk_server_connection *connection,
                           const rk_request *request, rk_str *out, rk_err *err);

/* A word for rk_part_state: "running". */
const char *rk_part_state_text(rk_part_state state);

/* ---- For the files of the run --------------------------------------------------------------- */

void rk_jobrun_note(rk_jobrun *run, const char *format, ...) RK_PRINTF(2, 3);

/* Ends the drivers. */
void rk_jobrun_stop(rk_jobrun *run);

/* Keeps the first error of the run and stops everything. True: it was the first. */
bool rk_jobrun_fail(rk_jobrun *run, rk_part *part, const rk_err *err);

/* jobrun_fields.c: the first contents of the fields of a kernel, from the job file. */
rk_status rk_jobrun_fill_fields(rk_jobrun *run, rk_part *part, rk_err *err);

/* Lays out the kernel of a part; `launch` says what is special about it. */
rk_status rk_jobrun_create_kernel(rk_jobrun *run, rk_part *part, const rk_launch *launch,
                                  rk_err *err);

/* jobrun_room.c: the room's kernel, its pictures, its results. */
rk_status rk_jobrun_add_room(rk_jobrun *run, rk_part *part, rk_err *err);
rk_status rk_jobrun_write_slice(rk_jobrun *run, rk_part *part, size_t index, rk_err *err);
rk_status rk_jobrun_write_room(rk_jobrun *run, rk_part *part, rk_err *err);

/* jobrun_output.c: fields as files. */
rk_status rk_jobrun_check_outputs(rk_jobrun *run, rk_part *part, rk_err *err);
rk_status rk_jobrun_write_output(rk_jobrun *run, rk_part *part, size_t index, rk_err *err);

/* jobrun_trace.c: timelines: of the whole run, and for a while. */
#define RK_JOBRUN_TRACE_SLOTS 65536u /* of each kernel, for the whole run */
rk_status rk_jobrun_trace_open(rk_jobrun *run, rk_err *err);
/* Does nothing if there is none. */
rk_status rk_jobrun_trace_close(rk_jobrun *run, rk_err *err);
rk_status rk_jobrun_trace(rk_jobrun *run, const rk_server_connection *connection,
                          const rk_request *request, rk_str *out, rk_err *err);

/* The kernel of a part with this name; RK_NOT_FOUND with a suggestion. */
rk_status rk_jobrun_find_part(rk_jobrun *run, const char *name, rk_part **out_part, rk_err *err);

/* jobrun_drive.c: the main of a driver thread. */
void rk_jobrun_drive(void *part);

/*
 * Reads a field of a kernel; if it takes steps (somebody sent it a run), it is paused meanwhile.
 */
rk_status rk_jobrun_read_field(rk_part *part, const char *field, uint64_t first, uint64_t count,
                               void *out_data, rk_err *err);

#endif
