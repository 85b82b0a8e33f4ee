/*
 * Rooms: the geometry of cells and faces against sums done by hand, and every refusal.
 */
#include "near.h"
#include "room_fixture.h"

#include "job/absorb.h"

#include <stdio.h>
#include <stdlib.h>

/* room_box with one line replaced: the line that starts with key (after its indent). */
static char *changed(const char *key, const char *line)
{
    char *out = calloc(1, strlen(room_box) + strlen(line) + 3);
    assert_non_null(out);
    bool found = false;
    for (const char *at = room_box; *at;) {
        size_t length = strcspn(at, "\n") + 1;
        const char *word = at + strspn(at, " ");
        bool hit = strncmp(word, key, strlen(key)) == 0 && word[strlen(key)] == ':';
        found = found || hit;
        if (hit) {
            strcat(out, line);
            strcat(out, "\n");
        } else {
            strncat(out, at, length);
        }
        at += length;
    }
    if (!found) { /* a new key of the room */
        strcat(out, line);
        strcat(out, "\n");
    }
    return out;
}

static void refused_with(const char *key, const char *line, rk_status code, const char *part)
{
    char *text = changed(key, line);
    room_refused(text, code, part);
    free(text);
}

static double xi_of(double alpha)
{
    double xi = 0.0;
    assert_int_equal(rk_absorb_admittance(alpha, &xi, NULL), RK_OK);
    return xi;
}

static double admittance_sum(const rk_room_grid *grid)
{
    double sum = 0.0;
    for (size_t i = 0; i < grid->boundary_count; i++) {
        assert_true(i == 0 || grid->boundary_cell[i] > grid->boundary_cell[i - 1]);
        assert_true(grid->boundary_admittance[i] > 0.0f);
        assert_int_equal(grid->solid[grid->boundary_cell[i]], RK_ROOM_CELL_FLUID);
        sum += (double)grid->boundary_admittance[i];
    }
    return sum;
}

static void a_box_has_the_right_cells_and_faces(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    room_grid(room_box, &job, &grid);
    assert_int_equal(grid.nx, 22);
    assert_int_equal(grid.ny, 17);
    assert_int_equal(grid.nz, 12);
    assert_int_equal(grid.fluid_count, 20 * 15 * 10);
    assert_near(grid.volume_m3, 3.0, 1e-9);
    assert_near(grid.surface_m2, 13.0, 1e-9);
    assert_near(grid.mean_absorption, 0.3, 1e-9);
    assert_int_equal(grid.boundary_count, 20 * 15 * 10 - 18 * 13 * 8);
    assert_near(admittance_sum(&grid), 1300.0 * xi_of(0.3), 1e-2);
    /* A corner cell has three absorbing faces. */
    assert_int_equal(grid.boundary_cell[0], 1 + grid.nx * (1 + grid.ny));
    assert_near(grid.boundary_admittance[0], 3.0 * xi_of(0.3), 1e-6);
    /* The halo is solid. */
    uint64_t solid = 0;
    for (uint64_t i = 0; i < grid.cell_count; i++) {
        solid += grid.solid[i] != 0;
        uint64_t x = i % grid.nx;
        uint64_t y = i / grid.nx % grid.ny;
        uint64_t z = i / grid.nx / grid.ny;
        bool halo = !x || !y || !z || x == 21 || y == 16 || z == 11;
        assert_int_equal(grid.solid[i] != 0, halo);
    }
    assert_int_equal(solid, grid.cell_count - grid.fluid_count);
    assert_near(grid.dt_limit_s, 0.1 / 343.0 / sqrt(3.0), 1e-15);
    assert_near(grid.dt_s, 0.99 * grid.dt_limit_s, 1e-15);
    assert_int_equal(grid.step_count, (uint64_t)ceil(0.01 / grid.dt_s));
    assert_near(grid.frequency_limit_hz, 343.0 / 0.8, 1e-9);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void points_interpolate(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text = changed("receivers", "  receivers:\n"
                                      "  - {name: mid, position: [0.33, 0.77, 0.51]}\n"
                                      "  - {name: centre, position: [0.35, 0.75, 0.55]}\n"
                                      "  - {name: corner, position: [0, 0, 0]}\n"
                                      "  - {name: far, position: [2, 1.5, 1]}");
    room_grid(text, &job, &grid);
    free(text);
    for (size_t r = 0; r < 4; r++) {
        const rk_room_point *point = &grid.receivers[r];
        double sum = 0.0;
        double x = 0.0;
        for (uint32_t i = 0; i < point->count; i++) {
            assert_int_equal(grid.solid[point->cell[i]], 0);
            sum += (double)point->weight[i];
            x += (double)point->weight[i] * ((double)(point->cell[i] % grid.nx) - 0.5) * grid.dx_m;
        }
        assert_near(sum, 1.0, 1e-6);
        assert_near(x, r == 0 ? 0.33 : r == 1 ? 0.35 : r == 2 ? 0.05 : 1.95, 1e-6);
    }
    assert_int_equal(grid.receivers[0].count, 8);
    assert_int_equal(grid.receivers[1].count, 1);
    assert_int_equal(grid.receivers[2].count, 1);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void furniture_takes_and_gives_faces(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text =
        changed("furniture",
                "  furniture:\n"
                "  - {name: block, from: [0.8, 0.6, 0.3], to: [1.2, 0.9, 0.5], material: rigid}\n"
                "  - {name: sheet, from: [0.2, 0.2, 0.81], to: [0.5, 0.4, 0.82], material: wood}");
    room_grid(text, &job, &grid);
    free(text);
    /* 4 x 3 x 2 cells, and one layer of 3 x 2 for what is thinner than a cell. */
    assert_int_equal(grid.fluid_count, 3000 - 24 - 6);
    assert_near(grid.surface_m2, 13.0 + 0.52 + 0.22, 1e-9);
    double wood = 0.22;
    assert_near(grid.mean_absorption, (13.0 * 0.3 + wood * 0.1) / 13.74, 1e-9);
    assert_near(admittance_sum(&grid), 1300.0 * xi_of(0.3) + 22.0 * xi_of(0.1), 1e-2);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void furniture_at_a_wall_leaves_no_gap(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    /* 1.5 m are 12.5 cells: the room takes the half one, and so must what stands at its end. */
    char *text = changed("furniture", "  furniture:\n  - {name: shelf, from: [0.6, 1.2, 0], to: "
                                      "[1.2, 1.5, 1], material: books}");
    memcpy(strstr(text, "10 cm"), "12 cm", 5);
    room_grid(text, &job, &grid);
    free(text);
    assert_int_equal(grid.ny, 13 + 2);
    for (uint64_t k = 1; k + 1 < grid.nz; k++) {
        for (uint64_t i = 1; i + 1 < grid.nx; i++) {
            uint64_t cell = (k * grid.ny + 13) * grid.nx + i;
            bool shelf = i >= 6 && i <= 10;
            assert_int_equal(grid.solid[cell], shelf ? RK_ROOM_CELL_FURNITURE : 0);
        }
    }
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void a_cylinder_has_its_true_surface(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text = changed("furniture", "  furniture:\n  - {name: drum, shape: cylinder, center: [1, "
                                      "0.75, 0.2], radius: 0.5, height: 0.5, material: rigid}");
    char *fine = text;
    char *dx = strstr(fine, "10 cm");
    memcpy(dx, " 2 cm", 5);
    room_grid(text, &job, &grid);
    free(text);
    /* The staircase has a surface of 4/pi of this; the weights bring it back. */
    double expected = 13.0 + 2.0 * M_PI * 0.25 + 2.0 * M_PI * 0.5 * 0.5;
    assert_near(grid.surface_m2, expected, 0.02 * (expected - 13.0));
    assert_near(grid.volume_m3, 3.0 - M_PI * 0.25 * 0.5, 0.01);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void a_slanted_room_has_its_true_surface(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    /* A square of side 2 turned by 30 degrees. */
    char geometry[512];
    double c = cos(M_PI / 6.0) * 2.0;
    double s = sin(M_PI / 6.0) * 2.0;
    snprintf(geometry, sizeof(geometry),
             "    shape: polygon\n    corners: [[0, 0], [%.9f, %.9f], [%.9f, %.9f], [%.9f, %.9f]]\n"
             "    height: 1",
             c, s, c - s, s + c, -s, c);
    char *text = changed("size", geometry);
    memcpy(strstr(text, "10 cm"), " 2 cm", 5);
    char *source = strstr(text, "[0.5, 0.5, 0.5]");
    memcpy(source, "[0.3, 1.5, 0.5]", 15);
    char *receiver = strstr(text, "[1.5, 1, 0.5]");
    memcpy(receiver, "[0.8, 1, 0.5]", 13);
    room_grid(text, &job, &grid);
    free(text);
    assert_near(grid.volume_m3, 4.0, 0.02);
    assert_near(grid.surface_m2, 2.0 * 4.0 + 4.0 * 2.0, 0.1);
    assert_near(grid.mean_absorption, 0.3, 1e-6);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void polygon_walls_have_their_own_materials(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    /* An L: 2 x 1.5 without the north-east quarter of 1 x 0.5; one wall of wood. */
    const char *text = "  duration: 10 ms\n"
                       "  grid: {dx: 10 cm}\n"
                       "  geometry:\n"
                       "    shape: polygon\n"
                       "    corners: [[0, 0], [2, 0], [2, 1], [1, 1], [1, 1.5], [0, 1.5]]\n"
                       "    height: 1 m\n"
                       "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid, wall3: wood}\n"
                       "  sources: [{name: s, position: [0.5, 0.5, 0.5]}]\n";
    room_grid(text, &job, &grid);
    assert_int_equal(grid.fluid_count, 2500);
    assert_near(grid.surface_m2, 2.0 * 2.5 + 7.0, 1e-9);
    assert_near(grid.mean_absorption * grid.surface_m2, 1.0 * 0.1, 1e-9);
    assert_int_equal(grid.boundary_count, 100);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
    /* The same walls listed the other way round. */
    const char *other = "  duration: 10 ms\n"
                        "  grid: {dx: 10 cm}\n"
                        "  geometry:\n"
                        "    shape: polygon\n"
                        "    corners: [[0, 1.5], [1, 1.5], [1, 1], [2, 1], [2, 0], [0, 0]]\n"
                        "    height: 1 m\n"
                        "    surfaces: {floor: rigid, ceiling: rigid, walls: rigid, wall3: wood}\n"
                        "  sources: [{name: s, position: [0.5, 0.5, 0.5]}]\n";
    room_grid(other, &job, &grid);
    assert_int_equal(grid.fluid_count, 2500);
    assert_near(grid.mean_absorption * grid.surface_m2, 1.0 * 0.1, 1e-9);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static size_t count_cells(const rk_room_grid *grid, rk_room_cell kind)
{
    size_t count = 0;
    for (uint64_t i = 0; i < grid->cell_count; i++) {
        count += grid->solid[i] == kind;
    }
    return count;
}

static void openings_let_sound_out(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text =
        changed("openings", "  openings:\n"
                            "  - {name: a, wall: east, from: [0.2, 0.3], to: [0.6, 0.8]}\n"
                            "  - {name: b, wall: south, from: [0.5, 0], to: [1, 0.4], state: "
                            "closed, material: glass}");
    room_grid(text, &job, &grid);
    free(text);
    double open = rk_absorb_alpha(1.0);
    assert_int_equal(count_cells(&grid, RK_ROOM_CELL_OPENING), 20);
    assert_near(grid.surface_m2, 13.0, 1e-9);
    assert_near(grid.mean_absorption * 13.0, 12.6 * 0.3 + 0.2 * open + 0.2 * 0.04, 1e-9);
    assert_near(admittance_sum(&grid), 1260.0 * xi_of(0.3) + 20.0 + 20.0 * xi_of(0.04), 1e-2);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void deep_openings_are_niches(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text = changed(
        "openings", "  openings:\n"
                    "  - {name: a, wall: west, from: [0.2, 0.3], to: [0.6, 0.8], depth: 32 cm}");
    room_grid(text, &job, &grid);
    free(text);
    /* Three cells deep: 4 x 5 x 3 more. */
    assert_int_equal(grid.nx, 22 + 3);
    assert_near(grid.origin.x, -0.3, 1e-12);
    assert_int_equal(grid.fluid_count, 3000 + 60);
    assert_int_equal(count_cells(&grid, RK_ROOM_CELL_OPENING), 20);
    double reveal = 2.0 * 0.3 * (0.4 + 0.5);
    assert_near(grid.surface_m2, 13.0 + reveal, 1e-9);
    assert_near(admittance_sum(&grid), (1300.0 - 20.0 + 100.0 * reveal) * xi_of(0.3) + 20.0, 1e-2);
    /* The source is where it was, seen from the room. */
    const rk_room_point *source = &grid.sources[0];
    double x = 0.0;
    for (uint32_t i = 0; i < source->count; i++) {
        double cell = (double)(source->cell[i] % grid.nx) - 0.5;
        x += (double)source->weight[i] * (cell * grid.dx_m + grid.origin.x);
    }
    assert_near(x, 0.5, 1e-6);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void media_shorten_the_time_step(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text = changed("furniture", "  furniture:\n  - {name: gas, from: [0.8, 0.6, 0.3], to: "
                                      "[1.2, 0.9, 0.5], material: helium}");
    room_grid(text, &job, &grid);
    free(text);
    assert_int_equal(grid.fluid_count, 3000);
    uint64_t cell = 9 + grid.nx * (7 + (uint64_t)grid.ny * 4);
    assert_near(grid.sound_speed[cell], 1007.0, 1e-3);
    assert_near(grid.density[cell], 0.166, 1e-6);
    /* The inner cells of helium bound the step: none has a heavier share of air around it. */
    assert_true(grid.dt_limit_s <= 0.1 / 1007.0 / sqrt(3.0) * 1.8);
    assert_true(grid.dt_limit_s < 0.1 / 343.0 / sqrt(3.0));
    /* Gershgorin's bound holds in every cell. */
    uint64_t stride[3] = {1, grid.nx, (uint64_t)grid.nx * grid.ny};
    for (uint64_t i = stride[2]; i < grid.cell_count - stride[2]; i++) {
        double sum = 0.0;
        for (int k = 0; k < 6 && !grid.solid[i]; k++) {
            uint64_t other = k & 1 ? i + stride[k / 2] : i - stride[k / 2];
            if (!grid.solid[other]) {
                sum += sqrt((double)grid.density[i] / (double)grid.density[other]);
            }
        }
        double ratio = (double)grid.sound_speed[i] * grid.dt_limit_s / grid.dx_m;
        assert_true(ratio * ratio * sum <= 2.0 + 1e-9);
    }
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void slices_find_their_cells(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text =
        changed("slices", "  slices:\n"
                          "  - {name: a, axis: z, position: 0.5, times: [0, 1 ms, 10 ms]}\n"
                          "  - {name: b, axis: x, position: 2 m, times: [5 ms]}\n"
                          "  - {name: c, axis: y, position: 0.05, times: []}");
    room_grid(text, &job, &grid);
    free(text);
    assert_int_equal(grid.planes[0].index, 6);
    assert_int_equal(grid.planes[0].step_count, 3);
    assert_int_equal(grid.planes[0].steps[0], 0);
    assert_int_equal(grid.planes[0].steps[1], (uint64_t)round(1e-3 / grid.dt_s));
    assert_true(grid.planes[0].steps[2] <= grid.step_count);
    assert_int_equal(grid.planes[1].index, 20);
    assert_int_equal(grid.planes[2].index, 1);
    assert_int_equal(grid.planes[2].step_count, 0);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void grid_by_frequency(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    char *text =
        changed("grid", "  grid: {frequency: 343 Hz, points_per_wavelength: 10, courant: 1}");
    room_grid(text, &job, &grid);
    free(text);
    assert_near(grid.dx_m, 0.1, 1e-12);
    assert_near(grid.dt_s, grid.dt_limit_s, 1e-18);
    rk_room_grid_finish(&grid);
    rk_job_finish(&job);
}

static void bad_grids_are_refused(void **state)
{
    (void)state;
    refused_with("grid", "  grid: {}", RK_INVALID, "either dx or frequency");
    refused_with("grid", "  grid: {dx: 1 cm, frequency: 1 kHz}", RK_INVALID, "not both");
    refused_with("grid", "  grid: {dx: 5 kg}", RK_INVALID, "t.yaml:4:14: room.grid.dx: '5 kg'");
    refused_with("grid", "  grid: {dx: 10 cm, dt: 1 ms}", RK_INVALID, "1 / sqrt(3)");
    refused_with("grid", "  grid: {dx: 10 cm, dt: 1 ms}", RK_INVALID, "unstable");
    refused_with("grid", "  grid: {dx: 10 cm, dt: -1 ms}", RK_INVALID, "unstable");
    refused_with("grid", "  grid: {dx: 10 cm, courant: 1.1}", RK_INVALID, "room.grid.courant");
    refused_with("grid", "  grid: {dx: 1 mm, memory: 100 MiB}", RK_LIMIT, "grid.memory");
    refused_with("grid", "  grid: {dx: 10 um}", RK_INVALID, "no unit 'um'");
    refused_with("grid", "  grid: {dx: 0.000002}", RK_LIMIT, "too small");
    refused_with("duration", "  duration: 0", RK_INVALID, "room.duration");
    refused_with("duration", "  duration: 200000", RK_LIMIT, "10^9");
}

static void bad_geometry_is_refused(void **state)
{
    (void)state;
    refused_with("size", "    size: [2, 1.5]", RK_SYNTAX, "three numbers");
    refused_with("size", "    shape: box", RK_INVALID, "length and width");
    refused_with("size", "    shape: polygon\n    height: 1", RK_INVALID, "3 to 256 corners");
    refused_with("size",
                 "    shape: polygon\n    height: 1\n    corners: [[0,0],[1,1],[1,0],[0,1]]",
                 RK_INVALID, "cross");
    refused_with("size",
                 "    shape: polygon\n    height: 1\n    corners: [[0,0],[1,0],[1,0],[0,1]]",
                 RK_INVALID, "no length");
    refused_with("size", "    shape: polygon\n    corners: [[0,0],[1,0],[0,1]]", RK_INVALID,
                 "height");
    refused_with("surfaces", "    surfaces: {floor: even, walls: even}", RK_INVALID, "'ceiling'");
    refused_with("surfaces", "    surfaces: {floor: even, ceiling: even, north: even}", RK_INVALID,
                 "'south'");
    refused_with("surfaces", "    surfaces: {floor: evn, ceiling: even, walls: even}", RK_NOT_FOUND,
                 "did you mean 'even'?");
    refused_with("surfaces", "    surfaces: {flor: even, ceiling: even, walls: even}", RK_NOT_FOUND,
                 "did you mean 'floor'?");
    refused_with("surfaces", "    surfaces: {floor: helium, ceiling: even, walls: even}",
                 RK_INVALID, "carries sound");
    refused_with("materials", "  materials: {even: {absorption: 0.97}}", RK_INVALID, "0.951");
    refused_with("materials", "  materials: {even: {absorption: 0.3, density: 2}}", RK_INVALID,
                 "either an absorption");
    refused_with("materials", "  materials: {even: {sound_speed: 300}}", RK_INVALID,
                 "both a sound_speed");
}

static void bad_items_are_refused(void **state)
{
    (void)state;
    refused_with("furniture",
                 "  furniture: [{name: f, from: [1, 1, 0], to: [2.1, 1.2, 1], material: wood}]",
                 RK_INVALID, "furniture 'f' reaches outside");
    refused_with("furniture",
                 "  furniture: [{name: f, from: [1, 1, 0], to: [1, 1.2, 1], material: wood}]",
                 RK_INVALID, "'from' less than 'to'");
    refused_with("furniture", "  furniture: [{name: f, to: [1, 1.2, 1], material: wood}]",
                 RK_INVALID, "needs 'from' and 'to'");
    refused_with("furniture",
                 "  furniture: [{name: f, shape: cylinder, center: [1, 1, 0], radius: 0.6, height: "
                 "0.5, material: wood}]",
                 RK_INVALID, "outside the room");
    refused_with("furniture", "  furniture: [{name: f, shape: cylinder, material: wood}]",
                 RK_INVALID, "cylinder needs");
    refused_with("furniture",
                 "  furniture: [{name: f, from: [1, 1, 0], to: [1.4, 1.2, 1], material: wod}]",
                 RK_NOT_FOUND, "did you mean 'wood'?");
    refused_with("furniture",
                 "  furniture:\n  - {name: f, from: [1, 1, 0], to: [1.4, 1.2, 1], material: wood}\n"
                 "  - {name: f, from: [1, 1, 0], to: [1.4, 1.2, 1], material: wood}",
                 RK_EXISTS, "taken by the entry in line 13");
    refused_with("furniture",
                 "  furniture: [{name: f, from: [0, 0, 0], to: [2, 1.5, 1], material: wood}]",
                 RK_INVALID, "no air left");
    refused_with("sources", "  sources: []", RK_INVALID, "stays silent");
    refused_with("sources", "  sources: [{name: s, position: [3, 0.5, 0.5]}]", RK_INVALID,
                 "outside the room");
    refused_with(
        "furniture",
        "  furniture: [{name: box, from: [0.3, 0.3, 0], to: [0.7, 0.7, 1], material: wood}]",
        RK_INVALID, "source 's' at (0.5, 0.5, 0.5) m is inside the furniture 'box'");
    refused_with("receivers", "  receivers: [{name: r, position: [1, 1, -0.2]}]", RK_INVALID,
                 "receiver 'r'");
    refused_with(
        "receivers",
        "  receivers: [{name: r, position: [1, 1, 0.2]}, {name: r, position: [1, 1, 0.4]}]",
        RK_EXISTS, "'r'");
    refused_with("slices", "  slices: [{name: a, position: 1.2, times: [0]}]", RK_INVALID,
                 "from 0 to 1 m");
    refused_with("slices", "  slices: [{name: a, position: 0.5, times: [2 ms, 1 ms]}]", RK_INVALID,
                 "must rise");
    refused_with("slices", "  slices: [{name: a, position: 0.5, times: [1]}]", RK_INVALID,
                 "duration");
    refused_with("openings", "  openings: [{name: o, wall: est, from: [0, 0], to: [1, 1]}]",
                 RK_NOT_FOUND, "did you mean 'east'?");
    refused_with("openings", "  openings: [{name: o, wall: east, from: [0, 0], to: [2, 1]}]",
                 RK_INVALID, "1.5 m long");
    refused_with("openings", "  openings: [{name: o, wall: east, from: [1, 0], to: [1, 1]}]",
                 RK_INVALID, "less than");
    refused_with("openings",
                 "  openings: [{name: o, wall: east, from: [0, 0], to: [1, 1], state: closed}]",
                 RK_INVALID, "needs a material");
}

/* Descriptions made by a program may hold anything. */
static void specs_without_a_file_are_checked_too(void **state)
{
    (void)state;
    rk_job job;
    rk_room_grid grid;
    rk_err err = RK_ERR_INIT;
    room_job(room_box, &job);
    job.room->geometry.size.x = NAN;
    assert_int_equal(rk_room_build(job.room, &grid, &err), RK_INVALID);
    assert_int_equal(rk_room_build(job.room, &grid, NULL), RK_INVALID);
    job.room->geometry.size.x = 1e300;
    assert_int_equal(rk_room_build(job.room, &grid, &err), RK_INVALID);
    job.room->geometry.size.x = 2.0;
    job.room->receivers[0].position.z = NAN;
    assert_int_equal(rk_room_build(job.room, &grid, &err), RK_INVALID);
    job.room->receivers[0].position.z = 0.5;
    job.room->grid.dx_m = INFINITY;
    assert_int_equal(rk_room_build(job.room, &grid, &err), RK_INVALID);
    job.room->grid.dx_m = 0.1;
    job.room->file = NULL;
    job.room->duration_s = -1.0;
    assert_int_equal(rk_room_build(job.room, &grid, &err), RK_INVALID);
    assert_null(strstr(err.text, "t.yaml"));
    rk_job_finish(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_box_has_the_right_cells_and_faces),
        cmocka_unit_test(points_interpolate),
        cmocka_unit_test(furniture_takes_and_gives_faces),
        cmocka_unit_test(furniture_at_a_wall_leaves_no_gap),
        cmocka_unit_test(a_cylinder_has_its_true_surface),
        cmocka_unit_test(a_slanted_room_has_its_true_surface),
        cmocka_unit_test(polygon_walls_have_their_own_materials),
        cmocka_unit_test(openings_let_sound_out),
        cmocka_unit_test(deep_openings_are_niches),
        cmocka_unit_test(media_shorten_the_time_step),
        cmocka_unit_test(slices_find_their_cells),
        cmocka_unit_test(grid_by_frequency),
        cmocka_unit_test(bad_grids_are_refused),
        cmocka_unit_test(bad_geometry_is_refused),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(specs_without_a_file_are_checked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
