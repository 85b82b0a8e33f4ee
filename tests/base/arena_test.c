/*
 * Arenas: alignment, growth, limit, marks, exhausted memory, sizes near the end of the address
 * space.
 */
#include "base/arena.h"
#include "base/test_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_pieces(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 256, SIZE_MAX);
    unsigned char *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        size_t align = (size_t)1 << (i % 13);
        pieces[i] = rk_arena_alloc(&arena, i, align);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % align, 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(pieces[i][j], i & 0xff);
        }
    }
    rk_arena_finish(&arena);
    assert_int_equal(arena.reserved_bytes, 0);
}

static void test_copies(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 0, SIZE_MAX);
    assert_string_equal(rk_arena_strdup(&arena, "text"), "text");
    assert_string_equal(rk_arena_strdup(&arena, ""), "");
    assert_string_equal(rk_arena_strndup(&arena, "text", 2), "te");
    uint64_t *numbers = rk_arena_calloc(&arena, 100, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(numbers[i], 0);
    }
    rk_arena_finish(&arena);
}

static void test_limit(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 1024, 4096);
    size_t total = 0;
    while (rk_arena_alloc(&arena, 100, 1) != NULL) {
        total += 100;
        assert_true(arena.reserved_bytes <= 4096);
    }
    assert_true(total >= 2000);
    assert_null(rk_arena_alloc(&arena, 5000, 1));
    rk_arena_reset(&arena);
    /* Near the limit a chunk of exactly the size needed still fits. */
    assert_non_null(rk_arena_alloc(&arena, 2800, 1));
    rk_arena_finish(&arena);
    rk_arena_init(&arena, 0, 0);
    assert_null(rk_arena_alloc(&arena, 0, 1));
    rk_arena_finish(&arena);
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 0, SIZE_MAX);
    assert_null(rk_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(rk_arena_alloc(&arena, SIZE_MAX - 64, 4096));
    assert_null(rk_arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(rk_arena_strndup(&arena, "x", SIZE_MAX));
    assert_non_null(rk_arena_alloc(&arena, 10, 1));
    rk_arena_finish(&arena);
}

static void test_marks(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 128, SIZE_MAX);
    rk_arena_mark empty = rk_arena_here(&arena);
    char *first = rk_arena_strdup(&arena, "first");
    rk_arena_mark outer = rk_arena_here(&arena);
    for (int i = 0; i < 50; i++) {
        rk_arena_mark inner = rk_arena_here(&arena);
        assert_non_null(rk_arena_alloc(&arena, 100, 1));
        if (i % 2 == 0) {
            rk_arena_rewind(&arena, inner);
        }
    }
    rk_arena_rewind(&arena, outer);
    assert_string_equal(first, "first");
    /* The piece after the mark is handed out again. */
    char *again = rk_arena_alloc(&arena, 1, 1);
    assert_ptr_equal(again, first + sizeof "first");
    rk_arena_rewind(&arena, empty);
    assert_int_equal(arena.reserved_bytes, 0);
    rk_arena_finish(&arena);
}

static void test_reset_keeps_one_chunk(void **state)
{
    (void)state;
    rk_arena arena;
    rk_arena_init(&arena, 1000, SIZE_MAX);
    for (int i = 0; i < 10; i++) {
        assert_non_null(rk_arena_alloc(&arena, 900, 1));
    }
    size_t before = arena.reserved_bytes;
    rk_arena_reset(&arena);
    assert_true(arena.reserved_bytes > 0 && arena.reserved_bytes < before);
    rk_test_memory_fail(1);
    assert_non_null(rk_arena_alloc(&arena, 900, 1));
    assert_null(rk_arena_alloc(&arena, 900, 1));
    assert_non_null(rk_arena_alloc(&arena, 900, 1));
    rk_test_memory_fail(0);
    rk_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_reset_keeps_one_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
