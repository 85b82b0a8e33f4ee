/*
 * trace.c: spans and the buffers of threads.
 *
 * Each thread that ends a recorded span owns a ring of records: it writes `tail`, the flusher
 * writes `head`. All rings hang in one list. A lock guards the list, the sink and flushing; a
 * thread takes it once, when it makes its ring. When a thread ends it marks its ring, and the
 * flusher frees it when it is empty.
 */
#include "base/trace.h"

#include "base/clock.h"
#include "base/thread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RING_SPANS 128u

typedef struct span_ring {
    struct span_ring *next;
    _Atomic bool is_orphan;
    alignas(RK_CACHE_LINE) _Atomic uint32_t head; /* next to hand over */
    alignas(RK_CACHE_LINE) _Atomic uint32_t tail; /* next to fill; runs freely, as head */
    rk_span_record spans[RING_SPANS];
} span_ring;

_Atomic bool rk_trace_on;

static rk_mutex lock = RK_MUTEX_INIT;
static span_ring *rings;
static const rk_trace_sink *current_sink;
static _Atomic uint64_t sample_below; /* a new trace is recorded if its low 63 bits are below */
static _Atomic uint64_t dropped_count;

static pthread_key_t ring_key;
static pthread_once_t ring_key_once = PTHREAD_ONCE_INIT;
static bool has_ring_key;

static RK_THREAD_LOCAL rk_trace_context thread_context;
static RK_THREAD_LOCAL uint64_t thread_random;

static void mark_orphan(void *value)
{
    span_ring *ring = value;
    /* Release pairs with the acquire in flush_ring: the last spans are seen with the mark. */
    atomic_store_explicit(&ring->is_orphan, true, memory_order_release);
}

static void make_ring_key(void)
{
    has_ring_key = pthread_key_create(&ring_key, mark_orphan) == 0;
}

/* The thread's ring, made at the first call; NULL if that fails. */
static span_ring *own_ring(void)
{
    (void)pthread_once(&ring_key_once, make_ring_key); /* cannot fail */
    if (!has_ring_key) {
        return NULL;
    }
    span_ring *ring = pthread_getspecific(ring_key);
    if (ring != NULL) {
        return ring;
    }
    ring = aligned_alloc(RK_CACHE_LINE, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    memset((void *)ring, 0, sizeof *ring);
    if (pthread_setspecific(ring_key, ring) != 0) {
        free(ring);
        return NULL;
    }
    rk_mutex_lock(&lock);
    ring->next = rings;
    rings = ring;
    rk_mutex_unlock(&lock);
    return ring;
}

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators"). */
static uint64_t random_u64(void)
{
    while (thread_random == 0) {
        if (getrandom(&thread_random, sizeof thread_random, GRND_NONBLOCK) !=
            (ssize_t)sizeof thread_random) {
            thread_random = rk_clock_realtime_ns() ^ (uintptr_t)&thread_random;
        }
    }
    uint64_t z = thread_random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return z == 0 ? 1 : z; /* ids of zero mean "none" */
}

static bool any_set(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

bool rk_trace_context_is_valid(const rk_trace_context *context)
{
    return any_set(context->trace_id, sizeof context->trace_id) &&
           any_set(context->span_id, sizeof context->span_id);
}

/* A context for a trace that begins here, recorded or not as the sink's share has it. */
static rk_trace_context new_trace(void)
{
    rk_trace_context context = {.flags = 0};
    uint64_t id[2] = {random_u64(), random_u64()};
    memcpy(context.trace_id, id, sizeof id);
    if (id[1] >> 1 < atomic_load_explicit(&sample_below, memory_order_relaxed)) {
        context.flags = RK_TRACE_SAMPLED;
    }
    return context;
}

void rk_span_begin_on(rk_span *span, const char *name, const rk_trace_context *parent)
{
    span->outer = thread_context;
    span->is_current = true;
    const rk_trace_context *from = parent == NULL ? &thread_context : parent;
    bool is_root = !rk_trace_context_is_valid(from);
    rk_trace_context context = is_root ? new_trace() : *from;
    rk_span_record *record = &span->record;
    record->attribute_count = 0;
    if ((context.flags & RK_TRACE_SAMPLED) != 0) {
        span->is_recording = true;
        record->name = name;
        record->kind = RK_SPAN_INTERNAL;
        memcpy(record->parent_span_id, context.span_id, sizeof record->parent_span_id);
        record->start_ns = rk_clock_realtime_ns();
        span->begin_ns = rk_clock_monotonic_ns();
    }
    if (span->is_recording || is_root) {
        uint64_t id = random_u64();
        memcpy(context.span_id, &id, sizeof context.span_id);
    }
    record->context = context;
    thread_context = context;
}

void rk_span_end_on(rk_span *span, rk_status status)
{
    thread_context = span->outer;
    span->is_current = false;
    if (!span->is_recording) {
        return;
    }
    span->is_recording = false;
    span->record.status = status;
    span->record.duration_ns = rk_clock_monotonic_ns() - span->begin_ns;
    span_ring *ring = own_ring();
    if (ring == NULL) {
        atomic_fetch_add_explicit(&dropped_count, 1, memory_order_relaxed);
        return;
    }
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    /* Acquire pairs with the flusher's release: it has read the slot before we fill it again. */
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) >= RING_SPANS) {
        atomic_fetch_add_explicit(&dropped_count, 1, memory_order_relaxed);
        return;
    }
    ring->spans[tail % RING_SPANS] = span->record;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

void rk_span_set_kind(rk_span *span, rk_span_kind kind)
{
    if (span->is_recording) {
        span->record.kind = kind;
    }
}

/* The next free attribute, or NULL. */
static rk_span_attribute *add_attribute(rk_span *span, const char *key, rk_span_value kind)
{
    if (!span->is_recording || span->record.attribute_count >= RK_SPAN_MOST_ATTRIBUTES) {
        return NULL;
    }
    rk_span_attribute *added = &span->record.attributes[span->record.attribute_count++];
    added->key = key;
    added->kind = kind;
    return added;
}

void rk_span_add_u64(rk_span *span, const char *key, uint64_t value)
{
    rk_span_attribute *added = add_attribute(span, key, RK_SPAN_VALUE_U64);
    if (added != NULL) {
        added->value.u64 = value;
    }
}

void rk_span_add_f64(rk_span *span, const char *key, double value)
{
    rk_span_attribute *added = add_attribute(span, key, RK_SPAN_VALUE_F64);
    if (added != NULL) {
        added->value.f64 = value;
    }
}

void rk_span_add_text(rk_span *span, const char *key, const char *value)
{
    rk_span_attribute *added = add_attribute(span, key, RK_SPAN_VALUE_TEXT);
    if (added != NULL) {
        (void)snprintf(added->value.text, sizeof added->value.text, "%s", value); /* cut to fit */
    }
}

rk_trace_context rk_trace_current(void)
{
    return thread_context;
}

/* Call with the lock held. Hands over the ring's spans, in at most two runs. */
static size_t flush_ring(span_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    /* Acquire pairs with the release in rk_span_end_on: the spans are complete. */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t total = tail - head;
    while (head != tail) {
        uint32_t at = head % RING_SPANS;
        uint32_t count = RK_MIN(tail - head, RING_SPANS - at);
        if (current_sink != NULL) {
            current_sink->write(current_sink->context, &ring->spans[at], count);
        }
        head += count;
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
    return total;
}

/* Call with the lock held. */
static size_t flush_all(void)
{
    size_t total = 0;
    for (span_ring **link = &rings; *link != NULL;) {
        span_ring *ring = *link;
        /* Looked at first: an orphan gets no more spans, so it is empty after this flush. */
        bool is_orphan = atomic_load_explicit(&ring->is_orphan, memory_order_acquire);
        total += flush_ring(ring);
        if (is_orphan) {
            *link = ring->next;
            free(ring);
        } else {
            link = &ring->next;
        }
    }
    return total;
}

size_t rk_trace_flush(void)
{
    rk_mutex_lock(&lock);
    size_t total = flush_all();
    rk_mutex_unlock(&lock);
    return total;
}

void rk_trace_install(const rk_trace_sink *sink)
{
    double share = sink == NULL ? 0.0 : RK_MIN(RK_MAX(sink->sample_share, 0.0), 1.0);
    rk_mutex_lock(&lock);
    current_sink = NULL;
    (void)flush_all(); /* what the former sink has not got is dropped */
    current_sink = sink;
    atomic_store_explicit(&sample_below, (uint64_t)ldexp(share, 63), memory_order_relaxed);
    atomic_store_explicit(&rk_trace_on, sink != NULL, memory_order_relaxed);
    rk_mutex_unlock(&lock);
}

uint64_t rk_trace_dropped_count(void)
{
    return atomic_load_explicit(&dropped_count, memory_order_relaxed);
}
