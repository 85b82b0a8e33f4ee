/* cm.h: cmocka with the headers that it needs in front of it. */
#ifndef RK_TESTS_KERNELS_CM_H
#define RK_TESTS_KERNELS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
