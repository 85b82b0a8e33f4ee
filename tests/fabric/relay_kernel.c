/*
 * relay_kernel.c: a kernel that counts, answers, forwards and fails on demand, for tests of
 * attached kernels.
 */
#define RK_NAME relay
#define RK_SUMMARY "counts, answers, forwards and fails"
#define RK_FIELDS(F)                                                                               \
    F(u64, seen, "4", "", "state,output", "messages: count, sum of values, last type, duplicates") \
    F(u64, order, "64", "", "state,output", "the values as they came")
#define RK_HAS_MESSAGE 1
#include <ringkernel/kernel.h>

/* 300 count; 310 count and emit as 311; 312 count and emit as 313; 320 answer value + 1 as 321; 330
 * a request that gets no answer; 340 panic. */
RK_ON_MESSAGE
{
    RK_G rk_u64 *seen = RK_FIELD(k, seen);
    RK_G rk_u64 *order = RK_FIELD(k, order);
    rk_u64 value = message->length >= 8u ? *(RK_G const rk_u64 *)message->payload : 0u;
    if (message->type == 340u) {
        rk_panic(k, 5u, "told to");
    }
    order[seen[0] & 63u] = value;
    seen[0] += 1u;
    seen[1] += value;
    seen[2] = message->type;
    seen[3] += (message->flags & RK_MSG_DUPLICATE) != 0u ? 1u : 0u;
    if (message->type == 310u || message->type == 312u) {
        value += 1u;
        (void)rk_emit(k, message->type + 1u, &value, sizeof value);
    }
    if (message->type == 320u) {
        value += 1u;
        (void)rk_emit_reply(k, message, 321u, &value, sizeof value);
    }
}
