/*
 * machine.h: what a report says about the machine.
 */
#ifndef RK_BENCH_MACHINE_H
#define RK_BENCH_MACHINE_H

#include "base/str.h"

typedef struct rk_bench_machine {
    char cpu[128];
    unsigned cores; /* that the process may use */
    double memory_gib;
    char kernel[128];
    char compiler[128];
    char date[32]; /* UTC, RFC 3339 */
    double load_1m;
} rk_bench_machine;

void rk_bench_machine_read(rk_bench_machine *out_machine);

/* Append one JSON object, or one line. */
void rk_bench_machine_json(const rk_bench_machine *machine, rk_str *out);
void rk_bench_machine_text(const rk_bench_machine *machine, rk_str *out);

#endif
