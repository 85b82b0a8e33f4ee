/*
 * Resident kernels: every command on a running kernel, parking, fields, blocks and lanes, several
 * kernels at once, routes between kernels.
 */
#include "runtime/probe.h"
#include "support/skip.h"
#include <pthread.h>
#include <ringkernel/abi/control.h>
#include <ringkernel/abi/message.h>
#include <stdlib.h>
#include <string.h>

static rk_runtime *runtime_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    rk_runtime *runtime = NULL;
    rk_runtime_options options = {.logical_devices = 2};
    assert_int_equal(rk_runtime_create(&options, &runtime, NULL), RK_OK);
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    rk_runtime_destroy(*state);
    return 0;
}

static uint32_t cell(rk_kernel *kernel, const char *field, uint64_t index)
{
    uint32_t value = 0;
    assert_int_equal(rk_kernel_read_field(kernel, field, index, 1, &value, NULL), RK_OK);
    return value;
}

static void a_run_takes_its_steps_and_says_where_it_stands(void **state)
{
    rk_launch launch = {.blocks = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_IDLE);
    uint64_t id = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_run(kernel, 1000, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait_accepted(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    assert_true(reply.level >= RK_REPLY_ACCEPTED);
    reply = probe_done(kernel, id);
    assert_int_equal(reply.step, 1000);
    assert_int_equal(reply.value[0], 1000);
    assert_int_equal(cell(kernel, "value", 0), 1000);
    assert_int_equal(cell(kernel, "mirror", 63), 1000);
    assert_int_equal(probe_run(kernel, 0), 1000);
    assert_int_equal(rk_kernel_wait(kernel, id, 0, &reply, NULL), RK_NOT_FOUND);
    rk_kernel_destroy(kernel);
}

static void a_probe_is_answered_without_a_command(void **state)
{
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    rk_probe last = {0};
    for (int i = 0; i < 100; i++) {
        rk_probe probe;
        assert_int_equal(rk_kernel_probe(kernel, RK_FOREVER, &probe, NULL), RK_OK);
        assert_true(probe.sent_ns <= probe.seen_ns);
        assert_int_equal(probe.ticks_per_s, 1000000000);
        /* On the processor both sides read one clock. */
        assert_true(probe.device_ticks >= probe.sent_ns && probe.device_ticks <= probe.seen_ns);
        assert_true(probe.device_ticks >= last.device_ticks);
        last = probe;
    }
    uint64_t id = 0;
    assert_int_equal(rk_kernel_run(kernel, 1000000, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_probe(kernel, RK_FOREVER, &last, NULL), RK_OK); /* between steps */
    rk_kernel_abort(kernel);
    rk_reply reply;
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    assert_true(reply.status == RK_OK || reply.status == RK_ABORTED);
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_probe(kernel, RK_FOREVER, &last, &err), RK_STATE);
    assert_non_null(strstr(err.text, "parked"));
    rk_kernel_destroy(kernel);
}

static void blocks_and_lanes_do_not_change_the_result(void **state)
{
    static const struct {
        uint32_t blocks;
        uint32_t lanes;
    } shapes[] = {{1, 0}, {2, 0}, {3, 0}, {7, 0}, {1, 8}, {3, 5}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        rk_param_value cells = {"cells", "1001"};
        rk_launch launch = {.blocks = shapes[i].blocks,
                            .lanes = shapes[i].lanes,
                            .params = &cells,
                            .param_count = 1};
        rk_kernel *kernel = probe_start(runtime_of(state), &launch);
        assert_int_equal(probe_run(kernel, 57), 57);
        uint32_t value[1001];
        uint32_t mirror[1001];
        assert_int_equal(rk_kernel_read_field(kernel, "value", 0, 1001, value, NULL), RK_OK);
        assert_int_equal(rk_kernel_read_field(kernel, "mirror", 0, 1001, mirror, NULL), RK_OK);
        for (size_t j = 0; j < 1001; j++) {
            assert_int_equal(value[j], 57);
            assert_int_equal(mirror[j], 57);
        }
        rk_kernel_destroy(kernel);
    }
}

static void pause_holds_runs_but_answers_commands(void **state)
{
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t run = 0;
    uint64_t id = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_pause(kernel, &id, NULL), RK_OK);
    assert_int_equal(probe_done(kernel, id).step, 0);
    assert_int_equal(rk_kernel_run(kernel, 10, &run, NULL), RK_OK);
    assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_OK);
    assert_int_equal(probe_done(kernel, id).step, 0);
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PAUSED);
    assert_int_equal(rk_kernel_wait(kernel, run, 1000, &reply, NULL), RK_TIMEOUT);
    assert_int_equal(rk_kernel_progress(kernel, &id, NULL), RK_OK);
    reply = probe_done(kernel, id);
    assert_int_equal(reply.value[0], 10);
    assert_int_equal(rk_kernel_resume(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(probe_done(kernel, run).step, 10);
    rk_kernel_destroy(kernel);
}

static void a_step_budget_pauses_the_kernel(void **state)
{
    rk_launch launch = {.blocks = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t run = 0;
    uint64_t id = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_step_budget(kernel, 7, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_run(kernel, 20, &run, NULL), RK_OK);
    do { /* the kernel pauses itself at step 7 */
        assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_OK);
        reply = probe_done(kernel, id);
    } while (reply.step < 7);
    assert_int_equal(reply.step, 7);
    assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PAUSED);
    assert_int_equal(rk_kernel_resume(kernel, &id, NULL), RK_OK);
    assert_int_equal(probe_done(kernel, run).step, 20);
    rk_kernel_destroy(kernel);
}

static void inject_custom_check_stats_and_features(void **state)
{
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t id = 0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_inject(kernel, "value", 5, 40, false, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_inject(kernel, "value", 5, 2, true, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(cell(kernel, "value", 5), 42);
    assert_int_equal(rk_kernel_inject(kernel, "value", 64, 1, false, &id, &err), RK_INVALID);
    assert_int_equal(rk_kernel_inject(kernel, "value", 0, 1e20, false, &id, &err), RK_LIMIT);
    assert_int_equal(rk_kernel_inject(kernel, "nothing", 0, 1, false, &id, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "nothing"));

    uint8_t data[100000];
    for (size_t length = 1; length <= sizeof data; length = length * 3 + 1) {
        memset(data, 1, length);
        assert_int_equal(rk_kernel_custom(kernel, 1, data, length, &id, NULL), RK_OK);
        rk_reply sum = probe_done(kernel, id);
        assert_int_equal(sum.value[0], length);
        assert_int_equal(sum.value[1], length);
    }
    rk_reply reply;
    assert_int_equal(rk_kernel_custom(kernel, 99, NULL, 0, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    assert_int_equal(reply.status, RK_INTERNAL);
    assert_int_equal(reply.value[0], 9);

    assert_int_equal(rk_kernel_features(kernel, 0, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    (void)probe_run(kernel, 3);
    assert_int_equal(cell(kernel, "mirror", 0), 0);
    assert_int_equal(cell(kernel, "value", 0), 3);
    assert_int_equal(rk_kernel_check(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_inject(kernel, "value", 0, 1, true, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_check(kernel, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    assert_int_equal(reply.value[0], 5);

    assert_int_equal(rk_kernel_stats(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &snapshot);
    assert_int_equal(snapshot.step, 3);
    assert_true(snapshot.commands >= 15);
    assert_int_equal(snapshot.in_flight, 0);
    rk_kernel_destroy(kernel);
}

static void a_long_run_is_aborted_at_a_step_boundary(void **state)
{
    rk_launch launch = {.blocks = 2};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t runs[3];
    rk_reply reply;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rk_kernel_run(kernel, 1ull << 50, &runs[i], NULL), RK_OK);
    }
    assert_int_equal(rk_kernel_wait_accepted(kernel, runs[2], RK_FOREVER, &reply, NULL), RK_OK);
    rk_kernel_abort(kernel);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rk_kernel_wait(kernel, runs[i], RK_FOREVER, &reply, NULL), RK_OK);
        assert_int_equal(reply.status, RK_ABORTED);
    }
    uint64_t step = reply.step;
    assert_int_equal(cell(kernel, "value", 0), (uint32_t)step);
    assert_int_equal(probe_run(kernel, 1), step + 1);
    rk_kernel_destroy(kernel);
}

/* Runs, which may be held for long, leave room for the commands that end or resume them. */
static void more_runs_than_the_limit_are_refused(void **state)
{
    rk_launch launch = {.blocks = 1, .in_flight_limit = 8};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t id = 0;
    uint64_t runs[6];
    rk_err err = RK_ERR_INIT;
    rk_reply reply;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(rk_kernel_run(kernel, 1ull << 40, &runs[i], NULL), RK_OK);
    }
    assert_int_equal(rk_kernel_run(kernel, 1, &id, &err), RK_LIMIT);
    assert_non_null(strstr(err.text, "6 runs in flight"));
    assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    rk_kernel_abort(kernel);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(rk_kernel_wait(kernel, runs[i], RK_FOREVER, &reply, NULL), RK_OK);
        assert_int_equal(reply.status, RK_ABORTED);
    }
    rk_kernel_destroy(kernel);
}

static void a_parked_kernel_goes_on_where_it_stopped(void **state)
{
    rk_param_value cells = {"cells", "1000"};
    rk_launch launch = {.blocks = 3, .params = &cells, .param_count = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint64_t id = 0;
    rk_reply reply;
    (void)probe_run(kernel, 5);
    for (uint64_t turn = 1; turn <= 20; turn++) {
        assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
        assert_int_equal(rk_kernel_state(kernel), RK_KERNEL_PARKED);
        assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_STATE);
        assert_int_equal(cell(kernel, "value", 999), 5 + (turn - 1));
        assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
        assert_int_equal(probe_run(kernel, 1), 5 + turn);
    }
    /* A run that is open while the kernel parks goes on afterwards. */
    assert_int_equal(rk_kernel_pause(kernel, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_run(kernel, 4, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, 0, &reply, NULL), RK_TIMEOUT);
    assert_int_equal(rk_kernel_resume(kernel, NULL, NULL), RK_OK);
    assert_int_equal(probe_done(kernel, id).step, 29);
    rk_kernel_destroy(kernel);
}

static void fields_are_written_before_the_start_and_guarded_while_it_runs(void **state)
{
    rk_module *module = probe_module();
    rk_launch launch = {.name = "fields", .module = module, .blocks = 2};
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_kernel_create(runtime_of(state), &launch, &kernel, NULL), RK_OK);
    uint32_t offset[64];
    for (uint32_t i = 0; i < 64; i++) {
        offset[i] = i * 10;
    }
    assert_int_equal(rk_kernel_write_field(kernel, "offset", 0, 64, offset, NULL), RK_OK);
    assert_int_equal(rk_kernel_write_field(kernel, "offset", 1, 64, offset, &err), RK_INVALID);
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    (void)probe_run(kernel, 2);
    assert_int_equal(cell(kernel, "value", 63), 632);
    uint64_t run = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_run(kernel, 1ull << 40, &run, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait_accepted(kernel, run, RK_FOREVER, &reply, NULL), RK_OK);
    assert_int_equal(rk_kernel_read_field(kernel, "value", 0, 1, offset, &err), RK_STATE);
    assert_non_null(strstr(err.text, "pause it"));
    rk_kernel_destroy(kernel);
    launch.variant = "f16";
    assert_int_equal(rk_kernel_create(runtime_of(state), &launch, &kernel, &err), RK_NOT_FOUND);
    launch.variant = "f64";
    assert_int_equal(rk_kernel_create(runtime_of(state), &launch, &kernel, &err), RK_OK);
    uint64_t elements = 0;
    uint32_t bytes = 0;
    assert_int_equal(rk_kernel_field_size(kernel, "scale", &elements, &bytes, NULL), RK_OK);
    assert_int_equal(bytes, 8);
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

static void a_field_is_never_read_while_a_submitted_run_may_write_it(void **state)
{
    rk_param_value cells = {"cells", "200000"};
    rk_launch launch = {.blocks = 1, .params = &cells, .param_count = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint32_t *value = malloc(200000 * sizeof value[0]);
    assert_non_null(value);
    uint64_t id = 0;
    for (uint32_t turn = 1; turn <= 50; turn++) {
        assert_int_equal(rk_kernel_run(kernel, 3, &id, NULL), RK_OK);
        rk_status status = rk_kernel_read_field(kernel, "value", 0, 200000, value, NULL);
        if (status == RK_OK) { /* the run was over already */
            for (uint32_t i = 0; i < 200000; i++) {
                assert_int_equal(value[i], 3 * turn);
            }
        } else {
            assert_int_equal(status, RK_STATE);
        }
        (void)probe_done(kernel, id);
        assert_int_equal(cell(kernel, "value", 199999), 3 * turn);
    }
    assert_int_equal(rk_kernel_pause(kernel, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_run(kernel, 3, NULL, NULL), RK_OK);
    assert_int_equal(cell(kernel, "value", 0), 150); /* held runs do not step */
    free(value);
    rk_kernel_destroy(kernel);
}

static void messages_reach_the_handler_and_answers_the_host(void **state)
{
    rk_launch launch = {.blocks = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    uint8_t data[200] = {0};
    memset(data, 2, sizeof data);
    uint64_t id = 0;
    rk_received message;
    uint64_t sum = 0;
    assert_int_equal(rk_kernel_send(kernel, 400, 7, data, sizeof data, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_receive(kernel, RK_FOREVER, &message, &sum, sizeof sum, NULL),
                     RK_OK);
    assert_int_equal(message.type, 401);
    assert_int_equal(sum, 400);
    assert_int_equal(rk_kernel_send(kernel, 12, 0, data, 1, &id, NULL), RK_INVALID);
    assert_int_equal(rk_kernel_receive(kernel, 1000, &message, &sum, sizeof sum, NULL), RK_TIMEOUT);
    /* A reply carries the correlation of its request; what is no request cannot be answered. */
    assert_int_equal(rk_kernel_send(kernel, 403, 77, data, 1, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_receive(kernel, RK_FOREVER, &message, &sum, sizeof sum, NULL),
                     RK_OK);
    assert_int_equal(message.type, 404);
    assert_int_equal(message.correlation, 77);
    assert_true((message.flags & RK_MSG_REPLY) != 0);
    assert_int_equal(rk_kernel_send(kernel, 403, 0, data, 1, &id, NULL), RK_OK);
    (void)probe_done(kernel, id);
    assert_int_equal(rk_kernel_receive(kernel, RK_FOREVER, &message, &sum, sizeof sum, NULL),
                     RK_OK);
    assert_int_equal(message.type, 405);
    assert_int_equal(message.correlation, 0);
    /* Long messages cross the end of the ring many times. */
    uint8_t out[2048];
    for (uint32_t turn = 0; turn < 3000; turn++) {
        uint32_t bytes = turn * 37 % sizeof out;
        assert_int_equal(rk_kernel_custom(kernel, 4, &bytes, sizeof bytes, &id, NULL), RK_OK);
        assert_int_equal(probe_done(kernel, id).value[0], 0);
        assert_int_equal(rk_kernel_receive(kernel, RK_FOREVER, &message, out, sizeof out, NULL),
                         RK_OK);
        assert_int_equal(message.length, bytes);
        for (uint32_t i = 0; i < bytes; i++) {
            assert_int_equal(out[i], (uint8_t)i);
        }
    }
    rk_kernel_destroy(kernel);
}

static void kernels_talk_over_routes(void **state)
{
    rk_param_value chatter = {"chatter", "3"};
    rk_launch launch = {.name = "from", .blocks = 2, .params = &chatter, .param_count = 1};
    rk_kernel *from = probe_start(runtime_of(state), &launch);
    launch = (rk_launch){.name = "to", .blocks = 1};
    rk_kernel *to = probe_start(runtime_of(state), &launch);
    launch = (rk_launch){.name = "stranger", .blocks = 1, .tenant = 9};
    rk_kernel *stranger = probe_start(runtime_of(state), &launch);
    rk_err err = RK_ERR_INIT;
    uint32_t route = 99;
    uint64_t id = 0;
    assert_int_equal(rk_kernel_connect(from, stranger, &route, &err), RK_TENANT);
    assert_int_equal(rk_kernel_connect(from, to, &route, NULL), RK_OK);
    assert_int_equal(route, 0);
    (void)probe_run(from, 100);
    uint64_t seen[4] = {0};
    do {
        assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
        (void)probe_done(to, id);
        assert_int_equal(rk_kernel_read_field(to, "seen", 0, 4, seen, NULL), RK_OK);
    } while (seen[0] < 300);
    assert_int_equal(seen[0], 300);
    assert_int_equal(seen[1], 300 * 8);
    /* A paused destination fills up: sends are refused and counted, none is lost. */
    assert_int_equal(rk_kernel_pause(to, &id, NULL), RK_OK);
    (void)probe_done(to, id);
    (void)probe_run(from, 1000);
    assert_int_equal(rk_kernel_stats(from, &id, NULL), RK_OK);
    (void)probe_done(from, id);
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(from, &snapshot);
    assert_int_equal(snapshot.k2k_sent + snapshot.k2k_refused, 3300);
    assert_true(snapshot.k2k_refused > 0);
    assert_int_equal(rk_kernel_resume(to, &id, NULL), RK_OK);
    do {
        assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
        (void)probe_done(to, id);
        assert_int_equal(rk_kernel_read_field(to, "seen", 0, 4, seen, NULL), RK_OK);
    } while (seen[0] < snapshot.k2k_sent);
    assert_int_equal(seen[0], snapshot.k2k_sent);
    /* Long messages, wrapping. */
    uint64_t before = seen[0];
    for (uint32_t turn = 0; turn < 500; turn++) {
        uint32_t bytes = turn * 41 % 2048;
        assert_int_equal(rk_kernel_custom(from, 5, &bytes, sizeof bytes, &id, NULL), RK_OK);
        assert_int_equal(probe_done(from, id).value[0], 0);
        do {
            assert_int_equal(rk_kernel_ping(to, &id, NULL), RK_OK);
            (void)probe_done(to, id);
            assert_int_equal(rk_kernel_read_field(to, "seen", 0, 4, seen, NULL), RK_OK);
        } while (seen[0] < before + turn + 1);
        assert_int_equal(seen[3], bytes);
    }
    rk_kernel_destroy(to);
    (void)probe_run(from, 1); /* its route leads to an ended kernel */
    rk_kernel_destroy(from);
}

static void several_kernels_share_few_cores(void **state)
{
    rk_kernel *kernels[6];
    uint64_t ids[6];
    char name[8] = "k0";
    for (size_t i = 0; i < 6; i++) {
        name[1] = (char)('0' + i);
        rk_launch launch = {.name = name, .blocks = 2, .device = i % 2 == 0 ? "cpu:0" : "cpu:1"};
        kernels[i] = probe_start(runtime_of(state), &launch);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(rk_kernel_run(kernels[i], 300, &ids[i], NULL), RK_OK);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(probe_done(kernels[i], ids[i]).step, 300);
    }
    assert_ptr_equal(rk_runtime_find_kernel(runtime_of(state), "k3"), kernels[3]);
    rk_launch again = {.name = "k3", .blocks = 1};
    rk_module *module = probe_module();
    again.module = module;
    rk_kernel *other = NULL;
    assert_int_equal(rk_kernel_create(runtime_of(state), &again, &other, NULL), RK_EXISTS);
    again = (rk_launch){.name = "k9", .module = module, .device = "gpu:7"};
    assert_int_equal(rk_kernel_create(runtime_of(state), &again, &other, NULL), RK_NOT_FOUND);
    rk_module_unref(module);
    for (size_t i = 0; i < 6; i++) {
        rk_kernel_destroy(kernels[i]);
    }
}

#define PINGS 3000

static void *ping_many(void *context)
{
    rk_kernel *kernel = context;
    for (unsigned i = 0; i < PINGS; i++) {
        uint64_t id = 0;
        rk_reply reply;
        rk_err err = RK_ERR_INIT;
        if (rk_kernel_ping(kernel, &id, &err) != RK_OK ||
            rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err) != RK_OK || reply.id != id) {
            return (void *)kernel;
        }
    }
    return NULL;
}

static void many_threads_command_one_kernel(void **state)
{
    rk_launch launch = {.blocks = 1};
    rk_kernel *kernel = probe_start(runtime_of(state), &launch);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ping_many, kernel), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    rk_kernel_destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_takes_its_steps_and_says_where_it_stands, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_probe_is_answered_without_a_command, setup, teardown),
        cmocka_unit_test_setup_teardown(blocks_and_lanes_do_not_change_the_result, setup, teardown),
        cmocka_unit_test_setup_teardown(pause_holds_runs_but_answers_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(a_step_budget_pauses_the_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(inject_custom_check_stats_and_features, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_run_is_aborted_at_a_step_boundary, setup, teardown),
        cmocka_unit_test_setup_teardown(more_runs_than_the_limit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parked_kernel_goes_on_where_it_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(
            fields_are_written_before_the_start_and_guarded_while_it_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_field_is_never_read_while_a_submitted_run_may_write_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(messages_reach_the_handler_and_answers_the_host, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(kernels_talk_over_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(several_kernels_share_few_cores, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads_command_one_kernel, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
