#include "module/process.h"

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 64u

extern char **environ;

void rk_process_init(rk_process *process, const char *const *argv)
{
    process->argv = argv;
    rk_str_init(&process->output, RK_PROCESS_OUTPUT_MAX);
    process->pid = -1;
    process->pipe = -1;
    process->exit_status = -1;
}

void rk_process_finish(rk_process *process)
{
    rk_str_finish(&process->output);
}

static int set_up_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t ours;
    sigemptyset(&none);
    sigemptyset(&ours);
    const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGCHLD};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaddset(&ours, signals[i]);
    }
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0) {
        error = posix_spawnattr_setsigdefault(attributes, &ours);
    }
    return error ? error
                 : posix_spawnattr_setflags(attributes,
                                            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Standard input is empty, output and errors go to the pipe. Returns an errno value. */
static int spawn_into(rk_process *process, int pipe_end, char *const *environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        (void)posix_spawn_file_actions_destroy(&actions); /* nothing to do about a failure */
        return error;
    }
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, pipe_end, 1);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, pipe_end, 2);
    }
    if (error == 0) {
        error = set_up_attributes(&attributes);
    }
    if (error == 0) {
        /* posix_spawn does not change argv; its type is older than const. */
        error = posix_spawn(&process->pid, process->argv[0], &actions, &attributes,
                            (char *const *)(uintptr_t)process->argv, environment);
    }
    (void)posix_spawnattr_destroy(&attributes);       /* nothing to do about a failure */
    (void)posix_spawn_file_actions_destroy(&actions); /* the same */
    return error;
}

static rk_status start(rk_process *process, char *const *environment, rk_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return rk_err_errno(err, errno, "cannot make a pipe for '%s'", process->argv[0]);
    }
    int error = spawn_into(process, ends[1], environment ? environment : environ);
    (void)close(ends[1]); /* the child's end */
    if (error != 0) {
        (void)close(ends[0]); /* nothing was written */
        return rk_err_errno(err, error, "cannot start '%s'", process->argv[0]);
    }
    process->pipe = ends[0];
    return RK_OK;
}

/* Takes what is there; false at the end of the output. */
static bool take_output(rk_process *process)
{
    char buffer[4096];
    ssize_t length = read(process->pipe, buffer, sizeof(buffer));
    if (length > 0) {
        /* Beyond the limit the text is dropped: the first messages are those that matter. */
        (void)rk_str_append_bytes(&process->output, buffer, (size_t)length);
        return true;
    }
    return length < 0 && (errno == EINTR || errno == EAGAIN);
}

static void reap(rk_process *process)
{
    int status = 0;
    pid_t ended;
    (void)close(process->pipe); /* read to its end */
    process->pipe = -1;
    do {
        ended = waitpid(process->pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0) {
        process->exit_status = 127; /* a program that ignores SIGCHLD never learns it */
    } else {
        process->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    process->pid = -1;
}

/* Waits for output of running children until the deadline. */
static rk_status pump(rk_process *processes, uint32_t count, uint64_t deadline_ns)
{
    struct pollfd watched[JOBS_MAX];
    rk_process *owner[JOBS_MAX];
    nfds_t running = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (processes[i].pipe >= 0) {
            watched[running] = (struct pollfd){processes[i].pipe, POLLIN, 0};
            owner[running++] = &processes[i];
        }
    }
    uint64_t now = rk_clock_monotonic_ns();
    if (now >= deadline_ns) {
        return RK_TIMEOUT;
    }
    uint64_t wait_ms = (deadline_ns - now) / RK_NS_PER_MS + 1;
    int ready = poll(watched, running, wait_ms > 60000 ? 60000 : (int)wait_ms);
    for (nfds_t i = 0; ready > 0 && i < running; i++) {
        if (watched[i].revents != 0 && !take_output(owner[i])) {
            reap(owner[i]);
        }
    }
    return RK_OK;
}

rk_status rk_process_run(rk_process *processes, uint32_t count, uint32_t jobs, uint64_t timeout_ns,
                         char *const *environment, rk_err *err)
{
    jobs = jobs == 0 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    rk_status status = RK_OK;
    uint32_t next = 0;
    bool failed = false;
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns);
    for (;;) {
        uint32_t running = 0;
        for (uint32_t i = 0; i < next; i++) {
            running += processes[i].pipe >= 0 ? 1u : 0u;
            failed = failed || processes[i].exit_status > 0;
        }
        while (status == RK_OK && !failed && next < count && running < jobs) {
            status = start(&processes[next], environment, err);
            if (status == RK_OK) {
                deadline_ns = rk_clock_deadline_ns(timeout_ns);
                next++;
                running++;
            }
        }
        if (running == 0) {
            return status;
        }
        if (pump(processes, next, deadline_ns) == RK_TIMEOUT) {
            for (uint32_t i = 0; i < next; i++) {
                if (processes[i].pipe >= 0) {
                    status = rk_err_set(err, RK_TIMEOUT, "'%s' ran for too long and was ended",
                                        processes[i].argv[0]);
                    (void)kill(processes[i].pid, SIGKILL); /* may have ended by itself */
                    reap(&processes[i]);
                }
            }
        }
    }
}

static bool is_program(const char *path)
{
    rk_file_info info;
    return rk_file_stat(path, &info) == 0 && info.is_regular && access(path, X_OK) == 0;
}

rk_status rk_process_find(const char *name, char **out_path)
{
    rk_str path;
    rk_str_init(&path, 4096);
    bool found = false;
    if (strchr(name, '/')) {
        (void)rk_str_append(&path, name); /* checked below */
        found = path.status == RK_OK && is_program(name);
    } else {
        const char *at = getenv("PATH");
        at = at ? at : "/usr/local/bin:/usr/bin:/bin";
        while (!found && *name != '\0' && *at != '\0') {
            size_t length = strcspn(at, ":");
            rk_str_reset(&path);
            (void)rk_str_append_bytes(&path, at, length); /* checked below */
            (void)rk_str_appendf(&path, "%s%s", length ? "/" : "./", name);
            found = path.status == RK_OK && is_program(rk_str_cstr(&path));
            at += length + (at[length] == ':' ? 1u : 0u);
        }
    }
    rk_status status = !found ? RK_NOT_FOUND : RK_OK;
    char *taken = found ? rk_str_take(&path, NULL) : NULL;
    if (found && !taken) {
        status = RK_NO_MEMORY;
    }
    rk_str_finish(&path);
    if (status == RK_OK) {
        *out_path = taken;
    }
    return status;
}
