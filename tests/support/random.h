/*
 * A small seeded random generator for property tests: the same numbers on every run.
 *
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), SplitMix64.
 */
#ifndef RK_TESTS_SUPPORT_RANDOM_H
#define RK_TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t rk_test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void rk_test_random_bytes(uint64_t *state, void *out, size_t count)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)rk_test_random(state);
    }
}

#endif
