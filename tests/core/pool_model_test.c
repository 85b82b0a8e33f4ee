/*
 * Memory pools against a model: thousands of random calls on small pools of every policy. The model
 * knows what was given out and what lies in the caches; the region is real memory, whose contents
 * say who wrote where. In some sequences the owner's functions fail now and then; the model then
 * cannot tell what is cached, but all else holds. The seed of the last sequence is printed.
 */
#include "support/skip.h"

#include "base/compiler.h"
#include "core/pool_support.h"
#include "support/random.h"

#define LIVE_MAX 512
#define CLASSES 4

/* Single-threaded, and slow under the thread sanitizer: a part of it will do there. */
#if defined(RK_THREAD_SANITIZER)
#define SHARE 8
#else
#define SHARE 1
#endif

typedef struct live {
    rk_pool_allocation a;
    uint32_t class_index; /* CLASSES: none */
    uint8_t stamp;
} live;

typedef struct model {
    region region;
    rk_pool *pool;
    rk_pool_options options;
    bool faults; /* the owner's functions fail now and then */
    uint64_t random;
    live live[LIVE_MAX];
    uint32_t count;
    uint64_t used;
    uint64_t requested;
    uint64_t high_water;
    uint64_t cached[CLASSES]; /* blocks */
    uint64_t hits;
    uint64_t misses;
    uint64_t frees;
    uint64_t failures;
    uint64_t reclaims; /* as last seen */
} model;

static const uint64_t class_bytes[CLASSES] = {64, 192, 1024, 3072};

static uint64_t below(model *m, uint64_t limit)
{
    return rk_test_random(&m->random) % limit;
}

/* The class a request belongs to; CLASSES: none. */
static uint32_t model_class(uint64_t bytes, uint32_t alignment)
{
    static const uint32_t natural[CLASSES] = {64, 256, 1024, 4096};
    uint32_t i = 0;
    while (i < CLASSES && class_bytes[i] < bytes) {
        i++;
    }
    return i < CLASSES && natural[i] >= alignment ? i : CLASSES;
}

/* Byte values say which tenant wrote: 1 + tenant + 8 * stamp. */
static uint8_t mark_of(uint32_t tenant, uint8_t stamp)
{
    return (uint8_t)(1 + tenant + 8u * (stamp % 31u));
}

static void expect_clean(model *m, const rk_pool_allocation *a)
{
    const uint8_t *at = m->region.memory + a->offset;
    for (uint64_t i = 0; i < a->block_bytes; i++) {
        if (m->options.scrub == RK_POOL_SCRUB_ALWAYS) {
            assert_int_equal(at[i], 0);
        } else if (m->options.scrub == RK_POOL_SCRUB_TENANT && at[i] != 0) {
            assert_int_equal((at[i] - 1u) % 8u, a->tenant);
        }
    }
}

static void expect_contents(model *m, const live *l)
{
    const uint8_t *at = m->region.memory + l->a.offset;
    uint8_t mark = mark_of(l->a.tenant, l->stamp);
    for (uint64_t i = 0; i < l->a.block_bytes; i++) {
        assert_int_equal(at[i], mark);
    }
}

/* After a call that may have emptied the caches. */
static void see_reclaims(model *m)
{
    rk_pool_stats stats;
    rk_pool_read_stats(m->pool, &stats);
    if (stats.reclaims != m->reclaims) {
        m->reclaims = stats.reclaims;
        memset(m->cached, 0, sizeof m->cached);
    }
}

static void do_allocate(model *m)
{
    static const uint32_t alignments[] = {0, 1, 64, 256, 4096};
    rk_pool_request request = {
        .bytes = 1 + below(m, below(m, 4) == 0   ? 9000
                              : below(m, 2) == 0 ? 1200
                                                 : 100),
        .alignment = alignments[below(m, 5)],
        .tenant = (uint32_t)below(m, 3),
        .tag = "model",
        .movable = below(m, 3) != 0,
    };
    uint32_t alignment = request.alignment ? request.alignment : 64;
    uint32_t class_index = model_class(request.bytes, alignment);
    live *l = &m->live[m->count];
    rk_status status = rk_pool_allocate(m->pool, &request, &l->a, NULL);
    if (status == RK_FULL) {
        m->failures++;
        assert_true(m->faults || class_index == CLASSES || m->cached[class_index] == 0);
        see_reclaims(m);
        return;
    }
    assert_int_equal(status, RK_OK);
    uint64_t block =
        class_index < CLASSES ? class_bytes[class_index] : (request.bytes + 63) / 64 * 64;
    assert_int_equal(l->a.block_bytes, block);
    assert_int_equal(l->a.offset % alignment, 0);
    assert_true(l->a.offset + block <= m->region.bytes);
    for (uint32_t i = 0; i < m->count; i++) {
        const rk_pool_allocation *o = &m->live[i].a;
        assert_true(l->a.offset + block <= o->offset || o->offset + o->block_bytes <= l->a.offset);
    }
    expect_clean(m, &l->a);
    l->class_index = class_index;
    l->stamp = (uint8_t)rk_test_random(&m->random);
    memset(m->region.memory + l->a.offset, mark_of(request.tenant, l->stamp), block);
    if (class_index < CLASSES && m->cached[class_index] > 0) {
        m->cached[class_index]--;
        m->hits++;
    } else {
        m->misses++;
        see_reclaims(m);
    }
    m->count++;
    m->used += block;
    m->requested += request.bytes;
    uint64_t taken = m->used;
    for (uint32_t i = 0; i < CLASSES; i++) {
        taken += m->cached[i] * class_bytes[i];
    }
    m->high_water = taken > m->high_water ? taken : m->high_water;
}

static void do_free(model *m)
{
    if (m->count == 0) {
        return;
    }
    uint32_t index = (uint32_t)below(m, m->count);
    live l = m->live[index];
    m->live[index] = m->live[--m->count];
    rk_pool_allocation now;
    assert_int_equal(rk_pool_query(m->pool, l.a.handle, &now, NULL), RK_OK);
    assert_int_equal(now.offset, l.a.offset);
    assert_int_equal(now.bytes, l.a.bytes);
    assert_int_equal(now.tenant, l.a.tenant);
    assert_string_equal(now.tag, "model");
    rk_pool_handle found = 0;
    assert_int_equal(rk_pool_find(m->pool, l.a.offset, &found, NULL), RK_OK);
    assert_int_equal(found, l.a.handle);
    expect_contents(m, &l);
    assert_int_equal(rk_pool_free(m->pool, l.a.handle, NULL), RK_OK);
    assert_int_equal(rk_pool_free(m->pool, l.a.handle, NULL), RK_STALE);
    if (l.class_index < CLASSES) {
        m->cached[l.class_index]++;
    }
    m->frees++;
    m->used -= l.a.block_bytes;
    m->requested -= l.a.bytes;
}

static void do_defragment(model *m)
{
    rk_pool_moves moves;
    rk_status status = rk_pool_defragment(m->pool, &moves, NULL);
    assert_true((status == RK_OK && moves.finished) || (m->region.move_fails && !moves.finished));
    memset(m->cached, 0, sizeof m->cached);
    for (uint32_t i = 0; i < m->count; i++) {
        rk_pool_allocation now;
        assert_int_equal(rk_pool_query(m->pool, m->live[i].a.handle, &now, NULL), RK_OK);
        assert_true(now.offset == m->live[i].a.offset || m->live[i].a.movable);
        assert_true(now.offset <= m->live[i].a.offset);
        m->live[i].a.offset = now.offset;
        expect_contents(m, &m->live[i]);
    }
}

static void compare(model *m)
{
    rk_pool_stats stats;
    rk_err err = RK_ERR_INIT;
    if (rk_pool_check(m->pool, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_pool_read_stats(m->pool, &stats);
    uint64_t cached = 0;
    for (uint32_t i = 0; i < CLASSES; i++) {
        cached += m->cached[i] * class_bytes[i];
        rk_pool_class_stats one;
        rk_pool_read_class(m->pool, i, &one);
        assert_int_equal(one.block_bytes, class_bytes[i]);
        assert_true(m->faults || one.cached == m->cached[i]);
        assert_true(one.blocks >= one.cached);
    }
    assert_int_equal(stats.bytes, m->region.bytes);
    assert_int_equal(stats.used_bytes, m->used);
    assert_int_equal(rk_pool_used_bytes(m->pool), m->used);
    assert_int_equal(stats.requested_bytes, m->requested);
    if (!m->faults) {
        assert_int_equal(stats.cached_bytes, cached);
        assert_int_equal(stats.hits, m->hits);
        assert_int_equal(stats.misses, m->misses);
        assert_int_equal(stats.dirty_bytes, 0);
        assert_int_equal(stats.high_water_bytes, m->high_water);
    }
    assert_int_equal(stats.hits + stats.misses, m->hits + m->misses);
    assert_int_equal(stats.frees, m->frees);
    assert_int_equal(stats.failures, m->failures);
    assert_int_equal(stats.bytes,
                     stats.used_bytes + stats.cached_bytes + stats.dirty_bytes + stats.free_bytes);
    assert_true(stats.internal_fragmentation >= 0 && stats.internal_fragmentation < 1);
    assert_true(stats.external_fragmentation >= 0 && stats.external_fragmentation < 1);
    uint64_t count = 0;
    assert_int_equal(rk_pool_report(m->pool, NULL, NULL, &count, NULL), RK_OK);
    assert_int_equal(count, m->count);
}

/* What happens besides allocating and freeing, now and then. */
static void do_housework(model *m, uint64_t what)
{
    if (what < 5) {
        rk_status status = rk_pool_trim(m->pool, NULL, NULL);
        assert_true(status == RK_OK || m->region.zero_fails);
        memset(m->cached, 0, sizeof m->cached);
    } else if (what < 10) {
        do_defragment(m);
    } else {
        rk_status status = rk_pool_grow(m->pool, 0, NULL);
        assert_true(status == RK_OK || (status == RK_LIMIT && m->region.bytes > 199900) ||
                    (status == RK_NO_MEMORY && m->region.grow_fails) ||
                    (status == RK_UNSUPPORTED && m->options.growth == RK_POOL_FIXED));
    }
    if (m->faults) {
        m->region.zero_fails = below(m, 2) == 0;
        m->region.move_fails = below(m, 2) == 0;
        m->region.grow_fails = below(m, 2) == 0;
    }
}

/* Everything is freed: all of the region must be one piece, and zero. */
static void end_sequence(model *m)
{
    while (m->count > 0) {
        do_free(m);
    }
    m->region.zero_fails = false;
    assert_int_equal(rk_pool_trim(m->pool, NULL, NULL), RK_OK);
    rk_pool_stats stats;
    rk_pool_read_stats(m->pool, &stats);
    assert_int_equal(stats.free_bytes, stats.bytes);
    uint64_t power = 1;
    while (power * 2 <= stats.bytes) {
        power *= 2;
    }
    assert_int_equal(stats.largest_bytes, power);
    assert_int_equal(rk_pool_check(m->pool, NULL), RK_OK);
    for (uint64_t i = 0; m->options.scrub != RK_POOL_SCRUB_NEVER && i < stats.bytes; i++) {
        assert_int_equal(m->region.memory[i], 0);
    }
    region_finish(&m->region, m->pool);
}

static uint64_t last_seed;

static void one_sequence(uint64_t seed, uint32_t steps, bool faults)
{
    static model m;
    static const uint64_t sizes[] = {3072, 64, 1000, 192};
    last_seed = seed;
    memset(&m, 0, sizeof m);
    m.random = seed;
    m.faults = faults;
    m.options = (rk_pool_options){.name = "model",
                                  .bytes = 65536 + 64 * (seed % 300),
                                  .max_bytes = 200000,
                                  .growth = (rk_pool_growth)(seed / 3 % 3),
                                  .step_bytes = 10000,
                                  .block_bytes = sizes,
                                  .block_count = CLASSES,
                                  .scrub = (rk_pool_scrub)(seed % 3)};
    m.pool = region_pool(&m.region, &m.options);
    for (uint32_t i = 0; i < steps; i++) {
        uint64_t what = below(&m, 1000);
        bool shrink = i / 500 % 2 == 1;
        if (what < 12) {
            do_housework(&m, what);
        } else if (what < (shrink ? 300u : 600u) && m.count < LIVE_MAX) {
            do_allocate(&m);
        } else {
            do_free(&m);
        }
        if (i % 32 == 0) {
            compare(&m);
        }
    }
    end_sequence(&m);
}

static void many_short_sequences(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000 / SHARE; seed++) {
        one_sequence(seed, 120, false);
    }
}

static void some_long_sequences(void **state)
{
    (void)state;
    for (uint64_t seed = 2001; seed <= 2000 + 18 / SHARE; seed++) {
        one_sequence(seed, 3000, false);
    }
}

static void sequences_with_faults(void **state)
{
    (void)state;
    for (uint64_t seed = 3001; seed <= 3000 + 120 / SHARE; seed++) {
        one_sequence(seed, 600, true);
    }
}

static int print_seed(void **state)
{
    (void)state;
    print_message("last seed: %llu\n", (unsigned long long)last_seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(many_short_sequences, print_seed),
        cmocka_unit_test_teardown(some_long_sequences, print_seed),
        cmocka_unit_test_teardown(sequences_with_faults, print_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
