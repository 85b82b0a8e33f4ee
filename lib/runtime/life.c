/*
 * life.c: the life of a kernel on its device: launch, park, destroy, reset.
 *
 *   created --start--> resident --quiesce--> parked --start--> resident
 *                         |------terminate, panic, fault------> ended (restart: resident again)
 *
 * A kernel leaves the device by itself, at a safe point; the supervisor (supervise.c) then handles
 * the exit. What this file changes while a kernel is resident is its mapped page only. One that
 * passes no safe point can be made to leave only by ending its host process.
 */
#include "base/clock.h"
#include "base/wait.h"
#include "profile/profile.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/resident.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_LOOK_NS ((uint64_t)RK_NS_PER_MS * 5)
#define SPAN_COLOR 0x5577aau
#define DEFAULT_PATIENCE_NS (5 * (uint64_t)RK_NS_PER_S)

/* The kernel's ends of the rings in the mapped page, and what it last told the host. */
static void loop_attach(rk_kernel *kernel, rk_loop *loop)
{
    const rk_layout *layout = &kernel->layout;
    const rk_ring *h2k = (const rk_ring *)(kernel->mapped.host + layout->h2k);
    const rk_ring *k2h = (const rk_ring *)(kernel->mapped.host + layout->k2h);
    loop->h2k_head = rk_word_load_acquire(&h2k->head);
    loop->h2k_slots = layout->options.h2k_slots;
    loop->h2k_first = layout->h2k + h2k->slots;
    loop->k2h_tail = rk_word_load_acquire(&k2h->tail);
    loop->k2h_head = rk_word_load_acquire(&k2h->head);
    loop->k2h_slots = layout->options.k2h_slots;
    loop->k2h_first = layout->k2h + k2h->slots;
    loop->seen_tail = loop->h2k_head;
    loop->seen_abort = loop->abort_seen;
    loop->heartbeat = rk_word64_load(&kernel->control->heartbeat);
    loop->probe_seen = rk_word64_load(&kernel->control->probe_seen);
    loop->state_told = RK_KERNEL_LAUNCHED;
    rk_tracing_launch(kernel, loop);
}

/* Makes a parked or fresh arena ready for a launch. The control block is, but for the state. */
static rk_status loop_reset(rk_kernel *kernel, const rk_kernel *migrate_from)
{
    rk_device *device = kernel->home->device;
    const rk_driver_ops *driver = kernel->home->driver;
    rk_loop loop;
    rk_status status = driver->read(device, &kernel->arena, 0, &loop, sizeof loop);
    if (status != RK_OK) {
        return status;
    }
    loop.arrived = 0;
    loop.generation = 0;
    loop.sleepers = 0;
    loop.failed = 0;
    loop.poller_leave = 0;
    loop.lease_left = kernel->control->lease_steps;
    loop.op = RK_OP_INIT;
    if (migrate_from != NULL) {
        loop.step = rk_word64_load(&migrate_from->control->step);
        rk_word64_store(&kernel->control->step, loop.step);
    }
    loop_attach(kernel, &loop);
    status = driver->write(device, &kernel->arena, 0, &loop, sizeof loop);
    if (status == RK_OK) {
        status = driver->write(device, &kernel->arena, sizeof loop, kernel->control,
                               sizeof *kernel->control);
    }
    const rk_u32 open = 0;
    if (status == RK_OK) {
        status = driver->write(device, &kernel->arena,
                               kernel->layout.peer + offsetof(rk_peer, closed), &open, sizeof open);
    }
    return status;
}

/* Begins a span of the host in the timelines of profilers: "start NAME". */
static void span_begin(const char *what, const rk_kernel *kernel)
{
    char text[RK_NAME_BYTES + 16];
    (void)snprintf(text, sizeof text, "%s %s", what, kernel->name); /* fits */
    rk_profile_push(text, SPAN_COLOR);
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
                (void)kernel->home->driver->connect(from->exec, i, to->exec, NULL);
            }
        }
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}

rk_status rk_kernel_launch_locked(rk_kernel *kernel, uint32_t entry, rk_kernel *migrate_from,
                                  rk_err *err)
{
    rk_status status = rk_profile_capture_auto_begin(err);
    if (status != RK_OK) {
        return status;
    }
    uint32_t before = rk_kernel_state(kernel);
    kernel->control->entry = entry;
    if (migrate_from != NULL) {
        kernel->control->migrate_fields = migrate_from->layout.fields;
        kernel->control->migrate_hash = migrate_from->layout.hash;
    }
    kernel->control->fault_kind = 0;
    rk_word_store_release(&kernel->control->leased, 0);
    rk_word_store_release(&kernel->control->launch, kernel->control->launch + 1);
    status = loop_reset(kernel, migrate_from);
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot prepare the arena of kernel '%s': %s", kernel->name,
                          rk_home_is_lost(kernel->home) ? "its device is lost"
                                                        : rk_status_text(status));
    }
    rk_supervise_forget_failure(kernel);
    rk_word_store_release(&kernel->control->state, RK_KERNEL_LAUNCHED);
    rk_word_store_release(&kernel->exited, 0);
    rk_word_store_release(&kernel->ended, 0);
    rk_exec_args args = {
        .name = kernel->name,
        .code = kernel->code,
        .arena = &kernel->arena,
        .mapped = &kernel->mapped,
        .lanes = kernel->lanes,
        .units = kernel->units,
        .migrate_from = migrate_from != NULL ? &migrate_from->arena : NULL,
        .on_exit = rk_supervise_on_exit,
        .context = kernel,
    };
    /* Whoever holds the lock sees it, or has found it not resident and finished with its routes. */
    rk_mutex_lock(&kernel->runtime->kernels_lock);
    rk_word_store_release(&kernel->resident, 1);
    rk_mutex_unlock(&kernel->runtime->kernels_lock);
    rk_exec *exec;
    status = kernel->home->driver->launch(kernel->home->device, &args, &exec, err);
    if (status != RK_OK) {
        rk_word_store_release(&kernel->control->state, before);
        rk_word_store_release(&kernel->resident, 0);
        rk_bell_ring(kernel->k2h.own_bell); /* whoever took it for resident looks again */
    } else {
        kernel->started = true;
        exec_set(kernel, exec);
    }
    rk_commands_wake(kernel); /* who waited while it was parked looks again */
    return status;
}

/*
 * A ping is answered behind the first handler. It may be left unanswered when another thread parks
 * the kernel at once, or find no room next to runs that were open: then the state tells.
 */
static rk_status await_init(rk_kernel *kernel, rk_err *err)
{
    uint64_t id = 0;
    rk_reply reply;
    rk_status status = rk_kernel_ping(kernel, &id, err);
    if (status != RK_OK && status != RK_LIMIT && status != RK_STATE) {
        return status;
    }
    bool pinged = status == RK_OK;
    uint32_t state;
    do {
        if (pinged) {
            status = rk_kernel_wait(kernel, id, START_LOOK_NS, &reply, err);
            if (status != RK_TIMEOUT) {
                return status;
            }
        } else {
            (void)rk_wait_while_equal(&kernel->resident, 1, rk_clock_deadline_ns(START_LOOK_NS), 0);
        }
        state = rk_kernel_state(kernel);
        /* One that has failed is waited for until its exit is handled: restarted, or ended. */
    } while (state == RK_KERNEL_LAUNCHED ||
             (state >= RK_KERNEL_TERMINATED && rk_word_load_acquire(&kernel->ended) == 0));
    return rk_word_load_acquire(&kernel->ended) != 0 ? rk_kernel_end_status(kernel, err) : RK_OK;
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
    return status == RK_OK ? await_init(kernel, err) : status;
}

rk_status rk_kernel_start(rk_kernel *kernel, rk_err *err)
{
    span_begin("start", kernel);
    rk_status status = start(kernel, NULL, err);
    rk_profile_pop();
    return status;
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
    if (old->home != kernel->home || old->runtime != kernel->runtime) {
        return rk_err_set(err, RK_UNSUPPORTED, "kernels '%s' and '%s' are not on the same device",
                          old->name, kernel->name);
    }
    span_begin("start", kernel);
    rk_status status = start(kernel, old, err);
    rk_profile_pop();
    return status;
}

static rk_status park(rk_kernel *kernel, uint64_t timeout_ns, rk_err *err)
{
    uint64_t deadline_ns = timeout_ns == RK_FOREVER ? RK_NEVER : rk_clock_deadline_ns(timeout_ns);
    rk_u32 seen = rk_word_load_acquire(&kernel->exits);
    rk_status status = rk_kernel_quiesce(kernel, 0, NULL, err);
    if (status != RK_OK) {
        return status;
    }
    if (rk_wait_while_equal(&kernel->exits, seen, deadline_ns, 20000) == RK_TIMEOUT) {
        return rk_err_set(err, RK_TIMEOUT,
                          "kernel '%s' has been told to park, but has not left the device yet",
                          kernel->name);
    }
    uint32_t state = rk_word_load_acquire(&kernel->last_exit);
    if (state == RK_KERNEL_PARKED) {
        return RK_OK;
    }
    if (rk_word_load_acquire(&kernel->ended) != 0) {
        return rk_kernel_end_status(kernel, err);
    }
    return rk_err_set(err, RK_STATE, "kernel '%s' has failed (%s) before it could park",
                      kernel->name, rk_kernel_state_text(state));
}

rk_status rk_kernel_park(rk_kernel *kernel, uint64_t timeout_ns, rk_err *err)
{
    span_begin("park", kernel);
    rk_status status = park(kernel, timeout_ns, err);
    rk_profile_pop();
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
    while (rk_word_load_acquire(&kernel->pinned) != 0) {
        rk_mutex_unlock(&runtime->kernels_lock);
        (void)rk_wait_while_equal(&kernel->pinned, 1, RK_NEVER, 0);
        rk_mutex_lock(&runtime->kernels_lock);
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

static void kernel_kill(rk_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_mutex_lock(&runtime->kernels_lock);
    if (kernel->exec != NULL && kernel->home->driver->kill != NULL) {
        kernel->home->driver->kill(kernel->exec);
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}

/* Makes it leave the device for good. One that passes no safe point for so long is killed. */
static void leave_device(rk_kernel *kernel)
{
    uint64_t patience_ns = kernel->runtime->options.patience_ns;
    patience_ns = patience_ns > 0 ? patience_ns : DEFAULT_PATIENCE_NS;
    uint64_t heartbeat = rk_word64_load(&kernel->control->heartbeat);
    uint64_t deadline_ns = rk_clock_deadline_ns(patience_ns);
    bool asked = false;
    while (rk_word_load_acquire(&kernel->resident) != 0) {
        rk_kernel_abort(kernel);
        /* Refused while the ring is full or the kernel is just leaving: then asked again. */
        asked = asked || rk_kernel_terminate(kernel, NULL, NULL) == RK_OK;
        (void)rk_wait_while_equal(&kernel->resident, 1, rk_clock_deadline_ns(50 * RK_NS_PER_MS),
                                  20000);
        uint64_t now = rk_word64_load(&kernel->control->heartbeat);
        if (now != heartbeat) {
            heartbeat = now;
            deadline_ns = rk_clock_deadline_ns(patience_ns);
        } else if (rk_clock_monotonic_ns() >= deadline_ns) {
            kernel_kill(kernel);
            deadline_ns = rk_clock_deadline_ns(patience_ns);
        }
    }
}

void rk_kernel_destroy(rk_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    rk_mutex_lock(&kernel->life); /* a restart that is under way has finished behind this */
    kernel->restart = RK_RESTART_NEVER;
    rk_mutex_unlock(&kernel->life);
    span_begin("end", kernel);
    leave_device(kernel);
    rk_profile_pop();
    rk_word_store_release(&kernel->ended, 1);
    rk_commands_fail_all(kernel, RK_CLOSED);
    rk_port_destroyed(kernel);
    /* The supervisor may still be in this kernel's exit. */
    rk_mutex_lock(&kernel->life);
    rk_mutex_unlock(&kernel->life);
    unlink_kernel(kernel->runtime, kernel);
}

/*
 * Copies the rings of the host and the kernel's words from a fresh page. Constants stay, and routes
 * and the inbox, which lie in the arena: other kernels may be sending, and what they have sent is
 * not lost.
 */
static void mapped_reset(rk_kernel *kernel, const uint8_t *fresh)
{
    const rk_layout *layout = &kernel->layout;
    uint8_t *mapped = kernel->mapped.host;
    memcpy(mapped + layout->h2k, fresh + layout->h2k,
           rk_ring_bytes(RK_RING_SPSC, layout->options.h2k_slots));
    memcpy(mapped + layout->k2h, fresh + layout->k2h,
           rk_ring_bytes(RK_RING_SPSC, layout->options.k2h_slots));
    size_t words = offsetof(rk_control, state);
    memcpy(mapped + words, fresh + words, sizeof(rk_control) - words);
}

/* The message that was being handled goes, or it would fail the kernel again. */
static rk_status inbox_skip_delivering(rk_kernel *kernel)
{
    rk_device *device = kernel->home->device;
    const rk_driver_ops *driver = kernel->home->driver;
    uint64_t head_at = kernel->layout.inbox + offsetof(rk_ring, head);
    rk_u32 delivering = 0;
    rk_u32 head = 0;
    rk_status status = driver->read(device, &kernel->arena, offsetof(rk_loop, delivering),
                                    &delivering, sizeof delivering);
    if (status == RK_OK && delivering != 0) {
        status = driver->read(device, &kernel->arena, head_at, &head, sizeof head);
        head += delivering;
        if (status == RK_OK) {
            status = driver->write(device, &kernel->arena, head_at, &head, sizeof head);
        }
    }
    return status;
}

rk_status rk_kernel_reset_locked(rk_kernel *kernel, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(kernel->module);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const rk_layout_field *field = &kernel->layout.field[i];
        if ((schema->fields[i].flags & RK_FIELD_INPUT) == 0 && field->bytes > 0) {
            /* A device that is lost refuses the launch that follows. */
            (void)kernel->home->driver->zero(kernel->home->device, &kernel->arena, field->offset,
                                             field->bytes);
        }
    }
    void *page = NULL;
    if (posix_memalign(&page, RK_LAYOUT_ALIGN_BYTES, kernel->layout.mapped_bytes) != 0) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to restart kernel '%s'", kernel->name);
    }
    memset(page, 0, kernel->layout.mapped_bytes);
    rk_mutex_lock(&kernel->tx);
    rk_mutex_lock(&kernel->rx);
    rk_status status = inbox_skip_delivering(kernel);
    if (status == RK_OK) {
        status = rk_kernel_write_head(kernel, page, kernel->layout.peer, err);
    }
    if (status == RK_OK) {
        mapped_reset(kernel, page);
        status = rk_commands_attach(kernel, err);
    }
    rk_mutex_unlock(&kernel->rx);
    rk_mutex_unlock(&kernel->tx);
    free(page);
    return status;
}
