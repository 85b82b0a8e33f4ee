/*
 * signal.h: source signals that need no file.
 *
 * Each is a function of time with a peak of about 1, computed at any sample rate; the noise ones
 * depend on a seed and are the same on every machine. Pure; any thread.
 */
#ifndef RK_JOB_SIGNAL_H
#define RK_JOB_SIGNAL_H

#include <ringkernel/status.h>

/*
 * Ricker wavelet with its spectral peak at peak_hz; length: until it has died down, about
 * 2.4/peak.
 */
double rk_signal_ricker(double t_s, double peak_hz);
double rk_signal_ricker_length_s(double peak_hz);

/* Gaussian pulse, 20 dB down at high_hz; centred at half its length. It has no zero mean. */
double rk_signal_pulse(double t_s, double high_hz);
double rk_signal_pulse_length_s(double high_hz);

/* Exponential sweep from low_hz to high_hz over length_s, with faded ends (A. Farina, AES 2000). */
double rk_signal_sweep(double t_s, double low_hz, double high_hz, double length_s);

/*
 * A hand clap as a recording shows it: a bundle of short, resonant noise bursts within 4 ms and a
 * decay of 12 ms. Fills count samples at rate_hz; peak 1. length: 40 ms.
 */
void rk_signal_clap(float *samples, size_t count, double rate_hz, uint64_t seed);
double rk_signal_clap_length_s(void);

/*
 * Something like a spoken phrase: syllables of a voiced glottal pulse train through three formants,
 * with noisy consonants, for length_s. Fills count samples at rate_hz; peak 1.
 */
void rk_signal_speech(float *samples, size_t count, double rate_hz, double length_s, uint64_t seed);

/* Scales to a peak of 1; silence stays. */
void rk_signal_normalise(float *samples, size_t count);

#endif
