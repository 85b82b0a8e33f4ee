/*
 * driver.h: the OpenCL driver as a table.
 */
#ifndef RK_DRIVERS_OPENCL_DRIVER_H
#define RK_DRIVERS_OPENCL_DRIVER_H

#include "device/device.h"

const rk_driver_ops *rk_driver_opencl(void);

#endif
