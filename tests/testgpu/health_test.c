/*
 * Health and links of the test driver's devices, as drivers/gpu/health reads them.
 */
#include "drivers/gpu/health/health.h"
#include "testgpu/card.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN(t, member) (((t).known & RK_TELEMETRY_KNOWN(member)) != 0)

static rk_health *open_health(const card *c, int index)
{
    char library[512];
    char bus_id[32];
    const char *build = getenv("RK_BUILD_DIR");
    (void)snprintf(library, sizeof library, "%s/lib/ringkernel/drivers/rk-test-gpu.so",
                   build != NULL ? build : "build");
    assert_int_equal(c->bus_id(bus_id, sizeof bus_id, index), 0);
    rk_health_options options = {.vendor = c->hip ? RK_VENDOR_AMD : RK_VENDOR_NVIDIA,
                                 .bus_id = bus_id,
                                 .library = library,
                                 .sysfs = "/nonexistent"};
    rk_health *health = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_health_open(&options, &health, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return health;
}

static rk_device_telemetry look(rk_health *health)
{
    rk_device_telemetry t = {0};
    rk_health_read(health, &t);
    return t;
}

static void check_health(bool hip, const char *options, const char *source)
{
    card c = card_begin(hip, options);
    rk_health *health = open_health(&c, 0);
    assert_non_null(strstr(rk_health_source(health), source));
    rk_device_telemetry t = look(health);
    assert_true(KNOWN(t, temperature_c));
    assert_int_equal(t.temperature_c, 55);
    assert_int_equal(t.memory_total_bytes, 8 << 20);
    assert_int_equal(t.memory_free_bytes, 8 << 20);
    assert_int_equal(t.ecc_uncorrected, 2);
    assert_int_equal(t.vendor_busy_percent, 0);
    card_kernel kernel;
    void *stream = card_stream(&c);
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_PING, 0), 0);
    t = look(health); /* while a kernel is resident */
    assert_int_equal(t.vendor_busy_percent, 100);
    assert_int_equal(t.memory_free_bytes, (8 << 20) - kernel.layout.arena_bytes);
    assert_int_equal(c.test_inject(card_number(&c, 0), "heat=95"), 0);
    assert_int_equal(c.test_inject(card_number(&c, 0), "ecc=3"), 0);
    t = look(health);
    assert_int_equal(t.temperature_c, 95);
    assert_int_equal(t.ecc_uncorrected, 5);
    /* A context that is lost does not keep the device from being asked. */
    assert_int_equal(c.test_inject(card_number(&c, 0), "lost"), 0);
    assert_true(KNOWN(look(health), temperature_c));
    assert_int_equal(c.test_inject(card_number(&c, 0), "gone"), 0);
    assert_false(KNOWN(look(health), temperature_c));
    rk_health_close(health);
    rk_module_unref(kernel.code);
    assert_int_equal(c.violations(), 0);
}

static void test_health(void **state)
{
    (void)state;
    check_health(false, "memory=8MiB,heat=55,ecc=2,drain", "NVML 12.test.4");
    check_health(true, "memory=8MiB,heat=55,ecc=2,drain", "AMD SMI");
    check_health(true, "memory=8MiB,heat=55,ecc=2,drain,missing=amdsmi_init", "ROCm SMI");
}

static void test_xids(void **state)
{
    (void)state;
    card c = card_begin(false, "xid=31");
    rk_health *health = open_health(&c, 0);
    rk_device_telemetry t = look(health);
    assert_int_equal(t.last_xid, 31);
    assert_int_equal(t.xid_count, 1);
    for (int i = 0; i < 20; i++) { /* more than are kept */
        assert_int_equal(c.test_inject(card_number(&c, 0), "xid=13"), 0);
    }
    assert_int_equal(c.test_inject(card_number(&c, 0), "xid=79"), 0);
    t = look(health);
    assert_int_equal(t.last_xid, 79);
    assert_int_equal(t.xid_count, 1 + 16);
    assert_int_equal(look(health).xid_count, 17);
    rk_health_close(health);
}

static void test_heat_slows_the_clocks(void **state)
{
    (void)state;
    card c = card_begin(false, "heat=89");
    rk_health *health = open_health(&c, 0);
    rk_device_telemetry t = look(health);
    assert_int_equal(t.clock_mhz, t.clock_max_mhz);
    assert_int_equal(c.test_inject(card_number(&c, 0), "heat=90"), 0);
    t = look(health);
    assert_int_equal(t.clock_mhz, t.clock_max_mhz / 2);
    assert_int_equal(t.throttle_reasons, RK_THROTTLE_THERMAL);
    rk_health_close(health);
}

static rk_device_link link_between(bool hip, const char *options, int from, int to)
{
    card c = card_begin(hip, options);
    rk_health *a = open_health(&c, from);
    rk_health *b = open_health(&c, to);
    rk_device_link link;
    rk_health_link(a, b, &link);
    rk_health_close(a);
    rk_health_close(b);
    return link;
}

static void test_links(void **state)
{
    (void)state;
    rk_device_link link = link_between(false, "devices=4,link=nvlink,link_bandwidth=100GB", 3, 1);
    assert_int_equal(link.kind, RK_LINK_NVLINK);
    assert_int_equal(link.lanes, 4);
    assert_int_equal(link.bandwidth, 100000000000);
    assert_true(link.peer_access);
    link = link_between(false, "devices=8,link=nvswitch,link_bandwidth=450GB", 0, 7);
    assert_int_equal(link.kind, RK_LINK_NVSWITCH);
    assert_int_equal(link.lanes, 18);
    assert_int_equal(link.bandwidth, 450000000000);
    link = link_between(false, "devices=2", 0, 1);
    assert_int_equal(link.kind, RK_LINK_PCIE);
    assert_int_equal(link.lanes, 16);
    assert_true(link.peer_access);
    link = link_between(false, "devices=2,link=none", 0, 1);
    assert_false(link.peer_access);
    for (int older = 0; older < 2; older++) {
        link = link_between(
            true, older != 0 ? "devices=2,link=xgmi,missing=amdsmi_init" : "devices=2,link=xgmi", 0,
            1);
        assert_int_equal(link.kind, RK_LINK_XGMI);
        assert_int_equal(link.bandwidth, 50000000000);
        assert_true(link.peer_access);
        link = link_between(
            true, older != 0 ? "devices=2,link=none,missing=amdsmi_init" : "devices=2,link=none", 1,
            0);
        assert_int_equal(link.kind, RK_LINK_PCIE);
        assert_false(link.peer_access);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_xids),
        cmocka_unit_test(test_heat_slows_the_clocks),
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
