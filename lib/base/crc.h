/*
 * crc.h: CRC-32 as in IEEE 802.3, zlib and PNG: polynomial 0x04C11DB7, reflected, inverted at both
 * ends.
 */
#ifndef RK_BASE_CRC_H
#define RK_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/*
 * The CRC of what crc already covers followed by length bytes at data; start with 0. So
 * rk_crc32(rk_crc32(0, a, n), b, m) is the CRC of a and b together, and rk_crc32(0, "123456789", 9)
 * is 0xCBF43926. Any thread, never blocks. Uses the processor's carry-less multiply where there is
 * one.
 */
uint32_t rk_crc32(uint32_t crc, const void *data, size_t length);

/* The same without special instructions; what processors without them run, and the tests compare.
 */
uint32_t rk_crc32_portable(uint32_t crc, const void *data, size_t length);

#endif
