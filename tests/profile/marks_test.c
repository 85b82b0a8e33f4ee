/*
 * marks_test.c: spans, ranges and marks as registered profilers are told of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/thread.h"
#include "profile/profile.h"

#include <string.h>

typedef struct hook {
    rk_str said;
    uint64_t last_range;
} hook;

static void push(void *context, const rk_profile_event *event)
{
    hook *h = context;
    rk_str_appendf(&h->said, "push %s %06x;", event->name, event->color);
}

static void pop(void *context)
{
    rk_str_append(&((hook *)context)->said, "pop;");
}

static uint64_t range_begin(void *context, const rk_profile_event *event)
{
    hook *h = context;
    rk_str_appendf(&h->said, "begin %s;", event->name);
    return ++h->last_range;
}

static void range_end(void *context, uint64_t range)
{
    rk_str_appendf(&((hook *)context)->said, "end %llu;", (unsigned long long)range);
}

static void mark(void *context, const rk_profile_event *event)
{
    rk_str_appendf(&((hook *)context)->said, "mark %s;", event->name);
}

static rk_status capture_begin(void *context, rk_err *err)
{
    rk_str_append(&((hook *)context)->said, "capture;");
    return rk_err_set(err, RK_BUSY, "another one is recording");
}

static rk_profiler_ops ops_of(hook *h)
{
    rk_str_init(&h->said, 1u << 16);
    h->last_range = 0;
    return (rk_profiler_ops){.abi = RK_PROFILER_ABI,
                             .name = "hook",
                             .push = push,
                             .pop = pop,
                             .range_begin = range_begin,
                             .range_end = range_end,
                             .mark = mark,
                             .capture_begin = capture_begin,
                             .context = h};
}

static void add(const rk_profiler_ops *ops)
{
    rk_err err = RK_ERR_INIT;
    if (rk_profiler_register(ops, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
}

static void drop(const rk_profiler_ops *ops)
{
    assert_int_equal(rk_profiler_unregister(ops, NULL), RK_OK);
}

static void nobody_is_told_nothing(void **state)
{
    (void)state;
    uint64_t before = rk_profile_unbalanced_count();
    rk_profile_push("a", 1);
    rk_profile_pop();
    rk_profile_pop();
    rk_profile_mark("m", 2);
    assert_int_equal(rk_profile_range_begin("r", 3), 0);
    rk_profile_range_end(0);
    assert_int_equal(rk_profile_unbalanced_count(), before);
}

static void tells_all_that_are_registered(void **state)
{
    (void)state;
    hook one;
    hook two;
    rk_profiler_ops first = ops_of(&one);
    rk_profiler_ops second = ops_of(&two);
    second.mark = NULL; /* may be */
    add(&first);
    add(&second);
    rk_profile_push("a", 0x3366cc);
    rk_profile_mark("m", RK_PROFILE_NO_COLOR);
    rk_profile_range range = rk_profile_range_begin("r", 0);
    rk_profile_pop();
    rk_profile_range_end(range);
    rk_profile_range_end(range); /* over: nothing */
    drop(&first);
    rk_profile_push("b", 0);
    rk_profile_pop();
    drop(&second);
    assert_string_equal(rk_str_cstr(&one.said), "push a 3366cc;mark m;begin r;pop;end 1;");
    assert_string_equal(rk_str_cstr(&two.said),
                        "push a 3366cc;begin r;pop;end 1;push b 000000;pop;");
    rk_str_finish(&one.said);
    rk_str_finish(&two.said);
}

/* One that comes in the middle hears the end of nothing that it has not seen begin. */
static void a_late_one_gets_no_ends(void **state)
{
    (void)state;
    hook one;
    hook two;
    rk_profiler_ops first = ops_of(&one);
    rk_profiler_ops second = ops_of(&two);
    add(&first);
    rk_profile_push("outer", 0);
    rk_profile_range range = rk_profile_range_begin("r", 0);
    add(&second);
    rk_profile_push("inner", 0);
    rk_profile_pop();
    rk_profile_pop();
    rk_profile_range_end(range);
    drop(&second);
    drop(&first);
    assert_string_equal(rk_str_cstr(&one.said),
                        "push outer 000000;begin r;push inner 000000;pop;pop;end 1;");
    assert_string_equal(rk_str_cstr(&two.said), "push inner 000000;pop;");
    rk_str_finish(&one.said);
    rk_str_finish(&two.said);
}

static void counts_pops_without_a_push(void **state)
{
    (void)state;
    hook one;
    rk_profiler_ops ops = ops_of(&one);
    uint64_t before = rk_profile_unbalanced_count();
    add(&ops);
    rk_profile_pop();
    rk_profile_push("a", 0);
    rk_profile_pop();
    rk_profile_pop();
    drop(&ops);
    assert_int_equal(rk_profile_unbalanced_count() - before, 2);
    assert_string_equal(rk_str_cstr(&one.said), "push a 000000;pop;");
    rk_str_finish(&one.said);
}

static void refuses_what_it_cannot_take(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    hook one;
    rk_profiler_ops ops = ops_of(&one);
    ops.abi = 7;
    assert_int_equal(rk_profiler_register(&ops, &err), RK_VERSION);
    assert_non_null(strstr(err.text, "interface 7"));
    ops.abi = RK_PROFILER_ABI;
    assert_int_equal(rk_profiler_unregister(&ops, &err), RK_NOT_FOUND);
    assert_int_equal(rk_profiler_register(NULL, &err), RK_INVALID);
    add(&ops);
    assert_int_equal(rk_profiler_register(&ops, &err), RK_EXISTS);
    rk_profiler_ops many[RK_PROFILERS_MAX];
    for (size_t i = 0; i + 1 < RK_PROFILERS_MAX; i++) {
        many[i] = (rk_profiler_ops){.abi = RK_PROFILER_ABI, .name = "one of many"};
        add(&many[i]);
    }
    many[RK_PROFILERS_MAX - 1] = (rk_profiler_ops){.abi = RK_PROFILER_ABI, .name = "the last"};
    assert_int_equal(rk_profiler_register(&many[RK_PROFILERS_MAX - 1], &err), RK_LIMIT);
    assert_non_null(strstr(err.text, "'the last'"));
    for (size_t i = 0; i + 1 < RK_PROFILERS_MAX; i++) {
        drop(&many[i]);
    }
    drop(&ops);
    rk_str_finish(&one.said);
}

static void hands_captures_to_hooks(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    hook one;
    rk_profiler_ops ops = ops_of(&one);
    add(&ops);
    assert_int_equal(rk_profile_capture_begin(RK_CAPTURE_HOOKS, &err), RK_BUSY);
    assert_string_equal(err.text, "profiler 'hook': another one is recording");
    assert_int_equal(rk_profile_capture_end(RK_CAPTURE_HOOKS, &err), RK_OK); /* has none */
    drop(&ops);
    assert_string_equal(rk_str_cstr(&one.said), "capture;");
    rk_str_finish(&one.said);
}

static void open_ranges_have_a_limit(void **state)
{
    (void)state;
    hook one;
    rk_profiler_ops ops = ops_of(&one);
    add(&ops);
    static rk_profile_range ranges[RK_PROFILE_RANGES_MAX];
    for (size_t i = 0; i < RK_PROFILE_RANGES_MAX; i++) {
        ranges[i] = rk_profile_range_begin("r", 0);
        assert_int_not_equal(ranges[i], 0);
    }
    assert_int_equal(rk_profile_range_begin("r", 0), 0);
    for (size_t i = 0; i < RK_PROFILE_RANGES_MAX; i++) {
        rk_profile_range_end(ranges[i]);
    }
    rk_profile_range again = rk_profile_range_begin("r", 0);
    assert_int_not_equal(again, 0);
    rk_profile_range_end(again);
    rk_profile_range_end(UINT64_MAX);
    drop(&ops);
    rk_str_finish(&one.said);
}

/* ---- Threads -------------------------------------------------------------------------------- */

typedef struct counts {
    _Atomic int64_t depth;
    _Atomic int64_t ranges;
    _Atomic uint64_t calls;
    _Atomic bool is_in; /* registered */
    _Atomic uint64_t outside;
} counts;

static void note(counts *c)
{
    atomic_fetch_add(&c->calls, 1);
    if (!atomic_load(&c->is_in)) {
        atomic_fetch_add(&c->outside, 1);
    }
}

static void count_push(void *context, const rk_profile_event *event)
{
    (void)event;
    counts *c = context;
    note(c);
    atomic_fetch_add(&c->depth, 1);
}

static void count_pop(void *context)
{
    counts *c = context;
    note(c);
    atomic_fetch_sub(&c->depth, 1);
}

static uint64_t count_begin(void *context, const rk_profile_event *event)
{
    (void)event;
    counts *c = context;
    note(c);
    atomic_fetch_add(&c->ranges, 1);
    return 7;
}

static void count_end(void *context, uint64_t range)
{
    counts *c = context;
    note(c);
    atomic_fetch_sub(&c->ranges, 1);
    if (range != 7) {
        atomic_fetch_add(&c->outside, 1);
    }
}

static void mark_away(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        rk_profile_range range = rk_profile_range_begin("r", 0);
        rk_profile_push("a", 0);
        rk_profile_push("b", 0);
        rk_profile_pop();
        rk_profile_range_end(range);
        rk_profile_pop();
    }
}

/* While threads mark, a profiler comes and goes: it is never called when it is away. */
static void threads_and_registrations(void **state)
{
    (void)state;
    static counts always;
    static counts sometimes;
    rk_profiler_ops stays = {.abi = RK_PROFILER_ABI,
                             .name = "stays",
                             .push = count_push,
                             .pop = count_pop,
                             .range_begin = count_begin,
                             .range_end = count_end,
                             .context = &always};
    rk_profiler_ops comes = stays;
    comes.name = "comes";
    comes.context = &sometimes;
    atomic_store(&always.is_in, true);
    add(&stays);
    rk_thread threads[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rk_thread_start(&threads[i], "mark", mark_away, NULL), RK_OK);
    }
    for (int i = 0; i < 200; i++) {
        atomic_store(&sometimes.is_in, true);
        add(&comes);
        drop(&comes);
        atomic_store(&sometimes.is_in, false);
    }
    for (size_t i = 0; i < 3; i++) {
        rk_thread_join(&threads[i]);
    }
    drop(&stays);
    assert_int_equal(atomic_load(&always.depth), 0);
    assert_int_equal(atomic_load(&always.ranges), 0);
    assert_int_equal(atomic_load(&always.calls), 3 * 2000 * 6);
    assert_int_equal(atomic_load(&always.outside), 0);
    assert_int_equal(atomic_load(&sometimes.outside), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_told_nothing),
        cmocka_unit_test(tells_all_that_are_registered),
        cmocka_unit_test(a_late_one_gets_no_ends),
        cmocka_unit_test(counts_pops_without_a_push),
        cmocka_unit_test(refuses_what_it_cannot_take),
        cmocka_unit_test(hands_captures_to_hooks),
        cmocka_unit_test(open_ranges_have_a_limit),
        cmocka_unit_test(threads_and_registrations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
