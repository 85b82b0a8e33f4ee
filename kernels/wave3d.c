/*
 * wave3d.c: sound in a box of cells, with its own sound speed and density in every cell.
 *
 * Scheme: the scalar wave equation p_tt / K = div(grad p / rho), K = rho c^2, second order in space
 * and time on cubes (explicit leapfrog; Bilbao, Numerical Sound Synthesis, 2009, ch. 12-13, and
 * Bilbao, "Modeling of complex geometries and boundary conditions in finite difference/finite
 * volume time domain room acoustics simulation", IEEE TASLP 21(7), 2013):
 *
 *     p_next = 2 p - p_prev + m_i sum_faces s_j (p_j - p_i)
 *     s = sqrt(1 / rho), 0 in solid cells;  m_i = s_i K_i dt^2 / dx^2
 *
 * so that a face has the symmetric weight s_i s_j, a solid neighbour is a rigid wall, and
 *
 *     E = dx/2 sum_i s_i ((p_next - p)^2 / m_i - p_next sum_j s_j (p_j - p_i))      [J/s^2]
 *
 * is conserved without boundary losses. An absorbing face of specific admittance xi (rho c / Z) in
 * a cell with Courant number lambda = c dt / dx gives, with a = lambda/2 sum xi over its absorbing
 * faces,
 *
 *     p_next = (p_next_rigid + a p_prev) / (1 + a)
 *
 * Invariants
 *   1. Cell (x, y, z) has the flat index (z ny + y) nx + x in every field of shape nz,ny,nx. The
 *      faces of the box are rigid walls.
 *   2. Time level n lies in pressure_even or pressure_odd, by the parity of n; step n writes
 *      level n+1 over level n-1. A step reads only level n of other cells.
 *   3. row_plan holds for each row the longest span [lo, hi) of cells with one s and one m, whose
 *      neighbours have that s too or are walls: in a direction across the row either all or none of
 *      them. There the step needs only the two pressure arrays.
 */
#define RK_NAME wave3d
#define RK_SUMMARY "acoustic waves in three dimensions (finite differences in the time domain)"
#define RK_PARAMS(P)                                                                               \
    P(u32, nx, "64", "cells", "cells along x, the fastest index")                                  \
    P(u32, ny, "64", "cells", "cells along y")                                                     \
    P(u32, nz, "64", "cells", "cells along z, the slowest index")                                  \
    P(f64, dx, "0.05", "m", "edge of a cell")                                                      \
    P(f64, dt, "8.4e-5", "s", "time step; at most dx / (c sqrt 3) in a uniform medium")            \
    P(f64, medium_sound_speed, "343", "m/s", "sound speed where the field holds 0")                \
    P(f64, medium_density, "1.2", "kg/m3", "density where the field holds 0")                      \
    P(u32, n_sources, "0", "", "number of sources")                                                \
    P(u32, n_receivers, "0", "", "number of receivers")                                            \
    P(u32, n_samples, "0", "steps", "length of source signals and of the logs")                    \
    P(u32, n_boundary, "0", "cells", "cells with an absorbing face")                               \
    P(u32, energy, "0", "", "1: log the energy of each step (feature energy); slow")
#define RK_CELLS "nz,ny,nx"
#define RK_FIELDS(F)                                                                               \
    F(real, pressure_even, RK_CELLS, "Pa", "state,output,double", "pressure at even steps")        \
    F(real, pressure_odd, RK_CELLS, "Pa", "state,output,double", "pressure at odd steps")          \
    F(real, sound_speed, RK_CELLS, "m/s", "input", "per cell; 0: medium_sound_speed")              \
    F(real, density, RK_CELLS, "kg/m3", "input", "per cell; 0: medium_density")                    \
    F(u8, solid, RK_CELLS, "", "input", "1 in solid cells")                                        \
    F(u32, boundary_cell, "n_boundary", "", "input,state", "flat cell indices, ascending")         \
    F(real, boundary_admittance, "n_boundary", "", "input", "sum of xi over absorbing faces")      \
    F(u32, source_cell, "n_sources,8", "", "input,state", "flat indices of the cells of a source") \
    F(real, source_weight, "n_sources,8", "", "input,state", "and their weights")                  \
    F(real, source_signal, "n_sources,n_samples", "Pa", "input,state", "added in each step")       \
    F(u32, receiver_cell, "n_receivers,8", "", "input,state", "flat indices of its cells")         \
    F(real, receiver_weight, "n_receivers,8", "", "input,state", "and their weights")              \
    F(real, receiver_log, "n_receivers,n_samples", "Pa", "state,output", "pressure after a step")  \
    F(f64, energy_log, "n_samples", "J/s2", "state,output", "feature energy: E after each step")   \
    F(f64, energy_part, "blocks", "J/s2", "scratch", "each block's part of E")                     \
    F(real, cell_s, RK_CELLS, "", "state", "s of the scheme")                                      \
    F(real, cell_m, RK_CELLS, "", "state", "m of the scheme")                                      \
    F(u32, row_plan, "nz*ny,7", "", "state", "what a step does in a row")                          \
    F(real, row_lambda2, "nz*ny", "", "state", "m s in the span")                                  \
    F(real, boundary_before, "n_boundary", "", "state", "1 - a")                                   \
    F(real, boundary_after, "n_boundary", "", "state", "1 / (1 + a)")
#define RK_PHASES(X) X(advance)
#define RK_FEATURES(X) X(energy, "writes the acoustic energy of each step into energy_log")
#define RK_VARIANTS(X) X(f32, "single precision") X(f64, "double precision")
#define RK_SHARED_BYTES 8192
#define RK_HAS_INIT 1
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#include <ringkernel/kernel.h>
#define WAVE_LOGS_ENERGY(k) (RK_PARAM(k, energy) != 0u && RK_FEATURE(k, energy) != 0u)

/* Custom operations. */
#define WAVE_OP_ENERGY 1u /* answers with the bits of three f64: E, peak |p|, rms of p; serial */

/* Panic codes. */
enum { WAVE_BAD_SHAPE = 1, WAVE_BAD_MEDIUM, WAVE_UNSTABLE, WAVE_BAD_BOUNDARY, WAVE_BAD_POINT };

/*
 * Words of row_plan: the span; the walls beside all of it and at its ends; where the cells lie that
 * are not solid; the first entry of boundary_cell in this row or behind it; whether this row and
 * those of the next planes, WAVE_DEPTH in all, have one plan.
 */
enum {
    WAVE_LO,
    WAVE_HI,
    WAVE_WALLS,
    WAVE_FLUID_LO,
    WAVE_FLUID_HI,
    WAVE_BOUNDARY,
    WAVE_STACK,
    WAVE_WORDS
};
#define WAVE_WALL_Y_LO 1u
#define WAVE_WALL_Y_HI 2u
#define WAVE_WALL_Z_LO 4u
#define WAVE_WALL_Z_HI 8u
#define WAVE_WALL_X_LO 16u
#define WAVE_WALL_X_HI 32u

/* Planes and, in bytes, rows of a plane that are taken together: neighbours stay in the caches. */
#define WAVE_DEPTH 4u
#define WAVE_TILE_BYTES 32768u

/* Cells between prefetches: the memory behind a CPU's caches must be asked for early. */
#if defined(RK_TARGET_CPU) && !defined(RK_FIBER)
#define WAVE_CHUNK 64u
#else
#define WAVE_CHUNK 0x40000000u
#endif
#define WAVE_AHEAD (2048u / (rk_u32)sizeof(rk_real))
#define WAVE_LINE (64u / (rk_u32)sizeof(rk_real))

typedef struct wave {
    rk_u32 nx, ny, nz, rows;
    rk_u64 plane; /* cells between planes */
    rk_u64 cells;
    RK_G rk_real *now;  /* time level n */
    RK_G rk_real *next; /* level n - 1, becomes n + 1 */
    RK_G rk_real *s;
    RK_G rk_real *m;
    RK_G rk_u32 *plan;
    RK_G rk_real *lambda2;
} wave;

/* `level` is the time level that is called now. */
RK_FN void wave_view(rk_ctx *k, rk_u64 level, wave *w)
{
    w->nx = RK_PARAM(k, nx);
    w->ny = RK_PARAM(k, ny);
    w->nz = RK_PARAM(k, nz);
    w->rows = w->ny * w->nz;
    w->plane = (rk_u64)w->nx * w->ny;
    w->cells = w->plane * w->nz;
    w->now = (level & 1u) != 0u ? RK_FIELD(k, pressure_odd) : RK_FIELD(k, pressure_even);
    w->next = (level & 1u) != 0u ? RK_FIELD(k, pressure_even) : RK_FIELD(k, pressure_odd);
    w->s = RK_FIELD(k, cell_s);
    w->m = RK_FIELD(k, cell_m);
    w->plan = RK_FIELD(k, row_plan);
    w->lambda2 = RK_FIELD(k, row_lambda2);
}

/* Cells from a row to its neighbours across; 0, the row itself, at the faces of the box. */
typedef struct wave_sides {
    rk_u64 y0, y1, z0, z1;
} wave_sides;

RK_FN void wave_sides_of(const wave *w, rk_u32 row, wave_sides *sides)
{
    rk_u32 z = row / w->ny;
    rk_u32 y = row - z * w->ny;
    sides->y0 = y == 0u ? 0u : w->nx;
    sides->y1 = y + 1u == w->ny ? 0u : w->nx;
    sides->z0 = z == 0u ? 0u : w->plane;
    sides->z1 = z + 1u == w->nz ? 0u : w->plane;
}

/* ---- The step ---- */

/* Any cell, with the distances to its neighbours along x: 0 or 1. */
RK_FN rk_real wave_cell_any(const wave *w, const wave_sides *d, rk_u64 i, rk_u32 x0, rk_u32 x1)
{
    RK_G const rk_real *p = w->now + i;
    RK_G const rk_real *s = w->s + i;
    rk_real c = p[0];
    rk_real flow = s[-(rk_i64)x0] * (p[-(rk_i64)x0] - c) + s[x1] * (p[x1] - c) +
                   s[-(rk_i64)d->y0] * (p[-(rk_i64)d->y0] - c) + s[d->y1] * (p[d->y1] - c) +
                   s[-(rk_i64)d->z0] * (p[-(rk_i64)d->z0] - c) + s[d->z1] * (p[d->z1] - c);
    return (c + c - w->next[i]) + w->m[i] * flow;
}

/* Cells [lo, hi) of a row, whatever they are. */
RK_OUTLINE void wave_row_any(rk_ctx *k, const wave *w, rk_u32 row, rk_u32 lo, rk_u32 hi)
{
    wave_sides d;
    rk_u64 base = (rk_u64)row * w->nx;
    wave_sides_of(w, row, &d);
    if (lo == 0u && RK_LANE(k) == 0u) {
        w->next[base] = wave_cell_any(w, &d, base, 0u, w->nx > 1u ? 1u : 0u);
    }
    if (hi == w->nx && hi > 1u && RK_LANE(k) == 0u) {
        w->next[base + hi - 1u] = wave_cell_any(w, &d, base + hi - 1u, 1u, 0u);
    }
    lo = lo == 0u ? 1u : lo;
    hi = hi == w->nx ? hi - 1u : hi;
    RK_G rk_real *RK_RESTRICT next = w->next + base;
    RK_G const rk_real *p = w->now + base;
    RK_G const rk_real *s = w->s + base;
    RK_G const rk_real *m = w->m + base;
    RK_FOR_LANES(k, i, lo, hi)
    {
        rk_real c = p[i];
        rk_real flow = (s - 1)[i] * ((p - 1)[i] - c) + (s + 1)[i] * ((p + 1)[i] - c) +
                       (s - d.y0)[i] * ((p - d.y0)[i] - c) + (s + d.y1)[i] * ((p + d.y1)[i] - c) +
                       (s - d.z0)[i] * ((p - d.z0)[i] - c) + (s + d.z1)[i] * ((p + d.z1)[i] - c);
        next[i] = (c + c - next[i]) + m[i] * flow;
    }
}

/*
 * A cell of a uniform span: neighbours along x, y and z, centre, level n - 1. A constant pressure
 * stays constant to the last bit, because nothing else holds the mode of frequency 0.
 */
RK_FN rk_real wave_cell(rk_real x, rk_real y, rk_real z, rk_real p, rk_real before, rk_real lambda2)
{
    return (p + p - before) + lambda2 * ((x + y) + z - (rk_real)6 * p);
}

/* One row of a span: `count` cells from `next`, neighbours across at the given rows. */
typedef struct wave_row {
    RK_G rk_real *next;
    RK_G const rk_real *p;
    RK_G const rk_real *y0;
    RK_G const rk_real *y1;
    RK_G const rk_real *z0;
    RK_G const rk_real *z1;
} wave_row;

RK_FN void wave_row_cells(rk_ctx *k, const wave_row *r, rk_u32 lo, rk_u32 count, rk_real lambda2)
{
    RK_G rk_real *RK_RESTRICT next = r->next + lo;
    RK_G const rk_real *p = r->p + lo;
    RK_G const rk_real *y0 = r->y0 + lo;
    RK_G const rk_real *y1 = r->y1 + lo;
    RK_G const rk_real *z0 = r->z0 + lo;
    RK_G const rk_real *z1 = r->z1 + lo;
    RK_FOR_LANES(k, i, 0u, count)
    {
        next[i] = wave_cell((p - 1)[i] + (p + 1)[i], y0[i] + y1[i], z0[i] + z1[i], p[i], next[i],
                            lambda2);
    }
}

RK_OUTLINE void wave_row_advance(rk_ctx *k, const wave_row *r, rk_u32 count, rk_real lambda2)
{
    rk_u32 lo = 0u;
    for (; count - lo >= WAVE_CHUNK; lo += WAVE_CHUNK) {
        for (rk_u32 j = 0u; j < WAVE_CHUNK; j += WAVE_LINE) {
            RK_PREFETCH(r->z1 + lo + j + WAVE_AHEAD);
            RK_PREFETCH(r->next + lo + j + WAVE_AHEAD);
        }
        wave_row_cells(k, r, lo, WAVE_CHUNK, lambda2);
    }
    wave_row_cells(k, r, lo, count - lo, lambda2);
}

/* The same for one row in each of WAVE_DEPTH planes, without walls along z. */
RK_FN void wave_stack_cells(rk_ctx *k, const wave_row *r, rk_u64 plane, rk_u32 lo, rk_u32 count,
                            rk_real lambda2)
{
    RK_G rk_real *RK_RESTRICT n0 = r->next + lo;
    RK_G rk_real *RK_RESTRICT n1 = n0 + plane;
    RK_G rk_real *RK_RESTRICT n2 = n1 + plane;
    RK_G rk_real *RK_RESTRICT n3 = n2 + plane;
    RK_G const rk_real *pa = r->z0 + lo;
    RK_G const rk_real *p0 = r->p + lo;
    RK_G const rk_real *p1 = p0 + plane;
    RK_G const rk_real *p2 = p1 + plane;
    RK_G const rk_real *p3 = p2 + plane;
    RK_G const rk_real *pb = p3 + plane;
    rk_i64 y0 = r->y0 - r->p;
    rk_i64 y1 = r->y1 - r->p;
    RK_FOR_LANES(k, i, 0u, count)
    {
        rk_real a = pa[i];
        rk_real c0 = p0[i];
        rk_real c1 = p1[i];
        rk_real c2 = p2[i];
        rk_real c3 = p3[i];
        rk_real b = pb[i];
        n0[i] = wave_cell((p0 - 1)[i] + (p0 + 1)[i], (p0 + y0)[i] + (p0 + y1)[i], a + c1, c0, n0[i],
                          lambda2);
        n1[i] = wave_cell((p1 - 1)[i] + (p1 + 1)[i], (p1 + y0)[i] + (p1 + y1)[i], c0 + c2, c1,
                          n1[i], lambda2);
        n2[i] = wave_cell((p2 - 1)[i] + (p2 + 1)[i], (p2 + y0)[i] + (p2 + y1)[i], c1 + c3, c2,
                          n2[i], lambda2);
        n3[i] = wave_cell((p3 - 1)[i] + (p3 + 1)[i], (p3 + y0)[i] + (p3 + y1)[i], c2 + b, c3, n3[i],
                          lambda2);
    }
}

RK_OUTLINE void wave_stack_advance(rk_ctx *k, const wave_row *r, rk_u64 plane, rk_u32 count,
                                   rk_real lambda2)
{
    rk_u32 lo = 0u;
    for (; count - lo >= WAVE_CHUNK; lo += WAVE_CHUNK) {
        for (rk_u32 z = 0u; z < WAVE_DEPTH; z++) {
            for (rk_u32 j = 0u; j < WAVE_CHUNK; j += WAVE_LINE) {
                RK_PREFETCH(r->p + (z + 1u) * plane + lo + j + WAVE_AHEAD);
                RK_PREFETCH(r->next + z * plane + lo + j + WAVE_AHEAD);
            }
        }
        wave_stack_cells(k, r, plane, lo, WAVE_CHUNK, lambda2);
    }
    wave_stack_cells(k, r, plane, lo, count - lo, lambda2);
}

RK_FN RK_G rk_u32 *wave_plan(const wave *w, rk_u32 row)
{
    return w->plan + (rk_u64)WAVE_WORDS * row;
}

/* The cell of a span at a wall along x, taken again as its own neighbour there. */
RK_FN void wave_end(const wave_row *r, rk_u64 up, rk_u32 i, rk_real x0, rk_real x1, rk_real before,
                    rk_real lambda2)
{
    rk_u64 j = up + i;
    r->next[j] =
        wave_cell(x0 + x1, r->y0[j] + r->y1[j], r->z0[j] + r->z1[j], r->p[j], before, lambda2);
}

/*
 * The spans of a row and of the rows above it in `depth` planes. A wall beside all of a span is, as
 * its neighbour, the row itself: no flow.
 */
RK_FN void wave_spans(rk_ctx *k, const wave *w, rk_u32 row, rk_u32 depth)
{
    RK_G const rk_u32 *plan = wave_plan(w, row);
    rk_u32 walls = plan[WAVE_WALLS];
    rk_u32 end = plan[WAVE_HI] - plan[WAVE_LO] - 1u;
    rk_u32 wall_lo = walls & WAVE_WALL_X_LO;
    rk_u32 wall_hi = walls & WAVE_WALL_X_HI;
    rk_real lambda2 = w->lambda2[row];
    rk_u64 first = (rk_u64)row * w->nx + plan[WAVE_LO];
    rk_real before[2u * WAVE_DEPTH];
    wave_row r;
    r.next = w->next + first;
    r.p = w->now + first;
    r.y0 = (walls & WAVE_WALL_Y_LO) != 0u ? r.p : r.p - w->nx;
    r.y1 = (walls & WAVE_WALL_Y_HI) != 0u ? r.p : r.p + w->nx;
    r.z0 = (walls & WAVE_WALL_Z_LO) != 0u ? r.p : r.p - w->plane;
    r.z1 = (walls & WAVE_WALL_Z_HI) != 0u ? r.p : r.p + w->plane;
    for (rk_u32 z = 0u; z < depth; z++) {
        before[2u * z] = r.next[z * w->plane];
        before[2u * z + 1u] = r.next[z * w->plane + end];
    }
    if (depth != 1u) {
        wave_stack_advance(k, &r, w->plane, end + 1u, lambda2);
    } else {
        wave_row_advance(k, &r, end + 1u, lambda2);
    }
    if (wall_lo != 0u && RK_LANE(k) == 0u) { /* the lane that wrote this cell, here and below */
        for (rk_u32 z = 0u; z < depth; z++) {
            RK_G const rk_real *p = r.p + z * w->plane;
            wave_end(&r, z * w->plane, 0u, p[0], end == 0u && wall_hi != 0u ? p[0] : p[1],
                     before[2u * z], lambda2);
        }
    }
    if (wall_hi != 0u && RK_LANE(k) == end % RK_LANES(k)) {
        for (rk_u32 z = 0u; z < depth; z++) {
            RK_G const rk_real *p = r.p + z * w->plane + end;
            wave_end(&r, z * w->plane, end, end == 0u && wall_lo != 0u ? p[0] : (p - 1)[0], p[0],
                     before[2u * z + 1u], lambda2);
        }
    }
}

/* A row, and the rows above it in `depth` planes. */
RK_FN void wave_take(rk_ctx *k, const wave *w, rk_u32 row, rk_u32 depth)
{
    RK_G const rk_u32 *plan = wave_plan(w, row);
    if (plan[WAVE_HI] > plan[WAVE_LO]) {
        wave_spans(k, w, row, depth);
    }
    for (rk_u32 z = 0u; z < depth; z++, row += w->ny) {
        if (plan[WAVE_FLUID_LO] < plan[WAVE_LO]) {
            wave_row_any(k, w, row, plan[WAVE_FLUID_LO], plan[WAVE_LO]);
        }
        if (plan[WAVE_FLUID_HI] > plan[WAVE_HI]) {
            wave_row_any(k, w, row, plan[WAVE_HI], plan[WAVE_FLUID_HI]);
        }
    }
}

/* This lane's part of E in a row, between the levels `next` (later) and `now`. */
RK_OUTLINE rk_f64 wave_row_energy(const wave *w, rk_u32 row, rk_f64 dx, rk_u32 lane, rk_u32 lanes)
{
    wave_sides d;
    rk_u64 base = (rk_u64)row * w->nx;
    rk_f64 sum = 0.0;
    wave_sides_of(w, row, &d);
    for (rk_u32 x = lane; x < w->nx; x += lanes) {
        rk_u64 i = base + x;
        rk_f64 s = (rk_f64)w->s[i];
        if (s > 0.0) {
            rk_u64 x0 = x == 0u ? i : i - 1u;
            rk_u64 x1 = x + 1u == w->nx ? i : i + 1u;
            rk_f64 p = (rk_f64)w->now[i];
            rk_f64 later = (rk_f64)w->next[i];
            rk_f64 flow = (rk_f64)w->s[x0] * ((rk_f64)w->now[x0] - p) +
                          (rk_f64)w->s[x1] * ((rk_f64)w->now[x1] - p) +
                          (rk_f64)w->s[i - d.y0] * ((rk_f64)w->now[i - d.y0] - p) +
                          (rk_f64)w->s[i + d.y1] * ((rk_f64)w->now[i + d.y1] - p) +
                          (rk_f64)w->s[i - d.z0] * ((rk_f64)w->now[i - d.z0] - p) +
                          (rk_f64)w->s[i + d.z1] * ((rk_f64)w->now[i + d.z1] - p);
            rk_f64 change = later - p;
            sum += s * (change * change / (rk_f64)w->m[i] - later * flow);
        }
    }
    return 0.5 * dx * sum;
}

/* Multiplies level n - 1 or n + 1 at the boundary cells of rows [row, end) by their factors. */
RK_FN void wave_boundary(rk_ctx *k, const wave *w, rk_u32 row, rk_u32 end,
                         RK_G const rk_real *factor)
{
    RK_G rk_real *next = w->next;
    RK_G const rk_u32 *cell = RK_FIELD(k, boundary_cell);
    rk_u32 first = wave_plan(w, row)[WAVE_BOUNDARY];
    rk_u32 last = end < w->rows ? wave_plan(w, end)[WAVE_BOUNDARY] : RK_PARAM(k, n_boundary);
    RK_FOR_LANES(k, i, first, last)
    {
        next[cell[i]] *= factor[i];
    }
}

/*
 * Rows [row, end) of a plane, and the same of the planes above, `depth` in all. With absorbing
 * faces p_next = (rigid - (1 - a) p_prev) / (1 + a), rigid being the step without p_prev: p_prev is
 * scaled before and p_next behind. Returns this lane's part of E.
 */
RK_FN rk_f64 wave_tile(rk_ctx *k, const wave *w, rk_u32 row, rk_u32 end, rk_u32 depth,
                       rk_u32 with_energy)
{
    rk_f64 energy = 0.0;
    rk_u32 above = depth * w->ny;
    if (RK_PARAM(k, n_boundary) != 0u) {
        for (rk_u32 up = 0u; up < above; up += w->ny) {
            wave_boundary(k, w, row + up, end + up, RK_FIELD(k, boundary_before));
        }
        RK_SYNC_BLOCK(k);
    }
    for (rk_u32 r = row; r < end; r++) {
        if (depth != 1u && wave_plan(w, r)[WAVE_STACK] != 0u) {
            wave_take(k, w, r, WAVE_DEPTH);
        } else {
            for (rk_u32 up = 0u; up < above; up += w->ny) {
                wave_take(k, w, r + up, 1u);
            }
        }
    }
    if (RK_PARAM(k, n_boundary) != 0u) {
        RK_SYNC_BLOCK(k);
        for (rk_u32 up = 0u; up < above; up += w->ny) {
            wave_boundary(k, w, row + up, end + up, RK_FIELD(k, boundary_after));
        }
    }
    if (with_energy != 0u) {
        RK_SYNC_BLOCK(k);
        for (rk_u32 up = 0u; up < above; up += w->ny) {
            for (rk_u32 r = row + up; r < end + up; r++) {
                energy += wave_row_energy(w, r, RK_PARAM(k, dx), RK_LANE(k), RK_LANES(k));
            }
        }
    }
    return energy;
}

/*
 * This block's rows: stacks of whole planes, in tiles of a few rows, and what is left at both ends.
 */
RK_FN rk_f64 wave_rows(rk_ctx *k, const wave *w, rk_u32 first, rk_u32 last, rk_u32 with_energy)
{
    rk_f64 energy = 0.0;
    rk_u32 ny = w->ny;
    rk_u32 tile = WAVE_TILE_BYTES / (w->nx * (rk_u32)sizeof(rk_real)) + 1u;
    for (rk_u32 y = 0u; first < last && y < ny; y += tile) {
        rk_u32 y_end = ny - y < tile ? ny : y + tile;
        rk_u32 plane = first / ny * ny;
        while (plane < last) {
            rk_u32 row = plane + y < first ? first : plane + y;
            rk_u32 end = plane + y_end > last ? last : plane + y_end;
            rk_u32 whole = plane >= first && last - plane >= WAVE_DEPTH * ny;
            rk_u32 depth = whole ? WAVE_DEPTH : 1u;
            if (row < end) {
                energy += wave_tile(k, w, row, end, depth, with_energy);
            }
            plane += depth * ny;
        }
    }
    return energy;
}

RK_PHASE(advance)
{
    wave w;
    wave_view(k, k->step, &w);
    rk_u64 first;
    rk_u64 last;
    rk_block_range(k, w.rows, &first, &last);
    rk_u32 with_energy = WAVE_LOGS_ENERGY(k) ? 1u : 0u;
    rk_f64 energy = wave_rows(k, &w, (rk_u32)first, (rk_u32)last, with_energy);
    if (with_energy != 0u) {
        energy = rk_block_sum(k, RK_SHARED(k, f64, 0), energy);
        if (RK_LANE(k) == 0u) {
            RK_FIELD(k, energy_part)[k->block] = energy;
        }
    }
}

/* Sources, receivers and the energy log; few cells, so one lane does them between two steps. */
RK_AFTER_STEP
{
    rk_u64 sample = k->step - 1u;
    rk_u64 n_samples = RK_PARAM(k, n_samples);
    if (sample >= n_samples) {
        return;
    }
    RK_G rk_real *p = (k->step & 1u) != 0u ? RK_FIELD(k, pressure_odd) : RK_FIELD(k, pressure_even);
    for (rk_u32 i = 0u; i < RK_PARAM(k, n_sources); i++) {
        rk_real value = RK_FIELD(k, source_signal)[i * n_samples + sample];
        for (rk_u32 j = 8u * i; j < 8u * i + 8u; j++) {
            p[RK_FIELD(k, source_cell)[j]] += RK_FIELD(k, source_weight)[j] * value;
        }
    }
    for (rk_u32 i = 0u; i < RK_PARAM(k, n_receivers); i++) {
        rk_real value = 0;
        for (rk_u32 j = 8u * i; j < 8u * i + 8u; j++) {
            value += RK_FIELD(k, receiver_weight)[j] * p[RK_FIELD(k, receiver_cell)[j]];
        }
        RK_FIELD(k, receiver_log)[i * n_samples + sample] = value;
    }
    if (WAVE_LOGS_ENERGY(k)) {
        rk_f64 energy = 0.0;
        for (rk_u32 b = 0u; b < k->block_count; b++) {
            energy += RK_FIELD(k, energy_part)[b];
        }
        RK_FIELD(k, energy_log)[sample] = energy;
    }
}

RK_ON_COMMAND
{
    (void)data;
    (void)length;
    if (op != WAVE_OP_ENERGY) {
        return 1u;
    }
    wave w;
    wave_view(k, k->step + 1u, &w); /* next is the present level, now the one before */
    rk_f64 energy = 0.0;
    rk_f64 peak = 0.0;
    rk_f64 squares = 0.0;
    rk_u64 fluid = 0u;
    for (rk_u32 row = 0u; row < w.rows; row++) {
        energy += wave_row_energy(&w, row, RK_PARAM(k, dx), 0u, 1u);
    }
    for (rk_u64 i = 0u; i < w.cells; i++) {
        rk_f64 p = (rk_f64)w.next[i];
        squares += p * p;
        fluid += w.s[i] > 0 ? 1u : 0u;
        peak = rk_fabs64(p) > peak ? rk_fabs64(p) : peak;
    }
    value[0] = rk_f64_bits(energy);
    value[1] = rk_f64_bits(peak);
    value[2] = rk_f64_bits(fluid == 0u ? 0.0 : rk_sqrt64(squares / (rk_f64)fluid));
    return 0u;
}

/* ---- Init ---- */

RK_FN rk_f64 wave_sound_speed(rk_ctx *k, rk_u64 cell)
{
    rk_f64 c = (rk_f64)RK_FIELD(k, sound_speed)[cell];
    return c == 0.0 ? RK_PARAM(k, medium_sound_speed) : c;
}

/* s and m of cells [first, last); solid cells get no pressure. */
RK_FN void wave_init_cells(rk_ctx *k, const wave *w, rk_u64 first, rk_u64 last)
{
    rk_f64 courant = RK_PARAM(k, dt) / RK_PARAM(k, dx);
    for (rk_u64 i = first + RK_LANE(k); i < last; i += RK_LANES(k)) {
        if (RK_FIELD(k, solid)[i] != 0u) {
            w->s[i] = 0;
            w->m[i] = 0;
            w->now[i] = 0;
            w->next[i] = 0;
            continue;
        }
        rk_f64 rho = (rk_f64)RK_FIELD(k, density)[i];
        rho = rho == 0.0 ? RK_PARAM(k, medium_density) : rho;
        rk_f64 c = wave_sound_speed(k, i);
        if (!(rho > 0.0 && rho < 1e9 && c > 0.0 && c < 1e9)) {
            rk_panic(k, WAVE_BAD_MEDIUM, "wave3d: a cell's sound_speed or density is not positive");
            return;
        }
        rk_f64 s = rk_sqrt64(1.0 / rho);
        w->s[i] = (rk_real)s;
        w->m[i] = (rk_real)(s * rho * c * c * courant * courant);
        w->now[i] = w->now[i] + 0; /* the owner touches its pages first */
        w->next[i] = w->next[i] + 0;
    }
}

/*
 * The walls beside a cell across the row; WAVE_NO_SPAN when a neighbour there is of another medium.
 */
#define WAVE_NO_SPAN 0x80000000u
RK_FN rk_u32 wave_side_walls(const wave *w, const wave_sides *d, rk_u64 i)
{
    rk_real s = w->s[i];
    rk_real side[4];
    side[0] = d->y0 == 0u ? 0 : w->s[i - d->y0];
    side[1] = d->y1 == 0u ? 0 : w->s[i + d->y1];
    side[2] = d->z0 == 0u ? 0 : w->s[i - d->z0];
    side[3] = d->z1 == 0u ? 0 : w->s[i + d->z1];
    rk_u32 walls = 0u;
    for (rk_u32 j = 0u; j < 4u; j++) {
        if (side[j] == 0) {
            walls |= 1u << j;
        } else if (side[j] != s) {
            return WAVE_NO_SPAN;
        }
    }
    return s > 0 ? walls : WAVE_NO_SPAN;
}

/* By Gershgorin's circles the scheme is stable when m_i sum_faces s_j <= 2 in every cell. */
RK_FN rk_u32 wave_is_stable(const wave *w, const wave_sides *d, rk_u32 x, rk_u64 i)
{
    rk_f64 sum = (x == 0u ? 0.0 : (rk_f64)w->s[i - 1u]) +
                 (x + 1u == w->nx ? 0.0 : (rk_f64)w->s[i + 1u]) +
                 (d->y0 == 0u ? 0.0 : (rk_f64)w->s[i - d->y0]) +
                 (d->y1 == 0u ? 0.0 : (rk_f64)w->s[i + d->y1]) +
                 (d->z0 == 0u ? 0.0 : (rk_f64)w->s[i - d->z0]) +
                 (d->z1 == 0u ? 0.0 : (rk_f64)w->s[i + d->z1]);
    return (rk_f64)w->m[i] * sum <= 2.00001;
}

/*
 * Fits the run [*lo, *hi) of equal cells to what a span may be; returns its walls along x. A span
 * reads the cells in front of it and behind it, so the field's first and last cell are in none.
 */
RK_FN rk_u32 wave_trim(const wave *w, rk_u64 base, rk_real s, rk_u32 *lo, rk_u32 *hi)
{
    rk_u32 walls = 0u;
    *lo += base + *lo == 0u ? 1u : 0u;
    *hi -= base + *hi == w->cells ? 1u : 0u;
    rk_real before = *lo == 0u ? 0 : w->s[base + *lo - 1u];
    rk_real behind = *hi == w->nx ? 0 : w->s[base + *hi];
    if (before == 0) {
        walls |= WAVE_WALL_X_LO;
    } else if (before != s) {
        *lo += 1u;
    }
    if (behind == 0) {
        walls |= WAVE_WALL_X_HI;
    } else if (behind != s && *hi > *lo) {
        *hi -= 1u;
    }
    return walls;
}

/* Finds the row's longest span, and which of its cells are not solid. */
RK_FN void wave_plan_row(rk_ctx *k, const wave *w, rk_u32 row)
{
    wave_sides d;
    rk_u64 base = (rk_u64)row * w->nx;
    RK_G rk_u32 *plan = wave_plan(w, row);
    rk_u32 best_lo = 0u;
    rk_u32 best_hi = 0u;
    rk_u32 fluid_lo = w->nx;
    rk_u32 fluid_hi = 0u;
    wave_sides_of(w, row, &d);
    for (rk_u32 lo = 0u; lo < w->nx;) {
        rk_u32 walls = wave_side_walls(w, &d, base + lo);
        rk_real s = w->s[base + lo];
        rk_real m = w->m[base + lo];
        rk_u32 a = lo;
        do {
            if (wave_is_stable(w, &d, lo, base + lo) == 0u) {
                rk_panic(k, WAVE_UNSTABLE,
                         "wave3d: dt too large: m sum(s) > 2; uniform: dt <= dx / (c sqrt 3)");
                return;
            }
            lo++;
        } while (lo < w->nx && w->s[base + lo] == s && w->m[base + lo] == m &&
                 wave_side_walls(w, &d, base + lo) == walls);
        rk_u32 b = lo;
        if (s > 0) {
            fluid_lo = a < fluid_lo ? a : fluid_lo;
            fluid_hi = b;
        }
        if (walls == WAVE_NO_SPAN) {
            continue;
        }
        walls |= wave_trim(w, base, s, &a, &b);
        if (b > a && b - a > best_hi - best_lo) {
            best_lo = a;
            best_hi = b;
            plan[WAVE_WALLS] = walls;
            w->lambda2[row] = m * s;
        }
    }
    plan[WAVE_LO] = best_hi > best_lo ? best_lo : fluid_hi;
    plan[WAVE_HI] = best_hi > best_lo ? best_hi : fluid_hi;
    plan[WAVE_FLUID_LO] = fluid_lo;
    plan[WAVE_FLUID_HI] = fluid_hi;
}

/* Whether the row and those above it have one plan, with a span and without walls along z. */
RK_FN rk_u32 wave_is_stack(const wave *w, rk_u32 row)
{
    RK_G const rk_u32 *plan = wave_plan(w, row);
    rk_u32 z = row / w->ny;
    rk_u32 same = plan[WAVE_HI] > plan[WAVE_LO] && w->nz - z >= WAVE_DEPTH &&
                  (plan[WAVE_WALLS] & (WAVE_WALL_Z_LO | WAVE_WALL_Z_HI)) == 0u;
    for (rk_u32 up = 1u; same != 0u && up < WAVE_DEPTH; up++) {
        rk_u32 above = row + up * w->ny;
        for (rk_u32 word = WAVE_LO; word <= WAVE_FLUID_HI; word++) {
            same &= plan[word] == wave_plan(w, above)[word];
        }
        same &= w->lambda2[row] == w->lambda2[above];
    }
    return same;
}

/* Factors of boundary cells, and where each row's part of the list starts. */
RK_FN void wave_init_boundary(rk_ctx *k, const wave *w)
{
    rk_u32 n = RK_PARAM(k, n_boundary);
    RK_G const rk_u32 *cell = RK_FIELD(k, boundary_cell);
    rk_u64 first;
    rk_u64 last;
    rk_block_range(k, n, &first, &last);
    for (rk_u64 i = first + RK_LANE(k); i < last; i += RK_LANES(k)) {
        rk_u32 row = cell[i] / w->nx;
        rk_u32 row_before = i == 0u ? 0u : cell[i - 1u] / w->nx;
        rk_f64 xi = (rk_f64)RK_FIELD(k, boundary_admittance)[i];
        if (cell[i] >= w->cells || w->s[cell[i]] == 0 || (i != 0u && cell[i] <= cell[i - 1u]) ||
            !(xi >= 0.0 && xi < 1e9)) {
            rk_panic(k, WAVE_BAD_BOUNDARY,
                     "wave3d: boundary_cell must ascend over fluid cells, with admittances >= 0");
            return;
        }
        rk_f64 a = 0.5 * xi * wave_sound_speed(k, cell[i]) * RK_PARAM(k, dt) / RK_PARAM(k, dx);
        RK_FIELD(k, boundary_before)[i] = (rk_real)(1.0 - a);
        RK_FIELD(k, boundary_after)[i] = (rk_real)(1.0 / (1.0 + a));
        for (rk_u32 r = i == 0u ? 0u : row_before + 1u; r <= row; r++) {
            wave_plan(w, r)[WAVE_BOUNDARY] = (rk_u32)i;
        }
        for (rk_u32 r = row + 1u; i + 1u == n && r < w->rows; r++) {
            wave_plan(w, r)[WAVE_BOUNDARY] = n;
        }
    }
}

RK_FN void wave_check_points(rk_ctx *k, const wave *w, RK_G const rk_u32 *cell, rk_u32 n)
{
    for (rk_u32 i = RK_LANE(k); i < 8u * n; i += RK_LANES(k)) {
        if (cell[i] >= w->cells) {
            rk_panic(k, WAVE_BAD_POINT,
                     "wave3d: a source or receiver cell lies outside the arrays");
            return;
        }
    }
}

RK_INIT
{
    wave w;
    rk_u64 first;
    rk_u64 last;
    if (RK_PARAM(k, nx) == 0u || RK_PARAM(k, ny) == 0u || RK_PARAM(k, nz) == 0u ||
        RK_FIELD_ELEMENTS(k, pressure_even) > 0xffffffffu || !(RK_PARAM(k, dx) > 0.0) ||
        !(RK_PARAM(k, dt) > 0.0)) {
        rk_panic(k, WAVE_BAD_SHAPE,
                 "wave3d: nx, ny, nz, dx and dt must be positive, and cells fewer than 2^32");
        return;
    }
    wave_view(k, k->step, &w);
    rk_block_range(k, w.rows, &first, &last);
    wave_init_cells(k, &w, first * w.nx, last * w.nx);
    if (RK_SYNC_GRID(k) != 0u) {
        return;
    }
    for (rk_u64 row = first + RK_LANE(k); row < last; row += RK_LANES(k)) {
        wave_plan_row(k, &w, (rk_u32)row);
    }
    wave_init_boundary(k, &w);
    if (RK_SYNC_GRID(k) != 0u) {
        return;
    }
    for (rk_u64 row = first + RK_LANE(k); row < last; row += RK_LANES(k)) {
        wave_plan(&w, (rk_u32)row)[WAVE_STACK] = wave_is_stack(&w, (rk_u32)row);
    }
    if (k->block == 0u) {
        wave_check_points(k, &w, RK_FIELD(k, source_cell), RK_PARAM(k, n_sources));
        wave_check_points(k, &w, RK_FIELD(k, receiver_cell), RK_PARAM(k, n_receivers));
    }
}
