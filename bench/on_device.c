/*
 * on_device.c: see on_device.h.
 */
#include "bench/on_device.h"

#include "base/compiler.h"
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#define OP_START 1u
#define TYPE_DONE 300u
#define CODE_FEW 3u

typedef struct parameter {
    char text[16];
} parameter;

static rk_status start(rk_runtime *runtime, const char *module, const char *name,
                       const char *device, uint32_t blocks, const rk_param_value *params,
                       size_t param_count, rk_kernel **out_kernel, rk_err *err)
{
    rk_module *code = NULL;
    rk_kernel *kernel = NULL;
    rk_status status = rk_module_open_builtin(module, &code, err);
    if (status == RK_OK) {
        rk_launch launch = {.name = name,
                            .module = code,
                            .device = device,
                            .blocks = blocks,
                            .params = params,
                            .param_count = param_count};
        status = rk_kernel_create(runtime, &launch, &kernel, err);
    }
    rk_module_unref(code);
    if (status == RK_OK) {
        *out_kernel = kernel;
    }
    return status;
}

/* Gives an order and waits for its acceptance and for the message that it is over. */
static rk_status play(rk_kernel *kernel, const uint32_t order[3], void *done, size_t bytes,
                      uint64_t *out_code, rk_err *err)
{
    uint64_t id = 0;
    rk_reply reply;
    rk_received message = {.type = 0};
    rk_status status = rk_kernel_custom(kernel, OP_START, order, 3 * sizeof order[0], &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    if (status == RK_OK && reply.status != RK_OK) {
        *out_code = reply.value[0];
        return rk_err_set(err, reply.status, "the kernel refused order {%u, %u, %u}: code %u",
                          order[0], order[1], order[2], (unsigned)reply.value[0]);
    }
    while (status == RK_OK && message.type != TYPE_DONE) {
        status = rk_kernel_receive(kernel, RK_FOREVER, &message, done, bytes, err);
    }
    return status;
}

rk_status rk_bench_actors_start(rk_runtime *runtime, const char *device, uint32_t blocks,
                                uint32_t actors, uint32_t slice, rk_kernel **out_kernel,
                                rk_err *err)
{
    parameter count;
    parameter messages;
    parameter length;
    parameter fan;
    (void)snprintf(count.text, sizeof count.text, "%u", actors);
    (void)snprintf(messages.text, sizeof messages.text, "%u",
                   12 * RK_MAX(actors, 1024u)); /* a burst of every sender of the fan-in */
    (void)snprintf(length.text, sizeof length.text, "%u", slice);
    (void)snprintf(fan.text, sizeof fan.text, "%u", RK_BENCH_FAN);
    const rk_param_value params[] = {{"actors", count.text},
                                     {"initial_actors", count.text},
                                     {"actor_messages", messages.text},
                                     {"actor_slice", length.text},
                                     {"actor_batch", "64"},
                                     {"fan", fan.text}};
    char name[24];
    (void)snprintf(name, sizeof name, "actors%u", blocks);
    rk_kernel *kernel = NULL;
    rk_status status =
        start(runtime, "actors", name, device, blocks, params, RK_COUNT_OF(params), &kernel, err);
    if (status == RK_OK) {
        status = rk_kernel_start(kernel, err);
    }
    if (status != RK_OK) {
        rk_kernel_destroy(kernel);
        return status;
    }
    *out_kernel = kernel;
    return RK_OK;
}

rk_status rk_bench_actors_play(rk_kernel *kernel, rk_bench_traffic traffic, uint32_t actors,
                               uint32_t flight, uint32_t hops, double *out_mmsg_s, rk_err *err)
{
    const uint32_t order[3] = {(uint32_t)traffic, flight, hops};
    uint64_t done[3] = {0};
    uint64_t code = 0;
    double begin = rk_bench_now_s();
    rk_status status = play(kernel, order, done, sizeof done, &code, err);
    double seconds = rk_bench_now_s() - begin;
    if (status != RK_OK) {
        return status;
    }
    uint64_t senders = (uint64_t)(actors / (RK_BENCH_FAN + 1)) * RK_BENCH_FAN;
    uint64_t messages = traffic == RK_BENCH_FANIN ? senders * hops : (uint64_t)flight * (hops + 1u);
    bool right = traffic == RK_BENCH_FANIN ? done[0] > messages : done[0] == messages;
    if (!right) {
        return rk_err_set(err, RK_INTERNAL, "%llu messages were handled instead of %llu",
                          (unsigned long long)done[0], (unsigned long long)messages);
    }
    *out_mmsg_s = (double)messages / 1e6 / seconds;
    return RK_OK;
}

rk_status rk_bench_k2k_start(rk_runtime *runtime, const char *device, uint32_t blocks,
                             rk_kernel **out_kernel, rk_kernel **out_other, rk_err *err)
{
    rk_kernel *kernels[2] = {NULL, NULL};
    static const char *const names[] = {"ping", "pong"};
    const rk_param_value slice = {"slice", "20000"};
    size_t count = out_other != NULL ? 2 : 1;
    rk_status status = RK_OK;
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        status = start(runtime, "pingpong", names[i], device, blocks, &slice, 1, &kernels[i], err);
    }
    for (size_t i = 0; i < count && count == 2 && status == RK_OK; i++) {
        uint32_t route = 0;
        status = rk_kernel_connect(kernels[i], kernels[1 - i], &route, err);
    }
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        status = rk_kernel_start(kernels[i], err);
    }
    if (status != RK_OK) {
        rk_kernel_destroy(kernels[0]);
        rk_kernel_destroy(kernels[1]);
        return status;
    }
    *out_kernel = kernels[0];
    if (out_other != NULL) {
        *out_other = kernels[1];
    }
    return RK_OK;
}

rk_status rk_bench_k2k_play(rk_kernel *kernel, rk_bench_path path, uint32_t rounds, uint32_t bytes,
                            rk_bench_k2k *out, rk_err *err)
{
    static const char *const ways[] = {"", "shared memory", "cluster", "device memory", "kernel"};
    const uint32_t order[3] = {(uint32_t)path, rounds, bytes};
    uint64_t done[6] = {0};
    uint64_t code = 0;
    rk_status status = play(kernel, order, done, sizeof done, &code, err);
    if (status != RK_OK) {
        return code == CODE_FEW ? rk_err_set(err, RK_UNSUPPORTED, "too few lanes or blocks")
                                : status;
    }
    if (done[4] != 0 || done[0] >= RK_COUNT_OF(ways) || done[1] == 0) {
        return rk_err_set(err, RK_INTERNAL, "%llu words arrived wrong",
                          (unsigned long long)done[4]);
    }
    double us = (double)done[2] / 1e3;
    *out = (rk_bench_k2k){.way = ways[done[0]],
                          .one_way_us = us / (double)done[1] / 2,
                          .fastest_us = (double)done[3] / 2e3,
                          .mmsg_s = us > 0 ? (double)done[1] / us : 0,
                          .steps = done[5]};
    return RK_OK;
}
