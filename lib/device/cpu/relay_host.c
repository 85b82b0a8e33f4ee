/*
 * relay_host.c: a relayed driver, the host process's side: does what the parent asks with the real
 * driver. The parent is trusted: it is the program that started this one.
 */
#include "device/cpu/relay.h"
#include "device/loader.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct relayed_kernel {
    rk_relay_host *host;
    rk_exec *exec;
    uint32_t slot;
} relayed_kernel;

struct rk_relay_host {
    int socket;
    const rk_driver_ops *driver;
    rk_device *device;
    uint8_t *staging;
    rk_mem memory[RK_HOST_MEMORY_MAX];
    rk_code *code[RK_RELAY_CODE_MAX];
    relayed_kernel kernels[RK_HOST_KERNEL_MAX];
};

static void kernel_exited(void *context)
{
    relayed_kernel *kernel = context;
    rk_relay_host *host = kernel->host;
    bool lost = host->driver->is_lost != NULL && host->driver->is_lost(host->device);
    rk_host_message message = {.op = RK_HOST_EXITED, .kernel = kernel->slot, .lost = lost ? 1 : 0};
    /* A parent that is gone ends this process through the serving thread. */
    (void)rk_host_send(host->socket, &message, NULL, 0);
}

static rk_status open_device(rk_relay_host **state, int socket, const rk_host_message *request,
                             const int *fds, uint32_t fd_count, rk_err *err)
{
    rk_relay_host *host = calloc(1, sizeof *host);
    if (host == NULL || *state != NULL || fd_count != 1) {
        free(host);
        return host == NULL ? RK_NO_MEMORY : RK_STATE;
    }
    host->socket = socket;
    rk_device_options options = {.logical_devices = 1};
    rk_status status = rk_driver_find(request->driver, &host->driver, err);
    if (status == RK_OK) {
        status = host->driver->open(request->device, &options, &host->device, err);
    }
    void *staging = status == RK_OK ? mmap(NULL, RK_RELAY_STAGING_BYTES, PROT_READ | PROT_WRITE,
                                           MAP_SHARED, fds[0], 0)
                                    : MAP_FAILED;
    if (status == RK_OK && staging == MAP_FAILED) {
        host->driver->close(host->device);
        status = RK_NO_MEMORY;
    }
    if (status != RK_OK) {
        free(host);
        return status;
    }
    host->staging = staging;
    rk_device_caps caps;
    host->driver->caps(host->device, &caps);
    memcpy(host->staging, &caps, sizeof caps);
    *state = host;
    return RK_OK;
}

static rk_status memory_request(rk_relay_host *host, const rk_host_message *request, const int *fds,
                                uint32_t fd_count, rk_err *err)
{
    const rk_driver_ops *driver = host->driver;
    if (request->memory >= RK_HOST_MEMORY_MAX) {
        return RK_LIMIT;
    }
    rk_mem *mem = &host->memory[request->memory];
    if ((request->op == RK_RELAY_ALLOC) != (mem->bytes == 0)) {
        return RK_STATE;
    }
    switch (request->op) {
    case RK_RELAY_ALLOC:
        if (fd_count == 1) {
            return driver->mem_import != NULL
                       ? driver->mem_import(host->device, fds[0], request->bytes, mem, err)
                       : rk_err_set(err, RK_UNSUPPORTED,
                                    "driver '%s' cannot share memory with another process",
                                    driver->name);
        }
        return driver->mem_alloc(host->device, (rk_mem_kind)request->kind, request->bytes, mem,
                                 err);
    case RK_RELAY_FREE:
        driver->mem_free(host->device, mem);
        *mem = (rk_mem){.fd = -1};
        return RK_OK;
    case RK_RELAY_ZERO: return driver->zero(host->device, mem, request->offset, request->bytes);
    case RK_RELAY_READ:
        return request->bytes <= RK_RELAY_STAGING_BYTES
                   ? driver->read(host->device, mem, request->offset, host->staging, request->bytes)
                   : RK_INVALID;
    default:
        return request->bytes <= RK_RELAY_STAGING_BYTES
                   ? driver->write(host->device, mem, request->offset, host->staging,
                                   request->bytes)
                   : RK_INVALID;
    }
}

static rk_status code_request(rk_relay_host *host, const rk_host_message *request, const int *fds,
                              uint32_t fd_count, rk_host_message *reply, rk_err *err)
{
    const rk_driver_ops *driver = host->driver;
    if (request->code >= RK_RELAY_CODE_MAX) {
        return RK_LIMIT;
    }
    rk_code **code = &host->code[request->code];
    if ((request->op == RK_RELAY_LOAD) != (*code == NULL)) {
        return RK_STATE;
    }
    if (request->op == RK_RELAY_UNLOAD) {
        driver->unload(host->device, *code);
        *code = NULL;
        return RK_OK;
    }
    if (request->op == RK_RELAY_MAX_BLOCKS) {
        reply->count = driver->max_blocks(host->device, *code, request->lanes);
        return RK_OK;
    }
    void *image = fd_count == 1 ? mmap(NULL, request->code_bytes, PROT_READ, MAP_SHARED, fds[0], 0)
                                : MAP_FAILED;
    if (image == MAP_FAILED) {
        return RK_NO_MEMORY;
    }
    rk_status status = driver->load(host->device, (rk_code_kind)request->kind, image,
                                    request->code_bytes, code, err);
    (void)munmap(image, request->code_bytes);
    return status;
}

static rk_mem *memory_of(rk_relay_host *host, uint32_t number)
{
    return number < RK_HOST_MEMORY_MAX && host->memory[number].bytes != 0 ? &host->memory[number]
                                                                          : NULL;
}

static rk_status launch(rk_relay_host *host, const rk_host_message *request, rk_err *err)
{
    relayed_kernel *kernel = &host->kernels[request->kernel];
    rk_exec_args args = {
        .name = request->name,
        .code = request->code < RK_RELAY_CODE_MAX ? host->code[request->code] : NULL,
        .arena = memory_of(host, request->arena_memory),
        .mapped = memory_of(host, request->mapped_memory),
        .lanes = request->lanes,
        .units = request->units,
        .migrate_from = request->migrates != 0 ? memory_of(host, request->migrate_memory) : NULL,
        .on_exit = kernel_exited,
        .context = kernel,
    };
    if (kernel->exec != NULL || args.code == NULL || args.arena == NULL || args.mapped == NULL) {
        return RK_STATE;
    }
    kernel->host = host;
    kernel->slot = request->kernel;
    return host->driver->launch(host->device, &args, &kernel->exec, err);
}

static rk_status kernel_request(rk_relay_host *host, const rk_host_message *request, rk_err *err)
{
    if (request->kernel >= RK_HOST_KERNEL_MAX || request->other >= RK_HOST_KERNEL_MAX) {
        return RK_LIMIT;
    }
    relayed_kernel *kernel = &host->kernels[request->kernel];
    relayed_kernel *other = &host->kernels[request->other];
    switch (request->op) {
    case RK_RELAY_LAUNCH: return launch(host, request, err);
    case RK_RELAY_CONNECT:
        return kernel->exec != NULL && other->exec != NULL
                   ? host->driver->connect(kernel->exec, request->route, other->exec, err)
                   : RK_STATE;
    default:
        if (kernel->exec != NULL) {
            (void)host->driver->wait_exit(kernel->exec, UINT64_MAX); /* it has exited */
            host->driver->release(kernel->exec);
            kernel->exec = NULL;
        }
        return RK_OK;
    }
}

rk_status rk_relay_serve(rk_relay_host **state, int socket, const rk_host_message *request,
                         const int *fds, uint32_t fd_count, rk_host_message *reply, rk_err *err)
{
    if (request->op == RK_RELAY_OPEN) {
        return open_device(state, socket, request, fds, fd_count, err);
    }
    if (*state == NULL) {
        return RK_STATE;
    }
    switch (request->op) {
    case RK_RELAY_ALLOC:
    case RK_RELAY_FREE:
    case RK_RELAY_READ:
    case RK_RELAY_WRITE:
    case RK_RELAY_ZERO: return memory_request(*state, request, fds, fd_count, err);
    case RK_RELAY_LOAD:
    case RK_RELAY_UNLOAD:
    case RK_RELAY_MAX_BLOCKS: return code_request(*state, request, fds, fd_count, reply, err);
    case RK_RELAY_LAUNCH:
    case RK_RELAY_CONNECT:
    case RK_RELAY_RELEASE: return kernel_request(*state, request, err);
    case RK_RELAY_TELEMETRY: {
        rk_device_telemetry telemetry;
        (*state)->driver->telemetry((*state)->device, &telemetry);
        memcpy((*state)->staging, &telemetry, sizeof telemetry);
        return RK_OK;
    }
    default:
        return rk_err_set(err, RK_UNSUPPORTED, "a host process does not know request %u",
                          request->op);
    }
}
