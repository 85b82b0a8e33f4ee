/*
 * smi_calls.h: prototypes and numbers of AMD SMI and ROCm SMI, as far as smi.c uses them.
 *
 * Sources: amdsmi.h of ROCm 6.0 to 7.0, rocm_smi.h of ROCm 5.2 to 7.0. Enumerations are plain ints.
 */
#ifndef RK_DRIVERS_GPU_HEALTH_SMI_CALLS_H
#define RK_DRIVERS_GPU_HEALTH_SMI_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#define SMI_OK 0
#define SMI_INIT_AMD_GPUS 2u /* AMDSMI_INIT_AMD_GPUS */

/* amdsmi_temperature_type_t and rsmi_temperature_type_t agree in these. */
#define SMI_TEMPERATURE_EDGE 0
#define SMI_TEMPERATURE_JUNCTION 1
#define SMI_TEMPERATURE_MEMORY 2
#define SMI_TEMPERATURE_CURRENT 0 /* *_TEMP_CURRENT */
#define SMI_MEMORY_VRAM 0         /* *_MEM_TYPE_VRAM */

/*
 * What *_topo_get_link_type answers: 1 is PCIe and 2 is XGMI in all versions. (AMD SMI 25 has
 * another enumeration with these two exchanged, which this call does not use.)
 */
#define SMI_LINK_PCIE 1
#define SMI_LINK_XGMI 2

#define SMI_BLOCK_COUNT 14u /* rsmi_gpu_block_t: one bit each, from UMC on */

/* amdsmi_error_count_t; rsmi_error_count_t is its beginning. */
typedef struct smi_errors {
    uint64_t corrected;
    uint64_t uncorrected;
    uint64_t deferred;
    uint64_t reserved[5];
} smi_errors;

/* amdsmi_engine_usage_t */
typedef struct smi_usage {
    uint32_t gfx;
    uint32_t memory;
    uint32_t media;
    uint32_t reserved[13];
} smi_usage;

/* X(member, arguments, name, required); all return amdsmi_status_t. A handle is a pointer. */
#define AMDSMI_CALLS(X)                                                                            \
    X(init, (uint64_t flags), "amdsmi_init", true)                                                 \
    X(shutdown, (void), "amdsmi_shut_down", true)                                                  \
    X(by_bus_id, (uint64_t bdf, void **), "amdsmi_get_processor_handle_from_bdf", true)            \
    X(temperature, (void *, int type, int metric, int64_t *), "amdsmi_get_temp_metric", false)     \
    X(memory_total, (void *, int type, uint64_t *), "amdsmi_get_gpu_memory_total", false)          \
    X(memory_used, (void *, int type, uint64_t *), "amdsmi_get_gpu_memory_usage", false)           \
    X(errors, (void *, smi_errors *), "amdsmi_get_gpu_total_ecc_count", false)                     \
    X(replays, (void *, uint64_t *), "amdsmi_get_gpu_pci_replay_counter", false)                   \
    X(usage, (void *, smi_usage *), "amdsmi_get_gpu_activity", false)                              \
    X(link_type, (void *, void *, uint64_t *hops, int *), "amdsmi_topo_get_link_type", false)      \
    X(link_bandwidth, (void *, void *, uint64_t *, uint64_t *),                                    \
      "amdsmi_get_minmax_bandwidth_between_processors", false)                                     \
    X(p2p, (void *, void *, bool *), "amdsmi_is_P2P_accessible", false)

/* X(member, arguments, name, required); all return rsmi_status_t. A handle is a number. */
#define RSMI_CALLS(X)                                                                              \
    X(init, (uint64_t flags), "rsmi_init", true)                                                   \
    X(shutdown, (void), "rsmi_shut_down", true)                                                    \
    X(count, (uint32_t *), "rsmi_num_monitor_devices", true)                                       \
    X(bus_id, (uint32_t, uint64_t * bdf), "rsmi_dev_pci_id_get", true)                             \
    X(temperature, (uint32_t, uint32_t type, int metric, int64_t *), "rsmi_dev_temp_metric_get",   \
      false)                                                                                       \
    X(memory_total, (uint32_t, int type, uint64_t *), "rsmi_dev_memory_total_get", false)          \
    X(memory_used, (uint32_t, int type, uint64_t *), "rsmi_dev_memory_usage_get", false)           \
    X(errors, (uint32_t, int block, smi_errors *), "rsmi_dev_ecc_count_get", false)                \
    X(replays, (uint32_t, uint64_t *), "rsmi_dev_pci_replay_counter_get", false)                   \
    X(usage, (uint32_t, uint32_t *), "rsmi_dev_busy_percent_get", false)                           \
    X(power, (uint32_t, uint32_t sensor, uint64_t * uw), "rsmi_dev_power_ave_get", false)          \
    X(power_cap, (uint32_t, uint32_t sensor, uint64_t * uw), "rsmi_dev_power_cap_get", false)      \
    X(link_type, (uint32_t, uint32_t, uint64_t * hops, int *), "rsmi_topo_get_link_type", false)   \
    X(link_bandwidth, (uint32_t, uint32_t, uint64_t *, uint64_t *), "rsmi_minmax_bandwidth_get",   \
      false)                                                                                       \
    X(p2p, (uint32_t, uint32_t, bool *), "rsmi_is_P2P_accessible", false)

#define SMI_CALL_MEMBER(member, arguments, name, required) int(*member) arguments;
typedef struct amdsmi_calls {
    AMDSMI_CALLS(SMI_CALL_MEMBER)
} amdsmi_calls;
typedef struct rsmi_calls {
    RSMI_CALLS(SMI_CALL_MEMBER)
} rsmi_calls;
#undef SMI_CALL_MEMBER

#endif
