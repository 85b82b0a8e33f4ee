/*
 * exit.c: how a kernel leaves its device, and what happens when the device is lost.
 *
 *   resident --own decision--> stream idle --> left
 *      |----- context broken (gpu_lose) -----> left, state FAULTED
 *
 * The driver thread asks the stream often only when the kernel's own words say that it is about to
 * leave; in between it asks now and then, to notice a broken context.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "core/bell.h"
#include "drivers/gpu/gpu.h"
#include <stdio.h>

#define LOOK_SOON_NS 20000u
#define LOOK_LATE_NS 1000000u
#define LOOKS_PER_QUERY 16u

bool gpu_is_lost(rk_device *device)
{
    return atomic_load_explicit(&device->lost, memory_order_acquire);
}

rk_status gpu_refuse_lost(rk_device *device, rk_err *err)
{
    int code = atomic_load_explicit(&device->lost_code, memory_order_relaxed);
    return rk_err_set(err, RK_DEVICE,
                      "%s is lost: %s (error %d); its kernels have ended; recover the device, or "
                      "restart the process",
                      device->caps.name, gpu_error_text(device->driver, code), code);
}

rk_status gpu_fail(rk_device *device, gpu_result result, rk_err *err, const char *doing)
{
    rk_status status = RK_DEVICE;
    if (gpu_is_sticky(result)) {
        gpu_lose(device, result);
    } else if (result == GPU_OUT_OF_MEMORY) {
        status = RK_NO_MEMORY;
    } else if (result == GPU_NOT_SUPPORTED) {
        status = RK_UNSUPPORTED;
    }
    return rk_err_set(err, status, "%s: %s failed: %s (%s error %d)%s", device->caps.name, doing,
                      gpu_error_text(device->driver, result), device->driver->vendor->label, result,
                      status == RK_NO_MEMORY ? "; free memory, or use a smaller problem" : "");
}

/* ---- Leaving ------------------------------------------------------------------------------- */

/* What a STATS command would publish, also when the kernel ends without one. */
static void counters_publish(rk_device *device, const rk_exec *exec)
{
    rk_loop loop;
    rk_control *control = exec->control;
    if (gpu_copy_now(device, exec->arena, 0, &loop, NULL, sizeof loop) != RK_OK) {
        return;
    }
    rk_counters now = loop.counters;
    now.step = loop.step;
    rk_route routes[RK_ROUTE_MAX];
    uint32_t count = RK_MIN(control->route_count, (uint32_t)RK_ROUTE_MAX);
    if (count > 0 && gpu_copy_now(device, exec->arena, control->routes, routes, NULL,
                                  count * sizeof routes[0]) != RK_OK) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        now.k2k_sent += routes[i].sent;
        now.k2k_refused += routes[i].refused;
    }
    const rk_u64 *from = &now.step;
    rk_u64 *to = &control->counters.step;
    for (size_t i = 0; i < sizeof now / sizeof *from; i++) { /* word by word: it may be read */
        rk_word64_store(&to[i], from[i]);
    }
}

static void exec_leave(rk_device *device, rk_exec *exec)
{
    rk_control *control = exec->control;
    for (rk_exec **at = &device->residents; *at != NULL; at = &(*at)->next) {
        if (*at == exec) {
            *at = exec->next;
            break;
        }
    }
    exec->slot->exec = NULL;
    (void)atomic_fetch_sub_explicit(&device->resident_kernels, 1, memory_order_relaxed);
    (void)atomic_fetch_sub_explicit(&device->resident_blocks, exec->grid, memory_order_relaxed);
    rk_word_store_release(&control->exits, control->exits + 1);
    rk_ring *k2h = (rk_ring *)(exec->mapped->host + control->k2h);
    rk_bell_ring((rk_bell *)((uint8_t *)k2h + k2h->consumer_bell));
    if (exec->on_exit != NULL) {
        exec->on_exit(exec->context);
    }
    rk_mutex_lock(&device->lock);
    rk_word_store_release(&exec->left, 1);
    rk_wake(&exec->left, RK_WAKE_ALL);
    rk_mutex_unlock(&device->lock); /* from here on exec may be gone */
    if (device->residents == NULL && !gpu_is_lost(device)) {
        gpu_codes_reclaim(device, false);
        gpu_blocks_reclaim(device, false);
    }
}

void gpu_lose(rk_device *device, gpu_result result)
{
    if (gpu_is_lost(device)) {
        return;
    }
    atomic_store_explicit(&device->lost_code, result, memory_order_relaxed);
    atomic_store_explicit(&device->lost, true, memory_order_release);
    while (device->residents != NULL) {
        rk_exec *exec = device->residents;
        rk_control *control = exec->control;
        control->fault_code = (rk_u32)result;
        control->fault_step = rk_word64_load(&control->step);
        control->fault_address = 0;
        control->backtrace_count = 0;
        (void)snprintf((char *)control->panic_text, sizeof control->panic_text, "%s: %s (error %d)",
                       device->caps.name, gpu_error_text(device->driver, result), result);
        rk_word_store_release(&control->exit_code, (rk_u32)result);
        rk_word_store_release(&control->fault_kind, RK_FAULT_DEVICE);
        rk_word_store_release(&control->state, RK_KERNEL_FAULTED);
        exec_leave(device, exec);
    }
}

/* Whether the kernel has said that it is leaving. */
static bool is_leaving(const rk_exec *exec)
{
    return rk_word_load_acquire(&exec->control->state) >= RK_KERNEL_PARKED ||
           rk_word_load_acquire(&exec->control->leased) != 0;
}

/* Asks the stream; a kernel that has left is let go, one whose lease is over goes on. */
static void exec_look(rk_device *device, rk_exec *exec)
{
    if (exec->relaunch_ns != 0) {
        if (gpu_lease_renew(device, exec) != RK_OK && !gpu_is_lost(device)) {
            gpu_lose(device, GPU_LAUNCH_FAILED); /* its state is on a device that refuses it */
        }
        return;
    }
    gpu_result result = device->api->stream_query(exec->slot->stream);
    if (result == GPU_NOT_READY) {
        return;
    }
    if (result != 0) {
        gpu_lose(device, result);
    } else if (!gpu_lease_over(exec)) {
        counters_publish(device, exec);
        if (!gpu_is_lost(device)) {
            exec_leave(device, exec);
        }
    }
}

uint64_t gpu_watch(rk_device *device)
{
    rk_mutex_lock(&device->lock);
    bool awaited = device->waiters > 0;
    rk_mutex_unlock(&device->lock);
    bool soon = false;
    for (rk_exec *exec = device->residents; exec != NULL;) {
        rk_exec *next = exec->next;
        bool leaving = is_leaving(exec);
        soon = soon || leaving || awaited;
        exec->looks++;
        if (leaving || awaited || exec->looks >= LOOKS_PER_QUERY) {
            exec->looks = 0;
            exec_look(device, exec);
        }
        exec = gpu_is_lost(device) ? NULL : next;
    }
    if (device->residents == NULL) {
        return RK_NEVER;
    }
    device->look_step_ns =
        soon ? LOOK_SOON_NS : RK_MIN(RK_MAX(LOOK_SOON_NS, device->look_step_ns * 2), LOOK_LATE_NS);
    return rk_clock_monotonic_ns() + device->look_step_ns;
}

/* ---- Recovery ------------------------------------------------------------------------------ */

static rk_status context_drop(rk_device *device, rk_err *err)
{
    const gpu_api *api = device->api;
    gpu_result result;
    if (api->context_reset != NULL) {
        result = api->context_reset(device->number);
        (void)api->context_set(NULL);
        (void)api->context_release(device->number); /* a reset releases nothing */
    } else {
        result = api->device_set(device->number);
        result = result == 0 ? api->device_reset() : result;
    }
    device->context = NULL;
    device->copy_stream = NULL;
    device->staging = NULL;
    for (uint32_t i = 0; i < device->slot_count; i++) {
        device->slots[i] = (gpu_slot){0};
    }
    device->slot_count = 0;
    if (result != 0) {
        return rk_err_set(err, RK_DEVICE,
                          "%s cannot be recovered: %s (error %d); restart the process",
                          device->caps.name, gpu_error_text(device->driver, result), result);
    }
    return RK_OK;
}

static rk_status restore(rk_device *device, rk_err *err)
{
    gpu_ptr reserve = device->reserve;
    device->reserve = 0;
    rk_status status = gpu_context_make(device, err);
    if (status == RK_OK) {
        status = gpu_blocks_restore(device, reserve, err);
    }
    for (rk_code *code = device->codes; code != NULL && status == RK_OK; code = code->next) {
        status = gpu_code_make(device, code, err);
    }
    return status;
}

static rk_status recover_work(rk_device *device, void *context)
{
    rk_err *err = context;
    if (!gpu_is_lost(device)) {
        return RK_OK;
    }
    rk_status status = gpu_blocks_can_restore(device, err);
    if (status == RK_OK) {
        gpu_codes_forget(device);
        status = context_drop(device, err);
    }
    if (status != RK_OK) {
        return status;
    }
    gpu_blocks_forget(device);
    atomic_store_explicit(&device->lost, false, memory_order_release);
    status = restore(device, err);
    if (status != RK_OK) {
        atomic_store_explicit(&device->lost, true, memory_order_release);
        return rk_err_prefix(err, "recovering %s: ", device->caps.name);
    }
    return RK_OK;
}

rk_status gpu_recover(rk_device *device, rk_err *err)
{
    return gpu_call(device, recover_work, err);
}
