/*
 * What must hold when the host, the kernel or the host process does not behave: rings that nobody
 * empties, answers that lie, handlers that never return, threads that end, processes that are
 * killed. The program is its own host process: started with "__host" it serves its parent.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "base/wait.h"
#include "runtime/probe.h"
#include "support/skip.h"
#include <dirent.h>
#include <pthread.h>
#include <ringkernel/abi/control.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t stalls;
static uint32_t restarts;
static uint32_t given_up;

static void on_event(void *context, const rk_event *event)
{
    (void)context;
    uint32_t *word = event->kind == RK_EVENT_STALLED     ? &stalls
                     : event->kind == RK_EVENT_RESTARTED ? &restarts
                     : event->kind == RK_EVENT_GAVE_UP   ? &given_up
                                                         : NULL;
    if (word != NULL) {
        (void)rk_word_add(word, 1);
        rk_wake(word, RK_WAKE_ALL);
    }
}

static void wait_until_more(uint32_t *word, uint32_t than)
{
    while (rk_word_load_acquire(word) == than) {
        (void)rk_wait_while_equal(word, than, RK_NEVER, 0);
    }
}

static rk_runtime *open_runtime(rk_isolation isolation)
{
    const char *const host[] = {"/proc/self/exe", "__host", NULL}; /* gone when this returns */
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    rk_runtime_options options = {.isolation = isolation,
                                  .host_argv = host,
                                  .on_event = on_event,
                                  .stall_timeout_ns = 20000000,
                                  .patience_ns = 100000000};
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

/* The host process of this program: its only child. */
static pid_t host_pid(void)
{
    pid_t found = -1;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300];
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/children", task->d_name);
        FILE *file = fopen(path, "re");
        int pid = 0;
        if (file != NULL && fscanf(file, "%d", &pid) == 1) {
            found = pid;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    (void)closedir(tasks);
    return found;
}

static void commands_that_nobody_waits_for_do_not_fill_up(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_launch launch = {.blocks = 1, .in_flight_limit = 8};
    rk_kernel *kernel = probe_start(runtime, &launch);
    for (uint32_t sent = 0; sent < 500;) {
        rk_status status = rk_kernel_ping(kernel, NULL, NULL);
        assert_true(status == RK_OK || status == RK_LIMIT);
        sent += status == RK_OK ? 1u : 0u;
    }
    assert_int_equal(probe_run(kernel, 3), 3);
    for (uint32_t i = 0; i < 8; i++) { /* and a kernel with no place left can be destroyed */
        (void)rk_kernel_ping(kernel, NULL, NULL);
    }
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void reports_of_progress_leave_room_for_the_answer(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_launch launch = {.blocks = 1, .in_flight_limit = 8, .answer_slots = 32};
    rk_kernel *kernel = probe_start(runtime, &launch);
    uint64_t id = 0;
    rk_kernel_snapshot snapshot;
    assert_int_equal(rk_kernel_run_reporting(kernel, 2000, 1, &id, NULL), RK_OK);
    do { /* nobody reads the answers meanwhile */
        rk_kernel_read_snapshot(kernel, &snapshot);
    } while (snapshot.step < 2000);
    assert_int_equal(probe_done(kernel, id).step, 2000);
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void a_kernel_that_lies_in_its_ring_is_not_believed(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_launch launch = {.blocks = 1};
    rk_kernel *kernel = probe_start(runtime, &launch);
    uint64_t id = 0;
    rk_received message;
    rk_reply reply;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_custom(kernel, 6, NULL, 0, &id, NULL), RK_OK);
    /* Its answer lies behind the damage and may be lost with it. */
    rk_status status = rk_kernel_wait(kernel, id, 100000000, &reply, &err);
    assert_true(status == RK_OK || status == RK_TIMEOUT);
    assert_int_equal(rk_kernel_receive(kernel, 0, &message, NULL, 0, NULL), RK_TIMEOUT);
    assert_int_equal(probe_run(kernel, 2), 2);
    assert_int_equal(rk_kernel_custom(kernel, 7, NULL, 0, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err), RK_CORRUPT);
    assert_non_null(strstr(err.text, "damaged"));
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void a_handler_that_never_returns_is_noticed_and_ended(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_launch launch = {.name = "stuck", .blocks = 2};
    rk_kernel *stuck = probe_start(runtime, &launch);
    launch.name = "neighbour";
    launch.restart = RK_RESTART_ON_FAILURE;
    rk_kernel *neighbour = probe_start(runtime, &launch);
    uint32_t stalls_before = rk_word_load_acquire(&stalls);
    uint32_t restarts_before = rk_word_load_acquire(&restarts);
    uint64_t id = 0;
    assert_int_equal(rk_kernel_custom(stuck, 8, NULL, 0, &id, NULL), RK_OK);
    wait_until_more(&stalls, stalls_before);
    assert_int_equal(rk_kernel_park(stuck, 1000000, NULL), RK_TIMEOUT);
    rk_kernel_destroy(stuck);
    wait_until_more(&restarts, restarts_before);
    assert_int_equal(probe_run(neighbour, 4), 4);
    rk_kernel_destroy(neighbour);
    rk_runtime_destroy(runtime);
}

static void *start_one(void *context)
{
    return rk_kernel_start(context, NULL) == RK_OK ? NULL : context;
}

static void a_host_process_outlives_the_thread_that_started_it(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_module *module = probe_module();
    rk_launch launch = {.name = "short", .module = module, .blocks = 1};
    rk_kernel *kernel = NULL;
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, NULL), RK_OK);
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, start_one, kernel), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    for (uint64_t turn = 1; turn <= 200; turn++) {
        assert_int_equal(probe_run(kernel, 10), turn * 10);
    }
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
    rk_runtime_destroy(runtime);
}

static void a_second_request_to_park_does_not_park_the_next_launch(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime, &launch);
    for (uint64_t turn = 1; turn <= 50; turn++) {
        /* Whichever the kernel takes first, the other one is left in the ring. */
        assert_int_equal(rk_kernel_quiesce(kernel, 0, NULL, NULL), RK_OK);
        rk_status status = rk_kernel_park(kernel, RK_FOREVER, NULL);
        assert_true(status == RK_OK || status == RK_STATE);
        while (rk_kernel_start(kernel, NULL) == RK_STATE) {
        }
        assert_int_equal(probe_run(kernel, 1), turn);
    }
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void a_poisoned_message_fails_its_kernel_once_and_the_others_arrive(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_launch launch = {.name = "to", .blocks = 1, .restart = RK_RESTART_ON_FAILURE};
    rk_kernel *to = probe_start(runtime, &launch);
    rk_param_value chatter = {"chatter", "1"};
    rk_launch sender = {.name = "from", .blocks = 1, .params = &chatter, .param_count = 1};
    rk_kernel *from = probe_start(runtime, &sender);
    assert_int_equal(rk_kernel_connect(from, to, NULL, NULL), RK_OK);
    uint32_t before = rk_word_load_acquire(&restarts);
    uint64_t id = 0;
    assert_int_equal(rk_kernel_pause(to, &id, NULL), RK_OK);
    (void)probe_done(to, id);
    assert_int_equal(rk_kernel_custom(from, 9, NULL, 0, &id, NULL), RK_OK);
    assert_int_equal(probe_done(from, id).value[0], 0);
    (void)probe_run(from, 30);
    assert_int_equal(rk_kernel_resume(to, NULL, NULL), RK_OK);
    wait_until_more(&restarts, before);
    uint64_t seen = 0;
    do {
        assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
        (void)probe_done(to, id);
        assert_int_equal(rk_kernel_read_field(to, "seen", 0, 1, &seen, NULL), RK_OK);
    } while (seen < 30);
    assert_int_equal(seen, 30);
    assert_int_equal(rk_word_load_acquire(&restarts), before + 1);
    rk_kernel_destroy(from);
    rk_kernel_destroy(to);
    rk_runtime_destroy(runtime);
}

static void many_blocks_send_long_messages_and_each_is_accounted_for(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_launch launch = {.name = "to", .blocks = 1, .inbox_slots = 64};
    rk_kernel *to = probe_start(runtime, &launch);
    rk_kernel *from[2];
    uint64_t runs[2];
    uint64_t id = 0;
    rk_param_value burst = {"burst", "5"};
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        rk_launch sender = {.name = names[i], .blocks = 3, .params = &burst, .param_count = 1};
        from[i] = probe_start(runtime, &sender);
        assert_int_equal(rk_kernel_connect(from[i], to, NULL, NULL), RK_OK);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rk_kernel_run(from[i], 400, &runs[i], NULL), RK_OK);
    }
    uint64_t sent = 0;
    for (size_t i = 0; i < 2; i++) {
        (void)probe_done(from[i], runs[i]);
        assert_int_equal(rk_kernel_stats(from[i], &id, NULL), RK_OK);
        (void)probe_done(from[i], id);
        rk_kernel_snapshot snapshot;
        rk_kernel_read_snapshot(from[i], &snapshot);
        assert_int_equal(snapshot.k2k_sent + snapshot.k2k_refused, 400 * 3 * 5);
        sent += snapshot.k2k_sent;
    }
    uint64_t seen = 0;
    do {
        assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
        (void)probe_done(to, id);
        assert_int_equal(rk_kernel_read_field(to, "seen", 0, 1, &seen, NULL), RK_OK);
    } while (seen < sent);
    assert_int_equal(seen, sent);
    assert_true(sent > 0);
    for (size_t i = 0; i < 2; i++) {
        rk_kernel_destroy(from[i]);
    }
    rk_kernel_destroy(to);
    rk_runtime_destroy(runtime);
}

static void a_host_process_that_is_killed_is_started_again(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_launch launch = {.name = "phoenix",
                        .blocks = 1,
                        .restart = RK_RESTART_ON_FAILURE,
                        .restart_limit = 16,
                        .restart_window_ns = 1};
    rk_kernel *kernel = probe_start(runtime, &launch);
    for (uint32_t turn = 0; turn < 12; turn++) {
        uint32_t before = rk_word_load_acquire(&restarts);
        uint64_t id = 0;
        rk_reply reply;
        assert_int_equal(rk_kernel_run(kernel, 1ull << 40, &id, NULL), RK_OK);
        for (uint32_t i = 0; i < turn * 7; i++) {
            (void)rk_kernel_wait(kernel, id, 10000, &reply, NULL);
        }
        assert_int_equal(kill(host_pid(), SIGKILL), 0);
        assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_FAULT);
        wait_until_more(&restarts, before);
        assert_int_equal(probe_run(kernel, 5), 5);
    }
    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

#define THREADS 4
#define KERNELS 3
#define TURNS 150

typedef struct hammer {
    rk_kernel *kernels[KERNELS];
    uint32_t seed;
    uint32_t wrong;
} hammer;

/* Any command in any state: what comes back must be one of the documented statuses, in time. */
static void *hammer_main(void *context)
{
    hammer *self = context;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        self->seed = self->seed * 1664525u + 1013904223u;
        rk_kernel *kernel = self->kernels[(self->seed >> 8) % KERNELS];
        rk_status status = RK_OK;
        uint64_t id = 0;
        rk_reply reply;
        switch ((self->seed >> 16) % 9) {
        case 0: status = rk_kernel_run(kernel, (self->seed >> 4) % 50, &id, NULL); break;
        case 1: status = rk_kernel_pause(kernel, NULL, NULL); break;
        case 2: status = rk_kernel_resume(kernel, &id, NULL); break;
        case 3: rk_kernel_abort(kernel); break;
        case 4: status = rk_kernel_park(kernel, 2000000, NULL); break;
        case 5: status = rk_kernel_start(kernel, NULL); break;
        case 6: status = rk_kernel_custom(kernel, 2, NULL, 0, &id, NULL); break;
        case 7: status = rk_kernel_ping(kernel, &id, NULL); break;
        default: status = rk_kernel_stats(kernel, &id, NULL); break;
        }
        if (id != 0) {
            status = rk_kernel_wait(kernel, id, 1000000, &reply, NULL);
        }
        bool known = status == RK_OK || status == RK_STATE || status == RK_LIMIT ||
                     status == RK_TIMEOUT || status == RK_PANIC || status == RK_CLOSED ||
                     status == RK_NOT_FOUND || status == RK_FAULT;
        self->wrong += known ? 0u : 1u;
    }
    return NULL;
}

static void threads_do_everything_at_once(rk_isolation isolation)
{
    rk_runtime *runtime = open_runtime(isolation);
    static const char *const names[KERNELS] = {"x", "y", "z"};
    hammer hammers[THREADS];
    pthread_t threads[THREADS];
    rk_kernel *kernels[KERNELS];
    for (size_t i = 0; i < KERNELS; i++) {
        rk_launch launch = {.name = names[i],
                            .blocks = 1 + (uint32_t)i,
                            .restart = RK_RESTART_ON_FAILURE,
                            .restart_limit = 16,
                            .restart_window_ns = 1};
        kernels[i] = probe_start(runtime, &launch);
        assert_int_equal(rk_kernel_connect(kernels[i], kernels[0], NULL, NULL), RK_OK);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        hammers[i] = (hammer){.seed = 77 + i};
        memcpy(hammers[i].kernels, kernels, sizeof kernels);
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_main, &hammers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(hammers[i].wrong, 0);
    }
    for (size_t i = KERNELS; i > 0; i--) { /* while restarts may be under way */
        (void)rk_kernel_custom(kernels[i - 1], 2, NULL, 0, NULL, NULL);
        rk_kernel_destroy(kernels[i - 1]);
    }
    rk_runtime_destroy(runtime);
}

static void threads_do_everything_at_once_here(void **state)
{
    (void)state;
    threads_do_everything_at_once(RK_ISOLATION_NONE);
}

static void threads_do_everything_at_once_in_a_host_process(void **state)
{
    (void)state;
    threads_do_everything_at_once(RK_ISOLATION_PROCESS);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_that_nobody_waits_for_do_not_fill_up),
        cmocka_unit_test(reports_of_progress_leave_room_for_the_answer),
        cmocka_unit_test(a_kernel_that_lies_in_its_ring_is_not_believed),
        cmocka_unit_test(a_handler_that_never_returns_is_noticed_and_ended),
        cmocka_unit_test(a_host_process_outlives_the_thread_that_started_it),
        cmocka_unit_test(a_second_request_to_park_does_not_park_the_next_launch),
        cmocka_unit_test(a_poisoned_message_fails_its_kernel_once_and_the_others_arrive),
        cmocka_unit_test(many_blocks_send_long_messages_and_each_is_accounted_for),
        cmocka_unit_test(a_host_process_that_is_killed_is_started_again),
        cmocka_unit_test(threads_do_everything_at_once_here),
        cmocka_unit_test(threads_do_everything_at_once_in_a_host_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
