/*
 * state.c: the devices themselves: configuration, initialisation, objects, calls that may wait.
 */
#include "base/clock.h"
#include "drivers/test/work.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAUNCH_LANES_PER_UNIT 2048u /* resident threads of a multiprocessor */

static rk_mutex config_lock = RK_MUTEX_INIT;
static bool configured;
static bool config_wrong;
static rk_sim_options config;
static _Atomic bool ready[RK_SIM_VENDORS];
static rk_sim_device devices[RK_SIM_VENDORS][RK_SIM_DEVICE_MAX];
static bool devices_made;
static _Atomic uint64_t violations;

static void device_begin(rk_sim_device *device, rk_sim_vendor vendor, uint32_t index)
{
    device->vendor = vendor;
    device->index = index;
    device->primary = (rk_sim_context){.object = {.kind = RK_SIM_CONTEXT, .device = device}};
    device->temperature = (uint32_t)config.heat;
    device->ecc_errors = config.ecc;
    if (config.xid != 0) {
        device->xids[0] = (uint32_t)config.xid;
        device->xid_count = 1;
    }
    device->queue_count = (uint32_t)config.queues;
    if (vendor == RK_SIM_HIP && config.queues == 0) {
        device->queue_count = 4; /* GPU_MAX_HW_QUEUES of the HIP runtime */
    }
}

/* Under config_lock. */
static rk_status configure(const char *text, rk_err *err)
{
    rk_sim_options parsed;
    rk_status status =
        rk_sim_options_parse(text != NULL ? text : getenv("RK_TEST_GPU"), &parsed, err);
    if (status != RK_OK) {
        return status;
    }
    config = parsed;
    for (uint32_t v = 0; v < RK_SIM_VENDORS; v++) {
        for (uint32_t i = 0; i < RK_SIM_DEVICE_MAX; i++) {
            rk_sim_device *device = &devices[v][i];
            if (!devices_made) {
                rk_mutex_init(&device->lock);
                rk_cond_init(&device->changed);
            }
            device_begin(device, (rk_sim_vendor)v, i);
        }
    }
    devices_made = true;
    configured = true;
    rk_sim_watch_start(&config);
    return RK_OK;
}

const rk_sim_options *rk_sim_config(void)
{
    rk_mutex_lock(&config_lock);
    if (!configured) {
        rk_err err = RK_ERR_INIT;
        if (configure(NULL, &err) != RK_OK) {
            (void)fprintf(stderr, "rk-test-gpu: %s\n", err.text);
            (void)configure("nodevice", &err);
            config_wrong = true;
        }
    }
    rk_mutex_unlock(&config_lock);
    return &config;
}

rk_sim_result rk_sim_init(rk_sim_vendor vendor)
{
    const rk_sim_options *options = rk_sim_config();
    if (config_wrong) {
        return RK_SIM_INVALID;
    }
    if (options->permission != 0) {
        return RK_SIM_PERMISSION;
    }
    if (options->nodevice != 0) {
        return RK_SIM_NO_DEVICE;
    }
    if (!atomic_exchange(&ready[vendor], true)) {
        const char *loading = getenv("CUDA_MODULE_LOADING");
        for (uint32_t i = 0; i < RK_SIM_DEVICE_MAX; i++) {
            devices[vendor][i].eager =
                vendor == RK_SIM_HIP || (loading != NULL && strcmp(loading, "EAGER") == 0);
        }
    }
    return RK_SIM_OK;
}

bool rk_sim_is_ready(rk_sim_vendor vendor)
{
    return atomic_load(&ready[vendor]);
}

rk_sim_device *rk_sim_device_at(rk_sim_vendor vendor, int64_t index)
{
    const rk_sim_options *options = rk_sim_config();
    return index >= 0 && index < (int64_t)options->devices && options->nodevice == 0
               ? &devices[vendor][index]
               : NULL;
}

uint32_t rk_sim_bus(const rk_sim_device *device)
{
    return (device->vendor == RK_SIM_HIP ? 0x80u : 0x10u) + device->index;
}

const char *rk_sim_device_name(const rk_sim_device *device)
{
    const char *own = rk_sim_config()->name;
    if (own[0] != '\0') {
        return own;
    }
    return device->vendor == RK_SIM_HIP ? "Test AMD GPU" : "Test NVIDIA GPU";
}

uint32_t rk_sim_capacity(uint32_t units, uint32_t lanes)
{
    const rk_sim_options *options = rk_sim_config();
    uint64_t blocks = RK_MIN(options->blocks, LAUNCH_LANES_PER_UNIT / RK_MAX(lanes, 1u));
    return (uint32_t)blocks * (units != 0 ? units : (uint32_t)options->units);
}

/* ---- Objects ----------------------------------------------------------------------------- */

void *rk_sim_object_create(rk_sim_device *device, rk_sim_kind kind, size_t bytes)
{
    rk_sim_object *object = calloc(1, bytes);
    if (object != NULL) {
        object->kind = kind;
        object->device = device;
        rk_mutex_lock(&device->lock);
        object->next = device->objects;
        device->objects = object;
        rk_mutex_unlock(&device->lock);
    }
    return object;
}

rk_sim_result rk_sim_object_check(const void *handle, rk_sim_kind kind)
{
    const rk_sim_object *object = handle;
    if (object == NULL || object->kind != kind) {
        return RK_SIM_BAD_HANDLE;
    }
    rk_mutex_lock(&object->device->lock);
    bool dead = object->dead;
    rk_mutex_unlock(&object->device->lock);
    return dead ? RK_SIM_DESTROYED : RK_SIM_OK;
}

/* ---- End of a context -------------------------------------------------------------------- */

/* Stops what runs, and lets everything that was made go dead. */
static void device_clear(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    device->lost = true; /* nothing new starts, and kernels that wait for room give up */
    for (rk_sim_op *op = device->running; op != NULL; op = op->next_running) {
        rk_cpu_exec_stop(op->exec);
    }
    rk_cond_broadcast(&device->changed);
    while (device->running != NULL) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    rk_mutex_unlock(&device->lock);
    rk_sim_queues_stop(device);
    rk_mutex_lock(&device->lock);
    for (rk_sim_object *object = device->objects; object != NULL; object = object->next) {
        if (object->kind == RK_SIM_MODULE && !object->dead) {
            rk_cpu_code_finish(&((rk_sim_module *)object)->code);
        }
        object->dead = true;
    }
    device->default_stream = NULL;
    device->retained = 0;
    device->peers = 0;
    rk_mutex_unlock(&device->lock);
    rk_sim_memory_drop(device);
}

rk_sim_result rk_sim_reset(rk_sim_device *device)
{
    if (rk_sim_health(device) == RK_SIM_UNAVAILABLE) {
        return RK_SIM_UNAVAILABLE;
    }
    device_clear(device);
    rk_mutex_lock(&device->lock);
    device->lost = false;
    rk_mutex_unlock(&device->lock);
    return RK_SIM_OK;
}

rk_status rk_sim_configure(const char *text, rk_err *err)
{
    rk_sim_options parsed;
    rk_status status =
        rk_sim_options_parse(text != NULL ? text : getenv("RK_TEST_GPU"), &parsed, err);
    if (status != RK_OK) {
        return status;
    }
    (void)rk_sim_config();
    rk_sim_watch_stop();
    for (uint32_t v = 0; v < RK_SIM_VENDORS; v++) {
        for (uint32_t i = 0; i < RK_SIM_DEVICE_MAX; i++) {
            rk_sim_device *device = &devices[v][i];
            device_clear(device);
            while (device->objects != NULL) {
                rk_sim_object *object = device->objects;
                device->objects = object->next;
                free(object);
            }
            rk_sim_queues_free(device);
            rk_mutex lock = device->lock;
            rk_cond changed = device->changed;
            *device = (rk_sim_device){.lock = lock, .changed = changed};
        }
        atomic_store(&ready[v], false);
    }
    rk_mutex_lock(&config_lock);
    config_wrong = false;
    status = configure(text, err);
    rk_mutex_unlock(&config_lock);
    atomic_store(&violations, 0);
    return status;
}

rk_sim_result rk_sim_health(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    rk_sim_result result = device->gone   ? RK_SIM_UNAVAILABLE
                           : device->lost ? RK_SIM_LOST
                                          : RK_SIM_OK;
    rk_mutex_unlock(&device->lock);
    return result;
}

/* ---- Calls that may wait ------------------------------------------------------------------ */

rk_sim_result rk_sim_violation(const rk_sim_device *device, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)atomic_fetch_add(&violations, 1);
    (void)fprintf(stderr, "rk-test-gpu: %s:%u: %s\n",
                  device->vendor == RK_SIM_HIP ? "hip-test" : "cuda-test", device->index, text);
    return RK_SIM_WOULD_WAIT;
}

uint64_t rk_sim_violations(void)
{
    return atomic_load(&violations);
}

rk_sim_result rk_sim_may_wait(rk_sim_device *device, const char *call)
{
    rk_sim_drain drain = rk_sim_config()->drain;
    rk_sim_result result = RK_SIM_OK;
    rk_mutex_lock(&device->lock);
    if (drain == RK_SIM_DRAIN_FAIL && device->resident != 0 && !device->lost) {
        result = rk_sim_violation(device,
                                  "%s while a kernel is resident may wait for ever on hardware; "
                                  "do it before the launch, or after the kernel has left",
                                  call);
    }
    while (drain == RK_SIM_DRAIN_WAIT && device->resident != 0 && !device->lost) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    rk_mutex_unlock(&device->lock);
    return result;
}
