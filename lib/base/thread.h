/*
 * thread.h: threads, locks and the number of CPUs that this process may use.
 */
#ifndef RK_BASE_THREAD_H
#define RK_BASE_THREAD_H

#include <pthread.h>
#include <ringkernel/status.h>

typedef void (*rk_thread_fn)(void *arg);

/* A started thread. The caller owns the storage and keeps it in place until rk_thread_join. */
typedef struct rk_thread {
    pthread_t handle;
    rk_thread_fn run;
    void *arg;
    char name[16]; /* as shown by ps and gdb */
    bool started;
} rk_thread;

/*
 * Runs fn(arg) in a new thread. A name longer than 15 bytes is cut. The thread takes no signals
 * except those that its own faults raise, so handlers run in the program's own threads. RK_LIMIT if
 * the system allows no more threads, RK_NO_MEMORY, RK_PERMISSION.
 */
rk_status rk_thread_start(rk_thread *thread, const char *name, rk_thread_fn fn, void *arg);

/* Waits for the thread's end. Does nothing if it was not started or is joined already. */
void rk_thread_join(rk_thread *thread);

/*
 * CPUs that this process may use, at least 1: the affinity mask, and the cgroup's CPU quota rounded
 * up. Measured by the first caller and kept: call it before pinning the main thread.
 */
unsigned rk_thread_cpu_count(void);

/*
 * Binds the calling thread to the CPU with this number (as in /proc/cpuinfo). RK_INVALID if the
 * process may not use it or there is none.
 */
rk_status rk_thread_pin(unsigned cpu);

/*
 * Asks the scheduler to give the calling thread short turns of about slice_ns (100 us to 100 ms),
 * in exchange for which it runs soon after it has been woken, even where every CPU computes. Its
 * share of the CPU stays the same. For threads under the default policy on Linux 6.12 or later;
 * elsewhere, or where the system refuses, nothing changes.
 */
void rk_thread_prefer_short_turns(uint64_t slice_ns);

/*
 * The CPU numbers that the process may use, ascending: fills at most capacity; returns how many
 * there are.
 */
unsigned rk_thread_cpus(unsigned *out_cpus, unsigned capacity);

/* A lock that sleeps; not recursive. Misuse (unlock by another thread, finish while held) asserts.
 */
typedef struct rk_mutex {
    pthread_mutex_t handle;
} rk_mutex;

/* clang-format off */
#define RK_MUTEX_INIT {PTHREAD_MUTEX_INITIALIZER}
#define RK_COND_INIT {PTHREAD_COND_INITIALIZER}
/* clang-format on */

void rk_mutex_init(rk_mutex *mutex);
void rk_mutex_finish(rk_mutex *mutex);
void rk_mutex_lock(rk_mutex *mutex);
/* False if another thread holds it. */
bool rk_mutex_try_lock(rk_mutex *mutex);
void rk_mutex_unlock(rk_mutex *mutex);

typedef struct rk_cond {
    pthread_cond_t handle;
} rk_cond;

void rk_cond_init(rk_cond *cond);
void rk_cond_finish(rk_cond *cond);
void rk_cond_wait(rk_cond *cond, rk_mutex *mutex);

/*
 * RK_TIMEOUT when deadline_ns (rk_clock_monotonic_ns; RK_NEVER for none) has passed, else RK_OK. As
 * with any condition variable RK_OK may come without cause: wait in a loop over the condition.
 */
rk_status rk_cond_wait_until(rk_cond *cond, rk_mutex *mutex, uint64_t deadline_ns);
void rk_cond_signal(rk_cond *cond);
void rk_cond_broadcast(rk_cond *cond);

#endif
