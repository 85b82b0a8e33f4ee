/*
 * room.h: a room as the arrays that a wave kernel needs, made from its description.
 *
 * rk_room_grid is the result of rk_room_build: a grid of cubic cells, x fastest, then y, then z,
 * with one layer of solid cells around everything. It serves the second-order scalar scheme
 *
 *   r      = 2 p - p_prev + m_i sum_faces s_j (p_j - p_i)
 *   p_next = (r + a p_prev) / (1 + a)
 *
 *   s_i = sqrt(1 / rho_i), 0 in solid cells, so that rigid walls need no branch
 *   m_i = s_i rho_i c_i^2 dt^2 / dx^2
 *   a   = (c_i dt / dx) / 2 * xi_i, where xi_i is the sum of the normalised admittances of the
 *         absorbing faces of cell i: the entry of that cell in boundary_admittance
 *
 * (S. Bilbao, IEEE Trans. Audio Speech Lang. Process. 21(7), 2013: finite volumes; a slanted or
 * round surface is a staircase whose faces count with the cosine to the true normal, so that the
 * absorbing area is right). The scheme is stable while m_i sum_faces s_j <= 2 everywhere; in air
 * alone that is c dt / dx <= 1 / sqrt(3).
 */
#ifndef RK_JOB_ROOM_H
#define RK_JOB_ROOM_H

#include "job/room_spec.h"

#include <ringkernel/status.h>

/* What a cell is. Everything but RK_ROOM_CELL_FLUID is solid for the kernel. */
typedef enum rk_room_cell {
    RK_ROOM_CELL_FLUID = 0,
    RK_ROOM_CELL_WALL = 1,
    RK_ROOM_CELL_FURNITURE = 2,
    RK_ROOM_CELL_OPENING = 3 /* behind the far end of an opening */
} rk_room_cell;

/* A point between cell centres: up to 8 fluid cells whose weights add up to 1. */
typedef struct rk_room_point {
    uint32_t count;
    uint64_t cell[8];
    float weight[8];
} rk_room_point;

/* A slice: all cells whose index along axis is index (halo included); one picture per step. */
typedef struct rk_room_plane {
    rk_room_axis axis;
    uint32_t index;
    uint64_t *steps; /* rising; a picture shows the state after this many steps */
    size_t step_count;
} rk_room_plane;

typedef struct rk_room_grid {
    uint32_t nx, ny, nz; /* cells, halo included */
    uint64_t cell_count, fluid_count;
    double dx_m, dt_s;
    double dt_limit_s;         /* the largest stable time step */
    double sample_rate_hz;     /* 1 / dt_s */
    double frequency_limit_hz; /* up to here there are points_per_wavelength cells per wavelength */
    double air_speed_m_s, air_density_kg_m3;
    uint64_t step_count; /* duration / dt, rounded up */
    rk_room_vec origin;  /* the low corner of cell (1, 1, 1), in room coordinates */

    float *sound_speed; /* m/s, [cell_count]; that of air in solid cells */
    float *density;     /* kg/m3, [cell_count] */
    uint8_t *solid;     /* rk_room_cell, [cell_count]; 0 = fluid */

    size_t boundary_count; /* fluid cells with at least one absorbing face, rising */
    uint64_t *boundary_cell;
    float *boundary_admittance;

    rk_room_point *sources;   /* [source_count of the spec] */
    rk_room_point *receivers; /* [receiver_count] */
    rk_room_plane *planes;    /* [slice_count] */
    size_t source_count, receiver_count, plane_count;

    double volume_m3;       /* of the fluid */
    double surface_m2;      /* of all surfaces, openings and furniture included */
    double mean_absorption; /* random incidence, weighted by area */
} rk_room_grid;

/*
 * Checks the whole description and builds the grid. Sentences in err name the item and its place in
 * the job file. RK_INVALID: the description is wrong; RK_LIMIT: more memory than
 * grid.memory_limit_bytes; RK_NO_MEMORY. On success the caller ends with rk_room_grid_finish.
 * Blocks for as long as it computes; no files are read.
 */
rk_status rk_room_build(const rk_room_spec *spec, rk_room_grid *out_grid, rk_err *err);

/* Frees what the grid owns. A zeroed grid is fine. */
void rk_room_grid_finish(rk_room_grid *grid);

/*
 * The samples that source index adds, one per step, to p_next in the cells of grid->sources[index]
 * (times their weights), scaled so that the free field at 1 m peaks at level_pa. out_samples has
 * grid->step_count entries. Reads the WAV file of a WAV source: RK_NOT_FOUND, RK_IO, RK_CORRUPT, or
 * RK_INVALID when its rate is not the declared one. *out_end_s is when the signal has ended.
 */
rk_status rk_room_source_samples(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                                 float *out_samples, double *out_end_s, rk_err *err);

/* The built-in materials, for listings. */
const rk_room_material *rk_room_materials(size_t *out_count);

/* Bytes per cell that rk_room_build plans for: its own arrays and those of the wave kernel. */
#define RK_ROOM_BYTES_PER_CELL 32

#endif
