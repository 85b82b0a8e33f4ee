/*
 * ring.c: laying out, attaching and waiting for all kinds of rings, and the SPSC batch operations.
 *
 * Words of the other side are read here and nowhere else on the SPSC path, and are checked before
 * they become a limit: limit - index never exceeds capacity, whatever the peer writes.
 */
#include "core/ring.h"

#include "base/clock.h"

#include <assert.h>
#include <string.h>

static bool capacity_allowed(uint32_t capacity)
{
    return capacity >= RK_RING_MIN_SLOTS && capacity <= RK_RING_MAX_SLOTS &&
           (capacity & (capacity - 1)) == 0;
}

static bool kind_allowed(uint32_t kind)
{
    return kind == RK_RING_SPSC || kind == RK_RING_MPSC || kind == RK_RING_LOSSY;
}

uint64_t rk_ring_bytes(uint32_t kind, uint32_t capacity)
{
    if (!kind_allowed(kind) || !capacity_allowed(capacity)) {
        return 0;
    }
    return kind == RK_RING_MPSC ? RK_RING_MPSC_BYTES(capacity) : RK_RING_SPSC_BYTES(capacity);
}

rk_status rk_ring_init(void *memory, uint64_t bytes, uint32_t kind, uint32_t capacity,
                       uint32_t flags, rk_err *err)
{
    uint64_t needed = rk_ring_bytes(kind, capacity);
    if (needed == 0) {
        return rk_err_set(err, RK_INVALID,
                          "cannot lay out a ring of kind %u with %u slots: use a known kind and a "
                          "power of two from %u to %u",
                          kind, capacity, RK_RING_MIN_SLOTS, RK_RING_MAX_SLOTS);
    }
    if ((flags & ~RK_RING_CREDITS) != 0 || (kind == RK_RING_LOSSY && flags != 0)) {
        return rk_err_set(err, RK_INVALID, "cannot lay out a ring of kind %u with flags 0x%x", kind,
                          flags);
    }
    if (memory == NULL || (uintptr_t)memory % RK_RING_ALIGN_BYTES != 0) {
        return rk_err_set(err, RK_INVALID, "cannot lay out a ring at %p: align it to %u bytes",
                          memory, RK_RING_ALIGN_BYTES);
    }
    if (bytes < needed) {
        return rk_err_set(err, RK_NO_SPACE,
                          "a ring with %u slots takes %llu bytes, there are %llu: use fewer slots",
                          capacity, (unsigned long long)needed, (unsigned long long)bytes);
    }
    rk_ring *ring = memory;
    memset(ring, 0, (size_t)needed);
    ring->kind = kind;
    ring->capacity = capacity;
    ring->flags = flags;
    ring->slots = sizeof *ring;
    if (kind == RK_RING_MPSC) {
        ring->sequences = RK_RING_SPSC_BYTES(capacity);
    }
    ring->consumer_bell = offsetof(rk_ring, bells);
    ring->producer_bell = offsetof(rk_ring, bells) + sizeof(rk_bell);
    rk_word_store_release(&ring->magic, RK_RING_MAGIC);
    return RK_OK;
}

void rk_ring_set_bell(rk_ring *ring, rk_ring_side side, const rk_bell *bell)
{
    rk_u64 offset = (rk_u64)(uintptr_t)bell - (rk_u64)(uintptr_t)ring;
    if (side == RK_RING_PRODUCER) {
        ring->producer_bell = offset;
    } else {
        ring->consumer_bell = offset;
    }
}

/* Whether `bytes` bytes at offset lie inside a region and are aligned. */
static bool lies_inside(uint64_t offset, uint64_t bytes, uint64_t region_bytes, uint64_t align)
{
    return bytes <= region_bytes && offset <= region_bytes - bytes && offset % align == 0;
}

/* Reads where a bell lies and sets *out_bell; RK_NO_SPACE if it is outside the region. */
static rk_status find_bell(const rk_u64 *word, void *region, uint64_t region_bytes, uint64_t ring,
                           rk_bell **out_bell, rk_err *err)
{
    uint64_t offset = ring + rk_word64_load(word); /* mod 2^64: it may lie before the ring */
    if (!lies_inside(offset, sizeof(rk_bell), region_bytes, sizeof(rk_u32))) {
        return rk_err_set(err, RK_NO_SPACE,
                          "the ring at offset %llu names a bell outside its region",
                          (unsigned long long)ring);
    }
    *out_bell = (rk_bell *)(void *)((char *)region + offset);
    return RK_OK;
}

/* Fills in what the constants of the ring say. Each is read once: the peer may change them. */
static rk_status read_constants(rk_ring_end *end, void *region, uint64_t region_bytes,
                                uint64_t offset, rk_err *err)
{
    rk_ring *ring = end->ring;
    unsigned long long at = offset;
    if (rk_word_load_acquire(&ring->magic) != RK_RING_MAGIC) {
        return rk_err_set(err, RK_CORRUPT, "no ring at offset %llu: the magic number is wrong", at);
    }
    end->kind = rk_word_load(&ring->kind);
    end->capacity = rk_word_load(&ring->capacity);
    rk_u32 flags = rk_word_load(&ring->flags);
    if (rk_ring_bytes(end->kind, end->capacity) == 0 || (flags & ~RK_RING_CREDITS) != 0) {
        return rk_err_set(err, RK_CORRUPT,
                          "the ring at offset %llu is damaged: kind %u, %u slots, flags 0x%x", at,
                          end->kind, end->capacity, flags);
    }
    end->mask = end->capacity - 1;
    end->credits = (flags & RK_RING_CREDITS) != 0;

    uint64_t room = region_bytes - offset;
    uint64_t slots = rk_word64_load(&ring->slots);
    uint64_t sequences = rk_word64_load(&ring->sequences);
    bool fits = slots >= sizeof *ring &&
                lies_inside(slots, (uint64_t)end->capacity * RK_SLOT_BYTES, room, RK_SLOT_BYTES);
    if (end->kind == RK_RING_MPSC) {
        fits =
            fits && sequences >= sizeof *ring &&
            lies_inside(sequences, (uint64_t)end->capacity * sizeof(rk_u32), room, sizeof(rk_u32));
        end->sequences = (rk_u32 *)(void *)((char *)ring + (fits ? sequences : 0));
    }
    if (!fits) {
        return rk_err_set(err, RK_NO_SPACE,
                          "the ring at offset %llu with %u slots does not lie inside its region of "
                          "%llu bytes",
                          at, end->capacity, (unsigned long long)region_bytes);
    }
    end->slots = (rk_slot *)(void *)((char *)ring + slots);

    bool produces = end->side == RK_RING_PRODUCER;
    const rk_u64 *own = produces ? &ring->producer_bell : &ring->consumer_bell;
    const rk_u64 *peer = produces ? &ring->consumer_bell : &ring->producer_bell;
    rk_status status = find_bell(own, region, region_bytes, offset, &end->own_bell, err);
    if (status == RK_OK) {
        status = find_bell(peer, region, region_bytes, offset, &end->peer_bell, err);
    }
    return status;
}

rk_status rk_ring_attach(rk_ring_end *end, rk_ring_side side, void *region, uint64_t region_bytes,
                         uint64_t offset, rk_err *err)
{
    if (region == NULL || (uintptr_t)region % RK_RING_ALIGN_BYTES != 0 ||
        !lies_inside(offset, sizeof(rk_ring), region_bytes, RK_RING_ALIGN_BYTES)) {
        return rk_err_set(err, RK_INVALID,
                          "cannot attach to a ring at offset %llu of a region of %llu bytes at %p: "
                          "it must lie inside, aligned to %u bytes",
                          (unsigned long long)offset, (unsigned long long)region_bytes, region,
                          RK_RING_ALIGN_BYTES);
    }
    rk_ring_end found = {.ring = (rk_ring *)(void *)((char *)region + offset), .side = side};
    rk_status status = read_constants(&found, region, region_bytes, offset, err);
    if (status != RK_OK) {
        return status;
    }
    rk_u32 tail = rk_word_load_acquire(&found.ring->tail);
    rk_u32 head = rk_word_load_acquire(&found.ring->head);
    /* The other side may be at work: head may have passed the tail that was read before it. */
    if (tail - head > found.capacity && head - tail > found.capacity) {
        return rk_err_set(err, RK_CORRUPT,
                          "the ring at offset %llu is damaged: head %u, tail %u, %u slots",
                          (unsigned long long)offset, head, tail, found.capacity);
    }
    found.index = side == RK_RING_PRODUCER ? tail : head;
    found.limit = found.index;
    rk_bell_setup();
    *end = found;
    return RK_OK;
}

uint32_t rk_ring_depth(const rk_ring_end *end)
{
    rk_u32 head = rk_word_load_acquire(&end->ring->head);
    rk_u32 used = rk_word_load_acquire(&end->ring->tail) - head;
    /* The words are read one after the other: tail may have gone on by more than the ring holds. */
    return RK_MIN(used, end->capacity);
}

rk_status rk_ring_grant(rk_ring_end *consumer, uint32_t count)
{
    if (!consumer->credits) {
        return RK_STATE;
    }
    rk_u32 granted = rk_word_load(&consumer->ring->granted);
    if (count > RK_RING_MAX_CREDITS || granted - consumer->index > RK_RING_MAX_CREDITS - count) {
        return RK_LIMIT;
    }
    rk_word_store_release(&consumer->ring->granted, granted + count);
    rk_bell_notify(consumer->peer_bell);
    return RK_OK;
}

/* --- waiting ---------------------------------------------------------------------------------- */

bool rk_ring_has_message(const rk_ring_end *consumer)
{
    rk_u32 index = consumer->index;
    switch (consumer->kind) {
    case RK_RING_MPSC:
        return rk_word_load_acquire(&consumer->sequences[index & consumer->mask]) == index + 1;
    case RK_RING_LOSSY:
        return rk_word_load_acquire(&consumer->ring->tail) !=
               rk_word_load_acquire(&consumer->ring->head);
    default: return rk_word_load_acquire(&consumer->ring->tail) != index;
    }
}

static bool message_ready(void *context)
{
    return rk_ring_has_message(context);
}

rk_status rk_ring_wait_message(rk_ring_end *consumer, uint64_t deadline_ns, unsigned spin_ns)
{
    if (consumer->corrupt) {
        return RK_CORRUPT;
    }
    return rk_bell_wait(consumer->own_bell, message_ready, consumer, deadline_ns, spin_ns);
}

typedef struct room_wait {
    const rk_ring_end *producer;
    uint32_t count;
    bool corrupt;
} room_wait;

static bool room_ready(void *context)
{
    room_wait *wait = context;
    const rk_ring_end *end = wait->producer;
    bool shared = end->kind == RK_RING_MPSC;
    rk_u32 tail = shared ? rk_word_load_acquire(&end->ring->tail) : end->index;
    rk_u32 used = tail - rk_word_load_acquire(&end->ring->head);
    if (used > end->capacity) {
        /* Other producers may have moved tail in between; a single producer's tail is its own. */
        wait->corrupt = !shared;
        return !shared;
    }
    if (end->capacity - used < wait->count) {
        return false;
    }
    rk_u32 open = rk_word_load_acquire(&end->ring->granted) - tail;
    return !end->credits || (open <= RK_RING_MAX_CREDITS && open >= wait->count);
}

rk_status rk_ring_wait_room(rk_ring_end *producer, uint32_t count, uint64_t deadline_ns,
                            unsigned spin_ns)
{
    if (count > producer->capacity) {
        return RK_INVALID;
    }
    if (producer->corrupt) {
        return RK_CORRUPT;
    }
    if (producer->kind == RK_RING_LOSSY) {
        return RK_OK;
    }
    room_wait wait = {.producer = producer, .count = count};
    rk_status status = rk_bell_wait(producer->own_bell, room_ready, &wait, deadline_ns, spin_ns);
    return wait.corrupt ? RK_CORRUPT : status;
}

/* --- SPSC ------------------------------------------------------------------------------------- */

rk_status rk_ring_look_room(rk_ring_end *producer)
{
    /* Acquire pairs with the consumer's release: the slots up to head are no longer read. */
    rk_u32 head = rk_word_load_acquire(&producer->ring->head);
    rk_u32 used = producer->index - head;
    if (producer->corrupt || used > producer->capacity) {
        producer->corrupt = true;
        producer->limit = producer->index;
        return RK_CORRUPT;
    }
    rk_u32 room = producer->capacity - used;
    if (producer->credits) {
        rk_u32 open = rk_word_load_acquire(&producer->ring->granted) - producer->index;
        /* A grant below index was taken back: a consumer that does so gives no credit. */
        room = open > RK_RING_MAX_CREDITS ? 0 : RK_MIN(room, open);
    }
    producer->limit = producer->index + room;
    return room != 0 ? RK_OK : RK_FULL;
}

rk_status rk_ring_look_message(rk_ring_end *consumer)
{
    /* Acquire pairs with the producer's release: the slots up to tail are filled. */
    rk_u32 tail = rk_word_load_acquire(&consumer->ring->tail);
    rk_u32 filled = tail - consumer->index;
    if (consumer->corrupt || filled > consumer->capacity) {
        consumer->corrupt = true;
        consumer->limit = consumer->index;
        return RK_CORRUPT;
    }
    consumer->limit = tail;
    return filled != 0 ? RK_OK : RK_EMPTY;
}

/* How many of `want` slots the end may use from its index on, and the first of them. */
static uint32_t run_of(const rk_ring_end *end, uint32_t want, rk_slot **out_first)
{
    rk_u32 first = end->index & end->mask;
    *out_first = &end->slots[first];
    uint32_t run = RK_MIN(want, end->limit - end->index);
    return RK_MIN(run, end->capacity - first);
}

uint32_t rk_ring_reserve(rk_ring_end *producer, uint32_t want, rk_slot **out_first)
{
    if (producer->limit - producer->index < want) {
        (void)rk_ring_look_room(producer); /* limit says it all */
    }
    return run_of(producer, want, out_first);
}

uint32_t rk_ring_peek(rk_ring_end *consumer, uint32_t want, const rk_slot **out_first)
{
    if (consumer->limit - consumer->index < want) {
        (void)rk_ring_look_message(consumer); /* limit says it all */
    }
    rk_slot *first;
    uint32_t run = run_of(consumer, want, &first);
    *out_first = first;
    return run;
}

void rk_ring_commit(rk_ring_end *producer, uint32_t count)
{
    assert(count <= producer->limit - producer->index);
    producer->index += count;
    rk_word_store_release(&producer->ring->tail, producer->index);
    rk_bell_notify(producer->peer_bell);
}

void rk_ring_release(rk_ring_end *consumer, uint32_t count)
{
    assert(count <= consumer->limit - consumer->index);
    consumer->index += count;
    rk_word_store_release(&consumer->ring->head, consumer->index);
    rk_bell_notify(consumer->peer_bell);
}

uint32_t rk_ring_push_batch(rk_ring_end *producer, const rk_slot *messages, uint32_t count)
{
    if (producer->limit - producer->index < count) {
        (void)rk_ring_look_room(producer); /* limit says it all */
    }
    rk_u32 index = producer->index;
    count = RK_MIN(count, producer->limit - index);
    if (count == 0) {
        return 0;
    }
    rk_u32 owned = producer->limit - index;
    for (uint32_t i = 0; i < count; i++) {
        if (owned - i > RK_RING_PREFETCH_FREE) {
            RK_PREFETCH_WRITE(
                &producer->slots[(index + i + RK_RING_PREFETCH_FREE) & producer->mask]);
        }
        producer->slots[(index + i) & producer->mask] = messages[i];
    }
    rk_ring_commit(producer, count);
    return count;
}

uint32_t rk_ring_pop_batch(rk_ring_end *consumer, rk_slot *out_messages, uint32_t count)
{
    if (consumer->limit - consumer->index < count) {
        (void)rk_ring_look_message(consumer); /* limit says it all */
    }
    rk_u32 index = consumer->index;
    count = RK_MIN(count, consumer->limit - index);
    if (count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        out_messages[i] = consumer->slots[(index + i) & consumer->mask];
    }
    rk_ring_release(consumer, count);
    return count;
}
