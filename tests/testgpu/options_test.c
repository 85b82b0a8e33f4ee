/*
 * The text of RK_TEST_GPU.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/compiler.h"
#include "drivers/test/options.h"
#include <stdio.h>
#include <string.h>

static rk_sim_options parse(const char *text)
{
    rk_err err = RK_ERR_INIT;
    rk_sim_options options;
    if (rk_sim_options_parse(text, &options, &err) != RK_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return options;
}

static void test_nothing_means_the_defaults(void **state)
{
    (void)state;
    rk_sim_options defaults;
    rk_sim_options_default(&defaults);
    static const char *const texts[] = {NULL, "", ",", ",,,"};
    for (size_t i = 0; i < RK_COUNT_OF(texts); i++) {
        rk_sim_options options = parse(texts[i]);
        assert_memory_equal(&options, &defaults, sizeof options);
    }
    assert_int_equal(defaults.devices, 1);
    assert_int_equal(defaults.drain, RK_SIM_DRAIN_OFF);
}

static void test_all_items(void **state)
{
    (void)state;
    rk_sim_options o =
        parse("devices=3,arch=100,gfx=942,units=8,blocks=2,memory=64MiB,name=Big One,"
              "version=9000,hip_version=50221153,link=nvswitch,link_bandwidth=900GB,"
              "queues=2,copy_delay=2ms,copy_bandwidth=1GB,drain,nocoop,zluda,"
              "nogreen,watchdog,missing=cuFuncLoad,missing=hipFree,nodevice,"
              "permission,oom_after=0,lose_after=7,xid=79,heat=95,ecc=2,"
              "control=/tmp/x");
    assert_int_equal(o.devices, 3);
    assert_int_equal(o.arch, 100);
    assert_int_equal(o.gfx, 0x942);
    assert_int_equal(o.units, 8);
    assert_int_equal(o.blocks, 2);
    assert_int_equal(o.memory_bytes, 64 << 20);
    assert_string_equal(o.name, "Big One");
    assert_int_equal(o.version, 9000);
    assert_int_equal(o.hip_version, 50221153);
    assert_int_equal(o.link, RK_SIM_LINK_NVSWITCH);
    assert_int_equal(o.link_bandwidth, 900000000000);
    assert_int_equal(o.queues, 2);
    assert_int_equal(o.copy_delay_ns, 2000000);
    assert_int_equal(o.copy_bandwidth, 1000000000);
    assert_int_equal(o.drain, RK_SIM_DRAIN_FAIL);
    assert_int_equal(o.nocoop + o.zluda + o.nogreen + o.watchdog + o.nodevice + o.permission, 6);
    assert_int_equal(o.missing_count, 2);
    assert_string_equal(o.missing[1], "hipFree");
    assert_int_equal(o.oom_after, 1); /* the first one fails */
    assert_int_equal(o.lose_after, 8);
    assert_int_equal(o.xid, 79);
    assert_int_equal(o.heat, 95);
    assert_int_equal(o.ecc, 2);
    assert_string_equal(o.control, "/tmp/x");
    assert_int_equal(parse("drain=wait").drain, RK_SIM_DRAIN_WAIT);
    assert_int_equal(parse("drain,drain=off").drain, RK_SIM_DRAIN_OFF); /* the last one counts */
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"devcies=2", "devcies"},           {"devices", "needs a value"},
        {"devices=", "whole number"},       {"devices=0", "between 1 and 16"},
        {"devices=17", "between 1 and 16"}, {"devices=-1", "whole number"},
        {"devices=2x", "whole number"},     {"devices=99999999999999999999", "whole number"},
        {"gfx=zz", "hexadecimal"},          {"memory=5", "memory"},
        {"memory=1KiB", "between"},         {"copy_delay=fast", "copy_delay"},
        {"link=token-ring", "link"},        {"drain=maybe", "drain"},
        {"nocoop=1", "stands alone"},       {"missing=", "needs a text"},
        {"oom_after=x", "whole number"},    {"=", "is not known"},
        {"devices=2,,nope", "nope"},
    };
    rk_sim_options untouched;
    memset(&untouched, 7, sizeof untouched);
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        rk_err err = RK_ERR_INIT;
        rk_sim_options options = untouched;
        assert_int_equal(rk_sim_options_parse(cases[i].text, &options, &err), RK_INVALID);
        if (strstr(err.text, cases[i].word) == NULL || strstr(err.text, "RK_TEST_GPU") == NULL) {
            fail_msg("%s: %s", cases[i].text, err.text);
        }
        assert_memory_equal(&options, &untouched, sizeof options);
    }
}

static void test_texts_have_limits(void **state)
{
    (void)state;
    char text[2048];
    rk_err err = RK_ERR_INIT;
    rk_sim_options options;
    (void)snprintf(text, sizeof text, "name=%0*d", (int)RK_SIM_TEXT_BYTES, 1);
    assert_int_equal(rk_sim_options_parse(text, &options, &err), RK_INVALID);
    (void)snprintf(text, sizeof text, "name=%0*d", (int)RK_SIM_TEXT_BYTES - 1, 1);
    assert_int_equal(rk_sim_options_parse(text, &options, &err), RK_OK);
    text[0] = '\0';
    for (uint32_t i = 0; i <= RK_SIM_MISSING_MAX; i++) {
        (void)strcat(text, "missing=cuFree,");
    }
    assert_int_equal(rk_sim_options_parse(text, &options, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "too many"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_means_the_defaults),
        cmocka_unit_test(test_all_items),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_texts_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
