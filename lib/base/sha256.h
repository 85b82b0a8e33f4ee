/*
 * sha256.h: SHA-256 (FIPS 180-4, section 6.2).
 */
#ifndef RK_BASE_SHA256_H
#define RK_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define RK_SHA256_BYTES 32u
#define RK_SHA256_TEXT_BYTES 65u /* 64 hexadecimal digits and a NUL */

typedef struct rk_sha256 {
    uint32_t state[8];
    uint64_t length_bytes; /* up to 2^61 - 1 */
    unsigned char block[64];
} rk_sha256;

/* Any thread; one at a time per object. Never blocks, holds nothing to be freed. */
void rk_sha256_init(rk_sha256 *sha);
void rk_sha256_add(rk_sha256 *sha, const void *data, size_t length);

/* The digest of what was added; afterwards only init makes sense. */
void rk_sha256_finish(rk_sha256 *sha, unsigned char out_digest[RK_SHA256_BYTES]);

/* The digest in lower-case hexadecimal digits. */
void rk_sha256_text(const unsigned char digest[RK_SHA256_BYTES],
                    char out_text[RK_SHA256_TEXT_BYTES]);

#endif
