/*
 * spin.h: a lock for a few instructions. It never sleeps, but gives the CPU away after a while, so
 * a holder that was interrupted can go on. Not recursive, not fair.
 */
#ifndef RK_BASE_SPIN_H
#define RK_BASE_SPIN_H

#include "base/compiler.h"
#include <sched.h>

typedef struct rk_spin {
    _Atomic uint32_t held;
} rk_spin;

RK_INLINE bool rk_spin_try_lock(rk_spin *spin)
{
    /* Acquire pairs with the release in rk_spin_unlock. */
    return atomic_exchange_explicit(&spin->held, 1, memory_order_acquire) == 0;
}

RK_INLINE void rk_spin_lock(rk_spin *spin)
{
    unsigned tries = 0;
    while (!rk_spin_try_lock(spin)) {
        while (atomic_load_explicit(&spin->held, memory_order_relaxed) != 0) {
            if (++tries % 64 == 0) {
                sched_yield();
            } else {
                rk_cpu_relax();
            }
        }
    }
}

RK_INLINE void rk_spin_unlock(rk_spin *spin)
{
    atomic_store_explicit(&spin->held, 0, memory_order_release);
}

#endif
