/*
 * pci.h: devices of the PCI tree as Linux shows them, with no vendor's library.
 *
 * `root` stands for /sys (sysfs.h). What a file says is checked; what is missing or makes no sense
 * counts as not known. Sources: Linux Documentation/ABI/testing/sysfs-bus-pci; PCI Code and ID
 * Assignment Specification (classes).
 */
#ifndef RK_DEVICE_PCI_H
#define RK_DEVICE_PCI_H

#include <ringkernel/telemetry.h>

#define RK_PCI_DEPTH_MAX 16u
#define RK_PCI_NUMA_UNKNOWN UINT32_MAX

#define RK_PCI_VENDOR_AMD 0x1002u
#define RK_PCI_VENDOR_NVIDIA 0x10deu
#define RK_PCI_VENDOR_INTEL 0x8086u

/* From the host bridge ("pci0000:00") over bridges to the device itself. count 0: not known. */
typedef struct rk_pci_path {
    uint32_t count;
    char node[RK_PCI_DEPTH_MAX][RK_DEVICE_BUS_BYTES];
} rk_pci_path;

/* Generation 1 to 7 and lanes 1 to 32; 0 if not known. */
typedef struct rk_pci_link {
    uint32_t generation;
    uint32_t lanes;
} rk_pci_link;

typedef struct rk_pci_device {
    char bus_id[RK_DEVICE_BUS_BYTES]; /* "0000:17:00.0" */
    uint32_t vendor_id;
    uint32_t device_id;
    uint32_t class_code; /* 0x030200: 3D controller */
    uint32_t numa_node;  /* RK_PCI_NUMA_UNKNOWN */
    rk_pci_link link;    /* as it runs now; may be slower while the device sleeps */
    rk_pci_link link_max;
    rk_pci_path path;
} rk_pci_device;

/* RK_INVALID for a text that is no bus id, RK_NOT_FOUND when there is no such device. */
rk_status rk_pci_read(const char *root, const char *bus_id, rk_pci_device *out_device, rk_err *err);

/*
 * Devices that may be accelerators: display controllers (class 03) of any vendor, processing
 * accelerators (class 12) of NVIDIA, AMD and Intel. Fills at most capacity, ordered by bus id;
 * returns how many there are. 0 as well where there is no PCI bus.
 */
uint32_t rk_pci_list_accelerators(const char *root, rk_pci_device *out_devices, uint32_t capacity);

/*
 * The nearest node above both devices: a bridge's bus id, or a host bridge ("pci0000:00"). NULL
 * when they hang on different host bridges, or a path is not known. Points into a.
 * out_hops: bridges on the way from a to b, or to the host bridges and back.
 */
const char *rk_pci_common(const rk_pci_path *a, const rk_pci_path *b, uint32_t *out_hops);

/*
 * What a link carries in one direction, bytes per second: transfer rate times lanes, less the line
 * coding (8b/10b up to generation 2, 128b/130b up to 5, 242/256 flits from 6 on). 0 if not known.
 * Source: PCI Express Base Specification, revisions 1.0 to 6.0.
 */
uint64_t rk_pci_link_bandwidth(rk_pci_link link);

rk_vendor rk_pci_vendor(uint32_t vendor_id);

/* ---- Parsers: text of unknown origin; false when it makes no sense, and out is as it was -- */

/* "17:00.0", "0000:17:00.0", "00000000:17:00.0" in any case -> "0000:17:00.0". */
bool rk_pci_parse_bus_id(const char *text, char out[RK_DEVICE_BUS_BYTES]);
/* The target of a link in bus/pci/devices: ".../devices/pci0000:00/0000:00:01.0/0000:01:00.0". */
bool rk_pci_parse_path(const char *text, rk_pci_path *out);
/* "16.0 GT/s PCIe", "8 GT/s" -> 4, 3; 0 for a speed that is none ("Unknown"). */
uint32_t rk_pci_parse_speed(const char *text);

#endif
