/*
 * file.h: files through a table that tests can break, and the ways in which this project uses them.
 *
 * A file that others read appears whole or not at all: rk_file_replace for data at hand,
 * rk_file_writer for data that comes piece by piece. Both write a file with a temporary name in the
 * same folder, sync it, rename it and sync the folder.
 *
 * The single operations return 0 or more, or a negative errno value, as the system call does. The
 * helpers below them return a status with a sentence. All of them block and may be used by any
 * thread.
 */
#ifndef RK_BASE_FILE_H
#define RK_BASE_FILE_H

#include <fcntl.h>
#include <ringkernel/status.h>
#include <sys/types.h>

typedef struct rk_file_info {
    uint64_t size_bytes;
    uint64_t modified_ns; /* since 1970 UTC */
    bool is_regular;
    bool is_folder;
} rk_file_info;

typedef struct rk_file_space {
    uint64_t total_bytes;
    uint64_t free_bytes; /* for this user */
} rk_file_space;

/* Called with each name in a folder but "." and "..", in no order; non-zero ends the listing. */
typedef int (*rk_file_entry_fn)(void *arg, const char *name);

/* The operations table. See open(2) and its relatives; every result is 0 or more, or -errno. */
typedef struct rk_file_ops {
    int (*open)(void *context, const char *path, int flags, mode_t mode);
    int (*close)(void *context, int fd);
    ssize_t (*read)(void *context, int fd, void *data, size_t length);
    ssize_t (*write)(void *context, int fd, const void *data, size_t length);
    ssize_t (*pread)(void *context, int fd, void *data, size_t length, uint64_t offset);
    ssize_t (*pwrite)(void *context, int fd, const void *data, size_t length, uint64_t offset);
    int (*sync)(void *context, int fd);
    int (*truncate)(void *context, int fd, uint64_t size_bytes);
    int (*info)(void *context, const char *path, rk_file_info *out_info);
    int (*fd_info)(void *context, int fd, rk_file_info *out_info);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*mkdir)(void *context, const char *path, mode_t mode);
    int (*rmdir)(void *context, const char *path);
    int (*list)(void *context, const char *path, rk_file_entry_fn each, void *arg);
    int (*space)(void *context, const char *path, rk_file_space *out_space);
    void *context;
} rk_file_ops;

/* The system's table; and the installed one: NULL brings the system's back. ops stays borrowed. */
const rk_file_ops *rk_file_system(void);
void rk_file_install(const rk_file_ops *ops);

/* The single operations, through the installed table. Every file is opened with O_CLOEXEC. */
int rk_file_open(const char *path, int flags, mode_t mode);
int rk_file_close(int fd);
ssize_t rk_file_read(int fd, void *data, size_t length);
ssize_t rk_file_write(int fd, const void *data, size_t length);
ssize_t rk_file_pread(int fd, void *data, size_t length, uint64_t offset);
ssize_t rk_file_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int rk_file_sync(int fd);
int rk_file_truncate(int fd, uint64_t size_bytes);
int rk_file_stat(const char *path, rk_file_info *out_info);
int rk_file_fstat(int fd, rk_file_info *out_info);
int rk_file_rename(const char *from, const char *to);
int rk_file_unlink(const char *path);
int rk_dir_make(const char *path, mode_t mode);
int rk_dir_remove(const char *path);
int rk_dir_list(const char *path, rk_file_entry_fn each, void *arg);
int rk_dir_space(const char *path, rk_file_space *out_space);

/*
 * Go on after short transfers and interrupts. 0 or -errno; the read returns the bytes up to the
 * end.
 */
int rk_file_write_full(int fd, const void *data, size_t length);
int rk_file_pwrite_full(int fd, const void *data, size_t length, uint64_t offset);
ssize_t rk_file_pread_full(int fd, void *data, size_t length, uint64_t offset);

/*
 * Reads a whole file, or a pipe or device up to its end. The caller frees *out_data, which has a
 * NUL behind its *out_length bytes. RK_LIMIT if there are more than limit_bytes; err may be NULL.
 */
rk_status rk_file_read_all(const char *path, size_t limit_bytes, char **out_data,
                           size_t *out_length, rk_err *err);

/*
 * Makes path hold exactly these bytes, durably. On failure path is as it was before, except that a
 * failed sync of the folder leaves it open which of the two a power loss would show.
 * A new file gets mode 0644 less the umask. If path is a symbolic link, the link is replaced.
 */
rk_status rk_file_replace(const char *path, const void *data, size_t length, rk_err *err);

/* Syncs the folder that holds path, so that its new name or its removal survives a power loss. */
rk_status rk_file_sync_folder(const char *path, rk_err *err);

/* Makes a folder and those above it that are missing, with mode 0755 less the umask. */
rk_status rk_dir_make_all(const char *path, rk_err *err);

/*
 * Whether a file name (without folder) is that of an unfinished rk_file_writer. A killed process
 * leaves such a file; the owner of a folder may remove it when no other process writes there.
 */
bool rk_file_is_temporary(const char *name);

/* A file that is written piece by piece and appears at commit. One thread at a time. */
typedef struct rk_file_writer {
    int fd; /* -1: closed */
    char *path;
    char *temporary;
    unsigned char *buffer;
    size_t buffered_bytes;
    uint64_t written_bytes; /* already in the file */
    rk_status status;       /* the first failure: later appends and the commit return it again */
} rk_file_writer;

/* mode: the permission bits, less the umask, for example 0644. */
rk_status rk_file_writer_open(rk_file_writer *writer, const char *path, mode_t mode, rk_err *err);

/* Appends; buffered. After a failure only abandon (or commit, which abandons) makes sense. */
rk_status rk_file_writer_append(rk_file_writer *writer, const void *data, size_t length,
                                rk_err *err);

/* Overwrites bytes that were appended before, for example a header that holds totals. */
rk_status rk_file_writer_patch(rk_file_writer *writer, uint64_t offset, const void *data,
                               size_t length, rk_err *err);

/* Bytes appended so far. */
uint64_t rk_file_writer_bytes(const rk_file_writer *writer);

/*
 * Makes the file appear, durably. On failure everything is abandoned; the writer is finished either
 * way.
 */
rk_status rk_file_writer_commit(rk_file_writer *writer, rk_err *err);

/*
 * Like commit, without the syncs: after a power loss the file may be there with other contents. For
 * files whose readers check them and can do without, such as those of a cache.
 */
rk_status rk_file_writer_publish(rk_file_writer *writer, rk_err *err);

/* Removes the temporary file. Does nothing on a writer that is committed, abandoned or all zero. */
void rk_file_writer_abandon(rk_file_writer *writer);

#endif
