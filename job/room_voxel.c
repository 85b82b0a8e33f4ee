/*
 * room_voxel.c: which cell belongs to what.
 *
 * A cell belongs to the thing that contains its centre. Furniture covers at least one cell in each
 * direction, so that a thin table top does not vanish. Later furniture covers earlier furniture.
 */
#include "base/compiler.h"
#include "base/memory.h"
#include "job/room_internal.h"

#include <math.h>
#include <stdlib.h>

/* One axis of the grid: cells such that a cell boundary lies on plan_low. */
static bool axis_cells(double plan_low, double plan_high, double low, double high, double dx,
                       double *out_origin, uint32_t *out_count)
{
    double before = ceil((plan_low - low) / dx - 1e-6);
    double after = ceil((high - plan_low) / dx - 1e-6);
    if (high <= plan_high) {
        /* Without a niche on this side a last layer of less than half a cell would stay empty. */
        after = fmax(1.0, round((plan_high - plan_low) / dx));
    }
    double count = before + after + 2.0;
    *out_origin = plan_low - before * dx;
    if (!(count < 65536.0)) {
        return false;
    }
    *out_count = (uint32_t)count;
    return true;
}

static void corner_bounds(const room_wall *wall, double s, double d, double low[2], double high[2])
{
    double x = wall->ax + s * wall->ux + d * wall->nx;
    double y = wall->ay + s * wall->uy + d * wall->ny;
    low[0] = fmin(low[0], x);
    low[1] = fmin(low[1], y);
    high[0] = fmax(high[0], x);
    high[1] = fmax(high[1], y);
}

static rk_status choose_extent(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_grid *grid = context->grid;
    double plan_low[2] = {INFINITY, INFINITY};
    double plan_high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < context->wall_count; i++) {
        corner_bounds(&context->walls[i], 0.0, 0.0, plan_low, plan_high);
        corner_bounds(&context->walls[i], context->walls[i].length_m, 0.0, plan_low, plan_high);
    }
    double low[2] = {plan_low[0], plan_low[1]};
    double high[2] = {plan_high[0], plan_high[1]};
    for (size_t i = 0; i < spec->opening_count; i++) {
        const room_opening *opening = &context->openings[i];
        if (opening->depth_m > 0.0) {
            const room_wall *wall = &context->walls[opening->wall];
            corner_bounds(wall, spec->openings[i].from[0], opening->depth_m, low, high);
            corner_bounds(wall, spec->openings[i].to[0], opening->depth_m, low, high);
        }
    }
    double dx = grid->dx_m;
    bool fits =
        axis_cells(plan_low[0], plan_high[0], low[0], high[0], dx, &grid->origin.x, &grid->nx) &&
        axis_cells(plan_low[1], plan_high[1], low[1], high[1], dx, &grid->origin.y, &grid->ny) &&
        axis_cells(0.0, context->height_m, 0.0, context->height_m, dx, &grid->origin.z, &grid->nz);
    if (!fits) {
        return room_fail(spec, spec->grid.mark, RK_LIMIT, context->err,
                         "grid: cells of %g m are too small for a room of this size (at most 65533 "
                         "in each direction); use a larger dx or a lower frequency",
                         dx);
    }
    grid->cell_count = (uint64_t)grid->nx * grid->ny * grid->nz;
    return RK_OK;
}

static rk_status check_memory(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    const rk_room_grid *grid = context->grid;
    uint64_t needed = grid->cell_count * RK_ROOM_BYTES_PER_CELL;
    uint64_t limit = spec->grid.memory_limit_bytes ? spec->grid.memory_limit_bytes : 2ull << 30;
    uint64_t available = rk_memory_available_bytes(RK_MEMINFO_PATH);
    if (needed <= limit && needed <= available) {
        return RK_OK;
    }
    if (needed <= limit) {
        return room_fail(spec, spec->grid.mark, RK_NO_MEMORY, context->err,
                         "grid: %u x %u x %u cells of %.4g m need %.1f MiB, but the machine has "
                         "%.1f MiB of memory left; use a larger dx, or free memory",
                         grid->nx, grid->ny, grid->nz, grid->dx_m, (double)needed / 1048576.0,
                         (double)available / 1048576.0);
    }
    double fitting = grid->dx_m * cbrt((double)needed / (double)limit);
    return room_fail(spec, spec->grid.mark, RK_LIMIT, context->err,
                     "grid: %u x %u x %u cells of %.4g m need %.1f MiB, more than the limit of "
                     "%.1f MiB; use dx: %.3g m or more, or raise grid.memory",
                     grid->nx, grid->ny, grid->nz, grid->dx_m, (double)needed / 1048576.0,
                     (double)limit / 1048576.0, ceil(fitting * 1000.0 + 0.5) / 1000.0);
}

static double center_of(double origin, uint32_t index, double dx)
{
    return origin + ((double)index - 0.5) * dx;
}

/* The owner of the column of cells over (x, y): air, a niche (then *out_opening), or outside. */
static uint16_t column_owner(const room_context *context, double x, double y, size_t *out_opening)
{
    if (room_plan_contains(context, x, y)) {
        return ROOM_OWNER_AIR;
    }
    for (size_t i = 0; i < context->spec->opening_count; i++) {
        const room_opening *opening = &context->openings[i];
        const rk_room_opening *spec = &context->spec->openings[i];
        if (!(opening->depth_m > 0.0)) {
            continue;
        }
        const room_wall *wall = &context->walls[opening->wall];
        double s = (x - wall->ax) * wall->ux + (y - wall->ay) * wall->uy;
        double d = (x - wall->ax) * wall->nx + (y - wall->ay) * wall->ny;
        if (s >= spec->from[0] && s < spec->to[0] && d >= 0.0 && d < opening->depth_m) {
            *out_opening = i;
            return (uint16_t)(ROOM_OWNER_FIRST + i);
        }
    }
    return ROOM_OWNER_OUTSIDE;
}

static void fill_air(room_context *context)
{
    const rk_room_grid *grid = context->grid;
    uint64_t plane = (uint64_t)grid->nx * grid->ny;
    for (uint32_t j = 1; j + 1 < grid->ny; j++) {
        for (uint32_t i = 1; i + 1 < grid->nx; i++) {
            size_t opening = 0;
            uint16_t owner = column_owner(context, center_of(grid->origin.x, i, grid->dx_m),
                                          center_of(grid->origin.y, j, grid->dx_m), &opening);
            if (owner == ROOM_OWNER_OUTSIDE) {
                continue;
            }
            double low = 0.0;
            double high = INFINITY; /* the grid ends at the ceiling */
            if (owner != ROOM_OWNER_AIR) {
                low = context->spec->openings[opening].from[1];
                high = context->spec->openings[opening].to[1];
            }
            uint64_t cell = (uint64_t)j * grid->nx + i;
            for (uint32_t k = 1; k + 1 < grid->nz; k++) {
                double z = center_of(grid->origin.z, k, grid->dx_m);
                if (z >= low && z < high) {
                    context->owner[cell + k * plane] = owner;
                }
            }
        }
    }
}

/*
 * The cells, first to last, whose centres lie behind low and up to high; at least the one in the
 * middle. Like the room itself, a piece that ends at a wall takes a centre right on its end.
 */
static void covered(double origin, double dx, uint32_t count, double low, double high,
                    uint32_t *out_first, uint32_t *out_last)
{
    double first = floor((low - origin) / dx + 0.5 + 1e-6) + 1.0;
    double last = floor((high - origin) / dx + 0.5 + 1e-6);
    if (last < first) {
        first = last = floor((0.5 * (low + high) - origin) / dx) + 1.0;
    }
    double end = (double)count - 2.0;
    *out_first = (uint32_t)fmin(fmax(first, 1.0), end);
    *out_last = (uint32_t)fmin(fmax(last, 1.0), end);
}

static void fill_piece(room_context *context, size_t index)
{
    const rk_room_grid *grid = context->grid;
    const rk_room_furniture *piece = &context->spec->furniture[index];
    bool box = piece->shape == RK_ROOM_BOX;
    double r = box ? 0.0 : piece->radius_m;
    rk_room_vec c = piece->center;
    rk_room_vec from = box ? piece->from : (rk_room_vec){c.x - r, c.y - r, c.z};
    rk_room_vec to = box ? piece->to : (rk_room_vec){c.x + r, c.y + r, c.z + piece->height_m};
    uint32_t first[3], last[3];
    covered(grid->origin.x, grid->dx_m, grid->nx, from.x, to.x, &first[0], &last[0]);
    covered(grid->origin.y, grid->dx_m, grid->ny, from.y, to.y, &first[1], &last[1]);
    covered(grid->origin.z, grid->dx_m, grid->nz, from.z, to.z, &first[2], &last[2]);
    uint16_t code = (uint16_t)(ROOM_OWNER_FIRST + context->spec->opening_count + index);
    bool narrow = first[0] == last[0] || first[1] == last[1];
    for (uint32_t k = first[2]; k <= last[2]; k++) {
        for (uint32_t j = first[1]; j <= last[1]; j++) {
            for (uint32_t i = first[0]; i <= last[0]; i++) {
                double x = center_of(grid->origin.x, i, grid->dx_m) - c.x;
                double y = center_of(grid->origin.y, j, grid->dx_m) - c.y;
                uint64_t cell = ((uint64_t)k * grid->ny + j) * grid->nx + i;
                bool inside = box || narrow || x * x + y * y < r * r;
                if (inside && context->owner[cell] != ROOM_OWNER_OUTSIDE) {
                    context->owner[cell] = code;
                }
            }
        }
    }
}

/* Marks the solid cells behind the openings without a niche and behind the ends of niches later:
 * here a cell is fluid, wall or furniture. */
static void set_cells(room_context *context)
{
    rk_room_grid *grid = context->grid;
    size_t first_piece = ROOM_OWNER_FIRST + context->spec->opening_count;
    for (uint64_t cell = 0; cell < grid->cell_count; cell++) {
        uint16_t owner = context->owner[cell];
        grid->sound_speed[cell] = (float)grid->air_speed_m_s;
        grid->density[cell] = (float)grid->air_density_kg_m3;
        grid->solid[cell] = RK_ROOM_CELL_FLUID;
        if (owner == ROOM_OWNER_OUTSIDE) {
            grid->solid[cell] = RK_ROOM_CELL_WALL;
        } else if (owner >= first_piece) {
            const rk_room_material *medium = context->pieces[owner - first_piece].medium;
            if (medium) {
                grid->sound_speed[cell] = (float)medium->sound_speed_m_s;
                grid->density[cell] = (float)medium->density_kg_m3;
            } else {
                grid->solid[cell] = RK_ROOM_CELL_FURNITURE;
            }
        }
        grid->fluid_count += grid->solid[cell] == RK_ROOM_CELL_FLUID;
    }
    grid->volume_m3 = (double)grid->fluid_count * pow(grid->dx_m, 3.0);
}

rk_status room_voxelise(room_context *context)
{
    rk_room_grid *grid = context->grid;
    rk_status status = choose_extent(context);
    if (status == RK_OK) {
        status = check_memory(context);
    }
    if (status != RK_OK) {
        return status;
    }
    context->owner = calloc(grid->cell_count, sizeof(*context->owner));
    grid->sound_speed = malloc(grid->cell_count * sizeof(*grid->sound_speed));
    grid->density = malloc(grid->cell_count * sizeof(*grid->density));
    grid->solid = malloc(grid->cell_count);
    if (!context->owner || !grid->sound_speed || !grid->density || !grid->solid) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for a grid of %llu cells",
                          (unsigned long long)grid->cell_count);
    }
    fill_air(context);
    for (size_t i = 0; i < context->spec->furniture_count; i++) {
        fill_piece(context, i);
    }
    set_cells(context);
    if (grid->fluid_count == 0) {
        return room_fail(context->spec, context->spec->geometry.mark, RK_INVALID, context->err,
                         "the room has no air left: its furniture fills it, or it is smaller than "
                         "one cell of %g m",
                         grid->dx_m);
    }
    return RK_OK;
}
