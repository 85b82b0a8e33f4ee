/*
 * metric.h: counters, gauges and histograms that the code counts into and an exporter reads.
 *
 * A metric is described once, in a constant rk_metric_def. A series is that metric with certain
 * label values. Getting a series takes a lock and may allocate: do it once and keep it. Counting
 * takes one or two relaxed atomic additions, never blocks and never fails, so it may stand on a hot
 * path.
 *
 * All values are integers in the unit of the place that counts (nanoseconds, bytes, millidegrees);
 * `scale` turns them into the exported unit, so that no conversion happens on the hot path.
 */
#ifndef RK_BASE_METRIC_H
#define RK_BASE_METRIC_H

#include "base/compiler.h"

typedef enum rk_metric_kind {
    RK_METRIC_COUNTER,   /* only grows */
    RK_METRIC_GAUGE,     /* goes up and down */
    RK_METRIC_HISTOGRAM, /* a distribution */
} rk_metric_kind;

/*
 * Constant, and outlives everything here. Two series belong to one metric if their defs share a
 * name.
 */
typedef struct rk_metric_def {
    const char *name; /* "rk_ring_messages_total": letters, digits, underscores */
    rk_metric_kind kind;
    const char *unit; /* of the exported value: "seconds", "bytes"; "" for a count */
    double scale;     /* exported value = counted value * scale: 1e-9 for ns to seconds; not 0 */
    const char *help; /* one sentence */
} rk_metric_def;

/* Values are copied; one longer than 128 bytes is cut. Names are borrowed and constant. */
typedef struct rk_metric_label {
    const char *name;
    const char *value;
} rk_metric_label;

#define RK_METRIC_MOST_LABELS 8
#define RK_METRIC_MOST_SERIES 65536u

/*
 * Buckets of a histogram: each power of two in eight equal parts, so a bucket is at most 12.5 %
 * wide. Values below 8 have a bucket of their own.
 */
#define RK_HISTOGRAM_BUCKETS 496u

typedef struct rk_counter {
    _Atomic uint64_t value;
} rk_counter;

typedef struct rk_gauge {
    _Atomic int64_t value;
} rk_gauge;

typedef struct rk_histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[RK_HISTOGRAM_BUCKETS];
} rk_histogram;

/*
 * The series of a def with these labels (at most RK_METRIC_MOST_LABELS, in the def's fixed order):
 * made at the first call, the same one afterwards. Each call needs one rk_metric_release.
 *
 * Never NULL: when memory or the limit of series is exhausted, a series that nobody reads is
 * returned and rk_metric_refused_count goes up.
 */
rk_counter *rk_counter_get(const rk_metric_def *def, const rk_metric_label *labels, size_t count);
rk_gauge *rk_gauge_get(const rk_metric_def *def, const rk_metric_label *labels, size_t count);
rk_histogram *rk_histogram_get(const rk_metric_def *def, const rk_metric_label *labels,
                               size_t count);

/* Gives a series back; the last one removes it with its value. NULL is allowed. */
void rk_metric_release(void *series);

RK_INLINE void rk_counter_add(rk_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

RK_INLINE void rk_gauge_set(rk_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

RK_INLINE void rk_gauge_add(rk_gauge *gauge, int64_t amount)
{
    atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}

/* The bucket that a value falls into. */
RK_INLINE unsigned rk_histogram_bucket(uint64_t value)
{
    if (value < 8) {
        return (unsigned)value;
    }
    unsigned power = rk_log2_u64(value);
    return (power - 2) * 8 + (unsigned)(value >> (power - 3) & 7);
}

RK_INLINE void rk_histogram_add(rk_histogram *histogram, uint64_t value)
{
    atomic_fetch_add_explicit(&histogram->buckets[rk_histogram_bucket(value)], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

/* What a histogram held at one moment (counts made meanwhile may or may not be in). */
typedef struct rk_histogram_snapshot {
    uint64_t count;
    uint64_t sum;
    uint64_t buckets[RK_HISTOGRAM_BUCKETS];
} rk_histogram_snapshot;

void rk_histogram_read(const rk_histogram *histogram, rk_histogram_snapshot *out_snapshot);

/* The largest value that falls into a bucket. */
uint64_t rk_histogram_bucket_last(unsigned bucket);

/*
 * The value below or at which a share of `share` (0 to 1) of the values lies: the last value of its
 * bucket, so at most 12.5 % too high. 0 if there are none.
 */
uint64_t rk_histogram_quantile(const rk_histogram_snapshot *snapshot, double share);

/* How many values lie in buckets that end at or below value. */
uint64_t rk_histogram_count_to(const rk_histogram_snapshot *snapshot, uint64_t value);

/* One series, as rk_metric_each shows it; borrowed for the duration of the call. */
typedef struct rk_metric_sample {
    const rk_metric_def *def;
    const rk_metric_label *labels;
    size_t label_count;
    union {
        uint64_t counter;
        int64_t gauge;
        const rk_histogram_snapshot *histogram;
    } value;
} rk_metric_sample;

/*
 * Calls each with every series, those of one metric together, metrics in the order in which they
 * first appeared. Holds the registry's lock: each must not get or release series.
 */
void rk_metric_each(void (*each)(void *arg, const rk_metric_sample *sample), void *arg);

/* Series that were refused so far. */
uint64_t rk_metric_refused_count(void);

#endif
