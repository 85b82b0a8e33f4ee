/*
 * cpu.h: the embedded CPU driver's options and device, shared with the host-process driver.
 */
#ifndef RK_DEVICE_CPU_CPU_H
#define RK_DEVICE_CPU_CPU_H

#include "device/device.h"

/* Options of rk_driver_cpu()->open; NULL means one logical device. */
typedef struct rk_cpu_options {
    uint32_t logical_devices; /* how many devices the machine is presented as; 0 means 1 */
    bool shared_memory;       /* arenas are memory files that another process can map */
} rk_cpu_options;

/* Allocates zeroed memory as the CPU driver does: huge pages where they help, a memory file if
 * shared.
 */
rk_status rk_cpu_mem_alloc(uint64_t bytes, bool shared, rk_mem *out_mem, rk_err *err);
void rk_cpu_mem_free(rk_mem *mem);

/* What the machine is; index and count are those of the logical device. */
void rk_cpu_caps(uint32_t index, uint32_t count, rk_device_caps *out_caps);

#endif
