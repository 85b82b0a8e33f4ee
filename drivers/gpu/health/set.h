/*
 * set.h: noting a value of a device's health as known.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_SET_H
#define RK_DRIVERS_GPU_HEALTH_SET_H

#include <ringkernel/telemetry.h>

#define RK_HEALTH_SET(t, member, value)                                                            \
    ((t)->member = (value), (t)->known |= RK_TELEMETRY_KNOWN(member), (void)0)
#define RK_HEALTH_HAS(t, member) (((t)->known & RK_TELEMETRY_KNOWN(member)) != 0)

#endif
