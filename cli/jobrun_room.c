/*
 * jobrun_room.c: a room as a wave3d kernel: its fields, pictures of its pressure, and what its
 * receivers heard.
 */
#include "cli/jobrun.h"

#include "base/compiler.h"

#include "cli/modules.h"
#include "job/room_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PARAM_TEXT_BYTES 40
#define POINT_CELLS 8u

static rk_status no_memory(rk_err *err)
{
    return rk_err_set(err, RK_NO_MEMORY, "no memory for the room; use a larger grid.dx");
}

/* ---- Layout --------------------------------------------------------------------------------- */

static rk_status create_room_kernel(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_room_grid *grid = &run->grid;
    const struct {
        const char *name;
        double value;
    } values[] = {
        {"nx", grid->nx},
        {"ny", grid->ny},
        {"nz", grid->nz},
        {"dx", grid->dx_m},
        {"dt", grid->dt_s},
        {"medium_sound_speed", grid->air_speed_m_s},
        {"medium_density", grid->air_density_kg_m3},
        {"n_sources", (double)grid->source_count},
        {"n_receivers", (double)grid->receiver_count},
        {"n_samples", (double)grid->step_count},
        {"n_boundary", (double)grid->boundary_count},
    };
    enum { COUNT = sizeof values / sizeof values[0] };
    char texts[COUNT][PARAM_TEXT_BYTES];
    rk_param_value params[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%.17g", values[i].value);
        params[i] = (rk_param_value){values[i].name, texts[i]};
    }
    const rk_launch launch = {.params = params, .param_count = COUNT};
    return rk_jobrun_create_kernel(run, part, &launch, err);
}

/* Cells and weights of points, POINT_CELLS for each. */
static rk_status write_points(rk_kernel *kernel, const char *cell_field, const char *weight_field,
                              const rk_room_point *points, size_t count, rk_err *err)
{
    size_t total = count * POINT_CELLS;
    uint32_t *cells = calloc(total + 1, sizeof *cells);
    float *weights = calloc(total + 1, sizeof *weights);
    rk_status status = cells != NULL && weights != NULL ? RK_OK : no_memory(err);
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        for (size_t j = 0; j < points[i].count; j++) {
            cells[i * POINT_CELLS + j] = (uint32_t)points[i].cell[j];
            weights[i * POINT_CELLS + j] = points[i].weight[j];
        }
    }
    if (status == RK_OK && count > 0) {
        status = rk_kernel_write_field(kernel, cell_field, 0, total, cells, err);
    }
    if (status == RK_OK && count > 0) {
        status = rk_kernel_write_field(kernel, weight_field, 0, total, weights, err);
    }
    free(cells);
    free(weights);
    return status;
}

static rk_status write_boundary(const rk_room_grid *grid, rk_kernel *kernel, rk_err *err)
{
    size_t count = grid->boundary_count;
    if (count == 0) {
        return RK_OK;
    }
    uint32_t *cells = malloc(count * sizeof *cells);
    if (cells == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        cells[i] = (uint32_t)grid->boundary_cell[i];
    }
    rk_status status = rk_kernel_write_field(kernel, "boundary_cell", 0, count, cells, err);
    free(cells);
    return status == RK_OK ? rk_kernel_write_field(kernel, "boundary_admittance", 0, count,
                                                   grid->boundary_admittance, err)
                           : status;
}

static rk_status write_sources(rk_jobrun *run, rk_kernel *kernel, rk_err *err)
{
    const rk_room_grid *grid = &run->grid;
    const rk_room_spec *spec = run->job->room;
    float *samples = malloc((grid->step_count + 1) * sizeof *samples);
    rk_status status = samples != NULL ? RK_OK : no_memory(err);
    run->source_start_s = INFINITY;
    for (size_t i = 0; i < grid->source_count && status == RK_OK; i++) {
        double end_s;
        status = rk_room_source_samples(spec, grid, i, samples, &end_s, err);
        if (status == RK_OK) {
            run->source_end_s = fmax(run->source_end_s, end_s);
            run->source_start_s = fmin(run->source_start_s, spec->sources[i].start_s);
            status = rk_kernel_write_field(kernel, "source_signal", i * grid->step_count,
                                           grid->step_count, samples, err);
        }
    }
    if (!isfinite(run->source_start_s)) {
        run->source_start_s = 0.0;
    }
    free(samples);
    return status;
}

static rk_status fill_room(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_room_grid *grid = &run->grid;
    rk_kernel *kernel = part->kernel;
    rk_status status =
        rk_kernel_write_field(kernel, "sound_speed", 0, grid->cell_count, grid->sound_speed, err);
    if (status == RK_OK) {
        status = rk_kernel_write_field(kernel, "density", 0, grid->cell_count, grid->density, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_write_field(kernel, "solid", 0, grid->cell_count, grid->solid, err);
    }
    if (status == RK_OK) {
        status = write_boundary(grid, kernel, err);
    }
    if (status == RK_OK) {
        status = write_points(kernel, "source_cell", "source_weight", grid->sources,
                              grid->source_count, err);
    }
    if (status == RK_OK) {
        status = write_points(kernel, "receiver_cell", "receiver_weight", grid->receivers,
                              grid->receiver_count, err);
    }
    return status == RK_OK ? write_sources(run, kernel, err) : status;
}

rk_status rk_jobrun_add_room(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_room_spec *spec = run->job->room;
    rk_status status = rk_room_build(spec, &run->grid, err);
    if (status != RK_OK) {
        return status;
    }
    run->has_room = true;
    const rk_room_grid *grid = &run->grid;
    if (grid->cell_count > UINT32_MAX) {
        return rk_err_set(err, RK_LIMIT,
                          "%s:%u:%u: the grid has %" PRIu64 " cells, but wave3d takes fewer than "
                          "2^32; use a larger dx",
                          spec->file, spec->grid.mark.line, spec->grid.mark.column,
                          grid->cell_count);
    }
    rk_report_set_room(&run->report, spec, grid);
    part->steps = grid->step_count;
    status = rk_cli_open_module("wave3d", NULL, &part->module, err);
    if (status == RK_OK) {
        status = create_room_kernel(run, part, err);
    }
    part->cells = grid->cell_count;
    return status == RK_OK ? fill_room(run, part, err) : status;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

/* The pressure of a plane, row by row; a row lies in one piece unless the plane is across x. */
static rk_status gather(rk_part *part, const rk_room_plane *plane, const char *field,
                        uint32_t width, uint32_t height, float *out, rk_err *err)
{
    const rk_room_grid *grid = &part->run->grid;
    bool pieces = plane->axis != RK_ROOM_X;
    for (uint32_t j = 0; j < height; j++) {
        for (uint32_t i = 0; i < width; i += pieces ? width : 1) {
            rk_status status =
                rk_jobrun_read_field(part, field, rk_room_plane_cell(grid, plane, i, j),
                                     pieces ? width : 1, out + (size_t)j * width + i, err);
            if (status != RK_OK) {
                return status;
            }
        }
    }
    return RK_OK;
}

rk_status rk_jobrun_write_slice(rk_jobrun *run, rk_part *part, size_t index, rk_err *err)
{
    const rk_room_plane *plane = &run->grid.planes[index];
    uint32_t width, height;
    rk_room_plane_size(&run->grid, plane, &width, &height);
    float *pressure = malloc((size_t)width * height * sizeof *pressure);
    if (pressure == NULL) {
        return no_memory(err);
    }
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    const char *field = now.step % 2 == 0 ? "pressure_even" : "pressure_odd";
    rk_status status = gather(part, plane, field, width, height, pressure, err);
    if (status == RK_OK) {
        rk_mutex_lock(&run->files);
        status = rk_room_write_plane(run->job->room, &run->grid, index, now.step, pressure,
                                     run->options.folder, &run->report, err);
        rk_mutex_unlock(&run->files);
    }
    free(pressure);
    return status;
}

/* ---- Results -------------------------------------------------------------------------------- */

rk_status rk_jobrun_write_room(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_room_grid *grid = &run->grid;
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    uint64_t steps = RK_MIN(now.step, grid->step_count);
    if (steps == 0 || grid->receiver_count == 0) {
        return RK_OK;
    }
    float *log = malloc(grid->receiver_count * steps * sizeof *log);
    const float **traces = calloc(grid->receiver_count, sizeof *traces);
    rk_status status = log != NULL && traces != NULL ? RK_OK : no_memory(err);
    for (size_t i = 0; i < grid->receiver_count && status == RK_OK; i++) {
        traces[i] = log + i * steps;
        status = rk_kernel_read_field(part->kernel, "receiver_log", i * grid->step_count, steps,
                                      log + i * steps, err);
    }
    if (status == RK_OK) {
        rk_mutex_lock(&run->files);
        status = rk_room_write_receivers(run->job->room, grid, traces, steps, run->source_start_s,
                                         run->source_end_s, run->options.folder, &run->report, err);
        rk_mutex_unlock(&run->files);
    }
    free(traces);
    free(log);
    return status;
}
