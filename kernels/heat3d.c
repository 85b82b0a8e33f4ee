/*
 * heat3d.c: heat in a box of cells: u_t = D div(grad u), explicit, seven points.
 *
 *     u_next = u + r sum_faces (u_j - u),  r = D dt / dx^2 <= 1/6
 *
 * (forward time, centred space; LeVeque, Finite Difference Methods for Ordinary and Partial
 * Differential Equations, 2007, ch. 9). The faces of the box are insulated, or held at a
 * temperature: then the cell behind a face has 2 T - u, so that T lies on the face.
 *
 * Cell (x, y, z) has the flat index (z ny + y) nx + x. The temperature after n steps lies in
 * temperature_even or temperature_odd, by the parity of n.
 */
#define RK_NAME heat3d
#define RK_SUMMARY "heat conduction in three dimensions (explicit finite differences)"
#define RK_PARAMS(P)                                                                               \
    P(u32, nx, "64", "cells", "cells along x, the fastest index")                                  \
    P(u32, ny, "64", "cells", "cells along y")                                                     \
    P(u32, nz, "64", "cells", "cells along z, the slowest index")                                  \
    P(f64, dx, "0.01", "m", "edge of a cell")                                                      \
    P(f64, dt, "0.1", "s", "time step; at most dx^2 / (6 diffusivity)")                            \
    P(f64, diffusivity, "1e-4", "m2/s", "D")                                                       \
    P(u32, held, "0", "", "1: the faces are held at boundary_temperature; 0: insulated")           \
    P(f64, boundary_temperature, "0", "K", "of held faces")
#define RK_FIELDS(F)                                                                               \
    F(real, temperature_even, "nz,ny,nx", "K", "state,input,output,double", "at even steps")       \
    F(real, temperature_odd, "nz,ny,nx", "K", "state,output,double", "at odd steps")
#define RK_PHASES(X) X(conduct)
#define RK_VARIANTS(X) X(f32, "single precision") X(f64, "double precision")
#define RK_HAS_INIT 1
#define RK_HAS_COMMAND 1
#define RK_HAS_CHECK 1
#include <ringkernel/kernel.h>

/* Custom operation: answers with the bits of three f64: sum of u dx^3, smallest and largest u. */
#define HEAT_OP_TOTAL 1u

/* Panic codes. */
enum { HEAT_BAD_SHAPE = 1, HEAT_UNSTABLE };

/* Check code: a temperature is not a finite number. */
#define HEAT_NOT_FINITE 1u

typedef struct heat {
    rk_u32 nx;
    rk_u32 ny;
    rk_u32 nz;
    rk_u64 plane;
    rk_u64 cells;
    RK_G rk_real *now;
    RK_G rk_real *next;
} heat;

RK_FN void heat_view(rk_ctx *k, heat *h)
{
    rk_u32 odd = (rk_u32)(k->step & 1u);
    h->nx = RK_PARAM(k, nx);
    h->ny = RK_PARAM(k, ny);
    h->nz = RK_PARAM(k, nz);
    h->plane = (rk_u64)h->nx * h->ny;
    h->cells = h->plane * h->nz;
    h->now = odd != 0u ? RK_FIELD(k, temperature_odd) : RK_FIELD(k, temperature_even);
    h->next = odd != 0u ? RK_FIELD(k, temperature_even) : RK_FIELD(k, temperature_odd);
}

/* What a row's cells have in common. */
typedef struct heat_row {
    rk_u64 y0; /* cells to the neighbours across; 0, the cell itself, at a face of the box */
    rk_u64 y1;
    rk_u64 z0;
    rk_u64 z1;
    rk_real r;
    rk_real faces; /* 2 per held face across the row */
    rk_real face;  /* 2 if the faces are held, else 0 */
    rk_real boundary;
} heat_row;

RK_FN void heat_row_of(rk_ctx *k, const heat *h, rk_u32 row, heat_row *out)
{
    rk_u32 z = row / h->ny;
    rk_u32 y = row - z * h->ny;
    rk_f64 dx = RK_PARAM(k, dx);
    rk_u32 walls = (y == 0u ? 1u : 0u) + (y + 1u == h->ny ? 1u : 0u) + (z == 0u ? 1u : 0u) +
                   (z + 1u == h->nz ? 1u : 0u);
    out->y0 = y == 0u ? 0u : h->nx;
    out->y1 = y + 1u == h->ny ? 0u : h->nx;
    out->z0 = z == 0u ? 0u : h->plane;
    out->z1 = z + 1u == h->nz ? 0u : h->plane;
    out->r = (rk_real)(RK_PARAM(k, diffusivity) * RK_PARAM(k, dt) / (dx * dx));
    out->face = RK_PARAM(k, held) != 0u ? (rk_real)2 : 0;
    out->faces = out->face * (rk_real)walls;
    out->boundary = (rk_real)RK_PARAM(k, boundary_temperature);
}

RK_FN rk_real heat_cell(rk_real x, rk_real y, rk_real z, rk_real c, rk_real r, rk_real faces,
                        rk_real boundary)
{
    return c + r * (((x + y) + z - (rk_real)6 * c) + faces * (boundary - c));
}

/* The first and the last cell of a row, or a row of one cell. */
RK_FN void heat_end(const heat *h, const heat_row *a, rk_u64 base, rk_u32 x)
{
    RK_G const rk_real *p = h->now + base + x;
    rk_u32 first = x == 0u ? 1u : 0u;
    rk_u32 last = x + 1u == h->nx ? 1u : 0u;
    rk_real along = (first != 0u ? p[0] : (p - 1)[0]) + (last != 0u ? p[0] : p[1]);
    rk_real faces = a->faces + a->face * (rk_real)(first + last);
    h->next[base + x] = heat_cell(along, (p - a->y0)[0] + p[a->y1], (p - a->z0)[0] + p[a->z1], p[0],
                                  a->r, faces, a->boundary);
}

RK_OUTLINE void heat_row_step(rk_ctx *k, const heat *h, rk_u32 row)
{
    heat_row a;
    heat_row_of(k, h, row, &a);
    rk_u64 base = (rk_u64)row * h->nx;
    rk_u32 end = h->nx - 1u;
    rk_real r = a.r;
    rk_real faces = a.faces;
    rk_real boundary = a.boundary;
    RK_G rk_real *RK_RESTRICT next = h->next + base;
    RK_G const rk_real *p = h->now + base;
    RK_G const rk_real *y0 = p - a.y0;
    RK_G const rk_real *y1 = p + a.y1;
    RK_G const rk_real *z0 = p - a.z0;
    RK_G const rk_real *z1 = p + a.z1;
    RK_FOR_LANES(k, i, 1u, end)
    {
        next[i] = heat_cell((p - 1)[i] + (p + 1)[i], y0[i] + y1[i], z0[i] + z1[i], p[i], r, faces,
                            boundary);
    }
    if (RK_LANE(k) == 0u) {
        heat_end(h, &a, base, 0u);
    }
    if (RK_LANE(k) == RK_LANES(k) - 1u && end != 0u) {
        heat_end(h, &a, base, end);
    }
}

RK_PHASE(conduct)
{
    heat h;
    rk_u64 first;
    rk_u64 last;
    heat_view(k, &h);
    rk_block_range(k, (rk_u64)h.ny * h.nz, &first, &last);
    for (rk_u64 row = first; row < last; row++) {
        heat_row_step(k, &h, (rk_u32)row);
    }
}

RK_INIT
{
    rk_f64 dx = RK_PARAM(k, dx);
    rk_f64 r = RK_PARAM(k, diffusivity) * RK_PARAM(k, dt) / (dx * dx);
    if (RK_PARAM(k, nx) == 0u || RK_PARAM(k, ny) == 0u || RK_PARAM(k, nz) == 0u || !(dx > 0.0) ||
        (rk_u64)RK_PARAM(k, ny) * RK_PARAM(k, nz) > 0xffffffffu) {
        rk_panic(k, HEAT_BAD_SHAPE,
                 "heat3d: nx, ny, nz and dx must be positive, and ny nz less than 2^32");
        return;
    }
    if (!(r >= 0.0 && r * 6.0 <= 1.0 + 1e-9)) {
        rk_panic(k, HEAT_UNSTABLE,
                 "heat3d: dt too large: diffusivity dt / dx^2 must be in [0, 1/6]");
        return;
    }
    heat h;
    rk_u64 first;
    rk_u64 last;
    heat_view(k, &h);
    rk_block_range(k, (rk_u64)h.ny * h.nz, &first, &last);
    for (rk_u64 i = first * h.nx + RK_LANE(k); i < last * h.nx; i += RK_LANES(k)) {
        h.next[i] = h.now[i]; /* the owner touches its pages first */
    }
}

RK_ON_COMMAND
{
    (void)data;
    (void)length;
    if (op != HEAT_OP_TOTAL) {
        return 1u;
    }
    heat h;
    heat_view(k, &h);
    rk_f64 sum = 0.0;
    rk_f64 smallest = (rk_f64)h.now[0];
    rk_f64 largest = smallest;
    for (rk_u64 i = 0u; i < h.cells; i++) {
        rk_f64 u = (rk_f64)h.now[i];
        sum += u;
        smallest = u < smallest ? u : smallest;
        largest = u > largest ? u : largest;
    }
    rk_f64 dx = RK_PARAM(k, dx);
    value[0] = rk_f64_bits(sum * dx * dx * dx);
    value[1] = rk_f64_bits(smallest);
    value[2] = rk_f64_bits(largest);
    return 0u;
}

RK_CHECK
{
    heat h;
    heat_view(k, &h);
    for (rk_u64 i = 0u; i < h.cells; i++) {
        if (!(h.now[i] - h.now[i] == 0)) {
            return HEAT_NOT_FINITE;
        }
    }
    return 0u;
}
