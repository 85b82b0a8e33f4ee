/*
 * resident.c: the life of a kernel: memory, launch, park, fields, routes.
 *
 *   created --start--> resident --quiesce--> parked --start--> resident
 *                         |------terminate, panic, fault------> ended (restart: resident again)
 *
 * A kernel leaves the device by itself, at a safe point; the supervisor (supervise.c) then handles
 * the exit. What this file changes while a kernel is resident is its mapped page only.
 */
#include "base/clock.h"
#include "base/wait.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/resident.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_COMMAND_SLOTS 256u
#define DEFAULT_ANSWER_SLOTS 4096u
#define DEFAULT_INBOX_SLOTS 1024u
#define DEFAULT_SLAB_BYTES ((uint64_t)1 << 20)
#define DEFAULT_RESTARTS 3u
#define DEFAULT_RESTART_WINDOW_NS (60u * (uint64_t)RK_NS_PER_S)

const char *rk_kernel_state_text(uint32_t state)
{
    switch (state) {
#define STATE_TEXT(symbol, value, text)                                                            \
    case RK_KERNEL_##symbol: return text;
        RK_KERNEL_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
    default: return "unknown";
    }
}

/* ---- Creation ------------------------------------------------------------------------------ */

static rk_status find_device(rk_runtime *runtime, const char *name, uint32_t *out_index,
                             rk_err *err)
{
    if (name == NULL) {
        *out_index = 0;
        return RK_OK;
    }
    for (uint32_t i = 0; i < runtime->device_count; i++) {
        rk_device_caps caps;
        runtime->driver->caps(runtime->devices[i], &caps);
        if (strcmp(caps.name, name) == 0 || (i == 0 && strcmp(name, runtime->driver->name) == 0)) {
            *out_index = i;
            return RK_OK;
        }
    }
    return rk_err_set(err, RK_NOT_FOUND,
                      "there is no device '%s'; this runtime has %u, from cpu:0 on", name,
                      runtime->device_count);
}

static rk_status set_params(rk_kernel *kernel, const rk_launch *launch, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(kernel->module);
    kernel->params = calloc(RK_MAX(1u, schema->param_count), sizeof kernel->params[0]);
    if (kernel->params == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the parameters of kernel '%s'",
                          kernel->name);
    }
    rk_schema_defaults(schema, kernel->variant, kernel->params);
    for (size_t i = 0; i < launch->param_count; i++) {
        const rk_param_value *value = &launch->params[i];
        int index = rk_schema_find_param(schema, value->name);
        if (index < 0) {
            return rk_err_set(
                err, RK_NOT_FOUND,
                "kernel '%s': module '%s' has no parameter '%s'; 'rk inspect %s' lists them",
                kernel->name, schema->name, value->name, schema->name);
        }
        uint32_t type = rk_schema_type(schema, kernel->variant, schema->params[index].type);
        rk_status status = rk_param_parse(type, value->text, &kernel->params[index], err);
        if (status != RK_OK) {
            (void)rk_err_prefix(err, "kernel '%s', parameter '%s': ", kernel->name, value->name);
            return status;
        }
    }
    return RK_OK;
}

static rk_status check_launch(rk_runtime *runtime, const rk_launch *launch, rk_err *err)
{
    if (launch->name == NULL || launch->name[0] == '\0' || strlen(launch->name) >= RK_NAME_BYTES) {
        return rk_err_set(err, RK_INVALID, "a kernel needs a name of 1 to %d bytes",
                          RK_NAME_BYTES - 1);
    }
    if (launch->module == NULL) {
        return rk_err_set(err, RK_INVALID,
                          "kernel '%s' has no module; open one with rk_module_open_file",
                          launch->name);
    }
    if (rk_runtime_find_kernel(runtime, launch->name) != NULL) {
        return rk_err_set(err, RK_EXISTS, "there is a kernel '%s' already; names are unique",
                          launch->name);
    }
    return RK_OK;
}

/* Memory and rings, from a computed layout. */
static rk_status lay_out(rk_kernel *kernel, rk_err *err)
{
    rk_runtime *runtime = kernel->runtime;
    rk_device *device = runtime->devices[kernel->device];
    rk_status status = runtime->driver->mem_alloc(
        device, RK_MEM_MAPPED, kernel->layout.mapped_bytes, &kernel->mapped, err);
    if (status == RK_OK) {
        status = runtime->driver->mem_alloc(device, RK_MEM_ARENA, kernel->layout.arena_bytes,
                                            &kernel->arena, err);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel->name);
        return status;
    }
    kernel->control = (rk_control *)kernel->mapped.host;
    return RK_OK;
}

/* Writes control block, rings, parameters and tables into zeroed memory. */
static rk_status write_head(rk_kernel *kernel, rk_err *err)
{
    rk_runtime *runtime = kernel->runtime;
    void *head = NULL;
    if (posix_memalign(&head, RK_LAYOUT_ALIGN_BYTES, kernel->layout.head_bytes) != 0) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to lay out kernel '%s'", kernel->name);
    }
    memset(head, 0, kernel->layout.head_bytes);
    rk_status status = rk_layout_write(&kernel->layout, kernel->params, &kernel->identity,
                                       kernel->mapped.host, head, err);
    if (status == RK_OK) {
        status = runtime->driver->write(runtime->devices[kernel->device], &kernel->arena, 0, head,
                                        kernel->layout.head_bytes);
    }
    free(head);
    return status == RK_OK ? rk_commands_attach(kernel, err) : status;
}

static rk_status load_code(rk_kernel *kernel, rk_err *err)
{
    const rk_section *section;
    rk_status status = rk_bundle_find_cpu(rk_module_bundle(kernel->module),
                                          kernel->lanes > 0 ? RK_SECTION_FIBER : RK_SECTION_CPU,
                                          kernel->variant, RK_ISA_NONE, &section, err);
    if (status == RK_OK) {
        rk_runtime *runtime = kernel->runtime;
        status = runtime->driver->load(runtime->devices[kernel->device], section->data,
                                       section->bytes, &kernel->code, err);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel->name);
    }
    return status;
}

static rk_status kernel_prepare(rk_kernel *kernel, const rk_launch *launch, rk_err *err)
{
    rk_runtime *runtime = kernel->runtime;
    const rk_schema *schema = rk_module_schema(kernel->module);
    if (launch->variant != NULL) {
        int variant = rk_schema_find_variant(schema, launch->variant);
        if (variant < 0) {
            return rk_err_set(err, RK_NOT_FOUND, "kernel '%s': module '%s' has no variant '%s'",
                              kernel->name, schema->name, launch->variant);
        }
        kernel->variant = (uint32_t)variant;
    }
    rk_status status = find_device(runtime, launch->device, &kernel->device, err);
    if (status == RK_OK) {
        status = set_params(kernel, launch, err);
    }
    if (status != RK_OK) {
        return status;
    }
    rk_device_caps caps;
    runtime->driver->caps(runtime->devices[kernel->device], &caps);
    rk_layout_options options = {
        .block_count = launch->blocks > 0 ? launch->blocks : caps.units,
        .h2k_slots = launch->command_slots > 0 ? launch->command_slots : DEFAULT_COMMAND_SLOTS,
        .k2h_slots = launch->answer_slots > 0 ? launch->answer_slots : DEFAULT_ANSWER_SLOTS,
        .inbox_slots = launch->inbox_slots > 0 ? launch->inbox_slots : DEFAULT_INBOX_SLOTS,
        .route_count = RK_ROUTE_MAX,
        .slab_bytes = launch->slab_bytes > 0 ? launch->slab_bytes : DEFAULT_SLAB_BYTES,
    };
    if (options.block_count > caps.max_blocks) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s': %u blocks are more than the %u that %s can hold",
                          kernel->name, options.block_count, caps.max_blocks, caps.name);
    }
    status =
        rk_layout_compute(schema, kernel->variant, kernel->params, &options, &kernel->layout, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel->name);
        return status;
    }
    status = lay_out(kernel, err);
    if (status == RK_OK) {
        status = rk_commands_init(kernel, launch->in_flight_limit, err);
    }
    if (status == RK_OK) {
        kernel->identity.answer_reserve = 2 * kernel->in_flight_limit;
        status = write_head(kernel, err);
    }
    return status == RK_OK ? load_code(kernel, err) : status;
}

rk_status rk_kernel_create(rk_runtime *runtime, const rk_launch *launch, rk_kernel **out_kernel,
                           rk_err *err)
{
    rk_status status = check_launch(runtime, launch, err);
    if (status != RK_OK) {
        return status;
    }
    rk_kernel *kernel = calloc(1, sizeof *kernel);
    if (kernel == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for kernel '%s'", launch->name);
    }
    kernel->runtime = runtime;
    kernel->module = rk_module_ref(launch->module);
    kernel->tenant = launch->tenant;
    kernel->lanes = launch->lanes;
    kernel->restart = launch->restart;
    kernel->restart_limit = launch->restart_limit > 0 ? launch->restart_limit : DEFAULT_RESTARTS;
    kernel->restart_limit = RK_MIN(kernel->restart_limit, 16u);
    kernel->restart_window_ns =
        launch->restart_window_ns > 0 ? launch->restart_window_ns : DEFAULT_RESTART_WINDOW_NS;
    kernel->arena.fd = -1;
    kernel->mapped.fd = -1;
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", launch->name);
    rk_mutex_init(&kernel->life);
    rk_mutex_lock(&runtime->kernels_lock);
    kernel->id = ++runtime->next_kernel_id;
    rk_mutex_unlock(&runtime->kernels_lock);
    const rk_schema *schema = rk_module_schema(kernel->module);
    kernel->identity = (rk_layout_identity){
        .kernel_id = kernel->id,
        .node = runtime->options.node,
        .tenant = launch->tenant,
        .seed = launch->seed,
        .features = schema->feature_count >= 64 ? UINT64_MAX : (1ull << schema->feature_count) - 1,
    };
    status = kernel_prepare(kernel, launch, err);
    if (status != RK_OK) {
        rk_kernel_free(kernel);
        return status;
    }
    rk_mutex_lock(&runtime->kernels_lock);
    rk_kernel **end = &runtime->kernels;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = kernel;
    rk_mutex_unlock(&runtime->kernels_lock);
    *out_kernel = kernel;
    return RK_OK;
}

void rk_kernel_free(rk_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_device *device = runtime->devices[kernel->device];
    if (kernel->code != NULL) {
        runtime->driver->unload(device, kernel->code);
    }
    if (kernel->pending != NULL) {
        rk_commands_finish(kernel);
    }
    if (kernel->arena.host != NULL || kernel->arena.bytes > 0) {
        runtime->driver->mem_free(device, &kernel->arena);
    }
    if (kernel->mapped.host != NULL) {
        runtime->driver->mem_free(device, &kernel->mapped);
    }
    free(kernel->params);
    rk_module_unref(kernel->module);
    rk_mutex_finish(&kernel->life);
    free(kernel);
}

/* ---- Launch and park ----------------------------------------------------------------------- */

/* Makes the barrier of a parked or fresh arena ready for a launch. */
static rk_status loop_reset(rk_kernel *kernel, const rk_kernel *migrate_from)
{
    rk_runtime *runtime = kernel->runtime;
    rk_device *device = runtime->devices[kernel->device];
    rk_loop loop;
    rk_status status = runtime->driver->read(device, &kernel->arena, 0, &loop, sizeof loop);
    if (status != RK_OK) {
        return status;
    }
    loop.arrived = 0;
    loop.generation = 0;
    loop.sleepers = 0;
    loop.failed = 0;
    loop.op = RK_OP_INIT;
    if (migrate_from != NULL) {
        loop.step = rk_word64_load(&migrate_from->control->step);
        rk_word64_store(&kernel->control->step, loop.step);
    }
    return runtime->driver->write(device, &kernel->arena, 0, &loop, sizeof loop);
}

/* Notes that the kernel is on its device, and points all routes from and to it. */
static void exec_set(rk_kernel *kernel, rk_exec *exec)
{
    rk_runtime *runtime = kernel->runtime;
    rk_mutex_lock(&runtime->kernels_lock);
    kernel->exec = exec;
    for (rk_kernel *from = runtime->kernels; from != NULL; from = from->next) {
        for (uint32_t i = 0; i < from->route_count; i++) {
            rk_kernel *to = from->routes[i];
            if ((from == kernel || to == kernel) && from->exec != NULL && to->exec != NULL) {
                /* Both were checked when the route was opened. */
                (void)runtime->driver->connect(from->exec, i, to->exec, NULL);
            }
        }
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}

rk_status rk_kernel_launch_locked(rk_kernel *kernel, uint32_t entry, rk_kernel *migrate_from,
                                  rk_err *err)
{
    rk_runtime *runtime = kernel->runtime;
    rk_device *device = runtime->devices[kernel->device];
    rk_status status = loop_reset(kernel, migrate_from);
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot prepare the arena of kernel '%s': %s", kernel->name,
                          rk_status_text(status));
    }
    kernel->control->entry = entry;
    if (migrate_from != NULL) {
        kernel->control->migrate_fields = migrate_from->layout.fields;
        kernel->control->migrate_hash = migrate_from->layout.hash;
    }
    kernel->control->fault_kind = 0;
    rk_word_store_release(&kernel->control->state, RK_KERNEL_LAUNCHED);
    rk_word_store_release(&kernel->exited, 0);
    rk_word_store_release(&kernel->lost, 0);
    rk_word_store_release(&kernel->ended, 0);
    rk_exec_args args = {
        .name = kernel->name,
        .code = kernel->code,
        .arena = &kernel->arena,
        .mapped = &kernel->mapped,
        .lanes = kernel->lanes,
        .migrate_from = migrate_from != NULL ? &migrate_from->arena : NULL,
        .on_exit = rk_supervise_on_exit,
        .context = kernel,
    };
    rk_word_store_release(&kernel->resident, 1);
    rk_exec *exec;
    status = runtime->driver->launch(device, &args, &exec, err);
    if (status != RK_OK) {
        rk_word_store_release(&kernel->resident, 0);
        rk_word_store_release(&kernel->control->state, RK_KERNEL_CREATED);
        return status;
    }
    kernel->started = true;
    exec_set(kernel, exec);
    rk_commands_wake(kernel); /* who waited while it was parked looks again */
    return RK_OK;
}

/* Makes the kernel resident and waits until its first handler has finished. */
static rk_status start(rk_kernel *kernel, rk_kernel *migrate_from, rk_err *err)
{
    rk_mutex_lock(&kernel->life);
    if (rk_word_load_acquire(&kernel->resident) != 0) {
        rk_mutex_unlock(&kernel->life);
        return rk_err_set(err, RK_STATE, "kernel '%s' is resident already", kernel->name);
    }
    uint32_t state = rk_kernel_state(kernel);
    if (state != RK_KERNEL_CREATED && (state != RK_KERNEL_PARKED || migrate_from != NULL)) {
        rk_mutex_unlock(&kernel->life);
        return rk_err_set(err, RK_STATE,
                          "kernel '%s' is %s and cannot be started like that; create a new one",
                          kernel->name, rk_kernel_state_text(state));
    }
    uint32_t entry = migrate_from != NULL ? RK_ENTRY_MIGRATE
                     : kernel->started    ? RK_ENTRY_RESUME
                                          : RK_ENTRY_INIT;
    rk_status status = rk_kernel_launch_locked(kernel, entry, migrate_from, err);
    rk_mutex_unlock(&kernel->life);
    uint64_t id;
    rk_reply reply;
    if (status == RK_OK) {
        status = rk_kernel_ping(kernel, &id, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    return status;
}

rk_status rk_kernel_start(rk_kernel *kernel, rk_err *err)
{
    return start(kernel, NULL, err);
}

rk_status rk_kernel_start_from(rk_kernel *kernel, rk_kernel *old, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(kernel->module);
    if ((schema->handlers & RK_HANDLER_MIGRATE) == 0) {
        return rk_err_set(
            err, RK_UNSUPPORTED,
            "kernel '%s': module '%s' has no migrate handler; define RK_MIGRATE in it",
            kernel->name, schema->name);
    }
    if (rk_kernel_state(old) != RK_KERNEL_PARKED || rk_word_load_acquire(&old->resident) != 0) {
        return rk_err_set(err, RK_STATE,
                          "kernel '%s' is %s; park it before its state is taken over", old->name,
                          rk_kernel_state_text(rk_kernel_state(old)));
    }
    if (old->device != kernel->device || old->runtime != kernel->runtime) {
        return rk_err_set(err, RK_UNSUPPORTED, "kernels '%s' and '%s' are not on the same device",
                          old->name, kernel->name);
    }
    return start(kernel, old, err);
}

rk_status rk_kernel_park(rk_kernel *kernel, uint64_t timeout_ns, rk_err *err)
{
    uint64_t id;
    rk_reply reply;
    uint64_t deadline_ns = timeout_ns == RK_FOREVER ? RK_NEVER : rk_clock_deadline_ns(timeout_ns);
    rk_status status = rk_kernel_quiesce(kernel, 0, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, timeout_ns, &reply, err);
    }
    if (status == RK_OK &&
        rk_wait_while_equal(&kernel->resident, 1, deadline_ns, 20000) == RK_TIMEOUT) {
        status =
            rk_err_set(err, RK_TIMEOUT, "kernel '%s' is parking, but has not left the device yet",
                       kernel->name);
    }
    return status;
}

static void unlink_kernel(rk_runtime *runtime, rk_kernel *kernel)
{
    rk_mutex_lock(&runtime->kernels_lock);
    for (rk_kernel **at = &runtime->kernels; *at != NULL; at = &(*at)->next) {
        if (*at == kernel) {
            *at = kernel->next;
            break;
        }
    }
    bool addressed = false;
    for (rk_kernel *other = runtime->kernels; other != NULL; other = other->next) {
        for (uint32_t i = 0; i < other->route_count; i++) {
            addressed = addressed || other->routes[i] == kernel;
        }
    }
    if (addressed) {
        /* A sender may be in the middle of a send: the memory stays until the runtime ends. */
        kernel->next = runtime->graveyard;
        runtime->graveyard = kernel;
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    if (!addressed) {
        rk_kernel_free(kernel);
    }
}

void rk_kernel_destroy(rk_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    kernel->restart = RK_RESTART_NEVER;
    while (rk_word_load_acquire(&kernel->resident) != 0) {
        rk_kernel_abort(kernel);
        /* Refused while the ring is full or the kernel is just leaving: then asked again. */
        (void)rk_kernel_terminate(kernel, NULL, NULL);
        (void)rk_wait_while_equal(&kernel->resident, 1, rk_clock_deadline_ns(50 * RK_NS_PER_MS),
                                  20000);
    }
    rk_word_store_release(&kernel->ended, 1);
    rk_commands_fail_all(kernel, RK_CLOSED);
    rk_port_destroyed(kernel);
    /* The supervisor may still be in this kernel's exit. */
    rk_mutex_lock(&kernel->life);
    rk_mutex_unlock(&kernel->life);
    unlink_kernel(kernel->runtime, kernel);
}

rk_status rk_kernel_reset_locked(rk_kernel *kernel, rk_err *err)
{
    rk_runtime *runtime = kernel->runtime;
    rk_device *device = runtime->devices[kernel->device];
    const rk_schema *schema = rk_module_schema(kernel->module);
    static const uint8_t zeros[65536];
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const rk_layout_field *field = &kernel->layout.field[i];
        bool inputs = (schema->fields[i].flags & RK_FIELD_INPUT) != 0;
        for (uint64_t at = 0; !inputs && at < field->bytes; at += sizeof zeros) {
            (void)runtime->driver->write(device, &kernel->arena, field->offset + at, zeros,
                                         RK_MIN(field->bytes - at, (uint64_t)sizeof zeros));
        }
    }
    rk_mutex_lock(&kernel->tx);
    rk_mutex_lock(&kernel->rx);
    uint64_t abort_before = kernel->control->abort_before;
    memset(kernel->mapped.host, 0, kernel->mapped.bytes);
    rk_status status = write_head(kernel, err);
    kernel->control->abort_before = abort_before;
    rk_mutex_unlock(&kernel->rx);
    rk_mutex_unlock(&kernel->tx);
    return status;
}

/* ---- Accessors ----------------------------------------------------------------------------- */

const char *rk_kernel_name(const rk_kernel *kernel)
{
    return kernel->name;
}

uint32_t rk_kernel_id(const rk_kernel *kernel)
{
    return kernel->id;
}

uint32_t rk_kernel_tenant(const rk_kernel *kernel)
{
    return kernel->tenant;
}

rk_module *rk_kernel_module(const rk_kernel *kernel)
{
    return kernel->module;
}

uint32_t rk_kernel_state(const rk_kernel *kernel)
{
    return rk_word_load_acquire(&kernel->control->state);
}

rk_status rk_kernel_connect(rk_kernel *from, rk_kernel *to, uint32_t *out_route, rk_err *err)
{
    if (from->tenant != to->tenant) {
        return rk_err_set(
            err, RK_TENANT,
            "kernel '%s' (tenant %u) may not send to '%s' (tenant %u): routes stay within "
            "one tenant",
            from->name, from->tenant, to->name, to->tenant);
    }
    if (from->device != to->device) {
        return rk_err_set(
            err, RK_UNSUPPORTED,
            "kernels '%s' and '%s' are on different devices; launch both on one device", from->name,
            to->name);
    }
    rk_runtime *runtime = from->runtime;
    rk_status status = RK_OK;
    rk_mutex_lock(&runtime->kernels_lock);
    uint32_t route = from->route_count;
    if (route == RK_ROUTE_MAX) {
        status = rk_err_set(err, RK_LIMIT, "kernel '%s' has %d routes already", from->name,
                            RK_ROUTE_MAX);
    } else {
        from->routes[route] = to;
        from->route_count = route + 1;
        if (from->exec != NULL && to->exec != NULL) {
            status = runtime->driver->connect(from->exec, route, to->exec, err);
        }
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    if (status == RK_OK && out_route != NULL) {
        *out_route = route;
    }
    return status;
}

/* ---- Fields -------------------------------------------------------------------------------- */

static rk_status find_field(const rk_kernel *kernel, const char *name,
                            const rk_layout_field **out_field, rk_err *err)
{
    int index = rk_schema_find_field(rk_module_schema(kernel->module), name);
    if (index < 0) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "kernel '%s' has no field '%s'; 'rk inspect' lists them", kernel->name,
                          name);
    }
    *out_field = &kernel->layout.field[index];
    return RK_OK;
}

static rk_status find_slice(rk_kernel *kernel, const char *name, uint64_t first, uint64_t count,
                            uint64_t *out_offset, uint64_t *out_bytes, rk_err *err)
{
    const rk_layout_field *field = NULL;
    rk_status status = find_field(kernel, name, &field, err);
    if (status != RK_OK) {
        return status;
    }
    uint64_t elements = field->bytes / field->element_bytes;
    if (first > elements || count > elements - first) {
        return rk_err_set(
            err, RK_INVALID,
            "kernel '%s': elements %llu to %llu are outside field '%s' of %llu elements",
            kernel->name, (unsigned long long)first, (unsigned long long)(first + count), name,
            (unsigned long long)elements);
    }
    if (rk_kernel_state(kernel) == RK_KERNEL_RUNNING) {
        return rk_err_set(
            err, RK_STATE,
            "kernel '%s' is taking steps: pause it, or wait for its run, before its field "
            "'%s' is touched",
            kernel->name, name);
    }
    *out_offset = field->offset + first * field->element_bytes;
    *out_bytes = count * field->element_bytes;
    return RK_OK;
}

rk_status rk_kernel_read_field(rk_kernel *kernel, const char *field, uint64_t first, uint64_t count,
                               void *out_data, rk_err *err)
{
    uint64_t offset;
    uint64_t bytes;
    rk_status status = find_slice(kernel, field, first, count, &offset, &bytes, err);
    if (status != RK_OK) {
        return status;
    }
    rk_runtime *runtime = kernel->runtime;
    return runtime->driver->read(runtime->devices[kernel->device], &kernel->arena, offset, out_data,
                                 bytes);
}

rk_status rk_kernel_write_field(rk_kernel *kernel, const char *field, uint64_t first,
                                uint64_t count, const void *data, rk_err *err)
{
    uint64_t offset;
    uint64_t bytes;
    rk_status status = find_slice(kernel, field, first, count, &offset, &bytes, err);
    if (status != RK_OK) {
        return status;
    }
    rk_runtime *runtime = kernel->runtime;
    return runtime->driver->write(runtime->devices[kernel->device], &kernel->arena, offset, data,
                                  bytes);
}

rk_status rk_kernel_field_size(const rk_kernel *kernel, const char *field, uint64_t *out_elements,
                               uint32_t *out_element_bytes, rk_err *err)
{
    const rk_layout_field *found = NULL;
    rk_status status = find_field(kernel, field, &found, err);
    if (status == RK_OK) {
        *out_elements = found->bytes / found->element_bytes;
        *out_element_bytes = found->element_bytes;
    }
    return status;
}

rk_status rk_kernel_field_shape(const rk_kernel *kernel, const char *field,
                                uint64_t out_dimensions[RK_SCHEMA_DIMENSION_MAX],
                                uint32_t *out_count, uint32_t *out_type, rk_err *err)
{
    const rk_layout_field *found = NULL;
    rk_status status = find_field(kernel, field, &found, err);
    if (status == RK_OK) {
        for (uint32_t i = 0; i < RK_SCHEMA_DIMENSION_MAX; i++) {
            out_dimensions[i] = found->shape.dimensions[i];
        }
        *out_count = found->shape.dimension_count;
        *out_type = found->type;
    }
    return status;
}

rk_status rk_kernel_param(const rk_kernel *kernel, const char *name, double *out_value, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(kernel->module);
    int index = rk_schema_find_param(schema, name);
    if (index < 0) {
        return rk_err_set(err, RK_NOT_FOUND, "kernel '%s' has no parameter '%s'", kernel->name,
                          name);
    }
    uint32_t type = rk_schema_type(schema, kernel->variant, schema->params[index].type);
    *out_value = rk_param_number(type, kernel->params[index]);
    return RK_OK;
}

void rk_kernel_read_snapshot(rk_kernel *kernel, rk_kernel_snapshot *out_snapshot)
{
    const rk_control *control = kernel->control;
    const rk_counters *counters = &control->counters;
    *out_snapshot = (rk_kernel_snapshot){
        .state = rk_kernel_state(kernel),
        .step = rk_word64_load(&control->step),
        .heartbeat = rk_word64_load(&control->heartbeat),
        .remaining = rk_word64_load(&counters->remaining),
        .commands = rk_word64_load(&counters->commands),
        .messages_received = rk_word64_load(&counters->messages_received),
        .k2k_sent = rk_word64_load(&counters->k2k_sent),
        .k2k_received = rk_word64_load(&counters->k2k_received),
        .k2k_refused = rk_word64_load(&counters->k2k_refused),
        .emitted = rk_word64_load(&counters->emitted),
        .emit_refused = rk_word64_load(&counters->emit_refused),
        .busy_ns = rk_word64_load(&counters->busy_ns),
        .idle_ns = rk_word64_load(&counters->idle_ns),
        .in_flight = rk_word_load(&kernel->in_flight),
        .restarts = kernel->restarts,
    };
    rk_mutex_lock(&kernel->port_lock);
    out_snapshot->emitted_waiting = kernel->emitted_count;
    out_snapshot->emitted_dropped = kernel->emitted_dropped;
    rk_mutex_unlock(&kernel->port_lock);
}
