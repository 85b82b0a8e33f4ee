/*
 * opencl_fake.h: a library with the symbols of an OpenCL loader that does what a test tells it. It
 * computes nothing: it shows how the driver meets platforms, devices and failures that this machine
 * does not have.
 */
#ifndef RK_TESTS_DRIVERS_OPENCL_FAKE_H
#define RK_TESTS_DRIVERS_OPENCL_FAKE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct opencl_fake {
    int32_t platforms; /* how many, or a negative error */
    int32_t devices;   /* of the first platform, or a negative error */
    const char *version;
    uint64_t type;
    uint64_t svm;
    uint64_t atomics;
    uint64_t doubles;
    uint64_t allocation_max;
    uint32_t units;
    uint32_t vendor;
    bool pci; /* tells its bus */
    int32_t context_error;
    int32_t queue_error;
    int32_t build_error;
    const char *build_log;
    uint32_t arguments;   /* of the kernel */
    uint64_t local_bytes; /* that the kernel needs */
    int32_t launch_error; /* of the launch that comes next but skip_launches */
    uint32_t skip_launches;
    int32_t end_error; /* of what runs */
    bool no_memory;
    /* What the driver asked for. */
    char options[128];
    uint32_t queues;   /* alive */
    uint32_t contexts; /* alive */
    uint32_t memories; /* alive */
    uint32_t programs; /* alive */
} opencl_fake;

/* Exported by the library. */
#define OPENCL_FAKE_SYMBOL "opencl_fake_settings"

#endif
