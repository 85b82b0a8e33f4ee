/*
 * folder.c: the folder that a run writes its results to.
 */
#include "cli/folder.h"

#include "base/errno.h"
#include "base/file.h"
#include "base/value.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct sweep {
    const char *folder;
    char names[64][NAME_MAX + 1];
    size_t count;
} sweep;

static int find_leftover(void *context, const char *name)
{
    sweep *found = context;
    if (rk_file_is_temporary(name) && found->count < sizeof found->names / sizeof found->names[0]) {
        snprintf(found->names[found->count++], sizeof found->names[0], "%s", name);
    }
    return 0;
}

static void remove_leftovers(const char *folder)
{
    sweep *found = calloc(1, sizeof *found);
    if (found == NULL) {
        return;
    }
    (void)rk_dir_list(folder, find_leftover, found); /* what cannot be listed cannot be cleaned */
    for (size_t i = 0; i < found->count; i++) {
        char path[PATH_MAX + NAME_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, found->names[i]);
        (void)rk_file_unlink(path); /* at worst it stays, and is replaced at the end */
    }
    free(found);
}

/* Writes and removes a file, as the run will. */
static rk_status try_writing(const char *folder, rk_err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/summary.txt", folder);
    rk_file_writer writer;
    rk_status status = rk_file_writer_open(&writer, path, 0644, err);
    if (status != RK_OK) {
        return rk_err_prefix(err, "nothing can be written to %s: ", folder);
    }
    rk_file_writer_abandon(&writer);
    return RK_OK;
}

static rk_status check_space(const char *folder, uint64_t needed_bytes, rk_err *err)
{
    rk_file_space space;
    int result = rk_dir_space(folder, &space);
    if (result < 0) {
        return rk_err_errno(err, -result, "the free space of %s cannot be read", folder);
    }
    if (space.free_bytes < needed_bytes) {
        char needed[RK_VALUE_TEXT_BYTES], free_text[RK_VALUE_TEXT_BYTES];
        return rk_err_set(
            err, RK_NO_SPACE,
            "the results need about %s, but %s has %s left; free some space or choose "
            "another folder with --output",
            rk_value_format_size(needed_bytes, needed), folder,
            rk_value_format_size(space.free_bytes, free_text));
    }
    return RK_OK;
}

rk_status rk_folder_open(const char *path, uint64_t needed_bytes, rk_folder *out_folder,
                         rk_err *err)
{
    struct stat before;
    bool made = lstat(path, &before) != 0;
    if (strlen(path) > PATH_MAX - 300) {
        return rk_err_set(err, RK_LIMIT, "the name of the output folder is too long");
    }
    rk_status status = rk_dir_make_all(path, err);
    if (status != RK_OK) {
        return status;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return rk_err_errno(err, errno, "the output folder %s cannot be opened", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        status =
            rk_err_set(err, RK_BUSY, "another run writes to %s; choose another --output", path);
        goto close_fd;
    }
    remove_leftovers(path);
    status = try_writing(path, err);
    if (status == RK_OK) {
        status = check_space(path, needed_bytes, err);
    }
    if (status != RK_OK) {
        goto close_fd;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for the name of the output folder");
        goto close_fd;
    }
    *out_folder = (rk_folder){.path = copy, .fd = fd, .made = made};
    return RK_OK;
close_fd:
    if (made) {
        (void)rmdir(path); /* one that holds something stays */
    }
    (void)close(fd);
    return status;
}

void rk_folder_clear(rk_folder *folder)
{
    static const char *const summaries[] = {"summary.txt", "summary.json"};
    for (size_t i = 0; i < sizeof summaries / sizeof summaries[0]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder->path, summaries[i]);
        (void)rk_file_unlink(path); /* at worst it stays, and is replaced at the end */
    }
}

void rk_folder_close(rk_folder *folder)
{
    if (folder->path != NULL) {
        if (folder->made) {
            (void)rmdir(folder->path); /* one that holds something stays */
        }
        (void)close(folder->fd); /* and the lock with it */
        free(folder->path);
        folder->path = NULL;
    }
}
