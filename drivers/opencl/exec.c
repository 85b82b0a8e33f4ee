/*
 * exec.c: resident kernels.
 *
 * Each has a thread of its own, which waits until the launch is complete. Then the kernel has left
 * for good, or its lease is over: it is launched again as soon as it may have work.
 *
 *   launch --> on the device --complete--> lease over? --yes--> wait for work --> on the device
 *                                             |no
 *                                             +--> exit: on_exit, left
 *
 * The thread sleeps between leases on the bell that the host rings when it sends a command, so a
 * kernel that takes leases costs nothing while it has nothing to do. Messages of other kernels ring
 * no bell: then it looks every few milliseconds.
 */
#include "drivers/opencl/opencl.h"

#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "core/bell.h"
#include <ringkernel/abi/control.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_STEPS_FIRST 16u
#define LEASE_STEPS_MAX (1u << 20)
#define LEASE_POLLS 20000u
#define LEASE_SHORT_NS (20 * (uint64_t)RK_NS_PER_MS) /* shorter leases grow, longer ones shrink */
#define LEASE_LONG_NS (80 * (uint64_t)RK_NS_PER_MS)
#define REST_MAX_NS (4 * (uint64_t)RK_NS_PER_MS)
#define NO_QUEUE UINT32_MAX

/* Values of rk_exec.begun. The thread is there before the launch, which cannot be taken back. */
#define BEGUN_NOT 0u
#define BEGUN_LAUNCHED 1u
#define BEGUN_REFUSED 2u

struct rk_exec {
    rk_device *device;
    cl_kernel kernel;
    char name[RK_DEVICE_NAME_BYTES];
    const rk_cl_memory *arena;
    const rk_cl_memory *mapped;
    const rk_cl_memory *old; /* of the first launch, or NULL */
    uint32_t blocks;
    uint32_t lanes;
    uint32_t queue;
    rk_thread thread;
    cl_event event; /* of the last launch */
    uint32_t begun; /* what the thread waits for first: BEGUN_* */
    uint32_t left;  /* 1 when it has left for good: a word to wait on */
    void (*on_exit)(void *context);
    void *context;
};

static rk_control *control_of(const rk_exec *exec)
{
    return (rk_control *)exec->mapped->host;
}

/* ---- Room on the device -------------------------------------------------------------------- */

rk_status rk_cl_units_take(rk_device *device, const char *name, uint32_t blocks,
                           uint32_t *out_queue, rk_err *err)
{
    rk_mutex_lock(&device->lock);
    uint32_t taken = device->resident_blocks;
    uint32_t most = device->caps.max_blocks;
    uint32_t queue = 0;
    while (queue < device->queue_count && device->queue_taken[queue]) {
        queue++;
    }
    bool fits = taken <= most && blocks <= most - taken && queue < device->queue_count;
    if (fits) {
        device->queue_taken[queue] = true;
        device->resident_blocks += blocks;
        device->resident_kernels++;
    }
    rk_mutex_unlock(&device->lock);
    if (fits) {
        *out_queue = queue;
        return RK_OK;
    }
    if (queue == device->queue_count && blocks <= most - RK_MIN(taken, most)) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s': %s holds %u kernels at most; end one first",
                          name, device->caps.name, device->queue_count);
    }
    return rk_err_set(
        err, RK_LIMIT,
        "kernel '%s' needs %u blocks, but %s has %u compute units and %u are taken by "
        "resident kernels; a block beyond them would never start: use fewer blocks or "
        "end another kernel",
        name, blocks, device->caps.name, most, taken);
}

void rk_cl_units_give(rk_device *device, uint32_t blocks, uint32_t queue)
{
    rk_mutex_lock(&device->lock);
    device->queue_taken[queue] = false;
    device->resident_blocks -= blocks;
    device->resident_kernels--;
    rk_mutex_unlock(&device->lock);
}

/* ---- One launch ---------------------------------------------------------------------------- */

/* Puts the kernel on the device, for good or for a lease. */
static int32_t enqueue(rk_exec *exec)
{
    rk_device *device = exec->device;
    rk_mutex_lock(&device->lock);
    int32_t code = rk_cl_enqueue(device, device->queues[exec->queue], exec->kernel, exec->arena,
                                 exec->mapped, exec->old, exec->blocks, exec->lanes, &exec->event);
    rk_mutex_unlock(&device->lock);
    exec->old = NULL;
    return code;
}

/* Waits until it has left the device. Not CL_SUCCESS: the device has failed it. */
static int32_t await_end(rk_exec *exec)
{
    const rk_cl *cl = exec->device->cl;
    int32_t code = cl->clWaitForEvents(1, &exec->event);
    (void)cl->clReleaseEvent(exec->event); /* nothing else refers to it */
    exec->event = NULL;
    return code;
}

/* ---- Leases -------------------------------------------------------------------------------- */

/* The terms of the next lease, where the kernel reads them. It is not on the device. */
static void lease_write(rk_exec *exec, uint32_t steps)
{
    rk_loop *loop = (rk_loop *)exec->arena->host;
    rk_control *copies[] = {control_of(exec), (rk_control *)((uint8_t *)loop + sizeof *loop)};
    for (size_t i = 0; i < RK_COUNT_OF(copies); i++) {
        copies[i]->lease_steps = steps;
        copies[i]->lease_polls = steps != 0 ? LEASE_POLLS : 0;
        copies[i]->poller = 0;
        copies[i]->ticks_per_s = 0;
    }
    loop->lease_left = steps;
}

/* Whether the next lease would find work (rk_decide and rk_work_waits in kernel/safepoint.h). */
static bool has_work(void *context)
{
    const rk_exec *exec = context;
    const rk_control *control = control_of(exec);
    const rk_loop *loop = (const rk_loop *)exec->arena->host;
    const rk_ring *h2k = (const rk_ring *)(exec->mapped->host + control->h2k);
    const rk_peer *peer = (const rk_peer *)(exec->arena->host + control->peer);
    const rk_ring *inbox = (const rk_ring *)((const uint8_t *)peer + peer->inbox);
    const rk_u32 *sequences = (const rk_u32 *)((const uint8_t *)inbox + inbox->sequences);
    return rk_word_load_acquire(&h2k->tail) != loop->h2k_head ||
           (loop->paused == 0 && (loop->run_count != 0 || loop->asked > loop->step)) ||
           rk_word64_load(&control->abort_before) != loop->abort_seen ||
           rk_word64_load(&control->probe) != loop->probe_seen ||
           (loop->paused == 0 &&
            rk_word_load_acquire(&sequences[inbox->head & (inbox->capacity - 1)]) ==
                inbox->head + 1);
}

/* Waits between two leases and adapts the next one. */
static void lease_rest(rk_exec *exec, uint64_t lasted_ns, uint32_t *steps)
{
    rk_control *control = control_of(exec);
    const rk_loop *loop = (const rk_loop *)exec->arena->host;
    bool worked = loop->run_count != 0 || loop->asked > loop->step;
    if (worked && lasted_ns < LEASE_SHORT_NS && *steps < LEASE_STEPS_MAX) {
        *steps *= 2;
    } else if (worked && lasted_ns > LEASE_LONG_NS && *steps > 1) {
        *steps /= 2;
    }
    while (rk_bell_wait(&control->bell, has_work, exec, rk_clock_monotonic_ns() + REST_MAX_NS, 0) ==
           RK_TIMEOUT) {
    }
    lease_write(exec, *steps);
    rk_word_store_release(&control->leased, 0);
}

/* ---- The life of a kernel ------------------------------------------------------------------ */

/* Notes why a kernel ended that did not say so itself. */
static void note_failure(rk_exec *exec, int32_t result)
{
    rk_control *control = control_of(exec);
    uint32_t state = rk_word_load_acquire(&control->state);
    if (result == CL_SUCCESS && state >= RK_KERNEL_PARKED) {
        return;
    }
    (void)snprintf(
        (char *)control->panic_text, sizeof control->panic_text, "%s: %s", exec->device->caps.name,
        result == CL_SUCCESS ? "the kernel left without a reason" : rk_cl_error_name(result));
    control->fault_step = rk_word64_load(&control->step);
    control->fault_code = (rk_u32)result;
    rk_word_store_release(&control->fault_kind, 3); /* neither panic nor signal: the device */
    rk_word_store_release(&control->state, RK_KERNEL_FAULTED);
}

static void leave(rk_exec *exec, int32_t result)
{
    rk_device *device = exec->device;
    rk_control *control = control_of(exec);
    note_failure(exec, result);
    rk_cl_units_give(device, exec->blocks, exec->queue);
    rk_cl_memory_sweep(device);
    rk_word_store_release(&control->exits, control->exits + 1);
    rk_ring *k2h = (rk_ring *)(exec->mapped->host + control->k2h);
    rk_bell_ring((rk_bell *)((uint8_t *)k2h + k2h->consumer_bell));
    if (exec->on_exit != NULL) {
        exec->on_exit(exec->context);
    }
    rk_word_store_release(&exec->left, 1);
    rk_wake(&exec->left, RK_WAKE_ALL);
}

static void exec_main(void *argument)
{
    rk_exec *exec = argument;
    const rk_control *control = control_of(exec);
    uint32_t steps = LEASE_STEPS_FIRST;
    (void)rk_wait_while_equal(&exec->begun, BEGUN_NOT, RK_NEVER, 0); /* no deadline: it returns */
    if (rk_word_load_acquire(&exec->begun) == BEGUN_REFUSED) {
        return;
    }
    uint64_t began_ns = rk_clock_monotonic_ns();
    int32_t result = await_end(exec);
    while (result == CL_SUCCESS && rk_word_load_acquire(&control->leased) != 0) {
        lease_rest(exec, rk_clock_monotonic_ns() - began_ns, &steps);
        began_ns = rk_clock_monotonic_ns();
        result = enqueue(exec);
        if (result == CL_SUCCESS) {
            result = await_end(exec);
        }
    }
    leave(exec, result);
}

static void exec_free(rk_exec *exec)
{
    if (exec->queue != NO_QUEUE) {
        rk_cl_units_give(exec->device, exec->blocks, exec->queue);
    }
    free(exec);
}

static rk_status put_on_device(rk_exec *exec, rk_err *err)
{
    char thread_name[16];
    (void)snprintf(thread_name, sizeof thread_name, "cl/%.12s", exec->name);
    rk_status status = rk_thread_start(&exec->thread, thread_name, exec_main, exec);
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot start the thread that watches kernel '%s': %s",
                          exec->name, rk_status_text(status));
    }
    int32_t code = enqueue(exec);
    rk_word_store_release(&exec->begun, code == CL_SUCCESS ? BEGUN_LAUNCHED : BEGUN_REFUSED);
    rk_wake(&exec->begun, RK_WAKE_ALL);
    if (code != CL_SUCCESS) {
        rk_thread_join(&exec->thread);
        return rk_err_set(err, rk_cl_status(code), "cannot launch kernel '%s' on %s: %s",
                          exec->name, exec->device->caps.name, rk_cl_error_name(code));
    }
    return RK_OK;
}

static void exec_set(rk_exec *exec, rk_device *device, const rk_exec_args *args)
{
    (void)snprintf(exec->name, sizeof exec->name, "%s", args->name);
    exec->device = device;
    exec->arena = (const rk_cl_memory *)(uintptr_t)args->arena->device;
    exec->mapped = (const rk_cl_memory *)(uintptr_t)args->mapped->device;
    if (args->migrate_from != NULL) {
        exec->old = (const rk_cl_memory *)(uintptr_t)args->migrate_from->device;
    }
    exec->blocks = control_of(exec)->block_count;
    exec->lanes = args->lanes != 0 ? args->lanes : device->caps.default_lanes;
    exec->on_exit = args->on_exit;
    exec->context = args->context;
    exec->queue = NO_QUEUE;
}

rk_status rk_cl_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec, rk_err *err)
{
    rk_exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to launch kernel '%s'", args->name);
    }
    rk_bell_setup();
    exec_set(exec, device, args);
    lease_write(exec, device->caps.lease_only ? LEASE_STEPS_FIRST : 0);
    rk_status status = rk_cl_code_kernel(device, args->code, exec->lanes, &exec->kernel, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", exec->name);
    }
    if (status == RK_OK) {
        status = rk_cl_units_take(device, exec->name, exec->blocks, &exec->queue, err);
    }
    if (status == RK_OK) {
        status = put_on_device(exec, err);
    }
    if (status != RK_OK) {
        exec_free(exec);
        return status;
    }
    *out_exec = exec;
    return RK_OK;
}

bool rk_cl_poll_exit(rk_exec *exec)
{
    return rk_word_load_acquire(&exec->left) != 0;
}

rk_status rk_cl_wait_exit(rk_exec *exec, uint64_t deadline_ns)
{
    return rk_wait_while_equal(&exec->left, 0, deadline_ns, 0);
}

void rk_cl_release(rk_exec *exec)
{
    if (exec != NULL) {
        rk_thread_join(&exec->thread);
        exec->queue = NO_QUEUE; /* given back at the exit */
        exec_free(exec);
    }
}

rk_status rk_cl_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err)
{
    const rk_control *control = control_of(from);
    const rk_control *there = control_of(to);
    if (from->device != to->device) {
        return rk_err_set(err, RK_UNSUPPORTED, "kernels '%s' and '%s' are on different devices",
                          from->name, to->name);
    }
    if (route >= control->route_count) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s' has %u routes, route %u does not exist",
                          from->name, control->route_count, route);
    }
    rk_route *entry = (rk_route *)(from->arena->host + control->routes) + route;
    rk_u64 peer = (rk_u64)(uintptr_t)(to->arena->host + there->peer);
    if (rk_word_load(&entry->state) == 1 && entry->peer == peer &&
        entry->kernel_id == there->kernel_id) {
        return RK_OK; /* sends that are under way must not find it closed in between */
    }
    rk_word_store_release(&entry->state, 0);
    entry->peer = peer;
    entry->kernel_id = there->kernel_id;
    entry->tenant = there->tenant;
    entry->generation++;
    rk_word_store_release(&entry->state, 1);
    return RK_OK;
}
