/*
 * actors_test.c: actors on the device: every message is handled once, in order per sender, whatever
 * the blocks and lanes; failures are reported and repaired; nothing leaks; an idle kernel sleeps.
 */
#include "kernels/cm.h"
#include "kernels/kt.h"

#include <stdlib.h>
#include <string.h>

enum { RING, RANDOM, FANIN };
enum { OP_START = 1, OP_SPAWN = 0x1000, OP_STOP, OP_RESTART, OP_INFO, OP_COUNT };
enum { HOP = 256, WALK, POUR, COUNT, ECHO, FAIL, STOP, SPAWN, TELL, DONE = 300, FAILED = 0xacf0 };
enum { SENT, HANDLED, DEAD, REFUSED, FAILURES, SPAWNED, STOPPED, EMITTED, COUNTERS };
enum { FREE, LIVE, BROKEN };

static const unsigned ways[][2] = {{1, 0}, {2, 0}, {4, 0}, {1, 32}, {2, 32}};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

typedef struct setup {
    unsigned blocks, lanes;
    uint32_t actors, initial, messages, batch, slice, restarts, fan, answers;
} setup;

static kt *start(const setup *s)
{
    kt *k = kt_new("actors", NULL, s->blocks, s->lanes);
    kt_u(k, "actors", s->actors);
    kt_u(k, "initial_actors", s->initial);
    kt_u(k, "actor_messages", s->messages);
    kt_u(k, "actor_batch", s->batch ? s->batch : 16);
    kt_u(k, "actor_slice", s->slice ? s->slice : 256);
    kt_u(k, "actor_restarts", s->restarts);
    kt_u(k, "fan", s->fan ? s->fan : 1);
    if (s->answers) {
        kt_answers(k, s->answers);
    }
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    return k;
}

static void counters(kt *k, uint64_t out[COUNTERS])
{
    for (uint32_t i = 0; i < COUNTERS; i += 3) {
        uint64_t value[3];
        assert_int_equal(kt_custom(k, OP_COUNT, &i, 4, value), RK_OK);
        memcpy(&out[i], value, (COUNTERS - i < 3 ? COUNTERS - i : 3) * sizeof(value[0]));
    }
}

static rk_received receive(kt *k, void *payload, size_t bytes)
{
    rk_received message;
    memset(payload, 0, bytes);
    assert_int_equal(rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, payload, bytes, NULL),
                     RK_OK);
    return message;
}

/* Runs a START to its end; returns messages handled. */
static uint64_t play(kt *k, uint32_t mode, uint32_t flight, uint32_t hops)
{
    const uint32_t order[3] = {mode, flight, hops};
    uint64_t value[3];
    uint64_t done[3];
    assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_OK);
    rk_received message = receive(k, done, sizeof(done));
    assert_int_equal(message.type, DONE);
    assert_int_equal(message.length, sizeof(done));
    assert_int_equal(kt_run(k, 1), RK_OK); /* the last step is over: fields may be read */
    return done[0];
}

/*
 * Whatever lies in the fields of an idle kernel: each message is in one list, no actor has one, no
 * run queue has an actor.
 */
static void all_is_free(kt *k, const setup *s)
{
    uint64_t n_workers = kt_size(k, "actor_worker");
    uint64_t n_lists = kt_size(k, "actor_lists");
    uint64_t n_queue = kt_size(k, "actor_queue");
    uint32_t *words = malloc((size_t)s->messages * 64);
    uint32_t *workers = malloc(n_workers * 4);
    uint32_t *lists = malloc(n_lists * 4);
    uint32_t *queue = malloc(n_queue * 4);
    uint32_t *records = malloc((size_t)s->actors * 64);
    uint32_t common[512];
    unsigned char *seen = calloc(s->messages, 1);
    kt_read(k, "actor_message", words, (uint64_t)s->messages * 16);
    kt_read(k, "actor_worker", workers, n_workers);
    kt_read(k, "actor_lists", lists, n_lists);
    kt_read(k, "actor_queue", queue, n_queue);
    kt_read(k, "actor_record", records, (uint64_t)s->actors * 16);
    kt_read(k, "actor_common", common, 512);
    uint32_t free_messages = 0;
    uint32_t length = common[258];
    uint32_t mask = 1;
    while (mask < s->messages / length + 2) {
        mask *= 2;
    }
    mask--;
    for (uint64_t from = 0; from < n_workers / 8 * 2 + (uint64_t)(common[160] - common[128]);
         from++) {
        uint64_t at = from / 2;
        uint32_t list =
            from >= n_workers / 8 * 2
                ? lists[2 * ((common[128] + (uint32_t)(from - n_workers / 4)) & mask) + 1]
                : workers[8 * at + (from % 2 ? 4 : 2)];
        while (list != 0) {
            assert_in_range(list, 2, s->messages + 1);
            assert_int_equal(seen[list - 2], 0);
            seen[list - 2] = 1;
            free_messages++;
            list = words[16 * (size_t)(list - 2)];
        }
    }
    assert_int_equal(free_messages, s->messages);
    for (uint32_t i = 0; i < s->actors; i++) {
        assert_int_equal(records[16 * (size_t)i], 0);
    }
    for (uint64_t i = 0; i < n_queue; i++) {
        assert_int_equal(queue[i], 0);
    }
    assert_int_equal(common[0], 0);
    free(words);
    free(workers);
    free(lists);
    free(queue);
    free(records);
    free(seen);
}

/* What must hold whenever nothing is going on and no actor has failed for good. */
static void books_balance(kt *k, const setup *s)
{
    uint64_t n[COUNTERS];
    uint32_t run[64];
    counters(k, n);
    kt_read(k, "run", run, 64);
    assert_int_equal(run[48], 0); /* a handler's send was refused, or an order was wrong */
    assert_int_equal(n[SENT], n[HANDLED] + n[DEAD]);
    all_is_free(k, s);
}

static void rings_count_every_hop(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        const setup s = {.blocks = ways[w][0],
                         .lanes = ways[w][1],
                         .actors = 300,
                         .initial = 300,
                         .messages = 2048,
                         .batch = 3,
                         .slice = 50};
        kt *k = start(&s);
        assert_int_equal(play(k, RING, 64, 500), 64 * 501);
        assert_int_equal(play(k, RING, 1, 100), 101);
        assert_int_equal(play(k, RING, 300, 0), 300);
        uint32_t actors[300 * 4];
        uint64_t handled = 0;
        uint64_t sum = 0;
        kt_read(k, "actor_state", actors, 300 * 4);
        for (size_t i = 0; i < 300; i++) {
            handled += actors[4 * i];
            sum += actors[4 * i + 1];
            assert_int_equal(actors[4 * i + 3], 1);
        }
        assert_int_equal(handled, 64 * 501 + 101 + 300);
        assert_int_equal(sum, 64 * 500 * 501 / 2 + 100 * 101 / 2);
        books_balance(k, &s);
        kt_end(k);
    }
}

static void random_messages_arrive(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        const setup s = {.blocks = ways[w][0],
                         .lanes = ways[w][1],
                         .actors = 1000,
                         .initial = 997,
                         .messages = 8192};
        kt *k = start(&s);
        assert_int_equal(play(k, RANDOM, 500, 60), 500 * 61);
        assert_int_equal(play(k, RANDOM, 3000, 7), 3000 * 8);
        books_balance(k, &s);
        kt_end(k);
    }
}

/* The message numbers that each sink saw last, and how many. */
static void fan_in_loses_nothing(void **state)
{
    (void)state;
    static const uint32_t fans[] = {1, 7};
    for (size_t w = 0; w < WAYS; w++) {
        for (size_t f = 0; f < 2; f++) {
            uint32_t group = fans[f] + 1;
            const setup s = {.blocks = ways[w][0],
                             .lanes = ways[w][1],
                             .actors = 160,
                             .initial = 160,
                             .messages = 400,
                             .batch = 5,
                             .fan = fans[f]};
            kt *k = start(&s);
            (void)play(k, FANIN, 0, 100);
            uint32_t actors[160 * 4];
            kt_read(k, "actor_state", actors, 160 * 4);
            for (uint32_t i = 0; i < 160; i += group) {
                assert_int_equal(actors[4 * i], 100 * fans[f]);
                assert_int_equal(actors[4 * i + 1], fans[f] * 100 * 101 / 2);
            }
            books_balance(k, &s);
            kt_end(k);
        }
    }
}

static uint64_t id_of(kt *k, uint32_t place, uint64_t out_info[3])
{
    assert_int_equal(kt_custom(k, OP_INFO, &place, 4, out_info), RK_OK);
    return out_info[2];
}

static void post(kt *k, uint64_t id, uint32_t type, uint32_t first, uint32_t second)
{
    const uint32_t words[4] = {(uint32_t)id, (uint32_t)(id >> 32), first, second};
    assert_int_equal(kt_send(k, type, words, sizeof(words)), RK_OK);
}

static void failures_are_supervised(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        const setup s = {.blocks = ways[w][0],
                         .lanes = ways[w][1],
                         .actors = 64,
                         .initial = 40,
                         .messages = 1024,
                         .restarts = 2};
        kt *k = start(&s);
        uint64_t info[3];
        uint64_t id = id_of(k, 35, info);
        uint32_t report[6];
        for (uint32_t time = 1; time <= 3; time++) {
            post(k, id, COUNT, 1, 0);
            post(k, id, FAIL, 70 + time, 0);
            assert_int_equal(receive(k, report, sizeof(report)).type, FAILED);
            assert_int_equal(report[0], 35);
            assert_int_equal(report[1], 1);
            assert_int_equal(report[2], 70 + time);
            assert_int_equal(report[3], time <= 2 ? LIVE : BROKEN);
            assert_int_equal(report[4], time <= 2 ? time : 2);
            assert_int_equal(report[5], time);
        }
        /* It keeps what comes, and handles it once the host starts it again. */
        post(k, id, TELL, 5, 6);
        assert_int_equal(kt_custom(k, OP_RESTART, &id, 8, info), RK_OK);
        assert_int_equal(receive(k, report, sizeof(report)).type, TELL);
        assert_true(report[0] == 35 && report[1] == 1 && report[2] == 5 && report[3] == 6);
        assert_int_equal(kt_custom(k, OP_RESTART, &id, 8, info), RK_INTERNAL); /* it lives */
        assert_int_equal(kt_run(k, 1), RK_OK);
        uint32_t words[40 * 4];
        kt_read(k, "actor_state", words, 40 * 4);
        assert_int_equal(words[35 * 4 + 0], 1); /* fresh state: only TELL */
        assert_int_equal(words[35 * 4 + 3], 2); /* started again */
        books_balance(k, &s);
        /* Fails for good; stopped, its messages are dead, and its place is another's. */
        for (uint32_t i = 0; i < 3; i++) {
            post(k, id, FAIL, 9, 0);
            (void)receive(k, report, sizeof(report));
        }
        post(k, id, COUNT, 1, 0);
        assert_int_equal(kt_custom(k, OP_STOP, &id, 8, info), RK_OK);
        assert_int_equal(kt_run(k, 3), RK_OK);
        assert_int_equal(kt_custom(k, OP_STOP, &id, 8, info), RK_INTERNAL);
        post(k, id, COUNT, 1, 0);
        assert_int_equal(kt_run(k, 3), RK_OK);
        uint64_t n[COUNTERS];
        counters(k, n);
        assert_int_equal(n[DEAD], 2);
        assert_int_equal(n[FAILURES], 6);
        assert_int_equal(n[STOPPED], 1);
        books_balance(k, &s);
        kt_end(k);
    }
}

static void places_are_used_again(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        const setup s = {.blocks = ways[w][0],
                         .lanes = ways[w][1],
                         .actors = 24,
                         .initial = 8,
                         .messages = 1024};
        kt *k = start(&s);
        uint64_t info[3];
        uint64_t ids[16];
        uint64_t n[COUNTERS];
        uint32_t behaviour = 7;
        for (uint32_t round = 1; round <= 3; round++) {
            for (uint32_t i = 0; i < 16; i++) {
                assert_int_equal(kt_custom(k, OP_SPAWN, &behaviour, 4, info), RK_OK);
                ids[i] = info[0];
                assert_int_equal(ids[i] >> 32, round);
            }
            assert_int_equal(kt_custom(k, OP_SPAWN, &behaviour, 4, info), RK_INTERNAL);
            for (uint32_t i = 0; i < 16; i++) {
                post(k, ids[i], COUNT, 1, 0);
                assert_int_equal(kt_custom(k, OP_STOP, &ids[i], 8, info), RK_OK);
            }
            assert_int_equal(kt_run(k, 4), RK_OK);
            counters(k, n);
            assert_int_equal(n[SPAWNED], 16 * round);
            assert_int_equal(n[STOPPED], 16 * round);
            assert_int_equal(n[DEAD], 0);
        }
        post(k, ids[0], COUNT, 1, 0); /* an id of before is nobody's */
        assert_int_equal(kt_run(k, 2), RK_OK);
        counters(k, n);
        assert_int_equal(n[DEAD], 1);
        /* From handlers, many at once: as many as there are places. */
        for (uint32_t i = 0; i < 8; i++) {
            post(k, (uint64_t)1 << 32 | i, SPAWN, 20, 0);
        }
        for (uint32_t i = 0; i < 8; i++) {
            post(k, (uint64_t)1 << 32 | i, TELL, i, 0);
            uint32_t report[4];
            assert_int_equal(receive(k, report, sizeof(report)).type, TELL);
        }
        assert_int_equal(kt_run(k, 40), RK_OK);
        counters(k, n);
        assert_int_equal(n[SPAWNED], n[STOPPED]);
        assert_true(n[SPAWNED] > 48);
        books_balance(k, &s);
        kt_end(k);
    }
}

static void actors_answer_the_host(void **state)
{
    (void)state;
    const setup s = {.blocks = 2, .actors = 50, .initial = 50, .messages = 600};
    kt *k = start(&s);
    for (uint32_t i = 0; i < 200; i++) {
        const uint32_t words[4] = {i % 50, 1, i, ~i};
        uint64_t id;
        uint32_t answer[2];
        rk_reply reply;
        assert_int_equal(rk_kernel_send(kt_kernel(k), ECHO, 1000 + i, words, 16, &id, NULL), RK_OK);
        rk_received message = receive(k, answer, sizeof(answer));
        assert_int_equal(rk_kernel_wait(kt_kernel(k), id, RK_FOREVER, &reply, NULL), RK_OK);
        assert_int_equal(message.type, ECHO);
        assert_int_equal(message.correlation, 1000 + i);
        assert_int_equal(message.length, 8);
        assert_true(answer[0] == i && answer[1] == ~i);
    }
    assert_int_equal(kt_run(k, 1), RK_OK);
    books_balance(k, &s);
    kt_end(k);
}

/* More for the host than its ring holds at once arrives all the same. */
static void a_full_ring_to_the_host_loses_nothing(void **state)
{
    (void)state;
    const setup s = {.blocks = 1, .actors = 40, .initial = 40, .messages = 4096, .answers = 64};
    enum { N = 1500 };
    kt *k = start(&s);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        const uint32_t words[4] = {i % 40, 1, i, 0};
        uint64_t id = 0;
        rk_reply reply;
        assert_int_equal(rk_kernel_send(kt_kernel(k), TELL, 0, words, 16, &id, NULL), RK_OK);
        if (i % 12 == 11 || i + 1 == N) {
            assert_int_equal(rk_kernel_wait(kt_kernel(k), id, RK_FOREVER, &reply, NULL), RK_OK);
        }
    }
    for (uint32_t i = 0; i < N; i++) {
        uint32_t words[4];
        assert_int_equal(receive(k, words, sizeof(words)).type, TELL);
        sum += words[2];
    }
    assert_int_equal(sum, (uint64_t)N * (N - 1) / 2);
    assert_int_equal(kt_run(k, 1), RK_OK);
    books_balance(k, &s);
    kt_end(k);
}

static void bad_orders_are_refused(void **state)
{
    (void)state;
    const setup s = {.blocks = 2, .actors = 10, .initial = 10, .messages = 64};
    kt *k = start(&s);
    uint64_t value[3];
    uint64_t id = (uint64_t)1 << 32 | 10;
    uint32_t order[3] = {3, 1, 1};
    uint64_t n[COUNTERS];
    assert_int_equal(kt_custom(k, OP_STOP, &id, 8, value), RK_INTERNAL);
    assert_int_equal(value[0], 3);
    assert_int_equal(kt_custom(k, OP_STOP, &id, 7, value), RK_INTERNAL);
    assert_int_equal(value[0], 2);
    assert_int_equal(kt_custom(k, OP_INFO, &id, 4, value), RK_INTERNAL);
    assert_int_equal(kt_custom(k, 77, &id, 8, value), RK_INTERNAL);
    assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_INTERNAL);
    order[0] = RING;
    order[1] = 33;
    assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_INTERNAL);
    assert_int_equal(value[0], 17);
    post(k, id, COUNT, 1, 0);
    assert_int_equal(kt_send(k, COUNT, &id, 7), RK_OK);
    uint8_t much[49] = {0};
    assert_int_equal(kt_send(k, COUNT, much, sizeof(much)), RK_OK);
    counters(k, n);
    assert_int_equal(n[DEAD], 3);
    assert_int_equal(n[SENT], 0);
    kt_end(k);
}

/* Without a message the kernel takes no steps; with one, a few. */
static void idle_actors_take_no_steps(void **state)
{
    (void)state;
    const setup s = {.blocks = 2, .actors = 100, .initial = 100, .messages = 512};
    kt *k = start(&s);
    rk_kernel_snapshot before;
    rk_kernel_snapshot after;
    (void)play(k, RING, 10, 10);
    uint32_t which = 0;
    uint64_t value[3];
    assert_int_equal(kt_custom(k, OP_COUNT, &which, 4, value), RK_OK);
    rk_kernel_read_snapshot(kt_kernel(k), &before);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(kt_custom(k, OP_COUNT, &which, 4, value), RK_OK);
    }
    rk_kernel_read_snapshot(kt_kernel(k), &after);
    assert_int_equal(before.step, after.step);
    assert_int_equal(after.state, RK_KERNEL_IDLE);
    kt_end(k);
}

/* Pausing and parking in the middle changes nothing. */
static void a_run_survives_pause_and_park(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        const setup s = {.blocks = ways[w][0],
                         .lanes = ways[w][1],
                         .actors = 500,
                         .initial = 500,
                         .messages = 4096,
                         .slice = 8};
        kt *k = start(&s);
        const uint32_t order[3] = {RANDOM, 400, 200};
        uint64_t value[3];
        uint64_t done[3];
        assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_OK);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(rk_kernel_park(kt_kernel(k), RK_FOREVER, NULL), RK_OK);
            assert_int_equal(kt_start(k), RK_OK);
        }
        assert_int_equal(receive(k, done, sizeof(done)).type, DONE);
        assert_int_equal(done[0], 400 * 201);
        assert_int_equal(kt_run(k, 1), RK_OK);
        books_balance(k, &s);
        kt_end(k);
    }
}

/*
 * The state goes on with other numbers of lanes: here as if four lanes had worked before and the
 * fourth had held the free messages and a ticket of the first.
 */
static void other_numbers_of_lanes_lose_nothing(void **state)
{
    (void)state;
    for (unsigned busy = 0; busy < 2; busy++) {
        const setup s = {.blocks = 2, .actors = 200, .initial = 200, .messages = 900, .slice = 20};
        kt *k = start(&s);
        uint32_t common[512];
        uint64_t done[3];
        uint64_t value[3];
        uint64_t n_workers = kt_size(k, "actor_worker");
        uint32_t *workers = malloc(n_workers * 4);
        const uint32_t order[3] = {RANDOM, 90, 300};
        assert_int_equal(play(k, RING, 200, 30), 200 * 31);
        if (busy) {
            assert_int_equal(kt_custom(k, OP_START, order, sizeof(order), value), RK_OK);
        }
        assert_int_equal(rk_kernel_park(kt_kernel(k), RK_FOREVER, NULL), RK_OK);
        kt_read(k, "actor_common", common, 512);
        kt_read(k, "actor_worker", workers, n_workers);
        for (unsigned block = 0; block < 2; block++) {
            uint32_t *first = workers + 8192 * (size_t)block;
            memcpy(first + 24, first, 32);
            memset(first, 0, 32);
        }
        common[257] = 4;
        kt_write(k, "actor_worker", workers, n_workers);
        kt_write(k, "actor_common", common, 512);
        assert_int_equal(kt_start(k), RK_OK);
        if (busy) {
            assert_int_equal(receive(k, done, sizeof(done)).type, DONE);
            assert_int_equal(done[0], 90 * 301);
        }
        assert_int_equal(play(k, RING, 100, 30), 100 * 31);
        books_balance(k, &s);
        free(workers);
        kt_end(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_count_every_hop),
        cmocka_unit_test(random_messages_arrive),
        cmocka_unit_test(fan_in_loses_nothing),
        cmocka_unit_test(failures_are_supervised),
        cmocka_unit_test(places_are_used_again),
        cmocka_unit_test(actors_answer_the_host),
        cmocka_unit_test(a_full_ring_to_the_host_loses_nothing),
        cmocka_unit_test(bad_orders_are_refused),
        cmocka_unit_test(idle_actors_take_no_steps),
        cmocka_unit_test(a_run_survives_pause_and_park),
        cmocka_unit_test(other_numbers_of_lanes_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
