/*
 * Devices that are lost, and other faults while the test driver runs.
 */
#include "abi/word.h"
#include "testgpu/card.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_idle(const card_kernel *kernel)
{
    while (rk_word_load_acquire(&((rk_control *)kernel->mapped)->state) != RK_KERNEL_IDLE) {
        (void)sched_yield();
    }
}

static void wait_nothing_resident(const card *c)
{
    while (c->resident(card_number(c, 0)) != 0) {
        (void)sched_yield();
    }
}

static void again(const card *c)
{
    if (c->hip) {
        assert_int_equal(c->reset_device(), 0);
    } else {
        assert_int_equal(c->reset_context(0), 0);
    }
    card_use(c, 0);
}

/* The device is lost while the kernel idles, or while it takes steps without end. */
static void check_lost(bool hip, uint32_t blocks, uint32_t lanes, bool busy)
{
    card c = card_begin(hip, "drain");
    card_kernel kernel;
    void *stream = card_stream(&c);
    void *event = NULL;
    void *module = NULL;
    uint64_t pointer = 0;
    assert_int_equal(c.event_create(&event, 0), 0);
    card_kernel_make(&c, &kernel, blocks, lanes);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(c.event_record(event, stream), 0);
    wait_idle(&kernel);
    if (busy) {
        rk_slot slot = {.header = {.id = 1, .type = RK_CMD_RUN, .length = 40}};
        rk_command command = {.arg = UINT64_MAX / 2};
        memcpy(slot.payload, &command, sizeof command);
        assert_int_equal(rk_ring_push(&kernel.h2k, &slot), RK_OK);
    }
    assert_int_equal(c.test_inject(card_number(&c, 0), "lost"), 0);
    wait_nothing_resident(&c);
    assert_int_equal(c.event_query(event), 719);
    assert_int_equal(c.stream_query(stream), 719);
    assert_int_equal(c.alloc(&pointer, 64), 719);
    assert_int_equal(c.free(kernel.arena), 719);
    assert_int_equal(c.module_load(&module, card_kernel_image(&kernel)), 719);
    assert_int_equal(card_kernel_launch(&kernel, stream), 719);
    rk_module_unref(kernel.code);
    again(&c);
    assert_int_equal(c.stream_query(stream), 709);
    stream = card_stream(&c);
    card_kernel_make(&c, &kernel, blocks, lanes);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_RUN, 4), 4);
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    assert_int_equal(c.stream_wait(stream), 0);
    card_kernel_drop(&kernel);
    assert_int_equal(c.violations(), 0);
}

static void test_a_lost_device_ends_its_kernels(void **state)
{
    (void)state;
    check_lost(false, 1, 0, false);
    check_lost(true, 3, 0, false);
    check_lost(false, 2, 0, true);
    check_lost(false, 2, 4, true);
    check_lost(true, 1, 3, false);
}

static void test_what_waits_is_released(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    card_kernel kernel;
    card_kernel next;
    void *stream = card_stream(&c);
    void *other = card_stream(&c);
    card_kernel_make(&c, &kernel, 8, 0);
    card_kernel_make(&c, &next, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    wait_idle(&kernel);
    assert_int_equal(card_kernel_launch(&next, stream), 0); /* behind it */
    assert_int_equal(card_kernel_launch(&next, other), 0);  /* without room */
    assert_int_equal(c.test_inject(card_number(&c, 0), "lost"), 0);
    wait_nothing_resident(&c);
    assert_int_equal(c.stream_wait(other), 719);
    rk_module_unref(kernel.code);
    rk_module_unref(next.code);
    /* A new configuration ends what is left. */
    c = card_begin(false, "");
    assert_int_equal(c.resident(card_number(&c, 0)), 0);
}

static void test_configuring_ends_kernels(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    card_kernel kernel;
    void *stream = card_stream(&c);
    card_kernel_make(&c, &kernel, 2, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    wait_idle(&kernel);
    rk_module_unref(kernel.code);
    c = card_begin(true, "");
    assert_int_equal(c.resident(RK_TEST_GPU_CUDA(0)), 0);
}

static void test_a_device_that_is_gone_stays_so(void **state)
{
    (void)state;
    card c = card_begin(false, "devices=2");
    uint64_t pointer = 0;
    void *context = NULL;
    assert_int_equal(c.test_inject(RK_TEST_GPU_CUDA(0), "gone"), 0);
    assert_int_equal(c.alloc(&pointer, 64), 46);
    assert_int_equal(c.reset_context(0), 46);
    assert_int_equal(c.retain(&context, 0), 46);
    card_use(&c, 1);
    assert_int_equal(c.alloc(&pointer, 64), 0); /* the other one lives */
    c = card_begin(true, "");
    assert_int_equal(c.test_inject(RK_TEST_GPU_HIP(0), "gone"), 0);
    assert_int_equal(c.alloc(&pointer, 64), 100);
    assert_int_equal(c.reset_device(), 100);
}

static void test_lost_after_so_many_copies(void **state)
{
    (void)state;
    for (int hip = 0; hip < 2; hip++) {
        card c = card_begin(hip != 0, "lose_after=2");
        uint64_t pointer = 0;
        char byte = 0;
        assert_int_equal(c.alloc(&pointer, 64), 0);
        assert_int_equal(c.copy_in(pointer, &byte, 1), 0);
        assert_int_equal(c.copy_out(&byte, pointer, 1), 0);
        assert_int_equal(c.copy_out(&byte, pointer, 1), 719);
        assert_int_equal(c.copy_out(&byte, pointer, 1), 719);
        again(&c);
        assert_int_equal(c.alloc(&pointer, 64), 0);
        assert_int_equal(c.copy_in(pointer, &byte, 1), 0); /* once */
    }
}

static void test_faults_are_checked(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    static const char *const wrong[] = {"",        "lost ", "xid",      "xid=",   "xid=x",
                                        "xid=79x", "heat",  "heat=hot", "explode"};
    for (size_t i = 0; i < RK_COUNT_OF(wrong); i++) {
        assert_int_equal(c.test_inject(0, wrong[i]), -1);
    }
    assert_int_equal(c.test_inject(RK_TEST_GPU_CUDA(1), "lost"), -1); /* there is one device */
    assert_int_equal(c.test_inject(RK_TEST_GPU_CUDA(0), "xid=79"), 0);
    assert_int_equal(c.test_inject(RK_TEST_GPU_CUDA(0), "heat=95"), 0);
    assert_int_equal(c.test_inject(RK_TEST_GPU_CUDA(0), "ecc=1"), 0);
    uint64_t pointer = 0;
    assert_int_equal(c.alloc(&pointer, 64), 0);
}

static void test_faults_from_the_control_file(void **state)
{
    (void)state;
    char path[] = "/tmp/rk-test-gpu-XXXXXX";
    char options[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(options, sizeof options, "devices=2,control=%s", path);
    card c = card_begin(false, options);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    (void)fputs("nonsense\ncuda:7 lost\ncuda:1 heat=80\n\ncuda:0 lo", file);
    (void)fflush(file);
    (void)fputs("st\n", file);
    (void)fclose(file);
    uint64_t pointer = 0;
    size_t free_bytes = 0;
    size_t total = 0;
    while (c.memory_info(&free_bytes, &total) == 0) {
        (void)sched_yield(); /* until it is taken */
    }
    assert_int_equal(c.alloc(&pointer, 64), 719);
    card_use(&c, 1);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    (void)unlink(path);
    assert_int_equal(c.test_configure(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_device_ends_its_kernels),
        cmocka_unit_test(test_what_waits_is_released),
        cmocka_unit_test(test_configuring_ends_kernels),
        cmocka_unit_test(test_a_device_that_is_gone_stays_so),
        cmocka_unit_test(test_lost_after_so_many_copies),
        cmocka_unit_test(test_faults_are_checked),
        cmocka_unit_test(test_faults_from_the_control_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
