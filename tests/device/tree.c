/*
 * tree.c: making a tree that looks like /sys.
 */
#include "device/tree.h"
#include "base/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_BYTES 1024

void tree_make(tree *t)
{
    rk_test_folder_make(t->root);
}

void tree_remove(tree *t)
{
    rk_test_folder_remove(t->root);
}

/* root/path, and the folders above it are there. */
static void place(const tree *t, const char *path, char out[PATH_BYTES])
{
    int length = snprintf(out, PATH_BYTES, "%s/%s", t->root, path);
    assert_true(length > 0 && length < PATH_BYTES);
    char *slash = strrchr(out, '/');
    *slash = '\0';
    assert_int_equal(rk_dir_make_all(out, NULL), RK_OK);
    *slash = '/';
}

void tree_file(const tree *t, const char *path, const char *text)
{
    char full[PATH_BYTES];
    place(t, path, full);
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void attribute(const tree *t, const char *where, const char *name, const char *format, ...)
    RK_PRINTF(4, 5);

static void attribute(const tree *t, const char *where, const char *name, const char *format, ...)
{
    char path[PATH_BYTES];
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int length = snprintf(path, sizeof path, "devices/%s/%s", where, name);
    assert_true(length > 0 && length < PATH_BYTES);
    tree_file(t, path, text);
}

void tree_pci(const tree *t, const char *where, unsigned vendor, unsigned device,
              unsigned class_code, int node)
{
    attribute(t, where, "vendor", "0x%04x\n", vendor);
    attribute(t, where, "device", "0x%04x\n", device);
    attribute(t, where, "class", "0x%06x\n", class_code);
    attribute(t, where, "numa_node", "%d\n", node);
    char link[PATH_BYTES];
    char target[PATH_BYTES];
    char full[PATH_BYTES];
    (void)snprintf(link, sizeof link, "bus/pci/devices/%s", strrchr(where, '/') + 1);
    (void)snprintf(target, sizeof target, "../../../devices/%s", where);
    place(t, link, full);
    assert_int_equal(symlink(target, full), 0);
}

void tree_link(const tree *t, const char *where, const char *which, const char *speed,
               const char *width)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_link_speed", which);
    attribute(t, where, name, "%s\n", speed);
    (void)snprintf(name, sizeof name, "%s_link_width", which);
    attribute(t, where, name, "%s\n", width);
}

void tree_node(const tree *t, unsigned id, const char *cpus, unsigned long kilobytes,
               const char *distances)
{
    char where[64];
    (void)snprintf(where, sizeof where, "system/node/node%u", id);
    attribute(t, where, "cpulist", "%s\n", cpus);
    attribute(t, where, "distance", "%s\n", distances);
    attribute(t, where, "meminfo",
              "Node %u MemTotal:       %lu kB\nNode %u MemFree:        %lu kB\n", id, kilobytes, id,
              kilobytes / 2);
}

void tree_server(const tree *t)
{
    static const char *const gpus[] = {
        "pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:00.0",
        "pci0000:15/0000:15:01.0/0000:16:01.0/0000:18:00.0",
        "pci0000:95/0000:95:01.0/0000:96:00.0/0000:97:00.0",
        "pci0000:95/0000:95:01.0/0000:96:01.0/0000:98:00.0",
    };
    tree_file(t, "devices/system/node/online", "0-1\n");
    tree_node(t, 0, "0-47,96-143", 1056000000, "10 21");
    tree_node(t, 1, "48-95,144-191", 1057000000, "21 10");
    for (unsigned i = 0; i < 4; i++) {
        tree_pci(t, gpus[i], 0x10de, 0x2335, 0x030200, i < 2 ? 0 : 1);
        tree_link(t, gpus[i], "current", i == 3 ? "2.5 GT/s PCIe" : "32.0 GT/s PCIe", "16");
        tree_link(t, gpus[i], "max", "32.0 GT/s PCIe", "16");
    }
    tree_pci(t, "pci0000:00/0000:00:1c.0/0000:02:00.0/0000:03:00.0", 0x1a03, 0x2000, 0x030000, 0);
    tree_pci(t, "pci0000:00/0000:00:1f.0", 0x8086, 0xa1c1, 0x060100, 0); /* no accelerator */
}
