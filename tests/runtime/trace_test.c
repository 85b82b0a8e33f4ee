/*
 * trace_test.c: the timeline that a kernel writes down: what it says, in which order, what is lost,
 * and the file that shows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/probe.h"
#include "runtime/runtime_internal.h"
#include "support/random.h"
#include <ringkernel/abi/command.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 4096u
#define TOOL RK_STAND_INS "/libstand-in-injection.so"

static rk_runtime *make_runtime(void)
{
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = NULL;
    if (rk_runtime_create(NULL, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

/* A created kernel that has not been started. */
static rk_kernel *create(rk_runtime *runtime, const rk_launch *launch)
{
    rk_err err = RK_ERR_INIT;
    rk_launch full = *launch;
    rk_module *module = probe_module();
    full.name = full.name != NULL ? full.name : "probe";
    full.module = module;
    rk_kernel *kernel = NULL;
    if (rk_kernel_create(runtime, &full, &kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(module);
    return kernel;
}

static void must(rk_status status, const rk_err *err)
{
    if (status != RK_OK) {
        fail_msg("%s", err->text);
    }
}

/* All that is there, in a static array; *out_lost sums up what is not. */
static const rk_trace_event *read_all(rk_kernel *kernel, size_t *out_count, uint64_t *out_lost)
{
    static rk_trace_event events[MANY];
    rk_err err = RK_ERR_INIT;
    size_t total = 0;
    *out_lost = 0;
    for (size_t count = 1; count > 0 && total < MANY;) {
        uint64_t lost = 0;
        must(rk_kernel_trace_read(kernel, &events[total], MANY - total, &count, &lost, &err), &err);
        total += count;
        *out_lost += lost;
    }
    for (size_t i = 1; i < total; i++) {
        assert_true(events[i].time_ns >= events[i - 1].time_ns);
    }
    assert_true(total == 0 || events[total - 1].time_ns <= rk_clock_monotonic_ns());
    *out_count = total;
    return events;
}

/* As text: "(name" begins, ")name" ends, "!name" marks, "#name=value", "<name", ">name"; commands
 * and idle spans, whose number depends on chance, are left out. */
static char *as_text(const rk_trace_event *events, size_t count)
{
    static const char signs[] = "?()!#<>";
    rk_str text;
    rk_str_init(&text, 1u << 20);
    for (size_t i = 0; i < count; i++) {
        const rk_trace_event *event = &events[i];
        if (event->index == RK_TRACE_NAME_IDLE || event->index == RK_TRACE_NAME_COMMAND) {
            continue;
        }
        rk_str_appendf(&text, "%s%c%s", text.length > 0 ? " " : "", signs[event->kind],
                       event->name);
        if (event->kind == RK_TRACE_KIND_COUNTER) {
            rk_str_appendf(&text, "=%llu", (unsigned long long)event->value);
        }
    }
    return rk_str_take(&text, NULL);
}

static void expect(rk_kernel *kernel, const char *wanted)
{
    size_t count;
    uint64_t lost;
    const rk_trace_event *events = read_all(kernel, &count, &lost);
    char *text = as_text(events, count);
    assert_string_equal(text, wanted);
    assert_int_equal(lost, 0);
    free(text);
}

#define ONE_STEP(n) "(step (add (adding ) )add (copy )copy )step #total=" n

static void writes_its_whole_life(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    for (uint32_t blocks = 1; blocks <= 3; blocks++) {
        rk_launch launch = {.blocks = blocks};
        rk_kernel *kernel = create(runtime, &launch);
        must(rk_kernel_trace_start(kernel, NULL, &err), &err); /* before it runs */
        must(rk_kernel_start(kernel, &err), &err);
        assert_int_equal(probe_run(kernel, 2), 2);
        must(rk_kernel_park(kernel, RK_FOREVER, &err), &err);
        expect(kernel, "(resident (init )init " ONE_STEP("1") " <between " ONE_STEP(
                           "2") " >between )resident");
        must(rk_kernel_start(kernel, &err), &err); /* and goes on behind a park */
        assert_int_equal(probe_run(kernel, 1), 3);
        must(rk_kernel_trace_stop(kernel, &err), &err);
        assert_int_equal(probe_run(kernel, 1), 4);
        expect(kernel, "(resident " ONE_STEP("3") " <between )resident");
        rk_kernel_destroy(kernel);
    }
    rk_runtime_destroy(runtime);
}

/* Steps, values and colours; a kernel that runs already is switched at its next safe point. */
static void names_what_it_writes(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = probe_start(runtime, &(rk_launch){.blocks = 2});
    assert_int_equal(probe_run(kernel, 5), 5);
    expect(kernel, ""); /* off by default */
    uint64_t before_ns = rk_clock_monotonic_ns();
    must(rk_kernel_trace_start(kernel, NULL, &err), &err);
    assert_int_equal(probe_run(kernel, 1), 6);
    uint64_t id = 0;
    must(rk_kernel_send(kernel, 300, 0, "x", 1, &id, &err), &err);
    (void)probe_done(kernel, id);
    must(rk_kernel_trace_stop(kernel, &err), &err);
    size_t count;
    uint64_t lost;
    const rk_trace_event *events = read_all(kernel, &count, &lost);
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        const rk_trace_event *event = &events[i];
        assert_true(event->time_ns >= before_ns);
        if (strcmp(event->name, "step") == 0) {
            assert_int_equal(event->step, 5);
            assert_int_equal(event->source, RK_TRACE_STEP);
            seen |= 1;
        } else if (strcmp(event->name, "copy") == 0) {
            assert_int_equal(event->source, RK_TRACE_PHASE);
            assert_int_equal(event->index, RK_TRACE_NAME_PHASE + 1);
            seen |= 2;
        } else if (strcmp(event->name, "adding") == 0) {
            assert_int_equal(event->source, RK_TRACE_USER);
            assert_int_equal(event->color, 0x3366cc);
            seen |= 4;
        } else if (strcmp(event->name, "told") == 0) {
            assert_int_equal(event->kind, RK_TRACE_KIND_MARK);
            assert_int_equal(event->color, 0xcc3300);
            seen |= 8;
        } else if (strcmp(event->name, "run") == 0 && event->value == RK_CMD_RUN) {
            seen |= 16;
        } else if (strcmp(event->name, "message") == 0 && event->value == 300) {
            seen |= 32;
        }
    }
    assert_int_equal(seen, 63);
    rk_runtime_destroy(runtime);
}

static void writes_only_what_is_asked_for(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = probe_start(runtime, &(rk_launch){.blocks = 2});
    must(rk_kernel_trace_start(kernel, &(rk_trace_options){.mask = RK_TRACE_STEP}, &err), &err);
    assert_int_equal(probe_run(kernel, 2), 2);
    expect(kernel, "(step )step (step )step");
    must(rk_kernel_trace_start(kernel, &(rk_trace_options){.mask = RK_TRACE_PHASE}, &err), &err);
    assert_int_equal(probe_run(kernel, 1), 3);
    expect(kernel, "(add )add (copy )copy");
    rk_trace_options seldom = {.mask = RK_TRACE_STEP | RK_TRACE_USER, .every = 3};
    must(rk_kernel_trace_start(kernel, &seldom, &err), &err);
    assert_int_equal(probe_run(kernel, 6), 9); /* steps 3 to 8: 3 and 6 are written */
    expect(kernel, "(step (adding ) )step #total=4 >between (step (adding ) )step #total=7 "
                   "<between");
    assert_int_equal(rk_kernel_trace_start(kernel, &(rk_trace_options){.mask = 0x100}, &err),
                     RK_INVALID);
    must(rk_kernel_trace_stop(kernel, &err), &err);
    assert_int_equal(probe_run(kernel, 3), 12);
    expect(kernel, "");
    rk_runtime_destroy(runtime);
}

/* With real lanes only one of them writes. */
static void fibers_write_once(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = create(runtime, &(rk_launch){.blocks = 2, .lanes = 8});
    must(rk_kernel_trace_start(kernel, NULL, &err), &err);
    must(rk_kernel_start(kernel, &err), &err);
    assert_int_equal(probe_run(kernel, 1), 1);
    must(rk_kernel_park(kernel, RK_FOREVER, &err), &err);
    expect(kernel, "(resident (init )init " ONE_STEP("1") " <between )resident");
    rk_runtime_destroy(runtime);
}

/* A kernel never waits for its reader: the oldest records go, and are counted. */
static void overwrites_the_oldest(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = probe_start(runtime, &(rk_launch){.blocks = 1, .trace_slots = 16});
    must(rk_kernel_trace_start(kernel, &(rk_trace_options){.mask = RK_TRACE_STEP}, &err), &err);
    assert_int_equal(probe_run(kernel, 1000), 1000);
    size_t count;
    uint64_t lost;
    const rk_trace_event *events = read_all(kernel, &count, &lost);
    assert_int_equal(count, 14);
    assert_int_equal(lost, 2000 - 14);
    assert_int_equal(events[count - 1].step, 999);
    rk_launch odd = {.name = "odd", .module = probe_module(), .trace_slots = 100};
    rk_kernel *none = NULL;
    assert_int_equal(rk_kernel_create(runtime, &odd, &none, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "100 records"));
    rk_module_unref(odd.module);
    rk_runtime_destroy(runtime);
}

/* What the kernel's side has broken is not believed: names, kinds, times, numbers. */
static void survives_nonsense(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = probe_start(runtime, &(rk_launch){.blocks = 1});
    rk_trace_ring *ring = (rk_trace_ring *)(kernel->mapped.host + kernel->layout.trace);
    rk_trace_record *records = (rk_trace_record *)(ring + 1);
    uint64_t seed = 7;
    for (uint32_t round = 0; round < 200; round++) {
        uint64_t written = rk_word64_load(&ring->written);
        for (uint32_t i = 0; i < 40; i++) {
            rk_u64 *words = (rk_u64 *)&records[(written + i) % 4096];
            for (uint32_t j = 0; j < 4; j++) {
                rk_word64_store(&words[j], rk_test_random(&seed) >> rk_test_random(&seed) % 64);
            }
        }
        uint64_t jump = rk_test_random(&seed) % 8 == 0 ? rk_test_random(&seed) : written + 40;
        rk_word64_store_release(&ring->written, jump);
        size_t count;
        uint64_t lost;
        const rk_trace_event *events = read_all(kernel, &count, &lost); /* checks the times */
        assert_true(count <= MANY);
        for (size_t i = 0; i < count; i++) {
            assert_non_null(events[i].name);
            assert_in_range(events[i].kind, RK_TRACE_KIND_BEGIN, RK_TRACE_KIND_RANGE_END);
        }
    }
    rk_trace_event event;
    size_t count;
    uint64_t lost;
    assert_int_equal(rk_kernel_trace_read(kernel, &event, 0, &count, &lost, &err), RK_INVALID);
    assert_int_equal(probe_run(kernel, 3), 3); /* it goes on as if nothing had been */
    rk_runtime_destroy(runtime);
}

/* ---- The file ------------------------------------------------------------------------------- */

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

static void told(void *context, const rk_profile_event *event)
{
    rk_str *said = context;
    if (event->kernel != NULL) {
        rk_str_appendf(said, "%s/%s ", event->kernel, event->name);
    }
}

/* What the tool that NVTX_INJECTION64_PATH names was told since the last time. */
static const char *told_by_tool(void)
{
    static char text[1u << 16];
    void (*take)(char *, size_t);
    void *library = dlopen(TOOL, RTLD_LAZY);
    assert_non_null(library);
    *(void **)&take = dlsym(library, "stand_in_take");
    take(text, sizeof text);
    (void)dlclose(library);
    return text;
}

static void shows_kernels_and_host(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/rk-timeline-%ld.json", (long)getpid());
    rk_str said;
    rk_str_init(&said, 1u << 20);
    (void)told_by_tool();
    const rk_profiler_ops hook = {
        .abi = RK_PROFILER_ABI, .name = "hook", .mark = told, .context = &said};
    must(rk_profiler_register(&hook, &err), &err);
    rk_runtime *runtime = make_runtime();
    rk_kernel *a = create(runtime, &(rk_launch){.name = "a", .blocks = 1});
    rk_kernel *b = probe_start(runtime, &(rk_launch){.name = "b", .blocks = 2});
    rk_timeline *timeline = NULL;
    must(rk_timeline_open(path, &(rk_timeline_options){.forward = true}, &timeline, &err), &err);
    must(rk_timeline_add(timeline, a, NULL, &err), &err);
    must(rk_timeline_add(timeline, b, &(rk_trace_options){.mask = RK_TRACE_STEP}, &err), &err);
    assert_int_equal(rk_timeline_add(timeline, b, NULL, &err), RK_EXISTS);
    must(rk_kernel_start(a, &err), &err);
    rk_profile_push("outer", 0x112233);
    rk_profile_range range = rk_profile_range_begin("both", 0);
    assert_int_equal(probe_run(a, 3), 3);
    assert_int_equal(probe_run(b, 5), 5);
    rk_profile_range_end(range);
    rk_profile_mark("done", 0);
    rk_profile_pop();
    rk_timeline_report report;
    must(rk_timeline_close(timeline, &report, &err), &err);
    rk_runtime_destroy(runtime);
    must(rk_profiler_unregister(&hook, &err), &err);
    char *text = NULL;
    size_t length = 0;
    must(rk_file_read_all(path, 1u << 20, &text, &length, &err), &err);
    (void)unlink(path);
    assert_int_equal(report.bytes > length ? report.bytes - length : length - report.bytes,
                     length - report.bytes); /* the end of the file comes on top */
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.unmatched, 0);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), count_of(text, "\"ph\":\"E\""));
    assert_int_equal(count_of(text, "\"ph\":\"b\""), count_of(text, "\"ph\":\"e\""));
    assert_int_equal(count_of(text, "\"name\":\"step\",\"cat\":\"step\""), 8);
    assert_int_equal(count_of(text, "\"name\":\"copy\",\"cat\":\"phase\""), 3);
    assert_int_equal(count_of(text, "\"name\":\"kernel a (probe) on cpu:0\""), 1);
    assert_int_equal(count_of(text, "\"name\":\"start a\""), 1);
    assert_int_equal(count_of(text, "\"name\":\"outer\""), 1);
    assert_int_equal(count_of(text, "\"name\":\"both\""), 2);
    assert_int_equal(count_of(text, "\"name\":\"done\""), 1);
    assert_int_equal(count_of(text, "\"name\":\"total\""), 3);
    assert_int_equal(count_of(rk_str_cstr(&said), "a/step "), 3);
    assert_int_equal(count_of(rk_str_cstr(&said), "b/step "), 5);
    assert_int_equal(count_of(rk_str_cstr(&said), "a/copy "), 3);
    const char *tool = told_by_tool();
    assert_int_equal(count_of(tool, "ringkernel mark 'a: step' category 2 payload "), 3);
    assert_int_equal(count_of(tool, "ringkernel mark 'b: step' category 2 payload "), 5);
    assert_int_equal(
        count_of(tool, "ringkernel mark 'a: adding' category 2 color ff3366cc payload "), 3);
    assert_int_equal(count_of(tool, "ringkernel push 'start a' category 1 color ff5577aa"), 1);
    assert_int_equal(count_of(tool, "ringkernel push 'outer' category 1 color ff112233"), 1);
    assert_int_equal(count_of(tool, "WRONG"), 0);
    free(text);
    rk_str_finish(&said);
}

/* What a panic leaves open is ended in the file. */
static void a_panic_leaves_a_whole_file(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/rk-timeline-%ld.json", (long)getpid());
    rk_runtime *runtime = make_runtime();
    rk_kernel *kernel = create(runtime, &(rk_launch){.blocks = 2});
    rk_timeline *timeline = NULL;
    must(rk_timeline_open(path, NULL, &timeline, &err), &err);
    must(rk_timeline_add(timeline, kernel, NULL, &err), &err);
    must(rk_kernel_start(kernel, &err), &err);
    assert_int_equal(probe_run(kernel, 2), 2);
    uint64_t id = 0;
    rk_reply reply;
    must(rk_kernel_custom(kernel, 2, NULL, 0, &id, &err), &err);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err), RK_PANIC);
    rk_timeline_report report;
    must(rk_timeline_close(timeline, &report, &err), &err);
    rk_runtime_destroy(runtime);
    char *text = NULL;
    size_t length = 0;
    must(rk_file_read_all(path, 1u << 20, &text, &length, &err), &err);
    (void)unlink(path);
    assert_int_equal(count_of(text, "\"name\":\"resident\""), 1);
    assert_int_equal(count_of(text, "\"ph\":\"B\""), count_of(text, "\"ph\":\"E\""));
    assert_int_equal(count_of(text, "\"ph\":\"b\""), count_of(text, "\"ph\":\"e\""));
    free(text);
}

static void a_timeline_that_cannot_be(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    rk_timeline *timeline = NULL;
    assert_int_equal(rk_timeline_open("/nonexistent/t.json", NULL, &timeline, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent"));
}

int main(void)
{
    (void)setenv("NVTX_INJECTION64_PATH", TOOL, 1); /* as Nsight Systems does */
    (void)unsetenv("RK_PROFILE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_its_whole_life),
        cmocka_unit_test(names_what_it_writes),
        cmocka_unit_test(writes_only_what_is_asked_for),
        cmocka_unit_test(fibers_write_once),
        cmocka_unit_test(overwrites_the_oldest),
        cmocka_unit_test(survives_nonsense),
        cmocka_unit_test(shows_kernels_and_host),
        cmocka_unit_test(a_timeline_that_cannot_be),
        cmocka_unit_test(a_panic_leaves_a_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
