/*
 * trace.h: the timeline that a kernel writes down itself, and files that show it.
 *
 *     rk_timeline *timeline;  rk_timeline_open("trace.json", NULL, &timeline, &err);
 *     rk_timeline_add(timeline, kernel, NULL, &err);
 *     ...                     the kernel runs; spans of the host come in by themselves
 *     rk_timeline_close(timeline, &report, &err);
 *
 * Off, tracing costs a kernel one predictable branch a phase. On, each record costs it some 60 ns
 * on a CPU; it overwrites the oldest and never waits, so what the host was too slow to read is lost
 * and counted.
 *
 * Times are CLOCK_MONOTONIC; those of a GPU are its own clock, laid over the host's by the last
 * probe. Threads: any.
 */
#ifndef RINGKERNEL_TRACE_H
#define RINGKERNEL_TRACE_H

#include <ringkernel/abi/trace.h>
#include <ringkernel/resident.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What to write down. Zero in a member means its default. */
typedef struct rk_trace_options {
    uint32_t mask;  /* RK_TRACE_KERNEL and so on; default RK_TRACE_ALL */
    uint32_t every; /* steps, phases and markers of every n-th step only; default 1 */
} rk_trace_options;

/*
 * Begins tracing: at its next safe point if the kernel is resident (waits for that, at most 10 s:
 * RK_TIMEOUT), else with its next launch. Called again it changes what is written down. options may
 * be NULL.
 */
RK_API rk_status rk_kernel_trace_start(rk_kernel *kernel, const rk_trace_options *options,
                                       rk_err *err);
/* Ends it, the same way. What has been written can still be read. */
RK_API rk_status rk_kernel_trace_stop(rk_kernel *kernel, rk_err *err);

/* One record, with names. Texts belong to the kernel. */
typedef struct rk_trace_event {
    uint64_t time_ns; /* CLOCK_MONOTONIC; never less than that of the event before it */
    uint64_t step;    /* that is being taken, or the next one */
    uint64_t value;   /* abi/trace.h says of what */
    uint32_t kind;    /* RK_TRACE_KIND_* */
    uint32_t source;  /* RK_TRACE_KERNEL, STEP, PHASE or USER */
    uint32_t index;   /* RK_TRACE_NAME_*: the same number is the same name */
    uint32_t color;   /* of a marker: 0xRRGGBB; else RK_PROFILE_NO_COLOR */
    const char *name; /* "step", a phase, a marker */
} rk_trace_event;

/*
 * Takes what the kernel has written since the last read, oldest first, at most `max` events. Works
 * in every state and does not touch the kernel. *out_lost counts records that were overwritten or
 * make no sense, before the first of these. Readers of one kernel share one place in its timeline.
 */
RK_API rk_status rk_kernel_trace_read(rk_kernel *kernel, rk_trace_event *out_events, size_t max,
                                      size_t *out_count, uint64_t *out_lost, rk_err *err);

/*
 * A file in the trace event format of Chrome, which https://ui.perfetto.dev and chrome://tracing
 * show: a track for each kernel and each thread of the host that marks something (profile.h). A
 * thread of its own reads the kernels.
 */
typedef struct rk_timeline rk_timeline;

typedef struct rk_timeline_options {
    uint64_t limit_bytes; /* of the file; what comes behind is counted as lost. Default 1 GiB */
    bool without_host;    /* leave out what the host marks */
    bool forward;         /* tell kernels' spans and marks to the registered profilers as well */
} rk_timeline_options;

typedef struct rk_timeline_report {
    uint64_t events;
    uint64_t lost;      /* overwritten before they were read, or beyond the limit */
    uint64_t unmatched; /* ends of spans whose begin is not there */
    uint64_t bytes;
} rk_timeline_report;

/* The file appears, whole, at the close. options may be NULL. RK_IO and others of the file. */
RK_API rk_status rk_timeline_open(const char *path, const rk_timeline_options *options,
                                  rk_timeline **out_timeline, rk_err *err);
/*
 * Begins tracing a kernel. It must outlive the timeline, and be in no other: RK_EXISTS if it is
 * traced already.
 */
RK_API rk_status rk_timeline_add(rk_timeline *timeline, rk_kernel *kernel,
                                 const rk_trace_options *options, rk_err *err);
/* Ends tracing, writes the rest and frees the timeline, whatever comes out. report may be NULL. */
RK_API rk_status rk_timeline_close(rk_timeline *timeline, rk_timeline_report *out_report,
                                   rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
