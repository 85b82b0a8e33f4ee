/*
 * file_writer.c: a file that appears whole or not at all.
 *
 * Steps: open a temporary name in the same folder, write, sync, close, rename, sync the folder. Up
 * to the rename a failure or crash leaves the old file as it was.
 */
#include "base/compiler.h"
#include "base/errno.h"
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (64u * 1024u)
#define TEMPORARY_PREFIX ".rk-tmp-"
#define MOST_NAME_TRIES 1000

bool rk_file_is_temporary(const char *name)
{
    return strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0;
}

/* A name in path's folder that this process has not used before; the caller frees it. */
static char *temporary_name(const char *path)
{
    static _Atomic unsigned next;
    unsigned number = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
    const char *slash = strrchr(path, '/');
    int folder_length = slash == NULL ? 0 : (int)(slash - path) + 1;
    char *name = NULL;
    int length = asprintf(&name, "%.*s" TEMPORARY_PREFIX "%ld-%u", folder_length, path,
                          (long)getpid(), number);
    return length < 0 ? NULL : name;
}

static void finish(rk_file_writer *writer)
{
    free(writer->path);
    free(writer->temporary);
    free(writer->buffer);
    *writer = (rk_file_writer){.fd = -1, .status = RK_CLOSED};
}

rk_status rk_file_writer_open(rk_file_writer *writer, const char *path, mode_t mode, rk_err *err)
{
    *writer = (rk_file_writer){.fd = -1};
    writer->path = strdup(path);
    writer->buffer = malloc(BUFFER_BYTES);
    rk_status status = RK_NO_MEMORY;
    if (writer->path == NULL || writer->buffer == NULL) {
        goto no_memory;
    }
    /* A name may be taken: by a process that had our number and was killed. */
    for (int tries = 0; tries < MOST_NAME_TRIES; tries++) {
        free(writer->temporary);
        writer->temporary = temporary_name(path);
        if (writer->temporary == NULL) {
            goto no_memory;
        }
        writer->fd = rk_file_open(writer->temporary, O_RDWR | O_CREAT | O_EXCL, mode);
        if (writer->fd != -EEXIST) {
            break;
        }
    }
    if (writer->fd >= 0) {
        return RK_OK;
    }
    status =
        rk_err_errno(err, -writer->fd, "cannot write %s: cannot make a file in its folder", path);
    finish(writer);
    return status;

no_memory:
    finish(writer);
    return rk_err_set(err, status, "cannot write %s: out of memory", path);
}

/* Keeps the first failure, so that a commit after it cannot succeed. */
static rk_status failed(rk_file_writer *writer, int error, rk_err *err)
{
    writer->status = rk_err_errno(err, error, "cannot write %s", writer->path);
    return writer->status;
}

static rk_status usable(const rk_file_writer *writer, rk_err *err)
{
    if (writer->status != RK_OK) {
        return rk_err_set(err, writer->status, "cannot write %s: an earlier write failed",
                          writer->path == NULL ? "a file that is closed" : writer->path);
    }
    assert(writer->fd >= 0);
    return RK_OK;
}

static int flush(rk_file_writer *writer)
{
    int result = rk_file_write_full(writer->fd, writer->buffer, writer->buffered_bytes);
    if (result == 0) {
        writer->written_bytes += writer->buffered_bytes;
        writer->buffered_bytes = 0;
    }
    return result;
}

rk_status rk_file_writer_append(rk_file_writer *writer, const void *data, size_t length,
                                rk_err *err)
{
    rk_status status = usable(writer, err);
    if (status != RK_OK || length == 0) {
        return status;
    }
    int result = 0;
    if (length > BUFFER_BYTES - writer->buffered_bytes) {
        result = flush(writer);
    }
    if (result == 0 && length >= BUFFER_BYTES) {
        result = rk_file_write_full(writer->fd, data, length);
        writer->written_bytes += result == 0 ? length : 0;
    } else if (result == 0) {
        memcpy(writer->buffer + writer->buffered_bytes, data, length);
        writer->buffered_bytes += length;
    }
    return result == 0 ? RK_OK : failed(writer, -result, err);
}

rk_status rk_file_writer_patch(rk_file_writer *writer, uint64_t offset, const void *data,
                               size_t length, rk_err *err)
{
    rk_status status = usable(writer, err);
    if (status != RK_OK) {
        return status;
    }
    uint64_t end;
    if (!rk_size_add(offset, length, &end) || end > rk_file_writer_bytes(writer)) {
        return rk_err_set(err, RK_INVALID,
                          "cannot change bytes %llu to %llu of %s: only %llu are written",
                          (unsigned long long)offset, (unsigned long long)(offset + length),
                          writer->path, (unsigned long long)rk_file_writer_bytes(writer));
    }
    int result = flush(writer);
    if (result == 0) {
        result = rk_file_pwrite_full(writer->fd, data, length, offset);
    }
    return result == 0 ? RK_OK : failed(writer, -result, err);
}

uint64_t rk_file_writer_bytes(const rk_file_writer *writer)
{
    return writer->written_bytes + writer->buffered_bytes;
}

/* All but the sync of the folder; on failure everything is abandoned. */
static rk_status write_out(rk_file_writer *writer, bool is_durable, rk_err *err)
{
    rk_status status = usable(writer, err);
    int result = 0;
    if (status == RK_OK) {
        result = flush(writer);
        result = result == 0 && is_durable ? rk_file_sync(writer->fd) : result;
    }
    if (status == RK_OK && result == 0) {
        /* A network file system may report a failed write only at close. */
        int fd = writer->fd;
        writer->fd = -1;
        result = rk_file_close(fd);
        result = result == 0 ? rk_file_rename(writer->temporary, writer->path) : result;
        if (result != 0) {
            (void)rk_file_unlink(writer->temporary); /* the first failure is the one to report */
        }
    }
    if (result != 0) {
        status = failed(writer, -result, err);
    }
    if (status != RK_OK) {
        rk_file_writer_abandon(writer);
    }
    return status;
}

rk_status rk_file_writer_commit(rk_file_writer *writer, rk_err *err)
{
    rk_status status = write_out(writer, true, err);
    if (status == RK_OK) {
        status = rk_file_sync_folder(writer->path, err);
        finish(writer);
    }
    return status;
}

rk_status rk_file_writer_publish(rk_file_writer *writer, rk_err *err)
{
    rk_status status = write_out(writer, false, err);
    if (status == RK_OK) {
        finish(writer);
    }
    return status;
}

void rk_file_writer_abandon(rk_file_writer *writer)
{
    if (writer->temporary != NULL && writer->fd >= 0) {
        /* Removing is best effort: the caller is already reporting what went wrong. */
        (void)rk_file_close(writer->fd);
        (void)rk_file_unlink(writer->temporary);
    }
    finish(writer);
}
