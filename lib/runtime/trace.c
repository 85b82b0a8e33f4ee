/*
 * trace.c: switching a kernel's timeline on and off, and reading it.
 *
 * Times: kernels on the CPU read CLOCK_MONOTONIC themselves. For other devices the host sends
 * probes, to which the kernel answers with its clock, and takes the quickest of a few: the answer
 * was given between the two readings of the host's clock around it, so half of that time is the
 * largest error. Between probes the device's clock is taken to run at its nominal rate.
 */
#include "base/clock.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/abi/command.h>
#include <ringkernel/abi/trace.h>
#include <ringkernel/profile.h>
#include <ringkernel/trace.h>

#include <string.h>

#define SWITCH_TIMEOUT_NS (10u * (uint64_t)RK_NS_PER_S)
#define PROBES 5u
#define PROBE_TIMEOUT_NS (5u * (uint64_t)RK_NS_PER_MS)
#define PROBE_AGAIN_NS ((uint64_t)RK_NS_PER_S)
#define READ_RECORDS 256u

void rk_tracing_init(rk_kernel *kernel)
{
    const rk_trace_ring *ring = (const rk_trace_ring *)(kernel->mapped.host + kernel->layout.trace);
    rk_trace_reader_init(&kernel->tracing.reader, ring, kernel->layout.options.trace_slots);
}

void rk_tracing_launch(rk_kernel *kernel, rk_loop *loop)
{
    const rk_trace_ring *ring = (const rk_trace_ring *)(kernel->mapped.host + kernel->layout.trace);
    rk_mutex_lock(&kernel->tracing.lock);
    loop->trace_mask = kernel->tracing.mask;
    loop->trace_every = kernel->tracing.every;
    rk_mutex_unlock(&kernel->tracing.lock);
    loop->trace = loop->trace_mask;
    loop->trace_written = rk_word64_load_acquire(&ring->written);
    loop->trace_slots = kernel->layout.options.trace_slots;
    loop->trace_first = kernel->layout.trace + sizeof *ring;
}

static bool has_host_clock(const rk_kernel *kernel)
{
    return kernel->home->driver == rk_driver_cpu() || kernel->home->driver == rk_driver_host();
}

static void set_base(rk_kernel *kernel);

/* Tells a resident kernel. One that has left, or leaves meanwhile, is told at its next launch. */
static rk_status trace_switch(rk_kernel *kernel, uint32_t mask, uint32_t every, rk_err *err)
{
    rk_mutex_lock(&kernel->tracing.lock);
    kernel->tracing.mask = mask;
    kernel->tracing.every = every;
    rk_mutex_unlock(&kernel->tracing.lock);
    uint64_t id;
    rk_reply reply;
    rk_err cause = RK_ERR_INIT;
    rk_status status = RK_STATE;
    if (rk_kernel_is_resident(kernel)) {
        status = rk_commands_trace(kernel, mask, every, &id, &cause);
    }
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, SWITCH_TIMEOUT_NS, &reply, &cause);
        status = status == RK_OK ? reply.status : status;
    }
    if (status == RK_OK && mask != 0 && !has_host_clock(kernel)) {
        rk_mutex_lock(&kernel->tracing.lock);
        set_base(kernel);
        rk_mutex_unlock(&kernel->tracing.lock);
    }
    if (status == RK_OK || !rk_kernel_is_resident(kernel)) {
        return RK_OK;
    }
    if (status == RK_TIMEOUT && rk_kernel_state(kernel) == RK_KERNEL_PARKED) {
        return RK_OK;
    }
    return rk_err_set(err, status, "the timeline of kernel '%s' cannot be switched: %s",
                      kernel->name, cause.text[0] != '\0' ? cause.text : rk_status_text(status));
}

rk_status rk_kernel_trace_start(rk_kernel *kernel, const rk_trace_options *options, rk_err *err)
{
    uint32_t mask = options != NULL && options->mask != 0 ? options->mask : RK_TRACE_ALL;
    uint32_t every = options != NULL && options->every != 0 ? options->every : 1;
    if ((mask & ~RK_TRACE_ALL) != 0) {
        return rk_err_set(err, RK_INVALID, "kernel '%s': there is nothing to trace with mask %#x",
                          kernel->name, mask);
    }
    return trace_switch(kernel, mask, every, err);
}

rk_status rk_kernel_trace_stop(rk_kernel *kernel, rk_err *err)
{
    return trace_switch(kernel, 0, 1, err);
}

/* ---- Times ---------------------------------------------------------------------------------- */

/* Lays the device's clock over the host's, now and then. The lock is held. */
static void set_base(rk_kernel *kernel)
{
    rk_tracing *tracing = &kernel->tracing;
    uint64_t now_ns = rk_clock_monotonic_ns();
    if (tracing->probed_ns != 0 && now_ns - tracing->probed_ns < PROBE_AGAIN_NS) {
        return;
    }
    tracing->probed_ns = now_ns;
    uint64_t best_ns = UINT64_MAX;
    for (unsigned i = 0; i < PROBES; i++) {
        rk_probe probe;
        if (rk_kernel_probe(kernel, PROBE_TIMEOUT_NS, &probe, NULL) != RK_OK) {
            return; /* it is in a long step, or has left: the old base, or none, has to do */
        }
        if (probe.seen_ns - probe.sent_ns < best_ns) {
            best_ns = probe.seen_ns - probe.sent_ns;
            tracing->base_ns = probe.sent_ns + best_ns / 2;
            tracing->base_ticks = probe.device_ticks;
            tracing->has_base = true;
        }
    }
}

/* The host's time of a device's clock; now_ns where nothing better is known. */
static uint64_t host_ns(const rk_kernel *kernel, uint64_t ticks, uint64_t now_ns)
{
    const rk_tracing *tracing = &kernel->tracing;
    uint64_t rate = kernel->home->caps.ticks_per_s;
    if (has_host_clock(kernel)) {
        return ticks;
    }
    if (!tracing->has_base || rate == 0) {
        return now_ns;
    }
    double since_base_ns = (double)(int64_t)(ticks - tracing->base_ticks) / (double)rate * 1e9;
    double ago_ns = (double)(int64_t)(now_ns - tracing->base_ns) - since_base_ns;
    if (!(ago_ns > 0.0)) {
        return now_ns;
    }
    return ago_ns < (double)now_ns ? now_ns - (uint64_t)ago_ns : 0;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static const char *command_name(uint64_t type)
{
    switch (type) {
#define COMMAND_CASE(symbol, value, text)                                                          \
    case value: return text;
        RK_COMMAND_LIST(COMMAND_CASE)
#undef COMMAND_CASE
    default: return type >= RK_MSG_TYPE_USER ? "message" : "command";
    }
}

bool rk_tracing_give_meaning(const rk_schema *schema, const rk_trace_record *record,
                             rk_trace_event *out)
{
    *out = (rk_trace_event){.step = record->step,
                            .value = record->value,
                            .kind = record->kind,
                            .index = record->name,
                            .color = RK_PROFILE_NO_COLOR,
                            .source = RK_TRACE_KERNEL};
    if (record->kind == 0 || record->kind >= RK_TRACE_KIND_END_OF_LIST) {
        return false;
    }
    switch (record->name) {
    case RK_TRACE_NAME_RESIDENT: out->name = "resident"; return true;
    case RK_TRACE_NAME_INIT: out->name = "init"; return true;
    case RK_TRACE_NAME_IDLE: out->name = "idle"; return true;
    case RK_TRACE_NAME_COMMAND: out->name = command_name(record->value); return true;
    case RK_TRACE_NAME_STEP:
        out->name = "step";
        out->source = RK_TRACE_STEP;
        return true;
    case RK_TRACE_NAME_POP:
        out->name = "";
        out->source = RK_TRACE_USER;
        return record->kind == RK_TRACE_KIND_END;
    default: break;
    }
    if (record->name - RK_TRACE_NAME_PHASE < schema->phase_count) {
        out->name = schema->phases[record->name - RK_TRACE_NAME_PHASE].name;
        out->source = RK_TRACE_PHASE;
        return true;
    }
    if (record->name - RK_TRACE_NAME_MARKER < schema->marker_count) {
        const rk_schema_marker *marker = &schema->markers[record->name - RK_TRACE_NAME_MARKER];
        out->name = marker->name;
        out->color = marker->color;
        out->source = RK_TRACE_USER;
        return true;
    }
    return false;
}

rk_status rk_kernel_trace_read(rk_kernel *kernel, rk_trace_event *out_events, size_t max,
                               size_t *out_count, uint64_t *out_lost, rk_err *err)
{
    if (max == 0) {
        return rk_err_set(err, RK_INVALID,
                          "reading the timeline of kernel '%s' needs room for at "
                          "least one event",
                          kernel->name);
    }
    rk_tracing *tracing = &kernel->tracing;
    const rk_schema *schema = rk_module_schema(kernel->module);
    rk_trace_record records[READ_RECORDS];
    size_t count = 0;
    rk_mutex_lock(&tracing->lock);
    size_t taken =
        rk_trace_reader_take(&tracing->reader, records, RK_MIN(max, READ_RECORDS), out_lost);
    if (taken > 0 && !has_host_clock(kernel)) {
        set_base(kernel);
    }
    uint64_t now_ns = rk_clock_monotonic_ns();
    for (size_t i = 0; i < taken; i++) {
        rk_trace_event *event = &out_events[count];
        if (!rk_tracing_give_meaning(schema, &records[i], event)) {
            *out_lost += 1;
            continue;
        }
        /* Never back, and never in the future, whatever the kernel's side has written. */
        uint64_t ns = RK_MIN(host_ns(kernel, records[i].ticks, now_ns), now_ns);
        tracing->last_ns = RK_MAX(ns, tracing->last_ns);
        event->time_ns = tracing->last_ns;
        count++;
    }
    rk_mutex_unlock(&tracing->lock);
    *out_count = count;
    return RK_OK;
}
