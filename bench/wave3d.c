/*
 * wave3d.c: cells per second of the built-in kernel wave3d, in rigid boxes of one medium, beside
 * what the memory allows and beside a plain OpenMP loop of the same scheme.
 *
 * The bound: a step touches the two pressure arrays, one read and one read and written, and 32
 * bytes of plan per row, so a cell takes 12 + 32 / nx bytes (single precision; neighbours come from
 * caches and count once). The bandwidth is measured on arrays of the same size, in the same round,
 * on as many threads, with a loop that does no more than b = 2 a - b.
 *
 * Kernel and OpenMP loop start with the same pressure and take the same steps: they must agree.
 */
#include "base/compiler.h"
#include "base/thread.h"
#include "bench/benches.h"
#include "bench/wave3d_reference.h"

#include <math.h>
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MAX_THREADS 64u
#define PLAN_BYTES 32.0
#define COURANT2 (1.0 / 3.0)

typedef struct wave_size {
    size_t n;
    unsigned steps;        /* per measurement */
    unsigned rounds_share; /* rounds are divided by this */
    const char *keys[7];
} wave_size;

enum {
    KEY_CELLS,
    KEY_BOUND,
    KEY_OPENMP,
    KEY_OF_BANDWIDTH,
    KEY_VS_OPENMP,
    KEY_GB,
    KEY_OPENMP_OF_BANDWIDTH
};

#define SIZE_KEYS(n)                                                                               \
    {                                                                                              \
        "n" #n "_mcells_s", "n" #n "_bound_mcells_s", "n" #n "_openmp_mcells_s",                   \
            "n" #n "_of_bandwidth", "n" #n "_vs_openmp", "n" #n "_stream_gb_s",                    \
            "n" #n "_openmp_of_bandwidth"                                                          \
    }

static const wave_size sizes[] = {
    {64, 600, 1, SIZE_KEYS(64)},
    {256, 8, 1, SIZE_KEYS(256)},
    {384, 4, 2, SIZE_KEYS(384)},
};

/* Everything of one size. */
typedef struct wave_run {
    const wave_size *size;
    size_t cells;
    unsigned threads;
    unsigned steps;
    float *a, *b; /* of the OpenMP loop: at an even and at an odd step */
    float *stream_a, *stream_b;
    uint64_t openmp_step;
    rk_runtime *runtime;
    rk_module *module;
    rk_kernel *kernel;
} wave_run;

/* Pages of 2 MiB where there are any, as the kernel's own arena has. */
static float *numbers_map(size_t count)
{
    size_t bytes = count * sizeof(float);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a hint */
    return memory;
}

static void numbers_unmap(float *numbers, size_t count)
{
    if (numbers) {
        (void)munmap(numbers, count * sizeof(float));
    }
}

typedef struct stream_part {
    wave_run *run;
    size_t lo, hi;
    rk_thread thread;
} stream_part;

static void stream_steps(void *context)
{
    stream_part *part = context;
    wave_run *run = part->run;
    for (unsigned i = 0; i < run->steps; i++) {
        bool odd = i % 2 != 0;
        rk_bench_stream(odd ? run->stream_a : run->stream_b, odd ? run->stream_b : run->stream_a,
                        part->lo, part->hi);
    }
}

/* Seconds of the streaming loop over all cells, each thread on its share. */
static rk_status stream_measure(wave_run *run, double *out_seconds, rk_err *err)
{
    stream_part parts[MAX_THREADS];
    rk_status status = RK_OK;
    double start = rk_bench_now_s();
    memset(parts, 0, sizeof(parts));
    for (unsigned i = 0; i < run->threads; i++) {
        parts[i].run = run;
        parts[i].lo = run->cells * i / run->threads;
        parts[i].hi = run->cells * (i + 1) / run->threads;
        if (i > 0 && status == RK_OK) {
            status = rk_thread_start(&parts[i].thread, "bench-stream", stream_steps, &parts[i]);
        }
    }
    stream_steps(&parts[0]);
    for (unsigned i = 1; i < run->threads; i++) {
        rk_thread_join(&parts[i].thread);
    }
    *out_seconds = rk_bench_now_s() - start;
    return status == RK_OK
               ? RK_OK
               : rk_err_set(err, status, "cannot start threads: %s", rk_status_text(status));
}

static rk_status kernel_measure(wave_run *run, double *out_seconds, rk_err *err)
{
    uint64_t id = 0;
    rk_reply reply;
    double start = rk_bench_now_s();
    rk_status status = rk_kernel_run(run->kernel, run->steps, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(run->kernel, id, RK_FOREVER, &reply, err);
    }
    *out_seconds = rk_bench_now_s() - start;
    if (status == RK_OK && reply.status != RK_OK) {
        status = rk_err_set(err, reply.status, "the run of wave3d failed: %s",
                            rk_status_text(reply.status));
    }
    return status;
}

/* OpenMP's threads poll for some milliseconds after a loop: they are left to finish. */
static void openmp_settle(void)
{
    const struct timespec pause = {0, 10000000};
    (void)nanosleep(&pause, NULL); /* a shorter pause does no harm */
}

static void openmp_measure(wave_run *run, double *out_seconds)
{
    double start = rk_bench_now_s();
    for (unsigned i = 0; i < run->steps; i++, run->openmp_step++) {
        bool odd = run->openmp_step % 2 != 0;
        rk_bench_openmp_wave(odd ? run->a : run->b, odd ? run->b : run->a, run->size->n,
                             (float)COURANT2);
    }
    *out_seconds = rk_bench_now_s() - start;
    openmp_settle();
}

/* The kernel's pressure and OpenMP's, after as many steps. */
static rk_status compare(wave_run *run, rk_err *err)
{
    float *p = run->stream_a; /* no longer needed */
    const float *expected = run->openmp_step % 2 ? run->b : run->a;
    const char *field = run->openmp_step % 2 ? "pressure_odd" : "pressure_even";
    rk_status status = rk_kernel_read_field(run->kernel, field, 0, run->cells, p, err);
    double largest = 0.0;
    for (size_t i = 0; status == RK_OK && i < run->cells; i++) {
        double difference = fabs((double)p[i] - (double)expected[i]);
        largest = difference >= 0.0 && difference <= largest ? largest : difference;
    }
    if (status == RK_OK && !(largest <= 1e-4)) {
        status = rk_err_set(err, RK_INTERNAL, "wave3d differs from the OpenMP loop by %g", largest);
    }
    return status;
}

static rk_status kernel_make(wave_run *run, rk_err *err)
{
    char n[16];
    char dt[32];
    (void)snprintf(n, sizeof(n), "%zu", run->size->n);
    (void)snprintf(dt, sizeof(dt), "%.17g", 0.05 / 343.0 * sqrt(COURANT2));
    const rk_param_value params[] = {{"nx", n}, {"ny", n}, {"nz", n}, {"dx", "0.05"}, {"dt", dt}};
    const rk_launch launch = {.name = "wave",
                              .module = run->module,
                              .variant = "f32",
                              .blocks = run->threads,
                              .params = params,
                              .param_count = RK_COUNT_OF(params)};
    const float one = 1.0f;
    uint64_t middle = run->cells / 2 + run->size->n / 2;
    run->a[middle] = one;
    rk_status status = rk_kernel_create(run->runtime, &launch, &run->kernel, err);
    if (status == RK_OK) {
        status = rk_kernel_write_field(run->kernel, "pressure_even", middle, 1, &one, err);
    }
    return status == RK_OK ? rk_kernel_start(run->kernel, err) : status;
}

static rk_status measure_rounds(wave_run *run, rk_bench_report *report, unsigned rounds,
                                bool openmp, rk_err *err)
{
    enum { CELLS, BOUND, OPENMP, OF_BANDWIDTH, VS_OPENMP, OPENMP_OF_BANDWIDTH, STREAM, COUNT };
    rk_bench_samples samples[COUNT] = {0};
    double row_bytes = 12.0 + PLAN_BYTES / (double)run->size->n;
    double work = (double)run->cells * run->steps / 1e6;
    rk_status status = RK_OK;
    for (unsigned i = 0; i < rounds + 1 && status == RK_OK; i++) {
        double stream_s = 0.0;
        double kernel_s = 0.0;
        double openmp_s = 0.0;
        status = stream_measure(run, &stream_s, err);
        if (status == RK_OK) {
            status = kernel_measure(run, &kernel_s, err);
        }
        if (status != RK_OK) {
            break;
        }
        if (openmp) {
            openmp_measure(run, &openmp_s);
        }
        if (i == 0) {
            continue; /* warms caches, pages and clocks */
        }
        double bound = 12.0 / row_bytes * work / stream_s;
        rk_bench_sample(&samples[CELLS], work / kernel_s);
        rk_bench_sample(&samples[BOUND], bound);
        rk_bench_sample(&samples[STREAM], 12e-3 * work / stream_s);
        rk_bench_sample(&samples[OF_BANDWIDTH], work / kernel_s / bound);
        if (openmp) {
            rk_bench_sample(&samples[OPENMP], work / openmp_s);
            rk_bench_sample(&samples[VS_OPENMP], openmp_s / kernel_s);
            rk_bench_sample(&samples[OPENMP_OF_BANDWIDTH], work / openmp_s / bound);
        }
    }
    if (status != RK_OK) {
        return status;
    }
    const char *const *keys = run->size->keys;
    bool large = run->size->n > 64; /* the smallest lives in caches */
    rk_bench_put_samples(report, RK_BENCH_METRIC, keys[KEY_CELLS], &samples[CELLS], "Mcells/s");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, keys[KEY_BOUND], &samples[BOUND], "Mcells/s");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, keys[KEY_GB], &samples[STREAM], "GB/s");
    rk_bench_put_samples(report, RK_BENCH_RATIO, keys[KEY_OF_BANDWIDTH], &samples[OF_BANDWIDTH],
                         "");
    if (large) {
        rk_bench_reach(report, RK_BENCH_AT_LEAST, 0.85);
    }
    if (openmp) {
        rk_bench_put_samples(report, RK_BENCH_REFERENCE, keys[KEY_OPENMP], &samples[OPENMP],
                             "Mcells/s");
        rk_bench_put_samples(report, RK_BENCH_RATIO, keys[KEY_VS_OPENMP], &samples[VS_OPENMP], "");
        rk_bench_reach(report, RK_BENCH_AT_LEAST, 1.0);
        rk_bench_put_samples(report, RK_BENCH_RATIO, keys[KEY_OPENMP_OF_BANDWIDTH],
                             &samples[OPENMP_OF_BANDWIDTH], "");
        return compare(run, err);
    }
    rk_bench_skip(report, keys[KEY_VS_OPENMP], "the compiler of this build has no OpenMP");
    return RK_OK;
}

static rk_status measure_size(rk_runtime *runtime, rk_module *module, const wave_size *size,
                              rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    wave_run run = {.size = size, .runtime = runtime, .module = module};
    int openmp_threads = 1;
    bool openmp = rk_bench_openmp(&openmp_threads);
    unsigned rounds = rk_bench_rounds(options) / size->rounds_share;
    run.cells = size->n * size->n * size->n;
    run.threads = rk_thread_cpu_count();
    run.threads = run.threads > MAX_THREADS ? MAX_THREADS : run.threads;
    run.steps = (unsigned)rk_bench_scaled(options, size->steps);
    run.a = numbers_map(run.cells);
    run.b = numbers_map(run.cells);
    run.stream_a = numbers_map(run.cells);
    run.stream_b = numbers_map(run.cells);
    rk_status status = RK_OK;
    if (!run.a || !run.b || !run.stream_a || !run.stream_b) {
        status =
            rk_err_set(err, RK_NO_MEMORY, "no memory for four arrays of %zu^3 numbers", size->n);
    } else {
        rk_bench_openmp_touch(run.a, run.b, run.cells);
        rk_bench_openmp_touch(run.stream_a, run.stream_b, run.cells);
        openmp_settle();
        status = kernel_make(&run, err);
    }
    if (status == RK_OK) {
        status = measure_rounds(&run, report, rounds > 0 ? rounds : 1, openmp, err);
    }
    if (run.kernel) {
        rk_kernel_destroy(run.kernel);
    }
    numbers_unmap(run.a, run.cells);
    numbers_unmap(run.b, run.cells);
    numbers_unmap(run.stream_a, run.cells);
    numbers_unmap(run.stream_b, run.cells);
    return status;
}

rk_status rk_bench_run_wave3d(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    rk_runtime *runtime = NULL;
    rk_module *module = NULL;
    bool brief = options && options->scale > 0.0 && options->scale < 0.1; /* a test */
    rk_status status = rk_module_open_builtin("wave3d", &module, err);
    if (status == RK_OK) {
        status = rk_runtime_create(NULL, &runtime, err);
    }
    for (size_t i = 0; i < (brief ? 1 : RK_COUNT_OF(sizes)) && status == RK_OK; i++) {
        status = measure_size(runtime, module, &sizes[i], report, options, err);
    }
    rk_bench_note(report,
                  "single precision, rigid box of one medium, %u blocks; a cell takes "
                  "4 (p) + 4 + 4 (p_prev, read and written) + 32 / nx bytes (plan of the row); "
                  "bound = measured bandwidth / that",
                  rk_thread_cpu_count());
    rk_runtime_destroy(runtime);
    rk_module_unref(module);
    return status;
}
