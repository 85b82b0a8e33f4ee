/*
 * actors_erlang.c: Erlang/OTP as a child process.
 */
#include "bench/actors_erlang.h"

#include "bench_erlang_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 60000

extern char **environ;

/* Runs a program with the pipes as input and output; output of errors goes nowhere. */
static rk_status start(char *const argv[], int input, int output, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return RK_NO_MEMORY;
    }
    int failed = 0;
    failed |= input < 0 ? posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0)
                        : posix_spawn_file_actions_adddup2(&actions, input, 0);
    failed |= output < 0 ? posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0)
                         : posix_spawn_file_actions_adddup2(&actions, output, 1);
    failed |= posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    if (failed == 0) {
        failed = posix_spawnp(out_pid, argv[0], &actions, NULL, argv, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? RK_OK : failed == ENOENT ? RK_NOT_FOUND : RK_IO;
}

static bool ended_well(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static rk_status write_source(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return RK_IO;
    }
    bool ok = fwrite(rk_erlang_source, 1, sizeof rk_erlang_source, file) == sizeof rk_erlang_source;
    return fclose(file) == 0 && ok ? RK_OK : RK_IO;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"actors.erl", "actors.beam"};
    char path[96];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* Compiles the module into the folder. */
static rk_status compile(const char *folder, rk_err *err)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/actors.erl", folder);
    if (write_source(path) != RK_OK) {
        return rk_err_set(err, RK_IO, "%s cannot be written", path);
    }
    char *argv[] = {"erlc", "-o", (char *)folder, path, NULL};
    pid_t pid;
    rk_status status = start(argv, -1, -1, &pid);
    if (status != RK_OK) {
        return rk_err_set(err, status, "erlc is not installed: tools/setup --bench installs it");
    }
    return ended_well(pid) ? RK_OK
                           : rk_err_set(err, RK_COMPILE, "erlc refuses bench/erlang/actors.erl");
}

rk_status rk_erlang_start(rk_erlang *erlang, rk_err *err)
{
    *erlang = (rk_erlang){.folder = "/tmp/rk-bench-XXXXXX"};
    if (mkdtemp(erlang->folder) == NULL) {
        return rk_err_set(err, RK_IO, "no temporary folder: %s", strerror(errno));
    }
    rk_status status = compile(erlang->folder, err);
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    if (status == RK_OK && (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0)) {
        status = rk_err_set(err, RK_IO, "no pipe: %s", strerror(errno));
    }
    if (status == RK_OK) {
        char *argv[] = {"erl",          "-noshell", "+P",     "2000000", "-pa",
                        erlang->folder, "-s",       "actors", "main",    NULL};
        status = start(argv, input[0], output[1], &erlang->pid);
        if (status != RK_OK) {
            rk_err_set(err, status, "erl is not installed: tools/setup --bench installs it");
        }
    }
    if (input[0] >= 0) {
        close(input[0]);
    }
    if (output[1] >= 0) {
        close(output[1]);
    }
    if (status == RK_OK) {
        erlang->from = output[0];
        erlang->to = fdopen(input[1], "w");
        if (erlang->to != NULL) {
            return RK_OK;
        }
        status = rk_err_set(err, RK_NO_MEMORY, "out of memory");
        (void)kill(erlang->pid, SIGKILL);
        (void)ended_well(erlang->pid);
    }
    if (input[1] >= 0) {
        close(input[1]);
    }
    if (output[0] >= 0) {
        close(output[0]);
    }
    remove_folder(erlang->folder);
    return status;
}

void rk_erlang_stop(rk_erlang *erlang)
{
    (void)fclose(erlang->to); /* the end of its input ends it */
    struct pollfd end = {.fd = erlang->from, .events = POLLIN};
    char rest[64];
    while (poll(&end, 1, ANSWER_MS) > 0 && read(erlang->from, rest, sizeof rest) > 0) {
    }
    (void)kill(erlang->pid, SIGKILL); /* if it is still there */
    (void)ended_well(erlang->pid);
    close(erlang->from);
    remove_folder(erlang->folder);
}

rk_status rk_erlang_run(rk_erlang *erlang, double *out_result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool sent = vfprintf(erlang->to, format, args) > 0 && fputc('\n', erlang->to) == '\n' &&
                fflush(erlang->to) == 0;
    va_end(args);
    char line[64];
    size_t length = 0;
    while (sent && length < sizeof line - 1) {
        struct pollfd answer = {.fd = erlang->from, .events = POLLIN};
        if (poll(&answer, 1, ANSWER_MS) <= 0 || read(erlang->from, &line[length], 1) != 1) {
            return RK_IO;
        }
        if (line[length] == '\n') {
            line[length] = '\0';
            char *end;
            *out_result = strtod(line, &end);
            return end != line && *end == '\0' ? RK_OK : RK_IO;
        }
        length++;
    }
    return RK_IO;
}
