/*
 * fields.c: what can be read of a kernel, and written into it, from outside: fields, parameters,
 * the snapshot.
 */
#include "runtime/runtime_internal.h"
#include <ringkernel/resident.h>

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
            "kernel '%s': %llu elements from %llu on are outside field '%s' of %llu elements",
            kernel->name, (unsigned long long)count, (unsigned long long)first, name,
            (unsigned long long)elements);
    }
    if (rk_commands_may_step(kernel)) {
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

static rk_status copy_done(const rk_kernel *kernel, const char *field, rk_status status,
                           rk_err *err)
{
    if (status == RK_OK) {
        return RK_OK;
    }
    return rk_err_set(err, status, "kernel '%s', field '%s': cannot copy from or to %s: %s",
                      kernel->name, field, kernel->home->caps.name,
                      rk_home_is_lost(kernel->home) ? "the device is lost"
                                                    : rk_status_text(status));
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
    rk_mutex_lock(&kernel->arena_lock);
    status =
        kernel->home->driver->read(kernel->home->device, &kernel->arena, offset, out_data, bytes);
    rk_mutex_unlock(&kernel->arena_lock);
    return copy_done(kernel, field, status, err);
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
    rk_mutex_lock(&kernel->arena_lock);
    status = kernel->home->driver->write(kernel->home->device, &kernel->arena, offset, data, bytes);
    rk_mutex_unlock(&kernel->arena_lock);
    int index = rk_schema_find_field(rk_module_schema(kernel->module), field);
    if ((rk_module_schema(kernel->module)->fields[index].flags & RK_FIELD_INPUT) != 0) {
        rk_word_store_release(&kernel->host_filled, 1);
    }
    return copy_done(kernel, field, status, err);
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
        .restarts = rk_word_load(&kernel->restarts),
    };
    rk_mutex_lock(&kernel->port_lock);
    out_snapshot->emitted_waiting = kernel->emitted_count;
    out_snapshot->emitted_dropped = kernel->emitted_dropped;
    rk_mutex_unlock(&kernel->port_lock);
}
