/*
 * vendor.h: what differs between CUDA and HIP, and the drivers that this module offers.
 */
#ifndef RK_DRIVERS_GPU_VENDOR_H
#define RK_DRIVERS_GPU_VENDOR_H

#include "base/thread.h"
#include "device/device.h"
#include "drivers/gpu/symbols.h"

/* Results that both vendors number alike. */
#define GPU_OUT_OF_MEMORY 2
#define GPU_SYSTEM_REFUSED 304
#define GPU_NOT_READY 600
#define GPU_OUT_OF_RESOURCES 701
#define GPU_TIMED_OUT 702
#define GPU_ALREADY_REGISTERED 712
#define GPU_NOT_REGISTERED 713
#define GPU_LAUNCH_FAILED 719
#define GPU_TOO_LARGE 720
#define GPU_NOT_PERMITTED 800
#define GPU_NOT_SUPPORTED 801

typedef enum gpu_attribute {
    GPU_ATTR_UNITS,
    GPU_ATTR_LANES_MAX, /* threads per block */
    GPU_ATTR_BLOCKS_PER_UNIT,
    GPU_ATTR_TIME_LIMIT, /* a watchdog ends long kernels */
    GPU_ATTR_COOPERATIVE,
    GPU_ATTR_CLUSTERS,
    GPU_ATTR_MAJOR,
    GPU_ATTR_MINOR,
    GPU_ATTR_MEMORY_KHZ,
    GPU_ATTR_MEMORY_BITS,
    GPU_ATTR_CLOCK_KHZ, /* of the clock that kernels read, where it is not 1 GHz */
    GPU_ATTR_COUNT
} gpu_attribute;

/* What differs between CUDA and HIP besides the names of the calls. */
typedef struct gpu_vendor {
    const char *label; /* "CUDA" */
    unsigned need;     /* GPU_CUDA or GPU_HIP */
    rk_vendor vendor;
    uint32_t code_kinds;
    const char *library_variable;   /* environment: another library */
    const char *const *libraries;   /* ends with NULL */
    const char *install_advice;     /* what to do when there is no usable driver */
    const char *device_file;        /* must be accessible */
    const char *permission_advice;  /* what to do when it is not */
    int attributes[GPU_ATTR_COUNT]; /* -1: has none */
    int version_min;
    const char *version_min_text;
    unsigned host_flags;     /* of host_alloc: mapped, for all contexts, coherent */
    unsigned register_flags; /* of host_register */
    uint32_t streams;        /* resident kernels that never wait for one another's queue */
    uint64_t ticks_per_s;    /* where GPU_ATTR_CLOCK_KHZ tells nothing */
    bool survives_fault;     /* an invalid access in a kernel does not end the process */
} gpu_vendor;

extern const gpu_vendor gpu_vendor_cuda;
extern const gpu_vendor gpu_vendor_hip;

/* One of "cuda", "hip", "cuda-test", "hip-test". */
typedef struct gpu_driver {
    const char *name;
    const gpu_vendor *vendor;
    bool test; /* on the test library beside this module */
    rk_mutex lock;
    bool ready; /* the library is open and initialised */
    gpu_api api;
    int version;
    uint32_t device_count;
} gpu_driver;

/* Loads the library and asks it for devices; cheap once that has worked. */
rk_status gpu_driver_open(gpu_driver *driver, rk_err *err);
const char *gpu_error_text(const gpu_driver *driver, gpu_result result);
/* Whether the context is broken for good: every later call would fail like this. */
bool gpu_is_sticky(gpu_result result);
void gpu_version_text(const gpu_driver *driver, char *out, size_t bytes);
/* The attribute of a device; `otherwise` where the vendor has none or refuses. */
int gpu_attribute_get(const gpu_driver *driver, int device, gpu_attribute what, int otherwise);

#endif
