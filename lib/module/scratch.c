#include "module/scratch.h"

#include "base/errno.h"
#include "base/file.h"
#include "module/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define DEPTH_MAX 8u

/* The guardian reads from `from` and is deaf to what a terminal sends. Returns an errno value. */
static int spawn_guardian(const char *xargs, int from, pid_t *out_pid)
{
    const char *argv[] = {xargs, "-0", "rm", "-rf", "--", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, from, 0);
        for (int fd = 1; error == 0 && fd <= 2; fd++) {
            error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
        }
        if (error == 0) {
            error = posix_spawnattr_setpgroup(&attributes, 0);
        }
        if (error == 0) {
            error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        }
        if (error == 0) {
            /* posix_spawn does not change argv; its type is older than const. */
            error = posix_spawn(out_pid, xargs, &actions, &attributes,
                                (char *const *)(uintptr_t)argv, environ);
        }
        (void)posix_spawnattr_destroy(&attributes); /* nothing to do about a failure */
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* the same */
    return error;
}

/* Without a guardian all is well until the process is killed: its failures are no errors. */
static void start_guardian(rk_scratch *scratch)
{
    int ends[2];
    char *xargs = NULL;
    if (rk_process_find("xargs", &xargs) != RK_OK) {
        return;
    }
    if (pipe2(ends, O_CLOEXEC) == 0) {
        size_t length = strlen(scratch->path) + 1;
        pid_t pid = -1;
        /* A path is shorter than what a pipe holds, so the write does not block. */
        if (rk_file_write_full(ends[1], scratch->path, length) == 0 &&
            spawn_guardian(xargs, ends[0], &pid) == 0) {
            scratch->pipe = ends[1];
            scratch->guardian = pid;
        } else {
            (void)close(ends[1]); /* unused */
        }
        (void)close(ends[0]); /* the guardian has its own */
    }
    free(xargs);
}

rk_status rk_scratch_init(rk_scratch *scratch, rk_err *err)
{
    const char *place = getenv("TMPDIR");
    place = place && *place != '\0' ? place : "/tmp";
    scratch->pipe = -1;
    scratch->guardian = -1;
    int length = snprintf(scratch->path, sizeof(scratch->path), "%s/rk-build-XXXXXX", place);
    if (length < 0 || (size_t)length >= sizeof(scratch->path)) {
        return rk_err_set(err, RK_LIMIT, "the path of the temporary folder in TMPDIR is too long");
    }
    if (!mkdtemp(scratch->path)) {
        return rk_err_errno(err, errno, "cannot make a temporary folder in '%s' (TMPDIR names it)",
                            place);
    }
    start_guardian(scratch);
    return RK_OK;
}

typedef struct removal {
    const char *folder;
    unsigned depth;
} removal;

static int remove_entry(void *arg, const char *name);

static void remove_folder(const char *path, unsigned depth)
{
    removal r = {path, depth};
    if (depth < DEPTH_MAX) {
        (void)rk_dir_list(path, remove_entry, &r); /* what is left makes the next line fail */
    }
    (void)rk_dir_remove(path); /* the guardian tries again */
}

static int remove_entry(void *arg, const char *name)
{
    const removal *r = arg;
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return 0;
    }
    if (rk_file_unlink(path) != 0) {
        remove_folder(path, r->depth + 1);
    }
    return 0;
}

void rk_scratch_finish(rk_scratch *scratch)
{
    remove_folder(scratch->path, 0);
    if (scratch->pipe >= 0) {
        (void)close(scratch->pipe); /* lets the guardian go on */
        while (waitpid(scratch->guardian, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    scratch->pipe = -1;
    scratch->guardian = -1;
}
