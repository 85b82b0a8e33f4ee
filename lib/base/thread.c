/*
 * thread.c: threads, affinity, locks.
 */
#include "base/thread.h"

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/errno.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A replaced clock cannot time a wait in the system: look at it again this often. */
#define TEST_CLOCK_SLICE_NS RK_NS_PER_MS
#define MOST_CPUS (1u << 20)

static void *thread_main(void *arg)
{
    rk_thread *thread = arg;
    /* Fails only for a name that is too long; start() has cut it. */
    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->arg);
    return NULL;
}

rk_status rk_thread_start(rk_thread *thread, const char *name, rk_thread_fn fn, void *arg)
{
    *thread = (rk_thread){.run = fn, .arg = arg};
    (void)snprintf(thread->name, sizeof thread->name, "%s", name); /* cut on purpose */
    /* A new thread inherits the mask: block everything but faults while it is made. */
    sigset_t mask;
    sigset_t old;
    sigfillset(&mask);
    sigdelset(&mask, SIGSEGV);
    sigdelset(&mask, SIGBUS);
    sigdelset(&mask, SIGFPE);
    sigdelset(&mask, SIGILL);
    sigdelset(&mask, SIGTRAP);
    sigdelset(&mask, SIGSYS);
    int error = pthread_sigmask(SIG_SETMASK, &mask, &old);
    assert(error == 0);
    error = pthread_create(&thread->handle, NULL, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL); /* cannot fail with a mask it has just given */
    if (error == EAGAIN) {
        return RK_LIMIT;
    }
    thread->started = error == 0;
    return rk_status_of_errno(error);
}

void rk_thread_join(rk_thread *thread)
{
    if (thread->started) {
        int error = pthread_join(thread->handle, NULL);
        assert(error == 0); /* joining oneself, or twice, is our own bug */
        (void)error;
        thread->started = false;
    }
}

/* The process's mask, in a set that the caller frees with CPU_FREE; NULL if there is no memory. */
static cpu_set_t *process_cpus(unsigned *out_capacity)
{
    for (unsigned capacity = 1024; capacity <= MOST_CPUS; capacity *= 2) {
        cpu_set_t *set = CPU_ALLOC(capacity);
        if (set == NULL) {
            return NULL;
        }
        /* The mask of the main thread: other threads may be pinned. */
        if (sched_getaffinity(getpid(), CPU_ALLOC_SIZE(capacity), set) == 0) {
            *out_capacity = capacity;
            return set;
        }
        CPU_FREE(set); /* EINVAL: the system has more CPUs than the set */
    }
    return NULL;
}

unsigned rk_thread_cpus(unsigned *out_cpus, unsigned capacity)
{
    unsigned set_capacity = 0;
    cpu_set_t *set = process_cpus(&set_capacity);
    if (set == NULL) {
        if (capacity > 0) {
            out_cpus[0] = 0;
        }
        return 1;
    }
    unsigned count = 0;
    for (unsigned cpu = 0; cpu < set_capacity; cpu++) {
        if (CPU_ISSET_S(cpu, CPU_ALLOC_SIZE(set_capacity), set)) {
            if (count < capacity) {
                out_cpus[count] = cpu;
            }
            count++;
        }
    }
    CPU_FREE(set);
    return count;
}

unsigned rk_thread_cpu_count(void)
{
    static _Atomic unsigned cached;
    unsigned count = atomic_load_explicit(&cached, memory_order_relaxed);
    if (count == 0) {
        count = RK_MAX(rk_thread_cpus(NULL, 0), 1u);
        unsigned quota = rk_cgroup_cpu_limit("/proc/self/cgroup", "/sys/fs/cgroup");
        count = quota > 0 ? RK_MIN(count, quota) : count;
        atomic_store_explicit(&cached, count, memory_order_relaxed);
    }
    return count;
}

rk_status rk_thread_pin(unsigned cpu)
{
    (void)rk_thread_cpu_count(); /* measured before the mask shrinks */
    if (cpu >= MOST_CPUS) {
        return RK_INVALID;
    }
    cpu_set_t *set = CPU_ALLOC(cpu + 1);
    if (set == NULL) {
        return RK_NO_MEMORY;
    }
    size_t size = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S(cpu, size, set);
    int error = pthread_setaffinity_np(pthread_self(), size, set);
    CPU_FREE(set);
    return rk_status_of_errno(error);
}

/* struct sched_attr of the system's first version; not every libc has it. */
typedef struct sched_words {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
} sched_words;

void rk_thread_prefer_short_turns(uint64_t slice_ns)
{
    sched_words words = {.size = sizeof words};
    if (syscall(SYS_sched_getattr, 0, &words, sizeof words, 0) != 0 ||
        words.policy != SCHED_OTHER) {
        return;
    }
    words.runtime_ns = slice_ns;
    (void)syscall(SYS_sched_setattr, 0, &words, 0); /* a wish: see the header */
}

/* Locks fail only by misuse, which is our own bug. */
static void check(int error)
{
    assert(error == 0);
    (void)error;
}

void rk_mutex_init(rk_mutex *mutex)
{
    check(pthread_mutex_init(&mutex->handle, NULL));
}

void rk_mutex_finish(rk_mutex *mutex)
{
    check(pthread_mutex_destroy(&mutex->handle));
}

void rk_mutex_lock(rk_mutex *mutex)
{
    check(pthread_mutex_lock(&mutex->handle));
}

bool rk_mutex_try_lock(rk_mutex *mutex)
{
    int error = pthread_mutex_trylock(&mutex->handle);
    check(error == EBUSY ? 0 : error);
    return error == 0;
}

void rk_mutex_unlock(rk_mutex *mutex)
{
    check(pthread_mutex_unlock(&mutex->handle));
}

void rk_cond_init(rk_cond *cond)
{
    check(pthread_cond_init(&cond->handle, NULL));
}

void rk_cond_finish(rk_cond *cond)
{
    check(pthread_cond_destroy(&cond->handle));
}

void rk_cond_wait(rk_cond *cond, rk_mutex *mutex)
{
    check(pthread_cond_wait(&cond->handle, &mutex->handle));
}

rk_status rk_cond_wait_until(rk_cond *cond, rk_mutex *mutex, uint64_t deadline_ns)
{
    if (deadline_ns == RK_NEVER) {
        rk_cond_wait(cond, mutex);
        return RK_OK;
    }
    while (rk_clock_monotonic_ns() < deadline_ns) {
        struct timespec until;
        if (rk_clock_is_system()) {
            until.tv_sec = (time_t)(deadline_ns / RK_NS_PER_S);
            until.tv_nsec = (long)(deadline_ns % RK_NS_PER_S);
        } else {
            (void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail */
            uint64_t slice_ns = (uint64_t)until.tv_nsec + TEST_CLOCK_SLICE_NS;
            until.tv_sec += (time_t)(slice_ns / RK_NS_PER_S);
            until.tv_nsec = (long)(slice_ns % RK_NS_PER_S);
        }
        int error = pthread_cond_clockwait(&cond->handle, &mutex->handle, CLOCK_MONOTONIC, &until);
        if (error != ETIMEDOUT) {
            check(error);
            return RK_OK;
        }
    }
    return RK_TIMEOUT;
}

void rk_cond_signal(rk_cond *cond)
{
    check(pthread_cond_signal(&cond->handle));
}

void rk_cond_broadcast(rk_cond *cond)
{
    check(pthread_cond_broadcast(&cond->handle));
}
