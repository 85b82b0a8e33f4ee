/*
 * resident.c: kernels as objects: creation, memory, routes, accessors. Their life on the device is
 * in life.c, their fields in fields.c.
 */
#include "base/clock.h"
#include "runtime/pool.h"
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
    if (launch->restart_limit > RK_RESTART_MAX) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s': %u restarts are too many, the limit is %u",
                          launch->name, launch->restart_limit, RK_RESTART_MAX);
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
    const rk_driver_ops *driver = kernel->home->driver;
    rk_device *device = kernel->home->device;
    rk_status status =
        driver->mem_alloc(device, RK_MEM_MAPPED, kernel->layout.mapped_bytes, &kernel->mapped, err);
    if (status == RK_OK) {
        status = driver->mem_alloc(device, RK_MEM_ARENA, kernel->layout.arena_bytes, &kernel->arena,
                                   err);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel->name);
        return status;
    }
    kernel->control = (rk_control *)kernel->mapped.host;
    return RK_OK;
}

rk_status rk_kernel_write_head(rk_kernel *kernel, uint8_t *mapped, uint64_t bytes, rk_err *err)
{
    void *head = NULL;
    if (posix_memalign(&head, RK_LAYOUT_ALIGN_BYTES, kernel->layout.head_bytes) != 0) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to lay out kernel '%s'", kernel->name);
    }
    memset(head, 0, kernel->layout.head_bytes);
    rk_status status =
        rk_layout_write(&kernel->layout, kernel->params, &kernel->identity, mapped, head, err);
    if (status == RK_OK) {
        status = kernel->home->driver->write(kernel->home->device, &kernel->arena, 0, head, bytes);
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "cannot lay out the arena of kernel '%s' on %s: %s",
                             kernel->name, kernel->home->caps.name, rk_status_text(status));
        }
    }
    free(head);
    return status;
}

static rk_status find_code(const rk_kernel *kernel, const rk_section **out_section, rk_err *err)
{
    const rk_device_caps *caps = &kernel->home->caps;
    const rk_bundle *bundle = rk_module_bundle(kernel->module);
    if ((caps->code_kinds & (RK_CODE_BIT(RK_CODE_CPU) | RK_CODE_BIT(RK_CODE_FIBER))) != 0) {
        return rk_bundle_find_cpu(bundle, kernel->lanes > 0 ? RK_SECTION_FIBER : RK_SECTION_CPU,
                                  kernel->variant, RK_ISA_NONE, out_section, err);
    }
    return rk_bundle_find_code(bundle, caps->code_kinds, caps->code_level, caps->name,
                               kernel->variant, out_section, err);
}

static rk_status load_code(rk_kernel *kernel, rk_err *err)
{
    const rk_section *section;
    rk_status status = find_code(kernel, &section, err);
    if (status == RK_OK) {
        status = kernel->home->driver->load(kernel->home->device, (rk_code_kind)section->kind,
                                            section->data, section->bytes, &kernel->code, err);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel->name);
    }
    return status;
}

/* Lanes and blocks: what the user asks for, within what the device can hold. */
static rk_status set_grid(rk_kernel *kernel, const rk_launch *launch, uint32_t *out_blocks,
                          rk_err *err)
{
    const rk_device_caps *caps = &kernel->home->caps;
    uint32_t most =
        kernel->home->driver->max_blocks(kernel->home->device, kernel->code, kernel->lanes);
    if (launch->units > caps->units) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s': a share of %u units is more than %s has: %u",
                          kernel->name, launch->units, caps->name, caps->units);
    }
    if (launch->units > 0) {
        most = (uint32_t)((uint64_t)most * launch->units / caps->units);
    }
    uint32_t blocks = launch->blocks > 0 ? launch->blocks : RK_MIN(caps->default_blocks, most);
    if (blocks > most || blocks == 0) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s': %u blocks are more than the %u that %s can hold resident "
                          "at once with this code%s; launch fewer blocks, or fewer lanes per block",
                          kernel->name, blocks, most, caps->name,
                          caps->poller ? ", beside the block that looks at the host" : "");
    }
    *out_blocks = blocks;
    return RK_OK;
}

static rk_status kernel_prepare(rk_kernel *kernel, const rk_launch *launch, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(kernel->module);
    if (launch->variant != NULL) {
        int variant = rk_schema_find_variant(schema, launch->variant);
        if (variant < 0) {
            return rk_err_set(err, RK_NOT_FOUND, "kernel '%s': module '%s' has no variant '%s'",
                              kernel->name, schema->name, launch->variant);
        }
        kernel->variant = (uint32_t)variant;
    }
    rk_status status = rk_devices_find(kernel->runtime, launch->device, &kernel->home, err);
    if (status == RK_OK) {
        status = set_params(kernel, launch, err);
    }
    if (status != RK_OK) {
        return status;
    }
    const rk_device_caps *caps = &kernel->home->caps;
    kernel->lanes = launch->lanes > 0 ? launch->lanes : caps->default_lanes;
    kernel->units = launch->units;
    if (kernel->lanes > caps->max_lanes) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s': %u lanes per block are too many, the limit of %s is %u",
                          kernel->name, kernel->lanes, caps->name, caps->max_lanes);
    }
    rk_layout_options options = {
        .h2k_slots = launch->command_slots > 0 ? launch->command_slots : DEFAULT_COMMAND_SLOTS,
        .k2h_slots = launch->answer_slots > 0 ? launch->answer_slots : DEFAULT_ANSWER_SLOTS,
        .inbox_slots = launch->inbox_slots > 0 ? launch->inbox_slots : DEFAULT_INBOX_SLOTS,
        .route_count = RK_ROUTE_MAX,
        .trace_slots = launch->trace_slots,
        .slab_bytes = launch->slab_bytes > 0 ? launch->slab_bytes : DEFAULT_SLAB_BYTES,
        .pool_bytes = launch->pool != NULL ? launch->pool->bytes : 0,
    };
    status = load_code(kernel, err);
    if (status == RK_OK) {
        status = set_grid(kernel, launch, &options.block_count, err);
    }
    if (status != RK_OK) {
        return status;
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
        kernel->identity.ticks_per_s = caps->ticks_per_s;
        kernel->identity.poller = caps->poller;
        kernel->identity.lease_steps = caps->lease_only ? caps->lease_steps : 0;
        kernel->identity.lease_polls = caps->lease_only ? caps->lease_polls : 0;
        status = rk_kernel_write_head(kernel, kernel->mapped.host, kernel->layout.head_bytes, err);
    }
    if (status == RK_OK) {
        status = rk_commands_attach(kernel, err);
    }
    if (status == RK_OK) {
        rk_tracing_init(kernel);
    }
    if (status == RK_OK && launch->pool != NULL) {
        status = rk_kernel_pool_init(kernel, launch->pool, err);
    }
    return status;
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
    kernel->restart = launch->restart;
    kernel->restart_limit = launch->restart_limit > 0 ? launch->restart_limit : DEFAULT_RESTARTS;
    kernel->restart_window_ns =
        launch->restart_window_ns > 0 ? launch->restart_window_ns : DEFAULT_RESTART_WINDOW_NS;
    kernel->arena.fd = -1;
    kernel->mapped.fd = -1;
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", launch->name);
    rk_mutex_init(&kernel->life);
    rk_mutex_init(&kernel->failure_lock);
    rk_mutex_init(&kernel->tracing.lock);
    rk_mutex_init(&kernel->arena_lock);
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
    while (*end != NULL && strcmp((*end)->name, kernel->name) != 0) {
        end = &(*end)->next;
    }
    bool taken = *end != NULL; /* by another thread, meanwhile */
    if (!taken) {
        *end = kernel;
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    if (taken) {
        rk_kernel_free(kernel);
        return rk_err_set(err, RK_EXISTS, "there is a kernel '%s' already; names are unique",
                          launch->name);
    }
    *out_kernel = kernel;
    return RK_OK;
}

void rk_kernel_free(rk_kernel *kernel)
{
    if (kernel->code != NULL) {
        kernel->home->driver->unload(kernel->home->device, kernel->code);
    }
    if (kernel->pending != NULL) {
        rk_commands_finish(kernel);
    }
    if (kernel->arena.bytes > 0) {
        kernel->home->driver->mem_free(kernel->home->device, &kernel->arena);
    }
    if (kernel->mapped.bytes > 0) {
        kernel->home->driver->mem_free(kernel->home->device, &kernel->mapped);
    }
    free(kernel->params);
    rk_module_unref(kernel->module);
    rk_mutex_finish(&kernel->life);
    rk_mutex_finish(&kernel->failure_lock);
    rk_mutex_finish(&kernel->tracing.lock);
    rk_mutex_finish(&kernel->arena_lock);
    rk_pool_destroy(kernel->pool);
    free(kernel);
}

/* ---- Accessors ----------------------------------------------------------------------------- */

bool rk_kernel_is_resident(const rk_kernel *kernel)
{
    return rk_word_load_acquire(&kernel->resident) != 0;
}

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
    if (from->home != to->home) {
        return rk_err_set(
            err, RK_UNSUPPORTED,
            "kernels '%s' (%s) and '%s' (%s) are on different devices; launch both on one device",
            from->name, from->home->caps.name, to->name, to->home->caps.name);
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
            status = from->home->driver->connect(from->exec, route, to->exec, err);
        }
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    if (status == RK_OK && out_route != NULL) {
        *out_route = route;
    }
    return status;
}
