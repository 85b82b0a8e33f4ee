/*
 * resample.h: changes the sample rate of a signal by an arbitrary ratio.
 *
 * A band-limited interpolation with a Kaiser-windowed sinc (J. O. Smith, Digital Audio Resampling,
 * CCRMA): 64 zero crossings on each side and a Kaiser beta of 10, which leaves errors below -90 dB
 * up to 0.9 of the cutoff. The cutoff lies below half of the lower rate, so nothing aliases.
 * Samples outside the input count as 0. Pure; any thread.
 */
#ifndef RK_JOB_RESAMPLE_H
#define RK_JOB_RESAMPLE_H

#include <ringkernel/status.h>

/* The samples that count samples at rate_in_hz last at rate_out_hz, rounded up. 0 if that is absurd
 * (a rate that is not positive, or 2^40 samples and more). */
size_t rk_resample_count(size_t count, double rate_in_hz, double rate_out_hz);

/*
 * Fills out_count samples at rate_out_hz; sample 0 of both stands for the same time. Content above
 * cutoff_hz is removed; 0 means 0.475 of the lower rate. RK_INVALID for rates that are not positive
 * or have a ratio beyond 1:1000, RK_NO_MEMORY.
 */
rk_status rk_resample(const float *samples, size_t count, double rate_in_hz, double rate_out_hz,
                      double cutoff_hz, float *out_samples, size_t out_count, rk_err *err);

#endif
