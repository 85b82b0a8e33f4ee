/*
 * trace.c: the timeline that a kernel writes down on this device: whole, in order, on the host's
 * clock, and never in the kernel's way.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 512u
#define CLOCK_SLACK_NS 5000000u /* how far a device's clock may be off the host's */

typedef struct seen {
    uint32_t count;
    uint32_t begins[3], ends[3]; /* of steps, and of both phases */
    uint64_t lost;
    uint64_t first_ns, last_ns;
    bool in_order; /* spans nest, times do not go back */
} seen;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* this clock is always there */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0 a step, 1 and 2 the phases, 3 something else. */
static uint32_t kind_of(const rk_trace_event *event)
{
    return event->index == RK_TRACE_NAME_STEP        ? 0
           : event->index == RK_TRACE_NAME_PHASE     ? 1
           : event->index == RK_TRACE_NAME_PHASE + 1 ? 2
                                                     : 3;
}

static bool read_all(conform *c, rk_kernel *kernel, seen *out)
{
    static rk_trace_event events[EVENTS];
    rk_err err = RK_ERR_INIT;
    uint32_t open[8];
    uint32_t depth = 0;
    *out = (seen){.in_order = true};
    for (size_t count = 1; count > 0;) {
        uint64_t lost = 0;
        if (rk_kernel_trace_read(kernel, events, EVENTS, &count, &lost, &err) != RK_OK) {
            conform_fail(c, __FILE__, __LINE__, "%s", err.text);
            return false;
        }
        out->lost += lost;
        for (size_t i = 0; i < count; i++) {
            const rk_trace_event *event = &events[i];
            uint32_t kind = kind_of(event);
            out->first_ns = out->count == 0 ? event->time_ns : out->first_ns;
            out->in_order = out->in_order && event->time_ns >= out->last_ns;
            out->last_ns = event->time_ns;
            out->count++;
            if (event->kind == RK_TRACE_KIND_BEGIN) {
                out->in_order = out->in_order && depth < 8;
                open[depth % 8] = event->index;
                depth++;
                out->begins[kind % 3] += kind < 3 ? 1u : 0u;
            } else if (event->kind == RK_TRACE_KIND_END) {
                out->ends[kind % 3] += kind < 3 ? 1u : 0u;
                out->in_order = out->in_order && depth > 0 && open[(depth - 1) % 8] == event->index;
                depth -= depth > 0 ? 1u : 0u;
            }
        }
    }
    return true;
}

static bool run(conform *c, rk_kernel *kernel, uint64_t steps)
{
    uint64_t id = 0;
    rk_reply reply = {0};
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_run(kernel, steps, &id, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "%s", err.text);
        return false;
    }
    return conform_wait(c, kernel, id, &reply);
}

static void steps_and_phases(conform *c)
{
    rk_kernel *kernel = conform_start(c, "traced", &(rk_launch){0});
    if (kernel == NULL) {
        return;
    }
    seen all;
    rk_probe probe = {0};
    CHECK_OK(c, rk_kernel_probe(kernel, CONFORM_WAIT_NS, &probe, &check_err));
    CHECK(c, run(c, kernel, 3) && read_all(c, kernel, &all), "untraced");
    CHECK(c, all.count == 0 && all.lost == 0, "%u records without being asked", all.count);
    uint64_t before_ns = now_ns();
    const rk_trace_options options = {.mask = RK_TRACE_KERNEL | RK_TRACE_STEP | RK_TRACE_PHASE};
    CHECK_OK(c, rk_kernel_trace_start(kernel, &options, &check_err));
    CHECK(c, run(c, kernel, 20), "traced");
    CHECK_OK(c, rk_kernel_trace_stop(kernel, &check_err));
    uint64_t after_ns = now_ns();
    while (now_ns() < after_ns + 2 * CLOCK_SLACK_NS) {
        continue; /* so that times of the reading are told from those of the writing */
    }
    CHECK(c, read_all(c, kernel, &all), "reading");
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(c, all.begins[i] == 20 && all.ends[i] == 20,
              "%u begins and %u ends of span %u in 20 "
              "steps",
              all.begins[i], all.ends[i], i);
    }
    CHECK(c, all.lost == 0 && all.in_order, "%llu lost, spans %s", (unsigned long long)all.lost,
          all.in_order ? "nest" : "do not nest, or times go back");
    CHECK(c, all.last_ns <= now_ns(), "a record of the future");
    CHECK(c, probe.ticks_per_s == 0 || all.first_ns + CLOCK_SLACK_NS >= before_ns,
          "the clocks are %llu ns apart", (unsigned long long)(before_ns - all.first_ns));
    CHECK(c,
          probe.ticks_per_s == 0 ||
              (all.last_ns <= after_ns + CLOCK_SLACK_NS && all.first_ns < all.last_ns),
          "the last record is %lld ns behind the end", (long long)(all.last_ns - after_ns));
    CHECK(c, run(c, kernel, 5) && read_all(c, kernel, &all) && all.count == 0, "still traced");
out:
    rk_kernel_destroy(kernel);
}

/* What is not read in time goes, is counted, and holds nobody up. */
static void the_oldest_go(conform *c)
{
    rk_kernel *kernel = conform_start(c, "lapped", &(rk_launch){.trace_slots = 16});
    if (kernel == NULL) {
        return;
    }
    seen all;
    CHECK_OK(c,
             rk_kernel_trace_start(kernel, &(rk_trace_options){.mask = RK_TRACE_STEP}, &check_err));
    CHECK(c, run(c, kernel, 200) && read_all(c, kernel, &all), "run");
    CHECK(c, all.count == 14 && all.lost == 400 - 14, "%u records and %llu lost of 400", all.count,
          (unsigned long long)all.lost);
out:
    rk_kernel_destroy(kernel);
}

/* Traced before it starts, parked, started again: the timeline goes on. */
static void a_whole_life(conform *c)
{
    rk_kernel *kernel = conform_start(c, "life", &(rk_launch){0});
    if (kernel == NULL) {
        return;
    }
    seen all;
    CHECK_OK(c, rk_kernel_park(kernel, CONFORM_WAIT_NS, &check_err));
    CHECK_OK(c, rk_kernel_trace_start(kernel, NULL, &check_err));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_OK(c, rk_kernel_start(kernel, &check_err));
        CHECK(c, run(c, kernel, 4), "run");
        CHECK_OK(c, rk_kernel_park(kernel, CONFORM_WAIT_NS, &check_err));
        CHECK(c, read_all(c, kernel, &all) && all.lost == 0 && all.in_order, "reading");
        CHECK(c, all.begins[0] == 4 && all.ends[0] == 4, "%u steps instead of 4", all.begins[0]);
    }
out:
    rk_kernel_destroy(kernel);
}

const conform_case conform_trace[] = {
    {"trace: steps and phases", steps_and_phases},
    {"trace: the oldest go", the_oldest_go},
    {"trace: a whole life", a_whole_life},
};
const uint32_t conform_trace_count = sizeof conform_trace / sizeof conform_trace[0];
