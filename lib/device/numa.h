/*
 * numa.h: NUMA nodes: which processors and how much memory are near each other.
 *
 * Source: Linux Documentation/ABI/stable/sysfs-devices-node. `root` stands for /sys (sysfs.h).
 */
#ifndef RK_DEVICE_NUMA_H
#define RK_DEVICE_NUMA_H

#include <ringkernel/status.h>

#define RK_NUMA_NODE_MAX 64u
#define RK_NUMA_CPU_MAX 4096u

typedef struct rk_numa_node {
    uint32_t id;        /* Linux's number; they may have gaps */
    uint32_t cpu_count; /* 0: memory only */
    uint64_t cpus[RK_NUMA_CPU_MAX / 64];
    uint64_t memory_bytes;
    uint64_t memory_free_bytes;
    /* To the nodes of the list, in its order: 10 is itself, 20 twice as far; 0 if not known. */
    uint32_t distance[RK_NUMA_NODE_MAX];
} rk_numa_node;

typedef struct rk_numa {
    uint32_t count;
    rk_numa_node node[RK_NUMA_NODE_MAX];
} rk_numa;

/*
 * The nodes in the order of their numbers. A machine whose kernel shows none has one node, 0,
 * with all of it: read from devices/system/cpu and /proc. Caller frees with rk_numa_free.
 */
rk_status rk_numa_read(const char *root, rk_numa **out_numa, rk_err *err);
void rk_numa_free(rk_numa *numa);

/* ---- Parsers: text of unknown origin; false when it makes no sense, and out is as it was -- */

/* "0-3,8,10-11": sets the bits and returns how many numbers. Empty text is an empty list. */
bool rk_numa_parse_list(const char *text, uint64_t *out_bits, uint32_t bit_count,
                        uint32_t *out_count);
/* "Node 0 MemTotal:  15689940 kB" of node/meminfo: the bytes on the line with this key. */
bool rk_numa_parse_memory(const char *text, const char *key, uint64_t *out_bytes);
/* "10 21 31": at most capacity numbers; how many there are. 0 when one is none. */
uint32_t rk_numa_parse_distances(const char *text, uint32_t *out_distances, uint32_t capacity);

/* Bits as "0-3,8", cut at the end of out. */
void rk_numa_format_list(const uint64_t *bits, uint32_t bit_count, char *out, size_t bytes);

#endif
