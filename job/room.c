/*
 * room.c: builds the grid of a room: time step, sources, receivers, slices.
 */
#include "job/room_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * The largest stable time step. The scheme is p'' = K_i sum_j s_i s_j (p_j - p_i); by Gershgorin
 * its eigenvalues are at most twice the largest row sum, and leapfrog is stable while they stay
 * below 4 / dt^2. In a single medium a cell with six neighbours gives c dt / dx <= 1 / sqrt(3).
 */
static double stability_limit(const room_context *context)
{
    const rk_room_grid *grid = context->grid;
    double c = grid->air_speed_m_s;
    double largest = 6.0 * c * c;
    bool media = false;
    for (size_t i = 0; i < context->spec->furniture_count; i++) {
        media = media || context->pieces[i].medium;
    }
    const uint64_t stride[3] = {1, grid->nx, (uint64_t)grid->nx * grid->ny};
    uint64_t end = grid->cell_count - stride[2];
    for (uint64_t cell = stride[2]; media && cell < end; cell++) {
        if (grid->solid[cell] != RK_ROOM_CELL_FLUID) {
            continue;
        }
        double sum = 0.0;
        for (int axis = 0; axis < 3; axis++) {
            for (int side = 0; side < 2; side++) {
                uint64_t other = side ? cell + stride[axis] : cell - stride[axis];
                if (grid->solid[other] == RK_ROOM_CELL_FLUID) {
                    sum += sqrt((double)grid->density[cell] / (double)grid->density[other]);
                }
            }
        }
        double speed = (double)grid->sound_speed[cell];
        largest = fmax(largest, speed * speed * sum);
    }
    return grid->dx_m * sqrt(2.0 / largest);
}

static rk_status choose_time_step(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_grid *grid = context->grid;
    grid->dt_limit_s = stability_limit(context);
    double courant = isnan(spec->grid.courant) ? 0.99 : spec->grid.courant;
    if (!(courant > 0.0 && courant <= 1.0)) {
        return room_fail(
            spec, spec->grid.mark, RK_INVALID, context->err,
            "grid.courant: %g is outside 0 .. 1; it is the share of the largest stable "
            "time step, for example 0.99",
            courant);
    }
    grid->dt_s = courant * grid->dt_limit_s;
    if (!isnan(spec->grid.dt_s)) {
        if (!(spec->grid.dt_s > 0.0) || spec->grid.dt_s > grid->dt_limit_s * (1.0 + 1e-12)) {
            return room_fail(spec, spec->grid.mark, RK_INVALID, context->err,
                             "grid.dt: a time step of %.4g us is unstable: with cells of %.4g m "
                             "the scheme needs "
                             "c dt / dx <= 1 / sqrt(3), here dt <= %.4g us (from the fastest or "
                             "most contrasting "
                             "material); leave dt out, or use larger cells",
                             spec->grid.dt_s * 1e6, grid->dx_m, grid->dt_limit_s * 1e6);
        }
        grid->dt_s = spec->grid.dt_s;
    }
    grid->sample_rate_hz = 1.0 / grid->dt_s;
    if (!(spec->duration_s > 0.0 && spec->duration_s < 1e6)) {
        return room_fail(spec, spec->mark, RK_INVALID, context->err,
                         "room.duration: give a time of more than 0, for example '1 s'");
    }
    double steps = ceil(spec->duration_s / grid->dt_s - 1e-9);
    if (!(steps < 1e9)) {
        return room_fail(spec, spec->mark, RK_LIMIT, context->err,
                         "room.duration: %g s are %g steps of %.4g us, more than 10^9",
                         spec->duration_s, steps, grid->dt_s * 1e6);
    }
    grid->step_count = (uint64_t)steps;
    return RK_OK;
}

/* The name of what fills the solid cell. */
static const char *obstacle(const room_context *context, uint64_t cell)
{
    size_t first_piece = ROOM_OWNER_FIRST + context->spec->opening_count;
    uint16_t owner = context->owner[cell];
    return owner >= first_piece ? context->spec->furniture[owner - first_piece].name : "the wall";
}

/* Trilinear weights around the point; solid cells drop out and the rest is scaled to 1. */
static rk_status place_point(const room_context *context, const char *kind, const char *name,
                             rk_room_mark mark, rk_room_vec at, rk_room_point *out)
{
    const rk_room_grid *grid = context->grid;
    double u[3] = {(at.x - grid->origin.x) / grid->dx_m + 0.5,
                   (at.y - grid->origin.y) / grid->dx_m + 0.5,
                   (at.z - grid->origin.z) / grid->dx_m + 0.5};
    uint32_t n[3] = {grid->nx, grid->ny, grid->nz};
    uint32_t low[3];
    double part[3];
    uint64_t own = 0;
    uint64_t stride[3] = {1, grid->nx, (uint64_t)grid->nx * grid->ny};
    for (int axis = 0; axis < 3; axis++) {
        if (!(u[axis] >= 0.5 && u[axis] <= (double)n[axis] - 1.5)) {
            return room_fail(context->spec, mark, RK_INVALID, context->err,
                             "%s '%s' at (%g, %g, %g) m is outside the room", kind, name, at.x,
                             at.y, at.z);
        }
        low[axis] = (uint32_t)floor(u[axis]);
        part[axis] = u[axis] - floor(u[axis]);
        double nearest = fmin(fmax(floor(u[axis] + 0.5), 1.0), (double)n[axis] - 2.0);
        own += (uint64_t)nearest * stride[axis];
    }
    if (grid->solid[own] != RK_ROOM_CELL_FLUID) {
        bool outside = context->owner[own] == ROOM_OWNER_OUTSIDE;
        return room_fail(
            context->spec, mark, RK_INVALID, context->err, "%s '%s' at (%g, %g, %g) m is %s%s%s",
            kind, name, at.x, at.y, at.z, outside ? "outside the room" : "inside the furniture '",
            outside ? "" : obstacle(context, own), outside ? "" : "'; move one of them");
    }
    double total = 0.0;
    double weights[8];
    out->count = 0;
    for (uint32_t corner = 0; corner < 8; corner++) {
        uint64_t cell = 0;
        double weight = 1.0;
        for (int axis = 0; axis < 3; axis++) {
            uint32_t step = corner >> axis & 1u;
            cell += (low[axis] + step) * stride[axis];
            weight *= step ? part[axis] : 1.0 - part[axis];
        }
        if (weight > 1e-6 && grid->solid[cell] == RK_ROOM_CELL_FLUID) {
            weights[out->count] = weight;
            out->cell[out->count++] = cell;
            total += weight;
        }
    }
    for (uint32_t i = 0; i < out->count; i++) {
        out->weight[i] = (float)(weights[i] / total);
    }
    return RK_OK;
}

static rk_status place_points(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_grid *grid = context->grid;
    if (spec->source_count == 0) {
        return room_fail(spec, spec->mark, RK_INVALID, context->err,
                         "room.sources is empty: without a source the room stays silent");
    }
    grid->sources = calloc(spec->source_count, sizeof(*grid->sources));
    grid->receivers = calloc(spec->receiver_count + 1, sizeof(*grid->receivers));
    if (!grid->sources || !grid->receivers) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for sources and receivers");
    }
    grid->source_count = spec->source_count;
    grid->receiver_count = spec->receiver_count;
    rk_status status = RK_OK;
    for (size_t i = 0; i < spec->source_count && status == RK_OK; i++) {
        const rk_room_source *source = &spec->sources[i];
        status = place_point(context, "source", source->name, source->mark, source->position,
                             &grid->sources[i]);
    }
    for (size_t i = 0; i < spec->receiver_count && status == RK_OK; i++) {
        const rk_room_receiver *receiver = &spec->receivers[i];
        status = place_point(context, "receiver", receiver->name, receiver->mark,
                             receiver->position, &grid->receivers[i]);
    }
    return status;
}

static rk_status place_plane(room_context *context, size_t index)
{
    const rk_room_spec *spec = context->spec;
    const rk_room_slice *slice = &spec->slices[index];
    rk_room_grid *grid = context->grid;
    rk_room_plane *plane = &grid->planes[index];
    const double origin[3] = {grid->origin.x, grid->origin.y, grid->origin.z};
    const uint32_t n[3] = {grid->nx, grid->ny, grid->nz};
    const int axis = (int)slice->axis;
    double cell = floor((slice->position_m - origin[axis]) / grid->dx_m + 1e-9) + 1.0;
    double last = (double)n[axis] - 2.0;
    if (!(cell >= 1.0 && slice->position_m <= origin[axis] + (last + 1e-6) * grid->dx_m)) {
        return room_fail(spec, slice->mark, RK_INVALID, context->err,
                         "slice '%s': %c = %g m is outside the room, which reaches from %.4g to "
                         "%.4g m",
                         slice->name, "xyz"[axis], slice -> position_m, origin[axis],
                         origin[axis] + last * grid -> dx_m);
    }
    plane->axis = slice->axis;
    plane->index = (uint32_t)fmin(cell, last);
    plane->steps = calloc(slice->time_count + 1, sizeof(*plane->steps));
    if (!plane->steps) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for slice '%s'", slice->name);
    }
    double before = -1.0;
    for (size_t i = 0; i < slice->time_count; i++) {
        double time_s = slice->times_s[i];
        double step = round(time_s / grid->dt_s);
        if (!(time_s >= 0.0 && time_s <= spec->duration_s && time_s > before)) {
            return room_fail(
                spec, slice->mark, RK_INVALID, context->err,
                "slice '%s': the times must rise and lie between 0 and the duration of "
                "%g s; %g s does not",
                slice->name, spec->duration_s, time_s);
        }
        before = time_s;
        uint64_t whole = step > (double)grid->step_count ? grid->step_count : (uint64_t)step;
        if (plane->step_count == 0 || plane->steps[plane->step_count - 1] < whole) {
            plane->steps[plane->step_count++] = whole;
        }
    }
    return RK_OK;
}

static rk_status place_planes(room_context *context)
{
    rk_room_grid *grid = context->grid;
    size_t count = context->spec->slice_count;
    grid->planes = calloc(count + 1, sizeof(*grid->planes));
    if (!grid->planes) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for the slices");
    }
    grid->plane_count = count;
    rk_status status = RK_OK;
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        status = place_plane(context, i);
    }
    return status;
}

rk_status rk_room_build(const rk_room_spec *spec, rk_room_grid *out_grid, rk_err *err)
{
    rk_err local = RK_ERR_INIT;
    rk_room_grid grid = {0};
    room_context context = {.spec = spec, .err = err ? err : &local, .grid = &grid};
    rk_status status = room_check(&context);
    if (status == RK_OK) {
        status = room_voxelise(&context);
    }
    if (status == RK_OK) {
        status = choose_time_step(&context);
    }
    if (status == RK_OK) {
        status = room_find_boundary(&context);
    }
    if (status == RK_OK) {
        status = place_points(&context);
    }
    if (status == RK_OK) {
        status = place_planes(&context);
    }
    free(context.walls);
    free(context.openings);
    free(context.pieces);
    free(context.owner);
    if (status != RK_OK) {
        rk_room_grid_finish(&grid);
        return status;
    }
    *out_grid = grid;
    return RK_OK;
}

void rk_room_grid_finish(rk_room_grid *grid)
{
    free(grid->sound_speed);
    free(grid->density);
    free(grid->solid);
    free(grid->boundary_cell);
    free(grid->boundary_admittance);
    free(grid->sources);
    free(grid->receivers);
    for (size_t i = 0; i < grid->plane_count; i++) {
        free(grid->planes[i].steps);
    }
    free(grid->planes);
    memset(grid, 0, sizeof(*grid));
}
