/*
 * test_file.c: files that break on purpose.
 */
#include "base/test_file.h"

#include "base/test_disk.h"

#include <assert.h>
#include <errno.h>

typedef enum call_kind {
    CALL_LOOK,     /* changes nothing */
    CALL_TRANSFER, /* reads */
    CALL_WRITE,    /* a transfer that changes the file */
    CALL_CHANGE,   /* names, sizes, syncs */
} call_kind;

/* What becomes of a call. */
typedef struct verdict {
    int error; /* negative errno, or 0: go on */
    bool is_half;
} verdict;

/* Call with the lock held. */
static verdict judge(rk_test_files *files, call_kind kind)
{
    bool changes = kind == CALL_WRITE || kind == CALL_CHANGE;
    files->call_count++;
    if (files->fault_at == 0 || files->call_count < files->fault_at) {
        return (verdict){0, false};
    }
    bool is_first = files->call_count == files->fault_at;
    files->has_struck = true;
    switch (files->fault) {
    case RK_TEST_FAULT_NONE: break;
    case RK_TEST_FAULT_ERROR: return (verdict){is_first ? -files->error : 0, false};
    case RK_TEST_FAULT_BROKEN: return (verdict){is_first || changes ? -files->error : 0, false};
    case RK_TEST_FAULT_SHORT: return (verdict){0, is_first};
    case RK_TEST_FAULT_CRASH: return (verdict){-EIO, is_first && kind == CALL_WRITE};
    }
    return (verdict){0, false};
}

/* Takes the lock, which done() gives back: calls run one at a time, so that versions are in order.
 */
static verdict begin(rk_test_files *files, call_kind kind)
{
    rk_mutex_lock(&files->lock);
    return judge(files, kind);
}

static void done(rk_test_files *files)
{
    rk_mutex_unlock(&files->lock);
}

static void names_changed(rk_test_files *files, int result)
{
    if (files->disk != NULL && result >= 0) {
        rk_test_disk_names_changed(files->disk);
    }
}

static int test_open(void *context, const char *path, int flags, mode_t mode)
{
    rk_test_files *files = context;
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    verdict fate = begin(files, changes ? CALL_CHANGE : CALL_LOOK);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->open(NULL, path, flags, mode);
        if (changes) {
            names_changed(files, result);
        }
    }
    done(files);
    return result;
}

/* A descriptor is given back even by the dead: the test program lives on. */
static int test_close(void *context, int fd)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = rk_file_system()->close(NULL, fd);
    done(files);
    return fate.error != 0 ? fate.error : result;
}

static size_t amount(verdict fate, size_t length)
{
    return fate.is_half && length > 1 ? length / 2 : length;
}

static ssize_t test_read(void *context, int fd, void *data, size_t length)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_TRANSFER);
    ssize_t result = fate.error;
    if (result == 0) {
        result = rk_file_system()->read(NULL, fd, data, amount(fate, length));
    }
    done(files);
    return result;
}

static ssize_t test_pread(void *context, int fd, void *data, size_t length, uint64_t offset)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_TRANSFER);
    ssize_t result = fate.error;
    if (result == 0) {
        result = rk_file_system()->pread(NULL, fd, data, amount(fate, length), offset);
    }
    done(files);
    return result;
}

static ssize_t test_write(void *context, int fd, const void *data, size_t length)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_WRITE);
    ssize_t result = 0;
    if (fate.error == 0 || fate.is_half) {
        result = rk_file_system()->write(NULL, fd, data, amount(fate, length));
    }
    done(files);
    return fate.error != 0 ? fate.error : result;
}

static ssize_t test_pwrite(void *context, int fd, const void *data, size_t length, uint64_t offset)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_WRITE);
    ssize_t result = 0;
    if (fate.error == 0 || fate.is_half) {
        result = rk_file_system()->pwrite(NULL, fd, data, amount(fate, length), offset);
    }
    done(files);
    return fate.error != 0 ? fate.error : result;
}

static int test_sync(void *context, int fd)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    /* The model decides what is durable; a real sync would only take time. */
    if (result == 0 && files->disk != NULL) {
        rk_test_disk_synced(files->disk, fd);
    }
    done(files);
    return result;
}

static int test_truncate(void *context, int fd, uint64_t size_bytes)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->truncate(NULL, fd, size_bytes);
    }
    done(files);
    return result;
}

static int test_info(void *context, const char *path, rk_file_info *out_info)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_LOOK);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->info(NULL, path, out_info);
    }
    done(files);
    return result;
}

static int test_fd_info(void *context, int fd, rk_file_info *out_info)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_LOOK);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->fd_info(NULL, fd, out_info);
    }
    done(files);
    return result;
}

static int test_rename(void *context, const char *from, const char *to)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->rename(NULL, from, to);
        names_changed(files, result);
    }
    done(files);
    return result;
}

static int test_unlink(void *context, const char *path)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->unlink(NULL, path);
        names_changed(files, result);
    }
    done(files);
    return result;
}

static int test_mkdir(void *context, const char *path, mode_t mode)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->mkdir(NULL, path, mode);
        names_changed(files, result);
    }
    done(files);
    return result;
}

static int test_rmdir(void *context, const char *path)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_CHANGE);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->rmdir(NULL, path);
        names_changed(files, result);
    }
    done(files);
    return result;
}

static int test_list(void *context, const char *path, rk_file_entry_fn each, void *arg)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_LOOK);
    done(files); /* each may call files itself */
    return fate.error != 0 ? fate.error : rk_file_system()->list(NULL, path, each, arg);
}

static int test_space(void *context, const char *path, rk_file_space *out_space)
{
    rk_test_files *files = context;
    verdict fate = begin(files, CALL_LOOK);
    int result = fate.error;
    if (result == 0) {
        result = rk_file_system()->space(NULL, path, out_space);
    }
    done(files);
    return result;
}

void rk_test_files_install(rk_test_files *files)
{
    *files = (rk_test_files){
        .ops =
            {
                .open = test_open,
                .close = test_close,
                .read = test_read,
                .write = test_write,
                .pread = test_pread,
                .pwrite = test_pwrite,
                .sync = test_sync,
                .truncate = test_truncate,
                .info = test_info,
                .fd_info = test_fd_info,
                .rename = test_rename,
                .unlink = test_unlink,
                .mkdir = test_mkdir,
                .rmdir = test_rmdir,
                .list = test_list,
                .space = test_space,
                .context = files,
            },
    };
    rk_mutex_init(&files->lock);
    rk_file_install(&files->ops);
}

void rk_test_files_remove(rk_test_files *files)
{
    rk_file_install(NULL);
    rk_test_disk_destroy(files->disk);
    files->disk = NULL;
    rk_mutex_finish(&files->lock);
}

void rk_test_files_arm(rk_test_files *files, uint64_t nth, rk_test_fault fault, int error)
{
    rk_mutex_lock(&files->lock);
    files->fault_at = nth == 0 ? 0 : files->call_count + nth;
    files->fault = fault;
    files->error = error;
    files->has_struck = false;
    rk_mutex_unlock(&files->lock);
}

bool rk_test_files_struck(const rk_test_files *files)
{
    return files->has_struck;
}

void rk_test_files_watch(rk_test_files *files, const char *root)
{
    rk_mutex_lock(&files->lock);
    rk_test_disk_destroy(files->disk);
    files->disk = rk_test_disk_create(root);
    rk_mutex_unlock(&files->lock);
}

void rk_test_files_lose_power(rk_test_files *files, uint64_t seed)
{
    rk_mutex_lock(&files->lock);
    assert(files->disk != NULL);
    rk_test_disk_lose_power(files->disk, seed);
    rk_mutex_unlock(&files->lock);
}
