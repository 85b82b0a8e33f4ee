/*
 * test_memory.h: memory that runs out on purpose.
 *
 * A test that uses the folder tests/base is linked so that malloc, calloc, realloc, aligned_alloc,
 * strdup and strndup, called from project code, come here first. Only the calling thread is
 * affected.
 */
#ifndef RK_TESTS_BASE_TEST_MEMORY_H
#define RK_TESTS_BASE_TEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* The nth allocation from now fails, once; 0: none. */
void rk_test_memory_fail(uint64_t nth);

/* Whether it has happened. */
bool rk_test_memory_struck(void);

#endif
