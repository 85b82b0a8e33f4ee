/*
 * echo: gives back what it gets. For trying out a connection, and for measuring round trips.
 *
 * A message comes back with the same type and payload. A custom command comes back with three
 * numbers: its operation, the length of its data, and the first eight bytes of the data. A step
 * does nothing.
 */
#define RK_NAME echo
#define RK_SUMMARY "gives messages and commands back"
#define RK_FIELDS(F)                                                                               \
    F(u64, count, "4", "", "state,output", "messages, their bytes, refused, commands")
#define RK_PHASES(X) X(nothing)
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#include <ringkernel/kernel.h>

enum { COUNT_MESSAGES, COUNT_BYTES, COUNT_REFUSED, COUNT_COMMANDS };

RK_PHASE(nothing)
{
    (void)k;
}

RK_ON_MESSAGE
{
    RK_G rk_u64 *count = RK_FIELD(k, count);
    count[COUNT_MESSAGES] += 1u;
    count[COUNT_BYTES] += message->length;
    if (rk_emit(k, message->type, message->payload, message->length) != RK_SENT) {
        count[COUNT_REFUSED] += 1u;
    }
}

RK_ON_COMMAND
{
    rk_u64 first = 0u;
    for (rk_u32 i = 0u; i < length && i < 8u; i++) {
        first |= (rk_u64)data[i] << (8u * i);
    }
    RK_FIELD(k, count)[COUNT_COMMANDS] += 1u;
    value[0] = op;
    value[1] = length;
    value[2] = first;
    return 0u;
}
