/* plate.c: heat spreads in a square plate whose rim keeps its temperature. */
#define RK_NAME plate
#define RK_SUMMARY "heat in a square plate"
#define RK_PARAMS(P)                                                                               \
    P(u32, n, "128", "cells", "cells on a side")                                                   \
    P(f32, share, "0.2", "", "share of a difference that flows in a step; stable below 0.25")
#define RK_FIELDS(F)                                                                               \
    F(f32, heat, "n,n", "K", "state,input,output", "temperature")                                  \
    F(f32, next, "n,n", "K", "scratch", "temperature after this step")
#define RK_PHASES(X) X(flow) X(take)
#include <ringkernel/kernel.h>

RK_PHASE(flow)
{
    rk_u32 n = RK_PARAM(k, n);
    rk_f32 share = RK_PARAM(k, share);
    rk_u64 first, last;
    rk_block_range(k, n - 2u, &first, &last); /* the rows of this block */
    for (rk_u64 row = first + 1u; row <= last; row++) {
        RK_G const rk_f32 *h = RK_FIELD(k, heat) + row * n;
        RK_G rk_f32 *next = RK_FIELD(k, next) + row * n;
        RK_FOR_LANES(k, i, 1u, n - 1u)
        {
            next[i] = h[i] + share * (h[i - 1] + h[i + 1] + (h - n)[i] + (h + n)[i] - 4.0f * h[i]);
        }
    }
}

RK_PHASE(take) /* all blocks have finished flow */
{
    rk_u32 n = RK_PARAM(k, n);
    rk_u64 first, last;
    rk_block_range(k, n - 2u, &first, &last);
    for (rk_u64 row = first + 1u; row <= last; row++) {
        RK_FOR_LANES(k, i, 1u, n - 1u)
        {
            RK_FIELD(k, heat)[row * n + i] = RK_FIELD(k, next)[row * n + i];
        }
    }
}
