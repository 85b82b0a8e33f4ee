/*
 * test_folder.h: a folder of its own for a test.
 */
#ifndef RK_TESTS_BASE_TEST_FOLDER_H
#define RK_TESTS_BASE_TEST_FOLDER_H

#define RK_TEST_FOLDER_BYTES 256

/* Makes an empty folder below $TMPDIR or /tmp and writes its path. Failure ends the program. */
void rk_test_folder_make(char out_path[RK_TEST_FOLDER_BYTES]);

/* Removes it with all that is in it. */
void rk_test_folder_remove(const char *path);

#endif
