/*
 * telemetry.c: names and shares of what is told of devices.
 */
#include "base/compiler.h"
#include <ringkernel/telemetry.h>

const char *rk_vendor_name(rk_vendor vendor)
{
    switch (vendor) {
    case RK_VENDOR_NVIDIA: return "nvidia";
    case RK_VENDOR_AMD: return "amd";
    case RK_VENDOR_INTEL: return "intel";
    case RK_VENDOR_CPU: return "cpu";
    case RK_VENDOR_OTHER: break;
    }
    return "other";
}

const char *rk_link_kind_name(rk_link_kind kind)
{
    static const char *const names[] = {
        [RK_LINK_NONE] = "none",         [RK_LINK_SAME] = "same", [RK_LINK_NVLINK] = "nvlink",
        [RK_LINK_NVSWITCH] = "nvswitch", [RK_LINK_XGMI] = "xgmi", [RK_LINK_PCIE] = "pcie",
        [RK_LINK_MEMORY] = "memory",
    };
    uint32_t index = (uint32_t)kind;
    return names[index < RK_COUNT_OF(names) ? index : RK_LINK_NONE];
}

double rk_telemetry_busy_percent(const rk_device_telemetry *before, const rk_device_telemetry *now)
{
    uint64_t busy = now->kernel_busy_ns;
    uint64_t idle = now->kernel_idle_ns;
    if (before != NULL) {
        if (busy < before->kernel_busy_ns || idle < before->kernel_idle_ns) {
            return -1.0;
        }
        busy -= before->kernel_busy_ns;
        idle -= before->kernel_idle_ns;
    }
    double sum = (double)busy + (double)idle;
    return sum > 0.0 ? 100.0 * (double)busy / sum : -1.0;
}
