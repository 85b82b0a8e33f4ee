/*
 * The topology of made-up machines and of this one, and the telemetry of a runtime's devices.
 */
#include "device/tree.h"
#include "support/skip.h"
#include <ringkernel/ringkernel.h>
#include <stdlib.h>
#include <string.h>

static rk_topology *look(const rk_topology_options *options)
{
    rk_topology *topology = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_topology_create(options, &topology, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return topology;
}

/* A resident kernel on that device. */
static rk_kernel *start(rk_runtime *runtime, const char *device, uint32_t blocks)
{
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_module_open_builtin("copy", &module, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_launch launch = {.name = "copy", .module = module, .device = device, .blocks = blocks};
    if (rk_kernel_create(runtime, &launch, &kernel, &err) != RK_OK ||
        rk_kernel_start(kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(module);
    return kernel;
}

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

static void this_machine_has_a_processor(void **state)
{
    (void)state;
    rk_topology *t = look(NULL);
    assert_true(rk_topology_device_count(t) >= 1);
    const rk_topology_device *d = rk_topology_device_at(t, 0);
    assert_string_equal(d->name, "cpu:0");
    assert_string_equal(d->driver, "cpu");
    assert_int_equal(d->vendor, RK_VENDOR_CPU);
    assert_string_equal(d->bus_id, "");
    assert_int_equal(d->compute_major, 0);
    assert_true(d->units > 0 && d->memory_bytes > 0);
    assert_true((d->telemetry.known & RK_TELEMETRY_KNOWN(memory_free_bytes)) != 0);
    assert_true(rk_topology_node_count(t) >= 1);
    assert_true(rk_topology_node_at(t, 0)->memory_bytes > 0);
    /* Every driver is listed, with devices or with the reason why it has none. */
    assert_true(rk_topology_driver_count(t) >= 2);
    for (uint32_t i = 0; i < rk_topology_driver_count(t); i++) {
        const rk_topology_driver *driver = rk_topology_driver_at(t, i);
        assert_true((driver->status == RK_OK) == (driver->text[0] == '\0'));
        assert_true(strstr(driver->name, "test") == NULL);
    }
    assert_null(rk_topology_device_at(t, rk_topology_device_count(t)));
    assert_null(rk_topology_driver_at(t, 1000));
    assert_null(rk_topology_node_at(t, 1000));
    assert_null(rk_topology_link_between(t, 0, 1000));
    assert_int_equal(rk_topology_node_distance(t, 0, 1000), 0);
    rk_topology_destroy(t);
    rk_topology_destroy(NULL);
}

static void a_server_is_described(void **state)
{
    tree *sysfs = *state;
    tree_server(sysfs);
    rk_topology *t = look(&(rk_topology_options){.drivers = "cpu", .sysfs = sysfs->root});
    assert_int_equal(rk_topology_device_count(t), 6);
    assert_int_equal(rk_topology_device_at(t, 0)->numa_node, RK_NUMA_UNKNOWN); /* it spans both */
    const rk_topology_device *gpu = rk_topology_device_at(t, 5);
    assert_string_equal(gpu->name, "0000:98:00.0");
    assert_string_equal(gpu->driver, "");
    assert_int_equal(gpu->vendor, RK_VENDOR_NVIDIA);
    assert_int_equal(gpu->pci_device, 0x2335);
    assert_int_equal(gpu->numa_node, 1);
    assert_int_equal(gpu->pcie_generation, 1);
    assert_int_equal(gpu->pcie_generation_max, 5);
    assert_int_equal(gpu->pcie_lanes_max, 16);
    assert_int_equal(gpu->bridge_count, 3);
    assert_string_equal(gpu->bridges[0], "pci0000:95");
    assert_string_equal(gpu->bridges[2], "0000:96:01.0");

    const rk_topology_link *link = rk_topology_link_between(t, 2, 3);
    assert_ptr_equal(link, rk_topology_link_between(t, 3, 2));
    assert_int_equal(link->link.kind, RK_LINK_PCIE);
    assert_int_equal(link->link.version, 5);
    assert_int_equal(link->link.lanes, 16);
    assert_string_equal(link->bridge, "0000:15:01.0");
    assert_int_equal(link->bridge_hops, 3);
    link = rk_topology_link_between(t, 2, 5);
    assert_string_equal(link->bridge, "");
    link = rk_topology_link_between(t, 0, 2);
    assert_int_equal(link->link.kind, RK_LINK_PCIE);
    assert_int_equal(link->link.version, 5);
    assert_int_equal(rk_topology_link_between(t, 4, 4)->link.kind, RK_LINK_SAME);

    assert_int_equal(rk_topology_node_count(t), 2);
    assert_string_equal(rk_topology_node_at(t, 1)->cpus, "48-95,144-191");
    assert_int_equal(rk_topology_node_at(t, 1)->cpu_count, 96);
    assert_int_equal(rk_topology_node_distance(t, 0, 1), 21);
    rk_topology_destroy(t);
}

static void one_node_holds_everything(void **state)
{
    tree *sysfs = *state;
    tree_file(sysfs, "devices/system/node/online", "3\n");
    tree_node(sysfs, 3, "0-7", 1000, "10");
    tree_pci(sysfs, "pci0000:00/0000:00:02.0", 0x8086, 0x9a49, 0x030000, -1);
    rk_topology *t = look(&(rk_topology_options){.drivers = "cpu", .sysfs = sysfs->root});
    assert_int_equal(rk_topology_device_at(t, 0)->numa_node, 3);
    assert_int_equal(rk_topology_device_at(t, 1)->numa_node, 3);
    assert_int_equal(rk_topology_device_at(t, 1)->vendor, RK_VENDOR_INTEL);
    assert_int_equal(rk_topology_device_at(t, 1)->bridge_count, 1);
    rk_topology_destroy(t);
}

static void drivers_without_devices_have_a_reason(void **state)
{
    tree *sysfs = *state;
    rk_topology *t = look(&(rk_topology_options){.drivers = "nothing,cpu", .sysfs = sysfs->root});
    assert_int_equal(rk_topology_driver_count(t), 2);
    const rk_topology_driver *driver = rk_topology_driver_at(t, 0);
    assert_int_equal(driver->status, RK_NOT_FOUND);
    assert_int_equal(driver->device_count, 0);
    assert_non_null(strstr(driver->text, "rk-nothing.so"));
    assert_int_equal(rk_topology_driver_at(t, 1)->device_count, 1);
    assert_int_equal(rk_topology_device_count(t), 1);
    rk_topology_destroy(t);
    rk_err err = RK_ERR_INIT;
    static const char *const wrong[] = {"", ",,", "../../x", "CPU!"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rk_topology *none = NULL;
        assert_int_equal(
            rk_topology_create(&(rk_topology_options){.drivers = wrong[i]}, &none, &err),
            RK_INVALID);
        assert_true(err.text[0] != '\0');
        assert_null(none);
    }
}

static void a_runtime_is_described_with_its_kernels(void **state)
{
    tree *sysfs = *state;
    rk_runtime *runtime = NULL;
    rk_runtime_options options = {.logical_devices = 2};
    assert_int_equal(rk_runtime_create(&options, &runtime, NULL), RK_OK);
    rk_kernel *kernel = start(runtime, "cpu:1", 2);

    rk_topology *t = look(&(rk_topology_options){.runtime = runtime, .sysfs = sysfs->root});
    assert_int_equal(rk_topology_device_count(t), 2);
    assert_string_equal(rk_topology_device_at(t, 1)->name, "cpu:1");
    assert_int_equal(rk_topology_device_at(t, 1)->telemetry.resident_blocks, 2);
    assert_int_equal(rk_topology_device_at(t, 0)->telemetry.resident_blocks, 0);
    assert_int_equal(rk_topology_link_between(t, 0, 1)->link.kind, RK_LINK_MEMORY);
    assert_int_equal(rk_topology_driver_count(t), 1);
    assert_int_equal(rk_topology_driver_at(t, 0)->device_count, 2);
    char *json = NULL;
    assert_int_equal(rk_topology_json(t, &json, NULL), RK_OK);
    assert_non_null(strstr(json, "\"a\":\"cpu:0\",\"b\":\"cpu:1\",\"kind\":\"memory\""));
    free(json);
    rk_topology_destroy(t);

    rk_kernel_destroy(kernel);
    rk_runtime_destroy(runtime);
}

static void telemetry_counts_the_kernels_own_time(void **state)
{
    (void)state;
    rk_runtime *runtime = NULL;
    rk_runtime_options options = {.logical_devices = 2};
    assert_int_equal(rk_runtime_create(&options, &runtime, NULL), RK_OK);
    rk_device_telemetry before;
    rk_device_telemetry after;
    assert_int_equal(rk_runtime_device_telemetry(runtime, 2, &before), RK_NOT_FOUND);
    assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &before), RK_OK);
    assert_int_equal(before.kernel_busy_ns, 0);
    assert_true(rk_telemetry_busy_percent(NULL, &before) < 0.0);
    rk_kernel *kernel = start(runtime, "cpu:0", 1);
    assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &before), RK_OK);
    uint64_t id;
    rk_reply reply;
    assert_int_equal(rk_kernel_run(kernel, 20, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    do { /* each look makes the kernel publish its times for the next */
        assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &after), RK_OK);
    } while (after.kernel_busy_ns <= before.kernel_busy_ns);
    double busy = rk_telemetry_busy_percent(&before, &after);
    assert_true(busy > 0.0 && busy <= 100.0);
    rk_device_telemetry other;
    assert_int_equal(rk_runtime_device_telemetry(runtime, 1, &other), RK_OK);
    assert_int_equal(other.kernel_busy_ns, 0);
    /* Looks without end do not use up the commands that a program may have in flight. */
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &after), RK_OK);
    }
    rk_kernel_snapshot snapshot;
    rk_kernel_read_snapshot(kernel, &snapshot);
    assert_true(snapshot.in_flight <= 1);
    /* A kernel that has left counts no more. */
    rk_kernel_destroy(kernel);
    assert_int_equal(rk_runtime_device_telemetry(runtime, 0, &after), RK_OK);
    assert_int_equal(after.kernel_busy_ns, 0);
    rk_runtime_destroy(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_has_a_processor),
        cmocka_unit_test_setup_teardown(a_server_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(one_node_holds_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(drivers_without_devices_have_a_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_runtime_is_described_with_its_kernels, setup, teardown),
        cmocka_unit_test(telemetry_counts_the_kernels_own_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
