/*
 * bench.h: the table of benches, and the report that each of them fills.
 *
 * A report is one object: {"name":…,"metrics":{…},"references":{…},"ratios":{…},"skipped":{…},
 * "notes":[…],"machine":{…}} with flat numbers, or the same as a table for people, with the reach
 * that each figure should have beside it.
 *
 * Machines are noisy and change their speed while one looks: a bench repeats short measurements,
 * each next to its reference, and reports medians with the extremes.
 */
#ifndef RK_BENCH_BENCH_H
#define RK_BENCH_BENCH_H

#include "base/str.h"
#include <ringkernel/status.h>

#define RK_BENCH_MAX_SAMPLES 64u
#define RK_BENCH_DEFAULT_ROUNDS 41u

typedef struct rk_bench_options {
    unsigned rounds; /* interleaved repetitions, at most RK_BENCH_MAX_SAMPLES; 0: the default */
    double scale;    /* share of the usual work per repetition; tests use little; 0: 1 */
} rk_bench_options;

typedef struct rk_bench_report rk_bench_report;

/*
 * One bench. run measures and fills the report. It may use threads and processes of its own, and
 * leaves none behind. An error ends it with a sentence: a wrong result is an error, a missing
 * reference is not.
 */
typedef struct rk_bench {
    const char *name;
    const char *summary;
    rk_status (*run)(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
} rk_bench;

/* All benches, by name. */
extern const rk_bench rk_bench_table[];
extern const size_t rk_bench_count;

/* NULL if there is none of that name. */
const rk_bench *rk_bench_find(const char *name);

/*
 * Runs a bench and appends its report to out: JSON on one line, or text. options may be NULL.
 * Takes seconds. Errors: those of the bench, RK_NO_MEMORY.
 */
rk_status rk_bench_run(const rk_bench *bench, const rk_bench_options *options, bool json,
                       rk_str *out, rk_err *err);
/* The same as text and as JSON at once; either may be NULL. */
rk_status rk_bench_run_both(const rk_bench *bench, const rk_bench_options *options, rk_str *text,
                            rk_str *json, rk_err *err);

/* --- for benches: samples --------------------------------------------------------------------- */

/* Measurements of one figure. Start with {0}. More than fit are ignored. */
typedef struct rk_bench_samples {
    double values[RK_BENCH_MAX_SAMPLES];
    unsigned count;
} rk_bench_samples;

void rk_bench_sample(rk_bench_samples *samples, double value);

/* The value below which `quantile` (0 to 1) of the samples lie, interpolated; 0 without samples. */
double rk_bench_quantile(const rk_bench_samples *samples, double quantile);

/* --- for benches: the report ------------------------------------------------------------------ */

typedef enum rk_bench_section {
    RK_BENCH_METRIC,    /* of this project's code */
    RK_BENCH_REFERENCE, /* of something else, in the same run */
    RK_BENCH_RATIO,     /* between the two */
} rk_bench_section;

/* Which way a figure should go. */
typedef enum rk_bench_goal { RK_BENCH_NO_GOAL, RK_BENCH_AT_LEAST, RK_BENCH_AT_MOST } rk_bench_goal;

/*
 * Adds a figure. key and unit are string constants; the key says the unit ("batch1_mmsg_s"), the
 * unit is for the table ("Mmsg/s").
 */
void rk_bench_put(rk_bench_report *report, rk_bench_section section, const char *key, double value,
                  const char *unit);

/* Adds the median as key, and the extremes as key_min and key_max. */
void rk_bench_put_samples(rk_bench_report *report, rk_bench_section section, const char *key,
                          const rk_bench_samples *samples, const char *unit);

/* States what the figure that was put last should reach. Shown, never enforced. */
void rk_bench_reach(rk_bench_report *report, rk_bench_goal goal, double value);

/* Says that a reference was not measured, and why. */
void rk_bench_skip(rk_bench_report *report, const char *key, const char *reason);

/* Adds a sentence, such as how the threads were placed. */
void rk_bench_note(rk_bench_report *report, const char *format, ...) RK_PRINTF(2, 3);

/* --- for benches: measuring ------------------------------------------------------------------- */

/* Seconds since an arbitrary start. */
double rk_bench_now_s(void);

/* Two different CPUs that the process may use; false if it has only one. */
bool rk_bench_two_cpus(unsigned out_cpus[2]);

/* options->rounds and ->scale with the defaults filled in; scaled is at least 1. */
unsigned rk_bench_rounds(const rk_bench_options *options);
uint64_t rk_bench_scaled(const rk_bench_options *options, uint64_t work);

#endif
