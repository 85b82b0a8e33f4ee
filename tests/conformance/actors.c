/*
 * actors.c: actors on the device lose no message and are supervised; messages between lanes, blocks
 * and kernels arrive whole. The kernels check every word themselves (kernels/actors.c,
 * kernels/pingpong.c).
 */
#include "conform.h"

#include <string.h>

#define OP_START 1u
#define OP_RESTART 0x1002u
#define OP_COUNT 0x1004u
#define TYPE_FAIL 261u
#define TYPE_TELL 264u
#define TYPE_DONE 300u
#define TYPE_FAILED 0xacf0u
#define CODE_FEW 3u
#define RUN_ERRORS 48u

static bool order(conform *c, rk_kernel *kernel, uint64_t op, const void *data, size_t bytes,
                  rk_reply *out_reply)
{
    uint64_t id = 0;
    CHECK_OK(c, rk_kernel_custom(kernel, op, data, bytes, &id, &check_err));
    return conform_wait(c, kernel, id, out_reply);
out:
    return false;
}

static bool receive(conform *c, rk_kernel *kernel, uint32_t type, void *payload, size_t bytes)
{
    rk_received message;
    memset(payload, 0, bytes);
    CHECK_OK(c, rk_kernel_receive(kernel, CONFORM_WAIT_NS, &message, payload, bytes, &check_err));
    CHECK(c, message.type == type, "a message of type %u instead of %u", message.type, type);
    return true;
out:
    return false;
}

/* Waits until the kernel has nothing to do, so that its fields may be read. */
static bool settle(conform *c, rk_kernel *kernel)
{
    uint64_t id = 0;
    rk_reply reply;
    CHECK_OK(c, rk_kernel_run(kernel, 1, &id, &check_err));
    return conform_wait(c, kernel, id, &reply);
out:
    return false;
}

/* ---- Actors -------------------------------------------------------------------------------- */

static rk_kernel *start_actors(conform *c, rk_module **out_module, const char *fan)
{
    const rk_param_value params[] = {
        {"actors", "1000"},   {"initial_actors", "960"}, {"actor_messages", "20000"},
        {"actor_batch", "5"}, {"actor_slice", "40"},     {"actor_restarts", "1"},
        {"fan", fan}};
    rk_launch launch = {.params = params, .param_count = sizeof params / sizeof params[0]};
    CHECK_OK(c, rk_module_open_builtin("actors", out_module, &check_err));
    launch.module = *out_module;
    return conform_start(c, "actors", &launch);
out:
    return NULL;
}

static void traffic(conform *c, const char *fan, uint32_t mode, uint32_t flight, uint32_t hops)
{
    rk_module *module = NULL;
    rk_kernel *kernel = start_actors(c, &module, fan);
    const uint32_t start[3] = {mode, flight, hops};
    const uint32_t first = 0;
    rk_reply reply;
    uint64_t done[3];
    uint32_t run[64];
    for (uint32_t round = 0; kernel != NULL && round < 2; round++) {
        if (!order(c, kernel, OP_START, start, sizeof start, &reply)) {
            goto out;
        }
        CHECK(c, reply.status == RK_OK, "refused with code %u", (unsigned)reply.value[0]);
        if (!receive(c, kernel, TYPE_DONE, done, sizeof done) || !settle(c, kernel)) {
            goto out;
        }
        CHECK(c, mode == 2 || done[0] == (uint64_t)flight * (hops + 1u), "%llu messages handled",
              (unsigned long long)done[0]);
        if (!order(c, kernel, OP_COUNT, &first, sizeof first, &reply) ||
            !conform_read(c, kernel, "run", run, 64)) {
            goto out;
        }
        CHECK(c, reply.value[0] == reply.value[1] && reply.value[2] == 0,
              "%llu sent, %llu handled, %llu dead", (unsigned long long)reply.value[0],
              (unsigned long long)reply.value[1], (unsigned long long)reply.value[2]);
        CHECK(c, run[RUN_ERRORS] == 0, "%u messages out of order or refused", run[RUN_ERRORS]);
        if (mode == 2) {
            break; /* the sinks' numbers go on from one START to the next */
        }
    }
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

static void ring(conform *c)
{
    traffic(c, "1", 0, 300, 200);
}

static void random_targets(conform *c)
{
    traffic(c, "1", 1, 2000, 30);
}

static void fan_in(conform *c)
{
    traffic(c, "1", 2, 0, 50);
}

static void supervision(conform *c)
{
    rk_module *module = NULL;
    rk_kernel *kernel = start_actors(c, &module, "1");
    uint32_t message[4] = {77, 1, 0, 0}; /* actor 77 of generation 1 */
    uint32_t report[6];
    rk_reply reply;
    for (uint32_t time = 1; kernel != NULL && time <= 2; time++) {
        message[2] = 500 + time;
        CHECK_OK(c,
                 rk_kernel_send(kernel, TYPE_FAIL, 0, message, sizeof message, NULL, &check_err));
        if (!receive(c, kernel, TYPE_FAILED, report, sizeof report)) {
            goto out;
        }
        CHECK(c,
              report[0] == 77 && report[2] == 500 + time && report[3] == time && report[5] == time,
              "report of actor %u: code %u, standing %u, failure %u", report[0], report[2],
              report[3], report[5]);
    }
    if (kernel != NULL) {
        message[2] = 9;
        CHECK_OK(c,
                 rk_kernel_send(kernel, TYPE_TELL, 0, message, sizeof message, NULL, &check_err));
        if (order(c, kernel, OP_RESTART, message, 8, &reply) &&
            receive(c, kernel, TYPE_TELL, report, sizeof report)) {
            CHECK(c, report[0] == 77 && report[2] == 9, "it answers as actor %u with %u", report[0],
                  report[2]);
        }
    }
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

/* ---- Channels ------------------------------------------------------------------------------ */

static bool play(conform *c, rk_kernel *kernel, uint32_t mode, uint32_t rounds, uint32_t bytes)
{
    const uint32_t start[3] = {mode, rounds, bytes};
    rk_reply reply;
    uint64_t done[6];
    if (!order(c, kernel, OP_START, start, sizeof start, &reply)) {
        return false;
    }
    if (reply.status != RK_OK && reply.value[0] == CODE_FEW) {
        return true; /* this device has too few lanes or blocks for it */
    }
    CHECK(c, reply.status == RK_OK, "mode %u refused with code %u", mode, (unsigned)reply.value[0]);
    if (!receive(c, kernel, TYPE_DONE, done, sizeof done)) {
        return false;
    }
    CHECK(c, done[4] == 0, "mode %u, %u bytes: %llu words wrong", mode, bytes,
          (unsigned long long)done[4]);
    return true;
out:
    return false;
}

static void inside(conform *c)
{
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_launch launch = {0};
    CHECK_OK(c, rk_module_open_builtin("pingpong", &module, &check_err));
    launch.module = module;
    kernel = conform_start(c, "pingpong", &launch);
    for (uint32_t mode = 0; kernel != NULL && mode < 6; mode++) {
        if (mode != 3 &&
            (!play(c, kernel, mode, 40, 64) || (mode < 3 && !play(c, kernel, mode, 20, 1024)))) {
            goto out;
        }
    }
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

static void between(conform *c)
{
    rk_module *module = NULL;
    rk_kernel *one = NULL;
    rk_kernel *other = NULL;
    uint32_t route = 0;
    rk_launch launch = {0};
    CHECK_OK(c, rk_module_open_builtin("pingpong", &module, &check_err));
    launch.module = module;
    if (!conform_start_two(c, "ping", "pong", &launch, &one, &other)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_connect(one, other, &route, &check_err));
    CHECK_OK(c, rk_kernel_connect(other, one, &route, &check_err));
    if (play(c, one, 3, 50, 64) && play(c, other, 3, 50, 1024)) {
        (void)play(c, one, 3, 50, 256);
    }
out:
    rk_kernel_destroy(one);
    rk_kernel_destroy(other);
    rk_module_unref(module);
}

const conform_case conform_actors[] = {
    {"actors: a ring", ring},
    {"actors: at random", random_targets},
    {"actors: fan-in, in order", fan_in},
    {"actors: failures reach the host", supervision},
    {"channels: between lanes and blocks", inside},
    {"channels: between kernels", between},
};
const uint32_t conform_actors_count = sizeof conform_actors / sizeof conform_actors[0];
