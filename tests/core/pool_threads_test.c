/*
 * Memory pools under many threads: allocations are passed from thread to thread and freed there,
 * while another thread trims, defragments, grows, counts and checks. Every allocation carries its
 * own number from end to end: two owners of one block would overwrite it.
 */
#include "support/skip.h"

#include "base/thread.h"
#include "core/pool_support.h"
#include "support/random.h"

#define THREADS 4
#define CALLS 6000
#define SLOTS 128

typedef struct shared {
    region region;
    rk_pool *pool;
    _Atomic rk_pool_handle slots[SLOTS]; /* allocations on their way to any thread */
    _Atomic uint64_t allocated;
    _Atomic uint64_t freed;
    _Atomic uint64_t refused;
    _Atomic uint64_t double_frees;
    _Atomic uint32_t running;
    _Atomic bool wrong;
} shared;

typedef struct worker {
    shared *s;
    uint64_t random;
    rk_thread thread;
} worker;

static void expect(shared *s, bool ok)
{
    if (!ok) {
        s->wrong = true;
    }
}

/* Looks at the contents and frees it. Pinned, so the offset stays what it is. */
static void finish(shared *s, rk_pool_handle handle)
{
    rk_pool_allocation a;
    expect(s, rk_pool_query(s->pool, handle, &a, NULL) == RK_OK);
    const uint8_t *at = s->region.memory + a.offset;
    for (uint64_t i = 0; !a.movable && i < a.bytes; i++) {
        expect(s, at[i] == (uint8_t)(handle + i / 64));
    }
    expect(s, rk_pool_free(s->pool, handle, NULL) == RK_OK);
    s->freed++;
}

static void work(void *context)
{
    worker *w = context;
    shared *s = w->s;
    for (uint32_t i = 0; i < CALLS && !s->wrong; i++) {
        rk_pool_request request = {
            .bytes = 1 + rk_test_random(&w->random) % (i % 16 == 0 ? 5000 : 300),
            .tenant = (uint32_t)(rk_test_random(&w->random) % 2),
            .movable = i % 4 == 0,
        };
        rk_pool_allocation a;
        rk_status status = rk_pool_allocate(s->pool, &request, &a, NULL);
        if (status != RK_OK) {
            expect(s, status == RK_FULL);
            s->refused++;
            continue;
        }
        s->allocated++;
        for (uint64_t j = 0; !a.movable && j < a.bytes; j++) {
            s->region.memory[a.offset + j] = (uint8_t)(a.handle + j / 64);
        }
        uint32_t slot = (uint32_t)(rk_test_random(&w->random) % SLOTS);
        rk_pool_handle other = atomic_exchange(&s->slots[slot], a.handle);
        if (other != 0) {
            finish(s, other);
        }
    }
    s->running--;
}

static void threads_share_a_pool(void **state)
{
    (void)state;
    static shared s;
    memset(&s, 0, sizeof s);
    rk_pool_options options = {
        .bytes = 128 << 10, .growth = RK_POOL_STEP, .step_bytes = 4096, .max_bytes = 192 << 10};
    s.pool = region_pool(&s.region, &options);
    worker workers[THREADS];
    memset(workers, 0, sizeof workers);
    s.running = THREADS;
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].s = &s;
        workers[i].random = 77 + i;
        assert_int_equal(rk_thread_start(&workers[i].thread, "pool", work, &workers[i]), RK_OK);
    }
    rk_err err = RK_ERR_INIT;
    uint64_t random = 5;
    while (s.running > 0) {
        rk_pool_stats stats;
        uint64_t what = rk_test_random(&random) % 8;
        rk_status status = RK_OK;
        if (what == 0) {
            status = rk_pool_trim(s.pool, NULL, &err);
        } else if (what < 3) {
            status = rk_pool_defragment(s.pool, NULL, &err);
        } else if (what == 3 && rk_pool_grow(s.pool, 0, NULL) == RK_UNSUPPORTED) {
            status = rk_err_set(&err, RK_UNSUPPORTED, "it does not grow");
        } else if (what == 4) {
            status = rk_pool_report(s.pool, NULL, NULL, NULL, &err);
        } else if (what == 5) {
            rk_pool_read_stats(s.pool, &stats);
        } else {
            status = rk_pool_check(s.pool, &err);
        }
        if (status != RK_OK) {
            print_message("%s\n", err.text);
            s.wrong = true;
        }
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        rk_thread_join(&workers[i].thread);
    }
    assert_false(s.wrong);
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (s.slots[i] != 0) {
            finish(&s, s.slots[i]);
        }
    }
    assert_false(s.wrong);
    rk_pool_stats stats;
    assert_int_equal(rk_pool_trim(s.pool, NULL, NULL), RK_OK);
    rk_pool_read_stats(s.pool, &stats);
    assert_int_equal(s.allocated, s.freed);
    assert_int_equal(stats.hits + stats.misses, s.allocated);
    assert_int_equal(stats.frees, s.freed);
    assert_int_equal(stats.failures, s.refused);
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.requested_bytes, 0);
    assert_int_equal(stats.free_bytes, stats.bytes);
    assert_true(stats.hits > 0);
    assert_int_equal(rk_pool_check(s.pool, NULL), RK_OK);
    region_finish(&s.region, s.pool);
}

/* All threads free the same handle: exactly one may succeed. */
static void free_all(void *context)
{
    worker *w = context;
    shared *s = w->s;
    for (uint32_t i = 0; i < SLOTS; i++) {
        rk_status status = rk_pool_free(s->pool, s->slots[i], NULL);
        expect(s, status == RK_OK || status == RK_STALE);
        s->freed += status == RK_OK;
        s->double_frees += status == RK_STALE;
    }
}

static void of_many_frees_one_succeeds(void **state)
{
    (void)state;
    static shared s;
    memset(&s, 0, sizeof s);
    rk_pool_options options = {.bytes = 128 << 10};
    s.pool = region_pool(&s.region, &options);
    for (uint32_t i = 0; i < SLOTS; i++) {
        rk_pool_request request = {.bytes = 64 + i * 3};
        rk_pool_allocation a;
        assert_int_equal(rk_pool_allocate(s.pool, &request, &a, NULL), RK_OK);
        s.slots[i] = a.handle;
    }
    worker workers[THREADS];
    memset(workers, 0, sizeof workers);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].s = &s;
        assert_int_equal(rk_thread_start(&workers[i].thread, "pool", free_all, &workers[i]), RK_OK);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        rk_thread_join(&workers[i].thread);
    }
    assert_false(s.wrong);
    assert_int_equal(s.freed, SLOTS);
    assert_int_equal(s.double_frees, SLOTS * (THREADS - 1));
    assert_int_equal(rk_pool_check(s.pool, NULL), RK_OK);
    region_finish(&s.region, s.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_pool),
        cmocka_unit_test(of_many_frees_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
