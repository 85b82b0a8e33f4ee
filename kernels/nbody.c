/*
 * nbody.c: bodies that attract each other, every pair counted.
 *
 *     a_i = G sum_j m_j d_ij / (|d_ij|^2 + softening^2)^(3/2),  d_ij = x_j - x_i
 *
 * Velocity Verlet, of second order and symplectic (Swope et al., J. Chem. Phys. 76, 1982): half a
 * kick, drift, half a kick with the new acceleration. Softening after Plummer.
 *
 * position, velocity and acceleration hold all x, then all y, then all z. A body's sum runs over j
 * in rising order whatever the number of blocks and lanes, so results are the same to the last bit.
 */
#define RK_NAME nbody
#define RK_SUMMARY "gravity between all pairs of bodies (velocity Verlet)"
#define RK_PARAMS(P)                                                                               \
    P(u32, n, "1024", "bodies", "number of bodies")                                                \
    P(f64, dt, "0.001", "s", "time step")                                                          \
    P(f64, gravity, "6.6743e-11", "m3/(kg s2)", "gravitational constant G")                        \
    P(f64, softening, "0", "m", "length below which the attraction is weakened")
#define RK_FIELDS(F)                                                                               \
    F(real, position, "3,n", "m", "state,input,output", "x, then y, then z of all bodies")         \
    F(real, velocity, "3,n", "m/s", "state,input,output", "in the same order")                     \
    F(real, mass, "n", "kg", "state,input", "of each body")                                        \
    F(real, acceleration, "3,n", "m/s2", "state,output", "in the same order")
#define RK_PHASES(X) X(drift) X(kick)
#define RK_VARIANTS(X) X(f32, "single precision") X(f64, "double precision")
#define RK_HAS_INIT 1
#define RK_HAS_COMMAND 1
#include <ringkernel/kernel.h>

/* Custom operations; each answers with the bits of three f64. */
#define NBODY_OP_ENERGY 1u   /* kinetic, potential, their sum; n^2 pairs on one lane */
#define NBODY_OP_MOMENTUM 2u /* along x, y, z */

/* Bodies that a lane takes together: a vector on a CPU, one on a GPU. */
#if defined(RK_TARGET_CPU) && !defined(RK_FIBER)
#define NBODY_CHUNK 64u
#else
#define NBODY_CHUNK 1u
#endif

#if defined(RK_REAL_IS_F64)
#define nbody_sqrt(x) rk_sqrt64(x)
#else
#define nbody_sqrt(x) rk_sqrt(x)
#endif

/* The sums of NBODY_CHUNK bodies. */
typedef struct nbody_sums {
    rk_real ax[NBODY_CHUNK];
    rk_real ay[NBODY_CHUNK];
    rk_real az[NBODY_CHUNK];
} nbody_sums;

/*
 * Attraction of all bodies on those from `first`; places behind the last body repeat it. A body
 * does not attract itself: its distance is 0, and with it the numerator. Without softening that
 * would be 0 / 0, so a squared distance of 0 counts as 1.
 */
RK_OUTLINE void nbody_attract(rk_ctx *k, rk_u32 first, nbody_sums *sums)
{
    rk_u32 n = RK_PARAM(k, n);
    rk_real soft = (rk_real)(RK_PARAM(k, softening) * RK_PARAM(k, softening));
    RK_G const rk_real *x = RK_FIELD(k, position);
    RK_G const rk_real *y = x + n;
    RK_G const rk_real *z = y + n;
    RK_G const rk_real *m = RK_FIELD(k, mass);
    rk_real here_x[NBODY_CHUNK];
    rk_real here_y[NBODY_CHUNK];
    rk_real here_z[NBODY_CHUNK];
    for (rk_u32 i = 0u; i < NBODY_CHUNK; i++) {
        rk_u32 body = first + i < n ? first + i : n - 1u;
        here_x[i] = x[body];
        here_y[i] = y[body];
        here_z[i] = z[body];
        sums->ax[i] = 0;
        sums->ay[i] = 0;
        sums->az[i] = 0;
    }
    for (rk_u32 j = 0u; j < n; j++) {
        rk_real there_x = x[j];
        rk_real there_y = y[j];
        rk_real there_z = z[j];
        rk_real mass = m[j];
        RK_VECTOR_LOOP
        for (rk_u32 i = 0u; i < NBODY_CHUNK; i++) {
            rk_real dx = there_x - here_x[i];
            rk_real dy = there_y - here_y[i];
            rk_real dz = there_z - here_z[i];
            rk_real square = dx * dx + dy * dy + dz * dz + soft;
            square = square == 0 ? (rk_real)1 : square;
            rk_real pull = mass / (square * nbody_sqrt(square));
            sums->ax[i] += pull * dx;
            sums->ay[i] += pull * dy;
            sums->az[i] += pull * dz;
        }
    }
}

/* Accelerations of this block's bodies. */
RK_FN void nbody_accelerate(rk_ctx *k)
{
    rk_u32 n = RK_PARAM(k, n);
    rk_real g = (rk_real)RK_PARAM(k, gravity);
    RK_G rk_real *a = RK_FIELD(k, acceleration);
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, n, &lo, &hi);
    for (rk_u64 at = lo + (rk_u64)RK_LANE(k) * NBODY_CHUNK; at < hi;
         at += (rk_u64)RK_LANES(k) * NBODY_CHUNK) {
        nbody_sums sums;
        rk_u32 count = hi - at < NBODY_CHUNK ? (rk_u32)(hi - at) : NBODY_CHUNK;
        nbody_attract(k, (rk_u32)at, &sums);
        for (rk_u32 i = 0u; i < count; i++) {
            a[at + i] = g * sums.ax[i];
            a[n + at + i] = g * sums.ay[i];
            a[2u * (rk_u64)n + at + i] = g * sums.az[i];
        }
    }
}

/* v += a dt/2 for this block's bodies, and with `drift` x += v dt. */
RK_FN void nbody_kick(rk_ctx *k, rk_u32 drift)
{
    rk_u32 n = RK_PARAM(k, n);
    rk_real dt = (rk_real)RK_PARAM(k, dt);
    rk_real half_dt = (rk_real)(0.5 * RK_PARAM(k, dt));
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, n, &lo, &hi);
    for (rk_u32 axis = 0u; axis < 3u; axis++) {
        RK_G rk_real *x = RK_FIELD(k, position) + (rk_u64)axis * n;
        RK_G rk_real *v = RK_FIELD(k, velocity) + (rk_u64)axis * n;
        RK_G const rk_real *a = RK_FIELD(k, acceleration) + (rk_u64)axis * n;
        RK_FOR_LANES(k, i, lo, hi)
        {
            v[i] += half_dt * a[i];
        }
        if (drift == 0u) {
            continue; /* other blocks read the positions now */
        }
        RK_FOR_LANES(k, i, lo, hi)
        {
            x[i] += dt * v[i];
        }
    }
}

RK_PHASE(drift)
{
    nbody_kick(k, 1u);
}

RK_PHASE(kick)
{
    nbody_accelerate(k);
    RK_SYNC_BLOCK(k); /* other lanes have written the accelerations that this one reads */
    nbody_kick(k, 0u);
}

RK_INIT
{
    if (RK_PARAM(k, n) == 0u || RK_PARAM(k, n) > 0x40000000u) {
        rk_panic(k, 1u, "nbody: n must be between 1 and 2^30");
        return;
    }
    nbody_accelerate(k);
}

RK_ON_COMMAND
{
    (void)data;
    (void)length;
    rk_u32 n = RK_PARAM(k, n);
    rk_f64 soft = RK_PARAM(k, softening) * RK_PARAM(k, softening);
    RK_G const rk_real *m = RK_FIELD(k, mass);
    RK_G const rk_real *x = RK_FIELD(k, position);
    RK_G const rk_real *v = RK_FIELD(k, velocity);
    rk_f64 sum[3] = {0.0, 0.0, 0.0};
    if (op == NBODY_OP_MOMENTUM) {
        for (rk_u32 i = 0u; i < n; i++) {
            for (rk_u32 axis = 0u; axis < 3u; axis++) {
                sum[axis] += (rk_f64)m[i] * (rk_f64)v[(rk_u64)axis * n + i];
            }
        }
    } else if (op == NBODY_OP_ENERGY) {
        for (rk_u32 i = 0u; i < n; i++) {
            rk_f64 square = 0.0;
            for (rk_u32 axis = 0u; axis < 3u; axis++) {
                rk_f64 speed = (rk_f64)v[(rk_u64)axis * n + i];
                square += speed * speed;
            }
            sum[0] += 0.5 * (rk_f64)m[i] * square;
            for (rk_u32 j = 0u; j < i; j++) {
                square = soft;
                for (rk_u32 axis = 0u; axis < 3u; axis++) {
                    rk_f64 d = (rk_f64)x[(rk_u64)axis * n + j] - (rk_f64)x[(rk_u64)axis * n + i];
                    square += d * d;
                }
                rk_f64 product = (rk_f64)m[i] * (rk_f64)m[j];
                sum[1] -= square > 0.0 ? RK_PARAM(k, gravity) * product / rk_sqrt64(square) : 0.0;
            }
        }
        sum[2] = sum[0] + sum[1];
    } else {
        return 1u;
    }
    for (rk_u32 i = 0u; i < 3u; i++) {
        value[i] = rk_f64_bits(sum[i]);
    }
    return 0u;
}
