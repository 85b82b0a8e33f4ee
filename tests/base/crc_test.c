/*
 * CRC-32: known vectors, every length and alignment against a bitwise reference, chaining.
 */
#include "base/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef uint32_t (*crc_fn)(uint32_t crc, const void *data, size_t length);

static const crc_fn both[] = {rk_crc32, rk_crc32_portable};

/* The definition, bit by bit (IEEE 802.3, 3.2.9, in reflected form). */
static uint32_t reference(uint32_t crc, const unsigned char *data, size_t length)
{
    uint32_t state = ~crc;
    for (size_t i = 0; i < length; i++) {
        state ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ ((state & 1) != 0 ? 0xedb88320u : 0);
        }
    }
    return ~state;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void test_known_vectors(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0};
    unsigned char ones[32];
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i](0, "123456789", 9), 0xCBF43926u);
        assert_int_equal(both[i](0, "", 0), 0);
        assert_int_equal(both[i](0, NULL, 0), 0);
        assert_int_equal(both[i](0, "a", 1), 0xE8B7BE43u);
        assert_int_equal(both[i](0, "The quick brown fox jumps over the lazy dog", 43),
                         0x414FA339u);
        assert_int_equal(both[i](0, zeros, sizeof zeros), 0x190A55ADu);
        assert_int_equal(both[i](0, ones, sizeof ones), 0xFF6CAB0Bu);
    }
}

static void test_every_length_and_alignment(void **state)
{
    (void)state;
    enum { MOST = 700 };
    unsigned random = 1;
    for (size_t length = 0; length <= MOST; length++) {
        size_t shift = length % 17;
        /* An allocation that ends with the data shows a read past the end. */
        unsigned char *data = malloc(shift + length + 1);
        assert_non_null(data);
        for (size_t i = 0; i < shift + length; i++) {
            data[i] = (unsigned char)next_random(&random);
        }
        data = realloc(data, shift + length > 0 ? shift + length : 1);
        uint32_t start = next_random(&random);
        uint32_t expected = reference(start, data + shift, length);
        assert_int_equal(rk_crc32(start, data + shift, length), expected);
        assert_int_equal(rk_crc32_portable(start, data + shift, length), expected);
        free(data);
    }
}

static void test_chains(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    unsigned random = 2;
    unsigned char *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (unsigned char)next_random(&random);
    }
    uint32_t whole = reference(0, data, SIZE);
    for (int round = 0; round < 50; round++) {
        uint32_t crc = 0;
        for (size_t at = 0; at < SIZE;) {
            size_t length = next_random(&random) % 5000;
            length = length > SIZE - at ? SIZE - at : length;
            crc = both[round % 2](crc, data + at, length);
            at += length;
        }
        assert_int_equal(crc, whole);
    }
    /* One changed bit always shows. */
    for (int round = 0; round < 100; round++) {
        size_t at = next_random(&random) % SIZE;
        unsigned char bit = (unsigned char)(1u << (next_random(&random) % 8));
        data[at] ^= bit;
        assert_int_not_equal(rk_crc32(0, data, SIZE), whole);
        data[at] ^= bit;
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
