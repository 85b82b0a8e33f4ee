/*
 * ring_lossy.h: a ring whose producer drops the oldest message when there is no room.
 *
 * For readers that want the newest state: live figures, positions, previews. Both sides move head
 * by compare-and-swap; slots are copied word by word, and a copy counts only if head had not moved.
 * One producer thread, one consumer thread, hosts only. Attach, wait and depth: core/ring.h.
 */
#ifndef RK_CORE_RING_LOSSY_H
#define RK_CORE_RING_LOSSY_H

#include "core/ring.h"

/*
 * Publishes a message. RK_OK; RK_FULL means that it was published as well, and that the oldest
 * message was taken out into *out_dropped, which now belongs to the caller. RK_CORRUPT.
 */
rk_status rk_ring_lossy_push(rk_ring_end *producer, const rk_slot *message, rk_slot *out_dropped);

/* RK_OK, RK_EMPTY, RK_CORRUPT. */
rk_status rk_ring_lossy_pop(rk_ring_end *consumer, rk_slot *out_message);

#endif
