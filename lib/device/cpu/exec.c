/*
 * exec.c: runs kernels as threads of this process.
 *
 * Invariants
 *   1. A block's thread does nothing but run rk_module_entry; it leaves when the loop does, or
 *      when a panic jumps out of a handler.
 *   2. The block that leaves last rings the K2H bell (so that the host looks at the state again),
 *      calls on_exit and then publishes `left`; after that nobody touches the exec but its owner.
 *   3. How long a block polls before it sleeps depends on how many blocks are awake: with more
 *      blocks than CPUs, polling takes the CPU from the one that is waited for.
 */
#include "device/cpu/exec.h"
#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "core/bell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_BEFORE_CLOCK 64u
#define SPIN_IDLE_NS 20000u
#define SILENCE_NS 200000u
#define SPIN_BARRIER_NS 100000u
#define SPIN_SHORT_NS 2000u
/* With the usual turns a kernel that a command wakes waits up to a tick (4 ms) for a busy CPU. */
#define TURN_NS 100000u

/* Blocks that are not asleep in idle: the ones that compete for CPUs. */
static _Atomic uint32_t awake_blocks;
static RK_THREAD_LOCAL rk_cpu_block *current_block;

rk_cpu_block *rk_cpu_block_current(void)
{
    return current_block;
}

void rk_cpu_awake_add(int32_t blocks)
{
    (void)atomic_fetch_add_explicit(&awake_blocks, (uint32_t)blocks, memory_order_relaxed);
}

static bool crowded(void)
{
    return atomic_load_explicit(&awake_blocks, memory_order_relaxed) > rk_thread_cpu_count();
}

/* ---- The environment of a kernel --------------------------------------------------------- */

static rk_u64 env_now_ns(void)
{
    /* Not through the replaceable clock: this measures where time goes, it decides nothing. */
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * RK_NS_PER_S + (rk_u64)now.tv_nsec;
}

typedef struct idle_question {
    rk_ctx *k;
    rk_u32 (*ready)(rk_ctx *k);
} idle_question;

static bool idle_ready(void *context)
{
    const idle_question *question = context;
    return question->ready(question->k) != 0;
}

/*
 * A command after a long silence is probably alone, and its sender may share this CPU and go on
 * only when the kernel sleeps again: then it polls for a short time.
 */
static void env_idle(rk_ctx *k, rk_u32 (*ready)(rk_ctx *k))
{
    rk_cpu_exec *exec = ((rk_cpu_block *)k->driver)->exec;
    idle_question question = {k, ready};
    if (k->block >= k->block_count) {
        /* A poller does no work of its own: it sleeps at once. */
        (void)rk_bell_wait(&k->words->bell, idle_ready, &question, RK_NEVER, 0);
        return;
    }
    for (unsigned i = 0; i < LOOKS_BEFORE_CLOCK; i++) {
        if (ready(k) != 0) {
            return;
        }
        rk_cpu_relax();
    }
    bool late = atomic_load_explicit(&exec->woken_late, memory_order_relaxed);
    unsigned spin_ns = late || crowded() ? SPIN_SHORT_NS : SPIN_IDLE_NS;
    (void)atomic_fetch_sub_explicit(&awake_blocks, k->block_count, memory_order_relaxed);
    uint64_t start_ns = env_now_ns();
    /* Never times out; damage to the bell would only make it return early, and the loop asks
     * again. */
    (void)rk_bell_wait(&k->words->bell, idle_ready, &question, RK_NEVER, spin_ns);
    atomic_store_explicit(&exec->woken_late, env_now_ns() - start_ns > SILENCE_NS,
                          memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&awake_blocks, k->block_count, memory_order_relaxed);
}

static void env_wait(rk_ctx *k, rk_u32 *word, rk_u32 seen, rk_u32 *sleepers)
{
    (void)k;
    unsigned spin_ns = crowded() ? SPIN_SHORT_NS : SPIN_BARRIER_NS;
    (void)rk_wait_while_equal_parked(word, seen, RK_NEVER, spin_ns, sleepers);
}

static void env_wake(rk_u32 *word)
{
    rk_wake(word, RK_WAKE_ALL);
}

/* Lets the blocks that wait at the barrier see `failed`. */
static void release_blocks(rk_loop *loop)
{
    rk_word_store_release(&loop->failed, 1);
    (void)rk_word_add(&loop->generation, 1);
    rk_wake(&loop->generation, RK_WAKE_ALL);
}

void rk_cpu_block_abandon(rk_ctx *k)
{
    rk_cpu_block *block = k->driver;
    if (block->fibers != NULL) {
        rk_fibers_leave(k);
    }
    longjmp(block->leave, 1);
}

static void env_panic(rk_ctx *k, rk_u32 code, const char *text)
{
    rk_cpu_block *block = k->driver;
    rk_control *control = k->words;
    rk_u32 none = 0;
    if (rk_word_cas(&block->exec->recorded, &none, 1)) {
        control->fault_code = code;
        control->fault_step = k->loop->step;
        control->fault_block = block->index;
        (void)snprintf((char *)control->panic_text, sizeof control->panic_text, "%s",
                       text != NULL ? text : "");
        rk_word_store_release(&((rk_peer *)(k->arena + control->peer))->closed, 1);
        rk_word_store_release(&control->exit_code, code);
        rk_word_store_release(&control->fault_kind, RK_FAULT_PANIC);
        rk_word_store_release(&control->state, RK_KERNEL_PANICKED);
    }
    release_blocks(k->loop);
    rk_cpu_block_abandon(k);
}

static void env_lane_sync(rk_ctx *k)
{
    if (((rk_cpu_block *)k->driver)->fibers != NULL) {
        rk_fibers_sync(k);
    }
}

/* ---- Blocks ------------------------------------------------------------------------------ */

/* What a STATS command would publish (kernel/commands.h), also when the kernel ends without one. */
static void counters_publish(rk_control *control, const rk_loop *loop)
{
    rk_counters now = loop->counters;
    now.step = loop->step;
    const rk_route *routes = (const rk_route *)((const uint8_t *)loop + control->routes);
    for (uint32_t i = 0; i < control->route_count; i++) {
        now.k2k_sent += rk_word_load(&routes[i].sent);
        now.k2k_refused += rk_word_load(&routes[i].refused);
    }
    const rk_u64 *from = &now.step;
    rk_u64 *to = &control->counters.step;
    for (size_t i = 0; i < sizeof now / sizeof *from; i++) { /* word by word: it may be read */
        rk_word64_store(&to[i], from[i]);
    }
}

static void block_leave(rk_cpu_exec *exec)
{
    (void)atomic_fetch_sub_explicit(&awake_blocks, 1, memory_order_relaxed);
    if (__atomic_sub_fetch(&exec->live, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    if (!exec->remote) {
        rk_control *control = (rk_control *)exec->mapped;
        rk_loop *loop = (rk_loop *)exec->arena;
        counters_publish(control, loop);
        rk_word_store_release(&control->exits, control->exits + 1);
        rk_ring *k2h = (rk_ring *)(exec->mapped + control->k2h);
        rk_bell_ring((rk_bell *)((uint8_t *)k2h + k2h->consumer_bell));
    }
    if (exec->on_exit != NULL) {
        exec->on_exit(exec->on_exit_context);
    }
    rk_word_store_release(&exec->left, 1);
    rk_wake(&exec->left, RK_WAKE_ALL);
}

static void block_main(void *argument)
{
    rk_cpu_block *block = argument;
    rk_cpu_exec *exec = block->exec;
    void *fault_stack = NULL;
    /* Without a stack of its own the handler uses the thread's: all but a stack overflow is
     * reported. */
    (void)rk_cpu_fault_thread_enter(&fault_stack);
    rk_thread_prefer_short_turns(TURN_NS);
    current_block = block;
    block->context.loop = (rk_loop *)exec->arena;
    if (setjmp(block->leave) == 0) {
        if (block->fibers != NULL) {
            rk_fibers_run(block->fibers);
        } else {
            exec->entry(&block->context, exec->arena, exec->mapped, exec->old);
        }
    }
    current_block = NULL;
    rk_cpu_fault_thread_leave(fault_stack);
    block_leave(exec);
}

static rk_status blocks_prepare(rk_cpu_exec *exec, uint32_t lanes)
{
    for (uint32_t i = 0; i < exec->block_count; i++) {
        rk_cpu_block *block = &exec->blocks[i];
        block->exec = exec;
        block->index = i;
        block->context.block = i;
        block->context.lane_count = 1;
        block->context.env = &exec->env;
        block->context.driver = block;
        if (exec->shared_bytes > 0) {
            uint64_t bytes = ((uint64_t)exec->shared_bytes + 63u) & ~(uint64_t)63u;
            block->shared = aligned_alloc(64, bytes);
            if (block->shared == NULL) {
                return RK_NO_MEMORY;
            }
            block->context.shared = block->shared;
        }
        if (lanes > 0) {
            rk_status status = rk_fibers_create(block, lanes, &block->fibers);
            if (status != RK_OK) {
                return status;
            }
        }
    }
    return RK_OK;
}

static void exec_free(rk_cpu_exec *exec)
{
    for (uint32_t i = 0; exec->blocks != NULL && i < exec->block_count; i++) {
        free(exec->blocks[i].shared);
        rk_fibers_destroy(exec->blocks[i].fibers);
    }
    free(exec->blocks);
    free(exec);
}

/*
 * Starts the threads. When the system allows no more, those that run are told to leave again; exec
 * then looks as if nothing had been started.
 */
static rk_status blocks_start(rk_cpu_exec *exec, rk_err *err)
{
    for (uint32_t i = 0; i < exec->block_count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%.10s/%u", exec->name, i % 1000);
        rk_status status =
            rk_thread_start(&exec->blocks[i].thread, name, block_main, &exec->blocks[i]);
        if (status == RK_OK) {
            continue;
        }
        exec->on_exit = NULL;
        uint32_t missing = exec->block_count - i;
        release_blocks((rk_loop *)exec->arena);
        (void)atomic_fetch_sub_explicit(&awake_blocks, missing, memory_order_relaxed);
        (void)__atomic_sub_fetch(&exec->live, missing, __ATOMIC_ACQ_REL);
        for (uint32_t j = 0; j < i; j++) {
            rk_thread_join(&exec->blocks[j].thread);
        }
        return rk_err_set(
            err, status,
            "cannot start block %u of %u of kernel '%s': %s; use fewer blocks or raise the "
            "limit on threads (ulimit -u)",
            i, exec->block_count, exec->name, rk_status_text(status));
    }
    return RK_OK;
}

/* The inbox lies in the arena, its bell in the mapped page: their distance is this process's. */
static void inbox_set_bell(rk_cpu_exec *exec)
{
    rk_control *control = (rk_control *)exec->mapped;
    rk_peer *peer = (rk_peer *)(exec->arena + control->peer);
    rk_ring *inbox = (rk_ring *)((uint8_t *)peer + peer->inbox);
    inbox->consumer_bell = (rk_u64)((uintptr_t)&control->bell - (uintptr_t)inbox);
}

rk_status rk_cpu_exec_start(const rk_cpu_launch *launch, rk_cpu_exec **out_exec, rk_err *err)
{
    const char *name = launch->name;
    uint32_t lanes = launch->lanes;
    rk_cpu_fault_install();
    rk_bell_setup();
    rk_cpu_exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to launch kernel '%s'", name);
    }
    (void)snprintf(exec->name, sizeof exec->name, "%s", name);
    exec->entry = launch->code->entry;
    exec->shared_bytes = launch->code->shared_bytes;
    exec->arena = launch->arena;
    exec->mapped = launch->mapped;
    exec->old = launch->old;
    exec->block_count = launch->grid;
    exec->live = launch->grid;
    exec->remote = launch->remote;
    exec->on_exit = launch->on_exit;
    exec->on_exit_context = launch->context;
    inbox_set_bell(exec);
    exec->env = (rk_env){
        .abi_version = RK_ABI_VERSION,
        .lanes = lanes > 0 ? lanes : 1,
        .now_ns = env_now_ns,
        .idle = exec->remote ? rk_cpu_remote_idle : env_idle,
        .wait = env_wait,
        .wake = exec->remote ? rk_cpu_remote_wake : env_wake,
        .panic = env_panic,
        .lane_sync = env_lane_sync,
    };
    exec->blocks = calloc(exec->block_count, sizeof exec->blocks[0]);
    rk_status status = exec->blocks != NULL ? blocks_prepare(exec, lanes) : RK_NO_MEMORY;
    if (status != RK_OK) {
        exec_free(exec);
        return rk_err_set(err, status, "no memory for %u blocks of kernel '%s'", launch->grid,
                          name);
    }
    (void)atomic_fetch_add_explicit(&awake_blocks, exec->block_count, memory_order_relaxed);
    status = blocks_start(exec, err);
    if (status != RK_OK) {
        exec_free(exec);
        return status;
    }
    *out_exec = exec;
    return RK_OK;
}

void rk_cpu_exec_stop(rk_cpu_exec *exec)
{
    rk_word_store_release(&exec->stop, 1);
    release_blocks((rk_loop *)exec->arena);
}

rk_status rk_cpu_exec_wait(rk_cpu_exec *exec, uint64_t deadline_ns)
{
    return rk_wait_while_equal(&exec->left, 0, deadline_ns, 0);
}

void rk_cpu_exec_destroy(rk_cpu_exec *exec)
{
    if (exec == NULL) {
        return;
    }
    for (uint32_t i = 0; i < exec->block_count; i++) {
        rk_thread_join(&exec->blocks[i].thread);
    }
    exec_free(exec);
}

rk_status rk_cpu_exec_connect(rk_cpu_exec *from, uint32_t route, rk_cpu_exec *to, rk_err *err)
{
    const rk_control *control = (const rk_control *)from->mapped;
    const rk_control *there = (const rk_control *)to->mapped;
    if (route >= control->route_count) {
        return rk_err_set(err, RK_LIMIT, "kernel '%s' has %u routes, route %u does not exist",
                          from->name, control->route_count, route);
    }
    rk_route *entry = (rk_route *)(from->arena + control->routes) + route;
    rk_u64 peer = (rk_u64)(uintptr_t)(to->arena + there->peer);
    if (rk_word_load(&entry->state) == 1 && entry->peer == peer &&
        entry->kernel_id == there->kernel_id) {
        return RK_OK; /* sends that are under way must not find it closed in between */
    }
    rk_word_store_release(&entry->state, 0);
    entry->peer = peer;
    entry->kernel_id = there->kernel_id;
    entry->tenant = there->tenant;
    entry->generation++;
    rk_word_store_release(&entry->state, 1);
    return RK_OK;
}
