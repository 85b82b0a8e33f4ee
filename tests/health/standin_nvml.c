/*
 * standin_nvml.c: NVML as far as the product asks it.
 */
#include "drivers/gpu/health/nvml_calls.h"
#include "health/standin.h"
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static standin state;
static const char *const bus_ids[STANDIN_DEVICES] = {"0000:17:00.0", "0000:18:00.0",
                                                     "0000:97:00.0"};

EXPORT standin *standin_state(void);
standin *standin_state(void)
{
    return &state;
}

static standin_device *of(nvml_device device)
{
    return device;
}

/* Each function with its prototype first, as the compiler's warnings want it. */
#define FUNCTION(name, ...)                                                                        \
    EXPORT int name(__VA_ARGS__);                                                                  \
    int name(__VA_ARGS__)

FUNCTION(nvmlInit_v2, void)
{
    state.users += state.init_result == 0;
    return state.init_result;
}

FUNCTION(nvmlShutdown, void)
{
    state.users--;
    return 0;
}

FUNCTION(nvmlSystemGetNVMLVersion, char *out, unsigned bytes)
{
    (void)snprintf(out, bytes, "12.570.86");
    return 0;
}

EXPORT const char *nvmlErrorString(int result);
const char *nvmlErrorString(int result)
{
    return result == 4 ? "Insufficient Permissions" : "Some Error";
}

FUNCTION(nvmlDeviceGetHandleByPciBusId_v2, const char *bus_id, nvml_device *out)
{
    for (int i = 0; i < STANDIN_DEVICES; i++) {
        if (strcmp(bus_id, bus_ids[i]) == 0) {
            *out = &state.device[i];
            return 0;
        }
    }
    return NVML_NOT_FOUND;
}

FUNCTION(nvmlDeviceGetArchitecture, nvml_device device, unsigned *out)
{
    *out = of(device)->architecture;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetTemperature, nvml_device device, int sensor, unsigned *out)
{
    *out = (unsigned)of(device)->temperature_c;
    return sensor == 0 ? state.ask_result : 2;
}

FUNCTION(nvmlDeviceGetPowerUsage, nvml_device device, unsigned *out)
{
    *out = (unsigned)of(device)->power_mw;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetEnforcedPowerLimit, nvml_device device, unsigned *out)
{
    (void)device;
    *out = 700000;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetClockInfo, nvml_device device, int clock, unsigned *out)
{
    (void)device;
    *out = clock == 1 ? 1755 : clock == 2 ? 2619 : 1;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetMaxClockInfo, nvml_device device, int clock, unsigned *out)
{
    (void)device;
    *out = clock == 1 ? 1980 : 1;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetCurrentClocksThrottleReasons, nvml_device device, nvml_u64 *out)
{
    *out = of(device)->reasons;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetMemoryInfo, nvml_device device, nvml_memory *out)
{
    standin_device *d = of(device);
    *out = (nvml_memory){.total = d->total, .used = d->used, .free = d->total - d->used};
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetTotalEccErrors, nvml_device device, int error, int counter, nvml_u64 *out)
{
    *out = error == 0 ? of(device)->corrected : of(device)->uncorrected;
    return counter == 0 ? state.ask_result : 2;
}

FUNCTION(nvmlDeviceGetPcieReplayCounter, nvml_device device, unsigned *out)
{
    (void)device;
    *out = 7;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetUtilizationRates, nvml_device device, nvml_utilization *out)
{
    (void)device;
    *out = (nvml_utilization){.gpu = 100, .memory = 3};
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetFieldValues, nvml_device device, int count, nvml_field *values)
{
    for (int i = 0; i < count; i++) {
        values[i].type = 1;
        values[i].result = 0;
        if (values[i].field == NVML_FIELD_MEMORY_TEMPERATURE) {
            values[i].value.u32 = 60;
        } else if (values[i].field == NVML_FIELD_LINK_SPEED && of(device)->link_mbps != 0) {
            values[i].value.u32 = of(device)->link_mbps;
        } else {
            values[i].result = 3;
        }
    }
    return state.ask_result;
}

FUNCTION(nvmlEventSetCreate, nvml_events *out)
{
    *out = &state; /* its device is set when it is registered */
    return 0;
}

static standin_device *watched;

FUNCTION(nvmlDeviceRegisterEvents, nvml_device device, nvml_u64 types, nvml_events events)
{
    (void)events;
    watched = of(device);
    return types == NVML_EVENT_XID ? state.ask_result : 2;
}

FUNCTION(nvmlEventSetWait_v2, nvml_events events, nvml_event *out, unsigned timeout_ms)
{
    (void)events;
    state.waited |= timeout_ms != 0;
    if (watched->xid_count == 0) {
        return 10; /* NVML_ERROR_TIMEOUT */
    }
    *out = (nvml_event){.device = watched, .type = NVML_EVENT_XID, .data = watched->xids[0]};
    if (!state.endless_events) {
        watched->xid_count--;
        memmove(watched->xids, watched->xids + 1, watched->xid_count * sizeof watched->xids[0]);
    }
    return 0;
}

FUNCTION(nvmlEventSetFree, nvml_events events)
{
    return events == &state ? 0 : 2;
}

FUNCTION(nvmlDeviceGetNvLinkState, nvml_device device, unsigned link, unsigned *out)
{
    if (link >= STANDIN_LINKS) {
        return 2;
    }
    *out = of(device)->links[link] != STANDIN_NO_LINK;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetNvLinkVersion, nvml_device device, unsigned link, unsigned *out)
{
    (void)link;
    *out = of(device)->link_version;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetNvLinkRemotePciInfo_v2, nvml_device device, unsigned link, nvml_pci *out)
{
    int other = of(device)->links[link];
    /* As the library does, with a domain of eight digits. */
    (void)snprintf(out->bus_id, sizeof out->bus_id, "0000%s",
                   other >= 0 ? bus_ids[other] : "0000:05:00.0");
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetNvLinkRemoteDeviceType, nvml_device device, unsigned link, int *out)
{
    *out = of(device)->links[link] == STANDIN_SWITCH ? 2 : 0;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetNvLinkErrorCounter, nvml_device device, unsigned link, int counter,
         nvml_u64 *out)
{
    (void)link;
    *out = of(device)->link_errors;
    return counter < 5 ? state.ask_result : 2;
}

FUNCTION(nvmlDeviceGetP2PStatus, nvml_device a, nvml_device b, int what, int *out)
{
    (void)what;
    *out = a != b && state.peer ? 0 : 5;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetTopologyCommonAncestor, nvml_device a, nvml_device b, int *out)
{
    *out = a == b ? 0 : 30;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetMaxPcieLinkGeneration, nvml_device device, unsigned *out)
{
    *out = of(device) == &state.device[2] ? 4 : 5;
    return state.ask_result;
}

FUNCTION(nvmlDeviceGetMaxPcieLinkWidth, nvml_device device, unsigned *out)
{
    (void)device;
    *out = 16;
    return state.ask_result;
}
