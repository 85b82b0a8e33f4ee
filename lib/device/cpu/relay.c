/*
 * relay.c: a relayed driver, the parent's side: the device table over requests to a host process.
 *
 * Invariants
 *   1. What the parent has handed out (areas, code) is listed here with what it takes to make it
 *      anew, so that a new process can be filled like the old one.
 *   2. The staging area belongs to whoever holds staging_lock, from filling to emptying it.
 *   3. `lost` is set when the process has ended or said that its device is lost; only recover, with
 *      no kernel launched, clears it.
 */
#include "device/cpu/relay.h"
#include "abi/word.h"
#include "base/wait.h"
#include "device/cpu/process.h"
#include "device/loader.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELAYS_MAX 16u

struct rk_code {
    uint32_t number;
    rk_code_kind kind;
    rk_mem image; /* a memory file */
};

struct rk_exec {
    rk_device *device;
    uint32_t slot;
    uint32_t blocks;
    bool armed; /* the launch has succeeded: on_exit is due once */
    rk_u32 exited;
    void (*on_exit)(void *context);
    void *context;
};

typedef struct relay_memory {
    uint64_t bytes; /* 0: free place */
    rk_mem_kind kind;
    int fd; /* of a mapped area, borrowed; else -1 */
} relay_memory;

struct rk_device {
    char driver[RK_HOST_DRIVER_BYTES];
    uint32_t index;
    rk_host_process process; /* its lock also guards execs */
    rk_exec *execs[RK_HOST_KERNEL_MAX];
    rk_u32 lost;
    rk_mutex table_lock; /* memory and code */
    relay_memory memory[RK_HOST_MEMORY_MAX];
    rk_code *code[RK_RELAY_CODE_MAX];
    rk_mutex staging_lock;
    rk_mem staging;
    rk_device_caps caps;
};

static void exec_mark_exited(rk_exec *exec)
{
    if (exec == NULL || exec->exited != 0) {
        return;
    }
    if (exec->armed) {
        exec->on_exit(exec->context); /* it only notes the exit (device.h) */
    }
    rk_word_store_release(&exec->exited, 1);
    rk_wake(&exec->exited, RK_WAKE_ALL);
}

static void on_exited(void *context, uint32_t kernel, bool lost)
{
    rk_device *device = context;
    if (lost) {
        rk_word_store_release(&device->lost, 1);
    }
    for (uint32_t i = 0; i < RK_HOST_KERNEL_MAX; i++) {
        if (kernel == RK_HOST_ALL_KERNELS || kernel == i) {
            exec_mark_exited(device->execs[i]);
        }
    }
}

static rk_status request(rk_device *device, const rk_host_message *message, const int *fds,
                         uint32_t fd_count, rk_host_message *out_reply, rk_err *err)
{
    return rk_host_process_request(&device->process, message, fds, fd_count,
                                   message->op == RK_RELAY_OPEN, out_reply, err);
}

/* ---- A process, and what it holds ---------------------------------------------------------- */

static rk_status process_open(rk_device *device, rk_err *err)
{
    rk_host_message message = {.op = RK_RELAY_OPEN, .device = device->index};
    (void)snprintf(message.driver, sizeof message.driver, "%s", device->driver);
    rk_mutex_lock(&device->staging_lock);
    rk_status status = request(device, &message, &device->staging.fd, 1, NULL, err);
    if (status == RK_OK) {
        memcpy(&device->caps, device->staging.host, sizeof device->caps);
        device->caps.survives_fault = true;
        device->caps.host_addressable = false;
        rk_word_store_release(&device->lost, 0);
    }
    rk_mutex_unlock(&device->staging_lock);
    return status;
}

static rk_status memory_make(rk_device *device, uint32_t number, rk_err *err)
{
    const relay_memory *memory = &device->memory[number];
    rk_host_message message = {
        .op = RK_RELAY_ALLOC, .memory = number, .kind = memory->kind, .bytes = memory->bytes};
    return request(device, &message, &memory->fd, memory->fd >= 0 ? 1 : 0, NULL, err);
}

static rk_status code_make(rk_device *device, const rk_code *code, uint64_t bytes, rk_err *err)
{
    rk_host_message message = {
        .op = RK_RELAY_LOAD, .code = code->number, .kind = code->kind, .code_bytes = bytes};
    return request(device, &message, &code->image.fd, 1, NULL, err);
}

static bool relay_is_lost(rk_device *device)
{
    return rk_word_load_acquire(&device->lost) != 0;
}

static rk_status relay_recover(rk_device *device, rk_err *err)
{
    rk_mutex_lock(&device->process.lock);
    bool launched = false;
    for (uint32_t i = 0; i < RK_HOST_KERNEL_MAX; i++) {
        launched = launched || device->execs[i] != NULL;
    }
    rk_mutex_unlock(&device->process.lock);
    if (launched) {
        return rk_err_set(err, RK_BUSY, "%s has kernels that have not left yet", device->caps.name);
    }
    rk_host_process_end(&device->process);
    rk_mutex_lock(&device->table_lock);
    rk_status status = process_open(device, err);
    for (uint32_t i = 0; i < RK_HOST_MEMORY_MAX && status == RK_OK; i++) {
        if (device->memory[i].bytes != 0) {
            status = memory_make(device, i, err);
        }
    }
    for (uint32_t i = 0; i < RK_RELAY_CODE_MAX && status == RK_OK; i++) {
        if (device->code[i] != NULL) {
            status = code_make(device, device->code[i], device->code[i]->image.device, err);
        }
    }
    if (status != RK_OK) {
        rk_word_store_release(&device->lost, 1);
    }
    rk_mutex_unlock(&device->table_lock);
    return status;
}

/* A process that died with nothing launched is replaced when it is needed again. */
static rk_status ensure(rk_device *device, rk_err *err)
{
    return relay_is_lost(device) ? relay_recover(device, err) : RK_OK;
}

/* ---- The table ----------------------------------------------------------------------------- */

static void relay_close(rk_device *device)
{
    rk_host_process_finish(&device->process);
    rk_cpu_mem_free(&device->staging);
    rk_mutex_finish(&device->table_lock);
    rk_mutex_finish(&device->staging_lock);
    free(device);
}

static rk_status relay_open(uint32_t index, const rk_device_options *options,
                            rk_device **out_device, rk_err *err)
{
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL || options->relayed == NULL) {
        free(device);
        return rk_err_set(err, device == NULL ? RK_NO_MEMORY : RK_INVALID,
                          "no memory, or no driver, to open a device in a host process");
    }
    (void)snprintf(device->driver, sizeof device->driver, "%s", options->relayed);
    device->index = index;
    rk_status status = rk_host_process_init(&device->process, options->host_argv, err);
    if (status != RK_OK) {
        free(device);
        return status;
    }
    device->process.exited = on_exited;
    device->process.context = device;
    rk_mutex_init(&device->table_lock);
    rk_mutex_init(&device->staging_lock);
    device->staging.fd = -1;
    status = rk_cpu_mem_alloc(RK_RELAY_STAGING_BYTES, true, &device->staging, err);
    if (status == RK_OK) {
        status = process_open(device, err);
    }
    if (status != RK_OK) {
        relay_close(device);
        return status;
    }
    *out_device = device;
    return RK_OK;
}

static void relay_caps(const rk_device *device, rk_device_caps *out_caps)
{
    *out_caps = device->caps;
}

static rk_status relay_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes,
                                 rk_mem *out_mem, rk_err *err)
{
    rk_mem mem = {.bytes = bytes, .fd = -1};
    rk_status status = ensure(device, err);
    if (status == RK_OK && kind == RK_MEM_MAPPED) {
        status = rk_cpu_mem_alloc(bytes, true, &mem, err);
    }
    if (status != RK_OK) {
        return status;
    }
    rk_mutex_lock(&device->table_lock);
    uint32_t number = 0;
    while (number < RK_HOST_MEMORY_MAX && device->memory[number].bytes != 0) {
        number++;
    }
    if (number == RK_HOST_MEMORY_MAX) {
        status = rk_err_set(err, RK_LIMIT, "a host process holds %u areas", RK_HOST_MEMORY_MAX);
    } else {
        device->memory[number] = (relay_memory){.bytes = mem.bytes, .kind = kind, .fd = mem.fd};
        status = memory_make(device, number, err);
        device->memory[number].bytes = status == RK_OK ? mem.bytes : 0;
    }
    rk_mutex_unlock(&device->table_lock);
    if (status != RK_OK) {
        rk_cpu_mem_free(&mem);
        return status;
    }
    mem.device = number + 1;
    *out_mem = mem;
    return RK_OK;
}

static void relay_mem_free(rk_device *device, rk_mem *mem)
{
    rk_host_message message = {.op = RK_RELAY_FREE, .memory = (uint32_t)mem->device - 1};
    rk_mutex_lock(&device->table_lock);
    (void)request(device, &message, NULL, 0, NULL, NULL); /* without a process it is free already */
    device->memory[message.memory].bytes = 0;
    rk_mutex_unlock(&device->table_lock);
    rk_cpu_mem_free(mem);
}

static void code_free(rk_code *code)
{
    rk_cpu_mem_free(&code->image);
    free(code);
}

static rk_status relay_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                            rk_code **out_code, rk_err *err)
{
    rk_code *code = calloc(1, sizeof *code);
    rk_status status = code != NULL ? ensure(device, err) : RK_NO_MEMORY;
    if (status == RK_OK) {
        code->image.fd = -1;
        status = rk_cpu_mem_alloc(bytes, true, &code->image, err);
    }
    if (status != RK_OK) {
        free(code);
        return status;
    }
    memcpy(code->image.host, image, bytes);
    code->image.device = bytes; /* the area is rounded up to pages */
    code->kind = kind;
    rk_mutex_lock(&device->table_lock);
    while (code->number < RK_RELAY_CODE_MAX && device->code[code->number] != NULL) {
        code->number++;
    }
    if (code->number == RK_RELAY_CODE_MAX) {
        status =
            rk_err_set(err, RK_LIMIT, "a host process holds %u pieces of code", RK_RELAY_CODE_MAX);
    } else {
        status = code_make(device, code, bytes, err);
    }
    if (status == RK_OK) {
        device->code[code->number] = code;
    }
    rk_mutex_unlock(&device->table_lock);
    if (status != RK_OK) {
        code_free(code);
        return status;
    }
    *out_code = code;
    return RK_OK;
}

static void relay_unload(rk_device *device, rk_code *code)
{
    if (code != NULL) {
        rk_host_message message = {.op = RK_RELAY_UNLOAD, .code = code->number};
        rk_mutex_lock(&device->table_lock);
        (void)request(device, &message, NULL, 0, NULL, NULL); /* without a process: gone already */
        device->code[code->number] = NULL;
        rk_mutex_unlock(&device->table_lock);
        code_free(code);
    }
}

static uint32_t relay_max_blocks(rk_device *device, const rk_code *code, uint32_t lanes)
{
    rk_host_message message = {.op = RK_RELAY_MAX_BLOCKS, .code = code->number, .lanes = lanes};
    rk_host_message reply = {.count = 0};
    return request(device, &message, NULL, 0, &reply, NULL) == RK_OK ? reply.count : 0;
}

static rk_status exec_enter(rk_device *device, rk_exec *exec, rk_err *err)
{
    rk_mutex_lock(&device->process.lock);
    while (exec->slot < RK_HOST_KERNEL_MAX && device->execs[exec->slot] != NULL) {
        exec->slot++;
    }
    if (exec->slot < RK_HOST_KERNEL_MAX) {
        device->execs[exec->slot] = exec;
    }
    rk_mutex_unlock(&device->process.lock);
    return exec->slot < RK_HOST_KERNEL_MAX
               ? RK_OK
               : rk_err_set(err, RK_LIMIT, "a host process holds %u kernels", RK_HOST_KERNEL_MAX);
}

static rk_status relay_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                              rk_err *err)
{
    if (relay_is_lost(device)) {
        return rk_err_set(err, RK_DEVICE, "%s is lost: its host process has ended",
                          device->caps.name);
    }
    rk_exec *exec = calloc(1, sizeof *exec);
    rk_status status = exec != NULL ? exec_enter(device, exec, err) : RK_NO_MEMORY;
    if (status != RK_OK) {
        free(exec);
        return status;
    }
    exec->device = device;
    exec->blocks = ((const rk_control *)args->mapped->host)->block_count;
    exec->on_exit = args->on_exit;
    exec->context = args->context;
    rk_host_message message = {
        .op = RK_RELAY_LAUNCH,
        .kernel = exec->slot,
        .code = args->code->number,
        .arena_memory = (uint32_t)args->arena->device - 1,
        .mapped_memory = (uint32_t)args->mapped->device - 1,
        .lanes = args->lanes,
        .units = args->units,
        .migrates = args->migrate_from != NULL ? 1 : 0,
        .migrate_memory = args->migrate_from != NULL ? (uint32_t)args->migrate_from->device - 1 : 0,
    };
    (void)snprintf(message.name, sizeof message.name, "%s", args->name);
    status = request(device, &message, NULL, 0, NULL, err);
    rk_mutex_lock(&device->process.lock);
    if (status == RK_OK) {
        exec->armed = true;
        if (exec->exited != 0) { /* before this thread got here */
            exec->on_exit(exec->context);
        }
    } else {
        device->execs[exec->slot] = NULL;
    }
    rk_mutex_unlock(&device->process.lock);
    if (status != RK_OK) {
        free(exec);
        return status;
    }
    *out_exec = exec;
    return RK_OK;
}

static bool relay_poll_exit(rk_exec *exec)
{
    return rk_word_load_acquire(&exec->exited) != 0;
}

static rk_status relay_wait_exit(rk_exec *exec, uint64_t deadline_ns)
{
    return rk_wait_while_equal(&exec->exited, 0, deadline_ns, 0);
}

static void relay_kill(rk_exec *exec)
{
    rk_mutex_lock(&exec->device->process.lock);
    if (exec->exited == 0) {
        rk_host_process_kill(&exec->device->process);
    }
    rk_mutex_unlock(&exec->device->process.lock);
}

static void relay_release(rk_exec *exec)
{
    if (exec != NULL) {
        rk_host_message message = {.op = RK_RELAY_RELEASE, .kernel = exec->slot};
        (void)request(exec->device, &message, NULL, 0, NULL, NULL); /* gone with its process */
        rk_mutex_lock(&exec->device->process.lock);
        exec->device->execs[exec->slot] = NULL;
        rk_mutex_unlock(&exec->device->process.lock);
        free(exec);
    }
}

/* One piece at a time through the staging area; from or to is NULL, both for zeros. */
static rk_status transfer(rk_device *device, uint32_t op, const rk_mem *mem, uint64_t offset,
                          uint8_t *to, const uint8_t *from, uint64_t bytes)
{
    rk_status status = RK_OK;
    if (offset > mem->bytes || bytes > mem->bytes - offset) {
        return RK_INVALID;
    }
    rk_mutex_lock(&device->staging_lock);
    for (uint64_t at = 0; at < bytes && status == RK_OK;) {
        uint64_t piece = op == RK_RELAY_ZERO ? bytes : RK_MIN(bytes - at, RK_RELAY_STAGING_BYTES);
        rk_host_message message = {
            .op = op, .memory = (uint32_t)mem->device - 1, .offset = offset + at, .bytes = piece};
        if (from != NULL) {
            memcpy(device->staging.host, from + at, piece);
        }
        status = request(device, &message, NULL, 0, NULL, NULL);
        if (status == RK_OK && to != NULL) {
            memcpy(to + at, device->staging.host, piece);
        }
        at += piece;
    }
    rk_mutex_unlock(&device->staging_lock);
    return status == RK_CLOSED ? RK_DEVICE : status;
}

static rk_status relay_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                            uint64_t bytes)
{
    return transfer(device, RK_RELAY_READ, mem, offset, to, NULL, bytes);
}

static rk_status relay_write(rk_device *device, const rk_mem *mem, uint64_t offset,
                             const void *from, uint64_t bytes)
{
    return transfer(device, RK_RELAY_WRITE, mem, offset, NULL, from, bytes);
}

static rk_status relay_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes)
{
    return transfer(device, RK_RELAY_ZERO, mem, offset, NULL, NULL, bytes);
}

static rk_status relay_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err)
{
    rk_host_message message = {
        .op = RK_RELAY_CONNECT, .kernel = from->slot, .other = to->slot, .route = route};
    return request(from->device, &message, NULL, 0, NULL, err);
}

static void relay_telemetry(rk_device *device, rk_device_telemetry *out_telemetry)
{
    rk_host_message message = {.op = RK_RELAY_TELEMETRY};
    memset(out_telemetry, 0, sizeof *out_telemetry);
    rk_mutex_lock(&device->staging_lock);
    if (request(device, &message, NULL, 0, NULL, NULL) == RK_OK) {
        memcpy(out_telemetry, device->staging.host, sizeof *out_telemetry);
    }
    rk_mutex_unlock(&device->staging_lock);
}

static void relay_link(rk_device *device, rk_device *other, rk_device_link *out_link)
{
    /* Each has a process, and a context, of its own: they do not reach each other. */
    *out_link = (rk_device_link){.kind = device == other ? RK_LINK_SAME : RK_LINK_NONE,
                                 .peer_access = device == other};
}

static rk_status relay_probe(const rk_device_options *options, uint32_t *out_count, rk_err *err)
{
    const rk_driver_ops *driver = NULL;
    rk_status status =
        options->relayed != NULL ? rk_driver_find(options->relayed, &driver, err) : RK_INVALID;
    return status == RK_OK ? driver->probe(options, out_count, err) : status;
}

static const rk_driver_ops relay_ops = {
    .abi = RK_DRIVER_ABI,
    .probe = relay_probe,
    .open = relay_open,
    .close = relay_close,
    .caps = relay_caps,
    .mem_alloc = relay_mem_alloc,
    .mem_free = relay_mem_free,
    .load = relay_load,
    .unload = relay_unload,
    .max_blocks = relay_max_blocks,
    .launch = relay_launch,
    .poll_exit = relay_poll_exit,
    .wait_exit = relay_wait_exit,
    .kill = relay_kill,
    .release = relay_release,
    .read = relay_read,
    .write = relay_write,
    .zero = relay_zero,
    .connect = relay_connect,
    .telemetry = relay_telemetry,
    .link = relay_link,
    .is_lost = relay_is_lost,
    .recover = relay_recover,
};

const rk_driver_ops *rk_driver_relay(const char *name)
{
    static struct {
        rk_driver_ops ops;
        char name[RK_HOST_DRIVER_BYTES];
    } relays[RELAYS_MAX];
    static uint32_t count;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const rk_driver_ops *found = NULL;
    (void)pthread_mutex_lock(&lock); /* fails only when misused */
    for (uint32_t i = 0; i < count && found == NULL; i++) {
        found = strcmp(relays[i].name, name) == 0 ? &relays[i].ops : NULL;
    }
    if (found == NULL && count < RELAYS_MAX && strlen(name) < RK_HOST_DRIVER_BYTES) {
        memcpy(relays[count].name, name, strlen(name) + 1);
        relays[count].ops = relay_ops;
        relays[count].ops.name = relays[count].name;
        found = &relays[count++].ops;
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}
