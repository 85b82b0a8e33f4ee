/*
 * runtime.c: the runtime object: devices and the list of kernels.
 */
#include "runtime/runtime_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGICAL_DEVICE_MAX 64u

static rk_status open_devices(rk_runtime *runtime, rk_err *err)
{
    uint32_t count = RK_MAX(1u, runtime->options.logical_devices);
    if (count > LOGICAL_DEVICE_MAX) {
        return rk_err_set(err, RK_INVALID, "%u logical devices are too many, the limit is %u",
                          count, LOGICAL_DEVICE_MAX);
    }
    bool isolated = runtime->options.isolation == RK_ISOLATION_PROCESS;
    runtime->driver = isolated ? rk_driver_host() : rk_driver_cpu();
    runtime->devices = calloc(count, sizeof(rk_device *));
    if (runtime->devices == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for %u devices", count);
    }
    rk_device_options options = {.logical_devices = count, .host_argv = runtime->options.host_argv};
    for (uint32_t i = 0; i < count; i++) {
        rk_status status = runtime->driver->open(i, &options, &runtime->devices[i], err);
        if (status != RK_OK) {
            return status;
        }
        runtime->device_count = i + 1;
    }
    return RK_OK;
}

static void close_devices(rk_runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->device_count; i++) {
        runtime->driver->close(runtime->devices[i]);
    }
    free(runtime->devices);
}

rk_status rk_runtime_create(const rk_runtime_options *options, rk_runtime **out_runtime,
                            rk_err *err)
{
    rk_runtime *runtime = calloc(1, sizeof *runtime);
    if (runtime == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a runtime");
    }
    if (options != NULL) {
        runtime->options = *options;
    }
    rk_mutex_init(&runtime->kernels_lock);
    rk_status status = open_devices(runtime, err);
    if (status == RK_OK) {
        status = rk_thread_start(&runtime->supervisor, "rk-supervisor", rk_supervise_main, runtime);
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "cannot start the runtime's supervisor thread: %s",
                             rk_status_text(status));
        }
    }
    if (status != RK_OK) {
        close_devices(runtime);
        rk_mutex_finish(&runtime->kernels_lock);
        free(runtime);
        return status;
    }
    *out_runtime = runtime;
    return RK_OK;
}

void rk_runtime_destroy(rk_runtime *runtime)
{
    if (runtime == NULL) {
        return;
    }
    while (runtime->kernels != NULL) {
        rk_kernel_destroy(runtime->kernels);
    }
    rk_word_store_release(&runtime->stopping, 1);
    rk_supervise_kick(runtime);
    rk_thread_join(&runtime->supervisor);
    while (runtime->graveyard != NULL) {
        rk_kernel *next = runtime->graveyard->next;
        rk_kernel_free(runtime->graveyard);
        runtime->graveyard = next;
    }
    close_devices(runtime);
    rk_mutex_finish(&runtime->kernels_lock);
    free(runtime);
}

uint32_t rk_runtime_device_count(const rk_runtime *runtime)
{
    return runtime->device_count;
}

rk_status rk_runtime_device_info(const rk_runtime *runtime, uint32_t index,
                                 rk_device_info *out_info)
{
    if (index >= runtime->device_count) {
        return RK_NOT_FOUND;
    }
    rk_device_caps caps;
    rk_device_telemetry telemetry;
    runtime->driver->caps(runtime->devices[index], &caps);
    runtime->driver->telemetry(runtime->devices[index], &telemetry);
    memset(out_info, 0, sizeof *out_info);
    (void)snprintf(out_info->name, sizeof out_info->name, "%s", caps.name);
    (void)snprintf(out_info->driver, sizeof out_info->driver, "%s", runtime->driver->name);
    (void)snprintf(out_info->text, sizeof out_info->text, "%s", caps.text);
    out_info->units = caps.units;
    out_info->max_blocks = caps.max_blocks;
    out_info->memory_bytes = caps.memory_bytes;
    out_info->memory_used_bytes = telemetry.memory_used_bytes;
    out_info->resident_kernels = telemetry.resident_kernels;
    out_info->resident_blocks = telemetry.resident_blocks;
    return RK_OK;
}

rk_kernel *rk_runtime_find_kernel(rk_runtime *runtime, const char *name)
{
    rk_mutex_lock(&runtime->kernels_lock);
    rk_kernel *kernel = runtime->kernels;
    while (kernel != NULL && strcmp(kernel->name, name) != 0) {
        kernel = kernel->next;
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    return kernel;
}

void rk_runtime_each_kernel(rk_runtime *runtime, void (*fn)(void *context, rk_kernel *kernel),
                            void *context)
{
    rk_mutex_lock(&runtime->kernels_lock);
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        fn(context, kernel);
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}
