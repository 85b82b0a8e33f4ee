/*
 * Kernels that run: in which order, and what hardware would not forgive beside them.
 */
#include "abi/word.h"
#include "base/clock.h"
#include "base/thread.h"
#include "testgpu/card.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 8u /* blocks: 2 multiprocessors of 4 */

static uint32_t state_of(const card_kernel *kernel)
{
    return rk_word_load_acquire(&((rk_control *)kernel->mapped)->state);
}

/* Waits for what will come, without asking the library. */
static void wait_state(const card_kernel *kernel, uint32_t state)
{
    while (state_of(kernel) != state) {
        (void)sched_yield();
    }
}

static void wait_left(const card *c, void *stream)
{
    int result = 600;
    while (result == 600) {
        (void)sched_yield();
        result = c->stream_query(stream);
    }
    assert_int_equal(result, 0);
}

static void check_run(bool hip, uint32_t blocks, uint32_t lanes, bool cooperative)
{
    card c = card_begin(hip, "drain");
    card_kernel kernel;
    void *stream = card_stream(&c);
    card_kernel_make(&c, &kernel, blocks, lanes);
    uint64_t start_ns = rk_clock_monotonic_ns();
    assert_int_equal(cooperative ? card_kernel_launch_cooperative(&kernel, stream)
                                 : card_kernel_launch(&kernel, stream),
                     0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_PING, 0), 0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_RUN, 10), 10);
    assert_int_equal(c.stream_query(stream), 600);
    assert_int_equal(c.resident(card_number(&c, 0)), 1);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_QUIESCE, 0), 10);
    wait_left(&c, stream);
    assert_int_equal(state_of(&kernel), RK_KERNEL_PARKED);
    const rk_counters *counters = &((rk_control *)kernel.mapped)->counters;
    assert_int_equal(counters->step, 10);
    /* Nobody but the kernel starts its clock. */
    assert_true(counters->busy_ns + counters->idle_ns <= rk_clock_monotonic_ns() - start_ns);
    assert_int_equal(((rk_control *)kernel.mapped)->exits, 0); /* nobody counts for it */
    assert_int_equal(c.resident(card_number(&c, 0)), 0);
    card_kernel_drop(&kernel);
    assert_int_equal(c.violations(), 0);
}

static void test_kernels_run(void **state)
{
    (void)state;
    for (int hip = 0; hip < 2; hip++) {
        check_run(hip != 0, 1, 0, false);
        check_run(hip != 0, 3, 0, true);
        check_run(hip != 0, 2, 4, false);
        check_run(hip != 0, 1, 1, true);
    }
}

static void check_order(bool hip)
{
    card c = card_begin(hip, "drain");
    card_kernel kernel;
    void *stream = card_stream(&c);
    void *beside = card_stream(&c);
    void *after = NULL;
    void *host = NULL;
    uint64_t pointer = 0;
    assert_int_equal(c.event_create(&after, 0), 0);
    assert_int_equal(c.host_alloc(&host, 64, 3), 0);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    assert_int_equal(c.set(pointer, 5, 64), 0);
    memset(host, 0, 64);
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(c.event_record(after, stream), 0);
    assert_int_equal(c.copy_out_async(host, pointer, 32, stream), 0);
    wait_state(&kernel, RK_KERNEL_IDLE);
    assert_int_equal(c.copy_out_async((char *)host + 32, pointer, 32, beside), 0);
    assert_int_equal(c.stream_wait(beside), 0);
    assert_int_equal(((char *)host)[32], 5); /* beside the kernel */
    assert_int_equal(((char *)host)[0], 0);  /* behind it */
    assert_int_equal(c.event_query(after), 600);
    assert_int_equal(c.stream_wait_event(beside, after, 0), 0);
    assert_int_equal(c.stream_query(beside), 600);
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    assert_int_equal(c.stream_wait(beside), 0);
    assert_int_equal(c.event_query(after), 0);
    assert_int_equal(c.stream_wait(stream), 0);
    assert_int_equal(((char *)host)[0], 5);
    card_kernel_drop(&kernel);
    assert_int_equal(c.violations(), 0);
}

static void test_streams_keep_order(void **state)
{
    (void)state;
    check_order(false);
    check_order(true);
}

static void test_streams_share_hardware_queues(void **state)
{
    (void)state;
    card c = card_begin(true, "queues=1");
    card_kernel kernel;
    void *stream = card_stream(&c);
    void *other = card_stream(&c);
    void *host = NULL;
    uint64_t pointer = 0;
    assert_int_equal(c.host_alloc(&host, 64, 3), 0);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    wait_state(&kernel, RK_KERNEL_IDLE);
    assert_int_equal(c.copy_in_async(pointer, host, 64, other), 0);
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_RUN, 5), 5);
    assert_int_equal(c.stream_query(other), 600); /* it never starts */
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    assert_int_equal(c.stream_wait(other), 0);
    card_kernel_drop(&kernel);
}

static void test_kernels_wait_for_room(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    card_kernel first;
    card_kernel second;
    void *one = card_stream(&c);
    void *two = card_stream(&c);
    card_kernel_make(&c, &first, CAPACITY, 0);
    card_kernel_make(&c, &second, 1, 0);
    assert_int_equal(card_kernel_launch(&first, one), 0);
    wait_state(&first, RK_KERNEL_IDLE);
    assert_int_equal(card_kernel_launch(&second, two), 0);
    assert_int_equal(card_kernel_command(&first, RK_CMD_RUN, 3), 3);
    assert_int_equal(state_of(&second), RK_KERNEL_CREATED);
    assert_int_equal(c.resident(card_number(&c, 0)), 2);
    (void)card_kernel_command(&first, RK_CMD_TERMINATE, 0);
    wait_state(&second, RK_KERNEL_IDLE);
    (void)card_kernel_command(&second, RK_CMD_TERMINATE, 0);
    wait_left(&c, two);
    card_kernel_drop(&first);
    card_kernel_drop(&second);
}

/* ---- What may wait for a resident kernel --------------------------------------------------- */

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        assert_int_equal((call), 999);                                                             \
        assert_int_equal(c.violations(), ++expected);                                              \
    } while (0)

static void check_drain(bool hip)
{
    card c = card_begin(hip, "drain,devices=2");
    uint64_t expected = 0;
    card_kernel kernel;
    void *stream = card_stream(&c);
    void *spare = card_stream(&c);
    void *blocking = NULL;
    void *host = NULL;
    void *pinned = NULL;
    void *event = NULL;
    void *module = NULL;
    uint64_t pointer = 0;
    uint64_t other = 0;
    uint8_t *area = aligned_alloc(4096, 4096);
    assert_non_null(area);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    assert_int_equal(c.host_alloc(&pinned, 64, 3), 0);
    assert_int_equal(c.host_alloc(&host, 64, 3), 0);
    assert_int_equal(c.host_register(area, 4096, 3), 0);
    card_kernel_make(&c, &kernel, CAPACITY, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    wait_state(&kernel, RK_KERNEL_IDLE);

    REFUSED(c.module_load(&module, card_kernel_image(&kernel)));
    REFUSED(c.module_unload(kernel.module));
    REFUSED(c.alloc(&other, 64));
    REFUSED(c.free(pointer));
    REFUSED(c.host_alloc(&host, 64, 3));
    REFUSED(c.host_free(pinned));
    REFUSED(c.host_register(&other, sizeof other, 3));
    REFUSED(c.host_unregister(area));
    REFUSED(c.stream_create(&blocking, 1));
    REFUSED(c.stream_destroy(spare));
    REFUSED(c.synchronize());
    REFUSED(c.set_flags(0));
    REFUSED(c.copy_out_async(&other, pointer, 8, stream)); /* pageable, behind the kernel */
    if (hip) {
        REFUSED(c.enable_peer(1, 0));
        REFUSED(c.reset_device());
    } else {
        REFUSED(c.set_context_flags(0, 0));
        REFUSED(c.release(0));
        REFUSED(c.reset_context(0));
        REFUSED(c.alloc_async(&other, 64, spare));
    }
    /* What does not wait stays allowed. */
    assert_int_equal(c.event_create(&event, 0), 0);
    assert_int_equal(c.event_record(event, spare), 0);
    assert_int_equal(c.event_wait(event), 0);
    assert_int_equal(c.copy_in_async(pointer, pinned, 64, spare), 0);
    assert_int_equal(c.stream_wait(spare), 0);
    assert_int_equal(c.event_destroy(event), 0);
    assert_int_equal(c.violations(), expected);
    /* Setting memory is a kernel of the library's own: there is no room for it. */
    assert_int_equal(c.set_async(pointer, 0, 64, spare), 0);
    assert_int_equal(c.stream_wait(spare), 0);
    assert_int_equal(c.violations(), ++expected);

    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    wait_left(&c, stream);
    assert_int_equal(c.free(pointer), 0);
    assert_int_equal(c.host_unregister(area), 0);
    card_kernel_drop(&kernel);
    assert_int_equal(c.violations(), expected);
    free(area);
}

static void test_calls_that_may_wait_fail(void **state)
{
    (void)state;
    check_drain(false);
    check_drain(true);
}

static void test_the_default_stream_waits_for_blocking_ones(void **state)
{
    (void)state;
    card c = card_begin(false, "drain");
    card_kernel kernel;
    void *blocking = NULL;
    uint64_t pointer = 0;
    char byte = 0;
    assert_int_equal(c.stream_create(&blocking, 0), 0);
    assert_int_equal(c.alloc(&pointer, 64), 0);
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, blocking), 0);
    assert_int_equal(c.copy_out(&byte, pointer, 1), 999);
    assert_int_equal(c.copy_in_async(pointer, &byte, 1, NULL), 999);
    assert_int_equal(c.violations(), 2);
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    wait_left(&c, blocking);
    assert_int_equal(c.copy_out(&byte, pointer, 1), 0);
    /* Beside a kernel in a non-blocking stream it goes on. */
    void *stream = card_stream(&c);
    card_kernel_lay_out(&kernel);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    assert_int_equal(c.copy_out(&byte, pointer, 1), 0);
    kernel.next_id = 0;
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    wait_left(&c, stream);
    assert_int_equal(c.violations(), 2);
    card_kernel_drop(&kernel);
}

typedef struct loader {
    const card *c;
    const void *image;
    void *module;
    int result;
    _Atomic int done;
} loader;

static void load(void *argument)
{
    loader *l = argument;
    card_use(l->c, 0);
    l->result = l->c->module_load(&l->module, l->image);
    atomic_store(&l->done, 1);
}

static void test_calls_that_may_wait_do_wait(void **state)
{
    (void)state;
    card c = card_begin(false, "drain=wait");
    card_kernel kernel;
    void *stream = card_stream(&c);
    card_kernel_make(&c, &kernel, 1, 0);
    assert_int_equal(card_kernel_launch(&kernel, stream), 0);
    wait_state(&kernel, RK_KERNEL_IDLE);
    loader l = {.c = &c, .image = card_kernel_image(&kernel), .result = -1};
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "loader", load, &l), RK_OK);
    /* The way to the kernel needs no call: it stays open. */
    assert_int_equal(card_kernel_command(&kernel, RK_CMD_RUN, 100), 100);
    assert_int_equal(atomic_load(&l.done), 0);
    (void)card_kernel_command(&kernel, RK_CMD_TERMINATE, 0);
    rk_thread_join(&thread);
    assert_int_equal(l.result, 0);
    assert_int_equal(c.violations(), 0);
    card_kernel_drop(&kernel);
}

static void check_lazy(const char *loading, bool load_function, int result)
{
    if (loading != NULL) {
        assert_int_equal(setenv("CUDA_MODULE_LOADING", loading, 1), 0);
    } else {
        assert_int_equal(unsetenv("CUDA_MODULE_LOADING"), 0);
    }
    card c = card_begin(false, "drain");
    int (*function_load)(void *) = c.function_load;
    card_kernel first;
    card_kernel second;
    void *one = card_stream(&c);
    void *two = card_stream(&c);
    card_kernel_make(&c, &first, 1, 0);
    c.function_load = load_function ? function_load : NULL;
    card_kernel_make(&c, &second, 1, 0);
    assert_int_equal(card_kernel_launch(&first, one), 0);
    assert_int_equal(card_kernel_launch(&second, two), result);
    assert_int_equal(c.violations(), result == 0 ? 0 : 1);
    (void)card_kernel_command(&first, RK_CMD_TERMINATE, 0);
    if (result == 0) {
        (void)card_kernel_command(&second, RK_CMD_TERMINATE, 0);
    }
    wait_left(&c, one);
    wait_left(&c, two);
    card_kernel_drop(&first);
    card_kernel_drop(&second);
    assert_int_equal(unsetenv("CUDA_MODULE_LOADING"), 0);
}

static void test_functions_are_loaded_lazily(void **state)
{
    (void)state;
    check_lazy(NULL, false, 999);
    check_lazy(NULL, true, 0);
    check_lazy("LAZY", false, 999);
    check_lazy("EAGER", false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_run),
        cmocka_unit_test(test_streams_keep_order),
        cmocka_unit_test(test_streams_share_hardware_queues),
        cmocka_unit_test(test_kernels_wait_for_room),
        cmocka_unit_test(test_calls_that_may_wait_fail),
        cmocka_unit_test(test_the_default_stream_waits_for_blocking_ones),
        cmocka_unit_test(test_calls_that_may_wait_do_wait),
        cmocka_unit_test(test_functions_are_loaded_lazily),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
