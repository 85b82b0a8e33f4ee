/*
 * inside.c: messages inside resident kernels, on the device's own clock: between lanes, blocks and
 * kernels, and among 100,000 actors.
 */
#include "base/compiler.h"
#include "bench/gpu/measure.h"
#include "bench/on_device.h"

#define TRIPS 20000u
#define FAN_MESSAGES 100000u
#define ACTORS 100000u
#define FLIGHT 100000u
#define HOPS 200u
#define FANIN_EACH 64u
#define SLICE 512u

typedef struct row {
    rk_bench_path path;
    uint32_t bytes;
    double reach_us; /* 0: none */
    const char *key;
    const char *fastest_key; /* NULL: it is a rate */
} row;

static const row rows[] = {
    {RK_BENCH_LANES, 64, 1, "lanes_64_us", "lanes_64_fastest_us"},
    {RK_BENCH_LANES, 1024, 1, "lanes_1024_us", "lanes_1024_fastest_us"},
    {RK_BENCH_BLOCKS, 64, 1.5, "neighbour_blocks_64_us", "neighbour_blocks_64_fastest_us"},
    {RK_BENCH_BLOCKS, 1024, 1.5, "neighbour_blocks_1024_us", "neighbour_blocks_1024_fastest_us"},
    {RK_BENCH_DEVICE_MEMORY, 64, 2.5, "far_blocks_64_us", "far_blocks_64_fastest_us"},
    {RK_BENCH_DEVICE_MEMORY, 1024, 2.5, "far_blocks_1024_us", "far_blocks_1024_fastest_us"},
    {RK_BENCH_KERNELS, 64, 2.5, "kernels_64_us", "kernels_64_fastest_us"},
    {RK_BENCH_KERNELS, 1024, 2.5, "kernels_1024_us", "kernels_1024_fastest_us"},
    {RK_BENCH_MANY_TO_ONE, 64, 0, "blocks_fan_in_mmsg_s", NULL},
    {RK_BENCH_ONE_TO_MANY, 64, 0, "blocks_broadcast_mmsg_s", NULL},
};

static rk_status measure_row(gpu_bench *b, rk_bench_report *report, const row *r, rk_kernel *kernel,
                             rk_err *err)
{
    uint32_t work = r->fastest_key == NULL ? FAN_MESSAGES : TRIPS;
    uint32_t count = (uint32_t)rk_bench_scaled(&b->options, work);
    rk_bench_k2k found;
    rk_err why = RK_ERR_INIT;
    rk_status status = rk_bench_k2k_play(kernel, r->path, count, r->bytes, &found, &why);
    if (status == RK_UNSUPPORTED) {
        rk_bench_skip(report, r->key, why.text);
        return RK_OK;
    }
    if (status != RK_OK) {
        return rk_err_set(err, status, "%s: %s", r->key, why.text);
    }
    if (r->fastest_key == NULL) {
        rk_bench_put(report, RK_BENCH_METRIC, r->key, found.mmsg_s, "Mmsg/s");
    } else {
        rk_bench_put(report, RK_BENCH_METRIC, r->key, found.one_way_us, "us");
        rk_bench_reach(report, RK_BENCH_AT_MOST, r->reach_us);
        rk_bench_put(report, RK_BENCH_METRIC, r->fastest_key, found.fastest_us, "us");
    }
    rk_bench_note(report, "%s: %s", r->key, found.way);
    return RK_OK;
}

rk_status gpu_bench_k2k(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    rk_kernel *grid = NULL;
    rk_kernel *pair[2] = {NULL, NULL};
    rk_status status = rk_bench_k2k_start(b->runtime, b->device, 0, &grid, NULL, err);
    for (size_t i = 0; i < RK_COUNT_OF(rows) && status == RK_OK; i++) {
        if (rows[i].path != RK_BENCH_KERNELS) {
            status = measure_row(b, report, &rows[i], grid, err);
        }
    }
    rk_kernel_destroy(grid);
    if (status == RK_OK) {
        status = rk_bench_k2k_start(b->runtime, b->device, 1, &pair[0], &pair[1], err);
    }
    for (size_t i = 0; i < RK_COUNT_OF(rows) && status == RK_OK; i++) {
        if (rows[i].path == RK_BENCH_KERNELS) {
            status = measure_row(b, report, &rows[i], pair[0], err);
        }
    }
    rk_kernel_destroy(pair[0]);
    rk_kernel_destroy(pair[1]);
    return status;
}

rk_status gpu_bench_actors(gpu_bench *b, rk_bench_report *report, rk_err *err)
{
    static const char *const keys[] = {"actors_ring_mmsg_s", "actors_random_mmsg_s",
                                       "actors_fan_in_mmsg_s"};
    uint32_t actors = RK_MAX((uint32_t)rk_bench_scaled(&b->options, ACTORS), 128u);
    uint32_t flight = RK_MAX((uint32_t)rk_bench_scaled(&b->options, FLIGHT), 10u);
    rk_bench_samples samples[RK_BENCH_TRAFFICS] = {{.count = 0}};
    rk_kernel *kernel = NULL;
    rk_status status = rk_bench_actors_start(b->runtime, b->device, 0, actors, SLICE, &kernel, err);
    for (unsigned r = 0; r < rk_bench_rounds(&b->options) && status == RK_OK; r++) {
        for (unsigned m = 0; m < RK_BENCH_TRAFFICS && status == RK_OK; m++) {
            uint32_t hops = m == RK_BENCH_FANIN ? FANIN_EACH : HOPS;
            double speed = 0;
            status = rk_bench_actors_play(kernel, (rk_bench_traffic)m, actors, flight, hops, &speed,
                                          err);
            rk_bench_sample(&samples[m], speed);
        }
    }
    rk_kernel_destroy(kernel);
    for (unsigned m = 0; m < RK_BENCH_TRAFFICS && status == RK_OK; m++) {
        rk_bench_put_samples(report, RK_BENCH_METRIC, keys[m], &samples[m], "Mmsg/s");
        rk_bench_reach(report, RK_BENCH_AT_LEAST, 100);
    }
    return status;
}
