/*
 * Memory and copies.
 */
#include "testgpu/card.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 10000u

/* Whether reading or writing at address ends a process. */
static bool faults(uint64_t address, bool write)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGSEGV, SIG_DFL);
        volatile char *byte = (volatile char *)(uintptr_t)address;
        char value = write ? 1 : *byte;
        if (write) {
            *byte = value;
        }
        _exit(value == 77 ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void check_pointers(bool hip)
{
    card c = card_begin(hip, "");
    uint64_t pointer = 0;
    uint64_t other = 0;
    void *host = NULL;
    assert_int_equal(c.alloc(&pointer, BYTES), 0);
    assert_true(faults(pointer, false));
    assert_true(faults(pointer + BYTES - 1, true));
    assert_int_equal(c.host_alloc(&host, BYTES, 3), 0);
    assert_false(faults((uint64_t)(uintptr_t)host, true));
    assert_int_equal(c.host_pointer(&other, host, 0), 0);
    assert_int_equal(other, (uint64_t)(uintptr_t)host);
    assert_int_equal(c.host_pointer(&other, (void *)(uintptr_t)pointer, 0), 1);
    /* What kernels use is another address, which can be asked for. */
    uint64_t real = c.address(pointer + 5);
    assert_int_not_equal(real, 0);
    assert_int_not_equal(real, pointer + 5);
    assert_int_equal(c.address(pointer) + 5, real);
    assert_int_equal(c.address(1234), 0);
    assert_int_equal(c.free(pointer), 0);
    assert_int_equal(c.address(pointer), 0);
    assert_int_equal(c.free(pointer), 1);
    assert_int_equal(c.free(0), 0);
    assert_int_equal(c.host_free(host), 0);
}

static void test_device_pointers_are_not_the_hosts(void **state)
{
    (void)state;
    check_pointers(false);
    check_pointers(true);
}

static void check_copies(bool hip)
{
    card c = card_begin(hip, "");
    uint8_t *out = malloc(BYTES);
    uint8_t *in = malloc(BYTES);
    uint64_t a = 0;
    uint64_t b = 0;
    void *stream = card_stream(&c);
    assert_non_null(out);
    assert_non_null(in);
    for (uint32_t i = 0; i < BYTES; i++) {
        in[i] = (uint8_t)(i * 7 + 1);
    }
    assert_int_equal(c.alloc(&a, BYTES), 0);
    assert_int_equal(c.alloc(&b, BYTES), 0);
    assert_int_equal(c.copy_out(out, a, BYTES), 0);
    assert_int_not_equal(out[17], 0); /* new memory holds rubbish */
    assert_int_equal(c.copy_in_async(a, in, BYTES, stream), 0);
    memset(in, 0, BYTES); /* pageable memory has been read when the call returns */
    assert_int_equal(c.copy_async(b, a, BYTES, stream), 0);
    assert_int_equal(c.set_async(b + 10, 9, 5, stream), 0);
    assert_int_equal(c.copy_out_async(out, b, BYTES, stream), 0); /* pageable: it is there */
    assert_int_equal(out[9], (uint8_t)(9 * 7 + 1));
    assert_int_equal(out[10], 9);
    assert_int_equal(out[14], 9);
    assert_int_equal(out[15], (uint8_t)(15 * 7 + 1));
    assert_int_equal(out[BYTES - 1], (uint8_t)((BYTES - 1) * 7 + 1));
    /* Beyond the allocation, and with the sides mixed up. */
    assert_int_equal(c.copy_in(a, in, BYTES + 1), 1);
    assert_int_equal(c.copy_in(a + 1, in, BYTES), 1);
    assert_int_equal(c.copy_in(a + BYTES, in, 0), 0);
    assert_int_equal(c.set(a + BYTES - 1, 0, 2), 1);
    assert_int_equal(c.copy_in(a, (void *)(uintptr_t)b, 16), 1);
    assert_int_equal(c.copy_out((void *)(uintptr_t)a, b, 16), 1);
    assert_int_equal(c.copy_in((uint64_t)(uintptr_t)in, in, 16), 1);
    assert_int_equal(c.stream_destroy(stream), 0);
    assert_int_equal(c.stream_query(stream), 709);
    free(out);
    free(in);
}

static void test_copies(void **state)
{
    (void)state;
    check_copies(false);
    check_copies(true);
}

static void test_copies_take_their_time(void **state)
{
    (void)state;
    card c = card_begin(false, "copy_delay=20ms,copy_bandwidth=1GB");
    uint64_t pointer = 0;
    void *host = NULL;
    void *stream = card_stream(&c);
    void *before = NULL;
    void *after = NULL;
    float ms = 0.0f;
    assert_int_equal(c.alloc(&pointer, BYTES), 0);
    assert_int_equal(c.host_alloc(&host, BYTES, 3), 0);
    assert_int_equal(c.event_create(&before, 0), 0);
    assert_int_equal(c.event_create(&after, 0), 0);
    assert_int_equal(c.event_query(before), 0); /* nothing was recorded */
    assert_int_equal(c.event_record(before, stream), 0);
    assert_int_equal(c.copy_in_async(pointer, host, BYTES, stream), 0);
    assert_int_equal(c.event_record(after, stream), 0);
    assert_int_equal(c.event_query(after), 600);
    assert_int_equal(c.stream_query(stream), 600);
    assert_int_equal(c.event_elapsed(&ms, before, after), 600);
    assert_int_equal(c.event_wait(after), 0);
    assert_int_equal(c.event_query(after), 0);
    assert_int_equal(c.event_elapsed(&ms, before, after), 0);
    assert_true(ms >= 20.0f); /* the pause is a lower bound */
    assert_int_equal(c.event_destroy(before), 0);
    assert_int_equal(c.event_query(before), 709);
}

static void check_registered(bool hip)
{
    card c = card_begin(hip, "");
    uint8_t *area = aligned_alloc(4096, 8192);
    uint64_t pointer = 0;
    assert_non_null(area);
    assert_int_equal(c.host_pointer(&pointer, area, 0), 1);
    assert_int_equal(c.host_register(area, 8192, 3), 0);
    assert_int_equal(c.host_register(area + 4096, 4096, 3), 712);
    assert_int_equal(c.host_pointer(&pointer, area + 100, 0), 0);
    assert_int_equal(pointer, (uint64_t)(uintptr_t)area + 100);
    assert_int_equal(c.host_unregister(area + 4096), 713);
    assert_int_equal(c.host_unregister(area), 0);
    assert_int_equal(c.host_unregister(area), 713);
    assert_int_equal(c.host_register(NULL, 100, 3), 1);
    free(area);
}

static void test_host_memory_is_registered(void **state)
{
    (void)state;
    check_registered(false);
    check_registered(true);
    card c = card_begin(false, "zluda");
    char byte = 0;
    assert_int_equal(c.host_register(&byte, 1, 3), 801);
}

static void check_limits(bool hip)
{
    card c = card_begin(hip, "memory=1MiB");
    uint64_t a = 0;
    uint64_t b = 0;
    size_t free_bytes = 0;
    size_t total = 0;
    assert_int_equal(c.alloc(&a, 1000000), 0);
    assert_int_equal(c.memory_info(&free_bytes, &total), 0);
    assert_int_equal(total, 1 << 20);
    assert_int_equal(free_bytes, (1 << 20) - 1000000);
    assert_int_equal(c.alloc(&b, 100000), 2);
    assert_int_equal(b, 0);
    assert_int_equal(c.alloc(&b, 0), 1);
    assert_int_equal(c.alloc(&b, SIZE_MAX), 2);
    assert_int_equal(c.free(a), 0);
    assert_int_equal(c.alloc(&b, 1 << 20), 0);
    c = card_begin(hip, "oom_after=2");
    void *host = NULL;
    assert_int_equal(c.alloc(&a, 100), 0);
    assert_int_equal(c.host_alloc(&host, 100, 3), 0);
    assert_int_equal(c.alloc(&b, 100), 2);
    assert_int_equal(c.host_alloc(&host, 100, 3), 2);
    assert_int_equal(c.host_register(&b, sizeof b, 3), 2);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    check_limits(false);
    check_limits(true);
}

static void test_memory_of_peers(void **state)
{
    (void)state;
    for (int hip = 0; hip < 2; hip++) {
        card c = card_begin(hip != 0, "devices=2,link=nvlink");
        uint64_t here = 0;
        uint64_t there = 0;
        void *context = NULL;
        assert_int_equal(c.alloc(&here, BYTES), 0);
        card_use(&c, 1);
        assert_int_equal(c.alloc(&there, BYTES), 0);
        card_use(&c, 0);
        void *stream = card_stream(&c);
        assert_int_equal(c.copy_async(here, there, BYTES, stream), 1);
        if (hip != 0) {
            assert_int_equal(c.enable_peer(1, 0), 0);
            assert_int_equal(c.enable_peer(1, 0), 704);
        } else {
            assert_int_equal(c.retain(&context, 1), 0);
            assert_int_equal(c.enable_context_peer(context, 0), 0);
            assert_int_equal(c.enable_context_peer(context, 0), 704);
        }
        assert_int_equal(c.copy_async(here, there, BYTES, stream), 0);
        assert_int_equal(c.stream_wait(stream), 0);
        card_use(&c, 1); /* one way only */
        assert_int_equal(c.copy_async(here, there, BYTES, card_stream(&c)), 1);
    }
}

static void test_reset_takes_everything(void **state)
{
    (void)state;
    card c = card_begin(false, "");
    uint64_t pointer = 0;
    void *host = NULL;
    void *stream = card_stream(&c);
    void *event = NULL;
    assert_int_equal(c.alloc(&pointer, BYTES), 0);
    assert_int_equal(c.host_alloc(&host, BYTES, 3), 0);
    assert_int_equal(c.event_create(&event, 0), 0);
    assert_int_equal(c.reset_context(0), 0);
    assert_true(faults((uint64_t)(uintptr_t)host, false));
    card_use(&c, 0);
    assert_int_equal(c.free(pointer), 1);
    assert_int_equal(c.stream_query(stream), 709);
    assert_int_equal(c.event_query(event), 709);
    size_t free_bytes = 0;
    size_t total = 0;
    assert_int_equal(c.memory_info(&free_bytes, &total), 0);
    assert_int_equal(free_bytes, total);
}

static void test_memory_in_stream_order(void **state)
{
    (void)state;
    card c = card_begin(false, "copy_delay=1ms");
    void *stream = card_stream(&c);
    uint64_t pointer = 0;
    char text[] = "stream order";
    assert_int_equal(c.alloc_async(&pointer, sizeof text, stream), 0);
    assert_int_equal(c.copy_in_async(pointer, text, sizeof text, stream), 0);
    assert_int_equal(c.free_async(pointer, stream), 0);
    assert_int_not_equal(c.address(pointer), 0); /* not before the copy */
    assert_int_equal(c.stream_wait(stream), 0);
    assert_int_equal(c.address(pointer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_pointers_are_not_the_hosts),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_copies_take_their_time),
        cmocka_unit_test(test_host_memory_is_registered),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_memory_of_peers),
        cmocka_unit_test(test_reset_takes_everything),
        cmocka_unit_test(test_memory_in_stream_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
