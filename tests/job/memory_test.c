/*
 * Every allocation fails once: no crash, no leak, a status, and a sentence where there is one.
 */
#include "near.h"
#include "room_fixture.h"

#include "base/test_folder.h"
#include "base/test_memory.h"
#include "job/room_output.h"
#include "job/wav.h"

#include <stdio.h>
#include <stdlib.h>

static const char text[] =
    "job: t\n"
    "room:\n"
    "  duration: 20 ms\n"
    "  grid: {dx: 20 cm}\n"
    "  geometry: {size: [2, 1.6, 1], surfaces: {floor: a, ceiling: a, walls: wood}}\n"
    "  materials: {a: {absorption: 0.3}}\n"
    "  openings: [{name: o, wall: east, from: [0.2, 0.2], to: [0.6, 0.6], depth: 0.4}]\n"
    "  furniture: [{name: f, from: [1, 1, 0], to: [1.4, 1.4, 0.4], material: wood}]\n"
    "  sources: [{name: s, position: [0.5, 0.5, 0.5], signal: clap}]\n"
    "  receivers: [{name: r, position: [1.5, 0.5, 0.5]}]\n"
    "  slices: [{name: z, position: 0.5, times: [1 ms]}]\n";

static rk_status read_and_build(rk_err *err)
{
    rk_job job;
    rk_status status = rk_job_parse(text, strlen(text), "t.yaml", ".", &job, err);
    if (status != RK_OK) {
        return status;
    }
    rk_room_grid grid;
    status = rk_room_build(job.room, &grid, err);
    if (status == RK_OK) {
        rk_room_grid_finish(&grid);
    }
    rk_job_finish(&job);
    return status;
}

static void reading_and_building(void **state)
{
    (void)state;
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        rk_err err = RK_ERR_INIT;
        rk_test_memory_fail(n);
        rk_status status = read_and_build(&err);
        bool struck = rk_test_memory_struck();
        rk_test_memory_fail(0);
        if (!struck) {
            assert_int_equal(status, RK_OK);
            break;
        }
        assert_int_equal(status, RK_NO_MEMORY);
        assert_contains(err.text, "no memory");
        failures++;
    }
    assert_true(failures > 10);
}

static void writing_results(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    rk_job job;
    rk_room_grid grid;
    const char *room = strstr(text, "  duration");
    room_grid(room, &job, &grid);
    float *samples = malloc(grid.step_count * sizeof(*samples));
    float *field = calloc(grid.cell_count, sizeof(*field));
    assert_true(samples && field);
    double end_s = 0.0;
    assert_int_equal(rk_room_source_samples(job.room, &grid, 0, samples, &end_s, NULL), RK_OK);
    const float *traces[1] = {samples};
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        rk_err err = RK_ERR_INIT;
        rk_report report;
        rk_test_memory_fail(n);
        rk_status status = rk_report_init(&report, "t", "cpu", "wave3d");
        if (status == RK_OK) {
            rk_report_set_room(&report, job.room, &grid);
            status = rk_room_write_slice(job.room, &grid, 0, 5, field, folder, &report, &err);
        }
        if (status == RK_OK) {
            status = rk_room_write_receivers(job.room, &grid, traces, grid.step_count, 0.0, end_s,
                                             folder, &report, &err);
        }
        if (status == RK_OK) {
            status = rk_report_write(&report, folder, &err);
        }
        bool struck = rk_test_memory_struck();
        rk_test_memory_fail(0);
        rk_report_finish(&report);
        if (!struck) {
            assert_int_equal(status, RK_OK);
            break;
        }
        /* Optional parts, such as the colour range, may do without. */
        assert_true(status == RK_OK || status == RK_NO_MEMORY);
        failures += status != RK_OK;
    }
    assert_true(failures > 20);
    free(samples);
    free(field);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
    rk_test_folder_remove(folder);
}

static void decoding_sound(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/a.wav", folder);
    const float samples[4] = {0.0f, 0.5f, -0.5f, 0.25f};
    assert_int_equal(rk_wav_write(path, samples, 4, 1, 8000, RK_WAV_FLOAT32, NULL), RK_OK);
    for (uint64_t n = 1;; n++) {
        rk_wav wav = {0};
        rk_test_memory_fail(n);
        rk_status status = rk_wav_read(path, &wav, NULL);
        bool struck = rk_test_memory_struck();
        rk_test_memory_fail(0);
        assert_int_equal(status, struck ? RK_NO_MEMORY : RK_OK);
        rk_wav_finish(&wav);
        if (!struck) {
            break;
        }
    }
    rk_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_and_building),
        cmocka_unit_test(writing_results),
        cmocka_unit_test(decoding_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
