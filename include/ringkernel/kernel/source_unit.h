/*
 * source_unit.h: what the source's unit (unit.h) has for the loop's. Stands in the place of loop.h.
 */
#ifndef RINGKERNEL_KERNEL_SOURCE_UNIT_H
#define RINGKERNEL_KERNEL_SOURCE_UNIT_H

#include <ringkernel/kernel/steps.h>

RK_UNIT_FN void rk_unit_step(rk_ctx *k)
{
    rk_step_take(k);
}

RK_UNIT_FN rk_u8 *rk_unit_shared(void)
{
    __shared__ rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    return (rk_u8 *)shared;
}

#endif
