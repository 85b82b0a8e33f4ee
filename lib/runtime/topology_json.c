/*
 * topology_json.c: a topology as JSON.
 *
 * Units stand in the names. What is not known is null, or left out in "telemetry".
 */
#include "base/str.h"
#include "runtime/topology.h"
#include <inttypes.h>

#define JSON_MAX ((size_t)16 << 20)

static void text(rk_str *out, const char *name, const char *value)
{
    rk_str_appendf(out, ",\"%s\":", name);
    if (value[0] != '\0') {
        rk_str_append_json(out, value);
    } else {
        rk_str_append(out, "null");
    }
}

static void number(rk_str *out, const char *name, uint64_t value)
{
    if (value != 0) {
        rk_str_appendf(out, ",\"%s\":%" PRIu64, name, value);
    } else {
        rk_str_appendf(out, ",\"%s\":null", name);
    }
}

static void flag(rk_str *out, const char *name, bool value)
{
    rk_str_appendf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void telemetry(rk_str *out, const rk_device_telemetry *t)
{
    rk_str_appendf(out,
                   ",\"telemetry\":{\"memory_used_bytes\":%" PRIu64 ",\"resident_kernels\":%u,"
                   "\"resident_blocks\":%u,\"kernel_busy_ns\":%" PRIu64
                   ",\"kernel_idle_ns\":%" PRIu64,
                   t->memory_used_bytes, t->resident_kernels, t->resident_blocks, t->kernel_busy_ns,
                   t->kernel_idle_ns);
    double busy = rk_telemetry_busy_percent(NULL, t);
    if (busy >= 0.0) {
        rk_str_appendf(out, ",\"kernel_busy_percent\":%u", (unsigned)(busy + 0.5));
    }
#define MEMBER(member, unit, help)                                                                 \
    if ((t->known & RK_TELEMETRY_KNOWN(member)) != 0) {                                            \
        rk_str_appendf(out, ",\"" #member "\":%" PRIu64, t->member);                               \
    }
    RK_TELEMETRY_LIST(MEMBER)
#undef MEMBER
    rk_str_append(out, "}");
}

static void device(rk_str *out, const rk_topology_device *d)
{
    rk_str_append(out, "{\"name\":");
    rk_str_append_json(out, d->name);
    text(out, "driver", d->driver);
    text(out, "text", d->text);
    text(out, "arch", d->arch);
    text(out, "driver_text", d->driver_text);
    text(out, "vendor", rk_vendor_name(d->vendor));
    if (d->compute_major != 0) {
        rk_str_appendf(out, ",\"compute_capability\":{\"major\":%u,\"minor\":%u}", d->compute_major,
                       d->compute_minor);
    } else {
        rk_str_append(out, ",\"compute_capability\":null");
    }
    number(out, "units", d->units);
    number(out, "max_blocks", d->max_blocks);
    number(out, "memory_bytes", d->memory_bytes);
    number(out, "memory_bandwidth_bytes_per_s", d->memory_bandwidth);
    if (d->numa_node != RK_NUMA_UNKNOWN) {
        rk_str_appendf(out, ",\"numa_node\":%u", d->numa_node);
    } else {
        rk_str_append(out, ",\"numa_node\":null");
    }
    text(out, "bus_id", d->bus_id);
    if (d->pci_vendor != 0) {
        rk_str_appendf(out, ",\"pci_id\":\"%04x:%04x\"", d->pci_vendor, d->pci_device);
    } else {
        rk_str_append(out, ",\"pci_id\":null");
    }
    number(out, "pcie_generation", d->pcie_generation);
    number(out, "pcie_lanes", d->pcie_lanes);
    number(out, "pcie_generation_max", d->pcie_generation_max);
    number(out, "pcie_lanes_max", d->pcie_lanes_max);
    rk_str_append(out, ",\"bridges\":[");
    for (uint32_t i = 0; i < d->bridge_count; i++) {
        rk_str_appendf(out, "%s\"%s\"", i != 0 ? "," : "", d->bridges[i]);
    }
    rk_str_append(out, "]");
    if (d->driver[0] != '\0') {
        flag(out, "cooperative", d->cooperative);
        flag(out, "clusters", d->clusters);
        flag(out, "lease_only", d->lease_only);
        flag(out, "survives_fault", d->survives_fault);
        telemetry(out, &d->telemetry);
    }
    rk_str_append(out, "}");
}

static void link_entry(rk_str *out, const rk_topology *t, uint32_t a, uint32_t b)
{
    const rk_topology_link *l = rk_topology_link_between(t, a, b);
    rk_str_append(out, "{\"a\":");
    rk_str_append_json(out, t->devices[a].name);
    rk_str_append(out, ",\"b\":");
    rk_str_append_json(out, t->devices[b].name);
    text(out, "kind", rk_link_kind_name(l->link.kind));
    number(out, "version", l->link.version);
    number(out, "lanes", l->link.lanes);
    number(out, "bandwidth_bytes_per_s", l->link.bandwidth);
    flag(out, "peer_access", l->link.peer_access);
    text(out, "bridge", l->bridge);
    number(out, "bridge_hops", l->bridge_hops);
    rk_str_append(out, "}");
}

static void node(rk_str *out, const rk_topology *t, uint32_t index)
{
    const rk_topology_node *n = &t->nodes[index];
    rk_str_appendf(out, "{\"id\":%u,\"cpu_count\":%u,\"cpus\":\"%s\"", n->id, n->cpu_count,
                   n->cpus);
    number(out, "memory_bytes", n->memory_bytes);
    number(out, "memory_free_bytes", n->memory_free_bytes);
    rk_str_append(out, ",\"distances\":[");
    for (uint32_t i = 0; i < t->node_count; i++) {
        rk_str_appendf(out, "%s%u", i != 0 ? "," : "", rk_topology_node_distance(t, index, i));
    }
    rk_str_append(out, "]}");
}

rk_status rk_topology_json(const rk_topology *t, char **out_text, rk_err *err)
{
    rk_str out;
    rk_str_init(&out, JSON_MAX);
    rk_str_append(&out, "{\"devices\":[");
    for (uint32_t i = 0; i < t->device_count; i++) {
        rk_str_append(&out, i != 0 ? "," : "");
        device(&out, &t->devices[i]);
    }
    rk_str_append(&out, "],\"links\":[");
    for (uint32_t b = 0; b < t->device_count; b++) {
        for (uint32_t a = 0; a <= b; a++) {
            rk_str_append(&out, b != 0 ? "," : "");
            link_entry(&out, t, a, b);
        }
    }
    rk_str_append(&out, "],\"numa_nodes\":[");
    for (uint32_t i = 0; i < t->node_count; i++) {
        rk_str_append(&out, i != 0 ? "," : "");
        node(&out, t, i);
    }
    rk_str_append(&out, "],\"drivers\":[");
    for (uint32_t i = 0; i < t->driver_count; i++) {
        const rk_topology_driver *driver = &t->drivers[i];
        rk_str_append(&out, i != 0 ? ",{\"name\":" : "{\"name\":");
        rk_str_append_json(&out, driver->name);
        rk_str_appendf(&out, ",\"devices\":%u,\"status\":\"%s\"", driver->device_count,
                       rk_status_name(driver->status));
        text(&out, "text", driver->text);
        rk_str_append(&out, "}");
    }
    rk_str_append(&out, "]}");
    rk_status status = out.status;
    char *taken = rk_str_take(&out, NULL);
    rk_str_finish(&out);
    if (taken == NULL) {
        return rk_err_set(err, status != RK_OK ? status : RK_NO_MEMORY,
                          "cannot write the topology as JSON: %s",
                          rk_status_text(status != RK_OK ? status : RK_NO_MEMORY));
    }
    *out_text = taken;
    return RK_OK;
}
