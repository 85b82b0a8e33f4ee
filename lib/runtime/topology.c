/*
 * topology.c: devices of the drivers, what else is on the PCI bus, and NUMA nodes.
 */
#include "runtime/topology.h"
#include "device/loader.h"
#include "device/numa.h"
#include "device/sysfs.h"
#include "runtime/runtime_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 512u
#define PCI_DEVICES_MAX 256u
#define DRIVERS_MAX 16u
#define DRIVER_LIST_BYTES 256

static rk_status no_memory(rk_err *err)
{
    return rk_err_set(err, RK_NO_MEMORY, "no memory to describe the devices");
}

/* Room for one more device; its entry and its source are zero. */
static rk_status grow(rk_topology *t, rk_err *err)
{
    if (t->device_count == DEVICES_MAX) {
        return rk_err_set(err, RK_LIMIT, "this machine shows more than %u devices", DEVICES_MAX);
    }
    if (t->device_count < t->device_room) {
        return RK_OK;
    }
    uint32_t room = t->device_room == 0 ? 8 : 2 * t->device_room;
    rk_topology_device *devices = realloc(t->devices, room * sizeof *devices);
    if (devices != NULL) {
        t->devices = devices;
    }
    rk_topology_source *sources = realloc(t->sources, room * sizeof *sources);
    if (sources != NULL) {
        t->sources = sources;
    }
    if (devices == NULL || sources == NULL) {
        return no_memory(err);
    }
    memset(devices + t->device_room, 0, (room - t->device_room) * sizeof *devices);
    memset(sources + t->device_room, 0, (room - t->device_room) * sizeof *sources);
    t->device_room = room;
    return RK_OK;
}

/* What the PCI bus tells of a device. */
static void note_pci(rk_topology_device *device, const rk_pci_device *pci)
{
    memcpy(device->bus_id, pci->bus_id, sizeof device->bus_id);
    device->pci_vendor = pci->vendor_id;
    device->pci_device = pci->device_id;
    device->pcie_generation = pci->link.generation;
    device->pcie_lanes = pci->link.lanes;
    device->pcie_generation_max = pci->link_max.generation;
    device->pcie_lanes_max = pci->link_max.lanes;
    if (device->numa_node == RK_NUMA_UNKNOWN && pci->numa_node != RK_PCI_NUMA_UNKNOWN) {
        device->numa_node = pci->numa_node;
    }
    device->bridge_count = pci->path.count > 0 ? pci->path.count - 1 : 0;
    for (uint32_t i = 0; i < device->bridge_count; i++) {
        memcpy(device->bridges[i], pci->path.node[i], sizeof device->bridges[i]);
    }
}

static void describe(rk_topology_device *out, const rk_driver_ops *driver,
                     const rk_device_caps *caps)
{
    (void)snprintf(out->name, sizeof out->name, "%s", caps->name);
    (void)snprintf(out->driver, sizeof out->driver, "%s", driver->name);
    (void)snprintf(out->text, sizeof out->text, "%s", caps->text);
    (void)snprintf(out->arch, sizeof out->arch, "%s", caps->arch);
    (void)snprintf(out->driver_text, sizeof out->driver_text, "%s", caps->driver_text);
    out->vendor = caps->vendor;
    if (caps->vendor == RK_VENDOR_NVIDIA) {
        out->compute_major = caps->code_level / 10;
        out->compute_minor = caps->code_level % 10;
    }
    out->units = caps->units;
    out->max_blocks = caps->max_blocks;
    out->memory_bytes = caps->memory_bytes;
    out->memory_bandwidth = caps->memory_bandwidth;
    out->numa_node = caps->numa_node;
    out->cooperative = caps->cooperative;
    out->clusters = caps->clusters;
    out->lease_only = caps->lease_only;
    out->survives_fault = caps->survives_fault;
}

/* On failure an owned device has been closed. */
static rk_status add_device(rk_topology *t, const rk_driver_ops *driver, rk_device *handle,
                            bool owned, const char *sysfs, rk_err *err)
{
    rk_status status = grow(t, err);
    if (status != RK_OK) {
        if (owned) {
            driver->close(handle);
        }
        return status;
    }
    rk_topology_device *device = &t->devices[t->device_count];
    rk_topology_source *source = &t->sources[t->device_count++];
    rk_device_caps caps;
    driver->caps(handle, &caps);
    describe(device, driver, &caps);
    *source = (rk_topology_source){.driver = driver, .device = handle, .owned = owned};
    if (rk_pci_parse_bus_id(caps.bus_id, device->bus_id) &&
        rk_pci_read(sysfs, device->bus_id, &source->pci, NULL) == RK_OK) {
        note_pci(device, &source->pci);
    }
    return RK_OK;
}

/* Opens every device of a driver; a driver that has none is noted with its reason. */
static rk_status add_driver(rk_topology *t, const char *name, const char *sysfs, rk_err *err)
{
    if (t->driver_count == DRIVERS_MAX) {
        return rk_err_set(err, RK_INVALID, "the list of drivers names more than %u", DRIVERS_MAX);
    }
    const rk_driver_ops *driver = NULL;
    rk_device_options options = {.logical_devices = 1};
    rk_err why = RK_ERR_INIT;
    uint32_t count = 0;
    rk_status status = rk_driver_find(name, &driver, &why);
    if (status == RK_INVALID) {
        return rk_err_set(err, status, "%s", why.text);
    }
    if (status == RK_OK) {
        status = driver->probe(&options, &count, &why);
    }
    rk_topology_driver *entry = &t->drivers[t->driver_count++];
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        rk_device *handle = NULL;
        status = driver->open(i, &options, &handle, &why);
        if (status == RK_OK) {
            status = add_device(t, driver, handle, true, sysfs, &why);
            entry->device_count += status == RK_OK ? 1 : 0;
        }
    }
    entry->status = status;
    (void)snprintf(entry->text, sizeof entry->text, "%s",
                   status == RK_OK       ? ""
                   : why.text[0] != '\0' ? why.text
                                         : rk_status_text(status));
    return RK_OK;
}

static rk_status add_drivers(rk_topology *t, const char *list, const char *sysfs, rk_err *err)
{
    rk_status status = RK_OK;
    if (list == NULL || strcmp(list, "all") == 0) {
        status = add_driver(t, "cpu", sysfs, err);
        for (uint32_t i = 0; i < rk_driver_name_count && status == RK_OK; i++) {
            status = add_driver(t, rk_driver_names[i], sysfs, err);
        }
        return status;
    }
    char copy[DRIVER_LIST_BYTES];
    if (strlen(list) >= sizeof copy) {
        return rk_err_set(err, RK_INVALID, "the list of drivers is longer than %u bytes",
                          DRIVER_LIST_BYTES - 1u);
    }
    memcpy(copy, list, strlen(list) + 1);
    char *rest = NULL;
    for (char *name = strtok_r(copy, ",", &rest); name != NULL && status == RK_OK;
         name = strtok_r(NULL, ",", &rest)) {
        status = add_driver(t, name, sysfs, err);
    }
    if (status == RK_OK && t->driver_count == 0) {
        return rk_err_set(err, RK_INVALID, "the list of drivers '%.80s' names none", list);
    }
    return status;
}

/* The devices that a runtime has open, and their drivers. */
static rk_status add_runtime(rk_topology *t, const rk_runtime *runtime, const char *sysfs,
                             rk_err *err)
{
    uint32_t count = rk_runtime_device_count(runtime);
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        const rk_home *home = &runtime->homes[i];
        status = add_device(t, home->driver, home->device, false, sysfs, err);
        rk_topology_driver *entry = t->drivers;
        while (entry < t->drivers + t->driver_count &&
               strcmp(entry->name, home->driver->name) != 0) {
            entry++;
        }
        if (entry == t->drivers + t->driver_count && t->driver_count < DRIVERS_MAX) {
            t->driver_count++;
            (void)snprintf(entry->name, sizeof entry->name, "%s", home->driver->name);
        }
        if (entry < t->drivers + t->driver_count) {
            entry->device_count++;
        }
    }
    return status;
}

/* Health of all devices; with a runtime also what its kernels count. */
static void read_telemetry(rk_topology *t, rk_runtime *runtime)
{
    for (uint32_t i = 0; i < t->device_count; i++) {
        rk_topology_source *source = &t->sources[i];
        rk_device_telemetry *telemetry = &t->devices[i].telemetry;
        if (source->driver != NULL && !source->owned) {
            (void)rk_runtime_device_telemetry(runtime, i, telemetry); /* the index is its own */
        } else if (source->driver != NULL) {
            source->driver->telemetry(source->device, telemetry);
        }
    }
}

/* Accelerators on the PCI bus that no driver here has. */
static rk_status add_others(rk_topology *t, const char *sysfs, rk_err *err)
{
    rk_pci_device *found = calloc(PCI_DEVICES_MAX, sizeof *found);
    if (found == NULL) {
        return no_memory(err);
    }
    uint32_t count = rk_pci_list_accelerators(sysfs, found, PCI_DEVICES_MAX);
    rk_status status = RK_OK;
    uint32_t of_drivers = t->device_count;
    for (uint32_t i = 0; i < RK_MIN(count, PCI_DEVICES_MAX) && status == RK_OK; i++) {
        bool has_driver = false;
        for (uint32_t j = 0; j < of_drivers; j++) {
            has_driver = has_driver || strcmp(t->devices[j].bus_id, found[i].bus_id) == 0;
        }
        status = has_driver ? RK_OK : grow(t, err);
        if (has_driver || status != RK_OK) {
            continue;
        }
        rk_topology_device *device = &t->devices[t->device_count];
        t->sources[t->device_count++].pci = found[i];
        device->numa_node = RK_NUMA_UNKNOWN;
        device->vendor = rk_pci_vendor(found[i].vendor_id);
        note_pci(device, &found[i]);
        (void)snprintf(device->name, sizeof device->name, "%s", found[i].bus_id);
        (void)snprintf(device->text, sizeof device->text, "%s%s (%04x:%04x)",
                       device->vendor == RK_VENDOR_NVIDIA  ? "NVIDIA "
                       : device->vendor == RK_VENDOR_AMD   ? "AMD "
                       : device->vendor == RK_VENDOR_INTEL ? "Intel "
                                                           : "",
                       found[i].class_code >> 16 == 0x12u    ? "processing accelerator"
                       : found[i].class_code >> 8 == 0x0302u ? "3D controller"
                                                             : "display controller",
                       found[i].vendor_id, found[i].device_id);
    }
    free(found);
    return status;
}

static rk_status read_nodes(rk_topology *t, const char *sysfs, rk_err *err)
{
    rk_numa *numa = NULL;
    rk_status status = rk_numa_read(sysfs, &numa, err);
    if (status != RK_OK) {
        return status;
    }
    t->nodes = calloc(numa->count, sizeof *t->nodes);
    t->distances = calloc((size_t)numa->count * numa->count, sizeof *t->distances);
    if (t->nodes == NULL || t->distances == NULL) {
        rk_numa_free(numa);
        return no_memory(err);
    }
    t->node_count = numa->count;
    for (uint32_t i = 0; i < numa->count; i++) {
        const rk_numa_node *from = &numa->node[i];
        rk_topology_node *to = &t->nodes[i];
        to->id = from->id;
        to->cpu_count = from->cpu_count;
        to->memory_bytes = from->memory_bytes;
        to->memory_free_bytes = from->memory_free_bytes;
        rk_numa_format_list(from->cpus, RK_NUMA_CPU_MAX, to->cpus, sizeof to->cpus);
        memcpy(&t->distances[i * numa->count], from->distance, numa->count * sizeof(uint32_t));
    }
    /* With one node everything is near it, which firmware of such machines often does not say. */
    for (uint32_t i = 0; i < t->device_count && numa->count == 1; i++) {
        if (t->devices[i].numa_node == RK_NUMA_UNKNOWN) {
            t->devices[i].numa_node = numa->node[0].id;
        }
    }
    rk_numa_free(numa);
    return RK_OK;
}

static void release_sources(rk_topology *t)
{
    for (uint32_t i = 0; i < t->device_count && t->sources != NULL; i++) {
        if (t->sources[i].owned) {
            t->sources[i].driver->close(t->sources[i].device);
        }
    }
    free(t->sources);
    t->sources = NULL;
}

rk_status rk_topology_create(const rk_topology_options *options, rk_topology **out_topology,
                             rk_err *err)
{
    const rk_topology_options none = {.sysfs = NULL};
    options = options != NULL ? options : &none;
    const char *sysfs = options->sysfs != NULL ? options->sysfs : RK_SYSFS;
    rk_topology *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return no_memory(err);
    }
    t->drivers = calloc(DRIVERS_MAX, sizeof *t->drivers);
    rk_status status = t->drivers == NULL ? no_memory(err) : RK_OK;
    if (status == RK_OK) {
        status = options->runtime != NULL ? add_runtime(t, options->runtime, sysfs, err)
                                          : add_drivers(t, options->drivers, sysfs, err);
    }
    if (status == RK_OK) {
        status = add_others(t, sysfs, err);
    }
    if (status == RK_OK) {
        status = read_nodes(t, sysfs, err);
    }
    if (status == RK_OK) {
        read_telemetry(t, options->runtime);
        status = rk_topology_fill_links(t, err);
    }
    release_sources(t);
    if (status != RK_OK) {
        rk_topology_destroy(t);
        return status;
    }
    *out_topology = t;
    return RK_OK;
}

void rk_topology_destroy(rk_topology *topology)
{
    if (topology != NULL) {
        free(topology->devices);
        free(topology->links);
        free(topology->nodes);
        free(topology->distances);
        free(topology->drivers);
        free(topology);
    }
}

uint32_t rk_topology_device_count(const rk_topology *topology)
{
    return topology->device_count;
}

const rk_topology_device *rk_topology_device_at(const rk_topology *topology, uint32_t index)
{
    return index < topology->device_count ? &topology->devices[index] : NULL;
}

const rk_topology_link *rk_topology_link_between(const rk_topology *topology, uint32_t a,
                                                 uint32_t b)
{
    size_t low = RK_MIN(a, b);
    size_t high = RK_MAX(a, b);
    return high < topology->device_count ? &topology->links[high * (high + 1) / 2 + low] : NULL;
}

uint32_t rk_topology_node_count(const rk_topology *topology)
{
    return topology->node_count;
}

const rk_topology_node *rk_topology_node_at(const rk_topology *topology, uint32_t index)
{
    return index < topology->node_count ? &topology->nodes[index] : NULL;
}

uint32_t rk_topology_node_distance(const rk_topology *topology, uint32_t a, uint32_t b)
{
    return a < topology->node_count && b < topology->node_count
               ? topology->distances[a * topology->node_count + b]
               : 0;
}

uint32_t rk_topology_driver_count(const rk_topology *topology)
{
    return topology->driver_count;
}

const rk_topology_driver *rk_topology_driver_at(const rk_topology *topology, uint32_t index)
{
    return index < topology->driver_count ? &topology->drivers[index] : NULL;
}
