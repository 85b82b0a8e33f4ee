/*
 * The PCI tree from made-up and from hostile sysfs trees, and what is told of devices.
 */
#include "device/pci.h"
#include "device/sysfs.h"
#include "device/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static tree t;
    tree_make(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    tree_remove(*state);
    return 0;
}

static void bus_ids_are_normalised(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id;
    } cases[] = {
        {"0000:17:00.0", "0000:17:00.0"},
        {"00000000:17:00.0", "0000:17:00.0"},
        {"17:00.0", "0000:17:00.0"},
        {"0000:C3:1F.7", "0000:c3:1f.7"},
        {"10000:e1:00.0", "10000:e1:00.0"},
        {"0FFFFFFF:00:00.0", "fffffff:00:00.0"},
        {"0000:17:00", "0000:17:00.0"},
        {"", NULL},
        {"0000:17:00.8", NULL},
        {"0000:17:20.0", NULL},
        {"0000:117:00.0", NULL},
        {"ffffffff:00:00.0", NULL},
        {"0000:17:00.0 ", NULL},
        {"0000:17:00.00", NULL},
        {"../../../etc", NULL},
        {"0000:17", NULL},
        {":17:00.0", NULL},
        {"000000000:17:00.0", NULL},
        {"0000:17:00.0/../../secret", NULL},
        {"-1:00.0", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[RK_DEVICE_BUS_BYTES] = "untouched";
        bool good = rk_pci_parse_bus_id(cases[i].text, id);
        if (good != (cases[i].id != NULL) || strcmp(id, good ? cases[i].id : "untouched") != 0) {
            fail_msg("'%s' became '%s'", cases[i].text, id);
        }
    }
}

static void speeds_become_generations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t generation;
    } cases[] = {
        {"2.5 GT/s PCIe", 1},
        {"5.0 GT/s PCIe", 2},
        {"8.0 GT/s PCIe", 3},
        {"8 GT/s", 3},
        {"16.0 GT/s PCIe", 4},
        {"32.0 GT/s PCIe", 5},
        {"64.0 GT/s", 6},
        {"128.0 GT/s PCIe", 7},
        {"Unknown", 0},
        {"Unknown speed", 0},
        {"", 0},
        {"-8.0 GT/s", 0},
        {"9.0 GT/s PCIe", 0},
        {"8.0", 0},
        {"8.0GT/s", 0},
        {"0x8 GT/s", 3},
        {"99999999999999999999 GT/s", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (rk_pci_parse_speed(cases[i].text) != cases[i].generation) {
            fail_msg("'%s' became %u", cases[i].text, rk_pci_parse_speed(cases[i].text));
        }
    }
}

static void bandwidths_follow_the_line_coding(void **state)
{
    (void)state;
    /* 16 lanes at 2.5 GT/s with 8b/10b; at 8, 16 and 32 GT/s with 128b/130b. */
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){1, 16}), 4000000000);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){3, 16}) / 1000000, 15753);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){4, 16}) / 1000000, 31507);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){5, 16}) / 1000000, 63015);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){0, 16}), 0);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){5, 0}), 0);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){99, 16}), 0);
    assert_int_equal(rk_pci_link_bandwidth((rk_pci_link){5, UINT32_MAX}), 0);
}

static void paths_are_parsed(void **state)
{
    (void)state;
    rk_pci_path path = {.count = 99};
    assert_true(rk_pci_parse_path("../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0", &path));
    assert_int_equal(path.count, 3);
    assert_string_equal(path.node[0], "pci0000:00");
    assert_string_equal(path.node[2], "0000:01:00.0");
    /* Behind a volume management device there is a domain of its own. */
    assert_true(rk_pci_parse_path(
        "/sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0", &path));
    assert_string_equal(path.node[0], "pci10000:e0");
    assert_int_equal(path.count, 3);
    rk_pci_path before = path;
    static const char *const wrong[] = {
        "",
        "/",
        "../../../devices/platform/soc",
        "pci0000:00",
        "pci0000:00/nonsense",
        "pci0000:00/0000:00:01.0/virtio0",
        "pci0000:00/0000:00:01.0000000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (rk_pci_parse_path(wrong[i], &path)) {
            fail_msg("'%s' was taken for a path", wrong[i]);
        }
    }
    char deep[4096] = "pci0000:00";
    for (unsigned i = 0; i < RK_PCI_DEPTH_MAX; i++) {
        strcat(deep, "/0000:00:01.0");
    }
    assert_false(rk_pci_parse_path(deep, &path));
    deep[strlen(deep) - strlen("/0000:00:01.0")] = '\0';
    assert_memory_equal(&path, &before, sizeof path);
    assert_true(rk_pci_parse_path(deep, &path));
    assert_int_equal(path.count, RK_PCI_DEPTH_MAX);
}

static void devices_are_read(void **state)
{
    tree *t = *state;
    tree_server(t);
    rk_pci_device device;
    assert_int_equal(rk_pci_read(t->root, "00000000:98:00.0", &device, NULL), RK_OK);
    assert_string_equal(device.bus_id, "0000:98:00.0");
    assert_int_equal(device.vendor_id, RK_PCI_VENDOR_NVIDIA);
    assert_int_equal(device.device_id, 0x2335);
    assert_int_equal(device.class_code, 0x030200);
    assert_int_equal(device.numa_node, 1);
    assert_int_equal(device.link.generation, 1); /* it sleeps */
    assert_int_equal(device.link_max.generation, 5);
    assert_int_equal(device.link_max.lanes, 16);
    assert_int_equal(device.path.count, 4);
    assert_string_equal(device.path.node[1], "0000:95:01.0");
}

static void missing_devices_have_a_sentence(void **state)
{
    tree *t = *state;
    rk_pci_device device;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pci_read(t->root, "0000:17:00.0", &device, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "0000:17:00.0"));
    assert_int_equal(rk_pci_read(t->root, "../../etc/passwd", &device, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "not a PCI bus id"));
}

static void accelerators_are_found(void **state)
{
    tree *t = *state;
    tree_server(t);
    /* A processing accelerator of AMD counts, one of an unknown maker does not. */
    tree_pci(t, "pci0000:c0/0000:c0:01.0/0000:c1:00.0", 0x1002, 0x74a1, 0x120000, -1);
    tree_pci(t, "pci0000:c0/0000:c0:02.0/0000:c2:00.0", 0x1bad, 0x0001, 0x120000, -1);
    rk_pci_device devices[8];
    assert_int_equal(rk_pci_list_accelerators(t->root, devices, 8), 6);
    assert_string_equal(devices[0].bus_id, "0000:03:00.0");
    assert_int_equal(rk_pci_vendor(devices[0].vendor_id), RK_VENDOR_OTHER);
    assert_string_equal(devices[1].bus_id, "0000:17:00.0");
    assert_string_equal(devices[5].bus_id, "0000:c1:00.0");
    assert_int_equal(rk_pci_vendor(devices[5].vendor_id), RK_VENDOR_AMD);
    assert_int_equal(devices[5].numa_node, RK_PCI_NUMA_UNKNOWN);
    assert_int_equal(devices[5].link.generation, 0);
    assert_int_equal(rk_pci_list_accelerators(t->root, devices, 2), 6);
}

static void common_bridges_are_found(void **state)
{
    tree *t = *state;
    tree_server(t);
    rk_pci_device devices[8];
    assert_int_equal(rk_pci_list_accelerators(t->root, devices, 8), 5);
    uint32_t hops;
    /* Two GPUs below one switch: a downstream port each, and the upstream port between them. */
    assert_string_equal(rk_pci_common(&devices[1].path, &devices[2].path, &hops), "0000:15:01.0");
    assert_int_equal(hops, 3);
    assert_null(rk_pci_common(&devices[1].path, &devices[3].path, &hops));
    assert_int_equal(hops, 6); /* three each way */
    assert_string_equal(rk_pci_common(&devices[1].path, &devices[1].path, &hops), "0000:16:00.0");
    assert_int_equal(hops, 0);
    rk_pci_path none = {0};
    assert_null(rk_pci_common(&devices[1].path, &none, &hops));
    assert_null(rk_pci_common(&none, &none, &hops));
}

static void hostile_trees_do_no_harm(void **state)
{
    tree *t = *state;
    static const char *const values[] = {"",
                                         "\n",
                                         "-1\n",
                                         "0x\n",
                                         "0xfffffffffffffffffff\n",
                                         "99999999999999999999999\n",
                                         "%s%n\n",
                                         "Unknown\n"};
    char id[32];
    char path[128];
    rk_pci_device devices[16];
    static const char *const names[] = {
        "device",         "class",         "numa_node", "current_link_speed", "current_link_width",
        "max_link_speed", "max_link_width"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        (void)snprintf(id, sizeof id, "0000:0%zu:00.0", i);
        (void)snprintf(path, sizeof path, "bus/pci/devices/%s/vendor", id);
        tree_file(t, path, "0x10de\n");
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            (void)snprintf(path, sizeof path, "bus/pci/devices/%s/%s", id, names[j]);
            tree_file(t, path, values[i]);
        }
        assert_int_equal(rk_pci_read(t->root, id, &devices[0], NULL), RK_OK);
        assert_int_equal(devices[0].device_id, 0);
        assert_int_equal(devices[0].link.generation, 0);
        assert_int_equal(devices[0].link.lanes, 0);
        assert_int_equal(devices[0].numa_node, RK_PCI_NUMA_UNKNOWN);
        assert_int_equal(devices[0].path.count, 0); /* a folder, not a link */
    }
    tree_file(t, "bus/pci/devices/not a bus id/class", "0x030000\n");
    assert_int_equal(rk_pci_list_accelerators(t->root, devices, 16), 0);
    /* An attribute longer than a page is none. */
    static char long_text[RK_SYSFS_TEXT_BYTES + 8];
    memset(long_text, '1', sizeof long_text - 1);
    tree_file(t, "bus/pci/devices/0000:00:00.0/vendor", long_text);
    assert_int_equal(rk_pci_read(t->root, "0000:00:00.0", &devices[0], NULL), RK_NOT_FOUND);
}

static void busy_shares_count_from_reading_to_reading(void **state)
{
    (void)state;
    rk_device_telemetry before = {.kernel_busy_ns = 100, .kernel_idle_ns = 300};
    rk_device_telemetry now = {.kernel_busy_ns = 400, .kernel_idle_ns = 400};
    rk_device_telemetry none = {0};
    assert_true(rk_telemetry_busy_percent(NULL, &before) == 25.0);
    assert_true(rk_telemetry_busy_percent(&before, &now) == 75.0);
    assert_true(rk_telemetry_busy_percent(NULL, &none) < 0.0);
    assert_true(rk_telemetry_busy_percent(&now, &now) < 0.0);
    assert_true(rk_telemetry_busy_percent(&now, &before) < 0.0); /* a kernel has left */
    assert_string_equal(rk_vendor_name(RK_VENDOR_AMD), "amd");
    assert_string_equal(rk_vendor_name((rk_vendor)77), "other");
    assert_string_equal(rk_link_kind_name(RK_LINK_NVSWITCH), "nvswitch");
    assert_string_equal(rk_link_kind_name((rk_link_kind)77), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bus_ids_are_normalised),
        cmocka_unit_test(speeds_become_generations),
        cmocka_unit_test(bandwidths_follow_the_line_coding),
        cmocka_unit_test(paths_are_parsed),
        cmocka_unit_test_setup_teardown(devices_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_devices_have_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(accelerators_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(common_bridges_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_trees_do_no_harm, setup, teardown),
        cmocka_unit_test(busy_shares_count_from_reading_to_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
