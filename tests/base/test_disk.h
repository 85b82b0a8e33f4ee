/*
 * test_disk.h: what of a folder would survive a power loss. Used by test_file.c.
 *
 * The model is a journaling file system at its most lazy: names become durable in the order of the
 * operations, for sure when a folder is synced; the bytes of a file when it is synced.
 */
#ifndef RK_TESTS_BASE_TEST_DISK_H
#define RK_TESTS_BASE_TEST_DISK_H

#include <stdint.h>

struct rk_test_disk;

struct rk_test_disk *rk_test_disk_create(const char *root);
void rk_test_disk_destroy(struct rk_test_disk *disk);

/* A name below root may have been made, removed or changed. */
void rk_test_disk_names_changed(struct rk_test_disk *disk);

/* The file or folder behind fd has been synced. */
void rk_test_disk_synced(struct rk_test_disk *disk, int fd);

/* Rewrites the folder; see rk_test_files_lose_power. */
void rk_test_disk_lose_power(struct rk_test_disk *disk, uint64_t seed);

#endif
