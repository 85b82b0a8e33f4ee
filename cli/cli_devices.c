/*
 * cli_devices.c: rk devices: where kernels can run, what those devices are, and how they are.
 */
#include "cli/commands.h"
#include "cli/devices.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_BYTES (4u << 20)

static const rk_option options[] = {
    {.name = "driver",
     .kind = RK_OPTION_STRING,
     .value_name = "NAME",
     .help = "Only the devices of this driver (cpu, cuda, hip, opencl), or of several: cpu,cuda. "
             "Test drivers, such as cuda-test, are shown only when they are named here."},
    {.name = "measure",
     .kind = RK_OPTION_FLAG,
     .help = "Run a kernel on each device and measure its memory, its way to the host and how fast "
             "it answers. Takes a second or two for each."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_example examples[] = {
    {"rk devices", "every device, and why a driver has none"},
    {"rk devices --driver cuda --measure", "what NVIDIA's GPUs announce, and what they do"},
};

static bool known(const rk_device_telemetry *t, uint32_t bit)
{
    return (t->known & bit) != 0;
}

/* Appends ", " between the parts of a line. */
static void separate(rk_str *out, size_t begin)
{
    if (out->length > begin) {
        rk_str_append(out, ", ");
    }
}

/* "  health     41 C, ..." unless nothing was appended behind the label. */
static size_t begin_line(rk_str *out, const char *label)
{
    rk_str_appendf(out, "  %-10s ", label);
    return out->length;
}

static void end_line(rk_str *out, size_t begin)
{
    if (out->length == begin) {
        rk_str_truncate(out, begin >= 13 ? begin - 13 : 0);
    } else {
        rk_str_append(out, "\n");
    }
}

static void append_kind(rk_str *out, const rk_topology_device *d)
{
    size_t begin = begin_line(out, "kind");
    rk_str_append(out, rk_vendor_name(d->vendor));
    if (d->arch[0] != '\0') {
        rk_str_appendf(out, ", %s", d->arch);
    }
    if (d->compute_major != 0) {
        rk_str_appendf(out, ", compute capability %u.%u", d->compute_major, d->compute_minor);
    }
    if (d->driver_text[0] != '\0') {
        rk_str_appendf(out, ", %s", d->driver_text);
    }
    end_line(out, begin);
    begin = begin_line(out, "runs");
    rk_str_appendf(out, "%u %s, up to %u blocks at once", d->units,
                   d->vendor == RK_VENDOR_CPU ? "cores" : "multiprocessors", d->max_blocks);
    if (d->cooperative) {
        rk_str_append(out, ", cooperative launch");
    }
    if (d->clusters) {
        rk_str_append(out, ", clusters");
    }
    if (d->lease_only) {
        rk_str_append(out, ", by leases (it may not keep a kernel for long)");
    }
    end_line(out, begin);
}

static void append_memory(rk_str *out, const rk_topology_device *d)
{
    const rk_device_telemetry *t = &d->telemetry;
    char text[RK_VALUE_TEXT_BYTES];
    size_t begin = begin_line(out, "memory");
    if (d->memory_bytes != 0) {
        rk_str_append(out, rk_value_format_size(d->memory_bytes, text));
    }
    if (known(t, RK_TELEMETRY_KNOWN(memory_free_bytes))) {
        separate(out, begin);
        rk_str_appendf(out, "%s free", rk_value_format_size(t->memory_free_bytes, text));
    }
    if (d->memory_bandwidth != 0) {
        separate(out, begin);
        rk_str_appendf(out, "%s announced", rk_rate_text(d->memory_bandwidth, text));
    }
    end_line(out, begin);
}

static void append_place(rk_str *out, const rk_topology_device *d)
{
    char text[RK_VALUE_TEXT_BYTES];
    rk_device_link most = {
        .kind = RK_LINK_PCIE, .version = d->pcie_generation_max, .lanes = d->pcie_lanes_max};
    size_t begin = begin_line(out, "place");
    rk_str_append(out, d->bus_id);
    if (d->pcie_generation_max != 0) {
        separate(out, begin);
        rk_str_append(out, rk_link_text(&most, text));
        if (d->pcie_generation != d->pcie_generation_max || d->pcie_lanes != d->pcie_lanes_max) {
            rk_device_link now = {
                .kind = RK_LINK_PCIE, .version = d->pcie_generation, .lanes = d->pcie_lanes};
            rk_str_appendf(out, " (now %s)", rk_link_text(&now, text));
        }
    }
    if (d->numa_node != RK_NUMA_UNKNOWN) {
        separate(out, begin);
        rk_str_appendf(out, "NUMA node %u", d->numa_node);
    }
    end_line(out, begin);
}

static void append_throttle(rk_str *out, uint64_t reasons, size_t begin)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } names[] = {{RK_THROTTLE_POWER, "slowed by its power limit"},
                 {RK_THROTTLE_THERMAL, "slowed by heat"},
                 {RK_THROTTLE_OTHER, "slowed for another reason"},
                 {RK_THROTTLE_IDLE, "clocked down while idle"}};
    for (size_t i = 0; i < RK_CLI_COUNT(names); i++) {
        if ((reasons & names[i].bit) != 0) {
            separate(out, begin);
            rk_str_append(out, names[i].text);
        }
    }
}

static void append_health(rk_str *out, const rk_device_telemetry *t)
{
    size_t begin = begin_line(out, "health");
    if (known(t, RK_TELEMETRY_KNOWN(temperature_c))) {
        rk_str_appendf(out, "%" PRIu64 " C", t->temperature_c);
    }
    if (known(t, RK_TELEMETRY_KNOWN(memory_temperature_c))) {
        separate(out, begin);
        rk_str_appendf(out, "memory %" PRIu64 " C", t->memory_temperature_c);
    }
    if (known(t, RK_TELEMETRY_KNOWN(power_mw))) {
        separate(out, begin);
        rk_str_appendf(out, "%.1f W", (double)t->power_mw / 1000);
        if (known(t, RK_TELEMETRY_KNOWN(power_limit_mw))) {
            rk_str_appendf(out, " of %.0f W", (double)t->power_limit_mw / 1000);
        }
    }
    if (known(t, RK_TELEMETRY_KNOWN(clock_mhz))) {
        separate(out, begin);
        rk_str_appendf(out, "%" PRIu64 " MHz", t->clock_mhz);
        if (known(t, RK_TELEMETRY_KNOWN(clock_max_mhz))) {
            rk_str_appendf(out, " of %" PRIu64 " MHz", t->clock_max_mhz);
        }
    }
    if (known(t, RK_TELEMETRY_KNOWN(memory_clock_mhz))) {
        separate(out, begin);
        rk_str_appendf(out, "memory %" PRIu64 " MHz", t->memory_clock_mhz);
    }
    if (known(t, RK_TELEMETRY_KNOWN(throttle_reasons))) {
        append_throttle(out, t->throttle_reasons, begin);
    }
    end_line(out, begin);
}

static void append_errors(rk_str *out, const rk_device_telemetry *t)
{
    size_t begin = begin_line(out, "errors");
    if (known(t, RK_TELEMETRY_KNOWN(ecc_uncorrected))) {
        rk_str_appendf(out, "ECC %" PRIu64 " corrected, %" PRIu64 " not", t->ecc_corrected,
                       t->ecc_uncorrected);
    }
    if (known(t, RK_TELEMETRY_KNOWN(xid_count))) {
        separate(out, begin);
        rk_str_appendf(out, "events %" PRIu64, t->xid_count);
        if (known(t, RK_TELEMETRY_KNOWN(last_xid)) && t->last_xid != 0) {
            rk_str_appendf(out, " (the last Xid %" PRIu64 ")", t->last_xid);
        }
    }
    if (known(t, RK_TELEMETRY_KNOWN(pcie_replays))) {
        separate(out, begin);
        rk_str_appendf(out, "PCIe replays %" PRIu64, t->pcie_replays);
    }
    if (known(t, RK_TELEMETRY_KNOWN(link_errors))) {
        separate(out, begin);
        rk_str_appendf(out, "link errors %" PRIu64, t->link_errors);
    }
    end_line(out, begin);
}

/* Other programs' kernels show in the vendor's utilisation only. */
static void append_use(rk_str *out, const rk_device_telemetry *t)
{
    if (known(t, RK_TELEMETRY_KNOWN(vendor_busy_percent))) {
        size_t begin = begin_line(out, "use");
        rk_str_appendf(out,
                       "%" PRIu64 " %% as the vendor counts it: 100 %% while a kernel is resident",
                       t->vendor_busy_percent);
        end_line(out, begin);
    }
}

static void append_measured(rk_str *out, const rk_topology_device *d, const rk_measured *m)
{
    char a[RK_VALUE_TEXT_BYTES];
    char b[RK_VALUE_TEXT_BYTES];
    rk_str_appendf(out, "  %-10s copies %s", "measured", rk_rate_text(m->copy_bandwidth, a));
    if (d->memory_bandwidth != 0) {
        rk_str_appendf(out, " (%.0f %% of what is announced)",
                       100.0 * (double)m->copy_bandwidth / (double)d->memory_bandwidth);
    }
    rk_str_appendf(out, ", two arrays of %s\n", rk_value_format_size(m->array_bytes, b));
    rk_str_appendf(out, "             from the host %s", rk_rate_text(m->write_bandwidth, a));
    rk_str_appendf(out, ", to the host %s", rk_rate_text(m->read_bandwidth, a));
    rk_str_appendf(out, "; 8 bytes in %s", rk_value_format_duration(m->write_ns, a));
    rk_str_appendf(out, " and %s\n", rk_value_format_duration(m->read_ns, a));
    rk_str_appendf(out, "             a command is answered in %s, 99 %% of them in %s\n",
                   rk_value_format_duration(m->answer_ns, a),
                   rk_value_format_duration(m->answer_p99_ns, b));
}

static void append_device(rk_str *out, const rk_topology_device *d)
{
    rk_str_appendf(out, "%-12s %s\n", d->name, d->text);
    if (d->driver[0] == '\0') {
        append_place(out, d);
        rk_str_append(out, "             no driver here runs kernels on it\n");
        return;
    }
    append_kind(out, d);
    append_memory(out, d);
    append_place(out, d);
    append_health(out, &d->telemetry);
    append_errors(out, &d->telemetry);
    append_use(out, &d->telemetry);
}

static void append_measured_json(rk_str *out, const char *name, const rk_measured *m, bool first)
{
    rk_str_append(out, first ? "{\"name\":" : ",{\"name\":");
    rk_str_append_json(out, name);
    rk_str_appendf(out,
                   ",\"copy_bytes_per_s\":%" PRIu64 ",\"write_bytes_per_s\":%" PRIu64
                   ",\"read_bytes_per_s\":%" PRIu64 ",\"write_ns\":%" PRIu64 ",\"read_ns\":%" PRIu64
                   ",\"answer_ns\":%" PRIu64 ",\"answer_p99_ns\":%" PRIu64
                   ",\"array_bytes\":%" PRIu64 "}",
                   m->copy_bandwidth, m->write_bandwidth, m->read_bandwidth, m->write_ns,
                   m->read_ns, m->answer_ns, m->answer_p99_ns, m->array_bytes);
}

/* Prints the devices; with json their object is closed by the caller. */
static rk_status print(const rk_cli_call *call, const rk_topology *topology, rk_str *out,
                       rk_err *err)
{
    bool measure = rk_options_flag(&call->options, "measure");
    bool first = true;
    rk_str_append(out, call->json && measure ? ",\"measured\":[" : "");
    for (uint32_t i = 0; i < rk_topology_device_count(topology); i++) {
        const rk_topology_device *d = rk_topology_device_at(topology, i);
        if (!call->json) {
            rk_str_append(out, i != 0 ? "\n" : "");
            append_device(out, d);
        }
        if (!measure || d->driver[0] == '\0') {
            continue;
        }
        rk_measured measured;
        rk_status status = rk_device_measure(d->name, d->memory_bytes, &measured, err);
        if (status != RK_OK) {
            return status;
        }
        if (call->json) {
            append_measured_json(out, d->name, &measured, first);
        } else {
            append_measured(out, d, &measured);
        }
        first = false;
    }
    rk_str_append(out, call->json && measure ? "]" : "");
    return RK_OK;
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_topology *topology = NULL;
    int code = rk_devices_look(call, NULL, &topology);
    if (code != RK_CLI_OK) {
        return code;
    }
    rk_status status = RK_OK;
    rk_str out;
    rk_str_init(&out, TEXT_BYTES);
    char *json = NULL;
    if (call->json) {
        status = rk_topology_json(topology, &json, &err);
        if (status == RK_OK) {
            rk_str_append(&out, json);
            rk_str_truncate(&out, out.length - 1); /* its closing brace */
        }
    }
    if (status == RK_OK) {
        status = print(call, topology, &out, &err);
    }
    if (call->json) {
        rk_str_append(&out, "}");
    } else {
        rk_devices_append_absent(&out, topology);
    }
    free(json);
    rk_topology_destroy(topology);
    if (status != RK_OK) {
        rk_str_finish(&out);
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_devices = {
    .name = "devices",
    .group = RK_CLI_MACHINE,
    .summary = "list the devices that kernels can run on, and their health",
    .description =
        "Lists the devices of this machine with what they are, where they are and how they are, "
        "and "
        "for each driver without a device the reason. A job can name further logical CPU devices, "
        "cpu:1, cpu:2 and so on, each with a host process of its own on the same cores.\n\n"
        "Health comes from the vendor's management library (NVML, AMD SMI or ROCm SMI) if there is "
        "one, else from sysfs; what a device does not tell is left out. With --json the object "
        "also "
        "has the links and NUMA nodes that 'rk topology' draws.",
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
