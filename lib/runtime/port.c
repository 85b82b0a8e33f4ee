/*
 * port.c: messages that a kernel emits, and the port of an adapter (port.h).
 *
 * port_lock guards the list of emitted messages and the port; it is the innermost lock of a kernel.
 * A pending message remembers the number of the port that sent it, so that a port that was closed
 * meanwhile is not told.
 */
#include "runtime/port.h"

#include "base/clock.h"
#include "base/wait.h"
#include "runtime/runtime_internal.h"
#include <stdlib.h>
#include <string.h>

void rk_port_init(rk_kernel *kernel)
{
    rk_mutex_init(&kernel->port_lock);
}

void rk_port_finish(rk_kernel *kernel)
{
    while (kernel->emitted_first != NULL) {
        rk_emitted *next = kernel->emitted_first->next;
        free(kernel->emitted_first);
        kernel->emitted_first = next;
    }
    rk_mutex_finish(&kernel->port_lock);
}

/* ---- Emitted messages ---------------------------------------------------------------------- */

/* The oldest one, or NULL. port_lock is held. */
static rk_emitted *pop_locked(rk_kernel *kernel)
{
    rk_emitted *message = kernel->emitted_first;
    if (message != NULL) {
        kernel->emitted_first = message->next;
        kernel->emitted_last = message->next == NULL ? NULL : kernel->emitted_last;
        kernel->emitted_count--;
        kernel->emitted_bytes -= message->header.length;
    }
    return message;
}

void rk_port_emitted(rk_kernel *kernel, const rk_slot *slot, uint32_t bytes)
{
    rk_emitted *message = malloc(sizeof *message + bytes);
    rk_mutex_lock(&kernel->port_lock);
    if (message == NULL) {
        kernel->emitted_dropped++;
        rk_mutex_unlock(&kernel->port_lock);
        return;
    }
    message->next = NULL;
    message->header = (rk_received){.id = slot->header.id,
                                    .type = slot->header.type,
                                    .correlation = slot->header.correlation,
                                    .flags = slot->header.flags,
                                    .length = bytes,
                                    .step = rk_word64_load(&kernel->control->step)};
    memcpy(message->payload, slot->payload, bytes);
    if (kernel->emitted_last != NULL) {
        kernel->emitted_last->next = message;
    } else {
        kernel->emitted_first = message;
    }
    kernel->emitted_last = message;
    kernel->emitted_count++;
    kernel->emitted_bytes += bytes;
    while (kernel->emitted_count > RK_EMITTED_MAX || kernel->emitted_bytes > RK_EMITTED_MAX_BYTES) {
        free(pop_locked(kernel));
        kernel->emitted_dropped++;
    }
    rk_mutex_unlock(&kernel->port_lock);
}

/* The oldest one that was taken from the ring. */
static rk_emitted *pop(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->port_lock);
    rk_emitted *message = pop_locked(kernel);
    rk_mutex_unlock(&kernel->port_lock);
    return message;
}

rk_emitted *rk_port_take(rk_kernel *kernel)
{
    rk_emitted *message = pop(kernel);
    if (message == NULL) {
        rk_commands_look(kernel, rk_port_ended(kernel)); /* then it must not be left out */
        message = pop(kernel);
    }
    return message;
}

rk_status rk_kernel_receive(rk_kernel *kernel, uint64_t timeout_ns, rk_received *out_message,
                            void *out_payload, size_t capacity, rk_err *err)
{
    uint64_t deadline_ns = timeout_ns == RK_FOREVER ? RK_NEVER : rk_clock_deadline_ns(timeout_ns);
    bool late = false;
    for (;;) {
        rk_u32 seen = rk_word_load_acquire(&kernel->drained);
        bool ended = rk_word_load_acquire(&kernel->ended) != 0 &&
                     rk_word_load_acquire(&kernel->resident) == 0;
        if (ended) { /* nobody sleeps with rx held, and the last look must not be left out */
            rk_commands_look(kernel, true);
        }
        rk_emitted *message = pop(kernel);
        if (message != NULL) {
            *out_message = message->header;
            size_t bytes = RK_MIN(capacity, (size_t)message->header.length);
            if (bytes > 0) {
                memcpy(out_payload, message->payload, bytes);
            }
            free(message);
            return RK_OK;
        }
        if (ended) {
            return rk_err_set(err, RK_CLOSED, "kernel '%s' has ended and left no message",
                              kernel->name);
        }
        if (rk_word_load_acquire(&kernel->damaged) != 0) {
            return rk_commands_refuse_damaged(kernel, err);
        }
        if (late) {
            return rk_err_set(err, RK_TIMEOUT, "kernel '%s' has sent no message in time",
                              kernel->name);
        }
        late = rk_commands_wait_turn(kernel, seen, deadline_ns) == RK_TIMEOUT;
    }
}

/* ---- Port ---------------------------------------------------------------------------------- */

rk_status rk_port_open(rk_kernel *kernel, const rk_port_ops *ops, void *context, rk_err *err)
{
    rk_status status = RK_OK;
    rk_mutex_lock(&kernel->tx); /* submitting reads port_number */
    rk_mutex_lock(&kernel->port_lock);
    if (kernel->port != NULL) {
        status = rk_err_set(err, RK_EXISTS, "kernel '%s' is attached already; detach it first",
                            kernel->name);
    } else {
        kernel->port = ops;
        kernel->port_context = context;
        kernel->port_number++;
    }
    rk_mutex_unlock(&kernel->port_lock);
    rk_mutex_unlock(&kernel->tx);
    return status;
}

void rk_port_close(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->port_lock);
    kernel->port = NULL;
    rk_mutex_unlock(&kernel->port_lock);
}

void rk_port_done(rk_kernel *kernel, const rk_pending *pending, rk_status status)
{
    rk_mutex_lock(&kernel->port_lock);
    if (kernel->port != NULL && kernel->port_number == pending->port) {
        kernel->port->done(kernel->port_context, pending->record, status);
    }
    rk_mutex_unlock(&kernel->port_lock);
}

void rk_port_exited(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->port_lock);
    if (kernel->port != NULL) {
        kernel->port->exited(kernel->port_context);
    }
    rk_mutex_unlock(&kernel->port_lock);
}

void rk_port_destroyed(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->port_lock);
    const rk_port_ops *port = kernel->port;
    void *context = kernel->port_context;
    rk_mutex_unlock(&kernel->port_lock);
    if (port != NULL) {
        port->destroyed(context);
    }
}

rk_status rk_port_send(rk_kernel *kernel, uint32_t type, uint16_t flags, uint32_t correlation,
                       const void *data, uint32_t bytes, void *record, rk_err *err)
{
    if (type < RK_MSG_TYPE_USER) {
        return rk_err_set(err, RK_INVALID, "message type %u is reserved; users' start at %u", type,
                          RK_MSG_TYPE_USER);
    }
    rk_msg_header header = {
        .type = type, .flags = flags & (uint16_t)~RK_MSG_SLAB, .correlation = correlation};
    return rk_commands_submit(kernel, &header, data, bytes, record, NULL, err);
}

bool rk_port_ended(const rk_kernel *kernel)
{
    return rk_word_load_acquire(&kernel->ended) != 0;
}

uint32_t rk_port_seen(const rk_kernel *kernel)
{
    return rk_word_load_acquire(&kernel->drained);
}

void rk_port_wait(rk_kernel *kernel, uint32_t seen)
{
    if (rk_word_load_acquire(&kernel->nudged) == 0) {
        (void)rk_commands_wait_turn(kernel, seen,
                                    RK_NEVER); /* what happened is looked for anyway */
    }
    rk_word_store_release(&kernel->nudged, 0);
}

void rk_port_nudge(rk_kernel *kernel)
{
    rk_word_store_release(&kernel->nudged, 1);
    rk_commands_wake(kernel);
    rk_bell_ring(kernel->k2h.own_bell);
}
