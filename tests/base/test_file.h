/*
 * test_file.h: files that break on purpose.
 *
 * Installs itself as the file table (base/file.h) in front of the system's. Every operation counts
 * as a call; an armed fault strikes at the n-th one, so that a test can run a procedure once per
 * call it makes and look at what is left each time:
 *
 *     for (uint64_t n = 1;; n++) {
 *         rk_test_files_arm(&files, n, RK_TEST_FAULT_ERROR, ENOSPC);
 *         rk_status status = procedure();
 *         if (!rk_test_files_struck(&files)) { break; }
 *         ... the outcome is still sound ...
 *     }
 *
 * It can also tell what a power loss would leave of a folder: only what was synced is sure to be
 * there.
 */
#ifndef RK_TESTS_BASE_TEST_FILE_H
#define RK_TESTS_BASE_TEST_FILE_H

#include "base/file.h"
#include "base/thread.h"

typedef enum rk_test_fault {
    RK_TEST_FAULT_NONE,
    RK_TEST_FAULT_ERROR,  /* this call fails; the later ones work */
    RK_TEST_FAULT_BROKEN, /* this one and all later ones that write, make, rename or sync fail */
    RK_TEST_FAULT_SHORT,  /* a transfer moves half its bytes; any other call works */
    RK_TEST_FAULT_CRASH,  /* the process is dead: a write is half done, then nothing happens at all
                           */
} rk_test_fault;

struct rk_test_disk;

typedef struct rk_test_files {
    rk_file_ops ops;
    rk_mutex lock;
    uint64_t call_count;
    uint64_t fault_at; /* 0: none armed */
    rk_test_fault fault;
    int error;
    bool has_struck;
    struct rk_test_disk *disk; /* NULL: no folder is watched */
} rk_test_files;

/* Installs the table; the storage stays in place until rk_test_files_remove. */
void rk_test_files_install(rk_test_files *files);
void rk_test_files_remove(rk_test_files *files);

/* The nth call from now fails as told, with -error where the fault has one. Disarm: nth 0. */
void rk_test_files_arm(rk_test_files *files, uint64_t nth, rk_test_fault fault, int error);

/* Whether the armed fault has happened. */
bool rk_test_files_struck(const rk_test_files *files);

/* From here on, remembers what is durable of the folder at root and all below it. */
void rk_test_files_watch(rk_test_files *files, const char *root);

/*
 * Makes the watched folder what a disk may hold after a power loss now: names as after some
 * operation since the last sync of a folder, files as last synced or, where they were changed
 * since, a mixture. seed 0 loses everything that is not synced; others choose by chance, the same
 * way each time.
 */
void rk_test_files_lose_power(rk_test_files *files, uint64_t seed);

#endif
