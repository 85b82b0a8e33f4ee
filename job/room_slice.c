/*
 * room_slice.c: pictures of planes through the grid.
 */
#include "job/picture.h"
#include "job/room_output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The two axes of the picture for a plane across each axis. */
static const int u_axis[3] = {1, 0, 0};
static const int v_axis[3] = {2, 2, 1};

void rk_room_plane_size(const rk_room_grid *grid, const rk_room_plane *plane, uint32_t *out_width,
                        uint32_t *out_height)
{
    const uint32_t n[3] = {grid->nx, grid->ny, grid->nz};
    *out_width = n[u_axis[plane->axis]] - 2;
    *out_height = n[v_axis[plane->axis]] - 2;
}

uint64_t rk_room_plane_cell(const rk_room_grid *grid, const rk_room_plane *plane, uint32_t i,
                            uint32_t j)
{
    const uint64_t stride[3] = {1, grid->nx, (uint64_t)grid->nx * grid->ny};
    return plane->index * stride[plane->axis] + (i + 1) * stride[u_axis[plane->axis]] +
           (j + 1) * stride[v_axis[plane->axis]];
}

/* A plane with one cell of halo on each side, so that walls and openings are seen. */
typedef struct plane_work {
    uint32_t width, height;
    float *values;
    uint8_t *cells;
    double largest; /* of the magnitudes of the values, the few largest left out */
} plane_work;

static double value_of(const rk_room_grid *grid, const rk_room_slice *slice, uint64_t cell,
                       double pressure)
{
    if (slice->quantity == RK_ROOM_LEVEL) {
        return 20.0 * log10(fmax(fabs(pressure), 20e-6) / 20e-6);
    }
    if (slice->quantity == RK_ROOM_ENERGY) {
        double c = (double)grid->sound_speed[cell];
        return pressure * pressure / (2.0 * (double)grid->density[cell] * c * c);
    }
    return pressure;
}

static uint8_t cell_kind(const rk_room_grid *grid, uint64_t cell)
{
    if (grid->solid[cell] != RK_ROOM_CELL_FLUID) {
        return grid->solid[cell];
    }
    bool air = grid->sound_speed[cell] == (float)grid->air_speed_m_s &&
               grid->density[cell] == (float)grid->air_density_kg_m3;
    return air ? RK_PICTURE_FLUID : RK_PICTURE_MEDIUM;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

/*
 * The magnitude that 1 % of the cells exceed: the near field of a source should not darken the
 * rest.
 */
static double robust_peak(const float *values, size_t count)
{
    float *sorted = malloc((count + 1) * sizeof(*sorted));
    if (!sorted) {
        return 0.0;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = fabsf(values[i]);
    }
    qsort(sorted, count, sizeof(*sorted), compare_floats);
    double peak = count ? (double)sorted[count - 1 - count / 100] : 0.0;
    free(sorted);
    return peak;
}

static rk_status gather(const rk_room_grid *grid, const rk_room_plane *plane,
                        const rk_room_slice *slice, const float *pressure, plane_work *work,
                        rk_err *err)
{
    uint32_t inner_width, inner_height;
    rk_room_plane_size(grid, plane, &inner_width, &inner_height);
    work->width = inner_width + 2;
    work->height = inner_height + 2;
    size_t count = (size_t)work->width * work->height;
    work->values = calloc(count, sizeof(*work->values));
    work->cells = malloc(count);
    if (!work->values || !work->cells) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a picture of slice '%s'", slice->name);
    }
    const uint64_t stride[3] = {1, grid->nx, (uint64_t)grid->nx * grid->ny};
    for (uint32_t j = 0; j < work->height; j++) {
        for (uint32_t i = 0; i < work->width; i++) {
            uint64_t cell = plane->index * stride[plane->axis] + i * stride[u_axis[plane->axis]] +
                            j * stride[v_axis[plane->axis]];
            size_t at = (size_t)j * work->width + i;
            work->cells[at] = cell_kind(grid, cell);
            bool inside = i > 0 && j > 0 && i <= inner_width && j <= inner_height;
            if (inside && grid->solid[cell] == RK_ROOM_CELL_FLUID) {
                double p = (double)pressure[(size_t)(j - 1) * inner_width + (i - 1)];
                if (!isfinite(p)) {
                    return rk_err_set(err, RK_INVALID,
                                      "slice '%s' has a pressure that is not finite: the "
                                      "computation has diverged",
                                      slice->name);
                }
                work->values[at] = (float)value_of(grid, slice, cell, p);
            }
        }
    }
    work->largest = robust_peak(work->values, count);
    return RK_OK;
}

static void choose_scale(const rk_room_slice *slice, const plane_work *work,
                         rk_picture_slice *picture)
{
    double high = !isnan(slice->range) ? slice->range : work->largest;
    switch (slice->quantity) {
    case RK_ROOM_PRESSURE:
        high = high > 0.0 ? high : 1.0;
        picture->scale = RK_PICTURE_DIVERGING;
        picture->low = -high;
        picture->value_label = "pressure / Pa";
        break;
    case RK_ROOM_LEVEL:
        high = isnan(slice->range) ? ceil(high / 5.0) * 5.0 : high;
        picture->scale = RK_PICTURE_SEQUENTIAL;
        picture->low = high - 60.0;
        picture->value_label = "level / dB re 20 uPa";
        break;
    case RK_ROOM_ENERGY:
        high = high > 0.0 ? high : 1.0;
        picture->scale = RK_PICTURE_LOGARITHMIC;
        picture->low = high * 1e-4;
        picture->value_label = "energy / J/m3";
        break;
    }
    picture->high = high;
}

static void place_markers(const rk_room_spec *spec, const rk_room_slice *slice,
                          rk_picture_marker *markers, size_t *out_count)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->source_count + spec->receiver_count; i++) {
        bool source = i < spec->source_count;
        size_t k = source ? i : i - spec->source_count;
        rk_room_vec at = source ? spec->sources[k].position : spec->receivers[k].position;
        const double v[3] = {at.x, at.y, at.z};
        markers[count++] =
            (rk_picture_marker){v[u_axis[slice->axis]], v[v_axis[slice->axis]],
                                source ? spec->sources[k].name : spec->receivers[k].name, source};
    }
    *out_count = count;
}

static rk_status draw(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                      uint64_t step, const plane_work *work, const char *path,
                      rk_picture_marker *markers, rk_err *err)
{
    const rk_room_slice *slice = &spec->slices[index];
    const double origin[3] = {grid->origin.x, grid->origin.y, grid->origin.z};
    static const char *const labels[3] = {"x / m", "y / m", "z / m"};
    static const char *const quantities[3] = {"Pressure", "Level", "Energy density"};
    char title[160];
    snprintf(title, sizeof(title), "%s at %c = %.4g m after %.1f ms (%.64s)",
             quantities[slice->quantity], "xyz"[slice->axis], slice -> position_m,
             1e3 * (double)step * grid -> dt_s, slice -> name);
    rk_picture_slice picture = {.width = work->width,
                                .height = work->height,
                                .values = work->values,
                                .cells = work->cells,
                                .u_m = origin[u_axis[slice->axis]] - grid->dx_m,
                                .v_m = origin[v_axis[slice->axis]] - grid->dx_m,
                                .cell_m = grid->dx_m,
                                .title = title,
                                .u_label = labels[u_axis[slice->axis]],
                                .v_label = labels[v_axis[slice->axis]],
                                .markers = markers};
    choose_scale(slice, work, &picture);
    place_markers(spec, slice, markers, &picture.marker_count);
    return rk_picture_write_slice(path, &picture, err);
}

rk_status rk_room_write_plane(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                              uint64_t step, const float *pressure, const char *folder,
                              rk_report *report, rk_err *err)
{
    const rk_room_slice *slice = &spec->slices[index];
    plane_work work = {0};
    rk_picture_marker *markers =
        calloc(spec->source_count + spec->receiver_count + 1, sizeof(*markers));
    rk_status status = gather(grid, &grid->planes[index], slice, pressure, &work, err);
    if (status == RK_OK && !markers) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for a picture of '%s'", slice->name);
    }
    char file[128];
    char path[4300];
    snprintf(file, sizeof(file), "%.64s-%06.0fus.png", slice->name,
             1e6 * (double)step * grid->dt_s);
    int length = snprintf(path, sizeof(path), "%s/%s", folder, file);
    if (status == RK_OK && (length < 0 || (size_t)length >= sizeof(path))) {
        status = rk_err_set(err, RK_INVALID, "the name of the output folder is too long");
    }
    if (status == RK_OK) {
        status = draw(spec, grid, index, step, &work, path, markers, err);
    }
    char about[160];
    snprintf(about, sizeof(about), "slice '%.64s' after %.1f ms", slice->name,
             1e3 * (double)step * grid->dt_s);
    if (status == RK_OK && rk_report_add_output(report, file, "png", about) != RK_OK) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for the report");
    }
    free(markers);
    free(work.values);
    free(work.cells);
    return status;
}

rk_status rk_room_write_slice(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                              uint64_t step, const float *field, const char *folder,
                              rk_report *report, rk_err *err)
{
    const rk_room_plane *plane = &grid->planes[index];
    uint32_t width, height;
    rk_room_plane_size(grid, plane, &width, &height);
    float *pressure = malloc((size_t)width * height * sizeof(*pressure));
    if (!pressure) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a picture of '%s'",
                          spec->slices[index].name);
    }
    for (uint32_t j = 0; j < height; j++) {
        for (uint32_t i = 0; i < width; i++) {
            pressure[(size_t)j * width + i] = field[rk_room_plane_cell(grid, plane, i, j)];
        }
    }
    rk_status status = rk_room_write_plane(spec, grid, index, step, pressure, folder, report, err);
    free(pressure);
    return status;
}
