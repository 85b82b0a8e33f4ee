/*
 * ring_mp.c: claiming, filling and emptying slots of a ring with many producers.
 *
 * Invariants
 *   1. A claim [t, t+n) is made by a successful swap of tail from t to t+n, after t+n - head <=
 *      capacity was seen for some value of head. head only grows, so the slots are empty.
 *   2. Slot i may be read when its sequence word is i+1, and only then. The word held i+1-capacity
 *      before (or 0), so it needs no reset.
 *   3. cached_head is a hint that all producers share: any earlier value of head. An old value
 *      makes a claim look again, never succeed wrongly.
 */
#include "core/ring_mp.h"

#include <assert.h>

/* How often a claim looks again at words that contradict each other before it calls them damaged.
  */
#define MAX_LOOKS 1000000u

/* Free slots after tail as far as this producer may claim; UINT32_MAX if the words do not agree. */
static rk_u32 room_at(const rk_ring_end *producer, rk_u32 tail, rk_u32 want)
{
    rk_ring *ring = producer->ring;
    rk_u32 used = tail - rk_word_load_acquire(&ring->cached_head);
    if (used > producer->capacity || producer->capacity - used < want) {
        /* Acquire pairs with the consumer's release: the slots up to head are no longer read. */
        rk_u32 head = rk_word_load_acquire(&ring->head);
        used = tail - head;
        if (used > producer->capacity) {
            return UINT32_MAX;
        }
        /* Release: who reads the hint has also what head's release published. */
        rk_word_store_release(&ring->cached_head, head);
    }
    rk_u32 room = producer->capacity - used;
    if (producer->credits) {
        rk_u32 open = rk_word_load_acquire(&ring->granted) - tail;
        room = open > RK_RING_MAX_CREDITS ? 0 : RK_MIN(room, open);
    }
    return room;
}

rk_status rk_ring_mp_claim(const rk_ring_end *producer, uint32_t want, rk_ring_span *out_claim)
{
    rk_ring *ring = producer->ring;
    rk_u32 tail = rk_word_load(&ring->tail);
    for (uint32_t look = 0; look < MAX_LOOKS; look++) {
        rk_u32 room = room_at(producer, tail, want);
        if (room == UINT32_MAX) {
            tail = rk_word_load(&ring->tail); /* other producers and the consumer went on */
            continue;
        }
        rk_u32 count = RK_MIN(want, room);
        if (count == 0) {
            return RK_FULL;
        }
        if (rk_word_cas(&ring->tail, &tail, tail + count)) {
            *out_claim = (rk_ring_span){.first = tail, .count = count};
            return RK_OK;
        }
    }
    return RK_CORRUPT;
}

void rk_ring_mp_commit(const rk_ring_end *producer, const rk_ring_span *claim)
{
    for (rk_u32 i = 0; i < claim->count; i++) {
        rk_u32 index = claim->first + i;
        rk_word_store_release(&producer->sequences[index & producer->mask], index + 1);
    }
    rk_bell_notify(producer->peer_bell);
}

rk_status rk_ring_mp_push(const rk_ring_end *producer, const rk_slot *message)
{
    rk_ring_span claim;
    rk_status status = rk_ring_mp_claim(producer, 1, &claim);
    if (status == RK_OK) {
        *rk_ring_mp_slot(producer, &claim, 0) = *message;
        rk_ring_mp_commit(producer, &claim);
    }
    return status;
}

uint32_t rk_ring_mp_push_batch(const rk_ring_end *producer, const rk_slot *messages, uint32_t count)
{
    rk_ring_span claim;
    if (count == 0 || rk_ring_mp_claim(producer, count, &claim) != RK_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < claim.count; i++) {
        *rk_ring_mp_slot(producer, &claim, i) = messages[i];
    }
    rk_ring_mp_commit(producer, &claim);
    return claim.count;
}

/* Moves limit over filled slots, to at most `want` slots from index; returns how many there are. */
static uint32_t look_filled(rk_ring_end *consumer, uint32_t want)
{
    want = RK_MIN(want, consumer->capacity);
    rk_u32 limit = consumer->limit;
    while (limit - consumer->index < want) {
        /* Acquire pairs with the commit of the slot. */
        if (rk_word_load_acquire(&consumer->sequences[limit & consumer->mask]) != limit + 1) {
            break;
        }
        limit++;
    }
    consumer->limit = limit;
    return RK_MIN(want, limit - consumer->index);
}

uint32_t rk_ring_mp_peek(rk_ring_end *consumer, uint32_t want, const rk_slot **out_first)
{
    rk_u32 first = consumer->index & consumer->mask;
    *out_first = &consumer->slots[first];
    return look_filled(consumer, RK_MIN(want, consumer->capacity - first));
}

void rk_ring_mp_release(rk_ring_end *consumer, uint32_t count)
{
    assert(count <= consumer->limit - consumer->index);
    consumer->index += count;
    rk_word_store_release(&consumer->ring->head, consumer->index);
    rk_bell_notify(consumer->peer_bell);
}

rk_status rk_ring_mp_pop(rk_ring_end *consumer, rk_slot *out_message)
{
    return rk_ring_mp_pop_batch(consumer, out_message, 1) == 1 ? RK_OK : RK_EMPTY;
}

uint32_t rk_ring_mp_pop_batch(rk_ring_end *consumer, rk_slot *out_messages, uint32_t count)
{
    uint32_t filled = look_filled(consumer, count);
    if (filled == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < filled; i++) {
        out_messages[i] = consumer->slots[(consumer->index + i) & consumer->mask];
    }
    rk_ring_mp_release(consumer, filled);
    return filled;
}
