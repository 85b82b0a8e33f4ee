/*
 * gpu_rows.h: test cases for the CUDA and HIP driver on the test driver.
 */
#ifndef TESTS_DRIVERS_GPU_ROWS_H
#define TESTS_DRIVERS_GPU_ROWS_H

#include "drivers/gpu_module.h"
#include "drivers/rig.h"

/* A case; runs as CUDA, as HIP, or as both, each in a process with its own test devices. */
typedef struct gpu_row {
    const char *name;
    const char *devices; /* RK_TEST_GPU */
    const char *setting; /* "NAME=value" besides, or NULL */
    void (*run)(void **state);
    bool cuda;
    bool hip;
} gpu_row;

int gpu_rows_main(int argc, char **argv, const gpu_row *rows, size_t count);

/* Of the case that runs. */
const char *case_driver(void);
bool is_hip(void);
void open_rig(rig *out_rig);

/* The sentence holds all of the words; the list ends with NULL. */
void has_words(const rk_err *err, const char *const *words);

#endif
