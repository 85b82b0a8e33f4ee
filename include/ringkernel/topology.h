/*
 * topology.h: the devices of this machine, how they are connected, and its NUMA nodes.
 *
 *     rk_topology *topology;  rk_topology_create(NULL, &topology, &err);
 *     for (uint32_t i = 0; i < rk_topology_device_count(topology); i++) {
 *         const rk_topology_device *device = rk_topology_device_at(topology, i);  ...
 *     }
 *     rk_topology_destroy(topology);
 *
 * A topology is a picture of one moment and does not change; any number of threads may read it.
 * Pointers into it live until rk_topology_destroy.
 */
#ifndef RINGKERNEL_TOPOLOGY_H
#define RINGKERNEL_TOPOLOGY_H

#include <ringkernel/runtime.h>
#include <ringkernel/telemetry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_NUMA_UNKNOWN UINT32_MAX
#define RK_BRIDGES_MAX 16

typedef struct rk_topology rk_topology;

/* All zero, or NULL instead: every driver that finds a device. Borrowed for the call. */
typedef struct rk_topology_options {
    /* The devices that this runtime has open. NULL: they are opened for the call. */
    rk_runtime *runtime;
    /* Without a runtime: "cuda,cpu", or "all". NULL: "all". */
    const char *drivers;
    /* Another folder in place of /sys: a copy of another machine's, or a made-up one. NULL: /sys */
    const char *sysfs;
} rk_topology_options;

/* A device that a driver has; or a display controller or accelerator on the PCI bus that none
 * has: then `driver` is "" and little more is known than its place. */
typedef struct rk_topology_device {
    char name[RK_NAME_BYTES]; /* its id: "cuda:0"; without a driver its bus id */
    char driver[16];
    char text[96];        /* its name: "NVIDIA H200" */
    char arch[24];        /* "sm_90", "gfx90a", "x86_64"; "" if not known */
    char driver_text[96]; /* the vendor's driver and its version; may be "" */
    rk_vendor vendor;
    uint32_t compute_major; /* NVIDIA's compute capability; 0.0 for others */
    uint32_t compute_minor;
    uint32_t units; /* multiprocessors or cores */
    uint32_t max_blocks;
    uint64_t memory_bytes;
    uint64_t memory_bandwidth;        /* as announced, bytes per second; 0 if not known */
    uint32_t numa_node;               /* RK_NUMA_UNKNOWN */
    char bus_id[RK_DEVICE_BUS_BYTES]; /* "0000:17:00.0"; "" for what is not on the PCI bus */
    uint32_t pci_vendor;              /* PCI ids; 0 if not known */
    uint32_t pci_device;
    uint32_t pcie_generation; /* of its slot now; may be lower while it sleeps; 0 if not known */
    uint32_t pcie_lanes;
    uint32_t pcie_generation_max;
    uint32_t pcie_lanes_max;
    uint32_t bridge_count; /* from the host bridge ("pci0000:15") down to the one above it */
    char bridges[RK_BRIDGES_MAX][RK_DEVICE_BUS_BYTES];
    bool cooperative;    /* launches as a cooperative grid */
    bool clusters;       /* blocks share memory in clusters */
    bool lease_only;     /* kernels return now and then and are launched again */
    bool survives_fault; /* a fault in a kernel does not end the process */
    rk_device_telemetry telemetry;
} rk_topology_device;

/* How two devices are connected. The same in both directions. */
typedef struct rk_topology_link {
    rk_device_link link;
    char bridge[RK_DEVICE_BUS_BYTES]; /* the nearest one above both on the PCI bus; "" if none */
    uint32_t bridge_hops;             /* bridges on that way; 0 if not known */
} rk_topology_link;

typedef struct rk_topology_node {
    uint32_t id;
    uint32_t cpu_count;
    char cpus[256]; /* "0-47,96-143" */
    uint64_t memory_bytes;
    uint64_t memory_free_bytes;
} rk_topology_node;

/* What became of a driver that was asked for. */
typedef struct rk_topology_driver {
    char name[16];
    uint32_t device_count;
    rk_status status;             /* RK_OK, or why it has no device */
    char text[RK_ERR_TEXT_BYTES]; /* the sentence about that; "" if RK_OK */
} rk_topology_driver;

/*
 * Looks at the machine. Blocks: without a runtime, devices are opened and closed again, which
 * takes a moment for a GPU. RK_INVALID for names that are none; a driver without devices is no
 * failure, it is listed with its reason. options may be NULL.
 */
RK_API rk_status rk_topology_create(const rk_topology_options *options, rk_topology **out_topology,
                                    rk_err *err);
RK_API void rk_topology_destroy(rk_topology *topology); /* NULL is allowed */

/* Those of a runtime come first and have its indices. */
RK_API uint32_t rk_topology_device_count(const rk_topology *topology);
/* These return NULL for an index that is not below the count. */
RK_API const rk_topology_device *rk_topology_device_at(const rk_topology *topology, uint32_t index);
RK_API const rk_topology_link *rk_topology_link_between(const rk_topology *topology, uint32_t a,
                                                        uint32_t b);
RK_API uint32_t rk_topology_node_count(const rk_topology *topology);
RK_API const rk_topology_node *rk_topology_node_at(const rk_topology *topology, uint32_t index);
/* Between the nodes with these indices: 10 is itself, 20 twice as far; 0 if not known. */
RK_API uint32_t rk_topology_node_distance(const rk_topology *topology, uint32_t a, uint32_t b);
RK_API uint32_t rk_topology_driver_count(const rk_topology *topology);
RK_API const rk_topology_driver *rk_topology_driver_at(const rk_topology *topology, uint32_t index);

/* All of it as one JSON object (docs/cli.md: rk topology --json). The caller frees *out_text. */
RK_API rk_status rk_topology_json(const rk_topology *topology, char **out_text, rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
