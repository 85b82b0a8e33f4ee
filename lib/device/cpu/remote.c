/*
 * remote.c: a kernel in threads that behaves as if it ran on a device of its own: it polls its
 * mailbox, and rings nobody.
 *
 * Invariants
 *   1. A kernel sees the host's words within NAP_MAX_NS, whether or not anybody rang.
 *   2. Only words in the kernel's arena are woken: sleepers there are its own blocks.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "device/cpu/exec.h"
#include <time.h>

#define LOOKS_BEFORE_NAP 2000u
#define NAP_MIN_NS 2000
#define NAP_MAX_NS 100000

static void leave_if_stopped(rk_ctx *k)
{
    if (rk_word_load_acquire(&((rk_cpu_block *)k->driver)->exec->stop) != 0) {
        rk_cpu_block_abandon(k);
    }
}

void rk_cpu_remote_idle(rk_ctx *k, rk_u32 (*ready)(rk_ctx *k))
{
    bool poller = k->block >= k->block_count; /* naps at once: it would take the others' CPU */
    int32_t blocks = poller ? 0 : (int32_t)k->block_count;
    for (unsigned i = 0; i < LOOKS_BEFORE_NAP && !poller && rk_wait_may_spin(); i++) {
        if (ready(k) != 0) {
            return;
        }
        rk_cpu_relax();
    }
    leave_if_stopped(k);
    rk_cpu_awake_add(-blocks);
    struct timespec nap = {.tv_nsec = NAP_MIN_NS};
    while (ready(k) == 0 && rk_word_load_acquire(&((rk_cpu_block *)k->driver)->exec->stop) == 0) {
        (void)nanosleep(&nap, NULL); /* an early end only makes it look sooner */
        nap.tv_nsec = RK_MIN(2 * nap.tv_nsec, NAP_MAX_NS);
    }
    rk_cpu_awake_add(blocks);
    leave_if_stopped(k);
}

void rk_cpu_remote_wake(rk_u32 *word)
{
    const rk_cpu_block *block = rk_cpu_block_current();
    const uint8_t *arena = block->exec->arena;
    uint64_t bytes = ((const rk_control *)block->exec->mapped)->arena_bytes;
    if ((const uint8_t *)word >= arena && (const uint8_t *)word < arena + bytes) {
        rk_wake(word, RK_WAKE_ALL);
    }
}
