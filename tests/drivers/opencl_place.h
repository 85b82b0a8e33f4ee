/*
 * opencl_place.h: the OpenCL device that tests run on, if there is one.
 */
#ifndef RK_TESTS_DRIVERS_OPENCL_PLACE_H
#define RK_TESTS_DRIVERS_OPENCL_PLACE_H

#include <stdbool.h>

#define PLACE_DEVICE "opencl:0"

/* Whether OpenCL has a device here; prints why the tests are skipped if not. */
bool place_is_there(void);

#endif
