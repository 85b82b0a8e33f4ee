/*
 * code.c: compiled kernels: PTX text, CUDA binaries, HIP code objects.
 *
 * The image is kept: when a lost device is recovered everything is loaded again.
 */
#include "drivers/gpu/gpu.h"
#include <stdlib.h>
#include <string.h>

#define ENTRY_NAME "rk_module_entry"
#define LOG_BYTES 1024u
#define JIT_ERROR_LOG 5      /* CU_JIT_ERROR_LOG_BUFFER; 6: its size */
#define FUNCTION_LANES_MAX 0 /* CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK; HIP numbers it alike */

/* Numbers of CUresult that tell what is wrong with an image; HIP uses the same. */
#define RESULT_INVALID_IMAGE 200
#define RESULT_NO_BINARY 209
#define RESULT_INVALID_PTX 218
#define RESULT_UNSUPPORTED_PTX 222
#define RESULT_NOT_FOUND 500

static rk_status load_failed(rk_device *device, gpu_result result, const char *log, rk_err *err)
{
    const char *text = gpu_error_text(device->driver, result);
    char version[64];
    gpu_version_text(device->driver, version, sizeof version);
    int line = (int)strcspn(log, "\n");
    switch (result) {
    case RESULT_NO_BINARY:
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s: the code was not built for %s: %s (error %d); build the module for "
                          "it with 'rk build'",
                          device->caps.name, device->caps.arch, text, result);
    case RESULT_UNSUPPORTED_PTX:
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s: the code was made by a toolkit that is newer than the driver, which "
                          "supports %s: %s (error %d); update the driver, or build the module with "
                          "an older toolkit",
                          device->caps.name, version, text, result);
    case RESULT_INVALID_IMAGE:
    case RESULT_INVALID_PTX:
        return rk_err_set(err, RK_CORRUPT,
                          "%s: the kernel's code cannot be loaded: %s (error %d)%s%.*s; rebuild "
                          "the module with 'rk build'",
                          device->caps.name, text, result, line > 0 ? ": " : "", line, log);
    default: return gpu_fail(device, result, err, "loading the kernel's code");
    }
}

rk_status gpu_code_make(rk_device *device, rk_code *code, rk_err *err)
{
    const gpu_api *api = device->api;
    char log[LOG_BYTES] = "";
    int options[] = {JIT_ERROR_LOG, JIT_ERROR_LOG + 1};
    void *values[] = {log, (void *)(uintptr_t)(sizeof log - 1)};
    bool has_log = code->kind == RK_CODE_PTX;
    gpu_result result = api->module_load(&code->module, code->image, has_log ? 2 : 0,
                                         has_log ? options : NULL, has_log ? values : NULL);
    if (result != 0) {
        code->module = NULL;
        return load_failed(device, result, log, err);
    }
    result = api->module_function(&code->entry, code->module, ENTRY_NAME);
    if (result == RESULT_NOT_FOUND) {
        (void)api->module_unload(code->module);
        code->module = NULL;
        return rk_err_set(err, RK_CORRUPT,
                          "%s: the code has no entry point " ENTRY_NAME "; it was not built from a "
                          "kernel source that includes <ringkernel/kernel.h>",
                          device->caps.name);
    }
    /* Whatever the library leaves for the first launch would wait for resident kernels. */
    if (result == 0 && api->function_load != NULL) {
        result = api->function_load(code->entry);
        result = result == GPU_NOT_SUPPORTED ? 0 : result;
    }
    if (result == 0) {
        result = api->function_attribute(&code->lanes_max, FUNCTION_LANES_MAX, code->entry);
    }
    if (result != 0) {
        (void)api->module_unload(code->module);
        code->module = NULL;
        return gpu_fail(device, result, err, "preparing the kernel's code");
    }
    return RK_OK;
}

typedef struct load_request {
    rk_code *code;
    rk_err *err;
} load_request;

static rk_status load_work(rk_device *device, void *context)
{
    load_request *request = context;
    if (gpu_is_lost(device)) {
        return gpu_refuse_lost(device, request->err);
    }
    if (device->residents != NULL) {
        return rk_err_set(request->err, RK_BUSY,
                          "%s: code cannot be loaded while kernel '%s' is resident: the driver "
                          "might wait for it; create all kernels before starting the first, or "
                          "park it",
                          device->caps.name, device->residents->name);
    }
    rk_status status = gpu_code_make(device, request->code, request->err);
    if (status == RK_OK) {
        request->code->next = device->codes;
        device->codes = request->code;
    }
    return status;
}

rk_status gpu_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                   rk_code **out_code, rk_err *err)
{
    if ((device->caps.code_kinds & RK_CODE_BIT(kind)) == 0) {
        return rk_err_set(err, RK_UNSUPPORTED,
                          "%s does not take code of kind %d; build the module for this device",
                          device->caps.name, (int)kind);
    }
    rk_code *code = calloc(1, sizeof *code);
    void *copy = malloc(bytes + 1);
    if (code == NULL || copy == NULL) {
        free(code);
        free(copy);
        return rk_err_set(err, RK_NO_MEMORY, "%s: no memory to load a kernel", device->caps.name);
    }
    memcpy(copy, image, bytes);
    ((char *)copy)[bytes] = '\0'; /* the library takes PTX up to its NUL */
    code->kind = kind;
    code->image = copy;
    code->bytes = bytes;
    load_request request = {code, err};
    rk_status status = gpu_call(device, load_work, &request);
    if (status != RK_OK) {
        free(copy);
        free(code);
        return status;
    }
    *out_code = code;
    return RK_OK;
}

void gpu_codes_reclaim(rk_device *device, bool all)
{
    for (rk_code **at = &device->codes; *at != NULL;) {
        rk_code *code = *at;
        if (code->unloaded || all) {
            *at = code->next;
            if (code->module != NULL) {
                (void)device->api->module_unload(code->module); /* on a lost device it is gone */
            }
            free(code->image);
            free(code);
        } else {
            at = &code->next;
        }
    }
}

void gpu_codes_forget(rk_device *device)
{
    for (rk_code *code = device->codes; code != NULL; code = code->next) {
        code->module = NULL;
    }
    gpu_codes_reclaim(device, false);
}

static rk_status unload_work(rk_device *device, void *context)
{
    rk_code *code = context;
    code->unloaded = true;
    if (device->residents == NULL) {
        gpu_codes_reclaim(device, false);
    }
    return RK_OK;
}

void gpu_unload(rk_device *device, rk_code *code)
{
    if (code != NULL) {
        (void)gpu_call(device, unload_work, code);
    }
}

typedef struct fit_request {
    const rk_code *code;
    uint32_t lanes;
    uint32_t blocks;
} fit_request;

static rk_status fit_work(rk_device *device, void *context)
{
    fit_request *request = context;
    int per_unit = 0;
    if (!gpu_is_lost(device) &&
        device->api->occupancy(&per_unit, request->code->entry, (int)request->lanes, 0, 0) == 0 &&
        per_unit > 0) {
        request->blocks = (uint32_t)per_unit * device->caps.units - 1; /* one is the poller's */
    }
    return RK_OK;
}

uint32_t gpu_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes)
{
    uint32_t usual = RK_MAX(1u, device->caps.default_lanes);
    fit_request request = {.code = code, .lanes = lanes > 0 ? lanes : usual};
    (void)gpu_call(device, fit_work, &request);
    return request.blocks;
}
