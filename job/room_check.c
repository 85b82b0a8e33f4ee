/*
 * room_check.c: checks the description of a room and resolves its names.
 *
 * Everything that can be wrong without looking at cells is found here; each sentence begins with
 * the place in the job file and names the item.
 */
#include "base/suggest.h"
#include "job/absorb.h"
#include "job/room_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rk_status room_fail(const rk_room_spec *spec, rk_room_mark mark, rk_status code, rk_err *err,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)rk_err_setv(err, code, format, args); /* the code is returned below */
    va_end(args);
    if (spec->file && mark.line > 0) {
        (void)rk_err_prefix(err, "%s:%u:%u: ", spec->file, mark.line, mark.column);
    } else if (spec->file) {
        (void)rk_err_prefix(err, "%s: ", spec->file);
    }
    return code;
}

void room_suggest(rk_err *err, const char *word, const char *const *names, size_t count)
{
    const char *best = rk_suggest(word, names, count);
    if (err && best) {
        size_t length = strlen(err->text);
        snprintf(err->text + length, sizeof(err->text) - length, "; did you mean '%s'?", best);
    }
}

static rk_status unknown_material(room_context *context, rk_room_mark mark, const char *what,
                                  const char *name)
{
    const rk_room_spec *spec = context->spec;
    rk_status status =
        room_fail(spec, mark, RK_NOT_FOUND, context->err,
                  "%s: there is no material '%s'; define it under room.materials", what, name);
    size_t builtin_count = 0;
    const rk_room_material *builtin = rk_room_materials(&builtin_count);
    const char **names = calloc(builtin_count + spec->material_count, sizeof(*names));
    if (names) {
        size_t count = 0;
        for (size_t i = 0; i < spec->material_count; i++) {
            names[count++] = spec->materials[i].name;
        }
        for (size_t i = 0; i < builtin_count; i++) {
            names[count++] = builtin[i].name;
        }
        room_suggest(context->err, name, names, count);
        free(names);
    }
    return status;
}

/* The admittance of a surface made of the named material. */
static rk_status surface_value(room_context *context, rk_room_mark mark, const char *what,
                               const char *name, room_value *out_value)
{
    const rk_room_material *material = room_material_find(context->spec, name);
    if (!material) {
        return unknown_material(context, mark, what, name);
    }
    if (isnan(material->absorption)) {
        return room_fail(context->spec, mark, RK_INVALID, context->err,
                         "%s: the material '%s' carries sound, so it cannot bound the air; use one "
                         "with an absorption",
                         what, name);
    }
    rk_status status = rk_absorb_admittance(material->absorption, &out_value->xi, context->err);
    if (status != RK_OK) {
        rk_err why = *context->err;
        return room_fail(context->spec, material->mark, status, context->err, "material '%s': %s",
                         name, why.text);
    }
    out_value->alpha = material->absorption;
    return RK_OK;
}

static rk_status check_materials(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    for (size_t i = 0; i < spec->material_count; i++) {
        const rk_room_material *material = &spec->materials[i];
        bool absorbs = !isnan(material->absorption);
        bool speed = !isnan(material->sound_speed_m_s);
        bool density = !isnan(material->density_kg_m3);
        if (absorbs == (speed || density) || speed != density) {
            return room_fail(spec, material->mark, RK_INVALID, context->err,
                             "material '%s' needs either an absorption (a surface) or both a "
                             "sound_speed and a density (it carries sound)",
                             material->name);
        }
        if (speed && !(material->sound_speed_m_s > 0.0 && material->density_kg_m3 > 0.0)) {
            return room_fail(spec, material->mark, RK_INVALID, context->err,
                             "material '%s': sound_speed and density must be more than 0",
                             material->name);
        }
        room_value value;
        rk_err why = RK_ERR_INIT;
        if (absorbs && rk_absorb_admittance(material->absorption, &value.xi, &why) != RK_OK) {
            return room_fail(spec, material->mark, RK_INVALID, context->err, "material '%s': %s",
                             material->name, why.text);
        }
    }
    return RK_OK;
}

/* Air as an ideal gas: c = 331.3 m/s sqrt(T / 273.15 K), rho = 101325 Pa / (287.05 J/kg/K T). */
static rk_status resolve_air(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_grid *grid = context->grid;
    double celsius = isnan(spec->air.temperature_c) ? 20.0 : spec->air.temperature_c;
    if (!(celsius > -100.0 && celsius < 200.0)) {
        return room_fail(spec, spec->air.mark, RK_INVALID, context->err,
                         "air.temperature: %g degC is outside -100 .. 200 degC", celsius);
    }
    double kelvin = celsius + 273.15;
    grid->air_speed_m_s = isnan(spec->air.sound_speed_m_s) ? 331.3 * sqrt(kelvin / 273.15)
                                                           : spec->air.sound_speed_m_s;
    grid->air_density_kg_m3 =
        isnan(spec->air.density_kg_m3) ? 101325.0 / (287.05 * kelvin) : spec->air.density_kg_m3;
    if (!(grid->air_speed_m_s > 0.0 && isfinite(grid->air_speed_m_s) &&
          grid->air_density_kg_m3 > 0.0 && isfinite(grid->air_density_kg_m3))) {
        return room_fail(spec, spec->air.mark, RK_INVALID, context->err,
                         "air: sound_speed and density must be more than 0");
    }
    context->min_speed_m_s = grid->air_speed_m_s;
    for (size_t i = 0; i < spec->furniture_count; i++) {
        const rk_room_material *medium = context->pieces[i].medium;
        if (medium) {
            context->min_speed_m_s = fmin(context->min_speed_m_s, medium->sound_speed_m_s);
        }
    }
    return RK_OK;
}

static rk_status resolve_spacing(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_room_grid *grid = context->grid;
    double points =
        isnan(spec->grid.points_per_wavelength) ? 8.0 : spec->grid.points_per_wavelength;
    if (!(points >= 2.0 && points <= 1000.0)) {
        return room_fail(spec, spec->grid.mark, RK_INVALID, context->err,
                         "grid.points_per_wavelength: %g is outside 2 .. 1000 (two are the least "
                         "that a wave needs, eight keep its speed within about 2 %%)",
                         points);
    }
    bool by_dx = !isnan(spec->grid.dx_m);
    bool by_frequency = !isnan(spec->grid.frequency_hz);
    if (by_dx == by_frequency) {
        return room_fail(spec, spec->grid.mark, RK_INVALID, context->err,
                         "grid: give either dx or frequency, %s",
                         by_dx ? "not both" : "for example 'dx: 5 cm'");
    }
    grid->dx_m =
        by_dx ? spec->grid.dx_m : context->min_speed_m_s / (spec->grid.frequency_hz * points);
    if (!(grid->dx_m > 0.0 && isfinite(grid->dx_m))) {
        return room_fail(spec, spec->grid.mark, RK_INVALID, context->err,
                         "grid: the cell size must be more than 0");
    }
    grid->frequency_limit_hz = context->min_speed_m_s / (grid->dx_m * points);
    return RK_OK;
}

/* The index of the wall, or wall_count. */
static size_t wall_find(const room_context *context, const char *name)
{
    size_t i = 0;
    while (i < context->wall_count && strcmp(context->walls[i].name, name) != 0) {
        i++;
    }
    return i;
}

static rk_status unknown_surface(room_context *context, rk_room_mark mark, const char *what,
                                 const char *name, bool only_walls)
{
    const char *names[ROOM_CORNERS_MAX + 3] = {"floor", "ceiling", "walls"};
    size_t count = only_walls ? 0 : 3;
    for (size_t i = 0; i < context->wall_count; i++) {
        names[count++] = context->walls[i].name;
    }
    rk_status status = room_fail(context->spec, mark, RK_NOT_FOUND, context->err,
                                 "%s: the room has no %s '%s' (its walls are %s .. %s)", what,
                                 only_walls ? "wall" : "surface", name, context->walls[0].name,
                                 context->walls[context->wall_count - 1].name);
    room_suggest(context->err, name, names, count);
    return status;
}

static rk_status resolve_surfaces(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    bool has_floor = false;
    bool has_ceiling = false;
    bool wall_given[ROOM_CORNERS_MAX] = {false};
    room_value all_walls = {0};
    bool has_walls = false;
    for (size_t i = 0; i < spec->surface_count; i++) {
        const rk_room_surface *surface = &spec->surfaces[i];
        char what[96];
        snprintf(what, sizeof(what), "geometry.surfaces.%.40s", surface->name);
        room_value value;
        rk_status status = surface_value(context, surface->mark, what, surface->material, &value);
        if (status != RK_OK) {
            return status;
        }
        size_t wall = wall_find(context, surface->name);
        if (strcmp(surface->name, "floor") == 0) {
            context->floor = value;
            has_floor = true;
        } else if (strcmp(surface->name, "ceiling") == 0) {
            context->ceiling = value;
            has_ceiling = true;
        } else if (strcmp(surface->name, "walls") == 0) {
            all_walls = value;
            has_walls = true;
        } else if (wall < context->wall_count) {
            context->walls[wall].value = value;
            wall_given[wall] = true;
        } else {
            return unknown_surface(context, surface->mark, "geometry.surfaces", surface->name,
                                   false);
        }
    }
    const char *missing = !has_floor ? "floor" : !has_ceiling ? "ceiling" : NULL;
    for (size_t i = 0; i < context->wall_count; i++) {
        if (!wall_given[i] && has_walls) {
            context->walls[i].value = all_walls;
        } else if (!wall_given[i] && !missing) {
            missing = context->walls[i].name;
        }
    }
    if (missing) {
        return room_fail(spec, spec->geometry.mark, RK_INVALID, context->err,
                         "geometry.surfaces: no material for '%s'; name one for floor, ceiling and "
                         "walls (or each wall)",
                         missing);
    }
    return RK_OK;
}

static rk_status resolve_opening(room_context *context, size_t index)
{
    const rk_room_spec *spec = context->spec;
    const rk_room_opening *opening = &spec->openings[index];
    room_opening *out = &context->openings[index];
    char what[96];
    snprintf(what, sizeof(what), "opening '%.48s'", opening->name);
    out->wall = wall_find(context, opening->wall);
    if (out->wall == context->wall_count) {
        return unknown_surface(context, opening->mark, what, opening->wall, true);
    }
    const room_wall *wall = &context->walls[out->wall];
    if (!(opening->from[0] < opening->to[0] && opening->from[1] < opening->to[1])) {
        return room_fail(spec, opening->mark, RK_INVALID, context->err,
                         "%s: 'from' must be less than 'to' along the wall and in height", what);
    }
    if (!(opening->from[0] >= -ROOM_TOLERANCE_M && opening->from[1] >= -ROOM_TOLERANCE_M &&
          opening->to[0] <= wall->length_m + ROOM_TOLERANCE_M &&
          opening->to[1] <= context->height_m + ROOM_TOLERANCE_M)) {
        return room_fail(spec, opening->mark, RK_INVALID, context->err,
                         "%s: %g .. %g m along and %g .. %g m up do not fit on the wall '%s', "
                         "which is %g m long and %g m high",
                         what, opening->from[0], opening->to[0], opening->from[1], opening->to[1],
                         wall->name, wall->length_m, context->height_m);
    }
    out->open = opening->state == RK_ROOM_OPEN;
    if (!out->open) {
        if (!opening->material) {
            return room_fail(spec, opening->mark, RK_INVALID, context->err,
                             "%s is closed, so it needs a material, for example 'glass'", what);
        }
        return surface_value(context, opening->mark, what, opening->material, &out->value);
    }
    if (opening->depth_m < 0.0 || opening->depth_m > 100.0) {
        return room_fail(spec, opening->mark, RK_INVALID, context->err,
                         "%s: a depth of %g m is outside 0 .. 100 m", what, opening->depth_m);
    }
    out->value.xi = RK_ABSORB_XI_OPEN;
    out->value.alpha = rk_absorb_alpha(RK_ABSORB_XI_OPEN);
    if (opening->depth_m > 0.0) {
        double cells = fmax(1.0, round(opening->depth_m / context->grid->dx_m));
        out->depth_m = cells * context->grid->dx_m;
    }
    return RK_OK;
}

/* Is the upright prism over the rectangle or disc wholly inside the room? */
static bool piece_fits(const room_context *context, const rk_room_furniture *piece)
{
    double slack = ROOM_TOLERANCE_M;
    if (piece->shape == RK_ROOM_BOX) {
        return piece->from.z >= -slack && piece->to.z <= context->height_m + slack &&
               room_plan_contains(context, piece->from.x, piece->from.y) &&
               room_plan_contains(context, piece->to.x, piece->from.y) &&
               room_plan_contains(context, piece->from.x, piece->to.y) &&
               room_plan_contains(context, piece->to.x, piece->to.y);
    }
    if (!(piece->center.z >= -slack &&
          piece->center.z + piece->height_m <= context->height_m + slack &&
          room_plan_contains(context, piece->center.x, piece->center.y))) {
        return false;
    }
    for (int i = 0; i < 32; i++) {
        double angle = 2.0 * M_PI * i / 32.0;
        /* A hair less than the radius: a cylinder may touch a wall. */
        double radius = piece->radius_m * (1.0 - 1e-9);
        if (!room_plan_contains(context, piece->center.x + radius * cos(angle),
                                piece->center.y + radius * sin(angle))) {
            return false;
        }
    }
    return true;
}

static rk_status resolve_piece(room_context *context, size_t index)
{
    const rk_room_spec *spec = context->spec;
    const rk_room_furniture *piece = &spec->furniture[index];
    char what[96];
    snprintf(what, sizeof(what), "furniture '%.48s'", piece->name);
    bool box = piece->shape == RK_ROOM_BOX;
    if (box && !(piece->from.x < piece->to.x && piece->from.y < piece->to.y &&
                 piece->from.z < piece->to.z)) {
        return room_fail(spec, piece->mark, RK_INVALID, context->err,
                         "%s: a box needs 'from' and 'to', with 'from' less than 'to' in all three "
                         "coordinates",
                         what);
    }
    if (!box && !(piece->radius_m > 0.0 && piece->height_m > 0.0 && isfinite(piece->center.x) &&
                  isfinite(piece->center.y) && isfinite(piece->center.z))) {
        return room_fail(spec, piece->mark, RK_INVALID, context->err,
                         "%s: a cylinder needs a 'center' (of its foot), a 'radius' and a 'height' "
                         "of more than 0",
                         what);
    }
    if (!piece_fits(context, piece)) {
        return room_fail(spec, piece->mark, RK_INVALID, context->err,
                         "%s reaches outside the room (%.4g m high); move it or make it smaller",
                         what, context->height_m);
    }
    const rk_room_material *material = room_material_find(spec, piece->material);
    if (!material) {
        return unknown_material(context, piece->mark, what, piece->material);
    }
    if (isnan(material->absorption)) {
        context->pieces[index].medium = material;
        return RK_OK;
    }
    return surface_value(context, piece->mark, what, piece->material,
                         &context->pieces[index].value);
}

/* Names in one list must differ: they become file names and columns. item_bytes is the stride. */
static rk_status check_names(room_context *context, const char *kind, const void *items,
                             size_t count, size_t item_bytes, size_t name_at, size_t mark_at)
{
    if (count > ROOM_ITEMS_MAX) {
        return room_fail(context->spec, context->spec->mark, RK_LIMIT, context->err,
                         "room.%s: %zu entries are more than the %u that fit", kind, count,
                         ROOM_ITEMS_MAX);
    }
    const char *base = items;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        memcpy(&name, base + i * item_bytes + name_at, sizeof(name));
        for (size_t k = 0; k < i; k++) {
            const char *other;
            rk_room_mark first;
            memcpy(&other, base + k * item_bytes + name_at, sizeof(other));
            memcpy(&first, base + k * item_bytes + mark_at, sizeof(first));
            if (strcmp(name, other) == 0) {
                rk_room_mark mark;
                memcpy(&mark, base + i * item_bytes + mark_at, sizeof(mark));
                return room_fail(context->spec, mark, RK_EXISTS, context->err,
                                 "room.%s: the name '%s' is taken by the entry in line %u", kind,
                                 name, first.line);
            }
        }
    }
    return RK_OK;
}

#define CHECK_NAMES(list, count, type)                                                             \
    check_names(context, #list, spec->list, spec->count, sizeof(type), offsetof(type, name),       \
                offsetof(type, mark))

static rk_status check_all_names(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_status status = CHECK_NAMES(materials, material_count, rk_room_material);
    if (status == RK_OK) {
        status = CHECK_NAMES(furniture, furniture_count, rk_room_furniture);
    }
    if (status == RK_OK) {
        status = CHECK_NAMES(openings, opening_count, rk_room_opening);
    }
    if (status == RK_OK) {
        status = CHECK_NAMES(sources, source_count, rk_room_source);
    }
    if (status == RK_OK) {
        status = CHECK_NAMES(receivers, receiver_count, rk_room_receiver);
    }
    if (status == RK_OK) {
        status = CHECK_NAMES(slices, slice_count, rk_room_slice);
    }
    return status;
}

rk_status room_check(room_context *context)
{
    const rk_room_spec *spec = context->spec;
    rk_status status = check_all_names(context);
    if (status != RK_OK) {
        return status;
    }
    context->openings = calloc(spec->opening_count + 1, sizeof(*context->openings));
    context->pieces = calloc(spec->furniture_count + 1, sizeof(*context->pieces));
    if (!context->openings || !context->pieces) {
        return rk_err_set(context->err, RK_NO_MEMORY, "no memory for the description of the room");
    }
    status = check_materials(context);
    if (status == RK_OK) {
        status = room_resolve_walls(context);
    }
    if (status == RK_OK) {
        status = resolve_surfaces(context);
    }
    for (size_t i = 0; i < spec->furniture_count && status == RK_OK; i++) {
        status = resolve_piece(context, i);
    }
    if (status == RK_OK) {
        status = resolve_air(context);
    }
    if (status == RK_OK) {
        status = resolve_spacing(context);
    }
    for (size_t i = 0; i < spec->opening_count && status == RK_OK; i++) {
        status = resolve_opening(context, i);
    }
    return status;
}
