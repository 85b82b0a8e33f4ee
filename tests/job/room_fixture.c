/*
 * room_fixture.c: rooms for tests.
 */
#include "room_fixture.h"

#include "near.h"

#include <stdio.h>
#include <stdlib.h>

const char room_box[] = "  duration: 10 ms\n"
                        "  grid: {dx: 10 cm}\n"
                        "  air: {sound_speed: 343 m/s, density: 1.2 kg/m3}\n"
                        "  geometry:\n"
                        "    size: [2, 1.5, 1]\n"
                        "    surfaces: {floor: even, ceiling: even, walls: even}\n"
                        "  materials: {even: {absorption: 0.3}}\n"
                        "  sources: [{name: s, position: [0.5, 0.5, 0.5]}]\n"
                        "  receivers: [{name: r, position: [1.5, 1, 0.5]}]\n";

static rk_status parse(const char *text, rk_job *out_job, rk_err *err)
{
    size_t size = strlen(text) + 32;
    char *whole = malloc(size);
    assert_non_null(whole);
    snprintf(whole, size, "job: t\nroom:\n%s", text);
    rk_status status = rk_job_parse(whole, strlen(whole), "t.yaml", ".", out_job, err);
    free(whole);
    return status;
}

void room_job(const char *text, rk_job *out_job)
{
    rk_err err = RK_ERR_INIT;
    if (parse(text, out_job, &err) != RK_OK) {
        print_error("%s\n", err.text);
        fail();
    }
}

void room_grid(const char *text, rk_job *out_job, rk_room_grid *out_grid)
{
    rk_err err = RK_ERR_INIT;
    room_job(text, out_job);
    if (rk_room_build(out_job->room, out_grid, &err) != RK_OK) {
        print_error("%s\n", err.text);
        fail();
    }
}

void room_refused(const char *text, rk_status code, const char *part)
{
    rk_job job;
    rk_err err = RK_ERR_INIT;
    rk_status status = parse(text, &job, &err);
    if (status == RK_OK) {
        rk_room_grid grid = {0};
        status = rk_room_build(job.room, &grid, &err);
        rk_room_grid_finish(&grid);
        rk_job_finish(&job);
    }
    if (status != code) {
        print_error("status %d: %s\n", status, err.text);
    }
    assert_int_equal(status, code);
    assert_contains(err.text, "t.yaml");
    assert_contains(err.text, part);
}
