/*
 * tree.h: a made-up /sys for tests: folders, files and links below a folder of its own.
 */
#ifndef RK_TESTS_DEVICE_TREE_H
#define RK_TESTS_DEVICE_TREE_H

#include "base/test_folder.h"

typedef struct tree {
    char root[RK_TEST_FOLDER_BYTES];
} tree;

void tree_make(tree *t);
void tree_remove(tree *t);

/* Writes root/path, with the folders above it. */
void tree_file(const tree *t, const char *path, const char *text);

/*
 * A PCI device: `where` below devices/ ("pci0000:00/0000:00:01.0/0000:01:00.0") with its usual
 * attributes, and the link in bus/pci/devices. node: as in the file numa_node, -1 too.
 */
void tree_pci(const tree *t, const char *where, unsigned vendor, unsigned device,
              unsigned class_code, int node);
/* Its link: "16.0 GT/s PCIe", "16"; which: "current" or "max". */
void tree_link(const tree *t, const char *where, const char *which, const char *speed,
               const char *width);
/* A NUMA node. */
void tree_node(const tree *t, unsigned id, const char *cpus, unsigned long kilobytes,
               const char *distances);

/*
 * A server: two NUMA nodes, each with a switch that holds two NVIDIA GPUs (17, 18; 97, 98), and a
 * board management display controller (03) at the first.
 */
void tree_server(const tree *t);

#endif
