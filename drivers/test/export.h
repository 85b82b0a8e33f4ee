/*
 * export.h: how the vendors' functions are exported. They have no prototypes but these.
 */
#ifndef RK_DRIVERS_TEST_EXPORT_H
#define RK_DRIVERS_TEST_EXPORT_H

#include <ringkernel/status.h>

/* A function of a vendor's library, which returns the vendor's number of a result. */
#define RK_SIM_EXPORT(name, ...)                                                                   \
    RK_API int name(__VA_ARGS__);                                                                  \
    int name(__VA_ARGS__)

#endif
