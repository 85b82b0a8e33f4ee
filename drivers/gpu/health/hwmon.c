/*
 * hwmon.c: reading a GPU's sensors from sysfs.
 */
#include "drivers/gpu/health/hwmon.h"
#include "base/file.h"
#include "device/sysfs.h"
#include "drivers/gpu/health/set.h"
#include <stdio.h>
#include <string.h>

#define SENSOR_MAX 16u

bool rk_hwmon_parse_clocks(const char *text, uint64_t *out_max_mhz)
{
    uint64_t most = 0;
    for (const char *line = text; *line != '\0';) {
        uint64_t value;
        const char *end;
        const char *colon = strchr(line, ':');
        const char *next = strchrnul(line, '\n');
        if (colon != NULL && colon < next) {
            colon += 1 + strspn(colon + 1, " ");
            if (rk_sysfs_parse_number(colon, &value, &end) && strncasecmp(end, "mhz", 3) == 0 &&
                value < 1000000) {
                most = value > most ? value : most;
            }
        }
        line = *next != '\0' ? next + 1 : next;
    }
    if (most == 0) {
        return false;
    }
    *out_max_mhz = most;
    return true;
}

bool rk_hwmon_parse_errors(const char *text, uint64_t *out_uncorrected, uint64_t *out_corrected)
{
    const char *ue = strstr(text, "ue: ");
    const char *ce = strstr(text, "ce: ");
    const char *end;
    uint64_t uncorrected;
    uint64_t corrected;
    if (ue == NULL || ce == NULL || !rk_sysfs_parse_number(ue + 4, &uncorrected, &end) ||
        !rk_sysfs_parse_number(ce + 4, &corrected, &end)) {
        return false;
    }
    *out_uncorrected = uncorrected;
    *out_corrected = corrected;
    return true;
}

typedef struct first_entry {
    char name[32];
} first_entry;

static int note_hwmon(void *arg, const char *name)
{
    first_entry *first = arg;
    size_t length = strlen(name);
    if (strncmp(name, "hwmon", 5) == 0 && length < sizeof first->name) {
        memcpy(first->name, name, length + 1);
        return 1;
    }
    return 0;
}

/* The folder of the device's sensors below root, or false. */
static bool find_sensors(const char *root, const char *bus_id, char *out, size_t bytes)
{
    char path[RK_SYSFS_PATH_BYTES];
    first_entry first = {.name = ""};
    int length = snprintf(path, sizeof path, "%s/bus/pci/devices/%s/hwmon", root, bus_id);
    if (length < 0 || (size_t)length >= sizeof path) {
        return false;
    }
    (void)rk_dir_list(path, note_hwmon, &first); /* stops at the first; none: the name stays "" */
    length = snprintf(out, bytes, "bus/pci/devices/%s/hwmon/%s", bus_id, first.name);
    return first.name[0] != '\0' && length > 0 && (size_t)length < bytes;
}

static void read_temperatures(const char *root, const char *sensors, rk_device_telemetry *t)
{
    uint64_t chip = 0;
    uint64_t hottest = 0;
    uint64_t memory = 0;
    for (unsigned i = 1; i <= SENSOR_MAX; i++) {
        char label[32];
        uint64_t value;
        if (!rk_sysfs_number(root, &value, "%s/temp%u_input", sensors, i)) {
            continue; /* millidegrees; below zero is no number here */
        }
        if (!rk_sysfs_read(root, label, sizeof label, "%s/temp%u_label", sensors, i) ||
            strcmp(label, "edge") == 0 || strcmp(label, "pkg") == 0) {
            chip = chip != 0 ? chip : value / 1000;
        } else if (strcmp(label, "junction") == 0) {
            hottest = value / 1000;
        } else if (strcmp(label, "mem") == 0 || strcmp(label, "vram") == 0) {
            memory = value / 1000;
        }
    }
    chip = chip != 0 ? chip : hottest;
    if (chip != 0 && !RK_HEALTH_HAS(t, temperature_c)) {
        RK_HEALTH_SET(t, temperature_c, chip);
    }
    if (memory != 0 && !RK_HEALTH_HAS(t, memory_temperature_c)) {
        RK_HEALTH_SET(t, memory_temperature_c, memory);
    }
}

/* Sets a member, unless it is known, from the file below `where`, divided. */
#define FROM_FILE(t, member, divisor, where, file)                                                 \
    if (!RK_HEALTH_HAS(t, member) && rk_sysfs_number(root, &value, "%s/%s", where, file)) {        \
        RK_HEALTH_SET(t, member, value / (divisor));                                               \
    }

void rk_hwmon_read(const char *root, const char *bus_id, rk_device_telemetry *t)
{
    char sensors[RK_SYSFS_PATH_BYTES];
    char device[RK_SYSFS_PATH_BYTES];
    char text[RK_SYSFS_TEXT_BYTES];
    uint64_t value;
    uint64_t corrected;
    (void)snprintf(device, sizeof device, "bus/pci/devices/%s", bus_id);
    if (find_sensors(root, bus_id, sensors, sizeof sensors)) {
        read_temperatures(root, sensors, t);
        FROM_FILE(t, power_mw, 1000, sensors, "power1_average");
        FROM_FILE(t, power_mw, 1000, sensors, "power1_input");
        FROM_FILE(t, power_limit_mw, 1000, sensors, "power1_cap");
        FROM_FILE(t, clock_mhz, 1000000, sensors, "freq1_input");
        FROM_FILE(t, memory_clock_mhz, 1000000, sensors, "freq2_input");
    }
    if (!RK_HEALTH_HAS(t, clock_max_mhz) &&
        rk_sysfs_read(root, text, sizeof text, "%s/pp_dpm_sclk", device) &&
        rk_hwmon_parse_clocks(text, &value)) {
        RK_HEALTH_SET(t, clock_max_mhz, value);
    }
    FROM_FILE(t, memory_total_bytes, 1, device, "mem_info_vram_total");
    if (!RK_HEALTH_HAS(t, memory_free_bytes) && RK_HEALTH_HAS(t, memory_total_bytes) &&
        rk_sysfs_number(root, &value, "%s/mem_info_vram_used", device) &&
        value <= t->memory_total_bytes) {
        RK_HEALTH_SET(t, memory_free_bytes, t->memory_total_bytes - value);
    }
    FROM_FILE(t, vendor_busy_percent, 1, device, "gpu_busy_percent");
    FROM_FILE(t, pcie_replays, 1, device, "pcie_replay_count");
    FROM_FILE(t, link_errors, 1, device, "xgmi_error");
    if (!RK_HEALTH_HAS(t, ecc_uncorrected) &&
        rk_sysfs_read(root, text, sizeof text, "%s/ras/umc_err_count", device) &&
        rk_hwmon_parse_errors(text, &value, &corrected)) {
        RK_HEALTH_SET(t, ecc_uncorrected, value);
        RK_HEALTH_SET(t, ecc_corrected, corrected);
    }
}
