/*
 * telemetry.h: what is told of devices: who makes them, their health, and how they are connected.
 *
 * The drivers fill these structures (lib/device/device.h); rk_runtime_device_telemetry and
 * topology.h hand them out. Plain data: any thread, nothing to free.
 */
#ifndef RINGKERNEL_TELEMETRY_H
#define RINGKERNEL_TELEMETRY_H

#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_DEVICE_BUS_BYTES 16 /* "0000:17:00.0" and its end */

typedef enum rk_vendor {
    RK_VENDOR_OTHER,
    RK_VENDOR_NVIDIA,
    RK_VENDOR_AMD,
    RK_VENDOR_INTEL,
    RK_VENDOR_CPU, /* the machine's own processors, whoever made them */
} rk_vendor;

/* "nvidia"; "other" for a value that is none of them. */
RK_API const char *rk_vendor_name(rk_vendor vendor);

/* X(member, unit, text): health of a device. A value counts only if its bit in `known` is set. */
#define RK_TELEMETRY_LIST(X)                                                                       \
    X(temperature_c, "C", "temperature of the chip")                                               \
    X(memory_temperature_c, "C", "temperature of the memory")                                      \
    X(power_mw, "mW", "power drawn")                                                               \
    X(power_limit_mw, "mW", "power limit")                                                         \
    X(clock_mhz, "MHz", "clock of the multiprocessors")                                            \
    X(clock_max_mhz, "MHz", "highest clock of the multiprocessors")                                \
    X(memory_clock_mhz, "MHz", "clock of the memory")                                              \
    X(throttle_reasons, "", "RK_THROTTLE_* bits")                                                  \
    X(memory_total_bytes, "B", "memory of the device")                                             \
    X(memory_free_bytes, "B", "memory that nobody has")                                            \
    X(ecc_corrected, "", "corrected memory errors since the driver was loaded")                    \
    X(ecc_uncorrected, "", "memory errors that could not be corrected")                            \
    X(last_xid, "", "number of the last Xid or RAS event, 0 for none")                             \
    X(xid_count, "", "Xid or RAS events seen")                                                     \
    X(pcie_replays, "", "transfers repeated on the PCIe link")                                     \
    X(link_errors, "", "errors on the links to other devices")                                     \
    X(vendor_busy_percent, "%", "utilisation as the vendor counts it: 100 with a resident kernel")

#define RK_THROTTLE_POWER 0x1u   /* at the power limit */
#define RK_THROTTLE_THERMAL 0x2u /* too hot */
#define RK_THROTTLE_IDLE 0x4u    /* nothing to do */
#define RK_THROTTLE_OTHER 0x8u

#define RK_TELEMETRY_BIT_(member, unit, text) RK_TELEMETRY_BIT_##member,
enum { RK_TELEMETRY_LIST(RK_TELEMETRY_BIT_) RK_TELEMETRY_COUNT };
#undef RK_TELEMETRY_BIT_
#define RK_TELEMETRY_KNOWN(member) (1u << RK_TELEMETRY_BIT_##member)

typedef struct rk_device_telemetry {
    uint64_t memory_used_bytes; /* by this process's kernels */
    uint32_t resident_kernels;
    uint32_t resident_blocks;
    /*
     * Time with and without work, summed over the kernels that are resident, each since its launch.
     * Counted by the kernels themselves, because a resident kernel keeps a GPU 100 % busy in the
     * eyes of its vendor. Filled by the runtime, not by drivers.
     */
    uint64_t kernel_busy_ns;
    uint64_t kernel_idle_ns;
    uint32_t known; /* RK_TELEMETRY_KNOWN(member) of each of those below */
#define RK_TELEMETRY_MEMBER_(member, unit, text) uint64_t member;
    RK_TELEMETRY_LIST(RK_TELEMETRY_MEMBER_)
#undef RK_TELEMETRY_MEMBER_
} rk_device_telemetry;

/*
 * The share of time with work, 0 to 100, between two readings of one device; before may be NULL:
 * since the launches. -1 when no time was counted, or when kernels have left between the two.
 */
RK_API double rk_telemetry_busy_percent(const rk_device_telemetry *before,
                                        const rk_device_telemetry *now);

/* How two devices are connected. */
typedef enum rk_link_kind {
    RK_LINK_NONE,
    RK_LINK_SAME, /* the same device */
    RK_LINK_NVLINK,
    RK_LINK_NVSWITCH,
    RK_LINK_XGMI,
    RK_LINK_PCIE,
    RK_LINK_MEMORY, /* both are this machine's processors */
} rk_link_kind;

typedef struct rk_device_link {
    rk_link_kind kind;
    uint32_t version;   /* of NVLink; PCIe generation; 0 if not known */
    uint32_t lanes;     /* NVLinks in use; PCIe lanes; 0 if not known */
    uint64_t bandwidth; /* as announced, one direction, bytes per second; 0 if not known */
    bool peer_access;   /* kernels on one can address the memory of the other */
} rk_device_link;

/* "nvlink"; "none" for a value that is none of them. */
RK_API const char *rk_link_kind_name(rk_link_kind kind);

#ifdef __cplusplus
}
#endif
#endif
