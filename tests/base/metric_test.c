/*
 * Metrics: series, buckets, many threads, the registry's order, limits and exhausted memory.
 */
#include "base/metric.h"
#include "base/test_memory.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const rk_metric_def messages = {"test_messages_total", RK_METRIC_COUNTER, "", 1,
                                       "Messages."};
static const rk_metric_def depth = {"test_depth", RK_METRIC_GAUGE, "", 1, "Queue depth."};
static const rk_metric_def latency = {"test_latency_seconds", RK_METRIC_HISTOGRAM, "seconds", 1e-9,
                                      "Latency."};

/* What rk_metric_each shows of the metrics of this file, as text. */
typedef struct listing {
    char text[4096];
    size_t count;
} listing;

static void list_sample(void *arg, const rk_metric_sample *sample)
{
    listing *into = arg;
    if (strncmp(sample->def->name, "test_", 5) != 0) {
        return;
    }
    into->count++;
    size_t used = strlen(into->text);
    char value[32];
    switch (sample->def->kind) {
    case RK_METRIC_COUNTER:
        (void)snprintf(value, sizeof value, "%llu", (unsigned long long)sample->value.counter);
        break;
    case RK_METRIC_GAUGE:
        (void)snprintf(value, sizeof value, "%lld", (long long)sample->value.gauge);
        break;
    case RK_METRIC_HISTOGRAM:
        (void)snprintf(value, sizeof value, "n%llu",
                       (unsigned long long)sample->value.histogram->count);
        break;
    }
    used += (size_t)snprintf(into->text + used, sizeof into->text - used, "%s", sample->def->name);
    for (size_t i = 0; i < sample->label_count && used < sizeof into->text; i++) {
        used += (size_t)snprintf(into->text + used, sizeof into->text - used, "{%s=%s}",
                                 sample->labels[i].name, sample->labels[i].value);
    }
    if (used < sizeof into->text) {
        (void)snprintf(into->text + used, sizeof into->text - used, " %s\n", value);
    }
}

static listing list_all(void)
{
    listing all = {.count = 0};
    rk_metric_each(list_sample, &all);
    return all;
}

static void test_series(void **state)
{
    (void)state;
    const rk_metric_label a = {"kernel", "a"};
    const rk_metric_label b = {"kernel", "b"};
    rk_counter *first = rk_counter_get(&messages, &a, 1);
    rk_gauge *gauge = rk_gauge_get(&depth, NULL, 0);
    rk_histogram *histogram = rk_histogram_get(&latency, NULL, 0);
    rk_counter *second = rk_counter_get(&messages, &b, 1);
    char copy[] = "a";
    const rk_metric_label again = {"kernel", copy};
    assert_ptr_equal(rk_counter_get(&messages, &again, 1), first);
    assert_ptr_not_equal(first, second);
    rk_counter_add(first, 2);
    rk_counter_add(first, 3);
    rk_counter_add(second, 7);
    rk_gauge_set(gauge, 10);
    rk_gauge_add(gauge, -12);
    rk_histogram_add(histogram, 1000);
    listing all = list_all();
    /* Series of one metric stand together. */
    assert_string_equal(all.text, "test_messages_total{kernel=a} 5\n"
                                  "test_messages_total{kernel=b} 7\n"
                                  "test_depth -2\n"
                                  "test_latency_seconds n1\n");
    rk_metric_release(first);
    assert_int_equal(list_all().count, 4);
    rk_metric_release(first);
    assert_int_equal(list_all().count, 3);
    rk_metric_release(second);
    rk_metric_release(gauge);
    rk_metric_release(histogram);
    rk_metric_release(NULL);
    assert_int_equal(list_all().count, 0);
    /* A new series starts from zero. */
    first = rk_counter_get(&messages, &a, 1);
    assert_string_equal(list_all().text, "test_messages_total{kernel=a} 0\n");
    rk_metric_release(first);
}

static void test_series_are_removed_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 7 };
    static const int orders[][COUNT] = {
        {0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}, {3, 0, 6, 2, 5, 1, 4}};
    for (size_t order = 0; order < 3; order++) {
        rk_counter *series[COUNT];
        for (int i = 0; i < COUNT; i++) {
            char name[8];
            (void)snprintf(name, sizeof name, "%d", i);
            const rk_metric_label label = {"n", name};
            series[i] = rk_counter_get(&messages, &label, 1);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(list_all().count, COUNT - i);
            rk_metric_release(series[orders[order][i]]);
        }
        assert_int_equal(list_all().count, 0);
    }
}

static void test_long_labels_are_cut(void **state)
{
    (void)state;
    char value[1000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    const rk_metric_label label = {"n", value};
    rk_counter *series = rk_counter_get(&messages, &label, 1);
    assert_int_equal(strlen(list_all().text), strlen("test_messages_total{n=} 0\n") + 128);
    rk_metric_release(series);
    /* Not in the middle of a character. */
    memcpy(value + 127, "\xc3\xa4", 2);
    series = rk_counter_get(&messages, &label, 1);
    assert_int_equal(strlen(list_all().text), strlen("test_messages_total{n=} 0\n") + 127);
    rk_metric_release(series);
}

static void test_buckets(void **state)
{
    (void)state;
    /* Every bucket begins behind the one before and holds its own bounds. */
    uint64_t first = 0;
    for (unsigned i = 0; i < RK_HISTOGRAM_BUCKETS; i++) {
        uint64_t last = rk_histogram_bucket_last(i);
        assert_true(last >= first);
        assert_int_equal(rk_histogram_bucket(first), i);
        assert_int_equal(rk_histogram_bucket(last), i);
        assert_true((double)(last - first) <= 0.125 * (double)first);
        first = last + 1;
    }
    assert_int_equal(first, 0); /* the last one ends at UINT64_MAX */
}

static void test_quantiles(void **state)
{
    (void)state;
    rk_histogram *histogram = rk_histogram_get(&latency, NULL, 0);
    rk_histogram_snapshot snapshot;
    rk_histogram_read(histogram, &snapshot);
    assert_int_equal(rk_histogram_quantile(&snapshot, 0.5), 0);
    for (uint64_t value = 1; value <= 1000; value++) {
        rk_histogram_add(histogram, value);
    }
    rk_histogram_read(histogram, &snapshot);
    assert_int_equal(snapshot.count, 1000);
    assert_int_equal(snapshot.sum, 500500);
    static const double shares[] = {0.001, 0.25, 0.5, 0.9, 0.99, 1.0};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double exact = shares[i] * 1000;
        double found = (double)rk_histogram_quantile(&snapshot, shares[i]);
        assert_true(found >= exact && found <= exact * 1.125 + 1);
    }
    assert_int_equal(rk_histogram_quantile(&snapshot, 0), 1);
    assert_int_equal(rk_histogram_count_to(&snapshot, 7), 7);
    assert_int_equal(rk_histogram_count_to(&snapshot, 0), 0);
    assert_int_equal(rk_histogram_count_to(&snapshot, UINT64_MAX), 1000);
    rk_metric_release(histogram);
}

typedef struct worker {
    rk_thread thread;
    rk_counter *shared;
} worker;

static void count_much(void *arg)
{
    worker *self = arg;
    for (int i = 0; i < 5000; i++) {
        rk_counter_add(self->shared, 1);
        if (i % 50 == 0) {
            char name[8];
            (void)snprintf(name, sizeof name, "%d", i % 7);
            const rk_metric_label label = {"n", name};
            rk_counter *own = rk_counter_get(&messages, &label, 1);
            rk_counter_add(own, 1);
            rk_metric_release(own);
        }
    }
}

static void test_threads(void **state)
{
    (void)state;
    worker workers[4];
    rk_counter *shared = rk_counter_get(&messages, NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        workers[i].shared = shared;
        assert_int_equal(rk_thread_start(&workers[i].thread, "counter", count_much, &workers[i]),
                         RK_OK);
    }
    for (int i = 0; i < 50; i++) {
        assert_true(list_all().count >= 1);
    }
    for (size_t i = 0; i < 4; i++) {
        rk_thread_join(&workers[i].thread);
    }
    assert_string_equal(list_all().text, "test_messages_total 20000\n");
    rk_metric_release(shared);
}

/* Whatever is missing, counting goes on, and the refusal is counted. */
static void test_no_memory(void **state)
{
    (void)state;
    static const rk_metric_def fresh = {"test_fresh_total", RK_METRIC_COUNTER, "", 1, "Fresh."};
    const rk_metric_label label = {"n", "1"};
    for (uint64_t n = 1; n < 20; n++) {
        uint64_t before = rk_metric_refused_count();
        rk_test_memory_fail(n);
        rk_counter *series = rk_counter_get(&fresh, &label, 1);
        bool struck = rk_test_memory_struck();
        rk_test_memory_fail(0);
        assert_non_null(series);
        rk_counter_add(series, 1);
        assert_int_equal(rk_metric_refused_count() - before, struck);
        assert_int_equal(list_all().count, struck ? 0 : 1);
        rk_metric_release(series);
        assert_int_equal(list_all().count, 0);
        if (!struck) {
            assert_true(n > 3);
            return;
        }
    }
    fail_msg("some allocation always failed");
}

static void test_limit_of_series(void **state)
{
    (void)state;
    uint64_t before = rk_metric_refused_count();
    rk_counter **series = calloc(RK_METRIC_MOST_SERIES, sizeof(rk_counter *));
    assert_non_null(series);
    for (unsigned i = 0; i < RK_METRIC_MOST_SERIES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        const rk_metric_label label = {"n", name};
        series[i] = rk_counter_get(&messages, &label, 1);
    }
    assert_int_equal(rk_metric_refused_count(), before);
    rk_counter *refused = rk_counter_get(&messages, NULL, 0);
    assert_non_null(refused);
    rk_counter_add(refused, 1);
    assert_int_equal(rk_metric_refused_count(), before + 1);
    rk_metric_release(refused);
    for (unsigned i = 0; i < RK_METRIC_MOST_SERIES; i++) {
        rk_metric_release(series[i]);
    }
    free(series);
    assert_int_equal(list_all().count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_series_are_removed_in_any_order),
        cmocka_unit_test(test_long_labels_are_cut),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_limit_of_series),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
