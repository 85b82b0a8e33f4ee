/*
 * What rk_room_build makes, run by the scheme that it is made for: free-field level, absorption of
 * a wall and of an opening, reverberation time beside Eyring's formula.
 */
#include "near.h"
#include "reference_wave.h"
#include "room_fixture.h"

#include "job/absorb.h"
#include "job/decay.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct run {
    rk_job job;
    rk_room_grid grid;
    float *source;
    float *receivers[8];
} run;

static void compute(const char *text, run *out)
{
    room_grid(text, &out->job, &out->grid);
    size_t steps = out->grid.step_count;
    out->source = malloc(steps * sizeof(float));
    assert_non_null(out->source);
    double end_s = 0.0;
    rk_err err = RK_ERR_INIT;
    if (rk_room_source_samples(out->job.room, &out->grid, 0, out->source, &end_s, &err) != RK_OK) {
        print_error("%s\n", err.text);
        fail();
    }
    for (size_t r = 0; r < out->grid.receiver_count; r++) {
        out->receivers[r] = malloc(steps * sizeof(float));
        assert_non_null(out->receivers[r]);
    }
    reference_wave_run(&out->grid, &out->source, out->receivers, NULL, NULL);
}

static void finish(run *r)
{
    free(r->source);
    for (size_t i = 0; i < r->grid.receiver_count; i++) {
        free(r->receivers[i]);
    }
    rk_room_grid_finish(&r->grid);
    rk_job_finish(&r->job);
}

static double peak(const float *samples, size_t count)
{
    double value = 0.0;
    for (size_t i = 0; i < count; i++) {
        value = fmax(value, fabs((double)samples[i]));
    }
    return value;
}

static void free_field_level_at_one_metre(void **state)
{
    (void)state;
    run r;
    /* Reflections arrive after 8 ms; the direct sound at 1 and 1.5 m is over by then. */
    compute(
        "  duration: 8 ms\n"
        "  grid: {dx: 5 cm}\n"
        "  geometry:\n"
        "    size: [4, 4, 4]\n"
        "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid}\n"
        "  sources: [{name: s, position: [2.025, 2.025, 2.025], frequency: 400 Hz, level: 2 Pa}]\n"
        "  receivers:\n"
        "  - {name: a, position: [3.025, 2.025, 2.025]}\n"
        "  - {name: b, position: [2.025, 2.725, 2.725]}\n"
        "  - {name: c, position: [2.025, 2.025, 0.525]}\n",
        &r);
    assert_near(peak(r.receivers[0], r.grid.step_count), 2.0, 0.1);
    assert_near(peak(r.receivers[1], r.grid.step_count), 2.0 / hypot(0.7, 0.7), 0.1);
    assert_near(peak(r.receivers[2], r.grid.step_count), 2.0 / 1.5, 0.08);
    /* It arrives when sound does: the wavelet's peak after half its length and the way. */
    size_t top = 0;
    for (size_t i = 0; i < r.grid.step_count; i++) {
        top = r.receivers[0][i] > r.receivers[0][top] ? i : top;
    }
    double expected = 1.2 / 400.0 + 1.0 / r.grid.air_speed_m_s;
    assert_near((double)(top + 1) * r.grid.dt_s, expected, 2.5 * r.grid.dt_s);
    finish(&r);
}

/* A plane wave cannot be had from a point, but a long duct carries one. */
static double duct_reflection(const char *end_material, const char *opening)
{
    run r;
    char text[1024];
    snprintf(text, sizeof(text),
             "  duration: 50 ms\n"
             "  grid: {dx: 5 cm}\n"
             "  geometry:\n"
             "    size: [9, 0.1, 0.1]\n"
             "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid, east: %s}\n"
             "  materials: {half: {absorption: 0.5}}\n"
             "%s"
             "  sources: [{name: s, position: [0.02, 0.05, 0.05], frequency: 200 Hz}]\n"
             "  receivers: [{name: a, position: [6, 0.05, 0.05]}]\n",
             end_material, opening);
    compute(text, &r);
    /* The wave passes from 17.5 ms on and comes back 17.5 ms later (3 m each way). */
    size_t middle = (size_t)(0.032 / r.grid.dt_s);
    double there = peak(r.receivers[0], middle);
    double back = peak(r.receivers[0] + middle, r.grid.step_count - middle);
    finish(&r);
    return back / there;
}

static void walls_reflect_what_their_admittance_says(void **state)
{
    (void)state;
    double xi = 0.0;
    assert_int_equal(rk_absorb_admittance(0.5, &xi, NULL), RK_OK);
    assert_near(duct_reflection("rigid", ""), 1.0, 0.02);
    assert_near(duct_reflection("half", ""), (1.0 - xi) / (1.0 + xi), 0.02);
    const char *open = "  openings: [{name: o, wall: east, from: [0, 0], to: [0.1, 0.1]}]\n";
    /*
     * The scheme takes the pressure at the cell's centre for that at the face: k dx / 4 comes
     * back.
     */
    assert_near(duct_reflection("rigid", open), 0.0, 0.06);
}

static void empty_room_beside_eyring(void **state)
{
    (void)state;
    run r;
    compute("  duration: 0.4 s\n"
            "  grid: {dx: 5 cm}\n"
            "  air: {sound_speed: 343 m/s, density: 1.2 kg/m3}\n"
            "  geometry:\n"
            "    size: [4, 3.4, 2.8]\n"
            "    surfaces: {floor: even, ceiling: even, walls: even}\n"
            "  materials: {even: {absorption: 0.2}}\n"
            "  sources: [{name: s, position: [0.92, 1.05, 1.12], frequency: 600 Hz}]\n"
            "  receivers:\n"
            "  - {name: a, position: [2.8, 2.04, 1.4]}\n"
            "  - {name: b, position: [3.32, 0.75, 1.96]}\n"
            "  - {name: c, position: [1.6, 2.72, 0.84]}\n"
            "  - {name: d, position: [2.2, 1.53, 2.38]}\n"
            "  - {name: e, position: [3.4, 2.9, 0.6]}\n"
            "  - {name: f, position: [0.6, 2.6, 2.1]}\n",
            &r);
    double mean = 0.0;
    for (size_t i = 0; i < 6; i++) {
        rk_decay decay;
        assert_int_equal(rk_decay_analyse(r.receivers[i], r.grid.step_count, r.grid.sample_rate_hz,
                                          NULL, &decay, NULL),
                         RK_OK);
        assert_true(decay.t30.valid);
        assert_true(decay.t30.correlation < -0.98);
        mean += decay.t30.rt_s / 6.0;
    }
    double eyring = rk_absorb_eyring_s(r.grid.volume_m3, r.grid.surface_m2, r.grid.mean_absorption,
                                       r.grid.air_speed_m_s);
    print_message("T30 %.3f s, Eyring %.3f s\n", mean, eyring);
    assert_near(mean, eyring, 0.15 * eyring);
    finish(&r);
}

/* Sound goes through what carries it, slower in carbon dioxide. */
static void media_are_stable_and_slow_sound_down(void **state)
{
    (void)state;
    run r;
    compute("  duration: 60 ms\n"
            "  grid: {dx: 5 cm, courant: 1}\n"
            "  geometry:\n"
            "    size: [6, 0.2, 0.2]\n"
            "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid}\n"
            "  furniture: [{name: gas, from: [2, 0, 0], to: [4, 0.2, 0.2], material: "
            "carbon-dioxide}]\n"
            "  sources: [{name: s, position: [0.02, 0.1, 0.1], frequency: 200 Hz}]\n"
            "  receivers: [{name: a, position: [1.5, 0.1, 0.1]}, {name: b, position: [4.5, 0.1, "
            "0.1]}]\n",
            &r);
    size_t steps = r.grid.step_count;
    assert_true(peak(r.receivers[0], steps) < 1e4);
    double rate = r.grid.sample_rate_hz;
    size_t end = (size_t)(0.02 * rate);
    size_t first[2] = {0, 0};
    for (size_t k = 0; k < 2; k++) {
        double top = peak(r.receivers[k], end);
        while (first[k] < steps && fabs((double)r.receivers[k][first[k]]) < 0.5 * top) {
            first[k]++;
        }
    }
    double expected = 1.0 / r.grid.air_speed_m_s + 2.0 / 266.0;
    assert_near((double)(first[1] - first[0]) / rate, expected, 0.06 * expected);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_field_level_at_one_metre),
        cmocka_unit_test(walls_reflect_what_their_admittance_says),
        cmocka_unit_test(empty_room_beside_eyring),
        cmocka_unit_test(media_are_stable_and_slow_sound_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
