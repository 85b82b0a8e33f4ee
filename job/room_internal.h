/*
 * room_internal.h: what the files of the room builder share. Not for users of job/room.h.
 *
 * Order of work: room_check.c turns the description into a context (walls, materials, openings),
 * room_voxel.c fills the owner of each cell, room_boundary.c finds the absorbing faces, room.c
 * chooses the time step and places points and planes.
 */
#ifndef RK_JOB_ROOM_INTERNAL_H
#define RK_JOB_ROOM_INTERNAL_H

#include "job/room.h"

#define ROOM_CORNERS_MAX 256u
#define ROOM_ITEMS_MAX 4096u
#define ROOM_WALL_NAME_MAX 32
#define ROOM_TOLERANCE_M 1e-9

/* Codes of the owner array. Openings and furniture follow in the order of the description. */
enum { ROOM_OWNER_OUTSIDE = 0, ROOM_OWNER_AIR = 1, ROOM_OWNER_FIRST = 2 };

typedef struct room_value {
    double xi;    /* normalised admittance */
    double alpha; /* the random-incidence absorption that it stands for */
} room_value;

/*
 * A wall: from (ax, ay) length_m along the unit vector (ux, uy); (nx, ny) points out of the room.
 */
typedef struct room_wall {
    char name[ROOM_WALL_NAME_MAX];
    double ax, ay, ux, uy, nx, ny, length_m;
    room_value value;
} room_wall;

typedef struct room_opening {
    size_t wall;
    bool open;
    double depth_m; /* a whole number of cells, 0: no niche */
    room_value value;
} room_opening;

/* Furniture is solid with a surface value, or carries sound (medium set). */
typedef struct room_piece {
    const rk_room_material *medium;
    room_value value;
} room_piece;

typedef struct room_context {
    const rk_room_spec *spec;
    rk_err *err;
    double height_m, min_speed_m_s;
    room_wall *walls;
    size_t wall_count;
    room_value floor, ceiling;
    room_opening *openings;
    room_piece *pieces;
    rk_room_grid *grid;
    uint16_t *owner;
} room_context;

/* Sets err to "file:line:column: sentence" and returns code. */
rk_status room_fail(const rk_room_spec *spec, rk_room_mark mark, rk_status code, rk_err *err,
                    const char *format, ...) RK_PRINTF(5, 6);

/* Calls rk_suggest over the count names and appends its answer, if any, to the sentence in err. */
void room_suggest(rk_err *err, const char *word, const char *const *names, size_t count);

/* The material of that name: the description's own come before the built-in ones. NULL: none. */
const rk_room_material *room_material_find(const rk_room_spec *spec, const char *name);

/* Fills the walls and the height from the geometry, without surface values. */
rk_status room_resolve_walls(room_context *context);

/* Fills walls, surface values, openings, pieces, air and dx. Frees nothing on failure. */
rk_status room_check(room_context *context);

/* Sets origin, sizes and owner, and the arrays of the grid that follow from it. */
rk_status room_voxelise(room_context *context);

/* Sets the boundary arrays and the surface statistics. */
rk_status room_find_boundary(room_context *context);

/* Is the point inside the plan (the polygon of the walls)? Points on the edge count as inside. */
bool room_plan_contains(const room_context *context, double x, double y);

#endif
