/*
 * hwmon.h: health of a GPU from sysfs alone, as amdgpu, xe, i915 and nouveau show it.
 *
 * Sources: Linux Documentation/hwmon/sysfs-interface.rst, Documentation/gpu/amdgpu/thermal.rst and
 * ras.rst.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_HWMON_H
#define RK_DRIVERS_GPU_HEALTH_HWMON_H

#include <ringkernel/telemetry.h>

/* Sets what is not known yet. root stands for /sys; bus_id is normalised. Reads small files. */
void rk_hwmon_read(const char *root, const char *bus_id, rk_device_telemetry *inout_telemetry);

/* ---- Parsers: text of unknown origin; false when it makes no sense ------------------------- */

/* "0: 500Mhz\n1: 1700Mhz *" of pp_dpm_sclk: the highest frequency. */
bool rk_hwmon_parse_clocks(const char *text, uint64_t *out_max_mhz);
/* "ue: 0\nce: 12" of ras/umc_err_count. */
bool rk_hwmon_parse_errors(const char *text, uint64_t *out_uncorrected, uint64_t *out_corrected);

#endif
