/*
 * sha256.c: the algorithm as FIPS 180-4 states it.
 */
#include "base/sha256.h"

#include "base/compiler.h"

#include <string.h>

#define BLOCK_BYTES 64u

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t word, unsigned count)
{
    return word >> count | word << (32u - count);
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* FIPS 180-4, 6.2.2; a to h are s[0] to s[7]. */
static void add_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64];
    uint32_t s[8];
    for (unsigned t = 0; t < 16; t++) {
        w[t] = big_endian(block + (size_t)t * 4);
    }
    for (unsigned t = 16; t < 64; t++) {
        uint32_t a = w[t - 15];
        uint32_t b = w[t - 2];
        uint32_t s0 = rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3;
        uint32_t s1 = rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(s, state, sizeof(s));
    for (unsigned t = 0; t < 64; t++) {
        uint32_t s1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t t1 = s[7] + s1 + choice + round_constants[t] + w[t];
        uint32_t s0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += t1;
        s[0] = t1 + s0 + majority;
    }
    for (unsigned i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void rk_sha256_init(rk_sha256 *sha)
{
    /* FIPS 180-4, 5.3.3 */
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, start, sizeof(start));
    sha->length_bytes = 0;
}

void rk_sha256_add(rk_sha256 *sha, const void *data, size_t length)
{
    const unsigned char *at = data;
    size_t used = (size_t)(sha->length_bytes % BLOCK_BYTES);
    sha->length_bytes += length;
    while (length > 0) {
        if (used == 0 && length >= BLOCK_BYTES) {
            add_block(sha->state, at);
            at += BLOCK_BYTES;
            length -= BLOCK_BYTES;
            continue;
        }
        size_t count = RK_MIN(length, BLOCK_BYTES - used);
        memcpy(sha->block + used, at, count);
        at += count;
        length -= count;
        used += count;
        if (used == BLOCK_BYTES) {
            add_block(sha->state, sha->block);
            used = 0;
        }
    }
}

void rk_sha256_finish(rk_sha256 *sha, unsigned char out_digest[RK_SHA256_BYTES])
{
    uint64_t bits = sha->length_bytes * 8;
    unsigned char tail[BLOCK_BYTES + 8] = {0x80};
    size_t used = (size_t)(sha->length_bytes % BLOCK_BYTES);
    size_t padding = (used < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES) - 8 - used;
    for (unsigned i = 0; i < 8; i++) {
        tail[padding + i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    rk_sha256_add(sha, tail, padding + 8);
    for (unsigned i = 0; i < RK_SHA256_BYTES; i++) {
        out_digest[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void rk_sha256_text(const unsigned char digest[RK_SHA256_BYTES],
                    char out_text[RK_SHA256_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < RK_SHA256_BYTES; i++) {
        out_text[2 * i] = digits[digest[i] >> 4];
        out_text[2 * i + 1] = digits[digest[i] & 15];
    }
    out_text[2 * (size_t)RK_SHA256_BYTES] = '\0';
}
