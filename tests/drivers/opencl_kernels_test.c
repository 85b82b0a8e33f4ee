/*
 * opencl_kernels_test.c: every built-in kernel gives on an OpenCL device what it gives on the CPU.
 * Skipped where OpenCL has no device.
 */
#include "drivers/opencl_place.h"
#include "kernels/cm.h"
#include "kernels/graph.h"
#include "kernels/kt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number in [-1, 1) that depends on i alone. */
static double noise(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 31)) * 0xbf58476d1ce4e5b9ull;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

static void *numbers(uint64_t count, bool wide, double scale, double offset)
{
    double *d = calloc(count, sizeof(*d));
    float *f = calloc(count, sizeof(*f));
    for (uint64_t i = 0; i < count; i++) {
        d[i] = offset + scale * noise(i);
        f[i] = (float)d[i];
    }
    free(wide ? (void *)f : (void *)d);
    return wide ? (void *)d : (void *)f;
}

/* Largest difference of two fields over the largest value. */
static double difference(const void *a, const void *b, uint64_t count, bool wide)
{
    double most = 0.0;
    double largest = 0.0;
    for (uint64_t i = 0; i < count; i++) {
        double x = wide ? ((const double *)a)[i] : (double)((const float *)a)[i];
        double y = wide ? ((const double *)b)[i] : (double)((const float *)b)[i];
        assert_true(isfinite(x) && isfinite(y));
        most = fmax(most, fabs(x - y));
        largest = fmax(largest, fabs(x));
    }
    assert_true(largest > 0.0);
    return most / largest;
}

/* Runs the same kernel on the device and the CPU and reads one field of each. */
typedef kt *(*maker)(unsigned lanes);

static double device_against_cpu(maker make, unsigned lanes, uint64_t steps, const char *field,
                                 bool wide)
{
    void *data[2];
    uint64_t count = 0;
    for (int cpu = 0; cpu < 2; cpu++) {
        kt_device(cpu ? "cpu:0" : PLACE_DEVICE);
        kt *k = make(cpu ? 0 : lanes);
        assert_int_equal(kt_start(k), RK_OK);
        assert_int_equal(kt_run(k, steps), RK_OK);
        count = kt_size(k, field);
        data[cpu] = calloc(count, sizeof(double));
        kt_read(k, field, data[cpu], count);
        kt_end(k);
    }
    double found = difference(data[1], data[0], count, wide);
    free(data[0]);
    free(data[1]);
    return found;
}

static void write_numbers(kt *k, const char *field, bool wide, double scale, double offset)
{
    uint64_t count = kt_size(k, field);
    void *data = numbers(count, wide, scale, offset);
    kt_write(k, field, data, count);
    free(data);
}

static kt *heat(unsigned lanes)
{
    kt *k = kt_new("heat3d", "f32", 1, lanes);
    kt_u(k, "nx", 13);
    kt_u(k, "ny", 7);
    kt_u(k, "nz", 5);
    kt_f(k, "dx", 0.1);
    kt_f(k, "dt", 0.125);
    kt_f(k, "diffusivity", 0.01);
    kt_u(k, "held", 1);
    kt_f(k, "boundary_temperature", 3.0);
    kt_create(k);
    write_numbers(k, "temperature_even", false, 10.0, 20.0);
    return k;
}

static kt *bodies(unsigned lanes)
{
    kt *k = kt_new("nbody", "f64", 1, lanes);
    kt_u(k, "n", 40);
    kt_f(k, "dt", 1e-3);
    kt_f(k, "gravity", 1.0);
    kt_f(k, "softening", 0.05);
    kt_create(k);
    write_numbers(k, "position", true, 1.0, 0.0);
    write_numbers(k, "velocity", true, 0.1, 0.0);
    write_numbers(k, "mass", true, 0.4, 0.5);
    return k;
}

static kt *wave(unsigned lanes)
{
    kt *k = kt_new("wave3d", "f32", 1, lanes);
    kt_u(k, "nx", 18);
    kt_u(k, "ny", 9);
    kt_u(k, "nz", 6);
    kt_create(k);
    write_numbers(k, "pressure_even", false, 1.0, 0.0);
    write_numbers(k, "pressure_odd", false, 1.0, 0.0);
    return k;
}

static kt *canary(unsigned lanes)
{
    kt *k = kt_new("canary", NULL, 1, lanes);
    kt_u(k, "cells", 100);
    kt_create(k);
    return k;
}

static void heat_is_the_same(void **state)
{
    (void)state;
    assert_true(device_against_cpu(heat, 0, 21, "temperature_odd", false) < 1e-6);
}

static void bodies_are_the_same(void **state)
{
    (void)state;
    assert_true(device_against_cpu(bodies, 0, 20, "position", true) < 1e-12);
}

static void waves_are_the_same(void **state)
{
    (void)state;
    assert_true(device_against_cpu(wave, 0, 20, "pressure_even", false) < 1e-5);
}

/* Several real lanes per block: barriers and shared memory of a work-group. */
static void lanes_share_a_block(void **state)
{
    (void)state;
    (void)setenv("RK_OPENCL_LANES", "8", 1);
    assert_true(device_against_cpu(heat, 8, 21, "temperature_odd", false) < 1e-6);
    (void)unsetenv("RK_OPENCL_LANES");
}

static void canary_sings_the_known_tune(void **state)
{
    (void)state;
    uint64_t code = 1;
    uint64_t value[3];
    kt_device(PLACE_DEVICE);
    kt *k = canary(0);
    assert_int_equal(kt_start(k), RK_OK);
    assert_int_equal(kt_run(k, 37), RK_OK);
    assert_int_equal(kt_check(k, &code), RK_OK);
    assert_int_equal(code, 0);
    assert_int_equal(kt_custom(k, 1, &(uint64_t){63}, 8, value), RK_OK); /* corrupt a cell */
    assert_int_equal(kt_check(k, &code), RK_INTERNAL);
    assert_int_equal(code, 1u | 63u << 16);
    kt_end(k);
}

static void echo_gives_back(void **state)
{
    (void)state;
    char sent[100];
    char got[100] = "";
    rk_received message;
    memset(sent, 'x', sizeof(sent));
    kt_device(PLACE_DEVICE);
    kt *k = kt_new("echo", NULL, 1, 0);
    kt_create(k);
    assert_int_equal(kt_start(k), RK_OK);
    for (size_t bytes = 0; bytes <= sizeof(sent); bytes += 25) { /* in the slot, and in the slab */
        assert_int_equal(kt_send(k, 300, sent, bytes), RK_OK);
        assert_int_equal(
            rk_kernel_receive(kt_kernel(k), RK_FOREVER, &message, got, sizeof(got), NULL), RK_OK);
        assert_int_equal(message.type, 300);
        assert_int_equal(message.length, bytes);
        assert_memory_equal(got, sent, bytes);
    }
    kt_end(k);
}

static void ranks_are_exact(void **state)
{
    (void)state;
    graph g = graph_random(60, 200, 5);
    double exact[60];
    double rank[60];
    uint64_t value[3];
    graph_rank(&g, 0.85, exact);
    kt_device(PLACE_DEVICE);
    kt *k = graph_kernel(&g, 1, 0, 1, 0, 64);
    assert_int_equal(kt_start(k), RK_OK);
    do {
        assert_int_equal(kt_run(k, 50), RK_OK);
        assert_int_equal(kt_custom(k, 1, NULL, 0, value), RK_OK);
    } while (value[1] != 3 && value[1] != 4);
    assert_int_equal(value[1], 3); /* found */
    kt_read(k, "rank", rank, 60);
    assert_true(difference(exact, rank, 60, true) < 1e-9);
    kt_end(k);
    graph_finish(&g);
}

int main(void)
{
    if (!place_is_there()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_is_the_same),
        cmocka_unit_test(bodies_are_the_same),
        cmocka_unit_test(waves_are_the_same),
        cmocka_unit_test(lanes_share_a_block),
        cmocka_unit_test(canary_sings_the_known_tune),
        cmocka_unit_test(echo_gives_back),
        cmocka_unit_test(ranks_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
