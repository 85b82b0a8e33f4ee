/*
 * health.h: health of GPUs and the links between them, from whatever this machine has: NVML,
 * AMD SMI or ROCm SMI, opened at run time, and sysfs.
 *
 * Nothing here touches a context or waits for a kernel, so all of it works while kernels are
 * resident and when a device is lost. A value that no source tells stays unknown.
 *
 * Threads: any; different threads may use one rk_health at the same time, but for close.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_HEALTH_H
#define RK_DRIVERS_GPU_HEALTH_HEALTH_H

#include <ringkernel/telemetry.h>

typedef struct rk_health rk_health;

/* Borrowed for the call. */
typedef struct rk_health_options {
    rk_vendor vendor;
    const char *bus_id;  /* of the device, in any case and with any length of the domain */
    const char *library; /* that exports the vendor's functions; NULL: the vendor's own */
    const char *sysfs;   /* NULL: /sys */
} rk_health_options;

/*
 * Opens the sources for one device. Works without any: then little is known. RK_INVALID for a bus
 * id that is none, RK_NO_MEMORY. Close with rk_health_close.
 */
rk_status rk_health_open(const rk_health_options *options, rk_health **out_health, rk_err *err);
void rk_health_close(rk_health *health); /* NULL is allowed */

/* One sentence about the sources: "NVML 12.570.86", "sysfs; libnvidia-ml.so.1: cannot open ...". */
const char *rk_health_source(const rk_health *health);

/*
 * Sets the members that are known, and their bits in out->known; leaves the others, and what stands
 * above `known`, as they are. Xid and RAS events are counted from open on.
 */
void rk_health_read(rk_health *health, rk_device_telemetry *inout_telemetry);

/*
 * How two devices are connected: NVLink, NVSwitch, XGMI or PCIe, as announced. peer_access as the
 * management library tells it; the driver's own API may know better.
 */
void rk_health_link(rk_health *from, rk_health *to, rk_device_link *out_link);

#endif
