/*
 * metric.c: the registry of series.
 *
 * Families (metrics) hang in a list that only grows; each holds its series in a list. A map finds a
 * series by its name and labels. One lock guards lists, map and reference counts; the values are
 * atomic and need none. A series is freed when its count reaches 0.
 */
#include "base/metric.h"

#include "base/map.h"
#include "base/str.h"
#include "base/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOST_VALUE_BYTES 128
#define MOST_KEY_BYTES 4096

typedef struct record {
    struct record *next;
    struct family *family;
    char *key;
    unsigned references;
    size_t label_count;
    rk_metric_label labels[RK_METRIC_MOST_LABELS]; /* the values are owned */
    /* The rk_counter, rk_gauge or rk_histogram, on cache lines that no other series shares. */
    alignas(RK_CACHE_LINE) unsigned char value[];
} record;

typedef struct family {
    struct family *next;
    const rk_metric_def *def;
    record *first;
    record *last;
} family;

static rk_mutex lock = RK_MUTEX_INIT;
static family *families;
static family **families_end = &families;
static rk_smap records; /* key to record */
static bool is_ready;
static _Atomic uint64_t refused_count;

/* What the code counts into when there is no room: never read. */
static union {
    rk_counter counter;
    rk_gauge gauge;
    rk_histogram histogram;
} overflow;

static family *find_family(const rk_metric_def *def)
{
    for (family *at = families; at != NULL; at = at->next) {
        if (strcmp(at->def->name, def->name) == 0) {
            assert(at->def->kind == def->kind);
            return at;
        }
    }
    family *fresh = calloc(1, sizeof *fresh);
    if (fresh != NULL) {
        fresh->def = def;
        *families_end = fresh;
        families_end = &fresh->next;
    }
    return fresh;
}

/* The bytes of a label's value that are kept: a long one is cut, but not inside a UTF-8 character.
 */
static size_t kept_bytes(const char *value)
{
    size_t length = strnlen(value, MOST_VALUE_BYTES + 1);
    if (length <= MOST_VALUE_BYTES) {
        return length;
    }
    length = MOST_VALUE_BYTES;
    while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80) {
        length--;
    }
    return length;
}

/* "name\x1fvalue\x1fvalue": label names are the def's own and need no place in it. */
static rk_status build_key(rk_str *key, const rk_metric_def *def, const rk_metric_label *labels,
                           size_t count)
{
    rk_str_append(key, def->name);
    for (size_t i = 0; i < count; i++) {
        rk_str_append_char(key, '\x1f');
        rk_str_append_bytes(key, labels[i].value, kept_bytes(labels[i].value));
    }
    return key->status; /* sticky: one look is enough */
}

static void free_record(record *old)
{
    for (size_t i = 0; i < old->label_count; i++) {
        free((char *)(uintptr_t)old->labels[i].value); /* owned, though const for readers */
    }
    free(old->key);
    free(old);
}

/* A record that hangs nowhere yet. */
static record *make_record(const rk_metric_def *def, const char *key, const rk_metric_label *labels,
                           size_t count)
{
    size_t value_bytes = def->kind == RK_METRIC_HISTOGRAM ? sizeof(rk_histogram) : RK_CACHE_LINE;
    size_t size = offsetof(record, value) + value_bytes;
    size = (size + RK_CACHE_LINE - 1) / RK_CACHE_LINE * RK_CACHE_LINE;
    record *fresh = aligned_alloc(RK_CACHE_LINE, size);
    if (fresh == NULL) {
        return NULL;
    }
    memset((void *)fresh, 0, size);
    fresh->references = 1;
    fresh->key = strdup(key);
    bool complete = fresh->key != NULL;
    for (size_t i = 0; i < count && complete; i++) {
        char *copy = strndup(labels[i].value, kept_bytes(labels[i].value));
        fresh->labels[i] = (rk_metric_label){labels[i].name, copy};
        fresh->label_count++;
        complete = copy != NULL;
    }
    if (!complete) {
        free_record(fresh);
        return NULL;
    }
    return fresh;
}

/* Call with the lock held. NULL: no memory or no room. */
static record *find_or_make(const rk_metric_def *def, const char *key,
                            const rk_metric_label *labels, size_t count)
{
    if (!is_ready) {
        rk_smap_init(&records, RK_METRIC_MOST_SERIES);
        is_ready = true;
    }
    record *found = rk_smap_get(&records, key);
    if (found != NULL) {
        assert(found->family->def->kind == def->kind);
        found->references++;
        return found;
    }
    family *home = find_family(def);
    found = home == NULL ? NULL : make_record(def, key, labels, count);
    if (found == NULL) {
        return NULL;
    }
    if (rk_smap_add(&records, key, found) != RK_OK) {
        free_record(found);
        return NULL;
    }
    found->family = home;
    if (home->last == NULL) {
        home->first = found;
    } else {
        home->last->next = found;
    }
    home->last = found;
    return found;
}

static void *get(const rk_metric_def *def, const rk_metric_label *labels, size_t count)
{
    assert(count <= RK_METRIC_MOST_LABELS);
    rk_str key;
    rk_str_init(&key, MOST_KEY_BYTES);
    record *found = NULL;
    if (build_key(&key, def, labels, count) == RK_OK) {
        rk_mutex_lock(&lock);
        found = find_or_make(def, rk_str_cstr(&key), labels, count);
        rk_mutex_unlock(&lock);
    }
    rk_str_finish(&key);
    if (found == NULL) {
        atomic_fetch_add_explicit(&refused_count, 1, memory_order_relaxed);
        return &overflow;
    }
    return found->value;
}

rk_counter *rk_counter_get(const rk_metric_def *def, const rk_metric_label *labels, size_t count)
{
    assert(def->kind == RK_METRIC_COUNTER);
    return get(def, labels, count);
}

rk_gauge *rk_gauge_get(const rk_metric_def *def, const rk_metric_label *labels, size_t count)
{
    assert(def->kind == RK_METRIC_GAUGE);
    return get(def, labels, count);
}

rk_histogram *rk_histogram_get(const rk_metric_def *def, const rk_metric_label *labels,
                               size_t count)
{
    assert(def->kind == RK_METRIC_HISTOGRAM);
    return get(def, labels, count);
}

/* Call with the lock held. */
static void unlink_record(record *old)
{
    family *home = old->family;
    record *before = NULL;
    for (record *at = home->first; at != old; at = at->next) {
        before = at;
    }
    if (before == NULL) {
        home->first = old->next;
    } else {
        before->next = old->next;
    }
    if (home->last == old) {
        home->last = before;
    }
    (void)rk_smap_remove(&records, old->key); /* it is this record */
}

void rk_metric_release(void *series)
{
    if (series == NULL || series == (void *)&overflow) {
        return;
    }
    record *old = RK_CONTAINER_OF(series, record, value);
    rk_mutex_lock(&lock);
    assert(old->references > 0);
    bool is_last = --old->references == 0;
    if (is_last) {
        unlink_record(old);
    }
    rk_mutex_unlock(&lock);
    if (is_last) {
        free_record(old);
    }
}

void rk_histogram_read(const rk_histogram *histogram, rk_histogram_snapshot *out_snapshot)
{
    out_snapshot->count = 0;
    out_snapshot->sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    for (unsigned i = 0; i < RK_HISTOGRAM_BUCKETS; i++) {
        uint64_t in_bucket = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        out_snapshot->buckets[i] = in_bucket;
        out_snapshot->count += in_bucket;
    }
}

uint64_t rk_histogram_bucket_last(unsigned bucket)
{
    if (bucket < 8) {
        return bucket;
    }
    unsigned power = bucket / 8 + 2;
    uint64_t part = (uint64_t)1 << (power - 3);
    uint64_t first = ((uint64_t)8 + bucket % 8) << (power - 3);
    return first + (part - 1);
}

uint64_t rk_histogram_quantile(const rk_histogram_snapshot *snapshot, double share)
{
    if (snapshot->count == 0) {
        return 0;
    }
    double wanted = share * (double)snapshot->count;
    uint64_t seen = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < RK_HISTOGRAM_BUCKETS; i++) {
        if (snapshot->buckets[i] == 0) {
            continue;
        }
        last = i;
        seen += snapshot->buckets[i];
        if ((double)seen >= wanted) {
            break;
        }
    }
    return rk_histogram_bucket_last(last);
}

uint64_t rk_histogram_count_to(const rk_histogram_snapshot *snapshot, uint64_t value)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < RK_HISTOGRAM_BUCKETS && rk_histogram_bucket_last(i) <= value; i++) {
        count += snapshot->buckets[i];
    }
    return count;
}

static uint64_t read_counter(const rk_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static int64_t read_gauge(const rk_gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

void rk_metric_each(void (*each)(void *arg, const rk_metric_sample *sample), void *arg)
{
    rk_histogram_snapshot snapshot;
    rk_mutex_lock(&lock);
    for (const family *home = families; home != NULL; home = home->next) {
        for (const record *at = home->first; at != NULL; at = at->next) {
            rk_metric_sample sample = {
                .def = home->def, .labels = at->labels, .label_count = at->label_count};
            switch (home->def->kind) {
            case RK_METRIC_COUNTER:
                sample.value.counter = read_counter((const rk_counter *)(const void *)at->value);
                break;
            case RK_METRIC_GAUGE:
                sample.value.gauge = read_gauge((const rk_gauge *)(const void *)at->value);
                break;
            case RK_METRIC_HISTOGRAM:
                rk_histogram_read((const rk_histogram *)(const void *)at->value, &snapshot);
                sample.value.histogram = &snapshot;
                break;
            }
            each(arg, &sample);
        }
    }
    rk_mutex_unlock(&lock);
}

uint64_t rk_metric_refused_count(void)
{
    return atomic_load_explicit(&refused_count, memory_order_relaxed);
}
