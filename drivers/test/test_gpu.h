/*
 * test_gpu.h: what the test driver exports besides the vendors' functions, for drivers/gpu and for
 * tests. Find these with dlsym.
 *
 * Devices are numbered as (vendor << 8) | index, with vendor 0 for CUDA and 1 for HIP.
 */
#ifndef RK_DRIVERS_TEST_TEST_GPU_H
#define RK_DRIVERS_TEST_TEST_GPU_H

#include <stdint.h>

#define RK_TEST_GPU_CUDA(index) (0u | (uint32_t)(index))
#define RK_TEST_GPU_HIP(index) (0x100u | (uint32_t)(index))

/* RK_CODE_BIT of the code that modules are made of: CPU and fiber code. */
uint32_t rkTestDriverCodeKinds(void);

/* 1 if the configuration says that the vendor's library has no such function. */
int rkTestDriverMissing(const char *symbol);

/*
 * The address by which kernels reach what callers know by device_pointer: the one to store where a
 * kernel will follow it (routes). 0 if it is no device pointer.
 */
uint64_t rkTestDriverAddress(uint64_t device_pointer);

/* A fault on a device: "lost", "gone", "xid=79", "heat=95", "ecc=2". 0 if that was understood. */
int rkTestDriverInject(uint32_t device, const char *fault);

/* Calls so far that hardware would not have forgiven; each was reported on standard error. */
uint64_t rkTestDriverDrainViolations(void);

/*
 * Stops everything, forgets everything, and reads `text` in place of RK_TEST_GPU (NULL: the
 * variable again). Not while another thread is in a call. 0, or -1 with the reason on standard
 * error.
 */
int rkTestDriverConfigure(const char *text);

/* How many kernels are resident on a device, waiting ones included. */
uint32_t rkTestDriverResident(uint32_t device);

#endif
