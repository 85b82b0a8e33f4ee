/*
 * Attributes of sysfs from any bytes: each line is tried by every parser. What is accepted stays
 * within its bounds and, written again, reads back the same.
 */
#include "fuzz/fuzz.h"

#include "device/numa.h"
#include "device/pci.h"
#include "drivers/gpu/health/hwmon.h"

#include <stdlib.h>
#include <string.h>

#define CPUS 1024u

/* Ends the process on a broken promise, so that the fuzzer keeps the input. */
static void require(bool promise)
{
    if (!promise) {
        abort();
    }
}

static void try_pci(const char *text)
{
    char id[RK_DEVICE_BUS_BYTES];
    char again[RK_DEVICE_BUS_BYTES];
    if (rk_pci_parse_bus_id(text, id)) {
        require(rk_pci_parse_bus_id(id, again) && strcmp(id, again) == 0);
    }
    rk_pci_path path;
    if (rk_pci_parse_path(text, &path)) {
        uint32_t hops;
        require(path.count >= 2 && path.count <= RK_PCI_DEPTH_MAX);
        require(rk_pci_common(&path, &path, &hops) != NULL && hops == 0);
    }
    rk_pci_link link = {.generation = rk_pci_parse_speed(text), .lanes = 16};
    require(link.generation <= 7);
    require((rk_pci_link_bandwidth(link) == 0) == (link.generation == 0));
}

static void try_numa(const char *text)
{
    uint64_t bits[CPUS / 64];
    uint64_t again[CPUS / 64];
    uint32_t count;
    uint32_t count_again;
    if (rk_numa_parse_list(text, bits, CPUS, &count)) {
        char list[8 * CPUS];
        require(count <= CPUS);
        rk_numa_format_list(bits, CPUS, list, sizeof list);
        require(rk_numa_parse_list(list, again, CPUS, &count_again));
        require(count == count_again && memcmp(bits, again, sizeof bits) == 0);
    }
    uint32_t distances[4];
    require(rk_numa_parse_distances(text, distances, 4) <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    uint64_t bytes;
    uint64_t more;
    (void)rk_numa_parse_memory(text, "MemTotal", &bytes);
    (void)rk_hwmon_parse_errors(text, &bytes, &more);
    require(!rk_hwmon_parse_clocks(text, &bytes) || (bytes > 0 && bytes < 1000000));
    for (char *line = text; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        try_pci(line);
        try_numa(line);
        line = end;
    }
    free(text);
    return 0;
}
