/*
 * cpu.h: what the embedded CPU driver shares with the host-process driver.
 */
#ifndef RK_DEVICE_CPU_CPU_H
#define RK_DEVICE_CPU_CPU_H

#include "device/device.h"

#define RK_CPU_BLOCKS_MAX 1024u
#define RK_CPU_LANES_MAX 1024u

/* Allocates zeroed memory as the CPU driver does: huge pages where they help, a memory file if
 * shared.
 */
rk_status rk_cpu_mem_alloc(uint64_t bytes, bool shared, rk_mem *out_mem, rk_err *err);
void rk_cpu_mem_free(rk_mem *mem);

/* What the machine is; index and count are those of the logical device. */
void rk_cpu_caps(uint32_t index, uint32_t count, rk_device_caps *out_caps);

/* What the machine tells of its memory. */
void rk_cpu_health(rk_device_telemetry *inout_telemetry);

/* What both CPU drivers answer alike. */
rk_status rk_cpu_probe(const rk_device_options *options, uint32_t *out_count, rk_err *err);
uint32_t rk_cpu_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes);
/* Two logical devices of this machine. */
void rk_cpu_link(rk_device *device, rk_device *other, rk_device_link *out_link);

#endif
