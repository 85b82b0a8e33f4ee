/*
 * Maps against a plain model under random operations; limits, exhausted memory, iteration; SipHash.
 */
#include "base/map.h"
#include "base/test_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

enum { KEYS = 600 };

static int values[KEYS];

/* Keys that differ in high bits only, in low bits only, and at random. */
static uint64_t key_of(size_t index)
{
    switch (index % 3) {
    case 0: return (uint64_t)index << 40;
    case 1: return index;
    default: return (uint64_t)index * 0x9e3779b97f4a7c15u;
    }
}

static void check_iteration(const rk_map *map, void *const *model, size_t count)
{
    size_t cursor = 0;
    size_t seen = 0;
    uint64_t key;
    void *value;
    while (rk_map_next(map, &cursor, &key, &value)) {
        size_t index = (size_t)((int *)value - values);
        assert_int_equal(key, key_of(index));
        assert_ptr_equal(model[index], value);
        seen++;
    }
    assert_int_equal(seen, count);
    assert_int_equal(rk_map_count(map), count);
}

static void test_against_model(void **state)
{
    (void)state;
    rk_map map;
    rk_map_init(&map, SIZE_MAX);
    void *model[KEYS] = {NULL};
    size_t count = 0;
    unsigned random = 7;
    for (int round = 0; round < 200000; round++) {
        /* The share of puts swings, so that the map grows and shrinks. */
        bool grow = (round / 20000) % 2 == 0;
        size_t index = next_random(&random) % KEYS;
        uint64_t key = key_of(index);
        unsigned choice = next_random(&random) % 10;
        assert_ptr_equal(rk_map_get(&map, key), model[index]);
        if (choice < (grow ? 6u : 2u)) {
            assert_int_equal(rk_map_put(&map, key, &values[index]), RK_OK);
            count += model[index] == NULL;
            model[index] = &values[index];
        } else if (choice < 7) {
            assert_ptr_equal(rk_map_remove(&map, key), model[index]);
            count -= model[index] != NULL;
            model[index] = NULL;
        } else if (choice == 7) {
            rk_status expected = model[index] == NULL ? RK_OK : RK_EXISTS;
            assert_int_equal(rk_map_add(&map, key, &values[index]), expected);
            count += model[index] == NULL;
            model[index] = &values[index];
        }
        if (round % 5000 == 0) {
            check_iteration(&map, model, count);
        }
    }
    check_iteration(&map, model, count);
    rk_map_finish(&map);
    assert_int_equal(rk_map_count(&map), 0);
    assert_null(rk_map_get(&map, 1));
    assert_null(rk_map_remove(&map, 1));
}

static void test_strings_against_model(void **state)
{
    (void)state;
    rk_smap map;
    rk_smap_init(&map, SIZE_MAX);
    void *model[KEYS] = {NULL};
    size_t count = 0;
    unsigned random = 8;
    for (int round = 0; round < 60000; round++) {
        size_t index = next_random(&random) % KEYS;
        char key[32];
        (void)snprintf(key, sizeof key, "%s%zu", index % 2 == 0 ? "" : "a long common prefix",
                       index);
        assert_ptr_equal(rk_smap_get(&map, key), model[index]);
        if (next_random(&random) % 2 == 0) {
            assert_int_equal(rk_smap_put(&map, key, &values[index]), RK_OK);
            count += model[index] == NULL;
            model[index] = &values[index];
        } else {
            assert_ptr_equal(rk_smap_remove(&map, key), model[index]);
            count -= model[index] != NULL;
            model[index] = NULL;
        }
    }
    assert_int_equal(rk_smap_count(&map), count);
    size_t cursor = 0;
    size_t seen = 0;
    const char *key;
    void *value;
    while (rk_smap_next(&map, &cursor, &key, &value)) {
        assert_ptr_equal(rk_smap_get(&map, key), value);
        seen++;
    }
    assert_int_equal(seen, count);
    assert_int_equal(rk_smap_put(&map, "", &values[0]), RK_OK);
    assert_int_equal(rk_smap_add(&map, "", &values[1]), RK_EXISTS);
    assert_ptr_equal(rk_smap_get(&map, ""), &values[0]);
    rk_smap_finish(&map);
}

static void test_limit(void **state)
{
    (void)state;
    rk_map map;
    rk_map_init(&map, 3);
    for (uint64_t key = 0; key < 3; key++) {
        assert_int_equal(rk_map_put(&map, key, &values[key]), RK_OK);
    }
    assert_int_equal(rk_map_put(&map, 3, &values[3]), RK_LIMIT);
    assert_int_equal(rk_map_put(&map, 2, &values[9]), RK_OK);
    assert_ptr_equal(rk_map_get(&map, 2), &values[9]);
    assert_ptr_equal(rk_map_remove(&map, 0), &values[0]);
    assert_int_equal(rk_map_put(&map, 3, &values[3]), RK_OK);
    rk_map_finish(&map);
}

static void test_no_memory(void **state)
{
    (void)state;
    rk_smap map;
    rk_smap_init(&map, SIZE_MAX);
    char key[16];
    size_t refused = 0;
    for (size_t i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "key%zu", i);
        /* Every second and third allocation: now the copy of the key, now the larger table. */
        rk_test_memory_fail(1 + i % 2);
        rk_status status = rk_smap_put(&map, key, &values[i]);
        if (status != RK_OK) {
            assert_int_equal(status, RK_NO_MEMORY);
            assert_null(rk_smap_get(&map, key));
            refused++;
            rk_test_memory_fail(0);
            assert_int_equal(rk_smap_put(&map, key, &values[i]), RK_OK);
        }
    }
    rk_test_memory_fail(0);
    assert_true(refused >= 100);
    for (size_t i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "key%zu", i);
        assert_ptr_equal(rk_smap_get(&map, key), &values[i]);
    }
    rk_smap_finish(&map);
}

/* The reference's test vectors are for 2-4 rounds; these come from its 1-3 variant (Rust's hasher).
 */
static void test_siphash(void **state)
{
    (void)state;
    const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    unsigned char data[64];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)i;
    }
    static const uint64_t expected[] = {0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u,
                                        0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(rk_siphash13(key, data, i), expected[i]);
    }
}

/* Two maps order the same keys differently: each has a seed of its own. */
static void test_seeds_differ(void **state)
{
    (void)state;
    rk_map a;
    rk_map b;
    rk_map_init(&a, SIZE_MAX);
    rk_map_init(&b, SIZE_MAX);
    assert_true(a.seed[0] != b.seed[0] || a.seed[1] != b.seed[1]);
    rk_map_finish(&a);
    rk_map_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model), cmocka_unit_test(test_strings_against_model),
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_siphash),       cmocka_unit_test(test_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
