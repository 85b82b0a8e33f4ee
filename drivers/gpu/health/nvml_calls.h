/*
 * nvml_calls.h: prototypes and numbers of NVML, as far as nvml.c uses them.
 *
 * Source: NVML API reference (nvml.h of CUDA 11.0 to 13.0). Numbers that the reference gives as an
 * enumeration are plain ints here, which have the same size on the systems that NVML runs on.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_NVML_CALLS_H
#define RK_DRIVERS_GPU_HEALTH_NVML_CALLS_H

#include <stdint.h>

typedef void *nvml_device;
typedef void *nvml_events;
typedef unsigned long long nvml_u64;

/* nvmlReturn_t */
#define NVML_OK 0
#define NVML_NO_PERMISSION 4
#define NVML_NOT_FOUND 6
#define NVML_DRIVER_NOT_LOADED 9

/* nvmlTemperatureSensors_t, nvmlClockType_t, nvmlMemoryErrorType_t, nvmlEccCounterType_t */
#define NVML_TEMPERATURE_GPU 0
#define NVML_CLOCK_SM 1
#define NVML_CLOCK_MEM 2
#define NVML_ERROR_CORRECTED 0
#define NVML_ERROR_UNCORRECTED 1
#define NVML_ECC_VOLATILE 0 /* since the driver was loaded */

/* nvmlClocksThrottleReasons, later nvmlClocksEventReasons */
#define NVML_REASON_IDLE 0x1u
#define NVML_REASON_SW_POWER_CAP 0x4u
#define NVML_REASON_HW_SLOWDOWN 0x8u
#define NVML_REASON_SW_THERMAL 0x20u
#define NVML_REASON_HW_THERMAL 0x40u
#define NVML_REASON_HW_POWER_BRAKE 0x80u

/* nvmlEventType*: what a set listens to */
#define NVML_EVENT_XID 0x8u

/* nvmlIntNvLinkDeviceType_t, nvmlNvLinkErrorCounter_t, nvmlGpuP2P* */
#define NVML_REMOTE_GPU 0
#define NVML_REMOTE_SWITCH 2
#define NVML_LINK_MAX 32u        /* more than any device has; NVML_NVLINK_MAX_LINKS is 18 */
#define NVML_LINK_ERROR_COUNT 3u /* replay, recovery, CRC of flits */
#define NVML_P2P_READ 0
#define NVML_P2P_OK 0

/* NVML_FI_*: fields of nvmlDeviceGetFieldValues */
#define NVML_FIELD_MEMORY_TEMPERATURE 82u
#define NVML_FIELD_LINK_SPEED 90u /* of active NVLinks, 10^6 bytes per second and direction */

/* NVML_DEVICE_ARCH_HOPPER */
#define NVML_ARCH_HOPPER 9u

/* nvmlMemory_t, version 1 */
typedef struct nvml_memory {
    nvml_u64 total;
    nvml_u64 free;
    nvml_u64 used;
} nvml_memory;

/* nvmlUtilization_t */
typedef struct nvml_utilization {
    unsigned gpu;
    unsigned memory;
} nvml_utilization;

/* nvmlPciInfo_t, version 3 */
typedef struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain;
    unsigned bus;
    unsigned device;
    unsigned device_id;
    unsigned subsystem_id;
    char bus_id[32];
} nvml_pci;

/* nvmlEventData_t, version 2 */
typedef struct nvml_event {
    nvml_device device;
    nvml_u64 type;
    nvml_u64 data; /* of an Xid event: its number */
    unsigned gpu_instance;
    unsigned compute_instance;
} nvml_event;

/* nvmlFieldValue_t */
typedef struct nvml_field {
    unsigned field;
    unsigned scope;
    long long timestamp_us;
    long long latency_us;
    int type; /* nvmlValueType_t: 0 double, 1 unsigned, 2 unsigned long, 3 unsigned long long */
    int result;
    union {
        double f64;
        unsigned u32;
        unsigned long word;
        nvml_u64 u64;
    } value;
} nvml_field;

_Static_assert(sizeof(nvml_pci) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(nvml_event) == 32, "nvmlEventData_t");
_Static_assert(sizeof(nvml_field) == 40, "nvmlFieldValue_t");

/* X(member, arguments, name, required); all return nvmlReturn_t. */
#define NVML_CALLS(X)                                                                              \
    X(init, (void), "nvmlInit_v2", true)                                                           \
    X(shutdown, (void), "nvmlShutdown", true)                                                      \
    X(version, (char *, unsigned bytes), "nvmlSystemGetNVMLVersion", false)                        \
    X(by_bus_id, (const char *, nvml_device *), "nvmlDeviceGetHandleByPciBusId_v2", true)          \
    X(architecture, (nvml_device, unsigned *), "nvmlDeviceGetArchitecture", false)                 \
    X(temperature, (nvml_device, int sensor, unsigned *), "nvmlDeviceGetTemperature", false)       \
    X(power, (nvml_device, unsigned *mw), "nvmlDeviceGetPowerUsage", false)                        \
    X(power_limit, (nvml_device, unsigned *mw), "nvmlDeviceGetEnforcedPowerLimit", false)          \
    X(clock, (nvml_device, int clock, unsigned *mhz), "nvmlDeviceGetClockInfo", false)             \
    X(clock_max, (nvml_device, int clock, unsigned *mhz), "nvmlDeviceGetMaxClockInfo", false)      \
    X(throttle, (nvml_device, nvml_u64 *), "nvmlDeviceGetCurrentClocksThrottleReasons", false)     \
    X(memory, (nvml_device, nvml_memory *), "nvmlDeviceGetMemoryInfo", false)                      \
    X(ecc, (nvml_device, int error, int counter, nvml_u64 *), "nvmlDeviceGetTotalEccErrors",       \
      false)                                                                                       \
    X(replays, (nvml_device, unsigned *), "nvmlDeviceGetPcieReplayCounter", false)                 \
    X(utilization, (nvml_device, nvml_utilization *), "nvmlDeviceGetUtilizationRates", false)      \
    X(fields, (nvml_device, int count, nvml_field *), "nvmlDeviceGetFieldValues", false)           \
    X(events_create, (nvml_events *), "nvmlEventSetCreate", false)                                 \
    X(events_register, (nvml_device, nvml_u64 types, nvml_events), "nvmlDeviceRegisterEvents",     \
      false)                                                                                       \
    X(events_wait, (nvml_events, nvml_event *, unsigned timeout_ms), "nvmlEventSetWait_v2", false) \
    X(events_free, (nvml_events), "nvmlEventSetFree", false)                                       \
    X(link_state, (nvml_device, unsigned link, unsigned *), "nvmlDeviceGetNvLinkState", false)     \
    X(link_version, (nvml_device, unsigned link, unsigned *), "nvmlDeviceGetNvLinkVersion", false) \
    X(link_remote, (nvml_device, unsigned link, nvml_pci *),                                       \
      "nvmlDeviceGetNvLinkRemotePciInfo_v2", false)                                                \
    X(link_remote_type, (nvml_device, unsigned link, int *),                                       \
      "nvmlDeviceGetNvLinkRemoteDeviceType", false)                                                \
    X(link_errors, (nvml_device, unsigned link, int counter, nvml_u64 *),                          \
      "nvmlDeviceGetNvLinkErrorCounter", false)                                                    \
    X(p2p, (nvml_device, nvml_device, int what, int *), "nvmlDeviceGetP2PStatus", false)           \
    X(ancestor, (nvml_device, nvml_device, int *), "nvmlDeviceGetTopologyCommonAncestor", false)   \
    X(pcie_generation, (nvml_device, unsigned *), "nvmlDeviceGetMaxPcieLinkGeneration", false)     \
    X(pcie_width, (nvml_device, unsigned *), "nvmlDeviceGetMaxPcieLinkWidth", false)

typedef struct nvml_calls {
#define NVML_CALL_MEMBER(member, arguments, name, required) int(*member) arguments;
    NVML_CALLS(NVML_CALL_MEMBER)
#undef NVML_CALL_MEMBER
    const char *(*error_text)(int result);
} nvml_calls;

#endif
