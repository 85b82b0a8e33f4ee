/*
 * memory.h: how much memory the machine has left.
 */
#ifndef RK_BASE_MEMORY_H
#define RK_BASE_MEMORY_H

#include <stdint.h>

/*
 * Bytes that new allocations can take before the machine has to swap: MemAvailable of a file in
 * the format of /proc/meminfo; UINT64_MAX if it cannot be read. Linux promises more than it has,
 * and kills a process that uses it: so ask before a large allocation. Any thread; it reads a file.
 * Source of the format: Linux Documentation/filesystems/proc.rst.
 */
uint64_t rk_memory_available_bytes(const char *meminfo_path);

#define RK_MEMINFO_PATH "/proc/meminfo"

#endif
