/*
 * compile.c: how long a build takes: everything, only the author's step, and nothing.
 *
 * One small stencil kernel, changed by a comment before each measurement so that nothing of it is
 * kept. Machine code for CUDA is made in one piece, as without a kept loop, and of two units. The
 * time is that of rk_module_build: reading the schema with the C compiler and writing the bundle
 * are in it, starting a program is not.
 */
#include "bench/benches.h"

#include "base/compiler.h"
#include "base/file.h"

#include <ringkernel/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_ROUNDS 9u
#if defined(__x86_64__)
#define LEVEL "v3"
#else
#define LEVEL NULL /* the family's only one */
#endif

static const char kernel[] =
    "#define RK_NAME relax\n"
    "#define RK_PARAMS(P) P(u32, n, \"64\", \"\", \"cells along an edge\")\n"
    "#define RK_FIELDS(F) F(f32, now, \"n*n\", \"\", \"state\", \"\") \\\n"
    "    F(f32, next, \"n*n\", \"\", \"state\", \"\")\n"
    "#define RK_PHASES(X) X(relax) X(swap)\n"
    "#define RK_HAS_INIT 1\n"
    "#define RK_HAS_CHECK 1\n"
    "#include <ringkernel/kernel.h>\n"
    "RK_INIT\n{\n    rk_u64 lo, hi;\n    rk_u64 n = RK_PARAM(k, n);\n"
    "    RK_G rk_f32 *now = RK_FIELD(k, now);\n    rk_block_range(k, n * n, &lo, &hi);\n"
    "    RK_FOR_LANES(k, i, lo, hi) { now[i] = (rk_f32)(i % n) * 0.5f; }\n}\n"
    "RK_PHASE(relax)\n{\n    rk_u64 lo, hi;\n    rk_u64 n = RK_PARAM(k, n);\n"
    "    RK_G const rk_f32 *now = RK_FIELD(k, now);\n    RK_G rk_f32 *next = RK_FIELD(k, next);\n"
    "    rk_block_range(k, n * n, &lo, &hi);\n"
    "    RK_FOR_LANES(k, i, lo, hi)\n    {\n        rk_u64 x = i % n;\n        rk_u64 y = i / n;\n"
    "        if (x > 0 && x + 1 < n && y > 0 && y + 1 < n) {\n"
    "            next[i] = 0.25f * (now[i - 1] + now[i + 1] + now[i - n] + now[i + n]);\n"
    "        }\n    }\n}\n"
    "RK_PHASE(swap)\n{\n    rk_u64 lo, hi;\n    rk_u64 n = RK_PARAM(k, n);\n"
    "    RK_G rk_f32 *now = RK_FIELD(k, now);\n    RK_G const rk_f32 *next = RK_FIELD(k, next);\n"
    "    rk_block_range(k, n * n, &lo, &hi);\n"
    "    RK_FOR_LANES(k, i, lo, hi) { now[i] = next[i]; }\n}\n"
    "RK_CHECK { return RK_FIELD(k, now)[0] == RK_FIELD(k, now)[0] ? 0u : 1u; }\n";

typedef struct place {
    char folder[64];
    char source[96];
    char output[96];
    char cache[96];
    unsigned version; /* of the source */
} place;

/* A way to build, and what it is called. */
typedef struct way {
    const char *key;
    uint32_t target;
    const char *archs;
    const char *levels;
    bool one_piece;
    bool is_changed; /* the source, since the last build; else everything is kept */
} way;

static const way ways[] = {
    {"cpu_ms", RK_BUILD_CPU, NULL, LEVEL, false, true},
    {"cpu_kept_ms", RK_BUILD_CPU, NULL, LEVEL, false, false},
    {"ptx_ms", RK_BUILD_CUDA, "compute_90", NULL, false, true},
    {"sm_90_one_piece_ms", RK_BUILD_CUDA, "sm_90", NULL, true, true},
    {"sm_90_step_ms", RK_BUILD_CUDA, "sm_90", NULL, false, true},
    {"sm_90_kept_ms", RK_BUILD_CUDA, "sm_90", NULL, false, false},
    {"gfx90a_ms", RK_BUILD_HIP, "gfx90a", NULL, false, true},
    {"gfx90a_kept_ms", RK_BUILD_HIP, "gfx90a", NULL, false, false},
    {"opencl_ms", RK_BUILD_OPENCL, NULL, NULL, false, true},
};

static rk_status write_source(place *p, rk_err *err)
{
    rk_str text;
    rk_str_init(&text, 64u * 1024u);
    (void)rk_str_appendf(&text, "%s/* version %u */\n", kernel, ++p->version); /* sticky */
    rk_status status = text.status;
    if (status == RK_OK) {
        status = rk_file_replace(p->source, rk_str_cstr(&text), text.length, err);
    }
    rk_str_finish(&text);
    return status;
}

static rk_status build(place *p, const way *w, double *out_ms, rk_err *err)
{
    const rk_module_build_options options = {
        .source_path = p->source,
        .output_path = p->output,
        .targets = w->target,
        .levels = w->levels,
        .archs = w->archs,
    };
    rk_status status = w->is_changed ? write_source(p, err) : RK_OK;
    setenv("RK_CUDA_UNITS", w->one_piece ? "off" : "on", 1);
    double start = rk_bench_now_s();
    if (status == RK_OK) {
        status = rk_module_build(&options, err);
    }
    *out_ms = (rk_bench_now_s() - start) * 1e3;
    return status;
}

static int remove_file(void *arg, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    (void)rk_file_unlink(path); /* a folder stays for rk_dir_remove */
    return 0;
}

static rk_status place_init(place *p, rk_err *err)
{
    snprintf(p->folder, sizeof(p->folder), "/tmp/rk-bench-compile-XXXXXX");
    if (!mkdtemp(p->folder)) {
        return rk_err_set(err, RK_IO, "cannot make a folder in /tmp");
    }
    snprintf(p->source, sizeof(p->source), "%s/relax.c", p->folder);
    snprintf(p->output, sizeof(p->output), "%s/relax.rkm", p->folder);
    snprintf(p->cache, sizeof(p->cache), "%s/cache", p->folder);
    setenv("RK_CACHE", "on", 1);
    setenv("RK_CACHE_DIR", p->cache, 1);
    return RK_OK;
}

static void place_finish(place *p)
{
    (void)rk_dir_list(p->cache, remove_file, p->cache); /* it may not be there */
    (void)rk_dir_remove(p->cache);                      /* the same */
    (void)rk_dir_list(p->folder, remove_file, p->folder);
    (void)rk_dir_remove(p->folder); /* what is left is left in /tmp */
    unsetenv("RK_CACHE_DIR");
    unsetenv("RK_CACHE");
    unsetenv("RK_CUDA_UNITS");
}

/* With little work asked for, GPU compilers are left alone: their first use takes seconds. */
static rk_status measure(rk_bench_report *report, place *p, unsigned rounds, bool is_short,
                         rk_err *err)
{
    rk_bench_samples times[RK_COUNT_OF(ways)] = {{.count = 0}};
    rk_bench_samples ratios = {.count = 0};
    uint32_t there = rk_module_build_targets();
    there &= is_short ? RK_BUILD_CPU | RK_BUILD_OPENCL : RK_BUILD_ALL;
    rk_status status = RK_OK;
    /* The first round loads compilers and compiles the loop; it does not count. */
    for (unsigned round = 0; round <= rounds && status == RK_OK; round++) {
        double ms[RK_COUNT_OF(ways)] = {0};
        for (size_t i = 0; i < RK_COUNT_OF(ways) && status == RK_OK; i++) {
            if ((there & ways[i].target) == 0) {
                continue;
            }
            status = build(p, &ways[i], &ms[i], err);
            if (round != 0) {
                rk_bench_sample(&times[i], ms[i]);
            }
        }
        if (round != 0 && ms[4] > 0) {
            rk_bench_sample(&ratios, ms[3] / ms[4]);
        }
    }
    for (size_t i = 0; i < RK_COUNT_OF(ways) && status == RK_OK; i++) {
        if (times[i].count == 0) {
            rk_bench_skip(report, ways[i].key,
                          is_short ? "little work was asked for"
                                   : "there is no compiler for it here");
            continue;
        }
        rk_bench_section section = ways[i].one_piece ? RK_BENCH_REFERENCE : RK_BENCH_METRIC;
        rk_bench_put_samples(report, section, ways[i].key, &times[i], "ms");
    }
    if (ratios.count != 0 && status == RK_OK) {
        rk_bench_put_samples(report, RK_BENCH_RATIO, "one_piece_vs_step", &ratios, "");
    }
    rk_bench_note(report, "whole builds in this process, with the schema's compilation by the C "
                          "compiler; the source differs in every build but the kept ones");
    return status;
}

rk_status rk_bench_run_compile(rk_bench_report *report, const rk_bench_options *options,
                               rk_err *err)
{
    place p = {.version = 0};
    unsigned rounds = RK_MIN(rk_bench_rounds(options), MOST_ROUNDS);
    bool is_short = rk_bench_scaled(options, 100) < 100;
    if ((rk_module_build_targets() & RK_BUILD_CPU) == 0) {
        return rk_err_set(err, RK_NOT_FOUND, "there is no C compiler");
    }
    rk_status status = place_init(&p, err);
    if (status == RK_OK) {
        status = measure(report, &p, rounds, is_short, err);
        place_finish(&p);
    }
    return status;
}
