/*
 * When kernels fail: panics, restarts, stalls, and invalid accesses in a host process. The program
 * is
 * its own host process: started with "__host" it serves its parent.
 */
#include "base/thread.h"
#include "runtime/probe.h"
#include "support/skip.h"
#include <ringkernel/abi/control.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENT_MAX 64

/* Events in order, to be waited for. */
typedef struct event_log {
    rk_mutex lock;
    rk_cond more;
    uint32_t count;
    rk_event_kind kinds[EVENT_MAX];
    char texts[EVENT_MAX][256];
} event_log;

static event_log events;

static void on_event(void *context, const rk_event *event)
{
    event_log *log = context;
    rk_mutex_lock(&log->lock);
    if (log->count < EVENT_MAX) {
        log->kinds[log->count] = event->kind;
        (void)snprintf(log->texts[log->count], sizeof log->texts[0], "%s: %s", event->kernel_name,
                       event->text);
        log->count++;
    }
    rk_cond_broadcast(&log->more);
    rk_mutex_unlock(&log->lock);
}

/* Waits for the n-th event of a kind; returns its text. */
static const char *wait_event(rk_event_kind kind, uint32_t nth)
{
    const char *text = NULL;
    rk_mutex_lock(&events.lock);
    while (text == NULL) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < events.count && text == NULL; i++) {
            found += events.kinds[i] == kind ? 1u : 0u;
            text = found == nth ? events.texts[i] : NULL;
        }
        if (text == NULL) {
            rk_cond_wait(&events.more, &events.lock);
        }
    }
    rk_mutex_unlock(&events.lock);
    return text;
}

static rk_runtime *open_runtime(rk_isolation isolation)
{
    static const char *const host[] = {"/proc/self/exe", "__host", NULL};
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    events.count = 0;
    rk_runtime_options options = {.isolation = isolation,
                                  .host_argv = host,
                                  .on_event = on_event,
                                  .event_context = &events,
                                  .stall_timeout_ns = 50000000};
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

static void a_panic_is_contained(rk_isolation isolation)
{
    rk_runtime *runtime = open_runtime(isolation);
    for (uint32_t lanes = 0; lanes < 5; lanes += 4) {
        rk_launch launch = {.blocks = 3, .lanes = lanes};
        rk_kernel *kernel = probe_start(runtime, &launch);
        uint64_t id = 0;
        uint64_t run = 0;
        rk_reply reply;
        rk_err err = RK_ERR_INIT;
        (void)probe_run(kernel, 4);
        assert_int_equal(rk_kernel_run(kernel, 1ull << 40, &run, NULL), RK_OK);
        assert_int_equal(rk_kernel_custom(kernel, 2, NULL, 0, &id, NULL), RK_OK);
        assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err), RK_PANIC);
        assert_non_null(strstr(err.text, "told to"));
        assert_non_null(strstr(err.text, "code 77"));
        assert_int_equal(rk_kernel_wait(kernel, run, RK_FOREVER, &reply, &err), RK_PANIC);
        assert_int_equal(rk_kernel_ping(kernel, &id, &err), RK_PANIC);
        assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PANICKED);
        assert_non_null(strstr(wait_event(RK_EVENT_PANICKED, 1 + lanes / 4), "told to"));
        uint32_t value = 0; /* what there was can still be read */
        assert_int_equal(rk_kernel_read_field(kernel, "value", 0, 1, &value, NULL), RK_OK);
        assert_true(value >= 4);
        assert_int_equal(rk_kernel_start(kernel, &err), RK_STATE);
        rk_kernel_destroy(kernel);
    }
    rk_runtime_destroy(runtime);
}

static void a_panic_is_contained_here(void **state)
{
    (void)state;
    a_panic_is_contained(RK_ISOLATION_NONE);
}

static void a_panic_is_contained_in_a_host_process(void **state)
{
    (void)state;
    a_panic_is_contained(RK_ISOLATION_PROCESS);
}

static void the_restart_policy_acts_and_gives_up(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_module *module = probe_module();
    rk_launch launch = {.name = "phoenix",
                        .module = module,
                        .blocks = 2,
                        .restart = RK_RESTART_ON_FAILURE,
                        .restart_limit = 2,
                        .restart_window_ns = RK_FOREVER};
    rk_kernel *kernel = NULL;
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, NULL), RK_OK);
    uint32_t offset[64];
    for (uint32_t i = 0; i < 64; i++) {
        offset[i] = 100;
    }
    assert_int_equal(rk_kernel_write_field(kernel, "offset", 0, 64, offset, NULL), RK_OK);
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    rk_reply reply;
    uint64_t id = 0;
    for (uint32_t turn = 1; turn <= 3; turn++) {
        assert_int_equal(probe_run(kernel, 9), 9);
        uint32_t value = 0;
        assert_int_equal(rk_kernel_read_field(kernel, "value", 5, 1, &value, NULL), RK_OK);
        assert_int_equal(value, 109); /* init ran again, on the input that the host once wrote */
        assert_int_equal(rk_kernel_custom(kernel, 2, NULL, 0, &id, NULL), RK_OK);
        assert_int_not_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
        if (turn < 3) {
            assert_non_null(strstr(wait_event(RK_EVENT_RESTARTED, turn), "phoenix"));
        }
    }
    assert_non_null(strstr(wait_event(RK_EVENT_GAVE_UP, 1), "told to"));
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &snapshot);
    assert_int_equal(snapshot.restarts, 2);
    assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_PANIC);
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
    rk_runtime_destroy(runtime);
}

static void a_fault_in_a_host_process_is_an_event(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_launch launch = {.name = "bad", .blocks = 2};
    rk_kernel *bad = probe_start(runtime, &launch);
    launch.name = "neighbour";
    launch.restart = RK_RESTART_ON_FAILURE;
    rk_kernel *neighbour = probe_start(runtime, &launch);
    assert_int_equal(rk_kernel_connect(neighbour, bad, NULL, NULL), RK_OK);
    uint64_t id = 0;
    rk_reply reply;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(probe_run(bad, 20), 20);
    assert_int_equal(probe_run(neighbour, 20), 20);
    assert_int_equal(rk_kernel_custom(bad, 3, NULL, 0, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(bad, id, RK_FOREVER, &reply, &err), RK_FAULT);
    assert_non_null(strstr(err.text, "0x10"));
    assert_non_null(strstr(err.text, "step 20"));
    assert_non_null(strstr(wait_event(RK_EVENT_FAULTED, 1), "bad"));
    uint32_t value = 0; /* its memory is still there */
    assert_int_equal(rk_kernel_read_field(bad, "value", 0, 1, &value, NULL), RK_OK);
    assert_int_equal(value, 20);
    assert_non_null(strstr(wait_event(RK_EVENT_RESTARTED, 1), "neighbour"));
    assert_int_equal(probe_run(neighbour, 5), 5);
    rk_kernel_destroy(neighbour);
    rk_kernel_destroy(bad);
    rk_runtime_destroy(runtime);
}

static void a_kernel_in_a_host_process_does_what_others_do(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_PROCESS);
    rk_param_value chatter = {"chatter", "2"};
    rk_launch launch = {.name = "from", .blocks = 2, .params = &chatter, .param_count = 1};
    rk_kernel *from = probe_start(runtime, &launch);
    launch = (rk_launch){.name = "to", .blocks = 1};
    rk_kernel *to = probe_start(runtime, &launch);
    assert_int_equal(rk_kernel_connect(from, to, NULL, NULL), RK_OK);
    assert_int_equal(probe_run(from, 50), 50);
    uint64_t seen[4] = {0};
    uint64_t id = 0;
    do {
        assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
        (void)probe_done(to, id);
        assert_int_equal(rk_kernel_read_field(to, "seen", 0, 4, seen, NULL), RK_OK);
    } while (seen[0] < 100);
    assert_int_equal(rk_kernel_park(from, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_kernel_start(from, NULL), RK_OK);
    assert_int_equal(probe_run(from, 50), 100);
    rk_device_info info;
    assert_int_equal(rk_runtime_device_info(runtime, 0, &info), RK_OK);
    assert_int_equal(info.resident_kernels, 2);
    assert_int_equal(info.resident_blocks, 3);
    assert_true(info.memory_used_bytes > 0);
    rk_kernel_destroy(from);
    rk_kernel_destroy(to);
    rk_runtime_destroy(runtime);
}

static void a_kernel_takes_over_the_state_of_another(rk_isolation isolation)
{
    rk_runtime *runtime = open_runtime(isolation);
    rk_launch launch = {.name = "old", .blocks = 3};
    rk_kernel *old = probe_start(runtime, &launch);
    rk_module *module = probe_module();
    launch = (rk_launch){.name = "new", .blocks = 2, .module = module};
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    uint32_t value = 0;
    assert_int_equal(probe_run(old, 12), 12);
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, NULL), RK_OK);
    assert_int_equal(rk_kernel_start_from(kernel, old, &err), RK_STATE);
    assert_int_equal(rk_kernel_park(old, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_kernel_start_from(kernel, old, NULL), RK_OK);
    assert_int_equal(probe_run(kernel, 1), 13);
    assert_int_equal(rk_kernel_read_field(kernel, "value", 63, 1, &value, NULL), RK_OK);
    assert_int_equal(value, 121);
    rk_kernel_destroy(kernel);
    assert_int_equal(rk_kernel_start(old, NULL), RK_OK);
    assert_int_equal(probe_run(old, 1), 13);
    assert_int_equal(rk_kernel_park(old, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, NULL), RK_OK);
    assert_int_equal(rk_kernel_start_from(kernel, old, &err), RK_PANIC);
    assert_non_null(strstr(err.text, "migrate handler refused"));
    rk_kernel_destroy(kernel);
    rk_kernel_destroy(old);
    rk_module_unref(module);
    rk_runtime_destroy(runtime);
}

static void state_is_taken_over_here(void **state)
{
    (void)state;
    a_kernel_takes_over_the_state_of_another(RK_ISOLATION_NONE);
}

static void state_is_taken_over_in_a_host_process(void **state)
{
    (void)state;
    a_kernel_takes_over_the_state_of_another(RK_ISOLATION_PROCESS);
}

static void a_fault_here_is_reported_before_the_process_ends(void **state)
{
    (void)state;
    int report[2];
    assert_int_equal(pipe(report), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(report[1], STDERR_FILENO);
        rk_runtime *runtime = NULL;
        rk_reply reply;
        uint64_t id = 0;
        (void)rk_runtime_create(NULL, &runtime, NULL);
        rk_launch launch = {.name = "wild", .blocks = 1};
        rk_kernel *kernel = probe_start(runtime, &launch);
        (void)probe_run(kernel, 12);
        (void)rk_kernel_custom(kernel, 3, NULL, 0, &id, NULL);
        (void)rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL);
        _exit(0);
    }
    (void)close(report[1]);
    char text[4096] = {0};
    size_t used = 0;
    for (ssize_t got; used < sizeof text - 1 &&
                      (got = read(report[0], text + used, sizeof text - 1 - used)) > 0;) {
        used += (size_t)got;
    }
    (void)close(report[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    assert_non_null(strstr(text, "kernel 'wild': invalid memory access"));
    assert_non_null(strstr(text, "address 0x10, step 12, block 0"));
    assert_non_null(strstr(text, "backtrace"));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    rk_mutex_init(&events.lock);
    rk_cond_init(&events.more);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_panic_is_contained_here),
        cmocka_unit_test(a_panic_is_contained_in_a_host_process),
        cmocka_unit_test(the_restart_policy_acts_and_gives_up),
        cmocka_unit_test(a_fault_in_a_host_process_is_an_event),
        cmocka_unit_test(a_kernel_in_a_host_process_does_what_others_do),
        cmocka_unit_test(state_is_taken_over_here),
        cmocka_unit_test(state_is_taken_over_in_a_host_process),
        cmocka_unit_test(a_fault_here_is_reported_before_the_process_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
