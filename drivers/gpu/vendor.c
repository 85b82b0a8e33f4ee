/*
 * vendor.c: what differs between CUDA and HIP, and how their libraries are found and started.
 *
 * Source of the numbers: cuda.h 13.0 (CUdevice_attribute, CUresult) and hip_runtime_api.h 5.2
 * (hipDeviceAttribute_t, hipError_t).
 */
#include "base/compiler.h"
#include "drivers/gpu/gpu.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const cuda_libraries[] = {"libcuda.so.1", NULL};
static const char *const hip_libraries[] = {"libamdhip64.so.7", "libamdhip64.so.6",
                                            "libamdhip64.so.5", "libamdhip64.so", NULL};

const gpu_vendor gpu_vendor_cuda = {
    .label = "CUDA",
    .need = GPU_CUDA,
    .vendor = RK_VENDOR_NVIDIA,
    .code_kinds = RK_CODE_BIT(RK_CODE_PTX) | RK_CODE_BIT(RK_CODE_CUBIN),
    .library_variable = "RK_CUDA_LIBRARY",
    .libraries = cuda_libraries,
    .install_advice = "install or update NVIDIA's driver, or name its library in RK_CUDA_LIBRARY",
    .device_file = "/dev/nvidiactl",
    .permission_advice = "let this user read and write /dev/nvidia* (in a container: pass the "
                         "devices on)",
    .attributes =
        {
            [GPU_ATTR_UNITS] = 16,
            [GPU_ATTR_LANES_MAX] = 1,
            [GPU_ATTR_BLOCKS_PER_UNIT] = 106,
            [GPU_ATTR_TIME_LIMIT] = 17,
            [GPU_ATTR_COOPERATIVE] = 95,
            [GPU_ATTR_CLUSTERS] = 120,
            [GPU_ATTR_MAJOR] = 75,
            [GPU_ATTR_MINOR] = 76,
            [GPU_ATTR_MEMORY_KHZ] = 36,
            [GPU_ATTR_MEMORY_BITS] = 37,
            [GPU_ATTR_CLOCK_KHZ] = -1,
        },
    .version_min = 11000,
    .version_min_text = "CUDA 11.0",
    .host_flags = 0x1 | 0x2,     /* PORTABLE, DEVICEMAP */
    .register_flags = 0x1 | 0x2, /* PORTABLE, DEVICEMAP */
    .streams = 7,                /* with the copy stream CUDA_DEVICE_MAX_CONNECTIONS, which is 8 */
    .ticks_per_s = 1000000000u,  /* %globaltimer counts nanoseconds */
    .survives_fault = true,
};

const gpu_vendor gpu_vendor_hip = {
    .label = "HIP",
    .need = GPU_HIP,
    .vendor = RK_VENDOR_AMD,
    .code_kinds = RK_CODE_BIT(RK_CODE_HIP),
    .library_variable = "RK_HIP_LIBRARY",
    .libraries = hip_libraries,
    .install_advice = "install or update AMD's ROCm driver, or name its library in RK_HIP_LIBRARY",
    .device_file = "/dev/kfd",
    .permission_advice = "add this user to the groups render and video (in a container: pass "
                         "/dev/kfd and /dev/dri on)",
    .attributes =
        {
            [GPU_ATTR_UNITS] = 63,
            [GPU_ATTR_LANES_MAX] = 56,
            [GPU_ATTR_BLOCKS_PER_UNIT] = 25,
            [GPU_ATTR_TIME_LIMIT] = 18,
            [GPU_ATTR_COOPERATIVE] = 10,
            [GPU_ATTR_CLUSTERS] = -1,
            [GPU_ATTR_MAJOR] = 23,
            [GPU_ATTR_MINOR] = 61,
            [GPU_ATTR_MEMORY_KHZ] = 60,
            [GPU_ATTR_MEMORY_BITS] = 59,
            [GPU_ATTR_CLOCK_KHZ] = 10017, /* WallClockRate, newer than HIP 5.2 */
        },
    .version_min = 50000000,
    .version_min_text = "HIP 5.0",
    .host_flags = 0x1 | 0x2 | 0x40000000, /* Portable, Mapped, Coherent */
    .register_flags = 0x1 | 0x2,          /* Portable, Mapped; registered memory is coherent */
    .streams = 3,                         /* with the copy stream GPU_MAX_HW_QUEUES, which is 4 */
    .ticks_per_s = 100000000,             /* s_memrealtime counts at 100 MHz from gfx9 on */
    .survives_fault = false,              /* the HSA runtime aborts the process */
};

const char *gpu_error_text(const gpu_driver *driver, gpu_result result)
{
    const char *text = NULL;
    if (driver->api.error_text != NULL && driver->api.error_text(result, &text) == 0 &&
        text != NULL) {
        return text;
    }
    text = driver->api.hip_error_text != NULL ? driver->api.hip_error_text(result) : NULL;
    return text != NULL ? text : "unknown error";
}

/* Both vendors number these alike: 214 ECC, 220 and 226 link and memory, 700 on: faults. */
bool gpu_is_sticky(gpu_result result)
{
    switch (result) {
    case 214:
    case 220:
    case 226:
    case 700: /* illegal address */
    case 702: /* the watchdog ended a kernel */
    case 709: /* context destroyed */
    case 710: /* assertion */
    case 714:
    case 715:
    case 716:
    case 717:
    case 718:
    case 719: /* launch failure */ return true;
    default: return false;
    }
}

void gpu_version_text(const gpu_driver *driver, char *out, size_t bytes)
{
    int version = driver->version;
    if (driver->vendor->need == GPU_CUDA) {
        (void)snprintf(out, bytes, "CUDA %d.%d", version / 1000, version % 1000 / 10);
    } else {
        (void)snprintf(out, bytes, "HIP %d.%d.%d", version / 10000000, version / 100000 % 100,
                       version % 100000);
    }
}

int gpu_attribute_get(const gpu_driver *driver, int device, gpu_attribute what, int otherwise)
{
    int number = driver->vendor->attributes[what];
    int value = 0;
    if (number < 0 || driver->api.device_attribute(&value, number, device) != 0) {
        return otherwise;
    }
    return value;
}

/* rk-test-gpu.so beside this module. */
static bool test_library(char *out, size_t bytes)
{
    Dl_info info;
    if (dladdr(&gpu_vendor_cuda, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    int folder = slash != NULL ? (int)(slash - info.dli_fname) : 0;
    int length = snprintf(out, bytes, "%.*s%srk-test-gpu.so", folder, info.dli_fname,
                          slash != NULL ? "/" : "./");
    return length > 0 && (size_t)length < bytes;
}

static rk_status open_library(gpu_driver *driver, rk_err *err)
{
    const gpu_vendor *vendor = driver->vendor;
    char test_path[512];
    const char *named = getenv(vendor->library_variable);
    const char *const one[] = {driver->test ? test_path : named, NULL};
    if (driver->test) {
        if (!test_library(test_path, sizeof test_path)) {
            return rk_err_set(err, RK_NOT_FOUND, "cannot tell where the driver module lies");
        }
        return gpu_api_open(&driver->api, vendor->need, one,
                            "it belongs beside rk-gpu.so in lib/ringkernel/drivers", err);
    }
    bool is_named = named != NULL && *named != '\0';
    return gpu_api_open(&driver->api, vendor->need, is_named ? one : vendor->libraries,
                        vendor->install_advice, err);
}

/* Why the library could not be started, or has no device. */
static rk_status explain(const gpu_driver *driver, gpu_result result, rk_err *err)
{
    const gpu_vendor *vendor = driver->vendor;
    const char *text = gpu_error_text(driver, result);
    bool denied = !driver->test && access(vendor->device_file, R_OK | W_OK) != 0 && errno == EACCES;
    if (denied || result == GPU_NOT_PERMITTED || result == GPU_SYSTEM_REFUSED) {
        return rk_err_set(err, RK_PERMISSION, "%s: no permission to use the devices (%s): %s",
                          driver->name, denied ? vendor->device_file : text,
                          vendor->permission_advice);
    }
    switch (result) {
    case 34:
        return rk_err_set(err, RK_NOT_FOUND,
                          "%s: %s is the stub that the toolkit brings for linking, not a driver "
                          "(error 34); %s",
                          driver->name, driver->api.path, vendor->install_advice);
    case 35:
    case 803:
    case 804:
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s: the library %s and the driver in the system's kernel do not fit "
                          "together: %s (error %d); %s, then load its module anew or restart",
                          driver->name, driver->api.path, text, result, vendor->install_advice);
    case 0:
    case 100:
    case 101:
        return rk_err_set(err, RK_NOT_FOUND,
                          "%s: there is no device: %s (error %d); see whether the system lists it "
                          "and whether %s hides it",
                          driver->name, result != 0 ? text : "none is listed", result,
                          vendor->need == GPU_CUDA ? "CUDA_VISIBLE_DEVICES"
                                                   : "HIP_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES");
    default:
        return rk_err_set(err, RK_DEVICE, "%s: the driver cannot be started: %s (error %d); %s",
                          driver->name, text, result, vendor->install_advice);
    }
}

static rk_status start_library(gpu_driver *driver, rk_err *err)
{
    rk_status status = open_library(driver, err);
    if (status != RK_OK) {
        return rk_err_prefix(err, "%s: ", driver->name);
    }
    /* Lazy loading may load at a launch, which then waits for the kernels that are resident. */
    (void)setenv("CUDA_MODULE_LOADING", "EAGER", 0);
    int count = 0;
    gpu_result result = driver->api.init(0);
    if (result == 0) {
        result = driver->api.driver_version(&driver->version);
    }
    if (result == 0 && driver->version < driver->vendor->version_min) {
        char text[64];
        gpu_version_text(driver, text, sizeof text);
        status = rk_err_set(err, RK_UNSUPPORTED,
                            "%s: the driver is too old: it supports %s, RingKernel needs %s; %s",
                            driver->name, text, driver->vendor->version_min_text,
                            driver->vendor->install_advice);
        goto close;
    }
    if (result == 0) {
        result = driver->api.device_count(&count);
    }
    if (result != 0 || count <= 0) {
        status = explain(driver, result, err);
        goto close;
    }
    driver->device_count = RK_MIN((uint32_t)count, RK_DEVICE_MAX);
    driver->ready = true;
    return RK_OK;
close:
    gpu_api_close(&driver->api);
    return status;
}

rk_status gpu_driver_open(gpu_driver *driver, rk_err *err)
{
    rk_mutex_lock(&driver->lock);
    rk_status status = driver->ready ? RK_OK : start_library(driver, err);
    rk_mutex_unlock(&driver->lock);
    return status;
}
