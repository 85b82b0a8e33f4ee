/*
 * probe.c: probes: a number in the mapped page that the kernel answers as soon as it sees it.
 */
#include "base/clock.h"
#include "base/spin.h"
#include "base/wait.h"
#include "core/bell.h"
#include "runtime/runtime_internal.h"
#include <time.h>

#define SPIN_LOOKS 20000u /* some 100 us; then the host sleeps between looks */
#define SLEEP_NS 50000

static uint64_t next_number(rk_control *control)
{
    rk_u64 last = rk_word64_load(&control->probe);
    while (!rk_word64_cas(&control->probe, &last, last + 1)) {
    }
    return last + 1;
}

rk_status rk_kernel_probe(rk_kernel *kernel, uint64_t timeout_ns, rk_probe *out_probe, rk_err *err)
{
    rk_control *control = kernel->control;
    uint64_t deadline_ns = timeout_ns == RK_FOREVER ? RK_NEVER : rk_clock_deadline_ns(timeout_ns);
    rk_probe probe = {.ticks_per_s = control->ticks_per_s};
    probe.sent_ns = rk_clock_monotonic_ns();
    uint64_t number = next_number(control);
    rk_bell_notify(&control->bell);
    for (uint32_t look = 0; rk_word64_load_acquire(&control->probe_seen) < number; look++) {
        if (rk_word_load_acquire(&kernel->resident) == 0) {
            return rk_err_set(err, RK_STATE, "kernel '%s' is not on its device: %s", kernel->name,
                              rk_kernel_state_text(rk_kernel_state(kernel)));
        }
        if (look < SPIN_LOOKS && rk_wait_may_spin()) {
            rk_cpu_relax();
            continue;
        }
        if (rk_clock_monotonic_ns() >= deadline_ns) {
            return rk_err_set(err, RK_TIMEOUT,
                              "kernel '%s' has not answered a probe in time: it passes no safe "
                              "point, or its device is stuck",
                              kernel->name);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL); /* looks again at once */
    }
    probe.device_ticks = rk_word64_load(&control->probe_ticks);
    probe.seen_ns = rk_clock_monotonic_ns();
    *out_probe = probe;
    return RK_OK;
}
