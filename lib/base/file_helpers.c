/*
 * file_helpers.c: whole transfers, whole files, folders.
 */
#include "base/compiler.h"
#include "base/errno.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_READ_BYTES 4096u

int rk_file_write_full(int fd, const void *data, size_t length)
{
    const unsigned char *at = data;
    while (length > 0) {
        ssize_t count = rk_file_write(fd, at, length);
        if (count == -EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0 ? -EIO : (int)count;
        }
        at += count;
        length -= (size_t)count;
    }
    return 0;
}

int rk_file_pwrite_full(int fd, const void *data, size_t length, uint64_t offset)
{
    const unsigned char *at = data;
    while (length > 0) {
        ssize_t count = rk_file_pwrite(fd, at, length, offset);
        if (count == -EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0 ? -EIO : (int)count;
        }
        at += count;
        length -= (size_t)count;
        offset += (uint64_t)count;
    }
    return 0;
}

ssize_t rk_file_pread_full(int fd, void *data, size_t length, uint64_t offset)
{
    unsigned char *at = data;
    size_t done = 0;
    while (done < length) {
        ssize_t count = rk_file_pread(fd, at + done, length - done, offset + done);
        if (count == -EINTR) {
            continue;
        }
        if (count < 0) {
            return count;
        }
        if (count == 0) {
            break;
        }
        done += (size_t)count;
    }
    return (ssize_t)done;
}

/*
 * Reads up to the end into *data, which grows by doubling: pipes and /proc tell no size. 0 or
 * -errno; -E2BIG for more than limit_bytes. What was read stays in *data for the caller to free.
 */
static int read_to_end(int fd, size_t limit_bytes, size_t first_bytes, char **data, size_t *length)
{
    size_t capacity = 0;
    for (;;) {
        if (*length + 1 >= capacity) {
            /* One byte for the NUL, and one past the limit to notice what is too long. */
            size_t most = limit_bytes > SIZE_MAX - 2 ? SIZE_MAX : limit_bytes + 2;
            size_t wanted = capacity == 0 ? first_bytes + 2 : capacity * 2;
            capacity = RK_MIN(wanted, most);
            char *grown = realloc(*data, capacity);
            if (grown == NULL) {
                return -ENOMEM;
            }
            *data = grown;
        }
        ssize_t count = rk_file_read(fd, *data + *length, capacity - 1 - *length);
        if (count == -EINTR) {
            continue;
        }
        if (count <= 0) {
            (*data)[*length] = '\0';
            return (int)count;
        }
        *length += (size_t)count;
        if (*length > limit_bytes) {
            return -E2BIG;
        }
    }
}

rk_status rk_file_read_all(const char *path, size_t limit_bytes, char **out_data,
                           size_t *out_length, rk_err *err)
{
    int fd = rk_file_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return rk_err_errno(err, -fd, "cannot open %s", path);
    }
    char *data = NULL;
    size_t length = 0;
    rk_file_info info = {0};
    rk_status status = RK_OK;
    int result = rk_file_fstat(fd, &info);
    if (result == 0 && info.is_folder) {
        result = -EISDIR;
    }
    if (result == 0) {
        size_t guess = info.is_regular && info.size_bytes > 0
                           ? (size_t)RK_MIN(info.size_bytes, limit_bytes)
                           : FIRST_READ_BYTES;
        result = read_to_end(fd, limit_bytes, guess, &data, &length);
    }
    if (result == -E2BIG) {
        status = rk_err_set(err, RK_LIMIT, "%s is longer than the limit of %zu bytes", path,
                            limit_bytes);
    } else if (result != 0) {
        status = rk_err_errno(err, -result, "cannot read %s", path);
    }
    (void)rk_file_close(fd); /* nothing was written */
    if (status != RK_OK) {
        free(data);
        return status;
    }
    *out_data = data;
    *out_length = length;
    return RK_OK;
}

rk_status rk_file_replace(const char *path, const void *data, size_t length, rk_err *err)
{
    rk_file_writer writer;
    rk_status status = rk_file_writer_open(&writer, path, 0644, err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_file_writer_append(&writer, data, length, err);
    if (status != RK_OK) {
        rk_file_writer_abandon(&writer);
        return status;
    }
    return rk_file_writer_commit(&writer, err);
}

rk_status rk_file_sync_folder(const char *path, rk_err *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof folder) {
        return rk_err_errno(err, ENAMETOOLONG, "cannot sync the folder of %s", path);
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    if (length == 0) {
        memcpy(folder, slash == NULL ? "." : "/", 2);
    }
    int fd = rk_file_open(folder, O_RDONLY | O_DIRECTORY, 0);
    int result = fd;
    if (fd >= 0) {
        result = rk_file_sync(fd);
        (void)rk_file_close(fd); /* the sync has told what there is to tell */
    }
    /* Some network file systems cannot sync a folder and say so with EINVAL. */
    if (result < 0 && result != -EINVAL) {
        return rk_err_errno(err, -result, "cannot sync the folder %s", folder);
    }
    return RK_OK;
}

/* Makes one folder; no error if it is there. */
static rk_status make_folder(const char *path, rk_err *err)
{
    int result = rk_dir_make(path, 0755);
    if (result == 0) {
        return RK_OK;
    }
    rk_file_info info;
    if (rk_file_stat(path, &info) == 0) {
        if (info.is_folder) {
            return RK_OK;
        }
        return rk_err_set(err, RK_EXISTS,
                          "cannot make the folder %s: a file of that name is there; choose another "
                          "folder or move the file away",
                          path);
    }
    return rk_err_errno(err, -result, "cannot make the folder %s", path);
}

rk_status rk_dir_make_all(const char *path, rk_err *err)
{
    rk_file_info info;
    if (rk_file_stat(path, &info) == 0 && info.is_folder) {
        return RK_OK;
    }
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0) {
        return rk_err_set(err, RK_INVALID, "cannot make a folder without a name");
    }
    if (length >= sizeof part) {
        return rk_err_errno(err, ENAMETOOLONG, "cannot make the folder %s", path);
    }
    memcpy(part, path, length + 1);
    for (size_t i = 1; i < length; i++) {
        if (part[i] != '/' || part[i - 1] == '/') {
            continue;
        }
        part[i] = '\0';
        rk_status status = make_folder(part, err);
        if (status != RK_OK) {
            return status;
        }
        part[i] = '/';
    }
    return make_folder(part, err);
}
