/*
 * ring_lossy.c: the ring whose producer drops the oldest message.
 *
 * Invariants
 *   1. The producer overwrites slot i only after head has passed i, by its own swap or the
 *      consumer's.
 *   2. The consumer copies slot i, then swaps head from i to i+1. If the swap succeeds, the
 *      producer had not passed i before it, so nothing overwrote the slot while it was copied.
 *   3. Only the producer writes slots, so its own reads of them need no order.
 */
#include "core/ring_lossy.h"

#include <string.h>

#define WORDS_PER_SLOT (RK_SLOT_BYTES / sizeof(rk_u64))

/* A consumer that loses its swap this often in a row is looking at damaged words. */
#define MAX_TRIES 1000000u

/* The consumer may read while the producer writes: both use atomic words. */
static void store_slot(rk_slot *slot, const rk_slot *message)
{
    rk_u64 words[WORDS_PER_SLOT];
    memcpy(words, message, sizeof words);
    rk_u64 *to = (rk_u64 *)(void *)slot;
    for (size_t i = 0; i < WORDS_PER_SLOT; i++) {
        rk_word64_store(&to[i], words[i]);
    }
}

static void load_slot(rk_slot *out_message, const rk_slot *slot)
{
    rk_u64 words[WORDS_PER_SLOT];
    const rk_u64 *from = (const rk_u64 *)(const void *)slot;
    for (size_t i = 0; i < WORDS_PER_SLOT; i++) {
        words[i] = rk_word64_load(&from[i]);
    }
    memcpy(out_message, words, sizeof words);
}

rk_status rk_ring_lossy_push(rk_ring_end *producer, const rk_slot *message, rk_slot *out_dropped)
{
    rk_ring *ring = producer->ring;
    rk_u32 index = producer->index;
    rk_status status = RK_OK;
    rk_u32 head = rk_word_load_acquire(&ring->head);
    if (index - head == producer->capacity) {
        rk_slot oldest;
        load_slot(&oldest, &producer->slots[head & producer->mask]);
        /* Failure means that the consumer has just taken it: there is room. */
        if (rk_word_cas(&ring->head, &head, head + 1)) {
            *out_dropped = oldest;
            status = RK_FULL;
        }
    }
    if (producer->corrupt || index - head > producer->capacity) {
        producer->corrupt = true;
        return RK_CORRUPT;
    }
    store_slot(&producer->slots[index & producer->mask], message);
    producer->index = index + 1;
    rk_word_store_release(&ring->tail, index + 1);
    rk_bell_notify(producer->peer_bell);
    return status;
}

rk_status rk_ring_lossy_pop(rk_ring_end *consumer, rk_slot *out_message)
{
    rk_ring *ring = consumer->ring;
    rk_u32 head = rk_word_load_acquire(&ring->head);
    for (unsigned try = 0; try < MAX_TRIES; try++) {
        /* Acquire pairs with the producer's release. Loaded after head, so it is never behind it.
          */
        rk_u32 filled = rk_word_load_acquire(&ring->tail) - head;
        if (filled == 0) {
            return RK_EMPTY;
        }
        rk_slot copy;
        load_slot(&copy, &consumer->slots[head & consumer->mask]);
        /* The swap's release keeps the copy before it; on failure head holds the new value. */
        if (rk_word_cas(&ring->head, &head, head + 1)) {
            consumer->index = head + 1;
            *out_message = copy;
            return RK_OK;
        }
    }
    return RK_CORRUPT;
}
