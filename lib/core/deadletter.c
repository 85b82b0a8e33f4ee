/*
 * deadletter.c: the bounded queue of undelivered messages.
 *
 * Slots are an array sorted by sequence number, used as [first, end). A letter that leaves from the
 * middle leaves an empty slot; empty slots at the front go at once, the others when they outnumber
 * the letters, so every operation is amortised O(1) or O(log n).
 *
 * Invariants, under the lock:
 *   - slots[first], if first < end, is not empty;
 *   - count is the number of slots that are not empty, bytes their sum;
 *   - the queue holds one reference on each letter in a slot; a walk or replay holds another while
 *     it calls back without the lock, so a letter can be evicted under it and is freed afterwards.
 */
#include "base/clock.h"
#include "base/thread.h"
#include <ringkernel/deadletter.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_COUNT 10000u
#define MAX_COUNT (1u << 24)
#define DEFAULT_BYTES (64ull << 20)

typedef struct letter {
    rk_deadletter view; /* its pointers go into data */
    uint64_t bytes;
    unsigned refs;
    bool replaying;
    unsigned char data[];
} letter;

typedef struct slot {
    uint64_t seq;
    letter *letter; /* NULL: empty */
} slot;

struct rk_deadletter_queue {
    rk_mutex lock;
    rk_deadletter_limits limits;
    uint64_t next_seq;
    slot *slots;
    size_t first, end, capacity;
    rk_deadletter_stats stats;
};

const char *rk_deadletter_reason_name(rk_deadletter_reason reason)
{
    switch (reason) {
#define REASON_NAME(symbol, value, name)                                                           \
    case RK_DEADLETTER_##symbol: return name;
        RK_DEADLETTER_REASON_LIST(REASON_NAME)
#undef REASON_NAME
    }
    return "unknown";
}

rk_status rk_deadletter_queue_create(const rk_deadletter_limits *limits,
                                     rk_deadletter_queue **out_queue)
{
    if (limits != NULL && limits->max_count > MAX_COUNT) {
        return RK_INVALID;
    }
    rk_deadletter_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return RK_NO_MEMORY;
    }
    rk_mutex_init(&queue->lock);
    if (limits != NULL) {
        queue->limits = *limits;
    }
    if (queue->limits.max_count == 0) {
        queue->limits.max_count = DEFAULT_COUNT;
    }
    if (queue->limits.max_bytes == 0) {
        queue->limits.max_bytes = DEFAULT_BYTES;
    }
    queue->next_seq = 1;
    *out_queue = queue;
    return RK_OK;
}

void rk_deadletter_queue_destroy(rk_deadletter_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    for (size_t i = queue->first; i < queue->end; i++) {
        free(queue->slots[i].letter);
    }
    free(queue->slots);
    rk_mutex_finish(&queue->lock);
    free(queue);
}

/* Drops one reference; lock held. */
static void letter_unref(letter *l)
{
    if (--l->refs == 0) {
        free(l);
    }
}

/* Moves the letters to the front of the array; lock held. */
static void compact(rk_deadletter_queue *queue)
{
    size_t to = 0;
    for (size_t i = queue->first; i < queue->end; i++) {
        if (queue->slots[i].letter != NULL) {
            queue->slots[to++] = queue->slots[i];
        }
    }
    queue->first = 0;
    queue->end = to;
}

/* Empties a slot and drops the queue's reference; lock held. Indices stay valid until the next add.
 */
static void slot_clear(rk_deadletter_queue *queue, size_t index)
{
    letter *l = queue->slots[index].letter;
    queue->stats.count--;
    queue->stats.bytes -= l->bytes;
    queue->slots[index].letter = NULL;
    letter_unref(l);
    while (queue->first < queue->end && queue->slots[queue->first].letter == NULL) {
        queue->first++;
    }
}

/* Makes slots[end] usable; lock held. */
static bool slot_reserve(rk_deadletter_queue *queue)
{
    if (queue->end < queue->capacity) {
        return true;
    }
    if (queue->stats.count <= queue->capacity / 2) {
        compact(queue);
        if (queue->end < queue->capacity) {
            return true;
        }
    }
    size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
    slot *slots = realloc(queue->slots, capacity * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    queue->slots = slots;
    queue->capacity = capacity;
    return true;
}

/* The first slot with a sequence number of at least seq; lock held. */
static size_t slot_find(const rk_deadletter_queue *queue, uint64_t seq)
{
    size_t low = queue->first;
    size_t high = queue->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queue->slots[middle].seq < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The slot of exactly this letter, or end; lock held. */
static size_t slot_of(const rk_deadletter_queue *queue, uint64_t seq)
{
    size_t index = slot_find(queue, seq);
    if (index < queue->end && queue->slots[index].seq == seq &&
        queue->slots[index].letter != NULL) {
        return index;
    }
    return queue->end;
}

static letter *letter_copy(const rk_deadletter *from)
{
    size_t bytes = (size_t)from->header_bytes + from->payload_bytes;
    letter *l = malloc(sizeof *l + bytes);
    if (l == NULL) {
        return NULL;
    }
    l->view = *from;
    l->bytes = sizeof *l + sizeof(slot) + bytes;
    l->refs = 1;
    l->replaying = false;
    l->view.header = l->data;
    l->view.payload = l->data + from->header_bytes;
    if (from->header_bytes != 0) {
        memcpy(l->data, from->header, from->header_bytes);
    }
    if (from->payload_bytes != 0) {
        memcpy(l->data + from->header_bytes, from->payload, from->payload_bytes);
    }
    if (l->view.time_ns == 0) {
        l->view.time_ns = rk_clock_realtime_ns();
    }
    return l;
}

rk_status rk_deadletter_queue_add(rk_deadletter_queue *queue, const rk_deadletter *from)
{
    if ((unsigned)from->reason >= RK_DEADLETTER_REASON_COUNT ||
        (from->header_bytes != 0 && from->header == NULL) ||
        (from->payload_bytes != 0 && from->payload == NULL)) {
        return RK_INVALID;
    }
    rk_status status = RK_OK;
    uint64_t bytes =
        sizeof(letter) + sizeof(slot) + (uint64_t)from->header_bytes + from->payload_bytes;
    letter *l = NULL;
    if (bytes > queue->limits.max_bytes) {
        status = RK_LIMIT;
    } else {
        l = letter_copy(from);
        status = l == NULL ? RK_NO_MEMORY : RK_OK;
    }
    rk_mutex_lock(&queue->lock);
    if (l == NULL || !slot_reserve(queue)) {
        queue->stats.lost++;
        rk_mutex_unlock(&queue->lock);
        free(l);
        return status == RK_OK ? RK_NO_MEMORY : status;
    }
    while (queue->stats.count >= queue->limits.max_count ||
           queue->stats.bytes + l->bytes > queue->limits.max_bytes) {
        slot_clear(queue, queue->first);
        queue->stats.evicted++;
    }
    l->view.seq = queue->next_seq++;
    queue->slots[queue->end++] = (slot){l->view.seq, l};
    queue->stats.count++;
    queue->stats.bytes += l->bytes;
    queue->stats.added++;
    queue->stats.added_by_reason[from->reason]++;
    rk_mutex_unlock(&queue->lock);
    return RK_OK;
}

static bool matches(const rk_deadletter_filter *filter, const rk_deadletter *view)
{
    if (filter == NULL) {
        return true;
    }
    return (filter->reasons == 0 || (filter->reasons & (1u << view->reason)) != 0) &&
           (!filter->by_type || filter->type == view->type) &&
           (!filter->by_destination || filter->destination == view->destination) &&
           view->time_ns >= filter->from_ns &&
           (filter->to_ns == 0 || view->time_ns < filter->to_ns);
}

/*
 * The next matching letter after *cursor and at most last, with a reference for the caller, or
 * NULL; lock held.
 */
static letter *next_matching(rk_deadletter_queue *queue, const rk_deadletter_filter *filter,
                             uint64_t *cursor, uint64_t last)
{
    for (size_t i = slot_find(queue, *cursor + 1); i < queue->end && queue->slots[i].seq <= last;
         i++) {
        letter *l = queue->slots[i].letter;
        *cursor = queue->slots[i].seq;
        if (l != NULL && matches(filter, &l->view)) {
            l->refs++;
            return l;
        }
    }
    return NULL;
}

uint64_t rk_deadletter_queue_browse(rk_deadletter_queue *queue, const rk_deadletter_filter *filter,
                                    uint64_t *cursor, uint64_t max_count, rk_deadletter_visit visit,
                                    void *context)
{
    uint64_t visited = 0;
    bool more = true;
    rk_mutex_lock(&queue->lock);
    while (more && visited < max_count) {
        letter *l = next_matching(queue, filter, cursor, UINT64_MAX);
        if (l == NULL) {
            break;
        }
        /* A copy: attempts may change while the visitor reads. */
        rk_deadletter view = l->view;
        rk_mutex_unlock(&queue->lock);
        more = visit(context, &view);
        visited++;
        rk_mutex_lock(&queue->lock);
        letter_unref(l);
    }
    rk_mutex_unlock(&queue->lock);
    return visited;
}

/* Sends a letter on which the caller holds a reference, and drops that; lock held, except during
 * the send. */
static rk_status replay_consume(rk_deadletter_queue *queue, letter *l, rk_deadletter_send send,
                                void *context)
{
    uint64_t seq = l->view.seq;
    rk_deadletter view = l->view;
    l->replaying = true;
    rk_mutex_unlock(&queue->lock);
    rk_status status = send(context, &view);
    rk_mutex_lock(&queue->lock);
    l->replaying = false;
    if (status == RK_OK) {
        size_t index = slot_of(queue, seq);
        if (index < queue->end) {
            slot_clear(queue, index);
            queue->stats.replayed++;
        }
    } else {
        l->view.attempts++;
        queue->stats.replays_failed++;
    }
    letter_unref(l);
    return status;
}

rk_status rk_deadletter_queue_replay(rk_deadletter_queue *queue, uint64_t seq,
                                     rk_deadletter_send send, void *context)
{
    rk_mutex_lock(&queue->lock);
    rk_status status = RK_NOT_FOUND;
    size_t index = slot_of(queue, seq);
    if (index < queue->end) {
        letter *l = queue->slots[index].letter;
        if (l->replaying) {
            status = RK_BUSY;
        } else {
            l->refs++;
            status = replay_consume(queue, l, send, context);
        }
    }
    rk_mutex_unlock(&queue->lock);
    return status;
}

void rk_deadletter_queue_replay_matching(rk_deadletter_queue *queue,
                                         const rk_deadletter_filter *filter,
                                         rk_deadletter_send send, void *context, uint64_t *out_sent,
                                         uint64_t *out_failed)
{
    uint64_t sent = 0;
    uint64_t failed = 0;
    uint64_t cursor = 0;
    rk_mutex_lock(&queue->lock);
    uint64_t last = queue->next_seq - 1;
    letter *l;
    while ((l = next_matching(queue, filter, &cursor, last)) != NULL) {
        if (l->replaying) {
            letter_unref(l);
        } else if (replay_consume(queue, l, send, context) == RK_OK) {
            sent++;
        } else {
            failed++;
        }
    }
    rk_mutex_unlock(&queue->lock);
    if (out_sent != NULL) {
        *out_sent = sent;
    }
    if (out_failed != NULL) {
        *out_failed = failed;
    }
}

rk_status rk_deadletter_queue_discard(rk_deadletter_queue *queue, uint64_t seq)
{
    rk_mutex_lock(&queue->lock);
    size_t index = slot_of(queue, seq);
    bool found = index < queue->end;
    if (found) {
        slot_clear(queue, index);
        queue->stats.discarded++;
    }
    rk_mutex_unlock(&queue->lock);
    return found ? RK_OK : RK_NOT_FOUND;
}

uint64_t rk_deadletter_queue_expire(rk_deadletter_queue *queue, uint64_t before_ns)
{
    uint64_t expired = 0;
    rk_mutex_lock(&queue->lock);
    /* All of them: the wall clock may have been set back between two letters. */
    for (size_t i = queue->first; i < queue->end; i++) {
        letter *l = queue->slots[i].letter;
        if (l != NULL && l->view.time_ns < before_ns) {
            slot_clear(queue, i);
            expired++;
        }
    }
    queue->stats.expired += expired;
    rk_mutex_unlock(&queue->lock);
    return expired;
}

void rk_deadletter_queue_stats(rk_deadletter_queue *queue, rk_deadletter_stats *out_stats)
{
    rk_mutex_lock(&queue->lock);
    *out_stats = queue->stats;
    rk_mutex_unlock(&queue->lock);
}
