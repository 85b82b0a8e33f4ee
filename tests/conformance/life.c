/*
 * life.c: launch, park, launch again, take over, panic, restart, end; and that none of it grows.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool run_to(conform *c, rk_kernel *kernel, uint64_t steps, uint64_t expected)
{
    rk_err err = RK_ERR_INIT;
    uint64_t id = 0;
    rk_reply reply;
    if (rk_kernel_run(kernel, steps, &id, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "%s", err.text);
        return false;
    }
    if (!conform_wait(c, kernel, id, &reply)) {
        return false;
    }
    if (reply.step != expected) {
        conform_fail(c, __FILE__, __LINE__, "step %llu instead of %llu",
                     (unsigned long long)reply.step, (unsigned long long)expected);
        return false;
    }
    return true;
}

static void a_parked_kernel_goes_on(conform *c)
{
    rk_launch launch = {0};
    rk_kernel *kernel = conform_start(c, "parks", &launch);
    uint32_t value[64];
    uint64_t step = 0;
    if (kernel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 20 * c->effort; i++) {
        step += 3;
        if (!run_to(c, kernel, 3, step)) {
            goto out;
        }
        CHECK_OK(c, rk_kernel_park(kernel, CONFORM_WAIT_NS, &check_err));
        CHECK(c, rk_kernel_state(kernel) == RK_KERNEL_PARKED, "state after parking");
        if (!conform_read(c, kernel, "value", value, 64)) {
            goto out;
        }
        CHECK(c, value[0] == step && value[63] == step, "a parked cell holds %u", value[0]);
        CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    }
out:
    rk_kernel_destroy(kernel);
}

/* What was sent before the parking, or while parked, is not lost. */
static void messages_survive_parking(conform *c)
{
    rk_launch launch = {0};
    rk_kernel *from = NULL;
    rk_kernel *to = NULL;
    uint32_t ask[2] = {10, 100};
    uint64_t counts[4] = {0};
    uint64_t id = 0;
    rk_reply reply;
    if (!conform_start_two(c, "before", "behind", &launch, &from, &to)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_connect(from, to, NULL, &check_err));
    CHECK_OK(c, rk_kernel_pause(to, &id, &check_err)); /* messages of kernels are held */
    CHECK(c, conform_wait(c, to, id, &reply), "pause");
    CHECK_OK(c, rk_kernel_custom(from, CONFORM_SEND, ask, sizeof ask, &id, &check_err));
    CHECK(c, conform_wait(c, from, id, &reply) && reply.value[0] == 10, "ten are sent");
    CHECK_OK(c, rk_kernel_park(to, CONFORM_WAIT_NS, &check_err));
    CHECK_OK(c, rk_kernel_start(to, &check_err));
    CHECK_OK(c, rk_kernel_resume(to, &id, &check_err));
    CHECK(c, conform_wait(c, to, id, &reply), "resume");
    for (uint32_t i = 0; i < 1000 && counts[0] < 10; i++) {
        CHECK_OK(c, rk_kernel_ping(to, &id, &check_err));
        CHECK(c, conform_wait(c, to, id, &reply), "ping");
        CHECK_OK(c, rk_kernel_read_field(to, "seen", 0, 4, counts, &check_err));
    }
    CHECK(c, counts[0] == 10 && counts[1] == 1000, "%llu of 10 messages survived",
          (unsigned long long)counts[0]);
out:
    rk_kernel_destroy(from);
    rk_kernel_destroy(to);
}

static void another_kernel_takes_the_state_over(conform *c)
{
    rk_launch launch = {0};
    rk_kernel *old = conform_start(c, "old", &launch);
    rk_launch next = {.name = "new", .module = c->module, .device = c->device};
    rk_kernel *kernel = NULL;
    uint32_t value[64];
    if (old == NULL || !run_to(c, old, 12, 12)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_park(old, CONFORM_WAIT_NS, &check_err));
    next.blocks = c->blocks;
    next.lanes = c->lanes;
    CHECK_OK(c, rk_kernel_create(c->runtime, &next, &kernel, &check_err));
    CHECK_OK(c, rk_kernel_start_from(kernel, old, &check_err));
    if (!conform_read(c, kernel, "value", value, 64)) {
        goto out;
    }
    CHECK(c, value[0] == 1012 && value[63] == 1012, "a cell that was taken over holds %u",
          value[0]);
    (void)run_to(c, kernel, 1, 13);
out:
    rk_kernel_destroy(kernel);
    rk_kernel_destroy(old);
}

static bool wait_events(const conform *c, rk_event_kind kind, uint32_t count)
{
    for (uint32_t i = 0; i < 60000; i++) {
        if (__atomic_load_n(&c->events[kind], __ATOMIC_ACQUIRE) >= count) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static bool until_idle(rk_kernel *kernel)
{
    for (uint32_t i = 0; i < 60000; i++) {
        if (rk_kernel_is_resident(kernel) && rk_kernel_state(kernel) == RK_KERNEL_IDLE) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static void panics_are_told_and_restarted(conform *c)
{
    rk_launch launch = {.restart = RK_RESTART_ON_FAILURE, .restart_limit = 2};
    rk_kernel *kernel = conform_start(c, "panics", &launch);
    uint32_t code = 1234;
    uint64_t id = 0;
    rk_reply reply;
    char text[200];
    if (kernel == NULL || !run_to(c, kernel, 5, 5)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_PANIC, &code, sizeof code, &id, &check_err));
    rk_status status = rk_kernel_wait(kernel, id, CONFORM_WAIT_NS, &reply, NULL);
    CHECK(c, status == RK_PANIC, "the command that made it panic: %s", rk_status_text(status));
    CHECK(c, wait_events(c, RK_EVENT_PANICKED, 1) && wait_events(c, RK_EVENT_RESTARTED, 1),
          "no event of a panic and a restart");
    CHECK(c,
          strstr(c->event_text, "1234") != NULL && strstr(c->event_text, "told to panic") != NULL,
          "the event says: %s", c->event_text);
    if (!until_idle(kernel) || !run_to(c, kernel, 2, 2)) { /* from the beginning */
        goto out;
    }
    CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_PANIC, &code, sizeof code, NULL, &check_err));
    CHECK(c, wait_events(c, RK_EVENT_RESTARTED, 2) && until_idle(kernel), "no second restart");
    CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_PANIC, &code, sizeof code, NULL, &check_err));
    CHECK(c, wait_events(c, RK_EVENT_GAVE_UP, 1), "no end of restarts");
    CHECK(c, rk_kernel_failure(kernel, text, sizeof text) != NULL && strstr(text, "1234") != NULL,
          "why it ended");
out:
    rk_kernel_destroy(kernel);
}

static void init_can_fail(conform *c)
{
    static const rk_param_value params[] = {{"fail_in_init", "1"}};
    rk_launch launch = {.name = "stillborn",
                        .module = c->module,
                        .device = c->device,
                        .blocks = c->blocks,
                        .lanes = c->lanes,
                        .params = params,
                        .param_count = 1};
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    CHECK_OK(c, rk_kernel_create(c->runtime, &launch, &kernel, &check_err));
    rk_status status = rk_kernel_start(kernel, &err);
    CHECK(c, status == RK_PANIC && strstr(err.text, "told to fail in init") != NULL, "%s: %s",
          rk_status_text(status), err.text);
out:
    rk_kernel_destroy(kernel);
}

static void too_many_blocks_are_refused(conform *c)
{
    rk_launch launch = {.name = "giant",
                        .module = c->module,
                        .device = c->device,
                        .lanes = c->lanes,
                        .blocks = 1000000};
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_kernel_create(c->runtime, &launch, &kernel, &err);
    CHECK(c, status == RK_LIMIT && strstr(err.text, "1000000") != NULL, "%s: %s",
          rk_status_text(status), err.text);
out:
    rk_kernel_destroy(kernel);
}

static uint64_t resident_kib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*s %lu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(file);
    }
    return (uint64_t)pages * 4;
}

static bool cycle(conform *c)
{
    rk_launch launch = {0};
    rk_kernel *kernel = conform_start(c, "cycle", &launch);
    bool good = kernel != NULL && run_to(c, kernel, 4, 4);
    rk_kernel_destroy(kernel);
    return good;
}

/* Hundreds of lives leave no more memory behind than a few did. */
static void lives_leave_nothing_behind(conform *c)
{
    const uint32_t lives = 40 * c->effort;
    for (uint32_t i = 0; i < lives / 2; i++) {
        if (!cycle(c)) {
            return;
        }
    }
    uint64_t before_kib = resident_kib();
    for (uint32_t i = 0; i < lives; i++) {
        if (!cycle(c)) {
            return;
        }
    }
    uint64_t after_kib = resident_kib();
#ifdef CONFORM_KEEPS_MEMORY
    before_kib = after_kib; /* leaks are found at the end of the program instead */
#endif
    CHECK(c, after_kib < before_kib + 4096, "%u lives took %llu KiB", lives,
          (unsigned long long)(after_kib - before_kib));
out:
    return;
}

const conform_case conform_life[] = {
    {"life: a parked kernel goes on", a_parked_kernel_goes_on},
    {"life: messages survive parking", messages_survive_parking},
    {"life: another kernel takes the state over", another_kernel_takes_the_state_over},
    {"life: panics are told and restarted", panics_are_told_and_restarted},
    {"life: init can fail", init_can_fail},
    {"life: too many blocks are refused", too_many_blocks_are_refused},
    {"life: lives leave nothing behind", lives_leave_nothing_behind},
};
const uint32_t conform_life_count = sizeof conform_life / sizeof conform_life[0];
