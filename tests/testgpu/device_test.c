/*
 * What the libraries and their devices say of themselves.
 */
#include "device/device.h"
#include "testgpu/card.h"
#include <stdlib.h>
#include <string.h>

static void test_nothing_works_before_init(void **state)
{
    (void)state;
    card c = card_library(false);
    assert_int_equal(c.test_configure(""), 0);
    int number = 0;
    void *context = NULL;
    uint64_t pointer = 0;
    assert_int_equal(c.version(&number), 0); /* this one does */
    assert_int_equal(c.count(&number), 3);
    assert_int_equal(c.get(&number, 0), 3);
    assert_int_equal(c.retain(&context, 0), 3);
    assert_int_equal(c.alloc(&pointer, 100), 3);
    assert_int_equal(c.init(1), 1);
    assert_int_equal(c.init(0), 0);
    assert_int_equal(c.count(&number), 0);
}

static void check_devices(bool hip, const char *bus, const char *name)
{
    card c = card_begin(hip, "devices=3,memory=8MiB,units=5");
    int number = 0;
    size_t bytes = 0;
    char text[64];
    assert_int_equal(c.count(&number), 0);
    assert_int_equal(number, 3);
    assert_int_equal(c.get(&number, 2), 0);
    assert_int_equal(c.get(&number, 3), 101);
    assert_int_equal(c.get(&number, -1), 101);
    assert_int_equal(c.name(text, sizeof text, 2), 0);
    assert_string_equal(text, name);
    assert_int_equal(c.bus_id(text, sizeof text, 2), 0);
    assert_string_equal(text, bus);
    assert_int_equal(c.memory(&bytes, 0), 0);
    assert_int_equal(bytes, 8 << 20);
    assert_int_equal(c.attribute(&number, hip ? 63 : 16, 1), 0);
    assert_int_equal(number, 5);
    assert_int_equal(c.attribute(&number, hip ? 10 : 95, 1), 0);
    assert_int_equal(number, 1);
    assert_int_equal(c.attribute(&number, 5000, 1), 1);
    assert_int_equal(c.attribute(&number, -1, 1), 1);
    assert_int_equal(c.attribute(&number, 1, 9), 101);
}

static void test_devices(void **state)
{
    (void)state;
    check_devices(false, "0000:12:00.0", "Test NVIDIA GPU");
    check_devices(true, "0000:82:00.0", "Test AMD GPU");
}

static void test_what_is_configured_shows(void **state)
{
    (void)state;
    card cuda = card_begin(false, "arch=100,version=9000,name=Old,watchdog,nocoop");
    int number = 0;
    char text[64];
    assert_int_equal(cuda.version(&number), 0);
    assert_int_equal(number, 9000);
    assert_int_equal(cuda.attribute(&number, 75, 0), 0);
    assert_int_equal(number, 10);
    assert_int_equal(cuda.attribute(&number, 76, 0), 0);
    assert_int_equal(number, 0);
    assert_int_equal(cuda.attribute(&number, 17, 0), 0);
    assert_int_equal(number, 1);
    assert_int_equal(cuda.attribute(&number, 95, 0), 0);
    assert_int_equal(number, 0);
    assert_int_equal(cuda.name(text, sizeof text, 0), 0);
    assert_string_equal(text, "Old");
    card hip = card_begin(true, "gfx=942,hip_version=50221153");
    assert_int_equal(hip.version(&number), 0);
    assert_int_equal(number, 50221153);
    int (*properties)(char *, int);
    void *symbol = card_symbol("hipGetDeviceProperties");
    memcpy(&properties, &symbol, sizeof properties);
    char *block = calloc(1, 4096);
    assert_non_null(block);
    assert_int_equal(properties(block, 0), 0);
    assert_string_equal(block + 396, "gfx942:sramecc+:xnack-");
    free(block);
}

static void test_initialisation_that_fails(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int cuda, hip;
    } cases[] = {{"nodevice", 100, 100}, {"permission", 800, 304}};
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        card cuda = card_library(false);
        card hip = card_library(true);
        int count = 7;
        assert_int_equal(cuda.test_configure(cases[i].options), 0);
        assert_int_equal(cuda.init(0), cases[i].cuda);
        assert_int_equal(cuda.count(&count), 3);
        assert_int_equal(hip.init(0), cases[i].hip);
        assert_int_equal(hip.count(&count), cases[i].hip); /* HIP initialises itself */
        assert_int_equal(count, 0);
    }
}

static void test_a_wrong_text_is_refused(void **state)
{
    (void)state;
    card c = card_library(false);
    assert_int_equal(c.test_configure("devices=none"), -1);
    assert_int_equal(c.test_configure(""), 0);
}

static void test_missing_functions(void **state)
{
    (void)state;
    card c = card_library(false);
    assert_int_equal(c.test_configure("missing=cuFuncLoad,missing=hipFree"), 0);
    assert_int_equal(c.test_missing("cuFuncLoad"), 1);
    assert_int_equal(c.test_missing("hipFree"), 1);
    assert_int_equal(c.test_missing("cuInit"), 0);
    assert_int_equal(c.test_configure("zluda"), 0);
    assert_int_equal(c.test_missing("cuMemHostRegister_v2"), 1);
    assert_int_equal(c.test_missing("cuLaunchCooperativeKernel"), 0);
    assert_int_equal(c.code_kinds(), RK_CODE_BIT(RK_CODE_CPU) | RK_CODE_BIT(RK_CODE_FIBER));
}

static void test_errors_have_names(void **state)
{
    (void)state;
    card cuda = card_library(false);
    card hip = card_library(true);
    const char *text = NULL;
    assert_int_equal(cuda.error_name(720, &text), 0);
    assert_string_equal(text, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE");
    assert_int_equal(cuda.error_text(2, &text), 0);
    assert_string_equal(text, "out of memory");
    assert_int_equal(cuda.error_name(4711, &text), 1);
    assert_null(text);
    assert_int_equal(hip.error_text(600, &text), 0);
    assert_string_equal(text, "device not ready");
}

static void test_contexts_are_a_stack_per_thread(void **state)
{
    (void)state;
    card c = card_begin(false, "devices=2");
    void *first = NULL;
    void *second = NULL;
    void *now = NULL;
    assert_int_equal(c.get_context(&first), 0);
    assert_int_equal(c.retain(&second, 1), 0);
    assert_ptr_not_equal(first, second);
    assert_int_equal(c.push_context(second), 0);
    assert_int_equal(c.get_context(&now), 0);
    assert_ptr_equal(now, second);
    assert_int_equal(c.pop_context(&now), 0);
    assert_ptr_equal(now, second);
    assert_int_equal(c.get_context(&now), 0);
    assert_ptr_equal(now, first);
    assert_int_equal(c.set_context(NULL), 0);
    uint64_t pointer = 0;
    assert_int_equal(c.alloc(&pointer, 64), 201);
    int garbage[16] = {0};
    assert_int_equal(c.set_context(garbage), 201);
    /* The last release ends the context and all that was made in it. */
    assert_int_equal(c.set_context(second), 0);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    assert_int_equal(c.release(1), 0);
    assert_int_equal(c.free(pointer), 709);
    assert_int_equal(c.release(1), 201);
}

static void test_links(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int can, native;
    } cases[] = {{"devices=2,link=none", 0, 0},
                 {"devices=2,link=pcie", 1, 0},
                 {"devices=2,link=nvlink", 1, 1}};
    for (int hip = 0; hip < 2; hip++) {
        for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
            card c = card_begin(hip != 0, cases[i].options);
            int number = 7;
            assert_int_equal(c.can_access(&number, 0, 1), 0);
            assert_int_equal(number, cases[i].can);
            assert_int_equal(c.can_access(&number, 0, 0), 0);
            assert_int_equal(number, 0);
            assert_int_equal(c.can_access(&number, 0, 2), 101);
            assert_int_equal(c.peer_attribute(&number, 3, 0, 1), 0);
            assert_int_equal(number, cases[i].native);
            assert_int_equal(c.peer_attribute(&number, 3, 1, 1), 1);
        }
    }
}

/* CUdevResource as the library has it. */
typedef struct resource {
    int type;
    unsigned char internal[92];
    unsigned count, minimum, alignment;
    unsigned char rest[36];
} resource;

static void test_multiprocessors_are_shared_out(void **state)
{
    (void)state;
    card c = card_begin(false, "units=132");
    resource all = {0};
    resource rest = {0};
    resource groups[4] = {0};
    assert_int_equal(sizeof all, 144);
    assert_int_equal(c.resource_get(0, &all, 1), 0);
    assert_int_equal(all.count, 132);
    unsigned count = 0;
    assert_int_equal(c.resource_split(NULL, &count, &all, NULL, 0, 10), 0);
    assert_int_equal(count, 8); /* 16 each: aligned to 8 */
    count = 4;
    assert_int_equal(c.resource_split(groups, &count, &all, &rest, 0, 10), 0);
    assert_int_equal(count, 4);
    assert_int_equal(groups[3].count, 16);
    assert_int_equal(rest.count, 132 - 64);
    assert_int_equal(c.resource_split(groups, &count, &all, &rest, 0, 133), 1);
    void *description = NULL;
    void *green = NULL;
    void *stream = NULL;
    assert_int_equal(c.resource_describe(&description, &groups[3], 1), 0);
    assert_int_equal(c.green_create(&green, description, 0, 1), 0);
    assert_int_equal(c.green_stream(&stream, green, 0, 0), 1); /* must be non-blocking */
    assert_int_equal(c.green_stream(&stream, green, 1, 0), 0);
    assert_int_equal(c.stream_query(stream), 0);
    assert_int_equal(c.green_destroy(green), 0);
    assert_int_equal(c.green_destroy(green), 709);
    c = card_begin(false, "nogreen");
    assert_int_equal(c.resource_get(0, &all, 1), 801);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_works_before_init),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_what_is_configured_shows),
        cmocka_unit_test(test_initialisation_that_fails),
        cmocka_unit_test(test_a_wrong_text_is_refused),
        cmocka_unit_test(test_missing_functions),
        cmocka_unit_test(test_errors_have_names),
        cmocka_unit_test(test_contexts_are_a_stack_per_thread),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_multiprocessors_are_shared_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
