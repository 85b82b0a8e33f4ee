/*
 * room_boundary.c: the absorbing faces of the grid.
 *
 * Each face between a fluid and a solid cell belongs to one surface: to the furniture behind it, to
 * the floor or ceiling, to the nearest wall, or to an opening in it. Its admittance counts with the
 * cosine between the face and the true surface.
 */
#include "job/absorb.h"
#include "job/room_internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct room_face {
    double x, y, z; /* centre */
    int axis;       /* 0, 1, 2 */
    int side;       /* -1 or +1: direction from the fluid cell to the solid one */
    uint16_t inner; /* owners */
    uint16_t outer;
} room_face;

typedef struct room_face_value {
    room_value value;
    double weight; /* cosine to the true surface */
    bool opening;
} room_face_value;

static room_face_value furniture_face(const room_context *context, const room_face *face)
{
    size_t index = face->outer - ROOM_OWNER_FIRST - context->spec->opening_count;
    const rk_room_furniture *piece = &context->spec->furniture[index];
    room_face_value out = {context->pieces[index].value, 1.0, false};
    if (piece->shape == RK_ROOM_CYLINDER && face->axis != 2) {
        double x = face->x - piece->center.x;
        double y = face->y - piece->center.y;
        double r = hypot(x, y);
        if (r > 0.0) {
            out.weight = fabs(face->axis == 0 ? x : y) / r;
        }
    }
    return out;
}

/* The cosine between the face's own normal and the wall's. */
static double wall_cosine(const room_wall *wall, const room_face *face)
{
    return (face->axis == 0 ? wall->nx : wall->ny) * face->side;
}

/*
 * The wall that a face on the side of the room belongs to: the nearest of those that it can face.
 */
static size_t nearest_wall(const room_context *context, const room_face *face)
{
    size_t best = 0;
    double best_distance = INFINITY;
    for (size_t i = 0; i < context->wall_count; i++) {
        const room_wall *wall = &context->walls[i];
        if (wall_cosine(wall, face) < 0.01) {
            continue;
        }
        double dx = face->x - wall->ax;
        double dy = face->y - wall->ay;
        double s = fmin(fmax(dx * wall->ux + dy * wall->uy, 0.0), wall->length_m);
        double distance = hypot(dx - s * wall->ux, dy - s * wall->uy);
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return best;
}

/* Faces of a niche: its far end is open, its sides are made of the wall's material. */
static room_face_value niche_face(const room_context *context, const room_face *face)
{
    const room_opening *opening = &context->openings[face->inner - ROOM_OWNER_FIRST];
    const room_wall *wall = &context->walls[opening->wall];
    room_face_value out = {wall->value, 1.0, false};
    if (face->axis == 2) {
        return out;
    }
    double cosine = wall_cosine(wall, face);
    double d = (face->x - wall->ax) * wall->nx + (face->y - wall->ay) * wall->ny;
    if (cosine > 0.01 && d > opening->depth_m - context->grid->dx_m) {
        out = (room_face_value){opening->value, cosine, true};
    }
    return out;
}

static room_face_value wall_face(const room_context *context, const room_face *face)
{
    size_t index = nearest_wall(context, face);
    const room_wall *wall = &context->walls[index];
    room_face_value out = {wall->value, fmax(wall_cosine(wall, face), 0.0), false};
    double s = (face->x - wall->ax) * wall->ux + (face->y - wall->ay) * wall->uy;
    for (size_t i = 0; i < context->spec->opening_count; i++) {
        const rk_room_opening *spec = &context->spec->openings[i];
        const room_opening *opening = &context->openings[i];
        if (opening->wall == index && opening->depth_m == 0.0 && s >= spec->from[0] &&
            s < spec->to[0] && face->z >= spec->from[1] && face->z < spec->to[1]) {
            out.value = opening->value;
            out.opening = opening->open;
        }
    }
    return out;
}

static room_face_value face_value(const room_context *context, const room_face *face)
{
    size_t first_piece = ROOM_OWNER_FIRST + context->spec->opening_count;
    if (face->outer >= first_piece) {
        return furniture_face(context, face);
    }
    if (face->inner >= ROOM_OWNER_FIRST && face->inner < first_piece) {
        return niche_face(context, face);
    }
    if (face->axis == 2) {
        room_value value = face->side < 0 ? context->floor : context->ceiling;
        return (room_face_value){value, 1.0, false};
    }
    return wall_face(context, face);
}

typedef struct room_boundary {
    rk_room_grid *grid;
    double area_m2, absorbing_m2;
    size_t capacity;
} room_boundary;

static bool boundary_add(room_boundary *boundary, uint64_t cell, double admittance)
{
    rk_room_grid *grid = boundary->grid;
    if (grid->boundary_count == boundary->capacity) {
        size_t capacity = boundary->capacity ? boundary->capacity * 2 : 4096;
        uint64_t *cells = realloc(grid->boundary_cell, capacity * sizeof(*cells));
        if (!cells) {
            return false;
        }
        grid->boundary_cell = cells;
        float *values = realloc(grid->boundary_admittance, capacity * sizeof(*values));
        if (!values) {
            return false;
        }
        grid->boundary_admittance = values;
        boundary->capacity = capacity;
    }
    grid->boundary_cell[grid->boundary_count] = cell;
    grid->boundary_admittance[grid->boundary_count] = (float)admittance;
    grid->boundary_count++;
    return true;
}

/* The summed admittance of the faces of the fluid cell (i, j, k). */
static double cell_admittance(room_context *context, room_boundary *boundary, uint32_t i,
                              uint32_t j, uint32_t k)
{
    rk_room_grid *grid = context->grid;
    uint64_t stride[3] = {1, grid->nx, (uint64_t)grid->nx * grid->ny};
    uint64_t cell = i + j * stride[1] + k * stride[2];
    double dx = grid->dx_m;
    double sum = 0.0;
    for (int axis = 0; axis < 3; axis++) {
        for (int side = -1; side <= 1; side += 2) {
            uint64_t other = side < 0 ? cell - stride[axis] : cell + stride[axis];
            if (grid->solid[other] == RK_ROOM_CELL_FLUID) {
                continue;
            }
            room_face face = {
                .x = grid->origin.x + ((double)i - 0.5 + (axis == 0 ? 0.5 * side : 0.0)) * dx,
                .y = grid->origin.y + ((double)j - 0.5 + (axis == 1 ? 0.5 * side : 0.0)) * dx,
                .z = grid->origin.z + ((double)k - 0.5 + (axis == 2 ? 0.5 * side : 0.0)) * dx,
                .axis = axis,
                .side = side,
                .inner = context->owner[cell],
                .outer = context->owner[other],
            };
            room_face_value found = face_value(context, &face);
            sum += found.value.xi * found.weight;
            boundary->area_m2 += found.weight * dx * dx;
            boundary->absorbing_m2 += found.weight * dx * dx * found.value.alpha;
            if (found.opening) {
                grid->solid[other] = RK_ROOM_CELL_OPENING;
            }
        }
    }
    return sum;
}

rk_status room_find_boundary(room_context *context)
{
    rk_room_grid *grid = context->grid;
    room_boundary boundary = {.grid = grid};
    for (uint32_t k = 1; k + 1 < grid->nz; k++) {
        for (uint32_t j = 1; j + 1 < grid->ny; j++) {
            for (uint32_t i = 1; i + 1 < grid->nx; i++) {
                uint64_t cell = ((uint64_t)k * grid->ny + j) * grid->nx + i;
                if (grid->solid[cell] != RK_ROOM_CELL_FLUID) {
                    continue;
                }
                double admittance = cell_admittance(context, &boundary, i, j, k);
                if (admittance > 0.0 && !boundary_add(&boundary, cell, admittance)) {
                    return rk_err_set(context->err, RK_NO_MEMORY,
                                      "no memory for the boundary of the room");
                }
            }
        }
    }
    grid->surface_m2 = boundary.area_m2;
    grid->mean_absorption = boundary.area_m2 > 0.0 ? boundary.absorbing_m2 / boundary.area_m2 : 0.0;
    return RK_OK;
}
