/*
 * NUMA nodes from made-up trees, and lists of CPUs.
 */
#include "device/numa.h"
#include "device/sysfs.h"
#include "device/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    static tree t;
    tree_make(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    tree_remove(*state);
    return 0;
}

static void lists_are_parsed_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written; /* NULL: refused */
        uint32_t count;
    } cases[] = {
        {"0-3,8,10-11", "0-3,8,10-11", 7},
        {"", "", 0},
        {"5", "5", 1},
        {"3,1,2", "1-3", 3},
        {"1-2,2-3", "1-3", 3},
        {"127", "127", 1},
        {"128", NULL, 0},
        {"0-128", NULL, 0},
        {"3-1", NULL, 0},
        {"1,", NULL, 0},
        {",1", NULL, 0},
        {"1-", NULL, 0},
        {"a", NULL, 0},
        {"1 2", NULL, 0},
        {"-1", NULL, 0},
        {"99999999999999999999", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bits[2] = {1, 0};
        uint32_t count = 77;
        bool good = rk_numa_parse_list(cases[i].text, bits, 128, &count);
        assert_int_equal(good, cases[i].written != NULL);
        if (good) {
            char text[64];
            rk_numa_format_list(bits, 128, text, sizeof text);
            assert_string_equal(text, cases[i].written);
            assert_int_equal(count, cases[i].count);
        } else {
            assert_int_equal(count, 77);
            assert_int_equal(bits[0], 1);
        }
    }
    uint64_t bits = 0x5555;
    char small[8];
    rk_numa_format_list(&bits, 64, small, sizeof small);
    assert_string_equal(small, "0,2,4,6"); /* whole numbers only */
}

static void memory_lines_are_found(void **state)
{
    (void)state;
    static const char text[] = "Node 1 MemTotal:       2048 kB\nNode 1 MemFree: 5 kB\n"
                               "Node 1 Wrong: x kB\nNode 1 Huge: 18446744073709551615 kB\n";
    uint64_t bytes = 1;
    assert_true(rk_numa_parse_memory(text, "MemTotal", &bytes));
    assert_int_equal(bytes, 2048 * 1024);
    assert_true(rk_numa_parse_memory(text, "MemFree", &bytes));
    assert_int_equal(bytes, 5 * 1024);
    assert_false(rk_numa_parse_memory(text, "Mem", &bytes));
    assert_false(rk_numa_parse_memory(text, "Wrong", &bytes));
    assert_false(rk_numa_parse_memory(text, "Huge", &bytes));
    assert_false(rk_numa_parse_memory("", "MemTotal", &bytes));
    assert_int_equal(bytes, 5 * 1024);
}

static void distances_are_parsed(void **state)
{
    (void)state;
    uint32_t distances[3] = {0};
    assert_int_equal(rk_numa_parse_distances("10 21 31", distances, 3), 3);
    assert_int_equal(distances[2], 31);
    assert_int_equal(rk_numa_parse_distances(" 10  21 31 41 ", distances, 3), 3);
    assert_int_equal(rk_numa_parse_distances("", distances, 3), 0);
    assert_int_equal(rk_numa_parse_distances("10 x", distances, 3), 0);
    assert_int_equal(rk_numa_parse_distances("10,21", distances, 3), 0);
    assert_int_equal(rk_numa_parse_distances("10 999999999999999", distances, 3), 0);
}

static void nodes_are_read(void **state)
{
    tree *t = *state;
    tree_file(t, "devices/system/node/online", "0,2\n"); /* with a gap */
    tree_node(t, 0, "0-7", 1000, "10 21");
    tree_node(t, 2, "", 500, "21 10"); /* memory only */
    rk_numa *numa;
    assert_int_equal(rk_numa_read(t->root, &numa, NULL), RK_OK);
    assert_int_equal(numa->count, 2);
    assert_int_equal(numa->node[0].cpu_count, 8);
    assert_int_equal(numa->node[0].memory_bytes, 1000 * 1024);
    assert_int_equal(numa->node[0].memory_free_bytes, 500 * 1024);
    assert_int_equal(numa->node[1].id, 2);
    assert_int_equal(numa->node[1].cpu_count, 0);
    assert_int_equal(numa->node[1].distance[0], 21);
    rk_numa_free(numa);
}

static void a_kernel_without_nodes_is_one_node(void **state)
{
    tree *t = *state;
    tree_file(t, "devices/system/cpu/online", "0-15\n");
    rk_numa *numa;
    assert_int_equal(rk_numa_read(t->root, &numa, NULL), RK_OK);
    assert_int_equal(numa->count, 1);
    assert_int_equal(numa->node[0].cpu_count, 16);
    assert_int_equal(numa->node[0].memory_bytes, 0); /* not this machine's */
    rk_numa_free(numa);
    tree_file(t, "devices/system/node/online", "zero to nine\n");
    assert_int_equal(rk_numa_read(t->root, &numa, NULL), RK_OK);
    assert_int_equal(numa->count, 1);
    rk_numa_free(numa);
}

static void nodes_that_are_not_there_are_empty(void **state)
{
    tree *t = *state;
    tree_file(t, "devices/system/node/online", "0-4095\n");
    rk_numa *numa;
    assert_int_equal(rk_numa_read(t->root, &numa, NULL), RK_OK);
    assert_int_equal(numa->count, RK_NUMA_NODE_MAX);
    assert_int_equal(numa->node[5].cpu_count, 0);
    rk_numa_free(numa);
}

static void this_machine_has_a_node(void **state)
{
    (void)state;
    rk_numa *numa;
    assert_int_equal(rk_numa_read(RK_SYSFS, &numa, NULL), RK_OK);
    assert_true(numa->count >= 1);
    uint32_t cpus = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < numa->count; i++) {
        cpus += numa->node[i].cpu_count;
        bytes += numa->node[i].memory_bytes;
    }
    assert_true(cpus >= (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(bytes > 0);
    rk_numa_free(numa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_parsed_and_written),
        cmocka_unit_test(memory_lines_are_found),
        cmocka_unit_test(distances_are_parsed),
        cmocka_unit_test_setup_teardown(nodes_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kernel_without_nodes_is_one_node, setup, teardown),
        cmocka_unit_test_setup_teardown(nodes_that_are_not_there_are_empty, setup, teardown),
        cmocka_unit_test(this_machine_has_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
