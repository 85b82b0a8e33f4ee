/*
 * pool.c: what it takes to allocate from a memory pool and to free.
 *
 *   warm    the block freed last serves the next request: one pair after another
 *   cold    nothing is cached: every allocation comes from the buddy allocator
 *   large   no class fits: both ways through the buddy allocator
 *   churn   sizes from 16 B to 64 KiB, evenly in their logarithm, while nine twentieths of the
 *           region are in use
 *
 * References: malloc and free of the C library, and cuMemAllocAsync where there is a CUDA device.
 * The pool scrubs nothing, as they do not. Times of single operations are less what reading the
 * clock takes.
 */
#include "bench/pool.h"

#include "base/compiler.h"
#include "base/thread.h"
#include "bench/benches.h"
#include <ringkernel/pool.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REGION_BYTES ((uint64_t)64 << 20)
#define BLOCK_BYTES 256u
#define LARGE_BYTES ((uint64_t)300000)
#define PAIRS 200000u
#define SINGLES 4000u
#define MIB (1.0 / (1 << 20))
#define CHURN_CALLS 100000u
#define CHURN_LIVE_MAX 65536u
#define CHURN_USED_BYTES (REGION_BYTES / 20 * 9)

/* ---- Allocators ---------------------------------------------------------------------------- */

static bool pool_allocate(void *context, uint64_t bytes, uint64_t *out_block)
{
    rk_pool_request request = {.bytes = bytes, .movable = true};
    rk_pool_allocation allocation;
    rk_status status = rk_pool_allocate(context, &request, &allocation, NULL);
    *out_block = allocation.handle;
    return status == RK_OK;
}

static bool pool_free(void *context, uint64_t block)
{
    return rk_pool_free(context, block, NULL) == RK_OK;
}

static void pool_empty(void *context)
{
    (void)rk_pool_trim(context, NULL, NULL); /* nothing to zero: cannot fail */
}

static bool libc_allocate(void *context, uint64_t bytes, uint64_t *out_block)
{
    (void)context;
    void *block = malloc(bytes);
    *out_block = (uint64_t)(uintptr_t)block;
    return block != NULL;
}

static bool libc_free(void *context, uint64_t block)
{
    (void)context;
    free((void *)(uintptr_t)block);
    return true;
}

static void libc_empty(void *context)
{
    (void)context;
    (void)malloc_trim(0);
}

static const rk_bench_allocator libc = {libc_allocate, libc_free, libc_empty, NULL};

/* Nothing lies in the region: moving is bookkeeping here. */
static rk_status move_nothing(void *context, uint64_t to, uint64_t from, uint64_t bytes)
{
    (void)context;
    return to < from && bytes > 0 ? RK_OK : RK_INTERNAL;
}

static const rk_pool_ops region_ops = {.move = move_nothing};

/* ---- Measuring ----------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static rk_status refused(rk_err *err)
{
    return rk_err_set(err, RK_INTERNAL, "an allocation or a free was refused during the bench");
}

/* Nanoseconds per pair of allocate and free; below 0 if one was refused. */
static double time_pairs(const rk_bench_allocator *a, uint64_t bytes, uint64_t count)
{
    bool good = true;
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t block;
        good = a->allocate(a->context, bytes, &block) && a->free(a->context, block) && good;
    }
    double ns = (double)(now_ns() - start) / (double)count;
    return good ? ns : -1;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct single_times {
    uint32_t ns[SINGLES];
    uint64_t blocks[SINGLES];
} single_times;

/* What two looks at the clock take, at the median. */
static uint32_t clock_ns(single_times *times)
{
    for (uint32_t i = 0; i < SINGLES; i++) {
        uint64_t start = now_ns();
        times->ns[i] = (uint32_t)(now_ns() - start);
    }
    qsort(times->ns, SINGLES, sizeof times->ns[0], by_value);
    return times->ns[SINGLES / 2];
}

static void put_quantiles(single_times *times, uint32_t count, uint32_t clock, double *out_p50,
                          double *out_p99)
{
    qsort(times->ns, count, sizeof times->ns[0], by_value);
    uint32_t p50 = times->ns[count / 2];
    uint32_t p99 = times->ns[(uint64_t)count * 99 / 100];
    *out_p50 = p50 > clock ? (double)(p50 - clock) : 0;
    *out_p99 = p99 > clock ? (double)(p99 - clock) : 0;
}

/* Single pairs in a row: what is freed serves the next one. */
static bool time_warm(const rk_bench_allocator *a, single_times *times, uint32_t count)
{
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t block;
        uint64_t start = now_ns();
        good = a->allocate(a->context, BLOCK_BYTES, &block) && a->free(a->context, block) && good;
        times->ns[i] = (uint32_t)(now_ns() - start);
    }
    return good;
}

/* Single allocations from nothing, all kept; then they are freed. */
static bool time_cold(const rk_bench_allocator *a, single_times *times, uint32_t count)
{
    bool good = true;
    a->empty(a->context);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t start = now_ns();
        good = a->allocate(a->context, BLOCK_BYTES, &times->blocks[i]) && good;
        times->ns[i] = (uint32_t)(now_ns() - start);
    }
    for (uint32_t i = 0; good && i < count; i++) {
        good = a->free(a->context, times->blocks[i]);
    }
    a->empty(a->context);
    return good;
}

/* What is measured of one allocator, sampled once a round. */
typedef struct figures {
    rk_bench_samples pair, warm_p50, warm_p99, cold_p50, cold_p99, large, shared;
} figures;

static rk_status sample(const rk_bench_allocator *a, const rk_bench_options *options,
                        single_times *times, figures *f, rk_err *err)
{
    uint32_t singles = (uint32_t)RK_MIN(rk_bench_scaled(options, SINGLES), SINGLES);
    uint32_t clock = clock_ns(times);
    double p50;
    double p99;
    double pair = time_pairs(a, BLOCK_BYTES, rk_bench_scaled(options, PAIRS));
    double large = time_pairs(a, LARGE_BYTES, rk_bench_scaled(options, PAIRS / 10));
    if (pair < 0 || large < 0 || !time_warm(a, times, singles)) {
        return refused(err);
    }
    rk_bench_sample(&f->pair, pair);
    rk_bench_sample(&f->large, large);
    put_quantiles(times, singles, clock, &p50, &p99);
    rk_bench_sample(&f->warm_p50, p50);
    rk_bench_sample(&f->warm_p99, p99);
    if (!time_cold(a, times, singles)) {
        return refused(err);
    }
    put_quantiles(times, singles, clock, &p50, &p99);
    rk_bench_sample(&f->cold_p50, p50);
    rk_bench_sample(&f->cold_p99, p99);
    return RK_OK;
}

typedef struct pair_thread {
    const rk_bench_allocator *allocator;
    uint64_t count;
    double ns;
    rk_thread thread;
} pair_thread;

static void run_pairs(void *context)
{
    pair_thread *t = context;
    t->ns = time_pairs(t->allocator, BLOCK_BYTES, t->count);
}

/* Two threads at once, each with its own pairs. */
static rk_status sample_shared(const rk_bench_allocator *a, const rk_bench_options *options,
                               rk_bench_samples *out, rk_err *err)
{
    pair_thread threads[2];
    memset(threads, 0, sizeof threads);
    rk_status status = RK_OK;
    for (unsigned i = 0; i < 2 && status == RK_OK; i++) {
        threads[i].allocator = a;
        threads[i].count = rk_bench_scaled(options, PAIRS);
        status = rk_thread_start(&threads[i].thread, "bench-pool", run_pairs, &threads[i]);
    }
    rk_thread_join(&threads[0].thread);
    rk_thread_join(&threads[1].thread);
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot start two threads: %s", rk_status_text(status));
    }
    if (threads[0].ns < 0 || threads[1].ns < 0) {
        return refused(err);
    }
    rk_bench_sample(out, (threads[0].ns + threads[1].ns) / 2);
    return RK_OK;
}

/* ---- Churn --------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return *state >> 33;
}

static uint64_t churn_bytes(uint64_t *random)
{
    uint64_t power = (uint64_t)16 << next_random(random) % 12;
    return power + next_random(random) % power;
}

typedef struct churn {
    rk_pool *pool;
    uint64_t random;
    rk_pool_allocation *live;
    uint32_t count;
    uint64_t used_bytes;
} churn;

static rk_status churn_calls(churn *c, uint64_t calls, rk_err *err)
{
    for (uint64_t i = 0; i < calls; i++) {
        bool room = c->used_bytes < CHURN_USED_BYTES && c->count < CHURN_LIVE_MAX;
        if (room && (c->count == 0 || next_random(&c->random) % 3 != 0)) {
            rk_pool_request request = {.bytes = churn_bytes(&c->random), .movable = true};
            rk_pool_allocation *next = &c->live[c->count];
            if (rk_pool_allocate(c->pool, &request, next, err) != RK_OK) {
                return refused(err);
            }
            c->used_bytes += next->block_bytes;
            c->count++;
        } else {
            uint32_t index = (uint32_t)(next_random(&c->random) % c->count);
            if (rk_pool_free(c->pool, c->live[index].handle, err) != RK_OK) {
                return refused(err);
            }
            c->used_bytes -= c->live[index].block_bytes;
            c->live[index] = c->live[--c->count];
        }
    }
    return RK_OK;
}

/* The same sequence each time: only its time varies. */
static rk_status churn_run(const rk_bench_options *options, rk_pool *pool,
                           rk_bench_samples *out_call, rk_bench_report *report, rk_err *err)
{
    churn c = {
        .pool = pool, .random = 42, .live = calloc(CHURN_LIVE_MAX, sizeof(rk_pool_allocation))};
    if (c.live == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the list of blocks");
    }
    uint64_t calls = rk_bench_scaled(options, CHURN_CALLS);
    uint64_t start = now_ns();
    rk_status status = churn_calls(&c, calls, err);
    rk_bench_sample(out_call, (double)(now_ns() - start) / (double)calls);
    rk_pool_stats before;
    rk_pool_stats after;
    rk_pool_moves moves = {0};
    if (status == RK_OK) {
        (void)rk_pool_trim(pool, NULL, NULL);
        rk_pool_read_stats(pool, &before);
        status = rk_pool_defragment(pool, &moves, err);
    }
    if (status == RK_OK) {
        rk_pool_read_stats(pool, &after);
        status = rk_pool_check(pool, err);
    }
    if (status == RK_OK && report != NULL) {
        rk_bench_put(report, RK_BENCH_METRIC, "churn_internal_percent",
                     before.internal_fragmentation * 100, "%");
        rk_bench_put(report, RK_BENCH_METRIC, "churn_external_percent",
                     before.external_fragmentation * 100, "%");
        rk_bench_put(report, RK_BENCH_METRIC, "defragmented_external_percent",
                     after.external_fragmentation * 100, "%");
        rk_bench_put(report, RK_BENCH_METRIC, "churn_largest_mib",
                     (double)before.largest_bytes * MIB, "MiB");
        rk_bench_put(report, RK_BENCH_METRIC, "defragmented_largest_mib",
                     (double)after.largest_bytes * MIB, "MiB");
        rk_bench_put(report, RK_BENCH_METRIC, "defragmented_moved_mib", (double)moves.bytes * MIB,
                     "MiB");
    }
    while (c.count > 0 && pool_free(pool, c.live[c.count - 1].handle)) {
        c.count--;
    }
    free(c.live);
    (void)rk_pool_trim(pool, NULL, NULL);
    return status;
}

/* ---- The bench ----------------------------------------------------------------------------- */

static void put_figures(rk_bench_report *report, rk_bench_section section, const figures *f,
                        const char *const keys[6])
{
    rk_bench_put_samples(report, section, keys[0], &f->pair, "ns");
    rk_bench_put_samples(report, section, keys[1], &f->warm_p50, "ns");
    rk_bench_put_samples(report, section, keys[2], &f->warm_p99, "ns");
    rk_bench_put_samples(report, section, keys[3], &f->cold_p50, "ns");
    rk_bench_put_samples(report, section, keys[4], &f->cold_p99, "ns");
    rk_bench_put_samples(report, section, keys[5], &f->large, "ns");
}

static void put_all(rk_bench_report *report, const figures *ours, const figures *theirs,
                    const figures *device, const rk_bench_samples *churned)
{
    static const char *const keys[] = {"pair_ns",     "warm_p50_ns", "warm_p99_ns",
                                       "cold_p50_ns", "cold_p99_ns", "large_pair_ns"};
    static const char *const libc_keys[] = {"malloc_pair_ns",     "malloc_warm_p50_ns",
                                            "malloc_warm_p99_ns", "malloc_cold_p50_ns",
                                            "malloc_cold_p99_ns", "malloc_large_pair_ns"};
    static const char *const cuda_keys[] = {"cuda_pair_ns",     "cuda_warm_p50_ns",
                                            "cuda_warm_p99_ns", "cuda_cold_p50_ns",
                                            "cuda_cold_p99_ns", "cuda_large_pair_ns"};
    rk_bench_samples against = {.count = 0};
    put_figures(report, RK_BENCH_METRIC, ours, keys);
    rk_bench_put_samples(report, RK_BENCH_METRIC, "two_thread_pair_ns", &ours->shared, "ns");
    rk_bench_put_samples(report, RK_BENCH_METRIC, "churn_call_ns", churned, "ns");
    put_figures(report, RK_BENCH_REFERENCE, theirs, libc_keys);
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "malloc_two_thread_pair_ns", &theirs->shared,
                         "ns");
    for (unsigned i = 0; i < ours->pair.count; i++) {
        rk_bench_sample(&against, ours->pair.values[i] / theirs->pair.values[i]);
    }
    rk_bench_put_samples(report, RK_BENCH_RATIO, "pair_vs_malloc", &against, "");
    if (device->pair.count > 0) {
        rk_bench_samples ahead = {.count = 0};
        put_figures(report, RK_BENCH_REFERENCE, device, cuda_keys);
        for (unsigned i = 0; i < ours->pair.count; i++) {
            rk_bench_sample(&ahead, device->pair.values[i] / ours->pair.values[i]);
        }
        rk_bench_put_samples(report, RK_BENCH_RATIO, "cuda_vs_pair", &ahead, "");
        rk_bench_reach(report, RK_BENCH_AT_LEAST, 1);
    }
}

rk_status rk_bench_run_pool(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    rk_pool_options pool_options = {
        .name = "bench", .bytes = REGION_BYTES, .scrub = RK_POOL_SCRUB_NEVER};
    rk_pool *pool = NULL;
    rk_status status = rk_pool_create(&pool_options, &region_ops, NULL, &pool, err);
    if (status != RK_OK) {
        return status;
    }
    const rk_bench_allocator ours = {pool_allocate, pool_free, pool_empty, pool};
    const char *reason = NULL;
    const rk_bench_allocator *cuda = rk_bench_cuda_open(&reason);
    static figures figures_of[3]; /* one at a time: the table runs benches one after the other */
    memset(figures_of, 0, sizeof figures_of);
    rk_bench_samples churned = {.count = 0};
    single_times *times = malloc(sizeof *times);
    unsigned rounds = rk_bench_rounds(options);
    if (times == NULL) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for the times");
    }
    for (unsigned i = 0; i < rounds && status == RK_OK; i++) {
        status = sample(&ours, options, times, &figures_of[0], err);
        if (status == RK_OK) {
            status = sample(&libc, options, times, &figures_of[1], err);
        }
        if (status == RK_OK && cuda != NULL) {
            status = sample(cuda, options, times, &figures_of[2], err);
        }
        if (status == RK_OK) {
            status = sample_shared(&ours, options, &figures_of[0].shared, err);
        }
        if (status == RK_OK) {
            status = sample_shared(&libc, options, &figures_of[1].shared, err);
        }
        if (status == RK_OK) {
            status = churn_run(options, pool, &churned, i + 1 == rounds ? report : NULL, err);
        }
    }
    if (status == RK_OK) {
        status = rk_pool_check(pool, err);
    }
    if (status == RK_OK && rk_pool_used_bytes(pool) != 0) {
        status = rk_err_set(err, RK_INTERNAL, "the pool lost count of its blocks");
    }
    if (status == RK_OK) {
        put_all(report, &figures_of[0], &figures_of[1], &figures_of[2], &churned);
        rk_bench_note(report,
                      "blocks of %u B, large ones of %llu B; a pool of 64 MiB that scrubs "
                      "nothing",
                      BLOCK_BYTES, (unsigned long long)LARGE_BYTES);
        if (cuda == NULL) {
            rk_bench_skip(report, "cuda_pair_ns", reason);
        }
    }
    if (cuda != NULL) {
        rk_bench_cuda_close();
    }
    free(times);
    rk_pool_destroy(pool);
    return status;
}
