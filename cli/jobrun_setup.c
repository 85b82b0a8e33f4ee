/*
 * jobrun_setup.c: from a job file to kernels that are ready to start.
 */
#include "cli/jobrun.h"

#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"
#include "cli/cli.h"
#include "cli/modules.h"
#include "cli/orders.h"

#include <ringkernel/abi/control.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 64u

void rk_jobrun_note(rk_jobrun *run, const char *format, ...)
{
    char text[RK_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run->options.note(run->options.note_context, text);
}

const char *rk_part_state_text(rk_part_state state)
{
    switch (state) {
    case RK_PART_WAITING: return "waiting";
    case RK_PART_RUNNING: return "running";
    case RK_PART_DONE: return "done";
    case RK_PART_STOPPED: return "stopped";
    case RK_PART_ENDED: return "ended";
    default: return "failed";
    }
}

/* Puts the place in the job file in front of a sentence. */
static rk_status at_mark(const rk_jobrun *run, rk_room_mark mark, rk_err *err)
{
    return rk_err_prefix(err, "%s:%u:%u: ", run->job->file, mark.line, mark.column);
}

/* ---- The runtime ---------------------------------------------------------------------------- */

static const char *device_of(const rk_jobrun *run, const rk_part *part)
{
    if (run->options.device != NULL) {
        return run->options.device;
    }
    return part->spec != NULL && part->spec->device != NULL ? part->spec->device : run->job->device;
}

/* How many logical CPU devices the names "cpu:N" ask for. The runtime checks other names. */
static rk_status count_devices(const rk_jobrun *run, uint32_t *out_count, rk_err *err)
{
    uint32_t count = 1;
    for (size_t i = 0; i < run->part_count; i++) {
        const char *name = device_of(run, &run->parts[i]);
        uint64_t index = 0;
        if (strncmp(name, "cpu:", 4) == 0 &&
            (rk_value_parse_u64(name + 4, &index, NULL) != RK_OK || index >= DEVICES_MAX)) {
            return rk_err_set(err, RK_NOT_FOUND,
                              "there is no device '%s'; CPU devices are cpu:0 to "
                              "cpu:%u",
                              name, DEVICES_MAX - 1);
        }
        count = index + 1 > count ? (uint32_t)index + 1 : count;
    }
    *out_count = count;
    return RK_OK;
}

/* A host process, unless a driver cannot share its mapped memory with one: OpenCL's. */
static rk_isolation isolation_of(const rk_jobrun *run)
{
    for (size_t i = 0; i < run->part_count; i++) {
        if (strncmp(device_of(run, &run->parts[i]), "opencl", 6) == 0) {
            return RK_ISOLATION_NONE;
        }
    }
    return RK_ISOLATION_PROCESS;
}

static rk_part *part_of(rk_jobrun *run, const rk_kernel *kernel)
{
    for (size_t i = 0; i < run->part_count; i++) {
        if (run->parts[i].kernel == kernel) {
            return &run->parts[i];
        }
    }
    return NULL;
}

/* Whether a kernel that failed is started again by its policy. */
static bool restarts(const rk_part *part)
{
    return part->spec != NULL && part->spec->restart != RK_JOB_RESTART_NEVER;
}

/* Called by the runtime's supervisor. */
static void on_event(void *context, const rk_event *event)
{
    rk_jobrun *run = context;
    rk_part *part = part_of(run, event->kernel);
    if (part == NULL) {
        return;
    }
    bool failure = event->kind == RK_EVENT_PANICKED || event->kind == RK_EVENT_FAULTED ||
                   event->kind == RK_EVENT_HOST_LOST || event->kind == RK_EVENT_DEVICE_LOST;
    bool final = event->kind == RK_EVENT_GAVE_UP || (failure && !restarts(part));
    rk_mutex_lock(&run->lock);
    if (failure) {
        snprintf(part->failure, sizeof part->failure, "%s", event->text);
    } else if (event->kind == RK_EVENT_RESTARTED) {
        part->restarts++;
        part->failure[0] = '\0';
    }
    rk_mutex_unlock(&run->lock);
    bool first = false;
    if (final) {
        rk_err err = RK_ERR_INIT;
        bool panic = rk_kernel_state(event->kernel) == RK_KERNEL_PANICKED;
        (void)rk_err_set(&err, panic ? RK_PANIC : RK_FAULT, "kernel '%s' %s", event->kernel_name,
                         event->text);
        first = rk_jobrun_fail(run, part, &err);
    }
    /* Its driver goes on from here: this handler's sentence comes first. */
    rk_mutex_lock(&run->lock);
    part->has_ended = part->has_ended || final || event->kind == RK_EVENT_TERMINATED;
    rk_cond_broadcast(&run->changed);
    rk_mutex_unlock(&run->lock);
    /* The first failure is what the run returns, so it is told at the end. */
    bool bad = failure || final || event->kind == RK_EVENT_RESTARTED;
    if ((bad && !first) || event->kind == RK_EVENT_STALLED) {
        rk_jobrun_note(run, "kernel '%s' %s", event->kernel_name, event->text);
    }
}

static rk_status create_runtime(rk_jobrun *run, rk_err *err)
{
    uint32_t devices = 1;
    rk_status status = count_devices(run, &devices, err);
    if (status != RK_OK) {
        return status;
    }
    run->program = rk_cli_program_path();
    if (run->program == NULL) {
        return rk_err_set(err, RK_IO, "/proc/self/exe cannot be read; is /proc mounted?");
    }
    run->host_argv[0] = run->program;
    run->host_argv[1] = "__host";
    const rk_runtime_options options = {
        .logical_devices = devices,
        .isolation = isolation_of(run),
        .host_argv = run->host_argv,
        .on_event = on_event,
        .event_context = run,
    };
    return rk_runtime_create(&options, &run->runtime, err);
}

/* ---- Kernels -------------------------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const rk_action *left = a;
    const rk_action *right = b;
    if (left->step != right->step) {
        return left->step < right->step ? -1 : 1;
    }
    /* At the same step: outputs show the state before the commands change it. */
    if (left->kind != right->kind) {
        return (left->kind == RK_ACTION_COMMAND) - (right->kind == RK_ACTION_COMMAND);
    }
    return (left->index > right->index) - (left->index < right->index);
}

static rk_status add_action(rk_part *part, uint64_t step, rk_action_kind kind, size_t index)
{
    rk_action *actions = realloc(part->actions, (part->action_count + 1) * sizeof *actions);
    if (actions == NULL) {
        return RK_NO_MEMORY;
    }
    part->actions = actions;
    actions[part->action_count++] = (rk_action){.step = step, .kind = kind, .index = index};
    return RK_OK;
}

static rk_status add_commands(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_job *job = run->job;
    for (size_t i = 0; i < job->command_count; i++) {
        const rk_job_command *command = &job->commands[i];
        if (strcmp(command->kernel, part->name) != 0) {
            continue;
        }
        const rk_order *order;
        rk_status status = rk_order_find(command->command, command->arg_count, &order, err);
        if (status != RK_OK) {
            return at_mark(run, command->mark, err);
        }
        if (part->steps > 0 && command->step > part->steps) {
            (void)rk_err_set(err, RK_INVALID,
                             "the command is for step %" PRIu64
                             ", but kernel '%s' ends after %" PRIu64 " steps",
                             command->step, part->name, part->steps);
            return at_mark(run, command->mark, err);
        }
        if (add_action(part, command->step, RK_ACTION_COMMAND, i) != RK_OK) {
            return rk_err_set(err, RK_NO_MEMORY, "no memory for the commands of the job");
        }
    }
    return RK_OK;
}

/* Actions of the room's pictures and the kernel's outputs that are wanted at a step. */
static rk_status add_pictures(rk_jobrun *run, rk_part *part, rk_err *err)
{
    rk_status status = RK_OK;
    size_t planes = part->spec == NULL ? run->grid.plane_count : 0;
    for (size_t i = 0; i < planes; i++) {
        const rk_room_plane *plane = &run->grid.planes[i];
        for (size_t j = 0; j < plane->step_count && status == RK_OK; j++) {
            status = add_action(part, plane->steps[j], RK_ACTION_SLICE, i);
        }
    }
    size_t outputs = part->spec != NULL ? part->spec->output_count : 0;
    for (size_t i = 0; i < outputs; i++) {
        const rk_job_output *output = &part->spec->outputs[i];
        for (size_t j = 0; j < output->step_count && status == RK_OK; j++) {
            status = add_action(part, (uint64_t)output->steps[j], RK_ACTION_OUTPUT, i);
        }
    }
    return status == RK_OK ? RK_OK
                           : rk_err_set(err, status, "no memory for the outputs of the job");
}

rk_status rk_jobrun_create_kernel(rk_jobrun *run, rk_part *part, const rk_launch *base, rk_err *err)
{
    rk_launch launch = *base;
    launch.name = part->name;
    launch.module = part->module;
    launch.device = device_of(run, part);
    launch.blocks = launch.blocks > 0 ? launch.blocks : run->options.blocks;
    launch.trace_slots = run->options.trace != NULL ? RK_JOBRUN_TRACE_SLOTS : 0;
    rk_status status = rk_kernel_create(run->runtime, &launch, &part->kernel, err);
    const rk_schema *schema = rk_module_schema(part->module);
    for (uint32_t i = 0; i < schema->field_count && status == RK_OK; i++) {
        uint64_t elements;
        uint32_t bytes;
        status = rk_kernel_field_size(part->kernel, schema->fields[i].name, &elements, &bytes, err);
        if (status == RK_OK && (schema->fields[i].flags & RK_FIELD_STATE) != 0) {
            part->cells = elements > part->cells ? elements : part->cells;
        }
    }
    return status;
}

/* Sets "module 'x' has no parameter 'y'", with a suggestion, at its place in the job file. */
static rk_status no_such(rk_jobrun *run, const rk_schema *schema, const char *what,
                         const rk_job_value *value, const char *const *names, size_t count,
                         rk_err *err)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *near = rk_suggest(value->name, names, count);
    (void)rk_err_set(err, RK_NOT_FOUND, "module '%s' has no %s '%s'%s%s%s", schema->name, what,
                     rk_value_shown(value->name, shown), near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "; 'rk inspect' lists what it has");
    return at_mark(run, value->mark, err);
}

/* Variant, parameters and fields by name, so that a slip is reported where it stands. */
static rk_status check_names(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_job_kernel *spec = part->spec;
    const rk_schema *schema = rk_module_schema(part->module);
    const char *names[RK_PARAM_MAX + RK_FIELD_MAX];
    int variant = spec->variant != NULL ? rk_schema_find_variant(schema, spec->variant) : 0;
    if (variant < 0) {
        (void)rk_err_set(err, RK_NOT_FOUND, "module '%s' has no variant '%s'", schema->name,
                         spec->variant);
        return at_mark(run, spec->mark, err);
    }
    part->variant = (uint32_t)variant;
    for (uint32_t i = 0; i < schema->param_count; i++) {
        names[i] = schema->params[i].name;
    }
    for (size_t i = 0; i < spec->param_count; i++) {
        const rk_job_value *value = &spec->params[i];
        int index = rk_schema_find_param(schema, value->name);
        if (index < 0) {
            return no_such(run, schema, "parameter", value, names, schema->param_count, err);
        }
        uint64_t slot;
        uint32_t type = rk_schema_type(schema, part->variant, schema->params[index].type);
        if (rk_param_parse(type, value->text, &slot, err) != RK_OK) {
            (void)rk_err_prefix(err, "parameter '%s': ", value->name);
            return at_mark(run, value->mark, err);
        }
    }
    for (uint32_t i = 0; i < schema->field_count; i++) {
        names[i] = schema->fields[i].name;
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        if (rk_schema_find_field(schema, spec->fields[i].name) < 0) {
            return no_such(run, schema, "field", &spec->fields[i], names, schema->field_count, err);
        }
        int index = rk_schema_find_field(schema, spec->fields[i].name);
        if (spec->restart != RK_JOB_RESTART_NEVER &&
            (schema->fields[index].flags & RK_FIELD_INPUT) == 0) {
            (void)rk_err_set(err, RK_INVALID,
                             "field '%s' is no input of module '%s', so a restart would empty it; "
                             "leave out 'restart', or declare the field as input",
                             spec->fields[i].name, schema->name);
            return at_mark(run, spec->fields[i].mark, err);
        }
    }
    return RK_OK;
}

static rk_status create_job_kernel(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_job_kernel *spec = part->spec;
    rk_param_value *params = calloc(spec->param_count + 1, sizeof *params);
    if (params == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the parameters of '%s'", spec->name);
    }
    for (size_t i = 0; i < spec->param_count; i++) {
        params[i] = (rk_param_value){spec->params[i].name, spec->params[i].text};
    }
    const rk_launch launch = {
        .variant = spec->variant,
        .blocks = (uint32_t)spec->blocks,
        .seed = spec->seed,
        .params = params,
        .param_count = spec->param_count,
        .restart = spec->restart == RK_JOB_RESTART_NEVER ? RK_RESTART_NEVER : RK_RESTART_ON_FAILURE,
    };
    rk_status status = rk_jobrun_create_kernel(run, part, &launch, err);
    free(params);
    return status == RK_OK ? RK_OK : at_mark(run, spec->mark, err);
}

static rk_status add_job_kernel(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_job_kernel *spec = part->spec;
    rk_status status = rk_cli_open_module(spec->module, run->job->folder, &part->module, err);
    if (status != RK_OK) {
        return at_mark(run, spec->mark, err);
    }
    part->steps = spec->steps;
    part->is_endless = spec->steps == 0 && rk_module_schema(part->module)->phase_count > 0;
    status = check_names(run, part, err);
    if (status == RK_OK) {
        status = create_job_kernel(run, part, err);
    }
    if (status == RK_OK) {
        status = rk_jobrun_fill_fields(run, part, err);
    }
    return status == RK_OK ? rk_jobrun_check_outputs(run, part, err) : status;
}

static rk_part *part_named(rk_jobrun *run, const char *name)
{
    for (size_t i = 0; i < run->part_count; i++) {
        if (strcmp(run->parts[i].name, name) == 0) {
            return &run->parts[i];
        }
    }
    return NULL;
}

static rk_status connect_routes(rk_jobrun *run, rk_part *part, rk_err *err)
{
    size_t count = part->spec != NULL ? part->spec->route_count : 0;
    for (size_t i = 0; i < count; i++) {
        rk_part *to = part_named(run, part->spec->routes[i]);
        if (to == NULL) {
            (void)rk_err_set(err, RK_NOT_FOUND, "the job has no kernel '%s' to send to",
                             part->spec->routes[i]);
            return at_mark(run, part->spec->mark, err);
        }
        uint32_t route;
        rk_status status = rk_kernel_connect(part->kernel, to->kernel, &route, err);
        if (status != RK_OK) {
            return at_mark(run, part->spec->mark, err);
        }
    }
    return RK_OK;
}

static rk_status create_parts(rk_jobrun *run, rk_err *err)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < run->part_count && status == RK_OK; i++) {
        rk_part *part = &run->parts[i];
        status = part->spec != NULL ? add_job_kernel(run, part, err)
                                    : rk_jobrun_add_room(run, part, err);
        if (status == RK_OK) {
            status = add_commands(run, part, err);
        }
        if (status == RK_OK) {
            status = add_pictures(run, part, err);
        }
        if (status == RK_OK && part->action_count > 0) {
            qsort(part->actions, part->action_count, sizeof part->actions[0], by_step);
        }
    }
    for (size_t i = 0; i < run->part_count && status == RK_OK; i++) {
        status = connect_routes(run, &run->parts[i], err);
    }
    return status;
}

static rk_status list_parts(rk_jobrun *run, rk_err *err)
{
    const rk_job *job = run->job;
    run->part_count = job->kernel_count + (job->room != NULL ? 1 : 0);
    run->parts = calloc(run->part_count + 1, sizeof run->parts[0]);
    if (run->parts == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the kernels of the job");
    }
    for (size_t i = 0; i < run->part_count; i++) {
        rk_part *part = &run->parts[i];
        part->run = run;
        part->spec = i < job->kernel_count ? &job->kernels[i] : NULL;
        part->name = part->spec != NULL ? part->spec->name : RK_JOB_ROOM_KERNEL;
    }
    return RK_OK;
}

rk_status rk_jobrun_create(const rk_job *job, const rk_jobrun_options *options, rk_jobrun **out_run,
                           bool *out_is_input, rk_err *err)
{
    *out_is_input = false;
    rk_jobrun *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the job");
    }
    run->job = job;
    run->options = *options;
    rk_mutex_init(&run->lock);
    rk_cond_init(&run->changed);
    rk_mutex_init(&run->files);
    rk_status status =
        rk_report_init(&run->report, job->name, options->device ? options->device : job->device,
                       job->room != NULL ? "wave3d" : "");
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "no memory for the report");
    } else {
        status = list_parts(run, err);
    }
    if (status == RK_OK) {
        status = create_runtime(run, err);
    }
    if (status == RK_OK) {
        status = create_parts(run, err);
    }
    if (status == RK_OK && options->trace != NULL) {
        status = rk_jobrun_trace_open(run, err);
    }
    if (status != RK_OK) {
        *out_is_input = rk_cli_input_exit(status) == RK_CLI_INPUT;
        rk_jobrun_destroy(run);
        return status;
    }
    *out_run = run;
    return RK_OK;
}

void rk_jobrun_destroy(rk_jobrun *run)
{
    if (run == NULL) {
        return;
    }
    (void)rk_jobrun_trace_close(run, NULL); /* the run has not begun, or it is closed */
    rk_runtime_destroy(run->runtime);
    for (size_t i = 0; i < run->part_count && run->parts != NULL; i++) {
        rk_module_unref(run->parts[i].module);
        free(run->parts[i].actions);
    }
    free(run->parts);
    if (run->has_room) {
        rk_room_grid_finish(&run->grid);
    }
    rk_report_finish(&run->report);
    rk_mutex_finish(&run->files);
    rk_cond_finish(&run->changed);
    rk_mutex_finish(&run->lock);
    free(run->program);
    free(run);
}
