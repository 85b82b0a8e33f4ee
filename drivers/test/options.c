/*
 * options.c: one table of the keys; everything is derived from it.
 */
#include "drivers/test/options.h"
#include "base/compiler.h"
#include "base/value.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { NUMBER, HEX, SIZE, DURATION, FLAG, AFTER, LINK, DRAIN, TEXT, MISSING } kind;

typedef struct key {
    const char *name;
    kind kind;
    size_t offset;
    uint64_t min;
    uint64_t max; /* TEXT: bytes */
} key;

#define AT(member) offsetof(rk_sim_options, member)
#define MANY ((uint64_t)1 << 40)

static const key keys[] = {
    {"devices", NUMBER, AT(devices), 1, RK_SIM_DEVICE_MAX},
    {"arch", NUMBER, AT(arch), 30, 199},
    {"gfx", HEX, AT(gfx), 0x600, 0x1fff},
    {"units", NUMBER, AT(units), 1, 1024},
    {"blocks", NUMBER, AT(blocks), 1, 32},
    {"memory", SIZE, AT(memory_bytes), 65536, MANY},
    {"queues", NUMBER, AT(queues), 1, 64},
    {"version", NUMBER, AT(version), 1000, 99999},
    {"hip_version", NUMBER, AT(hip_version), 1, 999999999},
    {"copy_delay", DURATION, AT(copy_delay_ns), 0, 10000000000},
    {"copy_bandwidth", SIZE, AT(copy_bandwidth), 1024, MANY},
    {"link_bandwidth", SIZE, AT(link_bandwidth), 1024, MANY * 16},
    {"oom_after", AFTER, AT(oom_after), 0, MANY},
    {"lose_after", AFTER, AT(lose_after), 0, MANY},
    {"xid", NUMBER, AT(xid), 1, 255},
    {"heat", NUMBER, AT(heat), 0, 255},
    {"ecc", NUMBER, AT(ecc), 0, MANY},
    {"link", LINK, AT(link), 0, 0},
    {"drain", DRAIN, AT(drain), 0, 0},
    {"permission", FLAG, AT(permission), 0, 0},
    {"nodevice", FLAG, AT(nodevice), 0, 0},
    {"nocoop", FLAG, AT(nocoop), 0, 0},
    {"zluda", FLAG, AT(zluda), 0, 0},
    {"watchdog", FLAG, AT(watchdog), 0, 0},
    {"nogreen", FLAG, AT(nogreen), 0, 0},
    {"control", TEXT, AT(control), 1, RK_SIM_PATH_BYTES},
    {"name", TEXT, AT(name), 1, RK_SIM_TEXT_BYTES},
    {"missing", MISSING, AT(missing), 1, RK_SIM_TEXT_BYTES},
};

#define LINKS "none|pcie|nvlink|nvswitch|xgmi"
#define DRAINS "off|fail|wait"

void rk_sim_options_default(rk_sim_options *out_options)
{
    *out_options = (rk_sim_options){
        .devices = 1,
        .arch = 90,
        .gfx = 0x90a,
        .units = 2,
        .blocks = 4,
        .memory_bytes = (uint64_t)1 << 30,
        .version = 12040,
        .hip_version = 60342131,
        .link_bandwidth = 50000000000,
        .heat = 41,
        .link = RK_SIM_LINK_PCIE,
    };
}

static rk_status refuse(rk_err *err, const char *name, const char *value, const char *why)
{
    return rk_err_set(err, RK_INVALID, "RK_TEST_GPU: %.40s=%.80s: %s", name, value, why);
}

static rk_status in_range(rk_err *err, const key *k, const char *value, uint64_t number)
{
    if (number < k->min || number > k->max) {
        char why[96];
        (void)snprintf(why, sizeof why, "must lie between %llu and %llu",
                       (unsigned long long)k->min, (unsigned long long)k->max);
        return refuse(err, k->name, value, why);
    }
    return RK_OK;
}

static rk_status parse_number(const key *k, const char *value, int base, uint64_t *out, rk_err *err)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, base);
    bool digit = (value[0] >= '0' && value[0] <= '9') ||
                 (base == 16 && value[0] != '\0' && strchr("abcdefABCDEF", value[0]) != NULL);
    if (!digit || *end != '\0' || errno != 0) {
        return refuse(err, k->name, value,
                      base == 16 ? "is not a hexadecimal number" : "is not a whole number");
    }
    rk_status status = in_range(err, k, value, number);
    if (status == RK_OK) {
        *out = number;
    }
    return status;
}

static rk_status parse_choice(const key *k, const char *value, const char *choices, unsigned *out,
                              rk_err *err)
{
    rk_status status = rk_value_parse_choice(value, choices, out, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "RK_TEST_GPU: %s: ", k->name);
        return RK_INVALID;
    }
    return RK_OK;
}

static rk_status parse_text(const key *k, const char *value, char *out, rk_err *err)
{
    if (value[0] == '\0' || strlen(value) >= k->max) {
        return refuse(err, k->name, value, value[0] == '\0' ? "needs a text" : "is too long");
    }
    (void)snprintf(out, k->max, "%s", value);
    return RK_OK;
}

/* value is NULL where the item has no '='. */
static rk_status parse_value(const key *k, const char *value, rk_sim_options *options, rk_err *err)
{
    uint64_t *number = (uint64_t *)(void *)((char *)options + k->offset);
    unsigned choice = 0;
    uint64_t parsed = 0;
    rk_status status = RK_OK;
    if (value == NULL && k->kind != FLAG && k->kind != DRAIN) {
        return refuse(err, k->name, "", "needs a value");
    }
    switch (k->kind) {
    case FLAG:
        if (value != NULL) {
            return refuse(err, k->name, value, "stands alone, without a value");
        }
        *number = 1;
        return RK_OK;
    case NUMBER: return parse_number(k, value, 10, number, err);
    case HEX: return parse_number(k, value, 16, number, err);
    case AFTER:
        status = parse_number(k, value, 10, &parsed, err);
        *number = status == RK_OK ? parsed + 1 : *number;
        return status;
    case SIZE: status = rk_value_parse_size(value, &parsed, err); break;
    case DURATION: status = rk_value_parse_duration(value, &parsed, err); break;
    case LINK:
        status = parse_choice(k, value, LINKS, &choice, err);
        options->link = status == RK_OK ? (rk_sim_link)choice : options->link;
        return status;
    case DRAIN:
        status = parse_choice(k, value != NULL ? value : "fail", DRAINS, &choice, err);
        options->drain = status == RK_OK ? (rk_sim_drain)choice : options->drain;
        return status;
    case TEXT: return parse_text(k, value, (char *)options + k->offset, err);
    case MISSING:
        if (options->missing_count == RK_SIM_MISSING_MAX) {
            return refuse(err, k->name, value, "too many of them, 16 are allowed");
        }
        status = parse_text(k, value, options->missing[options->missing_count], err);
        options->missing_count += status == RK_OK ? 1u : 0u;
        return status;
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "RK_TEST_GPU: %s: ", k->name);
        return RK_INVALID;
    }
    status = in_range(err, k, value, parsed);
    *number = status == RK_OK ? parsed : *number;
    return status;
}

static rk_status unknown(const char *name, rk_err *err)
{
    char all[320] = "";
    for (size_t i = 0; i < RK_COUNT_OF(keys); i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, " %s", keys[i].name);
    }
    return rk_err_set(err, RK_INVALID, "RK_TEST_GPU: '%.40s' is not known; there are:%s", name,
                      all);
}

static rk_status parse_item(char *item, rk_sim_options *options, rk_err *err)
{
    char *value = strchr(item, '=');
    if (value != NULL) {
        *value++ = '\0';
    }
    for (size_t i = 0; i < RK_COUNT_OF(keys); i++) {
        if (strcmp(keys[i].name, item) == 0) {
            return parse_value(&keys[i], value, options, err);
        }
    }
    return unknown(item, err);
}

rk_status rk_sim_options_parse(const char *text, rk_sim_options *out_options, rk_err *err)
{
    rk_sim_options options;
    rk_sim_options_default(&options);
    char *copy = strdup(text != NULL ? text : "");
    if (copy == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "RK_TEST_GPU: no memory");
    }
    rk_status status = RK_OK;
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL && status == RK_OK;
         item = strsep(&rest, ",")) {
        if (item[0] != '\0') {
            status = parse_item(item, &options, err);
        }
    }
    free(copy);
    if (status == RK_OK) {
        *out_options = options;
    }
    return status;
}
