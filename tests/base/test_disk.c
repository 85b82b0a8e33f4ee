/*
 * test_disk.c: what of a folder would survive a power loss.
 *
 * A list of versions holds the names below the folder (and the file behind each) after every
 * operation since the last sync of a folder. A file is known by its inode, which an open descriptor
 * keeps from being used again. Failures of the real file system end the test program: it cannot go
 * on.
 */
#include "base/test_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_ENTRIES 256
#define MOST_VERSIONS 4096
#define SECTOR_BYTES 512
#define OPEN_DESCRIPTORS 16

typedef struct content {
    unsigned char *data;
    size_t length;
} content;

typedef struct inode {
    struct inode *next;
    dev_t device;
    ino_t number;
    int descriptor;  /* keeps the inode */
    content durable; /* as last synced; empty if never */
} inode;

typedef struct entry {
    char *path;
    inode *file; /* NULL: a folder */
} entry;

typedef struct version {
    entry entries[MOST_ENTRIES];
    size_t count;
} version;

struct rk_test_disk {
    char *root;
    inode *inodes;
    version *versions[MOST_VERSIONS]; /* the first is durable */
    size_t version_count;
};

static void die(const char *what, const char *path)
{
    fprintf(stderr, "test disk: cannot %s %s: %s\n", what, path, strerror(errno));
    abort();
}

static void *must(void *memory)
{
    if (memory == NULL) {
        die("allocate for", "the test");
    }
    return memory;
}

static content read_descriptor(int fd)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* fits */
    int again = open(path, O_RDONLY | O_CLOEXEC);              /* fd may be for writing only */
    struct stat info;
    if (again < 0 || fstat(again, &info) != 0) {
        die("read", path);
    }
    content all = {must(malloc((size_t)info.st_size + 1)), (size_t)info.st_size};
    if (pread(again, all.data, all.length, 0) != (ssize_t)all.length) {
        die("read", path);
    }
    close(again);
    return all;
}

static inode *find_inode(struct rk_test_disk *disk, const struct stat *info)
{
    for (inode *at = disk->inodes; at != NULL; at = at->next) {
        if (at->device == info->st_dev && at->number == info->st_ino) {
            return at;
        }
    }
    return NULL;
}

/* For nftw, which passes no argument. */
static struct rk_test_disk *scanned_disk;
static version *scanned_version;

static int scan_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    if (where->level == 0) {
        return 0;
    }
    version *into = scanned_version;
    assert(into->count < MOST_ENTRIES);
    inode *file = NULL;
    if (type == FTW_F) {
        file = find_inode(scanned_disk, info);
        if (file == NULL) {
            file = must(calloc(1, sizeof *file));
            file->device = info->st_dev;
            file->number = info->st_ino;
            file->descriptor = open(path, O_RDONLY | O_CLOEXEC);
            if (file->descriptor < 0) {
                die("open", path);
            }
            file->next = scanned_disk->inodes;
            scanned_disk->inodes = file;
        }
    }
    into->entries[into->count++] = (entry){must(strdup(path)), file};
    return 0;
}

static version *scan(struct rk_test_disk *disk)
{
    scanned_disk = disk;
    scanned_version = must(calloc(1, sizeof *scanned_version));
    if (nftw(disk->root, scan_entry, OPEN_DESCRIPTORS, FTW_PHYS) != 0) {
        die("list", disk->root);
    }
    return scanned_version;
}

static void free_version(version *old)
{
    for (size_t i = 0; i < old->count; i++) {
        free(old->entries[i].path);
    }
    free(old);
}

static void free_versions(struct rk_test_disk *disk, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free_version(disk->versions[i]);
    }
    memmove(disk->versions, disk->versions + count,
            (disk->version_count - count) * sizeof *disk->versions);
    disk->version_count -= count;
}

static bool is_used(const struct rk_test_disk *disk, const inode *file)
{
    for (size_t v = 0; v < disk->version_count; v++) {
        for (size_t i = 0; i < disk->versions[v]->count; i++) {
            if (disk->versions[v]->entries[i].file == file) {
                return true;
            }
        }
    }
    return false;
}

static void free_unused_inodes(struct rk_test_disk *disk)
{
    for (inode **link = &disk->inodes; *link != NULL;) {
        inode *file = *link;
        if (is_used(disk, file)) {
            link = &file->next;
            continue;
        }
        *link = file->next;
        close(file->descriptor);
        free(file->durable.data);
        free(file);
    }
}

static void set_durable(inode *file)
{
    free(file->durable.data);
    file->durable = read_descriptor(file->descriptor);
}

/* Everything that is there now counts as durable. */
static void start(struct rk_test_disk *disk)
{
    free_versions(disk, disk->version_count);
    disk->versions[disk->version_count++] = scan(disk);
    free_unused_inodes(disk);
    for (inode *file = disk->inodes; file != NULL; file = file->next) {
        set_durable(file);
    }
}

struct rk_test_disk *rk_test_disk_create(const char *root)
{
    struct rk_test_disk *disk = must(calloc(1, sizeof *disk));
    disk->root = must(realpath(root, NULL));
    start(disk);
    return disk;
}

void rk_test_disk_destroy(struct rk_test_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    free_versions(disk, disk->version_count);
    free_unused_inodes(disk);
    free(disk->root);
    free(disk);
}

void rk_test_disk_names_changed(struct rk_test_disk *disk)
{
    assert(disk->version_count < MOST_VERSIONS);
    disk->versions[disk->version_count++] = scan(disk);
}

void rk_test_disk_synced(struct rk_test_disk *disk, int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        die("look at", "a descriptor");
    }
    if (S_ISDIR(info.st_mode)) {
        free_versions(disk, disk->version_count - 1);
        free_unused_inodes(disk);
        return;
    }
    inode *file = find_inode(disk, &info);
    if (file != NULL) {
        set_durable(file);
    }
}

/* SplitMix64's output function: the same choices for the same seed. */
static uint64_t choose(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned char byte_of(const content *from, size_t at)
{
    return at < from->length ? from->data[at] : 0;
}

/* What the disk holds of a file: synced, current, or a mixture by sectors of either length. */
static content surviving(inode *file, uint64_t seed, uint64_t *state)
{
    content now = read_descriptor(file->descriptor);
    const content *shape = &file->durable;
    uint64_t kind = choose(state) % 3;
    if (seed != 0 && kind != 0) {
        shape = &now;
    }
    content result = {must(malloc(shape->length + 1)), shape->length};
    for (size_t sector = 0; sector < result.length; sector += SECTOR_BYTES) {
        const content *from = kind == 2 && choose(state) % 2 == 0 ? &file->durable : shape;
        for (size_t i = sector; i < result.length && i < sector + SECTOR_BYTES; i++) {
            result.data[i] = byte_of(from, i);
        }
    }
    free(now.data);
    return result;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    if (where->level > 0 && remove(path) != 0) {
        die("remove", path);
    }
    return 0;
}

static void write_file(const char *path, const content *data)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data->data, 1, data->length, file) != data->length ||
        fclose(file) != 0) {
        die("write", path);
    }
}

void rk_test_disk_lose_power(struct rk_test_disk *disk, uint64_t seed)
{
    uint64_t state = seed;
    size_t chosen = seed == 0 ? 0 : choose(&state) % disk->version_count;
    version *names = disk->versions[chosen];
    content contents[MOST_ENTRIES];
    for (size_t i = 0; i < names->count; i++) {
        inode *file = names->entries[i].file;
        contents[i] = file == NULL ? (content){NULL, 0} : surviving(file, seed, &state);
    }
    if (nftw(disk->root, remove_entry, OPEN_DESCRIPTORS, FTW_PHYS | FTW_DEPTH) != 0) {
        die("empty", disk->root);
    }
    for (size_t i = 0; i < names->count; i++) {
        /* A folder stands before what is in it, as nftw has listed them. */
        if (names->entries[i].file == NULL) {
            if (mkdir(names->entries[i].path, 0755) != 0) {
                die("make", names->entries[i].path);
            }
        } else {
            write_file(names->entries[i].path, &contents[i]);
        }
        free(contents[i].data);
    }
    start(disk);
}
