/*
 * sysfs.h: small files of the kernel's tree of devices, read without trusting what is in them.
 *
 * Every function takes the folder that stands for /sys, so that a made-up or copied tree reads the
 * same. All of them block for a file read; any thread.
 */
#ifndef RK_DEVICE_SYSFS_H
#define RK_DEVICE_SYSFS_H

#include <ringkernel/status.h>

#define RK_SYSFS "/sys"
#define RK_SYSFS_PATH_BYTES 512
#define RK_SYSFS_TEXT_BYTES 4096 /* a page: the most that one attribute holds */

/*
 * Reads <root>/<formatted path> as text, without the line's end. False if there is no such file, it
 * is longer than `bytes`, or holds a NUL; out is "" then.
 */
bool rk_sysfs_read(const char *root, char *out, size_t bytes, const char *format, ...)
    RK_PRINTF(4, 5);

/* A file that holds one unsigned number, decimal or with 0x in front. False if it does not. */
bool rk_sysfs_number(const char *root, uint64_t *out_value, const char *format, ...)
    RK_PRINTF(3, 4);

/*
 * The number at the beginning of text: decimal, or hexadecimal after 0x. *end is what follows.
 * False if there is none, or it does not fit.
 */
bool rk_sysfs_parse_number(const char *text, uint64_t *out_value, const char **out_end);

#endif
