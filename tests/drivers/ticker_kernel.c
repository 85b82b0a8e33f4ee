/*
 * ticker_kernel.c: a kernel for tests of drivers. A step adds 1 to every cell, and with `talk` set
 * sends the number of the step over route 0; messages are counted. Custom command: answers with the
 * number of messages and the last content.
 */
#define RK_NAME ticker
#define RK_SUMMARY "counts steps in every cell, and messages"
#define RK_PARAMS(P)                                                                               \
    P(u32, cells, "4096", "", "number of cells")                                                   \
    P(u32, talk, "0", "", "1: a message over route 0 after each step")
#define RK_FIELDS(F)                                                                               \
    F(u32, value, "cells", "", "state,output", "one count each")                                   \
    F(u64, seen, "2", "", "state,output", "messages, and what the last one held")
#define RK_PHASES(X) X(add)
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#include <ringkernel/kernel.h>

RK_PHASE(add)
{
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_G rk_u32 *cell = RK_FIELD(k, value);
    RK_FOR_LANES(k, i, lo, hi)
    {
        cell[i] += 1u;
    }
}

RK_AFTER_STEP
{
    if (RK_PARAM(k, talk) != 0u) {
        rk_u64 step = k->step;
        (void)rk_send(k, 0, 300, &step, sizeof step);
    }
}

RK_ON_MESSAGE
{
    RK_G rk_u64 *seen = RK_FIELD(k, seen);
    seen[0] += 1u;
    seen[1] = *(RK_G const rk_u64 *)message->payload;
}

RK_ON_COMMAND
{
    (void)op;
    (void)data;
    (void)length;
    value[0] = RK_FIELD(k, seen)[0];
    value[1] = RK_FIELD(k, seen)[1];
    return 0u;
}
