/*
 * commands.c: every command, alone, on an idle, a running and a paused kernel.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

#define CELLS 100u

static rk_launch plain(void)
{
    static const rk_param_value params[] = {{"cells", "100"}};
    return (rk_launch){.params = params, .param_count = 1};
}

static void runs(conform *c)
{
    rk_launch launch = plain();
    rk_kernel *kernel = conform_start(c, "runs", &launch);
    uint32_t value[CELLS];
    uint32_t mirror[CELLS];
    uint64_t id = 0;
    rk_reply reply;
    if (kernel == NULL) {
        return;
    }
    CHECK(c, rk_kernel_state(kernel) == RK_KERNEL_IDLE, "state %u", rk_kernel_state(kernel));
    CHECK_OK(c, rk_kernel_run(kernel, 37, &id, &check_err));
    if (!conform_wait(c, kernel, id, &reply)) {
        goto out;
    }
    CHECK(c, reply.status == RK_OK && reply.step == 37 && reply.value[0] == 37, "step %llu",
          (unsigned long long)reply.step);
    if (!conform_read(c, kernel, "value", value, CELLS) ||
        !conform_read(c, kernel, "mirror", mirror, CELLS)) {
        goto out;
    }
    for (uint32_t i = 0; i < CELLS; i++) {
        CHECK(c, value[i] == 37 && mirror[i] == 37, "cell %u: %u %u", i, value[i], mirror[i]);
    }
    CHECK_OK(c, rk_kernel_run_reporting(kernel, 20, 5, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.step == 57, "reporting run");
    CHECK_OK(c, rk_kernel_run(kernel, 0, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.step == 57, "run of no steps");
out:
    rk_kernel_destroy(kernel);
}

static void pause_holds_and_resume_goes_on(conform *c)
{
    rk_launch launch = plain();
    rk_kernel *kernel = conform_start(c, "pause", &launch);
    uint64_t run = 0;
    uint64_t id = 0;
    rk_reply reply;
    if (kernel == NULL) {
        return;
    }
    CHECK_OK(c, rk_kernel_pause(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "pause");
    CHECK_OK(c, rk_kernel_run(kernel, 9, &run, &check_err));
    CHECK_OK(c, rk_kernel_wait_accepted(kernel, run, CONFORM_WAIT_NS, &reply, &check_err));
    CHECK(c, reply.level == RK_REPLY_ACCEPTED, "a paused kernel ran");
    CHECK_OK(c, rk_kernel_progress(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.value[0] == 9 && reply.value[1] == 9,
          "progress of a paused kernel: %llu", (unsigned long long)reply.value[0]);
    CHECK_OK(c, rk_kernel_step_budget(kernel, 4, NULL, &check_err));
    CHECK_OK(c, rk_kernel_resume(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "resume");
    do { /* the budget pauses it by itself */
        CHECK_OK(c, rk_kernel_ping(kernel, &id, &check_err));
        CHECK(c, conform_wait(c, kernel, id, &reply), "ping");
    } while (rk_kernel_state(kernel) != RK_KERNEL_PAUSED);
    CHECK_OK(c, rk_kernel_ping(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "ping");
    CHECK(c, reply.step == 4, "the budget of 4 steps ended at %llu",
          (unsigned long long)reply.step);
    CHECK_OK(c, rk_kernel_resume(kernel, NULL, &check_err));
    CHECK(c, conform_wait(c, kernel, run, &reply) && reply.step == 9, "the held run");
out:
    rk_kernel_destroy(kernel);
}

static void abort_ends_what_was_submitted_before(conform *c)
{
    rk_launch launch = plain();
    rk_kernel *kernel = conform_start(c, "abort", &launch);
    uint64_t long_run = 0;
    uint64_t id = 0;
    rk_reply reply;
    if (kernel == NULL) {
        return;
    }
    CHECK_OK(c, rk_kernel_run(kernel, UINT64_MAX / 2, &long_run, &check_err));
    CHECK_OK(c, rk_kernel_wait_accepted(kernel, long_run, CONFORM_WAIT_NS, &reply, &check_err));
    rk_kernel_abort(kernel);
    CHECK(c, conform_wait(c, kernel, long_run, &reply) && reply.status == RK_ABORTED, "abort: %s",
          rk_status_text(reply.status));
    CHECK_OK(c, rk_kernel_run(kernel, 3, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "run after an abort");
out:
    rk_kernel_destroy(kernel);
}

static void inject_custom_check_and_features(conform *c)
{
    rk_launch launch = plain();
    rk_kernel *kernel = conform_start(c, "custom", &launch);
    uint8_t data[3000];
    uint32_t code = 17;
    uint64_t id = 0;
    rk_reply reply;
    uint32_t cell = 0;
    if (kernel == NULL) {
        return;
    }
    CHECK_OK(c, rk_kernel_inject(kernel, "value", 5, 1000, false, &id, &check_err));
    CHECK_OK(c, rk_kernel_inject(kernel, "value", 5, 11, true, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "inject");
    CHECK_OK(c, rk_kernel_read_field(kernel, "value", 5, 1, &cell, &check_err));
    CHECK(c, cell == 1011, "injected cell holds %u", cell);
    CHECK_OK(c, rk_kernel_inject(kernel, "value", 5, 0, false, NULL, &check_err));
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    const uint32_t lengths[] = {0, 1, 32, 33, 40, 41, 1000, sizeof data};
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint64_t expected = 0;
        for (uint32_t j = 0; j < lengths[i]; j++) {
            expected += data[j];
        }
        CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_SUM, data, lengths[i], &id, &check_err));
        CHECK(c,
              conform_wait(c, kernel, id, &reply) && reply.value[0] == 0 &&
                  reply.value[1] == expected && reply.value[2] == lengths[i],
              "custom of %u bytes", lengths[i]);
    }
    CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_FAIL, &code, sizeof code, &id, &check_err));
    CHECK(c,
          conform_wait(c, kernel, id, &reply) && reply.status == RK_INTERNAL &&
              reply.value[0] == code,
          "a handler's refusal");
    CHECK_OK(c, rk_kernel_check(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "check");
    CHECK_OK(c, rk_kernel_features(kernel, 0, NULL, &check_err));
    CHECK_OK(c, rk_kernel_run(kernel, 2, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "run");
    CHECK_OK(c, rk_kernel_check(kernel, &id, &check_err));
    CHECK(c,
          conform_wait(c, kernel, id, &reply) && reply.status == RK_INTERNAL && reply.value[0] == 5,
          "check without the mirror: %s", rk_status_text(reply.status));
    CHECK_OK(c, rk_kernel_stats(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "stats");
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &snapshot);
    CHECK(c, snapshot.step == 2 && snapshot.commands >= 12, "snapshot: step %llu, %llu commands",
          (unsigned long long)snapshot.step, (unsigned long long)snapshot.commands);
out:
    rk_kernel_destroy(kernel);
}

static void fields_and_inputs(conform *c)
{
    rk_launch launch = plain();
    launch.name = "fields";
    launch.module = c->module;
    launch.device = c->device;
    launch.blocks = c->blocks;
    launch.lanes = c->lanes;
    rk_kernel *kernel = NULL;
    uint32_t base[CELLS];
    uint32_t value[CELLS];
    for (uint32_t i = 0; i < CELLS; i++) {
        base[i] = i * i + 1;
    }
    CHECK_OK(c, rk_kernel_create(c->runtime, &launch, &kernel, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "base", 0, CELLS, base, &check_err));
    CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    if (!conform_read(c, kernel, "value", value, CELLS)) {
        goto out;
    }
    CHECK(c, memcmp(value, base, sizeof value) == 0, "init did not see what the host had written");
    CHECK_OK(c, rk_kernel_write_field(kernel, "value", 10, 2, base, &check_err));
    CHECK_OK(c, rk_kernel_read_field(kernel, "value", 9, 4, value, &check_err));
    CHECK(c, value[0] == base[9] && value[1] == base[0] && value[3] == base[12],
          "a part of a field");
    rk_status status = rk_kernel_read_field(kernel, "value", 99, 2, value, NULL);
    CHECK(c, status == RK_INVALID, "reading past the end: %s", rk_status_text(status));
out:
    rk_kernel_destroy(kernel);
}

static void probes_are_answered(conform *c)
{
    rk_launch launch = plain();
    rk_kernel *kernel = conform_start(c, "probes", &launch);
    uint64_t last = 0;
    if (kernel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 50; i++) {
        rk_probe probe;
        CHECK_OK(c, rk_kernel_probe(kernel, CONFORM_WAIT_NS, &probe, &check_err));
        CHECK(c, probe.seen_ns >= probe.sent_ns, "the host's clock runs backwards");
        CHECK(c, probe.ticks_per_s == 0 || probe.device_ticks >= last,
              "the device's clock runs backwards");
        last = probe.device_ticks;
    }
out:
    rk_kernel_destroy(kernel);
}

const conform_case conform_commands[] = {
    {"commands: runs", runs},
    {"commands: pause, progress, budget, resume", pause_holds_and_resume_goes_on},
    {"commands: abort", abort_ends_what_was_submitted_before},
    {"commands: inject, custom, check, features, stats", inject_custom_check_and_features},
    {"commands: fields and inputs", fields_and_inputs},
    {"commands: probes", probes_are_answered},
};
const uint32_t conform_commands_count = sizeof conform_commands / sizeof conform_commands[0];
