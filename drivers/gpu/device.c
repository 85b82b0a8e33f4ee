/*
 * device.c: opening a device: its capabilities, context, streams and staging memory.
 */
#include "device/pci.h"
#include "device/sysfs.h"
#include "drivers/gpu/gpu.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_NON_BLOCKING 1u
/* Far below the seconds that a watchdog allows, and rare enough for a launch (microseconds) to cost
 * little beside them: steps of 10 us to 4 ms, looks of about a microsecond. */
#define LEASE_STEPS 256u
#define LEASE_POLLS 50000u
#define PROPERTIES_BYTES 16384u /* more than any release's structure of properties has */

/* ---- Capabilities -------------------------------------------------------------------------- */

/*
 * The name of AMD's architecture is the only text of the properties that starts with "gfx". Where
 * it lies changed between releases, so it is looked for: behind the device's name, after a NUL.
 */
static void hip_arch(const gpu_driver *driver, int number, char *out, size_t bytes)
{
    char *properties = calloc(1, PROPERTIES_BYTES);
    gpu_result result = 1;
    if (properties != NULL) {
        if (driver->api.device_properties_6 != NULL) {
            result = driver->api.device_properties_6(properties, number);
        } else if (driver->api.device_properties != NULL) {
            result = driver->api.device_properties(properties, number);
        }
    }
    for (size_t at = 256; result == 0 && at + 32 < PROPERTIES_BYTES; at++) {
        if (memcmp(properties + at, "gfx", 3) == 0 && properties[at - 1] == '\0') {
            /* "gfx90a:sramecc+:xnack-": the features are not part of the name */
            size_t length = strcspn(properties + at, ":");
            (void)snprintf(out, bytes, "%.*s", (int)RK_MIN(length, bytes - 1), properties + at);
            break;
        }
    }
    free(properties);
}

static void caps_arch(rk_device *device)
{
    const gpu_driver *driver = device->driver;
    rk_device_caps *caps = &device->caps;
    int major = gpu_attribute_get(driver, device->number, GPU_ATTR_MAJOR, 0);
    int minor = gpu_attribute_get(driver, device->number, GPU_ATTR_MINOR, 0);
    if (driver->vendor->need == GPU_CUDA) {
        caps->code_level = (uint32_t)(major * 10 + minor);
        (void)snprintf(caps->arch, sizeof caps->arch, "sm_%d%d", major, minor);
        return;
    }
    hip_arch(driver, device->number, caps->arch, sizeof caps->arch);
    if (caps->arch[0] == '\0') { /* all but the stepping */
        (void)snprintf(caps->arch, sizeof caps->arch, "gfx%d%02x", major, (unsigned)minor);
    }
    caps->code_level = (uint32_t)strtoul(caps->arch + 3, NULL, 16);
}

static void caps_places(rk_device *device)
{
    const gpu_api *api = device->api;
    rk_device_caps *caps = &device->caps;
    if (api->device_name(caps->text, (int)sizeof caps->text, device->number) != 0) {
        caps->text[0] = '\0';
    }
    if (api->device_bus_id(caps->bus_id, (int)sizeof caps->bus_id, device->number) != 0) {
        caps->bus_id[0] = '\0';
    }
    for (char *at = caps->bus_id; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    rk_pci_device pci;
    caps->numa_node = rk_pci_read(RK_SYSFS, caps->bus_id, &pci, NULL) == RK_OK
                          ? pci.numa_node
                          : RK_PCI_NUMA_UNKNOWN;
    size_t bytes = 0;
    if (api->device_memory(&bytes, device->number) == 0) {
        caps->memory_bytes = bytes;
    }
    char version[64];
    gpu_version_text(device->driver, version, sizeof version);
    (void)snprintf(caps->driver_text, sizeof caps->driver_text, "%s%s", version,
                   device->driver->test ? " (test driver)" : "");
}

static void caps_fill(rk_device *device, uint32_t index)
{
    const gpu_driver *driver = device->driver;
    const gpu_vendor *vendor = driver->vendor;
    const gpu_api *api = device->api;
    rk_device_caps *caps = &device->caps;
    int number = device->number;
    (void)snprintf(caps->name, sizeof caps->name, "%s:%u", driver->name, index);
    caps->vendor = vendor->vendor;
    caps->code_kinds = api->test_code_kinds != NULL ? api->test_code_kinds() : vendor->code_kinds;
    caps_places(device);
    caps_arch(device);
    caps->units = (uint32_t)RK_MAX(1, gpu_attribute_get(driver, number, GPU_ATTR_UNITS, 1));
    device->blocks_per_unit =
        (uint32_t)RK_MAX(1, gpu_attribute_get(driver, number, GPU_ATTR_BLOCKS_PER_UNIT, 16));
    caps->poller = true;
    caps->max_blocks = caps->units * device->blocks_per_unit - 1; /* one is the poller's */
    caps->default_blocks = RK_MIN(caps->units, caps->max_blocks);
    caps->max_lanes =
        (uint32_t)RK_MAX(1, gpu_attribute_get(driver, number, GPU_ATTR_LANES_MAX, 1024));
    bool runs_cpu_code = (caps->code_kinds & RK_CODE_BIT(RK_CODE_CPU)) != 0;
    caps->default_lanes = runs_cpu_code ? 0 : RK_MIN(256u, caps->max_lanes);
    /* Two transfers per clock; the clock is in kHz, the width in bits. */
    uint64_t khz = (uint64_t)RK_MAX(0, gpu_attribute_get(driver, number, GPU_ATTR_MEMORY_KHZ, 0));
    uint64_t bits = (uint64_t)RK_MAX(0, gpu_attribute_get(driver, number, GPU_ATTR_MEMORY_BITS, 0));
    caps->memory_bandwidth = 2 * khz * 1000 * bits / 8;
    int clock_khz = gpu_attribute_get(driver, number, GPU_ATTR_CLOCK_KHZ, 0);
    caps->ticks_per_s = clock_khz > 0 ? (uint64_t)clock_khz * 1000 : vendor->ticks_per_s;
    caps->survives_fault = vendor->survives_fault;
    caps->cooperative = api->launch_cooperative != NULL &&
                        gpu_attribute_get(driver, number, GPU_ATTR_COOPERATIVE, 0) != 0;
    caps->clusters = gpu_attribute_get(driver, number, GPU_ATTR_CLUSTERS, 0) != 0;
    const char *lease = getenv("RK_GPU_LEASE");
    caps->lease_only = gpu_attribute_get(driver, number, GPU_ATTR_TIME_LIMIT, 0) != 0 ||
                       (lease != NULL && strcmp(lease, "1") == 0);
    caps->lease_steps = LEASE_STEPS;
    caps->lease_polls = LEASE_POLLS;
}

/* ---- Context ------------------------------------------------------------------------------- */

/* The reserve that RK_GPU_RESERVE asks for: arenas that are wanted while a kernel is resident. */
static rk_status reserve_make(rk_device *device, rk_err *err)
{
    const char *text = getenv("RK_GPU_RESERVE");
    if (device->reserve_bytes == 0 && (text == NULL || *text == '\0')) {
        return RK_OK;
    }
    if (device->reserve_bytes == 0) {
        char *end;
        uint64_t bytes = strtoull(text, &end, 10);
        if (*end != '\0' || text[0] == '-') {
            return rk_err_set(err, RK_INVALID,
                              "RK_GPU_RESERVE is '%s'; it is a number of bytes of device memory",
                              text);
        }
        device->reserve_bytes = bytes & ~(uint64_t)4095;
    }
    if (device->reserve_bytes == 0) {
        return RK_OK;
    }
    gpu_result result = device->api->memory_alloc(&device->reserve, device->reserve_bytes);
    return result == 0 ? RK_OK : gpu_fail(device, result, err, "setting the reserve aside");
}

rk_status gpu_context_make(rk_device *device, rk_err *err)
{
    const gpu_api *api = device->api;
    gpu_result result;
    if (api->context_retain != NULL) {
        result = api->context_retain(&device->context, device->number);
        if (result == 0) {
            result = api->context_set(device->context);
        }
    } else {
        result = api->device_set(device->number);
    }
    if (result != 0) {
        return gpu_fail(device, result, err, "making a context");
    }
    result = api->stream_create(&device->copy_stream, STREAM_NON_BLOCKING);
    device->slot_count = RK_MIN(device->driver->vendor->streams, GPU_STREAMS_MAX);
    for (uint32_t i = 0; result == 0 && i < device->slot_count; i++) {
        device->slots[i] = (gpu_slot){0};
        result = api->stream_create(&device->slots[i].stream, STREAM_NON_BLOCKING);
    }
    void *staging = NULL;
    if (result == 0) {
        result = api->host_alloc(&staging, GPU_STAGING_BYTES, device->driver->vendor->host_flags);
    }
    if (result != 0) {
        return gpu_fail(device, result, err, "making streams and staging memory");
    }
    device->staging = staging;
    rk_status status = reserve_make(device, err);
    return status == RK_OK ? gpu_shares_plan(device, err) : status;
}

typedef struct open_request {
    rk_err *err;
} open_request;

static rk_status open_work(rk_device *device, void *context)
{
    return gpu_context_make(device, ((open_request *)context)->err);
}

static void context_end(rk_device *device)
{
    const gpu_api *api = device->api;
    gpu_codes_reclaim(device, true);
    gpu_blocks_reclaim(device, true);
    for (uint32_t i = 0; i < device->slot_count; i++) {
        if (device->slots[i].stream != NULL) {
            (void)api->stream_destroy(device->slots[i].stream);
        }
        if (device->slots[i].green != NULL) {
            (void)api->green_destroy(device->slots[i].green);
        }
    }
    if (device->copy_stream != NULL) {
        (void)api->stream_destroy(device->copy_stream);
    }
    if (device->staging != NULL) {
        (void)api->host_free(device->staging);
    }
    if (device->reserve != 0) {
        (void)api->memory_free(device->reserve);
    }
    if (device->context != NULL) {
        (void)api->context_set(NULL);
        (void)api->context_release(device->number);
    }
}

/*
 * With a kernel that never left, everything on the device stays until the process ends: to free it
 * would wait for that kernel. The results of the calls say nothing that could still be acted upon.
 */
static rk_status close_work(rk_device *device, void *context)
{
    (void)context;
    if (device->residents == NULL) {
        context_end(device);
    }
    return RK_OK;
}

/* Without it (no bus id, say) the device works, and tells less. */
static void health_open(rk_device *device)
{
    const gpu_driver *driver = device->driver;
    const rk_health_options options = {
        .vendor = driver->vendor->vendor,
        .bus_id = device->caps.bus_id,
        .library = driver->test ? driver->api.path : NULL,
    };
    if (rk_health_open(&options, &device->health, NULL) != RK_OK) {
        device->health = NULL;
    }
}

rk_status gpu_open(gpu_driver *driver, uint32_t index, rk_device **out_device, rk_err *err)
{
    rk_status status = gpu_driver_open(driver, err);
    if (status != RK_OK) {
        return status;
    }
    if (index >= driver->device_count) {
        return rk_err_set(err, RK_NOT_FOUND, "there is no device %s:%u; the driver lists %u",
                          driver->name, index, driver->device_count);
    }
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open %s:%u", driver->name, index);
    }
    device->driver = driver;
    device->api = &driver->api;
    gpu_result result = driver->api.device_get(&device->number, (int)index);
    if (result != 0) {
        free(device);
        return rk_err_set(err, RK_DEVICE, "cannot open %s:%u: %s (error %d)", driver->name, index,
                          gpu_error_text(driver, result), result);
    }
    caps_fill(device, index);
    health_open(device);
    status = gpu_thread_start(device);
    if (status != RK_OK) {
        gpu_thread_stop(device);
        rk_health_close(device->health);
        free(device);
        return rk_err_set(err, status, "cannot start the driver thread of %s:%u: %s", driver->name,
                          index, rk_status_text(status));
    }
    open_request request = {err};
    status = gpu_call(device, open_work, &request);
    if (status != RK_OK) {
        gpu_close(device);
        return status;
    }
    *out_device = device;
    return RK_OK;
}

void gpu_close(rk_device *device)
{
    if (device != NULL) {
        (void)gpu_call(device, close_work, NULL);
        gpu_thread_stop(device);
        rk_health_close(device->health);
        free(device);
    }
}

/* ---- Health and links ---------------------------------------------------------------------- */

void gpu_telemetry(rk_device *device, rk_device_telemetry *out_telemetry)
{
    *out_telemetry = (rk_device_telemetry){
        .memory_used_bytes = atomic_load_explicit(&device->memory_used, memory_order_relaxed),
        .resident_kernels = atomic_load_explicit(&device->resident_kernels, memory_order_relaxed),
        .resident_blocks = atomic_load_explicit(&device->resident_blocks, memory_order_relaxed),
    };
    if (device->health != NULL) {
        rk_health_read(device->health, out_telemetry);
    }
}

void gpu_link(rk_device *device, rk_device *other, rk_device_link *out_link)
{
    *out_link = (rk_device_link){.kind = RK_LINK_PCIE};
    if (device == other) {
        *out_link = (rk_device_link){.kind = RK_LINK_SAME, .peer_access = true};
        return;
    }
    if (device->health != NULL && other->health != NULL) {
        rk_health_link(device->health, other->health, out_link);
    }
    int can = 0;
    const gpu_api *api = device->api;
    if (api->peer_access != NULL && api->peer_access(&can, device->number, other->number) == 0) {
        out_link->peer_access = can != 0;
    }
}
