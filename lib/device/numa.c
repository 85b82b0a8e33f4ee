/*
 * numa.c: reading NUMA nodes.
 */
#include "device/numa.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "device/sysfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool bit_get(const uint64_t *bits, uint32_t index)
{
    return (bits[index / 64] >> (index % 64) & 1u) != 0;
}

/* One number below `limit`; moves *text behind it. */
static bool number(const char **text, uint32_t limit, uint32_t *out_value)
{
    uint64_t value;
    if (**text < '0' || **text > '9' || !rk_sysfs_parse_number(*text, &value, text) ||
        value >= limit) {
        return false;
    }
    *out_value = (uint32_t)value;
    return true;
}

bool rk_numa_parse_list(const char *text, uint64_t *out_bits, uint32_t bit_count,
                        uint32_t *out_count)
{
    uint64_t bits[RK_NUMA_CPU_MAX / 64] = {0};
    uint32_t count = 0;
    bit_count = RK_MIN(bit_count, RK_NUMA_CPU_MAX);
    while (*text != '\0') {
        uint32_t first;
        if (!number(&text, bit_count, &first)) {
            return false;
        }
        uint32_t last = first;
        if (*text == '-') {
            text++;
            if (!number(&text, bit_count, &last) || last < first) {
                return false;
            }
        }
        for (uint32_t i = first; i <= last; i++) {
            count += bit_get(bits, i) ? 0 : 1;
            bits[i / 64] |= (uint64_t)1 << (i % 64);
        }
        if (*text == ',' && text[1] != '\0') {
            text++;
        } else if (*text != '\0') {
            return false;
        }
    }
    memcpy(out_bits, bits, (bit_count + 63) / 64 * sizeof bits[0]);
    *out_count = count;
    return true;
}

bool rk_numa_parse_memory(const char *text, const char *key, uint64_t *out_bytes)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *at = line;
        /* Of a node's file: "Node 0 " comes first. */
        if (strncmp(at, "Node ", 5) == 0) {
            at += 5 + strspn(at + 5, "0123456789");
            at += strspn(at, " ");
        }
        if (strncmp(at, key, length) == 0 && at[length] == ':') {
            at += length + 1;
            at += strspn(at, " \t");
            uint64_t value;
            const char *rest;
            if (!rk_sysfs_parse_number(at, &value, &rest) || strncmp(rest, " kB", 3) != 0 ||
                value > UINT64_MAX / 1024) {
                return false;
            }
            *out_bytes = value * 1024;
            return true;
        }
        line = *end != '\0' ? end + 1 : NULL;
    }
    return false;
}

uint32_t rk_numa_parse_distances(const char *text, uint32_t *out_distances, uint32_t capacity)
{
    uint32_t count = 0;
    text += strspn(text, " ");
    while (*text != '\0') {
        uint32_t value;
        if (!number(&text, 100000, &value) || (*text != ' ' && *text != '\0')) {
            return 0;
        }
        if (count < capacity) {
            out_distances[count] = value;
        }
        count++;
        text += strspn(text, " ");
    }
    return RK_MIN(count, capacity);
}

void rk_numa_format_list(const uint64_t *bits, uint32_t bit_count, char *out, size_t bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < bit_count; i++) {
        if (!bit_get(bits, i)) {
            continue;
        }
        uint32_t last = i;
        while (last + 1 < bit_count && bit_get(bits, last + 1)) {
            last++;
        }
        char part[32];
        int length = last > i ? snprintf(part, sizeof part, "%s%u-%u", used ? "," : "", i, last)
                              : snprintf(part, sizeof part, "%s%u", used ? "," : "", i);
        if (used + (size_t)length >= bytes) {
            return;
        }
        memcpy(out + used, part, (size_t)length + 1);
        used += (size_t)length;
        i = last;
    }
}

static void read_node(const char *root, rk_numa_node *node, uint32_t node_count)
{
    char text[RK_SYSFS_TEXT_BYTES];
    if (rk_sysfs_read(root, text, sizeof text, "devices/system/node/node%u/cpulist", node->id)) {
        (void)rk_numa_parse_list(text, node->cpus, RK_NUMA_CPU_MAX, &node->cpu_count);
    }
    if (rk_sysfs_read(root, text, sizeof text, "devices/system/node/node%u/meminfo", node->id)) {
        (void)rk_numa_parse_memory(text, "MemTotal", &node->memory_bytes);
        (void)rk_numa_parse_memory(text, "MemFree", &node->memory_free_bytes);
    }
    if (rk_sysfs_read(root, text, sizeof text, "devices/system/node/node%u/distance", node->id)) {
        (void)rk_numa_parse_distances(text, node->distance, node_count);
    }
}

/* The machine as one node, where the kernel shows none. */
static void one_node(const char *root, rk_numa *numa)
{
    char text[RK_SYSFS_TEXT_BYTES];
    rk_numa_node *node = &numa->node[0];
    numa->count = 1;
    node->distance[0] = 10;
    if (rk_sysfs_read(root, text, sizeof text, "devices/system/cpu/online")) {
        (void)rk_numa_parse_list(text, node->cpus, RK_NUMA_CPU_MAX, &node->cpu_count);
    }
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t available = rk_memory_available_bytes(RK_MEMINFO_PATH);
    if (strcmp(root, RK_SYSFS) == 0 && pages > 0 && page_bytes > 0) {
        node->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
        node->memory_free_bytes = available != UINT64_MAX ? available : 0;
    }
}

rk_status rk_numa_read(const char *root, rk_numa **out_numa, rk_err *err)
{
    rk_numa *numa = calloc(1, sizeof *numa);
    if (numa == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the list of NUMA nodes");
    }
    char text[RK_SYSFS_TEXT_BYTES];
    uint64_t online[RK_NUMA_CPU_MAX / 64] = {0};
    uint32_t count = 0;
    if (rk_sysfs_read(root, text, sizeof text, "devices/system/node/online")) {
        (void)rk_numa_parse_list(text, online, RK_NUMA_CPU_MAX, &count);
    }
    for (uint32_t i = 0; i < RK_NUMA_CPU_MAX && count > 0; i++) {
        if (bit_get(online, i) && numa->count < RK_NUMA_NODE_MAX) {
            numa->node[numa->count++].id = i;
        }
    }
    for (uint32_t i = 0; i < numa->count; i++) {
        read_node(root, &numa->node[i], numa->count);
    }
    if (numa->count == 0) {
        one_node(root, numa);
    }
    *out_numa = numa;
    return RK_OK;
}

void rk_numa_free(rk_numa *numa)
{
    free(numa);
}
