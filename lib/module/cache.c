#include "module/cache.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/str.h"
#include "base/value.h"
#include "module/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".rkc"
#define PATH_BYTES_MAX 4096u
#define NAME_BYTES (RK_SHA256_TEXT_BYTES - 1 + sizeof(SUFFIX) - 1)
#define TEMPORARY_AGE_NS (3600ull * RK_NS_PER_S)

enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 4,
    HEADER_BYTES = 6,
    HEADER_DATA_BYTES = 8,
    HEADER_MESSAGE_BYTES = 16,
    HEADER_KEY = 24,
    HEADER_DIGEST = 56,
    HEADER_RESERVED = 88
};

static bool is_set(const char *text)
{
    return text && *text != '\0';
}

/* "on" by default; the words that RK_CACHE knows. */
static rk_status read_switch(bool *out_on, rk_err *err)
{
    const char *text = getenv("RK_CACHE");
    *out_on = true;
    if (is_set(text) && rk_value_parse_bool(text, out_on, NULL) != RK_OK) {
        *out_on = false;
        return rk_err_set(err, RK_INVALID,
                          "the environment variable RK_CACHE is '%.40s'; it must be on or off",
                          text);
    }
    return RK_OK;
}

static rk_status read_limit(uint64_t *out_bytes, rk_err *err)
{
    const char *text = getenv("RK_CACHE_SIZE");
    *out_bytes = RK_CACHE_LIMIT_BYTES;
    if (is_set(text) && (rk_value_parse_size(text, out_bytes, NULL) != RK_OK || *out_bytes == 0)) {
        return rk_err_set(err, RK_INVALID,
                          "the environment variable RK_CACHE_SIZE is '%.40s'; it must be a size "
                          "such as 512M",
                          text);
    }
    return RK_OK;
}

/* NULL if there is no place for it, or no memory. */
static char *choose_folder(void)
{
    const char *named = getenv("RK_CACHE_DIR");
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    rk_str path;
    rk_str_init(&path, PATH_BYTES_MAX);
    if (is_set(named)) {
        (void)rk_str_append(&path, named); /* sticky: checked below */
    } else if (xdg && *xdg == '/') {       /* the specification ignores relative ones */
        (void)rk_str_appendf(&path, "%s/ringkernel", xdg); /* the same */
    } else if (home && *home == '/') {
        (void)rk_str_appendf(&path, "%s/.cache/ringkernel", home); /* the same */
    }
    char *folder = path.status == RK_OK && path.length != 0 ? strdup(rk_str_cstr(&path)) : NULL;
    rk_str_finish(&path);
    return folder;
}

/* A folder that is not there yet is fine: it will be ours. */
static rk_status check_folder(const char *folder, rk_err *err)
{
    struct stat info;
    if (stat(folder, &info) != 0) {
        return errno == ENOENT ? RK_OK : rk_err_errno(err, errno, "cannot use '%s'", folder);
    }
    if (!S_ISDIR(info.st_mode)) {
        return rk_err_set(err, RK_INVALID, "'%s' is no folder", folder);
    }
    if (info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return rk_err_set(err, RK_PERMISSION,
                          "'%s' belongs to another user or others may write in it, and so choose "
                          "what code a build contains; use a folder of your own (RK_CACHE_DIR) or "
                          "take the others' permission away",
                          folder);
    }
    return RK_OK;
}

rk_status rk_cache_init(rk_cache *cache, rk_err *err)
{
    bool on = false;
    *cache = (rk_cache){.folder = NULL};
    rk_status status = read_switch(&on, err);
    if (status == RK_OK && on) {
        status = read_limit(&cache->limit_bytes, err);
    }
    if (status == RK_OK && on) {
        cache->folder = choose_folder();
        status = cache->folder ? check_folder(cache->folder, err) : RK_OK;
    }
    if (status != RK_OK) {
        rk_cache_finish(cache);
    }
    return status;
}

void rk_cache_finish(rk_cache *cache)
{
    free(cache->folder);
    cache->folder = NULL;
}

/* The caller finishes out_path. */
static rk_status entry_path(const rk_cache *cache, const rk_cache_key *key, rk_str *out_path)
{
    char text[RK_SHA256_TEXT_BYTES];
    rk_sha256_text(key->bytes, text);
    rk_str_init(out_path, PATH_BYTES_MAX);
    return rk_str_appendf(out_path, "%s/%s" SUFFIX, cache->folder, text);
}

/* Of the header up to its digest, the data and the messages. */
static void digest_entry(const unsigned char *header, const void *data, size_t bytes,
                         const char *messages, size_t message_bytes,
                         unsigned char out_digest[RK_SHA256_BYTES])
{
    rk_sha256 sha;
    rk_sha256_init(&sha);
    rk_sha256_add(&sha, header, HEADER_DIGEST);
    rk_sha256_add(&sha, data, bytes);
    rk_sha256_add(&sha, messages, message_bytes);
    rk_sha256_finish(&sha, out_digest);
}

void rk_cache_encode_header(const rk_cache_key *key, const void *data, size_t bytes,
                            const char *messages, size_t message_bytes,
                            unsigned char out_header[RK_CACHE_HEADER_BYTES])
{
    memset(out_header, 0, RK_CACHE_HEADER_BYTES);
    rk_bytes_put_u32(out_header + HEADER_MAGIC, RK_CACHE_MAGIC);
    rk_bytes_put_u16(out_header + HEADER_VERSION, RK_CACHE_VERSION);
    rk_bytes_put_u16(out_header + HEADER_BYTES, RK_CACHE_HEADER_BYTES);
    rk_bytes_put_u64(out_header + HEADER_DATA_BYTES, bytes);
    rk_bytes_put_u64(out_header + HEADER_MESSAGE_BYTES, message_bytes);
    memcpy(out_header + HEADER_KEY, key->bytes, RK_SHA256_BYTES);
    digest_entry(out_header, data, bytes, messages, message_bytes, out_header + HEADER_DIGEST);
}

rk_status rk_cache_decode(const void *file, size_t length, const rk_cache_key *key,
                          rk_cache_entry *out_entry)
{
    static const unsigned char zeros[RK_CACHE_HEADER_BYTES - HEADER_RESERVED] = {0};
    const unsigned char *header = file;
    unsigned char digest[RK_SHA256_BYTES];
    if (length < RK_CACHE_HEADER_BYTES || rk_bytes_u32(header + HEADER_MAGIC) != RK_CACHE_MAGIC) {
        return RK_CORRUPT;
    }
    if (rk_bytes_u16(header + HEADER_VERSION) != RK_CACHE_VERSION) {
        return RK_VERSION;
    }
    uint64_t bytes = rk_bytes_u64(header + HEADER_DATA_BYTES);
    uint64_t message_bytes = rk_bytes_u64(header + HEADER_MESSAGE_BYTES);
    uint64_t room = length - RK_CACHE_HEADER_BYTES;
    if (rk_bytes_u16(header + HEADER_BYTES) != RK_CACHE_HEADER_BYTES || bytes > room ||
        message_bytes != room - bytes ||
        memcmp(header + HEADER_RESERVED, zeros, sizeof(zeros)) != 0 ||
        (key && memcmp(header + HEADER_KEY, key->bytes, RK_SHA256_BYTES) != 0)) {
        return RK_CORRUPT;
    }
    const unsigned char *data = header + RK_CACHE_HEADER_BYTES;
    const char *messages = (const char *)data + bytes;
    digest_entry(header, data, (size_t)bytes, messages, (size_t)message_bytes, digest);
    if (memcmp(header + HEADER_DIGEST, digest, sizeof(digest)) != 0) {
        return RK_CORRUPT;
    }
    *out_entry = (rk_cache_entry){.data = data,
                                  .bytes = (size_t)bytes,
                                  .messages = messages,
                                  .message_bytes = (size_t)message_bytes};
    return RK_OK;
}

rk_status rk_cache_get(rk_cache *cache, const rk_cache_key *key, rk_cache_entry *out_entry)
{
    rk_str path;
    char *file = NULL;
    size_t length = 0;
    if (!cache->folder) {
        return RK_NOT_FOUND;
    }
    rk_status status = entry_path(cache, key, &path);
    if (status == RK_OK) {
        status = rk_file_read_all(rk_str_cstr(&path), RK_CACHE_ENTRY_MAX, &file, &length, NULL);
    }
    if (status == RK_OK) {
        status = rk_cache_decode(file, length, key, out_entry);
        if (status == RK_OK) {
            /* Where the time cannot be set, the entry is only removed earlier than it need be. */
            (void)utimensat(AT_FDCWD, rk_str_cstr(&path), NULL, 0);
            out_entry->file = file;
        } else {
            (void)rk_file_unlink(rk_str_cstr(&path)); /* the next build stores it anew */
            free(file);
        }
    }
    rk_str_finish(&path);
    return status == RK_OK ? RK_OK : RK_NOT_FOUND;
}

static rk_status write_entry(const char *path, const unsigned char *header, const void *data,
                             size_t bytes, const char *messages, size_t message_bytes, rk_err *err)
{
    rk_file_writer writer;
    rk_status status = rk_file_writer_open(&writer, path, 0600, err);
    if (status != RK_OK) {
        return status;
    }
    /* After a failed append the commit says so. */
    (void)rk_file_writer_append(&writer, header, RK_CACHE_HEADER_BYTES, err);
    if (writer.status == RK_OK) {
        (void)rk_file_writer_append(&writer, data, bytes, err); /* the same */
    }
    if (writer.status == RK_OK) {
        (void)rk_file_writer_append(&writer, messages, message_bytes, err); /* the same */
    }
    if (writer.status != RK_OK) {
        status = writer.status;
        rk_file_writer_abandon(&writer);
        return status;
    }
    return rk_file_writer_publish(&writer, err);
}

rk_status rk_cache_put(rk_cache *cache, const rk_cache_key *key, const void *data, size_t bytes,
                       const char *messages, size_t message_bytes, rk_err *err)
{
    unsigned char header[RK_CACHE_HEADER_BYTES];
    rk_str path;
    if (!cache->folder || bytes > RK_CACHE_ENTRY_MAX / 2 ||
        message_bytes > RK_CACHE_ENTRY_MAX / 4 || bytes + message_bytes > cache->limit_bytes / 2) {
        return RK_OK; /* not worth keeping */
    }
    rk_status status = rk_dir_make_all(cache->folder, err);
    if (status == RK_OK) {
        status = check_folder(cache->folder, err); /* somebody else may have made it meanwhile */
    }
    if (status != RK_OK) {
        return status;
    }
    rk_cache_encode_header(key, data, bytes, messages, message_bytes, header);
    status = entry_path(cache, key, &path);
    if (status != RK_OK) {
        status = rk_err_set(err, status, "'%s' is too long a path", cache->folder);
    } else {
        status = write_entry(rk_str_cstr(&path), header, data, bytes, messages, message_bytes, err);
    }
    rk_str_finish(&path);
    cache->has_stored = cache->has_stored || status == RK_OK;
    return status;
}

/* A file of the cache, for the choice of what goes. */
typedef struct cached_file {
    uint64_t modified_ns;
    uint64_t bytes;
    char name[NAME_BYTES + 1];
} cached_file;

typedef struct listing {
    const char *folder;
    rk_str path;
    cached_file *files;
    size_t count;
    size_t capacity;
    uint64_t bytes;
    uint64_t now_ns;
    bool failed;
} listing;

static bool is_entry_name(const char *name)
{
    return strlen(name) == NAME_BYTES && strspn(name, "0123456789abcdef") == NAME_BYTES - 4 &&
           strcmp(name + NAME_BYTES - 4, SUFFIX) == 0;
}

static const char *path_of(listing *l, const char *name)
{
    rk_str_reset(&l->path);
    l->failed = rk_str_appendf(&l->path, "%s/%s", l->folder, name) != RK_OK || l->failed;
    return rk_str_cstr(&l->path);
}

static int list_file(void *arg, const char *name)
{
    listing *l = arg;
    rk_file_info info;
    bool is_temporary = rk_file_is_temporary(name);
    if ((!is_temporary && !is_entry_name(name)) || rk_file_stat(path_of(l, name), &info) != 0) {
        return 0;
    }
    if (is_temporary) {
        if (info.modified_ns + TEMPORARY_AGE_NS < l->now_ns) {
            (void)rk_file_unlink(rk_str_cstr(&l->path)); /* its writer is long gone */
        }
        return 0;
    }
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        cached_file *files = realloc(l->files, capacity * sizeof(*files));
        if (!files) {
            l->failed = true;
            return 1;
        }
        l->files = files;
        l->capacity = capacity;
    }
    cached_file *file = &l->files[l->count++];
    *file = (cached_file){.modified_ns = info.modified_ns, .bytes = info.size_bytes};
    memcpy(file->name, name, NAME_BYTES + 1);
    l->bytes += info.size_bytes;
    return 0;
}

static int older_first(const void *a, const void *b)
{
    uint64_t first = ((const cached_file *)a)->modified_ns;
    uint64_t second = ((const cached_file *)b)->modified_ns;
    return first < second ? -1 : first > second ? 1 : 0;
}

/* Finish it in any case. */
static int listing_init(listing *l, const char *folder)
{
    *l = (listing){.folder = folder, .now_ns = rk_clock_realtime_ns()};
    rk_str_init(&l->path, PATH_BYTES_MAX);
    return rk_dir_list(folder, list_file, l);
}

static void listing_finish(listing *l)
{
    free(l->files);
    rk_str_finish(&l->path);
}

void rk_cache_trim(rk_cache *cache)
{
    if (!cache->folder || !cache->has_stored) {
        return;
    }
    cache->has_stored = false;
    listing l;
    if (listing_init(&l, cache->folder) == 0 && !l.failed && l.bytes > cache->limit_bytes) {
        uint64_t goal = cache->limit_bytes / 10 * 9;
        qsort(l.files, l.count, sizeof(*l.files), older_first);
        for (size_t i = 0; i < l.count && l.bytes > goal; i++) {
            (void)rk_file_unlink(path_of(&l, l.files[i].name)); /* another process may trim too */
            l.bytes -= l.files[i].bytes;
        }
    }
    listing_finish(&l);
}

rk_status rk_cache_survey(const rk_cache *cache, bool clear, uint64_t *out_entries,
                          uint64_t *out_bytes, rk_err *err)
{
    listing l;
    *out_entries = 0;
    *out_bytes = 0;
    if (!cache->folder) {
        return RK_OK;
    }
    rk_status status = RK_OK;
    int result = listing_init(&l, cache->folder);
    if (result != 0 && result != -ENOENT) {
        status = result < 0
                     ? rk_err_errno(err, -result, "cannot list '%s'", cache->folder)
                     : rk_err_set(err, RK_NO_MEMORY, "no memory to list '%s'", cache->folder);
    }
    for (size_t i = 0; clear && status == RK_OK && i < l.count; i++) {
        result = rk_file_unlink(path_of(&l, l.files[i].name));
        if (result != 0 && result != -ENOENT) {
            status = rk_err_errno(err, -result, "cannot remove '%s'", rk_str_cstr(&l.path));
        }
    }
    if (status == RK_OK) {
        *out_entries = l.count;
        *out_bytes = l.bytes;
    }
    listing_finish(&l);
    return status;
}
