/*
 * cache_test.c: the folder of compiled code: entries come back as they were stored or not at all,
 * whatever happens to the files, the disk, and however many processes use it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/test_file.h"
#include "base/test_folder.h"
#include "module/bytes.h"
#include "module/cache.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fixture {
    char folder[RK_TEST_FOLDER_BYTES];
    char cache_folder[RK_TEST_FOLDER_BYTES + 16];
    rk_cache cache;
    rk_err err;
} fixture;

static void drop_variables(void)
{
    static const char *const names[] = {"RK_CACHE", "RK_CACHE_DIR", "RK_CACHE_SIZE",
                                        "XDG_CACHE_HOME"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    drop_variables();
    rk_test_folder_make(f->folder);
    snprintf(f->cache_folder, sizeof(f->cache_folder), "%s/deep/cache", f->folder);
    setenv("RK_CACHE_DIR", f->cache_folder, 1);
    assert_int_equal(rk_cache_init(&f->cache, &f->err), RK_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    rk_cache_finish(&f->cache);
    (void)chmod(f->cache_folder, 0755); /* it may not be there */
    rk_test_folder_remove(f->folder);
    drop_variables();
    free(f);
    return 0;
}

static rk_cache_key key_of(unsigned number)
{
    rk_cache_key key;
    rk_sha256 sha;
    rk_sha256_init(&sha);
    rk_sha256_add(&sha, &number, sizeof(number));
    rk_sha256_finish(&sha, key.bytes);
    return key;
}

static void path_of(const fixture *f, const rk_cache_key *key, char out[512])
{
    char text[RK_SHA256_TEXT_BYTES];
    rk_sha256_text(key->bytes, text);
    snprintf(out, 512, "%s/%s.rkc", f->cache_folder, text);
}

static void put(fixture *f, const rk_cache_key *key, const char *data, const char *messages)
{
    rk_status status =
        rk_cache_put(&f->cache, key, data, strlen(data), messages, strlen(messages), &f->err);
    if (status != RK_OK) {
        fail_msg("%s", f->err.text);
    }
}

/* Whether the entry is there; then it holds exactly this. */
static bool holds(fixture *f, const rk_cache_key *key, const char *data, const char *messages)
{
    rk_cache_entry entry;
    if (rk_cache_get(&f->cache, key, &entry) != RK_OK) {
        return false;
    }
    assert_int_equal(entry.bytes, strlen(data));
    assert_memory_equal(entry.data, data, entry.bytes);
    assert_int_equal(entry.message_bytes, strlen(messages));
    assert_memory_equal(entry.messages, messages, entry.message_bytes);
    free(entry.file);
    return true;
}

/* Without the syncs of rk_file_replace, which would be most of the test's time. */
static void write_file(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void gives_back_what_was_stored(void **state)
{
    fixture *f = *state;
    rk_cache_key a = key_of(1);
    rk_cache_key b = key_of(2);
    rk_file_info info;
    assert_false(holds(f, &a, "", ""));
    assert_int_not_equal(rk_file_stat(f->cache_folder, &info), 0); /* looking makes nothing */
    put(f, &a, "code", "a warning\n");
    put(f, &b, "", "");
    assert_true(holds(f, &a, "code", "a warning\n"));
    assert_true(holds(f, &b, "", ""));
    put(f, &a, "other code", "");
    assert_true(holds(f, &a, "other code", ""));
    uint64_t entries = 0;
    uint64_t bytes = 0;
    assert_int_equal(rk_cache_survey(&f->cache, false, &entries, &bytes, &f->err), RK_OK);
    assert_int_equal(entries, 2);
    assert_int_equal(bytes, 2 * RK_CACHE_HEADER_BYTES + 10);
    assert_int_equal(rk_cache_survey(&f->cache, true, &entries, &bytes, &f->err), RK_OK);
    assert_int_equal(entries, 2);
    assert_false(holds(f, &a, "other code", ""));
}

static void damage_is_a_miss(void **state)
{
    fixture *f = *state;
    rk_cache_key key = key_of(1);
    char path[512];
    char *file = NULL;
    size_t length = 0;
    path_of(f, &key, path);
    put(f, &key, "the code", "msg");
    assert_int_equal(rk_file_read_all(path, 1u << 20, &file, &length, NULL), RK_OK);
    for (size_t i = 0; i <= length; i++) { /* every byte changed, and last one too many */
        char *damaged = malloc(length + 1);
        rk_file_info info;
        memcpy(damaged, file, length);
        damaged[length] = 'x';
        damaged[i] = (char)(damaged[i] ^ 0x11);
        write_file(path, damaged, i == length ? length + 1 : length);
        assert_false(holds(f, &key, "", ""));
        assert_int_not_equal(rk_file_stat(path, &info), 0); /* and it is gone */
        free(damaged);
    }
    for (size_t i = 0; i < length; i++) {
        write_file(path, file, i);
        assert_false(holds(f, &key, "", ""));
    }
    /* A whole entry under another's name. */
    rk_cache_key other = key_of(2);
    char other_path[512];
    path_of(f, &other, other_path);
    write_file(other_path, file, length);
    assert_false(holds(f, &other, "", ""));
    put(f, &key, "the code", "msg");
    assert_true(holds(f, &key, "the code", "msg"));
    free(file);
}

/* Lengths whose sum wraps around must not be believed. */
static void forged_lengths_are_refused(void **state)
{
    (void)state;
    rk_cache_key key = key_of(1);
    rk_cache_entry entry;
    unsigned char file[RK_CACHE_HEADER_BYTES + 8] = {0};
    rk_cache_encode_header(&key, file + RK_CACHE_HEADER_BYTES, 8, "", 0, file);
    assert_int_equal(rk_cache_decode(file, sizeof(file), &key, &entry), RK_OK);
    assert_int_equal(rk_cache_decode(file, sizeof(file), NULL, &entry), RK_OK);
    rk_bytes_put_u64(file + 8, UINT64_MAX);
    rk_bytes_put_u64(file + 16, 9);
    assert_int_equal(rk_cache_decode(file, sizeof(file), &key, &entry), RK_CORRUPT);
    rk_bytes_put_u64(file + 8, 8);
    rk_bytes_put_u64(file + 16, UINT64_MAX);
    assert_int_equal(rk_cache_decode(file, sizeof(file), &key, &entry), RK_CORRUPT);
    rk_bytes_put_u16(file + 4, 2);
    assert_int_equal(rk_cache_decode(file, sizeof(file), &key, &entry), RK_VERSION);
    assert_int_equal(rk_cache_decode(file, 3, &key, &entry), RK_CORRUPT);
}

static void set_age(const char *path, long seconds)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void removes_what_was_not_used_for_longest(void **state)
{
    fixture *f = *state;
    char path[512];
    char text[1001];
    rk_file_info info;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (unsigned i = 0; i < 10; i++) {
        rk_cache_key key = key_of(i);
        put(f, &key, text, "");
        path_of(f, &key, path);
        set_age(path, 1000 - (long)i);
    }
    rk_cache_key first = key_of(0);
    assert_true(holds(f, &first, text, "")); /* used: now the youngest */
    char foreign[512];
    char young[512];
    char old[512];
    snprintf(foreign, sizeof(foreign), "%s/notes.txt", f->cache_folder);
    snprintf(young, sizeof(young), "%s/.rk-tmp-1-1", f->cache_folder);
    snprintf(old, sizeof(old), "%s/.rk-tmp-1-2", f->cache_folder);
    write_file(foreign, text, 1000);
    write_file(young, text, 1000);
    write_file(old, text, 1000);
    set_age(foreign, 100000);
    set_age(old, 100000);
    f->cache.limit_bytes = 8000;
    f->cache.has_stored = true;
    rk_cache_trim(&f->cache);
    uint64_t entries = 0;
    uint64_t bytes = 0;
    assert_int_equal(rk_cache_survey(&f->cache, false, &entries, &bytes, &f->err), RK_OK);
    assert_int_equal(entries, 6); /* 7200 bytes at most, 1096 each */
    for (unsigned i = 0; i < 10; i++) {
        rk_cache_key key = key_of(i);
        assert_int_equal(holds(f, &key, text, ""), i == 0 || i > 4);
    }
    assert_int_equal(rk_file_stat(foreign, &info), 0);
    assert_int_equal(rk_file_stat(young, &info), 0);
    assert_int_not_equal(rk_file_stat(old, &info), 0);
}

static void too_large_an_entry_is_not_kept(void **state)
{
    fixture *f = *state;
    rk_cache_key key = key_of(1);
    f->cache.limit_bytes = 10;
    put(f, &key, "123456", "");
    assert_false(holds(f, &key, "123456", ""));
}

/* Every failing file operation: an error or not, but never a wrong entry or a file left behind. */
static void survives_every_fault(void **state)
{
    fixture *f = *state;
    static const rk_test_fault faults[] = {RK_TEST_FAULT_ERROR, RK_TEST_FAULT_BROKEN,
                                           RK_TEST_FAULT_SHORT};
    rk_cache_key key = key_of(1);
    rk_test_files files;
    put(f, &key, "old", "");
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        for (uint64_t n = 1;; n++) {
            rk_test_files_install(&files);
            rk_test_files_arm(&files, n, faults[i], ENOSPC);
            rk_status stored = rk_cache_put(&f->cache, &key, "new", 3, "", 0, &f->err);
            bool struck = rk_test_files_struck(&files);
            rk_test_files_remove(&files);
            if (stored == RK_OK) {
                assert_true(holds(f, &key, "new", ""));
            } else {
                assert_true(holds(f, &key, "old", ""));
                assert_non_null(strstr(f->err.text, f->cache_folder));
            }
            put(f, &key, "old", "");

            rk_test_files_install(&files);
            rk_test_files_arm(&files, n, faults[i], EIO);
            (void)holds(f, &key, "old", ""); /* a miss is as good; a wrong entry fails inside */
            struck = struck || rk_test_files_struck(&files);
            rk_test_files_remove(&files);
            put(f, &key, "old", "");
            if (!struck) {
                break;
            }
        }
    }
}

static void refuses_bad_places(void **state)
{
    fixture *f = *state;
    rk_cache cache;
    rk_cache_entry entry;
    rk_cache_key key = key_of(1);
    put(f, &key, "code", "");
    assert_int_equal(chmod(f->cache_folder, 0777), 0);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_PERMISSION);
    assert_non_null(strstr(f->err.text, "others may write in it"));
    assert_null(cache.folder);
    assert_int_equal(rk_cache_get(&cache, &key, &entry), RK_NOT_FOUND);
    assert_int_equal(rk_cache_put(&f->cache, &key, "x", 1, "", 0, &f->err), RK_PERMISSION);
    assert_int_equal(chmod(f->cache_folder, 0755), 0);

    char path[512];
    snprintf(path, sizeof(path), "%s/file", f->folder);
    write_file(path, "x", 1);
    setenv("RK_CACHE_DIR", path, 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_INVALID);
    assert_non_null(strstr(f->err.text, "is no folder"));
    setenv("RK_CACHE_DIR", "/proc/no-such-place", 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_OK);
    assert_int_not_equal(rk_cache_put(&cache, &key, "x", 1, "", 0, &f->err), RK_OK);
    assert_non_null(strstr(f->err.text, "/proc/no-such-place"));
    rk_cache_finish(&cache);
}

static void reads_the_environment(void **state)
{
    fixture *f = *state;
    rk_cache cache;
    unsetenv("RK_CACHE_DIR");
    setenv("XDG_CACHE_HOME", f->folder, 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_OK);
    assert_memory_equal(cache.folder, f->folder, strlen(f->folder));
    assert_string_equal(cache.folder + strlen(f->folder), "/ringkernel");
    assert_int_equal(cache.limit_bytes, RK_CACHE_LIMIT_BYTES);
    rk_cache_finish(&cache);

    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", f->folder, 1);
    setenv("RK_CACHE_SIZE", "1MiB", 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_OK);
    assert_string_equal(cache.folder + strlen(f->folder), "/.cache/ringkernel");
    assert_int_equal(cache.limit_bytes, 1u << 20);
    rk_cache_finish(&cache);
    unsetenv("HOME");
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_OK);
    assert_null(cache.folder);
    if (home) {
        setenv("HOME", home, 1);
    }
    free(home);

    setenv("RK_CACHE_SIZE", "much", 1);
    setenv("RK_CACHE_DIR", f->cache_folder, 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_INVALID);
    assert_non_null(strstr(f->err.text, "RK_CACHE_SIZE is 'much'"));
    setenv("RK_CACHE", "off", 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_OK);
    assert_null(cache.folder);
    setenv("RK_CACHE", "perhaps", 1);
    assert_int_equal(rk_cache_init(&cache, &f->err), RK_INVALID);
    assert_non_null(strstr(f->err.text, "RK_CACHE is 'perhaps'"));
}

#define PROCESSES 8u
#define ROUNDS 200u
#define KEYS 5u

/* What every process stores under a key: as long as its number says. */
static size_t contents_of(unsigned number, char out[4096])
{
    size_t length = 100 + (size_t)number * 700;
    memset(out, (int)('a' + number), length);
    return length;
}

/* Stores, reads, damages and removes by turns. Returns 0 if it never read anything wrong. */
static int use_cache(const fixture *f, unsigned seed)
{
    rk_cache cache;
    unsigned hits = 0;
    char data[4096];
    if (rk_cache_init(&cache, NULL) != RK_OK) {
        return 1;
    }
    cache.limit_bytes = 9000; /* less than all of them: there is something to trim */
    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned number = (seed >> 8) % KEYS;
        rk_cache_key key = key_of(number);
        rk_cache_entry entry;
        size_t length = contents_of(number, data);
        if (rk_cache_get(&cache, &key, &entry) == RK_OK) {
            bool right = entry.bytes == length && memcmp(entry.data, data, length) == 0 &&
                         entry.message_bytes == 0;
            free(entry.file);
            hits++;
            if (!right) {
                return 2;
            }
        } else if (rk_cache_put(&cache, &key, data, length, "", 0, NULL) != RK_OK) {
            return 3;
        }
        if ((seed >> 16) % 13 == 0) {
            char path[512];
            path_of(f, &key, path);
            FILE *file = fopen(path, "r+b"); /* in place, while others read it */
            if (file) {
                (void)fseek(file, 120, SEEK_SET);
                (void)fputc('!', file);
                (void)fclose(file);
            }
        }
        if ((seed >> 20) % 7 == 0) {
            rk_cache_trim(&cache);
        }
    }
    rk_cache_finish(&cache);
    return hits > 0 ? 0 : 4;
}

static void many_processes_share_it(void **state)
{
    fixture *f = *state;
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            _exit(use_cache(f, i + 1));
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(gives_back_what_was_stored),
        CASE(damage_is_a_miss),
        cmocka_unit_test(forged_lengths_are_refused),
        CASE(removes_what_was_not_used_for_longest),
        CASE(too_large_an_entry_is_not_kept),
        CASE(survives_every_fault),
        CASE(refuses_bad_places),
        CASE(reads_the_environment),
        CASE(many_processes_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
