/*
 * devices.c: the devices of a runtime: those that its options name, opened at once, and others,
 * opened when a launch names them.
 */
#include "device/loader.h"
#include "runtime/runtime_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGICAL_DEVICE_MAX 64u
#define DRIVER_LIST_BYTES 256

static rk_device_options options_of(const rk_runtime *runtime, const rk_driver_ops *driver)
{
    return (rk_device_options){.logical_devices = RK_MAX(1u, runtime->options.logical_devices),
                               .host_argv = runtime->options.host_argv,
                               .relayed = driver->name};
}

/* homes_lock is held. */
static rk_status open_home(rk_runtime *runtime, const rk_driver_ops *driver, uint32_t index,
                           const rk_home **out_home, rk_err *err)
{
    if (runtime->home_count == RK_HOME_MAX) {
        return rk_err_set(err, RK_LIMIT, "a runtime holds %u devices", RK_HOME_MAX);
    }
    rk_home *home = &runtime->homes[runtime->home_count];
    rk_device_options options = options_of(runtime, driver);
    rk_status status = driver->open(index, &options, &home->device, err);
    if (status != RK_OK) {
        return status;
    }
    home->driver = driver;
    driver->caps(home->device, &home->caps);
    rk_word_store_release(&runtime->home_count, runtime->home_count + 1);
    if (out_home != NULL) {
        *out_home = home;
    }
    return RK_OK;
}

/* The driver's table; with isolation its kernels live in host processes. */
static rk_status find_driver(const rk_runtime *runtime, const char *name,
                             const rk_driver_ops **out_driver, rk_err *err)
{
    if (runtime->options.isolation != RK_ISOLATION_PROCESS) {
        return rk_driver_find(name, out_driver, err);
    }
    *out_driver = strcmp(name, "cpu") == 0 ? rk_driver_host() : rk_driver_relay(name);
    return *out_driver != NULL ? RK_OK
                               : rk_err_set(err, RK_LIMIT, "driver '%s' is one too many", name);
}

/* All devices of a driver. homes_lock is held. */
static rk_status open_driver(rk_runtime *runtime, const char *name, rk_err *err)
{
    const rk_driver_ops *driver = NULL;
    uint32_t count = 0;
    rk_status status = find_driver(runtime, name, &driver, err);
    if (status == RK_OK) {
        rk_device_options options = options_of(runtime, driver);
        status = driver->probe(&options, &count, err);
    }
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        status = open_home(runtime, driver, i, NULL, err);
    }
    return status;
}

static rk_status open_list(rk_runtime *runtime, const char *list, rk_err *err)
{
    char copy[DRIVER_LIST_BYTES];
    if (strlen(list) >= sizeof copy) {
        return rk_err_set(err, RK_INVALID, "the list of drivers is longer than %u bytes",
                          DRIVER_LIST_BYTES - 1u);
    }
    memcpy(copy, list, strlen(list) + 1);
    rk_status status = RK_OK;
    char *rest = NULL;
    for (char *name = strtok_r(copy, ",", &rest); name != NULL && status == RK_OK;
         name = strtok_r(NULL, ",", &rest)) {
        status = open_driver(runtime, name, err);
    }
    if (status == RK_OK && runtime->home_count == 0) {
        return rk_err_set(err, RK_INVALID, "the list of drivers '%s' names none", list);
    }
    return status;
}

rk_status rk_devices_open(rk_runtime *runtime, rk_err *err)
{
    const char *drivers = runtime->options.drivers;
    uint32_t logical = RK_MAX(1u, runtime->options.logical_devices);
    if (logical > LOGICAL_DEVICE_MAX) {
        return rk_err_set(err, RK_INVALID, "%u logical devices are too many, the limit is %u",
                          logical, LOGICAL_DEVICE_MAX);
    }
    if (drivers != NULL && strcmp(drivers, "all") != 0) {
        return open_list(runtime, drivers, err);
    }
    rk_status status = open_driver(runtime, "cpu", err);
    for (uint32_t i = 0; drivers != NULL && i < rk_driver_name_count && status == RK_OK; i++) {
        /* One that finds no device is left out: that is what "all" means. */
        (void)open_driver(runtime, rk_driver_names[i], NULL);
    }
    return status;
}

void rk_devices_close(rk_runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->home_count; i++) {
        runtime->homes[i].driver->close(runtime->homes[i].device);
    }
    rk_mutex_finish(&runtime->homes_lock);
}

static const rk_home *find_open(const rk_runtime *runtime, const char *name)
{
    uint32_t count = rk_word_load_acquire(&runtime->home_count);
    for (uint32_t i = 0; i < count; i++) {
        const rk_home *home = &runtime->homes[i];
        size_t length = strlen(home->driver->name);
        bool first = strncmp(home->caps.name, name, length) == 0 && name[length] == '\0' &&
                     strcmp(home->caps.name + length, ":0") == 0;
        if (first || strcmp(home->caps.name, name) == 0) {
            return home;
        }
    }
    return NULL;
}

/* Splits "cuda:1"; "cuda" is its first. */
static rk_status parse_name(const char *name, char driver[RK_DRIVER_NAME_BYTES],
                            uint32_t *out_index, rk_err *err)
{
    size_t length = strcspn(name, ":");
    unsigned long index = 0;
    char *end = NULL;
    if (name[length] == ':') {
        index = strtoul(name + length + 1, &end, 10);
    }
    if (length == 0 || length >= RK_DRIVER_NAME_BYTES || index >= RK_DEVICE_MAX ||
        (end != NULL && (end == name + length + 1 || *end != '\0' || name[length + 1] == '-'))) {
        return rk_err_set(err, RK_INVALID,
                          "'%.40s' is no name of a device; names look like cpu:0 or cuda:1", name);
    }
    memcpy(driver, name, length);
    driver[length] = '\0';
    *out_index = (uint32_t)index;
    return RK_OK;
}

rk_status rk_devices_find(rk_runtime *runtime, const char *name, const rk_home **out_home,
                          rk_err *err)
{
    const rk_home *home = name == NULL ? &runtime->homes[0] : find_open(runtime, name);
    char driver_name[RK_DRIVER_NAME_BYTES];
    uint32_t index = 0;
    rk_status status = RK_OK;
    if (home == NULL) {
        status = parse_name(name, driver_name, &index, err);
        rk_mutex_lock(&runtime->homes_lock);
        home = find_open(runtime, name); /* another thread may have opened it */
        const rk_driver_ops *driver = NULL;
        if (status == RK_OK && home == NULL) {
            status = find_driver(runtime, driver_name, &driver, err);
        }
        if (status == RK_OK && home == NULL) {
            status = open_home(runtime, driver, index, &home, err);
        }
        rk_mutex_unlock(&runtime->homes_lock);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "device '%s': ", name);
        return status;
    }
    *out_home = home;
    return RK_OK;
}

uint32_t rk_runtime_device_count(const rk_runtime *runtime)
{
    return rk_word_load_acquire(&runtime->home_count);
}

rk_status rk_runtime_device_info(const rk_runtime *runtime, uint32_t index,
                                 rk_device_info *out_info)
{
    if (index >= rk_runtime_device_count(runtime)) {
        return RK_NOT_FOUND;
    }
    const rk_home *home = &runtime->homes[index];
    const rk_device_caps *caps = &home->caps;
    rk_device_telemetry telemetry;
    home->driver->telemetry(home->device, &telemetry);
    memset(out_info, 0, sizeof *out_info);
    (void)snprintf(out_info->name, sizeof out_info->name, "%s", caps->name);
    (void)snprintf(out_info->driver, sizeof out_info->driver, "%s", home->driver->name);
    (void)snprintf(out_info->text, sizeof out_info->text, "%s", caps->text);
    out_info->units = caps->units;
    out_info->max_blocks = caps->max_blocks;
    out_info->memory_bytes = caps->memory_bytes;
    out_info->memory_used_bytes = telemetry.memory_used_bytes;
    out_info->resident_kernels = telemetry.resident_kernels;
    out_info->resident_blocks = telemetry.resident_blocks;
    return RK_OK;
}

/* What the resident kernels of a device count about themselves. */
static void add_kernel_times(rk_runtime *runtime, const rk_home *home, rk_device_telemetry *t)
{
    rk_mutex_lock(&runtime->kernels_lock);
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        if (kernel->home == home && rk_word_load_acquire(&kernel->resident) != 0) {
            const rk_counters *counters = &kernel->control->counters;
            t->kernel_busy_ns += rk_word64_load(&counters->busy_ns);
            t->kernel_idle_ns += rk_word64_load(&counters->idle_ns);
            rk_word_store_release(&kernel->sample.wanted, 1); /* for the next look */
        }
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}

rk_status rk_runtime_device_telemetry(rk_runtime *runtime, uint32_t index,
                                      rk_device_telemetry *out_telemetry)
{
    if (index >= rk_runtime_device_count(runtime)) {
        return RK_NOT_FOUND;
    }
    const rk_home *home = &runtime->homes[index];
    rk_device_telemetry telemetry = {.known = 0};
    home->driver->telemetry(home->device, &telemetry);
    telemetry.kernel_busy_ns = 0;
    telemetry.kernel_idle_ns = 0;
    add_kernel_times(runtime, home, &telemetry);
    rk_supervise_kick(runtime);
    *out_telemetry = telemetry;
    return RK_OK;
}
