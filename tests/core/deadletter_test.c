/*
 * deadletter_test.c: the dead-letter queue against a plain model, its limits, and threads that use
 * it at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include <ringkernel/deadletter.h>
#include <stdlib.h>
#include <string.h>

static rk_deadletter_queue *queue_of(uint64_t max_count, uint64_t max_bytes)
{
    rk_deadletter_limits limits = {max_count, max_bytes};
    rk_deadletter_queue *queue = NULL;
    assert_int_equal(rk_deadletter_queue_create(&limits, &queue), RK_OK);
    return queue;
}

static void add(rk_deadletter_queue *queue, rk_deadletter_reason reason, uint32_t type,
                uint64_t destination, uint64_t time_ns)
{
    rk_deadletter letter = {.reason = reason,
                            .type = type,
                            .destination = destination,
                            .time_ns = time_ns,
                            .payload = &type,
                            .payload_bytes = sizeof type};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_OK);
}

/* Collects sequence numbers. */
typedef struct seen {
    uint64_t seq[256];
    size_t count;
    size_t stop_after;
} seen;

static bool collect(void *context, const rk_deadletter *letter)
{
    seen *s = context;
    assert_true(s->count < RK_COUNT_OF(s->seq));
    s->seq[s->count++] = letter->seq;
    uint32_t type;
    assert_int_equal(letter->payload_bytes, sizeof type);
    memcpy(&type, letter->payload, sizeof type);
    assert_int_equal(type, letter->type);
    return s->count != s->stop_after;
}

static seen browse(rk_deadletter_queue *queue, const rk_deadletter_filter *filter)
{
    seen s = {.count = 0};
    uint64_t cursor = 0;
    rk_deadletter_queue_browse(queue, filter, &cursor, 256, collect, &s);
    return s;
}

static void assert_balanced(rk_deadletter_queue *queue)
{
    rk_deadletter_stats s;
    rk_deadletter_queue_stats(queue, &s);
    assert_int_equal(s.added, s.count + s.evicted + s.expired + s.replayed + s.discarded);
}

static bool check_copy(void *context, const rk_deadletter *letter)
{
    const rk_deadletter *want = context;
    char header[192];
    memset(header, 7, sizeof header);
    assert_int_equal(letter->seq, 1);
    assert_int_equal(letter->time_ns, want->time_ns);
    assert_int_equal(letter->source, want->source);
    assert_int_equal(letter->destination, want->destination);
    assert_int_equal(letter->reason, want->reason);
    assert_int_equal(letter->type, want->type);
    assert_int_equal(letter->tenant, want->tenant);
    assert_int_equal(letter->correlation, want->correlation);
    assert_int_equal(letter->flags, want->flags);
    assert_int_equal(letter->attempts, 0);
    assert_int_equal(letter->header_bytes, sizeof header);
    assert_memory_equal(letter->header, header, sizeof header);
    assert_int_equal(letter->payload_bytes, 5);
    assert_memory_equal(letter->payload, "hello", 5);
    return true;
}

static void keeps_a_copy_of_everything(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(0, 0);
    char header[192];
    char payload[5] = {'h', 'e', 'l', 'l', 'o'};
    memset(header, 7, sizeof header);
    rk_deadletter letter = {.time_ns = 5,
                            .source = 1,
                            .destination = 2,
                            .reason = RK_DEADLETTER_TENANT,
                            .type = 300,
                            .tenant = 4,
                            .correlation = 6,
                            .flags = 8,
                            .header_bytes = sizeof header,
                            .payload_bytes = sizeof payload,
                            .header = header,
                            .payload = payload};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_OK);
    memset(header, 0, sizeof header);
    memset(payload, 0, sizeof payload);
    uint64_t cursor = 0;
    assert_int_equal(rk_deadletter_queue_browse(queue, NULL, &cursor, 9, check_copy, &letter), 1);
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(queue, &stats);
    assert_int_equal(stats.count, 1);
    assert_true(stats.bytes >= sizeof header + sizeof payload);
    assert_int_equal(stats.added_by_reason[RK_DEADLETTER_TENANT], 1);
    rk_deadletter_queue_destroy(queue);
    rk_deadletter_queue_destroy(NULL);
}

static void refuses_what_it_cannot_keep(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(10, 1000);
    char payload[2000] = {0};
    rk_deadletter letter = {.payload = payload, .payload_bytes = sizeof payload};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_LIMIT);
    letter = (rk_deadletter){.payload_bytes = 1};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_INVALID);
    letter = (rk_deadletter){.header_bytes = 1};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_INVALID);
    letter = (rk_deadletter){.reason = (rk_deadletter_reason)RK_DEADLETTER_REASON_COUNT};
    assert_int_equal(rk_deadletter_queue_add(queue, &letter), RK_INVALID);
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(queue, &stats);
    assert_int_equal(stats.lost, 1);
    assert_int_equal(stats.count, 0);
    rk_deadletter_queue_destroy(queue);
    rk_deadletter_limits limits = {(1u << 24) + 1, 0};
    assert_int_equal(rk_deadletter_queue_create(&limits, &queue), RK_INVALID);
}

static void evicts_the_oldest(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(3, 0);
    for (uint32_t i = 1; i <= 5; i++) {
        add(queue, RK_DEADLETTER_EXPIRED, i, 0, i);
    }
    seen s = browse(queue, NULL);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.seq[0], 3);
    assert_int_equal(s.seq[2], 5);
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(queue, &stats);
    assert_int_equal(stats.evicted, 2);
    assert_balanced(queue);
    uint64_t one = stats.bytes / 3;
    rk_deadletter_queue_destroy(queue);

    queue = queue_of(100, 2 * one + one / 2);
    for (uint32_t i = 1; i <= 5; i++) {
        add(queue, RK_DEADLETTER_EXPIRED, i, 0, i);
    }
    s = browse(queue, NULL);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.seq[0], 4);
    rk_deadletter_queue_destroy(queue);
}

static void filters(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(0, 0);
    for (uint32_t i = 0; i < 64; i++) {
        add(queue, (rk_deadletter_reason)(i % RK_DEADLETTER_REASON_COUNT), 300 + i / 8, i % 5,
            1000 + i);
    }
    rk_deadletter_filter filter = {.reasons =
                                       1u << RK_DEADLETTER_HOPS | 1u << RK_DEADLETTER_RETRIES};
    assert_int_equal(browse(queue, &filter).count, 16);
    filter = (rk_deadletter_filter){.by_type = true, .type = 303};
    assert_int_equal(browse(queue, &filter).count, 8);
    filter = (rk_deadletter_filter){.by_destination = true, .destination = 0};
    assert_int_equal(browse(queue, &filter).count, 13);
    filter = (rk_deadletter_filter){.from_ns = 1010, .to_ns = 1013};
    seen s = browse(queue, &filter);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.seq[0], 11);
    filter.by_type = true;
    filter.type = 309;
    assert_int_equal(browse(queue, &filter).count, 0);
    rk_deadletter_queue_destroy(queue);
}

static void browses_page_by_page(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(0, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        add(queue, RK_DEADLETTER_REJECTED, i, 0, i);
    }
    uint64_t cursor = 0;
    seen s = {.count = 0};
    assert_int_equal(rk_deadletter_queue_browse(queue, NULL, &cursor, 4, collect, &s), 4);
    assert_int_equal(cursor, 4);
    assert_int_equal(rk_deadletter_queue_discard(queue, 4), RK_OK);
    assert_int_equal(rk_deadletter_queue_discard(queue, 4), RK_NOT_FOUND);
    assert_int_equal(rk_deadletter_queue_discard(queue, 5), RK_OK);
    s.stop_after = 6;
    assert_int_equal(rk_deadletter_queue_browse(queue, NULL, &cursor, 100, collect, &s), 2);
    assert_int_equal(s.seq[4], 6);
    assert_int_equal(s.seq[5], 7);
    s.stop_after = 0;
    assert_int_equal(rk_deadletter_queue_browse(queue, NULL, &cursor, 100, collect, &s), 3);
    assert_int_equal(rk_deadletter_queue_browse(queue, NULL, &cursor, 100, collect, &s), 0);
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

/* Accepts even types only. */
static rk_status send_even(void *context, const rk_deadletter *letter)
{
    ++*(unsigned *)context;
    return letter->type % 2 == 0 ? RK_OK : RK_FULL;
}

static void replays(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(0, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        add(queue, RK_DEADLETTER_RETRIES, i, 0, i);
    }
    unsigned calls = 0;
    assert_int_equal(rk_deadletter_queue_replay(queue, 2, send_even, &calls), RK_OK);
    assert_int_equal(rk_deadletter_queue_replay(queue, 2, send_even, &calls), RK_NOT_FOUND);
    assert_int_equal(rk_deadletter_queue_replay(queue, 3, send_even, &calls), RK_FULL);
    assert_int_equal(calls, 2);
    uint64_t sent = 0;
    uint64_t failed = 0;
    rk_deadletter_filter filter = {.to_ns = 7};
    rk_deadletter_queue_replay_matching(queue, &filter, send_even, &calls, &sent, &failed);
    assert_int_equal(sent, 2);
    assert_int_equal(failed, 3);
    seen s = browse(queue, NULL);
    const uint64_t left[] = {1, 3, 5, 7, 8, 9, 10};
    assert_int_equal(s.count, RK_COUNT_OF(left));
    assert_memory_equal(s.seq, left, sizeof left);
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(queue, &stats);
    assert_int_equal(stats.replays_failed, 4);
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

typedef struct nested {
    rk_deadletter_queue *queue;
    rk_status inner;
    uint32_t attempts;
} nested;

/* What a failing send of a router does: the new failure comes back as a new letter. */
static rk_status send_again_inside(void *context, const rk_deadletter *letter)
{
    nested *n = context;
    n->inner = rk_deadletter_queue_replay(n->queue, letter->seq, send_again_inside, context);
    n->attempts = letter->attempts;
    add(n->queue, RK_DEADLETTER_HOPS, 999, 0, 1);
    return RK_HOPS;
}

static void callbacks_may_use_the_queue(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(0, 0);
    add(queue, RK_DEADLETTER_RETRIES, 300, 0, 1);
    nested n = {.queue = queue};
    assert_int_equal(rk_deadletter_queue_replay(queue, 1, send_again_inside, &n), RK_HOPS);
    assert_int_equal(n.inner, RK_BUSY);
    assert_int_equal(n.attempts, 0);
    /* Letters that come during the call are not replayed by it: no endless loop. */
    uint64_t sent = 1;
    uint64_t failed = 0;
    rk_deadletter_queue_replay_matching(queue, NULL, send_again_inside, &n, &sent, &failed);
    assert_int_equal(sent, 0);
    assert_int_equal(failed, 2);
    assert_int_equal(browse(queue, NULL).count, 4);
    rk_deadletter_queue_destroy(queue);
}

static rk_status send_while_evicted(void *context, const rk_deadletter *letter)
{
    rk_deadletter_queue *queue = context;
    for (uint32_t i = 0; i < 3; i++) {
        add(queue, RK_DEADLETTER_HOPS, 500 + i, 0, 1);
    }
    uint32_t type;
    memcpy(&type, letter->payload, sizeof type);
    assert_int_equal(type, 300);
    return RK_OK;
}

static void a_letter_may_be_evicted_during_its_replay(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(3, 0);
    add(queue, RK_DEADLETTER_RETRIES, 300, 0, 1);
    assert_int_equal(rk_deadletter_queue_replay(queue, 1, send_while_evicted, queue), RK_OK);
    assert_int_equal(browse(queue, NULL).count, 3);
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

static void expires_by_age(void **state)
{
    (void)state;
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1, 1000);
    rk_deadletter_queue *queue = queue_of(0, 0);
    add(queue, RK_DEADLETTER_RETRIES, 1, 0, 0);
    rk_test_clock_step(&clock, 10);
    add(queue, RK_DEADLETTER_RETRIES, 2, 0, 0);
    rk_test_clock_set_realtime(&clock, 500);
    add(queue, RK_DEADLETTER_RETRIES, 3, 0, 0);
    rk_test_clock_remove(&clock);
    assert_int_equal(rk_deadletter_queue_expire(queue, 500), 0);
    assert_int_equal(rk_deadletter_queue_expire(queue, 1001), 2);
    seen s = browse(queue, NULL);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.seq[0], 2);
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

/* Random operations against an array of what should be there. */
static void agrees_with_a_model(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(50, 0);
    uint64_t model[50];
    size_t count = 0;
    uint64_t next = 1;
    uint32_t random = 12345;
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t dice = random >> 16;
        if (dice % 3 != 0 || count == 0) {
            if (count == 50) {
                memmove(model, model + 1, --count * sizeof *model);
            }
            model[count++] = next++;
            add(queue, RK_DEADLETTER_REJECTED, dice % 4, 0, 1);
        } else {
            size_t at = dice / 3 % count;
            unsigned calls = 0;
            rk_status status =
                dice % 2 == 0 ? rk_deadletter_queue_discard(queue, model[at])
                              : rk_deadletter_queue_replay(queue, model[at], send_even, &calls);
            if (status == RK_OK) {
                memmove(model + at, model + at + 1, (--count - at) * sizeof *model);
            }
        }
        if (step % 64 == 0) {
            seen s = browse(queue, NULL);
            assert_int_equal(s.count, count);
            assert_memory_equal(s.seq, model, count * sizeof *model);
        }
    }
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

static void hammer(void *arg)
{
    rk_deadletter_queue *queue = arg;
    unsigned calls = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        rk_deadletter letter = {.type = i, .time_ns = i + 1, .payload = &i, .payload_bytes = 4};
        (void)rk_deadletter_queue_add(queue, &letter);
        if (i % 64 == 0) {
            rk_deadletter_filter filter = {.reasons = 1, .to_ns = i};
            rk_deadletter_queue_replay_matching(queue, &filter, send_even, &calls, NULL, NULL);
        } else if (i % 32 == 0) {
            rk_deadletter_queue_expire(queue, i / 2);
        }
    }
}

static void many_threads_lose_nothing(void **state)
{
    (void)state;
    rk_deadletter_queue *queue = queue_of(100, 0);
    rk_thread threads[4];
    for (size_t i = 0; i < RK_COUNT_OF(threads); i++) {
        assert_int_equal(rk_thread_start(&threads[i], "hammer", hammer, queue), RK_OK);
    }
    for (size_t i = 0; i < RK_COUNT_OF(threads); i++) {
        rk_thread_join(&threads[i]);
    }
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(queue, &stats);
    assert_int_equal(stats.added, 8000);
    assert_balanced(queue);
    rk_deadletter_queue_destroy(queue);
}

static void names_every_reason(void **state)
{
    (void)state;
    for (int i = 0; i < RK_DEADLETTER_REASON_COUNT; i++) {
        assert_string_not_equal(rk_deadletter_reason_name((rk_deadletter_reason)i), "unknown");
    }
    assert_string_equal(rk_deadletter_reason_name((rk_deadletter_reason)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_copy_of_everything),
        cmocka_unit_test(refuses_what_it_cannot_keep),
        cmocka_unit_test(evicts_the_oldest),
        cmocka_unit_test(filters),
        cmocka_unit_test(browses_page_by_page),
        cmocka_unit_test(replays),
        cmocka_unit_test(callbacks_may_use_the_queue),
        cmocka_unit_test(a_letter_may_be_evicted_during_its_replay),
        cmocka_unit_test(expires_by_age),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(many_threads_lose_nothing),
        cmocka_unit_test(names_every_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
