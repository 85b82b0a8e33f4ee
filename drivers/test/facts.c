/*
 * facts.c: see facts.h.
 *
 * Sources of the numbers: CUdevice_attribute (cuda.h, CUDA 13.0), hipDeviceAttribute_t
 * (hip_runtime_api.h, ROCm 5.2.3; WallClockRate ROCm 6).
 */
#include "drivers/test/facts.h"
#include "drivers/test/work.h"

typedef enum fact {
    LANES_MAX,
    SHARED_PER_BLOCK,
    WARP,
    REGISTERS,
    CLOCK_KHZ,
    UNITS,
    TIME_LIMIT,
    ZERO,
    ONE,
    COPY_ENGINES,
    BUS,
    MEMORY_KHZ,
    MEMORY_BITS,
    L2_BYTES,
    LANES_PER_UNIT,
    MAJOR,
    MINOR,
    COOPERATIVE,
    BLOCKS_PER_UNIT,
    CLUSTERS,
    TICKS_KHZ
} fact;

typedef struct row {
    fact fact;
    int cuda; /* -1: the vendor has none */
    int hip;
} row;

static const row rows[] = {
    {LANES_MAX, 1, 56},
    {LANES_MAX, 2, -1}, /* of a block's first dimension */
    {SHARED_PER_BLOCK, 8, 74},
    {WARP, 10, 87},
    {REGISTERS, 12, 71},
    {CLOCK_KHZ, 13, 5},
    {ONE, 15, -1}, /* copies overlap kernels */
    {UNITS, 16, 63},
    {TIME_LIMIT, 17, 18},
    {ZERO, 18, 16}, /* integrated */
    {ONE, 19, 3},   /* maps host memory */
    {ZERO, 20, 6},  /* compute mode */
    {ONE, 31, 8},   /* concurrent kernels */
    {ONE, 32, 0},   /* ECC */
    {BUS, 33, 67},
    {ZERO, 34, 68}, /* PCI device */
    {MEMORY_KHZ, 36, 60},
    {MEMORY_BITS, 37, 59},
    {L2_BYTES, 38, 19},
    {LANES_PER_UNIT, 39, 57},
    {COPY_ENGINES, 40, 2},
    {ONE, 41, 85},  /* unified addressing */
    {ZERO, 50, 69}, /* PCI domain */
    {MAJOR, 75, 23},
    {MINOR, 76, 61},
    {ONE, 78, -1},  /* stream priorities */
    {ZERO, 86, 15}, /* native atomics over the host's link */
    {ONE, 91, 4},   /* registered memory has the host's address */
    {COOPERATIVE, 95, 10},
    {BLOCKS_PER_UNIT, 106, 25},
    {ONE, 115, -1}, /* memory pools */
    {CLUSTERS, 120, -1},
    {TICKS_KHZ, -1, 10000}, /* clock that kernels read */
    {TICKS_KHZ, -1, 10017},
    {ONE, -1, 10016}, /* fine-grained memory */
};

static int value_of(const rk_sim_device *device, fact what)
{
    const rk_sim_options *options = rk_sim_config();
    bool hip = device->vendor == RK_SIM_HIP;
    switch (what) {
    case LANES_MAX: return 1024;
    case SHARED_PER_BLOCK: return hip ? 65536 : 49152;
    case WARP: return hip ? 64 : 32;
    case REGISTERS: return 65536;
    case CLOCK_KHZ: return 1700000;
    case UNITS: return (int)options->units;
    case TIME_LIMIT: return (int)options->watchdog;
    case ZERO: return 0;
    case ONE: return 1;
    case COPY_ENGINES: return 3;
    case BUS: return (int)rk_sim_bus(device);
    case MEMORY_KHZ: return 2000000;
    case MEMORY_BITS: return 4096;
    case L2_BYTES: return 8 << 20;
    case LANES_PER_UNIT: return 2048;
    case MAJOR: return hip ? (int)(options->gfx >> 8) : (int)(options->arch / 10);
    case MINOR: return hip ? (int)(options->gfx >> 4 & 0xf) : (int)(options->arch % 10);
    case COOPERATIVE: return options->nocoop == 0 || options->zluda != 0;
    case BLOCKS_PER_UNIT: return (int)options->blocks;
    case CLUSTERS: return options->arch >= 90;
    case TICKS_KHZ: return 1000000; /* kernels read nanoseconds */
    }
    return 0;
}

rk_sim_result rk_sim_fact(const rk_sim_device *device, int attribute, int *out_value)
{
    for (size_t i = 0; i < RK_COUNT_OF(rows) && attribute >= 0; i++) {
        if ((device->vendor == RK_SIM_HIP ? rows[i].hip : rows[i].cuda) == attribute) {
            *out_value = value_of(device, rows[i].fact);
            return RK_SIM_OK;
        }
    }
    return RK_SIM_INVALID;
}

rk_sim_result rk_sim_function_fact(const rk_sim_module *module, int attribute, int *out_value)
{
    switch (attribute) {
    case 0: *out_value = 1024; return RK_SIM_OK; /* threads per block */
    case 1: *out_value = (int)module->code.shared_bytes; return RK_SIM_OK;
    case 2:                                    /* constant bytes */
    case 3: *out_value = 0; return RK_SIM_OK;  /* local bytes */
    case 4: *out_value = 40; return RK_SIM_OK; /* registers */
    case 5:                                    /* PTX version */
    case 6: *out_value = (int)rk_sim_config()->arch; return RK_SIM_OK;
    case 8: *out_value = 49152 - (int)module->code.shared_bytes; return RK_SIM_OK;
    default: return RK_SIM_INVALID;
    }
}

bool rk_sim_can_reach(const rk_sim_device *device, const rk_sim_device *peer)
{
    return device != peer && rk_sim_config()->link != RK_SIM_LINK_NONE;
}

rk_sim_result rk_sim_peer_enable(rk_sim_device *device, const rk_sim_device *peer, const char *call)
{
    if (!rk_sim_can_reach(device, peer) || device->vendor != peer->vendor) {
        return RK_SIM_NO_PEER;
    }
    rk_sim_result result = rk_sim_may_wait(device, call);
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        uint32_t bit = 1u << peer->index;
        result = (device->peers & bit) != 0 ? RK_SIM_PEER_ENABLED : RK_SIM_OK;
        device->peers |= bit;
        rk_mutex_unlock(&device->lock);
    }
    return result;
}

rk_sim_result rk_sim_peer_fact(const rk_sim_device *device, const rk_sim_device *peer,
                               int attribute, int *out_value)
{
    if (attribute < 1 || attribute > 4 || device == peer) {
        return RK_SIM_INVALID;
    }
    bool fast = rk_sim_config()->link != RK_SIM_LINK_PCIE;
    bool reach = rk_sim_can_reach(device, peer);
    *out_value = attribute == 1 ? (fast ? 0 : 1) : attribute == 3 ? (reach && fast) : reach;
    return RK_SIM_OK;
}
