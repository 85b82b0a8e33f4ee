/*
 * echo_test.c: messages come back as they were sent, custom commands as three numbers.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <string.h>

#define MESSAGE_BYTES 2000u

static void expect_back(kt *k, uint32_t type, const uint8_t *data, uint32_t length)
{
    uint8_t back[MESSAGE_BYTES];
    rk_received message;
    assert_int_equal(kt_send(k, type, data, length), RK_OK);
    assert_int_equal(rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, back, sizeof back, NULL),
                     RK_OK);
    assert_int_equal(message.type, type);
    assert_int_equal(message.length, length);
    assert_memory_equal(back, data, length);
}

static void messages_come_back(void **state)
{
    (void)state;
    static const unsigned ways[][2] = {{1, 0}, {3, 0}, {2, 8}};
    uint8_t data[MESSAGE_BYTES];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        kt *k = kt_new("echo", NULL, ways[i][0], ways[i][1]);
        kt_create(k);
        assert_int_equal(kt_start(k), RK_OK);
        uint64_t bytes = 0;
        uint64_t messages = 0;
        for (uint32_t length = 0; length <= sizeof data; length = length * 2 + 1) {
            expect_back(k, 256 + length, data, length);
            bytes += length;
            messages++;
        }
        uint64_t count[4];
        kt_read(k, "count", count, 4);
        assert_true(count[0] == messages && count[1] == bytes && count[2] == 0 && count[3] == 0);
        kt_end(k);
    }
}

static void commands_are_described(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    kt *k = kt_new("echo", NULL, 2, 0);
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    uint64_t value[3];
    assert_int_equal(kt_custom(k, 42, data, sizeof data, value), RK_OK);
    assert_true(value[0] == 42 && value[1] == 9 && value[2] == 0x0807060504030201);
    assert_int_equal(kt_custom(k, 43, data, 2, value), RK_OK);
    assert_true(value[0] == 43 && value[1] == 2 && value[2] == 0x0201);
    assert_int_equal(kt_custom(k, 44, NULL, 0, value), RK_OK);
    assert_true(value[0] == 44 && value[1] == 0 && value[2] == 0);
    uint64_t count[4];
    kt_read(k, "count", count, 4);
    assert_true(count[3] == 3);
    kt_end(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back),
        cmocka_unit_test(commands_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
