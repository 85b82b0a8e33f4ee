/*
 * nvml.c: NVML: health of the CUDA devices, Xid events, NVLinks.
 *
 * Devices are found and asked without a context, and while kernels are resident: nothing here waits
 * for one. Source: NVML API reference (nvml.h of CUDA 11.0 to 13.0).
 */
#include "base/clock.h"
#include "drivers/gpu/health/nvml_calls.h"
#include "drivers/test/export.h"
#include "drivers/test/facts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVML_UNINITIALIZED 1
#define NVML_INVALID 2
#define NVML_NOT_SUPPORTED 3
#define NVML_TIMEOUT 10
#define NVML_LOST 15
#define NVML_NO_MEMORY 20

#define HOT_C 90u     /* from here on the clocks go down */
#define PEER_LINKS 4u /* NVLinks to each other device */
#define SWITCH_LINKS 18u
#define PCIE_GENERATION 5u
#define PCIE_LANES 16u

typedef struct event_set {
    rk_sim_device *device;
    uint32_t seen; /* Xids that were given out */
} event_set;

static _Atomic int users;

RK_SIM_EXPORT(nvmlInit_v2, void)
{
    const rk_sim_options *options = rk_sim_config();
    if (options->permission != 0) {
        return NVML_NO_PERMISSION;
    }
    if (options->nodevice != 0) {
        return NVML_DRIVER_NOT_LOADED;
    }
    (void)atomic_fetch_add(&users, 1);
    return NVML_OK;
}

RK_SIM_EXPORT(nvmlShutdown, void)
{
    if (atomic_load(&users) == 0) {
        return NVML_UNINITIALIZED;
    }
    (void)atomic_fetch_sub(&users, 1);
    return NVML_OK;
}

RK_API const char *nvmlErrorString(int result);
const char *nvmlErrorString(int result)
{
    switch (result) {
    case NVML_OK: return "Success";
    case NVML_UNINITIALIZED: return "Uninitialized";
    case NVML_INVALID: return "Invalid Argument";
    case NVML_NOT_SUPPORTED: return "Not Supported";
    case NVML_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_NOT_FOUND: return "Not Found";
    case NVML_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_TIMEOUT: return "Timeout";
    case NVML_LOST: return "GPU is lost";
    default: return "Unknown Error";
    }
}

RK_SIM_EXPORT(nvmlSystemGetNVMLVersion, char *out_text, unsigned bytes)
{
    unsigned version = (unsigned)rk_sim_config()->version;
    (void)snprintf(out_text, bytes, "%u.test.%u", version / 1000, version % 1000 / 10);
    return NVML_OK;
}

/* A device can be asked until it is gone. */
static int check(rk_sim_device *device)
{
    if (atomic_load(&users) == 0) {
        return NVML_UNINITIALIZED;
    }
    return rk_sim_health(device) == RK_SIM_UNAVAILABLE ? NVML_LOST : NVML_OK;
}

RK_SIM_EXPORT(nvmlDeviceGetCount_v2, unsigned *out_count)
{
    *out_count = (unsigned)rk_sim_config()->devices;
    return atomic_load(&users) == 0 ? NVML_UNINITIALIZED : NVML_OK;
}

RK_SIM_EXPORT(nvmlDeviceGetHandleByIndex_v2, unsigned index, rk_sim_device **out_device)
{
    *out_device = rk_sim_device_at(RK_SIM_CUDA, index);
    return *out_device == NULL ? NVML_INVALID : check(*out_device);
}

RK_SIM_EXPORT(nvmlDeviceGetHandleByPciBusId_v2, const char *bus_id, rk_sim_device **out_device)
{
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned number = 0;
    if (sscanf(bus_id, "%8x:%2x:%2x", &domain, &bus, &number) != 3) {
        return NVML_INVALID;
    }
    for (uint32_t i = 0; i < RK_SIM_DEVICE_MAX; i++) {
        rk_sim_device *device = rk_sim_device_at(RK_SIM_CUDA, i);
        if (device != NULL && domain == 0 && number == 0 && bus == rk_sim_bus(device)) {
            *out_device = device;
            return check(device);
        }
    }
    return NVML_NOT_FOUND;
}

/* ---- Health ------------------------------------------------------------------------------ */

static unsigned temperature_of(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    unsigned temperature = device->temperature;
    rk_mutex_unlock(&device->lock);
    return temperature;
}

static bool is_busy(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    bool busy = device->resident_blocks != 0;
    rk_mutex_unlock(&device->lock);
    return busy;
}

RK_SIM_EXPORT(nvmlDeviceGetArchitecture, rk_sim_device *device, unsigned *out_architecture)
{
    uint64_t arch = rk_sim_config()->arch;
    *out_architecture = arch >= 100 ? 10 : arch >= 90 ? NVML_ARCH_HOPPER : arch >= 89 ? 8 : 7;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetTemperature, rk_sim_device *device, int sensor, unsigned *out_c)
{
    *out_c = temperature_of(device);
    return sensor == NVML_TEMPERATURE_GPU ? check(device) : NVML_INVALID;
}

RK_SIM_EXPORT(nvmlDeviceGetPowerUsage, rk_sim_device *device, unsigned *out_mw)
{
    *out_mw = is_busy(device) ? 350000 : 70000;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetEnforcedPowerLimit, rk_sim_device *device, unsigned *out_mw)
{
    *out_mw = 700000;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetMaxClockInfo, rk_sim_device *device, int clock, unsigned *out_mhz)
{
    *out_mhz = clock == NVML_CLOCK_MEM ? 2000 : 1700;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetClockInfo, rk_sim_device *device, int clock, unsigned *out_mhz)
{
    int result = nvmlDeviceGetMaxClockInfo(device, clock, out_mhz);
    if (clock != NVML_CLOCK_MEM && temperature_of(device) >= HOT_C) {
        *out_mhz /= 2;
    }
    return result;
}

RK_SIM_EXPORT(nvmlDeviceGetCurrentClocksThrottleReasons, rk_sim_device *device, nvml_u64 *out)
{
    *out = temperature_of(device) >= HOT_C ? NVML_REASON_HW_SLOWDOWN | NVML_REASON_HW_THERMAL
           : is_busy(device)               ? 0
                                           : NVML_REASON_IDLE;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetMemoryInfo, rk_sim_device *device, nvml_memory *out)
{
    rk_mutex_lock(&device->lock);
    uint64_t used = device->memory_used;
    rk_mutex_unlock(&device->lock);
    uint64_t total = rk_sim_config()->memory_bytes;
    *out = (nvml_memory){.total = total, .free = total - used, .used = used};
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetTotalEccErrors, rk_sim_device *device, int error, int counter,
              nvml_u64 *out)
{
    rk_mutex_lock(&device->lock);
    *out = error == NVML_ERROR_UNCORRECTED ? device->ecc_errors : 0;
    rk_mutex_unlock(&device->lock);
    return counter == NVML_ECC_VOLATILE ? check(device) : NVML_INVALID;
}

RK_SIM_EXPORT(nvmlDeviceGetPcieReplayCounter, rk_sim_device *device, unsigned *out)
{
    *out = 0;
    return check(device);
}

/* As the library counts: one kernel that is resident makes 100 percent. */
RK_SIM_EXPORT(nvmlDeviceGetUtilizationRates, rk_sim_device *device, nvml_utilization *out)
{
    *out = (nvml_utilization){.gpu = is_busy(device) ? 100 : 0};
    return check(device);
}

/* ---- Events ------------------------------------------------------------------------------ */

RK_SIM_EXPORT(nvmlEventSetCreate, event_set **out_set)
{
    *out_set = calloc(1, sizeof **out_set);
    return *out_set != NULL ? NVML_OK : NVML_NO_MEMORY;
}

/* Xids before this are not told, but for the one that the configuration asks for. */
RK_SIM_EXPORT(nvmlDeviceRegisterEvents, rk_sim_device *device, nvml_u64 types, event_set *set)
{
    if (types != NVML_EVENT_XID || set->device != NULL) {
        return NVML_NOT_SUPPORTED; /* one device for each set is enough here */
    }
    rk_mutex_lock(&device->lock);
    set->seen = rk_sim_config()->xid != 0 ? 0 : device->xid_count;
    rk_mutex_unlock(&device->lock);
    set->device = device;
    return check(device);
}

RK_SIM_EXPORT(nvmlEventSetWait_v2, event_set *set, nvml_event *out_event, unsigned timeout_ms)
{
    rk_sim_device *device = set->device;
    if (device == NULL) {
        return NVML_INVALID;
    }
    int result = NVML_TIMEOUT;
    uint64_t deadline_ns = rk_clock_deadline_ns((uint64_t)timeout_ms * RK_NS_PER_MS);
    rk_status waited = RK_OK;
    rk_mutex_lock(&device->lock);
    while (set->seen == device->xid_count && waited == RK_OK && timeout_ms != 0) {
        waited = rk_cond_wait_until(&device->changed, &device->lock, deadline_ns);
    }
    if (set->seen != device->xid_count) {
        if (device->xid_count - set->seen > RK_SIM_XID_MAX) {
            set->seen = device->xid_count - RK_SIM_XID_MAX; /* the older ones are forgotten */
        }
        *out_event = (nvml_event){.device = device,
                                  .type = NVML_EVENT_XID,
                                  .data = device->xids[set->seen++ % RK_SIM_XID_MAX]};
        result = NVML_OK;
    }
    rk_mutex_unlock(&device->lock);
    return result;
}

RK_SIM_EXPORT(nvmlEventSetFree, event_set *set)
{
    free(set);
    return NVML_OK;
}

/* ---- Links ------------------------------------------------------------------------------- */

/* What a link of a device leads to: NULL for nothing; a switch has no device. */
static rk_sim_device *link_peer(const rk_sim_device *device, unsigned link, bool *out_switch)
{
    rk_sim_link kind = rk_sim_config()->link;
    *out_switch = kind == RK_SIM_LINK_NVSWITCH && link < SWITCH_LINKS;
    uint32_t peer = link / PEER_LINKS;
    peer += peer >= device->index ? 1 : 0; /* not itself */
    return kind == RK_SIM_LINK_NVLINK && link < NVML_LINK_MAX ? rk_sim_device_at(RK_SIM_CUDA, peer)
                                                              : NULL;
}

RK_SIM_EXPORT(nvmlDeviceGetNvLinkState, rk_sim_device *device, unsigned link, unsigned *out_active)
{
    bool is_switch = false;
    rk_sim_device *peer = link_peer(device, link, &is_switch);
    *out_active = peer != NULL || is_switch;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetNvLinkVersion, rk_sim_device *device, unsigned link, unsigned *out)
{
    (void)link;
    *out = 6; /* nvmlNvlinkVersion_t: 4.0 */
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetNvLinkRemotePciInfo_v2, rk_sim_device *device, unsigned link,
              nvml_pci *out)
{
    bool is_switch = false;
    const rk_sim_device *peer = link_peer(device, link, &is_switch);
    if (peer == NULL && !is_switch) {
        return NVML_INVALID;
    }
    unsigned bus = is_switch ? 5 : rk_sim_bus(peer);
    *out = (nvml_pci){.bus = bus};
    (void)snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", bus);
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetNvLinkRemoteDeviceType, rk_sim_device *device, unsigned link, int *out)
{
    bool is_switch = false;
    (void)link_peer(device, link, &is_switch);
    *out = is_switch ? NVML_REMOTE_SWITCH : NVML_REMOTE_GPU;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetNvLinkErrorCounter, rk_sim_device *device, unsigned link, int counter,
              nvml_u64 *out)
{
    (void)link;
    (void)counter;
    *out = 0;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetFieldValues, rk_sim_device *device, int count, nvml_field *fields)
{
    unsigned links = rk_sim_config()->link == RK_SIM_LINK_NVSWITCH ? SWITCH_LINKS : PEER_LINKS;
    for (int i = 0; i < count; i++) {
        fields[i].type = 1;
        fields[i].result = NVML_OK;
        if (fields[i].field == NVML_FIELD_MEMORY_TEMPERATURE) {
            fields[i].value.u32 = temperature_of(device) + 5;
        } else if (fields[i].field == NVML_FIELD_LINK_SPEED) {
            fields[i].value.u32 = (unsigned)(rk_sim_config()->link_bandwidth / links / 1000000);
        } else {
            fields[i].result = NVML_NOT_SUPPORTED;
        }
    }
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetP2PStatus, rk_sim_device *device, rk_sim_device *peer, int what,
              int *out_status)
{
    (void)what;
    *out_status = rk_sim_can_reach(device, peer) ? NVML_P2P_OK : 5; /* not supported */
    return check(device);
}

/* nvmlGpuTopologyLevel_t: 30 a host bridge in common, 50 nothing but the system */
RK_SIM_EXPORT(nvmlDeviceGetTopologyCommonAncestor, rk_sim_device *device, rk_sim_device *peer,
              int *out_level)
{
    *out_level = rk_sim_can_reach(device, peer) ? 30 : 50;
    return device == peer ? NVML_INVALID : check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetMaxPcieLinkGeneration, rk_sim_device *device, unsigned *out)
{
    *out = PCIE_GENERATION;
    return check(device);
}

RK_SIM_EXPORT(nvmlDeviceGetMaxPcieLinkWidth, rk_sim_device *device, unsigned *out)
{
    *out = PCIE_LANES;
    return check(device);
}
