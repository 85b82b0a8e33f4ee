/*
 * pci.c: reading the PCI tree.
 */
#include "device/pci.h"
#include "base/compiler.h"
#include "base/file.h"
#include "device/sysfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX 256u

/* Reads hexadecimal digits, at least one and at most `digits`; returns what follows, or NULL. */
static const char *hex(const char *text, unsigned digits, unsigned *out_value)
{
    unsigned value = 0;
    unsigned count = 0;
    for (; count < digits; count++, text++) {
        unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a') + 10
                         : *text >= 'A' && *text <= 'F' ? (unsigned)(*text - 'A') + 10
                                                        : 16u;
        if (digit > 15u) {
            break;
        }
        value = value * 16u + digit;
    }
    *out_value = value;
    return count > 0 ? text : NULL;
}

bool rk_pci_parse_bus_id(const char *text, char out[RK_DEVICE_BUS_BYTES])
{
    unsigned domain = 0;
    unsigned bus;
    unsigned device;
    unsigned function = 0;
    const char *first = strchr(text, ':');
    const char *at = text;
    if (first != NULL && strchr(first + 1, ':') != NULL) {
        at = hex(at, 8, &domain);
        if (at == NULL || *at++ != ':') {
            return false;
        }
    }
    at = hex(at, 2, &bus);
    if (at == NULL || *at++ != ':') {
        return false;
    }
    at = hex(at, 2, &device);
    if (at != NULL && *at == '.') {
        at = hex(at + 1, 1, &function);
    }
    /* Linux numbers domains in 32 bits; real ones fit in 20. */
    if (at == NULL || *at != '\0' || domain > 0xfffffffu || device > 0x1fu || function > 7u) {
        return false;
    }
    (void)snprintf(out, RK_DEVICE_BUS_BYTES, "%04x:%02x:%02x.%x", domain & 0xfffffffu, bus & 0xffu,
                   device & 0x1fu, function & 7u);
    return true;
}

/* Whether these bytes are the name of a host bridge: "pci0000:00". */
static bool is_host_bridge(const char *text, size_t length)
{
    unsigned domain;
    unsigned bus;
    char copy[RK_DEVICE_BUS_BYTES];
    if (length >= sizeof copy || length < 3 || memcmp(text, "pci", 3) != 0) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    const char *at = hex(copy + 3, 8, &domain);
    at = at != NULL && *at == ':' ? hex(at + 1, 2, &bus) : NULL;
    return at != NULL && *at == '\0';
}

bool rk_pci_parse_path(const char *text, rk_pci_path *out)
{
    rk_pci_path path = {.count = 0};
    while (*text != '\0') {
        size_t length = strcspn(text, "/");
        if (length > 0 && is_host_bridge(text, length)) {
            path.count = 0; /* behind a virtual domain (VMD) the last one counts */
            memcpy(path.node[path.count++], text, length);
            path.node[0][length] = '\0';
        } else if (path.count > 0 && length > 0) {
            char node[RK_DEVICE_BUS_BYTES];
            char part[2 * RK_DEVICE_BUS_BYTES];
            bool fits = length < sizeof part && path.count < RK_PCI_DEPTH_MAX;
            if (fits) {
                memcpy(part, text, length);
                part[length] = '\0';
            }
            if (!fits || !rk_pci_parse_bus_id(part, node)) {
                return false;
            }
            memcpy(path.node[path.count++], node, sizeof node);
        }
        text += length;
        text += *text == '/' ? 1 : 0;
    }
    if (path.count < 2) {
        return false;
    }
    *out = path;
    return true;
}

uint32_t rk_pci_parse_speed(const char *text)
{
    static const unsigned tenths[] = {25, 50, 80, 160, 320, 640, 1280};
    uint64_t whole;
    uint64_t tenth = 0;
    const char *end;
    if (text[0] < '0' || text[0] > '9' || !rk_sysfs_parse_number(text, &whole, &end)) {
        return 0;
    }
    if (*end == '.' && end[1] >= '0' && end[1] <= '9') {
        tenth = (uint64_t)(end[1] - '0');
        end += 2;
    }
    if (strncmp(end, " GT/s", 5) != 0 || whole > 1000) {
        return 0;
    }
    for (uint32_t i = 0; i < RK_COUNT_OF(tenths); i++) {
        if (whole * 10 + tenth == tenths[i]) {
            return i + 1;
        }
    }
    return 0;
}

uint64_t rk_pci_link_bandwidth(rk_pci_link link)
{
    /* Bytes per second of one lane. */
    static const uint64_t lane[] = {0,          250000000,  500000000,  984615384,
                                    1969230769, 3938461538, 7562500000, 15125000000};
    if (link.generation >= RK_COUNT_OF(lane) || link.lanes > 32) {
        return 0;
    }
    return lane[link.generation] * link.lanes;
}

rk_vendor rk_pci_vendor(uint32_t vendor_id)
{
    return vendor_id == RK_PCI_VENDOR_NVIDIA  ? RK_VENDOR_NVIDIA
           : vendor_id == RK_PCI_VENDOR_AMD   ? RK_VENDOR_AMD
           : vendor_id == RK_PCI_VENDOR_INTEL ? RK_VENDOR_INTEL
                                              : RK_VENDOR_OTHER;
}

static uint32_t attribute(const char *root, const char *bus_id, const char *name, uint64_t most)
{
    uint64_t value = 0;
    if (!rk_sysfs_number(root, &value, "bus/pci/devices/%s/%s", bus_id, name) || value > most) {
        return 0;
    }
    return (uint32_t)value;
}

static rk_pci_link read_link(const char *root, const char *bus_id, const char *which)
{
    char speed[64];
    char width_name[32];
    (void)snprintf(width_name, sizeof width_name, "%s_link_width", which);
    (void)rk_sysfs_read(root, speed, sizeof speed, "bus/pci/devices/%s/%s_link_speed", bus_id,
                        which); /* "" if there is none */
    rk_pci_link link = {
        .generation = rk_pci_parse_speed(speed),
        .lanes = attribute(root, bus_id, width_name, 32), /* 255 stands for a link that is down */
    };
    return link;
}

static void read_path(const char *root, const char *bus_id, rk_pci_path *out_path)
{
    char path[RK_SYSFS_PATH_BYTES];
    char target[RK_SYSFS_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/bus/pci/devices/%s", root, bus_id);
    if (length < 0 || (size_t)length >= sizeof path) {
        return;
    }
    ssize_t bytes = readlink(path, target, sizeof target - 1);
    if (bytes > 0) {
        target[bytes] = '\0';
        (void)rk_pci_parse_path(target, out_path); /* left empty when it is no such path */
    }
}

rk_status rk_pci_read(const char *root, const char *bus_id, rk_pci_device *out_device, rk_err *err)
{
    char id[RK_DEVICE_BUS_BYTES];
    if (!rk_pci_parse_bus_id(bus_id, id)) {
        return rk_err_set(err, RK_INVALID, "'%.32s' is not a PCI bus id such as 0000:17:00.0",
                          bus_id);
    }
    rk_pci_device device = {.numa_node = RK_PCI_NUMA_UNKNOWN};
    memcpy(device.bus_id, id, sizeof id);
    uint64_t value;
    if (!rk_sysfs_number(root, &value, "bus/pci/devices/%s/vendor", id) || value > 0xffff) {
        return rk_err_set(err, RK_NOT_FOUND, "%s shows no PCI device %s", root, id);
    }
    device.vendor_id = (uint32_t)value;
    device.device_id = attribute(root, id, "device", 0xffff);
    device.class_code = attribute(root, id, "class", 0xffffff);
    /* The file says -1 where the firmware does not tell. */
    if (rk_sysfs_number(root, &value, "bus/pci/devices/%s/numa_node", id) && value < UINT32_MAX) {
        device.numa_node = (uint32_t)value;
    }
    device.link = read_link(root, id, "current");
    device.link_max = read_link(root, id, "max");
    read_path(root, id, &device.path);
    *out_device = device;
    return RK_OK;
}

typedef struct listing {
    char (*ids)[RK_DEVICE_BUS_BYTES];
    uint32_t count;
    uint32_t capacity;
} listing;

static int note(void *arg, const char *name)
{
    listing *found = arg;
    char id[RK_DEVICE_BUS_BYTES];
    if (found->count < found->capacity && rk_pci_parse_bus_id(name, id) && strcmp(id, name) == 0) {
        memcpy(found->ids[found->count++], id, sizeof id);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_accelerator(const char *root, const char *bus_id)
{
    uint32_t class_code = attribute(root, bus_id, "class", 0xffffff);
    uint32_t vendor_id = attribute(root, bus_id, "vendor", 0xffff);
    return class_code >> 16 == 0x03u ||
           (class_code >> 16 == 0x12u && rk_pci_vendor(vendor_id) != RK_VENDOR_OTHER);
}

uint32_t rk_pci_list_accelerators(const char *root, rk_pci_device *out_devices, uint32_t capacity)
{
    enum { SCANNED_MAX = 65536 }; /* devices of one machine */
    char path[RK_SYSFS_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/bus/pci/devices", root);
    if (length < 0 || (size_t)length >= sizeof path) {
        return 0;
    }
    listing found = {.ids = calloc(SCANNED_MAX, RK_DEVICE_BUS_BYTES), .capacity = SCANNED_MAX};
    if (found.ids == NULL) {
        return 0;
    }
    uint32_t count = 0;
    if (rk_dir_list(path, note, &found) == 0) {
        qsort(found.ids, found.count, RK_DEVICE_BUS_BYTES, compare);
        for (uint32_t i = 0; i < found.count && count < LIST_MAX; i++) {
            rk_pci_device device;
            if (is_accelerator(root, found.ids[i]) &&
                rk_pci_read(root, found.ids[i], &device, NULL) == RK_OK) {
                if (count < capacity) {
                    out_devices[count] = device;
                }
                count++;
            }
        }
    }
    free(found.ids);
    return count;
}

const char *rk_pci_common(const rk_pci_path *a, const rk_pci_path *b, uint32_t *out_hops)
{
    uint32_t least = RK_MIN(a->count, b->count);
    uint32_t shared = 0;
    while (shared < least && strcmp(a->node[shared], b->node[shared]) == 0) {
        shared++;
    }
    if (a->count < 2 || b->count < 2) {
        *out_hops = 0;
        return NULL;
    }
    if (shared == a->count && shared == b->count) {
        *out_hops = 0; /* the same device: the node above it */
        return a->node[shared - 2];
    }
    /* Below the common node, each path has its own bridges and then the device. */
    uint32_t own_a = a->count - RK_MIN(shared, a->count - 1) - 1;
    uint32_t own_b = b->count - RK_MIN(shared, b->count - 1) - 1;
    *out_hops = own_a + own_b + (shared > 0 ? 1u : 0u);
    return shared > 0 ? a->node[RK_MIN(shared, a->count - 1) - 1] : NULL;
}
