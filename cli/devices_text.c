/*
 * devices_text.c: rates, links and absent drivers as people read them.
 */
#include "cli/cli.h"
#include "cli/devices.h"

#include <stdio.h>
#include <string.h>

const char *rk_rate_text(uint64_t bytes_per_s, char out[RK_VALUE_TEXT_BYTES])
{
    static const char *const units[] = {"B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"};
    double value = (double)bytes_per_s;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < RK_CLI_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%.*f %s", digits, value, units[unit]);
    return out;
}

const char *rk_link_text(const rk_device_link *link, char out[RK_VALUE_TEXT_BYTES])
{
    static const char *const names[] = {
        [RK_LINK_NONE] = "none",     [RK_LINK_SAME] = "same device",
        [RK_LINK_NVLINK] = "NVLink", [RK_LINK_NVSWITCH] = "NVSwitch",
        [RK_LINK_XGMI] = "XGMI",     [RK_LINK_PCIE] = "PCIe",
        [RK_LINK_MEMORY] = "memory",
    };
    const char *name =
        (size_t)link->kind < RK_CLI_COUNT(names) ? names[link->kind] : names[RK_LINK_NONE];
    bool has_version = link->version != 0 && link->kind != RK_LINK_SAME;
    char version[16] = "";
    char lanes[16] = "";
    if (has_version) {
        (void)snprintf(version, sizeof version, link->kind == RK_LINK_PCIE ? " %u.0" : " %u",
                       link->version);
    }
    if (link->lanes != 0) {
        (void)snprintf(lanes, sizeof lanes, " x%u", link->lanes);
    }
    (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%s%s%s", name, version, lanes);
    return out;
}

const char *rk_devices_reason(const rk_topology_driver *driver)
{
    size_t length = strlen(driver->name);
    const char *text = driver->text;
    if (strncmp(text, driver->name, length) == 0 && strncmp(text + length, ": ", 2) == 0) {
        text += length + 2; /* the sentences of drivers begin with their name */
    }
    return text[0] != '\0' ? text : "the driver finds none";
}

int rk_devices_look(const rk_cli_call *call, const char *sysfs, rk_topology **out_topology)
{
    rk_err err = RK_ERR_INIT;
    const char *drivers = rk_options_text(&call->options, "driver");
    rk_topology_options wanted = {.drivers = drivers, .sysfs = sysfs};
    rk_topology *topology = NULL;
    rk_status status = rk_topology_create(&wanted, &topology, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, status == RK_INVALID ? RK_CLI_USAGE : RK_CLI_FAILED, &err);
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < rk_topology_driver_count(topology); i++) {
        found += rk_topology_driver_at(topology, i)->device_count;
    }
    if (found == 0) {
        const rk_topology_driver *first = rk_topology_driver_at(topology, 0);
        int code = rk_cli_failf(call, RK_CLI_FAILED, first->status, "no device of '%s': %s",
                                first->name, rk_devices_reason(first));
        rk_topology_destroy(topology);
        return code;
    }
    *out_topology = topology;
    return RK_CLI_OK;
}

void rk_devices_append_absent(rk_str *out, const rk_topology *topology)
{
    bool first = true;
    for (uint32_t i = 0; i < rk_topology_driver_count(topology); i++) {
        const rk_topology_driver *driver = rk_topology_driver_at(topology, i);
        if (driver->status == RK_OK && driver->device_count > 0) {
            continue;
        }
        rk_str_appendf(out, "%s  %-10s %s\n", first ? "\nNo device of:\n" : "", driver->name,
                       rk_devices_reason(driver));
        first = false;
    }
}
