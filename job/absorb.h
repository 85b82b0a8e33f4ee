/*
 * absorb.h: what a wall does to sound, and what statistical acoustics expects of a room.
 *
 * A locally reacting surface with the real, normalised admittance xi = rho c / Z absorbs, at the
 * angle t from its normal, the share 4 xi cos t / (xi + cos t)^2 of the energy. Averaged over
 * random incidence (Paris' formula, see H. Kuttruff, Room Acoustics, chapter 2) that is
 *
 *   alpha(xi) = int_0^{pi/2} 4 xi cos t / (xi + cos t)^2 sin 2t dt
 *             = 8 xi (1 + xi / (1 + xi) - 2 xi ln(1 + 1 / xi))
 *
 * It grows up to xi = 0.6381 and falls again beyond: no such surface absorbs more than 0.9512.
 *
 * All functions are pure and may be called from any thread.
 */
#ifndef RK_JOB_ABSORB_H
#define RK_JOB_ABSORB_H

#include <ringkernel/status.h>

/*
 * The admittance with the largest random-incidence absorption, and that absorption (rounded down).
 */
#define RK_ABSORB_XI_MAX 0.638121
#define RK_ABSORB_ALPHA_MAX 0.95120

/* The admittance of a surface that takes all sound of normal incidence: an opening to outside. */
#define RK_ABSORB_XI_OPEN 1.0

/* The random-incidence absorption coefficient of the normalised admittance xi >= 0. */
double rk_absorb_alpha(double xi);

/*
 * The normalised admittance, 0 to RK_ABSORB_XI_MAX, that gives the random-incidence absorption
 * coefficient alpha. RK_INVALID for alpha outside 0..RK_ABSORB_ALPHA_MAX; the sentence in err (may
 * be NULL) says why more is impossible and what to use instead.
 */
rk_status rk_absorb_admittance(double alpha, double *out_xi, rk_err *err);

/*
 * Reverberation times in seconds of a room with volume_m3, wall surface_m2 and the mean absorption
 * coefficient alpha, for the sound speed in m/s: T = (24 ln 10 / c) V / A, with A = S alpha
 * (Sabine) or A = -S ln(1 - alpha) (Eyring). INFINITY without absorption.
 */
double rk_absorb_sabine_s(double volume_m3, double surface_m2, double alpha, double speed_m_s);
double rk_absorb_eyring_s(double volume_m3, double surface_m2, double alpha, double speed_m_s);

#endif
