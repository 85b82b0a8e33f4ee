/*
 * copy.c: copies one array to another in each step, there and back. For measuring what a device's
 * memory carries, with a known result.
 *
 * A step moves 8 bytes per cell in and 8 out. Step n adds n to what it copies, so that every cell
 * tells how many steps there were: x_n = x_0 + n (n + 1) / 2 mod 2^64.
 */
#define RK_NAME copy
#define RK_SUMMARY "copies an array in each step: what the memory of a device carries"
#define RK_PARAMS(P) P(u64, cells, "1048576", "", "number of values in each array")
#define RK_FIELDS(F)                                                                               \
    F(u64, even, "cells", "", "state,input,output", "the values after an even number of steps")    \
    F(u64, odd, "cells", "", "state,output", "after an odd number of steps")
#define RK_PHASES(X) X(move)
#define RK_HAS_INIT 1
#define RK_HAS_CHECK 1
#include <ringkernel/kernel.h>

#define COPY_WRONG 1u

RK_FN void copy_cells(RK_G const rk_u64 *from, RK_G rk_u64 *to, rk_ctx *k, rk_u64 add)
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_FOR_LANES(k, i, lo, hi)
    {
        to[i] = from[i] + add;
    }
}

RK_PHASE(move)
{
    rk_u64 step = k->step + 1u;
    if ((step & 1u) != 0u) {
        copy_cells(RK_FIELD(k, even), RK_FIELD(k, odd), k, step);
    } else {
        copy_cells(RK_FIELD(k, odd), RK_FIELD(k, even), k, step);
    }
}

RK_INIT
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_FOR_LANES(k, i, lo, hi)
    {
        RK_FIELD(k, even)[i] = (rk_u64)i;
        RK_FIELD(k, odd)[i] = 0u;
    }
}

/* Compares with values that init wrote; the host may have written others. */
RK_CHECK
{
    rk_u64 n = k->step;
    rk_u64 sum = (n & 1u) != 0u ? n * ((n + 1u) / 2u) : (n / 2u) * (n + 1u);
    RK_G const rk_u64 *cell = (n & 1u) != 0u ? RK_FIELD(k, odd) : RK_FIELD(k, even);
    for (rk_u64 i = 0u; i < RK_PARAM(k, cells); i++) {
        if (cell[i] != i + sum) {
            return COPY_WRONG;
        }
    }
    return 0u;
}
