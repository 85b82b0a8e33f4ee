/*
 * timeline.c: a file that shows what kernels and host do, side by side.
 *
 * Invariants
 *   1. `lock` guards the file and all tracks. It is not held while a profiler is told something, as
 *      those who mark hold the profilers' gate and then want `lock`.
 *   2. The reader thread is the only one that reads the kernels, until it has been joined.
 */
#include "base/clock.h"
#include "profile/chrome.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/profile.h>
#include <ringkernel/trace.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LIMIT_BYTES ((uint64_t)1 << 30)
#define BATCH_EVENTS 256u
#define THREADS_MAX 256u
#define PAUSE_MIN_NS ((uint64_t)250 * RK_NS_PER_US)
#define PAUSE_MAX_NS ((uint64_t)20 * RK_NS_PER_MS)
#define KERNEL_PID_BASE 10000000u /* above every process number of Linux */
#define HOST_KEY 0u
#define SPAN_DEPTH_KEPT RK_CHROME_DEPTH_MAX

typedef struct traced {
    struct traced *next;
    rk_kernel *kernel;
    rk_chrome_track track;    /* what the kernel writes down */
    rk_chrome_track progress; /* counters by the host */
    uint64_t lost;
    uint64_t step_shown;
    uint32_t depth; /* of open spans, for those who are told how long they took */
    struct {
        uint64_t begin_ns;
        const char *name; /* of the schema, or static */
        uint32_t color;
    } open[SPAN_DEPTH_KEPT];
} traced;

typedef struct host_thread {
    pid_t id;
    rk_chrome_track track;
} host_thread;

struct rk_timeline {
    rk_timeline_options options;
    rk_profiler_ops ops;
    bool is_listening;
    rk_thread reader;
    rk_mutex lock;
    rk_cond changed;
    bool is_closing;
    rk_chrome chrome;
    rk_err failure; /* the first of writing */
    traced *kernels;
    host_thread *threads[THREADS_MAX];
    size_t thread_count;
    rk_chrome_track ranges; /* of the host */
    uint64_t last_range;
    uint64_t host_lost;
};

/* ---- The host's side ------------------------------------------------------------------------ */

static rk_chrome_args host_args(const rk_profile_event *event)
{
    return (rk_chrome_args){.category = "host",
                            .color = event->color,
                            .has_value = event->has_payload,
                            .value = event->payload};
}

/* The calling thread's track; NULL beyond THREADS_MAX. The lock is held. */
static rk_chrome_track *own_track(rk_timeline *timeline)
{
    static RK_THREAD_LOCAL pid_t id;
    id = id != 0 ? id : gettid();
    for (size_t i = timeline->thread_count; i > 0; i--) {
        if (timeline->threads[i - 1]->id == id) {
            return &timeline->threads[i - 1]->track;
        }
    }
    host_thread *thread = timeline->thread_count < THREADS_MAX ? calloc(1, sizeof *thread) : NULL;
    if (thread == NULL) {
        timeline->host_lost++;
        return NULL;
    }
    thread->id = id;
    thread->track.pid = (uint64_t)getpid();
    thread->track.tid = (uint64_t)id;
    timeline->threads[timeline->thread_count++] = thread;
    char name[16] = "thread";
    (void)pthread_getname_np(pthread_self(), name, sizeof name); /* else "thread" */
    rk_chrome_name_track(&timeline->chrome, &thread->track, name);
    return &thread->track;
}

static void host_push(void *context, const rk_profile_event *event)
{
    rk_timeline *timeline = context;
    rk_chrome_args args = host_args(event);
    rk_mutex_lock(&timeline->lock);
    rk_chrome_track *track = own_track(timeline);
    if (track != NULL) {
        rk_chrome_begin(&timeline->chrome, track, rk_clock_monotonic_ns(), HOST_KEY, event->name,
                        &args);
    }
    rk_mutex_unlock(&timeline->lock);
}

static void host_pop(void *context)
{
    rk_timeline *timeline = context;
    rk_mutex_lock(&timeline->lock);
    rk_chrome_track *track = own_track(timeline);
    if (track != NULL) {
        rk_chrome_end(&timeline->chrome, track, rk_clock_monotonic_ns(), HOST_KEY);
    }
    rk_mutex_unlock(&timeline->lock);
}

static uint64_t host_range_begin(void *context, const rk_profile_event *event)
{
    rk_timeline *timeline = context;
    rk_chrome_args args = host_args(event);
    rk_mutex_lock(&timeline->lock);
    uint64_t id = 0;
    if (timeline->ranges.range_count < RK_CHROME_RANGES_MAX) {
        id = ++timeline->last_range;
        rk_chrome_range_begin(&timeline->chrome, &timeline->ranges, rk_clock_monotonic_ns(), id,
                              event->name, &args);
    } else {
        timeline->host_lost++;
    }
    rk_mutex_unlock(&timeline->lock);
    return id;
}

static void host_range_end(void *context, uint64_t range)
{
    rk_timeline *timeline = context;
    if (range != 0) {
        rk_mutex_lock(&timeline->lock);
        rk_chrome_range_end(&timeline->chrome, &timeline->ranges, rk_clock_monotonic_ns(), range);
        rk_mutex_unlock(&timeline->lock);
    }
}

static void host_mark(void *context, const rk_profile_event *event)
{
    rk_timeline *timeline = context;
    if (event->kernel != NULL) {
        return; /* told by a timeline: kernels are here already */
    }
    rk_chrome_args args = host_args(event);
    rk_mutex_lock(&timeline->lock);
    rk_chrome_track *track = own_track(timeline);
    if (track != NULL) {
        rk_chrome_mark(&timeline->chrome, track, rk_clock_monotonic_ns(), event->name, &args);
    }
    rk_mutex_unlock(&timeline->lock);
}

/* ---- The kernels' side ---------------------------------------------------------------------- */

static const char *category(const rk_trace_event *event)
{
    return event->source == RK_TRACE_STEP    ? "step"
           : event->source == RK_TRACE_PHASE ? "phase"
           : event->source == RK_TRACE_USER  ? "marker"
                                             : "kernel";
}

void rk_tracing_write(rk_chrome *chrome, rk_chrome_track *track, const rk_trace_event *event)
{
    const rk_chrome_args args = {
        .category = category(event),
        .has_step = true,
        .step = event->step,
        .has_value =
            event->index == RK_TRACE_NAME_RESIDENT || event->index == RK_TRACE_NAME_COMMAND,
        .value = event->value,
        .color = event->color,
    };
    switch (event->kind) {
    case RK_TRACE_KIND_BEGIN:
        rk_chrome_begin(chrome, track, event->time_ns, event->index, event->name, &args);
        break;
    case RK_TRACE_KIND_END: {
        uint32_t key = event->index;
        if (key == RK_TRACE_NAME_POP) { /* of a marker only: handlers end no step */
            key = rk_chrome_top(track);
            key = key >= RK_TRACE_NAME_MARKER ? key : RK_TRACE_NAME_POP;
        }
        rk_chrome_end(chrome, track, event->time_ns, key);
        break;
    }
    case RK_TRACE_KIND_MARK:
        rk_chrome_mark(chrome, track, event->time_ns, event->name, &args);
        break;
    case RK_TRACE_KIND_COUNTER:
        rk_chrome_counter(chrome, track, event->time_ns, event->name, event->value);
        break;
    case RK_TRACE_KIND_RANGE_BEGIN:
        rk_chrome_range_begin(chrome, track, event->time_ns, event->index, event->name, &args);
        break;
    default: rk_chrome_range_end(chrome, track, event->time_ns, event->index); break;
    }
}

/* Tells profilers of a span that has ended, of a mark or a counter. The lock is not held. */
static void tell(traced *one, const rk_trace_event *event)
{
    rk_profile_event out = {.size = sizeof out,
                            .color = event->color,
                            .name = event->name,
                            .kernel = one->kernel->name,
                            .has_payload = true,
                            .payload = event->value};
    if (event->kind == RK_TRACE_KIND_BEGIN) {
        if (one->depth < SPAN_DEPTH_KEPT) {
            one->open[one->depth].begin_ns = event->time_ns;
            one->open[one->depth].name = event->name;
            one->open[one->depth].color = event->color;
        }
        one->depth++;
        return;
    }
    if (event->kind == RK_TRACE_KIND_END) {
        if (one->depth == 0 || --one->depth >= SPAN_DEPTH_KEPT) {
            return;
        }
        out.name = one->open[one->depth].name;
        out.color = one->open[one->depth].color;
        out.payload = event->time_ns - one->open[one->depth].begin_ns;
    }
    rk_profile_tell(&out);
}

/* How far the kernel is, as a counter. The lock is held. */
static void write_progress(rk_timeline *timeline, traced *one)
{
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(one->kernel, &now);
    if (now.step != one->step_shown) {
        one->step_shown = now.step;
        rk_chrome_counter(&timeline->chrome, &one->progress, rk_clock_monotonic_ns(), "steps taken",
                          now.step);
    }
}

/* Takes what a kernel has written; returns how many events that were. */
static size_t collect_kernel(rk_timeline *timeline, traced *one)
{
    rk_trace_event events[BATCH_EVENTS];
    size_t total = 0;
    size_t most = one->kernel->layout.options.trace_slots;
    for (size_t count = BATCH_EVENTS; count > 0 && total < most;) {
        uint64_t lost = 0;
        count = 0;
        (void)rk_kernel_trace_read(one->kernel, events, BATCH_EVENTS, &count, &lost, NULL);
        for (size_t i = 0; i < count && timeline->options.forward; i++) {
            tell(one, &events[i]);
        }
        rk_mutex_lock(&timeline->lock);
        if (lost > 0) {
            one->lost += lost;
            one->depth = 0;
            rk_chrome_gap(&timeline->chrome, &one->track, lost);
        }
        for (size_t i = 0; i < count; i++) {
            rk_tracing_write(&timeline->chrome, &one->track, &events[i]);
        }
        if (timeline->failure.code == RK_OK && timeline->chrome.text.length > (1u << 20)) {
            (void)rk_chrome_flush(&timeline->chrome, &timeline->failure); /* told at the close */
        }
        rk_mutex_unlock(&timeline->lock);
        total += count;
    }
    rk_mutex_lock(&timeline->lock);
    write_progress(timeline, one);
    rk_mutex_unlock(&timeline->lock);
    return total;
}

/* The fullest ring decides how soon to come back: returns its level in 1/256. */
static size_t collect_all(rk_timeline *timeline)
{
    size_t level = 0;
    rk_mutex_lock(&timeline->lock);
    traced *one = timeline->kernels; /* only added to, in front, while this runs */
    rk_mutex_unlock(&timeline->lock);
    for (; one != NULL; one = one->next) {
        size_t count = collect_kernel(timeline, one);
        level = RK_MAX(level, count * 256u / one->kernel->layout.options.trace_slots);
    }
    rk_mutex_lock(&timeline->lock);
    if (timeline->failure.code == RK_OK) {
        (void)rk_chrome_flush(&timeline->chrome, &timeline->failure); /* told at the close */
    }
    rk_mutex_unlock(&timeline->lock);
    return level;
}

static void read_kernels(void *arg)
{
    rk_timeline *timeline = arg;
    uint64_t pause_ns = PAUSE_MIN_NS;
    bool closing = false;
    while (!closing) {
        size_t level = collect_all(timeline);
        pause_ns = level > 32 ? pause_ns / 2 : level > 8 ? pause_ns : pause_ns * 2;
        pause_ns = RK_MIN(RK_MAX(pause_ns, PAUSE_MIN_NS), PAUSE_MAX_NS);
        uint64_t deadline_ns = rk_clock_deadline_ns(pause_ns);
        rk_mutex_lock(&timeline->lock);
        rk_status status = RK_OK;
        while (!timeline->is_closing && status == RK_OK) {
            status = rk_cond_wait_until(&timeline->changed, &timeline->lock, deadline_ns);
        }
        closing = timeline->is_closing;
        rk_mutex_unlock(&timeline->lock);
    }
}

/* ---- Open, add, close ----------------------------------------------------------------------- */

static void timeline_free(rk_timeline *timeline)
{
    for (traced *one = timeline->kernels; one != NULL;) {
        traced *next = one->next;
        free(one);
        one = next;
    }
    for (size_t i = 0; i < timeline->thread_count; i++) {
        free(timeline->threads[i]);
    }
    rk_cond_finish(&timeline->changed);
    rk_mutex_finish(&timeline->lock);
    free(timeline);
}

rk_status rk_timeline_open(const char *path, const rk_timeline_options *options,
                           rk_timeline **out_timeline, rk_err *err)
{
    rk_timeline *timeline = calloc(1, sizeof *timeline);
    if (timeline == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a timeline");
    }
    timeline->options = options != NULL ? *options : (rk_timeline_options){0};
    if (timeline->options.limit_bytes == 0) {
        timeline->options.limit_bytes = DEFAULT_LIMIT_BYTES;
    }
    rk_mutex_init(&timeline->lock);
    rk_cond_init(&timeline->changed);
    rk_status status = rk_chrome_open(&timeline->chrome, path, rk_clock_monotonic_ns(),
                                      timeline->options.limit_bytes, err);
    if (status != RK_OK) {
        timeline_free(timeline);
        return status;
    }
    timeline->ranges.pid = (uint64_t)getpid();
    rk_chrome_name_process(&timeline->chrome, timeline->ranges.pid, "host", 1);
    timeline->ops = (rk_profiler_ops){.abi = RK_PROFILER_ABI,
                                      .name = "timeline",
                                      .push = host_push,
                                      .pop = host_pop,
                                      .range_begin = host_range_begin,
                                      .range_end = host_range_end,
                                      .mark = host_mark,
                                      .context = timeline};
    if (!timeline->options.without_host) {
        status = rk_profiler_register(&timeline->ops, err);
        timeline->is_listening = status == RK_OK;
    }
    if (status == RK_OK) {
        status = rk_thread_start(&timeline->reader, "rk-timeline", read_kernels, timeline);
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "no thread for the timeline '%s'", path);
        }
    }
    if (status != RK_OK) {
        if (timeline->is_listening) {
            (void)rk_profiler_unregister(&timeline->ops, NULL); /* was registered above */
        }
        rk_chrome_abandon(&timeline->chrome);
        timeline_free(timeline);
        return status;
    }
    *out_timeline = timeline;
    return RK_OK;
}

/* Marks the kernel as this timeline's, or as free; false if it is so already. */
static bool claim(rk_kernel *kernel, bool wanted)
{
    rk_mutex_lock(&kernel->tracing.lock);
    bool changes = kernel->tracing.is_on_timeline != wanted;
    kernel->tracing.is_on_timeline = wanted;
    rk_mutex_unlock(&kernel->tracing.lock);
    return changes;
}

/* Steps over what was written before. */
static void skip_old(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->tracing.lock);
    rk_tracing_init(kernel);
    rk_mutex_unlock(&kernel->tracing.lock);
}

rk_status rk_timeline_add(rk_timeline *timeline, rk_kernel *kernel, const rk_trace_options *options,
                          rk_err *err)
{
    if (!claim(kernel, true)) {
        return rk_err_set(err, RK_EXISTS, "kernel '%s' is traced already", kernel->name);
    }
    traced *one = calloc(1, sizeof *one);
    if (one == NULL) {
        (void)claim(kernel, false);
        return rk_err_set(err, RK_NO_MEMORY, "no memory to trace kernel '%s'", kernel->name);
    }
    skip_old(kernel);
    rk_status status = rk_kernel_trace_start(kernel, options, err);
    if (status != RK_OK) {
        (void)rk_kernel_trace_stop(kernel, NULL); /* in case it is only late */
        (void)claim(kernel, false);
        free(one);
        return status;
    }
    one->kernel = kernel;
    one->track.pid = one->progress.pid = KERNEL_PID_BASE + kernel->id;
    one->track.tid = 1;
    char name[128];
    (void)snprintf(name, sizeof name, "kernel %s (%s) on %s", kernel->name,
                   rk_module_schema(kernel->module)->name, kernel->home->caps.name); /* cut */
    rk_mutex_lock(&timeline->lock);
    rk_chrome_name_process(&timeline->chrome, one->track.pid, name, 1 + kernel->id);
    rk_chrome_name_track(&timeline->chrome, &one->track, kernel->name);
    one->next = timeline->kernels;
    timeline->kernels = one;
    rk_mutex_unlock(&timeline->lock);
    return RK_OK;
}

/* Ends all tracks, and sums up what is missing. No other thread uses the timeline any more. */
static void sum_up(rk_timeline *timeline, rk_timeline_report *report)
{
    uint64_t now_ns = rk_clock_monotonic_ns();
    rk_chrome *chrome = &timeline->chrome;
    chrome->lost += timeline->host_lost;
    for (traced *one = timeline->kernels; one != NULL; one = one->next) {
        rk_chrome_close_track(chrome, &one->track, now_ns);
        chrome->lost += one->lost;
        report->unmatched += one->track.unmatched;
    }
    for (size_t i = 0; i < timeline->thread_count; i++) {
        rk_chrome_close_track(chrome, &timeline->threads[i]->track, now_ns);
        report->unmatched += timeline->threads[i]->track.unmatched;
    }
    rk_chrome_close_track(chrome, &timeline->ranges, now_ns);
    report->unmatched += timeline->ranges.unmatched;
    report->events = chrome->events;
    report->lost = chrome->lost;
    report->bytes = rk_file_writer_bytes(&chrome->file) + chrome->text.length;
}

rk_status rk_timeline_close(rk_timeline *timeline, rk_timeline_report *out_report, rk_err *err)
{
    if (timeline->is_listening) {
        (void)rk_profiler_unregister(&timeline->ops, NULL); /* it is registered */
    }
    for (traced *one = timeline->kernels; one != NULL; one = one->next) {
        (void)rk_kernel_trace_stop(one->kernel, NULL); /* one that hangs is left as it is */
    }
    rk_mutex_lock(&timeline->lock);
    timeline->is_closing = true;
    rk_cond_broadcast(&timeline->changed);
    rk_mutex_unlock(&timeline->lock);
    rk_thread_join(&timeline->reader);
    (void)collect_all(timeline); /* the level does not matter any more */
    for (traced *one = timeline->kernels; one != NULL; one = one->next) {
        (void)claim(one->kernel, false);
    }
    rk_timeline_report report = {0};
    sum_up(timeline, &report);
    rk_status status = timeline->failure.code;
    if (status == RK_OK) {
        status = rk_chrome_commit(&timeline->chrome, err);
    } else {
        (void)rk_err_set(err, status, "%s", timeline->failure.text);
        rk_chrome_abandon(&timeline->chrome);
    }
    timeline_free(timeline);
    if (status == RK_OK && out_report != NULL) {
        *out_report = report;
    }
    return status;
}
