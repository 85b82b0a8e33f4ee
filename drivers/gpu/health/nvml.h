/*
 * nvml.h: one device as NVIDIA's management library (NVML) sees it.
 *
 * Source of functions, numbers and layouts: NVML API reference, versions 11 to 13; each constant
 * and structure in nvml.c names its counterpart there.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_NVML_H
#define RK_DRIVERS_GPU_HEALTH_NVML_H

#include <ringkernel/telemetry.h>

typedef struct rk_nvml rk_nvml;

/*
 * library: NULL for libnvidia-ml.so.1. RK_NOT_FOUND when there is no library or it knows no such
 * device, RK_UNSUPPORTED when it is too old, RK_PERMISSION, RK_DEVICE.
 */
rk_status rk_nvml_open(const char *library, const char *bus_id, rk_nvml **out_nvml, rk_err *err);
void rk_nvml_close(rk_nvml *nvml);
/* The library's version; "" if it does not tell. */
const char *rk_nvml_version(const rk_nvml *nvml);
void rk_nvml_read(rk_nvml *nvml, rk_device_telemetry *inout_telemetry);
/* The link that the GPUs announce between each other; RK_LINK_NONE when nothing is known. */
void rk_nvml_link(const rk_nvml *from, const rk_nvml *to, rk_device_link *out_link);

#endif
