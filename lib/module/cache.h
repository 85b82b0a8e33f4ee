/*
 * cache.h: the folder in which builds keep what compilers made.
 *
 * One file per entry, named by the key (a SHA-256 of everything that the compilation depends on) in
 * hexadecimal with the suffix ".rkc". All numbers are little-endian.
 *
 *    0  u32 magic "RKCE"            24  u8[32] the key
 *    4  u16 format version          56  u8[32] SHA-256 of bytes 0 to 55, the data and the messages
 *    6  u16 header bytes (96)       88  u8[8]  zero
 *    8  u64 bytes of the data       96  data, messages
 *   16  u64 bytes of the messages
 *
 * Entries are written under a temporary name and renamed, so readers see whole ones; nobody locks.
 * Two writers of one key write the same contents, and the later one stays. An entry that does not
 * pass its checks is removed and counts as absent. Reading an entry sets its time of modification;
 * rk_cache_trim removes those that were not used for longest.
 *
 * Whoever may write in the folder decides what code later builds contain: a folder that belongs to
 * another user, or that others may write in, is refused.
 */
#ifndef RK_MODULE_CACHE_H
#define RK_MODULE_CACHE_H

#include "base/sha256.h"
#include <ringkernel/module.h>
#include <ringkernel/status.h>

#define RK_CACHE_MAGIC 0x45434b52u /* "RKCE" */
#define RK_CACHE_VERSION 1u
#define RK_CACHE_HEADER_BYTES 96u
#define RK_CACHE_ENTRY_MAX ((size_t)256 << 20)
#define RK_CACHE_LIMIT_BYTES ((uint64_t)512 << 20) /* when RK_CACHE_SIZE says nothing */

typedef struct rk_cache_key {
    unsigned char bytes[RK_SHA256_BYTES];
} rk_cache_key;

/* What a compilation made. */
typedef struct rk_cache_entry {
    const unsigned char *data;
    size_t bytes;
    const char *messages; /* what the compiler printed; no NUL behind it */
    size_t message_bytes;
    char *file; /* holds all of it; the caller frees it */
} rk_cache_entry;

/* The folder of one user of the cache. One thread at a time; processes share the folder. */
typedef struct rk_cache {
    char *folder; /* NULL: there is no cache */
    uint64_t limit_bytes;
    bool has_stored; /* since the last trim */
} rk_cache;

/*
 * Finds the folder: RK_CACHE_DIR, else ringkernel in XDG_CACHE_HOME (XDG Base Directory
 * Specification), else in ~/.cache. It is made when something is first stored. RK_CACHE=off, or no
 * home folder, leaves the cache without a folder: not an error. RK_INVALID for a wrong RK_CACHE or
 * RK_CACHE_SIZE, RK_PERMISSION for a folder in which others may write, file errors; then too the
 * cache can be used, and holds nothing.
 */
rk_status rk_cache_init(rk_cache *cache, rk_err *err);
void rk_cache_finish(rk_cache *cache);

/* RK_OK, or RK_NOT_FOUND, also when the entry was damaged and is now removed. Blocks. */
rk_status rk_cache_get(rk_cache *cache, const rk_cache_key *key, rk_cache_entry *out_entry);

/* Stores data and messages (either may be empty). Blocks. File errors; RK_PERMISSION as above. */
rk_status rk_cache_put(rk_cache *cache, const rk_cache_key *key, const void *data, size_t bytes,
                       const char *messages, size_t message_bytes, rk_err *err);

/*
 * Removes entries until the rest has at most nine tenths of the limit, if there is more than the
 * limit; and temporary files of writers that ended an hour ago or more. Does nothing when nothing
 * was stored. Blocks.
 */
void rk_cache_trim(rk_cache *cache);

/* Counts entries and their bytes; with `clear`, removes them and tells what was there. */
rk_status rk_cache_survey(const rk_cache *cache, bool clear, uint64_t *out_entries,
                          uint64_t *out_bytes, rk_err *err);

/*
 * Reads an entry out of a file's contents; out_entry points into them. key NULL: any. RK_CORRUPT
 * for what is no whole entry, RK_VERSION for one of another format. The contents are not trusted.
 */
rk_status rk_cache_decode(const void *file, size_t length, const rk_cache_key *key,
                          rk_cache_entry *out_entry);

/* The header in front of these data and messages. */
void rk_cache_encode_header(const rk_cache_key *key, const void *data, size_t bytes,
                            const char *messages, size_t message_bytes,
                            unsigned char out_header[RK_CACHE_HEADER_BYTES]);

#endif
