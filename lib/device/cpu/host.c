/*
 * host.c: CPU kernels in a host process, the parent's side: the device table over process.h.
 */
#include "device/cpu/host.h"
#include "abi/word.h"
#include "base/wait.h"
#include "device/cpu/process.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rk_code {
    int fd;
    uint64_t bytes;
};

struct rk_exec {
    rk_device *device;
    uint32_t slot;    /* kept until release: the host process may still hold the kernel there */
    uint32_t blocks;  /* of its grid */
    uint64_t process; /* number of the process that it was launched in; 0 before that */
    bool armed;       /* the launch has succeeded: on_exit is due once */
    rk_u32 exited;    /* a word to wait on */
    void (*on_exit)(void *context);
    void *context;
};

struct rk_device {
    uint32_t index;
    uint32_t count;
    rk_host_process process; /* its lock also guards execs and memory numbers */
    rk_exec *execs[RK_HOST_KERNEL_MAX];
    int memory_fds[RK_HOST_MEMORY_MAX]; /* by memory number; 0 is free (fd + 1 is stored) */
    _Atomic uint64_t memory_used;
};

/*
 * lock is held. on_exit only notes the exit (device.h), so it may be called here. A kernel whose
 * launch waits for the next process has not exited with this one.
 */
static void exec_mark_exited(rk_device *device, rk_exec *exec)
{
    if (exec == NULL || exec->exited != 0 || exec->process != device->process.number) {
        return;
    }
    if (exec->armed) {
        exec->on_exit(exec->context);
    }
    rk_word_store_release(&exec->exited, 1);
    rk_wake(&exec->exited, RK_WAKE_ALL);
}

/* ---- The table ----------------------------------------------------------------------------- */

/* A kernel that was launched belongs to the process that the request goes to. */
static void on_sending(void *context, const rk_host_message *message)
{
    rk_device *device = context;
    if (message->op == RK_HOST_LAUNCH) {
        device->execs[message->kernel]->process = device->process.number;
    }
}

static void on_exited(void *context, uint32_t kernel, bool lost)
{
    (void)lost; /* the machine's processors stay */
    rk_device *device = context;
    uint32_t first = kernel == RK_HOST_ALL_KERNELS ? 0 : kernel;
    uint32_t end = kernel == RK_HOST_ALL_KERNELS ? RK_HOST_KERNEL_MAX : kernel + 1;
    for (uint32_t i = first; i < end; i++) {
        exec_mark_exited(device, device->execs[i]);
    }
}

static rk_status request(rk_device *device, const rk_host_message *message, const int *fds,
                         uint32_t fd_count, rk_err *err)
{
    return rk_host_process_request(&device->process, message, fds, fd_count,
                                   message->op == RK_HOST_LAUNCH, NULL, err);
}

static rk_status host_open(uint32_t index, const rk_device_options *options, rk_device **out_device,
                           rk_err *err)
{
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open cpu:%u", index);
    }
    device->index = index;
    device->count = options->logical_devices;
    rk_status status = rk_host_process_init(&device->process, options->host_argv, err);
    if (status != RK_OK) {
        free(device);
        return status;
    }
    device->process.exited = on_exited;
    device->process.sending = on_sending;
    device->process.context = device;
    *out_device = device;
    return RK_OK;
}

static void host_close(rk_device *device)
{
    rk_host_process_finish(&device->process);
    free(device);
}

static void host_caps(const rk_device *device, rk_device_caps *out_caps)
{
    rk_cpu_caps(device->index, device->count, out_caps);
    out_caps->survives_fault = true;
}

static rk_status host_mem_alloc(rk_device *device, rk_mem_kind kind, uint64_t bytes,
                                rk_mem *out_mem, rk_err *err)
{
    (void)kind;
    rk_mutex_lock(&device->process.lock);
    uint32_t number = 0;
    while (number < RK_HOST_MEMORY_MAX && device->memory_fds[number] != 0) {
        number++;
    }
    rk_status status =
        number < RK_HOST_MEMORY_MAX
            ? rk_cpu_mem_alloc(bytes, true, out_mem, err)
            : rk_err_set(err, RK_LIMIT, "a host process maps %u areas at most", RK_HOST_MEMORY_MAX);
    if (status == RK_OK) {
        device->memory_fds[number] = out_mem->fd + 1;
    }
    rk_mutex_unlock(&device->process.lock);
    if (status == RK_OK) {
        (void)atomic_fetch_add_explicit(&device->memory_used, out_mem->bytes, memory_order_relaxed);
    }
    return status;
}

static uint32_t memory_number(rk_device *device, const rk_mem *mem)
{
    uint32_t number = 0;
    rk_mutex_lock(&device->process.lock);
    while (number < RK_HOST_MEMORY_MAX && device->memory_fds[number] != mem->fd + 1) {
        number++;
    }
    rk_mutex_unlock(&device->process.lock);
    return number;
}

static void host_mem_free(rk_device *device, rk_mem *mem)
{
    uint32_t number = memory_number(device, mem);
    if (number < RK_HOST_MEMORY_MAX) {
        rk_host_message message = {.op = RK_HOST_UNMAP, .mapped_memory = number};
        /* Without a process there is nothing to unmap. */
        (void)request(device, &message, NULL, 0, NULL);
        rk_mutex_lock(&device->process.lock);
        device->memory_fds[number] = 0;
        rk_mutex_unlock(&device->process.lock);
    }
    (void)atomic_fetch_sub_explicit(&device->memory_used, mem->bytes, memory_order_relaxed);
    rk_cpu_mem_free(mem);
}

static rk_status host_load(rk_device *device, rk_code_kind kind, const void *image, uint64_t bytes,
                           rk_code **out_code, rk_err *err)
{
    (void)device;
    (void)kind; /* both kinds are loaded alike */
    rk_mem mem;
    rk_status status = rk_cpu_mem_alloc(bytes, true, &mem, err);
    if (status != RK_OK) {
        return status;
    }
    rk_code *code = calloc(1, sizeof *code);
    if (code == NULL) {
        rk_cpu_mem_free(&mem);
        return rk_err_set(err, RK_NO_MEMORY, "no memory to load a kernel");
    }
    memcpy(mem.host, image, bytes);
    code->fd = fcntl(mem.fd, F_DUPFD_CLOEXEC, 0);
    code->bytes = bytes;
    rk_cpu_mem_free(&mem);
    if (code->fd < 0) {
        free(code);
        return rk_err_set(err, RK_LIMIT, "no file descriptor left to load a kernel: %s",
                          strerror(errno));
    }
    *out_code = code;
    return RK_OK;
}

static void host_unload(rk_device *device, rk_code *code)
{
    (void)device;
    if (code != NULL) {
        (void)close(code->fd);
        free(code);
    }
}

static rk_status host_launch(rk_device *device, const rk_exec_args *args, rk_exec **out_exec,
                             rk_err *err)
{
    rk_exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to launch kernel '%s'", args->name);
    }
    exec->device = device;
    exec->blocks = ((const rk_control *)args->mapped->host)->block_count;
    exec->on_exit = args->on_exit;
    exec->context = args->context;
    rk_mutex_lock(&device->process.lock);
    while (exec->slot < RK_HOST_KERNEL_MAX && device->execs[exec->slot] != NULL) {
        exec->slot++;
    }
    if (exec->slot < RK_HOST_KERNEL_MAX) {
        device->execs[exec->slot] = exec;
    }
    rk_mutex_unlock(&device->process.lock);
    if (exec->slot == RK_HOST_KERNEL_MAX) {
        free(exec);
        return rk_err_set(err, RK_LIMIT, "a host process holds %u kernels", RK_HOST_KERNEL_MAX);
    }
    rk_host_message message = {
        .op = RK_HOST_LAUNCH,
        .kernel = exec->slot,
        .lanes = args->lanes,
        .code_bytes = args->code->bytes,
        .mapped_bytes = args->mapped->bytes,
        .arena_bytes = args->arena->bytes,
        .mapped_memory = memory_number(device, args->mapped),
        .arena_memory = memory_number(device, args->arena),
    };
    (void)snprintf(message.name, sizeof message.name, "%s", args->name);
    int fds[RK_HOST_FD_MAX] = {args->code->fd, args->mapped->fd, args->arena->fd, -1};
    if (args->migrate_from != NULL) {
        message.migrates = 1;
        message.migrate_memory = memory_number(device, args->migrate_from);
        message.migrate_bytes = args->migrate_from->bytes;
        fds[3] = args->migrate_from->fd;
    }
    rk_status status = request(device, &message, fds, 3 + message.migrates, err);
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

static bool host_poll_exit(rk_exec *exec)
{
    return rk_word_load_acquire(&exec->exited) != 0;
}

static rk_status host_wait_exit(rk_exec *exec, uint64_t deadline_ns)
{
    return rk_wait_while_equal(&exec->exited, 0, deadline_ns, 0);
}

static void host_kill(rk_exec *exec)
{
    rk_mutex_lock(&exec->device->process.lock);
    if (exec->process == exec->device->process.number && exec->exited == 0) {
        rk_host_process_kill(&exec->device->process);
    }
    rk_mutex_unlock(&exec->device->process.lock);
}

static void host_release(rk_exec *exec)
{
    if (exec == NULL) {
        return;
    }
    rk_host_message message = {.op = RK_HOST_RELEASE, .kernel = exec->slot};
    /* Refused when the process is gone: then it is released already. */
    (void)request(exec->device, &message, NULL, 0, NULL);
    rk_mutex_lock(&exec->device->process.lock);
    exec->device->execs[exec->slot] = NULL;
    rk_mutex_unlock(&exec->device->process.lock);
    free(exec);
}

/* Arenas are mapped here too, so copies are those of the embedded driver. */
static rk_status host_read(rk_device *device, const rk_mem *mem, uint64_t offset, void *to,
                           uint64_t bytes)
{
    return rk_driver_cpu()->read(device, mem, offset, to, bytes);
}

static rk_status host_write(rk_device *device, const rk_mem *mem, uint64_t offset, const void *from,
                            uint64_t bytes)
{
    return rk_driver_cpu()->write(device, mem, offset, from, bytes);
}

static rk_status host_zero(rk_device *device, const rk_mem *mem, uint64_t offset, uint64_t bytes)
{
    return rk_driver_cpu()->zero(device, mem, offset, bytes);
}

static rk_status host_connect(rk_exec *from, uint32_t route, rk_exec *to, rk_err *err)
{
    rk_host_message message = {
        .op = RK_HOST_CONNECT, .kernel = from->slot, .other = to->slot, .route = route};
    return request(from->device, &message, NULL, 0, err);
}

static void host_telemetry(rk_device *device, rk_device_telemetry *out_telemetry)
{
    *out_telemetry = (rk_device_telemetry){
        .memory_used_bytes = atomic_load_explicit(&device->memory_used, memory_order_relaxed)};
    rk_mutex_lock(&device->process.lock);
    for (uint32_t i = 0; i < RK_HOST_KERNEL_MAX; i++) {
        const rk_exec *exec = device->execs[i];
        if (exec != NULL && exec->armed && exec->exited == 0) {
            out_telemetry->resident_kernels++;
            out_telemetry->resident_blocks += exec->blocks;
        }
    }
    rk_mutex_unlock(&device->process.lock);
    rk_cpu_health(out_telemetry);
}

const rk_driver_ops *rk_driver_host(void)
{
    static const rk_driver_ops ops = {
        .abi = RK_DRIVER_ABI,
        .name = "cpu",
        .probe = rk_cpu_probe,
        .open = host_open,
        .close = host_close,
        .caps = host_caps,
        .mem_alloc = host_mem_alloc,
        .mem_free = host_mem_free,
        .load = host_load,
        .unload = host_unload,
        .max_blocks = rk_cpu_max_blocks,
        .launch = host_launch,
        .poll_exit = host_poll_exit,
        .wait_exit = host_wait_exit,
        .kill = host_kill,
        .release = host_release,
        .read = host_read,
        .write = host_write,
        .zero = host_zero,
        .connect = host_connect,
        .telemetry = host_telemetry,
        .link = rk_cpu_link,
    };
    return &ops;
}
