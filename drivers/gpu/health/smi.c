/*
 * smi.c: health and links of AMD GPUs through AMD SMI or ROCm SMI.
 *
 * Each question is asked of whichever of the two is open; the answers mean the same.
 */
#include "drivers/gpu/health/smi.h"
#include "base/compiler.h"
#include "device/pci.h"
#include "drivers/gpu/health/library.h"
#include "drivers/gpu/health/set.h"
#include "drivers/gpu/health/smi_calls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_MAX 256u

struct rk_smi {
    void *library;
    bool is_amdsmi;
    amdsmi_calls amd;
    void *handle; /* of AMD SMI */
    rsmi_calls rocm;
    uint32_t number; /* of ROCm SMI */
};

/*
 * A question to either library: false when the library lacks the call, or the device the answer.
 * The arguments come after the device.
 */
#define ASK(smi, member, ...)                                                                      \
    ((smi)->is_amdsmi                                                                              \
         ? (smi)->amd.member != NULL && (smi)->amd.member((smi)->handle, __VA_ARGS__) == SMI_OK    \
         : (smi)->rocm.member != NULL && (smi)->rocm.member((smi)->number, __VA_ARGS__) == SMI_OK)

/* The same about two devices. */
#define ASK_PAIR(a, b, member, ...)                                                                \
    ((a)->is_amdsmi ? (a)->amd.member != NULL &&                                                   \
                          (a)->amd.member((a)->handle, (b)->handle, __VA_ARGS__) == SMI_OK         \
                    : (a)->rocm.member != NULL &&                                                  \
                          (a)->rocm.member((a)->number, (b)->number, __VA_ARGS__) == SMI_OK)

/* domain, bus, device and function of a normalised bus id. */
static void split(const char *bus_id, unsigned out_part[4])
{
    (void)sscanf(bus_id, "%x:%x:%x.%x", &out_part[0], &out_part[1], &out_part[2], &out_part[3]);
}

/* amdsmi_bdf_t: function 3 bits, device 5, bus 8, domain 48. */
static uint64_t amdsmi_bdf(const char *bus_id)
{
    unsigned part[4] = {0};
    split(bus_id, part);
    return part[3] | (uint64_t)part[2] << 3 | (uint64_t)part[1] << 8 | (uint64_t)part[0] << 16;
}

/* BDFID of rsmi_dev_pci_id_get: function 3 bits, device 5, bus 8, partition in 28, domain in 32. */
static uint64_t rsmi_bdf(const char *bus_id)
{
    unsigned part[4] = {0};
    split(bus_id, part);
    return part[3] | (uint64_t)part[2] << 3 | (uint64_t)part[1] << 8 | (uint64_t)part[0] << 32;
}

static rk_status open_amdsmi(rk_smi *smi, const char *library, const char *bus_id, rk_err *err)
{
    static const char *const names[] = {"libamd_smi.so.26", "libamd_smi.so.25", "libamd_smi.so.24",
                                        "libamd_smi.so", NULL};
    static const rk_library_row rows[] = {
#define SMI_ROW(member, arguments, name, required) {name, offsetof(amdsmi_calls, member), required},
        AMDSMI_CALLS(SMI_ROW)
#undef SMI_ROW
    };
    rk_status status = rk_library_open(names, library, &smi->library, err);
    if (status != RK_OK) {
        return status;
    }
    status =
        rk_library_resolve(smi->library, rows, RK_COUNT_OF(rows), &smi->amd, "libamd_smi.so", err);
    if (status == RK_OK && smi->amd.init(SMI_INIT_AMD_GPUS) != SMI_OK) {
        status = rk_err_set(err, RK_DEVICE, "amdsmi_init fails: the amdgpu driver is not loaded");
    } else if (status == RK_OK && smi->amd.by_bus_id(amdsmi_bdf(bus_id), &smi->handle) != SMI_OK) {
        (void)smi->amd.shutdown();
        status = rk_err_set(err, RK_NOT_FOUND, "AMD SMI shows no GPU %s", bus_id);
    }
    if (status != RK_OK) {
        rk_library_close(smi->library);
        smi->library = NULL;
        return status;
    }
    smi->is_amdsmi = true;
    return RK_OK;
}

static rk_status find_rocm(rk_smi *smi, const char *bus_id, rk_err *err)
{
    uint32_t count = 0;
    uint64_t wanted = rsmi_bdf(bus_id);
    (void)smi->rocm.count(&count); /* 0 when it fails */
    for (uint32_t i = 0; i < count && i < DEVICE_MAX; i++) {
        uint64_t bdf;
        if (smi->rocm.bus_id(i, &bdf) == SMI_OK && (bdf & ~((uint64_t)0xf << 28)) == wanted) {
            smi->number = i;
            return RK_OK;
        }
    }
    return rk_err_set(err, RK_NOT_FOUND, "ROCm SMI shows no GPU %s", bus_id);
}

static rk_status open_rocm(rk_smi *smi, const char *library, const char *bus_id, rk_err *err)
{
    static const char *const names[] = {"librocm_smi64.so.7", "librocm_smi64.so.6",
                                        "librocm_smi64.so.5", "librocm_smi64.so.1",
                                        "librocm_smi64.so",   NULL};
    static const rk_library_row rows[] = {
#define SMI_ROW(member, arguments, name, required) {name, offsetof(rsmi_calls, member), required},
        RSMI_CALLS(SMI_ROW)
#undef SMI_ROW
    };
    rk_status status = rk_library_open(names, library, &smi->library, err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_library_resolve(smi->library, rows, RK_COUNT_OF(rows), &smi->rocm,
                                "librocm_smi64.so", err);
    if (status == RK_OK && smi->rocm.init(0) != SMI_OK) {
        status = rk_err_set(err, RK_DEVICE, "rsmi_init fails: the amdgpu driver is not loaded");
    } else if (status == RK_OK) {
        status = find_rocm(smi, bus_id, err);
        if (status != RK_OK) {
            (void)smi->rocm.shutdown();
        }
    }
    if (status != RK_OK) {
        rk_library_close(smi->library);
        smi->library = NULL;
    }
    return status;
}

rk_status rk_smi_open(const char *library, const char *bus_id, rk_smi **out_smi, rk_err *err)
{
    rk_smi *smi = calloc(1, sizeof *smi);
    if (smi == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to watch GPU %s", bus_id);
    }
    rk_err why = RK_ERR_INIT;
    rk_status status = open_amdsmi(smi, library, bus_id, &why);
    if (status != RK_OK) {
        rk_err older = RK_ERR_INIT;
        status = open_rocm(smi, library, bus_id, &older);
        if (status != RK_OK) {
            free(smi);
            return rk_err_set(err, status, "%s; %s", why.text, older.text);
        }
    }
    *out_smi = smi;
    return RK_OK;
}

void rk_smi_close(rk_smi *smi)
{
    if (smi != NULL) {
        (void)(smi->is_amdsmi ? smi->amd.shutdown() : smi->rocm.shutdown());
        rk_library_close(smi->library);
        free(smi);
    }
}

const char *rk_smi_name(const rk_smi *smi)
{
    return smi->is_amdsmi ? "AMD SMI" : "ROCm SMI";
}

/* Degrees Celsius. Versions of AMD SMI differ in the unit; no chip works at 1000 degrees. */
static bool temperature(const rk_smi *smi, unsigned sensor, uint64_t *out_c)
{
    int64_t value = 0;
    if (!ASK(smi, temperature, sensor, SMI_TEMPERATURE_CURRENT, &value) || value <= 0) {
        return false;
    }
    *out_c = (uint64_t)(!smi->is_amdsmi || value >= 1000 ? value / 1000 : value);
    return true;
}

static bool errors(const rk_smi *smi, smi_errors *out_sum)
{
    smi_errors sum = {0};
    bool known = false;
    if (smi->is_amdsmi) {
        known = smi->amd.errors != NULL && smi->amd.errors(smi->handle, &sum) == SMI_OK;
    } else {
        for (unsigned block = 0; block < SMI_BLOCK_COUNT && smi->rocm.errors != NULL; block++) {
            smi_errors one = {0};
            if (smi->rocm.errors(smi->number, 1 << block, &one) == SMI_OK) {
                known = true;
                sum.corrected += one.corrected;
                sum.uncorrected += one.uncorrected;
            }
        }
    }
    *out_sum = sum;
    return known;
}

static bool busy_percent(const rk_smi *smi, uint64_t *out_percent)
{
    smi_usage usage = {0};
    bool known =
        smi->is_amdsmi
            ? smi->amd.usage != NULL && smi->amd.usage(smi->handle, &usage) == SMI_OK
            : smi->rocm.usage != NULL && smi->rocm.usage(smi->number, &usage.gfx) == SMI_OK;
    *out_percent = usage.gfx;
    return known && usage.gfx <= 100;
}

void rk_smi_read(rk_smi *smi, rk_device_telemetry *t)
{
    uint64_t value = 0;
    uint64_t used = 0;
    if (temperature(smi, SMI_TEMPERATURE_EDGE, &value) ||
        temperature(smi, SMI_TEMPERATURE_JUNCTION, &value)) {
        RK_HEALTH_SET(t, temperature_c, value);
    }
    if (temperature(smi, SMI_TEMPERATURE_MEMORY, &value)) {
        RK_HEALTH_SET(t, memory_temperature_c, value);
    }
    if (ASK(smi, memory_total, SMI_MEMORY_VRAM, &value)) {
        RK_HEALTH_SET(t, memory_total_bytes, value);
        if (ASK(smi, memory_used, SMI_MEMORY_VRAM, &used) && used <= value) {
            RK_HEALTH_SET(t, memory_free_bytes, value - used);
        }
    }
    smi_errors sum;
    if (errors(smi, &sum)) {
        RK_HEALTH_SET(t, ecc_corrected, sum.corrected);
        RK_HEALTH_SET(t, ecc_uncorrected, sum.uncorrected);
    }
    if (ASK(smi, replays, &value)) {
        RK_HEALTH_SET(t, pcie_replays, value);
    }
    if (busy_percent(smi, &value)) {
        RK_HEALTH_SET(t, vendor_busy_percent, value);
    }
    if (!smi->is_amdsmi && smi->rocm.power != NULL &&
        smi->rocm.power(smi->number, 0, &value) == SMI_OK) {
        RK_HEALTH_SET(t, power_mw, value / 1000);
    }
    if (!smi->is_amdsmi && smi->rocm.power_cap != NULL &&
        smi->rocm.power_cap(smi->number, 0, &value) == SMI_OK) {
        RK_HEALTH_SET(t, power_limit_mw, value / 1000);
    }
}

void rk_smi_link(const rk_smi *from, const rk_smi *to, rk_device_link *out_link)
{
    rk_device_link link = {.kind = RK_LINK_NONE};
    uint64_t hops = 0;
    uint64_t least = 0;
    uint64_t most = 0;
    int type = 0;
    bool reaches = false;
    if (from->is_amdsmi != to->is_amdsmi) {
        *out_link = link;
        return;
    }
    if (ASK_PAIR(from, to, link_type, &hops, &type)) {
        link.kind = type == SMI_LINK_XGMI   ? RK_LINK_XGMI
                    : type == SMI_LINK_PCIE ? RK_LINK_PCIE
                                            : RK_LINK_NONE;
    }
    /* In 10^6 bytes per second; told for XGMI only. */
    if (link.kind == RK_LINK_XGMI && ASK_PAIR(from, to, link_bandwidth, &least, &most) &&
        most < 100000000) {
        link.bandwidth = most * 1000000;
    }
    link.peer_access = ASK_PAIR(from, to, p2p, &reaches) && reaches;
    *out_link = link;
}
