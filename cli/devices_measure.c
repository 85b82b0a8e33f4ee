/*
 * devices_measure.c: what a device's memory and its way to the host do, measured.
 *
 * The kernel "copy" is made resident on the whole device. Its steps are timed from the host, the
 * copies through the device's driver while it takes none, and commands from the host's store to the
 * answer that the host sees.
 */
#include "cli/devices.h"

#include "base/clock.h"
#include "base/compiler.h"

#include <inttypes.h>
#include <ringkernel/command.h>
#include <ringkernel/resident.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_BYTES_MAX ((uint64_t)256 << 20)
#define ARRAY_BYTES_MIN ((uint64_t)1 << 20)
#define COPY_BYTES_MAX ((uint64_t)64 << 20)
#define SAMPLES 501u
#define RUN_NS ((uint64_t)200 * RK_NS_PER_MS)
#define STEPS_MAX 100000u
#define PATIENCE_NS ((uint64_t)60 * RK_NS_PER_S)

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t per_second(uint64_t bytes, uint64_t ns)
{
    return ns > 0 ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0;
}

static rk_status run(rk_kernel *kernel, uint64_t steps, uint64_t *out_ns, rk_err *err)
{
    uint64_t id = 0;
    rk_reply reply;
    uint64_t start_ns = rk_clock_monotonic_ns();
    rk_status status = rk_kernel_run(kernel, steps, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, PATIENCE_NS, &reply, err);
    }
    *out_ns = rk_clock_monotonic_ns() - start_ns;
    return status != RK_OK ? status : reply.status;
}

static rk_status measure_steps(rk_kernel *kernel, uint64_t bytes, rk_measured *m, rk_err *err)
{
    uint64_t one_ns = 0;
    uint64_t ns = 0;
    rk_status status = run(kernel, 2, &ns, err); /* touches every page */
    if (status == RK_OK) {
        status = run(kernel, 1, &one_ns, err);
    }
    uint64_t steps = RK_MIN(RK_MAX(RUN_NS / RK_MAX(one_ns, 1u), 1u), STEPS_MAX);
    if (status == RK_OK) {
        status = run(kernel, steps, &ns, err);
    }
    if (status == RK_OK) {
        m->copy_bandwidth = per_second(2 * bytes * steps, ns);
    }
    return status;
}

/* Copies between host and device: large ones for the bandwidth, one value for the latency. */
static rk_status measure_copies(rk_kernel *kernel, uint64_t cells, rk_measured *m, rk_err *err)
{
    uint64_t count = RK_MIN(cells, COPY_BYTES_MAX / 8);
    uint64_t *data = calloc(count, 8);
    uint64_t *times = calloc(2 * SAMPLES, sizeof *times);
    rk_status status = data == NULL || times == NULL ? RK_NO_MEMORY : RK_OK;
    for (int round = 0; round < 3 && status == RK_OK; round++) {
        uint64_t start_ns = rk_clock_monotonic_ns();
        status = rk_kernel_write_field(kernel, "even", 0, count, data, err);
        uint64_t middle_ns = rk_clock_monotonic_ns();
        if (status == RK_OK) {
            status = rk_kernel_read_field(kernel, "even", 0, count, data, err);
        }
        uint64_t end_ns = rk_clock_monotonic_ns();
        m->write_bandwidth =
            RK_MAX(m->write_bandwidth, per_second(count * 8, middle_ns - start_ns));
        m->read_bandwidth = RK_MAX(m->read_bandwidth, per_second(count * 8, end_ns - middle_ns));
    }
    for (uint32_t i = 0; i < SAMPLES && status == RK_OK; i++) {
        uint64_t start_ns = rk_clock_monotonic_ns();
        status = rk_kernel_write_field(kernel, "even", 0, 1, data, err);
        uint64_t middle_ns = rk_clock_monotonic_ns();
        if (status == RK_OK) {
            status = rk_kernel_read_field(kernel, "even", 0, 1, data, err);
        }
        times[i] = middle_ns - start_ns;
        times[SAMPLES + i] = rk_clock_monotonic_ns() - middle_ns;
    }
    if (status == RK_OK) {
        qsort(times, SAMPLES, sizeof *times, compare);
        qsort(times + SAMPLES, SAMPLES, sizeof *times, compare);
        m->write_ns = times[SAMPLES / 2];
        m->read_ns = times[SAMPLES + SAMPLES / 2];
    }
    free(times);
    free(data);
    return status;
}

static rk_status measure_answers(rk_kernel *kernel, rk_measured *m, rk_err *err)
{
    uint64_t times[SAMPLES];
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t id = 0;
        rk_reply reply;
        uint64_t start_ns = rk_clock_monotonic_ns();
        rk_status status = rk_kernel_ping(kernel, &id, err);
        if (status == RK_OK) {
            status = rk_kernel_wait(kernel, id, PATIENCE_NS, &reply, err);
        }
        if (status != RK_OK) {
            return status;
        }
        times[i] = rk_clock_monotonic_ns() - start_ns;
    }
    qsort(times, SAMPLES, sizeof times[0], compare);
    m->answer_ns = times[SAMPLES / 2];
    m->answer_p99_ns = times[SAMPLES * 99 / 100];
    return RK_OK;
}

/* Both arrays take at most a quarter of the device. */
static uint64_t array_bytes(uint64_t memory_bytes)
{
    uint64_t bytes = ARRAY_BYTES_MAX;
    while (memory_bytes != 0 && bytes > memory_bytes / 8 && bytes > ARRAY_BYTES_MIN) {
        bytes /= 2;
    }
    return bytes;
}

rk_status rk_device_measure(const char *device, uint64_t memory_bytes, rk_measured *out_measured,
                            rk_err *err)
{
    rk_measured m = {.array_bytes = array_bytes(memory_bytes)};
    rk_runtime *runtime = NULL;
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    char cells[RK_VALUE_TEXT_BYTES];
    (void)snprintf(cells, sizeof cells, "%" PRIu64, m.array_bytes / 8);
    rk_param_value param = {.name = "cells", .text = cells};
    rk_launch launch = {.name = "measure", .device = device, .params = &param, .param_count = 1};
    rk_status status = rk_runtime_create(NULL, &runtime, err);
    if (status == RK_OK) {
        status = rk_module_open_builtin("copy", &module, err);
    }
    if (status == RK_OK) {
        launch.module = module;
        status = rk_kernel_create(runtime, &launch, &kernel, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_start(kernel, err);
    }
    if (status == RK_OK) {
        status = measure_steps(kernel, m.array_bytes, &m, err);
    }
    if (status == RK_OK) {
        status = measure_copies(kernel, m.array_bytes / 8, &m, err);
    }
    if (status == RK_OK) {
        status = measure_answers(kernel, &m, err);
    }
    rk_runtime_destroy(runtime); /* with the kernel */
    rk_module_unref(module);
    if (status != RK_OK && err->text[0] == '\0') {
        (void)rk_err_set(err, status, "device %s cannot be measured: %s", device,
                         rk_status_text(status));
    }
    if (status == RK_OK) {
        *out_measured = m;
    }
    return status;
}
