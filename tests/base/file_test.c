/*
 * Files: whole or not at all, with every call of a procedure failing in turn, with crashes and
 * power losses; reading; folders.
 */
#include "base/file.h"
#include "base/test_file.h"
#include "base/test_folder.h"
#include "base/test_memory.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { OLD_BYTES = 3000, NEW_BYTES = 200000 };

typedef struct fixture {
    char folder[RK_TEST_FOLDER_BYTES];
    char path[RK_TEST_FOLDER_BYTES + 16];
    char old_data[OLD_BYTES];
    char new_data[NEW_BYTES];
} fixture;

static int set_up(void **state)
{
    fixture *fix = calloc(1, sizeof *fix);
    rk_test_folder_make(fix->folder);
    (void)snprintf(fix->path, sizeof fix->path, "%s/file", fix->folder);
    memset(fix->old_data, 'o', sizeof fix->old_data);
    memset(fix->new_data, 'n', sizeof fix->new_data);
    *state = fix;
    return 0;
}

static int tear_down(void **state)
{
    fixture *fix = *state;
    rk_file_install(NULL);
    rk_test_folder_remove(fix->folder);
    free(fix);
    return 0;
}

static int count_entry(void *arg, const char *name)
{
    (void)name;
    ++*(size_t *)arg;
    return 0;
}

static size_t entries_in(const char *folder)
{
    size_t count = 0;
    assert_int_equal(rk_dir_list(folder, count_entry, &count), 0);
    return count;
}

static bool holds(const char *path, const char *data, size_t length)
{
    char *found = NULL;
    size_t found_length = 0;
    rk_err err = RK_ERR_INIT;
    if (rk_file_read_all(path, SIZE_MAX, &found, &found_length, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    bool same = found_length == length && memcmp(found, data, length) == 0;
    free(found);
    return same;
}

static void test_replace(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_file_replace(fix->path, fix->old_data, OLD_BYTES, &err), RK_OK);
    assert_true(holds(fix->path, fix->old_data, OLD_BYTES));
    assert_int_equal(rk_file_replace(fix->path, fix->new_data, NEW_BYTES, &err), RK_OK);
    assert_true(holds(fix->path, fix->new_data, NEW_BYTES));
    assert_int_equal(rk_file_replace(fix->path, "", 0, &err), RK_OK);
    assert_true(holds(fix->path, "", 0));
    assert_int_equal(entries_in(fix->folder), 1);
    /* A name as long as the system allows leaves room for the temporary one. */
    char name[PATH_MAX];
    (void)snprintf(name, sizeof name, "%s/%0255d", fix->folder, 1);
    assert_int_equal(rk_file_replace(name, "x", 1, &err), RK_OK);
    assert_true(holds(name, "x", 1));
}

static void test_replace_in_current_folder(void **state)
{
    fixture *fix = *state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fix->folder), 0);
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_file_replace("here", "x", 1, &err);
    bool found = status == RK_OK && holds("here", "x", 1);
    assert_int_equal(chdir(before), 0);
    assert_true(found);
}

static void test_replace_errors(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/missing/file", fix->folder);
    assert_int_equal(rk_file_replace(path, "x", 1, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file"));
    /* The target is a folder: the rename fails, and the temporary file goes. */
    assert_int_not_equal(rk_file_replace(fix->folder, "x", 1, &err), RK_OK);
    (void)snprintf(path, sizeof path, "%s/folder", fix->folder);
    assert_int_equal(rk_dir_make(path, 0700), 0);
    assert_int_equal(rk_file_replace(path, "x", 1, &err), RK_INVALID);
    assert_int_equal(entries_in(fix->folder), 1);
}

/*
 * Each call of the procedure fails in turn, in each way: what is there afterwards is all of the old
 * or all of the new, success means new, and nothing else is left in the folder.
 */
static void check_replace_under(fixture *fix, rk_test_fault fault, int error, rk_status expected)
{
    rk_test_files files;
    rk_err err = RK_ERR_INIT;
    uint64_t n = 1;
    for (;; n++) {
        assert_int_equal(rk_file_replace(fix->path, fix->old_data, OLD_BYTES, &err), RK_OK);
        rk_test_files_install(&files);
        rk_test_files_arm(&files, n, fault, error);
        rk_status status = rk_file_replace(fix->path, fix->new_data, NEW_BYTES, &err);
        bool struck = rk_test_files_struck(&files);
        rk_test_files_remove(&files);
        bool is_new = holds(fix->path, fix->new_data, NEW_BYTES);
        assert_true(is_new || holds(fix->path, fix->old_data, OLD_BYTES));
        if (status == RK_OK) {
            assert_true(is_new);
        } else {
            assert_int_equal(status, expected);
            assert_int_equal(err.code, expected);
        }
        if (fault == RK_TEST_FAULT_SHORT) {
            assert_int_equal(status, RK_OK);
        }
        if (fault == RK_TEST_FAULT_ERROR || fault == RK_TEST_FAULT_SHORT) {
            assert_int_equal(entries_in(fix->folder), 1);
        } else {
            /* What cannot be removed stays under a name that says so. */
            size_t left = entries_in(fix->folder);
            assert_true(left <= 2);
            if (left == 2) {
                char folder[RK_TEST_FOLDER_BYTES];
                memcpy(folder, fix->folder, sizeof folder);
                rk_test_folder_remove(folder);
                assert_int_equal(mkdir(folder, 0700), 0);
            }
        }
        if (!struck) {
            break;
        }
    }
    assert_true(n > 5);
}

static void test_replace_survives_errors(void **state)
{
    check_replace_under(*state, RK_TEST_FAULT_ERROR, ENOSPC, RK_NO_SPACE);
    check_replace_under(*state, RK_TEST_FAULT_ERROR, EIO, RK_IO);
    check_replace_under(*state, RK_TEST_FAULT_BROKEN, ENOSPC, RK_NO_SPACE);
    check_replace_under(*state, RK_TEST_FAULT_SHORT, 0, RK_OK);
    check_replace_under(*state, RK_TEST_FAULT_CRASH, 0, RK_IO);
}

static void test_interrupted_calls_go_on(void **state)
{
    fixture *fix = *state;
    rk_test_files files;
    rk_test_files_install(&files);
    rk_err err = RK_ERR_INIT;
    int fd = rk_file_open(fix->path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, EINTR);
    assert_int_equal(rk_file_write_full(fd, "hello", 5), 0);
    assert_true(rk_test_files_struck(&files));
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, EINTR);
    assert_int_equal(rk_file_pwrite_full(fd, "J", 1, 0), 0);
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_SHORT, 0);
    assert_int_equal(rk_file_pwrite_full(fd, "ello", 4, 1), 0);
    char data[16];
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, EINTR);
    assert_int_equal(rk_file_pread_full(fd, data, sizeof data, 0), 5);
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_SHORT, 0);
    assert_int_equal(rk_file_pread_full(fd, data, 5, 0), 5);
    assert_memory_equal(data, "Jello", 5);
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, EIO);
    assert_int_equal(rk_file_pread_full(fd, data, 5, 0), -EIO);
    assert_int_equal(rk_file_close(fd), 0);
    /* open, fstat, then the first read */
    rk_test_files_arm(&files, 3, RK_TEST_FAULT_ERROR, EINTR);
    char *all = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(fix->path, 100, &all, &length, &err), RK_OK);
    assert_true(rk_test_files_struck(&files));
    assert_string_equal(all, "Jello");
    free(all);
    rk_test_files_remove(&files);
}

/* After a power loss at any call the file is all old or all new; after success it is new. */
static void test_replace_survives_power_loss(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    size_t old_count = 0;
    size_t new_count = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        for (uint64_t n = 1;; n++) {
            rk_test_folder_remove(fix->folder);
            assert_int_equal(mkdir(fix->folder, 0700), 0);
            assert_int_equal(rk_file_replace(fix->path, fix->old_data, OLD_BYTES, &err), RK_OK);
            rk_test_files files;
            rk_test_files_install(&files);
            rk_test_files_watch(&files, fix->folder);
            rk_test_files_arm(&files, n, RK_TEST_FAULT_CRASH, 0);
            rk_status status = rk_file_replace(fix->path, fix->new_data, NEW_BYTES, &err);
            bool struck = rk_test_files_struck(&files);
            rk_test_files_lose_power(&files, seed);
            rk_test_files_remove(&files);
            bool is_new = holds(fix->path, fix->new_data, NEW_BYTES);
            assert_true(is_new || holds(fix->path, fix->old_data, OLD_BYTES));
            assert_true(status != RK_OK || is_new);
            new_count += is_new;
            old_count += !is_new;
            if (!struck) {
                break;
            }
        }
    }
    assert_true(old_count > 10 && new_count > 10);
}

/* The double itself: what is not synced can be lost. */
static void test_power_loss_loses(void **state)
{
    fixture *fix = *state;
    rk_test_files files;
    rk_file_info info;
    for (uint64_t seed = 0; seed < 30; seed++) {
        rk_test_folder_remove(fix->folder);
        assert_int_equal(mkdir(fix->folder, 0700), 0);
        rk_test_files_install(&files);
        rk_test_files_watch(&files, fix->folder);
        int fd = rk_file_open(fix->path, O_RDWR | O_CREAT, 0600);
        assert_true(fd >= 0);
        assert_int_equal(rk_file_write_full(fd, fix->old_data, OLD_BYTES), 0);
        assert_int_equal(rk_file_sync(fd), 0);
        if (seed == 0) {
            rk_test_files_lose_power(&files, 0);
            assert_int_equal(rk_file_stat(fix->path, &info), -ENOENT);
            assert_int_equal(rk_file_close(fd), 0);
            rk_test_files_remove(&files);
            continue;
        }
        assert_int_equal(rk_file_sync_folder(fix->path, NULL), RK_OK);
        assert_int_equal(rk_file_pwrite_full(fd, fix->new_data, OLD_BYTES, 0), 0);
        rk_test_files_lose_power(&files, seed);
        char *data = NULL;
        size_t length = 0;
        assert_int_equal(rk_file_read_all(fix->path, SIZE_MAX, &data, &length, NULL), RK_OK);
        assert_int_equal(length, OLD_BYTES);
        for (size_t i = 0; i < length; i++) {
            assert_true(data[i] == 'o' || data[i] == 'n');
            assert_true(i % 512 == 0 || data[i] == data[i - 1]);
        }
        free(data);
        assert_int_equal(rk_file_close(fd), 0);
        rk_test_files_remove(&files);
    }
}

static void test_writer(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    rk_file_writer writer;
    assert_int_equal(rk_file_writer_open(&writer, fix->path, 0600, &err), RK_OK);
    uint64_t total = 0;
    for (size_t i = 0; i < 300; i++) {
        size_t length = i * 7 % 997;
        assert_int_equal(rk_file_writer_append(&writer, fix->new_data, length, &err), RK_OK);
        total += length;
        assert_int_equal(rk_file_writer_bytes(&writer), total);
    }
    assert_int_equal(rk_file_writer_append(&writer, fix->new_data, NEW_BYTES, &err), RK_OK);
    total += NEW_BYTES;
    rk_file_info info;
    assert_int_equal(rk_file_stat(fix->path, &info), -ENOENT);
    assert_int_equal(rk_file_writer_patch(&writer, 0, "HEAD", 4, &err), RK_OK);
    assert_int_equal(rk_file_writer_append(&writer, "TAIL", 4, &err), RK_OK);
    assert_int_equal(rk_file_writer_patch(&writer, total + 3, "l", 1, &err), RK_OK);
    total += 4;
    assert_int_equal(rk_file_writer_patch(&writer, total, "x", 1, &err), RK_INVALID);
    assert_int_equal(rk_file_writer_patch(&writer, UINT64_MAX, "x", 1, &err), RK_INVALID);
    assert_int_equal(rk_file_writer_commit(&writer, &err), RK_OK);
    rk_file_writer_abandon(&writer);
    char *data = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(fix->path, SIZE_MAX, &data, &length, &err), RK_OK);
    assert_int_equal(length, total);
    assert_memory_equal(data, "HEADnnnn", 8);
    assert_string_equal(data + length - 5, "nTAIl");
    free(data);
    struct stat mode;
    assert_int_equal(stat(fix->path, &mode), 0);
    assert_int_equal(mode.st_mode & 07777, 0600);
    /* A finished writer refuses. */
    assert_int_equal(rk_file_writer_append(&writer, "x", 1, &err), RK_CLOSED);
    assert_int_equal(rk_file_writer_commit(&writer, &err), RK_CLOSED);
}

static void test_writer_abandons(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    rk_file_writer writer = {0};
    rk_file_writer_abandon(&writer);
    assert_int_equal(rk_file_writer_open(&writer, fix->path, 0644, &err), RK_OK);
    assert_int_equal(rk_file_writer_append(&writer, fix->new_data, NEW_BYTES, &err), RK_OK);
    assert_int_equal(entries_in(fix->folder), 1);
    rk_file_writer_abandon(&writer);
    assert_int_equal(entries_in(fix->folder), 0);
    /* A failure sticks: the commit cannot succeed after it. */
    rk_test_files files;
    rk_test_files_install(&files);
    assert_int_equal(rk_file_writer_open(&writer, fix->path, 0644, &err), RK_OK);
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, ENOSPC);
    assert_int_equal(rk_file_writer_append(&writer, fix->new_data, NEW_BYTES, &err), RK_NO_SPACE);
    assert_non_null(strstr(err.text, fix->path));
    assert_int_equal(rk_file_writer_append(&writer, "x", 1, &err), RK_NO_SPACE);
    assert_int_equal(rk_file_writer_patch(&writer, 0, "x", 1, &err), RK_NO_SPACE);
    assert_int_equal(rk_file_writer_commit(&writer, &err), RK_NO_SPACE);
    rk_test_files_remove(&files);
    assert_int_equal(entries_in(fix->folder), 0);
}

static void test_writer_without_memory(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    for (uint64_t n = 1; n <= 2; n++) {
        rk_file_writer writer;
        rk_test_memory_fail(n);
        assert_int_equal(rk_file_writer_open(&writer, fix->path, 0644, &err), RK_NO_MEMORY);
        assert_true(rk_test_memory_struck());
        rk_file_writer_abandon(&writer);
    }
    rk_test_memory_fail(0);
    assert_int_equal(entries_in(fix->folder), 0);
}

/* A temporary name that a killed process left is passed over. */
static void test_temporary_names(void **state)
{
    fixture *fix = *state;
    assert_true(rk_file_is_temporary(".rk-tmp-1-2"));
    assert_false(rk_file_is_temporary("file"));
    rk_test_files files;
    rk_test_files_install(&files);
    rk_file_writer writer;
    rk_err err = RK_ERR_INIT;
    rk_test_files_arm(&files, 1, RK_TEST_FAULT_ERROR, EEXIST);
    assert_int_equal(rk_file_writer_open(&writer, fix->path, 0644, &err), RK_OK);
    assert_int_equal(rk_file_writer_commit(&writer, &err), RK_OK);
    rk_test_files_remove(&files);
    assert_int_equal(entries_in(fix->folder), 1);
}

static void test_read_all(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    char *data = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(fix->path, 10, &data, &length, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, fix->path));
    assert_int_equal(rk_file_replace(fix->path, "0123456789", 10, &err), RK_OK);
    assert_int_equal(rk_file_read_all(fix->path, 9, &data, &length, &err), RK_LIMIT);
    assert_non_null(strstr(err.text, "limit of 9 bytes"));
    assert_int_equal(rk_file_read_all(fix->path, 10, &data, &length, &err), RK_OK);
    assert_string_equal(data, "0123456789");
    free(data);
    assert_int_equal(rk_file_read_all(fix->folder, 10, &data, &length, &err), RK_INVALID);
    /* Files that tell no size. */
    assert_int_equal(rk_file_read_all("/proc/self/stat", SIZE_MAX, &data, &length, &err), RK_OK);
    assert_true(length > 10 && strlen(data) == length);
    free(data);
    assert_int_equal(rk_file_read_all("/dev/zero", 100000, &data, &length, &err), RK_LIMIT);
    assert_int_equal(rk_file_read_all("/dev/null", 0, &data, &length, &err), RK_OK);
    assert_int_equal(length, 0);
    assert_string_equal(data, "");
    free(data);
    rk_test_memory_fail(1);
    assert_int_equal(rk_file_read_all(fix->path, 10, &data, &length, &err), RK_NO_MEMORY);
    rk_test_memory_fail(0);
}

static void test_folders(void **state)
{
    fixture *fix = *state;
    rk_err err = RK_ERR_INIT;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/a//b/c/", fix->folder);
    assert_int_equal(rk_dir_make_all(path, &err), RK_OK);
    assert_int_equal(rk_dir_make_all(path, &err), RK_OK);
    rk_file_info info;
    assert_int_equal(rk_file_stat(path, &info), 0);
    assert_true(info.is_folder && !info.is_regular);
    assert_int_equal(rk_dir_make_all("", &err), RK_INVALID);
    assert_int_equal(rk_dir_make_all("/", &err), RK_OK);
    assert_int_equal(rk_file_replace(fix->path, "x", 1, &err), RK_OK);
    (void)snprintf(path, sizeof path, "%s/below", fix->path);
    assert_int_equal(rk_dir_make_all(path, &err), RK_EXISTS);
    assert_non_null(strstr(err.text, fix->path));
    assert_int_equal(rk_file_stat(fix->path, &info), 0);
    assert_true(info.is_regular && info.size_bytes == 1 && info.modified_ns > 0);
    rk_file_space space;
    assert_int_equal(rk_dir_space(fix->folder, &space), 0);
    assert_true(space.total_bytes >= space.free_bytes);
    assert_int_equal(rk_dir_space("/no such folder", &space), -ENOENT);
    assert_int_equal(rk_dir_list("/no such folder", count_entry, NULL), -ENOENT);
    (void)snprintf(path, sizeof path, "%s/a/b/c", fix->folder);
    assert_int_equal(rk_dir_remove(path), 0);
    char *too_long = malloc(3 * PATH_MAX);
    memset(too_long, 'x', 3 * PATH_MAX - 1);
    too_long[3 * PATH_MAX - 1] = '\0';
    assert_int_equal(rk_dir_make_all(too_long, &err), RK_INVALID);
    too_long[2 * PATH_MAX] = '/';
    assert_int_equal(rk_file_sync_folder(too_long, &err), RK_INVALID);
    free(too_long);
}

static int stop_at_second(void *arg, const char *name)
{
    (void)name;
    return ++*(int *)arg == 2 ? 77 : 0;
}

static void test_list_stops(void **state)
{
    fixture *fix = *state;
    char path[PATH_MAX];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", fix->folder, i);
        assert_int_equal(rk_file_replace(path, "", 0, NULL), RK_OK);
    }
    int seen = 0;
    assert_int_equal(rk_dir_list(fix->folder, stop_at_second, &seen), 77);
    assert_int_equal(seen, 2);
}

int main(void)
{
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_replace),
        FILE_TEST(test_replace_in_current_folder),
        FILE_TEST(test_replace_errors),
        FILE_TEST(test_replace_survives_errors),
        FILE_TEST(test_interrupted_calls_go_on),
        FILE_TEST(test_replace_survives_power_loss),
        FILE_TEST(test_power_loss_loses),
        FILE_TEST(test_writer),
        FILE_TEST(test_writer_abandons),
        FILE_TEST(test_writer_without_memory),
        FILE_TEST(test_temporary_names),
        FILE_TEST(test_read_all),
        FILE_TEST(test_folders),
        FILE_TEST(test_list_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
