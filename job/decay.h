/*
 * decay.h: energy decay of a room response, and the numbers that ISO 3382-1 derives from it.
 *
 * The decay curve is Schroeder's backward integral E(t) = int_t^end p^2 (J. Acoust. Soc. Am. 37,
 * 1965). It ends at the knee, where the response meets its noise floor (iteration after Lundeby et
 * al., Acustica 81, 1995); what an exponential would hold beyond the knee is added, so that neither
 * noise nor the end of the recording bends the curve. Reverberation times are least-squares lines
 * over a part of the curve in dB, extrapolated to 60 dB.
 *
 * All functions are pure and may be called from any thread.
 */
#ifndef RK_JOB_DECAY_H
#define RK_JOB_DECAY_H

#include <ringkernel/status.h>

/* A fitted reverberation time. valid is false when the curve does not reach far enough down. */
typedef struct rk_decay_fit {
    bool valid;
    double rt_s;        /* time for 60 dB */
    double correlation; /* of level and time, -1 .. 0; a straight decay is close to -1 */
    double level_db;    /* of the line when the decay begins */
} rk_decay_fit;

typedef struct rk_decay {
    double rate_hz;
    size_t start;     /* sample at which the decay begins; times count from here */
    size_t knee;      /* sample at which the curve ends */
    double noise_db;  /* mean square of the floor, re the largest square; -INFINITY without floor */
    double range_db;  /* how far the curve falls before the knee; positive */
    rk_decay_fit edt; /* 0 .. -10 dB */
    rk_decay_fit t20; /* -5 .. -25 dB */
    rk_decay_fit t30; /* -5 .. -35 dB */
    double rt60_s;    /* T30, or T20, or EDT: the first valid one; NAN when none is */
    const char *rt60_from; /* "T30", "T20", "EDT" or "none" */
    double c50_db, c80_db; /* early to late energy; INFINITY when nothing is late */
    double d50;            /* early share, 0 .. 1 */
    double centre_s;       /* centre of gravity of the energy */
} rk_decay;

typedef struct rk_decay_options {
    double start_s;       /* the decay does not begin before this time; 0 for an impulse response */
    double *out_curve_db; /* optional: [count], the curve re its start; NAN outside start .. knee */
} rk_decay_options;

/*
 * Analyses count samples at rate_hz. The decay begins at the first sample within 20 dB of the
 * largest one, not before options->start_s (options may be NULL). RK_INVALID when the samples are
 * not finite, all zero, or too few to hold a decay; the sentence says which.
 */
rk_status rk_decay_analyse(const float *samples, size_t count, double rate_hz,
                           const rk_decay_options *options, rk_decay *out_decay, rk_err *err);

/*
 * Octave band filter around center_hz (Butterworth, order 3 on each side), run backwards in time so
 * that its own ringing does not lengthen the decay. out_samples has count entries and may not
 * overlap samples. RK_INVALID unless center_hz * sqrt(2) < rate_hz / 2.
 */
rk_status rk_decay_octave(const float *samples, size_t count, double rate_hz, double center_hz,
                          float *out_samples, rk_err *err);

/* Butterworth high-pass of order 2 in place, forwards; the first sample is taken as following 0. */
void rk_decay_highpass(float *samples, size_t count, double rate_hz, double cutoff_hz);

#endif
