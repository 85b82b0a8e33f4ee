/*
 * trace.h: spans: what was done for whom, from when to when.
 *
 * Off until a sink is installed; then beginning or ending a span costs a few tens of nanoseconds
 * and no lock. Off, it costs one load and one branch. Finished spans go into a bounded buffer of
 * their thread; rk_trace_flush, called from time to time by one exporter, hands them to the sink. A
 * full buffer drops the span and counts it.
 *
 * Ids are those of W3C Trace Context (https://www.w3.org/TR/trace-context/).
 */
#ifndef RK_BASE_TRACE_H
#define RK_BASE_TRACE_H

#include "base/compiler.h"

#define RK_TRACE_SAMPLED 1u

/* Who caused a piece of work; all zero for "unknown". Travels in message headers and HTTP. */
typedef struct rk_trace_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* RK_TRACE_SAMPLED: the spans of this trace are recorded */
} rk_trace_context;

/* Whether both ids are set (not all zero). */
bool rk_trace_context_is_valid(const rk_trace_context *context);

#define RK_TRACEPARENT_BYTES 56

/* "00-<32 hex>-<16 hex>-<2 hex>", NUL-terminated in out, which is returned. */
const char *rk_traceparent_format(const rk_trace_context *context, char out[RK_TRACEPARENT_BYTES]);

/*
 * Reads a traceparent header of `length` bytes. Versions after 00 are read as far as 00 goes, as
 * the standard asks. RK_SYNTAX, with a sentence, for anything else.
 */
rk_status rk_traceparent_parse(const char *text, size_t length, rk_trace_context *out_context,
                               rk_err *err);

typedef enum rk_span_kind {
    RK_SPAN_INTERNAL,
    RK_SPAN_SERVER,   /* handles a request from outside */
    RK_SPAN_CLIENT,   /* makes one */
    RK_SPAN_PRODUCER, /* sends a message */
    RK_SPAN_CONSUMER, /* handles one */
} rk_span_kind;

typedef enum rk_span_value {
    RK_SPAN_VALUE_U64,
    RK_SPAN_VALUE_F64,
    RK_SPAN_VALUE_TEXT,
} rk_span_value;

#define RK_SPAN_MOST_ATTRIBUTES 6
#define RK_SPAN_TEXT_BYTES 40

typedef struct rk_span_attribute {
    const char *key; /* constant */
    rk_span_value kind;
    union {
        uint64_t u64;
        double f64;
        char text[RK_SPAN_TEXT_BYTES]; /* a copy, cut to fit */
    } value;
} rk_span_attribute;

typedef struct rk_span_record {
    rk_trace_context context;
    uint8_t parent_span_id[8]; /* zero: a root */
    const char *name;          /* constant */
    rk_span_kind kind;
    rk_status status;
    uint64_t start_ns; /* since 1970 UTC */
    uint64_t duration_ns;
    unsigned attribute_count;
    rk_span_attribute attributes[RK_SPAN_MOST_ATTRIBUTES];
} rk_span_record;

/* A span under way, on the caller's stack; begun and ended by the same thread, innermost first. */
typedef struct rk_span {
    bool is_recording;
    bool is_current; /* context is this thread's current one, before it was `outer` */
    uint64_t begin_ns;
    rk_trace_context outer;
    rk_span_record record; /* valid while recording, apart from context */
} rk_span;

typedef struct rk_trace_sink {
    /* Called by rk_trace_flush only, never twice at once. records are borrowed. */
    void (*write)(void *context, const rk_span_record *records, size_t count);
    void *context;
    double sample_share; /* of traces that begin here: 0 none, 1 all */
} rk_trace_sink;

/*
 * Turns tracing on with this sink, which stays borrowed, or off with NULL. When it returns, no
 * other thread uses the former sink; spans that it has not got are dropped. Not from inside the
 * sink.
 */
void rk_trace_install(const rk_trace_sink *sink);

extern _Atomic bool rk_trace_on; /* for the functions below only */

void rk_span_begin_on(rk_span *span, const char *name, const rk_trace_context *parent);
void rk_span_end_on(rk_span *span, rk_status status);

/*
 * Begins a span and makes it the thread's current one. parent NULL: the thread's current span, or a
 * new trace. name is constant. Every begun span must be ended.
 */
RK_INLINE void rk_span_begin(rk_span *span, const char *name, const rk_trace_context *parent)
{
    span->is_recording = false;
    span->is_current = false;
    if (RK_UNLIKELY(atomic_load_explicit(&rk_trace_on, memory_order_relaxed))) {
        rk_span_begin_on(span, name, parent);
    }
}

RK_INLINE void rk_span_end(rk_span *span, rk_status status)
{
    if (RK_UNLIKELY(span->is_current)) {
        rk_span_end_on(span, status);
    }
}

/* Do nothing unless the span is recorded; beyond RK_SPAN_MOST_ATTRIBUTES nothing is added. */
void rk_span_set_kind(rk_span *span, rk_span_kind kind);
void rk_span_add_u64(rk_span *span, const char *key, uint64_t value);
void rk_span_add_f64(rk_span *span, const char *key, double value);
void rk_span_add_text(rk_span *span, const char *key, const char *value);

/* The calling thread's current context, to send along; all zero if there is none. */
rk_trace_context rk_trace_current(void);

/*
 * Hands finished spans of all threads to the sink; returns how many. Any thread; may block on
 * others.
 */
size_t rk_trace_flush(void);

/* Spans lost to full buffers or lack of memory so far. */
uint64_t rk_trace_dropped_count(void);

#endif
