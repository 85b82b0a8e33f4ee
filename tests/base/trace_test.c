/*
 * Spans: parents, times, attributes, sampling, full buffers, threads; the traceparent header.
 */
#include "base/clock.h"
#include "base/test_memory.h"
#include "base/thread.h"
#include "base/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_SPANS = 20000 };

typedef struct collector {
    rk_trace_sink sink;
    size_t count;
    rk_span_record *spans;
} collector;

static void collect(void *context, const rk_span_record *records, size_t count)
{
    collector *into = context;
    assert_true(into->count + count <= MOST_SPANS);
    memcpy(into->spans + into->count, records, count * sizeof *records);
    into->count += count;
}

static collector collected;
static rk_test_clock stopped;

static int set_up(void **state)
{
    (void)state;
    collected = (collector){.sink = {.write = collect, .context = &collected, .sample_share = 1}};
    collected.spans = calloc(MOST_SPANS, sizeof *collected.spans);
    rk_test_clock_install(&stopped, 1000, 5000);
    rk_trace_install(&collected.sink);
    return collected.spans == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    rk_trace_install(NULL);
    rk_test_clock_remove(&stopped);
    free(collected.spans);
    return 0;
}

static void test_nesting(void **state)
{
    (void)state;
    rk_span outer;
    rk_span inner;
    rk_span_begin(&outer, "outer", NULL);
    rk_trace_context current = rk_trace_current();
    assert_true(rk_trace_context_is_valid(&current));
    assert_memory_equal(&current, &outer.record.context, sizeof current);
    rk_test_clock_step(&stopped, 10);
    rk_span_begin(&inner, "inner", NULL);
    rk_test_clock_step(&stopped, 5);
    /* A wall clock that is set back does not bend the duration. */
    rk_test_clock_set_realtime(&stopped, 1);
    rk_span_end(&inner, RK_TIMEOUT);
    rk_test_clock_step(&stopped, 1);
    rk_span_end(&outer, RK_OK);
    current = rk_trace_current();
    assert_false(rk_trace_context_is_valid(&current));
    assert_int_equal(rk_trace_flush(), 2);
    assert_int_equal(rk_trace_flush(), 0);
    const rk_span_record *in = &collected.spans[0];
    const rk_span_record *out = &collected.spans[1];
    assert_string_equal(in->name, "inner");
    assert_string_equal(out->name, "outer");
    assert_int_equal(out->start_ns, 5000);
    assert_int_equal(out->duration_ns, 16);
    assert_int_equal(in->start_ns, 5010);
    assert_int_equal(in->duration_ns, 5);
    assert_int_equal(in->status, RK_TIMEOUT);
    assert_memory_equal(in->context.trace_id, out->context.trace_id, 16);
    assert_memory_equal(in->parent_span_id, out->context.span_id, 8);
    assert_memory_not_equal(in->context.span_id, out->context.span_id, 8);
    static const uint8_t none[8];
    assert_memory_equal(out->parent_span_id, none, 8);
}

static void test_parent_from_outside(void **state)
{
    (void)state;
    rk_trace_context parent = {.trace_id = {1}, .span_id = {2}, .flags = RK_TRACE_SAMPLED};
    rk_span span;
    rk_span_begin(&span, "handler", &parent);
    rk_span_set_kind(&span, RK_SPAN_SERVER);
    rk_span_end(&span, RK_OK);
    parent.flags = 0;
    rk_span_begin(&span, "unseen", &parent);
    /* An unrecorded trace travels on unchanged. */
    rk_trace_context current = rk_trace_current();
    assert_memory_equal(&current, &parent, sizeof parent);
    rk_span inner;
    rk_span_begin(&inner, "unseen", NULL);
    rk_span_add_u64(&inner, "n", 1);
    rk_span_end(&inner, RK_OK);
    rk_span_end(&span, RK_OK);
    assert_int_equal(rk_trace_flush(), 1);
    assert_int_equal(collected.spans[0].kind, RK_SPAN_SERVER);
    assert_memory_equal(collected.spans[0].parent_span_id, parent.span_id, 8);
    assert_memory_equal(collected.spans[0].context.trace_id, parent.trace_id, 16);
}

static void test_attributes(void **state)
{
    (void)state;
    rk_span span;
    rk_span_begin(&span, "span", NULL);
    rk_span_add_u64(&span, "n", 42);
    rk_span_add_f64(&span, "x", 0.5);
    rk_span_add_text(&span, "short", "text");
    rk_span_add_text(&span, "long", "0123456789012345678901234567890123456789");
    for (int i = 0; i < 10; i++) {
        rk_span_add_u64(&span, "more", 1);
    }
    rk_span_end(&span, RK_OK);
    rk_span_add_u64(&span, "late", 1);
    assert_int_equal(rk_trace_flush(), 1);
    const rk_span_record *record = &collected.spans[0];
    assert_int_equal(record->attribute_count, RK_SPAN_MOST_ATTRIBUTES);
    assert_int_equal(record->attributes[0].value.u64, 42);
    assert_true(record->attributes[1].value.f64 == 0.5);
    assert_string_equal(record->attributes[2].value.text, "text");
    assert_string_equal(record->attributes[3].value.text,
                        "012345678901234567890123456789012345678");
}

static void test_off(void **state)
{
    (void)state;
    rk_trace_install(NULL);
    rk_span span;
    rk_span_begin(&span, "unseen", NULL);
    rk_span_add_u64(&span, "n", 1);
    rk_trace_context current = rk_trace_current();
    assert_false(rk_trace_context_is_valid(&current));
    /* Turned on in between: a span that began unseen ends unseen. */
    rk_trace_install(&collected.sink);
    rk_span_end(&span, RK_OK);
    assert_int_equal(rk_trace_flush(), 0);
    /* Turned off in between: the thread's current span is as before, the record is dropped. */
    rk_span_begin(&span, "dropped", NULL);
    rk_trace_install(NULL);
    rk_span_end(&span, RK_OK);
    current = rk_trace_current();
    assert_false(rk_trace_context_is_valid(&current));
    rk_trace_install(&collected.sink);
    assert_int_equal(collected.count, 0);
}

static void test_sampling(void **state)
{
    (void)state;
    static const double shares[] = {-1, 0, 0.25, 1, 2};
    static const size_t least[] = {0, 0, 400, 2000, 2000};
    static const size_t most[] = {0, 0, 600, 2000, 2000};
    for (size_t i = 0; i < 5; i++) {
        collected.sink.sample_share = shares[i];
        rk_trace_install(&collected.sink);
        collected.count = 0;
        for (int n = 0; n < 2000; n++) {
            rk_span span;
            rk_span_begin(&span, "root", NULL);
            rk_span_end(&span, RK_OK);
            rk_trace_flush();
        }
        assert_true(collected.count >= least[i] && collected.count <= most[i]);
    }
}

static void test_full_buffer(void **state)
{
    (void)state;
    uint64_t before = rk_trace_dropped_count();
    for (int i = 0; i < 1000; i++) {
        rk_span span;
        rk_span_begin(&span, "span", NULL);
        rk_span_end(&span, RK_OK);
    }
    uint64_t dropped = rk_trace_dropped_count() - before;
    assert_true(dropped > 0);
    assert_int_equal(rk_trace_flush(), 1000 - dropped);
    rk_span span;
    rk_span_begin(&span, "span", NULL);
    rk_span_end(&span, RK_OK);
    assert_int_equal(rk_trace_flush(), 1);
}

static void make_spans(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        rk_span outer;
        rk_span inner;
        rk_span_begin(&outer, "outer", NULL);
        rk_span_begin(&inner, "inner", NULL);
        rk_span_end(&inner, RK_OK);
        rk_span_end(&outer, RK_OK);
    }
}

static void test_threads(void **state)
{
    (void)state;
    uint64_t before = rk_trace_dropped_count();
    for (int round = 0; round < 2; round++) {
        rk_thread threads[3];
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(rk_thread_start(&threads[i], "spans", make_spans, NULL), RK_OK);
        }
        for (int i = 0; i < 200; i++) {
            rk_trace_flush();
        }
        for (size_t i = 0; i < 3; i++) {
            rk_thread_join(&threads[i]);
        }
        rk_trace_flush(); /* the rings of the ended threads go with it */
    }
    uint64_t dropped = rk_trace_dropped_count() - before;
    assert_int_equal(collected.count + dropped, 2 * 3 * 2 * 2000);
    for (size_t i = 0; i < collected.count; i++) {
        assert_true(rk_trace_context_is_valid(&collected.spans[i].context));
    }
}

static void end_without_memory(void *arg)
{
    (void)arg;
    rk_span span;
    rk_span_begin(&span, "span", NULL);
    rk_test_memory_fail(1);
    rk_span_end(&span, RK_OK);
    rk_test_memory_fail(0);
}

static void test_no_memory(void **state)
{
    (void)state;
    uint64_t before = rk_trace_dropped_count();
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "poor", end_without_memory, NULL), RK_OK);
    rk_thread_join(&thread);
    assert_int_equal(rk_trace_dropped_count() - before, 1);
    assert_int_equal(rk_trace_flush(), 0);
}

static void test_traceparent(void **state)
{
    (void)state;
    static const char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    rk_trace_context context;
    char out[RK_TRACEPARENT_BYTES];
    assert_int_equal(rk_traceparent_parse(good, strlen(good), &context, NULL), RK_OK);
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.span_id[7], 0xb7);
    assert_int_equal(context.flags, 1);
    assert_string_equal(rk_traceparent_format(&context, out), good);
    static const char later[] = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
    assert_int_equal(rk_traceparent_parse(later, strlen(later), &context, NULL), RK_OK);
    assert_int_equal(context.flags, 0);
    static const char *const bad[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    };
    rk_trace_context before = context;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_traceparent_parse(bad[i], strlen(bad[i]), &context, &err), RK_SYNTAX);
        assert_non_null(strstr(err.text, "traceparent"));
        assert_memory_equal(&context, &before, sizeof before);
    }
}

int main(void)
{
#define TRACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TRACE_TEST(test_nesting),           TRACE_TEST(test_parent_from_outside),
        TRACE_TEST(test_attributes),        TRACE_TEST(test_off),
        TRACE_TEST(test_sampling),          TRACE_TEST(test_full_buffer),
        TRACE_TEST(test_threads),           TRACE_TEST(test_no_memory),
        cmocka_unit_test(test_traceparent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
