/*
 * Bench reports: samples, both renderings, and every bench in the table once, with little work.
 */
#include "bench/report.h"

#include "base/compiler.h"
#include "support/skip.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static void test_quantiles(void **state)
{
    (void)state;
    rk_bench_samples s = {.count = 0};
    assert_true(rk_bench_quantile(&s, 0.5) == 0);
    static const double values[] = {5, 1, 4, 2, 3};
    for (size_t i = 0; i < RK_COUNT_OF(values); i++) {
        rk_bench_sample(&s, values[i]);
    }
    assert_true(rk_bench_quantile(&s, 0) == 1);
    assert_true(rk_bench_quantile(&s, 0.5) == 3);
    assert_true(rk_bench_quantile(&s, 1) == 5);
    assert_true(rk_bench_quantile(&s, 0.125) == 1.5);
    for (unsigned i = 0; i < 2 * RK_BENCH_MAX_SAMPLES; i++) {
        rk_bench_sample(&s, 0);
    }
    assert_int_equal(s.count, RK_BENCH_MAX_SAMPLES);
}

static rk_status run_known(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    (void)err;
    rk_bench_samples s = {.values = {3, 1, 2}, .count = 3};
    rk_bench_put_samples(report, RK_BENCH_METRIC, "speed_mmsg_s", &s, "Mmsg/s");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 1.5);
    rk_bench_put(report, RK_BENCH_REFERENCE, "other_ns", (double)rk_bench_rounds(options), "ns");
    rk_bench_reach(report, RK_BENCH_AT_MOST, 1);
    rk_bench_put(report, RK_BENCH_RATIO, "broken", NAN, "");
    rk_bench_skip(report, "third", "it is \"not\" there");
    rk_bench_note(report, "pinned to CPU %d", 7);
    return RK_OK;
}

static rk_status run_failing(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    (void)report;
    (void)options;
    return rk_err_set(err, RK_INTERNAL, "lost a message");
}

static rk_status run_too_much(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    (void)options;
    (void)err;
    for (unsigned i = 0; i <= RK_BENCH_MAX_FIGURES; i++) {
        rk_bench_put(report, RK_BENCH_METRIC, "again", i, "");
    }
    return RK_OK;
}

static const rk_bench known = {"known", "a bench with known figures", run_known};

static json_t *run_json(const rk_bench *bench, const rk_bench_options *options)
{
    rk_str out;
    rk_str_init(&out, 1 << 20);
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_bench_run(bench, options, true, &out, &err);
    if (status != RK_OK) {
        fail_msg("%s: %s", bench->name, err.text);
    }
    json_error_t where;
    json_t *object = json_loads(rk_str_cstr(&out), JSON_REJECT_DUPLICATES, &where);
    if (object == NULL) {
        fail_msg("%s: %s in %s", bench->name, where.text, rk_str_cstr(&out));
    }
    rk_str_finish(&out);
    return object;
}

static double number(json_t *object, const char *section, const char *key)
{
    return json_number_value(json_object_get(json_object_get(object, section), key));
}

static void test_json(void **state)
{
    (void)state;
    rk_bench_options options = {.rounds = 5};
    json_t *o = run_json(&known, &options);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "known");
    assert_true(number(o, "metrics", "speed_mmsg_s") == 2);
    assert_true(number(o, "metrics", "speed_mmsg_s_min") == 1);
    assert_true(number(o, "metrics", "speed_mmsg_s_max") == 3);
    assert_true(number(o, "references", "other_ns") == 5);
    assert_true(json_is_null(json_object_get(json_object_get(o, "ratios"), "broken")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "skipped"), "third")),
                        "it is \"not\" there");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "notes"), 0)),
                        "pinned to CPU 7");
    json_t *machine = json_object_get(o, "machine");
    static const char *const texts[] = {"cpu", "kernel", "compiler", "date"};
    for (size_t i = 0; i < RK_COUNT_OF(texts); i++) {
        assert_true(json_string_length(json_object_get(machine, texts[i])) > 2);
    }
    assert_true(json_number_value(json_object_get(machine, "cores")) >= 1);
    assert_true(json_number_value(json_object_get(machine, "memory_gib")) > 0);
    json_decref(o);
}

static void test_text(void **state)
{
    (void)state;
    rk_str out;
    rk_str_init(&out, 1 << 20);
    assert_int_equal(rk_bench_run(&known, NULL, false, &out, NULL), RK_OK);
    const char *text = rk_str_cstr(&out);
    assert_non_null(strstr(text, "speed_mmsg_s "));
    assert_non_null(strstr(text, "1 to 3"));
    assert_non_null(strstr(text, "reach >= 1.5: yes"));
    assert_non_null(strstr(text, "reach <= 1: no"));
    assert_non_null(strstr(text, "third                      skipped: it is \"not\" there"));
    assert_null(strstr(text, "speed_mmsg_s_min"));
    rk_str_finish(&out);
}

static void test_failures(void **state)
{
    (void)state;
    rk_str out;
    rk_str_init(&out, 1 << 20);
    rk_err err = RK_ERR_INIT;
    const rk_bench failing = {"failing", "", run_failing};
    assert_int_equal(rk_bench_run(&failing, NULL, true, &out, &err), RK_INTERNAL);
    assert_string_equal(err.text, "bench failing: lost a message");
    const rk_bench too_much = {"too_much", "", run_too_much};
    assert_int_equal(rk_bench_run(&too_much, NULL, true, &out, &err), RK_LIMIT);
    rk_str_finish(&out);
    rk_str small;
    rk_str_init(&small, 10);
    assert_int_equal(rk_bench_run(&known, NULL, true, &small, &err), RK_LIMIT);
    rk_str_finish(&small);
}

static void test_table(void **state)
{
    (void)state;
    assert_true(rk_bench_count >= 2);
    for (size_t i = 0; i < rk_bench_count; i++) {
        assert_ptr_equal(rk_bench_find(rk_bench_table[i].name), &rk_bench_table[i]);
        assert_true(strlen(rk_bench_table[i].summary) > 10);
        assert_true(i == 0 || strcmp(rk_bench_table[i - 1].name, rk_bench_table[i].name) < 0);
    }
    assert_null(rk_bench_find("no-such-bench"));
    assert_null(rk_bench_find(""));
}

/* The keys that are part of the interface are there, and are numbers above zero. */
static void expect_keys(const char *name, const char *const *metrics)
{
    const rk_bench *bench = rk_bench_find(name);
    assert_non_null(bench);
    rk_bench_options little = {.rounds = 2, .scale = 0.005};
    json_t *o = run_json(bench, &little);
    for (; *metrics; metrics++) {
        if (!(number(o, "metrics", *metrics) > 0)) {
            fail_msg("%s: no metric %s", name, *metrics);
        }
    }
    json_decref(o);
}

static void test_ring(void **state)
{
    (void)state;
    expect_keys("ring",
                (const char *const[]){"batch1_mmsg_s", "batch16_mmsg_s", "batch64_mmsg_s", NULL});
}

static void test_hlc(void **state)
{
    (void)state;
    expect_keys("hlc", (const char *const[]){"t1_mticks_s", "t2_mticks_s", "t4_mticks_s", NULL});
}

static void test_pool(void **state)
{
    (void)state;
    expect_keys("pool", (const char *const[]){"pair_ns", "warm_p99_ns", "cold_p50_ns",
                                              "cold_p99_ns", "large_pair_ns", "two_thread_pair_ns",
                                              "churn_call_ns", "churn_internal_percent", NULL});
}

/* Figures, or the reason why there is no device. */
static void test_opencl(void **state)
{
    (void)state;
    rk_bench_options little = {.rounds = 2, .scale = 0.005};
    json_t *o = run_json(rk_bench_find("opencl"), &little);
    json_t *reason = json_object_get(json_object_get(o, "skipped"), "hot_p50_us");
    if (reason == NULL) {
        assert_true(number(o, "metrics", "first_create_ms") > 0);
        assert_true(number(o, "metrics", "hot_p50_us") > 0);
        assert_true(number(o, "metrics", "lease_step_us") > 0);
        assert_true(number(o, "references", "cpu_hot_p50_us") > 0);
    }
    json_decref(o);
    if (reason != NULL) {
        RK_SKIP("OpenCL has no device");
    }
}

static void test_resident(void **state)
{
    (void)state;
    expect_keys("roundtrip", (const char *const[]){"hot_p50_us", "hot_p99_us", "idle_p50_us",
                                                   "busy_p99_us", NULL});
    expect_keys("step", (const char *const[]){"one_block_us", NULL});
    expect_keys("idle", (const char *const[]){"kernels", "kernel_kib", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles), cmocka_unit_test(test_json),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_failures),
        cmocka_unit_test(test_table),     cmocka_unit_test(test_ring),
        cmocka_unit_test(test_hlc),       cmocka_unit_test(test_pool),
        cmocka_unit_test(test_opencl),    cmocka_unit_test(test_resident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
