/*
 * module.c: what the loadable module rk-opencl.so exports.
 */
#include "drivers/opencl/driver.h"

#include <string.h>

RK_API const rk_driver_ops *rk_driver_module(const char *name);

const rk_driver_ops *rk_driver_module(const char *name)
{
    const rk_driver_ops *ops = rk_driver_opencl();
    return strcmp(name, ops->name) == 0 ? ops : NULL;
}
