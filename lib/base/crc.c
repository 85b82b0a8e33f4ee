/*
 * crc.c: CRC-32, sixteen bytes at a time from tables, or folded with carry-less multiplication.
 *
 * Sources: Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC
 * generation" (slicing); Gopal et al., "Fast CRC computation for generic polynomials using
 * PCLMULQDQ instruction" (folding and its constants, bit-reflected form).
 */
#include "base/crc.h"

#include "base/compiler.h"

#include <pthread.h>

#if defined(RK_HAS_CLMUL)
#include <immintrin.h>
#endif

#define POLYNOMIAL_REFLECTED 0xedb88320u
#define SLICES 16

/* slice[k][b] is the CRC state after byte b followed by k zero bytes. */
static uint32_t slice[SLICES][256];
static pthread_once_t slice_once = PTHREAD_ONCE_INIT;

static void fill_slices(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ ((state & 1) != 0 ? POLYNOMIAL_REFLECTED : 0);
        }
        slice[0][byte] = state;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < SLICES; k++) {
            uint32_t before = slice[k - 1][byte];
            slice[k][byte] = (before >> 8) ^ slice[0][before & 0xff];
        }
    }
}

static uint32_t load_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The four bytes of word, the first of which has `after` bytes behind it in the block of 16. */
static uint32_t look_up(uint32_t word, int after)
{
    return slice[after][word & 0xff] ^ slice[after - 1][word >> 8 & 0xff] ^
           slice[after - 2][word >> 16 & 0xff] ^ slice[after - 3][word >> 24];
}

/* Works on the inverted state, as all functions below. */
static uint32_t update_tables(uint32_t state, const uint8_t *at, size_t length)
{
    while (length >= 16) {
        state = look_up(load_le32(at) ^ state, 15) ^ look_up(load_le32(at + 4), 11) ^
                look_up(load_le32(at + 8), 7) ^ look_up(load_le32(at + 12), 3);
        at += 16;
        length -= 16;
    }
    for (; length > 0; length--) {
        state = (state >> 8) ^ slice[0][(state ^ *at++) & 0xff];
    }
    return state;
}

#if defined(RK_HAS_CLMUL)

#define FOLD_MIN_BYTES 64

/* acc * x^n + next, where keys holds x^n for the low and the high half. */
RK_TARGET_CLMUL static __m128i fold(__m128i acc, __m128i keys, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(acc, keys, 0x00);
    __m128i high = _mm_clmulepi64_si128(acc, keys, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

RK_TARGET_CLMUL static __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* 128 bits down to the 32-bit state: fold to 96, to 64, then Barrett reduction. */
RK_TARGET_CLMUL static uint32_t reduce(__m128i acc)
{
    const __m128i keys = _mm_set_epi64x(0x0163cd6124, 0x00ccaa009e);
    const __m128i mask = _mm_setr_epi32(-1, 0, -1, 0);
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    __m128i part = _mm_clmulepi64_si128(acc, keys, 0x00);
    acc = _mm_xor_si128(_mm_srli_si128(acc, 8), part);
    part = _mm_srli_si128(acc, 4);
    acc = _mm_clmulepi64_si128(_mm_and_si128(acc, mask), keys, 0x10);
    acc = _mm_xor_si128(acc, part);
    part = _mm_clmulepi64_si128(_mm_and_si128(acc, mask), barrett, 0x10);
    part = _mm_clmulepi64_si128(_mm_and_si128(part, mask), barrett, 0x00);
    acc = _mm_xor_si128(acc, part);
    return (uint32_t)_mm_extract_epi32(acc, 1);
}

/* length is at least FOLD_MIN_BYTES. Four lanes of 128 bits, then one, then the tail from tables.
 */
RK_TARGET_CLMUL static uint32_t update_clmul(uint32_t state, const uint8_t *at, size_t length)
{
    const __m128i by64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128((int)state));
    __m128i b = load(at + 16);
    __m128i c = load(at + 32);
    __m128i d = load(at + 48);
    at += 64;
    length -= 64;
    for (; length >= 64; at += 64, length -= 64) {
        a = fold(a, by64, load(at));
        b = fold(b, by64, load(at + 16));
        c = fold(c, by64, load(at + 32));
        d = fold(d, by64, load(at + 48));
    }
    a = fold(a, by16, b);
    a = fold(a, by16, c);
    a = fold(a, by16, d);
    for (; length >= 16; at += 16, length -= 16) {
        a = fold(a, by16, load(at));
    }
    return update_tables(reduce(a), at, length);
}

#endif

uint32_t rk_crc32_portable(uint32_t crc, const void *data, size_t length)
{
    (void)pthread_once(&slice_once, fill_slices); /* fails only for an invalid control object */
    return ~update_tables(~crc, data, length);
}

uint32_t rk_crc32(uint32_t crc, const void *data, size_t length)
{
    (void)pthread_once(&slice_once, fill_slices);
#if defined(RK_HAS_CLMUL)
    if (length >= FOLD_MIN_BYTES && rk_cpu_has_clmul()) {
        return ~update_clmul(~crc, data, length);
    }
#endif
    return ~update_tables(~crc, data, length);
}
