/*
 * memory.c: arenas and mapped pages in the host's memory, and what the machine offers.
 */
#include "base/memory.h"
#include "base/thread.h"
#include "device/cpu/cpu.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HUGE_PAGE_BYTES ((uint64_t)2 * 1024 * 1024)
#define LARGE_BYTES ((uint64_t)256 * 1024 * 1024) /* from here on it is asked whether it fits */

rk_status rk_cpu_mem_alloc(uint64_t bytes, bool shared, rk_mem *out_mem, rk_err *err)
{
    uint64_t size = 0;
    uint64_t unit = bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 4096;
    if (bytes == 0 || !rk_size_add(bytes, unit - 1, &size) || size > (uint64_t)INT64_MAX) {
        return rk_err_set(err, RK_INVALID, "cannot allocate %llu bytes", (unsigned long long)bytes);
    }
    size &= ~(unit - 1);
    uint64_t available = size >= LARGE_BYTES ? rk_memory_available_bytes(RK_MEMINFO_PATH) : size;
    if (size > available) {
        return rk_err_set(err, RK_NO_MEMORY,
                          "a kernel needs %llu MiB, but the machine has %llu MiB of memory left; "
                          "use a smaller problem, or free memory",
                          (unsigned long long)(size >> 20), (unsigned long long)(available >> 20));
    }
    int fd = -1;
    if (shared) {
        fd = memfd_create("ringkernel", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
            int code = errno;
            if (fd >= 0) {
                (void)close(fd);
            }
            return rk_err_set(err, RK_NO_MEMORY, "cannot make %llu bytes of shared memory: %s",
                              (unsigned long long)size, strerror(code));
        }
    }
    int flags = shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED) {
        int code = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return rk_err_set(
            err, RK_NO_MEMORY,
            "cannot allocate %llu MiB for a kernel: %s; use a smaller problem, or free "
            "memory",
            (unsigned long long)(size >> 20), strerror(code));
    }
    if (size >= HUGE_PAGE_BYTES) {
        (void)madvise(memory, size, MADV_HUGEPAGE); /* a hint: without it the kernel runs as well */
    }
    *out_mem = (rk_mem){.host = memory, .bytes = size, .fd = fd};
    return RK_OK;
}

void rk_cpu_mem_free(rk_mem *mem)
{
    if (mem->host != NULL) {
        (void)munmap(mem->host, mem->bytes);
    }
    if (mem->fd >= 0) {
        (void)close(mem->fd);
    }
    *mem = (rk_mem){.fd = -1};
}

static void processor_text(char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "processor");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL) {
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            (void)snprintf(out, bytes, "%s", value + 2);
            out[strcspn(out, "\n")] = '\0';
            break;
        }
    }
    (void)fclose(file);
}

void rk_cpu_health(rk_device_telemetry *inout_telemetry)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t available = rk_memory_available_bytes(RK_MEMINFO_PATH);
    if (pages > 0 && page_bytes > 0) {
        inout_telemetry->memory_total_bytes = (uint64_t)pages * (uint64_t)page_bytes;
        inout_telemetry->known |= RK_TELEMETRY_KNOWN(memory_total_bytes);
    }
    if (available != UINT64_MAX) {
        inout_telemetry->memory_free_bytes = available;
        inout_telemetry->known |= RK_TELEMETRY_KNOWN(memory_free_bytes);
    }
}

void rk_cpu_caps(uint32_t index, uint32_t count, rk_device_caps *out_caps)
{
    struct utsname system;
    unsigned cpus = rk_thread_cpu_count();
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    memset(out_caps, 0, sizeof *out_caps);
    (void)snprintf(out_caps->name, sizeof out_caps->name, "cpu:%u", index);
    processor_text(out_caps->text, sizeof out_caps->text);
    if (uname(&system) == 0) {
        (void)snprintf(out_caps->arch, sizeof out_caps->arch, "%.23s", system.machine);
    }
    out_caps->vendor = RK_VENDOR_CPU;
    out_caps->units = RK_MAX(1u, cpus / count);
    out_caps->max_blocks = RK_CPU_BLOCKS_MAX;
    out_caps->default_blocks = out_caps->units;
    out_caps->max_lanes = RK_CPU_LANES_MAX;
    out_caps->code_kinds = RK_CODE_BIT(RK_CODE_CPU) | RK_CODE_BIT(RK_CODE_FIBER);
    out_caps->ticks_per_s = 1000000000;
    out_caps->rings_host = true;
    out_caps->memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes / count : 0;
    out_caps->numa_node = UINT32_MAX;
    out_caps->host_addressable = true;
}
