/*
 * room_plan.c: the walls of a room and its plan.
 */
#include "job/room_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void wall_between(room_wall *wall, const double a[2], const double b[2], double side)
{
    wall->ax = a[0];
    wall->ay = a[1];
    wall->length_m = hypot(b[0] - a[0], b[1] - a[1]);
    wall->ux = (b[0] - a[0]) / wall->length_m;
    wall->uy = (b[1] - a[1]) / wall->length_m;
    wall->nx = side * wall->uy;
    wall->ny = -side * wall->ux;
}

static double cross(const double a[2], const double b[2], const double c[2])
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

static bool edges_cross(const double a[2], const double b[2], const double c[2], const double d[2])
{
    double d1 = cross(a, b, c);
    double d2 = cross(a, b, d);
    double d3 = cross(c, d, a);
    double d4 = cross(c, d, b);
    return d1 * d2 <= 0.0 && d3 * d4 <= 0.0 && !(d1 == 0.0 && d2 == 0.0 && d3 == 0.0);
}

static rk_status polygon_walls(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    size_t count = spec->geometry.corner_count;
    double(*corners)[2] = spec->geometry.corners;
    for (size_t i = 0; i < count; i++) {
        const double *a = corners[i];
        const double *b = corners[(i + 1) % count];
        if (!isfinite(a[0]) || !isfinite(a[1]) || fabs(a[0]) > 1e6 || fabs(a[1]) > 1e6) {
            return room_fail(spec, spec->geometry.mark, RK_INVALID, context->err,
                             "geometry.corners: corner %zu is not within 1000 km", i + 1);
        }
        if (hypot(b[0] - a[0], b[1] - a[1]) < 1e-6) {
            return room_fail(spec, spec->geometry.mark, RK_INVALID, context->err,
                             "geometry.corners: wall%zu has no length; the last corner is joined "
                             "to the first by itself",
                             i + 1);
        }
    }
    double area = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double *a = corners[i];
        const double *b = corners[(i + 1) % count];
        area += 0.5 * (a[0] * b[1] - b[0] * a[1]);
        for (size_t k = i + 2; k < count && !(i == 0 && k == count - 1); k++) {
            if (edges_cross(a, b, corners[k], corners[(k + 1) % count])) {
                return room_fail(spec, spec->geometry.mark, RK_INVALID, context->err,
                                 "geometry.corners: wall%zu and wall%zu cross; list the corners in "
                                 "the order in which one walks along the walls",
                                 i + 1, k + 1);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        wall_between(&context->walls[i], corners[i], corners[(i + 1) % count],
                     area > 0.0 ? 1.0 : -1.0);
        snprintf(context->walls[i].name, ROOM_WALL_NAME_MAX, "wall%zu", i + 1);
    }
    return RK_OK;
}

rk_status room_resolve_walls(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_mark mark = spec->geometry.mark;
    bool box = spec->geometry.shape == RK_ROOM_BOX;
    if (!box &&
        (spec->geometry.corner_count < 3 || spec->geometry.corner_count > ROOM_CORNERS_MAX)) {
        return room_fail(spec, mark, RK_INVALID, context->err,
                         "geometry.corners: a polygon has 3 to %u corners, not %zu",
                         ROOM_CORNERS_MAX, spec->geometry.corner_count);
    }
    rk_room_vec size = spec->geometry.size;
    context->height_m = box ? size.z : spec->geometry.height_m;
    if (box && !(size.x > 0.0 && size.y > 0.0 && size.x < 1e6 && size.y < 1e6)) {
        return room_fail(spec, mark, RK_INVALID, context->err,
                         "geometry.size: length and width must be more than 0");
    }
    if (!(context->height_m > 0.0 && context->height_m < 1e6)) {
        return room_fail(spec, mark, RK_INVALID, context->err,
                         "geometry: the height must be more than 0");
    }
    context->wall_count = box ? 4 : spec->geometry.corner_count;
    context->walls = calloc(context->wall_count, sizeof(*context->walls));
    if (!context->walls) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for the walls of the room");
    }
    if (!box) {
        return polygon_walls(context);
    }
    const double sw[2] = {0.0, 0.0};
    const double se[2] = {size.x, 0.0};
    const double ne[2] = {size.x, size.y};
    const double nw[2] = {0.0, size.y};
    wall_between(&context->walls[0], sw, se, 1.0);
    wall_between(&context->walls[1], se, ne, 1.0);
    wall_between(&context->walls[2], nw, ne, -1.0);
    wall_between(&context->walls[3], sw, nw, -1.0);
    static const char *const names[] = {"south", "east", "north", "west"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(context->walls[i].name, ROOM_WALL_NAME_MAX, "%s", names[i]);
    }
    return RK_OK;
}

bool room_plan_contains(const room_context *context, double x, double y)
{
    bool inside = false;
    for (size_t i = 0; i < context->wall_count; i++) {
        const room_wall *wall = &context->walls[i];
        double s = (x - wall->ax) * wall->ux + (y - wall->ay) * wall->uy;
        double d = (x - wall->ax) * wall->nx + (y - wall->ay) * wall->ny;
        if (fabs(d) <= ROOM_TOLERANCE_M && s >= -ROOM_TOLERANCE_M &&
            s <= wall->length_m + ROOM_TOLERANCE_M) {
            return true;
        }
        double by = wall->ay + wall->uy * wall->length_m;
        double bx = wall->ax + wall->ux * wall->length_m;
        if ((wall->ay > y) != (by > y) &&
            x < (bx - wall->ax) * (y - wall->ay) / (by - wall->ay) + wall->ax) {
            inside = !inside;
        }
    }
    return inside;
}
