/*
 * loader.h: finds a driver by its name: the embedded one, or a loadable module.
 */
#ifndef RK_DEVICE_LOADER_H
#define RK_DEVICE_LOADER_H

#include "device/device.h"

#define RK_DRIVER_NAME_BYTES 16

/* Drivers that "all" means, besides the embedded one. Test drivers are not among them. */
extern const char *const rk_driver_names[];
extern const uint32_t rk_driver_name_count;

/*
 * The table of the driver "cpu", "cuda", "hip", "opencl", or of any other for which there is a
 * module rk-NAME.so. Modules stay loaded until the process ends. RK_INVALID (no driver name),
 * RK_NOT_FOUND (no module; the text names the folders), RK_VERSION (made for another version of the
 * table), RK_CORRUPT (not a driver module). Blocks. Any thread.
 */
rk_status rk_driver_find(const char *name, const rk_driver_ops **out_driver, rk_err *err);

#endif
