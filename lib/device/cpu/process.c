/*
 * process.c: a host process, seen from its parent: started when it is needed, asked one request at
 * a time, ended with everything in it.
 *
 * A reader thread takes replies and exits from the socket. When the socket ends, the process is
 * gone: open requests fail, and every kernel in it has exited.
 */
#include "device/cpu/process.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Loading code and releasing a kernel that has left take milliseconds; a GPU's context seconds. */
#define REQUEST_LIMIT_NS (30 * (uint64_t)RK_NS_PER_S)

/* Ends the process, which closes its socket, which ends the reader. lock is held. */
void rk_host_process_kill(rk_host_process *self)
{
    if (self->alive && self->pidfd >= 0) {
        /* Fails only when the process has ended already. */
        (void)syscall(SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, 0);
    }
}

/*
 * Starts the process with nothing of this one but standard streams and the socket: no other
 * descriptor, no blocked or ignored signal.
 */
static int spawn(rk_host_process *self, int socket)
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
        code = posix_spawn(&self->pid, self->argv[0], &actions, &attributes, self->argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return code;
}

static void reader_serve(rk_host_process *self)
{
    rk_host_message message;
    int fds[RK_HOST_FD_MAX];
    uint32_t fd_count;
    while (rk_host_receive(self->socket, &message, fds, &fd_count) == RK_OK) {
        for (uint32_t i = 0; i < fd_count; i++) {
            (void)close(fds[i]); /* none is due in this direction */
        }
        rk_mutex_lock(&self->lock);
        if (message.op == RK_HOST_REPLY) {
            self->reply = message;
            self->has_reply = true;
            rk_cond_broadcast(&self->replied);
        } else if (message.op == RK_HOST_EXITED && message.kernel < RK_HOST_KERNEL_MAX) {
            self->exited(self->context, message.kernel, message.lost != 0);
        }
        rk_mutex_unlock(&self->lock);
    }
}

/*
 * The reader starts the process itself and stays until it has ended: the process asks to be killed
 * when the thread that started it ends (PR_SET_PDEATHSIG counts threads).
 */
static void reader_main(void *context)
{
    rk_host_process *self = context;
    int code = spawn(self, self->child_socket);
    (void)close(self->child_socket);
    int pidfd = code == 0 ? (int)syscall(SYS_pidfd_open, self->pid, 0) : -1;
    rk_mutex_lock(&self->lock);
    self->pidfd = pidfd;
    self->spawn_error = code;
    self->alive = code == 0;
    self->spawned = true;
    rk_cond_broadcast(&self->replied);
    rk_mutex_unlock(&self->lock);
    if (code != 0) {
        return;
    }
    reader_serve(self);
    /* Also when it lives and sent nonsense. */
    rk_mutex_lock(&self->lock);
    rk_host_process_kill(self);
    rk_mutex_unlock(&self->lock);
    (void)shutdown(self->socket, SHUT_RDWR);
    int status;
    while (waitpid(self->pid, &status, 0) < 0 && errno == EINTR) {
    }
    rk_mutex_lock(&self->lock);
    self->alive = false;
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
        self->pidfd = -1;
    }
    self->exited(self->context, RK_HOST_ALL_KERNELS, true);
    rk_cond_broadcast(&self->replied);
    rk_mutex_unlock(&self->lock);
}

/* Starts the process if there is none. request_lock is held. */
static rk_status process_start(rk_host_process *self, rk_err *err)
{
    rk_mutex_lock(&self->lock);
    bool alive = self->alive;
    rk_mutex_unlock(&self->lock);
    if (alive) {
        return RK_OK;
    }
    if (self->socket >= 0) {
        rk_thread_join(&self->reader);
        (void)close(self->socket);
        self->socket = -1;
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
    self->socket = pair[0];
    self->child_socket = given;
    rk_mutex_lock(&self->lock);
    self->spawned = false;
    self->number++;
    rk_mutex_unlock(&self->lock);
    rk_status status = rk_thread_start(&self->reader, "rk-host", reader_main, self);
    if (status != RK_OK) {
        (void)close(given);
        (void)close(self->socket);
        self->socket = -1;
        return rk_err_set(err, status, "cannot start a thread for the host process: %s",
                          rk_status_text(status));
    }
    rk_mutex_lock(&self->lock);
    while (!self->spawned) {
        rk_cond_wait(&self->replied, &self->lock);
    }
    code = self->spawn_error;
    rk_mutex_unlock(&self->lock);
    if (code != 0) {
        rk_thread_join(&self->reader);
        (void)close(self->socket);
        self->socket = -1;
        return rk_err_set(err, RK_IO, "cannot start the host process %s: %s", self->argv[0],
                          strerror(code));
    }
    return RK_OK;
}

/* Waits for the reply to the request that was sent. A process that does not answer is ended. */
static rk_status await_reply(rk_host_process *self, rk_err *err)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(REQUEST_LIMIT_NS);
    bool late = false;
    rk_mutex_lock(&self->lock);
    while (!self->has_reply && self->alive) {
        if (late) {
            rk_cond_wait(&self->replied, &self->lock); /* it is being killed */
        } else if (rk_cond_wait_until(&self->replied, &self->lock, deadline_ns) == RK_TIMEOUT) {
            late = true;
            rk_host_process_kill(self);
        }
    }
    rk_status status = self->has_reply ? (rk_status)self->reply.status : RK_CLOSED;
    if (self->has_reply && status != RK_OK) {
        (void)rk_err_set(err, status, "%s", self->reply.text);
    } else if (late) {
        (void)rk_err_set(err, status, "the host process did not answer and was ended");
    } else if (status == RK_CLOSED) {
        (void)rk_err_set(err, status, "the host process has ended; start the kernel again");
    }
    rk_mutex_unlock(&self->lock);
    return status;
}

rk_status rk_host_process_request(rk_host_process *self, const rk_host_message *message,
                                  const int *fds, uint32_t fd_count, bool may_start,
                                  rk_host_message *out_reply, rk_err *err)
{
    rk_mutex_lock(&self->request_lock);
    rk_status status = may_start ? process_start(self, err) : RK_OK;
    rk_mutex_lock(&self->lock);
    bool alive = self->alive;
    self->has_reply = false;
    if (status == RK_OK && self->sending != NULL) {
        self->sending(self->context, message);
    }
    rk_mutex_unlock(&self->lock);
    if (status == RK_OK) {
        status = alive ? rk_host_send(self->socket, message, fds, fd_count) : RK_CLOSED;
        if (status == RK_OK) {
            status = await_reply(self, err);
        } else {
            (void)rk_err_set(err, status, "the host process has ended; start the kernel again");
        }
    }
    if (out_reply != NULL) {
        *out_reply = self->reply; /* nobody else makes a request now */
    }
    rk_mutex_unlock(&self->request_lock);
    return status;
}

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

void rk_host_process_end(rk_host_process *self)
{
    rk_mutex_lock(&self->lock);
    rk_host_process_kill(self);
    while (self->alive) {
        rk_cond_wait(&self->replied, &self->lock);
    }
    rk_mutex_unlock(&self->lock);
}

rk_status rk_host_process_init(rk_host_process *self, const char *const *argv, rk_err *err)
{
    memset(self, 0, sizeof *self);
    if (argv == NULL || argv[0] == NULL) {
        return rk_err_set(
            err, RK_INVALID,
            "kernels in a host process need host_argv: a program that calls rk_host_main");
    }
    self->argv = argv_copy(argv);
    if (self->argv == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a host process");
    }
    self->socket = -1;
    self->pidfd = -1;
    rk_mutex_init(&self->request_lock);
    rk_mutex_init(&self->lock);
    rk_cond_init(&self->replied);
    return RK_OK;
}

void rk_host_process_finish(rk_host_process *self)
{
    if (self->socket >= 0) {
        rk_mutex_lock(&self->lock);
        rk_host_process_kill(self);
        rk_mutex_unlock(&self->lock);
        (void)shutdown(self->socket, SHUT_RDWR); /* the reader ends with the process */
        rk_thread_join(&self->reader);
        (void)close(self->socket);
    }
    rk_cond_finish(&self->replied);
    rk_mutex_finish(&self->lock);
    rk_mutex_finish(&self->request_lock);
    argv_free(self->argv);
}
