/*
 * report.h: what a report holds; for report.c and its test.
 */
#ifndef RK_BENCH_REPORT_H
#define RK_BENCH_REPORT_H

#include "bench/bench.h"

#define RK_BENCH_MAX_FIGURES 192u
#define RK_BENCH_MAX_SKIPS 16u
#define RK_BENCH_MAX_NOTES 16u
#define RK_BENCH_NOTE_BYTES 256u
#define RK_BENCH_KEY_BYTES 64u

typedef struct rk_bench_figure {
    rk_bench_section section;
    char key[RK_BENCH_KEY_BYTES];
    const char *unit;
    double value;
    bool extreme; /* the smallest or largest sample of the figure before */
    rk_bench_goal goal;
    double reach;
} rk_bench_figure;

typedef struct rk_bench_skipped {
    const char *key;
    const char *reason;
} rk_bench_skipped;

struct rk_bench_report {
    const char *name;
    rk_bench_figure figures[RK_BENCH_MAX_FIGURES];
    unsigned figure_count;
    rk_bench_figure *last; /* the one that a reach belongs to */
    rk_bench_skipped skips[RK_BENCH_MAX_SKIPS];
    unsigned skip_count;
    char notes[RK_BENCH_MAX_NOTES][RK_BENCH_NOTE_BYTES];
    unsigned note_count;
    bool overflow; /* something did not fit: the report is refused */
};

#endif
