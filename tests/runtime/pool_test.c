/*
 * Memory pools of kernels: the kernel reads at offsets that messages tell it; the pool grows and is
 * defragmented while the kernel is parked. In this process, and in a host process: the program is
 * its own ("__host").
 */
#include "base/thread.h"
#include "runtime/probe.h"
#include "support/skip.h"
#include <ringkernel/abi/control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_POOL 610u /* to the probe: offset and bytes */

static struct {
    rk_mutex lock;
    rk_cond more;
    char text[512]; /* of the last RK_EVENT_POOL_IN_USE */
} last = {RK_MUTEX_INIT, RK_COND_INIT, ""};

static void on_event(void *context, const rk_event *event)
{
    (void)context;
    if (event->kind == RK_EVENT_POOL_IN_USE) {
        rk_mutex_lock(&last.lock);
        (void)snprintf(last.text, sizeof last.text, "%s", event->text);
        rk_cond_broadcast(&last.more);
        rk_mutex_unlock(&last.lock);
    }
}

static rk_runtime *open_runtime(rk_isolation isolation)
{
    static const char *const host[] = {"/proc/self/exe", "__host", NULL};
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    last.text[0] = '\0';
    rk_runtime_options options = {.isolation = isolation, .host_argv = host, .on_event = on_event};
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

static rk_pool_allocation take(rk_kernel *kernel, uint64_t bytes, uint8_t fill, bool movable)
{
    rk_pool_request request = {.bytes = bytes, .tag = "halo", .movable = movable};
    rk_pool_allocation a = {0};
    rk_err err = RK_ERR_INIT;
    uint8_t *data = malloc(bytes);
    assert_non_null(data);
    memset(data, fill, bytes);
    if (rk_pool_allocate(rk_kernel_pool(kernel), &request, &a, &err) != RK_OK ||
        rk_kernel_write_pool(kernel, a.handle, 0, bytes, data, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    free(data);
    return a;
}

/* What the kernel sees of an allocation: the sum of its bytes. */
static uint64_t kernel_sum(rk_kernel *kernel, const rk_pool_allocation *a, uint64_t *out_pool_bytes)
{
    uint64_t range[2] = {a->offset, a->bytes};
    uint64_t id = 0;
    rk_err err = RK_ERR_INIT;
    rk_received message;
    if (rk_kernel_send(kernel, READ_POOL, 0, range, sizeof range, &id, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    (void)probe_done(kernel, id);
    uint64_t answer[2] = {0, 0};
    if (rk_kernel_receive(kernel, RK_FOREVER, &message, answer, sizeof answer, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(message.type, 611);
    if (out_pool_bytes != NULL) {
        *out_pool_bytes = answer[1];
    }
    return answer[0];
}

static void park(rk_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_park(kernel, RK_FOREVER, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
}

static void start(rk_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_start(kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
}

static void grows_while_it_is_parked(rk_isolation isolation)
{
    rk_runtime *runtime = open_runtime(isolation);
    rk_pool_options options = {
        .bytes = 100000, .growth = RK_POOL_DOUBLE, .max_bytes = 5000000, .block_count = 0};
    rk_launch launch = {.blocks = 2, .pool = &options};
    rk_kernel *kernel = probe_start(runtime, &launch);
    rk_pool *pool = rk_kernel_pool(kernel);
    uint64_t pool_bytes = 0;
    rk_pool_allocation small = take(kernel, 1000, 3, false);
    assert_int_equal(kernel_sum(kernel, &small, &pool_bytes), 3000);
    assert_int_equal(pool_bytes, 99968); /* whole granules */
    assert_int_equal(probe_run(kernel, 10), 10);

    rk_pool_request request = {.bytes = 300000};
    rk_pool_allocation large;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_allocate(pool, &request, &large, &err), RK_FULL);
    assert_non_null(strstr(err.text, "the pool of kernel 'probe' has no room"));
    assert_int_equal(rk_pool_grow(pool, 0, &err), RK_STATE);
    assert_non_null(strstr(err.text, "park it"));
    park(kernel);
    assert_int_equal(rk_pool_grow(pool, 1100000, &err), RK_OK);
    start(kernel);
    large = take(kernel, 300000, 5, false);
    assert_true(large.offset >= 100000);
    assert_int_equal(kernel_sum(kernel, &large, &pool_bytes), 1500000);
    assert_int_equal(pool_bytes, 16 * 99968);
    assert_int_equal(kernel_sum(kernel, &small, NULL), 3000); /* where it was */
    assert_int_equal(probe_run(kernel, 5), 15);
    uint32_t value = 0;
    assert_int_equal(rk_kernel_read_field(kernel, "value", 63, 1, &value, NULL), RK_OK);
    assert_int_equal(value, 15); /* fields and the step have come along */
    rk_runtime_destroy(runtime);
}

static void grows_in_this_process(void **state)
{
    (void)state;
    grows_while_it_is_parked(RK_ISOLATION_NONE);
}

static void grows_in_a_host_process(void **state)
{
    (void)state;
    grows_while_it_is_parked(RK_ISOLATION_PROCESS);
}

/* More than the machine has: everything stays as it was. */
static void a_growth_that_fails_changes_nothing(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {.bytes = 65536,
                               .growth = RK_POOL_STEP,
                               .step_bytes = (uint64_t)1 << 45,
                               .max_bytes = (uint64_t)1 << 45,
                               .granule_bytes = 65536};
    rk_launch launch = {.blocks = 1, .pool = &options};
    rk_kernel *kernel = probe_start(runtime, &launch);
    rk_pool *pool = rk_kernel_pool(kernel);
    uint64_t pool_bytes = 0;
    rk_pool_allocation a = take(kernel, 65536, 2, false);
    park(kernel);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_grow(pool, 0, &err), RK_NO_MEMORY);
    assert_non_null(strstr(err.text, "the pool of kernel 'probe' cannot grow from 65536 to"));
    rk_pool_stats stats;
    rk_pool_read_stats(pool, &stats);
    assert_int_equal(stats.bytes, 65536);
    assert_int_equal(stats.grows, 0);
    start(kernel);
    assert_int_equal(kernel_sum(kernel, &a, &pool_bytes), 131072);
    assert_int_equal(pool_bytes, 65536);
    rk_runtime_destroy(runtime);
}

/* A restart runs init again, but what the host keeps in the pool stays. */
static void a_restart_leaves_the_pool_as_it_is(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {.bytes = 65536, .growth = RK_POOL_DOUBLE, .max_bytes = 1 << 20};
    rk_launch launch = {.blocks = 1, .pool = &options, .restart = RK_RESTART_ON_FAILURE};
    rk_kernel *kernel = probe_start(runtime, &launch);
    rk_pool_allocation a = take(kernel, 1000, 6, false);
    park(kernel);
    assert_int_equal(rk_pool_grow(rk_kernel_pool(kernel), 0, NULL), RK_OK);
    start(kernel);
    assert_int_equal(probe_run(kernel, 3), 3);
    uint64_t id = 0;
    uint64_t pool_bytes = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_custom(kernel, 2, NULL, 0, &id, NULL), RK_OK); /* panics */
    (void)rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL);
    rk_kernel_snapshot snapshot;
    do { /* the supervisor starts it again */
        rk_kernel_read_snapshot(kernel, &snapshot);
    } while (snapshot.restarts == 0 || snapshot.state != RK_KERNEL_IDLE);
    assert_int_equal(kernel_sum(kernel, &a, &pool_bytes), 6000);
    assert_int_equal(pool_bytes, 131072);
    assert_int_equal(probe_run(kernel, 2), 2);
    rk_runtime_destroy(runtime);
}

static void senders_must_be_parked_too(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {
        .bytes = 65536, .growth = RK_POOL_STEP, .step_bytes = 65536, .max_bytes = 1 << 20};
    rk_param_value chatter = {"chatter", "1"};
    rk_launch first = {.name = "sender", .blocks = 1, .params = &chatter, .param_count = 1};
    rk_launch second = {.name = "target", .blocks = 1, .pool = &options};
    rk_kernel *sender = probe_start(runtime, &first);
    rk_kernel *target = probe_start(runtime, &second);
    assert_int_equal(rk_kernel_connect(sender, target, NULL, NULL), RK_OK);
    assert_int_equal(probe_run(sender, 3), 3);
    park(target);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_grow(rk_kernel_pool(target), 0, &err), RK_BUSY);
    assert_non_null(strstr(err.text, "kernel 'sender' may send to it"));
    park(sender);
    assert_int_equal(rk_pool_grow(rk_kernel_pool(target), 0, &err), RK_OK);
    start(sender);
    assert_int_equal(probe_run(sender, 2), 5); /* nobody takes these: the route is down */
    start(target);
    assert_int_equal(probe_run(sender, 4), 9);
    uint64_t id = 0;
    assert_int_equal(rk_kernel_ping(target, &id, NULL), RK_OK);
    (void)probe_done(target, id);
    assert_int_equal(probe_run(target, 1), 1);
    uint64_t seen = 0;
    assert_int_equal(rk_kernel_read_field(target, "seen", 0, 1, &seen, NULL), RK_OK);
    assert_int_equal(seen, 7);
    rk_kernel_snapshot snapshot;
    assert_int_equal(rk_kernel_stats(sender, &id, NULL), RK_OK);
    (void)probe_done(sender, id);
    rk_kernel_read_snapshot(sender, &snapshot);
    assert_int_equal(snapshot.k2k_sent, 7);
    rk_runtime_destroy(runtime);
}

static void defragmentation_needs_a_parked_kernel(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {.bytes = 65536};
    rk_launch launch = {.blocks = 1, .pool = &options};
    rk_kernel *kernel = probe_start(runtime, &launch);
    rk_pool *pool = rk_kernel_pool(kernel);
    rk_pool_allocation all[8];
    for (uint32_t i = 0; i < 8; i++) {
        all[i] = take(kernel, 8192, (uint8_t)(i + 1), true);
    }
    for (uint32_t i = 0; i < 8; i += 2) {
        assert_int_equal(rk_pool_free(pool, all[i].handle, NULL), RK_OK);
    }
    rk_pool_moves moves;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_defragment(pool, &moves, &err), RK_STATE);
    assert_int_equal(moves.count, 0);
    park(kernel);
    assert_int_equal(rk_pool_defragment(pool, &moves, &err), RK_OK);
    assert_int_equal(moves.count, 2);
    start(kernel);
    for (uint32_t i = 1; i < 8; i += 2) {
        rk_pool_allocation now;
        assert_int_equal(rk_pool_query(pool, all[i].handle, &now, NULL), RK_OK);
        assert_true(now.offset < 32768);
        assert_int_equal(kernel_sum(kernel, &now, NULL), 8192 * (i + 1));
    }
    rk_pool_allocation half = take(kernel, 32768, 9, false);
    assert_int_equal(kernel_sum(kernel, &half, NULL), 32768 * 9);
    rk_runtime_destroy(runtime);
}

static void contents_are_checked_against_the_allocation(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {.bytes = 65536, .scrub = RK_POOL_SCRUB_ALWAYS};
    rk_launch launch = {.blocks = 1, .pool = &options};
    rk_kernel *kernel = probe_start(runtime, &launch);
    rk_pool *pool = rk_kernel_pool(kernel);
    rk_pool_allocation a = take(kernel, 100, 7, false);
    uint8_t data[128] = {0};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_read_pool(kernel, a.handle, 0, 101, data, &err), RK_INVALID);
    assert_int_equal(rk_kernel_write_pool(kernel, a.handle, 101, 0, data, &err), RK_INVALID);
    assert_int_equal(rk_kernel_write_pool(kernel, a.handle, 99, UINT64_MAX, data, &err),
                     RK_INVALID);
    assert_non_null(strstr(err.text, "outside an allocation of 100 B"));
    assert_int_equal(rk_kernel_read_pool(kernel, a.handle, 98, 2, data, NULL), RK_OK);
    assert_int_equal(data[1], 7);
    /* Nothing is touched, and no freed block is zeroed, while the kernel takes steps. */
    uint64_t run = 0;
    assert_int_equal(rk_kernel_run(kernel, UINT32_MAX, &run, NULL), RK_OK);
    assert_int_equal(rk_kernel_read_pool(kernel, a.handle, 0, 1, data, &err), RK_STATE);
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_OK);
    rk_pool_stats stats;
    rk_pool_read_stats(pool, &stats);
    assert_int_equal(stats.scrub_failures, 1);
    assert_int_equal(stats.scrubs, 0);
    uint64_t id = 0;
    assert_int_equal(rk_kernel_pause(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_read_pool(kernel, a.handle, 0, 1, data, NULL), RK_STALE);
    rk_pool_request request = {.bytes = 100};
    rk_pool_allocation b;
    assert_int_equal(rk_pool_allocate(pool, &request, &b, NULL), RK_OK);
    assert_int_equal(b.offset, a.offset); /* zeroed now, before it is given out */
    assert_int_equal(rk_kernel_read_pool(kernel, b.handle, 0, 100, data, NULL), RK_OK);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(data[i], 0);
    }
    rk_runtime_destroy(runtime);
}

static void parking_tells_what_is_in_use(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_pool_options options = {.bytes = 1 << 20};
    rk_launch launch = {.blocks = 1, .pool = &options};
    rk_kernel *kernel = probe_start(runtime, &launch);
    park(kernel); /* nothing is in use: no event */
    start(kernel);
    take(kernel, 2048, 1, false);
    for (uint32_t i = 0; i < 4; i++) {
        take(kernel, 100 + i, 1, false);
    }
    park(kernel);
    rk_mutex_lock(&last.lock);
    while (last.text[0] == '\0') {
        rk_cond_wait(&last.more, &last.lock);
    }
    rk_mutex_unlock(&last.lock);
    assert_string_equal(last.text,
                        "its pool holds 5 allocations of 2.40 KiB: 2 KiB 'halo' of tenant 0, 4 "
                        "allocations ago; 103 B 'halo' of tenant 0, 0 allocations ago; 102 B "
                        "'halo' of tenant 0, 1 allocations ago; and 2 more");
    rk_runtime_destroy(runtime);
}

static void launches_check_the_pool(void **state)
{
    (void)state;
    rk_runtime *runtime = open_runtime(RK_ISOLATION_NONE);
    rk_module *module = probe_module();
    rk_pool_options options = {.bytes = 65536, .growth = RK_POOL_DOUBLE};
    rk_launch launch = {.name = "k", .module = module, .pool = &options};
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "the pool of kernel 'k': a pool that grows needs"));
    options = (rk_pool_options){.bytes = UINT64_MAX};
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, &err), RK_LIMIT);
    options = (rk_pool_options){.bytes = 0};
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, &err), RK_INVALID);
    launch.pool = NULL;
    assert_int_equal(rk_kernel_create(runtime, &launch, &kernel, &err), RK_OK);
    assert_null(rk_kernel_pool(kernel));
    assert_int_equal(rk_kernel_read_pool(kernel, 1, 0, 1, &options, &err), RK_NOT_FOUND);
    rk_module_unref(module);
    rk_runtime_destroy(runtime);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_in_this_process),
        cmocka_unit_test(grows_in_a_host_process),
        cmocka_unit_test(a_growth_that_fails_changes_nothing),
        cmocka_unit_test(a_restart_leaves_the_pool_as_it_is),
        cmocka_unit_test(senders_must_be_parked_too),
        cmocka_unit_test(defragmentation_needs_a_parked_kernel),
        cmocka_unit_test(contents_are_checked_against_the_allocation),
        cmocka_unit_test(parking_tells_what_is_in_use),
        cmocka_unit_test(launches_check_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
