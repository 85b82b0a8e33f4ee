/*
 * canary.c: a kernel whose every value is known in advance, and which can be told to misbehave. For
 * health checks, and for trying out supervision.
 *
 * Cell i holds x_0 = i + 1, and each step x_{n+1} = A x_n + C mod 2^64 (Knuth's MMIX constants).
 * The check handler computes x_n from the step number alone and compares every cell.
 *
 * The trouble of a custom command comes in the next step, so that the command is acknowledged
 * first.
 */
#define RK_NAME canary
#define RK_SUMMARY "known values in every step, and misbehaviour on request"
#define RK_PARAMS(P) P(u32, cells, "256", "", "number of values")
#define RK_FIELDS(F)                                                                               \
    F(u64, value, "cells", "", "state,output", "one generator each")                               \
    F(u64, armed, "2", "", "state", "the trouble of the next step, and its argument")
#define RK_PHASES(X) X(sing)
#define RK_HAS_INIT 1
#define RK_HAS_COMMAND 1
#define RK_HAS_CHECK 1
#include <ringkernel/kernel.h>

/* Custom operations. The data may begin with a u64 argument; it is 0 otherwise. */
enum {
    CANARY_CORRUPT = 1, /* flips the lowest bit of value[argument], at once */
    CANARY_PANIC = 2,   /* gives up with the code `argument` (0: 1) */
    CANARY_FAULT = 3,   /* writes to the address `argument` */
    CANARY_LOOP = 4,    /* stays in the step until the host aborts the run */
    CANARY_ANSWER = 5,  /* no trouble: answers with value[argument] and what it should be */
};

/* Check codes: 1 and the number of the first wrong cell in the upper 16 bits, as far as it fits. */
#define CANARY_WRONG 1u

#define CANARY_A 6364136223846793005ul
#define CANARY_C 1442695040888963407ul

/* x_n from x_0: the affine map composed with itself, by squaring. */
RK_FN rk_u64 canary_expected(rk_u64 x, rk_u64 steps)
{
    rk_u64 a = CANARY_A;
    rk_u64 c = CANARY_C;
    for (; steps != 0u; steps >>= 1) {
        if ((steps & 1u) != 0u) {
            x = a * x + c;
        }
        c = (a + 1u) * c;
        a = a * a;
    }
    return x;
}

RK_COLD void canary_trouble(rk_ctx *k, rk_u64 kind, rk_u64 argument)
{
    if (kind == CANARY_PANIC) {
        rk_panic(k, argument == 0u ? 1u : (rk_u32)argument, "canary: told to panic");
    } else if (kind == CANARY_FAULT) {
        volatile RK_G rk_u32 *address = (volatile RK_G rk_u32 *)argument;
        *address = 1u;
    } else if (kind == CANARY_LOOP) {
        while (rk_host_abort(k) == k->loop->abort_seen) {
            rk_relax();
        }
    }
}

RK_PHASE(sing)
{
    RK_G rk_u64 *value = RK_FIELD(k, value);
    RK_G rk_u64 *armed = RK_FIELD(k, armed);
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = CANARY_A * value[i] + CANARY_C;
    }
    if (k->block == 0u && RK_LANE(k) == 0u && armed[0] != 0u) {
        rk_u64 kind = armed[0];
        armed[0] = 0u;
        canary_trouble(k, kind, armed[1]);
    }
}

RK_INIT
{
    RK_G rk_u64 *value = RK_FIELD(k, value);
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);
    RK_FOR_LANES(k, i, lo, hi)
    {
        value[i] = (rk_u64)i + 1u;
    }
}

RK_ON_COMMAND
{
    rk_u64 argument = 0u;
    for (rk_u32 i = 0u; i < length && i < 8u; i++) {
        argument |= (rk_u64)data[i] << (8u * i);
    }
    if (op == CANARY_PANIC || op == CANARY_FAULT || op == CANARY_LOOP) {
        RK_FIELD(k, armed)[0] = op;
        RK_FIELD(k, armed)[1] = argument;
        return 0u;
    }
    if ((op != CANARY_CORRUPT && op != CANARY_ANSWER) || argument >= RK_PARAM(k, cells)) {
        return 1u;
    }
    if (op == CANARY_CORRUPT) {
        RK_FIELD(k, value)[argument] ^= 1u;
    }
    value[0] = RK_FIELD(k, value)[argument];
    value[1] = canary_expected(argument + 1u, k->step);
    return 0u;
}

RK_CHECK
{
    for (rk_u32 i = 0u; i < RK_PARAM(k, cells); i++) {
        if (RK_FIELD(k, value)[i] != canary_expected((rk_u64)i + 1u, k->step)) {
            return CANARY_WRONG | ((i < 0xffffu ? i : 0xffffu) << 16);
        }
    }
    return 0u;
}
