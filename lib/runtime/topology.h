/*
 * topology.h: the object behind ringkernel/topology.h. Private to topology.c, topology_links.c and
 * topology_json.c.
 */
#ifndef RK_RUNTIME_TOPOLOGY_H
#define RK_RUNTIME_TOPOLOGY_H

#include "device/device.h"
#include "device/pci.h"
#include <ringkernel/topology.h>

/* While the topology is made: what stands behind its devices. */
typedef struct rk_topology_source {
    const rk_driver_ops *driver; /* NULL: no driver has it */
    rk_device *device;
    bool owned;        /* opened here */
    rk_pci_device pci; /* bus_id is "" where the PCI bus does not show it */
} rk_topology_source;

struct rk_topology {
    rk_topology_device *devices;
    uint32_t device_count;
    uint32_t device_room;
    rk_topology_link *links; /* of a <= b: at b * (b + 1) / 2 + a */
    rk_topology_node *nodes;
    uint32_t node_count;
    uint32_t *distances; /* node_count squared */
    rk_topology_driver *drivers;
    uint32_t driver_count;
    rk_topology_source *sources; /* as long as devices; NULL when the topology is made */
};

/* topology_links.c: fills links from the sources. */
rk_status rk_topology_fill_links(rk_topology *topology, rk_err *err);

#endif
