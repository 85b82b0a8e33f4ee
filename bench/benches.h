/*
 * benches.h: the run functions of all benches, for the table.
 */
#ifndef RK_BENCH_BENCHES_H
#define RK_BENCH_BENCHES_H

#include "bench/bench.h"

rk_status rk_bench_run_actors(rk_bench_report *report, const rk_bench_options *options,
                              rk_err *err);
rk_status rk_bench_run_compile(rk_bench_report *report, const rk_bench_options *options,
                               rk_err *err);
rk_status rk_bench_run_device_actors(rk_bench_report *report, const rk_bench_options *options,
                                     rk_err *err);
rk_status rk_bench_run_fabric(rk_bench_report *report, const rk_bench_options *options,
                              rk_err *err);
rk_status rk_bench_run_hlc(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_idle(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_k2k(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_opencl(rk_bench_report *report, const rk_bench_options *options,
                              rk_err *err);
rk_status rk_bench_run_pool(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_ring(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_roundtrip(rk_bench_report *report, const rk_bench_options *options,
                                 rk_err *err);
rk_status rk_bench_run_step(rk_bench_report *report, const rk_bench_options *options, rk_err *err);
rk_status rk_bench_run_wave3d(rk_bench_report *report, const rk_bench_options *options,
                              rk_err *err);

#endif
