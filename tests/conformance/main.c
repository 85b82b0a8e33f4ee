/*
 * rk-conformance: runs the conformance suite on one device.
 *
 *   rk-conformance --device NAME [--lanes N] [--blocks N] [--seed N] [--effort N] [--case TEXT]
 *                  [--isolated 1]
 *
 * Exit status: 0 all hold, 1 some do not, 77 there is no such device here, 2 wrong arguments.
 */
#include "conform.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef CONFORM_MODULE
#define CONFORM_MODULE "conform.rkm"
#endif

void conform_fail(conform *c, const char *file, int line, const char *format, ...)
{
    if (c->failure[0] != '\0') {
        return;
    }
    const char *slash = strrchr(file, '/');
    int used = snprintf(c->failure, sizeof c->failure, "%s:%d: ", slash ? slash + 1 : file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(c->failure + used, sizeof c->failure - (size_t)used, format, args);
    va_end(args);
}

static rk_kernel *create(conform *c, const char *name, const rk_launch *given)
{
    rk_err err = RK_ERR_INIT;
    rk_kernel *kernel = NULL;
    rk_launch launch = *given;
    launch.name = name;
    launch.module = launch.module != NULL ? launch.module : c->module;
    launch.device = c->device;
    launch.blocks = launch.blocks > 0 ? launch.blocks : c->blocks;
    launch.lanes = launch.lanes > 0 ? launch.lanes : c->lanes;
    if (rk_kernel_create(c->runtime, &launch, &kernel, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "cannot create '%s': %s", name, err.text);
        return NULL;
    }
    return kernel;
}

static bool start(conform *c, rk_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    if (kernel == NULL || rk_kernel_start(kernel, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "cannot start: %s", err.text);
        return false;
    }
    return true;
}

rk_kernel *conform_start(conform *c, const char *name, const rk_launch *launch)
{
    rk_kernel *kernel = create(c, name, launch);
    if (!start(c, kernel)) {
        rk_kernel_destroy(kernel);
        return NULL;
    }
    return kernel;
}

bool conform_start_two(conform *c, const char *first, const char *second, const rk_launch *launch,
                       rk_kernel **out_first, rk_kernel **out_second)
{
    *out_first = create(c, first, launch);
    *out_second = *out_first != NULL ? create(c, second, launch) : NULL;
    return *out_second != NULL && start(c, *out_first) && start(c, *out_second);
}

bool conform_wait(conform *c, rk_kernel *kernel, uint64_t id, rk_reply *out_reply)
{
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_wait(kernel, id, CONFORM_WAIT_NS, out_reply, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "no reply to command %llu: %s", (unsigned long long)id,
                     err.text);
        return false;
    }
    return true;
}

bool conform_read(conform *c, rk_kernel *kernel, const char *field, uint32_t *out, uint64_t count)
{
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_read_field(kernel, field, 0, count, out, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "%s", err.text);
        return false;
    }
    return true;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t conform_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t conform_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((conform_random(state) >> 32) * limit >> 32);
}

static void on_event(void *context, const rk_event *event)
{
    conform *c = context;
    (void)snprintf(c->event_text, sizeof c->event_text, "%s", event->text);
    __atomic_add_fetch(&c->events[event->kind], 1, __ATOMIC_RELEASE);
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct tally {
    uint32_t passed;
    uint32_t failed;
} tally;

static void run_cases(conform *c, const conform_case *cases, uint32_t count, const char *only,
                      tally *t)
{
    for (uint32_t i = 0; i < count; i++) {
        if (only != NULL && strstr(cases[i].name, only) == NULL) {
            continue;
        }
        double start_s = now_s();
        c->failure[0] = '\0';
        memset(c->events, 0, sizeof c->events);
        cases[i].run(c);
        bool holds = c->failure[0] == '\0';
        printf("%s %s (%.2f s)%s%s\n", holds ? "ok  " : "FAIL", cases[i].name, now_s() - start_s,
               holds ? "" : ": ", c->failure);
        (void)fflush(stdout);
        t->passed += holds ? 1 : 0;
        t->failed += holds ? 0 : 1;
    }
}

/* Blocks for a case in which two kernels share the device. */
static uint32_t choose_blocks(const conform *c)
{
    rk_device_info info;
    uint32_t count = rk_runtime_device_count(c->runtime);
    for (uint32_t i = 0; i < count; i++) {
        if (rk_runtime_device_info(c->runtime, i, &info) == RK_OK &&
            strcmp(info.name, c->device) == 0) {
            uint32_t half = info.units / 2;
            return half < 1 ? 1 : half < 4 ? half : 4;
        }
    }
    return 1;
}

static int usage(void)
{
    fprintf(stderr, "usage: rk-conformance --device NAME [--lanes N] [--blocks N] [--seed N] "
                    "[--effort N] [--case TEXT] [--isolated 1]\n");
    return 2;
}

static rk_status open_all(conform *c, rk_err *err)
{
    char driver[32];
    (void)snprintf(driver, sizeof driver, "%.*s", (int)strcspn(c->device, ":"), c->device);
    char drivers[48];
    (void)snprintf(drivers, sizeof drivers, "%s%s", driver, strcmp(driver, "cpu") ? ",cpu" : "");
    static const char *const host_argv[] = {"/proc/self/exe", "__host", NULL};
    rk_runtime_options options = {.drivers = drivers, .on_event = on_event, .event_context = c};
    if (c->isolated) {
        options.isolation = RK_ISOLATION_PROCESS;
        options.host_argv = host_argv;
    }
    rk_status status = rk_runtime_create(&options, &c->runtime, err);
    if (status == RK_OK) {
        const char *path = getenv("RK_CONFORM_MODULE");
        status = rk_module_open_file(path ? path : CONFORM_MODULE, &c->module, err);
    }
    return status;
}

int main(int argc, char **argv)
{
    conform c = {.seed = 1, .effort = 1};
    const char *only = NULL;
    if (argc == 2 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) {
            return usage();
        }
        const char *value = argv[i + 1];
        uint64_t number = strtoull(value, NULL, 10);
        if (strcmp(argv[i], "--device") == 0) {
            c.device = value;
        } else if (strcmp(argv[i], "--lanes") == 0) {
            c.lanes = (uint32_t)number;
        } else if (strcmp(argv[i], "--blocks") == 0) {
            c.blocks = (uint32_t)number;
        } else if (strcmp(argv[i], "--seed") == 0) {
            c.seed = number;
        } else if (strcmp(argv[i], "--effort") == 0) {
            c.effort = (uint32_t)number;
        } else if (strcmp(argv[i], "--isolated") == 0) {
            c.isolated = number != 0;
        } else if (strcmp(argv[i], "--case") == 0) {
            only = value;
        } else {
            return usage();
        }
    }
    if (c.device == NULL) {
        return usage();
    }
    rk_err err = RK_ERR_INIT;
    rk_status status = open_all(&c, &err);
    if (status != RK_OK) {
        printf("skip %s: %s\n", c.device, err.text);
        rk_runtime_destroy(c.runtime);
        return status == RK_NOT_FOUND ? 77 : 1;
    }
    c.blocks = c.blocks > 0 ? c.blocks : choose_blocks(&c);
    printf("conformance of %s: %u blocks, lanes %u, seed %llu, effort %u\n", c.device, c.blocks,
           c.lanes, (unsigned long long)c.seed, c.effort);
    tally t = {0};
    run_cases(&c, conform_commands, conform_commands_count, only, &t);
    run_cases(&c, conform_rings, conform_rings_count, only, &t);
    run_cases(&c, conform_life, conform_life_count, only, &t);
    run_cases(&c, conform_pool, conform_pool_count, only, &t);
    run_cases(&c, conform_trace, conform_trace_count, only, &t);
    run_cases(&c, conform_model, conform_model_count, only, &t);
    run_cases(&c, conform_actors, conform_actors_count, only, &t);
    run_cases(&c, conform_kernels, conform_kernels_count, only, &t);
    rk_module_unref(c.module);
    rk_runtime_destroy(c.runtime);
    printf("%s: %u hold, %u do not\n", c.device, t.passed, t.failed);
    return t.failed == 0 && t.passed > 0 ? 0 : 1;
}
