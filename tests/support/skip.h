/*
 * Skipping a test case with a reason.
 *
 * cmocka's skip() says nothing; tools/run-tests counts each skip, prints its reason, and fails a
 * case that skips without one. A program that cannot run at all prints the same line and exits 77.
 */
#ifndef RK_TESTS_SUPPORT_SKIP_H
#define RK_TESTS_SUPPORT_SKIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Ends the running case. reason: a short text without a newline, such as "libck is not installed".
 */
#define RK_SKIP(reason)                                                                            \
    do {                                                                                           \
        print_message("skip: %s\n", (reason));                                                     \
        skip();                                                                                    \
    } while (0)

#endif
