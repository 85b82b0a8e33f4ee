/*
 * share.c: planned shares of a device: so many multiprocessors for one kernel.
 *
 * A share is a green context: a stream whose kernels run on its multiprocessors only. Making one
 * may wait for what is resident, so shares that are wanted side by side are named in RK_GPU_SHARES
 * ("66,66") and made when the device is opened. On a device on which nothing is resident one more
 * is made at the launch that wants it, from what is left.
 */
#include "drivers/gpu/gpu.h"
#include <stdlib.h>
#include <string.h>

#define RESOURCE_UNITS 1
#define GREEN_DEFAULT_STREAM 1u
#define STREAM_NON_BLOCKING 1u

static bool can_share(const rk_device *device)
{
    const gpu_api *api = device->api;
    return api->resource_get != NULL && api->resource_split != NULL &&
           api->resource_describe != NULL && api->green_create != NULL &&
           api->green_destroy != NULL && api->green_stream != NULL;
}

static rk_status refuse_unable(const rk_device *device, rk_err *err)
{
    return rk_err_set(err, RK_UNSUPPORTED,
                      "%s cannot give a kernel a share of its multiprocessors: the driver has no "
                      "green contexts (they come with CUDA 12.4); launch it on the whole device, "
                      "without RK_GPU_SHARES",
                      device->caps.name);
}

/* What has not been given to planned shares. */
static gpu_result rest_get(rk_device *device)
{
    if (device->rest.type != 0) {
        return 0;
    }
    return device->api->resource_get(device->number, &device->rest, RESOURCE_UNITS);
}

static gpu_result green_make(rk_device *device, gpu_resource *resource, gpu_slot *slot)
{
    const gpu_api *api = device->api;
    void *description = NULL;
    gpu_result result = api->resource_describe(&description, resource, 1);
    if (result == 0) {
        result = api->green_create(&slot->green, description, device->number, GREEN_DEFAULT_STREAM);
    }
    if (result != 0) {
        return result;
    }
    result = api->green_stream(&slot->stream, slot->green, STREAM_NON_BLOCKING, 0);
    if (result != 0) {
        (void)api->green_destroy(slot->green);
        slot->green = NULL;
        return result;
    }
    slot->units = resource->sm_count;
    return 0;
}

/* Splits a share off; planned ones diminish the rest. */
static rk_status share_make(rk_device *device, uint32_t units, bool planned, gpu_slot **out_slot,
                            rk_err *err)
{
    gpu_result result = rest_get(device);
    if (result != 0) {
        return result == GPU_NOT_SUPPORTED
                   ? refuse_unable(device, err)
                   : gpu_fail(device, result, err, "asking for the multiprocessors");
    }
    if (units > device->rest.sm_count) {
        return rk_err_set(err, RK_LIMIT,
                          "%s: a share of %u multiprocessors cannot be had: %u of %u are not "
                          "planned for others; ask for fewer, or change RK_GPU_SHARES",
                          device->caps.name, units, device->rest.sm_count, device->caps.units);
    }
    gpu_slot slot = {0};
    gpu_resource part;
    gpu_resource rest;
    unsigned count = 1;
    memset(&part, 0, sizeof part);
    memset(&rest, 0, sizeof rest);
    result = device->api->resource_split(&part, &count, &device->rest, &rest, 0, units);
    if (result == 0) {
        result = count == 1 ? green_make(device, &part, &slot) : GPU_NOT_SUPPORTED;
    }
    if (result != 0) {
        return gpu_fail(device, result, err, "making a share of the multiprocessors");
    }
    if (planned) {
        device->rest = rest;
    }
    device->slots[device->slot_count] = slot;
    *out_slot = &device->slots[device->slot_count++];
    return RK_OK;
}

/* The share that was made for one launch; it is behind the planned ones. */
static void unplanned_drop(rk_device *device)
{
    while (device->slot_count > device->planned_count) {
        gpu_slot *slot = &device->slots[--device->slot_count];
        (void)device->api->stream_destroy(slot->stream); /* nothing runs on it */
        (void)device->api->green_destroy(slot->green);
        *slot = (gpu_slot){0};
    }
}

rk_status gpu_share_get(rk_device *device, uint32_t units, gpu_slot **out_slot, rk_err *err)
{
    gpu_slot *best = NULL;
    if (!can_share(device)) {
        return refuse_unable(device, err);
    }
    for (uint32_t i = 0; i < device->slot_count; i++) {
        gpu_slot *slot = &device->slots[i];
        if (slot->exec == NULL && slot->units >= units &&
            (best == NULL || slot->units < best->units)) {
            best = slot;
        }
    }
    if (best != NULL) {
        *out_slot = best;
        return RK_OK;
    }
    if (device->residents != NULL) {
        return rk_err_set(err, RK_BUSY,
                          "%s: no free share of %u multiprocessors has been planned, and none can "
                          "be made while kernel '%s' is resident; name the shares in "
                          "RK_GPU_SHARES, for example RK_GPU_SHARES=%u,%u",
                          device->caps.name, units, device->residents->name, units, units);
    }
    unplanned_drop(device);
    return share_make(device, units, false, out_slot, err);
}

rk_status gpu_shares_plan(rk_device *device, rk_err *err)
{
    const char *text = getenv("RK_GPU_SHARES");
    memset(&device->rest, 0, sizeof device->rest);
    device->planned_count = device->slot_count;
    if (text == NULL || *text == '\0') {
        return RK_OK;
    }
    if (!can_share(device)) {
        return refuse_unable(device, err);
    }
    for (const char *at = text; *at != '\0';) {
        char *end;
        unsigned long units = strtoul(at, &end, 10);
        bool full = device->slot_count + 1 >= RK_COUNT_OF(device->slots);
        if (end == at || units == 0 || units > device->caps.units || *at == '-' || full ||
            (*end != '\0' && (*end != ',' || end[1] == '\0'))) {
            return rk_err_set(err, RK_INVALID,
                              "%s: RK_GPU_SHARES is '%s'; it is a list of up to %u numbers of "
                              "multiprocessors, of which the device has %u, such as '66,66'",
                              device->caps.name, text, GPU_STREAMS_MAX - 1, device->caps.units);
        }
        gpu_slot *slot;
        rk_status status = share_make(device, (uint32_t)units, true, &slot, err);
        if (status != RK_OK) {
            return status;
        }
        at = *end == ',' ? end + 1 : end;
    }
    device->planned_count = device->slot_count;
    return RK_OK;
}
