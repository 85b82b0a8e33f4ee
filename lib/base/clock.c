/*
 * clock.c: the clock table, the system's clock and the test clock.
 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_clock_ns(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    assert(result == 0); /* both clocks exist on every Linux */
    (void)result;
    return (uint64_t)now.tv_sec * RK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_monotonic_ns(void *context)
{
    (void)context;
    return read_clock_ns(CLOCK_MONOTONIC);
}

static uint64_t system_realtime_ns(void *context)
{
    (void)context;
    return read_clock_ns(CLOCK_REALTIME);
}

static const rk_clock_ops system_clock = {
    .monotonic_ns = system_monotonic_ns,
    .realtime_ns = system_realtime_ns,
};

static const rk_clock_ops *_Atomic current_clock = &system_clock;

/* Acquire pairs with the release in rk_clock_install: the table is seen as the installer filled it.
 */
static const rk_clock_ops *current(void)
{
    return atomic_load_explicit(&current_clock, memory_order_acquire);
}

uint64_t rk_clock_monotonic_ns(void)
{
    const rk_clock_ops *ops = current();
    return ops->monotonic_ns(ops->context);
}

uint64_t rk_clock_realtime_ns(void)
{
    const rk_clock_ops *ops = current();
    return ops->realtime_ns(ops->context);
}

uint64_t rk_clock_system_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

uint64_t rk_clock_deadline_ns(uint64_t timeout_ns)
{
    uint64_t deadline_ns;
    if (timeout_ns == RK_NEVER || !rk_size_add(rk_clock_monotonic_ns(), timeout_ns, &deadline_ns)) {
        return RK_NEVER;
    }
    return deadline_ns;
}

void rk_clock_install(const rk_clock_ops *ops)
{
    atomic_store_explicit(&current_clock, ops == NULL ? &system_clock : ops, memory_order_release);
}

bool rk_clock_is_system(void)
{
    return current() == &system_clock;
}

static uint64_t test_monotonic_ns(void *context)
{
    rk_test_clock *clock = context;
    return atomic_load_explicit(&clock->monotonic_ns, memory_order_acquire);
}

static uint64_t test_realtime_ns(void *context)
{
    rk_test_clock *clock = context;
    return atomic_load_explicit(&clock->realtime_ns, memory_order_acquire);
}

void rk_test_clock_install(rk_test_clock *clock, uint64_t monotonic_ns, uint64_t realtime_ns)
{
    clock->ops = (rk_clock_ops){test_monotonic_ns, test_realtime_ns, clock};
    atomic_init(&clock->monotonic_ns, monotonic_ns);
    atomic_init(&clock->realtime_ns, realtime_ns);
    rk_clock_install(&clock->ops);
}

/*
 * Release pairs with the acquire of the reads: who sees the new time sees what came before the
 * step.
 */
void rk_test_clock_step(rk_test_clock *clock, uint64_t ns)
{
    atomic_fetch_add_explicit(&clock->monotonic_ns, ns, memory_order_release);
    atomic_fetch_add_explicit(&clock->realtime_ns, ns, memory_order_release);
}

void rk_test_clock_set_realtime(rk_test_clock *clock, uint64_t realtime_ns)
{
    atomic_store_explicit(&clock->realtime_ns, realtime_ns, memory_order_release);
}

void rk_test_clock_remove(rk_test_clock *clock)
{
    if (current() == &clock->ops) {
        rk_clock_install(NULL);
    }
}
