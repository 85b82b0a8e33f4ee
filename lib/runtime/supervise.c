/*
 * supervise.c: one thread per runtime that handles the exits of kernels: it releases what the
 * driver holds, tells the program, and restarts what shall be restarted. It also notices kernels
 * that run but pass no safe point. With nothing to do it sleeps.
 */
#include "base/clock.h"
#include "base/wait.h"
#include "runtime/pool.h"
#include "runtime/runtime_internal.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STALL_LOOK_NS ((uint64_t)RK_NS_PER_S / 4)

void rk_supervise_kick(rk_runtime *runtime)
{
    (void)rk_word_add(&runtime->work, 1);
    rk_wake(&runtime->work, RK_WAKE_ALL);
}

void rk_supervise_on_exit(void *context)
{
    rk_kernel *kernel = context;
    rk_word_store_release(&kernel->exited, 1);
    rk_supervise_kick(kernel->runtime);
}

static rk_failure failure_read(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->failure_lock);
    rk_failure failure = kernel->failure;
    rk_mutex_unlock(&kernel->failure_lock);
    return failure;
}

static void failure_write(rk_kernel *kernel, const rk_failure *failure)
{
    rk_mutex_lock(&kernel->failure_lock);
    kernel->failure = *failure;
    rk_mutex_unlock(&kernel->failure_lock);
}

void rk_supervise_forget_failure(rk_kernel *kernel)
{
    failure_write(kernel, &(rk_failure){.kind = 0});
}

/* Copies what the kernel left in its control block; it has exited with that state. */
static void failure_note(rk_kernel *kernel, uint32_t state)
{
    const rk_control *control = kernel->control;
    bool panicked = state == RK_KERNEL_PANICKED;
    bool faulted = state == RK_KERNEL_FAULTED && (control->fault_kind == RK_FAULT_SIGNAL ||
                                                  control->fault_kind == RK_FAULT_DEVICE);
    rk_failure failure = {.kind = panicked  ? RK_FAULT_PANIC
                                  : faulted ? control->fault_kind
                                            : FAILURE_HOST_LOST};
    if (panicked || faulted) {
        failure.code = control->fault_code;
        failure.block = control->fault_block;
        failure.step = control->fault_step;
        failure.address = faulted ? control->fault_address : 0;
        (void)snprintf(failure.text, sizeof failure.text, "%.*s", RK_PANIC_TEXT_BYTES - 1,
                       (const char *)control->panic_text);
    }
    failure_write(kernel, &failure);
}

const char *rk_kernel_failure(rk_kernel *kernel, char *buffer, size_t bytes)
{
    rk_failure failure = failure_read(kernel);
    unsigned long long step = failure.step;
    switch (failure.kind) {
    case RK_FAULT_PANIC:
        (void)snprintf(buffer, bytes, "panicked at step %llu, block %u, code %u: %s", step,
                       failure.block, failure.code, failure.text);
        return buffer;
    case RK_FAULT_SIGNAL:
        (void)snprintf(buffer, bytes, "faulted (%s) at address 0x%llx, step %llu, block %u",
                       strsignal((int)failure.code), (unsigned long long)failure.address, step,
                       failure.block);
        return buffer;
    case RK_FAULT_DEVICE:
        (void)snprintf(buffer, bytes, "lost its device at step %llu (error %u: %s)", step,
                       failure.code, failure.text);
        return buffer;
    case FAILURE_HOST_LOST: (void)snprintf(buffer, bytes, "lost its host process"); return buffer;
    default: return NULL;
    }
}

rk_status rk_kernel_end_status(rk_kernel *kernel, rk_err *err)
{
    char text[256];
    const char *why = rk_kernel_failure(kernel, text, sizeof text);
    if (why == NULL) {
        return rk_err_set(err, RK_CLOSED, "kernel '%s' has ended", kernel->name);
    }
    rk_status status = failure_read(kernel).kind == RK_FAULT_PANIC ? RK_PANIC : RK_FAULT;
    return rk_err_set(err, status, "kernel '%s' %s", kernel->name, why);
}

void rk_supervise_tell(rk_kernel *kernel, rk_event_kind kind, const char *text)
{
    const rk_runtime_options *options = &kernel->runtime->options;
    if (options->on_event == NULL) {
        return;
    }
    rk_failure failure = failure_read(kernel);
    rk_event event = {
        .kind = kind,
        .kernel = kernel,
        .kernel_name = kernel->name,
        .step = rk_word64_load(&kernel->control->step),
        .code = failure.code,
        .address = failure.address,
        .text = text,
    };
    options->on_event(options->event_context, &event);
}

/* Whether one more restart fits into the window; notes it if so. */
static bool restart_allowed(rk_kernel *kernel)
{
    uint64_t now = rk_clock_monotonic_ns();
    uint32_t slot = kernel->restarts % kernel->restart_limit;
    if (kernel->restarts >= kernel->restart_limit &&
        now - kernel->restart_times_ns[slot] < kernel->restart_window_ns) {
        return false;
    }
    kernel->restart_times_ns[slot] = now;
    rk_word_store_release(&kernel->restarts, kernel->restarts + 1);
    return true;
}

static void give_up(rk_kernel *kernel, const char *text)
{
    rk_word_store_release(&kernel->ended, 1);
    rk_commands_wake(kernel);
    rk_supervise_tell(kernel, RK_EVENT_GAVE_UP, text);
}

/* A host process that dies during the launch costs one more restart. */
void rk_supervise_restart(rk_kernel *kernel)
{
    char text[384];
    char why[256];
    if (rk_kernel_failure(kernel, why, sizeof why) == NULL) {
        (void)snprintf(why, sizeof why, "ended");
    }
    rk_err err = RK_ERR_INIT;
    rk_status status = RK_CLOSED;
    while (status == RK_CLOSED) {
        if (!restart_allowed(kernel)) {
            (void)snprintf(text, sizeof text, "%u restarts within its window: left as it is (%s)",
                           kernel->restart_limit, why);
            give_up(kernel, text);
            return;
        }
        status = rk_kernel_reset_locked(kernel, &err);
        if (status == RK_OK) {
            status = rk_kernel_launch_locked(kernel, RK_ENTRY_INIT, NULL, &err);
        }
    }
    if (status != RK_OK) {
        give_up(kernel, err.text);
        return;
    }
    (void)snprintf(text, sizeof text, "restarted (%u): it %s", kernel->restarts, why);
    rk_supervise_tell(kernel, RK_EVENT_RESTARTED, text);
}

void rk_supervise_end(rk_kernel *kernel, rk_event_kind kind, const char *text)
{
    rk_failure failure = {.kind = RK_FAULT_DEVICE, .step = rk_word64_load(&kernel->control->step)};
    (void)snprintf(failure.text, sizeof failure.text, "%s", text);
    failure_write(kernel, &failure);
    rk_word_store_release(&kernel->control->state, RK_KERNEL_FAULTED);
    rk_word_store_release(&kernel->ended, 1);
    rk_commands_fail_all(kernel, RK_FAULT);
    rk_commands_wake(kernel);
    rk_supervise_tell(kernel, kind, text);
}

static void handle_exit(rk_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    char in_use[384];
    bool uses_pool = rk_kernel_pool_in_use(kernel, in_use, sizeof in_use); /* not with life held */
    rk_mutex_lock(&kernel->life);
    rk_exec *exec = kernel->exec;
    rk_mutex_lock(&runtime->kernels_lock);
    kernel->exec = NULL;
    rk_mutex_unlock(&runtime->kernels_lock);
    (void)kernel->home->driver->wait_exit(exec, RK_NEVER);
    kernel->home->driver->release(exec);
    rk_word_store_release(&kernel->exited, 0);
    uint32_t state = rk_kernel_state(kernel);
    bool failed = state != RK_KERNEL_PARKED && state != RK_KERNEL_TERMINATED;
    if (failed && state != RK_KERNEL_PANICKED && state != RK_KERNEL_FAULTED) {
        rk_word_store_release(&kernel->control->state, RK_KERNEL_FAULTED);
    }
    if (failed) {
        failure_note(kernel, state);
    }
    bool again = failed && kernel->restart == RK_RESTART_ON_FAILURE &&
                 rk_word_load_acquire(&runtime->stopping) == 0;
    rk_word_store_release(&kernel->ended, state != RK_KERNEL_PARKED && !again ? 1 : 0);
    rk_word_store_release(&kernel->last_exit, rk_kernel_state(kernel));
    rk_word_store_release(&kernel->resident, 0);
    (void)rk_word_add(&kernel->exits, 1);
    rk_bell_ring(kernel->k2h.own_bell); /* whoever sleeps on the answers gives rx up */
    char why[256];
    const char *failure = rk_kernel_failure(kernel, why, sizeof why);
    if (state != RK_KERNEL_PARKED) {
        rk_commands_fail_all(kernel, state == RK_KERNEL_PANICKED ? RK_PANIC
                                     : failed                    ? RK_FAULT
                                                                 : RK_CLOSED);
    }
    rk_event_kind kind = state == RK_KERNEL_PARKED                      ? RK_EVENT_PARKED
                         : state == RK_KERNEL_TERMINATED                ? RK_EVENT_TERMINATED
                         : state == RK_KERNEL_PANICKED                  ? RK_EVENT_PANICKED
                         : failure_read(kernel).kind == RK_FAULT_SIGNAL ? RK_EVENT_FAULTED
                         : failure_read(kernel).kind == RK_FAULT_DEVICE ? RK_EVENT_DEVICE_LOST
                                                                        : RK_EVENT_HOST_LOST;
    rk_supervise_tell(kernel, kind, failure != NULL ? failure : rk_kernel_state_text(state));
    if (uses_pool && !again) {
        rk_supervise_tell(kernel, RK_EVENT_POOL_IN_USE, in_use);
    }
    if (again && rk_home_is_lost(kernel->home)) {
        kernel->restart_due = true; /* when the last kernel has left the device */
    } else if (again) {
        rk_supervise_restart(kernel);
    }
    /* Wakes those who wait for the exit, last: they may destroy the kernel once life is free. */
    rk_wake(&kernel->resident, RK_WAKE_ALL);
    rk_wake(&kernel->exits, RK_WAKE_ALL);
    rk_mutex_unlock(&kernel->life);
}

static bool ring_is_empty(const uint8_t *area, uint64_t offset)
{
    const rk_ring *ring = (const rk_ring *)(area + offset);
    return rk_word_load_acquire(&ring->tail) == rk_word_load_acquire(&ring->head);
}

/* Whether it should pass a safe point soon: it takes steps, or something waits to be handled. */
static bool is_busy(const rk_kernel *kernel)
{
    uint32_t state = rk_kernel_state(kernel);
    return rk_word_load_acquire(&kernel->resident) != 0 &&
           (state == RK_KERNEL_LAUNCHED || state == RK_KERNEL_RUNNING ||
            !ring_is_empty(kernel->mapped.host, kernel->layout.h2k) ||
            (state == RK_KERNEL_IDLE && kernel->arena.host != NULL &&
             !ring_is_empty(kernel->arena.host, kernel->layout.inbox)));
}

/* The next kernel that has stalled, pinned; NULL for none. kernels_lock is held. */
static rk_kernel *next_stalled(rk_runtime *runtime)
{
    uint64_t now = rk_clock_monotonic_ns();
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        uint64_t heartbeat = rk_word64_load(&kernel->control->heartbeat);
        if (!is_busy(kernel) || heartbeat != kernel->stall_heartbeat) {
            kernel->stall_heartbeat = heartbeat;
            kernel->stall_since_ns = now;
            kernel->stalled = false;
        } else if (!kernel->stalled &&
                   now - kernel->stall_since_ns >= runtime->options.stall_timeout_ns) {
            kernel->stalled = true;
            rk_word_store_release(&kernel->pinned, 1);
            return kernel;
        }
    }
    return NULL;
}

/* The next kernel whose counters are wanted, pinned; NULL for none. kernels_lock is held. */
static rk_kernel *next_sampled(rk_runtime *runtime)
{
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        if (rk_word_load_acquire(&kernel->sample.wanted) != 0) {
            rk_word_store_release(&kernel->sample.wanted, 0);
            rk_word_store_release(&kernel->pinned, 1);
            return kernel;
        }
    }
    return NULL;
}

static void unpin(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->runtime->kernels_lock);
    rk_word_store_release(&kernel->pinned, 0);
    rk_wake(&kernel->pinned, RK_WAKE_ALL);
    rk_mutex_unlock(&kernel->runtime->kernels_lock);
}

/* Without kernels_lock, so that the callback may look kernels up. */
static void tell_stalled(rk_kernel *kernel)
{
    rk_supervise_tell(kernel, RK_EVENT_STALLED, "it has work but passes no safe point");
    unpin(kernel);
}

static rk_kernel *next_exited(rk_runtime *runtime)
{
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        if (rk_word_load_acquire(&kernel->exited) != 0 &&
            rk_word_load_acquire(&kernel->resident) != 0) {
            return kernel;
        }
    }
    return NULL;
}

void rk_supervise_main(void *context)
{
    rk_runtime *runtime = context;
    for (;;) {
        rk_u32 seen = rk_word_load_acquire(&runtime->work);
        bool watch = runtime->options.stall_timeout_ns > 0;
        rk_kernel *stalled = NULL;
        rk_kernel *sampled = NULL;
        rk_mutex_lock(&runtime->kernels_lock);
        rk_kernel *kernel = next_exited(runtime);
        if (kernel == NULL && watch) {
            stalled = next_stalled(runtime);
        }
        if (kernel == NULL && stalled == NULL) {
            sampled = next_sampled(runtime);
        }
        rk_mutex_unlock(&runtime->kernels_lock);
        if (kernel != NULL) {
            const rk_home *home = kernel->home;
            handle_exit(kernel); /* it may be gone behind this */
            rk_recover_look(runtime, home);
            continue;
        }
        if (stalled != NULL) {
            tell_stalled(stalled);
            continue;
        }
        if (sampled != NULL) {
            rk_commands_sample(sampled);
            unpin(sampled);
            continue;
        }
        if (rk_word_load_acquire(&runtime->stopping) != 0) {
            return;
        }
        uint64_t look_ns = RK_MIN(STALL_LOOK_NS, runtime->options.stall_timeout_ns);
        (void)rk_wait_while_equal(&runtime->work, seen,
                                  watch ? rk_clock_deadline_ns(look_ns) : RK_NEVER, 0);
    }
}
