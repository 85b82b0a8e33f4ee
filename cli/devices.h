/*
 * devices.h: what "rk devices" and "rk topology" share, and measuring a device.
 */
#ifndef RK_CLI_DEVICES_H
#define RK_CLI_DEVICES_H

#include "base/str.h"
#include "base/value.h"

#include <ringkernel/topology.h>

struct rk_cli_call;

/* Bytes per second for people: "4.80 TB/s", "985 MB/s". Written into out and returned. */
const char *rk_rate_text(uint64_t bytes_per_s, char out[RK_VALUE_TEXT_BYTES]);

/* "PCIe 5.0 x16", "NVLink 4 x18", "NVSwitch", "same device", "memory", "none". */
const char *rk_link_text(const rk_device_link *link, char out[RK_VALUE_TEXT_BYTES]);

/* Why a driver has no device. */
const char *rk_devices_reason(const rk_topology_driver *driver);

/*
 * The devices of the drivers that --driver names, of all without it. RK_NOT_FOUND when the named
 * ones have none. sysfs: NULL for /sys. An exit code other than RK_CLI_OK has been explained.
 */
int rk_devices_look(const struct rk_cli_call *call, const char *sysfs, rk_topology **out_topology);

/* One line for each driver that has no device, with the reason. */
void rk_devices_append_absent(rk_str *out, const rk_topology *topology);

/* What one device did, measured with the kernel "copy". 0: could not be measured. */
typedef struct rk_measured {
    uint64_t copy_bandwidth;  /* bytes read and written per second by a resident kernel */
    uint64_t write_bandwidth; /* bytes per second from the host to the device */
    uint64_t read_bandwidth;  /* and back */
    uint64_t write_ns;        /* of 8 bytes, median */
    uint64_t read_ns;
    uint64_t answer_ns; /* from a command on the host to the answer on the host, median */
    uint64_t answer_p99_ns;
    uint64_t array_bytes; /* of each of the two arrays */
} rk_measured;

/*
 * Runs the kernel on the device and measures; takes about a second. memory_bytes: of the device, 0
 * if not known. err says what could not be done.
 */
rk_status rk_device_measure(const char *device, uint64_t memory_bytes, rk_measured *out_measured,
                            rk_err *err);

#endif
