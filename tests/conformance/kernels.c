/*
 * kernels.c: the built-in kernels on the device against the same on the processor, whose results
 * are tested against what is known of the problems.
 */
#include "conform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct input {
    const char *field;
    const void *data;
    uint64_t count;
} input;

typedef struct problem {
    const char *module;
    const rk_param_value *params;
    size_t param_count;
    const input *inputs;
    size_t input_count;
    uint64_t steps;
    const char *output; /* a field of f32 */
    uint64_t output_count;
    double tolerance; /* relative to the largest value */
} problem;

/* Runs the problem on a device and reads its output; false, and the failure noted. */
static bool solve(conform *c, const problem *p, const char *device, float *out)
{
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    uint64_t id = 0;
    rk_reply reply;
    bool good = false;
    rk_launch launch = {.name = p->module, .device = device, .params = p->params};
    launch.param_count = p->param_count;
    if (device == c->device) {
        launch.lanes = c->lanes;
        launch.blocks = c->blocks;
    }
    CHECK_OK(c, rk_module_open_builtin(p->module, &module, &check_err));
    launch.module = module;
    CHECK_OK(c, rk_kernel_create(c->runtime, &launch, &kernel, &check_err));
    for (size_t i = 0; i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        CHECK_OK(c, rk_kernel_write_field(kernel, in->field, 0, in->count, in->data, &check_err));
    }
    CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    CHECK_OK(c, rk_kernel_run(kernel, p->steps, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "run of %s", p->module);
    CHECK_OK(c, rk_kernel_read_field(kernel, p->output, 0, p->output_count, out, &check_err));
    good = true;
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
    return good;
}

static void compare(conform *c, const problem *p)
{
    float *here = calloc(p->output_count, sizeof *here);
    float *there = calloc(p->output_count, sizeof *there);
    if (!solve(c, p, "cpu:0", here) || !solve(c, p, c->device, there)) {
        goto out;
    }
    double largest = 0;
    double apart = 0;
    for (uint64_t i = 0; i < p->output_count; i++) {
        largest = fmax(largest, fabs((double)here[i]));
        apart = fmax(apart, fabs((double)here[i] - (double)there[i]));
        CHECK(c, isfinite(there[i]), "%s: element %llu is %g", p->module, (unsigned long long)i,
              (double)there[i]);
    }
    CHECK(c, largest > 0, "%s: all is zero", p->module);
    CHECK(c, apart <= p->tolerance * largest, "%s: apart by %g, the largest value is %g", p->module,
          apart, largest);
out:
    free(here);
    free(there);
}

static void heat(conform *c)
{
    enum { N = 20, CELLS = N * N * N };
    static const rk_param_value params[] = {{"nx", "20"}, {"ny", "20"},    {"nz", "20"},
                                            {"dx", "1"},  {"dt", "0.125"}, {"diffusivity", "1"}};
    static float start[CELLS];
    for (uint32_t i = 0; i < CELLS; i++) {
        start[i] = (float)((i * 37u) % 101u);
    }
    const input inputs[] = {{"temperature_even", start, CELLS}};
    compare(c, &(problem){"heat3d", params, 6, inputs, 1, 30, "temperature_even", CELLS, 1e-6});
}

static void wave(conform *c)
{
    enum { N = 24, CELLS = N * N * N };
    static const rk_param_value params[] = {
        {"nx", "24"}, {"ny", "24"}, {"nz", "24"}, {"dx", "0.1"}, {"dt", "1.5e-4"}};
    static float start[CELLS];
    memset(start, 0, sizeof start);
    start[CELLS / 2 + N / 2] = 1.0f;
    start[N * N + 3] = -0.5f;
    const input inputs[] = {{"pressure_even", start, CELLS}};
    compare(c, &(problem){"wave3d", params, 5, inputs, 1, 40, "pressure_even", CELLS, 1e-5});
}

static void nbody(conform *c)
{
    enum { N = 96 };
    static const rk_param_value params[] = {
        {"n", "96"}, {"dt", "0.001"}, {"gravity", "1"}, {"softening", "0.1"}};
    static float position[3 * N];
    static float velocity[3 * N];
    static float mass[N];
    uint64_t state = 42;
    for (uint32_t i = 0; i < 3 * N; i++) {
        position[i] = (float)conform_below(&state, 2000) / 1000.0f - 1.0f;
        velocity[i] = (float)conform_below(&state, 200) / 1000.0f - 0.1f;
        mass[i % N] = 1.0f / N;
    }
    const input inputs[] = {
        {"position", position, 3 * N}, {"velocity", velocity, 3 * N}, {"mass", mass, N}};
    compare(c, &(problem){"nbody", params, 4, inputs, 3, 50, "position", 3 * N, 1e-4});
}

/* The canary has a known answer of its own. */
static void canary(conform *c)
{
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_launch launch = {0};
    uint64_t id = 0;
    rk_reply reply;
    CHECK_OK(c, rk_module_open_builtin("canary", &module, &check_err));
    launch.module = module;
    kernel = conform_start(c, "canary", &launch);
    if (kernel == NULL) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_run(kernel, 100, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "run");
    CHECK_OK(c, rk_kernel_check(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK && reply.step == 100,
          "its check: %s", rk_status_text(reply.status));
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

/* A ring of n vertices with a chord: ranks add up to one, and are those of a plain iteration. */
static void pagerank(conform *c)
{
    enum { N = 30 };
    static const rk_param_value params[] = {
        {"n_vertices", "30"}, {"n_local", "30"}, {"n_groups", "30"}, {"n_edges", "31"}};
    uint32_t degree[N];
    uint32_t part_start[2] = {0, N};
    uint32_t target[N];
    uint32_t start[N + 1];
    uint32_t source[N + 1];
    double rank[N];
    double expected[N];
    uint32_t edges = 0;
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    uint64_t id = 0;
    rk_reply reply;
    for (uint32_t v = 0; v < N; v++) {
        degree[v] = v == 0 ? 2 : 1;
        target[v] = v;
        start[v] = edges;
        source[edges++] = (v + N - 1) % N;
        if (v == N / 2) {
            source[edges++] = 0;
        }
        expected[v] = 1.0 / N;
    }
    start[N] = edges;
    for (uint32_t round = 0; round < 400; round++) {
        double next[N];
        for (uint32_t v = 0; v < N; v++) {
            double sum = 0;
            for (uint32_t e = start[v]; e < start[v + 1]; e++) {
                sum += expected[source[e]] / degree[source[e]];
            }
            next[v] = 0.15 / N + 0.85 * sum;
        }
        memcpy(expected, next, sizeof next);
    }
    CHECK_OK(c, rk_module_open_builtin("pagerank", &module, &check_err));
    rk_launch launch = {.name = "pagerank", .module = module, .device = c->device};
    launch.params = params;
    launch.param_count = 4;
    launch.lanes = c->lanes;
    launch.blocks = c->blocks;
    CHECK_OK(c, rk_kernel_create(c->runtime, &launch, &kernel, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "degree", 0, N, degree, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "part_start", 0, 2, part_start, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "group_target", 0, N, target, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "group_start", 0, N + 1, start, &check_err));
    CHECK_OK(c, rk_kernel_write_field(kernel, "edge_source", 0, edges, source, &check_err));
    CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    CHECK_OK(c, rk_kernel_run(kernel, 1000, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "run");
    CHECK_OK(c, rk_kernel_read_field(kernel, "rank", 0, N, rank, &check_err));
    for (uint32_t v = 0; v < N; v++) {
        CHECK(c, fabs(rank[v] - expected[v]) < 1e-8, "rank of vertex %u: %.12g instead of %.12g", v,
              rank[v], expected[v]);
    }
out:
    rk_kernel_destroy(kernel);
    rk_module_unref(module);
}

const conform_case conform_kernels[] = {
    {"kernels: canary", canary},
    {"kernels: heat3d as on the processor", heat},
    {"kernels: wave3d as on the processor", wave},
    {"kernels: nbody as on the processor", nbody},
    {"kernels: pagerank", pagerank},
};
const uint32_t conform_kernels_count = sizeof conform_kernels / sizeof conform_kernels[0];
