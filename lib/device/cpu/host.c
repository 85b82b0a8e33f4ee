/*
 * host.c: the parent's side of a host process: the device table over a socket.
 *
 * A reader thread takes replies and exits from the socket. Requests are made one at a time. When
 * the socket ends, the process is gone: open requests fail, and every kernel that had not exited
 * has.
 */
#include "device/cpu/host.h"
#include "abi/word.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/wait.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Loading code and releasing a kernel that has left take milliseconds. */
#define REQUEST_LIMIT_NS (30 * (uint64_t)RK_NS_PER_S)

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
    char **argv;           /* a copy */
    rk_mutex request_lock; /* one request at a time; also guards socket and reader */
    rk_mutex lock;         /* execs, reply, alive, memory numbers */
    rk_cond replied;
    bool has_reply;
    bool alive;
    rk_host_message reply;
    bool spawned; /* the reader has tried to start the process */
    int spawn_error;
    int socket;
    int child_socket; /* for the reader, until the process has it */
    int pidfd;
    pid_t pid;
    uint64_t process; /* counts processes, from 1; request_lock and lock to change it */
    rk_thread reader;
    rk_exec *execs[RK_HOST_KERNEL_MAX];
    int memory_fds[RK_HOST_MEMORY_MAX]; /* by memory number; 0 is free (fd + 1 is stored) */
    _Atomic uint64_t memory_used;
};

/* ---- The process --------------------------------------------------------------------------- */

/*
 * lock is held. on_exit only notes the exit (device.h), so it may be called here. A kernel whose
 * launch waits for the next process has not exited with this one.
 */
static void exec_mark_exited(rk_device *device, rk_exec *exec)
{
    if (exec == NULL || exec->exited != 0 || exec->process != device->process) {
        return;
    }
    if (exec->armed) {
        exec->on_exit(exec->context);
    }
    rk_word_store_release(&exec->exited, 1);
    rk_wake(&exec->exited, RK_WAKE_ALL);
}

/* Ends the process, which closes its socket, which ends the reader. lock is held. */
static void process_kill(rk_device *device)
{
    if (device->alive && device->pidfd >= 0) {
        /* Fails only when the process has ended already. */
        (void)syscall(SYS_pidfd_send_signal, device->pidfd, SIGKILL, NULL, 0);
    }
}

/*
 * Starts the process with nothing of this one but standard streams and the socket: no other
 * descriptor, no blocked or ignored signal.
 */
static int spawn(rk_device *device, int socket)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawn_file_actions_init(&actions);
    int code = posix_spawn_file_actions_adddup2(&actions, socket, RK_HOST_FD);
    if (code == 0) {
        code = posix_spawn_file_actions_addclosefrom_np(&actions, RK_HOST_FD + 1);
    }
    if (code == 0) {
        code = posix_spawn(&device->pid, device->argv[0], &actions, &attributes, device->argv,
                           environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return code;
}

static void reader_serve(rk_device *device)
{
    rk_host_message message;
    int fds[RK_HOST_FD_MAX];
    uint32_t fd_count;
    while (rk_host_receive(device->socket, &message, fds, &fd_count) == RK_OK) {
        for (uint32_t i = 0; i < fd_count; i++) {
            (void)close(fds[i]); /* none is due in this direction */
        }
        rk_mutex_lock(&device->lock);
        if (message.op == RK_HOST_REPLY) {
            device->reply = message;
            device->has_reply = true;
            rk_cond_broadcast(&device->replied);
        } else if (message.op == RK_HOST_EXITED && message.kernel < RK_HOST_KERNEL_MAX) {
            exec_mark_exited(device, device->execs[message.kernel]);
        }
        rk_mutex_unlock(&device->lock);
    }
}

/*
 * The reader starts the process itself and stays until it has ended: the process asks to be killed
 * when the thread that started it ends (PR_SET_PDEATHSIG counts threads).
 */
static void reader_main(void *context)
{
    rk_device *device = context;
    int code = spawn(device, device->child_socket);
    (void)close(device->child_socket);
    int pidfd = code == 0 ? (int)syscall(SYS_pidfd_open, device->pid, 0) : -1;
    rk_mutex_lock(&device->lock);
    device->pidfd = pidfd;
    device->spawn_error = code;
    device->alive = code == 0;
    device->spawned = true;
    rk_cond_broadcast(&device->replied);
    rk_mutex_unlock(&device->lock);
    if (code != 0) {
        return;
    }
    reader_serve(device);
    /* Also when it lives and sent nonsense. */
    rk_mutex_lock(&device->lock);
    process_kill(device);
    rk_mutex_unlock(&device->lock);
    (void)shutdown(device->socket, SHUT_RDWR);
    int status;
    while (waitpid(device->pid, &status, 0) < 0 && errno == EINTR) {
    }
    rk_mutex_lock(&device->lock);
    device->alive = false;
    if (device->pidfd >= 0) {
        (void)close(device->pidfd);
        device->pidfd = -1;
    }
    for (uint32_t i = 0; i < RK_HOST_KERNEL_MAX; i++) {
        exec_mark_exited(device, device->execs[i]);
    }
    rk_cond_broadcast(&device->replied);
    rk_mutex_unlock(&device->lock);
}

/* Starts the process if there is none. request_lock is held. */
static rk_status process_start(rk_device *device, rk_err *err)
{
    rk_mutex_lock(&device->lock);
    bool alive = device->alive;
    rk_mutex_unlock(&device->lock);
    if (alive) {
        return RK_OK;
    }
    if (device->socket >= 0) {
        rk_thread_join(&device->reader);
        (void)close(device->socket);
        device->socket = -1;
    }
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return rk_err_set(err, RK_IO, "cannot make a socket for the host process: %s",
                          strerror(errno));
    }
    /* Above RK_HOST_FD: dup2 onto itself would keep the close-on-exec flag. */
    int given = fcntl(pair[1], F_DUPFD_CLOEXEC, RK_HOST_FD + 1);
    int code = errno;
    (void)close(pair[1]);
    if (given < 0) {
        (void)close(pair[0]);
        return rk_err_set(err, RK_LIMIT, "no file descriptor left for the host process: %s",
                          strerror(code));
    }
    device->socket = pair[0];
    device->child_socket = given;
    rk_mutex_lock(&device->lock);
    device->spawned = false;
    device->process++;
    rk_mutex_unlock(&device->lock);
    rk_status status = rk_thread_start(&device->reader, "rk-host", reader_main, device);
    if (status != RK_OK) {
        (void)close(given);
        (void)close(device->socket);
        device->socket = -1;
        return rk_err_set(err, status, "cannot start a thread for the host process: %s",
                          rk_status_text(status));
    }
    rk_mutex_lock(&device->lock);
    while (!device->spawned) {
        rk_cond_wait(&device->replied, &device->lock);
    }
    code = device->spawn_error;
    rk_mutex_unlock(&device->lock);
    if (code != 0) {
        rk_thread_join(&device->reader);
        (void)close(device->socket);
        device->socket = -1;
        return rk_err_set(err, RK_IO, "cannot start the host process %s: %s", device->argv[0],
                          strerror(code));
    }
    return RK_OK;
}

/* Waits for the reply to the request that was sent. A process that does not answer is ended. */
static rk_status await_reply(rk_device *device, rk_err *err)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(REQUEST_LIMIT_NS);
    bool late = false;
    rk_mutex_lock(&device->lock);
    while (!device->has_reply && device->alive) {
        if (late) {
            rk_cond_wait(&device->replied, &device->lock); /* it is being killed */
        } else if (rk_cond_wait_until(&device->replied, &device->lock, deadline_ns) == RK_TIMEOUT) {
            late = true;
            process_kill(device);
        }
    }
    rk_status status = device->has_reply ? (rk_status)device->reply.status : RK_CLOSED;
    if (device->has_reply && status != RK_OK) {
        (void)rk_err_set(err, status, "%s", device->reply.text);
    } else if (late) {
        (void)rk_err_set(err, status, "the host process did not answer and was ended");
    } else if (status == RK_CLOSED) {
        (void)rk_err_set(err, status, "the host process has ended; start the kernel again");
    }
    rk_mutex_unlock(&device->lock);
    return status;
}

/* Makes one request and waits for its reply. */
static rk_status request(rk_device *device, const rk_host_message *message, const int *fds,
                         uint32_t fd_count, rk_err *err)
{
    rk_mutex_lock(&device->request_lock);
    rk_status status = RK_OK;
    if (message->op == RK_HOST_LAUNCH) {
        status = process_start(device, err);
    }
    rk_mutex_lock(&device->lock);
    bool alive = device->alive;
    device->has_reply = false;
    if (status == RK_OK && message->op == RK_HOST_LAUNCH) {
        device->execs[message->kernel]->process = device->process;
    }
    rk_mutex_unlock(&device->lock);
    if (status == RK_OK) {
        status = alive ? rk_host_send(device->socket, message, fds, fd_count) : RK_CLOSED;
        if (status == RK_OK) {
            status = await_reply(device, err);
        } else {
            (void)rk_err_set(err, status, "the host process has ended; start the kernel again");
        }
    }
    rk_mutex_unlock(&device->request_lock);
    return status;
}

/* ---- The table ----------------------------------------------------------------------------- */

static void argv_free(char **argv)
{
    for (char **at = argv; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(argv);
}

static char **argv_copy(const char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof copy[0]);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(argv[i]);
        if (copy[i] == NULL) {
            argv_free(copy);
            return NULL;
        }
    }
    return copy;
}

static rk_status host_open(uint32_t index, const rk_device_options *options, rk_device **out_device,
                           rk_err *err)
{
    if (options->host_argv == NULL || options->host_argv[0] == NULL) {
        return rk_err_set(
            err, RK_INVALID,
            "kernels in a host process need host_argv: a program that calls rk_host_main");
    }
    rk_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open cpu:%u", index);
    }
    device->index = index;
    device->count = options->logical_devices;
    device->argv = argv_copy(options->host_argv);
    if (device->argv == NULL) {
        free(device);
        return rk_err_set(err, RK_NO_MEMORY, "no memory to open cpu:%u", index);
    }
    device->socket = -1;
    device->pidfd = -1;
    rk_mutex_init(&device->request_lock);
    rk_mutex_init(&device->lock);
    rk_cond_init(&device->replied);
    *out_device = device;
    return RK_OK;
}

static void host_close(rk_device *device)
{
    if (device->socket >= 0) {
        rk_mutex_lock(&device->lock);
        process_kill(device);
        rk_mutex_unlock(&device->lock);
        (void)shutdown(device->socket, SHUT_RDWR); /* the reader ends with the process */
        rk_thread_join(&device->reader);
        (void)close(device->socket);
    }
    rk_cond_finish(&device->replied);
    rk_mutex_finish(&device->lock);
    rk_mutex_finish(&device->request_lock);
    argv_free(device->argv);
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
    rk_mutex_lock(&device->lock);
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
    rk_mutex_unlock(&device->lock);
    if (status == RK_OK) {
        (void)atomic_fetch_add_explicit(&device->memory_used, out_mem->bytes, memory_order_relaxed);
    }
    return status;
}

static uint32_t memory_number(rk_device *device, const rk_mem *mem)
{
    uint32_t number = 0;
    rk_mutex_lock(&device->lock);
    while (number < RK_HOST_MEMORY_MAX && device->memory_fds[number] != mem->fd + 1) {
        number++;
    }
    rk_mutex_unlock(&device->lock);
    return number;
}

static void host_mem_free(rk_device *device, rk_mem *mem)
{
    uint32_t number = memory_number(device, mem);
    if (number < RK_HOST_MEMORY_MAX) {
        rk_host_message message = {.op = RK_HOST_UNMAP, .mapped_memory = number};
        /* Without a process there is nothing to unmap. */
        (void)request(device, &message, NULL, 0, NULL);
        rk_mutex_lock(&device->lock);
        device->memory_fds[number] = 0;
        rk_mutex_unlock(&device->lock);
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
    rk_mutex_lock(&device->lock);
    while (exec->slot < RK_HOST_KERNEL_MAX && device->execs[exec->slot] != NULL) {
        exec->slot++;
    }
    if (exec->slot < RK_HOST_KERNEL_MAX) {
        device->execs[exec->slot] = exec;
    }
    rk_mutex_unlock(&device->lock);
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
    rk_mutex_lock(&device->lock);
    if (status == RK_OK) {
        exec->armed = true;
        if (exec->exited != 0) { /* before this thread got here */
            exec->on_exit(exec->context);
        }
    } else {
        device->execs[exec->slot] = NULL;
    }
    rk_mutex_unlock(&device->lock);
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
    rk_mutex_lock(&exec->device->lock);
    if (exec->process == exec->device->process && exec->exited == 0) {
        process_kill(exec->device);
    }
    rk_mutex_unlock(&exec->device->lock);
}

static void host_release(rk_exec *exec)
{
    if (exec == NULL) {
        return;
    }
    rk_host_message message = {.op = RK_HOST_RELEASE, .kernel = exec->slot};
    /* Refused when the process is gone: then it is released already. */
    (void)request(exec->device, &message, NULL, 0, NULL);
    rk_mutex_lock(&exec->device->lock);
    exec->device->execs[exec->slot] = NULL;
    rk_mutex_unlock(&exec->device->lock);
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
    rk_mutex_lock(&device->lock);
    for (uint32_t i = 0; i < RK_HOST_KERNEL_MAX; i++) {
        const rk_exec *exec = device->execs[i];
        if (exec != NULL && exec->armed && exec->exited == 0) {
            out_telemetry->resident_kernels++;
            out_telemetry->resident_blocks += exec->blocks;
        }
    }
    rk_mutex_unlock(&device->lock);
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
