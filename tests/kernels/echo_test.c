/*
 * echo_test.c: echo gives back messages of every size, in order, and commands; it counts what it
 * does.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGES, BYTES, REFUSED, COMMANDS };

static kt *echo(unsigned blocks, unsigned lanes)
{
    kt *k = kt_new("echo", NULL, blocks, lanes);
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    return k;
}

static uint64_t count_of(kt *k, int what)
{
    uint64_t count[4];
    kt_read(k, "count", count, 4);
    return count[what];
}

static unsigned char pattern(size_t message, size_t byte)
{
    return (unsigned char)(message * 31 + byte * 7 + (byte >> 8));
}

static void messages_of_every_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 8, 39, 40, 41, 103, 104, 105, 1000, 4096, 60000};
    static const unsigned ways[][2] = {{1, 0}, {2, 0}, {2, 4}};
    unsigned char *sent = malloc(60000);
    unsigned char *received = malloc(60000);
    for (size_t way = 0; way < 3; way++) {
        kt *k = echo(ways[way][0], ways[way][1]);
        uint64_t bytes = 0;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            rk_received message;
            for (size_t b = 0; b < sizes[i]; b++) {
                sent[b] = pattern(i, b);
            }
            assert_int_equal(kt_send(k, (uint32_t)(256 + i), sent, sizes[i]), RK_OK);
            assert_int_equal(
                rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, received, 60000, NULL),
                RK_OK);
            assert_int_equal(message.type, 256 + i);
            assert_int_equal(message.length, sizes[i]);
            assert_memory_equal(sent, received, sizes[i]);
            bytes += sizes[i];
        }
        assert_int_equal(count_of(k, MESSAGES), sizeof(sizes) / sizeof(sizes[0]));
        assert_int_equal(count_of(k, BYTES), bytes);
        assert_int_equal(count_of(k, REFUSED), 0);
        kt_end(k);
    }
    free(sent);
    free(received);
}

/* Many at once come back in the order in which they were sent. */
static void messages_keep_their_order(void **state)
{
    (void)state;
    enum { N = 200 };
    kt *k = echo(1, 0);
    uint64_t ids[N];
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(rk_kernel_send(kt_kernel(k), 300, 0, &i, sizeof(i), &ids[i], NULL), RK_OK);
    }
    for (uint64_t i = 0; i < N; i++) {
        rk_received message;
        rk_reply reply;
        uint64_t number = 0;
        assert_int_equal(rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, &number, 8, NULL),
                         RK_OK);
        assert_int_equal(number, i);
        assert_int_equal(rk_kernel_wait(kt_kernel(k), ids[i], RK_FOREVER, &reply, NULL), RK_OK);
        assert_int_equal(reply.status, RK_OK);
    }
    kt_end(k);
}

static void commands_come_back(void **state)
{
    (void)state;
    kt *k = echo(2, 0);
    const unsigned char data[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    uint64_t value[3];
    assert_int_equal(kt_custom(k, 0, NULL, 0, value), RK_OK);
    assert_true(value[0] == 0 && value[1] == 0 && value[2] == 0);
    assert_int_equal(kt_custom(k, 123456789012345, data, 3, value), RK_OK);
    assert_true(value[0] == 123456789012345 && value[1] == 3 && value[2] == 0x030201);
    assert_int_equal(kt_custom(k, 7, data, 10, value), RK_OK);
    assert_true(value[0] == 7 && value[1] == 10 && value[2] == 0x0807060504030201);
    assert_int_equal(count_of(k, COMMANDS), 3);
    assert_int_equal(count_of(k, MESSAGES), 0);
    kt_end(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_every_size),
        cmocka_unit_test(messages_keep_their_order),
        cmocka_unit_test(commands_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
