/*
 * opencl_place.c: see opencl_place.h.
 */
#include "drivers/opencl_place.h"

#include "drivers/opencl/driver.h"

#include <stdio.h>

bool place_is_there(void)
{
    rk_err err = RK_ERR_INIT;
    const rk_device_options options = {.logical_devices = 1};
    uint32_t count = 0;
    if (rk_driver_opencl()->probe(&options, &count, &err) != RK_OK) {
        printf("skip: %s\n", err.text);
        return false;
    }
    return true;
}
