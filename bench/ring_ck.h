/*
 * ring_ck.h: libck's ring as the reference of the ring bench.
 */
#ifndef RK_BENCH_RING_CK_H
#define RK_BENCH_RING_CK_H

#include "bench/pair.h"

/* Why the reference cannot be measured, or NULL if it can. */
const char *rk_bench_ck_missing(void);

/* Carries `messages` 64-byte messages, one at a time, through a ring of `capacity` slots. */
rk_status rk_bench_ck_measure(const rk_bench_place *place, uint32_t capacity, uint64_t messages,
                              double *out_mmsg_s, rk_err *err);

#endif
