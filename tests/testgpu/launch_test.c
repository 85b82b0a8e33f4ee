/*
 * Modules, and launches in all their forms: what is refused, and how.
 */
#include "abi/word.h"
#include "testgpu/card.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 8u /* blocks: 2 multiprocessors of 4 */

static uint32_t state_of(const card_kernel *kernel)
{
    return rk_word_load_acquire(&((rk_control *)kernel->mapped)->state);
}

static void end(card_kernel *kernel, void *stream)
{
    (void)card_kernel_command(kernel, RK_CMD_TERMINATE, 0);
    assert_int_equal(kernel->card->stream_wait(stream), 0);
    card_kernel_drop(kernel);
}

static void check_shapes(bool hip)
{
    card c = card_begin(hip, "");
    card_kernel kernel;
    void *stream = card_stream(&c);
    int number = 0;
    card_kernel_make(&c, &kernel, CAPACITY + 1, 0);
    assert_int_equal(c.occupancy(&number, kernel.function, 1, 0, 0), 0);
    assert_int_equal(number, 4);
    assert_int_equal(c.occupancy(&number, kernel.function, 1024, 0, 0), 0);
    assert_int_equal(number, 2); /* of 2048 lanes */
    assert_int_equal(c.occupancy(&number, kernel.function, 1, 1 << 20, 0), 0);
    assert_int_equal(number, 0);
    assert_int_equal(c.occupancy(&number, kernel.function, 1025, 0, 0), 1);
    assert_int_equal(c.function_attribute(&number, 0, kernel.function), 0);
    assert_int_equal(number, 1024);
    assert_int_equal(c.function_attribute(&number, 99, kernel.function), 1);
    assert_int_equal(card_kernel_launch_cooperative(&kernel, stream), 720);
    assert_int_equal(c.violations(), 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 701);
    assert_int_equal(c.violations(), 1);
    /* The grid is not what the control block says. */
    kernel.blocks = 3;
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(c.stream_wait(stream), 0);
    assert_int_equal(c.violations(), 2);
    assert_int_equal(state_of(&kernel), RK_KERNEL_CREATED);
    void *params[] = {&kernel.arena, &kernel.arena, &kernel.arena};
    void *f = kernel.function;
    assert_int_equal(c.launch(f, 0, 1, 1, 1, 1, 1, 0, stream, params, NULL), 1);
    assert_int_equal(c.launch(f, 1, 2, 1, 1, 1, 1, 0, stream, params, NULL), 1);
    assert_int_equal(c.launch(f, 1, 1, 1, 1, 1, 2, 0, stream, params, NULL), 1);
    assert_int_equal(c.launch(f, 1, 1, 1, 1025, 1, 1, 0, stream, params, NULL), 1);
    assert_int_equal(c.launch(f, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL), 1);
    assert_int_equal(c.launch(f, 1, 1, 1, 1, 1, 1, 0, stream, params, params), 1);
    assert_int_equal(c.launch(stream, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL), 400);
    assert_int_equal(c.launch(f, 1, 1, 1, 1, 1, 1, 0, f, params, NULL), 400);
    /* Parameters that the device cannot reach. */
    uint64_t real = c.address(kernel.arena);
    kernel.arena = 4096;
    assert_int_equal(card_kernel_launch(&kernel, stream), 700);
    kernel.arena = real;
    assert_int_equal(card_kernel_launch(&kernel, stream), 700);
    rk_module_unref(kernel.code);
}

static void test_launches_that_cannot_be(void **state)
{
    (void)state;
    check_shapes(false);
    check_shapes(true);
}

static void test_cooperative_launch_may_be_missing(void **state)
{
    (void)state;
    static const char *const options[] = {"nocoop", "zluda"};
    for (size_t i = 0; i < RK_COUNT_OF(options); i++) {
        card c = card_begin(false, options[i]);
        card_kernel kernel;
        void *stream = card_stream(&c);
        card_kernel_make(&c, &kernel, 2, 0);
        assert_int_equal(card_kernel_launch_cooperative(&kernel, stream), 801);
        assert_int_equal(card_kernel_launch(&kernel, stream), 0);
        end(&kernel, stream);
    }
}

static void test_images_that_are_none(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    char text[256] = ".version 8.0\n.target sm_90\n";
    void *module = NULL;
    void *function = NULL;
    assert_int_equal(c.module_load(&module, text), 200);
    assert_int_equal(c.module_load(&module, NULL), 1);
    card_kernel kernel;
    card_kernel_make(&c, &kernel, 1, 0);
    char *copy = malloc(4096);
    assert_non_null(copy);
    memcpy(copy, card_kernel_image(&kernel), 4096);
    copy[16] = 1; /* e_type: an object file */
    assert_int_equal(c.module_load(&module, copy), 209);
    free(copy);
    assert_int_equal(c.module_function(&function, kernel.module, "main"), 500);
    void *first = kernel.module;
    assert_int_equal(c.module_unload(first), 0);
    assert_int_equal(c.module_unload(first), 709);
    rk_module_unref(kernel.code);
}

static void test_the_mapped_page_must_be_coherent(void **state)
{
    (void)state;
    card c = card_begin(true, "");
    card_kernel kernel;
    void *stream = card_stream(&c);
    void *mapped = NULL;
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(c.host_alloc(&mapped, kernel.layout.mapped_bytes, 3), 0);
    kernel.mapped = mapped;
    card_kernel_lay_out(&kernel);
    assert_int_equal(card_kernel_launch(&kernel, stream), 999);
    assert_int_equal(c.violations(), 1);
    rk_module_unref(kernel.code);
}

typedef struct resource { /* CUdevResource */
    int type;
    unsigned char internal[92];
    unsigned numbers[12];
} resource;

static void test_a_share_has_its_own_size(void **state)
{
    (void)state;
    card c = card_begin(false, "units=4,blocks=2");
    card_kernel kernel;
    resource all = {0};
    resource half = {0};
    unsigned count = 1;
    void *description = NULL;
    void *green = NULL;
    void *stream = NULL;
    assert_int_equal(c.resource_get(0, &all, 1), 0);
    assert_int_equal(c.resource_split(&half, &count, &all, NULL, 0, 2), 0);
    assert_int_equal(c.resource_describe(&description, &half, 1), 0);
    assert_int_equal(c.green_create(&green, description, 0, 1), 0);
    assert_int_equal(c.green_stream(&stream, green, 1, 0), 0);
    card_kernel_make(&c, &kernel, 5, 0);
    assert_int_equal(card_kernel_launch_cooperative(&kernel, stream), 720);
    void *whole = card_stream(&c);
    assert_int_equal(card_kernel_launch_cooperative(&kernel, whole), 0);
    end(&kernel, whole);
}

/* CUlaunchConfig and CUlaunchAttribute as the library has them. */
typedef struct attribute {
    int id; /* 2: cooperative */
    int padding;
    int value[16];
} attribute;

typedef struct config {
    unsigned grid[3], block[3], shared;
    void *stream;
    attribute *attributes;
    unsigned count;
} config;

static void test_launch_by_configuration(void **state)
{
    (void)state;
    int (*launch)(const config *, void *, void **, void **);
    void *symbol = card_symbol("cuLaunchKernelEx");
    memcpy(&launch, &symbol, sizeof launch);
    assert_int_equal(sizeof(attribute), 72);
    assert_int_equal(offsetof(config, stream), 32);
    card c = card_begin(false, "");
    card_kernel kernel;
    void *stream = card_stream(&c);
    card_kernel_make(&c, &kernel, CAPACITY + 1, 0);
    attribute attributes[2] = {{.id = 1}, {.id = 2, .value = {1}}};
    config how = {{CAPACITY + 1, 1, 1}, {1, 1, 1}, 0, stream, attributes, 2};
    uint64_t mapped = (uint64_t)(uintptr_t)kernel.mapped;
    uint64_t old = 0;
    void *params[] = {&kernel.arena, &mapped, &old};
    assert_int_equal(launch(&how, kernel.function, params, NULL), 720);
    how.count = 1;
    assert_int_equal(launch(&how, kernel.function, params, NULL), 701);
    assert_int_equal(launch(&how, kernel.function, params, params), 1);
    rk_module_unref(kernel.code);
    card_kernel_make(&c, &kernel, 2, 0);
    mapped = (uint64_t)(uintptr_t)kernel.mapped;
    how.grid[0] = 2;
    how.count = 2;
    assert_int_equal(launch(&how, kernel.function, params, NULL), 0);
    end(&kernel, stream);
}

static void count_up(void *argument)
{
    (void)atomic_fetch_add((_Atomic int *)argument, 1);
}

static void test_the_hosts_functions_in_order(void **state)
{
    (void)state;
    int (*launch)(void *, void (*)(void *), void *);
    void *symbol = card_symbol("cuLaunchHostFunc");
    memcpy(&launch, &symbol, sizeof launch);
    card c = card_begin(false, "");
    card_kernel kernel;
    void *stream = card_stream(&c);
    _Atomic int calls = 0;
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(launch(stream, count_up, &calls), 0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_RUN, 7), 7);
    assert_int_equal(atomic_load(&calls), 0); /* behind the kernel */
    end(&kernel, stream);
    assert_int_equal(atomic_load(&calls), 1);
}

static void test_copies_by_kind(void **state)
{
    (void)state;
    int (*copy)(void *, const void *, size_t, int, void *);
    void *symbol = card_symbol("hipMemcpyAsync");
    memcpy(&copy, &symbol, sizeof copy);
    card c = card_begin(true, "");
    void *stream = card_stream(&c);
    uint64_t pointer = 0;
    char in = 42;
    char out = 0;
    assert_int_equal(c.alloc(&pointer, 64), 0);
    void *there = (void *)(uintptr_t)pointer;
    assert_int_equal(copy(there, &in, 1, 1, stream), 0);
    assert_int_equal(copy((char *)there + 1, there, 1, 3, stream), 0);
    assert_int_equal(copy(&out, (char *)there + 1, 1, 2, stream), 0);
    assert_int_equal(out, 42);
    assert_int_equal(copy(there, &in, 1, 0, stream), 21);
    assert_int_equal(copy(there, &in, 1, 2, stream), 1); /* the wrong way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launches_that_cannot_be),
        cmocka_unit_test(test_cooperative_launch_may_be_missing),
        cmocka_unit_test(test_images_that_are_none),
        cmocka_unit_test(test_the_mapped_page_must_be_coherent),
        cmocka_unit_test(test_a_share_has_its_own_size),
        cmocka_unit_test(test_launch_by_configuration),
        cmocka_unit_test(test_the_hosts_functions_in_order),
        cmocka_unit_test(test_copies_by_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
