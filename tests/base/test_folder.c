/*
 * test_folder.c: a folder of its own for a test.
 */
#include "base/test_folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define OPEN_DESCRIPTORS 16

void rk_test_folder_make(char out_path[RK_TEST_FOLDER_BYTES])
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(out_path, RK_TEST_FOLDER_BYTES, "%s/rk-test-XXXXXX",
                          parent == NULL ? "/tmp" : parent);
    if (length >= RK_TEST_FOLDER_BYTES || mkdtemp(out_path) == NULL) {
        perror("cannot make a folder for the test");
        abort();
    }
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void rk_test_folder_remove(const char *path)
{
    if (nftw(path, remove_entry, OPEN_DESCRIPTORS, FTW_PHYS | FTW_DEPTH) != 0) {
        perror("cannot remove the folder of a test");
        abort();
    }
}
