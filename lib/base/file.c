/*
 * file.c: the operations table, the system's operations, and reading, folders and syncing.
 */
#include "base/file.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/errno.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int result_of(int result)
{
    return result < 0 ? -errno : result;
}

static ssize_t count_of(ssize_t result)
{
    return result < 0 ? -errno : result;
}

static int system_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context;
    return result_of(open(path, flags | O_CLOEXEC, mode));
}

static int system_close(void *context, int fd)
{
    (void)context;
    return result_of(close(fd));
}

static ssize_t system_read(void *context, int fd, void *data, size_t length)
{
    (void)context;
    return count_of(read(fd, data, length));
}

static ssize_t system_write(void *context, int fd, const void *data, size_t length)
{
    (void)context;
    return count_of(write(fd, data, length));
}

static ssize_t system_pread(void *context, int fd, void *data, size_t length, uint64_t offset)
{
    (void)context;
    return offset > INT64_MAX ? -EINVAL : count_of(pread(fd, data, length, (off_t)offset));
}

static ssize_t system_pwrite(void *context, int fd, const void *data, size_t length,
                             uint64_t offset)
{
    (void)context;
    return offset > INT64_MAX ? -EFBIG : count_of(pwrite(fd, data, length, (off_t)offset));
}

static int system_sync(void *context, int fd)
{
    (void)context;
    return result_of(fsync(fd));
}

static int system_truncate(void *context, int fd, uint64_t size_bytes)
{
    (void)context;
    return size_bytes > INT64_MAX ? -EFBIG : result_of(ftruncate(fd, (off_t)size_bytes));
}

static void fill_info(const struct stat *from, rk_file_info *out_info)
{
    *out_info = (rk_file_info){
        .size_bytes = (uint64_t)from->st_size,
        .modified_ns =
            (uint64_t)from->st_mtim.tv_sec * RK_NS_PER_S + (uint64_t)from->st_mtim.tv_nsec,
        .is_regular = S_ISREG(from->st_mode),
        .is_folder = S_ISDIR(from->st_mode),
    };
}

static int system_info(void *context, const char *path, rk_file_info *out_info)
{
    (void)context;
    struct stat info;
    if (stat(path, &info) != 0) {
        return -errno;
    }
    fill_info(&info, out_info);
    return 0;
}

static int system_fd_info(void *context, int fd, rk_file_info *out_info)
{
    (void)context;
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    fill_info(&info, out_info);
    return 0;
}

static int system_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return result_of(rename(from, to));
}

static int system_unlink(void *context, const char *path)
{
    (void)context;
    return result_of(unlink(path));
}

static int system_mkdir(void *context, const char *path, mode_t mode)
{
    (void)context;
    return result_of(mkdir(path, mode));
}

static int system_rmdir(void *context, const char *path)
{
    (void)context;
    return result_of(rmdir(path));
}

static int system_list(void *context, const char *path, rk_file_entry_fn each, void *arg)
{
    (void)context;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return -errno;
    }
    int result = 0;
    while (result == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result = each(arg, entry->d_name);
        }
    }
    (void)closedir(folder); /* nothing was written */
    return result;
}

static int system_space(void *context, const char *path, rk_file_space *out_space)
{
    (void)context;
    struct statvfs space;
    if (statvfs(path, &space) != 0) {
        return -errno;
    }
    *out_space = (rk_file_space){.total_bytes = (uint64_t)space.f_blocks * space.f_frsize,
                                 .free_bytes = (uint64_t)space.f_bavail * space.f_frsize};
    return 0;
}

static const rk_file_ops system_ops = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .write = system_write,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .sync = system_sync,
    .truncate = system_truncate,
    .info = system_info,
    .fd_info = system_fd_info,
    .rename = system_rename,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .rmdir = system_rmdir,
    .list = system_list,
    .space = system_space,
};

static const rk_file_ops *_Atomic current_ops = &system_ops;

const rk_file_ops *rk_file_system(void)
{
    return &system_ops;
}

void rk_file_install(const rk_file_ops *ops)
{
    atomic_store_explicit(&current_ops, ops == NULL ? &system_ops : ops, memory_order_release);
}

/* Acquire pairs with the release in rk_file_install: the table is seen as it was filled. */
static const rk_file_ops *current(void)
{
    return atomic_load_explicit(&current_ops, memory_order_acquire);
}

int rk_file_open(const char *path, int flags, mode_t mode)
{
    const rk_file_ops *ops = current();
    return ops->open(ops->context, path, flags, mode);
}

int rk_file_close(int fd)
{
    const rk_file_ops *ops = current();
    return ops->close(ops->context, fd);
}

ssize_t rk_file_read(int fd, void *data, size_t length)
{
    const rk_file_ops *ops = current();
    return ops->read(ops->context, fd, data, length);
}

ssize_t rk_file_write(int fd, const void *data, size_t length)
{
    const rk_file_ops *ops = current();
    return ops->write(ops->context, fd, data, length);
}

ssize_t rk_file_pread(int fd, void *data, size_t length, uint64_t offset)
{
    const rk_file_ops *ops = current();
    return ops->pread(ops->context, fd, data, length, offset);
}

ssize_t rk_file_pwrite(int fd, const void *data, size_t length, uint64_t offset)
{
    const rk_file_ops *ops = current();
    return ops->pwrite(ops->context, fd, data, length, offset);
}

int rk_file_sync(int fd)
{
    const rk_file_ops *ops = current();
    return ops->sync(ops->context, fd);
}

int rk_file_truncate(int fd, uint64_t size_bytes)
{
    const rk_file_ops *ops = current();
    return ops->truncate(ops->context, fd, size_bytes);
}

int rk_file_stat(const char *path, rk_file_info *out_info)
{
    const rk_file_ops *ops = current();
    return ops->info(ops->context, path, out_info);
}

int rk_file_fstat(int fd, rk_file_info *out_info)
{
    const rk_file_ops *ops = current();
    return ops->fd_info(ops->context, fd, out_info);
}

int rk_file_rename(const char *from, const char *to)
{
    const rk_file_ops *ops = current();
    return ops->rename(ops->context, from, to);
}

int rk_file_unlink(const char *path)
{
    const rk_file_ops *ops = current();
    return ops->unlink(ops->context, path);
}

int rk_dir_make(const char *path, mode_t mode)
{
    const rk_file_ops *ops = current();
    return ops->mkdir(ops->context, path, mode);
}

int rk_dir_remove(const char *path)
{
    const rk_file_ops *ops = current();
    return ops->rmdir(ops->context, path);
}

int rk_dir_list(const char *path, rk_file_entry_fn each, void *arg)
{
    const rk_file_ops *ops = current();
    return ops->list(ops->context, path, each, arg);
}

int rk_dir_space(const char *path, rk_file_space *out_space)
{
    const rk_file_ops *ops = current();
    return ops->space(ops->context, path, out_space);
}
