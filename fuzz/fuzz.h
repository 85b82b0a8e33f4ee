/*
 * The function that every fuzz target defines. libFuzzer or fuzz/replay.c calls it.
 */
#ifndef RK_FUZZ_FUZZ_H
#define RK_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Parses size bytes at data, which end exactly at an allocation. Returns 0. Must keep no state. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
