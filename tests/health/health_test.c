/*
 * Health and links of GPUs, asked of stand-ins for the vendors' libraries and of made-up trees.
 */
#include "device/tree.h"
#include "drivers/gpu/health/health.h"
#include "drivers/gpu/health/hwmon.h"
#include "health/standin.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KNOWN(t, member) (((t).known & RK_TELEMETRY_KNOWN(member)) != 0)

static tree sysfs;

static const char *library(const char *name)
{
    static char path[1024];
    const char *build = getenv("RK_BUILD_DIR");
    (void)snprintf(path, sizeof path, "%s/tests/standin/%s", build ? build : "build", name);
    return path;
}

/* The state of a stand-in, as it is at the beginning of a test. */
static standin *reset(const char *name)
{
    void *handle = dlopen(library(name), RTLD_NOW | RTLD_NODELETE);
    if (handle == NULL) {
        fail_msg("%s", dlerror());
    }
    standin_fn get = NULL;
    void *symbol = dlsym(handle, "standin_state");
    memcpy(&get, &symbol, sizeof get);
    standin *state = get();
    *state = (standin){.peer = true, .link_type = 1};
    for (int i = 0; i < STANDIN_DEVICES; i++) {
        standin_device *d = &state->device[i];
        *d = (standin_device){.temperature_c = 40 + i,
                              .power_mw = 300000,
                              .total = 1000,
                              .used = 400,
                              .link_version = 6,
                              .architecture = 9};
        for (int link = 0; link < STANDIN_LINKS; link++) {
            d->links[link] = STANDIN_NO_LINK;
        }
    }
    (void)dlclose(handle);
    return state;
}

static int setup(void **state)
{
    (void)state;
    tree_make(&sysfs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tree_remove(&sysfs);
    return 0;
}

static rk_health *open_health(rk_vendor vendor, const char *name, const char *bus_id)
{
    rk_health_options options = {
        .vendor = vendor, .bus_id = bus_id, .library = library(name), .sysfs = sysfs.root};
    rk_health *health = NULL;
    assert_int_equal(rk_health_open(&options, &health, NULL), RK_OK);
    return health;
}

static rk_device_telemetry look(rk_health *health)
{
    rk_device_telemetry t = {.resident_kernels = 3};
    rk_health_read(health, &t);
    assert_int_equal(t.resident_kernels, 3); /* the driver's own members stay */
    return t;
}

#define NVML "libstandin_nvml.so"
#define AMDSMI "libstandin_amdsmi.so"
#define RSMI "libstandin_rsmi.so"

static void nvml_tells_health(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    nvidia->device[0].corrected = 12;
    nvidia->device[0].uncorrected = 1;
    nvidia->device[0].reasons = 0x8 | 0x40; /* hardware slowdown, which is thermal */
    rk_health *health = open_health(RK_VENDOR_NVIDIA, NVML, "00000000:17:00.0");
    assert_string_equal(rk_health_source(health), "NVML 12.570.86");
    rk_device_telemetry t = look(health);
    assert_int_equal(t.temperature_c, 40);
    assert_int_equal(t.memory_temperature_c, 60);
    assert_int_equal(t.power_mw, 300000);
    assert_int_equal(t.power_limit_mw, 700000);
    assert_int_equal(t.clock_mhz, 1755);
    assert_int_equal(t.clock_max_mhz, 1980);
    assert_int_equal(t.memory_clock_mhz, 2619);
    assert_int_equal(t.throttle_reasons, RK_THROTTLE_THERMAL);
    assert_int_equal(t.memory_total_bytes, 1000);
    assert_int_equal(t.memory_free_bytes, 600);
    assert_int_equal(t.ecc_corrected, 12);
    assert_int_equal(t.ecc_uncorrected, 1);
    assert_int_equal(t.pcie_replays, 7);
    assert_int_equal(t.vendor_busy_percent, 100);
    assert_true(KNOWN(t, last_xid) && KNOWN(t, xid_count));
    assert_int_equal(t.xid_count, 0);
    assert_false(KNOWN(t, link_errors)); /* it has no links */
    nvidia->device[0].temperature_c = 93;
    nvidia->device[0].reasons = 0x4 | 0x80 | 0x8 | 0x1 | 0x10;
    t = look(health);
    assert_int_equal(t.temperature_c, 93);
    assert_int_equal(t.throttle_reasons, RK_THROTTLE_POWER | RK_THROTTLE_IDLE | RK_THROTTLE_OTHER);
    nvidia->device[0].reasons = 0x8; /* of a kind that is not told */
    assert_int_equal(look(health).throttle_reasons, RK_THROTTLE_OTHER);
    rk_health_close(health);
    assert_int_equal(nvidia->users, 0);
}

static void xids_are_drained_without_waiting(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    standin_device *d = &nvidia->device[0];
    rk_health *health = open_health(RK_VENDOR_NVIDIA, NVML, "0000:17:00.0");
    d->xids[0] = 31;
    d->xids[1] = 79;
    d->xid_count = 2;
    rk_device_telemetry t = look(health);
    assert_int_equal(t.last_xid, 79);
    assert_int_equal(t.xid_count, 2);
    t = look(health);
    assert_int_equal(t.last_xid, 79); /* it stays known */
    assert_int_equal(t.xid_count, 2);
    nvidia->endless_events = true;
    d->xids[0] = 13;
    d->xid_count = 1;
    t = look(health); /* returns although there is always one more */
    assert_int_equal(t.last_xid, 13);
    assert_true(t.xid_count > 2);
    assert_false(nvidia->waited);
    rk_health_close(health);
}

static void what_a_gpu_does_not_tell_stays_unknown(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    nvidia->ask_result = 3; /* NVML_ERROR_NOT_SUPPORTED */
    rk_health *health = open_health(RK_VENDOR_NVIDIA, NVML, "0000:17:00.0");
    rk_health *other = open_health(RK_VENDOR_NVIDIA, NVML, "0000:18:00.0");
    rk_device_telemetry t = look(health);
    assert_int_equal(t.known, 0);
    assert_int_equal(t.temperature_c, 0);
    rk_device_link link;
    rk_health_link(health, other, &link);
    assert_int_equal(link.kind, RK_LINK_NONE);
    assert_false(link.peer_access);
    rk_health_close(other);
    rk_health_close(health);
    assert_int_equal(nvidia->users, 0);
}

static void nvlinks_between_two_gpus_are_counted(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    for (int link = 0; link < 6; link++) {
        nvidia->device[0].links[link] = link < 4 ? 1 : 2;
        nvidia->device[0].link_errors = 2;
    }
    nvidia->device[0].link_version = 4; /* 3.0 */
    rk_health *a = open_health(RK_VENDOR_NVIDIA, NVML, "0000:17:00.0");
    rk_health *b = open_health(RK_VENDOR_NVIDIA, NVML, "0000:18:00.0");
    rk_device_link link;
    rk_health_link(a, b, &link);
    assert_int_equal(link.kind, RK_LINK_NVLINK);
    assert_int_equal(link.version, 3);
    assert_int_equal(link.lanes, 4);
    assert_int_equal(link.bandwidth, 100000000000); /* 25 GB/s each, by the generation */
    assert_true(link.peer_access);
    nvidia->device[0].link_mbps = 26562;
    rk_health_link(a, b, &link);
    assert_int_equal(link.bandwidth, 4 * 26562000000);
    assert_int_equal(look(a).link_errors, 6 * 3 * 2);
    rk_health_link(a, a, &link);
    assert_int_equal(link.kind, RK_LINK_SAME);
    rk_health_close(b);
    rk_health_close(a);
}

static void gpus_on_a_switch_are_connected(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    for (int link = 0; link < STANDIN_LINKS; link++) {
        nvidia->device[0].links[link] = STANDIN_SWITCH;
        nvidia->device[1].links[link] = link < 16 ? STANDIN_SWITCH : STANDIN_NO_LINK;
    }
    nvidia->device[0].link_version = 7; /* what some drivers tell of Hopper */
    rk_health *a = open_health(RK_VENDOR_NVIDIA, NVML, "0000:17:00.0");
    rk_health *b = open_health(RK_VENDOR_NVIDIA, NVML, "0000:18:00.0");
    rk_health *c = open_health(RK_VENDOR_NVIDIA, NVML, "0000:97:00.0");
    rk_device_link link;
    rk_health_link(a, b, &link);
    assert_int_equal(link.kind, RK_LINK_NVSWITCH);
    assert_int_equal(link.version, 4);
    assert_int_equal(link.lanes, 16);
    assert_int_equal(link.bandwidth, 400000000000);
    nvidia->device[0].architecture = 10; /* Blackwell: it is true there */
    rk_health_link(a, b, &link);
    assert_int_equal(link.version, 5);
    assert_int_equal(link.bandwidth, 800000000000);
    /* The third is not on the switch: PCIe, at the speed of the slower. */
    nvidia->peer = false;
    rk_health_link(a, c, &link);
    assert_int_equal(link.kind, RK_LINK_PCIE);
    assert_int_equal(link.version, 4);
    assert_int_equal(link.lanes, 16);
    assert_int_equal(link.bandwidth / 1000000, 31507);
    assert_false(link.peer_access);
    rk_health_close(c);
    rk_health_close(b);
    rk_health_close(a);
}

static void without_a_library_sysfs_tells_links(void **state)
{
    (void)state;
    tree_server(&sysfs);
    rk_health *a = open_health(RK_VENDOR_NVIDIA, "no_such_library.so", "0000:17:00.0");
    rk_health *b = open_health(RK_VENDOR_NVIDIA, "no_such_library.so", "0000:98:00.0");
    assert_non_null(strstr(rk_health_source(a), "sysfs alone"));
    assert_non_null(strstr(rk_health_source(a), "no_such_library.so"));
    assert_int_equal(look(a).known, 0);
    rk_device_link link;
    rk_health_link(a, b, &link);
    assert_int_equal(link.kind, RK_LINK_PCIE);
    assert_int_equal(link.version, 5); /* one sleeps at generation 1, but can do 5 */
    assert_int_equal(link.lanes, 16);
    rk_health_close(b);
    rk_health_close(a);
}

static void libraries_that_fail_are_told(void **state)
{
    (void)state;
    standin *nvidia = reset(NVML);
    nvidia->init_result = 4;
    rk_health *health = open_health(RK_VENDOR_NVIDIA, NVML, "0000:17:00.0");
    assert_non_null(strstr(rk_health_source(health), "Insufficient Permissions"));
    rk_health_close(health);
    nvidia->init_result = 0;
    health = open_health(RK_VENDOR_NVIDIA, NVML, "0000:ff:00.0");
    assert_non_null(strstr(rk_health_source(health), "no GPU 0000:ff:00.0"));
    rk_health_close(health);
    assert_int_equal(nvidia->users, 0);
    /* A library that lacks what it must have. */
    health = open_health(RK_VENDOR_NVIDIA, AMDSMI, "0000:17:00.0");
    assert_non_null(strstr(rk_health_source(health), "lacks nvmlInit_v2"));
    rk_health_close(health);
    health = open_health(RK_VENDOR_AMD, NVML, "0000:17:00.0");
    assert_non_null(strstr(rk_health_source(health), "lacks amdsmi_init"));
    assert_non_null(strstr(rk_health_source(health), "lacks rsmi_init"));
    rk_health_close(health);
    rk_health *none = NULL;
    rk_err err = RK_ERR_INIT;
    rk_health_options options = {.vendor = RK_VENDOR_AMD, .bus_id = "nonsense"};
    assert_int_equal(rk_health_open(&options, &none, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "nonsense"));
    assert_null(none);
}

static void check_amd(const char *name, const char *source, uint64_t corrected)
{
    standin *amd = reset(name);
    amd->device[1].corrected = 10;
    rk_health *health = open_health(RK_VENDOR_AMD, name, "0000:18:00.0");
    assert_string_equal(rk_health_source(health), source);
    rk_device_telemetry t = look(health);
    assert_int_equal(t.temperature_c, 41); /* of the junction: there is no edge sensor */
    assert_false(KNOWN(t, memory_temperature_c));
    assert_int_equal(t.memory_total_bytes, 1000);
    assert_int_equal(t.memory_free_bytes, 600);
    assert_int_equal(t.ecc_corrected, corrected);
    assert_int_equal(t.ecc_uncorrected, 0);
    assert_int_equal(t.pcie_replays, 5);
    assert_int_equal(t.vendor_busy_percent, 99);
    assert_int_equal(t.xid_count, 0);
    assert_false(KNOWN(t, last_xid)); /* AMD numbers no events */
    amd->device[1].uncorrected = 2;
    assert_int_equal(look(health).xid_count, 1);
    assert_int_equal(look(health).xid_count, 1);
    amd->device[1].uncorrected = 3;
    assert_int_equal(look(health).xid_count, 2);

    rk_health *other = open_health(RK_VENDOR_AMD, name, "0000:97:00.0");
    rk_device_link link;
    amd->link_type = 2;
    rk_health_link(health, other, &link);
    assert_int_equal(link.kind, RK_LINK_XGMI);
    assert_int_equal(link.bandwidth, 64000000000);
    assert_true(link.peer_access);
    amd->link_type = 1;
    rk_health_link(health, other, &link);
    assert_int_equal(link.kind, RK_LINK_PCIE);
    amd->link_type = 99;
    rk_health_link(health, other, &link);
    assert_int_equal(link.kind, RK_LINK_NONE);
    rk_health_close(other);
    rk_health_close(health);
    assert_int_equal(amd->users, 0);
    health = open_health(RK_VENDOR_AMD, name, "0000:77:00.0");
    assert_non_null(strstr(rk_health_source(health), "sysfs alone"));
    rk_health_close(health);
    assert_int_equal(amd->users, 0);
}

static void amd_smi_tells_health(void **state)
{
    (void)state;
    check_amd(AMDSMI, "AMD SMI and sysfs", 10);
}

static void rocm_smi_tells_health(void **state)
{
    (void)state;
    check_amd(RSMI, "ROCm SMI and sysfs", 20); /* of two blocks */
}

static void rocm_smi_tells_power(void **state)
{
    (void)state;
    (void)reset(RSMI);
    rk_health *health = open_health(RK_VENDOR_AMD, RSMI, "0000:17:00.0");
    assert_int_equal(look(health).power_mw, 300000);
    rk_health_close(health);
}

static void amdgpu_tells_sensors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } files[] = {
        {"hwmon/hwmon3/temp1_input", "45000\n"},
        {"hwmon/hwmon3/temp1_label", "edge\n"},
        {"hwmon/hwmon3/temp2_input", "52000\n"},
        {"hwmon/hwmon3/temp2_label", "junction\n"},
        {"hwmon/hwmon3/temp3_input", "61000\n"},
        {"hwmon/hwmon3/temp3_label", "mem\n"},
        {"hwmon/hwmon3/power1_average", "305000000\n"},
        {"hwmon/hwmon3/power1_cap", "560000000\n"},
        {"hwmon/hwmon3/freq1_input", "1700000000\n"},
        {"hwmon/hwmon3/freq2_input", "1600000000\n"},
        {"pp_dpm_sclk", "0: 500Mhz\n1: 800Mhz *\n2: 1700Mhz\n"},
        {"mem_info_vram_total", "68702699520\n"},
        {"mem_info_vram_used", "2699520\n"},
        {"gpu_busy_percent", "100\n"},
        {"pcie_replay_count", "4\n"},
        {"xgmi_error", "0\n"},
        {"ras/umc_err_count", "ue: 1\nce: 12\n"},
    };
    const char *where = "pci0000:c0/0000:c0:01.0/0000:c1:00.0";
    tree_pci(&sysfs, where, 0x1002, 0x740c, 0x120000, 3);
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "devices/%s/%s", where, files[i].name);
        tree_file(&sysfs, path, files[i].text);
    }
    rk_health *health = open_health(RK_VENDOR_AMD, "no_such_library.so", "0000:c1:00.0");
    rk_device_telemetry t = look(health);
    assert_int_equal(t.temperature_c, 45);
    assert_int_equal(t.memory_temperature_c, 61);
    assert_int_equal(t.power_mw, 305000);
    assert_int_equal(t.power_limit_mw, 560000);
    assert_int_equal(t.clock_mhz, 1700);
    assert_int_equal(t.clock_max_mhz, 1700);
    assert_int_equal(t.memory_clock_mhz, 1600);
    assert_int_equal(t.memory_total_bytes, 68702699520);
    assert_int_equal(t.memory_free_bytes, 68700000000);
    assert_int_equal(t.vendor_busy_percent, 100);
    assert_int_equal(t.pcie_replays, 4);
    assert_int_equal(t.link_errors, 0);
    assert_int_equal(t.ecc_uncorrected, 1);
    assert_int_equal(t.ecc_corrected, 12);
    assert_true(KNOWN(t, link_errors));
    assert_false(KNOWN(t, throttle_reasons));
    rk_health_close(health);
}

static void sensors_are_not_trusted(void **state)
{
    (void)state;
    uint64_t mhz = 1;
    uint64_t errors = 2;
    uint64_t more = 3;
    assert_false(rk_hwmon_parse_clocks("", &mhz));
    assert_false(rk_hwmon_parse_clocks("0:\n1:", &mhz));
    assert_false(rk_hwmon_parse_clocks("0: 99999999999999999999Mhz", &mhz));
    assert_false(rk_hwmon_parse_clocks("0: -5Mhz\n: \n::::", &mhz));
    assert_false(rk_hwmon_parse_clocks("500Mhz", &mhz));
    assert_true(rk_hwmon_parse_clocks("S: 19Mhz *\n0: 500MHz", &mhz));
    assert_int_equal(mhz, 500);
    assert_false(rk_hwmon_parse_errors("ue: x\nce: 1", &errors, &more));
    assert_false(rk_hwmon_parse_errors("ue: 1", &errors, &more));
    assert_int_equal(errors, 2);
    assert_int_equal(more, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nvml_tells_health, setup, teardown),
        cmocka_unit_test_setup_teardown(xids_are_drained_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_gpu_does_not_tell_stays_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(nvlinks_between_two_gpus_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(gpus_on_a_switch_are_connected, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_library_sysfs_tells_links, setup, teardown),
        cmocka_unit_test_setup_teardown(libraries_that_fail_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(amd_smi_tells_health, setup, teardown),
        cmocka_unit_test_setup_teardown(rocm_smi_tells_health, setup, teardown),
        cmocka_unit_test_setup_teardown(rocm_smi_tells_power, setup, teardown),
        cmocka_unit_test_setup_teardown(amdgpu_tells_sensors, setup, teardown),
        cmocka_unit_test(sensors_are_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
