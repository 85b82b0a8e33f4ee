/*
 * recover.c: what happens to kernels when their device is lost: a broken context takes all memory
 * on the device with it.
 *
 * Kernels that were resident exit with a device error and are told about one by one. When the last
 * has left, the driver makes the device usable again, with empty memory, and each kernel on it is
 * settled: one whose policy says so runs init again, unless the host had filled fields that are
 * lost now; one that was parked has ended, since its state is gone; one that never ran is laid out
 * anew.
 */
#include "base/wait.h"
#include "runtime/runtime_internal.h"
#include <stdlib.h>
#include <string.h>

bool rk_home_is_lost(const rk_home *home)
{
    return home->driver->is_lost != NULL && home->driver->is_lost(home->device);
}

/* Whether the host has put something there that a restart could not make again. */
/* Whether the host had put something there that nobody can make again. */
static bool has_inputs(const rk_kernel *kernel)
{
    return rk_word_load_acquire(&kernel->host_filled) != 0 ||
           (kernel->pool != NULL && rk_pool_used_bytes(kernel->pool) > 0);
}

/* Writes the whole head of the arena; the mapped page lives in the host's memory and is whole. */
static rk_status head_restore(rk_kernel *kernel, rk_err *err)
{
    void *page = NULL;
    if (posix_memalign(&page, RK_LAYOUT_ALIGN_BYTES, kernel->layout.mapped_bytes) != 0) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to restore kernel '%s'", kernel->name);
    }
    memset(page, 0, kernel->layout.mapped_bytes);
    rk_status status = rk_kernel_write_head(kernel, page, kernel->layout.head_bytes, err);
    free(page);
    return status;
}

/* life is held. */
static void settle(rk_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    uint32_t state = rk_kernel_state(kernel);
    bool restart = kernel->restart_due;
    kernel->restart_due = false;
    if (state != RK_KERNEL_CREATED && state != RK_KERNEL_PARKED && !restart) {
        return; /* it has ended already */
    }
    if (head_restore(kernel, &err) != RK_OK) {
        rk_supervise_end(kernel, RK_EVENT_GAVE_UP, err.text);
    } else if (state == RK_KERNEL_PARKED) {
        rk_supervise_end(kernel, RK_EVENT_DEVICE_LOST,
                         "its device was lost while it was parked, and its state with it");
    } else if (has_inputs(kernel)) {
        rk_supervise_end(kernel, restart ? RK_EVENT_GAVE_UP : RK_EVENT_DEVICE_LOST,
                         "fields or pool memory that the host had filled were lost with the "
                         "device; create it anew");
    } else if (restart) {
        rk_supervise_restart(kernel);
    }
}

/* The next kernel of the device that has not been settled, pinned; NULL for none. */
static rk_kernel *next_unsettled(rk_runtime *runtime, const rk_home *home)
{
    rk_mutex_lock(&runtime->kernels_lock);
    rk_kernel *kernel = runtime->kernels;
    while (kernel != NULL && !(kernel->home == home && kernel->settle_due)) {
        kernel = kernel->next;
    }
    if (kernel != NULL) {
        kernel->settle_due = false;
        rk_word_store_release(&kernel->pinned, 1);
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    return kernel;
}

static void unpin(rk_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_mutex_lock(&runtime->kernels_lock);
    rk_word_store_release(&kernel->pinned, 0);
    rk_wake(&kernel->pinned, RK_WAKE_ALL);
    rk_mutex_unlock(&runtime->kernels_lock);
}

void rk_recover_look(rk_runtime *runtime, const rk_home *home)
{
    if (!rk_home_is_lost(home)) {
        return;
    }
    bool all_left = true;
    rk_mutex_lock(&runtime->kernels_lock);
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        bool here = kernel->home == home;
        all_left = all_left && !(here && rk_word_load_acquire(&kernel->resident) != 0);
        kernel->settle_due = kernel->settle_due || here;
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    if (!all_left) {
        return; /* the exit of the last one leads here again */
    }
    rk_err err = RK_ERR_INIT;
    rk_status status = home->driver->recover(home->device, &err);
    rk_kernel *kernel;
    while ((kernel = next_unsettled(runtime, home)) != NULL) {
        rk_mutex_lock(&kernel->life);
        bool waits = kernel->restart_due;
        if (status == RK_OK) {
            settle(kernel);
        } else if (waits) {
            kernel->restart_due = false;
            rk_supervise_end(kernel, RK_EVENT_GAVE_UP, err.text);
        }
        rk_mutex_unlock(&kernel->life);
        unpin(kernel);
    }
}
