/*
 * fiber.c: many real lanes per block, for tests.
 *
 * Each lane is a fiber with a stack of its own; all fibers of a block share one thread and switch
 * only in lane_sync and at their end. A lane that forgets a barrier therefore sees what its
 * neighbours have not written yet, every time: mistakes that a GPU shows once in a million runs
 * show at once.
 *
 * Lanes run round robin, lane 0 first. A barrier is one full turn.
 */
#include "base/compiler.h"
#include "device/cpu/exec.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define FIBER_STACK_BYTES ((size_t)256 * 1024)

typedef struct rk_fiber {
    ucontext_t context;
    rk_ctx k;
    void *stack;
    bool ended;
} rk_fiber;

struct rk_fibers {
    rk_cpu_block *block;
    ucontext_t scheduler;
    uint32_t count;
    uint32_t current;
    bool panicked;
    rk_fiber lanes[];
};

rk_status rk_fibers_create(rk_cpu_block *block, uint32_t lanes, rk_fibers **out_fibers)
{
    rk_fibers *fibers = calloc(1, sizeof *fibers + lanes * sizeof fibers->lanes[0]);
    if (fibers == NULL) {
        return RK_NO_MEMORY;
    }
    fibers->block = block;
    fibers->count = lanes;
    for (uint32_t i = 0; i < lanes; i++) {
        void *stack = mmap(NULL, FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED) {
            rk_fibers_destroy(fibers);
            return RK_NO_MEMORY;
        }
        fibers->lanes[i].stack = stack;
    }
    *out_fibers = fibers;
    return RK_OK;
}

void rk_fibers_destroy(rk_fibers *fibers)
{
    if (fibers == NULL) {
        return;
    }
    for (uint32_t i = 0; i < fibers->count; i++) {
        if (fibers->lanes[i].stack != NULL) {
            (void)munmap(fibers->lanes[i].stack, FIBER_STACK_BYTES);
        }
    }
    free(fibers);
}

/* makecontext passes ints only: the pointer travels in two halves. */
static void lane_main(unsigned high, unsigned low)
{
    rk_fibers *fibers = (rk_fibers *)(((uintptr_t)high << 32) | (uintptr_t)low);
    rk_fiber *lane = &fibers->lanes[fibers->current];
    rk_cpu_exec *exec = fibers->block->exec;
    exec->entry(&lane->k, exec->arena, exec->mapped, exec->old);
    lane->ended = true;
    (void)setcontext(&fibers->scheduler);
}

/* Not inlined: getcontext returns twice as far as the compiler knows. */
static RK_NOINLINE void lane_prepare(rk_fibers *fibers, uint32_t i)
{
    uintptr_t self = (uintptr_t)fibers;
    rk_fiber *lane = &fibers->lanes[i];
    lane->k = fibers->block->context;
    lane->k.lane = i;
    lane->k.lane_count = fibers->count;
    lane->k.driver = fibers->block;
    lane->ended = false;
    (void)getcontext(&lane->context);
    lane->context.uc_stack.ss_sp = lane->stack;
    lane->context.uc_stack.ss_size = FIBER_STACK_BYTES;
    lane->context.uc_link = NULL;
    makecontext(&lane->context, (void (*)(void))lane_main, 2, (unsigned)(self >> 32),
                (unsigned)(self & 0xffffffffu));
}

void rk_fibers_run(rk_fibers *fibers)
{
    for (uint32_t i = 0; i < fibers->count; i++) {
        lane_prepare(fibers, i);
    }
    uint32_t running = fibers->count;
    while (running > 0 && !fibers->panicked) {
        running = 0;
        for (uint32_t i = 0; i < fibers->count && !fibers->panicked; i++) {
            if (!fibers->lanes[i].ended) {
                fibers->current = i;
                (void)swapcontext(&fibers->scheduler, &fibers->lanes[i].context);
                running += fibers->lanes[i].ended ? 0u : 1u;
            }
        }
    }
}

void rk_fibers_sync(rk_ctx *k)
{
    rk_fibers *fibers = ((rk_cpu_block *)k->driver)->fibers;
    (void)swapcontext(&fibers->lanes[k->lane].context, &fibers->scheduler);
}

void rk_fibers_leave(rk_ctx *k)
{
    rk_fibers *fibers = ((rk_cpu_block *)k->driver)->fibers;
    fibers->panicked = true;
    (void)setcontext(&fibers->scheduler);
    abort(); /* setcontext returns only when its argument is unusable */
}
