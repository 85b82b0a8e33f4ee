/*
 * near.h: comparing measured numbers.
 */
#ifndef RK_TESTS_JOB_NEAR_H
#define RK_TESTS_JOB_NEAR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* Fails unless |actual - expected| <= tolerance; NAN always fails. */
#define assert_near(actual, expected, tolerance)                                                   \
    do {                                                                                           \
        double near_a = (actual);                                                                  \
        double near_e = (expected);                                                                \
        if (!(fabs(near_a - near_e) <= (tolerance))) {                                             \
            print_error("%s is %.10g, expected %.10g within %.3g\n", #actual, near_a, near_e,      \
                        (double)(tolerance));                                                      \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* Fails unless text contains part. */
#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part))) {                                                             \
            print_error("no '%s' in: %s\n", (part), (text));                                       \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

#endif
