/*
 * standin_smi.c: AMD SMI, or with STANDIN_ROCM ROCm SMI, as far as the product asks it.
 */
#include "drivers/gpu/health/smi_calls.h"
#include "health/standin.h"
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

static standin state;
static const uint64_t buses[STANDIN_DEVICES] = {0x17, 0x18, 0x97};

EXPORT standin *standin_state(void);
standin *standin_state(void)
{
    return &state;
}

#define FUNCTION(name, ...)                                                                        \
    EXPORT int name(__VA_ARGS__);                                                                  \
    int name(__VA_ARGS__)

#ifdef STANDIN_ROCM

#define NAME(amd, rocm) rocm
#define DEVICE uint32_t
#define OF(device) (&state.device[device])
#define MILLI 1000

FUNCTION(rsmi_num_monitor_devices, uint32_t *out)
{
    *out = STANDIN_DEVICES;
    return 0;
}

FUNCTION(rsmi_dev_pci_id_get, uint32_t device, uint64_t *out)
{
    *out = buses[device] << 8 | (uint64_t)3 << 28; /* of partition 3 */
    return device < STANDIN_DEVICES ? 0 : 1;
}

FUNCTION(rsmi_dev_power_ave_get, uint32_t device, uint32_t sensor, uint64_t *out)
{
    *out = (uint64_t)state.device[device].power_mw * 1000;
    return sensor == 0 ? state.ask_result : 1;
}

FUNCTION(rsmi_dev_ecc_count_get, uint32_t device, int block, smi_errors *out)
{
    /* ROCm SMI before 7 writes two words only. */
    out->corrected = state.device[device].corrected;
    out->uncorrected = state.device[device].uncorrected;
    return block == 1 || block == 4 ? state.ask_result : 2; /* two blocks have counters */
}

FUNCTION(rsmi_dev_busy_percent_get, uint32_t device, uint32_t *out)
{
    (void)device;
    *out = 99;
    return state.ask_result;
}

#else

#define NAME(amd, rocm) amd
#define DEVICE void *
#define OF(device) ((standin_device *)(device))
#define MILLI 1

FUNCTION(amdsmi_get_processor_handle_from_bdf, uint64_t bdf, void **out)
{
    for (int i = 0; i < STANDIN_DEVICES; i++) {
        if (bdf == buses[i] << 8) {
            *out = &state.device[i];
            return 0;
        }
    }
    return 31; /* AMDSMI_STATUS_NOT_FOUND */
}

FUNCTION(amdsmi_get_gpu_total_ecc_count, void *device, smi_errors *out)
{
    *out = (smi_errors){.corrected = OF(device)->corrected, .uncorrected = OF(device)->uncorrected};
    return state.ask_result;
}

FUNCTION(amdsmi_get_gpu_activity, void *device, smi_usage *out)
{
    (void)device;
    *out = (smi_usage){.gfx = 99};
    return state.ask_result;
}

#endif

FUNCTION(NAME(amdsmi_init, rsmi_init), uint64_t flags)
{
    (void)flags;
    state.users += state.init_result == 0;
    return state.init_result;
}

FUNCTION(NAME(amdsmi_shut_down, rsmi_shut_down), void)
{
    state.users--;
    return 0;
}

FUNCTION(NAME(amdsmi_get_temp_metric, rsmi_dev_temp_metric_get), DEVICE device,
         NAME(int, uint32_t) type, int metric, int64_t *out)
{
    *out = (int64_t)OF(device)->temperature_c * MILLI;
    return metric == 0 && type == 1 ? state.ask_result : 2; /* no edge sensor */
}

FUNCTION(NAME(amdsmi_get_gpu_memory_total, rsmi_dev_memory_total_get), DEVICE device, int type,
         uint64_t *out)
{
    *out = OF(device)->total;
    return type == 0 ? state.ask_result : 2;
}

FUNCTION(NAME(amdsmi_get_gpu_memory_usage, rsmi_dev_memory_usage_get), DEVICE device, int type,
         uint64_t *out)
{
    *out = OF(device)->used;
    return type == 0 ? state.ask_result : 2;
}

FUNCTION(NAME(amdsmi_get_gpu_pci_replay_counter, rsmi_dev_pci_replay_counter_get), DEVICE device,
         uint64_t *out)
{
    (void)device;
    *out = 5;
    return state.ask_result;
}

FUNCTION(NAME(amdsmi_topo_get_link_type, rsmi_topo_get_link_type), DEVICE a, DEVICE b,
         uint64_t *hops, int *type)
{
    *hops = a == b ? 0 : 1;
    *type = state.link_type;
    return state.ask_result;
}

FUNCTION(NAME(amdsmi_get_minmax_bandwidth_between_processors, rsmi_minmax_bandwidth_get), DEVICE a,
         DEVICE b, uint64_t *least, uint64_t *most)
{
    *least = 50000;
    *most = a == b ? 0 : 64000;
    return state.link_type == 2 ? state.ask_result : 2;
}

FUNCTION(NAME(amdsmi_is_P2P_accessible, rsmi_is_P2P_accessible), DEVICE a, DEVICE b, bool *out)
{
    (void)a;
    (void)b;
    *out = state.peer;
    return state.ask_result;
}
