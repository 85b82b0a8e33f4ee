/*
 * doctor_machine.c: checks of the machine.
 *
 * Sources: proc(5), cgroups(7), membarrier(2), Documentation/admin-guide/mm/transhuge.rst.
 */
#include "cli/cli.h"
#include "cli/doctor.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/thread.h"
#include "base/value.h"

#include <dlfcn.h>
#include <linux/membarrier.h>
#include <ringkernel/topology.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL_FILE_BYTES (1u << 20)

/* The text of a small file, which the caller frees; NULL if it cannot be read. */
static char *read_text(const char *path)
{
    char *text;
    size_t length;
    return rk_file_read_all(path, SMALL_FILE_BYTES, &text, &length, NULL) == RK_OK ? text : NULL;
}

/* The text behind "key" and a colon on the first such line, cut at the line's end. */
static bool find_line(const char *text, const char *key, char *out, size_t size)
{
    size_t length = strlen(key);
    for (const char *at = text; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, '\n');
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (strncmp(at, key, length) == 0 && colon != NULL) {
            const char *value = colon + 1 + strspn(colon + 1, " \t");
            snprintf(out, size, "%.*s", (int)(value < end ? end - value : 0), value);
            return true;
        }
        at = *end != '\0' ? end + 1 : NULL;
    }
    return false;
}

static void check_cpu(rk_finding *f)
{
    char *text = read_text("/proc/cpuinfo");
    char name[128] = "unknown CPU";
    if (text != NULL) {
        (void)find_line(text, "model name", name, sizeof name); /* absent on some machines */
    }
    free(text);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned usable = rk_thread_cpu_count();
    rk_finding_set(f, RK_FINDING_OK, "%s; %u of %ld CPUs usable", name, usable, online);
    if (usable < 2) {
        f->level = RK_FINDING_NOTE;
        rk_finding_remedy(f, "host and kernel share one CPU, so each answer costs a switch between "
                             "them; more CPUs (or a larger CPU quota) make commands faster");
    }
}

static void check_simd(rk_finding *f)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    const char *level = "x86-64";
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt")) {
        level = "x86-64-v2";
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2")) {
        level = "x86-64-v3";
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        level = "x86-64-v4";
    }
    rk_finding_set(f, RK_FINDING_OK, "%s", level);
#else
    rk_finding_set(f, RK_FINDING_OK, "the compiler's base level for this machine");
#endif
}

static void check_memory(rk_finding *f)
{
    char *text = read_text("/proc/meminfo");
    char total[64], available[64];
    if (text == NULL || !find_line(text, "MemTotal", total, sizeof total) ||
        !find_line(text, "MemAvailable", available, sizeof available)) {
        rk_finding_set(f, RK_FINDING_NOTE, "/proc/meminfo cannot be read");
        free(text);
        return;
    }
    char has[RK_VALUE_TEXT_BYTES], left[RK_VALUE_TEXT_BYTES], limit[RK_VALUE_TEXT_BYTES];
    uint64_t total_bytes = strtoull(total, NULL, 10) << 10;
    uint64_t available_bytes = strtoull(available, NULL, 10) << 10;
    free(text);
    text = read_text("/sys/fs/cgroup/memory.max");
    uint64_t group_bytes = text ? strtoull(text, NULL, 10) : 0; /* "max" reads as 0 */
    free(text);
    rk_finding_set(f, RK_FINDING_OK, "%s, %s free%s%s", rk_value_format_size(total_bytes, has),
                   rk_value_format_size(available_bytes, left),
                   group_bytes ? ", limited by the cgroup to " : "",
                   group_bytes ? rk_value_format_size(group_bytes, limit) : "");
    if (available_bytes < (uint64_t)512 << 20) {
        f->level = RK_FINDING_NOTE;
        rk_finding_remedy(f, "examples/room.yaml needs about 100 MiB; larger grids need more");
    }
}

/* The chosen word of "always [madvise] never". */
static void chosen(const char *path, char *out, size_t size)
{
    char *text = read_text(path);
    const char *open = text ? strchr(text, '[') : NULL;
    const char *close = open ? strchr(open, ']') : NULL;
    snprintf(out, size, "%.*s", close ? (int)(close - open - 1) : 7, close ? open + 1 : "unknown");
    free(text);
}

static void check_huge_pages(rk_finding *f)
{
    char anonymous[32], shared[32];
    chosen("/sys/kernel/mm/transparent_hugepage/enabled", anonymous, sizeof anonymous);
    chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", shared, sizeof shared);
    rk_finding_set(f, RK_FINDING_OK, "transparent: %s; for shared memory: %s", anonymous, shared);
    if (strcmp(shared, "never") == 0 || strcmp(shared, "deny") == 0) {
        f->level = RK_FINDING_NOTE;
        rk_finding_remedy(f, "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled "
                             "(as root) can make large grids faster");
    }
}

static void check_membarrier(rk_finding *f)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
        rk_finding_set(f, RK_FINDING_OK, "expedited barriers are available");
    } else {
        rk_finding_set(f, RK_FINDING_NOTE, "no expedited membarrier(2)");
        rk_finding_remedy(f, "a newer Linux kernel, or a sandbox that allows the call, has it");
    }
}

static void format_limit(rlim_t value, bool bytes, char out[RK_VALUE_TEXT_BYTES])
{
    if (value == RLIM_INFINITY) {
        snprintf(out, RK_VALUE_TEXT_BYTES, "unlimited");
    } else if (bytes) {
        (void)rk_value_format_size(value, out);
    } else {
        snprintf(out, RK_VALUE_TEXT_BYTES, "%llu", (unsigned long long)value);
    }
}

static void check_limits(rk_finding *f)
{
    struct rlimit files = {0}, processes = {0}, size = {0}, space = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files); /* these cannot fail */
    (void)getrlimit(RLIMIT_NPROC, &processes);
    (void)getrlimit(RLIMIT_FSIZE, &size);
    (void)getrlimit(RLIMIT_AS, &space);
    char a[RK_VALUE_TEXT_BYTES], b[RK_VALUE_TEXT_BYTES], c[RK_VALUE_TEXT_BYTES],
        d[RK_VALUE_TEXT_BYTES];
    format_limit(files.rlim_cur, false, a);
    format_limit(processes.rlim_cur, false, b);
    format_limit(size.rlim_cur, true, c);
    format_limit(space.rlim_cur, true, d);
    rk_finding_set(f, RK_FINDING_OK, "files %s, processes %s, file size %s, address space %s", a, b,
                   c, d);
    if (files.rlim_cur != RLIM_INFINITY && files.rlim_cur < 256) {
        f->level = RK_FINDING_NOTE;
        rk_finding_remedy(f, "ulimit -n 1024: each kernel in a host process takes a few files");
    }
}

typedef struct gpu_library {
    const char *names[3];
    const char *what;
} gpu_library;

static void check_gpu(rk_finding *f)
{
    static const gpu_library libraries[] = {
        {{"libcuda.so.1", NULL}, "CUDA driver"},
        {{"libnvrtc.so.12", "libnvrtc.so", NULL}, "NVRTC"},
        {{"libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"}, "HIP"},
        {{"libOpenCL.so.1", NULL}, "OpenCL"},
        {{"libnvidia-ml.so.1", NULL}, "NVML"},
        {{"libamd_smi.so", "librocm_smi64.so", NULL}, "AMD or ROCm SMI"},
    };
    char text[RK_FINDING_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < RK_CLI_COUNT(libraries); i++) {
        void *handle = NULL;
        const char *found = NULL;
        for (size_t j = 0; j < 3 && handle == NULL && libraries[i].names[j] != NULL; j++) {
            handle = dlopen(libraries[i].names[j], RTLD_LAZY | RTLD_LOCAL);
            found = handle ? libraries[i].names[j] : NULL;
        }
        int written = snprintf(text + used, sizeof text - used, "%s%s %s", i ? ", " : "",
                               libraries[i].what, found ? found : "not found");
        used = RK_MIN(used + (size_t)written, sizeof text - 1);
        /* It stays loaded for the moment: unloading some of these libraries leaks. */
    }
    rk_finding_set(f, RK_FINDING_NOTE, "%s", text);
}

static void check_devices(rk_finding *f)
{
    rk_topology *topology = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_topology_create(NULL, &topology, &err) != RK_OK) {
        rk_finding_set(f, RK_FINDING_NOTE, "%s", err.text);
        return;
    }
    char text[RK_FINDING_BYTES] = "";
    size_t used = 0;
    uint32_t unused = 0;
    for (uint32_t i = 0; i < rk_topology_device_count(topology); i++) {
        const rk_topology_device *device = rk_topology_device_at(topology, i);
        if (device->driver[0] == '\0') {
            unused += device->vendor != RK_VENDOR_OTHER ? 1 : 0;
            continue;
        }
        int written = snprintf(text + used, sizeof text - used, "%s%s (%s)", used ? ", " : "",
                               device->name, device->text);
        used = RK_MIN(used + (size_t)written, sizeof text - 1);
    }
    rk_topology_destroy(topology);
    rk_finding_set(f, unused > 0 ? RK_FINDING_NOTE : RK_FINDING_OK, "%s", text);
    if (unused > 0) {
        rk_finding_remedy(f,
                          "%u more on the PCI bus without a driver that runs kernels: 'rk devices' "
                          "says why",
                          unused);
    }
}

const rk_check rk_doctor_machine[] = {
    {"cpu", check_cpu},
    {"instructions", check_simd},
    {"memory", check_memory},
    {"huge pages", check_huge_pages},
    {"membarrier", check_membarrier},
    {"limits", check_limits},
    {"gpu libraries", check_gpu},
    {"devices", check_devices},
};
const size_t rk_doctor_machine_count = RK_CLI_COUNT(rk_doctor_machine);
