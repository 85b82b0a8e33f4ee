/*
 * smi.c: AMD SMI and ROCm SMI: health of the HIP devices and the links between them.
 *
 * With missing=amdsmi_init in the configuration AMD SMI does not start, as on a machine that has
 * ROCm SMI alone. Sources: amdsmi.h of ROCm 6.0 to 7.0, rocm_smi.h of ROCm 5.2 to 7.0.
 */
#include "drivers/gpu/health/smi_calls.h"
#include "drivers/test/export.h"
#include "drivers/test/facts.h"
#include <string.h>

#define SMI_INVALID 1
#define SMI_NOT_SUPPORTED 2
#define SMI_PERMISSION 4
#define AMDSMI_NO_PERMISSION 10
#define SMI_NOT_FOUND 6
#define AMDSMI_NOT_FOUND 31
#define SMI_FAILED 8
#define AMDSMI_DRIVER_NOT_LOADED 34

static _Atomic int amd_users;
static _Atomic int rocm_users;

/* What both libraries tell alike. Those of a device that is gone fail. */

static rk_sim_result temperature_of(rk_sim_device *device, int64_t *out_mc)
{
    rk_mutex_lock(&device->lock);
    *out_mc = (int64_t)device->temperature * 1000;
    rk_mutex_unlock(&device->lock);
    return rk_sim_health(device) == RK_SIM_UNAVAILABLE ? RK_SIM_UNAVAILABLE : RK_SIM_OK;
}

static uint64_t used_of(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    uint64_t used = device->memory_used;
    rk_mutex_unlock(&device->lock);
    return used;
}

static uint32_t busy_of(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    uint32_t busy = device->resident_blocks != 0 ? 100 : 0;
    rk_mutex_unlock(&device->lock);
    return busy;
}

static uint64_t errors_of(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    uint64_t errors = device->ecc_errors;
    rk_mutex_unlock(&device->lock);
    return errors;
}

static int link_kind(uint64_t *out_hops)
{
    bool direct = rk_sim_config()->link > RK_SIM_LINK_PCIE;
    *out_hops = direct ? 1 : 2;
    return direct ? SMI_LINK_XGMI : SMI_LINK_PCIE;
}

/* ---- AMD SMI ----------------------------------------------------------------------------- */

RK_SIM_EXPORT(amdsmi_init, uint64_t flags)
{
    const rk_sim_options *options = rk_sim_config();
    for (uint32_t i = 0; i < options->missing_count; i++) {
        if (strcmp(options->missing[i], "amdsmi_init") == 0) {
            return AMDSMI_DRIVER_NOT_LOADED;
        }
    }
    if (options->permission != 0) {
        return AMDSMI_NO_PERMISSION;
    }
    if (options->nodevice != 0 || flags != SMI_INIT_AMD_GPUS) {
        return options->nodevice != 0 ? AMDSMI_DRIVER_NOT_LOADED : SMI_INVALID;
    }
    (void)atomic_fetch_add(&amd_users, 1);
    return SMI_OK;
}

RK_SIM_EXPORT(amdsmi_shut_down, void)
{
    (void)atomic_fetch_sub(&amd_users, 1);
    return SMI_OK;
}

/* bdf: function 3 bits, device 5, bus 8, domain above */
RK_SIM_EXPORT(amdsmi_get_processor_handle_from_bdf, uint64_t bdf, void **out_handle)
{
    for (uint32_t i = 0; i < RK_SIM_DEVICE_MAX; i++) {
        rk_sim_device *device = rk_sim_device_at(RK_SIM_HIP, i);
        if (device != NULL && atomic_load(&amd_users) > 0 && bdf == rk_sim_bus(device) << 8) {
            *out_handle = device;
            return SMI_OK;
        }
    }
    return AMDSMI_NOT_FOUND;
}

/* Degrees, as of ROCm 6.4. */
RK_SIM_EXPORT(amdsmi_get_temp_metric, void *device, int type, int metric, int64_t *out)
{
    if (type > SMI_TEMPERATURE_JUNCTION || metric != SMI_TEMPERATURE_CURRENT) {
        return SMI_NOT_SUPPORTED;
    }
    rk_sim_result result = temperature_of(device, out);
    *out /= 1000;
    return result == RK_SIM_OK ? SMI_OK : AMDSMI_NOT_FOUND;
}

RK_SIM_EXPORT(amdsmi_get_gpu_memory_total, void *device, int type, uint64_t *out)
{
    (void)device;
    *out = rk_sim_config()->memory_bytes;
    return type == SMI_MEMORY_VRAM ? SMI_OK : SMI_NOT_SUPPORTED;
}

RK_SIM_EXPORT(amdsmi_get_gpu_memory_usage, void *device, int type, uint64_t *out)
{
    *out = used_of(device);
    return type == SMI_MEMORY_VRAM ? SMI_OK : SMI_NOT_SUPPORTED;
}

RK_SIM_EXPORT(amdsmi_get_gpu_total_ecc_count, void *device, smi_errors *out)
{
    *out = (smi_errors){.uncorrected = errors_of(device)};
    return SMI_OK;
}

RK_SIM_EXPORT(amdsmi_get_gpu_pci_replay_counter, void *device, uint64_t *out)
{
    (void)device;
    *out = 0;
    return SMI_OK;
}

RK_SIM_EXPORT(amdsmi_get_gpu_activity, void *device, smi_usage *out)
{
    *out = (smi_usage){.gfx = busy_of(device)};
    return SMI_OK;
}

RK_SIM_EXPORT(amdsmi_topo_get_link_type, void *from, void *to, uint64_t *out_hops, int *out_type)
{
    *out_type = link_kind(out_hops);
    return from == to ? SMI_INVALID : SMI_OK;
}

RK_SIM_EXPORT(amdsmi_get_minmax_bandwidth_between_processors, void *from, void *to,
              uint64_t *out_least, uint64_t *out_most)
{
    *out_least = rk_sim_config()->link_bandwidth / 1000000;
    *out_most = *out_least;
    return from == to ? SMI_INVALID : SMI_OK;
}

RK_SIM_EXPORT(amdsmi_is_P2P_accessible, void *from, void *to, bool *out)
{
    *out = rk_sim_can_reach(from, to);
    return from == to ? SMI_INVALID : SMI_OK;
}

/* ---- ROCm SMI ---------------------------------------------------------------------------- */

RK_SIM_EXPORT(rsmi_init, uint64_t flags)
{
    const rk_sim_options *options = rk_sim_config();
    (void)flags;
    if (options->permission != 0 || options->nodevice != 0) {
        return options->permission != 0 ? SMI_PERMISSION : SMI_FAILED;
    }
    (void)atomic_fetch_add(&rocm_users, 1);
    return SMI_OK;
}

RK_SIM_EXPORT(rsmi_shut_down, void)
{
    (void)atomic_fetch_sub(&rocm_users, 1);
    return SMI_OK;
}

static rk_sim_device *monitored(uint32_t index)
{
    return atomic_load(&rocm_users) > 0 ? rk_sim_device_at(RK_SIM_HIP, index) : NULL;
}

RK_SIM_EXPORT(rsmi_num_monitor_devices, uint32_t *out_count)
{
    *out_count = atomic_load(&rocm_users) > 0 ? (uint32_t)rk_sim_config()->devices : 0;
    return SMI_OK;
}

RK_SIM_EXPORT(rsmi_dev_pci_id_get, uint32_t index, uint64_t *out_bdf)
{
    const rk_sim_device *device = monitored(index);
    *out_bdf = device != NULL ? (uint64_t)rk_sim_bus(device) << 8 : 0;
    return device != NULL ? SMI_OK : SMI_INVALID;
}

/* Thousandths of a degree. */
RK_SIM_EXPORT(rsmi_dev_temp_metric_get, uint32_t index, uint32_t type, int metric, int64_t *out)
{
    rk_sim_device *device = monitored(index);
    if (device == NULL || type > SMI_TEMPERATURE_JUNCTION || metric != SMI_TEMPERATURE_CURRENT) {
        return device == NULL ? SMI_INVALID : SMI_NOT_SUPPORTED;
    }
    return temperature_of(device, out) == RK_SIM_OK ? SMI_OK : SMI_NOT_FOUND;
}

RK_SIM_EXPORT(rsmi_dev_memory_total_get, uint32_t index, int type, uint64_t *out)
{
    *out = rk_sim_config()->memory_bytes;
    return monitored(index) != NULL && type == SMI_MEMORY_VRAM ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_dev_memory_usage_get, uint32_t index, int type, uint64_t *out)
{
    rk_sim_device *device = monitored(index);
    *out = device != NULL ? used_of(device) : 0;
    return device != NULL && type == SMI_MEMORY_VRAM ? SMI_OK : SMI_INVALID;
}

/* All errors are those of the first block, the memory controllers. */
RK_SIM_EXPORT(rsmi_dev_ecc_count_get, uint32_t index, int block, smi_errors *out)
{
    rk_sim_device *device = monitored(index);
    if (device == NULL || block != 1) {
        return device == NULL ? SMI_INVALID : SMI_NOT_SUPPORTED;
    }
    out->corrected = 0;
    out->uncorrected = errors_of(device);
    return SMI_OK;
}

RK_SIM_EXPORT(rsmi_dev_pci_replay_counter_get, uint32_t index, uint64_t *out)
{
    *out = 0;
    return monitored(index) != NULL ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_dev_busy_percent_get, uint32_t index, uint32_t *out)
{
    rk_sim_device *device = monitored(index);
    *out = device != NULL ? busy_of(device) : 0;
    return device != NULL ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_dev_power_ave_get, uint32_t index, uint32_t sensor, uint64_t *out_uw)
{
    rk_sim_device *device = monitored(index);
    *out_uw = device != NULL && busy_of(device) != 0 ? 350000000 : 90000000;
    return device != NULL && sensor == 0 ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_dev_power_cap_get, uint32_t index, uint32_t sensor, uint64_t *out_uw)
{
    *out_uw = 560000000;
    return monitored(index) != NULL && sensor == 0 ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_topo_get_link_type, uint32_t from, uint32_t to, uint64_t *out_hops,
              int *out_type)
{
    *out_type = link_kind(out_hops);
    return from != to && monitored(from) != NULL && monitored(to) != NULL ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_minmax_bandwidth_get, uint32_t from, uint32_t to, uint64_t *out_least,
              uint64_t *out_most)
{
    *out_least = rk_sim_config()->link_bandwidth / 1000000;
    *out_most = *out_least;
    return from != to && monitored(from) != NULL && monitored(to) != NULL ? SMI_OK : SMI_INVALID;
}

RK_SIM_EXPORT(rsmi_is_P2P_accessible, uint32_t from, uint32_t to, bool *out)
{
    const rk_sim_device *device = monitored(from);
    const rk_sim_device *peer = monitored(to);
    *out = device != NULL && peer != NULL && rk_sim_can_reach(device, peer);
    return device != NULL && peer != NULL && device != peer ? SMI_OK : SMI_INVALID;
}
