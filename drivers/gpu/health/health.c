/*
 * health.c: one front for the sources of a GPU's health.
 *
 * The vendor's library is asked first; sysfs fills what it does not tell.
 */
#include "drivers/gpu/health/health.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "device/pci.h"
#include "device/sysfs.h"
#include "drivers/gpu/health/hwmon.h"
#include "drivers/gpu/health/nvml.h"
#include "drivers/gpu/health/set.h"
#include "drivers/gpu/health/smi.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rk_health {
    rk_vendor vendor;
    char bus_id[RK_DEVICE_BUS_BYTES];
    char *sysfs;
    rk_nvml *nvml; /* NULL: not there */
    rk_smi *smi;
    char source[RK_ERR_TEXT_BYTES + 32];
    /* RAS events of AMD: errors that could not be corrected, seen as their count grows. */
    rk_mutex lock;
    bool has_errors;
    uint64_t errors;
    uint64_t events;
};

static void open_library(rk_health *health, const char *library)
{
    rk_err err = RK_ERR_INIT;
    rk_status status = RK_UNSUPPORTED;
    int length = 0;
    if (health->vendor == RK_VENDOR_NVIDIA) {
        status = rk_nvml_open(library, health->bus_id, &health->nvml, &err);
        length = status == RK_OK ? snprintf(health->source, sizeof health->source, "NVML %s",
                                            rk_nvml_version(health->nvml))
                                 : 0;
    } else if (health->vendor == RK_VENDOR_AMD) {
        status = rk_smi_open(library, health->bus_id, &health->smi, &err);
        length = status == RK_OK ? snprintf(health->source, sizeof health->source, "%s and sysfs",
                                            rk_smi_name(health->smi))
                                 : 0;
    }
    if (length <= 0) {
        (void)snprintf(health->source, sizeof health->source, "sysfs%s%s",
                       err.text[0] != '\0' ? " alone; " : "", err.text);
    }
}

rk_status rk_health_open(const rk_health_options *options, rk_health **out_health, rk_err *err)
{
    rk_health *health = calloc(1, sizeof *health);
    char *sysfs = strdup(options->sysfs != NULL ? options->sysfs : RK_SYSFS);
    if (health == NULL || sysfs == NULL) {
        free(health);
        free(sysfs);
        return rk_err_set(err, RK_NO_MEMORY, "no memory to watch a GPU");
    }
    if (!rk_pci_parse_bus_id(options->bus_id, health->bus_id)) {
        free(health);
        free(sysfs);
        return rk_err_set(err, RK_INVALID, "'%.32s' is not a PCI bus id such as 0000:17:00.0",
                          options->bus_id);
    }
    health->sysfs = sysfs;
    health->vendor = options->vendor;
    rk_mutex_init(&health->lock);
    open_library(health, options->library);
    *out_health = health;
    return RK_OK;
}

void rk_health_close(rk_health *health)
{
    if (health != NULL) {
        rk_nvml_close(health->nvml);
        rk_smi_close(health->smi);
        rk_mutex_finish(&health->lock);
        free(health->sysfs);
        free(health);
    }
}

const char *rk_health_source(const rk_health *health)
{
    return health->source;
}

/* AMD numbers no events; each rise of the count of uncorrected errors counts as one. */
static void count_events(rk_health *health, rk_device_telemetry *t)
{
    if (health->vendor != RK_VENDOR_AMD || !RK_HEALTH_HAS(t, ecc_uncorrected)) {
        return;
    }
    rk_mutex_lock(&health->lock);
    if (health->has_errors && t->ecc_uncorrected > health->errors) {
        health->events++;
    }
    if (!health->has_errors || t->ecc_uncorrected > health->errors) {
        health->errors = t->ecc_uncorrected;
    }
    health->has_errors = true;
    RK_HEALTH_SET(t, xid_count, health->events);
    rk_mutex_unlock(&health->lock);
}

void rk_health_read(rk_health *health, rk_device_telemetry *t)
{
    if (health->nvml != NULL) {
        rk_nvml_read(health->nvml, t);
    }
    if (health->smi != NULL) {
        rk_smi_read(health->smi, t);
    }
    if (health->nvml == NULL) {
        rk_hwmon_read(health->sysfs, health->bus_id, t); /* NVIDIA's own driver shows nothing */
    }
    count_events(health, t);
}

/* PCIe as the two slots announce it: the slower of both. */
static void pcie_link(const rk_health *from, const rk_health *to, rk_device_link *link)
{
    rk_pci_device ends[2];
    if (rk_pci_read(from->sysfs, from->bus_id, &ends[0], NULL) != RK_OK ||
        rk_pci_read(to->sysfs, to->bus_id, &ends[1], NULL) != RK_OK) {
        return;
    }
    link->kind = RK_LINK_PCIE;
    link->version = RK_MIN(ends[0].link_max.generation, ends[1].link_max.generation);
    link->lanes = RK_MIN(ends[0].link_max.lanes, ends[1].link_max.lanes);
    link->bandwidth = rk_pci_link_bandwidth((rk_pci_link){link->version, link->lanes});
}

void rk_health_link(rk_health *from, rk_health *to, rk_device_link *out_link)
{
    rk_device_link link = {.kind = RK_LINK_NONE};
    if (strcmp(from->bus_id, to->bus_id) == 0) {
        *out_link = (rk_device_link){.kind = RK_LINK_SAME, .peer_access = true};
        return;
    }
    if (from->nvml != NULL && to->nvml != NULL) {
        rk_nvml_link(from->nvml, to->nvml, &link);
    } else if (from->smi != NULL && to->smi != NULL) {
        rk_smi_link(from->smi, to->smi, &link);
    }
    if (link.kind == RK_LINK_NONE || (link.kind == RK_LINK_PCIE && link.version == 0)) {
        pcie_link(from, to, &link);
    }
    *out_link = link;
}
