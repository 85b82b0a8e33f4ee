/*
 * bytes.h: little-endian numbers in files, at any alignment and on any host.
 */
#ifndef RK_MODULE_BYTES_H
#define RK_MODULE_BYTES_H

#include <stdint.h>

static inline uint32_t rk_bytes_u16(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t rk_bytes_u32(const unsigned char *at)
{
    return rk_bytes_u16(at) | rk_bytes_u16(at + 2) << 16;
}

static inline uint64_t rk_bytes_u64(const unsigned char *at)
{
    return rk_bytes_u32(at) | (uint64_t)rk_bytes_u32(at + 4) << 32;
}

static inline void rk_bytes_put_u16(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static inline void rk_bytes_put_u32(unsigned char *at, uint32_t value)
{
    rk_bytes_put_u16(at, value);
    rk_bytes_put_u16(at + 2, value >> 16);
}

static inline void rk_bytes_put_u64(unsigned char *at, uint64_t value)
{
    rk_bytes_put_u32(at, (uint32_t)value);
    rk_bytes_put_u32(at + 4, (uint32_t)(value >> 32));
}

#endif
