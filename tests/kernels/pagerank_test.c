/*
 * pagerank_test.c: pagerank against the exact ranks of small graphs, on one kernel and on several
 * that exchange messages; with inboxes that are too small, and with messages that do not belong.
 */
#include "kernels/cm.h"
#include "kernels/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 4, EXCHANGE = 1, FOUND = 3, STOPPED = 4, RETRIES = 4, REFUSED = 5 };

/* Kernels for all parts, connected and started. */
static void start_parts(const graph *g, uint32_t parts, unsigned blocks, unsigned lanes,
                        unsigned inbox_slots, kt *k[PARTS_MAX])
{
    for (uint32_t p = 0; p < parts; p++) {
        k[p] = graph_kernel(g, parts, p, blocks, lanes, inbox_slots);
    }
    for (uint32_t p = 0; p < parts; p++) {
        for (uint32_t q = 0; q < parts; q++) {
            if (q != p) {
                kt_connect(k[p], k[q]);
            }
        }
        assert_int_equal(kt_start(k[p]), RK_OK);
    }
}

/* Runs all parts together until they have found the ranks; returns the iterations. */
static uint64_t run_parts(kt *const *k, uint32_t parts, uint64_t steps)
{
    uint64_t value[3];
    for (int round = 0; round < 100000; round++) {
        uint32_t found = 0;
        for (uint32_t p = 0; p < parts; p++) {
            assert_int_equal(kt_run_begin(k[p], steps), RK_OK);
        }
        for (uint32_t p = 0; p < parts; p++) {
            assert_int_equal(kt_run_wait(k[p]), RK_OK);
        }
        for (uint32_t p = 0; p < parts; p++) {
            assert_int_equal(kt_custom(k[p], 1, NULL, 0, value), RK_OK);
            assert_int_not_equal(value[1], STOPPED);
            found += value[1] == FOUND;
        }
        if (found == parts) {
            return value[0];
        }
    }
    fail_msg("the ranks were not found");
    return 0;
}

/* The ranks of all parts, in the order of the whole graph. */
static void collect(const graph *g, kt *const *k, uint32_t parts, double *rank)
{
    double *local = malloc((g->n + 1) * sizeof(*local));
    for (uint32_t p = 0; p < parts; p++) {
        uint64_t n = kt_size(k[p], "rank");
        kt_read(k[p], "rank", local, n);
        for (uint64_t v = 0; v < n; v++) {
            rank[v * parts + p] = local[v];
        }
    }
    free(local);
}

static uint64_t progress_of(kt *k, int word)
{
    uint64_t progress[8];
    kt_read(k, "progress", progress, 8);
    return progress[word];
}

static void compare(const graph *g, uint32_t parts, unsigned blocks, unsigned lanes,
                    unsigned inbox_slots, bool expect_retries)
{
    kt *k[PARTS_MAX];
    double *rank = malloc(g->n * sizeof(*rank));
    double *exact = malloc(g->n * sizeof(*exact));
    start_parts(g, parts, blocks, lanes, inbox_slots, k);
    run_parts(k, parts, 100);
    collect(g, k, parts, rank);
    graph_rank(g, 0.85, exact);
    double sum = 0.0;
    for (uint32_t v = 0; v < g->n; v++) {
        sum += rank[v];
        if (!(fabs(rank[v] - exact[v]) < 1e-12)) {
            fail_msg("%u parts: vertex %u of %u has rank %.15g instead of %.15g", parts, v, g->n,
                     rank[v], exact[v]);
        }
    }
    assert_true(fabs(sum - 1.0) < 1e-12);
    uint64_t retries = 0;
    for (uint32_t p = 0; p < parts; p++) {
        retries += progress_of(k[p], RETRIES);
        assert_int_equal(progress_of(k[p], REFUSED), 0);
        kt_end(k[p]);
    }
    assert_true(!expect_retries || retries > 0);
    free(rank);
    free(exact);
}

static void small_graphs(void **state)
{
    (void)state;
    /* The example of Langville and Meyer, Google's PageRank and Beyond, 2006, ch. 4: 6 pages. */
    static uint32_t pages[][2] = {{0, 1}, {0, 2}, {2, 0}, {2, 1}, {2, 4},
                                  {3, 4}, {3, 5}, {4, 3}, {4, 5}, {5, 3}};
    const graph web = {.n = 6, .n_edges = 10, .edge = pages};
    static uint32_t star_edges[][2] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}};
    const graph star = {.n = 5, .n_edges = 4, .edge = star_edges};
    static uint32_t loop_edges[][2] = {{0, 0}};
    const graph loop = {.n = 1, .n_edges = 1, .edge = loop_edges};
    const graph lone = {.n = 3, .n_edges = 0, .edge = loop_edges};
    for (uint32_t parts = 1; parts <= 4; parts *= 2) {
        compare(&web, parts, 1, 0, 64, false);
        compare(&star, parts, 1, 0, 64, false);
    }
    compare(&web, 3, 2, 0, 64, false);
    compare(&loop, 1, 1, 0, 64, false);
    compare(&lone, 1, 2, 0, 64, false);
    compare(&lone, 3, 1, 0, 64, false);
}

static void random_graph(void **state)
{
    (void)state;
    graph g = graph_random(500, 3000, 5);
    compare(&g, 1, 2, 0, 256, false);
    compare(&g, 2, 1, 0, 256, false);
    compare(&g, 4, 1, 0, 256, false);
    compare(&g, 2, 2, 9, 256, false);
    graph_finish(&g);
}

/* Inboxes that hold two batches: senders are refused, and try again. */
static void full_inboxes_lose_nothing(void **state)
{
    (void)state;
    graph g = graph_random(900, 9000, 6);
    compare(&g, 4, 1, 0, 32, true);
    graph_finish(&g);
}

/* The ranks do not depend on how messages and steps interleave. */
static void ranks_are_the_same_to_the_last_bit(void **state)
{
    (void)state;
    graph g = graph_random(300, 2000, 8);
    double first[300];
    double again[300];
    for (int round = 0; round < 4; round++) {
        kt *k[PARTS_MAX];
        start_parts(&g, 3, 1, 0, round % 2 ? 32 : 256, k);
        run_parts(k, 3, round < 2 ? 1 : 1000);
        collect(&g, k, 3, round == 0 ? first : again);
        assert_true(round == 0 || memcmp(first, again, sizeof(first)) == 0);
        for (int p = 0; p < 3; p++) {
            kt_end(k[p]);
        }
    }
    graph_finish(&g);
}

static void strange_messages_change_nothing(void **state)
{
    (void)state;
    graph g = graph_random(60, 300, 9);
    kt *k[PARTS_MAX];
    double rank[60];
    double exact[60];
    start_parts(&g, 2, 1, 0, 256, k);
    struct {
        uint32_t iteration, part;
        double held, change;
    } mark = {0, 0, 5.0, 0.0};
    assert_int_equal(kt_send(k[0], 256 + 1, &mark, sizeof(mark)), RK_OK); /* from itself */
    mark.part = 7;
    assert_int_equal(kt_send(k[0], 256 + 1, &mark, sizeof(mark)), RK_OK); /* no such part */
    mark.part = 1;
    mark.iteration = 2;
    assert_int_equal(kt_send(k[0], 256 + 1, &mark, sizeof(mark)), RK_OK); /* too far ahead */
    assert_int_equal(kt_send(k[0], 256 + 1, &mark, 8), RK_OK);            /* too short */
    assert_int_equal(kt_send(k[0], 300, &mark, sizeof(mark)), RK_OK);     /* no such type */
    run_parts(k, 2, 100);
    assert_int_equal(progress_of(k[0], REFUSED), 5);
    collect(&g, k, 2, rank);
    graph_rank(&g, 0.85, exact);
    for (int v = 0; v < 60; v++) {
        assert_true(fabs(rank[v] - exact[v]) < 1e-12);
    }
    kt_end(k[0]);
    kt_end(k[1]);
    graph_finish(&g);
}

static void missing_route_is_a_panic(void **state)
{
    (void)state;
    graph g = graph_random(20, 60, 10);
    kt *k = graph_kernel(&g, 2, 0, 1, 0, 64);
    assert_int_equal(kt_start(k), RK_OK);
    assert_int_not_equal(kt_run(k, 1), RK_OK);
    assert_int_equal(kt_state(k), RK_KERNEL_PANICKED);
    assert_non_null(strstr(kt_failure(k), "connect each part"));
    kt_end(k);
    graph_finish(&g);
}

static void broken_lists_are_refused(void **state)
{
    (void)state;
    graph g = graph_random(20, 60, 11);
    static const char *const fields[] = {"part_start", "group_start", "edge_source",
                                         "group_target"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        kt *k = graph_kernel(&g, 1, 0, 2, 0, 64);
        uint32_t large = 1000;
        kt_write(k, fields[i], &large, 1);
        assert_int_equal(kt_start(k), RK_PANIC);
        assert_non_null(strstr(kt_failure(k), "hang together"));
        kt_end(k);
    }
    graph_finish(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_graphs),
        cmocka_unit_test(random_graph),
        cmocka_unit_test(full_inboxes_lose_nothing),
        cmocka_unit_test(ranks_are_the_same_to_the_last_bit),
        cmocka_unit_test(strange_messages_change_nothing),
        cmocka_unit_test(missing_route_is_a_panic),
        cmocka_unit_test(broken_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
