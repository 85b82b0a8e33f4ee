/*
 * device.c: finds the devices of all platforms that can hold a resident kernel, and opens them.
 */
#include "drivers/opencl/opencl.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLATFORMS_MAX 16u
#define LEASE_ENV "RK_OPENCL_LEASE"   /* 1: kernels take leases; 0: they stay; default: by device */
#define MEMORY_ENV "RK_OPENCL_MEMORY" /* svm or buffer; default: svm where there is any */
#define LANES_ENV "RK_OPENCL_LANES"   /* most lanes of a block on a processor; default 1 */
#define LANES_OF_GPU 256u

/* A device as the platforms show it. */
typedef struct found {
    cl_platform_id platform;
    cl_device_id id;
} found;

typedef struct version {
    unsigned major;
    unsigned minor;
} version;

/* A number that a device tells of itself; 0 when it does not. */
static uint64_t number(const rk_cl *cl, cl_device_id id, uint32_t what, size_t bytes)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    void *to = bytes == sizeof narrow ? (void *)&narrow : (void *)&wide;
    if (cl->clGetDeviceInfo(id, what, bytes, to, NULL) != CL_SUCCESS) {
        return 0;
    }
    return bytes == sizeof narrow ? narrow : wide;
}

static void text(const rk_cl *cl, cl_device_id id, uint32_t what, char *out, size_t bytes)
{
    char buffer[512] = "";
    if (cl->clGetDeviceInfo(id, what, sizeof buffer - 1, buffer, NULL) != CL_SUCCESS) {
        buffer[0] = '\0';
    }
    (void)snprintf(out, bytes, "%s", buffer + strspn(buffer, " "));
}

static version version_of(const rk_cl *cl, cl_device_id id)
{
    char full[RK_DEVICE_TEXT_BYTES];
    version v = {0, 0};
    text(cl, id, CL_DEVICE_VERSION, full, sizeof full);
    if (sscanf(full, "OpenCL %u.%u", &v.major, &v.minor) != 2) {
        v = (version){0, 0};
    }
    return v;
}

/* Whether kernels can stay resident on a device, as far as it tells. */
static rk_status check(const rk_cl *cl, cl_device_id id, rk_err *err)
{
    char name[RK_DEVICE_TEXT_BYTES];
    text(cl, id, CL_DEVICE_NAME, name, sizeof name);
    version v = version_of(cl, id);
    if (v.major < 2) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "OpenCL device '%s' speaks OpenCL %u.%u; kernels that stay resident need "
                          "2.0 or later: install a newer driver",
                          name, v.major, v.minor);
    }
    uint64_t atomics = number(cl, id, CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, sizeof(uint64_t));
    uint64_t needed = CL_DEVICE_ATOMIC_ORDER_ACQ_REL | CL_DEVICE_ATOMIC_SCOPE_DEVICE;
    if (v.major >= 3 && (atomics & needed) != needed) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "OpenCL device '%s' has no atomics with acquire and release order across "
                          "the device; kernels that stay resident need them",
                          name);
    }
    if (number(cl, id, CL_DEVICE_DOUBLE_FP_CONFIG, sizeof(uint64_t)) == 0) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "OpenCL device '%s' has no double precision, which the parameters of "
                          "kernels are computed in",
                          name);
    }
    return RK_OK;
}

/*
 * The devices that pass the check, in the order of the platforms. When there is none the sentence
 * says why the first one does not.
 */
static rk_status find(const rk_cl *cl, found *out_found, uint32_t *out_count, rk_err *err)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    uint32_t platform_count = 0;
    int32_t code = cl->clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (code == CL_PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && platform_count == 0)) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "the OpenCL loader knows no platform; install one (Debian: "
                          "pocl-opencl-icd for the processor, or that of the device's vendor)");
    }
    if (code != CL_SUCCESS) {
        return rk_err_set(err, rk_cl_status(code), "OpenCL does not list its platforms: %s",
                          rk_cl_error_name(code));
    }
    platform_count = RK_MIN(platform_count, PLATFORMS_MAX);
    rk_err first = RK_ERR_INIT;
    uint32_t seen = 0;
    uint32_t count = 0;
    for (uint32_t p = 0; p < platform_count; p++) {
        cl_device_id ids[RK_DEVICE_MAX];
        uint32_t id_count = 0;
        code = cl->clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, RK_DEVICE_MAX, ids, &id_count);
        for (uint32_t i = 0; code == CL_SUCCESS && i < RK_MIN(id_count, RK_DEVICE_MAX); i++) {
            if (check(cl, ids[i], seen++ == 0 ? &first : NULL) == RK_OK && count < RK_DEVICE_MAX) {
                out_found[count++] = (found){platforms[p], ids[i]};
            }
        }
    }
    if (seen == 0) {
        char name[RK_DEVICE_TEXT_BYTES] = "";
        (void)cl->clGetPlatformInfo(platforms[0], CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
        return rk_err_set(err, RK_NOT_FOUND,
                          "OpenCL has no device: %u platform%s, the first is '%s'; is its driver "
                          "loaded, and may this user open the device?",
                          platform_count, platform_count == 1 ? "" : "s", name);
    }
    if (count == 0) {
        return rk_err_set(err, RK_UNSUPPORTED, "%s", first.text);
    }
    *out_count = count;
    return RK_OK;
}

rk_status rk_cl_devices_count(uint32_t *out_count, rk_err *err)
{
    const rk_cl *cl;
    found all[RK_DEVICE_MAX];
    rk_status status = rk_cl_load(&cl, err);
    return status == RK_OK ? find(cl, all, out_count, err) : status;
}

static void read_bus(const rk_cl *cl, cl_device_id id, rk_device_caps *caps)
{
    uint32_t bus[4] = {0, 0, 0, 0}; /* domain, bus, device, function */
    if (cl->clGetDeviceInfo(id, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof bus, bus, NULL) != CL_SUCCESS) {
        uint32_t slot = 0;
        if (cl->clGetDeviceInfo(id, CL_DEVICE_PCI_BUS_ID_NV, sizeof bus[1], &bus[1], NULL) !=
                CL_SUCCESS ||
            cl->clGetDeviceInfo(id, CL_DEVICE_PCI_SLOT_ID_NV, sizeof slot, &slot, NULL) !=
                CL_SUCCESS) {
            return;
        }
        bus[0] = (uint32_t)number(cl, id, CL_DEVICE_PCI_DOMAIN_ID_NV, sizeof(uint32_t));
        bus[2] = slot >> 3;
        bus[3] = slot & 7u;
    }
    (void)snprintf(caps->bus_id, sizeof caps->bus_id, "%04x:%02x:%02x.%x", bus[0] & 0xffffu,
                   bus[1] & 0xffu, bus[2] & 0x1fu, bus[3] & 7u);
}

static rk_vendor vendor_of(uint64_t id)
{
    switch (id) {
    case 0x10de: return RK_VENDOR_NVIDIA;
    case 0x1002: return RK_VENDOR_AMD;
    case 0x8086: return RK_VENDOR_INTEL;
    default: return RK_VENDOR_OTHER;
    }
}

/* "0", "1", or not set: what suits the device. */
static bool wants_lease(const rk_device *device)
{
    const char *given = getenv(LEASE_ENV);
    if (given == NULL || given[0] == '\0') {
        return !device->processor; /* a GPU may have a watchdog, or other users */
    }
    return strcmp(given, "0") != 0;
}

/*
 * Most lanes of a block. On a processor more than one gains nothing, and PoCL 3.1 ends the process
 * when it compiles some kernels for them: then only who asks for them gets them.
 */
static uint32_t most_lanes(const rk_device *device)
{
    uint64_t most = number(device->cl, device->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    if (device->processor) {
        const char *given = getenv(LANES_ENV);
        unsigned long asked = given != NULL ? strtoul(given, NULL, 10) : 1;
        most = RK_MIN(most, asked);
    }
    return (uint32_t)RK_MAX(1u, RK_MIN(most, 65536u));
}

static void read_caps(rk_device *device, const found *f)
{
    const rk_cl *cl = device->cl;
    cl_device_id id = device->id;
    rk_device_caps *caps = &device->caps;
    char platform[48] = "";
    char driver[32];
    char version_text[64];
    (void)cl->clGetPlatformInfo(f->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL);
    text(cl, id, CL_DRIVER_VERSION, driver, sizeof driver);
    text(cl, id, CL_DEVICE_VERSION, version_text, sizeof version_text);
    text(cl, id, CL_DEVICE_NAME, caps->text, sizeof caps->text);
    version v = version_of(cl, id);
    (void)snprintf(caps->name, sizeof caps->name, "opencl:%u", device->index);
    (void)snprintf(caps->driver_text, sizeof caps->driver_text, "%.47s %.31s", platform, driver);
    (void)snprintf(caps->arch, sizeof caps->arch, "OpenCL %u.%u", v.major % 100, v.minor % 100);
    read_bus(cl, id, caps);
    if (!device->processor) { /* PoCL says Intel on every x86 processor */
        caps->vendor = vendor_of(number(cl, id, CL_DEVICE_VENDOR_ID, sizeof(uint32_t)));
    }
    caps->code_kinds = RK_CODE_BIT(RK_CODE_OPENCL);
    caps->units = RK_MAX(1u, (uint32_t)number(cl, id, CL_DEVICE_MAX_COMPUTE_UNITS, 4));
    caps->max_blocks = caps->units;
    caps->max_lanes = most_lanes(device);
    /* A processor's last core is the host's. */
    caps->default_blocks = device->processor ? RK_MAX(1u, caps->units - 1) : caps->units;
    caps->default_lanes = device->processor ? 1 : RK_MIN(LANES_OF_GPU, caps->max_lanes);
    caps->memory_bytes = number(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(uint64_t));
    caps->numa_node = UINT32_MAX;
    caps->host_addressable = true;
    caps->lease_only = wants_lease(device);
    device->allocation_max = number(cl, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(uint64_t));
    device->local_bytes = number(cl, id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(uint64_t));
    bool rounded = (number(cl, id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof(uint64_t)) &
                    CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
    (void)snprintf(device->options, sizeof device->options, "-cl-std=CL%u.0%s", v.major,
                   rounded ? " -cl-fp32-correctly-rounded-divide-sqrt" : "");
}

/* Which memory kernels get (invariant 1 of opencl.h). */
static rk_status choose_memory(rk_device *device, rk_err *err)
{
    const char *given = getenv(MEMORY_ENV);
    uint64_t can = number(device->cl, device->id, CL_DEVICE_SVM_CAPABILITIES, sizeof(uint64_t));
    bool buffer = given != NULL && strcmp(given, "buffer") == 0;
    bool svm = given != NULL && strcmp(given, "svm") == 0;
    if (given != NULL && given[0] != '\0' && !buffer && !svm) {
        return rk_err_set(err, RK_INVALID, MEMORY_ENV " is '%s'; it can be 'svm' or 'buffer'",
                          given);
    }
    if ((can & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) == 0) {
        if (svm) {
            return rk_err_set(err, RK_UNSUPPORTED,
                              "%s (%s) has no fine-grained shared virtual memory, which " MEMORY_ENV
                              " asks for",
                              device->caps.name, device->caps.text);
        }
        buffer = true;
    }
    device->svm_atomics = !buffer && (can & CL_DEVICE_SVM_ATOMICS) != 0;
    device->svm_flags = CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER |
                        (device->svm_atomics ? CL_MEM_SVM_ATOMICS : 0);
    if (buffer) {
        device->svm_flags = 0;
    }
    return RK_OK;
}

static rk_status make_queues(rk_device *device, rk_err *err)
{
    int32_t code = CL_SUCCESS;
    uint32_t wanted = RK_MIN(device->caps.max_blocks, RK_CL_QUEUES_MAX);
    while (device->queue_count < wanted) {
        cl_command_queue queue = device->cl->clCreateCommandQueueWithProperties(
            device->context, device->id, NULL, &code);
        if (queue == NULL) {
            break;
        }
        device->queues[device->queue_count++] = queue;
    }
    return device->queue_count > 0
               ? RK_OK
               : rk_err_set(err, rk_cl_status(code), "%s gives no command queue: %s",
                            device->caps.name, rk_cl_error_name(code));
}

static rk_status set_up(rk_device *device, const found *f, rk_err *err)
{
    int32_t code = 0;
    device->id = f->id;
    device->processor =
        (number(device->cl, f->id, CL_DEVICE_TYPE, sizeof(uint64_t)) & CL_DEVICE_TYPE_CPU) != 0;
    read_caps(device, f);
    rk_status status = choose_memory(device, err);
    if (status != RK_OK) {
        return status;
    }
    device->context = device->cl->clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    if (device->context == NULL) {
        return rk_err_set(err, rk_cl_status(code), "cannot open %s (%s): %s", device->caps.name,
                          device->caps.text, rk_cl_error_name(code));
    }
    status = make_queues(device, err);
    if (status == RK_OK) {
        status = rk_cl_memory_create(device, RK_CL_SCRATCH_BYTES, &device->scratch_arena, err);
    }
    if (status == RK_OK) {
        status = rk_cl_memory_create(device, RK_CL_SCRATCH_BYTES, &device->scratch_mapped, err);
    }
    if (status == RK_OK && !device->svm_atomics) {
        status = rk_cl_trial(device, err);
    }
    device->memory_used = 0; /* the scratch areas are the driver's */
    return status;
}

rk_status rk_cl_device_open(uint32_t index, rk_device **out_device, rk_err *err)
{
    const rk_cl *cl;
    found all[RK_DEVICE_MAX];
    uint32_t count = 0;
    rk_status status = rk_cl_load(&cl, err);
    if (status == RK_OK) {
        status = find(cl, all, &count, err);
    }
    if (status != RK_OK) {
        return status;
    }
    if (index >= count) {
        return rk_err_set(err, RK_NOT_FOUND, "there is no device opencl:%u; OpenCL has %u", index,
                          count);
    }
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open opencl:%u", index);
    }
    device->cl = cl;
    device->index = index;
    rk_mutex_init(&device->lock);
    status = set_up(device, &all[index], err);
    if (status != RK_OK) {
        rk_cl_device_close(device);
        return status;
    }
    *out_device = device;
    return RK_OK;
}

void rk_cl_device_close(rk_device *device)
{
    if (device == NULL) {
        return;
    }
    rk_cl_memory_destroy(device, device->scratch_arena);
    rk_cl_memory_destroy(device, device->scratch_mapped);
    rk_cl_memory_sweep(device);
    for (uint32_t i = 0; i < device->queue_count; i++) {
        (void)device->cl->clReleaseCommandQueue(device->queues[i]); /* it is empty */
    }
    if (device->context != NULL) {
        (void)device->cl->clReleaseContext(device->context);
    }
    rk_mutex_finish(&device->lock);
    free(device);
}
