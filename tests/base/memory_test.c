/*
 * Memory that the machine has left.
 */
#include "base/memory.h"
#include "base/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void figures_come_from_the_line_of_that_name(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"MemTotal:  9 kB\nMemAvailable:   2048 kB\nBuffers: 1 kB\n", 2048u * 1024u},
        {"MemAvailable: 0 kB\n", 0},
        {"MemTotal:  9 kB\n", UINT64_MAX},
        {"MemAvailable: many kB\n", UINT64_MAX},
        {"MemAvailable: 18446744073709551615 kB\n", UINT64_MAX}, /* too many to count in bytes */
        {"", UINT64_MAX},
    };
    char folder[RK_TEST_FOLDER_BYTES];
    char path[RK_TEST_FOLDER_BYTES + 16];
    rk_test_folder_make(folder);
    (void)snprintf(path, sizeof path, "%s/meminfo", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(cases[i].text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_true(rk_memory_available_bytes(path) == cases[i].bytes);
    }
    rk_test_folder_remove(folder);
    assert_true(rk_memory_available_bytes("/nothing/here") == UINT64_MAX);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    assert_true(rk_memory_available_bytes(RK_MEMINFO_PATH) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_come_from_the_line_of_that_name),
        cmocka_unit_test(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
