/*
 * Slabs: sizes, runs, exhaustion, stale and double frees, damage, many threads.
 */
#include "core/slab.h"

#include "base/compiler.h"
#include "base/thread.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_slab {
    void *memory;
    uint64_t bytes;
    rk_slab slab;
} test_slab;

static test_slab open_slab(const rk_slab_config *config)
{
    test_slab t = {.bytes = rk_slab_bytes(config)};
    assert_true(t.bytes > 0);
    t.memory = aligned_alloc(RK_SLAB_ALIGN_BYTES, (size_t)t.bytes);
    assert_non_null(t.memory);
    assert_int_equal(rk_slab_init(t.memory, t.bytes, config, NULL), RK_OK);
    assert_int_equal(rk_slab_attach(&t.slab, t.memory, t.bytes, NULL), RK_OK);
    return t;
}

/* 8 blocks of each size, 8 units. */
static test_slab open_even(void)
{
    rk_slab_config config;
    for (unsigned i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        config.counts[i] = 8;
    }
    return open_slab(&config);
}

static uint32_t total_in_use(const test_slab *t)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        sum += rk_slab_usage_of(&t->slab, i).in_use;
    }
    return sum;
}

static void test_every_size(void **state)
{
    (void)state;
    test_slab t = open_even();
    static const uint32_t lengths[] = {1,     41,    64,    65,    128,    129,    4096,  4097,
                                       32768, 65535, 65536, 65537, 131072, 131073, 524288};
    static unsigned char in[524288];
    static unsigned char out[524288];
    uint64_t random = 3;
    rk_test_random_bytes(&random, in, sizeof in);
    for (size_t i = 0; i < RK_COUNT_OF(lengths); i++) {
        rk_slab_ref ref;
        assert_int_equal(rk_slab_put(&t.slab, in, lengths[i], &ref), RK_OK);
        assert_int_equal(ref.length, lengths[i]);
        void *data;
        assert_int_equal(rk_slab_map(&t.slab, &ref, &data), RK_OK);
        assert_memory_equal(data, in, lengths[i]);
        memset(out, 0, lengths[i]);
        assert_int_equal(rk_slab_get(&t.slab, &ref, out, lengths[i] - 1), RK_NO_SPACE);
        assert_int_equal(rk_slab_get(&t.slab, &ref, out, sizeof out), RK_OK);
        assert_memory_equal(out, in, lengths[i]);
        ((unsigned char *)data)[lengths[i] / 2] ^= 1;
        assert_int_equal(rk_slab_get(&t.slab, &ref, out, sizeof out), RK_CORRUPT);
        assert_int_equal(rk_slab_seal(&t.slab, &ref), RK_OK);
        assert_int_equal(rk_slab_get(&t.slab, &ref, out, sizeof out), RK_OK);
        assert_int_equal(rk_slab_free(&t.slab, &ref), RK_OK);
    }
    assert_int_equal(total_in_use(&t), 0);
    rk_slab_ref ref;
    void *data;
    assert_int_equal(rk_slab_alloc(&t.slab, 0, &ref, &data), RK_INVALID);
    assert_int_equal(rk_slab_alloc(&t.slab, 8 * 65536 + 1, &ref, &data), RK_LIMIT);
    assert_int_equal(rk_slab_alloc(&t.slab, UINT32_MAX, &ref, &data), RK_LIMIT);
    free(t.memory);
}

/* A full size borrows from the larger ones; when all are taken it is refused, and counted. */
static void test_exhaustion(void **state)
{
    (void)state;
    test_slab t = open_even();
    rk_slab_ref refs[200];
    void *data;
    size_t count = 0;
    while (rk_slab_alloc(&t.slab, 50, &refs[count], &data) == RK_OK) {
        memset(data, (int)count, 50);
        count++;
        assert_true(count < RK_COUNT_OF(refs));
    }
    assert_int_equal(count, 8 * RK_SLAB_CLASS_COUNT);
    assert_int_equal(rk_slab_alloc(&t.slab, 50, &refs[count], &data), RK_FULL);
    assert_true(rk_slab_usage_of(&t.slab, 0).refused >= 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rk_slab_map(&t.slab, &refs[i], &data), RK_OK);
        for (unsigned b = 0; b < 50; b++) {
            assert_int_equal(((unsigned char *)data)[b], (unsigned char)i);
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rk_slab_free(&t.slab, &refs[(i * 7) % count]), RK_OK);
    }
    assert_int_equal(total_in_use(&t), 0);
    assert_int_equal(rk_slab_alloc(&t.slab, 8 * 65536, &refs[0], &data), RK_OK);
    free(t.memory);
}

/* Runs need neighbours: a hole that is too small is passed over, and used again when it has grown.
  */
static void test_runs(void **state)
{
    (void)state;
    test_slab t = open_slab(&(rk_slab_config){.counts = {[RK_SLAB_UNITS] = 8}});
    rk_slab_ref a;
    rk_slab_ref b;
    rk_slab_ref c;
    rk_slab_ref d;
    void *data;
    assert_int_equal(rk_slab_alloc(&t.slab, 3 * 65536, &a, &data), RK_OK);
    assert_int_equal(rk_slab_alloc(&t.slab, 2 * 65536, &b, &data), RK_OK);
    assert_int_equal(rk_slab_alloc(&t.slab, 2 * 65536 + 1, &c, &data), RK_OK);
    assert_int_equal(rk_slab_alloc(&t.slab, 1, &d, &data), RK_FULL);
    assert_int_equal(rk_slab_free(&t.slab, &b), RK_OK);
    assert_int_equal(rk_slab_alloc(&t.slab, 3 * 65536, &d, &data), RK_FULL);
    assert_int_equal(rk_slab_free(&t.slab, &a), RK_OK);
    assert_int_equal(rk_slab_alloc(&t.slab, 5 * 65536, &d, &data), RK_OK);
    assert_int_equal(rk_slab_usage_of(&t.slab, RK_SLAB_UNITS).in_use, 8);
    /* A reference into the middle of a run, or with another length, is not the run's. */
    rk_slab_ref inside = d;
    inside.offset += 65536;
    inside.length = 1;
    assert_int_equal(rk_slab_free(&t.slab, &inside), RK_STALE);
    inside = d;
    inside.length = 65536;
    assert_int_equal(rk_slab_free(&t.slab, &inside), RK_STALE);
    assert_int_equal(rk_slab_free(&t.slab, &d), RK_OK);
    assert_int_equal(rk_slab_free(&t.slab, &c), RK_OK);
    assert_int_equal(total_in_use(&t), 0);
    free(t.memory);
}

static void test_stale_and_double_free(void **state)
{
    (void)state;
    test_slab t = open_even();
    static const uint32_t lengths[] = {60, 70000};
    for (size_t i = 0; i < RK_COUNT_OF(lengths); i++) {
        rk_slab_ref ref;
        void *data;
        unsigned char out[8];
        assert_int_equal(rk_slab_alloc(&t.slab, lengths[i], &ref, &data), RK_OK);
        assert_int_equal(rk_slab_free(&t.slab, &ref), RK_OK);
        assert_int_equal(rk_slab_free(&t.slab, &ref), RK_STALE);
        assert_int_equal(rk_slab_map(&t.slab, &ref, &data), RK_STALE);
        assert_int_equal(rk_slab_get(&t.slab, &ref, out, sizeof out), RK_STALE);
        assert_int_equal(rk_slab_seal(&t.slab, &ref), RK_STALE);
        rk_slab_ref again;
        do { /* until the same block comes round */
            assert_int_equal(rk_slab_alloc(&t.slab, lengths[i], &again, &data), RK_OK);
        } while (again.offset != ref.offset);
        assert_int_equal(rk_slab_free(&t.slab, &ref), RK_STALE);
        assert_int_equal(rk_slab_free(&t.slab, &again), RK_OK);
    }
    free(t.memory);
}

static void test_forged_references(void **state)
{
    (void)state;
    test_slab t = open_even();
    rk_slab_ref good;
    void *data;
    assert_int_equal(rk_slab_alloc(&t.slab, 64, &good, &data), RK_OK);
    rk_slab_ref bad[] = {good, good, good, good, good, good, good};
    bad[0].offset = 0;
    bad[1].offset = UINT64_MAX;
    bad[2].offset += 1;
    bad[3].length = 65;
    bad[4].length = 0;
    bad[5].reserved = 1;
    bad[6].offset = t.bytes;
    for (size_t i = 0; i < RK_COUNT_OF(bad); i++) {
        assert_int_equal(rk_slab_map(&t.slab, &bad[i], &data), RK_INVALID);
        assert_int_equal(rk_slab_free(&t.slab, &bad[i]), RK_INVALID);
    }
    rk_slab_ref even = good;
    even.generation++;
    assert_int_equal(rk_slab_free(&t.slab, &even), RK_STALE);
    uint64_t random = 9;
    for (unsigned i = 0; i < 100000; i++) {
        rk_slab_ref forged;
        rk_test_random_bytes(&random, &forged, sizeof forged);
        forged.offset %= t.bytes + 100;
        forged.generation %= 4;
        forged.reserved = 0;
        if (memcmp(&forged.offset, &good.offset, 8) != 0) {
            assert_int_not_equal(rk_slab_free(&t.slab, &forged), RK_OK);
        }
    }
    assert_int_equal(rk_slab_free(&t.slab, &good), RK_OK);
    free(t.memory);
}

static void test_attach_refuses(void **state)
{
    (void)state;
    test_slab t = open_even();
    rk_slab_header *header = t.memory;
    rk_slab_header good = *header;
    rk_slab slab;
    rk_err err = RK_ERR_INIT;
#define WITH(change, expected)                                                                     \
    do {                                                                                           \
        change;                                                                                    \
        assert_int_equal(rk_slab_attach(&slab, t.memory, t.bytes, &err), expected);                \
        assert_int_equal(err.code, expected);                                                      \
        *header = good;                                                                            \
    } while (0)
    WITH(header->magic = 1, RK_CORRUPT);
    WITH(header->class_count = 3, RK_CORRUPT);
    WITH(header->bytes++, RK_NO_SPACE);
    WITH(header->classes[2].count = 1u << 30, RK_CORRUPT);
    WITH(header->classes[2].count = 1u << 24, RK_CORRUPT);
    WITH(header->classes[2].block_bytes = 1, RK_CORRUPT);
    WITH(header->classes[2].states = t.bytes, RK_CORRUPT);
    WITH(header->classes[2].states = UINT64_MAX - 7, RK_CORRUPT);
    WITH(header->classes[2].states = 0, RK_CORRUPT);
    WITH(header->classes[2].blocks += 1, RK_CORRUPT);
    WITH(header->classes[2].blocks = UINT64_MAX - 63, RK_CORRUPT);
    WITH(header->classes[11].blocks += 64, RK_CORRUPT);
#undef WITH
    assert_int_equal(rk_slab_attach(&slab, t.memory, 100, &err), RK_INVALID);
    assert_int_equal(rk_slab_attach(&slab, (char *)t.memory + 8, t.bytes, &err), RK_INVALID);
    assert_int_equal(rk_slab_attach(&slab, t.memory, t.bytes, &err), RK_OK);

    /* A damaged stack of free blocks is noticed when it is used. */
    rk_slab_ref ref;
    void *data;
    header->classes[0].free_head = 9;
    assert_int_equal(rk_slab_alloc(&slab, 8, &ref, &data), RK_CORRUPT);
    *header = good;
    assert_int_equal(rk_slab_alloc(&slab, 8, &ref, &data), RK_OK);
    header->classes[0].free_head = good.classes[0].free_head; /* a block that is in use */
    assert_int_equal(rk_slab_alloc(&slab, 8, &ref, &data), RK_CORRUPT);
    free(t.memory);
}

static void test_config(void **state)
{
    (void)state;
    rk_slab_config config;
    assert_int_equal(rk_slab_config_fit(&config, 1000), RK_NO_SPACE);
    for (uint64_t bytes = 1u << 20; bytes < (1ull << 36); bytes = bytes * 3 + 17) {
        assert_int_equal(rk_slab_config_fit(&config, bytes), RK_OK);
        uint64_t taken = rk_slab_bytes(&config);
        assert_true(taken <= bytes);
        assert_true(bytes > (1ull << 33) || taken > bytes * 7 / 10);
    }
    assert_int_equal(rk_slab_bytes(&(rk_slab_config){{0}}), 0);
    assert_int_equal(rk_slab_bytes(&(rk_slab_config){{(1u << 24) + 1}}), 0);
    alignas(64) unsigned char memory[4096];
    rk_slab_config small = {{1}};
    assert_int_equal(rk_slab_init(memory, sizeof memory, &(rk_slab_config){{0}}, NULL), RK_INVALID);
    assert_int_equal(rk_slab_init(memory, 3000, &small, NULL), RK_NO_SPACE);
    assert_int_equal(rk_slab_init(memory + 4, sizeof memory - 4, &small, NULL), RK_INVALID);
    assert_int_equal(rk_slab_init(memory, sizeof memory, &small, NULL), RK_OK);
}

#define THREADS 4u
#define TURNS 40000u
#define HELD 8u

typedef struct worker {
    rk_slab *slab;
    uint64_t seed;
    rk_thread thread;
    const char *wrong;
    uint64_t got;
} worker;

static void fill(unsigned char *data, uint32_t length, unsigned char mark)
{
    memset(data, mark, length < 96 ? length : 96);
    data[length - 1] = mark;
}

static bool is_filled(const unsigned char *data, uint32_t length, unsigned char mark)
{
    for (uint32_t i = 0; i < length && i < 96; i++) {
        if (data[i] != mark) {
            return false;
        }
    }
    return data[length - 1] == mark;
}

/* Allocates, marks, and frees in random order; a block with two owners shows as a wrong mark. */
static void work(void *context)
{
    worker *w = context;
    rk_slab_ref refs[HELD];
    unsigned char *blocks[HELD] = {0};
    unsigned char marks[HELD];
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned at = (unsigned)(rk_test_random(&w->seed) % HELD);
        if (blocks[at]) {
            if (!is_filled(blocks[at], refs[at].length, marks[at])) {
                w->wrong = "a block has two owners";
            }
            if (rk_slab_free(w->slab, &refs[at]) != RK_OK) {
                w->wrong = "a free of an own block was refused";
            }
            blocks[at] = NULL;
            continue;
        }
        uint32_t length = 1 + (uint32_t)(rk_test_random(&w->seed) % (turn % 16 ? 150 : 200000));
        void *data;
        rk_status status = rk_slab_alloc(w->slab, length, &refs[at], &data);
        if (status == RK_OK) {
            blocks[at] = data;
            marks[at] = (unsigned char)rk_test_random(&w->seed);
            fill(blocks[at], length, marks[at]);
            w->got++;
        } else if (status != RK_FULL) {
            w->wrong = "an allocation failed strangely";
        }
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (blocks[i] && rk_slab_free(w->slab, &refs[i]) != RK_OK) {
            w->wrong = "a last free was refused";
        }
    }
}

static void test_threads(void **state)
{
    (void)state;
    test_slab t = open_even();
    worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.slab = &t.slab, .seed = i + 1};
        assert_int_equal(rk_thread_start(&workers[i].thread, "work", work, &workers[i]), RK_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        rk_thread_join(&workers[i].thread);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (workers[i].wrong) {
            fail_msg("%s", workers[i].wrong);
        }
        assert_true(workers[i].got > 1000);
    }
    assert_int_equal(total_in_use(&t), 0);
    /* Everything can be had again: nothing leaked from the stacks or the units. */
    rk_slab_ref ref;
    void *data;
    unsigned count = 0;
    while (rk_slab_alloc(&t.slab, 1, &ref, &data) == RK_OK) {
        count++;
    }
    assert_int_equal(count, 8 * RK_SLAB_CLASS_COUNT);
    free(t.memory);
}

/* Two threads in step, round by round. */
typedef struct race {
    test_slab t;
    rk_slab_ref ref;
    _Atomic unsigned arrived;
    _Atomic unsigned freed;
} race;

#define RACES 50000u

/* Waits for the other thread; `meeting` counts up from 1. */
static void meet(race *r, unsigned meeting)
{
    atomic_fetch_add(&r->arrived, 1);
    for (unsigned look = 1; atomic_load(&r->arrived) < 2 * meeting; look++) {
        if (look % 256 == 0) {
            (void)sched_yield(); /* always succeeds on Linux */
        }
    }
}

static void free_in_step(void *context)
{
    race *r = context;
    for (unsigned round = 0; round < RACES; round++) {
        meet(r, 2 * round + 1);
        if (rk_slab_free(&r->t.slab, &r->ref) == RK_OK) {
            atomic_fetch_add(&r->freed, 1);
        }
        meet(r, 2 * round + 2);
    }
}

/* Of two threads that free one reference, one succeeds. */
static void test_free_race(void **state)
{
    (void)state;
    race r = {.t = open_even()};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "free", free_in_step, &r), RK_OK);
    unsigned refused = 0;
    for (unsigned round = 0; round < RACES; round++) {
        void *data;
        refused += rk_slab_alloc(&r.t.slab, round % 2 ? 50 : 100000, &r.ref, &data) != RK_OK;
        meet(&r, 2 * round + 1);
        /* Another head start for the other thread in each round: one of them hits the moment. */
        for (volatile unsigned wait = 0; wait < round % 512; wait++) {
        }
        if (rk_slab_free(&r.t.slab, &r.ref) == RK_OK) {
            atomic_fetch_add(&r.freed, 1);
        }
        meet(&r, 2 * round + 2);
    }
    rk_thread_join(&thread);
    assert_int_equal(refused, 0);
    assert_int_equal(atomic_load(&r.freed), RACES);
    assert_int_equal(total_in_use(&r.t), 0);
    free(r.t.memory);
}

/* Takes two blocks and gives them back in the order that lets a head come back unchanged. */
static void swap_blocks(void *context)
{
    worker *w = context;
    for (unsigned turn = 0; turn < 10 * TURNS && w->wrong == NULL; turn++) {
        rk_slab_ref a;
        rk_slab_ref b;
        void *data;
        rk_status first = rk_slab_alloc(w->slab, 64, &a, &data);
        rk_status second = rk_slab_alloc(w->slab, 64, &b, &data);
        w->got += first == RK_OK;
        bool strange =
            (first != RK_OK && first != RK_FULL) || (second != RK_OK && second != RK_FULL);
        strange = strange || (first == RK_OK && rk_slab_free(w->slab, &a) != RK_OK);
        strange = strange || (second == RK_OK && rk_slab_free(w->slab, &b) != RK_OK);
        if (strange) {
            w->wrong = "a stack of free blocks lost its order";
        }
    }
}

/* A stack of a few blocks under as much change as possible: what the counter in its head is for. */
static void test_stack_race(void **state)
{
    (void)state;
    test_slab t = open_slab(&(rk_slab_config){.counts = {6}});
    worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.slab = &t.slab};
        assert_int_equal(rk_thread_start(&workers[i].thread, "swap", swap_blocks, &workers[i]),
                         RK_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        rk_thread_join(&workers[i].thread);
        if (workers[i].wrong) {
            fail_msg("%s", workers[i].wrong);
        }
    }
    assert_int_equal(total_in_use(&t), 0);
    free(t.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_exhaustion),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_stale_and_double_free),
        cmocka_unit_test(test_forged_references),
        cmocka_unit_test(test_attach_refuses),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_free_race),
        cmocka_unit_test(test_stack_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
