/*
 * jobrun_drive.c: the threads that drive kernels, and the life of a run around them.
 */
#include "cli/jobrun.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "cli/cli.h"
#include "cli/orders.h"

#include <ringkernel/abi/control.h>
#include <ringkernel/profile.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_NS (100u * (uint64_t)RK_NS_PER_MS)
#define PARK_TIMEOUT_NS (30u * (uint64_t)RK_NS_PER_S)
/* After the wish to stop, how long a kernel may stay in one step. */
#define STEP_END_NS (10u * (uint64_t)RK_NS_PER_S)
#define SCRIPT_TIMEOUT_NS (60u * (uint64_t)RK_NS_PER_S)
#define SAVE_COLOR 0x669944u
#define COMMAND_COLOR 0xcc8833u
#define ENDLESS_STEPS (UINT64_C(1) << 62)

static bool is_stopping(const rk_jobrun *run)
{
    return atomic_load_explicit(&run->stopping, memory_order_acquire);
}

static rk_part_state state_of(const rk_part *part)
{
    return (rk_part_state)atomic_load_explicit(&part->state, memory_order_acquire);
}

static void set_state(rk_part *part, rk_part_state state)
{
    rk_jobrun *run = part->run;
    rk_mutex_lock(&run->lock);
    atomic_store_explicit(&part->state, (int)state, memory_order_release);
    rk_cond_broadcast(&run->changed);
    rk_mutex_unlock(&run->lock);
}

/* Why a kernel failed, if it did. */
static bool has_failure(rk_part *part, rk_err *err)
{
    rk_mutex_lock(&part->run->lock);
    bool failed = part->failure[0] != '\0';
    if (failed) {
        (void)rk_err_set(err, RK_FAULT, "kernel '%s' %.400s", part->name, part->failure);
    }
    rk_mutex_unlock(&part->run->lock);
    return failed;
}

static uint64_t step_of(const rk_part *part)
{
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    return now.step;
}

bool rk_jobrun_fail(rk_jobrun *run, rk_part *part, const rk_err *err)
{
    rk_mutex_lock(&run->lock);
    bool first = !run->has_failed;
    if (first) {
        run->has_failed = true;
        run->first_error = *err;
    }
    if (err->code == RK_PANIC || err->code == RK_FAULT) {
        run->kernel_failed = true;
    }
    if (part != NULL && part->failure[0] == '\0') {
        snprintf(part->failure, sizeof part->failure, "%s", err->text);
    }
    rk_mutex_unlock(&run->lock);
    rk_jobrun_stop(run);
    return first;
}

void rk_jobrun_stop(rk_jobrun *run)
{
    atomic_store_explicit(&run->stopping, true, memory_order_release);
    for (size_t i = 0; i < run->part_count; i++) {
        rk_kernel_abort(run->parts[i].kernel);
    }
    rk_mutex_lock(&run->lock);
    rk_cond_broadcast(&run->changed);
    rk_mutex_unlock(&run->lock);
}

void rk_jobrun_request_stop(rk_jobrun *run)
{
    atomic_store_explicit(&run->stop_requested, true, memory_order_release);
    rk_jobrun_stop(run);
}

/* ---- Driving one kernel --------------------------------------------------------------------- */

/*
 * After the kernel ended: waits until the event handler knows what comes of it. RK_OK: it was
 * restarted and runs again, from step 0; otherwise what ended it.
 */
static rk_status wait_restart(rk_part *part, uint32_t restarts, rk_status cause)
{
    rk_jobrun *run = part->run;
    rk_status status = cause;
    rk_mutex_lock(&run->lock);
    while (part->restarts == restarts && !part->has_ended && !is_stopping(run)) {
        rk_cond_wait(&run->changed, &run->lock); /* for the event, or the stop */
    }
    if (part->restarts != restarts && !part->has_ended) {
        status = RK_OK;
    }
    rk_mutex_unlock(&run->lock);
    return status;
}

/* RK_TIMEOUT once the job wants to stop and the kernel has passed no safe point for STEP_END_NS. */
static rk_status check_step_ends(rk_part *part, const rk_kernel_snapshot *now, uint64_t *heartbeat,
                                 uint64_t *since_ns, rk_err *err)
{
    uint64_t now_ns = rk_clock_monotonic_ns();
    if (!is_stopping(part->run) || now->heartbeat != *heartbeat || *since_ns == 0) {
        *heartbeat = now->heartbeat;
        *since_ns = is_stopping(part->run) ? now_ns : 0;
        return RK_OK;
    }
    if (now_ns - *since_ns < STEP_END_NS) {
        return RK_OK;
    }
    return rk_err_set(err, RK_TIMEOUT,
                      "kernel '%s' does not end step %llu, so it is ended with its host process; "
                      "look for a loop without an end in its code",
                      part->name, (unsigned long long)now->step);
}

/* How far a driver is with the plan of the job file. */
typedef struct plan {
    rk_part *part;
    uint64_t step;     /* that its own runs have reached; what others send comes on top */
    uint32_t restarts; /* of the kernel when the plan began */
} plan;

/* RK_STATE once the kernel has been restarted: the plan begins anew. */
static rk_status check_plan(const plan *at)
{
    rk_jobrun *run = at->part->run;
    if (is_stopping(run)) {
        return RK_ABORTED;
    }
    rk_mutex_lock(&run->lock);
    bool restarted = at->part->restarts != at->restarts;
    rk_mutex_unlock(&run->lock);
    return restarted ? RK_STATE : RK_OK;
}

/* Hands in a run; while the kernel takes none (parked by a command), asks again and again. */
static rk_status submit_run(const plan *at, uint64_t steps, uint64_t *out_id, rk_err *err)
{
    rk_jobrun *run = at->part->run;
    for (;;) {
        rk_status status = rk_kernel_run(at->part->kernel, steps, out_id, err);
        if (status != RK_STATE && status != RK_LIMIT) {
            return status;
        }
        rk_mutex_lock(&run->lock);
        (void)rk_cond_wait_until(&run->changed, &run->lock,
                                 rk_clock_deadline_ns(LOOK_NS)); /* either way */
        rk_mutex_unlock(&run->lock);
        status = check_plan(at);
        if (status != RK_OK) {
            return status;
        }
    }
}

/* One run, up to its answer. RK_ABORTED when the job stops. */
static rk_status run_once(const plan *at, uint64_t steps, rk_err *err)
{
    uint64_t id;
    uint64_t heartbeat = 0;
    uint64_t since_ns = 0;
    rk_status status = submit_run(at, steps, &id, err);
    while (status == RK_OK) {
        rk_reply reply;
        status = rk_kernel_wait(at->part->kernel, id, LOOK_NS, &reply, err);
        if (status == RK_OK) {
            return is_stopping(at->part->run) ? RK_ABORTED : reply.status;
        }
        if (status == RK_TIMEOUT) {
            rk_kernel_snapshot now;
            rk_kernel_read_snapshot(at->part->kernel, &now);
            /* A parked kernel answers no more; others do when they are aborted. */
            status = now.state == RK_KERNEL_PARKED
                         ? check_plan(at)
                         : check_step_ends(at->part, &now, &heartbeat, &since_ns, err);
        }
    }
    return status;
}

/* Runs the kernel up to a step of the plan. RK_STATE: it was restarted. */
static rk_status run_to(plan *at, uint64_t step, rk_err *err)
{
    rk_status status = check_plan(at);
    if (status != RK_OK || step <= at->step) {
        return status;
    }
    status = run_once(at, step - at->step, err);
    if (status == RK_PANIC || status == RK_FAULT || status == RK_CLOSED) {
        status = wait_restart(at->part, at->restarts, status);
        return status == RK_OK ? RK_STATE : status;
    }
    at->step = status == RK_OK ? step : at->step;
    return status;
}

static bool keep_waiting(void *context)
{
    return !is_stopping(context);
}

static void note_reply(rk_part *part, const json_t *reply)
{
    rk_str text;
    rk_str_init(&text, RK_ORDER_DATA_MAX * 4);
    rk_order_append_text(&text, part->name, reply);
    rk_jobrun_note(part->run, "%s", rk_str_cstr(&text));
    rk_str_finish(&text);
}

/* A command of the job file. A run is only handed in: its steps come on top. */
static rk_status do_command(rk_part *part, size_t index, rk_err *err)
{
    rk_jobrun *run = part->run;
    const rk_job_command *command = &run->job->commands[index];
    const rk_order *order;
    json_t *reply = NULL;
    rk_status status = rk_order_find(command->command, command->arg_count, &order, err);
    if (status == RK_OK) {
        bool is_run = strcmp(order->name, "run") == 0;
        status = rk_order_carry_out(order, part->kernel, command->args, command->arg_count,
                                    is_run ? 0 : SCRIPT_TIMEOUT_NS, keep_waiting, run, &reply, err);
    }
    if (status == RK_OK) {
        note_reply(part, reply);
        json_decref(reply);
    } else {
        (void)rk_err_prefix(err, "%s:%u:%u: ", run->job->file, command->mark.line,
                            command->mark.column);
    }
    return status;
}

static rk_status do_action(rk_part *part, const rk_action *action, rk_err *err)
{
    rk_status status;
    switch (action->kind) {
    case RK_ACTION_COMMAND:
        rk_profile_push("command", COMMAND_COLOR);
        status = do_command(part, action->index, err);
        break;
    case RK_ACTION_SLICE:
        rk_profile_push("picture", SAVE_COLOR);
        status = rk_jobrun_write_slice(part->run, part, action->index, err);
        break;
    default:
        rk_profile_push("output", SAVE_COLOR);
        status = rk_jobrun_write_output(part->run, part, action->index, err);
        break;
    }
    rk_profile_pop();
    return status;
}

/* A kernel that takes no steps serves until it ends or the run stops. */
static rk_status serve_until_end(rk_part *part)
{
    rk_jobrun *run = part->run;
    rk_mutex_lock(&run->lock);
    while (!part->has_ended && !is_stopping(run)) {
        rk_cond_wait(&run->changed, &run->lock);
    }
    rk_status status = part->has_ended ? RK_CLOSED : RK_ABORTED;
    rk_mutex_unlock(&run->lock);
    return status;
}

/* The whole plan: from action to action, then to the end. */
static rk_status drive_once(rk_part *part, rk_err *err)
{
    plan at = {.part = part};
    rk_mutex_lock(&part->run->lock);
    at.restarts = part->restarts;
    rk_mutex_unlock(&part->run->lock);
    rk_status status = RK_OK;
    for (size_t i = 0; i < part->action_count && status == RK_OK; i++) {
        status = run_to(&at, part->actions[i].step, err);
        if (status == RK_OK) {
            status = do_action(part, &part->actions[i], err);
        }
    }
    if (status != RK_OK) {
        return status;
    }
    if (part->steps == 0 && !part->is_endless) {
        return serve_until_end(part);
    }
    return run_to(&at, part->is_endless ? ENDLESS_STEPS : part->steps, err);
}

void rk_jobrun_drive(void *arg)
{
    rk_part *part = arg;
    rk_err err = RK_ERR_INIT;
    rk_status status;
    do {
        status = drive_once(part, &err);
    } while (status == RK_STATE && !is_stopping(part->run));
    switch (status) {
    case RK_OK: set_state(part, RK_PART_DONE); break;
    case RK_STATE:
    case RK_ABORTED: set_state(part, RK_PART_STOPPED); break;
    case RK_CLOSED:
        if (has_failure(part, &err)) {
            (void)rk_jobrun_fail(part->run, part, &err); /* it keeps the first */
            set_state(part, RK_PART_FAILED);
        } else {
            set_state(part, RK_PART_ENDED);
        }
        break;
    default:
        (void)rk_jobrun_fail(part->run, part, &err); /* it keeps the first */
        set_state(part, RK_PART_FAILED);
        break;
    }
}

rk_status rk_jobrun_read_field(rk_part *part, const char *field, uint64_t first, uint64_t count,
                               void *out_data, rk_err *err)
{
    rk_status status = rk_kernel_read_field(part->kernel, field, first, count, out_data, err);
    if (status != RK_STATE) {
        return status;
    }
    uint64_t id;
    rk_reply reply;
    status = rk_kernel_pause(part->kernel, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(part->kernel, id, RK_FOREVER, &reply, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_read_field(part->kernel, field, first, count, out_data, err);
        /* A kernel that has ended meanwhile is noticed by its driver. */
        (void)rk_kernel_resume(part->kernel, NULL, NULL);
    }
    return status;
}

/* ---- The run -------------------------------------------------------------------------------- */

rk_status rk_jobrun_start(rk_jobrun *run, rk_err *err)
{
    for (size_t i = 0; i < run->part_count; i++) {
        rk_status status = rk_kernel_start(run->parts[i].kernel, err);
        if (status != RK_OK) {
            return status;
        }
    }
    run->start_ns = rk_clock_monotonic_ns();
    for (size_t i = 0; i < run->part_count; i++) {
        rk_part *part = &run->parts[i];
        atomic_store_explicit(&part->state, RK_PART_RUNNING, memory_order_release);
        rk_status status = rk_thread_start(&part->driver, "rk-drive", rk_jobrun_drive, part);
        if (status != RK_OK) {
            atomic_store_explicit(&part->state, RK_PART_STOPPED, memory_order_release);
            return rk_err_set(err, status, "no thread to drive kernel '%s'", part->name);
        }
    }
    return RK_OK;
}

/*
 * A job is over when the kernels with a number of steps have done them; one without such kernels,
 * when none runs any more.
 */
static bool is_over(const rk_jobrun *run)
{
    bool has_finite = false;
    bool finite_runs = false;
    bool other_runs = false;
    for (size_t i = 0; i < run->part_count; i++) {
        const rk_part *part = &run->parts[i];
        bool runs = state_of(part) == RK_PART_RUNNING;
        has_finite = has_finite || part->steps > 0;
        finite_runs = finite_runs || (runs && part->steps > 0);
        other_runs = other_runs || (runs && part->steps == 0);
    }
    return is_stopping(run) || !(has_finite ? finite_runs : other_runs);
}

bool rk_jobrun_wait(rk_jobrun *run, uint64_t timeout_ns)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns);
    rk_mutex_lock(&run->lock);
    rk_status status = RK_OK;
    while (!is_over(run) && status == RK_OK) {
        status = rk_cond_wait_until(&run->changed, &run->lock, deadline_ns);
    }
    bool over = is_over(run);
    rk_mutex_unlock(&run->lock);
    return over;
}

void rk_jobrun_look(rk_jobrun *run, rk_jobrun_progress *out_progress)
{
    rk_jobrun_progress progress = {.state = "running"};
    bool paused = run->part_count > 0;
    bool has_finite = false;
    for (size_t i = 0; i < run->part_count; i++) {
        has_finite = has_finite || run->parts[i].steps > 0;
    }
    for (size_t i = 0; i < run->part_count; i++) {
        rk_part *part = &run->parts[i];
        rk_kernel_snapshot now;
        rk_kernel_read_snapshot(part->kernel, &now);
        paused = paused && (now.state == RK_KERNEL_PAUSED || now.state == RK_KERNEL_PARKED ||
                            state_of(part) != RK_PART_RUNNING);
        if (part->steps > 0 || part->is_endless) {
            progress.cell_steps += now.step * part->cells;
        }
        /* The room decides; else the kernels that have an end; else all. */
        if (run->has_room ? part->spec == NULL : part->steps > 0 || !has_finite) {
            progress.steps = RK_MAX(progress.steps, now.step);
            progress.steps_total = RK_MAX(progress.steps_total, part->steps);
        }
    }
    uint64_t end_ns = atomic_load_explicit(&run->end_ns, memory_order_acquire);
    uint64_t until_ns = end_ns != 0 ? end_ns : rk_clock_monotonic_ns();
    progress.seconds = run->start_ns != 0 ? (double)(until_ns - run->start_ns) * 1e-9 : 0.0;
    progress.state = end_ns != 0          ? "saving"
                     : is_stopping(run)   ? "stopping"
                     : paused             ? "paused"
                     : run->start_ns == 0 ? "starting"
                                          : "running";
    *out_progress = progress;
}

/* ---- The end -------------------------------------------------------------------------------- */

static void park_all(rk_jobrun *run)
{
    for (size_t i = 0; i < run->part_count; i++) {
        rk_part *part = &run->parts[i];
        rk_kernel_snapshot now;
        rk_kernel_read_snapshot(part->kernel, &now);
        if (now.state >= RK_KERNEL_PARKED || state_of(part) == RK_PART_FAILED) {
            continue;
        }
        rk_err err = RK_ERR_INIT;
        rk_kernel_abort(part->kernel); /* runs that a second terminal has sent */
        rk_status status = rk_kernel_park(part->kernel, PARK_TIMEOUT_NS, &err);
        if (status != RK_OK && status != RK_CLOSED && status != RK_STATE) {
            (void)rk_jobrun_fail(run, part, &err); /* it keeps the first */
        }
    }
}

/* Results of a kernel that has stopped: for the room its receivers, else its outputs at the end. */
static rk_status save_part(rk_jobrun *run, rk_part *part, rk_err *err)
{
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    if (part->spec == NULL) {
        return rk_jobrun_write_room(run, part, err);
    }
    for (size_t i = 0; i < part->spec->output_count; i++) {
        if (part->spec->outputs[i].step_count > 0) {
            continue;
        }
        rk_status status = rk_jobrun_write_output(run, part, i, err);
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

static void fill_report(rk_jobrun *run)
{
    rk_report *report = &run->report;
    rk_jobrun_progress progress;
    rk_jobrun_look(run, &progress);
    report->steps = progress.steps;
    report->complete = true;
    for (size_t i = 0; i < run->part_count; i++) {
        rk_part *part = &run->parts[i];
        uint64_t step = step_of(part);
        rk_part_state state = state_of(part);
        report->complete = report->complete && (state == RK_PART_DONE || part->steps == 0);
        if (!run->has_room) {
            report->cells += part->cells;
        }
        (void)rk_report_add_kernel(report, part->name, rk_module_schema(part->module)->name,
                                   rk_part_state_text(state), step,
                                   part->failure[0] != '\0' ? part->failure : NULL);
    }
    report->complete = report->complete && !run->has_failed;
    report->seconds =
        (double)(atomic_load_explicit(&run->end_ns, memory_order_acquire) - run->start_ns) * 1e-9;
}

rk_status rk_jobrun_finish(rk_jobrun *run, rk_err *err)
{
    /* Nothing that has an end still runs: stop the rest. */
    rk_jobrun_stop(run);
    for (size_t i = 0; i < run->part_count; i++) {
        rk_thread_join(&run->parts[i].driver);
    }
    atomic_store_explicit(&run->end_ns, rk_clock_monotonic_ns(), memory_order_release);
    park_all(run);
    rk_profile_push("save results", SAVE_COLOR);
    for (size_t i = 0; i < run->part_count; i++) {
        rk_err one = RK_ERR_INIT;
        rk_status status = save_part(run, &run->parts[i], &one);
        if (status != RK_OK) {
            (void)rk_jobrun_fail(run, NULL, &one); /* it keeps the first */
        }
    }
    fill_report(run);
    rk_err one = RK_ERR_INIT;
    rk_status status = rk_report_write(&run->report, run->options.folder, &one);
    rk_profile_pop();
    if (status == RK_OK) {
        status = rk_jobrun_trace_close(run, &one);
    }
    if (status != RK_OK) {
        (void)rk_jobrun_fail(run, NULL, &one); /* it keeps the first */
    }
    if (!run->has_failed) {
        return RK_OK;
    }
    if (err != NULL) {
        *err = run->first_error;
    }
    return run->first_error.code;
}
