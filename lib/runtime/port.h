/*
 * port.h: what an adapter that stands between a kernel and others (lib/fabric) needs of the runtime
 * beyond the public API: messages that report when they were applied, emitted messages without a
 * copy, and a wait that ends on all of it.
 */
#ifndef RK_RUNTIME_PORT_H
#define RK_RUNTIME_PORT_H

#include <ringkernel/command.h>

/*
 * Called by the runtime. done and exited run with locks of the kernel held, in any thread: they
 * note it and return, and call nothing of the kernel.
 *   done       the message of this record was applied (RK_OK), or never will be (why)
 *   exited     the kernel has left its device for good or to be restarted: its state is gone; done
 *              was called for every message before
 *   destroyed  the kernel is being destroyed: it must not be used after the return. No lock held.
 */
typedef struct rk_port_ops {
    void (*done)(void *context, void *record, rk_status status);
    void (*exited)(void *context);
    void (*destroyed)(void *context);
} rk_port_ops;

/* A message that the kernel emitted. */
typedef struct rk_emitted {
    struct rk_emitted *next;
    rk_received header;
    uint8_t payload[];
} rk_emitted;

/* One port per kernel: RK_EXISTS. ops and context stay the caller's until the close. */
rk_status rk_port_open(rk_kernel *kernel, const rk_port_ops *ops, void *context, rk_err *err);

/* After it returns no operation is called any more; messages on their way are applied, untold. */
void rk_port_close(rk_kernel *kernel);

/*
 * Puts a message into the kernel's ring, also of one that is parked or not started yet. Does not
 * wait. record (not NULL) comes back in done, once, perhaps before this returns; after an error it
 * does not. RK_FULL (no room now), RK_LIMIT (payload too long ever), RK_STATE (between failure and
 * restart), RK_CLOSED, RK_PANIC, RK_FAULT (it has ended), RK_INVALID (type).
 */
rk_status rk_port_send(rk_kernel *kernel, uint32_t type, uint16_t flags, uint32_t correlation,
                       const void *data, uint32_t bytes, void *record, rk_err *err);

/* The next emitted message, or NULL. The caller frees it with free(). */
rk_emitted *rk_port_take(rk_kernel *kernel);

/* Whether the kernel has ended for good: every done has been called or will be shortly. */
bool rk_port_ended(const rk_kernel *kernel);

/* Sleeps until done, exited, an emitted message, an end, a start or a nudge since `seen` was read.
 * May return without cause. One thread per kernel. */
uint32_t rk_port_seen(const rk_kernel *kernel);
void rk_port_wait(rk_kernel *kernel, uint32_t seen);
void rk_port_nudge(rk_kernel *kernel);

#endif
