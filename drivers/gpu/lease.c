/*
 * lease.c: kernels that leave the device now and then and are launched again on the same memory.
 *
 * Where a watchdog ends long kernels (displays), or RK_GPU_LEASE=1 says so, the loop returns at a
 * safe point after so many steps, or after so many looks that found no work, and sets
 * control->leased. To everybody else the kernel stays resident meanwhile.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "drivers/gpu/gpu.h"

/* An idle kernel is launched again when the host has something for it, and now and then to see
 * whether other kernels have sent something. */
#define PAUSE_FIRST_NS 50000u
#define PAUSE_MAX_NS 2000000u

/* Whether the host has written something that the kernel has not seen. */
static bool host_waits(const rk_exec *exec)
{
    const rk_control *control = exec->control;
    const rk_ring *h2k = (const rk_ring *)(exec->mapped->host + control->h2k);
    return rk_word_load_acquire(&h2k->tail) != rk_word_load(&h2k->head) ||
           rk_word64_load(&control->probe) != rk_word64_load(&control->probe_seen) ||
           rk_word64_load(&control->abort_before) != exec->abort_seen;
}

bool gpu_lease_over(rk_exec *exec)
{
    if (rk_word_load_acquire(&exec->control->leased) == 0) {
        return false;
    }
    bool working = rk_word_load(&exec->control->state) == RK_KERNEL_RUNNING || host_waits(exec);
    exec->lease_pause_ns =
        working ? 0 : RK_MIN(RK_MAX(PAUSE_FIRST_NS, 2 * exec->lease_pause_ns), PAUSE_MAX_NS);
    exec->relaunch_ns = rk_clock_monotonic_ns() + exec->lease_pause_ns;
    exec->abort_seen = rk_word64_load(&exec->control->abort_before);
    return true;
}

rk_status gpu_lease_renew(rk_device *device, rk_exec *exec)
{
    if (rk_clock_monotonic_ns() < exec->relaunch_ns && !host_waits(exec)) {
        return RK_OK;
    }
    rk_control *control = exec->control;
    if (control->poller != 0) { /* the last thing that the loop did was to send the poller away */
        const rk_u32 stay = 0;
        rk_status status = gpu_copy_now(device, exec->arena, offsetof(rk_loop, poller_leave), NULL,
                                        &stay, sizeof stay);
        if (status != RK_OK) {
            return status;
        }
    }
    rk_word_store_release(&control->leased, 0);
    exec->relaunch_ns = 0;
    gpu_result result = gpu_exec_submit(exec);
    return result == 0 ? RK_OK : gpu_fail(device, result, NULL, "launching the kernel again");
}
