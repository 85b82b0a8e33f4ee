/*
 * cli_topology.c: rk topology: a picture of the machine: NUMA nodes, PCI bridges, devices, links.
 */
#include "cli/commands.h"
#include "cli/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (4u << 20)
#define PREFIX_BYTES 256

static const rk_option options[] = {
    {.name = "driver",
     .kind = RK_OPTION_STRING,
     .value_name = "NAME",
     .help = "Only the devices of this driver (cpu, cuda, hip, opencl), or of several: cpu,cuda. "
             "Test drivers, such as cuda-test, are shown only when they are named here."},
    {.name = "sysfs",
     .kind = RK_OPTION_STRING,
     .value_name = "DIR",
     .help = "Read the PCI tree and the NUMA nodes below this folder instead of /sys: a copy of "
             "another machine's."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

/* The lines of a tree. */
typedef struct strokes {
    const char *branch, *last, *down;
} strokes;

/* Box drawing where the environment promises UTF-8, as setlocale(3) would look for it. */
static strokes choose_strokes(void)
{
    static const strokes plain = {"|- ", "`- ", "|  "};
    static const strokes boxes = {"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  "};
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < RK_CLI_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL ? boxes
                                                                                           : plain;
        }
    }
    return plain;
}

typedef struct picture {
    const rk_topology *topology;
    strokes strokes;
    rk_str *out;
    bool *drawn; /* of each device */
} picture;

static const rk_topology_device *device_at(const picture *p, uint32_t index)
{
    return rk_topology_device_at(p->topology, index);
}

static void draw_device(picture *p, uint32_t index)
{
    const rk_topology_device *d = device_at(p, index);
    char text[RK_VALUE_TEXT_BYTES];
    bool named_by_bus = strcmp(d->name, d->bus_id) == 0;
    rk_device_link link = {
        .kind = RK_LINK_PCIE, .version = d->pcie_generation_max, .lanes = d->pcie_lanes_max};
    rk_str_appendf(p->out, "%s  %s", d->name, d->text);
    if (!named_by_bus && d->bus_id[0] != '\0') {
        rk_str_appendf(p->out, ", %s", d->bus_id);
    }
    if (d->pcie_generation_max != 0) {
        rk_str_appendf(p->out, ", %s", rk_link_text(&link, text));
    }
    rk_str_append(p->out, d->driver[0] == '\0' ? ", no driver here\n" : "\n");
}

/* Whether two devices share their first `depth` bridges. */
static bool same_bridges(const rk_topology_device *a, const rk_topology_device *b, uint32_t depth)
{
    if (a->bridge_count < depth || b->bridge_count < depth) {
        return false;
    }
    for (uint32_t i = 0; i < depth; i++) {
        if (strcmp(a->bridges[i], b->bridges[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* A device that belongs below the first `depth` bridges of `of`, at or behind *at; or false. */
static bool next_below(const picture *p, const rk_topology_device *of, uint32_t depth, uint32_t *at)
{
    for (; *at < rk_topology_device_count(p->topology); (*at)++) {
        const rk_topology_device *d = device_at(p, *at);
        if (!p->drawn[*at] && d->numa_node == of->numa_node && same_bridges(d, of, depth)) {
            return true;
        }
    }
    return false;
}

static void begin_branch(picture *p, char prefix[PREFIX_BYTES], bool is_last)
{
    rk_str_appendf(p->out, "%s%s", prefix, is_last ? p->strokes.last : p->strokes.branch);
    size_t used = strlen(prefix);
    (void)snprintf(prefix + used, PREFIX_BYTES - used, "%s", is_last ? "   " : p->strokes.down);
}

/*
 * Draws everything below the first `depth` bridges of `of` that is not drawn yet. Depth is bounded
 * by RK_BRIDGES_MAX.
 */
static void draw_below(picture *p, const rk_topology_device *of, uint32_t depth, const char *above)
{
    uint32_t at = 0;
    while (next_below(p, of, depth, &at)) {
        const rk_topology_device *d = device_at(p, at);
        bool is_leaf = d->bridge_count <= depth;
        /* A bridge with one way on is drawn together with the next. */
        uint32_t deep = depth;
        uint32_t other = 0;
        bool is_alone = true;
        while (!is_leaf && is_alone && deep < d->bridge_count) {
            deep++;
            for (other = 0; deep < d->bridge_count && next_below(p, d, deep, &other); other++) {
                is_alone = is_alone && same_bridges(device_at(p, other), d, deep + 1);
            }
        }
        /* Is there anything left behind it? */
        bool is_last = true;
        for (other = at + 1; next_below(p, of, depth, &other); other++) {
            is_last = is_last && !is_leaf && same_bridges(device_at(p, other), d, deep);
        }
        char prefix[PREFIX_BYTES];
        (void)snprintf(prefix, sizeof prefix, "%s", above);
        begin_branch(p, prefix, is_last);
        if (is_leaf) {
            p->drawn[at] = true;
            draw_device(p, at);
        } else {
            for (uint32_t i = depth; i < deep; i++) {
                rk_str_appendf(p->out, "%s%s", i > depth ? " > " : "", d->bridges[i]);
            }
            rk_str_append(p->out, "\n");
            draw_below(p, d, deep, prefix);
        }
    }
}

static void draw_node(picture *p, const rk_topology_node *node)
{
    char total[RK_VALUE_TEXT_BYTES];
    char left[RK_VALUE_TEXT_BYTES];
    if (node != NULL) {
        rk_str_appendf(p->out, "NUMA node %u: %u CPUs%s%s%s, %s, %s free\n", node->id,
                       node->cpu_count, node->cpu_count ? " (" : "", node->cpus,
                       node->cpu_count ? ")" : "", rk_value_format_size(node->memory_bytes, total),
                       rk_value_format_size(node->memory_free_bytes, left));
    } else {
        rk_str_append(p->out, "On all nodes, or not told on which\n");
    }
    rk_topology_device of = {.numa_node = node != NULL ? node->id : RK_NUMA_UNKNOWN};
    draw_below(p, &of, 0, "");
}

/* Devices whose node is not in the list are drawn below "not told". */
static void draw_tree(picture *p)
{
    uint32_t count = rk_topology_device_count(p->topology);
    for (uint32_t i = 0; i < rk_topology_node_count(p->topology); i++) {
        draw_node(p, rk_topology_node_at(p->topology, i));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!p->drawn[i] && device_at(p, i)->numa_node == RK_NUMA_UNKNOWN) {
            draw_node(p, NULL);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!p->drawn[i]) {
            rk_str_appendf(p->out, "NUMA node %u, which the machine does not list\n",
                           device_at(p, i)->numa_node);
            rk_topology_device of = {.numa_node = device_at(p, i)->numa_node};
            draw_below(p, &of, 0, "");
        }
    }
}

static void draw_distances(picture *p)
{
    uint32_t count = rk_topology_node_count(p->topology);
    if (count < 2) {
        return;
    }
    rk_str_append(p->out, "\nDistances of NUMA nodes (10: itself)\n     ");
    for (uint32_t i = 0; i < count; i++) {
        rk_str_appendf(p->out, " %4u", rk_topology_node_at(p->topology, i)->id);
    }
    for (uint32_t i = 0; i < count; i++) {
        rk_str_appendf(p->out, "\n %4u", rk_topology_node_at(p->topology, i)->id);
        for (uint32_t j = 0; j < count; j++) {
            rk_str_appendf(p->out, " %4u", rk_topology_node_distance(p->topology, i, j));
        }
    }
    rk_str_append(p->out, "\n");
}

static const char *cell(const picture *p, uint32_t a, uint32_t b, char out[RK_VALUE_TEXT_BYTES])
{
    const rk_device_link *link = &rk_topology_link_between(p->topology, a, b)->link;
    if (a == b) {
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "-");
        return out;
    }
    char text[RK_VALUE_TEXT_BYTES];
    (void)rk_link_text(link, text);
    (void)snprintf(out, RK_VALUE_TEXT_BYTES, "%.38s%s", text, link->peer_access ? "*" : "");
    return out;
}

static void draw_matrix(picture *p)
{
    uint32_t count = rk_topology_device_count(p->topology);
    char text[RK_VALUE_TEXT_BYTES];
    int width = 4;
    if (count < 2) {
        return;
    }
    for (uint32_t a = 0; a < count; a++) {
        width =
            (int)strlen(device_at(p, a)->name) > width ? (int)strlen(device_at(p, a)->name) : width;
        for (uint32_t b = 0; b < a; b++) {
            int length = (int)strlen(cell(p, a, b, text));
            width = length > width ? length : width;
        }
    }
    rk_str_appendf(p->out, "\nLinks\n%-12s", "");
    for (uint32_t a = 0; a < count; a++) {
        rk_str_appendf(p->out, "  %-*s", a + 1 < count ? width : 0, device_at(p, a)->name);
    }
    for (uint32_t a = 0; a < count; a++) {
        rk_str_appendf(p->out, "\n%-12s", device_at(p, a)->name);
        for (uint32_t b = 0; b < count; b++) {
            rk_str_appendf(p->out, "  %-*s", b + 1 < count ? width : 0, cell(p, a, b, text));
        }
    }
    rk_str_append(p->out, "\n");
}

/* What each kind of link in the matrix carries, once. */
static void draw_legend(picture *p)
{
    uint32_t count = rk_topology_device_count(p->topology);
    bool any_peer = false;
    const rk_device_link *told[64];
    size_t told_count = 0;
    for (uint32_t b = 0; b < count; b++) {
        for (uint32_t a = 0; a < b; a++) {
            const rk_device_link *link = &rk_topology_link_between(p->topology, a, b)->link;
            any_peer = any_peer || link->peer_access;
            size_t i = 0;
            while (i < told_count &&
                   (told[i]->kind != link->kind || told[i]->version != link->version ||
                    told[i]->lanes != link->lanes || told[i]->bandwidth != link->bandwidth)) {
                i++;
            }
            if (i < told_count || told_count == RK_CLI_COUNT(told) || link->bandwidth == 0) {
                continue;
            }
            told[told_count++] = link;
            char name[RK_VALUE_TEXT_BYTES];
            char rate[RK_VALUE_TEXT_BYTES];
            rk_str_appendf(p->out, "%s: %s in each direction, as announced\n",
                           rk_link_text(link, name), rk_rate_text(link->bandwidth, rate));
        }
    }
    if (any_peer) {
        rk_str_append(p->out, "*: kernels on one can address the memory of the other\n");
    }
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_topology *topology = NULL;
    int code = rk_devices_look(call, rk_options_text(&call->options, "sysfs"), &topology);
    if (code != RK_CLI_OK) {
        return code;
    }
    rk_status status = RK_OK;
    rk_str out;
    rk_str_init(&out, TEXT_BYTES);
    if (call->json) {
        char *json = NULL;
        status = rk_topology_json(topology, &json, &err);
        rk_str_append(&out, status == RK_OK ? json : "");
        free(json);
    } else {
        picture p = {.topology = topology, .strokes = choose_strokes(), .out = &out};
        p.drawn = calloc(rk_topology_device_count(topology) + 1, sizeof *p.drawn);
        if (p.drawn == NULL) {
            status = rk_err_set(&err, RK_NO_MEMORY, "no memory to draw the topology");
        } else {
            draw_tree(&p);
            draw_distances(&p);
            draw_matrix(&p);
            draw_legend(&p);
            rk_devices_append_absent(&out, topology);
        }
        free(p.drawn);
    }
    rk_topology_destroy(topology);
    if (status != RK_OK) {
        rk_str_finish(&out);
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    return rk_cli_print(call, &out);
}

const rk_cli_command rk_cli_topology = {
    .name = "topology",
    .group = RK_CLI_MACHINE,
    .summary = "draw how devices, buses and processors are connected",
    .description =
        "Draws the NUMA nodes with their processors and memory, below them the PCI bridges and the "
        "devices, and a table of the links between all devices: NVLink, NVSwitch, XGMI, PCIe, or "
        "the "
        "machine's memory. Works without any GPU or vendor library; display controllers and "
        "accelerators that no driver here can use are shown too.",
    RK_CLI_OPTIONS(options),
    .run = run,
};
