/*
 * smi.h: one device as AMD's management libraries see it: AMD SMI, or ROCm SMI before it.
 *
 * Only calls whose arguments have stayed the same over the versions are used; what they do not tell
 * (power, clocks) is read from sysfs. Sources: AMD SMI C API reference 24 to 26 (amdsmi.h), ROCm
 * SMI API reference 5 to 7 (rocm_smi.h).
 */
#ifndef RK_DRIVERS_GPU_HEALTH_SMI_H
#define RK_DRIVERS_GPU_HEALTH_SMI_H

#include <ringkernel/telemetry.h>

typedef struct rk_smi rk_smi;

/*
 * library: NULL for AMD's own; else one that exports the functions of either. RK_NOT_FOUND when
 * there is no library or it knows no such device; RK_UNSUPPORTED, RK_DEVICE.
 */
rk_status rk_smi_open(const char *library, const char *bus_id, rk_smi **out_smi, rk_err *err);
void rk_smi_close(rk_smi *smi);
/* "AMD SMI" or "ROCm SMI". */
const char *rk_smi_name(const rk_smi *smi);
void rk_smi_read(rk_smi *smi, rk_device_telemetry *inout_telemetry);
/* RK_LINK_NONE when nothing is known. Both through the same library. */
void rk_smi_link(const rk_smi *from, const rk_smi *to, rk_device_link *out_link);

#endif
