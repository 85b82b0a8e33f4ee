/*
 * Clocks, waiting and waking, threads, locks, CPU counts.
 */
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/test_folder.h"
#include "base/thread.h"
#include "base/wait.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_clock_stands_still(void **state)
{
    (void)state;
    assert_true(rk_clock_is_system());
    uint64_t before = rk_clock_monotonic_ns();
    assert_true(rk_clock_monotonic_ns() >= before);
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 5000);
    assert_false(rk_clock_is_system());
    assert_int_equal(rk_clock_monotonic_ns(), 1000);
    assert_int_equal(rk_clock_realtime_ns(), 5000);
    rk_test_clock_step(&clock, 10);
    assert_int_equal(rk_clock_monotonic_ns(), 1010);
    assert_int_equal(rk_clock_realtime_ns(), 5010);
    rk_test_clock_set_realtime(&clock, 7);
    assert_int_equal(rk_clock_realtime_ns(), 7);
    assert_int_equal(rk_clock_monotonic_ns(), 1010);
    assert_int_equal(rk_clock_deadline_ns(5), 1015);
    assert_int_equal(rk_clock_deadline_ns(RK_NEVER), RK_NEVER);
    assert_int_equal(rk_clock_deadline_ns(RK_NEVER - 500), RK_NEVER);
    rk_test_clock_remove(&clock);
    assert_true(rk_clock_is_system());
    assert_true(rk_clock_monotonic_ns() >= before);
}

static void test_wait_looks_first(void **state)
{
    (void)state;
    uint32_t word = 5;
    assert_int_equal(rk_wait_while_equal(&word, 4, 0, 0), RK_OK);
    assert_int_equal(rk_wait_while_equal(&word, 4, RK_NEVER, 1000), RK_OK);
    assert_int_equal(rk_wait_while_equal(&word, 5, 0, 0), RK_TIMEOUT);
    assert_int_equal(rk_wait_while_equal(&word, 5, 0, 1000000), RK_TIMEOUT);
    assert_int_equal(rk_wait_while_equal(&word, 5, 1, 1000000), RK_TIMEOUT);
    uint32_t pair[2] = {0, 0};
    const void *odd = (const char *)pair + 1;
    assert_int_equal(rk_wait_while_equal(odd, 0, 0, 0), RK_INVALID);
    rk_wake(&word, RK_WAKE_ALL);
}

static void test_wait_keeps_its_deadline(void **state)
{
    (void)state;
    static const unsigned spins[] = {0, 1000, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        uint32_t word = 0;
        uint32_t parked = 0;
        uint64_t deadline_ns = rk_clock_deadline_ns(2 * RK_NS_PER_MS);
        assert_int_equal(rk_wait_while_equal_parked(&word, 0, deadline_ns, spins[i], &parked),
                         RK_TIMEOUT);
        assert_true(rk_clock_monotonic_ns() >= deadline_ns);
        assert_int_equal(parked, 0);
    }
}

/* A waiter with a deadline in a time that a test steps. */
typedef struct frozen_waiter {
    uint32_t word;
    uint32_t parked;
    unsigned spin_ns;
    rk_status status;
    rk_mutex mutex;
    rk_cond cond;
} frozen_waiter;

static void wait_frozen(void *arg)
{
    frozen_waiter *waiter = arg;
    waiter->status =
        rk_wait_while_equal_parked(&waiter->word, 0, 2000, waiter->spin_ns, &waiter->parked);
}

static void test_wait_follows_the_installed_clock(void **state)
{
    (void)state;
    for (unsigned spin_ns = 0; spin_ns <= 100; spin_ns += 100) {
        rk_test_clock clock;
        rk_test_clock_install(&clock, 1000, 0);
        frozen_waiter waiter = {.spin_ns = spin_ns, .status = RK_INTERNAL};
        rk_thread thread;
        assert_int_equal(rk_thread_start(&thread, "waiter", wait_frozen, &waiter), RK_OK);
        while (rk_atomic_load_u32(&waiter.parked, memory_order_acquire) == 0) {
            sched_yield();
        }
        rk_test_clock_step(&clock, 999);
        rk_test_clock_step(&clock, 1);
        rk_thread_join(&thread);
        assert_int_equal(waiter.status, RK_TIMEOUT);
        rk_test_clock_remove(&clock);
    }
}

static void cond_wait_frozen(void *arg)
{
    frozen_waiter *waiter = arg;
    rk_mutex_lock(&waiter->mutex);
    do {
        waiter->status = rk_cond_wait_until(&waiter->cond, &waiter->mutex, 2000);
    } while (waiter->status == RK_OK);
    rk_mutex_unlock(&waiter->mutex);
}

static void test_cond_follows_the_installed_clock(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 0);
    frozen_waiter waiter = {.status = RK_INTERNAL};
    rk_mutex_init(&waiter.mutex);
    rk_cond_init(&waiter.cond);
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "waiter", cond_wait_frozen, &waiter), RK_OK);
    rk_test_clock_step(&clock, 1000);
    rk_thread_join(&thread);
    assert_int_equal(waiter.status, RK_TIMEOUT);
    rk_cond_finish(&waiter.cond);
    rk_mutex_finish(&waiter.mutex);
    rk_test_clock_remove(&clock);
}

/* Two threads pass a token to and fro: any lost wake-up hangs the test. */
enum { TURNS = 20000 };

typedef struct ping_pong {
    uint32_t turn;
    uint32_t parked;
    unsigned spin_ns;
    bool only_when_parked;
    uint64_t plain; /* guarded by the turn alone: a race here is one in the wait */
} ping_pong;

static void pass(ping_pong *game, uint32_t value)
{
    game->plain++;
    if (!game->only_when_parked) {
        rk_atomic_store_u32(&game->turn, value, memory_order_release);
        rk_wake(&game->turn, 1);
        return;
    }
    rk_atomic_store_u32(&game->turn, value, memory_order_seq_cst);
    rk_fence_full();
    if (rk_atomic_load_u32(&game->parked, memory_order_seq_cst) != 0) {
        rk_wake(&game->turn, 1);
    }
}

static void await(ping_pong *game, uint32_t seen)
{
    rk_status status = rk_wait_while_equal_parked(&game->turn, seen, RK_NEVER, game->spin_ns,
                                                  game->only_when_parked ? &game->parked : NULL);
    assert_int_equal(status, RK_OK);
}

static void play_odd(void *arg)
{
    ping_pong *game = arg;
    for (uint32_t turn = 0; turn < TURNS; turn += 2) {
        await(game, turn);
        pass(game, turn + 2);
    }
}

static void test_no_wake_is_lost(void **state)
{
    (void)state;
    static const unsigned spins[] = {0, 100, 20000};
    for (unsigned i = 0; i < 6; i++) {
        ping_pong game = {.spin_ns = spins[i / 2], .only_when_parked = i % 2 == 1};
        rk_thread thread;
        assert_int_equal(rk_thread_start(&thread, "odd", play_odd, &game), RK_OK);
        for (uint32_t turn = 0; turn < TURNS; turn += 2) {
            pass(&game, turn + 1);
            await(&game, turn + 1);
        }
        rk_thread_join(&thread);
        assert_int_equal(game.plain, TURNS);
        assert_int_equal(game.parked, 0);
    }
}

/* Many waiters on one word, woken at once. */
typedef struct crowd {
    uint32_t gate;
    uint32_t inside;
    uint32_t parked;
} crowd;

static void pass_gate(void *arg)
{
    crowd *all = arg;
    assert_int_equal(rk_wait_while_equal_parked(&all->gate, 0, RK_NEVER, 1000, &all->parked),
                     RK_OK);
    rk_atomic_add_u32(&all->inside, 1, memory_order_relaxed);
}

static void test_wake_all(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    crowd all = {0};
    rk_thread threads[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(rk_thread_start(&threads[i], "crowd", pass_gate, &all), RK_OK);
    }
    while (rk_atomic_load_u32(&all.parked, memory_order_acquire) < COUNT) {
        sched_yield();
    }
    assert_int_equal(rk_atomic_load_u32(&all.inside, memory_order_relaxed), 0);
    rk_atomic_store_u32(&all.gate, 1, memory_order_release);
    rk_wake(&all.gate, RK_WAKE_ALL);
    for (size_t i = 0; i < COUNT; i++) {
        rk_thread_join(&threads[i]);
    }
    assert_int_equal(all.inside, COUNT);
    assert_int_equal(all.parked, 0);
}

/* The word lies in memory that two processes map. */
static void test_wait_across_processes(void **state)
{
    (void)state;
    uint32_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(words != MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (uint32_t i = 0; i < 1000; i++) {
            if (rk_wait_while_equal(&words[0], i, RK_NEVER, 500) != RK_OK) {
                _exit(1);
            }
            rk_atomic_store_u32(&words[1], i + 1, memory_order_release);
            rk_wake(&words[1], 1);
        }
        _exit(0);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        rk_atomic_store_u32(&words[0], i + 1, memory_order_release);
        rk_wake(&words[0], 1);
        assert_int_equal(rk_wait_while_equal(&words[1], i, RK_NEVER, 0), RK_OK);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(munmap(words, 4096), 0);
}

typedef struct facts {
    char name[16];
    bool takes_term;
    bool takes_segv;
    unsigned cpus_in_mask;
    rk_status pinned;
} facts;

static void gather(void *arg)
{
    facts *found = arg;
    sigset_t mask;
    sigset_t none;
    sigemptyset(&none);
    (void)pthread_getname_np(pthread_self(), found->name, sizeof found->name);
    (void)pthread_sigmask(SIG_BLOCK, &none, &mask);
    found->takes_term = sigismember(&mask, SIGTERM) == 0;
    found->takes_segv = sigismember(&mask, SIGSEGV) == 0;
    unsigned cpu = 0;
    (void)rk_thread_cpus(&cpu, 1);
    found->pinned = rk_thread_pin(cpu);
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        found->cpus_in_mask = (unsigned)CPU_COUNT(&set);
    }
}

static void test_thread(void **state)
{
    (void)state;
    facts found = {.pinned = RK_INTERNAL};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "a name that is too long", gather, &found), RK_OK);
    rk_thread_join(&thread);
    rk_thread_join(&thread);
    assert_string_equal(found.name, "a name that is ");
    assert_false(found.takes_term);
    assert_true(found.takes_segv);
    assert_int_equal(found.pinned, RK_OK);
    assert_int_equal(found.cpus_in_mask, 1);
}

static void test_cpu_counts(void **state)
{
    (void)state;
    unsigned cpus[4096];
    unsigned count = rk_thread_cpus(cpus, 4096);
    assert_true(count >= 1 && count <= 4096);
    for (unsigned i = 1; i < count; i++) {
        assert_true(cpus[i] > cpus[i - 1]);
    }
    assert_int_equal(rk_thread_cpus(NULL, 0), count);
    assert_true(rk_thread_cpu_count() >= 1 && rk_thread_cpu_count() <= count);
    assert_int_equal(rk_wait_may_spin(), rk_thread_cpu_count() > 1);
    assert_int_equal(rk_thread_pin(UINT32_MAX), RK_INVALID);
    assert_int_equal(rk_thread_pin((1u << 20) - 1), RK_INVALID);
}

/* One CPU in the mask: no spinning, and waiting still works. */
static void test_single_cpu(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* A program of its own, so that nothing has been measured yet. */
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        cpu_set_t set;
        unsigned cpu = 0;
        (void)rk_thread_cpus(&cpu, 1);
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (length <= 0 || cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof set, &set) != 0) {
            _exit(2);
        }
        self[length] = '\0';
        execl(self, self, "--single-cpu", (char *)NULL);
        _exit(3);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What the program above does. */
static int run_on_single_cpu(void)
{
    ping_pong game = {.spin_ns = UINT32_MAX};
    rk_thread thread;
    if (rk_wait_may_spin() || rk_thread_cpu_count() != 1 ||
        rk_thread_start(&thread, "odd", play_odd, &game) != RK_OK) {
        return 1;
    }
    for (uint32_t turn = 0; turn < TURNS; turn += 2) {
        pass(&game, turn + 1);
        if (rk_wait_while_equal(&game.turn, turn + 1, RK_NEVER, UINT32_MAX) != RK_OK) {
            return 1;
        }
    }
    rk_thread_join(&thread);
    return game.plain == TURNS ? 0 : 1;
}

typedef struct sum {
    rk_mutex mutex;
    rk_cond cond;
    uint64_t value;
    unsigned done;
} sum;

static void add_up(void *arg)
{
    sum *total = arg;
    for (int i = 0; i < 10000; i++) {
        rk_mutex_lock(&total->mutex);
        total->value++;
        rk_mutex_unlock(&total->mutex);
    }
    rk_mutex_lock(&total->mutex);
    total->done++;
    rk_cond_signal(&total->cond);
    rk_mutex_unlock(&total->mutex);
}

static void test_locks(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    sum total = {.mutex = RK_MUTEX_INIT, .cond = RK_COND_INIT};
    rk_thread threads[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(rk_thread_start(&threads[i], "adder", add_up, &total), RK_OK);
    }
    rk_mutex_lock(&total.mutex);
    assert_false(rk_mutex_try_lock(&total.mutex));
    while (total.done < COUNT) {
        assert_int_equal(rk_cond_wait_until(&total.cond, &total.mutex, RK_NEVER), RK_OK);
    }
    assert_int_equal(total.value, COUNT * 10000);
    assert_int_equal(rk_cond_wait_until(&total.cond, &total.mutex, 0), RK_TIMEOUT);
    uint64_t deadline_ns = rk_clock_deadline_ns(RK_NS_PER_MS);
    while (rk_cond_wait_until(&total.cond, &total.mutex, deadline_ns) == RK_OK) {
    }
    assert_true(rk_clock_monotonic_ns() >= deadline_ns);
    rk_mutex_unlock(&total.mutex);
    assert_true(rk_mutex_try_lock(&total.mutex));
    rk_cond_broadcast(&total.cond);
    rk_mutex_unlock(&total.mutex);
    for (size_t i = 0; i < COUNT; i++) {
        rk_thread_join(&threads[i]);
    }
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_folder(const char *folder, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void test_cgroup_quota(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char membership[512];
    (void)snprintf(membership, sizeof membership, "%s/membership", folder);
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 0);

    /* Version 2: the smallest of the group and those above it. */
    put_folder(folder, "a");
    put_folder(folder, "a/b");
    put_file(folder, "membership", "0::/a/b\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 0);
    put_file(folder, "a/b/cpu.max", "max 100000\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 0);
    put_file(folder, "a/cpu.max", "250000 100000\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 3);
    put_file(folder, "a/b/cpu.max", "10000 100000\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 1);
    put_file(folder, "a/b/cpu.max", "9223372036854775807 1\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 3);
    put_file(folder, "a/cpu.max", "nonsense");
    put_file(folder, "a/b/cpu.max", "100000 0\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 0);

    /* Version 1, the controller among others. */
    put_folder(folder, "cpu");
    put_folder(folder, "cpu/c");
    put_file(folder, "membership", "7:cpuset:/x\nbroken\n4:cpu,cpuacct:/c\n");
    put_file(folder, "cpu/c/cpu.cfs_quota_us", "-1\n");
    put_file(folder, "cpu/c/cpu.cfs_period_us", "100000\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 0);
    put_file(folder, "cpu/c/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(rk_cgroup_cpu_limit(membership, folder), 4);
    rk_test_folder_remove(folder);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--single-cpu") == 0) {
        return run_on_single_cpu();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_stands_still),
        cmocka_unit_test(test_wait_looks_first),
        cmocka_unit_test(test_wait_keeps_its_deadline),
        cmocka_unit_test(test_wait_follows_the_installed_clock),
        cmocka_unit_test(test_cond_follows_the_installed_clock),
        cmocka_unit_test(test_no_wake_is_lost),
        cmocka_unit_test(test_wake_all),
        cmocka_unit_test(test_wait_across_processes),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_cpu_counts),
        cmocka_unit_test(test_single_cpu),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_cgroup_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
