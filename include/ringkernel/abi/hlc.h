/*
 * hlc.h: the layout of a hybrid logical clock time.
 *
 * Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks" (2014). Times order
 * lexicographically by physical, logical, node.
 */
#ifndef RINGKERNEL_ABI_HLC_H
#define RINGKERNEL_ABI_HLC_H

#include <ringkernel/abi/types.h>

/* 24 bytes, little endian on disk and wire. */
typedef struct rk_hlc {
    rk_u64 physical_us; /* microseconds since 1970-01-01 UTC                  at  0 */
    rk_u64 logical;     /* ticks within the same microsecond, below 4096      at  8 */
    rk_u64 node;        /* the node that made it                              at 16 */
} rk_hlc;

RK_ABI_ASSERT(sizeof(rk_hlc) == 24);

#endif
