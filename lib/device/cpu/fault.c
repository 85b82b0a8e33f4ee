/*
 * fault.c: an invalid access inside a kernel.
 *
 * The process cannot go on: memory may be damaged. What can be done is done before it ends, with
 * async-signal-safe calls only: the record in the control block (which outlives the process when
 * it is shared memory) and one report on standard error: kernel, step, address, backtrace. Then
 * the signal takes its default course. A fault outside a kernel goes to whoever handled it before.
 */
#include "abi/word.h"
#include "device/cpu/exec.h"
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FAULT_STACK_BYTES ((size_t)64 * 1024)

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction previous[RK_COUNT_OF(fault_signals)];
/* The first fault is reported whole; set once, since it ends the process. */
static atomic_flag reporting = ATOMIC_FLAG_INIT;
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

/* A line of text built without the C library's formatting, which is not async-signal-safe. */
typedef struct line {
    char text[256];
    size_t used;
} line;

static void line_text(line *out, const char *text)
{
    while (*text != '\0' && out->used < sizeof out->text) {
        out->text[out->used++] = *text++;
    }
}

static void line_number(line *out, uint64_t value, unsigned base)
{
    char digits[24];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0 && out->used < sizeof out->text) {
        out->text[out->used++] = digits[--count];
    }
}

static const char *signal_text(int number)
{
    switch (number) {
    case SIGSEGV: return "invalid memory access (SIGSEGV)";
    case SIGBUS: return "bus error (SIGBUS)";
    case SIGFPE: return "arithmetic fault (SIGFPE)";
    default: return "illegal instruction (SIGILL)";
    }
}

static void report(const rk_cpu_block *block, int number, uint64_t address, void **frames,
                   int count)
{
    line out = {.used = 0};
    line_text(&out, "ringkernel: kernel '");
    line_text(&out, block->exec->name);
    line_text(&out, "': ");
    line_text(&out, signal_text(number));
    line_text(&out, " at address 0x");
    line_number(&out, address, 16);
    line_text(&out, ", step ");
    line_number(&out, ((const rk_loop *)block->exec->arena)->step, 10);
    line_text(&out, ", block ");
    line_number(&out, block->index, 10);
    line_text(&out, "; backtrace:\n");
    /* Nothing can be done about a closed standard error here. */
    (void)!write(STDERR_FILENO, out.text, out.used);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

static void on_fault(int number, siginfo_t *info, void *machine)
{
    rk_cpu_block *block = rk_cpu_block_current();
    if (block == NULL) {
        for (size_t i = 0; i < RK_COUNT_OF(fault_signals); i++) {
            if (fault_signals[i] == number) {
                if ((previous[i].sa_flags & SA_SIGINFO) != 0 && previous[i].sa_sigaction != NULL) {
                    previous[i].sa_sigaction(number, info, machine);
                    return;
                }
                (void)sigaction(number, &previous[i], NULL);
            }
        }
        return; /* the access is tried again under the previous disposition */
    }
    rk_control *control = (rk_control *)block->exec->mapped;
    if (atomic_flag_test_and_set(&reporting)) {
        for (;;) {
            (void)pause(); /* another thread is reporting, and will end the process */
        }
    }
    void *frames[RK_BACKTRACE_MAX];
    int count = backtrace(frames, RK_BACKTRACE_MAX);
    rk_u32 none = 0;
    if (rk_word_cas(&block->exec->recorded, &none, 1)) {
        control->fault_code = (rk_u32)number;
        control->fault_step = ((const rk_loop *)block->exec->arena)->step;
        control->fault_address = (rk_u64)(uintptr_t)info->si_addr;
        control->fault_block = block->index;
        control->backtrace_count = (rk_u32)count;
        for (int i = 0; i < count; i++) {
            control->backtrace[i] = (rk_u64)(uintptr_t)frames[i];
        }
        __atomic_store_n(&control->fault_kind, RK_FAULT_SIGNAL, __ATOMIC_RELEASE);
        __atomic_store_n(&control->state, (rk_u32)RK_KERNEL_FAULTED, __ATOMIC_RELEASE);
    }
    report(block, number, (uint64_t)(uintptr_t)info->si_addr, frames, count);
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    (void)sigaction(number, &standard, NULL);
    if (info->si_code <= 0) {
        (void)raise(number); /* sent by kill: there is no access that would be repeated */
    }
    /* Returning repeats the access, which now ends the process with the right signal. */
}

/* Called at every launch: a program may have put a handler of its own in front since. */
void rk_cpu_fault_install(void)
{
    (void)pthread_mutex_lock(&install_lock);
    void *frames[2];
    (void)backtrace(frames, 2); /* loads the unwinder now: it may not be loaded in a handler */
    for (size_t i = 0; i < RK_COUNT_OF(fault_signals); i++) {
        struct sigaction now;
        if (sigaction(fault_signals[i], NULL, &now) == 0 && now.sa_sigaction != on_fault) {
            struct sigaction action;
            memset(&action, 0, sizeof action);
            action.sa_sigaction = on_fault;
            action.sa_flags = SA_SIGINFO | SA_ONSTACK;
            (void)sigemptyset(&action.sa_mask);
            previous[i] = now;
            (void)sigaction(fault_signals[i], &action, NULL);
        }
    }
    (void)pthread_mutex_unlock(&install_lock);
}

rk_status rk_cpu_fault_thread_enter(void **out_stack)
{
    void *memory =
        mmap(NULL, FAULT_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return RK_NO_MEMORY;
    }
    stack_t stack = {.ss_sp = memory, .ss_size = FAULT_STACK_BYTES};
    if (sigaltstack(&stack, NULL) != 0) {
        (void)munmap(memory, FAULT_STACK_BYTES);
        return RK_INTERNAL;
    }
    *out_stack = memory;
    return RK_OK;
}

void rk_cpu_fault_thread_leave(void *stack)
{
    if (stack == NULL) {
        return;
    }
    stack_t none = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&none, NULL);
    (void)munmap(stack, FAULT_STACK_BYTES);
}
