/*
 * topology_links.c: how each pair of devices is connected.
 *
 * Two devices of one driver are its business to judge; between drivers the PCI bus decides, and
 * processors share the machine's memory.
 */
#include "base/compiler.h"
#include "runtime/topology.h"
#include <stdlib.h>
#include <string.h>

static bool is_processor(const rk_topology_device *device)
{
    return device->bus_id[0] == '\0';
}

/* The slower of two slots, by what they can do; a device without a slot does not slow it down. */
static rk_pci_link slower(const rk_topology_device *a, const rk_topology_device *b)
{
    const rk_topology_device *slot[2] = {a, b};
    rk_pci_link link = {.generation = UINT32_MAX, .lanes = UINT32_MAX};
    for (int i = 0; i < 2; i++) {
        if (!is_processor(slot[i])) {
            link.generation = RK_MIN(link.generation, slot[i]->pcie_generation_max);
            link.lanes = RK_MIN(link.lanes, slot[i]->pcie_lanes_max);
        }
    }
    return link.generation != UINT32_MAX ? link : (rk_pci_link){0};
}

static void set_pcie(const rk_topology_device *a, const rk_topology_device *b, rk_device_link *link)
{
    rk_pci_link slot = slower(a, b);
    link->kind = RK_LINK_PCIE;
    link->version = slot.generation;
    link->lanes = slot.lanes;
    link->bandwidth = rk_pci_link_bandwidth(slot);
}

static void judge(const rk_topology *t, uint32_t a, uint32_t b, rk_device_link *link)
{
    const rk_topology_device *from = &t->devices[a];
    const rk_topology_device *to = &t->devices[b];
    const rk_topology_source *source = t->sources;
    *link = (rk_device_link){.kind = RK_LINK_NONE};
    if (a == b) {
        *link = (rk_device_link){.kind = RK_LINK_SAME, .peer_access = true};
        return;
    }
    if (source[a].driver != NULL && source[a].driver == source[b].driver) {
        source[a].driver->link(source[a].device, source[b].device, link);
        if (link->kind == RK_LINK_PCIE && link->version == 0) {
            set_pcie(from, to, link); /* the driver knows the way, the bus its speed */
        }
    } else if (is_processor(from) && is_processor(to)) {
        link->kind = RK_LINK_MEMORY;
    } else if (strcmp(from->bus_id, to->bus_id) == 0) {
        link->kind = RK_LINK_SAME; /* one device under two drivers */
    } else {
        set_pcie(from, to, link);
    }
}

rk_status rk_topology_fill_links(rk_topology *t, rk_err *err)
{
    size_t count = (size_t)t->device_count * (t->device_count + 1) / 2;
    t->links = calloc(RK_MAX(count, 1u), sizeof *t->links);
    if (t->links == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for %zu links of devices", count);
    }
    for (uint32_t b = 0; b < t->device_count; b++) {
        for (uint32_t a = 0; a <= b; a++) {
            rk_topology_link *link = &t->links[(size_t)b * (b + 1) / 2 + a];
            judge(t, a, b, &link->link);
            const char *bridge =
                rk_pci_common(&t->sources[a].pci.path, &t->sources[b].pci.path, &link->bridge_hops);
            if (bridge != NULL && a != b) {
                memcpy(link->bridge, bridge, sizeof link->bridge);
            }
        }
    }
    return RK_OK;
}
