/*
 * rk-bench: runs benches by name.
 *
 *   rk-bench [--json] [NAME...] all benches without a name; exit 0, 1 for a failure, 2 for usage
 */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#define REPORT_LIMIT_BYTES (1u << 20)

static int list(FILE *to)
{
    fprintf(to, "usage: rk-bench [--json] [NAME...]\n");
    for (size_t i = 0; i < rk_bench_count; i++) {
        fprintf(to, "  %-12s %s\n", rk_bench_table[i].name, rk_bench_table[i].summary);
    }
    return to == stdout ? 0 : 2;
}

static int run_one(const rk_bench *bench, bool json)
{
    rk_str out;
    rk_str_init(&out, REPORT_LIMIT_BYTES);
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_bench_run(bench, NULL, json, &out, &err);
    if (status == RK_OK) {
        fputs(rk_str_cstr(&out), stdout);
        fflush(stdout);
    } else {
        fprintf(stderr, "rk-bench: %s\n", err.text);
    }
    rk_str_finish(&out);
    return status == RK_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool json = false;
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            return list(stdout);
        } else if (rk_bench_find(argv[i]) == NULL) {
            fprintf(stderr, "rk-bench: there is no bench \"%s\"\n", argv[i]);
            return list(stderr);
        } else {
            named++;
        }
    }
    int failed = 0;
    for (size_t i = 0; named == 0 && i < rk_bench_count; i++) {
        failed |= run_one(&rk_bench_table[i], json);
    }
    for (int i = 1; i < argc; i++) {
        const rk_bench *bench = rk_bench_find(argv[i]);
        failed |= bench ? run_one(bench, json) : 0;
    }
    return failed;
}
