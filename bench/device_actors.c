/*
 * device_actors.c: actors inside a kernel beside the host's actor system, with the same traffic;
 * and messages between blocks and kernels.
 *
 * 100,000 actors. ring: each message goes to the next actor. random: to one that the message draws.
 * fan-in: groups of 63 that send to one, in bursts of 8. Every message is counted on both sides.
 */
#include "bench/benches.h"
#include "bench/on_device.h"

#include "base/compiler.h"
#include "base/thread.h"
#include <ringkernel/actor_system.h>
#include <stdlib.h>
#include <string.h>

#define ACTORS 100000u
#define FLIGHT 10000u
#define HOPS 100u
#define FANIN_EACH 16u
#define BURST 8u
#define SLICE 4096u
#define ROUNDS 5u
#define TRIPS 2000u
#define FAN_MESSAGES 50000u

/* ---- The same traffic on the host ----------------------------------------------------------- */

enum { MSG_HOP = RK_MSG_TYPE_USER, MSG_WALK, MSG_POUR, MSG_COUNT };

typedef struct table {
    rk_actor_system *system;
    rk_actor_id *ids;
    uint32_t count;
    uint64_t handled;
} table;

typedef struct parcel {
    const table *all;
    uint32_t left;
    uint32_t at; /* hop, pour: index of the receiver; walk: what is drawn from */
} parcel;

static uint32_t draw(uint32_t seed, uint32_t n)
{
    uint64_t z = ((uint64_t)seed + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((z ^ (z >> 27)) >> 16) % n;
}

static rk_status pour(rk_actor_ctx *ctx, parcel *p)
{
    rk_actor_id sink = p->all->ids[p->at - p->at % (RK_BENCH_FAN + 1)];
    for (unsigned i = 0; i < BURST && p->left != 0; i++) {
        p->left--;
        rk_status status = rk_actor_send(ctx, sink, MSG_COUNT, p, sizeof *p);
        if (status != RK_OK) {
            return status;
        }
    }
    return p->left == 0 ? RK_OK : rk_actor_send(ctx, rk_actor_self(ctx), MSG_POUR, p, sizeof *p);
}

static rk_status on_message(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    parcel p;
    memcpy(&p, msg->payload, sizeof p);
    ++*(uint64_t *)rk_actor_state(ctx);
    if (msg->type == MSG_POUR) {
        return pour(ctx, &p);
    }
    if (msg->type == MSG_COUNT || p.left == 0) {
        return RK_OK;
    }
    p.left--;
    uint32_t next = draw(p.left * 0x01000193u + p.at, p.all->count);
    if (msg->type == MSG_HOP) {
        next = p.at = p.at + 1 < p.all->count ? p.at + 1 : 0;
    }
    return rk_actor_send(ctx, p.all->ids[next], msg->type, &p, sizeof p);
}

static rk_status host_open(table *t, uint32_t count, rk_err *err)
{
    const rk_actor_type type = {
        .name = "actor", .state_bytes = sizeof(uint64_t), .on_message = on_message};
    rk_actor_type_id id;
    *t = (table){.ids = calloc(count, sizeof *t->ids), .count = count};
    if (t->ids == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for %u actors", count);
    }
    rk_status status = rk_actor_system_create(NULL, &t->system, err);
    if (status == RK_OK) {
        status = rk_actor_system_register_type(t->system, &type, &id, err);
    }
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        status = rk_actor_system_spawn(t->system, id, NULL, &t->ids[i]);
    }
    return status;
}

static void host_close(table *t)
{
    rk_actor_system_destroy(t->system);
    free(t->ids);
}

static rk_status host_play(table *t, rk_bench_traffic traffic, uint32_t flight, uint32_t hops,
                           double *out_mmsg_s, rk_err *err)
{
    static const uint32_t types[] = {MSG_HOP, MSG_WALK, MSG_POUR};
    uint32_t groups = t->count / (RK_BENCH_FAN + 1);
    uint32_t first = traffic == RK_BENCH_FANIN ? groups * RK_BENCH_FAN : flight;
    uint64_t bursts = (hops + BURST - 1) / BURST;
    uint64_t messages = (uint64_t)first * (traffic == RK_BENCH_FANIN ? hops : hops + 1u);
    uint64_t all = traffic == RK_BENCH_FANIN ? messages + first * bursts : messages;
    double begin = rk_bench_now_s();
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < first && status == RK_OK; i++) {
        uint32_t at = (uint32_t)((uint64_t)i * t->count / first);
        if (traffic == RK_BENCH_FANIN) {
            at = i / RK_BENCH_FAN * (RK_BENCH_FAN + 1) + 1 + i % RK_BENCH_FAN;
        }
        const parcel p = {t, hops, traffic == RK_BENCH_RANDOM ? i : at};
        status = rk_actor_system_send(t->system, t->ids[at], types[traffic], &p, sizeof p, NULL);
    }
    if (status == RK_OK) {
        status = rk_actor_system_wait_idle(t->system, UINT64_MAX);
    }
    double seconds = rk_bench_now_s() - begin;
    rk_actor_stats stats;
    rk_actor_system_stats(t->system, &stats);
    uint64_t handled = stats.handled - t->handled;
    t->handled = stats.handled;
    if (status == RK_OK && handled != all) {
        return rk_err_set(err, RK_INTERNAL, "the host's actors handled %llu messages of %llu",
                          (unsigned long long)handled, (unsigned long long)all);
    }
    *out_mmsg_s = (double)messages / 1e6 / seconds;
    return status;
}

/* ---- device-actors -------------------------------------------------------------------------- */

#define PLACES 2u /* one block, and as many as there are CPUs */

rk_status rk_bench_run_device_actors(rk_bench_report *report, const rk_bench_options *options,
                                     rk_err *err)
{
    static const char *const keys[PLACES][RK_BENCH_TRAFFICS] = {
        {"ring_mmsg_s", "random_mmsg_s", "fanin_mmsg_s"},
        {"ring_all_cpus_mmsg_s", "random_all_cpus_mmsg_s", "fanin_all_cpus_mmsg_s"}};
    static const char *const host_keys[] = {"host_ring_mmsg_s", "host_random_mmsg_s",
                                            "host_fanin_mmsg_s"};
    static const char *const ratio_keys[] = {"ring_vs_host", "random_vs_host", "fanin_vs_host"};
    rk_bench_samples device[PLACES][RK_BENCH_TRAFFICS] = {{{.count = 0}}};
    rk_bench_samples host[RK_BENCH_TRAFFICS] = {{.count = 0}};
    rk_bench_samples ratio[RK_BENCH_TRAFFICS] = {{.count = 0}};
    const uint32_t blocks[PLACES] = {1, rk_thread_cpu_count()};
    unsigned places = blocks[1] > 1 ? PLACES : 1;
    uint32_t actors = RK_MAX((uint32_t)rk_bench_scaled(options, ACTORS), 128u);
    uint32_t flight = RK_MAX((uint32_t)rk_bench_scaled(options, FLIGHT), 10u);
    rk_kernel *kernels[PLACES] = {NULL};
    rk_runtime *runtime = NULL;
    table t = {NULL, NULL, 0, 0};
    rk_status status = rk_runtime_create(NULL, &runtime, err);
    for (unsigned i = 0; i < places && status == RK_OK; i++) {
        status = rk_bench_actors_start(runtime, NULL, blocks[i], actors, SLICE, &kernels[i], err);
    }
    if (status == RK_OK) {
        status = host_open(&t, actors, err);
    }
    unsigned rounds = RK_MIN(rk_bench_rounds(options), ROUNDS);
    for (unsigned r = 0; r < rounds && status == RK_OK; r++) {
        for (unsigned m = 0; m < RK_BENCH_TRAFFICS && status == RK_OK; m++) {
            uint32_t hops = m == RK_BENCH_FANIN ? FANIN_EACH : HOPS;
            double beside = 0;
            double best = 0;
            status = host_play(&t, (rk_bench_traffic)m, flight, hops, &beside, err);
            for (unsigned i = 0; i < places && status == RK_OK; i++) {
                double speed = 0;
                status = rk_bench_actors_play(kernels[i], (rk_bench_traffic)m, actors, flight, hops,
                                              &speed, err);
                rk_bench_sample(&device[i][m], speed);
                best = RK_MAX(best, speed);
            }
            rk_bench_sample(&host[m], beside);
            rk_bench_sample(&ratio[m], beside > 0 ? best / beside : 0);
        }
    }
    host_close(&t);
    rk_runtime_destroy(runtime);
    if (status != RK_OK) {
        return status;
    }
    for (unsigned m = 0; m < RK_BENCH_TRAFFICS; m++) {
        for (unsigned i = 0; i < places; i++) {
            rk_bench_put_samples(report, RK_BENCH_METRIC, keys[i][m], &device[i][m], "Mmsg/s");
        }
        rk_bench_put_samples(report, RK_BENCH_REFERENCE, host_keys[m], &host[m], "Mmsg/s");
        rk_bench_put_samples(report, RK_BENCH_RATIO, ratio_keys[m], &ratio[m], "");
    }
    rk_bench_note(report,
                  "%u actors on cpu:0, %u messages on their way (fan-in: %u from each sender); the "
                  "ratios take the better number of blocks",
                  actors, flight, FANIN_EACH);
    return RK_OK;
}

/* ---- k2k ------------------------------------------------------------------------------------ */

static const struct {
    rk_bench_path path;
    uint32_t bytes;
    const char *key;
} k2k_rows[] = {
    {RK_BENCH_BLOCKS, 64, "block_to_block_64_us"},
    {RK_BENCH_BLOCKS, 1024, "block_to_block_1024_us"},
    {RK_BENCH_KERNELS, 64, "kernel_to_kernel_64_us"},
    {RK_BENCH_KERNELS, 1024, "kernel_to_kernel_1024_us"},
    {RK_BENCH_MANY_TO_ONE, 64, "fan_in_64_mmsg_s"},
    {RK_BENCH_ONE_TO_MANY, 64, "broadcast_64_mmsg_s"},
};

rk_status rk_bench_run_k2k(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    rk_bench_samples samples[RK_COUNT_OF(k2k_rows)] = {{.count = 0}};
    rk_runtime *runtime = NULL;
    rk_kernel *pair[2] = {NULL, NULL};
    rk_kernel *blocks = NULL;
    rk_status status = rk_runtime_create(NULL, &runtime, err);
    if (status == RK_OK) {
        status = rk_bench_k2k_start(runtime, NULL, 1, &pair[0], &pair[1], err);
    }
    unsigned rounds = RK_MIN(rk_bench_rounds(options), ROUNDS);
    for (unsigned r = 0; r < rounds && status == RK_OK; r++) {
        for (size_t i = 0; i < RK_COUNT_OF(k2k_rows) && status == RK_OK; i++) {
            bool two = k2k_rows[i].path == RK_BENCH_KERNELS;
            bool rate = k2k_rows[i].path >= RK_BENCH_MANY_TO_ONE;
            uint32_t count = (uint32_t)rk_bench_scaled(options, rate ? FAN_MESSAGES : TRIPS);
            rk_bench_k2k found = {.way = ""};
            if (!two && blocks == NULL) {
                rk_kernel_destroy(pair[0]);
                rk_kernel_destroy(pair[1]);
                pair[0] = pair[1] = NULL;
                status = rk_bench_k2k_start(runtime, NULL, 2, &blocks, NULL, err);
            } else if (two && pair[0] == NULL) {
                rk_kernel_destroy(blocks);
                blocks = NULL;
                status = rk_bench_k2k_start(runtime, NULL, 1, &pair[0], &pair[1], err);
            }
            if (status == RK_OK) {
                status = rk_bench_k2k_play(two ? pair[0] : blocks, k2k_rows[i].path, count,
                                           k2k_rows[i].bytes, &found, err);
            }
            rk_bench_sample(&samples[i], rate ? found.mmsg_s : found.one_way_us);
        }
    }
    rk_runtime_destroy(runtime);
    if (status != RK_OK) {
        return status;
    }
    for (size_t i = 0; i < RK_COUNT_OF(k2k_rows); i++) {
        bool rate = k2k_rows[i].path >= RK_BENCH_MANY_TO_ONE;
        rk_bench_put_samples(report, RK_BENCH_METRIC, k2k_rows[i].key, &samples[i],
                             rate ? "Mmsg/s" : "us");
    }
    rk_bench_note(report,
                  "on cpu:0, two blocks or two kernels of one block; one way is half of the "
                  "mean round trip, every word checked on both sides");
    return RK_OK;
}
