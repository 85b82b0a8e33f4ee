/*
 * signal.c: source signals from formulas and seeded noise.
 */
#include "job/signal.h"

#include "job/biquad.h"

#include <math.h>

/*
 * SplitMix64 (S. Vigna, public domain algorithm): the next number and, from it, noise in -1 .. 1.
 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static double next_unit(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static double next_noise(uint64_t *state)
{
    return 2.0 * next_unit(state) - 1.0;
}

double rk_signal_ricker(double t_s, double peak_hz)
{
    double a = M_PI * peak_hz * (t_s - 0.5 * rk_signal_ricker_length_s(peak_hz));
    return (1.0 - 2.0 * a * a) * exp(-a * a);
}

double rk_signal_ricker_length_s(double peak_hz)
{
    return 2.4 / peak_hz;
}

/* exp(-t^2 / 2 s^2) has the spectrum exp(-(2 pi f s)^2 / 2), which is 0.1 at high_hz. */
static double pulse_width_s(double high_hz)
{
    return sqrt(2.0 * log(10.0)) / (2.0 * M_PI * high_hz);
}

double rk_signal_pulse(double t_s, double high_hz)
{
    double a = (t_s - 0.5 * rk_signal_pulse_length_s(high_hz)) / pulse_width_s(high_hz);
    return exp(-0.5 * a * a);
}

double rk_signal_pulse_length_s(double high_hz)
{
    return 10.0 * pulse_width_s(high_hz);
}

double rk_signal_sweep(double t_s, double low_hz, double high_hz, double length_s)
{
    if (!(t_s >= 0.0 && t_s < length_s)) {
        return 0.0;
    }
    double k = log(high_hz / low_hz);
    double phase = 2.0 * M_PI * low_hz * length_s / k * (exp(k * t_s / length_s) - 1.0);
    double fade_s = 0.05 * length_s;
    double edge = fmin(fmin(t_s, length_s - t_s) / fade_s, 1.0);
    return sin(phase) * 0.5 * (1.0 - cos(M_PI * edge));
}

void rk_signal_normalise(float *samples, size_t count)
{
    float peak = 0.0f;
    for (size_t i = 0; i < count; i++) {
        peak = fmaxf(peak, fabsf(samples[i]));
    }
    for (size_t i = 0; i < count && peak > 0.0f; i++) {
        samples[i] /= peak;
    }
}

double rk_signal_clap_length_s(void)
{
    return 0.04;
}

/* Noise is drawn at this rate and held, so that the sample rate does not change the signal much. */
#define NOISE_RATE_HZ 16000.0

typedef struct held_noise {
    uint64_t state;
    double until_s, value, before;
} held_noise;

/* Linear interpolation between draws. t_s must not fall. */
static double noise_at(held_noise *noise, double t_s)
{
    while (t_s >= noise->until_s) {
        noise->before = noise->value;
        noise->value = next_noise(&noise->state);
        noise->until_s += 1.0 / NOISE_RATE_HZ;
    }
    double part = 1.0 - (noise->until_s - t_s) * NOISE_RATE_HZ;
    return noise->before + part * (noise->value - noise->before);
}

void rk_signal_clap(float *samples, size_t count, double rate_hz, uint64_t seed)
{
    static const double start_ms[] = {0.2, 1.1, 2.3, 3.6};
    static const double gain[] = {0.5, 0.8, 1.0, 0.6};
    held_noise noise = {.state = seed + 1};
    /* Cupped hands resonate around 900 Hz; the palm gives a second, lower peak. */
    double nyquist = 0.5 * rate_hz;
    rk_biquad low = rk_biquad_lowpass(fmin(1100.0, 0.8 * nyquist), 1.6, rate_hz);
    rk_biquad body = rk_biquad_lowpass(fmin(420.0, 0.4 * nyquist), 1.2, rate_hz);
    rk_biquad high = rk_biquad_highpass(fmin(90.0, 0.1 * nyquist), 0.7, rate_hz);
    for (size_t i = 0; i < count; i++) {
        double t = (double)i / rate_hz;
        double envelope = 0.0;
        for (size_t k = 0; k < 4; k++) {
            double since_ms = t * 1e3 - start_ms[k];
            if (since_ms > 0.0) {
                double attack = 1.0 - exp(-since_ms / 0.15);
                envelope += gain[k] * attack * exp(-since_ms / (k == 3 ? 5.0 : 0.9));
            }
        }
        double fade = fmin(fmax((rk_signal_clap_length_s() - t) / 0.01, 0.0), 1.0);
        double x = noise_at(&noise, t) * envelope * fade;
        double y = rk_biquad_next(&low, x) + 0.6 * rk_biquad_next(&body, x);
        samples[i] = (float)(rk_biquad_next(&high, y) * fade);
    }
    rk_signal_normalise(samples, count);
}

typedef struct syllable {
    double start_s, length_s, pitch_hz, formant_hz[2], hiss;
} syllable;

static syllable next_syllable(uint64_t *state, double start_s)
{
    static const double vowels[5][2] = {
        {730, 1090}, {530, 1840}, {390, 1990}, {570, 840}, {440, 1020}};
    const double *vowel = vowels[next_random(state) % 5];
    syllable out = {.start_s = start_s};
    out.length_s = 0.13 + 0.12 * next_unit(state);
    out.pitch_hz = 105.0 + 40.0 * next_unit(state);
    out.formant_hz[0] = vowel[0];
    out.formant_hz[1] = vowel[1];
    out.hiss = 0.15 + 0.35 * next_unit(state);
    return out;
}

/* A resonance of a bandwidth of about 90 Hz: low-pass with a high q. */
static rk_biquad resonance(double hz, double rate_hz)
{
    return rk_biquad_lowpass(fmin(hz, 0.45 * rate_hz), hz / 90.0, rate_hz);
}

void rk_signal_speech(float *samples, size_t count, double rate_hz, double length_s, uint64_t seed)
{
    uint64_t state = seed + 7;
    held_noise noise = {.state = seed + 3};
    syllable now = next_syllable(&state, 0.0);
    rk_biquad first = resonance(now.formant_hz[0], rate_hz);
    rk_biquad second = resonance(now.formant_hz[1], rate_hz);
    rk_biquad high = rk_biquad_highpass(fmin(80.0, 0.1 * rate_hz), 0.7, rate_hz);
    double phase = 0.0;
    for (size_t i = 0; i < count; i++) {
        double t = (double)i / rate_hz;
        if (t >= now.start_s + now.length_s) {
            now = next_syllable(&state, now.start_s + now.length_s);
            rk_biquad a = resonance(now.formant_hz[0], rate_hz);
            rk_biquad b = resonance(now.formant_hz[1], rate_hz);
            a.z1 = first.z1;
            a.z2 = first.z2;
            b.z1 = second.z1;
            b.z2 = second.z2;
            first = a;
            second = b;
        }
        double part = (t - now.start_s) / now.length_s;
        double voiced = part < 0.2 ? 0.0 : sin(M_PI * (part - 0.2) / 0.8);
        double hissing = part < 0.25 ? now.hiss * sin(M_PI * part / 0.25) : 0.0;
        phase += now.pitch_hz * (1.0 - 0.15 * part) / rate_hz;
        phase -= floor(phase);
        /* Glottal flow: an opening arch in 60 % of the period. */
        double flow = phase < 0.6 ? sin(M_PI * phase / 0.6) : 0.0;
        double x = voiced * (flow - 0.38);
        double y = rk_biquad_next(&first, x) + 0.5 * rk_biquad_next(&second, x) +
                   hissing * noise_at(&noise, t);
        double fade = fmin(fmax((length_s - t) / 0.02, 0.0), 1.0);
        samples[i] = (float)(rk_biquad_next(&high, y) * fade);
    }
    rk_signal_normalise(samples, count);
}
