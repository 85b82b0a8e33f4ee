/*
 * gpu_module.h: the driver module rk-gpu.so, as the runtime would load it.
 */
#ifndef TESTS_DRIVERS_GPU_MODULE_H
#define TESTS_DRIVERS_GPU_MODULE_H

#include "device/device.h"

/* The table of a driver of the module; the test fails if there is none. */
const rk_driver_ops *gpu_module_driver(const char *name);

/* A function of the test library, which a device has been opened on. */
void *gpu_module_test_symbol(const char *name);

/*
 * A test case that runs in a process of its own, with environment variables "NAME=value": libraries
 * read theirs once, and a driver keeps the library that it has found.
 */
typedef struct gpu_case {
    const char *name;
    const char *environment[4];
    void (*run)(void **state);
} gpu_case;

/* The main function of a test program. */
int gpu_cases_main(int argc, char **argv, const gpu_case *cases, size_t count);

#endif
