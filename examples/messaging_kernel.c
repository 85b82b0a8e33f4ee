/*
 * messaging_kernel.c: the kernel of messaging.c. It doubles the numbers that it is sent.
 */
#define RK_NAME doubler
#define RK_SUMMARY "doubles the numbers that it is sent"
#define RK_HAS_MESSAGE 1
#include <ringkernel/kernel.h>

RK_ON_MESSAGE
{
    rk_u64 value = 2u * *(RK_G const rk_u64 *)message->payload;
    if (rk_emit_reply(k, message, 301u, &value, sizeof value) == RK_SEND_NO_ROUTE) {
        (void)rk_emit(k, 300u, &value, sizeof value); /* no request: pass it on */
    }
}
