/*
 * nvml.c: health and links of NVIDIA GPUs through NVML.
 */
#include "drivers/gpu/health/nvml.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "device/pci.h"
#include "drivers/gpu/health/library.h"
#include "drivers/gpu/health/nvml_calls.h"
#include "drivers/gpu/health/set.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_READ 64u /* an upper bound, so that a flood of events cannot hold a reader */

struct rk_nvml {
    void *library;
    nvml_calls call;
    nvml_device device;
    char bus_id[RK_DEVICE_BUS_BYTES];
    char version[80];
    rk_mutex lock;
    nvml_events events; /* NULL: Xids cannot be seen */
    uint64_t last_xid;
    uint64_t xid_count;
};

static rk_status status_of(int result)
{
    return result == NVML_NO_PERMISSION       ? RK_PERMISSION
           : result == NVML_NOT_FOUND         ? RK_NOT_FOUND
           : result == NVML_DRIVER_NOT_LOADED ? RK_NOT_FOUND
                                              : RK_DEVICE;
}

static const char *text_of(const rk_nvml *nvml, int result)
{
    const char *text = nvml->call.error_text != NULL ? nvml->call.error_text(result) : NULL;
    return text != NULL ? text : "it does not say why";
}

static void open_events(rk_nvml *nvml)
{
    const nvml_calls *call = &nvml->call;
    nvml_events events;
    if (call->events_create == NULL || call->events_register == NULL || call->events_wait == NULL ||
        call->events_free == NULL || call->events_create(&events) != NVML_OK) {
        return;
    }
    if (call->events_register(nvml->device, NVML_EVENT_XID, events) == NVML_OK) {
        nvml->events = events;
    } else {
        (void)call->events_free(events); /* not supported, or not permitted: Xids stay unknown */
    }
}

static rk_status resolve(rk_nvml *nvml, const char *library, rk_err *err)
{
    static const char *const names[] = {"libnvidia-ml.so.1", NULL};
    static const rk_library_row rows[] = {
#define NVML_ROW(member, arguments, name, required) {name, offsetof(nvml_calls, member), required},
        NVML_CALLS(NVML_ROW)
#undef NVML_ROW
            {"nvmlErrorString", offsetof(nvml_calls, error_text), false},
    };
    rk_status status = rk_library_open(names, library, &nvml->library, err);
    return status != RK_OK ? status
                           : rk_library_resolve(nvml->library, rows, RK_COUNT_OF(rows), &nvml->call,
                                                "libnvidia-ml.so.1", err);
}

rk_status rk_nvml_open(const char *library, const char *bus_id, rk_nvml **out_nvml, rk_err *err)
{
    rk_nvml *nvml = calloc(1, sizeof *nvml);
    if (nvml == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to watch GPU %.32s", bus_id);
    }
    rk_status status = resolve(nvml, library, err);
    if (status != RK_OK) {
        goto fail;
    }
    int result = nvml->call.init();
    if (result != NVML_OK) {
        status = rk_err_set(err, status_of(result), "nvmlInit_v2: %s", text_of(nvml, result));
        goto fail;
    }
    result = nvml->call.by_bus_id(bus_id, &nvml->device);
    if (result != NVML_OK) {
        status = rk_err_set(err, status_of(result), "NVML shows no GPU %.32s: %s", bus_id,
                            text_of(nvml, result));
        (void)nvml->call.shutdown();
        goto fail;
    }
    (void)rk_pci_parse_bus_id(bus_id, nvml->bus_id); /* checked by the caller */
    if (nvml->call.version == NULL ||
        nvml->call.version(nvml->version, sizeof nvml->version) != NVML_OK) {
        nvml->version[0] = '\0';
    }
    rk_mutex_init(&nvml->lock);
    open_events(nvml);
    *out_nvml = nvml;
    return RK_OK;

fail:
    rk_library_close(nvml->library);
    free(nvml);
    return status;
}

void rk_nvml_close(rk_nvml *nvml)
{
    if (nvml == NULL) {
        return;
    }
    if (nvml->events != NULL) {
        (void)nvml->call.events_free(nvml->events);
    }
    (void)nvml->call.shutdown(); /* counted: other users keep it */
    rk_mutex_finish(&nvml->lock);
    rk_library_close(nvml->library);
    free(nvml);
}

const char *rk_nvml_version(const rk_nvml *nvml)
{
    return nvml->version;
}

/* Takes the events that have come; never waits. */
static void drain_events(rk_nvml *nvml, rk_device_telemetry *t)
{
    if (nvml->events == NULL) {
        return;
    }
    rk_mutex_lock(&nvml->lock);
    for (uint32_t i = 0; i < EVENTS_PER_READ; i++) {
        nvml_event event = {0};
        if (nvml->call.events_wait(nvml->events, &event, 0) != NVML_OK) {
            break; /* a timeout: there is none */
        }
        if ((event.type & NVML_EVENT_XID) != 0) {
            nvml->last_xid = event.data;
            nvml->xid_count++;
        }
    }
    t->last_xid = nvml->last_xid;
    t->xid_count = nvml->xid_count;
    t->known |= RK_TELEMETRY_KNOWN(last_xid) | RK_TELEMETRY_KNOWN(xid_count);
    rk_mutex_unlock(&nvml->lock);
}

static uint64_t reasons_of(nvml_u64 nvml)
{
    nvml_u64 power = NVML_REASON_SW_POWER_CAP | NVML_REASON_HW_POWER_BRAKE;
    nvml_u64 thermal = NVML_REASON_SW_THERMAL | NVML_REASON_HW_THERMAL;
    nvml_u64 known = power | thermal | NVML_REASON_IDLE;
    /* A hardware slowdown is the sum of its kinds; alone its kind is not told. */
    if ((nvml & (NVML_REASON_HW_THERMAL | NVML_REASON_HW_POWER_BRAKE)) != 0) {
        known |= NVML_REASON_HW_SLOWDOWN;
    }
    return ((nvml & power) != 0 ? RK_THROTTLE_POWER : 0) |
           ((nvml & thermal) != 0 ? RK_THROTTLE_THERMAL : 0) |
           ((nvml & NVML_REASON_IDLE) != 0 ? RK_THROTTLE_IDLE : 0) |
           ((nvml & ~known) != 0 ? RK_THROTTLE_OTHER : 0);
}

/* A field as a whole number; false where the device has none. */
static bool field_value(const rk_nvml *nvml, unsigned field, uint64_t *out_value)
{
    nvml_field value = {.field = field, .result = -1};
    if (nvml->call.fields == NULL || nvml->call.fields(nvml->device, 1, &value) != NVML_OK ||
        value.result != NVML_OK) {
        return false;
    }
    switch (value.type) {
    case 1: *out_value = value.value.u32; return true;
    case 2: *out_value = value.value.word; return true;
    case 3: *out_value = value.value.u64; return true;
    default: return false;
    }
}

static bool link_is_active(const rk_nvml *nvml, unsigned link)
{
    unsigned active = 0;
    return nvml->call.link_state != NULL &&
           nvml->call.link_state(nvml->device, link, &active) == NVML_OK && active != 0;
}

static bool sum_link_errors(const rk_nvml *nvml, uint64_t *out_sum)
{
    bool known = false;
    uint64_t sum = 0;
    for (unsigned link = 0; link < NVML_LINK_MAX && nvml->call.link_errors != NULL; link++) {
        if (!link_is_active(nvml, link)) {
            continue;
        }
        for (int counter = 0; counter < (int)NVML_LINK_ERROR_COUNT; counter++) {
            nvml_u64 errors = 0;
            if (nvml->call.link_errors(nvml->device, link, counter, &errors) == NVML_OK) {
                known = true;
                sum += errors;
            }
        }
    }
    *out_sum = sum;
    return known;
}

/* Reads a value with one more argument or none, and notes it if the device has it. */
#define READ(t, member, result, variable, ...)                                                     \
    if (call->result != NULL && call->result(__VA_ARGS__, &(variable)) == NVML_OK) {               \
        RK_HEALTH_SET(t, member, variable);                                                        \
    }

void rk_nvml_read(rk_nvml *nvml, rk_device_telemetry *t)
{
    const nvml_calls *call = &nvml->call;
    nvml_device device = nvml->device;
    unsigned value = 0;
    nvml_u64 wide = 0;
    uint64_t number = 0;
    READ(t, temperature_c, temperature, value, device, NVML_TEMPERATURE_GPU);
    READ(t, power_mw, power, value, device);
    READ(t, power_limit_mw, power_limit, value, device);
    READ(t, clock_mhz, clock, value, device, NVML_CLOCK_SM);
    READ(t, clock_max_mhz, clock_max, value, device, NVML_CLOCK_SM);
    READ(t, memory_clock_mhz, clock, value, device, NVML_CLOCK_MEM);
    READ(t, pcie_replays, replays, value, device);
    READ(t, ecc_corrected, ecc, wide, device, NVML_ERROR_CORRECTED, NVML_ECC_VOLATILE);
    READ(t, ecc_uncorrected, ecc, wide, device, NVML_ERROR_UNCORRECTED, NVML_ECC_VOLATILE);
    if (call->throttle != NULL && call->throttle(device, &wide) == NVML_OK) {
        RK_HEALTH_SET(t, throttle_reasons, reasons_of(wide));
    }
    nvml_memory memory;
    if (call->memory != NULL && call->memory(device, &memory) == NVML_OK) {
        RK_HEALTH_SET(t, memory_total_bytes, memory.total);
        RK_HEALTH_SET(t, memory_free_bytes, memory.free);
    }
    nvml_utilization utilization;
    if (call->utilization != NULL && call->utilization(device, &utilization) == NVML_OK) {
        RK_HEALTH_SET(t, vendor_busy_percent, utilization.gpu);
    }
    if (field_value(nvml, NVML_FIELD_MEMORY_TEMPERATURE, &number) && number != 0) {
        RK_HEALTH_SET(t, memory_temperature_c, number);
    }
    if (sum_link_errors(nvml, &number)) {
        RK_HEALTH_SET(t, link_errors, number);
    }
    drain_events(nvml, t);
}

/* The generation behind nvmlNvlinkVersion_t. */
static uint32_t link_generation(const rk_nvml *nvml, unsigned link)
{
    static const uint32_t generation[] = {0, 1, 2, 2, 3, 3, 4, 5, 6};
    unsigned version = 0;
    unsigned architecture = 0;
    if (nvml->call.link_version == NULL ||
        nvml->call.link_version(nvml->device, link, &version) != NVML_OK ||
        version >= RK_COUNT_OF(generation)) {
        return 0;
    }
    /* Some drivers tell 5.0 for Hopper, whose links are of the fourth generation. */
    if (generation[version] == 5 && nvml->call.architecture != NULL &&
        nvml->call.architecture(nvml->device, &architecture) == NVML_OK &&
        architecture == NVML_ARCH_HOPPER) {
        return 4;
    }
    return generation[version];
}

/* Bytes per second and direction of one NVLink: as the device tells, else by its generation. */
static uint64_t link_speed(const rk_nvml *nvml, uint32_t generation)
{
    static const uint64_t by_generation[] = {0,           20000000000, 25000000000,
                                             25000000000, 25000000000, 50000000000};
    uint64_t mbps;
    if (field_value(nvml, NVML_FIELD_LINK_SPEED, &mbps) && mbps > 0 && mbps < 10000000) {
        return mbps * 1000000;
    }
    return generation < RK_COUNT_OF(by_generation) ? by_generation[generation] : 0;
}

typedef struct links {
    uint32_t to_peer;
    uint32_t to_switch;
    uint32_t generation;
} links;

static links count_links(const rk_nvml *nvml, const char *peer_bus_id)
{
    links found = {0};
    for (unsigned link = 0; link < NVML_LINK_MAX; link++) {
        if (!link_is_active(nvml, link)) {
            continue;
        }
        int type = -1;
        nvml_pci remote = {.bus_id = ""};
        char bus_id[RK_DEVICE_BUS_BYTES] = "";
        if (nvml->call.link_remote_type != NULL) {
            (void)nvml->call.link_remote_type(nvml->device, link, &type); /* may stay unknown */
        }
        if (nvml->call.link_remote != NULL &&
            nvml->call.link_remote(nvml->device, link, &remote) == NVML_OK) {
            remote.bus_id[sizeof remote.bus_id - 1] = '\0';
            (void)rk_pci_parse_bus_id(remote.bus_id, bus_id);
        }
        if (strcmp(bus_id, peer_bus_id) == 0) {
            found.to_peer++;
        } else if (type == NVML_REMOTE_SWITCH) {
            found.to_switch++;
        } else {
            continue;
        }
        found.generation = RK_MAX(found.generation, link_generation(nvml, link));
    }
    return found;
}

void rk_nvml_link(const rk_nvml *from, const rk_nvml *to, rk_device_link *out_link)
{
    rk_device_link link = {.kind = RK_LINK_NONE};
    links ours = count_links(from, to->bus_id);
    int status = -1;
    if (ours.to_peer > 0) {
        link.kind = RK_LINK_NVLINK;
        link.lanes = ours.to_peer;
    } else if (ours.to_switch > 0) {
        links theirs = count_links(to, from->bus_id);
        link.kind = theirs.to_switch > 0 ? RK_LINK_NVSWITCH : RK_LINK_NONE;
        link.lanes = RK_MIN(ours.to_switch, theirs.to_switch);
    }
    if (link.kind != RK_LINK_NONE) {
        link.version = ours.generation;
        link.bandwidth = link_speed(from, ours.generation) * link.lanes;
    } else if (from->call.ancestor != NULL &&
               from->call.ancestor(from->device, to->device, &status) == NVML_OK) {
        unsigned generation[2] = {0};
        unsigned width[2] = {0};
        const rk_nvml *ends[2] = {from, to};
        for (int i = 0; i < 2 && from->call.pcie_generation && from->call.pcie_width; i++) {
            (void)from->call.pcie_generation(ends[i]->device, &generation[i]); /* 0: unknown */
            (void)from->call.pcie_width(ends[i]->device, &width[i]);
        }
        link.kind = RK_LINK_PCIE;
        link.version = RK_MIN(generation[0], generation[1]);
        link.lanes = RK_MIN(width[0], width[1]);
        link.bandwidth = rk_pci_link_bandwidth((rk_pci_link){link.version, link.lanes});
    }
    status = -1;
    link.peer_access =
        from->call.p2p != NULL &&
        from->call.p2p(from->device, to->device, NVML_P2P_READ, &status) == NVML_OK &&
        status == NVML_P2P_OK;
    *out_link = link;
}
